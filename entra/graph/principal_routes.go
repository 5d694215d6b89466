package graph

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

func (s *Service) listPrincipals(ctx context.Context, c *call, _ *none) (*answer, error) {
	if err := s.permit(ctx, c, readApplications, servicePrincipals, nil); err != nil {
		return nil, err
	}
	return s.list(ctx, c, s.principalList(c))
}

func (s *Service) countPrincipals(ctx context.Context, c *call, _ *none) (*answer, error) {
	if err := s.permit(ctx, c, readApplications, servicePrincipals, nil); err != nil {
		return nil, err
	}
	return s.count(ctx, c, s.principalList(c))
}

func (s *Service) getPrincipal(ctx context.Context, c *call, in *byKey) (*answer, error) {
	o, err := s.permitted(ctx, c, servicePrincipals, in.Key, readApplications)
	if err != nil {
		return nil, err
	}
	m, err := s.principalResource(ctx, c, *o.sp)
	if err != nil {
		return nil, err
	}
	return s.one(ctx, c, s.principalList(c), m)
}

func (s *Service) createPrincipal(ctx context.Context, c *call, in *withBody) (*answer, error) {
	if err := s.permit(ctx, c, writeApplications, servicePrincipals, nil); err != nil {
		return nil, err
	}
	p, err := principalSchema.read(in.Body, c.beta(), nil, bindOwners)
	if err != nil {
		return nil, err
	}
	var appID string
	if _, err := p.set("appId", &appID); err != nil || appID == "" {
		return nil, badRequest("A value is required for property 'appId' of resource 'ServicePrincipal'.")
	}
	if !isGUID(appID) {
		return nil, invalidValue("appId", principalSchema.resource)
	}
	a, err := s.backing(ctx, c, canonical(appID))
	if err != nil {
		return nil, err
	}
	sp := directory.ServicePrincipal{
		ID: s.newGUID(), TenantID: c.tenant.ID, AppID: a.AppID, DisplayName: a.DisplayName, Type: directory.TypeApplication, OwnerTenant: a.TenantID,
		Enabled: true, CreatedAt: s.Now().UTC(), Names: principalNames(a, nil),
	}
	if a.TenantID != c.tenant.ID {
		if sp.Names, err = s.foreignNames(ctx, c, a); err != nil {
			return nil, err
		}
	}
	if raw, ok := p["servicePrincipalType"]; ok && !sameJSON(raw, directory.TypeApplication) { // Azure alone makes the others
		return nil, badRequest("Property 'servicePrincipalType' is read-only and cannot be set.")
	}
	delete(p, "servicePrincipalType")
	if err := s.setPrincipal(&sp, a, p); err != nil {
		return nil, err
	}
	if sp.Owners, err = s.bindings(ctx, c, p[bindOwners]); err != nil {
		return nil, err
	}
	if c.limited(writeApplications) && !slices.Contains(sp.Owners, c.objectID) {
		sp.Owners = append(sp.Owners, c.objectID)
	}
	if err := s.Principals.CreatePrincipal(ctx, sp); err != nil {
		return nil, principalFailure(err, sp)
	}
	if err := s.record(ctx, c, servicePrincipals+"/"+sp.ID); err != nil {
		return nil, err
	}
	m, err := s.principalResource(ctx, c, sp)
	if err != nil {
		return nil, err
	}
	return s.created(c, servicePrincipals, m), nil
}

// principalFailure gives a taken appId or name Graph's text.
func principalFailure(err error, sp directory.ServicePrincipal) error {
	if errors.Is(err, fault.Conflict) {
		return conflict("The service principal cannot be created, updated, or restored because the service principal name " + sp.AppID + " is already in use.")
	}
	return err
}

// backing finds the application behind a new service principal: one of the tenant, or of another tenant
// if its audience is not that tenant alone. An owner-only caller may use its own applications only.
func (s *Service) backing(ctx context.Context, c *call, appID string) (directory.Application, error) {
	a, err := s.Applications.ApplicationByAppID(ctx, appID)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return a, err
	}
	if err == nil && a.TenantID == c.tenant.ID {
		return a, s.permit(ctx, c, writeApplications, applications+"/"+a.ID, &a.Owners)
	}
	if _, err := s.Principals.PrincipalByAppID(ctx, c.tenant.ID, appID); err == nil { // a first-party one
		return a, principalFailure(fault.New(fault.Conflict, "create principal", "app_id"), directory.ServicePrincipal{AppID: appID})
	}
	if c.limited(writeApplications) {
		return a, &failure{Status: http.StatusForbidden, Code: "Authorization_RequestDenied",
			Message: "When using this permission, the backing application of the service principal being created must in the local tenant"}
	}
	if err != nil || a.SignInAudience == singleTenant {
		message := "The appId '" + appID + "' of the service principal does not reference a valid application object."
		f := badRequest(message)
		f.Details = []detail{{Code: "NoBackingApplicationObject", Message: message, Target: "appId"}}
		return a, f
	}
	return a, nil
}

// foreignNames are the servicePrincipalNames of another tenant's application: its appId, and those of its
// identifier URIs that nothing in this tenant has, since they are unique in their own tenant only.
func (s *Service) foreignNames(ctx context.Context, c *call, a directory.Application) ([]string, error) {
	names := []string{a.AppID}
	for _, u := range a.IdentifierURIs {
		var taken *failure
		err := s.unused(ctx, c, &a, []string{u})
		if err != nil && !errors.As(err, &taken) {
			return nil, err
		}
		if err == nil && !containsFold(names, u) {
			names = append(names, u)
		}
	}
	return names, nil
}

func (s *Service) updatePrincipal(ctx context.Context, c *call, in *keyBody) (*answer, error) {
	var changed directory.ServicePrincipal
	_, err := s.rewrite(ctx, c, servicePrincipals, in.Key, func(o object) error {
		current, err := s.principalResource(ctx, c, *o.sp)
		if err != nil {
			return err
		}
		p, err := principalSchema.read(in.Body, c.beta(), current)
		if err != nil {
			return err
		}
		for _, fixed := range []string{"appId", "servicePrincipalType"} {
			if raw, ok := p[fixed]; ok && !sameJSON(raw, current[fixed]) {
				return badRequest("Property '" + fixed + "' is read-only and cannot be set.")
			}
		}
		if err := s.permitManaged(ctx, c, o, p, current); err != nil {
			return err
		}
		a, err := s.Applications.ApplicationByAppID(ctx, o.sp.AppID)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
		if a.TenantID != c.tenant.ID {
			a.IdentifierURIs = nil
		}
		changed = *o.sp
		if err := s.setPrincipal(o.sp, a, p); err != nil {
			return err
		}
		changed = *o.sp
		return nil
	})
	var f *failure
	if err != nil && !errors.As(err, &f) {
		return nil, principalFailure(err, changed)
	}
	return nil, err
}

func (s *Service) deletePrincipal(ctx context.Context, c *call, in *byKey) (*answer, error) {
	o, err := s.permitted(ctx, c, servicePrincipals, in.Key, writeApplications)
	if err != nil {
		return nil, err
	}
	if err := s.unmanaged(ctx, c, o); err != nil {
		return nil, err
	}
	if err := s.Principals.DeletePrincipal(ctx, c.tenant.ID, o.sp.ID); err != nil {
		return nil, orNotFound(err, o.sp.ID)
	}
	return nil, s.record(ctx, c, o.path())
}
