package sts_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// session opens the token of somebody's credentials.
func (w *world) session(c aws.Credentials) credential.Session {
	w.t.Helper()
	s, err := w.sealer.OpenSession(c.SessionToken)
	must(w.t, err)
	return s
}

// may asks what somebody's credentials are good for.
func (w *world) may(c aws.Credentials, action, resource string, more ...policy.Source) policy.Decision {
	w.t.Helper()
	key, found, err := w.access.Key(context.Background(), c.AccessKeyID, c.SessionToken)
	must(w.t, err)
	if !found.Checks.OK() {
		w.t.Fatalf("key %s: %+v", c.AccessKeyID, found.Checks)
	}
	d, err := w.access.Decide(context.Background(), access.Ask{Subject: key.Subject, Action: action, Resource: resource, Policies: more})
	must(w.t, err)
	return d
}

func TestChains(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.role("First", trusts(user, everyTrust), func(r *directory.IAMRole) { r.MaxSession = 43200 })
	second := w.role("Second", trusts(first.ARN, everyTrust), func(r *directory.IAMRole) { r.MaxSession = 43200 })
	third := w.role("Third", trusts(second.ARN, everyTrust))

	one, err := w.assume(w.user, first.ARN, seconds(43200), tagged("Team", "red", "Cost", "7"), transitive("tEAM"), source("ann"))
	must(t, err)
	held := temporary(one.Credentials)

	_, err = w.assume(held, second.ARN, seconds(3601))
	refused(t, err, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	for _, key := range []string{"Team", "team", "TEAM"} {
		_, err = w.assume(held, second.ARN, tagged(key, "blue"))
		refused(t, err, "InvalidParameterValue", "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
	}
	_, err = w.assume(held, second.ARN, source("bob"))
	refused(t, err, "AccessDenied", "User: arn:aws:sts::"+account+":assumed-role/First/s1 is not authorized to perform: sts:SetSourceIdentity on resource: "+second.ARN)

	two, err := w.assume(held, second.ARN, seconds(3600), tagged("Stage", "prod"), transitive("Stage"))
	must(t, err)
	if *two.SourceIdentity != "ann" {
		t.Errorf("source identity %s", *two.SourceIdentity)
	}
	s := w.session(temporary(two.Credentials))
	if !s.Chained || s.Source != "ann" || s.Tags["Team"] != "red" || s.Tags["Stage"] != "prod" || s.Tags["Cost"] != "" {
		t.Errorf("second session %+v", s)
	}
	three, err := w.assume(temporary(two.Credentials), third.ARN, source("ann"))
	must(t, err)
	s = w.session(temporary(three.Credentials))
	if s.Source != "ann" || s.Tags["Team"] != "red" || s.Tags["Stage"] != "prod" || len(s.Tags) != 2 {
		t.Errorf("third session %+v", s)
	}
}

func TestASourceIdentityGoesOnOnlyWhereItIsTrusted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.role("First", trusts(user, everyTrust))
	second := w.role("Second", trusts(first.ARN, assuming))
	one, err := w.assume(w.user, first.ARN, source("ann"))
	must(t, err)
	_, err = w.assume(temporary(one.Credentials), second.ARN)
	refused(t, err, "AccessDenied", "User: arn:aws:sts::"+account+":assumed-role/First/s1 is not authorized to perform: sts:SetSourceIdentity on resource: "+second.ARN)
}

// A role does not trust itself unless its trust policy says so (IAM since September 2022).
func TestARoleDoesNotTrustItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Self", trusts(user, assuming), func(r *directory.IAMRole) {
		r.Inline = []directory.InlinePolicy{allows(`["sts:AssumeRole"]`, "*")}
	})
	out, err := w.assume(w.user, r.ARN)
	must(t, err)
	_, err = w.assume(temporary(out.Credentials), r.ARN)
	refused(t, err, "AccessDenied", "")
}

func TestTrustInTheAccountNeedsAPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Delegated", trusts(root, assuming))
	_, without := w.newUser("without")
	_, with := w.newUser("with", func(u *directory.IAMUser) { u.Inline = []directory.InlinePolicy{allows(`"sts:AssumeRole"`, r.ARN)} })
	if _, err := w.assume(with, r.ARN); err != nil {
		t.Error(err)
	}
	_, err := w.assume(without, r.ARN)
	refused(t, err, "AccessDenied", "")
}

func TestTrustAcrossAccountsNeedsAPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	abroad := func(u *directory.IAMUser) {
		u.AccountID, u.ID, u.ARN = stranger, w.id("AIDA", stranger), "arn:aws:iam::"+stranger+":user/"+u.Name
	}
	r := w.role("Open", trusts("arn:aws:iam::"+stranger+":root", assuming))
	_, without := w.newUser("without", abroad)
	_, with := w.newUser("with", abroad, func(u *directory.IAMUser) { u.Inline = []directory.InlinePolicy{allows(`"sts:AssumeRole"`, r.ARN)} })
	if _, err := w.assume(with, r.ARN); err != nil {
		t.Error(err)
	}
	_, err := w.assume(without, r.ARN)
	refused(t, err, "AccessDenied", "")
}

func TestSessionPoliciesOnlyNarrow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Reader", trusts(user, assuming), func(r *directory.IAMRole) {
		r.Inline = []directory.InlinePolicy{allows(`["s3:GetObject","s3:ListBucket"]`, "*")}
	})
	get := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`
	for name, tt := range map[string]struct {
		edit []func(*sdk.AssumeRoleInput)
		may  map[string]bool
	}{
		"none":                 {nil, map[string]bool{"s3:GetObject": true, "s3:ListBucket": true, "s3:PutObject": false, "iam:CreateUser": false}},
		"everything":           {[]func(*sdk.AssumeRoleInput){policyText(everything)}, map[string]bool{"s3:GetObject": true, "s3:PutObject": false, "iam:CreateUser": false}},
		"the administrator's":  {[]func(*sdk.AssumeRoleInput){policyARNs(administrator)}, map[string]bool{"s3:GetObject": true, "s3:PutObject": false}},
		"one action":           {[]func(*sdk.AssumeRoleInput){policyText(get)}, map[string]bool{"s3:GetObject": true, "s3:ListBucket": false}},
		"one of both and more": {[]func(*sdk.AssumeRoleInput){policyText(get), policyARNs(administrator)}, map[string]bool{"s3:GetObject": true, "s3:ListBucket": true, "s3:PutObject": false}},
		"only denials":         {[]func(*sdk.AssumeRoleInput){policyText(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:*","Resource":"*"}]}`)}, map[string]bool{"s3:GetObject": false, "s3:ListBucket": false}},
	} {
		out, err := w.assume(w.user, r.ARN, tt.edit...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for action, want := range tt.may {
			if d := w.may(temporary(out.Credentials), action, "arn:aws:s3:::bucket/key"); d.Allows() != want {
				t.Errorf("%s: %s is %s (%s)", name, action, d.Result, d.Because)
			}
		}
	}
}

// Tags cannot be smuggled past the role's own: a session tag of any case takes the place of the role's, and
// it needs the role's trust.
func TestSessionTagsLieOverTheRolesOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Tagged", trusts(user, tagging), func(r *directory.IAMRole) {
		r.Tags = []directory.Tag{{Key: "Team", Value: "red"}, {Key: "Cost", Value: "7"}}
		r.Inline = []directory.InlinePolicy{{Name: "own", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::${aws:PrincipalTag/team}/${aws:PrincipalTag/Cost}"}]}`}}
	})
	plain, err := w.assume(w.user, r.ARN)
	must(t, err)
	over, err := w.assume(w.user, r.ARN, tagged("tEAM", "blue"))
	must(t, err)
	for name, tt := range map[string]struct {
		out      *sdk.AssumeRoleOutput
		resource string
		want     bool
	}{
		"the role's":               {plain, "arn:aws:s3:::red/7", true},
		"another's":                {plain, "arn:aws:s3:::blue/7", false},
		"the session's":            {over, "arn:aws:s3:::blue/7", true},
		"the role's, written over": {over, "arn:aws:s3:::red/7", false},
	} {
		if d := w.may(temporary(tt.out.Credentials), "s3:GetObject", tt.resource); d.Allows() != tt.want {
			t.Errorf("%s: %s %+v", name, d.Result, d)
		}
	}
	_, err = w.assume(w.user, r.ARN, tagged("PrincipalTag/Team", "blue", "team", "a", "Team", "b"))
	refused(t, err, "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
}

// Grants to a role's ARN are bounded by the session policy, grants to the session's own are not.
func TestResourcePoliciesAndSessionPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Bounded", trusts(user, assuming))
	out, err := w.assume(w.user, r.ARN, policyText(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]}`))
	must(t, err)
	for principal, want := range map[string]bool{r.ARN: false, *out.AssumedRoleUser.Arn: true, root: false} {
		text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"s3:GetObject","Resource":"*"}]}`
		doc, err := policy.Parse(text, policy.Resource)
		must(t, err)
		d := w.may(temporary(out.Credentials), "s3:GetObject", "arn:aws:s3:::b/k", policy.Source{Type: policy.ResourceBased, Name: "bucket policy", Document: doc})
		if d.Allows() != want {
			t.Errorf("granted to %s: %s %s", principal, d.Result, strings.TrimSpace(d.Because))
		}
	}
}
