package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// Decide evaluates an Ask with every policy that applies to the subject. An error means that they could
// not be read.
func (d *Decider) Decide(ctx context.Context, a Ask) (policy.Decision, error) {
	own, err := d.Sources(ctx, a.Subject)
	if err != nil {
		return policy.Decision{}, err
	}
	k := policy.Context{}
	if err := d.principalKeys(ctx, a.Subject, k); err != nil {
		return policy.Decision{}, err
	}
	for name, v := range a.Context { // the surface's word counts: at trust time some keys are the provider's
		k[name] = v
	}
	if _, ok := k["aws:resourceaccount"]; !ok {
		if owner := ownerOf(a); owner != "" {
			k.Set("aws:ResourceAccount", owner)
		}
	}
	return policy.Evaluate(policy.Request{Principal: a.Subject.Principal, Action: a.Action, Resource: a.Resource, Owner: a.Owner, Context: k}, append(own, a.Policies...)...), nil
}

// ownerOf is the account that has the resource: told, in the ARN, or the caller's own.
func ownerOf(a Ask) string {
	if a.Owner != "" {
		return a.Owner
	}
	return cmp.Or(accountIn(a.Resource), a.Subject.Principal.Account)
}

// accountIn is the account that an ARN names, "" when it names none.
func accountIn(arn string) string {
	if f := strings.SplitN(arn, ":", 6); len(f) == 6 {
		return f[4]
	}
	return ""
}

// Sources are the policies that a subject brings along: those of its user, groups or role, its permissions
// boundary, and what limits its session.
func (d *Decider) Sources(ctx context.Context, s Subject) ([]policy.Source, error) {
	out := sources{parsed: &d.parsed}
	switch s.Principal.Type {
	case policy.User, policy.FederatedUser:
		if s.Principal.ID == s.Principal.Account {
			break // the root's session
		}
		u, err := d.Users.WithID(ctx, s.Principal.ID)
		if err != nil {
			return nil, missingIsNothing(err)
		}
		if err := d.grants(ctx, &out, "user "+u.Name, u.Grants); err != nil {
			return nil, err
		}
		groups, err := d.Memberships.GroupsOf(ctx, u.ID)
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			if err := d.grants(ctx, &out, "group "+g.Name, g.Grants); err != nil {
				return nil, err
			}
		}
	case policy.AssumedRole:
		r, err := d.Roles.WithID(ctx, s.Principal.ID)
		if err != nil {
			return nil, missingIsNothing(err)
		}
		if err := d.grants(ctx, &out, "role "+r.Name, r.Grants); err != nil {
			return nil, err
		}
	}
	return out.list, d.limits(ctx, &out, s)
}

// missingIsNothing: who is gone has no policies, and so may nothing.
func missingIsNothing(err error) error {
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// sources collects policies. One that cannot be read still makes its layer, which then allows nothing.
type sources struct {
	parsed *documents
	list   []policy.Source
}

func (s *sources) add(t policy.Type, name, text string, kind policy.Kind) error {
	doc, err := s.parsed.get(text, kind)
	if err != nil {
		return fault.Wrap(fault.Internal, "policy "+name, err) // it was checked when it was stored
	}
	s.list = append(s.list, policy.Source{Type: t, Name: name, Document: doc})
	return nil
}

func (d *Decider) grants(ctx context.Context, out *sources, of string, g directory.Grants) error {
	for _, p := range g.Inline {
		if err := out.add(policy.IdentityBased, "inline policy "+p.Name+" of "+of, p.Document, policy.Identity); err != nil {
			return err
		}
	}
	for _, arn := range g.Managed {
		if err := d.managed(ctx, out, policy.IdentityBased, arn); err != nil {
			return err
		}
	}
	if g.Boundary != "" {
		return d.managed(ctx, out, policy.Boundary, g.Boundary)
	}
	return nil
}

// managed adds a managed policy in its default version. One that is gone allows nothing.
func (d *Decider) managed(ctx context.Context, out *sources, t policy.Type, arn string) error {
	text, ok, err := d.document(ctx, arn)
	if err != nil {
		return err
	}
	if !ok {
		out.list = append(out.list, policy.Source{Type: t, Name: arn})
		return nil
	}
	return out.add(t, arn, text, policy.Accepted)
}

// document is the text of a managed policy's default version.
func (d *Decider) document(ctx context.Context, arn string) (text string, ok bool, err error) {
	if text, ok = d.Managed(arn); ok {
		return text, true, nil
	}
	p, err := d.Policies.WithARN(ctx, arn)
	if err != nil {
		return "", false, missingIsNothing(err)
	}
	for _, v := range p.Versions {
		if v.ID == p.Default {
			return v.Document, true, nil
		}
	}
	return "", false, nil
}

// limits adds the policies that a session was made with. A federated user's session that has none may
// nothing by itself (IAM user guide, "Permissions for GetFederationToken").
func (d *Decider) limits(ctx context.Context, out *sources, s Subject) error {
	if s.Session == nil || !s.Session.Limited {
		return nil
	}
	for i, text := range s.Session.Policies {
		name := "session policy"
		if i > 0 {
			name = fmt.Sprint("session policy ", i+1)
		}
		if err := out.add(policy.SessionPolicy, name, text, policy.Session); err != nil {
			return err
		}
	}
	for _, arn := range s.Session.PolicyARNs {
		if err := d.managed(ctx, out, policy.SessionPolicy, arn); err != nil {
			return err
		}
	}
	if len(s.Session.Policies)+len(s.Session.PolicyARNs) == 0 {
		out.list = append(out.list, policy.Source{Type: policy.SessionPolicy, Name: "no session policy"})
	}
	return nil
}

// principalKeys are the condition keys of the caller itself (IAM user guide, "Properties of the principal"
// and "Properties of a role session").
func (d *Decider) principalKeys(ctx context.Context, s Subject, k policy.Context) error {
	p := s.Principal
	k.Set("aws:PrincipalType", string(p.Type))
	k.Set("aws:PrincipalIsAWSService", strconv.FormatBool(p.Type == policy.Service))
	if p.Account != "" {
		k.Set("aws:PrincipalAccount", p.Account)
	}
	switch p.Type {
	case policy.Anonymous, policy.Service:
		return nil
	case policy.WebIdentity, policy.SAML: // as AWS shows a federated caller while it asks for a role
		k.Set("aws:PrincipalType", string(policy.User))
		k.Set("aws:userid", p.Federated)
		k.Set("aws:FederatedProvider", p.Federated)
		return nil
	case policy.AssumedRole:
		k.Set("aws:PrincipalArn", p.Issuer)
	default:
		k.Set("aws:PrincipalArn", p.ARN)
	}
	k.Set("aws:userid", s.UserID)
	if s.UserName != "" {
		k.Set("aws:username", s.UserName)
	}
	tags, err := d.tagsOf(ctx, p)
	if err != nil {
		return err
	}
	for _, t := range tags {
		k.Set("aws:PrincipalTag/"+t.Key, t.Value)
	}
	if s.Session != nil {
		d.sessionKeys(s, k)
	}
	return nil
}

// tagsOf are the tags of the user or role behind a subject.
func (d *Decider) tagsOf(ctx context.Context, p policy.Principal) ([]directory.Tag, error) {
	switch {
	case p.ID == p.Account:
		return nil, nil
	case p.Type == policy.AssumedRole:
		r, err := d.Roles.WithID(ctx, p.ID)
		return r.Tags, missingIsNothing(err)
	case p.Type == policy.User, p.Type == policy.FederatedUser:
		u, err := d.Users.WithID(ctx, p.ID)
		return u.Tags, missingIsNothing(err)
	}
	return nil, nil
}

// sessionKeys are those that only temporary credentials have. Session tags lie over those of the role or
// user, in any case of letters.
func (d *Decider) sessionKeys(s Subject, k policy.Context) {
	v := s.Session
	for key, value := range v.Tags {
		k.Set("aws:PrincipalTag/"+key, value)
	}
	for key, values := range v.Kept {
		if name, many := strings.CutSuffix(key, "[]"); many {
			k.SetMany(name, values...)
		} else if len(values) == 1 {
			k.Set(name, values[0])
		}
	}
	if v.Federated != "" {
		k.Set("aws:FederatedProvider", v.Federated)
	}
	if v.Source != "" {
		k.Set("aws:SourceIdentity", v.Source)
	}
	k.Set("aws:TokenIssueTime", v.IssuedAt.UTC().Format("2006-01-02T15:04:05Z"))
	k.Set("aws:MultiFactorAuthPresent", strconv.FormatBool(!v.MFAAt.IsZero()))
	if !v.MFAAt.IsZero() {
		k.Set("aws:MultiFactorAuthAge", strconv.FormatInt(int64(d.Now().Sub(v.MFAAt)/time.Second), 10))
	}
}
