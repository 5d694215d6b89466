package treatytest_test

// What docs/treatytest.md shows; a test of clients/ compares the two.

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/treatyfed/treaty/treatytest"
)

// fetch is the code under test: it trades an identity pool's token for an Entra access token.
func fetch(ctx context.Context, cfg aws.Config, transport policy.Transporter, pool, tenant, app string) (string, error) {
	assertion := func(ctx context.Context) (string, error) {
		out, err := cognitoidentity.NewFromConfig(cfg).GetOpenIdTokenForDeveloperIdentity(ctx, &cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{
			IdentityPoolId: &pool, Logins: map[string]string{"my.dev.provider": "my_user_id"},
		})
		if err != nil {
			return "", err
		}
		return *out.Token, nil
	}
	credential, err := azidentity.NewClientAssertionCredential(tenant, app, assertion, &azidentity.ClientAssertionCredentialOptions{
		ClientOptions: azcore.ClientOptions{Transport: transport},
	})
	if err != nil {
		return "", err
	}
	token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
	return token.Token, err
}

func TestWorkloadReadsApplications(t *testing.T) {
	tt := treatytest.New(t)
	pool := tt.AddPool("my-identity-pool", "my.dev.provider")
	identity, _ := tt.DeveloperToken(pool, "my_user_id")
	app := tt.AddApplication("my workload")
	tt.Trust(app, "cognito", "https://cognito-identity.amazonaws.com", identity, pool.ID)
	tt.Grant(app, "Application.Read.All")

	token, err := fetch(t.Context(), tt.AWSConfig, tt.HTTPClient, pool.ID, tt.TenantID, app.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	if status, body := tt.Request("GET", tt.GraphURL+"/v1.0/applications?$top=1", token, nil); status != http.StatusOK {
		t.Errorf("Microsoft Graph: %d %s", status, body)
	}
}

func TestExpiredTokenIsRefused(t *testing.T) {
	tt := treatytest.New(t)
	pool := tt.AddPool("my-identity-pool", "my.dev.provider")
	identity, token := tt.DeveloperToken(pool, "my_user_id")
	app := tt.AddApplication("my workload")
	tt.Trust(app, "cognito", "https://cognito-identity.amazonaws.com", identity, pool.ID)

	tt.Advance(time.Hour)
	status, body := tt.Exchange(app, token, "https://graph.microsoft.com")
	if status != http.StatusUnauthorized || !strings.Contains(string(body), "AADSTS700024") {
		t.Errorf("%d %s", status, body)
	}
	if r := tt.ExplainToken(app, token); r.Pass || r.Answer.Code != "AADSTS700024" {
		t.Errorf("explain: %+v", r)
	}
}

func TestAWorkloadOfAzureGetsKeysOfAWS(t *testing.T) {
	tt := treatytest.New(t)
	app, other := tt.AddApplication("my workload"), tt.AddApplication("somebody else's")
	tt.AddAudience("api://aws")
	issuer := "sts.windows.net/" + tt.TenantID + "/"
	provider := tt.AddProvider("https://"+issuer, "api://aws")
	role := tt.AddRole("workload", `{"Version": "2012-10-17", "Statement": [{
		"Effect": "Allow", "Principal": {"Federated": "`+provider+`"}, "Action": "sts:AssumeRoleWithWebIdentity",
		"Condition": {"StringEquals": {"`+issuer+`:aud": "api://aws", "`+issuer+`:sub": "`+app.PrincipalID+`"}}
	}]}`, `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "cognito-identity:List*", "Resource": "*"}]}`)

	out, err := tt.AssumeWithToken(role, tt.AppToken(app, "api://aws"))
	if err != nil {
		t.Fatal(err)
	}
	keys := tt.As(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	if _, err := cognitoidentity.NewFromConfig(keys).ListIdentityPools(t.Context(), &cognitoidentity.ListIdentityPoolsInput{MaxResults: aws.Int32(10)}); err != nil {
		t.Error(err)
	}
	if r := tt.ExplainRole(role, tt.AppToken(other, "api://aws")); r.Pass || r.Answer.Code != "AccessDenied" {
		t.Errorf("explain: %+v", r)
	}
}

func TestAUserMayReadItself(t *testing.T) {
	tt := treatytest.New(t)
	ada := tt.AddUser("ada", `{"Version": "2012-10-17", "Statement": [{
		"Effect": "Allow", "Action": "iam:GetUser", "Resource": "arn:aws:iam::*:user/${aws:username}"
	}]}`)
	if _, err := iam.NewFromConfig(ada).GetUser(t.Context(), nil); err != nil {
		t.Error(err)
	}
	user := "arn:aws:iam::" + tt.AccountID + ":user/"
	if r := tt.ExplainPolicy(user+"ada", "iam:GetUser", user+"bob"); r.Pass {
		t.Errorf("explain: %+v", r)
	}
}
