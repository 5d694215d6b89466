// Package idp serves plain OpenID Connect issuers whose tokens are programmable: what PingFederate, Okta or
// a CI system is to the two clouds.
//
// It owns where issuers answer, their discovery documents and key sets, how their clients authenticate, the
// three grants, and the claims that the service sets itself (iss, iat, nbf, exp, jti, act). All other claims
// are computed by rules, whose language is idp/rule's. Whether a foreign token is accepted is core/trust's
// decision, signing keys are core/token's, and issuers are kept by core/directory.
//
//	GET  {issuer}/.well-known/openid-configuration
//	GET  {issuer}/jwks        and other paths by preset
//	POST {issuer}/token
//
// A token request passes through: form, grant, client, foreign tokens, rules, token, audit. A refusal at any
// step is one *Refusal; what is decided is on record before it is answered.
package idp

import (
	"context"
	"crypto/elliptic"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
)

// Service answers as every issuer. All fields are needed but Prefix and Log.
type Service struct {
	Issuers  directory.Issuers
	Once     directory.Once
	Keys     token.Keys
	Verifier token.Verifier     // of foreign tokens: their issuers' keys, leeway; without Algorithms those of ForeignAlgorithms
	Sealer   *credential.Sealer // knows client secrets by their hash
	Audit    audit.Recorder
	Prefix   string // public base of the form by name, "https://hub.example.org/idp"

	Now  func() time.Time
	Rand io.Reader
	Log  *slog.Logger

	rules ruleCache
}

// Kinds are the families of the issuers' rings: one of RSA and one of elliptic keys for each issuer, made
// when they are first needed.
func (s *Service) Kinds() map[string]token.Kind {
	return map[string]token.Kind{"idp-rsa": {Subject: "treaty"}, "idp-p256": {Curve: elliptic.P256()}}
}

// Bounds of a request's path.
const (
	maxPath     = 2048
	maxSegments = 8 // of the path of a place
)

// Hosted answers under the issuers' own names: the issuer is the one whose place is the longest prefix of
// host and path.
func (s *Service) Hosted() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i, place, err := s.find(r.Context(), r.Host, r.URL.Path)
		if err != nil {
			s.refuseUnfound(w, r, err)
			return
		}
		a := asked{issuer: i, preset: presetOf(i), base: ownBase(i)}
		own := ownPlace(i)
		rest, below := strings.CutPrefix(r.URL.Path, own.Path)
		if place.Host != own.Host || !below {
			a.path = "//" + place.Host + r.URL.Path
			s.serve(w, r, a)
			return
		}
		a.path = rest
		s.serveOwn(w, r, a)
	})
}

// Named answers under /NAME/…, whatever the issuer's own URL is.
func (s *Service) Named() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, rest, below := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if below {
			rest = "/" + rest
		}
		if !nameForm.MatchString(name) {
			s.refuseUnfound(w, r, fault.New(fault.NotFound, "issuer", "no such name"))
			return
		}
		i, err := s.Issuers.Issuer(r.Context(), name)
		if err != nil {
			s.refuseUnfound(w, r, err)
			return
		}
		s.serveOwn(w, r, asked{issuer: i, preset: presetOf(i), base: s.namedBase(i), path: rest})
	})
}

// asked is an issuer and how it was asked.
type asked struct {
	issuer directory.Issuer
	preset preset
	base   string // where its endpoints are for who asked, without a slash at the end
	path   string // as preset.serve is given it
}

// serveOwn serves what was asked below the issuer's URL or name. A path that looks like another place is
// none: what a product answers at another host is not to be had at this one.
func (s *Service) serveOwn(w http.ResponseWriter, r *http.Request, a asked) {
	if strings.HasPrefix(a.path, "//") {
		s.refuseUnfound(w, r, fault.New(fault.NotFound, "issuer "+a.issuer.Name, "it has no such endpoint"))
		return
	}
	s.serve(w, r, a)
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request, a asked) {
	p := a.preset
	if p.serve != nil && p.serve(s, w, r, a.issuer, a.path) {
		return
	}
	switch {
	case a.path == "": // the URL itself is no endpoint
	case slices.Contains(p.discovery, a.path):
		s.serveDocument(w, r, a, "openid-configuration", s.discoveryDocument)
		return
	case a.path == p.keys:
		s.serveDocument(w, r, a, "keys", s.keysDocument)
		return
	case a.path == p.token:
		s.serveToken(w, r, a)
		return
	}
	s.refuseUnfound(w, r, fault.New(fault.NotFound, "issuer "+a.issuer.Name, "it has no such endpoint"))
}

// Answers reports whether an address is at or below a place of an issuer. What cannot be looked up is taken
// for one: Hosted then says that it failed.
func (s *Service) Answers(ctx context.Context, u *url.URL) bool {
	_, _, err := s.find(ctx, u.Host, u.Path)
	return !errors.Is(err, fault.NotFound)
}

// find is the issuer that answers a request to one of its own names. Each prefix of the path is looked up
// by itself, the longest first, so that one look-up costs the same with any number of issuers.
func (s *Service) find(ctx context.Context, host, path string) (directory.Issuer, directory.Place, error) {
	none := fault.New(fault.NotFound, "issuer", "none answers at this address")
	if len(path) > maxPath {
		return directory.Issuer{}, directory.Place{}, none
	}
	for _, prefix := range prefixes(path) {
		p := directory.Place{Host: PlaceHost(host), Path: prefix}
		i, err := s.Issuers.IssuerAt(ctx, p)
		if errors.Is(err, fault.NotFound) {
			continue
		}
		return i, p, err
	}
	return directory.Issuer{}, directory.Place{}, none
}

// prefixes are the beginnings of a path that may be a place's, the longest first, the empty one last.
func prefixes(path string) []string {
	ends := []int{0}
	for at := 1; at <= len(path) && len(ends) <= maxSegments; at++ {
		if at == len(path) || path[at] == '/' {
			ends = append(ends, at)
		}
	}
	out := make([]string, 0, len(ends))
	for i := len(ends) - 1; i >= 0; i-- {
		if p := path[:ends[i]]; !strings.HasSuffix(p, "/") {
			out = append(out, p)
		}
	}
	return out
}

// PlaceHost is a host as places have it. A name with a dot behind it (RFC 3986 section 3.2.2) is the same host.
func PlaceHost(hostport string) string {
	host := strings.TrimSuffix(strings.ToLower(hostport), ":443")
	if name, port, dotted := strings.Cut(host, ".:"); dotted {
		return name + ":" + port
	}
	return strings.TrimSuffix(host, ".")
}

// ownPlace is where the issuer's URL lies. The URL of a stored issuer is right.
func ownPlace(i directory.Issuer) directory.Place {
	u, err := url.Parse(i.URL)
	if err != nil {
		return directory.Place{}
	}
	return directory.Place{Host: PlaceHost(u.Host), Path: strings.TrimSuffix(u.Path, "/")}
}

// ownBase is what the issuer's own endpoints are below.
func ownBase(i directory.Issuer) string { return strings.TrimSuffix(i.URL, "/") }

// namedBase is what the endpoints of the form by name are below; those of the issuer's own URL, where nothing
// is public under its name.
func (s *Service) namedBase(i directory.Issuer) string {
	if s.Prefix == "" {
		return ownBase(i)
	}
	return strings.TrimSuffix(s.Prefix, "/") + "/" + i.Name
}
