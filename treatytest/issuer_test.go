package treatytest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// issuer is a foreign OpenID Connect issuer on loopback that counts who asks for its documents.
type issuer struct {
	*httptest.Server
	mu    sync.Mutex
	kid   string
	key   *rsa.PrivateKey
	asked int
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	i.rotate(t, "k1")
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.asked++
		_ = json.NewEncoder(w).Encode(m{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		_ = json.NewEncoder(w).Encode(m{"keys": []m{{"kty": "RSA", "use": "sig", "kid": i.kid, "n": b64.EncodeToString(i.key.N.Bytes()), "e": "AQAB"}}})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) rotate(t *testing.T, kid string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.kid, i.key = kid, key
}

func (i *issuer) token(t *testing.T, subject, audience string, now time.Time) string {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	in := b64.EncodeToString([]byte(raw(m{"alg": "RS256", "typ": "JWT", "kid": i.kid}))) + "." +
		b64.EncodeToString([]byte(raw(m{"iss": i.URL, "sub": subject, "aud": audience, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()})))
	sum := sha256.Sum256([]byte(in))
	sig, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return in + "." + b64.EncodeToString(sig)
}

func (i *issuer) times() int { i.mu.Lock(); defer i.mu.Unlock(); return i.asked }

func TestOnlyTheMatchingTrustsIssuerIsAsked(t *testing.T) {
	t.Parallel()
	tt := New(t) // admits loopback issuers by configuration
	trusted, stranger := newIssuer(t), newIssuer(t)
	app := tt.AddApplication("issuers")
	tt.Trust(app, "runner", trusted.URL, "repo:contoso/app", "api://AzureADTokenExchange")
	try := func(name string, i *issuer, subject string, want string) {
		t.Helper()
		status, body := tt.Exchange(app, i.token(t, subject, "api://AzureADTokenExchange", tt.Now()), tt.GraphURL)
		if want == "" && status != 200 || want != "" && !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	try("an issuer that nobody trusts", stranger, "repo:contoso/app", "AADSTS700211")
	try("a subject that is not trusted", trusted, "repo:contoso/other", "AADSTS700213")
	if trusted.times()+stranger.times() != 0 {
		t.Errorf("a token that matches no trust made Treaty ask: %d, %d times", trusted.times(), stranger.times())
	}
	try("the trusted one", trusted, "repo:contoso/app", "")
	try("again, from the cache", trusted, "repo:contoso/app", "")
	if trusted.times() != 1 || stranger.times() != 0 {
		t.Errorf("asked %d and %d times, want 1 and 0", trusted.times(), stranger.times())
	}
	trusted.rotate(t, "k2")
	try("a key that is new since", trusted, "repo:contoso/app", "")
	if trusted.times() != 2 {
		t.Errorf("an unknown kid made %d requests, want one more", trusted.times()-1)
	}
}

func TestAnIssuerThatIsDownIsTheCallersToSee(t *testing.T) {
	t.Parallel()
	tt := New(t)
	i := newIssuer(t)
	app := tt.AddApplication("down")
	tt.Trust(app, "runner", i.URL, "s", "a")
	token := i.token(t, "s", "a", tt.Now())
	i.Close()
	status, body := tt.Exchange(app, token, tt.GraphURL)
	if status != 400 || !strings.Contains(string(body), "AADSTS90061") {
		t.Fatalf("%d %s", status, body)
	}
	var answer struct {
		TraceID string `json:"trace_id"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	r := tt.Explain(answer.TraceID)
	if c, ok := r.Sections[0].Checks.Named("issuer's keys"); !ok || c.OK || !strings.Contains(c.Note, "refused") {
		t.Errorf("explain does not say why the issuer could not be asked: %+v", r.Sections[0].Checks)
	}
}
