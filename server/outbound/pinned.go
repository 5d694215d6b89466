package outbound

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/server/inprocess"
)

var (
	_ token.Fetcher        = (*Client)(nil)
	_ token.PinningFetcher = (*Client)(nil)
)

// maxChain bounds the certificates of a peer that are looked at: real chains have two to four.
const maxChain = 10

// FetchPinned is Fetch for a peer whose certificate may be vouched for by one of these thumbprints in place
// of an authority. Its connections serve one call only: what one caller pins vouches for nobody else.
func (c *Client) FetchPinned(ctx context.Context, address string, thumbprints []string) ([]byte, token.Peer, error) {
	host := "" // as the address names it: a handshake does not tell of addresses
	if u, err := url.Parse(address); err == nil {
		host = u.Hostname()
	}
	peer := token.Peer{Host: host, Trusted: true} // until a handshake says otherwise: this process answers for its own hosts
	network := &http.Transport{
		DialContext:            c.dial,
		TLSHandshakeTimeout:    c.timeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			InsecureSkipVerify: true, // VerifyConnection verifies, by authorities first and then by thumbprint
			VerifyConnection: func(s tls.ConnectionState) error {
				var err error
				if peer, err = c.vouch(host, s.PeerCertificates, thumbprints); err != nil {
					return &token.UnknownPeer{Peer: peer, Err: err}
				}
				return nil
			},
		},
	}
	defer network.CloseIdleConnections()
	once := &http.Client{Transport: &inprocess.Transport{Handler: c.own, Next: network}, CheckRedirect: sameHost}
	b, err := c.fetch(ctx, once, address)
	return b, peer, err
}

// vouch looks for an authority, then for a thumbprint, that a peer's certificate leads to. A certificate
// that a thumbprint names takes an authority's place: the peer's own must be signed by it, or be it, and
// name the host and be in date all the same. That it lies in the chain proves nothing, as anyone can send it.
func (c *Client) vouch(host string, shown []*x509.Certificate, thumbprints []string) (token.Peer, error) {
	peer := token.Peer{Host: host}
	if len(shown) == 0 || host == "" {
		return peer, errors.New("it shows no certificate, or has no name")
	}
	shown = shown[:min(len(shown), maxChain)]
	options := x509.VerifyOptions{Roots: c.roots, DNSName: host, Intermediates: x509.NewCertPool(), CurrentTime: time.Now()}
	for i, cert := range shown {
		peer.Thumbprints = append(peer.Thumbprints, thumbprint(cert))
		if i > 0 {
			options.Intermediates.AddCert(cert)
		}
	}
	_, unknown := shown[0].Verify(options)
	if peer.Trusted = unknown == nil; peer.Trusted {
		return peer, nil
	}
	for i, cert := range shown {
		if !slices.Contains(thumbprints, peer.Thumbprints[i]) {
			continue
		}
		options.Roots = x509.NewCertPool()
		options.Roots.AddCert(cert)
		if _, err := shown[0].Verify(options); err == nil {
			peer.Pin = peer.Thumbprints[i]
			return peer, nil
		}
	}
	return peer, unknown
}

// thumbprint is how IAM names a certificate: the SHA-1 of its DER in hexadecimal (IAM user guide, "Obtain
// the thumbprint for an OpenID Connect identity provider").
func thumbprint(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return hex.EncodeToString(sum[:])
}
