package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/treatyfed/treaty/core/directory"
)

// applications keeps app registrations.
type applications struct{ db database }

func (r *applications) CreateApplication(ctx context.Context, a directory.Application) error {
	op := "create application " + a.ID
	doc, err := document(op, a)
	if err != nil {
		return err
	}
	return write(ctx, r.db, op, `insert into application (id, tenant_id, app_id, unique_name, version, doc) values ($1, $2, $3, $4, 1, $5)`,
		a.ID, a.TenantID, a.AppID, a.UniqueName, doc)
}

func (r *applications) Application(ctx context.Context, tenant, id string) (directory.Application, error) {
	const text = `select version, doc from application where id = $2 and tenant_id = $1`
	return remembered(ctx, r.db, cloneApplication, question{text, tenant, id}, func() (directory.Application, error) {
		return one(ctx, r.db, "application", scanApplication, text, tenant, id)
	})
}

func (r *applications) ApplicationByAppID(ctx context.Context, appID string) (directory.Application, error) {
	const text = `select version, doc from application where app_id = $1`
	return remembered(ctx, r.db, cloneApplication, question{text, appID, ""}, func() (directory.Application, error) {
		return one(ctx, r.db, "application by appId", scanApplication, text, appID)
	})
}

func (r *applications) ApplicationByUniqueName(ctx context.Context, tenant, name string) (directory.Application, error) {
	return one(ctx, r.db, "application by unique name", scanApplication,
		`select version, doc from application where tenant_id = $1 and unique_name = $2 and unique_name <> ''`, tenant, name)
}

func (r *applications) UpdateApplication(ctx context.Context, a directory.Application) error {
	op := "update application " + a.ID
	doc, err := document(op, a)
	if err != nil {
		return err
	}
	return swap(ctx, r.db, op, `select 1 from application where id = $1 and tenant_id = $2`, []any{a.ID, a.TenantID},
		`update application set version = version + 1, app_id = $4, unique_name = $5, doc = $6 where id = $1 and tenant_id = $2 and version = $3`,
		a.ID, a.TenantID, a.Version, a.AppID, a.UniqueName, doc)
}

func (r *applications) DeleteApplication(ctx context.Context, tenant, id string) error {
	return must(ctx, r.db, "delete application "+id, `delete from application where id = $2 and tenant_id = $1`, tenant, id)
}

func (r *applications) Applications(ctx context.Context, tenant, after string, limit int) ([]directory.Application, error) {
	return list(ctx, r.db, "applications", scanApplication,
		`select version, doc from application where tenant_id = $1 and id > $2 order by id limit $3`, tenant, after, page(limit))
}

func scanApplication(r *sql.Rows) (a directory.Application, err error) {
	var doc string
	var version int64
	if err = r.Scan(&version, &doc); err == nil {
		err = json.Unmarshal([]byte(doc), &a)
	}
	a.Version = version
	return a, err
}
