package graph_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

const (
	identityID  = "b0000000-0000-4000-8000-000000000001" // principal id
	identityApp = "b0000000-0000-4000-8000-0000000000aa" // client id
	identityARM = "/subscriptions/7ea70000-0000-4000-8000-000000000002/resourcegroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/worker"
)

// identity makes a user-assigned identity as Azure Resource Manager does.
func (w *world) identity() directory.ServicePrincipal {
	w.Helper()
	sp := directory.ServicePrincipal{ID: identityID, TenantID: tenantID, AppID: identityApp, DisplayName: "worker", Type: directory.TypeManagedIdentity, OwnerTenant: tenantID,
		Names: []string{identityApp, "https://identity.azure.net/q3J/+w="}, Enabled: true, ResourceID: identityARM, UserAssigned: true, CreatedAt: now,
		Carried: json.RawMessage(`{"alternativeNames":["isExplicit=True","` + identityARM + `"]}`)}
	must(w, w.ManagedIdentities.CreateManagedIdentity(context.Background(), directory.Resource{ID: identityARM, Type: "Microsoft.ManagedIdentity/userAssignedIdentities", Name: "worker", CreatedAt: now}, sp))
	return sp
}

func TestManagedIdentitiesAreRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	w.identity()
	_, appID := a.app("an application")
	a.principal(appID)
	got := a.want(200, "GET", "/servicePrincipals/"+strings.ToUpper(identityID), "")
	for name, want := range map[string]any{
		"id": identityID, "appId": identityApp, "displayName": "worker", "servicePrincipalType": "ManagedIdentity", "accountEnabled": true, "appDisplayName": nil,
		"appOwnerOrganizationId": nil, "signInAudience": nil, "alternativeNames": []any{"isExplicit=True", identityARM}, "tags": []any{}, "appRoles": []any{},
		"servicePrincipalNames": []any{identityApp, "https://identity.azure.net/q3J/+w="}, "passwordCredentials": []any{}, "keyCredentials": []any{}, "createdDateTime": "2026-11-21T12:30:00Z",
	} {
		if diff := cmp.Diff(want, got.body[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, filter := range []string{
		"servicePrincipalType eq 'ManagedIdentity'", "displayName eq 'worker'", "startswith(displayName,'wor') and servicePrincipalType eq 'ManagedIdentity'", "appId eq '" + identityApp + "'",
		"servicePrincipalNames/any(n:n eq '" + identityApp + "')", "alternativeNames/any(n:n eq '" + identityARM + "')",
	} {
		if got := a.want(200, "GET", "/servicePrincipals?$filter="+filter, ""); !slices.Equal(got.column("id"), []string{identityID}) {
			t.Errorf("%s: %v", filter, got.column("id"))
		}
	}
	if got := a.want(200, "GET", "/servicePrincipals?$filter=servicePrincipalType eq 'Application'&$top=999", ""); slices.Contains(got.column("id"), identityID) || len(got.column("id")) < 3 {
		t.Errorf("%v", got.column("id"))
	}
	if got := a.want(200, "GET", "/servicePrincipals(appId='"+identityApp+"')?$select=alternativeNames", ""); got.text("alternativeNames.1") != identityARM {
		t.Error(got.raw)
	}
	if got := a.want(200, "POST", "/directoryObjects/getByIds", `{"ids":["`+identityID+`"],"types":["servicePrincipal"]}`); got.text("value.0.servicePrincipalType") != "ManagedIdentity" {
		t.Error(got.raw)
	}
	a.refused(404, "Request_ResourceNotFound", identityApp, "GET", "/applications(appId='"+identityApp+"')", "")
	a.refused(404, "Request_ResourceNotFound", identityID, "POST", "/applications/"+identityID+"/federatedIdentityCredentials", fic("a-name", "s"))
}

func TestManagedIdentitiesAreAzuresToChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	sp := w.identity()
	path := "/servicePrincipals/" + identityID
	certificate := base64.StdEncoding.EncodeToString(clientKey().cert.Raw)
	for _, c := range []struct{ name, method, path, body string }{
		{"a secret", "POST", path + "/addPassword", `{}`},
		{"no secret to remove", "POST", path + "/removePassword", `{"keyId":"` + nobodyID + `"}`},
		{"a certificate", "POST", path + "/addKey", `{"keyCredential":{"type":"AsymmetricX509Cert","usage":"Verify","key":"` + certificate + `"},"proof":"x"}`},
		{"no certificate to remove", "POST", path + "/removeKey", `{"keyId":"` + nobodyID + `","proof":"x"}`},
		{"a certificate by an update", "PATCH", path, `{"keyCredentials":[{"type":"AsymmetricX509Cert","usage":"Verify","key":"` + certificate + `"}]}`},
		{"an owner", "POST", path + "/owners/$ref", `{"@odata.id":"` + graphURL + `/v1.0/users/` + userID + `"}`},
		{"no owner to remove", "DELETE", path + "/owners/" + userID + "/$ref", ""},
		{"a name", "PATCH", path, `{"displayName":"other"}`},
		{"a service principal name", "PATCH", path, `{"servicePrincipalNames":["` + identityApp + `","api://mine"]}`},
		{"another resource", "PATCH", path, `{"alternativeNames":["isExplicit=True","/subscriptions/other"]}`},
		{"its end", "DELETE", path, ""},
		{"its end by its client id", "DELETE", "/servicePrincipals(appId='" + identityApp + "')", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := a.refused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.", c.method, c.path, c.body)
			if e := w.event(got); e.Outcome != audit.Refused || e.Resource != "servicePrincipals/"+identityID || !strings.Contains(string(e.Evidence), identityARM) {
				t.Errorf("audit %+v", e)
			}
		})
	}
	kept, err := w.Principals.Principal(context.Background(), tenantID, identityID)
	sp.Version = kept.Version
	if diff := cmp.Diff(sp, kept); err != nil || diff != "" {
		t.Error(err, diff)
	}
	a.want(204, "PATCH", path, `{"accountEnabled":false,"tags":["a"],"notes":"n","displayName":"worker","alternativeNames":["isExplicit=True","`+identityARM+`"]}`)
	if got := a.want(200, "GET", path, ""); got.at("accountEnabled") != false || got.text("tags.0") != "a" || got.text("alternativeNames.1") != identityARM {
		t.Error(got.raw)
	}
	a.refused(409, "Request_MultipleObjectsWithSameKeyValue", "already in use", "POST", "/servicePrincipals", `{"appId":"`+identityApp+`"}`)
	_, appID := a.app("pretender")
	a.refused(400, "Request_BadRequest", "'servicePrincipalType' is read-only", "POST", "/servicePrincipals", `{"appId":"`+appID+`","servicePrincipalType":"ManagedIdentity"}`)
	a.want(201, "POST", "/servicePrincipals", `{"appId":"`+appID+`","servicePrincipalType":"Application"}`)
}

func TestAManagedIdentityIsGrantedPermissionsOfGraph(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	w.identity()
	path := "/servicePrincipals/" + identityID + "/appRoleAssignments"
	body := `{"principalId":"` + identityID + `","resourceId":"` + graphSP + `","appRoleId":"` + readAll + `"}`
	w.as("Application.ReadWrite.All").refused(403, "Authorization_RequestDenied", "", "POST", path, body)
	made := a.want(201, "POST", path, body)
	if made.text("principalDisplayName") != "worker" || made.text("principalType") != "ServicePrincipal" {
		t.Error(made.raw)
	}
	a.refused(400, "Request_BadRequest", "already exists", "POST", "/servicePrincipals/"+graphSP+"/appRoleAssignedTo", body)

	mine := claims("Application.Read.All")
	mine["oid"], mine["sub"], mine["appid"], mine["xms_mirid"] = identityID, identityID, identityApp, identityARM
	self := a
	self.token = w.sign(entraKey(), mine)
	self.want(200, "GET", "/applications", "")
	self.refused(403, "Authorization_RequestDenied", "", "POST", "/applications", `{"displayName":"x"}`)

	must(t, w.Resources.DeleteResource(context.Background(), identityARM))
	if got := a.want(200, "GET", "/servicePrincipals/"+graphSP+"/appRoleAssignedTo", ""); len(got.column("id")) != 0 {
		t.Error(got.raw)
	}
	if got := self.do("GET", "/applications", ""); got.status != 401 || got.text("error.code") != "Authorization_IdentityNotFound" {
		t.Errorf("a token of an identity that is gone: %d %s", got.status, got.raw)
	}
	a.refused(404, "Request_ResourceNotFound", identityID, "GET", "/servicePrincipals/"+identityID, "")
}

func TestAnApplicationTrustsAManagedIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	w.identity()
	id, _ := a.app("multi-tenant")
	made := a.want(201, "POST", "/applications/"+id+"/federatedIdentityCredentials",
		`{"name":"managed-identity","issuer":"`+v2Issuer(tenantID)+`","subject":"`+identityID+`","audiences":["api://AzureADTokenExchange"],"description":"Trust the worker"}`)
	if made.text("issuer") != v2Issuer(tenantID) || made.text("subject") != identityID {
		t.Error(made.raw)
	}
}

// inOther is an administrator of the other tenant.
func (w *world) inOther() as {
	w.Helper()
	const id = "c0000000-0000-4000-8000-0000000000f1"
	must(w, w.Principals.CreatePrincipal(context.Background(), directory.ServicePrincipal{ID: id, TenantID: otherID, AppID: id, DisplayName: "their caller", Type: directory.TypeApplication,
		OwnerTenant: otherID, Names: []string{id}, Enabled: true, CreatedAt: now}))
	c := claims(all...)
	c["iss"], c["tid"], c["oid"], c["sub"], c["appid"] = v1Issuer(otherID), otherID, id, id, id
	return as{w, w.sign(entraKey(), c), map[string][]string{}}
}

func TestAnApplicationsPresenceInAnotherTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	home, away := w.admin(), w.inOther()
	const task = "11111111-0000-4000-8000-000000000009"
	app := home.want(201, "POST", "/applications", `{"displayName":"Exchange","signInAudience":"AzureADMultipleOrgs","identifierUris":["api://exchange.treaty","https://treaty.example/taken"],
		"appRoles":[{"id":"`+task+`","allowedMemberTypes":["Application"],"description":"d","displayName":"Run","isEnabled":true,"value":"Task.Run"}]}`)
	id, appID := app.text("id"), app.text("appId")
	single := home.want(201, "POST", "/applications", `{"displayName":"Home only","signInAudience":"AzureADMyOrg"}`).text("appId")
	must(t, w.Applications.CreateApplication(context.Background(), directory.Application{ID: "e5", AppID: "e0000000-0000-4000-8000-0000000000e5", TenantID: otherID, DisplayName: "theirs", IdentifierURIs: []string{"https://treaty.example/TAKEN"}}))

	refusal := away.refused(400, "Request_BadRequest", "The appId '"+single+"' of the service principal does not reference a valid application object.", "POST", "/servicePrincipals", `{"appId":"`+single+`"}`)
	if refusal.text("error.details.0.code") != "NoBackingApplicationObject" {
		t.Error(refusal.raw)
	}
	made := away.want(201, "POST", "/servicePrincipals", `{"appId":"`+appID+`"}`)
	sp := made.text("id")
	for name, want := range map[string]any{"appId": appID, "displayName": "Exchange", "appDisplayName": "Exchange", "appOwnerOrganizationId": tenantID, "signInAudience": "AzureADMultipleOrgs",
		"servicePrincipalType": "Application", "servicePrincipalNames": []any{appID, "api://exchange.treaty"}} {
		if diff := cmp.Diff(want, made.body[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if made.text("appRoles.0.value") != "Task.Run" || made.text("appRoles.0.id") != task {
		t.Error(made.raw)
	}
	away.refused(409, "Request_MultipleObjectsWithSameKeyValue", "already in use", "POST", "/servicePrincipals", `{"appId":"`+appID+`"}`)
	home.refused(404, "Request_ResourceNotFound", sp, "GET", "/servicePrincipals/"+sp, "")
	away.refused(404, "Request_ResourceNotFound", id, "GET", "/applications/"+id, "")
	away.refused(404, "Request_ResourceNotFound", appID, "PATCH", "/applications(appId='"+appID+"')", `{"displayName":"ours"}`)

	client := away.want(201, "POST", "/applications", `{"displayName":"client"}`).text("appId")
	clientSP := away.principal(client)
	away.want(201, "POST", "/servicePrincipals/"+sp+"/appRoleAssignedTo", `{"principalId":"`+clientSP+`","resourceId":"`+sp+`","appRoleId":"`+task+`"}`)
	away.refused(400, "Request_MultipleObjectsWithSameKeyValue", "identifierUris", "POST", "/applications", `{"displayName":"x","identifierUris":["api://exchange.treaty"]}`)

	t.Run("stays when the application goes", func(t *testing.T) {
		homeSP := home.principal(appID)
		home.want(204, "DELETE", "/applications/"+id, "")
		home.refused(404, "Request_ResourceNotFound", homeSP, "GET", "/servicePrincipals/"+homeSP, "")
		if got := away.want(200, "GET", "/servicePrincipals/"+sp, ""); got.text("displayName") != "Exchange" || got.text("appOwnerOrganizationId") != tenantID {
			t.Error(got.raw)
		}
		if _, err := w.Applications.ApplicationByAppID(context.Background(), appID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("tokens could still be had: %v", err)
		}
		away.refused(409, "Request_MultipleObjectsWithSameKeyValue", "already in use", "POST", "/servicePrincipals", `{"appId":"`+appID+`"}`)
		away.want(204, "DELETE", "/servicePrincipals/"+sp, "")
		away.refused(400, "Request_BadRequest", "does not reference a valid application object", "POST", "/servicePrincipals", `{"appId":"`+appID+`"}`)
	})
}
