package server

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/fault"
)

// The control interface, under /_treaty/ on the server's own names and behind the credential in
// server.json (Authorization: Bearer). It is for development and tests: resetting and the clock do not
// exist in hub mode.
//
//	POST /_treaty/reset          back to the seeded state: {"took":"12ms"}
//	GET  /_treaty/clock          {"now","frozen","offset"}
//	POST /_treaty/clock          {"freeze":"2026-03-01T00:00:00Z"} or {"freeze":"now"}, {"advance":"1h30m"}, {"resume":true}
//	GET  /_treaty/events/{id}    the audit event of a request id, trace id or correlation id
//	GET  /_treaty/explain/{id}   why it was answered as it was; POST /_treaty/explain: would a token pass (explain.go)
//
// and, in both modes, issuers, tenants and machines (controlissuers.go, controltenants.go, controlmachines.go).

// clockAnswer is what the clock says of itself.
type clockAnswer struct {
	Now    time.Time `json:"now"`
	Frozen bool      `json:"frozen"`
	Offset string    `json:"offset,omitempty"`
}

type clockOrder struct {
	Freeze  string `json:"freeze"`
	Advance string `json:"advance"`
	Resume  bool   `json:"resume"`
}

// maxAdvance keeps the clock within what dates of tokens can say: a hundred years.
const maxAdvance = 100 * 366 * 24 * time.Hour

// ownHandler serves health, metrics and control.
func (s *Server) ownHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /{$}", s.index)
	mux.HandleFunc("GET /_treaty/events/{id}", s.controlled(s.event))
	mux.HandleFunc("GET /_treaty/explain/{id}", s.controlled(s.explainRequest))
	mux.HandleFunc("POST /_treaty/explain", s.controlled(s.explainToken))
	mux.HandleFunc("POST /_treaty/explain/role", s.controlled(s.explainRole))
	mux.HandleFunc("POST /_treaty/explain/policy", s.controlled(s.explainPolicy))
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /_treaty/issuers": s.listIssuers, "POST /_treaty/issuers": s.createIssuer,
		"GET /_treaty/issuers/{name}": s.showIssuer, "PUT /_treaty/issuers/{name}": s.replaceIssuer, "DELETE /_treaty/issuers/{name}": s.deleteIssuer,
		"POST /_treaty/issuers/{name}/rotate": s.rotateIssuer, "POST /_treaty/issuers/{name}/token": s.mintToken,
		"GET /_treaty/issuers/{name}/documents": s.issuerDocuments,
		"GET /_treaty/tenants":                  s.listTenants, "POST /_treaty/tenants": s.createTenant,
		"GET /_treaty/machines": s.listMachines, "POST /_treaty/machines": s.createMachine,
		"GET /_treaty/machines/{name}": s.showMachine, "DELETE /_treaty/machines/{name}": s.deleteMachine,
	} {
		mux.HandleFunc(pattern, s.controlled(h))
	}
	if !s.config.Hub() {
		mux.Handle("GET /metrics", s.metrics.Handler())
		mux.HandleFunc("POST /_treaty/reset", s.controlled(s.reset))
		mux.HandleFunc("GET /_treaty/clock", s.controlled(s.readClock))
		mux.HandleFunc("POST /_treaty/clock", s.controlled(s.setClock))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := audit.RequestOf(r.Context())
		req.Surface = string(ownSurface)
		if _, pattern := mux.Handler(r); pattern != "" { // a path of the client's own choice is no metric's label
			_, path, _ := strings.Cut(pattern, " ")
			req.Operation = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(path, "/{id}"), "{$}"), "/{name}")
		}
		mux.ServeHTTP(w, r)
	})
}

func text(w http.ResponseWriter, status int, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, s+"\n") // the client is gone if this fails
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	audit.RequestOf(r.Context()).Code = http.StatusText(status)
	answerJSON(w, status, map[string]string{"error": why})
}

// ready says whether requests can be answered: the listeners are up and the database answers.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if s.stopping.Load() {
		text(w, http.StatusServiceUnavailable, "stopping")
		return
	}
	if err := s.store.Ping(r.Context()); err != nil {
		s.log.Warn("not ready", "err", err)
		text(w, http.StatusServiceUnavailable, "the database does not answer")
		return
	}
	text(w, http.StatusOK, "ready")
}

func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	mode := "twin: it answers under the clouds' own names to clients that use its proxy (treaty env, treaty exec --twin)"
	if s.config.Hub() {
		mode = "hub: it answers under " + s.names.public
	}
	text(w, http.StatusOK, "Treaty "+s.version+"\n"+mode)
}

// controlled lets in who presents the control credential.
func (s *Server) controlled(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(got), []byte(s.control)) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="treaty control"`)
			refuse(w, r, http.StatusUnauthorized, "present the control credential of server.json")
			return
		}
		next(w, r)
	}
}

func (s *Server) reset(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	if err := s.Reset(r.Context()); err != nil {
		s.log.Error("reset failed", "err", err)
		refuse(w, r, http.StatusInternalServerError, "the reset failed, see the server's log")
		return
	}
	answerJSON(w, http.StatusOK, map[string]string{"took": time.Since(start).Round(10 * time.Microsecond).String()})
}

func (s *Server) readClock(w http.ResponseWriter, _ *http.Request) {
	st := s.clock.State()
	out := clockAnswer{Now: s.clock.Now(), Frozen: st.Frozen}
	if st.Offset != 0 {
		out.Offset = st.Offset.String()
	}
	answerJSON(w, http.StatusOK, out)
}

func (s *Server) setClock(w http.ResponseWriter, r *http.Request) {
	var o clockOrder
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		refuse(w, r, http.StatusBadRequest, "the body is no clock order: "+err.Error())
		return
	}
	if err := s.orderClock(o); err != nil {
		refuse(w, r, http.StatusBadRequest, err.Error())
		return
	}
	s.readClock(w, r)
}

func (s *Server) orderClock(o clockOrder) error {
	given := 0
	for _, g := range []bool{o.Freeze != "", o.Advance != "", o.Resume} {
		if g {
			given++
		}
	}
	if given != 1 {
		return errors.New("give exactly one of freeze, advance, resume")
	}
	switch {
	case o.Resume:
		s.clock.Resume()
	case o.Freeze == "now":
		s.clock.Freeze(s.clock.Now())
	case o.Freeze != "":
		t, err := time.Parse(time.RFC3339, o.Freeze)
		if err != nil {
			return errors.New("freeze: " + o.Freeze + " is neither an RFC 3339 time nor now")
		}
		s.clock.Freeze(t)
	default:
		d, err := time.ParseDuration(o.Advance)
		if err != nil || d > maxAdvance || d < -maxAdvance {
			return errors.New("advance: " + o.Advance + " is no duration such as 90m or -1h, within a hundred years")
		}
		s.clock.Advance(d)
	}
	return nil
}

func (s *Server) event(w http.ResponseWriter, r *http.Request) {
	e, err := s.store.Audit.Find(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, fault.NotFound):
		refuse(w, r, http.StatusNotFound, "no decision is kept under this id")
	case err != nil:
		s.log.Error("read an audit event", "err", err)
		refuse(w, r, http.StatusInternalServerError, "the event could not be read")
	default:
		answerJSON(w, http.StatusOK, e)
	}
}
