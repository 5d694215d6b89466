package oauth_test

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/trust"
	"github.com/treatyfed/treaty/entra/oauth"
	"github.com/treatyfed/treaty/wire/jose"
)

// The grants that TestMain adds to the table.
const (
	codeGrant   = "authorization_code" // here one that needs a confidential client
	publicGrant = "refresh_token"      // here one that public clients may use without a credential
)

// hooks counts, by the code of a request, how often hooks of the added grants ran.
var hooks sync.Map

func ran(code string) {
	n, _ := hooks.LoadOrStore(code, 0)
	hooks.Store(code, n.(int)+1) // each code is of one request, whose hooks run one after the other
}

func TestMain(m *testing.M) {
	oauth.AddGrant(codeGrant, true, ran)
	oauth.AddGrant(publicGrant, false, ran)
	os.Exit(m.Run())
}

func certificateToken(t testing.TB, pairs ...any) string {
	return sign(t, keys().client, header("PS256", member("x5t", jose.Thumbprint(keys().clientCert.Raw))), "PS256", clientClaims(pairs...))
}

// TestEveryGrantAuthenticatesItsClientAlike presents every kind of credential to every grant, two of which
// have no code of their own for it. A refusal comes before any hook of the grant.
func TestEveryGrantAuthenticatesItsClientAlike(t *testing.T) {
	t.Parallel()
	k := keys()
	unregistered := sign(t, k.stranger, header("RS256", member("x5t", jose.Thumbprint(k.entraCert.Raw))), "RS256", clientClaims())
	none := map[string]int{"client_credentials": 7000216, codeGrant: 7000218, publicGrant: 7000218}
	for _, grant := range []string{"client_credentials", codeGrant, publicGrant} {
		for _, tt := range []struct {
			name string
			form url.Values
			code int    // 0 accepts
			acr  string // appidacr of the token
			text string
		}{
			{"takes a secret", form("client_secret", secret), 0, "1", ""},
			{"takes a certificate's assertion", withAssertion(certificateToken(t)), 0, "2", ""},
			{"takes a federated assertion", withAssertion(poolToken(t)), 0, "2", ""},
			{"takes a federated assertion without client_id of the certificate's kind", withAssertion(certificateToken(t), "client_id", ""), 0, "2", ""},
			{"takes a managed identity's federated assertion", withAssertion(poolToken(t), "client_id", identityApp), 0, "2", ""},
			{"refuses no credential", form(), none[grant], "", ""},
			{"refuses a wrong secret", form("client_secret", "nope"), 7000215, "", "Invalid client secret provided."},
			{"refuses an expired secret", form("client_secret", oldSecret), 7000222, "", "The provided client secret keys for app"},
			{"refuses a certificate that is not registered", withAssertion(unregistered), 700027, "", "The certificate with identifier used to sign the client assertion is not registered on application."},
			{"refuses an expired certificate assertion", withAssertion(certificateToken(t, "nbf", now.Unix()-4000, "exp", now.Unix()-400)), 700024, "", ""},
			{"refuses a certificate assertion of another client", withAssertion(certificateToken(t, "iss", multiApp)), 700021, "", ""},
			{"refuses an unknown issuer", withAssertion(poolToken(t, "iss", "https://evil.example.com")), 700211, "", ""},
			{"refuses another subject", withAssertion(poolToken(t, "sub", "x")), 700213, "", ""},
			{"refuses another audience", withAssertion(poolToken(t, "aud", "x")), 700212, "", ""},
			{"refuses a malformed assertion", withAssertion("a.b.c"), 50027, "", "JWT token is invalid or malformed."},
			{"refuses our own application token", withAssertion(ownToken(t, "xms_mirid", nil)), 700226, "", "Only MSI tokens"},
			{"refuses a federated assertion for a client without trusts", withAssertion(poolToken(t), "client_id", multiApp), 70025, "", ""},
			{"refuses a secret of a public client", form("client_id", publicApp, "client_secret", secret), 700025, "", "Client is public so neither"},
			{"refuses a federated assertion of a public client", withAssertion(poolToken(t), "client_id", publicApp), 700025, "", "Client is public so neither"},
		} {
			t.Run(grant+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.addIdentities()
				code := t.Name()
				tt.form.Set("grant_type", grant)
				tt.form.Set("code", code)
				rec := w.post(tokenPath, tt.form)
				n, _ := hooks.Load(code)
				if tt.code == 0 {
					if _, claims := decode(t, rec); claims.Text("appidacr") != tt.acr {
						t.Errorf("appidacr %q", claims.Text("appidacr"))
					}
					if grant != "client_credentials" && n != 2 {
						t.Errorf("hooks ran %v times", n)
					}
					return
				}
				status, kind := 401, "invalid_client"
				if tt.code == 50027 {
					status, kind = 400, "invalid_request"
				}
				wantError(t, rec, status, kind, tt.code, tt.text)
				if n != nil {
					t.Errorf("hooks ran %v times before the client had proved itself", n)
				}
				var d trust.Decision
				if err := json.Unmarshal(w.journal.events[0].Evidence, &d); err != nil || d.OK() || d.Reason == "" {
					t.Errorf("evidence: %v %s", err, w.journal.events[0].Evidence)
				}
				if e := w.journal.events[0]; e.Resource != "https://graph.microsoft.com" {
					t.Errorf("resource %q is on record", e.Resource)
				}
			})
		}
	}
}

func TestPublicClientNeedsNoCredentialWhereTheGrantAdmitsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	with := func(grant string) url.Values {
		return form("client_id", publicApp, "grant_type", grant, "code", t.Name())
	}
	if _, claims := decode(t, w.post(tokenPath, with(publicGrant))); claims.Text("appidacr") != "0" {
		t.Error(claims)
	}
	wantError(t, w.post(tokenPath, with(codeGrant)), 401, "invalid_client", 7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'. Trace")
	wantError(t, w.post(tokenPath, with("client_credentials")), 401, "invalid_client", 7000216, "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type. Trace")
}

func TestWhatAGrantNeedsIsAskedForBeforeACredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wantError(t, w.post(tokenPath, form("grant_type", codeGrant)), 400, "invalid_request", 900144, "The request body must contain the following parameter: 'code'. Trace")
	wantError(t, w.post(tokenPath, form("scope", "")), 400, "invalid_request", 900144, "The request body must contain the following parameter: 'scope'. Trace")
	wantError(t, w.post("/"+tenantID+"/oauth2/token", form("scope", "")), 400, "invalid_request", 900144, "The request body must contain the following parameter: 'resource'. Trace")
}

func TestEvidenceOfNoCredentialSaysWhatToSend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wantError(t, w.post(tokenPath, form()), 401, "invalid_client", 7000216, "")
	var d trust.Decision
	if err := json.Unmarshal(w.journal.events[0].Evidence, &d); err != nil {
		t.Fatal(err)
	}
	if first, _ := d.Report.Checks.First(); first.Name != "client credential" || !strings.Contains(first.Fix, "client_assertion") || d.Reason != "client credential" {
		t.Errorf("%+v", d)
	}
}

func TestAServicePrincipalsOwnSecretProvesTheClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range w.d.principals {
		if p := &w.d.principals[i]; p.ID == "multi-sp" {
			p.Secrets = []directory.ClientSecret{{ID: "own", Hash: w.sealer.Hash("of~the~principal"), NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(0, 1, 0)}}
		}
	}
	decode(t, w.post(tokenPath, form("client_id", multiApp, "client_secret", "of~the~principal")))
}
