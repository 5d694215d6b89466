package iam

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// The XML namespaces of SAML metadata (OASIS saml-metadata-2.0-os, section 2) and of signatures in it.
const (
	metadataNamespace  = "urn:oasis:names:tc:SAML:2.0:metadata"
	signatureNamespace = "http://www.w3.org/2000/09/xmldsig#"
)

// Bounds of metadata that is read: a federation's provider has some hundred elements, some ten deep.
const (
	maxMetadataDepth    = 64
	maxMetadataElements = 100_000
)

// checkSAMLMetadata refuses what is not the metadata of an identity provider that signs.
func checkSAMLMetadata(document string) error {
	found, err := readSAMLMetadata(document)
	if err != nil || found.entity == "" || !found.provider || found.signing == 0 {
		return refusal(invalidInput, "Could not parse metadata")
	}
	return nil
}

// samlMetadata is what IAM itself looks at in a provider's metadata.
type samlMetadata struct {
	entity   string // entityID
	provider bool   // there is an IDPSSODescriptor
	signing  int    // certificates of it that may sign
}

// readSAMLMetadata reads one EntityDescriptor. A document type is refused: it could make text out of
// nothing.
func readSAMLMetadata(document string) (samlMetadata, error) {
	var m samlMetadata
	if !utf8.ValidString(document) || strings.HasPrefix(document, "\uFEFF") {
		return m, errors.New("the metadata is not UTF-8, or begins with a byte order mark")
	}
	d := xml.NewDecoder(strings.NewReader(document))
	var open []xml.Name
	signs, elements := false, 0
	for {
		t, err := d.Token()
		if err == io.EOF {
			if elements == 0 {
				err = errors.New("the metadata has no element")
				return m, err
			}
			return m, nil
		}
		if err != nil {
			return m, fmt.Errorf("read metadata: %w", err)
		}
		switch t := t.(type) {
		case xml.Directive:
			return m, errors.New("the metadata has a document type")
		case xml.StartElement:
			elements++
			if len(open) == 0 && elements > 1 || len(open) >= maxMetadataDepth || elements > maxMetadataElements {
				return m, errors.New("the metadata has more than one root, or too many elements")
			}
			open = append(open, t.Name)
			m.start(open, t.Attr, &signs)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if signs && at(open, entityDescriptor, idpDescriptor, keyDescriptor, keyInfo, x509Data, x509Certificate) && isCertificate(t) {
				m.signing++
			}
		}
	}
}

var (
	entityDescriptor = xml.Name{Space: metadataNamespace, Local: "EntityDescriptor"}
	idpDescriptor    = xml.Name{Space: metadataNamespace, Local: "IDPSSODescriptor"}
	keyDescriptor    = xml.Name{Space: metadataNamespace, Local: "KeyDescriptor"}
	keyInfo          = xml.Name{Space: signatureNamespace, Local: "KeyInfo"}
	x509Data         = xml.Name{Space: signatureNamespace, Local: "X509Data"}
	x509Certificate  = xml.Name{Space: signatureNamespace, Local: "X509Certificate"}
)

// start notes an element that begins.
func (m *samlMetadata) start(open []xml.Name, attributes []xml.Attr, signs *bool) {
	value := func(name string) string {
		for _, a := range attributes {
			if a.Name.Space == "" && a.Name.Local == name {
				return a.Value
			}
		}
		return ""
	}
	switch {
	case at(open, entityDescriptor):
		m.entity = value("entityID")
	case at(open, entityDescriptor, idpDescriptor):
		m.provider = true
	case at(open, entityDescriptor, idpDescriptor, keyDescriptor):
		use := value("use") // without one, a key is for both uses
		*signs = use == "signing" || use == ""
	}
}

// at reports whether the open elements are exactly these.
func at(open []xml.Name, want ...xml.Name) bool {
	if len(open) != len(want) {
		return false
	}
	for i := range want {
		if open[i] != want[i] {
			return false
		}
	}
	return true
}

// isCertificate reports whether text is a certificate whose key is good enough.
func isCertificate(text []byte) bool {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		return false
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return false
	}
	k, isRSA := c.PublicKey.(*rsa.PublicKey)
	return !isRSA || k.N.BitLen() >= minRSABits
}
