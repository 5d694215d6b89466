// Package cognitoidentity serves Amazon Cognito identity pools: the 23 operations of cognito-identity and
// the discovery documents of the tokens it issues.
//
// It owns pools, their tags, roles and tag maps, identities and the logins linked to them, developer
// identities, and the claims of the OpenID token (RS512, typ JWS). It leaves signatures, authorisation,
// constraints and error envelopes to aws/op, keys and signing to core/token, and storage to the
// repositories of core/directory. Tokens of public providers are verified behind the Logins interface;
// roles are assumed by core/access.
//
// URLs: POST / with X-Amz-Target AWSCognitoIdentityService.OPERATION, and GET
// /.well-known/openid-configuration and /.well-known/jwks_uri.
package cognitoidentity

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/aws/constraints"
)

// Name is the service's signing name and action prefix.
const Name = "cognito-identity"

// DefaultIssuer is iss of the tokens of every region (Amazon Cognito developer guide, "Using identity pools").
const DefaultIssuer = "https://cognito-identity.amazonaws.com"

// Service holds what the operations need. Every field but Logins must be set.
type Service struct {
	Pools      directory.Pools
	Identities directory.Identities
	Keys       token.Keys         // rings named by Ring
	Logins     Logins             // verifies tokens of public providers; nil verifies none
	Access     *access.Decider    // assumes roles
	Audit      audit.Recorder     // one event for each token issued or refused
	Sealer     *credential.Sealer // seals page tokens
	Issuer     string             // iss, without a trailing slash: DefaultIssuer, or the server's own name
	Now        func() time.Time
	Rand       io.Reader
}

// Ring names the ring of keys that signs the tokens of a region.
func Ring(region string) string { return Name + "/" + region }

// Describe lists the operations.
func (s Service) Describe() op.Service {
	find := finder{Pools: s.Pools, Identities: s.Identities}
	list := pages{Sealer: s.Sealer}
	link := linker{find, s.Now, s.Rand}
	check := verifier{Logins: s.Logins, Keys: s.Keys, Issuer: s.Issuer, Now: s.Now}
	write := writer{Keys: s.Keys, Issuer: s.Issuer, Audit: s.Audit, Now: s.Now}

	var all []op.Operation
	all = append(all, pools{find, list, s.Now, s.Rand}.operations()...)
	all = append(all, tags{find}.operations()...)
	all = append(all, roles{find, write, assumer{s.Access}}.operations()...)
	all = append(all, tagMaps{find}.operations()...)
	all = append(all, identities{find, list}.operations()...)
	all = append(all, developers{list, link, check, write, assumer{s.Access}}.operations()...)
	all = append(all, guests{link, check, write, assumer{s.Access}}.operations()...)
	return op.Service{
		Name:        Name,
		Protocol:    op.JSON11,
		Target:      "AWSCognitoIdentityService",
		Constraints: constraints.CognitoIdentity,
		Fault:       answer,
		CORS:        true,
		Skew:        5 * time.Minute, // JSON services allow five minutes (aws-cli issue 6676)
		Operations:  all,
	}
}

// The service's error codes (service model 2014-06-30).
const (
	invalidParameter  = "InvalidParameterException"
	notFound          = "ResourceNotFoundException"
	notAuthorized     = "NotAuthorizedException"
	conflict          = "ResourceConflictException"
	tooManyRequests   = "TooManyRequestsException"
	limitExceeded     = "LimitExceededException"
	externalService   = "ExternalServiceException"
	modified          = "ConcurrentModificationException"
	badConfiguration  = "InvalidIdentityPoolConfigurationException"
	alreadyRegistered = "DeveloperUserAlreadyRegisteredException"
	internalError     = "InternalErrorException"
)

// refusal is an error in the cloud's words; every modelled error but InternalErrorException is a 400.
func refusal(code, message string) *op.Error {
	return &op.Error{Code: code, Message: message, Status: http.StatusBadRequest}
}

// answer maps a fault that no operation put into words itself.
func answer(err error) *op.Error {
	switch fault.KindOf(err) {
	case fault.NotFound:
		return refusal(notFound, "The requested resource was not found.")
	case fault.Conflict:
		return refusal(conflict, "The request conflicts with another one.")
	case fault.Invalid:
		return refusal(invalidParameter, "Invalid parameter.")
	case fault.Denied, fault.Unauthenticated, fault.Expired:
		return refusal(notAuthorized, "Access is not authorized.")
	case fault.Throttled:
		return refusal(tooManyRequests, "Rate exceeded")
	case fault.LimitExceeded:
		return refusal(limitExceeded, "Limit exceeded.")
	case fault.Unavailable:
		return refusal(externalService, "An external identity provider did not answer.")
	default:
		return &op.Error{Code: internalError, Message: "Internal server error", Status: http.StatusInternalServerError}
	}
}

// codeOf is the code under which an error is answered, for the audit.
func codeOf(err error) string {
	var e *op.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return answer(err).Code
}
