package localca

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/server/names"
)

func leaves(t *testing.T, own ...string) *Leaves {
	t.Helper()
	root, err := New(own, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &Leaves{Root: root, Own: own, Now: time.Now, Also: func(h string) bool { return names.Of(h) != names.None }}
}

func certificate(t *testing.T, l *Leaves, sni string) *tls.Certificate {
	t.Helper()
	c, err := l.Certificate(&tls.ClientHelloInfo{ServerName: sni})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLeavesVerifyForTheNamesAsked(t *testing.T) {
	t.Parallel()
	l := leaves(t, "treaty.internal", "192.0.2.7")
	for sni, host := range map[string]string{
		"login.microsoftonline.com":                login(),
		"cognito-identity.eu-west-1.amazonaws.com": "cognito-identity.eu-west-1.amazonaws.com",
		"":                "127.0.0.1",
		"localhost":       "localhost",
		"treaty.internal": "treaty.internal",
		"TREATY.internal": "192.0.2.7",
	} {
		c := certificate(t, l, sni)
		if c == nil {
			t.Errorf("no certificate for %q", sni)
			continue
		}
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: l.Root.Pool(), DNSName: host}); err != nil {
			t.Errorf("%q verified as %s: %v", sni, host, err)
		}
	}
}

func login() string { return "login.microsoftonline.com" }

func TestNamesThatAreNotAnsweredGetNoCertificate(t *testing.T) {
	t.Parallel()
	l := leaves(t)
	for _, sni := range []string{"example.com", "ec2.us-east-1.amazonaws.com", "login.microsoftonline.com.evil.example"} {
		if c := certificate(t, l, sni); c != nil {
			t.Errorf("%s got a certificate for %v", sni, c.Leaf.DNSNames)
		}
	}
}

func TestTheRootCannotCertifyTheRestOfTheWorld(t *testing.T) {
	t.Parallel()
	l := leaves(t)
	l.Also = func(string) bool { return true }
	for _, name := range []string{"bank.example", "github.com"} {
		c := certificate(t, l, name)
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: l.Root.Pool(), DNSName: name}); err == nil {
			t.Errorf("a certificate for %s verified", name)
		}
	}
}

func TestTheCacheIsKeptAndBounded(t *testing.T) {
	t.Parallel()
	l := leaves(t)
	now := time.Now()
	l.Now = func() time.Time { return now }
	first := certificate(t, l, login())
	if certificate(t, l, login()) != first {
		t.Error("a second handshake got another certificate")
	}
	now = now.Add(leafLife/2 + time.Hour)
	if certificate(t, l, login()) == first {
		t.Error("a certificate past half of its life was not renewed")
	}
	l.Also = func(string) bool { return true }
	for i := range 2 * maxLeaves {
		certificate(t, l, strings.Repeat("a", i%60+1)+string(rune('a'+i/60))+".amazonaws.com")
	}
	if len(l.cache) > maxLeaves {
		t.Errorf("%d certificates are kept, more than %d", len(l.cache), maxLeaves)
	}
}

func TestARootIsLoadedAgain(t *testing.T) {
	t.Parallel()
	r, err := New([]string{"id.example.org"}, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := r.Private()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(r.Certificate.Raw, der, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Fits([]string{"id.example.org", "127.0.0.1"}, time.Now()) {
		t.Error("the loaded root does not fit the names it was made for")
	}
	if again.Fits([]string{"other.example.org"}, time.Now()) || again.Fits(nil, time.Now().Add(rootLife)) {
		t.Error("a root fits a name or a time that it was not made for")
	}
	other, err := New(nil, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(other.Certificate.Raw, der, rand.Reader); err == nil {
		t.Error("a key was taken for another root's certificate")
	}
}

// OpenSSL is what Python, Node's peers and curl verify with: it is stricter than Go in places.
func TestOpenSSLVerifiesStrictly(t *testing.T) {
	t.Parallel()
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	l := leaves(t, "id.example.org")
	dir := t.TempDir()
	ca, leaf := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "leaf.der")
	if err := os.WriteFile(ca, l.Root.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	for sni, check := range map[string][]string{
		login(): {"-verify_hostname", login()},
		"":      {"-verify_ip", net.IPv4(127, 0, 0, 1).String()},
	} {
		if err := os.WriteFile(leaf, certificate(t, l, sni).Leaf.Raw, 0o600); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", ca}, check...)
		if out, err := exec.Command(openssl, append(args, leaf)...).CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", sni, err, out)
		}
	}
}

// Hosts that the root may not certify get roots of their own, which are good for them alone, and outlive the
// server in what PEM gives.
func TestAHostThatIsVouchedForHasARootOfItsOwn(t *testing.T) {
	t.Parallel()
	l := leaves(t)
	const host = "acme.okta.com"
	if fresh, err := l.Vouch(host+":443", "10.0.0.1", "a.localhost", "sts.amazonaws.com"); !fresh || err != nil {
		t.Fatal(fresh, err)
	}
	if fresh, err := l.Vouch(host); fresh || err != nil {
		t.Fatal("made twice: ", fresh, err)
	}
	kept := l.PEM()
	if n := strings.Count(string(kept), "BEGIN CERTIFICATE"); n != 2 {
		t.Fatalf("%d roots", n)
	}
	trusting := x509.NewCertPool()
	trusting.AppendCertsFromPEM(kept)
	verifies := func(l *Leaves, sni string) error {
		t.Helper()
		c := certificate(t, l, sni)
		if c == nil {
			t.Fatalf("no certificate for %s", sni)
		}
		_, err := c.Leaf.Verify(x509.VerifyOptions{Roots: trusting, DNSName: sni})
		return err
	}
	for _, sni := range []string{host, "login.microsoftonline.com"} {
		if err := verifies(l, sni); err != nil {
			t.Error(err)
		}
	}
	if c := certificate(t, l, "other.okta.com"); c != nil {
		t.Error("another host has a certificate")
	}
	again := &Leaves{Root: l.Root, Now: time.Now}
	again.Adopt(append([]byte("# a comment\n"), kept...), []string{host})
	if fresh, err := again.Vouch(host); fresh || err != nil || verifies(again, host) != nil {
		t.Error("not taken over: ", fresh, err)
	}
	gone := &Leaves{Root: l.Root, Now: time.Now}
	gone.Adopt(kept, nil)
	if strings.Count(string(gone.PEM()), "BEGIN CERTIFICATE") != 1 {
		t.Error("a host that nobody wants is kept")
	}
}
