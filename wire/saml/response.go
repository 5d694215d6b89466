package saml

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// Response is what a response says of itself. Nothing of it is verified but what its Verify gives back.
type Response struct {
	ID, Issuer, InResponseTo, Destination string
	IssueInstant                          time.Time
	Status                                string
	Signed                                bool // it has a signature beside the assertion's
	Encrypted                             bool // the assertion is encrypted
	AssertionSigned                       bool // always false of an encrypted assertion
	findings

	root, assertion *etree.Element // assertion: Assertion or EncryptedAssertion, nil when there is a problem
}

// Trust is what a response is verified with.
type Trust struct {
	Certificates []*x509.Certificate // of the provider's metadata
	Keys         []*rsa.PrivateKey   // that encrypted assertions are decrypted with
}

// Verified is what came of a response. Assertion is nil when there is a Problem.
type Verified struct {
	Assertion   *Assertion
	Certificate *x509.Certificate // that verified the assertion
	findings
}

// ParseResponse reads the base64 form of a response, as browsers post it (saml-bindings-2.0-os section
// 3.5.4). It never gives nil: see Problem.
func ParseResponse(encoded string) *Response {
	r := &Response{}
	r.note(Malformed, Check{
		Name: "size", Operator: "at most", Want: []string{strconv.Itoa(MaxEncoded)}, Got: []string{strconv.Itoa(len(encoded))}, OK: len(encoded) <= MaxEncoded, Note: "bytes of base64",
	})
	if r.Problem != nil {
		return r
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded), ""))
	if !r.fault(Malformed, "encoding", "is base64", err) {
		return r
	}
	if r.root, err = readDocument(raw); !r.fault(Malformed, "document", "is plain XML", err) {
		return r
	}
	in, err := inspect(r.root)
	if !r.fault(Malformed, "elements", "are bounded and unambiguous", err) {
		return r
	}
	r.fault(Malformed, "response", "is one SAML 2.0 response", r.readHead(in))
	r.readStatus()
	r.fault(Malformed, "assertion", "is one", r.findAssertion(in))
	if r.Problem != nil {
		r.assertion = nil
	}
	return r
}

// readHead reads the attributes of the response.
func (r *Response) readHead(in *inspection) error {
	if !is(r.root, protocolNS, "Response") || len(in.responses) != 1 {
		return fmt.Errorf("the document is a %.40q and has %d responses", r.root.Tag, len(in.responses))
	}
	r.ID, r.InResponseTo, r.Destination = attribute(r.root, "ID"), attribute(r.root, "InResponseTo"), attribute(r.root, "Destination")
	if v := attribute(r.root, "Version"); v != version20 || r.ID == "" {
		return fmt.Errorf("its version is %.20q, its ID %q", v, r.ID)
	}
	var err error
	if r.IssueInstant, err = instant(r.root, "IssueInstant"); err != nil {
		return err
	}
	r.Issuer, err = issuer(r.root)
	return err
}

// readStatus notes what the provider says of itself.
func (r *Response) readStatus() {
	status, err := only(r.root, protocolNS, "Status")
	var code *etree.Element
	if err == nil {
		code, err = only(status, protocolNS, "StatusCode")
	}
	if err == nil && code == nil {
		err = errors.New("there is no status code")
	}
	if !r.fault(Malformed, "status", "is one", err) {
		return
	}
	r.Status = attribute(code, "Value")
	r.note(Rejected, Check{
		Name: "status code", Operator: "equals", Want: []string{StatusSuccess}, Got: shown(r.Status), OK: r.Status == StatusSuccess,
		Note: "what the identity provider says of the sign-in",
	})
}

// findAssertion finds the one assertion, and refuses signatures that are neither its nor the response's.
func (r *Response) findAssertion(in *inspection) error {
	if n := len(in.assertions); n != 1 {
		return fmt.Errorf("there are %d", n)
	}
	a := in.assertions[0]
	if a.Parent() != r.root {
		return errors.New("it is not the response's own")
	}
	own, err := signatureOf(r.root)
	if err != nil {
		return err
	}
	r.assertion, r.Encrypted, r.Signed = a, a.Tag == "EncryptedAssertion", own != nil
	if r.Encrypted {
		return strays(in, own, nil)
	}
	its, err := signatureOf(a)
	if err != nil {
		return err
	}
	r.AssertionSigned = its != nil
	return strays(in, own, its)
}

// strays refuses signatures elsewhere than where they belong.
func strays(in *inspection, known ...*etree.Element) error {
	for _, s := range in.signatures {
		stray := true
		for _, k := range known {
			stray = stray && s != k
		}
		if stray {
			return errors.New("there is a signature that belongs neither to the response nor to the assertion")
		}
	}
	return nil
}

// Verify decrypts the assertion, if that is needed, and verifies its signature and that of the response,
// if it has one.
func (r *Response) Verify(t Trust) Verified {
	v := Verified{}
	if r.assertion == nil {
		return Verified{findings: findings{Problem: r.Problem}}
	}
	if !r.Encrypted {
		v.note(Unsigned, Check{Name: "assertion signature", Operator: "present", OK: r.AssertionSigned})
	}
	if r.Signed {
		v.verify("response", r.root, t.Certificates)
	}
	if r.Encrypted {
		v.sealed(r.assertion, t)
	} else {
		v.plain(r.assertion, t)
	}
	if v.Problem != nil {
		v.Assertion = nil
	}
	return v
}

// plain verifies an assertion and reads what its signature covers.
func (v *Verified) plain(a *etree.Element, t Trust) {
	verified, by := v.verify("assertion", a, t.Certificates)
	if verified == nil {
		return
	}
	v.Certificate = by
	var err error
	v.Assertion, err = readAssertion(verified)
	v.fault(Malformed, "assertion content", "is readable", err)
}

// sealed decrypts an assertion and holds what came out against the same rules. See Undecipherable.
func (v *Verified) sealed(e *etree.Element, t Trust) {
	inner := Verified{}
	plain, err := decrypt(e, t.Keys)
	if inner.fault(Undecipherable, "encryption", "opens with a private key of the provider", err) {
		var a *etree.Element
		a, err = unsealed(plain, e)
		if inner.fault(Undecipherable, "encrypted assertion", "is one assertion", err) {
			inner.plain(a, t)
		}
	}
	v.Checks, v.Assertion, v.Certificate = append(v.Checks, inner.Checks...), inner.Assertion, inner.Certificate
	if p := inner.Problem; p != nil && v.Problem == nil {
		v.Problem = p
		if inner.Certificate == nil {
			v.Problem = &Problem{Undecipherable, p.Message}
		}
	}
}

// unsealed reads a decrypted assertion, in the namespaces of the place where it was encrypted.
func unsealed(plain []byte, place *etree.Element) (*etree.Element, error) {
	a, err := readDocument(plain)
	if err != nil {
		return nil, err
	}
	for up := place; up != nil; up = up.Parent() {
		adopt(a, up)
	}
	in, err := inspect(a)
	if err != nil {
		return nil, err
	}
	if !is(a, assertionNS, "Assertion") || len(in.assertions) != 1 || len(in.responses) != 0 {
		return nil, fmt.Errorf("it is a %.40q and has %d assertions", a.Tag, len(in.assertions))
	}
	its, err := signatureOf(a)
	if err != nil {
		return nil, err
	}
	return a, strays(in, its)
}
