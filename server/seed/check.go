package seed

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/treatyfed/treaty/server/config"
)

// Forms, from AWS's service models (IAM accessKeyIdType, Cognito IdentityPoolId and
// DeveloperProviderName) and Microsoft Graph's documentation of federatedIdentityCredential.
var (
	accountID     = regexp.MustCompile(`^[0-9]{12}$`)
	accessKeyID   = regexp.MustCompile(`^[A-Z0-9]{16,128}$`)
	userName      = regexp.MustCompile(`^[\w+=,.@-]{0,64}$`)
	poolID        = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	poolName      = regexp.MustCompile(`^[\w\s+=,.@-]{1,128}$`)
	providerName  = regexp.MustCompile(`^[\w._-]{0,128}$`)
	guidForm      = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	domainForm    = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	countryForm   = regexp.MustCompile(`^[A-Z]{2}$`)
	upnForm       = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`) // counted repetitions of such classes take milliseconds to make
	trustName     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{2,119}$`)
	scopeForm     = regexp.MustCompile(`^/$|^(/[^/\s]+)+$`)
	maxFederated  = 20
	maxIdentifier = 255

	maxDeveloperUser = 1024
)

// checker collects problems and ids that must be unique in the document.
type checker struct {
	config.Problems
	seen map[string]string // kind and value -> path
}

// Check reports everything wrong with a completed document, as config.Problems.
func (d Document) Check() error {
	c := &checker{seen: map[string]string{}}
	for i, a := range d.Accounts {
		c.account(fmt.Sprintf("accounts[%d]", i), a)
	}
	for i, t := range d.Tenants {
		c.tenant(fmt.Sprintf("tenants[%d]", i), t)
	}
	for i, n := range d.Issuers {
		c.issuer(fmt.Sprintf("issuers[%d]", i), n)
	}
	return c.Err()
}

func (c *checker) form(path, value string, form *regexp.Regexp, what string) {
	if !form.MatchString(value) {
		c.Add(path, "%q is no %s", value, what)
	}
}

// unique notes a value of a kind and reports a second one.
func (c *checker) unique(kind, path, value string) {
	key := kind + "\x00" + strings.ToLower(value)
	if value == "" {
		return
	}
	if before, ok := c.seen[key]; ok {
		c.Add(path, "%q is already at %s", value, before)
		return
	}
	c.seen[key] = path
}

func (c *checker) account(path string, a Account) {
	c.form(path+".id", a.ID, accountID, "account id of twelve digits (quote it)")
	c.unique("account", path+".id", a.ID)
	for i, k := range a.AccessKeys {
		c.accessKey(fmt.Sprintf("%s.access_keys[%d]", path, i), k)
	}
	c.iam(path, a)
	for i, pool := range a.IdentityPools {
		p := fmt.Sprintf("%s.identity_pools[%d]", path, i)
		c.form(p+".id", pool.ID, poolID, "identity pool id, REGION:GUID")
		c.unique("pool", p+".id", pool.ID)
		c.form(p+".name", pool.Name, poolName, "identity pool name")
		c.form(p+".developer_provider", pool.DeveloperProvider, providerName, "developer provider name")
		for j, identity := range pool.Identities {
			c.identity(fmt.Sprintf("%s.identities[%d]", p, j), pool, identity)
		}
	}
}

func (c *checker) accessKey(path string, k AccessKey) {
	c.form(path+".id", k.ID, accessKeyID, "access key id of 16 to 128 capitals and digits")
	c.unique("access key", path+".id", k.ID)
	if n := len(k.Secret); n < 16 || n > 128 {
		c.Add(path+".secret", "has %d characters; 16 to 128 are taken", n)
	}
	c.form(path+".user", k.User, userName, "IAM user name")
}

func (c *checker) identity(path string, pool IdentityPool, i Identity) {
	c.form(path+".id", i.ID, poolID, "identity id, REGION:GUID")
	c.unique("identity", path+".id", i.ID)
	c.unique("identity of "+pool.ID, path+".user", i.User)
	region, _, _ := strings.Cut(pool.ID, ":")
	if of, _, _ := strings.Cut(i.ID, ":"); of != region {
		c.Add(path+".id", "is of region %s, its pool of %s", of, region)
	}
	if n := len(i.User); n < 1 || n > maxDeveloperUser {
		c.Add(path+".user", "has %d bytes; 1 to %d are taken", n, maxDeveloperUser)
	}
	if pool.DeveloperProvider == "" {
		c.Add(path, "the pool has no developer_provider")
	}
}

func (c *checker) tenant(path string, t Tenant) {
	c.form(path+".id", t.ID, guidForm, "GUID")
	c.unique("tenant", path+".id", t.ID)
	c.form(path+".country", t.Country, countryForm, "country of two capitals")
	if t.Keys != "" && t.Keys != sharedKeys && t.Keys != ownKeys {
		c.Add(path+".keys", "%q is neither shared nor own", t.Keys)
	}
	if len(t.Domains) == 0 {
		c.Add(path+".domains", "a tenant has at least one domain")
	}
	for i, d := range t.Domains {
		p := fmt.Sprintf("%s.domains[%d]", path, i)
		c.form(p, d, domainForm, "domain name")
		c.unique("domain", p, d)
	}
	for i, a := range t.Applications {
		c.application(fmt.Sprintf("%s.applications[%d]", path, i), t.ID, a)
	}
	for i, u := range t.Users {
		p := fmt.Sprintf("%s.users[%d]", path, i)
		c.form(p+".id", u.ID, guidForm, "GUID")
		c.unique("object "+t.ID, p+".id", u.ID)
		c.form(p+".upn", u.UPN, upnForm, "user principal name")
		if name, domain, _ := strings.Cut(u.UPN, "@"); len(name) > 64 || len(domain) > 253 {
			c.Add(p+".upn", "%q is too long: 64 bytes before the @ and 253 after it", u.UPN)
		}
		c.unique("user "+t.ID, p+".upn", u.UPN)
	}
	for i, s := range t.Subscriptions {
		p := fmt.Sprintf("%s.subscriptions[%d]", path, i)
		c.form(p+".id", s.ID, guidForm, "GUID")
		c.unique("subscription", p+".id", s.ID)
		if s.Name == "" {
			c.Add(p+".name", "is missing")
		}
	}
	for i, r := range t.RoleAssignments {
		p := fmt.Sprintf("%s.role_assignments[%d]", path, i)
		c.form(p+".principal", strings.ToLower(r.Principal), guidForm, "GUID")
		c.role(p, Role{r.Role, r.Scope})
		if r.Type != "ServicePrincipal" && r.Type != "User" && r.Type != "Group" {
			c.Add(p+".type", "%q is none of ServicePrincipal, User, Group", r.Type)
		}
	}
	for i, m := range t.ManagedIdentities {
		c.managedIdentity(fmt.Sprintf("%s.managed_identities[%d]", path, i), t.ID, m)
	}
	for i, m := range t.Machines {
		c.machine(fmt.Sprintf("%s.machines[%d]", path, i), m)
	}
}

func (c *checker) application(path, tenant string, a Application) {
	if a.Name == "" {
		c.Add(path+".name", "is missing")
	}
	c.form(path+".app_id", a.AppID, guidForm, "GUID")
	c.unique("app", path+".app_id", a.AppID)
	c.form(path+".object_id", a.ObjectID, guidForm, "GUID")
	c.unique("object "+tenant, path+".object_id", a.ObjectID)
	c.form(path+".principal_id", a.PrincipalID, guidForm, "GUID")
	c.unique("object "+tenant, path+".principal_id", a.PrincipalID)
	c.unique("unique name "+tenant, path+".unique_name", a.UniqueName)
	switch a.SignInAudience {
	case "AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount":
	default:
		c.Add(path+".sign_in_audience", "%q is none of Microsoft Graph's", a.SignInAudience)
	}
	for i, u := range a.IdentifierURIs {
		p := fmt.Sprintf("%s.identifier_uris[%d]", path, i)
		if parsed, err := url.Parse(u); err != nil || parsed.Scheme == "" || len(u) > maxIdentifier {
			c.Add(p, "%q is no URI", u)
		}
		c.unique("identifier "+tenant, p, u)
	}
	if a.TokenVersion < 0 || a.TokenVersion > 2 {
		c.Add(path+".token_version", "%d is none of 0, 1, 2", a.TokenVersion)
	}
	c.credentials(path, a)
	c.grants(path, a)
}

func (c *checker) credentials(path string, a Application) {
	for i, s := range a.Secrets {
		p := fmt.Sprintf("%s.secrets[%d]", path, i)
		c.form(p+".id", s.ID, guidForm, "GUID")
		if n := len(s.Value); n < 8 || n > 255 {
			c.Add(p+".value", "has %d characters; 8 to 255 are taken", n)
		}
		if _, err := day(s.Expires); err != nil {
			c.Add(p+".expires", "%q is no date and no RFC 3339 time", s.Expires)
		}
	}
	for i, k := range a.Certificates {
		p := fmt.Sprintf("%s.certificates[%d]", path, i)
		c.form(p+".id", k.ID, guidForm, "GUID")
		if _, err := certificate(k.PEM); err != nil {
			c.Add(p+".pem", "%v", err)
		}
	}
	c.federated(path, a.AppID, a.FederatedCredentials)
}

// federated checks the trusts of an application or a managed identity.
func (c *checker) federated(path, owner string, list []FederatedCredential) {
	if len(list) > maxFederated {
		c.Add(path+".federated_credentials", "there are at most %d", maxFederated)
	}
	for i, f := range list {
		p := fmt.Sprintf("%s.federated_credentials[%d]", path, i)
		c.form(p+".name", f.Name, trustName, "name of 3 to 120 letters, digits, - and _")
		c.unique("trust "+owner, p+".name", f.Name)
		c.form(p+".id", f.ID, guidForm, "GUID")
		if u, err := url.Parse(f.Issuer); err != nil || u.Scheme != "https" || u.Host == "" || len(f.Issuer) > 600 {
			c.Add(p+".issuer", "%q is no https URL of at most 600 characters", f.Issuer)
		}
		if (f.Subject == "") == (f.Expression == "") {
			c.Add(p+".subject", "either subject or expression is set")
		}
		if len(f.Subject) > 600 {
			c.Add(p+".subject", "is longer than 600 characters")
		} else if f.Subject != "" {
			c.unique("trusted "+owner, p+".subject", f.Issuer+" "+f.Subject)
		}
		if len(f.Audiences) != 1 || f.Audiences[0] == "" || len(f.Audiences[0]) > 600 {
			c.Add(p+".audiences", "there is exactly one, of at most 600 characters")
		}
	}
}

func (c *checker) grants(path string, a Application) {
	for i, r := range a.AppRoles {
		p := fmt.Sprintf("%s.app_roles[%d]", path, i)
		c.form(p+".id", r.ID, guidForm, "GUID")
		if r.Value == "" || strings.ContainsAny(r.Value, " \t\n") {
			c.Add(p+".value", "%q is no role value", r.Value)
		}
		c.unique("role "+a.AppID, p+".value", r.Value)
		for j, m := range r.Members {
			if m != "Application" && m != "User" {
				c.Add(fmt.Sprintf("%s.members[%d]", p, j), "%q is neither Application nor User", m)
			}
		}
	}
	c.held(path, a.Permissions, a.Roles)
}

func (c *checker) role(path string, r Role) {
	if r.Role == "" {
		c.Add(path+".role", "is missing")
	}
	c.form(path+".scope", r.Scope, scopeForm, "scope such as /subscriptions/GUID")
}

// day reads an RFC 3339 time or a date, which is its midnight in UTC.
func day(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, s)
}

func certificate(text string) (*x509.Certificate, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, fmt.Errorf("is not one PEM certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}
