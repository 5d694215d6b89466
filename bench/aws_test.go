package bench

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/treatytest"
)

const stsForm = "application/x-www-form-urlencoded; charset=utf-8"

// newAssumption is the request that the fourth article is about: an Entra token for a role's keys.
func newAssumption(b *testing.B) exchange {
	b.Helper()
	tt := treatytest.Config{Folder: true}.New(b)
	workload := tt.AddApplication("bench")
	audience := "api://bench"
	tt.AddAudience(audience)
	raw := tt.AppToken(workload, audience)
	issuer := "sts.windows.net/" + tt.TenantID + "/"
	provider := tt.AddProvider("https://"+issuer, audience)
	trust, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": map[string]any{
		"Effect": "Allow", "Principal": map[string]string{"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity",
		"Condition": map[string]any{"StringEquals": map[string]string{issuer + ":aud": audience, issuer + ":sub": workload.PrincipalID}},
	}})
	if err != nil {
		b.Fatal(err)
	}
	role := tt.AddRole("bench", string(trust), `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)
	return exchange{tt, "https://sts.us-east-1.amazonaws.com/", url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {role}, "RoleSessionName": {"bench"}, "WebIdentityToken": {raw},
	}.Encode()}
}

// BenchmarkAssumeRoleWithWebIdentity serves STS in the process on one core, in turns with raw RSA-2048
// verifications over SHA-256, and reports how many verifications one call takes: the token's is one.
func BenchmarkAssumeRoleWithWebIdentity(b *testing.B) {
	e := newAssumption(b)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("floor"))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	inTurns(b, e.tt.Handler(), e.request, "verifications", func() error {
		return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature)
	})
}

// BenchmarkSignedCall serves GetCallerIdentity, which is little but the verification of its SigV4 signature,
// in turns with a bare handler that hashes the body and makes the signature's HMAC.
func BenchmarkSignedCall(b *testing.B) {
	e := newAssumption(b)
	signed := e.signed(b, "https://sts.us-east-1.amazonaws.com/", "Action=GetCallerIdentity&Version=2011-06-15")
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			b.Fatal(err)
		}
		sum := sha256.Sum256(body)
		mac := hmac.New(sha256.New, sum[:])
		_, _ = io.WriteString(mac, r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "text/xml")
		_, _ = w.Write(mac.Sum(nil))
	})
	inTurns(b, e.tt.Handler(), signed, "bare calls", func() error {
		bare.ServeHTTP(httptest.NewRecorder(), signed())
		return nil
	})
}

// signed makes requests of the account's root, signed once.
func (e exchange) signed(b *testing.B, address, form string) func() *http.Request {
	b.Helper()
	r := httptest.NewRequest("POST", address, strings.NewReader(form))
	r.Header.Set("Content-Type", stsForm)
	who, err := e.tt.AWSConfig.Credentials.Retrieve(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte(form))
	if err := v4.NewSigner().SignHTTP(context.Background(), who, r, hex.EncodeToString(sum[:]), "sts", "us-east-1", e.tt.Now()); err != nil {
		b.Fatal(err)
	}
	header := r.Header
	return func() *http.Request {
		r := httptest.NewRequest("POST", address, strings.NewReader(form))
		r.Header = header.Clone()
		return r
	}
}

// inTurns serves requests on one core in turns with a floor, and reports how many of the floor one takes.
func inTurns(b *testing.B, handler http.Handler, request func() *http.Request, unit string, floor func() error) {
	b.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(300)) // as treaty serve sets it
	const turn = 200
	var served, floored time.Duration
	n := 0
	for b.Loop() {
		var requests [turn]*http.Request
		var answers [turn]*httptest.ResponseRecorder
		for i := range turn {
			requests[i], answers[i] = request(), httptest.NewRecorder()
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
			if err := floor(); err != nil {
				b.Fatal(err)
			}
		}
		floored += time.Since(start)
		n += turn
	}
	b.ReportMetric(float64(n)/served.Seconds(), "calls/s")
	b.ReportMetric(float64(n)/floored.Seconds(), strings.ReplaceAll(unit, " ", "-")+"/s")
	b.ReportMetric(served.Seconds()/floored.Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkPolicyDecision evaluates a request against 50 statements, of which two are about it.
func BenchmarkPolicyDecision(b *testing.B) {
	var statements []any
	for i := range 48 {
		statements = append(statements, map[string]any{
			"Sid": fmt.Sprint("S", i), "Effect": "Allow", "Action": []string{fmt.Sprintf("service%d:Get*", i), fmt.Sprintf("service%d:List*", i)},
			"Resource": fmt.Sprintf("arn:aws:service%d:*:123456789012:thing/*", i), "Condition": map[string]any{"StringEquals": map[string]string{"aws:PrincipalTag/team": "red"}},
		})
	}
	statements = append(statements,
		map[string]any{"Sid": "Allow", "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::reports/${aws:username}/*"},
		map[string]any{"Sid": "Deny", "Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": map[string]any{"Bool": map[string]string{"aws:SecureTransport": "false"}}})
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		b.Fatal(err)
	}
	doc, err := policy.Parse(string(text), policy.Identity)
	if err != nil {
		b.Fatal(err)
	}
	r := policy.Request{
		Principal: policy.Principal{Type: policy.User, Account: "123456789012", ARN: "arn:aws:iam::123456789012:user/ann", Issuer: "arn:aws:iam::123456789012:user/ann", ID: "AIDAEXAMPLE"},
		Action:    "s3:GetObject", Resource: "arn:aws:s3:::reports/ann/a.csv", Context: policy.Context{},
	}
	r.Context.Set("aws:username", "ann")
	r.Context.Set("aws:SecureTransport", "true")
	source := policy.Source{Type: policy.IdentityBased, Name: "bench", Document: doc}
	for b.Loop() {
		if d := policy.Evaluate(r, source); !d.Allows() {
			b.Fatal(d.Because)
		}
	}
}

// BenchmarkLoopbackAssume sends AssumeRoleWithWebIdentity by TLS over loopback from eight clients at once, in
// turns with a bare TLS handler that reads the form, makes one raw verification and answers as many bytes.
func BenchmarkLoopbackAssume(b *testing.B) {
	e := newAssumption(b)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("floor"))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	answer := strings.Repeat("x", 2000)
	loopback(b, e, "/", "sts.us-east-1.amazonaws.com", func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		if err == nil {
			err = rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature)
		}
		if err == nil {
			_, _ = io.WriteString(w, answer)
		}
	})
}
