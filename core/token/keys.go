package token

import (
	"context"
	"crypto"
	"crypto/x509"
	"time"
)

// Key is one signing key of a ring. A ring is a named set of keys that sign for one issuer or family of
// issuers: "entra", "cognito-identity/us-east-1".
type Key struct {
	ID          string // kid
	Ring        string
	Signer      crypto.Signer
	Certificate *x509.Certificate // self-signed, for x5c and x5t; nil where the cloud publishes none
	NotBefore   time.Time         // from when it signs
	RetireAfter time.Time         // from when it signs no longer; still published for the overlap
	Sequence    int               // 1, 2, 3 … within the ring
}

// PublicKey is a key that verifies.
type PublicKey struct {
	ID          string
	Algorithm   string // "" when the publisher does not bind the key to one
	Key         crypto.PublicKey
	Certificate *x509.Certificate
}

// Keys gives the signing keys of rings. Implementation: *Keyring.
type Keys interface {
	// Signing returns the key that signs now.
	Signing(ctx context.Context, ring string) (Key, error)
	// Published returns every key that a verifier must know: the next, the current, and the retired
	// within the overlap, current first.
	Published(ctx context.Context, ring string) ([]Key, error)
}

// StoredKey is a key at rest: the private key as PKCS #8 DER, which the store seals.
type StoredKey struct {
	ID          string
	Ring        string
	Sequence    int
	Private     []byte
	Certificate []byte // DER, may be empty
	NotBefore   time.Time
	RetireAfter time.Time
}

// KeyStore keeps keys; implemented by the store.
type KeyStore interface {
	// Keys lists the ring's keys by sequence.
	Keys(ctx context.Context, ring string) ([]StoredKey, error)
	// AddKey adds a key; fault.Conflict if the ring already has that sequence (another replica was first).
	AddKey(ctx context.Context, k StoredKey) error
	// RemoveKey forgets a key whose overlap is over.
	RemoveKey(ctx context.Context, ring, id string) error
}

// KeySource gives the public keys of an issuer. kid is the key the token names ("" if none): a source
// that caches refetches at a bounded rate when it does not know it.
type KeySource interface {
	PublicKeys(ctx context.Context, issuer, kid string) ([]PublicKey, error)
}

// Renewer is a KeySource over what others publish.
type Renewer interface {
	// RenewedKeys gives the keys if they were read anew since failed was given. It may read them itself, at a
	// bounded rate: an issuer can put another key in the place of one, under the same kid.
	RenewedKeys(ctx context.Context, issuer string, failed []PublicKey) (keys []PublicKey, renewed bool)
	// Remarks says what is to be known of the keys that were given: see Published.Remarks.
	Remarks(issuer string) string
}

// Fetcher gets a document over https; the one way out of the core. It enforces time and size limits,
// follows no redirect to another host and applies the address policy.
type Fetcher interface {
	Fetch(ctx context.Context, url string) ([]byte, error)
}

// Peer is who answered a fetch over TLS.
type Peer struct {
	Host        string
	Thumbprints []string // SHA-1 of the certificates that it showed, in lower-case hex, its own first
	Trusted     bool     // an authority vouches for it, or it is this process itself
	Pin         string   // the thumbprint that it is known by where no authority vouches for it
}

// PinningFetcher is a Fetcher that also knows a peer by one of its certificates: one of these SHA-1
// thumbprints, in lower-case hex, stands in for an authority. What neither knows is *UnknownPeer, and is
// sent no request.
type PinningFetcher interface {
	FetchPinned(ctx context.Context, url string, thumbprints []string) ([]byte, Peer, error)
}

// UnknownPeer is the failure of a fetch whose peer neither an authority nor a thumbprint vouches for.
type UnknownPeer struct {
	Peer Peer
	Err  error // why no authority does
}

func (u *UnknownPeer) Error() string {
	return "no authority and no thumbprint vouches for " + u.Peer.Host + ": " + u.Err.Error()
}

// Unwrap gives the reason.
func (u *UnknownPeer) Unwrap() error { return u.Err }

// NotNow is the failure of a fetch whose peer said how long to leave it alone (Retry-After, RFC 9110
// section 10.2.3).
type NotNow struct {
	After time.Duration
	Err   error
}

func (n *NotNow) Error() string {
	return n.Err.Error() + ", and asks to be left alone for " + n.After.String()
}

// Unwrap gives the failure itself.
func (n *NotNow) Unwrap() error { return n.Err }
