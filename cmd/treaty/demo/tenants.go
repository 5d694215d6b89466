package demo

import (
	"context"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// AcrossTenants ends the articles' story: a token of one Entra tenant is refused as a federated credential
// (AADSTS700226), unless it is a managed identity's. Then a multi-tenant application of that tenant gets a
// token in another tenant, without any secret.
type AcrossTenants struct {
	*Stage
	partner struct { // the other tenant
		ID            string `json:"id"`
		Domain        string `json:"domain"`
		Administrator struct {
			ClientID     string `json:"clientId"`
			ClientSecret string `json:"clientSecret"`
		} `json:"administrator"`
	}
	app, object string
	identity    string // principal id of the managed identity
}

// exchangeAudience is the audience that Microsoft recommends for federated credentials.
const exchangeAudience = "api://AzureADTokenExchange"

// Run carries the flow out.
func (f *AcrossTenants) Run(ctx context.Context) error {
	for _, part := range []func(context.Context) error{f.tenants, f.refused, f.machine, f.granted} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tenants makes the second tenant, and an application that may be used in both.
func (f *AcrossTenants) tenants(ctx context.Context) error {
	if err := f.Control(ctx, http.MethodPost, "tenants", map[string]any{"name": "Partner", "domains": []string{"partner.onmicrosoft.com"}, "keys": "own"}, &f.partner); err != nil {
		return err
	}
	bearer, err := f.adminToken(ctx, f.GraphURL)
	if err != nil {
		return err
	}
	app, err := f.register(ctx, bearer, map[string]any{"displayName": "reporting", "signInAudience": "AzureADMultipleOrgs"})
	if err != nil {
		return err
	}
	f.app, f.object = text(app, "appId"), text(app, "id")
	there, err := f.partnerToken(ctx)
	if err != nil {
		return err
	}
	if _, err := f.do(ctx, there, "POST", f.GraphURL+"/v1.0/servicePrincipals", map[string]any{"appId": f.app}); err != nil {
		return err
	}
	return f.tell("A second Entra tenant with keys of its own, and a multi-tenant application of the first that is installed there",
		"tenant", f.partner.ID, "domain", f.partner.Domain, "client id", f.app)
}

// partnerToken is the other tenant's administrator's token of Microsoft Graph.
func (f *AcrossTenants) partnerToken(ctx context.Context) (string, error) {
	c, err := azidentity.NewClientSecretCredential(f.partner.ID, f.partner.Administrator.ClientID, f.partner.Administrator.ClientSecret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: f.options()})
	if err != nil {
		return "", err
	}
	return accessToken(ctx, c, f.GraphURL)
}

// exchange trades an assertion for a token of the other tenant.
func (f *AcrossTenants) exchange(ctx context.Context, assertion func(context.Context) (string, error)) (string, error) {
	return f.trade(ctx, f.partner.ID, f.app, assertion, f.GraphURL)
}

// trust names who may stand in for the application.
func (f *AcrossTenants) trust(ctx context.Context, name, subject string) (map[string]any, error) {
	bearer, err := f.adminToken(ctx, f.GraphURL)
	if err != nil {
		return nil, err
	}
	trust := map[string]any{"name": name, "issuer": f.issuer(), "subject": subject, "audiences": []string{exchangeAudience}}
	_, err = f.do(ctx, bearer, "POST", f.GraphURL+"/v1.0/applications/"+f.object+"/federatedIdentityCredentials", trust)
	return trust, err
}

func (f *AcrossTenants) issuer() string {
	return "https://login.microsoftonline.com/" + f.TenantID + "/v2.0"
}

// refused presents an ordinary application's token, as the articles do.
func (f *AcrossTenants) refused(ctx context.Context) error {
	raw, err := f.adminToken(ctx, exchangeAudience)
	if err != nil {
		return err
	}
	token, err := decoded(raw)
	if err != nil {
		return err
	}
	claims, _ := token["claims"].(map[string]any)
	if _, err := f.trust(ctx, "another-application", text(claims, "sub")); err != nil {
		return err
	}
	_, err = f.exchange(ctx, func(context.Context) (string, error) { return raw, nil })
	id, report, err := f.refusal(ctx, err)
	if err != nil {
		return err
	}
	return f.tell("A token of an ordinary application of the first tenant is no federated credential. `treaty explain "+id+"` names the way that is open", "explain", report)
}

// machine makes a user-assigned managed identity, and a machine that has it.
func (f *AcrossTenants) machine(ctx context.Context) error {
	bearer, err := f.adminToken(ctx, f.ARMURL)
	if err != nil {
		return err
	}
	group := "/subscriptions/" + f.Subscription + "/resourceGroups/reporting"
	if _, err := f.do(ctx, bearer, "PUT", f.ARMURL+group+"?api-version=2021-04-01", map[string]any{"location": "westeurope"}); err != nil {
		return err
	}
	id := group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reporting"
	identity, err := f.do(ctx, bearer, "PUT", f.ARMURL+id+"?api-version=2023-01-31", map[string]any{"location": "westeurope"})
	if err != nil {
		return err
	}
	properties, _ := identity["properties"].(map[string]any)
	f.identity = text(properties, "principalId")
	if err := f.Control(ctx, http.MethodPost, "machines", map[string]any{"name": "default", "kind": "vm", "identities": []string{id}}, nil); err != nil {
		return err
	}
	trust, err := f.trust(ctx, "managed-identity", f.identity)
	if err != nil {
		return err
	}
	raw, err := f.identityToken(ctx)
	if err != nil {
		return err
	}
	token, err := decoded(raw)
	if err != nil {
		return err
	}
	return f.tell("A virtual machine with a managed identity asks 169.254.169.254 for a token (azidentity ManagedIdentityCredential), and the application trusts that identity",
		"credential", trust, "token", token)
}

// identityToken is what the machine shows to Entra.
func (f *AcrossTenants) identityToken(ctx context.Context) (string, error) {
	c, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: f.options()})
	if err != nil {
		return "", err
	}
	return accessToken(ctx, c, exchangeAudience)
}

func (f *AcrossTenants) granted(ctx context.Context) error {
	raw, err := f.exchange(ctx, f.identityToken)
	if err != nil {
		return err
	}
	token, err := decoded(raw)
	if err != nil {
		return err
	}
	return f.tell("With it the application gets a token of the other tenant, and holds no secret in either", "token", token)
}
