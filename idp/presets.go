package idp

import (
	"encoding/base64"
	"net/http"
	"slices"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
)

// preset is what an issuer takes from the product that it imitates: where it answers, what it publishes,
// the look of its tokens, and the rules that hold where neither issuer nor client has its own.
type preset struct {
	discovery []string // paths of the discovery document, below the issuer's URL
	keys      string   // path of the key set, below the issuer's URL
	token     string   // path of the token endpoint, below the issuer's URL; "" for a product that has none

	algorithm string            // of issuers that name none; "" is RS256
	lifetime  time.Duration     // of issuers that name none; 0 is an hour
	claims    map[string]string // claim to CEL expression

	untyped   bool                       // no typ in the header of tokens
	kidFirst  bool                       // kid is the header's first member
	nbf       bool                       // tokens have nbf
	backdated time.Duration              // by how much nbf lies before iat
	tokenID   func(random []byte) string // jti from 32 random bytes, "" for none; nil is 22 characters of base64url

	certified bool   // keys have certificates, which the key set holds and x5t of RSA-signed tokens names
	keysType  string // media type of the key set; "" is application/json

	scopeNeeded   bool   // a client credentials request must name a scope
	requestHeader string // header of the answer that names the request; "" is X-Request-Id

	// elsewhere lists the places where an issuer answers beside its URL. It sees an issuer that may be wrong
	// in every way, but for its name and URL, which are right.
	elsewhere func(i directory.Issuer) []directory.Place
	// derive gives the attributes that rules see as client.attributes: the client's own, and what the product
	// would know besides. Parameters may count as attributes only where the preset has no token endpoint.
	derive func(i directory.Issuer, c directory.IssuerClient, parameters map[string]any) map[string]any
	// admit says why claims cannot be those of a token of the product, as a fault.Invalid.
	admit func(claims token.Claims) error
	// amend changes the discovery document before it is written. base is the URL, without a slash at its end,
	// under which its endpoints are: the issuer's own, or that of its name at this server.
	amend func(d *discovery, i directory.Issuer, base string)
	// serve answers what only this product has, and says whether it did; what it leaves is answered as for
	// every issuer. path is what follows the issuer's URL, or its name, such as "/v1/token" ("" for the URL
	// itself). When the issuer was asked at a place that elsewhere lists, path is two slashes, the host and
	// the whole path: "//www.googleapis.com/oauth2/v3/certs".
	serve func(s *Service, w http.ResponseWriter, r *http.Request, i directory.Issuer, path string) bool
}

// endpoints are the paths that every request finds below the issuer's URL.
func (p preset) endpoints() []string {
	out := append(slices.Clone(p.discovery), p.keys)
	if p.token != "" {
		out = append(out, p.token)
	}
	return out
}

// Presets are the names of the presets, "generic" also being "".
var Presets = []string{"generic", "pingfederate", "okta", "github", "gitlab", "kubernetes", "google", "spiffe"}

// presetNamed finds a preset. It is a switch and not a table, because presets know functions that look
// presets up.
func presetNamed(name string) (preset, bool) {
	switch name {
	case "", "generic":
		return genericPreset(), true
	case "pingfederate":
		return pingFederatePreset(), true
	case "okta":
		return oktaPreset(), true
	case "github":
		return githubPreset(), true
	case "gitlab":
		return gitlabPreset(), true
	case "kubernetes":
		return kubernetesPreset(), true
	case "google":
		return googlePreset(), true
	case "spiffe":
		return spiffePreset(), true
	}
	return preset{}, false
}

// Paths that several products share: OpenID Connect Discovery 1.0 section 4 and RFC 8414 section 3.
const (
	openIDPath = "/.well-known/openid-configuration"
	oauthPath  = "/.well-known/oauth-authorization-server"
)

// Rules that several presets share. An exchanged token keeps the subject; the audience is what was asked for.
const (
	subjectRule  = `has(subject.sub) ? subject.sub : client.id`
	audienceRule = `size(request.targets) == 0 ? dyn(issuer) : size(request.targets) == 1 ? request.targets[0] : dyn(request.targets)`
	scopeRule    = `request.scope == "" ? null : request.scope`
)

// genericPreset is an issuer as the RFCs have it; its tokens resemble those of RFC 9068.
func genericPreset() preset {
	return preset{
		discovery: []string{openIDPath, oauthPath},
		keys:      "/jwks",
		token:     "/token",
		claims:    map[string]string{"sub": subjectRule, "aud": audienceRule, "client_id": `client.id`, "scope": scopeRule},
	}
}

// pingFederatePreset follows the PingFederate server guide: "OpenID Provider configuration endpoint" for
// the paths, "Configuring JSON token management" for the claims. Subject and audience there come from
// attribute mappings and have no default; here they are as everywhere. Tokens live two hours.
func pingFederatePreset() preset {
	return preset{
		discovery: []string{openIDPath, oauthPath},
		keys:      "/pf/JWKS",
		token:     "/as/token.oauth2",
		lifetime:  2 * time.Hour,
		claims:    map[string]string{"sub": subjectRule, "aud": audienceRule, "client_id": `client.id`, "scope": scopeRule},
		untyped:   true,
	}
}

// oktaPreset follows Okta's reference "OpenID Connect & OAuth 2.0 API", for custom authorization servers
// ({domain}/oauth2/{id}) as well as for the org's own, whose issuer is the domain alone.
func oktaPreset() preset {
	return preset{
		discovery: []string{openIDPath, oauthPath},
		keys:      "/v1/keys",
		token:     "/v1/token",
		claims: map[string]string{
			"ver": `1`, "sub": subjectRule, "cid": `client.id`,
			"aud": audienceRule,
			"scp": `size(request.scopes) == 0 ? null : request.scopes`,
		},
		untyped:       true,
		kidFirst:      true,
		tokenID:       func(random []byte) string { return "AT." + base64.RawURLEncoding.EncodeToString(random) },
		scopeNeeded:   true,
		requestHeader: "X-Okta-Request-Id",
	}
}

// presetOf is the preset of an issuer as it is for its URL: an Okta org's own authorization server, whose
// issuer has no path, has its endpoints below /oauth2/v1.
func presetOf(i directory.Issuer) preset {
	p, known := presetNamed(i.Preset)
	if !known { // Complete let it pass once, so an older server wrote it
		p = genericPreset()
	}
	if i.Preset == "okta" && ownPlace(i).Path == "" {
		p.keys, p.token = "/oauth2"+p.keys, "/oauth2"+p.token
	}
	return p
}
