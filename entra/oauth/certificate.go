package oauth

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
	"github.com/treatyfed/treaty/entra/aadsts"
	"github.com/treatyfed/treaty/wire/jose"
)

// certificateAlgorithms are those that an application's certificate may sign with: PS256 is documented,
// RS256 what most clients send (Microsoft, "Certificate credentials").
var certificateAlgorithms = slices.Concat(jose.RSAPKCS1, jose.RSAPSS)

// Names of the checks of a client's own assertion, beside those of the token itself.
const (
	checkClient      = "client"
	checkSubject     = "subject"
	checkThumbprint  = "certificate named"
	checkRegistered  = "certificate registered"
	checkCertificate = "certificate lifetime"
	checkAudience    = "audience"
)

// judgeCertificate judges an assertion signed with a certificate of the client. Everything is looked at;
// the first failure in the order of the authority's own checks is the answer.
func (s *Service) judgeCertificate(ctx context.Context, c *call) error {
	p := c.presented
	if c.client.public && len(c.client.certificates) == 0 {
		return c.refusePublic()
	}
	named := nameOf(p.Parsed)
	registered, found := named.find(c.client.certificates)
	verifier := token.Verifier{Algorithms: certificateAlgorithms, Leeway: s.Verifier.Leeway, Now: s.Now, Source: registeredKey{registered, p.Parsed.KeyID()}}
	checks := verifier.Form(p)
	checks = append(checks, present(p.Claims, "sub"), present(p.Claims, "aud"), verifier.Algorithm(p), named.check(),
		identity(checkClient, "iss", c.clientID, p.Claims), identity(checkSubject, "sub", c.clientID, p.Claims),
		c.client.registration(named, found), validity(registered, found, c.now))
	why := ""
	if !found {
		why = "no registered certificate to check it with"
	}
	checks = append(checks, verifier.Proof(ctx, p, c.clientID, why)...)
	checks = append(checks, s.audience(c, p.Claims))
	checks = append(checks, verifier.Times(p.Claims)...)
	c.decide(checks, p.Header, p.Claims)
	if failed, any := checks.First(); any {
		c.decision.Reason = trust.Reason(failed.Name)
		return c.certificateError(failed, named, registered)
	}
	c.strength = byAssertion
	return nil
}

// certificateError is the answer to the first check that failed.
func (c *call) certificateError(failed evidence.Check, named certificateName, registered directory.Certificate) error {
	switch failed.Name {
	case token.CheckForm, token.CheckHeader:
		return aadsts.New(aadsts.AssertionMalformed)
	case checkPresent:
		return aadsts.New(aadsts.FieldMissing, failed.Claim)
	case token.CheckAlgorithm:
		return aadsts.New(aadsts.AlgorithmUnsupported, c.presented.Parsed.Algorithm(), aadsts.SupportedAlgorithms)
	case checkThumbprint:
		return aadsts.New(aadsts.ThumbprintMissing)
	case checkClient, checkSubject:
		return aadsts.New(aadsts.AssertionClientMismatch)
	case checkRegistered:
		return aadsts.KeyNotFound(named.thumbprint(), c.client.appID)
	case checkCertificate:
		return aadsts.KeyUnfit(aadsts.ReasonKeyExpired, named.thumbprint(), registered.NotBefore, registered.NotAfter, c.client.appID)
	case token.CheckKeys, token.CheckKey, token.CheckSignature:
		return aadsts.KeyUnfit(aadsts.ReasonKeyDisagrees, named.thumbprint(), registered.NotBefore, registered.NotAfter, c.client.appID)
	case checkAudience:
		return aadsts.New(aadsts.AssertionAudience)
	}
	return aadsts.New(aadsts.AssertionTime, aadsts.Times(c.decision)...)
}

// registeredKey is the source of the one key that the assertion named.
type registeredKey struct {
	certificate directory.Certificate
	kid         string
}

// PublicKeys gives the certificate's key under the id that the assertion uses for it.
func (k registeredKey) PublicKeys(context.Context, string, string) ([]token.PublicKey, error) {
	cert, err := x509.ParseCertificate(k.certificate.DER)
	if err != nil {
		return nil, err
	}
	return []token.PublicKey{{ID: k.kid, Key: cert.PublicKey, Certificate: cert}}, nil
}

// certificateName is how an assertion's header names its certificate: a SHA-1 or SHA-256 thumbprint from
// x5t#S256, x5t or, when it has neither, kid.
type certificateName struct {
	bytes   []byte
	fromKID bool
	kid     string
}

func nameOf(t *jose.Token) certificateName {
	n := certificateName{bytes: t.Thumbprint(), kid: t.KeyID()}
	if n.bytes == nil && n.kid != "" {
		n.bytes, n.fromKID = thumbprintIn(n.kid), true
	}
	return n
}

// thumbprintIn reads a thumbprint out of a kid: base64 in any spelling (Terraform pads it) or hexadecimal.
func thumbprintIn(kid string) []byte {
	if b, err := hex.DecodeString(kid); err == nil && (len(b) == sha1.Size || len(b) == sha256.Size) {
		return b
	}
	encoding := base64.RawURLEncoding
	if strings.ContainsAny(kid, "+/") {
		encoding = base64.RawStdEncoding
	}
	if b, err := encoding.DecodeString(strings.TrimRight(kid, "=")); err == nil && (len(b) == sha1.Size || len(b) == sha256.Size) {
		return b
	}
	return nil
}

func (n certificateName) find(certificates []directory.Certificate) (directory.Certificate, bool) {
	for _, c := range certificates {
		if len(n.bytes) == 0 || c.Usage != "" && c.Usage != "Verify" {
			continue
		}
		sha1Sum, sha256Sum := sha1.Sum(c.DER), sha256.Sum256(c.DER)
		if bytes.Equal(n.bytes, sha1Sum[:]) || bytes.Equal(n.bytes, sha256Sum[:]) {
			return c, true
		}
	}
	return directory.Certificate{}, false
}

// thumbprint is the thumbprint as texts print it, "" when only kid named the key.
func (n certificateName) thumbprint() string {
	if n.fromKID {
		return ""
	}
	return strings.ToUpper(hex.EncodeToString(n.bytes))
}

func (n certificateName) check() evidence.Check {
	c := evidence.Check{Name: checkThumbprint, Claim: "x5t#S256", Operator: "present", OK: len(n.bytes) > 0 || n.kid != ""}
	switch {
	case len(n.bytes) > 0:
		c.Got = []string{strings.ToUpper(hex.EncodeToString(n.bytes))}
	case n.kid != "":
		c.Claim, c.Got = "kid", []string{evidence.Clip(n.kid)}
	default:
		c.Fix = "name the certificate in the header, by x5t#S256, x5t or kid"
	}
	return c
}

const checkPresent = "required claim"

func present(claims token.Claims, name string) evidence.Check {
	ok := len(claims.Texts(name)) > 0
	return evidence.Check{Name: checkPresent, Claim: name, Operator: "present", Got: claims.Texts(name), OK: ok, Fix: unless(ok, "add "+name+" to the assertion")}
}

// identity checks that a claim names the client, in any case of letters.
func identity(name, claim, client string, claims token.Claims) evidence.Check {
	c := evidence.Compare(name, claim, client, claims.Texts(claim))
	if len(c.Got) == 1 && strings.EqualFold(c.Got[0], client) {
		c.OK, c.Note = true, ""
	}
	return c
}

func (c client) registration(named certificateName, found bool) evidence.Check {
	fix := "add the certificate to the application's keyCredentials"
	if c.managed() {
		fix = "present a federated assertion: a managed identity has no certificates of yours"
	}
	check := evidence.Check{Name: checkRegistered, Operator: "one of", OK: found, Fix: unless(found, fix)}
	for _, k := range c.certificates[:min(len(c.certificates), evidence.MaxValues)] {
		sum := sha1.Sum(k.DER)
		check.Want = append(check.Want, strings.ToUpper(hex.EncodeToString(sum[:])))
	}
	if len(named.bytes) > 0 {
		check.Got = []string{strings.ToUpper(hex.EncodeToString(named.bytes))}
	}
	return check
}

func validity(registered directory.Certificate, found bool, now time.Time) evidence.Check {
	c := evidence.Check{Name: checkCertificate, Operator: "within", Got: []string{now.UTC().Format(time.RFC3339)}, Skipped: !found}
	if !found {
		c.Got, c.Note = nil, "no registered certificate"
		return c
	}
	c.Want = []string{registered.NotBefore.UTC().Format(time.RFC3339), registered.NotAfter.UTC().Format(time.RFC3339)}
	c.OK = !now.Before(registered.NotBefore) && now.Before(registered.NotAfter)
	c.Fix = unless(c.OK, "register a certificate that is valid now")
	return c
}

// audience checks that the assertion was meant for this authority: a token endpoint or issuer of the
// tenant under any of the authority's names (Microsoft, "Certificate credentials", aud).
func (s *Service) audience(c *call, claims token.Claims) evidence.Check {
	check := evidence.Check{Name: checkAudience, Claim: "aud", Operator: "one of",
		Want: []string{s.Authority + "/" + c.tenant.ID + "/oauth2/v2.0/token", s.V2Issuer(c.tenant.ID)}, Got: claims.Texts("aud")}
	check.OK = slices.ContainsFunc(check.Got, func(aud string) bool { return s.ownAudience(c, aud) })
	check.Fix = unless(check.OK, "set aud to the tenant's token endpoint")
	return check
}

func (s *Service) ownAudience(c *call, aud string) bool {
	if strings.EqualFold(aud, s.V1Issuer(c.tenant.ID)) || strings.EqualFold(aud, s.V2Issuer(c.tenant.ID)) {
		return true
	}
	u, err := url.Parse(aud)
	if err != nil || u.Scheme != "https" || !s.ownHost(strings.ToLower(u.Host)) {
		return false
	}
	segment, rest, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	switch strings.ToLower(rest) {
	case "", "v2.0", "oauth2/token", "oauth2/v2.0/token":
	default:
		return false
	}
	same := func(name string) bool { return strings.EqualFold(name, segment) }
	return same(c.segment) || same(c.tenant.ID) || slices.ContainsFunc(c.tenant.Domains, same)
}

// ownHost reports whether a host is one of ours, whatever its port (MSAL Python drops it), the public
// authority's aliases and regional names included when we answer under its name. The name that the
// client asked does not count: an assertion meant for another authority must not be of use here.
func (s *Service) ownHost(host string) bool {
	bare := func(h string) string { name, _, _ := strings.Cut(h, ":"); return name }
	for _, own := range append([]string{hostOf(s.Authority)}, s.Hosts...) {
		if own != "" && strings.EqualFold(bare(own), bare(host)) {
			return true
		}
	}
	public := clouds[0].Aliases
	return slices.Contains(public, hostOf(s.Authority)) && (slices.Contains(public, host) || strings.HasSuffix(host, ".login.microsoft.com"))
}
