// Package access decides what a caller of one of Amazon's surfaces may do: it finds the policies that
// apply to the caller, evaluates them with core/policy, and hands roles to whom their trust policies admit.
//
// It owns the Subject (a caller as policies see it), the loading of its identity policies, boundary and
// session policies, the condition keys that belong to a principal, and Assume, by which every kind of
// AssumeRole comes to a session. It leaves the language to core/policy, sealing to core/credential, what an
// operation's action, resource and own keys are to the surfaces, and their words of refusal too.
package access

import (
	"io"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// Decider finds policies and decides. Every field must be set but Usage.
type Decider struct {
	Accounts    directory.Accounts
	Roles       directory.Entities[directory.IAMRole]
	Users       directory.Entities[directory.IAMUser]
	Policies    directory.Entities[directory.IAMPolicy]
	Memberships directory.Memberships
	Usage       directory.Usage
	Sealer      *credential.Sealer
	// Managed gives the document of a policy that the cloud itself offers (arn:aws:iam::aws:policy/…).
	Managed func(arn string) (document string, ok bool)
	Now     func() time.Time
	Rand    io.Reader

	parsed documents
	noted  noted
}

// Subject is a caller as policies see it. Session is nil for long-term keys and for federated principals.
type Subject struct {
	Principal policy.Principal
	UserID    string // aws:userid
	UserName  string // aws:username, of users only
	Session   *credential.Session
}

// Ask is one thing that a subject wants to do.
type Ask struct {
	Subject  Subject
	Action   string // "iam:GetRole"
	Resource string // an ARN, or "*"
	Owner    string // account of the resource, "" when the ARN says it
	Context  policy.Context
	Policies []policy.Source // beside the subject's own: a resource's policy, a role's trust policy
}

// ResourceTags gives aws:ResourceTag/K their values.
func ResourceTags(c policy.Context, tags []directory.Tag) {
	for _, t := range tags {
		c.Set("aws:ResourceTag/"+t.Key, t.Value)
	}
}

// RequestTags gives aws:RequestTag/K and aws:TagKeys their values.
func RequestTags(c policy.Context, tags []directory.Tag) {
	keys := make([]string, len(tags))
	for i, t := range tags {
		keys[i] = t.Key
		c.Set("aws:RequestTag/"+t.Key, t.Value)
	}
	c.SetMany("aws:TagKeys", keys...)
}
