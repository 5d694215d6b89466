package demo

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	developerProvider = "my.dev.provider"
	developerUser     = "my_user_id"
	cognitoIssuer     = "https://cognito-identity.amazonaws.com"
	graphAppID        = "00000003-0000-0000-c000-000000000000"
	readerRole        = "acdd72a7-3385-48ef-bd42-f606fba81ae7" // Azure built-in role Reader
)

// CognitoToEntra is the flow of the articles: a workload in AWS gets an identity-pool token, trades it at
// Entra, reads Microsoft Graph and Azure with the result, and is refused once.
type CognitoToEntra struct {
	*Stage
	pool, identity       string
	app, object, service string // client id, application object, service principal
}

// Run carries the flow out.
func (f *CognitoToEntra) Run(ctx context.Context) error {
	for _, part := range []func(context.Context) error{f.identityPool, f.application, f.readGraph, f.readAzure, f.refused} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (f *CognitoToEntra) identityPool(ctx context.Context) error {
	me, err := sts.NewFromConfig(f.AWS).GetCallerIdentity(ctx, nil)
	if err != nil {
		return err
	}
	client := cognitoidentity.NewFromConfig(f.AWS)
	pool, err := client.CreateIdentityPool(ctx, &cognitoidentity.CreateIdentityPoolInput{
		IdentityPoolName: aws.String("my-identity-pool"), DeveloperProviderName: aws.String(developerProvider),
	})
	if err != nil {
		return err
	}
	f.pool = *pool.IdentityPoolId
	if err := f.tell("In AWS: an identity pool for developer identities (aws-sdk-go-v2)", "caller", aws.ToString(me.Arn), "pool", f.pool); err != nil {
		return err
	}
	raw, err := f.developerToken(ctx)
	if err != nil {
		return err
	}
	token, err := decoded(raw)
	if err != nil {
		return err
	}
	return f.tell("The workload asks the pool for a token: GetOpenIdTokenForDeveloperIdentity", "token", token)
}

// developerToken is what the workload runs before each exchange.
func (f *CognitoToEntra) developerToken(ctx context.Context) (string, error) {
	out, err := cognitoidentity.NewFromConfig(f.AWS).GetOpenIdTokenForDeveloperIdentity(ctx, &cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{
		IdentityPoolId: &f.pool, Logins: map[string]string{developerProvider: developerUser}, TokenDuration: aws.Int64(120),
	})
	if err != nil {
		return "", err
	}
	f.identity = *out.IdentityId
	return *out.Token, nil
}

func (f *CognitoToEntra) application(ctx context.Context) error {
	bearer, err := f.adminToken(ctx, f.GraphURL)
	if err != nil {
		return err
	}
	app, err := f.do(ctx, bearer, "POST", f.GraphURL+"/v1.0/applications", map[string]any{"displayName": "my workload"})
	if err != nil {
		return err
	}
	sp, err := f.do(ctx, bearer, "POST", f.GraphURL+"/v1.0/servicePrincipals", map[string]any{"appId": text(app, "appId")})
	if err != nil {
		return err
	}
	f.app, f.object, f.service = text(app, "appId"), text(app, "id"), text(sp, "id")
	trust := map[string]any{"name": "cognito", "issuer": cognitoIssuer, "subject": f.identity, "audiences": []string{f.pool}}
	if _, err := f.do(ctx, bearer, "POST", f.GraphURL+"/v1.0/applications/"+f.object+"/federatedIdentityCredentials", trust); err != nil {
		return err
	}
	if err := f.tell("In Entra: an application that trusts this identity of this pool, and holds no secret", "client id", f.app, "credential", trust); err != nil {
		return err
	}
	return f.grant(ctx, bearer, "Application.Read.All")
}

// grant assigns one of Microsoft Graph's application permissions.
func (f *CognitoToEntra) grant(ctx context.Context, bearer, permission string) error {
	graph, err := f.do(ctx, bearer, "GET", f.GraphURL+"/v1.0/servicePrincipals(appId='"+graphAppID+"')", nil)
	if err != nil {
		return err
	}
	roles, _ := graph["appRoles"].([]any)
	for _, r := range roles {
		role, _ := r.(map[string]any)
		if text(role, "value") != permission {
			continue
		}
		if _, err := f.do(ctx, bearer, "POST", f.GraphURL+"/v1.0/servicePrincipals/"+f.service+"/appRoleAssignments", map[string]any{
			"principalId": f.service, "resourceId": graph["id"], "appRoleId": role["id"],
		}); err != nil {
			return err
		}
		return f.tell("The administrator grants it one permission of Microsoft Graph", "app role", permission)
	}
	return fmt.Errorf("no permission %s is offered by Microsoft Graph", permission)
}

// exchange trades the workload's token for one of resource by azidentity's own credential for an assertion,
// as a production workload would.
func (f *CognitoToEntra) exchange(ctx context.Context, resource string) (string, error) {
	return f.trade(ctx, f.TenantID, f.app, f.developerToken, resource)
}

func (f *CognitoToEntra) readGraph(ctx context.Context) error {
	raw, err := f.exchange(ctx, f.GraphURL)
	if err != nil {
		return err
	}
	token, err := decoded(raw)
	if err != nil {
		return err
	}
	if err := f.tell("The workload trades its token at Entra (azidentity ClientAssertionCredential)", "token", token); err != nil {
		return err
	}
	status, answer, err := f.call(ctx, raw, "GET", f.GraphURL+"/v1.0/applications?$top=1", nil)
	if err != nil {
		return err
	}
	names, _ := answer["value"].([]any)
	return f.tell("and reads Microsoft Graph: GET /v1.0/applications?$top=1", "status", fmt.Sprint(status), "applications", fmt.Sprint(len(names)))
}

func (f *CognitoToEntra) readAzure(ctx context.Context) error {
	raw, err := f.exchange(ctx, f.ARMURL)
	if err != nil {
		return err
	}
	scope := "/subscriptions/" + f.Subscription
	networks := f.ARMURL + scope + "/providers/Microsoft.Network/virtualNetworks?api-version=2023-05-01"
	status, answer, err := f.call(ctx, raw, "GET", networks, nil)
	if err != nil {
		return err
	}
	refusal, _ := answer["error"].(map[string]any)
	if err := f.tell("It asks Azure for the subscription's virtual networks, without a role", "status", fmt.Sprint(status), "answer", text(refusal, "code")+": "+text(refusal, "message")); err != nil {
		return err
	}
	bearer, err := f.adminToken(ctx, f.ARMURL)
	if err != nil {
		return err
	}
	if _, err := f.do(ctx, bearer, "PUT", f.ARMURL+scope+"/providers/Microsoft.Authorization/roleAssignments/"+f.NewID()+"?api-version=2022-04-01", map[string]any{"properties": map[string]any{
		"roleDefinitionId": scope + "/providers/Microsoft.Authorization/roleDefinitions/" + readerRole, "principalId": f.service, "principalType": "ServicePrincipal",
	}}); err != nil {
		return err
	}
	answer, err = f.do(ctx, raw, "GET", networks, nil)
	if err != nil {
		return err
	}
	return f.tell("With the role Reader on the subscription it may", "answer", answer)
}

// refused spoils the trust by the case of one letter, the mistake that is hardest to see.
func (f *CognitoToEntra) refused(ctx context.Context) error {
	bearer, err := f.adminToken(ctx, f.GraphURL)
	if err != nil {
		return err
	}
	wrong := "US" + strings.TrimPrefix(f.identity, "us")
	if _, err := f.do(ctx, bearer, "PATCH", f.GraphURL+"/v1.0/applications/"+f.object+"/federatedIdentityCredentials/cognito", map[string]any{"subject": wrong}); err != nil {
		return err
	}
	_, err = f.exchange(ctx, f.GraphURL)
	id, report, err := f.refusal(ctx, err)
	if err != nil {
		return err
	}
	return f.tell("Somebody edits the trust, and the exchange is refused. Entra gives a code; `treaty explain "+id+"` gives the reason", "explain", report)
}
