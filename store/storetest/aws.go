package storetest

import (
	"encoding/json"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/store"
)

func accounts(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Accounts
	a := directory.Account{ID: "123456789012", Name: "Treaty", CreatedAt: at(0), Version: 1}
	b := directory.Account{ID: "000000000001", Name: "other", CreatedAt: at(1), Version: 1}
	got(t, []directory.Account{})(r.Accounts(ctx))
	ok(t, r.PutAccount(ctx, a))
	ok(t, r.PutAccount(ctx, b))
	got(t, a)(r.Account(ctx, a.ID))
	a.Name = "renamed"
	ok(t, r.PutAccount(ctx, a))
	a.Version = 2
	got(t, []directory.Account{b, a})(r.Accounts(ctx))
	missing[directory.Account](t)(r.Account(ctx, "999999999999"))
	changingAccounts(t, s, a, b)

	k := directory.AccessKey{ID: "AKIAEXAMPLE", AccountID: a.ID, Principal: "arn:aws:iam::123456789012:root", PrincipalID: a.ID,
		Secret: "wJalrXUtnFEMI/K7MDENG", Active: true, CreatedAt: at(2)}
	ok(t, r.PutAccessKey(ctx, k))
	for range 2 { // the second may come from a cache
		got(t, k)(r.AccessKey(ctx, k.ID))
	}
	k.Active, k.Secret = false, "another"
	ok(t, r.PutAccessKey(ctx, k))
	got(t, k)(r.AccessKey(ctx, k.ID))
	missing[directory.AccessKey](t)(r.AccessKey(ctx, "AKIANOBODY"))
}

// changingAccounts updates accounts by version, with an alias and an issuer of their own.
func changingAccounts(t *testing.T, s *store.Store, a, b directory.Account) {
	t.Helper()
	ctx := t.Context()
	r := s.Accounts
	missing[directory.Account](t)(r.AccountByTokenIssuer(ctx, ""))
	missing[directory.Account](t)(r.AccountByTokenIssuer(ctx, "guid"))
	a.Alias, a.TokenIssuer, a.TokensEnabled = "treaty", "guid", true
	ok(t, r.UpdateAccount(ctx, a))
	refused(t, r.UpdateAccount(ctx, a), fault.Conflict, "version")
	a.Version++
	for range 2 {
		got(t, a)(r.AccountByTokenIssuer(ctx, "guid"))
		got(t, a)(r.Account(ctx, a.ID))
	}
	taken := b
	taken.Alias = "treaty"
	refused(t, r.UpdateAccount(ctx, taken), fault.Conflict, "alias")
	refused(t, r.PutAccount(ctx, taken), fault.Conflict, "alias")
	taken.Alias, taken.TokenIssuer = "", "guid"
	refused(t, r.UpdateAccount(ctx, taken), fault.Conflict, "token_issuer")
	got(t, b)(r.Account(ctx, b.ID))
	if kinds := together(func(int) error { return r.UpdateAccount(ctx, b) }); kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("of several updates of one version one holds, got ", kinds)
	}
	a.Alias = ""
	ok(t, r.UpdateAccount(ctx, a))
	b.Alias, b.Version = "treaty", 2
	ok(t, r.UpdateAccount(ctx, b)) // what one gave up another may take
	b.ID = "999999999999"
	refused(t, r.UpdateAccount(ctx, b), fault.NotFound)
}

func pool(id string) directory.IdentityPool {
	return directory.IdentityPool{ID: id, AccountID: "123456789012", Region: "us-east-1", Name: "my-identity-pool", DeveloperProvider: "my.dev.provider",
		AllowClassic: new(false), Tags: map[string]string{"a": "b"}, Settings: json.RawMessage(`{"x":["y"]}`), CreatedAt: at(3), Version: 1}
}

func pools(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Pools
	for _, id := range unordered {
		ok(t, r.CreatePool(ctx, pool(id)))
	}
	other := pool("elsewhere")
	other.Region, other.Tags, other.Settings, other.AllowClassic = "eu-west-1", map[string]string{}, nil, nil
	ok(t, r.CreatePool(ctx, other))
	foreign := pool("foreign")
	foreign.AccountID = "000000000001"
	ok(t, r.CreatePool(ctx, foreign))
	refused(t, r.CreatePool(ctx, pool("a")), fault.Conflict, "id")
	pages(t, unordered, func(p directory.IdentityPool) string { return p.ID }, func(after string, limit int) ([]directory.IdentityPool, error) {
		return r.Pools(ctx, "123456789012", "us-east-1", after, limit)
	})
	for range 2 {
		got(t, other)(r.Pool(ctx, other.ID))
	}
	p := pool("a")
	got(t, p)(r.Pool(ctx, "a"))
	p.Name = "renamed"
	ok(t, r.UpdatePool(ctx, p))
	refused(t, r.UpdatePool(ctx, p), fault.Conflict, "version")
	p.Version = 2
	got(t, p)(r.Pool(ctx, "a"))
	if kinds := together(func(int) error { return r.UpdatePool(ctx, p) }); kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("of several updates of one version one holds, got ", kinds)
	}
	p.ID = "nowhere"
	refused(t, r.UpdatePool(ctx, p), fault.NotFound)
	_, _, err := s.Identities.Resolve(ctx, directory.Identity{ID: "i", PoolID: "a", Logins: []directory.Login{{Provider: "p", User: "u"}}})
	ok(t, err)
	ok(t, r.DeletePool(ctx, "a"))
	refused(t, r.DeletePool(ctx, "a"), fault.NotFound)
	missing[directory.IdentityPool](t)(r.Pool(ctx, "a"))
	missing[directory.Identity](t)(s.Identities.Identity(ctx, "i"))
	missing[directory.Identity](t)(s.Identities.ByLogin(ctx, "a", directory.Login{Provider: "p", User: "u"}))
}

func login(user string) directory.Login {
	return directory.Login{Provider: "my.dev.provider", User: user}
}

// identity resolves a new identity of pool "p".
func identity(t *testing.T, s *store.Store, id string, users ...string) directory.Identity {
	t.Helper()
	fresh := directory.Identity{ID: id, PoolID: "p", CreatedAt: at(4), ModifiedAt: at(4)}
	for _, u := range users {
		fresh.Logins = append(fresh.Logins, login(u))
	}
	i, created, err := s.Identities.Resolve(t.Context(), fresh)
	ok(t, err)
	if !created || i.ID != id {
		t.Fatalf("created %v %v", created, i)
	}
	return i
}

func identities(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Identities
	ok(t, s.Pools.CreatePool(ctx, pool("p")))
	ok(t, s.Pools.CreatePool(ctx, pool("q")))
	one := identity(t, s, "one", "b", "a", "a")
	got(t, directory.Identity{ID: "one", PoolID: "p", Logins: []directory.Login{login("a"), login("b")}, CreatedAt: at(4), ModifiedAt: at(4)})(one, nil)
	got(t, one)(r.Identity(ctx, "one"))
	got(t, one)(r.ByLogin(ctx, "p", login("b")))
	missing[directory.Identity](t)(r.ByLogin(ctx, "q", login("b")))

	same, created, err := r.Resolve(ctx, directory.Identity{ID: "two", PoolID: "p", Logins: []directory.Login{login("c"), login("b")}})
	if created {
		t.Fatal("a known login makes no identity")
	}
	got(t, one)(same, err)
	missing[directory.Identity](t)(r.Identity(ctx, "two"))
	_, _, err = r.Resolve(ctx, directory.Identity{ID: "one", PoolID: "p"})
	refused(t, err, fault.Conflict, "id")
	_, _, err = r.Resolve(ctx, directory.Identity{ID: "three", PoolID: "nowhere"})
	refused(t, err, fault.NotFound)
	two := identity(t, s, "two") // a guest: no login
	got(t, two)(r.Identity(ctx, "two"))

	ok(t, r.Link(ctx, two, at(5), login("c"), login("d"), login("c")))
	refused(t, r.Link(ctx, two, at(5), login("e")), fault.Conflict, "logins") // it has others than were seen
	two.Logins = []directory.Login{login("d"), login("c")}                    // in any order
	ok(t, r.Link(ctx, two, at(5), login("c")))
	refused(t, r.Link(ctx, two, at(6), login("e"), login("a")), fault.Conflict, "login")
	missing[directory.Identity](t)(r.ByLogin(ctx, "p", login("e"))) // all or nothing
	refused(t, r.Link(ctx, directory.Identity{ID: "nobody"}, at(6), login("e")), fault.NotFound)
	two.Logins, two.ModifiedAt = []directory.Login{login("c"), login("d")}, at(5)
	got(t, two)(r.Identity(ctx, "two"))

	refused(t, r.Unlink(ctx, "two", at(7), login("c"), login("a")), fault.NotFound)
	got(t, two)(r.Identity(ctx, "two"))
	ok(t, r.Unlink(ctx, "two", at(7), login("c")))
	refused(t, r.Unlink(ctx, "two", at(7), login("c")), fault.NotFound)
	two.Logins, two.ModifiedAt = []directory.Login{login("d")}, at(7)
	got(t, two)(r.Identity(ctx, "two"))

	for _, id := range unordered {
		identity(t, s, id, "user of "+id, "second of "+id)
	}
	pages(t, append([]string{"one", "two"}, unordered...), func(i directory.Identity) string { return i.ID }, func(after string, limit int) ([]directory.Identity, error) {
		return r.Identities(ctx, "p", after, limit, false)
	})
	got(t, []directory.Identity{})(r.Identities(ctx, "q", "", 10, false))
	ok(t, r.DeleteIdentity(ctx, "two"))
	refused(t, r.DeleteIdentity(ctx, "two"), fault.NotFound)
	missing[directory.Identity](t)(r.ByLogin(ctx, "p", login("d")))
}

func merging(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Identities
	ok(t, s.Pools.CreatePool(ctx, pool("p")))
	ok(t, s.Pools.CreatePool(ctx, pool("q")))
	source := identity(t, s, "source", "a", "b")
	destination := identity(t, s, "destination", "c")
	_, _, err := r.Resolve(ctx, directory.Identity{ID: "foreign", PoolID: "q"})
	ok(t, err)
	refused(t, r.Merge(ctx, "source", "destination", at(8), 2), fault.LimitExceeded)
	refused(t, r.Merge(ctx, "source", "source", at(8), 9), fault.Invalid)
	refused(t, r.Merge(ctx, "source", "foreign", at(8), 9), fault.Invalid)
	refused(t, r.Merge(ctx, "source", "nobody", at(8), 9), fault.NotFound)
	refused(t, r.Merge(ctx, "nobody", "source", at(8), 9), fault.NotFound)
	got(t, source)(r.Identity(ctx, "source")) // nothing half made
	ok(t, r.Merge(ctx, "source", "destination", at(9), 3))
	source.Logins, source.Disabled, source.MergedInto, source.ModifiedAt = nil, true, "destination", at(9)
	destination.Logins, destination.ModifiedAt = []directory.Login{login("a"), login("b"), login("c")}, at(9)
	got(t, source)(r.Identity(ctx, "source"))
	got(t, destination)(r.Identity(ctx, "destination"))
	got(t, destination)(r.ByLogin(ctx, "p", login("a")))
	got(t, []directory.Identity{destination})(r.Identities(ctx, "p", "", 9, true))
	got(t, []directory.Identity{destination, source})(r.Identities(ctx, "p", "", 9, false))
	refused(t, r.Merge(ctx, "source", "destination", at(9), 9), fault.Conflict, "disabled")
	refused(t, r.Merge(ctx, "destination", "source", at(9), 9), fault.Conflict, "disabled")
	refused(t, r.Link(ctx, source, at(9), login("z")), fault.Conflict, "disabled")

	// Each of several is merged into the same one, and back at once: one way holds for each.
	for n := range several {
		identity(t, s, numbered("m", n), numbered("x", n), numbered("y", n))
	}
	kinds := together(func(n int) error {
		from, to := numbered("m", n/2*2), numbered("m", n/2*2+1)
		if n%2 == 1 {
			from, to = to, from
		}
		return r.Merge(ctx, from, to, at(10), 20)
	})
	if kinds[""] != several/2 || kinds[fault.Conflict] != several/2 {
		t.Fatal("of two opposite merges one holds, got ", kinds)
	}
	for n := range several {
		i, err := r.ByLogin(ctx, "p", login(numbered("x", n)))
		ok(t, err)
		if i.Disabled || len(i.Logins) != 4 {
			t.Fatal("a login's identity is enabled and has both's logins: ", i)
		}
	}
}

func resolving(t *testing.T, s *store.Store) {
	ctx := t.Context()
	ok(t, s.Pools.CreatePool(ctx, pool("p")))
	for round := range 10 {
		ids, fresh := make([]string, several), make([]bool, several)
		kinds := together(func(n int) error {
			logins := []directory.Login{login(numbered("u", round)), login(numbered("v", round))}
			if n%2 == 1 {
				logins[0], logins[1] = logins[1], logins[0]
			}
			i, created, err := s.Identities.Resolve(ctx, directory.Identity{ID: numbered("r", round) + numbered("n", n), PoolID: "p", Logins: logins})
			ids[n], fresh[n] = i.ID, created
			return err
		})
		made := 0
		for n := range several {
			if ids[n] != ids[0] {
				t.Fatal("callers with one login get one identity, got ", ids)
			}
			if fresh[n] {
				made++
			}
		}
		if kinds[""] != several || made != 1 {
			t.Fatalf("%v, %d created", kinds, made)
		}
	}
	all, err := s.Identities.Identities(ctx, "p", "", 100, false)
	ok(t, err)
	if len(all) != 10 {
		t.Fatalf("%d identities, want 10: those who lost left some behind", len(all))
	}
	kinds := together(func(n int) error {
		return s.Identities.Link(ctx, all[n], at(1), login("wanted"))
	})
	if kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("one identity gets a login that several want, got ", kinds)
	}
	same, err := s.Identities.Identity(ctx, all[0].ID)
	ok(t, err)
	kinds = together(func(n int) error {
		return s.Identities.Link(ctx, same, at(1), directory.Login{Provider: "public", User: numbered("person", n)})
	})
	if kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("one of several finds an identity as they all saw it, got ", kinds)
	}
	other, err := s.Identities.Identity(ctx, all[1].ID)
	ok(t, err)
	ok(t, s.Identities.Link(ctx, other, at(1), directory.Login{Provider: "public", User: "another"}))
	refused(t, s.Identities.Merge(ctx, all[1].ID, all[0].ID, at(2), 20), fault.Conflict, "provider")
	got(t, false)(func() (bool, error) {
		i, err := s.Identities.Identity(ctx, all[1].ID)
		return i.Disabled || len(i.Logins) == 0, err
	}())
}
