package aws

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Checker finds violated constraints and words them as AWS does. It is safe for concurrent use.
//
// Its table has one line a member, "Shape.Member WORDS": req; MIN..MAX (either may be missing), which is
// a length for strings, lists and maps and a value for numbers; secret; enum=A,B; and last ~PATTERN, a
// regular expression in Java's dialect that the whole value must match. Shape.Member[] is about each
// member of a list of scalars, Shape.Member{key} and {value} about keys and values of a map of scalars.
// Lines that begin with # are comments. Shape is the name of the Go type.
type Checker struct {
	rules map[string]*rule
	types sync.Map // reflect.Type -> []checked
}

// rule is what one line says.
type rule struct {
	required, secret bool
	min, max         *int64
	pattern          string
	re               *regexp.Regexp
	enum             []string
}

// checked is a member of a struct with its rules; nil when there are none.
type checked struct {
	field
	self, item, key, value *rule
}

// NewChecker reads a table.
func NewChecker(table string) (*Checker, error) {
	c := &Checker{rules: map[string]*rule{}}
	for line := range strings.Lines(table) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, words, _ := strings.Cut(line, " ")
		r, err := parseRule(words)
		if err != nil {
			return nil, fmt.Errorf("constraint %s: %w", name, err)
		}
		c.rules[ruleKey(name)] = &r
	}
	return c, nil
}

// ruleKey folds the first letter of the member: the SDK's field is Arn where the member is arn.
func ruleKey(name string) string {
	shape, member, _ := strings.Cut(name, ".")
	return shape + "." + lowerFirst(member)
}

func parseRule(words string) (r rule, err error) {
	words, r.pattern, _ = strings.Cut(words, "~")
	for f := range strings.FieldsSeq(words) {
		values, isEnum := strings.CutPrefix(f, "enum=")
		low, high, isRange := strings.Cut(f, "..")
		switch {
		case f == "req":
			r.required = true
		case f == "secret":
			r.secret = true
		case isEnum:
			r.enum = strings.Split(values, ",")
		case isRange:
			if r.min, err = bound(low); err != nil {
				return r, err
			}
			if r.max, err = bound(high); err != nil {
				return r, err
			}
		default:
			return r, fmt.Errorf("unknown word %q", f)
		}
	}
	if r.pattern != "" {
		r.re, err = regexp.Compile("^(?:" + fromJava(r.pattern) + ")$")
	}
	return r, err
}

func bound(s string) (*int64, error) {
	if s == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return &n, err
}

// translated are the models' patterns that need what Go's expressions lack, in the words of those. A hyphen
// that no other follows, (?!-): the alias' length is a constraint of its own.
var translated = map[string]string{
	`^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`: `[a-z0-9]+(-[a-z0-9]+)*`,
}

// fromJava turns Java's \uXXXX into \x{XXXX}. The models' \u10000-\u10FFFF reads, in Java as here, as
// U+1000, a range 0-U+10FF and FF.
func fromJava(p string) string {
	if q, ok := translated[p]; ok {
		return q
	}
	var b strings.Builder
	for {
		i := strings.Index(p, `\u`)
		if i < 0 || len(p) < i+6 {
			return b.String() + p
		}
		b.WriteString(p[:i] + `\x{` + p[i+2:i+6] + `}`)
		p = p[i+6:]
	}
}

// members lists the members of a struct type with the rules that speak of them.
func (c *Checker) members(t reflect.Type) []checked {
	if known, ok := c.types.Load(t); ok {
		return known.([]checked)
	}
	var out []checked
	for _, f := range members(t) {
		name := t.Name() + "." + f.lower
		out = append(out, checked{
			field: f,
			self:  c.rules[name], item: c.rules[name+"[]"],
			key: c.rules[name+"{key}"], value: c.rules[name+"{value}"],
		})
	}
	c.types.Store(t, out)
	return out
}

// Unmet lists the lines of the table that speak of no member of these types or of what they contain:
// a test that it is empty holds the table and the SDK together.
func (c *Checker) Unmet(types ...reflect.Type) []string {
	met := map[*rule]bool{}
	seen := map[reflect.Type]bool{}
	for len(types) > 0 {
		t := types[0]
		types = types[1:]
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || isTime(t) || seen[t] {
			continue
		}
		seen[t] = true
		for _, m := range c.members(t) {
			met[m.self], met[m.item], met[m.key], met[m.value] = true, true, true, true
			types = append(types, t.Field(m.index).Type)
		}
	}
	var out []string
	for name, r := range c.rules {
		if !met[r] {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
