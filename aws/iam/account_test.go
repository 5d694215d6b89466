package iam_test

import (
	"context"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/iam"
)

func TestTheAliasOfAnAccount(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	create := func(c *sdk.Client, alias string) error {
		_, err := c.CreateAccountAlias(ctx, &sdk.CreateAccountAliasInput{AccountAlias: &alias})
		return err
	}
	aliases := func() []string {
		t.Helper()
		out, err := w.ListAccountAliases(ctx, &sdk.ListAccountAliasesInput{})
		must(t, err)
		w.has("AccountAliases", "IsTruncated", "-Marker")
		return out.AccountAliases
	}
	if a := aliases(); len(a) != 0 {
		t.Errorf("%v", a)
	}
	must(t, create(w.Client, "first-alias"))
	must(t, create(w.Client, "second"))
	if a := aliases(); len(a) != 1 || a[0] != "second" {
		t.Errorf("%v", a)
	}
	refused(t, create(w.Client, "second"), "EntityAlreadyExists", "The account alias second already exists.")
	refused(t, create(w.root(stranger), "second"), "EntityAlreadyExists", "The account alias second already exists.")
	must(t, create(w.root(stranger), "first-alias"))
	refused(t, create(w.Client, "no--good"), "ValidationError", "")
	refused(t, create(w.Client, "123456789012"), "InvalidInput", "")
	_, err := w.DeleteAccountAlias(ctx, &sdk.DeleteAccountAliasInput{AccountAlias: new("first-alias")})
	refused(t, err, "NoSuchEntity", "")
	_, err = w.DeleteAccountAlias(ctx, &sdk.DeleteAccountAliasInput{AccountAlias: new("second")})
	must(t, err)
	if a := aliases(); len(a) != 0 {
		t.Errorf("%v", a)
	}
}

func TestTwoAccountsWantOneAliasAtOnce(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	clients := []*sdk.Client{w.Client, w.root(stranger)}
	got, failed := eight(func(i int) error {
		_, err := clients[i%2].CreateAccountAlias(ctx, &sdk.CreateAccountAliasInput{AccountAlias: new("wanted")})
		return err
	})
	if got != 1 {
		t.Errorf("%d got it", got)
	}
	for _, err := range failed {
		refused(t, err, "EntityAlreadyExists", "The account alias wanted already exists.")
	}
}

func TestTheSummaryOfAnAccount(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	summary := func() map[string]int32 {
		t.Helper()
		out, err := w.GetAccountSummary(ctx, &sdk.GetAccountSummaryInput{})
		must(t, err)
		return out.SummaryMap
	}
	before := summary()
	w.user("u")
	w.role("r")
	arn := w.managed("p")
	_, err := w.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: new(readsBucket)})
	must(t, err)
	_, err = w.provider("https://issuer.example")
	must(t, err)
	_, err = w.saml("corp")
	must(t, err)
	_, err = w.CreateVirtualMFADevice(ctx, &sdk.CreateVirtualMFADeviceInput{VirtualMFADeviceName: new("d")})
	must(t, err)
	after := summary()
	for key, want := range map[string]int32{"Users": 1, "Roles": 1, "Groups": 0, "Policies": 1, "PolicyVersionsInUse": 2, "Providers": 2, "MFADevices": 1, "MFADevicesInUse": 0, "UsersQuota": 0} {
		if got := after[key] - before[key]; got != want {
			t.Errorf("%s grew by %d, want %d", key, got, want)
		}
	}
	for key, want := range map[string]int32{"AccountAccessKeysPresent": 1, "AccountMFAEnabled": 0, "AccountPasswordPresent": 0, "UsersQuota": 5000, "RolesQuota": 1000, "GroupsQuota": 300, "PoliciesQuota": 1500, "PolicySizeQuota": 6144, "VersionsPerPolicyQuota": 5, "AttachedPoliciesPerRoleQuota": 10, "AccessKeysPerUserQuota": 2, "AssumeRolePolicySizeQuota": 2048} {
		if got, ok := after[key]; got != want || !ok {
			t.Errorf("%s is %d, want %d", key, got, want)
		}
	}
	for _, key := range types.SummaryKeyType("").Values() {
		if _, ok := after[string(key)]; !ok {
			t.Errorf("%s is missing", key)
		}
	}
}

func TestThereIsNoPasswordPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.GetAccountPasswordPolicy(context.Background(), &sdk.GetAccountPasswordPolicyInput{})
	refused(t, err, "NoSuchEntity", "The Password Policy with domain name "+account+" cannot be found.")
}

func TestOutboundFederation(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	enable := func() (string, error) {
		out, err := w.EnableOutboundWebIdentityFederation(ctx, &sdk.EnableOutboundWebIdentityFederationInput{})
		if err != nil {
			return "", err
		}
		return *out.IssuerIdentifier, nil
	}
	disable := func() error {
		_, err := w.DisableOutboundWebIdentityFederation(ctx, &sdk.DisableOutboundWebIdentityFederationInput{})
		return err
	}
	_, err := w.GetOutboundWebIdentityFederationInfo(ctx, &sdk.GetOutboundWebIdentityFederationInfoInput{})
	refused(t, err, "FeatureDisabled", "Outbound identity federation is disabled for account "+account)
	if s := w.last().status; s != 404 {
		t.Errorf("status %d", s)
	}
	refused(t, disable(), "FeatureDisabled", "Outbound identity federation is already disabled for account "+account)

	issuer, err := enable()
	must(t, err)
	if !strings.HasPrefix(issuer, "https://") || !strings.HasSuffix(issuer, ".tokens.sts.global.api.aws") || len(issuer) != len("https://")+36+len(".tokens.sts.global.api.aws") {
		t.Errorf("issuer %s", issuer)
	}
	_, err = enable()
	refused(t, err, "FeatureEnabled", "Outbound identity federation is already enabled for account "+account)
	if s := w.last().status; s != 409 {
		t.Errorf("status %d", s)
	}
	info, err := w.GetOutboundWebIdentityFederationInfo(ctx, &sdk.GetOutboundWebIdentityFederationInfoInput{})
	must(t, err)
	if *info.IssuerIdentifier != issuer || !info.JwtVendingEnabled {
		t.Errorf("%s, %t", *info.IssuerIdentifier, info.JwtVendingEnabled)
	}
	must(t, disable())
	if again, err := enable(); err != nil || again != issuer {
		t.Errorf("the issuer was %s and is %s, %v", issuer, again, err)
	}
	guid := strings.TrimSuffix(strings.TrimPrefix(issuer, "https://"), ".tokens.sts.global.api.aws")
	if a, err := w.store.Accounts.AccountByTokenIssuer(ctx, guid); err != nil || a.ID != account || !a.TokensEnabled {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestEightCallersEnableOutboundFederationAtOnce(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, func(s *iam.Service) {
		s.TokenIssuerURL = func(guid string) string { return "https://twin.example/" + guid }
	}), context.Background()
	done, failed := eight(func(int) error {
		out, err := w.EnableOutboundWebIdentityFederation(ctx, &sdk.EnableOutboundWebIdentityFederationInput{})
		if err == nil && !strings.HasPrefix(*out.IssuerIdentifier, "https://twin.example/") {
			t.Errorf("issuer %s", *out.IssuerIdentifier)
		}
		return err
	})
	if done != 1 {
		t.Errorf("%d enabled it", done)
	}
	for _, err := range failed {
		refused(t, err, "FeatureEnabled", "")
	}
}

func TestAuthorizationDetails(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	w.user("ann", allow("s3:GetObject", "*"))
	w.role("r")
	arn := w.managed("p", func(in *sdk.CreatePolicyInput) { in.Description = new("text") })
	_, err := w.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: new("g")})
	must(t, err)
	_, err = w.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: new("g"), UserName: new("ann")})
	must(t, err)
	for _, p := range []string{arn, awsPolicies + "ReadOnlyAccess"} {
		_, err = w.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: new("r"), PolicyArn: &p})
		must(t, err)
	}
	_, err = w.PutRolePermissionsBoundary(ctx, &sdk.PutRolePermissionsBoundaryInput{RoleName: new("r"), PermissionsBoundary: &arn})
	must(t, err)

	var users []types.UserDetail
	var groups []types.GroupDetail
	var roles []types.RoleDetail
	var policies []types.ManagedPolicyDetail
	pages := 0
	for p := sdk.NewGetAccountAuthorizationDetailsPaginator(w, &sdk.GetAccountAuthorizationDetailsInput{MaxItems: new(int32(1))}); p.HasMorePages(); pages++ {
		page, err := p.NextPage(ctx)
		must(t, err)
		users, groups, roles, policies = append(users, page.UserDetailList...), append(groups, page.GroupDetailList...), append(roles, page.RoleDetailList...), append(policies, page.Policies...)
	}
	if pages != 5 || len(users) != 1 || len(groups) != 1 || len(roles) != 1 || len(policies) != 2 {
		t.Fatalf("%d pages, %d users, %d groups, %d roles, %d policies", pages, len(users), len(groups), len(roles), len(policies))
	}
	if u := users[0]; u.GroupList[0] != "g" || *u.UserPolicyList[0].PolicyName != "given" || !strings.HasPrefix(*u.UserPolicyList[0].PolicyDocument, "%7B%22") {
		t.Errorf("%+v", u)
	}
	if r := roles[0]; len(r.AttachedManagedPolicies) != 2 || *r.PermissionsBoundary.PermissionsBoundaryArn != arn || r.PermissionsBoundary.PermissionsBoundaryType != "Policy" || r.RoleLastUsed == nil {
		t.Errorf("%+v", r)
	}
	if p := policies[0]; *p.Arn != arn || *p.AttachmentCount != 1 || *p.PermissionsBoundaryUsageCount != 1 || len(p.PolicyVersionList) != 1 || *p.Description != "text" {
		t.Errorf("%+v", p)
	}
	if *policies[1].Arn != awsPolicies+"ReadOnlyAccess" {
		t.Errorf("%s", *policies[1].Arn)
	}
	out, err := w.GetAccountAuthorizationDetails(ctx, &sdk.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{types.EntityTypeGroup, types.EntityTypeLocalManagedPolicy}})
	must(t, err)
	if len(out.UserDetailList)+len(out.RoleDetailList) != 0 || len(out.GroupDetailList) != 1 || len(out.Policies) != 1 {
		t.Errorf("%+v", out)
	}
}
