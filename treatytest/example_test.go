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
