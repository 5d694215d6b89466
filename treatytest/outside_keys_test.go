package treatytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// Key sets as the outside world writes them. The two clouds read them by rules of their own: STS's are
// recorded (September 2026), Entra's are those of OpenID Connect where Microsoft documents none.
func TestForeignKeySetsAreReadByEachCloudsOwnRules(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	o.must(err)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	o.must(err)
	ec := func(kid string) m { return ellipticKey(t, kid, p256.Public()) }
	mine, theirs := certified(t, goodKey()), certified(t, evilKey())
	set := func(keys ...m) func(*foreign) { return func(x *foreign) { x.publish(keys...) } }
	header := func(h m) func(*foreign) string { return func(x *foreign) string { return x.token(h, nil) } }
	unnamed := header(m{"kid": nil})
	padded := base64.StdEncoding.EncodeToString(append([]byte{0, 0}, goodKey().N.Bytes()...))
	many := func(n int, more ...m) []m {
		out := make([]m, 0, n+len(more))
		for i := range n {
			out = append(out, m{"kty": "RSA", "kid": "n" + raw(i), "n": evil("")["n"], "e": "AQAB"})
		}
		return append(out, more...)
	}
	thousands := make([]m, 2000)
	for i := range thousands {
		thousands[i] = with(ec("e"+raw(i)), m{"use": nil})
	}
	o.run(t, 45, []row{
		{"one key", "", "", set(key("k1", nil)), nil},
		{"n and e padded, in standard base64, with leading zero bytes", "", "", set(key("k1", m{"n": padded, "e": "AAEAAQ=="})), nil},
		{"n in lines", unreachable, noKey, set(key("k1", m{"n": padded[:64] + "\n" + padded[64:]})), nil},
		{"the key among others", "", "", set(evil("k0"), ec("k2"), key("k1", nil)), nil},

		{"two RSA keys of one id, the good one last", "", "", set(evil("k1"), key("k1", nil)), nil},
		{"two RSA keys of one id, the good one first", "", unproved, set(key("k1", nil), evil("k1")), nil},
		{"an EC key before, of the same id", "", "", set(ec("k1"), key("k1", nil)), nil},
		{"an EC key after, of the same id", "", unproved, set(key("k1", nil), ec("k1")), nil},
		{"the fourth of one id", "", unproved, set(evil("k1"), evil("k1"), evil("k1"), key("k1", nil), evil("k1")), nil},
		{"the fifth of one id", keyFails, "", set(evil("k1"), evil("k1"), evil("k1"), evil("k1"), key("k1", nil)), nil},
		{"the fifth of one id, but only two RSA", "", "", set(ec("k1"), ec("k1"), ec("k1"), evil("k1"), key("k1", nil)), nil},

		{"a token without kid, one key", "", "", set(key("k1", nil)), unnamed},
		{"a token without kid, two keys", keyMissing, noKey, set(key("k1", nil), evil("k2")), unnamed},
		{"a token without kid, keys of two types", "", noKey, set(key("k1", nil), ec("k2")), unnamed},
		{"a token without kid, one key that signs", "", "", set(key("k1", nil), with(evil("k2"), m{"use": "enc"})), unnamed},
		{"a key without kid, a token with one", keyMissing, noKey, set(key("k1", m{"kid": nil})), nil},
		{"a key without kid, a token without", "", noKey, set(key("k1", m{"kid": nil})), unnamed},
		{"a kid in other letters", keyMissing, noKey, set(key("K1", nil)), nil},
		{"a kid that is a number", keyMissing, noKey, set(key("k1", m{"kid": 1})), header(m{"kid": "1"})},

		{"a certificate beside the key", "", "", set(key("k1", m{"x5c": x5c(mine)})), nil},
		{"a certificate of another key", unreachable, noKey, set(key("k1", m{"x5c": x5c(theirs)})), nil},
		{"a certificate of another key, beside a good key", "", "", set(with(evil("k2"), m{"x5c": x5c(mine)}), key("k1", nil)), nil},
		{"a certificate alone", unreachable, noKey, set(key("k1", m{"x5c": x5c(mine), "n": nil, "e": nil})), nil},
		{"a certificate that is none", unreachable, noKey, set(key("k1", m{"x5c": []string{"AAAA"}})), nil},
		{"a token that names the certificate", "", noKey, set(with(evil("k0"), m{"x5c": x5c(theirs)}), key("k1", m{"x5c": x5c(mine)})), header(m{"kid": nil, "x5t": thumb(mine)})},
		{"a token that names another certificate", keyMissing, "", set(key("k1", m{"x5c": x5c(mine)})), header(m{"kid": nil, "x5t": thumb(theirs)})},
		{"a token that names key and certificate", "", "", set(key("k1", m{"x5c": x5c(mine)})), header(m{"x5t": thumb(mine)})},

		{"a key for encryption", unreachable, noKey, set(key("k1", m{"use": "enc"})), nil},
		{"a key without a use", "", "", set(key("k1", m{"use": nil})), nil},
		{"a key to verify with", "", noKey, set(key("k1", m{"key_ops": []string{"verify"}})), nil},
		{"a key to sign with", unreachable, noKey, set(key("k1", m{"key_ops": []string{"sign"}})), nil},
		{"a key of its algorithm", "", "", set(key("k1", m{"alg": "RS256"})), nil},
		{"a key of another algorithm", keyMissing, "", set(key("k1", m{"alg": "RS512"})), nil},
		{"a key of an algorithm that encrypts", unreachable, "", set(key("k1", m{"alg": "RSA-OAEP"})), nil},
		{"a symmetric key", unreachable, noKey, set(m{"kty": "oct", "kid": "k1", "k": "AAAA"}), nil},
		{"a key of a type to come", unreachable, noKey, set(m{"kty": "AKP", "kid": "k1", "alg": "ML-DSA-44", "pub": "AAAA"}), nil},
		{"a key with its private part", unreachable, noKey, set(key("k1", m{"d": b64.EncodeToString(goodKey().D.Bytes())})), nil},
		{"bad keys of all kinds before the good one", "", "", func(x *foreign) {
			x.answers(nil, says(`{"keys":[7,null,{},{"kty":"oct","kid":"k0","k":"AAAA"},{"kty":"RSA","kid":"kx","n":"AA","e":"AQAB"},`+raw(key("k1", nil))+`]}`))
		}, nil},
		{"an RSA key of 1024 bits", unreachable, noKey, set(jwkOf("k1", &weak.PublicKey)), nil},
		{"an exponent of one", unreachable, noKey, set(key("k1", m{"e": "AQ"})), nil},
		{"an EC key and its token", "AADSTS5002738", "", set(ec("k1")), func(x *foreign) string { return x.tokenBy(p256, m{"alg": "ES256"}, nil) }},
		{"an RSA key and a token that says it is of an EC one", "AADSTS5002738", unproved, set(key("k1", nil)), func(x *foreign) string { return x.tokenBy(p256, m{"alg": "ES256"}, nil) }},
		{"RS512", "", "", set(key("k1", nil)), header(m{"alg": "RS512"})},

		{"the last of a hundred keys", "", "", set(many(99, key("k1", nil))...), nil},
		{"the one after a hundred keys", keyMissing, noKey, set(many(100, key("k1", nil))...), nil},
		{"the first of thousands", "", "", set(append([]m{key("k1", nil)}, thousands...)...), nil},
		{"the last of thousands", keyMissing, noKey, set(append(thousands, key("k1", nil))...), nil},

		{"an empty set", unreachable, noKey, set(), nil},
		{"no set", unreachable, noKey, documentOf(func(string) string { return `{"keys":null}` }), nil},
		{"a set with a byte order mark", "", "", documentOf(func(doc string) string { return "\xef\xbb\xbf" + doc }), nil},
		{"a set with something behind", unreachable, noKey, documentOf(func(doc string) string { return doc + "<!-- x -->" }), nil},
		{"a set with keys twice, of which the last count", "", "", documentOf(func(doc string) string { return `{"keys":[` + raw(evil("k1")) + `],` + doc[1:] }), nil},
		{"a key with its modulus twice, of which the last counts", "", "", documentOf(func(doc string) string { return strings.Replace(doc, `{"e"`, `{"n":"AAAA","e"`, 1) }), nil},
		{"a set that is nested too deep", unreachable, noKey, documentOf(func(doc string) string {
			return `{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `,` + doc[1:]
		}), nil},
		{"a set of half a megabyte", unreachable, noKey, documentOf(func(doc string) string { return doc + strings.Repeat(" ", 512<<10) }), nil},
		{"a set that is packed", "", "", func(x *foreign) { x.answers(nil, packed(raw(m{"keys": []m{key("k1", nil)}}))) }, nil},
		{"a set that unpacks to eight megabytes", unreachable, noKey, func(x *foreign) { x.answers(nil, packed(strings.Repeat(" ", 8<<20))) }, nil},
	})
}

// documentOf is a set of the honest key with its text changed.
func documentOf(change func(doc string) string) func(*foreign) {
	return func(x *foreign) { x.answers(nil, says(change(raw(m{"keys": []m{key("k1", nil)}})))) }
}

// What is not used is named where somebody will look for it.
func TestExplainNamesTheKeysThatAreNotUsed(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	x := o.issuer()
	x.publish(evil("k0"), key("k1", m{"use": "enc"}))
	token := x.token(nil, nil)
	x.expect("the key is for encryption", token, keyMissing, noKey)
	const want = `not used: key 2 \"k1\": its use is`
	for name, r := range map[string]any{"azure": x.ExplainToken(x.app, token), "aws": x.ExplainRole(x.role, token)} {
		if got := raw(r); !strings.Contains(got, want) {
			t.Errorf("explain %s: %s", name, got)
		}
	}
}

// An algorithm that a cloud does not take is refused before anybody is asked.
func TestAnAlgorithmThatEntraRefusesMakesItAskNobody(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	x := o.issuer()
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	o.must(err)
	if got := x.entra(x.tokenBy(p256, m{"alg": "ES256"}, nil)); got != "AADSTS5002738" || x.requests() != 0 {
		t.Errorf("%s after %d requests", got, x.requests())
	}
}

// packed answers with a document in gzip, whatever was asked for.
func packed(doc string) http.HandlerFunc {
	b := gzipped(doc)
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(b)
	}
}
