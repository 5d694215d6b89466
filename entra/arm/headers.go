package arm

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/treatyfed/treaty/core/audit"
)

// routedBy is the region that answers name as the one that routed them.
const routedBy = "WESTUS"

// begin names the request and sets the headers of every answer
// (recordings of azure-dev's functional tests; Microsoft Learn, "Request limits and throttling").
func (s *Service) begin(w http.ResponseWriter, r *http.Request) (context.Context, error) {
	ctx := r.Context()
	ar := audit.RequestOf(ctx)
	if ar.ID == "" {
		id, err := s.newID()
		if err != nil {
			return ctx, err
		}
		ar.ID = id
		ctx = audit.WithRequest(ctx, ar)
	}
	ar.Surface = "arm"
	correlation := r.Header.Get("x-ms-correlation-request-id")
	if !isGUID(correlation) {
		correlation = ar.ID
	}
	client := r.Header.Get("x-ms-client-request-id")
	switch {
	case correlation != ar.ID:
		ar.CorrelationID = correlation
	case isGUID(client):
		ar.CorrelationID = client
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("x-ms-request-id", ar.ID)
	h.Set("x-ms-correlation-request-id", correlation)
	h.Set("x-ms-routing-request-id", routedBy+":"+s.Now().UTC().Format("20060102T150405Z")+":"+ar.ID)
	if strings.EqualFold(r.Header.Get("x-ms-return-client-request-id"), "true") && isGUID(client) {
		h.Set("x-ms-client-request-id", client)
	}
	return ctx, nil
}

// limitHeaders tells what is left of the caller's allowance. We do not throttle, so it is always ARM's
// full bucket less this request: 12000 reads, 1200 writes, 15000 deletes.
func (s *Service) limitHeaders(w http.ResponseWriter, r *http.Request, t target) {
	level := "tenant"
	if t.Subscription != "" {
		level = "subscription"
	}
	kind, left := "writes", "1199"
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		kind, left = "reads", "11999"
	case http.MethodDelete:
		kind, left = "deletes", "14999"
	}
	w.Header().Set("x-ms-ratelimit-remaining-"+level+"-"+kind, left)
}

// base is the scheme and host that links back to us carry: our own name when we were asked by it, else
// the host that was asked.
func (s *Service) base(r *http.Request) string {
	if u, err := url.Parse(s.ARMURL); err == nil && strings.EqualFold(u.Host, r.Host) {
		return strings.TrimSuffix(s.ARMURL, "/")
	}
	if r.TLS == nil {
		return "http://" + r.Host
	}
	return "https://" + r.Host
}

// isGUID reports whether s has the form 8-4-4-4-12 in hexadecimal digits of any case.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range []byte(s) {
		switch i {
		case 8, 13, 18, 23:
			if r != '-' {
				return false
			}
		default:
			if !strings.ContainsRune("0123456789abcdefABCDEF", rune(r)) {
				return false
			}
		}
	}
	return true
}
