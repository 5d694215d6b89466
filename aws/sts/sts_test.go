package sts_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
)

// callers are one of every kind, with what GetCallerIdentity shows of them.
func (w *world) callers(t *testing.T) map[string]shown {
	t.Helper()
	u, key := w.newUser("bob", func(u *directory.IAMUser) {
		u.Inline = []directory.InlinePolicy{allows(`["sts:AssumeRole","sts:GetFederationToken"]`, "*")}
	})
	r := w.role("Reader", trusts(root, []string{"sts:AssumeRole"}), func(r *directory.IAMRole) {
		r.ARN, r.Path = "arn:aws:iam::"+account+":role/deep/path/Reader", "/deep/path/"
	})
	session, err := w.client(key).GetSessionToken(t.Context(), nil)
	must(t, err)
	rootSession, err := w.client(w.root).GetSessionToken(t.Context(), nil)
	must(t, err)
	federated, err := w.client(key).GetFederationToken(t.Context(), &sdk.GetFederationTokenInput{Name: new("Carol")})
	must(t, err)
	assumed, err := w.assume(key, r.ARN)
	must(t, err)
	return map[string]shown{
		"root":                         {w.root, root, account},
		"a user":                       {key, u.ARN, u.ID},
		"a user that may do nothing":   {w.user, user, ""},
		"a user's own session":         {temporary(session.Credentials), u.ARN, u.ID},
		"a root's own session":         {temporary(rootSession.Credentials), root, account},
		"a federated user":             {temporary(federated.Credentials), "arn:aws:sts::" + account + ":federated-user/Carol", account + ":Carol"},
		"a role's session, path aside": {temporary(assumed.Credentials), "arn:aws:sts::" + account + ":assumed-role/Reader/s1", r.ID + ":s1"},
	}
}

type shown struct {
	key     aws.Credentials
	arn, id string
}

func TestCallersSeeWhoTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tt := range w.callers(t) {
		out, err := w.client(tt.key).GetCallerIdentity(t.Context(), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if *out.Arn != tt.arn || tt.id != "" && *out.UserId != tt.id || *out.Account != account {
			t.Errorf("%s is %s, %s, %s", name, *out.Arn, *out.UserId, *out.Account)
		}
		e := w.event()
		if e.Outcome != audit.Allowed || e.Surface != "sts" || e.Operation != "GetCallerIdentity" || e.Caller != tt.arn {
			t.Errorf("%s: event %+v", name, e)
		}
	}
}

func TestNoPolicyCanDenyGetCallerIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, key := w.newUser("denied", func(u *directory.IAMUser) {
		u.Inline = []directory.InlinePolicy{{Name: "deny", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["sts:GetCallerIdentity","*"],"Resource":"*"}]}`}}
	})
	if out, err := w.client(key).GetCallerIdentity(t.Context(), nil); err != nil || !strings.HasSuffix(*out.Arn, "user/denied") {
		t.Errorf("%v", err)
	}
}

// presign makes a URL as the EKS authenticators and Vault do: GetCallerIdentity with a header of their own.
func (w *world) presign(t *testing.T, c aws.Credentials) string {
	t.Helper()
	presigned, err := sdk.NewPresignClient(w.client(c)).PresignGetCallerIdentity(t.Context(), nil, func(o *sdk.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, func(o *sdk.Options) {
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("X-K8s-Aws-Id", "cluster"), smithyhttp.SetHeaderValue("X-Amz-Expires", "60"))
		})
	})
	must(t, err)
	if !strings.Contains(presigned.URL, "x-k8s-aws-id") || !strings.Contains(presigned.URL, "X-Amz-Expires=60") {
		t.Fatalf("not what the authenticators send: %s", presigned.URL)
	}
	return presigned.URL
}

func (w *world) get(t *testing.T, url, cluster string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, err)
	r.Header.Set("X-K8s-Aws-Id", cluster)
	response, err := w.Do(r)
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return response.StatusCode, string(body)
}

func TestPresignedCallsAreGoodForFifteenMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	url := w.presign(t, w.user)
	for _, step := range []struct {
		name    string
		advance time.Duration
		cluster string
		status  int
		want    string
	}{
		{"at once", 0, "cluster", 200, "<Arn>" + user + "</Arn>"},
		{"for another cluster", 0, "other", 403, "<Code>SignatureDoesNotMatch</Code>"},
		{"after its minute", 14 * time.Minute, "cluster", 200, "<Arn>" + user + "</Arn>"},
		{"after the window", 2 * time.Minute, "cluster", 403, " - 15 min.)</Message>"},
	} {
		w.advance(step.advance)
		if status, body := w.get(t, url, step.cluster); status != step.status || !strings.Contains(body, step.want) {
			t.Errorf("%s: %d %s", step.name, status, body)
		}
	}
}

func TestEveryKindOfCallerMayPresign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tt := range w.callers(t) {
		if status, body := w.get(t, w.presign(t, tt.key), "cluster"); status != 200 || !strings.Contains(body, "<Arn>"+tt.arn+"</Arn>") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

func TestAPresignedCallEndsWithItsSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out, err := w.client(w.user).GetSessionToken(t.Context(), &sdk.GetSessionTokenInput{DurationSeconds: new(int32(900))})
	must(t, err)
	url := w.presign(t, temporary(out.Credentials))
	w.pass(15*time.Minute - time.Second)
	if status, body := w.get(t, url, "cluster"); status != 200 {
		t.Errorf("a second before: %d %s", status, body)
	}
	w.pass(time.Second)
	if status, body := w.get(t, url, "cluster"); status != 403 || !strings.Contains(body, "<Code>ExpiredToken</Code>") || !strings.Contains(body, "<Message>The security token included in the request is expired</Message>") {
		t.Errorf("at its end: %d %s", status, body)
	}
}

func TestAnUnknownActionIsNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	status, body := w.get(t, "https://sts.eu-north-1.amazonaws.com/?Action=GetNothing&Version=2011-06-15", "")
	if status != 400 || !strings.Contains(body, "<Code>InvalidAction</Code>") || !strings.Contains(body, "<Message>Could not find operation GetNothing for version 2011-06-15</Message>") {
		t.Errorf("%d %s", status, body)
	}
}

func TestWrongSecretsAndUnknownKeysAreToldApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wrong, unknown, token := w.root, w.root, w.root
	wrong.SecretAccessKey = "guess"
	unknown.AccessKeyID = "AKIARZPUZDIKGB2VALC4"
	token.SessionToken = "FwoGZXIvYXdzE"
	for code, key := range map[string]aws.Credentials{"SignatureDoesNotMatch": wrong, "InvalidClientTokenId": unknown} {
		_, err := w.client(key).GetCallerIdentity(t.Context(), nil)
		refused(t, err, code, "")
	}
	_, err := w.client(token).GetCallerIdentity(t.Context(), nil)
	refused(t, err, "InvalidClientTokenId", "The security token included in the request is invalid.")
}

// The SDK corrects its clock from the answer's Date, so a client whose clock is wrong gets through at
// its second attempt.
func TestClientsWithAWrongClockRecover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.advance(time.Hour)
	client := sdk.New(sdk.Options{
		Region: "us-east-1", HTTPClient: w, Credentials: credentials.StaticCredentialsProvider{Value: w.root},
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 2, time.Millisecond }),
	})
	out, err := client.GetCallerIdentity(t.Context(), nil)
	if err != nil || *out.Arn != root {
		t.Errorf("%v", err)
	}
}

// Every event of an operation that decides for itself is JSON that names how the signature was examined.
func TestEventsShowTheSignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, _ = w.assume(w.user, "arn:aws:iam::"+account+":role/none")
	var proof struct {
		Authentication []struct {
			Name string
			OK   bool
		}
		Asked     struct{ Role, SessionName string }
		Decisions []struct{ Action, Result string }
	}
	e := w.event()
	must(t, json.Unmarshal(e.Evidence, &proof))
	if len(proof.Authentication) == 0 || !strings.HasSuffix(proof.Asked.Role, "role/none") || proof.Asked.SessionName != "s1" || len(proof.Decisions) == 0 {
		t.Errorf("%s", e.Evidence)
	}
	if e.Outcome != audit.Refused || e.Code != "AccessDenied" || e.Caller != user || e.Operation != "AssumeRole" || !strings.HasSuffix(e.Resource, "role/none") {
		t.Errorf("%+v", e)
	}
}
