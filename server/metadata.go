package server

import (
	"errors"
	"net/http"
	"strings"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/idp"
	"github.com/treatyfed/treaty/server/names"
)

// googleMetadata is where Google's machines learn about themselves; every other path is Azure's.
const googleMetadata = "/computeMetadata/"

// serveMetadata answers what a workload asks the machine it runs on, in plain http at the proxy's address:
//
//	/metadata/…         the machine "default", as at 169.254.169.254
//	/machines/NAME/…    a machine by name
//	/computeMetadata/…  the issuer with the preset google, as at metadata.google.internal
func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request) {
	s.serve(w, r, func(w http.ResponseWriter, r *http.Request, _ place) {
		s.gate.RLock()
		defer s.gate.RUnlock()
		switch {
		case strings.HasPrefix(r.URL.Path, googleMetadata), r.URL.Path == "/" && r.Header.Get("Metadata-Flavor") != "":
			if !names.Metadata(r.Host) && !s.identities.Host(r.Host).OK {
				audit.RequestOf(r.Context()).Surface = idp.Surface
				text(w, http.StatusForbidden, "the Host header is none of a machine's metadata service")
				return
			}
			s.idp.Metadata().ServeHTTP(w, r)
		case !strings.HasPrefix(r.URL.Path, machinesPath) && s.noMachine(r):
			audit.RequestOf(r.Context()).Surface = "managed-identity"
			// azidentity's chain takes a 403 that says "unreachable" for a machine without an identity service.
			text(w, http.StatusForbidden, "the metadata service is unreachable: no machine is named default, see treaty machine create --help")
		default:
			s.identities.Handler().ServeHTTP(w, r)
		}
	})
}

const (
	machinesPath   = "/machines/"
	defaultMachine = "default"
)

// noMachine reports whether there is no machine for requests that name none.
func (s *Server) noMachine(r *http.Request) bool {
	_, err := s.store.Machines.Machine(r.Context(), defaultMachine)
	return errors.Is(err, fault.NotFound)
}

// machineBase is where machines answer: the proxy, or in a server that does not listen what only its own
// client reaches.
func (s *Server) machineBase() string {
	if p := s.ProxyURL(); p != "" {
		return p
	}
	return "http://169.254.169.254"
}
