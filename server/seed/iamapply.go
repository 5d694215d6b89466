package seed

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/server/config"
)

// IAM is where the identities of accounts are applied.
type IAM struct {
	Roles       directory.Entities[directory.IAMRole]
	Users       directory.Entities[directory.IAMUser]
	Groups      directory.Entities[directory.IAMGroup]
	Policies    directory.Entities[directory.IAMPolicy]
	OIDC        directory.Entities[directory.OIDCProvider]
	Memberships directory.Memberships
	Keys        directory.AccessKeys
	// Managed gives the document of a policy that the cloud itself offers; nil takes every ARN for one.
	Managed func(arn string) (document string, ok bool)
}

// Quotas of an account (IAM user guide, "IAM and STS quotas").
const (
	maxUsers     = 5000
	maxRoles     = 1000
	maxAllGroups = 300
	maxPolicies  = 1500
	maxVersions  = 5
	maxProviders = 100
)

// iam makes the identities of an account but for the users that account-wide keys name: policies first,
// because they are attached to the others.
func (t Target) iam(ctx context.Context, ps *config.Problems, path string, a Account) {
	for i, p := range a.Policies {
		note(ps, fmt.Sprintf("%s.policies[%d]", path, i), t.policy(ctx, a.ID, p))
	}
	for i, p := range a.OIDCProviders {
		note(ps, fmt.Sprintf("%s.oidc_providers[%d]", path, i), t.provider(ctx, a.ID, p))
	}
	for i, g := range a.Groups {
		at := fmt.Sprintf("%s.groups[%d]", path, i)
		want := directory.IAMGroup{IAMEntity: entity(a.ID, "group", g.ID, g.Path, g.Name, nil), Grants: granted(g.InlinePolicies, g.ManagedPolicies, "")}
		if t.offered(ps, at, want.Grants) {
			_, err := ensure(ctx, t, t.IAM.Groups, want, maxAllGroups, ofGroup, nil)
			note(ps, at, err)
		}
	}
	for i, u := range a.Users {
		t.iamUser(ctx, ps, fmt.Sprintf("%s.users[%d]", path, i), a.ID, u)
	}
	for i, r := range a.Roles {
		at := fmt.Sprintf("%s.roles[%d]", path, i)
		want := directory.IAMRole{
			IAMEntity: entity(a.ID, "role", r.ID, r.Path, r.Name, r.Tags), Grants: granted(r.InlinePolicies, r.ManagedPolicies, r.Boundary),
			Description: r.Description, Trust: string(r.Trust), MaxSession: int32(r.MaxSession),
		}
		if t.offered(ps, at, want.Grants) {
			_, err := ensure(ctx, t, t.IAM.Roles, want, maxRoles, ofRole, func(have directory.IAMRole, want *directory.IAMRole) {
				want.TrustIDs = have.TrustIDs // until all that roles may trust is there
			})
			note(ps, at, err)
		}
	}
}

func ofRole(r *directory.IAMRole) *directory.IAMEntity          { return &r.IAMEntity }
func ofUser(u *directory.IAMUser) *directory.IAMEntity          { return &u.IAMEntity }
func ofGroup(g *directory.IAMGroup) *directory.IAMEntity        { return &g.IAMEntity }
func ofPolicy(p *directory.IAMPolicy) *directory.IAMEntity      { return &p.IAMEntity }
func ofProvider(p *directory.OIDCProvider) *directory.IAMEntity { return &p.IAMEntity }

// ensure makes an entity as want says: one of that name, or of that id if it was renamed since, is changed
// where it differs. keep, if any, takes over from it what the document does not say.
func ensure[T directory.IAM](ctx context.Context, t Target, r directory.Entities[T], want T, most int, of func(*T) *directory.IAMEntity, keep func(have T, want *T)) (T, error) {
	e := of(&want)
	err := again(func() error {
		have, err := r.Named(ctx, e.AccountID, e.Name)
		if errors.Is(err, fault.NotFound) {
			have, err = r.WithID(ctx, e.ID)
		}
		if errors.Is(err, fault.NotFound) {
			e.CreatedAt = t.Now().UTC()
			return r.Create(ctx, want, most)
		}
		if err != nil {
			return err
		}
		was := of(&have)
		if was.AccountID != e.AccountID {
			return fmt.Errorf("the id %s is of account %s", was.ID, was.AccountID)
		}
		e.ID, e.CreatedAt, e.Version = was.ID, was.CreatedAt, was.Version
		if keep != nil {
			keep(have, &want)
		}
		if reflect.DeepEqual(have, want) {
			return nil
		}
		return r.Update(ctx, want)
	})
	return want, err
}

// offered reports whether the cloud has those of its own policies that are granted.
func (t Target) offered(ps *config.Problems, path string, g directory.Grants) bool {
	fine := true
	for _, arn := range append(slices.Clone(g.Managed), g.Boundary) {
		if t.IAM.Managed == nil || !strings.HasPrefix(arn, "arn:aws:iam::aws:") {
			continue
		}
		if _, ok := t.IAM.Managed(arn); !ok {
			ps.Add(path, "there is no policy %s", arn)
			fine = false
		}
	}
	return fine
}

// policy makes a customer managed policy. Versions that are there stay as long as there is room.
func (t Target) policy(ctx context.Context, account string, p IAMPolicy) error {
	now := t.Now().UTC()
	want := directory.IAMPolicy{
		IAMEntity: entity(account, "policy", p.ID, p.Path, p.Name, p.Tags), Description: p.Description,
		Versions: []directory.PolicyVersion{{ID: "v1", Document: string(p.Document), CreatedAt: now}}, Default: "v1", Next: 2, UpdatedAt: now,
	}
	_, err := ensure(ctx, t, t.IAM.Policies, want, maxPolicies, ofPolicy, func(have directory.IAMPolicy, want *directory.IAMPolicy) {
		want.Versions, want.Default, want.Next, want.UpdatedAt = have.Versions, have.Default, have.Next, have.UpdatedAt
		inForce := slices.IndexFunc(have.Versions, func(v directory.PolicyVersion) bool { return v.ID == have.Default })
		if inForce >= 0 && have.Versions[inForce].Document == string(p.Document) {
			return
		}
		fresh := directory.PolicyVersion{ID: fmt.Sprintf("v%d", have.Next), Document: string(p.Document), CreatedAt: now}
		want.Versions = append([]directory.PolicyVersion{fresh}, have.Versions...)
		want.Versions = want.Versions[:min(len(want.Versions), maxVersions)]
		want.Default, want.Next, want.UpdatedAt = fresh.ID, have.Next+1, now
	})
	return err
}

func (t Target) provider(ctx context.Context, account string, p OIDCProvider) error {
	name, _ := issuerName(p.URL)
	want := directory.OIDCProvider{
		IAMEntity:   entity(account, "oidc-provider", uniqueID("OIDC", account, "oidc-provider", name), "/", name, p.Tags),
		Thumbprints: slices.Clone(p.Thumbprints),
	}
	for _, id := range p.ClientIDs {
		if !slices.Contains(want.ClientIDs, id) {
			want.ClientIDs = append(want.ClientIDs, id)
		}
	}
	_, err := ensure(ctx, t, t.IAM.OIDC, want, maxProviders, ofProvider, nil)
	return err
}

// iamUser makes a user, who is then in the groups that are named and in no other.
func (t Target) iamUser(ctx context.Context, ps *config.Problems, path, account string, u IAMUser) {
	want := directory.IAMUser{IAMEntity: entity(account, "user", u.ID, u.Path, u.Name, u.Tags), Grants: granted(u.InlinePolicies, u.ManagedPolicies, u.Boundary)}
	if !t.offered(ps, path, want.Grants) {
		return
	}
	user, err := ensure(ctx, t, t.IAM.Users, want, maxUsers, ofUser, nil)
	if !note(ps, path, err) {
		return
	}
	have, err := t.IAM.Memberships.GroupsOf(ctx, user.ID)
	if !note(ps, path+".groups", err) {
		return
	}
	for _, g := range have {
		if !slices.ContainsFunc(u.Groups, func(name string) bool { return strings.EqualFold(name, g.Name) }) {
			note(ps, path+".groups", t.IAM.Memberships.Leave(ctx, user.ID, g.ID))
		}
	}
	for i, name := range u.Groups {
		at := fmt.Sprintf("%s.groups[%d]", path, i)
		g, err := t.IAM.Groups.Named(ctx, account, name)
		if errors.Is(err, fault.NotFound) {
			ps.Add(at, "there is no group %q", name)
		} else if note(ps, at, err) {
			note(ps, at, t.IAM.Memberships.Join(ctx, user.ID, g.ID, maxGroups))
		}
	}
	for i, k := range u.AccessKeys {
		note(ps, fmt.Sprintf("%s.access_keys[%d]", path, i), t.userKey(ctx, user, AccessKey{ID: k.ID, Secret: k.Secret}))
	}
}

// named is the user whom an account-wide key names, made if need be: he may do nothing.
func (t Target) named(ctx context.Context, account, name string) (directory.IAMUser, error) {
	fresh := directory.IAMUser{IAMEntity: entity(account, "user", uniqueID("AIDA", account, "user", name), "/", name, nil)}
	return ensure(ctx, t, t.IAM.Users, fresh, maxUsers, ofUser, func(have directory.IAMUser, want *directory.IAMUser) { *want = have })
}

// trusts notes which users and roles a role trusts, when all of them are there: those made later under
// their names are others.
func (t Target) trusts(ctx context.Context, ps *config.Problems, path string, a Account) {
	for i, r := range a.Roles {
		at := fmt.Sprintf("%s.roles[%d].trust", path, i)
		role, err := t.IAM.Roles.Named(ctx, a.ID, r.Name)
		if err != nil {
			continue // it could not be made: that is a problem already
		}
		doc, err := policy.Parse(role.Trust, policy.Trust)
		if !note(ps, at, err) {
			continue
		}
		ids, err := t.principals(ctx, ps, at, doc)
		if !note(ps, at, err) {
			continue
		}
		note(ps, at, again(func() error {
			role, err := t.IAM.Roles.Named(ctx, a.ID, r.Name)
			if err != nil || reflect.DeepEqual(ids, role.TrustIDs) {
				return err
			}
			role.TrustIDs = ids
			return t.IAM.Roles.Update(ctx, role)
		}))
	}
}

// principals gives the unique ids of the users and roles that a trust policy names; nil for none.
func (t Target) principals(ctx context.Context, ps *config.Problems, path string, d *policy.Document) (ids map[string]string, err error) {
	for _, s := range d.Statements {
		for _, p := range []*policy.Principals{s.Principals, s.NotPrincipals} {
			if p == nil {
				continue
			}
			for _, arn := range p.AWS {
				id, err := t.uniqueIDOf(ctx, arn)
				if errors.Is(err, fault.NotFound) {
					ps.Add(path, "there is no principal %s", arn)
				} else if err != nil {
					return nil, err
				}
				if id != "" && ids == nil {
					ids = map[string]string{}
				}
				if id != "" {
					ids[arn] = id
				}
			}
		}
	}
	return ids, nil
}

// uniqueIDOf is the unique id of the user or role that an ARN names, "" for other principals.
func (t Target) uniqueIDOf(ctx context.Context, arn string) (string, error) {
	fields := strings.SplitN(arn, ":", 6)
	if len(fields) != 6 || fields[2] != "iam" {
		return "", nil
	}
	switch kind, _, _ := strings.Cut(fields[5], "/"); kind {
	case "user":
		u, err := t.IAM.Users.WithARN(ctx, arn)
		return u.ID, err
	case "role":
		r, err := t.IAM.Roles.WithARN(ctx, arn)
		return r.ID, err
	}
	return "", nil
}
