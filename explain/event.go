package explain

import (
	"encoding/json"
	"fmt"
	"slices"
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
			var v any
			if err := json.Unmarshal(e.Evidence, &v); err != nil {
				return r, fmt.Errorf("evidence of %s: %w", e.RequestID, err)
			}
			r.Sections = sections("", v, 0)
		}
		r.Change = firstFix(r.Sections)
	}
	r.Pass = e.Outcome == audit.Allowed
	r.RequestID, r.CorrelationID, r.Time = e.RequestID, e.CorrelationID, e.Time
	r.Operation, r.Caller, r.Resource = strings.TrimSpace(e.Surface+" "+e.Operation), e.Caller, e.Resource
	return r, nil
}

// sections finds every list of checks in a surface's evidence, whatever its shape, and heads each with the
// path that led to it.
func sections(title string, v any, depth int) (out []Section) {
	if depth > maxNesting {
		return nil
	}
	switch x := v.(type) {
	case []any:
		if checks, ok := checksOf(x); ok {
			return []Section{{Title: heading(title), Pass: checks.OK(), Checks: checks}}
		}
		for _, e := range x {
			out = append(out, sections(title, e, depth+1)...)
		}
	case map[string]any:
		names := make([]string, 0, len(x))
		for n := range x {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, n := range names {
			at := n
			if n == "checks" {
				at = strings.TrimSuffix(title, "s") + " " + label(x)
			}
			out = append(out, sections(strings.TrimSpace(at), x[n], depth+1)...)
		}
	}
	return out
}

// label names the thing that checks belong to by the first of its members that names things.
func label(x map[string]any) string {
	var parts []string
	for _, n := range []string{"role", "trust", "name", "scope"} {
		if s, ok := x[n].(string); ok && s != "" {
			parts = append(parts, s)
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
func checksOf(list []any) (evidence.Checks, bool) {
	if len(list) == 0 {
		return nil, false
	}
	for _, e := range list {
		m, isObject := e.(map[string]any)
		_, named := m["name"].(string)
		_, judged := m["ok"].(bool)
		if !isObject || !named || !judged {
			return nil, false
		}
	}
	b, err := json.Marshal(list)
	if err != nil {
		return nil, false
	}
	var out evidence.Checks
	err = json.Unmarshal(b, &out)
	return out, err == nil
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
