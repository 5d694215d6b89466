package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// OutsideToBoth is the articles' enterprise identity provider: an issuer outside both clouds whose rules
// fill subject and audience, and whose one token is traded at Entra and at AWS alike.
type OutsideToBoth struct {
	*Stage
	secret string // of the issuer's client
}

const (
	outsideIssuer   = "https://acme.okta.com/oauth2/default"
	outsideClient   = "payroll"
	outsideSubject  = "team/hr/payroll"
	outsideAudience = "api://both-clouds"
)

// Run carries the flow out.
func (f *OutsideToBoth) Run(ctx context.Context) error {
	for _, part := range []func(context.Context) error{f.issuer, f.entra, f.aws} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// issuer declares the identity provider and asks it for a token.
func (f *OutsideToBoth) issuer(ctx context.Context) error {
	rules := map[string]any{"sub": "'team/' + client.attributes.team + '/' + client.id", "aud": "request.audience"}
	var made struct {
		Clients []struct {
			ID     string `json:"id"`
			Secret string `json:"secret"`
		} `json:"clients"`
	}
	if err := f.Control(ctx, http.MethodPost, "issuers", map[string]any{
		"name": "okta", "url": outsideIssuer, "preset": "okta",
		"clients": []any{map[string]any{"id": outsideClient, "attributes": map[string]any{"team": "hr"}, "claims": rules}},
	}, &made); err != nil {
		return err
	}
	if len(made.Clients) != 1 || made.Clients[0].Secret == "" {
		return fmt.Errorf("the issuer's client came without its secret")
	}
	f.secret = made.Clients[0].Secret
	raw, err := f.token(ctx)
	if err != nil {
		return err
	}
	token, err := decoded(raw)
	if err != nil {
		return err
	}
	return f.tell("Outside both clouds: an identity provider whose rules fill subject and audience; a workload asks it for a token (golang.org/x/oauth2)",
		"issuer", outsideIssuer, "rules", rules, "token", token)
}

// token is what the workload shows to both clouds.
func (f *OutsideToBoth) token(ctx context.Context) (string, error) {
	c := clientcredentials.Config{
		ClientID: outsideClient, ClientSecret: f.secret, TokenURL: outsideIssuer + "/v1/token", Scopes: []string{"payroll"},
		EndpointParams: url.Values{"audience": {outsideAudience}},
	}
	t, err := c.Token(context.WithValue(ctx, oauth2.HTTPClient, f.Client))
	if err != nil {
		return "", err
	}
	return t.AccessToken, nil
}

func (f *OutsideToBoth) entra(ctx context.Context) error {
	bearer, err := f.adminToken(ctx, f.GraphURL)
	if err != nil {
		return err
	}
	app, err := f.register(ctx, bearer, map[string]any{"displayName": "payroll"})
	if err != nil {
		return err
	}
	trust := map[string]any{"name": "okta", "issuer": outsideIssuer, "subject": outsideSubject, "audiences": []string{outsideAudience}}
	if _, err := f.do(ctx, bearer, "POST", f.GraphURL+"/v1.0/applications/"+text(app, "id")+"/federatedIdentityCredentials", trust); err != nil {
		return err
	}
	raw, err := f.trade(ctx, f.TenantID, text(app, "appId"), f.token, f.GraphURL)
	if err != nil {
		return err
	}
	token, err := decoded(raw)
	if err != nil {
		return err
	}
	return f.tell("Entra trusts it by a federated credential, and takes it (azidentity ClientAssertionCredential)", "credential", trust, "token", token)
}

func (f *OutsideToBoth) aws(ctx context.Context) error {
	client := iam.NewFromConfig(f.AWS)
	provider, err := client.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String(outsideIssuer), ClientIDList: []string{outsideAudience}})
	if err != nil {
		return err
	}
	const name = "acme.okta.com/oauth2/default"
	policy, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{ // maps of texts
		"Effect": "Allow", "Principal": map[string]any{"Federated": *provider.OpenIDConnectProviderArn}, "Action": "sts:AssumeRoleWithWebIdentity",
		"Condition": map[string]any{"StringEquals": map[string]any{name + ":aud": outsideAudience, name + ":sub": outsideSubject}},
	}}})
	role, err := client.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("payroll"), AssumeRolePolicyDocument: aws.String(string(policy))})
	if err != nil {
		return err
	}
	raw, err := f.token(ctx)
	if err != nil {
		return err
	}
	anonymous := f.AWS.Copy()
	anonymous.Credentials = nil
	out, err := sts.NewFromConfig(anonymous).AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: role.Role.Arn, RoleSessionName: aws.String("payroll"), WebIdentityToken: &raw,
	})
	if err != nil {
		return err
	}
	return f.tell("AWS trusts it by a provider and a role's policy, and takes the same token (aws-sdk-go-v2)",
		"trust", json.RawMessage(policy), "assumed", aws.ToString(out.AssumedRoleUser.Arn), "subject", aws.ToString(out.SubjectFromWebIdentityToken))
}
