package cognitoidentity

import (
	"context"
	"fmt"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
)

// own verifies a token that this service issued for the identity, which may stand for the identity's
// logins when credentials are asked for: the second half of the developers' flow.
func (v verifier) own(ctx context.Context, pool directory.IdentityPool, i directory.Identity, raw string, tried *attempt) (token.Claims, error) {
	tried.Logins = append(tried.Logins, ownProvider)
	check := token.Verifier{
		Source:     token.Local{Keys: v.Keys, Ring: Ring(pool.Region)},
		Algorithms: []string{Algorithm},
		Now:        v.Now,
	}
	claims, report, err := check.Verify(ctx, raw, v.Issuer)
	for _, c := range report.Checks {
		why := v.why(c.Name, claims)
		if c.Name == token.CheckKeys {
			why = err // our own keys could not be had: no fault of the token's
		}
		tried.require(c, why)
	}
	tried.require(evidence.Compare("audience", "aud", pool.ID, claims["aud"]),
		refusal(notAuthorized, "Invalid login token. Incorrect token audience"))
	tried.require(evidence.Compare("identity", "sub", i.ID, claims["sub"]),
		refusal(notAuthorized, "Logins don't match. Please include at least one valid login for this identity or identity pool."))
	return claims, tried.refused
}

// why is the service's text for a check of a token that failed.
func (v verifier) why(check string, claims token.Claims) error {
	text := "Couldn't verify signed token."
	switch check {
	case token.CheckForm:
		text = "Not a valid OpenId Connect identity token."
	case token.CheckIssuer:
		text = "Issuer doesn't match providerName"
	case token.CheckExpiry:
		if exp, ok := claims.Time("exp"); ok {
			text = fmt.Sprintf("Token expired: %d >= %d", exp.Unix(), v.Now().Unix())
		} else {
			text = "Missing a required claim: exp"
		}
	}
	return refusal(notAuthorized, "Invalid login token. "+text)
}
