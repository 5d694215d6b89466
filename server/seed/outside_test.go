package seed

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/store"
)

const outside = `
issuers:
  - name: acme
    url: https://acme.okta.com/oauth2/default
    preset: okta
    lifetime: 10m
    claims: {env: "'prod'"}
    accepts: [{issuer: "https://login.example.com", subject: ada, audiences: [acme]}]
    clients:
      - {id: payroll, name: Payroll, secret: correct-horse-battery, attributes: {team: hr, level: 3}, claims: {sub: "'team/' + client.attributes.team"}}
      - id: batch
        keys:
          keys:
            - {kty: EC, crv: P-256, use: sig, kid: 1, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM}
        grants: ["urn:ietf:params:oauth:grant-type:token-exchange"]
        algorithm: ES256
        lifetime: 1m
  - name: ci
    preset: github
tenants:
  - id: 0c0a70e0-0000-4000-8000-00000000000c
    name: Contoso
    domains: [contoso.onmicrosoft.com]
    keys: own
    subscriptions: [{id: 0c0a70e0-0000-4000-8000-00000000000a, name: Production}]
    managed_identities:
      - name: reporting
        resource_group: apps
        location: West Europe
        principal_id: 0c0a70e0-0000-4000-8000-0000000000aa
        federated_credentials: [{name: acme, issuer: "https://acme.okta.com/oauth2/default", subject: team/hr}]
        roles: [{role: Reader, scope: /subscriptions/0c0a70e0-0000-4000-8000-00000000000a}]
    machines:
      - {name: default, system_assigned: true, identities: [Reporting], roles: [{role: Reader, scope: /subscriptions/0c0a70e0-0000-4000-8000-00000000000a}]}
      - {name: shell, kind: cloud_shell}
`

// wholeTarget is a store with all of a Target on it; there is one Azure role and no first-party resource.
func wholeTarget(t *testing.T) (*store.Store, Target) {
	t.Helper()
	s, to := target(t)
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), bytes.NewReader(make([]byte, 1024)))
	if err != nil {
		t.Fatal(err)
	}
	to.Tenants, to.Applications, to.Principals, to.Federated = s.Tenants, s.Applications, s.Principals, s.FederatedCredentials
	to.Assignments, to.Users, to.Subscriptions, to.Roles = s.AppRoleAssignments, s.Users, s.Subscriptions, s.Roles
	to.Resources, to.ManagedIdentities, to.Machines, to.Issuers, to.Sealer = s.Resources, s.ManagedIdentities, s.Machines, s.Issuers, sealer
	to.FirstParty = func(directory.Tenant, func() string) []directory.ServicePrincipal { return nil }
	to.RoleID = func(name string) (string, bool) { return "acdd72a7-3385-48ef-bd42-f606fba81ae7", name == "Reader" }
	return s, to
}

func TestIssuersAreMadeAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	s, to := wholeTarget(t)
	for start := range 2 { // the second time does nothing
		apply(t, to, outside)
		i := have[directory.Issuer](t)(s.Issuers.Issuer(t.Context(), "acme"))
		if i.Version != 1 || i.Lifetime != 10*time.Minute || i.Algorithm != "RS256" || len(i.Clients) != 2 || i.Claims["env"] != "'prod'" {
			t.Fatalf("start %d: %+v", start, i)
		}
		same(t, directory.Place{Host: "acme.okta.com", Path: "/oauth2/default"}, i.Places[0])
		batch, payroll := i.Clients[0], i.Clients[1]
		if string(batch.Keys) == "" || !strings.Contains(string(batch.Keys), `"kid":"1"`) || batch.Algorithm != "ES256" || batch.Lifetime != time.Minute {
			t.Errorf("start %d: %+v", start, batch)
		}
		if len(payroll.Secrets) != 1 || !to.Sealer.Matches("correct-horse-battery", payroll.Secrets[0].Hash) || payroll.Secrets[0].Hint != "cor" {
			t.Errorf("start %d: %+v", start, payroll)
		}
		if payroll.Attributes["level"] != 3.0 {
			t.Errorf("start %d: attributes %v", start, payroll.Attributes)
		}
		if ci := have[directory.Issuer](t)(s.Issuers.Issuer(t.Context(), "ci")); ci.URL != "https://token.actions.githubusercontent.com" {
			t.Errorf("start %d: %s", start, ci.URL)
		}
	}
}

func TestWhatTheDocumentDoesNotNameOfAnIssuerStays(t *testing.T) {
	t.Parallel()
	s, to := wholeTarget(t)
	apply(t, to, outside)
	apply(t, to, `issuers: [{name: acme, url: "https://acme.okta.com/oauth2/default", clients: [{id: payroll, secrets: [{name: new, value: other-horse-battery}]}]}]`)
	i := have[directory.Issuer](t)(s.Issuers.Issuer(t.Context(), "acme"))
	if i.Version != 2 || i.Preset != "" || len(i.Clients) != 2 || len(i.Clients[1].Secrets) != 2 || i.Clients[1].Name != "" {
		t.Errorf("%+v", i)
	}
}

func TestAnIssuerWithoutURL(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ preset, base, want string }{
		"in a hub is below its public URL":                            {base: "https://hub.example.org/idp", want: "https://hub.example.org/idp/x"},
		"in a hub is there whatever its preset":                       {preset: "github", base: "https://hub.example.org/idp", want: "https://hub.example.org/idp/x"},
		"in a twin is the one that its preset imitates":               {preset: "gitlab", want: "https://gitlab.com"},
		"in a twin is a problem when its preset imitates any of many": {preset: "okta"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, to := wholeTarget(t)
			to.IssuerBase = c.base
			d, err := Parse([]byte(fmt.Sprintf("issuers: [{name: x, preset: %q}]", c.preset)))
			if err != nil {
				t.Fatal(err)
			}
			err = to.Apply(t.Context(), d)
			if c.want == "" {
				if ps := (config.Problems{}); !errors.As(err, &ps) || len(ps) != 1 || ps[0].Path != "issuers[0].url" || !strings.Contains(ps[0].Text, "missing") {
					t.Errorf("got %v", err)
				}
				return
			}
			if i := have[directory.Issuer](t)(s.Issuers.Issuer(t.Context(), "x")); err != nil || i.URL != c.want {
				t.Errorf("%s, %v", i.URL, err)
			}
		})
	}
}

func TestTwoIssuersAtOnePlaceAreAProblemOfTheSecond(t *testing.T) {
	t.Parallel()
	_, to := wholeTarget(t)
	d, err := Parse([]byte(`issuers: [{name: a, url: "https://x.example/y"}, {name: b, url: "https://X.example/y/"}]`))
	if err != nil {
		t.Fatal(err)
	}
	var ps config.Problems
	if err := to.Apply(t.Context(), d); !errors.As(err, &ps) || len(ps) != 1 || ps[0].Path != "issuers[1].url" {
		t.Errorf("got %v", err)
	}
}

func TestManagedIdentitiesAndMachinesAreMadeAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	s, to := wholeTarget(t)
	ctx := t.Context()
	const tenant, subscription = "0c0a70e0-0000-4000-8000-00000000000c", "0c0a70e0-0000-4000-8000-00000000000a"
	const id = "/subscriptions/" + subscription + "/resourceGroups/apps/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reporting"
	for range 2 {
		apply(t, to, outside)
		if tn := have[directory.Tenant](t)(s.Tenants.Tenant(ctx, tenant)); !tn.OwnKeys {
			t.Error("the tenant has no keys of its own")
		}
		p := have[directory.ServicePrincipal](t)(s.Principals.Principal(ctx, tenant, "0c0a70e0-0000-4000-8000-0000000000aa"))
		if p.Type != directory.TypeManagedIdentity || !p.UserAssigned || p.ResourceID != id || len(p.Names) != 2 || p.Names[0] != p.AppID || !strings.HasPrefix(p.Names[1], "https://identity.azure.net/") {
			t.Errorf("%+v", p)
		}
		r := have[directory.Resource](t)(s.Resources.Resource(ctx, strings.ToUpper(id)))
		same(t, fmt.Sprintf(`{"principalId":%q,"clientId":%q,"tenantId":%q}`, p.ID, p.AppID, tenant), string(r.Body))
		same(t, "westeurope", r.Location)
		if g := have[directory.Resource](t)(s.Resources.Resource(ctx, "/subscriptions/"+subscription+"/resourceGroups/apps")); g.Location != "westeurope" {
			t.Errorf("%+v", g)
		}
		if fic := have[[]directory.FederatedCredential](t)(s.FederatedCredentials.FederatedCredentials(ctx, p.ID)); len(fic) != 1 || fic[0].Subject != "team/hr" || fic[0].Audiences[0] != "api://AzureADTokenExchange" {
			t.Errorf("%+v", fic)
		}
		m := have[directory.Machine](t)(s.Machines.Machine(ctx, "default"))
		if m.Kind != "vm" || m.Version != 1 || m.ResourceID != "/subscriptions/"+subscription+"/resourceGroups/treaty/providers/Microsoft.Compute/virtualMachines/default" {
			t.Errorf("%+v", m)
		}
		same(t, []string{id}, m.Identities)
		system := have[directory.ServicePrincipal](t)(s.Principals.Principal(ctx, tenant, m.System))
		if system.UserAssigned || system.ResourceID != m.ResourceID || system.AppID == p.AppID {
			t.Errorf("%+v", system)
		}
		held := have[[]directory.RoleAssignment](t)(s.Roles.RoleAssignments(ctx, tenant))
		var who []string
		for _, a := range held {
			who = append(who, a.PrincipalID)
		}
		if len(held) != 2 || !slices.Contains(who, p.ID) || !slices.Contains(who, m.System) {
			t.Errorf("assignments %+v", held)
		}
		if shell := have[directory.Machine](t)(s.Machines.Machine(ctx, "shell")); shell.ResourceID != "/providers/Microsoft.Portal/consoles/default" || shell.System != "" {
			t.Errorf("%+v", shell)
		}
	}
}

func TestAMachinesOwnIdentityComesAndGoesWithTheDocument(t *testing.T) {
	t.Parallel()
	s, to := wholeTarget(t)
	ctx := t.Context()
	apply(t, to, outside)
	before := have[directory.Machine](t)(s.Machines.Machine(ctx, "default"))
	apply(t, to, strings.Replace(outside, "{name: default, system_assigned: true, identities: [Reporting], roles: [{role: Reader, scope: /subscriptions/0c0a70e0-0000-4000-8000-00000000000a}]}", "{name: default}", 1))
	m := have[directory.Machine](t)(s.Machines.Machine(ctx, "default"))
	if m.System != "" || len(m.Identities) != 0 || m.ID != before.ID {
		t.Errorf("%+v", m)
	}
	if _, err := s.Principals.Principal(ctx, m.TenantID, before.System); !errors.Is(err, fault.NotFound) {
		t.Errorf("its service principal: %v", err)
	}
	apply(t, to, outside)
	if m := have[directory.Machine](t)(s.Machines.Machine(ctx, "default")); m.System == "" || len(m.Identities) != 1 {
		t.Errorf("%+v", m)
	}
}

func TestMachinesThatReferToNothingAreProblems(t *testing.T) {
	t.Parallel()
	_, to := wholeTarget(t)
	d, err := Parse([]byte(`
tenants:
  - domains: [a.example]
    subscriptions: [{name: A}]
    machines: [{name: one, identities: [nobody]}, {name: two, subscription: 0c0a70e0-0000-4000-8000-0000000000ff}]
`))
	if err != nil {
		t.Fatal(err)
	}
	var ps config.Problems
	if err := to.Apply(t.Context(), d); !errors.As(err, &ps) || len(ps) != 2 || ps[0].Path != "tenants[0].machines[0]" || ps[1].Path != "tenants[0].machines[1]" {
		t.Errorf("got %v", err)
	}
}

func TestEveryProblemOfIssuersAndMachinesIsReportedWithItsPath(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(`
issuers:
  - name: "Not a label"
    url: ftp://x
    preset: nobody
    algorithm: HS256
    lifetime: 3600
    claims: {sub: "nothing("}
    accepts: [{subject: x}]
    clients:
      - {id: "", secret: short}
      - {id: a, lifetime: soon, secrets: [{value: long-enough, expires: never}], keys: {keys: []}, claims: {aud: "1 +"}}
      - {id: b, keys: '{"keys":[]}', certificate: none, grants: [password]}
      - {id: c, certificate: none}
  - {name: one, url: "https://one.example"}
  - {name: one, url: "https://one.example"}
tenants:
  - domains: [a.example]
    keys: mine
    managed_identities:
      - {name: x, resource_group: "a/b", location: "a-b", principal_id: me, client_id: me, federated_credentials: [{name: y}], roles: [{}], permissions: [{}]}
    machines:
      - {name: Upper, kind: mainframe, identities: [/nowhere, x], roles: [{}]}
      - {name: m, resource_id: "no id"}
      - {name: m}
`))
	var ps config.Problems
	if !errors.As(err, &ps) {
		t.Fatalf("got %v", err)
	}
	var got []string
	for _, p := range ps {
		got = append(got, p.Path)
	}
	for _, want := range []string{
		"issuers[0].name", "issuers[0].url", "issuers[0].preset", "issuers[0].algorithm", "issuers[0].lifetime", "issuers[0].claims.sub",
		"issuers[0].accepts[0].issuer", "issuers[0].clients[0].id", "issuers[0].clients[0].secrets[0].value", "issuers[0].clients[1].lifetime",
		"issuers[0].clients[1].secrets[0].expires", "issuers[0].clients[1].keys", "issuers[0].clients[1].claims.aud", "issuers[0].clients[2].keys",
		"issuers[0].clients[2].grants[0]", "issuers[0].clients[3].keys", "issuers[2].name", "issuers[2].url",
		"tenants[0].keys", "tenants[0].managed_identities[0].name", "tenants[0].managed_identities[0].subscription",
		"tenants[0].managed_identities[0].resource_group", "tenants[0].managed_identities[0].location", "tenants[0].managed_identities[0].principal_id",
		"tenants[0].managed_identities[0].client_id", "tenants[0].managed_identities[0].federated_credentials[0].name",
		"tenants[0].managed_identities[0].federated_credentials[0].issuer", "tenants[0].managed_identities[0].roles[0].role",
		"tenants[0].managed_identities[0].permissions[0].role", "tenants[0].machines[0].name", "tenants[0].machines[0].kind",
		"tenants[0].machines[0].identities[0]", "tenants[0].machines[0].identities[1]", "tenants[0].machines[0].system_assigned", "tenants[0].machines[0].roles[0].scope",
		"tenants[0].machines[1].resource_id", "tenants[0].machines[2].name",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no problem at %s", want)
		}
	}
	if t.Failed() {
		t.Logf("%v", err)
	}
	if strings.Contains(err.Error(), "long-enough") {
		t.Error("a secret is in the problems")
	}
}

// testCertificate is self-signed, of a P-256 key.
const testCertificate = `-----BEGIN CERTIFICATE-----
MIIBdjCCAR2gAwIBAgIUPo9iM8R10hfUZ53LV1F8JwrvhNswCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGY2xpZW50MB4XDTI2MTEyMTE3MjMxMloXDTM2MTExODE3MjMx
MlowETEPMA0GA1UEAwwGY2xpZW50MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
6Flgu7QcLg2iXRAvocfVvH+EZD4G/wX8jitYEQzOHQQBhwcP8faMj91b5P1Xld9b
TOSlnIBtZN818xDB28wBh6NTMFEwHQYDVR0OBBYEFNEJZLCs3EiZiE2QdLH6u2V0
J4MuMB8GA1UdIwQYMBaAFNEJZLCs3EiZiE2QdLH6u2V0J4MuMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgdpKB+M3Bm/01QA5BI789o7LWM69BlXWn
ZLw3pCEEl2wCIEsoUqhTJSTHF4B/iFyPVsVEFR+KSF/LxTq7eejXe7OQ
-----END CERTIFICATE-----
`

func TestACertificateBecomesTheClientsKey(t *testing.T) {
	t.Parallel()
	c := Client{ID: "x", Certificate: testCertificate}
	set, err := c.keySet()
	if err != nil || !strings.Contains(string(set), `"x5c"`) || !strings.Contains(string(set), `"kid"`) {
		t.Errorf("%s, %v", set, err)
	}
}

func TestAnIssuerThatIsThereIsDescribedWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	s, to := wholeTarget(t)
	apply(t, to, outside)
	i := have[directory.Issuer](t)(s.Issuers.Issuer(t.Context(), "acme"))
	described := IssuerOf(i)
	again := have[directory.Issuer](t)(to.Issuer(described, i))
	again.CreatedAt, again.Version = i.CreatedAt, i.Version
	if equal, err := sameJSON(i, again); err != nil || !equal {
		t.Errorf("what is described is not what is there: %+v, want %+v", again, i)
	}
	if described.Clients[1].Secrets[0].Value != "" || described.Clients[1].Secrets[0].Hint != "cor" {
		t.Errorf("%+v", described.Clients[1].Secrets)
	}
}

func TestATenantsKeysStayAsTheyAreWhereTheDocumentSaysNothing(t *testing.T) {
	t.Parallel()
	s, to := wholeTarget(t)
	const id = "0c0a70e0-0000-4000-8000-0000000000ee"
	for _, step := range []struct {
		keys string
		own  bool
	}{{"", false}, {"own", true}, {"", true}, {"shared", false}, {"", false}} {
		apply(t, to, `tenants: [{id: `+id+`, domains: [keys.example], keys: "`+step.keys+`"}]`)
		if tn := have[directory.Tenant](t)(s.Tenants.Tenant(t.Context(), id)); tn.OwnKeys != step.own {
			t.Errorf("after keys: %q the tenant has keys of its own: %v", step.keys, tn.OwnKeys)
		}
	}
}
