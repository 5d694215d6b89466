// Package inprocess carries an HTTP exchange to a handler of the same process, without a network.
//
// It owns the http.RoundTripper that makes a client's request into a server's and collects the answer. The
// server uses it to read its own issuers' documents, and hands it to tests and demonstrations in a client
// that answers the clouds' names. Everything else of a connection (TLS, the proxy) is left out.
package inprocess

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// maxAnswer bounds the answer that is collected, 64 MiB: the largest page that a surface may send is far below.
const maxAnswer = 64 << 20

// Transport answers requests from handlers.
type Transport struct {
	// Handler gives the handler that answers an address, whose host may have a port; nil hands the request
	// to Next, and so does a nil Handler.
	Handler func(u *url.URL) http.Handler
	// Next carries the other requests; nil refuses them.
	Next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var h http.Handler
	if t.Handler != nil {
		h = t.Handler(r.URL)
	}
	if h == nil {
		if t.Next == nil {
			closeBody(r)
			return nil, errors.New(r.URL.Host + " is not answered in this process, and nothing else may be asked")
		}
		return t.Next.RoundTrip(r)
	}
	defer closeBody(r)
	w := &recorder{header: http.Header{}, request: r}
	h.ServeHTTP(w, serverSide(r))
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.response()
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // a request's body: nothing depends on how it closes
	}
}

// serverSide makes of a client's request what net/http's server would have read from the wire.
func serverSide(r *http.Request) *http.Request {
	in := r.Clone(r.Context())
	in.Response = nil
	in.RequestURI = r.URL.RequestURI()
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.URL.Scheme, in.URL.Host, in.URL.User, in.URL.Fragment = "", "", nil, ""
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	in.RemoteAddr = "127.0.0.1:0"
	if r.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: r.URL.Hostname()}
	}
	if in.Header == nil {
		in.Header = http.Header{}
	}
	in.Header.Del("Host")
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.ContentLength > 0 {
		in.Header.Set("Content-Length", strconv.FormatInt(in.ContentLength, 10))
	}
	return in
}

// recorder collects an answer.
type recorder struct {
	header  http.Header
	sent    http.Header // as it was when the status was written
	status  int
	body    bytes.Buffer
	request *http.Request
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status != 0 || status < 200 { // informational answers are not collected
		return
	}
	w.status = status
	w.sent = w.header.Clone()
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		if w.header.Get("Content-Type") == "" {
			w.header.Set("Content-Type", http.DetectContentType(b))
		}
		w.WriteHeader(http.StatusOK)
	}
	if w.body.Len()+len(b) > maxAnswer {
		return 0, errors.New("the answer is too large")
	}
	if w.request.Method == http.MethodHead {
		return len(b), nil
	}
	return w.body.Write(b)
}

func (w *recorder) response() (*http.Response, error) {
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		Status:        strconv.Itoa(w.status) + " " + http.StatusText(w.status),
		StatusCode:    w.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        w.sent,
		Body:          io.NopCloser(&w.body),
		ContentLength: int64(w.body.Len()),
		Request:       w.request,
		TLS:           nil,
	}, nil
}
