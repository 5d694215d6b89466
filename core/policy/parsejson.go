package policy

import (
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds of a document. The length is that of IAM's service model (policyDocumentType); the deepest legal
// document has values nine levels down.
const (
	maxLength = 131072 // characters
	maxDepth  = 16
)

// shape is the type of a JSON value.
type shape int

const (
	isObject shape = iota + 1
	isArray
	isString
	isScalar // a number or boolean, as its text
	isNull
)

// node is a JSON value with its place in the text.
type node struct {
	shape   shape
	text    string   // of strings and scalars
	names   []string // of an object's members; their values are items
	items   []node
	at, end int // offsets of its first and last byte
}

// one gives the elements of an array, and any other value as the only element.
func (n *node) one() []node {
	if n.shape == isArray {
		return n.items
	}
	return []node{*n}
}

// member gives the value of an object's member, or nil.
func (n *node) member(name string) *node {
	for i, m := range n.names {
		if m == name {
			return &n.items[i]
		}
	}
	return nil
}

// reader reads JSON into nodes. The standard library's reader of tokens does the syntax.
type reader struct {
	text string
	*json.Decoder
	token json.Token
	at    int // offset of token
}

// parseJSON reads text, which must be one value of bounded size. A name twice in an object is left to the
// caller: the kinds of policies word it differently.
func parseJSON(text string) (*node, bool) {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxLength {
		return nil, false
	}
	r := reader{text: text, Decoder: json.NewDecoder(strings.NewReader(text))}
	r.UseNumber()
	n := node{}
	if !r.next() || !r.value(&n, 1) {
		return nil, false
	}
	_, err := r.Token()
	return &n, err == io.EOF
}

func (r *reader) next() bool {
	from := int(r.InputOffset())
	token, err := r.Token()
	if err != nil {
		return false
	}
	gap := len(r.text[from:]) - len(strings.TrimLeft(r.text[from:], " \t\r\n,:"))
	r.token, r.at = token, from+gap
	return true
}

// value reads the value that begins with the present token.
func (r *reader) value(n *node, depth int) bool {
	n.at = r.at
	switch t := r.token.(type) {
	case json.Delim:
		if depth > maxDepth || !r.within(n, t, depth) {
			return false
		}
	case string:
		n.shape, n.text = isString, t
	case json.Number:
		n.shape, n.text = isScalar, t.String()
	case bool:
		n.shape, n.text = isScalar, r.text[r.at:int(r.InputOffset())]
	case nil:
		n.shape = isNull
	}
	n.end = int(r.InputOffset()) - 1
	return true
}

// within reads the rest of an array or object up to its closing delimiter.
func (r *reader) within(n *node, open json.Delim, depth int) bool {
	n.shape = isArray
	if open == '{' {
		n.shape = isObject
	}
	for r.More() {
		if !r.next() {
			return false
		}
		if n.shape == isObject {
			name, ok := r.token.(string)
			if !ok || !r.next() {
				return false
			}
			n.names = append(n.names, name)
		}
		n.items = append(n.items, node{})
		if !r.value(&n.items[len(n.items)-1], depth+1) {
			return false
		}
	}
	return r.next()
}

// cursor turns offsets into positions. Offsets must not go back, so that a document is walked through once.
type cursor struct {
	text         string
	offset       int
	line, column int // before the present character, from 0
	afterCR      bool
}

// position counts lines and columns, in characters. CR, LF and CR LF each end one line.
func (c *cursor) position(offset int) Position {
	for _, r := range c.text[c.offset:offset] {
		switch {
		case r == '\n' && c.afterCR:
		case r == '\r' || r == '\n':
			c.line, c.column = c.line+1, 0
		default:
			c.column++
		}
		c.afterCR = r == '\r'
	}
	c.offset = offset
	return Position{Line: c.line + 1, Column: c.column + 1}
}

// duplicate finds a name that an object has twice, at any depth.
func (n *node) duplicate() (string, bool) {
	seen := make(map[string]bool, len(n.names))
	for _, name := range n.names {
		if seen[name] {
			return name, true
		}
		seen[name] = true
	}
	for i := range n.items {
		if name, found := n.items[i].duplicate(); found {
			return name, true
		}
	}
	return "", false
}
