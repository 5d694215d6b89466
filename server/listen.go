package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/treatyfed/treaty/aws/cognitoidentity"
	"github.com/treatyfed/treaty/entra/oauth"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/folder"
	"github.com/treatyfed/treaty/server/names"
	"github.com/treatyfed/treaty/server/proxy"
)

// Limits of a connection. Tokens travel in headers, so these may be larger than usual.
const (
	headerTimeout  = 10 * time.Second
	readTimeout    = 30 * time.Second
	writeTimeout   = 60 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 128 << 10
	shutdownWait   = 10 * time.Second
)

// listening is what a server that listens has.
type listening struct {
	secure  net.Listener // TLS
	proxied net.Listener
	plain   net.Listener // AWS APIs in the clear
	scrape  net.Listener // metrics

	inner   *proxy.Listener
	proxy   *proxy.Proxy
	servers []*http.Server
	running sync.WaitGroup
	stop    context.CancelFunc
	failed  chan error
}

// is reports whether host:port is the TLS listener's.
func (l *listening) is(hostport string) bool {
	if l.secure == nil {
		return false
	}
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return false
	}
	_, ours, err := net.SplitHostPort(l.secure.Addr().String())
	return err == nil && port == ours && names.Loopback(host)
}

// Listen opens the listeners, begins to answer and, with a folder, writes server.json. The server is ready
// when it returns. Signing keys of a first start are made in the background.
func (s *Server) Listen(ctx context.Context) error {
	if err := s.bind(ctx); err != nil {
		return errors.Join(err, s.up.unbind())
	}
	s.up.failed = make(chan error, 8)
	secure := s.httpServer(s)
	secure.TLSConfig = s.TLSConfig()
	s.run(secure, func() error { return secure.ServeTLS(s.up.secure, "", "") })
	if s.up.proxied != nil {
		s.up.inner = proxy.NewListener(s.up.secure.Addr())
		plain := proxy.NewListener(s.up.proxied.Addr())
		s.up.proxy = &proxy.Proxy{Inner: s.up.inner, Own: s.up.is, Answers: s.answersIssuer, Metadata: http.HandlerFunc(s.serveMetadata), Plain: plain, Tunnel: s.config.Tunnel, Log: s.log}
		s.run(secure, func() error { return secure.ServeTLS(s.up.inner, "", "") })
		ps, tunnels := s.up.proxy.Server(), s.up.proxy.PlainServer()
		s.run(ps, func() error { return ps.Serve(s.up.proxied) })
		s.run(tunnels, func() error { return tunnels.Serve(plain) })
	}
	if s.up.plain != nil {
		plain := s.httpServer(http.HandlerFunc(s.servePlain))
		s.run(plain, func() error { return plain.Serve(s.up.plain) })
	}
	if s.up.scrape != nil {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", s.metrics.Handler())
		mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") })
		mux.HandleFunc("GET /readyz", s.ready)
		scrape := s.httpServer(mux)
		s.run(scrape, func() error { return scrape.Serve(s.up.scrape) })
	}
	s.makeKeys()
	if s.folder == nil {
		return nil
	}
	return s.folder.WriteServer(s.describe())
}

func (s *Server) bind(ctx context.Context) (err error) {
	var lc net.ListenConfig
	open := func(what, flag, address string) net.Listener {
		if err != nil || address == "" || address == config.Off {
			return nil
		}
		l, lerr := lc.Listen(ctx, "tcp", address)
		if lerr != nil {
			err = &ListenError{What: what, Flag: flag, Address: address, Err: lerr}
			return nil
		}
		return l
	}
	s.up.secure = open("the TLS listener", "--listen", s.config.Listen)
	s.up.proxied = open("the proxy", "--proxy", s.config.Proxy)
	s.up.plain = open("the plain listener", "--listen-http", s.config.ListenHTTP)
	s.up.scrape = open("the metrics listener", "metrics.listen", s.config.Metrics.Listen)
	return err
}

func (l *listening) unbind() error {
	var errs []error
	for _, ln := range []net.Listener{l.secure, l.proxied, l.plain, l.scrape} {
		if ln != nil {
			errs = append(errs, ln.Close())
		}
	}
	return errors.Join(errs...)
}

// ListenError says which address could not be had, and the flag that sets it.
type ListenError struct {
	What, Flag, Address string
	Err                 error
}

func (e *ListenError) Error() string {
	return fmt.Sprintf("open %s at %s: %v", e.What, e.Address, e.Err)
}

// Unwrap gives the cause.
func (e *ListenError) Unwrap() error { return e.Err }

func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

func (s *Server) run(srv *http.Server, serve func() error) {
	s.up.servers = append(s.up.servers, srv)
	s.up.running.Go(func() {
		if err := serve(); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.up.failed <- err
		}
	})
}

// makeKeys has the rings that most requests need made, or read, while nobody waits: an RSA key takes a
// good part of a second on a small machine.
func (s *Server) makeKeys() {
	ctx, cancel := context.WithCancel(context.Background())
	s.up.stop = cancel
	s.up.running.Go(func() {
		for _, ring := range s.firstRings(ctx) {
			if _, err := s.keys.Signing(ctx, ring); err != nil && ctx.Err() == nil {
				s.log.Error("make signing keys", "ring", ring, "err", err)
			}
		}
	})
}

// firstRings are the rings that most requests need.
func (s *Server) firstRings(ctx context.Context) []string {
	rings := []string{oauth.Ring, cognitoidentity.Ring(s.config.Region)}
	tenants, err := s.store.Tenants.Tenants(ctx)
	if err != nil {
		s.log.Error("list tenants", "err", err)
	}
	for _, t := range tenants {
		if t.OwnKeys {
			rings = append(rings, oauth.RingOf(t))
		}
	}
	return rings
}

// TLSConfig is the listener's: the configured certificate for its own names, the local authority's for
// every other name that is answered.
func (s *Server) TLSConfig() *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.leaves.Certificate, NextProtos: []string{"h2", "http/1.1"}}
	if s.config.TLS.Cert != "" {
		own := &ownCertificate{cert: s.config.TLS.Cert, key: s.config.TLS.Key, log: s.log}
		t.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			local := hello.ServerName == "" && hello.Conn != nil && names.Loopback(hello.Conn.LocalAddr().String())
			if c := own.get(); c != nil && !local && hello.SupportsCertificate(c) == nil {
				return c, nil
			}
			return s.leaves.Certificate(hello)
		}
	}
	return t
}

// servePlain answers on the plain listener: AWS's APIs, S3 by its path style among them, and health. No metrics: a page whose name has come to
// mean loopback could read them, where TLS and its certificate forbid that.
func (s *Server) servePlain(w http.ResponseWriter, r *http.Request) {
	s.serve(w, r, func(w http.ResponseWriter, r *http.Request, _ place) {
		surface, _ := surfaceOf(r, false)
		switch {
		case surface == ownSurface && r.URL.Path != "/metrics" && !strings.HasPrefix(r.URL.Path, controlPrefix), surface == names.S3:
			s.surfaces[surface].ServeHTTP(w, r)
			return
		case surface != names.DynamoDB:
			surface = names.AWS
		}
		s.gate.RLock()
		defer s.gate.RUnlock()
		s.surfaces[surface].ServeHTTP(w, r)
	})
}

// describe makes server.json.
func (s *Server) describe() folder.Server {
	d := folder.Server{
		PID: os.Getpid(), Version: s.version, Started: time.Now().UTC().Truncate(time.Second), Mode: "twin", Region: s.config.Region,
		URL: s.URL(), PublicURL: s.names.public, Proxy: s.ProxyURL(), HTTP: address("http", s.up.plain), Metrics: address("http", s.up.scrape),
		Control: &folder.Control{URL: s.URL() + controlPrefix, Credential: s.control},
	}
	if s.config.Hub() {
		d.Mode = "hub"
	}
	return d
}

// URL is the TLS listener's address, by loopback when it listens everywhere; "" when it does not listen.
func (s *Server) URL() string { return address("https", s.up.secure) }

// ProxyURL is the proxy's address, "" when there is none.
func (s *Server) ProxyURL() string { return address("http", s.up.proxied) }

// HTTPURL is the plain listener's address, "" when there is none.
func (s *Server) HTTPURL() string { return address("http", s.up.plain) }

// ControlCredential opens the control interface.
func (s *Server) ControlCredential() string { return s.control }

func address(scheme string, l net.Listener) string {
	if l == nil {
		return ""
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Run listens until ctx ends or a listener fails, then closes the server.
func (s *Server) Run(ctx context.Context, ready func()) error {
	err := s.Listen(ctx)
	if err == nil {
		if ready != nil {
			ready()
		}
		select {
		case <-ctx.Done():
		case err = <-s.up.failed:
		}
	}
	return errors.Join(err, s.Close())
}

// Close stops accepting, lets requests under way end, and closes the store and the folder. It may be
// called more than once.
func (s *Server) Close() error {
	s.closing.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Server) close() error {
	s.stopping.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Shutdown.Or(shutdownWait))
	defer cancel()
	if s.up.stop != nil {
		s.up.stop()
	}
	var wg sync.WaitGroup
	for _, srv := range s.up.servers {
		wg.Go(func() {
			if srv.Shutdown(ctx) != nil { // the time is up
				_ = srv.Close()
			}
		})
	}
	wg.Wait()
	if s.up.proxy != nil {
		s.up.proxy.Close()
	}
	s.up.running.Wait()
	return s.release(ctx)
}

// release gives back what New took.
func (s *Server) release(ctx context.Context) error {
	var errs []error
	if s.outbound != nil {
		s.outbound.Close()
	}
	if s.objects != nil {
		errs = append(errs, s.objects.Close())
	}
	if s.identities != nil {
		s.identities.Close()
	}
	errs = append(errs, s.traces.Close(ctx))
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.folder != nil {
		errs = append(errs, s.folder.Close())
	}
	return errors.Join(errs...)
}
