package token_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

var epoch = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: epoch} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// memory is a KeyStore; it keeps the one promise that matters: a sequence is given once.
type memory struct {
	mu    sync.Mutex
	keys  map[string][]token.StoredKey
	reads int
	down  error

	duringRead func() // called with the answer in hand
}

func (m *memory) Keys(_ context.Context, ring string) ([]token.StoredKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	found := slices.Clone(m.keys[ring])
	if m.duringRead != nil {
		m.duringRead()
	}
	return found, m.down
}

func (m *memory) AddKey(_ context.Context, k token.StoredKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, have := range m.keys[k.Ring] {
		if have.Sequence == k.Sequence || have.ID == k.ID {
			return fault.New(fault.Conflict, "key.add "+k.ID, "sequence")
		}
	}
	if m.keys == nil {
		m.keys = map[string][]token.StoredKey{}
	}
	m.keys[k.Ring] = append(m.keys[k.Ring], k)
	return nil
}

func (m *memory) RemoveKey(_ context.Context, ring, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.keys[ring])
	m.keys[ring] = slices.DeleteFunc(m.keys[ring], func(k token.StoredKey) bool { return k.ID == id })
	if len(m.keys[ring]) == n {
		return fault.New(fault.NotFound, "key.remove "+id, "")
	}
	return nil
}

var kinds = map[string]token.Kind{
	"certified": {KeyID: token.CertificateThumbprint, Subject: "accounts.example"},
	"numbered":  {KeyID: token.Numbered},
	"plain":     {},
}

func newRing(store token.KeyStore, c *clock) *token.Keyring {
	return &token.Keyring{Store: store, Kinds: kinds, Now: c.now, Rand: rand.Reader}
}

// web is a Fetcher over documents that tests write.
type web struct {
	mu    sync.Mutex
	docs  map[string]string
	asked []string
	block chan struct{} // when set, every fetch waits for it
	begun chan struct{} // when set, closed by the first fetch
}

func (w *web) Fetch(ctx context.Context, url string) ([]byte, error) {
	w.mu.Lock()
	w.asked = append(w.asked, url)
	doc, ok := w.docs[url]
	block := w.block
	if w.begun != nil && len(w.asked) == 1 {
		close(w.begun)
	}
	w.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if !ok {
		return nil, errors.New("status 404")
	}
	return []byte(doc), nil
}

func (w *web) set(url, doc string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.docs == nil {
		w.docs = map[string]string{}
	}
	w.docs[url] = doc
}

// withdraw takes an issuer's documents away.
func (w *web) withdraw(issuer string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.docs, issuer+"/.well-known/openid-configuration")
	delete(w.docs, issuer+"/keys")
}

// unblock lets fetches that begin from now on pass.
func (w *web) unblock() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.block = nil
}

func (w *web) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked)
}

// publish puts up an issuer's documents with these keys.
func (w *web) publish(t testing.TB, issuer string, keys ...jose.JWK) {
	t.Helper()
	base := strings.TrimSuffix(issuer, "/")
	config, _ := json.Marshal(map[string]string{"issuer": issuer, "jwks_uri": base + "/keys"})
	set, err := json.Marshal(jose.JWKS{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	w.set(base+"/.well-known/openid-configuration", string(config))
	w.set(base+"/keys", string(set))
}

var rsaKey, otherKey = sync.OnceValue(newRSA), sync.OnceValue(newRSA)

func newRSA() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

func jwk(t testing.TB, kid string) jose.JWK {
	t.Helper()
	j, err := jose.Publish(kid, rsaKey().Public(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return j
}
