package policy

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

// requestsCompared are enough to see every operator both true and false, and every layer decide.
const requestsCompared = 20_000

func TestBothEvaluatorsAgree(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(requestsCompared) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		r, ps := g.request(), g.sources()
		got := Evaluate(r, ps...)
		result, because := slow{r, ps}.decide()
		if got.Result != result || got.Because != because {
			b, _ := json.MarshalIndent([]any{r, ps}, "", " ")
			t.Fatalf("seed %d: %s, %q; the slow one: %s, %q\n%s", seed, got.Result, got.Because, result, because, b)
		}
		seen[string(result)+strings.TrimSuffix(because, "the "+r.Action+" action")]++
		for _, m := range got.Statements {
			for _, c := range m.Checks {
				if c.Name == CheckCondition {
					seen[strings.ToLower(c.Operator)+map[bool]string{true: " true", false: " false"}[c.OK]]++
				}
			}
			if m.Applies != m.Checks.OK() {
				t.Fatalf("seed %d: %+v", seed, m)
			}
		}
	}
	for _, operator := range operatorNames {
		for _, truth := range []string{" true", " false"} {
			if n := seen[strings.ToLower(operator)+truth]; n < 10 {
				t.Errorf("%s%s was seen %d times only", operator, truth, n)
			}
		}
	}
	for _, what := range []string{
		"allowed", "implicitDenybecause no identity-based policy allows ", "implicitDenybecause no permissions boundary allows ", "implicitDenybecause no session policy allows ",
		"implicitDenybecause no resource-based policy allows ", "implicitDenybecause no role trust policy allows ", "explicitDenywith an explicit deny in an identity-based policy",
		"explicitDenywith an explicit deny in a permissions boundary", "explicitDenywith an explicit deny in a session policy", "explicitDenywith an explicit deny in a resource-based policy", "explicitDenywith an explicit deny in a role trust policy",
	} {
		if seen[what] < 100 {
			t.Errorf("%q was seen %d times only", what, seen[what])
		}
	}
}
