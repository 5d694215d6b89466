package store_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/store/storetest"
)

// upgrades are databases of earlier versions: how they are filled, and what is found in them afterwards.
var upgrades = []struct {
	name    string
	scripts []string // of that version
	fill    func(t *testing.T, do func(text string, args ...any))
	later   func(t *testing.T, dsn string)
}{
	{"accounts and their keys of version 1", []string{"0001_base.sql"}, accountsOfVersion1, accountsLater},
	{"federated credentials of version 2", []string{"0001_base.sql", "0002_iam.sql"}, credentialsOfVersion2, credentialsLater},
}

func TestAFileOfAnEarlierVersionIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	for _, u := range upgrades {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			name := filepath.Join(t.TempDir(), "treaty.db")
			earlier(t, "sqlite", name, strings.NewReplacer(` collate "C"`, "", `bigint primary key`, `integer primary key`), u.scripts, u.fill)
			u.later(t, "sqlite:"+name)
		})
	}
}

// earlier makes a database of an earlier version, with a marked state that fill writes too.
func earlier(t *testing.T, driver, dsn string, words *strings.Replacer, scripts []string, fill func(*testing.T, func(string, ...any))) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	must(t, err)
	defer db.Close()
	do := func(text string, args ...any) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), text, args...)
		must(t, err)
	}
	do(words.Replace(`create table schema_version (version bigint primary key)`))
	for n, script := range scripts {
		all, err := os.ReadFile("schema/" + script)
		must(t, err)
		for text := range strings.SplitSeq(words.Replace(string(all)), ";\n") {
			if strings.TrimSpace(text) != "" {
				do(text)
			}
		}
		do(`insert into schema_version (version) values ($1)`, n+1)
	}
	do(`insert into snapshot (id) values ('seed')`)
	fill(t, do)
}

// accountsOfVersion1 are an account, a key of its root, and one of a user that has no row.
func accountsOfVersion1(t *testing.T, do func(text string, args ...any)) {
	t.Helper()
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

// accountsLater opens what was made, and again from its snapshot.
func accountsLater(t *testing.T, dsn string) {
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

func credentialsOfVersion2(t *testing.T, do func(text string, args ...any)) {
	t.Helper()
	for _, prefix := range []string{"", "seed_"} {
		do(`insert into ` + prefix + `application (id, tenant_id, app_id, unique_name, version, doc) values ('app', 't', 'client', '', 1, '{"id":"app","tenantId":"t","appId":"client"}')`)
		for id, subject := range map[string]string{"f": "s", "g": "", "h": ""} {
			do(`insert into `+prefix+`federated_credential (id, application_id, name, issuer, subject, doc) values ($1, 'app', $2, 'https://issuer', $3, $4)`, id, "name of "+id, subject,
				`{"id":"`+id+`","applicationId":"app","name":"name of `+id+`","issuer":"https://issuer","subject":"`+subject+`","audiences":["a"]}`)
		}
	}
	do(`delete from federated_credential where id = 'h'`) // since the state was marked
}

func credentialsLater(t *testing.T, dsn string) {
	t.Helper()
	s := storetest.New(t, dsn)
	ctx := t.Context()
	f := directory.FederatedCredential{ID: "f", OwnerID: "app", Name: "name of f", Issuer: "https://issuer", Subject: "s", Audiences: []string{"a"}}
	for _, ids := range []string{"fg", "fgh"} {
		have, err := s.FederatedCredentials.FederatedCredentials(ctx, "app")
		must(t, err)
		if len(have) != len(ids) || cmp.Diff(f, have[0]) != "" {
			t.Fatal(have, ", want ", ids)
		}
		again := f
		again.ID, again.Name = "new", "new"
		if err := s.FederatedCredentials.CreateFederatedCredential(ctx, again, 20); !errors.Is(err, fault.Conflict) {
			t.Fatal("the subject is taken still: ", err)
		}
		must(t, s.Applications.DeleteApplication(ctx, "t", "app"))
		if have, err := s.FederatedCredentials.FederatedCredentials(ctx, "app"); err != nil || len(have) != 0 {
			t.Fatal(have, err)
		}
		must(t, s.Restore(ctx))
	}
}
