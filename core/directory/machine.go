package directory

import (
	"context"
	"time"
)

// Machine is where a workload of Azure runs, and whose managed identities it may use: a virtual machine, a
// site of App Service, a server connected by Arc, a Cloud Shell.
type Machine struct {
	ID           string   `json:"id"`   // vmId; what its secrets are derived from
	Name         string   `json:"name"` // unique: a lower-case DNS label
	Kind         string   `json:"kind"` // see the constants
	TenantID     string   `json:"tenantId"`
	Subscription string   `json:"subscription"`
	ResourceID   string   `json:"resourceId"`           // ARM id
	System       string   `json:"system,omitempty"`     // object id of its system-assigned identity, "" for none
	Identities   []string `json:"identities,omitempty"` // ARM ids of user-assigned identities
	// Principals are the object ids, by ARM id, that those identities had when they were assigned: one that is
	// made anew under an old name is another, which is not the machine's. Machines of older versions have none.
	Principals map[string]string `json:"principals,omitempty"`
	CreatedAt  time.Time         `json:"createdAt"`
	Version    int64             `json:"-"`
}

// Kinds of machines, by the endpoint at which they give tokens.
const (
	MachineVM         = "vm"          // Azure Instance Metadata Service
	MachineAppService = "app_service" // IDENTITY_ENDPOINT with a header
	MachineArc        = "arc"         // with a challenge file
	MachineCloudShell = "cloud_shell" // MSI_ENDPOINT
)

// Machines keeps machines.
type Machines interface {
	// CreateMachine adds one and, if system is not nil, the service principal of its system-assigned identity.
	CreateMachine(ctx context.Context, m Machine, system *ServicePrincipal) error
	// UpdateMachine writes m if the stored version is still m.Version, else fault.Conflict.
	UpdateMachine(ctx context.Context, m Machine) error
	Machine(ctx context.Context, name string) (Machine, error)
	// DeleteMachine removes one with its system-assigned identity and all that the identity holds.
	DeleteMachine(ctx context.Context, name string) error
	Machines(ctx context.Context) ([]Machine, error) // by Name
}

// ManagedIdentities keeps user-assigned managed identities: a resource and a service principal that live
// and die together. Resources.DeleteResource of the resource, or of anything above it, removes both.
type ManagedIdentities interface {
	// CreateManagedIdentity adds both; fault.Conflict when either is there.
	CreateManagedIdentity(ctx context.Context, r Resource, p ServicePrincipal) error
}
