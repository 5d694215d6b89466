package trust

import (
	"slices"
	"strconv"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
)

// Match compares a token's claims with every condition of a trust. It is pure, leaves nothing out and
// does not stop at a failure. A check that failed says where the values part and, when one change of the
// trust would do, which.
func Match(t Trust, c token.Claims) Verdict {
	v := Verdict{Trust: t.Name, ID: t.ID, Checks: make(evidence.Checks, len(t.Conditions))}
	for i, cond := range t.Conditions {
		v.Checks[i] = cond.check(c)
	}
	return v
}

func (cond Condition) check(c token.Claims) evidence.Check {
	check := evidence.Check{Name: cond.Name, Claim: cond.Claim, Operator: string(cond.Operator), Want: cond.Want}
	if cond.Operator == Matches {
		return cond.express(check, c)
	}
	v, is := c[cond.Claim]
	if !is {
		check.Note = "the token has no claim " + cond.Claim
		return check
	}
	check.Got = evidence.Values(v)
	var got []string
	switch s, text := v.(string); {
	case text:
		got = []string{s}
	case cond.Operator == Contains:
		got = c.Texts(cond.Claim)
	}
	switch cond.Operator {
	case Equals, Contains:
	default:
		check.Note = "operator " + strconv.Quote(string(cond.Operator)) + " is not known"
		return check
	}
	for _, g := range got {
		if slices.Contains(cond.Want, g) {
			check.OK = true
			return check
		}
	}
	if len(got) == 0 {
		check.Note = "the claim is not a string"
		return check
	}
	want, have, diff := nearest(cond.Want, got)
	if len(cond.Want) == 0 {
		check.Note = "the trust wants no value at all"
		return check
	}
	check.Note = diff.String()
	check.Fix = cond.fix(want, have, diff.Kind)
	return check
}

// nearest is the pair of a wanted and a given value that differ least.
func nearest(want, got []string) (w, g string, d evidence.Diff) {
	first := true
	for _, a := range want[:min(len(want), evidence.MaxValues)] {
		for _, b := range got[:min(len(got), evidence.MaxValues)] {
			if diff := evidence.Difference(a, b); first || closer(diff, d) {
				w, g, d, first = a, b, diff, false
			}
		}
	}
	return w, g, d
}

func closer(a, b evidence.Diff) bool {
	if (a.Kind == evidence.Other) != (b.Kind == evidence.Other) {
		return b.Kind == evidence.Other
	}
	return a.Offset > b.Offset
}

// fix words the one change that makes an exact condition hold.
func (cond Condition) fix(want, got string, kind evidence.Kind) string {
	if got == "" || len(got) > evidence.MaxValue {
		return ""
	}
	set := "set the trust's " + cond.Name + " to " + strconv.Quote(got)
	switch kind {
	case evidence.Case:
		return set + ": upper and lower case count"
	case evidence.TrailingSlash:
		if len(got) > len(want) {
			return set + ", with the slash at its end"
		}
		return set + ", without the slash at its end"
	case evidence.WhiteSpace:
		return set + ": white space and invisible characters count"
	case evidence.URLEncoding:
		return set + ": values are compared as they are written, not percent-decoded"
	case evidence.Scheme:
		return set + ": the scheme counts"
	case evidence.LookAlike:
		return set + ", typed anew: the characters only look alike; make sure that it is the one you mean"
	case evidence.Same, evidence.Other:
	}
	if cond.Operator == Contains {
		return "ask the issuer for a token with the " + cond.Name + " " + strconv.Quote(want) + ", or " + set
	}
	return "if the token comes from whom you mean to trust, " + set
}

func (cond Condition) express(check evidence.Check, c token.Claims) evidence.Check {
	if len(cond.Want) != 1 {
		check.Note = "there must be one expression"
		return check
	}
	e, err := ParseExpression(cond.Want[0])
	if err != nil {
		check.Note = err.Error()
		return check
	}
	names := e.Names()
	for _, name := range names {
		shown := "(absent)"
		if v, is := c[name]; is {
			shown = evidence.Values(v)[0]
		}
		if len(names) > 1 {
			shown = name + " = " + shown
		}
		check.Got = append(check.Got, shown)
	}
	check.OK = true
	for _, clause := range e.Match(c) {
		if clause.OK {
			continue
		}
		if !check.OK {
			check.Note += "; "
		}
		check.OK = false
		check.Note += clause.Note
	}
	return check
}
