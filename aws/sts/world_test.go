package sts_test

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
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/aws/sts"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/store"
)

const (
	account  = "123456789012"
	stranger = "210987654321"
	root     = "arn:aws:iam::123456789012:root"
	user     = "arn:aws:iam::123456789012:user/eng/ann"

	administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
	everything    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
)

// start is what the service's clock shows first. Signatures are checked by the machine's, which the SDK
// signs by.
var start = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// world is STS with two accounts over a store in memory. The SDK's own client reaches it without a network.
type world struct {
	t       *testing.T
	store   *store.Store
	sealer  *credential.Sealer
	access  *access.Decider
	service *sts.Service
	handler *op.Dispatcher
	root    aws.Credentials // of account
	user    aws.Credentials // user, whom no policy lets do anything

	mu     sync.Mutex
	clock  time.Time     // the service's
	ahead  time.Duration // of the clock that signatures are checked by
	answer answered
}

// answered is what the last answer was on the wire.
type answered struct {
	status  int
	request string // its id
	body    string
}

// newWorld makes a world; edit, if any, changes the service first.
func newWorld(t *testing.T, edit ...func(*sts.Service)) *world {
	t.Helper()
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	must(t, err)
	st, err := store.Open(t.Context(), store.Config{Sealer: sealer})
	must(t, err)
	t.Cleanup(func() { must(t, st.Close()) })
	w := &world{t: t, store: st, sealer: sealer, clock: start}
	for _, a := range []string{account, stranger} {
		must(t, st.Accounts.PutAccount(t.Context(), directory.Account{ID: a, CreatedAt: start}))
	}
	w.access = &access.Decider{
		Accounts: st.Accounts, Roles: st.IAMRoles, Users: st.IAMUsers, Policies: st.IAMPolicies, Memberships: st.Memberships,
		Usage: st.Usage, Sealer: sealer, Now: w.now, Rand: rand.Reader,
		Managed: func(arn string) (string, bool) { return everything, arn == administrator },
	}
	w.service = &sts.Service{
		Access: w.access, Devices: st.MFADevices, Sealer: sealer, Audit: st.Audit, SAML: st.SAMLProviders, Now: w.now, Rand: rand.Reader,
	}
	for _, e := range edit {
		e(w.service)
	}
	w.handler = &op.Dispatcher{
		Services: []op.Service{w.service.Describe()}, Access: w.access, Audit: st.Audit, Region: "us-east-1",
		Now:  func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return time.Now().Add(w.ahead) },
		Rand: rand.Reader,
	}
	must(t, w.handler.Prepare())
	w.root = w.key(account, root, account)
	_, w.user = w.newUser("ann", func(u *directory.IAMUser) { u.ARN, u.Path = user, "/eng/" })
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// pass lets the service's clock go on: sessions end, codes change.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// advance puts the clock that signatures are checked by forward.
func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

// key makes a long-term access key.
func (w *world) key(account, principal, id string) aws.Credentials {
	w.t.Helper()
	keyID, err := credential.NewKeyID("AKIA", account, rand.Reader)
	must(w.t, err)
	secret, err := credential.NewSecretAccessKey(rand.Reader)
	must(w.t, err)
	must(w.t, w.store.Accounts.PutAccessKey(w.t.Context(), directory.AccessKey{
		ID: keyID, AccountID: account, Principal: principal, PrincipalID: id, Secret: secret, Active: true,
	}))
	return aws.Credentials{AccessKeyID: keyID, SecretAccessKey: secret.Reveal()}
}

// newUser makes a user of account with a key; edit changes the user first.
func (w *world) newUser(name string, edit ...func(*directory.IAMUser)) (directory.IAMUser, aws.Credentials) {
	w.t.Helper()
	u := directory.IAMUser{IAMEntity: directory.IAMEntity{
		ID: w.id("AIDA", account), AccountID: account, ARN: "arn:aws:iam::" + account + ":user/" + name, Path: "/", Name: name, CreatedAt: start,
	}}
	for _, e := range edit {
		e(&u)
	}
	must(w.t, w.store.IAMUsers.Create(w.t.Context(), u, 5000))
	return u, w.key(u.AccountID, u.ARN, u.ID)
}

// role makes a role of account; edit changes it first.
func (w *world) role(name, trust string, edit ...func(*directory.IAMRole)) directory.IAMRole {
	w.t.Helper()
	r := directory.IAMRole{Trust: trust, MaxSession: 3600, IAMEntity: directory.IAMEntity{
		ID: w.id("AROA", account), AccountID: account, ARN: "arn:aws:iam::" + account + ":role/" + name, Path: "/", Name: name, CreatedAt: start,
	}}
	for _, e := range edit {
		e(&r)
	}
	must(w.t, w.store.IAMRoles.Create(w.t.Context(), r, 1000))
	return r
}

func (w *world) id(prefix, account string) string {
	w.t.Helper()
	id, err := credential.NewUniqueID(prefix, account, rand.Reader)
	must(w.t, err)
	return id
}

// trusts is a trust policy that admits AWS principals to the actions; more is what else its statement has:
// `"Condition":{…}`.
func trusts(principal string, actions []string, more ...string) string {
	list, err := json.Marshal(actions)
	if err != nil {
		panic(err)
	}
	extra := ""
	for _, m := range more {
		extra += "," + m
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":` + string(list) + extra + `}]}`
}

// allows is an identity policy.
func allows(actions, resource string) directory.InlinePolicy {
	return directory.InlinePolicy{Name: "given", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":` + actions + `,"Resource":"` + resource + `"}]}`}
}

// client is the SDK's client of somebody.
func (w *world) client(c aws.Credentials) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: "eu-north-1", HTTPClient: w, Credentials: credentials.StaticCredentialsProvider{Value: c}, RetryMaxAttempts: 1,
	})
}

// temporary are the credentials that an operation answered.
func temporary(c *types.Credentials) aws.Credentials {
	return aws.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}
}

// assume is AssumeRole with the session name "s"; edit changes the request.
func (w *world) assume(c aws.Credentials, role string, edit ...func(*sdk.AssumeRoleInput)) (*sdk.AssumeRoleOutput, error) {
	in := &sdk.AssumeRoleInput{RoleArn: &role, RoleSessionName: new("s1")}
	for _, e := range edit {
		e(in)
	}
	return w.client(c).AssumeRole(context.Background(), in)
}

// Do answers a request in this process and keeps the answer.
func (w *world) Do(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.Host, in.RequestURI, in.RemoteAddr = r.URL.Host, r.URL.RequestURI(), "192.0.2.7:5000"
	if r.Host != "" {
		in.Host = r.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	out := httptest.NewRecorder()
	w.handler.ServeHTTP(out, in)
	w.mu.Lock()
	w.answer = answered{out.Code, out.Header().Get("X-Amzn-Requestid"), out.Body.String()}
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

// event is the audit event of the last request.
func (w *world) event() audit.Event {
	w.t.Helper()
	e, err := w.store.Audit.Find(w.t.Context(), w.last().request)
	must(w.t, err)
	return e
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

// eight runs f in eight goroutines at once and counts the calls that succeed.
func eight(f func() error) (succeeded int, failed []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for range 8 {
		wg.Go(func() {
			<-gate
			err := f()
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

// long is a text of n characters that does not compress.
func long(t *testing.T, n int) string {
	t.Helper()
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, c := range b {
		out.WriteByte(letters[c%64])
	}
	return out.String()
}
