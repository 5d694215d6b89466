package idp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/treatyfed/treaty/core/fault"
)

// Codes of refusals: RFC 6749 section 5.2, RFC 8693 section 2.2.2. What RFC 6749 has for the authorization
// endpoint only stands here for failures of our own.
const (
	invalidRequest       = "invalid_request"
	invalidClient        = "invalid_client"
	invalidGrant         = "invalid_grant"
	unauthorizedClient   = "unauthorized_client"
	unsupportedGrantType = "unsupported_grant_type"
	invalidScope         = "invalid_scope"
	invalidTarget        = "invalid_target"
	serverError          = "server_error"
	notFound             = "not_found"
)

// Refusal is an answer that is no token.
type Refusal struct {
	Code        string
	Description string
	Status      int

	challenge string // WWW-Authenticate
}

func (e *Refusal) Error() string { return e.Code + ": " + e.Description }

// refuse makes a refusal with the usual status of its code.
func refuse(code, description string) *Refusal {
	e := &Refusal{Code: code, Description: description, Status: http.StatusBadRequest}
	if code == invalidClient {
		e.Status = http.StatusUnauthorized
	}
	return e
}

// maxDescription bounds what of a stranger's values comes back.
const maxDescription = 800

// printable is a description in the characters that RFC 6749 section 5.2 allows: ASCII without the
// double quote and the backslash.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r > '~' || r == '\\':
			return '?'
		}
		return r
	}, s)
	if len(s) > maxDescription {
		s = s[:maxDescription-3] + "..."
	}
	return s
}

// refusal turns what went wrong into what the client reads, nil when nothing did. Failures of our own are
// logged here, and only here, under the id that the answer names.
func (s *Service) refusal(ctx context.Context, c *call, err error) *Refusal {
	if err == nil {
		return nil
	}
	var e *Refusal
	if errors.As(err, &e) {
		c.record.Code = e.Code
		return e
	}
	if s.Log != nil {
		s.Log.ErrorContext(ctx, "issuer request failed", "request_id", c.record.ID, "issuer", c.issuer.Name, "operation", c.record.Operation, "error", err)
	}
	c.record.Code = serverError
	e = &Refusal{Code: serverError, Description: "the request could not be served; its id is " + c.record.ID, Status: http.StatusInternalServerError}
	if errors.Is(err, fault.Unavailable) {
		e.Status = http.StatusServiceUnavailable
	}
	return e
}

// writeRefusal writes a refusal.
func (s *Service) writeRefusal(w http.ResponseWriter, e *Refusal) {
	if e.challenge != "" {
		w.Header().Set("WWW-Authenticate", e.challenge)
	}
	s.writeJSON(w, e.Status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.Code, printable(e.Description)})
}

// writeJSON writes an answer that nobody may keep (RFC 6749 section 5.1).
func (s *Service) writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"`+serverError+`"}`)
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("Content-Type", "application/json;charset=UTF-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone if this fails
}

// refuseUnfound answers a request that no issuer, or no endpoint of one, is there for.
func (s *Service) refuseUnfound(w http.ResponseWriter, r *http.Request, err error) {
	c := s.begin(w, r, asked{})
	c.record.Operation = "unknown"
	if !errors.Is(err, fault.NotFound) {
		s.writeRefusal(w, s.refusal(r.Context(), c, err))
		return
	}
	c.record.Code = notFound
	s.writeRefusal(w, &Refusal{Code: notFound, Description: "no issuer answers at this address", Status: http.StatusNotFound})
}
