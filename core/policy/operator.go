package policy

import "strings"

// family is what an operator compares.
type family int

const (
	asNothing family = iota // an operator that the language does not have
	asText
	asFolded // text without regard to case
	asLike
	asNumber
	asDate
	asBool
	asBinary
	asAddress
	asARN
	asNull
)

// order is what a comparison of numbers or dates must come to.
type order int

const (
	toEqual order = iota
	toBeLess
	toBeLessOrEqual
	toBeGreater
	toBeGreaterOrEqual
)

func (o order) holds(c int) bool {
	switch o {
	case toEqual:
		return c == 0
	case toBeLess:
		return c < 0
	case toBeLessOrEqual:
		return c <= 0
	case toBeGreater:
		return c > 0
	case toBeGreaterOrEqual:
		return c >= 0
	}
	return false
}

// quantifier is the set operator before an operator.
type quantifier int

const (
	single quantifier = iota
	anyValue
	allValues
)

// operator is a condition operator taken apart.
type operator struct {
	family   family
	order    order
	negated  bool
	set      quantifier
	ifExists bool
}

// operators are the operators of the IAM user guide, "Condition operators", in lower case.
var operators = map[string]operator{
	"stringequals":              {family: asText},
	"stringnotequals":           {family: asText, negated: true},
	"stringequalsignorecase":    {family: asFolded},
	"stringnotequalsignorecase": {family: asFolded, negated: true},
	"stringlike":                {family: asLike},
	"stringnotlike":             {family: asLike, negated: true},
	"numericequals":             {family: asNumber},
	"numericnotequals":          {family: asNumber, negated: true},
	"numericlessthan":           {family: asNumber, order: toBeLess},
	"numericlessthanequals":     {family: asNumber, order: toBeLessOrEqual},
	"numericgreaterthan":        {family: asNumber, order: toBeGreater},
	"numericgreaterthanequals":  {family: asNumber, order: toBeGreaterOrEqual},
	"dateequals":                {family: asDate},
	"datenotequals":             {family: asDate, negated: true},
	"datelessthan":              {family: asDate, order: toBeLess},
	"datelessthanequals":        {family: asDate, order: toBeLessOrEqual},
	"dategreaterthan":           {family: asDate, order: toBeGreater},
	"dategreaterthanequals":     {family: asDate, order: toBeGreaterOrEqual},
	"bool":                      {family: asBool},
	"binaryequals":              {family: asBinary},
	"ipaddress":                 {family: asAddress},
	"notipaddress":              {family: asAddress, negated: true},
	"arnequals":                 {family: asARN},
	"arnlike":                   {family: asARN},
	"arnnotequals":              {family: asARN, negated: true},
	"arnnotlike":                {family: asARN, negated: true},
	"null":                      {family: asNull},
}

// parseOperator reads an operator with its set operator and IfExists. One that the language does not have
// is of family unknown.
func parseOperator(written string) operator {
	name := strings.ToLower(written)
	set := single
	if rest, ok := strings.CutPrefix(name, "foranyvalue:"); ok {
		name, set = rest, anyValue
	} else if rest, ok := strings.CutPrefix(name, "forallvalues:"); ok {
		name, set = rest, allValues
	}
	name, ifExists := strings.CutSuffix(name, "ifexists")
	o, known := operators[name]
	if !known || ifExists && o.family == asNull {
		return operator{}
	}
	o.set, o.ifExists = set, ifExists
	return o
}
