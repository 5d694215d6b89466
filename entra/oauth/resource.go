package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/entra/aadsts"
)

// Well-known resources (Microsoft, "Verify first-party Microsoft applications in sign-in reports").
const (
	graphAppID = "00000003-0000-0000-c000-000000000000"
	armAppID   = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
)

// resource is what a token is for.
type resource struct {
	asked     string // as the client wrote it: the audience of a v1 token
	principal directory.ServicePrincipal
	version   int // of its access tokens, whatever the endpoint: 1 or 2
	roles     []directory.AppRole
	idtyp     bool // its tokens say idtyp
}

// findResource finds a resource in the tenant by any of its names, or by api://{appId}. A slash more or
// less at the end names the same resource.
func (s *Service) findResource(ctx context.Context, tenant directory.Tenant, asked string) (resource, error) {
	r := resource{asked: asked}
	found := false
	for _, find := range s.lookups(tenant.ID, asked) {
		p, err := find(ctx)
		if errors.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return r, err
		}
		r.principal, found = p, true
		break
	}
	switch {
	case !found:
		return r, aadsts.New(aadsts.ResourceNotFound, asked, tenant.ID)
	case !r.principal.Enabled:
		return r, aadsts.New(aadsts.ResourceDisabled, asked)
	}
	return r, s.describe(ctx, &r)
}

// scopeRefusal words the refusal of a resource that a scope named: what is no identifier at all is a bad
// scope.
func (c *call) scopeRefusal(err error) error {
	asked := c.resource.asked
	byName := c.v1 && c.form["resource"] != ""
	e, is := errors.AsType[*aadsts.Error](err)
	if is && e.Code == aadsts.ResourceNotFound && !byName && !isGUID(asked) && !strings.Contains(asked, ":") {
		return aadsts.New(aadsts.ScopeInvalid, asked+"/.default")
	}
	return err
}

// maxResource is longer than any identifier URI: those end at 255 characters.
const maxResource = 512

type lookup func(ctx context.Context) (directory.ServicePrincipal, error)

func (s *Service) lookups(tenant, asked string) []lookup {
	if len(asked) > maxResource {
		return nil
	}
	byName := func(name string) lookup {
		return func(ctx context.Context) (directory.ServicePrincipal, error) {
			return s.Principals.PrincipalByName(ctx, tenant, name)
		}
	}
	out := []lookup{byName(asked)}
	if shorter, had := strings.CutSuffix(asked, "/"); had {
		out = append(out, byName(shorter))
	} else {
		out = append(out, byName(asked+"/"))
	}
	if appID, isAPI := strings.CutPrefix(asked, "api://"); isAPI && isGUID(appID) {
		out = append(out, func(ctx context.Context) (directory.ServicePrincipal, error) {
			return s.Principals.PrincipalByAppID(ctx, tenant, strings.ToLower(appID))
		})
	}
	return out
}

// describe fills in token version and app roles: the application's, or the service principal's own for a
// first-party resource, which has no application here.
func (s *Service) describe(ctx context.Context, r *resource) error {
	version, roles := r.principal.TokenVersion, r.principal.Roles
	var carried json.RawMessage
	if version == 0 {
		app, err := s.Applications.ApplicationByAppID(ctx, r.principal.AppID)
		switch {
		case err == nil:
			version, roles, carried = app.TokenVersion, app.Roles, app.Carried
		case !errors.Is(err, fault.NotFound):
			return err
		}
	}
	r.version, r.roles = 1, roles
	if version == 2 {
		r.version = 2
	}
	r.idtyp = r.principal.AppID == graphAppID || r.principal.AppID == armAppID || wantsClaim(carried, "idtyp")
	return nil
}

// wantsClaim reports whether a resource asks for an optional claim in its access tokens.
func wantsClaim(application json.RawMessage, claim string) bool {
	if !strings.Contains(string(application), `"optionalClaims"`) {
		return false
	}
	var a struct {
		OptionalClaims struct {
			AccessToken []struct {
				Name string `json:"name"`
			} `json:"accessToken"`
		} `json:"optionalClaims"`
	}
	if json.Unmarshal(application, &a) != nil {
		return false
	}
	for _, c := range a.OptionalClaims.AccessToken {
		if c.Name == claim {
			return true
		}
	}
	return false
}

// grantedRoles are the values of the resource's app roles that the principal holds. assigned is true when
// it holds any assignment, the default access of no role included.
func (s *Service) grantedRoles(ctx context.Context, principal string, r resource) (values []string, assigned bool, err error) {
	assignments, err := s.Assignments.AppRolesOf(ctx, principal)
	if err != nil {
		return nil, false, err
	}
	for _, a := range assignments {
		if a.ResourceID != r.principal.ID {
			continue
		}
		assigned = true
		for _, role := range r.roles {
			if role.ID == a.RoleID && role.Enabled && role.Value != "" && slices.Contains(role.AllowedMemberTypes, "Application") && !slices.Contains(values, role.Value) {
				values = append(values, role.Value)
			}
		}
	}
	slices.Sort(values)
	return values, assigned, nil
}
