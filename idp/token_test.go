package idp_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/idp"
)

func TestPresetsTokensLookLikeTheirProducts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stamps := func(c token.Claims, lifetime time.Duration) token.Claims {
		c["iat"], c["exp"] = now.Unix(), now.Add(lifetime).Unix()
		return c
	}
	for name, c := range map[string]struct {
		issuer   directory.Issuer
		endpoint string
		form     url.Values
		header   []string
		jti      string // prefix
		want     token.Claims
		scope    string
	}{
		"a generic token": {
			issuer: directory.Issuer{Name: "generic", URL: "https://generic.example"}, endpoint: "https://generic.example/token",
			form:   form("audience", "api://x", "scope", "b a"),
			header: []string{"alg", "kid", "typ"},
			want:   stamps(token.Claims{"iss": "https://generic.example", "sub": "app", "aud": "api://x", "client_id": "app", "scope": "b a"}, time.Hour),
			scope:  "b a",
		},
		"a generic token for several audiences and no scope": {
			issuer: directory.Issuer{Name: "many", URL: "https://many.example", Algorithm: "PS256", Lifetime: time.Minute}, endpoint: "https://many.example/token",
			form:   url.Values{"audience": {"b", "a"}, "resource": {"https://r.example/"}},
			header: []string{"alg", "kid", "typ"},
			want:   stamps(token.Claims{"iss": "https://many.example", "sub": "app", "aud": []any{"b", "a", "https://r.example/"}, "client_id": "app"}, time.Minute),
		},
		"a token of PingFederate": {
			issuer: directory.Issuer{Name: "ping", URL: "https://sso.example.com", Preset: "pingfederate"}, endpoint: "https://sso.example.com/as/token.oauth2",
			form:   form("scope", "azure", "resource", "https://sts.amazonaws.com/"),
			header: []string{"alg", "kid"},
			want:   stamps(token.Claims{"iss": "https://sso.example.com", "sub": "app", "aud": "https://sts.amazonaws.com/", "client_id": "app", "scope": "azure"}, 2*time.Hour),
			scope:  "azure",
		},
		"a token of an Okta authorization server": {
			issuer: directory.Issuer{Name: "okta", URL: "https://acme.okta.com/oauth2/default", Preset: "okta"}, endpoint: "https://acme.okta.com/oauth2/default/v1/token",
			form:   form("scope", "azure aws"),
			header: []string{"alg", "kid"}, jti: "AT.",
			want: stamps(token.Claims{"ver": int64(1), "iss": "https://acme.okta.com/oauth2/default", "sub": "app", "aud": "https://acme.okta.com/oauth2/default",
				"cid": "app", "scp": []any{"azure", "aws"}}, time.Hour),
			scope: "azure aws",
		},
		"a token of an Okta org": {
			issuer: directory.Issuer{Name: "org", URL: "https://acme.okta.com", Preset: "okta", Algorithm: "RS512"}, endpoint: "https://acme.okta.com/oauth2/v1/token",
			form:   form("scope", "okta.apps.read"),
			header: []string{"alg", "kid"}, jti: "AT.",
			want: stamps(token.Claims{"ver": int64(1), "iss": "https://acme.okta.com", "sub": "app", "aud": "https://acme.okta.com",
				"cid": "app", "scp": []any{"okta.apps.read"}}, time.Hour),
			scope: "okta.apps.read",
		},
	} {
		c.issuer.Clients = []directory.IssuerClient{w.client("app")}
		w.add(c.issuer)
		c.form.Set("grant_type", credit)
		rec := w.post(c.endpoint, c.form, basic("app", secret))
		header, claims := w.granted(rec, c.issuer.URL)
		names := make([]string, 0, 3)
		for _, n := range []string{"alg", "kid", "typ"} {
			if _, is := header[n]; is {
				names = append(names, n)
			}
		}
		if jti := claims.Text("jti"); !strings.HasPrefix(jti, c.jti) || len(jti) < 22 {
			t.Errorf("%s: jti %q", name, jti)
		}
		delete(claims, "jti")
		for _, n := range []string{"iat", "exp", "ver"} {
			if v, is := claims.Time(n); is {
				claims[n] = v.Unix()
			}
		}
		if d := cmp.Diff(c.want, claims); d != "" || !cmp.Equal(names, c.header) || len(header) != len(names) {
			t.Errorf("%s: header %v\n%s", name, header, d)
		}
		body := read(t, rec)
		if body.TokenType != "Bearer" || body.IssuedType != "" || body.Scope != c.scope || body.ExpiresIn != claims["exp"].(int64)-now.Unix() {
			t.Errorf("%s: %s", name, rec.Body)
		}
		h := rec.Header()
		if h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" || h.Get("Content-Type") != "application/json;charset=UTF-8" {
			t.Errorf("%s: headers %v", name, h)
		}
	}
	if rec := w.post("https://acme.okta.com/oauth2/default/v1/token", form("grant_type", credit), basic("app", secret)); read(t, rec).Error != "invalid_scope" || rec.Header().Get("X-Okta-Request-Id") == "" {
		t.Errorf("without a scope: %s", rec.Body)
	}
}

func TestRefusalsOfTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plain(), corp())
	ok := form("grant_type", credit)
	for name, c := range map[string]struct {
		form      url.Values
		edit      func(*http.Request)
		status    int
		code      string
		describes string
		challenge bool
	}{
		"no grant type":                    {form(), basic("app", secret), 400, "invalid_request", "grant_type is missing", false},
		"a body of JSON":                   {ok, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 400, "invalid_request", "form-urlencoded", false},
		"a grant type that nobody knows":   {form("grant_type", "password"), basic("app", secret), 400, "unsupported_grant_type", "password", false},
		"a parameter twice":                {url.Values{"grant_type": {credit}, "scope": {"a", "b"}}, basic("app", secret), 400, "invalid_request", "twice", false},
		"a huge form":                      {form("grant_type", credit, "x", strings.Repeat("a", 70<<10)), basic("app", secret), 400, "invalid_request", "larger", false},
		"no credential":                    {form("grant_type", credit, "client_id", "app"), nil, 401, "invalid_client", "no client credential", false},
		"an unknown client":                {ok, basic("other", secret), 401, "invalid_client", "no such client", true},
		"a wrong secret":                   {ok, basic("app", "x"), 401, "invalid_client", "no such client", true},
		"a wrong secret, posted":           {form("grant_type", credit, "client_id", "app", "client_secret", "x"), nil, 401, "invalid_client", "no such client", false},
		"a secret that ended":              {ok, basic("app", "old"), 401, "invalid_client", "not valid now", true},
		"credentials that cannot be read":  {ok, func(r *http.Request) { r.Header.Set("Authorization", "Basic !") }, 401, "invalid_client", "could be read", true},
		"a secret in two places":           {form("grant_type", credit, "client_id", "app", "client_secret", secret), basic("app", secret), 400, "invalid_request", "more than one method", false},
		"a secret and an assertion":        {asserted(assertion(), "client_secret", secret), nil, 400, "invalid_request", "more than one method", false},
		"another client beside Basic":      {form("grant_type", credit, "client_id", "modest"), basic("app", secret), 400, "invalid_request", "another client", false},
		"a grant that the client has not":  {form("grant_type", exchange), basic("modest", secret), 400, "unauthorized_client", exchange, false},
		"a relative resource":              {form("grant_type", credit, "resource", "api"), basic("app", secret), 400, "invalid_target", "absolute", false},
		"a resource with a fragment":       {form("grant_type", credit, "resource", "https://x/#"), basic("app", secret), 400, "invalid_target", "fragment", false},
		"an endless audience":              {form("grant_type", credit, "audience", strings.Repeat("a", 2000)), basic("app", secret), 400, "invalid_target", "too long", false},
		"too many audiences":               {url.Values{"grant_type": {credit}, "audience": strings.Split("abcdefghijklmnopq", "")}, basic("app", secret), 400, "invalid_target", "too many", false},
		"a scope with a quote":             {form("grant_type", credit, "scope", `a "b"`), basic("app", secret), 400, "invalid_scope", "character", false},
		"too many scopes":                  {form("grant_type", credit, "scope", strings.Repeat("a ", 101)), basic("app", secret), 400, "invalid_scope", "too many", false},
		"an exchange of nothing":           {form("grant_type", exchange), basic("app", secret), 400, "invalid_request", "subject_token is missing", false},
		"an exchange of an untyped token":  {form("grant_type", exchange, "subject_token", "x"), basic("app", secret), 400, "invalid_request", "subject_token_type is missing", false},
		"an exchange of a SAML assertion":  {form("grant_type", exchange, "subject_token", "x", "subject_token_type", typePrefix+"saml2"), basic("app", secret), 400, "invalid_request", "saml2 is not supported", false},
		"an exchange for a refresh token":  {form("grant_type", exchange, "subject_token", "x", "subject_token_type", typePrefix+"jwt", "requested_token_type", typePrefix+"refresh_token"), basic("app", secret), 400, "invalid_request", "refresh_token is not supported", false},
		"an actor without its type":        {form("grant_type", exchange, "subject_token", "x", "subject_token_type", typePrefix+"jwt", "actor_token", "y"), basic("app", secret), 400, "invalid_request", "come together", false},
		"an actor's type without an actor": {form("grant_type", exchange, "subject_token", "x", "subject_token_type", typePrefix+"jwt", "actor_token_type", typePrefix+"jwt"), basic("app", secret), 400, "invalid_request", "come together", false},
		"a bearer of nothing":              {form("grant_type", bearer), basic("app", secret), 400, "invalid_request", "assertion is missing", false},
	} {
		edit := c.edit
		if edit == nil {
			edit = func(*http.Request) {}
		}
		rec := w.post(plainToken, c.form, edit)
		got := read(t, rec)
		if rec.Code != c.status || got.Error != c.code || !strings.Contains(got.Description, c.describes) || got.AccessToken != "" {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if challenge := rec.Header().Get("WWW-Authenticate"); (challenge == `Basic realm="https://issuer.example/a/b/"`) != c.challenge {
			t.Errorf("%s: challenge %q", name, challenge)
		}
		if strings.ContainsAny(got.Description, "\"\\\n") {
			t.Errorf("%s: the description has characters that RFC 6749 does not allow: %q", name, got.Description)
		}
		e, about := w.journal.last(t)
		if e.Outcome != audit.Refused || e.Code != c.code || e.Surface != "idp" || about.Issuer != "https://issuer.example/a/b/" || e.RequestID != rec.Header().Get("X-Request-Id") {
			t.Errorf("%s: on record is %+v", name, e)
		}
	}
	if rec := w.do(httptest.NewRequest(http.MethodGet, plainToken, nil)); rec.Code != 405 || rec.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d", rec.Code)
	}
}

func TestRulesSeeClientRequestAndFurtherParameters(t *testing.T) {
	t.Parallel()
	i := plain()
	i.Claims = map[string]string{"team": `client.attributes.team + "/" + client.name`, "env": `request.parameters.env`, "seen": `request.parameters.map(k, k).size()`, "grant": `request.grant`, "client_id": `null`}
	i.Clients[0].Claims = map[string]string{"sub": `issuer + "|" + client.id`, "aud": `["x", "y"]`}
	i.Clients[0].Lifetime, i.Clients[0].Algorithm = 90*time.Second, "RS256"
	w := newWorld(t, i)
	rec := w.post(plainToken, form("grant_type", credit, "client_id", "app", "client_secret", secret, "env", "prod"))
	header, claims := w.granted(rec, i.URL)
	delete(claims, "jti")
	for _, n := range []string{"iat", "exp", "seen"} {
		v, _ := claims.Time(n)
		claims[n] = v.Unix()
	}
	want := token.Claims{"iss": i.URL, "sub": i.URL + "|app", "aud": []any{"x", "y"}, "team": "blue/Client app", "env": "prod", "seen": int64(1), "grant": credit,
		"iat": now.Unix(), "exp": now.Unix() + 90}
	if d := cmp.Diff(want, claims); d != "" || header["alg"] != "RS256" {
		t.Errorf("%v\n%s", header, d)
	}
	e, about := w.journal.last(t)
	if e.Outcome != audit.Allowed || e.Caller != "app" || e.Operation != "token client_credentials" || about.Method != "client_secret_post" || !about.Client.OK() || about.Rules["env"] == "" || about.Claims.Text("env") != "prod" {
		t.Errorf("on record is %+v %s", e, e.Evidence)
	}
	if s := string(e.Evidence); strings.Contains(s, secret) || strings.Contains(s, read(t, rec).AccessToken) {
		t.Errorf("a secret is on record: %s", s)
	}
	rec = w.post(plainToken, form("grant_type", credit), basic("app", secret))
	if got := read(t, rec); rec.Code != 400 || got.Error != "invalid_request" || !strings.Contains(got.Description, "'env'") {
		t.Errorf("a rule that reads what is not there: %s", rec.Body)
	}
}

func TestNoTokenGoesOutThatIsNotOnRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plain())
	w.journal.err = errors.New("the disk is full")
	rec := w.post(plainToken, form("grant_type", credit), basic("app", secret))
	if got := read(t, rec); rec.Code != 500 || got.Error != "server_error" || strings.Contains(got.Description, "disk") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if _, err := w.Mint(t.Context(), "plain", idp.Mint{}); err == nil {
		t.Error("minted without a record")
	}
}

// TestRealClients has golang.org/x/oauth2 get tokens, and go-oidc verify them.
func TestRealClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plain())
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: w})
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		config := clientcredentials.Config{ClientID: "app", ClientSecret: secret, TokenURL: plainToken, Scopes: []string{"a", "b"}, AuthStyle: style, EndpointParams: url.Values{"audience": {"peer"}}}
		got, err := config.Token(ctx)
		must(t, err)
		provider, err := oidc.NewProvider(oidc.ClientContext(ctx, &http.Client{Transport: w}), "https://issuer.example/a/b/")
		must(t, err)
		verified, err := provider.Verifier(&oidc.Config{ClientID: "peer", Now: w.now}).Verify(ctx, got.AccessToken)
		if err != nil || verified.Subject != "app" || provider.Endpoint().TokenURL != plainToken {
			t.Errorf("%v %+v %+v", err, verified, provider.Endpoint())
		}
	}
}
