package token

import (
	"cmp"
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/treatyfed/treaty/core/fault"
)

// Kind is how the keys of a family of rings are made.
type Kind struct {
	// KeyID names a key; nil gives the SHA-256 JWK thumbprint (RFC 7638). cert is nil unless Subject is set.
	KeyID func(ring string, sequence int, key crypto.PublicKey, cert *x509.Certificate) (string, error)
	// Subject is the common name of the key's self-signed certificate, "" for none.
	Subject string
	// Curve makes the keys elliptic (P-384 for ES384); nil makes them RSA.
	Curve elliptic.Curve
}

// Defaults of a Keyring's zero durations. Both clouds rotate without notice and ask verifiers to refetch
// every day ("Signing key rollover in the Microsoft identity platform"), hence a day of lead and overlap.
const (
	DefaultLifetime = 90 * 24 * time.Hour
	DefaultLead     = 24 * time.Hour
	DefaultOverlap  = 24 * time.Hour
	DefaultCache    = 10 * time.Second

	storeTimeout = 30 * time.Second // of a read that several callers share
)

// Keyring keeps the rings in a KeyStore: it makes a ring's first key when it is first asked for, the next
// one Lead before the current one ends, publishes a retired one for Overlap and then forgets it. Any
// number of replicas share a store: who loses the race to add a key takes the winner's.
//
// A key signs from its NotBefore until the one after it begins, however late that is.
type Keyring struct {
	Store    KeyStore
	Kinds    map[string]Kind // by a ring's name up to its first slash
	Lifetime time.Duration   // how long a key signs
	Lead     time.Duration   // how long it is published before it signs
	Overlap  time.Duration   // how long it is published after; longer than any token lives
	Cache    time.Duration   // how long another replica's new key may go unseen; far below Lead
	Now      func() time.Time
	Rand     io.Reader

	mu     sync.Mutex
	rings  map[string]*ring
	resets int // how often what is known was forgotten: a read begun before is not kept
	flight singleflight.Group
}

// ring is what the process knows of a ring. It is replaced, never written to.
type ring struct {
	keys   []Key // by sequence
	readAt time.Time
}

var _ Keys = (*Keyring)(nil)

// Signing returns the key that signs now.
func (r *Keyring) Signing(ctx context.Context, name string) (Key, error) {
	known, err := r.current(ctx, name)
	if err != nil {
		return Key{}, err
	}
	return known.keys[known.signing(r.Now())], nil
}

// Published returns every key that a verifier must know: current first, then those to come, then the
// retired, newest first.
func (r *Keyring) Published(ctx context.Context, name string) ([]Key, error) {
	known, err := r.current(ctx, name)
	if err != nil {
		return nil, err
	}
	now := r.Now()
	at := known.signing(now)
	out := append(make([]Key, 0, len(known.keys)), known.keys[at])
	out = append(out, known.keys[at+1:]...)
	for i := at - 1; i >= 0; i-- {
		if now.Before(known.endOf(i).Add(r.overlap())) {
			out = append(out, known.keys[i])
		}
	}
	return out, nil
}

// Refresh reads a ring from the store if the process has not done so for a second: a verifier calls it
// when it meets a key id that it does not know, which another replica may have just made.
func (r *Keyring) Refresh(ctx context.Context, name string) error {
	_, err := r.load(ctx, name, min(time.Second, r.cache()))
	return err
}

// RotateNow makes a new key that signs at once; tokens of the old ones verify for the overlap. Other
// replicas sign with it when their cache ends.
func (r *Keyring) RotateNow(ctx context.Context, name string) (Key, error) {
	for range rotateTries {
		known, resets, err := r.read(ctx, name)
		if err != nil {
			return Key{}, err
		}
		known, added, err := r.extend(ctx, name, known, r.Now())
		if err != nil {
			return Key{}, err
		}
		r.keep(name, known, resets)
		if added {
			return known.keys[known.signing(r.Now())], nil
		}
	}
	return Key{}, fault.New(fault.Conflict, "rotate ring "+name, "others keep adding keys")
}

// rotateTries bounds how often RotateNow loses to a replica that adds the next key at the same moment.
const rotateTries = 5

// Drop removes a ring whose issuer is no more, so that one of the same name begins with keys of its own. Other
// replicas may know the old ones until their cache ends.
func (r *Keyring) Drop(ctx context.Context, name string) error {
	stored, err := r.Store.Keys(ctx, name)
	if err != nil {
		return err
	}
	for _, k := range stored {
		if err := r.Store.RemoveKey(ctx, name, k.ID); err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
	}
	r.Reset()
	return nil
}

// Reset forgets what was read, after the store was emptied.
func (r *Keyring) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rings = nil
	r.resets++
}

// signing is the index of the key that signs: the youngest that has begun, else the first.
func (k *ring) signing(now time.Time) int {
	for i := len(k.keys) - 1; i > 0; i-- {
		if !now.Before(k.keys[i].NotBefore) {
			return i
		}
	}
	return 0
}

// endOf is when key i, which is not the last, ceased to sign: a younger one began.
func (k *ring) endOf(i int) time.Time {
	end := k.keys[i+1].NotBefore
	for _, later := range k.keys[i+2:] {
		if later.NotBefore.Before(end) {
			end = later.NotBefore
		}
	}
	return end
}

func (r *Keyring) current(ctx context.Context, name string) (*ring, error) {
	return r.load(ctx, name, r.cache())
}

// load returns the ring as it was read at most maxAge ago, with a key that signs and, when it is time,
// the next one.
func (r *Keyring) load(ctx context.Context, name string, maxAge time.Duration) (*ring, error) {
	r.mu.Lock()
	known := r.rings[name]
	r.mu.Unlock()
	if known != nil {
		if age := r.Now().Sub(known.readAt); age >= 0 && age < maxAge {
			return known, nil
		}
	}
	// A caller that goes away must not fail those who wait for the same answer.
	result := r.flight.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		return r.renew(ctx, name)
	})
	select {
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable, "keys of ring "+name, ctx.Err())
	case got := <-result:
		if got.Err != nil {
			return nil, got.Err
		}
		return got.Val.(*ring), nil
	}
}

func (r *Keyring) renew(ctx context.Context, name string) (*ring, error) {
	known, resets, err := r.read(ctx, name)
	if err != nil {
		return nil, err
	}
	now := r.Now()
	switch last := len(known.keys) - 1; {
	case last < 0:
		known, _, err = r.extend(ctx, name, known, now)
	case known.signing(now) == last && !now.Before(known.keys[last].RetireAfter.Add(-r.lead())):
		begin := known.keys[last].RetireAfter
		if soonest := now.Add(r.lead()); begin.Before(soonest) {
			begin = soonest // nobody was there to publish it in time
		}
		known, _, err = r.extend(ctx, name, known, begin)
	}
	if err != nil {
		return nil, err
	}
	r.keep(name, known, resets)
	return known, nil
}

func (r *Keyring) keep(name string, known *ring, resets int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if resets != r.resets {
		return
	}
	if r.rings == nil {
		r.rings = map[string]*ring{}
	}
	r.rings[name] = known
}

// read gets the ring from the store; private keys that are known already are not parsed again.
func (r *Keyring) read(ctx context.Context, name string) (out *ring, resets int, err error) {
	if _, err := r.kind(name); err != nil {
		return nil, 0, err
	}
	r.mu.Lock()
	before, resets := r.rings[name], r.resets
	r.mu.Unlock()
	at := r.Now()
	stored, err := r.Store.Keys(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	out = &ring{readAt: at, keys: make([]Key, 0, len(stored)+1)}
	for _, s := range stored {
		k, ok := before.find(s)
		if !ok {
			if k, err = s.parse(); err != nil {
				return nil, 0, err
			}
		}
		out.keys = append(out.keys, k)
	}
	slices.SortFunc(out.keys, func(a, b Key) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return out, resets, nil
}

func (k *ring) find(s StoredKey) (Key, bool) {
	if k == nil {
		return Key{}, false
	}
	for _, key := range k.keys {
		if key.ID == s.ID && key.Sequence == s.Sequence {
			return key, true
		}
	}
	return Key{}, false
}

// extend adds the ring's next key, which signs from begin on, and forgets those whose overlap is over.
// When another replica was first to add one, the ring comes back as that one left it.
func (r *Keyring) extend(ctx context.Context, name string, known *ring, begin time.Time) (out *ring, added bool, err error) {
	next := 1
	if n := len(known.keys); n > 0 {
		next = known.keys[n-1].Sequence + 1
	}
	fresh, stored, err := r.generate(name, next, begin)
	if err != nil {
		return nil, false, err
	}
	err = r.Store.AddKey(ctx, stored)
	if errors.Is(err, fault.Conflict) {
		known, _, err = r.read(ctx, name)
		if err == nil && len(known.keys) == 0 {
			err = fault.New(fault.Internal, "keys of ring "+name, "the store has a key and does not show it")
		}
		return known, false, err
	}
	if err != nil {
		return nil, false, err
	}
	out = &ring{readAt: known.readAt, keys: append(slices.Clone(known.keys), fresh)}
	return out, true, r.forget(ctx, name, out)
}

// forget removes keys whose overlap ended an overlap ago, so that no replica still publishes them.
func (r *Keyring) forget(ctx context.Context, name string, known *ring) error {
	at := known.signing(r.Now())
	for at > 0 && !r.Now().Before(known.endOf(0).Add(2*r.overlap())) {
		if err := r.Store.RemoveKey(ctx, name, known.keys[0].ID); err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		known.keys = known.keys[1:]
		at--
	}
	return nil
}

func (r *Keyring) kind(name string) (Kind, error) {
	family, _, _ := strings.Cut(name, "/")
	k, ok := r.Kinds[family]
	if !ok {
		return Kind{}, fault.New(fault.NotFound, "keys of ring "+name, "there is no such kind of ring")
	}
	return k, nil
}

func (r *Keyring) lifetime() time.Duration { return cmp.Or(r.Lifetime, DefaultLifetime) }
func (r *Keyring) lead() time.Duration     { return cmp.Or(r.Lead, DefaultLead) }
func (r *Keyring) overlap() time.Duration  { return cmp.Or(r.Overlap, DefaultOverlap) }
func (r *Keyring) cache() time.Duration    { return cmp.Or(r.Cache, DefaultCache) }
