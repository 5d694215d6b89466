package gateway

import (
	"io"

	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3err"
)

// whole is the body of an upload that fails when it ends before its announced length. The HTTP server
// below takes a connection that breaks off for the end of a body, and half of an object would be kept.
type whole struct {
	io.Reader
	left int64
}

func (w *whole) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.left -= int64(n)
	if err == io.EOF && w.left > 0 {
		err = s3err.GetAPIError(s3err.ErrIncompleteBody)
	}
	return n, err
}

// wholeSummed is such a body with a checksum in its trailer.
type wholeSummed struct {
	whole
	sum middlewares.ChecksumReader
}

func (w *wholeSummed) Algorithm() string { return w.sum.Algorithm() }
func (w *wholeSummed) Checksum() string  { return w.sum.Checksum() }

// entire makes a body whole.
func entire(body io.Reader, length *int64) io.Reader {
	if body == nil || length == nil {
		return body
	}
	if sum, ok := body.(middlewares.ChecksumReader); ok {
		return &wholeSummed{whole{body, *length}, sum}
	}
	return &whole{body, *length}
}
