package storage

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/wire/sigv4"
)

// dynamoBackend checks that it is called with its own key, knows the keys of the tables music and posts,
// and answers everything else with what it was asked.
type dynamoBackend struct {
	t      *testing.T
	server *httptest.Server

	mu    sync.Mutex
	calls []string
	body  string // of the last call but DescribeTable
	wrong bool   // name a wrong checksum
}

const backendKey, backendSecret = "BACKENDKEY", "backend secret"

func newDynamoBackend(t *testing.T) *dynamoBackend {
	b := &dynamoBackend{t: t}
	b.server = httptest.NewServer(b)
	t.Cleanup(b.server.Close)
	return b
}

func (b *dynamoBackend) endpoint() *Endpoint {
	u, err := url.Parse(b.server.URL)
	must(b.t, err)
	return &Endpoint{URL: u, Region: "us-east-1", AccessKeyID: backendKey, SecretAccessKey: backendSecret, Account: account, Wall: time.Now}
}

func (b *dynamoBackend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e := sigv4.Examine(r, body, sigv4.Rules{Service: "dynamodb", Region: "us-east-1", Skew: time.Minute}, time.Now())
	e.Verify(backendSecret, nil)
	if p := e.Err(); p != nil || e.Credential.AccessKeyID != backendKey || e.SecurityToken != "" || r.Header.Get("Authorization") == "" {
		b.t.Errorf("the backend is called with %s: %v", e.Credential.AccessKeyID, p)
	}
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810.")
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, operation)
	answer := []byte(`{}`)
	if operation == "DescribeTable" {
		answer = []byte(`{"Table":{"KeySchema":[{"AttributeName":"artist","KeyType":"HASH"},{"AttributeName":"title","KeyType":"RANGE"}],
			"GlobalSecondaryIndexes":[{"IndexName":"by-year","KeySchema":[{"AttributeName":"year","KeyType":"HASH"}]}]}}`)
	} else {
		b.body = string(body)
	}
	sum := crc32.ChecksumIEEE(answer)
	if b.wrong {
		sum++
	}
	w.Header().Set("X-Amz-Crc32", fmt.Sprint(sum))
	_, _ = w.Write(answer)
}

func (b *dynamoBackend) called() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls)
}

func (w *world) tables(id, secret, token string, region ...string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: append(region, "us-east-1")[0], Credentials: credentials.NewStaticCredentialsProvider(id, secret, token), HTTPClient: &http.Client{Transport: w.transport()}, RetryMaxAttempts: 1,
	})
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

const musicARN = "arn:aws:dynamodb:us-east-1:" + account + ":table/music"

func TestTheGateOfDynamoDBLetsThroughWhatPoliciesAllow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ann(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["dynamodb:GetItem","dynamodb:BatchGetItem","dynamodb:Query"],"Resource":["` + musicARN + `","` + musicARN + `/index/by-year"]},
		{"Effect":"Allow","Action":"dynamodb:PutItem","Resource":"` + musicARN + `","Condition":{"StringEquals":{"dynamodb:EnclosingOperation":"TransactWriteItems"}}},
		{"Effect":"Allow","Action":"dynamodb:PartiQLSelect","Resource":"` + musicARN + `"}]}`)
	c, ctx := w.tables(annKey, "secret of "+annKey, ""), t.Context()
	key := map[string]types.AttributeValue{"artist": text("a"), "title": text("t")}
	music := aws.String("music")
	for name, try := range map[string]struct {
		call func() error
		want string // the error's code
	}{
		"reading an item of the table": {func() error { _, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: music, Key: key}); return err }, ""},
		"naming the table by its ARN": {func() error {
			_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(musicARN), Key: key})
			return err
		}, ""},
		"reading another table": {func() error {
			_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("posts"), Key: key})
			return err
		}, "AccessDeniedException"},
		"another account's table by its ARN": {func() error {
			_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String(strings.Replace(musicARN, account, stranger, 1)), Key: key})
			return err
		}, "AccessDeniedException"},
		"writing without a transaction": {func() error {
			_, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: music, Item: key})
			return err
		}, "AccessDeniedException"},
		"writing in a transaction": {func() error {
			_, err := c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{Put: &types.Put{TableName: music, Item: key}}}})
			return err
		}, ""},
		"a transaction with one thing too much": {func() error {
			_, err := c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{Put: &types.Put{TableName: music, Item: key}}, {Delete: &types.Delete{TableName: music, Key: key}}}})
			return err
		}, "AccessDeniedException"},
		"a batch over one allowed and one other table": {func() error {
			_, err := c.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"music": {Keys: []map[string]types.AttributeValue{key}}, "posts": {Keys: []map[string]types.AttributeValue{key}}}})
			return err
		}, "AccessDeniedException"},
		"a query of an allowed index": {func() error {
			_, err := c.Query(ctx, &dynamodb.QueryInput{TableName: music, IndexName: aws.String("by-year"), KeyConditionExpression: aws.String("#y = :y"), ExpressionAttributeNames: map[string]string{"#y": "year"}, ExpressionAttributeValues: map[string]types.AttributeValue{":y": text("1")}})
			return err
		}, ""},
		"a query of another index": {func() error {
			_, err := c.Query(ctx, &dynamodb.QueryInput{TableName: music, IndexName: aws.String("other"), KeyConditionExpression: aws.String("y = :y")})
			return err
		}, "AccessDeniedException"},
		"a scan": {func() error { _, err := c.Scan(ctx, &dynamodb.ScanInput{TableName: music}); return err }, "AccessDeniedException"},
		"a PartiQL statement on the table": {func() error {
			_, err := c.ExecuteStatement(ctx, &dynamodb.ExecuteStatementInput{Statement: aws.String(`SELECT * FROM "music" WHERE artist = 'a'`)})
			return err
		}, ""},
		"a PartiQL statement that writes": {func() error {
			_, err := c.ExecuteStatement(ctx, &dynamodb.ExecuteStatementInput{Statement: aws.String(`DELETE FROM "music" WHERE artist = 'a'`)})
			return err
		}, "AccessDeniedException"},
		"a PartiQL statement with two statements": {func() error {
			_, err := c.ExecuteStatement(ctx, &dynamodb.ExecuteStatementInput{Statement: aws.String(`SELECT * FROM "music" ; DELETE FROM "music"`)})
			return err
		}, "ValidationException"},
		"listing the tables":                 {func() error { _, err := c.ListTables(ctx, &dynamodb.ListTablesInput{}); return err }, "AccessDeniedException"},
		"an operation that is not passed on": {func() error { _, err := c.ListGlobalTables(ctx, &dynamodb.ListGlobalTablesInput{}); return err }, "AccessDeniedException"},
		"a table policy, which nobody has": {func() error {
			_, err := c.PutResourcePolicy(ctx, &dynamodb.PutResourcePolicyInput{ResourceArn: aws.String(musicARN), Policy: aws.String("{}")})
			return err
		}, "UnknownOperationException"},
	} {
		before := len(w.backend.called())
		if got := code(try.call()); got != try.want {
			t.Errorf("%s: %q, want %q", name, got, try.want)
		}
		if after := len(w.backend.called()); (after > before) != (try.want == "") {
			t.Errorf("%s: the backend was called %d times", name, after-before)
		}
	}
}

func TestRefusalsOfDynamoDBAreItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ann()
	s, token := w.session(nil, statement("Allow", "dynamodb:*", "*"))
	post := func(edit func(*http.Request)) (int, http.Header, string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, "https://dynamodb.us-east-1.amazonaws.com/", strings.NewReader(`{"TableName":"music"}`))
		must(t, err)
		r.Header.Set("X-Amz-Target", "DynamoDB_20120810.DescribeTable")
		edit(r)
		a, err := w.transport().RoundTrip(r)
		must(t, err)
		defer a.Body.Close()
		b, err := io.ReadAll(a.Body)
		must(t, err)
		if want := fmt.Sprint(crc32.ChecksumIEEE(b)); a.Header.Get("X-Amz-Crc32") != want {
			t.Errorf("the checksum is %s, want %s", a.Header.Get("X-Amz-Crc32"), want)
		}
		return a.StatusCode, a.Header, string(b)
	}
	status, h, body := post(func(*http.Request) {})
	if status != 400 || body != `{"__type":"com.amazon.coral.service#MissingAuthenticationTokenException","message":"Missing Authentication Token"}` || h.Get("Content-Type") != "application/x-amz-json-1.0" {
		t.Errorf("unsigned: %d %s", status, body)
	}
	if _, _, body = post(func(r *http.Request) { r.Header.Set("X-Amz-Target", "DynamoDB_20120810.Nothing") }); body != `{"__type":"com.amazon.coral.service#UnknownOperationException"}` {
		t.Errorf("unknown: %s", body)
	}
	key := map[string]types.AttributeValue{"artist": text("a")}
	_, err := w.tables(annKey, "secret of "+annKey, "").GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("music"), Key: key})
	want := "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: dynamodb:GetItem on resource: " + musicARN + " because no identity-based policy allows the dynamodb:GetItem action"
	if code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), want) {
		t.Errorf("denied: %v", err)
	}
	if e := w.last(); e.Code != "AccessDeniedException" || e.Resource != musicARN || e.Operation != "GetItem" || e.Surface != "dynamodb" || len(decisions(t, e)) != 1 {
		t.Errorf("the event is %+v", e)
	}
	for name, c := range map[string]struct{ id, secret, token, want string }{
		"a session":                          {id: s.KeyID, secret: s.Secret.Reveal(), token: token},
		"a session without its token":        {id: s.KeyID, secret: s.Secret.Reveal(), want: "UnrecognizedClientException"},
		"a session's token with another key": {id: annKey, secret: "secret of " + annKey, token: token, want: "UnrecognizedClientException"},
		"an unknown key":                     {id: "AKIAUNKNOWN", secret: "x", want: "UnrecognizedClientException"},
		"a wrong secret":                     {id: s.KeyID, secret: "wrong", token: token, want: "InvalidSignatureException"},
	} {
		_, err := w.tables(c.id, c.secret, c.token).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("music"), Key: key})
		if code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The role's other account and region have no tables.
	if _, err := w.tables(otherKey, "secret of "+otherKey, "").GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("music"), Key: key}); code(err) != "ResourceNotFoundException" {
		t.Errorf("another account: %v", err)
	}
	if _, err := w.tables(s.KeyID, s.Secret.Reveal(), token, "eu-west-1").GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("music"), Key: key}); code(err) != "ResourceNotFoundException" {
		t.Errorf("another region: %v", err)
	}
	w.backend.mu.Lock()
	w.backend.wrong = true
	w.backend.mu.Unlock()
	if _, err := w.tables(s.KeyID, s.Secret.Reveal(), token).GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("music"), Key: key}); code(err) != "InternalServerError" {
		t.Errorf("a damaged answer: %v", err)
	}
}

func TestConditionsOfDynamoDBHoldForEveryWayToAnItem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// What AWS shows for fine-grained access: only items of the own key, only some attributes.
	s, token := w.session(map[string]string{"artist": "alice"}, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"`+musicARN+`*",
		"Condition":{"ForAllValues:StringEquals":{"dynamodb:LeadingKeys":["${aws:PrincipalTag/artist}"],"dynamodb:Attributes":["artist","title","plays"]},
			"StringEqualsIfExists":{"dynamodb:Select":"SPECIFIC_ATTRIBUTES","dynamodb:ReturnValues":["NONE","UPDATED_OLD","UPDATED_NEW"]}}}}`)
	c, ctx, music := w.tables(s.KeyID, s.Secret.Reveal(), token), t.Context(), aws.String("music")
	item := func(artist string, more ...string) map[string]types.AttributeValue {
		m := map[string]types.AttributeValue{"artist": text(artist), "title": text("t")}
		for _, name := range more {
			m[name] = text("x")
		}
		return m
	}
	get := func(artist, projection string, names map[string]string) func() error {
		return func() error {
			in := &dynamodb.GetItemInput{TableName: music, Key: item(artist), ExpressionAttributeNames: names}
			if projection != "" {
				in.ProjectionExpression = &projection
			}
			_, err := c.GetItem(ctx, in)
			return err
		}
	}
	query := func(expression, value string) func() error {
		return func() error {
			_, err := c.Query(ctx, &dynamodb.QueryInput{TableName: music, ProjectionExpression: aws.String("plays"), KeyConditionExpression: &expression,
				ExpressionAttributeValues: map[string]types.AttributeValue{":a": text(value), ":b": text("bob")}})
			return err
		}
	}
	update := func(expression string) func() error {
		return func() error {
			_, err := c.UpdateItem(ctx, &dynamodb.UpdateItemInput{TableName: music, Key: item("alice"), UpdateExpression: &expression, ExpressionAttributeNames: map[string]string{"#p": "plays", "#s": "secret"}})
			return err
		}
	}
	old := func(on types.ReturnValuesOnConditionCheckFailure) func() error {
		return func() error {
			_, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: music, Item: item("alice"), ReturnValuesOnConditionCheckFailure: on})
			return err
		}
	}
	for name, try := range map[string]struct {
		call    func() error
		allowed bool
	}{
		"the own item, an allowed attribute":           {get("alice", "plays", nil), true},
		"the own item, an attribute by its alias":      {get("alice", "#p", map[string]string{"#p": "plays"}), true},
		"the own item, inside of an allowed attribute": {get("alice", "plays.secret[0], title", nil), true},
		"the own item, another attribute":              {get("alice", "plays, secret", nil), false},
		"the own item, another attribute by an alias":  {get("alice", "#p", map[string]string{"#p": "secret"}), false},
		"the own item, all attributes":                 {get("alice", "", nil), false},
		"another's item":                               {get("bob", "plays", nil), false},
		"a query of the own key":                       {query("artist = :a", "alice"), true},
		"a query of the own key, turned round":         {query("(:a = artist)", "alice"), true},
		"a query of another's key":                     {query("artist = :a", "bob"), false},
		"a query with both keys":                       {query("artist = :a AND artist = :b", "alice"), false},
		"a query that compares the key otherwise":      {query("begins_with(artist, :a)", "alice"), false},
		"writing the own item": {func() error {
			_, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: music, Item: item("alice", "plays")})
			return err
		}, true},
		"writing another attribute": {func() error {
			_, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: music, Item: item("alice", "secret")})
			return err
		}, false},
		"writing another's item": {func() error {
			_, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: music, Item: item("bob")})
			return err
		}, false},
		"writing and wanting the old item": {func() error {
			_, err := c.PutItem(ctx, &dynamodb.PutItemInput{TableName: music, Item: item("alice"), ReturnValues: types.ReturnValueAllOld})
			return err
		}, false},
		"updating an allowed attribute":               {update("SET plays = plays + :one"), true},
		"updating by an alias":                        {update("SET #p = if_not_exists(#p, :one) REMOVE title"), true},
		"updating another attribute":                  {update("SET plays = :one REMOVE #s"), false},
		"updating an attribute from another":          {update("SET plays = secret"), false},
		"updating an attribute that is called remove": {update("SET plays = remove"), false},
		"setting an attribute that is called remove":  {update("SET remove = :one"), false},
		"setting one that is called set, after one":   {update("SET plays = :one, set = :one"), false},
		"removing an attribute that is called add":    {update("REMOVE add"), false},
		"adding to one that is called delete":         {update("ADD delete :one"), false},
		"an attribute that is called and":             {update("SET and = :one"), false},
		"all clauses, in small letters":               {update("set plays = if_not_exists(plays, :one), title = :one remove title add plays :one delete plays :one"), true},
		"a function within a function":                {update("SET plays = list_append(:one, if_not_exists(plays, :one)), title = :one"), true},
		"wanting the old item when a condition fails": {old(types.ReturnValuesOnConditionCheckFailureAllOld), false},
		"wanting nothing when a condition fails":      {old(types.ReturnValuesOnConditionCheckFailureNone), true},
		"a transaction that wants the old item": {func() error {
			_, err := c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{ConditionCheck: &types.ConditionCheck{
				TableName: music, Key: item("alice"), ConditionExpression: aws.String("attribute_exists(plays)"), ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}}}})
			return err
		}, false},
		"a scan of allowed attributes: it has no leading key, on AWS either": {func() error {
			_, err := c.Scan(ctx, &dynamodb.ScanInput{TableName: music, ProjectionExpression: aws.String("artist, plays")})
			return err
		}, true},
		"a scan of another attribute": {func() error {
			_, err := c.Scan(ctx, &dynamodb.ScanInput{TableName: music, ProjectionExpression: aws.String("artist, secret")})
			return err
		}, false},
		"a batch of own items": {func() error {
			_, err := c.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"music": {{PutRequest: &types.PutRequest{Item: item("alice")}}, {DeleteRequest: &types.DeleteRequest{Key: item("alice")}}}}})
			return err
		}, true},
		"a batch with another's item": {func() error {
			_, err := c.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"music": {{PutRequest: &types.PutRequest{Item: item("alice")}}, {DeleteRequest: &types.DeleteRequest{Key: item("bob")}}}}})
			return err
		}, false},
		"a transaction with another's item": {func() error {
			_, err := c.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{Delete: &types.Delete{TableName: music, Key: item("alice")}}, {Delete: &types.Delete{TableName: music, Key: item("bob")}}}})
			return err
		}, false},
		"PartiQL, which does not show its keys": {func() error {
			_, err := c.ExecuteStatement(ctx, &dynamodb.ExecuteStatementInput{Statement: aws.String(`SELECT plays FROM "music" WHERE artist = 'bob'`)})
			return err
		}, false},
	} {
		want := ""
		if !try.allowed {
			want = "AccessDeniedException"
		}
		if err := try.call(); code(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.ExecuteStatement(ctx, &dynamodb.ExecuteStatementInput{Statement: aws.String(`SELECT plays FROM "music" WHERE artist = 'bob'`)}); code(err) != "AccessDeniedException" {
		t.Error(err)
	}
	if text := w.explainsUnseen("because the policy asks for dynamodb:LeadingKeys, which this request does not show"); !strings.Contains(text, "--  condition dynamodb:LeadingKeys ForAllValues:StringEquals  this request does not show it\n") {
		t.Errorf("explained as\n%s", text)
	}
	described := 0
	for _, o := range w.backend.called() {
		if o == "DescribeTable" {
			described++
		}
	}
	if described != 1 {
		t.Errorf("the table was described %d times", described)
	}
}

// A member that is there twice is decided about as it goes on.
func TestWhatWasDecidedGoesOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, out string }{
		{`{"TableName":"a","TableName":"b","N":1e400,"T":"<&>"}`, `{"N":1e400,"T":"<&>","TableName":"b"}`},
		{`{"a":{"b":[1,null,true]}}`, `{"a":{"b":[1,null,true]}}`},
	} {
		v, err := object([]byte(c.in))
		must(t, err)
		if b, err := encode(v); err != nil || string(b) != c.out {
			t.Errorf("%s goes on as %s, %v", c.in, b, err)
		}
	}
	for _, in := range []string{``, `null`, `[]`, `{} {}`, `{"a":}`, `"x"`} {
		if v, err := object([]byte(in)); err == nil {
			t.Errorf("%q is read as %v", in, v)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"SET #a.b[1] = :c, plays = if_not_exists(x, :y) REMOVE z", "a AND (NOT b BETWEEN :c AND :d)", "size(x) > :n", "[", "..", "é = :e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := names(s, map[string]any{"#a": "b"}, true)
		if err == nil && len(got) > len(s) {
			t.Errorf("%d names in %d bytes", len(got), len(s))
		}
	})
}

// unheard keeps no events.
type unheard struct{}

func (unheard) Record(context.Context, audit.Event) error { return nil }

func FuzzStatement(f *testing.F) {
	for _, s := range []string{`SELECT a, b FROM "t"."i" WHERE x = 'y'`, `DELETE FROM "arn:aws:dynamodb:eu-west-1:210987654321:table/t" RETURNING ALL OLD *`, `INSERT INTO t VALUE {'a': 1}`, `UPDATE "t" SET a=1 WHERE b=2`, `DELETE FROM t`, `select`, `"`, `''`} {
		f.Add(s)
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	x := &dynamoCall{
		d: &DynamoDB{Audit: unheard{}}, r: r.WithContext(audit.WithRequest(r.Context(), &audit.Request{})), operation: "ExecuteStatement", caller: caller{signed: &sigv4.Examination{}},
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := x.statement(s)
		if err == nil && (!strings.HasPrefix(n.resource, "arn:aws:dynamodb:") || !strings.HasPrefix(n.action, "dynamodb:PartiQL")) {
			t.Errorf("%q needs %s on %s", s, n.action, n.resource)
		}
	})
}
