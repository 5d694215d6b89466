package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/server/names"
)

// maxBody bounds a request's body, 1 MiB; surfaces have tighter bounds of their own. AWS's bound theirs
// alone: objects, items and metadata of identity providers are larger.
const maxBody = 1 << 20

// ServeHTTP answers one request of any listener: it names it, bounds it, hands it to its surface, and
// writes the log line, the metrics and the span from what the surface noted.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.serve(w, r, s.gated)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, next func(w http.ResponseWriter, r *http.Request, at place)) {
	start := time.Now() // the machine's time, also when the twin's clock stands
	defer s.metrics.Begin()()
	ctx, span := s.traces.Begin(r, shownPath(r.URL.Path))
	req := &audit.Request{ID: s.newID()}
	r = r.WithContext(audit.WithRequest(ctx, req))
	at := s.placeOf(r)
	if r.Body != nil && at.surface != names.S3 && at.surface != names.DynamoDB && at.surface != names.AWS {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	}
	rec := &response{ResponseWriter: w}
	defer func() {
		aborted := s.recovered(rec, r, req, recover())
		took := time.Since(start)
		status := rec.status
		if status == 0 {
			status = http.StatusOK
		}
		s.metrics.Observe(req.Surface, req.Operation, req.Code, status, took)
		span.End(req.Surface, req.Operation, req.Code, req.ID, status)
		s.logRequest(r, req, rec, status, took, span.ID())
		if aborted {
			panic(http.ErrAbortHandler)
		}
	}()
	next(rec, r, at)
}

// recovered answers for a handler that panicked; it reports whether the connection must be given up
// because half of an answer is out.
func (s *Server) recovered(rec *response, r *http.Request, req *audit.Request, p any) bool {
	if p == nil {
		return false
	}
	req.Code = "panic"
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	s.log.Error("a handler panicked", "path", shownPath(r.URL.Path), "request_id", req.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if rec.status != 0 {
		return true
	}
	rec.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rec.WriteHeader(http.StatusInternalServerError)
	fmt.Fprintf(rec, "internal error, request id %s\n", req.ID)
	return false
}

func (s *Server) logRequest(r *http.Request, req *audit.Request, rec *response, status int, took time.Duration, traceID string) {
	level := slog.LevelInfo
	if req.Surface == string(ownSurface) {
		level = slog.LevelDebug
	}
	if status >= 500 && status != http.StatusNotImplemented { // what is not implemented is answered as it should be
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("host", r.Host), slog.String("path", shownPath(r.URL.Path)),
		slog.String("surface", req.Surface), slog.String("operation", req.Operation), slog.String("caller", req.Caller),
		slog.String("code", req.Code), slog.Int("status", status), slog.Duration("took", took),
		slog.Int64("bytes", rec.bytes), slog.String("request_id", req.ID),
	}
	if req.CorrelationID != "" {
		attrs = append(attrs, slog.String("correlation_id", req.CorrelationID))
	}
	if traceID != "" {
		attrs = append(attrs, slog.String("trace_id", traceID))
	}
	s.log.LogAttrs(context.WithoutCancel(r.Context()), level, "request", attrs...)
}

// shellPath begins the path of a Cloud Shell, in any case of letters as it is answered.
var shellPath = regexp.MustCompile(`^((?:/machines/[^/]*)?/(?i:cloudshell)/)[^/]*`)

// shownPath is a request's path for log and traces. A Cloud Shell's is as secret as a header.
func shownPath(path string) string { return shellPath.ReplaceAllString(path, "${1}…") }

// response notes status and size of what is written.
type response struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController through.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
