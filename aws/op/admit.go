package op

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/sigv4"
)

// The clock tolerances of AWS's two families of services.
const (
	querySkew = 15 * time.Minute
	jsonSkew  = 5 * time.Minute
)

// maxKeyID bounds an access key id, in characters (STS model, accessKeyIdType).
const maxKeyID = 128

const textInvalidToken = "The security token included in the request is invalid."

func (s *service) skew() time.Duration {
	if s.Protocol == Query {
		return cmp.Or(s.Skew, querySkew)
	}
	return cmp.Or(s.Skew, jsonSkew)
}

// invalid is the code of violated constraints.
func (s *service) invalid() string {
	if s.Protocol == Query {
		return cmp.Or(s.Invalid, "ValidationError")
	}
	return cmp.Or(s.Invalid, "ValidationException")
}

// admit authenticates the caller of a signed operation and finds the region that the request is for.
func (x *exchange) admit(ctx context.Context) (context.Context, error) {
	_, region := hostParts(x.r.Host)
	if x.row.mode == public {
		return WithRegion(ctx, cmp.Or(region, x.d.Region)), nil
	}
	e := sigv4.Examine(x.r, x.body, sigv4.Rules{
		Service: x.service.Name, Region: region, Skew: x.service.skew(), FixedWindow: x.service.FixedWindow,
	}, x.d.Now())
	key, err := x.accessKey(ctx, e)
	if err != nil {
		return nil, err
	}
	x.authn = checks(e.Checks)
	if p := e.Err(); p != nil {
		refusal := authenticationError(x.service.Protocol, p)
		x.info.Caller = claimed(e.Credential.AccessKeyID)
		if err := x.record(ctx, audit.Refused, refusal.Code, "", nil); err != nil {
			return nil, err
		}
		return nil, refusal
	}
	x.caller = Caller{
		Account: key.AccountID, ARN: key.Principal, UserID: key.PrincipalID,
		AccessKeyID: key.ID, Region: e.Credential.Region,
	}
	x.info.Caller = key.Principal
	return WithCaller(ctx, x.caller), nil
}

// accessKey looks the signature's key up and verifies the signature with it. What is wrong is noted in the
// examination; an error means that we could not look.
func (x *exchange) accessKey(ctx context.Context, e *sigv4.Examination) (directory.AccessKey, error) {
	id := e.Credential.AccessKeyID
	c := sigv4.Check{Name: "access key", Operator: "is", Want: []string{"an active access key"}, Got: []string{id}}
	if id == "" {
		e.Skip("the request names no access key")
		return directory.AccessKey{}, nil
	}
	var key directory.AccessKey
	err := error(fault.New(fault.NotFound, "access key", "it has not the form of one"))
	if claimed(id) != "" {
		key, err = x.d.Accounts.AccessKey(ctx, id)
	}
	switch {
	case errors.Is(err, fault.NotFound):
		c.Note = "there is no such access key"
		e.Refuse(sigv4.UnknownToken, textInvalidToken, c)
		e.Skip("the secret of an unknown access key is unknown")
		return key, nil
	case err != nil:
		return key, err
	case !key.Active:
		c.Note, c.Fix = "the access key is inactive", "make it active or use another"
		e.Refuse(sigv4.UnknownToken, textInvalidToken, c)
	default:
		e.Accept(c)
	}
	if e.SecurityToken != "" {
		e.Refuse(sigv4.UnknownToken, textInvalidToken, sigv4.Check{
			Name: "session token", Claim: "X-Amz-Security-Token", Operator: "absent",
			Note: "a long-term access key has no session token", Fix: "remove AWS_SESSION_TOKEN",
		})
	}
	e.Verify(key.Secret.Reveal(), &x.d.keys)
	return key, nil
}

// claimed is an access key id as it may be shown and looked up: "" when it has not the form of one.
func claimed(id string) string {
	if len(id) > maxKeyID || strings.IndexFunc(id, notKeyID) >= 0 {
		return ""
	}
	return id
}

// notKeyID reports characters that no access key id has (STS model: [\w]*).
func notKeyID(r rune) bool {
	return !('A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_')
}

// authenticationError gives a problem the code and status that it has in a protocol.
func authenticationError(p Protocol, problem *sigv4.Problem) *Error {
	codes := [...]struct {
		query  string
		status int
		json   string
	}{
		sigv4.Missing:      {"MissingAuthenticationToken", http.StatusForbidden, "MissingAuthenticationTokenException"},
		sigv4.Ambiguous:    {"IncompleteSignature", http.StatusBadRequest, "InvalidSignatureException"},
		sigv4.Incomplete:   {"IncompleteSignature", http.StatusBadRequest, "IncompleteSignatureException"},
		sigv4.Skewed:       {"SignatureDoesNotMatch", http.StatusForbidden, "InvalidSignatureException"},
		sigv4.Unsigned:     {"SignatureDoesNotMatch", http.StatusForbidden, "InvalidSignatureException"},
		sigv4.Misscoped:    {"SignatureDoesNotMatch", http.StatusForbidden, "InvalidSignatureException"},
		sigv4.UnknownToken: {"InvalidClientTokenId", http.StatusForbidden, "UnrecognizedClientException"},
		sigv4.Mismatched:   {"SignatureDoesNotMatch", http.StatusForbidden, "InvalidSignatureException"},
	}
	c := codes[problem.Kind]
	if p == JSON11 {
		return &Error{Code: c.json, Message: problem.Message, Status: http.StatusBadRequest}
	}
	if problem.Kind == sigv4.Missing {
		return &Error{Code: c.query, Message: "Request is missing Authentication Token", Status: c.status}
	}
	return &Error{Code: c.query, Message: problem.Message, Status: c.status}
}

// authorize decides whether the caller may, and records the decision before anything is done.
func (x *exchange) authorize(ctx context.Context, in any) error {
	a := Access{Caller: x.caller, Action: x.service.Name + ":" + x.row.name, Resource: "*"}
	if x.row.mode == authenticated {
		return x.record(ctx, audit.Allowed, "", a.Resource, nil)
	}
	if x.row.resource != nil {
		a.Resource = x.row.resource(x.caller, in)
	}
	decide := x.d.Authorize
	if decide == nil {
		decide = OwnerRoot
	}
	permission := decide(ctx, a)
	if permission.Allowed {
		return x.record(ctx, audit.Allowed, "", a.Resource, permission.Checks)
	}
	refusal := &Error{Code: "AccessDenied", Status: http.StatusForbidden}
	if x.service.Protocol == JSON11 {
		refusal = &Error{Code: "AccessDeniedException", Status: http.StatusBadRequest}
	}
	refusal.Message = strings.TrimSpace("User: " + a.Caller.ARN + " is not authorized to perform: " + a.Action + " on resource: " + a.Resource + " " + permission.Because)
	if err := x.record(ctx, audit.Refused, refusal.Code, a.Resource, permission.Checks); err != nil {
		return err
	}
	return refusal
}

// Evidence is what the audit event of a signed call carries.
type Evidence struct {
	Authentication evidence.Checks `json:"authentication"`
	Authorisation  evidence.Checks `json:"authorisation,omitempty"`
}

// record keeps the event of a decision. Without it the call goes no further.
func (x *exchange) record(ctx context.Context, outcome audit.Outcome, code, resource string, authz evidence.Checks) error {
	proof, err := json.Marshal(Evidence{x.authn, authz})
	if err != nil {
		return fault.Wrap(fault.Internal, "record "+x.row.name, err)
	}
	return x.d.Audit.Record(ctx, audit.Event{
		RequestID: x.info.ID, CorrelationID: x.info.CorrelationID, Time: x.d.Now(),
		Surface: x.service.Name, Operation: x.row.name, Caller: x.info.Caller, Resource: resource,
		Outcome: outcome, Code: code, Evidence: proof,
	})
}

// checks makes Treaty's evidence of what the signature's examination found.
func checks(found []sigv4.Check) evidence.Checks {
	out := make(evidence.Checks, len(found))
	for i, c := range found {
		out[i] = evidence.Check(c)
	}
	return out
}
