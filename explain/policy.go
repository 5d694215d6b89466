package explain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/policy"
)

// FromPolicy explains a decision by policies. answer is the cloud's, zero when allowed.
func FromPolicy(d policy.Decision, answer Answer) Report {
	r := Report{Operation: d.Action, Caller: d.Caller, Resource: d.Resource, Pass: d.Allows(), Answer: answer, Sections: policySections(d)}
	if !r.Pass {
		r.Change = policyChange(d)
	}
	return r
}

// policySections shows what each type of policy said, and below it the statements that mattered.
func policySections(d policy.Decision) []Section {
	head := Section{Title: d.Action + " on " + d.Resource, Note: d.Because, Pass: d.Allows()}
	for _, l := range d.Layers {
		c := evidence.Check{
			Name: l.Type.String(), Operator: "allows", Got: []string{string(l.Result)}, Note: l.Note,
			OK: l.Result != policy.ExplicitDeny && (!l.Needed || l.Result == policy.Allowed),
		}
		if noRole(l) {
			c.Note = "there is no such role"
		}
		if c.Note == "" && !l.Needed {
			c.Note = "its allow is not needed"
		}
		if c.Note == "" {
			c.Note = count(l.Statements, "statement", "statements")
		}
		head.Checks = append(head.Checks, c)
	}
	out := []Section{head}
	for _, m := range d.Statements {
		title := fmt.Sprintf("%s by statement %d of %s", m.Effect, m.Index+1, m.Source)
		if m.SID != "" {
			title = fmt.Sprintf("%s by statement %d (%s) of %s", m.Effect, m.Index+1, m.SID, m.Source)
		}
		s := Section{Title: title, Pass: m.Applies, Checks: m.Checks}
		if m.Applies && m.Effect == policy.Deny {
			s.Pass, s.Note = false, "it applies, and a deny outweighs every allow"
		}
		out = append(out, s)
	}
	return out
}

// noRole reports whether a layer stands for the trust policy of a role that does not exist: IAM keeps none
// without statements ("Statement is empty!").
func noRole(l policy.Layer) bool { return l.Type == policy.RoleTrust && l.Statements == 0 }

// policyChange proposes one change for a refusal.
func policyChange(d policy.Decision) string {
	if slices.ContainsFunc(d.Layers, noRole) {
		return "make the role " + d.Resource + ", or correct its name"
	}
	for _, m := range d.Statements {
		if m.Applies && m.Effect == policy.Deny {
			return fmt.Sprintf("take %s out of statement %d of %s, or narrow it: nothing else can lift a deny", d.Action, m.Index+1, m.Source)
		}
	}
	for _, l := range d.Layers {
		if !l.Needed || l.Result == policy.Allowed {
			continue
		}
		for _, m := range d.Statements {
			c, failed := m.Checks.First()
			if !failed || m.Type != l.Type || m.Effect != policy.Allow {
				continue
			}
			if c.Fix == "" {
				c.Fix = fmt.Sprintf("change the %s %s", c.Name, c.Claim)
				if len(c.Got) > 0 {
					c.Fix += " so that it admits " + quote(strings.Join(c.Got, ", "))
				}
			}
			return fmt.Sprintf("%s, in statement %d of %s", c.Fix, m.Index+1, m.Source)
		}
		return fmt.Sprintf("allow %s on %s to %s in a statement of its %s", d.Action, d.Resource, d.Caller, l.Type)
	}
	return ""
}

// policyDecision reads a decision by policies out of evidence of unknown shape.
func policyDecision(raw json.RawMessage) (d policy.Decision, ok bool) {
	var has struct {
		Result, Action, Resource *string
		Layers                   *json.RawMessage
	}
	if json.Unmarshal(raw, &has) != nil || has.Result == nil || has.Action == nil || has.Resource == nil || has.Layers == nil {
		return d, false
	}
	return d, json.Unmarshal(raw, &d) == nil
}
