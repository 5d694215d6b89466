package access

import (
	"context"
	"strings"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// Named is the subject that an ARN names, for asking what it may do: an account's root, a user, a role or a
// role's session, made now and with no session policies or tags. fault.NotFound when nobody has the name, fault.Invalid
// when it names no such thing.
func (d *Decider) Named(ctx context.Context, arn string) (Subject, error) {
	f := strings.SplitN(arn, ":", 6)
	if len(f) != 6 || f[0] != "arn" || f[2] != "iam" && f[2] != "sts" {
		return Subject{}, fault.New(fault.Invalid, "principal "+arn, "it is not the ARN of a root, user, role or role session")
	}
	account, resource := f[4], f[5]
	kind, name, _ := strings.Cut(resource, "/")
	p := policy.Principal{Account: account, ARN: arn, Issuer: arn}
	made := &credential.Session{Account: account, Type: string(policy.AssumedRole), IssuedAt: d.Now()}
	switch {
	case f[2] == "iam" && resource == "root":
		if _, err := d.Accounts.Account(ctx, account); err != nil {
			return Subject{}, err
		}
		p.Type, p.ID = policy.Account, account
		return Subject{Principal: p, UserID: account}, nil
	case f[2] == "iam" && kind == "user":
		u, err := d.Users.WithARN(ctx, arn)
		p.Type, p.ID = policy.User, u.ID
		return Subject{Principal: p, UserID: u.ID, UserName: u.Name}, err
	case f[2] == "iam" && kind == "role":
		r, err := d.Roles.WithARN(ctx, arn)
		p.Type, p.ID, p.ARN = policy.AssumedRole, r.ID, "arn:aws:sts::"+account+":assumed-role/"+r.Name+"/explain"
		return Subject{Principal: p, UserID: r.ID + ":explain", Session: made}, err
	case f[2] == "sts" && kind == "assumed-role":
		role, session, _ := strings.Cut(name, "/")
		r, err := d.Roles.Named(ctx, account, role)
		p.Type, p.ID, p.Issuer = policy.AssumedRole, r.ID, r.ARN
		return Subject{Principal: p, UserID: r.ID + ":" + session, Session: made}, err
	}
	return Subject{}, fault.New(fault.Invalid, "principal "+arn, "it is not the ARN of a root, user, role or role session")
}
