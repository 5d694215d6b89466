package graph_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/entra/graph"
)

// granted are the application permissions that Graph offers here.
func granted() (out []string) {
	for _, r := range graph.FirstParty(directory.Tenant{}, "", "", now, func() string { return "" })[0].Roles {
		out = append(out, r.Value)
	}
	return out
}

// Each operation with each permission alone: it is refused unless the permission is one of those that
// Graph's reference lists for it. The objects belong to nobody, so that ownership does not help.
func TestEveryOperationNeedsItsPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.admin()
	id, appID := admin.app("target")
	sp := admin.principal(appID)
	admin.want(201, "POST", "/applications/"+id+"/federatedIdentityCredentials", fic("existing", "s"))
	_, spare := admin.app("spare")

	readApps := []string{"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	listApps := append(slices.Clone(readApps), "Application.ReadWrite.OwnedBy")
	writeApps := []string{"Application.ReadWrite.All"}
	makeApps := []string{"Application.ReadWrite.All", "Application.ReadWrite.OwnedBy"}
	assigned := append(slices.Clone(readApps), "AppRoleAssignment.ReadWrite.All")
	users := []string{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}
	app, principal := "/applications/"+id, "/servicePrincipals/"+sp
	none := []string{}
	clients := map[string]as{"": w.as()}
	for _, role := range granted() {
		clients[role] = w.as(role)
	}
	for _, c := range []struct {
		method, path, body string
		allowed            []string
	}{
		{"GET", "/applications", "", listApps},
		{"GET", "/applications?$filter=appId eq '" + appID + "'", "", listApps},
		{"GET", "/applications/$count", "", listApps},
		{"POST", "/applications", `{"displayName":"x"}`, makeApps},
		{"GET", app, "", readApps},
		{"GET", "/applications(appId='" + appID + "')", "", readApps},
		{"PATCH", app, `{"notes":"x"}`, writeApps},
		{"GET", app + "/owners", "", readApps},
		{"POST", app + "/owners/$ref", `{"@odata.id":"https://graph.microsoft.com/v1.0/users/` + userID + `"}`, writeApps},
		{"DELETE", app + "/owners/" + userID + "/$ref", "", writeApps},
		{"POST", app + "/addPassword", `{}`, writeApps},
		{"POST", app + "/removePassword", `{"keyId":"` + nobodyID + `"}`, writeApps},
		{"GET", app + "/federatedIdentityCredentials", "", readApps},
		{"GET", app + "/federatedIdentityCredentials/existing", "", readApps},
		{"POST", app + "/federatedIdentityCredentials", fic("another", "t"), writeApps},
		{"PATCH", app + "/federatedIdentityCredentials/existing", `{"description":"x"}`, writeApps},
		{"DELETE", app + "/federatedIdentityCredentials/nothing", "", writeApps},
		{"GET", "/servicePrincipals", "", listApps},
		{"GET", "/servicePrincipals/$count", "", listApps},
		{"GET", principal, "", readApps},
		{"POST", "/servicePrincipals", `{"appId":"` + spare + `"}`, writeApps},
		{"PATCH", principal, `{"notes":"x"}`, writeApps},
		{"GET", principal + "/owners", "", readApps},
		{"GET", principal + "/ownedObjects", "", readApps},
		{"POST", principal + "/addPassword", `{}`, writeApps},
		{"GET", principal + "/appRoleAssignments", "", assigned},
		{"GET", principal + "/appRoleAssignedTo", "", assigned},
		{"POST", principal + "/appRoleAssignedTo", `{}`, none}, // needs two
		{"DELETE", principal + "/appRoleAssignedTo/x", "", []string{"AppRoleAssignment.ReadWrite.All"}},
		{"GET", "/users", "", users},
		{"GET", "/users/$count", "", users},
		{"GET", "/users/" + userID, "", users},
		{"GET", "/users/" + userID + "/appRoleAssignments", "", []string{"AppRoleAssignment.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}},
		{"POST", "/users/" + userID + "/appRoleAssignments", `{}`, none},
		{"GET", "/organization", "", []string{"Organization.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"}},
		{"GET", "/organization/" + tenantID, "", []string{"Organization.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"}},
		{"GET", "/domains", "", []string{"Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}},
		{"GET", "/domains/treaty.example", "", []string{"Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}},
		{"GET", "/oauth2PermissionGrants", "", []string{"DelegatedPermissionGrant.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}},
		{"GET", "/directoryObjects/" + sp, "", append(append(slices.Clone(listApps), "User.Read.All"), "User.ReadWrite.All")},
		{"POST", "/directoryObjects/getByIds", `{"ids":["` + sp + `"]}`, append(append(slices.Clone(listApps), "User.Read.All"), "User.ReadWrite.All")},
		{"DELETE", principal, "", writeApps},
		{"DELETE", app, "", writeApps},
	} {
		tried := append([]string{""}, granted()...)
		slices.SortStableFunc(tried, func(a, b string) int { // those that succeed come last: some delete
			return map[bool]int{true: 1}[slices.Contains(c.allowed, a)] - map[bool]int{true: 1}[slices.Contains(c.allowed, b)]
		})
		for _, role := range tried {
			got := clients[role].do(c.method, c.path, c.body)
			if allowed := got.status != 403; allowed != slices.Contains(c.allowed, role) {
				t.Errorf("%s %s with %q: %d %.200s", c.method, c.path, role, got.status, got.raw)
			}
			if got.status == 403 && (got.text("error.code") != "Authorization_RequestDenied" || got.text("error.message") != "Insufficient privileges to complete the operation.") {
				if !strings.Contains(got.raw, "must in the local tenant") {
					t.Errorf("%s", got.raw)
				}
			}
		}
	}
}

func TestARefusalIsAuditedWithItsEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.as("User.Read.All").refused(403, "Authorization_RequestDenied", "", "PATCH", "/applications/"+nobodyID, `{"displayName":"x"}`)
	e := w.event(got)
	var proof struct {
		Checks []struct {
			Name, Claim, Fix string
			Want, Got        []string
			OK               bool
		}
	}
	must(t, json.Unmarshal(e.Evidence, &proof))
	if e.Outcome != audit.Refused || e.Code != "Authorization_RequestDenied" || e.Surface != "graph" || e.Operation != "Update application" || e.Resource != "applications/"+nobodyID {
		t.Errorf("%+v", e)
	}
	if len(proof.Checks) != 1 || proof.Checks[0].OK || proof.Checks[0].Claim != "roles" || !slices.Equal(proof.Checks[0].Got, []string{"User.Read.All"}) || !strings.Contains(proof.Checks[0].Fix, "Application.ReadWrite.All") {
		t.Errorf("%+v", proof)
	}
}

func TestOwnedByIsLimitedToWhatTheCallerOwns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin, owner := w.admin(), w.as("Application.ReadWrite.OwnedBy")
	foreign, foreignApp := admin.app("foreign")
	admin.want(201, "POST", "/applications/"+foreign+"/federatedIdentityCredentials", fic("foreign", "s"))
	foreignSP := admin.principal(foreignApp)

	mine, myApp := owner.app("mine") // the caller becomes its owner
	mySP := owner.principal(myApp)
	if got := owner.want(200, "GET", "/applications/"+mine+"/owners", ""); !slices.Equal(got.column("id"), []string{callerID}) {
		t.Error(got.raw)
	}
	for _, c := range []struct{ method, path, body string }{
		{"PATCH", "/applications/%a", `{"displayName":"mine 2"}`},
		{"GET", "/applications/%a", ""},
		{"POST", "/applications/%a/addPassword", "{}"},
		{"POST", "/applications/%a/federatedIdentityCredentials", fic("fresh", "t")},
		{"GET", "/applications/%a/federatedIdentityCredentials/fresh", ""},
		{"PATCH", "/applications/%a/federatedIdentityCredentials/fresh", `{"subject":"u"}`},
		{"DELETE", "/applications/%a/federatedIdentityCredentials/fresh", ""},
		{"POST", "/applications/%a/owners/$ref", `{"@odata.id":"https://graph.microsoft.com/v1.0/users/` + userID + `"}`},
		{"GET", "/servicePrincipals/%s", ""},
		{"PATCH", "/servicePrincipals/%s", `{"notes":"n"}`},
		{"GET", "/servicePrincipals/%s/appRoleAssignments", ""},
	} {
		own := strings.NewReplacer("%a", mine, "%s", mySP).Replace(c.path)
		if got := owner.do(c.method, own, c.body); got.status >= 300 {
			t.Errorf("%s %s: %d %s", c.method, own, got.status, got.raw)
		}
		others := strings.NewReplacer("%a", foreign, "%s", foreignSP).Replace(c.path)
		got := owner.refused(403, "Authorization_RequestDenied", "Insufficient privileges", c.method, others, c.body)
		if e := w.event(got); e.Outcome != audit.Refused || !strings.Contains(string(e.Evidence), `"owner"`) {
			t.Errorf("%s %s: audit %+v", c.method, others, e)
		}
	}
	for path, want := range map[string][]string{
		"/applications": {mine},
		"/applications?$filter=appId eq '" + foreignApp + "'":      {},
		"/applications?$filter=startswith(displayName,'f')&$top=5": {},
		"/servicePrincipals?$filter=appId eq '" + myApp + "'":      {mySP},
		"/servicePrincipals?$filter=appId eq '" + foreignApp + "'": {},
	} {
		if got := owner.want(200, "GET", path, ""); !slices.Equal(got.column("id"), want) {
			t.Errorf("%s: %v, want %v", path, got.column("id"), want)
		}
	}
	if got := owner.want(200, "GET", "/servicePrincipals/"+callerID+"/ownedObjects", ""); !slices.Equal(got.column("id"), []string{mine, mySP}) {
		t.Error(got.raw)
	}
	owner.refused(403, "Authorization_RequestDenied", "", "GET", "/servicePrincipals/"+foreignSP+"/ownedObjects", "")

	_, spare := admin.app("spare")
	owner.refused(403, "Authorization_RequestDenied", "Insufficient privileges", "POST", "/servicePrincipals", `{"appId":"`+spare+`"}`)
	must(t, w.Applications.CreateApplication(context.Background(), directory.Application{ID: "e0000000-0000-4000-8000-000000000001", AppID: "e0000000-0000-4000-8000-0000000000aa", TenantID: otherID, DisplayName: "multi", SignInAudience: "AzureADMultipleOrgs"}))
	owner.refused(403, "Authorization_RequestDenied", "When using this permission, the backing application of the service principal being created must in the local tenant", "POST", "/servicePrincipals", `{"appId":"e0000000-0000-4000-8000-0000000000aa"}`)

	owner.want(204, "DELETE", "/applications/"+mine+"/owners/"+callerID+"/$ref", "")
	owner.refused(403, "Authorization_RequestDenied", "", "GET", "/applications/"+mine, "") // it gave it away
	owner.want(204, "DELETE", "/servicePrincipals/"+mySP, "")
}
