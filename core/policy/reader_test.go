package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// read makes a document of JSON without any validation, so that what is refused when it is stored can be
// evaluated nonetheless: session policies and variables can bring such values. A statement, or a list of
// them, stands for a policy of the newer version.
func read(t testing.TB, s string) *Document {
	t.Helper()
	s = wrap(s)
	var in struct {
		Version   string
		Statement json.RawMessage
	}
	if err := json.Unmarshal([]byte(s), &in); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	raw := []json.RawMessage{in.Statement}
	if bytes.HasPrefix(in.Statement, []byte("[")) {
		raw = nil
		if err := json.Unmarshal(in.Statement, &raw); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	d := &Document{Version: in.Version}
	for _, r := range raw {
		st, err := readStatement(r)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		st.compile(d.Version)
		d.Statements = append(d.Statements, st)
	}
	return d
}

func wrap(s string) string {
	if strings.Contains(s, `"Statement"`) {
		return s
	}
	return `{"Version": "2012-10-17", "Statement": ` + s + `}`
}

// texts is a string or a list of scalars.
type texts []string

func (l *texts) UnmarshalJSON(b []byte) error {
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return err
	}
	list, is := v.([]any)
	if !is {
		list = []any{v}
	}
	*l = texts{}
	for _, e := range list {
		*l = append(*l, fmt.Sprint(e))
	}
	return nil
}

func readStatement(b []byte) (s Statement, err error) {
	var in struct {
		Sid                     string
		Effect                  Effect
		Principal, NotPrincipal json.RawMessage
		Action, NotAction       texts
		Resource, NotResource   texts
		Condition               json.RawMessage
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return s, err
	}
	s = Statement{SID: in.Sid, Effect: in.Effect, Actions: in.Action, NotActions: in.NotAction, Resources: in.Resource, NotResources: in.NotResource}
	if s.Principals, err = readPrincipals(in.Principal); err != nil {
		return s, err
	}
	if s.NotPrincipals, err = readPrincipals(in.NotPrincipal); err != nil {
		return s, err
	}
	s.Conditions, err = readConditions(in.Condition)
	return s, err
}

func readPrincipals(b []byte) (*Principals, error) {
	if b == nil {
		return nil, nil
	}
	if string(b) == `"*"` {
		return &Principals{Any: true}, nil
	}
	var in struct{ AWS, Federated, Service, CanonicalUser texts }
	err := json.Unmarshal(b, &in)
	return &Principals{AWS: in.AWS, Federated: in.Federated, Service: in.Service, CanonicalUser: in.CanonicalUser}, err
}

// readConditions keeps the order in which conditions are written.
func readConditions(b []byte) (out []Condition, err error) {
	err = members(b, func(operator string, keys json.RawMessage) error {
		return members(keys, func(key string, values json.RawMessage) error {
			var l texts
			err := json.Unmarshal(values, &l)
			out = append(out, Condition{Operator: operator, Key: key, Values: l})
			return err
		})
	})
	return out, err
}

func members(b []byte, each func(name string, value json.RawMessage) error) error {
	if b == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := each(name.(string), value); err != nil {
			return err
		}
	}
	return nil
}

// readContext takes strings for single-valued keys and lists for multivalued ones.
func readContext(t testing.TB, s string) Context {
	t.Helper()
	c := Context{}
	if s == "" {
		return c
	}
	var in map[string]any
	if err := json.Unmarshal([]byte(s), &in); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	for k, v := range in {
		if list, many := v.([]any); many {
			values := make([]string, len(list))
			for i := range list {
				values[i] = list[i].(string)
			}
			c.SetMany(k, values...)
			continue
		}
		c.Set(k, v.(string))
	}
	return c
}

// cast are the callers of the tests. The first account is the one that has the resources.
var cast = map[string]Principal{
	"user": {Type: User, Account: "123456789012", ARN: "arn:aws:iam::123456789012:user/team/alice", Issuer: "arn:aws:iam::123456789012:user/team/alice", ID: "AIDAALICEALICEALICE00"},
	"session": {Type: AssumedRole, Account: "123456789012", ARN: "arn:aws:sts::123456789012:assumed-role/app/s1",
		Issuer: "arn:aws:iam::123456789012:role/svc/app", ID: "AROAAPPAPPAPPAPPAPP00"},
	"federated": {Type: FederatedUser, Account: "123456789012", ARN: "arn:aws:sts::123456789012:federated-user/bob",
		Issuer: "arn:aws:iam::123456789012:user/team/alice", ID: "AIDAALICEALICEALICE00"},
	"rootfederated": {Type: FederatedUser, Account: "123456789012", ARN: "arn:aws:sts::123456789012:federated-user/bob",
		Issuer: "arn:aws:iam::123456789012:root", ID: "123456789012"},
	"root": {Type: Account, Account: "123456789012", ARN: "arn:aws:iam::123456789012:root", Issuer: "arn:aws:iam::123456789012:root", ID: "123456789012"},

	"stranger": {Type: User, Account: "210987654321", ARN: "arn:aws:iam::210987654321:user/eve", Issuer: "arn:aws:iam::210987654321:user/eve", ID: "AIDAEVEEVEEVEEVEEVE00"},
	"strangersession": {Type: AssumedRole, Account: "210987654321", ARN: "arn:aws:sts::210987654321:assumed-role/far/s2",
		Issuer: "arn:aws:iam::210987654321:role/far", ID: "AROAFARFARFARFARFAR00"},
	"strangerroot": {Type: Account, Account: "210987654321", ARN: "arn:aws:iam::210987654321:root", Issuer: "arn:aws:iam::210987654321:root", ID: "210987654321"},

	"anonymous": {Type: Anonymous},
	"token":     {Type: WebIdentity, Account: "123456789012", Federated: "arn:aws:iam::123456789012:oidc-provider/idp.example"},
	"cognito":   {Type: WebIdentity, Federated: "cognito-identity.amazonaws.com"},
	"assertion": {Type: SAML, Account: "123456789012", Federated: "arn:aws:iam::123456789012:saml-provider/idp"},
	"service":   {Type: Service, Service: "lambda.amazonaws.com"},
}
