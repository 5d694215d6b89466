package oauth

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/entra/aadsts"
)

type network struct {
	Preferred string   `json:"preferred_network"`
	Cache     string   `json:"preferred_cache"`
	Aliases   []string `json:"aliases"`
}

type instanceDocument struct {
	Discovery  string    `json:"tenant_discovery_endpoint"`
	APIVersion string    `json:"api-version,omitempty"`
	Metadata   []network `json:"metadata,omitempty"`
}

// clouds is the metadata that the public authority publishes.
var clouds = []network{
	{"login.microsoftonline.com", "login.windows.net", []string{"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"}},
	{"login.partner.microsoftonline.cn", "login.partner.microsoftonline.cn", []string{"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"}},
	{"login.microsoftonline.de", "login.microsoftonline.de", []string{"login.microsoftonline.de"}},
	{"login.microsoftonline.us", "login.microsoftonline.us", []string{"login.microsoftonline.us", "login.usgovcloudapi.net"}},
	{"login-us.microsoftonline.com", "login-us.microsoftonline.com", []string{"login-us.microsoftonline.com"}},
}

// instances answers whether an authority's host is one that this authority vouches for. Our own names
// come first and carry their ports, because MSAL JS rewrites the authority to preferred_network.
func (s *Service) instances(_ context.Context, r *http.Request, _ *call) ([]byte, error) {
	q := r.URL.Query()
	asked := q.Get("authorization_endpoint")
	if asked == "" {
		return nil, aadsts.New(aadsts.ParameterMissing, "authorization_endpoint")
	}
	u, err := url.Parse(asked)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, aadsts.New(aadsts.UnknownInstance)
	}
	host := strings.ToLower(u.Host)
	own := s.ownHosts(r.Host)
	metadata := clouds
	switch {
	case slices.ContainsFunc(clouds, func(n network) bool { return slices.Contains(n.Aliases, host) }):
	case slices.Contains(own, host):
		mine := network{host, host, append([]string{host}, slices.DeleteFunc(own, func(h string) bool { return h == host })...)}
		metadata = append([]network{mine}, clouds...)
	default:
		return nil, aadsts.New(aadsts.UnknownInstance)
	}
	segment, rest, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if segment == "" {
		segment = common
	}
	doc := instanceDocument{Discovery: "https://" + host + "/" + url.PathEscape(segment)}
	if strings.Contains(strings.ToLower(rest), "v2.0") {
		doc.Discovery += "/v2.0"
	}
	doc.Discovery += "/.well-known/openid-configuration"
	if q.Get("api-version") != "1.0" {
		doc.APIVersion, doc.Metadata = "1.1", metadata
	}
	return encode(doc)
}

// ownHosts lists the names, with ports, that are ours and no cloud's: the one asked, the authority's and
// the configured ones.
func (s *Service) ownHosts(asked string) []string {
	var own []string
	for _, h := range append([]string{asked, hostOf(s.Authority)}, s.Hosts...) {
		h = strings.ToLower(h)
		foreign := slices.ContainsFunc(clouds, func(n network) bool { return slices.Contains(n.Aliases, h) })
		if h != "" && !foreign && !slices.Contains(own, h) {
			own = append(own, h)
		}
	}
	return own
}
