package clients

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// Every other token of Entra is refused as a federated credential, by the code that fits, in az, azidentity
// and MSAL alike; and explain names the way that is open, for the refused request as for the bare token.
func TestTenantsAreCrossedByNothingElse(t *testing.T) {
	need(t, az)
	a, b := home(t), newTenant(t, "refused.onmicrosoft.com")
	trusted, other, theirs := a.identity(t, "identities", "trusted"), a.identity(t, "identities", "other"), b.identity(t, "identities", "theirs")
	machine(t, "refused-here", "app_service", "--system-assigned", "--identity", trusted.id, "--identity", other.id)
	machine(t, "refused-there", "app_service", "--identity", theirs.id, "--tenant", b.tenant)
	here, there := machineEnv(t, "refused-here"), machineEnv(t, "refused-there")
	app := a.make(t, "POST", graph+"/v1.0/applications", object{"displayName": "refused abroad", "signInAudience": "AzureADMultipleOrgs"})
	b.make(t, "POST", graph+"/v1.0/servicePrincipals", object{"appId": app["appId"]})
	for name, of := range map[string]struct{ tenant, subject string }{"trusted": {a.tenant, trusted.principal}, "theirs": {b.tenant, theirs.principal}} {
		a.make(t, "POST", graph+"/v1.0/applications/"+text(app, "id")+"/federatedIdentityCredentials", object{
			"name": name, "issuer": "https://login.microsoftonline.com/" + of.tenant + "/v2.0", "subject": of.subject, "audiences": []string{exchange}})
	}
	system := programs(t)[0].on(t, here, []ask{{Name: "system", Credential: "managed", Scope: exchangeScope}, {Name: "arm", Credential: "managed", ClientID: trusted.client, Scope: armScope}})
	route := "have a user-assigned managed identity of tenant " + a.tenant + " ask for a token for the resource " + exchange

	for _, tt := range []struct{ name, token, code, says, explained string }{
		{"a plain application's", a.token(t, exchangeScope), "AADSTS700226", "Only MSI tokens may be used as Federated Identity Credentials for AAD issuer.", route},
		{"a system-assigned identity's", system["system"].Token, "AADSTS700226", "Only MSI tokens", route},
		{"a plain application's of version 1.0", a.token(t, graphScope), "AADSTS700227", "Forbidden token audience.", route},
		{"the trusted identity's for Resource Manager", system["arm"].Token, "AADSTS700227", "Forbidden token audience.", route},
		{"an identity's of the other tenant", b.exchangeToken(t, there, theirs), "AADSTS700236", "Entra ID tokens issued by issuer 'https://login.microsoftonline.com/" + b.tenant +
			"/v2.0' may not be used for federated identity credential flows for applications or managed identities registered in this tenant.", "register the application in tenant " + b.tenant},
		{"another identity's of the same tenant", a.exchangeToken(t, here, other), "AADSTS700213", "No matching federated identity record found for presented assertion subject '" + other.principal + "'", other.principal},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			id := text(app, "appId")
			z := session(t.TempDir())
			z.fails(t, tt.code+": "+tt.says, "login", "--service-principal", "-u", id, "--tenant", b.tenant, "--federated-token", tt.token)
			said := msal(t, []object{{"name": "refused", "tenant": b.tenant, "app": id, "assertion": tt.token}})
			if !strings.HasPrefix(text(said, "refused.error_description"), tt.code+": "+tt.says) || text(said, "refused.error") != "invalid_client" {
				t.Errorf("MSAL: %v", said)
			}
			err := b.exchange(t, id, tt.token)
			if err == nil || !strings.Contains(err.Error(), tt.code+": "+tt.says) {
				t.Fatalf("azidentity: %v, want %s: %s", err, tt.code, tt.says)
			}
			_, after, _ := strings.Cut(err.Error(), "Trace ID: ")
			trace, _, _ := strings.Cut(after, " ")
			file := filepath.Join(t.TempDir(), "token.jwt")
			if err := os.WriteFile(file, []byte(tt.token), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{trace}, {"azure", "--token", file, "--app", id}} {
				told := shared.exec(t, nil, append([]string{shared.bin, "explain", "--data", shared.data}, args...)...)
				if said := strings.Join(strings.Fields(told.stdout), " "); told.code != 10 || !strings.Contains(said, tt.code) || !strings.Contains(said, tt.explained) {
					t.Errorf("explain %s: exit %d, want %s and %q\n%s%s", args[0], told.code, tt.code, tt.explained, told.stdout, told.stderr)
				}
			}
		})
	}
}

// exchange shows a token in an application's name, by azidentity.
func (a admin) exchange(t *testing.T, app, token string) error {
	t.Helper()
	c, err := azidentity.NewClientAssertionCredential(a.tenant, app, func(context.Context) (string, error) { return token, nil },
		&azidentity.ClientAssertionCredentialOptions{ClientOptions: azcore.ClientOptions{Transport: a.client}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{graphScope}})
	return err
}
