package outbound

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/fault"
)

func TestThePolicyRefusesOwnNetworksUnlessAllowed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		allow []string
		host  string
		addr  string
		want  bool
	}{
		{"the internet is open", nil, "idp.example", "93.184.216.34", true},
		{"the internet is open over IPv6", nil, "idp.example", "2606:2800:220:1::1", true},
		{"loopback is not", nil, "idp.example", "127.0.0.1", false},
		{"loopback in IPv6 clothes is not", nil, "idp.example", "::ffff:127.0.0.1", false},
		{"private is not", nil, "idp.example", "10.1.2.3", false},
		{"metadata is not", nil, "idp.example", "169.254.169.254", false},
		{"carrier NAT is not", nil, "idp.example", "100.64.0.1", false},
		{"unique local is not", nil, "idp.example", "fd00::1", false},
		{"a zone does not help", nil, "idp.example", "fe80::1%eth0", false},
		{"NAT64 of a private address is not", nil, "idp.example", "64:ff9b::a00:1", false},
		{"loopback in the oldest IPv6 clothes is not", nil, "idp.example", "::127.0.0.1", false},
		{"site local is not", nil, "idp.example", "fec0::1", false},
		{"6to4 of a private address is not", nil, "idp.example", "2002:a00:1::1", false},
		{"private as a word is not loopback, in IPv6", []string{"private"}, "x", "::1", false},
		{"the unspecified address is not", nil, "idp.example", "0.0.0.0", false},
		{"a range allows", []string{"10.0.0.0/8"}, "idp.example", "10.1.2.3", true},
		{"a range allows no other", []string{"10.0.0.0/8"}, "idp.example", "192.168.0.1", false},
		{"an address allows", []string{"127.0.0.1"}, "idp.example", "127.0.0.1", true},
		{"a host name allows its own", []string{"IdP.example"}, "idp.example", "10.0.0.1", true},
		{"a host name allows no other", []string{"idp.example"}, "evil.example", "10.0.0.1", false},
		{"loopback as a word", []string{"loopback"}, "x", "::1", true},
		{"private as a word is not loopback", []string{"private"}, "x", "127.0.0.1", false},
		{"private as a word", []string{"private"}, "x", "192.168.1.1", true},
	} {
		p, err := NewPolicy(c.allow)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Admits(c.host, netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func issuer(t *testing.T) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/doc", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"ok":true}`)) })
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/doc", http.StatusFound) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example/doc", http.StatusFound)
	})
	mux.HandleFunc("/clear", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/doc", http.StatusFound)
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxDocument+1)) })
	mux.HandleFunc("/packed", packed([]byte(`{"ok":true}`)))
	mux.HandleFunc("/bomb", packed(make([]byte, 2*maxDocument)))
	mux.HandleFunc("/hop/{n}", func(w http.ResponseWriter, r *http.Request) {
		next := "/doc"
		if n := r.PathValue("n"); n > "1" {
			next = "/hop/" + string(n[0]-1)
		}
		http.Redirect(w, r, next, http.StatusFound)
	})
	mux.HandleFunc("/drip", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte(" "))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s, pool
}

func none(*url.URL) http.Handler { return nil }

// late is what is said of a document that takes too long.
const late = "deadline exceeded"

// packed answers with a document in gzip, whatever the client asked for.
func packed(doc []byte) http.HandlerFunc {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(doc) // into memory
	_ = z.Close()
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(b.Bytes())
	}
}

func TestFetchKeepsToItsLimits(t *testing.T) {
	t.Parallel()
	s, roots := issuer(t)
	policy, err := NewPolicy([]string{"loopback"})
	if err != nil {
		t.Fatal(err)
	}
	patient, hasty := New(policy, none, roots, time.Minute), New(policy, none, roots, 300*time.Millisecond)
	defer patient.Close()
	defer hasty.Close()
	for path, want := range map[string]string{
		"/doc": "", "/here": "", "/packed": "", "/hop/3": "", "/hop/4": "more than 3 redirects",
		"/bomb": "larger than", "/drip": late, "/empty": "204", "/busy": "503 Service Unavailable, and asks to be left alone for 2m0s",
		"/away": "another host", "/clear": "another host", "/loop": "more than 3 redirects", "/big": "larger than",
		"/slow": late, "/none": "404",
	} {
		c := patient
		if want == late {
			c = hasty
		}
		b, err := c.Fetch(t.Context(), s.URL+path)
		if want == "" {
			if err != nil || string(b) != `{"ok":true}` {
				t.Errorf("%s: %q, %v", path, b, err)
			}
			continue
		}
		if !errors.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	for _, address := range []string{"http://example.com/x", "https://user:pw@example.com/x", "file:///etc/passwd", "://", "https:///x"} {
		if _, err := patient.Fetch(t.Context(), address); !errors.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestFetchRefusesByTheAddressDialled(t *testing.T) {
	t.Parallel()
	s, roots := issuer(t)
	policy, err := NewPolicy(nil)
	if err != nil {
		t.Fatal(err)
	}
	policy.Refused = func(host string) string {
		if host == "ec2.us-east-1.amazonaws.com" {
			return "not served here"
		}
		return ""
	}
	c := New(policy, none, roots, time.Minute)
	defer c.Close()
	if _, err := c.Fetch(t.Context(), s.URL+"/doc"); err == nil || !strings.Contains(err.Error(), "outbound.allow") {
		t.Errorf("a loopback issuer: %v", err)
	}
	if _, err := c.Fetch(t.Context(), "https://ec2.us-east-1.amazonaws.com/doc"); err == nil || !strings.Contains(err.Error(), "not served here") {
		t.Errorf("a refused host: %v", err)
	}
}

func TestOwnIssuersAreReadInProcess(t *testing.T) {
	t.Parallel()
	policy, err := NewPolicy(nil)
	if err != nil {
		t.Fatal(err)
	}
	own := func(u *url.URL) http.Handler {
		if u.Host != "cognito-identity.amazonaws.com" {
			return nil
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Host + r.URL.Path)) })
	}
	c := New(policy, own, nil, time.Minute)
	b, err := c.Fetch(context.Background(), "https://cognito-identity.amazonaws.com/.well-known/openid-configuration")
	if err != nil || string(b) != "cognito-identity.amazonaws.com/.well-known/openid-configuration" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestRetryAfterIsReadAsSecondsOrADate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "30": 30 * time.Second, "-1": 0, "1.5": 0, "soon": 0, "99999999999999999999": 0, "4294967295": 0,
		"Sat, 21 Nov 2026 12:00:20 GMT": 20 * time.Second, "Sat, 21 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"120", "Sat, 21 Nov 2026 12:00:20 GMT", "Saturday, 21-Nov-26 12:00:20 GMT", "Sat Nov 21 12:00:20 2026"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if got := retryAfter(value, time.Unix(0, 0)); got < 0 {
			t.Errorf("%q: %s", value, got)
		}
	})
}
