package cognitoidentity

import (
	"context"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
)

// Algorithm signs the tokens of every region.
const Algorithm = "RS512"

// Lifetimes (API reference): GetOpenIdToken gives ten minutes, always; a developer's backend may ask for 1
// second to 24 hours, which the constraints check, and gets 15 minutes when it asks for nothing.
const (
	publicLifetime    = 10 * time.Minute
	developerLifetime = 15 * time.Minute
)

// Names of claims beside the registered ones.
const (
	claimPool = "https://cognito-identity.amazonaws.com/identity-pool-arn"
	claimTags = "https://aws.amazon.com/tags" // STS, "Passing session tags using AssumeRoleWithWebIdentity"
)

// grant is what a token is to say.
type grant struct {
	pool     directory.IdentityPool
	identity string
	amr      []string
	tags     map[string]string
	lifetime time.Duration
}

// claims are those of the cloud's own tokens: whole seconds, no nbf and no jti.
func (g grant) claims(issuer string, now time.Time) token.Claims {
	c := token.Claims{
		"iss":     issuer,
		"sub":     g.identity,
		"aud":     g.pool.ID,
		"amr":     g.amr,
		"iat":     now.Unix(),
		"exp":     now.Add(g.lifetime).Unix(),
		claimPool: poolARN(g.pool.Region, g.pool.AccountID, g.pool.ID),
	}
	if len(g.tags) > 0 {
		tags := make(map[string][]string, len(g.tags))
		for k, v := range g.tags {
			tags[k] = []string{v}
		}
		c[claimTags] = map[string]any{"principal_tags": tags}
	}
	return c
}

// writer signs tokens and keeps the audit of what was issued and refused.
type writer struct {
	Keys   token.Keys
	Issuer string
	Audit  audit.Recorder
	Now    func() time.Time
}

// issue signs a token and notes its claims for the audit.
func (w writer) issue(ctx context.Context, g grant, tried *attempt) (*string, error) {
	c := g.claims(w.Issuer, w.Now())
	issuer := token.Issuer{Keys: w.Keys, Ring: Ring(g.pool.Region), Algorithm: Algorithm, Type: "JWS"}
	raw, err := issuer.Issue(ctx, c)
	if err != nil {
		return nil, err
	}
	tried.Identity, tried.Claims = g.identity, c
	return &raw, nil
}
