package policy

import (
	"encoding/base64"
	"strings"
)

// operand is a value of a condition, read as its operator reads it.
type operand struct {
	template
	valid   bool // the written value can be read so; of ARNs with variables only the request tells
	number  decimal
	when    int64
	network network
	truth   bool
	folded  string
	arn     [6]glob
	every   bool // ArnLike "*"
}

func newOperand(o operator, written, version string) operand {
	v := operand{template: template{written: written}, valid: true}
	switch o.family {
	case asText:
		v.template = newTemplate(written, version, false)
	case asFolded:
		v.template = newTemplate(written, version, false)
		v.folded = lower(written)
	case asBool:
		v.template = newTemplate(written, version, false)
		v.truth = truth(written)
	case asLike:
		v.template = newTemplate(written, version, true)
	case asARN:
		v.template = newTemplate(written, version, true)
		v.arn, v.every, v.valid = cutPattern(v.fixed)
	case asNumber:
		v.number, v.valid = parseDecimal(written)
	case asDate:
		v.when, v.valid = parseDate(written)
	case asAddress:
		v.network, v.valid = parseNetwork(written)
	case asBinary:
		v.valid = isBinary(written)
	case asNull:
		v.truth = truth(written)
	case asNothing:
	}
	return v
}

// truth reads a boolean: whatever is not "true" is false, "yes", "1", "" and " true " too.
func truth(s string) bool { return strings.EqualFold(s, "true") }

// isBinary wants base64 with padding and without stray bits: "YR==" is none. What is, is equal exactly when
// its text is.
func isBinary(s string) bool {
	_, err := base64.StdEncoding.Strict().DecodeString(s)
	return err == nil && !strings.ContainsAny(s, "\r\n")
}

// cutPattern cuts the pattern of an ARN; "*" alone is every ARN.
func cutPattern(g glob) (cut [6]glob, every, ok bool) {
	if len(g) == 1 && g[0] == many {
		return cut, true, true
	}
	cut, ok = g.segments()
	return cut, false, ok
}

// matchARN compares segment by segment. ok is false when the operand, with its variables replaced, is no
// ARN; an operand with a variable that stands for nothing just does not match.
func (v *operand) matchARN(c Context, value *[6]string) (hit, ok bool) {
	cut, every, valid := &v.arn, v.every, v.valid
	if v.pieces != nil {
		g, resolved := v.glob(c)
		if !resolved {
			return false, true
		}
		var own [6]glob
		own, every, valid = cutPattern(g)
		cut = &own
	}
	if !valid || every {
		return every, valid
	}
	for i := range cut {
		if !cut[i].match(value[i]) {
			return false, true
		}
	}
	return true, true
}
