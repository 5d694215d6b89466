package jose

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
	"time"
)

// BenchmarkSign gives, as ratio, the time of a token over that of the bare signature in the same run.
func BenchmarkSign(b *testing.B) {
	key, sum := keys().rsa, sha256.Sum256([]byte(claims))
	header := Header{{"typ", "JWT"}, {"alg", RS256}, {"kid", "k1"}}
	b.ReportAllocs()
	var bare, whole time.Duration
	for b.Loop() {
		t0 := time.Now()
		if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]); err != nil {
			b.Fatal(err)
		}
		t1 := time.Now()
		if _, err := Sign(header, []byte(claims), key, RS256, nil); err != nil {
			b.Fatal(err)
		}
		bare, whole = bare+t1.Sub(t0), whole+time.Since(t1)
	}
	b.ReportMetric(float64(whole)/float64(bare), "×bare")
}

// BenchmarkVerify gives parse and verification over the bare verification.
func BenchmarkVerify(b *testing.B) {
	raw := sampleToken(b, RS256)
	key, tok := &keys().rsa.PublicKey, Parse(raw)
	sum := digest(crypto.SHA256, tok.signed)
	b.ReportAllocs()
	var bare, whole time.Duration
	for b.Loop() {
		t0 := time.Now()
		if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum, tok.signature); err != nil {
			b.Fatal(err)
		}
		t1 := time.Now()
		if err := Verify(Parse(raw), key, Algorithms); err != nil {
			b.Fatal(err)
		}
		bare, whole = bare+t1.Sub(t0), whole+time.Since(t1)
	}
	b.ReportMetric(float64(whole)/float64(bare), "×bare")
}

func BenchmarkParse(b *testing.B) {
	raw := sampleToken(b, RS256)
	b.ReportAllocs()
	for b.Loop() {
		Parse(raw)
	}
}
