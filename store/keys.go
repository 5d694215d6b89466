package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
)

// keys keeps signing keys; the private key is sealed under its ring and id.
type keys struct {
	db     database
	sealer *credential.Sealer
}

// checkSeal refuses a database that was sealed under another master key, before a replica adds to it what
// the others cannot open. The first to open a database leaves the value that this is checked with.
func checkSeal(ctx context.Context, db database, sealer *credential.Sealer) error {
	const op, label = "check master key", "seal check"
	sealed, err := sealer.Seal(label, nil)
	if err != nil {
		return err
	}
	read := func() ([]byte, error) {
		return one(ctx, db, op, func(r *sql.Rows) (b []byte, err error) { return b, r.Scan(&b) }, `select sealed from seal_check where id = 'master'`)
	}
	kept, err := read()
	if errors.Is(err, fault.NotFound) {
		if err := write(ctx, db, op, `insert into seal_check (id, sealed) values ('master', $1) on conflict do nothing`, sealed); err != nil {
			return err
		}
		kept, err = read()
	}
	if err != nil {
		return err
	}
	if _, err := sealer.Open(label, kept); err != nil {
		return fault.New(fault.Invalid, op, "the database was sealed under another master key")
	}
	return nil
}

func (r *keys) Keys(ctx context.Context, ring string) ([]token.StoredKey, error) {
	out, err := list(ctx, r.db, "keys", scanKey,
		`select id, ring, sequence, private, certificate, not_before, retire_after from signing_key where ring = $1 order by sequence`, ring)
	for i, k := range out {
		if out[i].Private, err = r.sealer.Open(keyLabel(k.Ring, k.ID), k.Private); err != nil {
			return nil, err
		}
	}
	return out, err
}

func (r *keys) AddKey(ctx context.Context, k token.StoredKey) error {
	sealed, err := r.sealer.Seal(keyLabel(k.Ring, k.ID), k.Private)
	if err != nil {
		return err
	}
	certificate := k.Certificate
	if certificate == nil {
		certificate = []byte{}
	}
	return write(ctx, r.db, "add key "+k.ID+" to "+k.Ring,
		`insert into signing_key (ring, id, sequence, private, certificate, not_before, retire_after) values ($1, $2, $3, $4, $5, $6, $7)`,
		k.Ring, k.ID, k.Sequence, sealed, certificate, micros(k.NotBefore), micros(k.RetireAfter))
}

func (r *keys) RemoveKey(ctx context.Context, ring, id string) error {
	return must(ctx, r.db, "remove key "+id+" from "+ring, `delete from signing_key where ring = $1 and id = $2`, ring, id)
}

// keyLabel binds a sealed key to its row.
func keyLabel(ring, id string) string { return "signing key " + ring + " kid " + id }

func scanKey(r *sql.Rows) (k token.StoredKey, err error) {
	var before, after int64
	err = r.Scan(&k.ID, &k.Ring, &k.Sequence, &k.Private, &k.Certificate, &before, &after)
	if len(k.Certificate) == 0 {
		k.Certificate = nil
	}
	k.NotBefore, k.RetireAfter = instant(before), instant(after)
	return k, err
}
