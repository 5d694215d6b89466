package idp

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/idp/rule"
	"github.com/treatyfed/treaty/wire/jose"
)

// Lifetimes of tokens.
const (
	defaultLifetime = time.Hour
	shortest        = time.Second
	longest         = 24 * time.Hour
)

// Mint is what a token is to be made from. Rules read it: request.scope, request.audience,
// request.parameters, and the members of subject.
type Mint struct {
	Client     string         // id; "" for the rules of the issuer alone
	Audience   []string       // what the token is for
	Resource   []string       // likewise, as addresses (RFC 8707)
	Scope      string         // separated by spaces
	Parameters map[string]any // any further
	Subject    map[string]any // claims of a subject token
	Lifetime   time.Duration  // 0 for the client's

	grant string         // what request.grant and the audit say; "" is "mint"
	actor map[string]any // claims of an actor token
}

// Minted is a token that was issued.
type Minted struct {
	Token     string
	Claims    token.Claims
	Algorithm string
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Lifetime is how long the token is valid from now on.
func (m Minted) Lifetime() time.Duration { return m.ExpiresAt.Sub(m.IssuedAt) }

// Mint issues a token without any authentication, for administrators and tests. It is on record like
// every token. A rule that fails is fault.Invalid.
func (s *Service) Mint(ctx context.Context, name string, m Mint) (Minted, error) {
	i, err := s.Issuers.Issuer(ctx, name)
	if err != nil {
		return Minted{}, err
	}
	c := s.newCall(ctx, asked{issuer: i, preset: presetOf(i)})
	m.grant = cmp.Or(m.grant, "mint")
	c.record.Operation, c.record.Caller = "token "+m.grant, evidence.Clip(m.Client)
	if m.Client != "" {
		var known bool
		if c.client, known = clientOf(i, m.Client); !known {
			return Minted{}, fault.New(fault.NotFound, "client "+evidence.Clip(m.Client)+" of issuer "+i.Name, "")
		}
	}
	minted, err := s.mint(ctx, c, m)
	var refused *Refusal
	if err != nil && !errors.As(unruly(err), &refused) {
		return Minted{}, err
	}
	if kept := s.keep(ctx, c, refused); kept != nil {
		return Minted{}, kept
	}
	return minted, err
}

// mint computes the claims and signs them: the rules of the client over those of the issuer over those of
// the preset, and over all what the issuer itself says.
func (s *Service) mint(ctx context.Context, c *call, m Mint) (Minted, error) {
	i, p := c.issuer, c.preset
	now := s.Now().UTC().Truncate(time.Second)
	lifetime := cmp.Or(m.Lifetime, c.client.Lifetime, i.Lifetime, p.lifetime, defaultLifetime)
	if lifetime < shortest || lifetime > longest {
		return Minted{}, fault.New(fault.Invalid, "issue token of "+i.Name, fmt.Sprintf("the lifetime %s is not between %s and %s", lifetime, shortest, longest))
	}
	c.evidence.Rules = mergedRules(p, i, c.client)
	c.resource = strings.Join(slices.Concat(m.Audience, m.Resource), " ")
	rules, err := s.rules.compiled(c.evidence.Rules)
	if err != nil {
		return Minted{}, fault.Wrap(fault.Internal, "compile the rules of issuer "+i.Name, err)
	}
	client := clientVariable(c.client)
	if p.derive != nil {
		client["attributes"] = p.derive(i, c.client, m.Parameters)
	}
	computed, err := rules.Eval(ctx, rule.Input{Issuer: i.URL, Client: client, Request: m.variable(), Subject: m.Subject, Now: now})
	if err != nil {
		return Minted{}, err
	}
	claims := token.Claims(computed)
	s.stamp(claims, i, p, now, now.Add(lifetime))
	if m.actor != nil {
		if claims["act"], err = act(m.actor, m.Subject); err != nil {
			return Minted{}, err
		}
	}
	if p.admit != nil {
		if err := p.admit(claims); err != nil {
			return Minted{}, err
		}
	}
	algorithm := cmp.Or(c.client.Algorithm, i.Algorithm, p.algorithm, defaultAlgorithm)
	signer := token.Issuer{Keys: s.Keys, Ring: ring(i.Name, algorithm), Algorithm: algorithm, Type: "JWT", KidFirst: p.kidFirst, Rand: s.Rand}
	signer.X5T = p.certified && algorithm != jose.ES256
	if p.untyped {
		signer.Type = ""
	}
	raw, err := signer.Issue(ctx, claims)
	if err != nil {
		return Minted{}, err
	}
	c.evidence.Claims = claims
	return Minted{Token: raw, Claims: claims, Algorithm: algorithm, IssuedAt: now, ExpiresAt: now.Add(lifetime)}, nil
}

// stamp sets what no rule computes. A rule may give jti and nbf.
func (s *Service) stamp(claims token.Claims, i directory.Issuer, p preset, now, end time.Time) {
	claims["iss"], claims["iat"], claims["exp"] = i.URL, now.Unix(), end.Unix()
	if !claims.Has("nbf") && p.nbf {
		claims["nbf"] = now.Add(-p.backdated).Unix()
	}
	if claims.Has("jti") {
		return
	}
	random := s.random()
	id := base64.RawURLEncoding.EncodeToString(random[:16])
	if p.tokenID != nil {
		id = p.tokenID(random[:])
	}
	if id != "" {
		claims["jti"] = id
	}
}

// maxActors bounds the actor claim in bytes: each exchange adds to it.
const maxActors = 4 << 10

// act is the actor claim (RFC 8693 section 4.1): who acts now, and within it who acted before.
func act(actor, subject map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for _, name := range [...]string{"sub", "iss"} {
		if v, is := actor[name]; is {
			out[name] = v
		}
	}
	if before, is := subject["act"].(map[string]any); is {
		out["act"] = before
	}
	if b, err := json.Marshal(out); err != nil || len(b) > maxActors {
		return nil, fault.New(fault.LimitExceeded, "compute claim act", "the chain of actors is too long")
	}
	return out, nil
}

// variable is what rules see as request.
func (m Mint) variable() map[string]any {
	parameters := map[string]any{}
	maps.Copy(parameters, m.Parameters)
	return map[string]any{
		"grant": cmp.Or(m.grant, "mint"), "parameters": parameters,
		"scope": m.Scope, "scopes": strings.Fields(m.Scope),
		"audience": first(m.Audience), "audiences": texts(m.Audience),
		"resource": first(m.Resource), "resources": texts(m.Resource),
		"targets": slices.Concat([]string{}, m.Audience, m.Resource),
	}
}

// clientVariable is what rules see as client.
func clientVariable(c directory.IssuerClient) map[string]any {
	attributes := c.Attributes
	if attributes == nil {
		attributes = map[string]any{}
	}
	return map[string]any{"id": c.ID, "name": c.Name, "attributes": attributes}
}

func clientOf(i directory.Issuer, id string) (directory.IssuerClient, bool) {
	at := slices.IndexFunc(i.Clients, func(c directory.IssuerClient) bool { return c.ID == id })
	if at < 0 {
		return directory.IssuerClient{}, false
	}
	return i.Clients[at], true
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func texts(list []string) []string { return slices.Concat([]string{}, list) }
