package seed

import (
	"slices"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
)

const seededGrant = `
tenants:
  - id: 0c0a70e0-0000-4000-8000-00000000000d
    name: Contoso
    domains: [contoso.onmicrosoft.com]
    applications:
      - {name: api, identifier_uris: ["api://things"], app_roles: [{value: Things.Read}]}
      - {name: client, permissions: [{resource: "api://things", role: Things.Read}]}
`

// A database made by an earlier version keeps the ids that its assignments have.
func TestPermissionsHaveGraphsKindOfIDAndKeepTheOneTheyHave(t *testing.T) {
	t.Parallel()
	s, to := wholeTarget(t)
	const tenant = "0c0a70e0-0000-4000-8000-00000000000d"
	var seen []string
	for start := range 3 {
		apply(t, to, seededGrant)
		api := have[directory.ServicePrincipal](t)(s.Principals.PrincipalByName(t.Context(), tenant, "api://things"))
		held := have[[]directory.AppRoleAssignment](t)(s.AppRoleAssignments.AppRolesOn(t.Context(), api.ID))
		if len(held) != 1 {
			t.Fatalf("start %d: %+v", start, held)
		}
		seen = append(seen, held[0].ID)
		if start == 0 {
			old := held[0]
			if err := s.AppRoleAssignments.RemoveAppRoleAssignment(t.Context(), tenant, old.ID); err != nil {
				t.Fatal(err)
			}
			old.ID = Derived(old.PrincipalID, old.ResourceID, old.RoleID)
			if err := s.AppRoleAssignments.AssignAppRole(t.Context(), old); err != nil {
				t.Fatal(err)
			}
		}
	}
	if id := seen[0]; len(id) != 43 || strings.ContainsAny(id, "+/=") || len(slices.Compact(seen[1:])) != 1 || !guidForm.MatchString(seen[1]) {
		t.Errorf("%v", seen)
	}
}
