package iam_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/smithy-go"

	"github.com/treatyfed/treaty/aws/iam"
	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/store"
)

const (
	account  = "123456789012"
	stranger = "210987654321"
)

// start is what the service's clock shows first; signatures are checked by the real one.
var start = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// world is IAM with two accounts over a store in memory. The SDK's own client reaches it without a network.
type world struct {
	*sdk.Client // of the root of account
	t           *testing.T
	store       *store.Store
	sealer      *credential.Sealer
	service     *iam.Service
	handler     *op.Dispatcher

	mu     sync.Mutex
	clock  time.Time
	answer answered
}

// answered is what the last answer was on the wire.
type answered struct {
	status int
	body   string
}

// newWorld makes a world; edit, if any, changes the service first.
func newWorld(t *testing.T, edit ...func(*iam.Service)) *world {
	t.Helper()
	ctx := context.Background()
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	must(t, err)
	st, err := store.Open(ctx, store.Config{Sealer: sealer})
	must(t, err)
	t.Cleanup(func() { must(t, st.Close()) })
	w := &world{t: t, store: st, sealer: sealer, clock: start}
	for _, a := range []string{account, stranger} {
		must(t, st.Accounts.PutAccount(ctx, directory.Account{ID: a, CreatedAt: start}))
		must(t, st.Accounts.PutAccessKey(ctx, directory.AccessKey{
			ID: rootKey(a), AccountID: a, Principal: "arn:aws:iam::" + a + ":root", PrincipalID: a,
			Secret: credential.Secret("secret of " + a), Active: true, CreatedAt: start,
		}))
	}
	decider := &access.Decider{
		Accounts: st.Accounts, Roles: st.IAMRoles, Users: st.IAMUsers, Policies: st.IAMPolicies, Memberships: st.Memberships,
		Usage: st.Usage, Sealer: sealer, Managed: iam.Managed, Now: w.now, Rand: rand.Reader,
	}
	w.service = &iam.Service{
		Roles: st.IAMRoles, Users: st.IAMUsers, Groups: st.IAMGroups, Policies: st.IAMPolicies, OIDC: st.OIDCProviders,
		SAML: st.SAMLProviders, MFA: st.MFADevices, Memberships: st.Memberships, Attachments: st.Attachments,
		Keys: st.AccessKeys, Accounts: st.Accounts, Usage: st.Usage, Access: decider, Audit: st.Audit, Sealer: sealer, Now: w.now, Rand: rand.Reader,
	}
	for _, e := range edit {
		e(w.service)
	}
	w.handler = &op.Dispatcher{
		Services: []op.Service{w.service.Describe()}, Access: decider, Audit: st.Audit, Region: "us-east-1", Now: time.Now, Rand: rand.Reader,
	}
	must(t, w.handler.Prepare())
	w.Client = w.root(account)
	return w
}

// rootKey is the id of the access key of an account's root; its secret is "secret of ACCOUNT".
func rootKey(account string) string {
	id, err := credential.NewAccessKeyID(account, bytes.NewReader(make([]byte, 16)))
	if err != nil {
		panic(err)
	}
	return id
}

// root is the SDK's client of an account's root.
func (w *world) root(account string) *sdk.Client {
	return w.with(rootKey(account), "secret of "+account, "")
}

// with is the SDK's client with a key. Its region does not matter: IAM signs as us-east-1.
func (w *world) with(id, secret, token string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: "eu-north-1", HTTPClient: w, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
	})
}

// Do answers a request of the SDK's client in this process and keeps the answer.
func (w *world) Do(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.Host, in.RequestURI, in.RemoteAddr = r.URL.Host, r.URL.RequestURI(), "192.0.2.7:5000"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	out := httptest.NewRecorder()
	w.handler.ServeHTTP(out, in)
	w.mu.Lock()
	w.answer = answered{out.Code, out.Body.String()}
	w.mu.Unlock()
	response := out.Result()
	response.Request = r
	response.Body = io.NopCloser(bytes.NewReader(out.Body.Bytes()))
	return response, nil
}

// last is the answer to the last request, as it was on the wire.
func (w *world) last() answered {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answer
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// user makes a user of account whose only policy has the given statements, and is its client.
func (w *world) user(name string, statements ...map[string]any) *sdk.Client {
	w.t.Helper()
	ctx := context.Background()
	_, err := w.CreateUser(ctx, &sdk.CreateUserInput{UserName: &name})
	must(w.t, err)
	if statements != nil {
		_, err = w.PutUserPolicy(ctx, &sdk.PutUserPolicyInput{UserName: &name, PolicyName: new("given"), PolicyDocument: new(document(statements...))})
		must(w.t, err)
	}
	key, err := w.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{UserName: &name})
	must(w.t, err)
	return w.with(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, "")
}

// role makes a role of account that Lambda may assume; edit changes the request.
func (w *world) role(name string, edit ...func(*sdk.CreateRoleInput)) string {
	w.t.Helper()
	in := &sdk.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: new(trustsLambda)}
	for _, e := range edit {
		e(in)
	}
	out, err := w.CreateRole(context.Background(), in)
	must(w.t, err)
	return *out.Role.Arn
}

const trustsLambda = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}]}`

// document is a policy with the given statements.
func document(statements ...map[string]any) string {
	b, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// allow is a statement that allows an action on a resource.
func allow(action, resource string) map[string]any {
	return map[string]any{"Effect": "Allow", "Action": action, "Resource": resource}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks an error's code and, unless it is "", its message.
func refused(t *testing.T, err error, code, message string) {
	t.Helper()
	var got smithy.APIError
	if !errors.As(err, &got) {
		t.Errorf("error is %v, want %s", err, code)
		return
	}
	if got.ErrorCode() != code || message != "" && got.ErrorMessage() != message {
		t.Errorf("refused with\n%s: %s\nwant\n%s: %s", got.ErrorCode(), got.ErrorMessage(), code, message)
	}
}

// has checks which elements the last answer has and lacks: names that begin with "-" must not be there.
func (w *world) has(names ...string) {
	w.t.Helper()
	body := w.last().body
	for _, name := range names {
		missing, isMissing := strings.CutPrefix(name, "-")
		there := strings.Contains(body, "<"+missing+">") || strings.Contains(body, "<"+missing+"/>")
		if there == isMissing {
			w.t.Errorf("element %s: there is %t in\n%s", missing, there, body)
		}
	}
}

// eight runs f in eight goroutines at once and counts the calls that succeed; the errors of the others are
// kept.
func eight(f func(i int) error) (succeeded int, failed []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range 8 {
		wg.Go(func() {
			<-gate
			err := f(i)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				succeeded++
			} else {
				failed = append(failed, err)
			}
		})
	}
	close(gate)
	wg.Wait()
	return succeeded, failed
}

// str is what a string pointer of the SDK points to.
func str(p *string) string { return aws.ToString(p) }
