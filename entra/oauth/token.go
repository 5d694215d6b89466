package oauth

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/entra/aadsts"
	wire "github.com/treatyfed/treaty/wire/oauth"
)

// Times of app-only access tokens (recorded: exp - iat is 3900 s with iat back-dated by five minutes, and
// expires_in counts from now).
const (
	backdated       = 5 * time.Minute
	lifetime        = time.Hour
	managedLifetime = 24 * time.Hour
)

// maxEvidence is what a decision may take in the audit before it is kept in brief, in bytes; with real
// tokens and twenty trusts it takes some twenty thousand.
const maxEvidence = 64 << 10

// serveToken answers the token endpoint. The event is on record before the answer goes out; if it cannot
// be recorded, no token goes out.
func (s *Service) serveToken(w http.ResponseWriter, r *http.Request, c *call) {
	ctx := r.Context()
	c.record.Operation = "token"
	if r.Method != http.MethodPost {
		if r.Method == http.MethodOptions {
			s.headers(w.Header(), c) // no single-page application is registered, so no origin is allowed
			w.WriteHeader(http.StatusNoContent)
			return
		}
		s.refuse(w, c, aadsts.New(aadsts.PostOnly, r.Method))
		return
	}
	if err := c.parse(r); err != nil {
		s.refuse(w, c, s.refusal(ctx, c, err))
		return
	}
	issued, err := s.redeem(ctx, c)
	var refused *aadsts.Error
	if err != nil {
		refused = s.refusal(ctx, c, err)
	}
	if err := s.Audit.Record(ctx, c.event(refused)); err != nil {
		s.refuse(w, c, s.refusal(ctx, c, fmt.Errorf("record decision %s: %w", c.record.ID, err)))
		return
	}
	if refused != nil {
		s.refuse(w, c, refused)
		return
	}
	s.answer(w, c, http.StatusOK, issued, 0)
}

// parse reads the form and the client's credential out of the request.
func (c *call) parse(r *http.Request) error {
	form, err := wire.ParseForm(r)
	if err != nil {
		return aadsts.New(aadsts.RequestMalformed)
	}
	c.form = form
	c.clientID, c.secret = form["client_id"], credentialOf(form["client_secret"])
	id, secret, present, err := wire.Basic(r)
	if err != nil {
		return aadsts.New(aadsts.RequestMalformed)
	}
	if present {
		if c.clientID != "" && !sameGUID(c.clientID, id) || c.secret != "" {
			return aadsts.New(aadsts.RequestMalformed) // one method a request, RFC 6749 section 2.3
		}
		c.clientID, c.secret = id, credentialOf(secret)
	}
	if assertion := form["client_assertion"]; assertion != "" {
		if form["client_assertion_type"] != assertionType {
			return aadsts.New(aadsts.ParameterMissing, "client_assertion_type")
		}
		if c.secret != "" {
			return aadsts.New(aadsts.RequestMalformed)
		}
		c.assertion, c.presented = assertion, token.Read(assertion)
	}
	return nil
}

// redeem carries a token request through its steps and returns the success body. The steps that differ
// between grants are the grant's hooks; the rest cannot be forgotten.
func (s *Service) redeem(ctx context.Context, c *call) ([]byte, error) {
	name := c.form["grant_type"]
	if name == "" {
		return nil, aadsts.New(aadsts.ParameterMissing, "grant_type")
	}
	g, ok := grantNamed(name)
	if !ok {
		return nil, aadsts.New(aadsts.GrantUnsupported, name)
	}
	c.record.Operation = "token " + g.name
	if err := s.findClient(ctx, c, g); err != nil {
		return nil, err
	}
	if err := c.complete(g); err != nil {
		return nil, err
	}
	if err := s.authenticate(ctx, c, g); err != nil {
		return nil, err
	}
	asked, err := g.resource(c)
	if err != nil {
		c.fail(evidence.Check{Name: "scope", Claim: "scope", Operator: "names", Want: []string{"one resource"}, Got: []string{evidence.Clip(c.form["scope"])}, Note: err.Error(),
			Fix: "ask for exactly one scope, RESOURCE/.default"})
		return nil, err
	}
	if c.resource, err = s.findResource(ctx, c.tenant, asked); err != nil {
		c.fail(evidence.Check{Name: "resource", Claim: "scope", Operator: "known in", Want: []string{c.tenant.ID}, Got: []string{evidence.Clip(asked)}, Note: err.Error(),
			Fix: "create the resource's service principal in the tenant, or ask for another resource"})
		return nil, c.scopeRefusal(err)
	}
	claims, err := g.claims(ctx, s, c)
	if err != nil {
		return nil, err
	}
	t, err := s.issue(ctx, c, claims)
	if err != nil {
		return nil, err
	}
	if c.v1 {
		return t.V1()
	}
	return t.V2()
}

// issue signs an access token in the resource's version, with the tenant's ring.
func (s *Service) issue(ctx context.Context, c *call, claims token.Claims) (wire.Token, error) {
	issuer := token.Issuer{Keys: s.Keys, Ring: RingOf(c.tenant), Algorithm: "RS256", Type: "JWT", X5T: c.resource.version == 1}
	raw, err := issuer.Issue(ctx, claims)
	if err != nil {
		return wire.Token{}, fmt.Errorf("issue token for %s: %w", c.client.appID, err)
	}
	return wire.Token{
		AccessToken: raw,
		ExpiresIn:   c.client.lifetime() - time.Second,
		NotBefore:   c.now.Add(-backdated),
		ExpiresOn:   c.now.Add(c.client.lifetime()),
		Resource:    c.resource.asked,
	}, nil
}

// event is what the audit keeps of the request: who asked for what, the answer, and all that was found
// out about the credential.
func (c *call) event(refused *aadsts.Error) audit.Event {
	c.record.Caller = evidence.Clip(c.clientID)
	e := audit.Event{
		RequestID:     c.record.ID,
		CorrelationID: c.record.CorrelationID,
		Time:          c.now,
		Surface:       c.record.Surface,
		Operation:     c.record.Operation,
		Caller:        evidence.Clip(c.clientID),
		Resource:      evidence.Clip(c.wanted()),
		Outcome:       audit.Allowed,
	}
	if refused != nil {
		e.Outcome, e.Code = audit.Refused, refused.Code.String()
	}
	if !c.decision.DecidedAt.IsZero() {
		if decision, err := c.decision.JSON(maxEvidence); err == nil {
			e.Evidence = decision
		}
	}
	return e
}
