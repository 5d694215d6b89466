package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
)

// splitPolicyARN gives the path and name of a managed policy.
func splitPolicyARN(arn string) (path, name string) {
	_, rest, _ := strings.Cut(arn, ":policy/")
	i := strings.LastIndexByte(rest, '/') + 1
	return "/" + rest[:i], rest[i:]
}

// ownerOf orders policies of one name: the account's comes before AWS's.
func ownerOf(arn string) string {
	if strings.HasPrefix(arn, managedPrefix) {
		return "2"
	}
	return "1"
}

// attachedPage is one page of the policies attached to an entity, by name.
func attachedPage[T directory.IAM](ctx context.Context, s *Service, h holder[T], name string, prefix, marker *string, most *int32) (page []types.AttachedPolicy, more bool, next *string, err error) {
	v, err := h.named(ctx, name)
	if err != nil {
		return nil, false, nil, err
	}
	e, g := h.parts(&v)
	var arns []string
	for _, arn := range g.Managed {
		if path, _ := splitPolicyARN(arn); strings.HasPrefix(path, pathOr(prefix)) {
			arns = append(arns, arn)
		}
	}
	key := func(arn string) string {
		_, name := splitPolicyARN(arn)
		return lower(name) + "/" + ownerOf(arn)
	}
	slices.SortFunc(arns, func(a, b string) int { return strings.Compare(key(a), key(b)) })
	arns, more, next, err = cut(s, "attached to "+e.ID, marker, most, arns, key)
	return attachedPolicies(arns), more, next, err
}

func (s *Service) listAttachedRolePolicies(ctx context.Context, in *iam.ListAttachedRolePoliciesInput) (*iam.ListAttachedRolePoliciesOutput, error) {
	page, more, next, err := attachedPage(ctx, s, s.roleHolder(), *in.RoleName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedRolePoliciesOutput{AttachedPolicies: page, IsTruncated: more, Marker: next}, err
}

func (s *Service) listAttachedUserPolicies(ctx context.Context, in *iam.ListAttachedUserPoliciesInput) (*iam.ListAttachedUserPoliciesOutput, error) {
	page, more, next, err := attachedPage(ctx, s, s.userHolder(), *in.UserName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedUserPoliciesOutput{AttachedPolicies: page, IsTruncated: more, Marker: next}, err
}

func (s *Service) listAttachedGroupPolicies(ctx context.Context, in *iam.ListAttachedGroupPoliciesInput) (*iam.ListAttachedGroupPoliciesOutput, error) {
	page, more, next, err := attachedPage(ctx, s, s.groupHolder(), *in.GroupName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedGroupPoliciesOutput{AttachedPolicies: page, IsTruncated: more, Marker: next}, err
}

// filterKinds says which kind of Attachment an EntityFilter lets through; policies have none attached.
var filterKinds = map[types.EntityType]string{
	types.EntityTypeRole: "role", types.EntityTypeUser: "user", types.EntityTypeGroup: "group",
	types.EntityTypeLocalManagedPolicy: "policy", types.EntityTypeAWSManagedPolicy: "policy",
}

func (s *Service) listEntitiesForPolicy(ctx context.Context, in *iam.ListEntitiesForPolicyInput) (*iam.ListEntitiesForPolicyOutput, error) {
	p, err := s.anyPolicy(ctx, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	account := op.CallerOf(ctx).Account
	all, err := s.Attachments.Attachments(ctx, account, p.ARN)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(a directory.Attachment) bool {
		u := usage{attached: 1}
		if a.Boundary {
			u = usage{boundaries: 1}
		}
		return in.EntityFilter != "" && filterKinds[in.EntityFilter] != a.Kind ||
			!strings.HasPrefix(a.Path, pathOr(in.PathPrefix)) || !u.as(in.PolicyUsageFilter)
	})
	// One entity may have the policy attached and as its boundary; it is listed once.
	all = slices.CompactFunc(all, func(a, b directory.Attachment) bool { return a.EntityID == b.EntityID })
	page, more, next, err := cut(s, "entities of "+p.ID+" in "+account, in.Marker, in.MaxItems, all, func(a directory.Attachment) string {
		return a.Kind + "/" + lower(a.Name)
	})
	if err != nil {
		return nil, err
	}
	out := &iam.ListEntitiesForPolicyOutput{
		PolicyGroups: []types.PolicyGroup{}, PolicyRoles: []types.PolicyRole{}, PolicyUsers: []types.PolicyUser{},
		IsTruncated: more, Marker: next,
	}
	for _, a := range page {
		switch a.Kind {
		case "group":
			out.PolicyGroups = append(out.PolicyGroups, types.PolicyGroup{GroupName: &a.Name, GroupId: &a.EntityID})
		case "role":
			out.PolicyRoles = append(out.PolicyRoles, types.PolicyRole{RoleName: &a.Name, RoleId: &a.EntityID})
		case "user":
			out.PolicyUsers = append(out.PolicyUsers, types.PolicyUser{UserName: &a.Name, UserId: &a.EntityID})
		}
	}
	return out, nil
}
