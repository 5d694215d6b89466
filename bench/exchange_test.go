package bench

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/treatytest"
)

// exchange is the request that the second article ends with: a Cognito token for an Entra access token.
type exchange struct {
	tt   *treatytest.Treaty
	url  string
	form string
}

func newExchange(b *testing.B) exchange {
	b.Helper()
	tt := treatytest.Config{Folder: true}.New(b) // SQLite on disk, auditing on, as `treaty serve` runs
	pool := tt.AddPool("bench", "my.dev.provider")
	identity, token := tt.DeveloperToken(pool, "my_user_id")
	app := tt.AddApplication("bench")
	tt.Trust(app, "cognito", "https://cognito-identity.amazonaws.com", identity, pool.ID)
	tt.Grant(app, "Application.Read.All")
	return exchange{tt, tt.TokenURL(), url.Values{
		"client_id": {app.ClientID}, "scope": {"https://graph.microsoft.com/.default"}, "grant_type": {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {token},
	}.Encode()}
}

// request is a fresh server-side request of the exchange.
func (e exchange) request() *http.Request {
	r := httptest.NewRequest("POST", e.url, strings.NewReader(e.form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// BenchmarkExchange serves the token endpoint in the process on one core, in turns with raw RSA-2048
// signatures over SHA-256, and reports how many exchanges go into the time of one signature: 1.0 would
// mean that everything but the one signature of the access token is free.
func BenchmarkExchange(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(300)) // as treaty serve sets it
	e := newExchange(b)
	handler := e.tt.Handler()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("floor"))
	const turn = 50
	var served, signed time.Duration
	n := 0
	for b.Loop() {
		var requests [turn]*http.Request
		var answers [turn]*httptest.ResponseRecorder
		for i := range turn {
			requests[i], answers[i] = e.request(), httptest.NewRecorder()
		}
		start := time.Now()
		for i := range turn {
			handler.ServeHTTP(answers[i], requests[i])
		}
		served += time.Since(start)
		for _, a := range answers {
			if a.Code != 200 {
				b.Fatalf("%d %s", a.Code, a.Body)
			}
		}
		start = time.Now()
		for range turn {
			if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:]); err != nil {
				b.Fatal(err)
			}
		}
		signed += time.Since(start)
		n += turn
	}
	b.ReportMetric(float64(n)/served.Seconds(), "exchanges/s")
	b.ReportMetric(float64(n)/signed.Seconds(), "signatures/s")
	b.ReportMetric(signed.Seconds()/served.Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLoopback sends the exchange by TLS over loopback from eight clients at once, in turns with a
// bare TLS handler that reads the form, makes one raw signature and answers as many bytes, and reports the
// percentiles of both.
func BenchmarkLoopback(b *testing.B) {
	e := newExchange(b)
	answer := strings.Repeat("x", 1800)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	loopback(b, e, strings.TrimPrefix(e.url, e.tt.Authority), "login.microsoftonline.com", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		digest := sha256.Sum256(body)
		if err == nil {
			_, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		}
		if err == nil {
			_, _ = io.WriteString(w, answer)
		}
	})
}

// loopback measures rounds of eight clients against the server, in turns with a bare handler.
func loopback(b *testing.B, e exchange, path, host string, floorHandler http.HandlerFunc) {
	b.Helper()
	bare := httptest.NewTLSServer(floorHandler)
	defer bare.Close()
	full := httptest.NewUnstartedServer(e.tt.Handler())
	full.StartTLS()
	defer full.Close()
	var floor, served []time.Duration
	var floorTime, servedTime time.Duration
	for b.Loop() {
		d, took := round(b, bare.Client(), bare.URL, "", e.form)
		floor, floorTime = append(floor, d...), floorTime+took
		d, took = round(b, full.Client(), full.URL+path, host, e.form)
		served, servedTime = append(served, d...), servedTime+took
	}
	b.ReportMetric(float64(percentile(served, 50).Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(percentile(served, 99).Microseconds())/1e3, "p99-ms")
	b.ReportMetric(float64(percentile(floor, 50).Microseconds())/1e3, "floor-p50-ms")
	b.ReportMetric(float64(percentile(floor, 99).Microseconds())/1e3, "floor-p99-ms")
	b.ReportMetric(float64(len(served))/servedTime.Seconds(), "exchanges/s")
	b.ReportMetric(float64(len(floor))/floorTime.Seconds(), "floor/s")
	b.ReportMetric(0, "ns/op")
}

// round has eight clients send 25 requests each and returns how long each took, and the whole.
func round(b *testing.B, client *http.Client, address, host, form string) ([]time.Duration, time.Duration) {
	b.Helper()
	const clients, each = 8, 25
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = clients
	took := make([]time.Duration, clients*each)
	failed := make(chan error, clients)
	var wg sync.WaitGroup
	start := time.Now()
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				began := time.Now()
				if err := post(client, address, host, form); err != nil {
					failed <- err
					return
				}
				took[c*each+i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		b.Fatal(err)
	}
	return took, time.Since(start)
}

func post(client *http.Client, address, host, form string) error {
	req, err := http.NewRequest("POST", address, strings.NewReader(form))
	if err != nil {
		return err
	}
	req.Host = host
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != 200 {
		err = fmt.Errorf("%d %s", res.StatusCode, body)
	}
	return err
}

func percentile(ds []time.Duration, p int) time.Duration {
	slices.Sort(ds)
	return ds[min(len(ds)-1, len(ds)*p/100)]
}
