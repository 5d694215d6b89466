// Package outbound is the server's one way out: it fetches the documents of issuers that somebody trusts.
//
// It owns the limits (time, size, redirects) and the address policy, which looks at the address dialled,
// after name resolution, so that a name cannot lead into the machine's own network. Documents of the
// server's own issuers are read in process. Which issuer may be asked at all is the caller's decision.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/server/inprocess"
	"github.com/treatyfed/treaty/server/names"
)

// Limits of one document, as it is when it has been unpacked.
const (
	maxDocument    = 512 << 10 // the largest JWKS known (several x5c chains) stays under 64 KiB
	maxRedirects   = 3
	DefaultTimeout = 5 * time.Second
)

// Policy says which addresses may be reached.
type Policy struct {
	hosts    map[string]bool
	prefixes []netip.Prefix
	// Refused says why a host name may not be asked, "" when it may; nil refuses none.
	Refused func(host string) string
}

// private are the ranges that are refused unless allowed: the IANA special-purpose registries (RFC 6890
// and successors), where a server finds itself or its own network.
var private = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3", "::/128", "64:ff9b::/96", "64:ff9b:1::/48", "fc00::/7", "fe80::/10", "ff00::/8",
	"2002::/16", "2001::/32", "168.63.129.16/32", "192.88.99.0/24", "100::/64", "fec0::/10")

var loopback = prefixes("127.0.0.0/8", "::1/128")

// compatible is the oldest way to write an IPv4 address in IPv6 (RFC 4291 section 2.5.5.1, deprecated). It
// is apart because loopback lies within it.
var compatible = prefixes("::/96")

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// NewPolicy reads an allow list: CIDR ranges, addresses, host names, "loopback", "private".
func NewPolicy(allow []string) (*Policy, error) {
	p := &Policy{hosts: map[string]bool{}}
	for _, a := range allow {
		if a == "loopback" {
			p.prefixes = append(p.prefixes, loopback...)
			p.hosts["localhost"] = true
		} else if a == "private" {
			p.prefixes = append(p.prefixes, private...)
		} else if n, err := netip.ParsePrefix(a); err == nil {
			p.prefixes = append(p.prefixes, n.Masked())
		} else if addr, err := netip.ParseAddr(a); err == nil {
			p.prefixes = append(p.prefixes, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
		} else if strings.ContainsAny(a, " /:") || a == "" {
			return nil, fmt.Errorf("%q is no range, address or host name", a)
		} else {
			p.hosts[strings.ToLower(a)] = true
		}
	}
	return p, nil
}

// LoopbackHTTP reports whether http will do for loopback: an issuer on the machine itself has no certificate.
func (p *Policy) LoopbackHTTP() bool { return p.hosts["localhost"] }

// Admits reports whether an address may be dialled for a host name.
func (p *Policy) Admits(host string, a netip.Addr) bool {
	if p.hosts[strings.ToLower(host)] {
		return true
	}
	a = a.Unmap().WithZone("")
	if contains(p.prefixes, a) {
		return true
	}
	return !contains(private, a) && !contains(loopback, a) && !contains(compatible, a)
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, n := range list {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// Client fetches documents. It implements token.Fetcher and token.PinningFetcher.
type Client struct {
	http    *http.Client
	policy  *Policy
	own     func(u *url.URL) http.Handler
	roots   *x509.CertPool
	timeout time.Duration
}

// New makes a client. own gives the handler of an address that this server answers, nil for any other; roots
// may be nil for the system's.
func New(policy *Policy, own func(u *url.URL) http.Handler, roots *x509.CertPool, timeout time.Duration) *Client {
	c := &Client{policy: policy, own: own, roots: roots, timeout: timeout}
	network := &http.Transport{
		DialContext:            c.dial,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    timeout,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           16,
		MaxConnsPerHost:        8,
		IdleConnTimeout:        30 * time.Second,
	}
	c.http = &http.Client{
		Transport:     &inprocess.Transport{Handler: own, Next: network},
		CheckRedirect: sameHost,
	}
	return c
}

// LoopbackHTTP reports whether http will do for loopback.
func (c *Client) LoopbackHTTP() bool { return c.policy.LoopbackHTTP() }

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Fetch gets an https document of at most 512 KiB; every failure is fault.Unavailable.
func (c *Client) Fetch(ctx context.Context, address string) ([]byte, error) {
	return c.fetch(ctx, c.http, address)
}

func (c *Client) fetch(ctx context.Context, by *http.Client, address string) ([]byte, error) {
	op := "fetch " + address
	u, err := url.Parse(address)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, op, err)
	}
	plain := u.Scheme == "http" && c.policy.LoopbackHTTP() && names.Loopback(u.Host)
	if u.Scheme != "https" && !plain || u.Host == "" || u.User != nil {
		return nil, fault.New(fault.Unavailable, op, "only https addresses without credentials are fetched, and http ones on loopback where outbound.allow has loopback")
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, op, err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "treaty")
	resp, err := by.Do(r)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, op, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		err := errors.New("the answer is " + strings.ToValidUTF8(resp.Status, "?"))
		if after := retryAfter(resp.Header.Get("Retry-After"), time.Now()); after > 0 {
			err = &token.NotNow{After: after, Err: err}
		}
		return nil, fault.Wrap(fault.Unavailable, op, err)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err == nil {
		// A server that was waiting for nothing else answers the end of the connection, and that answer can
		// still arrive: too late is too late.
		err = ctx.Err()
	}
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, op, err)
	}
	if len(b) > maxDocument {
		return nil, fault.New(fault.Unavailable, op, "the document is larger than 512 KiB")
	}
	return b, nil
}

// retryAfter reads the field of this name: seconds or a date (RFC 9110 section 10.2.3). 0 is what cannot be
// read or has passed.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}

func sameHost(r *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if first := via[0].URL; r.URL.Scheme != first.Scheme || !strings.EqualFold(r.URL.Host, first.Host) {
		return fmt.Errorf("%s redirects to %s, another host", first.Host, r.URL.Host)
	}
	return nil
}

// dial connects, and refuses by the address that a name resolved to.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if c.policy.Refused != nil {
		if why := c.policy.Refused(host); why != "" {
			return nil, errors.New(why)
		}
	}
	d := net.Dialer{Timeout: c.timeout, ControlContext: func(_ context.Context, _, resolved string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(resolved)
		if err != nil {
			return err
		}
		if !c.policy.Admits(host, a.Addr()) {
			return fmt.Errorf("%s is at %s, an address that the server may not reach: outbound.allow in the configuration can admit it", host, a.Addr())
		}
		return nil
	}}
	return d.DialContext(ctx, network, address)
}

// Roots are the system's authorities and those of a PEM file; nil, for the system's alone, without a file.
func Roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read outbound.ca: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's authorities: %w", err)
	}
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("outbound.ca: %s holds no certificate", file)
	}
	return pool, nil
}
