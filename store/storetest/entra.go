package storetest

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/store"
)

func tenants(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Tenants
	a := directory.Tenant{ID: "7EA70000-0000-4000-8000-00000000000a", DisplayName: "Treaty", CountryCode: "US", Domains: []string{"treaty.onmicrosoft.com", "Example.org"}, CreatedAt: at(0)}
	b := directory.Tenant{ID: "0ea70000-0000-4000-8000-00000000000b", DisplayName: "b", Domains: []string{"b.example"}, CreatedAt: at(0)}
	ok(t, r.PutTenant(ctx, a))
	ok(t, r.PutTenant(ctx, b))
	for _, name := range []string{a.ID, "7ea70000-0000-4000-8000-00000000000A", "treaty.onmicrosoft.com", "EXAMPLE.ORG", "example.org"} {
		got(t, a)(r.Tenant(ctx, name))
	}
	got(t, []directory.Tenant{b, a})(r.Tenants(ctx))
	b.Domains = []string{"other.example", "EXAMPLE.org"}
	refused(t, r.PutTenant(ctx, b), fault.Conflict, "name")
	b.Domains = []string{"b.example"}
	got(t, b)(r.Tenant(ctx, "b.example"))
	missing[directory.Tenant](t)(r.Tenant(ctx, "other.example"))
	a.Domains = []string{"treaty.onmicrosoft.com"}
	ok(t, r.PutTenant(ctx, a))
	missing[directory.Tenant](t)(r.Tenant(ctx, "example.org"))
	got(t, a)(r.Tenant(ctx, a.ID))
}

func application(id string) directory.Application {
	return directory.Application{ID: id, TenantID: "t", AppID: "client of " + id, DisplayName: "App", SignInAudience: "AzureADMyOrg", IdentifierURIs: []string{"api://" + hex.EncodeToString([]byte(id))},
		TokenVersion: 2, Roles: []directory.AppRole{{ID: "r", AllowedMemberTypes: []string{"User", "Application"}, Value: "Do.It", Enabled: true}},
		Secrets:      []directory.ClientSecret{{ID: "k", Hint: "abc", Hash: []byte{0, 255}, NotBefore: at(1), NotAfter: at(2)}},
		Certificates: []directory.Certificate{{ID: "c", Type: "AsymmetricX509Cert", Usage: "Verify", DER: []byte{1, 0}, NotBefore: at(1), NotAfter: at(2)}},
		Owners:       []string{"o"}, CreatedAt: at(0), Carried: json.RawMessage(`{"web":{"x":"é\u0000"}}`), Version: 1}
}

func applications(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Applications
	for range 2 { // that there is none may be remembered, but no longer than until there is one
		missing[directory.Application](t)(r.ApplicationByAppID(ctx, application("a").AppID))
	}
	for _, id := range unordered {
		ok(t, r.CreateApplication(ctx, application(id)))
		got(t, application(id))(r.ApplicationByAppID(ctx, application(id).AppID))
	}
	elsewhere := application("elsewhere")
	elsewhere.TenantID, elsewhere.UniqueName = "u", "named"
	ok(t, r.CreateApplication(ctx, elsewhere))
	pages(t, unordered, func(a directory.Application) string { return a.ID }, func(after string, limit int) ([]directory.Application, error) {
		return r.Applications(ctx, "t", after, limit)
	})
	a := application("a")
	got(t, a)(r.Application(ctx, "t", "a"))
	for range 2 {
		got(t, a)(r.ApplicationByAppID(ctx, a.AppID))
		got(t, elsewhere)(r.ApplicationByAppID(ctx, elsewhere.AppID))
	}
	got(t, elsewhere)(r.ApplicationByUniqueName(ctx, "u", "named"))
	missing[directory.Application](t)(r.ApplicationByUniqueName(ctx, "t", "named"))
	missing[directory.Application](t)(r.ApplicationByUniqueName(ctx, "t", ""))
	missing[directory.Application](t)(r.Application(ctx, "u", "a"))
	missing[directory.Application](t)(r.ApplicationByAppID(ctx, "nobody"))

	refused(t, r.CreateApplication(ctx, a), fault.Conflict)
	again := application("again")
	again.AppID = a.AppID
	refused(t, r.CreateApplication(ctx, again), fault.Conflict, "app_id")
	again = application("again")
	again.TenantID, again.UniqueName = "u", "named"
	refused(t, r.CreateApplication(ctx, again), fault.Conflict, "unique_name")

	again = application("again")
	again.IdentifierURIs = []string{strings.ToUpper(application("b").IdentifierURIs[0])}
	refused(t, r.CreateApplication(ctx, again), fault.Conflict)
	missing[directory.Application](t)(r.Application(ctx, "t", "again"))
	again.TenantID = "v"
	ok(t, r.CreateApplication(ctx, again)) // unique in the tenant only
	if kinds := together(func(i int) error {
		racer := application(fmt.Sprint("racer", i))
		racer.TenantID, racer.IdentifierURIs = "v", []string{"api://once"}
		return r.CreateApplication(ctx, racer)
	}); kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("of several applications of one URI one is stored, got ", kinds)
	}

	changed := a
	changed.DisplayName, changed.UniqueName, changed.Secrets = "renamed", "named", nil
	ok(t, r.UpdateApplication(ctx, changed))
	refused(t, r.UpdateApplication(ctx, changed), fault.Conflict, "version")
	changed.Version = 2
	got(t, changed)(r.ApplicationByAppID(ctx, a.AppID))
	got(t, changed)(r.ApplicationByUniqueName(ctx, "t", "named"))
	b := application("b")
	b.UniqueName = "named"
	refused(t, r.UpdateApplication(ctx, b), fault.Conflict, "unique_name")
	b = application("b")
	b.IdentifierURIs = application("_").IdentifierURIs
	refused(t, r.UpdateApplication(ctx, b), fault.Conflict)
	if kinds := together(func(int) error { return r.UpdateApplication(ctx, changed) }); kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("of several updates of one version one holds, got ", kinds)
	}
	changed.TenantID = "u"
	refused(t, r.UpdateApplication(ctx, changed), fault.NotFound)

	ok(t, s.FederatedCredentials.CreateFederatedCredential(ctx, trust("f", "a"), 20))
	refused(t, r.DeleteApplication(ctx, "u", "a"), fault.NotFound)
	ok(t, r.DeleteApplication(ctx, "t", "a"))
	refused(t, r.DeleteApplication(ctx, "t", "a"), fault.NotFound)
	missing[directory.Application](t)(r.ApplicationByAppID(ctx, a.AppID))
	got(t, []directory.FederatedCredential{})(s.FederatedCredentials.FederatedCredentials(ctx, "a"))
}

func principal(id string) directory.ServicePrincipal {
	return directory.ServicePrincipal{ID: id, TenantID: "t", AppID: "client of " + id, DisplayName: "App", Type: "Application", OwnerTenant: "t",
		Names: []string{"client of " + id, "https://API/" + id, "https://API/" + id}, Enabled: true, Roles: []directory.AppRole{{ID: "r", AllowedMemberTypes: []string{"User"}}},
		Owners: []string{"o"}, CreatedAt: at(0), Carried: json.RawMessage(`{"tags":[]}`), Version: 1}
}

func principals(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Principals
	ids := []string{"b", "a", "_", "a-b", "ab"}
	for _, id := range ids {
		ok(t, r.CreatePrincipal(ctx, principal(id)))
	}
	pages(t, ids, func(p directory.ServicePrincipal) string { return p.ID }, func(after string, limit int) ([]directory.ServicePrincipal, error) {
		return r.Principals(ctx, "t", after, limit)
	})
	a := principal("a")
	for range 2 {
		got(t, a)(r.Principal(ctx, "t", "a"))
		got(t, a)(r.PrincipalByAppID(ctx, "t", a.AppID))
		got(t, a)(r.PrincipalByName(ctx, "t", "HTTPS://api/A"))
		got(t, a)(r.PrincipalByName(ctx, "t", a.AppID))
	}
	missing[directory.ServicePrincipal](t)(r.Principal(ctx, "u", "a"))
	missing[directory.ServicePrincipal](t)(r.PrincipalByAppID(ctx, "u", a.AppID))
	missing[directory.ServicePrincipal](t)(r.PrincipalByName(ctx, "u", "https://api/a"))
	refused(t, r.CreatePrincipal(ctx, a), fault.Conflict)
	again := principal("again")
	again.AppID = a.AppID
	refused(t, r.CreatePrincipal(ctx, again), fault.Conflict, "app_id")
	again = principal("again")
	again.Names = append(again.Names, "https://api/A")
	refused(t, r.CreatePrincipal(ctx, again), fault.Conflict, "name")
	missing[directory.ServicePrincipal](t)(r.Principal(ctx, "t", "again")) // nothing half made
	again.TenantID, again.ID = "u", "foreign"
	ok(t, r.CreatePrincipal(ctx, again))

	changed := a
	changed.Names = []string{"https://api/new"}
	ok(t, r.UpdatePrincipal(ctx, changed))
	refused(t, r.UpdatePrincipal(ctx, changed), fault.Conflict, "version")
	changed.Version = 2
	got(t, changed)(r.PrincipalByName(ctx, "t", "https://API/new"))
	missing[directory.ServicePrincipal](t)(r.PrincipalByName(ctx, "t", "https://api/a"))
	stolen := changed
	stolen.Names = []string{"https://api/b"}
	refused(t, r.UpdatePrincipal(ctx, stolen), fault.Conflict, "name")
	got(t, changed)(r.Principal(ctx, "t", "a"))
	stolen.ID = "nobody"
	refused(t, r.UpdatePrincipal(ctx, stolen), fault.NotFound)

	ok(t, s.AppRoleAssignments.AssignAppRole(ctx, grant("of", "a", "b", "r")))
	ok(t, s.AppRoleAssignments.AssignAppRole(ctx, grant("on", "b", "a", "r")))
	ok(t, s.AppRoleAssignments.AssignAppRole(ctx, grant("other", "b", "ab", "r")))
	ok(t, r.DeletePrincipal(ctx, "t", "a"))
	refused(t, r.DeletePrincipal(ctx, "t", "a"), fault.NotFound)
	got(t, []directory.AppRoleAssignment{})(s.AppRoleAssignments.AppRolesOf(ctx, "a"))
	got(t, []directory.AppRoleAssignment{})(s.AppRoleAssignments.AppRolesOn(ctx, "a"))
	got(t, []directory.AppRoleAssignment{grant("other", "b", "ab", "r")})(s.AppRoleAssignments.AppRolesOf(ctx, "b"))
	missing[directory.ServicePrincipal](t)(r.PrincipalByName(ctx, "t", "https://api/new"))
}

func trust(id, application string) directory.FederatedCredential {
	return directory.FederatedCredential{ID: id, OwnerID: application, Name: "name of " + id, Issuer: "https://issuer", Subject: "subject of " + id,
		Audiences: []string{"a", "b"}, Description: new("d")}
}

func federated(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.FederatedCredentials
	ok(t, s.Applications.CreateApplication(ctx, application("app")))
	ok(t, s.Applications.CreateApplication(ctx, application("other")))
	refused(t, r.CreateFederatedCredential(ctx, trust("f", "nobody"), 20), fault.NotFound)
	f := trust("f", "app")
	flexible := directory.FederatedCredential{ID: "x", OwnerID: "app", Name: "B", Issuer: "https://issuer", Audiences: []string{},
		Expression: &directory.Expression{Value: "claims['sub'] matches 'x'", LanguageVersion: 1}}
	second := flexible // two without a subject do not collide
	second.ID, second.Name = "y", "b"
	for _, c := range []directory.FederatedCredential{f, flexible, second} {
		ok(t, r.CreateFederatedCredential(ctx, c, 20))
	}
	for range 2 {
		got(t, []directory.FederatedCredential{flexible, second, f})(r.FederatedCredentials(ctx, "app"))
	}
	got(t, f)(r.FederatedCredential(ctx, "app", "f"))
	got(t, f)(r.FederatedCredential(ctx, "app", "name of f"))
	missing[directory.FederatedCredential](t)(r.FederatedCredential(ctx, "app", "Name of f")) // names keep their case
	missing[directory.FederatedCredential](t)(r.FederatedCredential(ctx, "other", "f"))
	named := trust("g", "app")
	named.Name = f.Name
	refused(t, r.CreateFederatedCredential(ctx, named, 20), fault.Conflict, "name")
	both := named
	both.Subject = f.Subject
	refused(t, r.CreateFederatedCredential(ctx, both, 20), fault.Conflict, "name")
	both.Name = "free"
	refused(t, r.CreateFederatedCredential(ctx, both, 20), fault.Conflict, "subject")
	both.Issuer = "https://issuer/" // another issuer
	ok(t, r.CreateFederatedCredential(ctx, both, 20))
	both.Issuer = f.Issuer
	refused(t, r.UpdateFederatedCredential(ctx, both), fault.Conflict, "subject")
	both.Subject, both.Name = "free", f.Name
	refused(t, r.UpdateFederatedCredential(ctx, both), fault.Conflict, "name")
	both.Name = "free"
	ok(t, r.UpdateFederatedCredential(ctx, both))
	got(t, both)(r.FederatedCredential(ctx, "app", "free"))
	moved := f
	moved.OwnerID = "other"
	refused(t, r.UpdateFederatedCredential(ctx, moved), fault.NotFound)
	refused(t, r.CreateFederatedCredential(ctx, trust("h", "app"), 4), fault.LimitExceeded)
	ok(t, r.DeleteFederatedCredential(ctx, "app", "g"))
	refused(t, r.DeleteFederatedCredential(ctx, "app", "g"), fault.NotFound)
	refused(t, r.DeleteFederatedCredential(ctx, "other", "f"), fault.NotFound)
	ok(t, r.CreateFederatedCredential(ctx, trust("h", "app"), 4))
}

func limiting(t *testing.T, s *store.Store) {
	ctx := t.Context()
	const limit = 20
	ok(t, s.Applications.CreateApplication(ctx, application("app")))
	kinds := together(func(n int) error {
		for i := range 5 {
			if err := s.FederatedCredentials.CreateFederatedCredential(ctx, trust(numbered(numbered("c", n), i), "app"), limit); err != nil {
				return err
			}
		}
		return nil
	})
	if kinds[""]+kinds[fault.LimitExceeded] != several || kinds[""] > limit/5 {
		t.Fatal(kinds)
	}
	all, err := s.FederatedCredentials.FederatedCredentials(ctx, "app")
	ok(t, err)
	if len(all) != limit {
		t.Fatalf("%d federated credentials, want %d", len(all), limit)
	}
	ok(t, s.Applications.CreateApplication(ctx, application("second")))
	for round := range 5 {
		name := numbered("round", round)
		kinds := together(func(n int) error {
			c := trust(numbered(name, n), "second")
			c.Name = name
			return s.FederatedCredentials.CreateFederatedCredential(ctx, c, limit)
		})
		if kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
			t.Fatal("one of several gets a name, got ", kinds)
		}
	}
	// A credential never outlives its application, whoever is first.
	for round := range 5 {
		id := numbered("doomed", round)
		ok(t, s.Applications.CreateApplication(ctx, application(id)))
		kinds := together(func(n int) error {
			if n == several/2 {
				return s.Applications.DeleteApplication(ctx, "t", id)
			}
			return s.FederatedCredentials.CreateFederatedCredential(ctx, trust(numbered(id, n), id), limit)
		})
		if kinds[""]+kinds[fault.NotFound] != several {
			t.Fatal(kinds)
		}
		got(t, []directory.FederatedCredential{})(s.FederatedCredentials.FederatedCredentials(ctx, id))
	}
}

func grant(id, principal, resource, role string) directory.AppRoleAssignment {
	return directory.AppRoleAssignment{ID: id, TenantID: "t", PrincipalID: principal, PrincipalType: "ServicePrincipal", PrincipalName: "P",
		ResourceID: resource, ResourceName: "R", RoleID: role, CreatedAt: at(0)}
}

func appRoles(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.AppRoleAssignments
	for _, id := range []string{"sp", "res", "res2"} {
		ok(t, s.Principals.CreatePrincipal(ctx, principal(id)))
	}
	got(t, []directory.AppRoleAssignment{})(r.AppRolesOf(ctx, "sp"))
	var all []directory.AppRoleAssignment
	for n, id := range unordered {
		a := grant(id, "sp", "res", numbered("role", n))
		all = append(all, a)
		ok(t, r.AssignAppRole(ctx, a))
	}
	other := grant("z", "sp", "res2", "role00")
	ok(t, r.AssignAppRole(ctx, other))
	slices.SortFunc(all, func(a, b directory.AppRoleAssignment) int { return compare(a.ID, b.ID) })
	for range 2 {
		got(t, []directory.AppRoleAssignment{other})(r.AppRolesOn(ctx, "res2"))
		got(t, all)(r.AppRolesOn(ctx, "res"))
	}
	got(t, other)(r.AppRoleAssignment(ctx, "t", "z"))
	missing[directory.AppRoleAssignment](t)(r.AppRoleAssignment(ctx, "u", "z"))
	refused(t, r.AssignAppRole(ctx, grant("new", "sp", "res", "role00")), fault.Conflict, "role_id")
	refused(t, r.AssignAppRole(ctx, grant("z", "sp", "res", "role99")), fault.Conflict, "id")
	refused(t, r.AssignAppRole(ctx, grant("new", "sp", "nobody", "role00")), fault.NotFound)
	kinds := together(func(n int) error { return r.AssignAppRole(ctx, grant(numbered("n", n), "sp", "res", "wanted")) })
	if kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("a role is granted once, got ", kinds)
	}
	ok(t, r.RemoveAppRoleAssignment(ctx, "t", "z"))
	refused(t, r.RemoveAppRoleAssignment(ctx, "t", "z"), fault.NotFound)
	got(t, []directory.AppRoleAssignment{})(r.AppRolesOn(ctx, "res2"))
	of, err := r.AppRolesOf(ctx, "sp")
	ok(t, err)
	if len(of) != len(unordered)+1 || !slices.IsSortedFunc(of, func(a, b directory.AppRoleAssignment) int { return compare(a.ID, b.ID) }) {
		t.Fatal(of)
	}
}

func users(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Users
	user := func(id string) directory.User {
		return directory.User{ID: id, TenantID: "t", UserPrincipalName: "User-" + id + "@example.org", DisplayName: "U", Enabled: true, CreatedAt: at(0), Carried: json.RawMessage(`{}`)}
	}
	ids := []string{"b", "a", "_", "a-b", "ab"}
	for _, id := range ids {
		ok(t, r.PutUser(ctx, user(id)))
	}
	pages(t, ids, func(u directory.User) string { return u.ID }, func(after string, limit int) ([]directory.User, error) {
		return r.Users(ctx, "t", after, limit)
	})
	got(t, user("a"))(r.User(ctx, "t", "a"))
	got(t, user("a"))(r.User(ctx, "t", "user-A@EXAMPLE.org"))
	missing[directory.User](t)(r.User(ctx, "u", "a"))
	changed := user("a")
	changed.UserPrincipalName = "new@example.org"
	ok(t, r.PutUser(ctx, changed))
	missing[directory.User](t)(r.User(ctx, "t", "user-a@example.org"))
	changed.UserPrincipalName = "USER-b@example.org"
	refused(t, r.PutUser(ctx, changed), fault.Conflict, "upn")
	foreign := user("a")
	foreign.TenantID = "u"
	refused(t, r.PutUser(ctx, foreign), fault.Conflict, "id")
}
