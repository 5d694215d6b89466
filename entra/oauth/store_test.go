package oauth_test

import (
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
	"github.com/treatyfed/treaty/entra/oauth"
	"github.com/treatyfed/treaty/store"
)

// TestOverTheStore carries exchanges out with the repositories, keyring and audit of a server.
func TestOverTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	db, err := store.Open(ctx, store.Config{Sealer: w.sealer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, tenant := range w.d.tenants {
		must(t, db.Tenants.PutTenant(ctx, tenant))
	}
	for _, a := range w.d.applications {
		must(t, db.Applications.CreateApplication(ctx, a))
	}
	for _, p := range w.d.principals {
		must(t, db.Principals.CreatePrincipal(ctx, p))
	}
	for _, f := range w.d.credentials[appObject] {
		must(t, db.FederatedCredentials.CreateFederatedCredential(ctx, f, 20))
	}
	for _, a := range w.d.assignments {
		must(t, db.AppRoleAssignments.AssignAppRole(ctx, a))
	}
	clock := func() time.Time { return now }
	ring := &token.Keyring{Store: db.Keys, Now: clock, Rand: rand.Reader, Kinds: map[string]token.Kind{oauth.Ring: {KeyID: token.CertificateThumbprint, Subject: "accounts.accesscontrol.windows.net"}}}
	w.Tenants, w.Applications, w.Principals, w.Federated, w.Assignments = db.Tenants, db.Applications, db.Principals, db.FederatedCredentials, db.AppRoleAssignments
	w.Keys, w.Audit = ring, db.Audit

	rec := w.post("/Treaty.OnMicrosoft.com/oauth2/v2.0/token", withAssertion(poolToken(t), "scope", "HTTPS://example.org/api/.default"))
	var body struct {
		AccessToken string `json:"access_token"`
	}
	must(t, json.Unmarshal(rec.Body.Bytes(), &body))
	own := token.Verifier{Source: token.Local{Keys: ring, Ring: oauth.Ring}, Algorithms: []string{"RS256"}, Now: clock}
	claims, _, err := own.Verify(ctx, body.AccessToken, v2Issuer(tenantID))
	if err != nil || claims.Text("aud") != apiV2 || len(claims.Texts("roles")) != 2 {
		t.Fatalf("%v %v %s", err, claims, rec.Body)
	}

	refused := wantError(t, w.post(tokenPath, withAssertion(poolToken(t, "aud", "x"))), 401, "invalid_client", 700212, "")
	for _, id := range []string{refused.TraceID, refused.Correlation} {
		e, err := db.Audit.Find(ctx, id)
		var d trust.Decision
		if err != nil || e.Outcome != audit.Refused || json.Unmarshal(e.Evidence, &d) != nil || d.Reason != trust.AudienceMismatch || len(d.Verdicts) != 5 {
			t.Errorf("%s: %v %+v", id, err, e)
		}
	}
	for name, rec := range map[string]int{"an unknown application": w.post(tokenPath, form("client_id", "12345678-0000-4000-8000-000000000000", "client_secret", "x")).Code, "an unknown resource": w.post(tokenPath, form("client_secret", secret, "scope", "https://no.example.org/.default")).Code} {
		if rec != 400 {
			t.Errorf("%s: status %d", name, rec)
		}
	}
}

// TestManagedIdentitiesOverTheStore carries a managed identity of a tenant with its own keys through its
// three exchanges: as a client itself, for an application, and for that application in another tenant.
func TestManagedIdentitiesOverTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	db, err := store.Open(ctx, store.Config{Sealer: w.sealer})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	clock := func() time.Time { return now }
	w.Keys = &token.Keyring{Store: db.Keys, Now: clock, Rand: rand.Reader, Kinds: map[string]token.Kind{oauth.Ring: {KeyID: token.CertificateThumbprint, Subject: "accounts.accesscontrol.windows.net"}}}
	w.Tenants, w.Applications, w.Principals, w.Federated, w.Assignments, w.Audit = db.Tenants, db.Applications, db.Principals, db.FederatedCredentials, db.AppRoleAssignments, db.Audit
	w.useOwnKeys()
	must(t, db.Tenants.PutTenant(ctx, directory.Tenant{ID: ownTenant, DisplayName: "Apart", Domains: []string{"apart.onmicrosoft.com"}, OwnKeys: true, CreatedAt: now}))
	must(t, db.Tenants.PutTenant(ctx, directory.Tenant{ID: tenantID, DisplayName: "Treaty", Domains: []string{"treaty.onmicrosoft.com"}, CreatedAt: now}))
	must(t, db.Applications.CreateApplication(ctx, directory.Application{ID: "cross-object", TenantID: ownTenant, AppID: crossApp, DisplayName: "Cross", SignInAudience: "AzureADMultipleOrgs", CreatedAt: now}))
	for id, tenant := range map[string]string{"cross-home": ownTenant, "cross-there": tenantID} {
		sp := principal(id, crossApp, "Cross")
		sp.TenantID = tenant
		must(t, db.Principals.CreatePrincipal(ctx, sp))
		exchange := exchangeOf(tenant)
		must(t, db.Principals.CreatePrincipal(ctx, exchange))
	}
	identity := directory.ServicePrincipal{ID: identityID, TenantID: ownTenant, AppID: identityApp, DisplayName: "shop", Type: directory.TypeManagedIdentity, Names: []string{identityApp}, Enabled: true, ResourceID: identityAt, UserAssigned: true}
	must(t, db.ManagedIdentities.CreateManagedIdentity(ctx, directory.Resource{ID: identityAt, Type: "Microsoft.ManagedIdentity/userAssignedIdentities", Name: "shop", CreatedAt: now}, identity))
	for _, f := range []directory.FederatedCredential{
		{ID: "pod", OwnerID: identityID, Name: "pod", Issuer: cognito, Subject: subject, Audiences: []string{pool}},
		{ID: "mi", OwnerID: "cross-object", Name: "mi", Issuer: v2Issuer(ownTenant), Subject: identityID, Audiences: []string{exchangeName}},
	} {
		must(t, db.FederatedCredentials.CreateFederatedCredential(ctx, f, 20))
	}
	exchange := func(tenant, client, assertion string) string {
		rec := w.post("/"+tenant+"/oauth2/v2.0/token", withAssertion(assertion, "client_id", client, "scope", exchangeName+"/.default"))
		var body struct {
			AccessToken string `json:"access_token"`
		}
		if must(t, json.Unmarshal(rec.Body.Bytes(), &body)); body.AccessToken == "" {
			t.Fatal(rec.Body)
		}
		verifier := token.Verifier{Source: w.Verifier.Source, Algorithms: []string{"RS256"}, Now: clock}
		if _, _, err := verifier.Verify(ctx, body.AccessToken, v2Issuer(tenant)); err != nil {
			t.Fatal(err)
		}
		return body.AccessToken
	}
	managed := exchange(ownTenant, identityApp, poolToken(t))
	for tenant, oid := range map[string]string{ownTenant: "cross-home", tenantID: "cross-there"} {
		if claims := token.Read(exchange(tenant, crossApp, managed)).Claims; claims.Text("oid") != oid || claims.Text("tid") != tenant {
			t.Error(claims)
		}
	}
	ordinary := exchange(ownTenant, crossApp, managed)
	wantError(t, w.post(tokenPath, withAssertion(ordinary, "client_id", crossApp)), 401, "invalid_client", 700226, "Only MSI tokens may be used as Federated Identity Credentials for AAD issuer. Trace")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
