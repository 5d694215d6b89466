// Package oauth is Microsoft Entra's authority: instance discovery, the OpenID configuration and keys of a
// tenant, user realm, the token endpoint in its two versions, and the tokens of managed identities.
//
// It owns how a client is found and authenticated, which resource is meant, the claims of access tokens,
// whose keys sign for a tenant, and the bytes of every answer. Whether a federated assertion is accepted is
// core/trust's decision; signing keys are core/token's; error texts are aadsts'.
//
//	GET  /common/discovery/instance, /{tenant}/userrealm/{user}
//	GET  /{tenant}[/v2.0]/.well-known/openid-configuration, /{tenant}/discovery[/v2.0]/keys
//	POST /{tenant}/oauth2[/v2.0]/token
//
// A token request passes through: form, grant, tenant, client, credential, resource, roles, token, audit.
// A refusal at any step is one *aadsts.Error; what is decided is on record before it is answered.
package oauth

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
)

// Service answers as the authority. All fields are needed but Hosts, Log and the URLs of resources that
// are not served.
type Service struct {
	Tenants      directory.Tenants
	Applications directory.Applications
	Principals   directory.Principals
	Federated    directory.FederatedCredentials
	Assignments  directory.AppRoleAssignments
	Keys         token.Keys
	Verifier     token.Verifier     // of federated assertions: their issuers' keys, FederatedAlgorithms, leeway
	Sealer       *credential.Sealer // knows client secrets by their hash
	Audit        audit.Recorder

	V1Issuer  func(tenant string) string // https://sts.windows.net/{tenant}/
	V2Issuer  func(tenant string) string // https://login.microsoftonline.com/{tenant}/v2.0
	Authority string                     // https://login.microsoftonline.com
	GraphURL  string                     // https://graph.microsoft.com
	Hosts     []string                   // other names with their ports under which clients reach us

	Now  func() time.Time
	Rand io.Reader
	Log  *slog.Logger
}

// Handler serves every path of the package; others are not found.
func (s *Service) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// serve routes by path, in any case. The first segment is the tenant as the client names it.
func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	c := s.begin(r)
	segment, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	rest = strings.TrimSuffix(rest, "/")
	route := strings.ToLower(rest)
	c.segment = segment
	switch route {
	case "oauth2/v2.0/token":
		s.serveToken(w, r, c)
	case "oauth2/token":
		c.v1 = true
		s.serveToken(w, r, c)
	case "v2.0/.well-known/openid-configuration":
		s.read(w, r, c, "openid-configuration", s.configurationV2)
	case ".well-known/openid-configuration":
		c.v1 = true
		s.read(w, r, c, "openid-configuration", s.configurationV1)
	case "discovery/v2.0/keys":
		s.read(w, r, c, "keys", s.keys)
	case "discovery/keys":
		c.v1 = true
		s.read(w, r, c, "keys", s.keys)
	case "discovery/instance":
		s.read(w, r, c, "instance discovery", s.instances)
	case "oauth2/v2.0/devicecode", "oauth2/devicecode":
		s.refuse(w, c, aadstsUnsupportedGrant("device_code"))
	case "oauth2/v2.0/authorize", "oauth2/authorize":
		s.refusePage(w, r, c)
	default:
		if user, ok := strings.CutPrefix(route, "userrealm/"); ok && user != "" && !strings.Contains(user, "/") {
			w.Header().Set("Content-Disposition", "inline; filename=userrealm.json")
			s.read(w, r, c, "user realm", s.realm)
			return
		}
		s.headers(w.Header(), c)
		w.WriteHeader(http.StatusNotFound)
	}
}

// base is the scheme and host under which documents name our endpoints: those that the client asked.
// sts.windows.net issues but serves no one, so its documents name the authority.
func (s *Service) base(host string) string {
	if host == "" || strings.EqualFold(host, "sts.windows.net") || strings.EqualFold(host, hostOf(s.Authority)) {
		return s.Authority
	}
	return "https://" + strings.ToLower(host)
}

// hostOf gives the host and port of a URL, "" if it is none.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}
