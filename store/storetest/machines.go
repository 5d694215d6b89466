package storetest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/store"
)

func machine(name string) directory.Machine {
	return directory.Machine{ID: "vm of " + name, Name: name, Kind: directory.MachineVM, TenantID: "t", Subscription: "s",
		ResourceID: "/subscriptions/s/resourceGroups/vms/providers/Microsoft.Compute/virtualMachines/" + name, System: "system of " + name,
		Identities: []string{identityResource("rg", "mi").ID}, Principals: map[string]string{identityResource("rg", "mi").ID: "mi"}, CreatedAt: at(0), Version: 1}
}

// system is the principal of a machine's system-assigned identity.
func system(name string) *directory.ServicePrincipal {
	p := principal("system of " + name)
	p.Type, p.ResourceID = directory.TypeManagedIdentity, machine(name).ResourceID
	return &p
}

func identityResource(group, name string) directory.Resource {
	r := resource("/subscriptions/s/resourceGroups/" + group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/" + name)
	r.Type, r.Body = "Microsoft.ManagedIdentity/userAssignedIdentities", json.RawMessage(`{"principalId":"`+name+`"}`)
	return r
}

func identityPrincipal(group, name string) directory.ServicePrincipal {
	p := principal("identity " + group + " " + name)
	p.Type, p.ResourceID, p.UserAssigned = directory.TypeManagedIdentity, identityResource(group, name).ID, true
	return p
}

// holding gives a principal a federated credential and an assignment of either direction.
func holding(t *testing.T, s *store.Store, id string) {
	t.Helper()
	ctx := t.Context()
	ok(t, s.FederatedCredentials.CreateFederatedCredential(ctx, trust("trust of "+id, id), 20))
	ok(t, s.AppRoleAssignments.AssignAppRole(ctx, grant("of "+id, id, "api", "r")))
	ok(t, s.AppRoleAssignments.AssignAppRole(ctx, grant("on "+id, "api", id, "r")))
}

// gone wants a principal to have left nothing.
func gone(t *testing.T, s *store.Store, id string) {
	t.Helper()
	ctx := t.Context()
	missing[directory.ServicePrincipal](t)(s.Principals.Principal(ctx, "t", id))
	missing[directory.ServicePrincipal](t)(s.Principals.PrincipalByAppID(ctx, "t", "client of "+id))
	missing[directory.ServicePrincipal](t)(s.Principals.PrincipalByName(ctx, "t", "client of "+id))
	got(t, []directory.FederatedCredential{})(s.FederatedCredentials.FederatedCredentials(ctx, id))
	got(t, []directory.AppRoleAssignment{})(s.AppRoleAssignments.AppRolesOf(ctx, id))
	got(t, []directory.AppRoleAssignment{})(s.AppRoleAssignments.AppRolesOn(ctx, id))
}

// owning proves that an owner's federated credentials are of its own and never outlive it.
func owning(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.FederatedCredentials
	ok(t, s.Applications.CreateApplication(ctx, application("app")))
	for _, id := range []string{"api", "identity", "other"} {
		ok(t, s.Principals.CreatePrincipal(ctx, principal(id)))
	}
	ok(t, r.CreateFederatedCredential(ctx, trust("f", "app"), 20))
	same := trust("g", "identity") // another owner, so neither name nor subject is taken
	same.Name, same.Subject = trust("f", "app").Name, trust("f", "app").Subject
	ok(t, r.CreateFederatedCredential(ctx, same, 20))
	got(t, []directory.FederatedCredential{same})(r.FederatedCredentials(ctx, "identity"))
	again := same
	again.ID = "h"
	refused(t, r.CreateFederatedCredential(ctx, again, 20), fault.Conflict, "name")
	again.Name = "free"
	refused(t, r.CreateFederatedCredential(ctx, again, 20), fault.Conflict, "subject")
	again.Subject = "free"
	refused(t, r.CreateFederatedCredential(ctx, again, 1), fault.LimitExceeded)
	again.ID, again.Description = same.ID, nil
	ok(t, r.UpdateFederatedCredential(ctx, again))
	got(t, again)(r.FederatedCredential(ctx, "identity", "free"))
	moved := again
	moved.OwnerID = "other"
	refused(t, r.UpdateFederatedCredential(ctx, moved), fault.NotFound)
	moved.OwnerID = "nobody"
	refused(t, r.UpdateFederatedCredential(ctx, moved), fault.NotFound)

	holding(t, s, "other")
	ok(t, s.Principals.DeletePrincipal(ctx, "t", "other"))
	gone(t, s, "other")
	got(t, []directory.FederatedCredential{again})(r.FederatedCredentials(ctx, "identity"))
	got(t, []directory.FederatedCredential{trust("f", "app")})(r.FederatedCredentials(ctx, "app"))
	for round := range 5 {
		id := numbered("doomed", round)
		ok(t, s.Principals.CreatePrincipal(ctx, principal(id)))
		kinds := together(func(n int) error {
			if n == several/2 {
				return s.Principals.DeletePrincipal(ctx, "t", id)
			}
			return r.CreateFederatedCredential(ctx, trust(numbered(id, n), id), 20)
		})
		if kinds[""]+kinds[fault.NotFound] != several {
			t.Fatal(kinds)
		}
		got(t, []directory.FederatedCredential{})(r.FederatedCredentials(ctx, id))
	}
}

func machines(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Machines
	ok(t, s.Principals.CreatePrincipal(ctx, principal("api")))
	for range 2 {
		missing[directory.Machine](t)(r.Machine(ctx, "m"))
	}
	m := machine("m")
	ok(t, r.CreateMachine(ctx, m, system("m")))
	for range 2 {
		got(t, m)(r.Machine(ctx, "m"))
	}
	got(t, *system("m"))(s.Principals.Principal(ctx, "t", m.System))
	bare := machine("bare")
	bare.System, bare.Identities = "", nil
	ok(t, r.CreateMachine(ctx, bare, nil))
	got(t, []directory.Machine{bare, m})(r.Machines(ctx))

	again := machine("again")
	again.Name = "m"
	refused(t, r.CreateMachine(ctx, again, nil), fault.Conflict, "name")
	again = machine("again")
	again.ID = m.ID
	refused(t, r.CreateMachine(ctx, again, nil), fault.Conflict, "id")
	refused(t, r.CreateMachine(ctx, machine("again"), system("m")), fault.Conflict) // the principal is there
	missing[directory.Machine](t)(r.Machine(ctx, "again"))
	kinds := together(func(n int) error {
		w := machine(numbered("w", n))
		p := system(w.Name)
		w.Name = "wanted"
		return r.CreateMachine(ctx, w, p)
	})
	if kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("of several machines of one name one is stored, got ", kinds)
	}
	all, err := s.Principals.Principals(ctx, "t", "", 99)
	ok(t, err)
	if len(all) != 3 { // api, m's and one of several
		t.Fatal("the losers' principals stayed: ", all)
	}

	updating(t, s, m, bare)
	holding(t, s, m.System)
	ok(t, r.DeleteMachine(ctx, "m"))
	refused(t, r.DeleteMachine(ctx, "m"), fault.NotFound)
	missing[directory.Machine](t)(r.Machine(ctx, "m"))
	gone(t, s, m.System)
	ok(t, r.DeleteMachine(ctx, "bare"))
	ok(t, r.CreateMachine(ctx, m, system("m")))
	ok(t, s.Principals.DeletePrincipal(ctx, "t", m.System))
	ok(t, r.DeleteMachine(ctx, "m")) // also when its identity went before
}

func updating(t *testing.T, s *store.Store, m, bare directory.Machine) {
	t.Helper()
	ctx := t.Context()
	r := s.Machines
	changed := m
	changed.Identities = []string{"x", "y"}
	kinds := together(func(int) error { return r.UpdateMachine(ctx, changed) })
	if kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("of several updates of one version one holds, got ", kinds)
	}
	refused(t, r.UpdateMachine(ctx, changed), fault.Conflict, "version")
	changed.Version = 2
	got(t, changed)(r.Machine(ctx, "m"))
	changed.ID = bare.ID
	refused(t, r.UpdateMachine(ctx, changed), fault.Conflict, "id")
	changed.Name = "nobody"
	refused(t, r.UpdateMachine(ctx, changed), fault.NotFound)
}

func managedIdentities(t *testing.T, s *store.Store) {
	ctx := t.Context()
	create := func(group, name string) error {
		return s.ManagedIdentities.CreateManagedIdentity(ctx, identityResource(group, name), identityPrincipal(group, name))
	}
	ok(t, s.Principals.CreatePrincipal(ctx, principal("api")))
	for _, name := range []string{"a", "b", "c"} {
		ok(t, create("RG", name))
		got(t, identityResource("RG", name))(s.Resources.Resource(ctx, strings.ToUpper(identityResource("RG", name).ID)))
		got(t, identityPrincipal("RG", name))(s.Principals.Principal(ctx, "t", identityPrincipal("RG", name).ID))
		holding(t, s, identityPrincipal("RG", name).ID)
	}
	ok(t, create("RG0", "a")) // the next group in order, which is not within RG
	refused(t, create("RG", "a"), fault.Conflict, "path")
	refused(t, s.ManagedIdentities.CreateManagedIdentity(ctx, identityResource("rg", "A"), identityPrincipal("RG", "new")), fault.Conflict, "path")
	gone(t, s, identityPrincipal("RG", "new").ID)
	refused(t, s.ManagedIdentities.CreateManagedIdentity(ctx, identityResource("RG", "new"), identityPrincipal("RG", "a")), fault.Conflict)
	missing[directory.Resource](t)(s.Resources.Resource(ctx, identityResource("RG", "new").ID))

	tagged := identityResource("RG", "a") // writing the resource anew leaves its principal alone
	tagged.Tags = nil
	_, err := s.Resources.PutResource(ctx, tagged)
	ok(t, err)
	got(t, identityPrincipal("RG", "a"))(s.Principals.Principal(ctx, "t", identityPrincipal("RG", "a").ID))

	ok(t, s.Resources.DeleteResource(ctx, strings.ToLower(identityResource("RG", "a").ID)))
	gone(t, s, identityPrincipal("RG", "a").ID)
	got(t, identityPrincipal("RG", "b"))(s.Principals.Principal(ctx, "t", identityPrincipal("RG", "b").ID))
	ok(t, create("RG", "a"))
	ok(t, s.Principals.DeletePrincipal(ctx, "t", identityPrincipal("RG", "c").ID)) // its resource is left
	group := resource("/subscriptions/s/resourceGroups/RG")
	group.Version = 0
	_, err = s.Resources.PutResource(ctx, group)
	ok(t, err)
	ok(t, s.Resources.DeleteResource(ctx, group.ID))
	for _, name := range []string{"a", "b", "c"} {
		gone(t, s, identityPrincipal("RG", name).ID)
		missing[directory.Resource](t)(s.Resources.Resource(ctx, identityResource("RG", name).ID))
	}
	got(t, identityPrincipal("RG0", "a"))(s.Principals.Principal(ctx, "t", identityPrincipal("RG0", "a").ID))
	kinds := together(func(n int) error {
		p := identityPrincipal("rg", numbered("p", n))
		return s.ManagedIdentities.CreateManagedIdentity(ctx, identityResource("rg", "one"), p)
	})
	if kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("of several identities of one path one is stored, got ", kinds)
	}
}

// vanishing deletes a group while identities are made in it: whoever is first, an identity has both its
// resource and its principal or neither.
func vanishing(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for round := range 8 {
		name := numbered("rg", round)
		group := resource("/subscriptions/s/resourceGroups/" + name)
		group.Version = 0
		_, err := s.Resources.PutResource(ctx, group)
		ok(t, err)
		kinds := together(func(n int) error {
			if n == several/2 {
				return s.Resources.DeleteResource(ctx, group.ID)
			}
			id := numbered("i", n)
			return s.ManagedIdentities.CreateManagedIdentity(ctx, identityResource(name, id), identityPrincipal(name, id))
		})
		if kinds[""] != several {
			t.Fatal(kinds)
		}
		var resources, principals []string
		left, err := s.Resources.Resources(ctx, group.ID, "", "", 99)
		ok(t, err)
		for _, r := range left {
			resources = append(resources, r.ID)
		}
		all, err := s.Principals.Principals(ctx, "t", "identity "+name, several)
		ok(t, err)
		for _, p := range all {
			if strings.HasPrefix(p.ID, "identity "+name+" ") {
				principals = append(principals, p.ResourceID)
			}
		}
		if !slices.Equal(resources, principals) {
			t.Fatalf("resources %v, principals of %v", resources, principals)
		}
	}
}
