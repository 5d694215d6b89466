package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/treatyfed/treaty/aws/storage/gateway"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/store"
)

const (
	account  = "123456789012"
	stranger = "210987654321"
	rootKey  = "AKIARZPUZDIKGB2VALC4" // of account
	otherKey = "AKIARZPUZDIKGB2VALC5" // of stranger's root
	annKey   = "AKIARZPUZDIKGB2VALC6" // of ann, a user of account
)

// world is both gates over a store in memory and a gateway in a temporary folder, behind TLS.
type world struct {
	t       *testing.T
	store   *store.Store
	access  *access.Decider
	sealer  *credential.Sealer
	s3      *S3
	dynamo  *DynamoDB
	server  *httptest.Server
	backend *dynamoBackend
	offset  atomic.Int64 // of the twin's clock from the machine's
	ids     atomic.Int64

	mu     sync.Mutex
	events []audit.Event
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.offset.Load())) }

func (w *world) Record(_ context.Context, e audit.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return nil
}

// last is the newest event.
func (w *world) last() audit.Event {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) == 0 {
		w.t.Fatal("nothing was recorded")
	}
	return w.events[len(w.events)-1]
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := t.Context()
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	must(t, err)
	st, err := store.Open(ctx, store.Config{Sealer: sealer})
	must(t, err)
	t.Cleanup(func() { must(t, st.Close()) })
	w := &world{t: t, store: st, sealer: sealer}
	for id, a := range map[string]string{rootKey: account, otherKey: stranger} {
		must(t, st.Accounts.PutAccount(ctx, directory.Account{ID: a}))
		must(t, st.Accounts.PutAccessKey(ctx, directory.AccessKey{ID: id, AccountID: a, Principal: "arn:aws:iam::" + a + ":root", PrincipalID: a, Secret: credential.Secret("secret of " + id), Active: true}))
	}
	w.access = &access.Decider{
		Accounts: st.Accounts, Roles: st.IAMRoles, Users: st.IAMUsers, Policies: st.IAMPolicies, Memberships: st.Memberships, Usage: st.Usage, Sealer: sealer,
		Managed: func(string) (string, bool) { return "", false }, Now: w.now, Rand: rand.Reader,
	}
	g := &gateway.Gateway{Folder: t.TempDir(), Rand: rand.Reader}
	t.Cleanup(func() { must(t, g.Close()) })
	w.s3 = &S3{Gateway: g, Access: w.access, Audit: w, Region: "us-east-1", Now: w.now, Wall: time.Now}
	w.backend = newDynamoBackend(t)
	w.dynamo = &DynamoDB{Endpoint: w.backend.endpoint(), Access: w.access, Audit: w, Region: "us-east-1", Now: w.now, Wall: time.Now}
	w.server = httptest.NewTLSServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.server.Close)
	return w
}

// serve gives a request its id, as the server does, and routes by host.
func (w *world) serve(out http.ResponseWriter, r *http.Request) {
	info := &audit.Request{ID: fmt.Sprintf("00000000-0000-0000-0000-%012d", w.ids.Add(1))}
	r = r.WithContext(audit.WithRequest(r.Context(), info))
	if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB") || strings.HasPrefix(r.Host, "dynamodb.") {
		w.dynamo.ServeHTTP(out, r)
		return
	}
	w.s3.ServeHTTP(out, r)
}

// grant gives a user or role policies of its own.
func grant(documents ...string) (g directory.Grants) {
	for i, d := range documents {
		g.Inline = append(g.Inline, directory.InlinePolicy{Name: fmt.Sprint("p", i), Document: d})
	}
	return g
}

// ann makes the user ann with policies, and gives her client.
func (w *world) ann(documents ...string) *s3.Client {
	w.t.Helper()
	arn := "arn:aws:iam::" + account + ":user/ann"
	must(w.t, w.store.IAMUsers.Create(w.t.Context(), directory.IAMUser{
		IAMEntity: directory.IAMEntity{ID: "AIDAANN", AccountID: account, ARN: arn, Path: "/", Name: "ann"}, Grants: grant(documents...),
	}, 100))
	must(w.t, w.store.Accounts.PutAccessKey(w.t.Context(), directory.AccessKey{ID: annKey, AccountID: account, Principal: arn, PrincipalID: "AIDAANN", Secret: "secret of " + annKey, Active: true}))
	return w.client(annKey, "secret of "+annKey, "")
}

// session makes a role with policies, and gives a session of it that lasts an hour.
func (w *world) session(tags map[string]string, documents ...string) (credential.Session, string) {
	w.t.Helper()
	role := directory.IAMRole{
		IAMEntity: directory.IAMEntity{ID: "AROAENTRA", AccountID: account, ARN: "arn:aws:iam::" + account + ":role/entra", Path: "/", Name: "entra"},
		Grants:    grant(documents...), Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`, MaxSession: 3600,
	}
	if _, err := w.store.IAMRoles.WithID(w.t.Context(), role.ID); err != nil {
		must(w.t, w.store.IAMRoles.Create(w.t.Context(), role, 100))
	}
	now := w.now().Truncate(time.Second)
	s := credential.Session{
		Account: account, Type: string(policy.AssumedRole), Issuer: role.ARN, ID: role.ID, ARN: "arn:aws:sts::" + account + ":assumed-role/entra/alice", UserID: role.ID + ":alice",
		IssuedAt: now, Expires: now.Add(time.Hour), Tags: tags,
	}
	s, token, err := w.access.Issue(s, 0)
	must(w.t, err)
	return s, token
}

// dial leads every host to the server.
func (w *world) transport() *http.Transport {
	t := w.server.Client().Transport.(*http.Transport).Clone()
	t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", w.server.Listener.Addr().String())
	}
	t.TLSClientConfig.InsecureSkipVerify = true
	return t
}

// client calls S3 under its own names, virtual-hosted.
func (w *world) client(id, secret, token string, edit ...func(*s3.Options)) *s3.Client {
	o := s3.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
		HTTPClient: &http.Client{Transport: w.transport()}, RetryMaxAttempts: 1,
	}
	for _, e := range edit {
		e(&o)
	}
	return s3.New(o)
}

func (w *world) root(edit ...func(*s3.Options)) *s3.Client {
	return w.client(rootKey, "secret of "+rootKey, "", edit...)
}

func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

func (w *world) bucket(c *s3.Client, name string) {
	w.t.Helper()
	_, err := c.CreateBucket(w.t.Context(), &s3.CreateBucketInput{Bucket: &name})
	must(w.t, err)
}

func put(t *testing.T, c *s3.Client, bucket, key string, body []byte) error {
	t.Helper()
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body)})
	return err
}

func get(t *testing.T, c *s3.Client, bucket, key string) (string, error) {
	t.Helper()
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	return string(b), err
}

// decisions reads an event's decisions.
func decisions(t *testing.T, e audit.Event) []policy.Decision {
	t.Helper()
	var v struct{ Authorisation []policy.Decision }
	must(t, json.Unmarshal(e.Evidence, &v))
	return v.Authorisation
}

func statement(effect, action, resource string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `","Action":"` + action + `","Resource":"` + resource + `"}}`
}
