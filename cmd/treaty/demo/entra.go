package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// EntraToAWS is the other direction: a workload that Entra knows gets a role's temporary keys by
// AssumeRoleWithWebIdentity, is held to the role's policy, and is refused once. Then the role, too, shows
// who it is: STS signs a token for it, which Entra trusts.
type EntraToAWS struct {
	*Stage
	app, secret, service string // client id, secret and service principal of the workload
	audience             string // of the tokens that it shows at AWS
	role                 string
}

const workloadRole = "azure-workload"

// Run carries the flow out.
func (f *EntraToAWS) Run(ctx context.Context) error {
	for _, part := range []func(context.Context) error{f.workload, f.trust, f.assume, f.permitted, f.refused, f.back} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// workload makes the two applications: the one that asks, and the one whose name is the audience.
func (f *EntraToAWS) workload(ctx context.Context) error {
	bearer, err := f.adminToken(ctx, f.GraphURL)
	if err != nil {
		return err
	}
	f.audience = "api://" + f.NewID()
	api, err := f.register(ctx, bearer, map[string]any{"displayName": "AWS", "signInAudience": "AzureADMyOrg", "identifierUris": []string{f.audience}})
	if err != nil {
		return err
	}
	app, err := f.register(ctx, bearer, map[string]any{"displayName": "my azure workload", "passwordCredentials": []map[string]any{{"displayName": "demo"}}})
	if err != nil {
		return err
	}
	f.app, f.service = text(app, "appId"), text(app, "principal")
	secrets, _ := app["passwordCredentials"].([]any)
	if len(secrets) != 1 {
		return fmt.Errorf("the application came without its secret: %v", app)
	}
	first, _ := secrets[0].(map[string]any)
	f.secret = text(first, "secretText")
	raw, err := f.token(ctx)
	if err != nil {
		return err
	}
	token, err := decoded(raw)
	if err != nil {
		return err
	}
	return f.tell("In Entra: a workload, and an application that stands for AWS as the audience "+text(api, "appId"), "token", token)
}

// token is what the workload shows at AWS.
func (f *EntraToAWS) token(ctx context.Context) (string, error) {
	c, err := azidentity.NewClientSecretCredential(f.TenantID, f.app, f.secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: f.options()})
	if err != nil {
		return "", err
	}
	return accessToken(ctx, c, f.audience)
}

// GetIdentityToken makes the flow a token retriever of stscreds.
func (f *EntraToAWS) GetIdentityToken() ([]byte, error) {
	raw, err := f.token(context.Background())
	return []byte(raw), err
}

// trustPolicy admits the workload's tokens with a subject.
func (f *EntraToAWS) trustPolicy(provider, subject string) string {
	issuer := "sts.windows.net/" + f.TenantID + "/"
	doc := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Principal": map[string]any{"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity",
		"Condition": map[string]any{"StringEquals": map[string]any{issuer + ":aud": f.audience, issuer + ":sub": subject}},
	}}}
	b, _ := json.Marshal(doc) // maps of texts
	return string(b)
}

// trust registers the tenant as a provider, and makes a role that admits the workload.
func (f *EntraToAWS) trust(ctx context.Context) error {
	client := iam.NewFromConfig(f.AWS)
	provider, err := client.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{
		Url: aws.String("https://sts.windows.net/" + f.TenantID + "/"), ClientIDList: []string{f.audience},
	})
	if err != nil {
		return err
	}
	policy := f.trustPolicy(*provider.OpenIDConnectProviderArn, f.service)
	role, err := client.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String(workloadRole), AssumeRolePolicyDocument: &policy})
	if err != nil {
		return err
	}
	f.role = *role.Role.Arn
	const allowed = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cognito-identity:List*","sts:GetWebIdentityToken"],"Resource":"*"}]}`
	if _, err := client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String(workloadRole), PolicyName: aws.String("little"), PolicyDocument: aws.String(allowed)}); err != nil {
		return err
	}
	return f.tell("In AWS: the tenant as an OIDC provider, and a role that trusts this workload of it", "role", f.role, "trust", json.RawMessage(policy), "may", json.RawMessage(allowed))
}

// asRole is the SDK's configuration of the role: it trades a fresh token whenever its keys run out.
func (f *EntraToAWS) asRole() aws.Config {
	anonymous := f.AWS.Copy()
	anonymous.Credentials = nil
	cfg := f.AWS.Copy()
	cfg.RetryMaxAttempts = 1
	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(anonymous, func(o *sts.Options) { o.RetryMaxAttempts = 1 }), f.role, f))
	return cfg
}

func (f *EntraToAWS) assume(ctx context.Context) error {
	me, err := sts.NewFromConfig(f.asRole()).GetCallerIdentity(ctx, nil)
	if err != nil {
		return err
	}
	return f.tell("The workload trades its token for temporary keys (stscreds.WebIdentityRoleProvider), and asks AWS who it is", "caller", aws.ToString(me.Arn))
}

func (f *EntraToAWS) permitted(ctx context.Context) error {
	client := cognitoidentity.NewFromConfig(f.asRole())
	pools, err := client.ListIdentityPools(ctx, &cognitoidentity.ListIdentityPoolsInput{MaxResults: aws.Int32(10)})
	if err != nil {
		return err
	}
	_, err = client.CreateIdentityPool(ctx, &cognitoidentity.CreateIdentityPoolInput{IdentityPoolName: aws.String("not mine")})
	var refusal smithy.APIError
	if !errors.As(err, &refusal) {
		return fmt.Errorf("the call should have been refused, got %v", err)
	}
	return f.tell("It may what the role's policy allows, and nothing else", "pools", fmt.Sprint(len(pools.IdentityPools)), "refused", refusal.ErrorCode()+": "+refusal.ErrorMessage())
}

// refused spoils the trust by another subject. AWS's answer does not say what is wrong.
func (f *EntraToAWS) refused(ctx context.Context) error {
	client := iam.NewFromConfig(f.AWS)
	provider := "arn:aws:iam::" + accountOf(f.role) + ":oidc-provider/sts.windows.net/" + f.TenantID + "/"
	for _, subject := range []string{f.NewID(), f.service} {
		if _, err := client.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String(workloadRole), PolicyDocument: aws.String(f.trustPolicy(provider, subject))}); err != nil {
			return err
		}
		if subject == f.service {
			break // as it was
		}
		raw, err := f.token(ctx)
		if err != nil {
			return err
		}
		anonymous := f.AWS.Copy()
		anonymous.Credentials, anonymous.RetryMaxAttempts = nil, 1
		out, err := sts.NewFromConfig(anonymous).AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{RoleArn: &f.role, RoleSessionName: aws.String("demo"), WebIdentityToken: &raw})
		var refusal smithy.APIError
		if !errors.As(err, &refusal) {
			return fmt.Errorf("the role should have been refused, got %v %v", out, err)
		}
		id := requestID(err)
		report, err := f.Explain(ctx, id)
		if err != nil {
			return err
		}
		if err := f.tell("Somebody edits the trust policy. AWS says only "+refusal.ErrorCode()+": "+refusal.ErrorMessage()+"; `treaty explain "+id+"` gives the reason", "explain", report); err != nil {
			return err
		}
	}
	return nil
}

// back goes the way that AWS offers since 2025: STS itself signs a token for the role, and Entra trusts it.
func (f *EntraToAWS) back(ctx context.Context) error {
	on, err := iam.NewFromConfig(f.AWS).EnableOutboundWebIdentityFederation(ctx, nil)
	if err != nil {
		return err
	}
	bearer, err := f.adminToken(ctx, f.GraphURL)
	if err != nil {
		return err
	}
	app, err := f.register(ctx, bearer, map[string]any{"displayName": "trusts an AWS role"})
	if err != nil {
		return err
	}
	trust := map[string]any{"name": "role", "issuer": *on.IssuerIdentifier, "subject": f.role, "audiences": []string{"api://AzureADTokenExchange"}}
	if _, err := f.do(ctx, bearer, "POST", f.GraphURL+"/v1.0/applications/"+text(app, "id")+"/federatedIdentityCredentials", trust); err != nil {
		return err
	}
	signed := ""
	sign := func(ctx context.Context) (string, error) {
		out, err := sts.NewFromConfig(f.asRole()).GetWebIdentityToken(ctx, &sts.GetWebIdentityTokenInput{Audience: []string{"api://AzureADTokenExchange"}, SigningAlgorithm: aws.String("RS256")})
		if err != nil {
			return "", err
		}
		signed = *out.WebIdentityToken
		return signed, nil
	}
	raw, err := f.trade(ctx, f.TenantID, text(app, "appId"), sign, f.GraphURL)
	if err != nil {
		return err
	}
	shown, err := decoded(signed)
	if err != nil {
		return err
	}
	granted, err := decoded(raw)
	if err != nil {
		return err
	}
	return f.tell("And straight back, without an identity pool: STS signs a token for the role, Entra trusts the account's issuer", "token", shown, "traded for", granted)
}

// requestID is the id that AWS's answer named.
func requestID(err error) string {
	var r interface{ ServiceRequestID() string }
	if errors.As(err, &r) {
		return r.ServiceRequestID()
	}
	return ""
}

func accountOf(arn string) string {
	const prefix = "arn:aws:iam::"
	if len(arn) < len(prefix)+12 {
		return ""
	}
	return arn[len(prefix) : len(prefix)+12]
}
