package seed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Policy is a policy document as JSON. A seed has it as that text, or as YAML of the same members; then
// every scalar is a string, as policies read numbers and booleans that are written so.
type Policy string

// Bounds of a document written in YAML: nothing that IAM takes comes near them, and aliases could make a
// small file a huge document.
const (
	maxDocument = 131072 // bytes (IAM model, policyDocumentType)
	maxNesting  = 16
)

var errDocument = errors.New("it is JSON text or a mapping")

// UnmarshalYAML reads either form.
func (p *Policy) UnmarshalYAML(n *yaml.Node) error {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.ScalarNode:
		*p = Policy(n.Value)
		return nil
	case yaml.MappingNode:
		var b bytes.Buffer
		if err := writeJSON(&b, n, 0); err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		*p = Policy(b.String())
		return nil
	}
	return fmt.Errorf("line %d: %w", n.Line, errDocument)
}

// writeJSON writes a node as JSON, members in their order, a member or value on each line so that the
// positions of statements mean something.
func writeJSON(b *bytes.Buffer, n *yaml.Node, depth int) error {
	if depth > maxNesting || b.Len() > maxDocument {
		return fmt.Errorf("it is nested at most %d deep and has at most %d bytes", maxNesting, maxDocument)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return writeJSON(b, n.Alias, depth+1)
	case yaml.ScalarNode:
		if n.ShortTag() == "!!null" {
			return errors.New("a member has no value")
		}
		return quote(b, n.Value)
	case yaml.MappingNode:
		return writeList(b, '{', '}', n, depth)
	case yaml.SequenceNode:
		return writeList(b, '[', ']', n, depth)
	}
	return errDocument
}

func writeList(b *bytes.Buffer, begin, end byte, n *yaml.Node, depth int) error {
	b.WriteByte(begin)
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	for i := 0; i < len(n.Content); i += step {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n" + strings.Repeat("  ", depth+1))
		if step == 2 {
			if n.Content[i].Kind != yaml.ScalarNode {
				return errDocument
			}
			if err := quote(b, n.Content[i].Value); err != nil {
				return err
			}
			b.WriteString(": ")
		}
		if err := writeJSON(b, n.Content[i+step-1], depth+1); err != nil {
			return err
		}
	}
	if len(n.Content) > 0 {
		b.WriteString("\n" + strings.Repeat("  ", depth))
	}
	b.WriteByte(end)
	return nil
}

// quote writes a JSON string, with <, > and & as they are.
func quote(b *bytes.Buffer, s string) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the line's end
	return nil
}
