package saml_test

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/wire/saml"
)

// xmlsec is the XML Security Library's command line, an implementation that shares no code with ours.
func xmlsec(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("xmlsec1")
	if err != nil {
		reason := "xmlsec1 is not installed (scripts/install-clients.sh installs it, as root)"
		if os.Getenv("CI") == "true" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	return path
}

// run runs xmlsec1 and gives its output.
func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(xmlsec(t), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("xmlsec1 %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// put writes a file of a test.
func put(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func pemKey(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return put(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func pemCertificate(t *testing.T, c *x509.Certificate) string {
	t.Helper()
	return put(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

const (
	assertionID = "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"
	responseID  = "urn:oasis:names:tc:SAML:2.0:protocol:Response"
)

// template is a signature that xmlsec1 fills in, behind the assertion's issuer.
func template(t *testing.T, algorithm, digest, inclusive string) string {
	return replaced(t, assertion, "</saml:Issuer>", `</saml:Issuer>
    <ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
      <ds:SignedInfo>
        <ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>
        <ds:SignatureMethod Algorithm="`+algorithm+`"/>
        <ds:Reference URI="#_a1">
          <ds:Transforms>
            <ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>
            <ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">`+inclusive+`</ds:Transform>
          </ds:Transforms>
          <ds:DigestMethod Algorithm="`+digest+`"/>
          <ds:DigestValue/>
        </ds:Reference>
      </ds:SignedInfo>
      <ds:SignatureValue/>
      <ds:KeyInfo><ds:X509Data/></ds:KeyInfo>
    </ds:Signature>`)
}

// We verify what the XML Security Library signs: RSA and ECDSA, all digests, prefixes that are included.
func TestXmlsecSignsAndWeVerify(t *testing.T) {
	t.Parallel()
	more, enc := "http://www.w3.org/2001/04/xmldsig-more#", "http://www.w3.org/2001/04/xmlenc#"
	ecKey, ecCertificate := elliptic256()
	for name, c := range map[string]struct {
		key                          crypto.Signer
		algorithm, digest, inclusive string
		refused                      string
	}{
		"RSA and SHA-256":            {corp().key, more + "rsa-sha256", enc + "sha256", "", ""},
		"RSA and SHA-384":            {corp().key, more + "rsa-sha384", more + "sha384", "", ""},
		"RSA and SHA-512":            {corp().key, more + "rsa-sha512", enc + "sha512", "", ""},
		"ECDSA and SHA-256":          {ecKey, more + "ecdsa-sha256", enc + "sha256", "", ""},
		"ECDSA and SHA-512":          {ecKey, more + "ecdsa-sha512", enc + "sha512", "", ""},
		"prefixes that are included": {corp().key, more + "rsa-sha256", enc + "sha256", `<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="xs samlp"/>`, ""},
		"RSA and SHA-1":              {corp().key, "http://www.w3.org/2000/09/xmldsig#rsa-sha1", enc + "sha256", "", "signature algorithm"},
		"a digest by SHA-1":          {corp().key, more + "rsa-sha256", "http://www.w3.org/2000/09/xmldsig#sha1", "", "digest algorithm"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := put(t, "in.xml", []byte(response(template(t, c.algorithm, c.digest, c.inclusive))))
			document := run(t, "--sign", "--id-attr:ID", assertionID, "--privkey-pem", pemKey(t, c.key)+","+pemCertificate(t, corp().certificate), file)
			r := saml.ParseResponse(encoded(document))
			v := r.Verify(saml.Trust{Certificates: []*x509.Certificate{older(), ecCertificate, corp().certificate}})
			switch {
			case c.refused != "":
				if v.Problem == nil || v.Problem.Kind != saml.Forged || !strings.Contains(v.Problem.Message, c.refused) {
					t.Errorf("%v", v.Problem)
				}
			case v.Problem != nil:
				t.Errorf("%v\n%+v\n%s", v.Problem, v.Checks, document)
			default:
				if diff := cmp.Diff(said(), v.Assertion); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// The XML Security Library verifies what we sign.
func TestWeSignAndXmlsecVerifies(t *testing.T) {
	t.Parallel()
	file := put(t, "signed.xml", []byte(signed(t, corp(), response(assertion), "_a1", "_r1")))
	c := pemCertificate(t, corp().certificate)
	for _, node := range []string{"/*/*[local-name()='Assertion']/*[local-name()='Signature']", "/*/*[local-name()='Signature']"} {
		out := run(t, "--verify", "--id-attr:ID", assertionID, "--id-attr:ID", responseID, "--pubkey-cert-pem", c, "--node-xpath", node, file)
		if !strings.Contains(out, "OK") {
			t.Errorf("%s: %s", node, out)
		}
	}
}

// We decrypt what the XML Security Library encrypts.
func TestXmlsecEncryptsAndWeDecrypt(t *testing.T) {
	t.Parallel()
	const place = `<saml:EncryptedAssertion>`
	document := signed(t, corp(), response(assertion), "_a1")
	document = strings.Replace(strings.Replace(document, "<saml:Assertion", place+"<saml:Assertion", 1), "</saml:Assertion>", "</saml:Assertion></saml:EncryptedAssertion>", 1)
	for name, c := range map[string]struct{ block, session, transport, inside string }{
		"AES-128 in CBC": {xenc + "aes128-cbc", "aes-128", xenc + "rsa-oaep-mgf1p", ""},
		"AES-256 in CBC": {xenc + "aes256-cbc", "aes-256", xenc + "rsa-oaep-mgf1p", ""},
		"AES-128 in GCM": {xenc11 + "aes128-gcm", "aes-128", xenc + "rsa-oaep-mgf1p", ""},
		"AES-256 in GCM": {xenc11 + "aes256-gcm", "aes-256", xenc + "rsa-oaep-mgf1p", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template := `<xenc:EncryptedData xmlns:xenc="` + xenc + `" Type="` + xenc + `Element"><xenc:EncryptionMethod Algorithm="` + c.block + `"/><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="` +
				c.transport + `">` + c.inside + `</xenc:EncryptionMethod><ds:KeyInfo><ds:KeyName/></ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>`
			out := run(t, "--encrypt", "--pubkey-cert-pem", pemCertificate(t, attacker().certificate), "--session-key", c.session,
				"--xml-data", put(t, "plain.xml", []byte(document)), "--node-xpath", "//*[local-name()='Assertion']", put(t, "template.xml", []byte(template)))
			if strings.Contains(out, "ann@corp") || !strings.Contains(out, "EncryptedData") {
				t.Fatal(out)
			}
			a, p, checks := verify(out, attacker().key)
			if p != nil {
				t.Fatalf("%v\n%+v\n%s", p, checks, out)
			}
			if diff := cmp.Diff(said(), a); diff != "" {
				t.Error(diff)
			}
		})
	}
}
