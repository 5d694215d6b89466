package sts

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/evidence"
)

// getFederationToken gives a user's broker credentials for somebody else, limited by session policies.
func (s *Service) getFederationToken(ctx context.Context, in *sts.GetFederationTokenInput) (*sts.GetFederationTokenOutput, error) {
	c := op.CallerOf(ctx)
	ask := access.Federate{
		Subject: c.Subject, Name: *in.Name, Duration: userDuration(c, in.DurationSeconds),
		Policies: inline(in.Policy), PolicyARNs: policyARNs(in.PolicyArns), Tags: tagsOf(in.Tags),
		Context: op.RequestContext(ctx), MinToken: int(aws.ToInt32(in.MinimumSessionTokenSize)),
	}
	proof := Evidence{Authentication: c.Proof, Asked: Asked{
		SessionName: *in.Name, Seconds: aws.ToInt32(in.DurationSeconds), Tags: tagKeys(in.Tags),
		Policies: len(ask.Policies), PolicyARNs: ask.PolicyARNs,
	}}
	out, err := s.federate(ctx, c, in, ask, &proof)
	if err := s.conclude(ctx, ask.ARN(), proof, err); err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) federate(ctx context.Context, c op.Caller, in *sts.GetFederationTokenInput, ask access.Federate, proof *Evidence) (*sts.GetFederationTokenOutput, error) {
	var p parameters
	p.policies(in.Policy, in.PolicyArns)
	p.tags(in.Tags)
	proof.Parameters = p.checks
	if p.refusal != nil {
		return nil, p.refusal
	}
	done, err := s.Access.Federate(ctx, ask)
	if err != nil {
		return nil, err
	}
	proof.Decisions = done.Decisions
	proof.Session = append(proof.Session, evidence.Check{Name: "duration", Got: []string{strconv.Itoa(int(ask.Duration.Seconds()))}, OK: true})
	if done.Reason != "" {
		proof.Session = append(proof.Session, refusedCheck("session", string(done.Reason)))
	}
	if refusal := reasonError(done, deniedBy(done, ask.ARN())); refusal != nil {
		return nil, refusal
	}
	v := issue(done.Session, done.Token)
	packed := done.PackedSize
	if packed == nil {
		packed = new(int32(0)) // there even when nothing was packed
	}
	return &sts.GetFederationTokenOutput{
		Credentials:      v.credentials,
		FederatedUser:    &types.FederatedUser{Arn: &done.Session.ARN, FederatedUserId: &done.Session.UserID},
		SessionTokenSize: v.size, SessionTokenUtilization: v.utilization,
		//lint:ignore SA1019 STS still answers it
		PackedPolicySize: packed,
	}, nil
}

// deniedBy words the refusal of an action with the reason that the decision on it gives.
func deniedBy(done access.Assumed, resource string) func(action string) *op.Error {
	return func(action string) *op.Error {
		for _, d := range done.Decisions {
			if d.Action == action {
				return op.Denied(op.Query, d, resource)
			}
		}
		return accessDenied("Access denied")
	}
}
