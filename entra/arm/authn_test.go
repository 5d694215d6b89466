package arm

import (
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/audit"
)

func TestTokensAreChallenged(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	good := claims(tenantA, ownerID)
	changed := func(name string, v any) string {
		c := claims(tenantA, ownerID)
		if c[name] = v; v == nil {
			delete(c, name)
		}
		return "Bearer " + tw.sign(c)
	}
	signed := tw.sign(good)
	half := len(signed) - 100
	flipped := signed[:half] + map[bool]string{true: "B", false: "A"}[signed[half] == 'A'] + signed[half+1:]
	invalid := `error_description="The access token is invalid."`
	for _, c := range []struct{ name, authorization, code, message, challenge string }{
		{"no header", "", "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.", `error_description="The authentication failed because of missing 'Authorization' header."`},
		{"basic authentication", "Basic eDp5", "AuthenticationFailed", "invalid format", ""},
		{"no token", "Bearer ", "AuthenticationFailed", "invalid format", ""},
		{"no JWT", "Bearer abc", "InvalidAuthenticationToken", "The access token is invalid.", invalid},
		{"too long", "Bearer " + strings.Repeat("a", maxToken+1), "InvalidAuthenticationToken", "The access token is invalid.", invalid},
		{"another signature", "Bearer " + flipped, "InvalidAuthenticationToken", "The access token is invalid.", invalid},
		{"an unknown issuer", changed("iss", "https://evil.example/"), "InvalidAuthenticationToken", "The access token is invalid.", invalid},
		{"the issuer without its slash", changed("iss", "https://sts.windows.net/"+tenantA), "InvalidAuthenticationToken", "The access token is invalid.", invalid},
		{"an issuer of another tenant than tid", changed("iss", "https://sts.windows.net/"+tenantB+"/"), "InvalidAuthenticationToken", "The access token is invalid.", invalid},
		{"a tenant by its domain", changed("tid", "treaty.onmicrosoft.com"), "InvalidAuthenticationToken", "The access token is invalid.", invalid},
		{"no tenant", changed("tid", nil), "InvalidAuthenticationToken", "The access token is invalid.", invalid},
		{"no object id", changed("oid", nil), "InvalidAuthenticationToken", "The access token is invalid.", invalid},
		{"no expiry", changed("exp", nil), "InvalidAuthenticationToken", "The access token is invalid.", invalid},
		{"not yet valid", changed("nbf", now.Unix()+3600), "InvalidAuthenticationToken", "The access token is invalid.", invalid},
		{"expired", changed("exp", now.Unix()-3600), "ExpiredAuthenticationToken", "The access token expiry UTC time '11/21/2026 9:30:00 AM' is earlier than current UTC time '11/21/2026 10:30:00 AM'.", "9:30:00 AM"},
		{"for Graph", changed("aud", "https://graph.microsoft.com"), "InvalidAuthenticationTokenAudience", "The access token has been obtained for wrong audience or resource 'https://graph.microsoft.com'. It should exactly match with one of the allowed audiences 'https://management.core.windows.net/','https://management.core.windows.net','https://management.azure.com/','https://management.azure.com'.", "wrong audience"},
		{"for two audiences", changed("aud", []string{"https://management.azure.com", "https://graph.microsoft.com"}), "InvalidAuthenticationTokenAudience", "wrong audience", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var header []string
			if c.authorization != "" {
				header = []string{"Authorization", c.authorization}
			}
			a := tw.call("GET", sub("")+v2020, "", header...)
			a.fails(401, c.code, c.message)
			got := a.Header().Get("WWW-Authenticate")
			if !strings.HasPrefix(got, `Bearer authorization_uri="https://login.windows.net/`+tenantA+`", error="invalid_token", error_description="`) || !strings.Contains(got, c.challenge) {
				t.Errorf("WWW-Authenticate: %s", got)
			}
			if got := a.Header().Get("x-ms-failure-cause"); got != "gateway" {
				t.Errorf("x-ms-failure-cause %q", got)
			}
		})
	}
}

func TestWrongTenantIsToldWhereToGetAToken(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	a := tw.call("GET", sub("")+v2020, "", "Authorization", "Bearer "+tw.sign(claims(tenantB, thereID)))
	a.fails(401, "InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer 'https://sts.windows.net/"+tenantB+
		"/'. It must match the tenant 'https://sts.windows.net/"+tenantA+"/' associated with this subscription. Please use the authority (URL) 'https://login.windows.net/"+tenantA+"' to get the token.")
	if e := tw.audit.last(t); e.Outcome != audit.Refused || e.Code != "InvalidAuthenticationTokenTenant" || e.Caller != thereID || !strings.Contains(string(e.Evidence), `"name":"tenant of the subscription"`) {
		t.Errorf("recorded %+v %s", e, e.Evidence)
	}
}

func TestTokensOfBothVersionsAndEveryAudienceAreTaken(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	for _, aud := range tw.audiences() {
		for _, iss := range []string{"https://sts.windows.net/" + tenantA + "/", "https://login.microsoftonline.com/" + tenantA + "/v2.0"} {
			c := claims(tenantA, ownerID)
			c["aud"], c["iss"] = aud, iss
			tw.call("GET", sub("")+v2020, "", "Authorization", "bearer "+tw.sign(c)).want(200)
		}
	}
	hub := *tw.Service
	hub.ARMURL = "https://id.example.org/arm"
	if got := hub.audiences(); got[4] != "https://id.example.org/arm/" || got[5] != "https://id.example.org/arm" {
		t.Errorf("audiences %v", got)
	}
}

func TestAnUnknownSubscriptionIsFoundOutBeforeTheToken(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.call("GET", "/subscriptions/nonsense"+v2020, "").fails(400, "InvalidSubscriptionId", "The provided subscription identifier 'nonsense' is malformed or invalid.")
	tw.call("GET", "/subscriptions/"+newID1+v2020, "").fails(404, "SubscriptionNotFound", "The subscription '"+newID1+"' could not be found.")
	a := tw.call("GET", "/subscriptions"+v2020, "")
	a.fails(401, "AuthenticationFailed", "")
	if got := a.Header().Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer authorization_uri="https://login.windows.net/", `) {
		t.Errorf("WWW-Authenticate: %s", got)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	client := "99999999-9999-4999-8999-999999999999"
	a := tw.as(ownerID, "GET", sub("")+v2020, "", "x-ms-client-request-id", client, "x-ms-return-client-request-id", "true").want(200)
	id := a.Header().Get("x-ms-request-id")
	if !isGUID(id) {
		t.Fatalf("request id %q", id)
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-cache", "Pragma": "no-cache", "Expires": "-1", "Content-Type": "application/json; charset=utf-8", "X-Content-Type-Options": "nosniff",
		"Strict-Transport-Security": "max-age=31536000; includeSubDomains", "X-Ms-Correlation-Request-Id": id, "X-Ms-Routing-Request-Id": "WESTUS:20261121T103000Z:" + id,
		"X-Ms-Ratelimit-Remaining-Subscription-Reads": "11999", "X-Ms-Client-Request-Id": client,
	} {
		if got := a.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	a = tw.as(ownerID, "GET", sub("")+v2020, "", "x-ms-correlation-request-id", client)
	if got := a.Header().Get("x-ms-correlation-request-id"); got != client {
		t.Errorf("correlation %q", got)
	}
}

func TestTheServersRequestIsFilledIn(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	ar := &audit.Request{ID: newID1}
	r := newRequest(t, "GET", sub("/resourceGroups/none")+v2021, "Authorization", "Bearer "+tw.sign(claims(tenantA, ownerID)), "x-ms-client-request-id", newID2)
	a := tw.serveRequest(r.WithContext(audit.WithRequest(r.Context(), ar)))
	a.fails(404, "ResourceGroupNotFound", "Resource group 'none' could not be found.")
	want := audit.Request{ID: newID1, CorrelationID: newID2, Surface: "arm", Operation: "Microsoft.Resources/subscriptions/resourcegroups/read", Caller: ownerID, Code: "ResourceGroupNotFound"}
	if *ar != want {
		t.Errorf("%+v", *ar)
	}
	if got := a.Header().Get("x-ms-request-id"); got != newID1 {
		t.Errorf("request id %q", got)
	}
}
