package idp

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/idp/rule"
)

// Bounds of an issuer.
const (
	maxURL       = 512 // bytes; Entra admits issuers of 600, IAM of 255
	maxClients   = 1000
	maxAccepts   = 100
	maxAudiences = 20
	maxText      = 1024 // bytes of a subject or an audience
)

// nameForm is a DNS label in lower case (RFC 1123 section 2.1).
var nameForm = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)

// hostForm is a DNS name in lower case (RFC 1123 section 2.1; labels above the last may have underscores). A
// name of one label is that of an intranet's host, or of a top-level domain: who knows the server says which.
var hostForm = regexp.MustCompile(`^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?$`)

// maxHost is the longest DNS name in bytes (RFC 1035 section 2.3.4).
const maxHost = 253

// Problem is one thing that is wrong with an issuer's configuration.
type Problem struct {
	Path   string `json:"path"` // "clients[2].claims.sub"
	Reason string `json:"reason"`
}

// Problems are all of them.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Path + ": " + p.Reason
	}
	return strings.Join(lines, "; ")
}

func (ps *Problems) add(path, format string, args ...any) {
	*ps = append(*ps, Problem{path, fmt.Sprintf(format, args...)})
}

// Complete fills in what an issuer leaves to its preset, the places where it answers, and the order of its
// clients, and checks everything. The error is a fault.Invalid that wraps Problems. A completed issuer
// completes to itself.
func Complete(i *directory.Issuer) error {
	var ps Problems
	if !nameForm.MatchString(i.Name) {
		ps.add("name", "%.80q is no DNS label in lower case: letters, digits and hyphens within, 63 at most", i.Name)
	}
	why := refuseURL(i.URL)
	if why != "" {
		ps.add("url", "%s", why)
	}
	if _, known := presetNamed(i.Preset); !known {
		ps.add("preset", "%.80q is not known; %s are", i.Preset, strings.Join(Presets, ", "))
	}
	p := presetOf(*i)
	i.Algorithm = cmp.Or(i.Algorithm, p.algorithm, defaultAlgorithm)
	i.Lifetime = cmp.Or(i.Lifetime, p.lifetime, defaultLifetime)
	checkSigning(&ps, "", i.Algorithm, i.Lifetime)
	checkRules(&ps, "", i.Claims)
	if n := len(mergedRules(p, *i, directory.IssuerClient{})); len(i.Claims) <= rule.MaxRules && n > rule.MaxRules {
		ps.add("claims", "with the preset's there are %d, more than %d", n, rule.MaxRules)
	}
	checkAccepts(&ps, i)
	if len(i.Clients) > maxClients {
		ps.add("clients", "there are %d, more than %d", len(i.Clients), maxClients)
	} else {
		checkClients(&ps, i, p)
	}
	if why == "" && len(ps) == 0 {
		places(&ps, i, p)
	}
	if len(ps) > 0 {
		return &fault.Fault{Kind: fault.Invalid, Op: "issuer " + strconv.QuoteToASCII(i.Name[:min(len(i.Name), 80)]), Err: ps}
	}
	slices.SortStableFunc(i.Clients, func(a, b directory.IssuerClient) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// refuseURL says why an issuer cannot have this URL, "" when it can (OpenID Connect Discovery 1.0 section 3).
func refuseURL(raw string) string {
	if raw == "" {
		return "it is missing"
	}
	if len(raw) > maxURL {
		return fmt.Sprintf("it is longer than %d bytes", maxURL)
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"\\<>^`{|}%", r) }) {
		return "it has a character that an issuer's URL cannot have"
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return "it is no URL with a host"
	case strings.Contains(raw, "?"):
		return "it has a query"
	case strings.Contains(raw, "#"):
		return "it has a fragment"
	case u.User != nil:
		return "it has a user name"
	case u.Scheme == "http" && !token.Loopback(strings.ToLower(u.Hostname())):
		return "http is for loopback addresses only"
	case u.Scheme != "https" && u.Scheme != "http":
		return "it is not https"
	case strings.HasSuffix(u.Host, ":"):
		return "it has an empty port"
	}
	return cmp.Or(refuseHost(u), refusePath(u.Path))
}

// refuseHost wants a host to be an address or a DNS name, of which a certificate and a folder can have the
// name, and to have one spelling of its port.
func refuseHost(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	addr, err := netip.ParseAddr(host)
	if named := len(host) <= maxHost && hostForm.MatchString(host); err != nil && !named || err == nil && addr.Is6() != strings.HasPrefix(u.Host, "[") {
		return "its host is neither a DNS name nor an address"
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "its port is none"
		}
	}
	return ""
}

// refusePath wants a path to have one spelling, and few enough segments to be found.
func refusePath(path string) string {
	if path == "" || path == "/" {
		return ""
	}
	segments := strings.Split(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"), "/")
	if len(segments) > maxSegments {
		return fmt.Sprintf("its path has more than %d segments", maxSegments)
	}
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return "its path has an empty segment or one of dots"
		}
	}
	return ""
}

// places fills in where the issuer answers: its URL with what is below, and each endpoint, so that no issuer
// below this one takes what is this one's.
func places(ps *Problems, i *directory.Issuer, p preset) {
	own := ownPlace(*i)
	i.Places = []directory.Place{own}
	for _, path := range p.endpoints() {
		i.Places = append(i.Places, directory.Place{Host: own.Host, Path: own.Path + path})
	}
	if p.elsewhere == nil {
		return
	}
	for _, place := range p.elsewhere(*i) {
		if refusePath(place.Path) != "" || strings.HasSuffix(place.Path, "/") {
			ps.add("preset", "it has a place that cannot be: %s%s", place.Host, place.Path)
		}
		if !slices.Contains(i.Places, place) {
			i.Places = append(i.Places, place)
		}
	}
}

// checkSigning checks what issuers and clients have in common.
func checkSigning(ps *Problems, path, algorithm string, lifetime time.Duration) {
	if !slices.Contains(TokenAlgorithms, algorithm) {
		ps.add(path+"algorithm", "%.80q is not known; %s are", algorithm, strings.Join(TokenAlgorithms, ", "))
	}
	if lifetime < shortest || lifetime > longest {
		ps.add(path+"lifetime", "%s is not between %s and %s", lifetime, shortest, longest)
	}
}

// checkRules names every rule that cannot be read.
func checkRules(ps *Problems, path string, claims map[string]string) {
	if len(claims) == 0 {
		return
	}
	_, err := rule.Compile(claims)
	if err == nil {
		return
	}
	all := []error{err}
	if joined, is := err.(interface{ Unwrap() []error }); is {
		all = joined.Unwrap()
	}
	for _, e := range all {
		var one *rule.Problem
		if errors.As(e, &one) {
			ps.add(path+"claims."+one.Claim, "%s", one.Reason)
		} else {
			ps.add(path+"claims", "%v", e)
		}
	}
}

// checkAccepts checks the foreign issuers. Tokens of one without audiences must be for this issuer.
func checkAccepts(ps *Problems, i *directory.Issuer) {
	if len(i.Accepts) > maxAccepts {
		ps.add("accepts", "there are %d, more than %d", len(i.Accepts), maxAccepts)
		return
	}
	i.Accepts = slices.Clone(i.Accepts)
	for n := range i.Accepts {
		a, path := &i.Accepts[n], fmt.Sprintf("accepts[%d].", n)
		if why := refuseText(a.Issuer, maxURL+88); why != "" { // 600, as Entra has it
			ps.add(path+"issuer", "%s", why)
		}
		if why := refuseText(a.Subject, maxText); a.Subject != "" && why != "" {
			ps.add(path+"subject", "%s", why)
		}
		if len(a.Audiences) == 0 {
			a.Audiences = []string{i.URL}
		}
		if len(a.Audiences) > maxAudiences {
			ps.add(path+"audiences", "there are %d, more than %d", len(a.Audiences), maxAudiences)
			continue
		}
		for m, aud := range a.Audiences {
			if why := refuseText(aud, maxText); why != "" {
				ps.add(fmt.Sprintf("%saudiences[%d]", path, m), "%s", why)
			}
		}
	}
}
