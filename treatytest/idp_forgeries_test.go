package treatytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"maps"
	"strings"
	"time"
)

// bentBytes are tokens whose text is no token's.
func (p *product) bentBytes() []forgery {
	h, c, s := parts(p.honest)
	bits, err := b64.DecodeString(s)
	p.must(err)
	bits[10] ^= 1
	payload, header := raw(p.claims), raw(p.header)
	malformed := func(name, token string) forgery { return forgery{name, 50027, noJWT, token} }
	return []forgery{
		{"the honest token", 0, "", p.honest},
		{"and again: until its expiry a token may be replayed", 0, "", p.honest},
		{"a forged token with the real key", 0, "", p.token(nil, nil)},
		malformed("no JWT at all", "undefined"),
		malformed("two parts", h+"."+c),
		malformed("four parts", p.honest+".x"),
		malformed("no signature", h+"."+c+"."),
		malformed("a line break within", h+"."+c+".\n"+s),
		malformed("a header that is no base64url", "!!!."+c+"."+s),
		malformed("a payload that is no base64url", h+".!!!."+s),
		malformed("a signature that is no base64url", h+"."+c+".!!!"),
		malformed("padded base64", h+"=."+c+"."+s),
		malformed("a header that is no JSON", p.sign(p.key, "alg", payload)),
		malformed("a payload that is no JSON", p.sign(p.key, header, "iss")),
		malformed("a payload that is an array", p.sign(p.key, header, "[1]")),
		malformed("a payload with a second value behind it", p.sign(p.key, header, payload+"{}")),
		malformed("a payload that ends early", p.sign(p.key, header, `{"iss":"x"`)),
		malformed("a second iss before the first", p.sign(p.key, header, `{"iss":"https://evil.example",`+payload[1:])),
		malformed("a second sub before the first", p.sign(p.key, header, `{"sub":"admin",`+payload[1:])),
		malformed("a second alg before the first", p.sign(p.key, `{"alg":"none",`+header[1:], payload)),
		malformed("a payload nested too deep", p.token(nil, m{"x": json.RawMessage(strings.Repeat("[", 200) + strings.Repeat("]", 200))})),
		{"an oversized token", 9002313, "ValidationError", p.token(nil, m{"x": strings.Repeat("a", 100_000)})},
		{"a signature with one bit turned", 700027, unproved, h + "." + c + "." + b64.EncodeToString(bits)},
		{"the signature of another token", 700027, unproved, h + "." + c + "." + last(p.token(nil, m{"x": 1}))},
		{"claims changed after signing", 700027, unproved, h + "." + b64.EncodeToString([]byte(raw(with(maps.Clone(p.claims), m{"admin": true})))) + "." + s},
	}
}

// bentHeaders are tokens with a header that the issuer would not write.
func (p *product) bentHeaders() []forgery {
	headed := func(name string, entra int, sts string, header m) forgery {
		return forgery{name, entra, sts, p.token(header, nil)}
	}
	_, c, _ := parts(p.honest)
	kid := text(p.header, "kid")
	mine, jwk := p.evilKey()
	out := []forgery{
		headed("alg none over a good signature", 5002738, noJWT, m{"alg": "none"}),
		{"alg none without a signature", 50027, noJWT, b64.EncodeToString([]byte(`{"alg":"none"}`)) + "." + c + "."},
		headed("alg None with a capital", 5002738, unproved, m{"alg": "None"}),
		headed("alg in lower case", 5002738, unproved, m{"alg": strings.ToLower(p.alg)}),
		{"HS256 keyed with the public key", 5002738, unproved, p.confusedKey()},
		headed("no alg", 50027, noJWT, m{"alg": nil}),
		headed("an alg that is a number", 50027, noJWT, m{"alg": 512}),
		headed("a critical extension", 50027, noJWT, m{"crit": []string{"exp"}, "exp": 1}),
		headed("an unencoded payload", 50027, noJWT, m{"b64": false, "crit": []string{"b64"}}),
		headed("an unknown kid", 700027, noKey, m{"kid": "nobody's", "x5t": nil}),
		headed("a kid in other letters", 700027, noKey, m{"kid": strings.ToUpper(kid), "x5t": nil}),
		headed("a kid that climbs", 700027, noKey, m{"kid": "../../etc/passwd", "x5t": nil}),
		headed("a kid that is a URL", 700027, noKey, m{"kid": "https://evil.example/keys", "x5t": nil}),
		headed("the kid of Entra's ring", 700027, noKey, m{"kid": p.kidOf("entra"), "x5t": nil}),
		headed("no kid, where the issuer has a key of each kind", 0, noKey, m{"kid": nil}),
		{"signed by another key under the right kid", 700027, unproved, p.tokenBy(mine, nil, nil)},
		{"with the attacker's key in a jwk header", 700027, unproved, p.tokenBy(mine, m{"jwk": jwk}, nil)},
		{"with the attacker's key in a jwk header under a kid of its own", 700027, noKey, p.tokenBy(mine, m{"jwk": jwk, "kid": "mine", "x5t": nil}, nil)},
		{"with a jku that leads to the attacker's keys", 700027, unproved, p.tokenBy(mine, m{"jku": "https://evil.example/keys"}, nil)},
		{"with an x5u", 700027, unproved, p.tokenBy(mine, m{"x5u": "https://evil.example/cert"}, nil)},
		{"with an x5c", 700027, unproved, p.tokenBy(mine, m{"x5c": []string{"MIIB"}}, nil)},
		headed("the honest key with a jku that nobody follows", 0, "", m{"jku": "https://evil.example/keys"}),
		headed("the honest key with an x5u that nobody follows", 0, "", m{"x5u": "https://evil.example/cert"}),
	}
	for _, named := range append([]string{"RS384", "PS512", "ES384", "EdDSA"}, algorithms...) {
		if named == p.alg {
			continue
		}
		code := 5002738
		if strings.HasPrefix(named, "RS") {
			code = 700027
		}
		out = append(out, headed(named+" named over the signature", code, unproved, m{"alg": named}))
	}
	return out
}

// evilKey is a key of the attacker's, of the client's kind, with its JWK.
func (p *product) evilKey() (crypto.Signer, m) {
	if p.alg != "ES256" {
		return evilKey(), evil("mine")
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p.must(err)
	return k, m{"kty": "EC", "crv": "P-256", "kid": "mine", "x": b64.EncodeToString(k.X.FillBytes(make([]byte, 32))), "y": b64.EncodeToString(k.Y.FillBytes(make([]byte, 32)))}
}

// confusedKey has the public key for a shared secret.
func (p *product) confusedKey() string {
	public, err := x509.MarshalPKIXPublicKey(p.key.Public())
	p.must(err)
	h, c, _ := parts(p.token(m{"alg": "HS256"}, nil))
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(h + "." + c))
	return h + "." + c + "." + b64.EncodeToString(mac.Sum(nil))
}

func (w *awsWorld) kidOf(ring string) string {
	kid, _ := w.signingKey(ring)
	return kid
}

// bentNames are tokens with an issuer, a subject or an audience that is not the one trusted.
func (p *product) bentNames() []forgery {
	iss, sub := p.Issuer.URL, text(p.claims, "sub")
	host, path, _ := strings.Cut(strings.TrimPrefix(iss, "https://"), "/")
	slashed := iss + "/"
	if strings.HasSuffix(iss, "/") {
		slashed = strings.TrimSuffix(iss, "/")
	}
	bent := func(name string, entra int, sts string, claims m) forgery {
		return forgery{name, entra, sts, p.token(nil, claims)}
	}
	issuer := func(name, iss string) forgery { return bent(name, 700211, unproved, m{"iss": iss}) }
	// An authorized party takes the audience's place at STS.
	unheard, several := unproved, manyAud
	if p.claims["azp"] != nil {
		unheard, several = "", ""
	}
	empty := "InvalidIdentityToken: Claim is not allowed to be empty: aud"
	out := []forgery{
		bent("no iss", 90014, lacks("iss"), m{"iss": nil}),
		bent("no sub", 90014, lacks("sub"), m{"sub": nil}),
		bent("no aud", 90014, lacks("aud"), m{"aud": nil}),
		bent("no exp", 90014, lacks("exp"), m{"exp": nil}),
		bent("no iat", 0, lacks("iat"), m{"iat": nil}),
		bent("an empty iss", 90014, lacks("iss"), m{"iss": ""}),
		bent("an iss in a list", 90014, lacks("iss"), m{"iss": []string{iss}}),
		issuer("an issuer that nobody trusts", "https://evil.example"),
		issuer("an issuer in capitals", "https://"+strings.ToUpper(host)+"/"+path),
		issuer("an issuer with a slash more, or less", slashed),
		issuer("an issuer without https", strings.TrimPrefix(iss, "https://")),
		issuer("an issuer by http", "http"+iss[5:]),
		issuer("an issuer with a leading space", " "+iss),
		issuer("an issuer percent-encoded", strings.Replace(iss, ":", "%3A", 1)),
		issuer("an issuer with a query", iss+"?x"),
		issuer("an issuer with a fragment", iss+"#x"),
		issuer("an issuer behind another's name", "https://evil.example@"+strings.TrimPrefix(iss, "https://")),
		issuer("an issuer behind dot segments", "https://"+host+"/x/../"+path),
		issuer("an issuer with a dot behind its host", strings.Replace(iss, host, host+".", 1)),
		bent("an issuer with its port", 700211, noKey, m{"iss": strings.Replace(iss, host, host+":443", 1)}),
		bent("a subject with a trailing space", 700213, untrusted, m{"sub": sub + " "}),
		bent("a subject cut short", 700213, untrusted, m{"sub": sub[:len(sub)-1]}),
		bent("a subject with a wildcard", 700213, untrusted, m{"sub": sub[:len(sub)-1] + "*"}),
		bent("a subject that is a wildcard", 700213, untrusted, m{"sub": "*"}),
		bent("a subject with a null character", 700213, untrusted, m{"sub": sub + "\x00"}),
		bent("another's subject", 700213, untrusted, m{"sub": "somebody"}),
		bent("an empty subject", 90014, untrusted, m{"sub": ""}),
		bent("a null subject", 90014, unexpected, m{"sub": json.RawMessage("null")}),
		bent("a subject in a list", 700213, unexpected, m{"sub": []string{sub}}),
		bent("another audience", 700212, unheard, m{"aud": "api://other"}),
		bent("an audience in capitals", 700212, unheard, m{"aud": strings.ToUpper(audience)}),
		bent("an audience with a slash more", 700212, unheard, m{"aud": audience + "/"}),
		bent("audiences without the right one", 700212, several, m{"aud": []string{"a", "b"}}),
		bent("the right audience behind another", 0, several, m{"aud": []string{"other", audience}}),
		bent("the right audience in a list", 0, "", m{"aud": []string{audience}}),
		bent("no audience in a list", 90014, empty, m{"aud": []string{}}),
		bent("a number as audience", 90014, "InvalidIdentityToken", m{"aud": 1}),
		bent("a foreign authorized party", 0, unproved, m{"azp": "evil"}),
		bent("claims called like the keys of conditions", 700213, untrusted, m{"sub": "somebody", host + ":sub": sub}),
	}
	if upper := strings.ToUpper(sub); upper != sub {
		out = append(out, bent("a subject in capitals", 7002138, untrusted, m{"sub": upper}))
	}
	return out
}

// bentTimes are tokens that are not of now.
func (p *product) bentTimes() []forgery {
	at := func(d time.Duration) int64 { return p.Now().Add(d).Unix() }
	bent := func(name string, entra int, sts string, claims m) forgery {
		return forgery{name, entra, sts, p.token(nil, with(m{"nbf": nil}, claims))}
	}
	const expired, fine = "ExpiredTokenException", ""
	return []forgery{
		bent("expired six minutes ago", 700024, expired, m{"iat": at(-time.Hour), "exp": at(-6 * time.Minute)}),
		bent("expired just longer ago than is tolerated", 700024, expired, m{"iat": at(-time.Hour), "exp": at(-5 * time.Minute)}),
		bent("expired just within what is tolerated", 0, fine, m{"iat": at(-time.Hour), "exp": at(-299 * time.Second)}),
		bent("valid in six minutes", 700024, "InvalidIdentityToken", m{"nbf": at(6 * time.Minute)}),
		bent("valid in four minutes", 0, fine, m{"nbf": at(4 * time.Minute)}),
		bent("issued in an hour", 700024, "InvalidIdentityToken: Token issued in the future: "+raw(at(time.Hour)), m{"iat": at(time.Hour), "exp": at(2 * time.Hour)}),
		bent("an expiry of 1970", 700024, expired, m{"exp": 1}),
		bent("a negative expiry", 700024, expired, m{"exp": -1}),
		bent("an expiry past all numbers", 700024, badTime, m{"exp": json.RawMessage("1e400")}),
		bent("an expiry in a list", 700024, badTime, m{"exp": []int64{at(time.Hour)}}),
		bent("dates with fractions", 0, badTime, m{"iat": float64(at(0)) + .5, "exp": float64(at(time.Hour)) + .5}),
	}
}
