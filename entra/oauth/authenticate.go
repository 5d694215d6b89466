package oauth

import (
	"context"
	"strings"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
	"github.com/treatyfed/treaty/entra/aadsts"
)

// assertionType is the client_assertion_type of a JWT (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// How the client proved itself, as the claims appidacr and azpacr say it (Microsoft, "Access token claims
// reference").
const (
	byNothing   = "0"
	bySecret    = "1"
	byAssertion = "2"
)

// Names of the checks of a client's credential, beside those of an assertion.
const (
	checkCredential = "client credential"
	checkSecret     = "client secret"
	checkLifetime   = "secret lifetime"
)

func credentialOf(s string) credential.Secret { return credential.Secret(s) }

// authenticate judges the one credential that the client presented, or that it presented none, and leaves
// the evidence in the call's decision. It is the same for every grant, and comes before any of the grant's
// own steps: whoever has not passed here makes none of them run.
func (s *Service) authenticate(ctx context.Context, c *call, g grant) error {
	switch {
	case c.assertion != "" && c.signedByClient():
		return s.judgeCertificate(ctx, c)
	case c.assertion != "":
		return s.judgeFederated(ctx, c)
	case c.secret != "":
		return s.judgeSecret(c)
	}
	return c.judgeNothing(g)
}

// signedByClient tells the two kinds of assertion apart: one that the client signed itself has the client
// as its issuer, any other is a federated credential's.
func (c *call) signedByClient() bool {
	issuer := c.presented.Claims.Text("iss")
	return isGUID(issuer) || issuer != "" && strings.EqualFold(issuer, c.clientID)
}

// judgeNothing lets a public client do without a credential where the grant admits public clients.
func (c *call) judgeNothing(g grant) error {
	ok := c.client.public && !g.confidential
	check := evidence.Check{Name: checkCredential, Operator: "present", Want: []string{"client_assertion", "client_secret"}, OK: ok}
	if ok {
		check.Note = "a public client needs none for this grant"
		c.decide(evidence.Checks{check}, nil, nil)
		c.strength = byNothing
		return nil
	}
	check.Fix = "send a client_assertion or a client_secret of the client"
	c.decide(evidence.Checks{check}, nil, nil)
	c.decision.Reason = checkCredential
	if g.name == clientCredentials.name { // this grant has words of its own for it
		return aadsts.New(aadsts.CredentialRequired, g.name)
	}
	return aadsts.New(aadsts.CredentialParameter)
}

// refusePublic is the answer to a credential that a public client, which has none, presents.
func (c *call) refusePublic() error {
	c.decide(evidence.Checks{{Name: trust.CheckClient, Operator: "equals", Want: []string{"confidential"}, Got: []string{"public"},
		Fix: "send neither client_assertion nor client_secret, or add a credential to the application"}}, c.presented.Header, c.presented.Claims)
	c.decision.Reason = trust.CheckClient
	return aadsts.New(aadsts.ClientPublic)
}

// judgeSecret compares the secret with every one that the client has; several may be live at once. All are
// looked at whatever matches, so that timing tells nothing.
func (s *Service) judgeSecret(c *call) error {
	if c.client.public && len(c.client.secrets) == 0 {
		return c.refusePublic()
	}
	var known, live bool
	for _, candidate := range c.client.secrets {
		if s.Sealer.Matches(c.secret, candidate.Hash) {
			known = true
			live = live || !c.now.Before(candidate.NotBefore) && c.now.Before(candidate.NotAfter)
		}
	}
	fix := "send the secret's value, not its id"
	if c.client.managed() {
		fix = "present a federated assertion: a managed identity has no secrets"
	}
	c.decide(evidence.Checks{
		{Name: checkSecret, Operator: "equals", OK: known, Fix: unless(known, fix)},
		{Name: checkLifetime, Operator: "before", OK: live, Skipped: !known, Fix: unless(live || !known, "add a new secret to the application")},
	}, nil, nil)
	switch {
	case !known:
		c.decision.Reason = checkSecret
		return aadsts.New(aadsts.SecretInvalid, c.client.appID)
	case !live:
		c.decision.Reason = checkLifetime
		return aadsts.New(aadsts.SecretExpired, c.client.appID)
	}
	c.strength = bySecret
	return nil
}

// decide keeps the evidence about a credential that is no federated one, in the same form; its reason,
// when it is refused, is the name of the check that failed.
func (c *call) decide(checks evidence.Checks, header map[string]any, claims token.Claims) {
	c.decision = trust.Decision{Header: header, Claims: claims, Report: token.Report{Checks: checks}, DecidedAt: c.now}
}

// fail adds a check that was made after the credential was accepted, and that refuses the request.
func (c *call) fail(check evidence.Check) {
	c.decision.Report.Checks = append(c.decision.Report.Checks, check)
	c.decision.Reason = trust.Reason(check.Name)
}

func unless(ok bool, fix string) string {
	if ok {
		return ""
	}
	return fix
}
