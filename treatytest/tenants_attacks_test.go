package treatytest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// tenantsWorld is a twin with three tenants: a and b share their keys, c has its own.
type tenantsWorld struct {
	a, b, c *Treaty
}

func newTenantsWorld(t *testing.T) *tenantsWorld {
	t.Helper()
	still := &wall{at: time.Now()} // so that nothing depends on how long a test takes
	a := Config{wall: still.now}.New(t)
	a.AWSConfig.Retryer = func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 1) }
	return &tenantsWorld{a, a.In(a.AddTenant("B", "b.example", false)), a.In(a.AddTenant("C", "c.example", true))}
}

// multi is an application that other tenants may have, too.
func (tt *Treaty) multi(name string) Application {
	tt.t.Helper()
	app := tt.AddApplication(name)
	tt.graph("PATCH", "/v1.0/applications/"+app.ObjectID, m{"signInAudience": "AzureADMultipleOrgs"}, nil)
	return app
}

// consent makes the service principal of another tenant's application.
func (tt *Treaty) consent(app Application) Application {
	tt.t.Helper()
	var sp struct{ ID string }
	tt.graph("POST", "/v1.0/servicePrincipals", m{"appId": app.ClientID}, &sp)
	app.PrincipalID = sp.ID
	return app
}

// Nothing of one tenant is reached with another's token, by whatever id.
func TestNoTokenReachesAnotherTenant(t *testing.T) {
	t.Parallel()
	w := newTenantsWorld(t)
	app, identity := w.a.multi("victim"), w.a.AddManagedIdentity("victim")
	w.a.Trust(app, "trust", "https://x.example", "s", "a")
	w.a.ARM("PUT", identity.ID+"/federatedIdentityCredentials/trust?api-version=2023-01-31", m{"properties": m{"issuer": "https://x.example", "subject": "s", "audiences": []string{"a"}}}, nil)
	role := "/subscriptions/" + w.a.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/" + w.a.newID()
	w.a.ARM("PUT", role+"?api-version=2022-04-01", m{"properties": m{"roleName": "victim", "type": "CustomRole", "permissions": []m{{"actions": []string{"*"}}}, "assignableScopes": []string{"/subscriptions/" + w.a.SubscriptionID}}}, nil)
	for name, b := range map[string]*Treaty{"shared keys": w.b, "own keys": w.c} {
		own := b.AddApplication("own")
		graph, arm := b.AdminToken(b.GraphURL), b.AdminToken(b.ARMURL)
		for _, c := range []struct {
			method, path string
			body         any
			status       []int
		}{
			{"GET", "/v1.0/applications/" + app.ObjectID, nil, []int{404}},
			{"GET", "/v1.0/applications(appId='" + app.ClientID + "')", nil, []int{404}},
			{"PATCH", "/v1.0/applications/" + app.ObjectID, m{"displayName": "mine"}, []int{404}},
			{"DELETE", "/v1.0/applications/" + app.ObjectID, nil, []int{404}},
			{"POST", "/v1.0/applications/" + app.ObjectID + "/addPassword", m{"passwordCredential": m{"displayName": "x"}}, []int{404}},
			{"GET", "/v1.0/applications/" + app.ObjectID + "/federatedIdentityCredentials", nil, []int{404}},
			{"POST", "/v1.0/applications/" + app.ObjectID + "/federatedIdentityCredentials", m{"name": "evil", "issuer": "https://evil.example", "subject": "s", "audiences": []string{"a"}}, []int{404}},
			{"DELETE", "/v1.0/applications/" + app.ObjectID + "/federatedIdentityCredentials/trust", nil, []int{404}},
			{"POST", "/v1.0/applications/" + app.ObjectID + "/owners/$ref", m{"@odata.id": b.GraphURL + "/v1.0/directoryObjects/" + own.PrincipalID}, []int{404}},
			{"GET", "/v1.0/servicePrincipals/" + app.PrincipalID, nil, []int{404}},
			{"GET", "/v1.0/servicePrincipals(appId='" + app.ClientID + "')", nil, []int{404}},
			{"PATCH", "/v1.0/servicePrincipals/" + app.PrincipalID, m{"accountEnabled": false}, []int{404}},
			{"DELETE", "/v1.0/servicePrincipals/" + app.PrincipalID, nil, []int{404}},
			{"POST", "/v1.0/servicePrincipals/" + app.PrincipalID + "/addPassword", m{"passwordCredential": m{"displayName": "x"}}, []int{404}},
			{"GET", "/v1.0/servicePrincipals/" + identity.PrincipalID, nil, []int{404}},
			{"GET", "/v1.0/servicePrincipals/" + app.PrincipalID + "/appRoleAssignments", nil, []int{404}},
			{"POST", "/v1.0/servicePrincipals", m{"appId": identity.ClientID}, []int{400, 404}},
			{"POST", "/v1.0/servicePrincipals/" + own.PrincipalID + "/appRoleAssignments", m{"principalId": own.PrincipalID, "resourceId": app.PrincipalID, "appRoleId": "00000000-0000-0000-0000-000000000000"}, []int{400, 404}},
			{"POST", "/v1.0/servicePrincipals/" + own.PrincipalID + "/appRoleAssignments", m{"principalId": app.PrincipalID, "resourceId": own.PrincipalID, "appRoleId": "00000000-0000-0000-0000-000000000000"}, []int{400, 404}},
			{"GET", "/v1.0/directoryObjects/" + app.PrincipalID, nil, []int{404}},
		} {
			if status, body := b.Request(c.method, b.GraphURL+c.path, graph, c.body); !slices.Contains(c.status, status) {
				t.Errorf("%s: %s %s: %d %s", name, c.method, c.path, status, body)
			}
		}
		for _, list := range []string{"/v1.0/applications?$top=999", "/v1.0/servicePrincipals?$top=999", "/v1.0/applications?$filter=" + url.QueryEscape("appId eq '"+app.ClientID+"'")} {
			if _, body := b.Request("GET", b.GraphURL+list, graph, nil); strings.Contains(string(body), app.ClientID) || strings.Contains(string(body), identity.ClientID) {
				t.Errorf("%s: %s lists what is another tenant's", name, list)
			}
		}
		const tenant = "InvalidAuthenticationTokenTenant"
		theirs, mine, at := "/subscriptions/"+w.a.SubscriptionID, "/subscriptions/"+b.SubscriptionID, "?api-version=2022-04-01"
		for _, c := range []struct {
			method, path string
			body         any
			status       int
			code         string
		}{
			{"GET", theirs + "?api-version=2021-01-01", nil, 401, tenant},
			{"GET", strings.ToUpper(theirs) + "?api-version=2021-01-01", nil, 401, tenant},
			{"GET", theirs + "/resourceGroups?api-version=2021-04-01", nil, 401, tenant},
			{"PUT", theirs + "/resourceGroups/evil?api-version=2021-04-01", m{"location": "westeurope"}, 401, tenant},
			{"GET", identity.ID + "?api-version=2023-01-31", nil, 401, tenant},
			{"DELETE", identity.ID + "?api-version=2023-01-31", nil, 401, tenant},
			{"PUT", identity.ID + "/federatedIdentityCredentials/evil?api-version=2023-01-31", m{"properties": m{"issuer": "https://evil.example", "subject": "s", "audiences": []string{"a"}}}, 401, tenant},
			{"GET", theirs + "/providers/Microsoft.Authorization/roleAssignments" + at, nil, 401, tenant},
			{"PUT", theirs + "/providers/Microsoft.Authorization/roleAssignments/" + b.newID() + at, m{"properties": m{"roleDefinitionId": theirs + "/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "principalId": own.PrincipalID}}, 401, tenant},
			{"PUT", mine + "/providers/Microsoft.Authorization/roleAssignments/" + b.newID() + at, m{"properties": m{"roleDefinitionId": mine + "/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "principalId": app.PrincipalID, "principalType": "ServicePrincipal"}}, 400, "PrincipalNotFound"},
			{"PUT", mine + "/providers/Microsoft.Authorization/roleAssignments/" + b.newID() + at, m{"properties": m{"roleDefinitionId": role, "principalId": own.PrincipalID, "principalType": "ServicePrincipal"}}, 0, ""},
			{"GET", mine + role + at, nil, 0, ""},
		} {
			status, body := b.Request(c.method, b.ARMURL+c.path, arm, c.body)
			if c.status != 0 && (status != c.status || !strings.Contains(string(body), `"`+c.code+`"`)) || c.status == 0 && status < 400 {
				t.Errorf("%s: %s %s: %d %s", name, c.method, c.path, status, body)
			}
		}
		for _, list := range []string{"/subscriptions?api-version=2021-01-01", "/tenants?api-version=2020-01-01", "/providers/Microsoft.Authorization/roleDefinitions" + at, mine + "/providers/Microsoft.Authorization/roleDefinitions" + at} {
			if _, body := b.Request("GET", b.ARMURL+list, arm, nil); strings.Contains(string(body), w.a.SubscriptionID) || strings.Contains(string(body), w.a.TenantID) || strings.Contains(string(body), "victim") {
				t.Errorf("%s: %s lists what is another tenant's", name, list)
			}
		}
	}
}

// The keys of a tenant that has its own sign for it and for nobody else.
func TestKeysOfOneTenantSignForNoOther(t *testing.T) {
	t.Parallel()
	w := newTenantsWorld(t)
	shared, sharedKey := w.a.signingKey("entra")
	own, ownKey := w.a.signingKey("entra/" + w.c.TenantID)
	v1 := func(tt *Treaty) string { return "https://sts.windows.net/" + tt.TenantID + "/" }
	for _, api := range []struct {
		of   func(*Treaty) string
		path func(*Treaty) string
	}{
		{func(tt *Treaty) string { return tt.GraphURL }, func(*Treaty) string { return "/v1.0/applications?$top=1" }},
		{func(tt *Treaty) string { return tt.ARMURL }, func(tt *Treaty) string { return "/subscriptions/" + tt.SubscriptionID + "?api-version=2021-01-01" }},
	} {
		base := api.of(w.a)
		inA, inB, inC := w.a.AdminToken(base), w.b.AdminToken(base), w.c.AdminToken(base)
		for name, c := range map[string]struct {
			at    *Treaty
			token string
			want  int
		}{
			"a's own":                                 {w.a, resign(t, inA, "RS256", shared, sharedKey, nil), 200},
			"c's own":                                 {w.c, resign(t, inC, "RS256", own, ownKey, nil), 200},
			"c's by the shared key":                   {w.c, resign(t, inC, "RS256", shared, sharedKey, nil), 401},
			"c's by the shared key under c's kid":     {w.c, resign(t, inC, "RS256", own, sharedKey, nil), 401},
			"a's by c's key":                          {w.a, resign(t, inA, "RS256", own, ownKey, nil), 401},
			"a's by c's key under the shared kid":     {w.a, resign(t, inA, "RS256", shared, ownKey, nil), 401},
			"c's that says it is a's":                 {w.a, resign(t, inC, "RS256", own, ownKey, m{"tid": w.a.TenantID}), 401},
			"c's that says a issued it":               {w.a, resign(t, inC, "RS256", own, ownKey, m{"tid": w.a.TenantID, "iss": v1(w.a)}), 401},
			"a's that says it is c's":                 {w.c, resign(t, inA, "RS256", shared, sharedKey, m{"tid": w.c.TenantID}), 401},
			"a's that says c issued it":               {w.c, resign(t, inA, "RS256", shared, sharedKey, m{"tid": w.c.TenantID, "iss": v1(w.c)}), 401},
			"a's that says it is b's":                 {w.b, resign(t, inA, "RS256", shared, sharedKey, m{"tid": w.b.TenantID}), 401},
			"b's of a's issuer":                       {w.b, resign(t, inB, "RS256", shared, sharedKey, m{"iss": v1(w.a)}), 401},
			"of a's issuer in capitals":               {w.a, resign(t, inA, "RS256", shared, sharedKey, m{"iss": strings.ToUpper(v1(w.a))}), 401},
			"of a's tenant in capitals":               {w.a, resign(t, inA, "RS256", shared, sharedKey, m{"iss": "https://sts.windows.net/" + strings.ToUpper(w.a.TenantID) + "/", "tid": strings.ToUpper(w.a.TenantID)}), 401},
			"of no tenant":                            {w.a, resign(t, inA, "RS256", shared, sharedKey, m{"tid": nil}), 401},
			"of the authority that stands for many":   {w.a, resign(t, inA, "RS256", shared, sharedKey, m{"iss": "https://sts.windows.net/{tenantid}/"}), 401},
			"of the tenant of personal accounts":      {w.a, resign(t, inA, "RS256", shared, sharedKey, m{"iss": "https://sts.windows.net/9188040d-6c67-4c5b-b112-36a304b66dad/", "tid": "9188040d-6c67-4c5b-b112-36a304b66dad"}), 401},
			"b's administrator in a's name (its oid)": {w.a, resign(t, inA, "RS256", shared, sharedKey, m{"oid": claimsOf(t, inB)["oid"], "sub": claimsOf(t, inB)["oid"]}), map[string]int{w.a.GraphURL: 401, w.a.ARMURL: 403}[base]},
		} {
			if status, body := c.at.Request("GET", base+api.path(c.at), c.token, nil); status != c.want {
				t.Errorf("%s %s: %d %s, want %d", base, name, status, body, c.want)
			}
		}
	}
	for path, holds := range map[string][2]bool{ // the shared key, c's
		"/common/discovery/v2.0/keys": {true, false}, "/common/discovery/keys": {true, false}, "/organizations/discovery/v2.0/keys": {true, false}, "/consumers/discovery/v2.0/keys": {true, false},
		"/" + w.a.TenantID + "/discovery/keys": {true, false}, "/" + w.b.TenantID + "/discovery/v2.0/keys": {true, false},
		"/" + w.c.TenantID + "/discovery/keys": {false, true}, "/" + w.c.TenantID + "/discovery/v2.0/keys": {false, true}, "/c.example/discovery/v2.0/keys": {false, true},
	} {
		_, body := w.a.Request("GET", w.a.Authority+path, "", nil)
		if got := [2]bool{strings.Contains(string(body), shared), strings.Contains(string(body), own)}; got != holds {
			t.Errorf("%s has the shared key, c's: %v, want %v", path, got, holds)
		}
	}
	// STS knows a tenant by its documents.
	world := &awsWorld{Treaty: w.a, root: w.a.AWSConfig}
	w.c.AddAudience("api://aws")
	token := w.c.AppToken(w.c.AddApplication("app"), "api://aws")
	provider := w.a.AddProvider(text(claimsOf(t, token), "iss"), "api://aws")
	role := w.a.AddRole("c", admits(provider, `{}`))
	withstand(t, 4, []attack{
		{"c's token", "", func() error { return world.web(role, token) }},
		{"by c's key", "", func() error { return world.web(role, resign(t, token, "RS256", own, ownKey, nil)) }},
		{"by the shared key", noKey, func() error { return world.web(role, resign(t, token, "RS256", shared, sharedKey, nil)) }},
		{"by the shared key under c's kid", unproved, func() error { return world.web(role, resign(t, token, "RS256", own, sharedKey, nil)) }},
	})
}

// A domain is one tenant's, however many ask for it.
func TestADomainIsOneTenants(t *testing.T) {
	t.Parallel()
	tt := New(t)
	var won atomic.Int32
	eight(func(i int) {
		err := tt.order("POST", "tenants", m{"name": fmt.Sprint("t", i), "domains": []string{fmt.Sprintf("own%d.example", i), []string{"one.example", "ONE.example", "One.Example"}[i%3]}})
		if err == nil {
			won.Add(1)
		} else if !strings.Contains(err.Error(), " 409 ") && !strings.Contains(err.Error(), " 400 ") {
			t.Error(err)
		}
	})
	if won.Load() != 1 {
		t.Errorf("%d tenants have one domain", won.Load())
	}
	for _, domain := range []string{"treaty.onmicrosoft.com", "TREATY.onmicrosoft.com", "one.example", "", "no", "a..b", "x.example/", "common", "*.example", "login.microsoftonline.com\x00"} {
		if err := tt.order("POST", "tenants", m{"domains": []string{domain}}); err == nil {
			t.Errorf("the domain %q is given to another", domain)
		}
	}
}
