package sigv4

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// The examples of the Amazon S3 API reference, "Transferring a payload in multiple chunks" and "… with
// trailing headers": 65 KiB of the letter a, in chunks of 64 and 1 KiB.
const (
	chunkedSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	chunkedLength = 66560
)

func chunkedRequest(trailer bool) *http.Request {
	r := httptest.NewRequest(http.MethodPut, "http://s3.amazonaws.com/examplebucket/chunkObject.txt", nil)
	h := r.Header
	h.Set("Content-Encoding", "aws-chunked")
	h.Set("X-Amz-Content-Sha256", SignedChunks)
	h.Set("X-Amz-Date", "20130524T000000Z")
	h.Set("X-Amz-Decoded-Content-Length", strconv.Itoa(chunkedLength))
	h.Set("X-Amz-Storage-Class", "REDUCED_REDUNDANCY")
	signed, signature := "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class", "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
	r.ContentLength = 66824
	if trailer {
		h.Set("X-Amz-Content-Sha256", SignedChunksTrailer)
		h.Set("X-Amz-Trailer", "x-amz-checksum-crc32c")
		signed, signature = "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer", "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
	}
	h.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="+signed+",Signature="+signature)
	return r
}

func chunkedBody(trailer bool) string {
	a := strings.Repeat("a", 65536)
	if !trailer {
		return "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + a + "\r\n" +
			"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + a[:1024] + "\r\n" +
			"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
	}
	return "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" + a + "\r\n" +
		"400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n" + a[:1024] + "\r\n" +
		"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n" +
		"x-amz-checksum-crc32c:sOO8/Q==\r\n" +
		"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
}

func chunkedExamination(t testing.TB, trailer bool) *Examination {
	t.Helper()
	r := chunkedRequest(trailer)
	e := Examine(r, nil, Rules{Service: "s3", Skew: 15 * time.Minute, Path: AsSent, PayloadHash: r.Header.Get("X-Amz-Content-Sha256")}, time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC))
	e.Verify(chunkedSecret, nil)
	if p := e.Err(); p != nil {
		t.Fatal(p, e.CanonicalRequest)
	}
	return e
}

func TestSignedChunksGiveTheirPayload(t *testing.T) {
	t.Parallel()
	for _, trailer := range []bool{false, true} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "with the error of the end": iotest.DataErrReader,
		} {
			c := chunkedExamination(t, trailer).Chunks(chunkedSecret, &KeyCache{}, wrap(strings.NewReader(chunkedBody(trailer))), chunkedLength, trailer)
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, bytes.Repeat([]byte("a"), chunkedLength)) {
				t.Errorf("trailer %v, %s: %d bytes, %v", trailer, name, len(got), err)
			}
			if trailer && c.Trailer["x-amz-checksum-crc32c"] != "sOO8/Q==" {
				t.Errorf("the trailer is %v", c.Trailer)
			}
		}
	}
}

// Whatever is wrong with a body, not all of its announced length is given.
func TestChunksThatAreNotAuthenticAreNeverComplete(t *testing.T) {
	t.Parallel()
	plain, trailer := chunkedBody(false), chunkedBody(true)
	for name, c := range map[string]struct {
		body    string
		trailer bool
		length  int64
		want    Kind // 0: the body ends in the middle
	}{
		"a byte of the first chunk is another":  {strings.Replace(plain, "\r\na", "\r\nb", 1), false, chunkedLength, Mismatched},
		"the last byte is another":              {strings.Replace(plain, "a\r\n0;", "b\r\n0;", 1), false, chunkedLength, Mismatched},
		"the end's signature is another":        {strings.Replace(plain, "b6c6", "b6c7", 1), false, chunkedLength, Mismatched},
		"the end is missing":                    {plain[:strings.LastIndex(plain, "0;")], false, chunkedLength, 0},
		"the body breaks off":                   {plain[:1000], false, chunkedLength, 0},
		"more is announced":                     {plain, false, chunkedLength + 1, Incomplete},
		"less is announced":                     {plain, false, chunkedLength - 1, Incomplete},
		"the first chunk is left out":           {plain[strings.Index(plain, "400;"):], false, 1024, Mismatched},
		"a chunk has no signature":              {"400\r\n", false, 1024, Incomplete},
		"a length is no number":                 {"-1;chunk-signature=\r\n", false, 1024, Incomplete},
		"a length has no digits":                {";chunk-signature=00\r\n", false, 1024, Incomplete},
		"a line has no end":                     {strings.Repeat("0", 1<<16), false, 1024, Incomplete},
		"the trailer is altered":                {strings.Replace(trailer, "sOO8", "sOO9", 1), true, chunkedLength, Mismatched},
		"the trailer is not signed":             {strings.Replace(trailer, "x-amz-trailer-signature", "x-amz-other", 1), true, chunkedLength, Incomplete},
		"a trailer where there must not be any": {trailer, false, chunkedLength, Mismatched},
		"no trailer where there must be one":    {plain, true, chunkedLength, Mismatched},
	} {
		r := c.body
		got, err := io.ReadAll(chunkedExamination(t, c.trailer).Chunks(chunkedSecret, nil, strings.NewReader(r), c.length, c.trailer))
		var p *Problem
		if int64(len(got)) >= c.length {
			t.Errorf("%s: all %d bytes are given", name, len(got))
		}
		if c.want == 0 && !errors.Is(err, io.ErrUnexpectedEOF) || c.want != 0 && (!errors.As(err, &p) || p.Kind != c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzChunks(f *testing.F) {
	f.Add(chunkedBody(false), false)
	f.Add(chunkedBody(true), true)
	f.Add("0;chunk-signature=\r\n\r\n", false)
	e := chunkedExamination(f, false)
	genuine := strings.Repeat("a", chunkedLength)
	f.Fuzz(func(t *testing.T, body string, trailer bool) {
		got, err := io.ReadAll(e.Chunks(chunkedSecret, nil, strings.NewReader(body), chunkedLength, trailer))
		if len(got) > chunkedLength || err == nil && string(got) != genuine {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}
