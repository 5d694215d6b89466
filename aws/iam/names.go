package iam

import (
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// text is what a string points to, "" for nil.
func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// optional is a member that is absent when it is empty.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// orEmpty makes a list that is written even when it has no members.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// seconds is a timestamp as IAM's answers have it.
func seconds(t time.Time) *time.Time {
	t = t.UTC().Truncate(time.Second)
	return &t
}

// pathOr is a path, by default "/".
func pathOr(p *string) string {
	if text(p) == "" {
		return "/"
	}
	return *p
}

// arnOf makes the ARN of an entity of an account (IAM user guide, "IAM ARNs"); kind is "role", "user",
// "group" or "mfa".
func arnOf(account, kind, path, name string) string {
	return "arn:aws:iam::" + account + ":" + kind + path + name
}

// size is how much of a quota a policy takes: white space does not count (IAM user guide, "IAM and STS
// quotas").
func size(document string) int { return policy.Size(document) }

// encodeDocument is a policy as answers carry it: percent-encoded by RFC 3986, so that a document that has
// percent signs itself comes back encoded twice.
func encodeDocument(document string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(document) {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// serviceLinked begins the paths of roles that only AWS's services make and change (IAM user guide,
// "Create a service-linked role").
const serviceLinked = "/aws-service-role/"

// mayChange refuses changes to a role that belongs to a service.
func mayChange(e directory.IAMEntity) error {
	if !strings.HasPrefix(e.Path, serviceLinked) {
		return nil
	}
	return refusal(unmodifiable, "Cannot perform the operation on the protected role '"+e.Name+"' - this role is only modifiable by AWS")
}

func noRole(name string) error {
	return refusal(noSuchEntity, "The role with name "+name+" cannot be found.")
}

func noUser(name string) error {
	return refusal(noSuchEntity, "The user with name "+name+" cannot be found.")
}

func noGroup(name string) error {
	return refusal(noSuchEntity, "The group with name "+name+" cannot be found.")
}
