package odata

import (
	"strconv"
	"strings"
)

// Bounds of $filter.
const (
	maxDepth = 20 // nested parentheses and nots
	maxOr    = 15 // alternatives of or and in: "Too many child clauses …"; Graph's own limit
	maxNodes = 200
)

// Filter is a parsed $filter expression.
type Filter struct {
	root     expression
	advanced []use
}

// use is an operator that needs the advanced query parameters, and the property it stands at.
type use struct{ operator, property string }

// Match evaluates the filter for a resource.
func (f *Filter) Match(resource map[string]any) bool { return f.root.match(scope{resource: resource}) }

// Equals returns the value that the filter demands of a property at its top level (alone or as a term of
// and), so that a caller can look the resource up by it instead of reading all of them.
func (f *Filter) Equals(property string) (value string, ok bool) {
	if f == nil {
		return "", false
	}
	return equals(f.root, property)
}

func equals(e expression, property string) (string, bool) {
	switch e := e.(type) {
	case conjunction:
		if v, ok := equals(e.left, property); ok {
			return v, true
		}
		return equals(e.right, property)
	case comparison:
		if v, isText := e.value.(string); isText && e.operator == "eq" && e.at.variable == "" && e.at.String() == property {
			return v, true
		}
	}
	return "", false
}

// ParseFilter parses $filter for resources of t. Operators: eq ne gt ge lt le in, and or not, startswith,
// endswith, and any over collections; literals: 'text', null, true, false, numbers, GUIDs and dates.
func ParseFilter(t Type, in string) (*Filter, error) {
	if len(in) > maxFilter {
		return nil, invalid("Invalid filter clause: The expression is longer than " + strconv.Itoa(maxFilter) + " characters.")
	}
	p := &parser{t: t, lex: lexer{in: in}, filter: &Filter{}}
	p.advance()
	root, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != end {
		return nil, p.syntax()
	}
	if n := alternatives(root); n > maxOr {
		return nil, tooManyChildren(n)
	}
	p.filter.root = root
	return p.filter, nil
}

func tooManyChildren(n int) *Error {
	return unsupported("Too many child clauses specified in search filter expression containing 'OR' operators: " + strconv.Itoa(n) + ". Max allowed: " + strconv.Itoa(maxOr) + ".")
}

// alternatives counts the widest chain of or.
func alternatives(e expression) int {
	switch e := e.(type) {
	case disjunction:
		return alternatives(e.left) + alternatives(e.right)
	case conjunction:
		return max(alternatives(e.left), alternatives(e.right))
	case negation:
		return alternatives(e.inner)
	case lambda:
		return alternatives(e.inner)
	case membership:
		return max(1, len(e.values))
	}
	return 1
}

type parser struct {
	t        Type
	lex      lexer
	tok      token
	nodes    int
	variable string // of the lambda being parsed
	filter   *Filter
}

func (p *parser) advance() { p.tok = p.lex.next() }

func (p *parser) syntax() *Error { return syntaxError(p.tok.pos, p.lex.in) }

// keyword consumes a word in any case.
func (p *parser) keyword(w string) bool {
	if p.tok.kind != word || !strings.EqualFold(p.tok.text, w) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) symbol(s string) bool {
	if p.tok.kind != symbol || p.tok.text != s {
		return false
	}
	p.advance()
	return true
}

func (p *parser) or(depth int) (expression, error) {
	left, err := p.and(depth)
	for err == nil && p.keyword("or") {
		var right expression
		right, err = p.and(depth)
		left = disjunction{left, right}
	}
	return left, err
}

func (p *parser) and(depth int) (expression, error) {
	left, err := p.term(depth)
	for err == nil && p.keyword("and") {
		var right expression
		right, err = p.term(depth)
		left = conjunction{left, right}
	}
	return left, err
}

func (p *parser) term(depth int) (expression, error) {
	if p.nodes++; p.nodes > maxNodes {
		return nil, invalid("Invalid filter clause: The node count limit of '" + strconv.Itoa(maxNodes) + "' has been exceeded.")
	}
	if depth > maxDepth {
		return nil, invalid("Invalid filter clause: Recursion depth exceeded allowed limit.")
	}
	if p.symbol("(") {
		e, err := p.or(depth + 1)
		if err == nil && !p.symbol(")") {
			err = p.syntax()
		}
		return e, err
	}
	if p.keyword("not") {
		p.filter.advanced = append(p.filter.advanced, use{operator: "not"})
		e, err := p.term(depth + 1)
		return negation{e}, err
	}
	if p.tok.kind != word {
		return nil, p.syntax()
	}
	for _, f := range []string{"startswith", "endswith", "contains"} {
		if strings.EqualFold(p.tok.text, f) {
			return p.function(f)
		}
	}
	return p.condition(depth)
}

// function parses startswith(path,'value') and its like.
func (p *parser) function(name string) (expression, error) {
	p.advance()
	if !p.symbol("(") {
		return nil, p.syntax()
	}
	at, err := p.path()
	if err != nil {
		return nil, err
	}
	if !p.symbol(",") || p.tok.kind != text {
		return nil, p.syntax()
	}
	value := p.tok.text
	p.advance()
	if !p.symbol(")") {
		return nil, p.syntax()
	}
	switch name {
	case "contains": // directory objects do not have it
		return nil, unsupported("Filter operator 'Contains' is not supported.")
	case "endswith":
		p.filter.advanced = append(p.filter.advanced, use{"endsWith", at.String()})
	}
	call := affix{at, value, name == "endswith", !p.t.CaseSensitive}
	if p.keyword("eq") { // startswith(…) eq true
		switch {
		case p.keyword("true"):
		case p.keyword("false"):
			p.filter.advanced = append(p.filter.advanced, use{operator: "not"})
			return negation{call}, nil
		default:
			return nil, p.syntax()
		}
	}
	return call, nil
}

// condition parses path op literal, path in (…), path/any(x:…) and a boolean property alone.
func (p *parser) condition(depth int) (expression, error) {
	at, err := p.path()
	if err != nil {
		return nil, err
	}
	if at.lambda {
		return p.lambda(at, depth)
	}
	if p.keyword("in") {
		return p.membership(at)
	}
	if p.tok.kind != word {
		return nil, p.syntax()
	}
	op := strings.ToLower(p.tok.text)
	switch op {
	case "eq":
	case "ne", "gt", "ge", "lt", "le":
		p.filter.advanced = append(p.filter.advanced, use{op, at.String()})
	default:
		return nil, p.syntax()
	}
	p.advance()
	v, err := p.literal()
	return comparison{at, op, v, !p.t.CaseSensitive}, err
}

func (p *parser) membership(at path) (expression, error) {
	if !p.symbol("(") {
		return nil, p.syntax()
	}
	m := membership{at: at, fold: !p.t.CaseSensitive}
	for {
		v, err := p.literal()
		if err != nil {
			return nil, err
		}
		if m.values = append(m.values, v); len(m.values) > maxNodes {
			return nil, tooManyChildren(len(m.values))
		}
		if !p.symbol(",") {
			break
		}
	}
	if !p.symbol(")") {
		return nil, p.syntax()
	}
	return m, nil
}

// lambda parses the rest of path/any( x: … ); p stands behind "any".
func (p *parser) lambda(at path, depth int) (expression, error) {
	if !p.symbol("(") || p.tok.kind != word || p.variable != "" {
		return nil, p.syntax()
	}
	p.variable = p.tok.text
	p.advance()
	if !p.symbol(":") {
		return nil, p.syntax()
	}
	inner, err := p.or(depth + 1)
	if err != nil {
		return nil, err
	}
	p.variable = ""
	if !p.symbol(")") {
		return nil, p.syntax()
	}
	return lambda{at, inner}, nil
}

// path parses a property path, with "/any" as its end for a lambda. Inside a lambda a path starts with
// the variable.
func (p *parser) path() (path, error) {
	var at path
	for first := true; ; first = false {
		if p.tok.kind != word {
			return at, p.syntax()
		}
		name := p.tok.text
		switch {
		case first && p.variable != "" && name == p.variable:
			at.variable = name
		case !first && at.variable == "" && strings.EqualFold(name, "any"):
			at.lambda = true
			p.advance()
			return at, nil
		case first:
			declared, ok := p.t.property(name)
			if !ok || p.variable != "" {
				return at, invalid("Invalid filter clause: Could not find a property named '" + clip(name) + "' on type 'microsoft.graph." + p.t.Name + "'.")
			}
			at.names = append(at.names, declared)
		default:
			at.names = append(at.names, name)
		}
		p.advance()
		if !p.symbol("/") {
			return at, nil
		}
		if len(at.names) > 8 {
			return at, p.syntax()
		}
	}
}

// literal parses a constant: string, nil, bool, float64, or a bare word (GUID, date, enumeration) as string.
func (p *parser) literal() (any, error) {
	t := p.tok
	switch t.kind {
	case text:
		p.advance()
		return t.text, nil
	case word:
		p.advance()
		switch strings.ToLower(t.text) {
		case "null":
			return nil, nil
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		if n, err := strconv.ParseFloat(t.text, 64); err == nil && t.text[0] != '+' && !strings.ContainsAny(t.text, "nNxX_") {
			return n, nil
		}
		if c := t.text[0]; (c >= '0' && c <= '9' || isHex(c)) && strings.Contains(t.text, "-") {
			return t.text, nil
		}
	}
	return nil, syntaxError(t.pos, p.lex.in)
}

func isHex(c byte) bool { return c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }
