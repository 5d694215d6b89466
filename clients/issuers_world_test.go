package clients

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
)

// outside is an issuer outside both clouds with two workloads: one that the clouds come to trust, and a stranger.
type outside struct {
	preset, url, name       string
	client, stranger        string // their ids
	attributes, other       object // and what they are
	subject, strangeSubject string
	algorithm               string // of the clients' tokens; "" is the preset's
}

// outsides has one issuer for each preset. GitHub's, GitLab's and Google's own are those of the real world.
var outsides = []outside{
	{preset: "generic", url: "https://sso.example.net", name: "generic", client: "payroll", stranger: "mallory", subject: "payroll", strangeSubject: "mallory"},
	{preset: "pingfederate", url: "https://sso.example.com", name: "ping", client: "payroll", stranger: "mallory", subject: "payroll", strangeSubject: "mallory"},
	{preset: "okta", url: "https://acme.okta.com/oauth2/default", name: "okta", client: "0oa1payroll", stranger: "0oa1mallory", subject: "0oa1payroll", strangeSubject: "0oa1mallory"},
	{preset: "github", url: githubIssuer, name: "github", client: "deploy", stranger: "pull",
		attributes: object{"repository": "octo/shop", "environment": "prod"}, other: object{"repository": "octo/shop", "event_name": "pull_request"},
		subject: "repo:octo/shop:environment:prod", strangeSubject: "repo:octo/shop:pull_request"},
	{preset: "gitlab", url: "https://gitlab.com", name: "gitlab", client: "main", stranger: "branch",
		attributes: object{"project_path": "octo/shop"}, other: object{"project_path": "octo/shop", "ref": "feature"},
		subject: "project_path:octo/shop:ref_type:branch:ref:main", strangeSubject: "project_path:octo/shop:ref_type:branch:ref:feature"},
	{preset: "kubernetes", url: "https://oidc.cluster.example.com/id/1F2E", name: "kubernetes", client: "shop/web", stranger: "shop/batch",
		subject: "system:serviceaccount:shop:web", strangeSubject: "system:serviceaccount:shop:batch"},
	{preset: "google", url: "https://accounts.google.com", name: "google", client: "default", stranger: "other",
		attributes: object{"unique_id": "112233445566778899001"}, other: object{"unique_id": "112233445566778899002"},
		subject: "112233445566778899001", strangeSubject: "112233445566778899002"},
	{preset: "spiffe", url: "https://oidc.spire.example.org", name: "spiffe", client: "web", stranger: "batch", algorithm: "RS256",
		attributes: object{"spiffe_id": "spiffe://example.org/shop/web"}, other: object{"spiffe_id": "spiffe://example.org/shop/batch"},
		subject: "spiffe://example.org/shop/web", strangeSubject: "spiffe://example.org/shop/batch"},
}

// issuer is what `treaty issuer create` reads.
func (o outside) issuer() object {
	return object{"name": o.name, "url": o.url, "preset": o.preset, "clients": []object{
		{"id": o.client, "attributes": o.attributes, "algorithm": o.algorithm},
		{"id": o.stranger, "attributes": o.other, "algorithm": o.algorithm},
	}}
}

// withOutsides is a server of its own with all of them.
func withOutsides(t *testing.T) *twin {
	t.Helper()
	tw := shared.another(t, "{}\n")
	var list []object
	for _, o := range outsides {
		list = append(list, o.issuer())
	}
	declare(t, tw, list...)
	return tw
}

// order runs a command of the treaty binary that has to succeed, and decodes its JSON.
func order[T any](t *testing.T, tw *twin, args ...string) T {
	t.Helper()
	return must[T](t, tw, nil, append(append([]string{tw.bin}, args...), "--json", "--data", tw.data)...)
}

// declare makes issuers by `treaty issuer create`, and gives the secrets of their clients by "issuer/client".
func declare(t *testing.T, tw *twin, issuers ...object) map[string]string {
	t.Helper()
	b, err := json.Marshal(object{"issuers": issuers})
	if err != nil {
		t.Fatal(err)
	}
	made := order[object](t, tw, "issuer", "create", "-f", file(t, "issuers.json", string(b)))
	secrets := map[string]string{}
	list, _ := made["issuers"].([]any)
	for _, i := range list {
		clients, _ := at(i, "clients").([]any)
		for _, c := range clients {
			secrets[text(i, "name")+"/"+text(c, "id")] = text(c, "secret")
		}
	}
	return secrets
}

// mint has an issuer make a token, as an administrator may.
func mint(t *testing.T, tw *twin, issuer, client, audience string) string {
	t.Helper()
	token := text(order[object](t, tw, "issuer", "token", issuer, "--client", client, "--audience", audience), "token")
	if token == "" {
		t.Fatalf("issuer %s made no token for %s", issuer, client)
	}
	return token
}

// through is a client that reaches every issuer by the proxy of a server, and trusts what its users are told to trust.
// Issuers that are made afterwards are not trusted: the bundle is read now.
func through(t *testing.T, tw *twin) *http.Client {
	t.Helper()
	proxy, err := url.Parse(tw.env["HTTPS_PROXY"])
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(tw.env["SSL_CERT_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	tr := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// discovered is an issuer as coreos/go-oidc finds it.
func discovered(t *testing.T, client *http.Client, issuer string) (context.Context, *oidc.Provider) {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), client)
	p, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return ctx, p
}
