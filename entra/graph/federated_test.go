package graph_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const github = "https://token.actions.githubusercontent.com"

// fic is the body of a federated credential as the articles make it: of a Cognito identity pool.
func fic(name, subject string) string {
	return fmt.Sprintf(`{"name":%q,"issuer":"https://cognito-identity.amazonaws.com","subject":%q,"audiences":["us-east-1:aaaaaaaa-0000-4000-8000-000000000001"],"description":null}`, name, subject)
}

func TestFederatedCredentialsInAllRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, appID := a.app("federated")
	const path = "/federatedIdentityCredentials"
	for i, base := range []string{"/applications/" + id, "/applications(appId='" + appID + "')", "/Applications('" + id + "')"} {
		name := fmt.Sprintf("Cognito_pool-%d", i)
		made := a.want(201, "POST", base+path, fic(name, fmt.Sprintf("sub-%d", i)))
		ficID := made.text("id")
		want := map[string]any{
			"@odata.context": graphURL + "/v1.0/$metadata#applications('" + id + "')/federatedIdentityCredentials/$entity",
			"id":             ficID, "name": name, "issuer": "https://cognito-identity.amazonaws.com", "subject": fmt.Sprintf("sub-%d", i), "description": nil,
			"audiences": []any{"us-east-1:aaaaaaaa-0000-4000-8000-000000000001"},
		}
		if diff := cmp.Diff(want, made.body); diff != "" {
			t.Error(diff)
		}
		for _, key := range []string{"/" + ficID, "/" + strings.ToUpper(ficID), "/" + name, "(name='" + name + "')", "('" + ficID + "')"} {
			if got := a.want(200, "GET", base+path+key, ""); cmp.Diff(want, got.body) != "" {
				t.Errorf("%s: %s", key, got.raw)
			}
		}
		a.refused(404, "Request_ResourceNotFound", "'"+strings.ToUpper(name)+"'", "GET", base+path+"/"+strings.ToUpper(name), "")
		a.want(204, "PATCH", base+path+"/"+name, `{"subject":"new-`+name+`","description":"d","name":"`+name+`"}`)
		if got := a.want(200, "GET", base+path+"/"+ficID, ""); got.text("subject") != "new-"+name || got.text("description") != "d" {
			t.Error(got.raw)
		}
		a.want(204, "PATCH", base+path+"(name='"+name+"')", `{"audiences":["api://AzureADTokenExchange"],"description":null}`)
		if got := a.want(200, "GET", base+path+"/"+ficID, ""); got.text("audiences.0") != "api://AzureADTokenExchange" || got.at("description") != nil {
			t.Error(got.raw)
		}
	}
	list := a.want(200, "GET", "/applications/"+id+path+"?$filter=subject eq 'new-Cognito_pool-1'&$select=name", "")
	if diff := cmp.Diff([]string{"Cognito_pool-1"}, list.column("name")); diff != "" {
		t.Error(diff)
	}
	if got := list.body["@odata.context"]; got != graphURL+"/v1.0/$metadata#applications('"+id+"')/federatedIdentityCredentials(name)" {
		t.Error(got)
	}
	if got := a.want(200, "GET", "/applications/"+id+path+"?$filter=name eq 'cognito_pool-1'", ""); len(got.column("id")) != 0 {
		t.Error("names compare in any case")
	}
	page := a.want(200, "GET", "/applications/"+id+path+"?$top=2", "")
	next, _ := page.body["@odata.nextLink"].(string)
	if rest := a.want(200, "GET", next, ""); len(page.column("id")) != 2 || len(rest.column("id")) != 1 {
		t.Errorf("pages of %d and %d", len(page.column("id")), len(rest.column("id")))
	}
	if got := a.want(200, "GET", "/applications/"+id+"?$expand=federatedIdentityCredentials($select=name)", ""); got.text("federatedIdentityCredentials.0.name") != "Cognito_pool-0" {
		t.Error(got.raw)
	}
	a.want(204, "DELETE", "/applications/"+id+path+"/Cognito_pool-0", "")
	a.want(204, "DELETE", "/applications/"+id+path+"(name='Cognito_pool-1')", "")
	a.refused(404, "Request_ResourceNotFound", "Cognito_pool-0", "DELETE", "/applications/"+id+path+"/Cognito_pool-0", "")
	a.refused(404, "Request_ResourceNotFound", nobodyID, "GET", "/applications/"+nobodyID+path, "")
	other, _ := a.app("other")
	a.refused(404, "Request_ResourceNotFound", "Cognito_pool-2", "GET", "/applications/"+other+path+"/Cognito_pool-2", "")
}

func TestFederatedCredentialsAreUpserted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	_, appID := a.app("upsert")
	path := "/applications(appId='" + appID + "')/federatedIdentityCredentials(name='owners')" // a name that is a segment elsewhere
	body := `{"issuer":"https://issuer.example/","subject":"Sub","audiences":["aud"]}`
	a.refused(404, "Request_ResourceNotFound", "'owners'", "PATCH", path, body)
	upsert := a.with("Prefer", "respond-async, Create-If-Missing")
	if made := upsert.want(201, "PATCH", path, body); made.text("name") != "owners" || made.text("issuer") != "https://issuer.example/" {
		t.Error(made.raw)
	}
	if got := upsert.want(204, "PATCH", path, `{"subject":"sub"}`); got.raw != "" {
		t.Error(got.raw)
	}
	if got := a.want(200, "GET", "/applications(appId='"+appID+"')/federatedIdentityCredentials/owners", ""); got.text("subject") != "sub" {
		t.Error(got.raw)
	}
	upsert.refused(404, "Request_ResourceNotFound", "'absent'", "PATCH", strings.Replace(path, "(name='owners')", "/absent", 1), body)
	upsert.refused(400, "Request_BadRequest", "'audiences'", "PATCH", strings.Replace(path, "owners", "absent", 1), `{"issuer":"i","subject":"s","audiences":null}`)
}

func TestFederatedCredentialsAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, _ := a.app("checked")
	path := "/applications/" + id + "/federatedIdentityCredentials"
	a.want(201, "POST", path, fic("taken", "taken-sub"))
	a.want(201, "POST", path, fic("second", "second-sub"))
	long := strings.Repeat("é", 601)
	with := func(member, value string) string {
		return `{"name":"good-name","issuer":"https://i.example","subject":"s","audiences":["a"],"` + member + `":` + value + `}`
	}
	edit := func(member, value string) string { // replaces a member
		members := map[string]string{"name": `"good-name"`, "issuer": `"https://i.example"`, "subject": `"s"`, "audiences": `["a"]`}
		members[member] = value
		var parts []string
		for k, v := range members {
			if v != "" {
				parts = append(parts, `"`+k+`":`+v)
			}
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	const resource = " of resource 'FederatedIdentityCredential'"
	for _, c := range []struct {
		body       string
		status     int
		code, text string
	}{
		{fic("taken", "x"), 409, "Request_MultipleObjectsWithSameKeyValue", "FederatedIdentityCredential with name taken already exists."},
		{fic("fresh", "taken-sub"), 400, "InvalidFederatedIdentityCredentialValue", "The combination of issuer and subject must be unique for the application. Issuer https://cognito-identity.amazonaws.com and Subject: taken-sub already exist."},
		{edit("name", ""), 400, "Request_BadRequest", "A value is required for property 'name'" + resource},
		{edit("name", `"ab"`), 400, "Request_BadRequest", "Invalid value specified for property 'name'" + resource},
		{edit("name", `"-abc"`), 400, "Request_BadRequest", "'name'"},
		{edit("name", `"a b c"`), 400, "Request_BadRequest", "'name'"},
		{edit("name", `"abc\n"`), 400, "Request_BadRequest", "'name'"},
		{edit("name", `"`+strings.Repeat("x", 121)+`"`), 400, "Request_BadRequest", "'name'"},
		{edit("issuer", ""), 400, "Request_BadRequest", "A value is required for property 'issuer'"},
		{edit("issuer", `"`+long+`"`), 400, "Request_BadRequest", "'issuer'"},
		{edit("subject", ""), 400, "Request_BadRequest", "A value is required for property 'subject'"},
		{edit("subject", "null"), 400, "Request_BadRequest", "A value is required for property 'subject'"},
		{edit("subject", `"`+long+`"`), 400, "Request_BadRequest", "'subject'"},
		{edit("subject", `"repo:*"`), 400, "InvalidFederatedIdentityCredentialValue", "Wildcard"},
		{edit("issuer", `"https://*.example"`), 400, "InvalidFederatedIdentityCredentialValue", "Wildcard"},
		{edit("audiences", `["*"]`), 400, "InvalidFederatedIdentityCredentialValue", "Wildcard"},
		{edit("audiences", `[]`), 400, "Request_BadRequest", "exactly one audience"},
		{edit("audiences", `["a","b"]`), 400, "Request_BadRequest", "exactly one audience"},
		{edit("audiences", `"a"`), 400, "Request_BadRequest", "'audiences'"},
		{edit("audiences", `["`+long+`"]`), 400, "Request_BadRequest", "'audiences'"},
		{with("description", `"`+long+`"`), 400, "Request_BadRequest", "'description'"},
		{with("colour", `"red"`), 400, "Request_BadRequest", "Invalid property 'colour'."},
		{with("claimsMatchingExpression", `null`), 400, "Request_BadRequest", "Invalid property 'claimsMatchingExpression'."},
		{with("id", `"`+nobodyID+`"`), 400, "Request_BadRequest", "'id' is read-only"},
	} {
		a.refused(c.status, c.code, c.text, "POST", path, c.body)
	}
	a.refused(400, "Request_BadRequest", "immutable", "PATCH", path+"/taken", `{"name":"renamed"}`)
	a.refused(400, "InvalidFederatedIdentityCredentialValue", "must be unique", "PATCH", path+"/second", `{"subject":"taken-sub"}`)
	for name, value := range map[string]string{
		"name": `"` + strings.Repeat("x", 120) + `"`, "issuer": `" https://i.example/ "`, "subject": `"` + strings.Repeat("é", 600) + `"`,
	} { // stored as they are, spaces too
		a.want(201, "POST", path, strings.Replace(edit(name, value), `"good-name"`, `"good-`+name+`"`, 1))
	}
	if got := a.want(200, "GET", path+"/good-issuer", ""); got.text("issuer") != " https://i.example/ " {
		t.Error(got.raw)
	}
}

func TestFlexibleFederatedCredentialsAreOfBeta(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, _ := a.app("flexible")
	path := "/applications/" + id + "/federatedIdentityCredentials"
	body := func(issuer, expression, version string) string {
		return `{"name":"flexible","issuer":"` + issuer + `","subject":null,"audiences":["a"],"claimsMatchingExpression":{"value":"` + expression + `","languageVersion":` + version + `}}`
	}
	const good = "claims['sub'] matches 'repo:contoso/*' and claims['job_workflow_ref'] eq 'x'"
	const code = "InvalidFederatedIdentityCredentialValue"
	for _, c := range []struct{ body, code, text string }{
		{body("https://cognito-identity.amazonaws.com", good, "1"), code, "Issuer 'https://cognito-identity.amazonaws.com' may not use credentials matching via expression"},
		{body(github, good, "2"), code, "language version"},
		{body(github, "claims['sub'] like 'x'", "1"), code, "not valid"},
		{body(github, "", "1"), code, "not valid"},
		{body(github, "claims['actor'] eq 'x'", "1"), code, "Claim 'actor'"},
		{body("https://gitlab.com", good, "1"), code, "Claim 'job_workflow_ref'"},
		{strings.Replace(body(github, good, "1"), `"subject":null`, `"subject":"s"`, 1), "Request_BadRequest", "Only one of"},
	} {
		a.refused(400, c.code, c.text, "POST", "/beta"+path, c.body)
	}
	made := a.want(201, "POST", "/beta"+path, body(github, good, "1"))
	if made.text("claimsMatchingExpression.value") != good || made.at("claimsMatchingExpression.languageVersion") != float64(1) || made.at("subject") != nil {
		t.Error(made.raw)
	}
	old := a.want(200, "GET", path+"/flexible", "")
	if _, shown := old.body["claimsMatchingExpression"]; shown || old.at("subject") != nil {
		t.Error(old.raw)
	}
	a.want(204, "PATCH", "/beta"+path+"/flexible", `{"subject":"exact","claimsMatchingExpression":null}`)
	if got := a.want(200, "GET", "/beta"+path+"/flexible", ""); got.text("subject") != "exact" || got.at("claimsMatchingExpression") != nil {
		t.Error(got.raw)
	}
}

func TestNoMoreThanTwentyFederatedCredentialsEvenAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, _ := a.app("limit")
	path := "/applications/" + id + "/federatedIdentityCredentials"
	var created, full atomic.Int32
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			switch got := a.do("POST", path, fic(fmt.Sprintf("name-%02d", i), fmt.Sprintf("sub-%02d", i))); {
			case got.status == 201:
				created.Add(1)
			case got.status == 400 && strings.Contains(got.raw, "maximum of 20"):
				full.Add(1)
			default:
				t.Errorf("%d %s", got.status, got.raw)
			}
		})
	}
	wg.Wait()
	if created.Load() != 20 || full.Load() != 20 {
		t.Errorf("%d created and %d refused, want 20 and 20", created.Load(), full.Load())
	}
	if got := a.want(200, "GET", path, ""); len(got.column("id")) != 20 {
		t.Errorf("%d are there", len(got.column("id")))
	}
	a.want(204, "DELETE", path+"/"+a.want(200, "GET", path, "").text("value.0.id"), "")
	a.want(201, "POST", path, fic("one-more", "one-more"))
}
