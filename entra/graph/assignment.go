package graph

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/odata"
)

// defaultAccess is the role of an assignment without a role (resources/approleassignment, appRoleId).
const defaultAccess = "00000000-0000-0000-0000-000000000000"

// assignmentSchema is the appRoleAssignment resource type.
var assignmentSchema = newSchema("AppRoleAssignment", odata.Type{Name: "appRoleAssignment"},
	property{name: "id", readOnly: true},
	property{name: "deletedDateTime", readOnly: true},
	property{name: "appRoleId", form: aGUID},
	property{name: "createdDateTime", readOnly: true},
	property{name: "principalDisplayName", readOnly: true},
	property{name: "principalId", form: aGUID},
	property{name: "principalType", readOnly: true},
	property{name: "resourceDisplayName", readOnly: true},
	property{name: "resourceId", form: aGUID},
)

// AssignmentID makes an id as Graph gives assignments: the 16 bytes of the principal's GUID, in the order in
// which .NET writes them, and 16 bytes more, as 43 characters of base64url. In the example of
// New-MgGroupAppRoleAssignment, eI168IzxAkyzOZ66zgJRIqVVeeA1CVFKmaBn-MGn0Bw starts with the principalId
// f07a8d78-f18c-4c02-b339-9ebace025122.
func AssignmentID(principal string, rest [16]byte) string {
	b, err := hex.DecodeString(strings.ReplaceAll(principal, "-", ""))
	if err != nil || len(b) != 16 {
		b = make([]byte, 16) // no GUID: nothing to start with
	}
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return base64.RawURLEncoding.EncodeToString(append(b, rest[:]...))
}

func assignmentResource(a directory.AppRoleAssignment) map[string]any {
	return map[string]any{
		"id": a.ID, "deletedDateTime": nil, "appRoleId": a.RoleID, "createdDateTime": stamp(a.CreatedAt),
		"principalDisplayName": text(a.PrincipalName), "principalId": a.PrincipalID, "principalType": a.PrincipalType,
		"resourceDisplayName": text(a.ResourceName), "resourceId": a.ResourceID,
	}
}

// side is the end of an assignment that a route hangs on.
type side struct {
	collection string // servicePrincipals or users
	navigation string // appRoleAssignments or appRoleAssignedTo
	resource   bool   // the resource's side
}

var (
	ofPrincipal = side{servicePrincipals, "appRoleAssignments", false}
	onResource  = side{servicePrincipals, "appRoleAssignedTo", true}
	ofUser      = side{"users", "appRoleAssignments", false}
)

// end finds the object that a route hangs on, once the need is met.
func (s *Service) end(ctx context.Context, c *call, at side, key string, n need) (id string, err error) {
	if at.collection == servicePrincipals {
		o, err := s.permitted(ctx, c, servicePrincipals, key, n)
		if err != nil {
			return "", err
		}
		return o.id(), nil
	}
	if err := s.permit(ctx, c, n, at.collection+"/"+clip(key), nil); err != nil {
		return "", err
	}
	u, err := s.Users.User(ctx, c.tenant.ID, canonical(key))
	return u.ID, orNotFound(err, key)
}

func (at side) read() need {
	if at.collection == "users" {
		return readUserRoles
	}
	return readAssignments
}

// assignments lists those of one end.
func (s *Service) assignments(ctx context.Context, c *call, id string, at side) ([]map[string]any, error) {
	read := s.AppRoleAssignments.AppRolesOf
	if at.resource {
		read = s.AppRoleAssignments.AppRolesOn
	}
	all, err := read(ctx, id)
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, a := range all {
		if a.TenantID == c.tenant.ID {
			out = append(out, assignmentResource(a))
		}
	}
	return out, nil
}

func (at side) context(id string) string {
	return at.collection + "('" + id + "')/" + at.navigation
}

func (s *Service) listAssignments(at side) func(context.Context, *call, *byKey) (*answer, error) {
	return func(ctx context.Context, c *call, in *byKey) (*answer, error) {
		id, err := s.end(ctx, c, at, in.Key, at.read())
		if err != nil {
			return nil, err
		}
		items, err := s.assignments(ctx, c, id, at)
		if err != nil {
			return nil, err
		}
		return s.list(ctx, c, collection{typ: assignmentSchema.typ, context: at.context(id), fetch: inMemory(items)})
	}
}

// assignment finds one that belongs to the end.
func (s *Service) assignment(ctx context.Context, c *call, at side, end, id string) (directory.AppRoleAssignment, error) {
	a, err := s.AppRoleAssignments.AppRoleAssignment(ctx, c.tenant.ID, id)
	if err != nil {
		return a, orNotFound(err, id)
	}
	if at.resource && a.ResourceID != end || !at.resource && a.PrincipalID != end {
		return a, notFound(id)
	}
	return a, nil
}

func (s *Service) getAssignment(at side) func(context.Context, *call, *byChild) (*answer, error) {
	return func(ctx context.Context, c *call, in *byChild) (*answer, error) {
		id, err := s.end(ctx, c, at, in.Key, at.read())
		if err != nil {
			return nil, err
		}
		a, err := s.assignment(ctx, c, at, id, in.Child)
		if err != nil {
			return nil, err
		}
		return s.one(ctx, c, collection{typ: assignmentSchema.typ, context: at.context(id)}, assignmentResource(a))
	}
}

func (s *Service) deleteAssignment(at side) func(context.Context, *call, *byChild) (*answer, error) {
	return func(ctx context.Context, c *call, in *byChild) (*answer, error) {
		id, err := s.end(ctx, c, at, in.Key, deleteAssignments)
		if err != nil {
			return nil, err
		}
		a, err := s.assignment(ctx, c, at, id, in.Child)
		if err != nil {
			return nil, err
		}
		if err := s.AppRoleAssignments.RemoveAppRoleAssignment(ctx, c.tenant.ID, a.ID); err != nil {
			return nil, orNotFound(err, in.Child)
		}
		return nil, s.record(ctx, c, at.collection+"/"+id+"/"+at.navigation+"/"+a.ID)
	}
}

func (s *Service) createAssignment(at side) func(context.Context, *call, *keyBody) (*answer, error) {
	return func(ctx context.Context, c *call, in *keyBody) (*answer, error) {
		id, err := s.end(ctx, c, at, in.Key, writeAssignments)
		if err != nil {
			return nil, err
		}
		p, err := assignmentSchema.read(in.Body, c.beta(), nil)
		if err != nil {
			return nil, err
		}
		a := directory.AppRoleAssignment{TenantID: c.tenant.ID, RoleID: defaultAccess, CreatedAt: s.Now().UTC()}
		for _, m := range []struct {
			name string
			to   *string
		}{{"principalId", &a.PrincipalID}, {"resourceId", &a.ResourceID}, {"appRoleId", &a.RoleID}} {
			if _, err := p.set(m.name, m.to); err != nil || *m.to == "" {
				return nil, invalidValue(m.name, assignmentSchema.resource)
			}
			*m.to = strings.ToLower(*m.to)
		}
		if at.resource && a.ResourceID != id || !at.resource && a.PrincipalID != id {
			return nil, badRequest("Not a valid reference update.")
		}
		if err := s.complete(ctx, c, &a); err != nil {
			return nil, err
		}
		a.ID = AssignmentID(a.PrincipalID, [16]byte(s.random(16)))
		if err := s.AppRoleAssignments.AssignAppRole(ctx, a); err != nil {
			if errors.Is(err, fault.Conflict) {
				return nil, badRequest("Permission being assigned already exists on the object")
			}
			return nil, err
		}
		if err := s.record(ctx, c, at.collection+"/"+id+"/"+at.navigation+"/"+a.ID); err != nil {
			return nil, err
		}
		return s.created(c, at.context(id), assignmentResource(a)), nil
	}
}

// complete checks both ends and the role of an assignment and fills in their names.
func (s *Service) complete(ctx context.Context, c *call, a *directory.AppRoleAssignment) error {
	resource, err := s.Principals.Principal(ctx, c.tenant.ID, a.ResourceID)
	if err != nil {
		return orNotFound(err, a.ResourceID)
	}
	a.ResourceName = resource.DisplayName
	member := "Application"
	principal, err := s.Principals.Principal(ctx, c.tenant.ID, a.PrincipalID)
	switch {
	case err == nil:
		a.PrincipalType, a.PrincipalName = "ServicePrincipal", principal.DisplayName
	case fault.KindOf(err) != fault.NotFound:
		return err
	default:
		u, err := s.Users.User(ctx, c.tenant.ID, a.PrincipalID)
		if err != nil || u.ID != a.PrincipalID {
			return orNotFound(err, a.PrincipalID)
		}
		a.PrincipalType, a.PrincipalName, member = "User", u.DisplayName, "User"
	}
	if a.RoleID == defaultAccess {
		return nil
	}
	roles := resource.Roles
	app, err := s.Applications.ApplicationByAppID(ctx, resource.AppID)
	switch {
	case err == nil:
		roles = app.Roles
	case fault.KindOf(err) != fault.NotFound:
		return err
	}
	i := slices.IndexFunc(roles, func(r directory.AppRole) bool { return strings.EqualFold(r.ID, a.RoleID) })
	if i < 0 || !roles[i].Enabled || !slices.Contains(roles[i].AllowedMemberTypes, member) {
		return badRequest("Permission being assigned was not found on application '" + resource.AppID + "'.")
	}
	a.RoleID = roles[i].ID
	return nil
}
