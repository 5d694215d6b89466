package storage

import (
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/policy"
)

// maxStatement bounds a PartiQL statement, in bytes (DynamoDB API reference, PartiQLStatement).
const maxStatement = 8 << 10

// onStatements is for PartiQL: each statement needs the action of its kind, on its table or index.
func onStatements(x *dynamoCall) ([]need, error) {
	parts := []any{x.body}
	switch x.operation {
	case "BatchExecuteStatement":
		parts = listOf(x.body["Statements"])
	case "ExecuteTransaction":
		parts = listOf(x.body["TransactStatements"])
	}
	if len(parts) == 0 || len(parts) > maxBatch {
		return nil, invalidDynamo(badRequest)
	}
	var out []need
	for _, part := range parts {
		text, _ := mapOf(part)["Statement"].(string)
		n, err := x.statement(text)
		if err != nil {
			return nil, err
		}
		if tellsOld(mapOf(part)) {
			n.unseen = append(n.unseen, returnValues)
		}
		if x.operation != "ExecuteStatement" {
			n.keys.Set("dynamodb:EnclosingOperation", x.operation)
		}
		out = append(out, n)
	}
	return out, nil
}

const textBadStatement = "Statement wasn't well formed, can't be processed: "

// statement finds a statement's action and table. Which items and attributes it reaches is not made out: a
// policy that asks for them does not allow it.
func (x *dynamoCall) statement(text string) (need, error) {
	words, err := sqlWords(text)
	if err != nil {
		return need{}, err
	}
	action, at := "", -1
	first := ""
	if len(words) > 0 {
		first = words[0].upper()
	}
	switch first {
	case "SELECT":
		action, at = "dynamodb:PartiQLSelect", behind(words, "FROM")
	case "INSERT":
		action, at = "dynamodb:PartiQLInsert", behind(words[:min(2, len(words))], "INTO")
	case "UPDATE":
		action, at = "dynamodb:PartiQLUpdate", 1
	case "DELETE":
		action, at = "dynamodb:PartiQLDelete", behind(words[:min(2, len(words))], "FROM")
	}
	if at < 1 || at >= len(words) || !words[at].name() {
		return need{}, invalidDynamo(textBadStatement + "expected a table")
	}
	// One SELECT, one FROM, one table: no joins, no sub-selects, nothing behind a ";".
	for i, w := range words {
		if i > 0 && !w.quoted && (slices.Contains([]string{"SELECT", ";", "INSERT", "JOIN", "UNION"}, w.upper()) || i > at && w.upper() == "FROM") {
			return need{}, invalidDynamo(textBadStatement + "unexpected " + w.text)
		}
	}
	p, err := x.table(words[at].text)
	if err != nil {
		return need{}, err
	}
	if at+2 < len(words) && words[at+1].text == "." && !words[at+1].quoted {
		if action != "dynamodb:PartiQLSelect" || !words[at+2].name() || !named(words[at+2].text) {
			return need{}, invalidDynamo(textBadStatement + "expected an index")
		}
		p.index, p.arn = words[at+2].text, p.arn+"/index/"+words[at+2].text
		at += 2
	}
	if action == "dynamodb:PartiQLSelect" && at+1 < len(words) && !slices.Contains([]string{"WHERE", "ORDER"}, words[at+1].upper()) {
		return need{}, invalidDynamo(textBadStatement + "unexpected " + words[at+1].text)
	}
	n := need{action: action, resource: p.arn, owner: p.owner, keys: policy.Context{}, unseen: []string{leadingKeys, attributes, "dynamodb:FullTableScan", "dynamodb:Select"}}
	if behind(words, "RETURNING") >= 0 { // old or new values, all or some
		n.unseen = append(n.unseen, returnValues)
	}
	if action == "dynamodb:PartiQLSelect" && behind(words, "WHERE") < 0 {
		n.keys.Set("dynamodb:FullTableScan", "true")
	}
	return n, nil
}

// sqlWord is one token of a statement.
type sqlWord struct {
	text   string
	quoted bool // "name"
	value  bool // 'text', a number
}

func (w sqlWord) upper() string {
	if w.quoted || w.value {
		return ""
	}
	return strings.ToUpper(w.text)
}

// name reports a word that can be a table's.
func (w sqlWord) name() bool { return !w.value && w.text != "" && (w.quoted || wordByte(w.text[0])) }

// behind is the place after the first of a key word, -1 without.
func behind(words []sqlWord, key string) int {
	for i, w := range words {
		if w.upper() == key {
			return i + 1
		}
	}
	return -1
}

// sqlWords cuts a statement. Comments are refused: they are nothing that clients send.
func sqlWords(text string) ([]sqlWord, error) {
	if len(text) > maxStatement {
		return nil, invalidDynamo(textBadStatement + "it is too long")
	}
	if text == "" {
		return nil, invalidDynamo(textBadStatement + "it is empty")
	}
	var out []sqlWord
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case strings.HasPrefix(text[i:], "--") || strings.HasPrefix(text[i:], "/*") || c == '`':
			return nil, invalidDynamo(textBadStatement + "comments and literals in backquotes are not passed on")
		case c == '"' || c == '\'':
			inner, next, ok := quoted(text, i)
			if !ok {
				return nil, invalidDynamo(textBadStatement + "a quote is not closed")
			}
			out = append(out, sqlWord{text: inner, quoted: c == '"', value: c == '\''})
			i = next
		case wordByte(c) || c == '-' && i+1 < len(text) && wordByte(text[i+1]):
			j := i + 1
			for j < len(text) && (wordByte(text[j]) || text[j] == '-') {
				j++
			}
			out = append(out, sqlWord{text: text[i:j], value: '0' <= c && c <= '9'})
			i = j
		default:
			out = append(out, sqlWord{text: string(c)})
			i++
		}
	}
	return out, nil
}

// quoted reads from a quote to its end; a doubled quote stands for itself.
func quoted(text string, i int) (inner string, next int, ok bool) {
	q := text[i]
	var b strings.Builder
	for i++; i < len(text); i++ {
		if text[i] != q {
			b.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == q {
			b.WriteByte(q)
			i++
			continue
		}
		return b.String(), i + 1, true
	}
	return "", 0, false
}
