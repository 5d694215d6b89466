package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// lower is the mapping by which StringEqualsIgnoreCase compares: lower case over the basic plane, with the
// two rules of Unicode's SpecialCasing that need no language (a dotted capital I becomes two characters, a
// capital sigma at a word's end the final one). Characters outside the basic plane stay as they are, but
// count as letters around a sigma.
func lower(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return lowerUnicode([]rune(s))
		}
	}
	return strings.ToLower(s)
}

func lowerUnicode(in []rune) string {
	var b strings.Builder
	for i, r := range in {
		switch {
		case r == '\u0130':
			b.WriteString("i\u0307")
		case r == '\u03A3' && finalSigma(in, i):
			b.WriteRune('\u03C2')
		case r < 0x10000:
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// finalSigma is the condition Final_Sigma of the Unicode standard, section 3.13: a cased letter before and
// none after, not counting what case ignores.
func finalSigma(in []rune, at int) bool {
	before, after := at-1, at+1
	for before >= 0 && ignoredByCase(in[before]) {
		before--
	}
	for after < len(in) && ignoredByCase(in[after]) {
		after++
	}
	return before >= 0 && cased(in[before]) && (after == len(in) || !cased(in[after]))
}

func cased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

func ignoredByCase(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune("'.:\u00B7\u2018\u2019\u2024\u2027", r)
}
