package policy

import (
	"bytes"
	"encoding/json"
	"strings"
)

// statementOrder is how GetRole shows a statement, however it was sent.
var statementOrder = []string{
	"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}

// RewritePrincipals writes a policy anew with every principal as f gives it: kind is the name it stands
// under (AWS, Federated, Service, CanonicalUser). The bare "*" stays. The text is compact, the elements of
// statements come in the order in which GetRole shows them, and all else as it was written. It asks for
// JSON only, not for a valid policy.
func RewritePrincipals(text string, f func(kind, value string) string) (string, error) {
	root, ok := parseJSON(text)
	if !ok || root.shape != isObject {
		return "", malformed(errJSON)
	}
	for i, name := range root.names {
		if name != "Statement" {
			continue
		}
		list := &root.items[i]
		if list.shape == isObject {
			list.rewriteStatement(f)
			continue
		}
		for j := range list.items {
			list.items[j].rewriteStatement(f)
		}
	}
	var b strings.Builder
	root.write(&b)
	return b.String(), nil
}

func (n *node) rewriteStatement(f func(kind, value string) string) {
	if n.shape != isObject {
		return
	}
	for i, name := range n.names {
		if who := &n.items[i]; (name == "Principal" || name == "NotPrincipal") && who.shape == isObject {
			for j, kind := range who.names {
				who.items[j].rewriteStrings(func(value string) string { return f(kind, value) })
			}
		}
	}
	ordered := node{shape: isObject}
	add := func(name string, value node) {
		ordered.names, ordered.items = append(ordered.names, name), append(ordered.items, value)
	}
	known := map[string]bool{}
	for _, name := range statementOrder {
		known[name] = true
		if value := n.member(name); value != nil {
			add(name, *value)
		}
	}
	for i, name := range n.names {
		if !known[name] {
			add(name, n.items[i])
		}
	}
	n.names, n.items = ordered.names, ordered.items
}

func (n *node) rewriteStrings(f func(string) string) {
	switch n.shape {
	case isString:
		n.text = f(n.text)
	case isArray:
		for i := range n.items {
			n.items[i].rewriteStrings(f)
		}
	}
}

// write writes compact JSON.
func (n *node) write(b *strings.Builder) {
	switch n.shape {
	case isObject, isArray:
		brackets := "{}"
		if n.shape == isArray {
			brackets = "[]"
		}
		b.WriteByte(brackets[0])
		for i := range n.items {
			if i > 0 {
				b.WriteByte(',')
			}
			if n.shape == isObject {
				quote(b, n.names[i])
				b.WriteByte(':')
			}
			n.items[i].write(b)
		}
		b.WriteByte(brackets[1])
	case isString:
		quote(b, n.text)
	case isScalar:
		b.WriteString(n.text)
	case isNull:
		b.WriteString("null")
	}
}

func quote(b *strings.Builder, s string) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err == nil { // a string always encodes
		b.Write(bytes.TrimRight(out.Bytes(), "\n"))
	}
}
