package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// boundaryType is what answers call a boundary's type. The service model lists PermissionsBoundaryPolicy
// only; the service says Policy (recorded, September 2026).
const boundaryType = "Policy"

// boundaryOperations set and remove the permissions boundary of roles and users.
func (s *Service) boundaryOperations() []op.Operation {
	roles, users := s.roleHolder(), s.userHolder()
	return []op.Operation{
		op.On(s.putRoleBoundary, on(roles, func(in *iam.PutRolePermissionsBoundaryInput) *string { return in.RoleName },
			func(in *iam.PutRolePermissionsBoundaryInput, _ *directory.Grants, k policy.Context) {
				k.Set(keyBoundary, *in.PermissionsBoundary)
			})),
		op.On(s.putUserBoundary, on(users, func(in *iam.PutUserPermissionsBoundaryInput) *string { return in.UserName },
			func(in *iam.PutUserPermissionsBoundaryInput, _ *directory.Grants, k policy.Context) {
				k.Set(keyBoundary, *in.PermissionsBoundary)
			})),
		op.On(s.deleteRoleBoundary, on(roles, func(in *iam.DeleteRolePermissionsBoundaryInput) *string { return in.RoleName }, bounded)),
		op.On(s.deleteUserBoundary, on(users, func(in *iam.DeleteUserPermissionsBoundaryInput) *string { return in.UserName }, bounded)),
	}
}

func boundaryOut(g directory.Grants) *types.AttachedPermissionsBoundary {
	if g.Boundary == "" {
		return nil
	}
	return &types.AttachedPermissionsBoundary{PermissionsBoundaryType: boundaryType, PermissionsBoundaryArn: &g.Boundary}
}

// boundary checks that a policy is there to be a boundary; nil is none.
func (s *Service) boundary(ctx context.Context, arn *string) error {
	if arn == nil {
		return nil
	}
	if err := validPolicyARN(*arn); err != nil {
		return err
	}
	_, err := s.anyPolicy(ctx, *arn)
	return orMissing(err, noBoundary(*arn))
}

func noBoundary(arn string) error {
	return refusal(noSuchEntity, "Scope ARN: "+arn+" does not exist or is not attachable.")
}

// bind gives an entity a boundary.
func bind[T directory.IAM](ctx context.Context, s *Service, h holder[T], name, arn string) error {
	if err := s.boundary(ctx, &arn); err != nil {
		return err
	}
	return again(func() error {
		v, err := h.changeable(ctx, name)
		if err != nil {
			return err
		}
		_, g := h.parts(&v)
		g.Boundary = arn
		return orMissing(h.all.Update(ctx, v), noBoundary(arn))
	})
}

// unbind takes an entity's boundary away.
func unbind[T directory.IAM](ctx context.Context, h holder[T], name string) error {
	return h.change(ctx, name, func(v *T) error {
		e, g := h.parts(v)
		if g.Boundary == "" {
			return refusal(noSuchEntity, "The "+h.kind+" with name "+e.Name+" has no permissions boundary.")
		}
		g.Boundary = ""
		return nil
	})
}

func (s *Service) putRoleBoundary(ctx context.Context, in *iam.PutRolePermissionsBoundaryInput) (*iam.PutRolePermissionsBoundaryOutput, error) {
	return &iam.PutRolePermissionsBoundaryOutput{}, bind(ctx, s, s.roleHolder(), *in.RoleName, *in.PermissionsBoundary)
}

func (s *Service) putUserBoundary(ctx context.Context, in *iam.PutUserPermissionsBoundaryInput) (*iam.PutUserPermissionsBoundaryOutput, error) {
	return &iam.PutUserPermissionsBoundaryOutput{}, bind(ctx, s, s.userHolder(), *in.UserName, *in.PermissionsBoundary)
}

func (s *Service) deleteRoleBoundary(ctx context.Context, in *iam.DeleteRolePermissionsBoundaryInput) (*iam.DeleteRolePermissionsBoundaryOutput, error) {
	return &iam.DeleteRolePermissionsBoundaryOutput{}, unbind(ctx, s.roleHolder(), *in.RoleName)
}

func (s *Service) deleteUserBoundary(ctx context.Context, in *iam.DeleteUserPermissionsBoundaryInput) (*iam.DeleteUserPermissionsBoundaryOutput, error) {
	return &iam.DeleteUserPermissionsBoundaryOutput{}, unbind(ctx, s.userHolder(), *in.UserName)
}
