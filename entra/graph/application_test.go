package graph_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// What `az ad app create|show|update|delete` and `az ad sp create|show|delete` send (az 2.45).
func TestTheCallsOfAzAdApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	if got := a.want(200, "GET", "/applications?$filter=startswith(displayName,'foo')", ""); len(got.column("id")) != 0 {
		t.Error(got.raw)
	}
	made := a.want(201, "POST", "/applications", `{"displayName":"foo","keyCredentials":[]}`)
	id, appID := made.text("id"), made.text("appId")
	if id == appID || len(id) != 36 || len(appID) != 36 {
		t.Errorf("id %s, appId %s", id, appID)
	}
	for path, want := range map[string]any{
		"displayName": "foo", "signInAudience": "AzureADandPersonalMicrosoftAccount", "publisherDomain": "treaty.onmicrosoft.com",
		"api.requestedAccessTokenVersion": float64(2), "createdDateTime": "2026-11-21T12:30:00Z", "uniqueName": nil, "isFallbackPublicClient": nil,
		"web.implicitGrantSettings.enableIdTokenIssuance": false, "deletedDateTime": nil,
	} {
		if got := made.at(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	for _, empty := range []string{"identifierUris", "appRoles", "keyCredentials", "passwordCredentials", "requiredResourceAccess", "tags"} {
		if l, ok := made.at(empty).([]any); !ok || len(l) != 0 {
			t.Errorf("%s is %v, want []", empty, made.at(empty))
		}
	}
	if got := made.body["@odata.context"]; got != graphURL+"/v1.0/$metadata#applications/$entity" {
		t.Error(got)
	}
	if e := w.event(made); e.Outcome != audit.Allowed || e.Operation != "Create application" || e.Resource != "applications/"+id || e.Caller != callerID {
		t.Errorf("audit %+v", e)
	}
	found := a.want(200, "GET", "/applications?$filter=appId eq '"+appID+"'", "")
	if diff := cmp.Diff([]string{id}, found.column("id")); diff != "" {
		t.Error(diff)
	}
	a.want(204, "PATCH", "/applications/"+id, `{"identifierUris":["api://`+appID+`"],"web":{"redirectUris":["https://r.example"]},"requiredResourceAccess":[{"resourceAppId":"00000003-0000-0000-c000-000000000000","resourceAccess":[{"id":"e1fe6dd8-ba31-4d61-89e7-88639da4683d","type":"Scope"}]}]}`)
	a.want(204, "PATCH", "/applications/"+id, `{"web":{"implicitGrantSettings":{"enableIdTokenIssuance":true}},"isFallbackPublicClient":false}`)
	found = a.want(200, "GET", "/applications?$filter=identifierUris/any(s:s eq 'api://"+appID+"')", "")
	for path, want := range map[string]any{
		"value.0.id": id, "value.0.web.redirectUris.0": "https://r.example", "value.0.web.implicitGrantSettings.enableIdTokenIssuance": true,
		"value.0.web.implicitGrantSettings.enableAccessTokenIssuance": false, "value.0.isFallbackPublicClient": false,
		"value.0.requiredResourceAccess.0.resourceAccess.0.type": "Scope",
		"value.0.web.redirectUriSettings.0.uri":                  "https://r.example", "value.0.web.redirectUriSettings.0.index": nil,
	} {
		if got := found.at(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	sp := a.want(201, "POST", "/servicePrincipals", `{"appId":"`+appID+`","accountEnabled":true}`)
	if diff := cmp.Diff([]any{appID, "api://" + appID}, sp.at("servicePrincipalNames")); diff != "" {
		t.Error(diff)
	}
	for path, want := range map[string]any{"appDisplayName": "foo", "displayName": "foo", "servicePrincipalType": "Application", "appOwnerOrganizationId": tenantID,
		"accountEnabled": true, "replyUrls.0": nil} {
		if got := sp.at(path); path != "replyUrls.0" && got != want {
			t.Errorf("servicePrincipal %s is %v, want %v", path, got, want)
		}
	}
	if sp.text("id") == id || sp.text("id") == appID {
		t.Error("the service principal has no id of its own")
	}
	got := a.want(200, "GET", "/servicePrincipals?$filter=servicePrincipalNames/any(c:c eq 'api://"+appID+"')", "")
	if diff := cmp.Diff([]string{sp.text("id")}, got.column("id")); diff != "" {
		t.Error(diff)
	}
	a.want(204, "DELETE", "/servicePrincipals/"+sp.text("id"), "")
	a.want(204, "DELETE", "/applications/"+id, "")
	a.refused(404, "Request_ResourceNotFound", id, "GET", "/applications/"+id, "")
}

// The sequence of Terraform's azuread provider.
func TestTheCallsOfTerraform(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	made := a.want(201, "POST", "/applications", `{"@odata.type":"#microsoft.graph.application","api":{"requestedAccessTokenVersion":1,"acceptMappedClaims":false,"knownClientApplications":[],"oauth2PermissionScopes":[]},
		"appRoles":[],"displayName":"tf","groupMembershipClaims":null,"identifierUris":[],"info":{"marketingUrl":null},"isFallbackPublicClient":false,"optionalClaims":{},
		"owners@odata.bind":["`+graphURL+`/v1.0/directoryObjects/`+callerID+`"],"publicClient":{"redirectUris":[]},"requiredResourceAccess":[],"signInAudience":"AzureADMyOrg","spa":{"redirectUris":[]},"tags":[],
		"web":{"homePageUrl":null,"implicitGrantSettings":{"enableAccessTokenIssuance":false,"enableIdTokenIssuance":false},"logoutUrl":null,"redirectUris":[]}}`)
	id, appID := made.text("id"), made.text("appId")
	if v := made.at("api.requestedAccessTokenVersion"); v != float64(1) {
		t.Errorf("requestedAccessTokenVersion %v", v)
	}
	a.want(204, "PATCH", "/applications/"+id, `{"displayName":"TERRAFORM_UPDATE_x"}`)
	a.want(204, "PATCH", "/applications/"+id, `{"displayName":"tf"}`)
	owners := a.want(200, "GET", "/applications/"+id+"/owners", "")
	if owners.text("value.0.id") != callerID || owners.at("value.0.@odata.type") != nil && owners.text("value.0.displayName") != "caller" {
		t.Error(owners.raw)
	}
	if list, _ := owners.body["value"].([]any); len(list) != 1 || list[0].(map[string]any)["@odata.type"] != "#microsoft.graph.servicePrincipal" {
		t.Error(owners.raw)
	}
	a.want(204, "DELETE", "/applications/"+id+"/owners/"+callerID+"/$ref", "")
	a.refused(404, "Request_ResourceNotFound", "One or more removed object references do not exist", "DELETE", "/applications/"+id+"/owners/"+callerID+"/$ref", "")
	if got := a.want(200, "GET", "/beta/applications/"+id+"?$select=oauth2RequirePostResponse", ""); got.at("oauth2RequirePostResponse") != false || len(got.body) != 2 {
		t.Error(got.raw)
	}
	sp := a.principal(appID)
	a.want(204, "PATCH", "/servicePrincipals/"+sp, `{"description":"made by a plan","@odata.type":"#microsoft.graph.servicePrincipal","tags":["t"],"appRoleAssignmentRequired":true}`)
	got := a.want(200, "GET", "/servicePrincipals/"+sp, "")
	if got.text("description") != "made by a plan" || got.at("appRoleAssignmentRequired") != true || got.text("tags.0") != "t" {
		t.Error(got.raw)
	}
	if got := a.want(200, "GET", "/beta/servicePrincipals/"+sp+"?$select=samlMetadataUrl", ""); len(got.body) != 2 {
		t.Error(got.raw)
	}
	a.want(200, "GET", "/directoryObjects/"+callerID, "")
}

func TestApplicationsByTheirAlternateKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, appID := a.app("keyed")
	for _, path := range []string{"/applications(appId='" + appID + "')", "/applications(APPID='" + strings.ToUpper(appID) + "')", "/Applications('" + id + "')", "/applications/" + strings.ToUpper(id)} {
		if got := a.want(200, "GET", path, ""); got.text("id") != id {
			t.Errorf("%s: %s", path, got.raw)
		}
	}
	const key = "/applications(uniqueName='web/app-1')"
	escaped := strings.ReplaceAll(key, "/app-1", "%2Fapp-1")
	a.refused(404, "Request_ResourceNotFound", "'web/app-1'", "PATCH", escaped, `{"displayName":"Web"}`)
	upsert := a.with("Prefer", "create-if-missing")
	made := upsert.want(201, "PATCH", escaped, `{"displayName":"Web"}`)
	if made.text("uniqueName") != "web/app-1" || made.text("displayName") != "Web" {
		t.Error(made.raw)
	}
	upsert.want(204, "PATCH", escaped, `{"displayName":"Web 2"}`)
	if got := a.want(200, "GET", escaped, ""); got.text("id") != made.text("id") || got.text("displayName") != "Web 2" {
		t.Error(got.raw)
	}
	a.refused(409, "Request_MultipleObjectsWithSameKeyValue", "uniqueName", "POST", "/applications", `{"displayName":"b","uniqueName":"web/app-1"}`)
	a.refused(400, "Request_BadRequest", "read-only", "PATCH", "/applications/"+made.text("id"), `{"uniqueName":"other"}`)
	upsert.refused(404, "Request_ResourceNotFound", nobodyID, "PATCH", "/applications(appId='"+nobodyID+"')", `{"displayName":"x"}`)
}

func TestApplicationsOfOtherTenantsAreNotSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const foreign, foreignApp = "e0000000-0000-4000-8000-000000000001", "e0000000-0000-4000-8000-0000000000aa"
	must(t, w.Applications.CreateApplication(context.Background(), directory.Application{ID: foreign, AppID: foreignApp, TenantID: otherID, DisplayName: "foreign", SignInAudience: "AzureADMyOrg"}))
	a := w.admin()
	for _, path := range []string{"/applications/" + foreign, "/applications(appId='" + foreignApp + "')"} {
		a.refused(404, "Request_ResourceNotFound", "", "GET", path, "")
		a.refused(404, "Request_ResourceNotFound", "", "PATCH", path, `{"displayName":"mine"}`)
		a.refused(404, "Request_ResourceNotFound", "", "DELETE", path, "")
	}
	if got := a.want(200, "GET", "/applications?$filter=appId eq '"+foreignApp+"'", ""); len(got.column("id")) != 0 {
		t.Error(got.raw)
	}
}

func TestApplicationBodiesAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, _ := a.app("checked")
	role := func(id, value, more string) string {
		return `{"id":"` + id + `","allowedMemberTypes":["Application"],"description":"d","displayName":"n","isEnabled":true,"value":"` + value + `"` + more + `}`
	}
	const r1, r2 = "11111111-0000-4000-8000-000000000001", "11111111-0000-4000-8000-000000000002"
	for _, c := range []struct{ body, code, text string }{
		{`{"displayName":null}`, "Request_BadRequest", "A value is required for property 'displayName' of resource 'Application'."},
		{`{"displayName":7}`, "Request_BadRequest", "Invalid value specified for property 'displayName' of resource 'Application'."},
		{`{"displayName":"` + strings.Repeat("x", 257) + `"}`, "Request_BadRequest", "'displayName'"},
		{`{"foo":1}`, "Request_BadRequest", "Invalid property 'foo'."},
		{`{"oauth2RequirePostResponse":true}`, "Request_BadRequest", "Invalid property 'oauth2RequirePostResponse'."},
		{`{"appId":"` + nobodyID + `"}`, "Request_BadRequest", "Property 'appId' is read-only and cannot be set."},
		{`{"signInAudience":"Everyone"}`, "Request_BadRequest", "'signInAudience'"},
		{`{"api":{"requestedAccessTokenVersion":3}}`, "Request_BadRequest", "'api.requestedAccessTokenVersion'"},
		{`{"api":{"requestedAccessTokenVersion":1}}`, "Request_BadRequest", "api.requestedAccessTokenVersion in the request is invalid"},
		{`{"identifierUris":["foo"]}`, "Request_BadRequest", "'identifierUris'"},
		{`{"identifierUris":["https://evil.com/x"]}`, "HostNameNotOnVerifiedDomain", "Values of identifierUris property must use a verified domain of the organization or its subdomain: 'https://evil.com/x'"},
		{`{"identifierUris":["https://treaty.example.evil.com"]}`, "HostNameNotOnVerifiedDomain", ""},
		{`{"identifierUris":["https://xtreaty.example"]}`, "HostNameNotOnVerifiedDomain", ""},
		{`{"identifierUris":["api://a","api://A"]}`, "DuplicateValue", "duplicate values"},
		{`{"identifierUris":["https://graph.microsoft.com"],"signInAudience":"AzureADMyOrg"}`, "Request_MultipleObjectsWithSameKeyValue", "Another object with the same value for property identifierUris already exists."},
		{`{"appRoles":[` + role(r1, "a", "") + `,` + role(r1, "b", "") + `]}`, "DuplicateValue", "duplicate values"},
		{`{"appRoles":[` + role(r1, "a", "") + `,` + role(r2, "a", "") + `]}`, "DuplicateValue", "duplicate values"},
		{`{"appRoles":[` + role("x", "a", "") + `]}`, "Request_BadRequest", "'appRoles'"},
		{`{"appRoles":[` + role(r1, "a b", "") + `]}`, "Request_BadRequest", "'value'"},
		{`{"appRoles":[` + role(r1, ".a", "") + `]}`, "Request_BadRequest", "'appRoles'"},
		{`{"appRoles":[{"id":"` + r1 + `","displayName":"n","description":"d","isEnabled":true}]}`, "Request_BadRequest", "'allowedMemberTypes'"},
		{`{"appRoles":[{"id":"` + r1 + `","displayName":"n","description":"d","allowedMemberTypes":["Cat"]}]}`, "Request_BadRequest", "'allowedMemberTypes'"},
		{`{"appRoles":null}`, "Request_BadRequest", "'appRoles'"},
		{`{"tags":"x"}`, "Request_BadRequest", "'tags'"},
		{`{"web":[]}`, "Request_BadRequest", "'web'"},
		{`{"passwordCredentials":[{"displayName":"x"}]}`, "Request_BadRequest", "addPassword"},
	} {
		a.refused(400, c.code, c.text, "PATCH", "/applications/"+id, c.body)
	}
	a.refused(400, "Request_BadRequest", "'displayName'", "POST", "/applications", `{}`)
	a.refused(404, "Request_ResourceNotFound", nobodyID, "POST", "/applications", `{"displayName":"x","owners@odata.bind":["`+graphURL+`/v1.0/directoryObjects/`+nobodyID+`"]}`)
	a.refused(400, "Request_BadRequest", "@odata.id", "POST", "/applications", `{"displayName":"x","owners@odata.bind":["nonsense"]}`)
	if got := a.want(200, "GET", "/applications/"+id, ""); got.text("displayName") != "checked" {
		t.Errorf("a refused change left its mark: %s", got.raw)
	}
	for _, body := range []string{
		`{"identifierUris":["api://anything/goes","https://treaty.example/api","https://sub.treaty.onmicrosoft.com"]}`,
		`{"signInAudience":"AzureADMyOrg","identifierUris":["https://unverified.example"]}`, // version 2 tokens of a single tenant
		`{"api":{"requestedAccessTokenVersion":null}}`,
		`{"deletedDateTime":null,"appId":null}`,
	} {
		a.want(204, "PATCH", "/applications/"+id, body)
	}
	if got := a.want(200, "GET", "/applications/"+id, ""); got.at("api.requestedAccessTokenVersion") != nil || got.text("identifierUris.0") != "https://unverified.example" {
		t.Error(got.raw)
	}
}

func TestEnabledAppRolesNeitherGoNorChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, appID := a.app("roles")
	sp := a.principal(appID)
	const r1 = "11111111-0000-4000-8000-000000000001"
	roles := func(enabled bool, value string) string {
		return fmt.Sprintf(`{"appRoles":[{"id":"%s","allowedMemberTypes":["Application","User"],"description":"d","displayName":"n","isEnabled":%v,"value":"%s","origin":"Application"}]}`, r1, enabled, value)
	}
	a.want(204, "PATCH", "/applications/"+id, roles(true, "Read"))
	if got := a.want(200, "GET", "/servicePrincipals/"+sp, ""); got.text("appRoles.0.value") != "Read" || got.text("appRoles.0.origin") != "Application" {
		t.Error(got.raw)
	}
	body := `{"principalId":"` + callerID + `","resourceId":"` + sp + `","appRoleId":"` + r1 + `"}`
	a.want(201, "POST", "/servicePrincipals/"+sp+"/appRoleAssignedTo", body)
	const text = "Permission (scope or role) cannot be deleted or updated unless disabled first."
	a.refused(400, "CannotDeleteOrUpdateEnabledEntitlement", text, "PATCH", "/applications/"+id, `{"appRoles":[]}`)
	a.refused(400, "CannotDeleteOrUpdateEnabledEntitlement", text, "PATCH", "/applications/"+id, roles(true, "Write"))
	a.refused(400, "CannotDeleteOrUpdateEnabledEntitlement", text, "PATCH", "/applications/"+id, roles(false, "Write"))
	a.want(204, "PATCH", "/applications/"+id, roles(false, "Read"))
	a.want(204, "PATCH", "/applications/"+id, `{"appRoles":[]}`)
	if got := a.want(200, "GET", "/servicePrincipals/"+sp+"/appRoleAssignedTo", ""); len(got.column("id")) != 0 {
		t.Errorf("the assignment outlived its role: %s", got.raw)
	}
}

func TestEnabledScopesNeitherGoNorChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, appID := a.app("scopes")
	scope := func(enabled bool, value string) string {
		return fmt.Sprintf(`{"@odata.type":"#microsoft.graph.permissionScope","id":"11111111-0000-4000-8000-000000000009","adminConsentDisplayName":"n","isEnabled":%v,"type":"User","value":"%s"}`, enabled, value)
	}
	body := func(scopes string) string { return `{"api":{"oauth2PermissionScopes":[` + scopes + `]}}` }
	a.want(204, "PATCH", "/applications/"+id, body(scope(true, "use")))
	got := a.want(200, "GET", "/servicePrincipals/"+a.principal(appID), "")
	if got.text("oauth2PermissionScopes.0.value") != "use" || strings.Contains(got.raw, "permissionScope\"") {
		t.Error(got.raw)
	}
	const code = "CannotDeleteOrUpdateEnabledEntitlement"
	a.refused(400, code, "unless disabled first", "PATCH", "/applications/"+id, body(""))
	a.refused(400, code, "unless disabled first", "PATCH", "/applications/"+id, body(scope(true, "other")))
	a.refused(400, "DuplicateValue", "", "PATCH", "/applications/"+id, body(scope(true, "use")+","+scope(true, "x")))
	a.refused(400, "Request_BadRequest", "'oauth2PermissionScopes'", "PATCH", "/applications/"+id, body(`{"id":"x"}`))
	a.want(204, "PATCH", "/applications/"+id, `{"api":{"acceptMappedClaims":true}}`) // leaves them alone
	a.want(204, "PATCH", "/applications/"+id, body(scope(false, "use")))
	a.want(204, "PATCH", "/applications/"+id, body(""))
}

func TestThePrincipalFollowsItsApplication(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, appID := a.app("first")
	sp := a.principal(appID)
	other, otherApp := a.app("other")
	otherSP := a.principal(otherApp)
	names := func(sp string) any {
		return a.want(200, "GET", "/servicePrincipals/"+sp, "").at("servicePrincipalNames")
	}

	a.want(204, "PATCH", "/applications/"+id, `{"displayName":"second","identifierUris":["api://one","api://two"]}`)
	if diff := cmp.Diff([]any{appID, "api://one", "api://two"}, names(sp)); diff != "" {
		t.Error(diff)
	}
	if got := a.want(200, "GET", "/servicePrincipals/"+sp, ""); got.text("displayName") != "second" || got.text("appDisplayName") != "second" {
		t.Error(got.raw)
	}
	a.want(204, "PATCH", "/servicePrincipals/"+sp, `{"servicePrincipalNames":["`+appID+`","https://own.example"]}`)
	a.want(204, "PATCH", "/applications/"+id, `{"identifierUris":["api://two"]}`)
	if diff := cmp.Diff([]any{appID, "api://two", "https://own.example"}, names(sp)); diff != "" {
		t.Error(diff)
	}
	found, err := w.Principals.PrincipalByName(context.Background(), tenantID, "api://TWO")
	must(t, err)
	if found.ID != sp {
		t.Errorf("found by name: %+v", found)
	}
	a.refused(400, "Request_MultipleObjectsWithSameKeyValue", "identifierUris already exists", "PATCH", "/applications/"+other, `{"identifierUris":["api://x","api://TWO"]}`)
	a.refused(400, "Request_MultipleObjectsWithSameKeyValue", "identifierUris already exists", "PATCH", "/applications/"+other, `{"signInAudience":"AzureADMyOrg","identifierUris":["https://own.example"]}`)
	a.refused(409, "Request_MultipleObjectsWithSameKeyValue", "is already in use", "PATCH", "/servicePrincipals/"+otherSP, `{"servicePrincipalNames":["api://two"]}`)
	if diff := cmp.Diff([]any{otherApp}, names(otherSP)); diff != "" {
		t.Errorf("a refused change left its mark: %s", diff)
	}
	a.want(204, "DELETE", "/applications/"+id, "")
	a.refused(404, "Request_ResourceNotFound", sp, "GET", "/servicePrincipals/"+sp, "")
	if _, err := w.Principals.PrincipalByName(context.Background(), tenantID, "api://two"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the name outlived the principal: %v", err)
	}
}

func TestListsOfManyApplications(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := context.Background()
	for i := range 250 {
		tags := ""
		if i%10 == 0 {
			tags = `{"tags":["tenth"]}`
		}
		must(t, w.Applications.CreateApplication(ctx, directory.Application{ID: fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i), AppID: fmt.Sprintf("bbbbbbbb-0000-4000-8000-%012d", i),
			TenantID: tenantID, DisplayName: fmt.Sprintf("App %03d", 249-i), SignInAudience: "AzureADMyOrg", CreatedAt: now, Carried: []byte(tags)}))
	}
	a := w.admin()
	// pages follows nextLink to the end and returns what came and how many pages there were.
	pages := func(a as, path string) (ids []string, n int) {
		for path != "" {
			if n++; n > 300 {
				t.Fatal("the list does not end")
			}
			got := a.want(200, "GET", path, "")
			ids = append(ids, got.column("id")...)
			next, _ := got.body["@odata.nextLink"].(string)
			if next != "" && !strings.HasPrefix(next, graphURL+"/v1.0/applications?") {
				t.Fatal(next)
			}
			path = next
		}
		return ids, n
	}
	eventual := a.with("ConsistencyLevel", "eventual")
	for _, c := range []struct {
		name, path string
		as         as
		total, n   int
	}{
		{"default pages of 100", "/applications", a, 250, 3},
		{"pages of 7", "/applications?$top=7", a, 250, 36},
		{"pages of 125 that end evenly", "/applications?$top=125", a, 250, 2},
		{"one page", "/applications?$top=999", a, 250, 1},
		{"a filter that some pass", "/applications?$filter=tags/any(t:t eq 'tenth')&$top=10", a, 25, 3},
		{"a filter with a plus for spaces", "/applications?$filter=startswith(displayName,'App+00')", a, 10, 1},
		{"a key", "/applications?$filter=appId+eq+'bbbbbbbb-0000-4000-8000-000000000007'+and+displayName+eq+'App 242'", a, 1, 1},
		{"a key that another term rules out", "/applications?$filter=appId eq 'bbbbbbbb-0000-4000-8000-000000000007' and displayName eq 'x'", a, 0, 1},
		{"two keys", "/applications?$filter=appId in ('bbbbbbbb-0000-4000-8000-000000000007','bbbbbbbb-0000-4000-8000-000000000008','x')", a, 2, 1},
		{"sorted", "/applications?$orderby=displayName&$top=60", a, 250, 5},
		{"sorted behind a filter", "/applications?$orderby=displayName desc&$filter=tags/any(t:t eq 'tenth')&$count=true&$top=20", eventual, 25, 2},
		{"negated", "/applications?$filter=not(tags/any(t:t eq 'tenth'))&$count=true&$top=200", eventual, 225, 2},
		{"searched", `/applications?$search="displayName:24"&$top=4`, eventual, 10, 3},
	} {
		ids, n := pages(c.as, c.path)
		slices.Sort(ids)
		if len(ids) != c.total || len(slices.Compact(ids)) != c.total || n != c.n {
			t.Errorf("%s: %d applications on %d pages, want %d on %d", c.name, len(ids), n, c.total, c.n)
		}
	}
	sorted := a.want(200, "GET", "/applications?$orderby=displayName&$top=2&$select=displayName,id", "")
	if diff := cmp.Diff([]string{"App 000", "App 001"}, sorted.column("displayName")); diff != "" {
		t.Error(diff)
	}
	if got := sorted.body["@odata.context"]; got != graphURL+"/v1.0/$metadata#applications(displayName,id)" {
		t.Error(got)
	}
	if m := sorted.at("value.0").(map[string]any); len(m) != 2 {
		t.Errorf("selected two properties, got %v", m)
	}
	next, err := url.Parse(sorted.body["@odata.nextLink"].(string))
	must(t, err)
	if q := next.Query(); q.Get("$top") != "2" || q.Get("$select") != "displayName,id" || q.Get("$skiptoken") == "" {
		t.Errorf("nextLink %s", next)
	}
	counted := eventual.want(200, "GET", "/applications?$count=true&$top=5", "")
	if counted.body["@odata.count"] != float64(250) || len(counted.column("id")) != 5 {
		t.Error(counted.raw[:200])
	}
	if plain := a.want(200, "GET", "/applications?$count=true&$top=5", ""); plain.body["@odata.count"] != nil {
		t.Error("@odata.count without the header")
	}
	if got := eventual.want(200, "GET", "/applications/$count?$filter=startswith(displayName,'App 00')", ""); got.raw != "10" || got.header.Get("Content-Type") != "text/plain" {
		t.Errorf("%s %v", got.raw, got.header)
	}
	for _, c := range []struct{ path, code, text string }{
		{"/applications?$top=0", "Request_UnsupportedQuery", "Invalid page size specified: '0'. Must be between 1 and 999 inclusive."},
		{"/applications?$top=1000", "Request_UnsupportedQuery", "'1000'"},
		{"/applications?$skiptoken=x", "Directory_ExpiredPageToken", "page token"},
		{"/applications?$skiptoken=bzotMQ", "Directory_ExpiredPageToken", "page token"},
		{"/applications?$orderby=displayName&$skiptoken=aTp4", "Directory_ExpiredPageToken", "page token"},
		{"/applications?$filter=displayName ne 'x'", "Request_UnsupportedQuery", "Unsupported or invalid query filter clause specified for property 'displayName' of resource 'Application'."},
		{"/applications/$count", "Request_BadRequest", "$count is not currently supported."},
	} {
		a.refused(400, c.code, c.text, "GET", c.path, "")
	}
}
