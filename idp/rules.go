package idp

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/idp/rule"
)

// maxRuleSets bounds the sets of rules that are kept compiled: twice as many at most.
const maxRuleSets = 1024

// ruleCache keeps compiled rules by their text: issuers and clients with the same rules share them, and a
// rule that was changed is another one, whatever version or clock says. A set that was not used while
// maxRuleSets others were added is forgotten.
type ruleCache struct {
	mu         sync.Mutex
	fresh, old map[string]*rule.Rules
}

func (c *ruleCache) compiled(claims map[string]string) (*rule.Rules, error) {
	key := rulesKey(claims)
	c.mu.Lock()
	rules := c.fresh[key]
	if rules == nil {
		if rules = c.old[key]; rules != nil {
			c.keep(key, rules)
		}
	}
	c.mu.Unlock()
	if rules != nil {
		return rules, nil
	}
	rules, err := rule.Compile(claims)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.keep(key, rules)
	c.mu.Unlock()
	return rules, nil
}

func (c *ruleCache) keep(key string, rules *rule.Rules) {
	if c.fresh == nil || len(c.fresh) >= maxRuleSets {
		c.fresh, c.old = map[string]*rule.Rules{}, c.fresh
	}
	c.fresh[key] = rules
}

// rulesKey writes rules so that no two sets are written alike.
func rulesKey(claims map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		for _, part := range [...]string{name, claims[name]} {
			b.WriteString(strconv.Itoa(len(part)))
			b.WriteByte(':')
			b.WriteString(part)
		}
	}
	return b.String()
}

// mergedRules are the rules that hold for a client.
func mergedRules(p preset, i directory.Issuer, c directory.IssuerClient) map[string]string {
	out := make(map[string]string, len(p.claims)+len(i.Claims)+len(c.Claims))
	maps.Copy(out, p.claims)
	maps.Copy(out, i.Claims)
	maps.Copy(out, c.Claims)
	return out
}
