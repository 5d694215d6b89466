package proxy

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/server/localca"
	"github.com/treatyfed/treaty/server/names"
)

type world struct {
	proxy *Proxy
	addr  string
	ca    *localca.Root
}

// start runs a proxy before a TLS server that says which host it was asked for.
func start(t *testing.T, tunnel string) *world {
	t.Helper()
	ca, err := localca.New(nil, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaves := &localca.Leaves{Root: ca, Now: time.Now, Also: func(h string) bool { return names.Of(h) != names.None }}
	inner := NewListener(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443})
	srv := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", r.Proto, r.Host) }),
		TLSConfig:         &tls.Config{GetCertificate: leaves.Certificate, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: time.Minute,
	}
	go func() { _ = srv.ServeTLS(inner, "", "") }()
	plain := NewListener(inner.Addr())
	p := &Proxy{Inner: inner, Plain: plain, Tunnel: tunnel, Log: slog.New(slog.DiscardHandler)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ps, tunnels := p.Server(), p.PlainServer()
	go func() { _ = ps.Serve(l) }()
	go func() { _ = tunnels.Serve(plain) }()
	t.Cleanup(func() { p.Close(); _ = ps.Close(); _ = tunnels.Close(); _ = srv.Close() })
	return &world{p, l.Addr().String(), ca}
}

func (w *world) client() *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "http", Host: w.addr}),
		TLSClientConfig:   &tls.Config{RootCAs: w.ca.Pool()},
		ForceAttemptHTTP2: true,
	}}
}

func get(t *testing.T, c *http.Client, address string) (int, string, error) {
	t.Helper()
	resp, err := c.Get(address)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), nil
}

func TestCloudNamesAreAnsweredHere(t *testing.T) {
	t.Parallel()
	w := start(t, "loopback")
	for _, host := range []string{"login.microsoftonline.com", "cognito-identity.us-east-1.amazonaws.com", "graph.microsoft.com"} {
		_, body, err := get(t, w.client(), "https://"+host+"/")
		if err != nil || body != "HTTP/2.0 "+host {
			t.Errorf("%s: %q, %v", host, body, err)
		}
	}
}

func TestOtherCloudNamesAreRefusedWithAMessage(t *testing.T) {
	t.Parallel()
	w := start(t, "all")
	for address, want := range map[string]string{
		"https://ec2.us-east-1.amazonaws.com/":     "Treaty does not serve ec2.us-east-1.amazonaws.com",
		"https://portal.azure.com/":                "Treaty does not serve portal.azure.com",
		"https://169.254.169.254/":                 "Treaty does not serve 169.254.169.254",
		"https://login.microsoftonline.com:8443/x": "on port 443 only",
	} {
		if _, _, err := get(t, w.client(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for address, want := range map[string]string{
		"http://169.254.169.254/latest/meta-data/": "does not serve",
		"http://sts.amazonaws.com/":                "https only",
	} {
		status, body, err := get(t, w.client(), address)
		if err != nil || status != http.StatusForbidden || !strings.Contains(body, want) {
			t.Errorf("%s: %d %q, %v", address, status, body, err)
		}
	}
}

func TestOtherHostsAreTunnelledAndForwarded(t *testing.T) {
	t.Parallel()
	w := start(t, "loopback")
	peer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), 500)
		}
		fmt.Fprintf(w, "%s %s %d", r.Method, r.URL.Path, len(b))
	})
	secure, plain := httptest.NewTLSServer(peer), httptest.NewServer(peer)
	defer secure.Close()
	defer plain.Close()
	proxied := http.ProxyURL(&url.URL{Scheme: "http", Host: w.addr}) // Go never proxies loopback by environment, but does when told
	tr := secure.Client().Transport.(*http.Transport).Clone()
	tr.Proxy = proxied
	c := &http.Client{Transport: tr}
	big := strings.Repeat("x", 1<<20)
	for _, address := range []string{secure.URL, plain.URL} {
		resp, err := c.Post(address+"/p", "text/plain", strings.NewReader(big))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(b) != "POST /p 1048576" {
			t.Errorf("%s: %q, %v", address, b, err)
		}
	}
}

func TestTunnelsCanBeForbidden(t *testing.T) {
	t.Parallel()
	w := start(t, "none")
	if _, _, err := get(t, w.client(), "https://127.0.0.1:1/"); err == nil || !strings.Contains(err.Error(), "connects to no other hosts") {
		t.Errorf("got %v", err)
	}
	r := httptest.NewRequest(http.MethodConnect, "http://example.com:443", nil)
	r.Host, r.RemoteAddr = "example.com:443", "192.0.2.1:5000"
	if kind, _ := (&Proxy{Tunnel: "loopback"}).decide(r, r.Host); kind != refused {
		t.Errorf("a client of another machine: %s", kind)
	}
}

func TestAnUnreachableHostIsABadGateway(t *testing.T) {
	t.Parallel()
	w := start(t, "loopback")
	if _, _, err := get(t, w.client(), "https://127.0.0.1:1/"); err == nil || !strings.Contains(err.Error(), "cannot reach 127.0.0.1:1") {
		t.Errorf("got %v", err)
	}
}

func TestTheProxyIsNoWebServer(t *testing.T) {
	t.Parallel()
	w := start(t, "loopback")
	status, body, err := get(t, http.DefaultClient, "http://"+w.addr+"/")
	if err != nil || status != http.StatusBadRequest || !strings.Contains(body, "HTTPS_PROXY") {
		t.Errorf("%d %q %v", status, body, err)
	}
}

// A client may send its first TLS bytes together with CONNECT.
func TestBytesSentAheadAreNotLost(t *testing.T) {
	t.Parallel()
	w := start(t, "loopback")
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		c, err := echo.Accept()
		if err == nil {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\nahead", echo.Addr(), echo.Addr())
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", resp, err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(br)
	if err != nil || string(b) != "ahead" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestNobodyElsewhereReachesThisMachinesLoopback(t *testing.T) {
	t.Parallel()
	secret := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "secret") }))
	defer secret.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(secret.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Tunnel: "all", Log: slog.New(slog.DiscardHandler)}
	for _, host := range []string{"127.0.0.1", "127.1.2.3", "localhost", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "169.254.7.7", "169.254.169.254", "[::ffff:a9fe:a9fe]"} {
		for _, method := range []string{http.MethodConnect, http.MethodGet} {
			r := httptest.NewRequest(method, "http://"+host+":"+port+"/", nil)
			if method == http.MethodConnect {
				r = httptest.NewRequest(method, host+":"+port, nil)
			}
			r.RemoteAddr = "192.0.2.1:5000"
			w := httptest.NewRecorder()
			p.ServeHTTP(w, r)
			if w.Code != http.StatusBadGateway && w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("%s %s: %d %s", method, host, w.Code, w.Body)
			}
		}
	}
}

func TestTheCloudsOwnAddressesAreRefusedHoweverTheyAreNamed(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodConnect, "metadata.example:80", nil)
	r.RemoteAddr = "127.0.0.1:5000"
	control := dialer(r).ControlContext
	for resolved, refused := range map[string]bool{
		"169.254.169.254:80": true, "[::ffff:169.254.169.254]:80": true, "168.63.129.16:80": true, "[fd00:ec2::254]:80": true,
		"127.0.0.1:80": false, "10.0.0.1:80": false, "93.184.216.34:443": false,
	} {
		if err := control(t.Context(), "tcp", resolved, nil); err != nil != refused {
			t.Errorf("%s: %v", resolved, err)
		}
	}
}
