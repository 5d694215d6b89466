package clients

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
)

// newTenant makes a tenant with keys of its own, and gives its administrator.
func newTenant(t *testing.T, domain string) admin {
	t.Helper()
	made := treaty[object](t, "tenant", "create", "--name", "Partner", "--domain", domain, "--keys", "own")
	wants(t, "tenant create", made, map[string]any{"name": "Partner", "domain": domain, "keys": "own", "administrator.tenantId": made["id"]})
	return admin{text(made, "id"), text(made, "administrator.clientId"), text(made, "administrator.clientSecret"), text(made, "administrator.subscriptionId"), proxied(t)}
}

// kids are the ids of the keys that a tenant publishes.
func (a admin) kids(t *testing.T) (kids []string) {
	t.Helper()
	_, set := a.call(t, "", "GET", "https://login.microsoftonline.com/"+a.tenant+"/discovery/v2.0/keys", nil)
	for i := range set["keys"].([]any) {
		kids = append(kids, text(set["keys"].([]any)[i], "kid"))
	}
	if len(kids) == 0 {
		t.Fatalf("no keys: %v", set)
	}
	return kids
}

// msal asks MSAL for Python.
func msal(t *testing.T, asks []object) object {
	t.Helper()
	need(t, "/usr/lib/python3/dist-packages/msal")
	b, err := json.Marshal(asks)
	if err != nil {
		t.Fatal(err)
	}
	return must[object](t, shared, []string{"ASKS=" + string(b)}, python, "testdata/msal_tenants.py")
}

// A second tenant is another world to every client: own administrator, directory, subscription and keys.
func TestTenantsAreWorldsOfTheirOwn(t *testing.T) {
	need(t, az)
	const domain = "worlds.onmicrosoft.com"
	a, b := home(t), newTenant(t, domain)
	mine := b.kids(t)
	for _, kid := range a.kids(t) {
		if slices.Contains(mine, kid) {
			t.Errorf("both tenants publish the key %s", kid)
		}
	}
	token := b.token(t, graphScope) // azidentity
	wants(t, "azidentity", b.verified(t, token, "1.0", graph), map[string]any{"appid": b.app, "idtyp": "app"})

	z := azIn{session: session(t.TempDir())}
	login := func(tenant string) []string {
		return []string{"login", "--service-principal", "-u", b.app, "-p", b.secret, "-t", tenant}
	}
	wants(t, "az login", z.do(t, login(domain)...), map[string]any{"0.id": b.subscription, "0.tenantId": b.tenant, "0.isDefault": true, "1": nil})
	b.verified(t, text(z.do(t, "account", "get-access-token", "--resource", arm), "accessToken"), "1.0", arm)
	z.do(t, "group", "create", "--name", "there", "--location", "westeurope")
	app := z.do(t, "ad", "app", "create", "--display-name", "only there")
	wants(t, "az ad app create", app, map[string]any{"publisherDomain": domain})
	z.fails(t, 1, "AADSTS700016", login(a.tenant)...) // it is in no other tenant
	azLogin(t)
	fails(t, 3, notThere(text(app, "appId")), "ad", "app", "show", "--id", text(app, "appId"))
	fails(t, 3, "ResourceGroupNotFound", "group", "show", "--name", "there")

	said := msal(t, []object{
		{"name": "by id", "tenant": b.tenant, "app": b.app, "secret": b.secret}, {"name": "by domain", "tenant": domain, "app": b.app, "secret": b.secret},
		{"name": "elsewhere", "tenant": a.tenant, "app": b.app, "secret": b.secret}, {"name": "a stranger", "tenant": b.tenant, "app": a.app, "secret": a.secret},
	})
	for _, name := range []string{"by id", "by domain"} {
		b.verified(t, text(said, name+".access_token"), "1.0", graph)
	}
	wants(t, "MSAL", said, map[string]any{"elsewhere.error_codes": []any{700016}, "a stranger.error_codes": []any{700016}})

	status, body := a.call(t, a.token(t, armScope), "GET", arm+"/subscriptions/"+b.subscription+"/resourcegroups?api-version=2021-04-01", nil)
	if status != http.StatusUnauthorized || text(body, "error.code") != "InvalidAuthenticationTokenTenant" {
		t.Errorf("the first tenant's token in the other's subscription: %d %v", status, body)
	}
}

// An application of the first tenant, installed in the second, gets tokens there for a managed identity of
// the first, and holds no secret in either.
func TestTenantsAreCrossedByAManagedIdentity(t *testing.T) {
	need(t, az)
	a, b := home(t), newTenant(t, "crossed.onmicrosoft.com")
	worker := a.identity(t, "identities", "crossing")
	machine(t, "crossing", "app_service", "--identity", worker.id)
	env := machineEnv(t, "crossing", "AZURE_CLIENT_ID="+worker.client)

	azLogin(t)
	app := do[object](t, "ad", "app", "create", "--display-name", "crossing", "--sign-in-audience", "AzureADMultipleOrgs")
	id := text(app, "appId")
	do[object](t, "ad", "app", "federated-credential", "create", "--id", id, "--parameters", `{"name":"managed-identity","issuer":"https://login.microsoftonline.com/`+
		a.tenant+`/v2.0","subject":"`+worker.principal+`","audiences":["`+exchange+`"]}`)
	there := azIn{session: session(t.TempDir())}
	there.do(t, "login", "--service-principal", "-u", b.app, "-p", b.secret, "-t", b.tenant)
	installed := there.do(t, "ad", "sp", "create", "--id", id)
	wants(t, "sp create", installed, map[string]any{"appId": id, "appOwnerOrganizationId": a.tenant, "servicePrincipalType": "Application", "displayName": "crossing"})
	principal := text(installed, "id")
	b.permit(t, principal, applicationReadAll)
	b.role(t, "5a3c9f10-0000-4000-8000-0000000000c9", reader, principal)
	crossed := func(what, raw, audience string) {
		t.Helper()
		wants(t, what, b.verified(t, raw, "1.0", audience), map[string]any{"appid": id, "appidacr": "2", "oid": principal, "sub": principal, "idtyp": "app", "xms_mirid": nil})
	}

	asks := []ask{{Name: "crossed", Credential: "assertion", Tenant: b.tenant, App: id, ClientID: worker.client, Scope: graphScope}}
	for _, p := range programs(t) {
		t.Run(p.name, func(t *testing.T) {
			p.need(t)
			got := p.on(t, env, asks)["crossed"]
			if got.Token == "" {
				t.Fatal(got.Error)
			}
			crossed(p.name, got.Token, graph)
			if status, body := b.call(t, got.Token, "GET", graph+"/v1.0/applications?$top=1", nil); status != http.StatusOK {
				t.Errorf("Graph: %d %v", status, body)
			}
		})
	}

	shown := a.exchangeToken(t, env, worker)
	z := azIn{session: session(t.TempDir())}
	wants(t, "az login", z.do(t, "login", "--service-principal", "-u", id, "--tenant", b.tenant, "--federated-token", shown),
		map[string]any{"0.id": b.subscription, "0.tenantId": b.tenant, "0.user.name": id, "1": nil})
	crossed("az", text(z.do(t, "account", "get-access-token", "--resource", arm), "accessToken"), arm)
	is(t, "az ad sp list", names(z.do(t, "ad", "sp", "list", "--filter", "appId eq '"+id+"'", "--query", "[].id")), []string{principal})

	said := msal(t, []object{{"name": "crossed", "tenant": b.tenant, "app": id, "assertion": shown}, {"name": "at home", "tenant": a.tenant, "app": id, "assertion": shown}})
	crossed("MSAL", text(said, "crossed.access_token"), graph)
	wants(t, "MSAL where there is no service principal", said, map[string]any{"at home.error": "invalid_client", "at home.error_codes": []any{7000229}})
}

// exchangeToken is the token that a machine's identity shows elsewhere: of version 2.0, for the exchange.
func (a admin) exchangeToken(t *testing.T, env []string, of assigned) string {
	t.Helper()
	got := programs(t)[0].on(t, env, []ask{{Name: "exchange", Credential: "managed", ClientID: of.client, Scope: exchangeScope}})["exchange"]
	if got.Token == "" {
		t.Fatal(got.Error)
	}
	wants(t, "exchange token", a.verified(t, got.Token, "2.0", exchangeApp), map[string]any{"azp": of.client, "azpacr": "2", "oid": of.principal, "sub": of.principal, "idtyp": "app", "appid": nil})
	return got.Token
}

func names(v any) (out []string) {
	for _, name := range v.([]any) {
		out = append(out, name.(string))
	}
	return out
}
