package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/store"
)

func keys(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Keys
	key := func(id string, sequence int) token.StoredKey {
		return token.StoredKey{ID: id, Ring: "entra", Sequence: sequence, Private: []byte("private " + id), Certificate: []byte{0, 1}, NotBefore: at(0), RetireAfter: at(9)}
	}
	second, first := key("second", 2), key("first", 1)
	bare := token.StoredKey{ID: "first", Ring: "cognito-identity/us-east-1", Sequence: 1, Private: []byte("p")}
	for _, k := range []token.StoredKey{second, first, bare} {
		ok(t, r.AddKey(ctx, k))
	}
	got(t, []token.StoredKey{first, second})(r.Keys(ctx, "entra"))
	got(t, []token.StoredKey{bare})(r.Keys(ctx, bare.Ring))
	got(t, []token.StoredKey{})(r.Keys(ctx, "nothing"))
	refused(t, r.AddKey(ctx, key("third", 2)), fault.Conflict, "sequence")
	refused(t, r.AddKey(ctx, key("first", 3)), fault.Conflict, "id")
	kinds := together(func(n int) error { return r.AddKey(ctx, key(numbered("k", n), 3)) })
	if kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("a ring has one key of a sequence, got ", kinds)
	}
	ok(t, r.RemoveKey(ctx, "entra", "first"))
	refused(t, r.RemoveKey(ctx, "entra", "first"), fault.NotFound)
	got(t, []token.StoredKey{bare})(r.Keys(ctx, bare.Ring))
}

func events(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Audit
	event := func(request, correlation string, n int) audit.Event {
		return audit.Event{RequestID: request, CorrelationID: correlation, Time: at(n), Surface: "entra", Operation: "token client_credentials", Caller: "c", Resource: "r",
			Outcome: audit.Refused, Code: "AADSTS700213", Evidence: json.RawMessage(`{"checks": [1]}`)}
	}
	first, second := event("Q1", "C1", 0), event("q2", "c1", 1)
	ok(t, r.Record(ctx, first))
	ok(t, r.Record(ctx, second))
	bare := audit.Event{RequestID: "q3", Time: at(0).Add(123456789 * time.Nanosecond), Outcome: audit.Allowed}
	ok(t, r.Record(ctx, bare))
	got(t, first)(r.Find(ctx, "q1"))
	got(t, second)(r.Find(ctx, "C1")) // the newest
	got(t, bare)(r.Find(ctx, "Q3"))
	missing[audit.Event](t)(r.Find(ctx, "nothing"))
	missing[audit.Event](t)(r.Find(ctx, ""))
	later := event("q2", "", 1) // the same request, the same frozen clock
	later.Code = "later"
	ok(t, r.Record(ctx, later))
	got(t, later)(r.Find(ctx, "q2"))
	earlier := event("q2", "", -100) // the clock was set back: it is still the newest
	ok(t, r.Record(ctx, earlier))
	got(t, earlier)(r.Find(ctx, "q2"))
	hostile := event("q4", "\x00\xff"+strings.Repeat("é", 3000), 2)
	ok(t, r.Record(ctx, hostile))
	if e, err := r.Find(ctx, hostile.CorrelationID); err != nil || e.RequestID != "q4" {
		t.Fatal(e, err)
	}

	kinds := together(func(n int) error {
		for i := range 25 {
			if err := r.Record(ctx, event(fmt.Sprintf("by-%d-%d", n, i), "", 3)); err != nil {
				return err
			}
		}
		return nil
	})
	if kinds[""] != several {
		t.Fatal(kinds)
	}
	for n := range several {
		for i := range 25 {
			if _, err := r.Find(ctx, fmt.Sprintf("by-%d-%d", n, i)); err != nil {
				t.Fatal("an acknowledged event is there: ", err)
			}
		}
	}
}

// snapshot also proves that keys and the audit stay, and that Reset leaves nothing.
func snapshot(t *testing.T, s *store.Store) {
	ctx := t.Context()
	refused(t, s.Restore(ctx), fault.NotFound)
	fill(t, s)
	ok(t, s.Snapshot(ctx))
	before := everything(t, s)
	ok(t, s.Keys.AddKey(ctx, token.StoredKey{ID: "k", Ring: "entra", Sequence: 1, Private: []byte("p")}))
	ok(t, s.Audit.Record(ctx, audit.Event{RequestID: "q", Time: at(0), Outcome: audit.Allowed}))
	ok(t, s.Applications.DeleteApplication(ctx, "t", "app"))
	ok(t, s.Pools.DeletePool(ctx, "p"))
	ok(t, s.Applications.CreateApplication(ctx, application("new")))
	ok(t, s.Tenants.PutTenant(ctx, directory.Tenant{ID: "t", Domains: []string{"changed.example"}}))
	ok(t, s.Principals.DeletePrincipal(ctx, "t", "sp"))
	ok(t, s.Resources.DeleteResource(ctx, "/subscriptions/s/resourceGroups/rg"))
	ok(t, s.Machines.DeleteMachine(ctx, "m"))
	ok(t, s.Issuers.DeleteIssuer(ctx, "okta"))
	ok(t, s.Once.Use(ctx, "jti", at(0), at(9)))
	ok(t, s.Memberships.Leave(ctx, person("ada").ID, team("g").ID))
	ok(t, s.AccessKeys.DeleteAccessKey(ctx, person("ada").ID, "AKIAUSER"))
	ok(t, s.IAMRoles.Delete(ctx, role("r").ID, 1))
	ok(t, s.IAMUsers.Create(ctx, person("new"), 9))
	ok(t, s.Accounts.UpdateAccount(ctx, directory.Account{ID: account, Alias: "other", Version: 1}))
	for range 2 {
		ok(t, s.Restore(ctx))
		got(t, before)(everything(t, s), nil)
	}
	missing[directory.Application](t)(s.Applications.Application(ctx, "t", "new"))
	missing[directory.Tenant](t)(s.Tenants.Tenant(ctx, "changed.example"))
	missing[directory.IAMUser](t)(s.IAMUsers.Named(ctx, account, "new"))
	refused(t, s.IAMPolicies.Delete(ctx, managed("p").ID, 1), fault.Conflict, "in use") // references came back
	refused(t, s.IAMUsers.Delete(ctx, person("ada").ID, 1), fault.Conflict, "in use")
	refused(t, s.IAMUsers.Create(ctx, person("Ada"), 9), fault.Conflict, "name")
	got(t, userKey("AKIAUSER", "ada"))(s.Accounts.AccessKey(ctx, "AKIAUSER"))
	if k, err := s.Keys.Keys(ctx, "entra"); err != nil || len(k) != 1 {
		t.Fatal("keys stay: ", k, err)
	}
	_, err := s.Audit.Find(ctx, "q")
	ok(t, err)
	// What came back is as good as before: its keys are taken and its children go with it.
	refused(t, s.Applications.CreateApplication(ctx, application("app")), fault.Conflict)
	ok(t, s.Applications.DeleteApplication(ctx, "t", "app"))
	got(t, []directory.FederatedCredential{})(s.FederatedCredentials.FederatedCredentials(ctx, "app"))
	got(t, issuer("okta"))(s.Issuers.IssuerAt(ctx, issuer("okta").Places[0]))
	ok(t, s.Resources.DeleteResource(ctx, "/subscriptions/s/resourceGroups/rg"))
	missing[directory.ServicePrincipal](t)(s.Principals.Principal(ctx, "t", identityPrincipal("rg", "mi").ID))
	ok(t, s.Machines.DeleteMachine(ctx, "m"))
	missing[directory.ServicePrincipal](t)(s.Principals.Principal(ctx, "t", system("m").ID))
	refused(t, s.Once.Use(ctx, "jti", at(0), at(9)), fault.Conflict) // what was used stays used

	ok(t, s.Reset(ctx))
	if left := everything(t, s); strings.Count(left, "[]") != strings.Count(left, "\n") {
		t.Fatal("Reset left ", left)
	}
	missing[audit.Event](t)(s.Audit.Find(ctx, "q"))
	refused(t, s.Restore(ctx), fault.NotFound)
	got(t, false)(s.Issuers.Hosts(ctx, issuer("okta").Places[0].Host))
	ok(t, s.Once.Use(ctx, "jti", at(0), at(9)))
}

// fill puts one of everything.
func fill(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	ok(t, s.Accounts.PutAccount(ctx, directory.Account{ID: account, Alias: "treaty", TokenIssuer: "guid"}))
	ok(t, s.Accounts.PutAccessKey(ctx, directory.AccessKey{ID: "AKIA", Secret: "secret"}))
	fillIAM(t, s)
	ok(t, s.Pools.CreatePool(ctx, pool("p")))
	identity(t, s, "i", "u")
	ok(t, s.Tenants.PutTenant(ctx, directory.Tenant{ID: "t", Domains: []string{"t.example"}}))
	ok(t, s.Applications.CreateApplication(ctx, application("app")))
	ok(t, s.FederatedCredentials.CreateFederatedCredential(ctx, trust("f", "app"), 20))
	ok(t, s.Principals.CreatePrincipal(ctx, principal("sp")))
	ok(t, s.AppRoleAssignments.AssignAppRole(ctx, grant("g", "sp", "sp", "r")))
	ok(t, s.Users.PutUser(ctx, directory.User{ID: "u", TenantID: "t", UserPrincipalName: "u@t.example"}))
	ok(t, s.Subscriptions.PutSubscription(ctx, directory.Subscription{ID: "s", TenantID: "t"}))
	rg := resource("/subscriptions/s/resourceGroups/rg")
	rg.Version = 0
	_, err := s.Resources.PutResource(ctx, rg)
	ok(t, err)
	ok(t, s.Roles.PutRoleDefinition(ctx, directory.RoleDefinition{ID: "d", TenantID: "t", Name: "n"}))
	ok(t, s.Roles.AssignRole(ctx, directory.RoleAssignment{ID: "a", TenantID: "t", Scope: "/", PrincipalID: "sp", RoleDefinitionID: "d"}))
	ok(t, s.Machines.CreateMachine(ctx, machine("m"), system("m")))
	ok(t, s.ManagedIdentities.CreateManagedIdentity(ctx, identityResource("rg", "mi"), identityPrincipal("rg", "mi")))
	ok(t, s.FederatedCredentials.CreateFederatedCredential(ctx, trust("fm", identityPrincipal("rg", "mi").ID), 20))
	ok(t, s.Issuers.CreateIssuer(ctx, issuer("okta")))
}

func fillIAM(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	ok(t, s.IAMPolicies.Create(ctx, managed("p"), 9))
	r, u, phone := role("r"), person("ada"), device("phone")
	r.Managed, u.Boundary, phone.UserID = []string{managed("p").ARN, cloudPolicy}, managed("p").ARN, u.ID
	ok(t, s.IAMRoles.Create(ctx, r, 9))
	ok(t, s.IAMUsers.Create(ctx, u, 9))
	ok(t, s.IAMGroups.Create(ctx, team("g"), 9))
	ok(t, s.OIDCProviders.Create(ctx, directory.OIDCProvider{IAMEntity: entity("oidc-provider", "issuer.example")}, 9))
	ok(t, s.SAMLProviders.Create(ctx, directory.SAMLProvider{IAMEntity: entity("saml-provider", "s")}, 9))
	ok(t, s.MFADevices.Create(ctx, phone, 9))
	ok(t, s.Memberships.Join(ctx, u.ID, team("g").ID, 9))
	ok(t, s.AccessKeys.CreateAccessKey(ctx, userKey("AKIAUSER", "ada"), 9))
	ok(t, s.Usage.NoteUse(ctx, "AKIAUSER", directory.Use{At: at(1), Service: "s3"}))
}

// everything is all of the directory that fill put, a line a repository.
func everything(t *testing.T, s *store.Store) string {
	t.Helper()
	ctx := t.Context()
	var out strings.Builder
	line := func(v any, err error) {
		t.Helper()
		ok(t, err)
		b, err := json.Marshal(v)
		ok(t, err)
		fmt.Fprintf(&out, "%s\n", b)
	}
	v1, err := s.Accounts.Accounts(ctx)
	line(v1, err)
	v2, err := s.Pools.Pools(ctx, "123456789012", "us-east-1", "", 9)
	line(v2, err)
	v3, err := s.Identities.Identities(ctx, "p", "", 9, false)
	line(v3, err)
	v4, err := s.Tenants.Tenants(ctx)
	line(v4, err)
	v5, err := s.Applications.Applications(ctx, "t", "", 9)
	line(v5, err)
	v6, err := s.FederatedCredentials.FederatedCredentials(ctx, "app")
	line(v6, err)
	v7, err := s.Principals.Principals(ctx, "t", "", 9)
	line(v7, err)
	v8, err := s.AppRoleAssignments.AppRolesOf(ctx, "sp")
	line(v8, err)
	v9, err := s.Users.Users(ctx, "t", "", 9)
	line(v9, err)
	v10, err := s.Subscriptions.Subscriptions(ctx, "t")
	line(v10, err)
	v11, err := s.Resources.Resources(ctx, "/subscriptions/s", "", "", 9)
	line(v11, err)
	v12, err := s.Roles.RoleDefinitions(ctx, "t")
	line(v12, err)
	v13, err := s.Roles.RoleAssignments(ctx, "t")
	line(v13, err)
	v14, err := s.Machines.Machines(ctx)
	line(v14, err)
	v15, err := s.FederatedCredentials.FederatedCredentials(ctx, identityPrincipal("rg", "mi").ID)
	line(v15, err)
	v16, err := s.Issuers.Issuers(ctx, "", 9)
	line(v16, err)
	everythingOfIAM(t, s, line)
	return out.String()
}

func everythingOfIAM(t *testing.T, s *store.Store, line func(any, error)) {
	t.Helper()
	ctx := t.Context()
	v1, err := s.IAMRoles.List(ctx, account, "", 9)
	line(v1, err)
	v2, err := s.IAMUsers.List(ctx, account, "", 9)
	line(v2, err)
	v3, err := s.IAMGroups.List(ctx, account, "", 9)
	line(v3, err)
	v4, err := s.IAMPolicies.List(ctx, account, "", 9)
	line(v4, err)
	v5, err := s.OIDCProviders.List(ctx, account, "", 9)
	line(v5, err)
	v6, err := s.SAMLProviders.List(ctx, account, "", 9)
	line(v6, err)
	v7, err := s.MFADevices.List(ctx, account, "", 9)
	line(v7, err)
	v8, err := s.Attachments.Attachments(ctx, account, managed("p").ARN)
	line(v8, err)
	v9, err := s.Memberships.GroupsOf(ctx, person("ada").ID)
	line(v9, err)
	v10, err := s.Memberships.Members(ctx, team("g").ID, "", 9)
	line(v10, err)
	v11, err := s.AccessKeys.AccessKeysOf(ctx, person("ada").ID)
	line(v11, err)
	u, err := s.Usage.LastUse(ctx, "AKIAUSER")
	if v12 := []directory.Use{u}; u != (directory.Use{}) {
		line(v12, err)
	} else {
		line(v12[:0], err)
	}
}

// texts proves that both databases answer alike to what one of them cannot keep.
func texts(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for _, bad := range []string{"a\x00b", "\xff"} {
		refused(t, s.Applications.CreateApplication(ctx, application(bad)), fault.Invalid)
		missing[directory.Application](t)(s.Applications.ApplicationByAppID(ctx, bad))
		missing[directory.Identity](t)(s.Identities.ByLogin(ctx, "p", login(bad)))
		got(t, []directory.AppRoleAssignment{})(s.AppRoleAssignments.AppRolesOf(ctx, bad))
	}
	strange := application("' or 1=1; -- $1 \\ % _ é 😀")
	ok(t, s.Applications.CreateApplication(ctx, strange))
	got(t, strange)(s.Applications.ApplicationByAppID(ctx, strange.AppID))
	ok(t, s.Ping(ctx))
}
