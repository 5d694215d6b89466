package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/wire/sigv4"
)

// DynamoDB answers for Amazon DynamoDB. The tables are the endpoint's, and those of one account in one
// region (the endpoint's): callers of other accounts have none, nor has any other region, whatever names
// are used. Everything must be set but Log.
type DynamoDB struct {
	Endpoint *Endpoint
	Access   Authority
	Audit    audit.Recorder
	Region   string           // of requests that name none
	Now      func() time.Time // of the twin
	Wall     func() time.Time // of the machine
	Log      *slog.Logger     // nil discards

	keys    sigv4.KeyCache
	schemas schemas
}

const (
	dynamoTarget = "DynamoDB_20120810."
	dynamoType   = "application/x-amz-json-1.0"
	dynamoSkew   = 5 * time.Minute
	// maxDynamo bounds a request and an answer: BatchGetItem and BatchWriteItem have 16 MB (DynamoDB
	// developer guide, "Quotas"), the framing around it another.
	maxDynamo = 17 << 20
)

// dynamoError is a refusal in DynamoDB's words. Access denied says "Message", the others "message".
type dynamoError struct {
	Type    string // with its namespace
	Message string
	Status  int
}

func (e *dynamoError) Error() string { return e.Type + ": " + e.Message }

func (e *dynamoError) code() string { _, code, _ := strings.Cut(e.Type, "#"); return code }

func coral(code, message string) *dynamoError {
	return &dynamoError{"com.amazon.coral.service#" + code, message, http.StatusBadRequest}
}

func invalidDynamo(message string) *dynamoError {
	return &dynamoError{"com.amazon.coral.validate#ValidationException", message, http.StatusBadRequest}
}

func noSuchTable(what string) *dynamoError {
	return &dynamoError{"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", "Requested resource not found" + what, http.StatusBadRequest}
}

var errDynamoInternal = dynamoError{"com.amazonaws.dynamodb.v20120810#InternalServerError", "Internal server error", http.StatusInternalServerError}

// dynamoCall is one request.
type dynamoCall struct {
	d         *DynamoDB
	r         *http.Request
	info      *audit.Request
	now       time.Time
	operation string
	caller    caller
	body      map[string]any
}

// ServeHTTP answers one request.
func (d *DynamoDB) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	x := &dynamoCall{d: d, r: r, info: audit.RequestOf(ctx), now: d.Now()}
	x.info.Surface = "dynamodb"
	h := w.Header()
	h.Set("Date", x.now.UTC().Format(http.TimeFormat))
	h.Set("X-Amzn-Requestid", x.info.ID)
	h.Set("Content-Type", dynamoType)
	status, body, err := x.serve(ctx)
	if err != nil {
		var e *dynamoError
		if !errors.As(err, &e) {
			e = &errDynamoInternal
			discard(d.Log).ErrorContext(ctx, "dynamodb request failed", "request", x.info.ID, "operation", x.operation, "error", err)
		}
		x.info.Code = e.code()
		status, body = e.Status, e.body()
	}
	h.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)) // clients compare it
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever does not read it is gone
}

func (e *dynamoError) body() []byte {
	v := map[string]string{"__type": e.Type}
	switch {
	case e.code() == "AccessDeniedException":
		v["Message"] = e.Message
	case e.Message != "":
		v["message"] = e.Message
	}
	b, _ := json.Marshal(v) // of strings
	return b
}

var operationName = regexp.MustCompile(`^[A-Za-z]{1,64}$`)

func (x *dynamoCall) serve(ctx context.Context) (int, []byte, error) {
	name, ok := strings.CutPrefix(x.r.Header.Get("X-Amz-Target"), dynamoTarget)
	if !ok || !operationName.MatchString(name) || x.r.Method != http.MethodPost || dynamoOperations[name].resources == nil {
		return 0, nil, coral("UnknownOperationException", "")
	}
	x.operation, x.info.Operation = name, name
	raw, err := readAll(x.r.Body, maxDynamo)
	if err != nil {
		return 0, nil, &dynamoError{"com.amazon.coral.service#SerializationException", "", http.StatusRequestEntityTooLarge}
	}
	if err := x.authenticate(ctx, raw); err != nil {
		return 0, nil, err
	}
	// What goes on is written anew from what was decided about: a member that is there twice would
	// otherwise be read one way here and another way behind.
	if x.body, err = object(raw); err != nil {
		return 0, nil, coral("SerializationException", "")
	}
	if err := x.permit(ctx); err != nil {
		return 0, nil, err
	}
	return x.forward(ctx)
}

// object reads a JSON object, its numbers as they are written.
func object(raw []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF || v == nil {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// encode writes JSON without escaping for HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// dynamoHost are DynamoDB's names; the SDKs put the account first when they know it (AWS SDKs and tools
// reference guide, "Account-based endpoints").
var dynamoHost = regexp.MustCompile(`^(?:dynamodb(?:-fips)?|[0-9]{12}\.ddb(?:-fips)?)\.([a-z]{2,4}(?:-[a-z]+)+-[0-9])\.`)

func (x *dynamoCall) authenticate(ctx context.Context, body []byte) (err error) {
	region := ""
	if m := dynamoHost.FindStringSubmatch(strings.ToLower(x.r.Host)); m != nil {
		region = m[1]
	}
	x.caller, err = examine(ctx, x.d.Access, x.r, body, sigv4.Rules{Service: "dynamodb", Region: region, Skew: dynamoSkew}, x.now, &x.d.keys)
	if err != nil {
		return err
	}
	p := x.caller.problem
	if p == nil {
		x.info.Caller = x.caller.key.Subject.Principal.ARN
		return nil
	}
	x.info.Caller = op.Claimed(x.caller.signed.Credential.AccessKeyID)
	codes := map[sigv4.Kind]string{
		sigv4.Missing: "MissingAuthenticationTokenException", sigv4.Incomplete: "IncompleteSignatureException",
		sigv4.UnknownToken: "UnrecognizedClientException", sigv4.ExpiredToken: "ExpiredTokenException",
	}
	code := codes[p.Kind]
	if code == "" {
		code = "InvalidSignatureException"
	}
	return x.refused(ctx, coral(code, p.Message), "", nil)
}

// refused records a refusal, which is then to be answered.
func (x *dynamoCall) refused(ctx context.Context, e *dynamoError, resource string, decisions []policy.Decision) error {
	if err := record(ctx, x.d.Audit, x.now, x.caller, resource, e.code(), decisions); err != nil {
		return err
	}
	return e
}

func (x *dynamoCall) region() string { return x.caller.signed.Credential.Region }

// permit decides everything that the request needs, records, and gives the first refusal.
func (x *dynamoCall) permit(ctx context.Context) error {
	needs, err := dynamoOperations[x.operation].resources(x)
	if err != nil {
		return err
	}
	var refusal *dynamoError
	var decisions []policy.Decision
	for _, n := range needs {
		decision, err := x.decide(ctx, n)
		if err != nil {
			return err
		}
		decisions = append(decisions, decision)
		if refusal == nil && !decision.Allows() {
			refusal = coral("AccessDeniedException", op.Denied(op.JSON11, decision, n.resource).Message)
		}
	}
	resource := needs[0].resource
	if refusal != nil {
		return x.refused(ctx, refusal, resource, decisions)
	}
	if err := record(ctx, x.d.Audit, x.now, x.caller, resource, "", decisions); err != nil {
		return err
	}
	if x.caller.key.Subject.Principal.Account != x.d.Endpoint.Account || x.region() != x.d.Endpoint.Region {
		return noSuchTable("")
	}
	return nil
}

// decide evaluates one need.
func (x *dynamoCall) decide(ctx context.Context, n need) (decision policy.Decision, err error) {
	ask := access.Ask{Subject: x.caller.subject(), Action: n.action, Resource: n.resource, Owner: n.owner, Context: op.GlobalKeys(x.r, x.region(), x.now)}
	for name, v := range n.keys {
		ask.Context[name] = v
	}
	if decision, err = x.d.Access.Decide(ctx, ask); err != nil {
		return decision, err
	}
	if n.leading != nil && asks(decision, leadingKeys) {
		// Which attribute is the partition key, only the table knows; few policies ask for it.
		values, known, err := n.leading(ctx)
		if err != nil {
			return decision, err
		}
		if !known {
			return unseen(decision, leadingKeys, "this request"), nil
		}
		ask.Context.SetMany(leadingKeys, values...)
		if decision, err = x.d.Access.Decide(ctx, ask); err != nil {
			return decision, err
		}
	}
	for _, key := range n.unseen {
		if asks(decision, key) {
			return unseen(decision, key, "this request"), nil
		}
	}
	return decision, nil
}

const (
	leadingKeys  = "dynamodb:LeadingKeys"
	attributes   = "dynamodb:Attributes"
	returnValues = "dynamodb:ReturnValues"
)

// forward sends the request on under the endpoint's own key.
func (x *dynamoCall) forward(ctx context.Context) (int, []byte, error) {
	body, err := encode(x.body)
	if err != nil {
		return 0, nil, err
	}
	status, answer, err := x.d.call(ctx, x.operation, body)
	if err != nil {
		return 0, nil, err
	}
	switch x.operation {
	case "CreateTable", "DeleteTable", "UpdateTable":
		x.d.schemas.forget()
	}
	if status >= http.StatusBadRequest {
		x.info.Code = errorType(answer)
	}
	return status, answer, nil
}

// call carries out an operation at the endpoint.
func (d *DynamoDB) call(ctx context.Context, operation string, body []byte) (int, []byte, error) {
	h := http.Header{"X-Amz-Target": {dynamoTarget + operation}, "Content-Type": {dynamoType}, "Accept-Encoding": {"identity"}}
	a, err := d.Endpoint.send(ctx, "dynamodb", http.MethodPost, "/", url.Values{}, h, bytes.NewReader(body), int64(len(body)), hashOf(body))
	if err != nil {
		return 0, nil, err
	}
	defer a.Body.Close()
	answer, err := readAll(a.Body, maxDynamo)
	if err != nil {
		return 0, nil, errNoWay{err}
	}
	if sum := a.Header.Get("X-Amz-Crc32"); sum != "" && sum != strconv.FormatUint(uint64(crc32.ChecksumIEEE(answer)), 10) {
		return 0, nil, errNoWay{errors.New("its answer does not have the checksum that it names")}
	}
	return a.StatusCode, answer, nil
}

// errorType is the code in an error's body.
func errorType(body []byte) string {
	var v struct {
		Type string `json:"__type"`
	}
	_ = json.Unmarshal(body, &v) // for the log line only
	_, code, found := strings.Cut(v.Type, "#")
	if !found {
		code = v.Type
	}
	return code
}
