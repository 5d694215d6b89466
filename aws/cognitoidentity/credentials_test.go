package cognitoidentity_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"
	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/aws/cognitoidentity"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// withRoles makes a pool's roles and sets them.
func (w *world) withRoles(pool string) (authenticated, guest string) {
	w.t.Helper()
	authenticated, guest = w.role("member", trustPool(pool, "authenticated")), w.role("guest", trustPool(pool, "unauthenticated"))
	_, err := w.SetIdentityPoolRoles(context.Background(), &ci.SetIdentityPoolRolesInput{IdentityPoolId: &pool, Roles: map[string]string{"authenticated": authenticated, "unauthenticated": guest}})
	must(w.t, err)
	return authenticated, guest
}

// session opens the session token of credentials, whose key must be the one they name.
func (w *world) session(c *types.Credentials) credential.Session {
	w.t.Helper()
	s, err := w.access.Sealer.OpenSession(*c.SessionToken)
	must(w.t, err)
	if s.KeyID != *c.AccessKeyId || s.Secret.Reveal() != *c.SecretKey || !strings.HasPrefix(s.KeyID, "ASIA") || len(*c.SecretKey) != 40 {
		w.t.Errorf("key %s, session of %s", *c.AccessKeyId, s.KeyID)
	}
	return s
}

func TestAGuestGetsItsRoleWithinTheGuestsLimits(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	pool := w.pool(withGuests)
	_, guest := w.withRoles(pool)
	id := w.guest(pool)
	out, err := w.GetCredentialsForIdentity(ctx, &ci.GetCredentialsForIdentityInput{IdentityId: &id})
	must(t, err)
	s := w.session(out.Credentials)
	if s.ARN != "arn:aws:sts::123456789012:assumed-role/guest/CognitoIdentityCredentials" || s.Issuer != guest || s.UserID != "AROAGUEST:CognitoIdentityCredentials" || !s.Limited {
		t.Errorf("%+v", s)
	}
	if got := out.Credentials.Expiration.Sub(start).Hours(); got != 1 || *out.IdentityId != id {
		t.Errorf("%v hours for %s", got, *out.IdentityId)
	}
	want := map[string][]string{"cognito-identity.amazonaws.com:aud": {pool}, "cognito-identity.amazonaws.com:sub": {id}, "cognito-identity.amazonaws.com:amr[]": {"unauthenticated"}}
	if d := cmp.Diff(want, s.Kept); d != "" {
		t.Error(d)
	}
	for action, allowed := range map[string]bool{"s3:GetObject": true, "dynamodb:GetItem": true, "iam:ListUsers": false, "ec2:RunInstances": false} {
		d, err := w.access.Decide(ctx, access.Ask{Subject: access.SubjectOf(s), Action: action, Resource: "*"})
		if err != nil || d.Allows() != allowed {
			t.Errorf("%s: %v %s", action, err, d.Because)
		}
	}
}

func TestLoginsAndDevelopersTokensGetTheMembersRole(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, vouched), context.Background()
	pool := w.pool(withGoogle)
	member, _ := w.withRoles(pool)
	_, err := w.SetPrincipalTagAttributeMap(ctx, &ci.SetPrincipalTagAttributeMapInput{IdentityPoolId: &pool, IdentityProviderName: new("accounts.google.com"), PrincipalTags: map[string]string{"team": "department"}})
	must(t, err)
	logins := map[string]string{"accounts.google.com": "good:ann"}
	found, err := w.GetId(ctx, &ci.GetIdInput{IdentityPoolId: &pool, Logins: logins})
	must(t, err)
	out, err := w.GetCredentialsForIdentity(ctx, &ci.GetCredentialsForIdentityInput{IdentityId: found.IdentityId, Logins: logins})
	must(t, err)
	s := w.session(out.Credentials)
	if s.Issuer != member || s.Limited || s.Tags["team"] != "research" || !slices.Equal(s.Kept["cognito-identity.amazonaws.com:amr[]"], []string{"authenticated", "accounts.google.com", "accounts.google.com:ann"}) {
		t.Errorf("%+v", s)
	}

	token, err := w.GetOpenIdTokenForDeveloperIdentity(ctx, &ci.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &pool, Logins: map[string]string{developer: "bob"}, PrincipalTags: map[string]string{"floor": "3"}})
	must(t, err)
	own := map[string]string{"cognito-identity.amazonaws.com": *token.Token}
	out, err = w.GetCredentialsForIdentity(ctx, &ci.GetCredentialsForIdentityInput{IdentityId: token.IdentityId, Logins: own})
	must(t, err)
	if s := w.session(out.Credentials); s.Issuer != member || s.Tags["floor"] != "3" {
		t.Errorf("%+v", s)
	}
	_, err = w.GetCredentialsForIdentity(ctx, &ci.GetCredentialsForIdentityInput{IdentityId: found.IdentityId, Logins: own})
	refused(t, err, "NotAuthorizedException", noMatch)
	_, err = w.GetCredentialsForIdentity(ctx, &ci.GetCredentialsForIdentityInput{IdentityId: token.IdentityId, Logins: own, CustomRoleArn: new("arn:aws:iam::123456789012:role/guest")})
	refused(t, err, "NotAuthorizedException", "")
	w.pass(901e9)
	_, err = w.GetCredentialsForIdentity(ctx, &ci.GetCredentialsForIdentityInput{IdentityId: token.IdentityId, Logins: own})
	refused(t, err, "NotAuthorizedException", "")
}

func TestARoleThatDoesNotTrustThePoolIsBadConfiguration(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	pool := w.pool(withGuests)
	noTags := strings.ReplaceAll(trustPool(pool, "authenticated"), `,"sts:TagSession"`, "")
	other, untagged := w.role("other", trustPool("us-east-1:00000000-0000-4000-8000-000000000000", "unauthenticated")), w.role("untagged", noTags)
	_, err := w.SetIdentityPoolRoles(ctx, &ci.SetIdentityPoolRolesInput{IdentityPoolId: &pool, Roles: map[string]string{"unauthenticated": other, "authenticated": untagged}})
	must(t, err)
	id := w.guest(pool)
	_, err = w.GetCredentialsForIdentity(ctx, &ci.GetCredentialsForIdentityInput{IdentityId: &id})
	refused(t, err, "InvalidIdentityPoolConfigurationException", noRoles)
	var kept struct{ Decisions []policy.Decision }
	must(t, json.Unmarshal(w.lastEvent().Evidence, &kept))
	if len(kept.Decisions) != 1 || kept.Decisions[0].Allows() || len(kept.Decisions[0].Statements) == 0 {
		t.Errorf("the evidence is %s", w.lastEvent().Evidence)
	}
	for tag, code := range map[string]string{"": "", "team": "InvalidIdentityPoolConfigurationException"} {
		in := &ci.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &pool, Logins: map[string]string{developer: "u" + tag}}
		if tag != "" {
			in.PrincipalTags = map[string]string{tag: "x"}
		}
		token, err := w.GetOpenIdTokenForDeveloperIdentity(ctx, in)
		must(t, err)
		_, err = w.GetCredentialsForIdentity(ctx, &ci.GetCredentialsForIdentityInput{IdentityId: token.IdentityId, Logins: map[string]string{"cognito-identity.amazonaws.com": *token.Token}})
		if code == "" {
			must(t, err)
		} else {
			refused(t, err, code, noRoles)
		}
	}
}

// userWith is the SDK's client of an IAM user that has one policy.
func (w *world) userWith(document string) *ci.Client {
	w.t.Helper()
	ctx := context.Background()
	arn := "arn:aws:iam::" + account + ":user/backend"
	must(w.t, w.store.IAMUsers.Create(ctx, directory.IAMUser{
		IAMEntity: directory.IAMEntity{ID: "AIDABACKEND", AccountID: account, ARN: arn, Path: "/", Name: "backend", CreatedAt: start},
		Grants:    directory.Grants{Inline: []directory.InlinePolicy{{Name: "p", Document: document}}},
	}, 100))
	must(w.t, w.store.AccessKeys.CreateAccessKey(ctx, directory.AccessKey{ID: "AKIARZPUZDIKGB2VALC7", AccountID: account, Principal: arn, PrincipalID: "AIDABACKEND", Secret: "s", Active: true, CreatedAt: start}, 2))
	return ci.NewFromConfig(aws.Config{Region: region, Credentials: credentials.NewStaticCredentialsProvider("AKIARZPUZDIKGB2VALC7", "s", ""), RetryMaxAttempts: 1, BaseEndpoint: &w.url})
}

func TestABackendCanBeHeldToItsOwnUsers(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	pool := w.pool()
	backend := w.userWith(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"cognito-identity:GetOpenIdTokenForDeveloperIdentity","Resource":"*",
		"Condition":{"StringLike":{"` + cognitoidentity.DeveloperUserKey + `":"${aws:username}/*"}}}}`)
	for user, allowed := range map[string]bool{"backend/1": true, "other/1": false, "backend": false, "BACKEND/1": false} {
		_, err := backend.GetOpenIdTokenForDeveloperIdentity(ctx, &ci.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &pool, Logins: map[string]string{developer: user}})
		if allowed {
			must(t, err)
			continue
		}
		refused(t, err, "AccessDeniedException", "User: arn:aws:iam::123456789012:user/backend is not authorized to perform: cognito-identity:GetOpenIdTokenForDeveloperIdentity on resource: arn:aws:cognito-identity:us-east-1:123456789012:identitypool/"+pool+" because no identity-based policy allows the cognito-identity:GetOpenIdTokenForDeveloperIdentity action")
	}
}

func TestRolesMustBePassable(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	pool := w.pool()
	role := w.role("member", trustPool(pool, "authenticated"))
	backend := w.userWith(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cognito-identity:*","Resource":"*"},
		{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::123456789012:role/other"}]}`)
	_, err := backend.SetIdentityPoolRoles(ctx, &ci.SetIdentityPoolRolesInput{IdentityPoolId: &pool, Roles: map[string]string{"authenticated": role}})
	refused(t, err, "NotAuthorizedException", "Access to Role '"+role+"' is forbidden.")
	shown, err := w.GetIdentityPoolRoles(ctx, &ci.GetIdentityPoolRolesInput{IdentityPoolId: &pool})
	must(t, err)
	if len(shown.Roles) != 0 {
		t.Errorf("roles %v", shown.Roles)
	}
}

func TestTagsOfAPoolAreConditionKeys(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	mine, other := w.pool(func(in *ci.CreateIdentityPoolInput) { in.IdentityPoolTags = map[string]string{"team": "red"} }), w.pool()
	user := w.userWith(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"cognito-identity:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"red"}}}]}`)
	_, err := user.DescribeIdentityPool(ctx, &ci.DescribeIdentityPoolInput{IdentityPoolId: &mine})
	must(t, err)
	_, err = user.DescribeIdentityPool(ctx, &ci.DescribeIdentityPoolInput{IdentityPoolId: &other})
	refused(t, err, "AccessDeniedException", "")
}
