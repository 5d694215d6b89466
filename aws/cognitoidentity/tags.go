package cognitoidentity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// maxTags is how many tags a pool may have (API reference, TagResource).
const maxTags = 50

// tagTries is how often a change of tags is tried again when another request changed the pool meanwhile:
// the operations have no code that asks the client to do it.
const tagTries = 8

// tags changes and lists the tags of pools, which it finds by ARN.
type tags struct{ finder }

func (t tags) operations() []op.Operation {
	return []op.Operation{
		op.On(t.add, onARN(t.finder, func(in *ci.TagResourceInput) *string { return in.ResourceArn },
			func(in *ci.TagResourceInput, k policy.Context) { access.RequestTags(k, tagList(in.Tags)) })),
		op.On(t.remove, onARN(t.finder, func(in *ci.UntagResourceInput) *string { return in.ResourceArn },
			func(in *ci.UntagResourceInput, k policy.Context) { k.SetMany("aws:TagKeys", in.TagKeys...) })),
		op.On(t.list, onARN(t.finder, func(in *ci.ListTagsForResourceInput) *string { return in.ResourceArn },
			func(*ci.ListTagsForResourceInput, policy.Context) {})),
	}
}

func (t tags) add(ctx context.Context, in *ci.TagResourceInput) (*ci.TagResourceOutput, error) {
	if err := validTags(in.Tags); err != nil {
		return nil, err
	}
	err := t.change(ctx, *in.ResourceArn, func(all map[string]string) error {
		maps.Copy(all, in.Tags)
		if len(all) > maxTags {
			return refusal(invalidParameter, fmt.Sprintf("An identity pool can have at most %d tags.", maxTags))
		}
		return nil
	})
	return &ci.TagResourceOutput{}, err
}

func (t tags) remove(ctx context.Context, in *ci.UntagResourceInput) (*ci.UntagResourceOutput, error) {
	for _, k := range in.TagKeys {
		if reserved(k) {
			return nil, errReservedTag
		}
	}
	err := t.change(ctx, *in.ResourceArn, func(all map[string]string) error {
		for _, k := range in.TagKeys {
			delete(all, k)
		}
		return nil
	})
	return &ci.UntagResourceOutput{}, err
}

func (t tags) list(ctx context.Context, in *ci.ListTagsForResourceInput) (*ci.ListTagsForResourceOutput, error) {
	pool, err := t.byARN(ctx, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &ci.ListTagsForResourceOutput{Tags: map[string]string{}}
	maps.Copy(out.Tags, pool.Tags)
	return out, nil
}

// change edits a copy of the pool's tags and stores it.
func (t tags) change(ctx context.Context, resource string, edit func(all map[string]string) error) error {
	for range tagTries {
		pool, err := t.byARN(ctx, resource)
		if err != nil {
			return err
		}
		all := map[string]string{}
		maps.Copy(all, pool.Tags)
		if err := edit(all); err != nil {
			return err
		}
		pool.Tags = all
		var refused *op.Error
		err = t.write(ctx, pool)
		if !errors.As(err, &refused) || refused.Code != modified {
			return err
		}
	}
	return refusal(tooManyRequests, "Rate exceeded")
}

// byARN finds a pool of the caller's account and region by its ARN.
func (t tags) byARN(ctx context.Context, resource string) (directory.IdentityPool, error) {
	a, ok := parseARN(resource)
	id, isPool := strings.CutPrefix(a.resource, "identitypool/")
	if !ok || !isPool || id == "" || a.service != Name {
		return directory.IdentityPool{}, refusal(invalidParameter, "Invalid resource ARN: "+resource)
	}
	pool, _, err := t.pool(ctx, id)
	if err == nil && resource != poolARN(pool.Region, pool.AccountID, pool.ID) {
		return directory.IdentityPool{}, noPool(id)
	}
	return pool, err
}

var errReservedTag = refusal(invalidParameter, "Tag keys that begin with aws: are reserved.")

// reserved reports whether a tag key is one that only AWS may set (AWS General Reference, "Tagging").
func reserved(key string) bool { return len(key) >= 4 && strings.EqualFold(key[:4], "aws:") }

func validTags(all map[string]string) error {
	for k := range all {
		if reserved(k) {
			return errReservedTag
		}
	}
	return nil
}
