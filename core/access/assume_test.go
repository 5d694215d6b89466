package access_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// assume asks for a role with the parameters that edit adds.
func (w *world) assume(who access.Subject, r directory.IAMRole, edit func(*access.Assume)) access.Assumed {
	w.t.Helper()
	a := access.Assume{Subject: who, Action: access.ActionAssumeRole, RoleARN: r.ARN, SessionName: "test"}
	if edit != nil {
		edit(&a)
	}
	out, err := w.Assume(w.t.Context(), a)
	must(w.t, err)
	return out
}

func TestARoleIsHandedOutAsItsTrustAndTheRequestSay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann", inline(allow("sts:*")))
	root := "arn:aws:iam::" + account + ":root"
	open := w.role("open", trusting(root), inline(everyS3))
	onlyAssume := w.role("plain", strings.NewReplacer(`,"sts:TagSession"`, "", `,"sts:SetSourceIdentity"`, "").Replace(trusting(root)), inline())
	tag := func(pairs ...string) (out []directory.Tag) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, directory.Tag{Key: pairs[i], Value: pairs[i+1]})
		}
		return out
	}
	long := strings.Repeat("abcdefghij0123456789", 150)
	for _, c := range []struct {
		name string
		role directory.IAMRole
		edit func(*access.Assume)
		want access.Reason
	}{
		{"as it is", open, nil, ""},
		{"with all there is", open, func(a *access.Assume) {
			a.Tags, a.Transitive, a.Source, a.Duration, a.Policies = tag("team", "red"), []string{"team"}, "ann", 2*time.Hour, []string{everyS3}
		}, ""},
		{"no such role", directory.IAMRole{IAMEntity: directory.IAMEntity{ARN: "arn:aws:iam::123456789012:role/none"}}, nil, access.NoRole},
		{"tags without permission", onlyAssume, func(a *access.Assume) { a.Tags = tag("team", "red") }, access.NotTagging},
		{"a source identity without permission", onlyAssume, func(a *access.Assume) { a.Source = "ann" }, access.NotSourcing},
		{"longer than the role allows", open, func(a *access.Assume) { a.Duration = 2*time.Hour + time.Second }, access.TooLong},
		{"tags that differ by case", open, func(a *access.Assume) { a.Tags = tag("team", "red", "Team", "blue") }, access.DuplicateTags},
		{"a transitive key that is no tag", open, func(a *access.Assume) { a.Tags, a.Transitive = tag("team", "red"), []string{"floor"} }, access.TransitiveMissing},
		{"a policy that is none", open, func(a *access.Assume) { a.Policies = []string{`{}`} }, access.BadPolicy},
		{"a policy with a principal", open, func(a *access.Assume) {
			a.Policies = []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`}
		}, access.BadPolicy},
		{"a managed policy that is not there", open, func(a *access.Assume) { a.PolicyARNs = []string{"arn:aws:iam::123456789012:policy/none"} }, access.NoPolicy},
		{"a managed policy of the cloud", open, func(a *access.Assume) { a.PolicyARNs = []string{"arn:aws:iam::aws:policy/AmazonS3FullAccess"} }, ""},
		{"more than a token holds", open, func(a *access.Assume) {
			for i := range 12 {
				a.Tags = append(a.Tags, directory.Tag{Key: fmt.Sprint("k", i), Value: fmt.Sprint(i*i, long[i:i+250], i*i*i)})
			}
			a.Policies = []string{allow("s3:" + noise(6000))}
		}, access.TooLarge},
	} {
		out := w.assume(ann, c.role, c.edit)
		if out.Reason != c.want || (out.Token == "") != (c.want != "") || len(out.Decisions) == 0 {
			t.Errorf("%s: %q %s (%d decisions)", c.name, out.Reason, out.Detail, len(out.Decisions))
		}
	}
}

// noise is text that does not pack.
func noise(n int) string {
	x, b := uint32(1), make([]byte, n)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[x>>24%62]
	}
	return string(b)
}

func TestWhoMayAssume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nobody, caller := w.user("nobody", inline()), w.user("caller", inline(allow("sts:AssumeRole")))
	named := w.role("named", trusting(nobody.Principal.ARN), inline())
	delegated := w.role("delegated", trusting("arn:aws:iam::"+account+":root"), inline())
	foreign := w.role("foreign", trusting("arn:aws:iam::"+other+":root"), inline())
	stranger, err := w.Named(t.Context(), "arn:aws:iam::"+other+":root")
	must(t, err)
	for _, c := range []struct {
		name string
		who  access.Subject
		role directory.IAMRole
		want access.Reason
	}{
		{"a user who is named needs no policy of its own", nobody, named, ""},
		{"a user who is not named is not trusted", caller, named, access.NotTrusted},
		{"the account is trusted, the user has a policy", caller, delegated, ""},
		{"the account is trusted, the user has no policy", nobody, delegated, access.NotTrusted},
		{"another account is trusted, its root may", stranger, foreign, ""},
		{"another account is trusted, ours is not", caller, foreign, access.NotTrusted},
		{"a stranger", stranger, delegated, access.NotTrusted},
	} {
		if out := w.assume(c.who, c.role, nil); out.Reason != c.want {
			t.Errorf("%s: %q", c.name, out.Reason)
		}
	}
}

// A role that trusts a user trusts that user, not whoever gets the name later.
func TestANameThatIsGivenAgainIsNotTrusted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann", inline())
	r := w.role("hers", trusting(ann.Principal.ARN), inline())
	r.TrustIDs, r.Version = map[string]string{ann.Principal.ARN: ann.Principal.ID}, 1
	must(t, w.store.IAMRoles.Update(t.Context(), r))
	if out := w.assume(ann, r, nil); out.Reason != "" {
		t.Fatal(out.Reason)
	}
	later := ann
	later.Principal.ID = "AIDALATER"
	if out := w.assume(later, r, nil); out.Reason != access.NotTrusted {
		t.Errorf("the later ann: %q", out.Reason)
	}
}

func TestWhatGoesOnAlongAChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := "arn:aws:iam::" + account + ":root"
	ann := w.user("ann", inline(allow("sts:*")))
	first, second := w.role("first", trusting(root), inline(allow("sts:*"))), w.role("second", trusting(root), inline(everyS3), directory.Tag{Key: "Team", Value: "of the role"})
	out := w.assume(ann, first, func(a *access.Assume) {
		a.Tags, a.Transitive, a.Source = []directory.Tag{{Key: "team", Value: "red"}, {Key: "floor", Value: "3"}}, []string{"team"}, "ann"
		a.Kept, a.Federated, a.MFAAt = map[string][]string{"idp.example:sub": {"x"}}, "arn:aws:iam::123456789012:oidc-provider/idp.example", start
	})
	chained := access.SubjectOf(out.Session)
	for name, c := range map[string]struct {
		edit func(*access.Assume)
		want access.Reason
	}{
		"an hour":                         {func(a *access.Assume) { a.Duration = time.Hour }, ""},
		"more than an hour":               {func(a *access.Assume) { a.Duration = time.Hour + time.Second }, access.TooLongChained},
		"the same source identity":        {func(a *access.Assume) { a.Source = "ann" }, ""},
		"another source identity":         {func(a *access.Assume) { a.Source = "bob" }, access.SourceFixed},
		"a tag of its own":                {func(a *access.Assume) { a.Tags = []directory.Tag{{Key: "floor", Value: "4"}} }, ""},
		"a tag in place of a carried one": {func(a *access.Assume) { a.Tags = []directory.Tag{{Key: "TEAM", Value: "blue"}} }, access.TransitiveTaken},
	} {
		if got := w.assume(chained, second, c.edit); got.Reason != c.want {
			t.Errorf("%s: %q", name, got.Reason)
		}
	}
	closed := w.role("closed", strings.Replace(trusting(root), `,"sts:TagSession"`, "", 1), inline())
	if got := w.assume(chained, closed, nil); got.Reason != access.NotTagging {
		t.Errorf("a role that may not be tagged takes the tags of a chain: %q", got.Reason)
	}
	next := w.assume(chained, second, nil).Session
	want := credential.Session{
		KeyID: next.KeyID, Secret: next.Secret, Account: account, Type: "AssumedRole", ARN: "arn:aws:sts::123456789012:assumed-role/second/test", Issuer: second.ARN,
		ID: "AROASECOND", UserID: "AROASECOND:test", IssuedAt: start, Expires: start.Add(time.Hour), Chained: true,
		Tags: map[string]string{"team": "red"}, Transitive: []string{"team"}, Source: "ann", Federated: "arn:aws:iam::123456789012:oidc-provider/idp.example",
	}
	if d := cmp.Diff(want, next); d != "" {
		t.Error(d)
	}
	d, err := w.Decide(t.Context(), access.Ask{Subject: access.SubjectOf(next), Action: "s3:GetObject", Resource: "*", Policies: []policy.Source{{
		Type: policy.ResourceBased, Name: "tags", Document: parse(t, `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}}}`, policy.Resource),
	}}})
	must(t, err)
	if d.Result != policy.ExplicitDeny {
		t.Errorf("the carried tag does not lie over the role's own: %s", d.Result)
	}
}

func parse(t *testing.T, text string, k policy.Kind) *policy.Document {
	t.Helper()
	d, err := policy.Parse(text, k)
	must(t, err)
	return d
}

func TestASessionsTokenIsAllThatIsNeeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann", inline(allow("sts:*")))
	r := w.role("r", trusting("arn:aws:iam::"+account+":root"), inline(everyS3))
	out := w.assume(ann, r, func(a *access.Assume) { a.MinToken = 3000 })
	if n := len(out.Token); n < 3000 || n > 3004 {
		t.Errorf("a token of at least 3000 bytes has %d", n)
	}
	key, found, err := w.Key(t.Context(), out.Session.KeyID, out.Token)
	must(t, err)
	if !found.Checks.OK() || key.Secret != out.Session.Secret || key.Subject.Principal.ARN != out.Session.ARN {
		t.Errorf("%+v %+v", key, found)
	}
	if account, ok := credential.AccountOf(out.Session.KeyID); !ok || account != r.AccountID {
		t.Errorf("the key carries %s", account)
	}
	for i := 0; i < len(out.Token); i += 97 {
		b := []byte(out.Token)
		b[i] = map[bool]byte{true: 'B', false: 'A'}[b[i] == 'A']
		if _, found, err := w.Key(t.Context(), out.Session.KeyID, string(b)); err != nil || found.Checks.OK() {
			t.Fatalf("a token with another byte at %d holds: %v", i, err)
		}
	}
	w.pass(time.Hour)
	if _, found, err := w.Key(t.Context(), out.Session.KeyID, out.Token); err != nil || !found.Expired || found.Checks.OK() {
		t.Errorf("after an hour: %v %+v", err, found)
	}
	w.pass(-time.Hour)
	must(t, w.store.IAMRoles.Delete(t.Context(), r.ID, 1))
	if _, found, err := w.Key(t.Context(), out.Session.KeyID, out.Token); err != nil || found.Checks.OK() || found.Expired {
		t.Errorf("after the role is gone: %v %+v", err, found)
	}
}

func TestSessionPoliciesNarrowAndNeverWiden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann", inline(allow("sts:*")))
	r := w.role("r", trusting("arn:aws:iam::"+account+":root"), inline(everyS3))
	for name, c := range map[string]struct {
		edit   func(*access.Assume)
		may    []string
		mayNot []string
	}{
		"none":               {nil, []string{"s3:GetObject", "s3:PutObject"}, []string{"iam:GetRole"}},
		"one action":         {func(a *access.Assume) { a.Policies = []string{allow("s3:GetObject")} }, []string{"s3:GetObject"}, []string{"s3:PutObject"}},
		"everything":         {func(a *access.Assume) { a.Policies = []string{allow("*")} }, []string{"s3:PutObject"}, []string{"iam:GetRole"}},
		"two make one limit": {func(a *access.Assume) { a.Policies = []string{allow("s3:GetObject"), allow("s3:PutObject")} }, []string{"s3:GetObject", "s3:PutObject"}, []string{"s3:DeleteObject"}},
		"limited by nothing": {func(a *access.Assume) { a.Limited = true }, nil, []string{"s3:GetObject"}},
		"a managed one":      {func(a *access.Assume) { a.PolicyARNs = []string{"arn:aws:iam::aws:policy/AmazonS3FullAccess"} }, []string{"s3:GetObject"}, []string{"iam:GetRole"}},
		"an explicit denial": {func(a *access.Assume) {
			a.Policies = []string{allow("*"), strings.Replace(allow("s3:PutObject"), "Allow", "Deny", 1)}
		}, []string{"s3:GetObject"}, []string{"s3:PutObject"}},
		"an unrelated action": {func(a *access.Assume) { a.Policies = []string{allow("ec2:*")} }, nil, []string{"s3:GetObject", "ec2:RunInstances"}},
	} {
		out := w.assume(ann, r, c.edit)
		if out.Reason != "" {
			t.Fatalf("%s: %s", name, out.Reason)
		}
		for _, action := range slices.Concat(c.may, c.mayNot) {
			if d := w.may(access.SubjectOf(out.Session), action); d.Allows() != slices.Contains(c.may, action) {
				t.Errorf("%s: %s is %s %s", name, action, d.Result, d.Because)
			}
		}
	}
}
