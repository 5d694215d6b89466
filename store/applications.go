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
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		err := write(ctx, q, op, `insert into application (id, tenant_id, app_id, unique_name, version, doc) values ($1, $2, $3, $4, 1, $5)`,
			a.ID, a.TenantID, a.AppID, a.UniqueName, doc)
		if err != nil {
			return err
		}
		return r.identify(ctx, q, op, a)
	}))
}

// identify writes the rows of an application's identifier URIs, by which no two in a tenant are called.
func (r *applications) identify(ctx context.Context, q querier, op string, a directory.Application) error {
	for _, u := range keysOf(a.IdentifierURIs) {
		err := write(ctx, q, op, `insert into application_uri (tenant_id, uri, application_id) values ($1, $2, $3)`, a.TenantID, u, a.ID)
		if err != nil {
			return err
		}
	}
	return nil
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
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		err := swap(ctx, q, op, `select 1 from application where id = $1 and tenant_id = $2`, []any{a.ID, a.TenantID},
			`update application set version = version + 1, app_id = $4, unique_name = $5, doc = $6 where id = $1 and tenant_id = $2 and version = $3`,
			a.ID, a.TenantID, a.Version, a.AppID, a.UniqueName, doc)
		if err != nil {
			return err
		}
		if err := write(ctx, q, op, `delete from application_uri where application_id = $1`, a.ID); err != nil {
			return err
		}
		return r.identify(ctx, q, op, a)
	}))
}

func (r *applications) DeleteApplication(ctx context.Context, tenant, id string) error {
	op := "delete application " + id
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		if err := must(ctx, q, op, `delete from application where id = $2 and tenant_id = $1`, tenant, id); err != nil {
			return err
		}
		return forgetTrusts(ctx, q, op, id)
	}))
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
