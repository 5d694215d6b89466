package saml_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"embed"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/wire/saml"
)

var start = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// idp is an identity provider's key with its certificate.
type idp struct {
	key         *rsa.PrivateKey
	certificate *x509.Certificate
}

// keys are the same in every process, for those that fuzz.
//
//go:embed testdata/*.pem
var keys embed.FS

func newIDP(name string) idp {
	text, err := keys.ReadFile("testdata/" + name + ".pem")
	if err != nil {
		panic(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		panic(err)
	}
	return idp{key.(*rsa.PrivateKey), certify(name, key.(*rsa.PrivateKey))}
}

func certify(name string, key crypto.Signer) *x509.Certificate {
	// The dates are long past: AWS does not look at them.
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: start.AddDate(-9, 0, 0), NotAfter: start.AddDate(-8, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return c
}

var (
	corp        = sync.OnceValue(func() idp { return newIDP("corp") })
	attacker    = sync.OnceValue(func() idp { return newIDP("attacker") })
	elliptic256 = sync.OnceValues(func() (*ecdsa.PrivateKey, *x509.Certificate) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return key, certify("elliptic", key)
	})
)

func trust(keys ...*rsa.PrivateKey) saml.Trust {
	return saml.Trust{Certificates: []*x509.Certificate{older(), corp().certificate}, Keys: keys}
}

// older is a second certificate of the provider, so that the right one has to be found.
var older = sync.OnceValue(func() *x509.Certificate { return newIDP("older").certificate })

const assertion = `<saml:Assertion ID="_a1" Version="2.0" IssueInstant="2026-11-21T09:30:00Z" xmlns:xs="http://www.w3.org/2001/XMLSchema">
    <saml:Issuer>https://idp.example/saml</saml:Issuer>
    <saml:Subject>
      <saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ann@corp.example</saml:NameID>
      <saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
        <saml:SubjectConfirmationData NotOnOrAfter="2026-11-21T09:35:00.250Z" Recipient="https://signin.aws.amazon.com/saml"/>
      </saml:SubjectConfirmation>
    </saml:Subject>
    <saml:Conditions NotBefore="2026-11-21T09:25:00" NotOnOrAfter="2026-11-21T10:35:00+01:00">
      <saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceRestriction>
    </saml:Conditions>
    <saml:AuthnStatement AuthnInstant="2026-11-21T09:29:00Z" SessionNotOnOrAfter="2026-11-21T17:30:00Z" SessionIndex="_s1">
      <saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext>
    </saml:AuthnStatement>
    <saml:AttributeStatement>
      <saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/RoleSessionName"><saml:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string"> ann </saml:AttributeValue></saml:Attribute>
      <saml:Attribute Name="groups" FriendlyName="Groups"><saml:AttributeValue>a &amp; b</saml:AttributeValue><saml:AttributeValue><![CDATA[<c>]]></saml:AttributeValue></saml:Attribute>
    </saml:AttributeStatement>
  </saml:Assertion>`

// response puts assertions into a response.
func response(assertions ...string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r1" Version="2.0" IssueInstant="2026-11-21T09:30:00Z" Destination="https://signin.aws.amazon.com/saml">
  <saml:Issuer>https://idp.example/saml</saml:Issuer>
  <samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>
  ` + strings.Join(assertions, "\n") + `
</samlp:Response>`
}

// signed signs the elements of these IDs, one after the other.
func signed(t testing.TB, by idp, document string, ids ...string) string {
	t.Helper()
	for _, id := range ids {
		out, err := saml.Sign([]byte(document), id, by.key, by.certificate)
		if err != nil {
			t.Fatal(err)
		}
		document = string(out)
	}
	return document
}

func encoded(document string) string { return base64.StdEncoding.EncodeToString([]byte(document)) }

// verify is what becomes of a document.
func verify(document string, keys ...*rsa.PrivateKey) (*saml.Assertion, *saml.Problem, []saml.Check) {
	r := saml.ParseResponse(encoded(document))
	v := r.Verify(trust(keys...))
	return v.Assertion, v.Problem, append(r.Checks, v.Checks...)
}

// refusedAs checks that a document is refused for a reason.
func refusedAs(t *testing.T, name, document string, kind saml.Kind, why string, keys ...*rsa.PrivateKey) {
	t.Helper()
	a, p, checks := verify(document, keys...)
	switch {
	case p == nil || a != nil:
		t.Errorf("%s: accepted: %+v", name, a)
	case p.Kind != kind || !strings.Contains(p.Message, why):
		t.Errorf("%s: refused as %d %q, want %d …%s…", name, p.Kind, p.Message, kind, why)
	}
	for _, c := range checks {
		if !c.OK {
			return
		}
	}
	t.Errorf("%s: every check passed", name)
}

// replaced replaces what has to be there.
func replaced(t *testing.T, s, from, to string) string {
	t.Helper()
	if !strings.Contains(s, from) {
		t.Fatalf("there is no %s in %s", from, s)
	}
	return strings.Replace(s, from, to, 1)
}
