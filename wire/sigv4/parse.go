package sigv4

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxAuthorization bounds the header and each parameter, in bytes; a real header has some 300 to 500.
	maxAuthorization = 8 << 10
	// maxSignedHeaders bounds the list; the SDKs sign about ten.
	maxSignedHeaders = 128
	// maxExpires is AWS's limit of X-Amz-Expires: a week.
	maxExpires = 7 * 24 * time.Hour
)

// The texts that need no value.
const (
	textMissing   = "Missing Authentication Token"
	textReexamine = "Re-examine the query-string parameters."
	textExpires   = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
	textAmbiguous = "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
)

// parse fills the examination from the request and reports whether there is a signature to go on with.
func (e *Examination) parse(r *http.Request, query []parameter, rules Rules) bool {
	headers := r.Header.Values("Authorization")
	inHeader := len(headers) > 0 && strings.HasPrefix(strings.TrimSpace(headers[0]), "AWS4-")
	inQuery := find(query, "X-Amz-Algorithm") != "" || find(query, "X-Amz-Signature") != "" || find(query, "X-Amz-Credential") != ""
	c := Check{Name: "authentication", Operator: "one of", Want: []string{"Authorization: " + Algorithm + " …", "?X-Amz-Algorithm=" + Algorithm + "&…"}}
	if !inHeader && !inQuery {
		c.Note = "the request carries no signature"
		c.Fix = "sign the request with an access key"
		e.Refuse(Missing, textMissing, c)
		return false
	}
	if inHeader && (inQuery || len(headers) > 1) {
		c.Note = "the request is signed more than once"
		c.Fix = "send either the Authorization header or the X-Amz-… query parameters"
		e.Refuse(Ambiguous, textAmbiguous, c)
		return false
	}
	if inHeader {
		c.Note = "header"
		e.Accept(c)
		return e.parseHeader(r, strings.TrimSpace(headers[0]))
	}
	c.Note = "presigned"
	e.Accept(c)
	e.Presigned = true
	return e.parseQuery(r, query, rules)
}

// parseHeader reads "ALGORITHM Credential=…, SignedHeaders=…, Signature=…"; the parts may be separated by
// commas, spaces or both.
func (e *Examination) parseHeader(r *http.Request, header string) bool {
	if len(header) > maxAuthorization {
		e.Refuse(Incomplete, "Authorization header is too long", Check{Name: "authorization header", Operator: "shorter than", Want: []string{strconv.Itoa(maxAuthorization)}, Got: []string{strconv.Itoa(len(header))}})
		return false
	}
	algorithm, rest, _ := strings.Cut(header, " ")
	e.algorithm = algorithm
	parts := map[string]string{}
	for part := range strings.FieldsFuncSeq(rest, func(c rune) bool { return c == ',' || c == ' ' }) {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			e.Refuse(Incomplete, "'"+part+"' not a valid key=value pair (missing equal-sign) in Authorization header: '"+header+"'.",
				Check{Name: "authorization header", Operator: "is", Want: []string{"name=value pairs"}, Note: strconv.Itoa(len(part)) + " characters without an equal-sign"})
			return false
		}
		parts[name] = value
	}
	e.stamp = r.Header.Get("X-Amz-Date")
	if e.stamp == "" {
		e.stamp = r.Header.Get("Date")
	}
	var lacking, names []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parts[name] == "" {
			lacking = append(lacking, "Authorization header requires '"+name+"' parameter.")
			names = append(names, name)
		}
	}
	if e.stamp == "" {
		lacking = append(lacking, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
		names = append(names, "X-Amz-Date")
	}
	c := Check{Name: "authorization header", Operator: "has", Want: []string{"Credential", "Signature", "SignedHeaders", "X-Amz-Date"}}
	if lacking != nil {
		c.Note = "without " + strings.Join(names, ", ")
		e.Refuse(Incomplete, strings.Join(lacking, " ")+" Authorization="+header, c)
		return false
	}
	e.Accept(c)
	e.SecurityToken = r.Header.Get("X-Amz-Security-Token")
	e.signature = parts["Signature"]
	e.credential = parts["Credential"]
	return e.parseSignedHeaders(parts["SignedHeaders"])
}

// parseQuery reads the X-Amz-… parameters.
func (e *Examination) parseQuery(r *http.Request, query []parameter, rules Rules) bool {
	var lacking, names []string
	want := []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"}
	if rules.MustExpire {
		want = append(want, "X-Amz-Expires")
	}
	for _, name := range want {
		if find(query, name) == "" {
			lacking = append(lacking, "AWS query-string parameters must include '"+name+"'.")
			names = append(names, name)
		}
	}
	c := Check{Name: "query parameters", Operator: "has", Want: want}
	if lacking != nil {
		c.Note = "without " + strings.Join(names, ", ")
		e.Refuse(Incomplete, strings.Join(append(lacking, textReexamine), " "), c)
		return false
	}
	e.Accept(c)
	for _, name := range want {
		if n := len(find(query, name)); n > maxAuthorization {
			e.Refuse(Incomplete, "Query-string parameter '"+name+"' is too long", Check{Name: "query parameters", Claim: name, Operator: "shorter than", Want: []string{strconv.Itoa(maxAuthorization)}, Got: []string{strconv.Itoa(n)}})
			return false
		}
	}
	e.algorithm = find(query, "X-Amz-Algorithm")
	e.stamp = find(query, "X-Amz-Date")
	e.signature = find(query, "X-Amz-Signature")
	e.SecurityToken = cmp.Or(find(query, "X-Amz-Security-Token"), r.Header.Get("X-Amz-Security-Token"))
	if text := find(query, "X-Amz-Expires"); text != "" {
		seconds, err := strconv.ParseUint(text, 10, 31)
		e.Expires = time.Duration(seconds) * time.Second
		e.check(err == nil && seconds > 0 && e.Expires <= maxExpires, Incomplete, textExpires,
			Check{Name: "expires", Claim: "X-Amz-Expires", Operator: "between", Want: []string{"1", "604800"}, Got: []string{text}})
	}
	e.credential = find(query, "X-Amz-Credential")
	return e.parseSignedHeaders(find(query, "X-Amz-SignedHeaders"))
}

func (e *Examination) parseCredential() {
	text := e.credential
	parts := strings.Split(text, "/")
	e.scoped = len(parts) == 5
	e.check(e.scoped, Incomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '"+text+"'",
		Check{Name: "credential", Operator: "is", Want: []string{"keyid/date/region/service/term"}, Got: []string{text}})
	if e.scoped {
		e.Credential = Credential{parts[0], parts[1], parts[2], parts[3], parts[4]}
	}
}

func (e *Examination) parseSignedHeaders(list string) bool {
	names := strings.Split(strings.ToLower(list), ";")
	if len(names) > maxSignedHeaders {
		e.Refuse(Incomplete, "Too many signed headers", Check{Name: "signed headers", Operator: "at most", Want: []string{strconv.Itoa(maxSignedHeaders)}, Got: []string{strconv.Itoa(len(names))}})
		return false
	}
	slices.Sort(names)
	e.SignedHeaders = slices.Compact(names)
	return true
}

// parseTime reads the date as sent: ISO 8601 basic form, or for the Date header RFC 1123.
func parseTime(stamp string) (time.Time, bool) {
	for _, form := range []string{stampForm, http.TimeFormat, time.RFC1123Z} {
		if t, err := time.Parse(form, stamp); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
