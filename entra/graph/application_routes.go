package graph

import (
	"context"
	"slices"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/odata"
)

// applicationList is the collection of applications that the caller may see.
func (s *Service) applicationList(c *call) collection {
	visible := func(a directory.Application) bool {
		return !c.limited(readApplications) || slices.Contains(a.Owners, c.objectID)
	}
	show := func(_ context.Context, as ...directory.Application) ([]map[string]any, error) {
		out := make([]map[string]any, 0, len(as))
		for _, a := range as {
			if !visible(a) {
				continue
			}
			m, err := applicationResource(c, a)
			if err != nil {
				return nil, err
			}
			out = append(out, m)
		}
		return out, nil
	}
	return collection{
		typ: applicationSchema.typ, context: applications,
		fetch: paged(func(ctx context.Context, after string, limit int) ([]directory.Application, error) {
			return s.Applications.Applications(ctx, c.tenant.ID, after, limit)
		}, func(v directory.Application) string { return v.ID }, show),
		lookup: byIDs(func(ctx context.Context, key string) (directory.Application, error) {
			return s.findApplication(ctx, c, key)
		}, show),
		expand: func(ctx context.Context, item map[string]any, e odata.Expansion) error {
			id, _ := item["id"].(string)
			a, err := s.Applications.Application(ctx, c.tenant.ID, id)
			if err != nil {
				return err
			}
			return s.expandObject(ctx, c, object{app: &a}, item, e)
		},
	}
}

// missing reports whether err is Graph's 404.
func missing(err error) bool {
	f, ok := err.(*failure)
	return ok && f.Status == 404
}

func (s *Service) listApplications(ctx context.Context, c *call, _ *none) (*answer, error) {
	if err := s.permit(ctx, c, readApplications, applications, nil); err != nil {
		return nil, err
	}
	return s.list(ctx, c, s.applicationList(c))
}

func (s *Service) countApplications(ctx context.Context, c *call, _ *none) (*answer, error) {
	if err := s.permit(ctx, c, readApplications, applications, nil); err != nil {
		return nil, err
	}
	return s.count(ctx, c, s.applicationList(c))
}

func (s *Service) getApplication(ctx context.Context, c *call, in *byKey) (*answer, error) {
	o, err := s.permitted(ctx, c, applications, in.Key, readApplications)
	if err != nil {
		return nil, err
	}
	m, err := applicationResource(c, *o.app)
	if err != nil {
		return nil, err
	}
	return s.one(ctx, c, s.applicationList(c), m)
}

// Bindings of owners in the body of a creation.
const bindOwners = "owners@odata.bind"

func (s *Service) createApplication(ctx context.Context, c *call, in *withBody) (*answer, error) {
	if err := s.permit(ctx, c, writeApplications, applications, nil); err != nil {
		return nil, err
	}
	return s.makeApplication(ctx, c, in.Body, "")
}

// makeApplication creates an application; uniqueName is that of the URL of an upsert.
func (s *Service) makeApplication(ctx context.Context, c *call, body payload, uniqueName string) (*answer, error) {
	p, err := applicationSchema.read(body, c.beta(), nil, bindOwners)
	if err != nil {
		return nil, err
	}
	if _, ok := p["displayName"]; !ok {
		return nil, badRequest("A value is required for property 'displayName' of resource 'Application'.")
	}
	a := directory.Application{ID: s.newGUID(), AppID: s.newGUID(), TenantID: c.tenant.ID, UniqueName: uniqueName, CreatedAt: s.Now().UTC()}
	if err := s.apply(ctx, c, &a, p); err != nil {
		return nil, err
	}
	var secrets map[string]credential.Secret
	if a.Secrets, secrets, err = s.initialPasswords(p); err != nil {
		return nil, err
	}
	if a.Owners, err = s.bindings(ctx, c, p[bindOwners]); err != nil {
		return nil, err
	}
	if c.limited(writeApplications) && !slices.Contains(a.Owners, c.objectID) {
		a.Owners = append(a.Owners, c.objectID) // else it could never touch what it made
	}
	switch err := s.Applications.CreateApplication(ctx, a); fault.KindOf(err) {
	case fault.Conflict: // on uniqueName or on a URI that another request took since we looked
		if err := s.unused(ctx, c, &a, a.IdentifierURIs); err != nil {
			return nil, err
		}
		return nil, conflict("Another object with the same value for property uniqueName already exists.")
	default:
		if err != nil {
			return nil, err
		}
	}
	if err := s.record(ctx, c, applications+"/"+a.ID); err != nil {
		return nil, err
	}
	m, err := applicationResource(c, a)
	if err != nil {
		return nil, err
	}
	shown, _ := m["passwordCredentials"].([]any)
	for _, k := range shown {
		if k, ok := k.(map[string]any); ok {
			id, _ := k["keyId"].(string)
			k["secretText"] = text(secrets[id].Reveal())
		}
	}
	out := s.created(c, applications, m)
	out.location = s.GraphURL + "/v2/" + c.tenant.ID + "/directoryObjects/" + a.ID + "/Microsoft.DirectoryServices.Application"
	return out, nil
}

// updateApplication is PATCH; on (uniqueName='…') with Prefer: create-if-missing it creates what is missing
// (graph/api/application-upsert).
func (s *Service) updateApplication(ctx context.Context, c *call, in *keyBody) (*answer, error) {
	name, unique := odata.Key(in.Key, "appId", "uniqueName")
	upsert := name == "uniqueName" && c.prefers("create-if-missing")
	var was directory.Application
	followed := false
	o, err := s.change(ctx, c, applications, in.Key, func(o object) error {
		was = *o.app
		current, err := applicationResource(c, was)
		if err != nil {
			return err
		}
		p, err := applicationSchema.read(in.Body, c.beta(), current)
		if err != nil {
			return err
		}
		if err := keepPasswords(&o.app.Secrets, p); err != nil {
			return err
		}
		if err := s.apply(ctx, c, o.app, p); err != nil {
			return err
		}
		followed = true
		return s.followApplication(ctx, was, *o.app)
	})
	if upsert && missing(err) {
		return s.makeApplication(ctx, c, in.Body, unique)
	}
	if err != nil {
		if followed && o.app != nil {
			err = s.unfollow(ctx, *o.app, was, err)
		}
		if fault.KindOf(err) == fault.Conflict && !stale(err) {
			return nil, uriTaken() // by a request that came between our look and our write
		}
		return nil, err
	}
	return nil, s.dropAssignments(ctx, was, *o.app)
}

func (s *Service) deleteApplication(ctx context.Context, c *call, in *byKey) (*answer, error) {
	o, err := s.permitted(ctx, c, applications, in.Key, writeApplications)
	if err != nil {
		return nil, err
	}
	sp, err := s.Principals.PrincipalByAppID(ctx, c.tenant.ID, o.app.AppID)
	switch {
	case err == nil: // the home tenant's service principal goes with the application
		if err := s.Principals.DeletePrincipal(ctx, c.tenant.ID, sp.ID); err != nil && fault.KindOf(err) != fault.NotFound {
			return nil, err
		}
	case fault.KindOf(err) != fault.NotFound:
		return nil, err
	}
	if err := s.Applications.DeleteApplication(ctx, c.tenant.ID, o.app.ID); err != nil {
		return nil, orNotFound(err, o.app.ID)
	}
	return nil, s.record(ctx, c, o.path())
}
