package sts

import (
	"fmt"
	"net/http"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
)

// accessDenied is a refusal in STS's own words.
func accessDenied(message string) *op.Error {
	return &op.Error{Code: "AccessDenied", Message: message, Status: http.StatusForbidden}
}

// invalid is a parameter that no constraint of the model forbids.
func invalid(message string) *op.Error { return &op.Error{Code: "ValidationError", Message: message} }

func invalidValue(message string) *op.Error {
	return &op.Error{Code: "InvalidParameterValue", Message: message}
}

// unauthorized words a refused AssumeRole. It is the same whether the role is missing, does not trust the
// caller or the caller's own policies do not let it, and so ends without the reason that other services give.
func unauthorized(caller, resource string) func(action string) *op.Error {
	return func(action string) *op.Error {
		return accessDenied("User: " + caller + " is not authorized to perform: " + action + " on resource: " + resource)
	}
}

// reasonError words why no session was handed out; nil when one was. denied has the words for what policies
// do not permit, which each way of assuming a role has of its own.
func reasonError(out access.Assumed, denied func(action string) *op.Error) *op.Error {
	action := access.ActionAssumeRole
	if len(out.Decisions) > 0 {
		action = out.Decisions[0].Action
		if !out.Decisions[0].Allows() {
			return denied(action) // whatever else is wrong: it would tell that there is such a role
		}
	}
	switch out.Reason {
	case "":
		return nil
	case access.NotTagging:
		return denied(access.ActionTagSession)
	case access.NotSourcing, access.SourceFixed:
		return denied(access.ActionSetSource)
	case access.TooLong:
		return invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	case access.TooLongChained:
		return invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	case access.DuplicateTags:
		return invalidValue("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
	case access.TransitiveMissing:
		return invalidValue("The specified transitive tag key must be included in the requested tags.")
	case access.TransitiveTaken:
		return invalidValue("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
	case access.BadPolicy:
		return &op.Error{Code: "MalformedPolicyDocument", Message: out.Detail}
	case access.NoPolicy:
		return invalid("The session policy " + out.Detail + " does not exist or is not attachable.")
	case access.TooLarge:
		return tooLarge(out.PackedSize)
	}
	return denied(action)
}

// tooLarge says by how much: figures are of the token's room, which took the place of the packed policy's
// own limit in September 2026 (STS API reference, SessionTokenUtilization).
func tooLarge(percent *int32) *op.Error {
	n := int32(101)
	if percent != nil {
		n = max(n, *percent)
	}
	return &op.Error{Code: "PackedPolicyTooLarge", Message: fmt.Sprintf("Packed policy consumes %d%% of allotted space, please use smaller policy.", n)}
}
