package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/wire/sigv4"
)

// Values of X-Amz-Content-Sha256 beside hashes (Amazon S3 API reference, "Signature calculations for the
// Authorization header").
const unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

var hexHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// maxDocument bounds a body that is read here: a thousand keys to delete, each of 1 KiB at most, escaped.
const maxDocument = 2 << 20

// payload is a request's body on its way: verified while it is read, or in the framing of the client.
type payload struct {
	io.Reader
	length int64 // -1: unknown
	hash   string
}

// payload gives the body. Where the signature covers it, its last bytes come only if they are authentic,
// so that what stands behind never has a complete body that is not.
func (x *s3Call) payload(h http.Header) (payload, error) {
	p := payload{Reader: x.incoming(), length: x.r.ContentLength, hash: x.hash}
	switch {
	case x.r.Body == nil || x.r.ContentLength == 0 && !strings.HasPrefix(x.hash, "STREAMING-"):
		if hexHash.MatchString(x.hash) && x.hash != hashOf(nil) {
			return p, &errContentHash
		}
		return payload{Reader: http.NoBody, hash: hashOf(nil)}, nil
	case x.hash == unsignedTrailer:
		if x.s.Gateway != nil { // keeps what it is told for the object's encoding
			unframe(h)
		}
		return p, nil // the framing goes on as it is
	case x.hash == sigv4.SignedChunks, x.hash == sigv4.SignedChunksTrailer:
		return x.chunks(h, p)
	case p.length < 0:
		return p, &errMissingLength
	case x.hash == "" || x.hash == unsignedPayload:
		p.hash = unsignedPayload
		return p, nil
	case hexHash.MatchString(x.hash):
		p.Reader = &hashed{src: p.Reader, left: p.length, sum: sha256.New(), want: x.hash}
		return p, nil
	case strings.HasPrefix(x.hash, "STREAMING-AWS4-ECDSA-P256-SHA256-"):
		return p, errNotImplemented.saying("Signature Version 4A is not implemented.")
	}
	return p, errInvalidArgument.saying("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.")
}

// incoming is the body as it comes. What breaks it is kept for the answer.
func (x *s3Call) incoming() io.Reader {
	if x.r.Body == nil {
		return http.NoBody
	}
	return patientReader{x.r.Body, x.patience}
}

// chunks takes signed chunks out of their framing; those with a trailer get the framing without signatures,
// because the trailer has to go on too.
func (x *s3Call) chunks(h http.Header, p payload) (payload, error) {
	length, err := strconv.ParseInt(x.r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || length < 0 {
		return p, &errMissingLength
	}
	if x.caller.nameless {
		return p, errInvalidRequest.saying("A payload in signed chunks needs a signed request.")
	}
	signed := x.hash == sigv4.SignedChunksTrailer
	c := x.caller.signed.Chunks(x.caller.key.Secret.Reveal(), &x.s.keys, p.Reader, length, signed)
	if signed {
		if x.s.Gateway != nil {
			unframe(h)
		}
		return payload{Reader: &frames{src: c}, length: -1, hash: unsignedTrailer}, nil
	}
	h.Del("X-Amz-Decoded-Content-Length")
	unframe(h)
	return payload{Reader: c, length: length, hash: unsignedPayload}, nil
}

// unframe takes the framing out of the list of encodings.
func unframe(h http.Header) {
	var kept []string
	for e := range strings.SplitSeq(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		if e = strings.TrimSpace(e); e != "" && !strings.EqualFold(e, "aws-chunked") {
			kept = append(kept, e)
		}
	}
	if h.Del("Content-Encoding"); kept != nil {
		h.Set("Content-Encoding", strings.Join(kept, ","))
	}
}

// hashed compares a body of known length with its hash before it gives the last bytes.
type hashed struct {
	src  io.Reader
	left int64
	sum  hash.Hash
	want string
}

func (b *hashed) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.src.Read(p[:min(int64(len(p)), b.left)])
	b.sum.Write(p[:n])
	b.left -= int64(n)
	switch {
	case b.left == 0 && hex.EncodeToString(b.sum.Sum(nil)) != b.want:
		return 0, &errContentHash
	case b.left == 0:
		return n, nil
	case err == io.EOF:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// frames puts a payload into aws-chunked framing without signatures, its trailer behind it.
type frames struct {
	src  *sigv4.Chunks
	out  []byte
	done bool
}

const frame = 64 << 10

func (f *frames) Read(p []byte) (int, error) {
	for len(f.out) == 0 {
		if f.done {
			return 0, io.EOF
		}
		data := make([]byte, frame)
		n, err := io.ReadFull(f.src, data)
		if n > 0 {
			f.out = append(strconv.AppendInt(nil, int64(n), 16), "\r\n"...)
			f.out = append(append(f.out, data[:n]...), "\r\n"...)
		}
		switch {
		case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) && f.src.Ended():
			f.out = append(f.out, "0\r\n"...)
			for name, value := range f.src.Trailer {
				f.out = append(f.out, name+":"+value+"\r\n"...)
			}
			f.out = append(f.out, "\r\n"...)
			f.done = true
		case err != nil:
			f.out = nil // an incomplete frame would be of no use
			return 0, err
		}
	}
	n := copy(p, f.out)
	f.out = f.out[n:]
	return n, nil
}

// course is how far a body that goes on has come.
type course struct {
	mu    sync.Mutex
	ended bool
	err   error // what ended it before its end
}

func (c *course) state() (ended bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended, c.err
}

// noting is a body whose course is noted.
type noting struct {
	io.Reader
	course *course
}

func (n noting) Read(p []byte) (int, error) {
	count, err := n.Reader.Read(p)
	if err != nil {
		n.course.mu.Lock()
		defer n.course.mu.Unlock()
		if n.course.ended = err == io.EOF; !n.course.ended {
			n.course.err = err
		}
	}
	return count, err
}

// bodyError says what was wrong with a body.
func bodyError(c caller, err error) error {
	var known *s3Error
	var p *sigv4.Problem
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &p) && p.Kind == sigv4.Mismatched:
		return errSignature.with("AWSAccessKeyId", op.Claimed(c.signed.Credential.AccessKeyID))
	case errors.As(err, &p):
		return errIncompleteBody.saying("%s", p.Message)
	case errors.As(err, new(*http.MaxBytesError)), errors.Is(err, errTooLarge):
		return &errEntityTooLarge
	}
	return &errIncompleteBody
}

// read gives a body of which something has to be known before it goes on.
func (x *s3Call) read() ([]byte, error) {
	if strings.HasPrefix(x.hash, "STREAMING-") {
		return nil, errInvalidArgument.saying("%s is for uploads only.", x.hash)
	}
	p, err := x.payload(http.Header{})
	if err != nil {
		return nil, err
	}
	b, err := readAll(p, maxDocument)
	if err != nil {
		return nil, bodyError(x.caller, err)
	}
	return b, checkMD5(x.r.Header, b)
}

// dropped are the headers that end here: those of the connection, of the signature, and what says where a
// request came from.
var dropped = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Authorization", "X-Amz-Security-Token", "X-Amz-Date", "Date", "X-Amz-Content-Sha256", "X-Amz-Expected-Bucket-Owner", "X-Amz-Source-Expected-Bucket-Owner",
	"Content-Length", "Expect", "Cookie", "Host", "Forwarded", "Via", "X-Real-Ip", "Http2-Settings", "X-Http-Method-Override", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request",
}

// onward are a request's headers as they go on.
func onward(in http.Header, copying bool) http.Header {
	out := http.Header{}
	gone := slices.Clone(dropped)
	for _, v := range in.Values("Connection") {
		for name := range strings.SplitSeq(v, ",") {
			gone = append(gone, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	for name, values := range in {
		switch {
		case slices.Contains(gone, name), strings.HasPrefix(name, "X-Forwarded-"), strings.HasPrefix(name, "X-Amz-Copy-Source") && !copying:
			continue
		}
		out.Set(name, strings.Join(values, ",")) // as the signature had them
	}
	if out.Get("Accept-Encoding") == "" {
		out.Set("Accept-Encoding", "identity") // or the transport asks for gzip, and unpacks
	}
	return out
}
