package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// parameter is one of the query, decoded.
type parameter struct{ name, value string }

// find returns the first value of a parameter.
func find(query []parameter, name string) string {
	for _, p := range query {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// target splits the request target, as it was sent, into path and query.
func target(r *http.Request) (path, query string) {
	sent := r.RequestURI
	if !strings.HasPrefix(sent, "/") { // absolute form, or a request that no server has read
		sent = r.URL.EscapedPath()
		if r.URL.RawQuery != "" {
			sent += "?" + r.URL.RawQuery
		}
	}
	path, query, _ = strings.Cut(sent, "?")
	return path, query
}

// parseQuery decodes a raw query, keeping the order. An escape that is none stands for itself.
func parseQuery(raw string) []parameter {
	var out []parameter
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		out = append(out, parameter{unescape(name), unescape(value)})
	}
	return out
}

func unescape(s string) string {
	if t, err := url.QueryUnescape(s); err == nil {
		return t
	}
	return s
}

// escape percent-encodes all but the unreserved characters of RFC 3986, in upper-case hexadecimal.
func escape(s string, keepSlash bool) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' ||
			c == '-' || c == '.' || c == '_' || c == '~' || keepSlash && c == '/' {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}

// canonicalPath makes the path's canonical form from the path as sent.
func canonicalPath(sent string, rule PathRule) string {
	if rule == AsSent {
		if sent == "" {
			return "/"
		}
		raw, err := url.PathUnescape(sent)
		if err != nil {
			raw = sent
		}
		return escape(raw, true)
	}
	var kept []string
	segments := strings.Split(sent, "/")
	for _, s := range segments {
		switch s {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, escape(s, false))
		}
	}
	path := "/" + strings.Join(kept, "/")
	if last := segments[len(segments)-1]; len(kept) > 0 && (last == "" || last == "." || last == "..") {
		path += "/"
	}
	return path
}

// canonicalQuery encodes and sorts the parameters, the signature itself left out.
func canonicalQuery(query []parameter) string {
	var pairs [][2]string
	for _, p := range query {
		if p.name != "X-Amz-Signature" {
			pairs = append(pairs, [2]string{escape(p.name, false), escape(p.value, false)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if c := strings.Compare(a[0], b[0]); c != 0 {
			return c
		}
		return strings.Compare(a[1], b[1])
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p[0] + "=" + p[1])
	}
	return b.String()
}

// headerValues returns the values of a header as sent. The server keeps Host and, of a body of unknown
// length, nothing of Content-Length apart from the header map.
func headerValues(r *http.Request, name string) []string {
	if name == "host" || name == ":authority" {
		return []string{r.Host}
	}
	values := r.Header.Values(name)
	if values == nil && name == "content-length" && r.ContentLength >= 0 {
		return []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	return values
}

// canonicalHeaders folds the signed headers: values trimmed, runs of spaces made one, repeated headers
// joined with commas.
func canonicalHeaders(r *http.Request, signed []string) string {
	var b strings.Builder
	for _, name := range signed {
		b.WriteString(name + ":")
		for i, v := range headerValues(r, name) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.Join(strings.Fields(v), " "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// canonical is the canonical request.
func canonical(r *http.Request, query []parameter, signed []string, payloadHash string, rule PathRule) string {
	path, _ := target(r)
	return strings.Join([]string{
		r.Method,
		canonicalPath(path, rule),
		canonicalQuery(query),
		canonicalHeaders(r, signed),
		strings.Join(signed, ";"),
		payloadHash,
	}, "\n")
}
