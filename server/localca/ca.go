// Package localca is the certificate authority of one data folder: an ECDSA P-256 root and leaf
// certificates made on demand for the names that the server answers.
//
// It owns both kinds of certificate and the choice by SNI. The root carries critical name constraints: it
// can certify the clouds' domains, loopback and the server's own names, and nothing else, so that a client
// that trusts it does not trust it for the rest of the world. A host besides, such as that of an issuer that
// a twin serves, has a root for itself. Keeping the roots is the data folder's task; which names are answered
// is the caller's.
package localca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/server/names"
)

// Lifetimes. Clients compare with their own clock, so both begin a day early; 825 days is the longest leaf
// that Apple's clients take, and leaves are renewed long before they end.
const (
	rootLife = 10 * 365 * 24 * time.Hour
	leafLife = 30 * 24 * time.Hour
	backdate = 24 * time.Hour
)

// Root is the authority: its certificate and key.
type Root struct {
	Certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	rand        io.Reader
}

// New makes a root that may certify the clouds' domains, loopback, and own: host names or IP addresses
// under which the server itself is reached.
func New(own []string, now time.Time, rand io.Reader) (*Root, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand)
	if err != nil {
		return nil, fmt.Errorf("make the local authority's key: %w", err)
	}
	id, err := keyID(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	domains, ranges := permitted(own)
	cert, err := sign(key, fmt.Sprintf("Treaty local authority %x", id[:4]), domains, ranges, now, rand)
	if err != nil {
		return nil, err
	}
	return &Root{Certificate: cert, key: key, rand: rand}, nil
}

// sign makes the certificate of a root.
func sign(key *ecdsa.PrivateKey, name string, domains []string, ranges []*net.IPNet, now time.Time, rand io.Reader) (*x509.Certificate, error) {
	serial, err := serialNumber(rand)
	if err != nil {
		return nil, err
	}
	id, err := keyID(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber:                serial,
		Subject:                     pkix.Name{CommonName: name, Organization: []string{"Treaty"}},
		NotBefore:                   now.Add(-backdate),
		NotAfter:                    now.Add(rootLife),
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid:       true,
		IsCA:                        true,
		MaxPathLenZero:              true,
		SubjectKeyId:                id,
		AuthorityKeyId:              id,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         domains,
		PermittedIPRanges:           ranges,
	}
	der, err := x509.CreateCertificate(rand, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("sign the local authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read back the local authority: %w", err)
	}
	return cert, nil
}

// Load reads a root from its DER certificate and PKCS #8 key.
func Load(certificate, key []byte, rand io.Reader) (*Root, error) {
	cert, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("read the local authority's certificate: %w", err)
	}
	k, err := x509.ParsePKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("read the local authority's key: %w", err)
	}
	ec, ok := k.(*ecdsa.PrivateKey)
	if !ok || !ec.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("the local authority's key is not its certificate's")
	}
	return &Root{Certificate: cert, key: ec, rand: rand}, nil
}

// Private gives the key as PKCS #8 DER, for safe keeping.
func (r *Root) Private() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(r.key) }

// PEM gives the certificate as a PEM block.
func (r *Root) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate.Raw})
}

// Pool gives a pool that trusts this authority alone.
func (r *Root) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(r.Certificate)
	return p
}

// Fits reports whether the root is still good for a month at now and may certify every name of own.
func (r *Root) Fits(own []string, now time.Time) bool {
	if now.Before(r.Certificate.NotBefore) || now.Add(leafLife).After(r.Certificate.NotAfter) {
		return false
	}
	domains, ranges := permitted(own)
	for _, d := range domains {
		if !slices.Contains(r.Certificate.PermittedDNSDomains, d) {
			return false
		}
	}
	for _, n := range ranges {
		if !slices.ContainsFunc(r.Certificate.PermittedIPRanges, func(p *net.IPNet) bool { return p.String() == n.String() }) {
			return false
		}
	}
	return true
}

// permitted gives the name constraints for the clouds, loopback and own.
func permitted(own []string) (domains []string, ranges []*net.IPNet) {
	domains = append(names.Families(), "localhost")
	ranges = []*net.IPNet{
		{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
		{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
	}
	for _, o := range own {
		if names.Loopback(o) {
			continue
		}
		if a, err := netip.ParseAddr(o); err == nil {
			a = a.Unmap()
			ranges = append(ranges, &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())})
		} else if o != "" {
			domains = append(domains, strings.ToLower(o))
		}
	}
	return domains, ranges
}

// serialNumber gives 127 random bits: positive and under the 20 octets of RFC 5280 section 4.1.2.2.
func serialNumber(rand io.Reader) (*big.Int, error) {
	var b [16]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	b[0] &= 0x7f
	b[15] |= 1
	return new(big.Int).SetBytes(b[:]), nil
}

// keyID is the subject key identifier of RFC 5280 section 4.2.1.2 method (1): a name, not a safeguard.
func keyID(pub crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("encode a public key: %w", err)
	}
	sum := sha1.Sum(der)
	return sum[:], nil
}
