package policy

import (
	"errors"
	"strings"
	"testing"
)

// asGetRole is what IAM does to a trust policy that it shows: accounts become their root's ARN, deleted
// entities their unique id.
func asGetRole(kind, value string) string {
	switch {
	case kind == "AWS" && isAccount(value):
		return "arn:aws:iam::" + value + ":root"
	case kind == "AWS" && strings.HasSuffix(value, "/gone"):
		return "AROAQAAAAAAAIRGDIPJIY"
	}
	return value
}

func TestRewritePrincipals(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{
			"the order of a recorded GetRole",
			`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}]}`,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`,
		}, {
			"accounts and deleted roles",
			`{"Statement":{"Condition":{"Bool":{"a":true}},"Action":"sts:AssumeRole","Principal":{"AWS":["123456789012","arn:aws:iam::123456789012:role/gone"],"Federated":"123456789012"},"Effect":"Allow","Sid":"x"},"Version":"2008-10-17"}`,
			`{"Statement":{"Sid":"x","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:root","AROAQAAAAAAAIRGDIPJIY"],"Federated":"123456789012"},"Action":"sts:AssumeRole","Condition":{"Bool":{"a":true}}},"Version":"2008-10-17"}`,
		}, {
			"an account excepted, and a single one in a list",
			`{"Statement":[{"NotAction":["sts:x"],"NotPrincipal":{"AWS":["123456789012"]},"Effect":"Deny"}]}`,
			`{"Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::123456789012:root"]},"NotAction":["sts:x"]}]}`,
		}, {
			"the bare star, and names like those of principals elsewhere",
			`{"Statement":{"Principal":"*","Effect":"Allow","Condition":{"StringEquals":{"Principal":"123456789012","AWS":["123456789012",1.50,false]}}}}`,
			`{"Statement":{"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"Principal":"123456789012","AWS":["123456789012",1.50,false]}}}}`,
		}, {
			"characters that JSON escapes",
			`{"Id":"<a&b>\u00e9\"\\\n","Statement":[]}`,
			`{"Id":"<a&b>é\"\\\n","Statement":[]}`,
		}, {
			"what is no valid policy",
			`{"Statement":["x",null,{"Other":{"b":1,"a":[]},"Principal":[1,"123456789012"],"Effect":3}],"z":{}}`,
			`{"Statement":["x",null,{"Effect":3,"Principal":[1,"123456789012"],"Other":{"b":1,"a":[]}}],"z":{}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := RewritePrincipals(c.in, asGetRole)
			if err != nil || got != c.want {
				t.Errorf("%v\n got %s\nwant %s", err, got, c.want)
			}
			if again, err := RewritePrincipals(got, asGetRole); err != nil || again != got {
				t.Errorf("again %s, %v", again, err)
			}
		})
	}
	for _, bad := range []string{"", "[]", "{", `{"a":1}x`, "\"\xff\""} {
		var m *Malformed
		if _, err := RewritePrincipals(bad, asGetRole); !errors.As(err, &m) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
