package access

import (
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/policy"
)

// The operations of STS that sessions may still call, by the operation that made them (STS API reference,
// GetSessionToken and GetFederationToken, "Permissions").
var (
	leftToSessionTokens = []string{"AssumeRole", "GetCallerIdentity", "GetWebIdentityToken"}
	leftToFederation    = []string{"GetCallerIdentity", "GetWebIdentityToken"}
	needLongTerm        = []string{"GetSessionToken", "GetFederationToken"}
)

// Barred reports that the session behind a subject may not call an operation at all, whatever policies say,
// and why. Service and operation are as in an action's name: "iam", "GetUser".
//
// IAM answers such a caller as if its token were invalid, STS that it cannot be called with session
// credentials; the words are the surfaces'.
func (s Subject) Barred(service, operation string) (why string, barred bool) {
	if s.Session == nil {
		return "", false
	}
	switch s.Principal.Type {
	case policy.AssumedRole:
		if service == "sts" && slices.Contains(needLongTerm, operation) {
			return operation + " needs long-term credentials, and those of a role are temporary", true
		}
	case policy.FederatedUser:
		if service == "iam" {
			return "a federated user's session may not call IAM", true
		}
		return spared("a federated user's session", service, operation, leftToFederation)
	case policy.User, policy.Account:
		if service == "iam" && s.Session.MFAAt.IsZero() {
			return "a session of GetSessionToken may call IAM only if MFA was proved for it", true
		}
		return spared("a session of GetSessionToken", service, operation, leftToSessionTokens)
	}
	return "", false
}

// spared bars every operation of STS but those that are left.
func spared(kind, service, operation string, left []string) (why string, barred bool) {
	if service != "sts" || slices.Contains(left, operation) {
		return "", false
	}
	return kind + " may call of STS only " + strings.Join(left, " and "), true
}
