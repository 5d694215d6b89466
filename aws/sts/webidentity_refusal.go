package sts

import (
	"fmt"
	"net/http"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/webidentity"
)

// Words that several refusals share. The two spaces are AWS's.
const (
	textNoJWT        = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
	textNoKey        = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
	textNotValidated = "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements."
)

// refusal is a code with a message, in which %s stands for the details of a report.
type refusal struct {
	code, format string
	status       int // 0: 400
}

// tokenRefusals are STS's words for what is wrong with a token (recorded in September 2026, when the older
// "Incorrect token audience" and "No OpenIDConnect provider found in your account for …" had given way to
// one text; signature, algorithm, own tokens, transitive keys and source identity are not recorded).
var tokenRefusals = map[webidentity.Reason]refusal{
	webidentity.Malformed:        {code: "InvalidIdentityToken", format: textNoJWT},
	webidentity.AlgorithmRefused: {code: "InvalidIdentityToken", format: textNotValidated},
	webidentity.MissingClaim:     {code: "InvalidIdentityToken", format: "Missing a required claim: %s"},
	webidentity.OwnToken:         {code: "InvalidIdentityToken", format: textNotValidated},
	webidentity.NoProvider:       {code: "InvalidIdentityToken", format: textNotValidated},
	webidentity.PeerUnknown:      {code: "InvalidIdentityToken", format: "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"},
	webidentity.KeysUnavailable:  {code: "InvalidIdentityToken", format: textNoKey},
	webidentity.KeyUnknown:       {code: "InvalidIdentityToken", format: textNoKey},
	webidentity.SignatureInvalid: {code: "InvalidIdentityToken", format: textNotValidated},
	webidentity.TimeUnreadable:   {code: "InvalidIdentityToken", format: "Invalid timestamp in token claims."},
	webidentity.Expired:          {code: "ExpiredTokenException", format: "Token expired: current date/time %s must be before the expiration date/time %s"},
	webidentity.NotYetValid:      {code: "InvalidIdentityToken", format: "Token not yet valid: current date/time %s must be after or equal to the not-before date/time %s"},
	webidentity.FromTheFuture:    {code: "InvalidIdentityToken", format: "Token issued in the future: %s"},
	webidentity.NoAudience:       {code: "InvalidIdentityToken", format: "Claim is not allowed to be empty: aud"},
	webidentity.ManyAudiences:    {code: "InvalidIdentityToken", format: "Token audience contains more than one audience while authorized party is not present"},
	webidentity.AudienceMismatch: {code: "InvalidIdentityToken", format: textNotValidated},
	webidentity.SubjectMissing:   {code: "InternalFailure", format: "Unknown error validating third-party token", status: http.StatusInternalServerError},
	webidentity.BadTags:          {code: "InvalidIdentityToken", format: "principal_tags passed in claim is not in correct format."},
	webidentity.BadTransitive:    {code: "InvalidIdentityToken", format: "transitive_tag_keys passed in claim is not in correct format."},
	webidentity.BadSource:        {code: "InvalidIdentityToken", format: "source_identity passed in claim is not in correct format."},
	webidentity.RoleNotNamed:     {code: "InvalidIdentityToken", format: "The target role ARN is not present in the roles claim of the identity token"},

	webidentity.NotAmazonToken:   {code: "InvalidIdentityToken", format: "Provided Token is not a Login With Amazon token"},
	webidentity.NotFacebookToken: {code: "IDPRejectedClaim", format: `graph.facebook.com rejected OAuth token with response "Bad signature" and code 190`, status: http.StatusForbidden},
	webidentity.UnknownOpaque:    {code: "AccessDenied", format: "Unrecognized OAuth provider. Do not include a provider parameter when submitting OpenIDConnect ID tokens", status: http.StatusForbidden},
}

// tokenRefusal words the report on a token that was refused.
func tokenRefusal(r webidentity.Report) *op.Error {
	words, known := tokenRefusals[r.Reason]
	if !known {
		words = refusal{code: "InvalidIdentityToken", format: textNotValidated}
	}
	var details []any
	for _, d := range r.Details[:min(len(r.Details), verbs(words.format))] {
		details = append(details, d)
	}
	return &op.Error{Code: words.code, Message: fmt.Sprintf(words.format, details...), Status: words.status}
}

// verbs is how many details a format takes.
func verbs(format string) (n int) {
	for i := range len(format) - 1 {
		if format[i] == '%' {
			n++
		}
	}
	return n
}
