package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// model is what constrains of a service model.
type model struct {
	Edition    string                `json:"edition,omitempty"` // only in trimmed models
	Metadata   metadata              `json:"metadata"`
	Operations map[string]*operation `json:"operations"`
	Shapes     map[string]*shape     `json:"shapes"`
}

type metadata struct {
	UID string `json:"uid"` // "sts-2011-06-15"
}

type operation struct {
	Input *ref `json:"input,omitempty"`
}

type ref struct {
	Shape string `json:"shape"`
}

type shape struct {
	Type      string          `json:"type"`
	Required  []string        `json:"required,omitempty"`
	Members   map[string]*ref `json:"members,omitempty"`
	Member    *ref            `json:"member,omitempty"`
	Key       *ref            `json:"key,omitempty"`
	Value     *ref            `json:"value,omitempty"`
	Min       *int64          `json:"min,omitempty"`
	Max       *int64          `json:"max,omitempty"`
	Pattern   string          `json:"pattern,omitempty"`
	Enum      []string        `json:"enum,omitempty"`
	Sensitive bool            `json:"sensitive,omitempty"`
}

// trim drops the shapes that no operation's input reaches.
func (m *model) trim() *model {
	out := &model{Edition: m.Edition, Metadata: m.Metadata, Operations: m.Operations, Shapes: map[string]*shape{}}
	var keep func(r *ref)
	keep = func(r *ref) {
		if r == nil || out.Shapes[r.Shape] != nil {
			return
		}
		s := m.Shapes[r.Shape]
		out.Shapes[r.Shape] = s
		for _, member := range s.Members {
			keep(member)
		}
		keep(s.Member)
		keep(s.Key)
		keep(s.Value)
	}
	for _, o := range m.Operations {
		keep(o.Input)
	}
	return out
}

// table writes the constraints of every operation's input, a header above.
func (m *model) table() (string, error) {
	t := &writer{model: m, lines: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(m.Operations)) {
		if in := m.Operations[name].Input; in != nil {
			// The SDK names inputs after the operation, whatever the model calls them.
			if err := t.structure(name+"Input", in.Shape); err != nil {
				return "", err
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Made by wire/aws/constraints/modelgen from the model %s of %s. Do not edit.\n", m.Metadata.UID, m.Edition)
	for _, name := range slices.Sorted(maps.Keys(t.lines)) {
		b.WriteString(name + " " + t.lines[name] + "\n")
	}
	return b.String(), nil
}

type writer struct {
	model *model
	lines map[string]string
	done  []string
}

// structure writes the lines of a structure under the name that its Go type has.
func (t *writer) structure(goName, shapeName string) error {
	if slices.Contains(t.done, goName) {
		return nil
	}
	t.done = append(t.done, goName)
	s := t.model.Shapes[shapeName]
	for member, r := range s.Members {
		if err := t.member(goName+"."+member, r.Shape, slices.Contains(s.Required, member)); err != nil {
			return err
		}
	}
	return nil
}

// member writes what constrains one member and goes on into it.
func (t *writer) member(name, shapeName string, required bool) error {
	s := t.model.Shapes[shapeName]
	t.line(name, s, required)
	switch s.Type {
	case "structure":
		return t.structure(shapeName, shapeName)
	case "list":
		return t.element(name+"[]", s.Member.Shape)
	case "map":
		t.line(name+"{key}", t.model.Shapes[s.Key.Shape], false)
		return t.element(name+"{value}", s.Value.Shape)
	}
	return nil
}

// element writes a list's members or a map's values: a line when they are scalars, their own lines when
// they are structures.
func (t *writer) element(name, shapeName string) error {
	s := t.model.Shapes[shapeName]
	switch s.Type {
	case "structure":
		return t.structure(shapeName, shapeName)
	case "list", "map":
		return fmt.Errorf("%s: a %s within a list or map has no place in the table", name, s.Type)
	}
	t.line(name, s, false)
	return nil
}

func (t *writer) line(name string, s *shape, required bool) {
	var words []string
	if required {
		words = append(words, "req")
	}
	if s.Min != nil || s.Max != nil {
		words = append(words, limit(s.Min)+".."+limit(s.Max))
	}
	if s.Sensitive {
		words = append(words, "secret")
	}
	if len(s.Enum) > 0 {
		words = append(words, "enum="+strings.Join(s.Enum, ","))
	}
	if s.Pattern != "" {
		words = append(words, "~"+s.Pattern)
	}
	if words != nil {
		t.lines[name] = strings.Join(words, " ")
	}
}

func limit(n *int64) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}
