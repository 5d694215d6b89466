package seed

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/store"
	"github.com/treatyfed/treaty/store/storetest"
)

const identities = `
accounts:
  - id: "210987654321"
    alias: workloads
    access_keys:
      - {id: AKIAIOSFODNN7EXAMPLE, secret: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY}
      - {id: AKIAI44QH8DHBEXAMPLE, secret: je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY, user: bob}
    policies:
      - name: ReadOrders
        path: /shop/
        description: of all shops
        document:
          Version: 2012-10-17
          Statement:
            - {Sid: Read, Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::orders/*", Condition: {Bool: {"aws:SecureTransport": true}}}
        tags: {team: shop}
    groups:
      - {name: Staff, managed_policies: ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}
      - {name: guests}
    users:
      - name: ada
        id: AIDAADAADAADAADAADA99
        path: /people/
        groups: [staff]
        managed_policies: ["arn:aws:iam::210987654321:policy/shop/ReadOrders"]
        boundary: arn:aws:iam::aws:policy/ReadOnlyAccess
        inline_policies:
          - name: own
            document: '{ "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}] }'
        tags: {b: "2", a: "1"}
        access_keys: [{id: AKIAADAEXAMPLE000000, secret: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY}]
    roles:
      - name: deploy
        description: from GitHub
        max_session: 7200
        trust:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Principal: {Federated: "arn:aws:iam::210987654321:oidc-provider/token.actions.githubusercontent.com"}
              Action: sts:AssumeRoleWithWebIdentity
              Condition: {StringEquals: {"token.actions.githubusercontent.com:sub": "repo:shop/app:ref:refs/heads/main"}}
            - Effect: Allow
              Principal: {AWS: ["arn:aws:iam::210987654321:user/people/ada", "arn:aws:iam::210987654321:role/audit", "210987654321"]}
              Action: sts:AssumeRole
      - name: audit
        boundary: arn:aws:iam::210987654321:policy/shop/ReadOrders
        trust: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/late"},"Action":"sts:AssumeRole"}}'
    oidc_providers:
      - {url: "https://token.actions.githubusercontent.com:443", client_ids: [sts.amazonaws.com, sts.amazonaws.com], thumbprints: [A031C46782E6E6C662C2C87C76DA9AA62CCABD8E], tags: {a: b}}
  - id: "111122223333"
    users: [{name: late}]
`

var clock = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// target is a store with the accounts' side of a Target on it.
func target(t *testing.T) (*store.Store, Target) {
	t.Helper()
	s := storetest.New(t, "")
	return s, Target{
		Accounts: s.Accounts, Pools: s.Pools, Identities: s.Identities, Now: func() time.Time { return clock },
		IAM: IAM{Roles: s.IAMRoles, Users: s.IAMUsers, Groups: s.IAMGroups, Policies: s.IAMPolicies, OIDC: s.OIDCProviders, Memberships: s.Memberships, Keys: s.AccessKeys,
			Managed: func(arn string) (string, bool) { return "{}", strings.HasSuffix(arn, "/ReadOnlyAccess") }},
	}
}

func apply(t *testing.T, to Target, text string) {
	t.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := to.Apply(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// have stops at an error.
func have[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Error("-want +got\n", d)
	}
}

const account = "210987654321"

func TestIdentitiesAreMadeAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	s, to := target(t)
	ctx := t.Context()
	for range 2 { // the second time does nothing: every version is the first
		apply(t, to, identities)
		ada := have[directory.IAMUser](t)(s.IAMUsers.Named(ctx, account, "ada"))
		same(t, directory.IAMUser{
			IAMEntity: directory.IAMEntity{ID: "AIDAADAADAADAADAADA99", AccountID: account, ARN: "arn:aws:iam::210987654321:user/people/ada", Path: "/people/", Name: "ada",
				Tags: []directory.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}, CreatedAt: clock, Version: 1},
			Grants: directory.Grants{
				Inline:  []directory.InlinePolicy{{Name: "own", Document: `{ "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}] }`}},
				Managed: []string{"arn:aws:iam::210987654321:policy/shop/ReadOrders"}, Boundary: "arn:aws:iam::aws:policy/ReadOnlyAccess",
			},
		}, ada)
		groups := have[[]directory.IAMGroup](t)(s.Memberships.GroupsOf(ctx, ada.ID))
		if len(groups) != 1 || groups[0].Name != "Staff" || len(groups[0].ID) != 21 || groups[0].Managed[0] != "arn:aws:iam::aws:policy/ReadOnlyAccess" {
			t.Error("groups", groups)
		}
		k := have[directory.AccessKey](t)(s.Accounts.AccessKey(ctx, "AKIAADAEXAMPLE000000"))
		if k.Principal != ada.ARN || k.PrincipalID != ada.ID || !k.Active {
			t.Errorf("key %+v", k)
		}
		bob := have[directory.IAMUser](t)(s.IAMUsers.Named(ctx, account, "bob"))
		if k := have[directory.AccessKey](t)(s.Accounts.AccessKey(ctx, "AKIAI44QH8DHBEXAMPLE")); k.PrincipalID != bob.ID || k.Principal != "arn:aws:iam::210987654321:user/bob" {
			t.Errorf("a key's user is made: %+v", k)
		}
		if root := have[[]directory.AccessKey](t)(s.AccessKeys.AccessKeysOf(ctx, account)); len(root) != 1 || root[0].Principal != "arn:aws:iam::210987654321:root" {
			t.Error("the root's keys", root)
		}

		p := have[directory.IAMPolicy](t)(s.IAMPolicies.WithARN(ctx, "arn:aws:iam::210987654321:policy/shop/ReadOrders"))
		var compact map[string]any
		if err := json.Unmarshal([]byte(p.Versions[0].Document), &compact); err != nil || p.Default != "v1" || p.Next != 2 || p.Version != 1 {
			t.Errorf("policy %+v %v", p, err)
		}
		same(t, map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::orders/*",
			"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "true"}},
		}}}, compact)

		provider := have[directory.OIDCProvider](t)(s.OIDCProviders.Named(ctx, account, "token.actions.githubusercontent.com"))
		same(t, []string{"sts.amazonaws.com"}, provider.ClientIDs)
		same(t, []string{"a031c46782e6e6c662c2c87c76da9aa62ccabd8e"}, provider.Thumbprints)
		if provider.ARN != "arn:aws:iam::210987654321:oidc-provider/token.actions.githubusercontent.com" || provider.Version != 1 {
			t.Errorf("provider %+v", provider)
		}

		deploy := have[directory.IAMRole](t)(s.IAMRoles.Named(ctx, account, "deploy"))
		audit := have[directory.IAMRole](t)(s.IAMRoles.Named(ctx, account, "audit"))
		late := have[directory.IAMUser](t)(s.IAMUsers.Named(ctx, "111122223333", "late"))
		same(t, map[string]string{ada.ARN: ada.ID, audit.ARN: audit.ID}, deploy.TrustIDs)
		same(t, map[string]string{late.ARN: late.ID}, audit.TrustIDs)
		if deploy.MaxSession != 7200 || audit.MaxSession != 3600 || deploy.Version != 2 || audit.Boundary != p.ARN {
			t.Errorf("roles %+v %+v", deploy, audit)
		}
		if a := have[directory.Account](t)(s.Accounts.Account(ctx, account)); a.Alias != "workloads" || a.Name != account || a.Version != 1 {
			t.Errorf("account %+v", a)
		}
	}
}

func TestWhatTheDocumentSaysNowReplacesWhatItSaid(t *testing.T) {
	t.Parallel()
	s, to := target(t)
	ctx := t.Context()
	apply(t, to, identities)
	a := have[directory.Account](t)(s.Accounts.Account(ctx, account))
	a.TokenIssuer, a.TokensEnabled = "guid", true
	if err := s.Accounts.UpdateAccount(ctx, a); err != nil {
		t.Fatal(err)
	}
	bob := have[directory.IAMUser](t)(s.IAMUsers.Named(ctx, account, "bob"))
	bob.Managed = []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"} // by somebody, at run time
	if err := s.IAMUsers.Update(ctx, bob); err != nil {
		t.Fatal(err)
	}
	before := have[directory.IAMRole](t)(s.IAMRoles.Named(ctx, account, "audit"))
	for n := range 7 {
		action := strings.Repeat("a", n+1)
		apply(t, to, strings.NewReplacer("groups: [staff]", "groups: [guests]", "s3:GetObject", "s3:"+action, "alias: workloads", "name: Renamed",
			"name: audit", "name: Audit").Replace(strings.ReplaceAll(identities, "role/audit", "role/Audit")))
	}
	ada := have[directory.IAMUser](t)(s.IAMUsers.Named(ctx, account, "ada"))
	if groups := have[[]directory.IAMGroup](t)(s.Memberships.GroupsOf(ctx, ada.ID)); len(groups) != 1 || groups[0].Name != "guests" {
		t.Error("groups", groups)
	}
	p := have[directory.IAMPolicy](t)(s.IAMPolicies.Named(ctx, account, "ReadOrders"))
	if len(p.Versions) != 5 || p.Default != "v8" || p.Versions[0].ID != "v8" || p.Next != 9 || !strings.Contains(p.Versions[0].Document, "s3:aaaaaaa") {
		t.Errorf("policy %+v", p)
	}
	got := have[directory.Account](t)(s.Accounts.Account(ctx, account))
	same(t, directory.Account{ID: account, Name: "Renamed", Alias: "workloads", TokenIssuer: "guid", TokensEnabled: true, CreatedAt: clock, Version: 3}, got)
	if u := have[directory.IAMUser](t)(s.IAMUsers.Named(ctx, account, "bob")); len(u.Managed) != 1 {
		t.Error("a user who is only named by a key is left alone: ", u)
	}
	audit := have[directory.IAMRole](t)(s.IAMRoles.Named(ctx, account, "audit"))
	if audit.ID != before.ID || audit.Name != "Audit" || audit.ARN == before.ARN {
		t.Errorf("a name in another case renames: %+v", audit)
	}
	// A user who was renamed at run time gets his name back.
	ada.Name, ada.ARN = "lovelace", "arn:aws:iam::210987654321:user/people/lovelace"
	if err := s.IAMUsers.Update(ctx, ada); err != nil {
		t.Fatal(err)
	}
	apply(t, to, identities)
	if u := have[directory.IAMUser](t)(s.IAMUsers.WithID(ctx, ada.ID)); u.Name != "ada" {
		t.Error(u)
	}
}

func TestReferencesToNothingAreProblems(t *testing.T) {
	t.Parallel()
	_, to := target(t)
	d, err := Parse([]byte(strings.NewReplacer("groups: [staff]", "groups: [nobody]", "policy/shop/ReadOrders\"]", "policy/Nothing\"]",
		"users: [{name: late}]", "groups: [{name: g, managed_policies: [\"arn:aws:iam::aws:policy/Nothing\"]}]").Replace(identities)))
	if err != nil {
		t.Fatal(err)
	}
	err = to.Apply(t.Context(), d)
	var ps config.Problems
	if !errors.As(err, &ps) {
		t.Fatal(err)
	}
	var paths []string
	for _, p := range ps {
		paths = append(paths, p.Path)
	}
	same(t, []string{"accounts[0].users[0]", "accounts[1].groups[0]", "accounts[0].roles[0].trust", "accounts[0].roles[1].trust"}, paths)

	_, to = target(t)
	d, err = Parse([]byte(strings.ReplaceAll(identities, "groups: [staff]", "groups: [Staff, nobody]")))
	if err != nil {
		t.Fatal(err)
	}
	if err = to.Apply(t.Context(), d); err == nil || !strings.Contains(err.Error(), `accounts[0].users[0].groups[1]: there is no group "nobody"`) {
		t.Fatal(err)
	}
}

func TestEveryProblemOfIdentitiesIsReportedWithItsPath(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(`
accounts:
  - id: "210987654321"
    alias: a--b
    policies:
      - {name: "a b", path: "/x y/", description: "😀", id: AROA0000000000000000X}
      - {name: big, document: '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"` + strings.Repeat("x", 6144) + `"}}'}
    groups: [{name: g, inline_policies: [{name: p, document: "{"}, {name: P, document: {Statement: []}}]}, {name: G}]
    users:
      - name: ` + strings.Repeat("u", 65) + `
        path: people
        groups: [a, b, c, d, e, f, g, h, i, j, k]
        managed_policies: [nonsense, "arn:aws:iam::111122223333:policy/p", "arn:aws:iam::aws:policy/p", "arn:aws:iam::aws:policy/p"]
        boundary: "arn:aws:iam::210987654321:role/r"
        tags: {"aws:x": y, Team: a, team: "\u0007"}
        access_keys: [{id: short, secret: short}, {id: AKIA0000000000000000, secret: long-enough-for-a-key}, {id: AKIA0000000000000000, secret: long-enough-for-a-key}]
    roles:
      - {name: r, max_session: 60}
      - {name: s, trust: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "*", Resource: "*"}}}
    oidc_providers:
      - {url: "http://issuer.example", client_ids: [""], thumbprints: [xyz]}
      - {url: "https://issuer.example/a"}
      - {url: "https://issuer.example:443/a"}
      - {url: "https://issuer.example/A?x"}
`))
	var ps config.Problems
	if !errors.As(err, &ps) {
		t.Fatalf("got %v", err)
	}
	got := map[string]bool{}
	for _, p := range ps {
		got[p.Path] = true
	}
	const a = "accounts[0]."
	for _, want := range []string{
		"alias", "policies[0].name", "policies[0].path", "policies[0].description", "policies[0].id", "policies[0].document", "policies[1].document",
		"groups[0].inline_policies[0].document", "groups[0].inline_policies[1].name", "groups[0].inline_policies[1].document", "groups[1].name",
		"users[0].name", "users[0].path", "users[0].groups", "users[0].managed_policies[0]", "users[0].managed_policies[1]", "users[0].managed_policies[3]",
		"users[0].boundary", "users[0].tags.aws:x", "users[0].tags.team", "users[0].access_keys", "users[0].access_keys[0].id", "users[0].access_keys[0].secret",
		"users[0].access_keys[2].id", "roles[0].trust", "roles[0].max_session", "roles[1].trust",
		"oidc_providers[0].url", "oidc_providers[0].client_ids[0]", "oidc_providers[0].thumbprints[0]", "oidc_providers[2].url", "oidc_providers[3].url",
	} {
		if !got[a+want] {
			t.Errorf("no problem at %s", want)
		}
		delete(got, a+want)
	}
	if len(got) > 0 {
		t.Error("more problems: ", got)
	}
}

func TestPoliciesAreWrittenAsJSONOrYAML(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ yaml, want string }{
		"text stays as it is":        {`'{ "a":  1 }'`, `{ "a":  1 }`},
		"members keep their order":   {"{b: x, a: [y, z]}", "{\n  \"b\": \"x\",\n  \"a\": [\n    \"y\",\n    \"z\"\n  ]\n}"},
		"scalars are strings":        {"{a: 2012-10-17, b: true, c: 012345678901, d: <&>}", "{\n  \"a\": \"2012-10-17\",\n  \"b\": \"true\",\n  \"c\": \"012345678901\",\n  \"d\": \"<&>\"\n}"},
		"nothing in it":              {"{a: {}, b: []}", "{\n  \"a\": {},\n  \"b\": []\n}"},
		"a list is refused":          {"[a]", ""},
		"a missing value is refused": {"{a: }", ""},
		"a key is a word":            {"{[a]: b}", ""},
		"deep nesting is refused":    {strings.Repeat("{a: ", 20) + "b" + strings.Repeat("}", 20), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var d struct {
				P Policy `yaml:"p"`
			}
			err := config.Strict([]byte("p: "+c.yaml), &d)
			if (err == nil) != (c.want != "") || string(d.P) != c.want {
				t.Fatalf("%q %v", d.P, err)
			}
		})
	}
}

// Aliases of aliases would make a few lines gigabytes.
func TestAPolicyOfManyAliasesIsRefused(t *testing.T) {
	t.Parallel()
	text := "accounts:\n- id: \"210987654321\"\n  roles:\n  - name: r\n    trust:\n      a: &a [" + strings.Repeat("x, ", 50) + "x]\n"
	for c := byte('b'); c < 'k'; c++ {
		text += "      " + string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 50) + "*" + string(c-1) + "]\n"
	}
	if _, err := Parse([]byte(text)); err == nil {
		t.Fatal("taken")
	}
}

func TestAUsersOldKeyBecomesHis(t *testing.T) {
	t.Parallel()
	s, to := target(t)
	ctx := t.Context()
	// As an earlier version seeded it, before there were users.
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Accounts.PutAccount(ctx, directory.Account{ID: account, Name: account}))
	must(s.Accounts.PutAccessKey(ctx, directory.AccessKey{ID: "AKIAI44QH8DHBEXAMPLE", AccountID: account, Principal: "arn:aws:iam::210987654321:user/bob",
		PrincipalID: uniqueID("AIDA", account, "user", "bob"), Secret: "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY", Active: true}))
	for range 2 {
		apply(t, to, identities)
		bob := have[directory.IAMUser](t)(s.IAMUsers.Named(ctx, account, "bob"))
		keys := have[[]directory.AccessKey](t)(s.AccessKeys.AccessKeysOf(ctx, bob.ID))
		if len(keys) != 1 {
			t.Fatal(keys)
		}
	}
}

// FuzzParse wants no panic, and of what is taken, policies that IAM would take.
func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add(identities)
	f.Add(outside)
	f.Add("issuers: [{name: x, clients: [{id: c, keys: {keys: [{kty: EC}]}, attributes: {1: 2, a: .nan}, claims: {sub: \"1 +\"}}]}]")
	f.Add("accounts: [{id: \"210987654321\", roles: [{name: r, trust: {Statement: &a [*a]}}]}]")
	f.Add("accounts: [{id: \"210987654321\", policies: [{name: p, document: {a: {<<: {b: c}}}}]}]")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse([]byte(text))
		if err != nil {
			return
		}
		for _, a := range d.Accounts {
			for _, r := range a.Roles {
				if !json.Valid([]byte(r.Trust)) {
					t.Fatalf("%q", r.Trust)
				}
			}
		}
		if err := d.Check(); err != nil {
			t.Fatal("a checked document does not pass again: ", err)
		}
	})
}
