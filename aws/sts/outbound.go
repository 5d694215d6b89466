package sts

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/wire/jose"
)

func (s *Service) outboundOperations() []op.Operation {
	return []op.Operation{op.Judged(s.getWebIdentityToken)}
}

// The actions that GetWebIdentityToken needs, and the resource that both are about: the caller itself
// (recorded).
const (
	actionGetToken = "sts:GetWebIdentityToken"
	actionTagToken = "sts:TagGetWebIdentityToken"
)

// Limits of a token. A payload of so many bytes was still issued, and a larger one was not (recorded).
const (
	defaultTokenLife = 300 * time.Second // STS API reference, GetWebIdentityToken, DurationSeconds
	maxPayload       = 14984             // bytes
)

// tokenAlgorithms are those that a token may be signed with.
var tokenAlgorithms = []string{jose.RS256, jose.ES384}

// OutboundEvidence is what the audit event of GetWebIdentityToken carries. The token is named by its id.
type OutboundEvidence struct {
	Authentication evidence.Checks   `json:"authentication"`
	Audience       []string          `json:"audience"`
	Algorithm      string            `json:"algorithm"`
	Seconds        int               `json:"durationSeconds"`
	Tags           []string          `json:"tagKeys,omitempty"`
	Parameters     evidence.Checks   `json:"parameters"`
	Decisions      []policy.Decision `json:"decisions,omitempty"`
	Token          *VendedToken      `json:"vended,omitempty"`
}

// VendedToken names a token that was issued.
type VendedToken struct {
	ID      string `json:"jti"`
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	Expires int64  `json:"exp"`
}

// getWebIdentityToken gives a caller a token by which others know it.
func (s *Service) getWebIdentityToken(ctx context.Context, in *sts.GetWebIdentityTokenInput) (*sts.GetWebIdentityTokenOutput, error) {
	c := op.CallerOf(ctx)
	proof := OutboundEvidence{Authentication: c.Proof, Algorithm: *in.SigningAlgorithm, Seconds: int(life(in) / time.Second), Tags: tagKeys(in.Tags)}
	for _, a := range in.Audience {
		proof.Audience = append(proof.Audience, evidence.Clip(a))
	}
	out, err := s.vend(ctx, c, in, &proof)
	if err := s.conclude(ctx, self(c), proof, err); err != nil {
		return nil, err
	}
	return out, nil
}

// self is what the operation's permissions are about.
func self(c op.Caller) string { return "arn:aws:sts::" + c.Account + ":self" }

func life(in *sts.GetWebIdentityTokenInput) time.Duration {
	if in.DurationSeconds == nil {
		return defaultTokenLife
	}
	return time.Duration(*in.DurationSeconds) * time.Second
}

// vend checks in AWS's order: parameters, permission, the end of the caller's own session, whether the
// account issues tokens, and their size.
func (s *Service) vend(ctx context.Context, c op.Caller, in *sts.GetWebIdentityTokenInput, proof *OutboundEvidence) (*sts.GetWebIdentityTokenOutput, error) {
	now := s.Now().UTC()
	end := now.Add(life(in)).Truncate(time.Millisecond)
	p := outboundParameters(ctx, c, in)
	if proof.Parameters = p.checks; p.refusal != nil {
		return nil, p.refusal
	}
	if err := s.permitToken(ctx, c, in, proof); err != nil {
		return nil, err
	}
	if session := c.Subject.Session; session != nil {
		check := evidence.Check{
			Name: "end of the caller's session", Claim: "exp", Operator: "not after", Want: []string{session.Expires.UTC().Format(time.RFC3339)},
			Got: []string{end.Format(time.RFC3339)}, OK: !end.After(session.Expires),
		}
		if proof.Parameters = append(proof.Parameters, check); !check.OK {
			return nil, &op.Error{Code: "SessionDurationEscalationException", Status: http.StatusForbidden, Message: "Requested token expiry time must be before the original session's expiry time."}
		}
	}
	account, err := s.Access.Accounts.Account(ctx, c.Account)
	if err != nil {
		return nil, err
	}
	on := evidence.Check{Name: "outbound federation", Operator: "is", Want: []string{"enabled"}, OK: account.TokensEnabled && account.TokenIssuer != ""}
	if proof.Parameters = append(proof.Parameters, on); !on.OK {
		return nil, &op.Error{Code: "OutboundWebIdentityFederationDisabledException", Status: http.StatusForbidden, Message: "OutboundWebIdentityFederation is disabled."}
	}
	raw, err := s.signToken(ctx, c, account, in, now, proof)
	if err != nil {
		return nil, err
	}
	return &sts.GetWebIdentityTokenOutput{WebIdentityToken: &raw, Expiration: &end}, nil
}

func outboundParameters(ctx context.Context, c op.Caller, in *sts.GetWebIdentityTokenInput) *parameters {
	p := &parameters{}
	p.check(evidence.Check{Name: "endpoint", Operator: "is", Want: []string{"a regional one"}, OK: !op.GlobalEndpoint(ctx)},
		&op.Error{Code: "InvalidAction", Message: "Operation not supported on STS global endpoint"})
	p.check(evidence.Check{Name: "algorithm", Claim: "alg", Operator: "one of", Want: tokenAlgorithms, Got: []string{*in.SigningAlgorithm}, OK: slices.Contains(tokenAlgorithms, *in.SigningAlgorithm)},
		invalid("Requested SigningAlgorithm is not supported. See the GetWebIdentityToken documentation for supported algorithms"))
	seen, twice := map[string]bool{}, false
	for _, t := range in.Tags {
		key := strings.ToLower(*t.Key)
		twice = twice || seen[key]
		seen[key] = true
	}
	p.check(evidence.Check{Name: "tags", Operator: "each key once", Got: tagKeys(in.Tags), OK: !twice},
		invalidValue("Duplicate tag keys found. Please note that Tag keys are case insensitive."))
	p.check(evidence.Check{Name: "kind of credentials", Operator: "is not", Want: []string{"a federated user's session"}, Got: []string{string(c.Subject.Principal.Type)}, OK: c.Subject.Principal.Type != policy.FederatedUser},
		accessDenied("GetWebIdentityToken does not support federated user sessions"))
	return p
}

// permitToken asks whether the caller may have a token, and give it tags.
func (s *Service) permitToken(ctx context.Context, c op.Caller, in *sts.GetWebIdentityTokenInput, proof *OutboundEvidence) error {
	k := op.RequestContext(ctx)
	k.SetMany("sts:IdentityTokenAudience", in.Audience...)
	k.Set("sts:DurationSeconds", strconv.Itoa(int(life(in)/time.Second)))
	k.Set("sts:SigningAlgorithm", *in.SigningAlgorithm)
	actions := []string{actionGetToken}
	if len(in.Tags) > 0 {
		access.RequestTags(k, tagsOf(in.Tags))
		actions = append(actions, actionTagToken)
	}
	var refusal error
	for _, action := range actions {
		decision, err := s.Access.Decide(ctx, access.Ask{Subject: c.Subject, Action: action, Resource: self(c), Owner: c.Account, Context: k})
		if err != nil {
			return err
		}
		proof.Decisions = append(proof.Decisions, decision)
		if !decision.Allows() && refusal == nil {
			refusal = op.Denied(op.Query, decision, self(c))
		}
	}
	return refusal
}

// principalTags are the tags of the user or role, under those of its session in any case of letters.
func (s *Service) principalTags(ctx context.Context, c op.Caller) (map[string]string, error) {
	var own []directory.Tag
	switch p := c.Subject.Principal; {
	case p.Type == policy.AssumedRole:
		role, err := s.Access.Roles.WithID(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		own = role.Tags
	case p.Type == policy.User:
		user, err := s.Access.Users.WithID(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		own = user.Tags
	}
	tags, over := map[string]string{}, map[string]bool{}
	if c.Subject.Session != nil {
		for key, value := range c.Subject.Session.Tags {
			tags[key], over[strings.ToLower(key)] = value, true
		}
	}
	for _, t := range own {
		if !over[strings.ToLower(t.Key)] {
			tags[t.Key] = t.Value
		}
	}
	return tags, nil
}

func requestTags(in *sts.GetWebIdentityTokenInput) map[string]string {
	tags := map[string]string{}
	for _, t := range in.Tags {
		tags[*t.Key] = aws.ToString(t.Value)
	}
	return tags
}
