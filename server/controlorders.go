package server

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/server/config"
)

// hold keeps a reset from beginning, as gated does for the other surfaces, until what it returns is called.
func (s *Server) hold() (release func()) {
	s.gate.RLock()
	return s.gate.RUnlock
}

// readOrder decodes the body of an order, in which every member must be known.
func (s *Server) readOrder(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil && !errors.Is(d.Decode(&struct{}{}), io.EOF) {
		err = errors.New("there is more than one JSON value")
	}
	if err != nil {
		refuse(w, r, http.StatusBadRequest, "the body does not fit: "+strings.TrimPrefix(err.Error(), "json: "))
		return false
	}
	return true
}

// answerControl answers an order: by kind of fault, in words; what nobody but us can mend goes to the log.
func (s *Server) answerControl(w http.ResponseWriter, r *http.Request, out any, err error) {
	var ps config.Problems
	var f *fault.Fault
	switch {
	case err == nil:
		answerJSON(w, http.StatusOK, out)
		return
	case errors.As(err, &ps):
		refuse(w, r, http.StatusBadRequest, ps.Error())
		return
	case !errors.As(err, &f):
		// falls to the log
	case f.Kind == fault.NotFound:
		refuse(w, r, http.StatusNotFound, Missing(f))
		return
	case f.Kind == fault.Conflict:
		refuse(w, r, http.StatusConflict, taken(f))
		return
	case f.Kind == fault.Invalid:
		refuse(w, r, http.StatusBadRequest, Missing(f))
		return
	}
	s.log.Error("a control order failed", "path", r.URL.Path, "err", err)
	refuse(w, r, http.StatusInternalServerError, "it failed, see the server's log")
}

// taken words a conflict.
func taken(f *fault.Fault) string {
	switch f.Reason {
	case "":
		return f.Op + ": it is there already, or was changed meanwhile"
	case "name", "url", "place":
		return f.Op + ": its " + f.Reason + " is taken"
	}
	return f.Op + ": " + f.Reason
}
