package oauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/wire/jose"
)

// BenchmarkExchange carries out a federated exchange in process: assertion verified, trusts matched, token
// signed, decision encoded for the audit. of-raw-signature is its rate as a part of that of the bare RSA
// signature that each must make, measured in the same run.
func BenchmarkExchange(b *testing.B) {
	w := newWorld(b)
	body := withAssertion(poolToken(b))
	payload := []byte(`{"a":"` + strings.Repeat("x", 800) + `"}`)
	const rounds = 300
	begin := time.Now()
	for range rounds {
		if _, err := jose.Sign(header("RS256"), payload, keys().entra, "RS256", nil); err != nil {
			b.Fatal(err)
		}
	}
	floor := float64(time.Since(begin)) / rounds
	b.ReportAllocs()
	for b.Loop() {
		w.journal.events = w.journal.events[:0]
		if rec := w.post(tokenPath, body); rec.Code != http.StatusOK {
			b.Fatal(rec.Body)
		}
	}
	b.ReportMetric(floor*float64(b.N)/float64(b.Elapsed()), "of-raw-signature")
}
