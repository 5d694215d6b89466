package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// inlineSizes is how long all inline policies of an entity may be together, without white space (IAM user
// guide, "IAM and STS quotas").
var inlineSizes = map[string]int{"user": 2048, "group": 5120, "role": 10240}

// inlineOperations put, get, list and delete the policies that belong to one role, user or group.
func (s *Service) inlineOperations() []op.Operation {
	roles, users, groups := s.roleHolder(), s.userHolder(), s.groupHolder()
	return []op.Operation{
		op.On(s.putRolePolicy, on(roles, func(in *iam.PutRolePolicyInput) *string { return in.RoleName }, bounded)),
		op.On(s.getRolePolicy, on(roles, func(in *iam.GetRolePolicyInput) *string { return in.RoleName }, nil)),
		op.On(s.listRolePolicies, on(roles, func(in *iam.ListRolePoliciesInput) *string { return in.RoleName }, nil)),
		op.On(s.deleteRolePolicy, on(roles, func(in *iam.DeleteRolePolicyInput) *string { return in.RoleName }, bounded)),
		op.On(s.putUserPolicy, on(users, func(in *iam.PutUserPolicyInput) *string { return in.UserName }, bounded)),
		op.On(s.getUserPolicy, on(users, func(in *iam.GetUserPolicyInput) *string { return in.UserName }, nil)),
		op.On(s.listUserPolicies, on(users, func(in *iam.ListUserPoliciesInput) *string { return in.UserName }, nil)),
		op.On(s.deleteUserPolicy, on(users, func(in *iam.DeleteUserPolicyInput) *string { return in.UserName }, bounded)),
		op.On(s.putGroupPolicy, on(groups, func(in *iam.PutGroupPolicyInput) *string { return in.GroupName }, nil)),
		op.On(s.getGroupPolicy, on(groups, func(in *iam.GetGroupPolicyInput) *string { return in.GroupName }, nil)),
		op.On(s.listGroupPolicies, on(groups, func(in *iam.ListGroupPoliciesInput) *string { return in.GroupName }, nil)),
		op.On(s.deleteGroupPolicy, on(groups, func(in *iam.DeleteGroupPolicyInput) *string { return in.GroupName }, nil)),
	}
}

// inlineNamed finds an inline policy; names compare in any case of letters.
func inlineNamed(g *directory.Grants, name string) int {
	return slices.IndexFunc(g.Inline, func(p directory.InlinePolicy) bool { return strings.EqualFold(p.Name, name) })
}

// putInline adds a policy or replaces the one of that name, whose name then is as written now.
func (h holder[T]) putInline(ctx context.Context, of, name, document string) error {
	if _, err := policy.Parse(document, policy.Identity); err != nil {
		return malformed(err)
	}
	return h.change(ctx, of, func(v *T) error {
		e, g := h.parts(v)
		fresh := directory.InlinePolicy{Name: name, Document: document}
		g.Inline = slices.Clone(g.Inline)
		if i := inlineNamed(g, name); i >= 0 {
			g.Inline[i] = fresh
		} else {
			g.Inline = append(g.Inline, fresh)
		}
		slices.SortFunc(g.Inline, func(a, b directory.InlinePolicy) int {
			return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
		})
		total := 0
		for _, p := range g.Inline {
			total += size(p.Document)
		}
		if most := inlineSizes[h.kind]; total > most {
			return refusal(limitExceeded, fmt.Sprintf("Maximum policy size of %d bytes exceeded for %s %s", most, h.kind, e.Name))
		}
		return nil
	})
}

func (h holder[T]) noInline(name string) error {
	return refusal(noSuchEntity, "The "+h.kind+" policy with name "+name+" cannot be found.")
}

// getInline gives the name of the entity and the policy, its document encoded.
func (h holder[T]) getInline(ctx context.Context, of, name string) (entity string, p directory.InlinePolicy, err error) {
	v, err := h.named(ctx, of)
	if err != nil {
		return "", p, err
	}
	e, g := h.parts(&v)
	i := inlineNamed(g, name)
	if i < 0 {
		return "", p, h.noInline(name)
	}
	p = g.Inline[i]
	p.Document = encodeDocument(p.Document)
	return e.Name, p, nil
}

func (h holder[T]) deleteInline(ctx context.Context, of, name string) error {
	return h.change(ctx, of, func(v *T) error {
		_, g := h.parts(v)
		i := inlineNamed(g, name)
		if i < 0 {
			return h.noInline(name)
		}
		g.Inline = slices.Delete(slices.Clone(g.Inline), i, i+1)
		return nil
	})
}

// listInline gives a page of the names of an entity's inline policies.
func listInline[T directory.IAM](ctx context.Context, s *Service, h holder[T], of string, marker *string, most *int32) (names []string, more bool, next *string, err error) {
	v, err := h.named(ctx, of)
	if err != nil {
		return nil, false, nil, err
	}
	e, g := h.parts(&v)
	names = make([]string, len(g.Inline))
	for i, p := range g.Inline {
		names[i] = p.Name
	}
	names, more, next, err = cut(s, "inline policies of "+e.ID, marker, most, names, strings.ToLower)
	return orEmpty(names), more, next, err
}
