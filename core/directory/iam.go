package directory

import (
	"context"
	"time"
)

// Tag is a key with a value, in the case written.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// InlinePolicy is a policy that belongs to one user, group or role.
type InlinePolicy struct {
	Name     string `json:"name"`
	Document string `json:"document"` // as written
}

// Grants are the policies of a user, group or role.
type Grants struct {
	Inline   []InlinePolicy `json:"inline,omitempty"`   // by Name, unique in any case of letters
	Managed  []string       `json:"managed,omitempty"`  // ARNs, in order of attachment
	Boundary string         `json:"boundary,omitempty"` // ARN of a managed policy, "" for none; groups have none
}

// IAMEntity is what every entity of IAM has. ID is its unique id, never used again. Version grows with
// each update.
type IAMEntity struct {
	ID        string    `json:"id"` // AROA…, AIDA…, AGPA…, ANPA…
	AccountID string    `json:"accountId"`
	ARN       string    `json:"arn"` // unique
	Path      string    `json:"path"`
	Name      string    `json:"name"`
	Tags      []Tag     `json:"tags,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	Version   int64     `json:"-"`
}

// IAMRole is a role. Trust is its trust policy as it was written, with principals that name users and
// roles as written too: TrustIDs maps each such ARN to the unique id that it had then, so that an entity
// made later under the same name is not trusted.
type IAMRole struct {
	IAMEntity
	Grants
	Description string            `json:"description,omitempty"`
	Trust       string            `json:"trust"`
	TrustIDs    map[string]string `json:"trustIds,omitempty"`
	MaxSession  int32             `json:"maxSession"` // seconds
}

// IAMUser is a user of an account.
type IAMUser struct {
	IAMEntity
	Grants
}

// IAMGroup is a group of users.
type IAMGroup struct {
	IAMEntity
	Grants
}

// PolicyVersion is one version of a managed policy.
type PolicyVersion struct {
	ID        string    `json:"id"` // "v1"
	Document  string    `json:"document"`
	CreatedAt time.Time `json:"createdAt"`
}

// IAMPolicy is a customer managed policy.
type IAMPolicy struct {
	IAMEntity
	Description string          `json:"description,omitempty"`
	Versions    []PolicyVersion `json:"versions"` // newest first, at most five
	Default     string          `json:"default"`  // ID of the version in force
	Next        int             `json:"next"`     // number of the next version
	UpdatedAt   time.Time       `json:"updatedAt"`
}

// OIDCProvider is an issuer that an account's roles may trust. Name is its URL without https://, path and
// trailing slash as written.
type OIDCProvider struct {
	IAMEntity
	ClientIDs   []string `json:"clientIds"`   // in order, each once
	Thumbprints []string `json:"thumbprints"` // SHA-1 of certificates, lower-case hex
}

// SAMLProvider is a SAML identity provider that an account's roles may trust.
type SAMLProvider struct {
	IAMEntity
	UUID       string    `json:"uuid"` // SAMLSP…
	Metadata   string    `json:"metadata"`
	Encryption string    `json:"encryption"` // Required or Allowed
	Keys       []SAMLKey `json:"keys,omitempty"`
	ValidUntil time.Time `json:"validUntil"`
}

// SAMLKeyLabel is the label that a private key's PEM is sealed with.
func SAMLKeyLabel(id string) string { return "saml key " + id }

// SAMLKey is a private key that decrypts assertions. Sealed is its PEM, under SAMLKeyLabel.
type SAMLKey struct {
	ID        string    `json:"id"` // SAMLPK…
	Sealed    []byte    `json:"sealed"`
	CreatedAt time.Time `json:"createdAt"`
}

// MFADevice is a virtual device that shows six digits (RFC 6238). Its ARN is its serial number. LastStep
// is the last time step whose code was used: an update by version makes each code good once.
type MFADevice struct {
	IAMEntity
	UserID    string    `json:"userId,omitempty"` // "" while not enabled; for root's the account id
	Sealed    []byte    `json:"sealed"`           // the seed, with the label "mfa ARN"
	EnabledAt time.Time `json:"enabledAt,omitzero"`
	LastStep  int64     `json:"lastStep"`
}

// IAM lists the kinds of entities that an Entities repository is for.
type IAM interface {
	IAMRole | IAMUser | IAMGroup | IAMPolicy | OIDCProvider | SAMLProvider | MFADevice
}

// Entities keeps one kind of IAM entities. Names are unique in the account and kind, in any case of
// letters but for OIDC providers, whose names are exact.
type Entities[T IAM] interface {
	// Create stores v; fault.LimitExceeded when the account has max of the kind already.
	Create(ctx context.Context, v T, max int) error
	Named(ctx context.Context, account, name string) (T, error)
	WithID(ctx context.Context, id string) (T, error)
	WithARN(ctx context.Context, arn string) (T, error)
	// Update writes v, name and ARN included, if the stored version is still v's, else fault.Conflict with
	// reason "version". Attaching a customer managed policy that is gone is fault.NotFound.
	Update(ctx context.Context, v T) error
	// Delete removes it if the stored version is still version. What others refer to (a policy attached, a
	// user with access keys or groups) is fault.Conflict with reason "in use".
	Delete(ctx context.Context, id string, version int64) error
	List(ctx context.Context, account, after string, limit int) ([]T, error) // by Name in lower case (exact for OIDC providers); after is a Name
	Count(ctx context.Context, account string) (int, error)
}

// Attachment says who uses a managed policy: Kind is "role", "user" or "group".
type Attachment struct {
	Kind     string
	EntityID string
	Name     string
	Path     string
	Boundary bool // as a permissions boundary
}

// Attachments answers what the Grants of all entities say together.
type Attachments interface {
	Attachments(ctx context.Context, account, policyARN string) ([]Attachment, error)                      // by kind, name
	AttachmentCounts(ctx context.Context, account string) (attached, boundaries map[string]int, err error) // by policy ARN
}

// Memberships keeps which users are in which groups.
type Memberships interface {
	Join(ctx context.Context, userID, groupID string, max int) error // again: no-op; fault.NotFound when one is gone; fault.LimitExceeded
	Leave(ctx context.Context, userID, groupID string) error         // fault.NotFound when not a member
	GroupsOf(ctx context.Context, userID string) ([]IAMGroup, error) // by Name
	Members(ctx context.Context, groupID, after string, limit int) ([]IAMUser, error)
}

// AccessKeys manages the long-term keys of users. Reading one for a signature is Accounts.AccessKey.
type AccessKeys interface {
	CreateAccessKey(ctx context.Context, k AccessKey, max int) error // fault.LimitExceeded; fault.NotFound when the user is gone
	SetAccessKeyActive(ctx context.Context, principalID, keyID string, active bool) error
	DeleteAccessKey(ctx context.Context, principalID, keyID string) error
	AccessKeysOf(ctx context.Context, principalID string) ([]AccessKey, error) // by ID
}

// Use is when and where a role or access key was last used.
type Use struct {
	At      time.Time
	Service string
	Region  string
}

// Usage keeps the last use of roles and access keys, by id. It is best effort and coarse: callers note a
// use at most once in a while.
type Usage interface {
	NoteUse(ctx context.Context, id string, u Use) error
	LastUse(ctx context.Context, id string) (Use, error) // zero when never
}
