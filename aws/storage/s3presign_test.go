package storage

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// presigned makes a URL as the SDK for JavaScript does, which puts x-amz- headers into the query.
func (w *world) presigned(t *testing.T, method, path string, query url.Values, id, secret, token string, edit func(*http.Request)) *http.Request {
	t.Helper()
	q := url.Values{"X-Amz-Expires": {"600"}}
	for name, values := range query {
		q[name] = values
	}
	r := httpRequest(t, method, "https://data.s3.amazonaws.com/"+path+"?"+q.Encode(), nil)
	if edit != nil {
		edit(r)
	}
	signed, header, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", w.now(),
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true; o.DisableHeaderHoisting = true })
	must(t, err)
	var body io.Reader
	if method == http.MethodPut {
		body = strings.NewReader("presigned")
	}
	out := httpRequest(t, method, signed, body)
	for name, values := range header {
		if name != "Host" && name != "Content-Length" {
			out.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	return out
}

func (w *world) do(t *testing.T, r *http.Request) reply {
	t.Helper()
	a, err := w.transport().RoundTrip(r)
	must(t, err)
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	must(t, err)
	return reply{a.StatusCode, string(b), a.Header}
}

func one(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

func TestHeadersInAPresignedQueryCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(), t.Context()
	w.bucket(root, "data")
	must(t, put(t, root, "data", "secret/s", []byte("the secret")))
	s, token := w.session(nil, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::data","arn:aws:s3:::data/*"]},
		{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/secret/*"},
		{"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"StringLike":{"s3:x-amz-server-side-encryption":"aws:kms*"}}},
		{"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"StringEquals":{"s3:x-amz-storage-class":"GLACIER"}}},
		{"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::data/signed","Condition":{"StringEquals":{"s3:x-amz-content-sha256":"UNSIGNED-PAYLOAD"}}},
		{"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"StringEquals":{"s3:RequestObjectTag/level":"secret"}}}]}`)
	const sum = "DUoRhQ==" // CRC32 of something else
	for _, c := range []struct {
		name   string
		path   string
		query  url.Values
		header []string // signed
		status int
		want   string
	}{
		{"metadata, tags and a type", "kept", one("x-amz-meta-color", "blue é", "x-amz-meta-Mood", "fine", "x-amz-tagging", "level=public&a=b", "X-Amz-Storage-Class", "STANDARD"), nil, 200, ""},
		{"a tag that is denied", "no", one("x-amz-tagging", "level=secret"), nil, 403, "AccessDenied"},
		{"a storage class that is denied", "no", one("x-amz-storage-class", "GLACIER"), nil, 403, "AccessDenied"},
		{"encryption that is denied", "no", one("X-Amz-Server-Side-Encryption", "aws:kms"), nil, 403, "AccessDenied"},
		{"a payload that is not signed, denied", "signed", nil, nil, 403, "AccessDenied"},
		{"a list that nobody gets", "no", one("x-amz-acl", "public-read"), nil, 400, "AccessControlListNotSupported"},
		{"a grant that nobody gets", "no", one("x-amz-grant-read", "id=1"), nil, 400, "AccessControlListNotSupported"},
		{"a checksum of something else", "no", one("x-amz-checksum-crc32", sum, "x-amz-sdk-checksum-algorithm", "CRC32"), nil, 400, "BadDigest"},
		{"a source that is denied", "no", one("x-amz-copy-source", "data/secret/s"), nil, 403, "explicit deny"},
		{"a source that is no source", "no", one("x-amz-copy-source", "secret"), nil, 400, "InvalidArgument"},
		{"another owner", "no", one("x-amz-expected-bucket-owner", stranger), nil, 403, "AccessDenied"},
		{"in the query and outside of it", "no", one("x-amz-meta-a", "1"), []string{"X-Amz-Meta-A", "1"}, 400, "InvalidArgument"},
		{"in the query and outside of it, in other letters", "no", one("X-AMZ-Storage-Class", "STANDARD"), []string{"X-Amz-Storage-Class", "GLACIER"}, 400, "InvalidArgument"},
		{"in the query twice", "no", one("x-amz-acl", "private", "x-amz-acl", "public-read"), nil, 400, "InvalidArgument"},
		{"in the query twice, in other letters", "no", one("x-amz-acl", "private", "X-Amz-Acl", "public-read"), nil, 400, "InvalidArgument"},
		{"a name that climbs", "no", one("x-amz-meta-../../x", "1"), nil, 400, "InvalidArgument"},
		{"a name with a line's end", "no", one("x-amz-meta-a\r\nX-Amz-Acl: public-read\r\nB", "1"), nil, 400, "InvalidArgument"},
		{"a value with a line's end", "no", one("x-amz-meta-a", "1\r\nX-Amz-Acl: public-read"), nil, 400, "InvalidArgument"},
	} {
		r := w.presigned(t, http.MethodPut, c.path, c.query, s.KeyID, s.Secret.Reveal(), token, func(r *http.Request) {
			for i := 0; i < len(c.header); i += 2 {
				r.Header.Set(c.header[i], c.header[i+1])
			}
		})
		if got := w.do(t, r); got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%s: %d %s", c.name, got.status, got.body)
		}
	}
	head, err := root.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("data"), Key: aws.String("kept")})
	must(t, err)
	if head.Metadata["color"] != "blue é" || head.Metadata["mood"] != "fine" || len(head.Metadata) != 2 {
		t.Errorf("the metadata is %q", head.Metadata)
	}
	tags, err := root.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: aws.String("data"), Key: aws.String("kept")})
	if err != nil || len(tags.TagSet) != 2 {
		t.Errorf("the tags are %v, %v", tags, err)
	}
	if _, err := get(t, root, "data", "no"); code(err) != "NoSuchKey" {
		t.Errorf("what was refused is there: %v", err)
	}
	// Without a signature in the query, nobody has vouched for what else is there, and it is nothing.
	if got := w.asRoot(t, http.MethodPut, "https://data.s3.amazonaws.com/plain?x-amz-acl=public-read&x-id=PutObject", []byte("x"), nil); got.status != 200 {
		t.Errorf("a parameter of a request that is signed in its header: %+v", got)
	}
}

func TestWhatIsHoistedGoesToAnEndpointElsewhereAsHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	back := w.elsewhere(t)
	for _, c := range []struct {
		query url.Values
		want  map[string]string // headers
	}{
		{one("x-amz-meta-color", "blue", "x-amz-checksum-mode", "ENABLED", "x-id", "PutObject"), map[string]string{"X-Amz-Meta-Color": "blue", "X-Amz-Checksum-Mode": "ENABLED"}},
		{one("x-amz-copy-source", "/other/a%2Fb+c%20d?versionId=v.1"), map[string]string{"X-Amz-Copy-Source": "other/a/b%20c%20d?versionId=v.1"}},
	} {
		got := w.do(t, w.presigned(t, http.MethodPut, "k", c.query, rootKey, "secret of "+rootKey, "", nil))
		back.mu.Lock()
		for name, v := range c.want {
			if got.status != 200 || back.header.Get(name) != v {
				t.Errorf("%s: %+v, %q", name, got, back.header)
			}
		}
		if last := back.seen[len(back.seen)-1]; strings.Contains(last, "x-amz") || strings.Contains(last, "x-id") {
			t.Errorf("the query went on: %s", last)
		}
		back.mu.Unlock()
	}
}

func TestCopySourcesAreReadOnce(t *testing.T) {
	t.Parallel()
	for h, want := range map[string]string{
		"b1b/key": "b1b/key", "/b1b/key": "b1b/key", "b1b/a+b%2Bc": "b1b/a%20b%2Bc", "b1b/key?versionId=v1": "b1b/key?versionId=v1", "b1b%2Fa%2Fb": "b1b/a/b",
		"b1b/key%3Fx": "b1b/key%3Fx", "b1b/key%3FversionId": "b1b/key%3FversionId",
		"b1b/key?versionId": "", "b1b/key?": "", "b1b/key?versionId=": "", "b1b/key?versionid=v": "", "b1b/key?versionId=v&versionId=w": "", "b1b/key?versionId=../v": "", "b1b/key?versionId=%2e%2e": "",
		"b1b/key%3FversionId=v": "", "b1b/key?x": "", "b1b": "", "b1b/": "", "": "", "/": "", "B/key": "", "b1b/%zz": "", "b1b/k?versionId=%zz": "",
		"arn:aws:s3:us-east-1:123456789012:accesspoint/p/object/k": "",
	} {
		from, err := copySource(h)
		if want == "" && err == nil || want != "" && (err != nil || from.header() != want) {
			t.Errorf("%q goes on as %q, %v", h, from.header(), err)
		}
	}
}

// The words of recorded refusals.
func TestPresignedURLsThatAreNotWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bucket(w.root(), "data")
	const lacking = "<Code>AuthorizationQueryParametersError</Code><Message>Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.</Message>"
	const malformed = "<Code>AuthorizationQueryParametersError</Code><Message>Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting &#34;&lt;YOUR-AKID&gt;/YYYYMMDD/REGION/SERVICE/aws4_request&#34;.</Message>"
	whole := w.presigned(t, http.MethodGet, "a", nil, rootKey, "secret of "+rootKey, "", nil).URL
	without := func(name string) url.Values { q := whole.Query(); q.Del(name); return q }
	with := func(name, v string) url.Values { q := whole.Query(); q.Set(name, v); return q }
	for name, c := range map[string]struct {
		query url.Values
		want  string
	}{
		"without an expiry":                  {without("X-Amz-Expires"), lacking},
		"without a signature":                {without("X-Amz-Signature"), lacking},
		"without a credential":               {without("X-Amz-Credential"), lacking},
		"without a date":                     {without("X-Amz-Date"), lacking},
		"without its headers":                {without("X-Amz-SignedHeaders"), lacking},
		"without an algorithm":               {without("X-Amz-Algorithm"), lacking},
		"with a credential of two parts":     {with("X-Amz-Credential", rootKey+"/x"), malformed},
		"with more than a week":              {with("X-Amz-Expires", "604801"), "<Code>AuthorizationQueryParametersError</Code><Message>X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds</Message>"},
		"with another time than it was made": {with("X-Amz-Expires", "601"), "<Code>SignatureDoesNotMatch</Code>"},
	} {
		u := *whole
		u.RawQuery = c.query.Encode()
		got := w.do(t, httpRequest(t, http.MethodGet, u.String(), nil))
		if !strings.Contains(got.body, c.want) || strings.Contains(c.want, "AuthorizationQuery") && got.status != 400 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// A URL without an expiry that is signed is as little one.
	r := httpRequest(t, http.MethodGet, "https://data.s3.amazonaws.com/a", nil)
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: rootKey, SecretAccessKey: "secret of " + rootKey}, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now())
	must(t, err)
	if got := w.do(t, httpRequest(t, http.MethodGet, signed, nil)); got.status != 400 || !strings.Contains(got.body, lacking) {
		t.Errorf("signed without an expiry: %+v", got)
	}
}

// Clients that are set to a region that is none, as s3cmd is at first, sign anew for the one they are told.
func TestARegionThatIsNoneIsAnsweredWithTheRightOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := httpRequest(t, http.MethodGet, "https://data.s3.amazonaws.com/?list-type=2", nil)
	hash := hashOf(nil)
	r.Header.Set("X-Amz-Content-Sha256", hash)
	must(t, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: rootKey, SecretAccessKey: "secret of " + rootKey}, r, hash, "s3", "US", w.now()))
	got := w.do(t, r)
	for _, want := range []string{"<Code>AuthorizationHeaderMalformed</Code>", "<Message>The authorization header is malformed; the region &#39;US&#39; is wrong; expecting &#39;us-east-1&#39;</Message>", "<Region>us-east-1</Region>"} {
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, want) {
			t.Errorf("%+v: no %s", got, want)
		}
	}
}
