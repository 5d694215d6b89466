package store

import (
	"context"
	"slices"

	"github.com/treatyfed/treaty/core/directory"
)

// appRoleAssignments keeps the grants of applications' roles.
type appRoleAssignments struct{ db database }

func (r *appRoleAssignments) AssignAppRole(ctx context.Context, a directory.AppRoleAssignment) error {
	op := "assign app role " + a.ID
	doc, err := document(op, a)
	if err != nil {
		return err
	}
	return write(ctx, r.db, op, `insert into app_role_assignment (tenant_id, id, principal_id, resource_id, role_id, doc) values ($1, $2, $3, $4, $5, $6)`,
		a.TenantID, a.ID, a.PrincipalID, a.ResourceID, a.RoleID, doc)
}

func (r *appRoleAssignments) AppRoleAssignment(ctx context.Context, tenant, id string) (directory.AppRoleAssignment, error) {
	return one(ctx, r.db, "app role assignment", scanDoc[directory.AppRoleAssignment],
		`select doc from app_role_assignment where tenant_id = $1 and id = $2`, tenant, id)
}

func (r *appRoleAssignments) RemoveAppRoleAssignment(ctx context.Context, tenant, id string) error {
	return must(ctx, r.db, "remove app role assignment "+id, `delete from app_role_assignment where tenant_id = $1 and id = $2`, tenant, id)
}

func (r *appRoleAssignments) AppRolesOf(ctx context.Context, principal string) ([]directory.AppRoleAssignment, error) {
	const text = `select doc from app_role_assignment where principal_id = $1 order by id`
	return remembered(ctx, r.db, slices.Clone[[]directory.AppRoleAssignment], question{text, principal, ""}, func() ([]directory.AppRoleAssignment, error) {
		return list(ctx, r.db, "app roles of", scanDoc[directory.AppRoleAssignment], text, principal)
	})
}

func (r *appRoleAssignments) AppRolesOn(ctx context.Context, resource string) ([]directory.AppRoleAssignment, error) {
	return list(ctx, r.db, "app roles on", scanDoc[directory.AppRoleAssignment],
		`select doc from app_role_assignment where resource_id = $1 order by id`, resource)
}
