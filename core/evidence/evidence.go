// Package evidence is what every check in Treaty leaves behind: the claim it looked at, the operator,
// what was wanted, what came and whether it held. Reports of tokens, verdicts of trusts and decisions of
// policies are lists of checks; the server's answer, its audit and `treaty explain` are made from them.
//
// It owns the Check and the comparison of two strings for a human eye. It decides nothing.
package evidence

// Check is one comparison. A check that could not be made because an earlier one failed has Skipped set
// and says why in Note; it counts as not passed.
type Check struct {
	Name     string   `json:"name"`               // what was checked: "issuer", "signature", "not before"
	Claim    string   `json:"claim,omitempty"`    // the claim or header member it read, if any
	Operator string   `json:"operator,omitempty"` // "equals", "matches", "one of", "before" …
	Want     []string `json:"want,omitempty"`
	Got      []string `json:"got,omitempty"`
	OK       bool     `json:"ok"`
	Skipped  bool     `json:"skipped,omitempty"`
	Note     string   `json:"note,omitempty"`
	Fix      string   `json:"fix,omitempty"` // the one change that would make it pass, when we know it
}

// Checks is an ordered list of checks.
type Checks []Check

// OK reports whether every check passed.
func (cs Checks) OK() bool {
	for _, c := range cs {
		if !c.OK {
			return false
		}
	}
	return true
}

// First returns the first check that did not pass.
func (cs Checks) First() (Check, bool) {
	for _, c := range cs {
		if !c.OK {
			return c, true
		}
	}
	return Check{}, false
}

// Named returns the first check of that name.
func (cs Checks) Named(name string) (Check, bool) {
	for _, c := range cs {
		if c.Name == name {
			return c, true
		}
	}
	return Check{}, false
}
