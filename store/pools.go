package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/treatyfed/treaty/core/directory"
)

// pools keeps identity pools.
type pools struct{ db database }

func (r *pools) CreatePool(ctx context.Context, p directory.IdentityPool) error {
	op := "create pool " + p.ID
	doc, err := document(op, p)
	if err != nil {
		return err
	}
	return write(ctx, r.db, op, `insert into identity_pool (id, account_id, region, version, doc) values ($1, $2, $3, 1, $4)`, p.ID, p.AccountID, p.Region, doc)
}

func (r *pools) Pool(ctx context.Context, id string) (directory.IdentityPool, error) {
	const text = `select version, doc from identity_pool where id = $1`
	return remembered(ctx, r.db, clonePool, question{text, id, ""}, func() (directory.IdentityPool, error) {
		return one(ctx, r.db, "pool", scanPool, text, id)
	})
}

func (r *pools) UpdatePool(ctx context.Context, p directory.IdentityPool) error {
	op := "update pool " + p.ID
	doc, err := document(op, p)
	if err != nil {
		return err
	}
	return swap(ctx, r.db, op, `select 1 from identity_pool where id = $1`, []any{p.ID},
		`update identity_pool set version = version + 1, account_id = $3, region = $4, doc = $5 where id = $1 and version = $2`,
		p.ID, p.Version, p.AccountID, p.Region, doc)
}

func (r *pools) DeletePool(ctx context.Context, id string) error {
	return must(ctx, r.db, "delete pool "+id, `delete from identity_pool where id = $1`, id)
}

func (r *pools) Pools(ctx context.Context, account, region, after string, limit int) ([]directory.IdentityPool, error) {
	return list(ctx, r.db, "pools", scanPool,
		`select version, doc from identity_pool where account_id = $1 and region = $2 and id > $3 order by id limit $4`, account, region, after, page(limit))
}

func scanPool(r *sql.Rows) (p directory.IdentityPool, err error) {
	var doc string
	var version int64
	if err = r.Scan(&version, &doc); err == nil {
		err = json.Unmarshal([]byte(doc), &p)
	}
	p.Version = version
	return p, err
}
