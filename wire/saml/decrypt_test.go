package saml_test

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/wire/saml"
)

const (
	xenc   = "http://www.w3.org/2001/04/xmlenc#"
	xenc11 = "http://www.w3.org/2009/xmlenc11#"
)

// encryption is how an assertion is encrypted.
type encryption struct {
	block  string // algorithm of the assertion
	bytes  int
	key    string // algorithm of the key, with what its element has inside
	inside string
	hash   crypto.Hash
	mask   crypto.Hash
	label  string
	beside bool // the key stands beside the data
}

var gcm256 = encryption{xenc11 + "aes256-gcm", 32, xenc + "rsa-oaep-mgf1p", "", crypto.SHA1, crypto.SHA1, "", false}

var whole = regexp.MustCompile(`(?s)<saml:Assertion.*</saml:Assertion>`)

// encrypted encrypts the assertion of a response for the attacker's key, who here is but another key.
func encrypted(t testing.TB, document string, e encryption) string {
	t.Helper()
	plain := []byte(whole.FindString(document))
	key, nonce := make([]byte, e.bytes), make([]byte, 16)
	random(t, key, nonce)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	var sealed []byte
	if strings.HasSuffix(e.block, "gcm") {
		g, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		sealed = g.Seal(nonce[:12], nonce[:12], plain, nil)
	} else {
		n := 16 - len(plain)%16
		plain = append(append(plain, bytes.Repeat([]byte{'x'}, n-1)...), byte(n)) // ISO 10126, as xmlenc says
		sealed = append(nonce[:16:16], make([]byte, len(plain))...)
		cipher.NewCBCEncrypter(block, nonce).CryptBlocks(sealed[16:], plain)
	}
	transported, err := rsa.EncryptOAEPWithOptions(rand.Reader, &attacker().key.PublicKey, key, &rsa.OAEPOptions{Hash: e.hash, MGFHash: e.mask, Label: []byte(e.label)})
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	ek := `<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="` + e.key + `">` + e.inside + `</xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>` + b64(transported) + `</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>`
	info, after := `<ds:KeyInfo>`+ek+`</ds:KeyInfo>`, ""
	if e.beside {
		info, after = `<ds:KeyInfo><ds:RetrievalMethod URI="#_k"/></ds:KeyInfo>`, ek
	}
	return whole.ReplaceAllLiteralString(document, `<saml:EncryptedAssertion xmlns:xenc="`+xenc+`" xmlns:xenc11="`+xenc11+`" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedData Type="`+xenc+`Element"><xenc:EncryptionMethod Algorithm="`+e.block+`"/>`+info+
		`<xenc:CipherData><xenc:CipherValue>`+"\n"+b64(sealed)+"\n"+`</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>`+after+`</saml:EncryptedAssertion>`)
}

func random(t testing.TB, into ...[]byte) {
	t.Helper()
	for _, b := range into {
		if _, err := rand.Read(b); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	digest256 = `<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>`
	digest1   = `<ds:DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"/>`
	mask256   = `<xenc11:MGF Algorithm="http://www.w3.org/2009/xmlenc11#mgf1sha256"/>`
)

func TestEncryptedAssertionsAreRead(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]encryption{
		"AES-128 CBC":                {xenc + "aes128-cbc", 16, xenc + "rsa-oaep-mgf1p", digest1, crypto.SHA1, crypto.SHA1, "", false},
		"AES-256 CBC":                {xenc + "aes256-cbc", 32, xenc + "rsa-oaep-mgf1p", "", crypto.SHA1, crypto.SHA1, "", true},
		"AES-128 GCM":                {xenc11 + "aes128-gcm", 16, xenc + "rsa-oaep-mgf1p", digest256, crypto.SHA256, crypto.SHA1, "", false},
		"AES-256 GCM":                gcm256,
		"OAEP of 1.1":                {xenc11 + "aes256-gcm", 32, xenc11 + "rsa-oaep", digest256 + mask256, crypto.SHA256, crypto.SHA256, "", false},
		"OAEP of 1.1, its defaults":  {xenc11 + "aes256-gcm", 32, xenc11 + "rsa-oaep", "", crypto.SHA1, crypto.SHA1, "", true},
		"OAEP of 1.1, mixed digests": {xenc11 + "aes256-gcm", 32, xenc11 + "rsa-oaep", digest1 + mask256, crypto.SHA1, crypto.SHA256, "", false},
		"OAEP with a label":          {xenc11 + "aes256-gcm", 32, xenc11 + "rsa-oaep", "<xenc:OAEPparams>bGFiZWw=</xenc:OAEPparams>", crypto.SHA1, crypto.SHA1, "label", false},
	} {
		document := encrypted(t, signed(t, corp(), response(assertion), "_a1"), e)
		a, p, checks := verify(document, corp().key, attacker().key)
		if p != nil {
			t.Errorf("%s: %v\n%+v", name, p, checks)
			continue
		}
		if diff := cmp.Diff(said(), a); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	both := signed(t, corp(), encrypted(t, signed(t, corp(), response(assertion), "_a1"), gcm256), "_r1")
	r := saml.ParseResponse(encoded(both))
	if v := r.Verify(trust(attacker().key)); v.Problem != nil || !r.Encrypted || !r.Signed || r.AssertionSigned {
		t.Errorf("with a signed response: %v, %+v", v.Problem, r)
	}
}

// Whatever is wrong inside, the answer is one and the same.
func TestEncryptedAssertionsThatAreRefused(t *testing.T) {
	t.Parallel()
	good := signed(t, corp(), response(assertion), "_a1")
	sealed := encrypted(t, good, gcm256)
	change := func(from, to string) string { return replaced(t, sealed, from, to) }
	cbc := encryption{xenc + "aes128-cbc", 16, xenc + "rsa-oaep-mgf1p", "", crypto.SHA1, crypto.SHA1, "", false}
	inside := func(a string) string { return encrypted(t, response(a), gcm256) }
	for name, document := range map[string]string{
		"no signature inside":               encrypted(t, response(assertion), gcm256),
		"another's signature inside":        encrypted(t, signed(t, attacker(), response(assertion), "_a1"), gcm256),
		"altered inside":                    encrypted(t, replaced(t, good, "ann@corp", "bob@corp"), gcm256),
		"a signature of the response alone": signed(t, corp(), encrypted(t, response(assertion), gcm256), "_r1"),
		"an assertion in the assertion":     inside(replaced(t, assertion, "<saml:Subject>", "<saml:Advice>"+replaced(t, assertion, "_a1", "_a2")+"</saml:Advice><saml:Subject>")),
		"a document type inside":            inside(replaced(t, assertion, "<saml:Assertion", "<saml:Assertion><!DOCTYPE x></saml:Assertion><saml:Assertion")),
		"another element inside":            strings.ReplaceAll(inside(assertion), "aes256-gcm", "aes128-gcm"),
		"altered ciphertext in CBC":         flipped(t, encrypted(t, good, cbc)),
		"altered ciphertext in GCM":         flipped(t, sealed),
		"an algorithm off the list":         change("aes256-gcm", "aes192-gcm"),
		"triple DES":                        change(xenc11+"aes256-gcm", xenc+"tripledes-cbc"),
		"PKCS 1 of version 1.5":             change("rsa-oaep-mgf1p", "rsa-1_5"),
		"a digest off the list":             change(`rsa-oaep-mgf1p">`, `rsa-oaep-mgf1p"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#md5"/>`),
		"content instead of an element":     change(xenc+"Element", xenc+"Content"),
		"no key":                            replaced(t, replaced(t, sealed, "<ds:KeyInfo>", "<x>"), "</ds:KeyInfo>", "</x>"),
		"no data":                           response("<saml:EncryptedAssertion/>"),
		"a reference for a value":           strings.ReplaceAll(sealed, "CipherValue", "CipherReference"),
		"short ciphertext":                  regexp.MustCompile(`\n[A-Za-z0-9+/=]{100,}\n`).ReplaceAllString(sealed, "AAAA"),
		"no method":                         strings.ReplaceAll(sealed, "EncryptionMethod", "Method"),
	} {
		refusedAs(t, name, document, saml.Undecipherable, "", attacker().key)
	}
	refusedAs(t, "no private key", sealed, saml.Undecipherable, "no private key")
	refusedAs(t, "another private key", sealed, saml.Undecipherable, "encryption", corp().key)
	refusedAs(t, "a forged response around it", signed(t, attacker(), sealed, "_r1"), saml.Forged, "response signature", attacker().key)
}

// flipped alters a byte in the middle of the assertion's ciphertext.
func flipped(t *testing.T, document string) string {
	t.Helper()
	at := strings.LastIndex(document, "<xenc:CipherValue>") + 600
	c := byte('A')
	if document[at] == 'A' {
		c = 'B'
	}
	return document[:at] + string(c) + document[at+1:]
}
