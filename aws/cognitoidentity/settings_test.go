package cognitoidentity_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"
	"github.com/google/go-cmp/cmp"
)

func TestTagsOfAPool(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	id := w.pool(func(in *ci.CreateIdentityPoolInput) {
		in.IdentityPoolTags = map[string]string{"team": "x", "stage": "dev"}
	})
	arn := "arn:aws:cognito-identity:us-east-1:123456789012:identitypool/" + id
	_, err := w.TagResource(ctx, &ci.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"team": "y", "empty": ""}})
	must(t, err)
	_, err = w.UntagResource(ctx, &ci.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"stage", "never there"}})
	must(t, err)
	listed, err := w.ListTagsForResource(ctx, &ci.ListTagsForResourceInput{ResourceArn: &arn})
	must(t, err)
	want := map[string]string{"team": "y", "empty": ""}
	if d := cmp.Diff(want, listed.Tags); d != "" {
		t.Errorf("tags (-want +got):\n%s", d)
	}
	shown, err := w.DescribeIdentityPool(ctx, &ci.DescribeIdentityPoolInput{IdentityPoolId: &id})
	must(t, err)
	if d := cmp.Diff(want, shown.IdentityPoolTags); d != "" {
		t.Errorf("described tags (-want +got):\n%s", d)
	}

	many := map[string]string{}
	for i := range 49 { // and the two that are there
		many[fmt.Sprint("k", i)] = "v"
	}
	missing := strings.Replace(id, id[len(id)-4:], "0000", 1)
	for name, c := range map[string]struct {
		arn, code, message string
		tags               map[string]string
	}{
		"more than fifty":      {arn, "InvalidParameterException", "", many},
		"a reserved key":       {arn, "InvalidParameterException", "", map[string]string{"aws:cloudformation:stack-id": "x"}},
		"a value that is long": {arn, "ValidationException", "", map[string]string{"k": strings.Repeat("v", 257)}},
		"no ARN":               {"identitypool/of-no-arn-at-all", "InvalidParameterException", "", nil},
		"an ARN of a role":     {"arn:aws:iam::123456789012:role/reader", "InvalidParameterException", "", nil},
		"a pool that is not there": {"arn:aws:cognito-identity:us-east-1:123456789012:identitypool/" + missing, "ResourceNotFoundException",
			"IdentityPool '" + missing + "' not found.", nil},
		"a pool of another region": {"arn:aws:cognito-identity:eu-west-1:123456789012:identitypool/" + id, "ResourceNotFoundException",
			"IdentityPool '" + id + "' not found.", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if c.tags == nil {
				c.tags = map[string]string{"k": "v"}
			}
			_, err := w.TagResource(ctx, &ci.TagResourceInput{ResourceArn: &c.arn, Tags: c.tags})
			refused(t, err, c.code, c.message)
		})
	}
	_, err = w.UntagResource(ctx, &ci.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"aws:x"}})
	refused(t, err, "InvalidParameterException", "")
	_, err = w.as(stranger, region).ListTagsForResource(ctx, &ci.ListTagsForResourceInput{ResourceArn: &arn})
	if err == nil {
		t.Error("a stranger read the tags")
	}
}

func TestRolesOfAPool(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	id := w.pool()
	empty, err := w.GetIdentityPoolRoles(ctx, &ci.GetIdentityPoolRolesInput{IdentityPoolId: &id})
	must(t, err)
	if d := cmp.Diff(&ci.GetIdentityPoolRolesOutput{IdentityPoolId: &id}, empty, plain); d != "" {
		t.Errorf("a new pool's roles (-want +got):\n%s", d)
	}
	reader, guest := w.role("reader", trustPool(id, "authenticated")), w.role("path/guest", trustPool(id, "unauthenticated"))
	rule := types.MappingRule{Claim: new("roles"), MatchType: types.MappingRuleMatchTypeContains, Value: new("admin"), RoleARN: new(reader)}
	rules := func(n int) types.RoleMapping {
		return types.RoleMapping{Type: types.RoleMappingTypeRules, AmbiguousRoleResolution: types.AmbiguousRoleResolutionTypeDeny,
			RulesConfiguration: &types.RulesConfigurationType{Rules: slices.Repeat([]types.MappingRule{rule}, n)}}
	}
	in := &ci.SetIdentityPoolRolesInput{IdentityPoolId: &id, Roles: map[string]string{"authenticated": reader, "unauthenticated": guest},
		RoleMappings: map[string]types.RoleMapping{"accounts.google.com": rules(25)}}
	_, err = w.SetIdentityPoolRoles(ctx, in)
	must(t, err)
	want := &ci.GetIdentityPoolRolesOutput{IdentityPoolId: &id, Roles: in.Roles, RoleMappings: in.RoleMappings}
	check := func() {
		t.Helper()
		got, err := w.GetIdentityPoolRoles(ctx, &ci.GetIdentityPoolRolesInput{IdentityPoolId: &id})
		must(t, err)
		if d := cmp.Diff(want, got, plain); d != "" {
			t.Errorf("roles (-want +got):\n%s", d)
		}
	}
	check()

	token := types.RoleMapping{Type: types.RoleMappingTypeToken, AmbiguousRoleResolution: types.AmbiguousRoleResolutionTypeDeny}
	noAnswer, noRules, tokenRules := token, rules(1), rules(1)
	noAnswer.AmbiguousRoleResolution, noRules.RulesConfiguration, tokenRules.Type = "", nil, types.RoleMappingTypeToken
	foreign := rules(1)
	foreign.RulesConfiguration.Rules[0].RoleARN = new("arn:aws:iam::210987654321:role/reader")
	for name, c := range map[string]struct {
		role, code, message string
		mapping             types.RoleMapping
	}{
		"no ARN":                           {"reader-of-everything-here", "InvalidParameterException", "", token},
		"a role that is not there":         {"arn:aws:iam::123456789012:role/nobody", "NotAuthorizedException", "Access to Role 'arn:aws:iam::123456789012:role/nobody' is forbidden.", token},
		"a user":                           {"arn:aws:iam::123456789012:user/reader", "InvalidParameterException", "", token},
		"a role of another account":        {"arn:aws:iam::210987654321:role/reader", "NotAuthorizedException", "Access to Role 'arn:aws:iam::210987654321:role/reader' is forbidden.", token},
		"a rule's role of another account": {reader, "NotAuthorizedException", "Access to Role 'arn:aws:iam::210987654321:role/reader' is forbidden.", foreign},
		"nothing said of ambiguous roles":  {reader, "InvalidParameterException", "", noAnswer},
		"rules without rules":              {reader, "InvalidParameterException", "", noRules},
		"a token mapping with rules":       {reader, "InvalidParameterException", "", tokenRules},
		"twenty-six rules":                 {reader, "InvalidParameterException", "", rules(26)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.SetIdentityPoolRoles(ctx, &ci.SetIdentityPoolRolesInput{IdentityPoolId: &id, Roles: map[string]string{"authenticated": c.role},
				RoleMappings: map[string]types.RoleMapping{"accounts.google.com": c.mapping}})
			refused(t, err, c.code, c.message)
		})
	}
	_, err = w.SetIdentityPoolRoles(ctx, &ci.SetIdentityPoolRolesInput{IdentityPoolId: &id, Roles: map[string]string{"admin": reader}})
	refused(t, err, "ValidationException", "")
	check() // refusals changed nothing

	_, err = w.SetIdentityPoolRoles(ctx, &ci.SetIdentityPoolRolesInput{IdentityPoolId: &id, Roles: map[string]string{"authenticated": guest}})
	must(t, err)
	want = &ci.GetIdentityPoolRolesOutput{IdentityPoolId: &id, Roles: map[string]string{"authenticated": guest}}
	check() // and setting replaces everything
}

func TestPrincipalTagsComeFromClaims(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, vouched), context.Background()
	pool := w.pool(withGoogle)
	unset, err := w.GetPrincipalTagAttributeMap(ctx, &ci.GetPrincipalTagAttributeMapInput{IdentityPoolId: &pool, IdentityProviderName: new("accounts.google.com")})
	must(t, err)
	want := &ci.GetPrincipalTagAttributeMapOutput{IdentityPoolId: &pool, IdentityProviderName: new("accounts.google.com"), UseDefaults: new(false)}
	if d := cmp.Diff(want, unset, plain); d != "" {
		t.Errorf("a map that was never set (-want +got):\n%s", d)
	}
	got, err := w.GetId(ctx, &ci.GetIdInput{IdentityPoolId: &pool, Logins: map[string]string{"accounts.google.com": "good:ann"}})
	must(t, err)
	for name, c := range map[string]struct {
		defaults bool
		tags     map[string]string
		want     any
	}{
		"the default ones":                  {true, map[string]string{"ignored": "department"}, map[string]any{"username": []any{"ann"}, "client": []any{"client"}}},
		"named ones, but not absent claims": {false, map[string]string{"dept": "department", "lvl": "level", "none": "absent", "list": "roles"}, map[string]any{"dept": []any{"research"}, "lvl": []any{"7"}}},
		"none":                              {false, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := w.SetPrincipalTagAttributeMap(ctx, &ci.SetPrincipalTagAttributeMapInput{
				IdentityPoolId: &pool, IdentityProviderName: new("accounts.google.com"), UseDefaults: &c.defaults, PrincipalTags: c.tags})
			must(t, err)
			shown, err := w.GetPrincipalTagAttributeMap(ctx, &ci.GetPrincipalTagAttributeMapInput{IdentityPoolId: &pool, IdentityProviderName: new("accounts.google.com")})
			must(t, err)
			if d := cmp.Diff(ci.GetPrincipalTagAttributeMapOutput(*set), *shown, plain); d != "" {
				t.Errorf("shown differs from set (-set +shown):\n%s", d)
			}
			out, err := w.GetOpenIdToken(ctx, &ci.GetOpenIdTokenInput{IdentityId: got.IdentityId, Logins: map[string]string{"accounts.google.com": "good:ann"}})
			must(t, err)
			_, claims := decode(t, *out.Token)
			var tags any
			if c, ok := claims["https://aws.amazon.com/tags"].(map[string]any); ok {
				tags = c["principal_tags"]
			}
			if d := cmp.Diff(c.want, tags); d != "" {
				t.Errorf("tags (-want +got):\n%s", d)
			}
		})
	}
	_, err = w.SetPrincipalTagAttributeMap(ctx, &ci.SetPrincipalTagAttributeMapInput{IdentityPoolId: &pool, IdentityProviderName: new("p"),
		PrincipalTags: map[string]string{"a": strings.Repeat("c", 230), "b": strings.Repeat("c", 231)}})
	refused(t, err, "InvalidParameterException", "")
}

func TestDefaultTagsOfProviders(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, vouched), context.Background()
	const oidc, saml = "arn:aws:iam::123456789012:oidc-provider/login.example.org/T/v2.0", "arn:aws:iam::123456789012:saml-provider/adfs"
	pool := w.pool(func(in *ci.CreateIdentityPoolInput) {
		in.OpenIdConnectProviderARNs, in.SamlProviderARNs = []string{oidc}, []string{saml}
		in.SupportedLoginProviders = map[string]string{"www.amazon.com": "client"}
	})
	for name, c := range map[string]struct {
		source, login string
		want          []string
	}{
		"an OIDC provider goes by its ARN":       {oidc, "login.example.org/T/v2.0", []string{"client", "username"}},
		"Amazon's user is in user_id, not sub":   {"www.amazon.com", "www.amazon.com", []string{"client"}},
		"SAML names neither sub nor aud a claim": {saml, saml, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.SetPrincipalTagAttributeMap(ctx, &ci.SetPrincipalTagAttributeMapInput{IdentityPoolId: &pool, IdentityProviderName: &c.source, UseDefaults: new(true)})
			must(t, err)
			logins := map[string]string{c.login: "good:ann"}
			id, err := w.GetId(ctx, &ci.GetIdInput{IdentityPoolId: &pool, Logins: logins})
			must(t, err)
			out, err := w.GetOpenIdToken(ctx, &ci.GetOpenIdTokenInput{IdentityId: id.IdentityId, Logins: logins})
			must(t, err)
			_, claims := decode(t, *out.Token)
			var got []string
			if tags, ok := claims["https://aws.amazon.com/tags"].(map[string]any); ok {
				got = names(tags["principal_tags"].(map[string]any))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("tags (-want +got):\n%s", d)
			}
		})
	}
}

func TestIdentitiesAreListedAndDeleted(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	pool := w.pool()
	var want []string
	for i := range 5 {
		want = append(want, w.user(pool, fmt.Sprint("user ", i)))
	}
	slices.Sort(want)
	var got []string
	in := &ci.ListIdentitiesInput{IdentityPoolId: &pool, MaxResults: new(int32(2))}
	for range 3 {
		page, err := w.ListIdentities(ctx, in)
		must(t, err)
		for _, i := range page.Identities {
			got = append(got, *i.IdentityId)
			if d := cmp.Diff([]string{developer}, i.Logins); d != "" || !i.CreationDate.Equal(start) {
				t.Errorf("%s, made %v, has logins (-want +got):\n%s", *i.IdentityId, i.CreationDate, d)
			}
		}
		if in.NextToken = page.NextToken; in.NextToken != nil {
			_, err = w.ListIdentities(ctx, &ci.ListIdentitiesInput{IdentityPoolId: new(w.pool()), MaxResults: new(int32(2)), NextToken: in.NextToken})
			refused(t, err, "InvalidParameterException", "") // a page of another pool's list
		}
	}
	if d := cmp.Diff(want, got); d != "" || in.NextToken != nil {
		t.Errorf("identities (-want +got), then %v:\n%s", in.NextToken, d)
	}
	const none = "us-east-1:00000000-0000-4000-8000-000000000000"
	out, err := w.DeleteIdentities(ctx, &ci.DeleteIdentitiesInput{IdentityIdsToDelete: []string{want[0], none, want[0], none, want[1]}})
	must(t, err)
	if u := out.UnprocessedIdentityIds; len(u) != 1 || *u[0].IdentityId != none || u[0].ErrorCode != types.ErrorCodeAccessDenied {
		t.Errorf("unprocessed: %v", u)
	}
	for i, id := range want {
		_, err := w.DescribeIdentity(ctx, &ci.DescribeIdentityInput{IdentityId: &id})
		if i < 2 {
			refused(t, err, "ResourceNotFoundException", "Identity '"+id+"' not found.")
		} else {
			must(t, err)
		}
	}
	_, err = w.DeleteIdentities(ctx, &ci.DeleteIdentitiesInput{IdentityIdsToDelete: []string{"not an id"}})
	refused(t, err, "ValidationException", "")
	_, err = w.DeleteIdentityPool(ctx, &ci.DeleteIdentityPoolInput{IdentityPoolId: &pool})
	must(t, err)
	_, err = w.GetOpenIdToken(ctx, &ci.GetOpenIdTokenInput{IdentityId: &want[4]})
	refused(t, err, "ResourceNotFoundException", "Identity '"+want[4]+"' not found.")
}
