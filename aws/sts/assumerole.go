package sts

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// assumeRole checks in AWS's order: parameters, second factor, trust and permission, duration, tags, policies.
func (s *Service) assumeRole(ctx context.Context, in *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	c := op.CallerOf(ctx)
	proof := Evidence{Authentication: c.Proof, Asked: Asked{
		Role: *in.RoleArn, SessionName: *in.RoleSessionName, ExternalID: aws.ToString(in.ExternalId),
		Source: aws.ToString(in.SourceIdentity), Seconds: aws.ToInt32(in.DurationSeconds), Tags: tagKeys(in.Tags),
		Transitive: in.TransitiveTagKeys, Policies: len(inline(in.Policy)), PolicyARNs: policyARNs(in.PolicyArns),
		MFADevice: aws.ToString(in.SerialNumber),
	}}
	out, err := s.assume(ctx, c, in, &proof)
	if err := s.conclude(ctx, *in.RoleArn, proof, err); err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) assume(ctx context.Context, c op.Caller, in *sts.AssumeRoleInput, proof *Evidence) (*sts.AssumeRoleOutput, error) {
	checked := assumeRoleParameters(in)
	proof.Parameters = checked.checks
	if checked.refusal != nil {
		return nil, checked.refusal
	}
	if c.Root() {
		return nil, accessDenied("Roles may not be assumed by root accounts.")
	}
	mfaAt, err := s.proveMFA(ctx, c, in.SerialNumber, in.TokenCode, proof)
	if err != nil {
		return nil, err
	}
	ask := access.Assume{
		Subject: c.Subject, Action: access.ActionAssumeRole, RoleARN: *in.RoleArn, SessionName: *in.RoleSessionName,
		Duration: time.Duration(aws.ToInt32(in.DurationSeconds)) * time.Second,
		Policies: inline(in.Policy), PolicyARNs: policyARNs(in.PolicyArns),
		Tags: tagsOf(in.Tags), Transitive: in.TransitiveTagKeys, Source: aws.ToString(in.SourceIdentity),
		Context: assumeRoleKeys(ctx, in), MFAAt: mfaAt, MinToken: int(aws.ToInt32(in.MinimumSessionTokenSize)),
	}
	done, err := s.Access.Assume(ctx, ask)
	if err != nil {
		return nil, err
	}
	proof.Decisions = done.Decisions
	proof.Session = append(proof.Session, sessionChecks(ask, done)...)
	if refusal := reasonError(done, unauthorized(c.ARN, *in.RoleArn)); refusal != nil {
		return nil, refusal
	}
	v := issue(done.Session, done.Token)
	out := &sts.AssumeRoleOutput{
		Credentials:      v.credentials,
		AssumedRoleUser:  &types.AssumedRoleUser{Arn: &done.Session.ARN, AssumedRoleId: &done.Session.UserID},
		SessionTokenSize: v.size, SessionTokenUtilization: v.utilization,
		//lint:ignore SA1019 STS still answers it
		PackedPolicySize: done.PackedSize,
	}
	if done.Session.Source != "" {
		out.SourceIdentity = &done.Session.Source
	}
	return out, nil
}

// assumeRoleKeys are the condition keys of the request itself; those of the session asked for and of the
// caller are core/access's (IAM user guide, "IAM and AWS STS condition context keys").
func assumeRoleKeys(ctx context.Context, in *sts.AssumeRoleInput) policy.Context {
	k := op.RequestContext(ctx)
	if in.ExternalId != nil {
		k.Set("sts:ExternalId", *in.ExternalId)
	}
	return k
}

// inline is a session policy as a list.
func inline(document *string) []string {
	if document == nil {
		return nil
	}
	return []string{*document}
}

func policyARNs(list []types.PolicyDescriptorType) (out []string) {
	for _, p := range list {
		out = append(out, aws.ToString(p.Arn))
	}
	return out
}

func tagsOf(list []types.Tag) (out []directory.Tag) {
	for _, t := range list {
		out = append(out, directory.Tag{Key: *t.Key, Value: *t.Value})
	}
	return out
}

func tagKeys(list []types.Tag) (out []string) {
	for _, t := range list {
		out = append(out, *t.Key)
	}
	return out
}

// reserved reports the prefix that AWS keeps for itself, in any case of letters.
func reserved(s string) bool {
	const prefix = "aws:"
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
