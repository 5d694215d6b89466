package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

// pinning is a web whose only peer shows one certificate that no authority vouches for.
type pinning struct {
	*web
	shows string
}

func (p pinning) FetchPinned(ctx context.Context, url string, thumbprints []string) ([]byte, token.Peer, error) {
	peer := token.Peer{Host: "issuer.example", Thumbprints: []string{p.shows}}
	if !slices.Contains(thumbprints, p.shows) {
		return nil, peer, &token.UnknownPeer{Peer: peer, Err: errors.New("unknown authority")}
	}
	peer.Pin = p.shows
	b, err := p.Fetch(ctx, url)
	return b, peer, err
}

func TestPinnedIssuersAreCachedForTheirThumbprintsAlone(t *testing.T) {
	t.Parallel()
	w := pinning{&web{}, "aa"}
	w.publish(t, issuer, jwk(t, "k1"))
	c := newClock()
	d := &token.Discovery{Fetcher: w, Now: c.now}
	got, err := d.PinnedKeys(t.Context(), issuer, "k1", []string{"bb", "aa"})
	if err != nil || len(got.Keys) != 1 || len(got.Peers) != 2 || got.Peers[1].Pin != "aa" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := d.PinnedKeys(t.Context(), issuer, "k1", []string{"aa", "bb", "aa"}); err != nil || w.count() != 2 {
		t.Errorf("the same thumbprints in another order: %v, %d fetches", err, w.count())
	}
	var unknown *token.UnknownPeer
	if _, err := d.PinnedKeys(t.Context(), issuer, "k1", []string{"bb"}); !errors.As(err, &unknown) || !errors.Is(err, fault.Unavailable) || unknown.Peer.Thumbprints[0] != "aa" {
		t.Errorf("other thumbprints: %v", err)
	}
	if _, err := d.PinnedKeys(t.Context(), issuer, "k1", nil); !errors.As(err, &unknown) {
		t.Errorf("no thumbprints: %v", err)
	}
	if n := w.count(); n != 2 {
		t.Errorf("a peer that is not known was sent requests: %d", n)
	}
}

func TestOneFetchServesEveryoneWhoPinsTheSame(t *testing.T) {
	t.Parallel()
	w := pinning{&web{block: make(chan struct{}), begun: make(chan struct{})}, "aa"}
	w.publish(t, issuer, jwk(t, "k1"))
	d := &token.Discovery{Fetcher: w, Now: newClock().now}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := d.PinnedKeys(t.Context(), issuer, "", []string{"aa"}); err != nil {
				t.Error(err)
			}
		})
	}
	<-w.begun
	close(w.block)
	group.Wait()
	if n := w.count(); n != 2 {
		t.Errorf("%d fetches", n)
	}
}

func TestEllipticRingsSignAndCountTheirKeysFromZero(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memory{}
	ring := &token.Keyring{Store: store, Now: c.now, Rand: rand.Reader, Kinds: map[string]token.Kind{"ec": {KeyID: token.Counted("EC384_"), Curve: elliptic.P384()}}}
	issue := func() *jose.Token {
		i := &token.Issuer{Keys: ring, Ring: "ec/1", Algorithm: jose.ES384, Type: "JWT", KidFirst: true}
		raw, err := i.Issue(t.Context(), token.Claims{"sub": "x"})
		if err != nil {
			t.Fatal(err)
		}
		return jose.Parse(raw)
	}
	first := issue()
	if first.KeyID() != "EC384_0" {
		t.Errorf("kid %q", first.KeyID())
	}
	keys, err := ring.Published(t.Context(), "ec/1")
	if err != nil || keys[0].Signer.Public().(*ecdsa.PublicKey).Curve != elliptic.P384() {
		t.Fatalf("%+v, %v", keys, err)
	}
	if err := jose.Verify(first, keys[0].Public().Key, []string{jose.ES384}); err != nil {
		t.Error(err)
	}
	if _, err := ring.RotateNow(t.Context(), "ec/1"); err != nil {
		t.Fatal(err)
	}
	ring.Reset() // as another replica would read them
	if kid := issue().KeyID(); kid != "EC384_1" {
		t.Errorf("after the rotation: kid %q", kid)
	}
}

func TestNumberedKeysFindTheirRingAndMakeNone(t *testing.T) {
	t.Parallel()
	c, store := newClock(), &memory{}
	ring := &token.Keyring{Store: store, Now: c.now, Rand: rand.Reader, Kinds: map[string]token.Kind{"numbered": {KeyID: token.Numbered}}}
	for range 11 { // so that one of them ends in two digits
		if _, err := ring.RotateNow(t.Context(), "numbered/us-east-1"); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Second)
	}
	n := token.Numbers{Keys: ring, Store: store, Family: "numbered"}
	for kid, found := range map[string]bool{"us-east-11": true, "us-east-111": true, "us-east-19": true, "us-east-112": false, "eu-west-11": false, "us-east-1": false, "11": false, "": false} {
		keys, err := n.PublicKeys(t.Context(), "", kid)
		has := slices.ContainsFunc(keys, func(k token.PublicKey) bool { return k.ID == kid })
		if has != found || !found && !errors.Is(err, fault.NotFound) {
			t.Errorf("%q: %v, %v", kid, has, err)
		}
	}
	if stored, _ := store.Keys(t.Context(), "numbered/eu-west-1"); len(stored) != 0 {
		t.Error("a stranger's kid made a ring")
	}
}
