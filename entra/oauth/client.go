package oauth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/entra/aadsts"
)

// nobody is the application id that is recognised as none (recorded August 2026).
const nobody = "00000000-0000-0000-0000-000000000000"

// client is who asks for a token: an application, or a managed identity, which is a service principal
// without one. It says what it may prove itself with; judging that is authenticate's.
type client struct {
	appID  string
	name   string
	home   string // the tenant in which it is registered
	public bool

	principal    directory.ServicePrincipal // in the tenant of the request
	secrets      []directory.ClientSecret
	certificates []directory.Certificate
	federated    string // owner of its federated credentials; "" when it can have none
}

func applicationClient(a directory.Application) client {
	return client{appID: a.AppID, name: a.DisplayName, home: a.TenantID, public: a.PublicClient,
		secrets: a.Secrets, certificates: a.Certificates, federated: a.ID}
}

// managedClient is a managed identity. Its credentials are the cloud's own affair: nobody adds secrets or
// certificates, and only user-assigned ones have federated credentials (Microsoft, "Workload identity
// federation").
func managedClient(p directory.ServicePrincipal) client {
	c := client{appID: p.AppID, name: p.DisplayName, home: p.TenantID, principal: p}
	if p.UserAssigned {
		c.federated = p.ID
	}
	return c
}

func (c client) managed() bool { return c.principal.Type == directory.TypeManagedIdentity }

// lifetime is how long an app-only token of the client lives: managed identities' live a day (recorded in
// Azure/kubelogin's fixtures: expires_in 86399).
func (c client) lifetime() time.Duration {
	if c.managed() {
		return managedLifetime
	}
	return lifetime
}

// findClient finds tenant, client and its service principal. Which tenants an application may be used in
// follows from its sign-in audience and from where it has a service principal; a managed identity is of
// one tenant alone.
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
	switch {
	case errors.Is(err, fault.NotFound) && isShared:
		return aadsts.New(aadsts.ApplicationNotFound, c.clientID, directoryName(c))
	case errors.Is(err, fault.NotFound):
		return s.findManaged(ctx, c)
	case err != nil:
		return err
	}
	c.client, c.clientID = applicationClient(app), app.AppID
	if isShared && !g.shared {
		return sharedRefusal(app, shared)
	}
	return s.findPrincipal(ctx, c, app)
}

// findPrincipal finds the application's service principal in the tenant.
func (s *Service) findPrincipal(ctx context.Context, c *call, app directory.Application) error {
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
	c.client.principal = p
	// A service principal may have credentials of its own (addPassword on it); they prove the client as well.
	c.client.secrets = slices.Concat(app.Secrets, p.Secrets)
	c.client.certificates = slices.Concat(app.Certificates, p.Certificates)
	return nil
}

// findManaged finds a managed identity of the tenant by the client's id, which is no application's.
func (s *Service) findManaged(ctx context.Context, c *call) error {
	p, err := s.Principals.PrincipalByAppID(ctx, c.tenant.ID, strings.ToLower(c.clientID))
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	return c.beManaged(p, c.clientID)
}

// beManaged makes a managed identity the client of the call. id is the name by which it was looked for;
// the zero principal is none.
func (c *call) beManaged(p directory.ServicePrincipal, id string) error {
	switch {
	case p.Type != directory.TypeManagedIdentity:
		return aadsts.New(aadsts.ApplicationNotFound, id, directoryName(c))
	case !p.Enabled:
		return aadsts.New(aadsts.ApplicationDisabled, p.AppID, p.DisplayName)
	}
	c.client, c.clientID = managedClient(p), p.AppID
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
