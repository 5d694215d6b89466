// Package op is the operation table of Amazon's surfaces: a service describes its operations as typed
// functions over the SDK's own input and output structs, and the Dispatcher does for each of them what
// every operation needs, once.
//
// It owns routing by X-Amz-Target or Action and Version, the caller's SigV4 authentication, decoding,
// constraint messages, authorisation, the audit event of every signed call and the error envelopes of
// both protocols. It leaves what an operation means to the service's package and bytes to wire/aws and
// wire/sigv4.
//
// A request passes: routed, authenticated (signed operations), decoded, checked, authorised, recorded,
// handled, answered. Each step can refuse, with the code and text that the cloud has for it.
package op

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/policy"
)

// Protocol is how a service's operations travel.
type Protocol int

// The protocols: awsJson1.1 (X-Amz-Target and a JSON object) and awsQuery (a form, answered in XML).
const (
	JSON11 Protocol = iota + 1
	Query
)

// Service describes one service to the Dispatcher.
type Service struct {
	Name        string             // signing name and prefix of its actions: "cognito-identity"
	Protocol    Protocol           //
	Target      string             // JSON11: what precedes the dot in X-Amz-Target
	Version     string             // Query: the Version parameter
	Namespace   string             // Query: the XML namespace of answers
	Constraints string             // table of member constraints, see wire/aws
	Fault       func(error) *Error // makes the service's own error of a core fault; nil result: internal error
	CORS        bool               // browsers call it: answer preflights, expose headers
	Skew        time.Duration      // clock tolerance of signatures; 0: 15 minutes for Query, 5 for JSON11
	MaxBody     int64              // bytes of a request, for services that need more than the Dispatcher's bound
	Invalid     string             // code of violated constraints; "": ValidationError for Query, ValidationException for JSON11

	// FixedWindow makes presigned requests good for Skew after X-Amz-Date whatever X-Amz-Expires says, as
	// STS does (aws-iam-authenticator, pkg/token: "the sts GetCallerIdentity request is valid for 15 minutes
	// regardless of this parameter").
	FixedWindow bool

	Operations []Operation
}

// Operation is one row of a service's table. Make it with Signed, On, Judged, Authenticated or Public.
type Operation struct {
	name   string
	mode   mode
	fresh  func() any
	call   func(ctx context.Context, in any) (any, error)
	target target
}

type mode int

const (
	public        mode = iota + 1
	authenticated      // signed, and nothing can deny it
	judged             // signed; the operation itself decides and records
	signed             // signed and authorised
)

// Target says what an operation acts on, as far as policies look at it. A nil function adds nothing.
type Target[In any] struct {
	// Resource gives the ARN; nil means "*".
	Resource func(ctx context.Context, c Caller, in *In) (string, error)
	// Keys adds the operation's own condition keys to those that every request has.
	Keys func(ctx context.Context, c Caller, in *In, k policy.Context) error
	// Shown is how a refusal's text names the resource; nil shows the ARN.
	Shown func(c Caller, in *In, arn string) string
}

// target is a Target whose input type is forgotten.
type target struct {
	resource func(ctx context.Context, c Caller, in any) (string, error)
	keys     func(ctx context.Context, c Caller, in any, k policy.Context) error
	shown    func(c Caller, in any, arn string) string
}

// Name is the operation's name on the wire: the input type's name less "Input".
func (o Operation) Name() string { return o.name }

// On is an operation whose caller must sign and be authorised for "service:Name" on the target.
func On[In, Out any](h func(context.Context, *In) (*Out, error), t Target[In]) Operation {
	o := row(signed, h)
	if t.Resource != nil {
		o.target.resource = func(ctx context.Context, c Caller, in any) (string, error) { return t.Resource(ctx, c, in.(*In)) }
	}
	if t.Keys != nil {
		o.target.keys = func(ctx context.Context, c Caller, in any, k policy.Context) error {
			return t.Keys(ctx, c, in.(*In), k)
		}
	}
	if t.Shown != nil {
		o.target.shown = func(c Caller, in any, arn string) string { return t.Shown(c, in.(*In), arn) }
	}
	return o
}

// Signed is On for an operation whose resource can be told from the input alone and that has no condition
// keys of its own.
func Signed[In, Out any](h func(context.Context, *In) (*Out, error), resource func(c Caller, in *In) string) Operation {
	if resource == nil {
		return On(h, Target[In]{})
	}
	return On(h, Target[In]{Resource: func(_ context.Context, c Caller, in *In) (string, error) { return resource(c, in), nil }})
}

// Authenticated is an operation whose caller must sign, but that no policy can deny (GetCallerIdentity).
func Authenticated[In, Out any](h func(context.Context, *In) (*Out, error)) Operation {
	return row(authenticated, h)
}

// Judged is an operation whose caller must sign and that decides by itself whether the caller may, and
// records that (AssumeRole, where a role's trust policy has its say).
func Judged[In, Out any](h func(context.Context, *In) (*Out, error)) Operation {
	return row(judged, h)
}

// Public is an operation that anyone may call: an Authorization header is ignored.
func Public[In, Out any](h func(context.Context, *In) (*Out, error)) Operation {
	return row(public, h)
}

func row[In, Out any](m mode, h func(context.Context, *In) (*Out, error)) Operation {
	return Operation{
		name:  strings.TrimSuffix(reflect.TypeFor[In]().Name(), "Input"),
		mode:  m,
		fresh: func() any { return new(In) },
		call: func(ctx context.Context, in any) (any, error) {
			out, err := h(ctx, in.(*In))
			if err != nil {
				return nil, err
			}
			return out, nil
		},
	}
}

// Error is a refusal in the service's own words. Handlers return it; any other error goes through
// Service.Fault.
type Error struct {
	Code    string // as on the wire: "ResourceNotFoundException"
	Message string
	Status  int // HTTP status; 0 means 400
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func (e *Error) status() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}
