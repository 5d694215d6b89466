package audit

import "context"

// Request is what one request says of itself while it is served: the server makes it, the surface that
// answers fills it in, and the log line and the metrics are written from it. ID is the request id that
// the answer names.
type Request struct {
	ID            string // a GUID
	CorrelationID string
	Surface       string
	Operation     string
	Caller        string
	Code          string // the cloud's own error code, "" on success
}

type requestKey struct{}

// WithRequest puts r into the context.
func WithRequest(ctx context.Context, r *Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestOf returns the request being served; outside of one, an empty request that nobody reads.
func RequestOf(ctx context.Context) *Request {
	if r, ok := ctx.Value(requestKey{}).(*Request); ok {
		return r
	}
	return &Request{}
}
