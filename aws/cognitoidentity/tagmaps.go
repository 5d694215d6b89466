package cognitoidentity

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/token"
)

// maxClaimNames is the sum of the bytes of the claim names that one provider's map may use (developer
// guide, "Using attributes for access control").
const maxClaimNames = 460

// tagMaps sets and shows which claims of a provider's tokens become session tags.
type tagMaps struct{ finder }

func (t tagMaps) operations() []op.Operation {
	return []op.Operation{
		op.On(t.set, onPool(t.finder, func(in *ci.SetPrincipalTagAttributeMapInput) *string { return in.IdentityPoolId })),
		op.On(t.get, onPool(t.finder, func(in *ci.GetPrincipalTagAttributeMapInput) *string { return in.IdentityPoolId })),
	}
}

func (t tagMaps) set(ctx context.Context, in *ci.SetPrincipalTagAttributeMapInput) (*ci.SetPrincipalTagAttributeMapOutput, error) {
	pool, s, err := t.pool(ctx, *in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	provider, size := *in.IdentityProviderName, 0
	for _, claim := range in.PrincipalTags {
		size += len(claim)
	}
	if size > maxClaimNames {
		return nil, refusal(invalidParameter, fmt.Sprintf("The attribute names of %s are longer than %d bytes.", provider, maxClaimNames))
	}
	m := principalTagAttribute{UseDefaults: value(in.UseDefaults), Claims: in.PrincipalTags}
	if s.PrincipalTags == nil {
		s.PrincipalTags = map[string]principalTagAttribute{}
	}
	s.PrincipalTags[provider] = m
	if !m.UseDefaults && len(m.Claims) == 0 {
		delete(s.PrincipalTags, provider) // shown as it would be had it never been set
	}
	if len(s.PrincipalTags) > maxProviders {
		return nil, refusal(invalidParameter, fmt.Sprintf("An identity pool can map the attributes of at most %d providers.", maxProviders))
	}
	if err := s.writeTo(&pool); err != nil {
		return nil, err
	}
	if err := t.write(ctx, pool); err != nil {
		return nil, err
	}
	return new(ci.SetPrincipalTagAttributeMapOutput(m.description(pool.ID, provider))), nil
}

// get answers UseDefaults false and no tags for a provider whose map was never set.
func (t tagMaps) get(ctx context.Context, in *ci.GetPrincipalTagAttributeMapInput) (*ci.GetPrincipalTagAttributeMapOutput, error) {
	pool, s, err := t.pool(ctx, *in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	return new(s.PrincipalTags[*in.IdentityProviderName].description(pool.ID, *in.IdentityProviderName)), nil
}

func (m principalTagAttribute) description(pool, provider string) ci.GetPrincipalTagAttributeMapOutput {
	return ci.GetPrincipalTagAttributeMapOutput{
		IdentityPoolId: &pool, IdentityProviderName: &provider, PrincipalTags: m.Claims, UseDefaults: &m.UseDefaults,
	}
}

// tags takes the session tags out of a provider's claims. A tag whose claim is absent, or neither text nor
// number nor boolean, is left out.
func (m principalTagAttribute) tags(provider string, claims token.Claims) map[string]string {
	from := m.Claims
	if m.UseDefaults {
		from = defaultTags(provider)
	}
	out := map[string]string{}
	for tag, claim := range from {
		switch v := claims[claim].(type) {
		case string:
			out[tag] = v
		case json.Number:
			out[tag] = v.String()
		case bool, int64, float64:
			out[tag] = fmt.Sprint(v)
		}
	}
	return out
}

// defaultTags are the default maps (developer guide, "Using attributes for access control", table of
// default provider mappings).
func defaultTags(provider string) map[string]string {
	switch {
	case provider == "www.amazon.com":
		return map[string]string{"username": "user_id", "client": "aud"}
	case strings.Contains(provider, ":saml-provider/"):
		return map[string]string{
			"username": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
			"client":   "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
		}
	}
	return map[string]string{"username": "sub", "client": "aud"}
}
