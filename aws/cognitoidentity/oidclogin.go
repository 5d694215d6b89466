package cognitoidentity

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/webidentity"
)

// OpenIDLogins verifies the OpenID Connect tokens of the IAM providers that a pool lists, and of Google.
// The other public providers' tokens (user pools, SAML, Apple, Facebook, Amazon, Twitter) are refused.
type OpenIDLogins struct {
	Verifier *webidentity.Verifier
	Now      func() time.Time
}

const google = "accounts.google.com"

// Verify examines a token as the login of a provider. The key in Logins is the token's issuer, without the
// scheme and otherwise to the letter: case and a slash at its end count.
func (l OpenIDLogins) Verify(ctx context.Context, pool directory.IdentityPool, provider, raw string) (Verified, error) {
	s, err := readSettings(pool)
	if err != nil {
		return Verified{}, err
	}
	arn := s.tagSource(provider)
	if arn == provider && provider != google {
		return Verified{}, loginRefusal(textUnverified)
	}
	id, report, err := l.Verifier.Verify(ctx, pool.AccountID, raw)
	v := Verified{Checks: slices.Concat(report.Token, report.Provider), Claims: id.Claims, Subject: id.Subject, Reference: arn + ":OIDC"}
	if err != nil {
		return v, err
	}
	issuer := strings.TrimPrefix(report.Claims.Text("iss"), "https://")
	same := evidence.Compare("provider name", "iss", provider, issuer)
	v.Checks = append(v.Checks, same)
	switch {
	case report.Reason == webidentity.Malformed || report.Reason == webidentity.MissingClaim || report.Reason == webidentity.OwnToken:
		return v, l.refuse(report)
	case !same.OK:
		return v, loginRefusal("Issuer doesn't match providerName")
	case !report.OK():
		return v, l.refuse(report)
	}
	if provider == google {
		v.Reference = google
		clients := strings.Split(s.SupportedLoginProviders[google], ";")
		audience := evidence.Check{Name: "audience", Claim: "aud", Operator: "one of", Want: clients, Got: []string{id.Audience}, OK: slices.Contains(clients, id.Audience)}
		v.Checks = append(v.Checks, audience)
		if !audience.OK {
			return v, loginRefusal(textAudience)
		}
	}
	return v, nil
}

const (
	textUnverified = "Couldn't verify signed token."
	textAudience   = "Incorrect token audience"
)

func loginRefusal(text string) error { return refusal(notAuthorized, "Invalid login token. "+text) }

// refuse has Cognito's words for why a token was refused (field reports of amplify-js and aws-sdk-js).
func (l OpenIDLogins) refuse(r webidentity.Report) error {
	switch r.Reason {
	case webidentity.Malformed:
		return loginRefusal("Not a valid OpenId Connect identity token.")
	case webidentity.MissingClaim:
		return loginRefusal("Missing a required claim: " + strings.Join(r.Details, ", "))
	case webidentity.OwnToken:
		return loginRefusal("Can't pass in a Cognito token.")
	case webidentity.NoProvider:
		return refusal(notAuthorized, "Token is not from a supported provider of this identity pool.")
	case webidentity.Expired:
		exp, _ := r.Claims.Time("exp")
		return loginRefusal(fmt.Sprintf("Token expired: %d >= %d", exp.Unix(), l.Now().Unix()))
	case webidentity.AudienceMismatch, webidentity.ManyAudiences, webidentity.NoAudience:
		return loginRefusal(textAudience)
	}
	return loginRefusal(textUnverified)
}
