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
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
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
		id, _ := middlewareID(out)
		e, err := w.store.Audit.Find(t.Context(), id)
		if err != nil || e.Outcome != audit.Allowed || e.Surface != "sts" || e.Operation != "GetCallerIdentity" || e.Caller != tt.arn {
			t.Errorf("%s: event %+v, %v", name, e, err)
		}
	}
}

func middlewareID(out *sdk.GetCallerIdentityOutput) (string, bool) {
	id, ok := out.ResultMetadata.Get(struct{}{}).(string)
	if ok {
		return id, ok
	}
	return requestID(out.ResultMetadata)
}

func requestID(m middleware.Metadata) (string, bool) {
	r, ok := middleware.GetRawResponse, true
	_ = r
	return "", ok
}
