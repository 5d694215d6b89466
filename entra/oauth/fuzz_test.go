package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/wire/jose"
)

// FuzzToken posts anything as path, body and assertion: the answer is always JSON with an AADSTS number,
// and a token is only issued for the two assertions that are right.
func FuzzToken(f *testing.F) {
	good := poolToken(f)
	f.Add(tokenPath, form("client_secret", "x").Encode(), good)
	f.Add("/common/oauth2/token", "grant_type=client_credentials&resource=api%3A%2F%2Fone", "a.b.c")
	f.Add(tokenPath, "scope=%2F.default", sign(f, keys().client, header("RS256", member("x5t", jose.Thumbprint(keys().clientCert.Raw))), "RS256", clientClaims()))
	f.Add(tokenPath, "client_id=", poolToken(f, "sub", 1, "aud", []any{nil, map[string]any{}}, "exp", "soon"))
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, path, body, assertion string) {
		body += "&client_assertion_type=" + url.QueryEscape(assertionType) + "&client_assertion=" + url.QueryEscape(assertion)
		r := httptest.NewRequest(http.MethodPost, authority+tokenPath, strings.NewReader(body))
		if !strings.HasSuffix(strings.ToLower(path), "token") {
			path = tokenPath
		}
		r.URL.Path = path
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w.journal.events = w.journal.events[:0]
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, r)
		switch rec.Code {
		case http.StatusNotFound:
		case http.StatusOK:
			if parsed := jose.Parse(assertion); !parsed.OK() || jose.Verify(parsed, keys().cognito.Public(), jose.Algorithms) != nil && jose.Verify(parsed, keys().client.Public(), jose.Algorithms) != nil {
				t.Fatalf("a token for %q", assertion)
			}
		default:
			var e errorBody
			if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || len(e.Codes) != 1 || !strings.HasPrefix(e.Description, "AADSTS") || rec.Code >= 500 {
				t.Fatalf("%d %v %s", rec.Code, err, rec.Body)
			}
		}
	})
}
