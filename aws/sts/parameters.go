package sts

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/evidence"
)

// maxPolicyARNs bounds the managed session policies (STS API reference, AssumeRole, PolicyArns).
const maxPolicyARNs = 10

// maxPolicyText bounds a session policy, in characters. The model has no bound for AssumeRole's, its
// documentation has (STS API reference, AssumeRole, Policy).
const maxPolicyText = 2048

// roleARN is what RoleArn must look like: a role of an account, with its path.
var roleARN = regexp.MustCompile(`^arn:aws(?:-[a-z]+)*:iam::[0-9]{12}:role/[\x21-\x7e]+$`)

// parameters collects what is wrong with parameters beyond the model's constraints. The first refusal is
// the answer; the audit keeps all.
type parameters struct {
	checks  evidence.Checks
	refusal *op.Error
}

func (p *parameters) check(c evidence.Check, refusal *op.Error) {
	p.checks = append(p.checks, c)
	if !c.OK && p.refusal == nil {
		p.refusal = refusal
	}
}

func assumeRoleParameters(in *sts.AssumeRoleInput) *parameters {
	p := &parameters{}
	p.role(*in.RoleArn)
	p.policies(in.Policy, in.PolicyArns)
	p.tags(in.Tags)
	if in.SourceIdentity != nil {
		p.check(evidence.Check{
			Name: "source identity", Operator: "does not begin with", Want: []string{"aws:"}, Got: []string{*in.SourceIdentity}, OK: !reserved(*in.SourceIdentity),
		}, invalid("1 validation error detected: Value '"+*in.SourceIdentity+"' at 'sourceIdentity' failed to satisfy constraint: Member must not begin with aws:"))
	}
	if len(in.ProvidedContexts) > 0 {
		var providers []string
		for _, c := range in.ProvidedContexts {
			providers = append(providers, aws.ToString(c.ProviderArn))
		}
		// Context assertions are Identity Center's, and none was issued here.
		p.check(evidence.Check{
			Name: "provided contexts", Operator: "absent", Got: providers, Note: "context assertions are not supported", Fix: "leave ProvidedContexts out",
		}, invalidValue("The provided context assertion is invalid."))
	}
	return p
}

func (p *parameters) role(arn string) {
	p.check(evidence.Check{
		Name: "role ARN", Operator: "matches", Want: []string{"arn:aws:iam::ACCOUNT:role/NAME"}, Got: []string{arn}, OK: roleARN.MatchString(arn),
	}, invalid(arn+" is invalid"))
}

func (p *parameters) policies(text *string, arns []types.PolicyDescriptorType) {
	if text != nil {
		n := len([]rune(*text))
		p.check(evidence.Check{
			Name: "session policy", Operator: "at most", Want: []string{strconv.Itoa(maxPolicyText)}, Got: []string{strconv.Itoa(n)}, OK: n <= maxPolicyText, Note: "characters",
		}, invalid(fmt.Sprintf("1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to %d", maxPolicyText)))
	}
	if len(arns) == 0 {
		return
	}
	p.check(evidence.Check{
		Name: "managed session policies", Operator: "at most", Want: []string{strconv.Itoa(maxPolicyARNs)}, Got: []string{strconv.Itoa(len(arns))}, OK: len(arns) <= maxPolicyARNs,
	}, invalid(fmt.Sprintf("1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to %d", maxPolicyARNs)))
	for i, a := range arns {
		at := fmt.Sprintf("policyArns.%d.member.arn", i+1)
		p.check(evidence.Check{
			Name: "managed session policy", Claim: at, Operator: "present", Got: policyARNs(arns[i : i+1]), OK: a.Arn != nil,
		}, invalid("1 validation error detected: Value null at '"+at+"' failed to satisfy constraint: Member must not be null"))
	}
}

func (p *parameters) tags(list []types.Tag) {
	for i, t := range list {
		p.check(evidence.Check{
			Name: "tag", Claim: fmt.Sprintf("tags.%d.member.key", i+1), Operator: "does not begin with", Want: []string{"aws:"}, Got: []string{*t.Key}, OK: !reserved(*t.Key),
		}, invalidValue("The tag key '"+*t.Key+"' is not valid. Keys that begin with aws: are reserved."))
	}
}

// refusedCheck is a check that failed, whose only evidence is a sentence.
func refusedCheck(name, why string) evidence.Check { return evidence.Check{Name: name, Note: why} }

// sessionChecks show what was compared of a session's duration, and why it was not made, if it was not.
func sessionChecks(ask access.Assume, done access.Assumed) evidence.Checks {
	var out evidence.Checks
	if seconds := done.Role.MaxSession; seconds > 0 && ask.Duration > 0 {
		out = append(out, evidence.Check{
			Name: "duration", Claim: "DurationSeconds", Operator: "at most", Want: []string{strconv.Itoa(int(seconds))},
			Got: []string{strconv.Itoa(int(ask.Duration.Seconds()))}, OK: int32(ask.Duration.Seconds()) <= seconds,
		})
	}
	if done.Reason != "" {
		out = append(out, refusedCheck("session", string(done.Reason)))
	}
	return out
}
