package sts

import (
	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/wire/saml"
)

// Errors of the service behind STS that reads SAML responses. Their names show in the texts that it words.
const (
	noManifest = "AuthSamlManifestNotFoundException"
	noResponse = "AuthSamlInvalidSamlResponseException"
)

// Texts that several refusals share.
const (
	textNotSAML  = "Invalid base64 SAMLResponse"
	textUnsigned = "Response (with optional signature) must contain an assertion with a mandatory signature"
	textForged   = "Response signature invalid"
)

func invalidToken(message string) *op.Error {
	return &op.Error{Code: "InvalidIdentityToken", Message: message}
}

// discovery words a refusal as the service behind STS does, whose report of an error STS hands on as it is:
// "(Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: …; Request ID: …; Proxy: null)".
func (x *samlExamination) discovery(message, code string) *op.Error {
	return invalidToken(message + " (Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: " + code + "; Request ID: " + x.requestID + "; Proxy: null)")
}

// problem words why a response was not verified.
func (x *samlExamination) problem(p *saml.Problem) *op.Error {
	switch p.Kind {
	case saml.Rejected:
		return &op.Error{Code: "IDPRejectedClaim", Message: "The identity provider reported that authentication failed", Status: 403}
	case saml.Unsigned:
		return x.discovery(textUnsigned, noResponse)
	case saml.Forged, saml.Undecipherable:
		return x.discovery(textForged, noResponse)
	case saml.Malformed:
	}
	return x.discovery(textNotSAML, noResponse)
}

// expired is a refusal of what came too late.
func expired(message string) *op.Error {
	return &op.Error{Code: "ExpiredTokenException", Message: message}
}
