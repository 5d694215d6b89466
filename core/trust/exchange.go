package trust

import (
	"context"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
)

// Reason names why a decision refuses; "" when it accepts. Surfaces map it to their cloud's code.
type Reason string

// Reasons for refusal, in the order in which they are looked for: when several hold, the first is the answer.
const (
	Malformed          Reason = "malformed token"
	MissingClaim       Reason = "missing claim"       // Detail: the claim
	AlgorithmRefused   Reason = "algorithm refused"   // Detail: the algorithm
	OwnUserToken       Reason = "own user token"      // the token is ours, and a person's
	OwnAudience        Reason = "own token, audience" // ours, with an audience that may not be exchanged
	OwnAppToken        Reason = "own app token"       // ours, but no managed identity's
	OwnTenant          Reason = "own token, tenant"   // a managed identity's of another tenant
	NoTrusts           Reason = "no trusts"           // the owner has none at all
	IssuerUnknown      Reason = "issuer unknown"      // Detail: the token's issuer
	ExpressionIssuer   Reason = "expression issuer"   // expressions are not admitted for this issuer; Detail: it
	SubjectCase        Reason = "subject case"        // equal but for case
	ExpressionMismatch Reason = "expression mismatch" // no subject equal, and an expression did not match either
	SubjectMismatch    Reason = "subject mismatch"    // Detail: the token's subject
	AudienceMismatch   Reason = "audience mismatch"   // Detail: the token's audience
	DiscoveryFailed    Reason = "discovery failed"    // the issuer's documents could not be had or contradict it; Detail: the issuer
	KeyUnknown         Reason = "key unknown"         // Detail: kid
	SignatureInvalid   Reason = "signature invalid"   // Detail: kid
	TimeInvalid        Reason = "time invalid"        // Detail: the claim: exp, nbf or iat
)

// Names of checks: that a required claim is there, and, by the surface, that the client is of a kind that
// can have trusts.
const (
	CheckClaim  = "required claim"
	CheckClient = "client type"
)

// Decision is everything that was found out about a token presented for an owner's trusts.
type Decision struct {
	Reason    Reason          `json:"reason,omitempty"`
	Detail    string          `json:"detail,omitempty"` // the offending value
	Header    map[string]any  `json:"header,omitempty"`
	Claims    token.Claims    `json:"claims,omitempty"`
	Own       evidence.Checks `json:"own,omitempty"`   // checks on tokens that we issued ourselves
	Report    token.Report    `json:"report"`          // form, claims, algorithm, keys, signature, times
	Verdicts  []Verdict       `json:"verdicts"`        // one a trust, the one that decided first, then nearest first
	Trust     string          `json:"trust,omitempty"` // name of the trust that matched
	DecidedAt time.Time       `json:"decidedAt"`
}

// OK reports whether the token is accepted.
func (d Decision) OK() bool { return d.Reason == "" }

// OwnTokens says which issuers are our own, and what must hold of a token of theirs; nil when there are
// none. It returns the checks made, and "" or the reason of a refusal. It must not do I/O.
type OwnTokens func(c token.Claims) (ours bool, checks evidence.Checks, reason Reason)

// Exchange decides whether a token may stand in for the owner of a set of trusts.
type Exchange struct {
	Verifier token.Verifier
	Own      OwnTokens
	// ExpressionIssuer says which issuers may be trusted by expression; nil admits none.
	ExpressionIssuer func(issuer string) bool
}

// Decide evaluates raw against every trust and, only when one of them matches in full, verifies it with
// that trust's issuer's keys: no other issuer is ever contacted. It never stops at a failure that still
// lets it look at something else.
func (e *Exchange) Decide(ctx context.Context, raw string, trusts []Trust) Decision {
	return e.DecideRead(ctx, token.Read(raw), trusts)
}

// DecideRead is Decide for a token that was read already.
func (e *Exchange) DecideRead(ctx context.Context, p token.Presented, trusts []Trust) Decision {
	d := Decision{Header: p.Header, Claims: p.Claims, DecidedAt: e.Verifier.Now().UTC()}
	form, required, algorithm := e.Verifier.Form(p), requireClaims(p.Claims), e.Verifier.Algorithm(p)
	d.Report.Checks = append(append(append(d.Report.Checks, form...), required...), algorithm)

	switch c, missing := required.First(); {
	case !form.OK():
		d.Reason = Malformed
	case missing:
		d.refuse(MissingClaim, c.Claim)
	case !algorithm.OK:
		d.refuse(AlgorithmRefused, p.Parsed.Algorithm())
	}
	d.own(e.Own)
	d.match(trusts, e.ExpressionIssuer)

	why := ""
	if d.Reason != "" {
		why = "not asked: " + string(d.Reason)
	}
	proof := e.Verifier.Proof(ctx, p, p.Claims.Text("iss"), why)
	times := e.Verifier.Times(p.Claims)
	d.Report.Checks = append(append(d.Report.Checks, proof...), times...)
	d.prove(proof, times, p)
	if !d.OK() {
		d.Trust = ""
	}
	return d
}

// refuse sets the reason, unless an earlier one stands.
func (d *Decision) refuse(r Reason, detail string) {
	if d.Reason == "" {
		d.Reason, d.Detail = r, evidence.Clip(detail)
	}
}

// requireClaims checks that the claims of every assertion are there: iss and sub (RFC 7523 section 3
// numbers 1 and 2) and exp (4) with a value, aud (3) with at least one. A sub may be of any type.
func requireClaims(c token.Claims) evidence.Checks {
	checks := make(evidence.Checks, 0, 4)
	for _, name := range [...]string{"iss", "sub", "aud", "exp"} {
		check := evidence.Check{Name: CheckClaim, Claim: name, Operator: "present"}
		v := c[name]
		switch {
		case c == nil:
			check.Skipped, check.Note = true, "the payload could not be read"
		case !c.Has(name):
			check.Note = "the token has no claim " + name
		case v == nil || v == "":
			check.Got, check.Note = evidence.Values(v), "the claim is empty"
		case name == "iss" && c.Text(name) == "":
			check.Got, check.Note = evidence.Values(v), "the claim is not a string"
		case name == "aud" && len(c.Texts(name)) == 0:
			check.Got, check.Note = evidence.Values(v), "the claim is neither a string nor an array of strings"
		default:
			check.OK, check.Got = true, evidence.Values(v)
		}
		checks = append(checks, check)
	}
	return checks
}

func (d *Decision) own(rule OwnTokens) {
	if rule == nil || d.Claims == nil {
		return
	}
	ours, checks, reason := rule(d.Claims)
	if !ours {
		return
	}
	d.Own = checks
	if reason != "" {
		d.refuse(reason, d.Claims.Text("iss"))
	}
}

// match fills the verdicts and, if nothing was wrong before, finds the trust or the reason that there is none.
func (d *Decision) match(trusts []Trust, admitted func(string) bool) {
	iss := d.Claims.Text("iss")
	verdicts := make([]Verdict, len(trusts))
	for i, t := range trusts {
		verdicts[i] = Match(t, d.Claims)
		if admitted == nil || !admitted(iss) {
			verdicts[i].forbidExpressions()
		}
	}
	order := rank(verdicts)
	reason, detail, about := choose(trusts, verdicts, order, d.Claims)
	d.refuse(reason, detail)
	d.Verdicts = make([]Verdict, 0, len(verdicts))
	if about >= 0 {
		d.Verdicts = append(d.Verdicts, verdicts[about])
		if reason == "" && d.Reason == "" {
			d.Trust = verdicts[about].Trust
		}
	}
	for _, i := range order {
		if i != about {
			d.Verdicts = append(d.Verdicts, verdicts[i])
		}
	}
}

// noteForbidden is what an expression's check says when the issuer may not be trusted by one.
const noteForbidden = "this issuer may not be trusted by an expression"

// forbidExpressions fails the expressions of a trust whose issuer holds.
func (v *Verdict) forbidExpressions() {
	if failed(*v, IssuerCondition) == 1 {
		return
	}
	for i := range v.Checks {
		if c := &v.Checks[i]; c.Operator == string(Matches) {
			c.OK, c.Note, c.Fix = false, noteForbidden, "give the trust an exact subject in place of the expression"
		}
	}
}

// choose finds the verdict that decides: the first that holds in full, or the one that stands for the
// first reason of refusal that applies. About is its index, -1 without trusts.
func choose(trusts []Trust, verdicts []Verdict, order []int, c token.Claims) (reason Reason, detail string, about int) {
	if len(verdicts) == 0 {
		return NoTrusts, "", -1
	}
	nearest := order[0]
	subject := strings.Join(evidence.Values(c["sub"]), ",")
	switch {
	case verdicts[nearest].OK():
		return "", "", nearest
	case failed(verdicts[nearest], IssuerCondition) == 1:
		return IssuerUnknown, c.Text("iss"), nearest
	case failed(verdicts[nearest], SubjectCondition) == 0:
		return AudienceMismatch, strings.Join(c.Texts("aud"), ","), nearest
	}
	for _, look := range [...]struct {
		reason  Reason
		detail  string
		applies func(cond Condition, check evidence.Check) bool
	}{
		{ExpressionIssuer, c.Text("iss"), func(_ Condition, check evidence.Check) bool { return check.Note == noteForbidden }},
		{SubjectCase, subject, func(cond Condition, _ evidence.Check) bool { return cond.Operator == Equals && differsByCase(cond, c) }},
		{ExpressionMismatch, subject, func(cond Condition, _ evidence.Check) bool { return cond.Operator == Matches }},
	} {
		for _, i := range order {
			if failed(verdicts[i], IssuerCondition) == 1 {
				continue
			}
			for j, cond := range trusts[i].Conditions {
				if cond.Name == SubjectCondition && look.applies(cond, verdicts[i].Checks[j]) {
					return look.reason, look.detail, i
				}
			}
		}
	}
	return SubjectMismatch, subject, nearest
}

func differsByCase(cond Condition, c token.Claims) bool {
	for _, want := range cond.Want {
		if strings.EqualFold(want, c.Text(cond.Claim)) {
			return true
		}
	}
	return false
}

// prove draws the reason from the checks of keys, signature and times.
func (d *Decision) prove(proof, times evidence.Checks, p token.Presented) {
	if d.Reason != "" {
		return
	}
	if c, bad := proof.First(); bad {
		switch c.Name {
		case token.CheckKeys:
			d.refuse(DiscoveryFailed, p.Claims.Text("iss"))
		case token.CheckKey:
			d.refuse(KeyUnknown, p.Parsed.KeyID())
		default:
			d.refuse(SignatureInvalid, p.Parsed.KeyID())
		}
	}
	if c, bad := times.First(); bad {
		d.refuse(TimeInvalid, c.Claim)
	}
}
