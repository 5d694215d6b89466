package policy

import (
	"cmp"
	"strings"
)

// condition is a Condition, compiled.
type condition struct {
	operator
	key    string // in lower case
	values []operand
}

func newCondition(c *Condition, version string) condition {
	out := condition{operator: parseOperator(c.Operator), key: strings.ToLower(c.Key), values: make([]operand, len(c.Values))}
	for i, v := range c.Values {
		out.values[i] = newOperand(out.operator, v, version)
	}
	return out
}

// rule is what made a condition true or false.
type rule int

const (
	compared       rule = iota // the values
	absent                     // no such key: false
	absentNegated              // no such key, and the operator is negated: true
	absentIfExists             // no such key, and IfExists: true
	absentAll                  // no such key, and ForAllValues: true
	absentAny                  // no such key, and ForAnyValue: false
	several                    // the key may have several values, and there is no set operator: false
	unreadable                 // the request's value is no address or ARN: false, also when negated
	brokenOperand              // the policy's value is no ARN: nothing is allowed, and a Deny applies
	brokenOperator             // there is no such operator: the same
	nullAbsent                 // Null, and there is no such key
	nullPresent                // Null, and there is one
)

// holds evaluates a condition of a statement that denies or allows.
func (c *condition) holds(x Context, deny bool) (bool, rule) {
	v := x[c.key]
	present := len(v.Values) > 0
	switch {
	case c.family == asNothing:
		return deny, brokenOperator
	case c.family == asNull:
		return c.null(present)
	case !present:
		return c.missing()
	case c.set == anyValue:
		return c.forAny(x, v.Values, deny)
	case c.set == allValues:
		return c.forAll(x, v.Values, deny)
	case v.Many || len(v.Values) > 1:
		return false, several
	}
	return c.one(x, v.Values[0], deny)
}

func (c *condition) null(present bool) (bool, rule) {
	r := nullAbsent
	if present {
		r = nullPresent
	}
	for i := range c.values {
		if c.values[i].truth != present {
			return true, r
		}
	}
	return false, r
}

// missing is what becomes of a condition whose key the request lacks.
func (c *condition) missing() (bool, rule) {
	switch {
	case c.ifExists:
		return true, absentIfExists
	case c.set == allValues:
		return true, absentAll
	case c.set == anyValue:
		return false, absentAny
	case c.negated:
		return true, absentNegated
	}
	return false, absent
}

func (c *condition) forAny(x Context, values []string, deny bool) (bool, rule) {
	last := compared
	for _, v := range values {
		ok, r := c.one(x, v, deny)
		if ok || r == brokenOperand {
			return ok, r
		}
		last = r
	}
	return false, last
}

func (c *condition) forAll(x Context, values []string, deny bool) (bool, rule) {
	for _, v := range values {
		if ok, r := c.one(x, v, deny); !ok || r == brokenOperand {
			return ok, r
		}
	}
	return true, compared
}

// one compares one value of the request with those of the policy, which are alternatives; for a negated
// operator none of them may match.
func (c *condition) one(x Context, value string, deny bool) (bool, rule) {
	hit, r := c.hit(x, value)
	switch r {
	case unreadable:
		return false, r
	case brokenOperand:
		return deny, r
	}
	return hit != c.negated, r
}

// hit reports whether one of the policy's values matches.
func (c *condition) hit(x Context, value string) (bool, rule) {
	switch c.family {
	case asNumber:
		return c.number(value), compared
	case asDate:
		return c.date(value), compared
	case asAddress:
		a, ok := parseAddress(value)
		if !ok {
			return false, unreadable
		}
		for i := range c.values {
			if c.values[i].network.contains(a.Unmap()) {
				return true, compared
			}
		}
		return false, compared
	case asARN:
		return c.arn(x, value)
	case asBool, asBinary, asText, asFolded, asLike:
		for i := range c.values {
			if c.textual(x, &c.values[i], value) {
				return true, compared
			}
		}
	case asNothing, asNull:
	}
	return false, compared
}

func (c *condition) number(value string) bool {
	n, ok := parseDecimal(value)
	for i := range c.values {
		if v := &c.values[i]; ok && v.valid && c.order.holds(n.compare(v.number)) {
			return true
		}
	}
	return false
}

func (c *condition) date(value string) bool {
	t, ok := parseDate(value)
	for i := range c.values {
		if v := &c.values[i]; ok && v.valid && c.order.holds(cmp.Compare(t, v.when)) {
			return true
		}
	}
	return false
}

// arn takes the policy's values in their order: the first that matches, or is no ARN, decides.
func (c *condition) arn(x Context, value string) (bool, rule) {
	cut, ok := cutARN(value)
	if !ok {
		return false, unreadable
	}
	for i := range c.values {
		hit, ok := c.values[i].matchARN(x, &cut)
		if !ok {
			return false, brokenOperand
		}
		if hit {
			return true, compared
		}
	}
	return false, compared
}

// textual compares a value of the families in which a value is taken as it is.
func (c *condition) textual(x Context, v *operand, value string) bool {
	switch c.family {
	case asLike:
		return v.match(x, value)
	case asBinary:
		return v.valid && v.written == value
	case asFolded:
		if v.pieces == nil {
			return v.folded == lower(value)
		}
	case asBool:
		if v.pieces == nil {
			return v.truth == truth(value)
		}
	case asNothing, asText, asNumber, asDate, asAddress, asARN, asNull:
	}
	want, ok := v.text(x)
	if !ok {
		return false
	}
	switch c.family {
	case asBool:
		return truth(want) == truth(value)
	case asFolded:
		return lower(want) == lower(value)
	}
	return want == value
}
