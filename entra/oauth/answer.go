package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"strconv"

	"github.com/treatyfed/treaty/entra/aadsts"
)

// server is what x-ms-ests-server says: build, site and slice of the answering host.
const server = "2.1.22500.4 - TREATY ProdSlices"

// headers sets what every answer of the authority carries (recorded by Azure/kubelogin).
func (s *Service) headers(h http.Header, c *call) {
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("P3P", `CP="DSP CUR OTPi IND OTRi ONL FIN"`)
	h.Set("client-request-id", c.record.CorrelationID)
	h.Set("x-ms-request-id", c.record.ID)
	h.Set("x-ms-ests-server", server)
	h.Set("x-ms-srs", "1.P")
	h.Set("X-XSS-Protection", "0")
}

// document is a handler of a public document: bytes, or an error for the client.
type document func(ctx context.Context, r *http.Request, c *call) ([]byte, error)

// read serves a public document by GET, HEAD and, for browsers of any origin, OPTIONS.
func (s *Service) read(w http.ResponseWriter, r *http.Request, c *call, operation string, d document) {
	c.record.Operation = operation
	h := w.Header()
	s.headers(h, c)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, OPTIONS")
	switch r.Method {
	case http.MethodOptions:
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
			h.Set("Access-Control-Allow-Headers", "client-request-id, x-client-sku, x-client-ver, x-ms-lib-capability, x-client-current-telemetry, x-client-last-telemetry, x-app-name, x-app-ver")
		}
		w.WriteHeader(http.StatusNoContent)
		return
	case http.MethodGet, http.MethodHead:
	default:
		h.Set("Allow", "GET, HEAD, OPTIONS")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, err := d(r.Context(), r, c)
	status := http.StatusOK
	if err != nil {
		refusal := s.refusal(r.Context(), c, err)
		body, status = s.errorBody(c, refusal), refusal.Status()
	}
	h.Set("Content-Type", "application/json; charset=utf-8")
	if h.Set("Cache-Control", "max-age=86400, private"); status >= http.StatusInternalServerError {
		h.Set("Cache-Control", "no-store, no-cache")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone if this fails
	}
}

// refuse writes an error of the token endpoint.
func (s *Service) refuse(w http.ResponseWriter, c *call, e *aadsts.Error) {
	c.record.Code = e.Code.String()
	s.answer(w, c, e.Status(), s.errorBody(c, e), e.Code)
}

// answer writes a body of the token endpoint; code is 0 on success.
func (s *Service) answer(w http.ResponseWriter, c *call, status int, body []byte, code aadsts.Code) {
	h := w.Header()
	s.headers(h, c)
	h.Set("Cache-Control", "no-store, no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("x-ms-clitelem", "1,"+strconv.Itoa(int(code))+",0,,")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone if this fails
}

func (s *Service) errorBody(c *call, e *aadsts.Error) []byte { return e.Body(s.meta(c)) }

func (s *Service) meta(c *call) aadsts.Meta {
	return aadsts.Meta{TraceID: c.record.ID, CorrelationID: c.record.CorrelationID, Time: c.now, Authority: c.base}
}

// refusal turns what went wrong into what the client reads. Failures of our own are logged here, and
// only here, under the id that the answer names.
func (s *Service) refusal(ctx context.Context, c *call, err error) *aadsts.Error {
	var e *aadsts.Error
	if errors.As(err, &e) {
		c.record.Code = e.Code.String()
		return e
	}
	if s.Log != nil {
		s.Log.ErrorContext(ctx, "entra request failed", "trace_id", c.record.ID, "operation", c.record.Operation, "error", err)
	}
	e = aadsts.New(aadsts.TokenIssuanceError)
	c.record.Code = e.Code.String()
	return e
}

// refusePage answers the authorize endpoint, whose errors are pages for people: no interactive grant is
// enabled here yet.
func (s *Service) refusePage(w http.ResponseWriter, r *http.Request, c *call) {
	c.record.Operation = "authorize"
	asked := r.URL.Query().Get("response_type")
	e := aadsts.New(aadsts.ResponseTypeUnsupported, asked)
	c.record.Code = e.Code.String()
	h := w.Header()
	s.headers(h, c)
	h.Set("Cache-Control", "no-store, no-cache")
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusBadRequest)
	text := html.EscapeString(e.Description(s.meta(c)))
	_, _ = w.Write([]byte("<!DOCTYPE html><html><head><title>Sign in to your account</title></head><body><h1>Sorry, but we’re having trouble signing you in.</h1><p>" + text + "</p></body></html>\n"))
}

func aadstsUnsupportedGrant(grant string) *aadsts.Error {
	return aadsts.New(aadsts.GrantUnsupported, grant)
}

// encode writes v as JSON; the values here always encode.
func encode(v any) ([]byte, error) { return json.Marshal(v) }
