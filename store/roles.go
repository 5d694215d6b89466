package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// roles keeps custom role definitions and role assignments.
type roles struct{ db database }

// PutRoleDefinition adds or replaces by ID; fault.Conflict when another definition of the tenant has the name.
func (r *roles) PutRoleDefinition(ctx context.Context, d directory.RoleDefinition) error {
	op := "put role definition " + d.ID
	doc, err := document(op, d)
	if err != nil {
		return err
	}
	return write(ctx, r.db, op, `insert into role_definition (tenant_id, id, name, doc) values ($1, $2, $3, $4)
		on conflict (tenant_id, id) do update set name = excluded.name, doc = excluded.doc`, d.TenantID, folded(d.ID), folded(d.Name), doc)
}

func (r *roles) RoleDefinitions(ctx context.Context, tenant string) ([]directory.RoleDefinition, error) {
	return list(ctx, r.db, "role definitions", scanDoc[directory.RoleDefinition], `select doc from role_definition where tenant_id = $1 order by id`, tenant)
}

func (r *roles) DeleteRoleDefinition(ctx context.Context, tenant, id string) error {
	return must(ctx, r.db, "delete role definition "+id, `delete from role_definition where tenant_id = $1 and id = $2`, tenant, folded(id))
}

// AssignRole refuses with Reason "id" for a taken ID and "grant" for an equal grant.
func (r *roles) AssignRole(ctx context.Context, a directory.RoleAssignment) error {
	op := "assign role " + a.ID
	doc, err := document(op, a)
	if err != nil {
		return err
	}
	err = write(ctx, r.db, op, `insert into role_assignment (tenant_id, id, principal_id, role_definition_id, scope, doc) values ($1, $2, $3, $4, $5, $6)`,
		a.TenantID, folded(a.ID), a.PrincipalID, folded(a.RoleDefinitionID), pathOf(a.Scope), doc)
	if !errors.Is(err, fault.Conflict) {
		return err
	}
	reason := "grant"
	if _, err := r.RoleAssignment(ctx, a.TenantID, a.ID); err == nil {
		reason = "id"
	}
	return fault.New(fault.Conflict, op, reason)
}

func (r *roles) RoleAssignment(ctx context.Context, tenant, id string) (directory.RoleAssignment, error) {
	return one(ctx, r.db, "role assignment", scanDoc[directory.RoleAssignment], `select doc from role_assignment where tenant_id = $1 and id = $2`, tenant, folded(id))
}

func (r *roles) RemoveRoleAssignment(ctx context.Context, tenant, id string) error {
	return must(ctx, r.db, "remove role assignment "+id, `delete from role_assignment where tenant_id = $1 and id = $2`, tenant, folded(id))
}

func (r *roles) RoleAssignments(ctx context.Context, tenant string) ([]directory.RoleAssignment, error) {
	return list(ctx, r.db, "role assignments", scanDoc[directory.RoleAssignment], `select doc from role_assignment where tenant_id = $1 order by id`, tenant)
}

// together is how many principals one statement asks for.
const together = 64

func (r *roles) RoleAssignmentsOf(ctx context.Context, tenant string, principals ...string) ([]directory.RoleAssignment, error) {
	out := []directory.RoleAssignment{}
	for some := range slices.Chunk(keysInOrder(principals), together) {
		text, args := among(`select doc from role_assignment where tenant_id = $1 and principal_id in (`, tenant, some)
		got, err := list(ctx, r.db, "role assignments of", scanDoc[directory.RoleAssignment], text, args...)
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
	}
	slices.SortFunc(out, func(a, b directory.RoleAssignment) int { return cmp.Compare(folded(a.ID), folded(b.ID)) })
	return out, nil
}

func keysInOrder(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

// among ends a statement "… in (" with a list of values, repeating the last up to a power of two, so that
// few statements are kept prepared.
func among(text, first string, values []string) (string, []any) {
	args := []any{first}
	for _, v := range values {
		args = append(args, v)
	}
	for n := len(values); n&(n-1) != 0; n++ {
		args = append(args, values[len(values)-1])
	}
	marks := make([]string, len(args)-1)
	for i := range marks {
		marks[i] = "$" + strconv.Itoa(i+2)
	}
	return text + strings.Join(marks, ", ") + ")", args
}
