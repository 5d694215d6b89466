package saml_test

import (
	"crypto"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/treatyfed/treaty/wire/saml"
)

// tree parses a document for a test to take apart.
func tree(t *testing.T, document string) *etree.Element {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(document); err != nil {
		t.Fatal(err)
	}
	return doc.Root()
}

func written(t *testing.T, root *etree.Element) string {
	t.Helper()
	doc := etree.NewDocument()
	doc.SetRoot(root.Copy())
	s, err := doc.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// parts are a signed response with its pieces, and an evil assertion of another ID and subject.
type parts struct {
	root, assertion, signature, evil *etree.Element
}

// takenApart signs the assertion or the response and takes it apart.
func takenApart(t *testing.T, id string) parts {
	t.Helper()
	root := tree(t, signed(t, corp(), response(assertion), id))
	p := parts{root: root, assertion: root.SelectElement("saml:Assertion"), signature: root.FindElement("//ds:Signature")}
	p.evil = p.assertion.Copy()
	if s := p.evil.SelectElement("ds:Signature"); s != nil {
		p.evil.RemoveChild(s)
	}
	p.evil.FindElement(".//saml:NameID").SetText("admin@corp.example")
	p.evil.CreateAttr("ID", "_evil")
	return p
}

// bare takes the signature out of where it is.
func (p parts) bare() *etree.Element {
	p.signature.Remove()
	return p.signature
}

// wrappings are the nine ways of signature wrapping: the signed element is kept somewhere, so that its
// signature verifies, and an evil one stands where it is read (Somorovsky and others, "On breaking SAML",
// USENIX Security 2012, and the numbering that testing tools have given its variants).
var wrappings = map[string]func(t *testing.T) *etree.Element{
	"XSW1: the response in the signature of a copy": func(t *testing.T) *etree.Element {
		p := takenApart(t, "_r1")
		evil := p.root.Copy()
		evil.CreateAttr("ID", "_evil_r")
		evil.FindElement(".//saml:NameID").SetText("admin@corp.example")
		evil.SelectElement("ds:Signature").Remove()
		s := p.bare()
		s.AddChild(p.root)
		evil.AddChild(s)
		return evil
	},
	"XSW2: the response beside the signature in a copy": func(t *testing.T) *etree.Element {
		p := takenApart(t, "_r1")
		evil := p.root.Copy()
		evil.CreateAttr("ID", "_evil_r")
		evil.FindElement(".//saml:NameID").SetText("admin@corp.example")
		evil.SelectElement("ds:Signature").Remove()
		s := p.bare()
		evil.InsertChildAt(0, p.root)
		evil.InsertChildAt(1, s)
		return evil
	},
	"XSW3: an evil assertion before": func(t *testing.T) *etree.Element {
		p := takenApart(t, "_a1")
		p.root.InsertChildAt(p.assertion.Index(), p.evil)
		return p.root
	},
	"XSW4: the assertion in an evil one": func(t *testing.T) *etree.Element {
		p := takenApart(t, "_a1")
		p.root.AddChild(p.evil)
		p.evil.AddChild(p.assertion)
		return p.root
	},
	"XSW5: the signature moved to an evil one, the assertion behind": func(t *testing.T) *etree.Element {
		p := takenApart(t, "_a1")
		p.evil.InsertChildAt(1, p.bare())
		p.root.InsertChildAt(p.assertion.Index(), p.evil)
		return p.root
	},
	"XSW6: the assertion in the signature of an evil one": func(t *testing.T) *etree.Element {
		p := takenApart(t, "_a1")
		s := p.bare()
		p.root.InsertChildAt(p.assertion.Index(), p.evil)
		s.AddChild(p.assertion)
		p.evil.InsertChildAt(1, s)
		return p.root
	},
	"XSW7: an evil one in Extensions": func(t *testing.T) *etree.Element {
		p := takenApart(t, "_a1")
		x := etree.NewElement("samlp:Extensions")
		x.AddChild(p.evil)
		p.root.InsertChildAt(0, x)
		return p.root
	},
	"XSW8: the assertion in an Object of an evil one's signature": func(t *testing.T) *etree.Element {
		p := takenApart(t, "_a1")
		s := p.bare()
		p.root.InsertChildAt(p.assertion.Index(), p.evil)
		s.CreateElement("ds:Object").AddChild(p.assertion)
		p.evil.InsertChildAt(1, s)
		return p.root
	},
	"XSW9: the assertion in an encrypted one's place": func(t *testing.T) *etree.Element {
		p := takenApart(t, "_a1")
		x := etree.NewElement("saml:EncryptedAssertion")
		p.root.InsertChildAt(p.assertion.Index(), p.evil)
		x.AddChild(p.assertion)
		p.root.AddChild(x)
		return p.root
	},
	"the assertion in Extensions, its signature in an evil one": func(t *testing.T) *etree.Element {
		p := takenApart(t, "_a1")
		p.evil.InsertChildAt(1, p.bare())
		x := p.root.CreateElement("samlp:Extensions")
		p.root.InsertChildAt(p.assertion.Index(), p.evil)
		x.AddChild(p.assertion)
		return p.root
	},
	"an evil assertion of the signed one's ID": func(t *testing.T) *etree.Element {
		p := takenApart(t, "_a1")
		p.evil.CreateAttr("ID", "_a1")
		p.root.InsertChildAt(p.assertion.Index(), p.evil)
		return p.root
	},
	"an evil assertion of another namespace's ID": func(t *testing.T) *etree.Element {
		p := takenApart(t, "_a1")
		p.evil.CreateAttr("xmlns:e", "urn:e")
		p.evil.Attr = append([]etree.Attr{{Space: "e", Key: "ID", Value: "_a1"}}, p.evil.Attr...)
		p.evil.InsertChildAt(1, p.bare())
		p.root.RemoveChild(p.assertion)
		p.root.AddChild(p.evil)
		return p.root
	},
}

func TestSignatureWrapping(t *testing.T) {
	t.Parallel()
	for name, wrap := range wrappings {
		document := written(t, wrap(t))
		if !strings.Contains(document, "admin@corp.example") {
			t.Errorf("%s: nothing evil is in it", name)
		}
		a, p, _ := verify(document)
		if p == nil {
			t.Errorf("%s: accepted for %s", name, a.NameID.Value)
		}
	}
}

func TestSignaturesThatAreRefused(t *testing.T) {
	t.Parallel()
	good := signed(t, corp(), response(assertion), "_a1")
	change := func(from, to string) string { return replaced(t, good, from, to) }
	signature := regexp.MustCompile(`(?s)<ds:Signature .*</ds:Signature>`)
	value := regexp.MustCompile(`<ds:SignatureValue>([^<]*)<`)
	for name, c := range map[string]struct {
		document string
		kind     saml.Kind
		why      string
	}{
		"stripped":                          {signature.ReplaceAllString(good, ""), saml.Unsigned, "assertion signature"},
		"of the response alone":             {signed(t, corp(), response(assertion), "_r1"), saml.Unsigned, "assertion signature"},
		"of the response, by somebody else": {signed(t, attacker(), good, "_r1"), saml.Forged, "response signature"},
		"by somebody else":                  {signed(t, attacker(), response(assertion), "_a1"), saml.Forged, "not by"},
		"by somebody else in corp's name":   {signed(t, idp{attacker().key, corp().certificate}, response(assertion), "_a1"), saml.Forged, "not by"},
		"with an altered name":              {change("ann@corp", "bob@corp"), saml.Forged, "assertion signature"},
		"with an altered attribute":         {change(`Recipient="https://signin`, `Recipient="https://sign-in`), saml.Forged, "assertion signature"},
		"with an altered role name":         {change("> ann <", "> bob <"), saml.Forged, "assertion signature"},
		"with another element":              {change("<saml:Conditions", "<saml:X/><saml:Conditions"), saml.Forged, "assertion signature"},
		"with a digest that is another's":   {regexp.MustCompile(`<ds:DigestValue>.`).ReplaceAllString(good, "<ds:DigestValue>/"), saml.Forged, "assertion signature"},
		"with a value that is another's":    {value.ReplaceAllString(good, "<ds:SignatureValue>"+base64.StdEncoding.EncodeToString(make([]byte, 256))+"<"), saml.Forged, "assertion signature"},
		"with an empty value":               {value.ReplaceAllString(good, "<ds:SignatureValue><"), saml.Forged, "assertion signature"},
		"with a value that is no base64":    {value.ReplaceAllString(good, "<ds:SignatureValue>?<"), saml.Forged, "base64"},
		"two of them":                       {signed(t, corp(), good, "_a1"), saml.Malformed, "2 elements Signature"},
		"with an Object":                    {change("</ds:Signature>", "<ds:Object/></ds:Signature>"), saml.Forged, "other elements"},
		"with two SignedInfo":               {change("<ds:SignatureValue>", "<ds:SignedInfo/><ds:SignatureValue>"), saml.Forged, "2 elements SignedInfo"},
		"with two values":                   {change("<ds:KeyInfo>", "<ds:SignatureValue/><ds:KeyInfo>"), saml.Forged, "2 elements SignatureValue"},
		"without a reference":               {regexp.MustCompile(`<ds:Reference .*</ds:Reference>`).ReplaceAllString(good, ""), saml.Forged, "no Reference"},
		"with two references":               {change("</ds:SignedInfo>", `<ds:Reference URI="#_r1"/></ds:SignedInfo>`), saml.Forged, "2 elements Reference"},
		"that refers to the response":       {change(`URI="#_a1"`, `URI="#_r1"`), saml.Forged, "refers to"},
		"that refers to the whole document": {change(`URI="#_a1"`, `URI=""`), saml.Forged, "refers to"},
		"that refers by XPointer":           {change(`URI="#_a1"`, `URI="#xpointer(id('_a1'))"`), saml.Forged, "refers to"},
		"that refers to a file":             {change(`URI="#_a1"`, `URI="file:///etc/passwd"`), saml.Forged, "refers to"},
		"with three transforms":             {change("</ds:Transforms>", `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms>`), saml.Forged, "transforms"},
		"with an XSLT transform":            {change(`<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>`, `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>`), saml.Forged, "transforms"},
		"with one transform":                {change(`<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>`, ""), saml.Forged, "transforms"},
		"that keeps comments":               {strings.ReplaceAll(good, "xml-exc-c14n#", "xml-exc-c14n#WithComments"), saml.Forged, "canonicalised"},
		"by inclusive canonicalisation":     {strings.ReplaceAll(good, "http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"), saml.Forged, "canonicalised"},
		"said to be by RSA and SHA-1":       {change("2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1"), saml.Forged, "signature algorithm"},
		"said to be by HMAC":                {change("2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#hmac-sha1"), saml.Forged, "signature algorithm"},
		"said to be by ECDSA":               {change("rsa-sha256", "ecdsa-sha256"), saml.Forged, "key of the signature's kind"},
		"with a digest said to be SHA-1":    {change("2001/04/xmlenc#sha256", "2000/09/xmldsig#sha1"), saml.Forged, "digest algorithm"},
		"that stands further in":            {moved(t, good), saml.Malformed, "belongs neither"},
		"of another kind beside":            {change("<samlp:Status>", `<samlp:Extensions><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/></samlp:Extensions><samlp:Status>`), saml.Malformed, "belongs neither"},
		"in the namespace of nobody":        {strings.ReplaceAll(good, `xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`, `xmlns:ds="urn:x"`), saml.Unsigned, "assertion signature"},
	} {
		refusedAs(t, name, c.document, c.kind, c.why)
	}
}

// moved puts the signature into the subject.
func moved(t *testing.T, document string) string {
	root := tree(t, document)
	s := root.FindElement("//ds:Signature")
	s.Remove()
	root.FindElement("//saml:Subject").AddChild(s)
	return written(t, root)
}

// withAlgorithm signs by other algorithms than Sign does.
func withAlgorithm(t *testing.T, key crypto.Signer, c *x509.Certificate, set func(*dsig.SigningContext)) string {
	t.Helper()
	root := tree(t, response(assertion))
	context, err := dsig.NewSigningContext(key, [][]byte{c.Raw})
	if err != nil {
		t.Fatal(err)
	}
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("xs")
	set(context)
	a := root.SelectElement("saml:Assertion")
	alone := a.Copy()
	alone.CreateAttr("xmlns:saml", "urn:oasis:names:tc:SAML:2.0:assertion")
	s, err := context.ConstructSignature(alone, true)
	if err != nil {
		t.Fatal(err)
	}
	a.InsertChildAt(2, s)
	return written(t, root)
}

// A right signature of a wrong algorithm is wrong.
func TestAlgorithmsOffTheList(t *testing.T) {
	t.Parallel()
	for name, hash := range map[string]crypto.Hash{"SHA-1": crypto.SHA1} {
		document := withAlgorithm(t, corp().key, corp().certificate, func(c *dsig.SigningContext) { c.Hash = hash })
		refusedAs(t, name, document, saml.Forged, "algorithm")
	}
	for name, hash := range map[string]crypto.Hash{"SHA-384": crypto.SHA384, "SHA-512": crypto.SHA512} {
		document := withAlgorithm(t, corp().key, corp().certificate, func(c *dsig.SigningContext) {
			c.Hash, c.Canonicalizer = hash, dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
		})
		if _, p, checks := verify(document); p != nil {
			t.Errorf("%s: %v\n%+v", name, p, checks)
		}
	}
}

// The signer's digest of what was verified is the digest of what is read: void canonicalisation, by which
// nothing at all is digested, is no way around.
func TestTheDigestOfNothing(t *testing.T) {
	t.Parallel()
	good := signed(t, corp(), response(assertion), "_a1")
	for _, empty := range [][]byte{sum1(nil), sum256(nil)} {
		document := regexp.MustCompile(`<ds:DigestValue>[^<]*<`).ReplaceAllString(good, "<ds:DigestValue>"+base64.StdEncoding.EncodeToString(empty)+"<")
		refusedAs(t, "a digest of nothing", document, saml.Forged, "assertion signature")
	}
}

func sum1(b []byte) []byte   { s := sha1.Sum(b); return s[:] }
func sum256(b []byte) []byte { s := sha256.Sum256(b); return s[:] }
