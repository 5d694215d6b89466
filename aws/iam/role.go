package iam

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// Bounds of roles (IAM user guide, "IAM and STS quotas"; CreateRole, MaxSessionDuration).
const (
	maxRoles       = 1000
	defaultSession = 3600 // seconds
)

// roleOperations make, show, list, change and delete roles.
func (s *Service) roleOperations() []op.Operation {
	h := s.roleHolder()
	return []op.Operation{
		op.On(s.createRole, making("role", func(in *iam.CreateRoleInput) (path, name *string) { return in.Path, in.RoleName }, func(in *iam.CreateRoleInput, k policy.Context) {
			access.RequestTags(k, directoryTags(in.Tags))
			if in.PermissionsBoundary != nil {
				k.Set(keyBoundary, *in.PermissionsBoundary)
			}
		})),
		op.On(s.getRole, on(h, func(in *iam.GetRoleInput) *string { return in.RoleName }, nil)),
		op.On(s.listRoles, listing("role", func(in *iam.ListRolesInput) *string { return in.PathPrefix })),
		op.On(s.updateRole, on(h, func(in *iam.UpdateRoleInput) *string { return in.RoleName }, nil)),
		op.On(s.updateRoleDescription, on(h, func(in *iam.UpdateRoleDescriptionInput) *string { return in.RoleName }, nil)),
		op.On(s.deleteRole, on(h, func(in *iam.DeleteRoleInput) *string { return in.RoleName }, nil)),
	}
}

// roleOut is what every answer shows of a role. Description, duration, tags, boundary and last use are
// added by those that have them.
func roleOut(r directory.IAMRole, trust string) types.Role {
	return types.Role{
		Path: &r.Path, RoleName: &r.Name, RoleId: &r.ID, Arn: &r.ARN, CreateDate: seconds(r.CreatedAt),
		AssumeRolePolicyDocument: new(encodeDocument(trust)),
	}
}

func (s *Service) createRole(ctx context.Context, in *iam.CreateRoleInput) (*iam.CreateRoleOutput, error) {
	c := op.CallerOf(ctx)
	path := pathOr(in.Path)
	if strings.HasPrefix(path, serviceLinked) {
		return nil, refusal(invalidInput, "The path "+serviceLinked+" is reserved for service-linked roles.")
	}
	arn := arnOf(c.Account, "role", path, *in.RoleName)
	tags, err := s.firstTags(ctx, "iam:TagRole", arn, in.Tags)
	if err != nil {
		return nil, err
	}
	ids, err := s.trust(ctx, *in.AssumeRolePolicyDocument)
	if err != nil {
		return nil, err
	}
	if err := s.boundary(ctx, in.PermissionsBoundary); err != nil {
		return nil, err
	}
	id, err := credential.NewUniqueID("AROA", c.Account, s.Rand)
	if err != nil {
		return nil, err
	}
	r := directory.IAMRole{
		IAMEntity:   directory.IAMEntity{ID: id, AccountID: c.Account, ARN: arn, Path: path, Name: *in.RoleName, Tags: tags, CreatedAt: s.Now().UTC()},
		Grants:      directory.Grants{Boundary: text(in.PermissionsBoundary)},
		Description: text(in.Description), Trust: *in.AssumeRolePolicyDocument, TrustIDs: ids, MaxSession: defaultSession,
	}
	if in.MaxSessionDuration != nil {
		r.MaxSession = *in.MaxSessionDuration
	}
	if err := made(s.Roles.Create(ctx, r, maxRoles), "Role", r.Name, "RolesPerAccount", maxRoles, in.PermissionsBoundary); err != nil {
		return nil, err
	}
	out := roleOut(r, r.Trust) // as it was sent
	out.Tags, out.PermissionsBoundary = someTags(tags), boundaryOut(r.Grants)
	return &iam.CreateRoleOutput{Role: &out}, nil
}

// made words why an entity could not be stored.
func made(err error, kind, name, quota string, most int, boundary *string) error {
	switch {
	case errors.Is(err, fault.Conflict):
		return refusal(entityAlreadyExists, kind+" with name "+name+" already exists.")
	case errors.Is(err, fault.LimitExceeded):
		return refusal(limitExceeded, fmt.Sprintf("Cannot exceed quota for %s: %d", quota, most))
	case errors.Is(err, fault.NotFound) && boundary != nil:
		return noBoundary(*boundary)
	}
	return err
}

func (s *Service) getRole(ctx context.Context, in *iam.GetRoleInput) (*iam.GetRoleOutput, error) {
	r, err := s.roleHolder().named(ctx, *in.RoleName)
	if err != nil {
		return nil, err
	}
	trust, err := s.shownTrust(ctx, r)
	if err != nil {
		return nil, err
	}
	used, err := s.Usage.LastUse(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	out := roleOut(r, trust)
	out.Description, out.MaxSessionDuration = optional(r.Description), &r.MaxSession
	out.Tags, out.PermissionsBoundary = someTags(r.Tags), boundaryOut(r.Grants)
	out.RoleLastUsed = &types.RoleLastUsed{}
	if !used.At.IsZero() {
		out.RoleLastUsed = &types.RoleLastUsed{LastUsedDate: seconds(used.At), Region: optional(used.Region)}
	}
	return &iam.GetRoleOutput{Role: &out}, nil
}

func (s *Service) listRoles(ctx context.Context, in *iam.ListRolesInput) (*iam.ListRolesOutput, error) {
	account := op.CallerOf(ctx).Account
	p, err := s.page("roles of "+account, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	found, more, next, err := listed(ctx, p, fetcher(s.Roles, account),
		func(r directory.IAMRole) string { return r.Name },
		func(r directory.IAMRole) bool { return strings.HasPrefix(r.Path, pathOr(in.PathPrefix)) })
	if err != nil {
		return nil, err
	}
	out := &iam.ListRolesOutput{Roles: []types.Role{}, IsTruncated: more, Marker: next}
	for _, r := range found {
		trust, err := s.shownTrust(ctx, r)
		if err != nil {
			return nil, err
		}
		role := roleOut(r, trust)
		role.Description, role.MaxSessionDuration = optional(r.Description), new(r.MaxSession)
		out.Roles = append(out.Roles, role)
	}
	return out, nil
}

// updatedRole is the answer of UpdateRole: a result that has no members but is there.
type updatedRole struct{ Nothing *string }

func (s *Service) updateRole(ctx context.Context, in *iam.UpdateRoleInput) (*updatedRole, error) {
	return &updatedRole{}, s.roleHolder().change(ctx, *in.RoleName, func(r *directory.IAMRole) error {
		if in.Description != nil {
			r.Description = *in.Description
		}
		if in.MaxSessionDuration != nil {
			r.MaxSession = *in.MaxSessionDuration
		}
		return nil
	})
}

func (s *Service) updateRoleDescription(ctx context.Context, in *iam.UpdateRoleDescriptionInput) (*iam.UpdateRoleDescriptionOutput, error) {
	var changed directory.IAMRole
	err := s.roleHolder().change(ctx, *in.RoleName, func(r *directory.IAMRole) error {
		r.Description = *in.Description
		changed = *r
		return nil
	})
	if err != nil {
		return nil, err
	}
	trust, err := s.shownTrust(ctx, changed)
	if err != nil {
		return nil, err
	}
	out := roleOut(changed, trust)
	out.Description = optional(changed.Description)
	return &iam.UpdateRoleDescriptionOutput{Role: &out}, nil
}

func (s *Service) deleteRole(ctx context.Context, in *iam.DeleteRoleInput) (*iam.DeleteRoleOutput, error) {
	return &iam.DeleteRoleOutput{}, s.roleHolder().remove(ctx, *in.RoleName, nil)
}
