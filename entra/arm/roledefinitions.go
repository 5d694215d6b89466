package arm

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// Limits of custom roles (Microsoft Learn, "Azure custom roles" and "Azure RBAC limits").
const (
	maxCustomRoles = 5000
	maxRoleName    = 512
	maxRoleText    = 2048
	maxActions     = 2048
)

type definitionView struct {
	Properties struct {
		RoleName         string                  `json:"roleName"`
		Type             string                  `json:"type"`
		Description      string                  `json:"description"`
		AssignableScopes []string                `json:"assignableScopes"`
		Permissions      []directory.Permissions `json:"permissions"`
		CreatedOn        string                  `json:"createdOn"`
		UpdatedOn        string                  `json:"updatedOn"`
		CreatedBy        *string                 `json:"createdBy"`
		UpdatedBy        *string                 `json:"updatedBy"`
	} `json:"properties"`
	ID   string `json:"id"`
	Type string `json:"type"`
	Name string `json:"name"`
}

// viewDefinition shows a definition as seen from a scope: its id carries the scope's subscription.
func viewDefinition(d directory.RoleDefinition, scope string) definitionView {
	v := definitionView{ID: definitionID(scope, d.ID), Type: authorizationNamespace + "/roleDefinitions", Name: d.ID}
	p := &v.Properties
	p.RoleName, p.Description, p.AssignableScopes, p.Permissions = d.Name, d.Description, d.AssignableScopes, d.Permissions
	p.CreatedOn, p.UpdatedOn, p.Type = timestamp(d.CreatedAt), timestamp(d.UpdatedAt), "BuiltInRole"
	if !isBuiltin(d) {
		p.Type, p.CreatedBy, p.UpdatedBy = "CustomRole", &d.CreatedBy, &d.CreatedBy
	}
	return v
}

func definitionID(scope, id string) string {
	prefix := ""
	if sub := subscriptionOf(scope); sub != "" {
		prefix = "/subscriptions/" + sub
	}
	return prefix + "/providers/" + authorizationNamespace + "/roleDefinitions/" + id
}

// subscriptionOf is the subscription in a scope, "" above subscriptions.
func subscriptionOf(scope string) string {
	parts := strings.Split(scope, "/")
	if len(parts) > 2 && is(parts[1], "subscriptions") {
		return parts[2]
	}
	return ""
}

// definitions are all of a tenant, built-in and custom, by their id in lower case.
func (s *Service) definitions(ctx context.Context, tenant string) (map[string]directory.RoleDefinition, error) {
	custom, err := s.Roles.RoleDefinitions(ctx, tenant)
	if err != nil {
		return nil, err
	}
	return byID(builtins, custom), nil
}

func byID(lists ...[]directory.RoleDefinition) map[string]directory.RoleDefinition {
	out := map[string]directory.RoleDefinition{}
	for _, d := range slices.Concat(lists...) {
		out[lower(d.ID)] = d
	}
	return out
}

// assignable reports whether a definition may be assigned at a scope.
func assignable(d directory.RoleDefinition, scope, tenant string) bool {
	return slices.ContainsFunc(d.AssignableScopes, func(a string) bool { return covers(a, scope, tenant) })
}

// listRoleDefinitions lists what may be assigned at the scope; atScopeAndBelow() adds what may be below it.
func (s *Service) listRoleDefinitions(ctx context.Context, in *struct {
	Filter string `query:"$filter"`
}) (*list[definitionView], error) {
	c := callOf(ctx)
	terms, err := onlyTerms(in.Filter, "roleName", "type", "atScopeAndBelow()", "atScope()")
	if err != nil {
		return nil, err
	}
	tenant, scope := c.caller.TenantID, c.target.Scope
	ids := make([]string, 0, len(c.access.definitions))
	for id := range c.access.definitions {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	out := &list[definitionView]{Value: []definitionView{}}
	for _, id := range ids {
		d := c.access.definitions[id]
		v := viewDefinition(d, scope)
		keep, below := true, false
		for _, t := range terms {
			switch t.Name {
			case "rolename":
				keep = keep && is(d.Name, t.Value)
			case "type":
				keep = keep && is(v.Properties.Type, t.Value)
			case "atscopeandbelow":
				below = slices.ContainsFunc(d.AssignableScopes, func(a string) bool { return covers(scope, a, tenant) })
			}
		}
		shown := isBuiltin(d) || c.decision.Allowed
		if keep && shown && (below || assignable(d, scope, tenant)) {
			out.Value = append(out.Value, v)
		}
	}
	return out, nil
}

func (s *Service) getRoleDefinition(ctx context.Context, _ *struct{}) (*definitionView, error) {
	c := callOf(ctx)
	d, ok := c.access.definitions[lower(c.target.Name())]
	if !ok {
		return nil, errNoDefinition(http.StatusNotFound, c.target.Name())
	}
	if !isBuiltin(d) && !c.decision.Allowed {
		return nil, s.refuse(ctx, c, c.decision)
	}
	v := viewDefinition(d, c.target.Scope)
	return &v, nil
}

func errNoDefinition(status int, id string) *Error {
	return errorf(status, "RoleDefinitionDoesNotExist", "The specified role definition with ID '%s' does not exist.", strings.ReplaceAll(id, "-", ""))
}

type definitionIn struct {
	Properties *struct {
		RoleName         string                  `json:"roleName"`
		Description      string                  `json:"description"`
		AssignableScopes []string                `json:"assignableScopes"`
		Permissions      []directory.Permissions `json:"permissions"`
	} `json:"properties"`
}

// putRoleDefinition creates or replaces a custom role. Its name is unique in the tenant, it can be
// assigned only in subscriptions and groups of the tenant, and who writes it needs the right to at each.
func (s *Service) putRoleDefinition(ctx context.Context, in *struct {
	Body definitionIn `body:""`
}) (*definitionView, error) {
	c := callOf(ctx)
	id := lower(c.target.Name())
	if !isGUID(id) {
		return nil, errorf(400, "InvalidRoleDefinitionId", "The role definition ID '%s' is not valid. The role definition ID must be a GUID.", c.target.Name())
	}
	old, exists := c.access.definitions[id]
	if exists && isBuiltin(old) {
		return nil, errorf(400, "RoleDefinitionUpdateNotPermitted", "The built-in role '%s' can not be updated.", old.Name)
	}
	p := in.Body.Properties
	if p == nil || p.RoleName == "" {
		return nil, errorf(400, "RoleDefinitionNameNullOrEmpty", "Role definition name cannot be empty.")
	}
	d := directory.RoleDefinition{ID: id, TenantID: c.caller.TenantID, Name: p.RoleName, Description: p.Description, Permissions: p.Permissions,
		AssignableScopes: p.AssignableScopes, CreatedAt: s.Now(), UpdatedAt: s.Now(), CreatedBy: c.caller.ObjectID}
	if exists {
		d.CreatedAt, d.CreatedBy = old.CreatedAt, old.CreatedBy
	}
	if err := s.validDefinition(ctx, c, &d, exists); err != nil {
		return nil, err
	}
	err := s.Roles.PutRoleDefinition(ctx, d)
	if errors.Is(err, fault.Conflict) {
		return nil, errSameName()
	}
	if err != nil {
		return nil, err
	}
	v := viewDefinition(d, c.target.Scope)
	return &v, nil
}

func errSameName() *Error {
	return errorf(409, "RoleDefinitionWithSameNameExists", "A custom role with the same name already exists in this directory. Use a different name")
}

func (s *Service) validDefinition(ctx context.Context, c *call, d *directory.RoleDefinition, exists bool) error {
	if utf8.RuneCountInString(d.Name) > maxRoleName || utf8.RuneCountInString(d.Description) > maxRoleText {
		return errorf(400, "RoleDefinitionNameOrDescriptionTooLong", "A role's name has at most %d and its description at most %d characters.", maxRoleName, maxRoleText)
	}
	custom := 0
	for id, other := range c.access.definitions {
		if id != d.ID && is(other.Name, d.Name) {
			return errSameName()
		}
		if !isBuiltin(other) {
			custom++
		}
	}
	if !exists && custom >= maxCustomRoles {
		return errorf(400, "RoleDefinitionLimitExceeded", "Role definition limit exceeded. No more role definitions can be created.")
	}
	if len(d.Permissions) == 0 {
		return errorf(400, "MissingRoleDefinitionPermissions", "The role definition must have at least one permission.")
	}
	for i := range d.Permissions {
		p := &d.Permissions[i]
		total := 0
		for _, l := range []*[]string{&p.Actions, &p.NotActions, &p.DataActions, &p.NotDataActions} {
			if *l == nil {
				*l = []string{}
			}
			for _, a := range *l {
				total += len(a)
				if strings.Trim(a, "*") != "" && !strings.Contains(a, "/") || a == "" {
					return errorf(400, "InvalidActionOrNotAction", "'%s' does not match any of the actions supported by the providers.", a)
				}
			}
		}
		if total > maxActions {
			return errorf(400, "RoleDefinitionActionsLimitExceeded", "The actions of a role definition have at most %d characters.", maxActions)
		}
	}
	if len(d.AssignableScopes) == 0 {
		return errorf(400, "MissingRoleDefinitionAssignableScopes", "The role definition must have at least one assignable scope.")
	}
	for i, scope := range d.AssignableScopes {
		canonical, err := s.assignableScope(ctx, c, scope)
		if err != nil {
			return err
		}
		d.AssignableScopes[i] = canonical
		if err := s.linked(ctx, c, authorizationNamespace+"/roleDefinitions/write", canonical); err != nil {
			return err
		}
	}
	return nil
}

// assignableScope accepts the root management group, a subscription of the tenant or a group in one.
func (s *Service) assignableScope(ctx context.Context, c *call, scope string) (string, error) {
	bad := errorf(400, "LinkedInvalidPropertyId", "Property id '%s' at path 'properties.assignableScopes' is invalid. Expect fully qualified resource Id that start with '/subscriptions/{subscriptionId}' or '/providers/{resourceProviderNamespace}/'.", scope)
	if is(scope, rootGroup(c.caller.TenantID)) {
		return rootGroup(c.caller.TenantID), nil
	}
	t, err := parsePath(escapePath(scope))
	if err != nil || t.Kind != "/subscription" && t.Kind != "/group" {
		return "", bad
	}
	sub, err := s.subscription(ctx, t.Subscription)
	if err != nil {
		return "", err
	}
	if sub.TenantID != c.caller.TenantID {
		return "", bad
	}
	return t.Scope, nil
}

// deleteRoleDefinition removes a custom role that nobody holds: 200 with it, or 204 if there was none.
func (s *Service) deleteRoleDefinition(ctx context.Context, _ *struct{}) (*definitionView, error) {
	c := callOf(ctx)
	d, ok := c.access.definitions[lower(c.target.Name())]
	switch {
	case !ok:
		return nil, nil
	case isBuiltin(d):
		return nil, errorf(400, "RoleDefinitionDeleteNotPermitted", "The built-in role '%s' can not be deleted.", d.Name)
	}
	held, err := s.Roles.RoleAssignments(ctx, c.caller.TenantID)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(held, func(a directory.RoleAssignment) bool { return is(a.RoleDefinitionID, d.ID) }) {
		return nil, errorf(400, "RoleDefinitionHasAssignments", "There are existing role assignments referencing role.")
	}
	for _, scope := range d.AssignableScopes {
		if err := s.linked(ctx, c, authorizationNamespace+"/roleDefinitions/delete", scope); err != nil {
			return nil, err
		}
	}
	if err := s.Roles.DeleteRoleDefinition(ctx, c.caller.TenantID, d.ID); err != nil && !errors.Is(err, fault.NotFound) {
		return nil, err
	}
	v := viewDefinition(d, c.target.Scope)
	return &v, nil
}

// listPermissions shows what the caller may do at the scope, one entry for each assignment that reaches it.
func (s *Service) listPermissions(ctx context.Context, _ *struct{}) (*list[directory.Permissions], error) {
	c := callOf(ctx)
	out := &list[directory.Permissions]{Value: []directory.Permissions{}}
	for _, a := range c.access.assignments {
		if a.Condition == nil && covers(a.Scope, c.target.Scope, c.caller.TenantID) {
			out.Value = append(out.Value, c.access.definitions[lower(a.RoleDefinitionID)].Permissions...)
		}
	}
	return out, nil
}
