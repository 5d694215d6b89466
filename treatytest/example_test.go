package treatytest_test

// What docs/treatytest.md shows; a test of clients/ compares the two.

import (
	"context"
	"encoding/json"
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

func TestAnIssuerOfOursIsTakenByBothClouds(t *testing.T) {
	tt := treatytest.New(t)
	sso := tt.AddIssuer("sso", "https://sso.example.com", "pingfederate", treatytest.IssuerClient{
		ID: "payroll", Attributes: map[string]any{"team": "hr"}, Claims: map[string]string{"sub": "'team/' + client.attributes.team"},
	})
	app := tt.AddApplication("payroll")
	tt.Trust(app, "sso", sso.URL, "team/hr", "api://AzureADTokenExchange")
	provider := tt.AddProvider(sso.URL, "sts.amazonaws.com")
	role := tt.AddRole("payroll", `{"Version": "2012-10-17", "Statement": [{
		"Effect": "Allow", "Principal": {"Federated": "`+provider+`"}, "Action": "sts:AssumeRoleWithWebIdentity",
		"Condition": {"StringEquals": {"sso.example.com:aud": "sts.amazonaws.com", "sso.example.com:sub": "team/hr"}}
	}]}`)

	status, body := tt.Exchange(app, tt.IssuerToken(sso, "payroll", map[string]string{"audience": "api://AzureADTokenExchange"}), tt.GraphURL)
	if status != http.StatusOK {
		t.Errorf("Entra: %d %s", status, body)
	}
	if _, err := tt.AssumeWithToken(role, tt.IssuerToken(sso, "payroll", map[string]string{"audience": "sts.amazonaws.com"})); err != nil {
		t.Errorf("AWS: %v", err)
	}
}

func TestAManagedIdentityOpensAnotherTenant(t *testing.T) {
	tt := treatytest.New(t)
	partner := tt.AddTenant("Partner", "partner.onmicrosoft.com", true)
	var app struct{ ID, AppID string }
	graph := func(of *treatytest.Treaty, path string, in, out any) {
		t.Helper()
		status, body := of.Request("POST", of.GraphURL+"/v1.0/"+path, of.AdminToken(of.GraphURL), in)
		if status != http.StatusCreated {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		if out != nil && json.Unmarshal(body, out) != nil {
			t.Fatalf("%s: %s", path, body)
		}
	}
	graph(tt, "applications", map[string]any{"displayName": "reporting", "signInAudience": "AzureADMultipleOrgs"}, &app)
	graph(tt.In(partner), "servicePrincipals", map[string]any{"appId": app.AppID}, nil)

	identity := tt.AddManagedIdentity("reporting")
	tt.AddMachine("default", "vm", false, identity)
	graph(tt, "applications/"+app.ID+"/federatedIdentityCredentials", map[string]any{
		"name": "managed-identity", "issuer": "https://login.microsoftonline.com/" + tt.TenantID + "/v2.0",
		"subject": identity.PrincipalID, "audiences": []string{"api://AzureADTokenExchange"},
	}, nil)

	for resource, want := range map[string]string{"api://AzureADTokenExchange": "access_token", tt.GraphURL: "AADSTS700227"} {
		_, token := tt.IdentityToken("", resource)
		var assertion struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal(token, &assertion); err != nil {
			t.Fatalf("%s: %v", token, err)
		}
		_, body := tt.In(partner).Exchange(treatytest.Application{ClientID: app.AppID}, assertion.AccessToken, tt.GraphURL)
		if !strings.Contains(string(body), want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
}
