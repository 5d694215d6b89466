package graph

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/odata"
	"github.com/treatyfed/treaty/wire/rest"
)

// answer is a response with a body; a nil *answer is 204.
type answer struct {
	status   int // 0: 200
	body     any
	location string
	plain    bool // text/plain, for $count

	references bool   // the body is a reference or a list of them
	metadata   string // how much control information it has
}

// Status is 200 unless set.
func (a *answer) Status() int {
	if a.status == 0 {
		return http.StatusOK
	}
	return a.status
}

// Headers are those of an answer with a body.
func (a *answer) Headers() http.Header {
	h := http.Header{"Content-Type": {jsonType(a.metadata)}, "OData-Version": {"4.0"}}
	if a.plain {
		h.Set("Content-Type", "text/plain")
	}
	if a.location != "" {
		h.Set("Location", a.location)
	}
	return h
}

// MarshalJSON writes the body; members are in alphabetical order, which puts annotations first.
func (a *answer) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(a.body); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// failure is an error as Graph tells it.
type failure struct {
	Status  int
	Code    string
	Message string
	Details []detail
}

// detail is one entry of error.details.
type detail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Target  string `json:"target,omitempty"`
}

// envelope is what is under error, in Graph's order ("Microsoft Graph error responses and resource types").
type envelope struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Details []detail `json:"details,omitempty"`
	Inner   inner    `json:"innerError"`
}

// inner says which request it was.
type inner struct {
	Date            string `json:"date"`
	RequestID       string `json:"request-id"`
	ClientRequestID string `json:"client-request-id"`
}

func (f *failure) Error() string { return f.Code + ": " + f.Message }

func badRequest(message string) *failure {
	return &failure{Status: http.StatusBadRequest, Code: "Request_BadRequest", Message: message}
}

func unauthenticated(message string) *failure {
	return &failure{Status: http.StatusUnauthorized, Code: "InvalidAuthenticationToken", Message: message}
}

func notFound(id string) *failure {
	return &failure{Status: http.StatusNotFound, Code: "Request_ResourceNotFound",
		Message: "Resource '" + clip(id) + "' does not exist or one of its queried reference-property objects are not present."}
}

func conflict(message string) *failure {
	return &failure{Status: http.StatusConflict, Code: "Request_MultipleObjectsWithSameKeyValue", Message: message}
}

// invalidValue is the text for a value that does not fit its property.
func invalidValue(property, resource string) *failure {
	return badRequest("Invalid value specified for property '" + clip(property) + "' of resource '" + resource + "'.")
}

// unreadable is the text for a body that is no JSON object.
const unreadable = "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."

// explain turns any error into what Graph would say. internal is true when the client is told nothing of it.
func explain(err error) (f *failure, internal bool) {
	var query *odata.Error
	var body *rest.BadRequest
	switch {
	case errors.As(err, &f):
		return f, false
	case errors.As(err, &query):
		return &failure{Status: http.StatusBadRequest, Code: query.Code, Message: query.Message}, false
	case errors.As(err, &body) && body.Status == http.StatusUnsupportedMediaType:
		return &failure{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Entity only allows writes with a JSON Content-Type header."}, false
	case errors.As(err, &body) && body.Status == http.StatusRequestEntityTooLarge:
		return &failure{Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge", Message: "The request payload is too large."}, false
	case errors.As(err, &body) && strings.HasPrefix(body.Field, "body"):
		return &failure{Status: http.StatusBadRequest, Code: "BadRequest", Message: unreadable}, false
	case errors.As(err, &body):
		return &failure{Status: http.StatusBadRequest, Code: "BadRequest", Message: "The request URI is not valid: " + clip(body.Field) + ": " + body.Reason + "."}, false
	}
	switch fault.KindOf(err) {
	case fault.Throttled:
		return &failure{Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "Too many requests from the calling application."}, true
	case fault.Unavailable:
		return &failure{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "The service is unavailable. Try the request again after a delay."}, true
	case fault.Invalid:
		return badRequest("One or more property values specified are invalid."), true
	}
	return &failure{Status: http.StatusInternalServerError, Code: "Service_InternalServerError", Message: "Encountered an internal server error."}, true
}

// fail writes an error in Graph's envelope.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, err error) {
	f, internal := explain(err)
	req := audit.RequestOf(r.Context())
	req.Code = f.Code
	if internal && s.Log != nil {
		s.Log.LogAttrs(r.Context(), slog.LevelError, "graph request failed", slog.String("request_id", req.ID), slog.String("error", err.Error()))
	}
	h := w.Header()
	switch f.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="", authorization_uri="`+s.Authority+`/common/oauth2/authorize", client_id="`+graphAppID+`"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	}
	h.Set("Content-Type", "application/json")
	e := envelope{Code: f.Code, Message: f.Message, Details: f.Details,
		Inner: inner{s.Now().UTC().Format("2006-01-02T15:04:05"), req.ID, req.CorrelationID}}
	if err := rest.Write(w, f.Status, map[string]envelope{"error": e}); err != nil && s.Log != nil {
		s.Log.LogAttrs(r.Context(), slog.LevelError, "graph error was not written", slog.String("error", err.Error()))
	}
}

// record audits a write that was done.
func (s *Service) record(ctx context.Context, c *call, resource string) error {
	return s.event(ctx, c, audit.Event{Resource: resource, Outcome: audit.Allowed})
}

func (s *Service) event(ctx context.Context, c *call, e audit.Event) error {
	req := audit.RequestOf(ctx)
	e.RequestID, e.CorrelationID, e.Surface, e.Operation = req.ID, req.CorrelationID, "graph", req.Operation
	e.Time, e.Caller = s.Now().UTC(), c.objectID
	return s.Audit.Record(ctx, e)
}

// random returns n bytes of the service's randomness. It panics when there is none, as a handler that
// cannot make an unguessable id must not go on; the server answers 500 and lives.
func (s *Service) random(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.Rand, b); err != nil {
		panic(fault.Wrap(fault.Internal, "graph: read random bytes", err))
	}
	return b
}

// newGUID makes a random GUID (RFC 9562 section 5.4).
func (s *Service) newGUID() string {
	b := s.random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	x := hex.EncodeToString(b)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// isGUID reports whether id is a GUID in its usual form.
func isGUID(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// stamp writes a time as Graph does, or null for none.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.9999999Z")
}

// text writes "" as null.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// clip bounds what an error text repeats of the request.
func clip(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}
