package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

// source is a KeySource with fixed keys that notes who was asked.
type source struct {
	keys  []token.PublicKey
	err   error
	asked []string
}

func (s *source) PublicKeys(_ context.Context, issuer, _ string) ([]token.PublicKey, error) {
	s.asked = append(s.asked, issuer)
	return s.keys, s.err
}

func payload(change func(token.Claims)) token.Claims {
	c := token.Claims{"iss": issuer, "sub": "s", "aud": "a", "iat": epoch.Unix(), "nbf": epoch.Unix(), "exp": epoch.Add(time.Hour).Unix()}
	if change != nil {
		change(c)
	}
	return c
}

func signed(t testing.TB, h jose.Header, c token.Claims) string {
	t.Helper()
	doc, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	alg := ""
	for _, m := range h {
		if m.Name == "alg" {
			alg = m.Value.(string)
		}
	}
	raw, err := jose.Sign(h, doc, rsaKey(), alg, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

var rs512 = jose.Header{{Name: "kid", Value: "k1"}, {Name: "typ", Value: "JWS"}, {Name: "alg", Value: "RS512"}}

func header(members ...jose.Member) jose.Header {
	return append(jose.Header{{Name: "alg", Value: "RS512"}}, members...)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k1 := token.PublicKey{ID: "k1", Key: rsaKey().Public()}
	stranger := token.PublicKey{ID: "k1", Key: ec.Public()}
	at := func(name string, v any) token.Claims { return payload(func(c token.Claims) { c[name] = v }) }
	good := signed(t, rs512, payload(nil))
	for _, c := range []struct {
		name string
		raw  string
		keys []token.PublicKey
		err  error  // of the source
		fail string // first check that fails
		note string
		kind error
	}{
		{name: "a good token passes", raw: good, keys: []token.PublicKey{k1}},
		{name: "a token of a key among others passes", raw: good, keys: []token.PublicKey{{ID: "k0", Key: ec.Public()}, k1}},
		{name: "of two keys with one id the one that fits is taken", raw: good, keys: []token.PublicKey{stranger, k1}},
		{name: "a token without kid passes with an issuer's only key", raw: signed(t, header(), payload(nil)), keys: []token.PublicKey{k1, {ID: "e", Key: ec.Public()}}},
		{name: "a token without kid fails with several keys", raw: signed(t, header(), payload(nil)), keys: []token.PublicKey{k1, {ID: "k2", Key: rsaKey().Public()}}, fail: token.CheckKey, note: "names no key, and 2 keys", kind: fault.Unauthenticated},
		{name: "an unknown kid fails", raw: good, keys: []token.PublicKey{{ID: "k2", Key: rsaKey().Public()}}, fail: token.CheckKey, note: "no key of this id", kind: fault.Unauthenticated},
		{name: "a key without id is not the one a kid names", raw: good, keys: []token.PublicKey{{Key: rsaKey().Public()}}, fail: token.CheckKey, kind: fault.Unauthenticated},
		{name: "a key bound to another algorithm fails", raw: good, keys: []token.PublicKey{{ID: "k1", Algorithm: "RS256", Key: rsaKey().Public()}}, fail: token.CheckKey, note: "for RS256 only", kind: fault.Unauthenticated},
		{name: "a key of another type fails", raw: good, keys: []token.PublicKey{stranger}, fail: token.CheckKey, note: "needs an RSA key", kind: fault.Unauthenticated},
		{name: "an issuer without keys fails", raw: good, fail: token.CheckKey, note: "no usable key", kind: fault.Unauthenticated},
		{name: "an issuer that does not answer is told apart", raw: good, err: errors.New("connection refused"), fail: token.CheckKeys, note: "connection refused", kind: fault.Unavailable},
		{name: "a changed signature fails", raw: good[:len(good)-8] + "AAAAAAA" + "A", keys: []token.PublicKey{k1}, fail: token.CheckSignature, note: jose.ErrSignature.Error(), kind: fault.Unauthenticated},
		{name: "an algorithm outside the list fails", raw: signed(t, jose.Header{{Name: "alg", Value: "PS256"}, {Name: "kid", Value: "k1"}}, payload(nil)), keys: []token.PublicKey{k1}, fail: token.CheckAlgorithm, kind: fault.Unauthenticated},
		{name: "another issuer fails", raw: signed(t, rs512, at("iss", issuer+"/")), keys: []token.PublicKey{k1}, fail: token.CheckIssuer, note: "slash at the end", kind: fault.Unauthenticated},
		{name: "an issuer in an array fails", raw: signed(t, rs512, at("iss", []string{issuer})), keys: []token.PublicKey{k1}, fail: token.CheckIssuer, note: "not a string", kind: fault.Unauthenticated},
		{name: "no issuer fails", raw: signed(t, rs512, payload(func(c token.Claims) { delete(c, "iss") })), keys: []token.PublicKey{k1}, fail: token.CheckIssuer, kind: fault.Unauthenticated},
		{name: "no token fails", raw: "undefined", keys: []token.PublicKey{k1}, fail: token.CheckForm, kind: fault.Unauthenticated},
		{name: "a token that just expired passes within the leeway", raw: signed(t, rs512, at("exp", epoch.Add(-299*time.Second).Unix())), keys: []token.PublicKey{k1}},
		{name: "an expired token fails", raw: signed(t, rs512, at("exp", epoch.Add(-300*time.Second).Unix())), keys: []token.PublicKey{k1}, fail: token.CheckExpiry, note: "expired 5m0s ago", kind: fault.Expired},
		{name: "a token without exp fails", raw: signed(t, rs512, payload(func(c token.Claims) { delete(c, "exp") })), keys: []token.PublicKey{k1}, fail: token.CheckExpiry, kind: fault.Unauthenticated},
		{name: "an exp of null fails", raw: signed(t, rs512, at("exp", nil)), keys: []token.PublicKey{k1}, fail: token.CheckExpiry, note: "not a time", kind: fault.Unauthenticated},
		{name: "an exp beyond all numbers fails", raw: signed(t, rs512, at("exp", json.Number("1e400"))), keys: []token.PublicKey{k1}, fail: token.CheckExpiry, note: "not a time", kind: fault.Unauthenticated},
		{name: "an exp of inf fails", raw: signed(t, rs512, at("exp", "inf")), keys: []token.PublicKey{k1}, fail: token.CheckExpiry, note: "not a time", kind: fault.Unauthenticated},
		{name: "an exp in a string passes", raw: signed(t, rs512, at("exp", "1893456000")), keys: []token.PublicKey{k1}},
		{name: "an exp with a fraction passes", raw: signed(t, rs512, at("exp", json.Number("1893456000.25"))), keys: []token.PublicKey{k1}},
		{name: "a token of the near future passes within the leeway", raw: signed(t, rs512, at("nbf", epoch.Add(300*time.Second).Unix())), keys: []token.PublicKey{k1}},
		{name: "a token of the future fails", raw: signed(t, rs512, at("nbf", epoch.Add(301*time.Second).Unix())), keys: []token.PublicKey{k1}, fail: token.CheckNotBefore, note: "lies 5m1s ahead", kind: fault.Unauthenticated},
		{name: "a token issued in the future fails", raw: signed(t, rs512, at("iat", epoch.Add(time.Hour).Unix())), keys: []token.PublicKey{k1}, fail: token.CheckIssuedAt, note: "lies 1h0m0s ahead", kind: fault.Unauthenticated},
		{name: "a token without nbf and iat passes", raw: signed(t, rs512, payload(func(c token.Claims) { delete(c, "nbf"); delete(c, "iat") })), keys: []token.PublicKey{k1}},
	} {
		s := &source{keys: c.keys, err: c.err}
		v := token.Verifier{Source: s, Algorithms: jose.RSAPKCS1, Leeway: 5 * time.Minute, Now: func() time.Time { return epoch }}
		_, report, err := v.Verify(t.Context(), c.raw, issuer)
		first, _ := report.Checks.First()
		if first.Name != c.fail || !strings.Contains(first.Note, c.note) || (c.kind == nil) != (err == nil) || c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("%s: check %q (%s) fails with %v", c.name, first.Name, first.Note, err)
		}
		names := []string{}
		for _, check := range report.Checks {
			names = append(names, check.Name)
		}
		all := []string{token.CheckForm, token.CheckAlgorithm, token.CheckIssuer, token.CheckKeys, token.CheckKey, token.CheckSignature, token.CheckExpiry, token.CheckNotBefore, token.CheckIssuedAt}
		if !cmp.Equal(names, all) {
			t.Errorf("%s: checks %q", c.name, names)
		}
		if ask := c.fail != token.CheckForm && c.fail != token.CheckAlgorithm && c.fail != token.CheckIssuer; ask != (len(s.asked) == 1) {
			t.Errorf("%s: asked %q", c.name, s.asked)
		}
	}
}

func TestWhatMendsATokensFormDependsOnWhoBrokeIt(t *testing.T) {
	t.Parallel()
	const alone = "present the token alone: three base64url parts joined by dots, no line break"
	good := signed(t, rs512, payload(nil))
	parts := strings.Split(good, ".")
	head := func(doc string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(doc)) + "." + parts[1] + "." + parts[2]
	}
	for name, c := range map[string]struct{ raw, want string }{
		"a good token":                    {good, ""},
		"nothing":                         {"", alone},
		"something else":                  {"undefined", alone},
		"a line break at the end":         {good + "\n", alone},
		"a line break in the middle":      {parts[0] + ".\n" + parts[1] + "." + parts[2], alone},
		"a scheme before it":              {"Bearer " + good, alone},
		"a token that was cut off":        {parts[0] + "." + parts[1], alone},
		"a token that is encrypted":       {head(`{"alg":"RSA-OAEP","enc":"A256GCM"}`) + ".e.e", "have the issuer sign its tokens and not encrypt them"},
		"a header that asks for more":     {head(`{"alg":"RS512","crit":["x"],"x":1}`), "have the issuer mend the token: header: crit asks for extensions that are not supported"},
		"an unsecured token, by its name": {head(`{"alg":"none"}`)[:len(head(`{"alg":"none"}`))-len(parts[2])], ""},
	} {
		if form := (&token.Verifier{}).Form(token.Read(c.raw))[0]; form.Fix != c.want {
			t.Errorf("%s: %q, want %q", name, form.Fix, c.want)
		}
	}
}

func TestAnExpiredForgeryIsNotCalledExpired(t *testing.T) {
	t.Parallel()
	s := &source{keys: []token.PublicKey{{ID: "k1", Key: rsaKey().Public()}}}
	v := token.Verifier{Source: s, Algorithms: jose.RSAPKCS1, Now: func() time.Time { return epoch.Add(24 * time.Hour) }}
	raw := signed(t, rs512, payload(nil))
	_, report, err := v.Verify(t.Context(), raw[:len(raw)-8]+"AAAAAAAA", issuer)
	if !errors.Is(err, fault.Unauthenticated) {
		t.Error(err)
	}
	for _, name := range []string{token.CheckSignature, token.CheckExpiry} {
		if c, _ := report.Checks.Named(name); c.OK || c.Skipped {
			t.Errorf("both failures should be seen: %+v", c)
		}
	}
}

func TestKeysAreFoundByTheirCertificatesThumbprint(t *testing.T) {
	t.Parallel()
	k, err := newRing(&memory{}, newClock()).Signing(t.Context(), "certified")
	if err != nil {
		t.Fatal(err)
	}
	doc, _ := json.Marshal(payload(nil))
	for name, member := range map[string]jose.Member{
		"x5t":      {Name: "x5t", Value: jose.Thumbprint(k.Certificate.Raw)},
		"x5t#S256": {Name: "x5t#S256", Value: jose.Thumbprint256(k.Certificate.Raw) + "="},
	} {
		raw, err := jose.Sign(header(member), doc, k.Signer, jose.RS512, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := &source{keys: []token.PublicKey{{ID: "a", Key: rsaKey().Public()}, {ID: "b", Key: k.Signer.Public(), Certificate: k.Certificate}}}
		v := token.Verifier{Source: s, Algorithms: jose.RSAPKCS1, Now: func() time.Time { return epoch }}
		if _, _, err := v.Verify(t.Context(), raw, issuer); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s.keys = s.keys[:1]
		if _, _, err := v.Verify(t.Context(), raw, issuer); err == nil {
			t.Errorf("%s: verified without the certificate", name)
		}
	}
}

func TestIssuedTokensVerifyLocally(t *testing.T) {
	t.Parallel()
	ring := newRing(&memory{}, newClock())
	for name, c := range map[string]struct {
		issuer token.Issuer
		header string
	}{
		"as identity pools write it":  {token.Issuer{Keys: ring, Ring: "numbered/us-east-1", Algorithm: jose.RS512, Type: "JWS"}, `{"kid":"us-east-11","typ":"JWS","alg":"RS512"}`},
		"as version 1 tokens have it": {token.Issuer{Keys: ring, Ring: "certified", Algorithm: jose.RS256, Type: "JWT", X5T: true}, `{"typ":"JWT","alg":"RS256","x5t":"KID","kid":"KID"}`},
		"as version 2 tokens have it": {token.Issuer{Keys: ring, Ring: "certified", Algorithm: jose.RS256, Type: "JWT"}, `{"typ":"JWT","alg":"RS256","kid":"KID"}`},
		"with PSS and its randomness": {token.Issuer{Keys: ring, Ring: "plain", Algorithm: jose.PS256, Type: "JWT", Rand: rand.Reader}, `{"typ":"JWT","alg":"PS256","kid":"KID"}`},
	} {
		raw, err := c.issuer.Issue(t.Context(), payload(func(c token.Claims) { c["sub"] = `a<b>&"c"` }))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v := token.Verifier{Source: token.Local{Keys: ring, Ring: c.issuer.Ring}, Algorithms: []string{c.issuer.Algorithm}, Now: func() time.Time { return epoch }}
		got, _, err := v.Verify(t.Context(), raw, issuer)
		if err != nil || got.Text("sub") != `a<b>&"c"` {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		key, _ := ring.Signing(t.Context(), c.issuer.Ring)
		if want := strings.ReplaceAll(c.header, "KID", key.ID); decodeHeader(raw) != want {
			t.Errorf("%s: header %s, want %s", name, decodeHeader(raw), want)
		}
	}
	for name, bad := range map[string]token.Issuer{
		"x5t without a certificate":  {Keys: ring, Ring: "plain", Algorithm: jose.RS256, X5T: true},
		"an algorithm of other keys": {Keys: ring, Ring: "plain", Algorithm: jose.ES256},
		"an unknown ring":            {Keys: ring, Ring: "unheard-of", Algorithm: jose.RS256},
	} {
		if raw, err := bad.Issue(t.Context(), payload(nil)); err == nil {
			t.Errorf("%s: %s", name, raw)
		}
	}
	if _, err := (&token.Issuer{Keys: ring, Ring: "plain", Algorithm: jose.RS256}).Issue(t.Context(), token.Claims{"x": func() {}}); !errors.Is(err, fault.Internal) {
		t.Errorf("a claim that has no JSON form: %v", err)
	}
}

func decodeHeader(raw string) string {
	head, _, _ := strings.Cut(raw, ".")
	b, _ := base64url(head)
	return string(b)
}

func TestHostileClaimsAreClippedInTheEvidence(t *testing.T) {
	t.Parallel()
	v := token.Verifier{Source: &source{}, Algorithms: jose.RSAPKCS1, Now: func() time.Time { return epoch }}
	raw := signed(t, rs512, payload(func(c token.Claims) {
		c["iss"], c["exp"] = strings.Repeat("é", 10000), strings.Repeat("x", 10000)
	}))
	_, report, err := v.Verify(t.Context(), raw, issuer)
	if err == nil {
		t.Fatal("verified")
	}
	doc, _ := json.Marshal(report)
	if len(doc) > 6*evidence.MaxValue {
		t.Errorf("the report has %d bytes", len(doc))
	}
}
