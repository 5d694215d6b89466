package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// Member is one member of a header; order is kept.
type Member struct {
	Name  string
	Value any // marshalled with encoding/json; strings take a short way
}

// Header is a header to be written, in order.
type Header []Member

// Sign writes a compact JWS of claims, a JSON object, signed with key. The header must hold alg itself,
// where its place matters to readers of tokens, and equal to the argument. rand is needed by PS* only:
// RSASSA-PKCS1-v1_5 and EdDSA have no randomness, and without one ECDSA takes RFC 6979's nonce.
func Sign(header Header, claims []byte, key crypto.Signer, alg string, rand io.Reader) (string, error) {
	if err := Fits(alg, key.Public()); err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	head, err := header.encode(alg)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	enc := base64.RawURLEncoding
	// 1 KiB holds the signature of the largest RSA key.
	buf := make([]byte, 0, enc.EncodedLen(len(head))+enc.EncodedLen(len(claims))+2+enc.EncodedLen(MaxRSABits/8))
	buf = enc.AppendEncode(buf, head)
	buf = append(buf, '.')
	buf = enc.AppendEncode(buf, claims)
	sig, err := sign(key, alg, buf, rand)
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", alg, err)
	}
	buf = append(buf, '.')
	return string(enc.AppendEncode(buf, sig)), nil
}

var errAlgHeader = errors.New("the header's alg is not the key's algorithm")

func (h Header) encode(alg string) ([]byte, error) {
	b := append(make([]byte, 0, 192), '{')
	found := false
	for i, m := range h {
		if i > 0 {
			b = append(b, ',')
		}
		if m.Name == "alg" {
			found = m.Value == any(alg)
		}
		b = appendText(b, m.Name)
		b = append(b, ':')
		if s, ok := m.Value.(string); ok {
			b = appendText(b, s)
			continue
		}
		v, err := json.Marshal(m.Value)
		if err != nil {
			return nil, err
		}
		b = append(b, v...)
	}
	if !found {
		return nil, errAlgHeader
	}
	return append(b, '}'), nil
}

// appendText quotes a string; only plain ASCII takes the short way.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			q, _ := json.Marshal(s) // a string always has a JSON form
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

var errNoRand = errors.New("a PSS signature needs randomness")

func sign(key crypto.Signer, alg string, signed []byte, rand io.Reader) ([]byte, error) {
	f, hash, _ := scheme(alg)
	if f == familyEd25519 {
		return key.Sign(rand, signed, crypto.Hash(0))
	}
	d := hash.New()
	d.Write(signed)
	sum := d.Sum(nil)
	switch f {
	case familyPSS:
		if rand == nil {
			return nil, errNoRand
		}
		return key.Sign(rand, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash})
	case familyECDSA:
		der, err := key.Sign(rand, sum, hash)
		if err != nil {
			return nil, err
		}
		return flat(der, coordinate(key.Public().(*ecdsa.PublicKey)))
	case familyPKCS1, familyEd25519, familyNone:
	}
	return key.Sign(rand, sum, hash)
}

// flat turns the ASN.1 form of an ECDSA signature into r || s of n bytes each (RFC 7518 section 3.4).
func flat(der []byte, n int) ([]byte, error) {
	var v struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) != 0 {
		return nil, errors.New("the signer gave no ASN.1 signature")
	}
	if v.R.Sign() <= 0 || v.S.Sign() <= 0 || v.R.BitLen() > 8*n || v.S.BitLen() > 8*n {
		return nil, errors.New("the signer gave a signature of another curve")
	}
	out := make([]byte, 2*n)
	v.R.FillBytes(out[:n])
	v.S.FillBytes(out[n:])
	return out, nil
}
