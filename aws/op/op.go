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
	Invalid     string             // code of violated constraints; "": ValidationError for Query, ValidationException for JSON11

	// FixedWindow makes presigned requests good for Skew after X-Amz-Date whatever X-Amz-Expires says, as
	// STS does (aws-iam-authenticator, pkg/token: "the sts GetCallerIdentity request is valid for 15 minutes
	// regardless of this parameter").
	FixedWindow bool

	Operations []Operation
}

// Operation is one row of a service's table. Make it with Signed, Authenticated or Public.
type Operation struct {
	name     string
	mode     mode
	fresh    func() any
	call     func(ctx context.Context, in any) (any, error)
	resource func(c Caller, in any) string
}

type mode int

const (
	public        mode = iota + 1
	authenticated      // signed, and nothing can deny it
	signed             // signed and authorised
)

// Name is the operation's name on the wire: the input type's name less "Input".
func (o Operation) Name() string { return o.name }

// Signed is an operation whose caller must sign and be authorised for "service:Name" on the resource.
// The resource function gives its ARN; nil means "*".
func Signed[In, Out any](h func(context.Context, *In) (*Out, error), resource func(c Caller, in *In) string) Operation {
	o := row(signed, h)
	if resource != nil {
		o.resource = func(c Caller, in any) string { return resource(c, in.(*In)) }
	}
	return o
}

// Authenticated is an operation whose caller must sign, but that no policy can deny (GetCallerIdentity).
func Authenticated[In, Out any](h func(context.Context, *In) (*Out, error)) Operation {
	return row(authenticated, h)
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
