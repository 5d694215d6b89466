package iam_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"
)

// holder is one kind of entity that policies are attached to, as a client sees it.
type holder struct {
	kind, quota    string
	make           func(name string)
	attach, detach func(name, arn string) error
	attached       func(name, prefix string) []string
}

func (w *world) holders() []holder {
	ctx := context.Background()
	names := func(page []types.AttachedPolicy, err error) (out []string) {
		must(w.t, err)
		for _, p := range page {
			if !strings.HasSuffix(*p.PolicyArn, "/"+*p.PolicyName) {
				w.t.Errorf("%s is called %s", *p.PolicyArn, *p.PolicyName)
			}
			out = append(out, *p.PolicyArn)
		}
		return out
	}
	return []holder{
		{"role", "PoliciesPerRole", func(name string) { w.role(name) },
			func(name, arn string) error {
				_, err := w.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: &name, PolicyArn: &arn})
				return err
			},
			func(name, arn string) error {
				_, err := w.DetachRolePolicy(ctx, &sdk.DetachRolePolicyInput{RoleName: &name, PolicyArn: &arn})
				return err
			},
			func(name, prefix string) (out []string) {
				for pages := sdk.NewListAttachedRolePoliciesPaginator(w, &sdk.ListAttachedRolePoliciesInput{RoleName: &name, PathPrefix: &prefix, MaxItems: new(int32(1))}); pages.HasMorePages(); {
					page, err := pages.NextPage(ctx)
					must(w.t, err)
					out = append(out, names(page.AttachedPolicies, nil)...)
				}
				return out
			}},
		{"user", "PoliciesPerUser", func(name string) { w.user(name) },
			func(name, arn string) error {
				_, err := w.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: &name, PolicyArn: &arn})
				return err
			},
			func(name, arn string) error {
				_, err := w.DetachUserPolicy(ctx, &sdk.DetachUserPolicyInput{UserName: &name, PolicyArn: &arn})
				return err
			},
			func(name, prefix string) []string {
				page, err := w.ListAttachedUserPolicies(ctx, &sdk.ListAttachedUserPoliciesInput{UserName: &name, PathPrefix: &prefix})
				must(w.t, err)
				return names(page.AttachedPolicies, nil)
			}},
		{"group", "PoliciesPerGroup", func(name string) {
			_, err := w.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: &name})
			must(w.t, err)
		},
			func(name, arn string) error {
				_, err := w.AttachGroupPolicy(ctx, &sdk.AttachGroupPolicyInput{GroupName: &name, PolicyArn: &arn})
				return err
			},
			func(name, arn string) error {
				_, err := w.DetachGroupPolicy(ctx, &sdk.DetachGroupPolicyInput{GroupName: &name, PolicyArn: &arn})
				return err
			},
			func(name, prefix string) []string {
				page, err := w.ListAttachedGroupPolicies(ctx, &sdk.ListAttachedGroupPoliciesInput{GroupName: &name, PathPrefix: &prefix})
				must(w.t, err)
				return names(page.AttachedPolicies, nil)
			}},
	}
}

func TestAttachingPolicies(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	own, admin := w.managed("Own", func(in *sdk.CreatePolicyInput) { in.Path = new("/team/") }), awsPolicies+"AdministratorAccess"
	missing := "arn:aws:iam::" + account + ":policy/Missing"
	for i, h := range w.holders() {
		h.make("it")
		must(t, h.attach("it", own))
		must(t, h.attach("it", admin))
		must(t, h.attach("it", admin)) // again: no change
		if d := cmp.Diff([]string{admin, own}, h.attached("it", "/")); d != "" {
			t.Errorf("%s: %s", h.kind, d)
		}
		if d := cmp.Diff([]string{own}, h.attached("it", "/team/")); d != "" {
			t.Errorf("%s: %s", h.kind, d)
		}
		for _, arn := range []string{own, admin} {
			got, err := w.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: &arn})
			must(t, err)
			if *got.Policy.AttachmentCount != int32(i+1) {
				t.Errorf("%s: %s is attached %d times", h.kind, arn, *got.Policy.AttachmentCount)
			}
		}
		gone := " does not exist or is not attachable."
		refused(t, h.attach("it", missing), "NoSuchEntity", "Policy "+missing+gone)
		refused(t, h.attach("it", awsPolicies+"NoSuchAccess"), "NoSuchEntity", "Policy "+awsPolicies+"NoSuchAccess"+gone)
		foreign := strings.Replace(own, account, stranger, 1)
		refused(t, h.attach("it", foreign), "NoSuchEntity", "Policy "+foreign+gone)
		refused(t, h.attach("it", "not-an-arn-but-long-enough"), "ValidationError", "Invalid ARN:  Could not be parsed!")
		refused(t, h.attach("nobody", own), "NoSuchEntity", "The "+h.kind+" with name nobody cannot be found.")
		refused(t, h.detach("nobody", own), "NoSuchEntity", "The "+h.kind+" with name nobody cannot be found.")
		refused(t, h.detach("it", missing), "NoSuchEntity", "Policy "+missing+" was not found.")
	}
	_, err := w.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: &own})
	refused(t, err, "DeleteConflict", "Cannot delete a policy attached to entities.")
	for _, h := range w.holders() {
		must(t, h.detach("it", own))
		refused(t, h.detach("it", own), "NoSuchEntity", "Policy "+own+" was not found.")
		if d := cmp.Diff([]string{admin}, h.attached("it", "/")); d != "" {
			t.Errorf("%s: %s", h.kind, d)
		}
	}
	_, err = w.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: &own})
	must(t, err)
}

func TestEightCallersAttachAtOnceAndTenAreTheMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var arns []string
	for i := range 15 {
		arns = append(arns, w.managed(fmt.Sprint("p", i)))
	}
	for _, h := range w.holders() {
		h.make("raced")
		for _, arn := range arns[8:] {
			must(t, h.attach("raced", arn))
		}
		done, failed := eight(func(i int) error { return h.attach("raced", arns[i]) })
		if done != 3 || len(h.attached("raced", "/")) != 10 {
			t.Errorf("%s: %d got through, %d are attached", h.kind, done, len(h.attached("raced", "/")))
		}
		for _, err := range failed {
			refused(t, err, "LimitExceeded", "Cannot exceed quota for "+h.quota+": 10")
		}
	}
}

func TestWhoHasAPolicy(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	arn := w.managed("Shared")
	for _, h := range w.holders() {
		h.make("it")
		must(t, h.attach("it", arn))
	}
	w.role("bound", func(in *sdk.CreateRoleInput) { in.PermissionsBoundary = &arn; in.Path = new("/team/") })
	got, err := w.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: &arn})
	must(t, err)
	if *got.Policy.AttachmentCount != 3 || *got.Policy.PermissionsBoundaryUsageCount != 1 {
		t.Errorf("%+v", got.Policy)
	}
	list := func(in sdk.ListEntitiesForPolicyInput) (out []string) {
		in.PolicyArn, in.MaxItems = &arn, new(int32(1))
		for pages := sdk.NewListEntitiesForPolicyPaginator(w, &in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			must(t, err)
			w.has("PolicyGroups", "PolicyUsers", "PolicyRoles")
			for _, g := range page.PolicyGroups {
				out = append(out, "group "+*g.GroupName+" "+(*g.GroupId)[:4])
			}
			for _, r := range page.PolicyRoles {
				out = append(out, "role "+*r.RoleName+" "+(*r.RoleId)[:4])
			}
			for _, u := range page.PolicyUsers {
				out = append(out, "user "+*u.UserName+" "+(*u.UserId)[:4])
			}
		}
		return out
	}
	group, role, bound, user := "group it AGPA", "role it AROA", "role bound AROA", "user it AIDA"
	for _, tt := range []struct {
		name string
		in   sdk.ListEntitiesForPolicyInput
		want []string
	}{
		{"all", sdk.ListEntitiesForPolicyInput{}, []string{group, bound, role, user}},
		{"roles", sdk.ListEntitiesForPolicyInput{EntityFilter: types.EntityTypeRole}, []string{bound, role}},
		{"users", sdk.ListEntitiesForPolicyInput{EntityFilter: types.EntityTypeUser}, []string{user}},
		{"policies", sdk.ListEntitiesForPolicyInput{EntityFilter: types.EntityTypeLocalManagedPolicy}, nil},
		{"a path", sdk.ListEntitiesForPolicyInput{PathPrefix: new("/team/")}, []string{bound}},
		{"a boundary", sdk.ListEntitiesForPolicyInput{PolicyUsageFilter: types.PolicyUsageTypePermissionsBoundary}, []string{bound}},
		{"attached", sdk.ListEntitiesForPolicyInput{PolicyUsageFilter: types.PolicyUsageTypePermissionsPolicy}, []string{group, role, user}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, list(tt.in)); d != "" {
				t.Error(d)
			}
		})
	}
	_, err = w.ListEntitiesForPolicy(ctx, &sdk.ListEntitiesForPolicyInput{PolicyArn: new(arn + "x")})
	refused(t, err, "NoSuchEntity", "Policy "+arn+"x was not found.")
}

func TestAttachingIsJudgedByThePolicyAttached(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	w.role("target")
	clerk := w.user("clerk", map[string]any{
		"Effect": "Allow", "Action": []string{"iam:AttachRolePolicy", "iam:DetachRolePolicy"}, "Resource": "arn:aws:iam::" + account + ":role/target",
		"Condition": map[string]any{"ArnEquals": map[string]string{"iam:PolicyARN": awsPolicies + "ReadOnlyAccess"}},
	})
	_, err := clerk.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: new("target"), PolicyArn: new(awsPolicies + "ReadOnlyAccess")})
	must(t, err)
	_, err = clerk.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: new("target"), PolicyArn: new(awsPolicies + "AdministratorAccess")})
	refused(t, err, "AccessDenied", "User: arn:aws:iam::"+account+":user/clerk is not authorized to perform: iam:AttachRolePolicy on resource: role target because no identity-based policy allows the iam:AttachRolePolicy action")
	_, err = clerk.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: new("clerk"), PolicyArn: new(awsPolicies + "ReadOnlyAccess")})
	refused(t, err, "AccessDenied", "")
	_, err = clerk.DetachRolePolicy(ctx, &sdk.DetachRolePolicyInput{RoleName: new("target"), PolicyArn: new(awsPolicies + "ReadOnlyAccess")})
	must(t, err)
}

func TestAttachedPoliciesGrant(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	ann := w.user("ann")
	_, err := ann.ListRoles(ctx, &sdk.ListRolesInput{})
	refused(t, err, "AccessDenied", "")
	_, err = w.AttachUserPolicy(ctx, &sdk.AttachUserPolicyInput{UserName: new("ann"), PolicyArn: new(awsPolicies + "IAMReadOnlyAccess")})
	must(t, err)
	_, err = ann.ListRoles(ctx, &sdk.ListRolesInput{})
	must(t, err)
	_, err = ann.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: new("g")})
	refused(t, err, "AccessDenied", "")
}

func TestAPolicyIsAttachedOrDeletedNeverBoth(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	w.role("r")
	for i := range 4 {
		arn := w.managed(fmt.Sprint("p", i))
		eight(func(i int) error {
			if i%2 == 0 {
				_, err := w.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: new("r"), PolicyArn: &arn})
				return err
			}
			_, err := w.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: &arn})
			return err
		})
		_, gone := w.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: &arn})
		out, err := w.ListAttachedRolePolicies(ctx, &sdk.ListAttachedRolePoliciesInput{RoleName: new("r")})
		must(t, err)
		attached := false
		for _, p := range out.AttachedPolicies {
			attached = attached || *p.PolicyArn == arn
		}
		if attached == (gone != nil) {
			t.Errorf("attached: %t, policy: %v", attached, gone)
		}
	}
}

func TestMakingSomethingWithTagsNeedsThePermissionToTag(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	maker := w.user("maker", map[string]any{"Effect": "Allow", "Action": []string{"iam:CreatePolicy", "iam:CreateOpenIDConnectProvider", "iam:CreateSAMLProvider"}, "Resource": "*"})
	tags := []types.Tag{{Key: new("a"), Value: new("b")}}
	_, err := maker.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: new("p"), PolicyDocument: new(readsBucket), Tags: tags})
	refused(t, err, "AccessDenied", "User: arn:aws:iam::"+account+":user/maker is not authorized to perform: iam:TagPolicy on resource: policy p because no identity-based policy allows the iam:TagPolicy action")
	_, err = maker.CreateOpenIDConnectProvider(ctx, &sdk.CreateOpenIDConnectProviderInput{Url: new("https://issuer.example"), Tags: tags})
	refused(t, err, "AccessDenied", "")
	_, err = maker.CreateSAMLProvider(ctx, &sdk.CreateSAMLProviderInput{Name: new("p"), SAMLMetadataDocument: new(metadata()), Tags: tags})
	refused(t, err, "AccessDenied", "")
	_, err = maker.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: new("p"), PolicyDocument: new(readsBucket)})
	must(t, err)
}
