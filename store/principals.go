package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"

	"github.com/treatyfed/treaty/core/directory"
)

// principals keeps service principals and the names by which token requests find them.
type principals struct{ db database }

func (r *principals) CreatePrincipal(ctx context.Context, p directory.ServicePrincipal) error {
	op := "create principal " + p.ID
	return failed(op, nil, r.db.tx(ctx, func(q querier) error { return createPrincipal(ctx, q, op, p) }))
}

// createPrincipal writes the row of a principal and those of its names.
func createPrincipal(ctx context.Context, q querier, op string, p directory.ServicePrincipal) error {
	doc, err := document(op, p)
	if err != nil {
		return err
	}
	err = write(ctx, q, op, `insert into service_principal (id, tenant_id, app_id, version, doc) values ($1, $2, $3, 1, $4)`, p.ID, p.TenantID, p.AppID, doc)
	if err != nil {
		return err
	}
	return namePrincipal(ctx, q, op, p)
}

// namePrincipal writes the rows of a principal's names.
func namePrincipal(ctx context.Context, q querier, op string, p directory.ServicePrincipal) error {
	for _, n := range keysOf(p.Names) {
		err := write(ctx, q, op, `insert into service_principal_name (tenant_id, name, principal_id) values ($1, $2, $3)`, p.TenantID, n, p.ID)
		if err != nil {
			return err
		}
	}
	return nil
}

// keysOf folds names into keys, each once and in order, so that two writers never wait in a circle.
func keysOf(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = folded(n)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (r *principals) Principal(ctx context.Context, tenant, id string) (directory.ServicePrincipal, error) {
	const text = `select version, doc from service_principal where id = $2 and tenant_id = $1`
	return remembered(ctx, r.db, clonePrincipal, question{text, tenant, id}, func() (directory.ServicePrincipal, error) {
		return one(ctx, r.db, "principal", scanPrincipal, text, tenant, id)
	})
}

func (r *principals) PrincipalByAppID(ctx context.Context, tenant, appID string) (directory.ServicePrincipal, error) {
	const text = `select version, doc from service_principal where tenant_id = $1 and app_id = $2`
	return remembered(ctx, r.db, clonePrincipal, question{text, tenant, appID}, func() (directory.ServicePrincipal, error) {
		return one(ctx, r.db, "principal by appId", scanPrincipal, text, tenant, appID)
	})
}

func (r *principals) PrincipalByName(ctx context.Context, tenant, name string) (directory.ServicePrincipal, error) {
	const text = `select p.version, p.doc from service_principal_name n join service_principal p on p.id = n.principal_id where n.tenant_id = $1 and n.name = $2`
	name = folded(name)
	return remembered(ctx, r.db, clonePrincipal, question{text, tenant, name}, func() (directory.ServicePrincipal, error) {
		return one(ctx, r.db, "principal by name", scanPrincipal, text, tenant, name)
	})
}

func (r *principals) UpdatePrincipal(ctx context.Context, p directory.ServicePrincipal) error {
	op := "update principal " + p.ID
	doc, err := document(op, p)
	if err != nil {
		return err
	}
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		err := swap(ctx, q, op, `select 1 from service_principal where id = $1 and tenant_id = $2`, []any{p.ID, p.TenantID},
			`update service_principal set version = version + 1, app_id = $4, doc = $5 where id = $1 and tenant_id = $2 and version = $3`,
			p.ID, p.TenantID, p.Version, p.AppID, doc)
		if err != nil {
			return err
		}
		if err := write(ctx, q, op, `delete from service_principal_name where principal_id = $1`, p.ID); err != nil {
			return err
		}
		return namePrincipal(ctx, q, op, p)
	}))
}

func (r *principals) DeletePrincipal(ctx context.Context, tenant, id string) error {
	op := "delete principal " + id
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		if err := must(ctx, q, op, `delete from service_principal where id = $2 and tenant_id = $1`, tenant, id); err != nil {
			return err
		}
		return forgetPrincipal(ctx, q, op, id)
	}))
}

// forgetPrincipal removes what a principal holds, and the principal if it is still there; the assignments
// on it go with it by their foreign key. The principal comes first: who gives it a federated credential
// holds its row until that is written.
func forgetPrincipal(ctx context.Context, q querier, op, id string) error {
	if err := write(ctx, q, op, `delete from service_principal where id = $1`, id); err != nil {
		return err
	}
	if err := write(ctx, q, op, `delete from app_role_assignment where principal_id = $1`, id); err != nil {
		return err
	}
	return forgetTrusts(ctx, q, op, id)
}

func (r *principals) Principals(ctx context.Context, tenant, after string, limit int) ([]directory.ServicePrincipal, error) {
	return list(ctx, r.db, "principals", scanPrincipal,
		`select version, doc from service_principal where tenant_id = $1 and id > $2 order by id limit $3`, tenant, after, page(limit))
}

func scanPrincipal(r *sql.Rows) (p directory.ServicePrincipal, err error) {
	var doc string
	var version int64
	if err = r.Scan(&version, &doc); err == nil {
		err = json.Unmarshal([]byte(doc), &p)
	}
	p.Version = version
	return p, err
}
