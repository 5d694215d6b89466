// Package audit keeps one event for each decision that Treaty takes, with the whole evidence behind it.
//
// It owns the Event and the two interfaces by which surfaces record and explain reads. Storage is the
// store's. An event never carries a token, a secret or a signature: a token is named by its claims.
package audit

import (
	"context"
	"encoding/json"
	"time"
)

// Outcome of a decision.
type Outcome string

// The outcomes.
const (
	Allowed Outcome = "allowed"
	Refused Outcome = "refused"
)

// Event is one decision. RequestID is the id the cloud's answer names (x-amzn-RequestId, trace_id,
// request-id); CorrelationID is the client's own (client-request-id), when it sent one.
type Event struct {
	RequestID     string          `json:"requestId"`
	CorrelationID string          `json:"correlationId,omitempty"`
	Time          time.Time       `json:"time"`
	Surface       string          `json:"surface"`   // "cognito-identity", "entra", "graph", "arm"
	Operation     string          `json:"operation"` // "GetOpenIdTokenForDeveloperIdentity", "token client_credentials"
	Caller        string          `json:"caller,omitempty"`
	Resource      string          `json:"resource,omitempty"`
	Outcome       Outcome         `json:"outcome"`
	Code          string          `json:"code,omitempty"`     // the cloud's own code of a refusal
	Evidence      json.RawMessage `json:"evidence,omitempty"` // a trust.Decision, a policy decision …
}

// Recorder keeps events. Record returns when the event is as durable as the answer it belongs to.
type Recorder interface {
	Record(ctx context.Context, e Event) error
}

// Reader finds an event by its request id or correlation id (fault.NotFound if there is none).
type Reader interface {
	Find(ctx context.Context, id string) (Event, error)
}
