package saml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
	validator "github.com/mattermost/xml-roundtrip-validator"
)

// readDocument parses untrusted bytes into their one element. What parsers read differently, and what no
// SAML document needs, is refused rather than interpreted.
func readDocument(raw []byte) (*etree.Element, error) {
	switch {
	case len(raw) > MaxEncoded:
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(raw), MaxEncoded)
	case !utf8.Valid(raw) || bytes.HasPrefix(raw, []byte("\uFEFF")) || bytes.IndexByte(raw, 0) >= 0:
		return nil, errors.New("it is not UTF-8 without a byte order mark")
	}
	if err := validator.Validate(bytes.NewReader(raw)); err != nil {
		return nil, fmt.Errorf("it does not survive a round trip through the parser: %w", err)
	}
	if err := wellFormed(raw); err != nil {
		return nil, fmt.Errorf("it is not well-formed XML: %w", err)
	}
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{PreserveDuplicateAttrs: true, MaxDepth: maxDepth}
	if err := doc.ReadFromBytes(raw); err != nil {
		return nil, fmt.Errorf("it is not well-formed XML: %w", err)
	}
	var root *etree.Element
	for i, t := range doc.Child {
		switch t := t.(type) {
		case *etree.Element:
			if root != nil {
				return nil, errors.New("it has more than one root element")
			}
			root = t
		case *etree.ProcInst:
			if i > 0 || !declaration(t) {
				return nil, fmt.Errorf("it has the processing instruction %.40q, or is not in UTF-8", t.Target)
			}
		case *etree.CharData:
			if !t.IsWhitespace() {
				return nil, errors.New("it has text outside of its root element")
			}
		case *etree.Comment:
		default:
			return nil, errors.New("it has a document type")
		}
	}
	if root == nil {
		return nil, errors.New("it has no element")
	}
	root.Remove() // so that nothing but the element is ever looked at
	return root, nil
}

// wellFormed has every token checked: the tree is read from raw tokens, whose tags nobody matches.
func wellFormed(raw []byte) error {
	d := xml.NewDecoder(bytes.NewReader(raw))
	for {
		if _, err := d.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

var otherEncoding = regexp.MustCompile(`encoding\s*=\s*["'](?i:(utf-8)|[^"']*)["']`)

// declaration reports an XML declaration of a document in UTF-8.
func declaration(p *etree.ProcInst) bool {
	m := otherEncoding.FindStringSubmatch(p.Inst)
	return p.Target == "xml" && (m == nil || m[1] != "")
}

// inspection is what one walk over a document looks at.
type inspection struct {
	elements   int
	ids        map[string]bool
	responses  []*etree.Element
	assertions []*etree.Element // plain and encrypted
	signatures []*etree.Element
}

var idNames = []string{"ID", "Id", "id", "AssertionID", "ResponseID", "RequestID", "iD"}

var idForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`) // an NCName of ASCII

// inspect walks a document and refuses what is never taken: see readDocument, whose rules on tokens it
// completes with those on elements.
func inspect(root *etree.Element) (*inspection, error) {
	in := &inspection{ids: map[string]bool{}}
	return in, in.walk(root, map[string]string{"": "", "xml": xmlNS}, 1)
}

func (in *inspection) walk(e *etree.Element, outer map[string]string, depth int) error {
	in.elements++
	if depth > maxDepth || in.elements > maxElements || len(e.Attr) > maxAttributes {
		return fmt.Errorf("it has more than %d levels, %d elements or %d attributes of one", maxDepth, maxElements, maxAttributes)
	}
	scope, err := declare(e, outer)
	if err != nil {
		return err
	}
	if err := in.attributes(e, scope); err != nil {
		return err
	}
	space, known := scope[e.Space]
	switch {
	case !known || e.Space == "xmlns":
		return fmt.Errorf("the prefix of %.80s is not declared", e.FullTag())
	case e.Tag == "Response" && space == protocolNS:
		in.responses = append(in.responses, e)
	case (e.Tag == "Assertion" || e.Tag == "EncryptedAssertion") && space == assertionNS:
		in.assertions = append(in.assertions, e)
	case e.Tag == "Signature" && space == signatureNS:
		in.signatures = append(in.signatures, e)
	}
	for _, t := range e.Child {
		switch t := t.(type) {
		case *etree.Element:
			if err := in.walk(t, scope, depth+1); err != nil {
				return err
			}
		case *etree.CharData, *etree.Comment:
		default:
			return errors.New("it has a document type or processing instruction")
		}
	}
	return nil
}

// declare is the namespaces in force inside of e, by prefix.
func declare(e *etree.Element, outer map[string]string) (map[string]string, error) {
	scope, own := outer, false
	for _, a := range e.Attr {
		prefix := a.Key
		switch {
		case a.Space == "xmlns":
		case a.Space == "" && a.Key == "xmlns":
			prefix = ""
		default:
			continue
		}
		reserved := prefix == "xmlns" || a.Value == xmlnsNS || (prefix == "xml") != (a.Value == xmlNS)
		if reserved || prefix != "" && a.Value == "" {
			return nil, fmt.Errorf("it declares the prefix %.40q as %.80q", prefix, a.Value)
		}
		if !own {
			scope, own = maps.Clone(outer), true
		}
		scope[prefix] = a.Value
	}
	if len(scope) > maxPrefixes {
		return nil, fmt.Errorf("it has more than %d prefixes of namespaces in one place", maxPrefixes)
	}
	return scope, nil
}

// attributes refuses doubled attributes and identifiers. An identifier in a namespace is refused because
// libraries that select attributes by their local name take it for the plain one.
func (in *inspection) attributes(e *etree.Element, scope map[string]string) error {
	seen := map[[2]string]bool{}
	for _, a := range e.Attr {
		space, known := scope[a.Space]
		switch {
		case a.Space == "":
			space = ""
		case a.Space == "xmlns":
			space = xmlnsNS
		case !known:
			return fmt.Errorf("the prefix of the attribute %.80s is not declared", a.FullKey())
		}
		name := [2]string{space, a.Key}
		if seen[name] {
			return fmt.Errorf("the attribute %.80s is there twice", a.FullKey())
		}
		seen[name] = true
		if a.Space == "xmlns" || !slices.Contains(idNames, a.Key) {
			continue
		}
		switch {
		case a.Space != "":
			return fmt.Errorf("the identifier %.80s is in a namespace", a.FullKey())
		case len(a.Value) > maxIDLength || !idForm.MatchString(a.Value):
			return fmt.Errorf("the identifier %.80q is no plain name", a.Value)
		case in.ids[a.Value]:
			return fmt.Errorf("the identifier %.80q is there twice", a.Value)
		}
		in.ids[a.Value] = true
	}
	return nil
}

// is reports whether e is the element.
func is(e *etree.Element, space, tag string) bool {
	return e != nil && e.Tag == tag && e.NamespaceURI() == space
}

// children are the child elements of that name.
func children(e *etree.Element, space, tag string) (out []*etree.Element) {
	if e == nil {
		return nil
	}
	for _, c := range e.ChildElements() {
		if is(c, space, tag) {
			out = append(out, c)
		}
	}
	return out
}

// only is the one child of that name, nil when there is none.
func only(e *etree.Element, space, tag string) (*etree.Element, error) {
	switch found := children(e, space, tag); len(found) {
	case 0:
		return nil, nil
	case 1:
		return found[0], nil
	default:
		return nil, fmt.Errorf("%s has %d elements %s", e.Tag, len(found), tag)
	}
}

// text is all text of an element that may have comments but no elements inside. A comment does not end it:
// it is no part of what was signed.
func text(e *etree.Element) (string, error) {
	var b strings.Builder
	for _, t := range e.Child {
		switch t := t.(type) {
		case *etree.CharData:
			b.WriteString(t.Data)
		case *etree.Comment:
		default:
			return "", fmt.Errorf("%s has elements inside where text is wanted", e.Tag)
		}
	}
	return strings.TrimSpace(b.String()), nil
}

// attribute is the value of an attribute without prefix.
func attribute(e *etree.Element, name string) string {
	for _, a := range e.Attr {
		if a.Space == "" && a.Key == name {
			return a.Value
		}
	}
	return ""
}

// detached is a copy of e that stands alone: it declares the namespaces that its ancestors declare for it.
func detached(e *etree.Element) *etree.Element {
	out := e.Copy()
	for up := e.Parent(); up != nil; up = up.Parent() {
		adopt(out, up)
	}
	return out
}

// adopt declares on e the namespaces that from declares and e does not.
func adopt(e, from *etree.Element) {
	for _, a := range from.Attr {
		if a.Space != "xmlns" && (a.Space != "" || a.Key != "xmlns") {
			continue
		}
		if !slices.ContainsFunc(e.Attr, func(b etree.Attr) bool { return a.Space == b.Space && a.Key == b.Key }) {
			e.Attr = append(e.Attr, etree.Attr{Space: a.Space, Key: a.Key, Value: a.Value})
		}
	}
}
