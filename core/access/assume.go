package access

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// The actions by which a role is assumed.
const (
	ActionAssumeRole      = "sts:AssumeRole"
	ActionWithWebIdentity = "sts:AssumeRoleWithWebIdentity"
	ActionWithSAML        = "sts:AssumeRoleWithSAML"
	ActionTagSession      = "sts:TagSession"
	ActionSetSource       = "sts:SetSourceIdentity"
)

// Assume is a request for a role's session by somebody who is already authenticated: a caller who signed,
// or the bearer of a verified token or assertion. Parameters have passed the operation's constraints.
type Assume struct {
	Subject     Subject // of WebIdentity or SAML: Principal.Type and Federated (and Account, of the provider) alone
	Action      string
	RoleARN     string
	SessionName string
	Duration    time.Duration // 0: one hour
	Policies    []string      // session policies, as sent
	PolicyARNs  []string
	Limited     bool // session policies were sent, or the session is to be limited by none at all

	Tags       []directory.Tag // session tags that are asked for
	Transitive []string
	Source     string              // source identity
	Context    policy.Context      // condition keys of the request at trust time (PROVIDER:aud, sts:ExternalId, aws:SourceIp …)
	Kept       map[string][]string // see credential.Session.Kept
	Federated  string              // aws:FederatedProvider of the session
	MFAAt      time.Time           // when MFA was proved in this call or the caller's session, for the policies that decide; zero: not
	MinToken   int                 // bytes
	NotAfter   time.Time           // the session ends no later than this; zero: no such bound (SAML's SessionNotOnOrAfter)
}

// Reason says why a role was not handed out.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	NoRole            Reason = "no such role"
	NotTrusted        Reason = "not trusted"       // by trust or identity policies
	NotTagging        Reason = "no sts:TagSession" //
	NotSourcing       Reason = "no sts:SetSourceIdentity"
	SourceFixed       Reason = "source identity is set already"
	TooLong           Reason = "longer than the role's maximum"
	TooLongChained    Reason = "longer than an hour in a chain"
	DuplicateTags     Reason = "duplicate tag keys"
	TransitiveMissing Reason = "transitive key without tag"
	TransitiveTaken   Reason = "tag conflicts with an inherited one"
	BadPolicy         Reason = "malformed session policy"
	NoPolicy          Reason = "no such session policy ARN"
	TooLarge          Reason = "session policies and tags too large" // PackedSize is then above 100
)

// Assumed is the outcome. Decisions holds the evaluation of the action, and of sts:TagSession and
// sts:SetSourceIdentity where they were needed, also when the role was refused.
type Assumed struct {
	Reason    Reason // "" when the role was handed out
	Detail    string // of BadPolicy: the cloud's words; of TooLarge: none
	Role      directory.IAMRole
	Decisions []policy.Decision

	Session    credential.Session
	Token      string
	PackedSize *int32 // percent; nil when nothing was packed
}

// Assume decides and, when it is allowed, mints. An error means that it could not be decided.
func (d *Decider) Assume(ctx context.Context, a Assume) (Assumed, error) {
	out := Assumed{}
	trust := policy.Source{Type: policy.RoleTrust, Name: "trust policy of " + a.RoleARN}
	role, err := d.Roles.WithARN(ctx, a.RoleARN)
	switch {
	case errors.Is(err, fault.NotFound):
		out.refuse(NoRole)
	case err != nil:
		return out, err
	default:
		out.Role = role
		if trust.Document, err = d.trust(role); err != nil {
			return out, err
		}
	}
	if err := d.permit(ctx, a, trust, &out); err != nil {
		return out, err
	}
	out.checkDuration(a)
	out.checkTags(a)
	if err := d.checkPolicies(ctx, a, &out); err != nil || out.Reason != "" {
		return out, err
	}
	return out, d.mint(a, &out)
}

// refuse keeps the first reason.
func (o *Assumed) refuse(r Reason) {
	if o.Reason == "" {
		o.Reason = r
	}
}

// trust is a role's trust policy with the principals that it had when it was written: entities made later
// under their names have other unique ids.
func (d *Decider) trust(r directory.IAMRole) (*policy.Document, error) {
	doc, err := d.parsed.get(r.Trust, policy.Trust)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "trust policy of "+r.ARN, err) // it was checked when it was stored
	}
	if len(r.TrustIDs) > 0 {
		doc = doc.Rebind(func(arn string) string { return cmp.Or(r.TrustIDs[arn], arn) })
	}
	return doc, nil
}

// permit evaluates every action that the request needs.
func (d *Decider) permit(ctx context.Context, a Assume, trust policy.Source, out *Assumed) error {
	k := policy.Context{}
	for name, v := range a.Context {
		k[name] = v
	}
	ResourceTags(k, out.Role.Tags)
	for _, t := range out.Role.Tags {
		k.Set("iam:ResourceTag/"+t.Key, t.Value)
	}
	k.Set("sts:RoleSessionName", a.SessionName)
	if len(a.Tags) > 0 {
		RequestTags(k, a.Tags)
	}
	if len(a.Transitive) > 0 {
		k.SetMany("sts:TransitiveTagKeys", a.Transitive...)
	}
	if !a.MFAAt.IsZero() {
		k.Set("aws:MultiFactorAuthPresent", "true")
		k.Set("aws:MultiFactorAuthAge", strconv.FormatInt(int64(d.Now().Sub(a.MFAAt)/time.Second), 10))
	}
	source, held, fixed := a.Source, a.held(), false
	if held != nil && held.Source != "" {
		fixed = source != "" && source != held.Source
		source = held.Source
	}
	if source != "" {
		k.Set("sts:SourceIdentity", source)
	}
	// Tags that a chain carries along are passed on like any (aws/aws-cdk-cli pull request 762 and
	// aws/eks-pod-identity-agent issue 80 show the refusal).
	tagged := len(a.Tags) > 0 || held != nil && len(held.Transitive) > 0
	needed := []struct {
		action string
		when   bool
		reason Reason
	}{
		{a.Action, true, NotTrusted},
		{ActionTagSession, tagged, NotTagging},
		{ActionSetSource, source != "", NotSourcing},
	}
	for _, n := range needed {
		if !n.when {
			continue
		}
		decision, err := d.Decide(ctx, Ask{Subject: a.Subject, Action: n.action, Resource: a.RoleARN, Context: k, Policies: []policy.Source{trust}})
		if err != nil {
			return err
		}
		out.Decisions = append(out.Decisions, decision)
		if !decision.Allows() {
			out.refuse(n.reason)
		}
	}
	if fixed {
		out.refuse(SourceFixed)
	}
	return nil
}

// held is the role session that the caller calls with, nil when it has none: assuming from one is a chain.
func (a Assume) held() *credential.Session {
	if a.Subject.Principal.Type == policy.AssumedRole {
		return a.Subject.Session
	}
	return nil
}

// Durations (IAM user guide, "Role chaining": "limits your session to a maximum of one hour").
const (
	defaultDuration = time.Hour
	maxChained      = time.Hour
)

func (o *Assumed) checkDuration(a Assume) {
	switch {
	case o.Role.ID == "":
	case a.held() != nil && a.Duration > maxChained:
		o.refuse(TooLongChained)
	case a.Duration > time.Duration(o.Role.MaxSession)*time.Second:
		o.refuse(TooLong)
	}
}

// checkTags holds the tags against one another and against those that a chain carries along.
func (o *Assumed) checkTags(a Assume) {
	asked := map[string]bool{}
	for _, t := range a.Tags {
		if key := strings.ToLower(t.Key); asked[key] {
			o.refuse(DuplicateTags)
		} else {
			asked[key] = true
		}
	}
	for _, key := range a.Transitive {
		if !asked[strings.ToLower(key)] {
			o.refuse(TransitiveMissing)
		}
	}
	if held := a.held(); held != nil {
		for _, key := range held.Transitive {
			if asked[strings.ToLower(key)] {
				o.refuse(TransitiveTaken)
			}
		}
	}
}

// checkPolicies parses the session policies and finds the managed ones, which are the role's account's or
// the cloud's own.
func (d *Decider) checkPolicies(ctx context.Context, a Assume, out *Assumed) error {
	for _, text := range a.Policies {
		if _, err := d.parsed.get(text, policy.Session); err != nil {
			out.refuse(BadPolicy)
			out.Detail = err.Error()
		}
	}
	for _, arn := range a.PolicyARNs {
		_, ok, err := d.document(ctx, arn)
		if err != nil {
			return err
		}
		if owner := accountIn(arn); !ok || owner != "" && owner != "aws" && owner != out.Role.AccountID {
			out.refuse(NoPolicy)
			out.Detail = arn
		}
	}
	return nil
}

// mint makes the session of a request that was allowed. That MFA was proved is no part of it: "The temporary
// credentials returned by AssumeRole do not include MFA information in the context" (IAM user guide, "Secure
// API access with MFA"; aws/aws-sdk-java-v2 issue 2554).
func (d *Decider) mint(a Assume, out *Assumed) error {
	now, held := d.Now().UTC().Truncate(time.Second), a.held()
	s := credential.Session{
		Account: out.Role.AccountID, Type: string(policy.AssumedRole), Issuer: out.Role.ARN, ID: out.Role.ID,
		ARN:    "arn:aws:sts::" + out.Role.AccountID + ":assumed-role/" + out.Role.Name + "/" + a.SessionName,
		UserID: out.Role.ID + ":" + a.SessionName, IssuedAt: now, Expires: now.Add(cmp.Or(a.Duration, defaultDuration)),
		Chained: held != nil, Limited: a.Limited || len(a.Policies)+len(a.PolicyARNs) > 0, Policies: a.Policies, PolicyARNs: a.PolicyARNs,
		Transitive: a.Transitive, Source: a.Source, Federated: a.Federated, Kept: a.Kept,
	}
	if !a.NotAfter.IsZero() && s.Expires.After(a.NotAfter) {
		s.Expires = a.NotAfter.UTC().Truncate(time.Second)
	}
	s.Tags = tagMap(a.Tags)
	if held != nil {
		inherit(&s, held)
	}
	return d.seal(s, a.MinToken, out)
}
