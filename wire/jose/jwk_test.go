package jose

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
	"unsafe"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

func certificate(t testing.TB) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, keys().rsa.Public(), keys().rsa)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestPublishedKeysReadBackHereAndInGoJose(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{RS256, ES256, ES384, ES512, EdDSA} {
		key := signerOf(alg).Public()
		j, err := Publish("k1", key, nil)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := json.Marshal(JWKS{Keys: []JWK{j}})
		if err != nil {
			t.Fatal(err)
		}
		set, err := ParseKeySet(doc)
		if err != nil || len(set.Keys) != 1 || set.Keys[0].ID != "k1" {
			t.Fatalf("%s: %+v, %v", alg, set, err)
		}
		if !equal(set.Keys[0].Key, key) {
			t.Errorf("%s: another key came out: %s", alg, KeyKind(set.Keys[0].Key))
		}
		if err := Verify(Parse(sampleToken(t, alg)), set.Keys[0].Key, Algorithms); err != nil {
			t.Errorf("%s: with the key read back: %v", alg, err)
		}
		var peer gojose.JSONWebKeySet
		if err := json.Unmarshal(doc, &peer); err != nil || len(peer.Keys) != 1 || !peer.Keys[0].Valid() {
			t.Errorf("%s: go-jose reads %v, %v", alg, peer, err)
		}
		thumb, err := KeyThumbprint(key)
		if err != nil {
			t.Fatal(err)
		}
		if want, _ := peer.Keys[0].Thumbprint(5); base64.RawURLEncoding.EncodeToString(want) != thumb { // 5 is crypto.SHA256
			t.Errorf("%s: thumbprint %s, go-jose has %x", alg, thumb, want)
		}
	}
}

// The example of RFC 7638 section 3.1.
func TestThumbprintOfTheRFC(t *testing.T) {
	t.Parallel()
	k, err := ParseKey([]byte(`{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := KeyThumbprint(k.Key); got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("thumbprint %s", got)
	}
	if k.ID != "2011-04-29" || k.Algorithm != RS256 {
		t.Errorf("%+v", k)
	}
}

func TestCognitosSpellingOfTheModulusIsRead(t *testing.T) {
	t.Parallel()
	n := base64.StdEncoding.EncodeToString(append([]byte{0}, keys().rsa.N.Bytes()...)) // a sign byte, padded, standard alphabet
	set, err := ParseKeySet([]byte(`{"keys":[{"kty":"RSA","alg":"RS512","use":"sig","kid":"us-east-11","n":"` + n + `","e":"AQAB"}]}`))
	if err != nil || len(set.Keys) != 1 {
		t.Fatalf("%+v, %v", set, err)
	}
	if !keys().rsa.PublicKey.Equal(set.Keys[0].Key) {
		t.Error("another key came out")
	}
}

func TestCertificatesOfKeysAreReadAndChecked(t *testing.T) {
	t.Parallel()
	cert := certificate(t)
	j, err := Publish("k", keys().rsa.Public(), cert)
	if err != nil {
		t.Fatal(err)
	}
	if j.X5t != Thumbprint(cert.Raw) || len(Thumbprint256(cert.Raw)) != 43 {
		t.Errorf("x5t %s", j.X5t)
	}
	doc, _ := json.Marshal(JWKS{Keys: []JWK{j}})
	set, err := ParseKeySet(doc)
	if err != nil || len(set.Keys) != 1 || !set.Keys[0].Certificate.Equal(cert) {
		t.Errorf("%+v, %v", set, err)
	}
	other, _ := Publish("k", keys().otherRSA.Public(), cert)
	doc, _ = json.Marshal(JWKS{Keys: []JWK{other}})
	if set, err = ParseKeySet(doc); err != nil || len(set.Keys) != 0 || !strings.Contains(strings.Join(set.Skipped, ""), "do not match") {
		t.Errorf("a certificate of another key: %+v, %v", set, err)
	}
}

func TestUnusableKeysAreSkippedAndNamed(t *testing.T) {
	t.Parallel()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weak, _ := Publish("weak", small.Public(), nil)
	weakDoc, _ := json.Marshal(weak)
	good, _ := Publish("good", keys().p256.Public(), nil)
	goodDoc, _ := json.Marshal(good)
	for name, c := range map[string]struct{ key, want string }{
		"for encryption":       {`{"kty":"RSA","use":"enc","kid":"x"}`, "its use is"},
		"for wrapping":         {`{"kty":"RSA","key_ops":["wrapKey"]}`, "key_ops"},
		"an encryption alg":    {strings.Replace(string(goodDoc), `"use"`, `"alg":"ECDH-ES","use"`, 1), "not supported"},
		"symmetric":            {`{"kty":"oct","k":"AAAA"}`, `type "oct"`},
		"no type":              {`{"kid":"x"}`, `type ""`},
		"weak":                 {string(weakDoc), "1024 bits"},
		"X25519":               {`{"kty":"OKP","crv":"X25519","x":"AAAA"}`, "key 1"},
		"not on its curve":     {`{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 42) + `E","y":"` + strings.Repeat("A", 42) + `E"}`, "not on declared curve"},
		"no base64":            {`{"kty":"RSA","n":"???","e":"AQAB"}`, "n: "},
		"a huge modulus":       {`{"kty":"RSA","n":"` + strings.Repeat("Z", 4000) + `","e":"AQAB"}`, "modulus"},
		"an even exponent":     {`{"kty":"RSA","n":"` + weak.N + weak.N + `","e":"AAAC"}`, "exponent"},
		"a bound of its curve": {strings.Replace(string(goodDoc), `"use"`, `"alg":"ES384","use"`, 1), "needs an EC key on P-384"},
		"a text":               {`"key"`, "not an object"},
		"a certificate alone":  {`{"kty":"RSA","x5c":["` + base64.StdEncoding.EncodeToString(certificate(t).Raw) + `"]}`, "missing n/e"},
		"a huge certificate":   {strings.Replace(string(goodDoc), `"use"`, `"x5c":["`+strings.Repeat("A", maxCertificate+1)+`"],"use"`, 1), "longer than 16 KiB"},
		"an endless id":        {strings.Replace(string(goodDoc), `"good"`, `"`+strings.Repeat("k", maxKeyID+1)+`"`, 1), "kid is longer"},
		"for signing":          {`{"kty":"RSA","key_ops":["sign"]}`, "lack verify"},
		"of a kind to come":    {`{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}`, `type "AKP"`},
	} {
		set, err := ParseKeySet([]byte(`{"keys":[` + c.key + `,` + string(goodDoc) + `]}`))
		if err != nil || len(set.Keys) != 1 || set.Keys[0].ID != "good" {
			t.Errorf("%s: %+v, %v", name, set, err)
			continue
		}
		if len(set.Skipped) != 1 || !strings.Contains(set.Skipped[0], c.want) {
			t.Errorf("%s: skipped %q, want …%s…", name, set.Skipped, c.want)
		}
	}
}

func TestKeySetsAreBounded(t *testing.T) {
	t.Parallel()
	j, _ := Publish("", keys().p256.Public(), nil)
	set := JWKS{}
	for i := range MaxKeys + 7 {
		j.Kid = fmt.Sprint(i)
		set.Keys = append(set.Keys, j)
	}
	doc, _ := json.Marshal(set)
	got, err := ParseKeySet(doc)
	if err != nil || len(got.Keys) != MaxKeys || !cmp.Equal(got.Skipped, []string{"7 keys after the first 100"}) {
		t.Errorf("%d keys, %q, %v", len(got.Keys), got.Skipped, err)
	}
	for name, doc := range map[string]string{"too long": strings.Repeat(" ", MaxKeySet+1), "no JSON": "<html>", "no keys": `{}`, "keys an object": `{"keys":{}}`} {
		if _, err := ParseKeySet([]byte(doc)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

func TestKeysWithTheirPrivatePartAreNotUsed(t *testing.T) {
	t.Parallel()
	for _, key := range []any{keys().p256, keys().rsa, keys().ed} {
		doc, err := json.Marshal(gojose.JSONWebKey{Key: key, KeyID: "k"})
		if err != nil || !strings.Contains(string(doc), `"d":`) {
			t.Fatalf("%s, %v", doc, err)
		}
		if k, err := ParseKey(doc); err == nil || !strings.Contains(err.Error(), "private part") {
			t.Errorf("%+v, %v", k, err)
		}
	}
}

// What is kept of a set must not keep the set: a thousand issuers may have half a megabyte each.
func TestAKeyDoesNotHoldOnToItsDocument(t *testing.T) {
	t.Parallel()
	j, _ := Publish("the id", keys().p256.Public(), nil)
	j.Alg = ES256
	doc, _ := json.Marshal(JWKS{Keys: []JWK{j}})
	text := string(doc)
	set, err := ParseKeySet(doc)
	if err != nil || len(set.Keys) != 1 {
		t.Fatalf("%+v, %v", set, err)
	}
	top, _, err := Object(text)
	if err != nil {
		t.Fatal(err)
	}
	k, err := parseKey(top["keys"].([]any)[0].(map[string]any))
	if err != nil {
		t.Fatal(err)
	}
	from := uintptr(unsafe.Pointer(unsafe.StringData(text)))
	for _, s := range []string{k.ID, k.Algorithm} {
		if at := uintptr(unsafe.Pointer(unsafe.StringData(s))); at >= from && at < from+uintptr(len(text)) {
			t.Errorf("%q is a part of the document", s)
		}
	}
}
