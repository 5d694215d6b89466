package storetest

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/store"
)

// account is the account of the entities here.
const account = "123456789012"

// entity is what an entity of a kind has, version 1.
func entity(kind, name string) directory.IAMEntity {
	return directory.IAMEntity{ID: strings.ToUpper(kind) + " " + name, AccountID: account, ARN: "arn:aws:iam::" + account + ":" + kind + "/" + name,
		Path: "/", Name: name, Tags: []directory.Tag{{Key: "team", Value: "Platform"}}, CreatedAt: at(20), Version: 1}
}

func role(name string) directory.IAMRole {
	return directory.IAMRole{IAMEntity: entity("role", name), Description: "d", Trust: `{"Statement": []}`, TrustIDs: map[string]string{"arn": "AIDA"}, MaxSession: 3600,
		Grants: directory.Grants{Inline: []directory.InlinePolicy{{Name: "p", Document: "{ }"}}, Managed: []string{cloudPolicy}}}
}

func person(name string) directory.IAMUser { return directory.IAMUser{IAMEntity: entity("user", name)} }

func team(name string) directory.IAMGroup {
	return directory.IAMGroup{IAMEntity: entity("group", name)}
}

func managed(name string) directory.IAMPolicy {
	return directory.IAMPolicy{IAMEntity: entity("policy", name), Description: "d", Default: "v2", Next: 3, UpdatedAt: at(21),
		Versions: []directory.PolicyVersion{{ID: "v2", Document: "{}", CreatedAt: at(21)}, {ID: "v1", Document: "{ }", CreatedAt: at(20)}}}
}

// cloudPolicy is a policy that has no row.
const cloudPolicy = "arn:aws:iam::aws:policy/ReadOnlyAccess"

// world puts the account.
func world(t *testing.T, s *store.Store) {
	t.Helper()
	ok(t, s.Accounts.PutAccount(t.Context(), directory.Account{ID: account}))
}

func iam(t *testing.T, s *store.Store) {
	world(t, s)
	kind(t, s.IAMRoles, role, func(r *directory.IAMRole) *directory.IAMEntity { return &r.IAMEntity }, strings.ToLower)
	kind(t, s.IAMUsers, person, func(u *directory.IAMUser) *directory.IAMEntity { return &u.IAMEntity }, strings.ToLower)
	kind(t, s.IAMGroups, team, func(g *directory.IAMGroup) *directory.IAMEntity { return &g.IAMEntity }, strings.ToLower)
	kind(t, s.IAMPolicies, managed, func(p *directory.IAMPolicy) *directory.IAMEntity { return &p.IAMEntity }, strings.ToLower)
	kind(t, s.OIDCProviders, func(name string) directory.OIDCProvider {
		return directory.OIDCProvider{IAMEntity: entity("oidc-provider", name), ClientIDs: []string{"b", "a"}, Thumbprints: []string{"00"}}
	}, func(p *directory.OIDCProvider) *directory.IAMEntity { return &p.IAMEntity }, func(name string) string { return name })
	kind(t, s.SAMLProviders, func(name string) directory.SAMLProvider {
		return directory.SAMLProvider{IAMEntity: entity("saml-provider", name), UUID: "SAMLSP", Metadata: "<x/>", Encryption: "Allowed",
			Keys: []directory.SAMLKey{{ID: "SAMLPK", Sealed: []byte{0, 255}, CreatedAt: at(1)}}, ValidUntil: at(50)}
	}, func(p *directory.SAMLProvider) *directory.IAMEntity { return &p.IAMEntity }, strings.ToLower)
	kind(t, s.MFADevices, device, func(d *directory.MFADevice) *directory.IAMEntity { return &d.IAMEntity }, strings.ToLower)
	// The kinds did not see each other, though they share names.
	for n, count := range []func(context.Context, string) (int, error){s.IAMRoles.Count, s.IAMUsers.Count, s.IAMGroups.Count, s.IAMPolicies.Count,
		s.OIDCProviders.Count, s.SAMLProviders.Count, s.MFADevices.Count} {
		if have, err := count(t.Context(), account); err != nil || have < 6 || have > 7 {
			t.Fatal(n, have, err)
		}
	}
	missing[directory.IAMUser](t)(s.IAMUsers.WithID(t.Context(), role("a").ID))
	missing[directory.IAMUser](t)(s.IAMUsers.WithARN(t.Context(), role("a").ARN))
	refused(t, s.IAMUsers.Delete(t.Context(), role("a").ID, 1), fault.NotFound)
}

func device(name string) directory.MFADevice {
	return directory.MFADevice{IAMEntity: entity("mfa", name), UserID: account, Sealed: []byte{0, 255}, EnabledAt: at(30), LastStep: 7}
}

// kind proves what every Entities promises. It leaves the names of unordered that key holds apart.
func kind[T directory.IAM](t *testing.T, r directory.Entities[T], named func(name string) T, of func(*T) *directory.IAMEntity, key func(string) string) {
	t.Helper()
	ctx := t.Context()
	names := slices.DeleteFunc(slices.Clone(unordered), func(n string) bool { return n == "B" && key("B") == "b" })
	var keys []string
	for _, n := range names {
		ok(t, r.Create(ctx, named(n), math.MaxInt))
		keys = append(keys, key(n))
	}
	another := func(v T) string { return key(of(&v).Name) }
	pages(t, keys, another, func(after string, limit int) ([]T, error) {
		if key("A") == "a" {
			after = strings.ToUpper(after) // after is a name, in any case
		}
		return r.List(ctx, account, after, limit)
	})
	got(t, []T{})(r.List(ctx, "000000000001", "", 9))
	got(t, 0)(r.Count(ctx, "000000000001"))
	got(t, len(names))(r.Count(ctx, account))

	v := named("a")
	e := of(&v)
	for range 2 { // the second may come from a cache
		got(t, v)(r.Named(ctx, account, "a"))
		got(t, v)(r.WithID(ctx, e.ID))
		got(t, v)(r.WithARN(ctx, e.ARN))
	}
	if key("A") == "a" {
		got(t, v)(r.Named(ctx, account, "A"))
		upper := named("AB")
		refused(t, r.Create(ctx, upper, math.MaxInt), fault.Conflict, "name")
	} else {
		missing[T](t)(r.Named(ctx, account, "A"))
	}
	missing[T](t)(r.Named(ctx, "000000000001", "a"))
	missing[T](t)(r.Named(ctx, account, "nobody"))
	missing[T](t)(r.WithID(ctx, "nobody"))
	missing[T](t)(r.WithARN(ctx, "nobody"))
	taken(t, r, named, of)
	changing(t, r, named, of)
	limits(t, r, named, of)
}

// taken proves which key a conflict names.
func taken[T directory.IAM](t *testing.T, r directory.Entities[T], named func(name string) T, of func(*T) *directory.IAMEntity) {
	t.Helper()
	ctx := t.Context()
	refused(t, r.Create(ctx, named("a"), math.MaxInt), fault.Conflict, "name") // and its id, and its ARN
	refused(t, r.Create(ctx, named("a"), 0), fault.Conflict, "name")           // and there is no room
	same, first := named("other"), named("a")
	of(&same).ID = of(&first).ID
	refused(t, r.Create(ctx, same, math.MaxInt), fault.Conflict, "id")
	same = named("other")
	of(&same).ARN = of(&first).ARN
	refused(t, r.Create(ctx, same, math.MaxInt), fault.Conflict, "arn")
	stranger := named("other")
	of(&stranger).AccountID = "999999999999"
	refused(t, r.Create(ctx, stranger, math.MaxInt), fault.NotFound)
	refused(t, r.Create(ctx, named("other"), 6), fault.LimitExceeded)
	missing[T](t)(r.Named(ctx, account, "other"))
}

// changing proves updates and deletions by version, and that both are seen at once.
func changing[T directory.IAM](t *testing.T, r directory.Entities[T], named func(name string) T, of func(*T) *directory.IAMEntity) {
	t.Helper()
	ctx := t.Context()
	v := named("x")
	e := of(&v)
	ok(t, r.Create(ctx, v, math.MaxInt))
	was := e.ARN
	got(t, v)(r.Named(ctx, account, "x"))
	e.Name, e.ARN, e.Path, e.Tags = "Renamed", was+"/renamed", "/p/", nil
	ok(t, r.Update(ctx, v))
	refused(t, r.Update(ctx, v), fault.Conflict, "version")
	e.Version = 2
	got(t, v)(r.Named(ctx, account, "Renamed"))
	got(t, v)(r.WithARN(ctx, e.ARN))
	got(t, v)(r.WithID(ctx, e.ID))
	missing[T](t)(r.Named(ctx, account, "x"))
	missing[T](t)(r.WithARN(ctx, was))

	clash := v
	of(&clash).Name = "a"
	refused(t, r.Update(ctx, clash), fault.Conflict, "name")
	clash = v
	taken := named("a")
	of(&clash).ARN = of(&taken).ARN
	refused(t, r.Update(ctx, clash), fault.Conflict, "arn")
	got(t, v)(r.WithID(ctx, e.ID)) // nothing half made, the version included
	if kinds := together(func(int) error { return r.Update(ctx, v) }); kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("of several updates of one version one holds, got ", kinds)
	}
	refused(t, r.Delete(ctx, e.ID, 2), fault.Conflict, "version")
	if kinds := together(func(int) error { return r.Delete(ctx, e.ID, 3) }); kinds[""] != 1 || kinds[fault.NotFound] != several-1 {
		t.Fatal("of several deletions one holds, got ", kinds)
	}
	refused(t, r.Delete(ctx, e.ID, 3), fault.NotFound)
	refused(t, r.Update(ctx, v), fault.NotFound)
	missing[T](t)(r.Named(ctx, account, "Renamed"))
	missing[T](t)(r.WithID(ctx, e.ID))
}

// limits has several callers create at once: one name, then several names with room for three.
func limits[T directory.IAM](t *testing.T, r directory.Entities[T], named func(name string) T, of func(*T) *directory.IAMEntity) {
	t.Helper()
	ctx := t.Context()
	have, err := r.Count(ctx, account)
	ok(t, err)
	kinds := together(func(n int) error {
		v := named("wanted")
		of(&v).ID += numbered(" ", n)
		return r.Create(ctx, v, math.MaxInt)
	})
	if kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("one of several gets a name, got ", kinds)
	}
	kinds = together(func(n int) error { return r.Create(ctx, named(numbered("n", n)), have+1+3) })
	if kinds[""] != 3 || kinds[fault.LimitExceeded] != several-3 {
		t.Fatal("there is room for three, got ", kinds)
	}
	all, err := r.List(ctx, account, "", 99)
	ok(t, err)
	for _, v := range all {
		if name := of(&v).Name; name == "wanted" || len(name) == 3 && name[0] == 'n' {
			ok(t, r.Delete(ctx, of(&v).ID, 1))
		}
	}
	got(t, have)(r.Count(ctx, account))
}

// codes proves that a code of an MFA device is good once: whoever raises the last step by version wins.
func codes(t *testing.T, s *store.Store) {
	ctx := t.Context()
	world(t, s)
	ok(t, s.IAMUsers.Create(ctx, person("ada"), 9))
	d := device("phone")
	d.UserID = "nobody"
	refused(t, s.MFADevices.Create(ctx, d, 9), fault.NotFound)
	d.UserID = ""
	ok(t, s.MFADevices.Create(ctx, d, 9))
	d.UserID = "nobody"
	refused(t, s.MFADevices.Update(ctx, d), fault.NotFound)
	d.UserID = person("ada").ID
	ok(t, s.MFADevices.Update(ctx, d))
	refused(t, s.IAMUsers.Delete(ctx, person("ada").ID, 1), fault.Conflict, "in use")
	for step := range int64(5) {
		kinds := together(func(int) error {
			d, err := s.MFADevices.WithARN(ctx, d.ARN)
			if err != nil || d.LastStep >= 100+step {
				return fault.New(fault.Conflict, "use code", "used")
			}
			d.LastStep = 100 + step
			return s.MFADevices.Update(ctx, d)
		})
		if kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
			t.Fatal("a code is good once, got ", kinds)
		}
	}
	d, err := s.MFADevices.Named(ctx, account, "phone")
	ok(t, err)
	d.UserID = ""
	ok(t, s.MFADevices.Update(ctx, d))
	ok(t, s.IAMUsers.Delete(ctx, person("ada").ID, 1))
}
