package jose

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzObject holds the decoder to encoding/json: what it takes, encoding/json takes with the same result;
// what encoding/json takes, it takes but for its own refusals.
func FuzzObject(f *testing.F) {
	for _, s := range []string{claims, `{"a":[1,-2.5e+3,true,null,{"b":"\ud83d\ude00\/\n"}]}`, ` {"a":"","a":"x"} `, `{"é":"\u00e9"}`, `{}`, `{"a":01}`, "{\"a\":\"\x7f\"}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		got, _, err := Object(doc)
		var want map[string]any
		d := json.NewDecoder(strings.NewReader(doc))
		d.UseNumber()
		peer := d.Decode(&want)
		if peer == nil && !json.Valid([]byte(doc)) {
			return // a stream of several values
		}
		if err == nil {
			if peer != nil {
				t.Fatalf("took %q, which encoding/json refuses: %v", doc, peer)
			}
			if !cmp.Equal(got, want) {
				t.Fatalf("%q: %v", doc, cmp.Diff(want, got))
			}
			return
		}
		for _, own := range []string{"UTF-8", "surrogate", "deeply", "not a JSON object"} {
			if strings.Contains(err.Error(), own) {
				return
			}
		}
		if peer == nil && utf8.ValidString(doc) {
			t.Fatalf("refused %q: %v", doc, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(sampleToken(f, ES256))
	f.Add(b64(`{"alg":"none"}`) + "." + b64(claims) + ".")
	f.Add("a.b.c")
	f.Add(b64(`{"alg":"ES256","crit":["b64"],"b64":false}`) + "." + b64(`{}`) + ".AA")
	f.Fuzz(func(t *testing.T, raw string) {
		tok := Parse(raw)
		if !tok.OK() {
			return
		}
		// The seed was signed with a key of this run: under another nobody's token verifies.
		if Verify(tok, keys().p384.Public(), Algorithms) == nil {
			t.Fatalf("a token that nobody signed verifies: %q", raw)
		}
		// One token has one spelling: encoding its parts again gives it back.
		parts := strings.Split(raw, ".")
		for _, p := range parts {
			b, err := base64.RawURLEncoding.DecodeString(p)
			if err != nil || base64.RawURLEncoding.EncodeToString(b) != p {
				t.Fatalf("part %q has another spelling", p)
			}
		}
	})
}

func FuzzJWKS(f *testing.F) {
	for _, alg := range []string{RS256, ES384, EdDSA} {
		j, err := Publish("k", signerOf(alg).Public(), nil)
		if err != nil {
			f.Fatal(err)
		}
		doc, _ := json.Marshal(JWKS{Keys: []JWK{j}})
		f.Add(doc)
	}
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AAAA","e":"AQAB","x5c":["AAAA"]}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		set, err := ParseKeySet(doc)
		if err != nil {
			return
		}
		for _, k := range set.Keys {
			fits := false
			for _, alg := range Algorithms {
				fits = fits || Fits(alg, k.Key) == nil
			}
			if !fits {
				t.Fatalf("%s fits no algorithm", KeyKind(k.Key))
			}
			again, err := Publish(k.ID, k.Key, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(again)
			if err != nil {
				t.Fatal(err)
			}
			back, err := ParseKey(b)
			if err != nil || !equal(back.Key, k.Key) {
				t.Fatalf("%s: reads back as %+v, %v", b, back, err)
			}
		}
	})
}

func equal(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
