package cognitoidentity

import (
	"context"
	"maps"
	"slices"
	"strings"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// DeveloperUserKey is a condition key of Treaty's own, which AWS lacks: the developer user identifier that a
// caller of GetOpenIdTokenForDeveloperIdentity vouches for. A policy can so hold each backend to the users
// that are its own.
const DeveloperUserKey = "treaty:DeveloperUserIdentifier"

// onPool is an operation on the pool that the input names. Its tags are condition keys.
func onPool[In any](f finder, id func(in *In) *string) op.Target[In] {
	return op.Target[In]{
		Resource: func(_ context.Context, c op.Caller, in *In) (string, error) {
			return poolARN(c.Region, c.Account, value(id(in))), nil
		},
		Keys: func(ctx context.Context, c op.Caller, in *In, k policy.Context) error {
			return f.tagKeys(ctx, value(id(in)), k)
		},
	}
}

// tagKeys adds the tags of a pool, if there is one.
func (f finder) tagKeys(ctx context.Context, id string, k policy.Context) error {
	pool, err := f.Pools.Pool(ctx, id)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	access.ResourceTags(k, tagList(pool.Tags))
	return err
}

// vouching is the target of GetOpenIdTokenForDeveloperIdentity.
func (d developers) vouching() op.Target[ci.GetOpenIdTokenForDeveloperIdentityInput] {
	t := onPool(d.finder, func(in *ci.GetOpenIdTokenForDeveloperIdentityInput) *string { return in.IdentityPoolId })
	tags := t.Keys
	t.Keys = func(ctx context.Context, c op.Caller, in *ci.GetOpenIdTokenForDeveloperIdentityInput, k policy.Context) error {
		pool, err := d.Pools.Pool(ctx, value(in.IdentityPoolId))
		if user, ok := in.Logins[pool.DeveloperProvider]; ok && err == nil {
			k.Set(DeveloperUserKey, user)
		}
		return tags(ctx, c, in, k)
	}
	return t
}

// onARN is an operation on the pool whose ARN the input gives; asked are the tags that it brings.
func onARN[In any](f finder, arn func(in *In) *string, asked func(in *In, k policy.Context)) op.Target[In] {
	return op.Target[In]{
		Resource: func(_ context.Context, _ op.Caller, in *In) (string, error) { return value(arn(in)), nil },
		Keys: func(ctx context.Context, _ op.Caller, in *In, k policy.Context) error {
			asked(in, k)
			_, id, _ := strings.Cut(value(arn(in)), ":identitypool/")
			return f.tagKeys(ctx, id, k)
		},
	}
}

// tagList is a map of tags as a list, by key.
func tagList(tags map[string]string) []directory.Tag {
	out := make([]directory.Tag, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, directory.Tag{Key: key, Value: tags[key]})
	}
	return out
}
