package arm

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/rest"
)

// Error is ARM's error: {"error":{"code","message","target","details"}} with a status.
type Error struct {
	HTTPStatus int      `json:"-"`
	Code       string   `json:"code"`
	Message    string   `json:"message"`
	Target     string   `json:"target,omitempty"`
	Details    []*Error `json:"details,omitempty"`
	// Challenge is the WWW-Authenticate header of a 401.
	Challenge string `json:"-"`
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func errorf(status int, code, format string, args ...any) *Error {
	return &Error{HTTPStatus: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func errMissingSubscription() *Error {
	return errorf(404, "MissingSubscription", "The request did not have a subscription or a valid tenant level resource provider.")
}

func errNotFound(path string) *Error {
	return errorf(404, "NotFound", "The resource '%s' was not found.", path)
}

func methodNotAllowed(method string) *Error {
	return errorf(405, "MethodNotAllowed", "The requested resource does not support http method '%s'.", method)
}

// errorOf maps any error once to ARM's own; ok is false for an internal one.
func errorOf(err error) (e *Error, ok bool) {
	var br *rest.BadRequest
	switch {
	case errors.As(err, &e):
		return e, true
	case errors.As(err, &br):
		switch br.Status {
		case http.StatusRequestEntityTooLarge:
			return errorf(413, "RequestContentTooLarge", "The request content size exceeds the maximum size of '%d' bytes.", rest.MaxBody), true
		case http.StatusUnsupportedMediaType:
			return errorf(415, "UnsupportedMediaType", "The content media type is not supported. Only 'application/json' is supported."), true
		}
		return errorf(400, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '%s: %s'.", br.Field, br.Reason), true
	}
	switch fault.KindOf(err) {
	case fault.Conflict:
		return errorf(409, "Conflict", "The resource was changed by another request at the same time. Please retry."), true
	case fault.Throttled, fault.Unavailable:
		return errorf(503, "ServerTimeout", "The request timed out. Please retry the request."), true
	}
	return errorf(500, "InternalServerError", "Encountered internal server error."), false
}

// fail answers with err. The text of an internal error goes to the log only.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, err error) {
	e, known := errorOf(err)
	ar := audit.RequestOf(r.Context())
	ar.Code = e.Code
	if !known && s.Log != nil {
		s.Log.ErrorContext(r.Context(), "arm", "request", ar.ID, "operation", ar.Operation, "error", err)
	}
	h := w.Header()
	h.Del("Etag")
	h.Set("x-ms-failure-cause", "gateway")
	if e.Challenge != "" {
		h.Set("WWW-Authenticate", e.Challenge)
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(e.HTTPStatus)
		return
	}
	_ = rest.Write(w, e.HTTPStatus, struct {
		Error *Error `json:"error"`
	}{e})
}
