package arm

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

type assignmentView struct {
	Properties struct {
		RoleDefinitionID string  `json:"roleDefinitionId"`
		PrincipalID      string  `json:"principalId"`
		PrincipalType    string  `json:"principalType"`
		Scope            string  `json:"scope"`
		Condition        *string `json:"condition"`
		ConditionVersion *string `json:"conditionVersion"`
		CreatedOn        string  `json:"createdOn"`
		UpdatedOn        string  `json:"updatedOn"`
		CreatedBy        *string `json:"createdBy"`
		UpdatedBy        *string `json:"updatedBy"`
		DelegatedID      *string `json:"delegatedManagedIdentityResourceId"`
		Description      *string `json:"description"`
	} `json:"properties"`
	ID     string `json:"id"`
	Type   string `json:"type"`
	Name   string `json:"name"`
	status int
}

// Status is that of the method which made the view.
func (v *assignmentView) Status() int { return v.status }

// viewAssignment shows an assignment as seen from a scope, whose subscription its definition's id carries.
func viewAssignment(a directory.RoleAssignment, seenFrom string, status int) *assignmentView {
	if subscriptionOf(a.Scope) != "" {
		seenFrom = a.Scope
	}
	v := &assignmentView{ID: strings.TrimSuffix(a.Scope, "/") + "/providers/" + authorizationNamespace + "/roleAssignments/" + a.ID,
		Type: authorizationNamespace + "/roleAssignments", Name: a.ID, status: status}
	p := &v.Properties
	p.RoleDefinitionID, p.PrincipalID, p.PrincipalType, p.Scope = definitionID(seenFrom, a.RoleDefinitionID), a.PrincipalID, a.PrincipalType, a.Scope
	p.Condition, p.ConditionVersion, p.Description = a.Condition, a.ConditionVersion, a.Description
	p.CreatedOn, p.UpdatedOn = timestamp(a.CreatedAt), timestamp(a.CreatedAt)
	if a.CreatedBy != "" {
		p.CreatedBy, p.UpdatedBy = &a.CreatedBy, &a.CreatedBy
	}
	return v
}

// listRoleAssignments lists the assignments that apply to the scope: those at it and above it, and
// those below it unless atScope() is asked for. principalId and assignedTo() select one principal's.
func (s *Service) listRoleAssignments(ctx context.Context, in *struct {
	Filter string `query:"$filter"`
}) (*list[*assignmentView], error) {
	c := callOf(ctx)
	terms, err := onlyTerms(in.Filter, "principalId", "assignedTo()", "atScope()")
	if err != nil {
		return nil, err
	}
	tenant, scope := c.caller.TenantID, c.target.Scope
	var principals []string
	below := true
	for _, t := range terms {
		switch t.Name {
		case "principalid", "assignedto":
			if !isGUID(t.Value) {
				return nil, errorf(400, "BadRequestFormat", "The request was incorrectly formatted.")
			}
			principals = append(principals, lower(t.Value))
		case "atscope":
			below = false
		}
	}
	all, err := s.assignmentsOf(ctx, tenant, principals)
	if err != nil {
		return nil, err
	}
	out := &list[*assignmentView]{Value: []*assignmentView{}}
	for _, a := range all {
		if covers(a.Scope, scope, tenant) || below && covers(scope, a.Scope, tenant) {
			out.Value = append(out.Value, viewAssignment(a, scope, 200))
		}
	}
	return out, nil
}

// assignmentsOf reads a tenant's assignments, of one principal if principals names one. Terms are joined
// by "and", so two different principals have none in common.
func (s *Service) assignmentsOf(ctx context.Context, tenant string, principals []string) ([]directory.RoleAssignment, error) {
	if len(principals) == 0 {
		return s.Roles.RoleAssignments(ctx, tenant)
	}
	for _, p := range principals[1:] {
		if p != principals[0] {
			return nil, nil
		}
	}
	return s.Roles.RoleAssignmentsOf(ctx, tenant, principals[0])
}

// assignment finds the call's assignment: its GUID, at exactly its scope.
func (s *Service) assignment(ctx context.Context, c *call) (directory.RoleAssignment, error) {
	a, err := s.Roles.RoleAssignment(ctx, c.caller.TenantID, lower(c.target.Name()))
	if errors.Is(err, fault.NotFound) || err == nil && !sameScope(a.Scope, c.target.Scope) {
		return a, errorf(404, "RoleAssignmentNotFound", "The role assignment '%s' is not found.", strings.ReplaceAll(c.target.Name(), "-", ""))
	}
	return a, err
}

func sameScope(a, b string) bool {
	return is(strings.TrimSuffix(a, "/"), strings.TrimSuffix(b, "/"))
}

func (s *Service) getRoleAssignment(ctx context.Context, _ *struct{}) (*assignmentView, error) {
	c := callOf(ctx)
	a, err := s.assignment(ctx, c)
	if err != nil {
		return nil, err
	}
	return viewAssignment(a, c.target.Scope, 200), nil
}

type assignmentIn struct {
	Properties *assignmentProperties `json:"properties"`
}

type assignmentProperties struct {
	RoleDefinitionID string  `json:"roleDefinitionId"`
	PrincipalID      string  `json:"principalId"`
	PrincipalType    string  `json:"principalType"`
	Description      *string `json:"description"`
	Condition        *string `json:"condition"`
	ConditionVersion *string `json:"conditionVersion"`
	DelegatedID      *string `json:"delegatedManagedIdentityResourceId"`
}

// putRoleAssignment assigns a role at the scope. The same assignment again is no conflict; another one
// under its GUID, or the same grant under another GUID, is.
func (s *Service) putRoleAssignment(ctx context.Context, in *struct {
	Body assignmentIn `body:""`
}) (*assignmentView, error) {
	c := callOf(ctx)
	id := lower(c.target.Name())
	if !isGUID(id) {
		return nil, errorf(400, "InvalidRoleAssignmentId", "The role assignment ID '%s' is not valid. The role assignment ID must be a GUID.", c.target.Name())
	}
	p := in.Body.Properties
	if p == nil {
		return nil, errorf(400, "InvalidRequestContent", "The content of your request was not valid, and the original object could not be deserialized. Exception message: 'Required property 'properties' not found in JSON.'")
	}
	def, err := s.assignedDefinition(c, p.RoleDefinitionID)
	if err != nil {
		return nil, err
	}
	kind, err := s.principal(ctx, c.caller.TenantID, *p)
	if err != nil {
		return nil, err
	}
	if p.Condition != nil && *p.Condition != "" || p.DelegatedID != nil && *p.DelegatedID != "" {
		return nil, errorf(400, "NotSupported", "Conditions and delegated managed identities are not supported in role assignments.")
	}
	scope, err := s.existing(ctx, c)
	if err != nil {
		return nil, err
	}
	a := directory.RoleAssignment{ID: id, TenantID: c.caller.TenantID, Scope: scope, RoleDefinitionID: def.ID, PrincipalID: lower(p.PrincipalID),
		PrincipalType: kind, Description: p.Description, CreatedAt: s.Now(), CreatedBy: c.caller.ObjectID}
	if err := s.roomFor(ctx, a); err != nil {
		return nil, err
	}
	err = s.Roles.AssignRole(ctx, a)
	if errors.Is(err, fault.Conflict) {
		return s.conflicting(ctx, c, a)
	}
	if err != nil {
		return nil, err
	}
	return viewAssignment(a, scope, http.StatusCreated), nil
}

// maxAssignments is how many assignments a subscription may have (Microsoft Learn, "Azure RBAC limits").
const maxAssignments = 4000

func (s *Service) roomFor(ctx context.Context, a directory.RoleAssignment) error {
	all, err := s.Roles.RoleAssignments(ctx, a.TenantID)
	if err != nil {
		return err
	}
	n := 0
	for _, o := range all {
		if is(o.ID, a.ID) {
			return nil
		}
		if is(subscriptionOf(o.Scope), subscriptionOf(a.Scope)) {
			n++
		}
	}
	if n >= maxAssignments {
		return errorf(400, "RoleAssignmentLimitExceeded", "No more role assignments can be created; the limit of %d is reached.", maxAssignments)
	}
	return nil
}

// conflicting answers an assignment that the store did not take.
func (s *Service) conflicting(ctx context.Context, c *call, a directory.RoleAssignment) (*assignmentView, error) {
	old, err := s.Roles.RoleAssignment(ctx, a.TenantID, a.ID)
	if err == nil {
		if old.PrincipalID != a.PrincipalID || !sameScope(old.Scope, a.Scope) || !is(old.RoleDefinitionID, a.RoleDefinitionID) {
			return nil, errorf(400, "RoleAssignmentUpdateNotPermitted", "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.")
		}
		if a.Description == nil || old.Description != nil && *old.Description == *a.Description {
			return viewAssignment(old, c.target.Scope, http.StatusOK), nil
		}
		return s.describe(ctx, old, a.Description)
	}
	if !errors.Is(err, fault.NotFound) {
		return nil, err
	}
	same, err := s.Roles.RoleAssignmentsOf(ctx, a.TenantID, a.PrincipalID)
	if err != nil {
		return nil, err
	}
	for _, o := range same {
		if sameScope(o.Scope, a.Scope) && is(o.RoleDefinitionID, a.RoleDefinitionID) {
			return nil, errorf(409, "RoleAssignmentExists", "The role assignment already exists. The ID of the existing role assignment is %s.", strings.ReplaceAll(o.ID, "-", ""))
		}
	}
	return nil, errorf(409, "RoleAssignmentExists", "The role assignment already exists.")
}

// describe gives an assignment another description.
func (s *Service) describe(ctx context.Context, a directory.RoleAssignment, text *string) (*assignmentView, error) {
	a.Description = text
	if err := s.Roles.RemoveRoleAssignment(ctx, a.TenantID, a.ID); err != nil && !errors.Is(err, fault.NotFound) {
		return nil, err
	}
	if err := s.Roles.AssignRole(ctx, a); err != nil {
		return nil, err
	}
	return viewAssignment(a, a.Scope, http.StatusOK), nil
}

// assignedDefinition finds the definition that an assignment names, by its id at whatever scope, and
// checks that it may be assigned at the call's.
func (s *Service) assignedDefinition(c *call, id string) (directory.RoleDefinition, error) {
	t, err := parsePath(escapePath(id))
	if err != nil || t.Kind != "/item/microsoft.authorization/roledefinitions" || !isGUID(t.Name()) {
		return directory.RoleDefinition{}, errorf(400, "InvalidRoleDefinitionId", "The role definition ID '%s' is not valid.", id)
	}
	d, ok := c.access.definitions[lower(t.Name())]
	if !ok || !assignable(d, c.target.Scope, c.caller.TenantID) {
		return d, errNoDefinition(http.StatusBadRequest, t.Name())
	}
	return d, nil
}

// principal checks that the principal exists in the tenant and is of the type that is claimed, and
// returns its type. Directory and roles are one here, so principalType never waives the check.
func (s *Service) principal(ctx context.Context, tenant string, p assignmentProperties) (string, error) {
	id, kind := lower(p.PrincipalID), ""
	if !isGUID(id) {
		return "", errorf(400, "InvalidPrincipalId", "A valid principal ID must be provided for role assignment.")
	}
	_, err := s.Principals.Principal(ctx, tenant, id)
	if err == nil {
		kind = "ServicePrincipal"
	} else if !errors.Is(err, fault.NotFound) {
		return "", err
	} else if u, err := s.Users.User(ctx, tenant, id); err == nil && u.ID == id {
		kind = "User"
	} else if err != nil && !errors.Is(err, fault.NotFound) {
		return "", err
	}
	if kind == "" {
		return "", errorf(400, "PrincipalNotFound", "Principal %s does not exist in the directory %s. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
			strings.ReplaceAll(id, "-", ""), tenant)
	}
	if p.PrincipalType != "" && !is(p.PrincipalType, kind) {
		return "", errorf(400, "UnmatchedPrincipalType", "The PrincipalId '%s' has type '%s' , which is different from specified PrinciaplType '%s'.", strings.ReplaceAll(id, "-", ""), kind, p.PrincipalType)
	}
	return kind, nil
}

// existing checks that the scope of a new assignment exists and returns it as it is spelled in the store.
func (s *Service) existing(ctx context.Context, c *call) (string, error) {
	t, err := parsePath(escapePath(c.target.Scope))
	switch {
	case c.target.Scope == "/":
		return "/", nil
	case err != nil:
		return "", err
	case t.Kind == "/subscription":
		return t.Scope, nil
	case t.Kind == "/group":
		g, err := s.group(ctx, t.Subscription, t.Group)
		return g.ID, err
	case is(t.ID(), rootGroup(c.caller.TenantID)):
		return rootGroup(c.caller.TenantID), nil
	case t.Kind == "/item/"+lower(networkType), t.Kind == "/item/"+lower(identityType):
		r, err := s.resource(ctx, t)
		return r.ID, err
	case t.Kind == "/item/"+lower(subnetType):
		r, err := s.resource(ctx, t)
		if err != nil {
			return "", err
		}
		var n network
		if err := decodeBody(r, &n); err != nil {
			return "", err
		}
		if i := n.find(t.Name()); i >= 0 {
			return r.ID + "/subnets/" + n.Subnets[i].Name, nil
		}
		return "", errSubnetNotFound(t.ID())
	}
	return "", errNotFound(c.target.Scope)
}

// deleteRoleAssignment removes an assignment: 200 with it, or 204 if there was none at this scope.
func (s *Service) deleteRoleAssignment(ctx context.Context, _ *struct{}) (*assignmentView, error) {
	c := callOf(ctx)
	a, err := s.assignment(ctx, c)
	var missing *Error
	if errors.As(err, &missing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = s.Roles.RemoveRoleAssignment(ctx, c.caller.TenantID, a.ID)
	if errors.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return viewAssignment(a, c.target.Scope, 200), nil
}

// deleteAssignmentsBelow removes the assignments at a resource that goes, and below it. It comes before
// the resource itself: if it fails half way, a retry goes on, and nobody inherits rights on a namesake.
func (s *Service) deleteAssignmentsBelow(ctx context.Context, id string) error {
	tenant := callOf(ctx).caller.TenantID
	all, err := s.Roles.RoleAssignments(ctx, tenant)
	if err != nil {
		return err
	}
	for _, a := range all {
		if !covers(id, a.Scope, tenant) {
			continue
		}
		if err := s.Roles.RemoveRoleAssignment(ctx, tenant, a.ID); err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
	}
	return nil
}
