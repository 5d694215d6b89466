package rule_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/idp/rule"
)

// hostile are rules that would take for ever, or more memory than there is. Each ends by what it costs: a
// fault of kind LimitExceeded, or a refusal to compile.
func hostile() map[string]string {
	list := "[" + strings.Repeat("1,", 199) + "1]"
	return map[string]string{
		"a comprehension of a comprehension":       list + ".map(a, " + list + ".map(b, " + list + ".map(c, a + b + c)))",
		"five lists inside each other":             nest(5, "subject.list.all(%c, ", "true"),
		"exists over all":                          nest(6, "subject.list.exists(%c, ", "false"),
		"lists that double":                        "[[1]]" + strings.Repeat(".map(a, a + a)", 28) + ".exists(a, 5 in a)",
		"texts that double":                        `["x"]` + strings.Repeat(".map(a, a + a)", 28),
		"values that nest and double":              "[[1]]" + strings.Repeat(".map(a, [a, a])", 28),
		"values that nest, compared":               "[[1]]" + strings.Repeat(".map(a, [a, a])", 28) + ".all(a, a == a)",
		"maps that nest and double":                `[{"k": 1}]` + strings.Repeat(`.map(a, {"l": a, "r": a})`, 28),
		"replace that squares":                     `subject.text` + strings.Repeat(`.replace("", subject.text)`, 4),
		"join that multiplies":                     `subject.list.map(x, subject.text).join(subject.text)`,
		"texts added up":                           "subject.text" + strings.Repeat(" + subject.text", 30),
		"a pattern over a long text":               `subject.list.map(a, subject.text.matches("(x+x+)+y"))`,
		"split, many times":                        `subject.list.map(a, subject.text.split(""))`,
		"search, many times":                       `subject.list.map(a, subject.list.map(b, subject.text.indexOf("xxxxxxxxxxy")))`,
		"a large result":                           `subject.list.map(a, "0123456789012345678901234567890123456789")`,
		"a large text as result":                   `subject.text`,
		"deep parentheses":                         strings.Repeat("(", 500) + "1" + strings.Repeat(")", 500),
		"deep lists":                               strings.Repeat("[", 500) + strings.Repeat("]", 500),
		"deep members":                             "subject" + strings.Repeat(".a", 2000),
		"deep conditions":                          strings.Repeat("true ? 1 : ", 350) + "2",
		"a result nested too deep":                 strings.Repeat("[", 20) + strings.Repeat("]", 20),
		"optional macros that copy their target":   "optional.of(1)" + strings.Repeat(".optMap(a, a)", 100),
		"nested macros":                            nest(40, "[1, 2].exists_one(%c, ", "true"),
		"a huge pattern":                           `subject.text.matches("((a{100}){100}){100}")`,
		"a pattern larger than its limit":          `"x".matches("(" + subject.text + ")*")`,
		"a comprehension over a doubled list":      "[[1]]" + strings.Repeat(".map(a, a + a)", 28) + ".map(a, a.map(b, b))",
		"many filters in a row":                    "subject.list" + strings.Repeat(".filter(a, a > 0).map(a, a + 1)", 14),
		"texts that double, then are looked into":  `["x"]` + strings.Repeat(".map(a, a + a)", 16) + `.map(a, a.replace("", "` + strings.Repeat("y", 900) + `"))`,
		"two lists compared with each other often": "subject.list.map(a, subject.list == subject.list && subject.list == subject.list && subject.list == subject.list)",
	}
}

func nest(n int, open, inner string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, strings.Replace(open, "%c", "%s", 1), fmt.Sprint("v", i))
	}
	return b.String() + inner + strings.Repeat(")", n)
}

func TestHostileRulesEndByTheirCost(t *testing.T) {
	t.Parallel()
	in := input()
	list := make([]any, 500)
	for i := range list {
		list[i] = int64(i + 1)
	}
	in.Subject = map[string]any{"list": list, "text": strings.Repeat("x", 60_000)}
	for name, source := range hostile() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if len(source) > rule.MaxExpression {
				t.Fatalf("the rule has %d bytes: it tests another bound", len(source))
			}
			rules, err := rule.Compile(map[string]string{"c": source})
			if err != nil {
				t.Logf("does not compile: %.150s", err)
				return
			}
			_, err = rules.Eval(t.Context(), in)
			if !errors.Is(err, fault.LimitExceeded) {
				t.Fatalf("%v", err)
			}
			t.Logf("%.10s … %s", err, err.Error()[max(0, len(err.Error())-120):])
		})
	}
}

func TestAllRulesOfATokenShareABound(t *testing.T) {
	t.Parallel()
	in := input()
	in.Subject = map[string]any{"list": make([]any, 500), "text": strings.Repeat("x", 1000)}
	for name, c := range map[string]struct{ source, want string }{
		"of cost":  {`subject.list.all(a, subject.list.size() > 0) && subject.list.all(a, subject.list.size() > 0)`, "together cost more"},
		"of bytes": {`subject.text`, "take more than 16384 bytes"},
	} {
		claims := map[string]string{}
		for i := range rule.MaxRules {
			claims[fmt.Sprint("c", i)] = c.source
		}
		rules, err := rule.Compile(claims)
		if err != nil {
			t.Fatal(err)
		}
		_, err = rules.Eval(t.Context(), in)
		if !errors.Is(err, fault.LimitExceeded) || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), "compute") != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, source := range hostile() {
		f.Add("c", source)
	}
	for _, seed := range []string{`subject.?a.b[0]`, `{"a": [1u, 2.0, b"x"]}`, `now - duration("1h")`, `"\u00e9".matches(".*")`, "client.`a b`", `[1,2].map(x, x > 1, x * 2)`, `google.protobuf.Struct{}`, `google.protobuf.Any{}`, `optional.none()`, `dyn(type(1)) == int`, `1 in {1: 2}`} {
		f.Add("sub", seed)
	}
	in := input()
	f.Fuzz(func(t *testing.T, claim, source string) {
		rules, err := rule.Compile(map[string]string{claim: source})
		if err != nil {
			return
		}
		got, err := rules.Eval(t.Context(), in)
		if err != nil && len(got) > 0 {
			t.Errorf("%q: %v with %v", source, got, err)
		}
	})
}
