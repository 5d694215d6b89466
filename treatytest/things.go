package treatytest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
)

// Application is an app registration with its service principal.
type Application struct {
	ClientID    string // appId
	ObjectID    string // of the application
	PrincipalID string // of its service principal: oid and sub of its app-only tokens
}

// Pool is a Cognito identity pool.
type Pool struct {
	ID                string
	DeveloperProvider string
}

// AddPool makes an identity pool that takes developer identities.
func (tt *Treaty) AddPool(name, developerProvider string) Pool {
	tt.t.Helper()
	out, err := cognitoidentity.NewFromConfig(tt.AWSConfig).CreateIdentityPool(context.Background(), &cognitoidentity.CreateIdentityPoolInput{
		IdentityPoolName: &name, DeveloperProviderName: &developerProvider,
	})
	if err != nil {
		tt.t.Fatalf("treatytest: pool %s: %v", name, err)
	}
	return Pool{ID: *out.IdentityPoolId, DeveloperProvider: developerProvider}
}

// DeveloperToken has the pool issue a token for a user of its developer provider; it returns the identity
// id, which is the token's subject, and the token.
func (tt *Treaty) DeveloperToken(p Pool, user string) (identity, token string) {
	tt.t.Helper()
	out, err := cognitoidentity.NewFromConfig(tt.AWSConfig).GetOpenIdTokenForDeveloperIdentity(context.Background(), &cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{
		IdentityPoolId: &p.ID, Logins: map[string]string{p.DeveloperProvider: user},
	})
	if err != nil {
		tt.t.Fatalf("treatytest: token of %s: %v", user, err)
	}
	return aws.ToString(out.IdentityId), aws.ToString(out.Token)
}

// AddApplication registers an application and its service principal.
func (tt *Treaty) AddApplication(displayName string) Application {
	tt.t.Helper()
	var app struct{ ID, AppID string }
	tt.graph("POST", "/v1.0/applications", map[string]any{"displayName": displayName}, &app)
	var sp struct{ ID string }
	tt.graph("POST", "/v1.0/servicePrincipals", map[string]any{"appId": app.AppID}, &sp)
	return Application{ClientID: app.AppID, ObjectID: app.ID, PrincipalID: sp.ID}
}

// Trust gives the application a federated credential.
func (tt *Treaty) Trust(a Application, name, issuer, subject, audience string) {
	tt.t.Helper()
	tt.graph("POST", "/v1.0/applications/"+a.ObjectID+"/federatedIdentityCredentials", map[string]any{
		"name": name, "issuer": issuer, "subject": subject, "audiences": []string{audience},
	}, nil)
}

// AddSecret gives the application a client secret and returns it.
func (tt *Treaty) AddSecret(a Application) string {
	tt.t.Helper()
	var out struct{ SecretText string }
	tt.graph("POST", "/v1.0/applications/"+a.ObjectID+"/addPassword", map[string]any{"passwordCredential": map[string]any{"displayName": "treatytest"}}, &out)
	return out.SecretText
}

// Grant assigns one of Microsoft Graph's application permissions ("Application.Read.All").
func (tt *Treaty) Grant(a Application, permission string) {
	tt.t.Helper()
	var graph struct {
		ID       string
		AppRoles []struct{ ID, Value string }
	}
	tt.graph("GET", "/v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')", nil, &graph)
	for _, r := range graph.AppRoles {
		if r.Value == permission {
			tt.graph("POST", "/v1.0/servicePrincipals/"+a.PrincipalID+"/appRoleAssignments", map[string]any{
				"principalId": a.PrincipalID, "resourceId": graph.ID, "appRoleId": r.ID,
			}, nil)
			return
		}
	}
	tt.t.Fatalf("treatytest: Microsoft Graph offers no permission %q", permission)
}

// AssignRole grants an Azure role, by the GUID of its definition, at a scope.
func (tt *Treaty) AssignRole(a Application, roleDefinition, scope string) {
	tt.t.Helper()
	tt.ARM("PUT", scope+"/providers/Microsoft.Authorization/roleAssignments/"+tt.newID()+"?api-version=2022-04-01", map[string]any{"properties": map[string]any{
		"roleDefinitionId": "/subscriptions/" + tt.SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions/" + roleDefinition,
		"principalId":      a.PrincipalID, "principalType": "ServicePrincipal",
	}}, nil)
}

// graph calls Microsoft Graph as the administrator and decodes the answer into out.
func (tt *Treaty) graph(method, path string, body, out any) {
	tt.t.Helper()
	tt.call(tt.GraphURL, method, path, body, out)
}

// ARM calls Azure Resource Manager as the administrator and decodes the answer into out, if it is not nil.
// Any status but 2xx fails the test.
func (tt *Treaty) ARM(method, path string, body, out any) {
	tt.t.Helper()
	tt.call(tt.ARMURL, method, path, body, out)
}

func (tt *Treaty) call(base, method, path string, body, out any) {
	tt.t.Helper()
	status, answer := tt.Request(method, base+path, tt.AdminToken(base), body)
	if status/100 != 2 {
		tt.t.Fatalf("treatytest: %s %s: %d %s", method, path, status, answer)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			tt.t.Fatalf("treatytest: %s %s: %v", method, path, err)
		}
	}
}

// Request sends a JSON request with a bearer token and returns status and body.
func (tt *Treaty) Request(method, address, bearer string, body any) (int, []byte) {
	tt.t.Helper()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			tt.t.Fatalf("treatytest: %v", err)
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, address, r)
	if err != nil {
		tt.t.Fatalf("treatytest: %v", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return tt.do(req)
}

// AdminToken is an access token of the tenant's administrator for a resource ("https://graph.microsoft.com").
func (tt *Treaty) AdminToken(resource string) string {
	tt.t.Helper()
	status, answer := tt.PostForm(tt.TokenURL(), url.Values{
		"grant_type": {"client_credentials"}, "client_id": {tt.AdminClientID}, "client_secret": {tt.AdminSecret},
		"scope": {strings.TrimSuffix(resource, "/") + "/.default"},
	})
	var out struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(answer, &out); err != nil || out.AccessToken == "" {
		tt.t.Fatalf("treatytest: administrator's token: %d %s", status, answer)
	}
	return out.AccessToken
}

// Exchange trades a federated token for an access token of resource as a plain client would, and returns
// the token endpoint's status and body.
func (tt *Treaty) Exchange(a Application, assertion, resource string) (int, []byte) {
	tt.t.Helper()
	return tt.PostForm(tt.TokenURL(), url.Values{
		"grant_type": {"client_credentials"}, "client_id": {a.ClientID},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
		"scope":                 {strings.TrimSuffix(resource, "/") + "/.default"},
	})
}

// TokenURL is the tenant's v2.0 token endpoint.
func (tt *Treaty) TokenURL() string { return tt.Authority + "/" + tt.TenantID + "/oauth2/v2.0/token" }

// PostForm posts a form and returns status and body.
func (tt *Treaty) PostForm(address string, form url.Values) (int, []byte) {
	tt.t.Helper()
	req, err := http.NewRequest("POST", address, strings.NewReader(form.Encode()))
	if err != nil {
		tt.t.Fatalf("treatytest: %v", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return tt.do(req)
}

func (tt *Treaty) do(req *http.Request) (int, []byte) {
	tt.t.Helper()
	res, err := tt.HTTPClient.Do(req)
	if err != nil {
		tt.t.Fatalf("treatytest: %v", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		tt.t.Fatalf("treatytest: %v", err)
	}
	return res.StatusCode, answer
}
