// Package webidentity verifies the tokens by which people and machines of other issuers ask an AWS account
// for credentials: OpenID Connect tokens of the account's registered providers, of Google, and of our own
// identity pools.
//
// It owns which issuer is which provider, Amazon's rules on algorithms, claims, times, audiences and key
// sets, what a token says of session tags, source identity and roles, and the condition keys that come of
// it. It keeps a check for everything that it looked at and never asks an issuer that the account has not
// registered. Whether a role trusts the bearer is core/access's; what a refusal is called is the surface's:
// STS and Cognito have different words for one Reason.
//
// Login with Amazon and Facebook issue opaque tokens that only they can read: see Opaque.
package webidentity

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

// Leeway is how far clocks may differ (recorded: AWS tolerates five minutes of exp, nbf and iat).
const Leeway = 5 * time.Minute

// Algorithms are those that STS verifies (IAM user guide, "Create an OpenID Connect identity provider").
var Algorithms = []string{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}

// Keys gives the keys of issuers that a TLS certificate may vouch for. Implementation: *token.Discovery,
// with ParseKeys for its Parse.
type Keys interface {
	PinnedKeys(ctx context.Context, issuer, kid string, thumbprints []string) (token.Published, error)
	// RenewedPinnedKeys gives the keys if they were read anew since failed was given: see token.Renewer.
	RenewedPinnedKeys(ctx context.Context, issuer string, failed []token.PublicKey, thumbprints []string) (published token.Published, renewed bool)
}

// Verifier verifies tokens for accounts.
type Verifier struct {
	Providers directory.Entities[directory.OIDCProvider]
	Keys      Keys
	// Pools is the issuer of our own identity pools' tokens, as those name it, and PoolKeys their keys.
	Pools    string
	PoolKeys token.KeySource
	// Own says which issuers are those of the tokens that STS itself signs, which it does not take back;
	// nil: none.
	Own func(issuer string) bool
	Now func() time.Time
}

// Identity is what a verified token says.
type Identity struct {
	Provider string // its ARN, or the name of a built-in one
	Account  string // that the provider is in, "" for a built-in one
	Prefix   string // of its condition keys: the issuer without https://
	Subject  string
	Audience string // azp where there is one, else aud
	// OriginalAudience is aud, and AudienceList that it came as an array.
	OriginalAudience []string
	AudienceList     bool
	AMR              []string
	Email            string
	Claims           token.Claims

	Tags           []directory.Tag // session tags, by key
	Transitive     []string
	SourceIdentity string
	// Roles are the ARNs that the issuer lets the token be used for, if it says so (RolesNamed).
	Roles      []string
	RolesNamed bool
}

// Report is what was found out about a token, and why it was refused, if it was.
type Report struct {
	Reason   Reason          `json:"reason,omitempty"`
	Details  []string        `json:"details,omitempty"` // what the reason's words name: a claim, two times
	Fix      string          `json:"fix,omitempty"`     // the one change that would lift the reason, when we know it
	Header   map[string]any  `json:"header,omitempty"`
	Claims   token.Claims    `json:"claims,omitempty"`
	Token    evidence.Checks `json:"token"`    // the token by itself: form, claims, times, audience, tags
	Provider evidence.Checks `json:"provider"` // its provider, the keys, the signature
}

// OK reports whether the token is accepted.
func (r Report) OK() bool { return r.Reason == "" }

// refuse keeps the first reason.
func (r *Report) refuse(why Reason, details ...string) {
	if r.Reason == "" {
		r.Reason = why
		for _, d := range details {
			r.Details = append(r.Details, evidence.Clip(d))
		}
	}
}

// Verify examines raw for an account. The Identity is empty unless the report is OK. An error means that it
// could not be decided.
func (v *Verifier) Verify(ctx context.Context, account, raw string) (Identity, Report, error) {
	p := token.Read(raw)
	x := &examination{v: v, p: p, now: v.Now().UTC(), Report: Report{Header: p.Header, Claims: p.Claims}}
	x.form()
	x.required()
	from, err := x.provider(ctx, account)
	if err != nil {
		return Identity{}, x.Report, err
	}
	proved, err := x.prove(ctx, from)
	if err != nil {
		return Identity{}, x.Report, err
	}
	id := Identity{Provider: from.name, Account: from.account, Prefix: from.prefix, Claims: p.Claims}
	x.times()
	x.audience(from, &id)
	x.subject(&id)
	x.session(&id)
	x.Fix = x.fix()
	if !proved {
		x.Report.trim()
	}
	if !x.OK() {
		return Identity{}, x.Report, nil
	}
	return id, x.Report, nil
}

// examination is one token on its way.
type examination struct {
	Report
	v   *Verifier
	p   token.Presented
	now time.Time
}

// form checks what can be seen without any key.
func (x *examination) form() {
	rules := token.Verifier{Algorithms: Algorithms}
	form, algorithm := rules.Form(x.p), rules.Algorithm(x.p)
	x.Token = append(append(x.Token, form...), algorithm)
	switch alg := x.p.Parsed.Algorithm(); {
	case !form.OK(), alg == "none": // an unsecured token is no signed one
		x.refuse(Malformed)
	case !algorithm.OK:
		x.refuse(AlgorithmRefused, alg)
	}
}

// required checks that the claims of every ID token are there (OpenID Connect Core 1.0 section 2), whatever
// their values.
func (x *examination) required() {
	for _, name := range [...]string{"iss", "sub", "aud", "exp", "iat"} {
		c := evidence.Check{Name: "required claim", Claim: name, Operator: "present", OK: x.p.Claims.Has(name)}
		switch {
		case x.p.Claims == nil:
			c.Skipped, c.Note = true, "the payload could not be read"
		case !c.OK:
			c.Note = "the token has no claim " + name
			x.refuse(MissingClaim, name)
		case name == "iss" && x.p.Claims.Text("iss") == "":
			c.OK, c.Got, c.Note = false, evidence.Values(x.p.Claims[name]), "the claim is no string with something in it"
			x.refuse(MissingClaim, name)
		default:
			c.Got = evidence.Values(x.p.Claims[name])
		}
		x.Token = append(x.Token, c)
	}
}

// prove checks the signature with the provider's keys, which are asked for only when nothing was wrong
// before.
func (x *examination) prove(ctx context.Context, from provider) (bool, error) {
	keys := evidence.Check{Name: token.CheckKeys, Operator: "published by", Want: []string{evidence.Clip(from.issuer)}}
	key := evidence.Check{Name: token.CheckKey, Claim: "kid", Operator: "one of"}
	sig := evidence.Check{Name: token.CheckSignature, Operator: "made by"}
	kid := x.p.Parsed.KeyID()
	if kid != "" {
		key.Got = []string{evidence.Clip(kid)}
	}
	skip := func(why string, checks ...evidence.Check) {
		for _, c := range checks {
			c.Skipped, c.Note = true, why
			x.Provider = append(x.Provider, c)
		}
	}
	if x.Reason != "" {
		skip("not asked: "+string(x.Reason), keys, key, sig)
		return false, nil
	}
	published, err := from.keys(ctx, kid)
	x.peers(published, err, from)
	if err != nil {
		if keys.Note = evidence.Clip(err.Error()); !errors.Is(err, fault.Unavailable) && !errors.Is(err, fault.NotFound) {
			return false, err
		}
		x.Provider = append(x.Provider, keys)
		skip("the issuer's keys could not be had", key, sig)
		x.refuse(KeysUnavailable)
		return false, nil
	}
	proof := x.signature(kid, published, keys, key, sig)
	if !proof.checks.OK() && from.renewed != nil {
		if again, others := from.renewed(ctx, published.Keys); others {
			keys.Note = token.ReadAnew
			proof = x.signature(kid, again, keys, key, sig)
		}
	}
	x.Provider = append(x.Provider, proof.checks...)
	if proof.reason != "" {
		x.refuse(proof.reason, kid)
	}
	return proof.reason == "", nil
}

// proof is what became of a signature.
type proof struct {
	checks evidence.Checks
	reason Reason
}

// signature checks the signature with the keys that the issuer has, filling in the checks of it.
func (x *examination) signature(kid string, published token.Published, keys, key, sig evidence.Check) proof {
	keys.OK = true
	for _, k := range published.Keys[:min(len(published.Keys), evidence.MaxValues)] {
		keys.Got = append(keys.Got, evidence.Clip(k.ID))
	}
	keys.Note = strings.TrimSuffix(keys.Note+published.Remarks(), "; ")
	key.Want = keys.Got
	public, why := choose(kid, published.Keys)
	if key.OK, key.Note = public != nil, why; !key.OK {
		sig.Skipped, sig.Note = true, "there is no key to check it with"
		return proof{evidence.Checks{keys, key, sig}, KeyUnknown}
	}
	sig.Want = []string{evidence.Clip(public.ID) + " (" + jose.KeyKind(public.Key) + ")"}
	if err := jose.Verify(x.p.Parsed, public.Key, Algorithms); err != nil {
		sig.Note = err.Error()
		return proof{evidence.Checks{keys, key, sig}, SignatureInvalid}
	}
	sig.OK = true
	return proof{evidence.Checks{keys, key, sig}, ""}
}

// peers notes who answered for the issuer, and by what they were known.
func (x *examination) peers(got token.Published, err error, from provider) {
	var unknown *token.UnknownPeer
	seen := got.Peers
	if errors.As(err, &unknown) {
		seen = []token.Peer{unknown.Peer}
		x.refuse(PeerUnknown)
	}
	for _, p := range seen {
		c := evidence.Check{Name: "certificate", Claim: p.Host, Operator: "vouched for by", Want: append([]string{"a trusted authority"}, from.thumbprints...), Got: p.Thumbprints, OK: p.Trusted || p.Pin != ""}
		switch {
		case p.Trusted:
			c.Note = "an authority vouches for it; thumbprints were not looked at"
		case p.Pin != "":
			c.Note = "known by the thumbprint " + p.Pin
		default:
			c.Note = evidence.Clip(unknown.Err.Error())
			c.Fix = "register the thumbprint of the last certificate that the host shows, or have it certified by a public authority"
		}
		x.Provider = append(x.Provider, c)
	}
}
