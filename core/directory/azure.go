package directory

import (
	"context"
	"encoding/json"
	"time"
)

// Subscription is an Azure subscription of a tenant.
type Subscription struct {
	ID          string `json:"id"`
	TenantID    string `json:"tenantId"`
	DisplayName string `json:"displayName"`
	State       string `json:"state"` // Enabled
}

// Subscriptions keeps subscriptions.
type Subscriptions interface {
	PutSubscription(ctx context.Context, s Subscription) error
	Subscription(ctx context.Context, id string) (Subscription, error)
	Subscriptions(ctx context.Context, tenant string) ([]Subscription, error) // by ID
}

// Resource is an ARM resource or resource group. ID is the path as first written; lookups and prefixes
// ignore case. Body is the stored representation without id, name, type, location and tags.
type Resource struct {
	ID           string            `json:"id"`
	Subscription string            `json:"subscription"`
	Type         string            `json:"type"` // Microsoft.Network/virtualNetworks
	Name         string            `json:"name"`
	Location     string            `json:"location"`
	Tags         map[string]string `json:"tags"`
	Body         json.RawMessage   `json:"body,omitempty"`
	CreatedAt    time.Time         `json:"createdAt"`
	Version      int64             `json:"-"`
}

// Resources keeps ARM resources.
type Resources interface {
	// PutResource creates or replaces by ID and reports which; CreatedAt and the ID's spelling stay. One that
	// was read, and so has a Version, replaces only what was read: else it is fault.Conflict.
	PutResource(ctx context.Context, r Resource) (created bool, err error)
	Resource(ctx context.Context, id string) (Resource, error)
	// DeleteResource removes a resource and everything below its path.
	DeleteResource(ctx context.Context, id string) error
	// Resources lists those of a type below a scope, by ID in lower case.
	Resources(ctx context.Context, scope, resourceType, after string, limit int) ([]Resource, error)
}

// Permissions of a role definition: actions with * wildcards, compared in any case.
type Permissions struct {
	Actions        []string `json:"actions"`
	NotActions     []string `json:"notActions"`
	DataActions    []string `json:"dataActions"`
	NotDataActions []string `json:"notDataActions"`
}

// RoleDefinition is an Azure role. Built-in ones are the surface's table; the store keeps custom ones.
type RoleDefinition struct {
	ID               string        `json:"id"` // GUID
	TenantID         string        `json:"tenantId"`
	Name             string        `json:"name"` // roleName, unique in the tenant
	Description      string        `json:"description"`
	Permissions      []Permissions `json:"permissions"`
	AssignableScopes []string      `json:"assignableScopes"`
	CreatedAt        time.Time     `json:"createdAt"`
	UpdatedAt        time.Time     `json:"updatedAt"`
	CreatedBy        string        `json:"createdBy"`
}

// RoleAssignment grants a role definition to a principal at a scope; (scope, principal, role) is unique.
type RoleAssignment struct {
	ID               string    `json:"id"` // GUID
	TenantID         string    `json:"tenantId"`
	Scope            string    `json:"scope"`            // "/subscriptions/…", compared in any case
	RoleDefinitionID string    `json:"roleDefinitionId"` // GUID
	PrincipalID      string    `json:"principalId"`
	PrincipalType    string    `json:"principalType"`
	Description      *string   `json:"description"`
	Condition        *string   `json:"condition"`
	ConditionVersion *string   `json:"conditionVersion"`
	CreatedAt        time.Time `json:"createdAt"`
	CreatedBy        string    `json:"createdBy"`
}

// Roles keeps custom role definitions and role assignments.
type Roles interface {
	PutRoleDefinition(ctx context.Context, d RoleDefinition) error
	RoleDefinitions(ctx context.Context, tenant string) ([]RoleDefinition, error) // by ID
	DeleteRoleDefinition(ctx context.Context, tenant, id string) error
	// AssignRole adds an assignment; fault.Conflict for a taken ID or an equal grant.
	AssignRole(ctx context.Context, a RoleAssignment) error
	RoleAssignment(ctx context.Context, tenant, id string) (RoleAssignment, error)
	RemoveRoleAssignment(ctx context.Context, tenant, id string) error
	RoleAssignments(ctx context.Context, tenant string) ([]RoleAssignment, error)                         // by ID
	RoleAssignmentsOf(ctx context.Context, tenant string, principals ...string) ([]RoleAssignment, error) // by ID
}
