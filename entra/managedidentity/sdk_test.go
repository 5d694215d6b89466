package managedidentity_test

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/entra/managedidentity"
)

// throughProxy sends requests for Azure's fixed address to the server, as HTTP_PROXY does.
type throughProxy struct{ server *httptest.Server }

func (p throughProxy) Do(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host, r.URL.Host = r.URL.Host, strings.TrimPrefix(p.server.URL, "http://")
	return p.server.Client().Do(r)
}

// direct hands requests to a handler, without a network between.
type direct struct{ http.Handler }

func (d direct) Do(r *http.Request) (*http.Response, error) {
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), r.Body)
	in.Header = r.Header
	rec := httptest.NewRecorder()
	d.ServeHTTP(rec, in)
	return rec.Result(), nil
}

// enter puts a machine's variables into the environment of this process.
func (w *world) enter(t *testing.T, server *httptest.Server, machine string) azcore.ClientOptions {
	w.setenv(t, machine, server.URL)
	return azcore.ClientOptions{Transport: throughProxy{server}, Retry: policy.RetryOptions{MaxRetries: -1}}
}

func (w *world) setenv(t *testing.T, machine, base string) {
	for _, v := range w.Environment(w.machines[machine], base) {
		if t.Setenv(v.Name, v.Value); v.Unset {
			unset(t, v.Name)
		}
	}
}

// unset removes a variable that t.Setenv restores. An empty AZURE_CLIENT_ID counts as one.
func unset(t *testing.T, name string) {
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
}

// TestAzidentityGetsTokens runs the unmodified Go SDK on a machine of each kind. Its cache outlives
// credentials, so each case asks for a resource of its own.
func TestAzidentityGetsTokens(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w.Handler())
	defer server.Close()
	for _, tt := range []struct {
		name, machine string
		id            azidentity.ManagedIDKind
		want          string
	}{
		{"on a virtual machine", "default", nil, sysSP},
		{"on a virtual machine by client id", "default", azidentity.ClientID(oneApp), oneSP},
		{"on a virtual machine by object id", "default", azidentity.ObjectID(oneSP), oneSP},
		{"on a virtual machine by ARM id", "default", azidentity.ResourceID(oneID), oneSP},
		{"in an app", "app", nil, sysSP},
		{"in an app by client id", "app", azidentity.ClientID(oneApp), oneSP},
		{"in an app by object id", "app", azidentity.ObjectID(oneSP), oneSP},
		{"in an app by ARM id", "app", azidentity.ResourceID(oneID), oneSP},
		{"in Cloud Shell", "shell", nil, sysSP},
		{"on an Arc server", "arc", nil, sysSP},
		{"on an Arc server by client id", "arc", azidentity.ClientID(oneApp), oneSP},
		{"on an Arc server by object id", "arc", azidentity.ObjectID(oneSP), oneSP},
		{"on an Arc server by ARM id", "arc", azidentity.ResourceID(oneID), oneSP},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.machine == "arc" {
				w.ArcFolder = needArcFolder(t)
			}
			options := w.enter(t, server, tt.machine)
			cred, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: options, ID: tt.id})
			if err != nil {
				t.Fatal(err)
			}
			scope := "api://" + strings.ReplaceAll(tt.name, " ", "-")
			token, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{scope + "/.default"}})
			if err != nil {
				t.Fatal(err)
			}
			got := w.issued[len(w.issued)-1]
			if token.Token == "" || got.PrincipalID != tt.want || got.Resource != scope {
				t.Errorf("token %q for %+v, want %s for %s", token.Token, got, tt.want, scope)
			}
		})
	}
}

// TestDefaultAzureCredentialFindsTheMachine probes first, because nothing tells it what to use. It gives the machine a
// second for that (imdsProbeTimeout), which is one of the bubble: however slow the tests run, it does not end.
func TestDefaultAzureCredentialFindsTheMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.setenv(t, "default", authority)
		unset(t, "AZURE_TOKEN_CREDENTIALS")
		options := azcore.ClientOptions{Transport: direct{w.Handler()}, Retry: policy.RetryOptions{MaxRetries: -1}}
		cred, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: options})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"api://" + rand.Text() + "/.default"}}); err != nil {
			t.Fatal(err)
		}
		if len(w.events) != 2 || w.events[0].Code != "invalid_request" {
			t.Errorf("%d requests came, the first was answered %q", len(w.events), w.events[0].Code)
		}
	})
}

func TestAzidentityShowsWhyThereIsNoToken(t *testing.T) {
	w := newWorld(t)
	w.machine("default", directory.MachineVM, "", oneID, twoID)
	server := httptest.NewServer(w.Handler())
	defer server.Close()
	for _, tt := range []struct {
		name, machine string
		id            azidentity.ManagedIDKind
		scope, want   string
	}{
		{"several identities", "default", nil, "api://several", "Multiple user assigned identities exist"},
		{"not assigned", "default", azidentity.ClientID(sysApp), "api://none", "the requested identity isn't assigned to this resource"},
		{"an unknown resource", "default", azidentity.ClientID(oneApp), "api://unknown", "AADSTS500011"},
		{"not assigned to an app", "app", azidentity.ClientID(twoApp), "api://none", "No User Assigned or Delegated Managed Identity found"},
		{"not assigned to an Arc server", "arc", azidentity.ClientID(twoApp), "api://none", "expected a 401 response, received 404"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			options := w.enter(t, server, tt.machine)
			cred, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: options, ID: tt.id})
			if err != nil {
				t.Fatal(err)
			}
			_, err = cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{tt.scope}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v does not say %q", err, tt.want)
			}
		})
	}
}

// needArcFolder gives the folder that clients insist on, or skips the test where it cannot be written.
func needArcFolder(t *testing.T) string {
	folder := managedidentity.DefaultArcFolder
	_, before := os.Stat(folder)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Skip("challenge files cannot be written: ", err)
	}
	f, err := os.CreateTemp(folder, "probe")
	if err != nil {
		t.Skip("challenge files cannot be written: ", err)
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		t.Fatal(err)
	}
	if os.IsNotExist(before) {
		t.Cleanup(func() { _, _ = os.Remove(folder), os.Remove(filepath.Dir(folder)) })
	}
	return folder
}
