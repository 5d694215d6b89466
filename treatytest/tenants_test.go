package treatytest

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/server/seed"
)

// secondTenant is a seed file with another tenant and an application in it.
const secondTenant = `
tenants:
  - id: 0b0b0b0b-0000-4000-8000-000000000001
    name: Fabrikam
    domains: [fabrikam.onmicrosoft.com]
    applications:
      - name: fabrikam workload
        app_id: 0b0b0b0b-0000-4000-8000-000000000002
        secrets: [{value: fabrikam-secret-for-tests-only-0123456789}]
`

// The first article's own failure: a second tenant as external identity provider. Its application gets a
// token for api://AzureADTokenExchange, the trust names issuer, subject and audience rightly, and Entra
// refuses, because only managed identities' tokens may be exchanged.
func TestASecondTenantIsNoExternalIdentityProvider(t *testing.T) {
	t.Parallel()
	doc, err := seed.Parse([]byte(secondTenant))
	if err != nil {
		t.Fatal(err)
	}
	tt := Config{Seed: doc}.New(t)
	const fabrikam = "0b0b0b0b-0000-4000-8000-000000000001"
	status, body := tt.PostForm(tt.Authority+"/fabrikam.onmicrosoft.com/oauth2/v2.0/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"0b0b0b0b-0000-4000-8000-000000000002"},
		"client_secret": {"fabrikam-secret-for-tests-only-0123456789"}, "scope": {"api://AzureADTokenExchange/.default"},
	})
	var out struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &out); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	claims := claimsOf(t, out.AccessToken)
	if claims["ver"] != "2.0" || claims["aud"] != "fb60f99c-7a34-4190-8149-302f77469936" || claims["iss"] != "https://login.microsoftonline.com/"+fabrikam+"/v2.0" {
		t.Errorf("the other tenant's token: %v", claims)
	}
	app := tt.AddApplication("contoso")
	tt.Trust(app, "fabrikam", text(claims, "iss"), text(claims, "sub"), text(claims, "aud"))
	status, body = tt.Exchange(app, out.AccessToken, tt.GraphURL)
	if status != 401 || !strings.Contains(string(body), "AADSTS700226: Only MSI tokens may be used as Federated Identity Credentials for AAD issuer.") {
		t.Errorf("%d %s", status, body)
	}
}

// A service principal's own secret signs in as the application's does.
func TestAServicePrincipalsOwnSecretSignsIn(t *testing.T) {
	t.Parallel()
	tt := New(t)
	app := tt.AddApplication("own secret")
	var out struct{ SecretText string }
	tt.graph("POST", "/v1.0/servicePrincipals/"+app.PrincipalID+"/addPassword", m{"passwordCredential": m{"displayName": "x"}}, &out)
	for secret, want := range map[string]int{out.SecretText: 200, "guess": 401} {
		status, body := tt.PostForm(tt.TokenURL(), url.Values{
			"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "client_secret": {secret}, "scope": {"https://graph.microsoft.com/.default"},
		})
		if status != want {
			t.Errorf("%d %s, want %d", status, body, want)
		}
	}
}
