package saml

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// Sign signs the element of a document that has the ID, with RSA and SHA-256, and names the certificate in
// the signature. To sign a response and its assertion, sign the assertion first.
func Sign(document []byte, id string, key crypto.Signer, certificate *x509.Certificate) ([]byte, error) {
	if _, ok := key.Public().(*rsa.PublicKey); !ok {
		return nil, errors.New("sign SAML: the key is not an RSA key")
	}
	root, err := readDocument(document)
	if err != nil {
		return nil, fmt.Errorf("sign SAML: %w", err)
	}
	e := withID(root, id)
	if id == "" || e == nil {
		return nil, fmt.Errorf("sign SAML: no element has the ID %q", id)
	}
	context, err := dsig.NewSigningContext(key, [][]byte{certificate.Raw})
	if err != nil {
		return nil, fmt.Errorf("sign SAML: %w", err)
	}
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signature, err := context.ConstructSignature(detached(e), true)
	if err != nil {
		return nil, fmt.Errorf("sign SAML: %w", err)
	}
	at := 0 // the schema wants it behind the Issuer (saml-core-2.0-os sections 2.3.3 and 3.2.2)
	if i := e.SelectElement("Issuer"); i != nil {
		at = i.Index() + 1
	}
	e.InsertChildAt(at, signature)
	out := etree.NewDocument()
	out.SetRoot(root)
	return out.WriteToBytes()
}

// withID finds the element of an ID.
func withID(e *etree.Element, id string) *etree.Element {
	if attribute(e, "ID") == id {
		return e
	}
	for _, c := range e.ChildElements() {
		if found := withID(c, id); found != nil {
			return found
		}
	}
	return nil
}
