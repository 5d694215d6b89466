package cognitoidentity

import (
	"context"
	"errors"
	"slices"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
)

// guests serves the operations that anyone may call: applications on people's devices, with the tokens of
// public providers or without any.
type guests struct {
	linker
	verifier
	writer
	assumer
}

func (g guests) operations() []op.Operation {
	return []op.Operation{
		op.Public(audited(g.writer, g.id)),
		op.Public(audited(g.writer, g.openIDToken)),
		op.Public(audited(g.writer, g.credentials)),
		op.Public(audited(g.writer, g.unlink)),
	}
}

// id finds the identity that has any of the logins, or makes one that has them all; without logins it makes
// a guest. A login that an existing identity does not have yet is linked by the calls that use the identity.
func (g guests) id(ctx context.Context, in *ci.GetIdInput, tried *attempt) (*ci.GetIdOutput, error) {
	pool, s, err := g.anyPool(ctx, *in.IdentityPoolId)
	if err == nil && in.AccountId != nil && *in.AccountId != pool.AccountID {
		err = noPool(pool.ID)
	}
	if err != nil {
		return nil, err
	}
	tried.about(pool, "")
	if len(in.Logins) == 0 {
		tried.require(guestsAllowed(pool))
	}
	logins, err := g.public(ctx, pool, s, in.Logins, tried)
	if err != nil {
		return nil, err
	}
	i, err := g.resolve(ctx, pool, linked(logins))
	if err != nil {
		return nil, err
	}
	tried.Identity = i.ID
	return &ci.GetIdOutput{IdentityId: &i.ID}, nil
}

// openIDToken is the classic flow's token. The identity in the answer may be another than the one asked
// for: a login that belongs to another identity merges the two.
func (g guests) openIDToken(ctx context.Context, in *ci.GetOpenIdTokenInput, tried *attempt) (*ci.GetOpenIdTokenOutput, error) {
	i, pool, s, err := g.anyIdentity(ctx, *in.IdentityId)
	if err != nil {
		return nil, err
	}
	tried.about(pool, i.ID)
	tried.require(evidence.Check{Name: "classic flow", Operator: "is enabled", OK: pool.AllowClassic == nil || *pool.AllowClassic},
		refusal(invalidParameter, "Basic (classic) flow is not enabled, please use enhanced flow."))
	tried.require(evidence.Check{Name: "role mappings", Operator: "are absent", OK: len(s.RoleMappings) == 0},
		refusal(invalidParameter, "Basic (classic) flow is not supported with RoleMappings, please use enhanced flow."))
	logins, err := g.enter(ctx, pool, s, i, *in.IdentityId, in.Logins, tried)
	if err != nil {
		return nil, err
	}
	if i, err = g.settle(ctx, pool, i, linked(logins)); err != nil {
		return nil, err
	}
	methods := []string{"unauthenticated"}
	if len(logins) > 0 {
		methods = amr(logins)
	}
	raw, err := g.issue(ctx, grant{pool: pool, identity: i.ID, amr: methods, tags: sessionTags(s, logins), lifetime: publicLifetime}, tried)
	if err != nil {
		return nil, err
	}
	return &ci.GetOpenIdTokenOutput{IdentityId: &i.ID, Token: raw}, nil
}

// unlink takes logins from an identity for somebody who proves to have one of its logins.
func (g guests) unlink(ctx context.Context, in *ci.UnlinkIdentityInput, tried *attempt) (*ci.UnlinkIdentityOutput, error) {
	i, pool, s, err := g.anyIdentity(ctx, *in.IdentityId)
	if err != nil {
		return nil, err
	}
	tried.about(pool, i.ID)
	logins, err := g.public(ctx, pool, s, in.Logins, tried)
	if err != nil {
		return nil, err
	}
	tried.require(hasOne(i, linked(logins)))
	var gone []directory.Login
	for _, l := range i.Logins {
		if slices.Contains(in.LoginsToRemove, l.Provider) {
			gone = append(gone, l)
		}
	}
	for _, provider := range in.LoginsToRemove {
		tried.require(evidence.Check{
			Name: "login to remove", Operator: "is linked", Want: []string{provider},
			OK: slices.ContainsFunc(gone, func(l directory.Login) bool { return l.Provider == provider }),
		}, refusal(notFound, "Login '"+provider+"' not found."))
	}
	if tried.refused != nil {
		return nil, tried.refused
	}
	if len(gone) == 0 {
		return &ci.UnlinkIdentityOutput{}, nil
	}
	err = g.Identities.Unlink(ctx, i.ID, g.change(i), gone...)
	if errors.Is(err, fault.NotFound) {
		return nil, refusal(conflict, "The logins of the identity were changed concurrently.")
	}
	return &ci.UnlinkIdentityOutput{}, err
}

// enter checks that the bearer of the logins may use the identity: without any, as a guest of a pool that
// has guests, and only if the identity never was more than one; with some, when the identity has one of
// them, or is a guest's, which they then take over.
func (g guests) enter(ctx context.Context, pool directory.IdentityPool, s settings, i directory.Identity, asked string, given map[string]string, tried *attempt) ([]login, error) {
	if len(given) == 0 {
		tried.require(evidence.Check{Name: "identity", Operator: "never had logins", Got: shortDescription(i).Logins, OK: isGuest(i)},
			refusal(notAuthorized, "Access to Identity '"+asked+"' is forbidden."))
		tried.require(guestsAllowed(pool))
		return nil, tried.refused
	}
	logins, err := g.public(ctx, pool, s, given, tried)
	if err != nil {
		return nil, err
	}
	if !isGuest(i) {
		tried.require(hasOne(i, linked(logins)))
	}
	return logins, tried.refused
}

func guestsAllowed(pool directory.IdentityPool) (evidence.Check, error) {
	return evidence.Check{Name: "unauthenticated access", Operator: "is allowed", OK: pool.AllowUnauthenticated},
		refusal(notAuthorized, "Unauthenticated access is not supported for this identity pool.")
}

func hasOne(i directory.Identity, logins []directory.Login) (evidence.Check, error) {
	c := evidence.Check{Name: "identity", Operator: "has one of the logins", Want: shortDescription(i).Logins}
	for _, l := range logins {
		c.Got = append(c.Got, l.Provider)
		c.OK = c.OK || slices.Contains(i.Logins, l)
	}
	return c, refusal(notAuthorized, "Logins don't match. Please include at least one valid login for this identity or identity pool.")
}
