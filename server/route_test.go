package server

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/treatyfed/treaty/server/names"
)

func TestRequestsFindTheirSurfaceByHostElseByShape(t *testing.T) {
	t.Parallel()
	sigv4 := http.Header{"Authorization": {"AWS4-HMAC-SHA256 Credential=x"}}
	target := http.Header{"X-Amz-Target": {"AWSCognitoIdentityService.GetId"}}
	for _, c := range []struct {
		name, method, url string
		header            http.Header
		hub               bool
		want              names.Surface
		prefix            string
	}{
		{name: "a cloud's name decides", method: "GET", url: "https://graph.microsoft.com/subscriptions", want: names.Graph},
		{name: "even for health", method: "GET", url: "https://sts.amazonaws.com/healthz", want: names.AWS},
		{name: "but not in hub mode", method: "GET", url: "https://graph.microsoft.com/subscriptions", hub: true, want: names.ResourceManager},
		{name: "issuer of identity pools", method: "GET", url: "https://cognito-identity.amazonaws.com/.well-known/jwks_uri", want: names.CognitoDiscovery},
		{name: "a target is AWS", method: "POST", url: "https://127.0.0.1:8443/", header: target, want: names.AWS},
		{name: "a signature is AWS on any path", method: "GET", url: "https://127.0.0.1:8443/stage/path", header: sigv4, want: names.AWS},
		{name: "a form at the root is AWS", method: "POST", url: "https://127.0.0.1:8443/", want: names.AWS},
		{name: "a preflight at the root is AWS", method: "OPTIONS", url: "https://127.0.0.1:8443/", want: names.AWS},
		{name: "a presigned request is AWS", method: "GET", url: "https://127.0.0.1:8443/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Signature=0", want: names.AWS},
		{name: "a browser at the root", method: "GET", url: "https://127.0.0.1:8443/", want: ownSurface},
		{name: "health", method: "GET", url: "https://localhost:8443/readyz", want: ownSurface},
		{name: "control", method: "POST", url: "https://localhost:8443/_treaty/reset", want: ownSurface},
		{name: "Graph", method: "GET", url: "https://localhost:8443/v1.0/applications", want: names.Graph},
		{name: "Graph beta", method: "GET", url: "https://localhost:8443/beta/applications", want: names.Graph},
		{name: "Graph of a hub", method: "GET", url: "https://id.example.org/graph/v1.0/applications", hub: true, want: names.Graph, prefix: "/graph"},
		{name: "ARM", method: "GET", url: "https://localhost:8443/Subscriptions/x", want: names.ResourceManager},
		{name: "ARM metadata", method: "GET", url: "https://localhost:8443/metadata/endpoints?api-version=2022-09-01", want: names.ResourceManager},
		{name: "ARM of a hub", method: "GET", url: "https://id.example.org/arm/tenants", hub: true, want: names.ResourceManager, prefix: "/arm"},
		{name: "identity pools of a hub", method: "GET", url: "https://id.example.org/cognito-identity/.well-known/jwks_uri", hub: true, want: names.CognitoDiscovery, prefix: "/cognito-identity"},
		{name: "the authority is the rest", method: "POST", url: "https://localhost:8443/contoso.onmicrosoft.com/oauth2/v2.0/token", want: names.Authority},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(c.method, c.url, nil)
			for k, v := range c.header {
				r.Header[k] = v
			}
			if got, prefix := surfaceOf(r, !c.hub); got != c.want || prefix != c.prefix {
				t.Errorf("%q %q, want %q %q", got, prefix, c.want, c.prefix)
			}
		})
	}
}
