package op

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/wire/sigv4"
)

// The clock tolerances of AWS's two families of services.
const (
	querySkew = 15 * time.Minute
	jsonSkew  = 5 * time.Minute
)

// maxKeyID bounds an access key id, in characters (STS model, accessKeyIdType).
const maxKeyID = 128

const (
	textInvalidToken = "The security token included in the request is invalid."
	textExpiredToken = "The security token included in the request is expired"
)

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
	now := x.d.Now()
	_, region := hostParts(x.r.Host)
	if x.row.mode == public {
		region = cmp.Or(region, x.d.Region)
		return withFacts(WithRegion(ctx, region), x.r, region, now), nil
	}
	e := sigv4.Examine(x.r, x.body, sigv4.Rules{
		Service: x.service.Name, Region: region, Skew: x.service.skew(), FixedWindow: x.service.FixedWindow,
	}, now)
	key, _, err := Authenticate(ctx, x.d.Access, e, &x.d.keys)
	if err != nil {
		return nil, err
	}
	x.authn = Checks(e.Checks)
	if p := e.Err(); p != nil {
		refusal := authenticationError(x.service.Protocol, p)
		x.info.Caller = Claimed(e.Credential.AccessKeyID)
		if err := x.record(ctx, audit.Refused, refusal.Code, ""); err != nil {
			return nil, err
		}
		return nil, refusal
	}
	x.caller = Caller{
		Account: key.Subject.Principal.Account, ARN: key.Subject.Principal.ARN, UserID: key.Subject.UserID,
		AccessKeyID: key.ID, Region: e.Credential.Region, Subject: key.Subject, Proof: x.authn,
	}
	x.info.Caller = x.caller.ARN
	if err := x.d.Access.NoteUse(ctx, key, x.service.Name, x.caller.Region); err != nil {
		x.d.log().WarnContext(ctx, "last use not noted", "request", x.info.ID, "error", err.Error()) // coarse by design: no reason to refuse
	}
	return withFacts(WithCaller(ctx, x.caller), x.r, x.caller.Region, now), nil
}

// Finder looks access keys up. Implementation: *access.Decider.
type Finder interface {
	Key(ctx context.Context, id, token string) (access.Key, access.Found, error)
}

// Authenticate looks the signature's key up and verifies the signature with it. What is wrong is noted in
// the examination; an error means that we could not look.
func Authenticate(ctx context.Context, f Finder, e *sigv4.Examination, keys *sigv4.KeyCache) (access.Key, access.Found, error) {
	id := e.Credential.AccessKeyID
	if id == "" {
		e.Skip("the request names no access key")
		return access.Key{}, access.Found{}, nil
	}
	key, found, err := f.Key(ctx, Claimed(id), e.SecurityToken)
	if err != nil {
		return key, found, err
	}
	for _, c := range found.Checks {
		switch {
		case c.OK:
			e.Accept(sigv4.Check(c))
		case found.Expired:
			e.Refuse(sigv4.ExpiredToken, textExpiredToken, sigv4.Check(c))
		default:
			e.Refuse(sigv4.UnknownToken, textInvalidToken, sigv4.Check(c))
		}
	}
	if key.Secret == "" {
		e.Skip("the secret of an unknown access key is unknown")
		return key, found, nil
	}
	e.Verify(key.Secret.Reveal(), keys)
	return key, found, nil
}

// Claimed is an access key id as it may be shown and looked up: "" when it has not the form of one.
func Claimed(id string) string {
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
		sigv4.ExpiredToken: {"ExpiredToken", http.StatusForbidden, "ExpiredTokenException"},
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

// Checks makes Treaty's evidence of what the signature's examination found.
func Checks(found []sigv4.Check) evidence.Checks {
	out := make(evidence.Checks, len(found))
	for i, c := range found {
		out[i] = evidence.Check(c)
	}
	return out
}
