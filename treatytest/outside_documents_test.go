package treatytest

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestForeignDocumentsAreHeldToTheIssuersName(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	elsewhere := httptest.NewUnstartedServer(says(raw(m{"keys": []m{key("k1", nil)}})))
	elsewhere.Config.ErrorLog = log.New(io.Discard, "", 0)
	elsewhere.StartTLS() // with the certificate that every httptest server has
	t.Cleanup(elsewhere.Close)
	port := o.host.URL[strings.LastIndex(o.host.URL, ":"):]
	config := func(change func(x *foreign) m) func(*foreign) {
		return func(x *foreign) { x.configure(change(x)) }
	}
	named := func(change func(issuer string) any) func(*foreign) {
		return config(func(x *foreign) m { return m{"issuer": change(x.issuer)} })
	}
	keysAt := func(address string) func(*foreign) { return config(func(*foreign) m { return m{"jwks_uri": address} }) }
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); _, _ = io.WriteString(w, body) }
	}
	answer := func(config, keys http.HandlerFunc) func(*foreign) {
		return func(x *foreign) { x.answers(config, keys) }
	}
	hops := func(n int) func(*foreign) { // each one adds an x to the query
		return func(x *foreign) {
			x.answers(nil, func(w http.ResponseWriter, r *http.Request) {
				if len(r.URL.RawQuery) == n {
					says(raw(m{"keys": []m{key("k1", nil)}}))(w, r)
					return
				}
				http.Redirect(w, r, x.issuer+"/keys?"+r.URL.RawQuery+"x", http.StatusFound)
			})
		}
	}
	html := `<!doctype html><title>Sign in</title>`
	o.run(t, 35, []row{
		{"the honest documents", "", "", nil, nil},
		{"another member order and more members", "", "", config(func(*foreign) m { return m{"token_endpoint": "x", "claims_supported": []string{"sub"}} }), nil},
		{"an issuer in other letters", unreachable, noKey, named(func(s string) any { return strings.ToUpper(s) }), nil},
		{"an issuer with a slash more", unreachable, noKey, named(func(s string) any { return s + "/" }), nil},
		{"an issuer without its port", unreachable, noKey, named(func(s string) any { return strings.Replace(s, port, "", 1) }), nil},
		{"an issuer with another port", unreachable, noKey, named(func(s string) any { return strings.Replace(s, port, ":443", 1) }), nil},
		{"an issuer by http", unreachable, noKey, named(func(s string) any { return "http" + s[5:] }), nil},
		{"an issuer on another host", unreachable, noKey, named(func(s string) any { return strings.Replace(s, "127.0.0.1", "localhost", 1) }), nil},
		{"an issuer with a space behind", unreachable, noKey, named(func(s string) any { return s + " " }), nil},
		{"an issuer in a list", unreachable, noKey, named(func(s string) any { return []string{s} }), nil},
		{"no issuer", unreachable, noKey, named(func(string) any { return nil }), nil},

		{"keys on another host", "", "", keysAt(elsewhere.URL + "/any/path?at=all"), nil},
		{"keys by http", unreachable, noKey, keysAt("http://keys.example/keys"), nil},
		{"keys by http where https is spoken", unreachable, noKey, keysAt("http" + o.host.URL[5:] + "/i1/keys"), nil},
		{"keys at a relative address", unreachable, noKey, keysAt("/i1/keys"), nil},
		{"keys in the document itself", unreachable, noKey, keysAt("data:application/json,{}"), nil},
		{"keys behind a password", unreachable, noKey, keysAt("https://a:b@127.0.0.1" + port + "/i1/keys"), nil},
		{"keys at the machine's metadata", unreachable, noKey, keysAt("https://169.254.169.254/latest"), nil},
		{"keys under a name of the cloud that is not served", unreachable, noKey, keysAt("https://ec2.us-east-1.amazonaws.com/keys"), nil},
		{"no address of keys", unreachable, noKey, config(func(*foreign) m { return m{"jwks_uri": nil} }), nil},

		{"three redirects on the host", "", "", hops(3), nil},
		{"four redirects on the host", unreachable, noKey, hops(4), nil},
		{"a redirect of the configuration on the host", "", "", func(x *foreign) {
			x.answers(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RawQuery == "" {
					http.Redirect(w, r, x.issuer+"/.well-known/openid-configuration?again", http.StatusTemporaryRedirect)
					return
				}
				_ = json.NewEncoder(w).Encode(m{"issuer": x.issuer, "jwks_uri": x.issuer + "/keys"})
			}, nil)
		}, nil},
		{"a redirect to another host", unreachable, noKey, answer(nil, http.RedirectHandler(elsewhere.URL, http.StatusFound).ServeHTTP), nil},
		{"a redirect to another name of the host", unreachable, noKey, answer(nil, http.RedirectHandler("https://localhost"+port+"/i1/keys", http.StatusFound).ServeHTTP), nil},
		{"a redirect to http", unreachable, noKey, answer(nil, http.RedirectHandler("http"+o.host.URL[5:]+"/i1/keys", http.StatusFound).ServeHTTP), nil},

		{"configuration: not found", unreachable, noKey, answer(http.NotFound, nil), nil},
		{"configuration: an error", unreachable, noKey, answer(status(500, "{}"), nil), nil},
		{"configuration: HTML", unreachable, noKey, answer(says(html), nil), nil},
		{"configuration: empty", unreachable, noKey, answer(says(""), nil), nil},
		{"configuration: no content", unreachable, noKey, answer(status(204, ""), nil), nil},
		{"configuration: a list", unreachable, noKey, answer(says("[]"), nil), nil},
		{"configuration: the connection breaks", unreachable, noKey, answer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil), nil},
		{"configuration: a megabyte", unreachable, noKey, func(x *foreign) { x.configure(m{"x": strings.Repeat("x", 1<<20)}) }, nil},
		{"configuration: 300 kilobytes", unreachable, noKey, func(x *foreign) { x.configure(m{"x": strings.Repeat("x", 300<<10)}) }, nil},
		{"configuration: unpacks to eight megabytes", unreachable, noKey, answer(packed(strings.Repeat(" ", 8<<20)), nil), nil},
		{"keys: not found", unreachable, noKey, answer(nil, http.NotFound), nil},
		{"keys: an error, though the body is right", unreachable, noKey, answer(nil, status(500, raw(m{"keys": []m{key("k1", nil)}}))), nil},
		{"keys: created, though the body is right", unreachable, noKey, answer(nil, status(201, raw(m{"keys": []m{key("k1", nil)}}))), nil},
		{"keys: HTML", unreachable, noKey, answer(nil, says(html)), nil},
		{"keys: empty", unreachable, noKey, answer(nil, says("")), nil},
		{"keys: cut short", unreachable, noKey, answer(nil, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, raw(m{"keys": []m{key("k1", nil)}}))
		}), nil},
	})
}

// The slash at the end belongs to an issuer's name, and not to where its configuration is.
func TestTheSlashAtTheEndOfAnIssuerCounts(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	for _, c := range []struct {
		name, trusted, says, token string // "" or "/" each: in the trust, in the document, in the token
		entra, sts                 string
		asked                      bool
	}{
		{"nowhere", "", "", "", "", "", true},
		{"everywhere", "/", "/", "/", "", "", true},
		{"in the trust alone", "/", "", "", "AADSTS700211", unproved, false},
		{"in the token alone", "", "", "/", "AADSTS700211", unproved, false},
		{"in the document alone", "", "/", "", unreachable, noKey, true},
		{"everywhere but in the document", "/", "", "/", unreachable, noKey, true},
		{"everywhere but in the trust", "", "/", "/", "AADSTS700211", unproved, false},
		{"everywhere but in the token", "/", "/", "", "AADSTS700211", unproved, false},
	} {
		x := o.stranger()
		x.trustedAs(x.issuer + c.trusted)
		x.configure(m{"issuer": x.issuer + c.says})
		x.expect("a slash "+c.name, x.token(nil, m{"iss": x.issuer + c.token}), c.entra, c.sts)
		if (x.requests() > 0) != c.asked {
			t.Errorf("a slash %s: asked for %q", c.name, x.asked)
		}
		for _, path := range x.asked {
			if path != ".well-known/openid-configuration" && path != "keys" {
				t.Errorf("a slash %s: asked for %q", c.name, path)
			}
		}
	}
}

// Who a host is, is a matter of its certificate; at STS a thumbprint may stand in for the authority.
func TestForeignHostsAreKnownByTheirCertificates(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	odd := httptest.NewUnstartedServer(o.mux)
	odd.Config.ErrorLog = log.New(io.Discard, "", 0)
	odd.TLS = selfSigned(t, net.IPv4(127, 0, 0, 1))
	odd.StartTLS()
	t.Cleanup(odd.Close)
	sum := sha1.Sum(odd.Certificate().Raw)
	pin := hex.EncodeToString(sum[:])
	for _, c := range []struct {
		name, base string
		pins       []string
		entra, sts string
	}{
		{"a known authority", o.host.URL, nil, "", ""},
		{"a known authority, another name", strings.Replace(o.host.URL, "127.0.0.1", "localhost", 1), nil, unreachable, unpinned},
		{"an unknown authority", odd.URL, nil, unreachable, unpinned},
		{"an unknown authority, and another one's thumbprint", odd.URL, []string{strings.Repeat("0", 40)}, unreachable, unpinned},
		{"an unknown authority, and its thumbprint", odd.URL, []string{pin}, unreachable, ""},
		{"a thumbprint, another name", strings.Replace(odd.URL, "127.0.0.1", "localhost", 1), []string{pin}, unreachable, unpinned},
		{"no TLS at all", plain(t), nil, unreachable, noKey},
	} {
		x := o.stranger()
		x.issuer = strings.Replace(x.issuer, o.host.URL, c.base, 1)
		x.trustedAs(x.issuer, c.pins...)
		x.expect(c.name, x.token(nil, nil), c.entra, c.sts)
	}
}

// plain is the https address of a host that speaks http.
func plain(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return "https" + s.URL[4:]
}

// A token can name any host. None is asked that a trust of the very application, or a provider of the very
// account, does not name, by whatever member of the token.
func TestNoHostIsAskedThatOnlyATokenNames(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	var connections atomic.Int32
	victim := httptest.NewUnstartedServer(http.NotFoundHandler())
	victim.Config.ErrorLog = log.New(io.Discard, "", 0)
	victim.Config.ConnState = func(net.Conn, http.ConnState) { connections.Add(1) }
	victim.StartTLS()
	t.Cleanup(victim.Close)

	x, other := o.issuer(), o.stranger()
	other.issuer = victim.URL // somebody else's trust names it: another application's
	other.app = o.AddApplication("other")
	o.Trust(other.app, "trust", victim.URL, "user", "app")
	const where = "AADSTS700211"
	for _, c := range []struct {
		name           string
		header, claims m
		entra, sts     string
	}{
		{"as its issuer", nil, m{"iss": victim.URL}, where, unproved},
		{"as its issuer, with a path", nil, m{"iss": victim.URL + "/realm"}, where, unproved},
		{"as its issuer, behind the trusted one's name", nil, m{"iss": x.issuer + "@" + victim.URL[8:]}, where, unproved},
		{"as its issuer, below the trusted one", nil, m{"iss": x.issuer + "/../" + victim.URL}, where, unproved},
		{"as one of two issuers", nil, m{"iss": []string{x.issuer, victim.URL}}, "AADSTS90014", lacks("iss")},
		{"as the address of its keys", m{"jku": victim.URL + "/keys"}, nil, "", ""},
		{"as the address of its certificate", m{"x5u": victim.URL + "/cert"}, nil, "", ""},
		{"as the id of its key", m{"kid": victim.URL + "/keys"}, nil, keyMissing, noKey},
		{"as its audience", nil, m{"aud": victim.URL}, "AADSTS700212", unproved},
		{"as its subject", nil, m{"sub": victim.URL}, "AADSTS700213", untrusted},
	} {
		x.expect("a host named "+c.name, x.token(c.header, c.claims), c.entra, c.sts)
	}
	// A subject or audience that no trust has makes nobody ask either, where the issuer is the right one.
	y := o.issuer()
	for _, claims := range []m{{"sub": "another"}, {"aud": "another"}, {"exp": nil}} {
		y.entra(y.token(nil, claims))
	}
	if n := y.requests(); n != 0 {
		t.Errorf("tokens that match no trust made Entra ask %d times", n)
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("the host got %d connections", n)
	}
	if got := other.entra(other.token(nil, nil)); got != unreachable || connections.Load() == 0 {
		t.Errorf("the application that does trust it: %s, %d connections", got, connections.Load())
	}
}
