package sigv4

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func FuzzAuthorizationHeader(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature=00", "20150830T123600Z")
	f.Add("AWS4-HMAC-SHA256 Credential=////,SignedHeaders=;;;,Signature==", "Sun, 30 Aug 2015 12:36:00 GMT")
	f.Add("AWS4-", "")
	f.Fuzz(func(t *testing.T, header, date string) {
		r := request(t, "POST", "/", "Host: sts.amazonaws.com")
		r.Header = http.Header{"Authorization": {header}, "X-Amz-Date": {date}}
		e := Examine(r, nil, Rules{Service: "sts", Skew: 15 * time.Minute}, at)
		e.Verify(secret, nil)
		if e.Err() == nil {
			t.Fatalf("%q verifies", header)
		}
		if len(e.Checks) == 0 {
			t.Fatal("nothing was checked")
		}
	})
}

// The canonical form is one: making it of itself changes nothing, and its parts keep to their alphabet.
func FuzzCanonicalRequest(f *testing.F) {
	f.Add("/a/../b//c%20d/", "b=2&a=1&a=0&c", "  x   y ")
	f.Add("/%2e%2e/", "%zz=%&=&&", "")
	f.Fuzz(func(t *testing.T, path, query, header string) {
		if strings.ContainsAny(path, "?") {
			return
		}
		once := canonicalQuery(parseQuery(query))
		if again := canonicalQuery(parseQuery(once)); again != once {
			t.Errorf("query %q gives %q, then %q", query, once, again)
		}
		p := canonicalPath("/"+path, EncodedAgain)
		if !strings.HasPrefix(p, "/") || strings.Contains(p, "//") || strings.Contains(p+"/", "/../") || strings.ContainsAny(p, " ?#\n") {
			t.Errorf("path %q gives %q", path, p)
		}
		kept := canonicalPath("/"+path, AsSent)
		if raw, err := url.PathUnescape(kept); err != nil || escape(raw, true) != kept {
			t.Errorf("path %q as sent gives %q", path, kept)
		}
		r := &http.Request{Method: "GET", URL: &url.URL{Path: "/"}, RequestURI: "/" + path + "?" + query, Header: http.Header{"X-Any": {header}}}
		lines := strings.Split(canonical(r, parseQuery(query), []string{"x-any"}, "hash", EncodedAgain), "\n")
		if len(lines) != 7 {
			t.Errorf("%d lines of %q", len(lines), lines)
		}
	})
}
