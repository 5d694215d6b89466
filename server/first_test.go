package server

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/server/folder"
	"github.com/treatyfed/treaty/server/seed"
	"github.com/treatyfed/treaty/store"
)

var errKilled = errors.New("killed")

// Aliases, so that an embedded interface's name is not also that of one of its methods.
type (
	accountsOf     = directory.Accounts
	tenantsOf      = directory.Tenants
	applicationsOf = directory.Applications
)

// cut is a store whose nth write of one kind, and all after it, never happen: the process has died.
type cut struct{ left int }

func (c *cut) dead() bool { c.left--; return c.left < 0 }

type cutAccounts struct {
	accountsOf
	*cut
}

func (a cutAccounts) PutAccount(ctx context.Context, v directory.Account) error {
	if a.dead() {
		return errKilled
	}
	return a.accountsOf.PutAccount(ctx, v)
}

func (a cutAccounts) PutAccessKey(ctx context.Context, k directory.AccessKey) error {
	if a.dead() {
		return errKilled
	}
	return a.accountsOf.PutAccessKey(ctx, k)
}

type cutTenants struct {
	tenantsOf
	*cut
}

func (a cutTenants) PutTenant(ctx context.Context, v directory.Tenant) error {
	if a.dead() {
		return errKilled
	}
	return a.tenantsOf.PutTenant(ctx, v)
}

type cutApplications struct {
	applicationsOf
	*cut
}

func (a cutApplications) CreateApplication(ctx context.Context, v directory.Application) error {
	if a.dead() {
		return errKilled
	}
	return a.applicationsOf.CreateApplication(ctx, v)
}

type cutAssignments struct {
	directory.AppRoleAssignments
	*cut
}

func (a cutAssignments) AssignAppRole(ctx context.Context, v directory.AppRoleAssignment) error {
	if a.dead() {
		return errKilled
	}
	return a.AppRoleAssignments.AssignAppRole(ctx, v)
}

type cutRoles struct {
	directory.Roles
	*cut
}

func (a cutRoles) AssignRole(ctx context.Context, v directory.RoleAssignment) error {
	if a.dead() {
		return errKilled
	}
	return a.Roles.AssignRole(ctx, v)
}

// A first start that is killed anywhere leaves a folder that the next start completes: nobody is locked out.
func TestAFirstStartThatWasKilledIsBegunAgain(t *testing.T) {
	t.Parallel()
	complete := false
	for writes := 0; !complete; writes++ {
		dir := t.TempDir()
		complete = beginAndDie(t, dir, writes)
		f, err := folder.Open(dir, false, noEnv, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s := memory(t, func(c *Config) { c.Folder = f })
		db := s.Store()
		if _, err := db.Accounts.AccessKey(t.Context(), s.Credentials().AWS.AccessKeyID); err != nil {
			t.Errorf("after %d writes: %v", writes, err)
		}
		if roles, err := db.AppRoleAssignments.AppRolesOf(t.Context(), AdminObjectID); err != nil || len(roles) != len(adminPermissions) {
			t.Errorf("after %d writes the administrator has %d permissions, %v", writes, len(roles), err)
		}
		if roles, err := db.Roles.RoleAssignmentsOf(t.Context(), TenantID, AdminObjectID); err != nil || len(roles) != 1 {
			t.Errorf("after %d writes the administrator has %d Azure roles, %v", writes, len(roles), err)
		}
		if tn, err := db.Tenants.Tenant(t.Context(), TenantID); err != nil || tn.DisplayName != TenantName {
			t.Errorf("after %d writes the tenant is %+v, %v", writes, tn, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// beginAndDie makes a first start that ends after so many writes; it reports whether that was enough.
func beginAndDie(t *testing.T, dir string, writes int) bool {
	t.Helper()
	f, err := folder.Open(dir, false, noEnv, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	own, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + filepath.Join(dir, folder.DatabaseFile), Sealer: f.Sealer})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	admin, err := administrators(f.Master, "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	s := memory(t)
	had := s.store
	s.store = own // only to have its target made
	target := s.target()
	s.store = had
	c := &cut{left: writes}
	target.Sealer = f.Sealer
	target.Accounts, target.Tenants = cutAccounts{target.Accounts, c}, cutTenants{target.Tenants, c}
	target.Applications, target.Assignments, target.Roles = cutApplications{target.Applications, c}, cutAssignments{target.Assignments, c}, cutRoles{target.Roles, c}
	account, tenant := first(admin)
	err = target.Begin(t.Context(), seed.Document{Accounts: account.Accounts, Tenants: tenant.Tenants})
	if err == nil != (c.left >= 0) {
		t.Fatalf("%d writes left and %v", c.left, err)
	}
	return err == nil
}
