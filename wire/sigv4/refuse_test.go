package sigv4

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// good is a request with nothing wrong but its signature; change makes something else wrong, which AWS
// looks at first.
func good(t testing.TB, change func(r *http.Request)) *http.Request {
	r := request(t, "POST", "/", "Host: sts.us-east-1.amazonaws.com", "X-Amz-Date: 20150830T123600Z",
		authorization("us-east-1", "sts", "host;x-amz-date", "0000000000000000000000000000000000000000000000000000000000000000"))
	if change != nil {
		change(r)
	}
	return r
}

func set(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func TestRefusalsAreWordedAsAWSDoes(t *testing.T) {
	t.Parallel()
	header := func(from, to string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), from, to))
		}
	}
	tests := []struct {
		name   string
		change func(*http.Request)
		now    time.Time
		kind   Kind
		want   string
	}{
		{"no authentication", func(r *http.Request) { r.Header.Del("Authorization") }, at, Missing, "Missing Authentication Token"},
		{"another scheme", set("Authorization", "Bearer abc"), at, Missing, "Missing Authentication Token"},
		{"header and query", func(r *http.Request) { r.RequestURI = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256" }, at, Ambiguous, "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."},
		{"two headers", func(r *http.Request) { r.Header.Add("Authorization", "AWS4-HMAC-SHA256 x=y") }, at, Ambiguous, "Found both"},
		{"a part without equal-sign", set("Authorization", "AWS4-HMAC-SHA256 Credential=a/b, nonsense"), at, Incomplete, "'nonsense' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 Credential=a/b, nonsense'."},
		{"an empty header", set("Authorization", "AWS4-HMAC-SHA256"), at, Incomplete, "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256"},
		{"no date either", func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256")
			r.Header.Del("X-Amz-Date")
		}, at, Incomplete, "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256"},
		{"an endless header", set("Authorization", "AWS4-HMAC-SHA256 "+strings.Repeat("a", maxAuthorization)), at, Incomplete, "Authorization header is too long"},
		{"endless signed headers", header("host;x-amz-date", "host"+strings.Repeat(";a", maxSignedHeaders)), at, Incomplete, "Too many signed headers"},
		{"a date of no known form", set("X-Amz-Date", "2015-08-30"), at, Incomplete, "Date must be in ISO-8601 'basic format'. Got '2015-08-30'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{"a credential of four parts", header("/aws4_request", ""), at, Incomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIDEXAMPLE/20150830/us-east-1/sts'"},
		{"another algorithm", header("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"), at, Incomplete, "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'."},
		{"signed too long ago", nil, at.Add(15*time.Minute + time.Second), Skewed, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"},
		{"signed in the future", nil, at.Add(-15*time.Minute - time.Second), Skewed, "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T122059Z + 15 min.)"},
		{"host not signed", header("host;", ""), at, Unsigned, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{"date not signed", header(";x-amz-date", ""), at, Unsigned, "'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization."},
		{"token not signed", set("X-Amz-Security-Token", "t"), at, Unsigned, "'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization."},
		{"target not signed", set("X-Amz-Target", "A.B"), at, Unsigned, "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."},
		{"another region", header("us-east-1", "eu-west-1"), at, Misscoped, "Credential should be scoped to a valid region, not 'eu-west-1'."},
		{"another service", header("/sts/", "/iam/"), at, Misscoped, "Credential should be scoped to correct service: 'sts'."},
		{"another terminator", header("aws4_request", "aws5_request"), at, Misscoped, "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."},
		{"another day", header("20150830/", "20150829/"), at, Misscoped, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' != '20150830', from '20150830T123600Z'."},
		{"another region and service", header("us-east-1/sts", "x/iam"), at, Misscoped, "Credential should be scoped to a valid region, not 'x'. Credential should be scoped to correct service: 'sts'."},
		{"another signature", nil, at, Mismatched, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."},
	}
	rules := Rules{Service: "sts", Region: "us-east-1", Skew: 15 * time.Minute}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := Examine(good(t, tt.change), nil, rules, tt.now)
			e.Verify(secret, nil)
			p := e.Err()
			if p == nil {
				t.Fatal("no problem")
			}
			if p.Kind != tt.kind || !strings.HasPrefix(p.Message, tt.want) {
				t.Errorf("got kind %d, want %d\n got %s\nwant %s", p.Kind, tt.kind, p.Message, tt.want)
			}
		})
	}
}

func TestFormsOfTheHeaderThatAreRead(t *testing.T) {
	t.Parallel()
	const signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" // the get-vanilla vector
	rules := Rules{Service: "service", Region: "us-east-1", Skew: 15 * time.Minute}
	for name, header := range map[string]string{
		"commas only":       "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request,SignedHeaders=host;x-amz-date,Signature=" + signature,
		"spaces only":       "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request SignedHeaders=host;x-amz-date Signature=" + signature,
		"another order":     "  AWS4-HMAC-SHA256 Signature=" + signature + ",  SignedHeaders=host;x-amz-date, Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request ",
		"upper-case names":  "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=Host;X-Amz-Date, Signature=" + signature,
		"unsorted headers":  "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=x-amz-date;host, Signature=" + signature,
		"a parameter extra": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Extra=1, Signature=" + signature,
	} {
		r := request(t, "GET", "/", "Host: example.amazonaws.com", "X-Amz-Date: 20150830T123600Z", "Authorization: "+header)
		e := Examine(r, nil, rules, at)
		e.Verify(secret, nil)
		if p := e.Err(); p != nil {
			t.Errorf("%s: %s", name, p.Message)
		}
	}
}

func TestTheDateHeaderWillDo(t *testing.T) {
	t.Parallel()
	r := request(t, "GET", "/", "Host: example.amazonaws.com", "Date: Sun, 30 Aug 2015 12:36:00 GMT",
		authorization("us-east-1", "service", "date;host", "00"))
	e := Examine(r, nil, Rules{Service: "service", Region: "us-east-1", Skew: time.Minute}, at)
	if p := e.Err(); p != nil {
		t.Error(p.Message)
	}
	if !strings.HasPrefix(e.StringToSign, "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n") {
		t.Errorf("string to sign:\n%s", e.StringToSign)
	}
}

func TestPresignedRequestsLiveAsLongAsTheirServiceLets(t *testing.T) {
	t.Parallel()
	const query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=00"
	expiring := Rules{Service: "sts", Skew: 15 * time.Minute}
	fixed := Rules{Service: "sts", Skew: 15 * time.Minute, FixedWindow: true}
	tests := []struct {
		name, more string
		rules      Rules
		after      time.Duration
		want       string
	}{
		{"within its minute", "&X-Amz-Expires=60", expiring, time.Minute, ""},
		{"after its minute", "&X-Amz-Expires=60", expiring, 61 * time.Second, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T123701Z - 1 min.)"},
		{"after 90 seconds", "&X-Amz-Expires=90", expiring, 91 * time.Second, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T123731Z - 90 sec.)"},
		{"within its hour", "&X-Amz-Expires=3600", expiring, time.Hour, ""},
		{"without expiry the service's window counts", "", expiring, 15*time.Minute + time.Second, "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"},
		{"a fixed window outlasts its minute", "&X-Amz-Expires=60", fixed, 14 * time.Minute, ""},
		{"a fixed window ends before its hour", "&X-Amz-Expires=3600", fixed, 16 * time.Minute, "Signature expired: 20150830T123600Z is now earlier than 20150830T123700Z (20150830T125200Z - 15 min.)"},
		{"the future counts by the clock's tolerance", "&X-Amz-Expires=60", expiring, -16 * time.Minute, "Signature not yet current: 20150830T123600Z is still later than 20150830T123500Z (20150830T122000Z + 15 min.)"},
		{"longer than a week", "&X-Amz-Expires=604801", expiring, 0, "X-Amz-Expires must be less than a week"},
		{"no number", "&X-Amz-Expires=soon", expiring, 0, "X-Amz-Expires must be less than a week"},
		{"no time at all", "&X-Amz-Expires=0", expiring, 0, "X-Amz-Expires must be less than a week"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := request(t, "GET", "/?"+query+tt.more, "Host: sts.amazonaws.com", "X-K8s-Aws-Id: cluster")
			p := Examine(r, nil, tt.rules, at.Add(tt.after)).Err()
			switch {
			case p == nil && tt.want != "":
				t.Errorf("no problem, want %s", tt.want)
			case p != nil && (tt.want == "" || !strings.HasPrefix(p.Message, tt.want)):
				t.Errorf("\n got %s\nwant %s", p.Message, tt.want)
			}
		})
	}
}

func TestPresignedRequestsThatLackSomething(t *testing.T) {
	t.Parallel()
	const all = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
	for must, kept := range map[bool]bool{false: true, true: false} {
		p := Examine(request(t, "GET", "/?"+all, "Host: s3.amazonaws.com"), nil, Rules{Service: "s3", Skew: time.Minute, MustExpire: must}, at).Err()
		if kept != (p == nil) || p != nil && (p.Kind != Incomplete || p.Check != "query parameters" || p.Message != "AWS query-string parameters must include 'X-Amz-Expires'. Re-examine the query-string parameters.") {
			t.Errorf("an expiry must be there %v: %v", must, p)
		}
	}
	for query, want := range map[string]string{
		"X-Amz-Algorithm=AWS4-HMAC-SHA256": "AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.",
		"X-Amz-Signature=00":               "AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.",
		"X-Amz-Algorithm=a&X-Amz-Credential=" + strings.Repeat("b", maxAuthorization+1) + "&X-Amz-Signature=c&X-Amz-SignedHeaders=d&X-Amz-Date=e": "Query-string parameter 'X-Amz-Credential' is too long",
	} {
		p := Examine(request(t, "GET", "/?"+query, "Host: sts.amazonaws.com"), nil, Rules{Service: "sts"}, at).Err()
		if p == nil || p.Kind != Incomplete || p.Message != want {
			t.Errorf("got %v\nwant %s", p, want)
		}
	}
}
