package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/names"
)

// Names are the names under which a server answers and issues. In twin mode they are the clouds'; in hub
// mode everything lies under the public URL:
//
//	authority        PUBLIC                      https://login.microsoftonline.com
//	v2 issuer        PUBLIC/TENANT/v2.0          https://login.microsoftonline.com/TENANT/v2.0
//	v1 issuer        PUBLIC/TENANT/              https://sts.windows.net/TENANT/
//	Microsoft Graph  PUBLIC/graph                https://graph.microsoft.com
//	ARM              PUBLIC/arm                  https://management.azure.com
//	identity pools   PUBLIC/cognito-identity     https://cognito-identity.amazonaws.com
//	account tokens   PUBLIC/account-tokens/GUID  https://GUID.tokens.sts.global.api.aws
//	other issuers    PUBLIC/idp/NAME             whatever each is configured to be
//	AWS APIs         PUBLIC                      https://SERVICE.REGION.amazonaws.com
type Names struct {
	Authority     string
	Graph         string
	ARM           string
	CognitoIssuer string
}

// publicNames are Names and the hosts they live on.
type publicNames struct {
	Names
	hub        bool
	public     string   // the public URL without a slash at its end, "" in twin mode
	publicHost string   // host:port of it
	own        []string // host names and addresses that are the server itself, without ports
	hosts      []string // with ports, as clients see them
}

func namesOf(c config.Config) (publicNames, error) {
	n := publicNames{own: append([]string{}, c.TLS.Names...)}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return n, fmt.Errorf("listen: %w", err)
	}
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		n.own = append(n.own, host)
	}
	for _, h := range append([]string{"localhost", "127.0.0.1"}, n.own...) {
		if port != "0" {
			n.hosts = append(n.hosts, strings.ToLower(net.JoinHostPort(h, port)))
		}
	}
	n.Names = Names{
		Authority: "https://login.microsoftonline.com", Graph: "https://graph.microsoft.com", ARM: "https://management.azure.com",
		CognitoIssuer: "https://cognito-identity.amazonaws.com",
	}
	if !c.Hub() {
		return n, nil
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil {
		return n, fmt.Errorf("public_url: %w", err)
	}
	n.hub = true
	n.public = "https://" + strings.ToLower(u.Host)
	n.publicHost = withPort(u.Host)
	n.own = append(n.own, u.Hostname())
	n.hosts = append(n.hosts, strings.ToLower(u.Host))
	n.Names = Names{Authority: n.public, Graph: n.public + graphPrefix, ARM: n.public + armPrefix, CognitoIssuer: n.public + cognitoPrefix}
	return n, nil
}

// v1Issuer is iss of the tenant's v1 tokens.
func (n publicNames) v1Issuer(tenant string) string {
	if n.hub {
		return n.public + "/" + tenant + "/"
	}
	return "https://sts.windows.net/" + tenant + "/"
}

// v2Issuer is iss of the tenant's v2 tokens.
func (n publicNames) v2Issuer(tenant string) string { return n.Authority + "/" + tenant + "/v2.0" }

// tokenIssuer is iss of the tokens that STS signs for an account's principals.
func (n publicNames) tokenIssuer(guid string) string {
	if n.hub {
		return n.public + tokensPrefix + "/" + guid
	}
	return "https://" + guid + ".tokens.sts.global.api.aws"
}

// issuers is where issuers outside both clouds are by their names here: in a hub, whose own URL is public.
func (n publicNames) issuers() string {
	if !n.hub {
		return ""
	}
	return n.public + issuersPrefix
}

// isTokenIssuer reports whether an issuer is that of an account's tokens.
func (n publicNames) isTokenIssuer(issuer string) bool {
	if n.hub {
		return strings.HasPrefix(issuer, n.public+tokensPrefix+"/")
	}
	u, err := url.Parse(issuer)
	return err == nil && names.Of(u.Host) == names.AccountTokens
}

// isPublic reports whether a host, with the port of an https URL, is the public URL's.
func (n publicNames) isPublic(hostport string) bool {
	return n.publicHost != "" && withPort(hostport) == n.publicHost
}

// isOwn reports whether a host, with the port of an https URL, is this server's by configuration.
func (n publicNames) isOwn(hostport string) bool {
	h := withPort(hostport)
	return slices.ContainsFunc(n.hosts, func(own string) bool { return withPort(own) == h })
}

func withPort(hostport string) string {
	h := strings.ToLower(hostport)
	if _, _, err := net.SplitHostPort(h); err == nil {
		return h
	}
	return net.JoinHostPort(strings.Trim(h, "[]"), "443")
}

// answersItself reports whether an address is one of our own issuers', and not everybody else's. In a hub what
// lies beside an issuer of ours, on a host that others publish on, too, is not.
func (s *Server) answersItself(ctx context.Context, u *url.URL) (bool, error) {
	if s.answersCloud(u.Host) || s.names.isPublic(u.Host) {
		return true, nil
	}
	hosted, err := s.hostsIssuer(ctx, u.Host)
	return hosted && (!s.config.Hub() || s.idp.Answers(ctx, u)), err
}

// isOwnIssuer reports whether an issuer is one of our own. Of one that cannot be looked up nothing is known.
func (s *Server) isOwnIssuer(ctx context.Context, issuer string) bool {
	u, err := url.Parse(issuer)
	if err != nil {
		return false
	}
	own, err := s.answersItself(ctx, u)
	return own && err == nil
}

// issuerHandler answers the documents of our own issuers to ourselves: a token that we issued is verified
// like any other, by discovery, but without a network. It is nil for everybody else's. What cannot be looked
// up is not asked of whoever has its name elsewhere.
func (s *Server) issuerHandler(u *url.URL) http.Handler {
	own, err := s.answersItself(context.Background(), u)
	if err != nil {
		return http.HandlerFunc(unanswered)
	}
	if !own {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The request that asks is under way with an audit.Request of its own; this one is another.
		s.route(w, r.WithContext(audit.WithRequest(r.Context(), &audit.Request{ID: s.newID()})), s.placeOf(r))
	})
}

// unanswered stands in for a host of which it could not be found out whether it is one of ours.
func unanswered(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "treaty cannot tell whether it serves this host", http.StatusServiceUnavailable)
}

// realNow is the machine's time, for certificates.
func realNow() time.Time { return time.Now() }
