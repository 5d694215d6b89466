package seed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/entra/graph"
	"github.com/treatyfed/treaty/server/config"
)

// Target is where a document is applied.
type Target struct {
	Accounts          directory.Accounts
	Pools             directory.Pools
	Identities        directory.Identities
	Tenants           directory.Tenants
	Applications      directory.Applications
	Principals        directory.Principals
	Federated         directory.FederatedCredentials
	Assignments       directory.AppRoleAssignments
	Users             directory.Users
	Subscriptions     directory.Subscriptions
	Roles             directory.Roles
	Resources         directory.Resources
	ManagedIdentities directory.ManagedIdentities
	Machines          directory.Machines
	Issuers           directory.Issuers
	IAM               IAM
	Sealer            *credential.Sealer
	Now               func() time.Time

	// FirstParty gives the service principals that every tenant has: Microsoft's own resources.
	FirstParty func(t directory.Tenant, newID func() string) []directory.ServicePrincipal
	// RoleID gives the GUID of a built-in Azure role by its name.
	RoleID func(name string) (id string, ok bool)
	// IssuerBase is what the URLs of issuers begin with that name none, without a slash at its end: a hub's
	// https://hub.example.org/idp. A twin has none.
	IssuerBase string
	// Answered reports whether a host answers as something else here, so that no issuer can: a cloud's name.
	Answered func(host string) bool
	// DefaultResource is the resource of permissions that name none: Microsoft Graph's URL.
	DefaultResource string
}

// Unfinished is the name of an account or tenant while a first start fills it: one that was killed in the
// middle is begun again, and not taken for one whose administrator was removed.
const Unfinished = "(first start, unfinished)"

// Empty reports whether the database knows the account and the tenant not at all, or only as unfinished: a
// first start.
func (t Target) Empty(ctx context.Context, account, tenant string) (noAccount, noTenant bool, err error) {
	a, aerr := t.Accounts.Account(ctx, account)
	tn, terr := t.Tenants.Tenant(ctx, tenant)
	noAccount, noTenant = errors.Is(aerr, fault.NotFound), errors.Is(terr, fault.NotFound)
	if noAccount {
		aerr = nil
	}
	if noTenant {
		terr = nil
	}
	return noAccount || a.Name == Unfinished, noTenant || tn.DisplayName == Unfinished, errors.Join(aerr, terr)
}

// Begin makes a first start's document true: the names of its accounts and tenants come last, when all that
// is in them is there.
func (t Target) Begin(ctx context.Context, d Document) error {
	begun, named := Document{Issuers: d.Issuers}, Document{}
	for _, a := range d.Accounts {
		named.Accounts = append(named.Accounts, Account{ID: a.ID, Name: a.Name})
		a.Name = Unfinished
		begun.Accounts = append(begun.Accounts, a)
	}
	for _, tn := range d.Tenants {
		named.Tenants = append(named.Tenants, Tenant{ID: tn.ID, Name: tn.Name, Domains: tn.Domains, Country: tn.Country, Keys: tn.Keys})
		tn.Name = Unfinished
		begun.Tenants = append(begun.Tenants, tn)
	}
	if err := t.Apply(ctx, begun); err != nil {
		return err
	}
	return t.Apply(ctx, named)
}

// Apply makes the document true. It goes on after a problem with one item and reports all of them; what
// refers to something that does not exist is a problem of the document, with its path.
func (t Target) Apply(ctx context.Context, d Document) error {
	var ps config.Problems
	for i, a := range d.Accounts {
		t.account(ctx, &ps, fmt.Sprintf("accounts[%d]", i), a)
	}
	for i, a := range d.Accounts { // when every account's users and roles exist
		t.trusts(ctx, &ps, fmt.Sprintf("accounts[%d]", i), a)
	}
	for i, tn := range d.Tenants {
		t.tenant(ctx, &ps, fmt.Sprintf("tenants[%d]", i), tn)
	}
	for i, n := range d.Issuers {
		t.issuer(ctx, &ps, fmt.Sprintf("issuers[%d]", i), n)
	}
	for i, tn := range d.Tenants { // when every tenant's applications exist
		t.grants(ctx, &ps, fmt.Sprintf("tenants[%d]", i), tn)
	}
	return ps.Err()
}

// note turns an error into a problem.
func note(ps *config.Problems, path string, err error) bool {
	if err != nil {
		ps.Add(path, "%v", err)
	}
	return err == nil
}

func (t Target) account(ctx context.Context, ps *config.Problems, path string, a Account) {
	if !note(ps, path, again(func() error { return t.describe(ctx, a) })) {
		return
	}
	t.iam(ctx, ps, path, a)
	for i, k := range a.AccessKeys {
		note(ps, fmt.Sprintf("%s.access_keys[%d]", path, i), t.accessKey(ctx, a.ID, k))
	}
	for i, p := range a.IdentityPools {
		at := fmt.Sprintf("%s.identity_pools[%d]", path, i)
		if !note(ps, at, again(func() error { return t.pool(ctx, a.ID, p) })) {
			continue
		}
		for j, identity := range p.Identities {
			note(ps, fmt.Sprintf("%s.identities[%d]", at, j), again(func() error { return t.identity(ctx, p, identity) }))
		}
	}
}

// describe gives an account its name and, if the document has one, its alias.
func (t Target) describe(ctx context.Context, a Account) error {
	have, err := t.Accounts.Account(ctx, a.ID)
	if errors.Is(err, fault.NotFound) {
		return t.Accounts.PutAccount(ctx, directory.Account{ID: a.ID, Name: a.Name, Alias: a.Alias, CreatedAt: t.Now()})
	}
	want := have
	want.Name = a.Name
	or(&a.Alias, have.Alias)
	want.Alias = a.Alias
	if err != nil || want == have {
		return err
	}
	return t.Accounts.UpdateAccount(ctx, want)
}

// identity makes a developer identity, unless its user has it already.
func (t Target) identity(ctx context.Context, p IdentityPool, i Identity) error {
	now := t.Now()
	got, _, err := t.Identities.Resolve(ctx, directory.Identity{
		ID: i.ID, PoolID: p.ID, Logins: []directory.Login{{Provider: p.DeveloperProvider, User: i.User}}, CreatedAt: now, ModifiedAt: now,
	})
	if err == nil && got.ID != i.ID {
		return fmt.Errorf("the user %s has the identity %s", i.User, got.ID)
	}
	return err
}

// accessKey makes an account-wide key: the root's, or that of a user by name.
func (t Target) accessKey(ctx context.Context, account string, k AccessKey) error {
	if k.User == "" {
		return t.putKey(ctx, directory.AccessKey{ID: k.ID, AccountID: account, Secret: k.Secret, Principal: "arn:aws:iam::" + account + ":root", PrincipalID: account})
	}
	u, err := t.named(ctx, account, k.User)
	if err != nil {
		return err
	}
	return t.userKey(ctx, u, k)
}

func (t Target) userKey(ctx context.Context, u directory.IAMUser, k AccessKey) error {
	return t.putKey(ctx, directory.AccessKey{ID: k.ID, AccountID: u.AccountID, Secret: k.Secret, Principal: u.ARN, PrincipalID: u.ID})
}

func (t Target) putKey(ctx context.Context, want directory.AccessKey) error {
	want.Active, want.CreatedAt = true, t.Now()
	have, err := t.Accounts.AccessKey(ctx, want.ID)
	if errors.Is(err, fault.NotFound) {
		return t.Accounts.PutAccessKey(ctx, want)
	}
	if err != nil {
		return err
	}
	want.CreatedAt = have.CreatedAt
	// One that was seeded before users were kept is not among its principal's.
	listed, err := t.IAM.Keys.AccessKeysOf(ctx, want.PrincipalID)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(listed, func(k directory.AccessKey) bool { return k.ID == want.ID })
	if known && have.Secret.Equal(want.Secret) && have.AccountID == want.AccountID && have.Principal == want.Principal && have.Active {
		return nil
	}
	return t.Accounts.PutAccessKey(ctx, want)
}

func (t Target) pool(ctx context.Context, account string, p IdentityPool) error {
	region, _, _ := strings.Cut(p.ID, ":")
	want := directory.IdentityPool{
		ID: p.ID, AccountID: account, Region: region, Name: p.Name, DeveloperProvider: p.DeveloperProvider,
		AllowUnauthenticated: p.AllowUnauthenticated, AllowClassic: p.AllowClassic, Tags: p.Tags, CreatedAt: t.Now(),
	}
	have, err := t.Pools.Pool(ctx, p.ID)
	if errors.Is(err, fault.NotFound) {
		return t.Pools.CreatePool(ctx, want)
	}
	if err != nil {
		return err
	}
	if have.AccountID != account {
		return fmt.Errorf("the pool belongs to account %s", have.AccountID)
	}
	want.CreatedAt, want.Settings, want.Version = have.CreatedAt, have.Settings, have.Version
	return t.Pools.UpdatePool(ctx, want)
}

func (t Target) tenant(ctx context.Context, ps *config.Problems, path string, tn Tenant) {
	have, err := t.Tenants.Tenant(ctx, tn.ID)
	created := have.CreatedAt
	if errors.Is(err, fault.NotFound) {
		created, err = t.Now(), nil
	}
	if !note(ps, path, err) {
		return
	}
	want := directory.Tenant{ID: tn.ID, DisplayName: tn.Name, CountryCode: tn.Country, Domains: tn.Domains, OwnKeys: have.OwnKeys, CreatedAt: created}
	if tn.Keys != "" {
		want.OwnKeys = tn.Keys == ownKeys
	}
	if have.ID == "" || have.DisplayName != want.DisplayName || have.CountryCode != want.CountryCode || have.OwnKeys != want.OwnKeys || !slices.Equal(have.Domains, want.Domains) {
		if !note(ps, path, t.Tenants.PutTenant(ctx, want)) {
			return
		}
	}
	if !note(ps, path, t.Refresh(ctx, want)) {
		return
	}
	for i, a := range tn.Applications {
		t.application(ctx, ps, fmt.Sprintf("%s.applications[%d]", path, i), want, a)
	}
	for i, u := range tn.Users {
		note(ps, fmt.Sprintf("%s.users[%d]", path, i), t.user(ctx, tn.ID, u))
	}
	for i, s := range tn.Subscriptions {
		note(ps, fmt.Sprintf("%s.subscriptions[%d]", path, i), t.subscription(ctx, tn.ID, s))
	}
	for i, m := range tn.ManagedIdentities {
		t.managedIdentity(ctx, ps, fmt.Sprintf("%s.managed_identities[%d]", path, i), want, m)
	}
	for i, m := range tn.Machines {
		note(ps, fmt.Sprintf("%s.machines[%d]", path, i), t.machineOf(ctx, tn.ID, m, tn.named()))
	}
}

// Refresh gives a tenant the service principals of Microsoft's own resources, and brings those it has up to
// the roles and names that this version serves, beside replicas that do the same.
func (t Target) Refresh(ctx context.Context, tn directory.Tenant) error {
	n := 0
	newID := func() string { n++; return Derived(tn.ID, "first party", fmt.Sprint(n)) }
	for _, want := range t.FirstParty(tn, newID) {
		want.ID = Derived(tn.ID, "first party", want.AppID)
		if err := again(func() error { return t.firstParty(ctx, want) }); err != nil {
			return fmt.Errorf("%s: %w", want.DisplayName, err)
		}
	}
	return nil
}

func (t Target) firstParty(ctx context.Context, want directory.ServicePrincipal) error {
	have, err := t.Principals.PrincipalByAppID(ctx, want.TenantID, want.AppID)
	if errors.Is(err, fault.NotFound) {
		return t.Principals.CreatePrincipal(ctx, want)
	}
	if err != nil || slices.Equal(have.Names, want.Names) && len(have.Roles) == len(want.Roles) && have.TokenVersion == want.TokenVersion {
		return err
	}
	have.Names, have.Roles, have.TokenVersion = want.Names, want.Roles, want.TokenVersion
	return t.Principals.UpdatePrincipal(ctx, have)
}

func (t Target) user(ctx context.Context, tenant string, u User) error {
	want := directory.User{ID: u.ID, TenantID: tenant, UserPrincipalName: u.UPN, DisplayName: u.Name, Mail: u.Mail, Enabled: !u.Blocked, CreatedAt: t.Now()}
	if have, err := t.Users.User(ctx, tenant, u.ID); err == nil {
		want.CreatedAt, want.Carried = have.CreatedAt, have.Carried
	} else if !errors.Is(err, fault.NotFound) {
		return err
	}
	return t.Users.PutUser(ctx, want)
}

func (t Target) subscription(ctx context.Context, tenant string, s Subscription) error {
	if have, err := t.Subscriptions.Subscription(ctx, s.ID); err == nil && have.TenantID != tenant {
		return fmt.Errorf("the subscription belongs to tenant %s", have.TenantID)
	}
	return t.Subscriptions.PutSubscription(ctx, directory.Subscription{ID: s.ID, TenantID: tenant, DisplayName: s.Name, State: "Enabled"})
}

// grants gives principals what they hold: app roles of resources and Azure roles.
func (t Target) grants(ctx context.Context, ps *config.Problems, path string, tn Tenant) {
	for i, a := range tn.Applications {
		p := fmt.Sprintf("%s.applications[%d]", path, i)
		sp, err := t.Principals.PrincipalByAppID(ctx, tn.ID, a.AppID)
		if err != nil {
			continue // the application could not be made: that is a problem already
		}
		t.holds(ctx, ps, p, tn.ID, sp.ID, a.Permissions, a.Roles)
	}
	for i, m := range tn.ManagedIdentities {
		t.holds(ctx, ps, fmt.Sprintf("%s.managed_identities[%d]", path, i), tn.ID, m.PrincipalID, m.Permissions, m.Roles)
	}
	for i, m := range tn.Machines {
		t.HoldsOf(ctx, ps, fmt.Sprintf("%s.machines[%d]", path, i), m)
	}
	for i, r := range tn.RoleAssignments {
		note(ps, fmt.Sprintf("%s.role_assignments[%d]", path, i), t.assign(ctx, tn.ID, strings.ToLower(r.Principal), r.Type, Role{r.Role, r.Scope}))
	}
}

func (t Target) permission(ctx context.Context, sp directory.ServicePrincipal, g Permission) error {
	name := g.Resource
	or(&name, t.DefaultResource)
	resource, err := t.Principals.PrincipalByName(ctx, sp.TenantID, name)
	if err != nil {
		return fmt.Errorf("the resource %s: %w", name, err)
	}
	roles := resource.Roles
	if app, err := t.Applications.ApplicationByAppID(ctx, resource.AppID); err == nil {
		roles = app.Roles
	} else if !errors.Is(err, fault.NotFound) {
		return err
	}
	i := slices.IndexFunc(roles, func(r directory.AppRole) bool { return r.Value == g.Role })
	if i < 0 {
		return fmt.Errorf("%s offers no role %s", name, g.Role)
	}
	err = t.Assignments.AssignAppRole(ctx, directory.AppRoleAssignment{
		ID: graph.AssignmentID(sp.ID, derived(sp.ID, resource.ID, roles[i].ID)), TenantID: sp.TenantID, PrincipalID: sp.ID, PrincipalType: "ServicePrincipal",
		PrincipalName: sp.DisplayName, ResourceID: resource.ID, ResourceName: resource.DisplayName, RoleID: roles[i].ID, CreatedAt: t.Now(),
	})
	if errors.Is(err, fault.Conflict) { // it holds the role
		return nil
	}
	return err
}

func (t Target) assign(ctx context.Context, tenant, principal, principalType string, r Role) error {
	role, err := t.roleID(ctx, tenant, r.Role)
	if err != nil {
		return err
	}
	err = t.Roles.AssignRole(ctx, directory.RoleAssignment{
		ID: Derived(tenant, principal, role, strings.ToLower(r.Scope)), TenantID: tenant, Scope: r.Scope, RoleDefinitionID: role,
		PrincipalID: principal, PrincipalType: principalType, CreatedAt: t.Now(), CreatedBy: principal,
	})
	if errors.Is(err, fault.Conflict) {
		return nil
	}
	return err
}

func (t Target) roleID(ctx context.Context, tenant, role string) (string, error) {
	if id := strings.ToLower(role); guidForm.MatchString(id) {
		return id, nil
	}
	if id, ok := t.RoleID(role); ok {
		return id, nil
	}
	custom, err := t.Roles.RoleDefinitions(ctx, tenant)
	if err != nil {
		return "", err
	}
	for _, d := range custom {
		if strings.EqualFold(d.Name, role) {
			return d.ID, nil
		}
	}
	return "", fmt.Errorf("there is no Azure role %q", role)
}
