package sts_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"regexp"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/core/directory"
)

func encoded(document string) string { return base64.StdEncoding.EncodeToString([]byte(document)) }

func decoded(t *testing.T, response string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(response)
	must(t, err)
	return b
}

var wholeAssertion = regexp.MustCompile(`(?s)<saml:Assertion.*</saml:Assertion>`)

// enveloped encrypts the assertion of a response for the other provider's key, as a holder of private keys.
func enveloped(document string) string {
	key, nonce := make([]byte, 32), make([]byte, 12)
	for _, b := range [][]byte{key, nonce} {
		if _, err := rand.Read(b); err != nil {
			panic(err)
		}
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	transported, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, &other().key.PublicKey, key, nil)
	if err != nil {
		panic(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	return wholeAssertion.ReplaceAllLiteralString(document, `<saml:EncryptedAssertion><e:EncryptedData xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/>`+
		`<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><e:EncryptedKey><e:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/><e:CipherData><e:CipherValue>`+b64(transported)+`</e:CipherValue></e:CipherData></e:EncryptedKey></KeyInfo>`+
		`<e:CipherData><e:CipherValue>`+b64(gcm.Seal(nonce, nonce, []byte(wholeAssertion.FindString(document)), nil))+`</e:CipherValue></e:CipherData></e:EncryptedData></saml:EncryptedAssertion>`)
}

func TestEncryptedAssertionsOfAProviderWithKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.samlProvider(account, "corp", w.withKey("SAMLPK1", corp().key), w.withKey("SAMLPK2", other().key), func(p *directory.SAMLProvider) { p.Encryption = "Required" })
	role := w.role("Reader", samlTrust("")).ARN
	plain := w.byCorp(role)
	sealed := encoded(enveloped(string(decoded(t, plain))))
	out, err := w.saml(role, sealed)
	must(t, err)
	if *out.Subject != "ann@corp.example" {
		t.Errorf("%+v", out)
	}
	_, err = w.saml(role, plain)
	begins(t, "plain, and encryption is required", err, "InvalidIdentityToken", notSAML+discoverySay)
	for name, response := range map[string]string{
		"not signed inside":     encoded(enveloped(w.assertion(role))),
		"another's inside":      encoded(enveloped(string(decoded(t, posted(t, other(), w.assertion(role), "_a"))))),
		"no assertion inside":   encoded(enveloped(w.assertion(role, "<saml:Assertion", "<saml:Assertion xmlns:q=''"))),
		"an element for a text": encoded(enveloped(`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r" Version="2.0"><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status><saml:Assertion></saml:Assertion></samlp:Response>`)),
	} {
		_, err := w.saml(role, response)
		begins(t, name, err, "InvalidIdentityToken", forged+discoverySay)
	}

	p, err = w.store.SAMLProviders.WithID(t.Context(), p.ID)
	must(t, err)
	p.Encryption, p.Keys = "Allowed", p.Keys[:1]
	must(t, w.store.SAMLProviders.Update(t.Context(), p))
	_, err = w.saml(role, sealed)
	begins(t, "the key is gone", err, "InvalidIdentityToken", forged+discoverySay)
	if _, err = w.saml(role, plain); err != nil {
		t.Errorf("plain, and encryption is allowed: %v", err)
	}

	p, err = w.store.SAMLProviders.WithID(t.Context(), p.ID)
	must(t, err)
	p.Metadata = "<md/>"
	must(t, w.store.SAMLProviders.Update(t.Context(), p))
	_, err = w.saml(role, plain, func(*sdk.AssumeRoleWithSAMLInput) {})
	refused(t, err, "InvalidIdentityToken", "Could not parse metadata")
}
