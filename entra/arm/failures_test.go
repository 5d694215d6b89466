package arm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
)

type repository = directory.Resources

// brokenResources fails as a database that is gone.
type brokenResources struct{ repository }

func (brokenResources) Resource(context.Context, string) (directory.Resource, error) {
	return directory.Resource{}, errors.New("disk on fire")
}

// deaf refuses to record.
type deaf struct{}

func (deaf) Record(context.Context, audit.Event) error { return errors.New("audit is full") }

// crowded holds as many assignments as a subscription may have.
type crowded struct{ directory.Roles }

func (crowded) RoleAssignments(context.Context, string) ([]directory.RoleAssignment, error) {
	out := make([]directory.RoleAssignment, maxAssignments)
	for i := range out {
		out[i] = directory.RoleAssignment{ID: fmt.Sprint(i), Scope: sub("/resourceGroups/rg"), RoleDefinitionID: reader}
	}
	return out, nil
}

// keyless has no keys to verify with.
type keyless struct{}

func (keyless) PublicKeys(context.Context, string, string) ([]token.PublicKey, error) {
	return nil, fault.New(fault.Unavailable, "keys", "store is gone")
}

func TestFailuresStayInside(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	var log bytes.Buffer
	tw.Log = slog.New(slog.NewTextHandler(&log, nil))
	tw.group("rg")
	resources, recorder := tw.Resources, tw.Audit

	tw.Resources = brokenResources{resources}
	a := tw.as(ownerID, "GET", sub("/resourceGroups/rg")+v2021, "")
	a.fails(500, "InternalServerError", "Encountered internal server error.")
	if strings.Contains(a.Body.String(), "fire") || !strings.Contains(log.String(), "disk on fire") || !strings.Contains(log.String(), a.Header().Get("x-ms-request-id")) {
		t.Errorf("answer %s\nlog %s", a.Body, log.String())
	}
	tw.Resources = resources

	tw.Audit = deaf{}
	tw.as(ownerID, "PUT", sub("/resourceGroups/unheard")+v2021, `{"location":"eastus"}`).fails(500, "InternalServerError", "")
	tw.as(guestID, "GET", sub("/resourceGroups/rg")+v2021, "").fails(500, "InternalServerError", "")
	tw.Audit = recorder
	tw.as(ownerID, "GET", sub("/resourceGroups/unheard")+v2021, "").fails(404, "ResourceGroupNotFound", "")

	roles := tw.Roles
	tw.Roles = crowded{roles}
	tw.as(ownerID, "PUT", sub(assignments+"/"+newID1)+vAuth, role(reader, guestID, "")).fails(400, "RoleAssignmentLimitExceeded", "")
	tw.Roles = roles

	tw.Tokens = &token.Verifier{Source: keyless{}, Algorithms: []string{"RS256"}, Now: tw.Now}
	tw.as(ownerID, "GET", sub("")+v2021, "").fails(503, "ServerTimeout", "")
}

func TestWhatIsAskedDoesNotNameOperationsUnlessServed(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	for path, want := range map[string]string{
		"/providers/Any.Thing/atAll":                       "",
		"/providers/Any.Thing/register":                    "",
		"/providers/Microsoft.Network/anything":            "",
		"/providers/microsoft.network/virtualnetworks":     "Microsoft.Network/virtualNetworks/read",
		"/resourcegroups":                                  "Microsoft.Resources/subscriptions/resourcegroups/read",
		"/providers/Microsoft.Authorization/permissions/x": "Microsoft.Authorization/permissions/read",
	} {
		ar := &audit.Request{ID: newID1}
		r := newRequest(t, "GET", sub(path)+vNet)
		tw.serveRequest(r.WithContext(audit.WithRequest(r.Context(), ar)))
		if ar.Operation != want {
			t.Errorf("%s: %q, want %q", path, ar.Operation, want)
		}
	}
}
