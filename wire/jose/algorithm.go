// Package jose reads, verifies and writes compact JSON Web Signatures and JSON Web Keys.
//
// It owns the bytes: the bounded parse that trusts nothing and verifies nothing, the check of one
// signature with one key under an allow-list of algorithms, signing, key sets and thumbprints. It is the
// only package that knows go-jose, whose key parser it feeds with tidied input. Which keys belong to an
// issuer, what a claim means and whether a token is welcome are the callers' business.
//
// "none" and the HMAC algorithms do not exist here: no call can be made to accept them. Keys that a token
// carries or points to in its own header (jwk, x5c, jku, x5u) are named in Token.KeyHeaders and never used.
package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // links SHA-256 for crypto.Hash
	_ "crypto/sha512" // links SHA-384 and SHA-512 for crypto.Hash
	"fmt"
	"slices"
)

// Signature algorithms (RFC 7518 section 3.1, RFC 8037 section 3.1).
const (
	RS256 = "RS256"
	RS384 = "RS384"
	RS512 = "RS512"
	PS256 = "PS256"
	PS384 = "PS384"
	PS512 = "PS512"
	ES256 = "ES256"
	ES384 = "ES384"
	ES512 = "ES512"
	EdDSA = "EdDSA"
)

// Allow-lists for callers. They are tables: nobody may write to them.
var (
	// RSAPKCS1 are RSASSA-PKCS1-v1_5 with SHA-2.
	RSAPKCS1 = []string{RS256, RS384, RS512}
	// RSAPSS are RSASSA-PSS with SHA-2 and a salt as long as the hash.
	RSAPSS = []string{PS256, PS384, PS512}
	// Elliptic are ECDSA on the curve that RFC 7518 section 3.4 binds to each hash.
	Elliptic = []string{ES256, ES384, ES512}
	// Algorithms are all that this package can verify.
	Algorithms = []string{RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA}
)

// Bounds of RSA moduli in bits: below, RFC 7518 section 3.3 forbids the key; above, one verification
// costs too much of a server's time. Key sets end at 4096 already, go-jose's own bound.
const (
	MinRSABits = 2048
	MaxRSABits = 8192
)

type family int

const (
	familyNone family = iota
	familyPKCS1
	familyPSS
	familyECDSA
	familyEd25519
)

// scheme is how an algorithm's name translates: its family, hash and, for ECDSA, curve. A switch and not
// a map, so that nothing can be added at run time.
func scheme(alg string) (f family, h crypto.Hash, curve elliptic.Curve) {
	switch alg {
	case RS256:
		return familyPKCS1, crypto.SHA256, nil
	case RS384:
		return familyPKCS1, crypto.SHA384, nil
	case RS512:
		return familyPKCS1, crypto.SHA512, nil
	case PS256:
		return familyPSS, crypto.SHA256, nil
	case PS384:
		return familyPSS, crypto.SHA384, nil
	case PS512:
		return familyPSS, crypto.SHA512, nil
	case ES256:
		return familyECDSA, crypto.SHA256, elliptic.P256()
	case ES384:
		return familyECDSA, crypto.SHA384, elliptic.P384()
	case ES512:
		return familyECDSA, crypto.SHA512, elliptic.P521()
	case EdDSA:
		return familyEd25519, 0, nil
	}
	return familyNone, 0, nil
}

// Known reports whether alg is one of Algorithms, byte for byte.
func Known(alg string) bool { return slices.Contains(Algorithms, alg) }

// Fits says why a public key cannot verify alg, nil when it can: wrong type, wrong curve, or an RSA key
// outside MinRSABits and MaxRSABits.
func Fits(alg string, key crypto.PublicKey) error {
	f, _, curve := scheme(alg)
	switch f {
	case familyPKCS1, familyPSS:
		k, ok := key.(*rsa.PublicKey)
		if !ok {
			return fmt.Errorf("%s needs an RSA key, not %s", alg, KeyKind(key))
		}
		return checkRSA(k)
	case familyECDSA:
		k, ok := key.(*ecdsa.PublicKey)
		if !ok || k.Curve != curve {
			return fmt.Errorf("%s needs an EC key on %s, not %s", alg, curve.Params().Name, KeyKind(key))
		}
		return nil
	case familyEd25519:
		if k, ok := key.(ed25519.PublicKey); !ok || len(k) != ed25519.PublicKeySize {
			return fmt.Errorf("%s needs an Ed25519 key, not %s", alg, KeyKind(key))
		}
		return nil
	case familyNone:
	}
	return fmt.Errorf("algorithm %.32q is not supported", alg)
}

func checkRSA(k *rsa.PublicKey) error {
	switch bits := k.N.BitLen(); {
	case bits < MinRSABits:
		return fmt.Errorf("the RSA key has %d bits, fewer than %d", bits, MinRSABits)
	case bits > MaxRSABits:
		return fmt.Errorf("the RSA key has %d bits, more than %d", bits, MaxRSABits)
	case k.E < 3 || k.E%2 == 0:
		return fmt.Errorf("the RSA key's exponent %d is not odd and at least 3", k.E)
	}
	return nil
}

// KeyKind describes a public key for a human: "RSA 2048", "EC P-256", "Ed25519".
func KeyKind(key crypto.PublicKey) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "EC " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return fmt.Sprintf("%T", key)
}
