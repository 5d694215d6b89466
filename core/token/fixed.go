package token

import (
	"context"

	"github.com/treatyfed/treaty/wire/jose"
)

// Fixed is a KeySource of keys that are at hand, whatever the issuer: those of a file.
type Fixed []PublicKey

var _ KeySource = Fixed{}

// ParseFixed reads a JWK Set (RFC 7517 section 5).
func ParseFixed(doc []byte) (Fixed, error) {
	set, err := jose.ParseKeySet(doc)
	if err != nil {
		return nil, err
	}
	keys := make(Fixed, len(set.Keys))
	for i, k := range set.Keys {
		keys[i] = PublicKey(k)
	}
	return keys, nil
}

// PublicKeys returns the keys.
func (f Fixed) PublicKeys(context.Context, string, string) ([]PublicKey, error) { return f, nil }
