package saml

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// signatureAlgorithms are those that are verified, by the kind of key. SHA-1, DSA, RSA-PSS and all others
// are refused.
var signatureAlgorithms = map[string]x509.PublicKeyAlgorithm{
	dsig.RSASHA256SignatureMethod: x509.RSA, dsig.RSASHA384SignatureMethod: x509.RSA, dsig.RSASHA512SignatureMethod: x509.RSA,
	dsig.ECDSASHA256SignatureMethod: x509.ECDSA, dsig.ECDSASHA384SignatureMethod: x509.ECDSA, dsig.ECDSASHA512SignatureMethod: x509.ECDSA,
}

// digestAlgorithms are those of a reference.
var digestAlgorithms = map[string]bool{
	encryptNS + "sha256": true, "http://www.w3.org/2001/04/xmldsig-more#sha384": true, encryptNS + "sha512": true,
}

// signature is what the shape of one says, before any key is looked at.
type signature struct {
	algorithm, digest string
	value             []byte
}

// signatureOf is the signature of an element: its child. Signatures elsewhere are none.
func signatureOf(e *etree.Element) (*etree.Element, error) { return only(e, signatureNS, "Signature") }

// examine holds a signature against the rules on its shape: one reference, to the element it stands in,
// by exactly the two transforms.
func examine(signed, e *etree.Element) (s signature, err error) {
	parts, err := exactly(e, "SignedInfo", "SignatureValue", "KeyInfo?")
	if err != nil {
		return s, err
	}
	info, err := exactly(parts["SignedInfo"], "CanonicalizationMethod", "SignatureMethod", "Reference")
	if err != nil {
		return s, err
	}
	reference, err := exactly(info["Reference"], "Transforms", "DigestMethod", "DigestValue")
	if err != nil {
		return s, err
	}
	s.algorithm, s.digest = attribute(info["SignatureMethod"], "Algorithm"), attribute(reference["DigestMethod"], "Algorithm")
	transforms := children(reference["Transforms"], signatureNS, "Transform")
	id := attribute(signed, "ID")
	switch c14n := attribute(info["CanonicalizationMethod"], "Algorithm"); {
	case c14n != exclusiveNS:
		return s, fmt.Errorf("it is canonicalised by %.80q; only %s is taken", c14n, exclusiveNS)
	case id == "" || attribute(info["Reference"], "URI") != "#"+id:
		return s, fmt.Errorf("it refers to %.80q, and not to the element that it stands in", attribute(info["Reference"], "URI"))
	case len(transforms) != 2 || len(reference["Transforms"].ChildElements()) != 2 ||
		attribute(transforms[0], "Algorithm") != enveloped || attribute(transforms[1], "Algorithm") != exclusiveNS:
		return s, errors.New("its transforms are not the enveloped signature and exclusive canonicalisation, in this order")
	}
	encoded, err := text(parts["SignatureValue"])
	if err != nil {
		return s, err
	}
	if s.value, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded), "")); err != nil {
		return s, errors.New("its value is not base64")
	}
	return s, nil
}

// exactly are an element's children by name, each there once and no others; a name with a question mark
// may be missing.
func exactly(e *etree.Element, names ...string) (map[string]*etree.Element, error) {
	found, optional := map[string]*etree.Element{}, map[string]bool{}
	for _, name := range names {
		name, maybe := strings.CutSuffix(name, "?")
		c, err := only(e, signatureNS, name)
		switch {
		case err != nil:
			return nil, err
		case c != nil:
			found[name] = c
		case !maybe:
			return nil, fmt.Errorf("%s has no %s", e.Tag, name)
		}
		optional[name] = maybe
	}
	if len(e.ChildElements()) != len(found) {
		return nil, fmt.Errorf("%s has other elements than %s", e.Tag, strings.Join(names, ", "))
	}
	return found, nil
}

// verify checks the signature of an element, of which name is a word for people. What it gives back was
// parsed again out of the very bytes that were verified.
func (f *findings) verify(name string, signed *etree.Element, certificates []*x509.Certificate) (*etree.Element, *x509.Certificate) {
	e, err := signatureOf(signed)
	if err == nil && e == nil {
		err = errors.New("there is none")
	}
	var s signature
	if err == nil {
		s, err = examine(signed, e)
	}
	if !f.fault(Forged, name+" signature form", "is one enveloped signature", err) {
		return nil, nil
	}
	kind, taken := signatureAlgorithms[s.algorithm]
	f.note(Forged, Check{Name: name + " signature algorithm", Operator: "one of", Want: []string{"RSA or ECDSA with SHA-256, SHA-384 or SHA-512"}, Got: shown(s.algorithm), OK: taken})
	f.note(Forged, Check{Name: name + " digest algorithm", Operator: "one of", Want: []string{"SHA-256, SHA-384 or SHA-512"}, Got: shown(s.digest), OK: digestAlgorithms[s.digest]})
	c := Check{Name: name + " signature", Operator: "verifies with", Want: subjects(certificates)}
	if !taken || !digestAlgorithms[s.digest] {
		c.Skipped, c.Note = true, "by an algorithm that is not taken"
		f.note(Forged, c)
		return nil, nil
	}
	verified, by, err := tryAll(signed, s, kind, certificates)
	if c.OK = err == nil; c.OK {
		c.Got = subjects([]*x509.Certificate{by})
	} else {
		c.Note, c.Fix = err.Error(), "give the provider the metadata with the certificate that its identity provider signs with"
	}
	f.note(Forged, c)
	return verified, by
}

func subjects(certificates []*x509.Certificate) (out []string) {
	for _, c := range certificates {
		out = append(out, c.Subject.String()+", serial number "+c.SerialNumber.String())
	}
	return shown(out...)
}

// tryAll verifies with each certificate. The key that the signature names is removed before: it is a claim
// of whoever wrote the document.
func tryAll(signed *etree.Element, s signature, kind x509.PublicKeyAlgorithm, certificates []*x509.Certificate) (*etree.Element, *x509.Certificate, error) {
	last := errors.New("the metadata has no certificate with a key of the signature's kind")
	for _, c := range certificates[:min(len(certificates), maxCertificates)] {
		if c.PublicKeyAlgorithm != kind {
			continue
		}
		bare, err := prepared(signed, s, c)
		if err == nil {
			var out *etree.Element
			if out, err = validate(bare, c); err == nil {
				return out, c, nil
			}
		}
		last = fmt.Errorf("not by %.80q: %w", c.Subject.String(), err)
	}
	return nil, nil, last
}

// validate has the signature verified. A certificate is taken as a mere holder of its key, as the metadata
// interoperability profile says (saml-metadata-iop section 2.5): AWS takes expired ones too.
func validate(bare *etree.Element, c *x509.Certificate) (*etree.Element, error) {
	context := dsig.ValidationContext{
		CertificateStore: &dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{c}}, IdAttribute: "ID", Clock: dsig.NewFakeClockAt(c.NotBefore),
	}
	out, err := context.Validate(bare)
	switch {
	case err != nil:
		return nil, err
	case out == nil || out.Tag != bare.Tag || out.NamespaceURI() != bare.NamespaceURI() || attribute(out, "ID") != attribute(bare, "ID"):
		return nil, errors.New("the verified bytes are of another element")
	}
	return out, nil
}

// prepared is a copy of the signed element for the library: alone, without KeyInfo, and with the
// signature's value as it expects it.
func prepared(signed *etree.Element, s signature, c *x509.Certificate) (*etree.Element, error) {
	value, err := valueFor(s.value, c)
	if err != nil {
		return nil, err
	}
	out := detached(signed)
	e, err := signatureOf(out)
	if err != nil || e == nil {
		return nil, errors.New("the signature is lost")
	}
	for _, k := range children(e, signatureNS, "KeyInfo") {
		e.RemoveChild(k)
	}
	for _, v := range children(e, signatureNS, "SignatureValue") {
		for len(v.Child) > 0 {
			v.RemoveChildAt(0)
		}
		v.SetText(base64.StdEncoding.EncodeToString(value))
	}
	return out, nil
}

// valueFor turns an ECDSA signature, which XML signatures write as the two numbers one after the other
// (xmldsig-core1 section 6.4.3), into the ASN.1 that Go verifies.
func valueFor(value []byte, c *x509.Certificate) ([]byte, error) {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return value, nil
	case *ecdsa.PublicKey:
		n := (key.Curve.Params().BitSize + 7) / 8
		if len(value) != 2*n {
			return nil, fmt.Errorf("the signature has %d bytes, not %d", len(value), 2*n)
		}
		return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(value[:n]), new(big.Int).SetBytes(value[n:])})
	}
	return nil, errors.New("the certificate's key is neither RSA nor ECDSA")
}
