package webidentity_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/webidentity"
)

// member is a key of a set with changes; nil removes a member.
func member(t testing.TB, kid string, change claims) string {
	t.Helper()
	b, err := json.Marshal(publish(t, kid, rsaKey().Public()))
	if err != nil {
		t.Fatal(err)
	}
	m := claims{}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	for name, v := range change {
		if m[name] = v; v == nil {
			delete(m, name)
		}
	}
	if b, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func certificate(t testing.TB) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, rsaKey().Public(), rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func TestKeySetsAreReadBySTSsRules(t *testing.T) {
	t.Parallel()
	n := rsaKey().Public().(*rsa.PublicKey).N.Bytes()
	padded := base64.StdEncoding.EncodeToString(append([]byte{0}, n...))
	own := func(change claims) string { return member(t, "rsa", change) }
	with101 := own(nil)
	for i := range 100 {
		with101 += "," + member(t, fmt.Sprintf("extra%d", i), nil)
	}
	ec, _ := json.Marshal(publish(t, "p256", p256().Public()))
	for name, c := range map[string]struct {
		keys   string
		kid    string
		reason webidentity.Reason
	}{
		"a plain key":                         {own(nil), "rsa", ""},
		"its algorithm is not looked at":      {own(claims{"alg": "ES384"}), "rsa", ""},
		"its algorithm is for encryption":     {own(claims{"alg": "RSA-OAEP"}), "rsa", ""},
		"padded, in the other alphabet":       {own(claims{"n": padded}), "rsa", ""},
		"without a use":                       {own(claims{"use": nil}), "rsa", ""},
		"for encryption":                      {own(claims{"use": "enc"}), "rsa", webidentity.KeysUnavailable},
		"with operations, even the right one": {own(claims{"key_ops": []string{"verify"}}), "rsa", webidentity.KeysUnavailable},
		"with a certificate of its own":       {own(claims{"x5c": []string{certificate(t)}}), "rsa", ""},
		"with a certificate of another key":   {member(t, "rsa", claims{"x5c": []string{certificate(t)}, "n": base64.RawURLEncoding.EncodeToString(otherRSA().Public().(*rsa.PublicKey).N.Bytes())}), "rsa", webidentity.KeysUnavailable},
		"with a certificate alone":            {own(claims{"x5c": []string{certificate(t)}, "n": nil, "e": nil}), "rsa", webidentity.KeysUnavailable},
		"without an id":                       {own(claims{"kid": nil}), "", webidentity.KeysUnavailable},
		"a token without an id and one key":   {own(nil), "", ""},
		"a token without an id and two keys":  {own(nil) + "," + member(t, "two", nil), "", webidentity.KeyUnknown},
		"one of the two keys cannot sign":     {own(nil) + "," + member(t, "two", claims{"use": "enc"}), "", ""},
		"the second of two of one id is good": {own(claims{"n": base64.RawURLEncoding.EncodeToString(otherRSA().Public().(*rsa.PublicKey).N.Bytes())}) + "," + own(nil), "rsa", ""},
		"the first of two of one id is good":  {own(nil) + "," + own(claims{"n": base64.RawURLEncoding.EncodeToString(otherRSA().Public().(*rsa.PublicKey).N.Bytes())}), "rsa", webidentity.SignatureInvalid},
		"a broken key beside it":              {`{"kty":"RSA","kid":"x","n":"AA","e":"AQAB"},7,` + own(nil), "rsa", ""},
		"more than a hundred RSA keys":        {with101 + "," + string(ec), "rsa", webidentity.KeyUnknown},
		"a hundred RSA keys":                  {strings.Replace(with101, ","+member(t, "extra99", nil), "", 1), "rsa", ""},
		"a key that is too weak to trust":     {own(claims{"n": base64.RawURLEncoding.EncodeToString(n[:128])}), "rsa", webidentity.KeysUnavailable},
	} {
		w := newWorld(t)
		w.web.publish(issuer, `{"keys":[`+c.keys+`]}`)
		_, report, err := w.Verify(t.Context(), account, sign(t, with(nil), c.kid, "RS256", rsaKey()))
		if err != nil || report.Reason != c.reason {
			t.Errorf("%s: %q, %v; %+v", name, report.Reason, err, report.Provider)
		}
	}
	w := newWorld(t)
	w.web.publish(issuer, `{"keys":[`+with101+","+string(ec)+`]}`)
	if _, report, err := w.Verify(t.Context(), account, sign(t, with(nil), "p256", "ES256", p256())); err != nil || !report.OK() {
		t.Errorf("an EC key beside too many RSA keys: %+v, %v", report, err)
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[` + member(f, "rsa", nil) + `]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","kid":"a","crv":"P-256","x":"AA","y":"AA"},null,7]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		keys, _, err := webidentity.ParseKeys(doc)
		seen := map[string]bool{}
		for _, k := range keys {
			if k.ID == "" || seen[k.ID] || k.Key == nil || k.Algorithm != "" || err != nil {
				t.Fatalf("%+v, %v", k, err)
			}
			seen[k.ID] = true
		}
	})
}
