package iam

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// maxAttached is how many managed policies a role, user or group may have (IAM user guide, "IAM and STS
// quotas").
const maxAttached = 10

// holder is a kind of entity that managed policies are attached to.
type holder[T directory.IAM] struct {
	kind    string // as refusals and Attachment say it
	quota   string
	all     directory.Entities[T]
	parts   func(*T) (*directory.IAMEntity, *directory.Grants)
	missing func(name string) error
}

func (s *Service) roleHolder() holder[directory.IAMRole] {
	return holder[directory.IAMRole]{"role", "PoliciesPerRole", s.Roles, func(r *directory.IAMRole) (*directory.IAMEntity, *directory.Grants) { return &r.IAMEntity, &r.Grants }, noRole}
}

func (s *Service) userHolder() holder[directory.IAMUser] {
	return holder[directory.IAMUser]{"user", "PoliciesPerUser", s.Users, func(u *directory.IAMUser) (*directory.IAMEntity, *directory.Grants) { return &u.IAMEntity, &u.Grants }, noUser}
}

func (s *Service) groupHolder() holder[directory.IAMGroup] {
	return holder[directory.IAMGroup]{"group", "PoliciesPerGroup", s.Groups, func(g *directory.IAMGroup) (*directory.IAMEntity, *directory.Grants) { return &g.IAMEntity, &g.Grants }, noGroup}
}

// named finds an entity of the caller's account.
func (h holder[T]) named(ctx context.Context, name string) (v T, err error) {
	v, err = h.all.Named(ctx, op.CallerOf(ctx).Account, name)
	return v, orMissing(err, h.missing(name))
}

// attachOperations attach managed policies, detach and list them.
func (s *Service) attachOperations() []op.Operation {
	roles, users, groups := s.roleHolder(), s.userHolder(), s.groupHolder()
	return []op.Operation{
		op.On(s.attachRolePolicy, attaching(roles, func(in *iam.AttachRolePolicyInput) (name, arn *string) { return in.RoleName, in.PolicyArn })),
		op.On(s.attachUserPolicy, attaching(users, func(in *iam.AttachUserPolicyInput) (name, arn *string) { return in.UserName, in.PolicyArn })),
		op.On(s.attachGroupPolicy, attaching(groups, func(in *iam.AttachGroupPolicyInput) (name, arn *string) { return in.GroupName, in.PolicyArn })),
		op.On(s.detachRolePolicy, attaching(roles, func(in *iam.DetachRolePolicyInput) (name, arn *string) { return in.RoleName, in.PolicyArn })),
		op.On(s.detachUserPolicy, attaching(users, func(in *iam.DetachUserPolicyInput) (name, arn *string) { return in.UserName, in.PolicyArn })),
		op.On(s.detachGroupPolicy, attaching(groups, func(in *iam.DetachGroupPolicyInput) (name, arn *string) { return in.GroupName, in.PolicyArn })),
		op.On(s.listAttachedRolePolicies, on(roles, func(in *iam.ListAttachedRolePoliciesInput) *string { return in.RoleName }, nil)),
		op.On(s.listAttachedUserPolicies, on(users, func(in *iam.ListAttachedUserPoliciesInput) *string { return in.UserName }, nil)),
		op.On(s.listAttachedGroupPolicies, on(groups, func(in *iam.ListAttachedGroupPoliciesInput) *string { return in.GroupName }, nil)),
		op.On(s.listEntitiesForPolicy, onPolicy(s, func(in *iam.ListEntitiesForPolicyInput) *string { return in.PolicyArn })),
	}
}

// attaching is the target of an operation on a role, user or group and a managed policy (Service
// Authorization Reference, iam:PolicyARN).
func attaching[In any, T directory.IAM](h holder[T], parts func(*In) (name, arn *string)) op.Target[In] {
	return on(h, func(in *In) *string { name, _ := parts(in); return name }, func(in *In, g *directory.Grants, k policy.Context) {
		_, arn := parts(in)
		k.Set("iam:PolicyARN", *arn)
		bounded(in, g, k)
	})
}

// attach adds a policy to an entity; one that is there already stays where it is.
func attach[T directory.IAM](ctx context.Context, s *Service, h holder[T], name, arn string) error {
	if err := validPolicyARN(arn); err != nil {
		return err
	}
	gone := refusal(noSuchEntity, "Policy "+arn+" does not exist or is not attachable.")
	return again(func() error {
		v, err := h.changeable(ctx, name)
		if err != nil {
			return err
		}
		_, g := h.parts(&v)
		if _, err := s.anyPolicy(ctx, arn); err != nil {
			return orMissing(err, gone)
		}
		if slices.Contains(g.Managed, arn) {
			return nil
		}
		if len(g.Managed) >= maxAttached {
			return refusal(limitExceeded, fmt.Sprintf("Cannot exceed quota for %s: %d", h.quota, maxAttached))
		}
		g.Managed = append(slices.Clone(g.Managed), arn)
		return orMissing(h.all.Update(ctx, v), gone)
	})
}

// detach takes a policy from an entity.
func detach[T directory.IAM](ctx context.Context, h holder[T], name, arn string) error {
	if err := validPolicyARN(arn); err != nil {
		return err
	}
	return again(func() error {
		v, err := h.changeable(ctx, name)
		if err != nil {
			return err
		}
		_, g := h.parts(&v)
		i := slices.Index(g.Managed, arn)
		if i < 0 {
			return noPolicy(arn)
		}
		g.Managed = slices.Delete(slices.Clone(g.Managed), i, i+1)
		return orMissing(h.all.Update(ctx, v), h.missing(name))
	})
}

func (s *Service) attachRolePolicy(ctx context.Context, in *iam.AttachRolePolicyInput) (*iam.AttachRolePolicyOutput, error) {
	return &iam.AttachRolePolicyOutput{}, attach(ctx, s, s.roleHolder(), *in.RoleName, *in.PolicyArn)
}

func (s *Service) attachUserPolicy(ctx context.Context, in *iam.AttachUserPolicyInput) (*iam.AttachUserPolicyOutput, error) {
	return &iam.AttachUserPolicyOutput{}, attach(ctx, s, s.userHolder(), *in.UserName, *in.PolicyArn)
}

func (s *Service) attachGroupPolicy(ctx context.Context, in *iam.AttachGroupPolicyInput) (*iam.AttachGroupPolicyOutput, error) {
	return &iam.AttachGroupPolicyOutput{}, attach(ctx, s, s.groupHolder(), *in.GroupName, *in.PolicyArn)
}

func (s *Service) detachRolePolicy(ctx context.Context, in *iam.DetachRolePolicyInput) (*iam.DetachRolePolicyOutput, error) {
	return &iam.DetachRolePolicyOutput{}, detach(ctx, s.roleHolder(), *in.RoleName, *in.PolicyArn)
}

func (s *Service) detachUserPolicy(ctx context.Context, in *iam.DetachUserPolicyInput) (*iam.DetachUserPolicyOutput, error) {
	return &iam.DetachUserPolicyOutput{}, detach(ctx, s.userHolder(), *in.UserName, *in.PolicyArn)
}

func (s *Service) detachGroupPolicy(ctx context.Context, in *iam.DetachGroupPolicyInput) (*iam.DetachGroupPolicyOutput, error) {
	return &iam.DetachGroupPolicyOutput{}, detach(ctx, s.groupHolder(), *in.GroupName, *in.PolicyArn)
}

// attachedPolicies names policies by their ARNs.
func attachedPolicies(arns []string) []types.AttachedPolicy {
	out := []types.AttachedPolicy{}
	for _, arn := range arns {
		_, name := splitPolicyARN(arn)
		out = append(out, types.AttachedPolicy{PolicyArn: &arn, PolicyName: &name})
	}
	return out
}
