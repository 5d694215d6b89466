package iam

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/policy"
)

// maxSimulated bounds one simulation: pairs of action and resource.
const maxSimulated = 10_000

// simulateOperations are the policy simulator.
func (s *Service) simulateOperations() []op.Operation {
	return []op.Operation{
		op.On(s.simulateCustomPolicy, op.Target[iam.SimulateCustomPolicyInput]{}),
		op.On(s.simulatePrincipalPolicy, op.Target[iam.SimulatePrincipalPolicyInput]{
			Resource: func(_ context.Context, _ op.Caller, in *iam.SimulatePrincipalPolicyInput) (string, error) {
				return *in.PolicySourceArn, nil
			},
		}),
		op.On(s.getContextKeysForCustomPolicy, op.Target[iam.GetContextKeysForCustomPolicyInput]{}),
		op.On(s.getContextKeysForPrincipalPolicy, op.Target[iam.GetContextKeysForPrincipalPolicyInput]{
			Resource: func(_ context.Context, _ op.Caller, in *iam.GetContextKeysForPrincipalPolicyInput) (string, error) {
				return *in.PolicySourceArn, nil
			},
		}),
	}
}

// simulation is a simulation as both operations ask for it.
type simulation struct {
	policies  []simulated
	principal policy.Principal
	context   policy.Context
	actions   []string
	resources []string // never empty; "*" for none
	owner     string   // account of resources whose ARN names none
}

// simulated is a policy that takes part. Its Source's Name is its place in the list.
type simulated struct {
	policy.Source
	id, text string
}

// asked are the parameters that both operations have.
type asked struct {
	actions, resources, policies, boundaries []string
	resourcePolicy, owner, caller, handling  *string
	entries                                  []types.ContextEntry
}

// add parses a policy of the request.
func (m *simulation) add(t policy.Type, id, text string) error {
	if t == policy.ResourceBased {
		return m.parse(t, policy.Resource, id, text)
	}
	return m.parse(t, policy.Identity, id, text)
}

// parse parses a policy that takes part.
func (m *simulation) parse(t policy.Type, kind policy.Kind, id, text string) error {
	doc, err := policy.Parse(text, kind)
	var bad *policy.Malformed
	if errors.As(err, &bad) {
		return refusal(invalidInput, "Invalid input "+id+": "+bad.Message)
	}
	if err != nil {
		return err
	}
	m.policies = append(m.policies, simulated{policy.Source{Type: t, Name: place(len(m.policies)), Document: doc}, id, text})
	return nil
}

// place names a policy by its place in the list, since ids need not be unique.
func place(i int) string { return ordinal(i) }

// prepare checks the parameters and adds the policies among them.
func (m *simulation) prepare(account string, a asked) error {
	m.actions, m.resources = a.actions, a.resources
	if len(m.resources) == 0 {
		m.resources = []string{"*"}
	}
	if len(m.actions)*len(m.resources) > maxSimulated {
		return refusal(invalidInput, "Too many actions and resources.")
	}
	for _, action := range a.actions {
		service, name, ok := strings.Cut(action, ":")
		if !ok || service == "" || name == "" || strings.ContainsAny(action, "*? \t\r\n") {
			return refusal(invalidInput, "Invalid action name: "+action)
		}
	}
	for i, text := range a.policies {
		if err := m.add(policy.IdentityBased, inputName("PolicyInputList", i), text); err != nil {
			return err
		}
	}
	if len(a.boundaries) > 1 {
		return refusal(invalidInput, "You can input only one permissions boundary.")
	}
	for i, text := range a.boundaries {
		if err := m.add(policy.Boundary, inputName("PermissionsBoundaryPolicyInputList", i), text); err != nil {
			return err
		}
	}
	if a.resourcePolicy != nil {
		if m.principal.ARN == "" {
			return refusal(invalidInput, "A CallerArn must be specified with a ResourcePolicy.")
		}
		if err := m.add(policy.ResourceBased, "ResourcePolicy", *a.resourcePolicy); err != nil {
			return err
		}
	}
	m.owner = account
	if m.principal.Account != "" {
		m.owner = m.principal.Account
	}
	if a.owner != nil {
		owner, err := rootAccount(*a.owner)
		if err != nil {
			return err
		}
		m.owner = owner
	}
	if err := handled(text(a.handling), m.resources); err != nil {
		return err
	}
	return entriesInto(m.context, a.entries)
}

func inputName(list string, i int) string { return list + "." + strings.TrimLeft(ordinal(i+1), "0") }

// rootAccount reads the account out of a ResourceOwner, which is the ARN of an account.
func rootAccount(arn string) (string, error) {
	rest, begins := strings.CutPrefix(arn, "arn:aws:iam::")
	account, ends := strings.CutSuffix(rest, ":root")
	if !begins || !ends || len(account) != 12 || strings.Trim(account, "0123456789") != "" {
		return "", refusal(invalidInput, "Invalid ResourceOwner: "+arn)
	}
	return account, nil
}

func (s *Service) simulateCustomPolicy(ctx context.Context, in *iam.SimulateCustomPolicyInput) (*iam.SimulateCustomPolicyOutput, error) {
	if len(in.OrderedOrganizationPolicyInputList) > 0 {
		return nil, refusal(invalidInput, "OrderedOrganizationPolicyInputList is not supported.")
	}
	account := op.CallerOf(ctx).Account
	m := &simulation{context: policy.Context{}, principal: policy.Principal{Type: policy.User, Account: account}}
	if in.CallerArn != nil {
		if err := s.impersonate(ctx, m, *in.CallerArn); err != nil {
			return nil, err
		}
	}
	if err := m.prepare(account, asked{
		in.ActionNames, in.ResourceArns, in.PolicyInputList, in.PermissionsBoundaryPolicyInputList,
		in.ResourcePolicy, in.ResourceOwner, in.CallerArn, in.ResourceHandlingOption, in.ContextEntries,
	}); err != nil {
		return nil, err
	}
	page, more, next, err := m.page(s, account, in.Marker, in.MaxItems)
	return &iam.SimulateCustomPolicyOutput{EvaluationResults: page, IsTruncated: more, Marker: next}, err
}

func (s *Service) simulatePrincipalPolicy(ctx context.Context, in *iam.SimulatePrincipalPolicyInput) (*iam.SimulatePrincipalPolicyOutput, error) {
	account := op.CallerOf(ctx).Account
	m := &simulation{context: policy.Context{}, principal: policy.Principal{Type: policy.User, Account: account}}
	if err := s.policiesOf(ctx, m, *in.PolicySourceArn, len(in.PermissionsBoundaryPolicyInputList) == 0); err != nil {
		return nil, err
	}
	caller := in.CallerArn
	if caller == nil && !strings.Contains(*in.PolicySourceArn, ":group/") {
		caller = in.PolicySourceArn
	}
	if in.ResourcePolicy != nil && in.CallerArn == nil && !strings.Contains(*in.PolicySourceArn, ":user/") {
		return nil, refusal(invalidInput, "A CallerArn must be specified with a ResourcePolicy when the PolicySourceArn is not a user.")
	}
	if caller != nil {
		if err := s.impersonate(ctx, m, *caller); err != nil {
			return nil, err
		}
	}
	if err := m.prepare(account, asked{
		in.ActionNames, in.ResourceArns, in.PolicyInputList, in.PermissionsBoundaryPolicyInputList,
		in.ResourcePolicy, in.ResourceOwner, caller, in.ResourceHandlingOption, in.ContextEntries,
	}); err != nil {
		return nil, err
	}
	page, more, next, err := m.page(s, account, in.Marker, in.MaxItems)
	return &iam.SimulatePrincipalPolicyOutput{EvaluationResults: page, IsTruncated: more, Marker: next}, err
}

// page is one page of results, one for each action, in the order asked for.
func (m *simulation) page(s *Service, account string, marker *string, most *int32) ([]types.EvaluationResult, bool, *string, error) {
	numbers := make([]int, len(m.actions))
	for i := range numbers {
		numbers[i] = i
	}
	page, more, next, err := cut(s, "simulation of "+account, marker, most, numbers, ordinal)
	out := []types.EvaluationResult{}
	for _, i := range page {
		out = append(out, m.result(m.actions[i]))
	}
	return out, more, next, err
}
