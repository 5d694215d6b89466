package oauth

import (
	"context"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/entra/aadsts"
)

// grant is one grant type, as the steps in which it differs from the others. Finding the client, its
// authentication, finding the resource, signing, audit and the answer are the endpoint's.
type grant struct {
	name         string
	confidential bool // the client must present a credential
	shared       bool // may be redeemed at /organizations, without naming a tenant

	// resource names the resource that the request is for.
	resource func(c *call) (string, error)
	// claims says what the access token states.
	claims func(ctx context.Context, s *Service, c *call) (token.Claims, error)
}

// grants are those that the endpoint redeems; every other grant type is unsupported.
var grants = []grant{clientCredentials}

func grantNamed(name string) (grant, bool) {
	i := slices.IndexFunc(grants, func(g grant) bool { return g.name == name })
	if i < 0 {
		return grant{}, false
	}
	return grants[i], true
}

// clientCredentials gives an application a token for itself (RFC 6749 section 4.4).
var clientCredentials = grant{
	name:         "client_credentials",
	confidential: true,
	resource:     applicationResource,
	claims:       applicationClaims,
}

// oidcScopes are ignored beside a resource: MSAL Go adds them to every request.
var oidcScopes = []string{"openid", "profile", "offline_access", "email"}

// applicationResource reads the resource of an application's request: `resource` on the v1 endpoint,
// else exactly one scope "{resource}/.default".
func applicationResource(c *call) (string, error) {
	if c.v1 {
		if r := c.form["resource"]; r != "" {
			return r, nil
		}
		if c.form["scope"] == "" {
			return "", aadsts.New(aadsts.ParameterMissing, "resource")
		}
	}
	scope := c.form["scope"]
	if scope == "" {
		return "", aadsts.New(aadsts.ParameterMissing, "scope")
	}
	resource := ""
	for s := range strings.FieldsSeq(scope) {
		if slices.Contains(oidcScopes, strings.ToLower(s)) {
			continue
		}
		r, isDefault := cutDefault(s)
		if !isDefault || r == "" || resource != "" {
			return "", aadsts.New(aadsts.ScopeNotDefault, scope)
		}
		resource = r
	}
	if resource == "" {
		return "", aadsts.New(aadsts.ScopeNotDefault, scope)
	}
	return resource, nil
}

// cutDefault takes "/.default" off a scope. "https://x//.default" names the resource "https://x/".
func cutDefault(scope string) (resource string, ok bool) {
	const suffix = "/.default"
	if len(scope) < len(suffix) || !strings.EqualFold(scope[len(scope)-len(suffix):], suffix) {
		return "", false
	}
	return scope[:len(scope)-len(suffix)], true
}
