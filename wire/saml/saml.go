// Package saml reads and verifies what a SAML 2.0 identity provider sends: responses with one assertion,
// plain or encrypted, and the provider's metadata. Sign makes the same signatures.
//
// Responses come from anybody, so it is strict before it is right: bytes that do not survive a round trip
// through the parser, document types, processing instructions, a second assertion anywhere, an identifier
// used twice and any algorithm off a short list are refused, and only the element that came out of the
// verified bytes is ever read. Signatures are verified with the caller's certificates alone; the key that
// a signature itself names is not looked at.
//
// It owns the form and leaves the meaning to its caller: which elements are needed, when an assertion is
// too old, whom it is for. Every step leaves Checks. It is the only package that knows XML signatures.
//
// Sources: OASIS saml-core-2.0-os and saml-metadata-2.0-os; W3C xmldsig-core1, xmlenc-core1, xml-exc-c14n.
package saml

// Namespaces.
const (
	protocolNS  = "urn:oasis:names:tc:SAML:2.0:protocol"
	assertionNS = "urn:oasis:names:tc:SAML:2.0:assertion"
	metadataNS  = "urn:oasis:names:tc:SAML:2.0:metadata"
	signatureNS = "http://www.w3.org/2000/09/xmldsig#"
	encryptNS   = "http://www.w3.org/2001/04/xmlenc#"
	encrypt11NS = "http://www.w3.org/2009/xmlenc11#"
	exclusiveNS = "http://www.w3.org/2001/10/xml-exc-c14n#"
	schemaNS    = "http://www.w3.org/2001/XMLSchema-instance"
	xmlNS       = "http://www.w3.org/XML/1998/namespace"
	xmlnsNS     = "http://www.w3.org/2000/xmlns/"
)

// Values that SAML names (saml-core-2.0-os sections 3.2.2.2 and 8.3, saml-profiles-2.0-os section 3.3).
const (
	StatusSuccess   = "urn:oasis:names:tc:SAML:2.0:status:Success"
	Bearer          = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	NameIDFormat20  = "urn:oasis:names:tc:SAML:2.0:nameid-format:" // what the names of 2.0's own formats begin with
	version20       = "2.0"
	enveloped       = signatureNS + "enveloped-signature"
	elementType     = encryptNS + "Element"
	maxIDLength     = 256
	maxCertificates = 20 // that one signature is tried with
)

// Bounds of a document. The largest that AWS takes is 100,000 characters of base64.
const (
	MaxEncoded    = 256 << 10 // bytes of base64
	maxDepth      = 32
	maxElements   = 4000
	maxAttributes = 64 // of one element, declarations of namespaces included
	maxPrefixes   = 40 // in force at one place: canonicalisation copies them for every element
)

// Check is one look at one thing; its fields are those of Treaty's evidence.
type Check struct {
	Name, Claim, Operator string
	Want, Got             []string
	OK, Skipped           bool
	Note, Fix             string
}

// Kind says what is wrong with a response.
type Kind int

// The kinds.
const (
	Malformed Kind = iota + 1 // not a response with one assertion, or something in it that is never taken
	Rejected                  // the identity provider itself says that it failed
	Unsigned                  // the assertion has no signature
	Forged                    // a signature is not by the provider, or not by an algorithm that is taken
	// Undecipherable is all that can go wrong with an encrypted assertion until its signature is verified.
	// It is one kind on purpose: who alters the ciphertext must not learn from the answer what it became
	// (Jager and Somorovsky, "How to break XML encryption").
	Undecipherable
)

// Problem is the first fault of a response.
type Problem struct {
	Kind    Kind
	Message string
}

func (p *Problem) Error() string { return p.Message }

// findings collects checks, and keeps the first problem.
type findings struct {
	Checks  []Check
	Problem *Problem
}

// note keeps a check; one that failed is a problem of the kind.
func (f *findings) note(k Kind, c Check) {
	f.Checks = append(f.Checks, c)
	if !c.OK && f.Problem == nil {
		message := c.Name
		if c.Note != "" {
			message += ": " + c.Note
		}
		f.Problem = &Problem{k, message}
	}
}

// fault is a check that either holds or has an error to show.
func (f *findings) fault(k Kind, name, operator string, err error) bool {
	c := Check{Name: name, Operator: operator, OK: err == nil}
	if err != nil {
		c.Note = err.Error()
	}
	f.note(k, c)
	return c.OK
}

const maxShown = 300 // bytes of a stranger's value in a check

func shown(values ...string) []string {
	for i, v := range values {
		if len(v) > maxShown {
			values[i] = v[:maxShown] + "…"
		}
	}
	return values
}
