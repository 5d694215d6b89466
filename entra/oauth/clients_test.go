package oauth_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

// wire carries a real client's requests into the handler and notes their paths.
type wire struct {
	handler http.Handler
	mu      sync.Mutex
	paths   []string
}

func (x *wire) Do(r *http.Request) (*http.Response, error) {
	x.mu.Lock()
	x.paths = append(x.paths, r.Method+" "+r.URL.Host+r.URL.Path)
	x.mu.Unlock()
	in := r.Clone(r.Context())
	in.Host, in.RequestURI = r.URL.Host, r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	x.handler.ServeHTTP(rec, in)
	res := rec.Result()
	res.Request = r
	return res, nil
}

func (x *wire) RoundTrip(r *http.Request) (*http.Response, error) { return x.Do(r) }

func claimsOf(t *testing.T, raw string) token.Claims {
	t.Helper()
	parsed := jose.Parse(raw)
	if err := jose.Verify(parsed, keys().entra.Public(), []string{"RS256"}); err != nil {
		t.Fatal(err)
	}
	return token.Claims(parsed.Claims)
}

func TestAzidentityCredentials(t *testing.T) {
	t.Parallel()
	scope := policy.TokenRequestOptions{Scopes: []string{"https://management.azure.com/.default"}}
	for _, tt := range []struct {
		name, acr string
		make      func(o azcore.ClientOptions) (azcore.TokenCredential, error)
	}{
		{"ClientSecretCredential", "1", func(o azcore.ClientOptions) (azcore.TokenCredential, error) {
			return azidentity.NewClientSecretCredential(tenantID, appID, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: o})
		}},
		{"ClientCertificateCredential", "2", func(o azcore.ClientOptions) (azcore.TokenCredential, error) {
			return azidentity.NewClientCertificateCredential(tenantID, appID, []*x509.Certificate{keys().clientCert}, keys().client, &azidentity.ClientCertificateCredentialOptions{ClientOptions: o, SendCertificateChain: true})
		}},
		{"ClientAssertionCredential", "2", func(o azcore.ClientOptions) (azcore.TokenCredential, error) {
			get := func(context.Context) (string, error) {
				return poolToken(t, "iat", time.Now().Unix(), "exp", time.Now().Unix()+900), nil
			}
			return azidentity.NewClientAssertionCredential(tenantID, appID, get, &azidentity.ClientAssertionCredentialOptions{ClientOptions: o})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newLiveWorld(t)
			x := &wire{handler: w.Handler()}
			credential, err := tt.make(azcore.ClientOptions{Transport: x})
			if err != nil {
				t.Fatal(err)
			}
			got, err := credential.GetToken(t.Context(), scope)
			if err != nil {
				t.Fatal(err)
			}
			claims := claimsOf(t, got.Token)
			if claims.Text("aud") != "https://management.azure.com" || claims.Text("appidacr") != tt.acr || claims.Text("oid") != appSP {
				t.Error(claims)
			}
			if len(x.paths) != 3 || !strings.HasSuffix(x.paths[2], "/"+tenantID+"/oauth2/v2.0/token") {
				t.Errorf("requests: %v", x.paths)
			}
		})
	}
}

// TestAzidentityWorkloadIdentityOfAManagedIdentity is a pod of AKS: the client is a managed identity, its
// assertion the content of a file.
func TestAzidentityWorkloadIdentityOfAManagedIdentity(t *testing.T) {
	t.Parallel()
	w := newLiveWorld(t)
	w.addIdentities()
	file := filepath.Join(t.TempDir(), "azure-identity-token")
	if err := os.WriteFile(file, []byte(poolToken(t, "iat", time.Now().Unix(), "exp", time.Now().Unix()+900)), 0o600); err != nil {
		t.Fatal(err)
	}
	credential, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
		ClientOptions: azcore.ClientOptions{Transport: &wire{handler: w.Handler()}}, ClientID: identityApp, TenantID: tenantID, TokenFilePath: file})
	if err != nil {
		t.Fatal(err)
	}
	got, err := credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://management.azure.com/.default"}})
	if err != nil {
		t.Fatal(err)
	}
	wantClaims(t, claimsOf(t, got.Token), map[string]string{"oid": identityID, "appid": identityApp, "idtyp": "app", "appidacr": "2"})
	if left := time.Until(got.ExpiresOn); left < 23*time.Hour || left > 24*time.Hour {
		t.Errorf("expires in %v", left)
	}
}

func TestAzidentityShowsTheRefusal(t *testing.T) {
	t.Parallel()
	w := newLiveWorld(t)
	get := func(context.Context) (string, error) { return poolToken(t, "sub", "us-east-1:x"), nil }
	credential, err := azidentity.NewClientAssertionCredential(tenantID, appID, get, &azidentity.ClientAssertionCredentialOptions{ClientOptions: azcore.ClientOptions{Transport: &wire{handler: w.Handler()}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = credential.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) || failed.RawResponse.StatusCode != http.StatusUnauthorized || !strings.Contains(err.Error(), "AADSTS700213") {
		t.Errorf("%v", err)
	}
}

func TestMSALAtAnOwnHostWithAPort(t *testing.T) {
	t.Parallel()
	w := newLiveWorld(t)
	x := &wire{handler: w.Handler()}
	for _, disabled := range []bool{false, true} {
		credential, err := confidential.NewCredFromCert([]*x509.Certificate{keys().clientCert}, crypto.PrivateKey(keys().client))
		if err != nil {
			t.Fatal(err)
		}
		client, err := confidential.New("https://localhost:8443/"+tenantID, appID, credential, confidential.WithHTTPClient(&http.Client{Transport: x}), confidential.WithInstanceDiscovery(!disabled))
		if err != nil {
			t.Fatal(err)
		}
		result, err := client.AcquireTokenByCredential(t.Context(), []string{"https://example.org/api/.default"})
		if err != nil {
			t.Fatal(err)
		}
		if claims := claimsOf(t, result.AccessToken); claims.Text("azpacr") != "2" || claims.Text("ver") != "2.0" {
			t.Error(claims)
		}
	}
}
