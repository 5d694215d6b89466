package managedidentity_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
)

const (
	notFound = `{"error":"invalid_request","error_description":"Identity not found"}`
	// 168 bytes, as recorded in Hexadite/acs-keyvault-agent pull request 43.
	many = `{"error":"invalid_request","error_description":"Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"}`

	granted = `{"access_token":"token-1","client_id":"` + sysApp + `","expires_in":"86400","expires_on":"1605238725","ext_expires_in":"86399","not_before":"1605152025","resource":"https://management.azure.com/","token_type":"Bearer"}`
	unknown = `{"error":"invalid_resource","error_description":"AADSTS500011: The resource principal named https://unknown was not found in the tenant named ` + tenant + `. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant. Trace ID: ` + request + ` Correlation ID: ` + client + ` Timestamp: 2020-11-12 03:38:45Z","error_codes":[500011],"timestamp":"2020-11-12 03:38:45Z","trace_id":"` + request + `","correlation_id":"` + client + `","error_uri":"https://login.microsoftonline.com/error?code=500011"}`
)

func TestAVirtualMachineAnswersAsTheMetadataService(t *testing.T) {
	t.Parallel()
	noHeader := `{"error":"invalid_request","error_description":"Required metadata header not specified"}`
	for _, tt := range []struct {
		name   string
		ask    ask
		status int
		body   string // "" compares the status only
	}{
		{"a token, whose every member is a string", vm(ok), 200, granted},
		{"a machine by its name", ask{"GET", "/machines/DEFAULT/metadata/identity/oauth2/token/?" + ok, "", []string{"Metadata", "true"}}, 200, granted},
		{"a resource is echoed as it was asked for", vm("api-version=2018-02-01&resource=api%3A%2F%2Fa%26b%3C%C3%A9"), 200, strings.Replace(granted, arm, `api://a&b<é`, 1)},
		{"the probe of a credential chain", get("/metadata/identity/oauth2/token"), 400, noHeader},
		{"a probe with a query", get("/metadata/identity/oauth2/token?" + ok), 400, noHeader},
		{"the header in capitals", get("/metadata/identity/oauth2/token?"+ok, "Metadata", "True"), 400, noHeader},
		{"the header twice", vm(ok, "Metadata", "true"), 400, noHeader},
		{"a forwarded request", vm(ok, "X-Forwarded-For", "10.0.0.1"), 400, ""},
		{"no api-version", vm("resource=" + arm), 400, ""},
		{"a version before identity tokens", vm("api-version=2017-12-01&resource=" + arm), 400, ""},
		{"no resource", vm("api-version=2018-02-01"), 400, `{"error":"invalid_request","error_description":"Required query variable 'resource' is missing"}`},
		{"an empty resource", vm("api-version=2018-02-01&resource="), 400, `{"error":"invalid_request","error_description":"Required query variable 'resource' is missing"}`},
		{"a resource that is not text", vm("api-version=2018-02-01&resource=%ff"), 400, ""},
		{"a resource with a line break", vm("api-version=2018-02-01&resource=a%0d%0ab"), 400, ""},
		{"a resource that is too long", vm("api-version=2018-02-01&resource=" + strings.Repeat("a", 2049)), 400, ""},
		{"a resource that the tenant does not know", vm("api-version=2018-02-01&resource=https://unknown"), 400, unknown},
		{"two resources", vm(ok + "&resource=b"), 400, ""},
		{"a broken escape", vm(ok + "&x=%zz"), 400, ""},
		{"an identity that the machine does not have", vm(ok + "&client_id=" + twoApp), 400, notFound},
		{"a selector that names nothing", vm(ok + "&msi_res_id=" + goneID), 400, notFound},
		{"two selectors", vm(ok + "&client_id=" + oneApp + "&object_id=" + oneSP), 400, ""},
		{"another method", ask{"POST", "/metadata/identity/oauth2/token", "", []string{"Metadata", "true"}}, 405, ""},
		{"HEAD", ask{"HEAD", "/metadata/identity/oauth2/token", "", []string{"Metadata", "true"}}, 405, ""},
		{"the tenant", get("/metadata/identity/info?api-version=2018-02-01", "Metadata", "true"), 200, `{"tenantId":"` + tenant + `"}`},
		{"the tenant without the header", get("/metadata/identity/info?api-version=2018-02-01"), 400, noHeader},
		{"platform metadata of proof of possession", get("/metadata/identity/getplatformmetadata?cred-api-version=2.0", "Metadata", "true"), 404, `{"error":"Not Found"}`},
		{"credentials for proof of possession", get("/metadata/identity/issuecredential?cred-api-version=2.0", "Metadata", "true"), 404, `{"error":"Not Found"}`},
		{"a path above", get("/metadata/identity", "Metadata", "true"), 404, `{"error":"Not Found"}`},
		{"App Service's path", get("/msi/token", "Metadata", "true"), 404, ""},
		{"no such machine", get("/machines/none/metadata/identity/oauth2/token", "Metadata", "true"), 404, ""},
		{"a machine without a path", get("/machines/default"), 404, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, body := newWorld(t).body(tt.ask)
			if status != tt.status {
				t.Errorf("status %d, want %d: %s", status, tt.status, body)
			}
			if d := cmp.Diff(tt.body, body); tt.body != "" && d != "" {
				t.Error(d)
			}
		})
	}
}

func TestTheMetadataServiceNamesItselfAndTheRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.do(vm(ok)).Header
	for name, want := range map[string]string{
		"Server": "IMDS/150.870.65.512", "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", "X-Ms-Request-Id": request,
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
	w.machine("default", directory.MachineVM, "", oneID, twoID)
	if n := w.do(vm(ok)).Header.Get("Content-Length"); n != "168" {
		t.Errorf("the refusal for several identities has %s bytes, recorded are 168", n)
	}
	if a := w.do(ask{"POST", "/metadata/identity/oauth2/token", "", nil}).Header.Get("Allow"); a != "" {
		t.Error("a probe learns the method before the header is checked")
	}
}

func TestAppServiceAnswersAsAppService(t *testing.T) {
	t.Parallel()
	const two = "api-version=2019-08-01&resource=https%3A%2F%2Fmanagement.azure.com%2F"
	failed := func(status, text string) string {
		return `{"statusCode":` + status + `,"message":"` + text + `","correlationId":"` + client + `"}`
	}
	old := func(w *world, query string) ask {
		return get("/machines/app/MSI/token/?api-version=2017-09-01&resource=https://management.azure.com/"+query, "secret", w.variable("app", "MSI_SECRET"))
	}
	for _, tt := range []struct {
		name   string
		ask    func(w *world) ask
		status int
		body   string
	}{
		{"a token of the system-assigned identity", func(w *world) ask { return w.appService(two) }, 200,
			`{"access_token":"token-1","client_id":"` + sysApp + `","expires_on":"1605238725","resource":"https://management.azure.com/","token_type":"Bearer"}`},
		{"a token by client id", func(w *world) ask { return w.appService(two + "&client_id=" + oneApp) }, 200,
			`{"access_token":"token-1","client_id":"` + oneApp + `","expires_on":"1605238725","resource":"https://management.azure.com/","token_type":"Bearer"}`},
		{"the older version", func(w *world) ask { return old(w, "") }, 200,
			`{"access_token":"token-1","expires_on":"11/13/2020 03:38:45 +00:00","resource":"https://management.azure.com/","token_type":"Bearer","client_id":"` + sysApp + `"}`},
		{"the older version's selector", func(w *world) ask { return old(w, "&clientid="+oneApp) }, 200, ""},
		{"a selector of the other version", func(w *world) ask { return old(w, "&client_id="+oneApp) }, 400,
			`{"StatusCode":400,"Message":"No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.","CorrelationId":"` + client + `"}`},
		{"no header", func(*world) ask { return get("/machines/app/msi/token?" + two) }, 401, ""},
		{"another header", func(*world) ask { return get("/machines/app/msi/token?"+two, "X-IDENTITY-HEADER", "x") }, 401, ""},
		{"the older version's header", func(w *world) ask {
			return get("/machines/app/msi/token?"+two, "secret", w.variable("app", "IDENTITY_HEADER"))
		}, 401, ""},
		{"an unknown version", func(w *world) ask { return w.appService("api-version=2018-02-01&resource=x") }, 400, ""},
		{"no resource", func(w *world) ask { return w.appService("api-version=2019-08-01") }, 400, ""},
		{"an unknown resource, of which no more is said", func(w *world) ask { return w.appService("api-version=2019-08-01&resource=https://unknown") }, 500,
			failed("500", "An unexpected error occured while fetching the AAD Token.")},
		{"an identity that the app does not have", func(w *world) ask { return w.appService(two + "&mi_res_id=" + twoID) }, 400,
			failed("400", "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.")},
		{"its system-assigned identity by name", func(w *world) ask { return w.appService(two + "&client_id=" + sysApp) }, 400,
			failed("400", "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.")},
		{"none named and no system-assigned identity", func(w *world) ask {
			w.machine("app", directory.MachineAppService, "", oneID)
			return w.appService(two)
		}, 400, failed("400", "Unable to load the proper Managed Identity.")},
		{"the metadata service's path", func(*world) ask {
			return get("/machines/app/metadata/identity/oauth2/token?"+ok, "Metadata", "true")
		}, 404, ""},
		{"another method", func(w *world) ask {
			a := w.appService(two)
			a.method = "POST"
			return a
		}, 405, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			status, body := w.body(tt.ask(w))
			if status != tt.status {
				t.Errorf("status %d, want %d: %s", status, tt.status, body)
			}
			if d := cmp.Diff(tt.body, body); tt.body != "" && d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCloudShellAnswersAsCloudShell(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		ask    func(w *world) ask
		status int
		body   string
	}{
		{"a token", func(w *world) ask { return w.cloudShell("resource=" + arm) }, 200,
			`{"access_token":"token-1","expires_in":"86400","expires_on":"1605238725","not_before":"1605152025","resource":"https://management.azure.com/","token_type":"Bearer"}`},
		{"an unknown audience", func(w *world) ask { return w.cloudShell("resource=unknown") }, 400,
			`{"error":{"code":"AudienceNotSupported","message":"Audience unknown is not a supported MSI token audience."}}`},
		{"no resource", func(w *world) ask { return w.cloudShell("") }, 400, ""},
		{"a resource in the query", func(w *world) ask {
			a := w.cloudShell("")
			a.path += "?resource=" + arm
			return a
		}, 400, ""},
		{"a form that is not one", func(w *world) ask { return w.cloudShell("resource=%zz") }, 400, ""},
		{"no header", func(w *world) ask { a := w.cloudShell("resource=" + arm); a.headers = a.headers[2:]; return a }, 400, ""},
		{"GET", func(w *world) ask { a := w.cloudShell(""); a.method = "GET"; return a }, 405, ""},
		{"another path", func(w *world) ask {
			a := w.cloudShell("resource=" + arm)
			a.path = "/machines/shell/cloudshell/0/oauth2/token"
			return a
		}, 404, ""},
		{"the path of Cloud Shell itself", func(w *world) ask {
			a := w.cloudShell("resource=" + arm)
			a.path = "/machines/shell/oauth2/token"
			return a
		}, 404, ""},
		{"an identity that is not there", func(w *world) ask { return w.cloudShell("resource=" + arm + "&client_id=" + twoApp) }, 400,
			`{"error":{"code":"invalid_request","message":"Identity not found"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			status, body := w.body(tt.ask(w))
			if status != tt.status {
				t.Errorf("status %d, want %d: %s", status, tt.status, body)
			}
			if d := cmp.Diff(tt.body, body); tt.body != "" && d != "" {
				t.Error(d)
			}
		})
	}
}
