package oauth_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
)

func TestSecretGivesTokenOfTheResourcesVersion(t *testing.T) {
	t.Parallel()
	common := []string{"aio", "aud", "exp", "iat", "iss", "nbf", "oid", "rh", "sub", "tid", "uti", "ver", "xms_ftd"}
	v1 := append([]string{"appid", "appidacr", "idp"}, common...)
	v2 := append([]string{"azp", "azpacr"}, common...)
	for _, tt := range []struct {
		name, path, param, resource, aud, version string
		members                                   []string
	}{
		{"Graph from the v2 endpoint is v1", tokenPath, "scope", "https://graph.microsoft.com/.default", "https://graph.microsoft.com", "1.0",
			append([]string{"app_displayname", "idtyp", "roles", "tenant_region_scope", "wids", "xms_idrel", "xms_tcdt"}, v1...)},
		{"a double slash stays in the audience", tokenPath, "scope", "https://graph.microsoft.com//.default openid offline_access profile", "https://graph.microsoft.com/", "1.0",
			append([]string{"app_displayname", "idtyp", "roles", "tenant_region_scope", "wids", "xms_idrel", "xms_tcdt"}, v1...)},
		{"Resource Manager with az's double slash", tokenPath, "scope", "https://management.core.windows.net//.default", "https://management.core.windows.net/", "1.0",
			append([]string{"idtyp", "xms_idrel", "xms_tcdt"}, v1...)},
		{"Graph by GUID", tokenPath, "scope", graphApp + "/.default", graphApp, "1.0",
			append([]string{"app_displayname", "idtyp", "roles", "tenant_region_scope", "wids", "xms_idrel", "xms_tcdt"}, v1...)},
		{"an API of version 2", tokenPath, "scope", "https://example.org/api/.default", apiV2, "2.0", append([]string{"roles"}, v2...)},
		{"an API of version 2 from the v1 endpoint is v2", "/" + tenantID + "/oauth2/token", "resource", "https://example.org/api", apiV2, "2.0", append([]string{"roles"}, v2...)},
		{"an API by api://GUID that is no identifier URI", tokenPath, "scope", "api://" + apiV2 + "/.default", apiV2, "2.0", append([]string{"roles"}, v2...)},
		{"an API of version 1 with the optional claim idtyp", tokenPath, "scope", "api://one/.default", "api://one", "1.0", append([]string{"idtyp"}, v1...)},
		{"by domain and in another case of the path", "/TREATY.onmicrosoft.com/OAuth2/v2.0/Token", "scope", "api://one/.default", "api://one", "1.0", append([]string{"idtyp"}, v1...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			header, claims := decode(t, w.post(tt.path, form("client_secret", secret, "scope", "", tt.param, tt.resource)))
			slices.Sort(tt.members)
			if diff := cmp.Diff(tt.members, slices.Sorted(maps.Keys(claims))); diff != "" {
				t.Error(diff)
			}
			want := map[string]string{"aud": tt.aud, "ver": tt.version, "oid": appSP, "sub": appSP, "tid": tenantID, "iss": v2Issuer(tenantID)}
			headerMembers := []string{"alg", "kid", "typ"}
			if tt.version == "1.0" {
				want["iss"], want["idp"], want["appid"], want["appidacr"] = v1Issuer(tenantID), v1Issuer(tenantID), appID, "1"
				headerMembers = append(headerMembers, "x5t")
			} else {
				want["azp"], want["azpacr"] = appID, "1"
			}
			for name, value := range want {
				if claims.Text(name) != value {
					t.Errorf("%s: %q, want %q", name, claims.Text(name), value)
				}
			}
			if diff := cmp.Diff(headerMembers, slices.Sorted(maps.Keys(header))); diff != "" {
				t.Error(diff)
			}
			checkTimes(t, claims)
		})
	}
}

// checkTimes asserts the recorded relation of times: issued five minutes back, 65 minutes long.
func checkTimes(t *testing.T, claims token.Claims) {
	t.Helper()
	iat, _ := claims.Time("iat")
	nbf, _ := claims.Time("nbf")
	exp, _ := claims.Time("exp")
	if iat.Unix() != now.Unix()-300 || !nbf.Equal(iat) || exp.Sub(iat).Seconds() != 3900 {
		t.Errorf("iat %v nbf %v exp %v", iat, nbf, exp)
	}
}

func TestSuccessAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.post(tokenPath, form("client_secret", secret, "client_info", "1"), func(r *http.Request) { r.Header.Set("client-request-id", "0d2b3c4d-0000-4000-8000-000000000009") })
	if body := rec.Body.String(); !regexp.MustCompile(`^\{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"[^"]+"\}$`).MatchString(body) {
		t.Error(body)
	}
	for name, value := range map[string]string{"Cache-Control": "no-store, no-cache", "Pragma": "no-cache", "Expires": "-1", "Content-Type": "application/json; charset=utf-8",
		"X-Ms-Clitelem": "1,0,0,,", "Client-Request-Id": "0d2b3c4d-0000-4000-8000-000000000009", "X-Ms-Srs": "1.P", "X-Xss-Protection": "0"} {
		if got := rec.Header().Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	v1 := w.post("/"+tenantID+"/oauth2/token", form("client_secret", secret, "scope", "", "resource", "https://graph.microsoft.com/"))
	if body := v1.Body.String(); !regexp.MustCompile(`^\{"token_type":"Bearer","expires_in":"3599","ext_expires_in":"3599","expires_on":"1795267800","not_before":"1795263900","resource":"https://graph.microsoft.com/","access_token":"[^"]+"\}$`).MatchString(body) {
		t.Error(body)
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for scope, want := range map[string][]string{
		"https://example.org/api/.default":      {"Things.Read", "Things.Write"}, // assigned, enabled, for applications
		"https://graph.microsoft.com/.default":  {"Application.Read.All"},
		"api://one/.default":                    nil,
		"https://management.azure.com/.default": nil,
	} {
		_, claims := decode(t, w.post(tokenPath, form("client_secret", secret, "scope", scope)))
		if diff := cmp.Diff(want, claims.Texts("roles")); diff != "" {
			t.Error(scope, diff)
		}
		if want == nil && claims.Has("roles") {
			t.Errorf("%s: roles is there", scope)
		}
	}
}

func TestAssignmentRequired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := form("client_secret", secret, "scope", "api://locked/.default")
	rec := w.post(tokenPath, ask)
	wantError(t, rec, 400, "invalid_grant", 501051, "Application '"+appID+"'(Workload) is not assigned to a role for the application 'api://locked'(Locked).")
	w.d.assignments = append(w.d.assignments, directory.AppRoleAssignment{PrincipalID: appSP, ResourceID: "locked-sp", RoleID: "00000000-0000-0000-0000-000000000000"})
	if _, claims := decode(t, w.post(tokenPath, ask)); claims.Has("roles") {
		t.Error("the default access is no role")
	}
}

var trailer = regexp.MustCompile(` Trace ID: ([0-9a-f-]{36}) Correlation ID: ([0-9a-f-]{36}) Timestamp: 2026-11-21 12:30:00Z$`)

type errorBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Codes       []int  `json:"error_codes"`
	Timestamp   string `json:"timestamp"`
	TraceID     string `json:"trace_id"`
	Correlation string `json:"correlation_id"`
	URI         string `json:"error_uri"`
}

// wantError asserts an error answer to the letter; text is compared as a prefix of the description.
func wantError(t testing.TB, rec *httptest.ResponseRecorder, status int, oauth string, code int, text string) errorBody {
	t.Helper()
	var body errorBody
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v: %s", err, rec.Body)
	}
	if rec.Code != status || body.Error != oauth || !slices.Equal(body.Codes, []int{code}) {
		t.Errorf("got %d %s %v, want %d %s %d: %s", rec.Code, body.Error, body.Codes, status, oauth, code, body.Description)
	}
	prefix := "AADSTS" + itoa(code) + ": " + text
	if !strings.HasPrefix(body.Description, prefix) {
		t.Errorf("description %q\nwant prefix %q", body.Description, prefix)
	}
	m := trailer.FindStringSubmatch(body.Description)
	if m == nil || m[1] != body.TraceID || m[2] != body.Correlation || body.Timestamp != "2026-11-21 12:30:00Z" {
		t.Errorf("trailer of %q, body %+v", body.Description, body)
	}
	if h := rec.Header().Get("x-ms-clitelem"); h != "1,"+itoa(code)+",0,," {
		t.Errorf("x-ms-clitelem %q", h)
	}
	if body.URI != "" && body.URI != authority+"/error?code="+itoa(code) {
		t.Errorf("error_uri %q", body.URI)
	}
	return body
}

func itoa(i int) string { b, _ := json.Marshal(i); return string(b) }

func TestRefusals(t *testing.T) {
	t.Parallel()
	with := func(pairs ...string) url.Values { return form(append([]string{"client_secret", secret}, pairs...)...) }
	const zero = "00000000-0000-0000-0000-000000000000"
	unknown := "12345678-0000-4000-8000-000000000000"
	for _, tt := range []struct {
		name, path string
		form       url.Values
		status     int
		oauth      string
		code       int
		text       string
		page       bool // error_uri is there
	}{
		{"no grant type", "", with("grant_type", ""), 400, "invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'. Trace", true},
		{"an unsupported grant type", "", with("grant_type", "magic"), 400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type 'magic'. Trace", false},
		{"no client id", "", with("client_id", ""), 400, "invalid_request", 900144, "The request body must contain the following parameter: 'client_id'. Trace", true},
		{"no scope", "", with("scope", ""), 400, "invalid_request", 900144, "The request body must contain the following parameter: 'scope'. Trace", true},
		{"no resource on the v1 endpoint", "/" + tenantID + "/oauth2/token", with("scope", ""), 400, "invalid_request", 900144, "The request body must contain the following parameter: 'resource'. Trace", true},
		{"an unknown tenant", "/" + unknown + "/oauth2/v2.0/token", with(), 400, "invalid_request", 90002, "Tenant '" + unknown + "' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant. Trace", true},
		{"no tenant name", "/nowhere/oauth2/v2.0/token", with(), 400, "invalid_request", 900023, "Specified tenant identifier 'nowhere' is neither a valid DNS name, nor a valid external domain. Trace", true},
		{"an unknown application", "", with("client_id", unknown), 400, "unauthorized_client", 700016, "Application with identifier '" + unknown + "' was not found in the directory 'Treaty'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant. Trace", true},
		{"an application of another tenant", "/" + otherTenant + "/oauth2/v2.0/token", with(), 400, "unauthorized_client", 700016, "Application with identifier '" + appID + "' was not found in the directory 'Other'.", true},
		{"the application id of zeros", "", with("client_id", zero), 400, "unauthorized_client", 700038, zero + " is not a valid application identifier. Trace", false},
		{"an application without a service principal", "", with("client_id", orphanApp), 401, "invalid_client", 7000229, "The client application " + orphanApp + " is missing service principal in the tenant " + tenantID + ". See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119 Trace", true},
		{"a disabled application", "", with("client_id", disabledApp), 400, "unauthorized_client", 7000112, "Application '" + disabledApp + "'(Disabled) is disabled. Trace", true},
		{"common for a single-tenant application", "/common/oauth2/v2.0/token", with(), 400, "invalid_request", 50194, "Application '" + appID + "'(Workload) is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such applications created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant. Trace", true},
		{"common for a multi-tenant application", "/organizations/oauth2/v2.0/token", with("client_id", multiApp), 400, "invalid_request", 50059, "No tenant-identifying information found in either the request or implied by any provided credentials. Trace", true},
		{"consumers", "/consumers/oauth2/v2.0/token", with(), 400, "invalid_request", 9001023, "The grant type isn't supported over the /common or /consumers endpoints. Please use the /organizations or tenant-specific endpoint. Trace", true},
		{"a wrong secret", "", with("client_secret", "nope"), 401, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '" + appID + "'. Trace", true},
		{"an expired secret", "", with("client_secret", oldSecret), 401, "invalid_client", 7000222, "The provided client secret keys for app '" + appID + "' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds. Trace", true},
		{"no credential", "", form(), 401, "invalid_client", 7000216, "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type. Trace", true},
		{"a public client with a secret", "", with("client_id", publicApp), 401, "invalid_client", 700025, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented. Trace", true},
		{"a secret and an assertion", "", with("client_assertion", "a.b.c", "client_assertion_type", assertionType), 400, "invalid_request", 9002313, "Invalid request. Request is malformed or invalid. Trace", true},
		{"an assertion without its type", "", form("client_assertion", "a.b.c"), 400, "invalid_request", 900144, "The request body must contain the following parameter: 'client_assertion_type'. Trace", true},
		{"a scope that is no default", "", with("scope", "User.Read openid"), 400, "invalid_scope", 1002012, "The provided value for scope User.Read openid is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI). Trace", false},
		{"two resources", "", with("scope", "https://graph.microsoft.com/.default api://one/.default"), 400, "invalid_scope", 1002012, "The provided value for scope https://graph.microsoft.com/.default api://one/.default is not valid.", false},
		{"only OpenID scopes", "", with("scope", "openid profile"), 400, "invalid_scope", 1002012, "The provided value for scope openid profile is not valid.", false},
		{"an unknown resource", "", with("scope", "https://nothing.example.org/.default"), 400, "invalid_resource", 500011, "The resource principal named https://nothing.example.org was not found in the tenant named " + tenantID + ". This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant. Trace", true},
		{"a resource that is no identifier", "", with("scope", "user.read/.default"), 400, "invalid_scope", 70011, "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope user.read/.default is not valid. Trace", false},
		{"a disabled resource", "", with("scope", "api://off/.default"), 400, "invalid_resource", 500014, "The service principal for resource 'api://off' is disabled.", true},
		{"an assertion that is none", "", withAssertion("rubbish"), 400, "invalid_request", 50027, "JWT token is invalid or malformed. Trace", true},
		{"an assertion that is none and no client id", "", withAssertion("rubbish", "client_id", ""), 400, "invalid_request", 50027, "JWT token is invalid or malformed. Trace", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			path := tt.path
			if path == "" {
				path = tokenPath
			}
			body := wantError(t, w.post(path, tt.form), tt.status, tt.oauth, tt.code, tt.text)
			if tt.page != (body.URI != "") {
				t.Errorf("error_uri %q", body.URI)
			}
		})
	}
}

func TestErrorBodyToTheLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := httptest.NewRequest(http.MethodPost, authority+tokenPath, strings.NewReader(form("grant_type", "x<&>").Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("client-request-id", "1e2b3c4d-0000-4000-8000-000000000002")
	record := &audit.Request{ID: "0d2b3c4d-0000-4000-8000-000000000001"}
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, r.WithContext(audit.WithRequest(r.Context(), record)))
	want := `{"error":"unsupported_grant_type","error_description":"AADSTS70003: The app requested an unsupported grant type 'x<&>'. Trace ID: 0d2b3c4d-0000-4000-8000-000000000001 Correlation ID: 1e2b3c4d-0000-4000-8000-000000000002 Timestamp: 2026-11-21 12:30:00Z","error_codes":[70003],"timestamp":"2026-11-21 12:30:00Z","trace_id":"0d2b3c4d-0000-4000-8000-000000000001","correlation_id":"1e2b3c4d-0000-4000-8000-000000000002"}`
	if diff := cmp.Diff(want, rec.Body.String()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(audit.Request{ID: record.ID, CorrelationID: "1e2b3c4d-0000-4000-8000-000000000002", Surface: "entra", Operation: "token", Caller: appID, Code: "AADSTS70003"}, *record); diff != "" {
		t.Error(diff)
	}
}

func TestOtherRequestsAtTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wantError(t, w.get(authority+tokenPath), 400, "invalid_request", 900561, "The endpoint only accepts POST requests. Received a GET request. Trace")
	asJSON := func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }
	wantError(t, w.post(tokenPath, form("client_secret", secret), asJSON), 400, "invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'.")
	wantError(t, w.post(tokenPath, form("client_secret", strings.Repeat("x", 200<<10))), 400, "invalid_request", 9002313, "Invalid request.")
	if len(w.journal.events) != 1 {
		t.Errorf("%d events; a request that could not be read is no decision", len(w.journal.events))
	}
}

func TestBasicAuthentication(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	basic := func(id, secret string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret))))
		}
	}
	if _, claims := decode(t, w.post(tokenPath, form("client_id", ""), basic(appID, secret))); claims.Text("appidacr") != "1" {
		t.Error(claims)
	}
	decode(t, w.post(tokenPath, form("client_id", strings.ToUpper(appID)), basic(appID, "second~one")))
	wantError(t, w.post(tokenPath, form("client_id", ""), basic(appID, "wrong")), 401, "invalid_client", 7000215, "")
	wantError(t, w.post(tokenPath, form("client_secret", secret), basic(appID, secret)), 400, "invalid_request", 9002313, "")
	wantError(t, w.post(tokenPath, form("client_id", multiApp), basic(appID, secret)), 400, "invalid_request", 9002313, "")
}

func TestMultiTenantApplicationInAnotherTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, claims := decode(t, w.post(tokenPath, form("client_id", multiApp, "client_secret", secret)))
	if claims.Text("tid") != tenantID || claims.Text("oid") != "multi-sp" || claims.Text("appid") != multiApp {
		t.Error(claims)
	}
	wantError(t, w.post("/"+otherTenant+"/oauth2/v2.0/token", form("client_id", multiApp, "client_secret", secret)), 401, "invalid_client", 7000229, "")
}

func TestEveryDecisionIsOnRecordBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	decode(t, w.post(tokenPath, form("client_secret", secret)))
	refused := wantError(t, w.post(tokenPath, form("client_secret", "no")), 401, "invalid_client", 7000215, "")
	if len(w.journal.events) != 2 {
		t.Fatalf("%d events", len(w.journal.events))
	}
	allowed, denied := w.journal.events[0], w.journal.events[1]
	if allowed.Outcome != audit.Allowed || allowed.Operation != "token client_credentials" || allowed.Caller != appID || allowed.Resource != "https://graph.microsoft.com" || allowed.Code != "" {
		t.Errorf("%+v", allowed)
	}
	if denied.Outcome != audit.Refused || denied.Code != "AADSTS7000215" || denied.RequestID != refused.TraceID || denied.CorrelationID != refused.Correlation {
		t.Errorf("%+v", denied)
	}
	var d trust.Decision
	if err := json.Unmarshal(denied.Evidence, &d); err != nil || d.Report.Checks.OK() {
		t.Errorf("%v %s", err, denied.Evidence)
	}
	for _, e := range w.journal.events {
		if strings.Contains(string(e.Evidence), secret) {
			t.Error("the secret is on record")
		}
	}
}

func TestNothingIsIssuedThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.journal.err = errors.New("disk full")
	rec := w.post(tokenPath, form("client_secret", secret))
	wantError(t, rec, 500, "server_error", 50000, "")
	if strings.Contains(rec.Body.String(), "disk") || strings.Contains(rec.Body.String(), "access_token") {
		t.Error(rec.Body)
	}
}

func TestTokenTellsItsRequestAndResource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.post(tokenPath+"?client-request-id=5e2b3c4d-0000-4000-8000-000000000005", form("client_secret", secret))
	if rec.Header().Get("client-request-id") != "5e2b3c4d-0000-4000-8000-000000000005" {
		t.Errorf("the query's correlation id is not echoed: %v", rec.Header())
	}
	_, claims := decode(t, rec)
	trace, err := hex.DecodeString(strings.ReplaceAll(rec.Header().Get("x-ms-request-id"), "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	uti, err := base64.RawURLEncoding.DecodeString(claims.Text("uti"))
	if err != nil || len(uti) != 16 || uti[0] != trace[3] || uti[15] != trace[15] {
		t.Errorf("uti %x of %x: %v", uti, trace, err)
	}
	hint, err := base64.RawURLEncoding.DecodeString(strings.Trim(strings.TrimPrefix(claims.Text("rh"), "1"), "."))
	if err != nil || len(hint) != 37 || hint[19] != 3 || hint[27] != 0xc0 { // 00000003-0000-0000-c000-… in Microsoft's byte order
		t.Errorf("rh %x: %v", hint, err)
	}
}

func TestRefusalAfterAuthenticationKeepsWhatWasFoundOut(t *testing.T) {
	t.Parallel()
	for scope, reason := range map[string]trust.Reason{"https://no.example.org/.default": "resource", "api://locked/.default": "app role assignment"} {
		w := newWorld(t)
		if rec := w.post(tokenPath, form("client_secret", secret, "scope", scope)); rec.Code != http.StatusBadRequest {
			t.Fatalf("%s: %d", scope, rec.Code)
		}
		var d trust.Decision
		if err := json.Unmarshal(w.journal.events[0].Evidence, &d); err != nil || d.OK() || d.Reason != reason {
			t.Errorf("%s: %v %+v", scope, err, d)
		}
		if first, _ := d.Report.Checks.First(); first.Name != string(reason) || first.Fix == "" {
			t.Errorf("%s: %+v", scope, d.Report.Checks)
		}
	}
}
