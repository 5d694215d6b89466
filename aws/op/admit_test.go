package op

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/audit"
)

// Every way in which a signature can be wrong, and the code and status that each protocol has for it.
func TestSignaturesThatAreRefused(t *testing.T) {
	t.Parallel()
	edit := func(from, to string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
		}
	}
	const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	const invalid = "The security token included in the request is invalid."
	type code struct {
		status int
		code   string
	}
	missing := [2]code{{403, "MissingAuthenticationToken"}, {400, "MissingAuthenticationTokenException"}}
	incomplete := [2]code{{400, "IncompleteSignature"}, {400, "IncompleteSignatureException"}}
	unknown := [2]code{{403, "InvalidClientTokenId"}, {400, "UnrecognizedClientException"}}
	wrong := [2]code{{403, "SignatureDoesNotMatch"}, {400, "InvalidSignatureException"}}

	tests := []struct {
		name        string
		key, secret string                // root's by default
		service     string                // of the scope
		when        [2]time.Duration      // signed so much after now
		before      func(r *http.Request) // it is signed
		after       func(r *http.Request)
		want        [2]code // query, JSON
		message     [2]string
	}{
		{name: "not signed", after: func(r *http.Request) { r.Header.Del("Authorization") }, want: missing, message: [2]string{"Request is missing Authentication Token", "Missing Authentication Token"}},
		{name: "another scheme", after: func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, want: missing, message: [2]string{"Request is missing Authentication Token", "Missing Authentication Token"}},
		{name: "signed twice", after: func(r *http.Request) { r.RequestURI = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256" }, want: [2]code{{400, "IncompleteSignature"}, {400, "InvalidSignatureException"}}, message: both("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")},
		{name: "no signature in the header", after: edit("Signature=", "Sig="), want: incomplete, message: both("Authorization header requires 'Signature' parameter. Authorization=AWS4-HMAC-SHA256 ")},
		{name: "no key=value pair", after: edit("Signature=", ""), want: incomplete, message: both("'")},
		{name: "a short credential", after: edit("/aws4_request", ""), want: incomplete, message: both("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '")},
		{name: "another algorithm", after: edit("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), want: incomplete, message: both("Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'.")},
		{name: "an unknown key", key: "AKIAUNKNOWN", secret: "x", want: unknown, message: both(invalid)},
		{name: "a key of an odd form", key: "AKIA'; drop table keys", secret: "x", want: incomplete, message: both("")},
		{name: "a key with characters that none has", key: "AKIA'--", secret: "x", want: unknown, message: both(invalid)},
		{name: "a temporary key that nobody issued", key: "ASIAQNZGKIQY56JQ7WML", secret: "x", want: unknown, message: both(invalid)},
		{name: "an inactive key", key: offKey, secret: "off-secret", want: unknown, message: both(invalid)},
		{name: "a session token with a long-term key", before: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "FwoGZ") }, want: unknown, message: both(invalid)},
		{name: "a session token that is not signed", after: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "FwoGZ") }, want: wrong, message: both("'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization.")},
		{name: "another secret", secret: "guess", want: wrong, message: both(mismatch)},
		{name: "another body", after: func(r *http.Request) { r.Body = io.NopCloser(io.MultiReader(r.Body, strings.NewReader(" "))) }, want: wrong, message: both(mismatch)},
		{name: "another path", after: func(r *http.Request) { r.RequestURI = "/x" }, want: wrong, message: both(mismatch)},
		{name: "another query", after: func(r *http.Request) { r.RequestURI = "/?x=1" }, want: wrong, message: both(mismatch)},
		{name: "another host", after: func(r *http.Request) { r.Host = "evil.example" }, want: wrong, message: both(mismatch)},
		{name: "another signed header", after: func(r *http.Request) { r.Header.Set("Content-Type", r.Header.Get("Content-Type")+";x=y") }, want: wrong, message: both(mismatch)},
		{name: "a signature in upper case", after: func(r *http.Request) {
			h := r.Header.Get("Authorization")
			i := strings.Index(h, "Signature=") + len("Signature=")
			r.Header.Set("Authorization", h[:i]+strings.ToUpper(h[i:])+"A")
		}, want: wrong, message: both(mismatch)},
		{name: "another service's scope", service: "s3", want: wrong, message: both("Credential should be scoped to correct service: 'toy'.")},
		{name: "a region that is none", after: edit("/"+region+"/", "/mars/"), want: wrong, message: both("Credential should be scoped to a valid region, not 'mars'.")},
		{name: "another region than the host's", before: func(r *http.Request) { r.Host = "toy.us-west-2.amazonaws.com" }, want: wrong, message: both("Credential should be scoped to a valid region, not 'eu-central-1'.")},
		{name: "another day", after: edit("/20261120/", "/20261119/"), want: wrong, message: both("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261119' != '20261120', from '20261120T103000Z'.")},
		{name: "too old", when: [2]time.Duration{-15*time.Minute - time.Second, -5*time.Minute - time.Second}, want: wrong, message: [2]string{
			"Signature expired: 20261120T101459Z is now earlier than 20261120T101500Z (20261120T103000Z - 15 min.)",
			"Signature expired: 20261120T102459Z is now earlier than 20261120T102500Z (20261120T103000Z - 5 min.)"}},
		{name: "in the future", when: [2]time.Duration{15*time.Minute + time.Second, 5*time.Minute + time.Second}, want: wrong, message: [2]string{
			"Signature not yet current: 20261120T104501Z is still later than 20261120T104500Z (20261120T103000Z + 15 min.)",
			"Signature not yet current: 20261120T103501Z is still later than 20261120T103500Z (20261120T103000Z + 5 min.)"}},
		{name: "a target that is not signed", after: edit(";x-amz-target", ""), want: [2]code{{403, ""}, {400, "InvalidSignatureException"}}, message: both("'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.")},
	}
	for _, tt := range tests {
		for i, p := range []Protocol{Query, JSON11} {
			name := tt.name + map[Protocol]string{Query: ", query", JSON11: ", json"}[p]
			if tt.want[i].code == "" {
				continue // the query protocol has no target
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d, j := world(t, toy(p))
				r := call(p, "Who", "")
				if tt.before != nil {
					tt.before(r)
				}
				key, secret, service := rootKey, "root-secret", "toy"
				if tt.key != "" {
					key = tt.key
				}
				if tt.secret != "" {
					secret = tt.secret
				}
				if tt.service != "" {
					service = tt.service
				}
				sign(t, r, key, secret, service, now.Add(tt.when[i]))
				if tt.after != nil {
					tt.after(r)
				}
				w, info := serve(d, r)
				got := readRefusal(t, p, w)
				if w.Code != tt.want[i].status || got.Code != tt.want[i].code || !strings.HasPrefix(got.Message, tt.message[i]) {
					t.Errorf("%d %+v\nwant %d %s %s", w.Code, got, tt.want[i].status, tt.want[i].code, tt.message[i])
				}
				e := j.last(t)
				var proof Evidence
				if err := json.Unmarshal(e.Evidence, &proof); err != nil || proof.Authentication.OK() {
					t.Errorf("evidence %s, %v", e.Evidence, err)
				}
				if e.Outcome != audit.Refused || e.Code != got.Code || e.Operation != "Who" || info.Code != got.Code {
					t.Errorf("event %+v", e)
				}
				if strings.ContainsAny(info.Caller, "'; ") {
					t.Errorf("the caller is shown as %q", info.Caller)
				}
			})
		}
	}
}

func both(s string) [2]string { return [2]string{s, s} }

func TestSignaturesAreAcceptedWithinTheWindow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		protocol Protocol
		after    time.Duration
	}{{Query, -15 * time.Minute}, {Query, 15 * time.Minute}, {JSON11, -5 * time.Minute}, {JSON11, 5 * time.Minute}} {
		d, _ := world(t, toy(tt.protocol))
		r := call(tt.protocol, "Who", "")
		sign(t, r, rootKey, "root-secret", "toy", now.Add(tt.after))
		if w, _ := serve(d, r); w.Code != http.StatusOK {
			t.Errorf("protocol %d, %v: %s", tt.protocol, tt.after, w.Body)
		}
	}
}

func TestNoPolicyDeniesAnAuthenticatedOperation(t *testing.T) {
	t.Parallel()
	d, j := world(t, toy(Query))
	r := call(Query, "Who", "")
	sign(t, r, userKey, "user-secret", "toy", now)
	w, _ := serve(d, r)
	if w.Code != 200 || !strings.Contains(w.Body.String(), "arn:aws:iam::123456789012:user/ann") || j.last(t).Outcome != audit.Allowed {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
