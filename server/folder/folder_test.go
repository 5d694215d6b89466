package folder

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func noEnv(string) string { return "" }

func open(t *testing.T, dir string, reset bool) *Folder {
	t.Helper()
	f, err := Open(dir, reset, noEnv, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func closed(t *testing.T, f *Folder) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheFolderKeepsItsSecretsToItself(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	f := open(t, dir, false)
	defer closed(t, f)
	root, err := f.Authority([]string{"id.example.org"}, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.WriteAuthorities(root.PEM(), ""), f.WriteCredentials(Credentials{AWS: AWSAdministrator{AccessKeyID: "AKIA"}}), f.WriteServer(Server{PID: 1})); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		".": 0o700, MasterFile: 0o600, caKeyFile: 0o600, CredentialsFile: 0o600, ServerFile: 0o600, "aws/credentials": 0o600, "aws": 0o700, "azure": 0o700,
	} {
		info, err := os.Stat(f.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s is %v, want %v", name, info.Mode().Perm(), want)
		}
	}
	key, err := os.ReadFile(f.Path(caKeyFile))
	if err != nil || strings.Contains(string(key), "PRIVATE KEY") {
		t.Errorf("the authority's key is not sealed: %v", err)
	}
}

func TestAFolderThatOthersCanReadIsClosedToThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	closed(t, open(t, dir, false))
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestASecondServerIsRefusedByName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir, false)
	if err := f.WriteServer(Server{PID: 4711}); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir, true, noEnv, rand.Reader)
	var e *InUseError
	if !errors.As(err, &e) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("got %v", err)
	}
	if _, err := ReadServer(dir); err != nil {
		t.Errorf("the refused server touched server.json: %v", err)
	}
	closed(t, f)
	if _, err := ReadServer(dir); !errors.Is(err, ErrNoServer) {
		t.Errorf("after the end: %v", err)
	}
	closed(t, open(t, dir, false))
}

func TestWhatIsKeptIsReadAgainUntilAReset(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir, false)
	master := string(f.Master)
	root, err := f.Authority(nil, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "notes.txt")
	if err := errors.Join(os.WriteFile(mine, []byte("x"), 0o600), os.WriteFile(f.Path(DatabaseFile), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	closed(t, f)

	f = open(t, dir, false)
	again, err := f.Authority(nil, time.Now(), rand.Reader)
	if err != nil || !again.Certificate.Equal(root.Certificate) || string(f.Master) != master {
		t.Errorf("a second start has another authority or master key: %v", err)
	}
	wider, err := f.Authority([]string{"id.example.org"}, time.Now(), rand.Reader)
	if err != nil || wider.Certificate.Equal(root.Certificate) {
		t.Errorf("an authority that may not certify a new name was kept: %v", err)
	}
	closed(t, f)

	f = open(t, dir, true)
	if string(f.Master) == master {
		t.Error("a reset kept the master key")
	}
	if _, err := os.Stat(f.Path(DatabaseFile)); !errors.Is(err, os.ErrNotExist) {
		t.Error("a reset kept the database")
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error("a reset removed a file of the user's")
	}
	closed(t, f)
}

func TestTheMasterKeyMayComeFromTheEnvironment(t *testing.T) {
	t.Parallel()
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	dir := t.TempDir()
	f, err := Open(dir, false, func(n string) string { return map[string]string{MasterVariable: hex.EncodeToString(key)}[n] }, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if string(f.Master) != string(key) {
		t.Error("the key is not the variable's")
	}
	if _, err := os.Stat(f.Path(MasterFile)); !errors.Is(err, os.ErrNotExist) {
		t.Error("the variable's key was written down")
	}
	if _, err := f.Authority(nil, time.Now(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	closed(t, f)

	f = open(t, dir, false)
	if _, err := f.Authority(nil, time.Now(), rand.Reader); err == nil || !strings.Contains(err.Error(), "another master key") {
		t.Errorf("under another key: %v", err)
	}
	closed(t, f)
	if _, err := Open(dir, false, func(string) string { return "short" }, rand.Reader); err == nil || !strings.Contains(err.Error(), MasterVariable) {
		t.Errorf("a bad variable: %v", err)
	}
}

func TestADatabaseWithoutItsMasterKeyIsNotOverwritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, DatabaseFile), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, false, noEnv, rand.Reader); err == nil || !strings.Contains(err.Error(), "--reset") {
		t.Errorf("got %v", err)
	}
}

func TestTheBundleHoldsOursAndTheUsersOwn(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir(), false)
	defer closed(t, f)
	root, err := f.Authority(nil, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	corporate := filepath.Join(t.TempDir(), "corporate.pem")
	if err := os.WriteFile(corporate, []byte("corporate authority\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.WriteAuthorities(root.PEM(), corporate); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.Path(BundleFile))
	if err != nil || !strings.Contains(string(b), string(root.PEM())) || !strings.Contains(string(b), "corporate authority") {
		t.Errorf("bundle: %v\n%.300s", err, b)
	}
}
