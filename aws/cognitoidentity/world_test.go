package cognitoidentity_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/smithy-go"

	"github.com/treatyfed/treaty/aws/cognitoidentity"
	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/store"
)

const (
	account   = "123456789012"
	stranger  = "210987654321"
	region    = "us-east-1"
	developer = "my.dev.provider"
)

// start is what the service's clock shows first; signatures are checked by the real one.
var start = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// world is a server with two accounts over a store in memory.
type world struct {
	*ci.Client // of the root of account, in region
	t          *testing.T
	url        string
	store      *store.Store
	service    *cognitoidentity.Service
	keys       *token.Keyring
	access     *access.Decider

	mu     sync.Mutex
	clock  time.Time
	events []audit.Event
}

// signingKey is made once: making RSA keys is the slowest part of the tests.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// newWorld starts a server; edit, if any, changes the service first.
func newWorld(t *testing.T, edit ...func(*cognitoidentity.Service)) *world {
	t.Helper()
	ctx := context.Background()
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	must(t, err)
	st, err := store.Open(ctx, store.Config{Sealer: sealer})
	must(t, err)
	t.Cleanup(func() { must(t, st.Close()) })
	for _, a := range []string{account, stranger} {
		must(t, st.Accounts.PutAccount(ctx, directory.Account{ID: a, CreatedAt: start}))
		must(t, st.Accounts.PutAccessKey(ctx, directory.AccessKey{
			ID: keyID(a), AccountID: a, Principal: "arn:aws:iam::" + a + ":root", PrincipalID: a,
			Secret: credential.Secret("secret of " + a), Active: true, CreatedAt: start,
		}))
	}
	w := &world{t: t, store: st, clock: start}
	w.keys = &token.Keyring{Store: st.Keys, Kinds: map[string]token.Kind{cognitoidentity.Name: {KeyID: token.Numbered}}, Now: w.now, Rand: rand.Reader}
	w.haveKey(region)
	w.access = &access.Decider{
		Accounts: st.Accounts, Roles: st.IAMRoles, Users: st.IAMUsers, Policies: st.IAMPolicies, Memberships: st.Memberships, Sealer: sealer,
		Managed: func(arn string) (string, bool) {
			const rum = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"rum:PutRumEvents","Resource":"*"}}`
			return rum, arn == "arn:aws:iam::aws:policy/AmazonCognitoUnAuthedIdentitiesSessionPolicy"
		}, Now: w.now, Rand: rand.Reader,
	}
	caller := access.Decider{ // by the clock of signatures
		Accounts: st.Accounts, Roles: st.IAMRoles, Users: st.IAMUsers, Policies: st.IAMPolicies, Memberships: st.Memberships, Sealer: sealer,
		Managed: w.access.Managed, Now: time.Now, Rand: rand.Reader,
	}
	w.service = &cognitoidentity.Service{
		Pools: st.Pools, Identities: st.Identities, Keys: w.keys, Access: w.access, Audit: w, Sealer: sealer,
		Issuer: cognitoidentity.DefaultIssuer, Now: w.now, Rand: rand.Reader,
	}
	for _, e := range edit {
		e(w.service)
	}
	mux := http.NewServeMux()
	mux.Handle("/.well-known/", cognitoidentity.Discovery{Issuer: cognitoidentity.DefaultIssuer, Keys: w.keys, Store: st.Keys})
	mux.Handle("/", &op.Dispatcher{
		Services: []op.Service{w.service.Describe()}, Access: &caller, Audit: st.Audit, Region: region, Now: time.Now, Rand: rand.Reader,
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url = server.URL
	w.Client = w.as(account, region)
	return w
}

// haveKey gives a region's ring a key, so that none has to be made.
func (w *world) haveKey(region string) {
	w.t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(signingKey())
	must(w.t, err)
	must(w.t, w.store.Keys.AddKey(context.Background(), token.StoredKey{
		ID: region + "1", Ring: cognitoidentity.Ring(region), Sequence: 1, Private: private, NotBefore: start, RetireAfter: start.AddDate(0, 6, 0),
	}))
}

func keyID(account string) string {
	id, err := credential.NewAccessKeyID(account, bytes.NewReader(make([]byte, 16)))
	if err != nil {
		panic(err)
	}
	return id
}

// as is the SDK's client of an account's root.
func (w *world) as(account, region string) *ci.Client {
	return ci.NewFromConfig(aws.Config{
		Region:           region,
		Credentials:      credentials.NewStaticCredentialsProvider(keyID(account), "secret of "+account, ""),
		RetryMaxAttempts: 1,
		BaseEndpoint:     &w.url,
	})
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

// Record keeps the service's own events.
func (w *world) Record(_ context.Context, e audit.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	return nil
}

func (w *world) lastEvent() audit.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) == 0 {
		w.t.Fatal("no event was recorded")
	}
	return w.events[len(w.events)-1]
}

// pool makes a pool; edit changes the request.
func (w *world) pool(edit ...func(*ci.CreateIdentityPoolInput)) string {
	w.t.Helper()
	in := &ci.CreateIdentityPoolInput{IdentityPoolName: new("my-identity-pool"), DeveloperProviderName: new(developer)}
	for _, e := range edit {
		e(in)
	}
	out, err := w.CreateIdentityPool(context.Background(), in)
	must(w.t, err)
	return *out.IdentityPoolId
}

func withGuests(in *ci.CreateIdentityPoolInput) { in.AllowUnauthenticatedIdentities = true }

// withGoogle lets people in who have an account at Google or Apple.
func withGoogle(in *ci.CreateIdentityPoolInput) {
	in.SupportedLoginProviders = map[string]string{"accounts.google.com": "client", "appleid.apple.com": "client"}
}

// user is the identity of a developer's user.
func (w *world) user(pool, name string) string {
	w.t.Helper()
	out, err := w.GetOpenIdTokenForDeveloperIdentity(context.Background(), &ci.GetOpenIdTokenForDeveloperIdentityInput{
		IdentityPoolId: &pool, Logins: map[string]string{developer: name},
	})
	must(w.t, err)
	return *out.IdentityId
}

// guest is a new identity without logins.
func (w *world) guest(pool string) string {
	w.t.Helper()
	out, err := w.GetId(context.Background(), &ci.GetIdInput{IdentityPoolId: &pool})
	must(w.t, err)
	return *out.IdentityId
}

// logins of an identity, by provider name.
func (w *world) logins(id string) []string {
	w.t.Helper()
	out, err := w.DescribeIdentity(context.Background(), &ci.DescribeIdentityInput{IdentityId: &id})
	must(w.t, err)
	return out.Logins
}

// vouching is a stand-in for the verification of public providers' tokens: "good:SUBJECT" holds.
type vouching struct{}

func (vouching) Verify(_ context.Context, _ directory.IdentityPool, provider, raw string) (cognitoidentity.Verified, error) {
	subject, ok := strings.CutPrefix(raw, "good:")
	if !ok {
		return cognitoidentity.Verified{}, &op.Error{Code: "NotAuthorizedException", Message: "Invalid login token. Couldn't verify signed token."}
	}
	return cognitoidentity.Verified{
		Subject: subject, Reference: provider,
		Claims: token.Claims{"sub": subject, "aud": "client", "department": "research", "level": json.Number("7"), "roles": []any{"a"}},
	}, nil
}

func vouched(s *cognitoidentity.Service) { s.Logins = vouching{} }

// decode splits a token without verifying it.
func decode(t *testing.T, raw string) (header string, claims map[string]any) {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("token has %d parts", len(parts))
	}
	h, err := base64.RawURLEncoding.DecodeString(parts[0])
	must(t, err)
	c, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	must(t, json.Unmarshal(c, &claims))
	return string(h), claims
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

// names are the keys of a map, sorted.
func names[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// trustPool admits the identities of a pool that are authenticated, or the guests.
func trustPool(pool, amr string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"],` +
		`"Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"` + pool + `"},"ForAnyValue:StringLike":{"cognito-identity.amazonaws.com:amr":"` + amr + `"}}}]}`
}

// role stores a role with a trust policy, which may do everything.
func (w *world) role(name, trust string) string {
	w.t.Helper()
	path, base, found := strings.Cut(name, "/")
	if !found {
		path, base = "/", name
	} else {
		path = "/" + path + "/"
	}
	arn := "arn:aws:iam::" + account + ":role/" + name
	must(w.t, w.store.IAMRoles.Create(context.Background(), directory.IAMRole{
		IAMEntity: directory.IAMEntity{ID: "AROA" + strings.ToUpper(base), AccountID: account, ARN: arn, Path: path, Name: base, CreatedAt: start},
		Grants:    directory.Grants{Inline: []directory.InlinePolicy{{Name: "all", Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`}}},
		Trust:     trust, MaxSession: 3600,
	}, 100))
	return arn
}
