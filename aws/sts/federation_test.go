//lint:file-ignore SA1019 PackedPolicySize is deprecated, and still answered

package sts_test

import (
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

func TestRefusalsOfGetFederationToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, key := w.newUser("broker", func(u *directory.IAMUser) {
		u.Inline = []directory.InlinePolicy{allows(`["sts:GetFederationToken"]`, "arn:aws:sts::"+account+":federated-user/app-*")}
	})
	_, tagger := w.newUser("tagger", func(u *directory.IAMUser) {
		u.Inline = []directory.InlinePolicy{allows(`["sts:GetFederationToken","sts:TagSession"]`, "*")}
	})
	federated := func(name string) string { return "arn:aws:sts::" + account + ":federated-user/" + name }
	for name, tt := range map[string]struct {
		in            sdk.GetFederationTokenInput
		tagger        bool
		code, message string
	}{
		"a name that is not permitted": {in: sdk.GetFederationTokenInput{Name: new("other")}, code: "AccessDenied",
			message: "User: arn:aws:iam::" + account + ":user/broker is not authorized to perform: sts:GetFederationToken on resource: " + federated("other") + " because no identity-based policy allows the sts:GetFederationToken action"},
		"tags that are not permitted": {in: sdk.GetFederationTokenInput{Name: new("app-1"), Tags: tags("a", "b")}, code: "AccessDenied",
			message: "User: arn:aws:iam::" + account + ":user/broker is not authorized to perform: sts:TagSession on resource: " + federated("app-1") + " because no identity-based policy allows the sts:TagSession action"},
		"a name that is too long": {in: sdk.GetFederationTokenInput{Name: new(strings.Repeat("a", 33))}, code: "ValidationError",
			message: "1 validation error detected: Value '" + strings.Repeat("a", 33) + "' at 'name' failed to satisfy constraint: Member must have length less than or equal to 32"},
		"a duration that is too long": {in: sdk.GetFederationTokenInput{Name: new("app-1"), DurationSeconds: new(int32(129601))}, code: "ValidationError",
			message: "1 validation error detected: Value '129601' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 129600"},
		"duplicate tags":           {tagger: true, in: sdk.GetFederationTokenInput{Name: new("app-1"), Tags: tags("a", "b", "A", "c")}, code: "InvalidParameterValue", message: "Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		"a tag key of AWS's":       {tagger: true, in: sdk.GetFederationTokenInput{Name: new("app-1"), Tags: tags("aws:x", "b")}, code: "InvalidParameterValue"},
		"a bad policy":             {in: sdk.GetFederationTokenInput{Name: new("app-1"), Policy: new("{}")}, code: "MalformedPolicyDocument"},
		"a missing policy":         {in: sdk.GetFederationTokenInput{Name: new("app-1"), PolicyArns: []types.PolicyDescriptorType{{Arn: new("arn:aws:iam::" + account + ":policy/None")}}}, code: "ValidationError"},
		"another account's policy": {in: sdk.GetFederationTokenInput{Name: new("app-1"), PolicyArns: []types.PolicyDescriptorType{{Arn: new("arn:aws:iam::" + stranger + ":policy/Theirs")}}}, code: "ValidationError"},
	} {
		t.Run(name, func(t *testing.T) {
			who := key
			if tt.tagger {
				who = tagger
			}
			_, err := w.client(who).GetFederationToken(t.Context(), &tt.in)
			refused(t, err, tt.code, tt.message)
		})
	}
}

func TestWhatAFederatedUserMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, key := w.newUser("broker", func(u *directory.IAMUser) {
		u.Tags = []directory.Tag{{Key: "Team", Value: "red"}}
		u.Inline = []directory.InlinePolicy{
			allows(`["sts:GetFederationToken","sts:TagSession","s3:GetObject","s3:ListBucket"]`, "*"),
			{Name: "tagged", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:red","s3:blue"],"Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/Team":["${aws:PrincipalTag/TEAM}","red"]}}},{"Effect":"Deny","Action":"s3:red","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalTag/Team":"red"}}},{"Effect":"Deny","Action":"s3:blue","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalTag/Team":"blue"}}}]}`},
		}
	})
	get := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:red","s3:blue"],"Resource":"*"}]}`
	for name, tt := range map[string]struct {
		in     sdk.GetFederationTokenInput
		packed bool
		may    map[string]bool
	}{
		"without session policies": {sdk.GetFederationTokenInput{Name: new("none")}, false, map[string]bool{"s3:GetObject": false, "s3:ListBucket": false}},
		"with a session policy":    {sdk.GetFederationTokenInput{Name: new("get"), Policy: &get}, true, map[string]bool{"s3:GetObject": true, "s3:PutObject": false, "s3:ListBucket": false, "s3:red": true, "s3:blue": false}},
		"with a managed one":       {sdk.GetFederationTokenInput{Name: new("all"), PolicyArns: []types.PolicyDescriptorType{{Arn: new(administrator)}}}, true, map[string]bool{"s3:GetObject": true, "s3:ListBucket": true, "s3:PutObject": false}},
		"with tags":                {sdk.GetFederationTokenInput{Name: new("tag"), Policy: &get, Tags: tags("team", "blue")}, true, map[string]bool{"s3:GetObject": true, "s3:red": false, "s3:blue": true}},
	} {
		out, err := w.client(key).GetFederationToken(t.Context(), &tt.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if *out.FederatedUser.Arn != "arn:aws:sts::"+account+":federated-user/"+*tt.in.Name || *out.FederatedUser.FederatedUserId != account+":"+*tt.in.Name {
			t.Errorf("%s: %+v", name, out.FederatedUser)
		}
		if out.PackedPolicySize == nil || (*out.PackedPolicySize > 0) != tt.packed || *out.SessionTokenSize != int32(len(*out.Credentials.SessionToken)) {
			t.Errorf("%s: packed %v", name, out.PackedPolicySize)
		}
		for action, want := range tt.may {
			if d := w.may(temporary(out.Credentials), action, "arn:aws:s3:::b/k"); d.Allows() != want {
				t.Errorf("%s: %s is %s (%s)", name, action, d.Result, d.Because)
			}
		}
		doc, err := policy.Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+*out.FederatedUser.Arn+`"},"Action":"s3:DeleteObject","Resource":"*"}]}`, policy.Resource)
		must(t, err)
		if d := w.may(temporary(out.Credentials), "s3:DeleteObject", "arn:aws:s3:::b/k", policy.Source{Type: policy.ResourceBased, Name: "bucket policy", Document: doc}); !d.Allows() {
			t.Errorf("%s: granted by its own ARN: %s %s", name, d.Result, d.Because)
		}
		if s := w.session(temporary(out.Credentials)); s.Issuer != u.ARN || s.ID != u.ID || !s.Limited {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestWhomTheRootFederates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	none, err := w.client(w.root).GetFederationToken(t.Context(), &sdk.GetFederationTokenInput{Name: new("none")})
	must(t, err)
	get, err := w.client(w.root).GetFederationToken(t.Context(), &sdk.GetFederationTokenInput{
		Name: new("get"), Policy: new(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`),
	})
	must(t, err)
	for action, want := range map[string]bool{"s3:GetObject": true, "s3:PutObject": false} {
		if d := w.may(temporary(get.Credentials), action, "arn:aws:s3:::b/k"); d.Allows() != want {
			t.Errorf("%s is %s (%s)", action, d.Result, d.Because)
		}
		if d := w.may(temporary(none.Credentials), action, "arn:aws:s3:::b/k"); d.Allows() {
			t.Errorf("without a session policy: %s is %s", action, d.Result)
		}
	}
}
