package trust

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
)

// Bounds of an expression, and of a claim's value that one is matched with.
const (
	MaxExpression   = 1024 // bytes
	MaxClauses      = 10
	maxMatchedValue = 4096 // bytes; a longer claim matches no pattern
)

// Expression is a demand on several claims, in the language of Entra's flexible federated credentials
// (languageVersion 1): clauses joined by "and", each a claim, "eq" or "matches", and a literal:
//
//	claims['sub'] matches 'repo:contoso/*' and claims['job_workflow_ref'] eq 'contoso/…'
//
// In the literal of "matches" an asterisk stands for any number of characters and a question mark for
// one. A quote within a literal is written twice.
type Expression struct {
	Clauses []Clause
}

// Clause is one comparison of an expression.
type Clause struct {
	Claim    string
	Wildcard bool // matches, not eq
	Literal  string
}

// ExpressionError says where an expression goes wrong.
type ExpressionError struct {
	Offset int // bytes before the fault
	Reason string
}

func (e *ExpressionError) Error() string {
	return fmt.Sprintf("expression: at position %d: %s", e.Offset+1, e.Reason)
}

// ParseExpression reads an expression; its errors are *ExpressionError.
func ParseExpression(s string) (Expression, error) {
	if len(s) > MaxExpression {
		return Expression{}, &ExpressionError{MaxExpression, fmt.Sprintf("longer than %d bytes", MaxExpression)}
	}
	if !utf8.ValidString(s) {
		return Expression{}, &ExpressionError{0, "not UTF-8"}
	}
	p := expressionParser{s: s}
	var e Expression
	for {
		c, err := p.clause()
		if err != nil {
			return Expression{}, err
		}
		e.Clauses = append(e.Clauses, c)
		if p.space(); p.i == len(p.s) {
			return e, nil
		}
		if len(e.Clauses) == MaxClauses {
			return Expression{}, p.fail(fmt.Sprintf("more than %d clauses", MaxClauses))
		}
		if !p.word("and") {
			return Expression{}, p.fail(`"and" or the end is wanted here`)
		}
	}
}

type expressionParser struct {
	s string
	i int
}

func (p *expressionParser) fail(reason string) error { return &ExpressionError{p.i, reason} }

func (p *expressionParser) space() {
	for p.i < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.i]) >= 0 {
		p.i++
	}
}

// word takes a word that ends where no letter follows.
func (p *expressionParser) word(w string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.s[p.i:], w)
	if !ok || rest != "" && (rest[0]|0x20 >= 'a' && rest[0]|0x20 <= 'z') {
		return false
	}
	p.i += len(w)
	return true
}

func (p *expressionParser) clause() (c Clause, err error) {
	if !p.word("claims") {
		return c, p.fail("claims['NAME'] is wanted here")
	}
	if p.space(); !p.symbol('[') {
		return c, p.fail("an opening bracket is wanted here")
	}
	p.space()
	if c.Claim, err = p.literal("a claim's name in single quotes is wanted here"); err != nil {
		return c, err
	}
	if c.Claim == "" {
		return c, p.fail("the claim's name is empty")
	}
	if p.space(); !p.symbol(']') {
		return c, p.fail("a closing bracket is wanted here")
	}
	switch {
	case p.word("matches"):
		c.Wildcard = true
	case p.word("eq"):
	default:
		return c, p.fail(`"eq" or "matches" is wanted here`)
	}
	p.space()
	c.Literal, err = p.literal("a text in single quotes is wanted here")
	return c, err
}

func (p *expressionParser) symbol(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *expressionParser) literal(wanted string) (string, error) {
	if !p.symbol('\'') {
		return "", p.fail(wanted)
	}
	start := p.i
	for p.i < len(p.s) {
		if p.s[p.i] != '\'' {
			p.i++
			continue
		}
		if strings.HasPrefix(p.s[p.i:], "''") {
			p.i += 2
			continue
		}
		text := p.s[start:p.i]
		p.i++
		return strings.ReplaceAll(text, "''", "'"), nil
	}
	return "", &ExpressionError{start - 1, "the quote that opens here is not closed"}
}

// String is the expression in its canonical spelling.
func (e Expression) String() string {
	parts := make([]string, len(e.Clauses))
	for i, c := range e.Clauses {
		parts[i] = c.String()
	}
	return strings.Join(parts, " and ")
}

func (c Clause) String() string {
	operator := "eq"
	if c.Wildcard {
		operator = "matches"
	}
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	return "claims[" + quote(c.Claim) + "] " + operator + " " + quote(c.Literal)
}

// Names lists the claims that the expression reads, each once, in order.
func (e Expression) Names() []string {
	var names []string
	for _, c := range e.Clauses {
		if !slices.Contains(names, c.Claim) {
			names = append(names, c.Claim)
		}
	}
	return names
}

// Match compares every clause with the claims, one check each. Only claims that are strings can hold.
func (e Expression) Match(claims token.Claims) evidence.Checks {
	checks := make(evidence.Checks, len(e.Clauses))
	for i, c := range e.Clauses {
		checks[i] = c.match(claims)
	}
	return checks
}

func (c Clause) match(claims token.Claims) evidence.Check {
	check := evidence.Check{Name: "expression", Claim: c.Claim, Operator: "eq", Want: []string{c.Literal}}
	if c.Wildcard {
		check.Operator = "matches"
	}
	v, is := claims[c.Claim]
	if !is {
		check.Note = "the token has no claim " + c.Claim
		return check
	}
	check.Got = evidence.Values(v)
	text, ok := v.(string)
	switch {
	case !ok:
		check.Note = "the claim is not a string"
	case c.Wildcard && len(text) > maxMatchedValue:
		check.Note = fmt.Sprintf("the claim has %d bytes, more than %d", len(text), maxMatchedValue)
	case c.Wildcard:
		if check.OK = wildcard(c.Literal, text); !check.OK {
			check.Note = "claim " + c.Claim + " does not match the pattern"
		}
	default:
		if check.OK = text == c.Literal; !check.OK {
			check.Note = "claim " + c.Claim + " " + evidence.Difference(c.Literal, text).String()
		}
	}
	return check
}

// wildcard matches the whole of s with a pattern of * and ?. It goes back to the last asterisk only, so
// its time is bounded by the product of both lengths.
func wildcard(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == '?':
			_, n := utf8.DecodeRuneInString(s[i:])
			p++
			i += n
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			_, n := utf8.DecodeRuneInString(s[mark:])
			mark += n
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
