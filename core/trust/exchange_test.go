package trust_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
	"github.com/treatyfed/treaty/wire/jose"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

var key = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// issuers is a KeySource that notes whom it was asked for.
type issuers struct {
	keys  map[string][]token.PublicKey
	asked []string
}

func (s *issuers) PublicKeys(_ context.Context, issuer, _ string) ([]token.PublicKey, error) {
	s.asked = append(s.asked, issuer)
	if keys, ok := s.keys[issuer]; ok {
		return keys, nil
	}
	return nil, errors.New("get " + issuer + ": no such host")
}

func sign(t testing.TB, alg, kid string, c token.Claims) string {
	t.Helper()
	doc, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jose.Sign(jose.Header{{Name: "kid", Value: kid}, {Name: "typ", Value: "JWS"}, {Name: "alg", Value: alg}}, doc, key(), alg, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

const (
	github  = "https://token.actions.example"
	own     = "https://login.example/tenant/v2.0"
	broken  = "https://broken.example"
	pattern = "claims['sub'] matches 'repo:contoso/*'"
)

// exchange is one with four issuers: pool and github have key k1, own is our own, broken does not answer.
func exchange() (*trust.Exchange, *issuers) {
	k := []token.PublicKey{{ID: "k1", Key: key().Public()}}
	s := &issuers{keys: map[string][]token.PublicKey{pool: k, github: k, own: k}}
	return &trust.Exchange{
		Verifier: token.Verifier{Source: s, Algorithms: jose.RSAPKCS1, Leeway: 5 * time.Minute, Now: func() time.Time { return now }},
		Own: func(c token.Claims) (bool, evidence.Checks, trust.Reason) {
			if c.Text("iss") != own {
				return false, nil, ""
			}
			managed := evidence.Check{Name: "managed identity", Claim: "xms_mirid", Operator: "present", OK: c.Has("xms_mirid")}
			if !managed.OK {
				return true, evidence.Checks{managed}, trust.OwnAppToken
			}
			return true, evidence.Checks{managed}, ""
		},
		ExpressionIssuer: func(iss string) bool { return iss == github },
	}, s
}

func fed(name, issuer, subject, expression string) trust.Trust {
	return trust.Federated("id-"+name, name, issuer, subject, expression, []string{poolID})
}

func hmacToken(t *testing.T) string {
	der, err := x509.MarshalPKIXPublicKey(key().Public())
	if err != nil {
		t.Fatal(err)
	}
	doc, _ := json.Marshal(claims())
	enc := base64.RawURLEncoding.EncodeToString
	signed := enc([]byte(`{"alg":"HS256","kid":"k1"}`)) + "." + enc(doc)
	m := hmac.New(sha256.New, der)
	m.Write([]byte(signed))
	return signed + "." + enc(m.Sum(nil))
}

func TestDecide(t *testing.T) {
	t.Parallel()
	good := sign(t, "RS512", "k1", claims())
	duplicate := func() string {
		enc := base64.RawURLEncoding.EncodeToString
		doc := `{"iss":"` + pool + `","sub":"x","sub":"` + identity + `","aud":"` + poolID + `","exp":1893456000}`
		return enc([]byte(`{"alg":"RS512","kid":"k1"}`)) + "." + enc([]byte(doc)) + ".AAAA"
	}()
	one := []trust.Trust{exact()}
	past, future := json.Number("1700000000"), json.Number("1893450000")
	for _, c := range []struct {
		name   string
		raw    string
		trusts []trust.Trust
		reason trust.Reason
		detail string
		first  string // name of the first verdict's trust
		asked  string // issuer that was asked
	}{
		{"a good token is accepted", good, one, "", "", "exact", pool},
		{"an audience array is accepted", sign(t, "RS256", "k1", claims("aud", []string{"x", poolID})), one, "", "", "exact", pool},
		{"one trust of many is enough", good, []trust.Trust{fed("a", pool, "a", ""), fed("b", github, identity, ""), exact()}, "", "", "exact", pool},

		{"no token", "undefined", one, trust.Malformed, "", "exact", ""},
		{"an empty token", "", one, trust.Malformed, "", "exact", ""},
		{"a member twice", duplicate, one, trust.Malformed, "", "exact", ""},
		{"no subject", sign(t, "RS512", "k1", claims("sub", nil)), one, trust.MissingClaim, "sub", "exact", ""},
		{"no issuer", sign(t, "RS512", "k1", claims("iss", nil)), one, trust.MissingClaim, "iss", "exact", ""},
		{"no audience", sign(t, "RS512", "k1", claims("aud", nil)), one, trust.MissingClaim, "aud", "exact", ""},
		{"an empty audience array", sign(t, "RS512", "k1", claims("aud", []string{})), one, trust.MissingClaim, "aud", "exact", ""},
		{"no expiry", sign(t, "RS512", "k1", claims("exp", nil)), one, trust.MissingClaim, "exp", "exact", ""},
		{"an issuer that is a number", sign(t, "RS512", "k1", claims("iss", 5)), one, trust.MissingClaim, "iss", "exact", ""},
		{"an algorithm outside the list", sign(t, "PS256", "k1", claims()), one, trust.AlgorithmRefused, "PS256", "exact", ""},
		{"the public key as an HMAC secret", hmacToken(t), one, trust.AlgorithmRefused, "HS256", "exact", ""},
		{"our own token of no managed identity", sign(t, "RS256", "k1", claims("iss", own)), []trust.Trust{fed("o", own, identity, "")}, trust.OwnAppToken, own, "o", ""},
		{"our own token of a managed identity", sign(t, "RS256", "k1", claims("iss", own, "xms_mirid", "/x")), []trust.Trust{fed("o", own, identity, "")}, "", "", "o", own},
		{"no trusts", good, nil, trust.NoTrusts, "", "", ""},
		{"no trust in the issuer", good, []trust.Trust{fed("a", github, identity, "")}, trust.IssuerUnknown, pool, "a", ""},
		{"the issuer with a slash", sign(t, "RS512", "k1", claims("iss", pool+"/")), one, trust.IssuerUnknown, pool + "/", "exact", ""},
		{"an expression for an issuer that admits none", good, []trust.Trust{fed("e", pool, "", "claims['sub'] matches '*'")}, trust.ExpressionIssuer, pool, "e", ""},
		{"the subject in another case", sign(t, "RS512", "k1", claims("sub", strings.ToUpper(identity))), []trust.Trust{fed("a", pool, "a", ""), exact()}, trust.SubjectCase, strings.ToUpper(identity), "exact", ""},
		{"no expression matches", sign(t, "RS256", "k1", claims("iss", github, "sub", "repo:evil/x")), []trust.Trust{fed("a", github, "repo:contoso/a", ""), fed("e", github, "", pattern)}, trust.ExpressionMismatch, "repo:evil/x", "e", ""},
		{"an expression matches", sign(t, "RS256", "k1", claims("iss", github, "sub", "repo:contoso/x")), []trust.Trust{fed("a", github, "repo:contoso/a", ""), fed("e", github, "", pattern)}, "", "", "e", github},
		{"another subject", sign(t, "RS512", "k1", claims("sub", "us-east-1:x")), one, trust.SubjectMismatch, "us-east-1:x", "exact", ""},
		{"a subject that is a number", sign(t, "RS512", "k1", claims("sub", 5)), one, trust.SubjectMismatch, "5", "exact", ""},
		{"another audience", sign(t, "RS512", "k1", claims("aud", "y")), []trust.Trust{fed("e", pool, "", "claims['sub'] matches 'x'"), exact()}, trust.AudienceMismatch, "y", "exact", ""},
		{"other audiences", sign(t, "RS512", "k1", claims("aud", []string{"y", "z"})), one, trust.AudienceMismatch, "y,z", "exact", ""},
		{"an issuer that does not answer", sign(t, "RS512", "k1", claims("iss", broken)), []trust.Trust{fed("b", broken, identity, "")}, trust.DiscoveryFailed, broken, "b", broken},
		{"an unknown key", sign(t, "RS512", "k9", claims()), one, trust.KeyUnknown, "k9", "exact", pool},
		{"another's signature", good[:len(good)-8] + "AAAAAAAA", one, trust.SignatureInvalid, "k1", "exact", pool},
		{"an expired token", sign(t, "RS512", "k1", claims("exp", past)), one, trust.TimeInvalid, "exp", "exact", pool},
		{"a token of the future", sign(t, "RS512", "k1", claims("nbf", future)), one, trust.TimeInvalid, "nbf", "exact", pool},
		{"a token issued in the future", sign(t, "RS512", "k1", claims("iat", future)), one, trust.TimeInvalid, "iat", "exact", pool},

		{"expired and forged: the forgery is the reason", func() string { r := sign(t, "RS512", "k1", claims("exp", past)); return r[:len(r)-8] + "AAAAAAAA" }(), one, trust.SignatureInvalid, "k1", "exact", pool},
		{"subject and audience wrong: the subject is the reason", sign(t, "RS512", "k1", claims("sub", "x", "aud", "y")), one, trust.SubjectMismatch, "x", "exact", ""},
		{"a claim missing and the algorithm wrong: the claim is the reason", sign(t, "PS256", "k1", claims("sub", nil)), one, trust.MissingClaim, "sub", "exact", ""},
		{"no trusts and expired: no trusts is the reason", sign(t, "RS512", "k1", claims("exp", past)), nil, trust.NoTrusts, "", "", ""},
	} {
		e, s := exchange()
		d := e.Decide(t.Context(), c.raw, c.trusts)
		if d.Reason != c.reason || d.Detail != c.detail || d.OK() != (c.reason == "") {
			t.Errorf("%s: %q (%s), want %q (%s)", c.name, d.Reason, d.Detail, c.reason, c.detail)
		}
		if asked := strings.Join(s.asked, " "); asked != c.asked {
			t.Errorf("%s: asked %q, want %q", c.name, asked, c.asked)
		}
		first := ""
		if len(d.Verdicts) > 0 {
			first = d.Verdicts[0].Trust
		}
		if first != c.first || len(d.Verdicts) != len(c.trusts) || d.OK() && d.Trust != c.first || !d.OK() && d.Trust != "" {
			t.Errorf("%s: first %q of %d, trust %q", c.name, first, len(d.Verdicts), d.Trust)
		}
		checkWhole(t, c.name, d)
	}
}

// checkWhole asserts that nothing was left out, and that the outcome follows from the evidence alone.
func checkWhole(t *testing.T, name string, d trust.Decision) {
	t.Helper()
	for _, want := range []string{token.CheckForm, trust.CheckClaim, token.CheckAlgorithm, token.CheckKeys, token.CheckKey, token.CheckSignature, token.CheckExpiry, token.CheckNotBefore, token.CheckIssuedAt} {
		if _, is := d.Report.Checks.Named(want); !is {
			t.Errorf("%s: no check %q", name, want)
		}
	}
	for _, c := range d.Report.Checks {
		if c.Skipped && (c.OK || c.Note == "") {
			t.Errorf("%s: %q was skipped without a reason", name, c.Name)
		}
	}
	matched := len(d.Verdicts) > 0 && d.Verdicts[0].OK()
	if evident := matched && d.Report.OK() && d.Own.OK(); evident != d.OK() {
		t.Errorf("%s: the evidence says %v, the decision %v", name, evident, d.OK())
	}
	if !d.DecidedAt.Equal(now) {
		t.Errorf("%s: decided at %v", name, d.DecidedAt)
	}
	doc, err := json.Marshal(d)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	var back trust.Decision
	if err := json.Unmarshal(doc, &back); err != nil || back.Reason != d.Reason || !cmp.Equal(back.Verdicts, d.Verdicts) {
		t.Errorf("%s: the decision reads back as %+v, %v", name, back, err)
	}
}

func TestVerdictsComeNearestFirst(t *testing.T) {
	t.Parallel()
	trusts := []trust.Trust{
		fed("nothing like it", "https://x.example", "y", ""),
		fed("issuer only", pool, "y", ""),
		fed("subject only", "https://x.example", identity, ""),
		fed("issuer and subject's case", pool, strings.ToUpper(identity), ""),
		fed("issuer but for the slash", pool+"/", identity, ""),
		trust.Federated("", "all but the audience", pool, identity, "", []string{"z"}),
	}
	e, _ := exchange()
	d := e.Decide(t.Context(), sign(t, "RS512", "k1", claims()), trusts)
	var got []string
	for _, v := range d.Verdicts {
		got = append(got, v.Trust)
	}
	want := []string{"all but the audience", "issuer and subject's case", "issuer only", "issuer but for the slash", "subject only", "nothing like it"}
	if !cmp.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestForbiddenExpressionsDoNotHideAnExactTrust(t *testing.T) {
	t.Parallel()
	e, _ := exchange()
	trusts := []trust.Trust{fed("e", pool, "", "claims['sub'] matches '*'"), exact()}
	d := e.Decide(t.Context(), sign(t, "RS512", "k1", claims()), trusts)
	if !d.OK() || d.Trust != "exact" || d.Verdicts[1].OK() {
		t.Errorf("%q, %q, %+v", d.Reason, d.Trust, d.Verdicts)
	}
	e.ExpressionIssuer = nil
	if d = e.Decide(t.Context(), sign(t, "RS256", "k1", claims("iss", github, "sub", "repo:contoso/x")), []trust.Trust{fed("e", github, "", pattern)}); d.Reason != trust.ExpressionIssuer {
		t.Errorf("without a rule: %q", d.Reason)
	}
}

func TestEvidenceOfHostileTokensIsBounded(t *testing.T) {
	t.Parallel()
	e, _ := exchange()
	many := make([]trust.Trust, 20)
	for i := range many {
		many[i] = fed("t", pool, strings.Repeat("s", 600), "")
	}
	long := strings.Repeat("\u00e9", 10000)
	list := make([]string, 1000)
	for i := range list {
		list[i] = "audience"
	}
	d := e.Decide(t.Context(), sign(t, "RS512", "k1", claims("sub", long, "aud", list)), many)
	d.Claims = nil // kept as they came, within the bound of a token
	doc, _ := json.Marshal(d)
	if len(doc) > 200<<10 {
		t.Errorf("the evidence has %d bytes", len(doc))
	}
	if len(d.Detail) > evidence.MaxValue+20 {
		t.Errorf("the detail has %d bytes", len(d.Detail))
	}
}

// BenchmarkDecide gives the time of a decision with one trust and with twenty over a bare verification.
func BenchmarkDecide(b *testing.B) {
	raw := sign(b, "RS512", "k1", claims())
	tok := jose.Parse(raw)
	twenty := make([]trust.Trust, 0, 20)
	for range 19 {
		twenty = append(twenty, fed("t", pool, "us-east-1:another-identity", ""))
	}
	for name, trusts := range map[string][]trust.Trust{"one trust": {exact()}, "twenty trusts": append(twenty, exact())} {
		b.Run(name, func(b *testing.B) {
			e, _ := exchange()
			var bare, whole time.Duration
			b.ReportAllocs()
			for b.Loop() {
				t0 := time.Now()
				if err := jose.Verify(tok, key().Public(), jose.RSAPKCS1); err != nil {
					b.Fatal(err)
				}
				t1 := time.Now()
				if d := e.Decide(b.Context(), raw, trusts); !d.OK() {
					b.Fatal(d.Reason)
				}
				bare, whole = bare+t1.Sub(t0), whole+time.Since(t1)
			}
			b.ReportMetric(float64(whole)/float64(bare), "×bare")
		})
	}
}
