package store_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/store"
	"github.com/treatyfed/treaty/store/storetest"
)

// BenchmarkSQLite and BenchmarkPostgreSQL measure what a token request does: single-row reads by key and
// one audit event, alone and by eight callers at once.
func BenchmarkSQLite(b *testing.B) {
	hotPath(b, storetest.New(b, "sqlite:"+filepath.Join(b.TempDir(), "treaty.db")))
}

func BenchmarkPostgreSQL(b *testing.B) {
	hotPath(b, storetest.New(b, storetest.StartPostgres(b).DSN(b)))
}

func hotPath(b *testing.B, s *store.Store) {
	ctx := b.Context()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	app := directory.Application{ID: "app", TenantID: "tenant", AppID: "client", DisplayName: "billing", SignInAudience: "AzureADMyOrg", IdentifierURIs: []string{"api://client"},
		Secrets: []directory.ClientSecret{{ID: "s", Hash: make([]byte, 32), NotBefore: at, NotAfter: at.AddDate(1, 0, 0)}}, CreatedAt: at, Carried: json.RawMessage(`{"web":{"redirectUris":["https://localhost"]}}`)}
	must(b, s.Tenants.PutTenant(ctx, directory.Tenant{ID: "tenant", DisplayName: "Treaty", Domains: []string{"treaty.onmicrosoft.com"}, CreatedAt: at}))
	must(b, s.Applications.CreateApplication(ctx, app))
	for i := range 20 {
		must(b, s.Principals.CreatePrincipal(ctx, directory.ServicePrincipal{ID: fmt.Sprint("sp", i), TenantID: "tenant", AppID: fmt.Sprint("client", i), Type: "Application",
			Names: []string{fmt.Sprint("client", i), fmt.Sprint("api://client", i)}, Enabled: true, CreatedAt: at}))
	}
	must(b, s.FederatedCredentials.CreateFederatedCredential(ctx, directory.FederatedCredential{ID: "fic", OwnerID: "app", Name: "aws",
		Issuer: "https://cognito-identity.amazonaws.com", Subject: "us-east-1:00000000-0000-0000-0000-000000000000", Audiences: []string{"us-east-1:pool"}}, 20))
	must(b, s.AppRoleAssignments.AssignAppRole(ctx, directory.AppRoleAssignment{ID: "ra", TenantID: "tenant", PrincipalID: "sp1", ResourceID: "sp2", RoleID: "r", CreatedAt: at}))
	iamOf(b, s)
	for _, read := range []struct {
		name string
		do   func() error
	}{
		{"Tenant", func() error { _, err := s.Tenants.Tenant(ctx, "treaty.onmicrosoft.com"); return err }},
		{"ApplicationByAppID", func() error { _, err := s.Applications.ApplicationByAppID(ctx, "client"); return err }},
		{"PrincipalByAppID", func() error { _, err := s.Principals.PrincipalByAppID(ctx, "tenant", "client1"); return err }},
		{"PrincipalByName", func() error { _, err := s.Principals.PrincipalByName(ctx, "tenant", "api://client2"); return err }},
		{"FederatedCredentials", func() error { _, err := s.FederatedCredentials.FederatedCredentials(ctx, "app"); return err }},
		{"AccessKey", func() error { _, err := s.Accounts.AccessKey(ctx, "AKIA"); return err }},
		{"IAM user by id", func() error { _, err := s.IAMUsers.WithID(ctx, "AIDA"); return err }},
		{"GroupsOf", func() error { _, err := s.Memberships.GroupsOf(ctx, "AIDA"); return err }},
		{"IAM role by ARN", func() error { _, err := s.IAMRoles.WithARN(ctx, "arn:aws:iam::1:role/r"); return err }},
		{"AppRolesOf", func() error { _, err := s.AppRoleAssignments.AppRolesOf(ctx, "sp1"); return err }},
	} {
		b.Run(read.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(b, read.do())
			}
		})
	}
	event := audit.Event{Time: at, Surface: "entra", Operation: "token client_credentials", Outcome: audit.Refused, Code: "AADSTS700213",
		Evidence: json.RawMessage(`{"checks":["` + strings.Repeat("x", 1500) + `"]}`)}
	var n atomic.Int64
	record := func() error {
		e := event
		e.RequestID = fmt.Sprintf("%08x-0000-4000-8000-000000000000", uint32(n.Add(1)*2654435761))
		return s.Audit.Record(ctx, e)
	}
	b.Run("Record", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(b, record())
		}
	})
	b.Run("Count, which no cache keeps", func(b *testing.B) {
		for b.Loop() {
			_, err := s.IAMUsers.Count(ctx, "1")
			must(b, err)
		}
	})
	b.Run("Record by 8", func(b *testing.B) {
		b.SetParallelism(4)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				must(b, record())
			}
		})
	})
}

// iamOf makes account 1 with a user in a group, a key of the user's and a role.
func iamOf(b *testing.B, s *store.Store) {
	ctx := b.Context()
	grants := directory.Grants{Inline: []directory.InlinePolicy{{Name: "p", Document: strings.Repeat("x", 1000)}}, Managed: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}}
	must(b, s.Accounts.PutAccount(ctx, directory.Account{ID: "1"}))
	must(b, s.IAMRoles.Create(ctx, directory.IAMRole{IAMEntity: directory.IAMEntity{ID: "AROA", AccountID: "1", ARN: "arn:aws:iam::1:role/r", Name: "r"}, Grants: grants}, 1))
	must(b, s.IAMUsers.Create(ctx, directory.IAMUser{IAMEntity: directory.IAMEntity{ID: "AIDA", AccountID: "1", ARN: "arn:aws:iam::1:user/u", Name: "u"}, Grants: grants}, 1))
	must(b, s.IAMGroups.Create(ctx, directory.IAMGroup{IAMEntity: directory.IAMEntity{ID: "AGPA", AccountID: "1", ARN: "arn:aws:iam::1:group/g", Name: "g"}, Grants: grants}, 1))
	must(b, s.Memberships.Join(ctx, "AIDA", "AGPA", 1))
	must(b, s.AccessKeys.CreateAccessKey(ctx, directory.AccessKey{ID: "AKIA", AccountID: "1", PrincipalID: "AIDA", Secret: "secret", Active: true}, 1))
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkRestore returns a store of 200 objects to its snapshot, as treaty twin reset does.
func BenchmarkRestore(b *testing.B) {
	s, err := store.Open(b.Context(), store.Config{DSN: "sqlite:" + filepath.Join(b.TempDir(), "treaty.db"), Sealer: storetest.Sealer(b)})
	must(b, err)
	defer s.Close()
	ctx := b.Context()
	for n := range 100 {
		id := fmt.Sprint("app", n)
		must(b, s.Applications.CreateApplication(ctx, directory.Application{ID: id, TenantID: "t", AppID: "client" + id, DisplayName: id}))
		must(b, s.Principals.CreatePrincipal(ctx, directory.ServicePrincipal{ID: "sp" + id, TenantID: "t", AppID: "client" + id, Names: []string{"client" + id, "api://" + id}}))
	}
	must(b, s.Snapshot(ctx))
	for b.Loop() {
		must(b, s.Applications.DeleteApplication(ctx, "t", "app1"))
		must(b, s.Restore(ctx))
	}
}
