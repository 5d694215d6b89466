package idp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/idp"
)

func (w *world) get(address string) *httptest.ResponseRecorder {
	return w.do(httptest.NewRequest(http.MethodGet, address, nil))
}

func (w *world) named(path string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.Named().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	return rec
}

func asObject(t testing.TB, b []byte) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return m
}

// okta is an issuer with clients that sign by three algorithms.
func okta() directory.Issuer {
	return directory.Issuer{Name: "okta", URL: "https://Acme.okta.com/oauth2/default", Preset: "okta", Algorithm: "RS256", Clients: []directory.IssuerClient{
		{ID: "a"}, {ID: "b", Algorithm: "RS512", Grants: []string{exchange}}, {ID: "c", Algorithm: "ES256"}}}
}

func TestDiscoverySaysWhatTheIssuerDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, okta(), plain())
	const own = "https://Acme.okta.com/oauth2/default"
	for address, base := range map[string]string{
		own + "/.well-known/openid-configuration":                                         own,
		"https://acme.OKTA.com:443/oauth2/default/.well-known/oauth-authorization-server": own,
	} {
		rec := w.get(address)
		want := map[string]any{
			"issuer": own, "jwks_uri": base + "/v1/keys", "token_endpoint": base + "/v1/token",
			"response_types_supported": []any{"id_token"}, "subject_types_supported": []any{"public"},
			"id_token_signing_alg_values_supported":            []any{"ES256", "RS256", "RS512"},
			"grant_types_supported":                            []any{credit, exchange},
			"token_endpoint_auth_methods_supported":            []any{"client_secret_basic", "client_secret_post", "private_key_jwt"},
			"token_endpoint_auth_signing_alg_values_supported": []any{"RS256", "RS384", "RS512", "PS256", "ES256"},
			"claims_supported":                                 []any{"aud", "cid", "exp", "iat", "iss", "scp", "sub", "ver"},
		}
		if d := cmp.Diff(want, asObject(t, rec.Body.Bytes())); d != "" {
			t.Errorf("%s: %s", address, d)
		}
		if h := rec.Header(); h.Get("Cache-Control") != "public, max-age=300" || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Content-Type") != "application/json" {
			t.Error(h)
		}
	}
	byName := asObject(t, w.named("/okta/.well-known/openid-configuration").Body.Bytes())
	if byName["issuer"] != own || byName["jwks_uri"] != prefix+"/okta/v1/keys" || byName["token_endpoint"] != prefix+"/okta/v1/token" {
		t.Error(byName)
	}
	slash := asObject(t, w.get("https://issuer.example/a/b/.well-known/openid-configuration").Body.Bytes())
	if slash["issuer"] != "https://issuer.example/a/b/" || slash["jwks_uri"] != "https://issuer.example/a/b/jwks" {
		t.Error(slash)
	}
}

func TestKeysAreThoseThatAreUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, okta(), plain())
	var set struct{ Keys []map[string]string }
	must(t, json.Unmarshal(w.get("https://acme.okta.com/oauth2/default/v1/keys").Body.Bytes(), &set))
	if len(set.Keys) != 2 {
		t.Fatal(set)
	}
	for _, k := range set.Keys {
		alg, bound := k["alg"]
		if k["use"] != "sig" || k["kid"] == "" || k["kty"] == "RSA" && bound || k["kty"] == "EC" && alg != "ES256" || k["d"] != "" {
			t.Error(k)
		}
	}
	if w.get("https://issuer.example/a/b/jwks").Code != 200 {
		t.Error("no keys")
	}
	stored, err := w.db.Keys.Keys(t.Context(), "idp-rsa/plain")
	if err != nil || len(stored) != 0 {
		t.Errorf("an RSA key was made for an issuer that has no use for it: %v", err)
	}
}

func TestTokensOutliveARotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plain())
	i, err := w.db.Issuers.Issuer(t.Context(), "plain")
	must(t, err)
	source := &token.Discovery{Fetcher: w, Now: w.now}
	v := token.Verifier{Source: source, Algorithms: idp.TokenAlgorithms, Now: w.now}
	var raws []string
	for range 3 {
		m, err := w.Mint(t.Context(), "plain", idp.Mint{Client: "app"})
		must(t, err)
		raws = append(raws, m.Token)
		for n, raw := range raws {
			if _, report, err := v.Verify(t.Context(), raw, i.URL); err != nil {
				t.Errorf("token %d of %d: %v %+v", n, len(raws), err, report)
			}
		}
		if got := w.Rings(i); !cmp.Equal(got, []string{"idp-p256/plain"}) {
			t.Fatal(got)
		}
		for _, r := range w.Rings(i) {
			_, err := w.ring.RotateNow(t.Context(), r)
			must(t, err)
		}
		w.advance(token.DefaultRefetch)
	}
	w.advance(2 * token.DefaultOverlap)
	if n := strings.Count(w.get("https://issuer.example/a/b/jwks").Body.String(), `"kid"`); n != 1 {
		t.Errorf("%d keys after the overlap", n)
	}
}

func TestDocumentsForABucket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, okta())
	docs, err := w.Documents(t.Context(), "okta")
	must(t, err)
	config := asObject(t, docs[".well-known/openid-configuration"])
	if len(docs) != 2 || config["jwks_uri"] != "https://Acme.okta.com/oauth2/default/v1/keys" || config["token_endpoint"] != prefix+"/okta/v1/token" {
		t.Errorf("%v", config)
	}
	if !slices.Equal(docs["v1/keys"], w.named("/okta/v1/keys").Body.Bytes()) {
		t.Error("the key set differs")
	}
	if _, err := w.Documents(t.Context(), "none"); !errors.Is(err, fault.NotFound) {
		t.Error(err)
	}
}

func TestRequestsFindTheirIssuer(t *testing.T) {
	t.Parallel()
	at := func(name, address string) directory.Issuer {
		return directory.Issuer{Name: name, URL: address, Algorithm: "ES256"}
	}
	w := newWorld(t, at("root", "https://h.example"), at("deep", "https://h.example/1/2/3/4/5/6/7/8"), at("mid", "https://h.example/1/2/"), at("port", "https://h.example:8443/1"), at("near", "http://localhost:9000/x"))
	for address, want := range map[string]string{
		"https://h.example":                                  "root",
		"https://H.Example:443":                              "root",
		"https://h.example/1/2":                              "mid",
		"https://h.example/1/2/3/4/5/6/7/8":                  "deep",
		"https://h.example:8443/1":                           "port",
		"http://localhost:9000/x":                            "near",
		"https://h.example/1":                                "",
		"https://h.example/1/2/3":                            "",
		"https://h.example:8443":                             "",
		"https://other.example":                              "",
		"https://h.example/1/2/":                             "",
		"https://h.example/1/2/" + strings.Repeat("x", 3000): "",
		"https://h.example" + strings.Repeat("/x", 500):      "",
	} {
		rec := w.get(address + "/.well-known/openid-configuration")
		if want == "" {
			if m := asObject(t, rec.Body.Bytes()); rec.Code != 404 || m["error"] != "not_found" {
				t.Errorf("%s: %d %s", address, rec.Code, rec.Body)
			}
			continue
		}
		i, err := w.db.Issuers.Issuer(t.Context(), want)
		must(t, err)
		if got := asObject(t, rec.Body.Bytes()); got["issuer"] != i.URL {
			t.Errorf("%s: %s", address, rec.Body)
		}
	}
	for path, status := range map[string]int{"/root/jwks": 200, "/root": 404, "/": 404, "/none/jwks": 404, "/ROOT/jwks": 404, "/root//jwks": 404, "/root/token": 405, "/" + strings.Repeat("a", 5000) + "/jwks": 404} {
		if rec := w.named(path); rec.Code != status {
			t.Errorf("%.30s: %d %s", path, rec.Code, rec.Body)
		}
	}
}

func TestDocumentsAreReadFromAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plain())
	const address = "https://issuer.example/a/b/jwks"
	get := w.get(address)
	head := w.do(httptest.NewRequest(http.MethodHead, address, nil))
	if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != fmt.Sprint(get.Body.Len()) {
		t.Errorf("HEAD: %d %v", head.Code, head.Header())
	}
	options := w.do(httptest.NewRequest(http.MethodOptions, address, nil))
	if options.Code != 204 || options.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(options.Header().Get("Access-Control-Allow-Methods"), "GET") {
		t.Errorf("OPTIONS: %d %v", options.Code, options.Header())
	}
	if rec := w.do(httptest.NewRequest(http.MethodPost, address, nil)); rec.Code != 405 || rec.Header().Get("Allow") == "" {
		t.Errorf("POST: %d", rec.Code)
	}
}

func TestAdministratorsMint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plain())
	m, err := w.Mint(t.Context(), "plain", idp.Mint{Client: "app", Audience: []string{"x"}, Scope: "a b", Subject: map[string]any{"sub": "alice"}, Lifetime: time.Minute})
	must(t, err)
	if _, claims := w.verified(m.Token, "https://issuer.example/a/b/"); claims.Text("sub") != "alice" || claims.Text("aud") != "x" || m.Lifetime() != time.Minute || m.Algorithm != "ES256" {
		t.Errorf("%v %+v", claims, m)
	}
	if e, about := w.journal.last(t); e.Operation != "token mint" || e.RequestID == "" || about.Claims.Text("sub") != "alice" || strings.Contains(string(e.Evidence), m.Token) {
		t.Errorf("%+v", e)
	}
	for name, c := range map[string]struct {
		issuer string
		mint   idp.Mint
		kind   fault.Kind
	}{
		"no issuer":            {"none", idp.Mint{}, fault.NotFound},
		"no client":            {"plain", idp.Mint{Client: "none"}, fault.NotFound},
		"too long a lifetime":  {"plain", idp.Mint{Lifetime: 48 * time.Hour}, fault.Invalid},
		"too short a lifetime": {"plain", idp.Mint{Lifetime: time.Millisecond}, fault.Invalid},
		"a rule that fails":    {"plain", idp.Mint{}, fault.Invalid}, // a subject that is empty
	} {
		if _, err := w.Mint(t.Context(), c.issuer, c.mint); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if e, _ := w.journal.last(t); e.Outcome != "refused" || e.Code != "invalid_request" {
		t.Errorf("%+v", e)
	}
}

// The clock stands still here, and the second issuer has the version of the first.
func TestChangedRulesHoldAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, sub := range []string{"one", "two"} {
		i := plain()
		i.Claims = map[string]string{"sub": `"` + sub + `"`}
		w.add(i)
		m, err := w.Mint(t.Context(), "plain", idp.Mint{})
		if err != nil || m.Claims.Text("sub") != sub {
			t.Errorf("%v %v", err, m.Claims)
		}
		must(t, w.db.Issuers.DeleteIssuer(t.Context(), "plain"))
	}
}

func TestWhatIsAtAnotherPlaceIsThereOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, directory.Issuer{Name: "g", URL: "https://accounts.google.com", Preset: "google", Algorithm: "ES256"})
	const keys = "www.googleapis.com/oauth2/v3/certs"
	if rec := w.get("https://" + keys); rec.Code != 200 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	for name, rec := range map[string]*httptest.ResponseRecorder{"below the URL": w.get("https://accounts.google.com//" + keys), "below the name": w.named("/g//" + keys), "beside it": w.get("https://www.googleapis.com/oauth2/v3")} {
		if rec.Code != 404 {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
}
