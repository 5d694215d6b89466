package token_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

const day = 24 * time.Hour

func ids(t *testing.T, r *token.Keyring, ring string) (out []string) {
	t.Helper()
	keys, err := r.Published(t.Context(), ring)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		out = append(out, k.ID)
	}
	return out
}

func signing(t *testing.T, r *token.Keyring, ring string) token.Key {
	t.Helper()
	k, err := r.Signing(t.Context(), ring)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysRotateWithOverlap(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memory{}
	r := newRing(store, c)
	r.Lifetime, r.Lead, r.Overlap = 90*day, 1*day, 2*day
	const ring = "numbered/eu-west-1"
	for _, step := range []struct {
		name      string
		advance   time.Duration
		signing   string
		published []string
	}{
		{"the first key is made when it is asked for", 0, "eu-west-11", []string{"eu-west-11"}},
		{"nothing changes before the lead", 88 * day, "eu-west-11", []string{"eu-west-11"}},
		{"the next key is published before it signs", 1 * day, "eu-west-11", []string{"eu-west-11", "eu-west-12"}},
		{"it signs when the first retires, which stays published", 1 * day, "eu-west-12", []string{"eu-west-12", "eu-west-11"}},
		{"after the overlap the first is gone", 2 * day, "eu-west-12", []string{"eu-west-12"}},
		{"after a year of sleep the last key still signs while the next is announced", 365 * day, "eu-west-12", []string{"eu-west-12", "eu-west-13"}},
		{"and then the next signs", 1 * day, "eu-west-13", []string{"eu-west-13", "eu-west-12"}},
	} {
		c.advance(step.advance)
		if got := signing(t, r, ring).ID; got != step.signing {
			t.Errorf("%s: %s signs, want %s", step.name, got, step.signing)
		}
		if got := ids(t, r, ring); !cmp.Equal(got, step.published) {
			t.Errorf("%s: published %q, want %q", step.name, got, step.published)
		}
	}
	if len(store.keys[ring]) != 2 {
		t.Errorf("%d keys are kept: the first should be forgotten", len(store.keys[ring]))
	}
}

func TestRotateNowSignsAtOnceAndKeepsTheOld(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := newRing(&memory{}, c)
	const ring = "numbered/x"
	signing(t, r, ring)
	k, err := r.RotateNow(t.Context(), ring)
	if err != nil || k.ID != "x2" {
		t.Fatalf("%s, %v", k.ID, err)
	}
	if got := ids(t, r, ring); !cmp.Equal(got, []string{"x2", "x1"}) {
		t.Errorf("published %q", got)
	}
	// A rotation while the next key is announced passes it over.
	c.advance(token.DefaultLifetime - token.DefaultLead)
	if got := ids(t, r, ring); !cmp.Equal(got, []string{"x2", "x3"}) {
		t.Errorf("published %q", got)
	}
	if k, err = r.RotateNow(t.Context(), ring); err != nil || k.ID != "x4" {
		t.Errorf("%s, %v", k.ID, err)
	}
	c.advance(token.DefaultLead)
	if got := signing(t, r, ring).ID; got != "x4" {
		t.Errorf("%s signs after the announced one's time has come", got)
	}
}

func TestKeysOfEachKindAreNamedAsTheirCloudDoes(t *testing.T) {
	t.Parallel()
	r := newRing(&memory{}, newClock())
	k := signing(t, r, "certified")
	if k.Certificate == nil || k.Certificate.Subject.String() != "CN=accounts.example" || k.ID != jose.Thumbprint(k.Certificate.Raw) {
		t.Errorf("certified: %s, %v", k.ID, k.Certificate)
	}
	if !k.Certificate.NotBefore.Equal(epoch) || k.Certificate.CheckSignature(k.Certificate.SignatureAlgorithm, k.Certificate.RawTBSCertificate, k.Certificate.Signature) != nil {
		t.Errorf("certificate from %v, or not signed by itself", k.Certificate.NotBefore)
	}
	j, err := k.JWK()
	if err != nil || j.X5t != j.Kid || len(j.X5c) != 1 || j.Use != "sig" || j.E != "AQAB" {
		t.Errorf("%+v, %v", j, err)
	}
	k = signing(t, r, "plain")
	if want, _ := jose.KeyThumbprint(k.Signer.Public()); k.ID != want || k.Certificate != nil {
		t.Errorf("plain: %s, %v", k.ID, k.Certificate)
	}
	if _, err := r.Signing(t.Context(), "unheard-of"); !errors.Is(err, fault.NotFound) {
		t.Errorf("an unknown kind: %v", err)
	}
}

func TestReplicasAgreeOnEveryKey(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memory{}
	replicas := []*token.Keyring{newRing(store, c), newRing(store, c), newRing(store, c)}
	var wg sync.WaitGroup
	got := make([]string, 12)
	for i := range got {
		wg.Go(func() {
			k, err := replicas[i%3].Signing(context.Background(), "plain")
			if err != nil {
				t.Error(err)
			}
			got[i] = k.ID
		})
	}
	wg.Wait()
	for _, id := range got {
		if id == "" || id != got[0] {
			t.Fatalf("replicas sign with %q", got)
		}
	}
	// One rotates; the others follow when their cache ends, and at once for a kid that they do not know.
	fresh, err := replicas[0].RotateNow(t.Context(), "plain")
	if err != nil {
		t.Fatal(err)
	}
	if k := signing(t, replicas[1], "plain"); k.ID != got[0] {
		t.Errorf("a cached ring was read again: %s", k.ID)
	}
	c.advance(time.Second)
	keys, err := token.Local{Keys: replicas[1], Ring: "plain"}.PublicKeys(t.Context(), "any", fresh.ID)
	if err != nil || len(keys) != 2 || keys[0].ID != fresh.ID {
		t.Errorf("Local: %v, %v", keys, err)
	}
	c.advance(token.DefaultCache)
	if k := signing(t, replicas[2], "plain"); k.ID != fresh.ID {
		t.Errorf("the third replica still signs with %s", k.ID)
	}
}

func TestUnknownKidsCostABoundedNumberOfReads(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memory{}
	r := newRing(store, c)
	local := token.Local{Keys: r, Ring: "plain"}
	for range 50 {
		if _, err := local.PublicKeys(t.Context(), "", "guessed"); err != nil {
			t.Fatal(err)
		}
	}
	if store.reads > 2 {
		t.Errorf("%d reads", store.reads)
	}
}

func TestAStoreThatFailsIsReportedAndForgiven(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memory{down: fault.New(fault.Unavailable, "keys", "down")}
	r := newRing(store, c)
	if _, err := r.Signing(t.Context(), "plain"); !errors.Is(err, fault.Unavailable) {
		t.Errorf("%v", err)
	}
	store.down = nil
	if _, err := r.Signing(t.Context(), "plain"); err != nil {
		t.Error(err)
	}
	store.keys = nil // emptied
	r.Reset()
	if k := signing(t, r, "plain"); len(store.keys["plain"]) != 1 || k.Sequence != 1 {
		t.Errorf("after a reset: %+v", store.keys)
	}
	damaged := newRing(&memory{keys: map[string][]token.StoredKey{"plain": {{ID: "k", Ring: "plain", Sequence: 1, Private: []byte("junk")}}}}, c)
	if _, err := damaged.Signing(t.Context(), "plain"); !errors.Is(err, fault.Internal) {
		t.Errorf("a damaged key: %v", err)
	}
}

func TestAReadBegunBeforeAResetIsNotKept(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memory{}
	r := newRing(store, c)
	first := signing(t, r, "plain")
	c.advance(token.DefaultCache)
	store.duringRead = func() { // the store is emptied while its answer is on the way
		store.keys = nil
		r.Reset()
	}
	signing(t, r, "plain")
	store.duringRead = nil
	if k := signing(t, r, "plain"); k.ID == first.ID {
		t.Error("a key that the store no longer has goes on to sign")
	}
}
