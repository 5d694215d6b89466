package managedidentity_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
)

func TestAnIdentityIsChosen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		system string
		ids    []string
		query  string
		want   string // principal, or the body of the refusal
	}{
		{"the system-assigned one without a selector", sysSP, []string{oneID, twoID}, "", sysSP},
		{"the only user-assigned one without a selector", "", []string{oneID}, "", oneSP},
		{"none of several without a selector", "", []string{oneID, twoID}, "", many},
		{"none of none", "", nil, "", notFound},
		{"by client id", sysSP, []string{oneID, twoID}, "&client_id=" + twoApp, twoSP},
		{"by client id in capitals", sysSP, []string{oneID}, "&client_id=" + strings.ToUpper(oneApp), oneSP},
		{"by object id", sysSP, []string{oneID}, "&object_id=" + oneSP, oneSP},
		{"by principal id", sysSP, []string{oneID}, "&principal_id=" + oneSP, oneSP},
		{"by ARM id in other letters", sysSP, []string{oneID}, "&msi_res_id=" + strings.ToLower(oneID), oneSP},
		{"by ARM id under its other name", sysSP, []string{oneID}, "&mi_res_id=" + oneID, oneSP},
		{"the system-assigned one by client id", sysSP, []string{oneID}, "&client_id=" + sysApp, sysSP},
		{"not the machine's own ARM id", sysSP, nil, "&msi_res_id=" + group + "/providers/Microsoft.Compute/virtualMachines/default-1", notFound},
		{"not one that is not assigned", sysSP, []string{oneID}, "&client_id=" + twoApp, notFound},
		{"not one that is deleted", "", []string{goneID}, "", notFound},
		{"the one that is left when another is deleted", "", []string{goneID, oneID}, "", oneSP},
		{"assigned under an id in other letters", "", []string{strings.ToUpper(oneID)}, "", oneSP},
		{"not an application's service principal", "99999999-0000-4000-8000-000000000001", nil, "", notFound},
		{"not a user-assigned one as the system's", oneSP, nil, "", notFound},
		{"the parameter's name in other letters", sysSP, []string{oneID}, "&Client_Id=" + oneApp, oneSP},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			app := directory.ServicePrincipal{ID: "99999999-0000-4000-8000-000000000001", TenantID: tenant, Type: directory.TypeApplication, Enabled: true}
			w.principals[tenant+app.ID] = app
			w.machine("default", directory.MachineVM, tt.system, tt.ids...)
			status, body := w.body(vm(ok + tt.query))
			if status != http.StatusOK {
				if body != tt.want {
					t.Errorf("refused with %s, want %s", body, tt.want)
				}
				return
			}
			if got := w.issued[0]; got.PrincipalID != tt.want || got.TenantID != tenant || got.MachineResource != w.machines["default"].ResourceID {
				t.Errorf("token of %+v, want %s", got, tt.want)
			}
		})
	}
}

// An identity that was deleted and made again has the name that it had, and another service principal.
func TestAnIdentityThatWasMadeAnewIsNotTheOneThatWasAssigned(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		assigned map[string]string
		query    string
		want     string // principal, or the body of the refusal
	}{
		"the one that was assigned":              {map[string]string{oneID: strings.ToUpper(oneSP)}, "", oneSP},
		"another one under its name":             {map[string]string{oneID: twoSP}, "", notFound},
		"another one by its client id":           {map[string]string{oneID: twoSP}, "&client_id=" + oneApp, notFound},
		"another one by its ARM id":              {map[string]string{oneID: twoSP}, "&msi_res_id=" + oneID, notFound},
		"one of which nothing was noted":         {nil, "", oneSP},
		"one of which nothing was noted, beside": {map[string]string{twoID: twoSP}, "", oneSP},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.machine("default", directory.MachineVM, "", oneID)
			m := w.machines["default"]
			m.Principals = c.assigned
			w.machines["default"] = m
			status, body := w.body(vm(ok + c.query))
			if status != http.StatusOK {
				body = strings.TrimSpace(body)
			} else {
				body = w.issued[0].PrincipalID
			}
			if body != c.want {
				t.Errorf("%d %s, want %s", status, body, c.want)
			}
		})
	}
}

func TestEveryDecisionIsOnRecordWithItsChecks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		ask       func(w *world) ask
		operation string
		outcome   audit.Outcome
		caller    string
		code      string
		failed    []string // names of the checks that failed
	}{
		{"granted", func(*world) ask { return vm(ok) }, "vm token", audit.Allowed, sysSP, "", nil},
		{"a probe", func(*world) ask { return get("/metadata/identity/oauth2/token") }, "vm token", audit.Refused, "", "invalid_request",
			[]string{"metadata header", "api-version", "resource", "identity", "token"}},
		{"an unknown resource", func(*world) ask { return vm("api-version=2018-02-01&resource=unknown") }, "vm token", audit.Refused, sysSP, "AADSTS500011", []string{"token"}},
		{"an app without the header", func(*world) ask { return get("/machines/app/msi/token?api-version=2019-08-01&resource=x") }, "app_service token", audit.Refused, "", "unauthorized",
			[]string{"identity header", "identity", "token"}},
		{"a foreign name", func(*world) ask { return vm(ok, "Host", "evil.example") }, "vm token", audit.Refused, "", "forbidden_host", []string{"host", "identity", "token"}},
		{"the first half of Arc", func(w *world) ask { return w.arc("api-version=2020-06-01&resource=x") }, "arc token", audit.Refused, sysSP, "challenge", []string{"challenge", "token"}},
		{"Cloud Shell", func(w *world) ask { return w.cloudShell("resource=" + arm) }, "cloud_shell token", audit.Allowed, sysSP, "", nil},
		{"the tenant", func(*world) ask { return get("/metadata/identity/info?api-version=2018-02-01", "Metadata", "true") }, "vm info", audit.Allowed, "", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.do(tt.ask(w))
			if len(w.events) != 1 {
				t.Fatalf("%d events", len(w.events))
			}
			e := w.events[0]
			if e.RequestID != request || e.CorrelationID != client || e.Surface != "managed-identity" || e.Operation != tt.operation ||
				e.Outcome != tt.outcome || e.Caller != tt.caller || e.Code != tt.code || !e.Time.Equal(start) {
				t.Errorf("recorded %+v", e)
			}
			var found struct {
				Machine, Kind string
				Checks        []struct {
					Name string
					OK   bool
				}
			}
			if err := json.Unmarshal(e.Evidence, &found); err != nil {
				t.Fatal(err)
			}
			var failed []string
			for _, k := range found.Checks {
				if !k.OK {
					failed = append(failed, k.Name)
				}
			}
			if !slices.Equal(failed, tt.failed) || len(found.Checks) < 4 || found.Machine == "" || found.Kind == "" {
				t.Errorf("evidence %s; failed %q, want %q", e.Evidence, failed, tt.failed)
			}
			for _, secret := range []string{w.variable("app", "IDENTITY_HEADER"), w.variable("shell", "MSI_ENDPOINT")[40:], "token-1"} {
				if b, _ := json.Marshal(e); strings.Contains(string(b), secret) {
					t.Errorf("the event holds %s", secret)
				}
			}
		})
	}
}

func TestFailuresOfOurOwnGiveNoToken(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"machine", "principal", "resource", "issue", "audit"} {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.broken = broken
			status, body := w.body(vm(ok))
			if want := `{"error":"unknown","error_description":"Failed to retrieve token from the Active directory."}`; status != 500 || body != want {
				t.Errorf("status %d: %s", status, body)
			}
			if broken == "machine" {
				return
			}
			for _, a := range []ask{w.appService("api-version=2019-08-01&resource=x"), w.cloudShell("resource=x")} {
				if status, body := w.body(a); status != 500 || strings.Contains(body, "token-") {
					t.Errorf("status %d: %s", status, body)
				}
			}
		})
	}
}

func TestTheEnvironmentLeadsToTheMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, want := range map[string][]string{
		"default": {"AZURE_POD_IDENTITY_AUTHORITY_HOST", "AZURE_TOKEN_CREDENTIALS"},
		"app":     {"APPSETTING_WEBSITE_SITE_NAME", "AZURE_TOKEN_CREDENTIALS", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET"},
		"arc":     {"AZURE_TOKEN_CREDENTIALS", "IDENTITY_ENDPOINT", "IMDS_ENDPOINT"},
		"shell":   {"AZURE_TOKEN_CREDENTIALS", "MSI_ENDPOINT"},
	} {
		var set []string
		seen := map[string]bool{}
		for _, v := range w.Environment(w.machines[name], "http://127.0.0.1:8080") {
			if seen[v.Name] {
				t.Errorf("%s: %s comes twice", name, v.Name)
			}
			if seen[v.Name] = true; !v.Unset {
				set = append(set, v.Name)
			}
			if v.Unset != (v.Value == "") {
				t.Errorf("%s: %+v", name, v)
			}
		}
		if slices.Sort(set); !slices.Equal(set, want) || !seen["AZURE_CLIENT_ID"] || !seen["AZURE_FEDERATED_TOKEN_FILE"] || !seen["IDENTITY_SERVER_THUMBPRINT"] {
			t.Errorf("%s sets %q, want %q", name, set, want)
		}
	}
	if a, b := w.variable("app", "IDENTITY_HEADER"), w.variable("shell", "MSI_ENDPOINT"); strings.Contains(b, a) {
		t.Error("two kinds share a secret")
	}
	w.machines["app"] = directory.Machine{ID: "another", Name: "app", Kind: directory.MachineAppService}
	if a := w.variable("app", "IDENTITY_HEADER"); len(a) != 43 {
		t.Errorf("header %q", a)
	}
}
