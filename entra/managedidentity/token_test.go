package managedidentity_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/directory"
)

func TestTokensAreCachedForAsLongAsTheyAreGood(t *testing.T) {
	t.Parallel()
	type step struct {
		name   string
		change func(w *world)
		query  string
		token  string
		left   string // expires_in
	}
	sum := sha256.Sum256([]byte("token-1"))
	same := func(*world) {}
	later := func(d time.Duration) func(w *world) { return func(w *world) { w.now = w.now.Add(d) } }
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"the same one, whose life counts down", []step{
			{"first", same, "", "token-1", "86400"}, {"13 seconds later", later(13 * time.Second), "", "token-1", "86387"},
			{"half a second later", later(500 * time.Millisecond), "", "token-1", "86386"}}},
		{"until clients take it for expired", []step{
			{"first", same, "", "token-1", "86400"}, {"five minutes and a second before the end", later(24*time.Hour - 301*time.Second), "", "token-1", "301"},
			{"five minutes before the end", later(time.Second), "", "token-2", "86400"}}},
		{"not when the clock goes back", []step{{"first", same, "", "token-1", "86400"}, {"an hour before", later(-time.Hour), "", "token-2", "86400"}}},
		{"for each resource", []step{{"first", same, "", "token-1", "86400"}, {"with a slash less", same, strings.TrimSuffix(ok, "%2F"), "token-2", "86400"}, {"the first again", same, "", "token-1", "86400"}}},
		{"for each identity", []step{
			{"first", same, "", "token-1", "86400"}, {"another", same, "&client_id=" + oneApp, "token-2", "86400"},
			{"the same by another id", same, "&object_id=" + oneSP, "token-2", "86400"}, {"the first by its id", same, "&client_id=" + sysApp, "token-1", "86400"}}},
		{"not when the client says that it is revoked", []step{
			{"first", same, "", "token-1", "86400"}, {"another is revoked", same, "&token_sha256_to_refresh=00", "token-1", "86400"},
			{"it is revoked", same, "&token_sha256_to_refresh=" + hex.EncodeToString(sum[:]), "token-2", "86400"}, {"again", same, "", "token-2", "86400"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, s := range tt.steps {
				s.change(w)
				a := vm(ok + s.query)
				if strings.HasPrefix(s.query, "api-version") {
					a = vm(s.query)
				}
				if token, left := w.member(a, "access_token"), w.member(a, "expires_in"); token != s.token || left != s.left {
					t.Errorf("%s: %s for %s, want %s for %s", s.name, token, left, s.token, s.left)
				}
				if ext := w.member(a, "ext_expires_in"); ext != "86399" {
					t.Errorf("%s: ext_expires_in %s counts down", s.name, ext)
				}
			}
		})
	}
}

func TestACachedTokenGoesWithItsIdentity(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(w *world)
		status int
	}{
		{"taken from the machine", func(w *world) { w.machine("default", directory.MachineVM, sysSP) }, http.StatusBadRequest},
		{"deleted as a resource", func(w *world) { w.resources = map[string]directory.Resource{} }, http.StatusBadRequest},
		{"deleted as a service principal", func(w *world) { delete(w.principals, tenant+oneSP) }, http.StatusBadRequest},
		{"disabled", func(w *world) {
			p := w.principals[tenant+oneSP]
			p.Enabled = false
			w.principals[tenant+oneSP] = p
		}, http.StatusBadRequest},
		{"the machine is deleted", func(w *world) { delete(w.machines, "default") }, http.StatusNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := vm(ok + "&client_id=" + oneApp)
			if status, body := w.body(a); status != http.StatusOK {
				t.Fatal(body)
			}
			tt.change(w)
			if status, body := w.body(a); status != tt.status {
				t.Errorf("status %d: %s", status, body)
			}
		})
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 1001 {
		w.now = w.now.Add(time.Second)
		w.do(vm(fmt.Sprintf("api-version=2018-02-01&resource=r%d", i)))
	}
	if w.do(vm("api-version=2018-02-01&resource=r1")); len(w.issued) != 1001 {
		t.Error("the second token made room, the first should have")
	}
	if w.do(vm("api-version=2018-02-01&resource=r0")); len(w.issued) != 1002 {
		t.Error("the cache holds more than its bound")
	}
}

func TestEightWhoAskAtOnceGetOneToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var wg sync.WaitGroup
	tokens := make([]string, 8)
	for i := range tokens {
		wg.Go(func() { tokens[i] = w.member(vm(ok), "access_token") })
	}
	wg.Wait()
	for _, got := range tokens {
		if got != tokens[0] || got == "" {
			t.Errorf("tokens %q", tokens)
		}
	}
}
