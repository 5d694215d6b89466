package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// accessKeys keeps long-term keys; the secret of a key is sealed under the key's id. A user's key refers
// to the user's row; the keys of an account's root refer to none.
type accessKeys struct {
	db     database
	sealer *credential.Sealer
}

func accessKeyLabel(id string) string { return "access key " + id }

// columns are the document, which is without the secret, and the sealed secret of a key.
func (r *accessKeys) columns(op string, k directory.AccessKey) (doc string, sealed []byte, err error) {
	if doc, err = document(op, k); err != nil {
		return "", nil, err
	}
	sealed, err = r.sealer.Seal(accessKeyLabel(k.ID), []byte(k.Secret.Reveal()))
	return doc, sealed, err
}

// PutAccessKey makes or replaces a key. One whose principal is not in the directory refers to nobody.
func (r *accessKeys) PutAccessKey(ctx context.Context, k directory.AccessKey) error {
	op := "put access key " + k.ID
	doc, sealed, err := r.columns(op, k)
	if err != nil {
		return err
	}
	return write(ctx, r.db, op, `insert into access_key (id, secret, doc, principal_id, user_id)
		values ($1, $2, $3, $4, (select id from iam_entity where id = $4 and kind = 'user'))
		on conflict (id) do update set secret = excluded.secret, doc = excluded.doc, principal_id = excluded.principal_id, user_id = excluded.user_id`,
		k.ID, sealed, doc, k.PrincipalID)
}

func (r *accessKeys) AccessKey(ctx context.Context, id string) (directory.AccessKey, error) {
	const text = `select secret, doc from access_key where id = $1`
	return remembered(ctx, r.db, itself[directory.AccessKey], question{text, id, ""}, func() (directory.AccessKey, error) {
		return one(ctx, r.db, "access key", r.scan, text, id)
	})
}

func (r *accessKeys) scan(rows *sql.Rows) (k directory.AccessKey, err error) {
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

func (r *accessKeys) CreateAccessKey(ctx context.Context, k directory.AccessKey, most int) error {
	op := "create access key " + k.ID + " of " + k.PrincipalID
	doc, sealed, err := r.columns(op, k)
	if err != nil {
		return err
	}
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		// The owner is locked, so that its keys are counted and written by one caller at a time.
		lock, args := `update iam_entity set version = version where id = $1 and account_id = $2 and kind = 'user'`, []any{k.PrincipalID, k.AccountID}
		var user any = k.PrincipalID
		if k.PrincipalID == k.AccountID {
			lock, args, user = `update account set version = version where id = $1`, args[:1], nil
		}
		if err := must(ctx, q, op, lock, args...); err != nil {
			return err
		}
		n, err := one(ctx, q, op, scanInt, `select count(*) from access_key where principal_id = $1`, k.PrincipalID)
		if err != nil {
			return err
		}
		if n >= int64(most) {
			return fault.New(fault.LimitExceeded, op, "access keys")
		}
		return write(ctx, q, op, `insert into access_key (id, secret, doc, principal_id, user_id) values ($1, $2, $3, $4, $5)`,
			k.ID, sealed, doc, k.PrincipalID, user)
	}))
}

func (r *accessKeys) SetAccessKeyActive(ctx context.Context, principalID, keyID string, active bool) error {
	op := "set active of access key " + keyID + " of " + principalID
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		// The update locks the row, so that the document written is the one read.
		k, err := one(ctx, q, op, scanDoc[directory.AccessKey],
			`update access_key set user_id = user_id where id = $1 and principal_id = $2 returning doc`, keyID, principalID)
		if err != nil {
			return err
		}
		k.Active = active
		doc, err := document(op, k)
		if err != nil {
			return err
		}
		return must(ctx, q, op, `update access_key set doc = $2 where id = $1`, keyID, doc)
	}))
}

func (r *accessKeys) DeleteAccessKey(ctx context.Context, principalID, keyID string) error {
	op := "delete access key " + keyID + " of " + principalID
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		if err := must(ctx, q, op, `delete from access_key where id = $1 and principal_id = $2`, keyID, principalID); err != nil {
			return err
		}
		return forget(ctx, q, op, keyID)
	}))
}

// AccessKeysOf gives the keys without their secrets, which nobody lists.
func (r *accessKeys) AccessKeysOf(ctx context.Context, principalID string) ([]directory.AccessKey, error) {
	return list(ctx, r.db, "access keys of", scanDoc[directory.AccessKey], `select doc from access_key where principal_id = $1 order by id`, principalID)
}
