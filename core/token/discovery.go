package token

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
)

// Defaults of a Discovery's zero fields. Microsoft asks verifiers to refetch at least every day and on an
// unknown kid ("Signing key rollover in the Microsoft identity platform"); AWS gives an issuer 5 seconds.
const (
	DefaultTTL         = time.Hour
	DefaultNegativeTTL = 5 * time.Second
	// DefaultMaxNegativeTTL is as long as an operator who has just mended an issuer is made to wait, and
	// makes no more than one request a minute of each of our processes to one that stays broken: longer
	// would spare it nothing more.
	DefaultMaxNegativeTTL = time.Minute
	DefaultStale          = 24 * time.Hour
	DefaultRefetch        = 10 * time.Second
	DefaultTimeout        = 5 * time.Second
	DefaultMaxIssuers     = 1000
)

// Discovery is a KeySource that reads an issuer's published documents (OpenID Connect Discovery 1.0
// section 4): {issuer without trailing slash}/.well-known/openid-configuration, whose issuer must be the
// one asked for to the byte, then its jwks_uri. Both must be https.
//
// Keys are cached by issuer; requests at the same time share one fetch. A key that the issuer takes back is
// accepted until the TTL ends, or until a fetch for another reason: a kid that is unknown, or a signature that
// keys read longer than Refetch ago did not make. Tokens are cheap to make up, so that each of the two
// causes at most one fetch every Refetch, for all of an issuer's tokens together.
//
// When an issuer fails, the keys known before serve until they are Stale, unless what failed is that it
// answered and has no usable key any more. The failure is remembered for NegativeTTL, twice as long with
// each further one in a row up to MaxNegativeTTL, and for as long as the issuer's Retry-After says, within
// that bound. Failures are fault.Unavailable with the whole story in their text, which is for the evidence
// and never for the wire.
type Discovery struct {
	Fetcher Fetcher
	// Parse reads a key set: the keys that may be used, and why others may not. nil is jose.ParseKeySet.
	Parse          func(doc []byte) (keys []PublicKey, skipped []string, err error)
	LoopbackHTTP   bool          // admit http for localhost and loopback addresses
	TTL            time.Duration // how long keys serve without being asked for again
	NegativeTTL    time.Duration // after the first failure
	MaxNegativeTTL time.Duration
	Stale          time.Duration
	Refetch        time.Duration
	Timeout        time.Duration // for both documents together
	MaxIssuers     int
	// Own reports whether an issuer answers in this process; nil is none. Asking such a one is cheap, and what
	// it does not answer for has been deleted, maybe by another replica: its keys live for Refetch, and never
	// serve when it fails.
	Own func(ctx context.Context, issuer string) bool
	// Now measures the age of what is cached. It is the machine's clock even where tokens are judged by
	// a clock that was frozen or advanced.
	Now func() time.Time

	mu     sync.Mutex
	cache  cache
	resets int // how often something was forgotten: a fetch begun before is not kept
	flight singleflight.Group
}

var (
	_ KeySource = (*Discovery)(nil)
	_ Renewer   = (*Discovery)(nil)
)

// asked is whose keys are wanted. An issuer that is known by its certificates is another one for every set
// of thumbprints: what one account trusts says nothing about another's.
type asked struct {
	issuer      string
	thumbprints []string
	pinned      bool
}

func pinned(issuer string, thumbprints []string) asked {
	sorted := slices.Clone(thumbprints)
	slices.Sort(sorted)
	return asked{issuer, slices.Compact(sorted), true}
}

func (a asked) key() string {
	if !a.pinned {
		return a.issuer
	}
	return a.issuer + "\x00" + strings.Join(a.thumbprints, ",")
}

// Published is what an issuer publishes, and who answered for it.
type Published struct {
	Keys    []PublicKey
	Skipped []string // keys that may not be used, and why
	Peers   []Peer   // of the configuration and of the key set; none when the Fetcher pins nothing
	Stale   error    // why these are older than they should be, nil when they are not
}

// Remarks are what a check of the keys should say of them, "" for nothing.
func (p Published) Remarks() string {
	var out []string
	if p.Stale != nil {
		out = append(out, "keys known before, as the issuer fails: "+evidence.ClipTo(p.Stale.Error(), 512))
	}
	for _, why := range p.Skipped[:min(len(p.Skipped), 5)] {
		out = append(out, "not used: "+evidence.ClipTo(why, 128))
	}
	return strings.Join(out, "; ")
}

// PublicKeys returns the issuer's keys.
func (d *Discovery) PublicKeys(ctx context.Context, issuer, kid string) ([]PublicKey, error) {
	got, err := d.get(ctx, asked{issuer: issuer}, kid)
	return got.Keys, err
}

// PinnedKeys returns the keys of an issuer that is also known by certificates, see PinningFetcher. A
// Fetcher that pins nothing knows by its authorities alone.
func (d *Discovery) PinnedKeys(ctx context.Context, issuer, kid string, thumbprints []string) (Published, error) {
	return d.get(ctx, pinned(issuer, thumbprints), kid)
}

// RenewedKeys implements Renewer.
func (d *Discovery) RenewedKeys(ctx context.Context, issuer string, failed []PublicKey) ([]PublicKey, bool) {
	got, renewed := d.again(ctx, asked{issuer: issuer}, failed)
	return got.Keys, renewed
}

// RenewedPinnedKeys is RenewedKeys for PinnedKeys.
func (d *Discovery) RenewedPinnedKeys(ctx context.Context, issuer string, failed []PublicKey, thumbprints []string) (Published, bool) {
	return d.again(ctx, pinned(issuer, thumbprints), failed)
}

// Remarks implements Renewer.
func (d *Discovery) Remarks(issuer string) string {
	known := d.known(asked{issuer: issuer})
	if known == nil {
		return ""
	}
	p := known.Published
	p.Stale = known.err
	return p.Remarks()
}

func (d *Discovery) get(ctx context.Context, a asked, kid string) (Published, error) {
	known, now := d.known(a), d.Now()
	extra := false
	switch {
	case known == nil:
	case known.resting(now):
		return d.answer(ctx, a, known, now)
	case known.fetchedAt.IsZero() || !within(now, known.fetchedAt, d.life(known)):
	case kid == "" || known.has(kid) || within(now, known.extraAt, cmp.Or(d.Refetch, DefaultRefetch)):
		return known.Published, nil
	default:
		extra = true
	}
	fresh, err := d.share(ctx, a, known, extra)
	if err != nil {
		return Published{}, err
	}
	return d.answer(ctx, a, fresh, d.Now())
}

// again gives the keys if they are others than failed, and reads them anew for that when it is time.
func (d *Discovery) again(ctx context.Context, a asked, failed []PublicKey) (Published, bool) {
	known, now := d.known(a), d.Now()
	switch {
	case known == nil:
		return Published{}, false
	case !same(known.Keys, failed): // somebody else was faster
		return known.Published, true
	case known.resting(now) || within(now, known.triedAt, cmp.Or(d.Refetch, DefaultRefetch)): // perhaps for this very token
		return Published{}, false
	}
	fresh, err := d.share(ctx, a, known, true)
	if err != nil || fresh.err != nil {
		return Published{}, false
	}
	return fresh.Published, !same(fresh.Keys, failed)
}

// same reports that two slices are one, as keys of one fetch are: what is published is never written to.
func same(a, b []PublicKey) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// answer gives the keys, or stale ones in place of a failure, but for an issuer that has become our own.
func (d *Discovery) answer(ctx context.Context, a asked, p *published, now time.Time) (Published, error) {
	if p.err != nil && (!within(now, p.fetchedAt, cmp.Or(d.Stale, DefaultStale)) || d.own(ctx, a)) {
		return Published{}, p.err
	}
	out := p.Published
	out.Stale = p.err
	return out, nil
}

// share reads the issuer's documents, or waits for who is doing so. Known is what the caller saw: who comes
// when it has been replaced already takes that. A caller that goes away must not fail those who wait for
// the same answer.
func (d *Discovery) share(ctx context.Context, a asked, known *published, extra bool) (*published, error) {
	d.mu.Lock()
	flight := strconv.Itoa(d.resets) + " " + a.key() // one that began before something was forgotten is not joined
	d.mu.Unlock()
	result := d.flight.DoChan(flight, func() (any, error) {
		if now := d.known(a); now != nil && now != known {
			return now, nil
		}
		return d.renew(context.WithoutCancel(ctx), a, extra), nil
	})
	select {
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable, "discover "+evidence.Clip(a.issuer), ctx.Err())
	case got := <-result:
		return got.Val.(*published), nil
	}
}

// renew reads the issuer's documents and keeps what came of it.
func (d *Discovery) renew(ctx context.Context, a asked, extra bool) *published {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(d.Timeout, DefaultTimeout))
	defer cancel()
	d.mu.Lock()
	resets := d.resets
	d.mu.Unlock()
	own := d.own(ctx, a) // before it is asked: it may be deleted meanwhile
	got, err := d.fetch(ctx, a)
	now := d.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh := &published{Published: got, fetchedAt: now, triedAt: now, own: own}
	before := d.cache.get(a.key())
	if before != nil {
		fresh.extraAt = before.extraAt
	}
	if extra {
		fresh.extraAt = now
	}
	if err != nil {
		fresh.fail(before, err, d.backOff())
	}
	if resets == d.resets {
		d.cache.put(a.key(), fresh, cmp.Or(d.MaxIssuers, DefaultMaxIssuers))
	}
	return fresh
}

func (d *Discovery) backOff() backOff {
	return backOff{cmp.Or(d.NegativeTTL, DefaultNegativeTTL), cmp.Or(d.MaxNegativeTTL, DefaultMaxNegativeTTL)}
}

func (d *Discovery) own(ctx context.Context, a asked) bool {
	return d.Own != nil && d.Own(ctx, a.issuer)
}

// life is how long keys serve without being asked for again.
func (d *Discovery) life(p *published) time.Duration {
	ttl := cmp.Or(d.TTL, DefaultTTL)
	if p.own {
		return min(ttl, cmp.Or(d.Refetch, DefaultRefetch))
	}
	return ttl
}

func (d *Discovery) known(a asked) *published {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cache.get(a.key())
}

// Forget forgets one issuer, whoever trusts it by which certificates: it has just been made, or is no more.
func (d *Discovery) Forget(issuer string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cache.drop(func(key string) bool { return key == issuer || strings.HasPrefix(key, issuer+"\x00") })
	d.resets++
}

// Reset forgets every issuer.
func (d *Discovery) Reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cache = cache{}
	d.resets++
}
