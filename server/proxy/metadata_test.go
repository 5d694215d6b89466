package proxy

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
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
		{name: "not by a tunnel", method: "CONNECT", target: "169.254.169.254:80", from: here, status: 403},
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
