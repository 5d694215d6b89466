package sts_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

func TestAccountsOfAccessKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for id, want := range map[string]string{
		"ASIAQNZGKIQY56JQ7WML":  "029608264753", // a published pair of id and account
		"AKIARZPUZDIKGB2VALC4":  account,
		w.root.AccessKeyID:      account,
		"AIDAQNZGKIQY56JQ7WML":  "", // a user's unique id
		"AKIARZPUZDIKGB2VALC":   "",
		"AKIARZPUZDIKGB2VAL018": "",
		"akiarzpuzdikgb2valc4":  "",
	} {
		out, err := w.client(w.root).GetAccessKeyInfo(t.Context(), &sdk.GetAccessKeyInfoInput{AccessKeyId: &id})
		if want == "" {
			refused(t, err, "ValidationError", "")
		} else if err != nil || *out.Account != want {
			t.Errorf("%s: %v", id, err)
		}
	}
	_, err := w.client(w.root).GetAccessKeyInfo(t.Context(), &sdk.GetAccessKeyInfoInput{AccessKeyId: new("AKIA")})
	refused(t, err, "ValidationError", "1 validation error detected: Value 'AKIA' at 'accessKeyId' failed to satisfy constraint: Member must have length greater than or equal to 16")
	_, err = w.client(w.user).GetAccessKeyInfo(t.Context(), &sdk.GetAccessKeyInfoInput{AccessKeyId: new("AKIARZPUZDIKGB2VALC4")})
	refused(t, err, "AccessDenied", "")
}

func TestDecodingAuthorizationMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, key := w.newUser("bob", func(u *directory.IAMUser) {
		u.Inline = []directory.InlinePolicy{
			{Name: "deny", Document: `{"Version":"2012-10-17","Statement":[{"Sid":"NoStop","Effect":"Deny","Action":"ec2:Stop*","Resource":"*","Condition":{"StringEquals":{"ec2:Region":"us-east-1"}}}]}`},
			allows(`["sts:DecodeAuthorizationMessage","ec2:*"]`, "*"),
		}
	})
	k := policy.Context{}
	k.Set("ec2:Region", "us-east-1")
	subject := access.Subject{Principal: policy.Principal{Type: policy.User, Account: account, ARN: u.ARN, Issuer: u.ARN, ID: u.ID}, UserID: u.ID, UserName: "bob"}
	d, err := w.access.Decide(t.Context(), access.Ask{Subject: subject, Action: "ec2:StopInstances", Resource: "arn:aws:ec2:us-east-1:" + account + ":instance/i-1", Context: k})
	must(t, err)
	message, err := access.EncodeDecision(w.sealer, subject, d, k)
	must(t, err)
	out, err := w.client(key).DecodeAuthorizationMessage(t.Context(), &sdk.DecodeAuthorizationMessageInput{EncodedMessage: &message})
	must(t, err)
	want := `{"allowed":false,"explicitDeny":true,"matchedStatements":{"items":[{"statementId":"NoStop","effect":"DENY","principals":{"items":[{"value":"` + u.ID + `"}]},"principalGroups":{"items":[]},` +
		`"actions":{"items":[{"value":"ec2:Stop*"}]},"resources":{"items":[{"value":"*"}]},"conditions":{"items":[{"key":"ec2:Region","values":{"items":[{"value":"us-east-1"}]}}]}}]},"failures":{"items":[]},` +
		`"context":{"principal":{"id":"` + u.ID + `","name":"bob","arn":"` + u.ARN + `"},"action":"ec2:StopInstances","resource":"arn:aws:ec2:us-east-1:` + account + `:instance/i-1","conditions":{"items":[{"key":"ec2:region","values":{"items":[{"value":"us-east-1"}]}}]}}}`
	if diff := cmp.Diff(indent(t, want), indent(t, *out.DecodedMessage)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	abroad, theirs := w.newUser("abroad", func(u *directory.IAMUser) {
		u.AccountID, u.ID, u.ARN, u.Managed = stranger, w.id("AIDA", stranger), "arn:aws:iam::"+stranger+":user/abroad", []string{administrator}
	})
	for name, tt := range map[string]struct {
		key     aws.Credentials
		message string
	}{
		"garbage":                     {key, "garbage"},
		"a message that is altered":   {key, message[:20] + strings.Map(swap, message[20:21]) + message[21:]},
		"a message that is cut":       {key, message[:len(message)-8]},
		"another account's message":   {theirs, message},
		"a session token":             {key, strings.Repeat("A", 10240)},
		"a message of " + abroad.Name: {theirs, "AAAA"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.client(tt.key).DecodeAuthorizationMessage(t.Context(), &sdk.DecodeAuthorizationMessageInput{EncodedMessage: &tt.message})
			refused(t, err, "InvalidAuthorizationMessageException", "")
		})
	}
	_, err = w.client(w.user).DecodeAuthorizationMessage(t.Context(), &sdk.DecodeAuthorizationMessageInput{EncodedMessage: &message})
	refused(t, err, "AccessDenied", "User: "+user+" is not authorized to perform: sts:DecodeAuthorizationMessage on resource: * because no identity-based policy allows the sts:DecodeAuthorizationMessage action")
}

func swap(r rune) rune {
	if r == 'A' {
		return 'B'
	}
	return 'A'
}

func indent(t *testing.T, text string) string {
	t.Helper()
	var v any
	must(t, json.Unmarshal([]byte(text), &v))
	b, err := json.MarshalIndent(v, "", " ")
	must(t, err)
	return string(b)
}

// rootTask asks for the root of an account.
func rootTask(target string) *sdk.AssumeRootInput {
	return &sdk.AssumeRootInput{TargetPrincipal: &target, TaskPolicyArn: &types.PolicyDescriptorType{Arn: new("arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy")}}
}

// There are no organisations: nobody gets the root of a member account, nor trades a token in.
func TestWhatNeedsAnOrganisation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for target, message := range map[string]string{
		stranger:                             "User: " + root + " is not authorized to perform: sts:AssumeRoot on resource: arn:aws:iam::" + stranger + ":root",
		"arn:aws:iam::" + stranger + ":root": "User: " + root + " is not authorized to perform: sts:AssumeRoot on resource: arn:aws:iam::" + stranger + ":root",
		account:                              "User: " + root + " is not authorized to perform: sts:AssumeRoot on resource: arn:aws:iam::" + account + ":root",
	} {
		_, err := w.client(w.root).AssumeRoot(t.Context(), rootTask(target))
		refused(t, err, "AccessDenied", "")
		if err != nil && !strings.Contains(err.Error(), message) {
			t.Errorf("%s: %v", target, err)
		}
		if e := w.event(); e.Outcome != audit.Refused || !strings.Contains(string(e.Evidence), "organisation") {
			t.Errorf("%s: event %+v", target, e)
		}
	}
	for _, target := range []string{"123456789012:root", "user-ann-of-somewhere", user} {
		_, err := w.client(w.root).AssumeRoot(t.Context(), rootTask(target))
		refused(t, err, "ValidationError", target+" is invalid")
	}
	in := rootTask(stranger)
	in.TaskPolicyArn.Arn = new(administrator)
	_, err := w.client(w.root).AssumeRoot(t.Context(), in)
	refused(t, err, "ValidationError", administrator+" is invalid")
	in = rootTask(stranger)
	in.DurationSeconds = new(int32(901))
	_, err = w.client(w.root).AssumeRoot(t.Context(), in)
	refused(t, err, "ValidationError", "1 validation error detected: Value '901' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 900")

	global := sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: new("https://sts.amazonaws.com"), HTTPClient: w, RetryMaxAttempts: 1,
		Credentials: credentials.StaticCredentialsProvider{Value: w.root},
	})
	_, err = global.AssumeRoot(t.Context(), rootTask(stranger))
	refused(t, err, "InvalidAction", "Operation not supported on STS global endpoint")

	_, err = w.client(w.root).GetDelegatedAccessToken(t.Context(), &sdk.GetDelegatedAccessTokenInput{TradeInToken: new("a-trade-in-token")})
	refused(t, err, "AccessDenied", "")
	if strings.Contains(string(w.event().Evidence), "a-trade-in-token") {
		t.Error("the event has the token")
	}
}
