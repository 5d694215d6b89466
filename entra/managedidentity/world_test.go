package managedidentity_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/entra/aadsts"
	"github.com/treatyfed/treaty/entra/managedidentity"
)

// The inhabitants of the test world.
const (
	tenant  = "7ea70000-0000-4000-8000-000000000001"
	sub     = "7ea70000-0000-4000-8000-000000000002"
	group   = "/subscriptions/" + sub + "/resourceGroups/rg"
	arm     = "https://management.azure.com/"
	sysSP   = "aaaaaaaa-0000-4000-8000-000000000001"
	sysApp  = "aaaaaaaa-0000-4000-8000-0000000000c1"
	oneSP   = "bbbbbbbb-0000-4000-8000-000000000001"
	oneApp  = "bbbbbbbb-0000-4000-8000-0000000000c1"
	oneID   = group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one"
	twoSP   = "cccccccc-0000-4000-8000-000000000001"
	twoApp  = "cccccccc-0000-4000-8000-0000000000c1"
	twoID   = group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/two"
	goneID  = group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/gone"
	request = "0d2b3c4d-0000-4000-8000-000000000001"
	client  = "1e2b3c4d-0000-4000-8000-000000000002"

	authority = "https://login.microsoftonline.com"
)

// start is when tokens of the test world are issued: unix 1605152325.
var start = time.Date(2020, 11, 12, 3, 38, 45, 0, time.UTC)

// world is a service with everything that it depends on.
type world struct {
	*managedidentity.Service
	t *testing.T

	mu         sync.Mutex
	now        time.Time
	machines   map[string]directory.Machine
	principals map[string]directory.ServicePrincipal
	resources  map[string]directory.Resource
	issued     []managedidentity.Ask
	events     []audit.Event
	broken     string // which dependency fails
}

type (
	otherMachines   = directory.Machines
	otherPrincipals = directory.Principals
	otherResources  = directory.Resources

	machines struct {
		otherMachines
		w *world
	}
	principals struct {
		otherPrincipals
		w *world
	}
	resources struct {
		otherResources
		w *world
	}
)

var errBroken = errors.New("the disk is on fire")

func find[T any](w *world, what string, from map[string]T, key string) (T, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := from[strings.ToLower(key)]
	if w.broken == what {
		return v, errBroken
	}
	if !ok {
		return v, fault.New(fault.NotFound, what+" "+key, "")
	}
	return v, nil
}

func (f machines) Machine(_ context.Context, name string) (directory.Machine, error) {
	return find(f.w, "machine", f.w.machines, name)
}

func (f principals) Principal(_ context.Context, tenant, id string) (directory.ServicePrincipal, error) {
	return find(f.w, "principal", f.w.principals, tenant+id)
}

func (f resources) Resource(_ context.Context, id string) (directory.Resource, error) {
	return find(f.w, "resource", f.w.resources, id)
}

func (w *world) Record(_ context.Context, e audit.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	if w.broken == "audit" {
		return errBroken
	}
	return nil
}

func (w *world) issue(_ context.Context, a managedidentity.Ask) (managedidentity.Token, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.issued = append(w.issued, a)
	p := w.principals[a.TenantID+a.PrincipalID]
	switch {
	case w.broken == "issue":
		return managedidentity.Token{}, errBroken
	case strings.Contains(a.Resource, "unknown"):
		return managedidentity.Token{}, fmt.Errorf("issue: %w", aadsts.New(aadsts.ResourceNotFound, a.Resource, a.TenantID))
	case !p.Enabled:
		return managedidentity.Token{}, aadsts.New(aadsts.ApplicationDisabled, p.AppID, p.DisplayName)
	}
	return managedidentity.Token{
		AccessToken: fmt.Sprintf("token-%d", len(w.issued)), ClientID: p.AppID, Resource: a.Resource,
		NotBefore: w.now.Add(-5 * time.Minute), ExpiresOn: w.now.Add(24 * time.Hour), ExpiresIn: 24*time.Hour - time.Second,
	}, nil
}

// newWorld has a machine of each kind, with its system-assigned identity and the user-assigned one.
func newWorld(t *testing.T) *world {
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, now: start,
		machines: map[string]directory.Machine{}, principals: map[string]directory.ServicePrincipal{}, resources: map[string]directory.Resource{},
	}
	w.Service = &managedidentity.Service{
		Machines: machines{w: w}, Principals: principals{w: w}, Resources: resources{w: w}, Issue: w.issue, Sealer: sealer, Audit: w,
		Authority: authority, ArcFolder: t.TempDir(), Now: func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }, Rand: rand.Reader,
	}
	t.Cleanup(w.Close)
	for kind, name := range map[string]string{
		directory.MachineVM: "default", directory.MachineAppService: "app", directory.MachineArc: "arc", directory.MachineCloudShell: "shell",
	} {
		w.machine(name, kind, sysSP, oneID)
	}
	w.principal(directory.ServicePrincipal{ID: sysSP, AppID: sysApp, ResourceID: w.machines["default"].ResourceID})
	w.user(oneID, oneSP, oneApp)
	w.user(twoID, twoSP, twoApp)
	w.resources[strings.ToLower(group)] = directory.Resource{ID: group, Location: "westeurope"}
	return w
}

func (w *world) machine(name, kind, system string, ids ...string) {
	w.machines[name] = directory.Machine{
		ID: "5c08b38e-4d57-4c23-ac45-aca61037f084", Name: name, Kind: kind, TenantID: tenant, Subscription: sub,
		ResourceID: group + "/providers/Microsoft.Compute/virtualMachines/" + name + "-1", System: system, Identities: ids,
	}
}

func (w *world) principal(p directory.ServicePrincipal) {
	p.TenantID, p.Type, p.Enabled = tenant, directory.TypeManagedIdentity, true
	w.principals[tenant+p.ID] = p
}

func (w *world) user(id, sp, app string) {
	w.principal(directory.ServicePrincipal{ID: sp, AppID: app, ResourceID: id, UserAssigned: true})
	w.resources[strings.ToLower(id)] = directory.Resource{
		ID: id, Body: json.RawMessage(`{"principalId":"` + sp + `","clientId":"` + app + `","tenantId":"` + tenant + `"}`),
	}
}
