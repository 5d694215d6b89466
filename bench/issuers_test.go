package bench

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/treatytest"
)

// outside is any number of issuers on one foreign server, each with a path of its own and all with one key.
type outside struct {
	key    *rsa.PrivateKey
	server *httptest.Server
}

func newOutside(b *testing.B) *outside {
	b.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	o := &outside{key: key}
	n := base64.RawURLEncoding.EncodeToString(key.N.Bytes())
	e := base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes())
	o.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		issuer, discovery := strings.CutSuffix(r.URL.Path, "/.well-known/openid-configuration")
		if discovery {
			fmt.Fprintf(w, `{"issuer":"%s%s","jwks_uri":"%s%s/jwks"}`, o.server.URL, issuer, o.server.URL, issuer)
			return
		}
		fmt.Fprintf(w, `{"keys":[{"kty":"RSA","use":"sig","kid":"1","n":%q,"e":%q}]}`, n, e)
	}))
	b.Cleanup(o.server.Close)
	return o
}

func (o *outside) issuer(i int) string { return fmt.Sprintf("%s/issuer/%d", o.server.URL, i) }

// token is signed by the i-th issuer.
func (o *outside) token(b *testing.B, i int, at time.Time) string {
	b.Helper()
	claims, err := json.Marshal(map[string]any{"iss": o.issuer(i), "sub": "workload", "aud": "api://AzureADTokenExchange", "iat": at.Unix(), "exp": at.Add(time.Hour).Unix()})
	if err != nil {
		b.Fatal(err)
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"1","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, o.key, crypto.SHA256, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// BenchmarkForeignIssuer exchanges a foreign issuer's token twice: when its keys are not known yet, and when
// they are. The floor of the first is what it cannot avoid: two plain requests to the same server. The
// second is BenchmarkExchange again, with RS256 on both sides.
func BenchmarkForeignIssuer(b *testing.B) {
	tt := treatytest.Config{Folder: true}.New(b)
	o := newOutside(b)
	handler := tt.Handler()
	var cold, warm, bare time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		app := tt.AddApplication(fmt.Sprint("foreign ", n))
		tt.Trust(app, "outside", o.issuer(n), "workload", "api://AzureADTokenExchange")
		form := exchangeForm(app, o.token(b, n, tt.Now()))
		get(b, o.issuer(n)+"/jwks") // the connection of the floor is warm as well
		b.StartTimer()
		cold += serve(b, handler, tt.TokenURL(), form)
		warm += serve(b, handler, tt.TokenURL(), form)
		start := time.Now()
		get(b, o.issuer(n)+"/.well-known/openid-configuration")
		get(b, o.issuer(n)+"/jwks")
		bare += time.Since(start)
		n++
	}
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 / float64(n) }
	b.ReportMetric(per(cold), "cold-ms")
	b.ReportMetric(per(warm), "warm-ms")
	b.ReportMetric(per(bare), "two-fetches-ms")
	b.ReportMetric((cold-warm).Seconds()/bare.Seconds(), "cold-extra/two-fetches")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkManyIssuers asks one of a thousand issuers for a token and trades it at Entra, in turns with one
// of ten: the ratio is what the number of issuers costs.
func BenchmarkManyIssuers(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	few, many := newIssuers(b, 10), newIssuers(b, 1000)
	var took [2]time.Duration
	n := 0
	for b.Loop() {
		for i, w := range []issuers{few, many} {
			start := time.Now()
			for range 20 {
				w.exchange(b)
			}
			took[i] += time.Since(start)
		}
		n += 20
	}
	b.ReportMetric(float64(n)/took[0].Seconds(), "with-10/s")
	b.ReportMetric(float64(n)/took[1].Seconds(), "with-1000/s")
	b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}

// issuers is a twin with many issuers, of which the middle one is used.
type issuers struct {
	tt     *treatytest.Treaty
	issuer treatytest.Issuer
	app    treatytest.Application
}

func newIssuers(b *testing.B, count int) issuers {
	b.Helper()
	w := issuers{tt: treatytest.Config{Folder: true}.New(b)}
	for i := range count {
		made := w.tt.AddIssuer(fmt.Sprint("issuer-", i), fmt.Sprintf("https://sso.example.com/as/%d", i), "", treatytest.IssuerClient{
			ID: "workload", Claims: map[string]string{"sub": `"workload of " + issuer`, "aud": `"api://AzureADTokenExchange"`},
		})
		if i == count/2 {
			w.issuer = made
		}
	}
	w.app = w.tt.AddApplication("many")
	w.tt.Trust(w.app, "outside", w.issuer.URL, "workload of "+w.issuer.URL, "api://AzureADTokenExchange")
	w.exchange(b)
	return w
}

func (w issuers) exchange(b *testing.B) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"workload"}, "client_secret": {w.issuer.Secrets["workload"]}}
	answer := send(b, w.tt.Handler(), w.issuer.URL+"/token", form.Encode())
	var out struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		b.Fatal(err)
	}
	send(b, w.tt.Handler(), w.tt.TokenURL(), exchangeForm(w.app, out.AccessToken))
}

func exchangeForm(app treatytest.Application, assertion string) string {
	return url.Values{
		"client_id": {app.ClientID}, "scope": {"https://graph.microsoft.com/.default"}, "grant_type": {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {assertion},
	}.Encode()
}

// serve sends a form to a handler, which must accept it, and returns how long that took.
func serve(b *testing.B, h http.Handler, address, form string) time.Duration {
	b.Helper()
	start := time.Now()
	send(b, h, address, form)
	return time.Since(start)
}

func send(b *testing.B, h http.Handler, address, form string) []byte {
	b.Helper()
	r := httptest.NewRequest("POST", address, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		b.Fatalf("%s: %d %s", address, w.Code, bytes.TrimSpace(w.Body.Bytes()))
	}
	return w.Body.Bytes()
}

func get(b *testing.B, address string) {
	b.Helper()
	res, err := http.Get(address)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		b.Fatal(err)
	}
}
