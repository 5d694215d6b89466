package policy

import (
	"errors"
	"strings"
	"testing"
)

// A document is written in tests as its statement's elements. In full it starts with a brace of its own.
func document(body string) string {
	if strings.HasPrefix(body, "{{") {
		return strings.TrimPrefix(body, "{")
	}
	return `{"Version":"2012-10-17","Statement":` + body + `}`
}

// anyText is for what AWS refuses in words that nobody recorded: only that it is malformed counts.
const anyText = "?"

type malformedCase struct{ name, document, want string }

func checkMalformed(t *testing.T, k Kind, cases []malformedCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc, err := Parse(document(c.document), k)
			var m *Malformed
			if !errors.As(err, &m) || doc != nil {
				t.Fatalf("Parse(%s) = %v, %v; want malformed", c.document, doc, err)
			}
			if c.want != anyText && m.Message != c.want {
				t.Errorf("message\n got %s\nwant %s", m.Message, c.want)
			}
			if m.Message == "" {
				t.Error("no message")
			}
		})
	}
}

// The documents and texts of this table were recorded from CreatePolicy (moto's test_iam_policies).
func TestManagedPoliciesMalformed(t *testing.T) {
	const iamPath = `IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/.`
	checkMalformed(t, Managed, []malformedCase{
		{"no JSON", `{{This is not a json document`, errSyntax},
		{"no version", `{{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"}}`, errVersion},
		{"older version", `{{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"}}`, errVersion},
		{"unknown version", `{{"Version":"2013-10-17","Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"}}`, errSyntax},
		{"no statement", `{{"Version":"2012-10-17"}`, errSyntax},
		{"a statement that is a string", `["afd"]`, errSyntax},
		{"an unknown element", `{{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"},"Extra field":"value"}`, errSyntax},
		{"an unknown element of a statement", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Extra field":"value"}`, errSyntax},
		{"an id that is a list", `{{"Version":"2012-10-17","Id":["cd3a"],"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}}`, errSyntax},
		{"an id that is an object", `{{"Version":"2012-10-17","Id":{},"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}}`, errSyntax},
		{"an invalid effect", `{"Effect":"invalid","Action":"s3:ListBucket","Resource":"*"}`, errSyntax},
		{"an action without vendor", `{"Effect":"Allow","Action":"invalid","Resource":"arn:aws:s3:::b"}`, errVendor},
		{"an empty NotAction", `{"Effect":"Allow","NotAction":"","Resource":"arn:aws:s3:::b"}`, errVendor},
		{"a vendor with a space", `{"Effect":"Allow","Action":"a a:ListBucket","Resource":"arn:aws:s3:::b"}`, "Vendor a a is not valid"},
		{"an action with two colons", `{"Effect":"Allow","Action":"s3:List:Bucket","Resource":"arn:aws:s3:::b"}`, errColons},
		{"an action with two colons in the second statement", `[{"Effect":"Allow","Action":"s3s:ListBucket","Resource":"*"},{"Effect":"Allow","Action":"s:3s:ListBucket","Resource":"*"}]`, errColons},
		{"a resource that is no ARN", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"invalid resource"}`, `Resource invalid resource must be in ARN format or "*".`},
		{"an empty resource", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":""}`, `Resource  must be in ARN format or "*".`},
		{"a bad resource before a bad action", `{"Effect":"Allow","Action":"s:3:ListBucket","Resource":"sdfsadf"}`, `Resource sdfsadf must be in ARN format or "*".`},
		{"a bad resource in a list", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":["adf"]}`, `Resource adf must be in ARN format or "*".`},
		{"two empty resources", `[{"Sid":"A","Effect":"Allow","Action":["account:EnableRegion"],"Resource":"","Condition":{"StringEquals":{"account:TargetRegion":"ap-east-1"}}},{"Sid":"B","Effect":"Allow","Action":"account:ListRegions","Resource":""}]`, `Resource  must be in ARN format or "*".`},
		{"a resource of two words", `{"Effect":"Allow","NotAction":"s3s:ListBucket","Resource":"a:bsdfdsafsad"}`, `Partition "bsdfdsafsad" is not valid for resource "arn:bsdfdsafsad:*:*:*:*".`},
		{"a resource of three words", `{"Effect":"Allow","NotAction":"s3s:ListBucket","Resource":"a:b:cadfsdf"}`, `Partition "b" is not valid for resource "arn:b:cadfsdf:*:*:*".`},
		{"a resource of eight words", `{"Effect":"Allow","NotAction":"s3s:ListBucket","Resource":"a:b:c:d:e:f:g:h"}`, `Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h".`},
		{"a resource without arn", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"aws:s3:::example_bucket"}`, `Partition "s3" is not valid for resource "arn:s3:::example_bucket:*".`},
		{"the first of two bad partitions", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":["arn:error:s3:::example_bucket","arn:error:s3::example_bucket"]}`, `Partition "error" is not valid for resource "arn:error:s3:::example_bucket".`},
		{"no statements", `[]`, errSyntax},
		{"no resource", `{"Effect":"Allow","Action":"s3:ListBucket"}`, errNoResources},
		{"no resources in the list", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":[]}`, errNoResources},
		{"a bad action before no resource", `{"Effect":"Allow","Action":"invalid"}`, errVendor},
		{"no action", `{"Effect":"Allow","Resource":"arn:aws:s3:::b"}`, errNoActions},
		{"no effect", `{"Action":"s3:ListBucket","Resource":"arn:aws:s3:::b"}`, errSyntax},
		{"an effect alone", `{"Effect":"Allow"}`, errNoActions},
		{"no actions in the list", `{"Effect":"Allow","Action":[],"Resource":"arn:aws:s3:::b"}`, errNoActions},
		{"no action in the first of two", `[{"Effect":"Deny"},{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]`, errNoActions},
		{"an IAM resource of no known type", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:iam:::example_bucket"}`, iamPath},
		{"an ARN cut short after an empty segment", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3::example_bucket"}`, errLegacy},
		{"legacy parsing before no action", `{"Effect":"Allow","Resource":"arn:aws:s3::example_bucket"}`, errLegacy},
		{"an ARN without vendor", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws"}`, errResource},
		{"a resource that is an object", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":{"a":"arn:aws:s3:::b"}}`, errSyntax},
		{"a resource list with an object", `{"Effect":"Deny","Action":"s3:ListBucket","Resource":["adfdf",{}]}`, errSyntax},
		{"Resource and an empty NotResource", `{"Effect":"Allow","NotAction":"s3:ListBucket","Resource":"*","NotResource":[]}`, errSyntax},
		{"an action that is a list of lists", `{"Effect":"Deny","Action":[[]],"Resource":"*"}`, errSyntax},
		{"NotAction and an empty Action", `{"Effect":"Allow","NotAction":"s3s:ListBucket","Action":[],"Resource":"*"}`, errSyntax},
		{"an action that is an object", `{"Effect":"Allow","Action":{},"Resource":"*"}`, errSyntax},
		{"a condition that is a list", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":[]}`, errSyntax},
		{"a condition that is a string", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":"a"}`, errSyntax},
		{"an operator with a string", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"a":"b"}}`, errSyntax},
		{"a known operator with a string", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"DateGreaterThan":"b"}}`, errSyntax},
		{"a known operator with a list", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"DateGreaterThan":[]}}`, errSyntax},
		{"a key with an object", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"DateGreaterThan":{"a":{}}}}`, errSyntax},
		{"syntax before no action", `{"Effect":"Allow","Resource":"*","Condition":{"DateGreaterThan":{"a":{}}}}`, errSyntax},
		{"an unknown operator", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"x":{"a":"1"}}}`, errSyntax},
		{"a set operator with two colons", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"ForAnyValue::StringEqualsIfExists":{"a":"asf"}}}`, errSyntax},
		{"a list of conditions", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":[{"ForAllValues:StringEquals":{"aws:TagKeys":"Department"}}]}`, errSyntax},
		{"an IAM resource with a region", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:iam:us-east-1::example_bucket"}`, "IAM resource arn:aws:iam:us-east-1::example_bucket cannot contain region information."},
		{"a bucket with a region", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:us-east-1::example_bucket"}`, "Resource arn:aws:s3:us-east-1::example_bucket can not contain region information."},
		{"a Sid that is an object", `{"Sid":{},"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}`, errSyntax},
		{"a Sid that is a list", `{"Sid":[],"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}`, errSyntax},
		{"a Sid twice, before no action", `[{"Sid":"sdf","Effect":"Allow","Action":"s3:ListBucket","Resource":"*"},{"Sid":"sdf","Effect":"Allow"}]`, errSIDTwice},
		{"the version before a Sid twice", `{{"Statement":[{"Sid":"sdf","Effect":"Allow","Action":"s3:ListBucket","Resource":"*"},{"Sid":"sdf","Effect":"Allow"}]}`, errVersion},
		{"Action and NotAction", `{"Effect":"Allow","NotAction":"s3:ListBucket","Action":"iam:dsf","Resource":"*"}`, errSyntax},
		{"Resource and NotResource", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::b","NotResource":"*"}`, errSyntax},
		{"an effect in other case", `{"Effect":"denY","Action":"s3:ListBucket","Resource":"*"}`, errLegacy},
		{"a date that is none", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"DateGreaterThan":{"a":"sdfdsf"}}}`, errLegacy},
		{"the version before a date", `{{"Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"DateGreaterThan":{"a":"sdfdsf"}}}}`, errVersion},
		{"the version before an effect", `{{"Statement":{"Effect":"denY","Action":"s3:ListBucket","Resource":"*"}}`, errVersion},
		{"a date before no action", `{"Effect":"Allow","Condition":{"DateGreaterThan":{"a":"sdfdsf"}}}`, errLegacy},
		{"an ARN with an empty vendor", `{"Effect":"Allow","NotAction":"s3:ListBucket","Resource":"arn:aws::::example_bucket"}`, errLegacy},
		{"an effect before a region", `{"Effect":"allow","Resource":"arn:aws:s3:us-east-1::example_bucket"}`, errLegacy},
		{"an effect before a Sid twice", `[{"Sid":"sdf","Effect":"aLLow","Action":"s3:ListBucket","Resource":"*"},{"Sid":"sdf","Effect":"Allow"}]`, errLegacy},
		{"a NotResource cut short", `{"Effect":"Allow","Action":"s3:ListBucket","NotResource":"arn:aws:s3::example_bucket"}`, errLegacy},
		{"a date of month 13", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"DateLessThanEquals":{"a":"234-13"}}}`, errLegacy},
		{"a zone of one digit", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"DateLessThanEquals":{"a":"2016-12-13t2:00:00.593194+1"}}}`, errLegacy},
		{"a fraction of ten digits", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"DateLessThanEquals":{"a":"2016-12-13t2:00:00.1999999999+10:59"}}}`, errLegacy},
		{"seconds beyond 64 bits", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"DateLessThan":{"a":"9223372036854775808"}}}`, errLegacy},
		{"a date before a partition", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:error:s3:::b","Condition":{"DateGreaterThan":{"a":"sdfdsf"}}}`, errLegacy},
		{"an ARN of four segments with an empty vendor", `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws::fdsasf"}`, errLegacy},
	})
}

// These were not in that recording: what other reports and the grammar say.
func TestIdentityPoliciesMalformed(t *testing.T) {
	checkMalformed(t, Identity, []malformedCase{
		{"an empty text", `{{`, errSyntax},
		{"a list", `{[]`, errSyntax},
		{"data after the end", `{{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}} x`, errSyntax},
		{"a second document", `{{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}{}`, errSyntax},
		{"a comma too many", `{{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*",}}`, errSyntax},
		{"a comment", `{{"Statement":{"Effect":"Allow",/* all */"Action":"s3:*","Resource":"*"}}`, errSyntax},
		{"invalid UTF-8", "{\"Effect\":\"Allow\",\"Action\":\"s3:\xff\",\"Resource\":\"*\"}", errSyntax},
		{"a name twice", `{"Effect":"Deny","Effect":"Allow","Action":"s3:*","Resource":"*"}`, errSyntax},
		{"Version twice", `{{"Version":"2012-10-17","Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`, errSyntax},
		{"a condition's key twice", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:username":"a","aws:username":"b"}}}`, errSyntax},
		{"an operator twice", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"a":"a"},"StringEquals":{"b":"b"}}}`, errSyntax},
		{"an element in other case", `{"effect":"Allow","Action":"s3:*","Resource":"*"}`, errSyntax},
		{"a statement null", `null`, errSyntax},
		{"an action null", `{"Effect":"Allow","Action":null,"Resource":"*"}`, errSyntax},
		{"an action that is a number", `{"Effect":"Allow","Action":123,"Resource":"*"}`, errSyntax},
		{"an effect null", `{"Effect":null,"Action":"s3:*","Resource":"*"}`, errSyntax},
		{"an effect in a list", `{"Effect":["Allow"],"Action":"s3:*","Resource":"*"}`, errSyntax},
		{"an empty effect", `{"Effect":"","Action":"s3:*","Resource":"*"}`, errSyntax},
		{"a condition value null", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":null}}}`, errSyntax},
		{"a list of lists of values", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":[["true"]]}}}`, errSyntax},
		{"NullIfExists", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"NullIfExists":{"aws:username":"true"}}}`, errSyntax},
		{"an unknown set operator", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"ForSomeValues:StringEquals":{"aws:username":"a"}}}`, errSyntax},
		{"a version that is a number", `{{"Version":2012,"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`, errSyntax},
		{"an empty version", `{{"Version":"","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`, errSyntax},
		{"an unknown version", `{{"Version":"2020-01-01","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`, errSyntax},
		{"a principal", `{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}`, errPrincipal},
		{"a trust policy", `{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}`, errPrincipal},
		{"a NotPrincipal", `{"Effect":"Deny","NotPrincipal":{"AWS":"123456789012"},"Action":"s3:*","Resource":"*"}`, errPrincipal},
		{"a principal that is a number", `{"Effect":"Allow","Principal":7,"Action":"s3:*","Resource":"*"}`, errSyntax},
		{"a Sid with a hyphen", `{"Sid":"a-b","Effect":"Allow","Action":"s3:*","Resource":"*"}`, errSIDForm},
		{"a Sid with a letter beyond ASCII", `{"Sid":"é","Effect":"Allow","Action":"s3:*","Resource":"*"}`, errSIDForm},
		{"a Sid's form before no actions", `{"Sid":"a b","Effect":"Allow"}`, errSIDForm},
		{"an empty vendor", `{"Effect":"Allow","Action":":GetObject","Resource":"*"}`, "Vendor  is not valid"},
		{"a vendor that ends with a space", `{"Effect":"Allow","Action":"iam :Get","Resource":"*"}`, "Vendor iam  is not valid"},
		{"a vendor with a wildcard", `{"Effect":"Allow","Action":"s*:GetObject","Resource":"*"}`, "Vendor s* is not valid"},
		{"an empty partition", `{"Effect":"Allow","Action":"s3:*","Resource":"s3::example-bucket/*"}`, `Partition "" is not valid for resource "arn::example-bucket/*:*:*:*".`},
		{"a fused partition and vendor", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:awss3::example-bucket/*"}`, errLegacy},
		{"an unknown partition", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws2:s3:::example-bucket/*"}`, `Partition "aws2" is not valid for resource "arn:aws2:s3:::example-bucket/*".`},
		{"a vendor of a resource with a wildcard", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s*:::b"}`, errResource},
		{"a vendor of a resource that is a variable", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:${x}:::b"}`, errResource},
		{"a scheme other than arn", `{"Effect":"Allow","Action":"s3:*","Resource":"urn:aws:s3:::b"}`, `Resource urn:aws:s3:::b must be in ARN format or "*".`},
		{"a bad NotResource", `{"Effect":"Allow","Action":"s3:*","NotResource":"invalid"}`, `Resource invalid must be in ARN format or "*".`},
		{"a region of a bucket with account", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:us-east-1:123456789012:bucket"}`, "Resource arn:aws:s3:us-east-1:123456789012:bucket can not contain region information."},
		{"something of the root", `{"Effect":"Allow","Action":"iam:*","Resource":"arn:aws:iam::123456789012:root/x"}`, anyText},
		{"a date in a list", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"DateEquals":{"a":["2020-01-01","x"]}}}`, errLegacy},
		{"a date with IfExists and set operator", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"ForAnyValue:DateEqualsIfExists":{"a":"x"}}}`, errLegacy},
		{"a date that is a boolean", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"DateEquals":{"a":true}}}`, errLegacy},
		{"a negative number of seconds", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"DateEquals":{"a":-292275055}}}`, errLegacy},
		{"an hour of 24", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"DateEquals":{"a":"2020-01-01T24:00:00Z"}}}`, errLegacy},
		{"a principal before no actions", `{"Effect":"Allow","Principal":"*"}`, errPrincipal},
		{"a Sid twice before a principal", `[{"Sid":"A","Effect":"Allow","Principal":"*"},{"Sid":"A","Effect":"Allow"}]`, errSIDTwice},
		{"a bad action before resources missing elsewhere", `[{"Effect":"Allow","Action":"s3:*"},{"Effect":"Allow","Action":"x","Resource":"*"}]`, errVendor},
		{"too deep", strings.Repeat(`[`, 20) + strings.Repeat(`]`, 20), errSyntax},
		{"too long", `{"Effect":"Allow","Action":"s3:*","Resource":"` + strings.Repeat("x", maxLength) + `"}`, errSyntax},
	})
}

func TestSessionPoliciesAreIdentityPolicies(t *testing.T) {
	checkMalformed(t, Session, []malformedCase{
		{"no JSON", `{x`, errSyntax},
		{"a principal", `{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}`, errPrincipal},
		{"no resource", `{"Effect":"Allow","Action":"s3:*"}`, errNoResources},
	})
}

func TestOnlyManagedPoliciesNeedTheNewerVersion(t *testing.T) {
	const old = `{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	for _, k := range []Kind{Identity, Session} {
		if _, err := Parse(old, k); err != nil {
			t.Errorf("kind %d: %v", k, err)
		}
	}
	if _, err := Parse(old, Managed); err == nil || err.Error() != errVersion {
		t.Errorf("managed: %v", err)
	}
}

func TestUnknownKindsAreRefused(t *testing.T) {
	for _, k := range []Kind{0, -1, Accepted + 1} {
		if doc, err := Parse(`{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`, k); err == nil {
			t.Errorf("kind %d: %v", k, doc)
		}
	}
}
