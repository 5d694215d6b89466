package managedidentity_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/treatyfed/treaty/core/audit"
)

// ask is a request; headers come in pairs.
type ask struct {
	method, path, body string
	headers            []string
}

func get(path string, headers ...string) ask { return ask{"GET", path, "", headers} }

func vm(query string, headers ...string) ask {
	return get("/metadata/identity/oauth2/token?"+query, append([]string{"Metadata", "true"}, headers...)...)
}

const ok = "api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F"

func (w *world) do(a ask) *http.Response {
	w.t.Helper()
	r := httptest.NewRequest(a.method, a.path, strings.NewReader(a.body))
	r.Host = "169.254.169.254"
	for i := 0; i < len(a.headers); i += 2 {
		if a.headers[i] == "Host" {
			r.Host = a.headers[i+1]
			continue
		}
		r.Header.Add(a.headers[i], a.headers[i+1])
	}
	r.Header.Set("x-ms-client-request-id", client)
	r = r.WithContext(audit.WithRequest(w.t.Context(), &audit.Request{ID: request}))
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, r)
	return rec.Result()
}

func (w *world) body(a ask) (int, string) {
	w.t.Helper()
	resp := w.do(a)
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// member reads one member of a body.
func (w *world) member(a ask, name string) string {
	w.t.Helper()
	_, b := w.body(a)
	var m map[string]any
	if err := json.Unmarshal([]byte(b), &m); err != nil {
		w.t.Fatalf("%s: %v", b, err)
	}
	s, _ := m[name].(string)
	return s
}

// variable finds what a machine's workloads have in their environment.
func (w *world) variable(machine, name string) string {
	w.t.Helper()
	for _, v := range w.Environment(w.machines[machine], "http://127.0.0.1:8080/") {
		if v.Name == name && !v.Unset {
			return v.Value
		}
	}
	w.t.Fatalf("machine %s has no variable %s", machine, name)
	return ""
}

func (w *world) appService(query string, headers ...string) ask {
	return get("/machines/app/msi/token?"+query, append([]string{"X-IDENTITY-HEADER", w.variable("app", "IDENTITY_HEADER")}, headers...)...)
}

func (w *world) cloudShell(form string, headers ...string) ask {
	path := strings.TrimPrefix(w.variable("shell", "MSI_ENDPOINT"), "http://127.0.0.1:8080")
	return ask{"POST", path, form, append([]string{"Metadata", "true", "Content-Type", "application/x-www-form-urlencoded"}, headers...)}
}

func (w *world) arc(query string, headers ...string) ask {
	a := vm(query, headers...)
	a.path = "/machines/arc" + a.path
	return a
}
