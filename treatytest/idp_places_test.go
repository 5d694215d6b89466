package treatytest

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// answer asks the twin itself, by a Host header and a request target as they are; it gives the status and
// the issuer that a discovery document names, or the error.
func (tt *Treaty) answer(host, target string) string {
	tt.t.Helper()
	req := httptest.NewRequest("GET", "https://placeholder.example"+target, nil)
	req.Host, req.RemoteAddr = host, "127.0.0.1:1"
	rec := httptest.NewRecorder()
	tt.server.ServeHTTP(rec, req)
	var doc struct {
		Issuer string `json:"issuer"`
		Keys   []m    `json:"keys"`
		Error  string `json:"error"`
	}
	_ = json.Unmarshal(rec.Body.Bytes(), &doc) // of what is no JSON only the status counts
	if len(doc.Keys) > 0 {
		return "keys"
	}
	return fmt.Sprintf("%d %s%s", rec.Code, doc.Issuer, doc.Error)
}

const openID = "/.well-known/openid-configuration"

func TestAnIssuerAnswersAtItsPlaceAndNowhereElse(t *testing.T) {
	t.Parallel()
	tt := New(t)
	const acme, missing = "https://acme.okta.com/oauth2/default", "404 not_found"
	before := tt.answer("acme.okta.com", "/oauth2/default"+openID)
	if strings.Contains(before, acme) {
		t.Errorf("an issuer that nobody declared answers: %s", before)
	}
	tt.AddIssuer("acme", acme, "okta", IssuerClient{ID: "app"})
	tt.AddIssuer("below", "https://acme.okta.com/oauth2/default/below", "", IssuerClient{ID: "app"})
	tt.AddIssuer("port", "https://acme.okta.com:8443", "", IssuerClient{ID: "app"})
	for name, c := range map[string]struct{ host, target, want string }{
		"its own":                           {"acme.okta.com", "/oauth2/default" + openID, "200 " + acme},
		"with the port of https":            {"acme.okta.com:443", "/oauth2/default" + openID, "200 " + acme},
		"in capitals":                       {"ACME.Okta.COM", "/oauth2/default" + openID, "200 " + acme},
		"with a query":                      {"acme.okta.com", "/oauth2/default" + openID + "?x=/oauth2/default/below", "200 " + acme},
		"with a letter percent-encoded":     {"acme.okta.com", "/oauth2/%64efault" + openID, "200 " + acme},
		"its keys":                          {"acme.okta.com", "/oauth2/default/v1/keys", "keys"},
		"one below it":                      {"acme.okta.com", "/oauth2/default/below" + openID, "200 " + acme + "/below"},
		"the keys of the one below":         {"acme.okta.com", "/oauth2/default/below/jwks", "keys"},
		"its keys in the one below":         {"acme.okta.com", "/oauth2/default/below/v1/keys", missing},
		"the one below, by dots":            {"acme.okta.com", "/oauth2/default/x/../below" + openID, missing},
		"the one below, by encoded dots":    {"acme.okta.com", "/oauth2/default/x/%2e%2e/below" + openID, missing},
		"itself from below, by dots":        {"acme.okta.com", "/oauth2/default/below/.." + openID, missing},
		"with a dot":                        {"acme.okta.com", "/oauth2/./default" + openID, missing},
		"with two slashes before":           {"acme.okta.com", "//oauth2/default" + openID, missing},
		"with two slashes within":           {"acme.okta.com", "/oauth2/default/" + openID, missing},
		"with a slash behind":               {"acme.okta.com", "/oauth2/default" + openID + "/", missing},
		"in capitals in the path":           {"acme.okta.com", "/OAuth2/default" + openID, missing},
		"with a parameter in the path":      {"acme.okta.com", "/oauth2/default;x" + openID, missing},
		"a path that begins alike":          {"acme.okta.com", "/oauth2/default2" + openID, missing},
		"another path":                      {"acme.okta.com", "/oauth2/other" + openID, missing},
		"the root":                          {"acme.okta.com", "/", missing},
		"a path of Entra's":                 {"acme.okta.com", "/" + tt.TenantID + "/v2.0" + openID, missing},
		"a path of the server's":            {"acme.okta.com", "/_treaty/issuers", missing},
		"health":                            {"acme.okta.com", "/healthz", missing},
		"the form by name":                  {"acme.okta.com", "/idp/acme" + openID, missing},
		"the URL itself":                    {"acme.okta.com", "/oauth2/default", missing},
		"another place's own form":          {"acme.okta.com", "/oauth2/default//www.googleapis.com/oauth2/v3/certs", missing},
		"on a port":                         {"acme.okta.com:8443", openID, "200 https://acme.okta.com:8443"},
		"on a port that is another's":       {"acme.okta.com:8443", "/oauth2/default" + openID, missing},
		"an issuer of a port without it":    {"acme.okta.com", openID, missing},
		"a path that is too long":           {"acme.okta.com", "/oauth2/default/" + strings.Repeat("a/", 2000), missing},
		"a name above":                      {"okta.com", "/oauth2/default" + openID, before},
		"a name below":                      {"x.acme.okta.com", "/oauth2/default" + openID, before},
		"a name that ends alike":            {"evil-acme.okta.com", "/oauth2/default" + openID, before},
		"a name with a user":                {"acme.okta.com@evil.example", "/oauth2/default" + openID, before},
		"a name with a null":                {"acme.okta.com\x00", "/oauth2/default" + openID, before},
		"a name behind a space":             {" acme.okta.com", "/oauth2/default" + openID, before},
		"no name":                           {"", "/oauth2/default" + openID, before},
		"Entra's name":                      {"login.microsoftonline.com", "/oauth2/default" + openID, before},
		"the server's own name":             {"localhost", "/oauth2/default" + openID, before},
		"a loopback address":                {"127.0.0.1:443", "/oauth2/default" + openID, before},
		"an address of the metadata server": {"169.254.169.254", "/oauth2/default" + openID, before},
	} {
		if got := tt.answer(c.host, c.target); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	for _, address := range []string{"https://acme.okta.com/oauth2/default" + openID, "https://login.microsoftonline.com/idp/acme" + openID} {
		req := httptest.NewRequest("GET", address, nil)
		if strings.Contains(address, "/idp/") {
			req.Host = "localhost"
		}
		rec := httptest.NewRecorder()
		tt.server.ServeHTTP(rec, req)
		var doc struct {
			Token string `json:"token_endpoint"`
			Keys  string `json:"jwks_uri"`
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &doc); err != nil || doc.Token != acme+"/v1/token" || doc.Keys != acme+"/v1/keys" {
			t.Errorf("%s: %s", address, rec.Body)
		}
	}
	tt.Control("DELETE", "issuers/below", nil, nil)
	if got := tt.answer("acme.okta.com", "/oauth2/default/below"+openID); got != missing {
		t.Errorf("one that was deleted: %s", got)
	}
}

// Whoever declares an issuer under a name of the clouds, or of the server, gets nothing that is theirs.
func TestAnIssuerWithACloudsNameIsNotTheCloud(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	const unknown = "77777777-7777-4777-8777-777777777777"
	principal := o.AddApplication("victim").PrincipalID
	own := o.TenantID
	for n, address := range []string{
		"https://login.microsoftonline.com/" + own + "/v2.0",
		"https://login.microsoftonline.com/" + unknown + "/v2.0",
		"https://LOGIN.microsoftonline.com/" + own + "/v2.0",
		"https://login.microsoftonline.com/" + strings.ToUpper(own) + "/v2.0",
		"https://login.microsoftonline.com/" + own + "/v2.0/",
		"https://login.microsoftonline.com:443/" + own + "/v2.0",
		"https://login.microsoftonline.com/treaty.onmicrosoft.com/v2.0",
		"https://login.microsoftonline.com/common/v2.0",
		"https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
		"https://login.windows.net/" + own + "/v2.0",
		"https://sts.windows.net/" + own + "/",
		"https://sts.windows.net/" + own,
		"https://STS.windows.net/" + own + "/",
		"https://sts.windows.net/" + unknown + "/",
		"https://cognito-identity.amazonaws.com",
		"https://11111111-2222-4333-8444-555555555555.tokens.sts.global.api.aws",
		"https://graph.microsoft.com",
		"https://management.azure.com/x",
		"https://sts.amazonaws.com",
		"https://localhost/x",
		"https://127.0.0.1/x",
	} {
		name := "shadow" + raw(n)
		err := o.order("POST", "issuers", m{"name": name, "url": address, "lifetime": "15m", "clients": []m{{"id": "evil", "claims": m{
			"sub": raw(principal), "oid": raw(principal), "aud": "request.audience", "tid": raw(own), "idtyp": `"app"`, "ver": `"1.0"`, "appid": raw(o.AdminClientID),
			"roles": `["Application.ReadWrite.All"]`, "xms_mirid": `"/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"`,
		}}}})
		if err != nil {
			if !strings.Contains(err.Error(), " 400 ") && !strings.Contains(err.Error(), " 409 ") {
				t.Errorf("%s: %v", address, err)
			}
			continue
		}
		i := Issuer{Name: name, URL: address}
		token := func(audience string) string { return o.IssuerToken(i, "evil", map[string]string{"audience": audience}) }
		for _, api := range []string{o.GraphURL + "/v1.0/applications", o.ARMURL + "/subscriptions?api-version=2021-01-01"} {
			if status, body := o.Request("GET", api, token(strings.SplitAfter(api, ".com")[0]), nil); status != 401 {
				t.Errorf("%s opens %s: %d %s", address, api, status, body)
			}
		}
		x := &foreign{outside: o, issuer: address, app: o.AddApplication(name)}
		status, body := o.Request("POST", o.GraphURL+"/v1.0/applications/"+x.app.ObjectID+"/federatedIdentityCredentials", o.AdminToken(o.GraphURL), m{"name": "trust", "issuer": address, "subject": principal, "audiences": []string{"api://AzureADTokenExchange"}})
		if status/100 != 2 {
			t.Logf("%s: no trust: %s", address, body)
			continue
		}
		if got := x.entra(token("api://AzureADTokenExchange")); got == "" {
			t.Errorf("%s stands in for an application", address)
		}
		if strings.HasPrefix(address, "https://cognito-identity") {
			continue // which cannot be registered
		}
		provider := o.AddProvider(address, "app")
		x.role = o.AddRole(name, admits(provider, raw(m{"StringEquals": m{strings.TrimPrefix(address, "https://") + ":sub": principal}})))
		if got := x.sts(token("app")); got == "" {
			t.Errorf("%s gets a role", address)
		}
	}
}

// An issuer whose place lies on the way to another's keys would publish its own there.
func TestAnIssuerBelowAnotherDoesNotTakeItsKeys(t *testing.T) {
	t.Parallel()
	tt := New(t)
	a := tt.AddIssuer("a", "https://h.example/a", "okta", IssuerClient{ID: "app"})
	err := tt.order("POST", "issuers", m{"name": "b", "url": "https://h.example/a/v1", "preset": "spiffe", "clients": []m{{"id": "app", "attributes": m{"spiffe_id": "spiffe://x/y"}}}})
	head, _ := (&awsWorld{Treaty: tt}).readJWT(tt.IssuerToken(a, "app", map[string]string{"audience": audience}))
	if _, body := tt.Request("GET", a.URL+"/v1/keys", "", nil); !strings.Contains(string(body), text(head, "kid")) {
		t.Errorf("declared: %v, and the keys of a are %s", err, body)
	}
}

func TestEightIssuersThatClaimOnePlace(t *testing.T) {
	t.Parallel()
	tt := New(t)
	for round, order := range []func(i, round int) m{
		func(i, round int) m {
			return m{"name": fmt.Sprintf("n%d-%d", round, i), "url": "https://one.example/r0"}
		},
		func(i, round int) m {
			return m{"name": fmt.Sprintf("n%d-%d", round, i), "url": []string{"https://one.example/r1", "https://one.example/r1/", "https://ONE.example/r1", "https://one.example:443/r1"}[i%4]}
		},
		func(i, round int) m { return m{"name": "same", "url": fmt.Sprintf("https://one.example/r2/%d", i)} },
		func(i, round int) m {
			return m{"name": fmt.Sprintf("n%d-%d", round, i), "url": "https://accounts.google.com", "preset": "google"}
		},
	} {
		var won atomic.Int32
		eight(func(i int) {
			err := tt.order("POST", "issuers", order(i, round))
			if err == nil {
				won.Add(1)
			} else if !strings.Contains(err.Error(), " 409 ") {
				t.Errorf("round %d: %v", round, err)
			}
		})
		if won.Load() != 1 {
			t.Errorf("round %d: %d issuers have one place", round, won.Load())
		}
	}
	var list struct {
		Issuers []struct{ Name, URL string }
	}
	tt.Control("GET", "issuers", nil, &list)
	if len(list.Issuers) != 4 {
		t.Errorf("what lost is there: %v", list.Issuers)
	}
	// A place is given up by who moves away, and taken by one of those who come.
	name := list.Issuers[0].Name
	tt.Control("PUT", "issuers/"+name, m{"url": "https://moved.example"}, nil)
	if got := tt.answer("moved.example", openID); got != "200 https://moved.example" {
		t.Error(got)
	}
	var won atomic.Int32
	eight(func(i int) {
		if tt.order("PUT", "issuers/"+list.Issuers[1+i%3].Name, m{"url": "https://moved.example/"}) == nil {
			won.Add(1)
		}
	})
	if won.Load() != 0 {
		t.Errorf("%d others moved to a place that is taken", won.Load())
	}
}

func TestResetWhileIssuersAreUsed(t *testing.T) {
	t.Parallel()
	tt := New(t)
	eight(func(i int) {
		name := "i" + raw(i)
		for range 4 {
			_ = tt.order("POST", "issuers", m{"name": name, "url": "https://" + name + ".example", "clients": []m{{"id": "app", "secret": "a-secret-for-tests"}}}) // it may be there
			switch i {
			case 0:
				if err := tt.order("POST", "reset", nil); err != nil {
					t.Error(err)
				}
			case 1:
				_ = tt.order("POST", "issuers/"+name+"/rotate", nil)
			case 2:
				_ = tt.order("DELETE", "issuers/"+name, nil)
			default:
				req := httptest.NewRequest("POST", "https://"+name+".example/token", strings.NewReader(values("client_id", "app", "client_secret", "a-secret-for-tests").Encode()))
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				rec := httptest.NewRecorder()
				tt.server.ServeHTTP(rec, req)
				if rec.Code >= 500 {
					t.Errorf("%d %s", rec.Code, rec.Body)
				}
			}
		}
	})
	if err := tt.order("POST", "reset", nil); err != nil {
		t.Fatal(err)
	}
	var list struct{ Issuers []m }
	tt.Control("GET", "issuers", nil, &list)
	if len(list.Issuers) != 0 {
		t.Errorf("%v", list.Issuers)
	}
	if got := tt.answer("i3.example", openID); strings.Contains(got, "i3.example") {
		t.Errorf("an issuer from before the reset answers: %s", got)
	}
}

// Through the listener and the proxy the name in TLS, in the request and in CONNECT may differ.
func TestNamesThatContradictEachOther(t *testing.T) {
	t.Parallel()
	tt := Config{listen: true}.New(t)
	tt.AddIssuer("acme", "https://acme.okta.com/oauth2/default", "okta", IssuerClient{ID: "app"})
	tt.AddIssuer("port", "https://id.acme.example:8443", "", IssuerClient{ID: "app"})
	own, err := url.Parse(tt.server.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := url.Parse(tt.server.ProxyURL())
	if err != nil {
		t.Fatal(err)
	}
	// dial connects, maybe by CONNECT, and shakes hands for a name; the request is written as it is.
	ask := func(connect, sni, request string) string {
		at := own.Host
		if connect != "" {
			at = proxy.Host
		}
		raw, err := net.DialTimeout("tcp", at, time.Minute)
		if err != nil {
			return err.Error()
		}
		defer raw.Close()
		_ = raw.SetDeadline(time.Now().Add(time.Minute))
		if connect != "" {
			fmt.Fprintf(raw, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", connect, connect)
			res, err := http.ReadResponse(bufio.NewReader(raw), nil)
			if err != nil || res.StatusCode != 200 {
				return fmt.Sprint("connect ", res.StatusCode)
			}
		}
		conn := tls.Client(raw, &tls.Config{ServerName: sni, InsecureSkipVerify: true}) // which name is certified is not the question here
		if err := conn.Handshake(); err != nil {
			return "no handshake"
		}
		fmt.Fprintf(conn, "%s\r\nConnection: close\r\n\r\n", request)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return err.Error()
		}
		defer res.Body.Close()
		var doc struct{ Issuer, Error string }
		_ = json.NewDecoder(res.Body).Decode(&doc) // of what is no JSON only the status counts
		return fmt.Sprintf("%d %s%s", res.StatusCode, doc.Issuer, doc.Error)
	}
	get := func(target, host string) string { return "GET " + target + " HTTP/1.1\r\nHost: " + host }
	const acme = "200 https://acme.okta.com/oauth2/default"
	entra := "200 https://login.microsoftonline.com/" + tt.TenantID + "/v2.0"
	path, tenant := "/oauth2/default"+openID, "/"+tt.TenantID+"/v2.0"+openID
	for name, c := range map[string]struct{ connect, sni, request, want string }{
		"all agree":                                 {"acme.okta.com:443", "acme.okta.com", get(path, "acme.okta.com"), acme},
		"in capitals":                               {"ACME.okta.com:443", "Acme.Okta.com", get(path, "aCME.okta.com"), acme},
		"without the proxy":                         {"", "acme.okta.com", get(path, "acme.okta.com"), acme},
		"by the request alone":                      {"", "", get(path, "acme.okta.com"), acme},
		"a request in absolute form":                {"acme.okta.com:443", "acme.okta.com", get("https://acme.okta.com"+path, "evil.example"), acme},
		"a request in absolute form to Entra":       {"acme.okta.com:443", "acme.okta.com", get("https://login.microsoftonline.com"+tenant, "acme.okta.com"), entra},
		"a request in absolute form to a stranger":  {"acme.okta.com:443", "acme.okta.com", get("https://evil.example"+path, "acme.okta.com"), "404 "},
		"Entra's name in the request":               {"acme.okta.com:443", "acme.okta.com", get(tenant, "login.microsoftonline.com"), entra},
		"Entra's path under the issuer's name":      {"acme.okta.com:443", "login.microsoftonline.com", get(tenant, "acme.okta.com"), "404 not_found"},
		"a stranger's name in TLS":                  {"", "evil.example", get(path, "acme.okta.com"), "no handshake"},
		"a stranger's name in the request":          {"", "acme.okta.com", get(path, "evil.example"), "404 "},
		"two names in the request":                  {"", "acme.okta.com", get(path, "acme.okta.com\r\nHost: login.microsoftonline.com"), "400 "},
		"no name in the request":                    {"", "acme.okta.com", "GET " + path + " HTTP/1.1", "400 "},
		"a port":                                    {"id.acme.example:8443", "id.acme.example", get(openID, "id.acme.example:8443"), "200 https://id.acme.example:8443"},
		"a port that is forgotten in the request":   {"id.acme.example:8443", "id.acme.example", get(openID, "id.acme.example"), "404 "},
		"the control interface under another name":  {"acme.okta.com:443", "acme.okta.com", get("/_treaty/issuers", "acme.okta.com"), "404 not_found"},
		"the control interface without credentials": {"", "", get("/_treaty/issuers", own.Host), "401 present the control credential of server.json"},
		"a final dot":                               {"acme.okta.com.:443", "acme.okta.com", get(path, "acme.okta.com."), acme},
	} {
		if got := ask(c.connect, c.sni, c.request); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
