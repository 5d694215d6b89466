package storage

import (
	"slices"
	"strings"
)

// Bounds of expressions (DynamoDB developer guide, "Quotas": "The maximum length of any expression string
// is 4 KB").
const maxExpression = 4 << 10

// word is one token of an expression: a name (with its "#"), a value's placeholder, or a sign.
type word struct {
	text string
	kind wordKind
}

type wordKind int

const (
	nameWord wordKind = iota + 1
	valueWord
	signWord
)

// wordsOf cuts an expression. A name behind a "." and whatever is in "[ ]" are inside of an attribute and
// left out: policies speak of the attributes at the top.
func wordsOf(expression string) ([]word, error) {
	if len(expression) > maxExpression {
		return nil, invalidDynamo("Expression size has exceeded the maximum allowed size")
	}
	var out []word
	nested := false
	for i := 0; i < len(expression); {
		c := expression[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '[':
			end := strings.IndexByte(expression[i:], ']')
			if end < 0 {
				return nil, invalidDynamo("Invalid expression: a bracket is not closed")
			}
			i += end + 1
		case c == '.':
			nested = true
			i++
		case wordByte(c) || c == '#' || c == ':':
			j := i + 1
			for j < len(expression) && wordByte(expression[j]) {
				j++
			}
			kind := nameWord
			if c == ':' {
				kind = valueWord
			}
			if !nested {
				out = append(out, word{expression[i:j], kind})
			}
			nested, i = false, j
		default:
			out = append(out, word{string(c), signWord})
			nested = false
			i++
		}
	}
	return out, nil
}

// wordByte reports the characters of names. Those beyond ASCII are taken for such, which the service
// itself refuses.
func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c >= 0x80
}

// Words that are no attributes: all but REMOVE are reserved, so that an attribute of that name is written
// with "#" (DynamoDB developer guide, "Reserved words").
var (
	conditionWords = []string{"AND", "OR", "NOT", "BETWEEN", "IN"}
	clauseWords    = []string{"SET", "REMOVE", "ADD", "DELETE"}
)

// names gives the attributes at the top that an expression names.
func names(expression string, aliases map[string]any, update bool) ([]string, error) {
	words, err := wordsOf(expression)
	if err != nil {
		return nil, err
	}
	var out []string
	depth := 0     // of parentheses
	first := false // behind a clause's name and its commas stands an attribute, whatever it is called
	for i, w := range words {
		upper := strings.ToUpper(w.text)
		switch {
		case w.kind == signWord:
			depth += map[string]int{"(": 1, ")": -1}[w.text]
			first = update && w.text == "," && depth == 0
			continue
		case w.kind != nameWord:
			first = false
			continue
		case first:
			first = false
		case i+1 < len(words) && words[i+1].text == "(" && w.text[0] != '#' && !slices.Contains(conditionWords, upper), // a function
			slices.Contains(conditionWords, upper):
			continue
		case update && slices.Contains(clauseWords, upper) && !operand(words, i):
			first = true
			continue
		}
		out = append(out, resolve(w.text, aliases))
	}
	return out, nil
}

// operand reports that a word stands where only an attribute can: behind a sign that wants one.
func operand(words []word, i int) bool {
	return i > 0 && words[i-1].kind == signWord && words[i-1].text != ")"
}

// resolve gives the attribute behind a "#" name.
func resolve(name string, aliases map[string]any) string {
	if a, ok := aliases[name].(string); ok && strings.HasPrefix(name, "#") {
		return a
	}
	return name
}

// expressions are the members that hold one.
var expressions = []string{"ProjectionExpression", "ConditionExpression", "FilterExpression", "KeyConditionExpression", "UpdateExpression"}

// keyed are the members, of the older way too, whose keys are attributes.
var keyed = []string{"Key", "Item", "AttributeUpdates", "Expected", "KeyConditions", "QueryFilter", "ScanFilter", "ExclusiveStartKey"}

// namesIn lists the attributes at the top that a request, or a part of one, reads or writes, sorted.
func namesIn(shape string, part map[string]any) ([]string, error) {
	found := map[string]bool{}
	aliases, _ := part["ExpressionAttributeNames"].(map[string]any)
	for _, member := range expressions {
		text, ok := part[member].(string)
		if !ok {
			continue
		}
		list, err := names(text, aliases, member == "UpdateExpression")
		if err != nil {
			return nil, err
		}
		for _, name := range list {
			found[name] = true
		}
	}
	for _, member := range keyed {
		for name := range mapOf(part[member]) {
			found[name] = true
		}
	}
	for _, v := range listOf(part["AttributesToGet"]) {
		if name, ok := v.(string); ok {
			found[name] = true
		}
	}
	for _, item := range batched(shape, part) {
		for name := range item {
			found[name] = true
		}
	}
	out := make([]string, 0, len(found))
	for name := range found {
		out = append(out, name)
	}
	slices.Sort(out)
	return out, nil
}

func mapOf(v any) map[string]any { m, _ := v.(map[string]any); return m }
func listOf(v any) []any         { l, _ := v.([]any); return l }

// batched are the keys or items of a batch.
func batched(shape string, part map[string]any) (out []map[string]any) {
	switch shape {
	case "BatchGetItem":
		for _, k := range listOf(part["Keys"]) {
			out = append(out, mapOf(k))
		}
	case "BatchWriteItem":
		for _, w := range listOf(part["Writes"]) {
			out = append(out, mapOf(mapOf(mapOf(w)["PutRequest"])["Item"]), mapOf(mapOf(mapOf(w)["DeleteRequest"])["Key"]))
		}
	}
	return out
}
