package arm

import (
	"strings"
)

// maxFilter bounds the text of a $filter.
const maxFilter = 4096

// term is one part of a $filter: NAME eq 'VALUE', or a function NAME('VALUE') or NAME().
type term struct {
	Name     string // in lower case
	Value    string
	Function bool
}

// parseFilter reads the $filter that ARM's lists take: terms joined by "and". Strings are quoted with ',
// doubled inside. It is no OData: whatever else is there is refused, as ARM does.
func parseFilter(text string) ([]term, error) {
	bad := errorf(400, "InvalidFilterInQueryString", "Invalid $filter '%s' specified in the query string.", text)
	if len(text) > maxFilter {
		return nil, bad
	}
	rest := strings.TrimSpace(text)
	var out []term
	for rest != "" {
		if len(out) > 0 {
			word, after, ok := strings.Cut(rest, " ")
			if !ok || !is(word, "and") {
				return nil, bad
			}
			rest = strings.TrimSpace(after)
		}
		t, after, ok := parseTerm(rest)
		if !ok {
			return nil, bad
		}
		out, rest = append(out, t), strings.TrimSpace(after)
	}
	return out, nil
}

func parseTerm(s string) (t term, rest string, ok bool) {
	n := strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '/' || r == '.')
	})
	if n <= 0 {
		return t, "", false
	}
	t.Name, s = lower(s[:n]), s[n:]
	if s[0] == '(' {
		t.Function = true
		s = strings.TrimSpace(s[1:])
		if strings.HasPrefix(s, "'") {
			if t.Value, s, ok = quotedText(s); !ok {
				return t, "", false
			}
			s = strings.TrimSpace(s)
		}
		rest, ok = strings.CutPrefix(s, ")")
		return t, rest, ok
	}
	fields := strings.TrimLeft(s, " ")
	if len(fields) < 3 || fields == s || !is(fields[:2], "eq") || fields[2] != ' ' {
		return t, "", false
	}
	t.Value, rest, ok = quotedText(strings.TrimLeft(fields[3:], " "))
	return t, rest, ok
}

// quotedText reads a quoted string and returns what follows it.
func quotedText(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, "'") {
		return "", "", false
	}
	var b strings.Builder
	for s = s[1:]; ; {
		before, after, found := strings.Cut(s, "'")
		if !found {
			return "", "", false
		}
		b.WriteString(before)
		if !strings.HasPrefix(after, "'") {
			return b.String(), after, true
		}
		b.WriteByte('\'')
		s = after[1:]
	}
}

// onlyTerms refuses a filter with a term that the list does not know.
func onlyTerms(text string, known ...string) ([]term, error) {
	terms, err := parseFilter(text)
	if err != nil {
		return nil, err
	}
	for _, t := range terms {
		name := t.Name
		if t.Function {
			name += "()"
		}
		found := false
		for _, k := range known {
			found = found || lower(k) == name
		}
		if !found {
			return nil, errorf(400, "InvalidFilterInQueryString", "Invalid $filter '%s' specified in the query string.", text)
		}
	}
	return terms, nil
}
