package policy

import (
	"unicode/utf16"
	"unicode/utf8"
)

// What a unit of a pattern is when it is no character.
const (
	many int32 = -1 // "*"
	one  int32 = -2 // "?"
)

// glob is a pattern as UTF-16 code units, many and one. The cloud counts in code units: "a?" does not match
// "a" and a character outside the basic plane, "a??" does.
type glob []int32

// literal appends text that stands for itself.
func (g glob) literal(text string) glob {
	for _, r := range text {
		if r < 0x10000 {
			g = append(g, r)
			continue
		}
		high, low := utf16.EncodeRune(r)
		g = append(g, high, low)
	}
	return g
}

// written appends text in which "*" and "?" are wildcards.
func (g glob) written(text string) glob {
	for _, r := range text {
		switch r {
		case '*':
			g = append(g, many)
		case '?':
			g = append(g, one)
		default:
			if r < 0x10000 {
				g = append(g, r)
				continue
			}
			high, low := utf16.EncodeRune(r)
			g = append(g, high, low)
		}
	}
	return g
}

// match reports whether the pattern covers the whole value.
func (g glob) match(value string) bool {
	for i := range len(value) {
		if value[i] >= utf8.RuneSelf {
			return covers(g, utf16.Encode([]rune(value)))
		}
	}
	return covers(g, []byte(value))
}

// covers goes back to the last "*" only: what an earlier one took can stay as it is, so the time is at most
// the product of both lengths, never exponential.
func covers[T byte | uint16](g glob, value []T) bool {
	p, v, star, from := 0, 0, -1, 0
	for v < len(value) {
		switch {
		case p < len(g) && g[p] == many:
			star, from = p, v
			p++
		case p < len(g) && (g[p] == int32(value[v]) || g[p] == one):
			p++
			v++
		case star >= 0:
			from++
			p, v = star+1, from
		default:
			return false
		}
	}
	for p < len(g) && g[p] == many {
		p++
	}
	return p == len(g)
}

// segments cuts a pattern at its first five colons, as an ARN is cut.
func (g glob) segments() (cut [6]glob, ok bool) {
	n, from := 0, 0
	for i, u := range g {
		if u == ':' && n < 5 {
			cut[n] = g[from:i]
			n, from = n+1, i+1
		}
	}
	cut[n] = g[from:]
	return cut, n == 5
}

// cutARN cuts an ARN at its first five colons.
func cutARN(s string) (cut [6]string, ok bool) {
	n, from := 0, 0
	for i := 0; i < len(s) && n < 5; i++ {
		if s[i] == ':' {
			cut[n] = s[from:i]
			n, from = n+1, i+1
		}
	}
	cut[n] = s[from:]
	return cut, n == 5 && cut[0] == "arn"
}
