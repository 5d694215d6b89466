package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/evidence"
)

// explain keeps, for a refusal, the statements about the request and those that nearly allowed it.
func (e *evaluation) explain(d *Decision) {
	for i := range e.sources {
		if e.sources[i].Document == nil {
			continue
		}
		for j := range e.sources[i].Document.Statements {
			at := place{i, j}
			if slices.Contains(e.aimed, at) {
				e.keep(d, at, e.fits(at))
				continue
			}
			_, s, c := e.at(at)
			if s.Effect != Allow || !c.fitsAction(&e.target) && !c.sameService(&e.target) {
				continue
			}
			if f := e.fits(at); f.near() {
				e.keep(d, at, f)
			}
		}
	}
}

// keep adds a statement with its evidence.
func (e *evaluation) keep(d *Decision, at place, f fit) {
	source, s, c := e.at(at)
	m := Matched{
		Source: source.Name, Type: source.Type, Index: at.statement, SID: s.SID, Effect: s.Effect,
		Applies: f.applies(), Start: s.Start, End: s.End,
		Checks: make(evidence.Checks, 0, 3+len(c.conditions)),
	}
	if source.Type == ResourceBased || source.Type == RoleTrust {
		m.Checks = append(m.Checks, e.principalCheck(s, c, f))
	}
	m.Checks = append(m.Checks, e.actionCheck(s, c, f), e.resourceCheck(s, c, f))
	if f.principal && f.action && !f.resource {
		for i := range c.resources {
			d.Missing = append(d.Missing, c.resources[i].rest.lacks(e.request.Context)...)
		}
	}
	for i := range c.conditions {
		check, lacks := e.conditionCheck(&s.Conditions[i], &c.conditions[i], s.Effect)
		m.Checks = append(m.Checks, check)
		if f.aims() {
			d.Missing = append(d.Missing, lacks...)
		}
	}
	d.Statements = append(d.Statements, m)
}

func (e *evaluation) principalCheck(s *Statement, c *compiled, f fit) evidence.Check {
	who := &e.request.Principal
	check := evidence.Check{Name: CheckPrincipal, Claim: "Principal", Operator: "one of", Got: evidence.Values(who.identities()), OK: f.principal}
	if c.principals == nil {
		check.Note = "the statement names no principal"
		return check
	}
	if c.principals.not {
		check.Claim, check.Operator = "NotPrincipal", "none of"
	}
	check.Want = evidence.Values(c.principals.written.list())
	switch {
	case !f.principal && c.principals.any && !who.signs():
		check.Note = `"*" under AWS admits nobody who brings a token or an assertion`
	case f.grant == delegated:
		check.Note = "the caller's account is named, not the caller"
	case f.grant == bounded:
		check.Note = "the role or user behind the session is named"
	case len(c.principals.written.CanonicalUser) > 0 && !f.principal:
		check.Note = "canonical users are not compared"
	}
	if !f.principal && s.Effect == Allow && !c.principals.not {
		check.Fix = "add " + who.suggestion() + " to Principal"
	}
	return check
}

// suggestion is the entry of Principal that would name the caller.
func (who *Principal) suggestion() string {
	switch {
	case who.Federated != "":
		return fmt.Sprintf(`{"Federated": %q}`, who.Federated)
	case who.Service != "":
		return fmt.Sprintf(`{"Service": %q}`, who.Service)
	case who.Type == Anonymous:
		return `"*"`
	case who.Type == AssumedRole && who.Issuer != "":
		return fmt.Sprintf(`{"AWS": %q}`, who.Issuer)
	}
	return fmt.Sprintf(`{"AWS": %q}`, who.ARN)
}

func (e *evaluation) actionCheck(s *Statement, c *compiled, f fit) evidence.Check {
	check := evidence.Check{Name: CheckAction, Claim: "Action", Operator: "matches", Want: evidence.Values(s.Actions), Got: []string{e.request.Action}, OK: f.action}
	switch {
	case c.notAction:
		check.Claim, check.Operator, check.Want = "NotAction", "matches none of", evidence.Values(s.NotActions)
	case !f.action && s.Effect == Allow:
		check.Fix = fmt.Sprintf("add %q to Action", e.request.Action)
	}
	return check
}

func (e *evaluation) resourceCheck(s *Statement, c *compiled, f fit) evidence.Check {
	check := evidence.Check{Name: CheckResource, Claim: "Resource", Operator: "matches", Got: []string{e.request.Resource}, OK: f.resource}
	if c.anywhere {
		check.Note = "the statement is about the resource that it is attached to"
		return check
	}
	want := make([]string, len(c.resources))
	for i := range c.resources {
		want[i] = c.resources[i].substituted(e.request.Context)
		if lacks := c.resources[i].rest.lacks(e.request.Context); lacks != nil {
			check.Note = "the request has no value for " + strings.Join(lacks, ", ")
		}
	}
	check.Want = evidence.Values(want)
	switch {
	case c.notThese:
		check.Claim, check.Operator = "NotResource", "matches none of"
	case !f.resource && s.Effect == Allow:
		check.Fix = fmt.Sprintf("add %q to Resource", e.request.Resource)
	}
	return check
}

// conditionCheck also gives the keys that the request lacks and that would have mattered.
func (e *evaluation) conditionCheck(written *Condition, c *condition, effect Effect) (check evidence.Check, lacks []string) {
	x := e.request.Context
	ok, r := c.holds(x, effect == Deny)
	check = evidence.Check{Name: CheckCondition, Claim: written.Key, Operator: written.Operator, OK: ok, Got: evidence.Values(x[c.key].Values)}
	if len(x[c.key].Values) == 0 {
		check.Got = nil
	}
	want := make([]string, len(c.values))
	for i := range c.values {
		want[i], _ = c.values[i].text(x)
		if !ok {
			lacks = append(lacks, c.values[i].lacks(x)...)
		}
	}
	check.Want = evidence.Values(want)
	if r == absent || r == absentAny {
		lacks = append(lacks, written.Key)
	}
	check.Note = ruleNotes[r]
	if r == compared && !ok {
		check.Note = c.difference(x, want)
	}
	if !ok && effect == Allow {
		check.Fix = c.fix(written, r, x, want)
	}
	return check, lacks
}
