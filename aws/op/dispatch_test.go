package op

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
)

// refusal is an error as a client of either protocol reads it.
type refusal struct{ Code, Message, Type, RequestID string }

func readRefusal(t testing.TB, p Protocol, w *httptest.ResponseRecorder) refusal {
	t.Helper()
	if p == JSON11 {
		var body struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
		if w.Header().Get("X-Amzn-Errortype") != body.Type+":" {
			t.Errorf("x-amzn-errortype %q, body %q", w.Header().Get("X-Amzn-Errortype"), body.Type)
		}
		if w.Header().Get("Content-Type") != "application/x-amz-json-1.1" {
			t.Errorf("content type %q", w.Header().Get("Content-Type"))
		}
		return refusal{Code: body.Type, Message: body.Message, RequestID: w.Header().Get("X-Amzn-Requestid")}
	}
	var body struct {
		XMLName   xml.Name
		Type      string `xml:"Error>Type"`
		Code      string `xml:"Error>Code"`
		Message   string `xml:"Error>Message"`
		RequestID string `xml:"RequestId"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &body); err != nil || body.XMLName.Local != "ErrorResponse" {
		t.Fatalf("%v in %s", err, w.Body)
	}
	if w.Header().Get("Content-Type") != "text/xml" {
		t.Errorf("content type %q", w.Header().Get("Content-Type"))
	}
	return refusal{body.Code, body.Message, body.Type, body.RequestID}
}

var protocols = map[string]Protocol{"query": Query, "json": JSON11}

func TestASignedCallIsAnsweredAndRecorded(t *testing.T) {
	t.Parallel()
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, j := world(t, toy(p))
			arguments := map[Protocol]string{Query: "Name=abc", JSON11: `{"Name":"abc"}`}[p]
			r := call(p, "Ping", arguments)
			sign(t, r, rootKey, "root-secret", "toy", now)
			w, info := serve(d, r)
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), account) || !strings.Contains(w.Body.String(), region) {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if w.Header().Get("X-Amzn-Requestid") != info.ID || w.Header().Get("Date") != "Fri, 20 Nov 2026 10:30:00 GMT" {
				t.Errorf("headers %v", w.Header())
			}
			want := audit.Request{ID: info.ID, Surface: "toy", Operation: "Ping", Caller: "arn:aws:iam::123456789012:root"}
			if *info != want {
				t.Errorf("request %+v, want %+v", *info, want)
			}
			e := j.last(t)
			if e.Outcome != audit.Allowed || e.RequestID != info.ID || !e.Time.Equal(now) || e.Resource != "arn:aws:toy:eu-central-1:123456789012:thing/abc" || e.Caller != want.Caller || e.Operation != "Ping" {
				t.Errorf("event %+v", e)
			}
			var proof Evidence
			if err := json.Unmarshal(e.Evidence, &proof); err != nil || !proof.Authentication.OK() || len(proof.Authorisation) != 1 || !proof.Authorisation[0].Allows() || len(proof.Authentication) < 8 {
				t.Errorf("evidence %s, %v", e.Evidence, err)
			}
		})
	}
}

func TestRefusalsOnTheWayToAnOperation(t *testing.T) {
	t.Parallel()
	deny := "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: toy:Ping on resource: arn:aws:toy:eu-central-1:123456789012:thing/abc because no identity-based policy allows the toy:Ping action"
	tests := []struct {
		name             string
		protocol         Protocol
		operation, input string
		key, secret      string // "" unsigned
		status           int
		want             refusal
	}{
		{"query: unknown action", Query, "Pong", "", "", "", 400, refusal{Code: "InvalidAction", Message: "Could not find operation Pong for version 2020-01-01"}},
		{"json: unknown operation", JSON11, "Pong", "", "", "", 400, refusal{Code: "UnknownOperationException"}},
		{"query: malformed input", Query, "Ping", "Name.member.1=a", rootKey, "root-secret", 400, refusal{Code: "MalformedInput", Message: "Start of structure or map found where not expected"}},
		{"json: malformed input", JSON11, "Ping", `{"Name":1}`, rootKey, "root-secret", 400, refusal{Code: "SerializationException", Message: "name: NUMBER_VALUE can not be converted to a String"}},
		{"json: no JSON", JSON11, "Ping", `{`, rootKey, "root-secret", 400, refusal{Code: "SerializationException"}},
		{"query: violated constraints", Query, "Ping", "Name=abcdef", rootKey, "root-secret", 400, refusal{Code: "ValidationError", Message: "1 validation error detected: Value 'abcdef' at 'name' failed to satisfy constraint: Member must have length less than or equal to 5"}},
		{"json: violated constraints", JSON11, "Ping", "{}", rootKey, "root-secret", 400, refusal{Code: "ValidationException", Message: "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"}},
		{"query: denied", Query, "Ping", "Name=abc", userKey, "user-secret", 403, refusal{Code: "AccessDenied", Message: deny}},
		{"json: denied", JSON11, "Ping", `{"Name":"abc"}`, userKey, "user-secret", 400, refusal{Code: "AccessDeniedException", Message: deny}},
		{"query: the service's own error", Query, "Fail", "How=own", "", "", 400, refusal{Code: "ToyException", Message: "no <toys>"}},
		{"json: the service's own error", JSON11, "Fail", `{"How":"own"}`, "", "", 400, refusal{Code: "ToyException", Message: "no <toys>"}},
		{"query: a fault the service maps", Query, "Fail", "How=mapped", "", "", 404, refusal{Code: "ToyNotFound", Message: "There is no such toy."}},
		{"query: a fault it does not map", Query, "Fail", "How=fault", "", "", 500, refusal{Code: "InternalFailure", Message: "The request processing has failed because of an unknown error, exception or failure.", Type: "Receiver"}},
		{"json: a fault it does not map", JSON11, "Fail", `{"How":"fault"}`, "", "", 500, refusal{Code: "InternalFailure", Message: "The request processing has failed because of an unknown error, exception or failure."}},
		{"query: a panic", Query, "Fail", "How=panic", "", "", 500, refusal{Code: "InternalFailure", Message: "The request processing has failed because of an unknown error, exception or failure.", Type: "Receiver"}},
		{"json: a panic", JSON11, "Fail", `{"How":"panic"}`, "", "", 500, refusal{Code: "InternalFailure", Message: "The request processing has failed because of an unknown error, exception or failure."}},
		{"query: the directory is down", Query, "Who", "", "AKIABROKEN", "x", 500, refusal{Code: "InternalFailure", Message: "The request processing has failed because of an unknown error, exception or failure.", Type: "Receiver"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, j := world(t, toy(tt.protocol))
			var logged bytes.Buffer
			d.Log = slog.New(slog.NewTextHandler(&logged, nil))
			r := call(tt.protocol, tt.operation, tt.input)
			if tt.key != "" {
				sign(t, r, tt.key, tt.secret, "toy", now)
			}
			w, info := serve(d, r)
			got := readRefusal(t, tt.protocol, w)
			tt.want.RequestID = info.ID
			if tt.protocol == Query && tt.want.Type == "" {
				tt.want.Type = "Sender"
			}
			if got != tt.want || w.Code != tt.status {
				t.Errorf("%d %+v\nwant %d %+v", w.Code, got, tt.status, tt.want)
			}
			if info.Code != tt.want.Code {
				t.Errorf("the request's code is %q", info.Code)
			}
			if strings.Contains(w.Body.String(), "password") || strings.Contains(w.Body.String(), "secret to tell") {
				t.Errorf("internal text leaked: %s", w.Body)
			}
			if tt.status == 500 && !strings.Contains(logged.String(), info.ID) {
				t.Errorf("an internal error was not logged: %s", &logged)
			}
			if denied := strings.HasPrefix(tt.want.Code, "AccessDenied"); denied {
				if e := j.last(t); e.Outcome != audit.Refused || e.Code != tt.want.Code || e.Resource == "" {
					t.Errorf("event %+v", e)
				}
			}
		})
	}
}

func TestWhatCannotBeRouted(t *testing.T) {
	t.Parallel()
	d, _ := world(t, toy(Query), Service{Name: "jot", Protocol: JSON11, Target: "Jot"})
	form := func(method, target, body string) *http.Request {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	target := func(method, target string) *http.Request {
		r := httptest.NewRequest(method, "/", nil)
		r.Header.Set("X-Amz-Target", target)
		return r
	}
	for _, tt := range []struct {
		name     string
		r        *http.Request
		protocol Protocol
		status   int
		code     string
		message  string
	}{
		{"no action", form("POST", "/", "Version=2020-01-01"), Query, 400, "MissingAction", "The request is missing an action or a required parameter."},
		{"an unknown version", form("POST", "/", "Action=Ping&Version=1999-01-01"), Query, 400, "InvalidAction", "Could not find operation Ping for version 1999-01-01"},
		{"no version", form("POST", "/", "Action=Ping"), Query, 400, "InvalidAction", "Could not find operation Ping for version NO_VERSION_SPECIFIED"},
		{"a broken form", form("POST", "/", "Action=%zz"), Query, 404, "MalformedQueryString", "The query string contains a syntax error."},
		{"a broken query", form("GET", "/?Action=%zz", ""), Query, 404, "MalformedQueryString", "The query string contains a syntax error."},
		{"a form of another type", func() *http.Request {
			r := form("POST", "/", "Action=Who&Version=2020-01-01")
			r.Header.Set("Content-Type", "text/plain")
			return r
		}(), Query, 400, "MissingAction", "The request is missing an action or a required parameter."},
		{"an unknown target", target("POST", "Other.Do"), JSON11, 400, "UnknownOperationException", ""},
		{"a target without operation", target("POST", "Jot"), JSON11, 400, "UnknownOperationException", ""},
		{"a target by GET", target("GET", "Jot.Do"), JSON11, 400, "UnknownOperationException", ""},
		{"a JSON service's host without target", form("POST", "http://jot.eu-west-1.amazonaws.com/", "Action=Ping"), JSON11, 400, "UnknownOperationException", ""},
		{"a body too large", form("POST", "/", strings.Repeat("a", 1<<20+1)), Query, 413, "RequestEntityTooLarge", "Request Entity Too Large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, _ := serve(d, tt.r)
			got := readRefusal(t, tt.protocol, w)
			if w.Code != tt.status || got.Code != tt.code || got.Message != tt.message {
				t.Errorf("%d %+v, want %d %s %q", w.Code, got, tt.status, tt.code, tt.message)
			}
		})
	}
}

func TestTheRegionOfARequest(t *testing.T) {
	t.Parallel()
	d, _ := world(t, toy(JSON11))
	for host, want := range map[string]string{
		"127.0.0.1:4566":                       "us-east-1", // the dispatcher's
		"toy.ap-southeast-2.amazonaws.com":     "ap-southeast-2",
		"toy-fips.us-gov-west-1.amazonaws.com": "us-gov-west-1",
		"TOY.eu-west-3.api.aws:443":            "eu-west-3",
		"toy.cn-north-1.amazonaws.com.cn":      "cn-north-1",
		"toy.amazonaws.com":                    "us-east-1", // the global endpoint's
		"toy.example.org":                      "us-east-1",
	} {
		r := call(JSON11, "Open", "")
		r.Host = host
		w, _ := serve(d, r)
		if !strings.Contains(w.Body.String(), `"Region":"`+want+`"`) {
			t.Errorf("%s: %s, want %s", host, w.Body, want)
		}
	}
}

func TestPublicOperationsIgnoreAuthorization(t *testing.T) {
	t.Parallel()
	for name, p := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, j := world(t, toy(p))
			r := call(p, "Open", "")
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 nonsense")
			w, info := serve(d, r)
			if w.Code != http.StatusOK || info.Caller != "" || len(j.events) != 0 {
				t.Errorf("%d %s, caller %q, %d events", w.Code, w.Body, info.Caller, len(j.events))
			}
		})
	}
}

func TestNothingIsDoneThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	d, j := world(t, toy(JSON11))
	j.err = errors.New("disk full")
	r := call(JSON11, "Ping", `{"Name":"abc"}`)
	sign(t, r, rootKey, "root-secret", "toy", now)
	w, _ := serve(d, r)
	if got := readRefusal(t, JSON11, w); w.Code != 500 || got.Code != "InternalFailure" {
		t.Errorf("%d %+v", w.Code, got)
	}
}

func TestBrowsers(t *testing.T) {
	t.Parallel()
	d, _ := world(t, toy(JSON11))
	w, _ := serve(d, httptest.NewRequest(http.MethodOptions, "http://toy.us-east-1.amazonaws.com/", nil))
	h := w.Header()
	if w.Code != 200 || h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "x-amz-target") || h.Get("Access-Control-Allow-Methods") != "POST" {
		t.Errorf("preflight %d %v", w.Code, h)
	}
	for _, how := range []string{"{}", `{"How":"own"}`} {
		w, _ = serve(d, call(JSON11, "Fail", how))
		if got := w.Header().Get("Access-Control-Expose-Headers"); got != "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date" {
			t.Errorf("%s exposes %q", how, got)
		}
	}
	d, _ = world(t, toy(Query))
	if w, _ = serve(d, httptest.NewRequest(http.MethodOptions, "/", nil)); w.Code != 400 {
		t.Errorf("a service without browsers answers a preflight with %d", w.Code)
	}
}

func TestOutsideAServerTheRequestIDIsMadeHere(t *testing.T) {
	t.Parallel()
	d, j := world(t, toy(JSON11))
	r := call(JSON11, "Who", "")
	sign(t, r, userKey, "user-secret", "toy", now)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	id := w.Header().Get("X-Amzn-Requestid")
	if w.Code != 200 || len(id) != 36 || id[14] != '4' || j.last(t).RequestID != id {
		t.Errorf("%d, id %q, event %+v", w.Code, id, j.last(t))
	}
}

func TestTablesThatAreWrongAreRefused(t *testing.T) {
	t.Parallel()
	bad := toy(Query)
	bad.Constraints = "A.B nonsense"
	twice := toy(Query)
	twice.Operations = append(twice.Operations, twice.Operations[0])
	for name, services := range map[string][]Service{
		"a broken constraint table": {bad},
		"an operation twice":        {twice},
		"two with one version":      {toy(Query), toy(Query)},
		"no target":                 {{Name: "x", Protocol: JSON11}},
	} {
		d := &Dispatcher{Services: services, Access: &access.Decider{}, Audit: &journal{}, Now: clock, Rand: &counting{}}
		if err := d.Prepare(); err == nil {
			t.Errorf("%s: no error", name)
		}
		if w, _ := serve(d, call(Query, "Who", "")); w.Code != 500 {
			t.Errorf("%s: answered with %d", name, w.Code)
		}
	}
	if err := (&Dispatcher{}).Prepare(); err == nil {
		t.Error("a dispatcher without anything is sound")
	}
}
