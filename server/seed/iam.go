package seed

import (
	"net/url"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
)

// IAMUser is a user of an account. What is written here is all that the user may do: policies, groups and
// tags that were given otherwise go at the next start.
type IAMUser struct {
	ID              string            `yaml:"id"` // AIDA…
	Name            string            `yaml:"name"`
	Path            string            `yaml:"path"`   // default /
	Groups          []string          `yaml:"groups"` // by name
	InlinePolicies  []InlinePolicy    `yaml:"inline_policies"`
	ManagedPolicies []string          `yaml:"managed_policies"` // ARNs
	Boundary        string            `yaml:"boundary"`         // ARN of a managed policy
	Tags            map[string]string `yaml:"tags"`
	AccessKeys      []UserKey         `yaml:"access_keys"`
}

// UserKey is a long-term key of a user.
type UserKey struct {
	ID     string            `yaml:"id"`     // AKIA…
	Secret credential.Secret `yaml:"secret"` // 16 to 128 characters
}

// IAMGroup is a group of users.
type IAMGroup struct {
	ID              string         `yaml:"id"` // AGPA…
	Name            string         `yaml:"name"`
	Path            string         `yaml:"path"`
	InlinePolicies  []InlinePolicy `yaml:"inline_policies"`
	ManagedPolicies []string       `yaml:"managed_policies"`
}

// IAMRole is a role.
type IAMRole struct {
	ID              string            `yaml:"id"` // AROA…
	Name            string            `yaml:"name"`
	Path            string            `yaml:"path"`
	Description     string            `yaml:"description"`
	Trust           Policy            `yaml:"trust"` // who may take the role
	InlinePolicies  []InlinePolicy    `yaml:"inline_policies"`
	ManagedPolicies []string          `yaml:"managed_policies"`
	Boundary        string            `yaml:"boundary"`
	MaxSession      int               `yaml:"max_session"` // seconds; default 3600
	Tags            map[string]string `yaml:"tags"`
}

// IAMPolicy is a customer managed policy. A document that differs from the one in force becomes a new version.
type IAMPolicy struct {
	ID          string            `yaml:"id"` // ANPA…
	Name        string            `yaml:"name"`
	Path        string            `yaml:"path"`
	Description string            `yaml:"description"`
	Document    Policy            `yaml:"document"`
	Tags        map[string]string `yaml:"tags"`
}

// InlinePolicy belongs to one user, group or role.
type InlinePolicy struct {
	Name     string `yaml:"name"`
	Document Policy `yaml:"document"`
}

// OIDCProvider is an issuer that the account's roles may trust.
type OIDCProvider struct {
	URL         string            `yaml:"url"` // https://…, path and trailing slash as in the tokens
	ClientIDs   []string          `yaml:"client_ids"`
	Thumbprints []string          `yaml:"thumbprints"` // SHA-1 in hex, of certificates that no public CA vouches for
	Tags        map[string]string `yaml:"tags"`
}

// completeIAM fills in ids, paths and defaults.
func (a *Account) completeIAM() {
	for i := range a.Users {
		u := &a.Users[i]
		or(&u.ID, uniqueID("AIDA", a.ID, "user", u.Name))
		or(&u.Path, "/")
	}
	for i := range a.Groups {
		g := &a.Groups[i]
		or(&g.ID, uniqueID("AGPA", a.ID, "group", g.Name))
		or(&g.Path, "/")
	}
	for i := range a.Roles {
		r := &a.Roles[i]
		or(&r.ID, uniqueID("AROA", a.ID, "role", r.Name))
		or(&r.Path, "/")
		if r.MaxSession == 0 {
			r.MaxSession = minSession
		}
	}
	for i := range a.Policies {
		p := &a.Policies[i]
		or(&p.ID, uniqueID("ANPA", a.ID, "policy", p.Name))
		or(&p.Path, "/")
	}
	for i := range a.OIDCProviders {
		p := &a.OIDCProviders[i]
		for j := range p.Thumbprints {
			p.Thumbprints[j] = strings.ToLower(p.Thumbprints[j])
		}
	}
}

// uniqueID derives the id of an IAM entity: a prefix and 17 characters.
func uniqueID(prefix string, names ...string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(Derived(names...), "-", "")[:17])
}

// entity is what an entity of IAM has, whatever its kind.
func entity(account, kind, id, path, name string, tags map[string]string) directory.IAMEntity {
	e := directory.IAMEntity{ID: id, AccountID: account, ARN: "arn:aws:iam::" + account + ":" + kind + path + name, Path: path, Name: name}
	for k, v := range tags {
		e.Tags = append(e.Tags, directory.Tag{Key: k, Value: v})
	}
	slices.SortFunc(e.Tags, func(a, b directory.Tag) int { return strings.Compare(a.Key, b.Key) })
	return e
}

func granted(inline []InlinePolicy, managed []string, boundary string) directory.Grants {
	g := directory.Grants{Boundary: boundary}
	for _, p := range inline {
		g.Inline = append(g.Inline, directory.InlinePolicy{Name: p.Name, Document: string(p.Document)})
	}
	slices.SortFunc(g.Inline, func(a, b directory.InlinePolicy) int { return strings.Compare(a.Name, b.Name) })
	g.Managed = append(g.Managed, managed...) // nil for none, as the store has it
	return g
}

// issuerName is the name of an issuer's provider: its URL without scheme and without the port of https.
// ok is false for what IAM takes for no issuer (API reference, CreateOpenIDConnectProvider).
func issuerName(raw string) (name string, ok bool) {
	u, err := url.Parse(raw)
	rest, https := strings.CutPrefix(raw, "https://")
	if err != nil || !https || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || strings.ContainsAny(raw, "?# ") || len(raw) > maxProviderURL {
		return "", false
	}
	host, path, slash := strings.Cut(rest, "/")
	host = strings.TrimSuffix(host, ":443")
	if slash {
		host += "/" + path
	}
	return host, true
}
