package arm

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
)

// Whoever may assign roles must not be able to make the records of another's calls too large to be kept:
// the calls would be refused.
func TestADecisionOverManyAssignmentsIsKeptInBrief(t *testing.T) {
	t.Parallel()
	actions := make([]string, maxActions)
	for i := range actions {
		actions[i] = "Microsoft.Network/" + strings.Repeat("a", 200) + fmt.Sprint(i)
	}
	wide := directory.RoleDefinition{ID: "wide", Name: "Wide", Permissions: []directory.Permissions{{Actions: actions, NotActions: actions}}}
	good := directory.RoleDefinition{ID: "good", Name: "Good", Permissions: []directory.Permissions{{Actions: []string{"*"}}}}
	var assignments []directory.RoleAssignment
	for i := range 60 {
		assignments = append(assignments, directory.RoleAssignment{ID: fmt.Sprint(i), Scope: fmt.Sprintf("/subscriptions/%s/resourceGroups/g%d", subA, i), RoleDefinitionID: "wide", PrincipalID: "p"})
	}
	assignments = append(assignments, directory.RoleAssignment{ID: "last", Scope: "/subscriptions/" + subA, RoleDefinitionID: "good", PrincipalID: "p"})
	d := Decide(Request{TenantID: tenantA, Principal: "p", Action: "Microsoft.Network/virtualNetworks/write", Scope: "/subscriptions/" + subA + "/resourceGroups/x"},
		assignments, map[string]directory.RoleDefinition{"wide": wide, "good": good})
	b, err := d.encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 1<<19 {
		t.Errorf("%d bytes are kept", len(b))
	}
	var kept Decision
	if err := json.Unmarshal(b, &kept); err != nil {
		t.Fatal(err)
	}
	if !kept.Allowed || kept.Assignments[0].ID != "last" || !kept.Assignments[0].Grants || kept.Omitted+len(kept.Assignments) != len(assignments) {
		t.Errorf("allowed %v by %s, %d kept, %d omitted", kept.Allowed, kept.Assignments[0].ID, len(kept.Assignments), kept.Omitted)
	}
	if len(d.Assignments) != len(assignments) || len(d.Assignments[0].Checks[3].Want) != maxActions {
		t.Error("the decision itself was cut")
	}
}
