package webidentity

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
)

// The claims by which an issuer shapes the session (IAM user guide, "Passing session tags using
// AssumeRoleWithWebIdentity"; STS service authorization reference, sts:RoleAuthorizedByIdp).
const (
	ClaimTags           = "https://aws.amazon.com/tags"
	ClaimSourceIdentity = "https://aws.amazon.com/source_identity"
	ClaimRoles          = "https://aws.amazon.com/roles"

	claimTag        = ClaimTags + "/principal_tags/" // and the tag's key
	claimTransitive = ClaimTags + "/transitive_tag_keys"
)

// Constraints of the STS service model: tagKeyType, tagValueType, tagListType, sourceIdentityType.
const maxTags = 50

var (
	sourceIdentity = regexp.MustCompile(`^(?:[\w+=,.@-]{2,64})$`)
)

// session reads what the token says of the session that it is to become.
func (x *examination) session(id *Identity) {
	c := x.p.Claims
	if c == nil {
		return
	}
	note := func(name, claim string, got []string, bad string, why Reason) {
		if len(got) == 0 && bad == "" {
			return
		}
		x.Token = append(x.Token, evidence.Check{Name: name, Claim: claim, Operator: "is", Want: []string{"well formed"}, Got: got, OK: bad == "", Note: bad})
		if bad != "" {
			x.refuse(why)
		}
	}
	var bad string
	id.Tags, bad = sessionTags(c)
	note("session tags", ClaimTags, evidence.Values(keysOf(id.Tags)), bad, BadTags)
	id.Transitive, bad = transitiveKeys(c)
	note("transitive tags", claimTransitive, evidence.Values(id.Transitive), bad, BadTransitive)
	id.SourceIdentity, bad = source(c)
	got := []string{}
	if id.SourceIdentity != "" {
		got = append(got, id.SourceIdentity)
	}
	note("source identity", ClaimSourceIdentity, got, bad, BadSource)
	id.Roles, id.RolesNamed = roles(c)
}

func keysOf(tags []directory.Tag) []string {
	out := make([]string, len(tags))
	for i, t := range tags {
		out[i] = t.Key
	}
	return out
}

// sessionTags reads tags in either form: an object of arrays with one string each, or a claim a tag. Both
// may come together; that a key then comes twice is for STS to refuse. bad says what is wrong.
func sessionTags(c token.Claims) (tags []directory.Tag, bad string) {
	nested, bad := nestedTags(c)
	if bad != "" {
		return nil, bad
	}
	for key, v := range nested {
		list, _ := v.([]any)
		if len(list) != 1 {
			return nil, "the value of a tag is no array with one element"
		}
		value, ok := list[0].(string)
		if !ok {
			return nil, "the value of a tag is no string"
		}
		tags = append(tags, directory.Tag{Key: key, Value: value})
	}
	for name, v := range c {
		key, is := strings.CutPrefix(name, claimTag)
		if !is {
			continue
		}
		value, ok := v.(string)
		if !ok {
			return nil, "the value of a tag is no string"
		}
		tags = append(tags, directory.Tag{Key: key, Value: value})
	}
	slices.SortFunc(tags, func(a, b directory.Tag) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value)) })
	if bad = BadTag(tags); bad != "" {
		return nil, bad
	}
	return tags, ""
}

// BadTag says what is wrong with the session tags that a token asks for, "" when nothing is.
func BadTag(tags []directory.Tag) string {
	if len(tags) > maxTags {
		return "there are more than 50 tags"
	}
	for _, t := range tags {
		if !directory.ValidTagKey(t.Key) || !directory.ValidTagValue(t.Value) || reserved(t.Key) {
			return "a tag has a key or value that tags may not have"
		}
	}
	return ""
}

// reserved reports the prefix that only AWS's own names have.
func reserved(s string) bool { return len(s) >= 4 && strings.EqualFold(s[:4], "aws:") }

func nestedTags(c token.Claims) (tags map[string]any, bad string) {
	all, bad := tagClaim(c)
	if bad != "" || all["principal_tags"] == nil {
		return nil, bad
	}
	tags, ok := all["principal_tags"].(map[string]any)
	if !ok {
		return nil, "principal_tags is no object"
	}
	return tags, ""
}

func tagClaim(c token.Claims) (map[string]any, string) {
	if c[ClaimTags] == nil {
		return nil, ""
	}
	all, ok := c[ClaimTags].(map[string]any)
	if !ok {
		return nil, "the claim is no object"
	}
	return all, ""
}

// transitiveKeys reads which tags go on along a chain, in either form.
func transitiveKeys(c token.Claims) (keys []string, bad string) {
	all, _ := tagClaim(c) // sessionTags said what is wrong with it
	for _, v := range []any{all["transitive_tag_keys"], c[claimTransitive]} {
		if v == nil {
			continue
		}
		list, ok := v.([]any)
		if !ok {
			return nil, "it is no array"
		}
		for _, e := range list {
			key, ok := e.(string)
			if !ok || !directory.ValidTagKey(key) {
				return nil, "an element is no key of a tag"
			}
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	if len(keys) > maxTags {
		return nil, "there are more than 50 keys"
	}
	return keys, ""
}

func source(c token.Claims) (name, bad string) {
	if c[ClaimSourceIdentity] == nil {
		return "", ""
	}
	name, ok := c[ClaimSourceIdentity].(string)
	if !ok || !sourceIdentity.MatchString(name) || reserved(name) {
		return "", "it is no name of 2 to 64 letters, digits and +=,.@_-, or begins with aws:"
	}
	return name, ""
}

// roles reads which roles the issuer lets the token be used for: an array, or one string with semicolons.
// named tells a claim that names none from one that is absent or null.
func roles(c token.Claims) (arns []string, named bool) {
	v := c[ClaimRoles]
	if v == nil {
		return nil, false
	}
	list := c.Texts(ClaimRoles)
	if s, ok := v.(string); ok {
		list = strings.Split(s, ";")
	}
	for _, arn := range list {
		if arn = strings.TrimSpace(arn); arn != "" {
			arns = append(arns, arn)
		}
	}
	return arns, true
}

// NamesRole checks that the token may be used for a role. named is false when it names none at all, which
// lets it be used for every role that trusts it; otherwise one that is not in the check's Want is refused.
func (id Identity) NamesRole(arn string) (check evidence.Check, named bool) {
	check = evidence.Check{
		Name: "role named by the token", Claim: ClaimRoles, Operator: "one of", Want: evidence.Values(id.Roles), Got: []string{evidence.Clip(arn)},
		OK: !id.RolesNamed || slices.Contains(id.Roles, arn),
	}
	switch {
	case !id.RolesNamed:
		check.Note = "the token names no roles, and so may be used for any that trusts it"
	case !check.OK:
		check.Fix = "have the issuer put the role's ARN into the claim"
	}
	return check, id.RolesNamed
}
