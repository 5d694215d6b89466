package cognitoidentity

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
)

// maxDeveloperUser bounds a developer's user identifier, in characters (service model, DeveloperUserIdentifier).
const maxDeveloperUser = 1024

// developers serves backends that authenticate their users themselves and vouch for them by a name.
type developers struct {
	pages
	linker
	verifier
	writer
	assumer
}

func (d developers) operations() []op.Operation {
	return []op.Operation{
		op.On(audited(d.writer, d.openIDToken), d.vouching()),
		op.On(d.lookup, onPool(d.finder, func(in *ci.LookupDeveloperIdentityInput) *string { return in.IdentityPoolId })),
		op.On(d.mergeUsers, onPool(d.finder, func(in *ci.MergeDeveloperIdentitiesInput) *string { return in.IdentityPoolId })),
		op.On(d.unlink, onPool(d.finder, func(in *ci.UnlinkDeveloperIdentityInput) *string { return in.IdentityPoolId })),
	}
}

// openIDToken finds or makes the user's identity, or links the user to the identity named, and issues its
// token. Logins of public providers that come along are verified and linked, too.
func (d developers) openIDToken(ctx context.Context, in *ci.GetOpenIdTokenForDeveloperIdentityInput, tried *attempt) (*ci.GetOpenIdTokenForDeveloperIdentityOutput, error) {
	pool, s, err := d.pool(ctx, *in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	tried.about(pool, value(in.IdentityId))
	user, err := developerUser(pool, in.Logins)
	if err != nil {
		return nil, err
	}
	rest := maps.Clone(in.Logins)
	delete(rest, user.Provider)
	tried.Logins = append(tried.Logins, user.Provider)
	public, err := d.public(ctx, pool, s, rest, tried)
	if err != nil {
		return nil, err
	}
	i, err := d.identify(ctx, pool, in.IdentityId, user, linked(public), tried)
	if err != nil {
		return nil, err
	}
	mine := login{user.Provider, Verified{Reference: user.Provider + ":" + pool.ID, Subject: user.User}}
	tags := sessionTags(s, public)
	maps.Copy(tags, in.PrincipalTags)
	lifetime := developerLifetime
	if in.TokenDuration != nil {
		lifetime = time.Duration(*in.TokenDuration) * time.Second
	}
	raw, err := d.issue(ctx, grant{
		pool: pool, identity: i.ID, tags: tags, lifetime: lifetime,
		amr: amr(slices.Concat([]login{mine}, public)),
	}, tried)
	if err != nil {
		return nil, err
	}
	return &ci.GetOpenIdTokenForDeveloperIdentityOutput{IdentityId: &i.ID, Token: raw}, nil
}

// developerUser takes the pool's own developer provider out of a Logins map.
func developerUser(pool directory.IdentityPool, logins map[string]string) (directory.Login, error) {
	user, ok := logins[pool.DeveloperProvider]
	if !ok || pool.DeveloperProvider == "" {
		return directory.Login{}, noDeveloper()
	}
	if n := len([]rune(user)); n > maxDeveloperUser {
		return directory.Login{}, refusal(invalidParameter, "The developer user identifier is too long.")
	}
	return directory.Login{Provider: pool.DeveloperProvider, User: user}, nil
}

// noDeveloper has the text reported in danilop/LambdAuth issue 32.
func noDeveloper() error {
	return refusal(invalidParameter, "This identity pool does not support the specified developer provider")
}

// identify is the identity of a developer's user, with the public logins linked to it.
func (d developers) identify(ctx context.Context, pool directory.IdentityPool, id *string, user directory.Login, public []directory.Login, tried *attempt) (directory.Identity, error) {
	all := slices.Concat([]directory.Login{user}, public)
	if id == nil {
		i, err := d.resolve(ctx, pool, all)
		if err != nil {
			return i, err
		}
		return d.settle(ctx, pool, i, all)
	}
	i, err := d.in(ctx, pool, *id)
	for range linkTries {
		if err != nil {
			return i, err
		}
		if slices.Contains(i.Logins, user) {
			return d.settle(ctx, pool, i, all)
		}
		if err := d.mayVouch(ctx, pool, i, tried); err != nil {
			return i, err
		}
		if err := d.register(ctx, pool, i, user, public); err != nil && !errors.Is(err, fault.Conflict) {
			return i, err
		}
		i, err = d.live(ctx, i.ID) // with our user, or with somebody else's login, who was first: look again
	}
	return i, refusal(tooManyRequests, "Rate exceeded")
}

// mayVouch asks whether the caller may vouch for every developer's user that an identity has already: a new
// user of the identity gets its token, and so is as good as they are.
func (d developers) mayVouch(ctx context.Context, pool directory.IdentityPool, i directory.Identity, tried *attempt) error {
	for _, l := range i.Logins {
		if l.Provider != pool.DeveloperProvider {
			continue
		}
		k := op.RequestContext(ctx)
		access.ResourceTags(k, tagList(pool.Tags))
		k.Set(DeveloperUserKey, l.User)
		resource := poolARN(pool.Region, pool.AccountID, pool.ID)
		decision, err := op.By(d.Access)(ctx, op.Access{Caller: op.CallerOf(ctx), Action: Name + ":GetOpenIdTokenForDeveloperIdentity", Resource: resource, Context: k})
		if err != nil {
			return err
		}
		tried.Decisions = append(tried.Decisions, decision)
		tried.require(evidence.Check{Name: "developer's user of the identity", Operator: "may be vouched for", OK: decision.Allows(), Note: decision.Because},
			op.Denied(op.JSON11, decision, resource))
	}
	return tried.refused
}

// register links a developer's user to an identity, unless it is registered with another one. A person whom
// public providers vouch for must be present with one of these logins: a backend cannot take the identity
// over by naming it (aws/aws-sdk-js issue 2327). Everything that could refuse the public logins is looked
// at before anything is written. It is fault.Conflict if the identity is not as i any more.
func (d developers) register(ctx context.Context, pool directory.IdentityPool, i directory.Identity, user directory.Login, public []directory.Login) error {
	isPublic := func(l directory.Login) bool { return l.Provider != pool.DeveloperProvider }
	if check, mismatch := hasOne(i, public); !check.OK && slices.ContainsFunc(i.Logins, isPublic) {
		return mismatch
	}
	owner, err := d.Identities.ByLogin(ctx, pool.ID, user)
	if err == nil && owner.ID != i.ID {
		return refusal(alreadyRegistered, "The provided developer user identifier is already registered with Cognito under a different identity ID.")
	}
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	fresh, others, err := d.sort(ctx, pool, i, public)
	if err != nil {
		return err
	}
	if err := mayJoin(pool, i, append(fresh, user), others); err != nil {
		return err
	}
	return d.Identities.Link(ctx, i, d.change(i), user)
}

// lookup finds the users of an identity, or the identity of a user, or checks that both belong together.
func (d developers) lookup(ctx context.Context, in *ci.LookupDeveloperIdentityInput) (*ci.LookupDeveloperIdentityOutput, error) {
	pool, _, err := d.pool(ctx, *in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	var i directory.Identity
	switch {
	case in.DeveloperUserIdentifier != nil:
		i, err = d.userOf(ctx, pool, *in.DeveloperUserIdentifier)
	case in.IdentityId != nil:
		i, err = d.in(ctx, pool, *in.IdentityId)
	default:
		err = refusal(invalidParameter, "Either IdentityId or DeveloperUserIdentifier must be provided.")
	}
	if err != nil {
		return nil, err
	}
	if in.DeveloperUserIdentifier != nil && in.IdentityId != nil {
		named, err := d.in(ctx, pool, *in.IdentityId)
		if err != nil {
			return nil, err
		}
		if named.ID != i.ID {
			return nil, refusal(conflict, "The developer user identifier belongs to another identity.")
		}
		return &ci.LookupDeveloperIdentityOutput{IdentityId: &i.ID, DeveloperUserIdentifierList: []string{*in.DeveloperUserIdentifier}}, nil
	}
	return d.users(pool, i, in)
}

// users is one page of the users that the developer provider knows an identity by.
func (d developers) users(pool directory.IdentityPool, i directory.Identity, in *ci.LookupDeveloperIdentityInput) (*ci.LookupDeveloperIdentityOutput, error) {
	name := "users of " + i.ID
	after, err := d.after(name, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ci.LookupDeveloperIdentityOutput{IdentityId: &i.ID, DeveloperUserIdentifierList: []string{}}
	for _, l := range i.Logins { // by user
		if l.Provider == pool.DeveloperProvider && (in.NextToken == nil || l.User > after) {
			out.DeveloperUserIdentifierList = append(out.DeveloperUserIdentifierList, l.User)
		}
	}
	if in.MaxResults == nil || len(out.DeveloperUserIdentifierList) <= int(*in.MaxResults) {
		return out, nil
	}
	out.DeveloperUserIdentifierList = out.DeveloperUserIdentifierList[:*in.MaxResults]
	out.NextToken, err = d.pages.token(name, out.DeveloperUserIdentifierList[*in.MaxResults-1])
	return out, err
}

// userOf finds the identity of a developer's user.
func (d developers) userOf(ctx context.Context, pool directory.IdentityPool, user string) (directory.Identity, error) {
	i, err := d.Identities.ByLogin(ctx, pool.ID, directory.Login{Provider: pool.DeveloperProvider, User: user})
	if errors.Is(err, fault.NotFound) {
		return i, refusal(notFound, "Developer user identifier '"+user+"' not found.")
	}
	return i, err
}

// mergeUsers makes one identity of two: the destination's survives and has the logins of both.
func (d developers) mergeUsers(ctx context.Context, in *ci.MergeDeveloperIdentitiesInput) (*ci.MergeDeveloperIdentitiesOutput, error) {
	pool, err := d.ownedProvider(ctx, *in.IdentityPoolId, *in.DeveloperProviderName)
	if err != nil {
		return nil, err
	}
	for range linkTries {
		source, err := d.userOf(ctx, pool, *in.SourceUserIdentifier)
		if err != nil {
			return nil, err
		}
		destination, err := d.userOf(ctx, pool, *in.DestinationUserIdentifier)
		if err != nil {
			return nil, err
		}
		if source.ID == destination.ID {
			return &ci.MergeDeveloperIdentitiesOutput{IdentityId: &destination.ID}, nil
		}
		if err := mayJoin(pool, destination, nil, []directory.Identity{source}); err != nil {
			return nil, err
		}
		err = d.merge(ctx, source, destination)
		if err != nil && !errors.Is(err, fault.Conflict) {
			return nil, err
		}
	}
	return nil, refusal(tooManyRequests, "Rate exceeded")
}

// unlink takes a developer's user from an identity: the next call for it makes a new one.
func (d developers) unlink(ctx context.Context, in *ci.UnlinkDeveloperIdentityInput) (*ci.UnlinkDeveloperIdentityOutput, error) {
	pool, err := d.ownedProvider(ctx, *in.IdentityPoolId, *in.DeveloperProviderName)
	if err != nil {
		return nil, err
	}
	i, err := d.in(ctx, pool, *in.IdentityId)
	if err != nil {
		return nil, err
	}
	owner, err := d.userOf(ctx, pool, *in.DeveloperUserIdentifier)
	if err != nil {
		return nil, err
	}
	if owner.ID != i.ID {
		return nil, refusal(conflict, "The developer user identifier belongs to another identity.")
	}
	err = d.Identities.Unlink(ctx, i.ID, d.change(i), directory.Login{Provider: pool.DeveloperProvider, User: *in.DeveloperUserIdentifier})
	if errors.Is(err, fault.NotFound) {
		return nil, refusal(notFound, "Developer user identifier '"+*in.DeveloperUserIdentifier+"' not found.")
	}
	return &ci.UnlinkDeveloperIdentityOutput{}, err
}

// ownedProvider finds a pool whose developer provider has the name given.
func (d developers) ownedProvider(ctx context.Context, id, provider string) (directory.IdentityPool, error) {
	pool, _, err := d.pool(ctx, id)
	if err == nil && provider != pool.DeveloperProvider {
		return pool, noDeveloper()
	}
	return pool, err
}
