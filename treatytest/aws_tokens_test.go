package treatytest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// STS's words for tokens (recorded in September 2026).
const (
	noJWT      = "InvalidIdentityToken: The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
	noKey      = "InvalidIdentityToken: Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
	unproved   = "InvalidIdentityToken: The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements."
	unpinned   = "InvalidIdentityToken: OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
	untrusted  = "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
	badTime    = "InvalidIdentityToken: Invalid timestamp in token claims."
	manyAud    = "InvalidIdentityToken: Token audience contains more than one audience while authorized party is not present"
	unexpected = "InternalFailure: Unknown error validating third-party token"
)

func lacks(claim string) string { return "InvalidIdentityToken: Missing a required claim: " + claim }

// webWorld is a world with an honest issuer and a role for its user.
type webWorld struct {
	*awsWorld
	host *realms
	good *realm
	evil *realm // of the same host, registered as well, and trusted by no role
	role string
}

func newWebWorld(t *testing.T) *webWorld {
	t.Helper()
	w := &webWorld{awsWorld: newAWSWorld(t)}
	w.host = newRealms(t, w.awsWorld)
	w.good = w.host.issuer("good", goodKey(), "app", "second", "api://x")
	w.evil = w.host.issuer("evil", evilKey(), "app")
	w.role = w.AddRole("web", admits(w.good.arn, `{"StringEquals":{"`+w.good.name+`:sub":["user","42"]}}`))
	return w
}

func TestTokensForgedAndBentAreRefusedInTheCloudsWords(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	good, evil, now := w.good, w.evil, w.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	try := func(name, want, token string) attack {
		return attack{name, want, func() error { return w.web(w.role, token) }}
	}
	bent := func(name, want string, claims m) attack { return try(name, want, good.token(now, claims)) }
	headed := func(name, want string, header m) attack {
		return try(name, want, good.sign(with(m{"alg": "RS256", "kid": good.kid}, header), good.claims(now)))
	}
	mine := func(header m) string { // signed by the attacker, who claims to be the honest issuer
		return evil.sign(with(m{"alg": "RS256", "kid": good.kid}, header), good.claims(now))
	}
	fine := good.token(now)
	h, p, s := parts(fine)
	withstand(t, 60, []attack{
		try("the honest token is taken", "", fine),
		try("and again: until its expiry a token may be replayed", "", fine),
		try("no token", noJWT, "undefined"),
		try("two parts", noJWT, h+"."+p),
		try("four parts", noJWT, fine+".x"),
		try("no signature", noJWT, h+"."+p+"."),
		try("a line break within", noJWT, h+"."+p+".\n"+s),
		try("padded base64", noJWT, h+"=."+p+"."+s),
		try("a token longer than the model admits", "ValidationError", good.token(now, m{"x": strings.Repeat("a", 20000)})),
		try("claims nested too deep", noJWT, good.token(now, m{"x": json.RawMessage(strings.Repeat("[", 200) + strings.Repeat("]", 200))})),
		try("a second sub hidden before the first", noJWT, good.signRaw(raw(m{"alg": "RS256", "kid": good.kid}), `{"sub":"admin",`+raw(good.claims(now))[1:])),
		headed("alg none over a good signature", noJWT, m{"alg": "none"}),
		try("alg none without a signature", noJWT, b64.EncodeToString([]byte(`{"alg":"none"}`))+"."+p+"."),
		headed("alg None with a capital", unproved, m{"alg": "None"}),
		headed("alg in lower case", unproved, m{"alg": "rs256"}),
		headed("no alg", noJWT, m{"alg": nil}),
		try("HS256 keyed with the public key", unproved, good.confused(now)),
		headed("PS256", unproved, m{"alg": "PS256"}),
		headed("RS512 named over an RS256 signature", unproved, m{"alg": "RS512"}),
		headed("ES256 named for an RSA key", unproved, m{"alg": "ES256"}),
		headed("an extension that must be understood", noJWT, m{"crit": []string{"exp"}, "exp": 1}),
		headed("an unencoded payload", noJWT, m{"b64": false}),
		headed("no kid, and one key", "", m{"kid": nil}),
		headed("an empty kid, and one key", "", m{"kid": ""}),
		headed("a kid that climbs", noKey, m{"kid": "../../etc/passwd"}),
		headed("a kid that is a URL", noKey, m{"kid": evil.issuer + "/keys"}),
		headed("a kid in another case", noKey, m{"kid": "K1"}),
		headed("a kid with a null character", noKey, m{"kid": "k1\x00"}),
		try("claims changed after signing", unproved, h+"."+b64.EncodeToString([]byte(raw(good.claims(now, m{"sub": "admin"}))))+"."+s),
		try("another token's signature", unproved, h+"."+p+"."+last(good.token(now, m{"x": 1}))),
		try("signed by another issuer of the same host under the right kid", unproved, mine(nil)),
		try("with the attacker's own key in the header", unproved, mine(m{"jwk": jwkOf(good.kid, &evil.key.PublicKey)})),
		try("with a jku that leads to the attacker's keys", unproved, mine(m{"jku": evil.issuer + "/keys"})),
		try("with an x5u", unproved, mine(m{"x5u": evil.issuer + "/keys"})),
		try("with an x5c", unproved, mine(m{"x5c": []string{"MIIB"}})),
		headed("the honest key with a jku that nobody follows", "", m{"jku": evil.issuer + "/keys"}),
		try("of another registered issuer, whom the role does not trust", untrusted, evil.token(now)),
		bent("no iss", lacks("iss"), m{"iss": nil}),
		bent("no sub", lacks("sub"), m{"sub": nil}),
		bent("no aud", lacks("aud"), m{"aud": nil}),
		bent("no exp", lacks("exp"), m{"exp": nil}),
		bent("no iat", lacks("iat"), m{"iat": nil}),
		bent("an issuer that nobody registered", unproved, m{"iss": "https://evil.example"}),
		bent("the issuer with a trailing slash", unproved, m{"iss": good.issuer + "/"}),
		bent("the issuer's scheme in capitals", unproved, m{"iss": strings.ToUpper(good.issuer[:8]) + good.issuer[8:]}),
		bent("the issuer's name in another case", unproved, m{"iss": w.host.URL + "/GOOD"}),
		bent("the issuer by http", unproved, m{"iss": "http" + good.issuer[5:]}),
		bent("the issuer without its scheme", unproved, m{"iss": good.name}),
		bent("the issuer behind another's name", unproved, m{"iss": "https://evil.example@" + good.name}),
		bent("the issuer below another path", unproved, m{"iss": w.host.URL + "/evil/../good"}),
		bent("the issuer with a query", unproved, m{"iss": good.issuer + "?x"}),
		bent("the issuer in a list", lacks("iss"), m{"iss": []string{good.issuer}}),
		bent("expired by five minutes", "ExpiredTokenException: Token expired: current date/time "+raw(at(-5*time.Minute))+" must be before the expiration date/time "+raw(at(-5*time.Minute)), m{"exp": at(-5 * time.Minute)}),
		bent("expired by a second less", "", m{"exp": at(-299 * time.Second)}),
		bent("an expiry in text", "", m{"exp": raw(at(time.Hour))}),
		bent("an expiry with a fraction", badTime, m{"exp": float64(at(time.Hour)) + .5}),
		bent("an expiry past all numbers", badTime, m{"exp": json.RawMessage("1e400")}),
		bent("an expiry in a list", badTime, m{"exp": []int64{at(time.Hour)}}),
		bent("not valid yet", "InvalidIdentityToken: Token not yet valid: current date/time "+raw(at(5*time.Minute))+" must be after or equal to the not-before date/time "+raw(at(time.Hour)), m{"nbf": at(time.Hour)}),
		bent("issued in the future", "InvalidIdentityToken: Token issued in the future: "+raw(at(time.Hour)), m{"iat": at(time.Hour)}),
		bent("a null time of issue", badTime, m{"iat": json.RawMessage("null")}),
		bent("an audience that is not registered", unproved, m{"aud": "other"}),
		bent("an audience in another case", unproved, m{"aud": "App"}),
		bent("an audience with a slash more", unproved, m{"aud": "api://x/"}),
		bent("an audience that begins like a registered one", unproved, m{"aud": "application"}),
		bent("an empty list of audiences", "InvalidIdentityToken: Claim is not allowed to be empty: aud", m{"aud": []string{}}),
		bent("a number as audience", "InvalidIdentityToken", m{"aud": 1}),
		bent("one audience in a list", "", m{"aud": []string{"app"}}),
		bent("two registered audiences", manyAud, m{"aud": []string{"app", "second"}}),
		bent("a registered audience hidden behind another", manyAud, m{"aud": []string{"evil", "app"}}),
		bent("a foreign audience that an authorized party makes good", "", m{"aud": "evil", "azp": "app"}),
		bent("a registered audience with a foreign authorized party", unproved, m{"azp": "evil"}),
		bent("an empty authorized party", unproved, m{"azp": ""}),
		bent("an authorized party in a list", unproved, m{"azp": []string{"app"}}),
		bent("an authorized party that is null", "", m{"azp": json.RawMessage("null")}),
		bent("a null subject", unexpected, m{"sub": json.RawMessage("null")}),
		bent("a subject in a list", unexpected, m{"sub": []string{"user"}}),
		bent("a subject that is a number counts as its text", "", m{"sub": 42}),
		bent("a subject in another case", untrusted, m{"sub": "User"}),
		bent("a subject with a space", untrusted, m{"sub": "user "}),
		bent("a subject with a wildcard", untrusted, m{"sub": "*"}),
		bent("a subject in Unicode that looks the same", untrusted, m{"sub": "usеr"}), // a Cyrillic е
		bent("no roles named is no restriction", "", m{"https://aws.amazon.com/roles": nil}),
		bent("the role named", "", m{"https://aws.amazon.com/roles": []string{w.role}}),
		bent("another role named", "InvalidIdentityToken: The target role ARN is not present in the roles claim of the identity token", m{"https://aws.amazon.com/roles": []string{w.role + "x"}}),
		bent("an empty list of roles", "InvalidIdentityToken: The target role ARN is not present in the roles claim of the identity token", m{"https://aws.amazon.com/roles": []string{}}),
		bent("the role in other letters", "InvalidIdentityToken", m{"https://aws.amazon.com/roles": strings.ToUpper(w.role)}),
		{"a provider id beside an OpenID token", "AccessDenied: Unrecognized OAuth provider. Do not include a provider parameter when submitting OpenIDConnect ID tokens", func() error { return w.web(w.role, fine, "ProviderId", good.issuer) }},
		{"an opaque token of Amazon's", "InvalidIdentityToken: Provided Token is not a Login With Amazon token", func() error { return w.web(w.role, fine, "ProviderId", "www.amazon.com") }},
		{"an opaque token of Facebook's", "IDPRejectedClaim", func() error { return w.web(w.role, fine, "ProviderId", "graph.facebook.com") }},
		{"a role that is not there says no more than one that does not trust", untrusted, func() error { return w.web(w.role+"none", fine) }},
		{"the role's name in other letters", untrusted, func() error { return w.web("arn:aws:iam::"+home+":role/WEB", fine) }},
		{"the role with a path that it has not", untrusted, func() error { return w.web("arn:aws:iam::"+home+":role/x/web", fine) }},
		{"the role in another partition", untrusted, func() error { return w.web("arn:aws-cn:iam::"+home+":role/web", fine) }},
		{"a role of an account where the issuer is not registered", unproved, func() error { return w.web("arn:aws:iam::"+away+":role/web", fine) }},
		{"a role of an account that is not there", unproved, func() error { return w.web("arn:aws:iam::999999999999:role/web", fine) }},
		{"no role at all", "ValidationError: arn:aws:iam::123456789012:user/web is invalid", func() error { return w.web("arn:aws:iam::"+home+":user/web", fine) }},
	})
	if n := evil.fetched.Load(); n != 2 { // its own token, once: configuration and keys
		t.Errorf("the attacker's documents were asked for %d times", n)
	}
}

func TestPoisonedIssuersGiveNoKey(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	now, key := w.Now(), w.good.key
	away := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(rw).Encode(m{"keys": []m{jwkOf("k1", &w.evil.key.PublicKey), jwkOf("k1", &key.PublicKey)}})
	}))
	t.Cleanup(away.Close)
	answer := func(v any) func(http.ResponseWriter, *http.Request) {
		return func(rw http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(rw).Encode(v) }
	}
	var attacks []attack
	issuer := func(name, want string, prepare func(x *realm)) {
		id := strings.ReplaceAll(name, " ", "-")
		x := w.host.issuer(id, key, "app")
		prepare(x)
		role := w.AddRole("r"+raw(len(attacks)), admits(x.arn, `{"StringEquals":{"`+x.name+`:sub":"user"}}`))
		attacks = append(attacks, attack{name, want, func() error { return w.web(role, x.token(now)) }})
	}
	keys := func(name, want string, set ...m) {
		issuer(name, want, func(x *realm) { x.keys = answer(m{"keys": set}) })
	}
	config := func(name, want string, change func(x *realm) m) {
		issuer(name, want, func(x *realm) {
			x.config = answer(with(m{"issuer": x.issuer, "jwks_uri": x.issuer + "/keys"}, change(x)))
		})
	}
	good, other := jwkOf("k1", &key.PublicKey), jwkOf("k1", &w.evil.key.PublicKey)
	many := make([]m, 101)
	for i := range many {
		many[i] = jwkOf("n"+raw(i), &w.evil.key.PublicKey)
	}
	many[100] = good
	keys("the honest key among others", "", jwkOf("k0", &w.evil.key.PublicKey), good)
	keys("another key of the same kid after it", unproved, good, other)
	keys("another key of the same kid before it", "", other, good)
	keys("a key for encryption", noKey, with(m{}, good, m{"use": "enc"}))
	keys("a key with operations", noKey, with(m{}, good, m{"key_ops": []string{"verify"}}))
	keys("a key without kid", noKey, with(m{}, good, m{"kid": nil}))
	keys("a key whose chain is another's", noKey, with(m{}, good, m{"x5c": []string{"MIIB"}}))
	keys("a symmetric key of that kid", noKey, m{"kty": "oct", "kid": "k1", "k": "AAAA"})
	keys("a modulus of 512 bits", noKey, m{"kty": "RSA", "kid": "k1", "n": b64.EncodeToString(key.N.Bytes()[:64]), "e": "AQAB"})
	keys("an exponent of one", noKey, with(m{}, good, m{"e": "AQ"}))
	keys("more than a hundred keys", noKey, many...)
	keys("no keys", noKey)
	issuer("keys of half a megabyte", noKey, func(x *realm) {
		x.keys = func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = rw.Write([]byte(`{"keys":[` + raw(good) + `],"x":"` + strings.Repeat("x", 600<<10) + `"}`))
		}
	})
	issuer("keys that are no JSON", noKey, func(x *realm) {
		x.keys = func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>")) }
	})
	issuer("keys that never come", noKey, func(x *realm) {
		x.keys = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	})
	issuer("keys that are elsewhere now", noKey, func(x *realm) {
		x.keys = func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, away.URL, http.StatusFound) }
	})
	issuer("keys that moved on the host", "", func(x *realm) {
		x.keys = func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery != "" {
				answer(m{"keys": []m{good}})(rw, r)
				return
			}
			http.Redirect(rw, r, x.issuer+"/keys?moved", http.StatusFound)
		}
	})
	issuer("keys that move in a circle", noKey, func(x *realm) {
		x.keys = func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, x.issuer+"/keys", http.StatusFound)
		}
	})
	config("a document of another issuer", noKey, func(*realm) m { return m{"issuer": w.good.issuer} })
	config("a document whose issuer has a slash more", noKey, func(x *realm) m { return m{"issuer": x.issuer + "/"} })
	config("a document whose issuer is in other letters", noKey, func(x *realm) m { return m{"issuer": strings.ToUpper(x.issuer)} })
	config("a document without issuer", noKey, func(*realm) m { return m{"issuer": nil} })
	config("keys by http", noKey, func(*realm) m { return m{"jwks_uri": "http" + w.host.URL[5:] + "/good/keys"} })
	config("keys in a file", noKey, func(*realm) m { return m{"jwks_uri": "file:///etc/passwd"} })
	config("keys at a private address", noKey, func(*realm) m { return m{"jwks_uri": "https://10.0.0.1/keys"} })
	config("keys at the machine's metadata", noKey, func(*realm) m { return m{"jwks_uri": "https://169.254.169.254/latest"} })
	config("keys behind a password", noKey, func(*realm) m { return m{"jwks_uri": "https://a:b@" + w.good.name + "/keys"} })
	config("keys of another host that nothing vouches for", unpinned, func(*realm) m { return m{"jwks_uri": stranger(t)} })
	config("keys of another host that the thumbprint vouches for", "", func(*realm) m { return m{"jwks_uri": away.URL} })
	config("no address of keys", noKey, func(*realm) m { return m{"jwks_uri": nil} })
	config("keys of the honest issuer", "", func(*realm) m { return m{"jwks_uri": w.good.issuer + "/keys"} })
	// Providers that do not vouch for the host.
	unknown := func(name, want string, thumbprints []string) {
		x := w.host.issuer(strings.ReplaceAll(name, " ", "-"), key)
		w.host.register(w.root, x.issuer, thumbprints, "app")
		role := w.AddRole("r"+raw(len(attacks)), admits(x.arn, `{"StringEquals":{"`+x.name+`:sub":"user"}}`))
		attacks = append(attacks, attack{name, want, func() error { return w.web(role, x.token(now)) }})
	}
	unknown("a wrong thumbprint", unpinned, []string{strings.Repeat("0", 40)})
	unknown("no thumbprint and no authority", unpinned, nil)
	unknown("the thumbprint in capitals", "", []string{strings.ToUpper(w.host.thumbprint)})
	withstand(t, 30, attacks)
}

// stranger is a host of keys with a certificate of its own.
func stranger(t *testing.T) string {
	t.Helper()
	key := newKey()
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

// What a registered thumbprint of one account vouches for, it vouches for in that account alone.
func TestAnotherAccountsThumbprintVouchesForNobodyHere(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	x := w.host.issuer("shared", w.good.key, "app")
	w.host.register(w.away, x.issuer, []string{strings.Repeat("0", 40)}, "app")
	theirs := strings.Replace(x.arn, home, away, 1)
	here := w.AddRole("here", admits(x.arn, `{"StringEquals":{"`+x.name+`:sub":"user"}}`))
	there, document := "there", admits(theirs, `{"StringEquals":{"`+x.name+`:sub":"user"}}`)
	_, err := w.iam(w.away).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &there, AssumeRolePolicyDocument: &document})
	w.must(err)
	mixed := w.AddRole("mixed", admits(theirs, `{"StringEquals":{"`+x.name+`:sub":"user"}}`))
	token := x.token(w.Now())
	withstand(t, 4, []attack{
		{"with this account's thumbprint", "", func() error { return w.web(here, token) }},
		{"with the other account's wrong one, though the keys are known here", unpinned, func() error { return w.web("arn:aws:iam::"+away+":role/there", token) }},
		{"a role here that trusts the other account's provider", untrusted, func() error { return w.web(mixed, token) }},
		{"here again", "", func() error { return w.web(here, token) }},
	})
}

func TestATokenIsGoodUntilItsExpiryAndItsSessionOutlivesIt(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	token := w.good.token(w.Now(), m{"exp": w.Now().Add(time.Minute).Unix()})
	out, err := w.AssumeWithToken(w.role, token)
	w.must(err)
	if want := w.Now().Add(time.Hour); !out.Credentials.Expiration.Equal(want) {
		t.Errorf("the session ends at %s, want %s", out.Credentials.Expiration, want)
	}
	w.Advance(5 * time.Minute)
	w.must(w.web(w.role, token))
	w.Advance(time.Minute)
	if got := said(w.web(w.role, token)); !strings.HasPrefix(got, "ExpiredTokenException: Token expired: current date/time ") {
		t.Errorf("%s", got)
	}
	form := url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}}
	session := w.temporary(out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey, out.Credentials.SessionToken)
	w.must(w.call(session, "sts", form))
	w.Advance(time.Hour)
	if got := said(w.call(session, "sts", form)); got != "ExpiredToken: The security token included in the request is expired" {
		t.Errorf("%s", got)
	}
}

// Tokens that this server itself issues are no better than others.
func TestOwnTokensAreTakenOnlyWhereTheyAreMeantTo(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	ctx, now := t.Context(), w.Now()
	mine, other := w.AddPool("mine", "my.dev.provider"), w.AddPool("other", "my.dev.provider")
	pools := w.pools(w.root)
	_, err := pools.UpdateIdentityPool(ctx, &cognitoidentity.UpdateIdentityPoolInput{IdentityPoolId: &mine.ID, IdentityPoolName: aws.String("mine"), DeveloperProviderName: &mine.DeveloperProvider, AllowUnauthenticatedIdentities: true})
	w.must(err)
	guest, err := pools.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: &mine.ID})
	w.must(err)
	guestToken, err := pools.GetOpenIdToken(ctx, &cognitoidentity.GetOpenIdTokenInput{IdentityId: guest.IdentityId})
	w.must(err)
	identity, token := w.DeveloperToken(mine, "user")
	_, foreign := w.DeveloperToken(other, "user")
	const cognito = "cognito-identity.amazonaws.com"
	amr := `"ForAnyValue:StringLike":{"` + cognito + `:amr":"authenticated"}`
	role := w.AddRole("pool", admits(cognito, `{"StringEquals":{"`+cognito+`:aud":"`+mine.ID+`"},`+amr+`}`))
	one := w.AddRole("one", admits(cognito, `{"StringEquals":{"`+cognito+`:aud":"`+mine.ID+`","`+cognito+`:sub":"`+identity+`"}}`))
	kid, key := w.signingKey("cognito-identity/us-east-1")
	f := forge{key: key, kid: kid, now: now, pool: mine.ID, ident: identity}
	stranger := forge{key: w.evil.key, kid: kid, now: now, pool: mine.ID, ident: identity}
	entraKid, entraKey := w.signingKey("entra")
	graph := w.AdminToken(w.GraphURL)
	issuer := claimsOf(t, graph)["iss"].(string)
	entra := w.host.register(w.root, issuer, nil, "api://x")
	entraName := strings.TrimPrefix(issuer, "https://")
	api := w.AddRole("entra", admits(entra, `{"StringEquals":{"`+entraName+`:aud":"api://x"}}`))
	w.must(enableOutbound(ctx, w.awsWorld))
	own, err := w.sts(w.root).GetWebIdentityToken(ctx, &sts.GetWebIdentityTokenInput{Audience: []string{"app"}, SigningAlgorithm: aws.String("RS256")})
	w.must(err)
	create := func(trust string) func() error {
		return func() error {
			_, err := w.iam(w.root).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("never"), AssumeRolePolicyDocument: &trust})
			return err
		}
	}
	must := "MalformedPolicyDocument: Trust policy with trusted principal " + cognito + " must evaluate, using StringEquals, StringLike or StringEqualsIgnoreCase, " + cognito + ":aud which is not scoped to all."
	withstand(t, 25, []attack{
		{"the pool's own token", "", func() error { return w.web(role, token) }},
		{"forged with the real key", "", func() error { return w.web(role, f.token()) }},
		{"another pool's token", untrusted, func() error { return w.web(role, foreign) }},
		{"a guest's token for the authenticated role", untrusted, func() error { return w.web(role, *guestToken.Token) }},
		{"a guest's token for one identity's role", untrusted, func() error { return w.web(one, *guestToken.Token) }},
		{"another user's token for one identity's role", untrusted, func() error {
			_, token := w.DeveloperToken(mine, "somebody else")
			return w.web(one, token)
		}},
		{"a stranger's key under the real kid", unproved, func() error { return w.web(role, stranger.token()) }},
		{"Entra's key under the pool's kid", unproved, func() error {
			f := f
			f.key = entraKey
			return w.web(role, f.token())
		}},
		{"Entra's key under its own kid", noKey, func() error {
			f := f
			f.key, f.kid = entraKey, entraKid
			return w.web(role, f.token())
		}},
		{"the pool's issuer with a slash", unproved, func() error { return w.web(role, f.token(m{"iss": "https://" + cognito + "/"})) }},
		{"the pool's issuer with its port", unproved, func() error { return w.web(role, f.token(m{"iss": "https://" + cognito + ":443"})) }},
		{"the pool in an audience of two", manyAud, func() error { return w.web(role, f.token(m{"aud": []string{mine.ID, other.ID}})) }},
		{"the pool as authorized party of another's token is the issuer's word", "", func() error { return w.web(role, f.token(m{"aud": other.ID, "azp": mine.ID})) }},
		{"a foreign issuer that says it is the pool's audience", unproved, func() error { return w.web(role, w.good.token(now, m{"aud": mine.ID})) }},
		{"a token of STS itself", unproved, func() error { return w.web(w.role, *own.WebIdentityToken) }},
		{"a token of STS's issuer by a stranger", unproved, func() error {
			return w.web(w.role, w.good.token(now, m{"iss": claimsOf(t, *own.WebIdentityToken)["iss"]}))
		}},
		{"a Graph token of the registered tenant, for another audience", unproved, func() error { return w.web(api, graph) }},
		{"a Graph token with the audience changed", unproved, func() error {
			return w.web(api, resign(t, graph, "RS256", entraKid, w.evil.key, m{"aud": "api://x"}))
		}},
		{"a token of the tenant for the registered audience", "", func() error {
			return w.web(api, resign(t, graph, "RS256", entraKid, entraKey, m{"aud": "api://x"}))
		}},
		{"a token of another tenant", unproved, func() error {
			return w.web(api, resign(t, graph, "RS256", entraKid, entraKey, m{"aud": "api://x", "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000001/"}))
		}},
		{"a role that forgets the pool", "MalformedPolicyDocument", create(admits(cognito, `{"ForAnyValue:StringLike":{"`+cognito+`:amr":"authenticated"}}`))},
		{"a role without conditions", "MalformedPolicyDocument: A condition block must be present for the Cognito provider", create(doc(`"Effect":"Allow","Principal":{"Federated":"` + cognito + `"},"Action":"sts:AssumeRoleWithWebIdentity"`))},
		{"a role for every pool", must, create(admits(cognito, `{"StringLike":{"`+cognito+`:aud":"*"}}`))},
		{"a role for every pool beside mine", must, create(admits(cognito, `{"StringLike":{"`+cognito+`:aud":["`+mine.ID+`","*"]}}`))},
		{"a role for the pool if there is one", must, create(admits(cognito, `{"StringEqualsIfExists":{"`+cognito+`:aud":"`+mine.ID+`"}}`))},
		{"a role for all pools but one", must, create(admits(cognito, `{"StringNotEquals":{"`+cognito+`:aud":"`+other.ID+`"}}`))},
		{"a second statement that forgets the pool", "MalformedPolicyDocument", create(doc(
			`"Effect":"Allow","Principal":{"Federated":"`+cognito+`"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"`+cognito+`:aud":"`+mine.ID+`"}}`,
			`"Effect":"Allow","Principal":{"Federated":"`+cognito+`"},"Action":"sts:Assume*","Condition":{"StringEquals":{"`+cognito+`:sub":"x"}}`))},
		{"GitHub's issuer for every repository", "MalformedPolicyDocument", create(admits("arn:aws:iam::"+home+":oidc-provider/token.actions.githubusercontent.com", `{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"}}`))},
	})
}

func enableOutbound(ctx context.Context, w *awsWorld) error {
	_, err := w.iam(w.root).EnableOutboundWebIdentityFederation(ctx, &iam.EnableOutboundWebIdentityFederationInput{})
	return err
}
