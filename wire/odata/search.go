package odata

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Search is a parsed $search of directory objects: "property:words" terms joined by AND and OR, each in
// double quotes. AND binds tighter than OR.
type Search struct{ root expression }

// Match evaluates the search for a resource.
func (s *Search) Match(resource map[string]any) bool { return s.root.match(scope{resource: resource}) }

// term of a search: each of its words is the beginning of a word of the property.
type term struct {
	property string
	words    []string
	whole    string // what was asked for, without any splitting
}

// ParseSearch parses $search for resources of t (learn.microsoft.com graph/search-query-parameter,
// "Using $search on directory object collections").
func ParseSearch(t Type, in string) (*Search, error) {
	if len(in) > maxSearch {
		return nil, invalid("Syntax error: the search expression is longer than " + strconv.Itoa(maxSearch) + " characters.")
	}
	p := &searchParser{t: t, in: in}
	root, err := p.or(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.pos != len(in) {
		return nil, p.syntax()
	}
	return &Search{root}, nil
}

type searchParser struct {
	t     Type
	in    string
	pos   int
	terms int
}

func (p *searchParser) syntax() *Error {
	if p.pos < len(p.in) {
		return invalid("Syntax error: character '" + string([]rune(p.in[p.pos:])[0]) + "' is not valid at position " + strconv.Itoa(p.pos) + " in '" + clip(p.in) + "'.")
	}
	return invalid("Syntax error at position " + strconv.Itoa(p.pos) + " in '" + clip(p.in) + "'.")
}

func (p *searchParser) space() {
	for p.pos < len(p.in) && p.in[p.pos] == ' ' {
		p.pos++
	}
}

// keyword consumes AND or OR, which must be in upper case.
func (p *searchParser) keyword(w string) bool {
	p.space()
	if !strings.HasPrefix(p.in[p.pos:], w) {
		return false
	}
	p.pos += len(w)
	return true
}

func (p *searchParser) or(depth int) (expression, error) {
	left, err := p.and(depth)
	for err == nil && p.keyword("OR") {
		var right expression
		right, err = p.and(depth)
		left = disjunction{left, right}
	}
	return left, err
}

func (p *searchParser) and(depth int) (expression, error) {
	left, err := p.term(depth)
	for err == nil && p.keyword("AND") {
		var right expression
		right, err = p.term(depth)
		left = conjunction{left, right}
	}
	return left, err
}

func (p *searchParser) term(depth int) (expression, error) {
	p.space()
	if p.terms++; p.terms > maxOr || depth > maxDepth {
		return nil, tooManyChildren(p.terms)
	}
	if p.pos < len(p.in) && p.in[p.pos] == '(' {
		p.pos++
		e, err := p.or(depth + 1)
		if p.space(); err == nil && (p.pos >= len(p.in) || p.in[p.pos] != ')') {
			return nil, p.syntax()
		}
		p.pos++
		return e, err
	}
	if p.pos >= len(p.in) || p.in[p.pos] != '"' {
		return nil, p.syntax()
	}
	var b strings.Builder
	closed := false
	for p.pos++; p.pos < len(p.in) && !closed; p.pos++ {
		switch c := p.in[p.pos]; {
		case c == '\\' && p.pos+1 < len(p.in):
			p.pos++
			b.WriteByte(p.in[p.pos])
		case c == '"':
			closed = true
		default:
			b.WriteByte(c)
		}
	}
	if !closed {
		return nil, p.syntax()
	}
	return p.clause(b.String())
}

func (p *searchParser) clause(s string) (expression, error) {
	name, value, ok := strings.Cut(s, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	i := slices.IndexFunc(p.t.Searchable, func(n string) bool { return strings.EqualFold(n, name) })
	if !ok || i < 0 || value == "" {
		return nil, unsupported("Unsupported or invalid search clause '" + clip(s) + "' for resource '" + p.t.title() + "'.")
	}
	return term{p.t.Searchable[i], words(value), strings.ToLower(value)}, nil
}

func (e term) match(s scope) bool {
	got, ok := s.resource[e.property].(string)
	if !ok {
		return false
	}
	lower := strings.ToLower(got)
	if strings.HasPrefix(lower, e.whole) {
		return true
	}
	if len(e.words) == 0 {
		return strings.Contains(lower, e.whole)
	}
	have := words(got)
	for _, w := range e.words {
		if !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, w) }) {
			return false
		}
	}
	return true
}

// words splits as Graph's index does: at everything that is no letter or digit, between letters and
// digits, and where lower case turns into upper case. The words are in lower case.
func words(s string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	var last rune
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			flush()
			last = 0
			continue
		}
		if last != 0 && (unicode.IsDigit(r) != unicode.IsDigit(last) || unicode.IsUpper(r) && unicode.IsLower(last)) {
			flush()
		}
		word = append(word, r)
		last = r
	}
	flush()
	return out
}
