package managedidentity

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
)

// API versions of App Service's endpoint (Microsoft, "Managed identities for App Service and Azure
// Functions": REST endpoint reference). The older names its header, a parameter and the members of
// errors otherwise, and writes dates as text.
const (
	appService2017 = "2017-09-01"
	appService2019 = "2019-08-01"
)

// Texts of App Service, recorded in MSAL's end-to-end tests and in users' reports.
var (
	appServiceOther = refusal{status: http.StatusBadRequest, code: "identity_not_found", text: "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."}
	appServiceNone  = refusal{status: http.StatusBadRequest, code: "identity_not_found", text: "Unable to load the proper Managed Identity."}
)

var (
	appServiceRules     = rules{accept: []string{"client_id", "principal_id", "object_id", "mi_res_id"}, other: appServiceOther, none: appServiceNone}
	appServiceRules2017 = rules{accept: []string{"clientid"}, other: appServiceOther, none: appServiceNone}
)

type appServiceToken struct {
	AccessToken string `json:"access_token"`
	ClientID    string `json:"client_id"`
	ExpiresOn   string `json:"expires_on"`
	Resource    string `json:"resource"`
	TokenType   string `json:"token_type"`
}

// appServiceToken2017 is the body as Azure CLI's adal_authentication.py quotes it.
type appServiceToken2017 struct {
	AccessToken string `json:"access_token"`
	ExpiresOn   string `json:"expires_on"` // "11/05/2021 15:18:31 +00:00"
	Resource    string `json:"resource"`
	TokenType   string `json:"token_type"`
	ClientID    string `json:"client_id"`
}

// header is the secret that App Service gives its workloads in IDENTITY_HEADER.
func (s *Service) header(m directory.Machine) credential.Secret {
	return credential.Secret(base64.RawURLEncoding.EncodeToString(s.secret("header", m)))
}

// appServiceToken is the endpoint of App Service, Functions and Container Apps.
func (s *Service) appServiceToken(ctx context.Context, r *http.Request, c *call) (answer, error) {
	old := c.query["api-version"] == appService2017
	name, rule := "X-IDENTITY-HEADER", appServiceRules
	if old {
		name, rule = "secret", appServiceRules2017
	}
	c.method(r, http.MethodGet)
	c.check(evidence.Check{Name: "identity header", Claim: name, Operator: "is the machine's", OK: s.header(c.machine).Equal(credential.Secret(r.Header.Get(name)))},
		refusal{status: http.StatusUnauthorized, code: "unauthorized", text: "The header " + name + " is missing or is not that of this app."})
	c.read(r)
	c.version([]string{appService2019, appService2017})
	c.target()
	if err := s.choose(ctx, c, rule); err != nil {
		return answer{}, err
	}
	t, err := s.token(ctx, c)
	if old {
		on := t.ExpiresOn.UTC().Format("01/02/2006 15:04:05 -07:00")
		return c.granted(appServiceToken2017{t.AccessToken, on, c.resource, "Bearer", t.ClientID}), err
	}
	return c.granted(appServiceToken{t.AccessToken, t.ClientID, unix(t.ExpiresOn), c.resource, "Bearer"}), err
}
