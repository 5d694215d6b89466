package sts

import (
	"context"
	"regexp"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/evidence"
)

// taskPolicies are the only ones that a root session may be scoped to (STS API reference, AssumeRoot).
var taskPolicies = []string{
	"arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials",
	"arn:aws:iam::aws:policy/root-task/IAMCreateRootUserPassword",
	"arn:aws:iam::aws:policy/root-task/IAMDeleteRootUserCredentials",
	"arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy",
	"arn:aws:iam::aws:policy/root-task/SQSUnlockQueuePolicy",
}

// targetPrincipal is a member account: its number or the ARN of its root.
var targetPrincipal = regexp.MustCompile(`^(?:([0-9]{12})|arn:aws(?:-[a-z]+)*:iam::([0-9]{12}):root)$`)

// assumeRoot is for the management account of an organisation, and there are none here: whatever the
// caller's policies allow, it is refused as it is everywhere outside of one.
func (s *Service) assumeRoot(ctx context.Context, in *sts.AssumeRootInput) (*sts.AssumeRootOutput, error) {
	c := op.CallerOf(ctx)
	proof := Evidence{Authentication: c.Proof}
	resource, err := s.refuseRoot(ctx, c, in, &proof)
	return nil, s.conclude(ctx, resource, proof, err)
}

func (s *Service) refuseRoot(ctx context.Context, c op.Caller, in *sts.AssumeRootInput, proof *Evidence) (resource string, err error) {
	var p parameters
	p.check(evidence.Check{Name: "endpoint", Operator: "is", Want: []string{"a regional one"}, OK: !op.GlobalEndpoint(ctx)},
		&op.Error{Code: "InvalidAction", Message: "Operation not supported on STS global endpoint"})
	target := targetPrincipal.FindStringSubmatch(*in.TargetPrincipal)
	p.check(evidence.Check{
		Name: "target principal", Operator: "matches", Want: []string{"ACCOUNT", "arn:aws:iam::ACCOUNT:root"}, Got: []string{*in.TargetPrincipal}, OK: target != nil,
	}, invalid(*in.TargetPrincipal+" is invalid"))
	task := aws.ToString(in.TaskPolicyArn.Arn)
	p.check(evidence.Check{
		Name: "task policy", Operator: "one of", Want: taskPolicies, Got: []string{task}, OK: slices.Contains(taskPolicies, task),
	}, invalid(task+" is invalid"))
	proof.Parameters = p.checks
	if p.refusal != nil {
		return *in.TargetPrincipal, p.refusal
	}
	account := target[1] + target[2]
	resource = "arn:aws:iam::" + account + ":root"
	k := op.RequestContext(ctx)
	k.Set("sts:TaskPolicyArn", task)
	decision, err := s.Access.Decide(ctx, access.Ask{Subject: c.Subject, Action: "sts:AssumeRoot", Resource: resource, Context: k})
	if err != nil {
		return resource, err
	}
	proof.Decisions = append(proof.Decisions, decision)
	proof.Session = append(proof.Session, evidence.Check{
		Name: "organisation", Operator: "is", Want: []string{"the management account of " + account}, Got: []string{c.Account},
		Note: "there are no organisations here",
	})
	return resource, op.Denied(op.Query, decision, resource)
}
