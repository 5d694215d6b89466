package store

import (
	"context"

	"github.com/treatyfed/treaty/core/directory"
)

// tenants keeps tenants and the names (id and domains) by which they are found.
type tenants struct{ db database }

func (r *tenants) PutTenant(ctx context.Context, t directory.Tenant) error {
	op := "put tenant " + t.ID
	doc, err := document(op, t)
	if err != nil {
		return err
	}
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		err := write(ctx, q, op, `insert into tenant (id, doc) values ($1, $2) on conflict (id) do update set doc = excluded.doc`, t.ID, doc)
		if err != nil {
			return err
		}
		if err := write(ctx, q, op, `delete from tenant_name where tenant_id = $1`, t.ID); err != nil {
			return err
		}
		for _, name := range keysOf(append([]string{t.ID}, t.Domains...)) {
			if err := write(ctx, q, op, `insert into tenant_name (name, tenant_id) values ($1, $2)`, name, t.ID); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (r *tenants) Tenant(ctx context.Context, idOrDomain string) (directory.Tenant, error) {
	const text = `select t.doc from tenant_name n join tenant t on t.id = n.tenant_id where n.name = $1`
	name := folded(idOrDomain)
	return remembered(ctx, r.db, cloneTenant, question{text, name, ""}, func() (directory.Tenant, error) {
		return one(ctx, r.db, "tenant", scanDoc[directory.Tenant], text, name)
	})
}

func (r *tenants) Tenants(ctx context.Context) ([]directory.Tenant, error) {
	return list(ctx, r.db, "tenants", scanDoc[directory.Tenant], `select doc from tenant order by id`)
}
