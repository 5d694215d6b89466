package store

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/fault"
)

func inMemory(t *testing.T) *Store {
	t.Helper()
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestASnapshotForgetsNoTableAndNoColumn compares the nouns with the schema, so that a migration cannot
// leave a table or a column out of them.
func TestASnapshotForgetsNoTableAndNoColumn(t *testing.T) {
	t.Parallel()
	s := inMemory(t)
	type column struct{ table, name string }
	all, err := list(t.Context(), s.db, "columns", func(r *sql.Rows) (c column, err error) { return c, r.Scan(&c.table, &c.name) },
		`select m.name, c.name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' order by m.name, c.cid`)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string][]string{}
	for _, c := range all {
		have[c.table] = append(have[c.table], c.name)
	}
	known := map[string]string{"schema_version": "", "snapshot": "", "signing_key": "", "seal_check": "", "audit_event": "", "used_once": ""}
	for _, n := range nouns {
		known[n.table], known["seed_"+n.table] = n.columns, n.columns
	}
	for table, columns := range have {
		want, ok := known[table]
		if !ok {
			t.Errorf("table %s is neither a noun nor its shadow", table)
		}
		if got := strings.Join(columns, ", "); want != "" && got != want {
			t.Errorf("table %s has the columns %s, the nouns list %s", table, got, want)
		}
	}
	if len(have) != len(known) {
		t.Errorf("%d tables in the schema, %d known", len(have), len(known))
	}
}

func TestMigrationsRunOnceInOrderAndWholly(t *testing.T) {
	t.Parallel()
	db, err := openSQLiteMemory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.close()
	scripts := fstest.MapFS{"0001_a.sql": {Data: []byte(`create table a (x text collate "C" primary key); insert into a values ('1');`)}}
	steps := func(want ...string) {
		t.Helper()
		got, err := list(t.Context(), db, "steps", scanString, `select x from a order by x`)
		if err != nil || !slices.Equal(got, want) {
			t.Fatal(got, err, ", want ", want)
		}
	}
	for range 2 {
		if err := migrate(t.Context(), db, scripts); err != nil {
			t.Fatal(err)
		}
		steps("1")
	}
	scripts["0002_b.sql"] = &fstest.MapFile{Data: []byte(`insert into a values ('2');`)}
	scripts["0003_c.sql"] = &fstest.MapFile{Data: []byte(`insert into a values ('3'); insert into nothing values (1);`)}
	if err := migrate(t.Context(), db, scripts); !errors.Is(err, fault.Internal) || !strings.Contains(err.Error(), "0003_c.sql") {
		t.Fatal(err)
	}
	steps("1") // all or nothing
	scripts["0003_c.sql"] = &fstest.MapFile{Data: []byte(`insert into a values ('3');`)}
	if err := migrate(t.Context(), db, scripts); err != nil {
		t.Fatal(err)
	}
	steps("1", "2", "3")
	delete(scripts, "0003_c.sql")
	if err := migrate(t.Context(), db, scripts); !errors.Is(err, fault.Invalid) {
		t.Fatal("a binary that knows less goes on: ", err)
	}
}
