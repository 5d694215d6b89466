package seed

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/server/config"
)

// identityBody is what the resource of a managed identity stores.
type identityBody struct {
	PrincipalID string `json:"principalId"`
	ClientID    string `json:"clientId"`
	TenantID    string `json:"tenantId"`
}

// managedIdentity makes a user-assigned identity with its group and its trusts. What an identity's ids are
// is settled when it is made.
func (t Target) managedIdentity(ctx context.Context, ps *config.Problems, path string, tn directory.Tenant, m ManagedIdentity) {
	if !note(ps, path, t.group(ctx, tn.ID, m.Subscription, m.ResourceGroup, m.Location)) || !note(ps, path, t.userAssigned(ctx, tn, m)) {
		return
	}
	for i, c := range m.FederatedCredentials {
		note(ps, fmt.Sprintf("%s.federated_credentials[%d]", path, i), again(func() error { return t.trust(ctx, m.PrincipalID, c) }))
	}
}

func (t Target) userAssigned(ctx context.Context, tn directory.Tenant, m ManagedIdentity) error {
	want := identityBody{PrincipalID: m.PrincipalID, ClientID: m.ClientID, TenantID: tn.ID}
	body, err := json.Marshal(want)
	if err != nil {
		return err
	}
	p := t.managed(tn.ID, m.PrincipalID, m.ClientID, m.Name, m.ResourceID())
	p.UserAssigned = true
	err = t.ManagedIdentities.CreateManagedIdentity(ctx, directory.Resource{
		ID: m.ResourceID(), Subscription: m.Subscription, Type: identityType, Name: m.Name, Location: m.Location, Body: body, CreatedAt: t.Now(),
	}, p)
	if !errors.Is(err, fault.Conflict) {
		return err
	}
	r, missing := t.Resources.Resource(ctx, m.ResourceID())
	if missing != nil {
		return err // one of its ids is another principal's
	}
	var have identityBody
	if err := json.Unmarshal(r.Body, &have); err != nil {
		return fmt.Errorf("read what is there: %w", err)
	}
	if have != want {
		return fmt.Errorf("it is there with principal_id %s and client_id %s", have.PrincipalID, have.ClientID)
	}
	return nil
}

// managed is the service principal of a managed identity. Its second name is of Azure's own form,
// https://identity.azure.net/ and 32 bytes.
func (t Target) managed(tenant, id, client, name, resource string) directory.ServicePrincipal {
	sum := sha256.Sum256([]byte(strings.ToLower(resource) + " " + client))
	return directory.ServicePrincipal{
		ID: id, TenantID: tenant, AppID: client, DisplayName: name, Type: directory.TypeManagedIdentity, OwnerTenant: tenant,
		Names: []string{client, "https://identity.azure.net/" + base64.StdEncoding.EncodeToString(sum[:])}, Enabled: true, ResourceID: resource, CreatedAt: t.Now(),
	}
}

// group makes a resource group unless it is there.
func (t Target) group(ctx context.Context, tenant, subscription, name, location string) error {
	s, err := t.Subscriptions.Subscription(ctx, subscription)
	if err != nil {
		return fmt.Errorf("the subscription %s: %w", subscription, err)
	}
	if s.TenantID != tenant {
		return fmt.Errorf("the subscription %s belongs to tenant %s", subscription, s.TenantID)
	}
	id := groupID(s.ID, name)
	_, err = t.Resources.Resource(ctx, id)
	if !errors.Is(err, fault.NotFound) {
		return err
	}
	_, err = t.Resources.PutResource(ctx, directory.Resource{
		ID: id, Subscription: s.ID, Type: groupType, Name: name, Location: location, Body: json.RawMessage(`{}`), CreatedAt: t.Now(),
	})
	return err
}

// NewMachine makes a machine; fault.Conflict when its name is taken. m is complete, id is its vmId.
func (t Target) NewMachine(ctx context.Context, tenant, id string, m Machine) error {
	want, system, err := t.machine(ctx, tenant, id, m, nil)
	if err != nil {
		return err
	}
	return t.Machines.CreateMachine(ctx, want, system)
}

// machineOf makes a machine, or brings it up to the document. named are ARM ids of identities by name. Its
// system-assigned identity comes and goes with m.SystemAssigned.
func (t Target) machineOf(ctx context.Context, tenant string, m Machine, named map[string]string) error {
	want, system, err := t.machine(ctx, tenant, Derived("machine", m.Name), m, named)
	if err != nil {
		return err
	}
	return again(func() error { return t.putMachine(ctx, want, system) })
}

func (t Target) machine(ctx context.Context, tenant, id string, m Machine, named map[string]string) (want directory.Machine, system *directory.ServicePrincipal, err error) {
	want = directory.Machine{ID: id, Name: m.Name, Kind: m.Kind, TenantID: tenant, Subscription: m.Subscription, ResourceID: m.ResourceID, CreatedAt: t.Now()}
	if err := t.group(ctx, tenant, m.Subscription, m.ResourceGroup, defaultLocation); err != nil {
		return want, nil, err
	}
	for _, name := range m.Identities {
		r, err := t.Resources.Resource(ctx, m.identity(name, named))
		if err != nil {
			return want, nil, fmt.Errorf("the identity %s: %w", name, err)
		}
		var of identityBody
		switch {
		case !strings.EqualFold(r.Type, identityType):
			return want, nil, fmt.Errorf("%s is no user-assigned identity", name)
		case json.Unmarshal(r.Body, &of) != nil || !strings.EqualFold(of.TenantID, tenant):
			return want, nil, fmt.Errorf("the identity %s belongs to tenant %s", name, of.TenantID)
		}
		if !slices.Contains(want.Identities, r.ID) {
			want.Identities = append(want.Identities, r.ID)
			if want.Principals == nil {
				want.Principals = map[string]string{}
			}
			want.Principals[r.ID] = of.PrincipalID
		}
	}
	if m.SystemAssigned {
		p := t.managed(tenant, Derived(tenant, id, "system"), Derived(tenant, id, "system client"), m.Name, m.ResourceID)
		system, want.System = &p, p.ID
	}
	return want, system, nil
}

func (t Target) putMachine(ctx context.Context, want directory.Machine, system *directory.ServicePrincipal) error {
	have, err := t.Machines.Machine(ctx, want.Name)
	if errors.Is(err, fault.NotFound) {
		return t.Machines.CreateMachine(ctx, want, system)
	}
	if err != nil {
		return err
	}
	if have.TenantID != want.TenantID {
		return fmt.Errorf("the machine belongs to tenant %s", have.TenantID)
	}
	want.ID, want.CreatedAt, want.Version = have.ID, have.CreatedAt, have.Version
	if have.System != "" && system != nil {
		want.System = have.System
	} else if system != nil {
		if err := t.Principals.CreatePrincipal(ctx, *system); err != nil && !errors.Is(err, fault.Conflict) {
			return err
		}
	}
	if same, err := sameJSON(have, want); err != nil || same {
		return err
	}
	if err := t.Machines.UpdateMachine(ctx, want); err != nil {
		return err
	}
	if have.System != "" && want.System == "" {
		return t.Principals.DeletePrincipal(ctx, have.TenantID, have.System)
	}
	return nil
}

// HoldsOf gives a machine's system-assigned identity its permissions and roles.
func (t Target) HoldsOf(ctx context.Context, ps *config.Problems, path string, m Machine) {
	have, err := t.Machines.Machine(ctx, m.Name)
	if err != nil || have.System == "" {
		return // it could not be made, which is a problem already, or holds nothing
	}
	t.holds(ctx, ps, path, have.TenantID, have.System, m.Permissions, m.Roles)
}

// holds gives a principal app roles of resources and Azure roles.
func (t Target) holds(ctx context.Context, ps *config.Problems, path, tenant, principal string, permissions []Permission, roles []Role) {
	sp, err := t.Principals.Principal(ctx, tenant, principal)
	if err != nil {
		return // it could not be made: that is a problem already
	}
	for i, g := range permissions {
		note(ps, join(path, fmt.Sprintf("permissions[%d]", i)), t.permission(ctx, sp, g))
	}
	for i, r := range roles {
		note(ps, join(path, fmt.Sprintf("roles[%d]", i)), t.assign(ctx, tenant, sp.ID, "ServicePrincipal", r))
	}
}
