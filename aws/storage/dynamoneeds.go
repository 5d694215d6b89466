package storage

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/policy"
)

// need is one permission that a request needs, with its own condition keys. leading finds the partition
// keys' values when a policy asks for them; nil when the action has none. unseen names keys whose values
// are not made out of this request.
type need struct {
	action, resource, owner string
	keys                    policy.Context
	leading                 func(ctx context.Context) (values []string, known bool, err error)
	unseen                  []string
}

// dynamoOperation says what an operation needs.
type dynamoOperation struct {
	resources func(x *dynamoCall) ([]need, error)
}

// dynamoOperations are all that are passed on (DynamoDB API reference, version 2012-08-10; Service
// Authorization Reference, "Actions, resources, and condition keys for Amazon DynamoDB").
var dynamoOperations = map[string]dynamoOperation{
	"GetItem": {onItem}, "PutItem": {onItem}, "UpdateItem": {onItem}, "DeleteItem": {onItem}, "Query": {onItem}, "Scan": {onItem},
	"BatchGetItem": {onBatch}, "BatchWriteItem": {onBatch}, "TransactGetItems": {onTransaction}, "TransactWriteItems": {onTransaction},
	"ExecuteStatement": {onStatements}, "BatchExecuteStatement": {onStatements}, "ExecuteTransaction": {onStatements},

	"CreateTable": {onTable}, "DescribeTable": {onTable}, "UpdateTable": {onTable}, "DeleteTable": {onTable},
	"DescribeTimeToLive": {onTable}, "UpdateTimeToLive": {onTable}, "DescribeContinuousBackups": {onTable}, "UpdateContinuousBackups": {onTable},
	"DescribeContributorInsights": {onTable}, "UpdateContributorInsights": {onTable}, "CreateBackup": {onTable},
	"DescribeKinesisStreamingDestination": {onTable}, "EnableKinesisStreamingDestination": {onTable}, "DisableKinesisStreamingDestination": {onTable}, "UpdateKinesisStreamingDestination": {onTable},
	"DescribeTableReplicaAutoScaling": {onTable}, "UpdateTableReplicaAutoScaling": {onTable},

	"TagResource": {onARN("ResourceArn")}, "UntagResource": {onARN("ResourceArn")}, "ListTagsOfResource": {onARN("ResourceArn")},
	"DescribeBackup": {onARN("BackupArn")}, "DeleteBackup": {onARN("BackupArn")}, "ExportTableToPointInTime": {onARN("TableArn")}, "DescribeExport": {onARN("ExportArn")},

	"ListTables": {onAccount("table/*")}, "ListBackups": {onAccount("")}, "ListExports": {onAccount("")}, "ListImports": {onAccount("")}, "ListGlobalTables": {onAccount("")},
	"ListContributorInsights": {onAccount("")}, "DescribeLimits": {onAccount("")}, "DescribeEndpoints": {onAccount("")},
}

func (x *dynamoCall) action() string { return "dynamodb:" + x.operation }

// onAccount needs the operation's action on what the account has of a kind, "" for everything at all.
func onAccount(what string) func(*dynamoCall) ([]need, error) {
	return func(x *dynamoCall) ([]need, error) {
		n := need{action: x.action(), resource: "*"}
		if what != "" {
			n.resource = x.arn(what)
		}
		n.owner = x.caller.key.Subject.Principal.Account
		return []need{n}, nil
	}
}

// arn names something of the caller's account: names without one are that account's.
func (x *dynamoCall) arn(resource string) string {
	return "arn:aws:dynamodb:" + x.region() + ":" + x.caller.key.Subject.Principal.Account + ":" + resource
}

var (
	tableForm  = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	tableARN   = regexp.MustCompile(`^arn:aws:dynamodb:([a-z0-9-]+):([0-9]{12}):table/([A-Za-z0-9_.-]+)((?:/[A-Za-z0-9_.:-]+)*)$`)
	badTable   = "1 validation error detected: Value at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
	badIndex   = "1 validation error detected: Value at 'indexName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
	badRequest = "The request is not of the form that the operation has"
)

// maxTableName is in characters, maxTableARN in bytes (DynamoDB API reference, TableName and TableArn).
const (
	maxTableName = 255
	maxTableARN  = 1024
)

// named reports the name of a table or an index.
func named(s string) bool { return len(s) <= maxTableName && tableForm.MatchString(s) }

// place is a table, or an index of it.
type place struct{ name, index, arn, owner string }

// table reads a table's name or ARN.
func (x *dynamoCall) table(v any) (place, error) {
	s, _ := v.(string)
	if named(s) {
		return place{name: s, arn: x.arn("table/" + s), owner: x.caller.key.Subject.Principal.Account}, nil
	}
	m := arnParts(s)
	if m == nil || m[4] != "" || !named(m[3]) {
		return place{}, invalidDynamo(badTable)
	}
	if m[1] != x.region() || m[2] != x.caller.key.Subject.Principal.Account {
		return place{}, x.foreign(s)
	}
	return place{name: m[3], arn: s, owner: m[2]}, nil
}

// foreign refuses what is another account's or in another region. Only a table's own policy could open it to
// another account, and tables have none here.
func (x *dynamoCall) foreign(arn string) error {
	e := coral("AccessDeniedException", "User: "+x.caller.key.Subject.Principal.ARN+" is not authorized to perform: "+x.action()+" on resource: "+arn+
		" because no resource-based policy allows the "+x.action()+" action")
	return x.refused(x.r.Context(), e, arn, nil)
}

// arnParts are the region, account, table and further parts of an ARN, behind the whole; nil when it is none.
func arnParts(s string) []string {
	if len(s) > maxTableARN {
		return nil
	}
	return tableARN.FindStringSubmatch(s)
}

// member reads the table that the request or one of its parts names, and leaves its plain name there: what
// stands behind need not know ARNs.
func (x *dynamoCall) member(of map[string]any) (place, error) {
	p, err := x.table(of["TableName"])
	if err != nil {
		return p, err
	}
	of["TableName"] = p.name
	if i, ok := of["IndexName"]; ok && x.indexed() {
		name, _ := i.(string)
		if !named(name) {
			return p, invalidDynamo(badIndex)
		}
		p.index, p.arn = name, p.arn+"/index/"+name
	}
	return p, nil
}

// indexed reports operations whose IndexName is what they act on.
func (x *dynamoCall) indexed() bool {
	return x.operation == "Query" || x.operation == "Scan" || strings.HasSuffix(x.operation, "ContributorInsights")
}

func onTable(x *dynamoCall) ([]need, error) {
	p, err := x.member(x.body)
	if err != nil {
		return nil, err
	}
	out := []need{{action: x.action(), resource: p.arn, owner: p.owner}}
	if x.operation == "CreateTable" && x.body["Tags"] != nil {
		out = append(out, need{action: "dynamodb:TagResource", resource: p.arn, owner: p.owner})
	}
	if x.operation == "CreateTable" && x.body["ResourcePolicy"] != nil {
		return nil, invalidDynamo("Resource-based policies are not supported here")
	}
	return out, nil
}

// onARN needs the action on a resource that the request names by its ARN.
func onARN(member string) func(*dynamoCall) ([]need, error) {
	return func(x *dynamoCall) ([]need, error) {
		s, _ := x.body[member].(string)
		m := arnParts(s)
		if m == nil {
			return nil, invalidDynamo("Invalid " + member)
		}
		if m[1] != x.region() { // what stands behind may look at the name alone
			return nil, x.foreign(s)
		}
		return []need{{action: x.action(), resource: s, owner: m[2]}}, nil
	}
}

// onItem is for the operations on one table's items.
func onItem(x *dynamoCall) ([]need, error) {
	p, err := x.member(x.body)
	if err != nil {
		return nil, err
	}
	return x.items(x.action(), p, x.operation, x.body)
}

// items are the needs of one part of a request, in the shape of the operation that it would be by itself.
func (x *dynamoCall) items(action string, p place, shape string, part map[string]any) ([]need, error) {
	n := need{action: action, resource: p.arn, owner: p.owner, keys: policy.Context{}}
	named, err := namesIn(shape, part)
	if err != nil {
		return nil, err
	}
	n.keys.SetMany(attributes, named...)
	switch shape {
	case "PutItem", "UpdateItem", "DeleteItem":
		returned, _ := part["ReturnValues"].(string)
		if returned == "" {
			returned = "NONE"
		}
		n.keys.Set(returnValues, returned)
	case "GetItem", "BatchGetItem", "Query", "Scan":
		n.keys.Set("dynamodb:Select", selected(p, part))
	}
	for _, source := range []map[string]any{part, x.body} {
		if v, ok := source["ReturnConsumedCapacity"].(string); ok {
			n.keys.Set("dynamodb:ReturnConsumedCapacity", v)
		}
	}
	if shape == "Scan" {
		return []need{n}, nil // has no leading key (DynamoDB developer guide, "Using IAM policy conditions for fine-grained access control")
	}
	n.leading = func(ctx context.Context) ([]string, bool, error) { return x.leading(ctx, p, shape, part) }
	if !tellsOld(part) {
		return []need{n}, nil
	}
	old := n
	old.keys = maps.Clone(n.keys)
	old.keys.Set(returnValues, "ALL_OLD")
	old.unseen = []string{attributes}
	return []need{n, old}, nil
}

// tellsOld reports a write that gives the whole item back when its condition fails. AWS does not say which
// condition key covers that. Here it needs the permission to return the old item as well, as ReturnValues
// does, and a policy that asks for attributes refuses it: which ones the item has, the request does not show.
func tellsOld(part map[string]any) bool {
	v, given := part["ReturnValuesOnConditionCheckFailure"]
	return given && v != nil && v != "" && v != "NONE"
}

// selected is what a read asks for, said or not.
func selected(p place, part map[string]any) string {
	if s, ok := part["Select"].(string); ok && s != "" {
		return s
	}
	_, projection := part["ProjectionExpression"]
	_, list := part["AttributesToGet"]
	switch {
	case projection || list:
		return "SPECIFIC_ATTRIBUTES"
	case p.index != "":
		return "ALL_PROJECTED_ATTRIBUTES"
	}
	return "ALL_ATTRIBUTES"
}

// maxParts bounds the parts of a batch or a transaction (DynamoDB API reference: 100 items).
const maxBatch = 100

// onBatch is for batches, which are decided once for each table.
func onBatch(x *dynamoCall) ([]need, error) {
	tables, ok := x.body["RequestItems"].(map[string]any)
	if !ok || len(tables) == 0 || len(tables) > maxBatch {
		return nil, invalidDynamo(badRequest)
	}
	var out []need
	plain := map[string]any{}
	names := make([]string, 0, len(tables))
	for name := range tables {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p, err := x.table(name)
		if err != nil {
			return nil, err
		}
		if _, twice := plain[p.name]; twice { // by name and by ARN
			return nil, invalidDynamo("Provided list of tables contains duplicates")
		}
		plain[p.name] = tables[name]
		part, ok := tables[name].(map[string]any)
		if x.operation == "BatchWriteItem" {
			var list []any
			list, ok = tables[name].([]any)
			part = map[string]any{"Writes": list}
		}
		if !ok {
			return nil, invalidDynamo(badRequest)
		}
		n, err := x.items(x.action(), p, x.operation, part)
		if err != nil {
			return nil, err
		}
		out = append(out, n...)
	}
	x.body["RequestItems"] = plain
	return out, nil
}

// transactional maps a transaction's members to the actions that they need.
var transactional = map[string]struct{ action, shape string }{
	"Get": {"dynamodb:GetItem", "GetItem"}, "ConditionCheck": {"dynamodb:ConditionCheckItem", "ConditionCheckItem"},
	"Put": {"dynamodb:PutItem", "PutItem"}, "Update": {"dynamodb:UpdateItem", "UpdateItem"}, "Delete": {"dynamodb:DeleteItem", "DeleteItem"},
}

// onTransaction is for transactions, each of whose members needs the permission of its own operation.
func onTransaction(x *dynamoCall) ([]need, error) {
	list, ok := x.body["TransactItems"].([]any)
	if !ok || len(list) == 0 || len(list) > maxBatch {
		return nil, invalidDynamo(badRequest)
	}
	var out []need
	for _, item := range list {
		members, ok := item.(map[string]any)
		if !ok || len(members) != 1 {
			return nil, invalidDynamo("TransactItems can only contain one of Check, Put, Update or Delete")
		}
		for kind, v := range members {
			part, ok := v.(map[string]any)
			row, known := transactional[kind]
			if !ok || !known || (kind == "Get") != (x.operation == "TransactGetItems") {
				return nil, invalidDynamo(badRequest)
			}
			p, err := x.member(part)
			if err != nil {
				return nil, err
			}
			n, err := x.items(row.action, p, row.shape, part)
			if err != nil {
				return nil, err
			}
			for _, one := range n {
				one.keys.Set("dynamodb:EnclosingOperation", x.operation)
			}
			out = append(out, n...)
		}
	}
	return out, nil
}
