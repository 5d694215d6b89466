package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// Errors of Verify, for errors.Is.
var (
	ErrForm      = errors.New("the token's form is not right")
	ErrAlgorithm = errors.New("the algorithm is not allowed")
	ErrKey       = errors.New("the key does not fit the algorithm")
	ErrSignature = errors.New("the signature is not the key's")
)

// Verify checks the signature of a parsed token with one public key. The token's algorithm must be in
// allowed and one that this package knows, so "none" and HMAC fail whatever allowed says; the key must be
// of the algorithm's type and curve.
func Verify(t *Token, key crypto.PublicKey, allowed []string) error {
	if !t.OK() {
		return fmt.Errorf("%w: %w", ErrForm, t.Err())
	}
	alg := t.Algorithm()
	if !Known(alg) || !slices.Contains(allowed, alg) {
		return fmt.Errorf("%w: %.32q", ErrAlgorithm, alg)
	}
	if err := Fits(alg, key); err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	if !verify(alg, key, t.signed, t.signature) {
		return ErrSignature
	}
	return nil
}

// verify is called with a key that fits.
func verify(alg string, key crypto.PublicKey, signed string, sig []byte) bool {
	f, hash, _ := scheme(alg)
	switch f {
	case familyPKCS1:
		return rsa.VerifyPKCS1v15(key.(*rsa.PublicKey), hash, digest(hash, signed), sig) == nil
	case familyPSS:
		// RFC 7518 section 3.5: the salt is as long as the hash.
		opts := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
		return rsa.VerifyPSS(key.(*rsa.PublicKey), hash, digest(hash, signed), sig, opts) == nil
	case familyECDSA:
		k := key.(*ecdsa.PublicKey)
		n := coordinate(k)
		if len(sig) != 2*n {
			return false
		}
		r, s := new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:])
		return ecdsa.Verify(k, digest(hash, signed), r, s)
	case familyEd25519:
		return ed25519.Verify(key.(ed25519.PublicKey), []byte(signed), sig)
	case familyNone:
	}
	return false
}

// coordinate is the length in bytes of a number on the key's curve.
func coordinate(k *ecdsa.PublicKey) int { return (k.Curve.Params().BitSize + 7) / 8 }

func digest(h crypto.Hash, signed string) []byte {
	d := h.New()
	d.Write([]byte(signed))
	return d.Sum(nil)
}
