package treatytest

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/server"
	"github.com/treatyfed/treaty/server/config"
)

// hubServer is a server under a public name of its own.
type hubServer struct {
	*server.Server
	t *testing.T
}

func newHubServer(t *testing.T) *hubServer {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(goodKey())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: certified(t, goodKey())}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := server.New(context.Background(), server.Config{Config: config.Config{PublicURL: "https://hub.example", TLS: config.TLS{Cert: cert, Key: key}}, Version: "treatytest", Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &hubServer{s, t}
}

// order sends an order; a refusal is what it returns.
func (h *hubServer) order(method, path string, in, out any) error {
	return h.Control(context.Background(), method, path, in, out)
}

// get asks the hub by a Host header.
func (h *hubServer) get(host, path, bearer string) (int, string) {
	req := httptest.NewRequest("GET", "https://placeholder.example"+path, nil)
	req.Host = host
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec.Code, rec.Body.String()
}

func TestAHubsIssuersAreUnderItsNameWhateverTheHostSays(t *testing.T) {
	t.Parallel()
	h := newHubServer(t)
	for _, order := range []m{{"name": "plain", "clients": []m{{"id": "c"}}}, {"name": "bucket", "url": "https://storage.example/bucket", "clients": []m{{"id": "c"}}}} {
		if err := h.order("POST", "issuers", order, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, host := range []string{"hub.example", "HUB.example:443", "evil.example", "localhost", "login.microsoftonline.com", ""} {
		for name, issuer := range map[string]string{"plain": "https://hub.example/idp/plain", "bucket": "https://storage.example/bucket"} {
			status, body := h.get(host, "/idp/"+name+openID, "")
			var doc struct {
				Issuer string `json:"issuer"`
				Token  string `json:"token_endpoint"`
				Keys   string `json:"jwks_uri"`
			}
			if err := json.Unmarshal([]byte(body), &doc); err != nil || status != 200 || doc.Issuer != issuer || doc.Token != "https://hub.example/idp/"+name+"/token" || doc.Keys != "https://hub.example/idp/"+name+"/jwks" {
				t.Errorf("%q: %d %s", host, status, body)
			}
		}
	}
	for _, path := range []string{"/idp/", "/idp/nobody" + openID, "/idp/PLAIN" + openID, "/idp/plain/../bucket" + openID, "/idp//plain" + openID, "/idp/plain%2f.well-known/openid-configuration/x"} {
		if status, body := h.get("hub.example", path, ""); status != 404 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// An issuer whose URL is one of the hub's own surfaces' is not that surface.
func TestAHubsIssuerIsNoneOfItsOtherSurfaces(t *testing.T) {
	t.Parallel()
	h := newHubServer(t)
	admin := h.Credentials()
	for n, path := range []string{"/" + admin.Azure.TenantID + "/", "/" + admin.Azure.TenantID + "/v2.0", "/graph", "/arm", "/cognito-identity", "/account-tokens/11111111-2222-4333-8444-555555555555", "/idp/victim", "/_treaty", ""} {
		name := "shadow" + raw(n)
		if err := h.order("POST", "issuers", m{"name": name, "url": "https://hub.example" + path, "clients": []m{{"id": "evil", "claims": m{
			"sub": raw(admin.Azure.ObjectID), "oid": raw(admin.Azure.ObjectID), "tid": raw(admin.Azure.TenantID), "aud": "request.audience", "idtyp": `"app"`, "ver": `"1.0"`, "appid": raw(admin.Azure.ClientID),
			"roles": `["Application.ReadWrite.All"]`,
		}}}}, nil); err != nil {
			continue // which is as good
		}
		for _, api := range []string{"/graph", "/arm"} {
			var made struct{ Token string }
			if err := h.order("POST", "issuers/"+name+"/token", m{"client": "evil", "audience": []string{"https://hub.example" + api}}, &made); err != nil {
				t.Fatal(err)
			}
			if status, body := h.get("hub.example", map[string]string{"/graph": "/graph/v1.0/applications", "/arm": "/arm/subscriptions?api-version=2021-01-01"}[api], made.Token); status != 401 {
				t.Errorf("%s opens %s: %d %s", path, api, status, body)
			}
			r, err := h.ExplainToken(context.Background(), server.Question{Token: made.Token, Credentials: []directory.FederatedCredential{{Name: "x", Issuer: "https://hub.example" + path, Subject: admin.Azure.ObjectID, Audiences: []string{"https://hub.example" + api}}}})
			if err != nil || r.Pass && !strings.HasPrefix(path, "/idp/shadow") {
				t.Errorf("%s stands in for an application: %v", path, err)
			}
		}
		if status, body := h.get("hub.example", path+openID, ""); status == 200 && strings.Contains(body, `"jwks_uri":"https://hub.example`+path+`/jwks"`) {
			t.Errorf("%s answers: %s", path, body)
		}
	}
}

// A hub whose issuer is published on a host that others share must still read what the others publish there.
func TestAHubsIssuerHidesNoNeighbour(t *testing.T) {
	t.Parallel()
	h := newHubServer(t)
	if err := h.order("POST", "issuers", m{"name": "bucket", "url": "https://storage.example/bucket", "clients": []m{{"id": "c"}}}, nil); err != nil {
		t.Fatal(err)
	}
	token := b64.EncodeToString([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + b64.EncodeToString([]byte(`{"iss":"https://storage.example/neighbour","sub":"s","aud":"a","exp":4102444800}`)) + ".AAAA"
	r, err := h.ExplainToken(context.Background(), server.Question{Token: token, Credentials: []directory.FederatedCredential{{Name: "x", Issuer: "https://storage.example/neighbour", Subject: "s", Audiences: []string{"a"}}}})
	if err != nil || strings.Contains(raw(r), "404 Not Found") {
		t.Errorf("%v %s", err, raw(r))
	}
}
