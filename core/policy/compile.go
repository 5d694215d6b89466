package policy

import (
	"slices"
	"strings"
)

// compiled is a statement made ready for evaluation, once.
type compiled struct {
	ready      bool
	principals *principals
	actions    []actionPattern
	resources  []resourcePattern
	conditions []condition
	notAction  bool // actions are those of NotAction
	notThese   bool // resources are those of NotResource
	anywhere   bool // neither Resource nor NotResource was written
}

// compile makes the statement ready; version is its document's. Parse calls it last on each statement.
// Evaluate copes with statements that were not compiled, at the price of compiling them each time.
func (s *Statement) compile(version string) {
	c := compiled{
		ready:      true,
		principals: newPrincipals(s.Principals, s.NotPrincipals),
		notAction:  s.Actions == nil && s.NotActions != nil,
		notThese:   s.Resources == nil && s.NotResources != nil,
		anywhere:   s.Resources == nil && s.NotResources == nil,
	}
	for _, a := range slices.Concat(s.Actions, s.NotActions) {
		c.actions = append(c.actions, newActionPattern(a))
	}
	for _, r := range slices.Concat(s.Resources, s.NotResources) {
		c.resources = append(c.resources, newResourcePattern(r, version))
	}
	for i := range s.Conditions {
		c.conditions = append(c.conditions, newCondition(&s.Conditions[i], version))
	}
	s.compiled = c
}

// actionPattern is an entry of Action, in lower case. The vendor is a name or "*", and has no other wildcards.
type actionPattern struct {
	all    bool // "*"
	vendor string
	name   glob
}

func newActionPattern(written string) actionPattern {
	if written == "*" {
		return actionPattern{all: true}
	}
	vendor, name, _ := strings.Cut(strings.ToLower(written), ":")
	return actionPattern{vendor: vendor, name: glob{}.written(name)}
}

func (a *actionPattern) match(vendor, name string) bool {
	return a.all || (a.vendor == "*" || a.vendor == vendor) && a.name.match(name)
}

// resourcePattern is an entry of Resource. The service has no wildcards, the partition is literal or "*"
// (as in AWS's own managed policies), segments that are left off stand for "*", and variables stand from the sixth segment on only (IAM user guide, "Variables and tags").
type resourcePattern struct {
	written            string
	all                bool // "*"
	valid              bool
	partition, service string
	region, account    glob
	rest               template
}

func newResourcePattern(written, version string) resourcePattern {
	r := resourcePattern{written: written, all: written == "*"}
	cut, ok := cutARN(written + strings.Repeat(":*", max(0, 5-strings.Count(written, ":"))))
	if !ok || r.all {
		return r
	}
	r.valid, r.partition, r.service = true, cut[1], cut[2]
	r.region, r.account = glob{}.written(cut[3]), glob{}.written(cut[4])
	r.rest = newTemplate(cut[5], version, true)
	return r
}

func (r *resourcePattern) match(c Context, where *target) bool {
	if r.all || !r.valid || !where.isARN {
		return r.all
	}
	cut := &where.cut
	return (r.partition == "*" || r.partition == cut[1]) && r.service == cut[2] && r.region.match(cut[3]) && r.account.match(cut[4]) && r.rest.match(c, cut[5])
}

// substituted shows the entry with its variables replaced.
func (r *resourcePattern) substituted(c Context) string {
	if r.rest.pieces == nil {
		return r.written
	}
	rest, _ := r.rest.text(c)
	return strings.TrimSuffix(r.written, r.rest.written) + rest
}

// target is what the request is for, taken apart once.
type target struct {
	vendor, action string // in lower case
	cut            [6]string
	isARN          bool
	account        string // that has the resource
}

func newTarget(r *Request) target {
	t := target{account: r.Owner}
	t.vendor, t.action, _ = strings.Cut(strings.ToLower(r.Action), ":")
	t.cut, t.isARN = cutARN(r.Resource)
	if t.account == "" && t.isARN && isAccount(t.cut[4]) {
		t.account = t.cut[4]
	}
	if t.account == "" {
		t.account = r.Principal.Account
	}
	return t
}

// fit says which elements of a statement fit the request.
type fit struct {
	grant                                   grant
	principal, action, resource, conditions bool
}

// applies reports whether all do.
func (f fit) applies() bool { return f.principal && f.action && f.resource && f.conditions }

// aims reports whether the statement is about the request, whatever its conditions say.
func (f fit) aims() bool { return f.principal && f.action && f.resource }

// near reports whether just one element does not fit.
func (f fit) near() bool {
	misses := 0
	for _, ok := range [4]bool{f.principal, f.action, f.resource, f.conditions} {
		if !ok {
			misses++
		}
	}
	return misses == 1
}

func (c *compiled) fitsAction(t *target) bool {
	for i := range c.actions {
		if c.actions[i].match(t.vendor, t.action) {
			return !c.notAction
		}
	}
	return c.notAction
}

// sameService reports whether an action of the request's service is named at all.
func (c *compiled) sameService(t *target) bool {
	for i := range c.actions {
		if v := c.actions[i].vendor; v == "*" || v == t.vendor {
			return true
		}
	}
	return false
}

func (c *compiled) fitsResource(x Context, t *target, own bool) bool {
	if c.anywhere {
		return own
	}
	for i := range c.resources {
		if c.resources[i].match(x, t) {
			return !c.notThese
		}
	}
	return c.notThese
}

func (c *compiled) fitsConditions(x Context, effect Effect) bool {
	for i := range c.conditions {
		if ok, _ := c.conditions[i].holds(x, effect == Deny); !ok {
			return false
		}
	}
	return true
}
