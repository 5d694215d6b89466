package token_test

import (
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
