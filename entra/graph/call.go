package graph

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/rest"
)

// call is one authenticated request.
type call struct {
	tenant    directory.Tenant
	objectID  string // of the caller: its service principal, or the user
	appID     string // of the client application
	roles     []string
	scopes    []string
	delegated bool // on behalf of a user

	version string // "v1.0" or "beta"
	path    string // as it was asked, for nextLink
	params  url.Values
	header  http.Header

	metadata string // how much control information the answer is to have
}

func (c *call) beta() bool { return c.version == "beta" }

// withoutTenant drops the segment behind the version of a normalised path, if it names the caller's own
// tenant: by its id, by one of its verified domains or as "myorganization", as Azure AD Graph had it and
// Microsoft Graph still takes it. Another tenant's stays, and is an unknown segment like any other.
func (c *call) withoutTenant(path string) string {
	version, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	segment, rest, more := strings.Cut(rest, "/")
	name, err := url.PathUnescape(segment)
	if err != nil || !strings.EqualFold(name, c.tenant.ID) && !strings.EqualFold(name, "myorganization") && !containsFold(c.tenant.Domains, name) {
		return path
	}
	if !more {
		return "/" + version
	}
	return "/" + version + "/" + rest
}

// prefers reports whether the Prefer header holds a preference (RFC 7240).
func (c *call) prefers(preference string) bool {
	for _, v := range c.header.Values("Prefer") {
		for p := range strings.SplitSeq(v, ",") {
			name, _, _ := strings.Cut(p, ";")
			if strings.EqualFold(strings.TrimSpace(name), preference) {
				return true
			}
		}
	}
	return false
}

type callKey struct{}

func withCall(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// route makes a route of a handler under /{version}. operation is what audit and log call it.
func route[In any](s *Service, method, path, operation string, h func(context.Context, *call, *In) (*answer, error)) rest.Route {
	return rest.Do(method+" /{version}/"+path, http.StatusOK, func(ctx context.Context, in *In) (*answer, error) {
		audit.RequestOf(ctx).Operation = operation
		c, _ := ctx.Value(callKey{}).(*call)
		if c == nil {
			return nil, fault.New(fault.Internal, "graph "+operation, "the request was not authenticated")
		}
		a, err := h(ctx, c, in)
		if a != nil {
			c.dress(a)
		}
		return a, err
	})
}

// Well-known application id of Microsoft Graph (learn.microsoft.com, "Verify first-party Microsoft
// applications in sign-in reports").
const graphAppID = "00000003-0000-0000-c000-000000000000"

func emptyToken() *failure { return unauthenticated("Access token is empty.") }

// authenticate checks the bearer token: well formed, of a tenant known here and of one of its two
// issuers, signed by us, within its lifetime, and meant for Graph.
func (s *Service) authenticate(r *http.Request) (*call, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return nil, emptyToken()
	}
	scheme, raw, _ := strings.Cut(strings.TrimSpace(values[0]), " ")
	raw = strings.TrimSpace(raw)
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return nil, emptyToken()
	}
	if !strings.Contains(raw, ".") {
		return nil, unauthenticated("IDX14100: JWT is not well formed, there are no dots (.).\nThe token needs to be in JWS or JWE Compact Serialization Format. (JWS): 'EncodedHeader.EncodedPayload.EncodedSignature'. (JWE): 'EncodedProtectedHeader.EncodedEncryptedKey.EncodedInitializationVector.EncodedCiphertext.EncodedAuthenticationTag'.")
	}
	p := token.Read(raw)
	if !p.Parsed.OK() {
		return nil, unauthenticated("CompactToken parsing failed with error code: 80049217")
	}
	ctx := r.Context()
	tenant, issuer, err := s.issuer(ctx, p.Claims)
	if err != nil {
		return nil, err
	}
	claims, report, err := s.Tokens.Verify(ctx, raw, issuer)
	if err != nil {
		return nil, rejected(report, err)
	}
	if !s.forGraph(claims.Texts("aud")) {
		return nil, unauthenticated("Access token validation failure. Invalid audience.")
	}
	c := &call{
		tenant: tenant, objectID: claims.Text("oid"), appID: claims.Text("appid"), roles: claims.Texts("roles"),
		scopes: strings.Fields(claims.Text("scp")), delegated: claims.Has("scp"),
	}
	if c.appID == "" {
		c.appID = claims.Text("azp")
	}
	if c.delegated {
		c.roles = nil // a user's roles in the client are no permissions of the client
	}
	audit.RequestOf(ctx).Caller = c.objectID
	return c, s.known(ctx, c)
}

// issuer finds the tenant that the token names and the issuer that a token of this tenant must have.
func (s *Service) issuer(ctx context.Context, claims token.Claims) (directory.Tenant, string, error) {
	tid := claims.Text("tid")
	tenant, err := s.Tenants.Tenant(ctx, tid)
	switch {
	case err != nil && fault.KindOf(err) != fault.NotFound:
		return tenant, "", err
	case err != nil || tid == "" || tenant.ID != tid:
		return tenant, "", unauthenticated("Access token validation failure. Invalid issuer.")
	}
	for _, issuer := range []string{s.V1Issuer(tid), s.V2Issuer(tid)} {
		if claims.Text("iss") == issuer {
			return tenant, issuer, nil
		}
	}
	return tenant, "", unauthenticated("Access token validation failure. Invalid issuer.")
}

// rejected chooses the text for the first check that failed.
func rejected(report token.Report, err error) error {
	first, _ := report.Checks.First()
	switch first.Name {
	case token.CheckKeys:
		return err // our own keys could not be read
	case token.CheckKey:
		return unauthenticated("Signing key is invalid.")
	case token.CheckExpiry:
		return unauthenticated("Lifetime validation failed, the token is expired.")
	case token.CheckNotBefore, token.CheckIssuedAt:
		return unauthenticated("Lifetime validation failed, the token is not yet valid.")
	case token.CheckSignature:
		return unauthenticated("Access token validation failure. Invalid signature.")
	}
	return unauthenticated("Access token validation failure.")
}

// forGraph reports whether one of the audiences is Graph, in any of the forms that tokens carry it in.
func (s *Service) forGraph(audiences []string) bool {
	for _, aud := range audiences {
		aud = strings.TrimSuffix(aud, "/") // one, not more: these two names are Graph's own, others anyone may take
		if aud == graphAppID || aud == "https://graph.microsoft.com" || s.GraphURL != "" && aud == strings.TrimRight(s.GraphURL, "/") {
			return true
		}
	}
	return false
}

// known refuses an application whose service principal is gone or switched off: its token outlives it.
func (s *Service) known(ctx context.Context, c *call) error {
	if c.delegated {
		return nil
	}
	sp, err := s.Principals.Principal(ctx, c.tenant.ID, c.objectID)
	switch {
	case err == nil && sp.Enabled && sp.AppID == c.appID:
		return nil
	case err != nil && fault.KindOf(err) != fault.NotFound:
		return err
	}
	return &failure{Status: http.StatusUnauthorized, Code: "Authorization_IdentityNotFound", Message: "The identity of the calling application could not be established."}
}
