package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
)

// absentOperations are about what no account here has: instance profiles, console passwords, SSH keys,
// signing certificates and service specific credentials. Clients ask for them before they delete a role or
// a user; making one is not offered.
func (s *Service) absentOperations() []op.Operation {
	roles, users := s.roleHolder(), s.userHolder()
	return []op.Operation{
		op.On(s.listInstanceProfilesForRole, on(roles, func(in *iam.ListInstanceProfilesForRoleInput) *string { return in.RoleName }, nil)),
		op.On(s.listInstanceProfiles, listing("instance-profile", func(in *iam.ListInstanceProfilesInput) *string { return in.PathPrefix })),
		op.On(s.listSSHPublicKeys, on(users, func(in *iam.ListSSHPublicKeysInput) *string { return in.UserName }, nil)),
		op.On(s.listSigningCertificates, on(users, func(in *iam.ListSigningCertificatesInput) *string { return in.UserName }, nil)),
		op.On(s.listServiceSpecificCredentials, on(users, func(in *iam.ListServiceSpecificCredentialsInput) *string { return in.UserName }, nil)),
		op.On(s.getLoginProfile, on(users, func(in *iam.GetLoginProfileInput) *string { return in.UserName }, nil)),
		op.On(s.deleteLoginProfile, on(users, func(in *iam.DeleteLoginProfileInput) *string { return in.UserName }, nil)),
	}
}

func (s *Service) listInstanceProfilesForRole(ctx context.Context, in *iam.ListInstanceProfilesForRoleInput) (*iam.ListInstanceProfilesForRoleOutput, error) {
	_, err := s.roleHolder().named(ctx, *in.RoleName)
	return &iam.ListInstanceProfilesForRoleOutput{InstanceProfiles: []types.InstanceProfile{}}, err
}

func (s *Service) listInstanceProfiles(context.Context, *iam.ListInstanceProfilesInput) (*iam.ListInstanceProfilesOutput, error) {
	return &iam.ListInstanceProfilesOutput{InstanceProfiles: []types.InstanceProfile{}}, nil
}

func (s *Service) listSSHPublicKeys(ctx context.Context, in *iam.ListSSHPublicKeysInput) (*iam.ListSSHPublicKeysOutput, error) {
	_, _, err := s.owner(ctx, in.UserName)
	return &iam.ListSSHPublicKeysOutput{SSHPublicKeys: []types.SSHPublicKeyMetadata{}}, err
}

func (s *Service) listSigningCertificates(ctx context.Context, in *iam.ListSigningCertificatesInput) (*iam.ListSigningCertificatesOutput, error) {
	_, _, err := s.owner(ctx, in.UserName)
	return &iam.ListSigningCertificatesOutput{Certificates: []types.SigningCertificate{}}, err
}

func (s *Service) listServiceSpecificCredentials(ctx context.Context, in *iam.ListServiceSpecificCredentialsInput) (*iam.ListServiceSpecificCredentialsOutput, error) {
	out := &iam.ListServiceSpecificCredentialsOutput{ServiceSpecificCredentials: []types.ServiceSpecificCredentialMetadata{}}
	if in.AllUsers != nil && *in.AllUsers {
		return out, nil
	}
	_, _, err := s.owner(ctx, in.UserName)
	return out, err
}

func (s *Service) getLoginProfile(ctx context.Context, in *iam.GetLoginProfileInput) (*iam.GetLoginProfileOutput, error) {
	return nil, s.noLoginProfile(ctx, in.UserName)
}

func (s *Service) deleteLoginProfile(ctx context.Context, in *iam.DeleteLoginProfileInput) (*iam.DeleteLoginProfileOutput, error) {
	return nil, s.noLoginProfile(ctx, in.UserName)
}

// noLoginProfile says that a user has no console password, if there is such a user.
func (s *Service) noLoginProfile(ctx context.Context, user *string) error {
	_, name, err := s.owner(ctx, user)
	if err != nil {
		return err
	}
	return refusal(noSuchEntity, "Login Profile for User "+name+" cannot be found.")
}
