package jose

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds of a JSON document. Tokens and key documents of real issuers stay far below.
const (
	maxDepth      = 32
	maxDuplicates = 16 // reported, not counted
)

// SyntaxError says where and why a JSON document was refused.
type SyntaxError struct {
	Offset int // bytes before the fault
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("at byte %d: %s", e.Offset, e.Reason) }

// Object decodes one JSON object as encoding/json does with UseNumber, with these differences: what is
// not UTF-8 and lone surrogates are refused instead of replaced, as two different names would become one;
// nesting is bounded to 32; and members that occur twice are listed by path in duplicates (the last one
// stays, as with most decoders). Strings of the result share doc's memory.
func Object(doc string) (object map[string]any, duplicates []string, err error) {
	d := decoder{s: doc}
	d.space()
	if d.i >= len(d.s) || d.s[d.i] != '{' {
		return nil, nil, &SyntaxError{d.i, "not a JSON object"}
	}
	v, err := d.value()
	if err != nil {
		return nil, d.duplicates, err
	}
	if d.space(); d.i != len(d.s) {
		return nil, d.duplicates, &SyntaxError{d.i, "text after the JSON object"}
	}
	return v.(map[string]any), d.duplicates, nil
}

// decoder is a recursive descent over RFC 8259's grammar.
type decoder struct {
	s          string
	i          int
	path       []string // members on the way down
	depth      int
	duplicates []string
}

func (d *decoder) fail(reason string) error { return &SyntaxError{d.i, reason} }

func (d *decoder) space() {
	for d.i < len(d.s) {
		switch d.s[d.i] {
		case ' ', '\t', '\r', '\n':
			d.i++
		default:
			return
		}
	}
}

func (d *decoder) value() (any, error) {
	if d.i >= len(d.s) {
		return nil, d.fail("the JSON ends too early")
	}
	switch c := d.s[d.i]; {
	case c == '{':
		return d.object()
	case c == '[':
		return d.array()
	case c == '"':
		return d.text()
	case c == '-' || c >= '0' && c <= '9':
		return d.number()
	}
	for _, w := range literals {
		if strings.HasPrefix(d.s[d.i:], w.word) {
			d.i += len(w.word)
			return w.value, nil
		}
	}
	return nil, d.fail("not a JSON value")
}

var literals = [...]struct {
	word  string
	value any
}{{"true", true}, {"false", false}, {"null", nil}}

func (d *decoder) enter() error {
	if d.depth++; d.depth > maxDepth {
		return d.fail("nested too deeply")
	}
	d.i++
	d.space()
	return nil
}

// next moves past a comma (more is true) or the closing bracket.
func (d *decoder) next(closing byte) (more bool, err error) {
	d.space()
	switch {
	case d.i >= len(d.s):
		return false, d.fail("the JSON ends too early")
	case d.s[d.i] == ',':
		d.i++
		d.space()
		return true, nil
	case d.s[d.i] == closing:
		d.i++
		d.depth--
		return false, nil
	}
	return false, d.fail("a comma or a closing bracket is missing")
}

func (d *decoder) object() (any, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	m := map[string]any{}
	if d.i < len(d.s) && d.s[d.i] == '}' {
		d.i++
		d.depth--
		return m, nil
	}
	for {
		if d.i >= len(d.s) || d.s[d.i] != '"' {
			return nil, d.fail("a member's name is missing")
		}
		name, err := d.text()
		if err != nil {
			return nil, err
		}
		d.space()
		if d.i >= len(d.s) || d.s[d.i] != ':' {
			return nil, d.fail("a colon is missing")
		}
		d.i++
		d.space()
		d.path = append(d.path, name)
		if _, twice := m[name]; twice && len(d.duplicates) < maxDuplicates {
			d.duplicates = append(d.duplicates, strings.Join(d.path, "."))
		}
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		d.path = d.path[:len(d.path)-1]
		m[name] = v
		if more, err := d.next('}'); err != nil || !more {
			return m, err
		}
	}
}

func (d *decoder) array() (any, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	a := []any{}
	if d.i < len(d.s) && d.s[d.i] == ']' {
		d.i++
		d.depth--
		return a, nil
	}
	for {
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		a = append(a, v)
		if more, err := d.next(']'); err != nil || !more {
			return a, err
		}
	}
}

func (d *decoder) number() (any, error) {
	start := d.i
	if d.s[d.i] == '-' {
		d.i++
	}
	if d.i < len(d.s) && d.s[d.i] == '0' {
		d.i++
	} else if d.digits() == 0 {
		return nil, d.fail("a digit is missing")
	}
	if d.i < len(d.s) && d.s[d.i] == '.' {
		d.i++
		if d.digits() == 0 {
			return nil, d.fail("a digit is missing after the point")
		}
	}
	if d.i < len(d.s) && (d.s[d.i] == 'e' || d.s[d.i] == 'E') {
		d.i++
		if d.i < len(d.s) && (d.s[d.i] == '+' || d.s[d.i] == '-') {
			d.i++
		}
		if d.digits() == 0 {
			return nil, d.fail("a digit is missing in the exponent")
		}
	}
	return json.Number(d.s[start:d.i]), nil
}

func (d *decoder) digits() (n int) {
	for d.i < len(d.s) && d.s[d.i] >= '0' && d.s[d.i] <= '9' {
		d.i++
		n++
	}
	return n
}

// text reads a string; one without escapes is a slice of the document.
func (d *decoder) text() (string, error) {
	d.i++
	start, ascii := d.i, true
	for d.i < len(d.s) {
		switch c := d.s[d.i]; {
		case c == '"':
			s := d.s[start:d.i]
			if !ascii && !utf8.ValidString(s) {
				return "", d.fail("a string is not UTF-8")
			}
			d.i++
			return s, nil
		case c == '\\':
			return d.escaped(start)
		case c < ' ':
			return "", d.fail("a control character stands in a string")
		case c >= utf8.RuneSelf:
			ascii = false
		}
		d.i++
	}
	return "", d.fail("the JSON ends within a string")
}

// escaped goes on from the first backslash of a string that began at start.
func (d *decoder) escaped(start int) (string, error) {
	b := append(make([]byte, 0, d.i-start+32), d.s[start:d.i]...)
	for d.i < len(d.s) {
		switch c := d.s[d.i]; {
		case c == '"':
			if !utf8.Valid(b) {
				return "", d.fail("a string is not UTF-8")
			}
			d.i++
			return string(b), nil
		case c < ' ':
			return "", d.fail("a control character stands in a string")
		case c != '\\':
			b = append(b, c)
			d.i++
		default:
			r, err := d.escape()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, r)
		}
	}
	return "", d.fail("the JSON ends within a string")
}

func (d *decoder) escape() (rune, error) {
	if d.i+1 >= len(d.s) {
		return 0, d.fail("the JSON ends within a string")
	}
	c := d.s[d.i+1]
	if c == 'u' {
		return d.unicode()
	}
	at := strings.IndexByte(`"\/bfnrt`, c)
	if at < 0 {
		return 0, d.fail("an unknown escape")
	}
	d.i += 2
	return rune("\"\\/\b\f\n\r\t"[at]), nil
}

// unicode reads \uXXXX, or two of them that form a surrogate pair.
func (d *decoder) unicode() (rune, error) {
	r := d.hex()
	if r < 0 {
		return 0, d.fail("an escape lacks its four hexadecimal digits")
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	low := rune(-1)
	if strings.HasPrefix(d.s[d.i:], `\u`) {
		low = d.hex()
	}
	if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
		return full, nil
	}
	return 0, d.fail("a surrogate stands alone")
}

// hex reads the digits of the \u at hand and moves past them; -1 when they are none.
func (d *decoder) hex() rune {
	if d.i+6 > len(d.s) {
		return -1
	}
	var r rune
	for _, c := range []byte(d.s[d.i+2 : d.i+6]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return -1
		}
	}
	d.i += 6
	return r
}
