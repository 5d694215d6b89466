package directory

import (
	"context"
	"encoding/json"
	"time"
)

// Issuer is a plain OpenID Connect issuer whose tokens are computed by rules: what PingFederate, Okta or a
// CI system is to the two clouds.
type Issuer struct {
	Name      string            `json:"name"` // unique: a lower-case DNS label
	URL       string            `json:"url"`  // iss of its tokens, to the byte; unique
	Preset    string            `json:"preset,omitempty"`
	Algorithm string            `json:"algorithm"` // of clients that name none: RS256, RS512, ES256, PS256
	Lifetime  time.Duration     `json:"lifetime"`  // of clients that name none
	Claims    map[string]string `json:"claims,omitempty"`
	Accepts   []AcceptedIssuer  `json:"accepts,omitempty"`
	Clients   []IssuerClient    `json:"clients,omitempty"` // by ID
	Places    []Place           `json:"places"`            // where it answers: its URL, its endpoints below, and what its preset has elsewhere
	CreatedAt time.Time         `json:"createdAt"`
	Version   int64             `json:"-"`
}

// IssuerClient is who may ask an issuer for tokens. Claims are rules as the issuer's, and come before them.
type IssuerClient struct {
	ID         string            `json:"id"` // unique in the issuer
	Name       string            `json:"name,omitempty"`
	Secrets    []ClientSecret    `json:"secrets,omitempty"`
	Keys       json.RawMessage   `json:"keys,omitempty"`   // JWK Set for private_key_jwt
	Grants     []string          `json:"grants,omitempty"` // grant types; none is client_credentials alone
	Algorithm  string            `json:"algorithm,omitempty"`
	Lifetime   time.Duration     `json:"lifetime,omitempty"`
	Attributes map[string]any    `json:"attributes,omitempty"` // for the rules: client.attributes
	Claims     map[string]string `json:"claims,omitempty"`     // claim to CEL expression
}

// AcceptedIssuer is a foreign issuer whose tokens an issuer takes in exchange. Subject is exact, "" for any.
type AcceptedIssuer struct {
	Issuer    string   `json:"issuer"`
	Subject   string   `json:"subject,omitempty"`
	Audiences []string `json:"audiences"`
}

// Place is a host, with its port unless that is 443, in lower case, and a path without a slash at its end.
type Place struct {
	Host string `json:"host"`
	Path string `json:"path"`
}

// Issuers keeps issuers.
type Issuers interface {
	// CreateIssuer adds one; fault.Conflict with Reason "name", "url" or "place" for what is taken.
	CreateIssuer(ctx context.Context, i Issuer) error
	// UpdateIssuer writes i if the stored version is still i.Version, else fault.Conflict.
	UpdateIssuer(ctx context.Context, i Issuer) error
	Issuer(ctx context.Context, name string) (Issuer, error)
	// IssuerAt finds the one that answers at exactly this place.
	IssuerAt(ctx context.Context, p Place) (Issuer, error)
	// Hosts reports whether any answers at a host.
	Hosts(ctx context.Context, host string) (bool, error)
	DeleteIssuer(ctx context.Context, name string) error
	Issuers(ctx context.Context, after string, limit int) ([]Issuer, error) // by Name
}

// Once remembers what may be used a single time, such as the jti of a client's assertion.
type Once interface {
	// Use marks key as used until a time, and forgets others whose time is before now; fault.Conflict when
	// it is in use already.
	Use(ctx context.Context, key string, now, until time.Time) error
}
