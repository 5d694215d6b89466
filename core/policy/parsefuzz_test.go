package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// object is a JSON object with its members in order.
type object []struct {
	name  string
	value any
}

func (m *object) add(name string, value any) {
	*m = append(*m, struct {
		name  string
		value any
	}{name, value})
}

func (m *object) addList(name string, list []string) {
	if list != nil {
		m.add(name, list)
	}
}

func (m object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, e := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(e.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(e.value)
		if err != nil {
			return nil, err
		}
		b.Write(append(append(name, ':'), value...))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// printed writes a document with all that it holds.
func printed(t *testing.T, d *Document) string {
	var top object
	if d.Version != "" {
		top.add("Version", d.Version)
	}
	top.add("Id", d.ID)
	list := []object{}
	for i := range d.Statements {
		s := &d.Statements[i]
		m := object{}
		m.add("Sid", s.SID)
		m.add("Effect", s.Effect)
		if s.Principals != nil {
			m.add("Principal", printedPrincipals(s.Principals))
		}
		if s.NotPrincipals != nil {
			m.add("NotPrincipal", printedPrincipals(s.NotPrincipals))
		}
		m.addList("Action", s.Actions)
		m.addList("NotAction", s.NotActions)
		m.addList("Resource", s.Resources)
		m.addList("NotResource", s.NotResources)
		var conditions object
		for _, c := range s.Conditions {
			if n := len(conditions); n == 0 || conditions[n-1].name != c.Operator {
				conditions.add(c.Operator, object{})
			}
			keys := conditions[len(conditions)-1].value.(object)
			keys.add(c.Key, c.Values)
			conditions[len(conditions)-1].value = keys
		}
		m.add("Condition", conditions)
		list = append(list, m)
	}
	top.add("Statement", list)
	b, err := json.Marshal(top)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func printedPrincipals(p *Principals) any {
	if p.Any {
		return "*"
	}
	var m object
	m.addList("AWS", p.AWS)
	m.addList("Federated", p.Federated)
	m.addList("Service", p.Service)
	m.addList("CanonicalUser", p.CanonicalUser)
	return m
}

// rules are what every accepted document of a kind keeps to.
func rules(t *testing.T, d *Document, k Kind) {
	if k == Accepted {
		return
	}
	identity := k != Trust && k != Resource
	if len(d.Statements) == 0 || k == Managed && d.Version != version2012 {
		t.Error("no statement, or an older managed policy")
	}
	sids := map[string]bool{}
	for i := range d.Statements {
		s := &d.Statements[i]
		who := s.Principals != nil || s.NotPrincipals != nil
		switch {
		case s.Effect != Allow && s.Effect != Deny:
			t.Errorf("effect %q", s.Effect)
		case who == identity, s.Principals != nil && s.NotPrincipals != nil:
			t.Error("principals")
		case (len(s.Actions) == 0) == (len(s.NotActions) == 0):
			t.Error("actions")
		case k == Trust && (s.Resources != nil || s.NotResources != nil), k != Trust && (len(s.Resources) == 0) == (len(s.NotResources) == 0):
			t.Error("resources")
		case k == Trust && who && s.whom().Any:
			t.Error("the bare star in a trust policy")
		case s.SID != "" && sids[s.SID]:
			t.Error("a Sid twice")
		case s.Start.Line < 1 || s.Start.Column < 1 || s.End.Line < s.Start.Line:
			t.Errorf("from %v to %v", s.Start, s.End)
		case !s.compiled.ready:
			t.Error("not compiled")
		}
		sids[s.SID] = true
		for _, c := range s.Conditions {
			if parseOperator(c.Operator).family == asNothing {
				t.Errorf("operator %q", c.Operator)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::b/${aws:username}/*"}]}`,
		`{"Statement":{"Effect":"Deny","NotAction":["iam:*"],"NotResource":["*"],"Condition":{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00Z"},"Bool":{"a":false},"NumericEquals":{"b":[1,2.5e1]}}}}`,
		`{"Version":"2008-10-17","Id":"x","Statement":[{"Effect":"Allow","Principal":{"AWS":["123456789012","*","arn:aws:iam::123456789012:role/p/R"],"Service":"ec2.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`,
		`{"Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/a.b/c"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"ForAnyValue:StringLike":{"a.b/c:amr":["x*",""]}}}]}`,
		`{"Statement":[{"Effect":"Deny","NotPrincipal":{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"},"Action":"s3:*","Resource":["arn:aws:s3:::b"]}]}`,
		`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`,
		"{\"Statement\":\r\n[{\"Effect\":\"Allow\",\t\"Action\":\"a:\\u00e9\\ud83d\",\"Resource\":\"*\"}]}",
		`{"Statement":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}`, `{"a":1,"a":2}`, `{`, `[]`, `{"Statement":`, `nul`,
	} {
		for k := Identity; k <= Managed; k++ {
			f.Add(seed, int(k))
		}
	}
	same := cmp.Options{alike, cmpopts.IgnoreFields(Statement{}, "Start", "End"), cmpopts.EquateEmpty()}
	f.Fuzz(func(t *testing.T, text string, kind int) {
		k := Kind(kind)
		doc, err := Parse(text, k)
		if err != nil {
			var m *Malformed
			if !errors.As(err, &m) || m.Message == "" || doc != nil {
				t.Fatalf("%v, %v", doc, err)
			}
			return
		}
		rules(t, doc, k)
		doc.PrincipalARNs()
		for _, again := range []string{printed(t, doc), rewritten(t, text)} {
			second, err := Parse(again, k)
			if err != nil {
				t.Fatalf("%s\nprinted as %s\n%v", text, again, err)
			}
			if d := cmp.Diff(doc, second, same); d != "" {
				t.Fatalf("%s\nprinted as %s\n%s", text, again, d)
			}
		}
	})
}

func rewritten(t *testing.T, text string) string {
	out, err := RewritePrincipals(text, func(_, value string) string { return value })
	if err != nil {
		t.Fatal(err)
	}
	if a, b := Size(out), Size(text); a > 6*b { // a character is at most an escape of six
		t.Fatalf("%d characters of %d", a, b)
	}
	return out
}
