package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// pair is a key of each family, made once: RSA keys take long.
type pair struct {
	rsa, otherRSA    *rsa.PrivateKey
	p256, p384, p521 *ecdsa.PrivateKey
	ed               ed25519.PrivateKey
}

var keys = sync.OnceValue(func() pair {
	mustRSA := func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return k
	}
	mustEC := func(c elliptic.Curve) *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return pair{mustRSA(), mustRSA(), mustEC(elliptic.P256()), mustEC(elliptic.P384()), mustEC(elliptic.P521()), ed}
})

func signerOf(alg string) crypto.Signer {
	k := keys()
	switch alg {
	case ES256:
		return k.p256
	case ES384:
		return k.p384
	case ES512:
		return k.p521
	case EdDSA:
		return k.ed
	}
	return k.rsa
}

const claims = `{"iss":"https://issuer.example","sub":"s<1>","aud":["a","b"],"exp":1893456000}`

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func sampleToken(t testing.TB, alg string) string {
	t.Helper()
	raw, err := Sign(Header{{"kid", "k1"}, {"typ", "JWS"}, {"alg", alg}}, []byte(claims), signerOf(alg), alg, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestSignedTokensVerifyHereAndInGoJose(t *testing.T) {
	t.Parallel()
	for _, alg := range Algorithms {
		raw := sampleToken(t, alg)
		key := signerOf(alg).Public()
		tok := Parse(raw)
		if err := Verify(tok, key, []string{alg}); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if got := []string{tok.Algorithm(), tok.KeyID(), tok.Type()}; !cmp.Equal(got, []string{alg, "k1", "JWS"}) {
			t.Errorf("%s: header %q", alg, got)
		}
		peer, err := gojose.ParseSignedCompact(raw, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatalf("%s: go-jose: %v", alg, err)
		}
		if payload, err := peer.Verify(key); err != nil || string(payload) != claims {
			t.Errorf("%s: go-jose verifies %q, %v", alg, payload, err)
		}
	}
}

func TestTokensOfGoJoseVerifyHere(t *testing.T) {
	t.Parallel()
	for _, alg := range Algorithms {
		s, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.SignatureAlgorithm(alg), Key: signerOf(alg)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		jws, err := s.Sign([]byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(Parse(raw), signerOf(alg).Public(), Algorithms); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

func TestHeaderKeepsItsOrder(t *testing.T) {
	t.Parallel()
	head, _, _ := strings.Cut(sampleToken(t, RS512), ".")
	doc, _ := base64.RawURLEncoding.DecodeString(head)
	if want := `{"kid":"k1","typ":"JWS","alg":"RS512"}`; string(doc) != want {
		t.Errorf("header %s, want %s", doc, want)
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		alg    string
		header Header
		key    crypto.Signer
	}{
		"none":                          {"none", Header{{"alg", "none"}}, keys().rsa},
		"HMAC":                          {"HS256", Header{{"alg", "HS256"}}, keys().rsa},
		"a key of another type":         {ES256, Header{{"alg", ES256}}, keys().rsa},
		"a key of another curve":        {ES256, Header{{"alg", ES256}}, keys().p384},
		"a weak key":                    {RS256, Header{{"alg", RS256}}, small},
		"a header of another algorithm": {RS256, Header{{"alg", RS512}}, keys().rsa},
		"a header without alg":          {RS256, Header{{"typ", "JWT"}}, keys().rsa},
		"PSS without randomness":        {PS256, Header{{"alg", PS256}}, keys().rsa},
	} {
		if raw, err := Sign(c.header, []byte(claims), c.key, c.alg, nil); err == nil {
			t.Errorf("%s: signed %s", name, raw)
		}
	}
}

func TestMalformedTokensSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := sampleToken(t, ES256)
	parts := strings.Split(good, ".")
	head := func(h string) string { return b64(h) + "." + parts[1] + "." + parts[2] }
	load := func(p string) string { return parts[0] + "." + b64(p) + "." + parts[2] }
	for name, c := range map[string]struct{ raw, want string }{
		"empty":                        {"", "token: it is empty"},
		"one part":                     {"undefined", "it has 1 parts"},
		"two parts":                    {"a.b", "it has 2 parts"},
		"four parts":                   {good + ".x", "it has 4 parts"},
		"an encrypted token":           {"a.b.c.d.e", "an encrypted token"},
		"too long":                     {strings.Repeat("a", MaxToken+1), "more than 65536"},
		"padded header":                {parts[0] + "=." + parts[1] + "." + parts[2], "header: it is padded"},
		"standard base64":              {parts[0] + "." + parts[1] + "+." + parts[2], "payload: it is standard base64"},
		"line break":                   {good + "\n", "signature: it holds a line break"},
		"no signature":                 {parts[0] + "." + parts[1] + ".", "signature: it is empty"},
		"stray bits in the signature":  {stray(good), "signature: it is not base64url"},
		"header no JSON":               {head("x"), "header: at byte 0: not a JSON object"},
		"header an array":              {head("[]"), "header: at byte 0: not a JSON object"},
		"payload a string":             {load(`"x"`), "payload: at byte 0: not a JSON object"},
		"payload not closed":           {load(`{"a":1`), "ends too early"},
		"payload with a tail":          {load(`{} {}`), "text after the JSON object"},
		"payload with a bad number":    {load(`{"a":01}`), "a comma or a closing bracket"},
		"payload with bad UTF-8":       {load("{\"a\":\"\xff\"}"), "not UTF-8"},
		"payload with a surrogate":     {load(`{"a":"\ud800"}`), "a surrogate stands alone"},
		"payload nested deeply":        {load(`{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`), "nested too deeply"},
		"duplicate claim":              {load(`{"sub":"a","sub":"b"}`), `payload: member "sub" occurs twice`},
		"duplicate claim by escape":    {load(`{"sub":"a","\u0073ub":"b"}`), `payload: member "sub" occurs twice`},
		"duplicate in a nested object": {load(`{"t":{"k":1,"k":2}}`), `member "t.k" occurs twice`},
		"duplicate alg":                {head(`{"alg":"ES256","alg":"none"}`), `header: member "alg" occurs twice`},
		"alg missing":                  {head(`{"typ":"JWT"}`), "alg is missing"},
		"alg a number":                 {head(`{"alg":256}`), "alg is not a string"},
		"crit":                         {head(`{"alg":"ES256","crit":["exp"]}`), "crit asks for"},
		"empty crit":                   {head(`{"alg":"ES256","crit":[]}`), "crit asks for"},
		"unencoded payload":            {head(`{"alg":"ES256","b64":false}`), "b64 asks for"},
	} {
		tok := Parse(c.raw)
		if tok.OK() || !strings.Contains(tok.Err().Error(), c.want) {
			t.Errorf("%s: %v, want …%s…", name, tok.Err(), c.want)
		}
		if err := Verify(tok, keys().p256.Public(), Algorithms); !errors.Is(err, ErrForm) {
			t.Errorf("%s: Verify gives %v", name, err)
		}
	}
}

// stray sets a bit after the end of the last byte: ES256 signatures have 64 bytes, 86 characters, 4 bits over.
func stray(raw string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, raw[len(raw)-1])
	return raw[:len(raw)-1] + string(alphabet[last|1])
}

func TestABrokenTokenStillShowsItsClaims(t *testing.T) {
	t.Parallel()
	tok := Parse(b64(`{"alg":"none"}`) + "." + b64(claims) + ".")
	if tok.OK() || tok.Claims["iss"] != "https://issuer.example" || tok.Algorithm() != "none" {
		t.Errorf("%+v", tok)
	}
	if tok = Parse(b64(`{"alg":"RS256"}`) + "." + b64(claims)); tok.OK() || tok.Header["alg"] != "RS256" {
		t.Errorf("%+v", tok)
	}
}

func TestForgedTokensDoNotVerify(t *testing.T) {
	t.Parallel()
	k := keys()
	der, err := x509.MarshalPKIXPublicKey(k.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	mac := func(alg string) string {
		signed := b64(`{"alg":"`+alg+`","kid":"k1"}`) + "." + b64(claims)
		m := hmac.New(sha256.New, der)
		m.Write([]byte(signed))
		return signed + "." + b64(string(m.Sum(nil)))
	}
	good := sampleToken(t, RS256)
	parts := strings.Split(good, ".")
	ec := strings.Split(sampleToken(t, ES256), ".")
	for name, c := range map[string]struct {
		raw  string
		key  crypto.PublicKey
		want error
	}{
		"none":                                       {b64(`{"alg":"none"}`) + "." + b64(claims) + "." + parts[2], k.rsa.Public(), ErrAlgorithm},
		"None in another case":                       {b64(`{"alg":"nOnE"}`) + "." + b64(claims) + "." + parts[2], k.rsa.Public(), ErrAlgorithm},
		"HS256 with the public key as secret":        {mac("HS256"), k.rsa.Public(), ErrAlgorithm},
		"an HMAC that calls itself RS256":            {mac("RS256"), k.rsa.Public(), ErrSignature},
		"rs256 in lower case":                        {b64(`{"alg":"rs256"}`) + "." + b64(claims) + "." + parts[2], k.rsa.Public(), ErrAlgorithm},
		"another claim":                              {parts[0] + "." + b64(strings.Replace(claims, "s<1>", "s<2>", 1)) + "." + parts[2], k.rsa.Public(), ErrSignature},
		"another header":                             {b64(`{"alg":"RS256","kid":"k2"}`) + "." + parts[1] + "." + parts[2], k.rsa.Public(), ErrSignature},
		"another hash":                               {b64(`{"kid":"k1","typ":"JWS","alg":"RS512"}`) + "." + parts[1] + "." + parts[2], k.rsa.Public(), ErrSignature},
		"PSS in place of PKCS #1":                    {b64(`{"kid":"k1","typ":"JWS","alg":"PS256"}`) + "." + parts[1] + "." + parts[2], k.rsa.Public(), ErrSignature},
		"another RSA key":                            {good, k.otherRSA.Public(), ErrSignature},
		"an EC key":                                  {good, k.p256.Public(), ErrKey},
		"another curve":                              {strings.Join(ec, "."), k.p384.Public(), ErrKey},
		"a shortened EC signature":                   {ec[0] + "." + ec[1] + "." + ec[2][:84], k.p256.Public(), ErrSignature},
		"an EC signature of zeros":                   {ec[0] + "." + ec[1] + "." + b64(strings.Repeat("\x00", 64)), k.p256.Public(), ErrSignature},
		"an Ed25519 token with the wrong key length": {sampleToken(t, EdDSA), ed25519.PublicKey{1, 2}, ErrKey},
		"a key of no known type":                     {good, "secret", ErrKey},
		"a key pointer of nil type":                  {good, nil, ErrKey},
	} {
		if err := Verify(Parse(c.raw), c.key, append([]string{"none", "HS256", "nOnE", "rs256"}, Algorithms...)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := Verify(Parse(good), k.rsa.Public(), []string{RS512}); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("an algorithm outside the list: %v", err)
	}
	if err := Verify(Parse(good), k.rsa.Public(), nil); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("an empty list: %v", err)
	}
}

func TestKeysInHeadersAreNamedAndNotUsed(t *testing.T) {
	t.Parallel()
	// An attacker signs with his own key and brings it along.
	j, err := Publish("evil", keys().otherRSA.Public(), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := Sign(Header{{"alg", RS256}, {"jwk", j}, {"jku", "https://evil.example/keys"}, {"x5u", "https://evil.example/cert"}, {"x5c", "one string"}},
		[]byte(claims), keys().otherRSA, RS256, nil)
	if err != nil {
		t.Fatal(err)
	}
	tok := Parse(raw)
	if want := []string{"jku", "jwk", "x5c", "x5u"}; !tok.OK() || !cmp.Equal(tok.KeyHeaders, want) {
		t.Errorf("%v, %q", tok.Err(), tok.KeyHeaders)
	}
	if err := Verify(tok, keys().rsa.Public(), Algorithms); !errors.Is(err, ErrSignature) {
		t.Errorf("Verify gives %v", err)
	}
}

func TestThumbprintsAreReadInEverySpelling(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("a certificate?>"))
	sha1 := sum[:20]
	for name, c := range map[string]struct {
		header string
		want   []byte
	}{
		"x5t#S256":                          {`"x5t#S256":"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`, sum[:]},
		"x5t#S256 as MSAL for Go writes it": {`"x5t#S256":"` + base64.StdEncoding.EncodeToString(sum[:]) + `"`, sum[:]},
		"x5t as MSAL for Python writes it":  {`"x5t":"` + base64.URLEncoding.EncodeToString(sha1) + `"`, sha1},
		"the stronger of both":              {`"x5t":"` + base64.URLEncoding.EncodeToString(sha1) + `","x5t#S256":"` + base64.StdEncoding.EncodeToString(sum[:]) + `"`, sum[:]},
		"a wrong length":                    {`"x5t":"AAAA"`, nil},
		"none":                              {`"kid":"k"`, nil},
	} {
		tok := Parse(b64(`{"alg":"RS256",`+c.header+`}`) + "." + b64("{}") + ".AAAA")
		if got := tok.Thumbprint(); !cmp.Equal(got, c.want) {
			t.Errorf("%s: %x, want %x", name, got, c.want)
		}
	}
}
