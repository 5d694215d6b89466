package graph_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/token"
)

func TestTokensOfEitherVersionAndEveryAudienceAreTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v2 := claims("Application.Read.All")
	delete(v2, "appid")
	v2["iss"], v2["azp"], v2["ver"], v2["aud"] = v2Issuer(tenantID), callerAp, "2.0", "00000003-0000-0000-c000-000000000000"
	tokens := map[string]token.Claims{"version 2": v2}
	for _, aud := range []any{graphURL, graphURL + "/", "00000003-0000-0000-c000-000000000000", []any{"x", graphURL}} {
		c := claims("Application.Read.All")
		c["aud"] = aud
		tokens["audience"] = c
		for name, c := range tokens {
			a := as{w, w.sign(entraKey(), c), nil}
			if got := a.do("GET", "/applications", ""); got.status != 200 {
				t.Errorf("%s %v: %d %s", name, aud, got.status, got.raw)
			}
		}
	}
	w.service.GraphURL = "https://id.example.org/graph"
	c := claims("Application.Read.All")
	c["aud"] = "https://id.example.org/graph"
	got := as{w, w.sign(entraKey(), c), nil}.want(200, "GET", "/applications", "")
	if want := "https://id.example.org/graph/v1.0/$metadata#applications"; got.body["@odata.context"] != want {
		t.Errorf("context %v, want %s", got.body["@odata.context"], want)
	}
}

func TestBearerTokensAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	edit := func(name string, value any) string {
		c := claims(all...)
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return w.sign(entraKey(), c)
	}
	good := w.sign(entraKey(), claims(all...))
	tampered := good[:len(good)-8] + "AAAAAAAA"
	foreign := token.Issuer{Keys: strangerKey(), Ring: "entra", Algorithm: "RS256", Type: "JWT", X5T: true}
	stranger, err := foreign.Issue(context.Background(), claims(all...))
	must(t, err)
	const code = "InvalidAuthenticationToken"
	for _, c := range []struct{ name, header, code, text string }{
		{"no header", "", code, "Access token is empty."},
		{"no token", "Bearer ", code, "Access token is empty."},
		{"another scheme", "Basic abc", code, "Access token is empty."},
		{"no dots", "Bearer abc", code, "IDX14100"},
		{"malformed", "Bearer a.b.c", code, "CompactToken parsing failed with error code: 80049217"},
		{"wrong audience", "Bearer " + edit("aud", "https://management.azure.com"), code, "Access token validation failure. Invalid audience."},
		{"no audience", "Bearer " + edit("aud", nil), code, "Invalid audience."},
		{"audience as a prefix", "Bearer " + edit("aud", graphURL+".evil.com"), code, "Invalid audience."},
		{"expired", "Bearer " + edit("exp", now.Add(-time.Second).Unix()), code, "Lifetime validation failed, the token is expired."},
		{"no end", "Bearer " + edit("exp", nil), code, "Lifetime validation failed"},
		{"not yet valid", "Bearer " + edit("nbf", now.Add(time.Hour).Unix()), code, "Lifetime validation failed, the token is not yet valid."},
		{"issuer of another tenant", "Bearer " + edit("iss", v1Issuer(otherID)), code, "Access token validation failure. Invalid issuer."},
		{"issuer without its slash", "Bearer " + edit("iss", strings.TrimSuffix(v1Issuer(tenantID), "/")), code, "Invalid issuer."},
		{"unknown tenant", "Bearer " + edit("tid", nobodyID), code, "Invalid issuer."},
		{"tenant by its domain", "Bearer " + edit("tid", "treaty.onmicrosoft.com"), code, "Invalid issuer."},
		{"no tenant", "Bearer " + edit("tid", nil), code, "Invalid issuer."},
		{"tampered signature", "Bearer " + tampered, code, "Invalid signature."},
		{"key of a stranger", "Bearer " + stranger, code, "Signing key is invalid."},
		{"a principal that is gone", "Bearer " + edit("oid", nobodyID), "Authorization_IdentityNotFound", "The identity of the calling application could not be established."},
		{"a principal of another application", "Bearer " + edit("appid", nobodyID), "Authorization_IdentityNotFound", "could not be established"},
	} {
		a := as{w, "", http.Header{}}
		if c.header != "" {
			a = a.with("Authorization", c.header)
		}
		got := a.refused(401, c.code, c.text, "GET", "/applications", "")
		want := `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`
		if h := got.header.Get("WWW-Authenticate"); h != want {
			t.Errorf("%s: WWW-Authenticate %s", c.name, h)
		}
	}
}

func TestErrorsCarryGraphsEnvelopeAndHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const mine = "9ba2b1c5-1111-4222-8333-444455556666"
	got := w.admin().with("client-request-id", mine).refused(404, "Request_ResourceNotFound",
		"Resource '"+nobodyID+"' does not exist or one of its queried reference-property objects are not present.", "GET", "/applications/"+nobodyID, "")
	id := got.header.Get("request-id")
	for path, want := range map[string]string{
		"error.innerError.request-id": id, "error.innerError.client-request-id": mine, "error.innerError.date": "2026-11-21T12:30:00",
	} {
		if got.text(path) != want {
			t.Errorf("%s is %q, want %q", path, got.text(path), want)
		}
	}
	if want := `{"error":{"code":"Request_ResourceNotFound","message":"Resource '` + nobodyID + `' does not exist or one of its queried reference-property objects are not present.",` +
		`"innerError":{"date":"2026-11-21T12:30:00","request-id":"` + id + `","client-request-id":"` + mine + `"}}}`; got.raw != want {
		t.Errorf("got  %s\nwant %s", got.raw, want)
	}
	if len(id) != 36 || got.header.Get("client-request-id") != mine || got.header.Get("x-ms-ags-diagnostic") == "" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers: %v", got.header)
	}
	if got := w.admin().with("client-request-id", "a\x01b").do("GET", "/organization", ""); got.header.Get("client-request-id") != got.header.Get("request-id") {
		t.Error("an unprintable client-request-id was echoed")
	}
	ok := w.admin().want(200, "GET", "/organization", "")
	if ok.header.Get("OData-Version") != "4.0" || ok.header.Get("Content-Type") != "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8" {
		t.Errorf("headers: %v", ok.header)
	}
}

// The server gives each request its id; Graph must not make another one.
func TestTheServersRequestIDIsUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	req := &audit.Request{ID: "11112222-0000-4000-8000-000000000000"}
	inner := w.handler
	w.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(rw, r.WithContext(audit.WithRequest(r.Context(), req)))
	})
	got := w.as().do("GET", "/applications", "")
	if got.header.Get("request-id") != req.ID || req.Surface != "graph" || req.Operation != "List applications" || req.Caller != callerID || req.Code != "Authorization_RequestDenied" {
		t.Errorf("%+v, header %s", req, got.header.Get("request-id"))
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, _ := a.app("x")
	for _, c := range []struct {
		method, path string
		status       int
		code, text   string
	}{
		{"GET", "/groupz", 400, "BadRequest", "Resource not found for the segment 'groupz'."},
		{"GET", "/groupz/x/y", 400, "BadRequest", "Resource not found for the segment 'groupz'."},
		{"GET", "/applications/" + id + "/nothing", 400, "BadRequest", "Resource not found for the segment 'nothing'."},
		{"POST", "/applications/" + id + "/owners/$what", 400, "BadRequest", "Resource not found for the segment '$what'."},
		{"PUT", "/applications", 405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."},
		{"DELETE", "/applications", 405, "Request_BadRequest", "not allowed"},
		{"POST", "/oauth2PermissionGrants", 405, "Request_BadRequest", "not allowed"},
		{"GET", "/v9.0/applications", 400, "BadRequest", "Invalid version: v9.0"},
		{"GET", "/me", 400, "BadRequest", "/me request is only valid with delegated authentication flow."},
		{"GET", "/me/ownedObjects", 400, "BadRequest", "/me request is only valid with delegated authentication flow."},
		{"GET", "/applications?$filter=%zz", 400, "BadRequest", "badly escaped"},
	} {
		a.refused(c.status, c.code, c.text, c.method, c.path, "")
	}
	for _, path := range []string{"/V1.0/APPLICATIONS", "/v1.0//Applications/", "/beta/applications"} {
		a.want(200, "GET", path, "")
	}
}

func TestBodiesThatAreNoJSONObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	for _, body := range []string{"{", "[]", `{"displayName":"a","displayName":"b"}`, `{"displayName":"a"}x`, "null"} {
		got := a.do("POST", "/applications", body)
		if got.status != 400 {
			t.Errorf("%s: %d %s", body, got.status, got.raw)
		}
	}
	a.refused(400, "BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.", "POST", "/applications", `{"a"`)
	a.refused(413, "RequestEntityTooLarge", "too large", "POST", "/applications", `{"displayName":"`+strings.Repeat("x", 2<<20)+`"}`)
}

func TestADelegatedTokenReadsItsUserAndNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := claims(all...)
	delete(c, "idtyp")
	c["oid"], c["scp"] = userID, "User.Read openid"
	a := as{w, w.sign(entraKey(), c), nil}
	if got := a.want(200, "GET", "/me", ""); got.text("userPrincipalName") != "ann@treaty.example" || got.text("jobTitle") != "Engineer" {
		t.Error(got.raw)
	}
	owned, _ := w.admin().app("owned by Ann")
	w.admin().want(204, "POST", "/applications/"+owned+"/owners/$ref", `{"@odata.id":"`+graphURL+`/v1.0/directoryObjects/`+userID+`"}`)
	if got := a.want(200, "GET", "/me/ownedObjects", ""); !slices.Equal(got.column("id"), []string{owned}) {
		t.Error(got.raw)
	}
	got := a.refused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.", "GET", "/applications", "")
	var proof struct {
		Checks []struct{ Note string }
	}
	must(t, json.Unmarshal(w.event(got).Evidence, &proof))
	if len(proof.Checks) != 1 || !strings.Contains(proof.Checks[0].Note, "delegated") {
		t.Errorf("evidence %+v", proof)
	}
	c["scp"] = "openid"
	as{w, w.sign(entraKey(), c), nil}.refused(403, "Authorization_RequestDenied", "", "GET", "/me", "")
}
