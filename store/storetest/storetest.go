// Package storetest proves a store: one suite of what every repository promises, run on SQLite in a file,
// SQLite in memory and PostgreSQL alike, and the private PostgreSQL that tests run it on.
//
// It owns the promises: order of pages, conflicts and their reasons, limits, versions, and what holds when
// eight callers do the same thing at once. Other packages' tests take New for a store of their own and
// StartPostgres for a database.
package storetest

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/store"
)

// New opens a store for a test and closes it at its end. dsn is as in store.Config: "" is memory of this
// store alone.
func New(tb testing.TB, dsn string) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), store.Config{DSN: dsn, Sealer: Sealer(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Sealer makes a sealer under a fixed master key.
func Sealer(tb testing.TB) *credential.Sealer {
	tb.Helper()
	s, err := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// at is a moment that every database keeps exactly.
func at(seconds int) time.Time {
	return time.Date(2026, 3, 1, 12, 0, seconds, 0, time.UTC)
}
