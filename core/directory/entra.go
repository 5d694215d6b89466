package directory

import (
	"context"
	"encoding/json"
	"time"
)

// Tenant is an Entra tenant. Domains are its verified domains, the default one first.
type Tenant struct {
	ID          string    `json:"id"`
	DisplayName string    `json:"displayName"`
	CountryCode string    `json:"countryCode"`
	Domains     []string  `json:"domains"`
	OwnKeys     bool      `json:"ownKeys,omitempty"` // signs with a ring of its own, not with the one that tenants share
	CreatedAt   time.Time `json:"createdAt"`
}

// Tenants keeps tenants.
type Tenants interface {
	PutTenant(ctx context.Context, t Tenant) error
	// Tenant finds by id or by any verified domain, in any case.
	Tenant(ctx context.Context, idOrDomain string) (Tenant, error)
	Tenants(ctx context.Context) ([]Tenant, error)
}

// AppRole is a role that an application offers.
type AppRole struct {
	ID                 string   `json:"id"`
	AllowedMemberTypes []string `json:"allowedMemberTypes"` // User, Application
	Description        string   `json:"description"`
	DisplayName        string   `json:"displayName"`
	Enabled            bool     `json:"isEnabled"`
	Origin             string   `json:"origin,omitempty"`
	Value              string   `json:"value"`
}

// ClientSecret is a password credential of an application: only its keyed hash is kept.
type ClientSecret struct {
	ID          string    `json:"id"` // keyId
	DisplayName string    `json:"displayName,omitempty"`
	Hint        string    `json:"hint"` // first three characters
	Hash        []byte    `json:"hash"`
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
}

// Certificate is a key credential of an application.
type Certificate struct {
	ID          string    `json:"id"` // keyId
	DisplayName string    `json:"displayName,omitempty"`
	Type        string    `json:"type"`  // AsymmetricX509Cert
	Usage       string    `json:"usage"` // Verify
	DER         []byte    `json:"der"`
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
}

// Application is an app registration. Carried is the rest of the Graph resource as it was sent.
type Application struct {
	ID             string          `json:"id"` // object id
	TenantID       string          `json:"tenantId"`
	AppID          string          `json:"appId"` // client id, unique over all tenants
	DisplayName    string          `json:"displayName"`
	UniqueName     string          `json:"uniqueName,omitempty"` // unique in the tenant if set
	SignInAudience string          `json:"signInAudience"`
	IdentifierURIs []string        `json:"identifierUris,omitempty"`
	TokenVersion   int             `json:"tokenVersion,omitempty"` // requestedAccessTokenVersion; 0 is null, which means 1
	Roles          []AppRole       `json:"roles,omitempty"`
	Secrets        []ClientSecret  `json:"secrets,omitempty"`
	Certificates   []Certificate   `json:"certificates,omitempty"`
	PublicClient   bool            `json:"publicClient,omitempty"` // isFallbackPublicClient
	Owners         []string        `json:"owners,omitempty"`       // object ids
	CreatedAt      time.Time       `json:"createdAt"`
	Carried        json.RawMessage `json:"carried,omitempty"`
	Version        int64           `json:"-"` // grows with each update
}

// Applications keeps app registrations.
type Applications interface {
	// CreateApplication stores a. Its identifier URIs are unique in the tenant, in any case of letters.
	CreateApplication(ctx context.Context, a Application) error
	Application(ctx context.Context, tenant, id string) (Application, error)
	ApplicationByAppID(ctx context.Context, appID string) (Application, error) // in any tenant
	ApplicationByUniqueName(ctx context.Context, tenant, name string) (Application, error)
	// UpdateApplication writes a if the stored version is still a.Version, else fault.Conflict.
	UpdateApplication(ctx context.Context, a Application) error
	DeleteApplication(ctx context.Context, tenant, id string) error                           // with its federated credentials
	Applications(ctx context.Context, tenant, after string, limit int) ([]Application, error) // by ID
}

// ServicePrincipal is an application's presence in a tenant. Names are its servicePrincipalNames: the
// strings by which a token request may name it as a resource; each is unique in the tenant. Roles,
// TokenVersion are its own only for first-party resources that have no Application here (Graph, ARM).
// A managed identity has no Application either; ResourceID is the ARM id of its resource (of the machine,
// when it is system-assigned), and its federated credentials are its own, by its ID.
type ServicePrincipal struct {
	ID                 string          `json:"id"`
	TenantID           string          `json:"tenantId"`
	AppID              string          `json:"appId"` // unique in the tenant
	DisplayName        string          `json:"displayName"`
	Type               string          `json:"type"` // Application, ManagedIdentity
	OwnerTenant        string          `json:"ownerTenant"`
	Names              []string        `json:"names"`
	Enabled            bool            `json:"enabled"`
	AssignmentRequired bool            `json:"assignmentRequired,omitempty"`
	TokenVersion       int             `json:"tokenVersion,omitempty"`
	Roles              []AppRole       `json:"roles,omitempty"`
	Secrets            []ClientSecret  `json:"secrets,omitempty"`      // its own, beside the application's
	Certificates       []Certificate   `json:"certificates,omitempty"` // its own, beside the application's
	Owners             []string        `json:"owners,omitempty"`
	ResourceID         string          `json:"resourceId,omitempty"`   // of a managed identity
	UserAssigned       bool            `json:"userAssigned,omitempty"` // of a managed identity
	CreatedAt          time.Time       `json:"createdAt"`
	Carried            json.RawMessage `json:"carried,omitempty"`
	Version            int64           `json:"-"`
}

// Types of service principals.
const (
	TypeApplication     = "Application"
	TypeManagedIdentity = "ManagedIdentity"
)

// Principals keeps service principals.
type Principals interface {
	CreatePrincipal(ctx context.Context, p ServicePrincipal) error
	Principal(ctx context.Context, tenant, id string) (ServicePrincipal, error)
	PrincipalByAppID(ctx context.Context, tenant, appID string) (ServicePrincipal, error)
	PrincipalByName(ctx context.Context, tenant, name string) (ServicePrincipal, error) // any of Names, in any case
	UpdatePrincipal(ctx context.Context, p ServicePrincipal) error
	DeletePrincipal(ctx context.Context, tenant, id string) error                                // with its role assignments of both directions and its federated credentials
	Principals(ctx context.Context, tenant, after string, limit int) ([]ServicePrincipal, error) // by ID
}

// Expression is a flexible federated credential's claimsMatchingExpression.
type Expression struct {
	Value           string `json:"value"`
	LanguageVersion int    `json:"languageVersion"`
}

// FederatedCredential is a trust of its owner, an application or a managed identity, in a foreign issuer.
// Either Subject or Expression is set.
type FederatedCredential struct {
	ID          string      `json:"id"`
	OwnerID     string      `json:"applicationId"` // object id of the application, or of the identity's service principal
	Name        string      `json:"name"`          // unique in the owner
	Issuer      string      `json:"issuer"`
	Subject     string      `json:"subject,omitempty"` // (Issuer, Subject) unique in the owner when set
	Audiences   []string    `json:"audiences"`
	Description *string     `json:"description,omitempty"`
	Expression  *Expression `json:"expression,omitempty"`
}

// FederatedCredentials keeps federated credentials.
type FederatedCredentials interface {
	// CreateFederatedCredential adds one; fault.LimitExceeded when the owner already has max, fault.NotFound
	// when there is no such owner, fault.Conflict with Reason "name" or "subject" for the key that is taken.
	CreateFederatedCredential(ctx context.Context, c FederatedCredential, max int) error
	// FederatedCredential finds by id or name.
	FederatedCredential(ctx context.Context, owner, idOrName string) (FederatedCredential, error)
	UpdateFederatedCredential(ctx context.Context, c FederatedCredential) error
	DeleteFederatedCredential(ctx context.Context, owner, id string) error
	FederatedCredentials(ctx context.Context, owner string) ([]FederatedCredential, error) // all, by name
}

// AppRoleAssignment grants a role of a resource to a principal; (principal, resource, role) is unique.
type AppRoleAssignment struct {
	ID            string    `json:"id"`
	TenantID      string    `json:"tenantId"`
	PrincipalID   string    `json:"principalId"`
	PrincipalType string    `json:"principalType"` // ServicePrincipal, User, Group
	PrincipalName string    `json:"principalName"`
	ResourceID    string    `json:"resourceId"` // service principal
	ResourceName  string    `json:"resourceName"`
	RoleID        string    `json:"roleId"`
	CreatedAt     time.Time `json:"createdAt"`
}

// AppRoleAssignments keeps app role assignments.
type AppRoleAssignments interface {
	AssignAppRole(ctx context.Context, a AppRoleAssignment) error
	AppRoleAssignment(ctx context.Context, tenant, id string) (AppRoleAssignment, error)
	RemoveAppRoleAssignment(ctx context.Context, tenant, id string) error
	AppRolesOf(ctx context.Context, principal string) ([]AppRoleAssignment, error) // by ID
	AppRolesOn(ctx context.Context, resource string) ([]AppRoleAssignment, error)  // by ID
}

// User is a person in a tenant. Carried is the rest of the Graph resource.
type User struct {
	ID                string          `json:"id"`
	TenantID          string          `json:"tenantId"`
	UserPrincipalName string          `json:"userPrincipalName"` // unique in the tenant, in any case
	DisplayName       string          `json:"displayName"`
	Mail              string          `json:"mail,omitempty"`
	Enabled           bool            `json:"enabled"`
	CreatedAt         time.Time       `json:"createdAt"`
	Carried           json.RawMessage `json:"carried,omitempty"`
}

// Users keeps users.
type Users interface {
	PutUser(ctx context.Context, u User) error
	User(ctx context.Context, tenant, idOrUPN string) (User, error)
	Users(ctx context.Context, tenant, after string, limit int) ([]User, error) // by ID
}
