package treatytest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"context"
)

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	_, payload, _ := parts(token)
	b, err := b64.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// The articles' flow with aws-sdk-go-v2 and azidentity's ClientAssertionCredential, as a Go test has it.
func TestCognitoToEntraWithTheRealSDKs(t *testing.T) {
	t.Parallel()
	tt := New(t)
	pool := tt.AddPool("my-identity-pool", "my.dev.provider")
	identity, _ := tt.DeveloperToken(pool, "my_user_id")
	app := tt.AddApplication("my workload")
	tt.Trust(app, "cognito", "https://cognito-identity.amazonaws.com", identity, pool.ID)
	tt.Grant(app, "Application.Read.All")

	assertion := func(ctx context.Context) (string, error) {
		out, err := cognitoidentity.NewFromConfig(tt.AWSConfig).GetOpenIdTokenForDeveloperIdentity(ctx, &cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{
			IdentityPoolId: &pool.ID, Logins: map[string]string{"my.dev.provider": "my_user_id"}, TokenDuration: aws.Int64(120),
		})
		if err != nil {
			return "", err
		}
		return *out.Token, nil
	}
	credential, err := azidentity.NewClientAssertionCredential(tt.TenantID, app.ClientID, assertion, &azidentity.ClientAssertionCredentialOptions{
		ClientOptions: azcore.ClientOptions{Transport: tt.HTTPClient},
	})
	if err != nil {
		t.Fatal(err)
	}
	token, err := credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
	if err != nil {
		t.Fatal(err)
	}
	got := claimsOf(t, token.Token)
	now := float64(tt.Now().Unix())
	for name, want := range map[string]any{
		"iss": "https://sts.windows.net/" + tt.TenantID + "/", "aud": "https://graph.microsoft.com", "appid": app.ClientID, "appidacr": "2",
		"oid": app.PrincipalID, "sub": app.PrincipalID, "tid": tt.TenantID, "ver": "1.0", "roles": []any{"Application.Read.All"},
		"exp": now + 3600, "iat": now - 300, "nbf": now - 300,
	} {
		if d := cmp.Diff(want, got[name]); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	status, body := tt.Request("GET", tt.GraphURL+"/v1.0/applications?$top=1", token.Token, nil)
	if status != 200 || !strings.Contains(string(body), `"appId"`) {
		t.Errorf("Graph: %d %s", status, body)
	}
	if status, body = tt.Request("POST", tt.GraphURL+"/v1.0/applications", token.Token, m{"displayName": "x"}); status != 403 || !strings.Contains(string(body), "Authorization_RequestDenied") {
		t.Errorf("a reader wrote to Graph: %d %s", status, body)
	}
}

func TestMSALGoBySecret(t *testing.T) {
	t.Parallel()
	tt := New(t)
	app := tt.AddApplication("msal")
	secret := tt.AddSecret(app)
	for _, tc := range []struct{ name, secret, wantErr string }{
		{"the right secret", secret, ""},
		{"a wrong one", "wrong", "AADSTS7000215"},
	} {
		cred, err := confidential.NewCredFromSecret(tc.secret)
		if err != nil {
			t.Fatal(err)
		}
		client, err := confidential.New(tt.Authority+"/"+tt.TenantID, app.ClientID, cred, confidential.WithHTTPClient(tt.HTTPClient))
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.AcquireTokenByCredential(t.Context(), []string{"https://management.azure.com/.default"})
		if tc.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("%s: %v, want %s", tc.name, err, tc.wantErr)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if c := claimsOf(t, got.AccessToken); c["appidacr"] != "1" || c["aud"] != "https://management.azure.com" || c["roles"] != nil {
			t.Errorf("%s: %v", tc.name, c)
		}
	}
}

func TestTwoTwinsSideBySideKnowNothingOfEachOther(t *testing.T) {
	t.Parallel()
	one, two := New(t), Config{Folder: true}.New(t)
	pool := one.AddPool("mine", "my.dev.provider")
	_, token := one.DeveloperToken(pool, "u")
	_, err := cognitoidentity.NewFromConfig(two.AWSConfig).DescribeIdentityPool(t.Context(), &cognitoidentity.DescribeIdentityPoolInput{IdentityPoolId: &pool.ID})
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != "UnrecognizedClientException" && refused.ErrorCode() != "ResourceNotFoundException" {
		t.Errorf("the other twin knows the pool: %v", err)
	}
	app := two.AddApplication("other")
	two.Trust(app, "cognito", "https://cognito-identity.amazonaws.com", text(claimsOf(t, token), "sub"), pool.ID)
	if status, body := two.Exchange(app, token, two.GraphURL); status != 401 || !strings.Contains(string(body), "AADSTS700027") {
		t.Errorf("a token of one twin passed at the other: %d %s", status, body)
	}
	one.Advance(time.Hour)
	if gap := one.Now().Sub(two.Now()); gap < 59*time.Minute {
		t.Errorf("the clocks are one: %v apart", gap)
	}
}

func text(m map[string]any, name string) string { s, _ := m[name].(string); return s }

func TestTheClockStandsUntilItIsMoved(t *testing.T) {
	t.Parallel()
	tt := New(t)
	pool := tt.AddPool("clock", "my.dev.provider")
	identity, token := tt.DeveloperToken(pool, "u")
	app := tt.AddApplication("clock")
	tt.Trust(app, "cognito", "https://cognito-identity.amazonaws.com", identity, pool.ID)
	if status, body := tt.Exchange(app, token, tt.GraphURL); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	tt.Advance(15*time.Minute + 5*time.Minute + time.Second)
	status, body := tt.Exchange(app, token, tt.GraphURL)
	if status != 401 || !strings.Contains(string(body), "AADSTS700024") {
		t.Errorf("an expired token: %d %s", status, body)
	}
	// The AWS SDK corrects its clock by the Date header and goes on.
	me, err := sts.NewFromConfig(tt.AWSConfig).GetCallerIdentity(t.Context(), nil)
	if err != nil || *me.Arn != "arn:aws:iam::123456789012:root" {
		t.Errorf("%v %v", me, err)
	}
}
