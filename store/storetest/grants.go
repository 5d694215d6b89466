package storetest

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/store"
)

func counts(t *testing.T, s *store.Store, attached, boundaries map[string]int) {
	t.Helper()
	a, b, err := s.Attachments.AttachmentCounts(t.Context(), account)
	ok(t, err)
	if d := cmp.Diff([]map[string]int{attached, boundaries}, []map[string]int{a, b}); d != "" {
		t.Fatal("-want +got\n", d)
	}
}

func attaching(t *testing.T, s *store.Store) {
	ctx := t.Context()
	world(t, s)
	counts(t, s, map[string]int{}, map[string]int{})
	p, q := managed("p"), managed("q")
	ok(t, s.IAMPolicies.Create(ctx, p, 9))
	ok(t, s.IAMPolicies.Create(ctx, q, 9))
	r, u, g := role("R"), person("ada"), team("admins")
	u.Path = "/people/"
	r.Managed, r.Boundary = []string{q.ARN, p.ARN, cloudPolicy, p.ARN}, p.ARN // as listed, once each
	u.Managed, u.Boundary = []string{p.ARN}, cloudPolicy
	g.Managed = []string{cloudPolicy}
	ok(t, s.IAMRoles.Create(ctx, r, 9))
	ok(t, s.IAMUsers.Create(ctx, u, 9))
	ok(t, s.IAMGroups.Create(ctx, g, 9))
	got(t, []directory.Attachment{{Kind: "role", EntityID: r.ID, Name: "R", Path: "/"}, {Kind: "role", EntityID: r.ID, Name: "R", Path: "/", Boundary: true},
		{Kind: "user", EntityID: u.ID, Name: "ada", Path: "/people/"}})(s.Attachments.Attachments(ctx, account, p.ARN))
	got(t, []directory.Attachment{{Kind: "group", EntityID: g.ID, Name: "admins", Path: "/"}, {Kind: "role", EntityID: r.ID, Name: "R", Path: "/"},
		{Kind: "user", EntityID: u.ID, Name: "ada", Path: "/people/", Boundary: true}})(s.Attachments.Attachments(ctx, account, cloudPolicy))
	got(t, []directory.Attachment{})(s.Attachments.Attachments(ctx, "000000000001", cloudPolicy))
	counts(t, s, map[string]int{p.ARN: 2, q.ARN: 1, cloudPolicy: 2}, map[string]int{p.ARN: 1, cloudPolicy: 1})
	got(t, r)(s.IAMRoles.Named(ctx, account, "r"))

	refused(t, s.IAMPolicies.Delete(ctx, p.ID, 1), fault.Conflict, "in use")
	refused(t, s.IAMPolicies.Delete(ctx, p.ID, 2), fault.Conflict, "version")
	r.Managed = nil // the boundary stays
	ok(t, s.IAMRoles.Update(ctx, r))
	ok(t, s.IAMUsers.Delete(ctx, u.ID, 1))
	counts(t, s, map[string]int{cloudPolicy: 1}, map[string]int{p.ARN: 1})
	ok(t, s.IAMPolicies.Delete(ctx, q.ID, 1))
	refused(t, s.IAMPolicies.Delete(ctx, p.ID, 1), fault.Conflict, "in use")
	got(t, p)(s.IAMPolicies.WithARN(ctx, p.ARN))

	r.Version, r.Boundary = 2, ""
	for _, gone := range []string{q.ARN, g.ARN, "arn:aws:iam::000000000001:policy/p", "p", ""} {
		again := r
		again.Managed = []string{cloudPolicy, gone}
		refused(t, s.IAMRoles.Update(ctx, again), fault.NotFound)
		again = role("new")
		again.Managed, again.Boundary = nil, gone
		if gone != "" {
			refused(t, s.IAMRoles.Create(ctx, again, 9), fault.NotFound)
		}
	}
	missing[directory.IAMRole](t)(s.IAMRoles.Named(ctx, account, "new")) // nothing half made
	counts(t, s, map[string]int{cloudPolicy: 1}, map[string]int{p.ARN: 1})
	ok(t, s.IAMRoles.Update(ctx, r))
	ok(t, s.IAMPolicies.Delete(ctx, p.ID, 1))
}

// racing attaches a policy while it is deleted: either it is attached and stays, or it is gone and not attached.
func racing(t *testing.T, s *store.Store) {
	ctx := t.Context()
	world(t, s)
	for round := range 10 {
		p := managed(numbered("p", round))
		ok(t, s.IAMPolicies.Create(ctx, p, math.MaxInt))
		for n := range several {
			ok(t, s.IAMUsers.Create(ctx, person(numbered("u", round*several+n)), math.MaxInt))
		}
		kinds := together(func(n int) error {
			if n == round%several {
				return s.IAMPolicies.Delete(ctx, p.ID, 1)
			}
			u := person(numbered("u", round*several+n))
			u.Managed = []string{p.ARN}
			return s.IAMUsers.Update(ctx, u)
		})
		a, err := s.Attachments.Attachments(ctx, account, p.ARN)
		ok(t, err)
		switch _, err := s.IAMPolicies.WithID(ctx, p.ID); {
		case err == nil && kinds[""] == several-1 && kinds[fault.Conflict] == 1 && len(a) == several-1:
		case err != nil && kinds[""] == 1 && kinds[fault.NotFound] == several-1 && len(a) == 0:
		default:
			t.Fatalf("%v, %d attached, the policy: %v", kinds, len(a), err)
		}
	}
}

func joining(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Memberships
	world(t, s)
	ok(t, s.Accounts.PutAccount(ctx, directory.Account{ID: "000000000001"}))
	ada, g := person("ada"), team("admins")
	ok(t, s.IAMUsers.Create(ctx, ada, 99))
	got(t, []directory.IAMGroup{})(r.GroupsOf(ctx, ada.ID))
	var teams []directory.IAMGroup
	for n := range several {
		teams = append(teams, team(numbered("t", n)))
		ok(t, s.IAMGroups.Create(ctx, teams[n], 99))
	}
	foreign := team("foreign")
	foreign.AccountID = "000000000001"
	ok(t, s.IAMGroups.Create(ctx, foreign, 99))
	refused(t, r.Join(ctx, ada.ID, foreign.ID, 9), fault.NotFound)
	refused(t, r.Join(ctx, ada.ID, g.ID, 9), fault.NotFound)
	refused(t, r.Join(ctx, ada.ID, ada.ID, 9), fault.NotFound)
	refused(t, r.Join(ctx, "nobody", teams[0].ID, 9), fault.NotFound)
	kinds := together(func(n int) error { return r.Join(ctx, ada.ID, teams[n].ID, 3) })
	if kinds[""] != 3 || kinds[fault.LimitExceeded] != several-3 {
		t.Fatal("there is room for three groups, got ", kinds)
	}
	have, err := r.GroupsOf(ctx, ada.ID)
	ok(t, err)
	if len(have) != 3 || have[0].Name >= have[1].Name || have[1].Name >= have[2].Name {
		t.Fatal("groups by name: ", have)
	}
	ok(t, r.Join(ctx, ada.ID, have[0].ID, 3)) // again, with no room
	refused(t, s.IAMUsers.Delete(ctx, ada.ID, 1), fault.Conflict, "in use")
	refused(t, s.IAMGroups.Delete(ctx, have[0].ID, 1), fault.Conflict, "in use")
	ok(t, r.Leave(ctx, ada.ID, have[0].ID))
	refused(t, r.Leave(ctx, ada.ID, have[0].ID), fault.NotFound)
	got(t, have[1:])(r.GroupsOf(ctx, ada.ID)) // seen at once
	ok(t, s.IAMGroups.Delete(ctx, have[0].ID, 1))
	renamed := have[1]
	renamed.Name, renamed.ARN = "T99", renamed.ARN+"9"
	ok(t, s.IAMGroups.Update(ctx, renamed))
	renamed.Version = 2
	got(t, []directory.IAMGroup{have[2], renamed})(r.GroupsOf(ctx, ada.ID))

	ok(t, s.IAMGroups.Create(ctx, g, 99))
	got(t, []directory.IAMUser{})(r.Members(ctx, g.ID, "", 9))
	names := []string{"b", "C", "a", "_", "a-b", "AB", "Á"}
	var keys []string
	for _, n := range names {
		ok(t, s.IAMUsers.Create(ctx, person(n), 99))
		ok(t, r.Join(ctx, person(n).ID, g.ID, 9))
		keys = append(keys, strings.ToLower(n))
	}
	pages(t, keys, func(u directory.IAMUser) string { return strings.ToLower(u.Name) }, func(after string, limit int) ([]directory.IAMUser, error) {
		return r.Members(ctx, g.ID, after, limit)
	})
	leavingOrDeleting(t, s, ada, have[2])
}

// leavingOrDeleting joins and deletes at once: a group with members is there.
func leavingOrDeleting(t *testing.T, s *store.Store, ada directory.IAMUser, g directory.IAMGroup) {
	t.Helper()
	ctx := t.Context()
	ok(t, s.Memberships.Leave(ctx, ada.ID, g.ID))
	kinds := together(func(n int) error {
		if n%2 == 0 {
			return s.IAMGroups.Delete(ctx, g.ID, 1)
		}
		return s.Memberships.Join(ctx, ada.ID, g.ID, 9)
	})
	_, err := s.IAMGroups.WithID(ctx, g.ID)
	members, merr := s.Memberships.Members(ctx, g.ID, "", 9)
	ok(t, merr)
	if gone := err != nil; gone != (len(members) == 0) || gone && kinds[""] != 1 || !gone && kinds[""] != several/2 {
		t.Fatalf("%v, %d members, the group: %v", kinds, len(members), err)
	}
}

func userKey(id, user string) directory.AccessKey {
	return directory.AccessKey{ID: id, AccountID: account, Principal: "arn:aws:iam::" + account + ":user/" + user, PrincipalID: person(user).ID,
		Secret: "wJalrXUtnFEMI/K7MDENG", Active: true, CreatedAt: at(2)}
}

func accessKeys(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.AccessKeys
	world(t, s)
	ok(t, s.IAMUsers.Create(ctx, person("ada"), 9))
	refused(t, r.CreateAccessKey(ctx, userKey("K", "nobody"), 2), fault.NotFound)
	elsewhere := userKey("K", "ada")
	elsewhere.AccountID = "000000000001"
	refused(t, r.CreateAccessKey(ctx, elsewhere, 2), fault.NotFound)
	got(t, []directory.AccessKey{})(r.AccessKeysOf(ctx, person("ada").ID))
	kinds := together(func(n int) error { return r.CreateAccessKey(ctx, userKey(numbered("K", n), "ada"), 2) })
	if kinds[""] != 2 || kinds[fault.LimitExceeded] != several-2 {
		t.Fatal("a user has two keys, got ", kinds)
	}
	have, err := r.AccessKeysOf(ctx, person("ada").ID)
	ok(t, err)
	if len(have) != 2 || have[0].ID >= have[1].ID || have[0].Secret != "" {
		t.Fatal("keys by id, without secrets: ", have)
	}
	first, second := userKey(have[0].ID, "ada"), userKey(have[1].ID, "ada")
	for range 2 {
		got(t, first)(s.Accounts.AccessKey(ctx, first.ID))
	}
	refused(t, r.CreateAccessKey(ctx, first, 3), fault.Conflict, "id")
	first.Active = false
	ok(t, r.SetAccessKeyActive(ctx, first.PrincipalID, first.ID, false))
	got(t, first)(s.Accounts.AccessKey(ctx, first.ID)) // seen at once, its secret kept
	refused(t, r.SetAccessKeyActive(ctx, "another", first.ID, true), fault.NotFound)
	refused(t, r.SetAccessKeyActive(ctx, first.PrincipalID, "another", true), fault.NotFound)
	refused(t, r.DeleteAccessKey(ctx, "another", first.ID), fault.NotFound)
	got(t, second)(s.Accounts.AccessKey(ctx, second.ID))

	refused(t, s.IAMUsers.Delete(ctx, first.PrincipalID, 1), fault.Conflict, "in use")
	ok(t, r.DeleteAccessKey(ctx, first.PrincipalID, first.ID))
	refused(t, r.DeleteAccessKey(ctx, first.PrincipalID, first.ID), fault.NotFound)
	missing[directory.AccessKey](t)(s.Accounts.AccessKey(ctx, first.ID))
	refused(t, s.IAMUsers.Delete(ctx, first.PrincipalID, 1), fault.Conflict, "in use")
	ok(t, r.DeleteAccessKey(ctx, first.PrincipalID, second.ID))
	ok(t, s.Accounts.PutAccessKey(ctx, first)) // a seeded key of a user is the user's as well
	refused(t, s.IAMUsers.Delete(ctx, first.PrincipalID, 1), fault.Conflict, "in use")
	ok(t, r.DeleteAccessKey(ctx, first.PrincipalID, first.ID))
	ok(t, s.IAMUsers.Delete(ctx, first.PrincipalID, 1))

	root := userKey("ROOT", "")
	root.Principal, root.PrincipalID = "arn:aws:iam::"+account+":root", account
	ok(t, r.CreateAccessKey(ctx, root, 1))
	root.ID = "ROOT2"
	refused(t, r.CreateAccessKey(ctx, root, 1), fault.LimitExceeded)
	ok(t, s.Accounts.PutAccessKey(ctx, root))
	nobody := userKey("SEEDED", "nobody") // its user may be made later, or never
	ok(t, s.Accounts.PutAccessKey(ctx, nobody))
	got(t, nobody)(s.Accounts.AccessKey(ctx, nobody.ID))
	if have, err := r.AccessKeysOf(ctx, account); err != nil || len(have) != 2 {
		t.Fatal("the root's keys: ", have, err)
	}
}

// keying creates a key while its user is deleted: a key has its user.
func keying(t *testing.T, s *store.Store) {
	ctx := t.Context()
	world(t, s)
	for round := range 10 {
		u := person(numbered("u", round))
		ok(t, s.IAMUsers.Create(ctx, u, math.MaxInt))
		kinds := together(func(n int) error {
			if n == round%several {
				return s.IAMUsers.Delete(ctx, u.ID, 1)
			}
			return s.AccessKeys.CreateAccessKey(ctx, userKey(numbered("K", round)+numbered("-", n), u.Name), several)
		})
		have, err := s.AccessKeys.AccessKeysOf(ctx, u.ID)
		ok(t, err)
		switch _, err := s.IAMUsers.WithID(ctx, u.ID); {
		case err == nil && kinds[""] == several-1 && kinds[fault.Conflict] == 1 && len(have) == several-1:
		case err != nil && kinds[""] == 1 && kinds[fault.NotFound] == several-1 && len(have) == 0:
		default:
			t.Fatalf("%v, %d keys, the user: %v", kinds, len(have), err)
		}
	}
}

func lastUse(t *testing.T, s *store.Store) {
	ctx := t.Context()
	world(t, s)
	got(t, directory.Use{})(s.Usage.LastUse(ctx, "AROA"))
	u := directory.Use{At: at(40), Service: "s3", Region: "us-east-1"}
	ok(t, s.Usage.NoteUse(ctx, "AROA", u))
	got(t, u)(s.Usage.LastUse(ctx, "AROA"))
	ok(t, s.Usage.NoteUse(ctx, "AROA", directory.Use{At: at(39), Service: "sts"})) // another replica's, which is late
	got(t, u)(s.Usage.LastUse(ctx, "AROA"))
	together(func(n int) error {
		return s.Usage.NoteUse(ctx, "AROA", directory.Use{At: at(50).Add(time.Duration(n) * time.Second)})
	})
	got(t, directory.Use{At: at(50 + several - 1)})(s.Usage.LastUse(ctx, "AROA"))

	// What is deleted was never used.
	ok(t, s.IAMUsers.Create(ctx, person("ada"), 9))
	ok(t, s.AccessKeys.CreateAccessKey(ctx, userKey("K", "ada"), 9))
	ok(t, s.Usage.NoteUse(ctx, "K", u))
	ok(t, s.Usage.NoteUse(ctx, person("ada").ID, u))
	ok(t, s.AccessKeys.DeleteAccessKey(ctx, person("ada").ID, "K"))
	ok(t, s.IAMUsers.Delete(ctx, person("ada").ID, 1))
	got(t, directory.Use{})(s.Usage.LastUse(ctx, "K"))
	got(t, directory.Use{})(s.Usage.LastUse(ctx, person("ada").ID))
}
