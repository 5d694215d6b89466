package iam_test

import (
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/credential"
)

func TestUsersShowOnEachAnswerWhatAWSShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out, err := w.CreateUser(t.Context(), &sdk.CreateUserInput{
		UserName: new("ann"), Path: new("/eng/"), PermissionsBoundary: new("arn:aws:iam::aws:policy/ReadOnlyAccess"), Tags: []types.Tag{{Key: new("Team"), Value: new("")}},
	})
	must(t, err)
	w.has("Path", "UserName", "UserId", "Arn", "CreateDate", "Tags", "PermissionsBoundary", "-PasswordLastUsed")
	if u := out.User; *u.Arn != "arn:aws:iam::123456789012:user/eng/ann" || !strings.HasPrefix(*u.UserId, "AIDA") || len(*u.UserId) != 21 || *u.Tags[0].Value != "" {
		t.Errorf("%+v", u)
	}
	must(t, fails(w.CreateUser(t.Context(), &sdk.CreateUserInput{UserName: new("bob")})))
	w.has("-Tags", "-PermissionsBoundary")
	_, err = w.GetUser(t.Context(), &sdk.GetUserInput{UserName: new("ann")})
	must(t, err)
	w.has("Tags", "PermissionsBoundary")
	listed, err := w.ListUsers(t.Context(), nil)
	must(t, err)
	w.has("IsTruncated", "-Tags", "-PermissionsBoundary", "-PasswordLastUsed")
	if len(listed.Users) != 2 || *listed.Users[0].UserName != "ann" || *listed.Users[1].Path != "/" {
		t.Errorf("%+v", listed.Users)
	}
	listed, err = w.ListUsers(t.Context(), &sdk.ListUsersInput{PathPrefix: new("/e")})
	must(t, err)
	if len(listed.Users) != 1 {
		t.Errorf("%+v", listed.Users)
	}
}

func TestGetUserWithoutANameIsAboutTheCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann", allow("iam:*", "*"))
	out, err := ann.GetUser(t.Context(), nil)
	must(t, err)
	if *out.User.UserName != "ann" {
		t.Errorf("%+v", out.User)
	}
	out, err = w.GetUser(t.Context(), nil)
	must(t, err)
	if *out.User.Arn != "arn:aws:iam::123456789012:root" || *out.User.UserId != account || !out.User.CreateDate.Equal(start) {
		t.Errorf("%+v", out.User)
	}
	w.role("worker")
	r, err := w.store.IAMRoles.Named(t.Context(), account, "worker")
	must(t, err)
	must(t, fails(w.PutRolePolicy(t.Context(), &sdk.PutRolePolicyInput{RoleName: new("worker"), PolicyName: new("all"), PolicyDocument: new(document(allow("*", "*")))})))
	session := credential.Session{
		KeyID: "ASIAQAAAAAAAGMKEM7X5", Secret: "secret", Account: account, Type: "AssumedRole", Issuer: r.ARN,
		ARN: "arn:aws:sts::123456789012:assumed-role/worker/me", ID: r.ID, UserID: r.ID + ":me", IssuedAt: start, Expires: start.Add(time.Hour),
	}
	token, err := w.sealer.SessionToken(session, 0)
	must(t, err)
	worker := w.with(session.KeyID, session.Secret.Reveal(), token)
	const message = "Must specify userName when calling with non-User credentials"
	refused(t, fails(worker.GetUser(t.Context(), nil)), "ValidationError", message)
	refused(t, fails(worker.CreateAccessKey(t.Context(), nil)), "ValidationError", message)
	refused(t, fails(worker.ListAccessKeys(t.Context(), nil)), "ValidationError", message)
	must(t, fails(worker.GetUser(t.Context(), &sdk.GetUserInput{UserName: new("ann")})))
}

func TestUsersAreRenamedAndMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann", allow("iam:GetUser", "arn:aws:iam::123456789012:user/eng/*"))
	must(t, fails(w.CreateUser(t.Context(), &sdk.CreateUserInput{UserName: new("bob")})))
	refused(t, fails(w.UpdateUser(t.Context(), &sdk.UpdateUserInput{UserName: new("ann"), NewUserName: new("Bob")})), "EntityAlreadyExists", "User with name Bob already exists.")
	must(t, fails(w.UpdateUser(t.Context(), &sdk.UpdateUserInput{UserName: new("ann"), NewUserName: new("Ann"), NewPath: new("/eng/")})))
	out, err := ann.GetUser(t.Context(), nil) // with the key of before
	must(t, err)
	if *out.User.UserName != "Ann" || *out.User.Arn != "arn:aws:iam::123456789012:user/eng/Ann" {
		t.Errorf("%+v", out.User)
	}
	must(t, fails(w.UpdateUser(t.Context(), &sdk.UpdateUserInput{UserName: new("ann")})))
	refused(t, fails(w.UpdateUser(t.Context(), &sdk.UpdateUserInput{UserName: new("missing"), NewPath: new("/")})), "NoSuchEntity", "The user with name missing cannot be found.")
}

func TestMovingAUserNeedsThePermissionOnBothARNs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, fails(w.CreateUser(t.Context(), &sdk.CreateUserInput{UserName: new("bob"), Path: new("/eng/")})))
	mover := w.user("mover", allow("iam:UpdateUser", "arn:aws:iam::123456789012:user/eng/*"))
	must(t, fails(mover.UpdateUser(t.Context(), &sdk.UpdateUserInput{UserName: new("bob"), NewUserName: new("rob")})))
	refused(t, fails(mover.UpdateUser(t.Context(), &sdk.UpdateUserInput{UserName: new("rob"), NewPath: new("/ops/")})), "AccessDenied",
		"User: arn:aws:iam::123456789012:user/mover is not authorized to perform: iam:UpdateUser on resource: user rob because no identity-based policy allows the iam:UpdateUser action")
}

func TestUsersAreDeletedWhenTheyAreBare(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	ann := new("ann")
	must(t, fails(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: ann})))
	must(t, fails(w.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: new("admins")})))
	must(t, fails(w.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: new("admins"), UserName: ann})))
	must(t, fails(w.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: ann, PolicyName: new("p"), PolicyDocument: new(document(allow("s3:*", "*")))})))
	must(t, fails(w.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: ann, PolicyArn: new("arn:aws:iam::aws:policy/ReadOnlyAccess")})))
	key, err := w.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{UserName: ann})
	must(t, err)
	serial, seed := w.device("phone")
	must(t, w.enable("ann", serial, seed, 0))
	for _, step := range []struct {
		message string
		clear   func() error
	}{
		{"Cannot delete entity, must detach all policies first.", func() error {
			return fails(w.DetachUserPolicy(ctx, &sdk.DetachUserPolicyInput{UserName: ann, PolicyArn: new("arn:aws:iam::aws:policy/ReadOnlyAccess")}))
		}},
		{"Cannot delete entity, must delete policies first.", func() error {
			return fails(w.DeleteUserPolicy(ctx, &sdk.DeleteUserPolicyInput{UserName: ann, PolicyName: new("p")}))
		}},
		{"Cannot delete entity, must remove tokens from principal first.", func() error {
			return fails(w.DeactivateMFADevice(ctx, &sdk.DeactivateMFADeviceInput{UserName: ann, SerialNumber: &serial}))
		}},
		{"Cannot delete entity, must remove referenced objects first.", func() error {
			return fails(w.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{UserName: ann, AccessKeyId: key.AccessKey.AccessKeyId}))
		}},
		{"Cannot delete entity, must remove users from group first.", func() error {
			return fails(w.RemoveUserFromGroup(ctx, &sdk.RemoveUserFromGroupInput{UserName: ann, GroupName: new("admins")}))
		}},
	} {
		refused(t, fails(w.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: ann})), "DeleteConflict", step.message)
		must(t, step.clear())
	}
	must(t, fails(w.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: ann})))
	refused(t, fails(w.GetUser(ctx, &sdk.GetUserInput{UserName: ann})), "NoSuchEntity", "The user with name ann cannot be found.")
}

// The inputs and codes were recorded in September 2026.
func TestNamesAndPathsOfUsersAreThoseThatAWSTakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tt := range map[string]struct {
		path, name string
		code       string
	}{
		"a path":                {"/team/", "n1", ""},
		"no last slash":         {"/team", "n2", "ValidationError"},
		"no first slash":        {"team/", "n3", "ValidationError"},
		"a space":               {"/ space/", "n4", "ValidationError"},
		"a delete character":    {"/del\u007f/", "n5", "ValidationError"},
		"another script":        {"/é/", "n6", "ValidationError"},
		"two slashes alone":     {"//", "n7", "ValidationError"},
		"two slashes within":    {"/a//b/", "n8", ""},
		"a line's end after it": {"/team/\n", "n9", "ValidationError"},
		"a name with an accent": {"/", "é", "ValidationError"},
		"a name of two lines":   {"/", "n\n", "ValidationError"},
		"64 characters":         {"/", strings.Repeat("x", 64), ""},
		"65 characters":         {"/", strings.Repeat("x", 65), "ValidationError"},
	} {
		t.Run(name, func(t *testing.T) {
			user := fails(w.CreateUser(t.Context(), &sdk.CreateUserInput{UserName: &tt.name, Path: &tt.path}))
			if tt.code == "" {
				must(t, user)
				return
			}
			refused(t, user, tt.code, "")
		})
	}
}

func TestGroupsHaveUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	made, err := w.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: new("Admins"), Path: new("/eng/")})
	must(t, err)
	if g := made.Group; *g.Arn != "arn:aws:iam::123456789012:group/eng/Admins" || !strings.HasPrefix(*g.GroupId, "AGPA") || len(*g.GroupId) != 21 || *g.Path != "/eng/" {
		t.Errorf("%+v", g)
	}
	for _, name := range []string{"carol", "Ann", "bob"} {
		must(t, fails(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: &name, Tags: []types.Tag{{Key: new("a"), Value: new("b")}}})))
		must(t, fails(w.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: new("admins"), UserName: &name})))
		must(t, fails(w.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: new("admins"), UserName: &name}))) // again
	}
	var names []string
	pages := sdk.NewGetGroupPaginator(w.Client, &sdk.GetGroupInput{GroupName: new("admins"), MaxItems: new(int32(2))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		must(t, err)
		if *page.Group.GroupName != "Admins" {
			t.Errorf("%+v", page.Group)
		}
		w.has("-Tags")
		for _, u := range page.Users {
			names = append(names, *u.UserName)
		}
	}
	if diff := cmp.Diff([]string{"Ann", "bob", "carol"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	refused(t, fails(w.DeleteGroup(ctx, &sdk.DeleteGroupInput{GroupName: new("admins")})), "DeleteConflict", "Cannot delete entity, must remove users from group first.")
	for _, name := range names {
		must(t, fails(w.RemoveUserFromGroup(ctx, &sdk.RemoveUserFromGroupInput{GroupName: new("admins"), UserName: &name})))
	}
	for name, tt := range map[string]struct {
		err     error
		message string
	}{
		"taking out who is not in":    {fails(w.RemoveUserFromGroup(ctx, &sdk.RemoveUserFromGroupInput{GroupName: new("admins"), UserName: new("bob")})), ""},
		"a missing user":              {fails(w.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: new("admins"), UserName: new("dave")})), "The user with name dave cannot be found."},
		"a missing group":             {fails(w.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: new("ops"), UserName: new("bob")})), "The group with name ops cannot be found."},
		"getting a missing group":     {fails(w.GetGroup(ctx, &sdk.GetGroupInput{GroupName: new("ops")})), "The group with name ops cannot be found."},
		"the groups of a missing one": {fails(w.ListGroupsForUser(ctx, &sdk.ListGroupsForUserInput{UserName: new("dave")})), "The user with name dave cannot be found."},
	} {
		t.Run(name, func(t *testing.T) { refused(t, tt.err, "NoSuchEntity", tt.message) })
	}
	refused(t, fails(w.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: new("ADMINS")})), "EntityAlreadyExists", "Group with name ADMINS already exists.")
	must(t, fails(w.UpdateGroup(ctx, &sdk.UpdateGroupInput{GroupName: new("admins"), NewGroupName: new("ops"), NewPath: new("/")})))
	got, err := w.GetGroup(ctx, &sdk.GetGroupInput{GroupName: new("ops")})
	must(t, err)
	if *got.Group.Arn != "arn:aws:iam::123456789012:group/ops" || len(got.Users) != 0 {
		t.Errorf("%+v", got)
	}
	w.has("Users") // empty, but there
	must(t, fails(w.DeleteGroup(ctx, &sdk.DeleteGroupInput{GroupName: new("ops")})))
}

func TestUsersAreInTenGroupsAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	must(t, fails(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: new("ann")})))
	var last error
	for i := range 11 {
		name := new("group" + string(rune('a'+i)))
		must(t, fails(w.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: name})))
		last = fails(w.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: name, UserName: new("ann")}))
	}
	refused(t, last, "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10")
	groups, err := w.ListGroups(ctx, &sdk.ListGroupsInput{MaxItems: new(int32(5))})
	must(t, err)
	mine, err := w.ListGroupsForUser(ctx, &sdk.ListGroupsForUserInput{UserName: new("ann"), MaxItems: new(int32(6))})
	must(t, err)
	rest, err := w.ListGroupsForUser(ctx, &sdk.ListGroupsForUserInput{UserName: new("ann"), Marker: mine.Marker})
	must(t, err)
	if len(groups.Groups) != 5 || !groups.IsTruncated || len(mine.Groups) != 6 || len(rest.Groups) != 4 || *rest.Groups[0].GroupName != "groupg" {
		t.Errorf("%d, %d, %d", len(groups.Groups), len(mine.Groups), len(rest.Groups))
	}
}

func TestGroupsGrantToTheirUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann")
	list := func() error { return fails(ann.ListGroups(t.Context(), nil)) }
	refused(t, list(), "AccessDenied", "")
	must(t, fails(w.CreateGroup(t.Context(), &sdk.CreateGroupInput{GroupName: new("readers")})))
	must(t, fails(w.PutGroupPolicy(t.Context(), &sdk.PutGroupPolicyInput{GroupName: new("readers"), PolicyName: new("p"), PolicyDocument: new(document(allow("iam:List*", "*")))})))
	must(t, fails(w.AddUserToGroup(t.Context(), &sdk.AddUserToGroupInput{GroupName: new("readers"), UserName: new("ann")})))
	must(t, list())
}

func TestAccountsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("worker")
	other := w.root(stranger)
	refused(t, fails(other.GetRole(t.Context(), &sdk.GetRoleInput{RoleName: new("worker")})), "NoSuchEntity", "The role with name worker cannot be found.")
	must(t, fails(other.CreateRole(t.Context(), &sdk.CreateRoleInput{RoleName: new("worker"), AssumeRolePolicyDocument: new(trustsLambda)})))
	key, err := w.store.Accounts.AccessKey(t.Context(), rootKey(account))
	must(t, err)
	refused(t, fails(other.GetAccessKeyLastUsed(t.Context(), &sdk.GetAccessKeyLastUsedInput{AccessKeyId: &key.ID})), "NoSuchEntity", "")
	if _, err := w.store.IAMUsers.Named(t.Context(), stranger, "ann"); err == nil {
		t.Error("a user appeared")
	}
}
