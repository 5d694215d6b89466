package idp

import (
	"fmt"
	"testing"

	"github.com/treatyfed/treaty/idp/rule"
)

func TestCompiledRulesAreBounded(t *testing.T) {
	t.Parallel()
	var c ruleCache
	first, err := c.compiled(map[string]string{"sub": `"first"`})
	if err != nil {
		t.Fatal(err)
	}
	used := func() bool {
		again, err := c.compiled(map[string]string{"sub": `"first"`})
		return err == nil && again == first
	}
	for n := range 5 * maxRuleSets {
		c.keep(fmt.Sprint(n), &rule.Rules{})
		if n%1000 == 0 && !used() {
			t.Fatalf("rules in use were forgotten after %d others", n)
		}
	}
	if len(c.fresh)+len(c.old) > 2*maxRuleSets {
		t.Errorf("%d sets are kept", len(c.fresh)+len(c.old))
	}
	for n := range 2 * maxRuleSets {
		c.keep(fmt.Sprint("x", n), &rule.Rules{})
	}
	if used() {
		t.Error("rules that nobody used were kept")
	}
}

func TestDifferentRulesHaveDifferentKeys(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for n, rules := range []map[string]string{nil, {"a": "1"}, {"a": "1", "b": "2"}, {"a": "11:b1:2"}, {"a1:1": ""}, {"a": "2", "b": "1"}, {"ab": "1"}} {
		key := rulesKey(rules)
		if before, twice := seen[key]; twice {
			t.Errorf("%d and %d share %q", before, n, key)
		}
		seen[key] = n
	}
}
