package sigv4

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	secret    = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	accessKey = "AKIDEXAMPLE"
)

var at = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

// request reads a raw request as the server does.
func request(t testing.TB, method, target string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, "http://placeholder/", nil)
	r.RequestURI = target
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	r.URL = u
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	return r
}

// authorization is a header with a given signature.
func authorization(region, service, signed, signature string) string {
	return "Authorization: " + Algorithm + " Credential=" + accessKey + "/20150830/" + region + "/" + service + "/aws4_request, SignedHeaders=" + signed + ", Signature=" + signature
}

func TestPublishedVectors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, source string
		r            *http.Request
		rules        Rules
		now          time.Time
		secret       string
	}{
		{
			name: "get-vanilla", source: "AWS SigV4 test suite, get-vanilla",
			r: request(t, "GET", "/", "Host: example.amazonaws.com", "X-Amz-Date: 20150830T123600Z",
				authorization("us-east-1", "service", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")),
			rules: Rules{Service: "service", Region: "us-east-1", Skew: 15 * time.Minute}, now: at, secret: secret,
		},
		{
			name: "list users", source: "AWS General Reference, complete version 4 signing example",
			r: request(t, "GET", "/?Action=ListUsers&Version=2010-05-08", "Host: iam.amazonaws.com",
				"Content-Type: application/x-www-form-urlencoded; charset=utf-8", "X-Amz-Date: 20150830T123600Z",
				authorization("us-east-1", "iam", "content-type;host;x-amz-date", "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")),
			rules: Rules{Service: "iam", Region: "us-east-1", Skew: 15 * time.Minute}, now: at, secret: secret,
		},
		{
			name: "presigned object", source: "Amazon S3 API reference, query string authentication",
			r: request(t, "GET", "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
				"Host: examplebucket.s3.amazonaws.com"),
			rules: Rules{Service: "s3", Region: "us-east-1", Skew: 15 * time.Minute, Path: AsSent, PayloadHash: "UNSIGNED-PAYLOAD"},
			now:   time.Date(2013, 5, 24, 12, 0, 0, 0, time.UTC), secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := Examine(tt.r, nil, tt.rules, tt.now)
			e.Verify(tt.secret, nil)
			if p := e.Err(); p != nil {
				t.Errorf("%s: %s\n%s\n%s", tt.source, p.Message, e.CanonicalRequest, e.StringToSign)
			}
			e = Examine(tt.r, []byte("x"), tt.rules, tt.now)
			e.Verify(tt.secret+"x", nil)
			if p := e.Err(); p == nil || p.Kind != Mismatched {
				t.Errorf("with another secret: %v, want a mismatch", p)
			}
		})
	}
}

// The cases of AWS's own SigV4 test suite (aws-c-auth, tests/aws-signing-test-suite/v4).
func TestCanonicalPath(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		"":                                 "/",
		"/":                                "/",
		"//":                               "/",
		"//example//":                      "/example/",
		"/./":                              "/",
		"/./example":                       "/example",
		"/example/..":                      "/",
		"/example1/example2/../..":         "/",
		"/../..":                           "/",
		"/a/../../b":                       "/b",
		"/example%20space/":                "/example%2520space/",
		"/-._~0123456789ABCxyz":            "/-._~0123456789ABCxyz",
		"/%E1%88%B4":                       "/%25E1%2588%25B4",
		"/documents%20and%20settings/a:b@": "/documents%2520and%2520settings/a%3Ab%40",
	} {
		if got := canonicalPath(sent, EncodedAgain); got != want {
			t.Errorf("%q gives %q, want %q", sent, got, want)
		}
	}
	for sent, want := range map[string]string{
		"":                 "/",
		"//a//../b":        "//a//../b",
		"/a%20b/c:d":       "/a%20b/c%3Ad",
		"/%e1%88%b4":       "/%E1%88%B4",
		"/my-object//o.b~": "/my-object//o.b~",
		"/100%":            "/100%25",
	} {
		if got := canonicalPath(sent, AsSent); got != want {
			t.Errorf("as sent: %q gives %q, want %q", sent, got, want)
		}
	}
}

func TestCanonicalQuery(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                                      "",
		"a":                                     "a=",
		"Param2=value2&Param1=value1":           "Param1=value1&Param2=value2",
		"Param1=Value2&Param1=value1":           "Param1=Value2&Param1=value1",
		"Param1=value2&Param1=Value1":           "Param1=Value1&Param1=value2",
		"p=b&P=a":                               "P=a&p=b",
		"a%20b=c+d&e=f%2fg":                     "a%20b=c%20d&e=f%2Fg",
		"%E1%88%B4=bar":                         "%E1%88%B4=bar",
		"X-Amz-Signature=00&X-Amz-Expires=60&&": "X-Amz-Expires=60",
		"bad=%zz":                               "bad=%25zz",
		"a=b;c=d":                               "a=b%3Bc%3Dd",
		"foo=1&foo-bar=2&foo.bar=3":             "foo=1&foo-bar=2&foo.bar=3",
	} {
		if got := canonicalQuery(parseQuery(raw)); got != want {
			t.Errorf("%q gives %q, want %q", raw, got, want)
		}
	}
}

func TestHeadersAreFolded(t *testing.T) {
	t.Parallel()
	r := request(t, "GET", "/", "Host: example.amazonaws.com:8443", "My-Header1: value4", "My-Header1: value1", "My-Header1:   value3  ",
		"My-Header2:  \"a   b   c\" ")
	got := canonicalHeaders(r, []string{"absent", "host", "my-header1", "my-header2"})
	want := "absent:\nhost:example.amazonaws.com:8443\nmy-header1:value4,value1,value3\nmy-header2:\"a b c\"\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The SDK's own signer is the judge: what it signs and sends over a socket must verify.
func TestRequestsOfTheSDKVerify(t *testing.T) {
	t.Parallel()
	rules := Rules{Service: "sts", Skew: 15 * time.Minute}
	verdicts := make(chan *Examination, 1)
	keys := &KeyCache{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e := Examine(r, body, rules, time.Now())
		e.Verify(secret, keys)
		verdicts <- e
	}))
	t.Cleanup(server.Close)
	for _, target := range []string{"/", "/?Action=GetCallerIdentity&Version=2011-06-15", "/a%20b/c?x=%2F&x=a+b&empty", "/é?ü=ö"} {
		for _, body := range []string{"", "Action=GetCallerIdentity&Version=2011-06-15"} {
			for _, presigned := range []bool{false, true} {
				name := target + " " + strconv.Itoa(len(body)) + " bytes presigned " + strconv.FormatBool(presigned)
				r, err := http.NewRequest(http.MethodPost, server.URL+target, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("X-Amz-Custom", "  two   spaces ")
				sum := sha256.Sum256([]byte(body))
				hash := hex.EncodeToString(sum[:])
				credentials := sdk.Credentials{AccessKeyID: accessKey, SecretAccessKey: secret}
				signer := v4.NewSigner()
				if presigned {
					q := r.URL.Query()
					q.Set("X-Amz-Expires", "60")
					r.URL.RawQuery = q.Encode()
					signed, headers, err := signer.PresignHTTP(context.Background(), credentials, r, hash, "sts", "eu-central-1", time.Now())
					if err != nil {
						t.Fatal(err)
					}
					if r, err = http.NewRequest(http.MethodPost, signed, strings.NewReader(body)); err != nil {
						t.Fatal(err)
					}
					for k, v := range headers {
						r.Header[k] = v
					}
				} else if err := signer.SignHTTP(context.Background(), credentials, r, hash, "sts", "eu-central-1", time.Now()); err != nil {
					t.Fatal(err)
				}
				response, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				e := <-verdicts
				if p := e.Err(); p != nil {
					t.Errorf("%s: %s\n%s", name, p.Message, e.CanonicalRequest)
				}
				if e.Presigned != presigned || e.Credential.Region != "eu-central-1" || e.Credential.AccessKeyID != accessKey {
					t.Errorf("%s: examined as %+v", name, e.Credential)
				}
			}
		}
	}
}

func TestEveryCheckIsMade(t *testing.T) {
	t.Parallel()
	r := request(t, "GET", "/", "Host: example.amazonaws.com", "X-Amz-Date: 20150830T120000Z", "X-Amz-Target: A.B",
		"Authorization: AWS4-HMAC-SHA1 Credential=AKID/20150829/mars/other/aws5_request, SignedHeaders=x-amz-date, Signature=00")
	e := Examine(r, nil, Rules{Service: "sts", Skew: 15 * time.Minute}, at)
	e.Verify(secret, nil)
	failed := map[string]bool{}
	for _, c := range e.Checks {
		if !c.OK {
			failed[c.Name] = true
		}
	}
	for _, name := range []string{"not expired", "signed headers", "algorithm", "credential region", "credential service", "credential terminator", "credential day", "signature"} {
		if !failed[name] {
			t.Errorf("no failed check %q among %v", name, failed)
		}
	}
	if p := e.Err(); p.Kind != Skewed {
		t.Errorf("first problem is %q, want the date", p.Message)
	}
	for _, c := range e.Checks {
		for _, s := range append(append(c.Want, c.Got...), c.Note, c.Fix) {
			if strings.Contains(s, "Signature=") || s == "00" {
				t.Errorf("check %q shows the signature: %q", c.Name, s)
			}
		}
	}
}

func TestTheKeyCacheIsBoundedAndRight(t *testing.T) {
	t.Parallel()
	var c KeyCache
	scope := Credential{Day: "20150830", Region: "us-east-1", Service: "iam"}
	// AWS General Reference, "Deriving the signing key": the example's key.
	const want = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
	for range 2 {
		k := c.derive(secret, scope)
		if got := hex.EncodeToString(k[:]); got != want {
			t.Errorf("derived %s, want %s", got, want)
		}
	}
	for i := range 3 * maxKeys {
		scope.Region = strconv.Itoa(i)
		c.derive(secret, scope)
		if len(c.keys) > maxKeys {
			t.Fatalf("%d keys are kept", len(c.keys))
		}
	}
	a, b := c.derive("one", scope), c.derive("two", scope)
	if bytes.Equal(a[:], b[:]) {
		t.Error("a changed secret gives the old key")
	}
}
