package storage

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/treatyfed/treaty/wire/sigv4"
)

// chunked sends an upload in signed chunks, with a trailer or without; spoil changes the body.
func (w *world) chunked(t *testing.T, key string, data []byte, trailer bool, spoil func(string) string) reply {
	t.Helper()
	const id = rootKey
	secret, now := "secret of "+rootKey, w.now().UTC()
	hash := sigv4.SignedChunks
	r := httpRequest(t, http.MethodPut, "https://data.s3.amazonaws.com/"+key, nil)
	r.Header.Set("Content-Encoding", "aws-chunked,gzip")
	r.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(len(data)))
	if trailer {
		hash = sigv4.SignedChunksTrailer
		r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
	}
	r.Header.Set("X-Amz-Content-Sha256", hash)
	must(t, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, r, hash, "s3", "us-east-1", now, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }))
	_, previous, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	mac := func(k []byte, s string) []byte { m := hmac.New(sha256.New, k); m.Write([]byte(s)); return m.Sum(nil) }
	scope := now.Format("20060102") + "/us-east-1/s3/aws4_request"
	signing := mac(mac(mac(mac([]byte("AWS4"+secret), now.Format("20060102")), "us-east-1"), "s3"), "aws4_request")
	sign := func(algorithm, rest string) string {
		previous = hex.EncodeToString(mac(signing, algorithm+"\n"+now.Format("20060102T150405Z")+"\n"+scope+"\n"+previous+"\n"+rest))
		return previous
	}
	var b strings.Builder
	rest := data
	for {
		n := min(len(rest), 70000)
		b.WriteString(fmt.Sprintf("%x;chunk-signature=%s\r\n", n, sign("AWS4-HMAC-SHA256-PAYLOAD", hashOf(nil)+"\n"+hashOf(rest[:n]))))
		if n == 0 {
			break
		}
		b.Write(rest[:n])
		b.WriteString("\r\n")
		rest = rest[n:]
	}
	if trailer {
		line := "x-amz-checksum-crc32:" + base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(data)))
		b.WriteString(line + "\r\nx-amz-trailer-signature:" + sign("AWS4-HMAC-SHA256-TRAILER", hashOf([]byte(line+"\n"))) + "\r\n")
	}
	b.WriteString("\r\n")
	body := b.String()
	if spoil != nil {
		body = spoil(body)
	}
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	a, err := w.transport().RoundTrip(r)
	must(t, err)
	defer a.Body.Close()
	out, err := io.ReadAll(a.Body)
	must(t, err)
	return reply{a.StatusCode, string(out), a.Header}
}

func TestUploadsInSignedChunksAreVerifiedToTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root()
	w.bucket(root, "data")
	data := bytes.Repeat([]byte("treaty "), 30000)
	for _, trailer := range []bool{false, true} {
		key := fmt.Sprint("chunked-", trailer)
		if got := w.chunked(t, key, data, trailer, nil); got.status != 200 {
			t.Fatalf("trailer %v: %+v", trailer, got)
		}
		out, err := root.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("data"), Key: &key, ChecksumMode: types.ChecksumModeEnabled})
		must(t, err)
		if b, err := io.ReadAll(out.Body); err != nil || !bytes.Equal(b, data) || aws.ToString(out.ContentEncoding) != "gzip" || trailer && out.ChecksumCRC32 == nil {
			t.Errorf("trailer %v: %d bytes, %v, encoding %v", trailer, len(b), err, aws.ToString(out.ContentEncoding))
		}
		for name, spoil := range map[string]func(string) string{
			"a byte is another":        func(s string) string { return strings.Replace(s, "treaty treaty", "treaty Treaty", 1) },
			"the last byte is another": func(s string) string { i := strings.LastIndex(s, "\r\n0;"); return s[:i-1] + "!" + s[i:] },
			"the end has another mark": func(s string) string {
				i := strings.LastIndex(s, "\r\n0;chunk-signature=")
				return s[:i+20] + "00000000" + s[i+28:]
			},
			"the end is missing":         func(s string) string { return s[:strings.LastIndex(s, "0;chunk-signature=")] },
			"it is not in chunks at all": func(string) string { return "plain" },
		} {
			got := w.chunked(t, "spoiled", data, trailer, spoil)
			if got.status < 400 || got.status >= 500 {
				t.Errorf("trailer %v, %s: %+v", trailer, name, got)
			}
			if b, err := get(t, root, "data", "spoiled"); code(err) != "NoSuchKey" {
				t.Errorf("trailer %v, %s: %d bytes were stored: %v, %+v", trailer, name, len(b), err, got)
			}
			_, err := root.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("data"), Key: aws.String("spoiled")})
			must(t, err)
		}
	}
}

func TestConditionsOnTagsHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx, data := w.root(), t.Context(), aws.String("data")
	w.bucket(root, "data")
	for key, tag := range map[string]string{"open": "level=public", "closed": "level=secret"} {
		_, err := root.PutObject(ctx, &s3.PutObjectInput{Bucket: data, Key: &key, Body: strings.NewReader(key), Tagging: &tag})
		must(t, err)
	}
	ann := w.ann(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"s3:ExistingObjectTag/level":"public"}}},
		{"Effect":"Allow","Action":["s3:PutObject","s3:PutObjectTagging"],"Resource":"*","Condition":{"StringEquals":{"s3:RequestObjectTag/level":"public"},"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["level"]}}}]}`)
	if got, err := get(t, ann, "data", "open"); err != nil || got != "open" {
		t.Errorf("an object with the tag: %q, %v", got, err)
	}
	if _, err := get(t, ann, "data", "closed"); code(err) != "AccessDenied" {
		t.Errorf("an object with another: %v", err)
	}
	for tags, want := range map[string]string{"level=public": "", "level=secret": "AccessDenied", "level=public&more=x": "AccessDenied", "": "AccessDenied", "level=public&level=secret": "InvalidArgument", "level=public;a=b": "InvalidArgument"} {
		if _, err := ann.PutObject(ctx, &s3.PutObjectInput{Bucket: data, Key: aws.String("new"), Body: strings.NewReader("x"), Tagging: &tags}); code(err) != want {
			t.Errorf("putting with %q: %v", tags, err)
		}
	}
	tagging := func(value string) error {
		_, err := ann.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: data, Key: aws.String("closed"), Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("level"), Value: &value}}}})
		return err
	}
	if err := tagging("secret"); code(err) != "AccessDenied" {
		t.Errorf("tagging as it must not be: %v", err)
	}
	must(t, tagging("public"))
	if _, err := get(t, ann, "data", "closed"); err != nil {
		t.Errorf("after the tag changed: %v", err)
	}
}

func TestBrowsersAskBeforehand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root()
	w.bucket(root, "data")
	_, err := root.PutBucketCors(t.Context(), &s3.PutBucketCorsInput{Bucket: aws.String("data"), CORSConfiguration: &types.CORSConfiguration{CORSRules: []types.CORSRule{{AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"https://app.example"}}}}})
	must(t, err)
	for origin, want := range map[string]int{"https://app.example": 200, "https://evil.example": 403} {
		r := httpRequest(t, http.MethodOptions, "https://data.s3.amazonaws.com/x", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "GET")
		a, err := w.transport().RoundTrip(r)
		must(t, err)
		a.Body.Close()
		if a.StatusCode != want || (a.Header.Get("Access-Control-Allow-Origin") != "") != (want == 200) {
			t.Errorf("%s: %d %v", origin, a.StatusCode, a.Header)
		}
	}
}

// What is smuggled in the framing of one request does not become another.
func TestRequestsAreNotSmuggledThrough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root()
	w.bucket(root, "data")
	must(t, put(t, root, "data", "public", []byte("public")))
	must(t, put(t, root, "data", "secret", []byte("the secret")))
	_, err := root.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("data"), Policy: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::data/public*"}}`)})
	must(t, err)
	inner := "GET /data/secret HTTP/1.1\r\nHost: s3\r\n\r\n"
	trust := w.server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	trust.ServerName, trust.NextProtos = "example.com", []string{"http/1.1"} // a name of the test server's certificate
	for name, head := range map[string]string{
		"length and chunks":            "Content-Length: " + fmt.Sprint(5+len(inner)) + "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"two lengths":                  "Content-Length: 0\r\nContent-Length: " + fmt.Sprint(len(inner)) + "\r\n\r\n",
		"an odd encoding":              "Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n",
		"a length with a sign":         "Content-Length: +0\r\n\r\n",
		"a header that folds":          "X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
		"the length as a hop's header": "Connection: Content-Length\r\nContent-Length: 0\r\n\r\n",
		"a length for the framing":     "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\nX-Amz-Decoded-Content-Length: 0\r\nContent-Encoding: aws-chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	} {
		c, err := tls.Dial("tcp", w.server.Listener.Addr().String(), trust)
		must(t, err)
		_, err = io.WriteString(c, "PUT /data/public2 HTTP/1.1\r\nHost: s3.amazonaws.com\r\n"+head+inner)
		must(t, err)
		must(t, c.SetReadDeadline(time.Now().Add(time.Second)))
		b, _ := io.ReadAll(c)
		c.Close()
		if bytes.Contains(b, []byte("the secret")) {
			t.Errorf("%s: the secret is out: %s", name, b)
		}
		if n := bytes.Count(b, []byte("HTTP/1.1 200")); n > 1 {
			t.Errorf("%s: %d answers: %s", name, n, b)
		}
	}
	if got, err := get(t, root, "data", "secret"); err != nil || got != "the secret" {
		t.Errorf("%q %v", got, err)
	}
}

// Bytes behind the end of a body's own framing are no request, and nobody gets an answer that is another's.
func TestAnswersGoToWhoAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root()
	w.bucket(root, "data")
	for i := range 8 {
		must(t, put(t, root, "data", fmt.Sprint("o", i), []byte(fmt.Sprint("object ", i))))
	}
	tail := "0\r\n\r\nGET /data/o0 HTTP/1.1\r\nHost: s3\r\n\r\n"
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 10 {
				r := httpRequest(t, http.MethodPut, "https://data.s3.amazonaws.com/framed", strings.NewReader(tail))
				r.Header.Set("X-Amz-Decoded-Content-Length", "0")
				r.Header.Set("Content-Encoding", "aws-chunked")
				hash := "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
				r.Header.Set("X-Amz-Content-Sha256", hash)
				if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: rootKey, SecretAccessKey: "secret of " + rootKey}, r, hash, "s3", "us-east-1", w.now(), func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }); err != nil {
					t.Error(err)
					return
				}
				if a, err := w.transport().RoundTrip(r); err == nil {
					a.Body.Close()
				}
				if got, err := get(t, root, "data", fmt.Sprint("o", i)); err != nil || got != fmt.Sprint("object ", i) {
					t.Errorf("object %d is %q, %v", i, got, err)
				}
			}
		})
	}
	wg.Wait()
}

// elsewhere is an S3 endpoint that checks that it is called with its own key.
type elsewhere struct {
	t      *testing.T
	server *httptest.Server
	mu     sync.Mutex
	seen   []string // METHOD path?query body
	header http.Header
}

func (e *elsewhere) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	hash := r.Header.Get("X-Amz-Content-Sha256")
	x := sigv4.Examine(r, nil, sigv4.Rules{Service: "s3", Region: "local-1", Skew: time.Minute, Path: sigv4.AsSent, PayloadHash: hash}, time.Now())
	x.Verify(backendSecret, nil)
	if p := x.Err(); p != nil || x.Credential.AccessKeyID != backendKey || x.SecurityToken != "" || len(hash) == 64 && hash != hashOf(body) {
		e.t.Errorf("%s %s: called with %s: %v", r.Method, r.URL, x.Credential.AccessKeyID, p)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, r.Method+" "+r.RequestURI+" "+string(body))
	e.header = r.Header
	w.Header().Set("X-Amz-Request-Id", "THEIRS")
	if strings.HasSuffix(r.URL.Path, "missing") {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `<?xml version="1.0"?><Error><Code>NoSuchKey</Code><RequestId>THEIRS</RequestId><HostId>h</HostId></Error>`)
	}
}

// elsewhere puts the gate before an endpoint.
func (w *world) elsewhere(t *testing.T) *elsewhere {
	t.Helper()
	back := &elsewhere{t: t}
	back.server = httptest.NewServer(back)
	t.Cleanup(back.server.Close)
	u, err := url.Parse(back.server.URL + "/prefix/")
	must(t, err)
	w.s3 = &S3{Endpoint: &Endpoint{URL: u, Region: "local-1", AccessKeyID: backendKey, SecretAccessKey: backendSecret, Account: account, Wall: time.Now}, Access: w.access, Audit: w, Region: "us-east-1", Now: w.now, Wall: time.Now}
	return back
}

func TestAnEndpointElsewhereIsCalledWithItsOwnKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	back := w.elsewhere(t)
	s, token := w.session(nil, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::data","arn:aws:s3:::data/*"]},{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/secret*"}]}`)
	c, ctx := w.client(s.KeyID, s.Secret.Reveal(), token), context.Background()
	must(t, put(t, c, "data", "dir/a b", []byte("body")))
	if _, err := get(t, c, "data", "missing"); code(err) != "NoSuchKey" || strings.Contains(err.Error(), "THEIRS") {
		t.Errorf("missing: %v", err)
	}
	if _, err := get(t, c, "data", "secret"); code(err) != "AccessDenied" {
		t.Errorf("denied: %v", err)
	}
	if _, err := get(t, c, "other", "x"); code(err) != "AccessDenied" {
		t.Errorf("another bucket: %v", err)
	}
	if _, err := get(t, w.client(otherKey, "secret of "+otherKey, ""), "data", "dir/a b"); code(err) != "AccessDenied" {
		t.Errorf("another account: %v", err)
	}
	_, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("data"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("k")}}}})
	must(t, err)
	if got := w.chunked(t, "signed", []byte("chunks"), false, nil); got.status != 200 {
		t.Errorf("signed chunks: %+v", got)
	}
	back.mu.Lock()
	defer back.mu.Unlock()
	want := []string{
		"PUT /prefix/data/dir/a%20b", "GET /prefix/data/missing", `POST /prefix/data?delete=`, "PUT /prefix/data/signed chunks",
	}
	if len(back.seen) != len(want) {
		t.Fatalf("seen: %q", back.seen)
	}
	for i := range want {
		if !strings.HasPrefix(back.seen[i], want[i]) {
			t.Errorf("seen: %q, want %q", back.seen[i], want[i])
		}
	}
	if back.header.Get("Content-Encoding") != "gzip" || back.header.Get("X-Amz-Decoded-Content-Length") != "" {
		t.Errorf("headers: %v", back.header)
	}
}

const cli = "/usr/bin/aws"

func TestTheCommandLineWorks(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(cli); err != nil {
		t.Skip("no aws: ", err)
	}
	w := newWorld(t)
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	must(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.server.Certificate().Raw}), 0o600))
	s, token := w.session(nil, statement("Allow", "s3:*", "*"))
	run := func(stdin string, args ...string) (string, error) {
		cmd := exec.Command(cli, append(args, "--endpoint-url", w.server.URL)...)
		cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "AWS_CA_BUNDLE=" + ca, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
			"AWS_ACCESS_KEY_ID=" + s.KeyID, "AWS_SECRET_ACCESS_KEY=" + s.Secret.Reveal(), "AWS_SESSION_TOKEN=" + token, "AWS_PAGER="}
		cmd.Stdin, cmd.Dir = strings.NewReader(stdin), dir
		b, err := cmd.CombinedOutput()
		return string(b), err
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 20<<20/16) // uploaded in parts
	must(t, os.WriteFile(filepath.Join(dir, "big"), big, 0o600))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"s3", "mb", "s3://cli"}, "make_bucket: cli"},
		{[]string{"s3", "cp", "-", "s3://cli/dir/hello world.txt"}, ""},
		{[]string{"s3", "cp", "s3://cli/dir/hello world.txt", "-"}, "hello"},
		{[]string{"s3", "cp", "big", "s3://cli/big"}, "upload"},
		{[]string{"s3", "cp", "s3://cli/big", "back"}, "download"},
		{[]string{"s3", "ls", "s3://cli/"}, "PRE dir/"},
		{[]string{"s3", "mv", "s3://cli/big", "s3://cli/moved"}, "move"},
		{[]string{"s3api", "list-buckets", "--query", "Owner.ID", "--output", "text"}, account},
		{[]string{"s3", "rb", "--force", "s3://cli"}, "remove_bucket"},
	} {
		out, err := run("hello", c.args...)
		if err != nil || !strings.Contains(out, c.want) {
			t.Fatalf("aws %v: %v %s", c.args, err, out)
		}
	}
	if back, err := os.ReadFile(filepath.Join(dir, "back")); err != nil || !bytes.Equal(back, big) {
		t.Errorf("what came back has %d bytes, %v", len(back), err)
	}
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"/", "/b", "/bucket/k", "//", "/bucket/%2e%2e/x", "/bucket//k", "/bu%63ket/k%00"} {
		f.Add("s3.amazonaws.com", s, "acl")
	}
	f.Add("bucket.s3.dualstack.eu-west-1.amazonaws.com:443", "/key", "list-type=2&prefix=x")
	f.Add("[::1]:8443", "/bucket/key", "uploadId=a&partNumber=1&x-id=UploadPart")
	f.Fuzz(func(t *testing.T, host, path, query string) {
		got, err := targetOf(host, path)
		if err == nil && got.bucket != "" {
			back, err := targetOf("127.0.0.1", got.path())
			if err != nil || back.bucket != got.bucket || back.key != got.key {
				t.Errorf("%+v goes on as %s, which is %+v, %v", got, got.path(), back, err)
			}
		}
		for _, method := range []string{"GET", "PUT", "POST", "DELETE", "HEAD"} {
			o, _, err := operationOf(method, got, query, false)
			if err == nil && (o.name == "" || o.action == "") {
				t.Errorf("%s %s?%s is nothing", method, path, query)
			}
		}
		if from, err := copySource(path); err == nil {
			if again, err := copySource(from.header()); err != nil || again != from {
				t.Errorf("%+v goes on as %s, which is %+v, %v", from, from.header(), again, err)
			}
		}
	})
}
