package cognitoidentity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// maxPools is how many pools an account may have in a region (developer guide, "Quotas in Amazon Cognito").
const maxPools = 1000

// pools makes, shows, replaces, deletes and lists identity pools.
type pools struct {
	finder
	pages
	Now  func() time.Time
	Rand io.Reader
}

func (p pools) operations() []op.Operation {
	return []op.Operation{
		op.On(p.create, op.Target[ci.CreateIdentityPoolInput]{Keys: func(_ context.Context, _ op.Caller, in *ci.CreateIdentityPoolInput, k policy.Context) error {
			access.RequestTags(k, tagList(in.IdentityPoolTags))
			return nil
		}}),
		op.On(p.describe, onPool(p.finder, func(in *ci.DescribeIdentityPoolInput) *string { return in.IdentityPoolId })),
		op.On(p.update, onPool(p.finder, func(in *ci.UpdateIdentityPoolInput) *string { return in.IdentityPoolId })),
		op.On(p.remove, onPool(p.finder, func(in *ci.DeleteIdentityPoolInput) *string { return in.IdentityPoolId })),
		op.Signed(p.list, nil),
	}
}

// ofPool is the ARN that a call on a pool is authorised against: the id is looked for in the caller's own
// account and region, so the ARN is always his.

func (p pools) create(ctx context.Context, in *ci.CreateIdentityPoolInput) (*ci.CreateIdentityPoolOutput, error) {
	c := op.CallerOf(ctx)
	if !slices.Contains(regions(), c.Region) {
		return nil, refusal(invalidParameter, "Identity pools are not available in region "+c.Region+".")
	}
	id, err := newID(c.Region, p.Rand)
	if err != nil {
		return nil, err
	}
	existing, err := p.Pools.Pools(ctx, c.Account, c.Region, "", maxPools)
	if err != nil {
		return nil, err
	}
	if len(existing) >= maxPools {
		return nil, refusal(limitExceeded, "Maximum number of identity pools reached for this account.")
	}
	pool := directory.IdentityPool{ID: id, AccountID: c.Account, Region: c.Region, CreatedAt: p.Now()}
	s, err := replace(&pool, settings{}, &ci.UpdateIdentityPoolInput{
		AllowUnauthenticatedIdentities: in.AllowUnauthenticatedIdentities,
		IdentityPoolName:               in.IdentityPoolName,
		AllowClassicFlow:               in.AllowClassicFlow,
		CognitoIdentityProviders:       in.CognitoIdentityProviders,
		DeveloperProviderName:          in.DeveloperProviderName,
		IdentityPoolTags:               in.IdentityPoolTags,
		OpenIdConnectProviderARNs:      in.OpenIdConnectProviderARNs,
		SamlProviderARNs:               in.SamlProviderARNs,
		SupportedLoginProviders:        in.SupportedLoginProviders,
	})
	if err != nil {
		return nil, err
	}
	if err := p.Pools.CreatePool(ctx, pool); err != nil {
		return nil, err
	}
	return new(ci.CreateIdentityPoolOutput(description(pool, s))), nil
}

func (p pools) describe(ctx context.Context, in *ci.DescribeIdentityPoolInput) (*ci.DescribeIdentityPoolOutput, error) {
	pool, s, err := p.pool(ctx, *in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	return new(description(pool, s)), nil
}

// update replaces the whole description: what the request leaves out falls back to its default. The
// developer provider's name survives that (measured in hashicorp/terraform-provider-aws pull request
// 49985), and so do tags, without which that provider's updates, which never send them, would lose them.
// Roles, role mappings and tag maps are set by operations of their own and stay, too.
func (p pools) update(ctx context.Context, in *ci.UpdateIdentityPoolInput) (*ci.UpdateIdentityPoolOutput, error) {
	pool, s, err := p.pool(ctx, *in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	if s, err = replace(&pool, s, in); err != nil {
		return nil, err
	}
	if err := p.write(ctx, pool); err != nil {
		return nil, err
	}
	return new(ci.UpdateIdentityPoolOutput(description(pool, s))), nil
}

func (p pools) remove(ctx context.Context, in *ci.DeleteIdentityPoolInput) (*ci.DeleteIdentityPoolOutput, error) {
	pool, _, err := p.pool(ctx, *in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	err = p.Pools.DeletePool(ctx, pool.ID)
	if errors.Is(err, fault.NotFound) {
		return nil, noPool(pool.ID)
	}
	return &ci.DeleteIdentityPoolOutput{}, err
}

func (p pools) list(ctx context.Context, in *ci.ListIdentityPoolsInput) (*ci.ListIdentityPoolsOutput, error) {
	c := op.CallerOf(ctx)
	name := "pools of " + c.Account + " in " + c.Region
	after, err := p.after(name, in.NextToken)
	if err != nil {
		return nil, err
	}
	n := int(*in.MaxResults)
	found, err := p.Pools.Pools(ctx, c.Account, c.Region, after, n+1)
	if err != nil {
		return nil, err
	}
	out := &ci.ListIdentityPoolsOutput{IdentityPools: []types.IdentityPoolShortDescription{}}
	if len(found) > n {
		found = found[:n]
		if out.NextToken, err = p.token(name, found[n-1].ID); err != nil {
			return nil, err
		}
	}
	for _, pool := range found {
		out.IdentityPools = append(out.IdentityPools, types.IdentityPoolShortDescription{IdentityPoolId: &pool.ID, IdentityPoolName: &pool.Name})
	}
	return out, nil
}

// write stores a changed pool if nobody else changed it since it was read.
func (f finder) write(ctx context.Context, pool directory.IdentityPool) error {
	err := f.Pools.UpdatePool(ctx, pool)
	switch {
	case errors.Is(err, fault.Conflict):
		return refusal(modified, "Identity pool "+pool.ID+" was modified concurrently.")
	case errors.Is(err, fault.NotFound):
		return noPool(pool.ID)
	}
	return err
}

// replace puts the request's description into the pool and its settings.
func replace(pool *directory.IdentityPool, s settings, in *ci.UpdateIdentityPoolInput) (settings, error) {
	if err := validTags(in.IdentityPoolTags); err != nil {
		return s, err
	}
	if len(in.IdentityPoolTags) > maxTags {
		return s, refusal(limitExceeded, fmt.Sprintf("An identity pool can have at most %d tags.", maxTags))
	}
	if err := validProviders(pool.AccountID, in); err != nil {
		return s, err
	}
	if dev := value(in.DeveloperProviderName); dev != "" {
		if pool.DeveloperProvider != "" && dev != pool.DeveloperProvider {
			return s, refusal(invalidParameter, "Developer provider name cannot be changed once it is set.")
		}
		if isSocial(dev) || dev == ownProvider {
			return s, refusal(invalidParameter, "Developer provider name "+dev+" is the name of a public provider.")
		}
		pool.DeveloperProvider = dev
	}
	if in.IdentityPoolTags != nil {
		pool.Tags = in.IdentityPoolTags
	}
	pool.Name = *in.IdentityPoolName
	pool.AllowUnauthenticated = in.AllowUnauthenticatedIdentities
	pool.AllowClassic = in.AllowClassicFlow
	s.SupportedLoginProviders = in.SupportedLoginProviders
	s.OpenIdConnectProviderARNs = in.OpenIdConnectProviderARNs
	s.CognitoIdentityProviders = in.CognitoIdentityProviders
	s.SamlProviderARNs = in.SamlProviderARNs
	return s, s.writeTo(pool)
}

// description is a pool as the service shows it. The three operations that answer with it have structs of
// the same members.
func description(p directory.IdentityPool, s settings) ci.DescribeIdentityPoolOutput {
	return ci.DescribeIdentityPoolOutput{
		IdentityPoolId:                 &p.ID,
		IdentityPoolName:               &p.Name,
		AllowUnauthenticatedIdentities: p.AllowUnauthenticated,
		AllowClassicFlow:               p.AllowClassic,
		DeveloperProviderName:          given(p.DeveloperProvider),
		SupportedLoginProviders:        s.SupportedLoginProviders,
		OpenIdConnectProviderARNs:      s.OpenIdConnectProviderARNs,
		CognitoIdentityProviders:       s.CognitoIdentityProviders,
		SamlProviderARNs:               s.SamlProviderARNs,
		IdentityPoolTags:               p.Tags,
	}
}
