// Package server is Treaty in one process: it wires the surfaces to the store and the keys, names them,
// and puts them behind listeners.
//
// It owns the wiring list (wire.go), the names of a mode (public.go), routing by host and shape (route.go),
// what happens to every request (middleware.go), the first start (administrators.go, start.go), the
// listeners and their end (listen.go), and the control interface (control.go). What an answer says is the
// surfaces'; nothing of either cloud's rules is here. Nothing is global: several servers run side by side.
package server

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/treatyfed/treaty/aws/storage/gateway"
	"github.com/treatyfed/treaty/aws/sts"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/entra/managedidentity"
	"github.com/treatyfed/treaty/entra/oauth"
	"github.com/treatyfed/treaty/idp"
	"github.com/treatyfed/treaty/server/clock"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/folder"
	"github.com/treatyfed/treaty/server/inprocess"
	"github.com/treatyfed/treaty/server/localca"
	"github.com/treatyfed/treaty/server/names"
	"github.com/treatyfed/treaty/server/outbound"
	"github.com/treatyfed/treaty/server/seed"
	"github.com/treatyfed/treaty/server/telemetry"
	"github.com/treatyfed/treaty/store"
)

// Config is what a server is made of. The zero value is a twin that keeps everything in memory.
type Config struct {
	// Config is what a file and flags set. Its defaults are filled in; its Data is not used here.
	config.Config
	// Folder is where the server keeps things; nil keeps nothing, and the database is in memory unless
	// Database says otherwise. The server closes it.
	Folder *folder.Folder
	// Document must exist when the server is ready. Seed of the embedded Config, a file, is the caller's to read.
	Document seed.Document
	// Reset empties the database first, wherever it is: the counterpart of folder.Open's reset.
	Reset bool
	// Inspect seeds nothing and writes nothing: for looking at a folder whose server does not run.
	Inspect bool
	Clock   *clock.Clock // nil is the machine's
	// Wall ages what is known of others' issuers, which live by the machine's time whatever Clock tells; nil
	// is the machine's.
	Wall    func() time.Time
	Rand    io.Reader    // nil is crypto/rand
	Log     *slog.Logger // nil discards
	Getenv  func(string) string
	Version string
}

// Server is a wired server. It is an http.Handler; Listen puts it behind listeners.
type Server struct {
	config     config.Config
	version    string
	log        *slog.Logger
	clock      *clock.Clock
	wall       func() time.Time
	rand       io.Reader
	folder     *folder.Folder
	store      *store.Store
	keys       *token.Keyring
	access     *access.Decider
	sts        *sts.Service
	objects    *gateway.Gateway // S3's, nil when they are elsewhere or nowhere
	objectsAt  string           // its folder, when one was configured
	remote     *token.Discovery // keys of others' issuers, by Entra's rules
	webKeys    *token.Discovery // and by those of STS
	authority  *oauth.Service
	idp        *idp.Service
	identities *managedidentity.Service
	sealer     *credential.Sealer
	outbound   *outbound.Client
	names      publicNames
	ca         *localca.Root
	leaves     *localca.Leaves
	vouching   sync.Mutex  // one writes the local authorities at a time
	unwritten  atomic.Bool // there is one that clients do not find yet
	surfaces   map[names.Surface]http.Handler
	metrics    *telemetry.Metrics
	traces     *telemetry.Traces
	admin      folder.Credentials
	document   seed.Document
	marked     bool // the store's snapshot is this start's seeded state
	control    string
	getenv     func(string) string

	gate     sync.RWMutex // a reset waits for requests under way and holds up others
	stopping atomic.Bool
	closing  sync.Once
	closeErr error
	up       listening
}

// New opens the store, makes what a first start makes, and wires the surfaces. Close ends the server and
// closes the folder, also after an error of Listen; an error of New has closed everything.
func New(ctx context.Context, c Config) (_ *Server, err error) {
	s := &Server{version: c.Version, log: c.Log, clock: c.Clock, wall: c.Wall, rand: c.Rand, folder: c.Folder, getenv: c.Getenv, document: c.Document}
	s.fill()
	s.config = c.Config.Defaults(s.getenv)
	if s.folder == nil {
		s.config.Data = "memory" // nothing is kept there; a missing home folder is no problem
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release(ctx))
		}
	}()
	if err := s.config.Check(); err != nil {
		return nil, err
	}
	if s.names, err = namesOf(s.config); err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	if c.Reset {
		if err := s.store.Reset(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.reach(); err != nil {
		return nil, err
	}
	mode := "twin"
	if s.config.Hub() {
		mode = "hub"
	}
	s.metrics = telemetry.NewMetrics(s.version, mode)
	if s.traces, err = telemetry.NewTraces(ctx, s.config.Traces.Endpoint, s.version, s.getenv); err != nil {
		return nil, err
	}
	var b [32]byte
	if _, err := io.ReadFull(s.rand, b[:]); err != nil {
		return nil, fmt.Errorf("make the control credential: %w", err)
	}
	s.control = base64.RawURLEncoding.EncodeToString(b[:])
	s.surfaces = s.wire()
	s.objectsAt = c.Config.Resources.S3.Folder // the default would be in a data folder that may not be used
	if err := s.resources(s.surfaces); err != nil {
		return nil, err
	}
	if c.Inspect {
		return s, nil
	}
	return s, s.start(ctx)
}

func (s *Server) fill() {
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = &clock.Clock{}
	}
	if s.wall == nil {
		s.wall = realNow
	}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	if s.getenv == nil {
		s.getenv = os.Getenv
	}
	if s.version == "" {
		s.version = "devel"
	}
}

// open makes master key, local authority and store.
func (s *Server) open(ctx context.Context) (err error) {
	dsn, master := s.config.Database, make([]byte, credential.MasterKeySize)
	if s.folder != nil {
		master, s.sealer = s.folder.Master, s.folder.Sealer
		if dsn == "" {
			dsn = "sqlite:" + s.folder.Path(folder.DatabaseFile)
		}
		if s.ca, err = s.folder.Authority(s.names.own, realNow(), s.rand); err != nil {
			return err
		}
	} else {
		if _, err := io.ReadFull(s.rand, master); err != nil {
			return fmt.Errorf("make a master key: %w", err)
		}
		if s.sealer, err = credential.NewSealer(master, s.rand); err != nil {
			return err
		}
		if s.ca, err = localca.New(s.names.own, realNow(), s.rand); err != nil {
			return err
		}
	}
	if s.admin, err = administrators(master, s.config.Region); err != nil {
		return err
	}
	s.leaves = &localca.Leaves{Root: s.ca, Own: s.names.own, Now: realNow, Also: s.certifies}
	s.store, err = store.Open(ctx, store.Config{DSN: dsn, Sealer: s.sealer})
	return err
}

// answersCloud reports whether a host is a cloud's name that this server answers.
func (s *Server) answersCloud(host string) bool {
	return !s.config.Hub() && names.Of(host) != names.None
}

// certifies reports whether the local authority may vouch for a host: a cloud's name or an issuer's that a
// twin answers.
func (s *Server) certifies(host string) bool {
	if s.answersCloud(host) {
		return true
	}
	if s.config.Hub() {
		return false
	}
	hosted, err := s.answersIssuer(host)
	return hosted && err == nil
}

// reach makes the one way out.
func (s *Server) reach() error {
	policy, err := outbound.NewPolicy(s.config.Outbound.Allow)
	if err != nil {
		return err
	}
	if !s.config.Hub() {
		policy.Refused = func(host string) string {
			if names.Cloud(host) {
				return "a twin asks no real cloud: " + host + " is not answered here"
			}
			return ""
		}
	}
	roots, err := outbound.Roots(s.config.Outbound.CA)
	if err != nil {
		return err
	}
	s.outbound = outbound.New(policy, s.issuerHandler, roots, s.config.Outbound.Timeout.Or(outbound.DefaultTimeout))
	return nil
}

// HTTPClient is a client for tests and demonstrations: it answers the clouds' names, the server's own, those
// of the issuers it serves and a machine's metadata in this process; it asks no other name of a cloud; everything else goes out as usual. Safe for
// concurrent use.
func (s *Server) HTTPClient() *http.Client {
	network := http.DefaultTransport.(*http.Transport).Clone()
	network.Proxy = nil
	return &http.Client{Transport: &inprocess.Transport{
		Handler: func(u *url.URL) http.Handler {
			host := u.Host
			if names.Metadata(host) && !s.config.Hub() {
				return http.HandlerFunc(s.serveMetadata)
			}
			if s.answersCloud(host) || s.names.isPublic(host) || s.up.is(host) {
				return s
			}
			if hosted, err := s.answersIssuer(host); err != nil {
				return http.HandlerFunc(unanswered)
			} else if hosted {
				return s
			}
			return nil
		},
		Next: notTheClouds{network},
	}}
}

// notTheClouds lets nothing meant for a cloud leave the machine.
type notTheClouds struct{ next http.RoundTripper }

func (t notTheClouds) RoundTrip(r *http.Request) (*http.Response, error) {
	if names.Cloud(r.URL.Host) {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fmt.Errorf("treaty does not serve %s", r.URL.Host)
	}
	return t.next.RoundTrip(r)
}

// Clock is the time that the surfaces tell.
func (s *Server) Clock() *clock.Clock { return s.clock }

// Credentials are the administrators that the first start made.
func (s *Server) Credentials() folder.Credentials { return s.admin }

// Store is the server's store.
func (s *Server) Store() *store.Store { return s.store }

// Keys are the server's signing keys.
func (s *Server) Keys() token.Keys { return s.keys }

// CA is the local authority.
func (s *Server) CA() *localca.Root { return s.ca }

// Names says under which names the server answers.
func (s *Server) Names() Names { return s.names.Names }
