package seed

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// Forms and quotas, from the service model of IAM (roleNameType, groupNameType, pathType, policyPathType,
// tagKeyType, accountAliasType) and the IAM user guide, "IAM and STS quotas".
var (
	entityName  = regexp.MustCompile(`^[\w+=,.@-]+$`)
	entityPath  = regexp.MustCompile(`^/([!-~]+/)?$`)
	policyPath  = regexp.MustCompile(`^/([A-Za-z0-9.,+@=_-]+/)*$`)
	policyARN   = regexp.MustCompile(`^arn:aws:iam::(aws|[0-9]{12}):policy/[!-~]+$`)
	aliasForm   = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9]){2,62}$`)
	thumbprint  = regexp.MustCompile(`^[0-9a-f]{40}$`)
	description = regexp.MustCompile(`^[\t\n\r -~\x{a1}-\x{ff}]*$`)
)

const (
	maxAlias       = 63
	maxPath        = 512
	maxRoleName    = 64 // of roles and users
	maxOtherName   = 128
	maxManagedSize = 6144 // characters that are not white space, as those below
	maxUserInline  = 2048
	maxGroupInline = 5120
	maxRoleInline  = 10240
	maxTrust       = 2048
	maxAttached    = 10
	maxGroups      = 10
	maxUserKeys    = 2
	maxTags        = 50
	minSession     = 3600
	maxSession     = 43200
	maxClientIDs   = 100
	maxThumbprints = 5
	maxProviderURL = 255
)

func (c *checker) iam(path string, a Account) {
	account := a.ID
	if a.Alias != "" {
		c.form(path+".alias", a.Alias, aliasForm, "account alias of 3 to 63 small letters, digits and single hyphens")
		if len(a.Alias) > maxAlias {
			c.Add(path+".alias", "is longer than %d characters", maxAlias)
		}
		c.unique("alias", path+".alias", a.Alias)
	}
	for i, p := range a.Policies {
		at := fmt.Sprintf("%s.policies[%d]", path, i)
		c.entity(at, account, "policy", "ANPA", p.ID, p.Path, p.Name, maxOtherName)
		c.form(at+".path", p.Path, policyPath, "path of a policy: letters, digits and .,+@=_- between slashes")
		c.description(at+".description", p.Description)
		c.document(at+".document", p.Document, policy.Managed)
		c.size(at+".document", maxManagedSize, p.Document)
		c.tags(at, p.Tags)
	}
	for i, g := range a.Groups {
		at := fmt.Sprintf("%s.groups[%d]", path, i)
		c.entity(at, account, "group", "AGPA", g.ID, g.Path, g.Name, maxOtherName)
		c.granted(at, account, g.InlinePolicies, g.ManagedPolicies, "", maxGroupInline)
	}
	for i, u := range a.Users {
		c.user(fmt.Sprintf("%s.users[%d]", path, i), account, u)
	}
	for i, r := range a.Roles {
		at := fmt.Sprintf("%s.roles[%d]", path, i)
		c.entity(at, account, "role", "AROA", r.ID, r.Path, r.Name, maxRoleName)
		c.description(at+".description", r.Description)
		c.document(at+".trust", r.Trust, policy.Trust)
		c.size(at+".trust", maxTrust, r.Trust)
		c.granted(at, account, r.InlinePolicies, r.ManagedPolicies, r.Boundary, maxRoleInline)
		c.tags(at, r.Tags)
		if r.MaxSession < minSession || r.MaxSession > maxSession {
			c.Add(at+".max_session", "%d is not between %d and %d seconds", r.MaxSession, minSession, maxSession)
		}
	}
	for i, p := range a.OIDCProviders {
		c.provider(fmt.Sprintf("%s.oidc_providers[%d]", path, i), account, p)
	}
}

func (c *checker) user(path, account string, u IAMUser) {
	c.entity(path, account, "user", "AIDA", u.ID, u.Path, u.Name, maxRoleName)
	c.granted(path, account, u.InlinePolicies, u.ManagedPolicies, u.Boundary, maxUserInline)
	c.tags(path, u.Tags)
	if len(u.Groups) > maxGroups {
		c.Add(path+".groups", "a user is in at most %d", maxGroups)
	}
	if len(u.AccessKeys) > maxUserKeys {
		c.Add(path+".access_keys", "a user has at most %d", maxUserKeys)
	}
	for i, k := range u.AccessKeys {
		c.accessKey(fmt.Sprintf("%s.access_keys[%d]", path, i), AccessKey{ID: k.ID, Secret: k.Secret})
	}
}

// entity checks what every entity has.
func (c *checker) entity(path, account, kind, prefix, id, under, name string, longest int) {
	c.form(path+".name", name, entityName, "name of letters, digits and +=,.@-_")
	if len(name) > longest {
		c.Add(path+".name", "is longer than %d characters", longest)
	}
	c.unique(kind+" "+account, path+".name", name)
	if !strings.HasPrefix(id, prefix) || !accessKeyID.MatchString(id) {
		c.Add(path+".id", "%q is no id of a %s: %s and 12 to 124 capitals and digits", id, kind, prefix)
	}
	c.unique("IAM id", path+".id", id)
	if !entityPath.MatchString(under) || len(under) > maxPath {
		c.Add(path+".path", "%q is no path of at most %d characters that begins and ends with a slash", under, maxPath)
	}
}

func (c *checker) granted(path, account string, inline []InlinePolicy, managed []string, boundary string, most int) {
	var texts []Policy
	for i, p := range inline {
		at := fmt.Sprintf("%s.inline_policies[%d]", path, i)
		c.form(at+".name", p.Name, entityName, "name of letters, digits and +=,.@-_")
		if len(p.Name) > maxOtherName {
			c.Add(at+".name", "is longer than %d characters", maxOtherName)
		}
		c.unique("inline policy "+path, at+".name", p.Name)
		c.document(at+".document", p.Document, policy.Identity)
		texts = append(texts, p.Document)
	}
	c.size(path+".inline_policies", most, texts...)
	if len(managed) > maxAttached {
		c.Add(path+".managed_policies", "at most %d are attached", maxAttached)
	}
	for i, arn := range managed {
		at := fmt.Sprintf("%s.managed_policies[%d]", path, i)
		c.attachable(at, account, arn)
		c.unique("attached to "+path, at, arn)
	}
	if boundary != "" {
		c.attachable(path+".boundary", account, boundary)
	}
}

// attachable checks the ARN of a managed policy. Whether there is such a policy is seen when the document
// is applied.
func (c *checker) attachable(path, account, arn string) {
	m := policyARN.FindStringSubmatch(arn)
	switch {
	case m == nil:
		c.Add(path, "%q is no ARN of a managed policy, arn:aws:iam::ACCOUNT:policy/NAME", arn)
	case m[1] != "aws" && m[1] != account:
		c.Add(path, "the policy is of account %s, which cannot be attached in %s", m[1], account)
	}
}

// document checks a policy; the words for what is wrong are IAM's.
func (c *checker) document(path string, p Policy, k policy.Kind) {
	if p == "" {
		c.Add(path, "is missing")
	} else if _, err := policy.Parse(string(p), k); err != nil {
		c.Add(path, "%v", err)
	}
}

// size checks what documents take of a quota together.
func (c *checker) size(path string, most int, ps ...Policy) {
	n := 0
	for _, p := range ps {
		n += policy.Size(string(p))
	}
	if n > most {
		c.Add(path, "takes %d characters without white space; %d are taken", n, most)
	}
}

func (c *checker) tags(path string, tags map[string]string) {
	if len(tags) > maxTags {
		c.Add(path+".tags", "there are at most %d", maxTags)
	}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		at := path + ".tags." + k
		if !directory.ValidTagKey(k) || strings.TrimSpace(k) == "" || strings.HasPrefix(strings.ToLower(k), "aws:") {
			c.Add(at, "%q is no tag key of at most 128 letters, digits, spaces and _.:/=+-@ that does not begin with aws:", k)
		}
		if !directory.ValidTagValue(tags[k]) {
			c.Add(at, "%q is no tag value of at most 256 letters, digits, spaces and _.:/=+-@", tags[k])
		}
		c.unique("tag "+path, at, k)
	}
}

// description holds at most 1000 characters of Latin-1 (service model, roleDescriptionType).
func (c *checker) description(path, text string) {
	if !description.MatchString(text) || utf8.RuneCountInString(text) > 1000 {
		c.Add(path, "%q is no description of at most 1000 Latin-1 characters", text)
	}
}

func (c *checker) provider(path, account string, p OIDCProvider) {
	name, ok := issuerName(p.URL)
	if !ok {
		c.Add(path+".url", "%q is no https URL of at most %d characters without query and fragment", p.URL, maxProviderURL)
	}
	if before, taken := c.seen["provider "+account+"\x00"+name]; taken && ok {
		c.Add(path+".url", "%q is already at %s", p.URL, before)
	}
	c.seen["provider "+account+"\x00"+name] = path // in its case: paths differ by case
	if len(p.ClientIDs) > maxClientIDs {
		c.Add(path+".client_ids", "there are at most %d", maxClientIDs)
	}
	for i, id := range p.ClientIDs {
		if n := len(id); n < 1 || n > maxProviderURL {
			c.Add(fmt.Sprintf("%s.client_ids[%d]", path, i), "has %d characters; 1 to %d are taken", n, maxProviderURL)
		}
	}
	if len(p.Thumbprints) > maxThumbprints {
		c.Add(path+".thumbprints", "there are at most %d", maxThumbprints)
	}
	for i, print := range p.Thumbprints {
		c.form(fmt.Sprintf("%s.thumbprints[%d]", path, i), print, thumbprint, "SHA-1 thumbprint of 40 hexadecimal digits")
	}
	c.tags(path, p.Tags)
}
