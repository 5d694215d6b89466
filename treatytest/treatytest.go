// Package treatytest runs a Treaty server inside other people's Go tests: New(t) is a twin of AWS and
// Microsoft Entra ID in this process, with a clock that stands still, a ready aws.Config, and an HTTP
// client that finds Treaty under the clouds' own names.
//
//	tt := treatytest.New(t)
//	pool := tt.AddPool("my-pool", "my.dev.provider")
//	identity, token := tt.DeveloperToken(pool, "my_user_id")
//	app := tt.AddApplication("my workload")
//	tt.Trust(app, "cognito", "https://cognito-identity.amazonaws.com", identity, pool.ID)
//	status, answer := tt.Exchange(app, token, "https://graph.microsoft.com")
//
// Nothing listens and nothing is shared: any number of twins live side by side in one test binary, and each
// ends with its test. It is server.New with other parts, nothing else. What it adds to a twin it adds
// through the clouds' own APIs, as the administrators.
package treatytest

import (
	"context"
	"crypto/rsa"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/uuid"

	"github.com/treatyfed/treaty/explain"
	"github.com/treatyfed/treaty/server"
	"github.com/treatyfed/treaty/server/clock"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/folder"
	"github.com/treatyfed/treaty/server/seed"
)

// Treaty is a running twin.
type Treaty struct {
	AccountID, Region        string
	TenantID, SubscriptionID string
	Authority                string // "https://login.microsoftonline.com"
	GraphURL, ARMURL         string
	AWSConfig                aws.Config   // the root of the account
	HTTPClient               *http.Client // answers the clouds' names in this process
	AdminClientID            string       // an application that administers the tenant and owns the subscription
	AdminSecret              string

	t      testing.TB
	server *server.Server
}

// Config says how a twin differs from New's. The zero value is New's.
type Config struct {
	// Folder keeps the database in a file of a temporary folder instead of in memory.
	Folder bool
	// At is the time at which the clock stands; the zero time is now, to the second. Unmodified AWS clients
	// sign with the machine's time, so that one far away makes them retry once to correct theirs.
	At time.Time
	// Seed holds accounts, tenants, applications and so on that exist from the start.
	Seed seed.Document

	// For this package's own tests: what ages the keys of foreign issuers, an authority that vouches for them,
	// how long one document may take, a minute if zero, and whether the server listens, with a proxy.
	wall        func() time.Time
	authorities string
	patience    time.Duration
	listen      bool
}

// New starts a twin that ends with the test.
func New(t testing.TB) *Treaty { t.Helper(); return Config{}.New(t) }

// New starts a twin that ends with the test.
func (c Config) New(t testing.TB) *Treaty {
	t.Helper()
	at := c.At
	if at.IsZero() {
		at = time.Now().Truncate(time.Second)
	}
	patience := c.patience
	if patience == 0 {
		patience = time.Minute // no test is to fail because its machine is busy
	}
	sc := server.Config{
		Config: config.Config{Outbound: config.Outbound{Allow: []string{"loopback"}, CA: c.authorities, Timeout: config.Duration(patience)}},
		Clock:  clock.Frozen(at), Wall: c.wall, Document: c.Seed, Version: "treatytest",
		Getenv: func(string) string { return "" },
	}
	if c.Folder {
		sc.Database = "sqlite:" + filepath.Join(t.TempDir(), folder.DatabaseFile)
	}
	if c.listen {
		sc.Listen, sc.ListenHTTP, sc.Proxy = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	}
	s, err := server.New(context.Background(), sc)
	if err != nil {
		t.Fatalf("treatytest: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("treatytest: %v", err)
		}
	})
	if c.listen {
		if err := s.Listen(context.Background()); err != nil {
			t.Fatalf("treatytest: %v", err)
		}
	}
	admin, names := s.Credentials(), s.Names()
	tt := &Treaty{
		AccountID: admin.AWS.AccountID, Region: admin.AWS.Region,
		TenantID: admin.Azure.TenantID, SubscriptionID: admin.Azure.SubscriptionID,
		Authority: names.Authority, GraphURL: names.Graph, ARMURL: names.ARM,
		HTTPClient:    s.HTTPClient(),
		AdminClientID: admin.Azure.ClientID, AdminSecret: admin.Azure.ClientSecret,
		t: t, server: s,
	}
	tt.AWSConfig = aws.Config{
		Region: tt.Region, HTTPClient: tt.HTTPClient,
		Credentials: credentials.NewStaticCredentialsProvider(admin.AWS.AccessKeyID, admin.AWS.SecretAccessKey, ""),
	}
	return tt
}

// Handler is the twin as an http.Handler, routed by Host.
func (tt *Treaty) Handler() http.Handler { return tt.server }

// Now is the time that the twin tells.
func (tt *Treaty) Now() time.Time { return tt.server.Clock().Now() }

// Advance moves the twin's clock.
func (tt *Treaty) Advance(d time.Duration) { tt.server.Clock().Advance(d) }

// Explain tells why the request with this id (trace_id, x-amzn-RequestId, request-id) was answered as it was.
func (tt *Treaty) Explain(id string) explain.Report {
	tt.t.Helper()
	r, err := tt.server.Explain(context.Background(), id)
	if err != nil {
		tt.t.Fatalf("treatytest: explain %s: %v", id, err)
	}
	return r
}

// ExplainToken tells whether a federated token would pass for an application now, and why.
func (tt *Treaty) ExplainToken(a Application, token string) explain.Report {
	tt.t.Helper()
	r, err := tt.server.ExplainToken(context.Background(), server.Question{Token: token, App: a.ClientID})
	if err != nil {
		tt.t.Fatalf("treatytest: explain a token for %s: %v", a.ClientID, err)
	}
	return r
}

func (tt *Treaty) newID() string { return uuid.NewString() }

// signingKey is the key that signs now for a ring, for tests that forge tokens.
func (tt *Treaty) signingKey(ring string) (kid string, key *rsa.PrivateKey) {
	tt.t.Helper()
	k, err := tt.server.Keys().Signing(context.Background(), ring)
	if err != nil {
		tt.t.Fatalf("treatytest: %v", err)
	}
	return k.ID, k.Signer.(*rsa.PrivateKey)
}
