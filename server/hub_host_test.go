package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever a client writes into Host, X-Forwarded-Host or the request line, a hub's documents, challenges
// and links name the hub; control and the clouds' names stay out of reach.
func TestNoHostHeaderGetsIntoWhatAHubSays(t *testing.T) {
	t.Parallel()
	s := memory(t, func(c *Config) { c.PublicURL = "https://localhost:8443" })
	secret := s.Credentials().Azure.ClientSecret
	graph, _ := accessToken(t, s.HTTPClient(), "https://localhost:8443", TenantID, AdminClientID, secret, "https://localhost:8443/graph/.default")
	arm, _ := accessToken(t, s.HTTPClient(), "https://localhost:8443", TenantID, AdminClientID, secret, "https://localhost:8443/arm/.default")
	for path, bearer := range map[string]string{
		"/" + TenantID + "/v2.0/.well-known/openid-configuration": "", "/" + TenantID + "/.well-known/openid-configuration": "",
		"/common/discovery/instance?api-version=1.1&authorization_endpoint=https://evil.example/common/oauth2/v2.0/authorize": "",
		"/cognito-identity/.well-known/openid-configuration":                                                                  "",
		"/arm/metadata/endpoints?api-version=2022-09-01":                                                                      "", "/metadata/endpoints?api-version=2020-06-01": "",
		"/arm/subscriptions/" + SubscriptionID + "?api-version=2021-01-01": "", "/graph/v1.0/applications": "",
		"/graph/v1.0/servicePrincipals?$top=1":                                                        graph,
		"/arm/subscriptions?api-version=2021-01-01":                                                   arm,
		"/arm/subscriptions/" + SubscriptionID + "/resourcegroups?api-version=2021-04-01&$top=1":      arm,
		"/arm/subscriptions/" + SubscriptionID + "/providers/Microsoft.Authorization/roleDefinitions": arm,
		"/": "", "/nowhere": "", "/" + TenantID + "/oauth2/v2.0/token": "", "/" + TenantID + "/oauth2/v2.0/authorize": "",
		"/_treaty//clock": "", "/_treaty/../_treaty/clock": "", "/healthz": "",
	} {
		for _, host := range []string{"evil.example", "evil.example:8443", "localhost:8443@evil.example", "localhost:8443.evil.example", "sts.evil.example", "login.microsoftonline.com", "graph.microsoft.com", "sts.amazonaws.com"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Host = host
			r.Header.Set("X-Forwarded-Host", "evil.example")
			r.Header.Set("Forwarded", "host=evil.example")
			r.Header.Set("X-Original-URL", "/_treaty/reset")
			if bearer != "" {
				r.Header.Set("Authorization", "Bearer "+bearer)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			said := w.Body.String()
			for name, values := range w.Header() {
				said += "\n" + name + ": " + strings.Join(values, ",")
			}
			if strings.Contains(said, "evil.example/") && !strings.Contains(path, "evil.example") || strings.Contains(said, "https://evil.example") || strings.Contains(said, "host=evil") || strings.Contains(said, "@evil") {
				t.Errorf("%s with Host %s: %d %s", path, host, w.Code, said)
			}
			if bearer != "" && w.Code >= 500 {
				t.Errorf("%s with Host %s: %d", path, host, w.Code)
			}
		}
	}
	for _, path := range []string{"/_treaty/reset", "/_treaty/clock", "/metrics", "//_treaty/reset", "/_treaty/%72eset", "/graph/_treaty/reset", "/arm/../_treaty/reset"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequest(method, path, nil)
			r.Header.Set("Authorization", "Bearer "+s.ControlCredential())
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code < 300 {
				t.Errorf("%s %s answers in a hub: %d %s", method, path, w.Code, w.Body)
			}
		}
	}
}
