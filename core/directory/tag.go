package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of tags, in characters (service models of IAM and STS, tagKeyType and tagValueType).
const (
	maxTagKey   = 128
	maxTagValue = 256
)

// ValidTagKey reports whether a text has the form of a tag's key: [\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}. It is no
// regular expression, as one that counts so far over such classes takes milliseconds and megabytes to make.
func ValidTagKey(s string) bool { return s != "" && tagText(s, maxTagKey) }

// ValidTagValue is the same for a value, of up to 256 characters.
func ValidTagValue(s string) bool { return tagText(s, maxTagValue) }

func tagText(s string, max int) bool {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > max {
		return false
	}
	for _, r := range s {
		if !unicode.In(r, unicode.L, unicode.Z, unicode.N) && !strings.ContainsRune("_.:/=+-@", r) {
			return false
		}
	}
	return true
}
