package arm

import (
	"context"
	"net/http"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
)

// access is what a caller holds, read once a request: its own assignments and the definitions of their
// roles, or every definition when the call is about roles.
type access struct {
	caller      caller
	assignments []directory.RoleAssignment
	definitions map[string]directory.RoleDefinition
}

func (s *Service) accessOf(ctx context.Context, c *call) (access, error) {
	a := access{caller: c.caller}
	var err error
	if a.assignments, err = s.Roles.RoleAssignmentsOf(ctx, c.caller.TenantID, c.caller.ObjectID); err != nil {
		return a, err
	}
	a.definitions = byID(builtins)
	custom := c.target.Namespace == authorizationNamespace
	for _, as := range a.assignments {
		_, ok := a.definitions[lower(as.RoleDefinitionID)]
		custom = custom || !ok
	}
	if custom {
		a.definitions, err = s.definitions(ctx, c.caller.TenantID)
	}
	return a, err
}

func (a access) decide(action, scope string) Decision {
	return Decide(Request{TenantID: a.caller.TenantID, Principal: a.caller.ObjectID, Action: action, Scope: scope}, a.assignments, a.definitions)
}

// open lists what any authenticated caller may ask: it shows what is public, such as providers and
// built-in roles, or only what the caller may see.
func open(t target, method string) bool {
	if t.Subscription != "" || method != http.MethodGet && method != http.MethodHead {
		return false
	}
	switch t.Kind {
	case "/tenants", "/subscriptions", "/providers", "/provider":
		return true
	case "/list/microsoft.authorization/roledefinitions", "/item/microsoft.authorization/roledefinitions":
		return t.Scope == "/"
	}
	return false
}

// filtered lists the kinds that show a caller without rights on the whole collection those items that it
// may read, as ARM does for resource groups and resources.
func filtered(kind string) bool { return kind == "/groups" || kind == "/resources" }

// authorize decides the call and records refusals and writes. A write is recorded before it is done, so
// that nothing happens that the audit does not know.
func (s *Service) authorize(ctx context.Context, c *call, method string) error {
	a, err := s.accessOf(ctx, c)
	if err != nil {
		return err
	}
	c.access = a
	d := a.decide(c.target.action(method), c.target.authorizationScope())
	c.decision = d
	if open(c.target, method) {
		return nil // the handler shows what is public, and the rest by the decision
	}
	if !d.Allowed && filtered(c.target.Kind) {
		return nil // the handler filters, and refuses when nothing is left
	}
	if !d.Allowed {
		return s.refuse(ctx, c, d)
	}
	if method == http.MethodGet || method == http.MethodHead {
		return nil
	}
	return s.record(ctx, audit.Allowed, d.Scope, "", d)
}

// refuse records a refusal and returns ARM's error for it.
func (s *Service) refuse(ctx context.Context, c *call, d Decision) error {
	const code = "AuthorizationFailed"
	if err := s.record(ctx, audit.Refused, d.Scope, code, d); err != nil {
		return err
	}
	return errorf(http.StatusForbidden, code, "The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
		c.caller.Client, c.caller.ObjectID, d.Action, d.Scope)
}

// linked decides an action on another scope that a call touches as well.
func (s *Service) linked(ctx context.Context, c *call, action, scope string) error {
	d := c.access.decide(action, scope)
	if d.Allowed {
		return nil
	}
	const code = "LinkedAuthorizationFailed"
	if err := s.record(ctx, audit.Refused, scope, code, d); err != nil {
		return err
	}
	return errorf(http.StatusForbidden, code, "The client '%s' with object id '%s' has permission to perform action '%s' on scope '%s'; however, it does not have permission to perform action '%s' on the linked scope(s) '%s' or the linked scope(s) are invalid.",
		c.caller.Client, c.caller.ObjectID, c.decision.Action, c.decision.Scope, action, scope)
}
