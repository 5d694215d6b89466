package graph_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/entra/graph"
)

// annotation reads "@odata.…" of the body, or of what is at a path in it.
func (r response) annotation(path, name string) string {
	v := any(r.body)
	if path != "" {
		v = r.at(path)
	}
	m, _ := v.(map[string]any)
	s, _ := m["@odata."+name].(string)
	return s
}

func TestThePathMayNameTheCallersTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	stranger := w.as("User.Read.All")
	id, appID := a.app("named")
	for _, tenant := range []string{tenantID, strings.ToUpper(tenantID), "treaty.onmicrosoft.com", "Treaty.Example", "myorganization", "MyOrganization", strings.Replace(tenantID, "-", "%2D", 1)} {
		for _, version := range []string{"v1.0", "beta"} {
			base := "/" + version + "/" + tenant
			got := a.want(200, "GET", base+"/applications/"+id, "")
			if got.text("id") != id || got.annotation("", "context") != graphURL+"/"+version+"/$metadata#applications/$entity" {
				t.Errorf("%s: %s", base, got.raw)
			}
			a.want(200, "GET", base+"/applications(appId='"+appID+"')/owners", "")
			a.want(200, "GET", base+"/Applications/"+id+"/", "")
			a.refused(404, "Request_ResourceNotFound", nobodyID, "GET", base+"/applications/"+nobodyID, "")
			a.refused(400, "BadRequest", "segment 'groups'", "GET", base+"/groups", "")
			a.refused(405, "Request_BadRequest", "", "DELETE", base+"/applications", "")
			a.refused(400, "BadRequest", "segment '"+tenantID+"'", "GET", base+"/"+tenantID+"/applications", "")
			stranger.refused(403, "Authorization_RequestDenied", "", "GET", base+"/applications", "")
		}
	}
	for _, other := range []string{otherID, "other.onmicrosoft.com", nobodyID, "onmicrosoft.com", "example"} {
		a.refused(400, "BadRequest", "segment '"+other+"'", "GET", "/v1.0/"+other+"/applications", "")
		a.refused(400, "BadRequest", "segment '"+other+"'", "DELETE", "/v1.0/"+other+"/applications/"+id, "")
	}
	a.want(200, "GET", "/applications/"+id, "")
	if e := w.event(a.want(204, "PATCH", "/v1.0/"+tenantID+"/applications/"+id, `{"displayName":"renamed"}`)); e.Resource != "applications/"+id || e.Operation != "Update application" || e.Outcome != audit.Allowed {
		t.Errorf("%+v", e)
	}
}

func TestNextLinksKeepTheTenantInThePath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	for i := range 3 {
		a.app(fmt.Sprint("paged ", i))
	}
	var names []string
	for next := "/v1.0/" + tenantID + "/applications?$top=1"; next != ""; {
		got := a.want(200, "GET", next, "")
		names = append(names, got.column("displayName")...)
		if next = got.annotation("", "nextLink"); next != "" && !strings.HasPrefix(next, graphURL+"/v1.0/"+tenantID+"/applications?") {
			t.Fatalf("next link %s", next)
		}
	}
	slices.Sort(names)
	if want := []string{"paged 0", "paged 1", "paged 2"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}

func TestOwnersAreReadAsReferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	appObject, appID := a.app("owned")
	objects := graphURL + "/v2/" + tenantID + "/directoryObjects/"
	caller, user := objects+callerID+"/Microsoft.DirectoryServices.ServicePrincipal", objects+userID+"/Microsoft.DirectoryServices.User"
	for _, path := range []string{"/applications/" + appObject, "/servicePrincipals/" + a.principal(appID)} {
		a.refused(404, "Request_ResourceNotFound", callerID, "GET", path+"/owners/"+callerID+"/$ref", "")
		if got := a.want(200, "GET", path+"/owners/$ref", ""); got.raw != `{"@odata.context":"`+graphURL+`/v1.0/$metadata#Collection($ref)","value":[]}` {
			t.Error(got.raw)
		}
		// What is read is what may be posted, in either form of its version.
		a.want(204, "POST", path+"/owners/$ref", `{"@odata.id":"`+caller+`"}`)
		a.want(204, "POST", path+"/owners/$ref", `{"@odata.id":"`+strings.Replace(user, "/v2/", "/v1.0/", 1)+`"}`)
		a.refused(400, "Request_BadRequest", "@odata.id", "POST", path+"/owners/$ref", `{"@odata.id":"`+objects+`x/Microsoft.DirectoryServices.User"}`)
		a.refused(400, "Request_BadRequest", "@odata.id", "POST", path+"/owners/$ref", `{"@odata.id":"`+user+`/Microsoft.DirectoryServices.User"}`)

		one := a.want(200, "GET", path+"/owners/"+strings.ToUpper(userID)+"/$ref?$select=id,url", "") // as Terraform's client asks
		if diff := cmp.Diff(map[string]any{"@odata.context": graphURL + "/v1.0/$metadata#$ref", "@odata.id": user}, one.body); diff != "" {
			t.Error(diff)
		}
		list := a.want(200, "GET", "/v1.0/"+tenantID+path+"/owners/$ref?$select=id", "")
		if got := list.column("@odata.id"); !slices.Equal(got, []string{caller, user}) || list.annotation("", "context") != graphURL+"/v1.0/$metadata#Collection($ref)" {
			t.Error(list.raw)
		}
		page := a.want(200, "GET", path+"/owners/$ref?$top=1", "")
		rest := a.want(200, "GET", page.annotation("", "nextLink"), "")
		if got := append(page.column("@odata.id"), rest.column("@odata.id")...); !slices.Equal(got, []string{caller, user}) {
			t.Errorf("%v", got)
		}
		none := a.with("Accept", "application/json;odata.metadata=none").want(200, "GET", path+"/owners/$ref", "")
		if got := none.column("@odata.id"); !slices.Equal(got, []string{caller, user}) || none.body["@odata.context"] != nil {
			t.Error(none.raw)
		}
		a.refused(404, "Request_ResourceNotFound", nobodyID, "GET", path+"/owners/"+nobodyID+"/$ref", "")
		a.refused(404, "Request_ResourceNotFound", nobodyID, "GET", path[:strings.LastIndexByte(path, '/')+1]+nobodyID+"/owners/$ref", "")
		for _, suffix := range []string{"/owners/$ref", "/owners/" + userID + "/$ref"} {
			w.as("User.Read.All").refused(403, "Authorization_RequestDenied", "", "GET", path+suffix, "")
		}
		_, short := a.app("short-lived")
		gone := a.principal(short)
		a.want(204, "POST", path+"/owners/$ref", `{"@odata.id":"`+objects+gone+`/Microsoft.DirectoryServices.ServicePrincipal"}`)
		a.want(200, "GET", path+"/owners/"+gone+"/$ref", "")
		a.want(204, "DELETE", "/servicePrincipals/"+gone, "")
		a.refused(404, "Request_ResourceNotFound", gone, "GET", path+"/owners/"+gone+"/$ref", "")
	}
}

func TestTheClientChoosesHowMuchMetadataItGets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, appID := a.app("described")
	principal := a.principal(appID)
	a.do("POST", "/applications/"+id+"/owners/$ref", `{"@odata.id":"`+graphURL+`/v1.0/directoryObjects/`+callerID+`"}`)
	fic := a.want(201, "POST", "/applications/"+id+"/federatedIdentityCredentials",
		`{"name":"described","issuer":"https://issuer.example","subject":"s","audiences":["api://AzureADTokenExchange"]}`).text("id")
	role := a.want(201, "POST", "/servicePrincipals/"+principal+"/appRoleAssignments", `{"principalId":"`+principal+`","resourceId":"`+graphSP+`","appRoleId":"`+readAll+`"}`).text("id")

	const content = "application/json;odata.metadata=%s;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
	for accept, want := range map[string]string{
		"": "minimal", "*/*": "minimal", "application/json": "minimal", "text/html": "minimal", "application/json;odata.metadata=minimal": "minimal",
		"application/json;odata.metadata=everything": "minimal", "text/plain;odata.metadata=full": "minimal", ";;": "minimal",
		"application/json; charset=utf-8; IEEE754Compatible=false; odata.metadata=full": "full", // as Terraform's client writes it
		"Application/JSON;ODATA.Metadata=Full":                                          "full", "application/json;metadata=full": "full", "text/plain, application/json;odata.metadata=none;q=0.5": "none",
	} {
		got := a.with("Accept", accept).want(200, "GET", "/directoryObjects/"+principal+"?$select=displayName", "")
		if h := got.header.Get("Content-Type"); h != fmt.Sprintf(content, want) {
			t.Errorf("%q: Content-Type %s, want %s", accept, h, want)
		}
		if (got.body["@odata.id"] != nil) != (want == "full") || (got.body["@odata.context"] == nil) != (want == "none") || (got.body["@odata.type"] == nil) != (want == "none") {
			t.Errorf("%q: %s", accept, got.raw)
		}
	}

	full := a.with("Accept", "application/json;odata.metadata=full")
	v2 := graphURL + "/v2/" + tenantID
	objects := v2 + "/directoryObjects/"
	for _, c := range []struct{ path, at, typ, link string }{
		{"/directoryObjects/" + principal, "", "servicePrincipal", objects + principal + "/Microsoft.DirectoryServices.ServicePrincipal"},
		{"/applications/" + id + "?$select=displayName", "", "application", objects + id + "/Microsoft.DirectoryServices.Application"},
		{"/applications?$filter=appId eq '" + appID + "'", "value.0", "application", objects + id + "/Microsoft.DirectoryServices.Application"},
		{"/users/" + userID, "", "user", objects + userID + "/Microsoft.DirectoryServices.User"},
		{"/applications/" + id + "/owners?$select=id", "value.0", "servicePrincipal", objects + callerID + "/Microsoft.DirectoryServices.ServicePrincipal"},
		{"/applications/" + id + "?$expand=owners($select=id)", "owners.0", "servicePrincipal", objects + callerID + "/Microsoft.DirectoryServices.ServicePrincipal"},
		{"/applications/" + id + "/federatedIdentityCredentials/" + fic, "", "federatedIdentityCredential", objects + "$/Microsoft.DirectoryServices.Application('" + id + "')/federatedIdentityCredentials/" + fic},
		{"/servicePrincipals/" + principal + "/appRoleAssignments", "value.0", "appRoleAssignment", objects + "$/Microsoft.DirectoryServices.ServicePrincipal('" + principal + "')/appRoleAssignments/" + role},
		{"/organization", "value.0", "organization", objects + tenantID + "/Microsoft.DirectoryServices.Organization"},
		{"/domains/treaty.example", "", "domain", v2 + "/domains/treaty.example"},
	} {
		got := full.want(200, "GET", c.path, "")
		if got.annotation(c.at, "type") != "#microsoft.graph."+c.typ || got.annotation(c.at, "id") != c.link || got.annotation(c.at, "editLink") != c.link {
			t.Errorf("%s: %s", c.path, got.raw)
		}
		if minimal := a.want(200, "GET", c.path, ""); strings.Contains(minimal.raw, "@odata.id") {
			t.Errorf("%s: %s", c.path, minimal.raw)
		}
	}
	if got := full.want(201, "POST", "/applications", `{"displayName":"new"}`); got.annotation("", "id") != objects+got.text("id")+"/Microsoft.DirectoryServices.Application" {
		t.Error(got.raw)
	}
	if got := full.want(200, "POST", "/directoryObjects/getByIds", `{"ids":["`+id+`"]}`); got.annotation("value.0", "id") != objects+id+"/Microsoft.DirectoryServices.Application" {
		t.Error(got.raw)
	}
	none := a.with("Accept", "application/json;odata.metadata=none").with("ConsistencyLevel", "eventual")
	got := none.want(200, "GET", "/applications?$count=true&$top=1&$expand=owners", "")
	if got.body["@odata.count"] != 2.0 || got.annotation("", "nextLink") == "" || strings.Contains(got.raw, "@odata.context") || strings.Contains(got.raw, "@odata.type") {
		t.Error(got.raw)
	}
}

func TestAssignmentsHaveGraphsKindOfID(t *testing.T) {
	t.Parallel()
	// The pair of an example of New-MgGroupAppRoleAssignment.
	const want, principal = "eI168IzxAkyzOZ66zgJRIqVVeeA1CVFKmaBn-MGn0Bw", "f07a8d78-f18c-4c02-b339-9ebace025122"
	rest := [16]byte{0xa5, 0x55, 0x79, 0xe0, 0x35, 0x09, 0x51, 0x4a, 0x99, 0xa0, 0x67, 0xf8, 0xc1, 0xa7, 0xd0, 0x1c}
	if got := graph.AssignmentID(principal, rest); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	w := newWorld(t)
	a := w.admin()
	_, appID := a.app("client")
	id := a.principal(appID)
	got := a.want(201, "POST", "/servicePrincipals/"+id+"/appRoleAssignments", `{"principalId":"`+id+`","resourceId":"`+graphSP+`","appRoleId":"`+readAll+`"}`).text("id")
	if start := graph.AssignmentID(id, [16]byte{})[:21]; len(got) != 43 || !strings.HasPrefix(got, start) {
		t.Errorf("%s does not start with %s", got, start)
	}
}
