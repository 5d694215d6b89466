// Package aws turns the bytes of awsJson1.1 and awsQuery into the structs of an SDK and back, and words
// violated constraints and errors as AWS does.
//
// It owns both codecs, the constraint checker with its table format, and the two error envelopes. It
// works on any struct whose exported fields are named as the members on the wire, by reflection, and
// knows no service. It leaves routing, authentication and the choice of an error code to its callers.
//
// Every decoder is bounded: the caller bounds the bytes, this package the depth of nesting, the number
// of parameters and how sparse a list may be.
package aws

import (
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds the nesting of input. The deepest member of the services concerned lies seven deep.
const maxDepth = 32

// Codec decodes and encodes structs. It remembers the fields of the types it has met; the zero value is
// ready, and one Codec serves any number of goroutines.
type Codec struct {
	types sync.Map // reflect.Type -> []field
}

// field is one member of a struct.
type field struct {
	index int
	name  string // as on the wire
	lower string // with its first letter in lower case: PolicyDescriptorType.arn, and names in messages
	exact bool   // a timestamp that awsQuery answers with milliseconds
}

// exact lists the timestamps that awsQuery answers with milliseconds, by the SDK's name of the structure;
// all others come in whole seconds (recorded).
var exact = map[string]bool{
	"GetWebIdentityTokenOutput.Expiration":      true,
	"GetOpenIDConnectProviderOutput.CreateDate": true,
	"GetSAMLProviderOutput.CreateDate":          true,
	"GetSAMLProviderOutput.ValidUntil":          true,
	"SAMLProviderListEntry.CreateDate":          true,
	"SAMLProviderListEntry.ValidUntil":          true,
}

// fields lists the members of a struct type; ResultMetadata is the SDK's own and no member.
func (c *Codec) fields(t reflect.Type) []field {
	if known, ok := c.types.Load(t); ok {
		return known.([]field)
	}
	out := members(t)
	c.types.Store(t, out)
	return out
}

func members(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		if f.IsExported() && f.Name != "ResultMetadata" {
			out = append(out, field{i, f.Name, lowerFirst(f.Name), exact[t.Name()+"."+f.Name]})
		}
	}
	return out
}

// lowerFirst makes the member name that messages use: IdentityPoolId gives identityPoolId, SAMLAssertion
// sAMLAssertion.
func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

// Empty reports whether a struct type has no members at all.
func (c *Codec) Empty(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return len(c.fields(t)) == 0
}

// isTime reports whether v is a timestamp.
func isTime(t reflect.Type) bool { return t == reflect.TypeFor[time.Time]() }

// isBlob reports whether t is a blob.
func isBlob(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// DecodeError is input that does not have the shape of the operation. Path names the member as messages
// do (tags.1.member.key), empty when the input as a whole is at fault.
type DecodeError struct {
	Path, Message string
}

func (e *DecodeError) Error() string {
	if e.Path == "" {
		return e.Message
	}
	return e.Path + ": " + e.Message
}

// Presence is what a struct cannot say of the input that it was decoded from: which members that are
// plain values were there at all, and which members of lists and maps were null.
type Presence struct {
	set   map[string]bool
	nulls []string
}

func (p *Presence) mark(at *path) {
	if p.set == nil {
		p.set = map[string]bool{}
	}
	p.set[at.String()] = true
}

// has reports whether a plain member was in the input; without a Presence every member counts as there.
func (p *Presence) has(at string) bool { return p == nil || p.set[at] }

// path is where a decoder stands, from the leaf up.
type path struct {
	up   *path
	name string
}

func (p *path) member(name string) *path { return &path{p, name} }

// item is the i-th member of a list, counted from 1.
func (p *path) item(i int) *path { return &path{&path{p, strconv.Itoa(i)}, "member"} }

func (p *path) String() string {
	var names []string
	for ; p != nil && p.name != ""; p = p.up {
		names = append(names, p.name)
	}
	var b strings.Builder
	for i := len(names) - 1; i >= 0; i-- {
		b.WriteString(names[i])
		if i > 0 {
			b.WriteByte('.')
		}
	}
	return b.String()
}

func (p *path) fail(message string) error { return &DecodeError{p.String(), message} }
