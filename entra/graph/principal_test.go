package graph_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/entra/graph"
)

const (
	graphSP  = "f0000000-0000-4000-8000-000000000001"
	graphApp = "00000003-0000-0000-c000-000000000000"
	armApp   = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
	readAll  = "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30" // Application.Read.All
)

func TestFirstPartyPrincipals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	got := a.want(200, "GET", "/servicePrincipals(appId='"+graphApp+"')", "")
	if got.text("id") != graphSP || got.text("displayName") != "Microsoft Graph" || got.text("appOwnerOrganizationId") != "f8cdef31-a31e-4b4a-93e4-5f571e91255a" {
		t.Error(got.raw)
	}
	ids := map[string]string{}
	for _, r := range got.at("appRoles").([]any) {
		m := r.(map[string]any)
		if _, twice := ids[m["value"].(string)]; twice || m["isEnabled"] != true || len(m["id"].(string)) != 36 {
			t.Errorf("%v", m)
		}
		ids[m["value"].(string)] = m["id"].(string)
	}
	for value, id := range map[string]string{
		"Application.Read.All": readAll, "Application.ReadWrite.All": "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9", "Application.ReadWrite.OwnedBy": "18a4783c-866b-4cc7-a460-3d5e5662c884",
		"AppRoleAssignment.ReadWrite.All": "06b708a9-e830-4db3-a914-8e69da51d44f", "Directory.Read.All": "7ab1d382-f21e-4acd-a863-ba3e13f7da61", "User.Read.All": "df021288-bdef-4463-88db-98f22de89214",
		"Directory.ReadWrite.All": "19dbc75e-c2e2-444c-a770-ec69d8559fc7", "Group.Read.All": "5b567255-7703-4780-807c-7be8301ae99b", "Organization.Read.All": "498476ce-e0fe-48b0-b801-37ba7e2685c6",
		"Domain.Read.All": "dbb9058a-0e50-45d7-ae91-66909b5d4664", "RoleManagement.Read.Directory": "483bed4a-2ad3-4361-a73b-c83ccdbdc53c",
	} {
		if ids[value] != id {
			t.Errorf("%s is %q, want %s", value, ids[value], id)
		}
	}
	for _, name := range []string{"https://management.azure.com", "https://management.azure.com/", "https://management.core.windows.net", "https://management.core.windows.net/", armApp} {
		if got := a.want(200, "GET", "/servicePrincipals?$filter=servicePrincipalNames/any(n:n eq '"+name+"')", ""); got.text("value.0.appId") != armApp {
			t.Errorf("%s: %s", name, got.raw)
		}
	}
	hub := graph.FirstParty(directory.Tenant{ID: tenantID}, "https://id.example/graph/", "https://id.example/arm", now, func() string { return "x" })
	if !slices.Contains(hub[0].Names, "https://id.example/graph") || !slices.Contains(hub[0].Names, "https://graph.microsoft.com/") || !slices.Contains(hub[1].Names, "https://id.example/arm/") || hub[0].TokenVersion != 1 {
		t.Errorf("%v %v", hub[0].Names, hub[1].Names)
	}
	a.refused(409, "Request_MultipleObjectsWithSameKeyValue", "service principal name "+graphApp+" is already in use.", "POST", "/servicePrincipals", `{"appId":"`+graphApp+`"}`)
}

func TestServicePrincipalsAreCheckedWhenMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	ctx := context.Background()
	_, appID := a.app("once")
	a.principal(appID)
	const single, multi = "e0000000-0000-4000-8000-0000000000aa", "e0000000-0000-4000-8000-0000000000bb"
	for _, app := range []directory.Application{
		{ID: "e1", AppID: single, SignInAudience: "AzureADMyOrg", IdentifierURIs: []string{"https://graph.microsoft.com"}},
		{ID: "e2", AppID: multi, SignInAudience: "AzureADMultipleOrgs", IdentifierURIs: []string{"https://graph.microsoft.com/"}},
	} {
		app.TenantID, app.DisplayName = otherID, app.SignInAudience
		must(t, w.Applications.CreateApplication(ctx, app))
	}
	got := a.refused(400, "Request_BadRequest", "The appId '"+nobodyID+"' of the service principal does not reference a valid application object.", "POST", "/servicePrincipals", `{"appId":"`+nobodyID+`"}`)
	if got.text("error.details.0.code") != "NoBackingApplicationObject" || got.text("error.details.0.target") != "appId" {
		t.Error(got.raw)
	}
	a.refused(400, "Request_BadRequest", "does not reference a valid application object", "POST", "/servicePrincipals", `{"appId":"`+single+`"}`)
	a.refused(409, "Request_MultipleObjectsWithSameKeyValue", "service principal name "+appID+" is already in use.", "POST", "/servicePrincipals", `{"appId":"`+appID+`"}`)
	a.refused(400, "Request_BadRequest", "'appId'", "POST", "/servicePrincipals", `{}`)
	a.refused(400, "Request_BadRequest", "'appId'", "POST", "/servicePrincipals", `{"appId":"x"}`)
	a.refused(400, "Request_BadRequest", "Invalid property 'foo'", "POST", "/servicePrincipals", `{"appId":"`+appID+`","foo":1}`)
	foreign := a.want(201, "POST", "/servicePrincipals", `{"appId":"`+multi+`","accountEnabled":false,"tags":["WindowsAzureActiveDirectoryIntegratedApp"]}`)
	if diff := cmp.Diff([]any{multi}, foreign.at("servicePrincipalNames")); diff != "" || foreign.text("appOwnerOrganizationId") != otherID || foreign.at("accountEnabled") != false {
		t.Error(diff, foreign.raw)
	}
	path := "/servicePrincipals/" + foreign.text("id")
	a.want(204, "PATCH", path, `{"accountEnabled":true,"displayName":"renamed","appId":"`+multi+`","preferredSingleSignOnMode":"saml","samlSingleSignOnSettings":{"relayState":"x"}}`)
	if got := a.want(200, "GET", path, ""); got.at("accountEnabled") != true || got.text("displayName") != "renamed" || got.text("samlSingleSignOnSettings.relayState") != "x" {
		t.Error(got.raw)
	}
	a.refused(400, "Request_BadRequest", "'appId' is read-only", "PATCH", path, `{"appId":"`+single+`"}`)
	a.refused(400, "Request_BadRequest", "'appRoles' is read-only", "PATCH", path, `{"appRoles":[{"id":"x"}]}`)
	a.refused(400, "Request_BadRequest", "'displayName'", "PATCH", path, `{"displayName":""}`)
	a.refused(400, "Request_BadRequest", "'servicePrincipalNames'", "PATCH", path, `{"servicePrincipalNames":["a b"]}`)
	a.want(204, "DELETE", "/servicePrincipals(appId='"+multi+"')", "")
	a.refused(404, "Request_ResourceNotFound", "", "DELETE", path, "")
}

func TestOwners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, appID := a.app("owned")
	sp := a.principal(appID)
	for _, path := range []string{"/applications/" + id, "/servicePrincipals/" + sp} {
		ref := func(id string) string { return `{"@odata.id":"` + graphURL + `/v1.0/directoryObjects/` + id + `"}` }
		a.want(204, "POST", path+"/owners/$ref", ref(userID))
		a.want(204, "POST", path+"/owners/$ref", `{"@odata.id":"`+graphURL+`/v1.0/servicePrincipals('`+strings.ToUpper(callerID)+`')"}`)
		a.refused(400, "Request_BadRequest", "One or more added object references already exist for the following modified properties: 'owners'.", "POST", path+"/owners/$ref", ref(userID))
		a.refused(404, "Request_ResourceNotFound", nobodyID, "POST", path+"/owners/$ref", ref(nobodyID))
		a.refused(404, "Request_ResourceNotFound", id, "POST", path+"/owners/$ref", ref(id)) // an application cannot own
		a.refused(400, "Request_BadRequest", "@odata.id", "POST", path+"/owners/$ref", `{"@odata.id":"x"}`)
		a.refused(400, "Request_BadRequest", "@odata.id", "POST", path+"/owners/$ref", `{}`)
		got := a.want(200, "GET", path+"/owners", "")
		if diff := cmp.Diff([]string{userID, callerID}, got.column("id")); diff != "" || got.column("@odata.type")[0] != "#microsoft.graph.user" || got.text("value.0.userPrincipalName") != "ann@treaty.example" {
			t.Error(diff, got.raw)
		}
		if got.body["@odata.context"] != graphURL+"/v1.0/$metadata#directoryObjects" {
			t.Error(got.body["@odata.context"])
		}
		one := a.want(200, "GET", path+"?$expand=owners($select=id)&$select=displayName", "")
		if list, _ := one.at("owners").([]any); len(list) != 2 || one.text("displayName") != "owned" || one.text("owners.1.id") != callerID || one.at("owners.1.displayName") != nil || one.at("id") != nil {
			t.Error(one.raw)
		}
		if !strings.HasSuffix(one.body["@odata.context"].(string), "(displayName,owners(id))/$entity") {
			t.Error(one.body["@odata.context"])
		}
		a.want(204, "DELETE", path+"/owners/"+userID+"/$ref", "")
	}
	got := a.want(200, "GET", "/servicePrincipals/"+callerID+"/ownedObjects", "")
	if diff := cmp.Diff([]string{id, sp}, got.column("id")); diff != "" {
		t.Error(diff)
	}
	a.refused(400, "Request_UnsupportedQuery", "Only one property can be expanded", "GET", "/applications?$expand=owners,federatedIdentityCredentials", "")
}

func TestAppRoleAssignmentsInBothDirections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, appID := a.app("client")
	sp := a.principal(appID)
	apiID, apiApp := a.app("api")
	api := a.principal(apiApp)
	const people, off = "11111111-0000-4000-8000-000000000001", "11111111-0000-4000-8000-000000000002"
	a.want(204, "PATCH", "/applications/"+apiID, `{"appRoles":[{"id":"`+people+`","allowedMemberTypes":["User"],"description":"d","displayName":"n","isEnabled":true,"value":"People"},
		{"id":"`+off+`","allowedMemberTypes":["Application"],"description":"d","displayName":"n","isEnabled":false,"value":"Off"}]}`)
	body := func(principal, resource, role string) string {
		return `{"principalId":"` + principal + `","resourceId":"` + resource + `","appRoleId":"` + role + `"}`
	}
	made := a.want(201, "POST", "/servicePrincipals/"+sp+"/appRoleAssignments", body(sp, graphSP, strings.ToUpper(readAll)))
	want := map[string]any{
		"@odata.context": graphURL + "/v1.0/$metadata#servicePrincipals('" + sp + "')/appRoleAssignments/$entity", "id": made.text("id"), "deletedDateTime": nil, "appRoleId": readAll,
		"createdDateTime": "2026-11-21T12:30:00Z", "principalDisplayName": "client", "principalId": sp, "principalType": "ServicePrincipal", "resourceDisplayName": "Microsoft Graph", "resourceId": graphSP,
	}
	if diff := cmp.Diff(want, made.body); diff != "" || len(made.text("id")) != 43 {
		t.Error(diff)
	}
	user := a.want(201, "POST", "/users/"+userID+"/appRoleAssignments", body(userID, api, people))
	if user.text("principalType") != "User" || user.text("principalDisplayName") != "Ann" {
		t.Error(user.raw)
	}
	byUPN := a.want(201, "POST", "/servicePrincipals/"+api+"/appRoleAssignedTo", body(userID, api, "00000000-0000-0000-0000-000000000000"))
	for path, want := range map[string][]string{
		"/servicePrincipals/" + sp + "/appRoleAssignments":                                                          {made.text("id")},
		"/servicePrincipals(appId='" + graphApp + "')/appRoleAssignedTo":                                            {made.text("id")},
		"/users/ann@treaty.example/appRoleAssignments?$filter=resourceId eq " + api + " and appRoleId eq " + people: {user.text("id")},
		"/servicePrincipals/" + api + "/appRoleAssignedTo?$filter=principalId eq " + userID + "&$top=999":           {user.text("id"), byUPN.text("id")},
		"/servicePrincipals/" + api + "/appRoleAssignments":                                                         {},
	} {
		got := a.want(200, "GET", path, "").column("id")
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	path := "/servicePrincipals/" + sp + "/appRoleAssignments"
	for _, c := range []struct {
		path, body string
		status     int
		code, text string
	}{
		{path, body(sp, graphSP, readAll), 400, "Request_BadRequest", "Permission being assigned already exists on the object"},
		{path, body(sp, graphSP, nobodyID), 400, "Request_BadRequest", "Permission being assigned was not found on application '" + graphApp + "'."},
		{path, body(sp, api, people), 400, "Request_BadRequest", "was not found on application"}, // of users only
		{path, body(sp, api, off), 400, "Request_BadRequest", "was not found on application"},
		{path, body(sp, nobodyID, readAll), 404, "Request_ResourceNotFound", nobodyID},
		{path, body(callerID, graphSP, readAll), 400, "Request_BadRequest", "Not a valid reference update."},
		{path, `{"principalId":"` + sp + `","appRoleId":"` + readAll + `"}`, 400, "Request_BadRequest", "'resourceId'"},
		{path, body(sp, graphSP, "x"), 400, "Request_BadRequest", "'appRoleId'"},
		{"/servicePrincipals/" + graphSP + "/appRoleAssignedTo", body(nobodyID, graphSP, readAll), 404, "Request_ResourceNotFound", nobodyID},
		{"/servicePrincipals/" + nobodyID + "/appRoleAssignedTo", body(sp, graphSP, readAll), 404, "Request_ResourceNotFound", nobodyID},
	} {
		a.refused(c.status, c.code, c.text, "POST", c.path, c.body)
	}
	if got := a.want(200, "GET", path+"/"+made.text("id"), ""); got.text("id") != made.text("id") {
		t.Error(got.raw)
	}
	a.refused(404, "Request_ResourceNotFound", "", "GET", "/servicePrincipals/"+api+"/appRoleAssignedTo/"+made.text("id"), "")
	a.refused(404, "Request_ResourceNotFound", "", "DELETE", "/servicePrincipals/"+api+"/appRoleAssignments/"+made.text("id"), "")
	if got := a.want(200, "GET", "/servicePrincipals/"+sp+"?$expand=appRoleAssignments", ""); got.text("appRoleAssignments.0.id") != made.text("id") {
		t.Error(got.raw)
	}
	a.want(204, "DELETE", "/servicePrincipals/"+graphSP+"/appRoleAssignedTo/"+made.text("id"), "")
	a.refused(404, "Request_ResourceNotFound", made.text("id"), "DELETE", path+"/"+made.text("id"), "")
	a.want(204, "DELETE", "/users/"+userID+"/appRoleAssignments/"+user.text("id"), "")
	a.want(204, "DELETE", "/applications/"+id, "")
}
