package idp

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/evidence"
	wire "github.com/treatyfed/treaty/wire/oauth"
)

// grant is one grant type, as the step in which it differs from the others: what the token is made from.
// The client and its authentication, rules, signing, audit and the answer are the endpoint's.
type grant struct {
	name  string
	short string // in the audit
	mint  func(s *Service, ctx context.Context, c *call) (Mint, error)
}

// The grants: RFC 6749 section 4.4, RFC 8693, RFC 7523 section 2.1.
var (
	clientCredentials = grant{"client_credentials", "client_credentials", (*Service).forClient}
	tokenExchange     = grant{"urn:ietf:params:oauth:grant-type:token-exchange", "token-exchange", (*Service).forExchange}
	jwtBearer         = grant{"urn:ietf:params:oauth:grant-type:jwt-bearer", "jwt-bearer", (*Service).forAssertion}
)

func grantNamed(name string) (grant, bool) {
	for _, g := range [...]grant{clientCredentials, tokenExchange, jwtBearer} {
		if g.name == name {
			return g, true
		}
	}
	return grant{}, false
}

// mayUse reports whether the client may use a grant; a client without a list may use the first one.
func (c *call) mayUse(g grant) bool {
	if len(c.client.Grants) == 0 {
		return g.name == clientCredentials.name
	}
	return slices.Contains(c.client.Grants, g.name)
}

// Bounds of what a token may be asked for.
const (
	maxTargets = 16
	maxTarget  = 1024 // bytes
	maxScopes  = 100
	maxScope   = 4096 // bytes of all
)

// spent are parameters that rules do not see: they are credentials, or have a place of their own.
var spent = []string{"client_id", "client_secret", "client_assertion", "client_assertion_type", "grant_type", "scope",
	"subject_token", "actor_token", "assertion", "password", "code", "code_verifier", "refresh_token"}

// want reads what every grant has: scope, audience, resource and any further parameters.
func (c *call) want() (Mint, error) {
	m := Mint{Client: c.client.ID, Audience: c.repeated["audience"], Resource: c.repeated["resource"], grant: c.grant.name}
	if len(m.Audience)+len(m.Resource) > maxTargets {
		return m, refuse(invalidTarget, "the request names too many audiences and resources")
	}
	for _, a := range m.Audience {
		if len(a) > maxTarget {
			return m, refuse(invalidTarget, "an audience is too long")
		}
	}
	for _, r := range m.Resource { // RFC 8707 section 2: absolute, without a fragment
		if u, err := url.Parse(r); len(r) > maxTarget || err != nil || !u.IsAbs() || strings.Contains(r, "#") {
			return m, refuse(invalidTarget, "resource must be an absolute URI without a fragment, not "+evidence.ClipTo(r, 128))
		}
	}
	scopes := strings.Split(c.form["scope"], " ")
	scopes = slices.DeleteFunc(scopes, func(s string) bool { return s == "" })
	if len(scopes) > maxScopes || len(c.form["scope"]) > maxScope {
		return m, refuse(invalidScope, "the request names too many scopes")
	}
	for _, s := range scopes {
		if strings.ContainsFunc(s, notInScope) {
			return m, refuse(invalidScope, "a scope has a character that no scope may have (RFC 6749 section 3.3): "+evidence.ClipTo(s, 128))
		}
	}
	m.Scope = strings.Join(scopes, " ")
	m.Parameters = parameters(c.form)
	return m, nil
}

func notInScope(r rune) bool { return r < '!' || r > '~' || r == '"' || r == '\\' }

func parameters(form wire.Form) map[string]any {
	rest := maps.Clone(form)
	for _, name := range spent {
		delete(rest, name)
	}
	out := make(map[string]any, len(rest))
	for name, v := range rest {
		out[name] = v
	}
	return out
}

// forClient gives a client a token for itself.
func (s *Service) forClient(_ context.Context, c *call) (Mint, error) {
	m, err := c.want()
	if err == nil && m.Scope == "" && c.preset.scopeNeeded {
		err = refuse(invalidScope, "scope is missing, and the issuer has no default scopes")
	}
	return m, err
}
