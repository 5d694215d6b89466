package op

import (
	"context"
	"net/http"

	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/wire/sigv4"
)

// Access is what a caller asks to do.
type Access struct {
	Caller   Caller
	Action   string // "cognito-identity:CreateIdentityPool"
	Resource string // an ARN, or "*"
	Owner    string // account of the resource; "" when the ARN says it
	Context  policy.Context
}

// Authorizer decides an Access. Operations that need more than one permission (iam:PassRole) ask it
// themselves.
type Authorizer func(ctx context.Context, a Access) (policy.Decision, error)

// By decides with the policies that a Decider finds.
func By(d *access.Decider) Authorizer {
	return func(ctx context.Context, a Access) (policy.Decision, error) {
		return d.Decide(ctx, access.Ask{Subject: a.Caller.Subject, Action: a.Action, Resource: a.Resource, Owner: a.Owner, Context: a.Context})
	}
}

// Denied is a refusal by policy in a protocol's words. shown names the resource; "" leaves it out.
func Denied(p Protocol, d policy.Decision, shown string) *Error {
	e := &Error{Code: "AccessDenied", Status: http.StatusForbidden}
	if p == JSON11 {
		e = &Error{Code: "AccessDeniedException", Status: http.StatusBadRequest}
	}
	e.Message = "User: " + d.Caller + " is not authorized to perform: " + d.Action
	if shown != "" {
		e.Message += " on resource: " + shown
	}
	if d.Because != "" {
		e.Message += " " + d.Because
	}
	return e
}

// authorize decides whether the caller may, and records the decision before anything is done.
func (x *exchange) authorize(ctx context.Context, in any) error {
	if why, barred := x.caller.Subject.Barred(x.service.Name, x.row.name); barred {
		return x.bar(ctx, why)
	}
	if x.row.mode == judged {
		return nil
	}
	a := Access{Caller: x.caller, Action: x.service.Name + ":" + x.row.name, Resource: "*"}
	if x.row.mode == authenticated {
		return x.record(ctx, audit.Allowed, "", a.Resource)
	}
	var err error
	if f := x.row.target.resource; f != nil {
		if a.Resource, err = f(ctx, x.caller, in); err != nil {
			return err
		}
	}
	a.Context = RequestContext(ctx)
	if f := x.row.target.keys; f != nil {
		if err := f(ctx, x.caller, in, a.Context); err != nil {
			return err
		}
	}
	decision, err := By(x.d.Access)(ctx, a)
	if err != nil {
		return err
	}
	if decision.Allows() {
		return x.record(ctx, audit.Allowed, "", a.Resource, decision)
	}
	shown := a.Resource
	if f := x.row.target.shown; f != nil {
		shown = f(x.caller, in, a.Resource)
	}
	refusal := Denied(x.service.Protocol, decision, shown)
	if err := x.record(ctx, audit.Refused, refusal.Code, a.Resource, decision); err != nil {
		return err
	}
	return refusal
}

// bar refuses a session that may not call the operation, whatever policies say: STS says so, other services
// call its token invalid (STS API reference, GetSessionToken and GetFederationToken).
func (x *exchange) bar(ctx context.Context, why string) error {
	refusal := &Error{Code: "AccessDenied", Message: "Cannot call " + x.row.name + " with session credentials", Status: http.StatusForbidden}
	if x.service.Name != "sts" {
		refusal = authenticationError(x.service.Protocol, &sigv4.Problem{Kind: sigv4.UnknownToken, Message: textInvalidToken})
	}
	x.authn = append(x.authn, evidence.Check{Name: "kind of session", Operator: "may call", Want: []string{x.service.Name + ":" + x.row.name}, Note: why, Fix: "call with long-term credentials or as a role"})
	if err := x.record(ctx, audit.Refused, refusal.Code, ""); err != nil {
		return err
	}
	return refusal
}

// Evidence is what the audit event of a signed call carries.
type Evidence struct {
	Authentication evidence.Checks   `json:"authentication"`
	Authorisation  []policy.Decision `json:"authorisation,omitempty"`
}

// record keeps the event of a decision. Without it the call goes no further.
func (x *exchange) record(ctx context.Context, outcome audit.Outcome, code, resource string, decisions ...policy.Decision) error {
	proof := x.authn.AppendJSON(append(make([]byte, 0, 4096), `{"authentication":`...))
	if len(decisions) > 0 {
		proof = policy.AppendDecisions(append(proof, `,"authorisation":`...), decisions)
	}
	proof = append(proof, '}')
	return x.d.Audit.Record(ctx, audit.Event{
		RequestID: x.info.ID, CorrelationID: x.info.CorrelationID, Time: x.d.Now(),
		Surface: x.service.Name, Operation: x.row.name, Caller: x.info.Caller, Resource: resource,
		Outcome: outcome, Code: code, Evidence: proof,
	})
}
