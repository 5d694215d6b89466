package iam_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
)

// What each answer shows of a role was recorded in September 2026.
func TestRolesShowOnEachAnswerWhatAWSShows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const readOnly = "arn:aws:iam::aws:policy/ReadOnlyAccess"
	created, err := w.CreateRole(t.Context(), &sdk.CreateRoleInput{
		RoleName: new("probe"), Path: new("/probes/"), AssumeRolePolicyDocument: new(trustsLambda), Description: new("created"),
		MaxSessionDuration: new(int32(7200)), PermissionsBoundary: new(readOnly), Tags: []types.Tag{{Key: new("team"), Value: new("probe")}},
	})
	must(t, err)
	w.has("Path", "RoleName", "RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument", "Tags", "PermissionsBoundary",
		"-Description", "-MaxSessionDuration", "-RoleLastUsed")
	if !strings.Contains(w.last().body, "<CreateDate>2026-11-21T09:30:00Z</CreateDate>") || !strings.Contains(w.last().body, "<PermissionsBoundaryType>Policy</PermissionsBoundaryType>") {
		t.Error(w.last().body)
	}
	r := created.Role
	if *r.Arn != "arn:aws:iam::123456789012:role/probes/probe" || len(*r.RoleId) != 21 || !strings.HasPrefix(*r.RoleId, "AROA") {
		t.Errorf("%s, %s", *r.Arn, *r.RoleId)
	}
	if got, _ := url.QueryUnescape(*r.AssumeRolePolicyDocument); got != trustsLambda || strings.ContainsAny(*r.AssumeRolePolicyDocument, "{+ \"") {
		t.Errorf("trust is not echoed as sent: %s", *r.AssumeRolePolicyDocument)
	}

	got, err := w.GetRole(t.Context(), &sdk.GetRoleInput{RoleName: new("PROBE")})
	must(t, err)
	w.has("Description", "MaxSessionDuration", "RoleLastUsed", "Tags", "PermissionsBoundary", "-LastUsedDate")
	if *got.Role.RoleName != "probe" || *got.Role.MaxSessionDuration != 7200 || *got.Role.Description != "created" {
		t.Errorf("%+v", got.Role)
	}
	const normal = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	if shown, _ := url.QueryUnescape(*got.Role.AssumeRolePolicyDocument); shown != normal {
		t.Errorf("trust is shown as %s", shown)
	}

	listed, err := w.ListRoles(t.Context(), &sdk.ListRolesInput{PathPrefix: new("/pro")})
	must(t, err)
	w.has("Description", "MaxSessionDuration", "IsTruncated", "-Tags", "-PermissionsBoundary", "-RoleLastUsed", "-Marker")
	if len(listed.Roles) != 1 {
		t.Errorf("%d roles", len(listed.Roles))
	}

	described, err := w.UpdateRoleDescription(t.Context(), &sdk.UpdateRoleDescriptionInput{RoleName: new("probe"), Description: new("new")})
	must(t, err)
	w.has("Description", "-MaxSessionDuration", "-Tags", "-PermissionsBoundary")
	if *described.Role.Description != "new" {
		t.Error(*described.Role.Description)
	}
}

func TestRolesRememberWhenTheyWereUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("worker")
	r, err := w.store.IAMRoles.Named(t.Context(), account, "worker")
	must(t, err)
	must(t, w.store.Usage.NoteUse(t.Context(), r.ID, directory.Use{At: start.Add(time.Hour), Service: "sts", Region: "eu-west-1"}))
	got, err := w.GetRole(t.Context(), &sdk.GetRoleInput{RoleName: new("worker")})
	must(t, err)
	if u := got.Role.RoleLastUsed; u == nil || u.LastUsedDate == nil || !u.LastUsedDate.Equal(start.Add(time.Hour)) || str(u.Region) != "eu-west-1" {
		t.Errorf("%+v", u)
	}
}

func TestUpdateRoleChangesWhatItNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("worker", func(in *sdk.CreateRoleInput) { in.Description = new("first") })
	get := func() (string, int32) {
		out, err := w.GetRole(t.Context(), &sdk.GetRoleInput{RoleName: new("worker")})
		must(t, err)
		return str(out.Role.Description), *out.Role.MaxSessionDuration
	}
	for _, step := range []struct {
		name        string
		in          sdk.UpdateRoleInput
		description string
		duration    int32
	}{
		{"the duration alone", sdk.UpdateRoleInput{MaxSessionDuration: new(int32(43200))}, "first", 43200},
		{"the description alone", sdk.UpdateRoleInput{Description: new("second")}, "second", 43200},
		{"an empty description clears it", sdk.UpdateRoleInput{Description: new("")}, "", 43200},
		{"nothing", sdk.UpdateRoleInput{}, "", 43200},
	} {
		step.in.RoleName = new("worker")
		_, err := w.UpdateRole(t.Context(), &step.in)
		must(t, err)
		w.has("UpdateRoleResult") // without which SDKs cannot read the answer
		if description, duration := get(); description != step.description || duration != step.duration {
			t.Errorf("%s: %q, %d", step.name, description, duration)
		}
	}
	w.has("-Description")
}

func TestRolesAreRefusedInAWSsWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("taken")
	create := func(edit func(*sdk.CreateRoleInput)) error {
		in := &sdk.CreateRoleInput{RoleName: new("fresh"), AssumeRolePolicyDocument: new(trustsLambda)}
		edit(in)
		_, err := w.CreateRole(t.Context(), in)
		return err
	}
	const missing = "arn:aws:iam::123456789012:policy/missing"
	for name, tt := range map[string]struct {
		err           error
		code, message string
	}{
		"a name that is taken in another case": {create(func(in *sdk.CreateRoleInput) { in.RoleName = new("TAKEN") }),
			"EntityAlreadyExists", "Role with name TAKEN already exists."},
		"a boundary that is not there": {create(func(in *sdk.CreateRoleInput) { in.PermissionsBoundary = new(missing) }),
			"NoSuchEntity", "Scope ARN: " + missing + " does not exist or is not attachable."},
		"a boundary that is no ARN": {create(func(in *sdk.CreateRoleInput) { in.PermissionsBoundary = new("this is not an ARN at all") }),
			"ValidationError", "Invalid ARN:  Could not be parsed!"},
		"a reserved tag": {create(func(in *sdk.CreateRoleInput) { in.Tags = []types.Tag{{Key: new("AWS:x"), Value: new("")}} }),
			"InvalidInput", "Tag keys beginning with aws: are reserved for system use."},
		"a path of services": {create(func(in *sdk.CreateRoleInput) { in.Path = new("/aws-service-role/x.amazonaws.com/") }), "InvalidInput", ""},
		"a path without its last slash": {create(func(in *sdk.CreateRoleInput) { in.Path = new("/team") }), "ValidationError",
			`1 validation error detected: Value '/team' at 'path' failed to satisfy constraint: Member must satisfy regular expression pattern: (\u002F)|(\u002F[\u0021-\u007E]+\u002F)`},
		"a path of two slashes":   {create(func(in *sdk.CreateRoleInput) { in.Path = new("//") }), "ValidationError", ""},
		"an emoji as description": {create(func(in *sdk.CreateRoleInput) { in.Description = new("\U0001F600") }), "ValidationError", ""},
		"too long a name": {create(func(in *sdk.CreateRoleInput) { in.RoleName = new(strings.Repeat("n", 65)) }), "ValidationError",
			"1 validation error detected: Value '" + strings.Repeat("n", 65) + "' at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64"},
		"a duration of a minute": {create(func(in *sdk.CreateRoleInput) { in.MaxSessionDuration = new(int32(60)) }), "ValidationError",
			"1 validation error detected: Value '60' at 'maxSessionDuration' failed to satisfy constraint: Member must have value greater than or equal to 3600"},
		"getting a role that is missing": {fails(w.GetRole(t.Context(), &sdk.GetRoleInput{RoleName: new("missing")})),
			"NoSuchEntity", "The role with name missing cannot be found."},
		"updating a role that is missing": {fails(w.UpdateRole(t.Context(), &sdk.UpdateRoleInput{RoleName: new("missing")})),
			"NoSuchEntity", "The role with name missing cannot be found."},
		"deleting a role that is missing": {fails(w.DeleteRole(t.Context(), &sdk.DeleteRoleInput{RoleName: new("missing")})),
			"NoSuchEntity", "The role with name missing cannot be found."},
	} {
		t.Run(name, func(t *testing.T) { refused(t, tt.err, tt.code, tt.message) })
	}
	if err := create(func(in *sdk.CreateRoleInput) {
		in.Path, in.Description = new("/a//b/"), new(strings.Repeat("é", 1000))
	}); err != nil {
		t.Errorf("what AWS takes is refused: %v", err)
	}
}

// fails is the error of a call whose answer does not matter.
func fails[T any](_ *T, err error) error { return err }

func TestStatusesAreThoseOfTheCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("taken")
	for name, tt := range map[string]struct {
		in     sdk.CreateRoleInput
		status int
		code   string
	}{
		"a name that is taken": {sdk.CreateRoleInput{RoleName: new("taken"), AssumeRolePolicyDocument: new(trustsLambda)}, 409, "EntityAlreadyExists"},
		"a bad document":       {sdk.CreateRoleInput{RoleName: new("bad"), AssumeRolePolicyDocument: new("{")}, 400, "MalformedPolicyDocument"},
	} {
		_, _ = w.CreateRole(t.Context(), &tt.in)
		if got := w.last(); got.status != tt.status || !strings.Contains(got.body, "<Code>"+tt.code+"</Code>") || !strings.Contains(got.body, "<Type>Sender</Type>") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	_, _ = w.GetRole(t.Context(), &sdk.GetRoleInput{RoleName: new("missing")})
	if got := w.last(); got.status != 404 {
		t.Errorf("%+v", got)
	}
}

func TestRolesAreDeletedWhenTheyAreBare(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("worker")
	remove := func() error { return fails(w.DeleteRole(t.Context(), &sdk.DeleteRoleInput{RoleName: new("worker")})) }
	must(t, fails(w.PutRolePolicy(t.Context(), &sdk.PutRolePolicyInput{RoleName: new("worker"), PolicyName: new("p"), PolicyDocument: new(document(allow("s3:*", "*")))})))
	must(t, fails(w.AttachRolePolicy(t.Context(), &sdk.AttachRolePolicyInput{RoleName: new("worker"), PolicyArn: new("arn:aws:iam::aws:policy/ReadOnlyAccess")})))
	refused(t, remove(), "DeleteConflict", "Cannot delete entity, must detach all policies first.")
	must(t, fails(w.DetachRolePolicy(t.Context(), &sdk.DetachRolePolicyInput{RoleName: new("worker"), PolicyArn: new("arn:aws:iam::aws:policy/ReadOnlyAccess")})))
	refused(t, remove(), "DeleteConflict", "Cannot delete entity, must delete policies first.")
	must(t, fails(w.DeleteRolePolicy(t.Context(), &sdk.DeleteRolePolicyInput{RoleName: new("worker"), PolicyName: new("P")})))
	must(t, remove())
	refused(t, remove(), "NoSuchEntity", "The role with name worker cannot be found.")
}

func TestRolesOfServicesAreTheirsToChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.store.IAMRoles.Create(t.Context(), directory.IAMRole{
		IAMEntity: directory.IAMEntity{ID: "AROAAAAAAAAAAAAAAAAAA", AccountID: account, ARN: "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/ecs", Path: "/aws-service-role/ecs.amazonaws.com/", Name: "ecs", CreatedAt: start},
		Trust:     trustsLambda, MaxSession: 3600,
	}, 10))
	const message = "Cannot perform the operation on the protected role 'ecs' - this role is only modifiable by AWS"
	for name, err := range map[string]error{
		"update": fails(w.UpdateRole(t.Context(), &sdk.UpdateRoleInput{RoleName: new("ecs")})),
		"trust":  fails(w.UpdateAssumeRolePolicy(t.Context(), &sdk.UpdateAssumeRolePolicyInput{RoleName: new("ecs"), PolicyDocument: new(trustsLambda)})),
		"delete": fails(w.DeleteRole(t.Context(), &sdk.DeleteRoleInput{RoleName: new("ecs")})),
		"put":    fails(w.PutRolePolicy(t.Context(), &sdk.PutRolePolicyInput{RoleName: new("ecs"), PolicyName: new("p"), PolicyDocument: new(document(allow("s3:*", "*")))})),
		"tag":    fails(w.TagRole(t.Context(), &sdk.TagRoleInput{RoleName: new("ecs"), Tags: []types.Tag{{Key: new("a"), Value: new("b")}}})),
		"bound":  fails(w.PutRolePermissionsBoundary(t.Context(), &sdk.PutRolePermissionsBoundaryInput{RoleName: new("ecs"), PermissionsBoundary: new("arn:aws:iam::aws:policy/ReadOnlyAccess")})),
		"attach": fails(w.AttachRolePolicy(t.Context(), &sdk.AttachRolePolicyInput{RoleName: new("ecs"), PolicyArn: new("arn:aws:iam::aws:policy/ReadOnlyAccess")})),
	} {
		t.Run(name, func(t *testing.T) { refused(t, err, "UnmodifiableEntity", message) })
	}
}

func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"b-two", "A-one", "c-three", "d-other", "E-five"} {
		w.role(name, func(in *sdk.CreateRoleInput) {
			if name != "d-other" {
				in.Path = new("/team/")
			}
		})
	}
	var names []string
	pages := sdk.NewListRolesPaginator(w.Client, &sdk.ListRolesInput{PathPrefix: new("/team/"), MaxItems: new(int32(2))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		must(t, err)
		for _, r := range page.Roles {
			names = append(names, *r.RoleName)
		}
	}
	if diff := cmp.Diff([]string{"A-one", "b-two", "c-three", "E-five"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	first, err := w.ListRoles(t.Context(), &sdk.ListRolesInput{MaxItems: new(int32(1))})
	must(t, err)
	if !first.IsTruncated || len(str(first.Marker)) > 320 {
		t.Errorf("%+v", first)
	}
	rest, err := w.ListRoles(t.Context(), &sdk.ListRolesInput{MaxItems: new(int32(50)), Marker: first.Marker})
	must(t, err)
	if rest.IsTruncated || len(rest.Roles) != 4 {
		t.Errorf("%d roles after the first", len(rest.Roles))
	}
	refused(t, fails(w.ListRoles(t.Context(), &sdk.ListRolesInput{Marker: new("guess")})), "ValidationError", "Invalid Marker.")
	refused(t, fails(w.ListUsers(t.Context(), &sdk.ListUsersInput{Marker: first.Marker})), "ValidationError", "Invalid Marker.")
	refused(t, fails(w.root(stranger).ListRoles(t.Context(), &sdk.ListRolesInput{Marker: first.Marker})), "ValidationError", "Invalid Marker.")
	refused(t, fails(w.ListRoles(t.Context(), &sdk.ListRolesInput{MaxItems: new(int32(1001))})), "ValidationError",
		"1 validation error detected: Value '1001' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000")
	none, err := w.root(stranger).ListRoles(t.Context(), nil)
	must(t, err)
	if len(none.Roles) != 0 || !strings.Contains(w.last().body, "<Roles/>") || !strings.Contains(w.last().body, "<IsTruncated>false</IsTruncated>") {
		t.Error(w.last().body)
	}
}

func TestPermissionsBoundariesAreSetAndRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("worker")
	w.user("ann")
	const readOnly, missing = "arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::123456789012:policy/missing"
	must(t, fails(w.PutRolePermissionsBoundary(t.Context(), &sdk.PutRolePermissionsBoundaryInput{RoleName: new("worker"), PermissionsBoundary: new(readOnly)})))
	must(t, fails(w.PutUserPermissionsBoundary(t.Context(), &sdk.PutUserPermissionsBoundaryInput{UserName: new("ann"), PermissionsBoundary: new(readOnly)})))
	u, err := w.GetUser(t.Context(), &sdk.GetUserInput{UserName: new("ann")})
	must(t, err)
	if b := u.User.PermissionsBoundary; b == nil || b.PermissionsBoundaryType != "Policy" || *b.PermissionsBoundaryArn != readOnly {
		t.Errorf("%+v", b)
	}
	must(t, fails(w.DeleteRolePermissionsBoundary(t.Context(), &sdk.DeleteRolePermissionsBoundaryInput{RoleName: new("worker")})))
	must(t, fails(w.DeleteUserPermissionsBoundary(t.Context(), &sdk.DeleteUserPermissionsBoundaryInput{UserName: new("ann")})))
	for name, tt := range map[string]struct {
		err           error
		code, message string
	}{
		"a role's again": {fails(w.DeleteRolePermissionsBoundary(t.Context(), &sdk.DeleteRolePermissionsBoundaryInput{RoleName: new("worker")})), "NoSuchEntity", ""},
		"a user's again": {fails(w.DeleteUserPermissionsBoundary(t.Context(), &sdk.DeleteUserPermissionsBoundaryInput{UserName: new("ann")})), "NoSuchEntity", ""},
		"missing policy": {fails(w.PutRolePermissionsBoundary(t.Context(), &sdk.PutRolePermissionsBoundaryInput{RoleName: new("worker"), PermissionsBoundary: new(missing)})),
			"NoSuchEntity", "Scope ARN: " + missing + " does not exist or is not attachable."},
		"missing user": {fails(w.PutUserPermissionsBoundary(t.Context(), &sdk.PutUserPermissionsBoundaryInput{UserName: new("bob"), PermissionsBoundary: new(readOnly)})),
			"NoSuchEntity", "The user with name bob cannot be found."},
	} {
		t.Run(name, func(t *testing.T) { refused(t, tt.err, tt.code, tt.message) })
	}
}
