package graph

import (
	"context"
	"slices"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
)

// managedMembers are the properties of a managed identity's service principal that are Azure's to set.
var managedMembers = []string{"alternativeNames", "displayName", "keyCredentials", "passwordCredentials", "servicePrincipalNames"}

// managed reports whether a service principal is a managed identity's. It has no application.
func managed(sp directory.ServicePrincipal) bool { return sp.Type == directory.TypeManagedIdentity }

// unmanaged refuses to change or delete a managed identity's service principal. Graph says no more than that
// the caller may not, whatever permissions it has (MicrosoftDocs/azure-docs issue 77020).
func (s *Service) unmanaged(ctx context.Context, c *call, o object) error {
	if o.sp == nil || !managed(*o.sp) {
		return nil
	}
	return s.deny(ctx, c, o.path(), evidence.Checks{{
		Name: "managed identity", Claim: "servicePrincipalType", Operator: "is not", Want: []string{directory.TypeManagedIdentity}, Got: []string{o.sp.Type},
		Note: "Azure manages this service principal: its credentials, owners and life are those of a resource",
		Fix:  "change or delete the Azure resource " + o.sp.ResourceID,
	}})
}

// permitManaged is unmanaged for an update, which may switch a managed identity off and write what is no
// business of Azure's, such as tags and notes.
func (s *Service) permitManaged(ctx context.Context, c *call, o object, p payload, current map[string]any) error {
	if slices.ContainsFunc(managedMembers, func(name string) bool {
		raw, sent := p[name]
		return sent && !sameJSON(raw, current[name])
	}) {
		return s.unmanaged(ctx, c, o)
	}
	return nil
}
