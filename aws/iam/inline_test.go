package iam_test

import (
	"net/url"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"
)

// A document that has percent signs comes back encoded twice, and white space as it was sent.
func TestInlinePoliciesComeBackAsTheyWereSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.role("worker")
	must(t, fails(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: new("ann")})))
	must(t, fails(w.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: new("ops")})))
	const text = "{\n\t\"Version\": \"2012-10-17\",\n  \"Statement\": {\"Effect\": \"Allow\", \"Action\": \"s3:*\", \"Resource\": \"arn:aws:s3:::b%20c/a+b~*é\"}  }\n"
	must(t, fails(w.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: new("worker"), PolicyName: new("p"), PolicyDocument: new(text)})))
	must(t, fails(w.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: new("ann"), PolicyName: new("p"), PolicyDocument: new(text)})))
	must(t, fails(w.PutGroupPolicy(ctx, &sdk.PutGroupPolicyInput{GroupName: new("ops"), PolicyName: new("p"), PolicyDocument: new(text)})))
	role, err := w.GetRolePolicy(ctx, &sdk.GetRolePolicyInput{RoleName: new("Worker"), PolicyName: new("P")})
	must(t, err)
	user, err := w.GetUserPolicy(ctx, &sdk.GetUserPolicyInput{UserName: new("ann"), PolicyName: new("p")})
	must(t, err)
	group, err := w.GetGroupPolicy(ctx, &sdk.GetGroupPolicyInput{GroupName: new("ops"), PolicyName: new("p")})
	must(t, err)
	if *role.RoleName != "worker" || *role.PolicyName != "p" || *user.UserName != "ann" || *group.GroupName != "ops" {
		t.Errorf("%s, %s, %s, %s", *role.RoleName, *role.PolicyName, *user.UserName, *group.GroupName)
	}
	for _, got := range []string{*role.PolicyDocument, *user.PolicyDocument, *group.PolicyDocument} {
		plain, err := url.PathUnescape(got)
		must(t, err)
		if diff := cmp.Diff(text, plain); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if !strings.Contains(got, "b%2520c%2Fa%2Bb~%2A%C3%A9") || strings.ContainsAny(got, "+ \n*/:") {
			t.Errorf("not encoded by RFC 3986: %s", got)
		}
	}
}

func TestNamesOfInlinePoliciesCompareInAnyCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.role("worker")
	put := func(name, action string) {
		must(t, fails(w.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: new("worker"), PolicyName: &name, PolicyDocument: new(document(allow(action, "*")))})))
	}
	put("Read", "s3:Get*")
	put("b-write", "s3:Put*")
	put("A-list", "s3:List*")
	put("READ", "s3:GetObject")
	out, err := w.ListRolePolicies(ctx, &sdk.ListRolePoliciesInput{RoleName: new("worker")})
	must(t, err)
	if diff := cmp.Diff([]string{"A-list", "b-write", "READ"}, out.PolicyNames); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	first, err := w.ListRolePolicies(ctx, &sdk.ListRolePoliciesInput{RoleName: new("worker"), MaxItems: new(int32(1))})
	must(t, err)
	rest, err := w.ListRolePolicies(ctx, &sdk.ListRolePoliciesInput{RoleName: new("worker"), Marker: first.Marker})
	must(t, err)
	if diff := cmp.Diff([]string{"b-write", "READ"}, rest.PolicyNames); diff != "" || !first.IsTruncated {
		t.Errorf("(-want +got):\n%s", diff)
	}
	must(t, fails(w.DeleteRolePolicy(ctx, &sdk.DeleteRolePolicyInput{RoleName: new("worker"), PolicyName: new("read")})))
	refused(t, fails(w.GetRolePolicy(ctx, &sdk.GetRolePolicyInput{RoleName: new("worker"), PolicyName: new("READ")})), "NoSuchEntity", "The role policy with name READ cannot be found.")
}

func TestInlinePoliciesAreRefusedInAWSsWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.role("worker")
	must(t, fails(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: new("ann")})))
	must(t, fails(w.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: new("ops")})))
	// long is a policy of n characters that count, and as many that do not.
	long := func(n int) *string {
		text := strings.ReplaceAll(document(allow("s3:*", "arn:aws:s3:::"+strings.Repeat("x", n-len(document(allow("s3:*", "arn:aws:s3:::")))))), "{", "{ ")
		return new(text + strings.Repeat("\n", n))
	}
	must(t, fails(w.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: new("worker"), PolicyName: new("a"), PolicyDocument: long(10000)})))
	must(t, fails(w.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: new("worker"), PolicyName: new("b"), PolicyDocument: long(240)})))
	must(t, fails(w.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: new("ann"), PolicyName: new("a"), PolicyDocument: long(2048)})))
	must(t, fails(w.PutGroupPolicy(ctx, &sdk.PutGroupPolicyInput{GroupName: new("ops"), PolicyName: new("a"), PolicyDocument: long(5120)})))
	for name, tt := range map[string]struct {
		err           error
		code, message string
	}{
		"more than a role may have": {fails(w.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: new("worker"), PolicyName: new("b"), PolicyDocument: long(241)})),
			"LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role worker"},
		"more than a user may have": {fails(w.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: new("ann"), PolicyName: new("a"), PolicyDocument: long(2049)})),
			"LimitExceeded", "Maximum policy size of 2048 bytes exceeded for user ann"},
		"more than a group may have": {fails(w.PutGroupPolicy(ctx, &sdk.PutGroupPolicyInput{GroupName: new("ops"), PolicyName: new("a"), PolicyDocument: long(5121)})),
			"LimitExceeded", "Maximum policy size of 5120 bytes exceeded for group ops"},
		"no JSON":             {fails(w.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: new("ann"), PolicyName: new("x"), PolicyDocument: new("nonsense")})), "MalformedPolicyDocument", "Syntax errors in policy."},
		"an old version":      {fails(w.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: new("ann"), PolicyName: new("x"), PolicyDocument: new(strings.ReplaceAll(document(allow("s3:*", "*")), "2012-10-17", "2011-01-01"))})), "MalformedPolicyDocument", ""},
		"a user who is not":   {fails(w.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: new("bob"), PolicyName: new("x"), PolicyDocument: new(document(allow("s3:*", "*")))})), "NoSuchEntity", "The user with name bob cannot be found."},
		"a policy of a user":  {fails(w.GetUserPolicy(ctx, &sdk.GetUserPolicyInput{UserName: new("ann"), PolicyName: new("x")})), "NoSuchEntity", "The user policy with name x cannot be found."},
		"a policy of a group": {fails(w.DeleteGroupPolicy(ctx, &sdk.DeleteGroupPolicyInput{GroupName: new("ops"), PolicyName: new("x")})), "NoSuchEntity", "The group policy with name x cannot be found."},
		"a list of a role":    {fails(w.ListRolePolicies(ctx, &sdk.ListRolePoliciesInput{RoleName: new("missing")})), "NoSuchEntity", "The role with name missing cannot be found."},
		"a name with a slash": {fails(w.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: new("ann"), PolicyName: new("a/b"), PolicyDocument: new(document(allow("s3:*", "*")))})), "ValidationError", ""},
	} {
		t.Run(name, func(t *testing.T) { refused(t, tt.err, tt.code, tt.message) })
	}
	must(t, fails(w.DeleteUserPolicy(ctx, &sdk.DeleteUserPolicyInput{UserName: new("ann"), PolicyName: new("a")})))
	must(t, fails(w.DeleteGroupPolicy(ctx, &sdk.DeleteGroupPolicyInput{GroupName: new("ops"), PolicyName: new("a")})))
	users, err := w.ListUserPolicies(ctx, &sdk.ListUserPoliciesInput{UserName: new("ann")})
	must(t, err)
	w.has("PolicyNames", "IsTruncated")
	groups, err := w.ListGroupPolicies(ctx, &sdk.ListGroupPoliciesInput{GroupName: new("ops")})
	must(t, err)
	if len(users.PolicyNames)+len(groups.PolicyNames) != 0 {
		t.Errorf("%v, %v", users.PolicyNames, groups.PolicyNames)
	}
}
