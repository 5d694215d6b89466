package localca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/server/names"
)

// covers reports whether the root may certify a name.
func (r *Root) covers(name string) bool {
	return slices.ContainsFunc(r.Certificate.PermittedDNSDomains, func(d string) bool {
		return name == d || strings.HasSuffix(name, "."+d)
	})
}

// topLevel reports whether a name has one label: a root for it would be one for all the names below it.
func topLevel(name string) bool { return !strings.Contains(name, ".") }

// forHost makes a root of the same key that may certify one host and what is below it. It has a name of its
// own, by which clients tell it from the others; a hash, because names end at 64 characters and hosts do not.
func (r *Root) forHost(host string, now time.Time) (*Root, error) {
	if topLevel(host) {
		return nil, fmt.Errorf("%q is a top-level name, which no local authority is for", host)
	}
	sum := sha256.Sum256([]byte(host))
	c, err := sign(r.key, fmt.Sprintf("%s host %x", r.Certificate.Subject.CommonName, sum[:8]), []string{host}, nil, now, r.rand)
	if err != nil {
		return nil, err
	}
	return &Root{Certificate: c, key: r.key, rand: r.rand}, nil
}

// Vouch lets the authority certify hosts that its root may not, by a root of their own for each: whoever
// trusts the roots trusts them for these hosts and no others. It reports whether there is a new root. What
// no certificate is chosen for by name is overlooked: addresses and loopback.
func (l *Leaves) Vouch(hosts ...string) (fresh bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, host := range hosts {
		host = names.Host(host)
		if _, addr := netip.ParseAddr(host); addr == nil || host == "" || names.Loopback(host) || l.hosts[host] != nil || l.Root.covers(host) {
			continue
		}
		if _, err := l.host(host, l.Now()); err != nil {
			return fresh, err
		}
		fresh = true
	}
	return fresh, nil
}

// host gives the root for a name, which is made when there is none. The caller holds the lock.
func (l *Leaves) host(name string, now time.Time) (*Root, error) {
	if name == "" || l.Root.covers(name) {
		return l.Root, nil
	}
	if r := l.hosts[name]; r != nil {
		return r, nil
	}
	r, err := l.Root.forHost(name, now)
	if err != nil {
		return nil, err
	}
	if l.hosts == nil {
		l.hosts = map[string]*Root{}
	}
	l.hosts[name] = r
	return r, nil
}

// vouched reports whether there is a root for the host alone.
func (l *Leaves) vouched(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hosts[name] != nil
}

// Adopt takes over, of the roots that PEM gave once, those for the hosts that are still wanted, so that
// clients which read them go on.
func (l *Leaves) Adopt(kept []byte, hosts []string) {
	wanted := map[string]bool{}
	for _, h := range hosts {
		wanted[names.Host(h)] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		var block *pem.Block
		if block, kept = pem.Decode(kept); block == nil {
			return
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || len(c.PermittedDNSDomains) != 1 {
			continue
		}
		host := c.PermittedDNSDomains[0]
		if key, is := c.PublicKey.(*ecdsa.PublicKey); !is || !l.Root.key.PublicKey.Equal(key) || !wanted[host] || topLevel(host) || l.Now().Add(leafLife).After(c.NotAfter) {
			continue
		}
		if l.hosts == nil {
			l.hosts = map[string]*Root{}
		}
		l.hosts[host] = &Root{Certificate: c, key: l.Root.key, rand: l.Root.rand}
	}
}

// PEM gives all roots as PEM blocks, the authority's own first.
func (l *Leaves) PEM() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b bytes.Buffer
	b.Write(l.Root.PEM())
	for _, host := range slices.Sorted(maps.Keys(l.hosts)) {
		fmt.Fprintf(&b, "# %s\n", host)
		b.Write(l.hosts[host].PEM())
	}
	return b.Bytes()
}
