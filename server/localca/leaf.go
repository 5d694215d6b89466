package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/treatyfed/treaty/server/names"
)

// maxLeaves bounds the cache: regions and the regional authority make the names that are answered many.
const maxLeaves = 256

// Leaves issues a certificate for each name asked by SNI, and keeps those it issued.
type Leaves struct {
	Root *Root
	Own  []string               // host names and addresses of the server itself; loopback is always among them
	Now  func() time.Time       // the real clock: clients compare with theirs
	Also func(host string) bool // further names that are answered, the clouds' in twin mode; nil is none

	mu    sync.Mutex
	cache map[string]*tls.Certificate
	hosts map[string]*Root // for hosts that Root may not certify
}

// Certificate chooses or issues the certificate of a handshake; nil without an error, which the client sees
// as unrecognized_name, for a name that the server does not answer. A client that sends no name gets the
// certificate of the server's own names and addresses.
func (l *Leaves) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := names.Host(hello.ServerName)
	switch {
	case name == "" || l.own(name):
		name = ""
	case (l.Also == nil || !l.Also(name)) && !l.vouched(name):
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Now()
	if c, ok := l.cache[name]; ok && now.Add(leafLife/2).Before(c.Leaf.NotAfter) {
		return c, nil
	}
	c, err := l.issue(name, now)
	if err != nil {
		return nil, err
	}
	if l.cache == nil {
		l.cache = map[string]*tls.Certificate{}
	}
	if len(l.cache) >= maxLeaves {
		for victim := range l.cache { // any one: issuing costs 50 µs
			delete(l.cache, victim)
			break
		}
	}
	l.cache[name] = c
	return c, nil
}

func (l *Leaves) own(name string) bool {
	if name == "localhost" {
		return true
	}
	for _, o := range l.Own {
		if names.Host(o) == name {
			return true
		}
	}
	return false
}

// issue makes a leaf for name, or for the server's own names and addresses when it is "".
func (l *Leaves) issue(name string, now time.Time) (*tls.Certificate, error) {
	root, err := l.host(name, now)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), l.Root.rand)
	if err != nil {
		return nil, fmt.Errorf("make a key for %q: %w", name, err)
	}
	serial, err := serialNumber(l.Root.rand)
	if err != nil {
		return nil, err
	}
	id, err := keyID(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber:          serial,
		NotBefore:             later(now.Add(-backdate), root.Certificate.NotBefore),
		NotAfter:              now.Add(leafLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		SubjectKeyId:          id,
		AuthorityKeyId:        root.Certificate.SubjectKeyId,
	}
	l.name(t, name)
	der, err := x509.CreateCertificate(l.Root.rand, t, root.Certificate, &key.PublicKey, root.key)
	if err != nil {
		return nil, fmt.Errorf("certify %q: %w", name, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read back the certificate of %q: %w", name, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, root.Certificate.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// name fills in subject and alternative names.
func (l *Leaves) name(t *x509.Certificate, name string) {
	if name != "" {
		t.DNSNames = []string{name}
		if len(name) <= 64 { // ub-common-name, RFC 5280 appendix A.1
			t.Subject = pkix.Name{CommonName: name}
		}
		return
	}
	t.Subject = pkix.Name{CommonName: "localhost"}
	t.DNSNames = []string{"localhost"}
	t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	for _, o := range l.Own {
		o = names.Host(o)
		if a, err := netip.ParseAddr(o); err == nil {
			if ip := net.IP(a.Unmap().AsSlice()); !ip.Equal(t.IPAddresses[0]) && !ip.Equal(t.IPAddresses[1]) && !ip.IsUnspecified() {
				t.IPAddresses = append(t.IPAddresses, ip)
			}
		} else if o != "" && o != "localhost" {
			t.DNSNames = append(t.DNSNames, o)
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
