package odata

import (
	"net/url"
	"slices"
	"strings"
)

// Names are the path segments that an API knows, in their declared case. After a collection comes a key,
// which is left as it is, unless it starts with "$" or is one of OnCollections.
type Names struct {
	Collections   []string // "applications", "federatedIdentityCredentials"
	Others        []string // "addPassword", "me", "v1.0"
	OnCollections []string // "getByIds": what may stand where a key would
}

// Bounds of a path.
const (
	maxPath     = 8 << 10
	maxSegments = 16
)

// Normalise rewrites an escaped path of Graph for matching by whole segments: known segments get their
// declared case, key segments become segments of their own, and empty segments go. The key in
// applications(appId='…') becomes "appId=…", that in applications('…') just its value. Segments of the
// result are escaped again, so that a key may hold "/". ok is false for a path that is too long or badly
// escaped.
func (n Names) Normalise(escaped string) (path string, ok bool) {
	if len(escaped) > maxPath {
		return "", false
	}
	var out []string
	afterCollection := false
	for raw := range strings.SplitSeq(escaped, "/") {
		if raw == "" {
			continue
		}
		s, err := url.PathUnescape(raw)
		if err != nil || len(out) >= maxSegments {
			return "", false
		}
		name, key, keyed := cutKey(s)
		known, collection := n.canonical(name)
		switch {
		case afterCollection && !strings.HasPrefix(s, "$") && !n.onCollection(s):
			out, afterCollection = append(out, escape(s)), false
		case keyed && known != "":
			out, afterCollection = append(out, escape(known), escape(key)), false
		case known != "" && !keyed:
			out, afterCollection = append(out, escape(known)), collection
		default:
			if strings.HasPrefix(s, "$") {
				s = strings.ToLower(s)
			}
			out, afterCollection = append(out, escape(s)), false
		}
	}
	return "/" + strings.Join(out, "/"), true
}

// escape escapes a segment, dots of "." and ".." included, which a mux would take for relative ones.
func escape(s string) string {
	if s == "." || s == ".." {
		return strings.ReplaceAll(s, ".", "%2E")
	}
	return url.PathEscape(s)
}

func (n Names) canonical(s string) (known string, collection bool) {
	for _, c := range n.Collections {
		if strings.EqualFold(c, s) {
			return c, true
		}
	}
	for _, o := range slices.Concat(n.Others, n.OnCollections) {
		if strings.EqualFold(o, s) {
			return o, false
		}
	}
	return "", false
}

func (n Names) onCollection(s string) bool {
	return slices.ContainsFunc(n.OnCollections, func(o string) bool { return strings.EqualFold(o, s) })
}

// cutKey splits name(key='value'), name('value') and name(value). Quotes inside are doubled.
func cutKey(s string) (name, key string, ok bool) {
	name, inner, found := strings.Cut(s, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !found || !closed || name == "" || inner == "" {
		return s, "", false
	}
	alternate := ""
	if k, v, has := strings.Cut(inner, "="); has && !strings.Contains(k, "'") {
		alternate, inner = strings.TrimSpace(k)+"=", strings.TrimSpace(v)
	}
	if len(inner) >= 2 && inner[0] == '\'' && inner[len(inner)-1] == '\'' {
		inner = strings.ReplaceAll(inner[1:len(inner)-1], "''", "'")
	}
	if alternate+inner == "" {
		return s, "", false
	}
	return name, alternate + inner, true
}

// Key splits a key segment of a normalised path into an alternate key's name and its value; name is ""
// for a primary key. Only the names that the collection has as alternate keys count, in any case.
func Key(segment string, alternates ...string) (name, value string) {
	for _, a := range alternates {
		if len(segment) > len(a) && strings.EqualFold(segment[:len(a)], a) && segment[len(a)] == '=' {
			return a, segment[len(a)+1:]
		}
	}
	return "", segment
}
