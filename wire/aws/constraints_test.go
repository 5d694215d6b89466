package aws

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/wire/aws/constraints"
)

const failed = " failed to satisfy constraint: "

func checker(t testing.TB, table string) *Checker {
	t.Helper()
	c, err := NewChecker(table)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Bodies go through the decoder, so that what is absent is known. Recorded texts: aws/amazon-freertos #1829
// (pattern), the STS session name of the recorded refusals, aws-solutions/media-insights-on-aws #199 (list
// of enums), and the developer provider's Map value text as cognito-identity sends it for logins.
func TestViolationsAreWordedAsAWSDoes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 129)
	tests := []struct {
		name, body string
		in         any
		want       string
	}{
		{"nothing wrong", `{"IdentityPoolId":"us-east-1:0a"}`, &cognitoidentity.GetIdInput{}, ""},
		{"a required member is absent", `{}`, &cognitoidentity.GetIdInput{}, "1 validation error detected: Value null at 'identityPoolId'" + failed + "Member must not be null"},
		{"a required member is null", `{"IdentityPoolId":null}`, &cognitoidentity.GetIdInput{}, "1 validation error detected: Value null at 'identityPoolId'" + failed + "Member must not be null"},
		{"a pattern", `{"IdentityPoolId":"x"}`, &cognitoidentity.GetIdInput{}, `1 validation error detected: Value 'x' at 'identityPoolId'` + failed + `Member must satisfy regular expression pattern: [\w-]+:[0-9a-f-]+`},
		{"a pattern holds for the whole value", `{"IdentityPoolId":"a:0\n"}`, &cognitoidentity.GetIdInput{}, "1 validation error detected: Value 'a:0\n' at 'identityPoolId'" + failed + `Member must satisfy regular expression pattern: [\w-]+:[0-9a-f-]+`},
		{"two errors, length before pattern", `{"IdentityPoolId":""}`, &cognitoidentity.GetIdInput{}, "2 validation errors detected: Value '' at 'identityPoolId'" + failed + "Member must have length greater than or equal to 1; Value '' at 'identityPoolId'" + failed + `Member must satisfy regular expression pattern: [\w-]+:[0-9a-f-]+`},
		{"a length above", `{"IdentityPoolId":"a:` + strings.Repeat("0", 60) + `"}`, &cognitoidentity.GetIdInput{}, "1 validation error detected: Value 'a:" + strings.Repeat("0", 60) + "' at 'identityPoolId'" + failed + "Member must have length less than or equal to 55"},
		{"a value below", `{"MaxResults":0}`, &cognitoidentity.ListIdentityPoolsInput{}, "1 validation error detected: Value '0' at 'maxResults'" + failed + "Member must have value greater than or equal to 1"},
		{"a value above", `{"MaxResults":61}`, &cognitoidentity.ListIdentityPoolsInput{}, "1 validation error detected: Value '61' at 'maxResults'" + failed + "Member must have value less than or equal to 60"},
		{"a required boolean is absent", `{"IdentityPoolName":"p"}`, &cognitoidentity.CreateIdentityPoolInput{}, "1 validation error detected: Value null at 'allowUnauthenticatedIdentities'" + failed + "Member must not be null"},
		{"a required boolean is false", `{"IdentityPoolName":"p","AllowUnauthenticatedIdentities":false}`, &cognitoidentity.CreateIdentityPoolInput{}, ""},
		{"a token is a secret", `{"IdentityPoolId":"a:0","Logins":{"p":""}}`, &cognitoidentity.GetIdInput{}, "1 validation error detected: Value at 'logins'" + failed + "Map value must satisfy constraint: [Member must have length less than or equal to 50000, Member must have length greater than or equal to 1]"},
		{"map keys", `{"ResourceArn":"` + strings.Repeat("a", 20) + `","Tags":{"` + long + `":"v"}}`, &cognitoidentity.TagResourceInput{}, "1 validation error detected: Value '{" + long + "=v}' at 'tags'" + failed + "Map keys must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]"},
		{"map keys with a pattern", `{"IdentityPoolId":"a:0","Roles":{"guest":"arn:aws:iam::123456789012:role/x"}}`, &cognitoidentity.SetIdentityPoolRolesInput{}, "1 validation error detected: Value '{guest=arn:aws:iam::123456789012:role/x}' at 'roles'" + failed + "Map keys must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: (un)?authenticated]"},
		{"list members", `{"IdentityIdsToDelete":["a:0","x"]}`, &cognitoidentity.DeleteIdentitiesInput{}, `1 validation error detected: Value '[a:0, x]' at 'identityIdsToDelete'` + failed + `Member must satisfy constraint: [Member must have length less than or equal to 55, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [\w-]+:[0-9a-f-]+]`},
		{"a list too short", `{"IdentityIdsToDelete":[]}`, &cognitoidentity.DeleteIdentitiesInput{}, "1 validation error detected: Value '[]' at 'identityIdsToDelete'" + failed + "Member must have length greater than or equal to 1"},
		{"a null in a list", `{"ResourceArn":"` + strings.Repeat("a", 20) + `","TagKeys":["k",null]}`, &cognitoidentity.UntagResourceInput{}, "1 validation error detected: Value null at 'tagKeys.2.member'" + failed + "Member must not be null"},
		{"an enum deep in a map of structures", `{"IdentityPoolId":"a:0","Roles":{},"RoleMappings":{"p:c":{"Type":"Rules","RulesConfiguration":{"Rules":[{"Claim":"c","MatchType":"Is","Value":"v","RoleARN":"arn:aws:iam::123456789012:role/x"},{}]}}}}`, &cognitoidentity.SetIdentityPoolRolesInput{},
			"5 validation errors detected: Value 'Is' at 'roleMappings.p:c.member.rulesConfiguration.rules.1.member.matchType'" + failed + "Member must satisfy enum value set: [Equals, Contains, StartsWith, NotEqual]; " +
				"Value null at 'roleMappings.p:c.member.rulesConfiguration.rules.2.member.claim'" + failed + "Member must not be null; " +
				"Value null at 'roleMappings.p:c.member.rulesConfiguration.rules.2.member.matchType'" + failed + "Member must not be null; " +
				"Value null at 'roleMappings.p:c.member.rulesConfiguration.rules.2.member.roleARN'" + failed + "Member must not be null; " +
				"Value null at 'roleMappings.p:c.member.rulesConfiguration.rules.2.member.value'" + failed + "Member must not be null"},
		{"an empty enum is a value", `{"IdentityPoolId":"a:0","Roles":{},"RoleMappings":{"p":{"Type":""}}}`, &cognitoidentity.SetIdentityPoolRolesInput{}, "1 validation error detected: Value '' at 'roleMappings.p.member.type'" + failed + "Member must satisfy enum value set: [Token, Rules]"},
		{"members of structures in lists", `{"RoleArn":"arn:aws:iam::123456789012:role/x","RoleSessionName":"ok","Tags":[{"Key":"","Value":"v"}]}`, &sts.AssumeRoleInput{}, `2 validation errors detected: Value '' at 'tags.1.member.key'` + failed + `Member must have length greater than or equal to 1; Value '' at 'tags.1.member.key'` + failed + `Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+`},
		{"the recorded session name", `{"RoleArn":"arn:aws:iam::123456789012:role/x","RoleSessionName":"Session1:2"}`, &sts.AssumeRoleInput{}, `1 validation error detected: Value 'Session1:2' at 'roleSessionName'` + failed + `Member must satisfy regular expression pattern: [\w+=,.@-]*`},
		{"a secret is not shown", `{"RoleArn":"arn:aws:iam::123456789012:role/x","RoleSessionName":"ok","WebIdentityToken":"abc"}`, &sts.AssumeRoleWithWebIdentityInput{}, "1 validation error detected: Value at 'webIdentityToken'" + failed + "Member must have length greater than or equal to 4"},
		{"characters count, not bytes", `{"IdentityPoolId":"a:0","IdentityProviderName":"` + strings.Repeat("é", 128) + `"}`, &cognitoidentity.GetPrincipalTagAttributeMapInput{}, ""},
	}
	all := checker(t, constraints.CognitoIdentity+constraints.STS)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var c Codec
			presence, err := c.DecodeJSON([]byte(tt.body), tt.in)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if lines := all.Check(tt.in, presence); lines != nil {
				got = Violations(lines)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWSStopsCountingAtTen(t *testing.T) {
	t.Parallel()
	in := &sts.AssumeRoleInput{RoleArn: new("arn:aws:iam::123456789012:role/x"), RoleSessionName: new("ok")}
	for range 20 {
		in.Tags = append(in.Tags, ststypes.Tag{})
	}
	lines := checker(t, constraints.STS).Check(in, nil)
	if len(lines) != maxViolations || !strings.HasPrefix(Violations(lines), "10 validation errors detected: ") {
		t.Errorf("%d lines", len(lines))
	}
}

func TestEchoedValuesAreBounded(t *testing.T) {
	t.Parallel()
	in := &cognitoidentity.GetIdInput{IdentityPoolId: new(strings.Repeat("é", 1<<19))}
	msg := Violations(checker(t, constraints.CognitoIdentity).Check(in, nil))
	if len(msg) > maxEcho+300 || !strings.Contains(msg, "é...' at 'identityPoolId'") {
		t.Errorf("message of %d bytes", len(msg))
	}
}

// Every line of a generated table speaks of a member that the SDK's structs have; a line that does not
// would be a constraint that nobody checks.
func TestTablesAndSDKAgree(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]struct {
		table  string
		client reflect.Type
		beyond []string // types that the SDK has behind an interface, as it has unions
	}{
		"cognito-identity": {table: constraints.CognitoIdentity, client: reflect.TypeFor[*cognitoidentity.Client]()},
		"iam":              {table: constraints.IAM, client: reflect.TypeFor[*iam.Client](), beyond: []string{"PolicyIdentifier", "InlinePolicyIdentifierType"}},
		"sts":              {table: constraints.STS, client: reflect.TypeFor[*sts.Client]()},
	} {
		var inputs []reflect.Type
		for i := range s.client.NumMethod() {
			if m := s.client.Method(i).Type; m.NumIn() == 4 && strings.HasSuffix(m.In(2).String(), "Input") {
				inputs = append(inputs, m.In(2))
			}
		}
		c := checker(t, s.table)
		if len(c.rules) < 40 || len(inputs) < 10 {
			t.Fatalf("%s: %d rules, %d inputs", name, len(c.rules), len(inputs))
		}
		unmet := slices.DeleteFunc(c.Unmet(inputs...), func(line string) bool {
			shape, _, _ := strings.Cut(line, ".")
			return slices.Contains(s.beyond, shape)
		})
		if len(unmet) > 0 {
			t.Errorf("%s: no member for %v", name, unmet)
		}
	}
}

func TestTablesThatCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"A.B nonsense", "A.B 1..x", "A.B y..2", `A.B ~[`} {
		if _, err := NewChecker(table); err == nil || !strings.Contains(err.Error(), "A.B") {
			t.Errorf("%q: got %v, want an error that names the line", table, err)
		}
	}
}

func TestJavaPatternsAreTranslated(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`[\u0009\u000A\u0020-\u00FF]+`:  `[\x{0009}\x{000A}\x{0020}-\x{00FF}]+`,
		`\uE000-\uFFFD\u10000-\u10FFFF`: `\x{E000}-\x{FFFD}\x{1000}0-\x{10FF}FF`,
		`[\w-]+`:                        `[\w-]+`,
		`\u12`:                          `\u12`,

		`^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`: `[a-z0-9]+(-[a-z0-9]+)*`, // an account's alias
	} {
		if got := fromJava(in); got != want {
			t.Errorf("%s gives %s, want %s", in, got, want)
		}
	}
}
