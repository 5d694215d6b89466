package policy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/evidence"
)

// ask evaluates a request of the session for an object, by one identity policy.
func ask(t *testing.T, context, policy string) Decision {
	t.Helper()
	r := Request{Principal: cast["session"], Action: "s3:GetObject", Resource: "arn:aws:s3:::b/o", Context: readContext(t, context)}
	return Evaluate(r, Source{Type: IdentityBased, Name: "inline policy p of role app", Document: rowDocument(t, policy, Identity, nil)})
}

func TestARefusalShowsWhatNearlyAllowed(t *testing.T) {
	t.Parallel()
	d := ask(t, "", `[
		{"Sid": "Condition", "Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"aws:PrincipalTag/team": "red"}}},
		{"Sid": "Action", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/*"},
		{"Sid": "Resource", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b"},
		{"Sid": "OtherService", "Effect": "Allow", "Action": "sqs:*", "Resource": "*"},
		{"Sid": "ActionAndResource", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::c/*"},
		{"Sid": "ActionOfAnyService", "Effect": "Allow", "Action": "*:Put*", "Resource": "*"},
		{"Sid": "DenyElsewhere", "Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::c/*"},
		{"Sid": "DenyOtherwise", "Effect": "Deny", "Action": "s3:GetObject", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
	]`)
	var sids []string
	for _, m := range d.Statements {
		sids = append(sids, m.SID)
		if m.Applies || m.Source != "inline policy p of role app" || m.Start.Line == 0 || m.End.Line < m.Start.Line {
			t.Errorf("%+v", m)
		}
	}
	if want := []string{"Condition", "Action", "Resource", "ActionOfAnyService", "DenyOtherwise"}; !slices.Equal(sids, want) {
		t.Fatalf("statements %q, want %q", sids, want)
	}
	if want := []string{"aws:PrincipalTag/team", "aws:SecureTransport"}; !slices.Equal(d.Missing, want) {
		t.Errorf("missing %q, want %q", d.Missing, want)
	}
	for i, want := range []evidence.Check{
		{Name: CheckCondition, Claim: "aws:PrincipalTag/team", Operator: "StringEquals", Want: []string{"red"},
			Note: "the request does not have the key, so nothing matches: false", Fix: "send a request that has aws:PrincipalTag/team, or use StringEqualsIfExists"},
		{Name: CheckAction, Claim: "Action", Operator: "matches", Want: []string{"s3:PutObject"}, Got: []string{"s3:GetObject"}, Fix: `add "s3:GetObject" to Action`},
		{Name: CheckResource, Claim: "Resource", Operator: "matches", Want: []string{"arn:aws:s3:::b"}, Got: []string{"arn:aws:s3:::b/o"}, Fix: `add "arn:aws:s3:::b/o" to Resource`},
	} {
		if got, _ := d.Statements[i].Checks.First(); !cmp.Equal(got, want) {
			t.Error(cmp.Diff(want, got))
		}
	}
}

func TestAnAllowanceShowsWhatAllowed(t *testing.T) {
	t.Parallel()
	d := ask(t, `{"aws:PrincipalTag/team": "red"}`, `[
		{"Sid": "Yes", "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*", "Condition": {"StringEquals": {"aws:PrincipalTag/team": ["blue", "red"]}}},
		{"Sid": "Other", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
	]`)
	want := Decision{
		Result: Allowed, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/o", Caller: "arn:aws:sts::123456789012:assumed-role/app/s1",
		Layers: []Layer{{Type: IdentityBased, Result: Allowed, Needed: true, Statements: 2}},
		Statements: []Matched{{
			Source: "inline policy p of role app", Type: IdentityBased, SID: "Yes", Effect: Allow, Applies: true,
			Start: d.Statements[0].Start, End: d.Statements[0].End,
			Checks: evidence.Checks{
				{Name: CheckAction, Claim: "Action", Operator: "matches", Want: []string{"s3:Get*"}, Got: []string{"s3:GetObject"}, OK: true},
				{Name: CheckResource, Claim: "Resource", Operator: "matches", Want: []string{"arn:aws:s3:::b/*"}, Got: []string{"arn:aws:s3:::b/o"}, OK: true},
				{Name: CheckCondition, Claim: "aws:PrincipalTag/team", Operator: "StringEquals", Want: []string{"blue", "red"}, Got: []string{"red"}, OK: true},
			},
		}},
	}
	if !cmp.Equal(d, want) {
		t.Error(cmp.Diff(want, d))
	}
}

// TestRulesAreTold looks at the check of one condition.
func TestRulesAreTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		context, condition string
		note, fix          string
		want               []string
	}{
		"a set operator is missing": {`{"aws:TagKeys": ["a"]}`, `{"StringEquals": {"aws:TagKeys": "a"}}`, "without ForAnyValue", "use ForAnyValue:StringEquals", []string{"a"}},
		"a wildcard is literal":     {`{"k:v": "abc"}`, `{"StringEquals": {"k:v": "a*"}}`, "differs from byte 2", "use StringLike: StringEquals takes", []string{"a*"}},
		"only case differs":         {`{"k:v": "ABC"}`, `{"ForAnyValue:StringEquals": {"k:v": "abc"}}`, "upper and lower case", `write "ABC", or use ForAnyValue:StringEqualsIgnoreCase`, []string{"abc"}},
		"not a number":              {`{"k:v": "x"}`, `{"NumericEquals": {"k:v": "1"}}`, "not a number", "", []string{"1"}},
		"not a date":                {`{"k:v": "x"}`, `{"DateLessThan": {"k:v": "2030-01-01"}}`, "not a date", "", []string{"2030-01-01"}},
		"not an address":            {`{"k:v": "x"}`, `{"NotIpAddress": {"k:v": "10.0.0.0/8"}}`, "cannot be read", "", []string{"10.0.0.0/8"}},
		"host bits of IPv6":         {`{"k:v": "2001:db8::1"}`, `{"IpAddress": {"k:v": "2001:db8::5/64"}}`, "host bits", "", []string{"2001:db8::5/64"}},
		"a variable without value":  {`{"k:v": "x"}`, `{"StringEquals": {"k:v": "${aws:username}"}}`, "no value for the variable aws:username", "", []string{"${aws:username}"}},
		"a variable is replaced":    {`{"k:v": "x", "aws:username": "alice"}`, `{"StringEquals": {"k:v": "${aws:username}!"}}`, "wanted \"a\"", "", []string{"alice!"}},
		"ForAnyValue of nothing":    {"", `{"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}}`, "ForAnyValue is false", "send a request that has aws:TagKeys", []string{"a"}},
		"a null that is there":      {`{"k:v": "x"}`, `{"Null": {"k:v": "true"}}`, "has the key", "", []string{"true"}},
	} {
		d := ask(t, c.context, `{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": `+c.condition+`}`)
		check, found := d.Statements[0].Checks.Named(CheckCondition)
		if !found || check.OK || !strings.Contains(check.Note, c.note) || !strings.HasPrefix(check.Fix, c.fix) || (check.Fix == "") != (c.fix == "") || !slices.Equal(check.Want, c.want) {
			t.Errorf("%s: %+v", name, check)
		}
	}
	for name, c := range map[string]struct{ condition, note string }{
		"a negated operator":   {`{"StringNotEquals": {"k:v": "a"}}`, "negated operator is true"},
		"IfExists":             {`{"StringEqualsIfExists": {"k:v": "a"}}`, "IfExists makes it true"},
		"ForAllValues":         {`{"ForAllValues:StringEquals": {"k:v": "a"}}`, "ForAllValues is true of no values"},
		"Null of what is none": {`{"Null": {"k:v": "true"}}`, "does not have the key"},
	} {
		d := ask(t, "", `{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": `+c.condition+`}`)
		check, _ := d.Statements[0].Checks.Named(CheckCondition)
		if !d.Allows() || !strings.Contains(check.Note, c.note) || check.Got != nil || d.Missing != nil {
			t.Errorf("%s: %+v, missing %q", name, check, d.Missing)
		}
	}
}

func TestMissingNamesVariablesOfResources(t *testing.T) {
	t.Parallel()
	d := ask(t, "", `{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/${aws:username}/${aws:PrincipalTag/team, 'x'}"}`)
	if !slices.Equal(d.Missing, []string{"aws:username"}) {
		t.Errorf("%q", d.Missing)
	}
	check, _ := d.Statements[0].Checks.Named(CheckResource)
	if check.Note != "the request has no value for aws:username" {
		t.Errorf("%+v", check)
	}
}

func TestPrincipalsAreShown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		who, principal, note, fix string
		ok                        bool
	}{
		"the role":                  {"session", `{"AWS": "arn:aws:iam::123456789012:role/svc/app"}`, "the role or user behind the session is named", "", true},
		"the account":               {"session", `{"AWS": "123456789012"}`, "the caller's account is named, not the caller", "", true},
		"another role":              {"session", `{"AWS": "arn:aws:iam::123456789012:role/other"}`, "", `add {"AWS": "arn:aws:iam::123456789012:role/svc/app"} to Principal`, false},
		"everyone, for a token":     {"token", `{"AWS": "*"}`, `"*" under AWS admits nobody who brings a token or an assertion`, `add {"Federated": "arn:aws:iam::123456789012:oidc-provider/idp.example"} to Principal`, false},
		"another service":           {"service", `{"Service": "sns.amazonaws.com"}`, "", `add {"Service": "lambda.amazonaws.com"} to Principal`, false},
		"the provider, for a token": {"token", `{"Federated": "arn:aws:iam::123456789012:oidc-provider/idp.example"}`, "", "", true},
	} {
		d := Evaluate(Request{Principal: cast[c.who], Action: "sts:AssumeRole", Resource: "arn:aws:iam::123456789012:role/target"},
			Source{Type: RoleTrust, Name: "trust", Document: read(t, `{"Effect": "Allow", "Principal": `+c.principal+`, "Action": "sts:AssumeRole"}`)})
		check := d.Statements[0].Checks[0]
		if check.Name != CheckPrincipal || check.OK != c.ok || check.Note != c.note || check.Fix != c.fix || len(check.Got) == 0 || len(check.Want) == 0 {
			t.Errorf("%s: %+v", name, check)
		}
		if _, found := d.Statements[0].Checks.Named(CheckResource); !found {
			t.Errorf("%s: no check of the resource", name)
		}
	}
}

func TestLayersSayWhyTheyCount(t *testing.T) {
	t.Parallel()
	bucket := func(principal string) Source {
		return Source{Type: ResourceBased, Document: read(t, `{"Effect": "Allow", "Principal": `+principal+`, "Action": "s3:*", "Resource": "*"}`)}
	}
	r := Request{Principal: cast["session"], Action: "s3:GetObject", Resource: "arn:aws:s3:::b/o"}
	d := Evaluate(r, bucket(`{"AWS": "arn:aws:sts::123456789012:assumed-role/app/s1"}`), Source{Type: SessionPolicy})
	want := []Layer{
		{Type: IdentityBased, Result: ImplicitDeny},
		{Type: SessionPolicy, Result: ImplicitDeny, Note: "it has no statements, so it allows nothing"},
		{Type: ResourceBased, Result: Allowed, Needed: true, Statements: 1, Note: "it names the caller itself, or everyone: no other policy's silence matters"},
	}
	if !d.Allows() || !cmp.Equal(d.Layers, want) {
		t.Error(cmp.Diff(want, d.Layers))
	}
	d = Evaluate(Request{Principal: cast["stranger"], Action: "s3:GetObject", Resource: "arn:aws:s3:::b/o", Owner: "123456789012"})
	want = []Layer{{Type: IdentityBased, Result: ImplicitDeny, Needed: true}, {Type: ResourceBased, Result: ImplicitDeny, Needed: true, Note: "there is none"}}
	if !cmp.Equal(d.Layers, want) {
		t.Error(cmp.Diff(want, d.Layers))
	}
	d = Evaluate(Request{Principal: cast["root"], Action: "s3:GetObject", Resource: "*"})
	if !d.Allows() || d.Layers[0].Note != "the root of an account needs no policy" {
		t.Errorf("%+v", d)
	}
}

func TestDecisionsGoThroughJSON(t *testing.T) {
	t.Parallel()
	d := ask(t, `{"aws:TagKeys": ["a"]}`, `{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"aws:TagKeys": "a"}}}`)
	b, err := json.Marshal(d)
	if err != nil || !strings.Contains(string(b), `"type":"identity-based policy"`) {
		t.Fatalf("%s, %v", b, err)
	}
	var back Decision
	if err := json.Unmarshal(b, &back); err != nil || !cmp.Equal(back, d) {
		t.Errorf("%v\n%s", err, cmp.Diff(d, back))
	}
	for typ := IdentityBased; typ <= RoleTrust; typ++ {
		var again Type
		if err := again.UnmarshalText([]byte(typ.String())); err != nil || again != typ {
			t.Errorf("%s: %d, %v", typ, again, err)
		}
	}
	var none Type
	if none.UnmarshalText([]byte("policy")) == nil || none.String() != "policy type 0" {
		t.Errorf("%s", none)
	}
}

func TestCallersAreNamed(t *testing.T) {
	t.Parallel()
	for who, want := range map[string]string{
		"user": "arn:aws:iam::123456789012:user/team/alice", "token": "arn:aws:iam::123456789012:oidc-provider/idp.example", "cognito": "cognito-identity.amazonaws.com",
		"service": "lambda.amazonaws.com", "anonymous": "anonymous",
	} {
		if got := Evaluate(Request{Principal: cast[who], Action: "s3:GetObject", Resource: "*"}).Caller; got != want {
			t.Errorf("%s: %q", who, got)
		}
	}
}
