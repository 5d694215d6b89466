package sts

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// Evidence is what the audit event of a signed operation carries that decides for itself.
type Evidence struct {
	Authentication evidence.Checks   `json:"authentication"`
	Asked          Asked             `json:"asked"`
	Parameters     evidence.Checks   `json:"parameters,omitempty"` // beyond the model's constraints
	MFA            evidence.Checks   `json:"mfa,omitempty"`
	Decisions      []policy.Decision `json:"decisions,omitempty"`
	Session        evidence.Checks   `json:"session,omitempty"` // duration, tags and session policies
}

// Asked names what a caller asked for. None of it is a secret: an external id is not one (IAM user guide,
// "Access to AWS accounts owned by third parties"), and session policies are named by their number.
type Asked struct {
	Role        string   `json:"role,omitempty"`
	SessionName string   `json:"sessionName,omitempty"`
	ExternalID  string   `json:"externalId,omitempty"`
	Source      string   `json:"sourceIdentity,omitempty"`
	Seconds     int32    `json:"durationSeconds,omitempty"`
	Tags        []string `json:"tagKeys,omitempty"`
	Transitive  []string `json:"transitiveTagKeys,omitempty"`
	Policies    int      `json:"sessionPolicies,omitempty"`
	PolicyARNs  []string `json:"sessionPolicyArns,omitempty"`
	MFADevice   string   `json:"mfaDevice,omitempty"`
}

// conclude records how an operation that decides for itself came out, and gives its refusal back: nothing
// is answered that the audit does not keep. A failure to decide is no decision and goes through as it is.
func (s *Service) conclude(ctx context.Context, resource string, proof any, outcome error) error {
	event := audit.Event{Outcome: audit.Allowed, Resource: resource, Time: s.Now(), Surface: "sts"}
	if outcome != nil {
		var refusal *op.Error
		if !errors.As(outcome, &refusal) {
			return outcome
		}
		event.Outcome, event.Code = audit.Refused, refusal.Code
	}
	info := audit.RequestOf(ctx)
	event.RequestID, event.CorrelationID, event.Operation, event.Caller = info.ID, info.CorrelationID, info.Operation, info.Caller
	var err error
	if event.Evidence, err = written(proof); err != nil {
		return fault.Wrap(fault.Internal, "record "+info.Operation, err)
	}
	if err := s.Audit.Record(ctx, event); err != nil {
		return err
	}
	return outcome
}

// written is the JSON of an operation's evidence: by its own hand where it has one.
func written(proof any) ([]byte, error) {
	if own, ok := proof.(interface {
		appendJSON(b []byte) ([]byte, error)
	}); ok {
		return own.appendJSON(make([]byte, 0, 8192))
	}
	return json.Marshal(proof)
}
