package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/idp"
	"github.com/treatyfed/treaty/server/names"
)

// ownSurface is the surface of the server itself: health, metrics, control.
const ownSurface names.Surface = "treaty"

// Prefixes under which a server answers on its own names, where hosts do not tell the surfaces apart.
const (
	cognitoPrefix = "/cognito-identity"
	graphPrefix   = "/graph"
	armPrefix     = "/arm"
	tokensPrefix  = "/account-tokens"
	issuersPrefix = "/idp"
	controlPrefix = "/_treaty/"
)

// place is where a request belongs: a surface, and the prefix of the path that is not its own.
type place struct {
	surface names.Surface
	prefix  string
}

// placeOf says where a request belongs. The name of an issuer outside both clouds decides alone, as a
// cloud's does. Where no name can be looked up no cloud answers in its place: issuers say that something is
// wrong, and what asks for the server's health learns of it still.
func (s *Server) placeOf(r *http.Request) place {
	surface, prefix := surfaceOf(r, !s.config.Hub())
	if !s.answersCloud(r.Host) {
		if hosted, err := s.hostsIssuer(r.Context(), r.Host); hosted || err != nil && surface != ownSurface {
			return place{surface: names.Issuers}
		}
	}
	return place{surface, prefix}
}

// answersIssuer is hostsIssuer for those who have no request.
func (s *Server) answersIssuer(hostport string) (bool, error) {
	return s.hostsIssuer(context.Background(), hostport)
}

// hostsIssuer reports whether an issuer answers at a host under its own name. The server's own names and
// loopback are no issuer's, whatever its URL says: there issuers are below a prefix. Who would connect to the
// host if none does must not after an error, which is logged here.
func (s *Server) hostsIssuer(ctx context.Context, hostport string) (bool, error) {
	host := idp.PlaceHost(hostport)
	if host == "" || names.Loopback(host) || s.names.isOwn(host) || s.names.isPublic(host) {
		return false, nil
	}
	found, err := s.store.Issuers.Hosts(ctx, host)
	if err != nil {
		s.log.Error("look for issuers at a host", "err", err)
	}
	return found, err
}

// surfaceOf says which surface answers a request and which prefix of the path is not its own. A cloud's
// name decides alone, but only in twin mode; on any other name the request's shape does.
func surfaceOf(r *http.Request, twin bool) (s names.Surface, prefix string) {
	if twin {
		if s := names.Of(r.Host); s != names.None {
			return s, ""
		}
	}
	path := r.URL.Path
	switch {
	case path == "/healthz", path == "/readyz", path == "/metrics", strings.HasPrefix(path, controlPrefix):
		return ownSurface, ""
	case path == "/" && r.Method == http.MethodGet && r.URL.RawQuery == "" && !signedForAWS(r):
		return ownSurface, "" // a browser
	case signedFor(r, "s3"):
		return names.S3, ""
	case signedFor(r, "dynamodb"):
		return names.DynamoDB, ""
	case path == "/", path == "", signedForAWS(r):
		return names.AWS, ""
	}
	first, _, _ := strings.Cut(strings.ToLower(path[1:]), "/")
	switch first {
	case "v1.0", "beta":
		return names.Graph, ""
	case "subscriptions", "providers", "tenants", "metadata":
		return names.ResourceManager, ""
	case graphPrefix[1:]:
		return names.Graph, path[:len(graphPrefix)]
	case armPrefix[1:]:
		return names.ResourceManager, path[:len(armPrefix)]
	case cognitoPrefix[1:]:
		return names.CognitoDiscovery, path[:len(cognitoPrefix)]
	case tokensPrefix[1:]:
		return names.AccountTokens, path[:len(tokensPrefix)]
	case issuersPrefix[1:]:
		return names.IssuersByName, path[:len(issuersPrefix)]
	}
	return names.Authority, ""
}

// signedForAWS tells the shapes that only AWS's protocols have: a target, a SigV4 signature in header or
// query, or an Action.
func signedForAWS(r *http.Request) bool {
	if r.Header.Get("X-Amz-Target") != "" || strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-") {
		return true
	}
	q := r.URL.RawQuery
	return strings.Contains(q, "X-Amz-Signature=") || strings.HasPrefix(q, "Action=") || strings.Contains(q, "&Action=")
}

// signedFor tells a SigV4 signature for a service by its credential scope (KEY/DATE/REGION/SERVICE/…), or
// DynamoDB by its target, whose calls are signed but may come with a scope that is wrong.
func signedFor(r *http.Request, service string) bool {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return service == "dynamodb" && strings.HasPrefix(target, "DynamoDB")
	}
	_, scope, found := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !found && strings.Contains(r.URL.RawQuery, "X-Amz-Credential=") {
		scope = r.URL.Query().Get("X-Amz-Credential")
	}
	parts := strings.SplitN(scope, "/", 5)
	return len(parts) == 5 && parts[3] == service
}

// gated is route while no reset runs. The server's own surface is not held up: it carries out the reset. Nor
// is S3, whose bodies may take hours: a bucket that is emptied meanwhile is gone, as by DeleteBucket.
func (s *Server) gated(w http.ResponseWriter, r *http.Request, at place) {
	if at.surface != ownSurface && at.surface != names.S3 {
		s.gate.RLock()
		defer s.gate.RUnlock()
	}
	s.route(w, r, at)
}

// route hands a request to its surface, without the prefix.
func (s *Server) route(w http.ResponseWriter, r *http.Request, at place) {
	surface, prefix := at.surface, at.prefix
	h := s.surfaces[surface]
	if h == nil {
		http.NotFound(w, r)
		return
	}
	req := audit.RequestOf(r.Context())
	req.Surface = string(surface) // until the surface says it better
	if surface == names.CognitoDiscovery {
		req.Surface, req.Operation = "cognito-identity", "discovery"
	}
	if prefix != "" {
		h = http.StripPrefix(prefix, h)
	}
	if s.config.Hub() && surface != names.AWS && surface != names.S3 && surface != names.DynamoDB && surface != names.Issuers && !s.names.isOwn(r.Host) && !s.up.is(r.Host) {
		// Documents name endpoints by the host asked: a hub's name its own, whatever a client or a proxy
		// before us wrote into Host. AWS's signatures cover the header, so there it stays.
		r = r.WithContext(r.Context())
		r.Host = strings.TrimPrefix(s.names.public, "https://")
	}
	h.ServeHTTP(w, r)
}
