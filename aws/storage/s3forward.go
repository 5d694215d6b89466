package storage

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/treatyfed/treaty/core/policy"
)

// endpoint is where a request goes on to, in the name of an account.
func (x *s3Call) endpoint(account string) (*Endpoint, error) {
	s := x.s
	if s.Gateway == nil {
		return s.Endpoint, nil
	}
	s.once.Do(func() {
		// A connection for each request: the gateway may leave the rest of a body unread that is framed
		// within (aws-chunked), and would take it for the next request, whose answer went to somebody else.
		s.inner = &http.Transport{
			DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return s.Gateway.Dial(ctx) },
			DisableCompression: true, DisableKeepAlives: true,
		}
	})
	return within(s.Gateway, s.inner, account, s.Wall)
}

// forward sends the request on and its answer back.
func (x *s3Call) forward(ctx context.Context) error {
	answer, err := x.send(ctx)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return x.answer(ctx, answer)
}

// send sends the request on: its method, target, known parameters, headers and body.
func (x *s3Call) send(ctx context.Context) (*http.Response, error) {
	e, err := x.endpoint(x.bucket.Owner)
	if err != nil {
		return nil, err
	}
	h := onward(x.r.Header, x.operation.copies())
	if x.operation.copies() {
		h.Set("X-Amz-Copy-Source", x.source.header())
	}
	if x.s.Gateway != nil {
		x.query.Del("versionId") // "null" (see checkVersion): the object itself, of which the backend knows no version
	}
	p := payload{}
	if x.document == nil {
		if p, err = x.payload(h); err != nil {
			return nil, err
		}
	} else {
		p = payload{Reader: bytes.NewReader(x.document), length: int64(len(x.document)), hash: hashOf(x.document)}
		seal(h, x.document)
	}
	var body io.Reader
	if p.length != 0 {
		body = noting{p.Reader, &x.course}
	}
	answer, err := e.send(ctx, "s3", x.r.Method, x.target.path(), x.query, h, body, p.length, p.hash)
	if _, broken := x.course.state(); err != nil && broken != nil {
		return nil, bodyError(x.caller, broken)
	}
	return answer, err
}

// seal gives a body that was written here the checksum that S3 asks for, instead of the client's.
func seal(h http.Header, body []byte) {
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-Checksum-") || name == "X-Amz-Sdk-Checksum-Algorithm" || name == "X-Amz-Trailer" || name == "Content-Encoding" {
			h.Del(name)
		}
	}
	sum := md5.Sum(body)
	h.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
}

// checkMD5 holds a body against its Content-MD5.
func checkMD5(h http.Header, body []byte) error {
	v := h.Get("Content-Md5")
	if v == "" {
		return nil
	}
	if sum := md5.Sum(body); v != base64.StdEncoding.EncodeToString(sum[:]) {
		return &errBadDigest
	}
	return nil
}

// notReturned are the headers of an answer that are its connection's.
var notReturned = []string{"Connection", "Keep-Alive", "Transfer-Encoding", "Trailer", "Upgrade", "Www-Authenticate"}

// metadata begins the headers of an object's own metadata. S3 writes them in small letters, and clients on
// HTTP/1.1 show the names as they came.
const metadata = "X-Amz-Meta-"

// answer gives an answer back under our request id.
func (x *s3Call) answer(ctx context.Context, a *http.Response) error {
	h := x.w.Header()
	for name, values := range a.Header {
		if strings.HasPrefix(name, metadata) {
			name = strings.ToLower(name)
		}
		h[name] = values
	}
	for _, name := range notReturned {
		h.Del(name)
	}
	x.name(h)
	if x.bucket.Region != "" && h.Get("X-Amz-Bucket-Region") != "" {
		h.Set("X-Amz-Bucket-Region", x.bucket.Region)
	}
	if a.StatusCode >= http.StatusBadRequest {
		return x.answerError(ctx, a)
	}
	x.w.WriteHeader(a.StatusCode)
	if x.r.Method == http.MethodHead {
		return nil
	}
	if _, err := io.CopyBuffer(patientWriter{x.w, x.patience}, a.Body, make([]byte, frame)); err != nil {
		panic(http.ErrAbortHandler) // half of an answer is out
	}
	return nil
}

var (
	errorCode = regexp.MustCompile(`<Code>([A-Za-z0-9.]{1,64})</Code>`)
	errorIDs  = regexp.MustCompile(`<(RequestId|HostId)>[^<]*</(?:RequestId|HostId)>`)
)

// maxError bounds an error's document.
const maxError = 64 << 10

// answerError gives an error back. Whoever may not list a bucket does not learn which keys it lacks (S3 API
// reference, GetObject: "If you don't have the s3:ListBucket permission, Amazon S3 returns an HTTP status
// code 403").
func (x *s3Call) answerError(ctx context.Context, a *http.Response) error {
	b, err := readAll(a.Body, maxError)
	if err != nil {
		return errNoWay{err}
	}
	x.info.Code = http.StatusText(a.StatusCode)
	if m := errorCode.FindSubmatch(b); m != nil {
		x.info.Code = string(m[1])
	}
	if a.StatusCode == http.StatusNotFound && (x.operation.name == "GetObject" || x.operation.name == "HeadObject") && x.info.Code != "NoSuchBucket" {
		if err := x.mayKnow(ctx); err != nil {
			return err
		}
	}
	b = errorIDs.ReplaceAllFunc(b, func(m []byte) []byte {
		if bytes.HasPrefix(m, []byte("<RequestId>")) {
			return []byte("<RequestId>" + x.info.ID + "</RequestId>")
		}
		return []byte("<HostId>" + hostID(x.info.ID) + "</HostId>")
	})
	h := x.w.Header()
	h.Del("Content-Length")
	if ended, _ := x.course.state(); !ended && x.r.ContentLength != 0 {
		h.Set("Connection", "close") // the rest of the body is not read
	}
	x.w.WriteHeader(a.StatusCode)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(b)
	}
	return nil
}

// mayKnow decides whether the caller may learn that there is no such object.
func (x *s3Call) mayKnow(ctx context.Context) error {
	d := demand{"s3:ListBucket", target{bucket: x.target.bucket}, x.bucket}
	decision, refusal, err := x.decide(ctx, d)
	if err != nil || refusal == nil {
		return err
	}
	for _, name := range []string{"Content-Length", "Etag", "Last-Modified"} {
		x.w.Header().Del(name)
	}
	return x.refused(ctx, refusal, d.target.arn(), []policy.Decision{decision})
}

// preflight lets a browser ask what a bucket's CORS rules permit: nobody signs that, and it shows nothing
// but the rules.
func (x *s3Call) preflight(ctx context.Context) error {
	x.info.Operation = "OptionsObject"
	if x.target.bucket == "" {
		return &errMethod
	}
	x.query, x.caller.nameless = url.Values{}, true
	if err := x.locate(ctx); err != nil {
		return err
	}
	if x.r.ContentLength != 0 {
		return errInvalidRequest.saying("A preflight has no body.")
	}
	return x.forward(ctx)
}
