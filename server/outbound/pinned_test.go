package outbound

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
)

// signed makes a certificate for 127.0.0.1, signed by another or by itself.
func signed(t *testing.T, template *x509.Certificate, by *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotBefore.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := template, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	out := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
	if by != nil {
		out.Certificate = append(out.Certificate, by.Certificate...)
	}
	return out
}

func authority() *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
}

func leaf() *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: "idp"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
}

func TestAThumbprintStandsInForAnAuthority(t *testing.T) {
	t.Parallel()
	ca, other := signed(t, authority(), nil), signed(t, authority(), nil)
	chained, alone := signed(t, leaf(), &ca), signed(t, leaf(), nil)
	appended := signed(t, leaf(), nil) // what anyone can send: another's certificate behind one's own
	appended.Certificate = append(appended.Certificate, ca.Leaf.Raw)
	elsewhere := leaf()
	elsewhere.IPAddresses, elsewhere.DNSNames = nil, []string{"elsewhere.example"}
	misnamed := signed(t, elsewhere, &ca)
	past := leaf()
	past.NotBefore, past.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	expired := signed(t, past, &ca)
	pool := x509.NewCertPool()
	pool.AddCert(ca.Leaf)
	pin := func(c tls.Certificate) []string { return []string{strings.Repeat("0", 40), thumbprint(c.Leaf)} }

	for name, c := range map[string]struct {
		shows tls.Certificate
		roots *x509.CertPool
		pins  []string
		want  string // "trusted", "pinned" or ""
	}{
		"an authority needs no thumbprint":            {chained, pool, nil, "trusted"},
		"an authority goes before a wrong thumbprint": {chained, pool, pin(other), "trusted"},
		"the certificate that signed is pinned":       {chained, x509.NewCertPool(), pin(ca), "pinned"},
		"its own certificate is pinned":               {alone, x509.NewCertPool(), pin(alone), "pinned"},
		"nothing is pinned":                           {chained, x509.NewCertPool(), nil, ""},
		"another certificate is pinned":               {chained, x509.NewCertPool(), pin(other), ""},
		"the pinned certificate is only sent along":   {appended, x509.NewCertPool(), pin(ca), ""},
		"the pinned authority signed for another":     {misnamed, x509.NewCertPool(), pin(ca), ""},
		"the pinned authority's word is out of date":  {expired, x509.NewCertPool(), pin(ca), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := false
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked = true
				_, _ = w.Write([]byte("{}"))
			}))
			s.TLS = &tls.Config{Certificates: []tls.Certificate{c.shows}}
			s.StartTLS()
			defer s.Close()
			policy, err := NewPolicy([]string{"loopback"})
			if err != nil {
				t.Fatal(err)
			}
			client := New(policy, none, c.roots, time.Minute)
			defer client.Close()
			_, peer, err := client.FetchPinned(t.Context(), s.URL+"/doc", c.pins)
			var unknown *token.UnknownPeer
			switch {
			case c.want == "" && (!errors.As(err, &unknown) || !errors.Is(err, fault.Unavailable) || asked):
				t.Errorf("%v, asked %v", err, asked)
			case c.want == "" && (len(unknown.Peer.Thumbprints) == 0 || unknown.Peer.Thumbprints[0] != thumbprint(c.shows.Leaf)):
				t.Errorf("evidence %+v", unknown.Peer)
			case c.want != "" && (err != nil || peer.Trusted != (c.want == "trusted") || (peer.Pin != "") != (c.want == "pinned")):
				t.Errorf("%+v, %v", peer, err)
			}
			if c.want == "pinned" {
				if _, err := client.Fetch(t.Context(), s.URL+"/doc"); err == nil {
					t.Error("a peer that one call pinned is known to every other")
				}
			}
		})
	}
}

func TestPinnedFetchesKeepToTheLimitsToo(t *testing.T) {
	t.Parallel()
	s, roots := issuer(t)
	policy, err := NewPolicy([]string{"loopback"})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/here": "", "/away": "another host", "/big": "larger than", "/slow": late} {
		patience := time.Minute
		if want == late {
			patience = 300 * time.Millisecond
		}
		_, _, err := New(policy, none, roots, patience).FetchPinned(t.Context(), s.URL+path, nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", path, err)
		}
	}
	closed, err := NewPolicy(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := New(closed, none, roots, time.Minute).FetchPinned(t.Context(), s.URL+"/doc", nil); err == nil || !strings.Contains(err.Error(), "outbound.allow") {
		t.Errorf("a refused address: %v", err)
	}
	own := func(*url.URL) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ours")) })
	}
	if b, peer, err := New(closed, own, nil, time.Minute).FetchPinned(t.Context(), "https://ours.example/doc", nil); err != nil || string(b) != "ours" || !peer.Trusted {
		t.Errorf("%q, %+v, %v", b, peer, err)
	}
}
