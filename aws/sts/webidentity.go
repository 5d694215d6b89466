package sts

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/webidentity"
)

func (s *Service) webIdentityOperations() []op.Operation {
	return []op.Operation{op.Public(s.assumeRoleWithWebIdentity)}
}

// WebIdentityEvidence is what the audit event of AssumeRoleWithWebIdentity carries: the report on the token,
// then what the role's policies said.
type WebIdentityEvidence struct {
	Asked      Asked           `json:"asked"`
	ProviderID string          `json:"providerId,omitempty"`
	Parameters evidence.Checks `json:"parameters,omitempty"`
	webidentity.Report
	Roles     evidence.Checks   `json:"roles,omitempty"` // whether the token may be used for the role
	Decisions []policy.Decision `json:"decisions,omitempty"`
	Session   evidence.Checks   `json:"session,omitempty"`
}

// appendJSON writes what encoding/json would, on the way of every token that is traded.
func (e WebIdentityEvidence) appendJSON(b []byte) ([]byte, error) {
	small, err := json.Marshal(struct {
		Asked      Asked              `json:"asked"`
		ProviderID string             `json:"providerId,omitempty"`
		Reason     webidentity.Reason `json:"reason,omitempty"`
		Details    []string           `json:"details,omitempty"`
		Fix        string             `json:"fix,omitempty"`
		Header     map[string]any     `json:"header,omitempty"`
		Claims     token.Claims       `json:"claims,omitempty"`
	}{e.Asked, e.ProviderID, e.Reason, e.Details, e.Fix, e.Header, e.Claims})
	if err != nil {
		return nil, err
	}
	b = append(b, small[:len(small)-1]...)
	for _, part := range []struct {
		name   string
		checks evidence.Checks
		always bool
	}{{"parameters", e.Parameters, false}, {"token", e.Token, true}, {"provider", e.Provider, true}, {"roles", e.Roles, false}} {
		if len(part.checks) > 0 || part.always {
			b = part.checks.AppendJSON(append(append(append(b, `,"`...), part.name...), `":`...))
		}
	}
	if len(e.Decisions) > 0 {
		b = policy.AppendDecisions(append(b, `,"decisions":`...), e.Decisions)
	}
	if len(e.Session) > 0 {
		b = e.Session.AppendJSON(append(b, `,"session":`...))
	}
	return append(b, '}'), nil
}

// assumeRoleWithWebIdentity gives a role to the bearer of a token. Nobody signs: the token is the proof, and
// the account that takes it is the role's.
func (s *Service) assumeRoleWithWebIdentity(ctx context.Context, in *sts.AssumeRoleWithWebIdentityInput) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	proof := WebIdentityEvidence{ProviderID: evidence.Clip(aws.ToString(in.ProviderId)), Asked: Asked{
		Role: *in.RoleArn, SessionName: *in.RoleSessionName, Seconds: aws.ToInt32(in.DurationSeconds),
		Policies: len(inline(in.Policy)), PolicyARNs: policyARNs(in.PolicyArns),
	}}
	out, err := s.assumeByToken(ctx, in, &proof)
	if err := s.conclude(ctx, *in.RoleArn, proof, err); err != nil {
		return nil, err
	}
	return out, nil
}

// assumeByToken checks in AWS's order: parameters, provider id, the token, the roles that it names, trust,
// duration, policies. That there is no such role shows only when trust is looked at.
func (s *Service) assumeByToken(ctx context.Context, in *sts.AssumeRoleWithWebIdentityInput, proof *WebIdentityEvidence) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	var p parameters
	p.role(*in.RoleArn)
	p.policies(in.Policy, in.PolicyArns)
	if proof.Parameters = p.checks; p.refusal != nil {
		return nil, p.refusal
	}
	id, err := s.verifyToken(ctx, in, proof)
	if err != nil {
		return nil, err
	}
	audit.RequestOf(ctx).Caller = bearer(id)
	named, byIssuer := id.NamesRole(*in.RoleArn)
	proof.Roles = evidence.Checks{named}
	if !named.OK {
		proof.Reason = webidentity.RoleNotNamed
		return nil, tokenRefusal(proof.Report)
	}
	k := op.RequestContext(ctx)
	id.Keys(k)
	k.Set("sts:RoleAuthorizedByIdp", strconv.FormatBool(byIssuer))
	ask := access.Assume{
		Subject: access.Subject{Principal: policy.Principal{Type: policy.WebIdentity, Account: id.Account, Federated: id.Provider}},
		Action:  access.ActionWithWebIdentity, RoleARN: *in.RoleArn, SessionName: *in.RoleSessionName,
		Duration: time.Duration(aws.ToInt32(in.DurationSeconds)) * time.Second,
		Policies: inline(in.Policy), PolicyARNs: policyARNs(in.PolicyArns),
		Tags: id.Tags, Transitive: id.Transitive, Source: id.SourceIdentity,
		Context: k, Kept: id.Kept(), Federated: id.Provider, MinToken: int(aws.ToInt32(in.MinimumSessionTokenSize)),
	}
	done, err := s.Access.Assume(ctx, ask)
	if err != nil {
		return nil, err
	}
	proof.Decisions, proof.Session = done.Decisions, sessionChecks(ask, done)
	if refusal := reasonError(done, notAuthorized); refusal != nil {
		return nil, refusal
	}
	return webIdentityOutput(id, done), nil
}

// verifyToken has the token examined, for the account that the role is in.
func (s *Service) verifyToken(ctx context.Context, in *sts.AssumeRoleWithWebIdentityInput, proof *WebIdentityEvidence) (id webidentity.Identity, err error) {
	if in.ProviderId != nil {
		proof.Report = webidentity.Opaque(*in.ProviderId)
	} else if id, proof.Report, err = s.WebIdentity.Verify(ctx, strings.SplitN(*in.RoleArn, ":", 6)[4], *in.WebIdentityToken); err != nil {
		return id, err
	}
	if !proof.OK() {
		return id, tokenRefusal(proof.Report)
	}
	return id, nil
}

// bearer is whom a verified token names, as CloudTrail writes a web identity: provider, audience, subject.
func bearer(id webidentity.Identity) string {
	return evidence.ClipTo(id.Provider+":"+id.Audience+":"+id.Subject, 512)
}

// notAuthorized words what policies do not permit the bearer of a token: the same for a role that is
// missing, and without its name.
func notAuthorized(action string) *op.Error {
	return accessDenied("Not authorized to perform " + action)
}

func webIdentityOutput(id webidentity.Identity, done access.Assumed) *sts.AssumeRoleWithWebIdentityOutput {
	v := issue(done.Session, done.Token)
	out := &sts.AssumeRoleWithWebIdentityOutput{
		Credentials:                 v.credentials,
		AssumedRoleUser:             &types.AssumedRoleUser{Arn: &done.Session.ARN, AssumedRoleId: &done.Session.UserID},
		SubjectFromWebIdentityToken: &id.Subject,
		Provider:                    &id.Provider,
		Audience:                    &id.Audience,
		SessionTokenSize:            v.size,
		SessionTokenUtilization:     v.utilization,
		//lint:ignore SA1019 deprecated, and still answered
		PackedPolicySize: done.PackedSize,
	}
	if done.Session.Source != "" {
		out.SourceIdentity = &done.Session.Source
	}
	return out
}
