// Package folder is the data folder: what a server keeps between starts, besides its database.
//
// It owns the files and their rights: the master key, the local authority, the bundle of authorities for
// clients, the administrators' credentials, and server.json, by which commands find a running server. The
// folder is 0700 and every secret file 0600. What is in the database is the store's.
package folder

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/server/localca"
	"github.com/treatyfed/treaty/store"
)

// Names of the files in the folder.
const (
	MasterFile      = "master.key"
	DatabaseFile    = "treaty.db"
	CAFile          = "ca.pem"
	caKeyFile       = "ca.key" // sealed
	BundleFile      = "ca-bundle.pem"
	CredentialsFile = "credentials.json"
	ServerFile      = "server.json"
	awsFolder       = "aws"
	azureFolder     = "azure"
	caKeyLabel      = "folder ca key"
	MasterVariable  = "TREATY_MASTER_KEY" // 32 bytes, base64 or hex
)

// owned are the files and folders that a reset removes: ours, and nothing that a user put beside them.
var owned = []string{
	MasterFile, DatabaseFile, DatabaseFile + "-wal", DatabaseFile + "-shm", DatabaseFile + "-lock", DatabaseFile + "-audit",
	CAFile, caKeyFile, BundleFile, CredentialsFile, ServerFile, awsFolder, azureFolder,
}

// Folder is an opened data folder, locked for one server.
type Folder struct {
	Dir    string
	Master []byte
	Sealer *credential.Sealer
	unlock func() error
}

// InUseError says that another server has the folder, and which.
type InUseError struct {
	Dir    string
	Reason string
}

func (e *InUseError) Error() string { return "the data folder " + e.Dir + " is taken: " + e.Reason }

// Open makes the folder if need be, locks it, empties it of what is Treaty's if reset is set, and reads or
// makes the master key. A folder that another server has is an *InUseError.
func Open(dir string, reset bool, getenv func(string) string, rand io.Reader) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("look at the data folder: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(dir, 0o700); err != nil { // gosec would have 0600; a folder needs its x
			return nil, fmt.Errorf("close the data folder to others: %w", err)
		}
	}
	f := &Folder{Dir: dir}
	if f.unlock, err = store.Lock(dir); err != nil {
		var taken *fault.Fault
		if errors.As(err, &taken) && taken.Kind == fault.Conflict {
			return nil, &InUseError{Dir: dir, Reason: taken.Reason}
		}
		return nil, err
	}
	if err := f.prepare(reset, getenv, rand); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Folder) prepare(reset bool, getenv func(string) string, rand io.Reader) error {
	if reset {
		for _, name := range owned {
			if err := os.RemoveAll(f.Path(name)); err != nil {
				return fmt.Errorf("reset the data folder: %w", err)
			}
		}
	}
	if err := os.Remove(f.Path(ServerFile)); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a server that was killed
		return fmt.Errorf("remove an old %s: %w", ServerFile, err)
	}
	var err error
	if f.Master, err = f.master(getenv(MasterVariable), rand); err != nil {
		return err
	}
	if f.Sealer, err = credential.NewSealer(f.Master, rand); err != nil {
		return err
	}
	for _, sub := range []string{awsFolder, azureFolder} {
		if err := os.MkdirAll(f.Path(sub), 0o700); err != nil {
			return fmt.Errorf("make the data folder: %w", err)
		}
	}
	return nil
}

// Close removes server.json and lets another server have the folder.
func (f *Folder) Close() error {
	err := os.Remove(f.Path(ServerFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, f.unlock())
}

// Path is a file in the folder.
func (f *Folder) Path(name string) string { return filepath.Join(f.Dir, name) }

// master reads the master key from the environment or the folder, or makes one.
func (f *Folder) master(fromEnv string, rand io.Reader) ([]byte, error) {
	if fromEnv != "" {
		return decodeMaster(fromEnv, MasterVariable)
	}
	b, err := os.ReadFile(f.Path(MasterFile))
	if err == nil {
		return decodeMaster(strings.TrimSpace(string(b)), f.Path(MasterFile))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the master key: %w", err)
	}
	if _, err := os.Stat(f.Path(DatabaseFile)); err == nil {
		return nil, fmt.Errorf("%s holds a database but no %s: set %s, or start over with --reset", f.Dir, MasterFile, MasterVariable)
	}
	key := make([]byte, credential.MasterKeySize)
	if _, err := io.ReadFull(rand, key); err != nil {
		return nil, fmt.Errorf("make the master key: %w", err)
	}
	if err := f.Write(MasterFile, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		return nil, err
	}
	return key, f.settle(MasterFile)
}

// settle waits until a file is on the disk. Without the master key everything sealed under it is lost, so
// that a machine which loses power must not keep the database and forget the key.
func (f *Folder) settle(name string) error {
	for _, path := range []string{f.Path(name), f.Dir} {
		h, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("keep %s: %w", name, err)
		}
		if err := errors.Join(h.Sync(), h.Close()); err != nil {
			return fmt.Errorf("keep %s: %w", name, err)
		}
	}
	return nil
}

func decodeMaster(s, from string) ([]byte, error) {
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawURLEncoding.DecodeString} {
		if b, err := decode(s); err == nil && len(b) == credential.MasterKeySize {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%s is no key of %d bytes in base64 or hex", from, credential.MasterKeySize)
}

// Authority reads the local authority, or makes one when there is none, when it nears its end, or when it
// may not certify one of own.
func (f *Folder) Authority(own []string, now time.Time, rand io.Reader) (*localca.Root, error) {
	root, err := f.loadAuthority(rand)
	if err != nil {
		return nil, err
	}
	if root != nil && root.Fits(own, now) {
		return root, nil
	}
	if root, err = localca.New(own, now, rand); err != nil {
		return nil, err
	}
	der, err := root.Private()
	if err != nil {
		return nil, fmt.Errorf("encode the local authority's key: %w", err)
	}
	sealed, err := f.Sealer.Seal(caKeyLabel, der)
	if err != nil {
		return nil, err
	}
	if err := f.Write(caKeyFile, sealed, 0o600); err != nil {
		return nil, err
	}
	return root, f.Write(CAFile, root.PEM(), 0o644)
}

func (f *Folder) loadAuthority(rand io.Reader) (*localca.Root, error) {
	cert, err := os.ReadFile(f.Path(CAFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the local authority: %w", err)
	}
	sealed, err := os.ReadFile(f.Path(caKeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the local authority's key: %w", err)
	}
	key, err := f.Sealer.Open(caKeyLabel, sealed)
	if err != nil {
		return nil, fmt.Errorf("%s was made under another master key: %w", f.Path(caKeyFile), err)
	}
	block, _ := pem.Decode(cert)
	if block == nil {
		return nil, fmt.Errorf("%s holds no certificate", f.Path(CAFile))
	}
	root, err := localca.Load(block.Bytes, key, rand)
	if err != nil {
		return nil, nil // half of a pair after a crash between two writes: a new pair is made
	}
	return root, nil
}

// Write puts a file in place by renaming, so that a reader or a crash never meets half of it. A file that
// holds the same bytes already is left alone.
func (f *Folder) Write(name string, b []byte, mode fs.FileMode) (err error) {
	if old, err := os.ReadFile(f.Path(name)); err == nil && bytes.Equal(old, b) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(f.Path(name)), 0o700); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	t, err := os.CreateTemp(filepath.Dir(f.Path(name)), ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", name, err), os.Remove(t.Name()))
		}
	}()
	if err := t.Chmod(mode); err != nil {
		return errors.Join(err, t.Close())
	}
	if _, err := t.Write(b); err != nil {
		return errors.Join(err, t.Close())
	}
	if err := t.Close(); err != nil {
		return err
	}
	return os.Rename(t.Name(), f.Path(name))
}
