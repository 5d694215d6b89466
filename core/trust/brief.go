package trust

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
)

// Bounds of a decision that is too large to be kept as it is.
const (
	briefValues = 8   // of what a check got
	briefValue  = 256 // bytes of each
	briefOther  = 64  // bytes of the one value in verdicts after the first, which saw the same claims
)

// The members that a brief decision keeps of a token.
var (
	briefHeader = []string{"alg", "kid", "typ", "x5t", "x5t#S256"}
	briefClaims = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "tid", "oid", "idtyp", "azp", "appid"}
)

// JSON writes a decision for the record. One longer than limit bytes is written in brief: strangers choose
// what a token holds, and every trust's verdict repeats it, so that a few kilobytes sent would be megabytes
// kept. Every check stays, with its outcome; values are cut and say so.
func (d Decision) JSON(limit int) (json.RawMessage, error) {
	b, err := encode(d)
	if err != nil || len(b) <= limit {
		return b, err
	}
	d.Header, d.Claims = pick(d.Header, briefHeader), token.Claims(pick(d.Claims, briefClaims))
	d.Own, d.Report.Checks = shorten(d.Own, briefValues, briefValue), shorten(d.Report.Checks, briefValues, briefValue)
	d.Verdicts = slices.Clone(d.Verdicts)
	for i := range d.Verdicts {
		if i == 0 {
			d.Verdicts[i].Checks = shorten(d.Verdicts[i].Checks, briefValues, briefValue)
		} else {
			d.Verdicts[i].Checks = shorten(d.Verdicts[i].Checks, 1, briefOther)
		}
	}
	return encode(d)
}

// encode is json.Marshal without the escapes that are for HTML.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func shorten(checks evidence.Checks, values, bytes int) evidence.Checks {
	out := slices.Clone(checks)
	for i := range out {
		got := slices.Clone(out[i].Got[:min(len(out[i].Got), values)])
		for j := range got {
			got[j] = evidence.ClipTo(got[j], bytes)
		}
		out[i].Got = got
		if len(out[i].Fix) > briefValue { // it repeats what came
			out[i].Fix = ""
		}
	}
	return out
}

func pick(m map[string]any, names []string) map[string]any {
	out := map[string]any{}
	for _, n := range names {
		v, is := m[n]
		if !is {
			continue
		}
		if number, ok := v.(json.Number); ok && len(number) <= briefValue {
			out[n] = number
			continue
		}
		values := evidence.Values(v)
		for i := range values {
			values[i] = evidence.ClipTo(values[i], briefValue)
		}
		if out[n] = values[:min(len(values), briefValues)]; len(values) == 1 {
			out[n] = values[0]
		}
	}
	return out
}
