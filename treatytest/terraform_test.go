package treatytest_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/manicminer/hamilton/msgraph"
	"github.com/manicminer/hamilton/odata"
	"golang.org/x/oauth2"

	"github.com/treatyfed/treaty/treatytest"
)

// authorizer gives hamilton the tokens of a credential: its own ask for theirs by http.DefaultClient, which
// does not find a server inside a test.
type authorizer struct {
	context.Context
	azcore.TokenCredential
}

func (a authorizer) Token() (*oauth2.Token, error) {
	t, err := a.GetToken(a, policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
	return &oauth2.Token{AccessToken: t.Token, TokenType: "Bearer", Expiry: t.ExpiresOn}, err
}

func (a authorizer) AuxiliaryTokens() ([]*oauth2.Token, error) { return nil, nil }

// terraform is the Graph client that Terraform's azuread provider is made of, unmodified.
type terraform struct {
	*testing.T
	tt       *treatytest.Treaty
	self     string // the service principal that it signs in as
	apps     *msgraph.ApplicationsClient
	sps      *msgraph.ServicePrincipalsClient
	objects  *msgraph.DirectoryObjectsClient
	domains  *msgraph.DomainsClient
	assigned *msgraph.AppRoleAssignedToClient
	held     *msgraph.AppRoleAssignmentsClient
}

// newTerraform signs in as a workload that shows a token of an identity pool.
func newTerraform(t *testing.T) *terraform {
	tt := treatytest.New(t)
	pool := tt.AddPool("terraform", "my.dev.provider")
	identity, _ := tt.DeveloperToken(pool, "runner")
	app := tt.AddApplication("terraform")
	tt.Trust(app, "cognito", "https://cognito-identity.amazonaws.com", identity, pool.ID)
	for _, permission := range []string{"Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "Directory.Read.All"} {
		tt.Grant(app, permission)
	}
	assertion := func(context.Context) (string, error) {
		_, token := tt.DeveloperToken(pool, "runner")
		return token, nil
	}
	credential, err := azidentity.NewClientAssertionCredential(tt.TenantID, app.ClientID, assertion, &azidentity.ClientAssertionCredentialOptions{
		ClientOptions: azcore.ClientOptions{Transport: tt.HTTPClient},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &terraform{
		T: t, tt: tt, self: app.PrincipalID,
		apps: msgraph.NewApplicationsClient(tt.TenantID), sps: msgraph.NewServicePrincipalsClient(tt.TenantID),
		objects: msgraph.NewDirectoryObjectsClient(tt.TenantID), domains: msgraph.NewDomainsClient(tt.TenantID),
		assigned: msgraph.NewAppRoleAssignedToClient(tt.TenantID), held: msgraph.NewServicePrincipalsAppRoleAssignmentsClient(tt.TenantID),
	}
	for _, base := range []*msgraph.Client{&c.apps.BaseClient, &c.sps.BaseClient, &c.objects.BaseClient, &c.domains.BaseClient, &c.assigned.BaseClient, &c.held.BaseClient} {
		base.Authorizer = authorizer{t.Context(), credential}
		base.RetryableClient.HTTPClient = tt.HTTPClient
		base.DisableRetries = true // a 404 is an answer here
	}
	return c
}

// done fails the test unless a call ended with this status and, for 2xx, without an error.
func (c *terraform) done(what string, want, status int, err error) {
	c.Helper()
	if status != want || (err != nil) != (want >= 300) {
		c.Fatalf("%s: status %d, want %d: %v", what, status, want, err)
	}
}

// application makes an application with a role and its service principal.
func (c *terraform) application() (*msgraph.Application, *msgraph.ServicePrincipal) {
	c.Helper()
	app, status, err := c.apps.Create(c.Context(), msgraph.Application{
		DisplayName: new("orders"), SignInAudience: new(msgraph.SignInAudience("AzureADMyOrg")),
		Api: &msgraph.ApplicationApi{RequestedAccessTokenVersion: new(int32(2)), KnownClientApplications: &[]string{}, OAuth2PermissionScopes: &[]msgraph.PermissionScope{}},
		AppRoles: &[]msgraph.AppRole{{ID: new("aaaaaaaa-0000-4000-8000-000000000002"), AllowedMemberTypes: &[]msgraph.AppRoleAllowedMemberType{"Application"},
			Description: new("reads"), DisplayName: new("Reader"), IsEnabled: new(true), Value: new("Orders.Read")}},
		Web: &msgraph.ApplicationWeb{ImplicitGrantSettings: &msgraph.ImplicitGrantSettings{}, RedirectUris: &[]string{"https://app.example/cb"}},
	})
	c.done("create application", http.StatusCreated, status, err)
	status, err = c.apps.Update(c.Context(), msgraph.Application{DirectoryObject: msgraph.DirectoryObject{ID: app.ID}, IdentifierUris: &[]string{"api://" + *app.AppId}})
	c.done("update application", http.StatusNoContent, status, err)
	read, status, err := c.apps.Get(c.Context(), *app.ID, odata.Query{})
	c.done("get application", http.StatusOK, status, err)
	if !slices.Equal(*read.IdentifierUris, []string{"api://" + *app.AppId}) || *read.DisplayName != "orders" || *(*read.AppRoles)[0].Value != "Orders.Read" || !slices.Equal(*read.Web.RedirectUris, []string{"https://app.example/cb"}) {
		c.Errorf("%+v", read)
	}
	found, status, err := c.apps.List(c.Context(), odata.Query{Filter: "displayName eq 'orders'"})
	c.done("list applications", http.StatusOK, status, err)
	if len(*found) != 1 || *(*found)[0].AppId != *app.AppId {
		c.Errorf("%+v", found)
	}
	sp, status, err := c.sps.Create(c.Context(), msgraph.ServicePrincipal{AppId: app.AppId, AccountEnabled: new(true), Tags: &[]string{"WindowsAzureActiveDirectoryIntegratedApp"}})
	c.done("create service principal", http.StatusCreated, status, err)
	return read, sp
}

func TestTerraformsClientManagesApplications(t *testing.T) {
	t.Parallel()
	c := newTerraform(t)
	app, sp := c.application()
	c.credentials(*app.ID)
	c.owners(app)
	c.roles(sp)
	c.seeded()

	domains, status, err := c.domains.List(t.Context(), odata.Query{})
	c.done("list domains", http.StatusOK, status, err)
	if len(*domains) == 0 || !*(*domains)[0].IsDefault || !*(*domains)[0].IsVerified {
		t.Errorf("%+v", domains)
	}

	status, err = c.sps.Delete(t.Context(), *sp.ID)
	c.done("delete service principal", http.StatusNoContent, status, err)
	status, err = c.apps.Delete(t.Context(), *app.ID)
	c.done("delete application", http.StatusNoContent, status, err)
	_, status, err = c.apps.Get(t.Context(), *app.ID, odata.Query{})
	c.done("get application", http.StatusNotFound, status, err)
}

// credentials adds, reads and removes a federated identity credential and a password.
func (c *terraform) credentials(app string) {
	c.Helper()
	ctx := c.Context()
	made, status, err := c.apps.CreateFederatedIdentityCredential(ctx, app, msgraph.FederatedIdentityCredential{
		Audiences: &[]string{"api://AzureADTokenExchange"}, Issuer: new("https://cognito-identity.amazonaws.com"), Name: new("cognito"), Subject: new("us-east-1:x"),
	})
	c.done("create federated identity credential", http.StatusCreated, status, err)
	status, err = c.apps.UpdateFederatedIdentityCredential(ctx, app, msgraph.FederatedIdentityCredential{ID: made.ID, Subject: new("us-east-1:y")})
	c.done("update federated identity credential", http.StatusNoContent, status, err)
	all, status, err := c.apps.ListFederatedIdentityCredentials(ctx, app, odata.Query{})
	c.done("list federated identity credentials", http.StatusOK, status, err)
	if len(*all) != 1 || *(*all)[0].ID != *made.ID || *(*all)[0].Name != "cognito" || *(*all)[0].Subject != "us-east-1:y" {
		c.Errorf("%+v", all)
	}
	status, err = c.apps.DeleteFederatedIdentityCredential(ctx, app, *made.ID)
	c.done("delete federated identity credential", http.StatusNoContent, status, err)

	password, status, err := c.apps.AddPassword(ctx, app, msgraph.PasswordCredential{DisplayName: new("rotated")})
	c.done("add password", http.StatusOK, status, err)
	if password.SecretText == nil || password.KeyId == nil || *password.DisplayName != "rotated" {
		c.Fatalf("%+v", password)
	}
	status, err = c.apps.RemovePassword(ctx, app, *password.KeyId)
	c.done("remove password", http.StatusNoContent, status, err)
}

// owners adds an owner by the id that full metadata gives it, finds it and removes it.
func (c *terraform) owners(app *msgraph.Application) {
	c.Helper()
	ctx := c.Context()
	self, status, err := c.objects.Get(ctx, c.self, odata.Query{})
	c.done("get directory object", http.StatusOK, status, err)
	want := odata.Id(c.tt.GraphURL + "/v1.0/" + c.tt.TenantID + "/directoryObjects/" + c.self + "/Microsoft.DirectoryServices.ServicePrincipal") // hamilton makes v1.0 of v2
	if self.ODataId == nil || *self.ODataId != want || *self.ODataType != odata.TypeServicePrincipal || *self.ID != c.self {
		c.Fatalf("%+v, want the id %s", self, want)
	}
	has := func(want bool) {
		c.Helper()
		owners, status, err := c.apps.ListOwners(ctx, *app.ID)
		c.done("list owners", http.StatusOK, status, err)
		if slices.Contains(*owners, c.self) != want {
			c.Errorf("owners %v", *owners)
		}
		if _, status, err = c.apps.GetOwner(ctx, *app.ID, c.self); want {
			c.done("get owner", http.StatusOK, status, err)
		} else {
			c.done("get owner", http.StatusNotFound, status, err)
		}
	}
	status, err = c.apps.RemoveOwners(ctx, *app.ID, &[]string{c.self}) // nothing to do if it is none
	if err != nil && status != http.StatusNotFound {
		c.Fatalf("remove owners: %d %v", status, err)
	}
	has(false)
	app.Owners = &msgraph.Owners{*self}
	status, err = c.apps.AddOwners(ctx, app)
	c.done("add owners", http.StatusNoContent, status, err)
	has(true)
	status, err = c.apps.RemoveOwners(ctx, *app.ID, &[]string{c.self})
	c.done("remove owners", http.StatusNoContent, status, err)
	has(false)
}

// roles assigns a role of the application to the client itself, reads it from both ends and takes it back.
func (c *terraform) roles(sp *msgraph.ServicePrincipal) {
	c.Helper()
	ctx := c.Context()
	before, status, err := c.held.List(ctx, c.self)
	c.done("list assignments", http.StatusOK, status, err)
	made, status, err := c.assigned.Assign(ctx, msgraph.AppRoleAssignment{AppRoleId: new("aaaaaaaa-0000-4000-8000-000000000002"), PrincipalId: &c.self, ResourceId: sp.ID})
	c.done("assign", http.StatusCreated, status, err)
	on, status, err := c.assigned.List(ctx, *sp.ID, odata.Query{})
	c.done("list assigned to", http.StatusOK, status, err)
	if len(*on) != 1 || *(*on)[0].Id != *made.Id || *(*on)[0].PrincipalId != c.self || *(*on)[0].ResourceDisplayName != "orders" {
		c.Errorf("%+v", on)
	}
	after, status, err := c.held.List(ctx, c.self)
	c.done("list assignments", http.StatusOK, status, err)
	if len(*after) != len(*before)+1 {
		c.Errorf("%d assignments, were %d", len(*after), len(*before))
	}
	status, err = c.assigned.Remove(ctx, *sp.ID, *made.Id)
	c.done("remove assignment", http.StatusNoContent, status, err)
}

// seeded compares the assignments that a twin starts with to those that Graph makes: one kind of id.
func (c *terraform) seeded() {
	c.Helper()
	found, status, err := c.sps.List(c.Context(), odata.Query{Filter: "appId eq '" + c.tt.AdminClientID + "'"})
	c.done("list service principals", http.StatusOK, status, err)
	held, status, err := c.held.List(c.Context(), *(*found)[0].ID)
	c.done("list assignments", http.StatusOK, status, err)
	if len(*held) == 0 {
		c.Error("the administrator holds no role")
	}
	for _, a := range *held {
		if len(*a.Id) != 43 || *a.PrincipalId != *(*found)[0].ID {
			c.Errorf("%s of %s", *a.Id, *a.PrincipalId)
		}
	}
}
