package policy

import "strings"

// variables is the Version from which on "${…}" is a variable (IAM user guide, "Variables and tags").
const variables = "2012-10-17"

// template is a value of a policy in which variables may stand.
type template struct {
	written string
	pieces  []piece // nil when there are no variables
	fixed   glob    // of a value with wildcards and without variables
	prefix  string  // what a match begins with: the text before the first wildcard and variable
	wild    bool    // "*" and "?" are wildcards
}

// piece is a stretch of text, or a variable.
type piece struct {
	text     string // literal, or with wildcards
	exact    bool   // text is taken literally even where wildcards count: ${*}, ${?}, ${$}
	key      string // of a variable, in lower case
	name     string // of a variable, as written
	fallback string
	falls    bool
}

func newTemplate(text, version string, wild bool) template {
	t := template{written: text, wild: wild}
	if version == variables && strings.Contains(text, "${") {
		t.pieces = pieces(text)
	}
	if t.pieces == nil && wild {
		t.fixed = glob{}.written(text)
	}
	begin := text
	if t.pieces != nil {
		begin = t.pieces[0].text
	}
	if wild && (t.pieces == nil || !t.pieces[0].exact) {
		t.prefix, _, _ = strings.Cut(begin, "*")
		t.prefix, _, _ = strings.Cut(t.prefix, "?")
	}
	return t
}

// pieces takes a value apart; nil means that it holds no variable. What does not close is text.
func pieces(text string) (out []piece) {
	found := false
	for {
		before, rest, opened := strings.Cut(text, "${")
		inner, after, closed := cutVariable(rest)
		if !opened || !closed {
			if !found {
				return nil
			}
			return append(out, piece{text: text})
		}
		found = true
		if before != "" {
			out = append(out, piece{text: before})
		}
		out = append(out, variable(inner))
		text = after
	}
}

// cutVariable finds the end of a variable: the first "}" that is not in a quoted default.
func cutVariable(rest string) (inner, after string, ok bool) {
	quoted := false
	for i := range len(rest) {
		switch {
		case rest[i] == '\'':
			quoted = !quoted
		case rest[i] == '}' && !quoted:
			return rest[:i], rest[i+1:], true
		}
	}
	return "", "", false
}

func variable(inner string) piece {
	if inner == "*" || inner == "?" || inner == "$" {
		return piece{text: inner, exact: true}
	}
	name, fallback, falls := strings.Cut(inner, ",")
	name, fallback = strings.TrimSpace(name), strings.TrimSpace(fallback)
	p := piece{key: strings.ToLower(name), name: name}
	if n := len(fallback); falls && n >= 2 && fallback[0] == '\'' && fallback[n-1] == '\'' {
		p.fallback, p.falls = fallback[1:n-1], true
	}
	return p
}

// value gives what a variable stands for. A multivalued key stands for nothing, whatever the default; an
// absent one for the default.
func (p *piece) value(c Context) (string, bool) {
	v := c[p.key]
	switch {
	case len(v.Values) == 0:
		return p.fallback, p.falls
	case v.Many || len(v.Values) > 1:
		return "", false
	}
	return v.Values[0], true
}

// text is the value with its variables replaced; ok is false when one stands for nothing.
func (t *template) text(c Context) (_ string, ok bool) {
	if t.pieces == nil {
		return t.written, true
	}
	var b strings.Builder
	for i := range t.pieces {
		p := &t.pieces[i]
		if p.key == "" {
			b.WriteString(p.text)
			continue
		}
		s, ok := p.value(c)
		if !ok {
			return t.written, false
		}
		b.WriteString(s)
	}
	return b.String(), true
}

// glob is text as a pattern: wildcards within what a variable stands for are literal.
func (t *template) glob(c Context) (glob, bool) {
	if t.pieces == nil {
		return t.fixed, true
	}
	g := make(glob, 0, 2*len(t.written))
	for i := range t.pieces {
		p := &t.pieces[i]
		s, ok := p.text, true
		if p.key != "" {
			s, ok = p.value(c)
		}
		switch {
		case !ok:
			return nil, false
		case p.key != "" || p.exact || !t.wild:
			g = g.literal(s)
		default:
			g = g.written(s)
		}
	}
	return g, true
}

// match compares a value with wildcards. Most values differ from the first characters on, and then nothing
// need be replaced.
func (t *template) match(c Context, value string) bool {
	if !strings.HasPrefix(value, t.prefix) {
		return false
	}
	g, ok := t.glob(c)
	return ok && g.match(value)
}

// lacks lists the variables, as written, that have neither a value nor a default in the request.
func (t *template) lacks(c Context) (names []string) {
	for i := range t.pieces {
		p := &t.pieces[i]
		if p.key != "" && !p.falls && len(c[p.key].Values) == 0 {
			names = append(names, p.name)
		}
	}
	return names
}
