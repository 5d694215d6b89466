package idp_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/idp"
	"github.com/treatyfed/treaty/store"
	"github.com/treatyfed/treaty/wire/jose"
)

var now = time.Date(2026, 11, 21, 12, 30, 0, 0, time.UTC)

const (
	secret = "s3cret/with+signs%and=spaces here"
	prefix = "https://hub.example.org/idp"

	exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	bearer   = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	credit   = "client_credentials"

	typePrefix = "urn:ietf:params:oauth:token-type:"
)

// clientKey is the key of clients that sign their assertions, made once.
var clientKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

// journal is an audit in memory.
type journal struct {
	mu     sync.Mutex
	events []audit.Event
	err    error
}

func (j *journal) Record(_ context.Context, e audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	return j.err
}

func (j *journal) last(t testing.TB) (audit.Event, idp.Evidence) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.events) == 0 {
		t.Fatal("nothing is on record")
	}
	e := j.events[len(j.events)-1]
	var about idp.Evidence
	must(t, json.Unmarshal(e.Evidence, &about))
	return e, about
}

// world is a service over a real store, and an outside that reaches its issuers only by their documents.
type world struct {
	*idp.Service
	t       testing.TB
	db      *store.Store
	ring    *token.Keyring
	journal *journal
	mu      sync.Mutex
	at      time.Time
	asked   []string
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t testing.TB, issuers ...directory.Issuer) *world {
	t.Helper()
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	must(t, err)
	db, err := store.Open(t.Context(), store.Config{Sealer: sealer})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	w := &world{t: t, db: db, journal: &journal{}, at: now}
	w.Service = &idp.Service{Issuers: db.Issuers, Once: db.Once, Sealer: sealer, Audit: w.journal, Prefix: prefix, Now: w.now, Rand: rand.Reader}
	w.ring = &token.Keyring{Store: db.Keys, Kinds: w.Kinds(), Now: w.now, Rand: rand.Reader}
	w.Keys = w.ring
	w.Verifier = token.Verifier{Source: w.outside(), Leeway: time.Minute, Now: w.now}
	for _, i := range issuers {
		w.add(i)
	}
	return w
}

// outside is a key source that knows no more than what is published.
func (w *world) outside() token.KeySource {
	return &token.Discovery{Fetcher: w, Now: w.now, Refetch: time.Nanosecond, LoopbackHTTP: true}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// Fetch is a token.Fetcher over the handler.
func (w *world) Fetch(_ context.Context, address string) ([]byte, error) {
	w.mu.Lock()
	w.asked = append(w.asked, address)
	w.mu.Unlock()
	rec := w.do(httptest.NewRequest(http.MethodGet, address, nil))
	if rec.Code != http.StatusOK {
		return nil, fmt.Errorf("status %d", rec.Code)
	}
	return rec.Body.Bytes(), nil
}

func (w *world) do(r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.Hosted().ServeHTTP(rec, r)
	return rec
}

// RoundTrip makes the world the network of real clients.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.Host = r.URL.Host
	if in.Body == nil {
		in.Body = http.NoBody
	}
	return w.do(in).Result(), nil
}

func (w *world) add(i directory.Issuer) directory.Issuer {
	w.t.Helper()
	must(w.t, idp.Complete(&i))
	must(w.t, w.db.Issuers.CreateIssuer(w.t.Context(), i))
	stored, err := w.db.Issuers.Issuer(w.t.Context(), i.Name)
	must(w.t, err)
	return stored
}

// client has a secret, a key, and every grant.
func (w *world) client(id string, edit ...func(*directory.IssuerClient)) directory.IssuerClient {
	sealer, _ := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	c := directory.IssuerClient{ID: id, Name: "Client " + id, Grants: []string{credit, exchange, bearer}, Keys: keySet("k1", clientKey().Public()),
		Attributes: map[string]any{"team": "blue"},
		Secrets:    []directory.ClientSecret{{Hash: sealer.Hash("old"), NotAfter: now.Add(-time.Hour)}, {Hash: sealer.Hash(secret), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}}}
	for _, e := range edit {
		e(&c)
	}
	return c
}

func keySet(kid string, key crypto.PublicKey) json.RawMessage {
	j, err := jose.Publish(kid, key, nil)
	if err != nil {
		panic(err)
	}
	b, _ := json.Marshal(jose.JWKS{Keys: []jose.JWK{j}})
	return b
}

// plain is a generic issuer with a client "app" that accepts the tokens of corp.
func plain() directory.Issuer {
	w := &world{}
	return directory.Issuer{Name: "plain", URL: "https://issuer.example/a/b/", Algorithm: "ES256", Clients: []directory.IssuerClient{
		w.client("app"), w.client("modest", func(c *directory.IssuerClient) { c.Grants = nil }),
	}, Accepts: []directory.AcceptedIssuer{
		{Issuer: corpURL, Subject: "alice", Audiences: []string{"plain"}},
		{Issuer: corpURL, Subject: "robot", Audiences: []string{"plain"}},
	}}
}

const corpURL, plainToken = "https://corp.example", "https://issuer.example/a/b/token"

func corp() directory.Issuer {
	return directory.Issuer{Name: "corp", URL: corpURL, Algorithm: "ES256", Claims: map[string]string{
		"sub": `request.parameters.sub`, "may_act": `request.parameters.?may_act`, "act": `request.parameters.?act`, "groups": `["a", "b"]`}}
}

// foreign mints a token of corp.
func (w *world) foreign(sub, aud string, more ...any) string {
	w.t.Helper()
	parameters := map[string]any{"sub": sub}
	for n := 0; n+1 < len(more); n += 2 {
		parameters[more[n].(string)] = more[n+1]
	}
	m, err := w.Mint(w.t.Context(), "corp", idp.Mint{Audience: []string{aud}, Parameters: parameters})
	must(w.t, err)
	return m.Token
}

// form makes a form; pairs with an empty value are left out.
func form(pairs ...string) url.Values {
	v := url.Values{}
	for n := 0; n+1 < len(pairs); n += 2 {
		if pairs[n+1] != "" {
			v.Add(pairs[n], pairs[n+1])
		}
	}
	return v
}

func (w *world) post(address string, v url.Values, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, address, strings.NewReader(v.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, e := range edit {
		e(r)
	}
	return w.do(r)
}

func basic(id, secret string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret)) }
}

type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	IssuedType  string `json:"issued_token_type"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func read(t testing.TB, rec *httptest.ResponseRecorder) (a tokenAnswer) {
	t.Helper()
	if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil {
		t.Fatalf("%v: %s", err, rec.Body)
	}
	return a
}

// granted verifies the token of an answer as an outsider would, and returns what it says.
func (w *world) granted(rec *httptest.ResponseRecorder, issuer string) (map[string]any, token.Claims) {
	w.t.Helper()
	if rec.Code != http.StatusOK {
		w.t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	return w.verified(read(w.t, rec).AccessToken, issuer)
}

func (w *world) verified(raw, issuer string) (map[string]any, token.Claims) {
	w.t.Helper()
	v := token.Verifier{Source: w.outside(), Algorithms: idp.TokenAlgorithms, Now: w.now}
	claims, report, err := v.Verify(w.t.Context(), raw, issuer)
	if err != nil {
		w.t.Fatalf("%v: %+v", err, report)
	}
	return jose.Parse(raw).Header, claims
}

// assertion is what the client app signs to authenticate; pairs override claims, nil removes.
func assertion(pairs ...any) string {
	claims := map[string]any{"iss": "app", "sub": "app", "aud": plainToken, "exp": now.Add(5 * time.Minute).Unix(), "iat": now.Unix(), "jti": rand.Text()}
	for n := 0; n+1 < len(pairs); n += 2 {
		if claims[pairs[n].(string)] = pairs[n+1]; pairs[n+1] == nil {
			delete(claims, pairs[n].(string))
		}
	}
	return sign(clientKey(), "k1", claims)
}

func sign(key crypto.Signer, kid string, claims map[string]any) string {
	b, _ := json.Marshal(claims)
	raw, err := jose.Sign(jose.Header{{Name: "alg", Value: "ES256"}, {Name: "kid", Value: kid}}, b, key, "ES256", rand.Reader)
	if err != nil {
		panic(err)
	}
	return raw
}

func asserted(raw string, pairs ...string) url.Values {
	return form(append([]string{"grant_type", credit, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", raw}, pairs...)...)
}
