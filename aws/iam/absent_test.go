package iam_test

import (
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
)

// Terraform asks for all of this before it deletes a role or a user.
func TestWhatNoAccountHasIsAnEmptyList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.role("worker")
	must(t, fails(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: new("ann")})))
	for element, call := range map[string]func() error{
		"InstanceProfiles": func() error { return fails(w.ListInstanceProfiles(ctx, nil)) },
		"SSHPublicKeys": func() error {
			return fails(w.ListSSHPublicKeys(ctx, &sdk.ListSSHPublicKeysInput{UserName: new("ann")}))
		},
		"Certificates": func() error { return fails(w.ListSigningCertificates(ctx, nil)) },
		"MFADevices":   func() error { return fails(w.ListMFADevices(ctx, &sdk.ListMFADevicesInput{UserName: new("ann")})) },
		"VirtualMFADevices": func() error {
			return fails(w.ListVirtualMFADevices(ctx, nil))
		},
		"ServiceSpecificCredentials": func() error {
			return fails(w.ListServiceSpecificCredentials(ctx, &sdk.ListServiceSpecificCredentialsInput{UserName: new("ann")}))
		},
	} {
		must(t, call())
		w.has(element)
	}
	must(t, fails(w.ListInstanceProfilesForRole(ctx, &sdk.ListInstanceProfilesForRoleInput{RoleName: new("worker")})))
	w.has("InstanceProfiles", "IsTruncated")
	must(t, fails(w.ListServiceSpecificCredentials(ctx, &sdk.ListServiceSpecificCredentialsInput{AllUsers: new(true)})))
	for name, tt := range map[string]struct {
		err     error
		message string
	}{
		"a password":                  {fails(w.GetLoginProfile(ctx, &sdk.GetLoginProfileInput{UserName: new("ann")})), "Login Profile for User ann cannot be found."},
		"deleting a password":         {fails(w.DeleteLoginProfile(ctx, &sdk.DeleteLoginProfileInput{UserName: new("ann")})), "Login Profile for User ann cannot be found."},
		"the password of who is not":  {fails(w.GetLoginProfile(ctx, &sdk.GetLoginProfileInput{UserName: new("bob")})), "The user with name bob cannot be found."},
		"the SSH keys of who is not":  {fails(w.ListSSHPublicKeys(ctx, &sdk.ListSSHPublicKeysInput{UserName: new("bob")})), "The user with name bob cannot be found."},
		"the profiles of what is not": {fails(w.ListInstanceProfilesForRole(ctx, &sdk.ListInstanceProfilesForRoleInput{RoleName: new("missing")})), "The role with name missing cannot be found."},
	} {
		t.Run(name, func(t *testing.T) { refused(t, tt.err, "NoSuchEntity", tt.message) })
	}
	refused(t, fails(w.CreateLoginProfile(ctx, &sdk.CreateLoginProfileInput{UserName: new("ann"), Password: new("p")})), "InvalidAction", "Could not find operation CreateLoginProfile for version 2010-05-08")
}
