package iam

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// maxAccessKeys is how many access keys a user, or the root of an account, may have (IAM user guide, "IAM
// and STS quotas").
const maxAccessKeys = 2

// unused stands for service and region of a key that nobody has used (IAM API reference,
// AccessKeyLastUsed).
const unused = "N/A"

// accessKeyOperations make, list, switch and delete access keys. They are about the caller's own when they
// name no user.
func (s *Service) accessKeyOperations() []op.Operation {
	h := s.userHolder()
	return []op.Operation{
		op.On(s.createAccessKey, on(h, func(in *iam.CreateAccessKeyInput) *string { return in.UserName }, nil)),
		op.On(s.listAccessKeys, on(h, func(in *iam.ListAccessKeysInput) *string { return in.UserName }, nil)),
		op.On(s.updateAccessKey, on(h, func(in *iam.UpdateAccessKeyInput) *string { return in.UserName }, nil)),
		op.On(s.deleteAccessKey, on(h, func(in *iam.DeleteAccessKeyInput) *string { return in.UserName }, nil)),
		op.On(s.getAccessKeyLastUsed, op.Target[iam.GetAccessKeyLastUsedInput]{
			Resource: func(ctx context.Context, c op.Caller, in *iam.GetAccessKeyLastUsedInput) (string, error) {
				_, u, err := s.keyOf(ctx, c.Account, *in.AccessKeyId)
				var missing *op.Error
				if errors.As(err, &missing) {
					return "*", nil
				}
				return u.ARN, err
			},
		}),
	}
}

func noAccessKey(id string) error {
	return refusal(noSuchEntity, "The Access Key with id "+id+" cannot be found.")
}

func statusOf(active bool) types.StatusType {
	if active {
		return types.StatusTypeActive
	}
	return types.StatusTypeInactive
}

func (s *Service) createAccessKey(ctx context.Context, in *iam.CreateAccessKeyInput) (*iam.CreateAccessKeyOutput, error) {
	c := op.CallerOf(ctx)
	owner, name, err := s.owner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	principal := c.ARN // the root's
	if owner != c.Account {
		u, err := s.Users.WithID(ctx, owner)
		if err != nil {
			return nil, orMissing(err, noUser(name))
		}
		principal = u.ARN
	}
	id, err := credential.NewAccessKeyID(c.Account, s.Rand)
	if err != nil {
		return nil, err
	}
	secret, err := credential.NewSecretAccessKey(s.Rand)
	if err != nil {
		return nil, err
	}
	k := directory.AccessKey{ID: id, AccountID: c.Account, Principal: principal, PrincipalID: owner, Secret: secret, Active: true, CreatedAt: s.Now().UTC()}
	err = s.Keys.CreateAccessKey(ctx, k, maxAccessKeys)
	switch {
	case errors.Is(err, fault.LimitExceeded):
		return nil, refusal(limitExceeded, fmt.Sprintf("Cannot exceed quota for AccessKeysPerUser: %d", maxAccessKeys))
	case err != nil:
		return nil, orMissing(err, noUser(name))
	}
	return &iam.CreateAccessKeyOutput{AccessKey: &types.AccessKey{
		UserName: optional(name), AccessKeyId: &id, Status: types.StatusTypeActive, SecretAccessKey: new(secret.Reveal()), CreateDate: seconds(k.CreatedAt),
	}}, nil
}

func (s *Service) listAccessKeys(ctx context.Context, in *iam.ListAccessKeysInput) (*iam.ListAccessKeysOutput, error) {
	owner, name, err := s.owner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	keys, err := s.Keys.AccessKeysOf(ctx, owner)
	if err != nil {
		return nil, err
	}
	keys, more, next, err := cut(s, "access keys of "+owner, in.Marker, in.MaxItems, keys, func(k directory.AccessKey) string { return k.ID })
	out := &iam.ListAccessKeysOutput{AccessKeyMetadata: []types.AccessKeyMetadata{}, IsTruncated: more, Marker: next}
	for _, k := range keys {
		out.AccessKeyMetadata = append(out.AccessKeyMetadata, types.AccessKeyMetadata{
			UserName: optional(name), AccessKeyId: &k.ID, Status: statusOf(k.Active), CreateDate: seconds(k.CreatedAt),
		})
	}
	return out, err
}

// updateAccessKey switches a key on or off. (The model lists a third status, Expired, that nobody can set.)
func (s *Service) updateAccessKey(ctx context.Context, in *iam.UpdateAccessKeyInput) (*iam.UpdateAccessKeyOutput, error) {
	if in.Status != types.StatusTypeActive && in.Status != types.StatusTypeInactive {
		return nil, refusal(validationError, "1 validation error detected: Value '"+string(in.Status)+"' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]")
	}
	owner, _, err := s.owner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	err = s.Keys.SetAccessKeyActive(ctx, owner, *in.AccessKeyId, in.Status == types.StatusTypeActive)
	return &iam.UpdateAccessKeyOutput{}, orMissing(err, noAccessKey(*in.AccessKeyId))
}

func (s *Service) deleteAccessKey(ctx context.Context, in *iam.DeleteAccessKeyInput) (*iam.DeleteAccessKeyOutput, error) {
	owner, _, err := s.owner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.DeleteAccessKeyOutput{}, orMissing(s.Keys.DeleteAccessKey(ctx, owner, *in.AccessKeyId), noAccessKey(*in.AccessKeyId))
}

// keyOf finds an access key of an account and its user, who is nobody for the root's.
func (s *Service) keyOf(ctx context.Context, account, id string) (k directory.AccessKey, u directory.IAMUser, err error) {
	k, err = s.Accounts.AccessKey(ctx, id)
	if errors.Is(err, fault.NotFound) || err == nil && k.AccountID != account {
		return directory.AccessKey{}, u, noAccessKey(id)
	}
	if err != nil {
		return k, u, err
	}
	if k.PrincipalID == account {
		u.ARN = k.Principal
		return k, u, nil
	}
	u, err = s.Users.WithID(ctx, k.PrincipalID)
	return k, u, orMissing(err, noAccessKey(id))
}

func (s *Service) getAccessKeyLastUsed(ctx context.Context, in *iam.GetAccessKeyLastUsedInput) (*iam.GetAccessKeyLastUsedOutput, error) {
	k, u, err := s.keyOf(ctx, op.CallerOf(ctx).Account, *in.AccessKeyId)
	if err != nil {
		return nil, err
	}
	used, err := s.Usage.LastUse(ctx, k.ID)
	if err != nil {
		return nil, err
	}
	last := &types.AccessKeyLastUsed{ServiceName: new(unused), Region: new(unused)}
	if !used.At.IsZero() {
		last = &types.AccessKeyLastUsed{LastUsedDate: seconds(used.At), ServiceName: &used.Service, Region: &used.Region}
	}
	return &iam.GetAccessKeyLastUsedOutput{UserName: optional(u.Name), AccessKeyLastUsed: last}, nil
}
