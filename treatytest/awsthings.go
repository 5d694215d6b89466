package treatytest

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/explain"
	"github.com/treatyfed/treaty/server"
)

// AddProvider registers an issuer with the account, for its roles to trust, and returns the provider's ARN.
func (tt *Treaty) AddProvider(issuer string, clientIDs ...string) string {
	tt.t.Helper()
	out, err := iam.NewFromConfig(tt.AWSConfig).CreateOpenIDConnectProvider(context.Background(), &iam.CreateOpenIDConnectProviderInput{Url: &issuer, ClientIDList: clientIDs})
	if err != nil {
		tt.t.Fatalf("register %s: %v", issuer, err)
	}
	return *out.OpenIDConnectProviderArn
}

// AddAudience registers an application that tokens can be asked for, by its identifier URI.
func (tt *Treaty) AddAudience(uri string) Application {
	tt.t.Helper()
	var app struct{ ID, AppID string }
	tt.graph("POST", "/v1.0/applications", map[string]any{"displayName": uri, "signInAudience": "AzureADMyOrg", "identifierUris": []string{uri}}, &app)
	var sp struct{ ID string }
	tt.graph("POST", "/v1.0/servicePrincipals", map[string]any{"appId": app.AppID}, &sp)
	return Application{ClientID: app.AppID, ObjectID: app.ID, PrincipalID: sp.ID}
}

// AppToken is an application's access token of a resource, by client secret.
func (tt *Treaty) AppToken(a Application, resource string) string {
	tt.t.Helper()
	status, answer := tt.PostForm(tt.TokenURL(), url.Values{
		"client_id": {a.ClientID}, "client_secret": {tt.AddSecret(a)}, "grant_type": {"client_credentials"}, "scope": {resource + "/.default"},
	})
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(answer, &got); err != nil || got.AccessToken == "" {
		tt.t.Fatalf("token of %s: %d %s", resource, status, answer)
	}
	return got.AccessToken
}

// AddRole makes a role with a trust policy and inline policies, and returns its ARN.
func (tt *Treaty) AddRole(name, trust string, policies ...string) string {
	tt.t.Helper()
	client := iam.NewFromConfig(tt.AWSConfig)
	out, err := client.CreateRole(context.Background(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	if err != nil {
		tt.t.Fatalf("make role %s: %v", name, err)
	}
	for i, document := range policies {
		_, err := client.PutRolePolicy(context.Background(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("policy" + string(rune('a'+i))), PolicyDocument: &document})
		if err != nil {
			tt.t.Fatalf("give role %s a policy: %v", name, err)
		}
	}
	return *out.Role.Arn
}

// AddUser makes a user with inline policies and returns the configuration that calls as it.
func (tt *Treaty) AddUser(name string, policies ...string) aws.Config {
	tt.t.Helper()
	client, ctx := iam.NewFromConfig(tt.AWSConfig), context.Background()
	if _, err := client.CreateUser(ctx, &iam.CreateUserInput{UserName: &name}); err != nil {
		tt.t.Fatalf("make user %s: %v", name, err)
	}
	for i, document := range policies {
		_, err := client.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("policy" + string(rune('a'+i))), PolicyDocument: &document})
		if err != nil {
			tt.t.Fatalf("give user %s a policy: %v", name, err)
		}
	}
	key, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		tt.t.Fatalf("make a key of %s: %v", name, err)
	}
	return tt.As(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "")
}

// As is the configuration that calls with an access key; token is the session token of a temporary one.
func (tt *Treaty) As(id, secret, token string) aws.Config {
	cfg := tt.AWSConfig.Copy()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(id, secret, token)
	return cfg
}

// AssumeWithToken trades a token of another issuer for a role's temporary keys by AssumeRoleWithWebIdentity.
// The error is the SDK's.
func (tt *Treaty) AssumeWithToken(role, token string) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	cfg := tt.AWSConfig.Copy()
	cfg.Credentials = nil
	client := sts.NewFromConfig(cfg, func(o *sts.Options) { o.RetryMaxAttempts = 1 })
	return client.AssumeRoleWithWebIdentity(context.Background(), &sts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: aws.String("test"), WebIdentityToken: &token})
}

// ExplainRole tells whether a token would get a role now, without trading it.
func (tt *Treaty) ExplainRole(role, token string) explain.Report {
	tt.t.Helper()
	r, err := tt.server.ExplainRole(context.Background(), server.RoleQuestion{Token: token, Role: role})
	if err != nil {
		tt.t.Fatalf("explain %s: %v", role, err)
	}
	return r
}

// ExplainPolicy tells what the policies of a principal say to an action on a resource.
func (tt *Treaty) ExplainPolicy(principal, action, resource string) explain.Report {
	tt.t.Helper()
	r, err := tt.server.ExplainPolicy(context.Background(), server.PolicyQuestion{Principal: principal, Action: action, Resource: resource})
	if err != nil {
		tt.t.Fatalf("explain %s: %v", principal, err)
	}
	return r
}
