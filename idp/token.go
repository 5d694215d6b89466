package idp

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	wire "github.com/treatyfed/treaty/wire/oauth"
)

// answer is the body of a token that was issued (RFC 6749 section 5.1, RFC 8693 section 2.2.1).
type answer struct {
	AccessToken string `json:"access_token"`
	IssuedType  string `json:"issued_token_type,omitempty"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope,omitempty"`
}

// serveToken answers the token endpoint. The event is on record before the answer goes out; if it cannot
// be recorded, no token goes out.
func (s *Service) serveToken(w http.ResponseWriter, r *http.Request, a asked) {
	ctx, c := r.Context(), s.begin(w, r, a)
	c.record.Operation = "token"
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		c.record.Code = invalidRequest
		s.writeRefusal(w, &Refusal{Code: invalidRequest, Description: "the token endpoint takes POST", Status: http.StatusMethodNotAllowed})
		return
	}
	issued, err := s.redeem(ctx, r, c)
	refused := s.refusal(ctx, c, err)
	if err := s.keep(ctx, c, refused); err != nil {
		refused = s.refusal(ctx, c, err)
	}
	if refused != nil {
		s.writeRefusal(w, refused)
		return
	}
	s.writeJSON(w, http.StatusOK, issued)
}

// redeem carries a token request through its steps.
func (s *Service) redeem(ctx context.Context, r *http.Request, c *call) (answer, error) {
	var err error
	if c.form, c.repeated, err = wire.ParseRepeated(r, "audience", "resource"); err != nil {
		return answer{}, malformed(err)
	}
	name := c.form["grant_type"]
	if name == "" {
		return answer{}, refuse(invalidRequest, "grant_type is missing; the body must be application/x-www-form-urlencoded")
	}
	g, known := grantNamed(name)
	if c.grant = g; !known {
		return answer{}, refuse(unsupportedGrantType, "grant_type "+evidence.ClipTo(name, 128)+" is not supported")
	}
	c.record.Operation = "token " + g.short
	if err := s.authenticate(ctx, r, c); err != nil {
		return answer{}, err
	}
	if !c.mayUse(g) {
		return answer{}, refuse(unauthorizedClient, "the client may not use grant_type "+g.name)
	}
	m, err := g.mint(s, ctx, c)
	if err != nil {
		return answer{}, err
	}
	minted, err := s.mint(ctx, c, m)
	if err != nil {
		return answer{}, unruly(err)
	}
	out := answer{AccessToken: minted.Token, TokenType: "Bearer", ExpiresIn: int64(minted.Lifetime() / time.Second), Scope: grantedScope(minted.Claims, m.Scope)}
	if g.name == tokenExchange.name {
		out.IssuedType = cmp.Or(c.form["requested_token_type"], typeAccess)
		if out.IssuedType == typeID {
			out.TokenType = "N_A" // RFC 8693 section 2.2.1: it is no access token
		}
	}
	return out, nil
}

// malformed words why a form could not be read.
func malformed(err error) error {
	if errors.Is(err, wire.ErrTooLarge) {
		return refuse(invalidRequest, "the request is larger than allowed")
	}
	return refuse(invalidRequest, "the request's form is malformed, or has a parameter twice")
}

// unruly tells a rule that failed, which the client may have caused, from failures of our own.
func unruly(err error) error {
	if errors.Is(err, fault.Invalid) || errors.Is(err, fault.LimitExceeded) {
		return refuse(invalidRequest, "the claims could not be computed: "+err.Error())
	}
	return err
}

// grantedScope is the scope that the token has, as text or as a list, else the one that was asked for.
func grantedScope(claims token.Claims, asked string) string {
	for _, name := range [...]string{"scope", "scp"} {
		if s := strings.Join(claims.Texts(name), " "); s != "" {
			return s
		}
	}
	return asked
}
