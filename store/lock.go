package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/treatyfed/treaty/core/fault"
)

// lockName is the file in a data folder that its server keeps locked; it holds the server's process id.
const lockName = "lock"

// Lock makes this process the only one on a data folder until release, or until it ends in any way.
// When another has it, the fault is fault.Conflict and its Reason names the other's process id.
func Lock(dir string) (release func() error, err error) {
	return lockFile(filepath.Join(dir, lockName), "lock data folder "+dir, "stop that one or give this one another --data folder")
}

// lockFile locks a file that is made for nothing else; remedy ends the sentence that refuses.
func lockFile(name, op, remedy string) (release func() error, err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, op, err)
	}
	taken, err := tryLock(f)
	if err == nil && !taken {
		err = fault.New(fault.Conflict, op, "another treaty is using it ("+holder(f)+"); "+remedy)
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		return nil, errors.Join(failed(op, nil, err), f.Close())
	}
	return func() error { // the file stays: to remove it would let two processes lock two files of one name
		return fault.Wrap(fault.Internal, op, errors.Join(f.Truncate(0), unlock(f), f.Close()))
	}, nil
}

// holder is who wrote the lock file.
func holder(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 32))
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return "process " + pid
	}
	return "its process is just starting or stopping"
}
