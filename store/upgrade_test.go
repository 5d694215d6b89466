package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/store/storetest"
)

func TestAFileOfTheFirstVersionIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "treaty.db")
	earlier(t, "sqlite", name, strings.NewReplacer(` collate "C"`, "", `bigint primary key`, `integer primary key`))
	later(t, "sqlite:"+name)
}

// earlier makes a database of schema version 1 with an account, a key of its root, one of a user that has no
// row, and a snapshot of all this.
func earlier(t *testing.T, driver, dsn string, words *strings.Replacer) {
	t.Helper()
	base, err := os.ReadFile("schema/0001_base.sql")
	must(t, err)
	db, err := sql.Open(driver, dsn)
	must(t, err)
	defer db.Close()
	do := func(text string, args ...any) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), text, args...)
		must(t, err)
	}
	for text := range strings.SplitSeq(words.Replace("create table schema_version (version bigint primary key);\n"+string(base)), ";\n") {
		if strings.TrimSpace(text) != "" {
			do(text)
		}
	}
	do(`insert into schema_version (version) values (1)`)
	do(`insert into snapshot (id) values ('seed')`)
	for _, prefix := range []string{"", "seed_"} {
		do(`insert into ` + prefix + `account (id, doc) values ('123456789012', '{"id":"123456789012","name":"Treaty","createdAt":"2026-03-01T12:00:00Z"}')`)
		for id, principal := range map[string]string{"AKIAROOT": "123456789012", "AKIAUSER": "AIDA"} {
			sealed, err := storetest.Sealer(t).Seal("access key "+id, []byte("secret of "+id))
			must(t, err)
			do(`insert into `+prefix+`access_key (id, secret, doc) values ($1, $2, $3)`, id, sealed,
				`{"id":"`+id+`","accountId":"123456789012","principal":"p","principalId":"`+principal+`","active":true,"createdAt":"2026-03-01T12:00:00Z"}`)
		}
	}
}

// later opens what earlier made, and again from its snapshot.
func later(t *testing.T, dsn string) {
	t.Helper()
	s := storetest.New(t, dsn)
	ctx := t.Context()
	for range 2 {
		a, err := s.Accounts.Account(ctx, "123456789012")
		must(t, err)
		if a.Name != "Treaty" || a.Version != 1 {
			t.Fatal(a)
		}
		root, err := s.AccessKeys.AccessKeysOf(ctx, a.ID)
		must(t, err)
		if len(root) != 1 || root[0].ID != "AKIAROOT" {
			t.Fatal("the root's keys: ", root)
		}
		k, err := s.Accounts.AccessKey(ctx, "AKIAUSER")
		must(t, err)
		if d := cmp.Diff([]string{"secret of AKIAUSER", "AIDA"}, []string{k.Secret.Reveal(), k.PrincipalID}); d != "" {
			t.Fatal(d)
		}
		a.Alias = "treaty"
		must(t, s.Accounts.UpdateAccount(ctx, a))
		must(t, s.IAMUsers.Create(ctx, directory.IAMUser{IAMEntity: directory.IAMEntity{ID: "AIDA", AccountID: a.ID, Name: "ada", ARN: "arn"}}, 1))
		must(t, s.Restore(ctx))
	}
}
