package trust

import (
	"cmp"
	"slices"

	"github.com/treatyfed/treaty/core/evidence"
)

// Costs of a condition that failed, in the sum by which verdicts are compared.
const (
	costNear = 1 // case, slash, white space …: the owner meant this one
	costFar  = 4
)

// rank orders verdicts, nearest first: those whose issuer holds, among them those whose subject holds,
// then by how little the rest differs, then as they came. Order is the permutation: verdicts[order[0]]
// is the nearest.
func rank(verdicts []Verdict) (order []int) {
	type key struct{ issuer, subject, cost, at int }
	keys := make([]key, len(verdicts))
	for i, v := range verdicts {
		keys[i] = key{issuer: failed(v, IssuerCondition), subject: failed(v, SubjectCondition), cost: cost(v), at: i}
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.issuer, b.issuer), cmp.Compare(a.subject, b.subject), cmp.Compare(a.cost, b.cost), cmp.Compare(a.at, b.at))
	})
	order = make([]int, len(keys))
	for i, k := range keys {
		order[i] = k.at
	}
	return order
}

// failed is 1 when the verdict's condition of that name did not hold; one that it has not counts as held.
func failed(v Verdict, name string) int {
	if c, is := v.Checks.Named(name); is && !c.OK {
		return 1
	}
	return 0
}

func cost(v Verdict) (sum int) {
	for _, c := range v.Checks {
		if c.OK {
			continue
		}
		if c.Operator != string(Matches) && len(c.Got) > 0 && len(c.Want) > 0 {
			if _, _, d := nearest(c.Want, c.Got); d.Kind != evidence.Other {
				sum += costNear
				continue
			}
		}
		sum += costFar
	}
	return sum
}
