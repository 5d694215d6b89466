package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/treatyfed/treaty/aws/iam"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/entra/arm"
	"github.com/treatyfed/treaty/entra/graph"
	"github.com/treatyfed/treaty/server/seed"
)

// start makes what a first start makes, applies the seed, and keeps the credentials in the folder.
func (s *Server) start(ctx context.Context) error {
	begun, err := s.seedAll(ctx)
	if err != nil {
		return err
	}
	if begun && !s.config.Hub() {
		if err := s.store.Snapshot(ctx); err != nil {
			return err
		}
		s.marked = true
	}
	if s.folder == nil {
		return nil
	}
	if err := s.folder.WriteCredentials(s.admin); err != nil {
		return err
	}
	return s.writeAuthorities()
}

// seedAll brings the database to the seeded state, or adds to it what is missing; it reports whether this
// was a first start. An administrator who was removed after the first start stays removed: his account
// and tenant are there.
func (s *Server) seedAll(ctx context.Context) (begun bool, err error) {
	t := s.target()
	noAccount, noTenant, err := t.Empty(ctx, AccountID, TenantID)
	if err != nil {
		return false, fmt.Errorf("look at the first account and tenant: %w", err)
	}
	account, tenant := first(s.admin)
	var begin seed.Document
	if noAccount {
		begin.Accounts = account.Accounts
	}
	if noTenant {
		begin.Tenants = tenant.Tenants
	}
	if err := t.Begin(ctx, begin); err != nil {
		return false, fmt.Errorf("first start: %w", err)
	}
	if err := t.Apply(ctx, s.document); err != nil {
		return false, fmt.Errorf("seed: %w", err)
	}
	if err := s.refreshFirstParty(ctx, t); err != nil {
		return false, err
	}
	return noAccount || noTenant, s.vouchForAll(ctx)
}

// refreshFirstParty brings Microsoft's own resources in every tenant up to what this version serves and
// the names of this mode.
func (s *Server) refreshFirstParty(ctx context.Context, t seed.Target) error {
	tenants, err := s.store.Tenants.Tenants(ctx)
	if err != nil {
		return fmt.Errorf("list tenants: %w", err)
	}
	for _, tn := range tenants {
		if err := t.Refresh(ctx, tn); err != nil {
			return fmt.Errorf("tenant %s: %w", tn.ID, err)
		}
	}
	return nil
}

func (s *Server) target() seed.Target {
	return seed.Target{
		Accounts: s.store.Accounts, Pools: s.store.Pools, Identities: s.store.Identities, Tenants: s.store.Tenants, Applications: s.store.Applications,
		Principals: s.store.Principals, Federated: s.store.FederatedCredentials, Assignments: s.store.AppRoleAssignments,
		Users: s.store.Users, Subscriptions: s.store.Subscriptions, Roles: s.store.Roles,
		Resources: s.store.Resources, ManagedIdentities: s.store.ManagedIdentities, Machines: s.store.Machines,
		Issuers: s.store.Issuers, IssuerBase: s.names.issuers(), Answered: s.answersCloud,
		IAM: seed.IAM{
			Roles: s.store.IAMRoles, Users: s.store.IAMUsers, Groups: s.store.IAMGroups, Policies: s.store.IAMPolicies, OIDC: s.store.OIDCProviders,
			Memberships: s.store.Memberships, Keys: s.store.AccessKeys, Managed: iam.Managed,
		},
		Sealer: s.sealer, Now: s.clock.Now, RoleID: arm.BuiltinRole, DefaultResource: s.names.Graph,
		FirstParty: func(tn directory.Tenant, newID func() string) []directory.ServicePrincipal {
			return graph.FirstParty(tn, s.names.Graph, s.names.ARM, s.clock.Now().Truncate(time.Second), newID)
		},
	}
}

// newID makes a random GUID (RFC 9562 section 5.4).
func (s *Server) newID() string {
	id, err := uuid.NewRandomFromReader(s.rand)
	if err != nil {
		panic(fault.Wrap(fault.Internal, "make an id", err)) // crypto/rand does not fail
	}
	return id.String()
}

// Reset returns the database to the seeded state: what the first start and the seed make, and nothing
// else. Signing keys, the audit and the clock stay. Requests under way end first, others wait.
func (s *Server) Reset(ctx context.Context) error {
	s.gate.Lock()
	defer s.gate.Unlock()
	err := s.store.Restore(ctx)
	if errors.Is(err, fault.NotFound) { // a first start that was cut short, or that of a hub
		s.marked = false
		err = s.store.Reset(ctx)
		s.keys.Reset()
	}
	if err != nil {
		return err
	}
	s.remote.Reset()
	s.webKeys.Reset()
	s.identities.Reset()
	if s.objects != nil {
		if err := s.objects.Empty(); err != nil {
			return err
		}
	}
	if s.marked {
		return nil
	}
	// The mark is an earlier start's, perhaps with another seed: from now on it is this one's.
	if _, err := s.seedAll(ctx); err != nil {
		return err
	}
	if err := s.store.Snapshot(ctx); err != nil {
		return err
	}
	s.marked = true
	return nil
}
