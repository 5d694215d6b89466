package policy

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// decimal is a number of any size: sign * 0.DIGITS * 10^point. The cloud compares exactly
// (9007199254740993 is not 9007199254740992), and takes "01", "+1", "1.", "1.0" and "1e0" for one.
type decimal struct {
	sign   int    // -1, 0, 1
	digits string // without zeros at either end
	point  int64
}

// maxExponent bounds exponents to those of a 32-bit scale.
const maxExponent = 1<<31 - 1

func parseDecimal(s string) (d decimal, ok bool) {
	d.sign = 1
	if s != "" && (s[0] == '+' || s[0] == '-') {
		if s[0] == '-' {
			d.sign = -1
		}
		s = s[1:]
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, ok := signedDigits(s[i+1:])
		if !ok || e > maxExponent || e < -maxExponent {
			return decimal{}, false
		}
		s, d.point = s[:i], e
	}
	whole, part, _ := strings.Cut(s, ".")
	if whole == "" && part == "" || !digits(whole) || !digits(part) {
		return decimal{}, false
	}
	d.point += int64(len(whole))
	d.digits = whole
	if part != "" {
		d.digits += part
	}
	trimmed := strings.TrimLeft(d.digits, "0")
	d.point -= int64(len(d.digits) - len(trimmed))
	d.digits = strings.TrimRight(trimmed, "0")
	if d.digits == "" {
		return decimal{}, true
	}
	return d, true
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// signedDigits reads an integer of at most fifteen digits with an optional sign.
func signedDigits(s string) (int64, bool) {
	bare := s
	if s != "" && (s[0] == '+' || s[0] == '-') {
		bare = s[1:]
	}
	if bare == "" || len(bare) > 15 || !digits(bare) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

func (d decimal) compare(e decimal) int {
	if d.sign != e.sign || d.sign == 0 {
		return cmp.Compare(d.sign, e.sign)
	}
	if c := cmp.Compare(d.point, e.point); c != 0 {
		return c * d.sign
	}
	return strings.Compare(d.digits, e.digits) * d.sign
}

// The forms of the W3C's note on ISO 8601, which the IAM user guide refers to, and the same without zone.
// A year alone is a number of seconds.
var dateLayouts = []string{
	"2006-01-02T15:04:05Z07:00",
	"2006-01-02",
	"2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02T15:04",
	"2006-01",
}

// maxDate bounds the text of a date.
const maxDate = 64

// parseDate reads a date as milliseconds; what is finer does not count: 00.0001 equals 00.
func parseDate(s string) (int64, bool) {
	if seconds, ok := signedDigits(s); ok {
		return seconds * 1000, true
	}
	// The library also takes hours of one digit and a comma before fractions.
	if len(s) > maxDate || strings.Contains(s, ",") || len(s) > 13 && s[13] != ':' {
		return 0, false
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMilli(), true
		}
	}
	return 0, false
}
