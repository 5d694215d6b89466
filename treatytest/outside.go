package treatytest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// Issuer is an OpenID Connect issuer outside both clouds, served by the twin under its own URL.
type Issuer struct {
	Name, URL string
	Secrets   map[string]string // of the clients that came without a secret or keys of their own, by id
}

// IssuerClient is a client of an issuer. Claims are CEL expressions over client, request, subject, issuer
// and now.
type IssuerClient struct {
	ID         string            `json:"id"`
	Grants     []string          `json:"grants,omitempty"`
	Algorithm  string            `json:"algorithm,omitempty"`
	Lifetime   string            `json:"lifetime,omitempty"` // "5m"
	Keys       json.RawMessage   `json:"keys,omitempty"`     // a JWK Set, for private_key_jwt
	Attributes map[string]any    `json:"attributes,omitempty"`
	Claims     map[string]string `json:"claims,omitempty"`
}

// AddIssuer declares an issuer: any https URL, with a preset ("", "okta", "pingfederate", "github", "gitlab",
// "kubernetes", "google", "spiffe").
func (tt *Treaty) AddIssuer(name, address, preset string, clients ...IssuerClient) Issuer {
	tt.t.Helper()
	var made struct {
		Clients []struct{ ID, Secret string } `json:"clients"`
	}
	tt.Control("POST", "issuers", map[string]any{"name": name, "url": address, "preset": preset, "clients": clients}, &made)
	i := Issuer{Name: name, URL: address, Secrets: map[string]string{}}
	for _, c := range made.Clients {
		i.Secrets[c.ID] = c.Secret
	}
	return i
}

// IssuerToken has an issuer make a token for a client that need not authenticate. parameters are those of
// the request: audience, scope, and any other.
func (tt *Treaty) IssuerToken(i Issuer, client string, parameters map[string]string) string {
	tt.t.Helper()
	in := map[string]any{"client": client}
	rest := map[string]string{}
	for k, v := range parameters {
		switch k {
		case "audience":
			in[k] = []string{v}
		case "scope":
			in[k] = v
		default:
			rest[k] = v
		}
	}
	if len(rest) > 0 {
		in["parameters"] = rest
	}
	var out struct{ Token string }
	tt.Control("POST", "issuers/"+i.Name+"/token", in, &out)
	return out.Token
}

// Tenant is a further Entra tenant with an administrator of its own.
type Tenant struct {
	ID, Domain                 string
	SubscriptionID             string
	AdminClientID, AdminSecret string
}

// AddTenant makes a tenant. ownKeys has it sign with keys that no other tenant has.
func (tt *Treaty) AddTenant(name, domain string, ownKeys bool) Tenant {
	tt.t.Helper()
	keys := "shared"
	if ownKeys {
		keys = "own"
	}
	var made struct {
		ID, Domain    string
		Administrator struct{ ClientID, ClientSecret, SubscriptionID string }
	}
	tt.Control("POST", "tenants", map[string]any{"name": name, "domains": []string{domain}, "keys": keys}, &made)
	return Tenant{ID: made.ID, Domain: made.Domain, SubscriptionID: made.Administrator.SubscriptionID, AdminClientID: made.Administrator.ClientID, AdminSecret: made.Administrator.ClientSecret}
}

// In gives the same twin with another tenant as the one that TokenURL, AdminToken and the things of Graph
// and Azure are of.
func (tt *Treaty) In(tenant Tenant) *Treaty {
	there := *tt
	there.TenantID, there.SubscriptionID = tenant.ID, tenant.SubscriptionID
	there.AdminClientID, there.AdminSecret = tenant.AdminClientID, tenant.AdminSecret
	return &there
}

// ManagedIdentity is a user-assigned managed identity.
type ManagedIdentity struct {
	ID          string // ARM id
	ClientID    string
	PrincipalID string // oid and sub of its tokens
}

// AddManagedIdentity makes a user-assigned managed identity in the resource group "treatytest".
func (tt *Treaty) AddManagedIdentity(name string) ManagedIdentity {
	tt.t.Helper()
	group := "/subscriptions/" + tt.SubscriptionID + "/resourceGroups/treatytest"
	tt.ARM("PUT", group+"?api-version=2021-04-01", map[string]any{"location": "westeurope"}, nil)
	id := group + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/" + name
	var out struct {
		Properties struct{ ClientID, PrincipalID string }
	}
	tt.ARM("PUT", id+"?api-version=2023-01-31", map[string]any{"location": "westeurope"}, &out)
	return ManagedIdentity{ID: id, ClientID: out.Properties.ClientID, PrincipalID: out.Properties.PrincipalID}
}

// AddMachine makes a machine that may use identities: kind is "vm", "app_service", "arc" or "cloud_shell". It
// returns the variables that send an unmodified client there. The machine "default" is the one that answers
// at 169.254.169.254.
func (tt *Treaty) AddMachine(name, kind string, systemAssigned bool, identities ...ManagedIdentity) map[string]string {
	tt.t.Helper()
	ids := []string{}
	for _, i := range identities {
		ids = append(ids, i.ID)
	}
	var made struct {
		Environment []struct {
			Name, Value string
			Unset       bool
		} `json:"environment"`
	}
	tt.Control("POST", "machines", map[string]any{
		"name": name, "kind": kind, "system_assigned": systemAssigned, "identities": ids, "tenant": tt.TenantID,
	}, &made)
	environment := map[string]string{}
	for _, v := range made.Environment {
		if !v.Unset {
			environment[v.Name] = v.Value
		}
	}
	return environment
}

// IdentityToken asks the machine "default" for a token of one of its identities, as at 169.254.169.254, and
// returns status and body. clientID may be "" when the machine has only one identity.
func (tt *Treaty) IdentityToken(clientID, resource string) (int, []byte) {
	tt.t.Helper()
	q := url.Values{"api-version": {"2018-02-01"}, "resource": {resource}}
	if clientID != "" {
		q.Set("client_id", clientID)
	}
	req, err := http.NewRequest("GET", "http://169.254.169.254/metadata/identity/oauth2/token?"+q.Encode(), nil)
	if err != nil {
		tt.t.Fatalf("treatytest: %v", err)
	}
	req.Header.Set("Metadata", "true")
	return tt.do(req)
}

// Control calls the server's control interface, /_treaty/ and path; JSON goes in and out. A failure fails
// the test.
func (tt *Treaty) Control(method, path string, in, out any) {
	tt.t.Helper()
	if err := tt.server.Control(context.Background(), method, strings.TrimPrefix(path, "/"), in, out); err != nil {
		tt.t.Fatalf("treatytest: %v", err)
	}
}
