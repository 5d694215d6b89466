package seed

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/server/config"
)

const good = `
accounts:
  - id: "210987654321"
    name: Workloads
    access_keys:
      - {id: AKIAIOSFODNN7EXAMPLE, secret: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY}
      - {id: AKIAI44QH8DHBEXAMPLE, secret: je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY, user: ada}
    identity_pools:
      - {id: "us-east-1:6f1a8a4e-7c52-4b39-a0f4-5d2f5f0b7f10", name: my-identity-pool, developer_provider: my.dev.provider, tags: {team: platform},
         identities: [{id: "us-east-1:7f0c3a52-0d0e-4c8f-9b1e-2b1d0a7d1111", user: my_user_id}]}
tenants:
  - name: Contoso
    domains: [Contoso.onmicrosoft.com, contoso.example]
    applications:
      - name: api
        identifier_uris: [api://contoso-api]
        token_version: 2
        app_roles: [{value: Things.Read}]
      - name: worker
        app_id: 11111111-2222-4333-8444-555555555555
        secrets: [{name: ci, value: correct-horse-battery}]
        federated_credentials:
          - {name: cognito, issuer: "https://cognito-identity.amazonaws.com", subject: "us-east-1:0f0e", audiences: ["us-east-1:6f1a"]}
        permissions: [{role: Application.Read.All}, {resource: api://contoso-api, role: Things.Read}]
        roles: [{role: Reader, scope: /subscriptions/7ea70000-0000-4000-8000-00000000000a}]
    users: [{upn: ada@contoso.example}]
    subscriptions: [{id: 7ea70000-0000-4000-8000-00000000000a, name: Production}]
`

func TestAGoodDocumentIsCompleted(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	tn := d.Tenants[0]
	if tn.ID == "" || tn.ID != again.Tenants[0].ID || tn.Domains[0] != "contoso.onmicrosoft.com" {
		t.Errorf("tenant %+v", tn)
	}
	w := tn.Applications[1]
	if w.ObjectID == w.AppID || w.PrincipalID == w.ObjectID || w.PrincipalID == "" {
		t.Errorf("an application's three ids must differ: %s %s %s", w.AppID, w.ObjectID, w.PrincipalID)
	}
	if w.SignInAudience != "AzureADMyOrg" || tn.Applications[0].AppRoles[0].Members[0] != "Application" {
		t.Errorf("defaults are missing: %+v", w)
	}
}

func TestEveryProblemIsReportedWithItsPath(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(`
accounts:
  - id: "12"
    access_keys: [{id: short, secret: short}]
    identity_pools: [{id: nowhere, name: "", developer_provider: "a b", identities: [{id: "us-east-1:x", user: ""}]}]
  - id: "12"
tenants:
  - name: x
    country: usa
    applications:
      - token_version: 7
        sign_in_audience: Everybody
        identifier_uris: ["not a uri"]
        secrets: [{value: x, expires: never}]
        certificates: [{pem: none}]
        federated_credentials:
          - {name: a, issuer: "http://x", subject: s, expression: e, audiences: [a, b]}
          - {name: one, issuer: "https://x.example", subject: s}
          - {name: two, issuer: "https://x.example", subject: s}
        app_roles: [{value: "a b", members: [Robot]}]
        permissions: [{resource: x}]
        roles: [{scope: "x y"}]
    users: [{upn: nobody}]
    subscriptions: [{}]
    role_assignments: [{principal: me, role: Owner, scope: /, type: Robot}]
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
		"accounts[0].id", "accounts[0].access_keys[0].id", "accounts[0].access_keys[0].secret", "accounts[0].identity_pools[0].id",
		"accounts[0].identity_pools[0].name", "accounts[0].identity_pools[0].developer_provider", "accounts[0].identity_pools[0].identities[0].id",
		"accounts[0].identity_pools[0].identities[0].user", "accounts[1].id",
		"tenants[0].country", "tenants[0].domains", "tenants[0].applications[0].name", "tenants[0].applications[0].token_version",
		"tenants[0].applications[0].sign_in_audience", "tenants[0].applications[0].identifier_uris[0]",
		"tenants[0].applications[0].secrets[0].value", "tenants[0].applications[0].secrets[0].expires",
		"tenants[0].applications[0].certificates[0].pem", "tenants[0].applications[0].federated_credentials[0].name",
		"tenants[0].applications[0].federated_credentials[0].issuer", "tenants[0].applications[0].federated_credentials[0].subject",
		"tenants[0].applications[0].federated_credentials[0].audiences", "tenants[0].applications[0].federated_credentials[2].subject",
		"tenants[0].applications[0].app_roles[0].value", "tenants[0].applications[0].app_roles[0].members[0]",
		"tenants[0].applications[0].permissions[0].role", "tenants[0].applications[0].roles[0].role", "tenants[0].applications[0].roles[0].scope",
		"tenants[0].users[0].upn", "tenants[0].subscriptions[0].name",
		"tenants[0].role_assignments[0].principal", "tenants[0].role_assignments[0].type",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no problem at %s", want)
		}
	}
	if strings.Contains(err.Error(), "correct-horse") {
		t.Error("a secret is in the problems")
	}
}

func TestUnknownKeysAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := Parse([]byte("tenants:\n  - nmae: x\n")); err == nil || !strings.Contains(err.Error(), "nmae") {
		t.Errorf("got %v", err)
	}
}

func TestDerivedIDsAreVersion5AndUnambiguous(t *testing.T) {
	t.Parallel()
	id := Derived("a", "b")
	if !guidForm.MatchString(id) || id[14] != '5' || id != Derived("a", "b") || id == Derived("ab") || id == Derived("b", "a") {
		t.Errorf("%s", id)
	}
}
