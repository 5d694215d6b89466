package iam

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
)

// usage is how many entities of an account have a policy attached, and how many as a boundary.
type usage struct{ attached, boundaries int }

func (s *Service) policyUsage(ctx context.Context, account, arn string) (usage, error) {
	var u usage
	all, err := s.Attachments.Attachments(ctx, account, arn)
	for _, a := range all {
		if a.Boundary {
			u.boundaries++
		} else {
			u.attached++
		}
	}
	return u, err
}

// localSummary is a policy as lists and CreatePolicy show it: without description and tags.
func localSummary(p directory.IAMPolicy, u usage) types.Policy {
	return types.Policy{
		PolicyName: &p.Name, PolicyId: &p.ID, Arn: &p.ARN, Path: &p.Path, DefaultVersionId: &p.Default,
		AttachmentCount: new(int32(u.attached)), PermissionsBoundaryUsageCount: new(int32(u.boundaries)),
		IsAttachable: true, CreateDate: seconds(p.CreatedAt), UpdateDate: seconds(p.UpdatedAt),
	}
}

func (p managedPolicy) summary(u usage) types.Policy { return localSummary(p.asLocal(), u) }

// listPolicies lists the account's policies, then AWS's, each by name.
func (s *Service) listPolicies(ctx context.Context, in *iam.ListPoliciesInput) (*iam.ListPoliciesOutput, error) {
	c := op.CallerOf(ctx)
	attached, boundaries, err := s.Attachments.AttachmentCounts(ctx, c.Account)
	if err != nil {
		return nil, err
	}
	var found []types.Policy
	keep := func(p directory.IAMPolicy) {
		u := usage{attached[p.ARN], boundaries[p.ARN]}
		if strings.HasPrefix(p.Path, pathOr(in.PathPrefix)) && (!in.OnlyAttached || u.as(in.PolicyUsageFilter)) {
			found = append(found, localSummary(p, u))
		}
	}
	if in.Scope != types.PolicyScopeTypeAws {
		local, err := everything(ctx, s.Policies, c.Account, func(p directory.IAMPolicy) string { return p.Name })
		if err != nil {
			return nil, err
		}
		for _, p := range local {
			keep(p)
		}
	}
	if in.Scope != types.PolicyScopeTypeLocal {
		for _, arn := range managedNames() {
			keep(catalogue()[arn].asLocal())
		}
	}
	page, more, marker, err := cut(s, "policies of "+c.Account, in.Marker, in.MaxItems, found, policyKey)
	return &iam.ListPoliciesOutput{Policies: orEmpty(page), IsTruncated: more, Marker: marker}, err
}

// policyKey orders policies as listPolicies does. Names are unique on either side, and a marker has no room
// for ARNs.
func policyKey(p types.Policy) string {
	return ownerOf(*p.Arn) + lower(*p.PolicyName)
}

// as reports whether a policy is in use at all, or in one way. (The filter has a say in the lists of
// attached policies only.)
func (u usage) as(filter types.PolicyUsageType) bool {
	switch filter {
	case types.PolicyUsageTypePermissionsPolicy:
		return u.attached > 0
	case types.PolicyUsageTypePermissionsBoundary:
		return u.boundaries > 0
	}
	return u.attached+u.boundaries > 0
}

// everything lists all entities of a kind, by name; after gives the name by which the next are asked for.
func everything[T directory.IAM](ctx context.Context, repository directory.Entities[T], account string, after func(T) string) ([]T, error) {
	const batch = 1000
	var all []T
	last := ""
	for {
		some, err := repository.List(ctx, account, last, batch)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < batch {
			return all, nil
		}
		last = after(some[len(some)-1])
	}
}
