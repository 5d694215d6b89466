// Package directory holds who and what exists: accounts, access keys, identity pools and identities on
// one side; tenants, applications, service principals, federated credentials, users, subscriptions,
// resources and role assignments on the other.
//
// It owns the nouns and, beside each, the narrow repository that the store implements. Every repository
// method is atomic by itself. Missing things are fault.NotFound, taken keys and stale versions
// fault.Conflict, full ones fault.LimitExceeded. Lists page by key: entries after the given one, at most
// limit, in byte order of the key named at the method.
package directory

import (
	"context"
	"encoding/json"
	"time"

	"github.com/treatyfed/treaty/core/credential"
)

// Account is an AWS account.
type Account struct {
	ID        string // twelve digits
	Name      string
	CreatedAt time.Time
}

// AccessKey is a long-term key. Principal is the ARN that calls with it: the account's root
// (arn:aws:iam::ID:root) or an IAM user's; PrincipalID its unique id (for root the account id).
type AccessKey struct {
	ID          string // AKIA…, carries the account
	AccountID   string
	Principal   string
	PrincipalID string
	Secret      credential.Secret // sealed at rest
	Active      bool
	CreatedAt   time.Time
}

// Accounts keeps accounts and access keys.
type Accounts interface {
	PutAccount(ctx context.Context, a Account) error
	Account(ctx context.Context, id string) (Account, error)
	Accounts(ctx context.Context) ([]Account, error)
	PutAccessKey(ctx context.Context, k AccessKey) error
	AccessKey(ctx context.Context, id string) (AccessKey, error)
}

// IdentityPool is a Cognito identity pool. Settings is the rest of the service's own description
// (providers, login providers, roles, role mappings, principal-tag maps), carried as JSON.
type IdentityPool struct {
	ID                   string // REGION:GUID
	AccountID            string
	Region               string
	Name                 string
	DeveloperProvider    string // "" when none
	AllowUnauthenticated bool
	AllowClassic         *bool // nil when never said, which permits the classic flow
	Tags                 map[string]string
	Settings             json.RawMessage
	CreatedAt            time.Time
	Version              int64 // grows with each update
}

// Pools keeps identity pools.
type Pools interface {
	CreatePool(ctx context.Context, p IdentityPool) error
	Pool(ctx context.Context, id string) (IdentityPool, error)
	// UpdatePool writes p if the stored version is still p.Version, else fault.Conflict.
	UpdatePool(ctx context.Context, p IdentityPool) error
	DeletePool(ctx context.Context, id string) error                                             // with its identities
	Pools(ctx context.Context, account, region, after string, limit int) ([]IdentityPool, error) // by ID
}

// Login links an identity to a user of a login provider; (pool, Provider, User) is unique.
type Login struct {
	Provider string
	User     string
}

// Identity is one identity of a pool.
type Identity struct {
	ID         string // REGION:GUID
	PoolID     string
	Logins     []Login // by Provider, User
	Disabled   bool
	MergedInto string // the surviving identity when Disabled by a merge
	CreatedAt  time.Time
	ModifiedAt time.Time
}

// Identities keeps identities and their logins.
type Identities interface {
	// Resolve returns the identity that has any of fresh.Logins in fresh.PoolID, else stores fresh.
	// Two callers with the same login get the same identity.
	Resolve(ctx context.Context, fresh Identity) (id Identity, created bool, err error)
	Identity(ctx context.Context, id string) (Identity, error)
	// Link adds logins to an identity; fault.Conflict if one belongs to another identity of the pool.
	Link(ctx context.Context, id string, at time.Time, logins ...Login) error
	// Unlink removes logins; those that are not linked are fault.NotFound.
	Unlink(ctx context.Context, id string, at time.Time, logins ...Login) error
	// Merge moves every login of source to destination, disables source and points it there.
	// fault.LimitExceeded when more than max logins would be linked.
	Merge(ctx context.Context, source, destination string, at time.Time, max int) error
	Identities(ctx context.Context, pool, after string, limit int, hideDisabled bool) ([]Identity, error) // by ID
	DeleteIdentity(ctx context.Context, id string) error
	// ByLogin finds the identity of a login in a pool.
	ByLogin(ctx context.Context, pool string, login Login) (Identity, error)
}
