package iam

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/core/policy"
)

// result simulates an action on every resource. The result as a whole has the most restrictive decision
// and what all of them rest on (API reference, EvaluationResult).
func (m *simulation) result(action string) types.EvaluationResult {
	out := types.EvaluationResult{
		EvalActionName: &action, EvalDecision: types.PolicyEvaluationDecisionTypeAllowed, EvalResourceName: new(template(m.resources)),
		MatchedStatements: []types.Statement{}, MissingContextValues: []string{},
	}
	specific := m.resources[0] != "*" || len(m.resources) > 1
	var each []types.ResourceSpecificResult
	for _, resource := range m.resources {
		r := m.on(action, resource)
		each = append(each, r)
		if strictness[r.EvalResourceDecision] > strictness[out.EvalDecision] {
			out.EvalDecision = r.EvalResourceDecision
		}
		for _, name := range r.MissingContextValues {
			if !slices.ContainsFunc(out.MissingContextValues, func(have string) bool { return strings.EqualFold(have, name) }) {
				out.MissingContextValues = append(out.MissingContextValues, name)
			}
		}
		if b := r.PermissionsBoundaryDecisionDetail; b != nil {
			if out.PermissionsBoundaryDecisionDetail == nil {
				out.PermissionsBoundaryDecisionDetail = &types.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: true}
			}
			all := out.PermissionsBoundaryDecisionDetail
			all.AllowedByPermissionsBoundary = all.AllowedByPermissionsBoundary && b.AllowedByPermissionsBoundary
		}
		for policyType, decision := range r.EvalDecisionDetails {
			if out.EvalDecisionDetails == nil {
				out.EvalDecisionDetails = map[string]types.PolicyEvaluationDecisionType{}
			}
			if had := out.EvalDecisionDetails[policyType]; had == "" || strictness[decision] > strictness[had] {
				out.EvalDecisionDetails[policyType] = decision
			}
		}
	}
	for _, r := range each {
		if r.EvalResourceDecision == out.EvalDecision {
			out.MatchedStatements = union(out.MatchedStatements, r.MatchedStatements)
		}
	}
	if specific {
		if out.EvalDecisionDetails == nil {
			out.EvalDecisionDetails = map[string]types.PolicyEvaluationDecisionType{}
		}
		out.ResourceSpecificResults = each
	}
	return out
}

// strictness orders decisions: the most restrictive has the last word.
var strictness = map[types.PolicyEvaluationDecisionType]int{
	types.PolicyEvaluationDecisionTypeAllowed:      0,
	types.PolicyEvaluationDecisionTypeImplicitDeny: 1,
	types.PolicyEvaluationDecisionTypeExplicitDeny: 2,
}

// detailNames name the types of policies in the details of a decision between accounts.
var detailNames = map[policy.Type]string{
	policy.IdentityBased: "IAM Policy", policy.Boundary: "Permissions Boundary", policy.ResourceBased: "Resource Policy",
}

// on simulates an action on one resource.
func (m *simulation) on(action, resource string) types.ResourceSpecificResult {
	owner := m.owner
	if f := strings.SplitN(resource, ":", 6); len(f) == 6 && f[4] != "" {
		owner = f[4]
	}
	sources := make([]policy.Source, len(m.policies))
	for i, p := range m.policies {
		sources[i] = p.Source
	}
	d := policy.Evaluate(policy.Request{Principal: m.principal, Action: action, Resource: resource, Owner: owner, Context: m.context}, sources...)
	out := types.ResourceSpecificResult{
		EvalResourceName: &resource, EvalResourceDecision: types.PolicyEvaluationDecisionType(d.Result),
		MatchedStatements: m.matched(d), MissingContextValues: append([]string{}, d.Missing...),
	}
	across := owner != m.principal.Account
	if across {
		out.EvalDecisionDetails = map[string]types.PolicyEvaluationDecisionType{}
	}
	for _, l := range d.Layers {
		if l.Type == policy.Boundary {
			out.PermissionsBoundaryDecisionDetail = &types.PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: l.Result == policy.Allowed}
		}
		if name := detailNames[l.Type]; across && name != "" {
			out.EvalDecisionDetails[name] = types.PolicyEvaluationDecisionType(l.Result)
		}
	}
	return out
}

// matched are the statements that the decision rests on: those that deny when one does, else those that
// allow; when nothing allows, none. Boundaries have their own member.
func (m *simulation) matched(d policy.Decision) []types.Statement {
	effect := policy.Allow
	switch d.Result {
	case policy.ExplicitDeny:
		effect = policy.Deny
	case policy.ImplicitDeny:
		return []types.Statement{}
	}
	out := []types.Statement{}
	for _, st := range d.Statements {
		if !st.Applies || st.Effect != effect || st.Type == policy.Boundary {
			continue
		}
		for _, p := range m.policies {
			if p.Name == st.Source {
				start, end := simulatedPositions(p.text, st.Start, st.End)
				out = append(out, types.Statement{
					SourcePolicyId: new(p.id), SourcePolicyType: sourceTypes[p.Type], StartPosition: &start, EndPosition: &end,
				})
			}
		}
	}
	return out
}

// sourceTypes are what AWS writes, which is not what the service model lists: "IAM Policy" stands in answers
// of the simulator that have been published, whatever entity has the policy.
var sourceTypes = map[policy.Type]types.PolicySourceType{
	policy.IdentityBased: "IAM Policy", policy.ResourceBased: "Resource Policy",
}

// simulatedPositions are where AWS says that a statement begins and ends: right after what stands before
// it ("[" or ",", but after its own brace when the document has no list), and right after its last brace.
// So AdministratorAccess, indented by two, has one from 3:17 to 8:6, and a document in one line from 1:38.
func simulatedPositions(text string, start, end policy.Position) (from, to types.Position) {
	lines := strings.Split(text, "\n")
	line, column := start.Line-1, start.Column-1
	for line >= 0 && line < len(lines) {
		before := lines[line][:min(max(column, 0), len(lines[line]))]
		if trimmed := strings.TrimRight(before, " \t\r"); trimmed != "" {
			column = len(trimmed)
			if strings.HasSuffix(trimmed, ":") {
				line, column = start.Line-1, start.Column
			}
			return types.Position{Line: int32(line + 1), Column: int32(column + 1)}, types.Position{Line: int32(end.Line), Column: int32(end.Column + 1)}
		}
		if line--; line >= 0 {
			column = len(lines[line])
		}
	}
	return types.Position{Line: int32(start.Line), Column: int32(start.Column)}, types.Position{Line: int32(end.Line), Column: int32(end.Column + 1)}
}

// union adds statements that are not there yet.
func union(have, more []types.Statement) []types.Statement {
	for _, s := range more {
		if !slices.ContainsFunc(have, func(t types.Statement) bool {
			return *t.SourcePolicyId == *s.SourcePolicyId && *t.StartPosition == *s.StartPosition && *t.EndPosition == *s.EndPosition
		}) {
			have = append(have, s)
		}
	}
	return have
}
