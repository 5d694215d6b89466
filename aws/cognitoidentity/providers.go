package cognitoidentity

import (
	"fmt"
	"strings"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
)

// Quotas of providers in one pool (developer guide, "Quotas in Amazon Cognito"): user pools by default;
// the others share the same bound here, so that a description stays small.
const maxProviders = 50

// isSocial reports whether a name is one of the public providers that a pool knows by its application's
// id there (API reference, CreateIdentityPool, SupportedLoginProviders).
func isSocial(name string) bool {
	switch name {
	case "graph.facebook.com", "accounts.google.com", "appleid.apple.com", "www.amazon.com", "api.twitter.com", "www.digits.com":
		return true
	}
	return false
}

// validProviders checks the providers of a pool of the given account. Whether an IAM provider or a user
// pool exists is found out when a login of it is verified.
func validProviders(account string, in *ci.UpdateIdentityPoolInput) error {
	if n := max(len(in.OpenIdConnectProviderARNs), len(in.SamlProviderARNs), len(in.CognitoIdentityProviders)); n > maxProviders {
		return refusal(limitExceeded, fmt.Sprintf("An identity pool can have at most %d providers of a kind.", maxProviders))
	}
	for name := range in.SupportedLoginProviders {
		if !isSocial(name) {
			return refusal(invalidParameter, "Please provide a valid public provider")
		}
	}
	for _, a := range in.OpenIdConnectProviderARNs {
		if owner, _, ok := iamResource(a, "oidc-provider"); !ok || owner != account {
			return refusal(invalidParameter, "Invalid OpenID Connect provider ARN: "+a)
		}
	}
	for _, a := range in.SamlProviderARNs {
		if owner, _, ok := iamResource(a, "saml-provider"); !ok || owner != account {
			return refusal(invalidParameter, "Invalid SAML provider ARN: "+a)
		}
	}
	for _, p := range in.CognitoIdentityProviders {
		host, pool, _ := strings.Cut(value(p.ProviderName), "/")
		if !strings.HasPrefix(host, "cognito-idp.") || pool == "" {
			return refusal(invalidParameter, "Invalid Cognito Identity Provider: "+value(p.ProviderName))
		}
		if value(p.ClientId) == "" {
			return refusal(invalidParameter, "Please provide a client id for "+value(p.ProviderName))
		}
	}
	return nil
}
