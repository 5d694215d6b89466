package idp

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
	"github.com/treatyfed/treaty/wire/jose"
)

// ForeignAlgorithms are those that a foreign token may be signed with when the Verifier has no list.
var ForeignAlgorithms = slices.Concat(jose.RSAPKCS1, jose.RSAPSS, jose.Elliptic)

// Types of tokens (RFC 8693 section 3). What is issued is a JWT whatever it is asked for as.
const (
	typeAccess = "urn:ietf:params:oauth:token-type:access_token"
	typeID     = "urn:ietf:params:oauth:token-type:id_token"
	typeJWT    = "urn:ietf:params:oauth:token-type:jwt"
)

var tokenTypes = []string{typeAccess, typeID, typeJWT}

// forExchange trades a foreign token, and maybe an actor's, for one of ours (RFC 8693 section 2.1). A token
// that is not accepted is invalid_request there (section 2.2.2).
func (s *Service) forExchange(ctx context.Context, c *call) (Mint, error) {
	m, err := c.want()
	if err != nil {
		return m, err
	}
	if err := exchangeForm(c); err != nil {
		return m, err
	}
	subject := s.judge(ctx, c, c.form["subject_token"])
	c.evidence.Subject = decided(subject)
	var actor trust.Decision
	acts := c.form["actor_token"] != ""
	if acts {
		actor = s.judge(ctx, c, c.form["actor_token"])
		c.evidence.Actor = decided(actor)
	}
	switch {
	case !subject.OK():
		return m, refuse(invalidRequest, "subject_token is not accepted: "+reason(subject))
	case acts && !actor.OK():
		return m, refuse(invalidRequest, "actor_token is not accepted: "+reason(actor))
	}
	m.Subject = subject.Claims
	if acts {
		m.actor = actor.Claims
		return m, mayAct(subject.Claims, actor.Claims)
	}
	return m, nil
}

// exchangeForm checks the parameters that go with the tokens.
func exchangeForm(c *call) error {
	f := c.form
	for _, name := range [...]string{"subject_token", "subject_token_type"} {
		if f[name] == "" {
			return refuse(invalidRequest, name+" is missing")
		}
	}
	if (f["actor_token"] == "") != (f["actor_token_type"] == "") {
		return refuse(invalidRequest, "actor_token and actor_token_type come together or not at all")
	}
	for _, name := range [...]string{"subject_token_type", "actor_token_type", "requested_token_type"} {
		if v := f[name]; v != "" && !slices.Contains(tokenTypes, v) {
			return refuse(invalidRequest, name+" "+evidence.ClipTo(v, 128)+" is not supported; access_token, id_token and jwt are")
		}
	}
	return nil
}

// forAssertion trades an assertion for a token (RFC 7523 section 2.1).
func (s *Service) forAssertion(ctx context.Context, c *call) (Mint, error) {
	m, err := c.want()
	if err != nil {
		return m, err
	}
	if c.form["assertion"] == "" {
		return m, refuse(invalidRequest, "assertion is missing")
	}
	d := s.judge(ctx, c, c.form["assertion"])
	c.evidence.Subject = decided(d)
	if !d.OK() {
		return m, refuse(invalidGrant, "assertion is not accepted: "+reason(d))
	}
	m.Subject = d.Claims
	return m, nil
}

// judge decides on a foreign token by the issuers that ours accepts: no other is ever asked for keys. A
// token of ours is a foreign one like any other.
func (s *Service) judge(ctx context.Context, c *call, raw string) trust.Decision {
	e := trust.Exchange{Verifier: s.Verifier}
	if len(e.Verifier.Algorithms) == 0 {
		e.Verifier.Algorithms = ForeignAlgorithms
	}
	return e.Decide(ctx, raw, trusts(c.issuer))
}

// trusts are what an issuer accepts. Without a subject, any is accepted.
func trusts(i directory.Issuer) []trust.Trust {
	out := make([]trust.Trust, 0, len(i.Accepts))
	for n, a := range i.Accepts {
		name := fmt.Sprintf("accepts[%d]", n)
		t := trust.Federated(name, name, a.Issuer, a.Subject, "", a.Audiences)
		if a.Subject == "" {
			t.Conditions = slices.DeleteFunc(t.Conditions, func(c trust.Condition) bool { return c.Name == trust.SubjectCondition })
		}
		out = append(out, t)
	}
	return out
}

// mayAct holds the subject token's may_act, if it has one, against the actor: its members are claims that
// identify who may act (RFC 8693 section 4.4), so that the actor must have all of them, and there must be one.
func mayAct(subject, actor token.Claims) error {
	if !subject.Has("may_act") {
		return nil
	}
	allowed, is := subject["may_act"].(map[string]any)
	if !is || len(allowed) == 0 {
		return refuse(invalidRequest, "actor_token is not accepted: the subject token's may_act identifies nobody")
	}
	var others []string
	for name, want := range allowed {
		if got, has := actor[name]; !has || !reflect.DeepEqual(want, got) {
			others = append(others, name)
		}
	}
	if len(others) > 0 {
		slices.Sort(others)
		return refuse(invalidRequest, "actor_token is not accepted: the subject token's may_act names another "+list(others))
	}
	return nil
}

// reason says which claim of a token failed which condition, in words for its sender. What happened when
// keys were fetched stays in the evidence.
func reason(d trust.Decision) string {
	parts := []string{string(d.Reason)}
	if d.Reason == trust.DiscoveryFailed {
		return parts[0] + ": the keys of " + d.Detail + " could not be had"
	}
	checks := slices.Clone(d.Report.Checks)
	if len(d.Verdicts) > 0 {
		checks = append(checks, d.Verdicts[0].Checks...)
	}
	if d.Reason == trust.NoTrusts {
		parts = append(parts, "the issuer accepts no tokens of others")
	}
	for _, c := range checks {
		if !c.OK && !c.Skipped && len(parts) < 4 {
			parts = append(parts, failure(c))
		}
	}
	return strings.Join(parts, "; ")
}

// failure says in one line what a check wanted and got.
func failure(c evidence.Check) string {
	var b strings.Builder
	b.WriteString("the check of " + c.Name + " failed")
	if c.Claim != "" {
		b.WriteString(": claim " + c.Claim)
		if len(c.Want) > 0 {
			b.WriteString(", wanted " + c.Operator + " " + list(c.Want))
		}
		if len(c.Got) > 0 {
			b.WriteString(", got " + list(c.Got))
		}
	}
	if c.Note != "" {
		b.WriteString(" (" + evidence.ClipTo(c.Note, 200) + ")")
	}
	return b.String()
}

func list(values []string) string {
	shown := make([]string, 0, 4)
	for _, v := range values[:min(len(values), 3)] {
		shown = append(shown, "'"+evidence.ClipTo(v, 128)+"'")
	}
	if len(values) > len(shown) {
		shown = append(shown, "...")
	}
	return strings.Join(shown, ", ")
}
