package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
	"github.com/treatyfed/treaty/entra/aadsts"
	"github.com/treatyfed/treaty/entra/oauth"
	"github.com/treatyfed/treaty/wire/jose"
)

// The managed identities of the test world.
const (
	identityApp  = "aaaa0000-0000-4000-8000-000000000001" // user-assigned
	identityID   = "aaaa0000-0000-4000-8000-0000000000f1"
	systemApp    = "aaaa0000-0000-4000-8000-000000000002" // system-assigned
	systemID     = "aaaa0000-0000-4000-8000-0000000000f2"
	switchedApp  = "aaaa0000-0000-4000-8000-000000000003" // disabled
	switchedID   = "aaaa0000-0000-4000-8000-0000000000f3"
	group        = "/subscriptions/7ea70000-0000-4000-8000-000000000002/resourceGroups/Shop"
	identityAt   = group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/shop"
	machineAt    = group + "/providers/Microsoft.Compute/virtualMachines/vm1"
	exchangeName = "api://AzureADTokenExchange"
	exchangeApp  = "fb60f99c-7a34-4190-8149-302f77469936"
)

// addIdentities gives the tenant managed identities, with a federated credential of the user-assigned one,
// and the resource of the token exchange.
func (w *world) addIdentities() {
	identity := func(id, appID, at string, user bool) directory.ServicePrincipal {
		return directory.ServicePrincipal{ID: id, TenantID: tenantID, AppID: appID, DisplayName: "mi " + id[34:], Type: directory.TypeManagedIdentity, Names: []string{appID, "https://identity.azure.net/" + id},
			Enabled: true, ResourceID: at, UserAssigned: user}
	}
	off := identity(switchedID, switchedApp, identityAt+"off", true)
	off.Enabled = false
	w.d.principals = append(w.d.principals, identity(identityID, identityApp, identityAt, true), identity(systemID, systemApp, machineAt, false), off, exchangeOf(tenantID), exchangeOf(otherTenant))
	for _, owner := range []string{identityID, systemID} {
		w.d.credentials[owner] = []directory.FederatedCredential{{ID: owner, OwnerID: owner, Name: "pod", Issuer: cognito, Subject: subject, Audiences: []string{pool}}}
	}
	w.d.assignments = append(w.d.assignments, directory.AppRoleAssignment{ID: "mi-role", TenantID: tenantID, PrincipalID: identityID, ResourceID: apiV2SP, RoleID: "r1"})
}

func exchangeOf(tenant string) directory.ServicePrincipal {
	p := principal("exchange-"+tenant, exchangeApp, "AzureADTokenExchange", exchangeName, exchangeName+"/")
	p.TenantID, p.TokenVersion = tenant, 2
	return p
}

var managedV1 = []string{"aio", "app_displayname", "appid", "appidacr", "aud", "exp", "iat", "idp", "idtyp", "iss", "nbf", "oid", "rh", "sub", "tenant_region_scope", "tid", "uti", "ver", "wids", "xms_ftd", "xms_idrel", "xms_mirid", "xms_tcdt"}

func TestManagedIdentityAsAClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addIdentities()
	rec := w.post(tokenPath, withAssertion(poolToken(t), "client_id", strings.ToUpper(identityApp)))
	if body := rec.Body.String(); !regexp.MustCompile(`^\{"token_type":"Bearer","expires_in":86399,"ext_expires_in":86399,"access_token":"[^"]+"\}$`).MatchString(body) {
		t.Error(body)
	}
	_, claims := decode(t, rec)
	if diff := cmp.Diff(managedV1, slices.Sorted(maps.Keys(claims))); diff != "" {
		t.Error(diff)
	}
	wantClaims(t, claims, map[string]string{"appid": identityApp, "appidacr": "2", "idtyp": "app", "oid": identityID, "sub": identityID, "ver": "1.0", "iss": v1Issuer(tenantID), "idp": v1Issuer(tenantID), "tid": tenantID,
		"xms_mirid": "/subscriptions/7ea70000-0000-4000-8000-000000000002/resourcegroups/Shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/shop"})
	wantDay(t, claims)
	_, v2 := decode(t, w.post(tokenPath, withAssertion(poolToken(t), "client_id", identityApp, "scope", "https://example.org/api/.default")))
	wantClaims(t, v2, map[string]string{"azp": identityApp, "azpacr": "2", "idtyp": "app", "aud": apiV2, "ver": "2.0"})
	if diff := cmp.Diff([]string{"Things.Write"}, v2.Texts("roles")); diff != "" || v2.Has("idp") {
		t.Error(diff, v2)
	}
}

func wantClaims(t *testing.T, claims token.Claims, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if claims.Text(name) != value {
			t.Errorf("%s: %q, want %q", name, claims.Text(name), value)
		}
	}
}

// wantDay asserts a managed identity's times: issued five minutes back, valid for a day from now.
func wantDay(t *testing.T, claims token.Claims) {
	t.Helper()
	iat, _ := claims.Time("iat")
	nbf, _ := claims.Time("nbf")
	exp, _ := claims.Time("exp")
	if iat.Unix() != now.Unix()-300 || !nbf.Equal(iat) || exp.Unix() != now.Unix()+86400 {
		t.Errorf("iat %v nbf %v exp %v", iat, nbf, exp)
	}
}

func TestManagedIdentityRefusedAsAClient(t *testing.T) {
	t.Parallel()
	own := func(id string) string { return certificateToken(t, "iss", id, "sub", id) }
	for _, tt := range []struct {
		name, path string
		pairs      []string
		assertion  string
		status     int
		oauth      string
		code       int
		text       string
	}{
		{"with a secret", "", []string{"client_id", identityApp, "client_secret", secret}, "", 401, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '" + identityApp + "'. Trace"},
		{"with a certificate", "", []string{"client_id", identityApp}, own(identityApp), 401, "invalid_client", 700027, "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found."},
		{"without a credential", "", []string{"client_id", identityApp}, "", 401, "invalid_client", 7000216, ""},
		{"with another subject", "", []string{"client_id", identityApp}, poolToken(t, "sub", "x"), 401, "invalid_client", 700213, ""},
		{"when it is system-assigned", "", []string{"client_id", systemApp}, poolToken(t), 401, "invalid_client", 70025, "The client application has no configured federated identity credentials. Trace"},
		{"when it is disabled", "", []string{"client_id", switchedApp}, poolToken(t), 400, "unauthorized_client", 7000112, "Application '" + switchedApp + "'(mi f3) is disabled. Trace"},
		{"in another tenant than its own", "/" + otherTenant + "/oauth2/v2.0/token", []string{"client_id", identityApp}, poolToken(t), 400, "unauthorized_client", 700016, "Application with identifier '" + identityApp + "' was not found in the directory 'Other'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant. Trace"},
		{"at common", "/common/oauth2/v2.0/token", []string{"client_id", identityApp}, poolToken(t), 400, "unauthorized_client", 700016, ""},
		{"when the id is a resource's without an application", "", []string{"client_id", graphApp}, poolToken(t), 400, "unauthorized_client", 700016, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addIdentities()
			f := form(tt.pairs...)
			if tt.assertion != "" {
				f = withAssertion(tt.assertion, tt.pairs...)
			}
			if tt.path == "" {
				tt.path = tokenPath
			}
			wantError(t, w.post(tt.path, f), tt.status, tt.oauth, tt.code, tt.text)
			if tt.code == 70025 && !strings.Contains(string(w.journal.events[0].Evidence), "a system-assigned one has no federated credentials") {
				t.Error(string(w.journal.events[0].Evidence))
			}
		})
	}
	w := newWorld(t)
	w.addIdentities()
	for i := range w.d.principals {
		w.d.principals[i].Secrets = w.d.applications[appID].Secrets
	}
	wantError(t, w.post(tokenPath, form("client_id", identityApp, "client_secret", secret)), 401, "invalid_client", 7000215, "")
}

func TestIssueManaged(t *testing.T) {
	t.Parallel()
	const mirid = "/subscriptions/7ea70000-0000-4000-8000-000000000002/resourcegroups/Shop/providers/"
	graph := map[string]string{"aud": "https://graph.microsoft.com/", "ver": "1.0", "iss": v1Issuer(tenantID), "idp": v1Issuer(tenantID), "idtyp": "app", "appidacr": "2", "tid": tenantID}
	for _, tt := range []struct {
		name    string
		ask     oauth.Managed
		client  string
		want    map[string]string
		absent  []string
		x5t     bool
		objects string // sub and oid
	}{
		{"of a user-assigned identity for Graph, v1", oauth.Managed{PrincipalID: identityID, Resource: "https://graph.microsoft.com/", MachineResource: machineAt}, identityApp,
			edits(graph, "appid", identityApp, "xms_mirid", mirid+"Microsoft.ManagedIdentity/userAssignedIdentities/shop", "xms_az_rid", mirid+"Microsoft.Compute/virtualMachines/vm1"), []string{"azp", "azpacr", "roles"}, true, identityID},
		{"of a system-assigned identity", oauth.Managed{PrincipalID: systemID, Resource: "https://graph.microsoft.com/"}, systemApp,
			edits(graph, "appid", systemApp, "xms_mirid", mirid+"Microsoft.Compute/virtualMachines/vm1"), []string{"xms_az_rid"}, true, systemID},
		{"for the token exchange: v2 with the application id as audience", oauth.Managed{PrincipalID: identityID, Resource: exchangeName}, identityApp,
			map[string]string{"aud": exchangeApp, "ver": "2.0", "iss": v2Issuer(tenantID), "azp": identityApp, "azpacr": "2", "idtyp": "app", "xms_mirid": mirid + "Microsoft.ManagedIdentity/userAssignedIdentities/shop"}, []string{"idp", "appid", "appidacr", "xms_az_rid"}, false, identityID},
		{"for Resource Manager in another slash form", oauth.Managed{PrincipalID: identityID, Resource: "https://management.azure.com"}, identityApp,
			map[string]string{"aud": "https://management.azure.com", "ver": "1.0"}, []string{"wids"}, true, identityID},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addIdentities()
			tt.ask.TenantID = tenantID
			got, err := w.IssueManaged(t.Context(), tt.ask)
			if err != nil {
				t.Fatal(err)
			}
			claims := claimsOf(t, got.AccessToken)
			tt.want["oid"], tt.want["sub"] = tt.objects, tt.objects
			wantClaims(t, claims, tt.want)
			wantDay(t, claims)
			for _, name := range tt.absent {
				if claims.Has(name) {
					t.Errorf("%s is there: %v", name, claims[name])
				}
			}
			if _, has := jose.Parse(got.AccessToken).Header["x5t"]; has != tt.x5t {
				t.Errorf("x5t: %v", has)
			}
			got.AccessToken = ""
			want := oauth.ManagedToken{ClientID: tt.client, Resource: tt.ask.Resource, NotBefore: now.Add(-5 * time.Minute), ExpiresOn: now.Add(24 * time.Hour), ExpiresIn: 86399 * time.Second}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func edits(m map[string]string, pairs ...string) map[string]string {
	m = maps.Clone(m)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

func TestIssueManagedRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		ask  oauth.Managed
		text string
	}{
		{"an unknown resource", oauth.Managed{TenantID: tenantID, PrincipalID: identityID, Resource: "https://nothing.example.org/"}, "AADSTS500011: The resource principal named https://nothing.example.org/ was not found in the tenant named " + tenantID + ". This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant."},
		{"a resource that is no identifier", oauth.Managed{TenantID: tenantID, PrincipalID: identityID, Resource: "user.read"}, "AADSTS500011: The resource principal named user.read was not found"},
		{"a scope in place of a resource", oauth.Managed{TenantID: tenantID, PrincipalID: identityID, Resource: "https://graph.microsoft.com/.default"}, "AADSTS500011: The resource principal named https://graph.microsoft.com/.default was"},
		{"no resource", oauth.Managed{TenantID: tenantID, PrincipalID: identityID}, "AADSTS900144: The request body must contain the following parameter: 'resource'."},
		{"a disabled identity", oauth.Managed{TenantID: tenantID, PrincipalID: switchedID, Resource: exchangeName}, "AADSTS7000112: Application '" + switchedApp + "'(mi f3) is disabled."},
		{"an identity of another tenant", oauth.Managed{TenantID: otherTenant, PrincipalID: identityID, Resource: exchangeName}, "AADSTS700016: Application with identifier '" + identityID + "' was not found in the directory 'Other'."},
		{"an application's principal", oauth.Managed{TenantID: tenantID, PrincipalID: appSP, Resource: exchangeName}, "AADSTS700016: "},
		{"an unknown tenant", oauth.Managed{TenantID: "12345678-0000-4000-8000-000000000000", PrincipalID: identityID, Resource: exchangeName}, "AADSTS90002: "},
		{"a disabled resource", oauth.Managed{TenantID: tenantID, PrincipalID: identityID, Resource: "api://off"}, "AADSTS500014: "},
		{"a resource that wants an assignment", oauth.Managed{TenantID: tenantID, PrincipalID: identityID, Resource: "api://locked"}, "AADSTS501051: Application '" + identityApp + "'(mi f1) is not assigned to a role for the application 'api://locked'(Locked)."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addIdentities()
			got, err := w.IssueManaged(t.Context(), tt.ask)
			var refused *aadsts.Error
			if !errors.As(err, &refused) || !strings.HasPrefix(refused.Text(), tt.text) || got != (oauth.ManagedToken{}) {
				t.Errorf("%v, want %s", err, tt.text)
			}
		})
	}
	w := newWorld(t)
	w.d.down = true
	var refused *aadsts.Error
	if _, err := w.IssueManaged(t.Context(), oauth.Managed{TenantID: tenantID, PrincipalID: identityID, Resource: exchangeName}); err == nil || errors.As(err, &refused) {
		t.Errorf("with the database down: %v", err)
	}
}

// TestIssueManagedTellsItsRequest: uti is the id of the request being served, whose record stays as it is.
func TestIssueManagedTellsItsRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addIdentities()
	record := audit.Request{ID: "0d2b3c4d-0000-4000-8000-000000000001", Surface: "imds"}
	before := record
	ask := oauth.Managed{TenantID: tenantID, PrincipalID: identityID, Resource: exchangeName}
	uti := func(ctx context.Context) string {
		got, err := w.IssueManaged(ctx, ask)
		if err != nil {
			t.Fatal(err)
		}
		return claimsOf(t, got.AccessToken).Text("uti")
	}
	if got := uti(audit.WithRequest(t.Context(), &record)); got != "TTwrDQAAAECAAAAAAAAAAQ" || record != before {
		t.Errorf("%q %+v", got, record)
	}
	if a, b := uti(t.Context()), uti(t.Context()); a == b {
		t.Errorf("outside of a request: %q twice", a)
	}
}

// crossing is a world in which an application of the main tenant trusts a managed identity, with a
// service principal in the other tenant. The identity's token is one that the service itself issued.
func crossing(t *testing.T, principalID, audience string) (w *world, assertion string) {
	t.Helper()
	w = newWorld(t)
	w.addIdentities()
	w.useOwnKeys()
	w.d.applications[crossApp] = directory.Application{ID: "cross-object", TenantID: tenantID, AppID: crossApp, DisplayName: "Cross", SignInAudience: "AzureADMultipleOrgs"}
	w.d.applications[singleApp] = directory.Application{ID: "single-object", TenantID: tenantID, AppID: singleApp, DisplayName: "Single", SignInAudience: "AzureADMyOrg"}
	w.d.applications[awayApp] = directory.Application{ID: "away-object", TenantID: otherTenant, AppID: awayApp, DisplayName: "Away", SignInAudience: "AzureADMultipleOrgs"}
	w.d.applications[lonelyApp] = directory.Application{ID: "cross-object", TenantID: tenantID, AppID: lonelyApp, DisplayName: "Lonely", SignInAudience: "AzureADMultipleOrgs"}
	at := func(tenant, id, appID string, names ...string) directory.ServicePrincipal {
		p := principal(id, appID, appID, names...)
		p.TenantID = tenant
		return p
	}
	api := at(otherTenant, "their-api", "99999999-0000-4000-8000-000000000001", "api://theirs")
	api.TokenVersion, api.Roles = 2, []directory.AppRole{role("t1", "Their.Role", "Application")}
	w.d.principals = append(w.d.principals, at(tenantID, "cross-home", crossApp), at(otherTenant, "cross-there", crossApp), at(tenantID, "single-home", singleApp), at(otherTenant, "away-home", awayApp), at(tenantID, "away-here", awayApp), api)
	w.d.assignments = append(w.d.assignments, directory.AppRoleAssignment{ID: "x1", TenantID: otherTenant, PrincipalID: "cross-there", ResourceID: "their-api", RoleID: "t1"})
	for _, owner := range []string{"cross-object", "single-object", "away-object"} {
		w.d.credentials[owner] = []directory.FederatedCredential{{ID: owner, OwnerID: owner, Name: "identity", Issuer: v2Issuer(tenantID), Subject: principalID, Audiences: []string{exchangeName}}}
	}
	got, err := w.IssueManaged(t.Context(), oauth.Managed{TenantID: tenantID, PrincipalID: principalID, Resource: audience})
	if err != nil {
		t.Fatal(err)
	}
	return w, got.AccessToken
}

const (
	crossApp  = "bbbb0000-0000-4000-8000-000000000001" // multi-tenant, of the main tenant, with a principal in both
	singleApp = "bbbb0000-0000-4000-8000-000000000002" // of the main tenant alone
	awayApp   = "bbbb0000-0000-4000-8000-000000000003" // multi-tenant, of the other tenant
	lonelyApp = "bbbb0000-0000-4000-8000-000000000004" // multi-tenant, without a principal in the other tenant
	otherPath = "/" + otherTenant + "/oauth2/v2.0/token"
)

func TestManagedIdentityStandsInForAnApplication(t *testing.T) {
	t.Parallel()
	w, assertion := crossing(t, identityID, exchangeName)
	_, home := decode(t, w.post(tokenPath, withAssertion(assertion, "client_id", singleApp, "scope", "api://one/.default")))
	wantClaims(t, home, map[string]string{"oid": "single-home", "tid": tenantID, "appid": singleApp, "appidacr": "2"})
	if home.Has("xms_mirid") {
		t.Error("an application's token has xms_mirid")
	}
	_, there := decode(t, w.post(otherPath, withAssertion(assertion, "client_id", crossApp, "scope", "api://theirs/.default")))
	wantClaims(t, there, map[string]string{"oid": "cross-there", "sub": "cross-there", "tid": otherTenant, "iss": v2Issuer(otherTenant), "azp": crossApp, "azpacr": "2"})
	if diff := cmp.Diff([]string{"Their.Role"}, there.Texts("roles")); diff != "" {
		t.Error(diff)
	}
	var d trust.Decision
	if err := json.Unmarshal(w.journal.events[1].Evidence, &d); err != nil || !d.OK() || len(d.Own) != 6 || !d.Own.OK() {
		t.Fatalf("%v %+v", err, d)
	}
	audience, _ := d.Verdicts[0].Checks.Named("audience")
	if diff := cmp.Diff([]string{exchangeName, exchangeApp}, audience.Want); diff != "" || audience.Got[0] != exchangeApp {
		t.Errorf("%+v", audience)
	}
}

func TestManagedIdentityAcrossTenantsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, path, app, principal, resource string
		status                               int
		oauth                                string
		code                                 int
		text                                 string
		fixes                                []string // of the deciding check
	}{
		{"for an application that is not multi-tenant", otherPath, singleApp, identityID, exchangeName, 400, "unauthorized_client", 700016, "Application with identifier '" + singleApp + "' was not found in the directory 'Other'.", nil},
		{"without a service principal there", otherPath, lonelyApp, identityID, exchangeName, 401, "invalid_client", 7000229, "The client application " + lonelyApp + " is missing service principal in the tenant " + otherTenant + ". See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119 Trace", nil},
		{"for an application of the other tenant, there", otherPath, awayApp, identityID, exchangeName, 401, "invalid_client", 700236, "Entra ID tokens issued by issuer '" + v2Issuer(tenantID) + "' may not be used for federated identity credential flows for applications or managed identities registered in this tenant. Trace",
			[]string{"register the application in tenant " + tenantID + " as a multi-tenant one, with a service principal in tenant " + otherTenant}},
		{"for an application of the other tenant, here", tokenPath, awayApp, identityID, exchangeName, 401, "invalid_client", 700236, "Entra ID tokens issued by issuer", nil},
		{"with a token for Graph", tokenPath, singleApp, identityID, "https://graph.microsoft.com", 401, "invalid_client", 700227, "Forbidden token audience. Trace", []string{exchangeName}},
		{"with a v2 token for another API", tokenPath, singleApp, identityID, "https://example.org/api", 401, "invalid_client", 700227, "Forbidden token audience. Trace", []string{exchangeName}},
		{"of a system-assigned identity", tokenPath, singleApp, systemID, exchangeName, 401, "invalid_client", 700226, "Only MSI tokens may be used as Federated Identity Credentials for AAD issuer. Trace", []string{"user-assigned managed identity", exchangeName}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, assertion := crossing(t, tt.principal, tt.resource)
			wantError(t, w.post(tt.path, withAssertion(assertion, "client_id", tt.app, "scope", "api://theirs/.default")), tt.status, tt.oauth, tt.code, tt.text)
			var d trust.Decision
			_ = json.Unmarshal(w.journal.events[0].Evidence, &d)
			first, _ := d.Own.First()
			for _, fix := range tt.fixes {
				if !strings.Contains(first.Fix, fix) {
					t.Errorf("%s: %q does not say %q", first.Name, first.Fix, fix)
				}
			}
			if len(w.issuers.asked) > 0 {
				t.Errorf("issuers contacted: %v", w.issuers.asked)
			}
		})
	}
}

// TestOnlyMSITokensEvidenceNamesTheRoute: what decides a 700226 says which resource to ask for, where to
// register the application, and what the federated credential must say.
func TestOnlyMSITokensEvidenceNamesTheRoute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs := ownToken(t, "iss", v2Issuer(otherTenant), "tid", otherTenant, "xms_mirid", nil)
	wantError(t, w.post(tokenPath, withAssertion(theirs)), 401, "invalid_client", 700226, "Only MSI tokens may be used as Federated Identity Credentials for AAD issuer. Trace")
	var d trust.Decision
	if err := json.Unmarshal(w.journal.events[0].Evidence, &d); err != nil {
		t.Fatal(err)
	}
	first, _ := d.Own.First()
	for _, want := range []string{
		"user-assigned managed identity of tenant " + otherTenant, "the resource api://AzureADTokenExchange", "register the application in tenant " + otherTenant + " as a multi-tenant one",
		"service principal in tenant " + tenantID, "the issuer " + v2Issuer(otherTenant), "principalId", "the audience api://AzureADTokenExchange",
	} {
		if !strings.Contains(first.Fix, want) {
			t.Errorf("%q does not say %q", first.Fix, want)
		}
	}
	const nowhere = "99999999-9999-4999-8999-999999999999"
	d, err := w.DecideUnder(t.Context(), tenantID, nil, ownToken(t, "iss", v2Issuer(nowhere), "tid", nowhere))
	if tenant, _ := d.Own.Named("tenant"); err != nil || d.Reason != trust.OwnTenant || tenant.Note != "there is no such tenant here" {
		t.Errorf("%v %+v", err, d)
	}
}

func TestDecideManaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addIdentities()
	for id, want := range map[string]trust.Reason{identityID: "", systemID: trust.NoTrusts} {
		p, err := w.Principals.Principal(t.Context(), tenantID, id)
		if err != nil {
			t.Fatal(err)
		}
		if d, _, err := w.DecideManaged(t.Context(), p, poolToken(t)); err != nil || d.Reason != want {
			t.Errorf("%s: %v %q", id, err, d.Reason)
		}
	}
	if len(w.journal.events) != 0 {
		t.Error("a question is on record")
	}
}

func TestManagedIdentityOfTheV1Endpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addIdentities()
	f := withAssertion(poolToken(t), "client_id", identityApp, "scope", "", "resource", "https://graph.microsoft.com/")
	rec := w.post("/"+tenantID+"/oauth2/token", f)
	if body := rec.Body.String(); !regexp.MustCompile(`^\{"token_type":"Bearer","expires_in":"86399","ext_expires_in":"86399","expires_on":"1795350600","not_before":"1795263900","resource":"https://graph.microsoft.com/","access_token":"[^"]+"\}$`).MatchString(body) {
		t.Error(body)
	}
	f.Set("resource", "nothing")
	wantError(t, w.post("/"+tenantID+"/oauth2/token", f), 400, "invalid_resource", 500011, "The resource principal named nothing was not found in the tenant named "+tenantID+".")
}
