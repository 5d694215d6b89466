package op

import (
	"context"
	"strings"

	"github.com/treatyfed/treaty/core/evidence"
)

// Access is what a caller asks to do.
type Access struct {
	Caller   Caller
	Action   string // "cognito-identity:CreateIdentityPool"
	Resource string // an ARN, or "*"
}

// Permission is the answer to an Access, with its evidence. Because is the end of the cloud's refusal
// text, after "User: … is not authorized to perform: … on resource: … ".
type Permission struct {
	Allowed bool
	Because string
	Checks  evidence.Checks
}

// Authorizer decides an Access. OwnerRoot is the default; a policy engine takes its place.
type Authorizer func(ctx context.Context, a Access) Permission

// OwnerRoot lets the root of the account that owns the resource do everything and others nothing.
func OwnerRoot(_ context.Context, a Access) Permission {
	owner := a.Caller.Account
	if f := strings.SplitN(a.Resource, ":", 6); len(f) == 6 && f[4] != "" {
		owner = f[4]
	}
	root := "arn:aws:iam::" + owner + ":root"
	c := evidence.Check{
		Name: "authorisation", Operator: "equals", Want: []string{root}, Got: []string{a.Caller.ARN},
		OK:   a.Caller.ARN == root,
		Note: a.Action + " on " + a.Resource,
	}
	if !c.OK {
		c.Fix = "call with an access key of " + root
	}
	return Permission{
		Allowed: c.OK,
		Because: "because no identity-based policy allows the " + a.Action + " action",
		Checks:  evidence.Checks{c},
	}
}
