package graph

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/wire/odata"
	"github.com/treatyfed/treaty/wire/rest"
)

// form is what values a property takes.
type form int

const (
	aText form = iota // or null
	aBool             // or null
	texts
	anObject // or null
	objects
	aGUID // or null
	aTime // or null
)

// property is one property of a resource type.
type property struct {
	name     string
	form     form
	initial  string // the JSON it has until it is set
	readOnly bool
	beta     bool // on /beta only
}

// schema is the set of properties of a resource type, and how they stand in queries.
type schema struct {
	resource   string // as in error texts: "Application"
	properties []property
	typ        odata.Type
}

func newSchema(resource string, typ odata.Type, properties ...property) schema {
	for _, p := range properties {
		typ.Properties = append(typ.Properties, p.name)
	}
	return schema{resource, properties, typ}
}

// initial makes a resource with every property as it is until it is set.
func (sc schema) initial(beta bool) map[string]any {
	m := make(map[string]any, len(sc.properties)+4)
	for _, p := range sc.properties {
		if p.beta && !beta {
			continue
		}
		switch p.initial {
		case "", "null":
			m[p.name] = nil
		case "[]":
			m[p.name] = []any{}
		case "false":
			m[p.name] = false
		default:
			var v any
			if err := decode([]byte(p.initial), &v); err != nil {
				panic("graph: " + sc.resource + "." + p.name + ": " + err.Error()) // a typing error in a table
			}
			m[p.name] = v
		}
	}
	return m
}

// overlay puts the carried properties into a resource.
func (sc schema) overlay(m map[string]any, carried json.RawMessage) error {
	if len(carried) == 0 {
		return nil
	}
	var kept map[string]any
	if err := decode(carried, &kept); err != nil {
		return err
	}
	for name, v := range kept {
		if was, known := m[name]; known || strings.HasPrefix(name, "extension_") {
			m[name] = merged(was, v)
		}
	}
	return nil
}

func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}

// merged lays an object over another member by member; any other value replaces.
func merged(old, new any) any {
	o, isOld := old.(map[string]any)
	n, isNew := new.(map[string]any)
	if !isOld || !isNew {
		return new
	}
	out := maps.Clone(o)
	for k, v := range n {
		out[k] = merged(o[k], v)
	}
	return out
}

// payload is the body of a write: its members as they came, by name in the case of the schema once read.
type payload map[string]json.RawMessage

// withBody is a write to a collection.
type withBody struct {
	Body payload `body:""`
}

// keyBody is a write to one resource, or to a collection below it.
type keyBody struct {
	Key  string  `path:"key"`
	Body payload `body:""`
}

// keyOptional is an action with an optional body.
type keyOptional struct {
	Key  string  `path:"key"`
	Body payload `body:"optional"`
}

// childBody is a write to one resource below another.
type childBody struct {
	Key   string  `path:"key"`
	Child string  `path:"child"`
	Body  payload `body:""`
}

// read checks a body against the schema: known properties, of their form, none read-only. Annotations are
// left out, except bindings ("owners@odata.bind"), whose names are kept. current holds the values as they
// are, since a client may send back what it got of a read-only property.
func (sc schema) read(p payload, beta bool, current map[string]any, bindings ...string) (payload, error) {
	out := make(payload, len(p))
	for name, raw := range p {
		if strings.Contains(name, "@") {
			if slices.Contains(bindings, name) {
				out[name] = raw
			}
			continue
		}
		i := slices.IndexFunc(sc.properties, func(q property) bool { return strings.EqualFold(q.name, name) && (beta || !q.beta) })
		if i < 0 {
			return nil, badRequest("Invalid property '" + clip(name) + "'.")
		}
		prop := sc.properties[i]
		if prop.readOnly {
			if !sameJSON(raw, current[prop.name]) {
				return nil, badRequest("Property '" + prop.name + "' is read-only and cannot be set.")
			}
			continue
		}
		if !prop.form.fits(raw) {
			return nil, invalidValue(prop.name, sc.resource)
		}
		out[prop.name] = raw
	}
	return out, nil
}

// sameJSON reports whether raw is null or the JSON of v.
func sameJSON(raw json.RawMessage, v any) bool {
	if isNull(raw) {
		return true
	}
	b, err := json.Marshal(v)
	if err != nil {
		return false
	}
	var x, y bytes.Buffer
	return json.Compact(&x, raw) == nil && json.Compact(&y, b) == nil && x.String() == y.String()
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || string(bytes.TrimSpace(raw)) == "null"
}

// Bounds of what a body may hold.
const (
	maxText  = 4096
	maxItems = 1200 // application manifest limit (learn.microsoft.com entra/identity-platform/reference-app-manifest)
)

func (f form) fits(raw json.RawMessage) bool {
	if isNull(raw) {
		return f != texts && f != objects
	}
	switch f {
	case aText:
		var s string
		return rest.Decode(raw, &s) == nil && len(s) <= maxText
	case aGUID:
		var s string
		return rest.Decode(raw, &s) == nil && isGUID(s)
	case aTime:
		var t time.Time
		return rest.Decode(raw, &t) == nil
	case aBool:
		var b bool
		return rest.Decode(raw, &b) == nil
	case texts:
		var l []*string
		return rest.Decode(raw, &l) == nil && len(l) <= maxItems && !slices.ContainsFunc(l, func(s *string) bool { return s == nil || len(*s) > maxText })
	case anObject:
		var m map[string]json.RawMessage
		return rest.Decode(raw, &m) == nil
	}
	var l []map[string]json.RawMessage
	return rest.Decode(raw, &l) == nil && len(l) <= maxItems && !slices.ContainsFunc(l, func(m map[string]json.RawMessage) bool { return m == nil })
}

// carry merges the members of a body that have no field of their own into what is carried.
func carry(carried json.RawMessage, p payload, typed ...string) (json.RawMessage, error) {
	kept := map[string]any{}
	if len(carried) > 0 {
		if err := decode(carried, &kept); err != nil {
			return nil, err
		}
	}
	for name, raw := range p {
		if slices.Contains(typed, name) || strings.Contains(name, "@") {
			continue
		}
		var v any
		if err := decode(raw, &v); err != nil {
			return nil, err
		}
		kept[name] = merged(kept[name], bare(v))
	}
	if len(kept) == 0 {
		return nil, nil
	}
	return json.Marshal(kept)
}

// bare drops annotations ("@odata.type") from a value at any depth.
func bare(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if strings.Contains(k, "@") {
				delete(v, k)
				continue
			}
			v[k] = bare(e)
		}
	case []any:
		for i, e := range v {
			v[i] = bare(e)
		}
	}
	return v
}

// set decodes a member into v, when it is there; null leaves v's zero value.
func (p payload) set(name string, v any) (present bool, err error) {
	raw, ok := p[name]
	if !ok {
		return false, nil
	}
	return true, rest.Decode(raw, v)
}
