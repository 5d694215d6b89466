package access

import (
	"context"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// ActionFederate is the action by which a user makes sessions for federated users.
const ActionFederate = "sts:GetFederationToken"

// Federate is a request for a federated user's session by a user or the root of an account, who signed with
// a long-term key. Parameters have passed the operation's constraints.
type Federate struct {
	Subject    Subject
	Name       string
	Duration   time.Duration
	Policies   []string // session policies, as sent
	PolicyARNs []string
	Tags       []directory.Tag
	Context    policy.Context
	MinToken   int // bytes
}

// ARN is the federated user's: the resource of the request and the session's caller.
func (f Federate) ARN() string {
	return "arn:aws:sts::" + f.Subject.Principal.Account + ":federated-user/" + f.Name
}

// Federate decides and, when it is allowed, mints a session that may what its user and the session policies
// both allow: without session policies nothing but what policies of resources grant it by its own ARN. The
// outcome has no role.
func (d *Decider) Federate(ctx context.Context, f Federate) (Assumed, error) {
	out := Assumed{Role: directory.IAMRole{IAMEntity: directory.IAMEntity{AccountID: f.Subject.Principal.Account}}} // whose policies may be named
	err := d.federate(ctx, f, &out)
	out.Role = directory.IAMRole{}
	return out, err
}

func (d *Decider) federate(ctx context.Context, f Federate, out *Assumed) error {
	k := policy.Context{}
	for name, v := range f.Context {
		k[name] = v
	}
	needed := []string{ActionFederate}
	if len(f.Tags) > 0 {
		RequestTags(k, f.Tags)
		needed = append(needed, ActionTagSession)
	}
	reasons := map[string]Reason{ActionFederate: NotTrusted, ActionTagSession: NotTagging}
	for _, action := range needed {
		decision, err := d.Decide(ctx, Ask{Subject: f.Subject, Action: action, Resource: f.ARN(), Context: k})
		if err != nil {
			return err
		}
		out.Decisions = append(out.Decisions, decision)
		if !decision.Allows() {
			out.refuse(reasons[action])
		}
	}
	ask := Assume{Subject: f.Subject, Policies: f.Policies, PolicyARNs: f.PolicyARNs, Tags: f.Tags}
	out.checkTags(ask)
	if err := d.checkPolicies(ctx, ask, out); err != nil || out.Reason != "" {
		return err
	}
	return d.seal(f.session(d.Now().UTC().Truncate(time.Second)), f.MinToken, out)
}

// session is the federated user's. It is limited by its session policies also when there are none.
func (f Federate) session(now time.Time) credential.Session {
	p := f.Subject.Principal
	return credential.Session{
		Account: p.Account, Type: string(policy.FederatedUser), ARN: f.ARN(), Issuer: p.ARN, ID: p.ID, UserID: p.Account + ":" + f.Name,
		IssuedAt: now, Expires: now.Add(f.Duration), Limited: true, Policies: f.Policies, PolicyARNs: f.PolicyARNs, Tags: tagMap(f.Tags),
	}
}
