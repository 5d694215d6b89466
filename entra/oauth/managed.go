package oauth

import (
	"context"
	"errors"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/entra/aadsts"
)

// Managed is a managed identity's request for a token, made by a machine that may use the identity.
type Managed struct {
	TenantID        string
	PrincipalID     string // object id of the identity's service principal
	Resource        string // as the workload wrote it
	MachineResource string // ARM id of the machine, "" when that is not to be told
}

// ManagedToken is what came of it.
type ManagedToken struct {
	AccessToken string
	ClientID    string
	Resource    string // as it was asked
	NotBefore   time.Time
	ExpiresOn   time.Time
	ExpiresIn   time.Duration
}

// IssueManaged issues a token to a managed identity, for the endpoints that give them to the machines. That
// the machine may use the identity is the caller's to know, and so is the audit. What the authority
// refuses is an *aadsts.Error.
func (s *Service) IssueManaged(ctx context.Context, m Managed) (ManagedToken, error) {
	if m.Resource == "" {
		return ManagedToken{}, aadsts.New(aadsts.ParameterMissing, "resource")
	}
	c := &call{record: &audit.Request{ID: audit.RequestOf(ctx).ID}, now: s.Now(), segment: m.TenantID, machine: m.MachineResource, strength: byAssertion}
	if !isGUID(c.record.ID) {
		c.record.ID = s.newGUID()
	}
	var err error
	if c.tenant, err = s.findTenant(ctx, m.TenantID); err != nil {
		return ManagedToken{}, err
	}
	identity, err := s.Principals.Principal(ctx, c.tenant.ID, m.PrincipalID)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return ManagedToken{}, err
	}
	if err = c.beManaged(identity, m.PrincipalID); err != nil {
		return ManagedToken{}, err
	}
	return s.issueManaged(ctx, c, m.Resource)
}

func (s *Service) issueManaged(ctx context.Context, c *call, asked string) (ManagedToken, error) {
	var err error
	if c.resource, err = s.findResource(ctx, c.tenant, asked); err != nil {
		return ManagedToken{}, err
	}
	claims, err := applicationClaims(ctx, s, c)
	if err != nil {
		return ManagedToken{}, err
	}
	t, err := s.issue(ctx, c, claims)
	if err != nil {
		return ManagedToken{}, err
	}
	return ManagedToken{AccessToken: t.AccessToken, ClientID: c.client.appID, Resource: t.Resource, NotBefore: t.NotBefore, ExpiresOn: t.ExpiresOn, ExpiresIn: t.ExpiresIn}, nil
}
