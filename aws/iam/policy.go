package iam

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// Quotas of customer managed policies (IAM user guide, "IAM and STS quotas").
const (
	maxPolicies       = 1500
	maxPolicySize     = 6144 // characters that are not white space
	maxPolicyVersions = 5
)

// policyOperations are the managed policies: the account's own and, to read, AWS's.
func (s *Service) policyOperations() []op.Operation {
	return []op.Operation{
		op.On(s.createPolicy, op.Target[iam.CreatePolicyInput]{
			Resource: func(_ context.Context, c op.Caller, in *iam.CreatePolicyInput) (string, error) {
				return policyARN(c.Account, text(in.Path), *in.PolicyName), nil
			},
			Keys: func(_ context.Context, _ op.Caller, in *iam.CreatePolicyInput, k policy.Context) error {
				access.RequestTags(k, directoryTags(in.Tags))
				return nil
			},
			Shown: func(_ op.Caller, in *iam.CreatePolicyInput, _ string) string { return "policy " + *in.PolicyName },
		}),
		op.On(s.getPolicy, onPolicy(s, func(in *iam.GetPolicyInput) *string { return in.PolicyArn })),
		op.On(s.deletePolicy, onPolicy(s, func(in *iam.DeletePolicyInput) *string { return in.PolicyArn })),
		op.On(s.listPolicies, op.Target[iam.ListPoliciesInput]{
			Shown: func(_ op.Caller, in *iam.ListPoliciesInput, _ string) string {
				return "policy path " + pathOr(in.PathPrefix)
			},
		}),
		op.On(s.createPolicyVersion, onPolicy(s, func(in *iam.CreatePolicyVersionInput) *string { return in.PolicyArn })),
		op.On(s.getPolicyVersion, onVersion(s, func(in *iam.GetPolicyVersionInput) (arn, version *string) { return in.PolicyArn, in.VersionId })),
		op.On(s.listPolicyVersions, onPolicy(s, func(in *iam.ListPolicyVersionsInput) *string { return in.PolicyArn })),
		op.On(s.setDefaultPolicyVersion, onVersion(s, func(in *iam.SetDefaultPolicyVersionInput) (arn, version *string) { return in.PolicyArn, in.VersionId })),
		op.On(s.deletePolicyVersion, onVersion(s, func(in *iam.DeletePolicyVersionInput) (arn, version *string) { return in.PolicyArn, in.VersionId })),
		op.On(s.tagPolicy, withRequestTags(onPolicy(s, func(in *iam.TagPolicyInput) *string { return in.PolicyArn }), func(in *iam.TagPolicyInput) []types.Tag { return in.Tags })),
		op.On(s.untagPolicy, withTagKeys(onPolicy(s, func(in *iam.UntagPolicyInput) *string { return in.PolicyArn }), func(in *iam.UntagPolicyInput) []string { return in.TagKeys })),
		op.On(s.listPolicyTags, onPolicy(s, func(in *iam.ListPolicyTagsInput) *string { return in.PolicyArn })),
	}
}

// onPolicy is the target of an operation on one managed policy, with the policy's tags as condition keys.
func onPolicy[In any](s *Service, arn func(*In) *string) op.Target[In] {
	return op.Target[In]{
		Resource: func(_ context.Context, _ op.Caller, in *In) (string, error) { return *arn(in), nil },
		Keys: func(ctx context.Context, c op.Caller, in *In, k policy.Context) error {
			return s.policyTags(ctx, c, *arn(in), k)
		},
		Shown: func(_ op.Caller, _ *In, arn string) string { return "policy " + arn },
	}
}

// onVersion is onPolicy for an operation on one version, which refusals name.
func onVersion[In any](s *Service, parts func(*In) (arn, version *string)) op.Target[In] {
	t := onPolicy(s, func(in *In) *string { arn, _ := parts(in); return arn })
	t.Shown = func(_ op.Caller, in *In, arn string) string {
		_, version := parts(in)
		return "policy " + arn + " version " + *version
	}
	return t
}

// policyTags gives aws:ResourceTag/K the values that a customer managed policy has; one that is missing has
// none.
func (s *Service) policyTags(ctx context.Context, c op.Caller, arn string, k policy.Context) error {
	p, err := s.localPolicy(ctx, c.Account, arn)
	var refused *op.Error
	if errors.As(err, &refused) {
		return nil
	}
	resourceTags(k, p.Tags)
	return err
}

func policyARN(account, path, name string) string {
	return "arn:aws:iam::" + account + ":policy" + pathOr(&path) + name
}

// localPolicy finds a policy of the account's own by ARN.
func (s *Service) localPolicy(ctx context.Context, account, arn string) (directory.IAMPolicy, error) {
	if err := validPolicyARN(arn); err != nil {
		return directory.IAMPolicy{}, err
	}
	p, err := s.Policies.WithARN(ctx, arn)
	if errors.Is(err, fault.NotFound) || err == nil && p.AccountID != account {
		return directory.IAMPolicy{}, noPolicy(arn)
	}
	return p, err
}

// ownPolicy is localPolicy for a change: AWS's own policies are refused as another account's would be.
func (s *Service) ownPolicy(ctx context.Context, action, arn string) (directory.IAMPolicy, error) {
	c := op.CallerOf(ctx)
	if _, ok := catalogue()[arn]; ok {
		return directory.IAMPolicy{}, op.Denied(op.Query, policy.Decision{Caller: c.ARN, Action: "iam:" + action}, "policy "+arn)
	}
	return s.localPolicy(ctx, c.Account, arn)
}

// validPolicyARN refuses what is not the ARN of a managed policy.
func validPolicyARN(arn string) error {
	f := strings.SplitN(arn, ":", 6)
	if len(f) != 6 || f[0] != "arn" || f[1] == "" || f[2] != "iam" || f[3] != "" || f[4] == "" || f[5] == "" {
		return refusal(validationError, "Invalid ARN:  Could not be parsed!")
	}
	if !strings.HasPrefix(f[5], "policy/") {
		return refusal(invalidInput, "ARN "+arn+" is not valid.")
	}
	return nil
}

func noPolicy(arn string) error {
	return refusal(noSuchEntity, "Policy "+arn+" was not found.")
}

// identityPolicy checks a document that says what its holders may do, and its size.
func identityPolicy(document string) error {
	if _, err := policy.Parse(document, policy.Managed); err != nil {
		return malformed(err)
	}
	if size(document) > maxPolicySize {
		return refusal(limitExceeded, "Cannot exceed quota for PolicySize: 6144")
	}
	return nil
}

func (s *Service) createPolicy(ctx context.Context, in *iam.CreatePolicyInput) (*iam.CreatePolicyOutput, error) {
	c := op.CallerOf(ctx)
	arn := policyARN(c.Account, text(in.Path), *in.PolicyName)
	tags, err := s.newTagged(ctx, "iam:TagPolicy", arn, "policy "+*in.PolicyName, in.Tags)
	if err != nil {
		return nil, err
	}
	if err := identityPolicy(*in.PolicyDocument); err != nil {
		return nil, err
	}
	id, err := credential.NewUniqueID("ANPA", c.Account, s.Rand)
	if err != nil {
		return nil, err
	}
	now := s.Now().UTC()
	p := directory.IAMPolicy{
		IAMEntity: directory.IAMEntity{
			ID: id, AccountID: c.Account, ARN: arn,
			Path: pathOr(in.Path), Name: *in.PolicyName, Tags: tags, CreatedAt: now,
		},
		Description: text(in.Description),
		Versions:    []directory.PolicyVersion{{ID: "v1", Document: *in.PolicyDocument, CreatedAt: now}},
		Default:     "v1", Next: 2, UpdatedAt: now,
	}
	err = s.Policies.Create(ctx, p, maxPolicies)
	switch {
	case errors.Is(err, fault.Conflict):
		return nil, refusal(entityAlreadyExists, "A policy called "+p.Name+" already exists. Duplicate names are not allowed.")
	case errors.Is(err, fault.LimitExceeded):
		return nil, refusal(limitExceeded, "Cannot exceed quota for PoliciesPerAccount: 1500")
	case err != nil:
		return nil, err
	}
	out := localSummary(p, usage{})
	out.Tags = someTags(tags)
	return &iam.CreatePolicyOutput{Policy: &out}, nil
}

func (s *Service) getPolicy(ctx context.Context, in *iam.GetPolicyInput) (*iam.GetPolicyOutput, error) {
	account := op.CallerOf(ctx).Account
	u, err := s.policyUsage(ctx, account, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	if m, ok := catalogue()[*in.PolicyArn]; ok {
		out := m.summary(u)
		out.Description, out.Tags = optional(m.Description), []types.Tag{}
		return &iam.GetPolicyOutput{Policy: &out}, nil
	}
	p, err := s.localPolicy(ctx, account, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	out := localSummary(p, u)
	out.Description, out.Tags = optional(p.Description), wireTags(p.Tags)
	return &iam.GetPolicyOutput{Policy: &out}, nil
}

// deletePolicy deletes a policy that has one version and that nobody uses.
func (s *Service) deletePolicy(ctx context.Context, in *iam.DeletePolicyInput) (*iam.DeletePolicyOutput, error) {
	err := again(func() error {
		p, err := s.ownPolicy(ctx, "DeletePolicy", *in.PolicyArn)
		if err != nil {
			return err
		}
		u, err := s.policyUsage(ctx, p.AccountID, p.ARN)
		if err != nil {
			return err
		}
		if u.attached+u.boundaries > 0 {
			return errPolicyInUse
		}
		if len(p.Versions) > 1 {
			return refusal(deleteConflict, "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		return s.Policies.Delete(ctx, p.ID, p.Version)
	})
	switch {
	case isConflict(err, reasonInUse):
		return nil, errPolicyInUse
	case errors.Is(err, fault.NotFound):
		return nil, noPolicy(*in.PolicyArn)
	}
	return &iam.DeletePolicyOutput{}, err
}

var errPolicyInUse = refusal(deleteConflict, "Cannot delete a policy attached to entities.")
