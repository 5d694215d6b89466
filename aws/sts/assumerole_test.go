//lint:file-ignore SA1019 PackedPolicySize is deprecated, and still answered

package sts_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
)

var (
	assuming   = []string{"sts:AssumeRole"}
	tagging    = []string{"sts:AssumeRole", "sts:TagSession"}
	everyTrust = []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}
)

func seconds(n int32) func(*sdk.AssumeRoleInput) {
	return func(in *sdk.AssumeRoleInput) { in.DurationSeconds = &n }
}

func tagged(pairs ...string) func(*sdk.AssumeRoleInput) {
	return func(in *sdk.AssumeRoleInput) { in.Tags = tags(pairs...) }
}

func tags(pairs ...string) (out []types.Tag) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
	}
	return out
}

func transitive(keys ...string) func(*sdk.AssumeRoleInput) {
	return func(in *sdk.AssumeRoleInput) { in.TransitiveTagKeys = keys }
}

func source(s string) func(*sdk.AssumeRoleInput) {
	return func(in *sdk.AssumeRoleInput) { in.SourceIdentity = &s }
}

func policyText(s string) func(*sdk.AssumeRoleInput) {
	return func(in *sdk.AssumeRoleInput) { in.Policy = &s }
}

func policyARNs(arns ...string) func(*sdk.AssumeRoleInput) {
	return func(in *sdk.AssumeRoleInput) {
		for _, a := range arns {
			in.PolicyArns = append(in.PolicyArns, types.PolicyDescriptorType{Arn: &a})
		}
	}
}

// Every text with which AssumeRole refuses.
func TestRefusalsOfAssumeRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trusted := w.role("Trusted", trusts(user, assuming))
	tagger := w.role("Tagger", trusts(user, everyTrust))
	closed := w.role("Closed", trusts("arn:aws:iam::"+stranger+":root", assuming))
	missing := "arn:aws:iam::" + account + ":role/Missing"
	denied := func(action, role string) string {
		return "User: " + user + " is not authorized to perform: " + action + " on resource: " + role
	}
	const invalid, value, access = "ValidationError", "InvalidParameterValue", "AccessDenied"
	for name, tt := range map[string]struct {
		key           aws.Credentials // user's by default
		role          string
		edit          func(*sdk.AssumeRoleInput)
		code, message string
	}{
		"a role that is no ARN":        {role: "not-an-arn-but-long-enough", code: invalid, message: "not-an-arn-but-long-enough is invalid"},
		"a role that is a user":        {role: user, code: invalid, message: user + " is invalid"},
		"a role of no account":         {role: "arn:aws:iam::12345:role/Trusted", code: invalid, message: "arn:aws:iam::12345:role/Trusted is invalid"},
		"a role that is too short":     {role: "arn:aws:iam::1", code: invalid, message: "1 validation error detected: Value 'arn:aws:iam::1' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20"},
		"a session name with colon":    {role: trusted.ARN, edit: func(in *sdk.AssumeRoleInput) { in.RoleSessionName = new("Session1:2") }, code: invalid, message: `1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`},
		"a duration of no length":      {role: trusted.ARN, edit: seconds(0), code: invalid, message: "1 validation error detected: Value '0' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"},
		"a duration that is too long":  {role: trusted.ARN, edit: seconds(3601), code: invalid, message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		"a token of more than 4096":    {role: trusted.ARN, edit: func(in *sdk.AssumeRoleInput) { in.MinimumSessionTokenSize = new(int32(4097)) }, code: invalid, message: "1 validation error detected: Value '4097' at 'minimumSessionTokenSize' failed to satisfy constraint: Member must have value less than or equal to 4096"},
		"a transitive key without tag": {role: tagger.ARN, edit: transitive("team"), code: value, message: "The specified transitive tag key must be included in the requested tags."},
		"tag keys that differ in case": {role: tagger.ARN, edit: tagged("Team", "a", "team", "b"), code: value, message: "Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		"a tag key of AWS's":           {role: tagger.ARN, edit: tagged("AWS:team", "a"), code: value},
		"a source identity of AWS's":   {role: tagger.ARN, edit: source("aws:me"), code: invalid},
		"a role that is missing":       {role: missing, code: access, message: denied("sts:AssumeRole", missing)},
		"a role that trusts others":    {role: closed.ARN, code: access, message: denied("sts:AssumeRole", closed.ARN)},
		"tags that are not trusted":    {role: trusted.ARN, edit: tagged("team", "a"), code: access, message: denied("sts:TagSession", trusted.ARN)},
		"a source that is not trusted": {role: trusted.ARN, edit: source("me"), code: access, message: denied("sts:SetSourceIdentity", trusted.ARN)},
		"the root":                     {key: w.root, role: trusted.ARN, code: access, message: "Roles may not be assumed by root accounts."},
		"a policy that is no JSON":     {role: trusted.ARN, edit: policyText("{"), code: "MalformedPolicyDocument"},
		"a policy that is none":        {role: trusted.ARN, edit: policyText(`{"Statement":[{"Effect":"Perhaps","Action":"*","Resource":"*"}]}`), code: "MalformedPolicyDocument"},
		"a policy that is too long":    {role: trusted.ARN, edit: policyText(strings.Replace(everything, " ", "", -1) + strings.Repeat(" ", 2048)), code: invalid},
		"a policy ARN that is missing": {role: trusted.ARN, edit: policyARNs("arn:aws:iam::" + account + ":policy/None"), code: invalid},
		"eleven policy ARNs":           {role: trusted.ARN, edit: policyARNs(slices.Repeat([]string{administrator}, 11)...), code: invalid},
		"a context assertion": {role: trusted.ARN, edit: func(in *sdk.AssumeRoleInput) {
			in.ProvidedContexts = []types.ProvidedContext{{ProviderArn: new("arn:aws:iam::aws:contextProvider/IdentityCenter"), ContextAssertion: new("assertion")}}
		}, code: value},
	} {
		key := tt.key
		if key.AccessKeyID == "" {
			key = w.user
		}
		edit := tt.edit
		if edit == nil {
			edit = func(*sdk.AssumeRoleInput) {}
		}
		t.Run(name, func(t *testing.T) {
			_, err := w.assume(key, tt.role, edit)
			refused(t, err, tt.code, tt.message)
		})
	}
}

// Nothing that somebody who is not trusted sends tells whether a role is there.
func TestWhoIsNotTrustedLearnsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, key := w.newUser("mallory", func(u *directory.IAMUser) {
		u.Inline = []directory.InlinePolicy{allows(`["sts:*"]`, "*")}
	})
	there := w.role("Secret", trusts(user, everyTrust))
	for name, edit := range map[string]func(*sdk.AssumeRoleInput){
		"nothing more":        func(*sdk.AssumeRoleInput) {},
		"a long duration":     seconds(43200),
		"tags":                tagged("a", "b"),
		"duplicate tags":      tagged("a", "b", "A", "c"),
		"a source identity":   source("me"),
		"a bad policy":        policyText("{"),
		"a missing policy":    policyARNs("arn:aws:iam::" + account + ":policy/None"),
		"a transitive nobody": transitive("x"),
	} {
		_, err := w.assume(key, there.ARN, edit)
		refused(t, err, "AccessDenied", "User: arn:aws:iam::"+account+":user/mallory is not authorized to perform: sts:AssumeRole on resource: "+there.ARN)
		first := w.last().status
		_, err = w.assume(key, there.ARN+"x", edit)
		refused(t, err, "AccessDenied", "User: arn:aws:iam::"+account+":user/mallory is not authorized to perform: sts:AssumeRole on resource: "+there.ARN+"x")
		if w.last().status != first || first != 403 {
			t.Errorf("%s: status %d, of a missing role %d", name, first, w.last().status)
		}
	}
}

func TestTheOrderOfChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trusted := w.role("Trusted", trusts(user, tagging))
	all := []func(*sdk.AssumeRoleInput){seconds(7200), tagged("a", "1", "A", "2"), policyText("{")}
	for i, want := range []string{"ValidationError", "InvalidParameterValue", "MalformedPolicyDocument"} {
		_, err := w.assume(w.user, trusted.ARN, all[i:]...)
		refused(t, err, want, "")
	}
	_, err := w.assume(w.root, "not-an-arn-but-long-enough", all...)
	refused(t, err, "ValidationError", "not-an-arn-but-long-enough is invalid")
}

func TestWhatAssumeRoleAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Reader", trusts(user, everyTrust), func(r *directory.IAMRole) {
		r.ARN, r.Path, r.MaxSession = "arn:aws:iam::"+account+":role/deep/Reader", "/deep/", 43200
	})
	out, err := w.assume(w.user, r.ARN)
	must(t, err)
	body := w.last().body
	if !strings.Contains(body, "<Expiration>2026-11-21T10:30:00Z</Expiration>") {
		t.Errorf("an hour, in whole seconds of UTC: %s", body)
	}
	if strings.Contains(body, "PackedPolicySize") || strings.Contains(body, "SourceIdentity") {
		t.Errorf("nothing was packed and no source identity set: %s", body)
	}
	if *out.AssumedRoleUser.Arn != "arn:aws:sts::"+account+":assumed-role/Reader/s1" || *out.AssumedRoleUser.AssumedRoleId != r.ID+":s1" {
		t.Errorf("%s, %s", *out.AssumedRoleUser.Arn, *out.AssumedRoleUser.AssumedRoleId)
	}
	if id := *out.Credentials.AccessKeyId; !strings.HasPrefix(id, "ASIA") || len(id) != 20 || len(*out.Credentials.SecretAccessKey) != 40 {
		t.Errorf("key %s", id)
	}
	info, err := w.client(w.root).GetAccessKeyInfo(t.Context(), &sdk.GetAccessKeyInfoInput{AccessKeyId: out.Credentials.AccessKeyId})
	if err != nil || *info.Account != account {
		t.Errorf("the key's account: %v", err)
	}
	out, err = w.assume(w.user, r.ARN, seconds(43200), source("ann"), tagged("Team", "red"), policyText(everything), policyARNs(administrator))
	must(t, err)
	if !out.Credentials.Expiration.Equal(start.Add(12*time.Hour)) || *out.SourceIdentity != "ann" || out.PackedPolicySize == nil || *out.PackedPolicySize < 1 {
		t.Errorf("%v, %v", out.Credentials.Expiration, out.PackedPolicySize)
	}
	if !strings.Contains(string(w.event().Evidence), `"sts:TagSession"`) || !strings.Contains(string(w.event().Evidence), `"sts:SetSourceIdentity"`) {
		t.Errorf("the event lacks decisions: %s", w.event().Evidence)
	}
	if bytes.Contains(w.event().Evidence, []byte(*out.Credentials.SecretAccessKey)) || bytes.Contains(w.event().Evidence, []byte(*out.Credentials.SessionToken)) {
		t.Error("the event has a secret")
	}
}

func TestFiguresOfTheSessionToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Reader", trusts(user, tagging))
	plain, err := w.assume(w.user, r.ARN)
	must(t, err)
	for _, least := range []int32{0, 1, 100, 1000, 2001, 4093, 4096} {
		out, err := w.assume(w.user, r.ARN, func(in *sdk.AssumeRoleInput) { in.MinimumSessionTokenSize = &least })
		must(t, err)
		n := int32(len(*out.Credentials.SessionToken))
		if *out.SessionTokenSize != n || n < least || n > 4096 || *out.SessionTokenUtilization != n*100/4096 {
			t.Errorf("at least %d: %d bytes, said to be %d and %d%%", least, n, *out.SessionTokenSize, *out.SessionTokenUtilization)
		}
		if least < 100 && (n < *plain.SessionTokenSize-8 || n > *plain.SessionTokenSize+8) {
			t.Errorf("at least %d changed the size from %d to %d", least, *plain.SessionTokenSize, n)
		}
		who, err := w.client(temporary(out.Credentials)).GetCallerIdentity(t.Context(), nil)
		if err != nil || *who.Arn != *out.AssumedRoleUser.Arn {
			t.Errorf("at least %d: %v", least, err)
		}
	}
}

func TestSessionsThatDoNotFitIntoTheirToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Reader", trusts(user, tagging))
	var many []string
	for i := range 50 {
		many = append(many, fmt.Sprintf("%d%s", i, long(t, 100)), long(t, 256))
	}
	_, err := w.assume(w.user, r.ARN, tagged(many...))
	refused(t, err, "PackedPolicyTooLarge", "")
	if body := w.last().body; w.last().status != 400 || !strings.Contains(body, "% of allotted space, please use smaller policy.") {
		t.Errorf("%s", body)
	}
	out, err := w.assume(w.user, r.ARN, tagged(many[:8]...))
	if err != nil || *out.SessionTokenSize > 4096 {
		t.Errorf("four tags fit: %v", err)
	}
}

func TestExternalIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Third", trusts(user, assuming, `"Condition":{"StringEquals":{"sts:ExternalId":"Unique/1:2"}}`))
	for id, ok := range map[string]bool{"": false, "unique/1:2": false, "Unique/1:2": true} {
		_, err := w.assume(w.user, r.ARN, func(in *sdk.AssumeRoleInput) {
			if id != "" {
				in.ExternalId = &id
			}
		})
		if (err == nil) != ok {
			t.Errorf("external id %q: %v", id, err)
		}
		e := w.event()
		if want := map[bool]audit.Outcome{true: audit.Allowed, false: audit.Refused}[ok]; e.Outcome != want || !strings.Contains(string(e.Evidence), "Unique/1:2") {
			t.Errorf("external id %q: event %s %s", id, e.Outcome, e.Evidence)
		}
	}
}

func TestConditionsOfTheSessionAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Named", trusts(user, everyTrust, `"Condition":{"StringLike":{"sts:RoleSessionName":"${aws:username}-*"},"ForAllValues:StringEquals":{"aws:TagKeys":["Team"],"sts:TransitiveTagKeys":["Team"]},"StringEqualsIfExists":{"aws:RequestTag/Team":"red","sts:SourceIdentity":"${aws:username}"},"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`))
	name := func(s string) func(*sdk.AssumeRoleInput) {
		return func(in *sdk.AssumeRoleInput) { in.RoleSessionName = &s }
	}
	for _, tt := range []struct {
		name string
		edit []func(*sdk.AssumeRoleInput)
		ok   bool
	}{
		{"all as it should be", []func(*sdk.AssumeRoleInput){name("ann-1"), tagged("Team", "red"), transitive("Team"), source("ann")}, true},
		{"only the name", []func(*sdk.AssumeRoleInput){name("ann-1")}, true},
		{"another's name", []func(*sdk.AssumeRoleInput){name("bob-1")}, false},
		{"another tag", []func(*sdk.AssumeRoleInput){name("ann-1"), tagged("Team", "red", "Cost", "1")}, false},
		{"another value", []func(*sdk.AssumeRoleInput){name("ann-1"), tagged("Team", "blue")}, false},
		{"another source", []func(*sdk.AssumeRoleInput){name("ann-1"), source("bob")}, false},
	} {
		if _, err := w.assume(w.user, r.ARN, tt.edit...); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestTheSDKsOwnProviderAssumesRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Reader", trusts(user, everyTrust))
	provider := stscreds.NewAssumeRoleProvider(w.client(w.user), r.ARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName, o.SourceIdentity = "provided", new("ann")
		o.Tags, o.TransitiveTagKeys = tags("Team", "red"), []string{"Team"}
	})
	got, err := provider.Retrieve(t.Context())
	must(t, err)
	if got.AccountID != account || !got.CanExpire {
		t.Errorf("%+v", got)
	}
	who, err := w.client(got).GetCallerIdentity(t.Context(), nil)
	if err != nil || *who.Arn != "arn:aws:sts::"+account+":assumed-role/Reader/provided" {
		t.Errorf("%v", err)
	}
}
