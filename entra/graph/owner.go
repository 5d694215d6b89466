package graph

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/odata"
	"github.com/treatyfed/treaty/wire/rest"
)

// maxOwners bounds the owners of an object (entra/identity/users/directory-service-limits-restrictions).
const maxOwners = 100

// directoryObjects is how mixed lists of objects stand in queries.
var directoryObjects = odata.Type{Name: "directoryObject", Properties: directoryProperties()}

func directoryProperties() []string {
	var out []string
	for _, sc := range []schema{applicationSchema, principalSchema, userSchema} {
		for _, p := range sc.typ.Properties {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

// objectResource is a service principal, user or application by its object id, with its type; nil if
// there is none.
func (s *Service) objectResource(ctx context.Context, c *call, id string) (map[string]any, error) {
	sp, err := s.Principals.Principal(ctx, c.tenant.ID, id)
	if err == nil {
		m, err := s.principalResource(ctx, c, sp)
		return typed(m, "servicePrincipal"), err
	}
	if fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	u, err := s.Users.User(ctx, c.tenant.ID, id)
	if err == nil && u.ID == id {
		m, err := userResource(u)
		return typed(m, "user"), err
	}
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	a, err := s.Applications.Application(ctx, c.tenant.ID, id)
	if err == nil {
		m, err := applicationResource(c, a)
		return typed(m, "application"), err
	}
	if fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	return nil, nil
}

func typed(m map[string]any, name string) map[string]any {
	if m != nil {
		m["@odata.type"] = "#microsoft.graph." + name
	}
	return m
}

// ownersOf lists up to limit of an object's owners, as far as they still exist.
func (s *Service) ownersOf(ctx context.Context, c *call, o object, limit int) ([]map[string]any, error) {
	out := []map[string]any{}
	for _, id := range *o.owners() {
		if len(out) == limit {
			break
		}
		m, err := s.objectResource(ctx, c, id)
		if err != nil {
			return nil, err
		}
		if m != nil {
			out = append(out, m)
		}
	}
	return out, nil
}

// expandObject fills the navigation property of an $expand.
func (s *Service) expandObject(ctx context.Context, c *call, o object, item map[string]any, e odata.Expansion) error {
	var found []map[string]any
	var err error
	of := "directoryObjects"
	switch e.Property {
	case "owners":
		found, err = s.ownersOf(ctx, c, o, maxExpanded)
	case "federatedIdentityCredentials":
		var col collection
		of = federatedContext(o.id())
		if col, err = s.federatedList(ctx, c, o.id()); err == nil {
			found, _, err = col.fetch(ctx, "", maxFederated)
		}
	case "appRoleAssignments":
		of = ofPrincipal.context(o.id())
		found, err = s.assignments(ctx, c, o.id(), ofPrincipal)
	case "appRoleAssignedTo":
		of = onResource.context(o.id())
		found, err = s.assignments(ctx, c, o.id(), onResource)
	}
	if err != nil {
		return err
	}
	out := make([]map[string]any, 0, len(found))
	for _, m := range found[:min(len(found), maxExpanded)] {
		out = append(out, e.Project(s.described(c, of, m)))
	}
	item[e.Property] = out
	return nil
}

func (s *Service) listOwners(kind string) func(context.Context, *call, *byKey) (*answer, error) {
	return func(ctx context.Context, c *call, in *byKey) (*answer, error) {
		return s.owners(ctx, c, kind, in.Key, "directoryObjects")
	}
}

// owners lists the owners of an object; of is what stands behind "$metadata#".
func (s *Service) owners(ctx context.Context, c *call, kind, key, of string) (*answer, error) {
	o, err := s.permitted(ctx, c, kind, key, readApplications)
	if err != nil {
		return nil, err
	}
	owners, err := s.ownersOf(ctx, c, o, maxOwners)
	if err != nil {
		return nil, err
	}
	return s.list(ctx, c, collection{typ: directoryObjects, context: of, fetch: inMemory(owners)})
}

// ownable refuses what cannot own: owners are users and service principals of the tenant.
func (s *Service) ownable(ctx context.Context, c *call, id string) error {
	m, err := s.objectResource(ctx, c, id)
	if err != nil {
		return err
	}
	if m == nil || m["@odata.type"] == "#microsoft.graph.application" {
		return notFound(id)
	}
	return nil
}

// bindings reads owners@odata.bind of a creation.
func (s *Service) bindings(ctx context.Context, c *call, raw json.RawMessage) ([]string, error) {
	if isNull(raw) {
		return nil, nil
	}
	var links []json.RawMessage
	if rest.Decode(raw, &links) != nil || len(links) > maxOwners {
		return nil, badRequest("Invalid URL format specified for @odata.id.")
	}
	var out []string
	for _, l := range links {
		id, err := reference(l)
		if err != nil {
			return nil, err
		}
		if err := s.ownable(ctx, c, id); err != nil {
			return nil, err
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

func (s *Service) addOwner(kind string) func(context.Context, *call, *keyBody) (*answer, error) {
	return func(ctx context.Context, c *call, in *keyBody) (*answer, error) {
		id, err := reference(in.Body["@odata.id"])
		if err != nil {
			return nil, err
		}
		_, err = s.change(ctx, c, kind, in.Key, func(o object) error {
			if err := s.ownable(ctx, c, id); err != nil {
				return err
			}
			if slices.Contains(*o.owners(), id) {
				return badRequest("One or more added object references already exist for the following modified properties: 'owners'.")
			}
			if len(*o.owners()) >= maxOwners {
				return badRequest("The number of owners of resource '" + o.resource() + "' exceeds the limit.")
			}
			*o.owners() = append(*o.owners(), id)
			return nil
		})
		return nil, err
	}
}

func (s *Service) removeOwner(kind string) func(context.Context, *call, *byChild) (*answer, error) {
	return func(ctx context.Context, c *call, in *byChild) (*answer, error) {
		_, err := s.change(ctx, c, kind, in.Key, func(o object) error {
			i := slices.IndexFunc(*o.owners(), func(id string) bool { return strings.EqualFold(id, in.Child) })
			if i < 0 {
				return &failure{Status: 404, Code: "Request_ResourceNotFound", Message: "One or more removed object references do not exist for the following modified properties: 'owners'."}
			}
			*o.owners() = slices.Delete(*o.owners(), i, i+1)
			return nil
		})
		return nil, err
	}
}

// ownedObjects lists the applications and service principals that an object owns.
func (s *Service) ownedObjects(ctx context.Context, c *call, in *byKey) (*answer, error) {
	if err := s.permit(ctx, c, readApplications, servicePrincipals+"/"+clip(in.Key), nil); err != nil {
		return nil, err
	}
	o, err := s.find(ctx, c, servicePrincipals, in.Key)
	if err != nil {
		return nil, err
	}
	if o.id() != c.objectID { // it may always ask what it owns itself
		if err := s.permit(ctx, c, readApplications, o.path(), o.owners()); err != nil {
			return nil, err
		}
	}
	return s.owned(ctx, c, o.id())
}

// myOwnedObjects lists what the signed-in user owns.
func (s *Service) myOwnedObjects(ctx context.Context, c *call, _ *none) (*answer, error) {
	if err := s.signedIn(ctx, c); err != nil {
		return nil, err
	}
	return s.owned(ctx, c, c.objectID)
}

func (s *Service) owned(ctx context.Context, c *call, owner string) (*answer, error) {
	var owned []map[string]any
	err := s.eachApplication(ctx, c.tenant.ID, func(a directory.Application) error {
		if !slices.Contains(a.Owners, owner) {
			return nil
		}
		m, err := applicationResource(c, a)
		owned = append(owned, typed(m, "application"))
		return err
	})
	if err != nil {
		return nil, err
	}
	err = s.eachPrincipal(ctx, c.tenant.ID, func(sp directory.ServicePrincipal) error {
		if !slices.Contains(sp.Owners, owner) {
			return nil
		}
		m, err := s.principalResource(ctx, c, sp)
		owned = append(owned, typed(m, "servicePrincipal"))
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.list(ctx, c, collection{typ: directoryObjects, context: "directoryObjects", fetch: inMemory(owned)})
}
