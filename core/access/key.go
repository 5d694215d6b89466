package access

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// Key is an access key with its secret, and whom it speaks for.
type Key struct {
	ID      string
	Secret  credential.Secret // "" when there is no such key
	Subject Subject
}

// Found is how a key was looked up. Expired says that nothing is wrong with it but that its time is over.
type Found struct {
	Checks  evidence.Checks
	Expired bool
}

// temporary begins the ids of keys that need a session token.
const temporary = "ASIA"

// Key finds an access key: a long-term one in the directory, a temporary one in its session token, which
// names the key it goes with. Whether somebody may use it is said by Found; an error means that we could
// not look.
func (d *Decider) Key(ctx context.Context, id, token string) (Key, Found, error) {
	if strings.HasPrefix(id, temporary) {
		return d.session(ctx, id, token)
	}
	c := evidence.Check{Name: "access key", Operator: "is", Want: []string{"an active access key"}, Got: []string{id}}
	key, err := directory.AccessKey{}, error(fault.New(fault.NotFound, "access key", "it has not the form of one"))
	if id != "" {
		key, err = d.Accounts.AccessKey(ctx, id)
	}
	if errors.Is(err, fault.NotFound) {
		c.Note = "there is no such access key"
		return Key{}, Found{Checks: evidence.Checks{c}}, nil
	}
	if err != nil {
		return Key{}, Found{}, err
	}
	who, err := d.longTerm(ctx, key)
	switch {
	case errors.Is(err, fault.NotFound):
		c.Note = "its user is gone"
	case err != nil:
		return Key{}, Found{}, err
	case !key.Active:
		c.Note, c.Fix = "the access key is inactive", "make it active or use another"
	default:
		c.OK = true
	}
	found := Found{Checks: evidence.Checks{c}}
	if token != "" {
		found.Checks = append(found.Checks, evidence.Check{
			Name: "session token", Claim: "X-Amz-Security-Token", Operator: "absent",
			Note: "a long-term access key has no session token", Fix: "remove AWS_SESSION_TOKEN",
		})
	}
	return Key{ID: id, Secret: key.Secret, Subject: who}, found, nil
}

// longTerm is whom a long-term key speaks for: the root of its account, or the user as it is now.
func (d *Decider) longTerm(ctx context.Context, k directory.AccessKey) (Subject, error) {
	p := policy.Principal{Type: policy.Account, Account: k.AccountID, ARN: k.Principal, Issuer: k.Principal, ID: k.PrincipalID}
	if k.PrincipalID == k.AccountID {
		return Subject{Principal: p, UserID: k.PrincipalID}, nil
	}
	u, err := d.Users.WithID(ctx, k.PrincipalID)
	if err != nil {
		return Subject{}, err
	}
	p.Type, p.ARN, p.Issuer = policy.User, u.ARN, u.ARN
	return Subject{Principal: p, UserID: u.ID, UserName: u.Name}, nil
}

// session reads a temporary key out of its session token.
func (d *Decider) session(ctx context.Context, id, token string) (Key, Found, error) {
	c := evidence.Check{Name: "session token", Claim: "X-Amz-Security-Token", Operator: "belongs to", Want: []string{id}}
	refuse := func(note string) (Key, Found, error) {
		c.Note = note
		return Key{}, Found{Checks: evidence.Checks{c}}, nil
	}
	if token == "" {
		c.Fix = "set AWS_SESSION_TOKEN"
		return refuse("a temporary access key needs its session token")
	}
	s, err := d.Sealer.OpenSession(token)
	if errors.Is(err, fault.Unauthenticated) {
		return refuse("this is no session token of ours")
	}
	if err != nil {
		return Key{}, Found{}, err
	}
	c.Got = []string{s.KeyID}
	if s.KeyID != id {
		return refuse("the token is another key's")
	}
	who, err := d.holder(ctx, s)
	if errors.Is(err, fault.NotFound) {
		return refuse("the role or user behind the session is gone")
	}
	if err != nil {
		return Key{}, Found{}, err
	}
	c.OK = true
	life := evidence.Check{Name: "session", Operator: "ends after", Want: []string{d.Now().UTC().Format(time.RFC3339)}, Got: []string{s.Expires.UTC().Format(time.RFC3339)}, OK: d.Now().Before(s.Expires)}
	if !life.OK {
		life.Fix = "get new credentials"
	}
	return Key{ID: id, Secret: s.Secret, Subject: who}, Found{Checks: evidence.Checks{c, life}, Expired: !life.OK}, nil
}

// holder is the subject of a session, if the role or user behind it still exists.
func (d *Decider) holder(ctx context.Context, s credential.Session) (Subject, error) {
	who := SubjectOf(s)
	switch who.Principal.Type {
	case policy.AssumedRole:
		_, err := d.Roles.WithID(ctx, s.ID)
		return who, err
	case policy.User, policy.FederatedUser:
		if s.ID == s.Account { // the root's
			return who, nil
		}
		u, err := d.Users.WithID(ctx, s.ID)
		if who.Principal.Type == policy.User {
			who.UserName = u.Name
		}
		return who, err
	}
	return who, nil
}

// SubjectOf is the subject of a session as the session tells it.
func SubjectOf(s credential.Session) Subject {
	p := policy.Principal{Type: policy.PrincipalType(s.Type), Account: s.Account, ARN: s.ARN, Issuer: s.Issuer, ID: s.ID}
	if p.Issuer == "" {
		p.Issuer = p.ARN
	}
	return Subject{Principal: p, UserID: s.UserID, Session: &s}
}
