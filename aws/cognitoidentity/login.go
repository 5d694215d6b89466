package cognitoidentity

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
)

// ownProvider is the Logins key of the tokens that this service issues itself.
const ownProvider = "cognito-identity.amazonaws.com"

// Verified is what the verified token of a public provider says of its bearer.
type Verified struct {
	Subject   string          // the provider's name for the user
	Reference string          // what the third amr entry says before ":SUBJECT", such as PROVIDER-ARN:OIDC or PROVIDER:CognitoSignIn
	Claims    token.Claims    // for principal tags and role mappings
	Checks    evidence.Checks // what was looked at, of a token that was refused as well
}

// Logins verifies tokens of the public providers that a pool is configured with: user pools, IAM's OIDC and
// SAML providers, and social ones. provider is the Logins key. A token that does not hold is refused with
// an *op.Error in the service's own words.
type Logins interface {
	Verify(ctx context.Context, pool directory.IdentityPool, provider, token string) (Verified, error)
}

// login is one verified entry of a Logins map.
type login struct {
	provider string
	Verified
}

// verifier checks the Logins maps of requests.
type verifier struct {
	Logins Logins
	Keys   token.Keys
	Issuer string
	Now    func() time.Time
}

// public verifies every entry of a Logins map, by provider name. A developer provider's entry carries no
// proof, so it has no place here; the service's own token has one only where own takes it.
func (v verifier) public(ctx context.Context, pool directory.IdentityPool, s settings, given map[string]string, tried *attempt) ([]login, error) {
	var out []login
	for _, provider := range slices.Sorted(maps.Keys(given)) {
		tried.Logins = append(tried.Logins, provider)
		l, err := v.one(ctx, pool, s, provider, given[provider])
		tried.Checks = append(tried.Checks, l.Checks...)
		check := evidence.Check{Name: "login", Claim: provider, Operator: "verifies", OK: err == nil}
		if err != nil {
			check.Note = err.Error()
		}
		tried.require(check, err)
		out = append(out, login{provider, l})
	}
	return out, tried.refused
}

func (v verifier) one(ctx context.Context, pool directory.IdentityPool, s settings, provider, raw string) (Verified, error) {
	switch {
	case provider == ownProvider:
		return Verified{}, refusal(notAuthorized, "Invalid login token. Can't pass in a Cognito token.")
	case provider == pool.DeveloperProvider:
		return Verified{}, refusal(invalidParameter, "Please provide a valid public provider")
	case !s.supports(provider):
		return Verified{}, refusal(notAuthorized, "Token is not from a supported provider of this identity pool.")
	case v.Logins == nil:
		return Verified{}, refusal(notAuthorized, "Invalid login token. Couldn't verify signed token.")
	}
	return v.Logins.Verify(ctx, pool, provider, raw)
}

// linked are the logins as the directory knows them.
func linked(logins []login) []directory.Login {
	out := make([]directory.Login, len(logins))
	for n, l := range logins {
		out[n] = directory.Login{Provider: l.provider, User: l.Subject}
	}
	return out
}

// authenticated is the first authentication method of everybody but guests, and the kind of their role.
const authenticated = "authenticated"

// amr is the authentication methods of verified logins: "authenticated", and for each login its key and
// the provider's reference with the subject.
func amr(logins []login) []string {
	out := []string{authenticated}
	for _, l := range logins {
		out = append(out, l.provider, l.Reference+":"+l.Subject)
	}
	return out
}

// sessionTags are the principal tags that the pool makes of the logins' claims.
func sessionTags(s settings, logins []login) map[string]string {
	out := map[string]string{}
	for _, l := range logins {
		if m, ok := s.PrincipalTags[s.tagSource(l.provider)]; ok {
			maps.Copy(out, m.tags(l.provider, l.Claims))
		}
	}
	return out
}
