package clients

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	exchange      = "api://AzureADTokenExchange"
	exchangeScope = exchange + "/.default"
	exchangeApp   = "fb60f99c-7a34-4190-8149-302f77469936" // the audience of v2 tokens for it
	graph         = "https://graph.microsoft.com"
	graphScope    = graph + "/.default"
	armScope      = arm + "/.default"
	identityAPI   = "?api-version=2023-01-31"
	arcFolder     = "/var/opt/azcmagent/tokens" // where clients read challenge files, and nowhere else
)

// treaty runs a command of the binary that has to succeed, and decodes its JSON.
func treaty[T any](t *testing.T, args ...string) T {
	t.Helper()
	argv := append([]string{shared.bin}, args...)
	return must[T](t, shared, nil, append(argv, "--json", "--data", shared.data)...)
}

// admin is an administrator of a tenant: an application with a secret.
type admin struct {
	tenant, app, secret, subscription string
	client                            *http.Client // through the twin's proxy
}

// home is the administrator of the first tenant.
func home(t *testing.T) admin {
	t.Helper()
	e := shared.env
	return admin{e["AZURE_TENANT_ID"], e["AZURE_CLIENT_ID"], e["AZURE_CLIENT_SECRET"], e["AZURE_SUBSCRIPTION_ID"], proxied(t)}
}

// proxied is a client that reaches the clouds as `treaty exec --twin` would let it.
func proxied(t *testing.T) *http.Client {
	t.Helper()
	proxy, err := url.Parse(shared.env["HTTPS_PROXY"])
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(shared.env["SSL_CERT_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}}
}

// token is the administrator's token, by azidentity.
func (a admin) token(t *testing.T, scope string) string {
	t.Helper()
	c, err := azidentity.NewClientSecretCredential(a.tenant, a.app, a.secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: azcore.ClientOptions{Transport: a.client}})
	if err != nil {
		t.Fatal(err)
	}
	token, err := c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{scope}})
	if err != nil {
		t.Fatal(err)
	}
	return token.Token
}

// call sends JSON with a bearer token, and gives what came.
func (a admin) call(t *testing.T, bearer, method, url string, body object) (int, object) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, url, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	r.Header.Set("Content-Type", "application/json")
	resp, err := a.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out object
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil && resp.StatusCode != http.StatusNoContent {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp.StatusCode, out
}

// make has to succeed, as administrator.
func (a admin) make(t *testing.T, method, url string, body object) object {
	t.Helper()
	scope := graphScope
	if strings.HasPrefix(url, arm) {
		scope = armScope
	}
	status, out := a.call(t, a.token(t, scope), method, url, body)
	if status >= http.StatusBadRequest {
		t.Fatalf("%s %s: %d %v", method, url, status, out)
	}
	return out
}

// assigned is a user-assigned managed identity.
type assigned struct{ id, client, principal string }

// identity makes a user-assigned identity.
func (a admin) identity(t *testing.T, group, name string) assigned {
	t.Helper()
	at := "/subscriptions/" + a.subscription + "/resourceGroups/" + group
	a.make(t, "PUT", arm+at+"?api-version=2021-04-01", object{"location": "westeurope"})
	at += "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/" + name
	made := a.make(t, "PUT", arm+at+identityAPI, object{"location": "westeurope"})
	return assigned{at, text(made, "properties.clientId"), text(made, "properties.principalId")}
}

// role assigns a role at the subscription.
func (a admin) role(t *testing.T, name, role, principal string) {
	t.Helper()
	authorization := "/subscriptions/" + a.subscription + "/providers/Microsoft.Authorization/"
	a.make(t, "PUT", arm+authorization+"roleAssignments/"+name+"?api-version=2022-04-01", object{"properties": object{
		"roleDefinitionId": authorization + "roleDefinitions/" + role, "principalId": principal, "principalType": "ServicePrincipal"}})
}

// permit gives a principal an app role of Microsoft Graph.
func (a admin) permit(t *testing.T, principal, role string) {
	t.Helper()
	found := a.make(t, "GET", graph+"/v1.0/servicePrincipals(appId='"+graphAppID+"')", nil)
	a.make(t, "POST", graph+"/v1.0/servicePrincipals/"+principal+"/appRoleAssignments", object{"principalId": principal, "resourceId": found["id"], "appRoleId": role})
}

// verified checks a token as its audience would, by coreos/go-oidc: signature by the tenant's published
// keys, issuer, audience and lifetime. version is "1.0" or "2.0".
func (a admin) verified(t *testing.T, raw, version, audience string) object {
	t.Helper()
	at, issuer := "https://login.microsoftonline.com/"+a.tenant, "https://sts.windows.net/"+a.tenant+"/"
	if version == "2.0" {
		at += "/v2.0"
		issuer = at
	}
	ctx := oidc.InsecureIssuerURLContext(oidc.ClientContext(t.Context(), a.client), issuer) // v1's discovery is elsewhere
	provider, err := oidc.NewProvider(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	token, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: audience}).Verify(ctx, raw)
	if err != nil {
		_, claims := decode(t, raw)
		t.Fatalf("%v\n%v", err, claims)
	}
	var claims object
	if err := token.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	wants(t, "token", claims, map[string]any{"ver": version, "tid": a.tenant})
	return claims
}

// machine makes a machine that goes with the test, and gives what `treaty machine create` said.
func machine(t *testing.T, name, kind string, args ...string) object {
	t.Helper()
	made := treaty[object](t, append([]string{"machine", "create", name, "--kind", kind}, args...)...)
	t.Cleanup(func() { treaty[object](t, "machine", "delete", name) })
	return made
}

// machineEnv is a machine's environment as arguments of /usr/bin/env, with more of them behind.
func machineEnv(t *testing.T, name string, more ...string) []string {
	t.Helper()
	var unset, set []string
	for variable, value := range treaty[map[string]*string](t, "machine", "env", name) {
		if value == nil {
			unset = append(unset, "-u", variable)
		} else {
			set = append(set, variable+"="+*value)
		}
	}
	return slices.Concat(unset, set, more)
}

// needArcFolder skips a test where challenge files cannot be written. Who may is root, in CI too.
func needArcFolder(t *testing.T) {
	t.Helper()
	_, before := os.Stat(arcFolder)
	err := os.MkdirAll(arcFolder, 0o750)
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(arcFolder, "probe"); err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
	}
	switch {
	case err == nil && os.IsNotExist(before):
		t.Cleanup(func() { _, _ = os.Remove(arcFolder), os.Remove("/var/opt/azcmagent") })
	case err != nil && os.Getenv("CI") == "true" && os.Geteuid() == 0:
		t.Fatal(err)
	case err != nil:
		t.Skip("challenge files cannot be written, which takes root: ", err)
	}
}
