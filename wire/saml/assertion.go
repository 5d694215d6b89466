package saml

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// Assertion is what a verified assertion says. What is missing is zero or nil: which of it is needed is
// the caller's to say.
type Assertion struct {
	ID, Issuer    string
	IssueInstant  time.Time
	NameID        *NameID
	Confirmations []Confirmation
	Conditions    *Conditions
	Statements    []Statement
	Attributes    []Attribute // each name once
}

// NameID names the subject.
type NameID struct{ Value, Format, NameQualifier, SPNameQualifier string }

// Confirmation is a SubjectConfirmation. Data says that it has SubjectConfirmationData.
type Confirmation struct {
	Method                  string
	Data                    bool
	Recipient, InResponseTo string
	NotBefore, NotOnOrAfter time.Time
}

// Conditions bound the assertion. Audiences are those of each AudienceRestriction, which must all hold.
type Conditions struct {
	NotBefore, NotOnOrAfter time.Time
	Audiences               [][]string
	OneTimeUse              bool
}

// Statement is an AuthnStatement: that the subject signed in.
type Statement struct {
	AuthnInstant, SessionNotOnOrAfter time.Time
	SessionIndex, Context             string
}

// Attribute is one of the subject's.
type Attribute struct {
	Name, FriendlyName string
	Values             []string
}

// Attribute finds one by name.
func (a *Assertion) Attribute(name string) (Attribute, bool) {
	for _, at := range a.Attributes {
		if at.Name == name {
			return at, true
		}
	}
	return Attribute{}, false
}

// readAssertion reads an element that was verified.
func readAssertion(e *etree.Element) (*Assertion, error) {
	a := &Assertion{ID: attribute(e, "ID")}
	if v := attribute(e, "Version"); v != version20 {
		return nil, fmt.Errorf("its version is %.20q", v)
	}
	var err error
	if a.Issuer, err = issuer(e); err != nil {
		return nil, err
	}
	if a.IssueInstant, err = instant(e, "IssueInstant"); err != nil {
		return nil, err
	}
	return a, errors.Join(a.subject(e), a.conditions(e), a.statements(e), a.attributes(e))
}

// issuer is the text of an element's Issuer, "" when there is none.
func issuer(e *etree.Element) (string, error) {
	i, err := only(e, assertionNS, "Issuer")
	if err != nil || i == nil {
		return "", err
	}
	return text(i)
}

// instant reads a time, zero when there is none. Times are in UTC, which some providers do not write
// (saml-core-2.0-os section 1.3.3).
func instant(e *etree.Element, name string) (time.Time, error) {
	v := strings.TrimSpace(attribute(e, name))
	if v == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05.999999999", v)
	}
	if err != nil || t.Year() < 1970 {
		return time.Time{}, fmt.Errorf("%s of %s is no time: %.40q", name, e.Tag, v)
	}
	return t.UTC(), nil
}

// instants reads several times of one element.
func instants(e *etree.Element, into map[string]*time.Time) (err error) {
	for name, at := range into {
		var bad error
		*at, bad = instant(e, name)
		err = errors.Join(err, bad)
	}
	return err
}

func (a *Assertion) subject(e *etree.Element) error {
	s, err := only(e, assertionNS, "Subject")
	if err != nil || s == nil {
		return err
	}
	id, err := only(s, assertionNS, "NameID")
	if err != nil {
		return err
	}
	if id != nil {
		value, err := text(id)
		if err != nil {
			return err
		}
		a.NameID = &NameID{Value: value, Format: attribute(id, "Format"), NameQualifier: attribute(id, "NameQualifier"), SPNameQualifier: attribute(id, "SPNameQualifier")}
	}
	for _, sc := range children(s, assertionNS, "SubjectConfirmation") {
		c := Confirmation{Method: attribute(sc, "Method")}
		data, err := only(sc, assertionNS, "SubjectConfirmationData")
		if err != nil {
			return err
		}
		if c.Data = data != nil; c.Data {
			c.Recipient, c.InResponseTo = attribute(data, "Recipient"), attribute(data, "InResponseTo")
			if err := instants(data, map[string]*time.Time{"NotBefore": &c.NotBefore, "NotOnOrAfter": &c.NotOnOrAfter}); err != nil {
				return err
			}
		}
		a.Confirmations = append(a.Confirmations, c)
	}
	return nil
}

func (a *Assertion) conditions(e *etree.Element) error {
	c, err := only(e, assertionNS, "Conditions")
	if err != nil || c == nil {
		return err
	}
	a.Conditions = &Conditions{OneTimeUse: len(children(c, assertionNS, "OneTimeUse")) > 0}
	if err := instants(c, map[string]*time.Time{"NotBefore": &a.Conditions.NotBefore, "NotOnOrAfter": &a.Conditions.NotOnOrAfter}); err != nil {
		return err
	}
	for _, r := range children(c, assertionNS, "AudienceRestriction") {
		var list []string
		for _, au := range children(r, assertionNS, "Audience") {
			name, err := text(au)
			if err != nil {
				return err
			}
			list = append(list, name)
		}
		a.Conditions.Audiences = append(a.Conditions.Audiences, list)
	}
	return nil
}

func (a *Assertion) statements(e *etree.Element) error {
	for _, st := range children(e, assertionNS, "AuthnStatement") {
		s := Statement{SessionIndex: attribute(st, "SessionIndex")}
		if err := instants(st, map[string]*time.Time{"AuthnInstant": &s.AuthnInstant, "SessionNotOnOrAfter": &s.SessionNotOnOrAfter}); err != nil {
			return err
		}
		for _, c := range children(st, assertionNS, "AuthnContext") {
			for _, ref := range children(c, assertionNS, "AuthnContextClassRef") {
				var err error
				if s.Context, err = text(ref); err != nil {
					return err
				}
			}
		}
		a.Statements = append(a.Statements, s)
	}
	return nil
}

// attributes reads all statements' attributes. A name that is there twice is refused: readers differ in
// which of the two they take.
func (a *Assertion) attributes(e *etree.Element) error {
	seen := map[string]bool{}
	for _, st := range children(e, assertionNS, "AttributeStatement") {
		for _, at := range children(st, assertionNS, "Attribute") {
			out := Attribute{Name: strings.TrimSpace(attribute(at, "Name")), FriendlyName: attribute(at, "FriendlyName")}
			if out.Name == "" || seen[out.Name] {
				return fmt.Errorf("the attribute %.120q has no name, or is there twice", out.Name)
			}
			seen[out.Name] = true
			for _, v := range children(at, assertionNS, "AttributeValue") {
				if value, ok := attributeValue(v); ok {
					out.Values = append(out.Values, value)
				}
			}
			a.Attributes = append(a.Attributes, out)
		}
	}
	return nil
}

// attributeValue is a value's text, or that of a NameID in it, which is how eduPersonTargetedID is written.
// Other structures and nil are no values.
func attributeValue(v *etree.Element) (string, bool) {
	for _, at := range v.Attr {
		if at.Key == "nil" && at.NamespaceURI() == schemaNS && (at.Value == "true" || at.Value == "1") {
			return "", false
		}
	}
	if inside := v.ChildElements(); len(inside) == 1 && is(inside[0], assertionNS, "NameID") {
		v = inside[0]
	}
	s, err := text(v)
	return s, err == nil
}
