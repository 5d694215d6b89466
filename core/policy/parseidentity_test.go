package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The first half was recorded as accepted by CreatePolicy (moto's test_iam_policies).
func TestIdentityPoliciesAccepted(t *testing.T) {
	for name, body := range map[string]string{
		"a list of one resource":        `{"Effect":"Allow","Action":"s3:ListBucket","Resource":["arn:aws:s3:::example_bucket"]}`,
		"spaces in an action's name":    `{"Effect":"Allow","Action":"iam: asdf safdsf af ","Resource":"arn:aws:s3:::b"}`,
		"a bucket and all":              `{"Effect":"Allow","Action":"s3:ListBucket","Resource":["arn:aws:s3:::b","*"]}`,
		"all actions":                   `{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b"}`,
		"all actions of all vendors":    `{"Effect":"Allow","Action":"*:*","Resource":"*"}`,
		"a list of one statement":       `[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]`,
		"an unknown action":             `{"Effect":"Allow","Action":"service-prefix:action-name","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2017-07-01T00:00:00Z"},"DateLessThan":{"aws:CurrentTime":"2017-12-31T23:59:59Z"}}}`,
		"an IAM user without account":   `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:iam:::user/example_bucket"}`,
		"an unknown vendor":             `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s33:::example_bucket"}`,
		"an ARN of three segments":      `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:fdsasf"}`,
		"an empty condition":            `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{}}`,
		"a set operator":                `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"Department"}}}`,
		"a region of another vendor":    `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:cloudwatch:us-east-1::example_bucket"}`,
		"a vendor with a hyphen":        `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:invalid-service:us-east-1::example_bucket"}`,
		"an operator without keys":      `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"DateGreaterThan":{}}}`,
		"a key without values":          `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"DateGreaterThan":{"a":[]}}}`,
		"unknown operators without key": `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"x":{},"y":{}}}`,
		"NotAction":                     `{"Effect":"Allow","NotAction":"s3:ListBucket","Resource":"arn:aws:s3:::b"}`,
		"NotResource":                   `{"Effect":"Deny","Action":"s3:*","NotResource":["arn:aws:s3:::HRBucket/Payroll","arn:aws:s3:::HRBucket/Payroll/*"]}`,
		"NotAction and NotResource":     `{"Effect":"Allow","NotAction":"s3:ListBucket","NotResource":"*"}`,
		"an id":                         `{{"Version":"2012-10-17","Id":"sdfsdfsdf","Statement":{"Effect":"Allow","NotAction":"s3:ListBucket","Resource":"*"}}`,
		"a vendor with hyphen and dot":  `{"Effect":"Allow","Action":["s3-s:ListBucket","s3.s:ListBucket"],"Resource":"*"}`,
		"one Sid of two statements":     `[{"Sid":"sdf","Effect":"Allow","Action":"s3:ListBucket","Resource":"*"},{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]`,
		"two empty Sids":                `[{"Sid":"","Effect":"Allow","Action":"rds:*","Resource":["arn:aws:rds:region:*:*"]},{"Sid":"","Effect":"Allow","Action":["rds:Describe*"],"Resource":["*"]}]`,
		"the month T":                   `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"DateGreaterThan":{"a":"01T"}}}`,
		"IfExists":                      `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"StringEqualsIfExists":{"a":"asf"},"ForAnyValue:StringEqualsIfExists":{"a":"asf"}}}`,
		"dates":                         `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"DateLessThanEquals":{"a":["2019-07-01T13:20:15Z","2016-12-13T21:20:37.593194+00:00","2016-12-13t2:00:00.593194+23"]},"DateLessThan":{"a":"-292275054"}}}`,
		"variables":                     `{"Effect":"Allow","Action":["iam:ChangePassword","iam:GetUser"],"Resource":["arn:aws:iam::*:user/${aws:username}","arn:aws:iam::*:mfa/${aws:username}"],"Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}`,
		"access points":                 `{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:us-west-2:123456789012:accesspoint/my-access-point","arn:aws:s3:us-west-2:123456789012:accesspoint/my-access-point/object/*"]}`,

		"IAM everything":                         `{"Effect":"Allow","Action":"iam:*","Resource":["arn:aws:iam::123456789012:*","arn:aws:iam::aws:policy/ReadOnlyAccess","arn:aws:iam"]}`,
		"any region of S3":                       `{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:*:123456789012:job/*","arn:aws:s3:*:*:*"]}`,
		"another partition":                      `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws-cn:s3:::b"}`,
		"any partition, as CDK Pipelines writes": `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":["arn:*:iam::*:role/*-file-publishing-role-*","arn:*:kms:*:::*"]}`,
		"the root as resource":                   `{"Effect":"Allow","Action":"sts:AssumeRoot","Resource":"arn:aws:iam::*:root"}`,
		"scalars":                                `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":true},"NumericLessThan":{"s3:max-keys":[10,1.50,"7"]}}}`,
		"operators in any case":                  `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"stringlike":{"a":"x"},"FORANYVALUE:STRINGLIKEIFEXISTS":{"a":"x"}}}`,
		"a zone to the west":                     `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"DateEquals":{"a":["2020-01-01T10:00:00-05:00","2020-01-01T10:00Z","0"]}}}`,
		"elements in any order":                  `{"Resource":"*","Condition":{},"Action":"s3:*","Effect":"Deny","Sid":"A1"}`,
		"escapes":                                `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/\u00e9\/\"x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, k := range []Kind{Identity, Session, Managed} {
				if _, err := Parse(document(body), k); err != nil {
					t.Errorf("kind %d: %v", k, err)
				}
			}
		})
	}
}

func TestEveryOperatorParses(t *testing.T) {
	values := map[family]string{asDate: "2020-01-01"}
	for name, o := range operators {
		forms := []string{name, "ForAllValues:" + name, "ForAnyValue:" + name}
		if o.family != asNull {
			forms = append(forms, name+"IfExists", "ForAnyValue:"+name+"IfExists", "ForAllValues:"+name+"ifexists")
		}
		for _, form := range forms {
			value := values[o.family]
			if value == "" {
				value = "true"
			}
			text := document(`{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"` + form + `":{"aws:x":"` + value + `"}}}`)
			doc, err := Parse(text, Identity)
			if err != nil {
				t.Errorf("%s: %v", form, err)
				continue
			}
			if got := doc.Statements[0].Conditions[0].Operator; got != form {
				t.Errorf("operator %s became %s", form, got)
			}
		}
	}
}

// alike compares what documents say, not what evaluation makes of it.
var alike = cmp.Options{cmpopts.IgnoreUnexported(Statement{})}

func TestDocumentsHoldWhatIsWritten(t *testing.T) {
	const text = `{
  "Id": "é1",
  "Version": "2012-10-17",
  "Statement": [{"Sid": "One", "Effect": "Allow",
    "Principal": {"AWS": ["123456789012", "arn:aws:iam::123456789012:role/R"], "Federated": "accounts.google.com",
      "Service": "ec2.amazonaws.com"},
    "Action": ["s3:GetObject", "s3:Put*"], "Resource": "arn:aws:s3:::b/*",
    "Condition": {"NumericLessThan": {"s3:max-keys": [10, 1.50, 1e3]}, "Bool": {"aws:SecureTransport": true},
      "ForAnyValue:StringLike": {"b": "x", "a": []}}
  },{"Effect":"Deny","NotPrincipal":"*","NotAction":"*","NotResource":[ "*" ]} ]
}`
	got, err := Parse(text, Resource)
	if err != nil {
		t.Fatal(err)
	}
	want := &Document{Version: "2012-10-17", ID: "é1", Statements: []Statement{
		{
			SID: "One", Effect: Allow,
			Principals: &Principals{
				AWS:       []string{"123456789012", "arn:aws:iam::123456789012:role/R"},
				Federated: []string{"accounts.google.com"},
				Service:   []string{"ec2.amazonaws.com"},
			},
			Actions:   []string{"s3:GetObject", "s3:Put*"},
			Resources: []string{"arn:aws:s3:::b/*"},
			Conditions: []Condition{
				{Operator: "NumericLessThan", Key: "s3:max-keys", Values: []string{"10", "1.50", "1e3"}},
				{Operator: "Bool", Key: "aws:SecureTransport", Values: []string{"true"}},
				{Operator: "ForAnyValue:StringLike", Key: "b", Values: []string{"x"}},
				{Operator: "ForAnyValue:StringLike", Key: "a", Values: []string{}},
			},
			Start: Position{4, 17}, End: Position{10, 3},
		},
		{
			Effect: Deny, NotPrincipals: &Principals{Any: true}, NotActions: []string{"*"}, NotResources: []string{"*"},
			Start: Position{10, 5}, End: Position{10, 78},
		},
	}}
	if d := cmp.Diff(want, got, alike); d != "" {
		t.Error(d)
	}
}

func TestPositionsCountLinesAndCharacters(t *testing.T) {
	const statement = `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`
	for _, c := range []struct {
		name, text string
		start, end Position
	}{
		{"one line", `{"Statement":` + statement + `}`, Position{1, 14}, Position{1, 62}},
		{"a list", `{"Statement":[` + statement + `]}`, Position{1, 15}, Position{1, 63}},
		{"line feeds", "{\n\"Statement\":\n\n " + statement + "}", Position{4, 2}, Position{4, 50}},
		{"carriage returns and line feeds", "{\r\n\"Statement\":\r\n" + statement + "}", Position{3, 1}, Position{3, 49}},
		{"carriage returns", "{\r\"Statement\":\r" + statement + "}", Position{3, 1}, Position{3, 49}},
		{"characters of several bytes", `{"Id":"éé€😀","Statement":` + statement + `}`, Position{1, 26}, Position{1, 74}},
		{"tabs", "\t\t{\"Statement\":" + statement + "}", Position{1, 16}, Position{1, 64}},
		{"braces in strings", `{"Id":"{}{\"","Statement":` + statement + `}`, Position{1, 27}, Position{1, 75}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc, err := Parse(c.text, Identity)
			if err != nil {
				t.Fatal(err)
			}
			if s := doc.Statements[0]; s.Start != c.start || s.End != c.end {
				t.Errorf("%v to %v, want %v to %v", s.Start, s.End, c.start, c.end)
			}
		})
	}
}

func TestManyStatementsHaveTheirPositions(t *testing.T) {
	const one = `{"Effect":"Allow","Action":"*","Resource":"*"},` + "\n"
	n := (maxLength - 100) / len(one)
	text := `{"Statement":[` + "\n" + strings.TrimSuffix(strings.Repeat(one, n), ",\n") + `]}`
	doc, err := Parse(text, Identity)
	if err != nil || len(doc.Statements) != n || doc.Statements[n-1].Start != (Position{n + 1, 1}) {
		t.Fatal(err, doc)
	}
}

func TestSizeCountsNoWhiteSpace(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "{}": 2, " {\n\t\"a b\" : [ ]\r\n} ": 9, `{"é":"😀"}`: 9,
	} {
		if got := Size(text); got != want {
			t.Errorf("Size(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestPrincipalARNsAreUsersAndRoles(t *testing.T) {
	doc, err := Parse(document(`[
		{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:role/a/R","123456789012","arn:aws:iam::123456789012:root","*"],"Federated":"arn:aws:iam::123456789012:oidc-provider/x.y"},"Action":"sts:AssumeRole"},
		{"Effect":"Allow","Principal":{"AWS":["arn:aws:sts::123456789012:assumed-role/R/S","AROAQAAAAAAAIRGDIPJIY","arn:aws:iam::123456789012:user/u"]},"Action":"sts:AssumeRole"},
		{"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::123456789012:user/v","arn:aws:iam::123456789012:role/a/R"]},"Action":"sts:AssumeRole"}]`), Trust)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"arn:aws:iam::123456789012:role/a/R", "arn:aws:iam::123456789012:user/u", "arn:aws:iam::123456789012:user/v"}
	if d := cmp.Diff(want, doc.PrincipalARNs()); d != "" {
		t.Error(d)
	}
}

func TestARNsComeApart(t *testing.T) {
	for s, want := range map[string]ARN{
		"arn:aws:iam::123456789012:role/a/R":                     {"aws", "iam", "", "123456789012", "role/a/R"},
		"arn:aws:s3:::bucket/a:b/c":                              {"aws", "s3", "", "", "bucket/a:b/c"},
		"arn:aws-cn:dynamodb:cn-north-1:123456789012:table/t":    {"aws-cn", "dynamodb", "cn-north-1", "123456789012", "table/t"},
		"arn:aws:cognito-idp:us-east-1:1:userpool/us-east-1_abc": {"aws", "cognito-idp", "us-east-1", "1", "userpool/us-east-1_abc"},
	} {
		got, ok := ParseARN(s)
		if !ok || got != want || got.String() != s {
			t.Errorf("ParseARN(%s) = %+v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "*", "arn", "arn:aws:iam", "arn:aws:iam::123456789012", "arn:aws:iam::123456789012:", "urn:aws:iam::1:x", "arn::iam::1:x", "arn:aws:::1:x", "ARN:aws:iam::1:x"} {
		if got, ok := ParseARN(s); ok {
			t.Errorf("ParseARN(%s) = %+v", s, got)
		}
	}
}
