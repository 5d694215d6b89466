package iam

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
)

// detail is one entry of GetAccountAuthorizationDetails: kind and name are its place in the list, show puts
// it into the answer.
type detail struct {
	kind string // "1" users, "2" groups, "3" roles, "4" the account's policies, "5" AWS's
	name string
	show func(context.Context, *iam.GetAccountAuthorizationDetailsOutput) error
}

// getAccountAuthorizationDetails shows users, groups, roles and policies with what they grant. Of AWS's
// policies it shows those that the account uses.
func (s *Service) getAccountAuthorizationDetails(ctx context.Context, in *iam.GetAccountAuthorizationDetailsInput) (*iam.GetAccountAuthorizationDetailsOutput, error) {
	account := op.CallerOf(ctx).Account
	all, err := s.details(ctx, account, func(t types.EntityType) bool { return len(in.Filter) == 0 || slices.Contains(in.Filter, t) })
	if err != nil {
		return nil, err
	}
	page, more, next, err := cut(s, "details of "+account, in.Marker, in.MaxItems, all, func(d detail) string { return d.kind + lower(d.name) })
	if err != nil {
		return nil, err
	}
	out := &iam.GetAccountAuthorizationDetailsOutput{
		UserDetailList: []types.UserDetail{}, GroupDetailList: []types.GroupDetail{}, RoleDetailList: []types.RoleDetail{},
		Policies: []types.ManagedPolicyDetail{}, IsTruncated: more, Marker: next,
	}
	for _, d := range page {
		if err := d.show(ctx, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Service) details(ctx context.Context, account string, wanted func(types.EntityType) bool) ([]detail, error) {
	var all []detail
	for _, f := range []struct {
		kind types.EntityType
		list func(context.Context, string) ([]detail, error)
	}{
		{types.EntityTypeUser, s.userDetails},
		{types.EntityTypeGroup, s.groupDetails},
		{types.EntityTypeRole, s.roleDetails},
		{types.EntityTypeLocalManagedPolicy, s.localDetails},
		{types.EntityTypeAWSManagedPolicy, s.managedDetails},
	} {
		if !wanted(f.kind) {
			continue
		}
		some, err := f.list(ctx, account)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func (s *Service) userDetails(ctx context.Context, account string) (out []detail, err error) {
	all, err := everything(ctx, s.Users, account, func(u directory.IAMUser) string { return u.Name })
	for _, u := range all {
		out = append(out, detail{"1", u.Name, func(ctx context.Context, out *iam.GetAccountAuthorizationDetailsOutput) error {
			d := types.UserDetail{
				Path: &u.Path, UserName: &u.Name, UserId: &u.ID, Arn: &u.ARN, CreateDate: seconds(u.CreatedAt), Tags: wireTags(u.Tags),
				UserPolicyList: inlineDetails(u.Grants), AttachedManagedPolicies: attachedPolicies(u.Managed), PermissionsBoundary: boundaryOut(u.Grants), GroupList: []string{},
			}
			groups, err := s.Memberships.GroupsOf(ctx, u.ID)
			for _, g := range groups {
				d.GroupList = append(d.GroupList, g.Name)
			}
			out.UserDetailList = append(out.UserDetailList, d)
			return err
		}})
	}
	return out, err
}

func (s *Service) groupDetails(ctx context.Context, account string) (out []detail, err error) {
	all, err := everything(ctx, s.Groups, account, func(g directory.IAMGroup) string { return g.Name })
	for _, g := range all {
		out = append(out, detail{"2", g.Name, func(_ context.Context, out *iam.GetAccountAuthorizationDetailsOutput) error {
			out.GroupDetailList = append(out.GroupDetailList, types.GroupDetail{
				Path: &g.Path, GroupName: &g.Name, GroupId: &g.ID, Arn: &g.ARN, CreateDate: seconds(g.CreatedAt),
				GroupPolicyList: inlineDetails(g.Grants), AttachedManagedPolicies: attachedPolicies(g.Managed),
			})
			return nil
		}})
	}
	return out, err
}

func (s *Service) roleDetails(ctx context.Context, account string) (out []detail, err error) {
	all, err := everything(ctx, s.Roles, account, func(r directory.IAMRole) string { return r.Name })
	for _, r := range all {
		out = append(out, detail{"3", r.Name, func(ctx context.Context, out *iam.GetAccountAuthorizationDetailsOutput) error {
			d := types.RoleDetail{
				Path: &r.Path, RoleName: &r.Name, RoleId: &r.ID, Arn: &r.ARN, CreateDate: seconds(r.CreatedAt), Tags: wireTags(r.Tags),
				AssumeRolePolicyDocument: new(encodeDocument(r.Trust)), InstanceProfileList: []types.InstanceProfile{}, RoleLastUsed: &types.RoleLastUsed{},
				RolePolicyList: inlineDetails(r.Grants), AttachedManagedPolicies: attachedPolicies(r.Managed), PermissionsBoundary: boundaryOut(r.Grants),
			}
			use, err := s.Usage.LastUse(ctx, r.ID)
			if !use.At.IsZero() {
				d.RoleLastUsed = &types.RoleLastUsed{LastUsedDate: seconds(use.At), Region: optional(use.Region)}
			}
			out.RoleDetailList = append(out.RoleDetailList, d)
			return err
		}})
	}
	return out, err
}

func (s *Service) localDetails(ctx context.Context, account string) (out []detail, err error) {
	all, err := everything(ctx, s.Policies, account, func(p directory.IAMPolicy) string { return p.Name })
	for _, p := range all {
		out = append(out, s.policyDetail("4", account, p))
	}
	return out, err
}

func (s *Service) managedDetails(ctx context.Context, account string) (out []detail, err error) {
	attached, boundaries, err := s.Attachments.AttachmentCounts(ctx, account)
	for _, arn := range managedNames() {
		if attached[arn]+boundaries[arn] > 0 {
			out = append(out, s.policyDetail("5", account, catalogue()[arn].asLocal()))
		}
	}
	return out, err
}

func (s *Service) policyDetail(kind, account string, p directory.IAMPolicy) detail {
	return detail{kind, p.Name, func(ctx context.Context, out *iam.GetAccountAuthorizationDetailsOutput) error {
		u, err := s.policyUsage(ctx, account, p.ARN)
		d := types.ManagedPolicyDetail{
			PolicyName: &p.Name, PolicyId: &p.ID, Arn: &p.ARN, Path: &p.Path, DefaultVersionId: &p.Default, Description: optional(p.Description),
			AttachmentCount: new(int32(u.attached)), PermissionsBoundaryUsageCount: new(int32(u.boundaries)), IsAttachable: true,
			CreateDate: seconds(p.CreatedAt), UpdateDate: seconds(p.UpdatedAt), PolicyVersionList: []types.PolicyVersion{},
		}
		for _, v := range p.Versions {
			shown := versionOut(p, v)
			shown.Document = new(encodeDocument(v.Document))
			d.PolicyVersionList = append(d.PolicyVersionList, shown)
		}
		out.Policies = append(out.Policies, d)
		return err
	}}
}

func inlineDetails(g directory.Grants) []types.PolicyDetail {
	out := []types.PolicyDetail{}
	for _, p := range g.Inline {
		out = append(out, types.PolicyDetail{PolicyName: &p.Name, PolicyDocument: new(encodeDocument(p.Document))})
	}
	return out
}
