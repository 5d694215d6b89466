package token_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/treatyfed/treaty/core/token"
)

func TestForgettingAnIssuerForgetsNoOther(t *testing.T) {
	t.Parallel()
	const neighbour = issuer + "/below"
	c, w := newClock(), &web{}
	d := &token.Discovery{Fetcher: w, Now: c.now}
	if _, err := d.PublicKeys(t.Context(), issuer, ""); err == nil {
		t.Fatal("an issuer that publishes nothing has keys")
	}
	w.publish(t, issuer, jwk(t, "k1"))
	w.publish(t, neighbour, jwk(t, "k2"))
	if _, err := d.PublicKeys(t.Context(), neighbour, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := d.PublicKeys(t.Context(), issuer, ""); err == nil {
		t.Error("a failure is not remembered")
	}
	d.Forget(issuer)
	for range 2 {
		if keys, err := d.PublicKeys(t.Context(), issuer, "k1"); err != nil || len(keys) != 1 {
			t.Errorf("%v, %v", keys, err)
		}
	}
	asked := w.count()
	if _, err := d.PinnedKeys(t.Context(), issuer, "k1", []string{"a"}); err != nil {
		t.Fatal(err)
	}
	d.Forget(issuer)
	if _, err := d.PinnedKeys(t.Context(), issuer, "k1", []string{"a"}); err != nil || w.count() != asked+4 {
		t.Errorf("%d documents more, %v", w.count()-asked, err)
	}
	if _, err := d.PublicKeys(t.Context(), neighbour, "k2"); err != nil || w.count() != asked+4 {
		t.Errorf("the neighbour was forgotten, too: %d documents more, %v", w.count()-asked, err)
	}
}

// A fetch that is under way when an issuer is forgotten is for those who asked before.
func TestWhoAsksAfterAnIssuerWasForgottenGetsItsNewKeys(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	w := &web{block: release, begun: make(chan struct{})}
	w.publish(t, issuer, jwk(t, "k1"))
	d := &token.Discovery{Fetcher: w, Now: newClock().now}
	var before sync.WaitGroup
	before.Go(func() { _, _ = d.PublicKeys(t.Context(), issuer, "") })
	<-w.begun
	w.unblock()
	w.publish(t, issuer, jwk(t, "k2"))
	d.Forget(issuer)
	if keys, err := d.PublicKeys(t.Context(), issuer, ""); err != nil || len(keys) != 1 || keys[0].ID != "k2" {
		t.Errorf("%v, %v", keys, err)
	}
	close(release)
	before.Wait()
	if keys, err := d.PublicKeys(t.Context(), issuer, ""); err != nil || len(keys) != 1 || keys[0].ID != "k2" {
		t.Errorf("after the fetch of before ended: %v, %v", keys, err)
	}
}

// Two replicas answer for one issuer. The one that does not carry out its deletion has no outage before it.
func TestADeletedIssuersKeysEndAtEveryReplica(t *testing.T) {
	t.Parallel()
	c, w := newClock(), &web{}
	var gone atomic.Bool
	replica := func() *token.Discovery {
		return &token.Discovery{Fetcher: w, Now: c.now, Own: func(_ context.Context, i string) bool { return i == issuer && !gone.Load() }}
	}
	const foreign = "https://foreign.example"
	one, other := replica(), replica()
	for _, iss := range []string{issuer, foreign} {
		w.publish(t, iss, jwk(t, "k1"))
		for _, d := range []*token.Discovery{one, other} {
			if _, err := d.PublicKeys(t.Context(), iss, "k1"); err != nil {
				t.Fatal(err)
			}
			if _, err := d.PinnedKeys(t.Context(), iss, "k1", []string{"a"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.withdraw(issuer)
	w.withdraw(foreign)
	gone.Store(true)
	one.Forget(issuer)
	c.advance(token.DefaultRefetch)
	for name, d := range map[string]*token.Discovery{"the one that deleted it": one, "the other": other} {
		for range 2 { // the second is answered by what is known
			if keys, err := d.PublicKeys(t.Context(), issuer, "k1"); err == nil {
				t.Errorf("%s: %v", name, keys)
			}
			if got, err := d.PinnedKeys(t.Context(), issuer, "k1", []string{"a"}); err == nil {
				t.Errorf("%s: %v", name, got)
			}
		}
		if _, err := d.PublicKeys(t.Context(), foreign, "k1"); err != nil {
			t.Errorf("%s: a foreign issuer that is silent: %v", name, err)
		}
	}
	c.advance(token.DefaultTTL)
	if _, err := other.PublicKeys(t.Context(), foreign, "k1"); err != nil {
		t.Errorf("a foreign issuer that is silent: %v", err)
	}
}

func TestKeysOfOneThatHasBecomeOurOwnDoNotServeWhenItFails(t *testing.T) {
	t.Parallel()
	c, w := newClock(), &web{}
	var own atomic.Bool
	d := &token.Discovery{Fetcher: w, Now: c.now, Own: func(context.Context, string) bool { return own.Load() }}
	w.publish(t, issuer, jwk(t, "k1"))
	if _, err := d.PublicKeys(t.Context(), issuer, ""); err != nil {
		t.Fatal(err)
	}
	w.withdraw(issuer)
	c.advance(token.DefaultTTL)
	if _, err := d.PublicKeys(t.Context(), issuer, ""); err != nil {
		t.Errorf("an outage: %v", err)
	}
	own.Store(true)
	if keys, err := d.PublicKeys(t.Context(), issuer, ""); err == nil {
		t.Errorf("served %v", keys)
	}
}
