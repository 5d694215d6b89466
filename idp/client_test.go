package idp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/directory"
)

func TestClientsSignTheirAssertions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plain())
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	own := map[string]any{"iss": "app", "sub": "app", "aud": plainToken, "exp": now.Add(time.Minute).Unix(), "jti": "s"}
	hs := "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhcHAiLCJzdWIiOiJhcHAifQ.AAAA"
	for name, c := range map[string]struct {
		form url.Values
		want string // in the description; "" is accepted
	}{
		"an assertion for the token endpoint":           {form: asserted(assertion())},
		"an assertion for the issuer":                   {form: asserted(assertion("aud", "https://issuer.example/a/b/"))},
		"an assertion for the endpoint by name":         {form: asserted(assertion("aud", []string{"x", prefix + "/plain/token"}))},
		"an assertion with its client beside it":        {form: asserted(assertion(), "client_id", "app")},
		"an assertion of an hour":                       {form: asserted(assertion("exp", now.Add(time.Hour).Unix()))},
		"an assertion within the leeway":                {form: asserted(assertion("exp", now.Add(-30*time.Second).Unix()))},
		"an assertion of a day":                         {form: asserted(assertion("exp", now.Add(24*time.Hour).Unix())), want: "expiry within an hour"},
		"an assertion without end":                      {form: asserted(assertion("exp", nil)), want: "check of expiry"},
		"an assertion that ended":                       {form: asserted(assertion("exp", now.Add(-time.Hour).Unix())), want: "expired"},
		"an assertion of tomorrow":                      {form: asserted(assertion("nbf", now.Add(time.Hour).Unix())), want: "not before"},
		"an assertion for another server":               {form: asserted(assertion("aud", "https://other.example")), want: "claim aud"},
		"an assertion for nobody":                       {form: asserted(assertion("aud", nil)), want: "no claim aud"},
		"an assertion of another issuer":                {form: asserted(assertion("iss", "other")), want: "claim iss"},
		"an assertion about another client":             {form: asserted(assertion("sub", "modest"), "client_id", "app"), want: "claim sub"},
		"an assertion of no client":                     {form: asserted(assertion("sub", nil)), want: "check of client"},
		"an assertion of an unknown client":             {form: asserted(assertion("sub", "x", "iss", "x")), want: "check of client"},
		"an assertion without jti":                      {form: asserted(assertion("jti", nil)), want: "claim jti"},
		"an assertion with another key of that name":    {form: asserted(sign(stranger, "k1", own)), want: "check of signature"},
		"an assertion with a key that is not known":     {form: asserted(sign(stranger, "k2", own)), want: "check of key"},
		"an assertion with the secret as key":           {form: asserted(hs), want: "algorithm"},
		"something that is no token":                    {form: asserted("x.y"), want: "check of form"},
		"an assertion of another type":                  {form: form("grant_type", credit, "client_assertion", assertion(), "client_assertion_type", "saml"), want: "client_assertion_type must be"},
		"a type without an assertion":                   {form: form("grant_type", credit, "client_assertion_type", "x"), want: "without client_assertion"},
		"an assertion beside another client's identity": {form: asserted(assertion(), "client_id", "modest"), want: "claim iss"},
	} {
		rec := w.post(plainToken, c.form)
		got := read(t, rec)
		if c.want == "" {
			_, claims := w.granted(rec, "https://issuer.example/a/b/")
			if _, about := w.journal.last(t); claims.Text("sub") != "app" || about.Method != "private_key_jwt" || !about.Client.OK() {
				t.Errorf("%s: %v %+v", name, claims, about)
			}
			continue
		}
		if got.Error != "invalid_client" && got.Error != "invalid_request" || !strings.Contains(got.Description, c.want) || rec.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if e, _ := w.journal.last(t); strings.Contains(string(e.Evidence), c.form.Get("client_assertion")) && len(c.form.Get("client_assertion")) > 10 {
			t.Errorf("%s: the assertion is on record", name)
		}
	}
}

func TestAnAssertionServesOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plain())
	raw := assertion("jti", "the one")
	// What is refused uses nothing up.
	if rec := w.post(plainToken, asserted(assertion("jti", "the one", "aud", "x"))); rec.Code != http.StatusUnauthorized {
		t.Fatal(rec.Body)
	}
	var granted, refused atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			rec := w.post(plainToken, asserted(raw))
			var body tokenAnswer
			_ = json.Unmarshal(rec.Body.Bytes(), &body)
			switch {
			case rec.Code == http.StatusOK:
				granted.Add(1)
			case rec.Code == http.StatusUnauthorized && strings.Contains(body.Description, "used already"):
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	if granted.Load() != 1 || refused.Load() != 7 {
		t.Errorf("%d granted, %d refused", granted.Load(), refused.Load())
	}
}

func TestAClientWithoutKeysCannotSign(t *testing.T) {
	t.Parallel()
	i := plain()
	i.Clients[0].Keys = nil
	w := newWorld(t, i)
	if got := read(t, w.post(plainToken, asserted(assertion()))); got.Error != "invalid_client" || !strings.Contains(got.Description, "check of key") {
		t.Errorf("%+v", got)
	}
}

func TestOneClientsSecretIsNotAnothers(t *testing.T) {
	t.Parallel()
	i := plain()
	i.Clients = append(i.Clients, directory.IssuerClient{ID: "bare"})
	w := newWorld(t, i)
	for _, s := range []string{"", "x", secret} {
		if got := read(t, w.post(plainToken, form("grant_type", credit), basic("bare", s))); got.Error != "invalid_client" {
			t.Errorf("%q: %+v", s, got)
		}
	}
}
