package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/treatyfed/treaty/core/directory"
)

// machines keeps machines, each with the service principal of its system-assigned identity.
type machines struct{ db database }

func (r *machines) CreateMachine(ctx context.Context, m directory.Machine, system *directory.ServicePrincipal) error {
	op := "create machine " + m.Name
	doc, err := document(op, m)
	if err != nil {
		return err
	}
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		if err := write(ctx, q, op, `insert into machine (name, id, version, doc) values ($1, $2, 1, $3)`, m.Name, m.ID, doc); err != nil {
			return err
		}
		if system == nil {
			return nil
		}
		return createPrincipal(ctx, q, op, *system)
	}))
}

func (r *machines) UpdateMachine(ctx context.Context, m directory.Machine) error {
	op := "update machine " + m.Name
	doc, err := document(op, m)
	if err != nil {
		return err
	}
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		return swap(ctx, q, op, `select 1 from machine where name = $1`, []any{m.Name},
			`update machine set version = version + 1, id = $3, doc = $4 where name = $1 and version = $2`, m.Name, m.Version, m.ID, doc)
	}))
}

func (r *machines) Machine(ctx context.Context, name string) (directory.Machine, error) {
	const text = `select version, doc from machine where name = $1`
	return remembered(ctx, r.db, cloneMachine, question{text, name, ""}, func() (directory.Machine, error) {
		return one(ctx, r.db, "machine", scanMachine, text, name)
	})
}

func (r *machines) DeleteMachine(ctx context.Context, name string) error {
	op := "delete machine " + name
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		m, err := one(ctx, q, op, scanMachine, `delete from machine where name = $1 returning version, doc`, name)
		if err != nil || m.System == "" {
			return err
		}
		return forgetPrincipal(ctx, q, op, m.System)
	}))
}

func (r *machines) Machines(ctx context.Context) ([]directory.Machine, error) {
	return list(ctx, r.db, "machines", scanMachine, `select version, doc from machine order by name`)
}

func scanMachine(r *sql.Rows) (m directory.Machine, err error) {
	var doc string
	var version int64
	if err = r.Scan(&version, &doc); err == nil {
		err = json.Unmarshal([]byte(doc), &m)
	}
	m.Version = version
	return m, err
}

// managedIdentities keeps the link between a user-assigned identity's resource and its service principal.
type managedIdentities struct{ db database }

func (r *managedIdentities) CreateManagedIdentity(ctx context.Context, v directory.Resource, p directory.ServicePrincipal) error {
	op := "create managed identity " + v.ID
	doc, err := document(op, v)
	if err != nil {
		return err
	}
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		err := write(ctx, q, op, `insert into resource (path, id, name, type, created_at, version, doc) values ($1, $2, $3, $4, $5, 1, $6)`,
			pathOf(v.ID), v.ID, v.Name, folded(v.Type), micros(v.CreatedAt), doc)
		if err != nil {
			return err
		}
		if err := createPrincipal(ctx, q, op, p); err != nil {
			return err
		}
		return write(ctx, q, op, `insert into managed_identity (principal_id, path) values ($1, $2)`, p.ID, pathOf(v.ID))
	}))
}
