package iam_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"
)

const readsBucket = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}`

// managed makes a customer managed policy; edit changes the request.
func (w *world) managed(name string, edit ...func(*sdk.CreatePolicyInput)) string {
	w.t.Helper()
	in := &sdk.CreatePolicyInput{PolicyName: &name, PolicyDocument: new(readsBucket)}
	for _, e := range edit {
		e(in)
	}
	out, err := w.CreatePolicy(context.Background(), in)
	must(w.t, err)
	return *out.Policy.Arn
}

func TestTheLifeOfAPolicy(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	spaced := "{\n \"Version\": \"2012-10-17\",\n \"Statement\": {\"Effect\": \"Allow\", \"Action\": \"s3:*\", \"Resource\": \"arn:aws:s3:::a%20b/*\"}\n}"
	made, err := w.CreatePolicy(ctx, &sdk.CreatePolicyInput{
		PolicyName: new("Reads"), Path: new("/team/"), PolicyDocument: &spaced, Description: new("reads"),
		Tags: []types.Tag{{Key: new("Team"), Value: new("red")}, {Key: new("team"), Value: new("aws:blue")}},
	})
	must(t, err)
	w.has("Arn", "PolicyId", "DefaultVersionId", "AttachmentCount", "PermissionsBoundaryUsageCount", "IsAttachable", "CreateDate", "UpdateDate", "Path", "PolicyName", "Tags", "-Description")
	p := made.Policy
	if *p.Arn != "arn:aws:iam::"+account+":policy/team/Reads" || *p.DefaultVersionId != "v1" || *p.AttachmentCount != 0 || !p.IsAttachable || !p.CreateDate.Equal(start) || !strings.HasPrefix(*p.PolicyId, "ANPA") || len(*p.PolicyId) != 21 || len(p.Tags) != 2 {
		t.Errorf("%+v", p)
	}
	w.managed("Untagged")
	w.has("-Tags", "-Description")

	got, err := w.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: p.Arn})
	must(t, err)
	w.has("Tags", "Description")
	if *got.Policy.Description != "reads" || *got.Policy.PolicyId != *p.PolicyId {
		t.Errorf("%+v", got.Policy)
	}
	_, err = w.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: new("arn:aws:iam::" + account + ":policy/Untagged")})
	must(t, err)
	w.has("Tags", "-Description")
	if body := w.last().body; !strings.Contains(body, "<Tags/>") {
		t.Errorf("no empty tags in %s", body)
	}

	v, err := w.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyArn: p.Arn, VersionId: new("v1")})
	must(t, err)
	if text, _ := url.PathUnescape(*v.PolicyVersion.Document); text != spaced || !strings.Contains(*v.PolicyVersion.Document, "a%2520b") || strings.ContainsAny(*v.PolicyVersion.Document, "{+ ") {
		t.Errorf("document %s", *v.PolicyVersion.Document)
	}

}

func TestTheVersionsOfAPolicy(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	arn := new(w.managed("Versioned"))
	w.pass(time.Hour)
	second, err := w.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: new(readsBucket)})
	must(t, err)
	w.has("VersionId", "IsDefaultVersion", "CreateDate", "-Document")
	if *second.PolicyVersion.VersionId != "v2" || second.PolicyVersion.IsDefaultVersion {
		t.Errorf("%+v", second.PolicyVersion)
	}
	_, err = w.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: arn})
	refused(t, err, "DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
	third, err := w.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: new(readsBucket), SetAsDefault: true})
	must(t, err)
	if *third.PolicyVersion.VersionId != "v3" || !third.PolicyVersion.IsDefaultVersion {
		t.Errorf("%+v", third.PolicyVersion)
	}
	_, err = w.DeletePolicyVersion(ctx, &sdk.DeletePolicyVersionInput{PolicyArn: arn, VersionId: new("v3")})
	refused(t, err, "DeleteConflict", "Cannot delete the default version of a policy.")
	_, err = w.SetDefaultPolicyVersion(ctx, &sdk.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: new("v2")})
	must(t, err)
	_, err = w.DeletePolicyVersion(ctx, &sdk.DeletePolicyVersionInput{PolicyArn: arn, VersionId: new("v3")})
	must(t, err)
	_, err = w.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: new(readsBucket)})
	must(t, err)

	var ids []string
	for pages := sdk.NewListPolicyVersionsPaginator(w, &sdk.ListPolicyVersionsInput{PolicyArn: arn, MaxItems: new(int32(1))}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		must(t, err)
		for _, v := range page.Versions {
			ids = append(ids, fmt.Sprintf("%s %t %t", *v.VersionId, v.IsDefaultVersion, v.Document == nil))
		}
	}
	if d := cmp.Diff([]string{"v4 false true", "v2 true true", "v1 false true"}, ids); d != "" {
		t.Error(d)
	}
	got, err := w.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: arn})
	must(t, err)
	if *got.Policy.DefaultVersionId != "v2" || !got.Policy.UpdateDate.Equal(start.Add(time.Hour)) || !got.Policy.CreateDate.Equal(start) {
		t.Errorf("%+v", got.Policy)
	}
	for _, v := range []string{"v1", "v4"} {
		_, err = w.DeletePolicyVersion(ctx, &sdk.DeletePolicyVersionInput{PolicyArn: arn, VersionId: &v})
		must(t, err)
	}
	_, err = w.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: arn})
	must(t, err)
	_, err = w.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: arn})
	refused(t, err, "NoSuchEntity", "Policy "+*arn+" was not found.")
}

func TestPoliciesThatAreRefused(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	arn := w.managed("Taken")
	create := func(edit func(*sdk.CreatePolicyInput)) error {
		in := &sdk.CreatePolicyInput{PolicyName: new("Fresh"), PolicyDocument: new(readsBucket)}
		edit(in)
		_, err := w.CreatePolicy(ctx, in)
		return err
	}
	long := document(allow("s3:GetObject", "arn:aws:s3:::"+strings.Repeat("b", 6100)+"/*"))
	padded := strings.Replace(readsBucket, ",", ","+strings.Repeat(" \n", 4000), 1)
	missing := "arn:aws:iam::" + account + ":policy/Missing"
	foreign := strings.Replace(arn, account, stranger, 1)
	_, foreignErr := w.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: &foreign})
	for _, tt := range []struct {
		name          string
		err           error
		code, message string
	}{
		{"a name that is taken", create(func(in *sdk.CreatePolicyInput) { in.PolicyName = new("taken") }), "EntityAlreadyExists", "A policy called taken already exists. Duplicate names are not allowed."},
		{"no JSON", create(func(in *sdk.CreatePolicyInput) { in.PolicyDocument = new("{") }), "MalformedPolicyDocument", "Syntax errors in policy."},
		{"a principal", create(func(in *sdk.CreatePolicyInput) { in.PolicyDocument = new(trustsLambda) }), "MalformedPolicyDocument", ""},
		{"too long", create(func(in *sdk.CreatePolicyInput) { in.PolicyDocument = &long }), "LimitExceeded", "Cannot exceed quota for PolicySize: 6144"},
		{"a path of another form", create(func(in *sdk.CreatePolicyInput) { in.Path = new("team") }), "ValidationError", ""},
		{"a reserved tag", create(func(in *sdk.CreatePolicyInput) { in.Tags = []types.Tag{{Key: new("AWS:x"), Value: new("")}} }), "InvalidInput", "Tag keys beginning with aws: are reserved for system use."},
		{"another account's policy", foreignErr, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.code == "" {
				if tt.err == nil {
					t.Error("it is shown")
				}
				return
			}
			refused(t, tt.err, tt.code, tt.message)
		})
	}
	must(t, create(func(in *sdk.CreatePolicyInput) { in.PolicyDocument = &padded }))

	_, err := w.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyArn: &arn, VersionId: new("v9")})
	refused(t, err, "NoSuchEntity", "Policy "+arn+" version v9 does not exist or is not attachable.")
	_, err = w.SetDefaultPolicyVersion(ctx, &sdk.SetDefaultPolicyVersionInput{PolicyArn: &arn, VersionId: new("v9")})
	refused(t, err, "NoSuchEntity", "Policy "+arn+" version v9 does not exist or is not attachable.")
	_, err = w.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: &missing})
	refused(t, err, "NoSuchEntity", "Policy "+missing+" was not found.")
	if s := w.last().status; s != 404 {
		t.Errorf("status %d", s)
	}
	_, err = w.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: new("not-an-arn-but-long-enough")})
	refused(t, err, "ValidationError", "Invalid ARN:  Could not be parsed!")
	_, err = w.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: new("[]")})
	refused(t, err, "MalformedPolicyDocument", "")
}

func TestEightCallersMakeVersionsAtOnceAndFiveAreTheMost(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	arn := w.managed("Raced")
	made, failed := eight(func(int) error {
		_, err := w.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: new(readsBucket)})
		return err
	})
	if made != 4 {
		t.Errorf("%d versions were added", made)
	}
	for _, err := range failed {
		refused(t, err, "LimitExceeded", "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.")
	}
	out, err := w.ListPolicyVersions(ctx, &sdk.ListPolicyVersionsInput{PolicyArn: &arn})
	must(t, err)
	if len(out.Versions) != 5 || *out.Versions[0].VersionId != "v5" {
		t.Errorf("%d versions, newest %s", len(out.Versions), *out.Versions[0].VersionId)
	}
}

func TestEightCallersMakeOnePolicyAtOnce(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	made, failed := eight(func(int) error {
		_, err := w.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: new("One"), PolicyDocument: new(readsBucket)})
		return err
	})
	if made != 1 {
		t.Errorf("%d were made", made)
	}
	for _, err := range failed {
		refused(t, err, "EntityAlreadyExists", "")
	}
}

func TestListsOfPolicies(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	b := w.managed("b-policy", func(in *sdk.CreatePolicyInput) { in.Path = new("/team/"); in.Description = new("x") })
	a := w.managed("A-policy")
	bound := w.managed("Bound")
	w.role("r", func(in *sdk.CreateRoleInput) { in.PermissionsBoundary = &bound })
	for _, arn := range []string{b, awsPolicies + "ReadOnlyAccess"} {
		_, err := w.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: new("r"), PolicyArn: &arn})
		must(t, err)
	}
	list := func(in sdk.ListPoliciesInput) (arns []string) {
		in.MaxItems = new(int32(2))
		for pages := sdk.NewListPoliciesPaginator(w, &in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			must(t, err)
			w.has("-Tags", "-Description", "IsTruncated")
			for _, p := range page.Policies {
				arns = append(arns, *p.Arn)
			}
		}
		return arns
	}
	all := list(sdk.ListPoliciesInput{})
	if len(all) < 100 || all[0] != a || all[1] != b || all[2] != bound || !strings.HasPrefix(all[3], awsPolicies) {
		t.Errorf("%d: %v", len(all), all[:4])
	}
	for _, tt := range []struct {
		name string
		in   sdk.ListPoliciesInput
		want []string
	}{
		{"the account's", sdk.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal}, []string{a, b, bound}},
		{"a path", sdk.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal, PathPrefix: new("/team/")}, []string{b}},
		{"in use", sdk.ListPoliciesInput{OnlyAttached: true}, []string{b, bound, awsPolicies + "ReadOnlyAccess"}},
		{"attached", sdk.ListPoliciesInput{OnlyAttached: true, PolicyUsageFilter: types.PolicyUsageTypePermissionsPolicy}, []string{b, awsPolicies + "ReadOnlyAccess"}},
		{"boundaries", sdk.ListPoliciesInput{OnlyAttached: true, PolicyUsageFilter: types.PolicyUsageTypePermissionsBoundary}, []string{bound}},
		{"a filter of use has no effect on all", sdk.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal, PolicyUsageFilter: types.PolicyUsageTypePermissionsBoundary}, []string{a, b, bound}},
		{"AWS's attached ones", sdk.ListPoliciesInput{OnlyAttached: true, Scope: types.PolicyScopeTypeAws}, []string{awsPolicies + "ReadOnlyAccess"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, list(tt.in)); d != "" {
				t.Error(d)
			}
		})
	}
	_, err := w.ListPolicies(ctx, &sdk.ListPoliciesInput{Marker: new("bm9wZQ")})
	refused(t, err, "ValidationError", "Invalid Marker.")
	denied := w.user("nobody")
	_, err = denied.ListPolicies(ctx, &sdk.ListPoliciesInput{})
	refused(t, err, "AccessDenied", "User: arn:aws:iam::"+account+":user/nobody is not authorized to perform: iam:ListPolicies on resource: policy path / because no identity-based policy allows the iam:ListPolicies action")
}

func TestTagsOfPoliciesDifferByCase(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	arn := w.managed("Tagged")
	tag := func(pairs ...string) error {
		in := &sdk.TagPolicyInput{PolicyArn: &arn, Tags: []types.Tag{}}
		for i := 0; i < len(pairs); i += 2 {
			in.Tags = append(in.Tags, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
		}
		_, err := w.TagPolicy(ctx, in)
		return err
	}
	must(t, tag("Team", "a", "team", "b"))
	must(t, tag("team", "c"))
	refused(t, tag(), "InvalidInput", "")
	var got []string
	for pages := sdk.NewListPolicyTagsPaginator(w, &sdk.ListPolicyTagsInput{PolicyArn: &arn, MaxItems: new(int32(1))}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		must(t, err)
		w.has("IsTruncated")
		for _, tag := range page.Tags {
			got = append(got, *tag.Key+"="+*tag.Value)
		}
	}
	if d := cmp.Diff([]string{"Team=a", "team=c"}, got); d != "" {
		t.Error(d)
	}
	_, err := w.UntagPolicy(ctx, &sdk.UntagPolicyInput{PolicyArn: &arn, TagKeys: []string{"Team", "missing"}})
	must(t, err)
	out, err := w.ListPolicyTags(ctx, &sdk.ListPolicyTagsInput{PolicyArn: &arn})
	must(t, err)
	w.has("-Marker")
	if len(out.Tags) != 1 || *out.Tags[0].Key != "team" {
		t.Errorf("%+v", out.Tags)
	}
	tagger := w.user("tagger", map[string]any{"Effect": "Allow", "Action": "iam:TagPolicy", "Resource": "*", "Condition": map[string]any{
		"StringEquals":              map[string]string{"aws:ResourceTag/team": "c", "aws:RequestTag/cost": "1"},
		"ForAllValues:StringEquals": map[string]string{"aws:TagKeys": "cost"},
	}})
	_, err = tagger.TagPolicy(ctx, &sdk.TagPolicyInput{PolicyArn: &arn, Tags: []types.Tag{{Key: new("cost"), Value: new("1")}}})
	must(t, err)
	_, err = tagger.TagPolicy(ctx, &sdk.TagPolicyInput{PolicyArn: &arn, Tags: []types.Tag{{Key: new("cost"), Value: new("2")}}})
	refused(t, err, "AccessDenied", "")
}
