package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A cluster's service account signs in as a user-assigned identity that trusts it, with nothing but the
// environment and the token file that AKS's webhook gives a pod.
func TestManagedIdentityOfAWorkload(t *testing.T) {
	a := home(t)
	pod := a.identity(t, "identities", "pod")
	const issuer = "https://oidc.cluster.example/identities"
	treaty[object](t, "issuer", "create", "--name", "identities-cluster", "--preset", "kubernetes", "--url", issuer, "--client", "shop/web", "--client", "shop/stranger")
	t.Cleanup(func() { treaty[object](t, "issuer", "delete", "identities-cluster") })
	file := func(client string) string {
		minted := treaty[object](t, "issuer", "token", "identities-cluster", "--client", client, "--audience", exchange)
		path := filepath.Join(t.TempDir(), "azure-identity-token")
		if err := os.WriteFile(path, []byte(text(minted, "token")), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a.make(t, "PUT", arm+pod.id+"/federatedIdentityCredentials/shop"+identityAPI, object{"properties": object{
		"issuer": issuer, "subject": "system:serviceaccount:shop:web", "audiences": []string{exchange}}})
	env := func(path string) []string {
		return []string{"-u", "AZURE_CLIENT_SECRET", "-u", "AZURE_TOKEN_CREDENTIALS", "AZURE_TENANT_ID=" + a.tenant, "AZURE_CLIENT_ID=" + pod.client,
			"AZURE_FEDERATED_TOKEN_FILE=" + path, "AZURE_AUTHORITY_HOST=https://login.microsoftonline.com/"}
	}
	own, strange := env(file("shop/web")), env(file("shop/stranger"))
	for _, p := range programs(t) {
		t.Run(p.name, func(t *testing.T) {
			p.need(t)
			got := p.on(t, own, []ask{{Name: "workload", Credential: "workload", Scope: graphScope}, {Name: "default", Credential: "default", Scope: armScope}})
			for name, audience := range map[string]string{"workload": graph, "default": arm} {
				if got[name].Token == "" {
					t.Errorf("%s: %s", name, got[name].Error)
					continue
				}
				a.managed(t, got[name], pod, audience)
			}
			refused := p.on(t, strange, []ask{{Name: "workload", Credential: "workload", Scope: graphScope}})["workload"]
			if want := "AADSTS700213: No matching federated identity record found for presented assertion subject 'system:serviceaccount:shop:stranger'"; !strings.Contains(refused.Error, want) {
				t.Errorf("%+v does not say %q", refused, want)
			}
		})
	}
}
