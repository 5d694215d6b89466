package cognitoidentity

import (
	"context"
	"encoding/json"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/core/token"
)

// attempt gathers what one call for an identity, a token or credentials looked at. It becomes the evidence
// of the call's audit event. Logins are named by provider only: values are tokens and users.
type attempt struct {
	Pool     string          `json:"identityPool,omitempty"`
	Identity string          `json:"identity,omitempty"`
	Logins   []string        `json:"logins,omitempty"`
	Checks   evidence.Checks `json:"checks,omitempty"`
	Claims   token.Claims    `json:"claims,omitempty"` // of the token issued
	Error    string          `json:"error,omitempty"`  // why it was refused

	Role      string            `json:"role,omitempty"`      // that was chosen
	Decisions []policy.Decision `json:"decisions,omitempty"` // whether it may be assumed, or passed on

	resource string
	refused  error // of the first check that failed
}

// about says whom the call is about.
func (a *attempt) about(pool directory.IdentityPool, identity string) {
	a.Pool, a.Identity = pool.ID, identity
	a.resource = poolARN(pool.Region, pool.AccountID, pool.ID)
}

// require notes a check; why is the answer when it is the first that failed. The others are still made.
func (a *attempt) require(c evidence.Check, why error) {
	a.Checks = append(a.Checks, c)
	if !c.OK && a.refused == nil {
		a.refused = why
	}
}

// audited makes a handler leave one event for each call: what was issued, or why not.
func audited[In, Out any](w writer, h func(context.Context, *In, *attempt) (*Out, error)) func(context.Context, *In) (*Out, error) {
	return func(ctx context.Context, in *In) (*Out, error) {
		var tried attempt
		out, err := h(ctx, in, &tried)
		if lost := w.record(ctx, tried, err); lost != nil {
			return nil, lost // no token without its event
		}
		return out, err
	}
}

func (w writer) record(ctx context.Context, tried attempt, err error) error {
	r := audit.RequestOf(ctx)
	e := audit.Event{
		RequestID: r.ID, CorrelationID: r.CorrelationID, Time: w.Now(), Surface: Name, Operation: r.Operation,
		Caller: op.CallerOf(ctx).ARN, Resource: tried.resource, Outcome: audit.Allowed,
	}
	if err != nil {
		e.Outcome, e.Code, tried.Error = audit.Refused, codeOf(err), err.Error()
	}
	var broken error
	if e.Evidence, broken = json.Marshal(tried); broken != nil {
		return fault.Wrap(fault.Internal, "cognito-identity audit", broken)
	}
	return w.Audit.Record(ctx, e)
}
