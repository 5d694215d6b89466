package saml

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

// Bounds of metadata: a federation's provider has some hundred elements, some ten deep. Ten million
// characters are what IAM takes.
const (
	maxMetadata         = 40_000_000 // bytes
	maxMetadataDepth    = 64
	maxMetadataElements = 100_000
)

// minRSABits is the least that AWS takes of a provider's key (IAM user guide, "Create a SAML identity
// provider in IAM").
const minRSABits = 1024

// Metadata is what an identity provider says of itself.
type Metadata struct {
	EntityID string
	Signing  []*x509.Certificate // of keys that may sign, in order; at least one
}

// ParseMetadata reads the EntityDescriptor of an identity provider. Its signature, its validUntil and the
// dates of its certificates are not looked at: the owner of an account has chosen to trust it. Certificates
// that cannot be read, or whose RSA key is too short, are passed over.
func ParseMetadata(document string) (*Metadata, error) {
	if len(document) > maxMetadata || !utf8.ValidString(document) || strings.HasPrefix(document, "\uFEFF") {
		return nil, errors.New("the metadata is too long, is not UTF-8, or begins with a byte order mark")
	}
	r := &metadataReader{m: &Metadata{}}
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		t, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read metadata: %w", err)
		}
		if err := r.token(t); err != nil {
			return nil, err
		}
	}
	switch {
	case r.m.EntityID == "":
		return nil, errors.New("the metadata has no EntityDescriptor with an entityID")
	case !r.provider:
		return nil, errors.New("the metadata is not an identity provider's: it has no IDPSSODescriptor")
	case len(r.m.Signing) == 0:
		return nil, errors.New("the metadata has no certificate of a key that signs")
	}
	return r.m, nil
}

type metadataReader struct {
	m           *Metadata
	open        []xml.Name
	elements    int
	provider    bool // there is an IDPSSODescriptor
	signs       bool // the KeyDescriptor that is open is for signing
	certificate *strings.Builder
}

func (r *metadataReader) token(t xml.Token) error {
	switch t := t.(type) {
	case xml.Directive:
		return errors.New("the metadata has a document type")
	case xml.StartElement:
		r.elements++
		if len(r.open) == 0 && r.elements > 1 || len(r.open) >= maxMetadataDepth || r.elements > maxMetadataElements {
			return errors.New("the metadata has more than one root, or too many elements")
		}
		r.open = append(r.open, t.Name)
		r.start(t.Attr)
	case xml.EndElement:
		if r.certificate != nil {
			r.end()
		}
		r.open = r.open[:len(r.open)-1]
	case xml.CharData:
		if r.certificate != nil {
			r.certificate.Write(t)
		}
	}
	return nil
}

// where the parts of metadata that are read stand.
var (
	atEntity      = []xml.Name{{Space: metadataNS, Local: "EntityDescriptor"}}
	atProvider    = append(atEntity[:1:1], xml.Name{Space: metadataNS, Local: "IDPSSODescriptor"})
	atKey         = append(atProvider[:2:2], xml.Name{Space: metadataNS, Local: "KeyDescriptor"})
	atCertificate = append(atKey[:3:3], xml.Name{Space: signatureNS, Local: "KeyInfo"},
		xml.Name{Space: signatureNS, Local: "X509Data"}, xml.Name{Space: signatureNS, Local: "X509Certificate"})
)

// at reports whether the open elements are exactly these.
func (r *metadataReader) at(path []xml.Name) bool {
	if len(r.open) != len(path) {
		return false
	}
	for i := range path {
		if r.open[i] != path[i] {
			return false
		}
	}
	return true
}

// start notes an element that begins.
func (r *metadataReader) start(attributes []xml.Attr) {
	value := func(name string) string {
		for _, a := range attributes {
			if a.Name.Space == "" && a.Name.Local == name {
				return a.Value
			}
		}
		return ""
	}
	r.certificate = nil
	switch {
	case r.at(atEntity):
		r.m.EntityID = strings.TrimSpace(value("entityID"))
	case r.at(atProvider):
		r.provider = true
	case r.at(atKey):
		use := value("use") // without one, a key is for both uses (saml-metadata-2.0-os section 2.4.1.1)
		r.signs = use == "signing" || use == ""
	case r.signs && r.at(atCertificate):
		r.certificate = &strings.Builder{}
	}
}

// end reads a certificate that is complete.
func (r *metadataReader) end() {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(r.certificate.String()), ""))
	r.certificate = nil
	if err != nil {
		return
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return
	}
	if k, isRSA := c.PublicKey.(*rsa.PublicKey); !isRSA || k.N.BitLen() >= minRSABits {
		r.m.Signing = append(r.m.Signing, c)
	}
}
