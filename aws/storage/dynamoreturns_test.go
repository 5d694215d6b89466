package storage

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// What a write gives back when its condition fails is decided about like what it gives back at all.
func TestWhatAWriteReturnsIsDecidedAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, token := w.session(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"StringEqualsIfExists":{"dynamodb:ReturnValues":["NONE","ALL_OLD"]}}},
		{"Effect":"Deny","Action":["dynamodb:DeleteItem","dynamodb:ConditionCheckItem","dynamodb:PartiQLDelete"],"Resource":"*","Condition":{"StringEquals":{"dynamodb:ReturnValues":"ALL_OLD"}}}]}`)
	c, ctx, music := w.tables(s.KeyID, s.Secret.Reveal(), token), t.Context(), aws.String("music")
	key := map[string]types.AttributeValue{"artist": text("a"), "title": text("t")}
	const all, none = types.ReturnValuesOnConditionCheckFailureAllOld, types.ReturnValuesOnConditionCheckFailureNone
	update := func(v types.ReturnValue, on types.ReturnValuesOnConditionCheckFailure) func() error {
		return func() error {
			_, err := c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: music, Key: key, UpdateExpression: aws.String("SET plays = :one"), ReturnValues: v, ReturnValuesOnConditionCheckFailure: on})
			return err
		}
	}
	remove := func(on types.ReturnValuesOnConditionCheckFailure) func() error {
		return func() error {
			_, err := c.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: music, Key: key, ReturnValuesOnConditionCheckFailure: on})
			return err
		}
	}
	transact := func(item types.TransactWriteItem) func() error {
		return func() error {
			_, err := c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{item}})
			return err
		}
	}
	statement := func(text string, on types.ReturnValuesOnConditionCheckFailure) func() error {
		return func() error {
			_, err := c.ExecuteStatement(ctx, &dynamodb.ExecuteStatementInput{Statement: &text, ReturnValuesOnConditionCheckFailure: on})
			return err
		}
	}
	for name, try := range map[string]struct {
		call    func() error
		allowed bool
	}{
		"an update that may return the old item":                         {update("", all), true},
		"an update that returns what it may not, and the old item":       {update(types.ReturnValueUpdatedNew, all), false},
		"a deletion that returns nothing":                                {remove(none), true},
		"a deletion that returns the old item when its condition fails":  {remove(all), false},
		"a deletion in a transaction that does":                          {transact(types.TransactWriteItem{Delete: &types.Delete{TableName: music, Key: key, ReturnValuesOnConditionCheckFailure: all}}), false},
		"a check in a transaction that does":                             {transact(types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: music, Key: key, ConditionExpression: aws.String("attribute_exists(a)"), ReturnValuesOnConditionCheckFailure: all}}), false},
		"a check in a transaction that does not":                         {transact(types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{TableName: music, Key: key, ConditionExpression: aws.String("attribute_exists(a)")}}), true},
		"a statement that returns nothing":                               {statement(`DELETE FROM "music" WHERE artist = 'a'`, ""), true},
		"a statement that returns the old item":                          {statement(`DELETE FROM "music" WHERE artist = 'a' RETURNING ALL OLD *`, ""), false},
		"a statement that returns the old item when its condition fails": {statement(`DELETE FROM "music" WHERE artist = 'a'`, all), false},
	} {
		want := ""
		if !try.allowed {
			want = "AccessDeniedException"
		}
		if err := try.call(); code(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is named by its ARN is in the region that the request is for: a server behind may look at the name alone.
func TestAnARNOfAnotherRegionIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	far := strings.Replace(musicARN, "us-east-1", "eu-west-1", 1)
	s, token := w.session(nil, statement("Allow", "dynamodb:*", far+"*"))
	c, ctx := w.tables(s.KeyID, s.Secret.Reveal(), token), t.Context()
	for name, call := range map[string]func(arn string) error{
		"tagging": func(arn string) error {
			_, err := c.TagResource(ctx, &dynamodb.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}})
			return err
		},
		"its tags": func(arn string) error {
			_, err := c.ListTagsOfResource(ctx, &dynamodb.ListTagsOfResourceInput{ResourceArn: &arn})
			return err
		},
		"deleting a backup": func(arn string) error {
			_, err := c.DeleteBackup(ctx, &dynamodb.DeleteBackupInput{BackupArn: aws.String(arn + "/backup/01489602797149-73d8d5bc")})
			return err
		},
		"describing the table": func(arn string) error {
			_, err := c.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &arn})
			return err
		},
	} {
		if err := call(far); code(err) != "AccessDeniedException" {
			t.Errorf("%s: %v", name, err)
		}
		if e := w.last(); e.Code != "AccessDeniedException" || !strings.HasPrefix(e.Resource, far) {
			t.Errorf("%s: the event is %+v", name, e)
		}
	}
	if calls := w.backend.called(); len(calls) > 0 {
		t.Errorf("the backend was called: %v", calls)
	}
}
