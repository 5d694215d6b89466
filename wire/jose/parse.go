package jose

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// MaxToken is the length in bytes beyond which a token is not looked at. Entra's largest tokens, with two
// hundred groups, are near 12 KiB; request headers end at 64 KiB on both clouds' front ends.
const MaxToken = 64 << 10

// Token is a compact JWS that was read and not verified. What could not be read is empty.
type Token struct {
	Header     map[string]any // of strings, json.Number, bool, nil, []any, map[string]any
	Claims     map[string]any // likewise
	Problems   []Problem      // why the form is not right; empty for a token that Verify may be asked about
	Duplicates []string       // members that occur twice, such as "header.alg"; each is among Problems, too
	KeyHeaders []string       // header members that carry or point to keys, which nobody uses: jku, jwk, x5c, x5u

	signed    string // header and payload as they were signed
	signature []byte
}

// Problem is one fault of a token's form.
type Problem struct {
	Part   string // "token", "header", "payload", "signature"
	Reason string
}

func (p Problem) String() string { return p.Part + ": " + p.Reason }

// Parse reads a compact JWS (RFC 7515 section 7.1) whose payload is a JSON object, and verifies nothing.
// It reads as much as it can: a token with a broken signature part still shows its claims.
func Parse(raw string) *Token {
	t := &Token{}
	switch {
	case raw == "":
		t.problem("token", "it is empty")
		return t
	case len(raw) > MaxToken:
		t.problem("token", fmt.Sprintf("it has %d bytes, more than %d", len(raw), MaxToken))
		return t
	}
	parts := strings.SplitN(raw, ".", 6)
	switch n := len(parts); n {
	case 3:
	case 5:
		t.problem("token", "it has 5 parts: an encrypted token")
		t.Header = t.object("header", parts[0])
		return t
	default:
		t.problem("token", fmt.Sprintf("it has %d parts, not 3", 1+strings.Count(raw, ".")))
		if n > 1 {
			t.Header = t.object("header", parts[0])
			t.Claims = t.object("payload", parts[1])
		}
		return t
	}
	last := len(raw) - len(parts[2]) - 1
	t.signed = raw[:last]
	t.Header = t.object("header", parts[0])
	t.Claims = t.object("payload", parts[1])
	sig, err := decodePart(parts[2])
	switch {
	case err != nil:
		t.problem("signature", err.Error())
	case len(sig) == 0:
		t.problem("signature", "it is empty")
	}
	t.signature = sig
	t.checkHeader()
	return t
}

func (t *Token) problem(part, reason string) { t.Problems = append(t.Problems, Problem{part, reason}) }

func (t *Token) object(part, encoded string) map[string]any {
	doc, err := decodePart(encoded)
	if err != nil {
		t.problem(part, err.Error())
		return nil
	}
	m, duplicates, err := Object(string(doc))
	for _, d := range duplicates {
		t.Duplicates = append(t.Duplicates, part+"."+d)
		t.problem(part, fmt.Sprintf("member %.64q occurs twice", d))
	}
	if err != nil {
		t.problem(part, err.Error())
		return nil
	}
	return m
}

var errLineBreak = errors.New("it holds a line break")

// decodePart is base64url without padding (RFC 7515 section 2). The decoder of the standard library
// passes over line breaks and, unless strict, over stray bits: both would let one token have two spellings.
func decodePart(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errLineBreak
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err == nil {
		return b, nil
	}
	var at base64.CorruptInputError
	if errors.As(err, &at) && int(at) < len(s) {
		switch c := s[at]; c {
		case '=':
			return nil, fmt.Errorf("it is padded base64url (byte %d)", int(at))
		case '+', '/':
			return nil, fmt.Errorf("it is standard base64, not base64url (byte %d)", int(at))
		}
	}
	return nil, fmt.Errorf("it is not base64url (%w)", err)
}

// checkHeader finds what a header may not say to us: extensions that must be understood (RFC 7515 section
// 4.1.11), unencoded payloads (RFC 7797), and notes the members by which a token brings its own keys.
func (t *Token) checkHeader() {
	if t.Header == nil {
		return
	}
	if v, is := t.Header["alg"]; !is {
		t.problem("header", "alg is missing")
	} else if _, text := v.(string); !text {
		t.problem("header", "alg is not a string")
	}
	if _, is := t.Header["crit"]; is {
		t.problem("header", "crit asks for extensions that are not supported")
	}
	if v, is := t.Header["b64"]; is && v != true {
		t.problem("header", "b64 asks for an unencoded payload")
	}
	for _, name := range [...]string{"jku", "jwk", "x5c", "x5u"} {
		if _, is := t.Header[name]; is {
			t.KeyHeaders = append(t.KeyHeaders, name)
		}
	}
}

// OK reports whether the form has no problem.
func (t *Token) OK() bool { return len(t.Problems) == 0 }

// Err joins the problems to one error, nil when there are none.
func (t *Token) Err() error {
	if t.OK() {
		return nil
	}
	all := make([]string, len(t.Problems))
	for i, p := range t.Problems {
		all[i] = p.String()
	}
	return errors.New(strings.Join(all, "; "))
}

// Algorithm is the header's alg, "" when it has none or no string.
func (t *Token) Algorithm() string { return t.text("alg") }

// KeyID is the header's kid.
func (t *Token) KeyID() string { return t.text("kid") }

// Type is the header's typ.
func (t *Token) Type() string { return t.text("typ") }

// Thumbprint is the certificate thumbprint of the header, decoded: x5t#S256 with 32 bytes or x5t with 20;
// nil when it has neither or neither can be read. Padding and the standard alphabet are tolerated, as
// MSAL for Go and Python write them.
func (t *Token) Thumbprint() []byte {
	for _, member := range [...]struct {
		name string
		size int
	}{{"x5t#S256", 32}, {"x5t", 20}} {
		if b, err := looseBase64(t.text(member.name)); err == nil && len(b) == member.size {
			return b
		}
	}
	return nil
}

func (t *Token) text(name string) string {
	s, _ := t.Header[name].(string)
	return s
}
