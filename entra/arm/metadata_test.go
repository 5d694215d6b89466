package arm

import (
	"net/http/httptest"
	"testing"
)

func TestMetadataHasThreeShapes(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	const audiences = `["https://management.core.windows.net/","https://management.azure.com/"]`
	get := func(query string) answer { return tw.call("GET", "/Metadata/Endpoints"+query, "") }
	get("?api-version=2015-01-01").want(200).is("galleryEndpoint", "https://gallery.azure.com/", "graphEndpoint", "https://graph.windows.net/", "portalEndpoint", "https://portal.azure.com",
		"authentication.loginEndpoint", "https://login.microsoftonline.com", "authentication.audiences", audiences)
	for _, v := range []string{"2018-05-01", "2019-05-01", "2020-06-01"} {
		get("?api-version="+v).want(200).is("0.name", "AzureCloud", "0.resourceManager", "https://management.azure.com/", "0.microsoftGraphResourceId", "https://graph.microsoft.com/", "1", "none")
	}
	get("?api-version=2022-09-01").want(200).is("name", "AzureCloud", "resourceManager", "https://management.azure.com/", "microsoftGraphResourceId", "https://graph.microsoft.com/",
		"authentication.loginEndpoint", "https://login.microsoftonline.com", "authentication.audiences", audiences, "authentication.tenant", "common", "authentication.identityProvider", "AAD",
		"suffixes.storage", "core.windows.net", "suffixes.keyVaultDns", "vault.azure.net")
	get("").fails(400, "MissingApiVersionParameter", "")
	get("?api-version=1").fails(400, "InvalidApiVersionParameter", "The api-version '1' is invalid.")
	tw.call("POST", "/metadata/endpoints?api-version=2022-09-01", "").fails(405, "MethodNotAllowed", "")
}

func TestMetadataFollowsNamesAndHost(t *testing.T) {
	t.Parallel()
	hub := *newTwin(t).Service
	hub.ARMURL, hub.Authority, hub.GraphURL, hub.CloudName = "https://id.example.org/arm", "https://id.example.org", "https://id.example.org/graph", "Example"
	ask := func(host string) answer {
		r := httptest.NewRequest("GET", "https://"+host+"/metadata/endpoints?api-version=2022-09-01", nil)
		w := httptest.NewRecorder()
		hub.Handler().ServeHTTP(w, r)
		return answer{w, t}
	}
	ask("id.example.org").want(200).is("name", "Example", "resourceManager", "https://id.example.org/arm/", "authentication.loginEndpoint", "https://id.example.org",
		"authentication.audiences", `["https://id.example.org/arm/"]`, "microsoftGraphResourceId", "https://id.example.org/graph/")
	ask("127.0.0.1:8443").want(200).is("resourceManager", "https://127.0.0.1:8443/", "authentication.loginEndpoint", "https://127.0.0.1:8443")
}

func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{"roleName eq 'It''s' and atScope()", "assignedTo('x')", "a eq 'b", "and and", "x(  'y' )"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		terms, err := parseFilter(text)
		for _, x := range terms {
			if x.Name == "" || x.Name != lower(x.Name) {
				t.Errorf("%q: %+v", text, x)
			}
		}
		if err != nil && terms != nil {
			t.Errorf("%q: terms and an error", text)
		}
	})
}

func TestFilters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want string // the terms, "!" for a refusal
	}{
		{"", ""},
		{"roleName eq 'Reader'", "rolename=Reader"},
		{"  ROLENAME  EQ  'It''s'  ", "rolename=It's"},
		{"atScope()", "atscope()="},
		{"assignedTo( 'x' ) and atScope() and type eq ''", "assignedto()=x atscope()= type="},
		{"a eq b", "!"}, {"a eq 'b' or c eq 'd'", "!"}, {"a eq 'b", "!"}, {"a eq", "!"}, {"a", "!"}, {"atScope(", "!"}, {"atScope('x'", "!"}, {"a eq 'b' and", "!"}, {"a eq 'b' x", "!"}, {"(a eq 'b')", "!"}, {"aeq'b'", "!"},
	} {
		terms, err := parseFilter(c.text)
		got := ""
		for i, x := range terms {
			if i > 0 {
				got += " "
			}
			got += x.Name
			if x.Function {
				got += "()"
			}
			got += "=" + x.Value
		}
		if err != nil {
			got = "!"
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
	}
}
