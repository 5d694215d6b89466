package saml_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/wire/saml"
)

// keyDescriptor publishes a certificate for a use, "" for both.
func keyDescriptor(use string, c *x509.Certificate) string {
	if use != "" {
		use = ` use="` + use + `"`
	}
	b64 := base64.StdEncoding.EncodeToString(c.Raw)
	return `<md:KeyDescriptor` + use + `><ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + "\n" + b64[:64] + "\n<!-- -->" + b64[64:] + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`
}

func metadata(keys ...string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="https://idp.example/saml">
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + strings.Join(keys, "") + `
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/sso?a=1&amp;b=2"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>`
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	m, err := saml.ParseMetadata(metadata(keyDescriptor("encryption", corp().certificate), keyDescriptor("signing", attacker().certificate), keyDescriptor("", corp().certificate)))
	if err != nil {
		t.Fatal(err)
	}
	if m.EntityID != "https://idp.example/saml" || len(m.Signing) != 2 || !m.Signing[0].Equal(attacker().certificate) || !m.Signing[1].Equal(corp().certificate) {
		t.Errorf("%+v", m)
	}
	_, ec := elliptic256()
	if m, err = saml.ParseMetadata(metadata(keyDescriptor("signing", ec))); err != nil || len(m.Signing) != 1 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestMetadataThatIsNone(t *testing.T) {
	t.Parallel()
	good := metadata(keyDescriptor("signing", corp().certificate))
	for name, c := range map[string]struct{ document, why string }{
		"no XML":                     {"metadata", "no EntityDescriptor"},
		"nothing":                    {"", "no EntityDescriptor"},
		"an element that stays open": {strings.Replace(good, "</md:EntityDescriptor>", "", 1), "read metadata"},
		"a document type":            {strings.Replace(good, "\n<md:Entity", "\n<!DOCTYPE x>\n<md:Entity", 1), "document type"},
		"an undeclared entity":       {replaced(t, good, "&amp;", "&b;"), "read metadata"},
		"two roots":                  {good + "<a/>", "more than one root"},
		"another encoding":           {replaced(t, good, "UTF-8", "UTF-16"), "read metadata"},
		"another namespace":          {replaced(t, good, "SAML:2.0:metadata", "SAML:1.0:metadata"), "no EntityDescriptor"},
		"no entityID":                {replaced(t, good, "entityID=", "entity="), "entityID"},
		"a service provider":         {strings.ReplaceAll(good, "IDPSSODescriptor", "SPSSODescriptor"), "not an identity provider"},
		"a key for encryption alone": {replaced(t, good, `use="signing"`, `use="encryption"`), "no certificate"},
		"a key of unknown use":       {replaced(t, good, `use="signing"`, `use="x"`), "no certificate"},
		"no certificate":             {strings.ReplaceAll(good, "ds:X509Certificate", "ds:X509CRL"), "no certificate"},
		"a broken certificate":       {replaced(t, good, "<ds:X509Certificate>\n", "<ds:X509Certificate>\nAAAA"), "no certificate"},
		"a certificate in pieces":    {replaced(t, good, "<!-- -->", "<x/>"), "no certificate"},
		"a certificate of 512 bits":  {metadata(keyDescriptor("signing", short(t))), "no certificate"},
		"a byte order mark":          {"\uFEFF" + good, "byte order mark"},
		"bytes that are no UTF-8":    {good + "\xff", "UTF-8"},
		"nested too deeply":          {replaced(t, good, "<md:IDP", strings.Repeat("<a>", 70)+strings.Repeat("</a>", 70)+"<md:IDP"), "too many"},
		"too many elements":          {replaced(t, good, "<md:IDP", strings.Repeat("<a/>", 100_001)+"<md:IDP"), "too many"},
	} {
		if m, err := saml.ParseMetadata(c.document); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %+v, %v; want …%s…", name, m, err, c.why)
		}
	}
}

// short is a certificate, which somebody else signed, of a key that is too short to be one.
func short(t *testing.T) *x509.Certificate {
	t.Helper()
	n := new(big.Int).SetBit(big.NewInt(1), 511, 1)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: start, NotAfter: start}
	der, err := x509.CreateCertificate(rand.Reader, template, corp().certificate, &rsa.PublicKey{N: n, E: 65537}, corp().key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func FuzzParseMetadata(f *testing.F) {
	f.Add(metadata(keyDescriptor("signing", corp().certificate)))
	f.Add(metadata(keyDescriptor("", corp().certificate), keyDescriptor("encryption", attacker().certificate)))
	f.Add("<a><!DOCTYPE x></a>")
	f.Fuzz(func(t *testing.T, document string) {
		m, err := saml.ParseMetadata(document)
		if (m == nil) != (err != nil) || m != nil && (m.EntityID == "" || len(m.Signing) == 0) {
			t.Fatalf("%+v, %v", m, err)
		}
	})
}
