package idp_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/idp"
)

// FuzzTokenEndpoint sends any form with any Authorization header: whatever comes is answered in the shape
// of RFC 6749, and gives a token only to who knows the secret or the key.
func FuzzTokenEndpoint(f *testing.F) {
	w := newWorld(f, plain(), corp())
	post := form("grant_type", credit, "client_id", "app", "client_secret", secret, "scope", "a b", "audience", "x").Encode()
	for _, seed := range []string{"", post, "grant_type=client_credentials&audience=a&audience=b&resource=https://x/", asserted(assertion()).Encode(), asserted("a.b.c").Encode(),
		traded("x", "actor_token", "y", "actor_token_type", typePrefix+"jwt").Encode(), "grant_type=" + bearer + "&assertion=x", "%zz", "=&=&a"} {
		f.Add("/token", seed, "")
		f.Add("/token", seed, "Basic YXBwOng=")
		f.Add("/token", seed, "Basic !")
	}
	f.Add("//token", post, "")
	f.Add("/%00", post, "Bearer x")
	f.Fuzz(func(t *testing.T, path, body, authorization string) {
		r := httptest.NewRequest(http.MethodPost, "https://issuer.example/a/b/token", strings.NewReader(body))
		r.URL.Path = "/a/b" + path
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if authorization != "" {
			r.Header["Authorization"] = []string{authorization}
		}
		rec := w.do(r)
		var got tokenAnswer
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil && rec.Code != http.StatusMethodNotAllowed {
			t.Fatalf("%d %q", rec.Code, rec.Body)
		}
		proven := strings.Contains(body, "s3cret") || strings.Contains(body, "client_assertion=ey") || strings.Contains(authorization, "czNjcmV0") || strings.Contains(authorization, "YXBw")
		if rec.Code == http.StatusOK && got.AccessToken != "" && !proven {
			t.Fatalf("a token for %q %q", body, authorization)
		}
		if rec.Code >= 500 || rec.Code >= 400 && got.Error == "" {
			t.Fatalf("%d %q for %q", rec.Code, rec.Body, body)
		}
		for _, c := range []byte(got.Description) {
			if c < ' ' || c > '~' || c == '"' || c == '\\' {
				t.Fatalf("%q", got.Description)
			}
		}
	})
}

// FuzzComplete completes any issuer: what passes is stable and can be found at its places.
func FuzzComplete(f *testing.F) {
	for _, i := range []directory.Issuer{plain(), corp(), okta(), {Name: "a", URL: "http://localhost:1/x"}, {Preset: "kubernetes"}} {
		b, err := json.Marshal(i)
		must(f, err)
		f.Add(b)
	}
	f.Add([]byte(`{"name":"a","url":"https://a/%2e%2e","clients":[{"id":"c","keys":{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var i directory.Issuer
		if len(doc) > 16<<10 || json.Unmarshal(doc, &i) != nil {
			return
		}
		if idp.Complete(&i) != nil {
			return
		}
		var before, after bytes.Buffer
		must(t, json.NewEncoder(&before).Encode(i))
		if err := idp.Complete(&i); err != nil {
			t.Fatal(err)
		}
		must(t, json.NewEncoder(&after).Encode(i))
		if d := cmp.Diff(before.String(), after.String()); d != "" {
			t.Fatal(d)
		}
		if len(i.Places) == 0 || strings.HasSuffix(i.Places[0].Path, "/") || i.Places[0].Host == "" {
			t.Fatalf("%+v", i.Places)
		}
	})
}
