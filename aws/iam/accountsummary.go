package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
)

// quotas are what GetAccountSummary tells of every account (IAM user guide, "IAM and STS quotas"; API
// reference, GetAccountSummary).
var quotas = map[types.SummaryKeyType]int32{
	types.SummaryKeyTypeUsersQuota:                      5000,
	types.SummaryKeyTypeGroupsQuota:                     300,
	types.SummaryKeyTypeRolesQuota:                      1000,
	types.SummaryKeyTypePoliciesQuota:                   maxPolicies,
	types.SummaryKeyTypeInstanceProfilesQuota:           1000,
	types.SummaryKeyTypeServerCertificatesQuota:         20,
	types.SummaryKeyTypePolicyVersionsInUseQuota:        10_000,
	types.SummaryKeyTypeVersionsPerPolicyQuota:          maxPolicyVersions,
	types.SummaryKeyTypePolicySizeQuota:                 maxPolicySize,
	types.SummaryKeyTypeUserPolicySizeQuota:             2048,
	types.SummaryKeyTypeGroupPolicySizeQuota:            5120,
	types.SummaryKeyTypeRolePolicySizeQuota:             10_240,
	types.SummaryKeyTypeAssumeRolePolicySizeQuota:       2048,
	types.SummaryKeyTypeAttachedPoliciesPerUserQuota:    maxAttached,
	types.SummaryKeyTypeAttachedPoliciesPerGroupQuota:   maxAttached,
	types.SummaryKeyTypeAttachedPoliciesPerRoleQuota:    maxAttached,
	types.SummaryKeyTypeGroupsPerUserQuota:              10,
	types.SummaryKeyTypeAccessKeysPerUserQuota:          2,
	types.SummaryKeyTypeSigningCertificatesPerUserQuota: 2,
	types.SummaryKeyTypeGlobalEndpointTokenVersion:      2,

	// What there is none of here.
	types.SummaryKeyTypeInstanceProfiles:                  0,
	types.SummaryKeyTypeServerCertificates:                0,
	types.SummaryKeyTypeAccountPasswordPresent:            0,
	types.SummaryKeyTypeAccountSigningCertificatesPresent: 0,
}

// getAccountSummary counts what the account has.
func (s *Service) getAccountSummary(ctx context.Context, _ *iam.GetAccountSummaryInput) (*iam.GetAccountSummaryOutput, error) {
	account := op.CallerOf(ctx).Account
	out := map[string]int32{}
	for key, n := range quotas {
		out[string(key)] = n
	}
	add := func(key types.SummaryKeyType, count func(context.Context, string) (int, error)) error {
		n, err := count(ctx, account)
		out[string(key)] += int32(n)
		return err
	}
	for _, c := range []struct {
		key   types.SummaryKeyType
		count func(context.Context, string) (int, error)
	}{
		{types.SummaryKeyTypeUsers, s.Users.Count},
		{types.SummaryKeyTypeGroups, s.Groups.Count},
		{types.SummaryKeyTypeRoles, s.Roles.Count},
		{types.SummaryKeyTypePolicies, s.Policies.Count},
		{types.SummaryKeyTypeMFADevices, s.MFA.Count},
		{types.SummaryKeyTypeProviders, s.OIDC.Count},
		{types.SummaryKeyTypeProviders, s.SAML.Count},
	} {
		if err := add(c.key, c.count); err != nil {
			return nil, err
		}
	}
	keys, err := s.Keys.AccessKeysOf(ctx, account)
	if err != nil {
		return nil, err
	}
	out[string(types.SummaryKeyTypeAccountAccessKeysPresent)] = int32(min(len(keys), 1))
	if err := s.countVersions(ctx, account, out); err != nil {
		return nil, err
	}
	return &iam.GetAccountSummaryOutput{SummaryMap: out}, s.countDevices(ctx, account, out)
}

// countVersions counts the versions of all policies of the account.
func (s *Service) countVersions(ctx context.Context, account string, out map[string]int32) error {
	all, err := everything(ctx, s.Policies, account, func(p directory.IAMPolicy) string { return p.Name })
	versions := 0
	for _, p := range all {
		versions += len(p.Versions)
	}
	out[string(types.SummaryKeyTypePolicyVersionsInUse)] = int32(versions)
	return err
}

// countDevices counts the MFA devices that somebody uses, and says whether root does.
func (s *Service) countDevices(ctx context.Context, account string, out map[string]int32) error {
	all, err := everything(ctx, s.MFA, account, func(d directory.MFADevice) string { return d.Name })
	used, root := int32(0), int32(0)
	for _, d := range all {
		if d.UserID != "" {
			used++
		}
		if d.UserID == account {
			root = 1
		}
	}
	out[string(types.SummaryKeyTypeMFADevicesInUse)] = used
	out[string(types.SummaryKeyTypeAccountMFAEnabled)] = root
	return err
}
