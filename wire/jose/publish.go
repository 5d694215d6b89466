package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
)

// JWK is a public key to be published (RFC 7517 section 4). Empty members are left out: Entra publishes
// no alg, Cognito no x5t, x5c and issuer.
type JWK struct {
	Kty     string   `json:"kty"`
	Alg     string   `json:"alg,omitempty"`
	Use     string   `json:"use,omitempty"`
	Kid     string   `json:"kid,omitempty"`
	X5t     string   `json:"x5t,omitempty"`
	Crv     string   `json:"crv,omitempty"`
	X       string   `json:"x,omitempty"`
	Y       string   `json:"y,omitempty"`
	N       string   `json:"n,omitempty"`
	E       string   `json:"e,omitempty"`
	X5c     []string `json:"x5c,omitempty"`
	X5tS256 string   `json:"x5t#S256,omitempty"`
	Issuer  string   `json:"issuer,omitempty"`
}

// JWKS is a key set to be published.
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// Publish makes the JWK of a public key for signatures, with kid and, given a certificate, x5t and x5c.
// The caller adds alg and issuer where the cloud has them, and takes away what it has not.
func Publish(kid string, key crypto.PublicKey, cert *x509.Certificate) (JWK, error) {
	enc := base64.RawURLEncoding.EncodeToString
	j := JWK{Use: "sig", Kid: kid}
	switch k := key.(type) {
	case *rsa.PublicKey:
		j.Kty, j.N, j.E = "RSA", enc(k.N.Bytes()), enc(big.NewInt(int64(k.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := k.Bytes() // 4, x, y
		if err != nil {
			return JWK{}, fmt.Errorf("publish key %q: %w", kid, err)
		}
		n := coordinate(k)
		j.Kty, j.Crv, j.X, j.Y = "EC", k.Curve.Params().Name, enc(point[1:1+n]), enc(point[1+n:])
	case ed25519.PublicKey:
		j.Kty, j.Crv, j.X = "OKP", "Ed25519", enc(k)
	default:
		return JWK{}, fmt.Errorf("publish key %q: %s is not supported", kid, KeyKind(key))
	}
	if cert != nil {
		j.X5t = Thumbprint(cert.Raw)
		j.X5c = []string{base64.StdEncoding.EncodeToString(cert.Raw)} // RFC 7517 section 4.7: standard base64
	}
	return j, nil
}

// Thumbprint is x5t: the SHA-1 of a certificate's DER, base64url (RFC 7515 section 4.1.7). SHA-1 names
// the certificate here and protects nothing.
func Thumbprint(der []byte) string {
	sum := sha1.Sum(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Thumbprint256 is x5t#S256: the SHA-256 of a certificate's DER, base64url (RFC 7515 section 4.1.8).
func Thumbprint256(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// KeyThumbprint is the SHA-256 JWK thumbprint of a public key, base64url (RFC 7638).
func KeyThumbprint(key crypto.PublicKey) (string, error) {
	j, err := Publish("", key, nil)
	if err != nil {
		return "", err
	}
	// Required members only, in lexical order: encoding/json sorts the keys of maps.
	required := map[string]string{"kty": j.Kty}
	for name, v := range map[string]string{"crv": j.Crv, "x": j.X, "y": j.Y, "n": j.N, "e": j.E} {
		if v != "" {
			required[name] = v
		}
	}
	doc, err := json.Marshal(required)
	if err != nil {
		return "", fmt.Errorf("thumbprint: %w", err)
	}
	return Thumbprint256(doc), nil
}
