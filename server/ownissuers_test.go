package server

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/server/clock"
	"github.com/treatyfed/treaty/server/folder"
	"github.com/treatyfed/treaty/server/names"
)

func isHub(c *Config) { c.PublicURL = "https://localhost:8443" }

// Another replica deletes an issuer: this one learns of it from the database alone.
func TestAnIssuerThatAnotherReplicaDeletedIsNotKnownForLong(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]func(*Config){"hub": isHub, "twin": func(*Config) {}} {
		wall := clock.Frozen(time.Unix(1_800_000_000, 0))
		s := memory(t, mode, func(c *Config) { c.Wall = wall.Now })
		address, below := "https://localhost:8443/idp/ci", ""
		if name == "twin" { // whose host goes on to be answered, so that nobody else is asked
			address, below = "https://ci.example.com/x", `,"url":"https://ci.example.com/x"`
			ordered[IssuerView](t, s, "POST", "issuers", `{"name":"neighbour","url":"https://ci.example.com/y"}`)
		}
		ordered[IssuerView](t, s, "POST", "issuers", `{"name":"ci"`+below+`}`)
		known := func() (one, other error) {
			_, one = s.remote.PublicKeys(t.Context(), address, "")
			_, other = s.webKeys.PinnedKeys(t.Context(), address, "", []string{"x"})
			return one, other
		}
		if one, other := known(); one != nil || other != nil {
			t.Fatal(name, one, other)
		}
		if err := s.store.Issuers.DeleteIssuer(t.Context(), "ci"); err != nil {
			t.Fatal(err)
		}
		wall.Advance(token.DefaultRefetch)
		for range 2 {
			if one, other := known(); one == nil || other == nil {
				t.Errorf("%s: its keys still serve", name)
			}
		}
	}
}

func TestTokensOfEachOfSeveralRotationsAreGood(t *testing.T) {
	t.Parallel()
	wall := clock.Frozen(time.Unix(1_800_000_000, 0))
	s := memory(t, isHub, func(c *Config) { c.Wall = wall.Now })
	ordered[IssuerView](t, s, "POST", "issuers", `{"name":"ci"}`)
	const address, ring = "https://localhost:8443/idp/ci", "idp-rsa/ci"
	for n := range 3 { // all within what an unknown key may cost a request of the issuer for
		kid := ordered[struct{ KID map[string]string }](t, s, "POST", "issuers/ci/rotate", "").KID[ring]
		for source, ask := range map[string]func() ([]token.PublicKey, error){
			"Entra": func() ([]token.PublicKey, error) { return s.remote.PublicKeys(t.Context(), address, kid) },
			"STS": func() ([]token.PublicKey, error) {
				p, err := s.webKeys.PinnedKeys(t.Context(), address, kid, []string{"x"})
				return p.Keys, err
			},
		} {
			keys, err := ask()
			if !slices.ContainsFunc(keys, func(k token.PublicKey) bool { return k.ID == kid }) {
				t.Errorf("rotation %d: %s does not know %s: %v", n, source, kid, err)
			}
		}
	}
}

// lost are issuers in a database that does not answer.
type lost struct{ issuers }

type issuers interface{ directory.Issuers }

func (lost) Hosts(context.Context, string) (bool, error) {
	return false, errors.New("the database does not answer")
}

func TestAHostThatCannotBeLookedUpIsNotSoughtElsewhere(t *testing.T) {
	t.Parallel()
	s := listeningIn(t, t.TempDir())
	s.store.Issuers = lost{s.store.Issuers}
	if _, err := proxied(t, s).Get("https://acme.okta.com/x"); err == nil || !strings.Contains(err.Error(), "cannot tell whether it serves acme.okta.com") {
		t.Errorf("the proxy: %v", err)
	}
	if s.certifies("acme.okta.com") {
		t.Error("it is certified")
	}
	asked := httptest.NewRequest(http.MethodGet, "https://acme.okta.com/x", nil)
	if at := s.placeOf(asked); at.surface != names.Issuers {
		t.Errorf("a request to it is for %q", at.surface)
	}
	if asked.URL.Path = "/healthz"; s.placeOf(asked).surface != ownSurface {
		t.Error("nobody can ask for the server's health")
	}
	if s.isOwnIssuer(t.Context(), "https://acme.okta.com") {
		t.Error("it is taken for our own")
	}
	h := s.issuerHandler(&url.URL{Scheme: "https", Host: "acme.okta.com", Path: "/x"})
	if h == nil {
		t.Fatal("it would be asked over the network")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://acme.okta.com/x", nil))
	if status, body := get(t, s.HTTPClient(), "https://acme.okta.com/x", ""); status != http.StatusServiceUnavailable || w.Code != status {
		t.Errorf("to ourselves %d, to a client in this process %d %s", w.Code, status, body)
	}
}

// What an earlier version took for an issuer is no reason not to start.
func TestAStartWithIssuersWhoseHostsCannotBeCertified(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func() *Server {
		f, err := folder.Open(dir, false, noEnv, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(t.Context(), Config{Folder: f, Getenv: noEnv})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start()
	for name, host := range map[string]string{"a": "a..b", "b": "com", "c": "acme.okta.com"} {
		err := s.store.Issuers.CreateIssuer(t.Context(), directory.Issuer{Name: name, URL: "https://" + host + "/x", Places: []directory.Place{{Host: host, Path: "/x"}, {Host: host, Path: "/x/jwks"}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = start()
	roots := string(s.leaves.PEM())
	if !strings.Contains(roots, "# acme.okta.com\n") || strings.Contains(roots, "# com\n") || strings.Contains(roots, "# a..b\n") {
		t.Errorf("roots are\n%s", roots)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
