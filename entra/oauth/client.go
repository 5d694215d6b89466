package oauth

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/entra/aadsts"
)

// nobody is the application id that is recognised as none (recorded August 2026).
const nobody = "00000000-0000-0000-0000-000000000000"

// findClient finds tenant, application and service principal. Which tenants an application may be used
// in follows from its sign-in audience and from where it has a service principal.
func (s *Service) findClient(ctx context.Context, c *call, g grant) error {
	shared, isShared := sharedName(c.segment)
	if !isShared {
		var err error
		if c.tenant, err = s.findTenant(ctx, c.segment); err != nil {
			return err
		}
	}
	if c.clientID == "" && c.assertion != "" {
		c.clientID = c.presented.Claims.Text("sub") // RFC 7521 section 4.2: the assertion names the client
		if c.clientID == "" {
			return aadsts.New(aadsts.AssertionMalformed)
		}
	}
	if c.clientID == "" {
		return aadsts.New(aadsts.ParameterMissing, "client_id")
	}
	if c.clientID == nobody {
		return aadsts.New(aadsts.ApplicationInvalid, c.clientID)
	}
	app, err := s.Applications.ApplicationByAppID(ctx, strings.ToLower(c.clientID))
	if errors.Is(err, fault.NotFound) {
		return aadsts.New(aadsts.ApplicationNotFound, c.clientID, directoryName(c))
	}
	if err != nil {
		return err
	}
	c.application, c.clientID = app, app.AppID
	if isShared && !g.shared {
		return sharedRefusal(app, shared)
	}
	return s.findPrincipal(ctx, c)
}

// findPrincipal finds the application's service principal in the tenant.
func (s *Service) findPrincipal(ctx context.Context, c *call) error {
	app := c.application
	home := app.TenantID == c.tenant.ID
	if !home && !multiTenant(app) {
		return aadsts.New(aadsts.ApplicationNotFound, app.AppID, directoryName(c))
	}
	p, err := s.Principals.PrincipalByAppID(ctx, c.tenant.ID, app.AppID)
	switch {
	case errors.Is(err, fault.NotFound):
		return aadsts.New(aadsts.PrincipalMissing, app.AppID, c.tenant.ID)
	case err != nil:
		return err
	case !p.Enabled:
		return aadsts.New(aadsts.ApplicationDisabled, app.AppID, app.DisplayName)
	}
	c.principal = p
	// A service principal may have credentials of its own (addPassword on it); they prove the client as well.
	c.application.Secrets = slices.Concat(app.Secrets, p.Secrets)
	c.application.Certificates = slices.Concat(app.Certificates, p.Certificates)
	return nil
}

// sharedRefusal is the answer to a grant that needs a tenant at an authority that stands for many.
func sharedRefusal(app directory.Application, shared string) error {
	switch {
	case shared == consumers:
		return aadsts.New(aadsts.GrantNotShared)
	case !multiTenant(app):
		return aadsts.New(aadsts.NotMultiTenant, app.AppID, app.DisplayName)
	}
	return aadsts.New(aadsts.NoTenant)
}

// multiTenant reports whether an application may be used outside its own tenant (Microsoft,
// "application resource type", signInAudience).
func multiTenant(app directory.Application) bool {
	return app.SignInAudience == "AzureADMultipleOrgs" || app.SignInAudience == "AzureADandPersonalMicrosoftAccount"
}

func directoryName(c *call) string {
	if c.tenant.DisplayName != "" {
		return c.tenant.DisplayName
	}
	if c.tenant.ID != "" {
		return c.tenant.ID
	}
	return c.segment
}

func sameGUID(a, b string) bool { return strings.EqualFold(a, b) }
