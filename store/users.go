package store

import (
	"context"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// users keeps the people of tenants.
type users struct{ db database }

// PutUser adds or replaces by ID; fault.Conflict when another user has the name, or another tenant the ID.
func (r *users) PutUser(ctx context.Context, u directory.User) error {
	op := "put user " + u.ID
	doc, err := document(op, u)
	if err != nil {
		return err
	}
	n, err := r.db.exec(ctx, `insert into directory_user (id, tenant_id, upn, doc) values ($1, $2, $3, $4)
		on conflict (id) do update set upn = excluded.upn, doc = excluded.doc where directory_user.tenant_id = excluded.tenant_id`,
		u.ID, u.TenantID, folded(u.UserPrincipalName), doc)
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, op, "id")
	}
	return failed(op, nil, err)
}

func (r *users) User(ctx context.Context, tenant, idOrUPN string) (directory.User, error) {
	return one(ctx, r.db, "user", scanDoc[directory.User],
		`select doc from directory_user where tenant_id = $1 and (id = $2 or upn = $3) order by case when id = $2 then 0 else 1 end limit 1`,
		tenant, idOrUPN, folded(idOrUPN))
}

func (r *users) Users(ctx context.Context, tenant, after string, limit int) ([]directory.User, error) {
	return list(ctx, r.db, "users", scanDoc[directory.User],
		`select doc from directory_user where tenant_id = $1 and id > $2 order by id limit $3`, tenant, after, page(limit))
}
