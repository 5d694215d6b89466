package iam

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// identity is a user, group or role whose policies are simulated.
type identity struct {
	directory.IAMEntity
	directory.Grants
	kind string
}

// identityOf finds the user, group or role that an ARN names; another account's does not exist.
func (s *Service) identityOf(ctx context.Context, arn string) (identity, error) {
	account := op.CallerOf(ctx).Account
	f := strings.SplitN(arn, ":", 6)
	if len(f) != 6 || f[2] != "iam" {
		return identity{}, refusal(invalidInput, "Invalid Entity Arn: "+arn+" does not clearly define entity type and name.")
	}
	kind, rest, _ := strings.Cut(f[5], "/")
	name := rest[strings.LastIndexByte(rest, '/')+1:]
	id := identity{kind: kind}
	var err, missing error
	switch kind {
	case "user":
		var u directory.IAMUser
		u, err = s.Users.WithARN(ctx, arn)
		id.IAMEntity, id.Grants, missing = u.IAMEntity, u.Grants, noUser(name)
	case "role":
		var r directory.IAMRole
		r, err = s.Roles.WithARN(ctx, arn)
		id.IAMEntity, id.Grants, missing = r.IAMEntity, r.Grants, noRole(name)
	case "group":
		var g directory.IAMGroup
		g, err = s.Groups.WithARN(ctx, arn)
		id.IAMEntity, id.Grants, missing = g.IAMEntity, g.Grants, noGroup(name)
	default:
		return id, refusal(invalidInput, "Invalid Entity Arn: "+arn+" does not clearly define entity type and name.")
	}
	if err == nil && id.AccountID != account {
		return id, missing
	}
	return id, orMissing(err, missing)
}

// impersonate makes the user or role that an ARN names the caller of the simulation. What it is called fills
// the condition keys that a real call would have, under those of the request.
func (s *Service) impersonate(ctx context.Context, m *simulation, arn string) error {
	f := strings.SplitN(arn, ":", 6)
	if len(f) != 6 || f[2] != "iam" || !strings.HasPrefix(f[5], "user/") && !strings.HasPrefix(f[5], "role/") && !strings.HasPrefix(f[5], "group/") {
		return refusal(invalidInput, "Invalid CallerArn: "+arn+" is not the ARN of a user, group or role.")
	}
	m.principal = policy.Principal{Type: policy.User, Account: f[4], ARN: arn, Issuer: arn}
	m.context.Set("aws:PrincipalType", string(policy.User))
	if strings.HasPrefix(f[5], "role/") {
		m.principal.Type = policy.AssumedRole
		m.context.Set("aws:PrincipalType", string(policy.AssumedRole))
	}
	m.context.Set("aws:PrincipalArn", arn)
	m.context.Set("aws:PrincipalAccount", f[4])
	id, err := s.identityOf(ctx, arn)
	var refused *op.Error
	if errors.As(err, &refused) {
		return nil // a caller need not exist
	}
	if err != nil {
		return err
	}
	m.principal.ID = id.ID
	for _, t := range id.Tags {
		m.context.Set("aws:PrincipalTag/"+t.Key, t.Value)
	}
	if id.kind == "user" {
		m.context.Set("aws:userid", id.ID)
		m.context.Set("aws:username", id.Name)
	}
	return nil
}

// policiesOf adds what a user, group or role has: its inline and managed policies, those of a user's
// groups, and its boundary unless the request brings another.
func (s *Service) policiesOf(ctx context.Context, m *simulation, arn string, boundary bool) error {
	id, err := s.identityOf(ctx, arn)
	if err != nil {
		return err
	}
	if err := s.grants(ctx, m, id); err != nil {
		return err
	}
	if id.kind == "user" {
		groups, err := s.Memberships.GroupsOf(ctx, id.ID)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if err := s.grants(ctx, m, identity{g.IAMEntity, g.Grants, "group"}); err != nil {
				return err
			}
		}
	}
	if !boundary || id.Boundary == "" {
		return nil
	}
	return s.managedInto(ctx, m, policy.Boundary, id.Boundary)
}

// grants adds the policies of one entity under the names that AWS gives them: KIND_ENTITY_POLICY for inline
// ones, the policy's own name for managed ones.
func (s *Service) grants(ctx context.Context, m *simulation, id identity) error {
	for _, p := range id.Inline {
		if err := m.add(policy.IdentityBased, id.kind+"_"+id.Name+"_"+p.Name, p.Document); err != nil {
			return err
		}
	}
	for _, arn := range id.Managed {
		if err := s.managedInto(ctx, m, policy.IdentityBased, arn); err != nil {
			return err
		}
	}
	return nil
}

// managedInto adds a managed policy in the version in force. One that was deleted meanwhile grants nothing.
func (s *Service) managedInto(ctx context.Context, m *simulation, t policy.Type, arn string) error {
	p, err := s.anyPolicy(ctx, arn)
	if errors.Is(orMissing(err, errNoSuch), errNoSuch) {
		m.policies = append(m.policies, simulated{policy.Source{Type: t, Name: place(len(m.policies))}, arn, ""})
		return nil
	}
	if err != nil {
		return err
	}
	i, err := versionOf(p, p.Default)
	if err != nil {
		return err
	}
	return m.parse(t, policy.Accepted, p.Name, p.Versions[i].Document)
}

var errNoSuch = fault.New(fault.NotFound, "managed policy", "")

func (s *Service) getContextKeysForCustomPolicy(_ context.Context, in *iam.GetContextKeysForCustomPolicyInput) (*iam.GetContextKeysForCustomPolicyOutput, error) {
	m := &simulation{}
	for i, text := range in.PolicyInputList {
		if err := m.add(policy.IdentityBased, inputName("PolicyInputList", i), text); err != nil {
			return nil, err
		}
	}
	return &iam.GetContextKeysForCustomPolicyOutput{ContextKeyNames: m.contextKeys()}, nil
}

func (s *Service) getContextKeysForPrincipalPolicy(ctx context.Context, in *iam.GetContextKeysForPrincipalPolicyInput) (*iam.GetContextKeysForPrincipalPolicyOutput, error) {
	m := &simulation{}
	if err := s.policiesOf(ctx, m, *in.PolicySourceArn, false); err != nil {
		return nil, err
	}
	for i, text := range in.PolicyInputList {
		if err := m.add(policy.IdentityBased, inputName("PolicyInputList", i), text); err != nil {
			return nil, err
		}
	}
	return &iam.GetContextKeysForPrincipalPolicyOutput{ContextKeyNames: m.contextKeys()}, nil
}
