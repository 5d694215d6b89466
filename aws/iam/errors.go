package iam

import (
	"errors"
	"net/http"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// The service's error codes as they are on the wire (service model 2010-05-08).
const (
	noSuchEntity          = "NoSuchEntity"
	entityAlreadyExists   = "EntityAlreadyExists"
	deleteConflict        = "DeleteConflict"
	limitExceeded         = "LimitExceeded"
	modified              = "ConcurrentModification"
	temporarily           = "EntityTemporarilyUnmodifiable"
	unmodifiable          = "UnmodifiableEntity"
	invalidInput          = "InvalidInput"
	malformedPolicy       = "MalformedPolicyDocument"
	notAttachable         = "PolicyNotAttachable"
	validationError       = "ValidationError"
	invalidAuthentication = "InvalidAuthenticationCode"
	issuerUnreachable     = "OpenIdIdpCommunicationError"
	policyEvaluation      = "PolicyEvaluation"
	featureEnabled        = "FeatureEnabled"
	featureDisabled       = "FeatureDisabled"
	accessDenied          = "AccessDenied"
	serviceFailure        = "ServiceFailure"
)

// statuses are those of the codes that are not 400 (service model, httpStatusCode of the exceptions).
var statuses = map[string]int{
	noSuchEntity:          http.StatusNotFound,
	featureDisabled:       http.StatusNotFound,
	entityAlreadyExists:   http.StatusConflict,
	deleteConflict:        http.StatusConflict,
	limitExceeded:         http.StatusConflict,
	modified:              http.StatusConflict,
	temporarily:           http.StatusConflict,
	featureEnabled:        http.StatusConflict,
	invalidAuthentication: http.StatusForbidden,
	accessDenied:          http.StatusForbidden,
	policyEvaluation:      http.StatusInternalServerError,
	serviceFailure:        http.StatusInternalServerError,
}

// refusal is an error in the cloud's words, with the status of its code.
func refusal(code, message string) *op.Error {
	status, ok := statuses[code]
	if !ok {
		status = http.StatusBadRequest
	}
	return &op.Error{Code: code, Message: message, Status: status}
}

// errModified is what a caller reads whose change met others again and again.
var errModified = refusal(modified, "The request was rejected because multiple requests to change this object were submitted simultaneously. Wait a few minutes and submit your request again.")

// malformed words what policy.Parse found wrong; other errors stay as they are.
func malformed(err error) error {
	var m *policy.Malformed
	if errors.As(err, &m) {
		return refusal(malformedPolicy, m.Message)
	}
	return err
}

// isConflict tells whether an error is a conflict of the given reason.
func isConflict(err error, reason string) bool {
	var f *fault.Fault
	return errors.As(err, &f) && f.Kind == fault.Conflict && f.Reason == reason
}

// Reasons of the repositories' conflicts.
const (
	reasonVersion = "version"
	reasonInUse   = "in use"
)

// orMissing puts what is not there into the words of missing; other errors, and none, stay as they are.
func orMissing(err, missing error) error {
	var refused *op.Error
	if errors.Is(err, fault.NotFound) || errors.As(err, &refused) && refused.Code == noSuchEntity {
		return missing
	}
	return err
}

// tries is how often a change is made again on what another request has stored meanwhile.
const tries = 32

// again makes a change until no other request comes between its reading and its writing.
func again(change func() error) error {
	for range tries {
		if err := change(); !isConflict(err, reasonVersion) {
			return err
		}
	}
	return errModified
}

// answer maps a fault that no operation put into words itself.
func answer(err error) *op.Error {
	switch fault.KindOf(err) {
	case fault.NotFound:
		return refusal(noSuchEntity, "The entity cannot be found.")
	case fault.Conflict:
		if isConflict(err, reasonVersion) {
			return errModified
		}
		return refusal(entityAlreadyExists, "The entity already exists.")
	case fault.Invalid:
		return refusal(invalidInput, "The input is not valid.")
	case fault.LimitExceeded:
		return refusal(limitExceeded, "The quota is exceeded.")
	case fault.Throttled:
		return refusal("Throttling", "Rate exceeded")
	default:
		return refusal(serviceFailure, "The request processing has failed because of an unknown error, exception or failure.")
	}
}
