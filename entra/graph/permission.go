package graph

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/evidence"
)

// ownedBy is the role that allows what Application.ReadWrite.All does, on objects that the caller owns.
const ownedBy = "Application.ReadWrite.OwnedBy"

// need is what a call must be permitted: at least one role of each list. With owned set, ownedBy stands
// for the first list where the object is one that the caller owns. The lists are those of the "Permissions"
// table of each operation in Graph's reference (learn.microsoft.com graph/api/…).
type need struct {
	all   [][]string
	owned bool
}

// What the operations need.
var (
	readApplications  = need{all: [][]string{{"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}}, owned: true}
	writeApplications = need{all: [][]string{{"Application.ReadWrite.All"}}, owned: true}
	readAssignments   = need{all: [][]string{{"Application.Read.All", "Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}}, owned: true}
	writeAssignments  = need{all: [][]string{{"AppRoleAssignment.ReadWrite.All"}, {"Application.Read.All", "Application.ReadWrite.All", ownedBy, "Directory.Read.All", "Directory.ReadWrite.All"}}}
	deleteAssignments = need{all: [][]string{{"AppRoleAssignment.ReadWrite.All"}}}
	readUsers         = need{all: [][]string{{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}}}
	readUserRoles     = need{all: [][]string{{"AppRoleAssignment.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}}}
	readOrganization  = need{all: [][]string{{"Organization.Read.All", "Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}}}
	readDomains       = need{all: [][]string{{"Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}}}
	readGrants        = need{all: [][]string{{"DelegatedPermissionGrant.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}}}
	readObjects       = need{all: [][]string{{"Directory.Read.All", "Directory.ReadWrite.All", "Application.Read.All", "Application.ReadWrite.All", "User.Read.All", "User.ReadWrite.All"}}, owned: true}
)

// check compares the caller's roles with a need. owners are those of the object in question; nil when no
// particular object is known yet, so that ownership cannot be judged and is left for later.
func (c *call) check(n need, owners *[]string) evidence.Checks {
	var checks evidence.Checks
	for i, want := range n.all {
		ok := slices.ContainsFunc(c.roles, func(r string) bool { return slices.Contains(want, r) })
		byOwner := !ok && i == 0 && n.owned && slices.Contains(c.roles, ownedBy)
		if i == 0 && n.owned {
			want = append(slices.Clone(want), ownedBy)
		}
		check := evidence.Check{Name: "permission", Claim: "roles", Operator: "one of", Want: want, Got: c.roles, OK: ok || byOwner}
		if !check.OK {
			check.Fix = "grant the calling application the Microsoft Graph application permission " + want[0]
			if c.delegated {
				check.Note = "the token is a delegated one, and the signed-in user holds no directory role"
			}
		}
		checks = append(checks, check)
		if byOwner && owners != nil {
			checks = append(checks, evidence.Check{
				Name: "owner", Claim: "oid", Operator: "one of", Want: *owners, Got: []string{c.objectID},
				OK: slices.Contains(*owners, c.objectID), Note: ownedBy + " covers objects that the caller owns",
			})
		}
	}
	return checks
}

// limited reports whether a need is met by ownership alone, so that lists show owned objects only.
func (c *call) limited(n need) bool { return n.owned && !c.check(need{all: n.all}, nil).OK() }

// permit refuses the call with 403, audited, unless the need is met.
func (s *Service) permit(ctx context.Context, c *call, n need, resource string, owners *[]string) error {
	checks := c.check(n, owners)
	if checks.OK() {
		return nil
	}
	return s.deny(ctx, c, resource, checks)
}

// deny refuses the call with 403, audited with the checks that it failed.
func (s *Service) deny(ctx context.Context, c *call, resource string, checks evidence.Checks) error {
	f := &failure{Status: http.StatusForbidden, Code: "Authorization_RequestDenied", Message: "Insufficient privileges to complete the operation."}
	proof, err := json.Marshal(map[string]any{"checks": checks})
	if err != nil {
		return err
	}
	if err := s.event(ctx, c, audit.Event{Resource: resource, Outcome: audit.Refused, Code: f.Code, Evidence: proof}); err != nil {
		return err
	}
	return f
}
