package token

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/jose"
)

// Names of the checks that a Report holds, in their order there.
const (
	CheckForm      = "form"
	CheckHeader    = "header" // keys that the token brings along, and are not used
	CheckAlgorithm = "algorithm"
	CheckIssuer    = "issuer" // by Verify only: for an exchange the trust decides it
	CheckKeys      = "issuer's keys"
	CheckKey       = "key"
	CheckSignature = "signature"
	CheckExpiry    = "expiry"
	CheckNotBefore = "not before"
	CheckIssuedAt  = "issued at"
)

// ReadAnew begins the note of keys that were read once more for a token.
const ReadAnew = "read anew, as those known before did not verify the signature; "

// Report is every check made of a token itself, passed or not.
type Report struct {
	Checks evidence.Checks `json:"checks"`
}

// OK reports whether every check passed.
func (r Report) OK() bool { return r.Checks.OK() }

// Verifier verifies tokens of an issuer that the caller names.
type Verifier struct {
	Source     KeySource
	Algorithms []string      // allow-list; never "none" or HS*
	Leeway     time.Duration // tolerance of exp, nbf and iat
	Now        func() time.Time
}

// Presented is a token that was read and not verified.
type Presented struct {
	Header map[string]any
	Claims Claims // nil when the payload could not be read
	Parsed *jose.Token
}

// Read reads a token's bytes without trusting them.
func Read(raw string) Presented {
	t := jose.Parse(raw)
	return Presented{Header: t.Header, Claims: Claims(t.Claims), Parsed: t}
}

// Verify checks form, algorithm, key, signature and times of raw with the keys of issuer, and that the
// token's iss is issuer. The claims are returned even when a check failed, with an error then:
// fault.Unauthenticated, fault.Expired when only the expiry failed, or fault.Unavailable when the
// issuer's keys could not be had. The issuer is asked only when form, algorithm and iss are right.
func (v *Verifier) Verify(ctx context.Context, raw, issuer string) (Claims, Report, error) {
	p := Read(raw)
	var r Report
	r.Checks = append(r.Checks, v.Form(p)...)
	r.Checks = append(r.Checks, v.Algorithm(p), evidence.Compare(CheckIssuer, "iss", issuer, p.Claims["iss"]))
	why := ""
	if c, failed := r.Checks.First(); failed {
		why = "not looked at: the check of " + c.Name + " failed"
	}
	proof := v.Proof(ctx, p, issuer, why)
	r.Checks = append(r.Checks, proof...)
	r.Checks = append(r.Checks, v.Times(p.Claims)...)
	return p.Claims, r, r.err(issuer, p.Claims)
}

// err makes the fault of a report.
func (r Report) err(issuer string, claims Claims) error {
	first, failed := r.Checks.First()
	if !failed {
		return nil
	}
	kind := fault.Unauthenticated
	switch first.Name {
	case CheckKeys:
		kind = fault.Unavailable
	case CheckExpiry:
		_, readable := claims.Time("exp")
		if rest := slices.DeleteFunc(slices.Clone(r.Checks), func(c evidence.Check) bool { return c.Name == CheckExpiry }); readable && rest.OK() {
			kind = fault.Expired
		}
	}
	reason := "the check of " + first.Name + " failed"
	if first.Note != "" {
		reason += ": " + first.Note
	}
	return fault.New(kind, "verify token of "+evidence.Clip(issuer), reason)
}

// Form checks what can be seen without any key: the three parts, their JSON, no member twice, no
// extension that would have to be understood. It notes the keys that a header brings and nobody uses.
func (v *Verifier) Form(p Presented) evidence.Checks {
	form := evidence.Check{Name: CheckForm, Operator: "is", Want: []string{"a signed token in compact form"}, OK: p.Parsed.OK()}
	for _, problem := range p.Parsed.Problems {
		form.Got = append(form.Got, evidence.Clip(problem.String()))
	}
	form.Fix = formFix(p)
	checks := evidence.Checks{form}
	for _, name := range p.Parsed.KeyHeaders {
		checks = append(checks, evidence.Check{Name: CheckHeader, Claim: name, Operator: "is not used", OK: true, Note: "a key or address in the token's own header proves nothing and was not used"})
	}
	return checks
}

// formFix is what would mend a token's form, "" when nothing is wrong with it: what was done to its text is
// for who presents it, what its JSON says is for its issuer.
func formFix(p Presented) string {
	if p.Parsed.OK() {
		return ""
	}
	spelling := func(problem jose.Problem) bool { return problem.Part == "token" || problem.Part == "signature" }
	switch {
	case p.Parsed.Algorithm() == "none": // the algorithm is what is wrong, and its check says so
		return ""
	case p.Header["enc"] != nil: // RFC 7516 section 4.1.2
		return "have the issuer sign its tokens and not encrypt them"
	case p.Header == nil, p.Claims == nil, slices.ContainsFunc(p.Parsed.Problems, spelling):
		return "present the token alone: three base64url parts joined by dots, no line break"
	}
	return "have the issuer mend the token: " + evidence.Clip(p.Parsed.Problems[0].String())
}

// Algorithm checks the header's alg against the allow-list.
func (v *Verifier) Algorithm(p Presented) evidence.Check {
	alg := p.Parsed.Algorithm()
	c := evidence.Check{Name: CheckAlgorithm, Claim: "alg", Operator: "one of", Want: slices.Clone(v.Algorithms)}
	if alg != "" {
		c.Got = []string{evidence.Clip(alg)}
	}
	c.OK = jose.Known(alg) && slices.Contains(v.Algorithms, alg)
	if !c.OK && len(v.Algorithms) > 0 {
		c.Fix = "let the issuer sign with " + v.Algorithms[0]
	}
	return c
}

// Proof checks the signature with the keys of issuer: that they can be had, that one of them is the
// token's, and that it made the signature. With why not empty nobody is asked and the checks are marked
// as skipped for that reason.
func (v *Verifier) Proof(ctx context.Context, p Presented, issuer, why string) evidence.Checks {
	keys := evidence.Check{Name: CheckKeys, Operator: "published by", Want: []string{evidence.Clip(issuer)}}
	key := evidence.Check{Name: CheckKey, Claim: "kid", Operator: "one of"}
	sig := evidence.Check{Name: CheckSignature, Operator: "made by"}
	if kid := p.Parsed.KeyID(); kid != "" {
		key.Got = []string{evidence.Clip(kid)}
	}
	if why != "" {
		return skipped(why, keys, key, sig)
	}
	published, err := v.Source.PublicKeys(ctx, issuer, p.Parsed.KeyID())
	if err != nil {
		keys.Note = evidence.Clip(err.Error())
		return append(evidence.Checks{keys}, skipped("the issuer's keys could not be had", key, sig)...)
	}
	checks := v.prove(p, published, keys, key, sig)
	if source, others := v.Source.(Renewer); others {
		anew := ""
		if !checks.OK() {
			if renewed, did := source.RenewedKeys(ctx, issuer, published); did {
				checks, anew = v.prove(p, renewed, keys, key, sig), ReadAnew
			}
		}
		checks[0].Note = strings.TrimSuffix(anew+source.Remarks(issuer), "; ")
	}
	return checks
}

// prove fills in the checks of a signature with the keys that the issuer has.
func (v *Verifier) prove(p Presented, published []PublicKey, keys, key, sig evidence.Check) evidence.Checks {
	keys.OK = true
	for _, k := range published[:min(len(published), evidence.MaxValues)] {
		keys.Got = append(keys.Got, evidence.Clip(k.ID))
	}
	key.Want = keys.Got
	fitting, note := candidates(p.Parsed, published)
	if key.Note = note; len(fitting) == 0 {
		return append(evidence.Checks{keys, key}, skipped("there is no key to check it with", sig)...)
	}
	key.OK = true
	for _, k := range fitting {
		err := jose.Verify(p.Parsed, k.Key, v.Algorithms)
		sig.Want = append(sig.Want, evidence.Clip(k.ID)+" ("+jose.KeyKind(k.Key)+")")
		if err == nil {
			sig.OK, sig.Note = true, ""
			break
		}
		sig.Note = err.Error()
	}
	return evidence.Checks{keys, key, sig}
}

func skipped(why string, checks ...evidence.Check) evidence.Checks {
	for i := range checks {
		checks[i].Skipped, checks[i].Note = true, why
	}
	return checks
}

// Times checks exp, which must be there, and nbf and iat where they are, each with the leeway.
func (v *Verifier) Times(c Claims) evidence.Checks {
	now := v.Now().UTC()
	if c == nil {
		return skipped("the payload could not be read", evidence.Check{Name: CheckExpiry, Claim: "exp"}, evidence.Check{Name: CheckNotBefore, Claim: "nbf"}, evidence.Check{Name: CheckIssuedAt, Claim: "iat"})
	}
	return evidence.Checks{
		v.time(c, CheckExpiry, "exp", "after", now, func(t time.Time) bool { return now.Before(t.Add(v.Leeway)) }),
		v.time(c, CheckNotBefore, "nbf", "not after", now, func(t time.Time) bool { return !now.Before(t.Add(-v.Leeway)) }),
		v.time(c, CheckIssuedAt, "iat", "not after", now, func(t time.Time) bool { return !now.Before(t.Add(-v.Leeway)) }),
	}
}

func (v *Verifier) time(c Claims, name, claim, operator string, now time.Time, holds func(time.Time) bool) evidence.Check {
	check := evidence.Check{Name: name, Claim: claim, Operator: operator, Want: []string{now.Format(time.RFC3339)}}
	if !c.Has(claim) {
		if check.OK = claim != "exp"; check.OK {
			check.Note = "absent, and not required"
		}
		return check
	}
	t, ok := c.Time(claim)
	if !ok {
		check.Got, check.Note = evidence.Values(c[claim]), "not a time in seconds since 1970"
		return check
	}
	check.Got, check.OK = []string{t.Format(time.RFC3339)}, holds(t)
	if check.OK {
		return check
	}
	away := now.Sub(t).Abs().Round(time.Second).String()
	if claim == "exp" {
		check.Note, check.Fix = "expired "+away+" ago", "present a fresh token"
	} else {
		check.Note, check.Fix = "lies "+away+" ahead", "compare the clocks of the issuer and of this server"
	}
	if v.Leeway > 0 {
		check.Note += "; " + v.Leeway.String() + " of difference between clocks is tolerated"
	}
	return check
}
