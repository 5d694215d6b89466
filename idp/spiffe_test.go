package idp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/idp"
)

const spireURL = "https://oidc.spire.example"

func spire(attributes map[string]any) directory.Issuer {
	w := &world{}
	return directory.Issuer{Name: "spire", URL: spireURL, Preset: "spiffe", Clients: []directory.IssuerClient{
		w.client("web", func(c *directory.IssuerClient) { c.Attributes = attributes })}}
}

func TestAWorkloadGetsAJWTSVID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spire(map[string]any{"spiffe_id": "spiffe://example.org/ns/prod/sa/web"}))
	for audience, want := range map[string]string{"one": `"one"`, "two": `"two"`} {
		rec := w.post(spireURL+"/token", form("grant_type", credit, "audience", audience), basic("web", secret))
		header, claims := w.granted(rec, spireURL)
		same(t, "header", header, `{"typ":"JWT","alg":"ES256"}`, "kid")
		same(t, "claims", claims, `{"sub":"spiffe://example.org/ns/prod/sa/web","aud":[`+want+`],"iss":"https://oidc.spire.example","iat":1795264200,"exp":1795264500}`)
	}
	rec := w.post(spireURL+"/token", form("grant_type", credit, "audience", "a", "spiffe_id", "spiffe://example.org/admin"), basic("web", secret))
	if _, claims := w.granted(rec, spireURL); claims.Text("sub") != "spiffe://example.org/ns/prod/sa/web" {
		t.Errorf("a workload chose its own identity: %v", claims)
	}
	same(t, "discovery", asObject(t, w.get(spireURL+"/.well-known/openid-configuration").Body.Bytes()), `{"issuer":"https://oidc.spire.example","jwks_uri":"https://oidc.spire.example/keys",
		"authorization_endpoint":"","response_types_supported":["id_token"],"subject_types_supported":[],"id_token_signing_alg_values_supported":["ES256"]}`)
	same(t, "key", asObject(t, w.get(spireURL+"/keys").Body.Bytes())["keys"].([]any)[0].(map[string]any), `{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig"}`, "kid", "x", "y")
	if rec := w.post(spireURL+"/token", form("grant_type", credit), basic("web", secret)); rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), "aud must be") {
		t.Errorf("without an audience: %d %s", rec.Code, rec.Body)
	}
}

func TestSPIFFEIDsAreChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attributes map[string]any
		sub, want  string
	}{
		"a trust domain and a path":       {map[string]any{"trust_domain": "example.org", "path": "/a/b"}, "spiffe://example.org/a/b", ""},
		"a trust domain alone":            {map[string]any{"spiffe_id": "spiffe://example.org"}, "spiffe://example.org", ""},
		"every character there is":        {map[string]any{"spiffe_id": "spiffe://a-b_c.9/A.z-_0"}, "spiffe://a-b_c.9/A.z-_0", ""},
		"another scheme":                  {map[string]any{"spiffe_id": "https://example.org/a"}, "", "does not begin with spiffe://"},
		"a scheme in capitals":            {map[string]any{"spiffe_id": "SPIFFE://example.org/a"}, "", "does not begin with spiffe://"},
		"no trust domain":                 {map[string]any{"spiffe_id": "spiffe:///a"}, "", "no trust domain"},
		"a trust domain in capitals":      {map[string]any{"spiffe_id": "spiffe://Example.org/a"}, "", "trust domain has other characters"},
		"a port":                          {map[string]any{"spiffe_id": "spiffe://example.org:8080/a"}, "", "trust domain has other characters"},
		"a user":                          {map[string]any{"spiffe_id": "spiffe://u@example.org/a"}, "", "trust domain has other characters"},
		"a query":                         {map[string]any{"spiffe_id": "spiffe://example.org/a?b"}, "", "path has other characters"},
		"a fragment":                      {map[string]any{"spiffe_id": "spiffe://example.org/a#b"}, "", "path has other characters"},
		"an escape":                       {map[string]any{"spiffe_id": "spiffe://example.org/a%20b"}, "", "path has other characters"},
		"a letter beyond ASCII":           {map[string]any{"spiffe_id": "spiffe://example.org/ä"}, "", "path has other characters"},
		"a slash at the end":              {map[string]any{"spiffe_id": "spiffe://example.org/a/"}, "", "empty segment"},
		"a slash alone":                   {map[string]any{"spiffe_id": "spiffe://example.org/"}, "", "empty segment"},
		"two slashes":                     {map[string]any{"spiffe_id": "spiffe://example.org/a//b"}, "", "empty segment"},
		"dots":                            {map[string]any{"spiffe_id": "spiffe://example.org/a/../b"}, "", "segment of dots"},
		"a dot":                           {map[string]any{"spiffe_id": "spiffe://example.org/."}, "", "segment of dots"},
		"too long":                        {map[string]any{"spiffe_id": "spiffe://example.org/" + strings.Repeat("a", 2048)}, "", "longer than 2048"},
		"a trust domain that is too long": {map[string]any{"spiffe_id": "spiffe://" + strings.Repeat("a", 256) + "/a"}, "", "longer than 255"},
		"nothing":                         {map[string]any{}, "", `there is no "spiffe_id" to read`},
	} {
		w := newWorld(t, spire(c.attributes))
		m, err := w.Mint(t.Context(), "spire", idp.Mint{Client: "web", Audience: []string{"a"}})
		if m.Claims.Text("sub") != c.sub || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v", name, m.Claims.Text("sub"), err)
		}
	}
	i := spire(map[string]any{"spiffe_id": "spiffe://example.org/a"})
	i.Claims = map[string]string{"aud": "null"}
	if _, err := newWorld(t, i).Mint(t.Context(), "spire", idp.Mint{Client: "web"}); err == nil || !strings.Contains(err.Error(), "no audience") {
		t.Error(err)
	}
}
