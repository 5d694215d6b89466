package storetest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/store"
)

func compare(a, b string) int { return cmp.Compare(a, b) }

func subscriptions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Subscriptions
	b := directory.Subscription{ID: "bb", TenantID: "t", DisplayName: "B", State: "Enabled"}
	a := directory.Subscription{ID: "AA", TenantID: "t", DisplayName: "A", State: "Enabled"}
	other := directory.Subscription{ID: "c", TenantID: "u"}
	for _, v := range []directory.Subscription{b, a, other} {
		ok(t, r.PutSubscription(ctx, v))
	}
	got(t, a)(r.Subscription(ctx, "aA"))
	missing[directory.Subscription](t)(r.Subscription(ctx, "d"))
	got(t, []directory.Subscription{a, b})(r.Subscriptions(ctx, "t"))
	a.DisplayName = "renamed"
	ok(t, r.PutSubscription(ctx, a))
	got(t, a)(r.Subscription(ctx, "AA"))
	a.TenantID = "u"
	refused(t, r.PutSubscription(ctx, a), fault.Conflict, "id")
}

const networks = "Microsoft.Network/virtualNetworks"

func resource(id string) directory.Resource {
	return directory.Resource{ID: id, Subscription: "s", Type: networks, Name: id[strings.LastIndexByte(id, '/')+1:], Location: "westeurope",
		Tags: map[string]string{"k": "v"}, Body: json.RawMessage(`{"properties":{}}`), CreatedAt: at(0), Version: 1}
}

func resources(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Resources
	const group = "/subscriptions/s/resourceGroups/RG"
	put := func(v directory.Resource, want bool) {
		t.Helper()
		v.Version = 0 // not read before
		got(t, want)(r.PutResource(ctx, v))
	}
	g := resource(group)
	g.Type, g.Tags, g.Body = "Microsoft.Resources/resourceGroups", nil, nil
	put(g, true)
	var ids []string
	for _, name := range []string{"b", "a-b", "a", "_", "ab"} {
		v := resource(group + "/providers/Microsoft.Network/virtualNetworks/" + name)
		ids = append(ids, strings.ToLower(v.ID))
		put(v, true)
	}
	sibling := resource("/subscriptions/s/resourceGroups/RG0/providers/Microsoft.Network/virtualNetworks/x")
	put(sibling, true)
	disk := resource(group + "/providers/Microsoft.Compute/disks/d")
	disk.Type = "Microsoft.Compute/disks"
	put(disk, true)
	for _, scope := range []string{group, strings.ToUpper(group) + "/"} {
		pages(t, ids, func(v directory.Resource) string { return strings.ToLower(v.ID) }, func(after string, limit int) ([]directory.Resource, error) {
			return r.Resources(ctx, scope, strings.ToUpper(networks), strings.ToUpper(after), limit)
		})
	}
	got(t, []directory.Resource{g})(r.Resources(ctx, "/subscriptions/s", g.Type, "", 9))
	all, err := r.Resources(ctx, group, "", "", 99)
	ok(t, err)
	if len(all) != len(ids)+1 {
		t.Fatalf("%d resources of every type, want %d", len(all), len(ids)+1)
	}

	got(t, disk)(r.Resource(ctx, strings.ToUpper(disk.ID)))
	changed := resource(strings.ToUpper(disk.ID))
	changed.Type, changed.Location, changed.CreatedAt = disk.Type, "eastus", at(9)
	put(changed, false)
	disk.Location, disk.Version = "eastus", 2 // the spelling and the creation stay
	got(t, disk)(r.Resource(ctx, disk.ID))
	kinds := together(func(n int) error {
		read := disk // by all of them, at once
		read.Location = fmt.Sprint("region", n)
		_, err := r.PutResource(ctx, read)
		return err
	})
	if kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("one of several replaces what all have read, got ", kinds)
	}
	gone := resource(group + "/gone")
	_, err = r.PutResource(ctx, gone)
	refused(t, err, fault.Conflict, "version")
	kinds = together(func(n int) error {
		fresh := resource(group + "/wanted")
		fresh.Version = 0
		created, err := r.PutResource(ctx, fresh)
		if err == nil && !created {
			return fault.Conflict
		}
		return err
	})
	if kinds[""] != 1 {
		t.Fatal("one of several creates a resource, got ", kinds)
	}
	refused(t, r.DeleteResource(ctx, "/subscriptions/s/resourceGroups/R"), fault.NotFound)
	ok(t, r.DeleteResource(ctx, strings.ToLower(group)))
	refused(t, r.DeleteResource(ctx, group), fault.NotFound)
	missing[directory.Resource](t)(r.Resource(ctx, disk.ID))
	got(t, []directory.Resource{})(r.Resources(ctx, group, "", "", 9))
	got(t, sibling)(r.Resource(ctx, sibling.ID))
}

func roles(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := s.Roles
	d := directory.RoleDefinition{ID: "D2", TenantID: "t", Name: "Network Reader", Permissions: []directory.Permissions{{Actions: []string{"*/read"}, NotActions: []string{}}},
		AssignableScopes: []string{"/subscriptions/s"}, CreatedAt: at(0), UpdatedAt: at(1), CreatedBy: "me"}
	e := d
	e.ID, e.Name = "d1", "other"
	ok(t, r.PutRoleDefinition(ctx, d))
	ok(t, r.PutRoleDefinition(ctx, e))
	got(t, []directory.RoleDefinition{e, d})(r.RoleDefinitions(ctx, "t"))
	e.Name = "NETWORK reader"
	refused(t, r.PutRoleDefinition(ctx, e), fault.Conflict, "name")
	e.Name, e.Description = "other", "changed"
	ok(t, r.PutRoleDefinition(ctx, e))
	ok(t, r.DeleteRoleDefinition(ctx, "t", "d2"))
	refused(t, r.DeleteRoleDefinition(ctx, "t", "d2"), fault.NotFound)
	got(t, []directory.RoleDefinition{e})(r.RoleDefinitions(ctx, "t"))
	got(t, []directory.RoleDefinition{})(r.RoleDefinitions(ctx, "u"))

	assign := func(id, principal, role, scope string) directory.RoleAssignment {
		return directory.RoleAssignment{ID: id, TenantID: "t", Scope: scope, RoleDefinitionID: role, PrincipalID: principal, PrincipalType: "ServicePrincipal",
			Condition: new("c"), CreatedAt: at(0), CreatedBy: "me"}
	}
	var all []directory.RoleAssignment
	for n, id := range []string{"b", "a", "_", "a-b", "ab"} {
		a := assign(id, numbered("p", n), "r", "/subscriptions/S")
		ok(t, r.AssignRole(ctx, a))
		all = append(all, a)
	}
	refused(t, r.AssignRole(ctx, assign("B", "p", "r", "/")), fault.Conflict, "id")
	refused(t, r.AssignRole(ctx, assign("new", "p00", "R", "/SUBSCRIPTIONS/s/")), fault.Conflict, "grant")
	got(t, all[0])(r.RoleAssignment(ctx, "t", "B"))
	missing[directory.RoleAssignment](t)(r.RoleAssignment(ctx, "u", "b"))
	some := []directory.RoleAssignment{all[2], all[1], all[0]}
	got(t, some)(r.RoleAssignmentsOf(ctx, "t", "p00", "p01", "p02", "p02", "nobody"))
	got(t, []directory.RoleAssignment{})(r.RoleAssignmentsOf(ctx, "t"))
	many := []string{"p03"}
	for n := range 150 {
		many = append(many, numbered("stranger", n))
	}
	got(t, []directory.RoleAssignment{all[3]})(r.RoleAssignmentsOf(ctx, "t", many...))
	slices.SortFunc(all, func(a, b directory.RoleAssignment) int { return compare(a.ID, b.ID) })
	got(t, all)(r.RoleAssignments(ctx, "t"))
	kinds := together(func(n int) error {
		return r.AssignRole(ctx, assign(numbered("n", n), "wanted", "r", "/subscriptions/s"))
	})
	if kinds[""] != 1 || kinds[fault.Conflict] != several-1 {
		t.Fatal("a role is granted once, got ", kinds)
	}
	ok(t, r.RemoveRoleAssignment(ctx, "t", "A-B"))
	refused(t, r.RemoveRoleAssignment(ctx, "t", "a-b"), fault.NotFound)
}
