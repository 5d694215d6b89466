package iam_test

import (
	"encoding/json"
	"strings"
	"testing"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/audit"
)

// when is a statement with a condition.
func when(statement map[string]any, operator, key string, values ...string) map[string]any {
	statement["Condition"] = map[string]any{operator: map[string]any{key: values}}
	return statement
}

// IAM names a resource by its kind and name where it exists, and by its ARN where it is made or listed.
func TestRefusalsNameResourcesAsIAMDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.role("worker", func(in *sdk.CreateRoleInput) { in.Path = new("/eng/") })
	must(t, fails(w.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: new("ops")})))
	serial, _ := w.device("phone")
	ann := w.user("ann")
	const arn = "arn:aws:iam::123456789012:"
	for action, tt := range map[string]struct {
		err   error
		shown string
	}{
		"GetRole":                {fails(ann.GetRole(ctx, &sdk.GetRoleInput{RoleName: new("worker")})), "role worker"},
		"DeleteRole":             {fails(ann.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: new("missing")})), "role missing"},
		"PutRolePolicy":          {fails(ann.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: new("worker"), PolicyName: new("p"), PolicyDocument: new("nonsense")})), "role worker"},
		"UpdateAssumeRolePolicy": {fails(ann.UpdateAssumeRolePolicy(ctx, &sdk.UpdateAssumeRolePolicyInput{RoleName: new("worker"), PolicyDocument: new("nonsense")})), "role worker"},
		"ListRoleTags":           {fails(ann.ListRoleTags(ctx, &sdk.ListRoleTagsInput{RoleName: new("worker")})), "role worker"},
		"CreateRole":             {fails(ann.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: new("fresh"), Path: new("/x/"), AssumeRolePolicyDocument: new(trustsLambda)})), arn + "role/x/fresh"},
		"ListRoles":              {fails(ann.ListRoles(ctx, nil)), arn + "role/"},
		"GetUser":                {fails(ann.GetUser(ctx, nil)), "user ann"},
		"CreateUser":             {fails(ann.CreateUser(ctx, &sdk.CreateUserInput{UserName: new("bob")})), arn + "user/bob"},
		"ListUsers":              {fails(ann.ListUsers(ctx, &sdk.ListUsersInput{PathPrefix: new("/eng/")})), arn + "user/eng/"},
		"CreateAccessKey":        {fails(ann.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{UserName: new("bob")})), "user bob"},
		"AddUserToGroup":         {fails(ann.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{UserName: new("ann"), GroupName: new("ops")})), "group ops"},
		"ListGroupsForUser":      {fails(ann.ListGroupsForUser(ctx, &sdk.ListGroupsForUserInput{UserName: new("ann")})), "user ann"},
		"DeleteVirtualMFADevice": {fails(ann.DeleteVirtualMFADevice(ctx, &sdk.DeleteVirtualMFADeviceInput{SerialNumber: &serial})), arn + "mfa/phone"},
		"ListVirtualMFADevices":  {fails(ann.ListVirtualMFADevices(ctx, nil)), arn + "mfa/"},
	} {
		t.Run(action, func(t *testing.T) {
			refused(t, tt.err, "AccessDenied", "User: "+arn+"user/ann is not authorized to perform: iam:"+action+" on resource: "+tt.shown+
				" because no identity-based policy allows the iam:"+action+" action")
		})
	}
	if got := w.last(); got.status != 403 {
		t.Errorf("status %d", got.status)
	}
}

func TestPoliciesSeePathsTagsAndBoundaries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	const readOnly = "arn:aws:iam::aws:policy/ReadOnlyAccess"
	w.role("mine", func(in *sdk.CreateRoleInput) { in.Path, in.Tags = new("/eng/"), tags("team", "a") })
	w.role("other", func(in *sdk.CreateRoleInput) { in.Tags = tags("team", "b") })
	ann := w.user("ann",
		allow("iam:GetRole", "arn:aws:iam::123456789012:role/eng/*"),
		when(allow("iam:UpdateRole", "*"), "StringEquals", "aws:ResourceTag/team", "a"),
		when(allow("iam:ListRoleTags", "*"), "StringEquals", "iam:ResourceTag/team", "a"),
		when(allow("iam:CreateRole", "*"), "StringEquals", "iam:PermissionsBoundary", readOnly),
		when(allow("iam:TagRole", "*"), "ForAllValues:StringEquals", "aws:TagKeys", "team"),
		when(allow("iam:TagUser", "*"), "StringEquals", "aws:RequestTag/team", "a"),
		when(allow("iam:PutRolePermissionsBoundary", "*"), "StringEquals", "iam:PermissionsBoundary", readOnly),
		when(allow("iam:PutRolePolicy", "*"), "StringEquals", "iam:PermissionsBoundary", readOnly),
	)
	create := func(name string, edit func(*sdk.CreateRoleInput)) error {
		in := &sdk.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: new(trustsLambda)}
		edit(in)
		return fails(ann.CreateRole(ctx, in))
	}
	put := func(role string) error {
		return fails(ann.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: &role, PolicyName: new("p"), PolicyDocument: new(document(allow("s3:*", "*")))}))
	}
	for _, step := range []struct {
		name string
		ok   bool
		call func() error
	}{
		{"a role of the path", true, func() error { return fails(ann.GetRole(ctx, &sdk.GetRoleInput{RoleName: new("MINE")})) }},
		{"a role of another path", false, func() error { return fails(ann.GetRole(ctx, &sdk.GetRoleInput{RoleName: new("other")})) }},
		{"a role with the tag", true, func() error { return fails(ann.UpdateRole(ctx, &sdk.UpdateRoleInput{RoleName: new("mine")})) }},
		{"a role with another tag", false, func() error { return fails(ann.UpdateRole(ctx, &sdk.UpdateRoleInput{RoleName: new("other")})) }},
		{"IAM's own key, the tag", true, func() error { return fails(ann.ListRoleTags(ctx, &sdk.ListRoleTagsInput{RoleName: new("mine")})) }},
		{"IAM's own key, another tag", false, func() error { return fails(ann.ListRoleTags(ctx, &sdk.ListRoleTagsInput{RoleName: new("other")})) }},
		{"made with the boundary", true, func() error {
			return create("bound", func(in *sdk.CreateRoleInput) { in.PermissionsBoundary = new(readOnly) })
		}},
		{"made without the boundary", false, func() error { return create("free", func(*sdk.CreateRoleInput) {}) }},
		{"made with a tag that may be given", true, func() error {
			return create("tagged", func(in *sdk.CreateRoleInput) { in.PermissionsBoundary, in.Tags = new(readOnly), tags("team", "c") })
		}},
		{"made with a tag that may not", false, func() error {
			return create("wrongly", func(in *sdk.CreateRoleInput) { in.PermissionsBoundary, in.Tags = new(readOnly), tags("cost", "c") })
		}},
		{"tagged as it may be", true, func() error {
			return fails(ann.TagUser(ctx, &sdk.TagUserInput{UserName: new("ann"), Tags: tags("team", "a")}))
		}},
		{"tagged as it may not be", false, func() error {
			return fails(ann.TagUser(ctx, &sdk.TagUserInput{UserName: new("ann"), Tags: tags("team", "b")}))
		}},
		{"policies of the bound role", true, func() error { return put("bound") }},
		{"policies of the free role", false, func() error { return put("other") }},
		{"the boundary that may be set", true, func() error {
			return fails(ann.PutRolePermissionsBoundary(ctx, &sdk.PutRolePermissionsBoundaryInput{RoleName: new("other"), PermissionsBoundary: new(readOnly)}))
		}},
		{"another boundary", false, func() error {
			return fails(ann.PutRolePermissionsBoundary(ctx, &sdk.PutRolePermissionsBoundaryInput{RoleName: new("other"), PermissionsBoundary: new("arn:aws:iam::aws:policy/AdministratorAccess")}))
		}},
		{"policies of the role that is bound by now", true, func() error { return put("other") }},
	} {
		err := step.call()
		if step.ok {
			if err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
			continue
		}
		t.Run(step.name, func(t *testing.T) { refused(t, err, "AccessDenied", "") })
	}
	for _, name := range []string{"free", "wrongly"} {
		if _, err := w.store.IAMRoles.Named(ctx, account, name); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}

// A role with tags needs a second permission, whose refusal is a decision of its own in the audit.
func TestTaggingWhileMakingIsDecidedAndRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann", allow("iam:CreateRole", "*"))
	_, err := ann.CreateRole(t.Context(), &sdk.CreateRoleInput{RoleName: new("fresh"), AssumeRolePolicyDocument: new(trustsLambda), Tags: tags("a", "b")})
	refused(t, err, "AccessDenied", "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iam:TagRole on resource: arn:aws:iam::123456789012:role/fresh because no identity-based policy allows the iam:TagRole action")
	id := requestID(w.last().body)
	e, err := w.store.Audit.Find(t.Context(), id)
	must(t, err)
	var proof op.Evidence
	must(t, json.Unmarshal(e.Evidence, &proof))
	if e.Outcome != audit.Refused || e.Code != "AccessDenied" || e.Operation != "CreateRole" || e.Resource != "arn:aws:iam::123456789012:role/fresh" ||
		len(proof.Authorisation) != 1 || proof.Authorisation[0].Action != "iam:TagRole" || len(proof.Authentication) == 0 {
		t.Errorf("%+v\n%s", e, e.Evidence)
	}
	out, err := w.GetUser(t.Context(), nil)
	must(t, err)
	if id, ok := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata); !ok || id == "" {
		t.Error("the SDK finds no request id")
	}
}

// requestID is the request id of an answer.
func requestID(body string) string {
	_, rest, _ := strings.Cut(body, "<RequestId>")
	id, _, _ := strings.Cut(rest, "</RequestId>")
	return id
}
