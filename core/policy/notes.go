package policy

import (
	"fmt"
	"strings"

	"github.com/treatyfed/treaty/core/evidence"
)

// ruleNotes says of each rule what it did.
var ruleNotes = [...]string{
	compared:       "",
	absent:         "the request does not have the key, so nothing matches: false",
	absentNegated:  "the request does not have the key, so nothing is equal to it: a negated operator is true",
	absentIfExists: "the request does not have the key: IfExists makes it true",
	absentAll:      "the request does not have the key: ForAllValues is true of no values",
	absentAny:      "the request does not have the key: ForAnyValue is false of no values, also when negated",
	several:        "the key may have several values: without ForAnyValue or ForAllValues it never matches, also when negated",
	unreadable:     "the request's value cannot be read as this operator reads it: false, also when negated",
	brokenOperand:  "a value in the policy is no ARN: such a statement allows nothing, and denies",
	brokenOperator: "there is no such operator: such a statement allows nothing, and denies",
	nullAbsent:     "the request does not have the key",
	nullPresent:    "the request has the key",
}

// difference says why values that were compared made a condition false, where that can be said shortly.
func (c *condition) difference(x Context, want []string) string {
	values := x[c.key].Values
	for i := range c.values {
		if lacks := c.values[i].lacks(x); len(lacks) > 0 && !c.negated {
			return "the request has no value for the variable " + strings.Join(lacks, ", ")
		}
	}
	if c.negated || len(values) != 1 || len(want) != 1 {
		return ""
	}
	value := values[0]
	switch c.family {
	case asText:
		return evidence.Difference(want[0], value).String()
	case asNumber:
		if _, ok := parseDecimal(value); !ok {
			return "the request's value is not a number"
		}
	case asDate:
		if _, ok := parseDate(value); !ok {
			return "the request's value is not a date"
		}
	case asAddress:
		return c.values[0].network.note()
	case asBinary:
		return "the base64 texts differ"
	case asNothing, asFolded, asLike, asBool, asARN, asNull:
	}
	return ""
}

// note says why a network contains nothing, if it does not.
func (n network) note() string {
	if !n.address.IsValid() {
		return "the policy's value is no address or CIDR block, which contains nothing"
	}
	if p, err := n.address.Prefix(n.bits); err == nil && p.Addr() != n.address {
		return "the block has host bits set; of IPv6 such a block contains nothing"
	}
	return ""
}

// fix is the one change that would make a condition true, where it is known.
func (c *condition) fix(written *Condition, r rule, x Context, want []string) string {
	switch r {
	case absent, absentAny:
		return "send a request that has " + written.Key + ", or use " + written.Operator + "IfExists"
	case several:
		return "use ForAnyValue:" + written.Operator
	case brokenOperand:
		return "write an ARN of six parts"
	case compared:
		if c.family == asText && !c.negated {
			return c.textFix(written, x[c.key].Values, want)
		}
	case absentNegated, absentIfExists, absentAll, unreadable, brokenOperator, nullAbsent, nullPresent:
	}
	return ""
}

// textFix finds the kinder operator under which a value would have matched.
func (c *condition) textFix(written *Condition, values, want []string) string {
	for _, v := range values {
		for _, w := range want {
			switch {
			case strings.ContainsAny(w, "*?") && glob{}.written(w).match(v):
				return fmt.Sprintf("use %s: StringEquals takes * and ? literally", renamed(written.Operator, "StringLike"))
			case lower(w) == lower(v):
				return fmt.Sprintf("write %q, or use %s", v, renamed(written.Operator, "StringEqualsIgnoreCase"))
			}
		}
	}
	return ""
}

// renamed puts another name for StringEquals into an operator as written.
func renamed(operator, name string) string {
	const old = "stringequals"
	i := strings.Index(strings.ToLower(operator), old)
	if i < 0 {
		return name
	}
	return operator[:i] + name + operator[i+len(old):]
}
