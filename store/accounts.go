package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/treatyfed/treaty/core/directory"
)

// accounts keeps AWS accounts and, by what it embeds, access keys.
type accounts struct{ *accessKeys }

// PutAccount keeps the version growing when it replaces.
func (r *accounts) PutAccount(ctx context.Context, a directory.Account) error {
	op := "put account " + a.ID
	doc, err := document(op, a)
	if err != nil {
		return err
	}
	return write(ctx, r.db, op, `insert into account (id, doc, alias, token_issuer, version) values ($1, $2, $3, $4, 1)
		on conflict (id) do update set doc = excluded.doc, alias = excluded.alias, token_issuer = excluded.token_issuer, version = account.version + 1`,
		a.ID, doc, a.Alias, a.TokenIssuer)
}

func (r *accounts) Account(ctx context.Context, id string) (directory.Account, error) {
	const text = `select version, doc from account where id = $1`
	return remembered(ctx, r.db, itself[directory.Account], question{text, id, ""}, func() (directory.Account, error) {
		return one(ctx, r.db, "account", scanAccount, text, id)
	})
}

func (r *accounts) AccountByTokenIssuer(ctx context.Context, guid string) (directory.Account, error) {
	const text = `select version, doc from account where token_issuer = $1 and token_issuer <> ''`
	return remembered(ctx, r.db, itself[directory.Account], question{text, guid, ""}, func() (directory.Account, error) {
		return one(ctx, r.db, "account by token issuer", scanAccount, text, guid)
	})
}

func (r *accounts) Accounts(ctx context.Context) ([]directory.Account, error) {
	return list(ctx, r.db, "accounts", scanAccount, `select version, doc from account order by id`)
}

func (r *accounts) UpdateAccount(ctx context.Context, a directory.Account) error {
	op := "update account " + a.ID
	doc, err := document(op, a)
	if err != nil {
		return err
	}
	return swap(ctx, r.db, op, `select 1 from account where id = $1`, []any{a.ID},
		`update account set version = version + 1, alias = $3, token_issuer = $4, doc = $5 where id = $1 and version = $2`,
		a.ID, a.Version, a.Alias, a.TokenIssuer, doc)
}

func scanAccount(r *sql.Rows) (a directory.Account, err error) {
	var doc string
	var version int64
	if err = r.Scan(&version, &doc); err == nil {
		err = json.Unmarshal([]byte(doc), &a)
	}
	a.Version = version
	return a, err
}
