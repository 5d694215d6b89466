package evidence

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Bounds of what one check keeps of a stranger's token: enough for the longest issuer, subject and
// audience that Graph admits (600 characters) and little enough for an audit trail.
const (
	MaxValue  = 1024 // bytes
	MaxValues = 20
)

// Clip shortens a value to MaxValue bytes, at a character's edge, and says how long it was.
func Clip(s string) string { return ClipTo(s, MaxValue) }

// ClipTo is Clip to another length.
func ClipTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return fmt.Sprintf("%s… (%d bytes)", s[:n], len(s))
}

// Values shows a claim's value: strings as they are, the elements of an array one by one, anything else
// as JSON.
func Values(v any) []string {
	switch v := v.(type) {
	case []any:
		if len(v) > 0 {
			return elements(v)
		}
	case nil:
		return []string{"null"}
	case string:
		return []string{Clip(v)}
	case []string:
		out := make([]string, 0, min(len(v), MaxValues))
		for _, s := range v[:min(len(v), MaxValues)] {
			out = append(out, Clip(s))
		}
		return out
	}
	return []string{asJSON(v)}
}

func elements(v []any) []string {
	out := make([]string, 0, min(len(v), MaxValues))
	for _, e := range v[:min(len(v), MaxValues)] {
		if s, ok := e.(string); ok {
			out = append(out, Clip(s))
		} else {
			out = append(out, asJSON(e))
		}
	}
	return out
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T", v)
	}
	return Clip(string(b))
}

// Compare checks that a claim's value is a string equal to want, byte for byte; got is nil for a claim
// that is absent. Where they are not equal, the note says where they part.
func Compare(name, claim, want string, got any) Check {
	c := Check{Name: name, Claim: claim, Operator: "equals", Want: []string{want}}
	if got == nil {
		c.Note = "the token has no claim " + claim
		return c
	}
	c.Got = Values(got)
	s, text := got.(string)
	switch {
	case !text:
		c.Note = "the claim is not a string"
	case s == want:
		c.OK = true
	default:
		c.Note = Difference(want, s).String()
	}
	return c
}
