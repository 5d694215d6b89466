package token

import (
	"cmp"
	"context"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/jose"
)

// Defaults of a Discovery's zero fields. Microsoft asks verifiers to refetch at least every day and on an
// unknown kid ("Signing key rollover in the Microsoft identity platform"); AWS gives an issuer 5 seconds.
const (
	DefaultTTL         = time.Hour
	DefaultNegativeTTL = 5 * time.Second
	DefaultStale       = 24 * time.Hour
	DefaultRefetch     = 10 * time.Second
	DefaultTimeout     = 5 * time.Second
	DefaultMaxIssuers  = 1000

	maxIssuer   = 2048 // bytes of an issuer's name
	maxDocument = 256 << 10
)

// Discovery is a KeySource that reads an issuer's published documents (OpenID Connect Discovery 1.0
// section 4): {issuer without trailing slash}/.well-known/openid-configuration, whose issuer must be the
// one asked for to the byte, then its jwks_uri. Both must be https.
//
// Keys are cached by issuer; concurrent requests share one fetch; an unknown kid causes another at most
// every Refetch. When an issuer fails, keys up to Stale old go on to serve, and the failure is remembered
// for NegativeTTL. Failures are fault.Unavailable with the whole story in their text, which is for the
// evidence and never for the wire.
type Discovery struct {
	Fetcher      Fetcher
	LoopbackHTTP bool          // admit http for localhost and loopback addresses
	TTL          time.Duration // how long keys serve without being asked for again
	NegativeTTL  time.Duration
	Stale        time.Duration
	Refetch      time.Duration
	Timeout      time.Duration // for both documents together
	MaxIssuers   int
	// Now measures the age of what is cached. It is the machine's clock even where tokens are judged by
	// a clock that was frozen or advanced.
	Now func() time.Time

	mu      sync.Mutex
	issuers map[string]*published
	resets  int // how often all was forgotten: a fetch begun before is not kept
	flight  singleflight.Group
}

var _ KeySource = (*Discovery)(nil)

// published is what we know of an issuer's keys. It is replaced, never written to.
type published struct {
	keys      []PublicKey
	fetchedAt time.Time // of keys; zero when there never were any
	triedAt   time.Time // of the last attempt
	forKid    time.Time // of the last attempt made for an unknown kid
	err       error     // of the last attempt
}

// PublicKeys returns the issuer's keys.
func (d *Discovery) PublicKeys(ctx context.Context, issuer, kid string) ([]PublicKey, error) {
	d.mu.Lock()
	known := d.issuers[issuer]
	d.mu.Unlock()
	now := d.Now()
	unknownKid := false
	switch {
	case known == nil:
	case known.err != nil && within(now, known.triedAt, cmp.Or(d.NegativeTTL, DefaultNegativeTTL)):
		return d.answer(known, now)
	case known.fetchedAt.IsZero() || !within(now, known.fetchedAt, cmp.Or(d.TTL, DefaultTTL)):
	case kid == "" || known.has(kid) || within(now, known.forKid, cmp.Or(d.Refetch, DefaultRefetch)):
		return known.keys, nil
	default:
		unknownKid = true
	}
	// A caller that goes away must not fail those who wait for the same answer.
	result := d.flight.DoChan(issuer, func() (any, error) {
		return d.renew(context.WithoutCancel(ctx), issuer, unknownKid), nil
	})
	select {
	case <-ctx.Done():
		return nil, fault.Wrap(fault.Unavailable, "discover "+evidence.Clip(issuer), ctx.Err())
	case got := <-result:
		return d.answer(got.Val.(*published), d.Now())
	}
}

// Reset forgets every issuer.
func (d *Discovery) Reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.issuers = nil
	d.resets++
}

// within reports that at lies in the past of now, less than span ago. A clock that was set back makes
// everything old.
func within(now, at time.Time, span time.Duration) bool {
	age := now.Sub(at)
	return age >= 0 && age < span
}

func (p *published) has(kid string) bool {
	for _, k := range p.keys {
		if k.ID == kid {
			return true
		}
	}
	return false
}

// answer gives the keys, or stale ones in place of a failure.
func (d *Discovery) answer(p *published, now time.Time) ([]PublicKey, error) {
	if p.err != nil && !within(now, p.fetchedAt, cmp.Or(d.Stale, DefaultStale)) {
		return nil, p.err
	}
	return p.keys, nil
}

func (d *Discovery) renew(ctx context.Context, issuer string, forKid bool) *published {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(d.Timeout, DefaultTimeout))
	defer cancel()
	d.mu.Lock()
	resets := d.resets
	d.mu.Unlock()
	keys, err := d.fetch(ctx, issuer)
	now := d.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh := &published{keys: keys, fetchedAt: now, triedAt: now, err: err}
	if before := d.issuers[issuer]; before != nil {
		fresh.forKid = before.forKid
		if err != nil {
			fresh.keys, fresh.fetchedAt = before.keys, before.fetchedAt
		}
	} else if err != nil {
		fresh.fetchedAt = time.Time{}
	}
	if forKid {
		fresh.forKid = now
	}
	if resets == d.resets {
		d.makeRoom(issuer)
		d.issuers[issuer] = fresh
	}
	return fresh
}

// makeRoom drops the issuer that was tried longest ago when the cache is full.
func (d *Discovery) makeRoom(issuer string) {
	if d.issuers == nil {
		d.issuers = map[string]*published{}
	}
	if _, there := d.issuers[issuer]; there || len(d.issuers) < cmp.Or(d.MaxIssuers, DefaultMaxIssuers) {
		return
	}
	oldest := ""
	for name, p := range d.issuers {
		if oldest == "" || p.triedAt.Before(d.issuers[oldest].triedAt) {
			oldest = name
		}
	}
	delete(d.issuers, oldest)
}

func (d *Discovery) fetch(ctx context.Context, issuer string) ([]PublicKey, error) {
	fail := func(reason string, err error) error {
		return &fault.Fault{Kind: fault.Unavailable, Op: "discover " + evidence.Clip(issuer), Reason: reason, Err: err}
	}
	if why := d.refuse(issuer); why != "" {
		return nil, fail("issuer: "+why, nil)
	}
	if strings.ContainsRune(issuer, '?') { // OpenID Connect Discovery 1.0 section 3: no query, no fragment
		return nil, fail("issuer: it has a query", nil)
	}
	address := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	doc, err := d.Fetcher.Fetch(ctx, address)
	if err != nil {
		return nil, fail("get "+address, err)
	}
	if len(doc) > maxDocument {
		return nil, fail(address+" is too large", nil)
	}
	members, _, err := jose.Object(string(doc))
	if err != nil {
		return nil, fail("read "+address, err)
	}
	config := Claims(members)
	if got := config.Text("issuer"); got != issuer {
		return nil, fail("the document's issuer is "+evidence.Clip(got)+": "+evidence.Difference(issuer, got).String(), nil)
	}
	jwksURI := config.Text("jwks_uri")
	if why := d.refuse(jwksURI); why != "" {
		return nil, fail("jwks_uri: "+why, nil)
	}
	if doc, err = d.Fetcher.Fetch(ctx, jwksURI); err != nil {
		return nil, fail("get "+jwksURI, err)
	}
	set, err := jose.ParseKeySet(doc)
	if err != nil {
		return nil, fail("read "+jwksURI, err)
	}
	if len(set.Keys) == 0 {
		return nil, fail(jwksURI+" has no usable key: "+evidence.Clip(strings.Join(set.Skipped, "; ")), nil)
	}
	keys := make([]PublicKey, len(set.Keys))
	for i, k := range set.Keys {
		keys[i] = PublicKey(k)
	}
	return keys, nil
}

// refuse says why an address of an issuer may not be asked, "" when it may.
func (d *Discovery) refuse(address string) string {
	if len(address) > maxIssuer {
		return "it is longer than 2048 bytes"
	}
	u, err := url.Parse(address)
	switch {
	case address == "":
		return "it is missing"
	case err != nil:
		return "it is not a URL"
	case u.Host == "" || u.User != nil || u.Fragment != "":
		return "it is not a plain URL with a host"
	case u.Scheme == "https":
		return ""
	case u.Scheme == "http" && loopback(u.Hostname()):
		if d.LoopbackHTTP {
			return ""
		}
		return "http is not admitted for loopback addresses"
	}
	return "it is not https"
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761 section 6.3
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
