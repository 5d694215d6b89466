package store_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/store"
	"github.com/treatyfed/treaty/store/storetest"
)

func TestSQLiteFile(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Store {
		return storetest.New(t, "sqlite:"+filepath.Join(t.TempDir(), "treaty ?%20.db"))
	})
}

func TestSQLiteMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Store { return storetest.New(t, "") })
}

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	p := storetest.StartPostgres(t)
	t.Run("conformance", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) *store.Store { return storetest.New(t, p.DSN(t)) })
	})
	for _, u := range upgrades {
		t.Run("an earlier version with "+u.name, func(t *testing.T) {
			dsn := p.DSN(t)
			earlier(t, "pgx", dsn, strings.NewReplacer(), u.scripts, u.fill)
			u.later(t, dsn)
		})
	}
	t.Run("replicas agree", func(t *testing.T) { replicas(t, p.DSN(t)) })
}
