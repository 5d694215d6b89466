package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/store"
)

func issuer(name string) directory.Issuer {
	return directory.Issuer{Name: name, URL: "https://" + name + ".example/oauth2/default", Preset: "okta", Algorithm: "RS256", Lifetime: time.Hour,
		Claims:  map[string]string{"sub": "client.id"},
		Accepts: []directory.AcceptedIssuer{{Issuer: "https://other.example", Audiences: []string{"a"}}},
		Clients: []directory.IssuerClient{{ID: "c", Secrets: []directory.ClientSecret{{ID: "k", Hint: "abc", Hash: []byte{0, 255}, NotAfter: at(2)}},
			Keys: json.RawMessage(`{"keys":[]}`), Grants: []string{"client_credentials"}, Attributes: map[string]any{"team": []any{"red", 1.5, map[string]any{"x": nil}}},
			Claims: map[string]string{"aud": "'api'"}}},
		Places:    []directory.Place{{Host: name + ".example", Path: "/oauth2/default"}, {Host: name + ".example:8443", Path: ""}},
		CreatedAt: at(0), Version: 1}
}

func issuers(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Issuers
	names := []string{"b", "a", "a-b", "ab", "0"}
	okta := issuer("a")
	for range 2 { // that there is none may be remembered, but no longer than until there is one
		missing[directory.Issuer](t)(r.IssuerAt(ctx, okta.Places[0]))
		missing[directory.Issuer](t)(r.Issuer(ctx, "a"))
		got(t, false)(r.Hosts(ctx, "a.example"))
	}
	for _, name := range names {
		ok(t, r.CreateIssuer(ctx, issuer(name)))
	}
	pages(t, names, func(i directory.Issuer) string { return i.Name }, func(after string, limit int) ([]directory.Issuer, error) {
		return r.Issuers(ctx, after, limit)
	})
	for range 2 {
		got(t, okta)(r.Issuer(ctx, "a"))
		got(t, okta)(r.IssuerAt(ctx, okta.Places[0]))
		got(t, okta)(r.IssuerAt(ctx, okta.Places[1]))
		got(t, true)(r.Hosts(ctx, "a.example:8443"))
	}
	for _, p := range []directory.Place{{Host: "a.example"}, {Host: "a.example", Path: "/oauth2"}, {Host: "a.example", Path: "/oauth2/default/"}, {Host: "a.example:8443", Path: "/oauth2/default"}} {
		missing[directory.Issuer](t)(r.IssuerAt(ctx, p))
	}
	got(t, false)(r.Hosts(ctx, "a.example:443"))

	refused(t, r.CreateIssuer(ctx, okta), fault.Conflict, "name")
	again := issuer("again")
	again.URL = okta.URL
	refused(t, r.CreateIssuer(ctx, again), fault.Conflict, "url")
	again = issuer("again")
	again.Places = append(again.Places, okta.Places[1])
	refused(t, r.CreateIssuer(ctx, again), fault.Conflict, "place")
	missing[directory.Issuer](t)(r.Issuer(ctx, "again")) // nothing half made
	got(t, false)(r.Hosts(ctx, "again.example"))
	again.Places = []directory.Place{{Host: "a.example", Path: "/oauth2/other"}, {Host: "a.example", Path: "/oauth2/other"}} // beside the first; one place twice is one
	ok(t, r.CreateIssuer(ctx, again))
	got(t, again)(r.IssuerAt(ctx, again.Places[0]))
	replacing(t, s, okta)
}

// replacing proves that an update replaces an issuer wholly, and that one that was deleted leaves nothing.
func replacing(t *testing.T, s *store.Store, okta directory.Issuer) {
	t.Helper()
	ctx := t.Context()
	r := s.Issuers
	changed := okta
	changed.Places, changed.Clients, changed.URL = []directory.Place{okta.Places[1], {Host: "new.example", Path: "/x"}}, nil, "https://new.example/x"
	ok(t, r.UpdateIssuer(ctx, changed))
	refused(t, r.UpdateIssuer(ctx, changed), fault.Conflict, "version")
	changed.Version = 2
	for _, p := range changed.Places {
		got(t, changed)(r.IssuerAt(ctx, p))
	}
	missing[directory.Issuer](t)(r.IssuerAt(ctx, okta.Places[0]))
	stolen := changed
	stolen.Places = append(stolen.Places[:1:1], issuer("b").Places[0])
	refused(t, r.UpdateIssuer(ctx, stolen), fault.Conflict, "place")
	stolen = changed
	stolen.URL = issuer("b").URL
	refused(t, r.UpdateIssuer(ctx, stolen), fault.Conflict, "url")
	got(t, changed)(r.IssuerAt(ctx, changed.Places[1]))
	stolen.Name = "nobody"
	refused(t, r.UpdateIssuer(ctx, stolen), fault.NotFound)

	ok(t, r.DeleteIssuer(ctx, "a"))
	refused(t, r.DeleteIssuer(ctx, "a"), fault.NotFound)
	missing[directory.Issuer](t)(r.IssuerAt(ctx, changed.Places[1]))
	got(t, false)(r.Hosts(ctx, "new.example"))
	ok(t, r.CreateIssuer(ctx, changed)) // nothing of it is taken any more
	changed.Version = 1
	got(t, changed)(r.Issuer(ctx, "a"))
}

// claiming has several callers want one name, one URL, one of two places, and one version.
func claiming(t *testing.T, s *store.Store) {
	ctx := t.Context()
	one := func(what string, f func(n int) error) {
		t.Helper()
		if kinds := together(f); kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
			t.Fatalf("of several callers who want one %s one gets it, got %v", what, kinds)
		}
	}
	for round := range 5 {
		id := numbered("r", round)
		one("name", func(n int) error {
			i := issuer(numbered(id+"n", n))
			i.Name = id
			return s.Issuers.CreateIssuer(ctx, i)
		})
		one("URL", func(n int) error {
			i := issuer(numbered(id+"u", n))
			i.URL = "https://" + id
			return s.Issuers.CreateIssuer(ctx, i)
		})
		one("place", func(n int) error { // in both orders: nobody waits in a circle
			i := issuer(numbered(id+"p", n))
			i.Places = []directory.Place{{Host: id, Path: fmt.Sprint("/", n%2)}, {Host: id, Path: fmt.Sprint("/", 1-n%2)}}
			return s.Issuers.CreateIssuer(ctx, i)
		})
		one("version", func(n int) error {
			i, err := s.Issuers.Issuer(ctx, id)
			if err != nil {
				return err
			}
			i.Version, i.Preset = 1, fmt.Sprint(n)
			return s.Issuers.UpdateIssuer(ctx, i)
		})
	}
}

func once(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Once
	ok(t, r.Use(ctx, "a", at(0), at(10)))
	refused(t, r.Use(ctx, "a", at(0), at(10)), fault.Conflict)
	ok(t, r.Use(ctx, "A", at(0), at(10)))
	refused(t, r.Use(ctx, "a", at(10), at(20)), fault.Conflict) // up to its time, and at it
	ok(t, r.Use(ctx, "a", at(11), at(20)))
	refused(t, r.Use(ctx, "a", at(11), at(20)), fault.Conflict)
	long := fmt.Sprintf("%10000s\x00\xff", "j")
	ok(t, r.Use(ctx, long, at(0), at(10)))
	refused(t, r.Use(ctx, long, at(0), at(10)), fault.Conflict)
	for round := range 20 {
		// Half of the rounds use what was used before and has expired, while it is being forgotten.
		key, now := numbered("k", round/2), at(round*300)
		kinds := together(func(int) error { return r.Use(ctx, key, now, now.Add(100*time.Second)) })
		if kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
			t.Fatal("what is used once is used by one of several, got ", kinds)
		}
		refused(t, r.Use(ctx, key, now, now.Add(100*time.Second)), fault.Conflict)
	}
}
