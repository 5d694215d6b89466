package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/server/folder"
)

// vouchForAll has the local authority certify the hosts of all issuers, as a twin answers under them. Roots
// that are in the folder already stay as they are. An issuer whose host cannot be certified is answered by its
// name alone: it is no reason for all the others not to be.
func (s *Server) vouchForAll(ctx context.Context) error {
	if s.config.Hub() {
		return nil
	}
	var hosts []string
	for after := ""; ; {
		page, err := s.store.Issuers.Issuers(ctx, after, issuerPage)
		if err != nil {
			return fmt.Errorf("list issuers: %w", err)
		}
		for _, i := range page {
			hosts, after = append(hosts, hostsOf(i)...), i.Name
		}
		if len(page) < issuerPage {
			break
		}
	}
	if len(hosts) == 0 {
		return nil
	}
	if s.folder != nil {
		kept, err := os.ReadFile(s.folder.Path(folder.CAFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read the local authorities: %w", err)
		}
		s.leaves.Adopt(kept, hosts)
	}
	slices.Sort(hosts)
	for _, host := range slices.Compact(hosts) {
		if _, err := s.leaves.Vouch(host); err != nil {
			s.log.Error("certify an issuer's host", "host", host, "err", err)
		}
	}
	return nil
}

// vouchFor is vouchForAll for one issuer that was made or changed: programs that are started from now on
// trust its host.
func (s *Server) vouchFor(i directory.Issuer) error {
	if s.config.Hub() {
		return nil
	}
	fresh, err := s.leaves.Vouch(hostsOf(i)...)
	if fresh {
		s.unwritten.Store(true)
	}
	if err != nil || s.folder == nil || !s.unwritten.Load() {
		return err
	}
	return s.writeAuthorities()
}

// writeAuthorities keeps the roots where clients find them. The last who writes writes all.
func (s *Server) writeAuthorities() error {
	s.vouching.Lock()
	defer s.vouching.Unlock()
	s.unwritten.Store(false) // before they are read: one that comes meanwhile is written by who made it
	err := s.folder.WriteAuthorities(s.leaves.PEM(), s.getenv("SSL_CERT_FILE"))
	if err != nil {
		s.unwritten.Store(true)
	}
	return err
}

func hostsOf(i directory.Issuer) (hosts []string) {
	for _, p := range i.Places {
		hosts = append(hosts, p.Host)
	}
	return hosts
}
