package idp

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
	wire "github.com/treatyfed/treaty/wire/oauth"
)

// How a client authenticates (OpenID Connect Core 1.0 section 9).
const (
	bySecretBasic = "client_secret_basic"
	bySecretPost  = "client_secret_post"
	byPrivateKey  = "private_key_jwt"
)

// assertionType is the client_assertion_type of a JWT (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Names of the checks of a client's authentication, beside those of a token itself.
const (
	checkMethods  = "authentication methods"
	checkKnown    = "client"
	checkSecret   = "client secret"
	checkLifetime = "secret lifetime"
)

// presented is the credential that a request brings.
type presented struct {
	methods   []string
	id        string // the client as the request names it
	secret    credential.Secret
	assertion token.Presented
}

// authenticate finds the client and judges the one credential that it presented. It is the only way to a
// client, whatever the grant.
func (s *Service) authenticate(ctx context.Context, r *http.Request, c *call) error {
	p, err := present(r, c.form)
	c.record.Caller = evidence.Clip(p.id)
	if err != nil {
		return c.unauthentic(p, err)
	}
	one := evidence.Check{Name: checkMethods, Operator: "exactly one", Got: p.methods, OK: len(p.methods) == 1}
	c.evidence.Client = evidence.Checks{one}
	switch {
	case len(p.methods) == 0:
		return c.unauthentic(p, refuse(invalidClient, "the request has no client credential: send client_secret_basic, client_secret_post or private_key_jwt"))
	case !one.OK:
		return c.unauthentic(p, refuse(invalidRequest, "the client authenticates by more than one method; RFC 6749 section 2.3 allows one a request"))
	}
	c.evidence.Method = p.methods[0]
	client, known := clientOf(c.issuer, p.id)
	check := evidence.Check{Name: checkKnown, Operator: "registered with", Want: []string{c.issuer.Name}, Got: []string{evidence.Clip(p.id)}, OK: known}
	if p.methods[0] == byPrivateKey {
		c.evidence.Client = append(append(c.evidence.Client, p.form()...), check)
		err = s.byPrivateKey(ctx, c, p, client)
	} else {
		c.evidence.Client = append(c.evidence.Client, check)
		err = s.bySecret(c, p, client)
	}
	if err != nil {
		return c.unauthentic(p, err)
	}
	c.client = client
	return nil
}

// present reads the credential out of header and form.
func present(r *http.Request, form wire.Form) (p presented, err error) {
	p.id = form["client_id"]
	id, secret, basic, err := wire.Basic(r)
	if basic {
		p.methods = append(p.methods, bySecretBasic)
	}
	if err != nil {
		return p, refuse(invalidClient, "the Authorization header holds no client credentials that could be read")
	}
	if basic {
		if p.id != "" && p.id != id {
			return p, refuse(invalidRequest, "client_id is another client than the Authorization header's")
		}
		p.id, p.secret = id, credential.Secret(secret)
	}
	if posted := form["client_secret"]; posted != "" {
		p.methods, p.secret = append(p.methods, bySecretPost), credential.Secret(posted)
	}
	assertion, kind := form["client_assertion"], form["client_assertion_type"]
	switch {
	case assertion == "" && kind == "":
		return p, nil
	case assertion == "":
		return p, refuse(invalidRequest, "client_assertion_type comes without client_assertion")
	case kind != assertionType:
		return p, refuse(invalidRequest, "client_assertion_type must be "+assertionType)
	}
	p.methods, p.assertion = append(p.methods, byPrivateKey), token.Read(assertion)
	if p.id == "" { // RFC 7521 section 4.2: client_id may be left out
		p.id = p.assertion.Claims.Text("sub")
	}
	return p, nil
}

// unauthentic gives a refusal its challenge: who came by Basic is told so (RFC 6749 section 5.2).
func (c *call) unauthentic(p presented, err error) error {
	var e *Refusal
	if errors.As(err, &e) && e.Code == invalidClient && slices.Contains(p.methods, bySecretBasic) {
		e.challenge = `Basic realm="` + c.issuer.URL + `"`
	}
	return err
}

// bySecret compares the secret with every one that the client has; several may be live at once. All are
// looked at whatever matches, and one hash is made for a client that is not known or has none, so that
// timing tells nothing.
func (s *Service) bySecret(c *call, p presented, client directory.IssuerClient) error {
	var known, live bool
	if len(client.Secrets) == 0 {
		_ = s.Sealer.Matches(p.secret, nil)
	}
	for _, candidate := range client.Secrets {
		if s.Sealer.Matches(p.secret, candidate.Hash) {
			known, live = true, live || c.valid(candidate)
		}
	}
	return c.secretFound(known, live, "there is no such client, or its secret is another")
}

// valid reports whether a secret may be used now.
func (c *call) valid(secret directory.ClientSecret) bool {
	begun := secret.NotBefore.IsZero() || !c.now.Before(secret.NotBefore)
	return begun && (secret.NotAfter.IsZero() || c.now.Before(secret.NotAfter))
}

// secretFound keeps what became of a secret, and refuses one that is unknown or not valid now.
func (c *call) secretFound(known, live bool, unknown string) error {
	c.evidence.Client = append(c.evidence.Client,
		evidence.Check{Name: checkSecret, Operator: "equals", OK: known},
		evidence.Check{Name: checkLifetime, Operator: "within", OK: live, Skipped: !known})
	switch {
	case !known:
		return refuse(invalidClient, unknown)
	case !live:
		return refuse(invalidClient, "the client's secret is not valid now")
	}
	return nil
}
