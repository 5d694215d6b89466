package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// Programs that ask credentials for tokens, in each language the same: they read a list of asks from ASKS
// and print an answer to each. The one in Go is this test's own binary, started anew, so that the SDK has
// nothing but its environment to go by.

// programVariable makes a process of this binary the Go program.
const programVariable = "TREATY_TEST_PROGRAM"

// ask is what a credential is asked for.
type ask struct {
	Name       string `json:"name"`
	Credential string `json:"credential"` // managed, default, workload, assertion
	ClientID   string `json:"client_id,omitempty"`
	ObjectID   string `json:"object_id,omitempty"`
	ResourceID string `json:"resource_id,omitempty"`
	Tenant     string `json:"tenant,omitempty"` // with App: in whose name an assertion is shown
	App        string `json:"app,omitempty"`
	Scope      string `json:"scope"`
}

// told is what came of it.
type told struct {
	Token     string `json:"token,omitempty"`
	ExpiresOn int64  `json:"expires_on,omitempty"`
	Error     string `json:"error,omitempty"`
}

// program is one language's SDK.
type program struct {
	name string
	need func(*testing.T) // skips the test when the SDK is not installed
	argv []string
}

func programs(t *testing.T) []program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []program{
		{"azidentity for Go", func(*testing.T) {}, []string{"/usr/bin/env", programVariable + "=azidentity", self}},
		{"azure-identity for Python", func(t *testing.T) { need(t, "/usr/lib/python3/dist-packages/azure/identity") }, []string{python, "testdata/identity.py"}},
		{"@azure/identity", func(t *testing.T) { need(t, filepath.Join(shared.node, "node_modules", "@azure", "identity")) }, []string{"node", filepath.Join(shared.node, "identity.mjs")}},
	}
}

// on runs the program with a machine's environment (see machineEnv), and gives the answers by name.
func (p program) on(t *testing.T, env []string, asks []ask) map[string]told {
	t.Helper()
	b, err := json.Marshal(asks)
	if err != nil {
		t.Fatal(err)
	}
	argv := append(append([]string{"/usr/bin/env"}, env...), p.argv...)
	return must[map[string]told](t, shared, []string{"ASKS=" + string(b)}, argv...)
}

// azidentityProgram is the Go program.
func azidentityProgram() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var asks []ask
	if err := json.Unmarshal([]byte(os.Getenv("ASKS")), &asks); err != nil {
		return fmt.Errorf("ASKS: %w", err)
	}
	out := make(map[string]told, len(asks))
	for _, a := range asks {
		c, err := a.azidentity()
		if err != nil {
			out[a.Name] = told{Error: err.Error()}
			continue
		}
		token, err := c.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{a.Scope}})
		if err != nil {
			out[a.Name] = told{Error: err.Error()}
			continue
		}
		out[a.Name] = told{Token: token.Token, ExpiresOn: token.ExpiresOn.Unix()}
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// azidentity makes the credential that an ask is about.
func (a ask) azidentity() (azcore.TokenCredential, error) {
	switch a.Credential {
	case "default":
		return azidentity.NewDefaultAzureCredential(nil)
	case "workload":
		return azidentity.NewWorkloadIdentityCredential(nil)
	case "assertion": // the application shows the managed identity's token
		machine, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ID: azidentity.ClientID(a.ClientID)})
		if err != nil {
			return nil, err
		}
		return azidentity.NewClientAssertionCredential(a.Tenant, a.App, func(ctx context.Context) (string, error) {
			token, err := machine.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{exchangeScope}})
			return token.Token, err
		}, nil)
	}
	var o azidentity.ManagedIdentityCredentialOptions
	switch {
	case a.ClientID != "":
		o.ID = azidentity.ClientID(a.ClientID)
	case a.ObjectID != "":
		o.ID = azidentity.ObjectID(a.ObjectID)
	case a.ResourceID != "":
		o.ID = azidentity.ResourceID(a.ResourceID)
	}
	return azidentity.NewManagedIdentityCredential(&o)
}
