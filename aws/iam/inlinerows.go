package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// The inline policy operations of the three kinds differ in the names of their members only.

func (s *Service) putRolePolicy(ctx context.Context, in *iam.PutRolePolicyInput) (*iam.PutRolePolicyOutput, error) {
	return &iam.PutRolePolicyOutput{}, s.roleHolder().putInline(ctx, *in.RoleName, *in.PolicyName, *in.PolicyDocument)
}

func (s *Service) putUserPolicy(ctx context.Context, in *iam.PutUserPolicyInput) (*iam.PutUserPolicyOutput, error) {
	return &iam.PutUserPolicyOutput{}, s.userHolder().putInline(ctx, *in.UserName, *in.PolicyName, *in.PolicyDocument)
}

func (s *Service) putGroupPolicy(ctx context.Context, in *iam.PutGroupPolicyInput) (*iam.PutGroupPolicyOutput, error) {
	return &iam.PutGroupPolicyOutput{}, s.groupHolder().putInline(ctx, *in.GroupName, *in.PolicyName, *in.PolicyDocument)
}

func (s *Service) getRolePolicy(ctx context.Context, in *iam.GetRolePolicyInput) (*iam.GetRolePolicyOutput, error) {
	name, p, err := s.roleHolder().getInline(ctx, *in.RoleName, *in.PolicyName)
	return &iam.GetRolePolicyOutput{RoleName: &name, PolicyName: &p.Name, PolicyDocument: &p.Document}, err
}

func (s *Service) getUserPolicy(ctx context.Context, in *iam.GetUserPolicyInput) (*iam.GetUserPolicyOutput, error) {
	name, p, err := s.userHolder().getInline(ctx, *in.UserName, *in.PolicyName)
	return &iam.GetUserPolicyOutput{UserName: &name, PolicyName: &p.Name, PolicyDocument: &p.Document}, err
}

func (s *Service) getGroupPolicy(ctx context.Context, in *iam.GetGroupPolicyInput) (*iam.GetGroupPolicyOutput, error) {
	name, p, err := s.groupHolder().getInline(ctx, *in.GroupName, *in.PolicyName)
	return &iam.GetGroupPolicyOutput{GroupName: &name, PolicyName: &p.Name, PolicyDocument: &p.Document}, err
}

func (s *Service) listRolePolicies(ctx context.Context, in *iam.ListRolePoliciesInput) (*iam.ListRolePoliciesOutput, error) {
	names, more, next, err := listInline(ctx, s, s.roleHolder(), *in.RoleName, in.Marker, in.MaxItems)
	return &iam.ListRolePoliciesOutput{PolicyNames: names, IsTruncated: more, Marker: next}, err
}

func (s *Service) listUserPolicies(ctx context.Context, in *iam.ListUserPoliciesInput) (*iam.ListUserPoliciesOutput, error) {
	names, more, next, err := listInline(ctx, s, s.userHolder(), *in.UserName, in.Marker, in.MaxItems)
	return &iam.ListUserPoliciesOutput{PolicyNames: names, IsTruncated: more, Marker: next}, err
}

func (s *Service) listGroupPolicies(ctx context.Context, in *iam.ListGroupPoliciesInput) (*iam.ListGroupPoliciesOutput, error) {
	names, more, next, err := listInline(ctx, s, s.groupHolder(), *in.GroupName, in.Marker, in.MaxItems)
	return &iam.ListGroupPoliciesOutput{PolicyNames: names, IsTruncated: more, Marker: next}, err
}

func (s *Service) deleteRolePolicy(ctx context.Context, in *iam.DeleteRolePolicyInput) (*iam.DeleteRolePolicyOutput, error) {
	return &iam.DeleteRolePolicyOutput{}, s.roleHolder().deleteInline(ctx, *in.RoleName, *in.PolicyName)
}

func (s *Service) deleteUserPolicy(ctx context.Context, in *iam.DeleteUserPolicyInput) (*iam.DeleteUserPolicyOutput, error) {
	return &iam.DeleteUserPolicyOutput{}, s.userHolder().deleteInline(ctx, *in.UserName, *in.PolicyName)
}

func (s *Service) deleteGroupPolicy(ctx context.Context, in *iam.DeleteGroupPolicyInput) (*iam.DeleteGroupPolicyOutput, error) {
	return &iam.DeleteGroupPolicyOutput{}, s.groupHolder().deleteInline(ctx, *in.GroupName, *in.PolicyName)
}
