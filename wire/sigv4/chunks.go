package sigv4

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/textproto"
	"strconv"
	"strings"
)

// Payload hashes that say how a body is framed (Amazon S3 API reference, "Signature calculations for the
// Authorization header: transferring a payload in multiple chunks").
const (
	SignedChunks        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	SignedChunksTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

// Bounds of the framing; the SDKs' lines have some 90 bytes, and one trailer.
const (
	maxChunkLine = 1024
	maxTrailers  = 8
)

// Chunks is the payload of a body that was sent in signed chunks. What Read gives is signed but for the end
// of a chunk under way, and the payload's last bytes come only after the end of the body was verified: who
// gets all of the announced length has an authentic payload. Errors of the signature are a *Problem.
type Chunks struct {
	Trailer map[string]string // by name in lower case, after the end

	body     *bufio.Reader
	trailers bool
	left     int64 // of the announced length
	e        *Examination
	key      [sha256.Size]byte
	previous string // signature
	chunk    int64  // bytes left of the chunk under way
	claimed  string // signature of the chunk under way
	sum      hash.Hash
	ended    bool
	err      error
}

// Chunks reads the payload of body, of which length bytes were announced (X-Amz-Decoded-Content-Length).
// The examination must have been verified. keys may be nil.
func (e *Examination) Chunks(secret string, keys *KeyCache, body io.Reader, length int64, trailers bool) *Chunks {
	return &Chunks{
		body: bufio.NewReaderSize(body, 4*maxChunkLine), trailers: trailers, left: length, e: e,
		key: keys.derive(secret, e.Credential), previous: e.signature, sum: sha256.New(),
	}
}

// Read gives the payload.
func (c *Chunks) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.read(p)
	c.err = err
	return n, err
}

func (c *Chunks) read(p []byte) (int, error) {
	if c.ended {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.chunk == 0 {
		if err := c.next(); err != nil || c.ended {
			return 0, endOr(err)
		}
	}
	n, err := c.body.Read(p[:min(int64(len(p)), c.chunk)])
	c.sum.Write(p[:n])
	c.chunk -= int64(n)
	c.left -= int64(n)
	switch {
	case err != nil:
		return 0, broken(err)
	case c.chunk > 0:
		return n, nil
	}
	if err := c.verify("AWS4-HMAC-SHA256-PAYLOAD", hex.EncodeToString(emptySum[:])+"\n"+hex.EncodeToString(c.sum.Sum(nil))); err != nil {
		return 0, err
	}
	if line, err := c.line(); err != nil || line != "" {
		return 0, framing("a chunk does not end with its length")
	}
	if c.left == 0 { // nothing of the last chunk goes out before the end is known
		if err := c.next(); err != nil {
			return 0, err
		}
		if !c.ended {
			return 0, framing("the body is longer than announced")
		}
	}
	return n, nil
}

func endOr(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

var emptySum = sha256.Sum256(nil)

// next reads a chunk's line; after the last it reads the end of the body.
func (c *Chunks) next() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	size, signature, found := strings.Cut(line, ";chunk-signature=")
	n, err := strconv.ParseUint(size, 16, 48)
	if !found || err != nil || size[0] == '+' {
		return framing("a chunk begins without its length and signature")
	}
	if int64(n) > c.left {
		return framing("the body is longer than announced")
	}
	c.chunk, c.claimed = int64(n), signature
	c.sum.Reset()
	if n > 0 {
		return nil
	}
	if c.left > 0 {
		return framing("the body is shorter than announced")
	}
	empty := hex.EncodeToString(emptySum[:])
	if err := c.verify("AWS4-HMAC-SHA256-PAYLOAD", empty+"\n"+empty); err != nil {
		return err
	}
	if c.trailers {
		err = c.readTrailer()
	} else if line, e := c.line(); e != nil || line != "" {
		err = framing("the body does not end with its last chunk")
	}
	c.ended = err == nil
	return err
}

// readTrailer reads the headers behind the last chunk, up to an empty line, and their signature.
func (c *Chunks) readTrailer() error {
	c.Trailer = map[string]string{}
	var canonical strings.Builder
	for range maxTrailers {
		line, err := c.line()
		if err != nil {
			return err
		}
		if line == "" {
			return framing("the trailer is not signed")
		}
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		name, value = strings.ToLower(name), textproto.TrimString(value)
		if !ok || name == "" {
			return framing("the trailer has a line without a name")
		}
		if name != "x-amz-trailer-signature" {
			canonical.WriteString(name + ":" + value + "\n")
			c.Trailer[name] = value
			continue
		}
		c.claimed = value
		sum := sha256.Sum256([]byte(canonical.String()))
		if err := c.verify("AWS4-HMAC-SHA256-TRAILER", hex.EncodeToString(sum[:])); err != nil {
			return err
		}
		if end, err := c.line(); err != nil || end != "" {
			return framing("the body does not end with its trailer")
		}
		return nil
	}
	return framing("the trailer is too long")
}

// verify compares the signature that the chunk claims.
func (c *Chunks) verify(algorithm, rest string) error {
	m := hmac.New(sha256.New, c.key[:])
	m.Write([]byte(algorithm + "\n" + c.e.Time.Format(stampForm) + "\n" + c.e.Credential.Scope() + "\n" + c.previous + "\n" + rest))
	want := hex.EncodeToString(m.Sum(nil))
	if !hmac.Equal([]byte(want), []byte(c.claimed)) {
		return &Problem{Kind: Mismatched, Message: textMismatch}
	}
	c.previous = want
	return nil
}

// line reads a line without its end.
func (c *Chunks) line() (string, error) {
	b, err := c.body.ReadSlice('\n')
	if err == bufio.ErrBufferFull || len(b) > maxChunkLine {
		return "", framing("a line is too long")
	}
	if err != nil {
		return "", broken(err)
	}
	line, ok := strings.CutSuffix(string(b), "\r\n")
	if !ok {
		return "", framing("a line does not end with CRLF")
	}
	return line, nil
}

// framing is a body that is not framed as its header says.
func framing(what string) error { return &Problem{Kind: Incomplete, Message: "aws-chunked: " + what} }

// broken makes an end in the middle what it is.
func broken(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Ended reports that the end of the body was read and is authentic.
func (c *Chunks) Ended() bool { return c.ended }
