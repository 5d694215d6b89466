package cognitoidentity

import (
	"context"
	"errors"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// identities shows, lists and deletes identities for the pool's owner.
type identities struct {
	finder
	pages
}

func (d identities) operations() []op.Operation {
	return []op.Operation{
		op.Signed(d.describe, nil),
		op.On(d.list, onPool(d.finder, func(in *ci.ListIdentitiesInput) *string { return in.IdentityPoolId })),
		op.Signed(d.remove, nil),
	}
}

func (d identities) describe(ctx context.Context, in *ci.DescribeIdentityInput) (*ci.DescribeIdentityOutput, error) {
	i, _, err := d.identity(ctx, *in.IdentityId)
	if err != nil {
		return nil, err
	}
	shown := shortDescription(i)
	return &ci.DescribeIdentityOutput{
		IdentityId: shown.IdentityId, Logins: shown.Logins,
		CreationDate: shown.CreationDate, LastModifiedDate: shown.LastModifiedDate,
	}, nil
}

func (d identities) list(ctx context.Context, in *ci.ListIdentitiesInput) (*ci.ListIdentitiesOutput, error) {
	pool, _, err := d.pool(ctx, *in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	name := "identities of " + pool.ID
	after, err := d.after(name, in.NextToken)
	if err != nil {
		return nil, err
	}
	n := int(*in.MaxResults)
	found, err := d.Identities.Identities(ctx, pool.ID, after, n+1, in.HideDisabled)
	if err != nil {
		return nil, err
	}
	out := &ci.ListIdentitiesOutput{IdentityPoolId: &pool.ID, Identities: []types.IdentityDescription{}}
	if len(found) > n {
		found = found[:n]
		if out.NextToken, err = d.token(name, found[n-1].ID); err != nil {
			return nil, err
		}
	}
	for _, i := range found {
		out.Identities = append(out.Identities, shortDescription(i))
	}
	return out, nil
}

// remove deletes what it may and names the rest: an identity that does not exist, or not for the caller,
// is AccessDenied, so that nothing is learned of other accounts.
func (d identities) remove(ctx context.Context, in *ci.DeleteIdentitiesInput) (*ci.DeleteIdentitiesOutput, error) {
	out := &ci.DeleteIdentitiesOutput{UnprocessedIdentityIds: []types.UnprocessedIdentityId{}}
	done := map[string]bool{}
	for _, id := range in.IdentityIdsToDelete {
		if done[id] {
			continue
		}
		done[id] = true
		if code := d.removeOne(ctx, id); code != "" {
			out.UnprocessedIdentityIds = append(out.UnprocessedIdentityIds, types.UnprocessedIdentityId{IdentityId: &id, ErrorCode: code})
		}
	}
	return out, nil
}

// removeOne deletes exactly the identity named: a merged one goes without its parent.
func (d identities) removeOne(ctx context.Context, id string) types.ErrorCode {
	i, err := d.Identities.Identity(ctx, id)
	if err == nil {
		_, _, err = d.pool(ctx, i.PoolID)
	}
	if err == nil {
		err = d.Identities.DeleteIdentity(ctx, id)
	}
	var refused *op.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, fault.NotFound), errors.As(err, &refused):
		return types.ErrorCodeAccessDenied
	}
	return types.ErrorCodeInternalServerError
}

// shortDescription shows an identity with the names of its providers; a developer provider that knows it
// by several users is named once.
func shortDescription(i directory.Identity) types.IdentityDescription {
	names := []string{}
	for _, l := range i.Logins { // by provider
		if len(names) == 0 || names[len(names)-1] != l.Provider {
			names = append(names, l.Provider)
		}
	}
	return types.IdentityDescription{IdentityId: &i.ID, Logins: names, CreationDate: &i.CreatedAt, LastModifiedDate: &i.ModifiedAt}
}
