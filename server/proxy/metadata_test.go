package proxy

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAMachinesMetadataIsAnsweredInPlainHTTP(t *testing.T) {
	t.Parallel()
	const here, elsewhere = "127.0.0.1:40000", "192.0.2.7:40000"
	for _, c := range []struct {
		name, method, target, from, tunnel string
		header                             http.Header
		status                             int
		body                               string
	}{
		{name: "by the link-local address", target: "http://169.254.169.254/metadata/identity/oauth2/token?resource=x", from: here, status: 200, body: "169.254.169.254 /metadata/identity/oauth2/token?resource=x"},
		{name: "by Google's name", target: "http://metadata.google.internal/", from: here, status: 200, body: "metadata.google.internal /"},
		{name: "at the proxy's own address", target: "/metadata/identity/oauth2/token", from: here, status: 200, body: "example.com /metadata/identity/oauth2/token"},
		{name: "for a machine by name", target: "/machines/site/msi/token", from: here, status: 200, body: "example.com /machines/site/msi/token"},
		{name: "for Google's first question", target: "/", header: http.Header{"Metadata-Flavor": {"Google"}}, from: here, status: 200, body: "example.com /"},
		{name: "to nobody elsewhere", target: "http://169.254.169.254/metadata/identity/oauth2/token", from: elsewhere, status: 403},
		{name: "but where the proxy serves all", target: "/metadata/identity/oauth2/token", from: elsewhere, tunnel: "all", status: 200, body: "example.com /metadata/identity/oauth2/token"},
		{name: "also where it connects to nobody", target: "/metadata/identity/oauth2/token", from: here, tunnel: "none", status: 200, body: "example.com /metadata/identity/oauth2/token"},
		{name: "not by a tunnel that nothing takes", method: "CONNECT", target: "169.254.169.254:80", from: here, status: 403},
		{name: "not by the address in IPv6", target: "http://[::ffff:169.254.169.254]/metadata/identity/oauth2/token", from: here, status: 403},
		{name: "and nothing else in plain", target: "/", from: here, status: 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.tunnel == "" {
				c.tunnel = "loopback"
			}
			p := &Proxy{Tunnel: c.tunnel, Log: slog.New(slog.DiscardHandler), Metadata: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Proxy-Authorization") != "" || r.URL.IsAbs() {
					t.Errorf("the request came as to a proxy: %v", r.URL)
				}
				fmt.Fprint(w, r.Host, " ", r.URL)
			})}
			method := c.method
			if method == "" {
				method = "GET"
			}
			r := httptest.NewRequest(method, c.target, nil)
			if c.header != nil {
				r.Header = c.header
			}
			r.Header.Set("Proxy-Authorization", "Basic eDp5")
			r.RemoteAddr = c.from
			w := httptest.NewRecorder()
			p.ServeHTTP(w, r)
			body, _ := io.ReadAll(w.Body)
			if w.Code != c.status || c.body != "" && string(body) != c.body {
				t.Errorf("%d %s", w.Code, body)
			}
		})
	}
}

// Google's libraries for Node open a tunnel for plain http, too, and speak to the machine's metadata in it.
func TestAMachinesMetadataIsAnsweredInATunnel(t *testing.T) {
	t.Parallel()
	w := start(t, "loopback")
	w.proxy.Metadata = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host, " ", r.URL) })
	for _, c := range []struct{ name, target, status, body string }{
		{"by the link-local address", "169.254.169.254:80", "200 Connection established", "169.254.169.254:80 /computeMetadata/v1/instance"},
		{"by Google's name with its last dot", "metadata.google.internal.:80", "200 Connection established", "metadata.google.internal.:80 /computeMetadata/v1/instance"},
		{"not in TLS", "169.254.169.254:443", "403 Treaty does not serve 169.254.169.254 and lets nothing meant for a cloud leave this machine", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.DialTimeout("tcp", w.addr, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			// Both are sent at once: what was sent ahead is not lost.
			fmt.Fprintf(conn, "CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n\r\nGET /computeMetadata/v1/instance HTTP/1.1\r\nHost: %[1]s\r\nConnection: close\r\n\r\n", c.target)
			r := bufio.NewReader(conn)
			established, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
			if err != nil || established.Status != c.status {
				t.Fatalf("%v, %v", established, err)
			}
			if c.body == "" {
				return
			}
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if b, err := io.ReadAll(resp.Body); err != nil || strings.TrimSpace(string(b)) != c.body {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}
