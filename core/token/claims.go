// Package token issues tokens and verifies those of others.
//
// It owns claims, signing keys and their rotation, the verification report, and where the public keys of
// an issuer come from (our own rings, or discovery and JWKS over a Fetcher). Bytes are wire/jose's;
// whether a verified token is welcome is core/trust's; which issuers may be asked at all is decided by
// the caller, who names the issuer: the token never does.
package token

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// Claims are the members of a token's payload, as encoding/json decodes them with UseNumber.
type Claims map[string]any

// Text returns a string claim, "" when it is absent or no string.
func (c Claims) Text(name string) string {
	s, _ := c[name].(string)
	return s
}

// Texts returns a claim that is a string or an array of strings (such as aud, RFC 7519 section 4.1.3).
// Elements that are no strings are left out.
func (c Claims) Texts(name string) []string {
	switch v := c[name].(type) {
	case string:
		return []string{v}
	case []string:
		return v
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// Has reports whether the claim is present at all.
func (c Claims) Has(name string) bool { _, ok := c[name]; return ok }

// Time returns a NumericDate claim (RFC 7519 section 2). Whole and fractional numbers are taken and, as
// MSAL .NET sends them, numbers in strings; ok is false for anything else and for dates outside ±2^53.
func (c Claims) Time(name string) (t time.Time, ok bool) {
	var f float64
	switch v := c[name].(type) {
	case json.Number:
		x, err := v.Float64()
		if err != nil {
			return t, false
		}
		f = x
	case float64:
		f = v
	case int64:
		f = float64(v)
	case int:
		f = float64(v)
	case string:
		if strings.Trim(v, "0123456789.") != "" { // ParseFloat also knows hexadecimal, inf and nan
			return t, false
		}
		x, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return t, false
		}
		f = x
	default:
		return t, false
	}
	if math.IsNaN(f) || math.Abs(f) > 1<<53 {
		return t, false
	}
	sec, frac := math.Modf(f)
	return time.Unix(int64(sec), int64(frac*1e9)).UTC(), true
}
