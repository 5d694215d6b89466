package arm

import (
	"context"
	"errors"
	"slices"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// systemIdentityView is the system-assigned identity of a resource on the wire.
type systemIdentityView struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Type       string   `json:"type"`
	Location   string   `json:"location,omitempty"` // that of the resource's group, if there is one
	Properties identity `json:"properties"`
}

// getSystemIdentity shows the system-assigned identity of the resource that is the call's scope. Its name is
// always default; where its secrets are is not told, since nothing gives them out.
func (s *Service) getSystemIdentity(ctx context.Context, _ *struct{}) (*systemIdentityView, error) {
	c := callOf(ctx)
	p, err := s.systemIdentity(ctx, c)
	if err != nil {
		return nil, err
	}
	v := &systemIdentityView{ID: p.ResourceID + "/providers/" + identityNamespace + "/identities/default", Name: "default", Type: identityNamespace + "/identities",
		Properties: identity{TenantID: p.TenantID, PrincipalID: p.ID, ClientID: p.AppID}}
	g, err := s.Resources.Resource(ctx, "/subscriptions/"+c.target.Subscription+"/resourceGroups/"+c.target.Group)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return nil, err
	}
	v.Location = g.Location
	return v, nil
}

// systemIdentity finds the service principal of the machine that the call's scope names.
func (s *Service) systemIdentity(ctx context.Context, c *call) (directory.ServicePrincipal, error) {
	missing := errorf(404, "ResourceNotFound", "The Resource '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", c.target.ID())
	if !is(c.target.Name(), "default") || len(c.target.Types) != 1 {
		return directory.ServicePrincipal{}, missing
	}
	machines, err := s.Machines.Machines(ctx)
	if err != nil {
		return directory.ServicePrincipal{}, err
	}
	i := slices.IndexFunc(machines, func(m directory.Machine) bool {
		return m.System != "" && m.TenantID == c.caller.TenantID && sameScope(m.ResourceID, c.target.Scope)
	})
	if i < 0 {
		return directory.ServicePrincipal{}, missing
	}
	p, err := s.Principals.Principal(ctx, c.caller.TenantID, machines[i].System)
	if errors.Is(err, fault.NotFound) {
		return p, missing
	}
	return p, err
}
