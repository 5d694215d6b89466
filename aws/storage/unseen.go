package storage

import (
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/policy"
)

// asks reports that a policy has a condition on a key in a statement about the request, or a variable.
func asks(d policy.Decision, key string) bool {
	for _, s := range d.Statements {
		for _, c := range s.Checks {
			if c.Name == policy.CheckCondition && begins(c.Claim, key) {
				return true
			}
		}
	}
	return slices.ContainsFunc(d.Missing, func(name string) bool { return begins(name, key) })
}

func begins(s, key string) bool { return len(s) >= len(key) && strings.EqualFold(s[:len(key)], key) }

// unseen is the decision when a policy asks for a key whose value cannot be found out here. An allow does not
// count then: a Deny for some values would not be met, and a condition for all values holds when there are
// none. The conditions on the key are kept as not looked at; to mend any other check would not help.
func unseen(d policy.Decision, key, hides string) policy.Decision {
	if !d.Allows() {
		return d
	}
	d.Result, d.Because = policy.ImplicitDeny, "because the policy asks for "+strings.TrimSuffix(key, "/")+", which "+hides+" does not show"
	for i := range d.Statements {
		s := &d.Statements[i]
		for j := range s.Checks {
			c := &s.Checks[j]
			c.Fix = ""
			if c.Name == policy.CheckCondition && begins(c.Claim, key) {
				c.OK, c.Skipped, c.Note = false, true, hides+" does not show it"
				s.Applies = false
			}
		}
	}
	return d
}
