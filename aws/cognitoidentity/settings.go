package cognitoidentity

import (
	"encoding/json"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// settings is the part of a pool that the core does not read, kept as JSON in IdentityPool.Settings under
// the service's own member names.
type settings struct {
	SupportedLoginProviders   map[string]string                `json:",omitempty"`
	OpenIdConnectProviderARNs []string                         `json:",omitempty"`
	CognitoIdentityProviders  []types.CognitoIdentityProvider  `json:",omitempty"`
	SamlProviderARNs          []string                         `json:",omitempty"`
	Roles                     map[string]string                `json:",omitempty"`
	RoleMappings              map[string]types.RoleMapping     `json:",omitempty"`
	PrincipalTags             map[string]principalTagAttribute `json:",omitempty"` // by provider
}

// principalTagAttribute says which claims of a provider's tokens become which session tags.
type principalTagAttribute struct {
	UseDefaults bool              `json:",omitempty"`
	Claims      map[string]string `json:",omitempty"` // tag key to claim name
}

func readSettings(p directory.IdentityPool) (s settings, err error) {
	if len(p.Settings) == 0 {
		return s, nil
	}
	return s, fault.Wrap(fault.Internal, "cognito-identity settings of "+p.ID, json.Unmarshal(p.Settings, &s))
}

func (s settings) writeTo(p *directory.IdentityPool) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fault.Wrap(fault.Internal, "cognito-identity settings of "+p.ID, err)
	}
	p.Settings = b
	return nil
}

// supports reports whether a Logins key names a public provider of the pool: a social name, a user pool
// (cognito-idp.REGION.amazonaws.com/POOL), an OIDC issuer without its scheme, or a SAML provider's ARN.
func (s settings) supports(provider string) bool {
	if _, ok := s.SupportedLoginProviders[provider]; ok {
		return true
	}
	for _, c := range s.CognitoIdentityProviders {
		if value(c.ProviderName) == provider {
			return true
		}
	}
	for _, a := range s.OpenIdConnectProviderARNs {
		if _, issuer, ok := iamResource(a, "oidc-provider"); ok && issuer == provider {
			return true
		}
	}
	return slices.Contains(s.SamlProviderARNs, provider)
}

// tagSource is the key under which a provider's principal tags are mapped: an OIDC provider goes by its
// ARN there, every other provider by its Logins key.
func (s settings) tagSource(provider string) string {
	for _, a := range s.OpenIdConnectProviderARNs {
		if _, issuer, ok := iamResource(a, "oidc-provider"); ok && issuer == provider {
			return a
		}
	}
	return provider
}

// value is what p points at, the zero value for nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// given is a pointer to s, nil for "": members that are not set are absent from the answer.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
