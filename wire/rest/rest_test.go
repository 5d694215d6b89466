package rest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type credentialBody struct {
	ID     string            `json:"id,omitempty"`
	Name   string            `json:"name"`
	Issuer string            `json:"issuer"`
	Tags   map[string]string `json:"tags,omitempty"`
	status int
}

func (c *credentialBody) Status() int { return c.status }
func (c *credentialBody) Headers() http.Header {
	return http.Header{"etag": {`W/"1"`}}
}

type everything struct {
	App     string         `path:"app" json:"app"`
	Top     *int           `query:"$top" json:"top"`
	Skip    int            `query:"$skip" json:"skip"`
	Count   bool           `query:"$count" json:"count"`
	Filter  *string        `query:"$filter" json:"filter"`
	Expand  []string       `query:"$expand" json:"expand"`
	Match   string         `header:"If-Match" json:"match"`
	All     url.Values     `query:"*" json:"-"`
	Body    credentialBody `body:"optional" json:"body"`
	Ignored string         `json:"-"`
}

func surface() *http.ServeMux {
	mux := http.NewServeMux()
	onError := func(w http.ResponseWriter, _ *http.Request, err error) {
		var br *BadRequest
		if errors.As(err, &br) {
			w.WriteHeader(br.Status)
			_, _ = io.WriteString(w, br.Field+"|"+br.Reason)
			return
		}
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, err.Error())
	}
	before := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("request-id", "r-1") }
	Mount(mux, onError, before,
		Do("GET /echo/{app}", 200, func(_ context.Context, in *everything) (*everything, error) { return in, nil }),
		Do("POST /made/{app}", 200, func(_ context.Context, in *struct {
			Body credentialBody `body:""`
		}) (*credentialBody, error) {
			in.Body.status = 201
			return &in.Body, nil
		}),
		Do("DELETE /made/{app}", 200, func(context.Context, *struct{}) (*struct{}, error) { return nil, nil }),
		Do("HEAD /made/{app}", 200, func(context.Context, *struct{}) (*Empty, error) {
			return &Empty{Code: 202, Header: http.Header{"Location": {"/later"}}}, nil
		}),
		Do("GET /wrong", 200, func(context.Context, *struct{}) (*map[string]any, error) {
			return nil, errors.New("no such thing")
		}),
		Do("GET /unencodable", 200, func(context.Context, *struct{}) (*map[string]any, error) {
			return &map[string]any{"f": func() {}}, nil
		}),
		Raw("GET /raw", func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Content-Type", "text/plain")
			return Write(w, 203, r.URL.RawQuery)
		}),
	)
	return mux
}

func ask(t *testing.T, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	surface().ServeHTTP(w, r)
	return w
}

func TestInputIsBoundFromTheWholeRequest(t *testing.T) {
	t.Parallel()
	w := ask(t, "GET", "/echo/a%20b?%24top=5&$SKIP=2&$count=True&$filter=appId+eq+'x'&$expand=owners($select=id;$top=1)&$expand=b&other=1",
		`{"name":"n","issuer":"https://i/"}`, "If-Match", `W/"7"`, "Content-Type", "application/scim+json; charset=utf-8")
	want := `{"app":"a b","top":5,"skip":2,"count":true,"filter":"appId eq 'x'","expand":["owners($select=id;$top=1)","b"],` +
		`"match":"W/\"7\"","body":{"name":"n","issuer":"https://i/"}}`
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Error(diff)
	}
	if got := w.Header().Get("request-id"); got != "r-1" {
		t.Errorf("request-id = %q", got)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("Content-Type = %q", got)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		want                     string
		header, value            string
	}{
		{"an output may choose its status and headers", "POST", "/made/x", `{"name":"n&m","issuer":""}`, 201, `{"name":"n&m","issuer":""}`, "Etag", `W/"1"`},
		{"a nil output is 204", "DELETE", "/made/x", "", 204, "", "Request-Id", "r-1"},
		{"an empty answer carries headers only", "HEAD", "/made/x", "", 202, "", "Location", "/later"},
		{"a handler's error goes to the family", "GET", "/wrong", "", 418, "no such thing", "Request-Id", "r-1"},
		{"an output that cannot be encoded is an error", "GET", "/unencodable", "", 418, "encode *map[string]interface {}: json: unsupported type: func()", "", ""},
		{"a raw handler sees the request and keeps its type", "GET", "/raw?a=b", "", 203, `"a=b"`, "Content-Type", "text/plain"},
		{"GET of a typed route without a body", "GET", "/echo/x", "", 200, `{"app":"x","top":null,"skip":0,"count":false,"filter":null,"expand":null,"match":"","body":{"name":"","issuer":""}}`, "", ""},
		{"an empty parameter is present", "GET", "/echo/x?$filter=", "", 200, `{"app":"x","top":null,"skip":0,"count":false,"filter":"","expand":null,"match":"","body":{"name":"","issuer":""}}`, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := ask(t, c.method, c.path, c.body)
			if w.Code != c.status || w.Body.String() != c.want {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, c.status, c.want)
			}
			if c.header != "" && w.Header().Get(c.header) != c.value {
				t.Errorf("%s = %q, want %q", c.header, w.Header().Get(c.header), c.value)
			}
		})
	}
}

func TestRequestsThatDoNotFitAreRefusedByField(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, MaxDepth+1) + "1" + strings.Repeat("}", MaxDepth+1)
	for _, c := range []struct {
		name, method, target, body string
		status                     int
		want                       string
		header                     []string
	}{
		{"a number that is none", "GET", "/echo/x?$top=ten", "", 400, "$top|not a whole number", nil},
		{"a number out of range", "GET", "/echo/x?$top=99999999999999999999", "", 400, "$top|not a whole number", nil},
		{"a boolean that is none", "GET", "/echo/x?$count=maybe", "", 400, "$count|neither true nor false", nil},
		{"a parameter given twice", "GET", "/echo/x?$top=1&$TOP=2", "", 400, "$top|given more than once", nil},
		{"a header given twice", "GET", "/echo/x", "", 400, "If-Match|given more than once", []string{"If-Match", "a", "If-Match", "b"}},
		{"a badly escaped value", "GET", "/echo/x?$filter=%zz", "", 400, "$filter|the value is badly escaped", nil},
		{"a badly escaped name", "GET", "/echo/x?%zz=1", "", 400, "query|a parameter's name is badly escaped", nil},
		{"a long query", "GET", "/echo/x?a=" + strings.Repeat("b", MaxQuery), "", 400, "query|the query string is too long", nil},
		{"many parameters", "GET", "/echo/x?" + strings.Repeat("a=1&", MaxParams+1), "", 400, "query|too many parameters", nil},
		{"no body", "POST", "/made/x", " \n", 400, "body|a JSON body is required", nil},
		{"no JSON", "POST", "/made/x", "name=n", 400, "body|not JSON: invalid character 'a' in literal null (expecting 'u') at byte 2", nil},
		{"half of JSON", "POST", "/made/x", `{"name":"n`, 400, "body|not JSON: the text ends early", nil},
		{"two values", "POST", "/made/x", `{} {}`, 400, "body|text after the JSON value", nil},
		{"a member twice", "POST", "/made/x", `{"name":"a","name":"b"}`, 400, "body.name|given more than once", nil},
		{"a member twice in another case", "POST", "/made/x", `{"issuer":"a","i\u017f\u017fuer":"b"}`, 400, "body.ißuer|given more than once", nil},
		{"a nested member twice", "POST", "/made/x", `{"tags":{"k":"1","K":"2"}}`, 400, "body.tags.K|given more than once", nil},
		{"a member of another type", "POST", "/made/x", `{"tags":{"k":["v"]}}`, 400, "body.tags|must not be of type array", nil},
		{"an array for an object", "POST", "/made/x", `[]`, 400, "body|must not be of type array", nil},
		{"bytes that are no text", "POST", "/made/x", "{\"name\":\"\xff\"}", 400, "body|the body is not UTF-8", nil},
		{"too deep", "POST", "/made/x", deep, 400, "body" + strings.Repeat(".a", MaxDepth) + "|nested deeper than 32", nil},
		{"too large", "POST", "/made/x", strings.Repeat(" ", MaxBody+1), 413, "body|the body is larger than 1048576 bytes", nil},
		{"a form", "POST", "/made/x", "{}", 415, "Content-Type|the body must be JSON", []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"a content type that is none", "POST", "/made/x", "{}", 415, "Content-Type|the body must be JSON", []string{"Content-Type", ";"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := ask(t, c.method, c.target, c.body, c.header...)
			want := strings.ReplaceAll(c.want, "ißuer", "i\u017f\u017fuer")
			if w.Code != c.status || w.Body.String() != want {
				t.Errorf("%d %s\nwant %d %s", w.Code, w.Body, c.status, want)
			}
		})
	}
}

func TestAnInputThatCannotBeBoundFailsAtOnce(t *testing.T) {
	t.Parallel()
	for name, define := range map[string]func(){
		"a float in the path": func() {
			binder[struct {
				F float64 `path:"f"`
			}]()
		},
		"a list in a header": func() {
			binder[struct {
				L []string `header:"l"`
			}]()
		},
		"an input of no fields": func() { binder[string]() },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			define()
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"a":[1,{"b":null}],"A":2}`, `[[[]]]`, `"x"`, `1e400`, `{"a":1}x`, `{"\u0061":1,"a":2}`, "\xef\xbb\xbf{}", ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v any
		err := Decode(data, &v)
		var br *BadRequest
		switch {
		case err == nil && !json.Valid(data):
			t.Errorf("took %q, which is no JSON", data)
		case err != nil && !errors.As(err, &br):
			t.Errorf("%q: an error of another kind: %v", data, err)
		}
		if err != nil {
			return
		}
		again, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := Decode(again, &v); err != nil {
			t.Errorf("%q decodes, but its own encoding %q does not: %v", data, again, err)
		}
	})
}
