package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// cdn is a web server of files and nothing else, as a bucket behind a CDN is.
func cdn(t *testing.T) (server *httptest.Server, root string) {
	t.Helper()
	root = t.TempDir()
	files := http.FileServer(http.Dir(root))
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server, root
}

// verifies has go-oidc discover an issuer and verify a token of it.
func verifies(t *testing.T, client *http.Client, issuer, audience, token string) error {
	t.Helper()
	ctx, p := discovered(t, client, issuer)
	_, err := p.VerifierContext(ctx, &oidc.Config{ClientID: audience}).Verify(ctx, token)
	return err
}

// Files written by `treaty issuer publish` make an issuer of a server that nobody else reaches: who trusts it asks the
// CDN, and never the server that signs.
func TestAPublishedIssuerIsTrustedWhereItsServerIsNotReached(t *testing.T) {
	t.Parallel()
	need(t, aws)
	web, root := cdn(t)
	signer := shared.another(t, "{}\n")
	issuer := web.URL + "/sso/Acme"
	declare(t, signer,
		object{"name": "acme", "url": issuer, "preset": "pingfederate", "clients": []object{{"id": "payroll"}}},
		object{"name": "other", "url": "https://other.example.com", "preset": "spiffe"})
	publish := func(names ...string) []any {
		t.Helper()
		list, _ := order[object](t, signer, append([]string{"issuer", "publish", root}, names...)...)["files"].([]any)
		return list
	}
	wants(t, "issuer publish", publish("acme"), map[string]any{"0.issuer": "acme", "0.url": issuer + "/.well-known/openid-configuration", "1.url": issuer + "/pf/JWKS", "2": nil})
	before := mint(t, signer, "acme", "payroll", "sts.amazonaws.com")
	if err := verifies(t, web.Client(), issuer, "sts.amazonaws.com", before); err != nil {
		t.Error(err)
	}
	if err := verifies(t, web.Client(), issuer, "sts.amazonaws.com", flip(t, before)); err == nil || !strings.Contains(err.Error(), "failed to verify signature") {
		t.Errorf("a flipped bit: %v", err)
	}

	// A cloud trusts it: another server, which reaches the CDN alone.
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	cloud := caller{at: shared.another(t, "outbound: {allow: [loopback], ca: "+file(t, "cdn.pem", string(authority))+"}\n")}
	roleARN, provider, _ := trustedByAWS(t, cloud, outside{name: "acme", url: issuer, subject: "payroll"})
	wants(t, "AWS", cloud.do(t, assumption(roleARN, before)...), map[string]any{"SubjectFromWebIdentityToken": "payroll", "Provider": provider})

	// After a rotation the files are of yesterday, until they are published again.
	order[object](t, signer, "issuer", "rotate", "acme")
	after := mint(t, signer, "acme", "payroll", "sts.amazonaws.com")
	if err := verifies(t, web.Client(), issuer, "sts.amazonaws.com", after); err == nil || !strings.Contains(err.Error(), "failed to verify signature") {
		t.Errorf("a token of a key that is not published: %v", err)
	}
	publish("acme")
	for when, token := range map[string]string{"before": before, "after": after} {
		if err := verifies(t, web.Client(), issuer, "sts.amazonaws.com", token); err != nil {
			t.Errorf("the token of %s the rotation: %v", when, err)
		}
	}

	// Several hosts get a folder each.
	publish()
	for _, file := range []string{strings.TrimPrefix(strings.ReplaceAll(web.URL, ":", "_"), "https_//") + "/sso/Acme/pf/JWKS", "other.example.com/keys", "other.example.com/.well-known/openid-configuration"} {
		if b, err := os.ReadFile(filepath.Join(root, file)); err != nil || !json.Valid(b) {
			t.Errorf("%s: %v\n%s", file, err, b)
		}
	}
}

// aHub is a server with a public URL, and a client that trusts its certificate and goes by no proxy.
func aHub(t *testing.T) (hub *twin, public string, client *http.Client) {
	t.Helper()
	port := strconv.Itoa(freePort(t))
	public = "https://localhost:" + port
	hub = shared.started(t, "--public-url", public, "--listen", "127.0.0.1:"+port)
	b, err := os.ReadFile(filepath.Join(hub.data, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(b)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(tr.CloseIdleConnections)
	return hub, public, &http.Client{Transport: tr}
}

// administered runs a treaty command about a server, in the test's own environment, and decodes its JSON.
func administered(t *testing.T, server *twin, args ...string) (v object) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), server.bin, append(args, "--json", "--data", server.data)...).Output()
	if err != nil {
		t.Fatalf("treaty %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// A hub's issuers are real ones, under its public URL; one with another URL is published elsewhere, and its clients
// ask the hub for tokens.
func TestAHubsIssuersAreThoseOfItsPublicURL(t *testing.T) {
	t.Parallel()
	hub, public, client := aHub(t)
	web, root := cdn(t)
	issuer := web.URL + "/oauth2/default"
	list := []object{{"name": "elsewhere", "url": issuer, "preset": "okta", "clients": []object{{"id": "payroll", "secret": "not-a-real-secret"}}}}
	for _, o := range outsides {
		i := o.issuer()
		delete(i, "url")
		list = append(list, i)
	}
	b, err := json.Marshal(object{"issuers": list})
	if err != nil {
		t.Fatal(err)
	}
	administered(t, hub, "issuer", "create", "-f", file(t, "issuers.json", string(b)))
	for _, o := range outsides {
		minted := administered(t, hub, "issuer", "token", o.name, "--client", o.client, "--audience", "api://hub")
		if iss := text(minted, "claims.iss"); iss != public+"/idp/"+o.name {
			t.Errorf("%s: the issuer is %s", o.preset, iss)
			continue
		}
		if err := verifies(t, client, public+"/idp/"+o.name, "api://hub", text(minted, "token")); err != nil {
			t.Errorf("%s: %v", o.preset, err)
		}
	}

	administered(t, hub, "issuer", "publish", root, "elsewhere")
	_, p := discovered(t, web.Client(), issuer)
	if at := p.Endpoint().TokenURL; at != public+"/idp/elsewhere/v1/token" {
		t.Fatalf("the published discovery sends clients to %s", at)
	}
	c := clientcredentials.Config{ClientID: "payroll", ClientSecret: "not-a-real-secret", TokenURL: p.Endpoint().TokenURL, Scopes: []string{"read"}, AuthStyle: oauth2.AuthStyleInHeader}
	token, err := c.Token(context.WithValue(t.Context(), oauth2.HTTPClient, client))
	if err != nil {
		t.Fatal(err)
	}
	if err := verifies(t, web.Client(), issuer, issuer, token.AccessToken); err != nil {
		t.Error(err)
	}
}
