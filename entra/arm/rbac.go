package arm

import (
	"strconv"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
)

// Request is what access is asked for.
type Request struct {
	TenantID  string `json:"tenantId"`
	Principal string `json:"principal"` // object id
	Action    string `json:"action"`    // Microsoft.Network/virtualNetworks/read
	Scope     string `json:"scope"`     // /subscriptions/…
}

// Decision is whether a request is allowed, with every role assignment of the principal and why each did
// or did not grant it.
type Decision struct {
	Request
	Allowed     bool                   `json:"allowed"`
	Access      evidence.Checks        `json:"access"` // whether any assignment grants it
	Assignments []ConsideredAssignment `json:"assignments"`
	Omitted     int                    `json:"omitted,omitempty"` // assignments that a record in brief leaves out
}

// ConsideredAssignment is one assignment in a Decision.
type ConsideredAssignment struct {
	ID       string          `json:"id"`
	Role     string          `json:"role"` // name of the definition, "" if it is gone
	RoleID   string          `json:"roleId"`
	Scope    string          `json:"scope"`
	Grants   bool            `json:"grants"`
	Checks   evidence.Checks `json:"checks"`
	reaching bool            // its scope covers the request's
}

// Decide evaluates role-based access control: an assignment grants a request when it is the principal's,
// its scope is the request's or an ancestor of it, and one of its definition's permissions has an action
// that matches and no notAction that does. There are no deny assignments. It looks at every assignment
// and never stops early. Names and scopes compare in any case (Microsoft Learn, "Understand Azure role
// definitions" and "Understand scope for Azure RBAC").
func Decide(r Request, assignments []directory.RoleAssignment, definitions map[string]directory.RoleDefinition) Decision {
	d := Decision{Request: r, Assignments: []ConsideredAssignment{}}
	for _, a := range assignments {
		c := consider(r, a, definitions)
		d.Allowed = d.Allowed || c.Grants
		d.Assignments = append(d.Assignments, c)
	}
	access := evidence.Check{Name: "role assignment", Operator: "grants", Want: []string{r.Action + " at " + r.Scope}, OK: d.Allowed}
	if !d.Allowed {
		access.Note = strconv.Itoa(len(assignments)) + " role assignments of " + r.Principal + " were looked at"
		access.Fix = "assign " + r.Principal + " a role with the action " + r.Action + " at " + r.Scope + " or above"
	}
	d.Access = evidence.Checks{access}
	return d
}

func consider(r Request, a directory.RoleAssignment, definitions map[string]directory.RoleDefinition) ConsideredAssignment {
	def, found := definitions[lower(a.RoleDefinitionID)]
	c := ConsideredAssignment{ID: a.ID, Role: def.Name, RoleID: a.RoleDefinitionID, Scope: a.Scope, reaching: covers(a.Scope, r.Scope, r.TenantID)}
	principal := strings.EqualFold(a.PrincipalID, r.Principal)
	c.Checks = evidence.Checks{
		{Name: "principal", Claim: "oid", Operator: "equals", Want: []string{a.PrincipalID}, Got: []string{r.Principal}, OK: principal},
		{Name: "scope", Operator: "at or below", Want: []string{a.Scope}, Got: []string{r.Scope}, OK: c.reaching},
		{Name: "role definition", Operator: "exists", Want: []string{a.RoleDefinitionID}, OK: found},
	}
	unconditional := a.Condition == nil || *a.Condition == ""
	if !unconditional {
		c.Checks = append(c.Checks, evidence.Check{Name: "condition", Operator: "holds", Want: []string{*a.Condition}, Note: "conditions are not evaluated: the assignment grants nothing"})
	}
	permitted := false
	if !found {
		c.Checks = append(c.Checks, evidence.Check{Name: "action", Operator: "matches", Got: []string{r.Action}, Skipped: true, Note: "the role definition does not exist"})
	}
	for _, p := range def.Permissions {
		by, not := matching(p.Actions, r.Action), matching(p.NotActions, r.Action)
		action := evidence.Check{Name: "action", Operator: "matches", Want: p.Actions, Got: []string{r.Action}, OK: len(by) > 0}
		if len(by) > 0 {
			action.Note = "matches " + strings.Join(by, ", ")
		}
		excluded := evidence.Check{Name: "not action", Operator: "matches none", Want: p.NotActions, Got: []string{r.Action}, OK: len(not) == 0}
		if len(not) > 0 {
			excluded.Note = "matches " + strings.Join(not, ", ")
		}
		c.Checks = append(c.Checks, action, excluded)
		permitted = permitted || action.OK && excluded.OK
	}
	c.Grants = principal && c.reaching && found && unconditional && permitted
	return c
}

// covers reports whether an assignment's scope is scope or an ancestor of it. The tenant's root
// management group, whose name is the tenant's id, and "/" hold everything.
func covers(assigned, scope, tenant string) bool {
	if !strings.HasPrefix(assigned, "/") {
		return false
	}
	a, s := lower(strings.TrimSuffix(assigned, "/")), lower(strings.TrimSuffix(scope, "/"))
	return a == "" || a == s || strings.HasPrefix(s, a+"/") || a == lower(rootGroup(tenant)) && s != ""
}

// rootGroup is the scope of a tenant's root management group.
func rootGroup(tenant string) string {
	return "/providers/Microsoft.Management/managementGroups/" + tenant
}

// matching returns the patterns that match the action, in any case; "*" stands for any text.
func matching(patterns []string, action string) []string {
	var out []string
	for _, p := range patterns {
		if matches(lower(p), lower(action)) {
			out = append(out, p)
		}
	}
	return out
}

// matches compares a pattern with an action. A "*" that is a whole segment stands for no segment too: the
// only operation that userAssignedIdentities/*/assign/action of the built-in Managed Identity Operator can
// mean is userAssignedIdentities/assign/action.
func matches(pattern, text string) bool {
	if strings.Contains(pattern, "/*/") {
		// With every slash twice, but once beside such a "*", "a/*/b" fits "a//b" as well as "a//x//b".
		text = strings.ReplaceAll(text, "/", "//")
		pattern = strings.ReplaceAll(pattern, "/", "//")
		pattern = strings.ReplaceAll(strings.ReplaceAll(pattern, "//*//", "/*//"), "/*//", "/*/")
	}
	return glob(pattern, text)
}

// glob matches greedily from the left: without "?" the first place that a piece fits is as good as any.
func glob(pattern, text string) bool {
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return pattern == text
	}
	first, last := pieces[0], pieces[len(pieces)-1]
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, p := range pieces[1 : len(pieces)-1] {
		i := strings.Index(text, p)
		if i < 0 {
			return false
		}
		text = text[i+len(p):]
	}
	return true
}
