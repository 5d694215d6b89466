package jose

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"
)

// Bounds of a key set. Entra and AWS use the first 100 keys of an issuer (workload identity federation
// considerations; IAM, "Obtain the thumbprint for an OpenID Connect identity provider").
const (
	MaxKeySet      = 1 << 20
	MaxKeys        = 100
	maxChain       = 8        // certificates of one key that are read
	maxCertificate = 16 << 10 // of each, in base64
	maxKeyID       = 1024     // bytes: what is read is kept, and a set may have a hundred
)

// PublicKey is one usable key of a set.
type PublicKey struct {
	ID          string // kid, "" when it has none
	Algorithm   string // alg, "" when the key is not bound to one
	Key         crypto.PublicKey
	Certificate *x509.Certificate // first of x5c
}

// KeySet is what became of a key set: the keys that can verify, and why the others cannot.
type KeySet struct {
	Keys    []PublicKey
	Skipped []string // "key 2 \"kid\": reason"
}

var errNoKeys = errors.New("the document has no array keys")

// ParseKeySet reads a JWK Set (RFC 7517 section 5). One bad key does not spoil the set: it is skipped and
// named. Keys for encryption, symmetric keys, unknown types, weak RSA keys and keys that come with their
// private part are skipped, as is what comes after the first MaxKeys.
func ParseKeySet(doc []byte) (KeySet, error) {
	if len(doc) > MaxKeySet {
		return KeySet{}, fmt.Errorf("key set: it has %d bytes, more than %d", len(doc), MaxKeySet)
	}
	top, _, err := Object(string(doc))
	if err != nil {
		return KeySet{}, fmt.Errorf("key set: %w", err)
	}
	list, ok := top["keys"].([]any)
	if !ok {
		return KeySet{}, fmt.Errorf("key set: %w", errNoKeys)
	}
	var set KeySet
	if len(list) > MaxKeys {
		set.Skipped = append(set.Skipped, fmt.Sprintf("%d keys after the first %d", len(list)-MaxKeys, MaxKeys))
		list = list[:MaxKeys]
	}
	for i, v := range list {
		m, ok := v.(map[string]any)
		if !ok {
			set.Skipped = append(set.Skipped, fmt.Sprintf("key %d: not an object", i+1))
			continue
		}
		k, err := parseKey(m)
		if err != nil {
			kid, _ := m["kid"].(string)
			set.Skipped = append(set.Skipped, fmt.Sprintf("key %d %.64q: %v", i+1, kid, err))
			continue
		}
		set.Keys = append(set.Keys, k)
	}
	return set, nil
}

// ParseKey reads one public JWK.
func ParseKey(doc []byte) (PublicKey, error) {
	if len(doc) > MaxKeySet {
		return PublicKey{}, fmt.Errorf("key: it has %d bytes, more than %d", len(doc), MaxKeySet)
	}
	m, _, err := Object(string(doc))
	if err != nil {
		return PublicKey{}, fmt.Errorf("key: %w", err)
	}
	return parseKey(m)
}

// tidy is the public part of a JWK in go-jose's strict spelling.
type tidy struct {
	Kty string   `json:"kty"`
	Crv string   `json:"crv,omitempty"`
	N   string   `json:"n,omitempty"`
	E   string   `json:"e,omitempty"`
	X   string   `json:"x,omitempty"`
	Y   string   `json:"y,omitempty"`
	X5c []string `json:"x5c,omitempty"`
}

func parseKey(m map[string]any) (PublicKey, error) {
	text := func(name string) string { s, _ := m[name].(string); return s }
	if use := text("use"); use != "" && use != "sig" {
		return PublicKey{}, fmt.Errorf("its use is %.16q, not sig", use)
	}
	if ops, is := m["key_ops"].([]any); is && !has(ops, "verify") {
		return PublicKey{}, errors.New("its key_ops lack verify")
	}
	raw := tidy{Kty: text("kty"), Crv: text("crv")}
	switch raw.Kty {
	case "RSA", "EC", "OKP":
	default:
		return PublicKey{}, fmt.Errorf("type %.16q is not supported", raw.Kty)
	}
	// RFC 7518 sections 6.2.2.1 and 6.3.2.1: every private key has d. Who publishes it vouches for nothing
	// by it any more.
	if _, private := m["d"]; private {
		return PublicKey{}, errors.New("it comes with its private part, with which anybody can sign")
	}
	if len(text("kid")) > maxKeyID {
		return PublicKey{}, fmt.Errorf("its kid is longer than %d bytes", maxKeyID)
	}
	for name, to := range map[string]*string{"n": &raw.N, "e": &raw.E, "x": &raw.X, "y": &raw.Y} {
		v := text(name)
		if v == "" {
			continue
		}
		b, err := looseBase64(v)
		if err != nil {
			return PublicKey{}, fmt.Errorf("%s: %w", name, err)
		}
		if raw.Kty == "RSA" {
			b = bytes.TrimLeft(b, "\x00")
		}
		*to = base64.RawURLEncoding.EncodeToString(b)
	}
	if len(raw.N) > MaxRSABits/6+2 {
		return PublicKey{}, fmt.Errorf("its modulus has more than %d bits", MaxRSABits)
	}
	if chain, is := m["x5c"].([]any); is {
		for _, c := range chain[:min(len(chain), maxChain)] {
			s, _ := c.(string)
			if len(s) > maxCertificate {
				return PublicKey{}, errors.New("a certificate of its x5c is longer than 16 KiB")
			}
			raw.X5c = append(raw.X5c, s)
		}
	}
	// Cloned, as the text of a document is kept by every part of it.
	return fromTidy(raw, strings.Clone(text("kid")), strings.Clone(text("alg")))
}

func fromTidy(raw tidy, kid, alg string) (PublicKey, error) {
	doc, err := json.Marshal(raw)
	if err != nil {
		return PublicKey{}, err
	}
	var k gojose.JSONWebKey
	if err := k.UnmarshalJSON(doc); err != nil {
		return PublicKey{}, errors.New(strings.TrimPrefix(err.Error(), "go-jose/go-jose: "))
	}
	out := PublicKey{ID: kid, Algorithm: alg, Key: k.Key}
	if len(k.Certificates) > 0 {
		out.Certificate = k.Certificates[0]
	}
	if alg != "" {
		return out, Fits(alg, out.Key)
	}
	for _, a := range Algorithms {
		if err = Fits(a, out.Key); err == nil {
			return out, nil
		}
	}
	if raw.Kty == "RSA" {
		return out, Fits(RS256, out.Key)
	}
	return out, err
}

func has(list []any, want string) bool {
	for _, v := range list {
		if v == any(want) {
			return true
		}
	}
	return false
}

// looseBase64 takes any of the four spellings of base64: Cognito's identity pools publish n padded and in
// the standard alphabet, MSAL writes thumbprints either way.
func looseBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errLineBreak
	}
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "+/") {
		return base64.RawStdEncoding.DecodeString(s)
	}
	return base64.RawURLEncoding.DecodeString(s)
}
