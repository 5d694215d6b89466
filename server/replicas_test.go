package server

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/treatyfed/treaty/server/folder"
	"github.com/treatyfed/treaty/store/storetest"
)

// crowded has one of everything that a replica may find made by another since it looked.
const crowded = `
accounts:
  - id: "210987654321"
    access_keys: [{id: AKIAIOSFODNN7EXAMPLE, secret: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY}]
    identity_pools:
      - id: "us-east-1:6f1a8a4e-7c52-4b39-a0f4-5d2f5f0b7f10"
        name: my-identity-pool
        developer_provider: my.dev.provider
        identities: [{id: "us-east-1:6f1a8a4e-7c52-4b39-a0f4-5d2f5f0b7f11", user: ada}, {id: "us-east-1:6f1a8a4e-7c52-4b39-a0f4-5d2f5f0b7f12", user: bob}]
    groups: [{name: all}]
    users: [{name: ann, groups: [all]}, {name: bob}]
    roles:
      - {name: first, trust: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sts:AssumeRole", Principal: {AWS: "arn:aws:iam::210987654321:user/ann"}}]}}
      - {name: second, trust: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sts:AssumeRole", Principal: {AWS: "arn:aws:iam::210987654321:role/first"}}]}}
tenants:
  - id: 0c0a70e0-0000-4000-8000-00000000000c
    domains: [contoso.onmicrosoft.com]
    applications: [{name: worker, app_id: 11111111-2222-4333-8444-555555555555, secrets: [{name: ci, value: correct-horse-battery}], permissions: [{role: Application.Read.All}]}]
    users: [{upn: ada@contoso.onmicrosoft.com, name: Ada}]
    subscriptions: [{id: 0c0a70e0-0000-4000-8000-00000000000a, name: Production}]
    managed_identities: [{name: reporting}]
    machines: [{name: default, system_assigned: true, identities: [reporting]}]
issuers: [{name: acme, url: "https://acme.okta.com/oauth2/default", preset: okta, clients: [{id: a, secret: correct-horse-battery}]}]
`

// Three servers begin on an empty PostgreSQL with one seed, again and again: each comes up, and what they
// made together is what one alone makes.
func TestReplicasThatBeginTogetherMakeOneSeed(t *testing.T) {
	t.Parallel()
	p := storetest.StartPostgres(t)
	for range 5 {
		servers := beginTogether(t, p.DSN(t), crowded, 3)
		if t.Failed() {
			return
		}
		if err := servers[0].Reset(t.Context()); err != nil {
			t.Error(err)
		}
		db := servers[1].Store()
		if tn, err := db.Tenants.Tenant(t.Context(), TenantDomain); err != nil || tn.DisplayName != TenantName {
			t.Errorf("the first tenant is %q, %v", tn.DisplayName, err)
		}
		for role, trusts := range map[string]string{"first": "user/ann", "second": "role/first"} {
			r, err := db.IAMRoles.Named(t.Context(), "210987654321", role)
			if err != nil || r.TrustIDs["arn:aws:iam::210987654321:"+trusts] == "" {
				t.Errorf("role %s trusts %v, %v", role, r.TrustIDs, err)
			}
		}
		if list, err := db.Identities.Identities(t.Context(), "us-east-1:6f1a8a4e-7c52-4b39-a0f4-5d2f5f0b7f10", "", 10, false); err != nil || len(list) != 2 {
			t.Errorf("%d identities, %v", len(list), err)
		}
		for _, s := range servers {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// beginTogether starts servers with one master key and one seed on one database at the same time.
func beginTogether(t *testing.T, dsn, seed string, n int) []*Server {
	t.Helper()
	master := func(name string) string {
		return map[string]string{folder.MasterVariable: strings.Repeat("ab", 32)}[name]
	}
	servers, failures := make([]*Server, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range servers {
		c := Config{Getenv: master, Document: document(t, seed)}
		c.Listen, c.Proxy, c.Database = "127.0.0.1:0", "127.0.0.1:0", dsn
		dir := filepath.Join(t.TempDir(), "data")
		wg.Go(func() {
			if c.Folder, failures[i] = folder.Open(dir, false, master, rand.Reader); failures[i] == nil {
				servers[i], failures[i] = New(context.Background(), c)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Error(err)
	}
	return servers
}
