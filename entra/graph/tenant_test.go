package graph_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
)

func TestOrganizationAndDomains(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	got := a.want(200, "GET", "/organization", "")
	for at, want := range map[string]any{
		"id": tenantID, "displayName": "Treaty", "countryLetterCode": "DE", "tenantType": "AAD", "verifiedDomains.0.name": "treaty.onmicrosoft.com",
		"verifiedDomains.0.isDefault": true, "verifiedDomains.0.isInitial": true, "verifiedDomains.1.isDefault": false, "verifiedDomains.1.isInitial": false,
	} {
		if v := got.at("value.0." + at); v != want {
			t.Errorf("%s is %v, want %v", at, v, want)
		}
	}
	if list, _ := got.body["value"].([]any); len(list) != 1 {
		t.Errorf("%d organizations", len(list))
	}
	if one := a.want(200, "GET", "/organization/"+tenantID+"?$select=displayName", ""); one.text("displayName") != "Treaty" || one.body["@odata.context"] != graphURL+"/v1.0/$metadata#organization(displayName)/$entity" {
		t.Error(one.raw)
	}
	a.refused(404, "Request_ResourceNotFound", otherID, "GET", "/organization/"+otherID, "")
	domains := a.want(200, "GET", "/domains?$filter=isDefault eq false", "")
	if diff := cmp.Diff([]string{"treaty.example"}, domains.column("id")); diff != "" {
		t.Error(diff)
	}
	if one := a.want(200, "GET", "/domains/Treaty.OnMicrosoft.com", ""); one.at("isInitial") != true || one.at("isVerified") != true || one.text("id") != "treaty.onmicrosoft.com" {
		t.Error(one.raw)
	}
	a.refused(404, "Request_ResourceNotFound", "nowhere", "GET", "/domains/nowhere.example", "")
	if grants := a.want(200, "GET", "/oauth2PermissionGrants?$filter=clientId eq '"+nobodyID+"'", ""); grants.raw[:1] != "{" || len(grants.column("id")) != 0 || grants.body["value"] == nil {
		t.Error(grants.raw)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	for i := range 120 {
		must(t, w.Users.PutUser(context.Background(), directory.User{ID: fmt.Sprintf("d1000000-0000-4000-8000-%012d", i), TenantID: tenantID, DisplayName: fmt.Sprintf("User %03d", i),
			UserPrincipalName: fmt.Sprintf("u%03d@treaty.example", i), Enabled: i%2 == 0, CreatedAt: now}))
	}
	one := a.want(200, "GET", "/users/ANN@treaty.example", "")
	want := map[string]any{"@odata.context": graphURL + "/v1.0/$metadata#users/$entity", "businessPhones": []any{}, "displayName": "Ann", "givenName": "Ann", "id": userID, "jobTitle": "Engineer",
		"mail": nil, "mobilePhone": nil, "officeLocation": nil, "preferredLanguage": nil, "surname": nil, "userPrincipalName": "ann@treaty.example"}
	if diff := cmp.Diff(want, one.body); diff != "" {
		t.Error(diff)
	}
	selected := a.want(200, "GET", "/users/"+userID+"?$select=accountEnabled,userType,mailNickname", "")
	delete(selected.body, "@odata.context")
	if diff := cmp.Diff(map[string]any{"accountEnabled": true, "userType": "Member", "mailNickname": "ann"}, selected.body); diff != "" {
		t.Error(diff)
	}
	a.refused(404, "Request_ResourceNotFound", "nobody@treaty.example", "GET", "/users/nobody@treaty.example", "")
	first := a.want(200, "GET", "/users", "")
	second := a.want(200, "GET", first.body["@odata.nextLink"].(string), "")
	if len(first.column("id")) != 100 || len(second.column("id")) != 21 || second.body["@odata.nextLink"] != nil {
		t.Errorf("pages of %d and %d", len(first.column("id")), len(second.column("id")))
	}
	for path, want := range map[string]int{
		"/users?$filter=userPrincipalName eq 'Ann@Treaty.example'":                 1,
		"/users?$filter=userPrincipalName eq 'ann@treaty.example' and mail eq 'x'": 0,
		"/users?$filter=userPrincipalName eq 'none'":                               0,
		"/users?$filter=accountEnabled eq false":                                   60,
		"/users?$filter=startswith(displayName,'User 01')":                         10,
	} {
		if got := a.want(200, "GET", path, ""); len(got.column("id")) != want {
			t.Errorf("%s: %d users, want %d", path, len(got.column("id")), want)
		}
	}
	eventual := a.with("ConsistencyLevel", "eventual")
	if got := eventual.want(200, "GET", "/users/$count?$filter=endswith(userPrincipalName,'0@treaty.example')", ""); got.raw != "12" {
		t.Error(got.raw)
	}
	if got := a.want(200, "GET", "/users/"+userID+"?$expand=appRoleAssignments&$select=id", ""); got.text("id") != userID || got.at("appRoleAssignments") == nil {
		t.Error(got.raw)
	}
}

func TestDirectoryObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, _ := a.app("an app")
	body := `{"ids":["` + userID + `","` + callerID + `","` + nobodyID + `","` + id + `","` + userID + `"]`
	for types, want := range map[string][]string{
		``: {userID, callerID, id},
		`,"types":["user","group","servicePrincipal","directoryObjectPartnerReference"]`: {userID, callerID},
		`,"types":["application"]`: {id},
	} {
		got := a.want(200, "POST", "/directoryObjects/getByIds", body+types+"}")
		if !slices.Equal(got.column("id"), want) || got.body["@odata.context"] != graphURL+"/v1.0/$metadata#directoryObjects" {
			t.Errorf("%s: %s", types, got.raw)
		}
	}
	got := a.want(200, "POST", "/directoryObjects/getByIds", body+"}")
	if diff := cmp.Diff([]string{"#microsoft.graph.user", "#microsoft.graph.servicePrincipal", "#microsoft.graph.application"}, got.column("@odata.type")); diff != "" {
		t.Error(diff)
	}
	limited := w.as("User.Read.All").want(200, "POST", "/directoryObjects/getByIds", body+"}")
	if diff := cmp.Diff(map[string]any{"@odata.type": "#microsoft.graph.servicePrincipal", "id": callerID}, limited.at("value.1")); diff != "" || limited.text("value.0.displayName") != "Ann" {
		t.Error(diff, limited.raw)
	}
	a.refused(400, "Request_BadRequest", "Invalid object identifier 'x'.", "POST", "/directoryObjects/getByIds", `{"ids":["x"]}`)
	a.refused(400, "Request_BadRequest", "'ids'", "POST", "/directoryObjects/getByIds", `{"ids":[]}`)
	if one := a.want(200, "GET", "/directoryObjects/"+callerID, ""); one.body["@odata.type"] != "#microsoft.graph.servicePrincipal" || one.text("appId") != callerAp {
		t.Error(one.raw)
	}
	a.refused(404, "Request_ResourceNotFound", nobodyID, "GET", "/directoryObjects/"+nobodyID, "")
}
