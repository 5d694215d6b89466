package server

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/folder"
	"github.com/treatyfed/treaty/server/seed"
	"github.com/treatyfed/treaty/store/storetest"
)

const contoso = `
accounts:
  - id: "210987654321"
    access_keys: [{id: AKIAIOSFODNN7EXAMPLE, secret: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY}]
    identity_pools:
      - {id: "us-east-1:6f1a8a4e-7c52-4b39-a0f4-5d2f5f0b7f10", name: my-identity-pool, developer_provider: my.dev.provider, tags: {team: platform}}
tenants:
  - id: 0c0a70e0-0000-4000-8000-00000000000c
    name: Contoso
    domains: [contoso.onmicrosoft.com]
    applications:
      - name: worker
        app_id: 11111111-2222-4333-8444-555555555555
        secrets: [{name: ci, value: correct-horse-battery}]
        federated_credentials:
          - {name: cognito, issuer: "https://cognito-identity.amazonaws.com", subject: "us-east-1:0f0e", audiences: ["us-east-1:6f1a"]}
        permissions: [{role: Application.Read.All}, {resource: api://contoso-api, role: Things.Read}]
        roles: [{role: Reader, scope: /subscriptions/0c0a70e0-0000-4000-8000-00000000000a}]
      - name: api
        identifier_uris: [api://contoso-api]
        token_version: 2
        app_roles: [{value: Things.Read}]
    users: [{upn: ada@contoso.onmicrosoft.com, name: Ada}]
    subscriptions: [{id: 0c0a70e0-0000-4000-8000-00000000000a, name: Production}]
    role_assignments: [{principal: 0c0a70e0-0000-4000-8000-0000000000ff, role: owner, scope: /subscriptions/0c0a70e0-0000-4000-8000-00000000000a}]
`

func document(t *testing.T, text string) seed.Document {
	t.Helper()
	d, err := seed.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// accessToken asks a token endpoint as a plain client does; it gives the payload of the token too.
func accessToken(t *testing.T, c *http.Client, authority, tenant, client, secret, scope string) (string, map[string]any) {
	t.Helper()
	resp, err := c.PostForm(authority+"/"+tenant+"/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}, "scope": {scope},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct {
		AccessToken string `json:"access_token"`
		Description string `json:"error_description"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.AccessToken == "" {
		t.Fatalf("%s for %s: %d %s %v", client, scope, resp.StatusCode, out.Description, err)
	}
	return out.AccessToken, payload(t, out.AccessToken)
}

func get(t *testing.T, c *http.Client, address, bearer string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestASeedIsWhatTheCloudsThenKnow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for start := range 2 { // a second start finds everything as it says
		s := listeningIn(t, dir, func(c *Config) { c.Document = document(t, contoso) })
		c := s.HTTPClient()
		bearer, claims := accessToken(t, c, "https://login.microsoftonline.com", "contoso.onmicrosoft.com", "11111111-2222-4333-8444-555555555555", "correct-horse-battery", "https://graph.microsoft.com/.default")
		if roles, _ := claims["roles"].([]any); len(roles) != 1 || roles[0] != "Application.Read.All" || claims["tid"] != "0c0a70e0-0000-4000-8000-00000000000c" {
			t.Errorf("start %d: claims %v", start, claims)
		}
		if status, body := get(t, c, "https://graph.microsoft.com/v1.0/applications", bearer); status != 200 || strings.Count(body, `"appId"`) != 2 {
			t.Errorf("start %d: applications %d %s", start, status, body)
		}
		if _, claims = accessToken(t, c, "https://login.microsoftonline.com", "contoso.onmicrosoft.com", "11111111-2222-4333-8444-555555555555", "correct-horse-battery", "api://contoso-api/.default"); claims["ver"] != "2.0" {
			t.Errorf("start %d: the token for a version 2 resource is %v", start, claims["ver"])
		}
		bearer, _ = accessToken(t, c, "https://login.microsoftonline.com", "contoso.onmicrosoft.com", "11111111-2222-4333-8444-555555555555", "correct-horse-battery", "https://management.azure.com/.default")
		if status, body := get(t, c, "https://management.azure.com/subscriptions?api-version=2022-12-01", bearer); status != 200 || !strings.Contains(body, "Production") {
			t.Errorf("start %d: subscriptions %d %s", start, status, body)
		}
		if p, err := s.Store().Pools.Pool(t.Context(), "us-east-1:6f1a8a4e-7c52-4b39-a0f4-5d2f5f0b7f10"); err != nil || p.AccountID != "210987654321" || p.Tags["team"] != "platform" {
			t.Errorf("start %d: pool %+v, %v", start, p, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatASeedRefersToMustExist(t *testing.T) {
	t.Parallel()
	bad := strings.NewReplacer("role: Application.Read.All", "role: Everything.Do", "role: Reader", "role: King", "resource: api://contoso-api", "resource: api://nobody").Replace(contoso)
	_, err := New(t.Context(), Config{Getenv: noEnv, Document: document(t, bad)})
	var ps config.Problems
	if !errors.As(err, &ps) || len(ps) != 3 {
		t.Fatalf("got %v", err)
	}
	for i, want := range []string{"tenants[0].applications[0].permissions[0]", "tenants[0].applications[0].permissions[1]", "tenants[0].applications[0].roles[0]"} {
		if ps[i].Path != want {
			t.Errorf("problem %d is at %s, want %s", i, ps[i].Path, want)
		}
	}
}

func TestAHubServesItsOwnResources(t *testing.T) {
	t.Parallel()
	const public = "https://localhost:8443"
	s := memory(t, func(c *Config) { c.PublicURL = public })
	c, admin := s.HTTPClient(), s.Credentials().Azure
	bearer, claims := accessToken(t, c, public, TenantID, admin.ClientID, admin.ClientSecret, public+"/graph/.default")
	if claims["iss"] != public+"/"+TenantID+"/" || claims["aud"] != public+"/graph" {
		t.Errorf("iss %v, aud %v", claims["iss"], claims["aud"])
	}
	if status, body := get(t, c, public+"/graph/v1.0/applications?$top=1", bearer); status != 200 || !strings.Contains(body, public+"/graph/v1.0/$metadata") {
		t.Errorf("%d %s", status, body)
	}
	bearer, _ = accessToken(t, c, public, TenantID, admin.ClientID, admin.ClientSecret, public+"/arm/.default")
	if status, body := get(t, c, public+"/arm/subscriptions?api-version=2022-12-01", bearer); status != 200 || !strings.Contains(body, SubscriptionID) {
		t.Errorf("%d %s", status, body)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, public+"/"+TenantID+"/v2.0/.well-known/openid-configuration", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example"
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || strings.Contains(string(b), "evil.example") {
		t.Errorf("a hub's document follows a foreign Host: %s %v", b, err)
	}
}

func TestThePlainListenerServesAWSOnly(t *testing.T) {
	t.Parallel()
	s := listeningIn(t, t.TempDir(), func(c *Config) { c.ListenHTTP = "127.0.0.1:0" })
	for path, want := range map[string]string{
		"/healthz":              "ok",
		"/v1.0/applications":    "",
		"/_treaty/clock":        "",
		"/metrics":              "",
		"/" + TenantID + "/x":   "",
		"/?Action=Nothing":      "<Code>",
		"/metadata/endpoints":   "",
		"/cognito-identity/key": "",
	} {
		status, body := get(t, http.DefaultClient, s.HTTPURL()+path, "x")
		switch {
		case want == "" && status < 400:
			t.Errorf("%s is served in the clear: %d %s", path, status, body)
		case !strings.Contains(body, want):
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// Two servers with one master key begin on an empty PostgreSQL at the same time and then are one.
func TestReplicasShareAPostgreSQL(t *testing.T) {
	t.Parallel()
	dsn := storetest.StartPostgres(t).DSN(t)
	servers := beginTogether(t, dsn, contoso, 2)
	if t.Failed() {
		return
	}
	a, b := servers[0], servers[1]
	if a.Credentials() != b.Credentials() {
		t.Error("two replicas have different administrators")
	}
	admin := a.Credentials().Azure
	bearer, _ := accessToken(t, a.HTTPClient(), "https://login.microsoftonline.com", TenantID, admin.ClientID, admin.ClientSecret, "https://graph.microsoft.com/.default")
	if status, body := get(t, b.HTTPClient(), "https://graph.microsoft.com/v1.0/servicePrincipals", bearer); status != 200 {
		t.Errorf("a token of one replica at the other: %d %s", status, body)
	}
	if err := a.Reset(t.Context()); err != nil {
		t.Error(err)
	}
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(a.folder.Path(folder.DatabaseFile)); !errors.Is(err, os.ErrNotExist) {
		t.Error("a server on PostgreSQL made an SQLite file")
	}
}
