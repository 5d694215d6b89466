package managedidentity_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzQuery sends any query to each endpoint that reads one: the answer is JSON with a fitting status,
// and a token is for the resource that the standard library reads there too.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{ok, ok + "&client_id=" + oneApp, arcQuery, "resource=%zz", "api-version=2018-02-01&resource=%ff", "a;b", "&&=&=x", "RESOURCE=a&api-version=2018-02-01", "resource=a&resource=b"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		w := newWorld(t)
		for _, a := range []ask{vm(""), w.appService(""), w.arc("")} {
			r := httptest.NewRequest("GET", "/", nil)
			r.URL.Path, _, _ = strings.Cut(a.path, "?")
			r.URL.RawQuery, r.Host = query, "127.0.0.1"
			for i := 0; i < len(a.headers); i += 2 {
				r.Header.Set(a.headers[i], a.headers[i+1])
			}
			rec := httptest.NewRecorder()
			w.Handler().ServeHTTP(rec, r)
			var body struct{ Resource string }
			if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
				t.Fatalf("%s: %v", rec.Body, err)
			}
			switch rec.Code {
			case http.StatusOK:
				values, err := url.ParseQuery(query)
				if err == nil && values.Get("resource") != "" && values.Get("resource") != body.Resource && !strings.Contains(strings.ToLower(query), "resource=&") {
					t.Errorf("asked for %q, got %q", values.Get("resource"), body.Resource)
				}
			case 400, 401, 404, 500:
			default:
				t.Errorf("status %d: %s", rec.Code, rec.Body)
			}
		}
	})
}

// FuzzForm sends any body to Cloud Shell's endpoint.
func FuzzForm(f *testing.F) {
	for _, b := range []string{"resource=" + arm, "resource=%zz", "resource=a&client_id=" + oneApp, "", "\x00=\x00", "resource=a&resource=b"} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t)
		status, answer := w.body(w.cloudShell(body))
		if !json.Valid([]byte(answer)) || status != 200 && status != 400 {
			t.Errorf("status %d: %s", status, answer)
		}
	})
}

// FuzzHostAndPath sends any name and path: a name that is not ours never gets a token.
func FuzzHostAndPath(f *testing.F) {
	f.Add("169.254.169.254", "/metadata/identity/oauth2/token")
	f.Add("[::1]:1", "/machines/default/metadata/identity/oauth2/token/")
	f.Add("evil.example:80", "/machines//")
	f.Add("a]:[", "/cloudshell//oauth2/token")
	f.Fuzz(func(t *testing.T, host, path string) {
		w := newWorld(t)
		r := httptest.NewRequest("GET", "/", nil)
		r.Host, r.URL.Path, r.URL.RawQuery = host, path, ok
		r.Header.Set("Metadata", "true")
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, r)
		if name := strings.ToLower(host); rec.Code == http.StatusOK && strings.ContainsAny(name, "ghjkmnpqrsuvwxyz") && !strings.HasPrefix(name, "localhost") && !strings.Contains(name, "%") {
			t.Errorf("%q is answered: %s", host, rec.Body)
		}
	})
}
