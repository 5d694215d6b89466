//go:build unix

package store

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A process that begins has a copy of every open file for a moment, and flock(2) is of the open file: what is
// closed here is still locked by the copy there.
func TestALockIsGivenUpAlsoWhileAnotherProcessBegins(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), lockName)
	release, err := lockFile(name, "lock", "")
	if err != nil {
		t.Fatal(err)
	}
	copied := copyOf(t, name)
	defer func() { _ = syscall.Close(copied) }()
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if release, err = lockFile(name, "lock", ""); err != nil {
		t.Fatal("the lock outlives its release: ", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
}

// copyOf duplicates the one descriptor of this process that is the file of that name.
func copyOf(t *testing.T, name string) int {
	t.Helper()
	want, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	id := want.Sys().(*syscall.Stat_t)
	for fd := range int(min(limit.Cur, 1<<16)) {
		var have syscall.Stat_t
		if syscall.Fstat(fd, &have) == nil && have.Dev == id.Dev && have.Ino == id.Ino {
			copied, err := syscall.Dup(fd)
			if err != nil {
				t.Fatal(err)
			}
			return copied
		}
	}
	t.Fatal("no descriptor is of ", name)
	return -1
}
