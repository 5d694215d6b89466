package token

import (
	"cmp"
	"context"
	"net/netip"
	"net/url"
	"slices"
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
	Fetcher Fetcher
	// Parse reads a key set: the keys that may be used, and why others may not. nil is jose.ParseKeySet.
	Parse        func(doc []byte) (keys []PublicKey, skipped []string, err error)
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
	issuers map[string]*published // by asked.key
	resets  int                   // how often all was forgotten: a fetch begun before is not kept
	flight  singleflight.Group
}

var _ KeySource = (*Discovery)(nil)

// asked is whose keys are wanted. An issuer that is known by its certificates is another one for every set
// of thumbprints: what one account trusts says nothing about another's.
type asked struct {
	issuer      string
	thumbprints []string
	pinned      bool
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
}

// published is what we know of an issuer's keys. It is replaced, never written to.
type published struct {
	Published
	fetchedAt time.Time // of the keys; zero when there never were any
	triedAt   time.Time // of the last attempt
	forKid    time.Time // of the last attempt made for an unknown kid
	err       error     // of the last attempt
}

// PublicKeys returns the issuer's keys.
func (d *Discovery) PublicKeys(ctx context.Context, issuer, kid string) ([]PublicKey, error) {
	got, err := d.get(ctx, asked{issuer: issuer}, kid)
	return got.Keys, err
}

// PinnedKeys returns the keys of an issuer that is also known by certificates, see PinningFetcher. A
// Fetcher that pins nothing knows by its authorities alone.
func (d *Discovery) PinnedKeys(ctx context.Context, issuer, kid string, thumbprints []string) (Published, error) {
	sorted := slices.Clone(thumbprints)
	slices.Sort(sorted)
	return d.get(ctx, asked{issuer, slices.Compact(sorted), true}, kid)
}

func (d *Discovery) get(ctx context.Context, a asked, kid string) (Published, error) {
	d.mu.Lock()
	known := d.issuers[a.key()]
	d.mu.Unlock()
	now := d.Now()
	unknownKid := false
	switch {
	case known == nil:
	case known.err != nil && within(now, known.triedAt, cmp.Or(d.NegativeTTL, DefaultNegativeTTL)):
		return d.answer(known, now)
	case known.fetchedAt.IsZero() || !within(now, known.fetchedAt, cmp.Or(d.TTL, DefaultTTL)):
	case kid == "" || known.has(kid) || within(now, known.forKid, cmp.Or(d.Refetch, DefaultRefetch)):
		return known.Published, nil
	default:
		unknownKid = true
	}
	// A caller that goes away must not fail those who wait for the same answer.
	result := d.flight.DoChan(a.key(), func() (any, error) {
		return d.renew(context.WithoutCancel(ctx), a, unknownKid), nil
	})
	select {
	case <-ctx.Done():
		return Published{}, fault.Wrap(fault.Unavailable, "discover "+evidence.Clip(a.issuer), ctx.Err())
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
	for _, k := range p.Keys {
		if k.ID == kid {
			return true
		}
	}
	return false
}

// answer gives the keys, or stale ones in place of a failure.
func (d *Discovery) answer(p *published, now time.Time) (Published, error) {
	if p.err != nil && !within(now, p.fetchedAt, cmp.Or(d.Stale, DefaultStale)) {
		return Published{}, p.err
	}
	return p.Published, nil
}

func (d *Discovery) renew(ctx context.Context, a asked, forKid bool) *published {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(d.Timeout, DefaultTimeout))
	defer cancel()
	d.mu.Lock()
	resets := d.resets
	d.mu.Unlock()
	got, err := d.fetch(ctx, a)
	now := d.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh := &published{Published: got, fetchedAt: now, triedAt: now, err: err}
	if before := d.issuers[a.key()]; before != nil {
		fresh.forKid = before.forKid
		if err != nil {
			fresh.Published, fresh.fetchedAt = before.Published, before.fetchedAt
		}
	} else if err != nil {
		fresh.fetchedAt = time.Time{}
	}
	if forKid {
		fresh.forKid = now
	}
	if resets == d.resets {
		d.makeRoom(a.key())
		d.issuers[a.key()] = fresh
	}
	return fresh
}

// makeRoom drops the issuer that was tried longest ago when the cache is full.
func (d *Discovery) makeRoom(key string) {
	if d.issuers == nil {
		d.issuers = map[string]*published{}
	}
	if _, there := d.issuers[key]; there || len(d.issuers) < cmp.Or(d.MaxIssuers, DefaultMaxIssuers) {
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

func (d *Discovery) fetch(ctx context.Context, a asked) (Published, error) {
	issuer, out := a.issuer, Published{}
	fail := func(reason string, err error) (Published, error) {
		return Published{}, &fault.Fault{Kind: fault.Unavailable, Op: "discover " + evidence.Clip(issuer), Reason: reason, Err: err}
	}
	if why := d.refuse(issuer); why != "" {
		return fail("issuer: "+why, nil)
	}
	if strings.ContainsRune(issuer, '?') { // OpenID Connect Discovery 1.0 section 3: no query, no fragment
		return fail("issuer: it has a query", nil)
	}
	address := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	doc, err := d.document(ctx, a, address, &out)
	if err != nil {
		return fail("get "+address, err)
	}
	if len(doc) > maxDocument {
		return fail(address+" is too large", nil)
	}
	members, _, err := jose.Object(string(doc))
	if err != nil {
		return fail("read "+address, err)
	}
	config := Claims(members)
	if got := config.Text("issuer"); got != issuer {
		return fail("the document's issuer is "+evidence.Clip(got)+": "+evidence.Difference(issuer, got).String(), nil)
	}
	jwksURI := config.Text("jwks_uri")
	if why := d.refuse(jwksURI); why != "" {
		return fail("jwks_uri: "+why, nil)
	}
	if doc, err = d.document(ctx, a, jwksURI, &out); err != nil {
		return fail("get "+jwksURI, err)
	}
	parse := d.Parse
	if parse == nil {
		parse = parseKeys
	}
	if out.Keys, out.Skipped, err = parse(doc); err != nil {
		return fail("read "+jwksURI, err)
	}
	if len(out.Keys) == 0 {
		return fail(jwksURI+" has no usable key: "+evidence.Clip(strings.Join(out.Skipped, "; ")), nil)
	}
	return out, nil
}

// document gets one document, and notes who answered.
func (d *Discovery) document(ctx context.Context, a asked, address string, out *Published) ([]byte, error) {
	f, can := d.Fetcher.(PinningFetcher)
	if !can || !a.pinned {
		return d.Fetcher.Fetch(ctx, address)
	}
	doc, peer, err := f.FetchPinned(ctx, address, a.thumbprints)
	if err == nil {
		out.Peers = append(out.Peers, peer)
	}
	return doc, err
}

func parseKeys(doc []byte) (keys []PublicKey, skipped []string, err error) {
	set, err := jose.ParseKeySet(doc)
	if err != nil {
		return nil, nil, err
	}
	for _, k := range set.Keys {
		keys = append(keys, PublicKey(k))
	}
	return keys, set.Skipped, nil
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
