package policy

import "slices"

// The grammar: what shape each element has, for all kinds alike (IAM user guide, "Grammar of the IAM JSON
// policy language"). Names of elements are case-sensitive; every list may be a single value. What a kind
// demands beyond that is for validate*.go.

// parser gives problems their place in the text, as CreateRole and PutBucketPolicy word them.
type parser struct{ text string }

func (p *parser) syntax(n *node) *Malformed {
	at := (&cursor{text: p.text}).position(n.at)
	return malformed("Syntax error at position (%d,%d)", at.Line, at.Column)
}

func parseDocument(text string, root *node) (*Document, *Malformed) {
	p := &parser{text}
	if root.shape != isObject {
		return nil, p.syntax(root)
	}
	if name, found := root.duplicate(); found {
		return nil, malformed("Duplicate field %s", name)
	}
	d := &Document{}
	if problem := p.elements(d, root); problem != nil {
		return nil, problem
	}
	list := root.member("Statement")
	switch {
	case list == nil:
		return nil, malformed("Missing required field Statement")
	case list.shape != isArray && list.shape != isObject:
		return nil, p.syntax(list)
	case list.shape == isArray && len(list.items) == 0:
		return nil, malformed("Could not parse the policy: Statement is empty!")
	}
	at := cursor{text: text}
	for _, n := range list.one() {
		s := Statement{Start: at.position(n.at), End: at.position(n.end)}
		if problem := p.statement(&s, &n); problem != nil {
			return nil, problem
		}
		d.Statements = append(d.Statements, s)
	}
	return d, nil
}

func (p *parser) elements(d *Document, root *node) *Malformed {
	for i, name := range root.names {
		n := &root.items[i]
		switch name {
		case "Statement":
		case "Version":
			if n.shape != isString || n.text != version2008 && n.text != version2012 {
				return malformed("The policy must contain a valid version string")
			}
			d.Version = n.text
		case "Id":
			if n.shape != isString {
				return p.syntax(n)
			}
			d.ID = n.text
		default:
			return malformed("Unknown field %s", name)
		}
	}
	return nil
}

// opposites are the elements of which a statement may have one.
var opposites = [][2]string{{"Principal", "NotPrincipal"}, {"Action", "NotAction"}, {"Resource", "NotResource"}}

func (p *parser) statement(s *Statement, n *node) *Malformed {
	if n.shape != isObject {
		return p.syntax(n)
	}
	for i, name := range n.names {
		if problem := p.element(s, name, &n.items[i]); problem != nil {
			return problem
		}
	}
	for _, o := range opposites {
		if slices.Contains(n.names, o[0]) && slices.Contains(n.names, o[1]) {
			return p.syntax(n.member(o[1]))
		}
	}
	return nil
}

func (p *parser) element(s *Statement, name string, n *node) (problem *Malformed) {
	switch name {
	case "Sid":
		s.SID, problem = p.string(n)
	case "Effect":
		var effect string
		effect, problem = p.string(n)
		s.Effect = Effect(effect)
	case "Principal":
		s.Principals, problem = p.principals(n)
	case "NotPrincipal":
		s.NotPrincipals, problem = p.principals(n)
	case "Action":
		s.Actions, problem = p.strings(n)
	case "NotAction":
		s.NotActions, problem = p.strings(n)
	case "Resource":
		s.Resources, problem = p.strings(n)
	case "NotResource":
		s.NotResources, problem = p.strings(n)
	case "Condition":
		s.Conditions, problem = p.conditions(n)
	default:
		problem = malformed("Unknown field %s", name)
	}
	return problem
}

func (p *parser) string(n *node) (string, *Malformed) {
	if n.shape != isString {
		return "", p.syntax(n)
	}
	return n.text, nil
}

// strings reads a list, which is never nil: nil says that an element was not written.
func (p *parser) strings(n *node) ([]string, *Malformed) {
	out := []string{}
	for _, item := range n.one() {
		text, problem := p.string(&item)
		if problem != nil {
			return nil, problem
		}
		out = append(out, text)
	}
	return out, nil
}

func (p *parser) principals(n *node) (*Principals, *Malformed) {
	out := &Principals{}
	if n.shape == isString && n.text == "*" {
		out.Any = true
		return out, nil
	}
	if n.shape != isObject {
		return nil, p.syntax(n)
	}
	for i, name := range n.names {
		list, problem := p.strings(&n.items[i])
		if problem != nil {
			return nil, problem
		}
		switch name {
		case "AWS":
			out.AWS = list
		case "Federated":
			out.Federated = list
		case "Service":
			out.Service = list
		case "CanonicalUser":
			out.CanonicalUser = list
		default:
			return nil, malformed("Invalid principal in policy: %q", name)
		}
	}
	return out, nil
}

// conditions reads operators with their keys and values. Numbers and booleans become their text. An operator
// that compares nothing may have any name: CreatePolicy takes {"x": {}}.
func (p *parser) conditions(n *node) ([]Condition, *Malformed) {
	out := []Condition{}
	if n.shape != isObject {
		return nil, p.syntax(n)
	}
	for i, operator := range n.names {
		keys := &n.items[i]
		if keys.shape != isObject {
			return nil, p.syntax(keys)
		}
		if len(keys.names) > 0 && parseOperator(operator).family == asNothing {
			return nil, malformed("Invalid Condition type : %s", operator)
		}
		for j, key := range keys.names {
			c := Condition{Operator: operator, Key: key, Values: []string{}}
			for _, v := range keys.items[j].one() {
				if v.shape != isString && v.shape != isScalar {
					return nil, p.syntax(&v)
				}
				c.Values = append(c.Values, v.text)
			}
			out = append(out, c)
		}
	}
	return out, nil
}
