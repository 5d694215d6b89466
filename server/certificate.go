package server

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateCheck is how often the files of a configured certificate are looked at for a newer one.
const certificateCheck = 30 * time.Second

// ownCertificate is a certificate from files that are renewed under a running server.
type ownCertificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	changed time.Time
	checked time.Time
}

// get gives the certificate, nil when none could ever be read.
func (o *ownCertificate) get() *tls.Certificate {
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Since(o.checked) < certificateCheck {
		return o.loaded
	}
	o.checked = time.Now()
	info, err := os.Stat(o.cert)
	if err != nil {
		o.log.Error("look at the certificate", "file", o.cert, "err", err)
		return o.loaded
	}
	if o.loaded != nil && info.ModTime().Equal(o.changed) {
		return o.loaded
	}
	c, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		o.log.Error("read the certificate", "file", o.cert, "err", err) // the one in use stays
		return o.loaded
	}
	o.loaded, o.changed = &c, info.ModTime()
	return o.loaded
}
