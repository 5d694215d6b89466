package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
)

// accounts keeps AWS accounts and access keys; the secret of a key is sealed under the key's id.
type accounts struct {
	db     database
	sealer *credential.Sealer
}

func (r *accounts) PutAccount(ctx context.Context, a directory.Account) error {
	op := "put account " + a.ID
	doc, err := document(op, a)
	if err != nil {
		return err
	}
	return write(ctx, r.db, op, `insert into account (id, doc) values ($1, $2) on conflict (id) do update set doc = excluded.doc`, a.ID, doc)
}

func (r *accounts) Account(ctx context.Context, id string) (directory.Account, error) {
	return one(ctx, r.db, "account", scanDoc[directory.Account], `select doc from account where id = $1`, id)
}

func (r *accounts) Accounts(ctx context.Context) ([]directory.Account, error) {
	return list(ctx, r.db, "accounts", scanDoc[directory.Account], `select doc from account order by id`)
}

func (r *accounts) PutAccessKey(ctx context.Context, k directory.AccessKey) error {
	op := "put access key " + k.ID
	doc, err := document(op, k) // without the secret
	if err != nil {
		return err
	}
	sealed, err := r.sealer.Seal(accessKeyLabel(k.ID), []byte(k.Secret.Reveal()))
	if err != nil {
		return err
	}
	return write(ctx, r.db, op, `insert into access_key (id, secret, doc) values ($1, $2, $3)
		on conflict (id) do update set secret = excluded.secret, doc = excluded.doc`, k.ID, sealed, doc)
}

func (r *accounts) AccessKey(ctx context.Context, id string) (directory.AccessKey, error) {
	const text = `select secret, doc from access_key where id = $1`
	same := func(k directory.AccessKey) directory.AccessKey { return k } // it holds no reference
	return remembered(ctx, r.db, same, question{text, id, ""}, func() (directory.AccessKey, error) {
		return one(ctx, r.db, "access key", r.scanAccessKey, text, id)
	})
}

func (r *accounts) scanAccessKey(rows *sql.Rows) (k directory.AccessKey, err error) {
	var sealed []byte
	var doc string
	if err := rows.Scan(&sealed, &doc); err != nil {
		return k, err
	}
	if err := json.Unmarshal([]byte(doc), &k); err != nil {
		return k, err
	}
	secret, err := r.sealer.Open(accessKeyLabel(k.ID), sealed)
	k.Secret = credential.Secret(secret)
	return k, err
}

func accessKeyLabel(id string) string { return "access key " + id }
