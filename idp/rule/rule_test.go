package rule_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/idp/rule"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func input() rule.Input {
	return rule.Input{
		Issuer: "https://sso.example.com",
		Client: map[string]any{"id": "billing", "name": "Billing", "attributes": map[string]any{
			"team": "Payments", "tier": json.Number("3"), "ratio": json.Number("0.5"), "tags": []any{"a", "b"}, "on": true, "none": nil}},
		Request: map[string]any{"grant": "client_credentials", "scope": "read write", "audience": []string{"api://x"},
			"parameters": map[string]any{"region": "eu"}},
		Subject: map[string]any{"sub": "alice", "groups": []any{"dev", "ops"}, "kubernetes.io": map[string]any{"namespace": "prod"}},
		Now:     noon,
	}
}

func eval(t *testing.T, source string) (any, error) {
	t.Helper()
	rules, err := rule.Compile(map[string]string{"c": source})
	if err != nil {
		return nil, err
	}
	got, err := rules.Eval(t.Context(), input())
	return got["c"], err
}

func TestRulesCompute(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source string
		want   any
	}{
		"a text":                            {`"fixed"`, "fixed"},
		"the issuer":                        {`issuer + "/x"`, "https://sso.example.com/x"},
		"a client's attribute":              {`client.attributes.team.lowerAscii()`, "payments"},
		"a whole number of JSON":            {`client.attributes.tier`, int64(3)},
		"a fraction of JSON":                {`client.attributes.ratio`, 0.5},
		"arithmetic":                        {`client.attributes.tier * 2 + 1`, int64(7)},
		"an unsigned number":                {`7u`, int64(7)},
		"a truth":                           {`client.attributes.on && client.attributes.tier > 2`, true},
		"a list":                            {`client.attributes.tags`, []any{"a", "b"}},
		"a list of Go texts":                {`request.audience`, []any{"api://x"}},
		"a map":                             {`{"team": client.attributes.team, "n": [1, 2.5, null]}`, map[string]any{"team": "Payments", "n": []any{int64(1), 2.5, nil}}},
		"a map of the input":                {"subject.`kubernetes.io`", map[string]any{"namespace": "prod"}},
		"a member by index":                 {`subject["kubernetes.io"].namespace`, "prod"},
		"now is a NumericDate":              {`now`, int64(1795262400)},
		"a later time":                      {`now + duration("5m")`, int64(1795262700)},
		"null leaves out":                   {`null`, nil},
		"a member that is null leaves out":  {`client.attributes.none`, nil},
		"has":                               {`has(subject.email) ? subject.email : "none"`, "none"},
		"optional with a value":             {`subject.?sub`, "alice"},
		"optional without one leaves out":   {`subject.?email`, nil},
		"optional with another":             {`subject.?email.orValue(subject.sub)`, "alice"},
		"optional of a nested member":       {`subject[?"kubernetes.io"].?pod.orValue("no pod")`, "no pod"},
		"filter and map":                    {`subject.groups.filter(g, g != "dev").map(g, g.upperAscii())`, []any{"OPS"}},
		"exists":                            {`subject.groups.exists(g, g == "ops")`, true},
		"split and join":                    {`request.scope.split(" ").map(s, "api." + s).join(" ")`, "api.read api.write"},
		"replace":                           {`"a-b-c".replace("-", "::")`, "a::b::c"},
		"replace of nothing":                {`"ab".replace("", "-")`, "-a-b-"},
		"substring":                         {`"grüße".substring(2, 4)`, "üß"},
		"substring to the end":              {`"grüße".substring(3)`, "ße"},
		"indexOf counts characters":         {`"grüße".indexOf("ß")`, int64(3)},
		"indexOf of nothing":                {`"abc".indexOf("x")`, int64(-1)},
		"lastIndexOf":                       {`"a/b/c".lastIndexOf("/")`, int64(3)},
		"trim":                              {`"  x ".trim()`, "x"},
		"matches":                           {`client.id.matches("^b[a-z]+$")`, true},
		"a list of different kinds":         {`[1, "a", true]`, []any{int64(1), "a", true}},
		"a condition that leaves out":       {`request.grant == "x" ? "y" : dyn(null)`, nil},
		"letters outside ASCII are left":    {`"ÄB".lowerAscii() + "äb".upperAscii()`, "ÄbäB"},
		"comparison over kinds of numbers":  {`client.attributes.tier > 2.5`, true},
		"what JSON escapes":                 {`"<&>\"\n"`, "<&>\"\n"},
		"an optional member of a map":       {`{"a": 1, ?"b": subject.?email}`, map[string]any{"a": int64(1)}},
		"an optional that is taken further": {`subject.?sub.optMap(s, s + "@example.com")`, "alice@example.com"},
	} {
		got, err := eval(t, c.source)
		if err != nil || !cmp.Equal(got, c.want) {
			t.Errorf("%s: %s = %#v, %v, want %#v", name, c.source, got, err, c.want)
		}
	}
}

func TestARuleThatGivesNullLeavesItsClaimOut(t *testing.T) {
	t.Parallel()
	rules, err := rule.Compile(map[string]string{"a": `null`, "b": `subject.?email`, "sub": `subject.sub`})
	if err != nil {
		t.Fatal(err)
	}
	got, err := rules.Eval(t.Context(), input())
	if err != nil || !cmp.Equal(got, map[string]any{"sub": "alice"}) {
		t.Errorf("%v, %v", got, err)
	}
	if !cmp.Equal(rules.Claims(), []string{"a", "b", "sub"}) {
		t.Error(rules.Claims())
	}
}

func TestRulesFailInWordsThatAPersonUnderstands(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ claim, source, want string }{
		"a missing claim":            {"mail", `subject.email`, `compute claim "mail" by the rule subject.email: invalid: there is no "email" to read; has(…) asks whether there is one, .? reads what may be missing`},
		"a missing member in a part": {"mail", `"x" + client.attributes.department`, `compute claim "mail" by the rule "x" + client.attributes.department: invalid: there is no "department" to read in client.attributes.department; has(…)`},
		"a missing member by index":  {"mail", `subject["e-mail"] + "x"`, `there is no "e-mail" to read in subject["e-mail"]`},
		"nothing to divide by":       {"n", `1 / (client.attributes.tier - 3)`, `division by zero`},
		"kinds that do not fit":      {"n", `client.attributes.team + 1`, `no such overload (values of other kinds than it takes)`},
		"an index out of range":      {"n", `subject.groups[9]`, `index out of bounds: 9`},
		"a substring out of range":   {"n", `client.id.substring(0, 50)`, `substring from 0 to 50: the text has 7 characters`},
		"a number that is no text":   {"n", `[1, 2].map(x, dyn(x)).join("")`, `no such overload: join(list, string) (values of other kinds than it takes)`},
		"bytes in a list":            {"n", `[b"x"]`, `the result has bytes, which no claim can have`},
		"a duration from a branch":   {"n", `true ? dyn(duration("1s")) : dyn(1)`, `the result has a duration`},
		"a type":                     {"n", `dyn(type(1))`, `the result has a type`},
		"a number beyond JSON":       {"n", `1.0 / 0.0`, `is no number that JSON has`},
		"an unsigned number too big": {"n", `18446744073709551615u`, `too large for a number`},
		"a map by numbers":           {"n", `{1: 2}`, `key 1 is no text`},
		"an overflow":                {"n", `9223372036854775807 + 1`, `integer overflow`},
		"a subject that is a number": {"sub", `1`, `sub must be a text that is not empty`},
		"an empty subject":           {"sub", `""`, `sub must be a text`},
		"an empty audience":          {"aud", `[]`, `aud must be a text, or a list of texts`},
		"an audience of numbers":     {"aud", `["a", 1]`, `aud must be`},
		"nbf that is a text":         {"nbf", `"now"`, `nbf must be a time`},
		"a pattern computed wrongly": {"n", `"x".matches("(" + client.id)`, `missing closing`},
	} {
		rules, err := rule.Compile(map[string]string{c.claim: c.source})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, err = rules.Eval(t.Context(), input())
		if !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n got %v\nwant %s", name, err, c.want)
		}
	}
}

func TestCompileNamesEveryProblem(t *testing.T) {
	t.Parallel()
	long := `"` + strings.Repeat("x", rule.MaxExpression) + `"`
	for claim, c := range map[string]struct{ source, want string }{
		"iss":                    {`"https://other"`, "the issuer alone sets it"},
		"exp":                    {`now`, "the issuer alone sets it"},
		"iat":                    {`now`, "the issuer alone sets it"},
		"empty":                  {" \n", "the rule is empty"},
		"long":                   {long, "the rule is longer than 4096 bytes"},
		"invalid":                {"\"\xff\"", "no UTF-8"},
		"deep":                   {"1" + strings.Repeat(" + 1", 40), "nested deeper than 32 levels"},
		"open":                   {`subject.(`, "line 1, character 9:"},
		"unknown":                {"1 +\n  usr.name", "line 2, character 3: undeclared reference to 'usr'"},
		"function":               {`"a".format([])`, "undeclared reference to 'format'"},
		"bytes":                  {`b"x"`, "the rule gives bytes"},
		"duration":               {`duration("1s")`, "the rule gives a duration"},
		"typ":                    {`type(1)`, "the rule gives a type"},
		"kinds":                  {`1 + "a"`, "found no matching overload for '_+_'"},
		"mixed":                  {`true ? "a" : null`, "dyn(null)"},
		"pattern":                {`"a".matches("(")`, "missing closing"},
		"big pattern":            {`"a".matches("((a{100}){100}){100}")`, ""},
		"":                       {`1`, "a claim needs a name"},
		"a\x00":                  {`1`, "control character"},
		strings.Repeat("n", 300): {`1`, "longer than 256"},
	} {
		_, err := rule.Compile(map[string]string{claim: c.source, "good": "1"})
		var p *rule.Problem
		if !errors.As(err, &p) || p.Claim != claim || !strings.Contains(p.Reason, c.want) {
			t.Errorf("%.20q: %v, want %s", claim, err, c.want)
		}
	}
	_, err := rule.Compile(map[string]string{"b": "", "a": "x", "c": "1"})
	if err == nil || !cmp.Equal(strings.Count(err.Error(), `claim "`), 2) || strings.Index(err.Error(), `claim "a"`) > strings.Index(err.Error(), `claim "b"`) {
		t.Errorf("not every problem in order: %v", err)
	}
	many := map[string]string{}
	for i := range rule.MaxRules + 1 {
		many[fmt.Sprint("c", i)] = "1"
	}
	if _, err := rule.Compile(many); err == nil || !strings.Contains(err.Error(), "101 rules") {
		t.Error(err)
	}
}

func TestEveryRuleThatFailsIsNamed(t *testing.T) {
	t.Parallel()
	rules, err := rule.Compile(map[string]string{"a": "subject.x", "b": "subject.y", "c": "1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = rules.Eval(t.Context(), input())
	if err == nil || !strings.Contains(err.Error(), `claim "a"`) || !strings.Contains(err.Error(), `claim "b"`) {
		t.Error(err)
	}
	if _, err := rules.Eval(t.Context(), rule.Input{}); !errors.Is(err, fault.Invalid) {
		t.Errorf("an empty input: %v", err)
	}
}

func TestRulesEndWithTheirContext(t *testing.T) {
	t.Parallel()
	list := "[" + strings.Repeat("1,", 199) + "1]"
	rules, err := rule.Compile(map[string]string{"c": list + ".map(x, " + list + ".size())"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := rules.Eval(ctx, input()); !errors.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRulesAreSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	rules, err := rule.Compile(map[string]string{"sub": `client.id + "/" + subject.groups.join(",")`, "n": `client.attributes.tier`})
	if err != nil {
		t.Fatal(err)
	}
	in := input()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				got, err := rules.Eval(t.Context(), in)
				if err != nil || got["sub"] != "billing/dev,ops" || got["n"] != int64(3) {
					t.Errorf("%v, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

// The language is one for all: what its library fills in late must be there before the first rule.
func TestRulesCompileAtTheSameTime(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			_, err := rule.Compile(map[string]string{"unknown": fmt.Sprint("subjct", i), "good": "[1, 2].exists(x, x > 1)"})
			if err == nil || !strings.Contains(err.Error(), "undeclared reference") || strings.Contains(err.Error(), "good") {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
