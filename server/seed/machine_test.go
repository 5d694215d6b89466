package seed

import (
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
)

// A seed assigns an identity that was made anew in the meantime by itself, and notes which one it was.
func TestAMachineKnowsItsIdentitiesByTheirPrincipals(t *testing.T) {
	t.Parallel()
	s, to := wholeTarget(t)
	const id = "/subscriptions/0c0a70e0-0000-4000-8000-00000000000a/resourceGroups/apps/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reporting"
	const first, second = "0c0a70e0-0000-4000-8000-0000000000aa", "0c0a70e0-0000-4000-8000-0000000000bb"
	for version, principal := range []string{first, second} {
		apply(t, to, strings.Replace(outside, first, principal, 1))
		m := have[directory.Machine](t)(s.Machines.Machine(t.Context(), "default"))
		same(t, map[string]string{id: principal}, m.Principals)
		if m.Version != int64(version)+1 {
			t.Errorf("version %d, want %d", m.Version, version+1)
		}
		if err := s.Resources.DeleteResource(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
}
