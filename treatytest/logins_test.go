package treatytest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// The AWS half of the second article: an identity pool maps the application roles of an Entra token to IAM
// roles.
func TestAnEntraTokenLogsInAndItsRolesChooseTheRole(t *testing.T) {
	t.Parallel()
	tt := New(t)
	ctx := context.Background()
	const admin = "5c0ffee0-0000-4000-8000-00000000000a"
	api := tt.AddAudience("api://shop")
	tt.graph("PATCH", "/v1.0/applications/"+api.ObjectID, m{"appRoles": []m{{"id": admin, "value": "Admin", "displayName": "Admin", "description": "Admin", "isEnabled": true, "allowedMemberTypes": []string{"Application"}}}}, nil)
	chief, clerk := tt.AddApplication("chief"), tt.AddApplication("clerk")
	tt.graph("POST", "/v1.0/servicePrincipals/"+chief.PrincipalID+"/appRoleAssignments", m{"principalId": chief.PrincipalID, "resourceId": api.PrincipalID, "appRoleId": admin}, nil)

	issuer := "sts.windows.net/" + tt.TenantID + "/"
	provider := tt.AddProvider("https://"+issuer, "api://shop")
	client := cognitoidentity.NewFromConfig(tt.AWSConfig)
	pool, err := client.CreateIdentityPool(ctx, &cognitoidentity.CreateIdentityPoolInput{IdentityPoolName: aws.String("shop"), OpenIdConnectProviderARNs: []string{provider}})
	if err != nil {
		t.Fatal(err)
	}
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"],"Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"` +
		*pool.IdentityPoolId + `"},"ForAnyValue:StringLike":{"cognito-identity.amazonaws.com:amr":"authenticated"}}}]}`
	const own = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"cognito-identity:ListIdentityPools","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/client":"api://shop"}}}}`
	admins, all := tt.AddRole("admins", trust, own), tt.AddRole("all", trust)
	if _, err := client.SetIdentityPoolRoles(ctx, &cognitoidentity.SetIdentityPoolRolesInput{
		IdentityPoolId: pool.IdentityPoolId, Roles: map[string]string{"authenticated": all},
		RoleMappings: map[string]types.RoleMapping{provider: {Type: types.RoleMappingTypeRules, AmbiguousRoleResolution: types.AmbiguousRoleResolutionTypeAuthenticatedRole, RulesConfiguration: &types.RulesConfigurationType{
			Rules: []types.MappingRule{{Claim: aws.String("roles"), MatchType: types.MappingRuleMatchTypeContains, Value: aws.String("Admin"), RoleARN: &admins}},
		}}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.SetPrincipalTagAttributeMap(ctx, &cognitoidentity.SetPrincipalTagAttributeMapInput{IdentityPoolId: pool.IdentityPoolId, IdentityProviderName: &provider, UseDefaults: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		app     Application
		role    string
		allowed bool
	}{{chief, "admins", true}, {clerk, "all", false}} {
		logins := map[string]string{issuer: tt.AppToken(c.app, "api://shop")}
		id, err := client.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: pool.IdentityPoolId, Logins: logins})
		if err != nil {
			t.Fatal(err)
		}
		out, err := client.GetCredentialsForIdentity(ctx, &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: id.IdentityId, Logins: logins})
		if err != nil {
			t.Fatal(err)
		}
		cfg := tt.As(*out.Credentials.AccessKeyId, *out.Credentials.SecretKey, *out.Credentials.SessionToken)
		me, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
		if err != nil || !strings.HasSuffix(*me.Arn, ":assumed-role/"+c.role+"/CognitoIdentityCredentials") {
			t.Errorf("%s is %v, %v", c.role, me, err)
		}
		_, err = cognitoidentity.NewFromConfig(cfg).ListIdentityPools(ctx, &cognitoidentity.ListIdentityPoolsInput{MaxResults: aws.Int32(1)})
		if (err == nil) != c.allowed {
			t.Errorf("%s: %v", c.role, err)
		}
	}

	good := tt.AppToken(chief, "api://shop")
	for name, c := range map[string]struct{ key, token, code, text string }{
		"another case of letters":   {strings.Replace(issuer, "7ea7", "7EA7", 1), good, "NotAuthorizedException", "Token is not from a supported provider of this identity pool."},
		"without the slash":         {strings.TrimSuffix(issuer, "/"), good, "NotAuthorizedException", "Token is not from a supported provider of this identity pool."},
		"altered":                   {issuer, good[:len(good)-8] + "AAAAAAAA", "NotAuthorizedException", "Invalid login token. Couldn't verify signed token."},
		"no token":                  {issuer, "abc", "NotAuthorizedException", "Invalid login token. Not a valid OpenId Connect identity token."},
		"of another audience":       {issuer, tt.AppToken(chief, tt.GraphURL), "NotAuthorizedException", "Invalid login token. Incorrect token audience"},
		"the pool's own (v1 of it)": {"cognito-identity.amazonaws.com", good, "NotAuthorizedException", "Invalid login token. Can't pass in a Cognito token."},
	} {
		_, err := client.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: pool.IdentityPoolId, Logins: map[string]string{c.key: c.token}})
		var refused smithy.APIError
		if !errors.As(err, &refused) || refused.ErrorCode() != c.code || refused.ErrorMessage() != c.text {
			t.Errorf("%s: %v", name, err)
		}
	}
	tt.Advance(3600e9 + 301e9)
	_, err = client.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: pool.IdentityPoolId, Logins: map[string]string{issuer: good}})
	var refused smithy.APIError
	if !errors.As(err, &refused) || !strings.HasPrefix(refused.ErrorMessage(), "Invalid login token. Token expired: ") {
		t.Errorf("an expired token: %v", err)
	}
}

// Both ways of the fourth article and back, by the SDK alone.
func TestRolesAndApplicationsTradeWithEachOther(t *testing.T) {
	t.Parallel()
	tt := New(t)
	app := tt.AddApplication("workload")
	tt.AddAudience("api://aws")
	issuer := "sts.windows.net/" + tt.TenantID + "/"
	provider := tt.AddProvider("https://"+issuer, "api://aws")
	role := tt.AddRole("workload", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Federated":"`+provider+`"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"`+issuer+`:aud":"api://aws","`+issuer+`:sub":"`+app.PrincipalID+`"}}}}`)
	token := tt.AppToken(app, "api://aws")
	out, err := tt.AssumeWithToken(role, token)
	if err != nil {
		t.Fatal(err)
	}
	if *out.Provider != provider || *out.Audience != "api://aws" || *out.SubjectFromWebIdentityToken != app.PrincipalID {
		t.Errorf("%s %s %s", *out.Provider, *out.Audience, *out.SubjectFromWebIdentityToken)
	}
	if r := tt.ExplainRole(role, token); !r.Pass {
		t.Errorf("%+v", r)
	}
	me := "arn:aws:iam::" + tt.AccountID + ":role/workload"
	if r := tt.ExplainPolicy(me, "s3:GetObject", "arn:aws:s3:::b/k"); r.Pass || r.Answer.Code != "AccessDenied" {
		t.Errorf("%+v", r.Answer)
	}
}
