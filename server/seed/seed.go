// Package seed is what must exist when a server starts: accounts with their identities (users, groups,
// roles, policies, providers), access keys and identity pools on one side; tenants, applications, users,
// subscriptions, role assignments, managed identities and machines on the other; plain issuers beside both.
//
// It owns the YAML document, its checks (every problem at once, with its path) and its application to the
// repositories, which is idempotent: what the document names exists afterwards as it says, what it does not
// name is left alone. Ids that it leaves out are derived from the names, so that they are the same on every
// machine. It leaves secrets' hashing to core/credential and what a role's name means to the caller.
package seed

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/server/config"
)

const maxFile = 8 << 20

// Whose keys sign a tenant's tokens.
const (
	sharedKeys = "shared"
	ownKeys    = "own"
)

// Document is the whole seed.
type Document struct {
	Accounts []Account `yaml:"accounts"`
	Tenants  []Tenant  `yaml:"tenants"`
	Issuers  []Issuer  `yaml:"issuers"`
}

// Account is an AWS account.
type Account struct {
	ID            string         `yaml:"id"` // twelve digits, quoted in YAML
	Name          string         `yaml:"name"`
	AccessKeys    []AccessKey    `yaml:"access_keys"`
	IdentityPools []IdentityPool `yaml:"identity_pools"`
	Alias         string         `yaml:"alias"`
	Policies      []IAMPolicy    `yaml:"policies"`
	Groups        []IAMGroup     `yaml:"groups"`
	Users         []IAMUser      `yaml:"users"`
	Roles         []IAMRole      `yaml:"roles"`
	OIDCProviders []OIDCProvider `yaml:"oidc_providers"`
}

// AccessKey is a long-term key of the account's root, or of an IAM user by name; a user who is not there
// is made.
type AccessKey struct {
	ID     string            `yaml:"id"`     // AKIA…
	Secret credential.Secret `yaml:"secret"` // 16 to 128 characters; AWS's own have 40
	User   string            `yaml:"user"`   // "" is the root
}

// IdentityPool is a Cognito identity pool.
type IdentityPool struct {
	ID                   string            `yaml:"id"` // REGION:GUID
	Name                 string            `yaml:"name"`
	DeveloperProvider    string            `yaml:"developer_provider"`
	AllowUnauthenticated bool              `yaml:"allow_unauthenticated"`
	AllowClassic         *bool             `yaml:"allow_classic"`
	Tags                 map[string]string `yaml:"tags"`
	Identities           []Identity        `yaml:"identities"`
}

// Identity is a developer identity of a pool. Its id is the subject of its tokens: fixed here, a trust in it
// can be committed.
type Identity struct {
	ID   string `yaml:"id"`   // REGION:GUID, of the pool's region
	User string `yaml:"user"` // of the pool's developer provider
}

// Tenant is an Entra tenant.
type Tenant struct {
	ID                string            `yaml:"id"`
	Name              string            `yaml:"name"`
	Country           string            `yaml:"country"` // two letters; default US
	Domains           []string          `yaml:"domains"` // the default one first
	Keys              string            `yaml:"keys"`    // shared: signs with the keys that tenants share; own: with its own; default as it is, shared for a new one
	Applications      []Application     `yaml:"applications"`
	Users             []User            `yaml:"users"`
	Subscriptions     []Subscription    `yaml:"subscriptions"`
	ManagedIdentities []ManagedIdentity `yaml:"managed_identities"`
	Machines          []Machine         `yaml:"machines"`
	// RoleAssignments are for principals that are no application of this document, by object id.
	RoleAssignments []RoleAssignment `yaml:"role_assignments"`
}

// Application is an app registration together with its service principal in the same tenant.
type Application struct {
	Name                 string                `yaml:"name"`
	AppID                string                `yaml:"app_id"`       // client id
	ObjectID             string                `yaml:"object_id"`    // of the application
	PrincipalID          string                `yaml:"principal_id"` // of its service principal
	UniqueName           string                `yaml:"unique_name"`
	SignInAudience       string                `yaml:"sign_in_audience"` // default AzureADMyOrg
	IdentifierURIs       []string              `yaml:"identifier_uris"`
	TokenVersion         int                   `yaml:"token_version"` // requestedAccessTokenVersion: 1, 2; 0 is null
	PublicClient         bool                  `yaml:"public_client"`
	AppRoles             []AppRole             `yaml:"app_roles"`
	Secrets              []Secret              `yaml:"secrets"`
	Certificates         []Certificate         `yaml:"certificates"`
	FederatedCredentials []FederatedCredential `yaml:"federated_credentials"`
	// Permissions are app roles of other applications that this one holds.
	Permissions []Permission `yaml:"permissions"`
	// Roles are Azure roles that it holds.
	Roles []Role `yaml:"roles"`
}

// AppRole is a role that the application offers.
type AppRole struct {
	ID          string   `yaml:"id"`
	Value       string   `yaml:"value"`
	Name        string   `yaml:"name"`
	Description string   `yaml:"description"`
	Members     []string `yaml:"members"` // Application, User; default Application
}

// Secret is a client secret. The control interface never gives a Value back, but for one that it made.
type Secret struct {
	ID      string            `yaml:"id" json:"id,omitempty"` // keyId
	Name    string            `yaml:"name" json:"name,omitempty"`
	Value   credential.Secret `yaml:"value" json:"value,omitempty"`
	Expires string            `yaml:"expires" json:"expires,omitempty"` // RFC 3339 or a date; default the year 2299, as long as Entra allows
	Hint    string            `yaml:"-" json:"hint,omitempty"`          // its first characters, of one that is kept
}

// Certificate is a key credential.
type Certificate struct {
	ID   string `yaml:"id"` // keyId
	Name string `yaml:"name"`
	PEM  string `yaml:"pem"`
}

// FederatedCredential is a trust in a foreign issuer.
type FederatedCredential struct {
	ID          string   `yaml:"id"`
	Name        string   `yaml:"name"`
	Issuer      string   `yaml:"issuer"`
	Subject     string   `yaml:"subject"`
	Audiences   []string `yaml:"audiences"` // default api://AzureADTokenExchange
	Description string   `yaml:"description"`
	Expression  string   `yaml:"expression"` // claimsMatchingExpression, language version 1, instead of subject
}

// Permission is an app role of a resource.
type Permission struct {
	Resource string `yaml:"resource" json:"resource,omitempty"` // a name of its service principal; default Microsoft Graph's URL
	Role     string `yaml:"role" json:"role"`                   // the role's value: Application.Read.All
}

// Role is an Azure role at a scope.
type Role struct {
	Role  string `yaml:"role" json:"role"`   // Reader, Contributor, Owner … or the definition's GUID
	Scope string `yaml:"scope" json:"scope"` // /subscriptions/…
}

// User is a person.
type User struct {
	ID      string `yaml:"id"`
	UPN     string `yaml:"upn"`
	Name    string `yaml:"name"`
	Mail    string `yaml:"mail"`
	Blocked bool   `yaml:"blocked"`
}

// Subscription is an Azure subscription.
type Subscription struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
}

// RoleAssignment grants an Azure role to a principal by object id.
type RoleAssignment struct {
	Principal string `yaml:"principal"`
	Type      string `yaml:"type"` // ServicePrincipal (default), User, Group
	Role      string `yaml:"role"`
	Scope     string `yaml:"scope"`
}

// Load reads and checks a file; every problem is in the error, a config.Problems.
func Load(file string) (Document, error) {
	f, err := os.Open(file)
	if err != nil {
		return Document{}, fmt.Errorf("read the seed: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Document{}, fmt.Errorf("read the seed: %w", err)
	}
	if len(b) > maxFile {
		return Document{}, fmt.Errorf("read the seed: %s is larger than %d bytes", file, maxFile)
	}
	d, err := Parse(b)
	if err != nil {
		return Document{}, fmt.Errorf("%s: %w", file, err)
	}
	return d, nil
}

// Parse reads, completes and checks a document.
func Parse(b []byte) (Document, error) {
	var d Document
	if err := config.Strict(b, &d); err != nil {
		return Document{}, err
	}
	d.Complete()
	return d, d.Check()
}

// Complete fills in what may be left out: derived ids and defaults. GUIDs and domains become lower case.
func (d *Document) Complete() {
	for i := range d.Accounts {
		a := &d.Accounts[i]
		or(&a.Name, a.ID)
		a.completeIAM()
	}
	for i := range d.Tenants {
		d.Tenants[i].complete()
	}
	for i := range d.Issuers {
		d.Issuers[i].complete()
	}
}

func (t *Tenant) complete() {
	or(&t.Country, "US")
	or(&t.Name, first(t.Domains))
	guid(&t.ID, "tenant", first(t.Domains))
	for i := range t.Domains {
		t.Domains[i] = strings.ToLower(t.Domains[i])
	}
	for i := range t.Applications {
		t.Applications[i].complete(t.ID)
	}
	for i := range t.Users {
		u := &t.Users[i]
		or(&u.Name, u.UPN)
		guid(&u.ID, t.ID, "user", strings.ToLower(u.UPN))
	}
	for i := range t.Subscriptions {
		s := &t.Subscriptions[i]
		guid(&s.ID, t.ID, "subscription", s.Name)
	}
	for i := range t.RoleAssignments {
		or(&t.RoleAssignments[i].Type, "ServicePrincipal")
	}
	for i := range t.ManagedIdentities {
		t.ManagedIdentities[i].complete(t)
	}
	for i := range t.Machines {
		t.Machines[i].Complete(t.subscription())
	}
}

func (a *Application) complete(tenant string) {
	or(&a.SignInAudience, "AzureADMyOrg")
	guid(&a.AppID, tenant, "app", a.Name)
	guid(&a.ObjectID, tenant, "application", a.AppID)
	guid(&a.PrincipalID, tenant, "principal", a.AppID)
	for i := range a.AppRoles {
		r := &a.AppRoles[i]
		or(&r.Name, r.Value)
		or(&r.Description, r.Name)
		guid(&r.ID, a.AppID, "role", r.Value)
		if len(r.Members) == 0 {
			r.Members = []string{"Application"}
		}
	}
	for i := range a.Secrets {
		s := &a.Secrets[i]
		guid(&s.ID, a.AppID, "secret", s.Name, fmt.Sprint(i))
		or(&s.Expires, "2299-12-31")
	}
	for i := range a.Certificates {
		c := &a.Certificates[i]
		guid(&c.ID, a.AppID, "certificate", c.Name, fmt.Sprint(i))
	}
	for i := range a.FederatedCredentials {
		a.FederatedCredentials[i].complete(a.AppID)
	}
}

func (c *FederatedCredential) complete(owner string) {
	guid(&c.ID, owner, "federated", c.Name)
	if len(c.Audiences) == 0 {
		c.Audiences = []string{"api://AzureADTokenExchange"}
	}
}

func or(p *string, def string) {
	if *p == "" {
		*p = def
	}
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// guid lowers an id, or derives one from names.
func guid(p *string, names ...string) {
	if *p != "" {
		*p = strings.ToLower(*p)
		return
	}
	*p = Derived(names...)
}

// namespace of derived ids: a random UUID, fixed for good.
const namespace = "4b0fc1c6-3cd8-4a4c-9e63-6cbfb4d0a1a4"

// Derived is the UUID version 5 (RFC 9562 section 5.5) of names in Treaty's namespace.
func Derived(names ...string) string {
	b := derived(names...)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func derived(names ...string) [16]byte {
	h := sha1.New()
	ns, err := hex.DecodeString(strings.ReplaceAll(namespace, "-", ""))
	if err != nil {
		panic(err) // the constant above
	}
	h.Write(ns)
	for _, n := range names {
		fmt.Fprintf(h, "%d:%s", len(n), n)
	}
	b := [16]byte(h.Sum(nil))
	b[6] = b[6]&0x0f | 0x50
	b[8] = b[8]&0x3f | 0x80
	return b
}
