package store

import (
	"crypto/rand"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/credential"
)

// A store that is closed has left its files alone: who closes it may remove them, or open them again.
func TestCloseWaitsForReaders(t *testing.T) {
	t.Parallel()
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "treaty.db"), Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	began, end, read, closed := make(chan struct{}), make(chan struct{}), make(chan error, 1), make(chan error, 1)
	go func() {
		read <- s.db.each(t.Context(), `select max(version) from schema_version`, nil, func(*sql.Rows) error {
			close(began)
			<-end
			return nil
		})
	}()
	<-began
	go func() { closed <- s.Close() }()
	select {
	case <-closed:
		t.Fatal("closed under a reader")
	case <-time.After(50 * time.Millisecond):
	}
	close(end)
	for _, c := range []chan error{read, closed} {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
}
