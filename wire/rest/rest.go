// Package rest turns typed functions into handlers of path-shaped JSON APIs: Microsoft Graph, Azure
// Resource Manager, SCIM.
//
// It owns the binding of path, query, header and body to an input struct, bounded and strict JSON
// decoding, and the writing of answers. It leaves the shape of errors, the headers of an API family and
// the normalisation of paths (any case, keys in parentheses) to the surface that mounts the routes.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// Route is one method and path pattern of http.ServeMux with its handler.
type Route struct {
	Pattern string // "GET /v1.0/applications/{id}"
	serve   func(http.ResponseWriter, *http.Request) error
}

// An output that implements Statuser chooses its own status (201 for created, 200 for replaced).
type Statuser interface{ Status() int }

// An output that implements Headerer adds headers to its answer. A nil header adds none.
type Headerer interface{ Headers() http.Header }

// Empty is an answer without a body: 202 with a Location, 204 to a HEAD.
type Empty struct {
	Code   int
	Header http.Header
}

// Status is Code.
func (e *Empty) Status() int { return e.Code }

// Headers is Header.
func (e *Empty) Headers() http.Header { return e.Header }

// Do makes a route from a typed function. The fields of In are filled from the request by their tags:
//
//	path:"name"      a wildcard of the pattern
//	query:"$top"     a query parameter, its name in any case; query:"*" on url.Values takes them all
//	header:"If-Match"
//	body:""          the JSON body, required; body:"optional" may be absent
//
// Path, query and header fields are string, *string, int, int64, *int, bool, *bool or []string (query
// only). A request that does not fit In is a *BadRequest. A nil *Out is answered with 204, any other as
// JSON with status, unless it is a Statuser, Headerer or *Empty. Do panics on an In that it cannot bind.
func Do[In, Out any](pattern string, status int, h func(context.Context, *In) (*Out, error)) Route {
	bind := binder[In]()
	return Route{pattern, func(w http.ResponseWriter, r *http.Request) error {
		in := new(In)
		if err := bind(r, in); err != nil {
			return err
		}
		out, err := h(r.Context(), in)
		if err != nil {
			return err
		}
		if out == nil {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return Write(w, status, out)
	}}
}

// Raw makes a route from a handler that needs the request itself; an error it returns goes to onError,
// so it must not have written anything by then.
func Raw(pattern string, h func(http.ResponseWriter, *http.Request) error) Route {
	return Route{pattern, h}
}

// Write answers with v as JSON, honouring Statuser, Headerer and *Empty. Text is not escaped for HTML:
// links in bodies keep their "&". Content-Type is application/json; charset=utf-8 unless already set.
func Write(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	empty, bodyless := v.(*Empty)
	if !bodyless {
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return fmt.Errorf("encode %T: %w", v, err)
		}
		b.Truncate(b.Len() - 1) // Encode ends with a newline
	}
	if h, ok := v.(Headerer); ok {
		for k, vs := range h.Headers() {
			w.Header()[http.CanonicalHeaderKey(k)] = vs
		}
	}
	if s, ok := v.(Statuser); ok {
		status = s.Status()
	}
	if bodyless {
		w.WriteHeader(empty.Code)
		return nil
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = io.Copy(w, &b) // the client went away: nobody is left to tell
	return nil
}

// Mount registers routes. before, if any, runs ahead of each handler and sets the headers that every
// answer of the family carries; onError writes the family's own error shape. Neither is called for a
// path that no route matches: the surface mounts its own "/" for that.
func Mount(mux *http.ServeMux, onError func(http.ResponseWriter, *http.Request, error), before func(http.ResponseWriter, *http.Request), routes ...Route) {
	for _, rt := range routes {
		mux.HandleFunc(rt.Pattern, func(w http.ResponseWriter, r *http.Request) {
			if before != nil {
				before(w, r)
			}
			if err := rt.serve(w, r); err != nil {
				onError(w, r, err)
			}
		})
	}
}
