package aadsts

import (
	"time"

	"github.com/treatyfed/treaty/core/trust"
)

// SupportedAlgorithms is the list that 5002738 prints (MSAL .NET tests, recorded December 2023).
const SupportedAlgorithms = "RS256,RS384,RS512"

// The sentences and reasons of 700027.
const (
	KeyNotRegistered = "The certificate with identifier used to sign the client assertion is not registered on application."
	SignatureFailed  = "Client assertion contains an invalid signature."

	ReasonKeyNotFound  = "The key was not found."
	ReasonKeyExpired   = "The key used is expired."
	ReasonKeyDisagrees = "Key was found, but use of the key to verify the signature failed."
)

// ForReason gives the code, and the values of its text, that stand for the reason of a refused decision;
// 0 for an accepted one.
func ForReason(d trust.Decision) (Code, []string) {
	switch d.Reason {
	case "":
		return 0, nil
	case trust.Malformed:
		return AssertionMalformed, nil
	case trust.MissingClaim:
		return FieldMissing, []string{d.Detail}
	case trust.AlgorithmRefused:
		return AlgorithmUnsupported, []string{d.Detail, SupportedAlgorithms}
	case trust.OwnUserToken:
		return FederatedUserToken, nil
	case trust.OwnAudience:
		return FederatedOwnAudience, nil
	case trust.OwnAppToken:
		return FederatedAppToken, nil
	case trust.OwnTenant:
		return FederatedTenant, []string{d.Claims.Text("iss")}
	case trust.NoTrusts:
		return FederatedNone, nil
	case trust.IssuerUnknown:
		return FederatedIssuer, []string{d.Detail}
	case trust.ExpressionIssuer:
		return FederatedExpressionOf, []string{d.Claims.Text("iss")}
	case trust.SubjectCase:
		return FederatedSubjectCase, []string{d.Detail}
	case trust.ExpressionMismatch:
		return FederatedExpression, []string{d.Claims.Text("sub")}
	case trust.SubjectMismatch:
		return FederatedSubject, []string{d.Detail}
	case trust.AudienceMismatch:
		return FederatedAudience, []string{d.Detail}
	case trust.DiscoveryFailed:
		return FederatedDiscovery, nil
	case trust.KeyUnknown:
		return AssertionKey, []string{SignatureFailed, ReasonKeyNotFound}
	case trust.SignatureInvalid:
		return AssertionKey, []string{SignatureFailed, ReasonKeyDisagrees}
	case trust.TimeInvalid:
		return AssertionTime, Times(d)
	}
	return TokenIssuanceError, nil
}

// Times are the values of 700024: now, the start and the end of the assertion's validity. A bound that
// the assertion does not state is printed as the epoch, as the service does.
func Times(d trust.Decision) []string {
	from, ok := d.Claims.Time("nbf")
	if !ok {
		from, ok = d.Claims.Time("iat")
	}
	if !ok {
		from = time.Unix(0, 0)
	}
	until, ok := d.Claims.Time("exp")
	if !ok {
		until = time.Unix(0, 0)
	}
	return []string{ISO(d.DecidedAt), ISO(from), ISO(until)}
}

// KeyNotFound is 700027 for a certificate that the application has not registered. The thumbprint, in
// upper-case hexadecimal, is left out when "": the key was named by kid alone.
func KeyNotFound(thumbprint, appID string) *Error {
	return New(AssertionKey, KeyNotRegistered, ReasonKeyNotFound+used(thumbprint)+portalHint(appID))
}

// KeyUnfit is 700027 for a registered certificate that is out of its lifetime or did not sign.
func KeyUnfit(reason, thumbprint string, start, end time.Time, appID string) *Error {
	const layout = "01/02/2006 15:04:05"
	found := ", Found key 'Start=" + start.UTC().Format(layout) + ", End=" + end.UTC().Format(layout) + "'"
	return New(AssertionKey, SignatureFailed, reason+used(thumbprint)+found+portalHint(appID))
}

func used(thumbprint string) string {
	if thumbprint == "" {
		return ""
	}
	return ", Thumbprint of key used by client: '" + thumbprint + "'"
}

func portalHint(appID string) string {
	return ", Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '" + appID +
		"'. Review the documentation at https://docs.microsoft.com/en-us/graph/deployments to determine the corresponding service endpoint and" +
		" https://docs.microsoft.com/en-us/graph/api/application-get?view=graph-rest-1.0&tabs=http to build a query request URL, such as" +
		" 'https://graph.microsoft.com/beta/applications/" + appID + "'"
}
