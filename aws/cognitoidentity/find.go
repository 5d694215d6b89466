package cognitoidentity

import (
	"context"
	"errors"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// finder looks up pools and identities for a caller. What belongs to another account or region does not
// exist for him.
type finder struct {
	Pools      directory.Pools
	Identities directory.Identities
}

// maxMerges bounds the way from a merged identity to the one that survives, which grows by one with each
// merge of a survivor into another.
const maxMerges = 100

func noPool(id string) error {
	return refusal(notFound, "IdentityPool '"+id+"' not found.")
}

func noIdentity(id string) error {
	return refusal(notFound, "Identity '"+id+"' not found.")
}

// pool finds a pool of the signed caller's account and region.
func (f finder) pool(ctx context.Context, id string) (directory.IdentityPool, settings, error) {
	c := op.CallerOf(ctx)
	p, s, err := f.anyPool(ctx, id)
	if err == nil && (p.AccountID != c.Account || p.Region != c.Region) {
		return directory.IdentityPool{}, settings{}, noPool(id)
	}
	return p, s, err
}

// anyPool finds a pool for a public operation, whose caller has no account.
func (f finder) anyPool(ctx context.Context, id string) (directory.IdentityPool, settings, error) {
	p, err := f.Pools.Pool(ctx, id)
	if errors.Is(err, fault.NotFound) {
		return p, settings{}, noPool(id)
	}
	if err != nil {
		return p, settings{}, err
	}
	s, err := readSettings(p)
	return p, s, err
}

// identity finds the identity that answers for id (a merged one answers through its parent) and its pool,
// both of the signed caller's account and region.
func (f finder) identity(ctx context.Context, id string) (directory.Identity, directory.IdentityPool, error) {
	c := op.CallerOf(ctx)
	i, p, _, err := f.anyIdentity(ctx, id)
	if err == nil && (p.AccountID != c.Account || p.Region != c.Region) {
		return directory.Identity{}, directory.IdentityPool{}, noIdentity(id)
	}
	return i, p, err
}

// anyIdentity is identity for a public operation.
func (f finder) anyIdentity(ctx context.Context, id string) (directory.Identity, directory.IdentityPool, settings, error) {
	i, err := f.live(ctx, id)
	if err != nil {
		return i, directory.IdentityPool{}, settings{}, err
	}
	p, s, err := f.anyPool(ctx, i.PoolID)
	var missing *op.Error
	if errors.As(err, &missing) && missing.Code == notFound {
		return i, p, s, noIdentity(id) // its pool went in between
	}
	return i, p, s, err
}

// live follows merges from id to the identity that survived them.
func (f finder) live(ctx context.Context, id string) (directory.Identity, error) {
	at := id
	for range maxMerges {
		i, err := f.Identities.Identity(ctx, at)
		if errors.Is(err, fault.NotFound) {
			return i, noIdentity(id)
		}
		if err != nil || i.MergedInto == "" {
			return i, err
		}
		at = i.MergedInto
	}
	return directory.Identity{}, fault.New(fault.Internal, "cognito-identity identity "+id, "merged too many times")
}

// in finds an identity of one pool, following merges.
func (f finder) in(ctx context.Context, pool directory.IdentityPool, id string) (directory.Identity, error) {
	i, err := f.live(ctx, id)
	if err == nil && i.PoolID != pool.ID {
		return directory.Identity{}, noIdentity(id)
	}
	return i, err
}
