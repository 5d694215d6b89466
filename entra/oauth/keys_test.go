package oauth_test

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/entra/graph"
	"github.com/treatyfed/treaty/entra/oauth"
	"github.com/treatyfed/treaty/wire/jose"
)

// ownTenant has keys of its own.
const ownTenant = "7ea70000-0000-4000-8000-0000000000aa"

// rings are the keys of several rings.
type rings map[string]token.Key

func (r rings) Signing(_ context.Context, ring string) (token.Key, error) {
	if k, ok := r[ring]; ok {
		return k, nil
	}
	return token.Key{}, fault.New(fault.Internal, "ring "+ring, "nobody should ask for it")
}

func (r rings) Published(ctx context.Context, ring string) ([]token.Key, error) {
	k, err := r.Signing(ctx, ring)
	return []token.Key{k}, err
}

// newRings is a world with a third tenant that signs with its own ring, and whose tokens are verified by
// TenantKeys.
func newRings(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.addIdentities()
	k := keys()
	cert := selfSigned("own", k.stranger)
	w.Keys = rings{
		"entra":              {ID: jose.Thumbprint(k.entraCert.Raw), Ring: "entra", Signer: k.entra, Certificate: k.entraCert},
		"entra/" + ownTenant: {ID: jose.Thumbprint(cert.Raw), Ring: "entra/" + ownTenant, Signer: k.stranger, Certificate: cert},
	}
	w.d.tenants = append(w.d.tenants, directory.Tenant{ID: ownTenant, DisplayName: "Apart", Domains: []string{"apart.onmicrosoft.com"}, OwnKeys: true})
	for _, p := range []directory.ServicePrincipal{exchangeOf(ownTenant), graphOf(ownTenant), {ID: "apart-mi", AppID: "cccc0000-0000-4000-8000-000000000001", Type: directory.TypeManagedIdentity, Enabled: true, UserAssigned: true, ResourceID: identityAt}} {
		p.TenantID = ownTenant
		w.d.principals = append(w.d.principals, p)
	}
	w.useOwnKeys()
	return w
}

func graphOf(tenant string) directory.ServicePrincipal {
	p := principal("graph-"+tenant, graphApp, "Microsoft Graph", "https://graph.microsoft.com")
	p.TokenVersion = 1
	return p
}

func TestRingOf(t *testing.T) {
	t.Parallel()
	if got := oauth.RingOf(directory.Tenant{ID: tenantID}); got != oauth.Ring {
		t.Error(got)
	}
	if got := oauth.RingOf(directory.Tenant{ID: ownTenant, OwnKeys: true}); got != oauth.Ring+"/"+ownTenant {
		t.Error(got)
	}
}

// TestEachTokenVerifiesFromItsTenantsDocument: what a tenant's discovery leads to has the key that signed,
// of every version, and the shared authorities publish no tenant's own key.
func TestEachTokenVerifiesFromItsTenantsDocument(t *testing.T) {
	t.Parallel()
	w := newRings(t)
	kidOf := func(tenant, principal, resource string) string {
		got, err := w.IssueManaged(t.Context(), oauth.Managed{TenantID: tenant, PrincipalID: principal, Resource: resource})
		if err != nil {
			t.Fatal(err)
		}
		return jose.Parse(got.AccessToken).KeyID()
	}
	published := func(path string) (kids []string) {
		var doc struct {
			JWKS string `json:"jwks_uri"`
		}
		if err := json.Unmarshal(w.get(authority+path).Body.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		var set struct {
			Keys []struct{ Kid string }
		}
		if err := json.Unmarshal(w.get(doc.JWKS).Body.Bytes(), &set); err != nil {
			t.Fatal(err)
		}
		for _, k := range set.Keys {
			kids = append(kids, k.Kid)
		}
		return kids
	}
	shared, apart := kidOf(tenantID, identityID, "https://graph.microsoft.com"), kidOf(ownTenant, "apart-mi", "https://graph.microsoft.com")
	if v2 := kidOf(ownTenant, "apart-mi", exchangeName); v2 != apart || shared == apart {
		t.Fatalf("%s %s %s", shared, apart, v2)
	}
	for path, want := range map[string]string{
		"/" + tenantID + "/.well-known/openid-configuration":                      shared,
		"/" + tenantID + "/v2.0/.well-known/openid-configuration":                 shared,
		"/" + ownTenant + "/.well-known/openid-configuration":                     apart,
		"/" + ownTenant + "/v2.0/.well-known/openid-configuration":                apart,
		"/apart.onmicrosoft.com/v2.0/.well-known/openid-configuration":            apart,
		"/common/.well-known/openid-configuration":                                shared,
		"/organizations/v2.0/.well-known/openid-configuration":                    shared,
		"/consumers/v2.0/.well-known/openid-configuration":                        shared,
		"/" + ownTenant + "/.well-known/openid-configuration?appid=" + multiApp:   apart,
		"/" + ownTenant + "/V2.0/.well-known/openid-configuration?appid=" + apiV1: apart,
	} {
		if diff := cmp.Diff([]string{want}, published(path)); diff != "" {
			t.Error(path, diff)
		}
	}
}

func TestTenantKeys(t *testing.T) {
	t.Parallel()
	w := newRings(t)
	source := oauth.TenantKeys{Tenants: w.Tenants, Keys: w.Keys, V1Issuer: v1Issuer, V2Issuer: v2Issuer}
	k := keys()
	for issuer, want := range map[string]*rsa.PrivateKey{
		v1Issuer(tenantID): k.entra, v2Issuer(tenantID): k.entra, v1Issuer(otherTenant): k.entra, v1Issuer(ownTenant): k.stranger, v2Issuer(ownTenant): k.stranger,
		v2Issuer(strings.ToUpper(ownTenant)): nil, v2Issuer("99999999-9999-4999-8999-999999999999"): nil, v2Issuer("{tenantid}"): nil, v2Issuer("apart.onmicrosoft.com"): nil,
		v2Issuer(ownTenant) + "/": nil, strings.TrimSuffix(v1Issuer(ownTenant), "/"): nil, cognito: nil, "": nil,
	} {
		got, err := source.PublicKeys(t.Context(), issuer, "")
		switch {
		case want == nil:
			if !errors.Is(err, fault.NotFound) || got != nil {
				t.Errorf("%q: %v %v", issuer, got, err)
			}
		case err != nil || len(got) != 1 || !want.PublicKey.Equal(got[0].Key):
			t.Errorf("%q: %v %v", issuer, got, err)
		}
	}
	source.Others = w.issuers
	if got, err := source.PublicKeys(t.Context(), cognito, ""); err != nil || len(got) != 1 {
		t.Errorf("of another issuer: %v %v", got, err)
	}
	if _, err := source.PublicKeys(t.Context(), v2Issuer("99999999-9999-4999-8999-999999999999"), ""); !errors.Is(err, fault.NotFound) || len(w.issuers.asked) != 1 {
		t.Errorf("of our form: %v, asked %v", err, w.issuers.asked)
	}
	w.d.down = true
	if _, err := source.PublicKeys(t.Context(), v2Issuer(tenantID), ""); !errors.Is(err, errDown) {
		t.Error(err)
	}
}

// forgery is a token whose key and issuer are not of one tenant.
type forgery struct {
	name   string
	key    *rsa.PrivateKey
	kid    string
	tenant string // iss and tid
}

func forgeries(w *world) []forgery {
	k := keys()
	ring := w.Keys.(rings)
	shared, apart := ring["entra"].ID, ring["entra/"+ownTenant].ID
	return []forgery{
		{"the shared key for a tenant with its own, under its own id", k.entra, shared, ownTenant},
		{"the shared key for a tenant with its own, under that one's id", k.entra, apart, ownTenant},
		{"the shared key for a tenant with its own, without an id", k.entra, "", ownTenant},
		{"a tenant's own key for another, under its own id", k.stranger, apart, tenantID},
		{"a tenant's own key for another, under the shared id", k.stranger, shared, tenantID},
		{"a tenant's own key for another, without an id", k.stranger, "", tenantID},
		{"a stranger's key", k.github, shared, tenantID},
	}
}

func (f forgery) token(t testing.TB, issuer string, pairs ...any) string {
	head := header("RS256")
	if f.kid != "" {
		head = append(head, member("kid", f.kid))
	}
	claims := edit(map[string]any{"iss": issuer, "tid": f.tenant, "sub": identityID, "oid": identityID, "idtyp": "app", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Unix() + 3600}, pairs...)
	return sign(t, f.key, head, "RS256", claims)
}

// TestGraphRefusesKeysOfAnotherTenant holds Graph's own check of the bearer to TenantKeys.
func TestGraphRefusesKeysOfAnotherTenant(t *testing.T) {
	t.Parallel()
	w := newRings(t)
	clock := func() time.Time { return now }
	verifier := &token.Verifier{Source: oauth.TenantKeys{Tenants: w.Tenants, Keys: w.Keys, V1Issuer: v1Issuer, V2Issuer: v2Issuer}, Algorithms: []string{"RS256"}, Leeway: 5 * time.Minute, Now: clock}
	handler := (&graph.Service{Tenants: w.Tenants, Principals: w.Principals, Tokens: verifier, Audit: w.journal, V1Issuer: v1Issuer, V2Issuer: v2Issuer, Authority: authority, GraphURL: "https://graph.microsoft.com", Now: clock, Rand: w.Rand}).Handler()
	get := func(raw string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "https://graph.microsoft.com/v1.0/organization", nil)
		r.Header.Set("Authorization", "Bearer "+raw)
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		return rec
	}
	for _, f := range forgeries(w) {
		for _, issuer := range []string{v1Issuer(f.tenant), v2Issuer(f.tenant)} {
			if rec := get(f.token(t, issuer, "aud", "https://graph.microsoft.com", "appid", identityApp)); rec.Code != http.StatusUnauthorized {
				t.Errorf("%s, %s: %d %s", f.name, issuer, rec.Code, rec.Body)
			}
		}
	}
	for tenant, principal := range map[string]string{tenantID: identityID, ownTenant: "apart-mi"} {
		got, err := w.IssueManaged(t.Context(), oauth.Managed{TenantID: tenant, PrincipalID: principal, Resource: "https://graph.microsoft.com"})
		if err != nil {
			t.Fatal(err)
		}
		if rec := get(got.AccessToken); rec.Code != http.StatusForbidden { // known, and without permissions
			t.Errorf("the real token of %s: %d %s", tenant, rec.Code, rec.Body)
		}
	}
}

func TestFederatedCredentialRefusesKeysOfAnotherTenant(t *testing.T) {
	t.Parallel()
	w := newRings(t)
	const apartApp = "dddd0000-0000-4000-8000-000000000001"
	w.d.applications[apartApp] = directory.Application{ID: "apart-object", TenantID: ownTenant, AppID: apartApp, DisplayName: "Apart"}
	sp := principal("apart-sp", apartApp, "Apart")
	sp.TenantID = ownTenant
	w.d.principals = append(w.d.principals, sp)
	w.d.credentials["apart-object"] = []directory.FederatedCredential{
		{ID: "1", Name: "identity", Issuer: v2Issuer(ownTenant), Subject: identityID, Audiences: []string{exchangeName}},
		{ID: "2", Name: "real", Issuer: v2Issuer(ownTenant), Subject: "apart-mi", Audiences: []string{exchangeName}},
	}
	w.d.credentials[appObject] = append(w.d.credentials[appObject], directory.FederatedCredential{ID: "own", Name: "own", Issuer: v2Issuer(tenantID), Subject: identityID, Audiences: []string{exchangeName}})
	app := map[string]string{tenantID: appID, ownTenant: apartApp}
	post := func(tenant, raw string) *httptest.ResponseRecorder {
		return w.post("/"+tenant+"/oauth2/v2.0/token", withAssertion(raw, "client_id", app[tenant]))
	}
	for _, f := range forgeries(w) {
		raw := f.token(t, v2Issuer(f.tenant), "aud", exchangeApp, "xms_mirid", identityAt)
		wantError(t, post(f.tenant, raw), 401, "invalid_client", 700027, "Client assertion contains an invalid signature. [Reason - ")
	}
	got, err := w.IssueManaged(t.Context(), oauth.Managed{TenantID: ownTenant, PrincipalID: "apart-mi", Resource: exchangeName})
	if err != nil {
		t.Fatal(err)
	}
	if rec := post(ownTenant, got.AccessToken); rec.Code != http.StatusOK {
		t.Errorf("the real token: %s", rec.Body)
	}
	wantError(t, post(tenantID, got.AccessToken), 401, "invalid_client", 700236, "")
	if len(w.issuers.asked) > 0 {
		t.Errorf("asked %v", w.issuers.asked)
	}
}

// FuzzOwnAssertion presents tokens that the shared ring did sign, with any claims: one is only accepted
// when it is a user-assigned identity's of the application's tenant, for the exchange, and its principal
// is the credential's subject.
func FuzzOwnAssertion(f *testing.F) {
	f.Add(v2Issuer(tenantID), "mi-object", "mi-object", exchangeApp, "app", identityAt, "")
	f.Add(v1Issuer(tenantID), "mi-object", "mi-object", exchangeName, "app", identityAt, "")
	f.Add(v2Issuer(otherTenant), "mi-object", "mi-object", exchangeName, "app", machineAt, "User.Read")
	f.Add(v2Issuer(ownTenant), "x", "y", "", "user", "", "")
	w := newRings(f)
	kid := w.Keys.(rings)["entra"].ID
	f.Fuzz(func(t *testing.T, iss, sub, oid, aud, idtyp, mirid, scp string) {
		claims := map[string]any{"iss": iss, "sub": sub, "oid": oid, "aud": aud, "idtyp": idtyp, "exp": now.Unix() + 3600}
		if mirid != "" {
			claims["xms_mirid"] = mirid
		}
		if scp != "" {
			claims["scp"] = scp
		}
		raw := sign(t, keys().entra, header("RS256", member("kid", kid)), "RS256", claims)
		if !jose.Parse(raw).OK() {
			return
		}
		w.journal.events = w.journal.events[:0]
		r := httptest.NewRequest(http.MethodPost, authority+tokenPath, strings.NewReader(withAssertion(raw).Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, r)
		want := iss == v2Issuer(tenantID) && sub == "mi-object" && oid == sub && (aud == exchangeApp || aud == exchangeName) && idtyp == "app" && scp == "" &&
			strings.Contains(strings.ToLower(mirid), "/providers/microsoft.managedidentity/userassignedidentities/")
		if got := rec.Code == http.StatusOK; got != want {
			t.Fatalf("%v: accepted %v: %s", claims, got, rec.Body)
		}
		if rec.Code >= http.StatusInternalServerError {
			t.Fatal(rec.Body)
		}
	})
}
