package iam

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
)

// minRSABits is the least that AWS takes of a SAML provider's keys (IAM user guide, "Create a SAML identity
// provider in IAM").
const minRSABits = 1024

// addSAMLKey seals one more private key that assertions are decrypted with.
func (s *Service) addSAMLKey(p *directory.SAMLProvider, text string) error {
	if err := checkPrivateKey(text); err != nil {
		return err
	}
	if len(p.Keys) >= maxSAMLKeys {
		return refusal(limitExceeded, fmt.Sprintf("Cannot exceed quota for PrivateKeysPerSAMLProvider: %d", maxSAMLKeys))
	}
	id, err := s.providerID("SAMLPK")
	if err != nil {
		return err
	}
	sealed, err := s.Sealer.Seal(directory.SAMLKeyLabel(id), []byte(text))
	if err != nil {
		return err
	}
	p.Keys = append(slices.Clone(p.Keys), directory.SAMLKey{ID: id, Sealed: sealed, CreatedAt: s.Now().UTC()})
	return nil
}

func removeSAMLKey(p *directory.SAMLProvider, id string) error {
	i := slices.IndexFunc(p.Keys, func(k directory.SAMLKey) bool { return k.ID == id })
	if i < 0 {
		return refusal(noSuchEntity, "The private key with id "+id+" cannot be found.")
	}
	p.Keys = slices.Delete(slices.Clone(p.Keys), i, i+1)
	return nil
}

// checkPrivateKey takes one private key in PEM, RSA of enough bits: with RSA the key of an assertion is
// transported (XML Encryption 1.1, section 5.5). What is wrong with it is not said in
// detail: the text is secret.
func checkPrivateKey(text string) error {
	bad := refusal(invalidInput, "The private key is not valid.")
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return bad
	}
	if k, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return enough(k, bad)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return bad
	}
	if k, ok := parsed.(*rsa.PrivateKey); ok {
		return enough(k, bad)
	}
	return bad
}

func enough(k *rsa.PrivateKey, bad error) error {
	if k.N.BitLen() < minRSABits {
		return bad
	}
	return nil
}
