// Package proxy is the HTTP proxy that lets unmodified clients meet Treaty under the clouds' own names.
//
// It owns the decision about each host: a cloud name that Treaty answers, or an issuer's that it serves, is
// handed, as a raw connection, to the server's own TLS listener in this process; any other cloud name is
// refused, so that nothing meant for a cloud leaves the machine; every other host is tunnelled. It stands in
// for the link-local address at which machines find their metadata, too. TLS, certificates and answers are
// the server's.
package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/treatyfed/treaty/server/names"
)

// Limits.
const (
	dialTimeout   = 10 * time.Second
	tunnelIdle    = 10 * time.Minute // a tunnel that carries nothing in either direction for so long is closed
	maxTunnels    = 512
	maxHeader     = 64 << 10
	headerTimeout = 10 * time.Second
)

// Proxy is the handler of the proxy's listener.
type Proxy struct {
	// Inner takes the connections to names that are answered here.
	Inner *Listener
	// Own reports whether host:port is this server's own TLS address, answered here as well.
	Own func(hostport string) bool
	// Answers reports whether a host is that of an issuer that is served here; nil answers none. After an
	// error the host is refused.
	Answers func(hostport string) (bool, error)
	// Metadata answers plain requests for a machine's metadata: to the link-local addresses, and to the
	// proxy's own. nil is none.
	Metadata http.Handler
	// Plain takes connections that a CONNECT opened to port 80 of a metadata address: some clients (gaxios,
	// of Google's libraries for Node) ask so for plain http, too. PlainServer serves it. nil refuses them.
	Plain *Listener
	// Tunnel says for whom other hosts are connected to: "loopback" clients, "all", "none".
	Tunnel string
	Log    *slog.Logger

	mu      sync.Mutex
	tunnels map[net.Conn]struct{}
	closed  bool
}

// Server makes the http.Server that runs the proxy. CONNECT needs HTTP/1.1 and a raw connection.
func (p *Proxy) Server() *http.Server { return p.server(p) }

// PlainServer makes the http.Server of Plain. It answers a machine's metadata and is no proxy: each tunnel in
// a tunnel would keep what was read ahead of the one before, without end.
func (p *Proxy) PlainServer() *http.Server {
	return p.server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect || !p.metadata(w, r) {
			refuse(w, http.StatusForbidden, "this is a tunnel to a machine's metadata and to nothing else")
		}
	}))
}

func (p *Proxy) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(p.Log.Handler(), slog.LevelDebug),
	}
}

// Close ends the tunnels.
func (p *Proxy) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for c := range p.tunnels {
		_ = c.Close()
	}
}

// ServeHTTP answers CONNECT and plain requests in absolute form.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Host
	if r.Method != http.MethodConnect {
		if p.metadata(w, r) {
			return
		}
		if !r.URL.IsAbs() {
			refuse(w, http.StatusBadRequest, "this is Treaty's proxy: set it as HTTPS_PROXY, see treaty env")
			return
		}
		target = r.URL.Host
	} else if p.Plain != nil && names.Metadata(target) && port(target) == "80" {
		p.hand(w, p.Plain)
		return
	}
	kind, why := p.decide(r, target)
	p.Log.Debug("proxy", "method", r.Method, "host", target, "decision", kind)
	switch {
	case kind == refused:
		p.Log.Warn("proxy refused a host", "host", target, "why", why)
		refuse(w, http.StatusForbidden, why)
	case r.Method != http.MethodConnect && kind == answered:
		refuse(w, http.StatusForbidden, "Treaty answers "+names.Host(target)+" over https only")
	case r.Method != http.MethodConnect:
		p.forward(w, r)
	case kind == answered:
		p.hand(w, p.Inner)
	default:
		p.tunnel(w, r, target)
	}
}

// metadataPaths are those of the metadata services of Azure and Google, and of machines by name.
var metadataPaths = []string{"/metadata/", "/computeMetadata/", "/machines/"}

// metadata answers a request for a machine's metadata and reports whether it was one. Whoever may ask gets
// tokens without a secret, as on a real machine: clients elsewhere only where the proxy serves all.
func (p *Proxy) metadata(w http.ResponseWriter, r *http.Request) bool {
	if p.Metadata == nil || !asksMetadata(r) {
		return false
	}
	if p.Tunnel != "all" && !fromLoopback(r.RemoteAddr) {
		refuse(w, http.StatusForbidden, "Treaty's proxy gives machines' identities to clients on this machine only")
		return true
	}
	if r.URL.IsAbs() {
		r.Host, r.URL.Scheme, r.URL.Host = r.URL.Host, "", ""
	}
	r.Header.Del("Proxy-Authorization")
	r.Header.Del("Proxy-Connection")
	p.Metadata.ServeHTTP(w, r)
	return true
}

// asksMetadata reports whether a request is for metadata. Google's clients first ask for the root, and say
// so in a header.
func asksMetadata(r *http.Request) bool {
	if r.URL.IsAbs() {
		return r.URL.Scheme == "http" && names.Metadata(r.URL.Host)
	}
	return slices.ContainsFunc(metadataPaths, func(path string) bool { return strings.HasPrefix(r.URL.Path, path) }) ||
		r.URL.Path == "/" && r.Header.Get("Metadata-Flavor") != ""
}

// What becomes of a host.
const (
	answered  = "answered"
	refused   = "refused"
	tunnelled = "tunnelled"
)

func (p *Proxy) decide(r *http.Request, target string) (kind, why string) {
	host := names.Host(target)
	switch {
	case host == "":
		return refused, "the request names no host"
	case names.Of(host) != names.None:
		if r.Method == http.MethodConnect && port(target) != "443" {
			return refused, fmt.Sprintf("Treaty answers %s on port 443 only", host)
		}
		return answered, ""
	case p.Own != nil && p.Own(target):
		return answered, ""
	}
	if p.Answers != nil {
		hosted, err := p.Answers(strings.TrimSuffix(target, ":443"))
		switch {
		case err != nil:
			return refused, fmt.Sprintf("Treaty cannot tell whether it serves %s", host)
		case hosted:
			return answered, ""
		}
	}
	switch {
	case names.Cloud(host):
		return refused, fmt.Sprintf("Treaty does not serve %s and lets nothing meant for a cloud leave this machine", host)
	case p.Tunnel == "none", p.Tunnel != "all" && !fromLoopback(r.RemoteAddr):
		return refused, fmt.Sprintf("Treaty's proxy connects to no other hosts for you; %s is none of the clouds' names", host)
	}
	return tunnelled, ""
}

func port(target string) string {
	if _, p, err := net.SplitHostPort(target); err == nil {
		return p
	}
	return ""
}

func fromLoopback(remote string) bool {
	a, err := netip.ParseAddrPort(remote)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// refuse puts the reason in the status line as well: most clients show nothing else of a refused CONNECT.
func refuse(w http.ResponseWriter, status int, why string) {
	body := "treaty: " + why + "\n"
	hj, ok := w.(http.Hijacker)
	if !ok {
		http.Error(w, strings.TrimSpace(body), status)
		return
	}
	conn, _, err := hj.Hijack()
	if err != nil {
		http.Error(w, strings.TrimSpace(body), status)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(headerTimeout))
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, oneLine(why), len(body), body) // a client that has gone needs no refusal
}

// oneLine keeps what a client sent from ending the status line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// hand gives the connection to a listener of this process.
func (p *Proxy) hand(w http.ResponseWriter, to *Listener) {
	conn, err := hijack(w)
	if err != nil {
		p.Log.Warn("proxy could not take over a connection", "err", err)
		return
	}
	if !to.Hand(conn) {
		_ = conn.Close()
	}
}

// hijack takes the connection over and says that it is established. What the client sent ahead is kept.
func hijack(w http.ResponseWriter) (net.Conn, error) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, closeAfter(conn, err)
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return nil, closeAfter(conn, err)
	}
	if buffered.Reader.Buffered() > 0 {
		return &ahead{conn, buffered.Reader}, nil
	}
	return conn, nil
}

func closeAfter(c net.Conn, err error) error {
	_ = c.Close()
	return err
}

// ahead is a connection of which some bytes have been read already.
type ahead struct {
	net.Conn
	r *bufio.Reader
}

func (a *ahead) Read(b []byte) (int, error) { return a.r.Read(b) }

// forward carries a plain HTTP request to another host.
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request) {
	if r.URL.Scheme != "http" {
		refuse(w, http.StatusBadRequest, "use CONNECT for "+r.URL.Scheme+" addresses")
		return
	}
	rp := httputil.ReverseProxy{
		Rewrite:   func(pr *httputil.ProxyRequest) { pr.Out.Host = pr.In.Host },
		Transport: &http.Transport{DialContext: dialer(r).DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeader},
		ErrorLog:  slog.NewLogLogger(p.Log.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			refuse(w, http.StatusBadGateway, fmt.Sprintf("cannot reach %s: %v", r.URL.Host, err))
		},
	}
	rp.ServeHTTP(w, r)
}

// dialer connects for a client to where a name has resolved to: never to the addresses at which clouds
// answer their own machines, and for clients elsewhere not to this machine's loopback, where services trust
// whoever reaches them, nor to its links.
func dialer(r *http.Request) *net.Dialer {
	here := fromLoopback(r.RemoteAddr)
	return &net.Dialer{Timeout: dialTimeout, ControlContext: func(_ context.Context, _, resolved string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(resolved)
		if err != nil {
			return err
		}
		a := ap.Addr().Unmap().WithZone("")
		switch {
		case names.Cloud(a.String()):
			return fmt.Errorf("%s is where a cloud answers its own machines", a)
		case !here && (a.IsLoopback() || a.IsUnspecified() || a.IsLinkLocalUnicast()):
			return fmt.Errorf("%s is this machine's own, and the client is elsewhere", a)
		}
		return nil
	}}
}

// tunnel connects a client with another host and copies both ways until one side ends.
func (p *Proxy) tunnel(w http.ResponseWriter, r *http.Request, target string) {
	ctx, cancel := context.WithTimeout(r.Context(), dialTimeout)
	defer cancel()
	up, err := dialer(r).DialContext(ctx, "tcp", target)
	if err != nil {
		refuse(w, http.StatusBadGateway, fmt.Sprintf("cannot reach %s: %v", target, err))
		return
	}
	defer up.Close()
	if !p.keep(up) {
		refuse(w, http.StatusServiceUnavailable, "too many tunnels")
		return
	}
	defer p.drop(up)
	down, err := hijack(w)
	if err != nil {
		return
	}
	defer down.Close()
	var wg sync.WaitGroup
	wg.Go(func() { pump(up, down) })
	wg.Go(func() { pump(down, up) })
	wg.Wait()
}

// pump copies until an end or a silence, then tells dst that nothing more comes.
func pump(dst, src net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		_ = src.SetReadDeadline(time.Now().Add(tunnelIdle)) // an error shows at the read
		n, err := src.Read(buf)
		if n > 0 {
			if _, werr := dst.Write(buf[:n]); werr != nil {
				_ = src.Close()
				return
			}
		}
		if err != nil {
			break
		}
	}
	if half, ok := dst.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		return
	}
	_ = dst.Close()
}

func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.tunnels) >= maxTunnels {
		return false
	}
	if p.tunnels == nil {
		p.tunnels = map[net.Conn]struct{}{}
	}
	p.tunnels[c] = struct{}{}
	return true
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.tunnels, c)
}
