package graph

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/rest"
)

// typedOfApplication are the members of a body that Application has fields for.
var typedOfApplication = []string{"displayName", "uniqueName", "signInAudience", "identifierUris", "appRoles", "passwordCredentials", "keyCredentials"}

// apply writes a checked body into an application. a is changed only as far as the caller will throw it
// away on an error.
func (s *Service) apply(ctx context.Context, c *call, a *directory.Application, p payload) error {
	for _, step := range []func() error{
		func() error { return setName(a, p) },
		func() error { return setAudience(a, p) },
		func() error { return setFallback(a, p) },
		func() error { return setScopes(*a, p) },
		func() error { return setAppRoles(&a.Roles, p, "Application") },
		func() error { return s.setKeys(&a.Certificates, p, "Application") },
		func() error { return s.setIdentifierURIs(ctx, c, a, p) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	carried, err := carry(a.Carried, p, typedOfApplication...)
	if err != nil {
		return err
	}
	a.Carried = carried
	return nil
}

func setName(a *directory.Application, p payload) error {
	for _, f := range []struct {
		name string
		to   *string
		max  int
	}{{"displayName", &a.DisplayName, 256}, {"uniqueName", &a.UniqueName, 128}} {
		var v *string
		present, err := p.set(f.name, &v)
		switch {
		case err != nil:
			return err
		case !present:
		case f.name == "displayName" && (v == nil || *v == ""):
			return badRequest("A value is required for property 'displayName' of resource 'Application'.")
		case v != nil && len(*v) > f.max:
			return invalidValue(f.name, "Application")
		case f.name == "uniqueName" && a.UniqueName != "" && (v == nil || *v != a.UniqueName):
			return badRequest("Property 'uniqueName' is read-only and cannot be set.")
		case v != nil:
			*f.to = *v
		}
	}
	return nil
}

// setAudience sets signInAudience and api.requestedAccessTokenVersion, which depend on each other:
// accounts of people need version 2 (resources/apiapplication, requestedAccessTokenVersion).
func setAudience(a *directory.Application, p payload) error {
	audience := a.SignInAudience
	if _, err := p.set("signInAudience", &audience); err != nil {
		return err
	}
	if audience == "" {
		audience = orgsAndPeople // the documented default
	}
	if !slices.Contains([]string{singleTenant, severalOrgs, orgsAndPeople, peopleOnly}, audience) {
		return invalidValue("signInAudience", "Application")
	}
	a.SignInAudience = audience
	people := audience == orgsAndPeople || audience == peopleOnly
	var api struct {
		Version optional[int] `json:"requestedAccessTokenVersion"`
	}
	if _, err := p.set("api", &api); err != nil {
		return invalidValue("api", "Application")
	}
	switch v := api.Version.value; {
	case api.Version.present && (v < 0 || v > 2 || v == 0 && !api.Version.null):
		return invalidValue("api.requestedAccessTokenVersion", "Application")
	case api.Version.present && people && v != 2:
		return badRequest("Property api.requestedAccessTokenVersion in the request is invalid: it must be 2 for signInAudience " + audience + ".")
	case api.Version.present:
		a.TokenVersion = v
	case people:
		a.TokenVersion = 2
	}
	return nil
}

// optional is a JSON value that knows whether it was there and whether it was null.
type optional[T any] struct {
	present, null bool
	value         T
}

// UnmarshalJSON is called for null too.
func (o *optional[T]) UnmarshalJSON(b []byte) error {
	o.present = true
	if string(b) == "null" {
		o.null = true
		return nil
	}
	return rest.Decode(b, &o.value)
}

// setFallback sets isFallbackPublicClient, which is carried too since null is not false.
func setFallback(a *directory.Application, p payload) error {
	var v *bool
	if present, err := p.set("isFallbackPublicClient", &v); !present || err != nil {
		return err
	}
	a.PublicClient = v != nil && *v
	return nil
}

// Bounds of identifierUris.
const (
	maxIdentifierURIs   = 50
	maxIdentifierLength = 255
)

// setIdentifierURIs sets identifierUris. New ones must be api:// URIs or lie on a verified domain of the
// tenant; single-tenant applications with version 2 tokens are exempt (learn.microsoft.com
// entra/identity-platform/identifier-uri-restrictions). Each is unique in the tenant.
func (s *Service) setIdentifierURIs(ctx context.Context, c *call, a *directory.Application, p payload) error {
	var uris []string
	present, err := p.set("identifierUris", &uris)
	if !present || err != nil {
		return err
	}
	if len(uris) > maxIdentifierURIs {
		return invalidValue("identifierUris", "Application")
	}
	var added []string
	for i, u := range uris {
		if slices.ContainsFunc(uris[:i], func(o string) bool { return strings.EqualFold(o, u) }) {
			return &failure{Status: 400, Code: "DuplicateValue", Message: "Request contains a property with duplicate values."}
		}
		if slices.Contains(a.IdentifierURIs, u) {
			continue
		}
		added = append(added, u)
		if err := identifierURI(c.tenant, a, u); err != nil {
			return err
		}
	}
	if err := s.unused(ctx, c, a, added); err != nil {
		return err
	}
	a.IdentifierURIs = uris
	return nil
}

func identifierURI(t directory.Tenant, a *directory.Application, u string) error {
	parsed, err := url.Parse(u)
	if err != nil || parsed.Scheme == "" || len(u) > maxIdentifierLength || strings.ContainsAny(u, " \t\r\n*") || parsed.Opaque == "" && parsed.Host == "" {
		return invalidValue("identifierUris", "Application")
	}
	switch strings.ToLower(parsed.Scheme) {
	case "api", "urn", "ms-appx":
		return nil
	}
	if a.SignInAudience == singleTenant && a.TokenVersion == 2 {
		return nil
	}
	host := strings.ToLower(parsed.Hostname())
	for _, d := range t.Domains {
		if d = strings.ToLower(d); host == d || strings.HasSuffix(host, "."+d) {
			return nil
		}
	}
	return &failure{Status: 400, Code: "HostNameNotOnVerifiedDomain",
		Message: "Values of identifierUris property must use a verified domain of the organization or its subdomain: '" + clip(u) + "'"}
}

// unused refuses identifier URIs that another application, or a first-party service principal, has.
func (s *Service) unused(ctx context.Context, c *call, a *directory.Application, uris []string) error {
	taken := uriTaken()
	for _, u := range uris {
		sp, err := s.Principals.PrincipalByName(ctx, c.tenant.ID, u)
		if err == nil && sp.AppID != a.AppID {
			return taken
		}
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	if len(uris) == 0 {
		return nil
	}
	return s.eachApplication(ctx, c.tenant.ID, func(o directory.Application) error {
		if o.ID != a.ID && slices.ContainsFunc(o.IdentifierURIs, func(have string) bool {
			return slices.ContainsFunc(uris, func(u string) bool { return strings.EqualFold(u, have) })
		}) {
			return taken
		}
		return nil
	})
}

// uriTaken is the refusal of an identifier URI that another object of the tenant has.
func uriTaken() *failure {
	return &failure{Status: 400, Code: "Request_MultipleObjectsWithSameKeyValue", Message: "Another object with the same value for property identifierUris already exists."}
}

// eachApplication visits every application of a tenant.
func (s *Service) eachApplication(ctx context.Context, tenant string, visit func(directory.Application) error) error {
	for after := ""; ; {
		batch, err := s.Applications.Applications(ctx, tenant, after, storePage)
		if err != nil {
			return err
		}
		for _, a := range batch {
			if err := visit(a); err != nil {
				return err
			}
		}
		if len(batch) < storePage {
			return nil
		}
		after = batch[len(batch)-1].ID
	}
}
