package storage

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// schemaLife is how long a table's keys are remembered. They change only with the table.
const (
	schemaLife = 30 * time.Second
	maxSchemas = 1024
)

// schemas remembers partition keys, by table and index ("" the table's own).
type schemas struct {
	mu sync.Mutex
	at map[string]schema
}

type schema struct {
	partition map[string]string
	until     time.Time
}

func (s *schemas) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = nil
}

func (s *schemas) get(table string, now time.Time) (schema, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.at[table]
	return v, ok && now.Before(v.until)
}

func (s *schemas) put(table string, v schema) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil || len(s.at) >= maxSchemas {
		s.at = map[string]schema{}
	}
	s.at[table] = v
}

type keySchema []struct{ AttributeName, KeyType string }

func (k keySchema) partition() string {
	for _, e := range k {
		if e.KeyType == "HASH" {
			return e.AttributeName
		}
	}
	return ""
}

type index struct {
	IndexName string
	KeySchema keySchema
}

// schema asks the endpoint, with its own key, for the partition keys of a table. ok is false when there is
// no such table.
func (d *DynamoDB) schema(ctx context.Context, table string) (out schema, ok bool, err error) {
	if out, ok = d.schemas.get(table, d.Wall()); ok {
		return out, true, nil
	}
	body, err := encode(map[string]string{"TableName": table})
	if err != nil {
		return out, false, err
	}
	status, answer, err := d.call(ctx, "DescribeTable", body)
	if err != nil || status != http.StatusOK {
		return out, false, err
	}
	var v struct {
		Table struct {
			KeySchema                                     keySchema
			GlobalSecondaryIndexes, LocalSecondaryIndexes []index
		}
	}
	if err := json.Unmarshal(answer, &v); err != nil {
		return out, false, errNoWay{err}
	}
	out = schema{partition: map[string]string{"": v.Table.KeySchema.partition()}, until: d.Wall().Add(schemaLife)}
	for _, i := range append(v.Table.GlobalSecondaryIndexes, v.Table.LocalSecondaryIndexes...) {
		out.partition[i.IndexName] = i.KeySchema.partition()
	}
	d.schemas.put(table, out)
	return out, true, nil
}

// leading gives the values of the partition key that a request names. known is false when that cannot be
// said: then nothing may be allowed for their sake.
func (x *dynamoCall) leading(ctx context.Context, p place, shape string, part map[string]any) (values []string, known bool, err error) {
	s, ok, err := x.d.schema(ctx, p.name)
	if err != nil || !ok {
		return nil, false, err
	}
	key := s.partition[p.index]
	if key == "" {
		return nil, false, nil
	}
	var items []map[string]any
	switch shape {
	case "GetItem", "DeleteItem", "UpdateItem", "ConditionCheckItem":
		items = []map[string]any{mapOf(part["Key"])}
	case "PutItem":
		items = []map[string]any{mapOf(part["Item"])}
	case "Query":
		v, ok := queried(key, part)
		return v, ok, nil
	default:
		for _, i := range batched(shape, part) {
			if i != nil {
				items = append(items, i)
			}
		}
	}
	for _, i := range items {
		v, ok := scalar(i[key])
		if !ok {
			return nil, false, nil
		}
		values = append(values, v)
	}
	return values, len(values) > 0, nil
}

// scalar is a key's value as text: {"S": …}, {"N": …} or {"B": base64}.
func scalar(v any) (string, bool) {
	m := mapOf(v)
	if len(m) != 1 {
		return "", false
	}
	for _, kind := range []string{"S", "N", "B"} {
		if s, ok := m[kind].(string); ok {
			return s, true
		}
	}
	return "", false
}

// queried is the partition key's value that a Query wants: every comparison of the key must be with "=".
func queried(key string, part map[string]any) ([]string, bool) {
	if old := mapOf(part["KeyConditions"]); old != nil {
		c := mapOf(old[key])
		list := listOf(c["AttributeValueList"])
		if c["ComparisonOperator"] != "EQ" || len(list) != 1 || part["KeyConditionExpression"] != nil {
			return nil, false
		}
		v, ok := scalar(list[0])
		return []string{v}, ok
	}
	text, _ := part["KeyConditionExpression"].(string)
	words, err := wordsOf(text)
	if err != nil {
		return nil, false
	}
	aliases, given := mapOf(part["ExpressionAttributeNames"]), mapOf(part["ExpressionAttributeValues"])
	var out []string
	for i, w := range words {
		if w.kind != nameWord || resolve(w.text, aliases) != key {
			continue
		}
		placeholder := ""
		switch {
		case i+2 < len(words) && words[i+1].text == "=" && words[i+2].kind == valueWord:
			placeholder = words[i+2].text
		case i >= 2 && words[i-1].text == "=" && words[i-2].kind == valueWord:
			placeholder = words[i-2].text
		default:
			return nil, false
		}
		v, ok := scalar(given[placeholder])
		if !ok {
			return nil, false
		}
		out = append(out, v)
	}
	return out, len(out) > 0
}
