package sts_test

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/aws/sts"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/store"
)

const (
	account = "123456789012"
	root    = "arn:aws:iam::123456789012:root"
	user    = "arn:aws:iam::123456789012:user/eng/ann"
)

// world is STS over a store in memory, with a clock that a test may set.
type world struct {
	mu     sync.Mutex
	ahead  time.Duration // of the machine's clock
	store  *store.Store
	server *httptest.Server
	root   aws.Credentials
	user   aws.Credentials
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

func newWorld(t *testing.T) *world {
	t.Helper()
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Config{Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w := &world{store: s}
	if err := s.Accounts.PutAccount(t.Context(), directory.Account{ID: account}); err != nil {
		t.Fatal(err)
	}
	w.root = w.key(t, root, account)
	w.user = w.key(t, user, "AIDAEXAMPLEEXAMPLE234")
	d := &op.Dispatcher{
		Services: []op.Service{sts.Service{}.Describe()}, Accounts: s.Accounts, Audit: s.Audit,
		Region: "us-east-1", Now: w.now, Rand: rand.Reader,
	}
	if err := d.Prepare(); err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(d)
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) key(t *testing.T, principal, id string) aws.Credentials {
	t.Helper()
	keyID, err := op.NewAccessKeyID(account, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := op.NewSecretAccessKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	err = w.store.Accounts.PutAccessKey(t.Context(), directory.AccessKey{
		ID: keyID, AccountID: account, Principal: principal, PrincipalID: id, Secret: secret, Active: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret.Reveal()}
}

func (w *world) client(c aws.Credentials) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: "eu-north-1", BaseEndpoint: &w.server.URL, HTTPClient: w.server.Client(),
		Credentials: credentials.StaticCredentialsProvider{Value: c}, RetryMaxAttempts: 1,
	})
}

func TestCallersSeeWhoTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tt := range map[string]struct {
		key          aws.Credentials
		arn, id, acc string
	}{
		"root":   {w.root, root, account, account},
		"a user": {w.user, user, "AIDAEXAMPLEEXAMPLE234", account}, // whom no policy lets do anything
	} {
		out, err := w.client(tt.key).GetCallerIdentity(t.Context(), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if *out.Arn != tt.arn || *out.UserId != tt.id || *out.Account != tt.acc {
			t.Errorf("%s is %s, %s, %s", name, *out.Arn, *out.UserId, *out.Account)
		}
		id, _ := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
		e, err := w.store.Audit.Find(t.Context(), id)
		if err != nil || e.Outcome != audit.Allowed || e.Surface != "sts" || e.Operation != "GetCallerIdentity" || e.Caller != tt.arn {
			t.Errorf("%s: event %+v, %v", name, e, err)
		}
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
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(presigned.URL, "x-k8s-aws-id") || !strings.Contains(presigned.URL, "X-Amz-Expires=60") {
		t.Fatalf("not what the authenticators send: %s", presigned.URL)
	}
	return presigned.URL
}

func (w *world) get(t *testing.T, url, cluster string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-K8s-Aws-Id", cluster)
	response, err := w.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
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

func TestWhatSTSDoesNotOfferIsAnUnknownAction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.client(w.root).GetSessionToken(t.Context(), nil)
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != "InvalidAction" || refused.ErrorMessage() != "Could not find operation GetSessionToken for version 2011-06-15" {
		t.Errorf("got %v", err)
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
		var refused smithy.APIError
		if !errors.As(err, &refused) || refused.ErrorCode() != code {
			t.Errorf("got %v, want %s", err, code)
		}
	}
	var refused smithy.APIError
	if _, err := w.client(token).GetCallerIdentity(t.Context(), nil); !errors.As(err, &refused) || refused.ErrorCode() != "InvalidClientTokenId" {
		t.Errorf("a session token with a long-term key: %v", err)
	}
}

// The SDK corrects its clock from the answer's Date, so a client whose clock is wrong gets through at
// its second attempt.
func TestClientsWithAWrongClockRecover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.advance(time.Hour)
	client := sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: &w.server.URL, HTTPClient: w.server.Client(),
		Credentials: credentials.StaticCredentialsProvider{Value: w.root},
		Retryer:     retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 2, time.Millisecond }),
	})
	out, err := client.GetCallerIdentity(t.Context(), nil)
	if err != nil || *out.Arn != root {
		t.Errorf("%v", err)
	}
}
