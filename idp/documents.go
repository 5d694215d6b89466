package idp

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/wire/jose"
)

// defaultAlgorithm is what OpenID Connect Core 1.0 section 15.1 wants everybody to know.
const defaultAlgorithm = jose.RS256

// TokenAlgorithms are those that issuers sign with.
var TokenAlgorithms = []string{jose.RS256, jose.RS512, jose.ES256, jose.PS256}

// discovery is the document of OpenID Connect Discovery 1.0 section 3, in the order of most issuers. There
// is no authorization endpoint here: no person signs in.
type discovery struct {
	Issuer         string   `json:"issuer"`
	TokenEndpoint  string   `json:"token_endpoint,omitempty"`
	JWKSURI        string   `json:"jwks_uri"`
	Authorization  *string  `json:"authorization_endpoint,omitempty"` // "" in SPIRE's
	ResponseTypes  []string `json:"response_types_supported"`
	SubjectTypes   []string `json:"subject_types_supported"`
	Algorithms     []string `json:"id_token_signing_alg_values_supported"`
	GrantTypes     []string `json:"grant_types_supported,omitempty"`
	AuthMethods    []string `json:"token_endpoint_auth_methods_supported,omitempty"`
	AuthAlgorithms []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	Scopes         []string `json:"scopes_supported,omitempty"`
	Claims         []string `json:"claims_supported,omitempty"`
}

// describe makes the discovery document of an issuer whose endpoints are below base.
func describe(a asked) discovery {
	d := discovery{
		Issuer:        a.issuer.URL,
		JWKSURI:       a.base + a.preset.keys,
		ResponseTypes: []string{"id_token"},
		SubjectTypes:  []string{"public"},
		Algorithms:    algorithms(a.issuer),
		Claims:        claimNames(a),
	}
	if a.preset.token != "" {
		d.TokenEndpoint = a.base + a.preset.token
		d.GrantTypes = offeredGrants(a.issuer)
		d.AuthMethods = []string{bySecretBasic, bySecretPost, byPrivateKey}
		d.AuthAlgorithms = clientAlgorithms
	}
	if a.preset.amend != nil {
		a.preset.amend(&d, a.issuer, a.base)
	}
	return d
}

// algorithms are those that the issuer's tokens are signed with: its own, and those of its clients.
func algorithms(i directory.Issuer) []string {
	own := cmp.Or(i.Algorithm, presetOf(i).algorithm, defaultAlgorithm)
	out := []string{own}
	for _, c := range i.Clients {
		if c.Algorithm != "" && !slices.Contains(out, c.Algorithm) {
			out = append(out, c.Algorithm)
		}
	}
	slices.Sort(out)
	return out
}

// offeredGrants are those that any client may use.
func offeredGrants(i directory.Issuer) []string {
	out := []string{clientCredentials.name}
	for _, c := range i.Clients {
		for _, g := range c.Grants {
			if !slices.Contains(out, g) {
				out = append(out, g)
			}
		}
	}
	slices.Sort(out)
	return out
}

func claimNames(a asked) []string {
	out := []string{"iss", "iat", "exp"}
	for name := range mergedRules(a.preset, a.issuer, directory.IssuerClient{}) {
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ring is the ring of an issuer that signs by an algorithm.
func ring(name, algorithm string) string {
	if algorithm == jose.ES256 {
		return "idp-p256/" + name
	}
	return "idp-rsa/" + name
}

// RingsOf are all rings that an issuer of this name may have, for those who remove them.
func RingsOf(name string) []string { return []string{ring(name, jose.RS256), ring(name, jose.ES256)} }

// Rings are the rings that an issuer signs with, for those who rotate them.
func (s *Service) Rings(i directory.Issuer) []string {
	var out []string
	for _, a := range algorithms(i) {
		if r := ring(i.Name, a); !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// keySet publishes the keys of every ring that the issuer signs with. A key is bound to an algorithm when
// its ring signs by that alone.
func (s *Service) keySet(ctx context.Context, i directory.Issuer) (jose.JWKS, error) {
	bound := map[string]string{}
	for _, a := range algorithms(i) {
		r := ring(i.Name, a)
		if _, several := bound[r]; several {
			a = ""
		}
		bound[r] = a
	}
	set, certified := jose.JWKS{Keys: []jose.JWK{}}, presetOf(i).certified
	for _, r := range s.Rings(i) {
		published, err := s.Keys.Published(ctx, r)
		if err != nil {
			return set, err
		}
		for _, k := range published {
			j, err := k.JWK()
			if err != nil {
				return set, err
			}
			j.Alg = bound[r]
			if !certified {
				j.X5t, j.X5c = "", nil
			}
			set.Keys = append(set.Keys, j)
		}
	}
	return set, nil
}

// Documents are what an issuer publishes, by path below its URL, for a bucket that answers in its name.
// The keys are below its own URL; the token endpoint, if it has one, is this server's.
func (s *Service) Documents(ctx context.Context, name string) (map[string][]byte, error) {
	i, err := s.Issuers.Issuer(ctx, name)
	if err != nil {
		return nil, err
	}
	a := asked{issuer: i, preset: presetOf(i), base: ownBase(i)}
	d := describe(a)
	d.JWKSURI = a.base + a.preset.keys // whatever host the product has them on
	if d.TokenEndpoint != "" {
		d.TokenEndpoint = s.namedBase(i) + a.preset.token
	}
	set, err := s.keySet(ctx, i)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for path, v := range map[string]any{openIDPath: d, a.preset.keys: set} {
		if out[strings.TrimPrefix(path, "/")], err = json.Marshal(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// document makes a public document.
type document func(ctx context.Context, a asked) (any, error)

func (s *Service) discoveryDocument(_ context.Context, a asked) (any, error) { return describe(a), nil }

func (s *Service) keysDocument(ctx context.Context, a asked) (any, error) {
	return s.keySet(ctx, a.issuer)
}

// documentAge is how long others may keep a document: a key that is made in haste signs at once.
const documentAge = "public, max-age=300"

// serveDocument serves a public document by GET, HEAD and, for browsers of any origin, OPTIONS.
func (s *Service) serveDocument(w http.ResponseWriter, r *http.Request, a asked, operation string, make document) {
	c := s.begin(w, r, a)
	c.record.Operation = operation
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	switch r.Method {
	case http.MethodOptions:
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Accept, Content-Type")
		h.Set("Access-Control-Max-Age", "86400")
		w.WriteHeader(http.StatusNoContent)
		return
	case http.MethodGet, http.MethodHead:
	default:
		h.Set("Allow", "GET, HEAD, OPTIONS")
		c.record.Code = invalidRequest
		s.writeRefusal(w, &Refusal{Code: invalidRequest, Description: "the document is read by GET", Status: http.StatusMethodNotAllowed})
		return
	}
	v, err := make(r.Context(), a)
	var body []byte
	if err == nil {
		body, err = json.Marshal(v)
	}
	if err != nil {
		s.writeRefusal(w, s.refusal(r.Context(), c, err))
		return
	}
	h.Set("Cache-Control", documentAge)
	h.Set("Content-Type", "application/json")
	if operation == "keys" && a.preset.keysType != "" {
		h.Set("Content-Type", a.preset.keysType)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone if this fails
	}
}
