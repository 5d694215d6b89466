package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// session is az with a configuration folder of its own, so that it signs in without disturbing the others.
type session string

func (s session) argv(args []string) []string {
	return append([]string{"/usr/bin/env", "AZURE_CONFIG_DIR=" + string(s), az}, args...)
}

func (s session) do(t *testing.T, args ...string) any {
	t.Helper()
	return must[any](t, shared, nil, s.argv(args)...)
}

func (s session) fails(t *testing.T, want string, args ...string) {
	t.Helper()
	r := shared.exec(t, nil, s.argv(args)...)
	if r.code != 1 || !strings.Contains(r.stderr, want) {
		t.Errorf("az %s: exit %d, want 1 with %q\n%s%s", strings.Join(args, " "), r.code, want, r.stdout, r.stderr)
	}
}

// loginArgs signs a service principal in. When it fails it changes nothing in the configuration folder.
func loginArgs(app, password string) []string {
	return []string{"login", "--service-principal", "-u", app, "-p", password, "-t", shared.env["AZURE_TENANT_ID"], "--allow-no-subscriptions"}
}

func (s session) login(t *testing.T, app, password string) any {
	t.Helper()
	return s.do(t, loginArgs(app, password)...)
}

func azPrincipals(t *testing.T) {
	appID := text(do[object](t, "ad", "app", "create", "--display-name", "az principal", "--identifier-uris", "api://az-principal", "--web-redirect-uris", "https://principal.example/cb"), "appId")
	sp := do[object](t, "ad", "sp", "create", "--id", "api://az-principal")
	id := text(sp, "id")
	wants(t, "create", sp, map[string]any{
		"appId": appID, "displayName": "az principal", "appDisplayName": "az principal", "accountEnabled": true, "servicePrincipalType": "Application",
		"servicePrincipalNames": []any{appID, "api://az-principal"}, "appOwnerOrganizationId": shared.env["AZURE_TENANT_ID"], "replyUrls": []any{"https://principal.example/cb"},
		"appRoleAssignmentRequired": false, "signInAudience": "AzureADandPersonalMicrosoftAccount",
	})
	fails(t, 1, "The service principal cannot be created, updated, or restored because the service principal name "+appID+" is already in use.", "ad", "sp", "create", "--id", appID)
	fails(t, 1, "The appId '"+nobody+"' of the service principal does not reference a valid application object.", "ad", "sp", "create", "--id", nobody)

	for _, filter := range [][]string{
		{"--display-name", "az princ"}, {"--filter", "displayname eq 'az principal' and servicePrincipalType eq 'Application'"},
	} {
		is(t, strings.Join(filter, " "), do[[]string](t, append([]string{"ad", "sp", "list", "--query", "[].id"}, filter...)...), []string{id})
	}
	do[any](t, "ad", "sp", "update", "--id", appID, "--set", "accountEnabled=false", `tags=["a","HideApp"]`, "notes=seen")
	wants(t, "show by appId", do[object](t, "ad", "sp", "show", "--id", appID), map[string]any{"id": id, "accountEnabled": false, "tags": []any{"a", "HideApp"}, "notes": "seen"})

	secret := do[object](t, "ad", "sp", "credential", "reset", "--id", id, "--display-name", "of the principal", "--end-date", "2050-06-01")
	fails(t, 1, "AADSTS7000112", loginArgs(appID, text(secret, "password"))...) // it is switched off
	listed := do[[]any](t, "ad", "sp", "credential", "list", "--id", id)
	wants(t, "credential list", listed, map[string]any{"0.displayName": "of the principal", "0.endDateTime": "2050-06-01T00:00:00Z", "0.secretText": nil, "1": nil})
	do[any](t, "ad", "sp", "credential", "delete", "--id", id, "--key-id", text(listed, "0.keyId"))
	is(t, "owner list", do[[]any](t, "ad", "sp", "owner", "list", "--id", id), []any{})

	do[any](t, "ad", "sp", "delete", "--id", "api://az-principal")
	fails(t, 3, notThere(id), "ad", "sp", "show", "--id", id)
	wants(t, "the application stays", do[object](t, "ad", "app", "show", "--id", appID), map[string]any{"appId": appID, "passwordCredentials": []any{}})
}

// A plain application may do nothing until it is granted something, and then that.
func azPlainApplication(t *testing.T) {
	made := do[object](t, "ad", "sp", "create-for-rbac", "--name", "az plain")
	appID := text(made, "appId")
	wants(t, "create-for-rbac", made, map[string]any{"displayName": "az plain", "tenant": shared.env["AZURE_TENANT_ID"]})
	renewed := do[object](t, "ad", "sp", "create-for-rbac", "--name", "az plain")
	wants(t, "create-for-rbac of the same name", renewed, map[string]any{"appId": appID})
	own := session(t.TempDir())
	fails(t, 1, "AADSTS7000215", loginArgs(appID, text(made, "password"))...) // az removes the passwords it finds
	own.login(t, appID, text(renewed, "password"))

	own.fails(t, "Insufficient privileges to complete the operation.", "ad", "app", "list")
	own.fails(t, "Insufficient privileges to complete the operation.", "ad", "app", "create", "--display-name", "by a plain one")
	wants(t, "subscriptions", own.do(t, "rest", "--url", "/subscriptions?api-version=2022-12-01"), map[string]any{"value": []any{}})

	// An API with a role, which it asks for without and with the assignment.
	api := do[object](t, "ad", "app", "create", "--display-name", "az api", "--sign-in-audience", "AzureADMyOrg", "--identifier-uris", "api://az-api",
		"--app-roles", `[{"allowedMemberTypes":["Application"],"description":"d","displayName":"Ask","isEnabled":true,"value":"Api.Ask"}]`)
	resource := text(do[object](t, "ad", "sp", "create", "--id", text(api, "appId")), "id")
	do[any](t, "ad", "sp", "update", "--id", resource, "--set", "appRoleAssignmentRequired=true")
	own.fails(t, "AADSTS501051", "account", "get-access-token", "--resource", "api://az-api")
	principal := do[string](t, "ad", "sp", "show", "--id", appID, "--query", "id")
	assigned := do[object](t, "rest", "--method", "post", "--url", "https://graph.microsoft.com/v1.0/servicePrincipals/"+resource+"/appRoleAssignedTo",
		"--body", `{"principalId":"`+principal+`","resourceId":"`+resource+`","appRoleId":"`+text(api, "appRoles.0.id")+`"}`)
	wants(t, "appRoleAssignedTo", assigned, map[string]any{"principalDisplayName": "az plain", "resourceDisplayName": "az api", "principalType": "ServicePrincipal"})
	if err := os.Remove(filepath.Join(string(own), "msal_http_cache.bin")); err != nil { // where MSAL remembers a 400 for a minute
		t.Fatal(err)
	}
	_, claims := decode(t, text(own.do(t, "account", "get-access-token", "--resource", "api://az-api"), "accessToken"))
	wants(t, "the API's token", claims, map[string]any{"aud": "api://az-api", "roles": []any{"Api.Ask"}, "appid": appID, "oid": principal, "ver": "1.0"})
}

func azPeople(t *testing.T) {
	user := do[object](t, "ad", "user", "show", "--id", "Ada@treaty.onmicrosoft.com")
	wants(t, "user show", user, map[string]any{"id": ada, "displayName": "Ada Lovelace", "mail": "ada@treaty.onmicrosoft.com", "businessPhones": []any{}, "accountEnabled": nil})
	for _, filter := range [][]string{{"--display-name", "Ada", "--upn", "ada@treaty.onmicrosoft.com"}, {"--filter", "accountEnabled eq true"}} {
		is(t, strings.Join(filter, " "), do[[]string](t, append([]string{"ad", "user", "list", "--query", "[].id"}, filter...)...), []string{ada})
	}
	fails(t, 3, notThere("nobody@treaty.onmicrosoft.com"), "ad", "user", "show", "--id", "nobody@treaty.onmicrosoft.com")
	fails(t, 1, "/me request is only valid with delegated authentication flow.", "ad", "signed-in-user", "show")
}
