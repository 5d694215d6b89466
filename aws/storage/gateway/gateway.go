// Package gateway runs versitygw, an S3 server, inside the process: objects are files of a folder.
//
// It owns the S3 protocol behind our door, the buckets' folder, and what a bucket is known by: its owner
// account, its region and its policy. It leaves who may do what to aws/storage, which examines every
// request, decides it, and signs it anew with a key of Accounts that never leaves the process; versitygw
// listens on a socket that only this user may open, and knows no other keys.
//
// versitygw's own entry point (embedgw) allows one instance in a process, because its file backend works
// in the process's working directory and moves it. Here the backend gets absolute names (rooted.go) and
// the working directory stays where it is, so that any number of gateways live side by side.
package gateway

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"

	"github.com/treatyfed/treaty/core/fault"
)

// Region is what requests to a gateway are signed for. Where a bucket says that it is, is another thing.
const Region = "us-east-1"

// Limits of a gateway.
const (
	maxRequests = 512
	maxParts    = 10000     // of a multipart upload (S3 user guide, "Multipart upload limits")
	maxCopy     = 5 << 30   // bytes of a copied object (S3 API reference, CopyObject)
	ioBuffer    = 128 << 10 // bytes; the backend's own default of 1 MiB is kept for each concurrent transfer
	maxSocket   = 100       // bytes of a socket's path: sockaddr_un has 104 to 108
	startWait   = 10 * time.Second
)

// Gateway is one S3 server over a folder. It starts with the first call that needs it. Folder and Rand
// must be set; an empty Folder is a temporary one, which Close removes.
type Gateway struct {
	Folder string
	Rand   io.Reader
	Log    *slog.Logger // nil discards

	mu      sync.Mutex
	running *running
	closed  bool
}

// running is what a started gateway has.
type running struct {
	secret [32]byte // the accounts' keys are derived from it
	store  *rooted
	server *s3api.S3ApiServer
	socket string
	remove []string // folders that end with it
	ended  chan error
}

// start starts the gateway unless it runs. A failure is told, and the next call tries again.
func (g *Gateway) start() (*running, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, fault.New(fault.Unavailable, "start the S3 gateway", "it is closed")
	}
	if g.running != nil {
		return g.running, nil
	}
	begin := new(running)
	if err := begin.open(g); err != nil {
		begin.clean()
		return nil, fault.Wrap(fault.Unavailable, "start the S3 gateway", err)
	}
	g.running = begin
	if g.Log != nil {
		g.Log.Debug("the S3 gateway runs", "folder", begin.store.root)
	}
	return begin, nil
}

func (r *running) open(g *Gateway) error {
	if _, err := io.ReadFull(g.Rand, r.secret[:]); err != nil {
		return fmt.Errorf("make its key: %w", err)
	}
	folder := g.Folder
	if folder == "" {
		var err error
		if folder, err = os.MkdirTemp("", "treaty-s3-"); err != nil {
			return err
		}
		r.remove = append(r.remove, folder)
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	buckets, sidecars := filepath.Join(folder, "buckets"), filepath.Join(folder, "meta")
	for _, d := range []string{folder, buckets, sidecars} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	side, err := meta.NewSideCar(sidecars)
	if err != nil {
		return err
	}
	attributes := attributes{SideCar: side, root: buckets}
	options := posix.PosixOpts{ForceNoObjLockFile: true, IOBufferSize: ioBuffer, CopyObjectThreshold: maxCopy}
	options.SetNewDirPerm(0o700)
	options.SetNewFilePerm(0o600)
	disk, err := posix.New(".", attributes, options) // "." leaves the working directory as it is
	if err != nil {
		return err
	}
	r.store = &rooted{disk: disk, meta: attributes, root: buckets}
	return r.listen(folder)
}

// sweep removes the sockets of gateways that ended without closing.
func sweep(folder string) {
	left, _ := filepath.Glob(filepath.Join(folder, ".run-*"))
	for _, dir := range left {
		c, err := net.Dial("unix", filepath.Join(dir, "s3"))
		if err != nil {
			_ = os.RemoveAll(dir)
			continue
		}
		_ = c.Close() // another server's, over the same folder
	}
}

// listen serves on a socket of a folder that nobody else may enter.
func (r *running) listen(folder string) error {
	sweep(folder)
	dir, err := os.MkdirTemp(folder, ".run-")
	if err == nil && len(dir)+len("/s3") > maxSocket {
		r.remove = append(r.remove, dir)
		dir, err = os.MkdirTemp("", "treaty-s3-")
	}
	if err != nil {
		return err
	}
	r.remove = append(r.remove, dir)
	r.socket = filepath.Join(dir, "s3")
	ready := make(chan struct{})
	root := r.Account("root")
	r.server, err = s3api.New(r.store, middlewares.RootUserConfig{Access: root.ID, Secret: root.Secret}, Region, accounts{r}, nil, nil, nil, nil,
		s3api.WithQuiet(), s3api.WithKeepAlive(), s3api.WithDisableACL(), s3api.WithMpMaxParts(maxParts), s3api.WithSocketPerm(0o600),
		s3api.WithConcurrencyLimiter(2*maxRequests, maxRequests), s3api.WithOnListen(func() { close(ready) }))
	if err != nil {
		return err
	}
	r.ended = make(chan error, 1)
	go func() { r.ended <- r.server.ServeMultiPort([]string{r.socket}) }()
	select {
	case <-ready:
		return nil
	case err := <-r.ended:
		return fmt.Errorf("listen on %s: %w", r.socket, err)
	case <-time.After(startWait):
		return fmt.Errorf("listen on %s: nothing happens", r.socket)
	}
}

func (r *running) clean() {
	for _, d := range r.remove {
		_ = os.RemoveAll(d)
	}
}

// Close stops the gateway; it does not start again.
func (g *Gateway) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if g.running == nil {
		return nil
	}
	err := g.running.server.ShutDown()
	g.running.store.Shutdown()
	g.running.clean()
	g.running = nil
	return err
}

// Dial connects to the gateway.
func (g *Gateway) Dial(ctx context.Context) (net.Conn, error) {
	r, err := g.start()
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, "unix", r.socket)
}

// Key is what a request of an account is signed with on its way to the gateway.
type Key struct{ ID, Secret string }

// Account gives the key of an account: what it creates is the account's.
func (g *Gateway) Account(account string) (Key, error) {
	if len(account) != 12 {
		return Key{}, fault.New(fault.Invalid, "key of account "+account, "it is no account id")
	}
	r, err := g.start()
	if err != nil {
		return Key{}, err
	}
	return r.Account(account), nil
}

// Account derives an account's key from the gateway's secret.
func (r *running) Account(account string) Key {
	return Key{ID: account, Secret: hex.EncodeToString(mac(r.secret[:], account))}
}
