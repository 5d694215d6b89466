package clients

import (
	"encoding/json"
	"strings"
	"testing"
)

const (
	aws    = "/usr/bin/aws"
	az     = "/usr/bin/az"
	python = "/usr/bin/python3"

	graphAppID            = "00000003-0000-0000-c000-000000000000"
	applicationReadAll    = "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"
	reader                = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	cognitoIssuer         = "https://cognito-identity.amazonaws.com"
	vnetPath              = "/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/hub?api-version=2023-05-01"
	subscriptionVnetsPath = "/providers/Microsoft.Network/virtualNetworks?api-version=2023-05-01"
)

// workload is what the articles build: a pool with one developer identity, and an application that trusts it.
type workload struct {
	tenant, subscription     string
	pool, identity, token    string
	app, object, principalID string
}

// build carries out the set-up steps of both articles with the aws and az command lines.
func build(t *testing.T, name string) workload {
	t.Helper()
	need(t, aws)
	need(t, az)
	w := workload{tenant: shared.env["AZURE_TENANT_ID"], subscription: shared.env["AZURE_SUBSCRIPTION_ID"]}

	pool := must[object](t, shared, nil, aws, "cognito-identity", "create-identity-pool", "--identity-pool-name", name,
		"--no-allow-unauthenticated-identities", "--developer-provider-name", "my.dev.provider")
	wants(t, "create-identity-pool", pool, map[string]any{
		"IdentityPoolName": name, "AllowUnauthenticatedIdentities": false, "DeveloperProviderName": "my.dev.provider",
	})
	w.pool = text(pool, "IdentityPoolId")

	dev := must[object](t, shared, nil, aws, "cognito-identity", "get-open-id-token-for-developer-identity", "--identity-pool-id", w.pool,
		"--logins", "my.dev.provider=my_user_id", "--token-duration", "120")
	w.identity, w.token = text(dev, "IdentityId"), text(dev, "Token")

	azLogin(t)
	app := must[object](t, shared, nil, az, "ad", "app", "create", "--display-name", name)
	w.app, w.object = text(app, "appId"), text(app, "id")
	sp := must[object](t, shared, nil, az, "ad", "sp", "create", "--id", w.app)
	w.principalID = text(sp, "id")
	if w.app == "" || w.object == "" || w.principalID == "" || w.object == w.principalID || w.app == w.object {
		t.Fatalf("application %q, its object %q and its service principal %q must be three ids", w.app, w.object, w.principalID)
	}
	fic := must[object](t, shared, nil, az, "ad", "app", "federated-credential", "create", "--id", w.app, "--parameters",
		`{"name":"cognito","issuer":"`+cognitoIssuer+`","subject":"`+w.identity+`","audiences":["`+w.pool+`"],"description":"the identity pool"}`)
	wants(t, "federated-credential create", fic, map[string]any{
		"name": "cognito", "issuer": cognitoIssuer, "subject": w.identity, "audiences": []any{w.pool}, "description": "the identity pool",
	})
	return w
}

func azLogin(t *testing.T) {
	t.Helper()
	accounts := must[[]any](t, shared, nil, az, "login", "--service-principal", "-u", shared.env["AZURE_CLIENT_ID"],
		"-p", shared.env["AZURE_CLIENT_SECRET"], "-t", shared.env["AZURE_TENANT_ID"])
	wants(t, "az login", accounts, map[string]any{
		"0.id": shared.env["AZURE_SUBSCRIPTION_ID"], "0.tenantId": shared.env["AZURE_TENANT_ID"], "0.state": "Enabled",
		"0.cloudName": "AzureCloud", "0.user.type": "servicePrincipal",
	})
}

// Article 002 as it stands: boto3 and a plain POST, then Microsoft Graph with the access token.
func TestArticleNoCertsNoSecrets(t *testing.T) {
	w := build(t, "my-identity-pool")
	need(t, "/usr/lib/python3/dist-packages/boto3")

	header, claims := decode(t, w.token)
	wants(t, "Cognito header", header, map[string]any{"alg": "RS512", "typ": "JWS", "kid": "us-east-11"})
	guid := strings.TrimPrefix(w.pool, "us-east-1:")
	wants(t, "Cognito claims", claims, map[string]any{
		"iss": cognitoIssuer, "sub": w.identity, "aud": w.pool, "nbf": nil, "jti": nil,
		"amr": []any{"authenticated", "my.dev.provider", "my.dev.provider:us-east-1:" + guid + ":my_user_id"},
	})
	if life := claims["exp"].(float64) - claims["iat"].(float64); life != 120 {
		t.Errorf("the token lives %v s, want 120", life)
	}

	env := []string{"POOL=" + w.pool, "TENANT=" + w.tenant, "APP=" + w.app}
	refused := must[object](t, shared, env, python, "testdata/article002.py")
	wants(t, "before the grant", refused, map[string]any{"status": 200, "graph.status": 403, "graph.body.error.code": "Authorization_RequestDenied"})

	graph := must[object](t, shared, nil, az, "ad", "sp", "show", "--id", graphAppID)
	must[object](t, shared, nil, az, "rest", "--method", "post", "--url", "https://graph.microsoft.com/v1.0/servicePrincipals/"+w.principalID+"/appRoleAssignments",
		"--body", `{"principalId":"`+w.principalID+`","resourceId":"`+text(graph, "id")+`","appRoleId":"`+applicationReadAll+`"}`)

	out := must[object](t, shared, env, python, "testdata/article002.py")
	wants(t, "article", out, map[string]any{
		"identity": w.identity, "status": 200, "entra.token_type": "Bearer", "entra.expires_in": 3599, "entra.ext_expires_in": 3599,
		"entra.scope": nil, "entra.refresh_token": nil, "entra.id_token": nil, "graph.status": 200,
	})
	if got, _ := at(out, "graph.body.value").([]any); len(got) != 1 {
		t.Errorf("$top=1 gave %d applications", len(got))
	}
	header, claims = decode(t, text(out, "entra.access_token"))
	wants(t, "Entra header", header, map[string]any{"alg": "RS256", "typ": "JWT", "x5t": header["kid"]})
	wants(t, "Entra claims", claims, map[string]any{
		"iss": "https://sts.windows.net/" + w.tenant + "/", "aud": "https://graph.microsoft.com", "ver": "1.0",
		"appid": w.app, "appidacr": "2", "tid": w.tenant, "oid": w.principalID, "sub": w.principalID,
		"idtyp": "app", "roles": []any{"Application.Read.All"},
	})
}

// Article 000 as it stands: az signs in with the Cognito token and reads virtual networks, once it may.
func TestArticleExternalWorkload(t *testing.T) {
	w := build(t, "external-workload")
	scope := "/subscriptions/" + w.subscription
	must[object](t, shared, nil, az, "group", "create", "--name", "net", "--location", "westeurope")
	vnet := must[object](t, shared, nil, az, "rest", "--method", "put", "--url", scope+vnetPath,
		"--body", `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"a","properties":{"addressPrefix":"10.0.1.0/24"}}]}}`)
	wants(t, "vnet", vnet, map[string]any{"name": "hub", "type": "Microsoft.Network/virtualNetworks", "properties.provisioningState": "Succeeded"})

	// az rest refuses a subscription that its login does not list, so the workload first gets a role of its
	// own that shows the subscription and nothing in it.
	const visitor = "5a3c9f10-0000-4000-8000-00000000000a"
	put(t, scope+"/providers/Microsoft.Authorization/roleDefinitions/"+visitor+"?api-version=2022-04-01", object{"properties": object{
		"roleName": "Visitor", "description": "sees that the subscription is there", "type": "CustomRole", "assignableScopes": []string{scope},
		"permissions": []object{{"actions": []string{"Microsoft.Resources/subscriptions/read"}, "notActions": []string{}}},
	}})
	assign(t, w, scope, "5a3c9f10-0000-4000-8000-000000000001", visitor)

	federatedLogin(t, w)
	r := shared.exec(t, nil, az, "rest", "--url", "https://management.azure.com"+scope+subscriptionVnetsPath)
	want := "The client '" + w.app + "' with object id '" + w.principalID + "' does not have authorization to perform action " +
		"'Microsoft.Network/virtualNetworks/read' over scope '" + scope + "' or the scope is invalid."
	if r.code == 0 || !strings.Contains(r.stderr, "AuthorizationFailed") || !strings.Contains(r.stderr, want) {
		t.Errorf("without a role: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}

	azLogin(t)
	assign(t, w, scope, "5a3c9f10-0000-4000-8000-000000000002", reader)

	accounts := federatedLogin(t, w)
	wants(t, "az login --federated-token", accounts, map[string]any{"0.id": w.subscription, "0.user.name": w.app})
	list := must[object](t, shared, nil, az, "rest", "--url", "https://management.azure.com"+scope+subscriptionVnetsPath)
	wants(t, "virtual networks", list, map[string]any{"value.0.name": "hub", "value.0.properties.addressSpace.addressPrefixes": []any{"10.0.0.0/16"}})
	denied := shared.exec(t, nil, az, "rest", "--method", "delete", "--url", "https://management.azure.com"+scope+vnetPath)
	if denied.code == 0 || !strings.Contains(denied.stderr, "Microsoft.Network/virtualNetworks/delete") {
		t.Errorf("a Reader deleted: exit %d\n%s", denied.code, denied.stderr)
	}
	azLogin(t)
}

// federatedLogin signs az in as the workload, with a fresh token of the same identity.
func federatedLogin(t *testing.T, w workload) []any {
	t.Helper()
	dev := must[object](t, shared, nil, aws, "cognito-identity", "get-open-id-token-for-developer-identity", "--identity-pool-id", w.pool,
		"--logins", "my.dev.provider=my_user_id")
	if text(dev, "IdentityId") != w.identity {
		t.Fatalf("the same user got another identity: %s", text(dev, "IdentityId"))
	}
	must[any](t, shared, nil, az, "account", "clear") // else az goes on as whoever was there
	return must[[]any](t, shared, nil, az, "login", "--service-principal", "-u", w.app, "-t", w.tenant, "--federated-token", text(dev, "Token"))
}

// assign grants a role at a scope. Debian's az 2.45 cannot do it by "role assignment create", which stops
// before the call at an attribute that its own library no longer has.
func assign(t *testing.T, w workload, scope, name, role string) {
	t.Helper()
	definition := scope + "/providers/Microsoft.Authorization/roleDefinitions/" + role
	got := put(t, scope+"/providers/Microsoft.Authorization/roleAssignments/"+name+"?api-version=2022-04-01", object{"properties": object{
		"roleDefinitionId": definition, "principalId": w.principalID, "principalType": "ServicePrincipal",
	}})
	wants(t, "role assignment", got, map[string]any{
		"properties.principalId": w.principalID, "properties.scope": scope, "properties.principalType": "ServicePrincipal", "properties.roleDefinitionId": definition,
	})
}

func put(t *testing.T, url string, body object) object {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return do[object](t, "rest", "--method", "put", "--url", url, "--body", string(b))
}

// What a newcomer meets first: a wrong subject. The answer names it, and explain names the difference.
func TestRefusalIsExplained(t *testing.T) {
	w := build(t, "refused")
	must[object](t, shared, nil, az, "ad", "app", "federated-credential", "update", "--id", w.app, "--federated-credential-id", "cognito",
		"--parameters", `{"subject":"`+strings.ToUpper(w.identity)+`"}`)
	r := shared.exec(t, nil, az, "login", "--service-principal", "-u", w.app, "-t", w.tenant, "--federated-token", w.token)
	if r.code == 0 || !strings.Contains(r.stderr, "AADSTS7002138") {
		t.Fatalf("exit %d\n%s", r.code, r.stderr)
	}
	_, after, ok := strings.Cut(r.stderr, "Trace ID: ")
	if !ok {
		t.Fatalf("no trace id in %s", r.stderr)
	}
	trace := strings.Fields(after)[0]
	told := shared.exec(t, nil, shared.bin, "explain", "--data", shared.data, trace)
	if told.code != 10 {
		t.Errorf("explain: exit %d, want 10\n%s%s", told.code, told.stdout, told.stderr)
	}
	for _, want := range []string{"AADSTS7002138", "subject", w.identity, strings.ToUpper(w.identity), "case"} {
		if !strings.Contains(told.stdout, want) {
			t.Errorf("explain does not say %q:\n%s", want, told.stdout)
		}
	}
	azLogin(t)
}
