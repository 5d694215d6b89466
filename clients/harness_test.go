package clients

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/treatyfed/treaty/server/folder"
)

// twin is a running `treaty serve` that every test of this package shares; each makes its own pools and
// applications in it.
type twin struct {
	bin, data string
	env       map[string]string // what `treaty env --json` prints
	azFolder  string            // where `treaty exec` has az keep its files
	node      string
}

var shared *twin

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) == "azidentity" {
		if err := azidentityProgram(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "treaty-clients-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	shared = &twin{bin: filepath.Join(dir, "treaty"), data: filepath.Join(dir, "data")}
	if shared.node, err = filepath.Abs("node"); err != nil {
		return 0, err
	}
	if out, err := exec.Command("go", "build", "-o", shared.bin, "../cmd/treaty").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build: %w: %s", err, out)
	}
	stop, err := shared.serve(dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return m.Run(), nil
}

// startWait is how long a server may take to be ready, and endWait how long what a command started may hold on to its
// output after it: enough for a machine that does much else, and too much for anything but a server that hangs.
const startWait, endWait = 2 * time.Minute, 20 * time.Second

// await waits until a server says in its data folder that it is ready.
func await(data, log string) error {
	for deadline := time.Now().Add(startWait); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(data, folder.ServerFile)); err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log)
			return fmt.Errorf("the server was not ready after %v:\n%s", startWait, text)
		}
	}
}

// serve starts the server on free ports and waits until it says that it is ready.
func (tw *twin) serve(dir string) (stop func() error, err error) {
	log, err := os.Create(filepath.Join(dir, "serve.log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(tw.bin, "serve", "--data", tw.data, "--seed", filepath.Join("testdata", "seed.yaml"), "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1:0")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		return cmd.Wait()
	}
	if err := await(tw.data, log.Name()); err != nil {
		return stop, err
	}
	running, err := folder.ReadServer(tw.data)
	if err != nil {
		return stop, err
	}
	tw.azFolder = running.AzureFolder
	out, err := exec.Command(tw.bin, "env", "--data", tw.data, "--json").Output()
	if err != nil {
		return stop, fmt.Errorf("treaty env: %w", err)
	}
	return stop, json.Unmarshal(out, &tw.env)
}

// need skips the test when a client is not installed; under CI that is a failure.
func need(t *testing.T, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err == nil {
		return path
	}
	reason := path + " is not installed (scripts/install-clients.sh installs it; what is Debian's, as root)"
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
	return ""
}

// result is what a command left behind.
type result struct {
	code           int
	stdout, stderr string
}

// exec runs a command under `treaty exec --twin`, with more variables ("NAME=value").
func (tw *twin) exec(t *testing.T, env []string, argv ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 3*time.Minute) // cleaning up comes after the test's own end
	defer cancel()
	cmd := exec.CommandContext(ctx, tw.bin, append([]string{"exec", "--data", tw.data, "--twin", "--"}, argv...)...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = endWait
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", argv, err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// must runs a command that has to succeed and decodes its JSON output into a value.
func must[T any](t *testing.T, tw *twin, env []string, argv ...string) (v T) {
	t.Helper()
	r := tw.exec(t, env, argv...)
	if r.code != 0 {
		t.Fatalf("%s\nexit %d\n%s%s", strings.Join(argv, " "), r.code, r.stdout, r.stderr)
	}
	if strings.TrimSpace(r.stdout) == "" {
		return v
	}
	if err := json.Unmarshal([]byte(r.stdout), &v); err != nil {
		t.Fatalf("%s\nis no JSON: %v\n%s", strings.Join(argv, " "), err, r.stdout)
	}
	return v
}

// object is a decoded JSON object; at walks into it by "a.b.0.c".
type object = map[string]any

func at(v any, path string) any {
	for step := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case object:
			v = x[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func text(v any, path string) string { s, _ := at(v, path).(string); return s }

// decode reads header and claims of a compact JWS without verifying it.
func decode(t *testing.T, raw string) (header, claims object) {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("not a compact JWS: %.60q", raw)
	}
	for i, into := range []*object{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// wants compares members of a decoded object with what they must be.
func wants(t *testing.T, what string, got any, want map[string]any) {
	t.Helper()
	for path, w := range want {
		g, _ := json.Marshal(at(got, path))
		x, _ := json.Marshal(w)
		if !bytes.Equal(g, x) {
			t.Errorf("%s: %s is %s, want %s", what, path, g, x)
		}
	}
}
