package odata

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"
)

// scope is what a path is read from: the resource, and inside any() the element.
type scope struct {
	resource map[string]any
	element  any
}

type expression interface{ match(scope) bool }

type (
	disjunction struct{ left, right expression }
	conjunction struct{ left, right expression }
	negation    struct{ inner expression }
	lambda      struct {
		at    path
		inner expression
	}
	comparison struct {
		at       path
		operator string
		value    any
		fold     bool
	}
	membership struct {
		at     path
		values []any
		fold   bool
	}
	affix struct {
		at     path
		value  string
		suffix bool
		fold   bool
	}
)

// path names a property; variable is set inside a lambda.
type path struct {
	variable string
	names    []string
	lambda   bool
}

func (p path) String() string { return strings.Join(p.names, "/") }

func (p path) read(s scope) any {
	var v any = s.resource
	if p.variable != "" {
		v = s.element
	}
	for _, name := range p.names {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = member(m, name)
	}
	return v
}

// member reads a member by its name, in any case if need be: names below the first are not declared.
func member(m map[string]any, name string) any {
	if v, ok := m[name]; ok {
		return v
	}
	for k, v := range m {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return nil
}

func (e disjunction) match(s scope) bool { return e.left.match(s) || e.right.match(s) }
func (e conjunction) match(s scope) bool { return e.left.match(s) && e.right.match(s) }
func (e negation) match(s scope) bool    { return !e.inner.match(s) }

func (e lambda) match(s scope) bool {
	for _, v := range elements(e.at.read(s)) {
		if e.inner.match(scope{s.resource, v}) {
			return true
		}
	}
	return false
}

func elements(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out
	case []map[string]any:
		out := make([]any, len(v))
		for i, m := range v {
			out[i] = m
		}
		return out
	}
	return nil
}

func (e comparison) match(s scope) bool {
	got := e.at.read(s)
	switch e.operator {
	case "eq":
		return same(got, e.value, e.fold)
	case "ne":
		return !same(got, e.value, e.fold)
	}
	if got == nil || e.value == nil {
		return false // OData 4.01 part 2, 5.1.1.1.3: null is neither greater nor less
	}
	c, ok := compare(got, e.value, e.fold)
	switch e.operator {
	case "gt":
		return ok && c > 0
	case "ge":
		return ok && c >= 0
	case "lt":
		return ok && c < 0
	}
	return ok && c <= 0
}

func (e membership) match(s scope) bool {
	got := e.at.read(s)
	for _, v := range e.values {
		if same(got, v, e.fold) {
			return true
		}
	}
	return false
}

func (e affix) match(s scope) bool {
	got, ok := e.at.read(s).(string)
	want := e.value
	if !ok {
		return false
	}
	if e.fold {
		got, want = strings.ToLower(got), strings.ToLower(want)
	}
	if e.suffix {
		return strings.HasSuffix(got, want)
	}
	return strings.HasPrefix(got, want)
}

func same(got, want any, fold bool) bool {
	if got == nil || want == nil {
		return got == nil && want == nil
	}
	c, ok := compare(got, want, fold)
	return ok && c == 0
}

// compare orders two values of one kind; dates are compared as instants. ok is false for values that
// cannot be compared.
func compare(got, want any, fold bool) (c int, ok bool) {
	switch w := want.(type) {
	case bool:
		g, ok := got.(bool)
		return cmp.Compare(b2i(g), b2i(w)), ok
	case float64:
		g, ok := number(got)
		return cmp.Compare(g, w), ok
	case string:
		g, ok := got.(string)
		if !ok {
			return 0, false
		}
		if gt, wt, dates := instants(g, w); dates {
			return gt.Compare(wt), true
		}
		if fold {
			g, w = strings.ToLower(g), strings.ToLower(w)
		}
		return strings.Compare(g, w), true
	}
	return 0, false
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// instants reads two dates; a date without a time is its first instant.
func instants(a, b string) (time.Time, time.Time, bool) {
	at, ok := instant(a)
	if !ok {
		return at, at, false
	}
	bt, ok := instant(b)
	return at, bt, ok
}

func instant(s string) (time.Time, bool) {
	if len(s) < len(time.DateOnly) || s[4] != '-' || s[7] != '-' {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// order compares two property values for sorting: null first, then strings in any case.
func order(a, b any) int {
	switch {
	case a == nil || b == nil:
		return b2i(a != nil) - b2i(b != nil)
	}
	if n, ok := number(b); ok {
		b = n
	}
	c, _ := compare(a, b, true)
	return c
}
