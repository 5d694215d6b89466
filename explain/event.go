package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/trust"
)

// maxNesting bounds how deep evidence is searched for checks; no surface nests more than four levels.
const maxNesting = 16

// FromEvent explains a decision that was recorded. answer words the refusal of a trust decision, which the
// client was told as code, in the cloud's terms; for any other decision the event's code stands.
func FromEvent(e audit.Event, answer func(d trust.Decision, code string) Answer) (Report, error) {
	var d struct {
		trust.Decision
		Verdicts *[]trust.Verdict `json:"verdicts"`
	}
	r := Report{}
	if err := json.Unmarshal(e.Evidence, &d); err == nil && d.Verdicts != nil {
		d.Decision.Verdicts = *d.Verdicts
		r = FromDecision(d.Decision, answer(d.Decision, e.Code))
		if d.OK() && e.Outcome == audit.Refused {
			r.Change = "the federated credential was accepted; the request was refused for " + e.Code + ", which is about the rest of it"
		}
	} else {
		r.Answer.Code = e.Code
		if len(e.Evidence) > 0 {
			if !json.Valid(e.Evidence) {
				return r, fmt.Errorf("evidence of %s is no JSON", e.RequestID)
			}
			r.Sections = sections("", e.Evidence, 0)
			r.Change = refusedChange(e.Evidence, 0)
		}
		if r.Change == "" {
			r.Change = fixOf(e.Evidence, r.Sections)
		}
	}
	r.Pass = e.Outcome == audit.Allowed
	r.RequestID, r.CorrelationID, r.Time = e.RequestID, e.CorrelationID, e.Time
	r.Operation, r.Caller, r.Resource = strings.TrimSpace(e.Surface+" "+e.Operation), e.Caller, e.Resource
	return r, nil
}

// fixOf is the change that the evidence proposes: its own for its reason, else that of the first check that
// failed and has one.
func fixOf(raw json.RawMessage, found []Section) string {
	var own struct{ Reason, Fix string }
	if json.Unmarshal(raw, &own) == nil && own.Reason != "" {
		return own.Fix
	}
	return firstFix(found)
}

// member is one of an object's, in the order written: evidence is written in the order of the checks.
type member struct {
	name  string
	value json.RawMessage
}

// members takes a JSON object apart; nil for anything else.
func members(raw json.RawMessage) (out []member) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return out
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return out
		}
		text, _ := name.(string) // a member's name is one
		out = append(out, member{text, value})
	}
	return out
}

// elements takes a JSON array apart; nil for anything else.
func elements(raw json.RawMessage) (out []json.RawMessage) {
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil
	}
	return out
}

// sections finds every list of checks in a surface's evidence, whatever its shape, and heads each with the
// path that led to it.
func sections(title string, raw json.RawMessage, depth int) (out []Section) {
	if depth > maxNesting {
		return nil
	}
	if checks, ok := checksOf(raw); ok {
		return []Section{{Title: heading(title), Pass: checks.OK(), Checks: checks}}
	}
	if d, ok := policyDecision(raw); ok {
		return policySections(d)
	}
	if d, ok := trustDecision(raw); ok {
		return trustSections(title, d)
	}
	for _, e := range elements(raw) {
		out = append(out, sections(title, e, depth+1)...)
	}
	all := members(raw)
	for _, m := range all {
		at := m.name
		if m.name == "checks" {
			at = strings.TrimSuffix(title, "s") + " " + label(all)
		}
		out = append(out, sections(strings.TrimSpace(at), m.value, depth+1)...)
	}
	return out
}

// trustDecision decodes a decision about a token among other evidence.
func trustDecision(raw json.RawMessage) (d trust.Decision, ok bool) {
	var has struct{ Report, Verdicts *json.RawMessage }
	if json.Unmarshal(raw, &has) != nil || has.Report == nil || has.Verdicts == nil {
		return d, false
	}
	return d, json.Unmarshal(raw, &d) == nil
}

// trustSections are the decision's own, and say which of several tokens it is about.
func trustSections(title string, d trust.Decision) []Section {
	out := FromDecision(d, Answer{}).Sections
	if title == "" {
		return out
	}
	for i := range out {
		out[i].Title = heading(title + " " + strings.ToLower(out[i].Title[:1]) + out[i].Title[1:])
	}
	return out
}

// refusedChange is the change that a refusing decision by policies in the evidence asks for.
func refusedChange(raw json.RawMessage, depth int) string {
	if depth > maxNesting {
		return ""
	}
	if d, ok := policyDecision(raw); ok {
		if d.Allows() {
			return ""
		}
		return policyChange(d)
	}
	if d, ok := trustDecision(raw); ok {
		switch d.Reason {
		case "":
			return ""
		case trust.NoTrusts:
			return "accept tokens of the issuer " + quote(d.Claims.Text("iss")) + " with the audience in the token's aud"
		}
		return change(d)
	}
	inner := elements(raw)
	for _, m := range members(raw) {
		inner = append(inner, m.value)
	}
	for _, v := range inner {
		if c := refusedChange(v, depth+1); c != "" {
			return c
		}
	}
	return ""
}

// label names the thing that checks belong to by those of its members that name things.
func label(all []member) string {
	var parts []string
	for _, n := range []string{"role", "trust", "name", "scope"} {
		for _, m := range all {
			var s string
			if m.name == n && json.Unmarshal(m.value, &s) == nil && s != "" {
				parts = append(parts, s)
			}
		}
	}
	return strings.Join(parts, " at ")
}

func heading(title string) string {
	if title == "" {
		return "Checks"
	}
	return strings.ToUpper(title[:1]) + title[1:]
}

// checksOf decodes a list whose every element is a check.
func checksOf(raw json.RawMessage) (out evidence.Checks, ok bool) {
	list := elements(raw)
	for _, e := range list {
		var c struct {
			Name *string `json:"name"`
			OK   *bool   `json:"ok"`
		}
		if json.Unmarshal(e, &c) != nil || c.Name == nil || c.OK == nil {
			return nil, false
		}
	}
	return out, len(list) > 0 && json.Unmarshal(raw, &out) == nil
}

func firstFix(sections []Section) string {
	for _, s := range sections {
		for _, c := range s.Checks {
			if !c.OK && !c.Skipped && c.Fix != "" {
				return c.Fix
			}
		}
	}
	return ""
}
