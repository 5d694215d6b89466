package idp

import (
	"fmt"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

// spiffePreset makes JWT-SVIDs ("The SPIFFE JWT-SVID Specification") and publishes keys as SPIRE's OIDC
// discovery provider does. SPIRE hands SVIDs out by its Workload API, which is not HTTP: here a workload
// asks the token endpoint, which the discovery document does not name, or an administrator mints. A client
// is a workload, with the attribute spiffe_id, or trust_domain and path.
func spiffePreset() preset {
	return preset{
		discovery: []string{openIDPath},
		keys:      "/keys",
		token:     "/token",
		algorithm: jose.ES256,
		lifetime:  5 * time.Minute, // SPIRE's default_jwt_svid_ttl
		claims: map[string]string{
			"sub": `client.attributes.spiffe_id`,
			"aud": `dyn(request.targets)`,
		},
		tokenID: func([]byte) string { return "" },
		derive:  spiffeWorkload,
		admit:   admitSVID,
		amend: func(d *discovery, _ directory.Issuer, _ string) {
			none := ""
			d.Authorization, d.SubjectTypes = &none, []string{}
			d.TokenEndpoint, d.GrantTypes, d.AuthMethods, d.AuthAlgorithms, d.Claims = "", nil, nil, nil, nil
		},
	}
}

// spiffeWorkload composes the SPIFFE ID of a workload that has none. Parameters do not count: clients send
// them.
func spiffeWorkload(_ directory.Issuer, c directory.IssuerClient, _ map[string]any) map[string]any {
	a := attributesOf(c, nil)
	if domain, path := textOf(a, "trust_domain"), textOf(a, "path"); domain != "" {
		setDefault(a, "spiffe_id", "spiffe://"+domain+path)
	}
	return a
}

// admitSVID refuses what is no JWT-SVID (JWT-SVID sections 3.1 to 3.3): sub is a SPIFFE ID, aud has a value.
func admitSVID(c token.Claims) error {
	refused := func(format string, args ...any) error {
		return fault.New(fault.Invalid, "issue JWT-SVID", fmt.Sprintf(format, args...))
	}
	if sub := c.Text("sub"); sub == "" {
		return refused("there is no sub, which must be a SPIFFE ID")
	} else if why := refuseSPIFFE(sub); why != "" {
		return refused("sub %s is no SPIFFE ID: %s", evidence.ClipTo(sub, 128), why)
	}
	if len(c.Texts("aud")) == 0 {
		return refused("there is no audience: ask for one")
	}
	return nil
}

// Bounds of a SPIFFE ID (SPIFFE-ID section 2.3).
const (
	maxSPIFFE      = 2048
	maxTrustDomain = 255
)

// refuseSPIFFE says why a text is no SPIFFE ID (SPIFFE-ID section 2), "" when it is one.
func refuseSPIFFE(id string) string {
	if len(id) > maxSPIFFE {
		return "it is longer than 2048 bytes"
	}
	rest, scheme := strings.CutPrefix(id, "spiffe://")
	if !scheme {
		return "it does not begin with spiffe://"
	}
	domain, path, hasPath := strings.Cut(rest, "/")
	switch {
	case domain == "":
		return "it has no trust domain"
	case len(domain) > maxTrustDomain:
		return "its trust domain is longer than 255 bytes"
	case !plainSegment(domain) || strings.ToLower(domain) != domain:
		return "its trust domain has other characters than lower-case letters, digits, dots, hyphens and underscores"
	case !hasPath:
		return ""
	}
	for segment := range strings.SplitSeq(path, "/") {
		switch {
		case segment == "":
			return "its path has an empty segment or ends in a slash"
		case segment == "." || segment == "..":
			return "its path has a segment of dots"
		case !plainSegment(segment):
			return "its path has other characters than letters, digits, dots, hyphens and underscores"
		}
	}
	return ""
}

func plainSegment(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_", r)
	})
}
