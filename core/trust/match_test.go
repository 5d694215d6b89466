package trust_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
)

const (
	pool     = "https://cognito-identity.example"
	identity = "us-east-1:7a1b2c3d-0000-4000-8000-00000000abcd"
	poolID   = "us-east-1:11111111-0000-4000-8000-000000000000"
)

func exact() trust.Trust {
	return trust.Federated("id-1", "exact", pool, identity, "", []string{poolID})
}

func claims(change ...any) token.Claims {
	c := token.Claims{"iss": pool, "sub": identity, "aud": poolID, "exp": json.Number("1893456000")}
	for i := 0; i < len(change); i += 2 {
		if change[i+1] == nil {
			delete(c, change[i].(string))
		} else {
			c[change[i].(string)] = change[i+1]
		}
	}
	return c
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		trust  trust.Trust
		claims token.Claims
		passed string // one letter a condition
		note   string // of the first that failed
		fix    string
	}{
		{"everything equal", exact(), claims(), "yyy", "", ""},
		{"an audience in an array", exact(), claims("aud", []any{"x", poolID}), "yyy", "", ""},
		{"an audience in a long array", exact(), claims("aud", append(make([]any, 50), poolID)), "yyy", "", ""},
		{"a slash at the issuer's end", exact(), claims("iss", pool+"/"), "nyy", "only the slash", `set the trust's issuer to "https://cognito-identity.example/", with the slash at its end`},
		{"the issuer in another case", exact(), claims("iss", "https://Cognito-identity.example"), "nyy", "only upper and lower case", "upper and lower case count"},
		{"an issuer without scheme", exact(), claims("iss", "cognito-identity.example"), "nyy", "only the scheme", "the scheme counts"},
		{"an issuer with a space", trust.Federated("", "", pool+" ", identity, "", []string{poolID}), claims(), "nyy", "white space", "white space and invisible characters count"},
		{"the subject in another case", exact(), claims("sub", strings.ToUpper(identity)), "yny", "only upper and lower case", strings.ToUpper(identity)},
		{"a percent-encoded subject", exact(), claims("sub", strings.Replace(identity, ":", "%3A", 1)), "yny", "percent-decoding", "not percent-decoded"},
		{"another subject", exact(), claims("sub", "us-east-1:other"), "yny", "differs from byte 11", `if the token comes from whom you mean to trust, set the trust's subject to "us-east-1:other"`},
		{"a subject that looks alike", exact(), claims("sub", strings.Replace(identity, "-", "\u2013", 1)), "yny", "look alike", "typed anew"},
		{"another audience", exact(), claims("aud", "api://AzureADTokenExchange"), "yyn", "differs from byte 1", `ask the issuer for a token with the audience "` + poolID + `", or set the trust's audience to "api://AzureADTokenExchange"`},
		{"several audiences and the nearest is named", exact(), claims("aud", []any{"x", poolID + "/"}), "yyn", "only the slash", "with the slash"},
		{"the audience in another case", exact(), claims("aud", strings.Replace(poolID, "us", "US", 1)), "yyn", "only upper and lower case", ""},
		{"nothing at all", exact(), nil, "nnn", "the token has no claim iss", ""},
		{"all wrong and all said", exact(), claims("iss", "a", "sub", "b", "aud", "c"), "nnn", "differs", "set the trust's issuer"},
		{"a subject that is a number", exact(), claims("sub", json.Number("5")), "yny", "not a string", ""},
		{"a subject in an array", exact(), claims("sub", []any{identity}), "yny", "not a string", ""},
		{"an audience that is an object", exact(), claims("aud", map[string]any{"a": "b"}), "yyn", "not a string", ""},
		{"an empty subject", exact(), claims("sub", ""), "yny", "wanted \"u\", got the end", ""},
		{"an endless subject has no fix", exact(), claims("sub", strings.Repeat("x", 5000)), "yny", "differs", ""},
		{"no audience wanted", trust.Federated("", "", pool, identity, "", nil), claims(), "yyn", "wants no value", ""},
		{"an operator of a later version", trust.Trust{Conditions: []trust.Condition{{Name: "x", Claim: "sub", Operator: "resembles", Want: []string{identity}}}}, claims(), "n", `operator "resembles" is not known`, ""},
		{"an expression", trust.Federated("", "", pool, "", "claims['sub'] matches 'us-east-1:*abcd'", []string{poolID}), claims(), "yyy", "", ""},
		{"an expression that does not match", trust.Federated("", "", pool, "", "claims['sub'] matches 'eu-*' and claims['x'] eq 'y'", []string{poolID}), claims(), "yny", "does not match the pattern; the token has no claim x", ""},
		{"an expression that cannot be read", trust.Federated("", "", pool, "", "sub = x", []string{poolID}), claims(), "yny", "expression: at position 1", ""},
		{"no condition at all", trust.Trust{}, claims(), "", "", ""},
	} {
		v := trust.Match(c.trust, c.claims)
		passed := ""
		for i, check := range v.Checks {
			passed += map[bool]string{true: "y", false: "n"}[check.OK]
			if check.Name != c.trust.Conditions[i].Name || check.Operator != string(c.trust.Conditions[i].Operator) {
				t.Errorf("%s: check %d is %s %s", c.name, i, check.Name, check.Operator)
			}
		}
		if passed != c.passed || v.OK() != (len(passed) > 0 && !strings.Contains(passed, "n")) {
			t.Errorf("%s: %q, want %q", c.name, passed, c.passed)
		}
		first, _ := v.Checks.First()
		if !strings.Contains(first.Note, c.note) || !strings.Contains(first.Fix, c.fix) || c.name == "an endless subject has no fix" && first.Fix != "" {
			t.Errorf("%s: note %q, fix %q", c.name, first.Note, first.Fix)
		}
	}
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		expression, sub string
		want            bool
	}{
		{"claims['sub'] eq 'a'", "a", true},
		{"claims['sub'] eq 'a'", "A", false},
		{"claims['sub'] eq 'a*'", "ab", false},
		{"claims['sub'] eq 'a*'", "a*", true},
		{"claims['sub'] matches 'a*'", "a", true},
		{"claims['sub'] matches 'a*c'", "abcbc", true},
		{"claims['sub'] matches 'a*c'", "abcb", false},
		{"claims['sub'] matches '*'", "", true},
		{"claims['sub'] matches ''", "", true},
		{"claims['sub'] matches ''", "a", false},
		{"claims['sub'] matches 'a?c'", "abc", true},
		{"claims['sub'] matches 'a?c'", "a\u00e9c", true},
		{"claims['sub'] matches 'a?c'", "ac", false},
		{"claims['sub'] matches '**?**'", "x", true},
		{"claims['sub'] matches '**?**'", "", false},
		{"claims['sub'] matches 'repo:contoso/*:ref:refs/heads/*'", "repo:contoso/x:ref:refs/heads/main", true},
		{"claims['sub'] matches 'repo:contoso/*'", "xrepo:contoso/", false},
		{"claims['sub'] matches 'a.c'", "abc", false},
		{"claims['sub'] matches '*\u00e9'", "\u00e8\u00e9", true},
		{"claims['sub'] eq 'it''s'", "it's", true},
		{"  claims [ 'sub' ]\teq\n'a'  ", "a", true},
		{"claims['sub'] matches 'a*' and claims['sub'] matches '*b'", "ab", true},
		{"claims['sub'] matches 'a*' and claims['sub'] matches '*b'", "ac", false},
		{"claims['sub'] eq 'a and b'", "a and b", true},
		{"claims['aud'] eq 'x'", "", false},
		{"claims['sub'] matches '*'", strings.Repeat("x", 5000), false},
	} {
		e, err := trust.ParseExpression(c.expression)
		if err != nil {
			t.Errorf("%s: %v", c.expression, err)
			continue
		}
		checks := e.Match(token.Claims{"sub": c.sub, "aud": []any{"x"}})
		if checks.OK() != c.want || len(checks) != len(e.Clauses) {
			t.Errorf("%s with %.40q: %+v, want %v", c.expression, c.sub, checks, c.want)
		}
		if again, err := trust.ParseExpression(e.String()); err != nil || !cmp.Equal(e, again) {
			t.Errorf("%s: canonical form %s reads as %v, %v", c.expression, e, again, err)
		}
	}
}

func TestBadExpressionsSayWhere(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		"":                         "position 1: claims['NAME']",
		"claims":                   "position 7: an opening bracket",
		"claims[sub] eq 'a'":       "position 8: a claim's name",
		"claims['sub' eq 'a'":      "position 14: a closing bracket",
		"claims[''] eq 'a'":        "the claim's name is empty",
		"claims['sub'] = 'a'":      `position 15: "eq" or "matches"`,
		"claims['sub'] equals 'a'": `position 15: "eq" or "matches"`,
		"claims['sub'] eq a":       "position 18: a text in single quotes",
		"claims['sub'] eq \"a\"":   "position 18: a text in single quotes",
		"claims['sub'] eq 'a":      "position 18: the quote that opens here is not closed",
		"claims['sub'] eq 'a' or claims['x'] eq 'b'":                                       `position 22: "and" or the end`,
		"claims['sub'] eq 'a' and":                                                         "position 25: claims['NAME']",
		"claims['sub'] eq 'a' andclaims['x'] eq 'b'":                                       `position 22: "and" or the end`,
		"CLAIMS['sub'] eq 'a'":                                                             "position 1",
		"claims['sub'] eq '" + strings.Repeat("a", trust.MaxExpression) + "'":              "longer than 1024",
		"claims['sub'] eq '\xff'":                                                          "not UTF-8",
		strings.Repeat("claims['s'] eq 'a' and ", trust.MaxClauses) + "claims['s'] eq 'a'": "more than 10 clauses",
	} {
		_, err := trust.ParseExpression(expression)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want …%s…", expression, err, want)
		}
	}
}

func FuzzExpression(f *testing.F) {
	f.Add("claims['sub'] matches 'repo:contoso/*' and claims['job_workflow_ref'] eq 'x'", "repo:contoso/a")
	f.Add("claims['sub'] eq 'it''s'", "it's")
	f.Add("claims['a'] matches '?*?'", "\u00e9\u00e9")
	f.Fuzz(func(t *testing.T, expression, value string) {
		e, err := trust.ParseExpression(expression)
		if err != nil {
			return
		}
		again, err := trust.ParseExpression(e.String())
		if len(e.String()) <= trust.MaxExpression && (err != nil || !cmp.Equal(e, again)) {
			t.Fatalf("%q becomes %q: %v", expression, e, err)
		}
		c := token.Claims{}
		for _, name := range e.Names() {
			c[name] = value
		}
		for i, check := range e.Match(c) {
			clause := e.Clauses[i]
			plain := !strings.ContainsAny(clause.Literal, "*?")
			if (!clause.Wildcard || plain) && len(value) < 4096 && check.OK != (clause.Literal == value) {
				t.Fatalf("%s with %q: %v", clause, value, check.OK)
			}
			if clause.Wildcard && value == clause.Literal && len(value) < 4096 && !check.OK {
				t.Fatalf("%s does not match its own text", clause)
			}
		}
	})
}
