package odata

import (
	"strconv"
	"strings"
)

// kind of a token in $filter.
type kind int

const (
	end     kind = iota
	word         // identifier, keyword, number, date or GUID
	text         // 'quoted', unescaped
	symbol       // ( ) , : /
	illegal      // anything else
)

type token struct {
	kind kind
	text string
	pos  int // byte offset in the expression
}

// lexer splits a $filter expression (OData 4.01 ABNF, commonExpr, as far as Graph takes it).
type lexer struct {
	in  string
	pos int
}

func (l *lexer) next() token {
	for l.pos < len(l.in) && (l.in[l.pos] == ' ' || l.in[l.pos] == '\t') {
		l.pos++
	}
	start := l.pos
	if start == len(l.in) {
		return token{kind: end, pos: start}
	}
	c := l.in[start]
	switch {
	case c == '\'':
		return l.quoted()
	case strings.IndexByte("(),:/", c) >= 0:
		l.pos++
		return token{symbol, string(c), start}
	case wordByte(c):
		for l.pos < len(l.in) && (wordByte(l.in[l.pos]) || l.inDate(start)) {
			l.pos++
		}
		return token{word, l.in[start:l.pos], start}
	}
	l.pos++
	return token{illegal, string(c), start}
}

// quoted reads a string literal, in which ” stands for one quote.
func (l *lexer) quoted() token {
	start := l.pos
	var b strings.Builder
	for l.pos++; l.pos < len(l.in); l.pos++ {
		if l.in[l.pos] != '\'' {
			b.WriteByte(l.in[l.pos])
			continue
		}
		if l.pos+1 < len(l.in) && l.in[l.pos+1] == '\'' {
			b.WriteByte('\'')
			l.pos++
			continue
		}
		l.pos++
		return token{text, b.String(), start}
	}
	return token{illegal, l.in[start:], start}
}

// inDate reports whether the colon at pos belongs to a date and time that began at start: a colon after
// any other word is that of a lambda.
func (l *lexer) inDate(start int) bool {
	w := l.in[start:l.pos]
	return l.in[l.pos] == ':' && len(w) >= 13 && w[4] == '-' && w[7] == '-' && (w[10] == 'T' || w[10] == 't')
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '_' || c == '-' || c == '.' || c == '$' || c == '@' || c == '+'
}

// syntaxError is the text of Microsoft.OData.Core behind Graph's prefix.
func syntaxError(pos int, in string) *Error {
	return invalid("Invalid filter clause: Syntax error at position " + strconv.Itoa(pos) + " in '" + clip(in) + "'.")
}
