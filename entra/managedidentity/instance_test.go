package managedidentity_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheMachineIsDescribed(t *testing.T) {
	t.Parallel()
	about := `{"azEnvironment":"AzurePublicCloud","location":"westeurope","name":"default-1","resourceGroupName":"rg","resourceId":"` + group +
		`/providers/Microsoft.Compute/virtualMachines/default-1","subscriptionId":"` + sub + `","vmId":"5c08b38e-4d57-4c23-ac45-aca61037f084"}`
	at := func(path string) ask { return get("/metadata/instance"+path, "Metadata", "true") }
	for _, tt := range []struct {
		name   string
		ask    ask
		status int
		body   string
	}{
		{"whole", at("?api-version=2021-01-01"), 200, `{"compute":` + about + `}`},
		{"its computer", at("/compute?api-version=2021-01-01&format=json"), 200, about},
		{"the region that MSAL looks for", at("/compute/location?format=text&api-version=2021-01-01"), 200, "westeurope"},
		{"a single value as JSON", at("/compute/vmId?api-version=2018-04-02&format=json"), 400, ""},
		{"what there is not", at("/compute/identity?api-version=2018-04-02"), 404, `{ "error": "Not found" }`},
		{"another branch", at("/network?api-version=2018-04-02"), 404, `{ "error": "Not found" }`},
		{"no version", at(""), 400, `{ "error": "Bad request. api-version was not specified in the request. For more information refer to aka.ms/azureimds", "newest-versions": [ "2025-04-07", "2024-07-17", "2024-03-15" ] }`},
		{"no header", get("/metadata/instance?api-version=2021-01-01"), 400, ""},
		{"a longer name", at("s?api-version=2021-01-01"), 404, ""},
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

func TestRequestsUnderForeignNamesAreForbidden(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]int{
		"169.254.169.254": 200, "169.254.169.254:80": 200, "127.0.0.1:8080": 200, "localhost": 200, "LOCALHOST:1": 200, "[::1]:8080": 200, "::1": 200,
		"treaty.example.org": 200, "treaty.example.org:8443": 200,
		"evil.example": http.StatusForbidden, "127.0.0.1.evil.example": 403, "localhost.evil.example:80": 403, "": 403, "[::1].evil": 403, "::1:evil": 403,
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Hosts = []string{"treaty.example.org"}
			if status, body := w.body(vm(ok, "Host", host)); status != want {
				t.Errorf("status %d, want %d: %s", status, want, body)
			}
		})
	}
}
