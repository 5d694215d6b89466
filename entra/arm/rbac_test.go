package arm

import (
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	defs := map[string]directory.RoleDefinition{}
	for _, d := range builtins {
		defs[d.ID] = d
	}
	custom := directory.RoleDefinition{ID: "c0", TenantID: tenantA, Name: "Two", Permissions: []directory.Permissions{
		{Actions: []string{"Microsoft.Network/*"}, NotActions: []string{"Microsoft.Network/virtualNetworks/delete"}},
		{Actions: []string{"*/virtualNetworks/subnets/*/action"}},
	}}
	defs["c0"] = custom
	const (
		contributor = "b24988ac-6180-42a0-ab88-20f7382dd24c"
		access      = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
		networks    = "4d97b98b-1d4f-4787-a291-c67834d212e7"
	)
	scope := "/subscriptions/" + subA
	group := scope + "/resourceGroups/rg"
	vnet := group + "/providers/Microsoft.Network/virtualNetworks/v"
	condition := "@Resource[x] StringEquals 'y'"
	for _, c := range []struct {
		name, role, at, action, on string
		allowed                    bool
	}{
		{"a reader reads", reader, scope, "Microsoft.Network/virtualNetworks/read", vnet, true},
		{"a reader reads in any case", strings.ToUpper(reader), strings.ToUpper(scope), "microsoft.network/VIRTUALNETWORKS/READ", vnet, true},
		{"a reader does not write", reader, scope, "Microsoft.Network/virtualNetworks/write", vnet, false},
		{"a reader does not act", reader, scope, "Microsoft.Network/virtualNetworks/join/action", vnet, false},
		{"at the resource itself", reader, vnet, "Microsoft.Network/virtualNetworks/read", vnet, true},
		{"at the group", reader, group, "Microsoft.Network/virtualNetworks/read", vnet, true},
		{"at the group does not reach up", reader, group, "Microsoft.Resources/subscriptions/read", scope, false},
		{"a sibling whose name begins alike", reader, group, "Microsoft.Network/virtualNetworks/read", strings.Replace(vnet, "/rg/", "/rg2/", 1), false},
		{"another subscription", reader, "/subscriptions/" + subA2, "Microsoft.Network/virtualNetworks/read", vnet, false},
		{"at the root", reader, "/", "Microsoft.Network/virtualNetworks/read", vnet, true},
		{"at the root management group", reader, rootGroup(tenantA), "Microsoft.Network/virtualNetworks/read", vnet, true},
		{"at another tenant's root management group", reader, rootGroup(tenantB), "Microsoft.Network/virtualNetworks/read", vnet, false},
		{"at no scope", reader, "", "Microsoft.Network/virtualNetworks/read", vnet, false},
		{"a trailing slash", reader, group + "/", "Microsoft.Network/virtualNetworks/read", vnet, true},
		{"an owner assigns roles", owner, scope, "Microsoft.Authorization/roleAssignments/write", vnet, true},
		{"a contributor writes", contributor, scope, "Microsoft.Network/virtualNetworks/write", vnet, true},
		{"a contributor does not assign roles", contributor, scope, "Microsoft.Authorization/roleAssignments/write", vnet, false},
		{"a contributor does not take roles away", contributor, scope, "Microsoft.Authorization/roleAssignments/delete", vnet, false},
		{"a contributor sees roles", contributor, scope, "Microsoft.Authorization/roleAssignments/read", vnet, true},
		{"an access administrator assigns roles", access, scope, "Microsoft.Authorization/roleAssignments/write", vnet, true},
		{"an access administrator does not write", access, scope, "Microsoft.Network/virtualNetworks/write", vnet, false},
		{"a network contributor writes networks", networks, scope, "Microsoft.Network/virtualNetworks/write", vnet, true},
		{"a network contributor reads groups", networks, scope, "Microsoft.Resources/subscriptions/resourcegroups/read", group, true},
		{"a network contributor does not write groups", networks, scope, "Microsoft.Resources/subscriptions/resourcegroups/write", group, false},
		{"a notAction takes away", "c0", scope, "Microsoft.Network/virtualNetworks/delete", vnet, false},
		{"a notAction of one permission leaves the other", "c0", scope, "Microsoft.Network/virtualNetworks/subnets/join/action", vnet, true},
		{"a definition that is gone", "ffffffff-ffff-4fff-8fff-ffffffffffff", scope, "Microsoft.Network/virtualNetworks/read", vnet, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := Request{TenantID: tenantA, Principal: guestID, Action: c.action, Scope: c.on}
			a := directory.RoleAssignment{ID: "a1", Scope: c.at, RoleDefinitionID: c.role, PrincipalID: guestID}
			d := Decide(r, []directory.RoleAssignment{a}, defs)
			if d.Allowed != c.allowed || len(d.Assignments) != 1 || d.Assignments[0].Grants != c.allowed {
				t.Errorf("%+v", d)
			}
			others := a
			others.PrincipalID = ownerID
			if Decide(r, []directory.RoleAssignment{others}, defs).Allowed {
				t.Error("another principal's assignment granted it")
			}
			conditional := a
			conditional.Condition = &condition
			if Decide(r, []directory.RoleAssignment{conditional}, defs).Allowed {
				t.Error("an assignment granted it whose condition was not evaluated")
			}
			if d := Decide(r, []directory.RoleAssignment{others, a, conditional}, defs); d.Allowed != c.allowed || len(d.Assignments) != 3 {
				t.Errorf("among others: %+v", d)
			}
			if Decide(r, nil, defs).Allowed {
				t.Error("nothing granted it")
			}
		})
	}
}

func TestADecisionSaysWhy(t *testing.T) {
	t.Parallel()
	defs := map[string]directory.RoleDefinition{}
	for _, d := range builtins {
		defs[d.ID] = d
	}
	scope := "/subscriptions/" + subA
	d := Decide(Request{TenantID: tenantA, Principal: guestID, Action: "Microsoft.Network/virtualNetworks/write", Scope: scope}, []directory.RoleAssignment{
		{ID: "a1", Scope: scope, RoleDefinitionID: reader, PrincipalID: guestID},
		{ID: "a2", Scope: "/subscriptions/" + subA2, RoleDefinitionID: owner, PrincipalID: guestID},
		{ID: "a3", Scope: scope, RoleDefinitionID: "gone", PrincipalID: guestID},
	}, defs)
	for i, want := range []struct{ role, failed, note string }{
		{"Reader", "action", ""},
		{"Owner", "scope", ""},
		{"", "role definition", ""},
	} {
		a := d.Assignments[i]
		first, failed := a.Checks.First()
		if a.Role != want.role || !failed || first.Name != want.failed {
			t.Errorf("%s (%s): first failed check %+v", a.ID, a.Role, first)
		}
	}
	if c, ok := d.Assignments[1].Checks.Named("action"); !ok || !c.OK || c.Note != "matches *" {
		t.Errorf("the checks after the failed one were not made: %+v", d.Assignments[1].Checks)
	}
}

func TestPatternsMatchWithWildcards(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, action string
		want            bool
	}{
		{"*", "a/b/read", true}, {"*/read", "a/b/read", true}, {"*/read", "read", false}, {"a/*/read", "a/b/c/read", true}, {"a/*/read", "a/read", true}, {"a/*/read", "ab/read", false}, {"a/*/read", "a/bread", false}, {"a/*/b/*/c", "a/b/c", true}, {"a/*/b/*/c", "a/xb/c", false}, {"a/*/*/c", "a/b/c", true}, {"*/a/*/c", "x/a/c", true}, {"*/a/*/c", "x/ba/c", false},
		{"a/b/read", "a/b/read", true}, {"a/b/read", "a/b/reads", false}, {"a/*/b/*/c", "a/x/b/y/c", true}, {"a/*/b/*/c", "a/x/c/y/b", false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"**", "x", true}, {"", "x", false}, {"*b*b*", "ab", false}, {"*b*b*", "abb", true},
	} {
		if got := matches(c.pattern, c.action); got != c.want {
			t.Errorf("%q against %q: %v", c.pattern, c.action, got)
		}
	}
}
