package aws

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// maxViolations is where AWS stops counting.
	maxViolations = 10
	// maxEcho bounds the value that a message shows, in bytes.
	maxEcho = 4096
)

// Check returns a line for each violated constraint of v, a pointer to a decoded struct, at most ten.
// Presence is what its decoder noted; nil counts every plain member as there, but an empty enum.
func (c *Checker) Check(v any, p *Presence) []string {
	w := &walk{checker: c, presence: p}
	w.object(reflect.ValueOf(v).Elem(), "")
	if p != nil {
		for _, at := range p.nulls {
			w.say("null", at, notNull)
		}
	}
	return w.out[:min(len(w.out), maxViolations)]
}

// Violations joins the lines of Check into AWS's message.
func Violations(lines []string) string {
	plural := "s"
	if len(lines) == 1 {
		plural = ""
	}
	return strconv.Itoa(len(lines)) + " validation error" + plural + " detected: " + strings.Join(lines, "; ")
}

const notNull = "Member must not be null"

type walk struct {
	checker  *Checker
	presence *Presence
	out      []string
}

// say adds a line; shown is the value as the message has it, quotes included, "" for secrets.
func (w *walk) say(shown, at, what string) {
	if shown != "" {
		shown += " "
	}
	w.out = append(w.out, "Value "+shown+"at '"+at+"' failed to satisfy constraint: "+what)
}

func (w *walk) object(v reflect.Value, at string) {
	for _, m := range w.checker.members(v.Type()) {
		here := m.lower
		if at != "" {
			here = at + "." + m.lower
		}
		w.member(v.Field(m.index), here, m)
		if len(w.out) >= maxViolations {
			return
		}
	}
}

// member checks one member and what lies within it.
func (w *walk) member(v reflect.Value, at string, m checked) {
	if w.missing(v, at) {
		if m.self != nil && m.self.required {
			w.say("null", at, notNull)
		}
		return
	}
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	hide := secret(m.self) || secret(m.item) || secret(m.key) || secret(m.value)
	for _, what := range broken(m.self, v) {
		w.say(show(v, hide), at, what)
	}
	switch {
	case isTime(v.Type()), isBlob(v.Type()):
	case v.Kind() == reflect.Struct:
		w.object(v, at)
	case v.Kind() == reflect.Slice && plain(v.Type().Elem()):
		w.every(m.item, "Member must satisfy constraint: ", v, at, hide, items(v))
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			w.within(v.Index(i), at+"."+strconv.Itoa(i+1)+".member")
		}
	case v.Kind() == reflect.Map:
		keys := sortedKeys(v)
		w.every(m.key, "Map keys must satisfy constraint: ", v, at, hide, keys)
		if plain(v.Type().Elem()) {
			w.every(m.value, "Map value must satisfy constraint: ", v, at, hide, values(v, keys))
			return
		}
		for _, k := range keys {
			w.within(v.MapIndex(k), at+"."+k.String()+".member")
		}
	}
}

// within checks an element of a list or map of structures.
func (w *walk) within(v reflect.Value, at string) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	if v.Kind() == reflect.Struct && len(w.out) < maxViolations {
		w.object(v, at)
	}
}

// every says once that some of the scalars of a list or map break a rule, naming the whole rule.
func (w *walk) every(r *rule, what string, v reflect.Value, at string, hide bool, scalars []reflect.Value) {
	if r == nil {
		return
	}
	for _, s := range scalars {
		if len(broken(r, s)) > 0 {
			w.say(show(v, hide), at, what+"["+strings.Join(r.words(s.Kind()), ", ")+"]")
			return
		}
	}
}

// missing reports whether a member was not in the input. A plain value says so itself only by Presence.
func (w *walk) missing(v reflect.Value, at string) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return v.IsNil()
	case reflect.String: // an enum
		return v.Len() == 0 && (w.presence == nil || !w.presence.has(at))
	case reflect.Struct:
		return false
	}
	return !w.presence.has(at)
}

func secret(r *rule) bool { return r != nil && r.secret }

func plain(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() != reflect.Struct && t.Kind() != reflect.Map && t.Kind() != reflect.Slice
}

func items(v reflect.Value) []reflect.Value {
	out := make([]reflect.Value, v.Len())
	for i := range out {
		out[i] = v.Index(i)
	}
	return out
}

func values(v reflect.Value, keys []reflect.Value) []reflect.Value {
	out := make([]reflect.Value, len(keys))
	for i, k := range keys {
		out[i] = v.MapIndex(k)
	}
	return out
}

// broken lists what of a rule a value violates: length or value, pattern, enum.
func broken(r *rule, v reflect.Value) []string {
	if r == nil {
		return nil
	}
	var n int64
	unit := "length"
	switch {
	case v.Kind() == reflect.String:
		n = int64(utf8.RuneCountInString(v.String()))
	case v.Kind() == reflect.Slice, v.Kind() == reflect.Map:
		n = int64(v.Len())
	case v.CanInt():
		n, unit = v.Int(), "value"
	default:
		return nil
	}
	var out []string
	if r.min != nil && n < *r.min {
		out = append(out, r.atLeast(unit))
	}
	if r.max != nil && n > *r.max {
		out = append(out, r.atMost(unit))
	}
	if v.Kind() != reflect.String {
		return out
	}
	// A value that is too long is not searched: what it costs stays bounded.
	if r.re != nil && (r.max == nil || n <= *r.max) && !r.re.MatchString(v.String()) {
		out = append(out, r.matching())
	}
	if r.enum != nil && !slices.Contains(r.enum, v.String()) {
		out = append(out, r.oneOf())
	}
	return out
}

func (r *rule) atLeast(unit string) string {
	return "Member must have " + unit + " greater than or equal to " + strconv.FormatInt(*r.min, 10)
}
func (r *rule) atMost(unit string) string {
	return "Member must have " + unit + " less than or equal to " + strconv.FormatInt(*r.max, 10)
}
func (r *rule) matching() string {
	return "Member must satisfy regular expression pattern: " + r.pattern
}
func (r *rule) oneOf() string {
	return "Member must satisfy enum value set: [" + strings.Join(r.enum, ", ") + "]"
}

// words is the whole rule, in the order in which AWS lists it for lists and maps.
func (r *rule) words(k reflect.Kind) []string {
	unit := "value"
	if k == reflect.String {
		unit = "length"
	}
	var out []string
	if r.max != nil {
		out = append(out, r.atMost(unit))
	}
	if r.min != nil {
		out = append(out, r.atLeast(unit))
	}
	if r.re != nil {
		out = append(out, r.matching())
	}
	if r.enum != nil {
		out = append(out, r.oneOf())
	}
	return out
}

// show is a value as messages have it: 'text', '[a, b]', '{k=v}'; nothing for secrets and for what
// contains structures.
func show(v reflect.Value, hide bool) string {
	if hide {
		return ""
	}
	text, ok := display(v)
	if !ok {
		return ""
	}
	if len(text) > maxEcho {
		text = strings.ToValidUTF8(text[:maxEcho], "") + "..."
	}
	return "'" + text + "'"
}

func display(v reflect.Value) (string, bool) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.String:
		return v.String(), true
	case v.Kind() == reflect.Slice && plain(v.Type().Elem()) && !isBlob(v.Type()):
		var parts []string
		for _, e := range items(v) {
			s, _ := display(e)
			parts = append(parts, s)
		}
		return "[" + strings.Join(parts, ", ") + "]", true
	case v.Kind() == reflect.Map && plain(v.Type().Elem()):
		var parts []string
		for _, k := range sortedKeys(v) {
			s, _ := display(v.MapIndex(k))
			parts = append(parts, k.String()+"="+s)
		}
		return "{" + strings.Join(parts, ", ") + "}", true
	case v.Kind() == reflect.Bool, v.CanInt(), v.CanFloat():
		return string(appendNumber(nil, v)), true
	}
	return "", false
}
