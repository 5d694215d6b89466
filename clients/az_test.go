package clients

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	ada          = "5a3c9f10-0000-4000-8000-0000000000a1" // a user of testdata/seed.yaml
	nobody       = "5a3c9f10-0000-4000-8000-00000000dead" // no object has this id
	readUsers    = "df021288-bdef-4463-88db-98f22de89214" // User.Read.All, a role of Microsoft Graph
	userRead     = "e1fe6dd8-ba31-4d61-89e7-88639da4683d" // User.Read, a scope of it
	githubIssuer = "https://token.actions.githubusercontent.com"
)

// TestAz goes through what people do with az to app registrations, service principals and resources, in
// Debian's az 2.45. Its parts run side by side, for az takes about a second a command.
//
// Debian's package cannot carry out some commands at all: they stop before any call, at an attribute that
// its own libraries do not have. Here they are done by `az rest`:
//
//	role assignment list|create|delete|update    RoleAssignmentsOperations, RoleDefinitionsOperations: config
//	role definition list|delete|update           RoleDefinitionsOperations: config
//	ad sp create-for-rbac --role … --scopes …    RoleAssignmentsOperations: config
//	network vnet …                               ApplicationGatewaySkuName is None: standard_medium
//	account tenant|subscription list             an extension that Debian does not package
func TestAz(t *testing.T) {
	need(t, az)
	azLogin(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"service principals", azPrincipals}, {"groups and resources", azResources}, {"a plain application", azPlainApplication},
		{"credentials of an application", azCredentials}, {"applications", azApplications}, {"owners and permissions", azOwnersAndPermissions},
		{"federated credentials", azFederated}, {"roles", azRoles}, {"account", azAccount}, {"people", azPeople},
	} {
		t.Run(part.name, func(t *testing.T) {
			ownFolder(t)
			t.Parallel()
			part.run(t)
		})
	}
}

// folders are the configuration folders of az that belong to one test alone, by the test's name.
var folders sync.Map

// ownFolder gives a test a copy of what azLogin left behind, for do, fails and put. az writes its files in place and takes
// one that it finds half written for an empty one, which it then writes (azure/cli/core/_session.py, Session.load): of two
// that run side by side in one folder, one can sign the other out.
func ownFolder(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(shared.azFolder)); err != nil {
		t.Fatal(err)
	}
	folders.Store(t.Name(), dir)
	t.Cleanup(func() { folders.Delete(t.Name()) })
}

// azArgv is az with the test's own folder, if it has one.
func azArgv(t *testing.T, args []string) []string {
	t.Helper()
	if dir, own := folders.Load(t.Name()); own {
		return session(dir.(string)).argv(args)
	}
	return append([]string{az}, args...)
}

// do runs an az command that has to succeed and decodes its output.
func do[T any](t *testing.T, args ...string) T {
	t.Helper()
	return must[T](t, shared, nil, azArgv(t, args)...)
}

// fails runs an az command that has to exit with a code (az: 1; 2 for usage; 3 for a 404 of "show") and
// say a text.
func fails(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	r := shared.exec(t, nil, azArgv(t, args)...)
	if r.code != code || !strings.Contains(r.stderr, want) {
		t.Errorf("az %s: exit %d, want %d with %q\n%s%s", strings.Join(args, " "), r.code, code, want, r.stdout, r.stderr)
	}
}

// notThere is Graph's text for an object that is not there.
func notThere(id string) string {
	return "Resource '" + id + "' does not exist or one of its queried reference-property objects are not present."
}

func is[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func azAccount(t *testing.T) {
	tenant, subscription := shared.env["AZURE_TENANT_ID"], shared.env["AZURE_SUBSCRIPTION_ID"]
	want := map[string]any{"id": subscription, "tenantId": tenant, "homeTenantId": tenant, "name": "Treaty twin", "state": "Enabled",
		"environmentName": "AzureCloud", "isDefault": true, "user.name": shared.env["AZURE_CLIENT_ID"], "user.type": "servicePrincipal"}
	wants(t, "account show", do[object](t, "account", "show"), want)
	wants(t, "account list", do[[]any](t, "account", "list", "--refresh"), map[string]any{"0.id": subscription, "1": nil})
	locations := do[[]string](t, "account", "list-locations", "--query", "[].name")
	for _, name := range []string{"westeurope", "eastus", "northeurope"} {
		if !slices.Contains(locations, name) {
			t.Errorf("no location %s in %v", name, locations)
		}
	}
	wants(t, "tenants", do[object](t, "rest", "--url", "/tenants?api-version=2022-12-01"),
		map[string]any{"value.0.tenantId": tenant, "value.0.displayName": "Treaty", "value.0.defaultDomain": "treaty.onmicrosoft.com"})

	answer := do[object](t, "account", "get-access-token")
	wants(t, "get-access-token", answer, map[string]any{"tenant": tenant, "subscription": subscription, "tokenType": "Bearer"})
	_, claims := decode(t, text(answer, "accessToken"))
	wants(t, "Resource Manager's token", claims, map[string]any{"aud": "https://management.core.windows.net/", "ver": "1.0", "idtyp": "app",
		"tid": tenant, "appid": shared.env["AZURE_CLIENT_ID"], "appidacr": "1", "iss": "https://sts.windows.net/" + tenant + "/"})
	_, claims = decode(t, text(do[object](t, "account", "get-access-token", "--resource-type", "ms-graph"), "accessToken"))
	wants(t, "Graph's token", claims, map[string]any{"aud": "https://graph.microsoft.com/", "tid": tenant})
	if roles, _ := claims["roles"].([]any); !slices.Contains(roles, any("Application.ReadWrite.All")) {
		t.Errorf("the administrator's roles are %v", roles)
	}
	fails(t, 1, "AADSTS500011", "account", "get-access-token", "--resource", "https://nobody.example")
}

func azApplications(t *testing.T) {
	app := do[object](t, "ad", "app", "create", "--display-name", "az tour", "--sign-in-audience", "AzureADMultipleOrgs",
		"--identifier-uris", "api://az-tour", "--app-roles", `[{"allowedMemberTypes":["Application"],"description":"reads","displayName":"Read","isEnabled":true,"value":"Tour.Read"}]`,
		"--required-resource-accesses", `[{"resourceAppId":"`+graphAppID+`","resourceAccess":[{"id":"`+applicationReadAll+`","type":"Role"}]}]`,
		"--optional-claims", `{"idToken":[{"name":"auth_time","essential":false}]}`, "--enable-id-token-issuance", "true",
		"--web-redirect-uris", "https://tour.example/cb", "--web-home-page-url", "https://tour.example", "--public-client-redirect-uris", "http://localhost")
	id, appID, role := text(app, "id"), text(app, "appId"), text(app, "appRoles.0.id")
	wants(t, "create", app, map[string]any{
		"displayName": "az tour", "signInAudience": "AzureADMultipleOrgs", "identifierUris": []any{"api://az-tour"}, "publisherDomain": "treaty.onmicrosoft.com",
		"appRoles.0.value": "Tour.Read", "appRoles.0.isEnabled": true, "requiredResourceAccess.0.resourceAccess.0.id": applicationReadAll,
		"optionalClaims.idToken.0.name": "auth_time", "web.implicitGrantSettings": object{"enableIdTokenIssuance": true, "enableAccessTokenIssuance": false},
		"web.redirectUris": []any{"https://tour.example/cb"}, "web.redirectUriSettings": []any{object{"uri": "https://tour.example/cb", "index": nil}},
		"web.homePageUrl": "https://tour.example", "publicClient.redirectUris": []any{"http://localhost"}, "passwordCredentials": []any{}, "api.requestedAccessTokenVersion": nil,
	})
	again := do[object](t, "ad", "app", "create", "--display-name", "az tour", "--is-fallback-public-client", "true")
	wants(t, "create by the same name patches", again, map[string]any{"id": id, "isFallbackPublicClient": true, "identifierUris": []any{"api://az-tour"}})
	fails(t, 1, "Another object with the same value for property identifierUris already exists.", "ad", "app", "create", "--display-name", "az thief", "--identifier-uris", "api://az-tour")
	fails(t, 1, "Values of identifierUris property must use a verified domain of the organization or its subdomain", "ad", "app", "create", "--display-name", "az stray", "--identifier-uris", "https://elsewhere.example/api")

	for _, filter := range [][]string{
		{"--display-name", "az to"}, {"--filter", "displayName eq 'AZ Tour'"}, {"--identifier-uri", "api://az-tour", "--app-id", appID},
	} {
		is(t, strings.Join(filter, " "), do[[]string](t, append([]string{"ad", "app", "list", "--query", "[].id"}, filter...)...), []string{id})
	}
	if all := do[[]string](t, "ad", "app", "list", "--all", "--query", "[].appId"); !slices.Contains(all, appID) || !slices.Contains(all, shared.env["AZURE_CLIENT_ID"]) {
		t.Errorf("all applications: %v", all)
	}
	fails(t, 1, "Unsupported or invalid query filter clause specified for property 'displayName' of resource 'Application'.", "ad", "app", "list", "--filter", "displayName ne 'x'")

	do[any](t, "ad", "app", "update", "--id", appID, "--display-name", "az tour 2", "--set", "notes=seen", `api={"requestedAccessTokenVersion":2}`,
		"--app-roles", `[{"allowedMemberTypes":["Application"],"description":"reads","displayName":"Read","id":"`+role+`","isEnabled":false,"value":"Tour.Read"}]`)
	wants(t, "show by object id", do[object](t, "ad", "app", "show", "--id", id), map[string]any{
		"appId": appID, "displayName": "az tour 2", "notes": "seen", "api.requestedAccessTokenVersion": 2, "appRoles.0.isEnabled": false, "web.homePageUrl": "https://tour.example",
	})
	do[any](t, "ad", "app", "update", "--id", id, "--app-roles", `[{"allowedMemberTypes":["User"],"description":"w","displayName":"Write","isEnabled":true,"value":"Tour.Write"}]`)
	wants(t, "show by identifier URI", do[object](t, "ad", "app", "show", "--id", "api://az-tour"), map[string]any{"id": id, "appRoles.0.value": "Tour.Write", "appRoles.1": nil})
	fails(t, 1, "Permission (scope or role) cannot be deleted or updated unless disabled first.", "ad", "app", "update", "--id", id, "--app-roles", "[]")
	fails(t, 1, "Invalid property 'colour'.", "ad", "app", "update", "--id", id, "--set", "colour=red")

	do[any](t, "ad", "app", "delete", "--id", "api://az-tour")
	fails(t, 3, notThere(appID), "ad", "app", "show", "--id", appID)
	fails(t, 1, notThere(id), "ad", "app", "delete", "--id", id)
}

func azCredentials(t *testing.T) {
	appID := text(do[object](t, "ad", "app", "create", "--display-name", "az credentials"), "appId")
	do[object](t, "ad", "sp", "create", "--id", appID)
	secret := do[object](t, "ad", "app", "credential", "reset", "--id", appID, "--display-name", "first", "--years", "2")
	wants(t, "credential reset", secret, map[string]any{"appId": appID, "tenant": shared.env["AZURE_TENANT_ID"]})
	password := text(secret, "password")
	listed := do[[]any](t, "ad", "app", "credential", "list", "--id", appID)
	wants(t, "credential list", listed, map[string]any{"0.displayName": "first", "0.secretText": nil, "0.hint": password[:3], "1": nil})

	home := t.TempDir()
	made := must[object](t, shared, []string{"HOME=" + home}, azArgv(t, []string{"ad", "app", "credential", "reset", "--id", appID, "--append", "--create-cert"})...)
	file := text(made, "fileWithCertAndPrivateKey")
	if filepath.Dir(file) != home || made["password"] != nil {
		t.Fatalf("credential reset --create-cert: %v", made)
	}
	certs := do[[]any](t, "ad", "app", "credential", "list", "--id", appID, "--cert")
	wants(t, "credential list --cert", certs, map[string]any{"0.displayName": "CN=CLI-Login", "0.type": "AsymmetricX509Cert", "0.usage": "Verify", "0.key": nil, "1": nil})

	own := session(t.TempDir())
	wants(t, "login with the certificate", own.login(t, appID, file), map[string]any{"0.name": "N/A(tenant level account)", "0.user.name": appID})
	_, claims := decode(t, text(own.do(t, "account", "get-access-token", "--resource-type", "ms-graph"), "accessToken"))
	wants(t, "the certificate's token", claims, map[string]any{"appid": appID, "appidacr": "2", "roles": nil})

	key := text(listed, "0.keyId")
	do[any](t, "ad", "app", "credential", "delete", "--id", appID, "--key-id", key)
	fails(t, 1, "No password credential found with keyId '"+key+"'.", "ad", "app", "credential", "delete", "--id", appID, "--key-id", key)
	fails(t, 1, "AADSTS7000215", loginArgs(appID, password)...)

	// Without --append everything there was goes.
	_, certFile, thumbprint := certificate(t, home)
	do[object](t, "ad", "app", "credential", "reset", "--id", appID, "--cert", "@"+certFile)
	certs = do[[]any](t, "ad", "app", "credential", "list", "--id", appID, "--cert")
	wants(t, "after the reset", certs, map[string]any{"0.displayName": "CN=workload", "0.customKeyIdentifier": thumbprint, "1": nil})
	do[any](t, "ad", "app", "credential", "delete", "--id", appID, "--key-id", text(certs, "0.keyId"), "--cert")
	wants(t, "after the deletion", do[object](t, "ad", "app", "show", "--id", appID), map[string]any{"keyCredentials": []any{}, "passwordCredentials": []any{}})
}

func azFederated(t *testing.T) {
	app := do[object](t, "ad", "app", "create", "--display-name", "az federated", "--identifier-uris", "api://az-federated")
	id := text(app, "appId")
	create := func(parameters string) []string {
		return []string{"ad", "app", "federated-credential", "create", "--id", id, "--parameters", parameters}
	}
	trust := func(name, subject string) string {
		return `{"name":"` + name + `","issuer":"` + githubIssuer + `","subject":"` + subject + `","audiences":["api://AzureADTokenExchange"]}`
	}
	const subject = "repo:octo/app:ref:refs/heads/main"
	made := do[object](t, create(trust("main-branch", subject))...)
	wants(t, "create", made, map[string]any{"name": "main-branch", "issuer": githubIssuer, "subject": subject, "audiences": []any{"api://AzureADTokenExchange"}, "description": nil})
	if want := "https://graph.microsoft.com/v1.0/$metadata#applications('" + text(app, "id") + "')/federatedIdentityCredentials/$entity"; made["@odata.context"] != want {
		t.Errorf("@odata.context is %v, want %s", made["@odata.context"], want)
	}

	fails(t, 1, "FederatedIdentityCredential with name main-branch already exists.", create(trust("main-branch", "another"))...)
	fails(t, 1, "issuer and subject", create(trust("second", subject))...)
	fails(t, 1, "Invalid value specified for property 'name' of resource 'FederatedIdentityCredential'.", create(trust("a/b", "s"))...)
	fails(t, 1, "audience", create(`{"name":"two-audiences","issuer":"`+githubIssuer+`","subject":"s","audiences":["a","b"]}`)...)

	list := do[[]any](t, "ad", "app", "federated-credential", "list", "--id", "api://az-federated")
	wants(t, "list", list, map[string]any{"0.name": "main-branch", "0.id": made["id"], "1": nil})
	credential := func(command string, args ...string) []string {
		return append([]string{"ad", "app", "federated-credential", command, "--id", id, "--federated-credential-id"}, args...)
	}
	do[any](t, credential("update", text(made, "id"), "--parameters", `{"subject":"repo:octo/app:environment:prod","description":"changed"}`)...)
	wants(t, "show by name", do[object](t, credential("show", "main-branch")...), map[string]any{"id": made["id"], "subject": "repo:octo/app:environment:prod", "description": "changed", "issuer": githubIssuer})
	fails(t, 1, "name", credential("update", "main-branch", "--parameters", `{"name":"renamed"}`)...)
	wants(t, "show by id", do[object](t, credential("show", text(made, "id"))...), map[string]any{"name": "main-branch"})
	do[any](t, credential("delete", "main-branch")...)
	fails(t, 1, notThere("main-branch"), credential("show", "main-branch")...)
	fails(t, 1, notThere(text(made, "id")), credential("delete", text(made, "id"))...)
}

func azOwnersAndPermissions(t *testing.T) {
	id := text(do[object](t, "ad", "app", "create", "--display-name", "az owned"), "appId")
	owners := []string{"ad", "app", "owner", "list", "--id", id, "--query", `[].[id, "@odata.type", displayName]`}
	for range 2 { // az asks first who is an owner, so that the second time changes nothing
		do[any](t, "ad", "app", "owner", "add", "--id", id, "--owner-object-id", ada)
	}
	wants(t, "owner list", do[[]any](t, owners...), map[string]any{"0": []any{ada, "#microsoft.graph.user", "Ada Lovelace"}, "1": nil})
	fails(t, 1, notThere(nobody), "ad", "app", "owner", "add", "--id", id, "--owner-object-id", nobody)
	do[any](t, "ad", "app", "owner", "remove", "--id", id, "--owner-object-id", ada)
	fails(t, 1, "One or more removed object references do not exist for the following modified properties: 'owners'.", "ad", "app", "owner", "remove", "--id", id, "--owner-object-id", ada)
	fails(t, 1, "/me request is only valid with delegated authentication flow.", "ad", "app", "list", "--show-mine")

	permissions := []string{"ad", "app", "permission", "list", "--id", id}
	do[any](t, "ad", "app", "permission", "add", "--id", id, "--api", graphAppID, "--api-permissions", readUsers+"=Role", userRead+"=Scope")
	wants(t, "permission list", do[[]any](t, permissions...), map[string]any{"0.resourceAppId": graphAppID, "0.resourceAccess": []any{
		object{"id": readUsers, "type": "Role"}, object{"id": userRead, "type": "Scope"}}, "1": nil})
	do[any](t, "ad", "app", "permission", "delete", "--id", id, "--api", graphAppID, "--api-permissions", readUsers)
	wants(t, "after the deletion", do[[]any](t, permissions...), map[string]any{"0.resourceAccess": []any{object{"id": userRead, "type": "Scope"}}})

	// Delegated permissions are read, not granted: nobody signs in here yet.
	do[object](t, "ad", "sp", "create", "--id", id)
	is(t, "list-grants", do[[]any](t, "ad", "app", "permission", "list-grants", "--id", id), []any{})
	fails(t, 1, "Specified HTTP method is not allowed for the request target.", "ad", "app", "permission", "grant", "--id", id, "--api", graphAppID, "--scope", "User.Read")
}
