package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/treatyfed/treaty/core/audit"
)

// Order and values as recorded from the service, with the test tenant's names (claims in one line each).
const goldenV2 = `{"token_endpoint":"https://login.microsoftonline.com/TENANT/oauth2/v2.0/token","token_endpoint_auth_methods_supported":["client_secret_post","private_key_jwt","client_secret_basic"],"jwks_uri":"https://login.microsoftonline.com/TENANT/discovery/v2.0/keys","response_modes_supported":["query","fragment","form_post"],"subject_types_supported":["pairwise"],"id_token_signing_alg_values_supported":["RS256"],"response_types_supported":["code","id_token","code id_token","id_token token"],"scopes_supported":["openid","profile","email","offline_access"],"issuer":"https://login.microsoftonline.com/ISSUER/v2.0","request_uri_parameter_supported":false,"userinfo_endpoint":"https://graph.microsoft.com/oidc/userinfo","authorization_endpoint":"https://login.microsoftonline.com/TENANT/oauth2/v2.0/authorize","device_authorization_endpoint":"https://login.microsoftonline.com/TENANT/oauth2/v2.0/devicecode","http_logout_supported":true,"frontchannel_logout_supported":true,"end_session_endpoint":"https://login.microsoftonline.com/TENANT/oauth2/v2.0/logout","claims_supported":["sub","iss","cloud_instance_name","cloud_instance_host_name","cloud_graph_host_name","msgraph_host","aud","exp","iat","auth_time","acr","nonce","preferred_username","name","tid","ver","at_hash","c_hash","email"],"kerberos_endpoint":"https://login.microsoftonline.com/TENANT/kerberos","tenant_region_scope":REGION,"cloud_instance_name":"microsoftonline.com","cloud_graph_host_name":"graph.windows.net","msgraph_host":"graph.microsoft.com","rbac_url":"https://pas.windows.net"}`

const goldenV1 = `{"token_endpoint":"https://login.microsoftonline.com/TENANT/oauth2/token","token_endpoint_auth_methods_supported":["client_secret_post","private_key_jwt","client_secret_basic"],"jwks_uri":"https://login.microsoftonline.com/common/discovery/keys","response_modes_supported":["query","fragment","form_post"],"subject_types_supported":["pairwise"],"id_token_signing_alg_values_supported":["RS256"],"response_types_supported":["code","id_token","code id_token","token id_token","token"],"scopes_supported":["openid"],"issuer":"https://sts.windows.net/ISSUER/","microsoft_multi_refresh_token":true,"authorization_endpoint":"https://login.microsoftonline.com/TENANT/oauth2/authorize","device_authorization_endpoint":"https://login.microsoftonline.com/TENANT/oauth2/devicecode","http_logout_supported":true,"frontchannel_logout_supported":true,"end_session_endpoint":"https://login.microsoftonline.com/TENANT/oauth2/logout","claims_supported":["sub","iss","cloud_instance_name","cloud_instance_host_name","cloud_graph_host_name","msgraph_host","aud","exp","iat","auth_time","acr","amr","nonce","email","given_name","family_name","nickname"],"check_session_iframe":"https://login.microsoftonline.com/TENANT/oauth2/checksession","userinfo_endpoint":"https://login.microsoftonline.com/TENANT/openid/userinfo","kerberos_endpoint":"https://login.microsoftonline.com/TENANT/kerberos","tenant_region_scope":REGION,"cloud_instance_name":"microsoftonline.com","cloud_graph_host_name":"graph.windows.net","msgraph_host":"graph.microsoft.com","rbac_url":"https://pas.windows.net"}`

func TestOpenIDConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct{ name, path, golden, tenant, issuer, region string }{
		{"of a tenant by GUID", "/" + tenantID + "/v2.0/.well-known/openid-configuration", goldenV2, tenantID, tenantID, `"NA"`},
		{"of a tenant by domain names the GUID", "/Example.ORG/v2.0/.well-known/openid-configuration", goldenV2, tenantID, tenantID, `"NA"`},
		{"in any case of the path", "/" + tenantID + "/V2.0/.Well-Known/OpenID-Configuration", goldenV2, tenantID, tenantID, `"NA"`},
		{"of common has a template as issuer", "/common/v2.0/.well-known/openid-configuration", goldenV2, "common", "{tenantid}", "null"},
		{"of organizations has a template as issuer", "/organizations/v2.0/.well-known/openid-configuration", goldenV2, "organizations", "{tenantid}", "null"},
		{"of consumers has the accounts' tenant as issuer", "/consumers/v2.0/.well-known/openid-configuration", goldenV2, "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad", "null"},
		{"v1 of a tenant", "/" + tenantID + "/.well-known/openid-configuration", goldenV1, tenantID, tenantID, `"NA"`},
		{"v1 of common", "/common/.well-known/openid-configuration", goldenV1, "common", "{tenantid}", "null"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rec := w.get(authority + tt.path)
			want := strings.NewReplacer("TENANT", tt.tenant, "ISSUER", tt.issuer, "REGION", tt.region).Replace(tt.golden)
			if diff := cmp.Diff(want, rec.Body.String()); diff != "" {
				t.Error(diff)
			}
			if rec.Code != http.StatusOK {
				t.Errorf("status %d", rec.Code)
			}
		})
	}
}

func TestDocumentHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := httptest.NewRequest(http.MethodGet, authority+"/"+tenantID+"/discovery/keys", nil)
	r.Header.Set("client-request-id", "0D2B3C4D-0000-4000-8000-000000000009")
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, r)
	want := map[string]string{
		"Content-Type": "application/json; charset=utf-8", "Cache-Control": "max-age=86400, private", "Access-Control-Allow-Origin": "*",
		"Access-Control-Allow-Methods": "GET, OPTIONS", "Client-Request-Id": "0D2B3C4D-0000-4000-8000-000000000009", "X-Ms-Srs": "1.P",
		"Strict-Transport-Security": "max-age=31536000; includeSubDomains", "X-Content-Type-Options": "nosniff", "P3p": `CP="DSP CUR OTPi IND OTRi ONL FIN"`, "X-Xss-Protection": "0",
	}
	for name, value := range want {
		if got := rec.Header().Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if rec.Header().Get("x-ms-ests-server") == "" || len(rec.Header().Get("x-ms-request-id")) != 36 {
		t.Errorf("headers %v", rec.Header())
	}
}

func TestDocumentsFollowTheHostAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for host, base := range map[string]string{"localhost:8443": "https://localhost:8443", "sts.windows.net": authority, "LOGIN.microsoftonline.com": authority} {
		var doc struct {
			Token  string `json:"token_endpoint"`
			Issuer string `json:"issuer"`
		}
		if err := json.Unmarshal(w.get("https://"+host+"/"+tenantID+"/.well-known/openid-configuration").Body.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		if doc.Token != base+"/"+tenantID+"/oauth2/token" || doc.Issuer != v1Issuer(tenantID) {
			t.Errorf("%s: %+v", host, doc)
		}
	}
}

func TestTenantErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, text := range map[string]string{
		"/00000000-0000-4000-8000-000000000000/v2.0/.well-known/openid-configuration": "AADSTS90002: Tenant '00000000-0000-4000-8000-000000000000' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant. Trace ID: ",
		"/nowhere.example.com/discovery/keys":                                         "AADSTS90002: Tenant 'nowhere.example.com' not found.",
		"/nowhere/v2.0/.well-known/openid-configuration":                              "AADSTS900023: Specified tenant identifier 'nowhere' is neither a valid DNS name, nor a valid external domain. ",
	} {
		rec := w.get(authority + path)
		var body map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		if rec.Code != http.StatusBadRequest || body["error"] != "invalid_request" || !strings.HasPrefix(body["error_description"].(string), text) {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	members := func(path string) (map[string]any, string) {
		rec := w.get(authority + path)
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal(rec.Body.Bytes(), &set); err != nil || len(set.Keys) != 1 {
			t.Fatalf("%v: %s", err, rec.Body)
		}
		return set.Keys[0], rec.Body.String()
	}
	v2, text := members("/" + tenantID + "/discovery/v2.0/keys")
	if v2["kid"] != v2["x5t"] || v2["e"] != "AQAB" || v2["issuer"] != v2Issuer(tenantID) || v2["use"] != "sig" || len(v2["x5c"].([]any)) != 1 {
		t.Errorf("v2: %v", v2)
	}
	if _, has := v2["alg"]; has {
		t.Error("v2 has alg")
	}
	if !strings.HasPrefix(text, `{"keys":[{"kty":"RSA","use":"sig","kid":`) {
		t.Errorf("order: %.80s", text)
	}
	if v1, _ := members("/common/discovery/keys"); v1["issuer"] != nil {
		t.Errorf("v1: %v", v1)
	}
	if of, _ := members("/common/discovery/v2.0/keys"); of["issuer"] != v2Issuer("{tenantid}") {
		t.Errorf("common: %v", of["issuer"])
	}
}

func TestInstanceDiscovery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const public = `{"preferred_network":"login.microsoftonline.com","preferred_cache":"login.windows.net","aliases":["login.microsoftonline.com","login.windows.net","login.microsoft.com","sts.windows.net"]},{"preferred_network":"login.partner.microsoftonline.cn","preferred_cache":"login.partner.microsoftonline.cn","aliases":["login.partner.microsoftonline.cn","login.chinacloudapi.cn"]},{"preferred_network":"login.microsoftonline.de","preferred_cache":"login.microsoftonline.de","aliases":["login.microsoftonline.de"]},{"preferred_network":"login.microsoftonline.us","preferred_cache":"login.microsoftonline.us","aliases":["login.microsoftonline.us","login.usgovcloudapi.net"]},{"preferred_network":"login-us.microsoftonline.com","preferred_cache":"login-us.microsoftonline.com","aliases":["login-us.microsoftonline.com"]}]}`
	for _, tt := range []struct{ name, query, want string }{
		{"of the public authority", "api-version=1.1&authorization_endpoint=https://login.microsoftonline.com/" + tenantID + "/oauth2/v2.0/authorize",
			`{"tenant_discovery_endpoint":"https://login.microsoftonline.com/` + tenantID + `/v2.0/.well-known/openid-configuration","api-version":"1.1","metadata":[` + public},
		{"in version 1.0 has no metadata", "api-version=1.0&authorization_endpoint=https://login.microsoftonline.com/common/oauth2/authorize",
			`{"tenant_discovery_endpoint":"https://login.microsoftonline.com/common/.well-known/openid-configuration"}`},
		{"of an own host puts it first, with its port", "api-version=1.1&authorization_endpoint=https://localhost:8443/common/oauth2/v2.0/authorize",
			`{"tenant_discovery_endpoint":"https://localhost:8443/common/v2.0/.well-known/openid-configuration","api-version":"1.1","metadata":[{"preferred_network":"localhost:8443","preferred_cache":"localhost:8443","aliases":["localhost:8443","127.0.0.1:8443"]},` + public},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rec := w.get(authority + "/common/discovery/instance?" + tt.query)
			if diff := cmp.Diff(tt.want, rec.Body.String()); diff != "" || rec.Code != http.StatusOK {
				t.Error(rec.Code, diff)
			}
		})
	}
	rec := w.get(authority + "/common/Discovery/Instance?api-version=1.1&authorization_endpoint=https://evil.example.com/common/oauth2/v2.0/authorize")
	if rec.Code != http.StatusBadRequest || !strings.HasPrefix(rec.Body.String(), `{"error":"invalid_instance","error_description":"AADSTS50049: Unknown or invalid instance. Trace ID: `) {
		t.Errorf("unknown host: %d %s", rec.Code, rec.Body)
	}
}

func TestUserRealm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.get(authority + "/common/UserRealm/alice@treaty.onmicrosoft.com?api-version=1.0")
	want := `{"ver":"1.0","account_type":"Managed","domain_name":"treaty.onmicrosoft.com","cloud_instance_name":"microsoftonline.com","cloud_audience_urn":"urn:federation:MicrosoftOnline"}`
	if rec.Body.String() != want || rec.Header().Get("Content-Disposition") != "inline; filename=userrealm.json" {
		t.Errorf("%s %v", rec.Body, rec.Header())
	}
	if rec := w.get(authority + "/common/userrealm/alice@nowhere.example.com?api-version=1.0"); !strings.Contains(rec.Body.String(), `"account_type":"Unknown"`) {
		t.Error(rec.Body)
	}
}

func TestOtherMethodsAndPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	do := func(method, path string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, httptest.NewRequest(method, authority+path, nil))
		return rec
	}
	if rec := do(http.MethodOptions, "/common/discovery/keys"); rec.Code != http.StatusNoContent || rec.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("preflight: %d %v", rec.Code, rec.Header())
	}
	if rec := do(http.MethodHead, "/common/discovery/keys"); rec.Code != http.StatusOK || rec.Body.Len() != 0 {
		t.Errorf("HEAD: %d, %d bytes", rec.Code, rec.Body.Len())
	}
	if rec := do(http.MethodPost, "/common/discovery/keys"); rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST on keys: %d", rec.Code)
	}
	if rec := do(http.MethodGet, "/common/unknown"); rec.Code != http.StatusNotFound {
		t.Errorf("unknown path: %d", rec.Code)
	}
	if rec := do(http.MethodPost, "/common/oauth2/v2.0/devicecode"); !strings.Contains(rec.Body.String(), "AADSTS70003: The app requested an unsupported grant type 'device_code'.") {
		t.Error(rec.Body)
	}
	if rec := do(http.MethodGet, "/common/oauth2/v2.0/authorize?response_type=%3Cb%3Ecode"); rec.Code != http.StatusBadRequest || strings.Contains(rec.Body.String(), "<b>") || !strings.Contains(rec.Body.String(), "AADSTS70005") {
		t.Error(rec.Body)
	}
}

func TestFailureOfOursNamesNoInternals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.d.down = true
	r := httptest.NewRequest(http.MethodGet, authority+"/"+tenantID+"/discovery/keys", nil)
	record := &audit.Request{ID: "0d2b3c4d-0000-4000-8000-00000000000a"}
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, r.WithContext(audit.WithRequest(r.Context(), record)))
	if rec.Code != http.StatusInternalServerError || strings.Contains(rec.Body.String(), "database") || !strings.Contains(rec.Body.String(), record.ID) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if record.Code != "AADSTS50000" || record.Surface != "entra" {
		t.Errorf("record %+v", record)
	}
}
