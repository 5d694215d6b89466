package treatytest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// variants are ways in which a value goes wrong between two portals.
func variants(s string) []string {
	return []string{s, s, s, s, strings.ToUpper(s), s + "/", " " + s, s + " ", strings.Replace(s, ":", "%3A", 1), s[:len(s)-1], "x" + s}
}

// TestExplainAgreesWithTheTokenEndpoint draws random trusts and tokens and compares, for each pair, what
// explain foretells with what the token endpoint then does: acceptance, and the very code of a refusal.
func TestExplainAgreesWithTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	const applications, tokens = 12, 40
	tt := New(t)
	pool := tt.AddPool("property", "my.dev.provider")
	identity, _ := tt.DeveloperToken(pool, "my_user_id")
	f := forge{pool: pool.ID, ident: identity, now: tt.Now(), tenant: tt.TenantID}
	f.kid, f.key = tt.signingKey("cognito-identity/us-east-1")
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 7))
	t.Logf("seed %d", seed)
	pick := func(of []string) string { return of[r.IntN(len(of))] }

	accepted, codes := 0, map[int]int{}
	for a := range applications {
		app := tt.AddApplication(fmt.Sprintf("property %d", a))
		taken := map[string]bool{}
		if a == 0 { // one that accepts, whatever is drawn
			taken["https://cognito-identity.amazonaws.com"+identity] = true
			tt.Trust(app, "exact", "https://cognito-identity.amazonaws.com", identity, pool.ID)
		}
		for n := range r.IntN(4) {
			issuer, subject := strings.TrimSpace(pick(variants("https://cognito-identity.amazonaws.com"))), strings.TrimSpace(pick(variants(identity)))
			if taken[issuer+subject] || !strings.HasPrefix(issuer, "https://") || strings.HasSuffix(issuer, ".co") { // a host of the world
				continue
			}
			taken[issuer+subject] = true
			tt.Trust(app, fmt.Sprintf("trust-%d", n), issuer, subject, strings.TrimSpace(pick(variants(pool.ID))))
		}
		for i := range tokens {
			token := f.random(r, pick)
			if i == 0 {
				token = f.token()
			}
			report := tt.ExplainToken(app, token)
			status, body := tt.Exchange(app, token, tt.GraphURL)
			var got struct {
				Codes   []int  `json:"error_codes"`
				TraceID string `json:"trace_id"`
			}
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			if report.Pass != (status == 200) {
				t.Fatalf("explain says %v, the endpoint %d\n%s\n%s", report.Pass, status, token, body)
			}
			if report.Pass {
				accepted++
				continue
			}
			codes[got.Codes[0]]++
			if want := fmt.Sprintf("AADSTS%d", got.Codes[0]); report.Answer.Code != want {
				t.Fatalf("explain foretells %s, the endpoint answers %s\n%s\n%s", report.Answer.Code, want, token, body)
			}
			if kept := tt.Explain(got.TraceID); kept.Pass || kept.Answer != report.Answer {
				t.Fatalf("the refusal was kept as %+v, foretold as %+v", kept.Answer, report.Answer)
			}
		}
	}
	t.Logf("%d accepted, refused by code: %v", accepted, codes)
	if accepted == 0 || len(codes) < 4 {
		t.Errorf("the draw is too narrow to prove anything: %d accepted, codes %v", accepted, codes)
	}
}

// random makes a token with mostly right values.
func (f forge) random(r *rand.Rand, pick func([]string) string) string {
	claims := m{
		"iss": pick(variants("https://cognito-identity.amazonaws.com")), "sub": pick(variants(f.ident)), "aud": pick(variants(f.pool)),
	}
	switch r.IntN(12) {
	case 0:
		claims["exp"] = f.now.Add(-time.Duration(r.IntN(20)) * time.Minute).Unix()
	case 1:
		claims["nbf"] = f.now.Add(time.Duration(r.IntN(20)) * time.Minute).Unix()
	case 2:
		claims["aud"] = []string{"x", pick(variants(f.pool))}
	case 3:
		claims[pick([]string{"iss", "sub", "aud", "exp"})] = nil
	}
	header := m{}
	switch r.IntN(12) {
	case 0:
		header["alg"] = pick([]string{"none", "HS256", "RS256", "PS512", "ES256"})
	case 1:
		header["kid"] = "us-east-12"
	}
	token := f.sign(raw(f.header(header)), raw(f.claims(claims)))
	if r.IntN(12) == 0 {
		token = token[:len(token)-2-r.IntN(40)]
	}
	return token
}
