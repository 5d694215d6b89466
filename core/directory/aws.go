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
	ID        string    `json:"id"` // twelve digits
	Name      string    `json:"name"`
	Alias     string    `json:"alias,omitempty"` // unique
	CreatedAt time.Time `json:"createdAt"`

	// TokenIssuer is the GUID in the issuer URL of the tokens that STS signs for the account's principals
	// (https://GUID.tokens.sts.global.api.aws); it stays once made. TokensEnabled switches issuing.
	TokenIssuer   string `json:"tokenIssuer,omitempty"`
	TokensEnabled bool   `json:"tokensEnabled,omitempty"`

	Version int64 `json:"-"` // grows with each update
}

// AccessKey is a long-term key. Principal is the ARN that calls with it: the account's root
// (arn:aws:iam::ID:root) or an IAM user's, as it was when the key was made; PrincipalID its unique id (for
// root the account id), by which the user is found, whatever its name is by now.
type AccessKey struct {
	ID          string            `json:"id"` // AKIA…, carries the account
	AccountID   string            `json:"accountId"`
	Principal   string            `json:"principal"`
	PrincipalID string            `json:"principalId"`
	Secret      credential.Secret `json:"-"` // sealed at rest
	Active      bool              `json:"active"`
	CreatedAt   time.Time         `json:"createdAt"`
}

// Accounts keeps accounts and access keys.
type Accounts interface {
	PutAccount(ctx context.Context, a Account) error // makes or replaces, for seeding
	Account(ctx context.Context, id string) (Account, error)
	AccountByTokenIssuer(ctx context.Context, guid string) (Account, error)
	Accounts(ctx context.Context) ([]Account, error)
	// UpdateAccount writes a if the stored version is still a.Version, else fault.Conflict with reason
	// "version"; reason "alias" when another account has its alias.
	UpdateAccount(ctx context.Context, a Account) error
	PutAccessKey(ctx context.Context, k AccessKey) error
	AccessKey(ctx context.Context, id string) (AccessKey, error)
}

// IdentityPool is a Cognito identity pool. Settings is the rest of the service's own description
// (providers, login providers, roles, role mappings, principal-tag maps), carried as JSON.
type IdentityPool struct {
	ID                   string            `json:"id"` // REGION:GUID
	AccountID            string            `json:"accountId"`
	Region               string            `json:"region"`
	Name                 string            `json:"name"`
	DeveloperProvider    string            `json:"developerProvider"` // "" when none
	AllowUnauthenticated bool              `json:"allowUnauthenticated"`
	AllowClassic         *bool             `json:"allowClassic"` // nil when never said, which permits the classic flow
	Tags                 map[string]string `json:"tags"`
	Settings             json.RawMessage   `json:"settings,omitempty"`
	CreatedAt            time.Time         `json:"createdAt"`
	Version              int64             `json:"-"` // grows with each update
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
	Provider string `json:"provider"`
	User     string `json:"user"`
}

// Identity is one identity of a pool.
type Identity struct {
	ID         string    `json:"id"` // REGION:GUID
	PoolID     string    `json:"poolId"`
	Logins     []Login   `json:"logins"` // by Provider, User
	Disabled   bool      `json:"disabled"`
	MergedInto string    `json:"mergedInto"` // the surviving identity when Disabled by a merge
	CreatedAt  time.Time `json:"createdAt"`
	ModifiedAt time.Time `json:"modifiedAt"`
}

// Identities keeps identities and their logins.
type Identities interface {
	// Resolve returns the identity that has any of fresh.Logins in fresh.PoolID, else stores fresh.
	// Two callers with the same login get the same identity.
	Resolve(ctx context.Context, fresh Identity) (id Identity, created bool, err error)
	Identity(ctx context.Context, id string) (Identity, error)
	// Link adds logins to an identity as it was seen; fault.Conflict if it has other logins by now, or if one
	// belongs to another identity of the pool. So what the caller decided about it still holds.
	Link(ctx context.Context, seen Identity, at time.Time, logins ...Login) error
	// Unlink removes logins; those that are not linked are fault.NotFound.
	Unlink(ctx context.Context, id string, at time.Time, logins ...Login) error
	// Merge moves every login of source to destination, disables source and points it there.
	// fault.LimitExceeded when more than max logins would be linked, fault.Conflict if there would be two users
	// of a provider other than the pool's developer provider.
	Merge(ctx context.Context, source, destination string, at time.Time, max int) error
	Identities(ctx context.Context, pool, after string, limit int, hideDisabled bool) ([]Identity, error) // by ID
	DeleteIdentity(ctx context.Context, id string) error
	// ByLogin finds the identity of a login in a pool.
	ByLogin(ctx context.Context, pool string, login Login) (Identity, error)
}
