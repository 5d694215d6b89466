package oauth

import (
	"context"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/entra/aadsts"
)

// grant is one grant type, as the steps in which it differs from the others. Finding the client, its
// authentication, finding the resource, signing, audit and the answer are the endpoint's. The hooks run
// only when the client has proved itself.
type grant struct {
	name         string
	confidential bool // even a public client must present a credential; others must always
	shared       bool // may be redeemed at /organizations, without naming a tenant

	// needs are the parameters that the request must have, whoever asks. At the v1 endpoint resource
	// stands for scope.
	needs []string

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
	needs:        []string{"scope"},
	resource:     applicationResource,
	claims:       applicationClaims,
}

// oidcScopes are ignored beside a resource: MSAL Go adds them to every request.
var oidcScopes = []string{"openid", "profile", "offline_access", "email"}

// applicationResource reads the resource of an application's request: `resource` on the v1 endpoint,
// else exactly one scope "{resource}/.default".
func applicationResource(c *call) (string, error) {
	if r := c.form["resource"]; r != "" && c.v1 {
		return r, nil
	}
	scope := c.form["scope"]
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

// complete checks that a request has the parameters that its grant needs.
func (c *call) complete(g grant) error {
	for _, name := range g.needs {
		if c.form[name] != "" {
			continue
		}
		if name == "scope" && c.v1 {
			if name = "resource"; c.form[name] != "" {
				continue
			}
		}
		return aadsts.New(aadsts.ParameterMissing, name)
	}
	return nil
}

// wanted is the resource that the request is for, as far as it has been read.
func (c *call) wanted() string {
	if c.resource.asked != "" {
		return c.resource.asked
	}
	if r := c.form["resource"]; r != "" && c.v1 {
		return r
	}
	if r, isDefault := cutDefault(c.form["scope"]); isDefault {
		return r
	}
	return c.form["scope"]
}

// cutDefault takes "/.default" off a scope. "https://x//.default" names the resource "https://x/".
func cutDefault(scope string) (resource string, ok bool) {
	const suffix = "/.default"
	if len(scope) < len(suffix) || !strings.EqualFold(scope[len(scope)-len(suffix):], suffix) {
		return "", false
	}
	return scope[:len(scope)-len(suffix)], true
}
