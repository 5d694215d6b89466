package oauth

import (
	"context"

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
	bySecret    = "1"
	byAssertion = "2"
)

func credentialOf(s string) credential.Secret { return credential.Secret(s) }

// authenticate judges the one credential that the client presented.
func (s *Service) authenticate(ctx context.Context, c *call, g grant) error {
	switch {
	case c.assertion != "":
		return s.byAssertion(ctx, c)
	case c.secret != "":
		return s.bySecret(c)
	case !g.confidential:
		return nil
	case g.name == clientCredentials.name:
		return aadsts.New(aadsts.CredentialRequired, g.name)
	}
	return aadsts.New(aadsts.CredentialParameter)
}

// bySecret compares the secret with every one that the application has; several may be live at once.
// All are looked at whatever matches, so that timing tells nothing.
func (s *Service) bySecret(c *call) error {
	app := c.application
	if app.PublicClient && len(app.Secrets) == 0 {
		return aadsts.New(aadsts.ClientPublic)
	}
	var known, live bool
	for _, candidate := range app.Secrets {
		if s.Sealer.Matches(c.secret, candidate.Hash) {
			known = true
			live = live || !c.now.Before(candidate.NotBefore) && c.now.Before(candidate.NotAfter)
		}
	}
	c.decide(evidence.Checks{
		{Name: "client secret", Operator: "equals", OK: known, Fix: unless(known, "send the secret's value, not its id")},
		{Name: "secret lifetime", Operator: "before", OK: live, Skipped: !known, Fix: unless(live || !known, "add a new secret to the application")},
	}, nil, nil)
	switch {
	case !known:
		c.decision.Reason = "client secret"
		return aadsts.New(aadsts.SecretInvalid, app.AppID)
	case !live:
		c.decision.Reason = "secret lifetime"
		return aadsts.New(aadsts.SecretExpired, app.AppID)
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
