package oauth_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/entra/oauth"
	"github.com/treatyfed/treaty/wire/jose"
)

// The inhabitants of the test world.
const (
	tenantID    = "7ea70000-0000-4000-8000-000000000001"
	otherTenant = "7ea70000-0000-4000-8000-0000000000ff"
	appID       = "11111111-1111-4111-8111-111111111111"
	appObject   = "11111111-1111-4111-8111-1111111111aa"
	appSP       = "11111111-1111-4111-8111-1111111111bb"
	multiApp    = "22222222-2222-4222-8222-222222222222"
	publicApp   = "33333333-3333-4333-8333-333333333333"
	orphanApp   = "44444444-4444-4444-8444-444444444444" // no service principal
	disabledApp = "55555555-5555-4555-8555-555555555555"
	apiV2       = "66666666-6666-4666-8666-666666666666"
	apiV2SP     = "66666666-6666-4666-8666-6666666666bb"
	apiV1       = "77777777-7777-4777-8777-777777777777"
	lockedAPI   = "88888888-8888-4888-8888-888888888888" // assignment required
	graphApp    = "00000003-0000-0000-c000-000000000000"
	graphSP     = "99999999-9999-4999-8999-999999999999"
	armApp      = "797f4846-ba00-4fd7-ba43-dac1f8f63013"

	cognito = "https://cognito-identity.amazonaws.com"
	github  = "https://token.actions.githubusercontent.com"
	pool    = "us-east-1:aaaaaaaa-0000-4000-8000-000000000001"
	subject = "us-east-1:bbbbbbbb-0000-4000-8000-000000000002"

	authority = "https://login.microsoftonline.com"
	secret    = "Th1~s3cret.of-the_app"
	oldSecret = "0ld~secret"
)

var now = time.Date(2026, 11, 21, 12, 30, 0, 622340100, time.UTC)

func v1Issuer(t string) string { return "https://sts.windows.net/" + t + "/" }
func v2Issuer(t string) string { return authority + "/" + t + "/v2.0" }

// keyring holds the keys that tests share: making RSA keys is slow.
type keyring struct {
	entra, cognito, github, client, stranger *rsa.PrivateKey
	entraCert, clientCert                    *x509.Certificate
}

var keys = sync.OnceValue(func() keyring {
	var k keyring
	for _, p := range []**rsa.PrivateKey{&k.entra, &k.cognito, &k.github, &k.client, &k.stranger} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		*p = key
	}
	k.entraCert = selfSigned("accounts.accesscontrol.windows.net", k.entra)
	k.clientCert = selfSigned("client", k.client)
	return k
})

func selfSigned(name string, key *rsa.PrivateKey) *x509.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return cert
}

// What the service must not call: methods of a nil interface.
type (
	otherTenants      = directory.Tenants
	otherApplications = directory.Applications
	otherPrincipals   = directory.Principals
	otherCredentials  = directory.FederatedCredentials
	otherAssignments  = directory.AppRoleAssignments
)

// directoryFake is a directory in memory, of the methods that the service uses.
type directoryFake struct {
	tenants      []directory.Tenant
	applications map[string]directory.Application
	principals   []directory.ServicePrincipal
	credentials  map[string][]directory.FederatedCredential
	assignments  []directory.AppRoleAssignment
	down         bool
}

var errDown = errors.New("the database is down")

type tenants struct {
	otherTenants
	d *directoryFake
}

func (f tenants) Tenant(_ context.Context, name string) (directory.Tenant, error) {
	if f.d.down {
		return directory.Tenant{}, errDown
	}
	for _, t := range f.d.tenants {
		if strings.EqualFold(t.ID, name) || slices.ContainsFunc(t.Domains, func(d string) bool { return strings.EqualFold(d, name) }) {
			return t, nil
		}
	}
	return directory.Tenant{}, fault.New(fault.NotFound, "tenant "+name, "")
}

type applications struct {
	otherApplications
	d *directoryFake
}

func (f applications) ApplicationByAppID(_ context.Context, id string) (directory.Application, error) {
	if a, ok := f.d.applications[id]; ok {
		return a, nil
	}
	return directory.Application{}, fault.New(fault.NotFound, "application "+id, "")
}

type principals struct {
	otherPrincipals
	d *directoryFake
}

func (f principals) find(tenant string, is func(directory.ServicePrincipal) bool) (directory.ServicePrincipal, error) {
	for _, p := range f.d.principals {
		if p.TenantID == tenant && is(p) {
			return p, nil
		}
	}
	return directory.ServicePrincipal{}, fault.New(fault.NotFound, "principal", "")
}

func (f principals) Principal(_ context.Context, tenant, id string) (directory.ServicePrincipal, error) {
	return f.find(tenant, func(p directory.ServicePrincipal) bool { return p.ID == id })
}

func (f principals) PrincipalByAppID(_ context.Context, tenant, id string) (directory.ServicePrincipal, error) {
	return f.find(tenant, func(p directory.ServicePrincipal) bool { return p.AppID == id })
}

func (f principals) PrincipalByName(_ context.Context, tenant, name string) (directory.ServicePrincipal, error) {
	return f.find(tenant, func(p directory.ServicePrincipal) bool {
		return slices.ContainsFunc(p.Names, func(n string) bool { return strings.EqualFold(n, name) })
	})
}

type credentials struct {
	otherCredentials
	d *directoryFake
}

func (f credentials) FederatedCredentials(_ context.Context, app string) ([]directory.FederatedCredential, error) {
	return f.d.credentials[app], nil
}

type assignments struct {
	otherAssignments
	d *directoryFake
}

func (f assignments) AppRolesOf(_ context.Context, principal string) (out []directory.AppRoleAssignment, err error) {
	for _, a := range f.d.assignments {
		if a.PrincipalID == principal {
			out = append(out, a)
		}
	}
	return out, nil
}

// journal is an audit in memory.
type journal struct {
	mu     sync.Mutex
	events []audit.Event
	err    error
}

func (j *journal) Record(_ context.Context, e audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	return j.err
}

// issuers are the foreign issuers whose keys can be had; asked lists who was asked.
type issuers struct {
	mu    sync.Mutex
	keys  map[string]token.PublicKey
	asked []string
}

func (i *issuers) PublicKeys(_ context.Context, issuer, _ string) ([]token.PublicKey, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked = append(i.asked, issuer)
	if k, ok := i.keys[issuer]; ok {
		return []token.PublicKey{k}, nil
	}
	return nil, fault.New(fault.Unavailable, "keys of "+issuer, "no answer")
}

// ownKeys is the ring of the authority, with one key.
type ownKeys struct{ key token.Key }

func (o ownKeys) Signing(context.Context, string) (token.Key, error) { return o.key, nil }
func (o ownKeys) Published(context.Context, string) ([]token.Key, error) {
	return []token.Key{o.key}, nil
}

// useOwnKeys has the service verify its own tokens by their tenant's ring, and ask nobody for them.
func (w *world) useOwnKeys() {
	w.Verifier.Source = oauth.TenantKeys{Tenants: w.Tenants, Keys: w.Keys, V1Issuer: v1Issuer, V2Issuer: v2Issuer, Others: w.issuers}
}

type world struct {
	*oauth.Service
	d       *directoryFake
	journal *journal
	issuers *issuers
	sealer  *credential.Sealer
}

func principal(id, appID, name string, names ...string) directory.ServicePrincipal {
	return directory.ServicePrincipal{ID: id, TenantID: tenantID, AppID: appID, DisplayName: name, Type: "Application", Names: append([]string{appID}, names...), Enabled: true}
}

func role(id, value string, members ...string) directory.AppRole {
	return directory.AppRole{ID: id, Value: value, Enabled: true, AllowedMemberTypes: members}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	k := keys()
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := newDirectory(sealer)
	w := &world{d: d, journal: &journal{}, sealer: sealer, issuers: &issuers{keys: map[string]token.PublicKey{
		cognito:            {ID: "us-east-11", Key: k.cognito.Public()},
		github:             {ID: "gh", Key: k.github.Public()},
		v2Issuer(tenantID): {ID: "own", Key: k.entra.Public()},
	}}}
	thumbprint := jose.Thumbprint(k.entraCert.Raw)
	w.Service = &oauth.Service{
		Tenants: tenants{d: d}, Applications: applications{d: d}, Principals: principals{d: d}, Federated: credentials{d: d}, Assignments: assignments{d: d},
		Keys:     ownKeys{token.Key{ID: thumbprint, Ring: oauth.Ring, Signer: k.entra, Certificate: k.entraCert}},
		Verifier: token.Verifier{Source: w.issuers, Algorithms: oauth.FederatedAlgorithms, Leeway: 5 * time.Minute, Now: func() time.Time { return now }},
		Sealer:   sealer, Audit: w.journal,
		V1Issuer: v1Issuer, V2Issuer: v2Issuer, Authority: authority, GraphURL: "https://graph.microsoft.com",
		Hosts: []string{"localhost:8443", "127.0.0.1:8443"},
		Now:   func() time.Time { return now }, Rand: rand.Reader,
	}
	return w
}

// newLiveWorld is a world in the machine's time, for real clients, which take theirs from there.
func newLiveWorld(t testing.TB) *world {
	w := newWorld(t)
	w.Now, w.Verifier.Now = time.Now, time.Now
	app := w.d.applications[appID]
	for i := range app.Secrets {
		app.Secrets[i].NotBefore, app.Secrets[i].NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	for i := range app.Certificates {
		app.Certificates[i].NotBefore, app.Certificates[i].NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	return w
}

func newDirectory(sealer *credential.Sealer) *directoryFake {
	k := keys()
	live := func(s string, from, to time.Time) directory.ClientSecret {
		return directory.ClientSecret{ID: s[:3], Hash: sealer.Hash(credential.Secret(s)), NotBefore: from, NotAfter: to}
	}
	main := directory.Application{
		ID: appObject, TenantID: tenantID, AppID: appID, DisplayName: "Workload", SignInAudience: "AzureADMyOrg",
		Secrets:      []directory.ClientSecret{live(oldSecret, now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0)), live(secret, now.AddDate(0, -1, 0), now.AddDate(1, 0, 0)), live("second~one", now.AddDate(0, -1, 0), now.AddDate(1, 0, 0))},
		Certificates: []directory.Certificate{{ID: "c1", Type: "AsymmetricX509Cert", Usage: "Verify", DER: k.clientCert.Raw, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}},
	}
	multi := directory.Application{ID: "multi-object", TenantID: otherTenant, AppID: multiApp, DisplayName: "Multi", SignInAudience: "AzureADMultipleOrgs", Secrets: main.Secrets}
	d := &directoryFake{
		tenants: []directory.Tenant{
			{ID: tenantID, DisplayName: "Treaty", CountryCode: "US", Domains: []string{"treaty.onmicrosoft.com", "example.org"}, CreatedAt: now.AddDate(-1, 0, 0)},
			{ID: otherTenant, DisplayName: "Other", Domains: []string{"other.onmicrosoft.com"}},
		},
		applications: map[string]directory.Application{
			appID: main, multiApp: multi,
			publicApp:   {ID: "public-object", TenantID: tenantID, AppID: publicApp, DisplayName: "Public", PublicClient: true},
			orphanApp:   {ID: "orphan-object", TenantID: tenantID, AppID: orphanApp, DisplayName: "Orphan", Secrets: main.Secrets},
			disabledApp: {ID: "disabled-object", TenantID: tenantID, AppID: disabledApp, DisplayName: "Disabled", Secrets: main.Secrets},
			apiV2: {ID: "api2-object", TenantID: tenantID, AppID: apiV2, DisplayName: "API two", IdentifierURIs: []string{"https://example.org/api"}, TokenVersion: 2,
				Roles: []directory.AppRole{role("r1", "Things.Write", "Application"), role("r2", "Things.Read", "User", "Application"), role("r3", "People", "User"), {ID: "r4", Value: "Off", AllowedMemberTypes: []string{"Application"}}}},
			apiV1: {ID: "api1-object", TenantID: tenantID, AppID: apiV1, DisplayName: "API one", IdentifierURIs: []string{"api://one"},
				Carried: json.RawMessage(`{"optionalClaims":{"accessToken":[{"name":"idtyp"}]}}`)},
			lockedAPI: {ID: "locked-object", TenantID: tenantID, AppID: lockedAPI, DisplayName: "Locked"},
		},
		credentials: map[string][]directory.FederatedCredential{appObject: {
			{ID: "f1", OwnerID: appObject, Name: "cognito", Issuer: cognito, Subject: subject, Audiences: []string{pool}},
			{ID: "f2", OwnerID: appObject, Name: "silent", Issuer: "https://silent.example.org", Subject: "s", Audiences: []string{"a"}},
			{ID: "f3", OwnerID: appObject, Name: "flexible", Issuer: github, Audiences: []string{"api://AzureADTokenExchange"}, Expression: &directory.Expression{Value: "claims['sub'] matches 'repo:contoso/*'", LanguageVersion: 1}},
			{ID: "f4", OwnerID: appObject, Name: "managed", Issuer: v2Issuer(tenantID), Subject: "mi-object", Audiences: []string{"api://AzureADTokenExchange"}},
			{ID: "f5", OwnerID: appObject, Name: "odd", Issuer: "https://odd.example.org", Audiences: []string{"a"}, Expression: &directory.Expression{Value: "claims['sub'] eq 'x'", LanguageVersion: 1}},
		}},
	}
	graph := principal(graphSP, graphApp, "Microsoft Graph", "https://graph.microsoft.com", "graph.microsoft.com")
	graph.TokenVersion, graph.Roles = 1, []directory.AppRole{role("g1", "Application.Read.All", "Application")}
	arm := principal("arm-sp", armApp, "Windows Azure Service Management API", "https://management.azure.com", "https://management.azure.com/", "https://management.core.windows.net", "https://management.core.windows.net/")
	arm.TokenVersion = 1
	disabled := principal("disabled-sp", disabledApp, "Disabled")
	disabled.Enabled = false
	off := principal("off-sp", "88888888-8888-4888-8888-8888888888ff", "Off", "api://off")
	off.Enabled = false
	locked := principal("locked-sp", lockedAPI, "Locked", "api://locked")
	locked.AssignmentRequired = true
	d.principals = []directory.ServicePrincipal{graph, arm, principal(appSP, appID, "Workload"), principal("multi-sp", multiApp, "Multi"), principal("public-sp", publicApp, "Public"),
		disabled, off, locked, principal(apiV2SP, apiV2, "API two", "https://example.org/api"), principal("api1-sp", apiV1, "API one", "api://one")}
	grant := func(resource, role string) directory.AppRoleAssignment {
		return directory.AppRoleAssignment{ID: resource + role, TenantID: tenantID, PrincipalID: appSP, ResourceID: resource, RoleID: role}
	}
	d.assignments = []directory.AppRoleAssignment{grant(apiV2SP, "r1"), grant(apiV2SP, "r2"), grant(apiV2SP, "r3"), grant(apiV2SP, "r4"), grant(graphSP, "g1")}
	return d
}

// post sends a token request and returns the answer.
func (w *world) post(path string, form url.Values, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, authority+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, e := range edit {
		e(r)
	}
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, r)
	return rec
}

func (w *world) get(rawURL string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, rawURL, nil))
	return rec
}

const tokenPath = "/" + tenantID + "/oauth2/v2.0/token"

// form makes a client_credentials request of the main application; pairs override, "" removes.
func form(pairs ...string) url.Values {
	v := url.Values{"grant_type": {"client_credentials"}, "client_id": {appID}, "scope": {"https://graph.microsoft.com/.default"}}
	for i := 0; i < len(pairs); i += 2 {
		if v.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return v
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func withAssertion(assertion string, pairs ...string) url.Values {
	return form(append([]string{"client_assertion_type", assertionType, "client_assertion", assertion}, pairs...)...)
}

// sign makes a token of anyone.
func sign(t testing.TB, key crypto.Signer, header jose.Header, alg string, claims any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jose.Sign(header, payload, key, alg, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// decode reads the claims of an issued access token, verified with the authority's key.
func decode(t testing.TB, rec *httptest.ResponseRecorder) (header map[string]any, claims token.Claims) {
	t.Helper()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if rec.Code != http.StatusOK {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	parsed := jose.Parse(body.AccessToken)
	if err := jose.Verify(parsed, keys().entra.Public(), []string{"RS256"}); err != nil {
		t.Fatal(err)
	}
	return parsed.Header, token.Claims(parsed.Claims)
}
