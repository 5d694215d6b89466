package iam_test

import (
	"fmt"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
)

// all checks that every error is of the given code.
func all(t *testing.T, failed []error, code string) {
	t.Helper()
	for _, err := range failed {
		refused(t, err, code, "")
	}
}

func TestEightWhoMakeTheSameRoleMakeOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n, failed := eight(func(i int) error {
		name := []string{"worker", "WORKER"}[i%2]
		return fails(w.CreateRole(t.Context(), &sdk.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: new(trustsLambda)}))
	})
	if n != 1 {
		t.Errorf("%d were made", n)
	}
	all(t, failed, "EntityAlreadyExists")
}

func TestEightWhoMakeAccessKeysMakeTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, fails(w.CreateUser(t.Context(), &sdk.CreateUserInput{UserName: new("ann")})))
	n, failed := eight(func(int) error {
		return fails(w.CreateAccessKey(t.Context(), &sdk.CreateAccessKeyInput{UserName: new("ann")}))
	})
	keys, err := w.ListAccessKeys(t.Context(), &sdk.ListAccessKeysInput{UserName: new("ann")})
	must(t, err)
	if n != 2 || len(keys.AccessKeyMetadata) != 2 {
		t.Errorf("%d were made, there are %d", n, len(keys.AccessKeyMetadata))
	}
	all(t, failed, "LimitExceeded")
}

func TestEightWhoUseTheSameCodesEnableOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 8 {
		must(t, fails(w.CreateUser(t.Context(), &sdk.CreateUserInput{UserName: new(fmt.Sprint("user", i))})))
	}
	serial, seed := w.device("phone")
	n, failed := eight(func(i int) error { return w.enable(fmt.Sprint("user", i), serial, seed, 0) })
	if n != 1 {
		t.Errorf("%d enabled it", n)
	}
	all(t, failed, "EntityAlreadyExists")
	d, err := w.store.MFADevices.WithARN(t.Context(), serial)
	must(t, err)
	u, err := w.store.IAMUsers.WithID(t.Context(), d.UserID)
	must(t, err)
	n, failed = eight(func(int) error { return w.resync(u.Name, serial, seed, 5) })
	if n != 1 {
		t.Errorf("the codes were good %d times", n)
	}
	all(t, failed, "InvalidAuthenticationCode")
}

func TestEightWhoPutPoliciesLoseNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("worker")
	n, failed := eight(func(i int) error {
		return fails(w.PutRolePolicy(t.Context(), &sdk.PutRolePolicyInput{RoleName: new("worker"), PolicyName: new(fmt.Sprint("p", i)), PolicyDocument: new(document(allow("s3:*", "*")))}))
	})
	out, err := w.ListRolePolicies(t.Context(), &sdk.ListRolePoliciesInput{RoleName: new("worker")})
	must(t, err)
	if n != 8 || len(out.PolicyNames) != 8 {
		t.Errorf("%d succeeded, there are %v; %v", n, out.PolicyNames, failed)
	}
}

// Whoever comes first wins: a user is deleted, or has a key and stays.
func TestDeletingAUserAndGivingItAKeyAtOnceLeavesOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 4 {
		name := fmt.Sprint("user", i)
		must(t, fails(w.CreateUser(t.Context(), &sdk.CreateUserInput{UserName: &name})))
		deleted := false
		_, failed := eight(func(i int) error {
			if i > 0 {
				return fails(w.CreateAccessKey(t.Context(), &sdk.CreateAccessKeyInput{UserName: &name}))
			}
			err := fails(w.DeleteUser(t.Context(), &sdk.DeleteUserInput{UserName: &name}))
			deleted = err == nil
			return err
		})
		keys, err := w.ListAccessKeys(t.Context(), &sdk.ListAccessKeysInput{UserName: &name})
		if deleted {
			refused(t, err, "NoSuchEntity", "")
			all(t, failed, "NoSuchEntity")
			continue
		}
		must(t, err)
		if len(keys.AccessKeyMetadata) != 2 {
			t.Errorf("%d keys", len(keys.AccessKeyMetadata))
		}
	}
}

// A group is deleted, or a user is in it.
func TestDeletingAGroupAndJoiningItAtOnceLeavesOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, fails(w.CreateGroup(t.Context(), &sdk.CreateGroupInput{GroupName: new("ops")})))
	for i := range 7 {
		must(t, fails(w.CreateUser(t.Context(), &sdk.CreateUserInput{UserName: new(fmt.Sprint("user", i+1))})))
	}
	deleted := false
	_, failed := eight(func(i int) error {
		if i > 0 {
			return fails(w.AddUserToGroup(t.Context(), &sdk.AddUserToGroupInput{GroupName: new("ops"), UserName: new(fmt.Sprint("user", i))}))
		}
		err := fails(w.DeleteGroup(t.Context(), &sdk.DeleteGroupInput{GroupName: new("ops")}))
		deleted = err == nil
		return err
	})
	if deleted {
		all(t, failed, "NoSuchEntity")
		return
	}
	all(t, failed, "DeleteConflict")
	out, err := w.GetGroup(t.Context(), &sdk.GetGroupInput{GroupName: new("ops")})
	must(t, err)
	if len(out.Users) != 7 {
		t.Errorf("%d users", len(out.Users))
	}
}
