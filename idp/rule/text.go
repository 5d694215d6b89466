package rule

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// maxText is how long a text made by replace or join may be. The functions are those of CEL's strings
// extension by name and meaning, but for this bound: the extension counts the cost of a text when it has
// been made, and s.replace("", s) squares its length.
const maxText = 64 << 10

// textFunctions declares lowerAscii, upperAscii, trim, indexOf, lastIndexOf, substring, split, replace
// and join.
func textFunctions() []cel.EnvOption {
	s, i := cel.StringType, cel.IntType
	texts := cel.ListType(s)
	return []cel.EnvOption{
		cel.Function("lowerAscii", cel.MemberOverload("string_lower_ascii", []*cel.Type{s}, s, unary(lowerASCII))),
		cel.Function("upperAscii", cel.MemberOverload("string_upper_ascii", []*cel.Type{s}, s, unary(upperASCII))),
		cel.Function("trim", cel.MemberOverload("string_trim", []*cel.Type{s}, s, unary(strings.TrimSpace))),
		cel.Function("indexOf", cel.MemberOverload("string_index_of_string", []*cel.Type{s, s}, i, search(strings.Index))),
		cel.Function("lastIndexOf", cel.MemberOverload("string_last_index_of_string", []*cel.Type{s, s}, i, search(strings.LastIndex))),
		cel.Function("substring",
			cel.MemberOverload("string_substring_int", []*cel.Type{s, i}, s, cel.FunctionBinding(substring)),
			cel.MemberOverload("string_substring_int_int", []*cel.Type{s, i, i}, s, cel.FunctionBinding(substring))),
		cel.Function("split", cel.MemberOverload("string_split_string", []*cel.Type{s, s}, texts, cel.BinaryBinding(split))),
		cel.Function("replace", cel.MemberOverload("string_replace_string_string", []*cel.Type{s, s, s}, s, cel.FunctionBinding(replace))),
		cel.Function("join",
			cel.MemberOverload("list_join", []*cel.Type{texts}, s, cel.FunctionBinding(join)),
			cel.MemberOverload("list_join_string", []*cel.Type{texts, s}, s, cel.FunctionBinding(join))),
		cel.CostModel(
			reading("string_lower_ascii"), reading("string_upper_ascii"), reading("string_trim"),
			searching("string_index_of_string"), searching("string_last_index_of_string"),
			reading("string_substring_int"), reading("string_substring_int_int"),
			reading("string_split_string"), searching("string_replace_string_string"),
			reading("list_join"), reading("list_join_string")),
	}
}

// reading is the cost of a call that reads its target once and makes a result.
func reading(overload string) cost.OverloadModel {
	return cost.MemberOverload(overload, cost.EvalCost(cost.Sum(
		cost.Const(cost.CallCost), cost.StringScan(cost.Length(cost.Target())), cost.Length(cost.Result()))))
}

// searching is the cost of a call that looks for its argument at every place of its target.
func searching(overload string) cost.OverloadModel {
	return cost.MemberOverload(overload, cost.EvalCost(cost.Sum(cost.Const(cost.CallCost), cost.StringScan(cost.Mul(
		cost.AtLeastOneQuantity(cost.Length(cost.Target())), cost.AtLeastOneQuantity(cost.Length(cost.Arg(0))))))))
}

func unary(f func(string) string) cel.OverloadOpt {
	return cel.UnaryBinding(func(v ref.Val) ref.Val { return types.String(f(string(v.(types.String)))) })
}

func search(f func(s, sub string) int) cel.OverloadOpt {
	return cel.BinaryBinding(func(v, sub ref.Val) ref.Val {
		s := string(v.(types.String))
		at := f(s, string(sub.(types.String)))
		if at < 0 {
			return types.Int(-1)
		}
		return types.Int(len([]rune(s[:at]))) // CEL counts code points
	})
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

func upperASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}, s)
}

func substring(args ...ref.Val) ref.Val {
	runes := []rune(string(args[0].(types.String)))
	from, to := int64(args[1].(types.Int)), int64(len(runes))
	if len(args) == 3 {
		to = int64(args[2].(types.Int))
	}
	if from < 0 || to < from || to > int64(len(runes)) {
		return types.NewErr("substring from %d to %d: the text has %d characters", from, to, len(runes))
	}
	return types.String(runes[from:to])
}

func split(v, sep ref.Val) ref.Val {
	return types.DefaultTypeAdapter.NativeToValue(strings.Split(string(v.(types.String)), string(sep.(types.String))))
}

func replace(args ...ref.Val) ref.Val {
	s, from, to := string(args[0].(types.String)), string(args[1].(types.String)), string(args[2].(types.String))
	if n := len(s) + strings.Count(s, from)*(len(to)-len(from)); n > maxText {
		return tooLong("replace", n)
	}
	return types.String(strings.ReplaceAll(s, from, to))
}

func join(args ...ref.Val) ref.Val {
	list, between := args[0].(traits.Lister), ""
	if len(args) == 2 {
		between = string(args[1].(types.String))
	}
	var b strings.Builder
	for i := types.Int(0); i < list.Size().(types.Int); i++ {
		element := list.Get(i)
		s, ok := element.(types.String)
		if !ok {
			if types.IsUnknownOrError(element) {
				return element
			}
			return types.NewErr("join: element %d is no text but %s", int64(i), element.Type().TypeName())
		}
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(string(s))
		if b.Len() > maxText {
			return tooLong("join", b.Len())
		}
	}
	return types.String(b.String())
}

func tooLong(function string, n int) ref.Val {
	return types.WrapErr(fmt.Errorf("%s: %w: a text of %d bytes or more, %d are allowed", function, errTooLarge, n, maxText))
}
