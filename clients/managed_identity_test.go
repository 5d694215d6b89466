package clients

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// host is a machine with a system-assigned identity and a user-assigned one.
type host struct {
	name, machine, kind string
	env                 []string
	system              assigned
}

// hosts makes a machine of each kind that has both identities. The virtual machine is found in two ways.
func hosts(t *testing.T, one assigned) (out []host) {
	t.Helper()
	for _, h := range []host{
		{machine: "default", kind: "vm"}, {machine: "identity-app", kind: "app_service"}, {machine: "identity-arc", kind: "arc"}, {machine: "identity-shell", kind: "cloud_shell"},
	} {
		made := machine(t, h.machine, h.kind, "--system-assigned", "--identity", one.id)
		h.name, h.env = h.kind, machineEnv(t, h.machine)
		h.system = assigned{text(made, "resource_id"), text(made, "system_identity.client_id"), text(made, "system_identity.object_id")}
		out = append(out, h)
	}
	found := out[0] // without a hint: DefaultAzureCredential probes, and all ask the fixed address by HTTP_PROXY
	found.name = "vm at 169.254.169.254"
	found.env = append(found.env, "/usr/bin/env", "-u", "AZURE_POD_IDENTITY_AUTHORITY_HOST", "-u", "AZURE_TOKEN_CREDENTIALS")
	return append(out, found)
}

// refusedByItself is what an SDK says, without a request, of a user-assigned identity where it knows none.
var refusedByItself = map[string]string{
	"arc with azure-identity for Python": "User assigned managed identities are not supported by Azure Arc",
	"cloud_shell with azidentity for Go": "Cloud Shell doesn't support user-assigned managed identities",
	"cloud_shell with @azure/identity":   "Specifying a user-assigned managed identity is not supported for CloudShell at runtime",
}

// Every language's SDK gets tokens of both identities on a machine of every kind, by each name that an
// identity has, and finds the machine by itself.
func TestManagedIdentityInEveryLanguage(t *testing.T) {
	a := home(t)
	one := a.identity(t, "identities", "one")
	asks := []ask{
		{Name: "system-assigned", Credential: "managed", Scope: graphScope},
		{Name: "by client id", Credential: "managed", ClientID: one.client, Scope: graphScope},
		{Name: "by object id", Credential: "managed", ObjectID: one.principal, Scope: graphScope},
		{Name: "by ARM id", Credential: "managed", ResourceID: one.id, Scope: graphScope},
		{Name: "by default", Credential: "default", Scope: armScope},
	}
	for _, h := range hosts(t, one) {
		for _, p := range programs(t) {
			name := h.name + " with " + p.name
			t.Run(name, func(t *testing.T) {
				p.need(t)
				if h.kind == "arc" {
					needArcFolder(t)
				}
				got := p.on(t, h.env, asks)
				for _, ask := range asks {
					want, audience, refusal := h.system, strings.TrimSuffix(ask.Scope, "/.default"), ""
					if ask.ClientID+ask.ObjectID+ask.ResourceID != "" {
						want, refusal = one, refusedByItself[name]
					}
					switch answer := got[ask.Name]; {
					case refusal != "" && !strings.Contains(answer.Error, refusal):
						t.Errorf("%s: %+v, want %q", ask.Name, answer, refusal)
					case refusal == "" && answer.Token == "":
						t.Errorf("%s: %s", ask.Name, answer.Error)
					case refusal == "":
						a.managed(t, answer, want, audience)
					}
				}
			})
		}
	}
}

// managed checks a managed identity's token of version 1.0.
func (a admin) managed(t *testing.T, got told, want assigned, audience string) {
	t.Helper()
	claims := a.verified(t, got.Token, "1.0", audience)
	wants(t, "token", claims, map[string]any{
		"oid": want.principal, "sub": want.principal, "appid": want.client, "appidacr": "2", "azp": nil, "idtyp": "app", "aud": audience,
		"idp": "https://sts.windows.net/" + a.tenant + "/", "xms_mirid": strings.Replace(want.id, "/resourceGroups/", "/resourcegroups/", 1),
	})
	if left := time.Until(time.Unix(int64(claims["exp"].(float64)), 0)); left < 23*time.Hour || left > 24*time.Hour {
		t.Errorf("the token is good for %v, want a day", left)
	}
	if off := claims["exp"].(float64) - float64(got.ExpiresOn); off < -30 || off > 30 { // some count from when the answer came
		t.Errorf("the SDK has the expiry %d, the token %v", got.ExpiresOn, claims["exp"])
	}
}

// What a machine refuses, in the words that each language's SDK leaves of it.
func TestManagedIdentityRefusals(t *testing.T) {
	const multiple, load, found = "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request",
		"Unable to load the proper Managed Identity.", "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
	said := map[string]map[string]string{
		"azidentity for Go": {"which of two": "failed to authenticate a system assigned identity. The endpoint responded with {\"error\":\"invalid_request\",\"error_description\":\"" + multiple,
			"not assigned": "the requested identity isn't assigned to this resource", "unknown resource": `"error": "invalid_resource"`},
		"azure-identity for Python": {"which of two": "No identity has been assigned to this resource.",
			"not assigned": "The requested identity has not been assigned to this resource.", "unknown resource": "The requested identity has not been assigned to this resource."}, // it looks at the status alone
		"@azure/identity": {"which of two": "invalid_request: Error(s): Not Available - Timestamp: Not Available - Description: " + multiple,
			"not assigned": "Description: Identity not found", "unknown resource": "invalid_resource: Error(s): 500011"},
	}
	a := home(t)
	one, two, three := a.identity(t, "identities", "one"), a.identity(t, "identities", "two"), a.identity(t, "identities", "three")
	machine(t, "default", "vm", "--identity", one.id, "--identity", two.id)
	machine(t, "refusals", "app_service", "--identity", one.id)
	vm, app := machineEnv(t, "default"), machineEnv(t, "refusals")
	asks := []ask{
		{Name: "which of two", Credential: "managed", Scope: graphScope},
		{Name: "not assigned", Credential: "managed", ClientID: three.client, Scope: graphScope},
		{Name: "unknown resource", Credential: "managed", ClientID: one.client, Scope: "https://nobody.example/.default"},
	}
	for _, p := range programs(t) {
		t.Run(p.name, func(t *testing.T) {
			p.need(t)
			got := p.on(t, vm, asks)
			for name, want := range said[p.name] {
				if !strings.Contains(got[name].Error, want) {
					t.Errorf("%s: %+v, want %q", name, got[name], want)
				}
			}
			got = p.on(t, app, asks[:2])
			for name, want := range map[string]string{"which of two": load, "not assigned": found} {
				if !strings.Contains(got[name].Error, want) {
					t.Errorf("%s in an app: %+v, want %q", name, got[name], want)
				}
			}
		})
	}
}

// App Service says nothing of why Entra refuses; the correlation id in its answer does, to explain.
func TestManagedIdentityRefusalIsExplained(t *testing.T) {
	machine(t, "explained", "app_service", "--system-assigned")
	argv := append([]string{"/usr/bin/env"}, machineEnv(t, "explained")...)
	answer := must[object](t, shared, nil, append(argv, "sh", "-c",
		`curl -sS -H "X-IDENTITY-HEADER: $IDENTITY_HEADER" "$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=https://nobody.example"`)...)
	wants(t, "answer", answer, map[string]any{"statusCode": 500, "message": "An unexpected error occured while fetching the AAD Token."})
	told := shared.exec(t, nil, shared.bin, "explain", "--data", shared.data, text(answer, "correlationId"))
	if told.code != 10 || !strings.Contains(told.stdout, "AADSTS500011: The resource principal named https://nobody.example was not found") {
		t.Errorf("explain: exit %d\n%s%s", told.code, told.stdout, told.stderr)
	}
}

// Graph and Resource Manager take the tokens, and let the identity do what it was granted. A machine's
// endpoint gives out one token until it expires, so roles come with the next one: here, on another machine.
func TestManagedIdentityIsAuthorized(t *testing.T) {
	a := home(t)
	worker := a.identity(t, "identities", "worker")
	machine(t, "before", "app_service", "--identity", worker.id)
	machine(t, "after", "app_service", "--identity", worker.id)
	sdk, before, after := programs(t)[0], machineEnv(t, "before"), machineEnv(t, "after")
	tokens := func(env []string) (forGraph, forARM string) {
		got := sdk.on(t, env, []ask{
			{Name: "graph", Credential: "managed", ClientID: worker.client, Scope: graphScope}, {Name: "arm", Credential: "managed", ClientID: worker.client, Scope: armScope}})
		return got["graph"].Token, got["arm"].Token
	}
	groups := arm + "/subscriptions/" + a.subscription + "/resourcegroups?api-version=2021-04-01"
	uses := func(what, bearer, url string, status int, code string) {
		t.Helper()
		got, body := a.call(t, bearer, "GET", url, nil)
		if got != status || text(body, "error.code") != code {
			t.Errorf("%s: %d %v, want %d %s", what, got, body, status, code)
		}
	}
	oldGraph, oldARM := tokens(before)
	uses("Graph without a role", oldGraph, graph+"/v1.0/applications?$top=1", http.StatusForbidden, "Authorization_RequestDenied")
	uses("Resource Manager without a role", oldARM, groups, http.StatusForbidden, "AuthorizationFailed")

	a.permit(t, worker.principal, applicationReadAll)
	a.role(t, "5a3c9f10-0000-4000-8000-0000000000a9", reader, worker.principal)
	uses("Resource Manager reads roles from the directory", oldARM, groups, http.StatusOK, "")
	uses("Graph reads roles from the token", oldGraph, graph+"/v1.0/applications?$top=1", http.StatusForbidden, "Authorization_RequestDenied")
	if again, _ := tokens(before); again != oldGraph {
		t.Error("the endpoint made another token while the first is good")
	}

	newGraph, newARM := tokens(after)
	uses("Graph with a role", newGraph, graph+"/v1.0/applications?$top=1", http.StatusOK, "")
	uses("Resource Manager with a role", newARM, groups, http.StatusOK, "")
	wants(t, "token", a.verified(t, newGraph, "1.0", graph), map[string]any{"roles": []any{"Application.Read.All"}})
	wants(t, "token", a.verified(t, newARM, "1.0", arm), map[string]any{"roles": nil})
	status, body := a.call(t, newARM, "DELETE", groups[:len(groups)-len("?api-version=2021-04-01")]+"/identities?api-version=2021-04-01", nil)
	if status != http.StatusForbidden {
		t.Errorf("a Reader deleted: %d %v", status, body)
	}
}
