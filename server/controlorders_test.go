package server

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/seed"
)

// ordered carries out an order that must succeed.
func ordered[T any](t *testing.T, s *Server, method, path, body string) (out T) {
	t.Helper()
	status, answer := control(t, s, method, path, body, "Bearer "+s.control)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// kid is the key id in the header of a token.
func kid(t *testing.T, token string) string {
	t.Helper()
	first, _, _ := strings.Cut(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(first)
	var header struct {
		KeyID string `json:"kid"`
	}
	if err == nil {
		err = json.Unmarshal(b, &header)
	}
	if err != nil {
		t.Fatal(err)
	}
	return header.KeyID
}

const acme = `{"name":"acme","url":"https://acme.okta.com/oauth2/default","preset":"okta","clients":[
	{"id":"payroll","attributes":{"team":"hr"},"claims":{"sub":"'team/' + client.attributes.team","aud":"request.audience"}},
	{"id":"batch","secret":"correct-horse-battery"}]}`

func TestAnIssuersSecretsAreShownOnce(t *testing.T) {
	t.Parallel()
	s := memory(t)
	made := ordered[IssuerView](t, s, "POST", "issuers", acme)
	if len(made.Clients) != 2 || made.Clients[0].Secret != "" || len(made.Clients[1].Secret) < 30 || made.Version != 1 {
		t.Fatalf("%+v", made)
	}
	for _, path := range []string{"issuers/acme", "issuers"} {
		_, body := control(t, s, "GET", path, "", "Bearer "+s.control)
		if strings.Contains(body, made.Clients[1].Secret.Reveal()) || strings.Contains(body, "correct-horse") || !strings.Contains(body, `"hint":"cor"`) {
			t.Errorf("%s: %s", path, body)
		}
	}
	kept, err := s.store.Issuers.Issuer(t.Context(), "acme")
	if err != nil || !s.sealer.Matches(made.Clients[1].Secret, kept.Clients[1].Secrets[0].Hash) {
		t.Errorf("the secret that was shown is not the one that is kept: %v", err)
	}
}

func TestAnIssuerIsReplacedByItsVersion(t *testing.T) {
	t.Parallel()
	s := memory(t)
	ordered[IssuerView](t, s, "POST", "issuers", acme)
	_, text := control(t, s, "GET", "issuers/acme", "", "Bearer "+s.control)
	before, err := s.store.Issuers.Issuer(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	// What was read can be written back, and keeps every secret.
	again := ordered[IssuerView](t, s, "PUT", "issuers/acme", strings.Replace(text, `"preset":"okta"`, `"preset":"pingfederate"`, 1))
	after, err := s.store.Issuers.Issuer(t.Context(), "acme")
	if err != nil || again.Version != 2 || after.Preset != "pingfederate" || string(after.Clients[0].Secrets[0].Hash) != string(before.Clients[0].Secrets[0].Hash) {
		t.Errorf("%+v, %v", again, err)
	}
	if status, body := control(t, s, "PUT", "issuers/acme", text, "Bearer "+s.control); status != http.StatusConflict || !strings.Contains(body, "its version is 2, not 1") {
		t.Errorf("an old version: %d %s", status, body)
	}
	// Without secrets, a client that is there keeps its own, and a new one gets one.
	third := ordered[IssuerView](t, s, "PUT", "issuers/acme", `{"url":"https://acme.okta.com/oauth2/default","clients":[{"id":"batch"},{"id":"new"}]}`)
	if len(third.Clients) != 2 || third.Clients[0].Secret != "" || len(third.Clients[0].Secrets) != 1 || third.Clients[1].Secret == "" {
		t.Errorf("%+v", third)
	}
	ordered[map[string]string](t, s, "DELETE", "issuers/acme", "")
	if status, _ := control(t, s, "GET", "issuers/acme", "", "Bearer "+s.control); status != http.StatusNotFound {
		t.Errorf("a deleted issuer: %d", status)
	}
}

func TestOrdersThatDoNotFitAreRefusedInWords(t *testing.T) {
	t.Parallel()
	s := memory(t)
	ordered[IssuerView](t, s, "POST", "issuers", acme)
	ordered[TenantMade](t, s, "POST", "tenants", `{"domain":"partner.onmicrosoft.com"}`)
	ordered[MachineView](t, s, "POST", "machines", `{"name":"default"}`)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		words              []string
	}{
		"all problems of an issuer":             {"POST", "issuers", `{"name":"X y","preset":"nobody","url":"ftp://x"}`, 400, []string{"name: ", "preset: ", "url: "}},
		"a member that is not known":            {"POST", "issuers", `{"nmae":"x"}`, 400, []string{"nmae"}},
		"an issuer's name that is taken":        {"POST", "issuers", strings.Replace(acme, "acme.okta", "x.okta", 1), 409, []string{"its name is taken"}},
		"a place that is taken":                 {"POST", "issuers", strings.Replace(acme, `"acme"`, `"other"`, 1), 409, []string{"is taken"}},
		"a place on the way to another's keys":  {"POST", "issuers", `{"name":"x","url":"https://acme.okta.com/oauth2/default/v1","preset":"spiffe","clients":[{"id":"w"}]}`, 409, []string{"its place is taken"}},
		"a cloud's own name":                    {"POST", "issuers", `{"name":"x","url":"https://login.microsoftonline.com/x"}`, 400, []string{"url: login.microsoftonline.com answers as the cloud's own"}},
		"no URL in a twin":                      {"POST", "issuers", `{"name":"x"}`, 400, []string{"url: ", "missing"}},
		"an issuer that is not there":           {"PUT", "issuers/nobody", `{}`, 404, []string{"does not exist"}},
		"a rename":                              {"PUT", "issuers/acme", `{"name":"other"}`, 400, []string{"not renamed"}},
		"a secret without value":                {"PUT", "issuers/acme", `{"clients":[{"id":"payroll","secrets":[{"id":"x"}]}]}`, 400, []string{"clients[0].secrets[0].value: "}},
		"the token of nobody":                   {"POST", "issuers/acme/token", `{"client":"nobody"}`, 404, []string{"nobody"}},
		"a token whose rule fails":              {"POST", "issuers/acme/token", `{"client":"payroll","lifetime":"soon"}`, 400, []string{"lifetime: "}},
		"keys of nobody":                        {"POST", "issuers/nobody/rotate", ``, 404, []string{"does not exist"}},
		"documents of nobody":                   {"GET", "issuers/nobody/documents", ``, 404, []string{"does not exist"}},
		"a tenant without domain":               {"POST", "tenants", `{"name":"x","country":"usa","keys":"mine"}`, 400, []string{"domains: ", "country: ", "keys: "}},
		"a domain that is taken":                {"POST", "tenants", `{"domains":["new.example","Partner.onmicrosoft.com"]}`, 409, []string{"partner.onmicrosoft.com is taken"}},
		"all problems of a machine":             {"POST", "machines", `{"name":"Upper","kind":"mainframe","identities":["/x"]}`, 400, []string{"name: ", "kind: ", "identities[0]: "}},
		"a machine's name that is taken":        {"POST", "machines", `{"name":"default"}`, 409, []string{"its name is taken"}},
		"a machine of no tenant":                {"POST", "machines", `{"name":"x","tenant":"nobody.example"}`, 400, []string{"tenant: "}},
		"a machine with nobody's identity":      {"POST", "machines", `{"name":"x","identities":["nobody"]}`, 400, []string{"nobody"}},
		"a machine in another's subscription":   {"POST", "machines", `{"name":"x","tenant":"partner.onmicrosoft.com","subscription":"` + SubscriptionID + `"}`, 400, []string{"belongs to tenant"}},
		"a machine whose identity may nothing":  {"POST", "machines", `{"name":"x","system_assigned":true,"roles":[{"role":"King","scope":"/"}]}`, 400, []string{`no Azure role "King"`}},
		"a machine that passes for an identity": {"POST", "machines", `{"name":"x","system_assigned":true,"resource_id":"/subscriptions/` + SubscriptionID + `/resourceGroups/g/providers/microsoft.managedidentity/userassignedidentities/y"}`, 400, []string{"resource_id: is that of an identity"}},
		"a machine that is not there":           {"DELETE", "machines/nobody", ``, 404, []string{"does not exist"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body := control(t, s, c.method, c.path, c.body, "Bearer "+s.control)
			var e struct{ Error string }
			if err := json.Unmarshal([]byte(body), &e); err != nil || status != c.status {
				t.Fatalf("%d %s, %v", status, body, err)
			}
			for _, w := range c.words {
				if !strings.Contains(e.Error, w) {
					t.Errorf("%q does not say %q", e.Error, w)
				}
			}
		})
	}
	t.Cleanup(func() {
		list, err := s.store.Machines.Machines(context.Background()) // the test's own has ended by now
		if err != nil || len(list) != 1 {
			t.Errorf("what was refused is there: %+v, %v", list, err)
		}
	})
}

func TestOrdersNeedTheControlCredential(t *testing.T) {
	t.Parallel()
	s := memory(t)
	for _, order := range []string{"GET issuers", "POST issuers", "POST issuers/acme/token", "GET tenants", "POST tenants", "GET machines", "DELETE machines/x"} {
		method, path, _ := strings.Cut(order, " ")
		if status, _ := control(t, s, method, path, `{}`, "Bearer guess"); status != http.StatusUnauthorized {
			t.Errorf("%s: %d", order, status)
		}
	}
}

func TestATenantsAdministratorMayWhatTheFirstMay(t *testing.T) {
	t.Parallel()
	s := memory(t)
	made := ordered[TenantMade](t, s, "POST", "tenants", `{"name":"Partner","domains":["Partner.onmicrosoft.com"],"keys":"own"}`)
	a := made.Administrator
	if made.Domain != "partner.onmicrosoft.com" || made.Keys != "own" || a.TenantID != made.ID || made.ID == TenantID || a.ClientID == AdminClientID {
		t.Fatalf("%+v", made)
	}
	c := s.HTTPClient()
	bearer, claims := accessToken(t, c, "https://login.microsoftonline.com", "partner.onmicrosoft.com", a.ClientID, a.ClientSecret, "https://graph.microsoft.com/.default")
	if roles, _ := claims["roles"].([]any); claims["tid"] != made.ID || len(roles) != len(adminPermissions) {
		t.Errorf("%v", claims)
	}
	if status, body := get(t, c, "https://graph.microsoft.com/v1.0/servicePrincipals", bearer); status != 200 || !strings.Contains(body, "Microsoft Graph") {
		t.Errorf("%d %s", status, body)
	}
	bearer, _ = accessToken(t, c, "https://login.microsoftonline.com", made.ID, a.ClientID, a.ClientSecret, "https://management.azure.com/.default")
	if status, body := get(t, c, "https://management.azure.com/subscriptions?api-version=2022-12-01", bearer); status != 200 || !strings.Contains(body, a.SubscriptionID) || strings.Contains(body, SubscriptionID) {
		t.Errorf("%d %s", status, body)
	}
	listed := ordered[struct{ Tenants []TenantView }](t, s, "GET", "tenants", "")
	if len(listed.Tenants) != 2 || !slices.ContainsFunc(listed.Tenants, func(v TenantView) bool { return v.ID == TenantID && v.Keys == "shared" }) {
		t.Errorf("%+v", listed)
	}
}

func TestADomainIsGivenToOneOfManyWhoAskForIt(t *testing.T) {
	t.Parallel()
	s := memory(t)
	var wg sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		wg.Go(func() {
			statuses[i], _ = control(t, s, "POST", "tenants", `{"domain":"partner.onmicrosoft.com"}`, "Bearer "+s.control)
		})
	}
	wg.Wait()
	slices.Sort(statuses)
	if want := []int{200, 409, 409, 409, 409, 409, 409, 409}; !slices.Equal(statuses, want) {
		t.Errorf("got %v", statuses)
	}
}

func TestATenantThatAServerLeftHalfMadeIsMadeWhole(t *testing.T) {
	t.Parallel()
	s := memory(t)
	half := directory.Tenant{ID: "0c0a70e0-0000-4000-8000-00000000000c", DisplayName: seed.Unfinished, CountryCode: "US", Domains: []string{"partner.onmicrosoft.com"}}
	if err := s.store.Tenants.PutTenant(t.Context(), half); err != nil {
		t.Fatal(err)
	}
	if made := ordered[TenantMade](t, s, "POST", "tenants", `{"name":"Partner","domain":"partner.onmicrosoft.com"}`); made.ID != half.ID || made.Name != "Partner" {
		t.Errorf("%+v", made)
	}
}

func TestAMachinesNameIsGivenToOneOfManyWhoAskForIt(t *testing.T) {
	t.Parallel()
	s := memory(t)
	var wg sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		wg.Go(func() {
			statuses[i], _ = control(t, s, "POST", "machines", `{"name":"one","system_assigned":true}`, "Bearer "+s.control)
		})
	}
	wg.Wait()
	slices.Sort(statuses)
	if want := []int{200, 409, 409, 409, 409, 409, 409, 409}; !slices.Equal(statuses, want) {
		t.Errorf("got %v", statuses)
	}
}

func TestAMachineComesWithItsIdentityAndVariables(t *testing.T) {
	t.Parallel()
	s := memory(t)
	made := ordered[MachineView](t, s, "POST", "machines", `{"name":"web","kind":"app_service","system_assigned":true,"roles":[{"role":"Reader","scope":"/subscriptions/`+SubscriptionID+`"}]}`)
	if made.Kind != directory.MachineAppService || made.System == nil || made.Tenant != TenantID || made.Subscription != SubscriptionID ||
		made.ResourceID != "/subscriptions/"+SubscriptionID+"/resourceGroups/treaty/providers/Microsoft.Web/sites/web" {
		t.Fatalf("%+v", made)
	}
	if !slices.ContainsFunc(made.Environment, func(v Variable) bool { return v.Name == "IDENTITY_HEADER" && v.Value != "" }) {
		t.Errorf("%+v", made.Environment)
	}
	listed := ordered[struct{ Machines []MachineView }](t, s, "GET", "machines", "")
	if len(listed.Machines) != 1 || listed.Machines[0].Environment != nil {
		t.Errorf("%+v", listed)
	}
	ordered[map[string]string](t, s, "DELETE", "machines/web", "")
	if _, err := s.store.Principals.Principal(t.Context(), TenantID, made.System.ObjectID); err == nil {
		t.Error("the identity outlives its machine")
	}
	again := ordered[MachineView](t, s, "POST", "machines", `{"name":"web","kind":"app_service"}`)
	if again.ID == made.ID {
		t.Error("a new machine has an old one's id, and so its secret")
	}
}

func TestAnIssuersKeysRotateBetweenTwoTokens(t *testing.T) {
	t.Parallel()
	s := memory(t)
	ordered[IssuerView](t, s, "POST", "issuers", acme)
	order := `{"client":"payroll","audience":["api://x"],"scope":"payroll"}`
	before := ordered[MintedView](t, s, "POST", "issuers/acme/token", order)
	if before.Claims["sub"] != "team/hr" || before.Claims["aud"] != "api://x" || before.Claims["iss"] != "https://acme.okta.com/oauth2/default" {
		t.Errorf("%v", before.Claims)
	}
	rotated := ordered[struct{ KID map[string]string }](t, s, "POST", "issuers/acme/rotate", "")
	after := ordered[MintedView](t, s, "POST", "issuers/acme/token", order)
	if kid(t, before.Token) == kid(t, after.Token) || kid(t, after.Token) != rotated.KID["idp-rsa/acme"] {
		t.Errorf("%v", rotated)
	}
	documents := ordered[DocumentsView](t, s, "GET", "issuers/acme/documents", "")
	keys := documents.Documents["v1/keys"]
	if documents.Issuer != "https://acme.okta.com/oauth2/default" || !strings.Contains(keys, kid(t, before.Token)) || !strings.Contains(keys, kid(t, after.Token)) {
		t.Errorf("%+v", documents)
	}
}

func TestAnIssuerMadeAgainHasOtherKeys(t *testing.T) {
	t.Parallel()
	s := memory(t)
	ordered[IssuerView](t, s, "POST", "issuers", acme)
	order := `{"client":"payroll","audience":["api://x"],"scope":"payroll"}`
	before := kid(t, ordered[MintedView](t, s, "POST", "issuers/acme/token", order).Token)
	ordered[map[string]string](t, s, "DELETE", "issuers/acme", "")
	ordered[IssuerView](t, s, "POST", "issuers", acme)
	after := kid(t, ordered[MintedView](t, s, "POST", "issuers/acme/token", order).Token)
	keys := ordered[DocumentsView](t, s, "GET", "issuers/acme/documents", "").Documents["v1/keys"]
	if before == after || strings.Contains(keys, before) {
		t.Errorf("before %s, after %s, published %s", before, after, keys)
	}
}

func TestAServerWithoutAProxyHasNoMachines(t *testing.T) {
	t.Parallel()
	s, err := New(t.Context(), Config{Config: config.Config{Proxy: config.Off}, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if status, body := control(t, s, "POST", "machines", `{"name":"default"}`, "Bearer "+s.control); status != 400 || !strings.Contains(body, "--proxy") {
		t.Errorf("%d %s", status, body)
	}
}
