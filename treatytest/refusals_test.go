package treatytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"
)

// forge makes tokens that Cognito would not: it holds the region's real signing key.
type forge struct {
	key         *rsa.PrivateKey
	kid         string
	now         time.Time
	pool, ident string
	clientID    string
	tenant      string
}

var b64 = base64.RawURLEncoding

func (f forge) header(more ...map[string]any) map[string]any {
	return with(map[string]any{"kid": f.kid, "typ": "JWS", "alg": "RS512"}, more...)
}

func (f forge) claims(more ...map[string]any) map[string]any {
	return with(map[string]any{
		"iss": "https://cognito-identity.amazonaws.com", "sub": f.ident, "aud": f.pool,
		"amr": []string{"authenticated", "my.dev.provider"}, "iat": f.now.Unix(), "exp": f.now.Add(15 * time.Minute).Unix(),
	}, more...)
}

// with lays maps over one another; a nil value removes the member.
func with(base map[string]any, more ...map[string]any) map[string]any {
	for _, m := range more {
		maps.Copy(base, m)
	}
	maps.DeleteFunc(base, func(_ string, v any) bool { return v == nil })
	return base
}

type m = map[string]any

func raw(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// sign signs header and payload as given, well formed or not, with RSASSA-PKCS1-v1_5 and SHA-512.
func (f forge) sign(header, payload string) string {
	in := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	sum := sha512.Sum512([]byte(in))
	sig, err := rsa.SignPKCS1v15(rand.Reader, f.key, crypto.SHA512, sum[:])
	if err != nil {
		panic(err)
	}
	return in + "." + b64.EncodeToString(sig)
}

func (f forge) token(claims ...map[string]any) string {
	return f.sign(raw(f.header()), raw(f.claims(claims...)))
}

func (f forge) headed(header map[string]any) string {
	return f.sign(raw(f.header(header)), raw(f.claims()))
}

func (f forge) hmac(alg string) string {
	public, err := x509.MarshalPKIXPublicKey(f.key.Public())
	if err != nil {
		panic(err)
	}
	in := b64.EncodeToString([]byte(raw(f.header(m{"alg": alg})))) + "." + b64.EncodeToString([]byte(raw(f.claims())))
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(in))
	return in + "." + b64.EncodeToString(mac.Sum(nil))
}

func (f forge) otherKey() string {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	f.key = k
	return f.token()
}

func (f forge) ecdsa() string {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	in := b64.EncodeToString([]byte(raw(f.header(m{"alg": "ES256"})))) + "." + b64.EncodeToString([]byte(raw(f.claims())))
	sum := sha256.Sum256([]byte(in))
	r, s, err := ecdsa.Sign(rand.Reader, k, sum[:])
	if err != nil {
		panic(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return in + "." + b64.EncodeToString(sig)
}

func parts(tok string) (header, payload, sig string) {
	p := strings.Split(tok, ".")
	return p[0], p[1], p[2]
}

// form is the article's token request with some members replaced; nil removes one.
func (f forge) form(assertion string, more ...map[string]any) url.Values {
	out := url.Values{}
	for k, v := range with(m{
		"client_id": f.clientID, "scope": "https://graph.microsoft.com/.default", "grant_type": "client_credentials",
		"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion": assertion,
	}, more...) {
		out.Set(k, v.(string))
	}
	return out
}

// attempt is one request and the one AADSTS code it must get; 0 is success.
type attempt struct {
	name   string
	code   int
	status int
	error  string
	tenant string // "" is the forge's
	form   url.Values
}

func TestEveryTamperedTokenIsRefusedWithItsOwnCode(t *testing.T) {
	t.Parallel()
	tt := New(t)
	pool := tt.AddPool("refusals", "my.dev.provider")
	identity, good := tt.DeveloperToken(pool, "my_user_id")
	app := tt.AddApplication("refusals")
	tt.Trust(app, "cognito", "https://cognito-identity.amazonaws.com", identity, pool.ID)
	f := forge{pool: pool.ID, ident: identity, clientID: app.ClientID, now: tt.Now(), tenant: tt.TenantID}
	f.kid, f.key = tt.signingKey("cognito-identity/us-east-1")

	bare := tt.AddApplication("no trusts")
	attempts := tamperedTokens(f, good)
	attempts = append(attempts, tamperedClaims(f)...)
	attempts = append(attempts, tamperedRequests(f, good, bare.ClientID)...)
	attempts = append(attempts, ownTokens(tt, f)...)
	if len(attempts) < 60 {
		t.Errorf("only %d attempts", len(attempts))
	}
	for _, a := range attempts {
		t.Run(a.name, func(t *testing.T) {
			tenant := a.tenant
			if tenant == "" {
				tenant = f.tenant
			}
			status, body := tt.PostForm(tt.Authority+"/"+tenant+"/oauth2/v2.0/token", a.form)
			var got struct {
				Error       string `json:"error"`
				Description string `json:"error_description"`
				Codes       []int  `json:"error_codes"`
				TraceID     string `json:"trace_id"`
				AccessToken string `json:"access_token"`
			}
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatalf("%d %s", status, body)
			}
			if a.code == 0 {
				if status != 200 || got.AccessToken == "" {
					t.Errorf("%d %s, want a token", status, body)
				}
				return
			}
			if status != a.status || got.Error != a.error || len(got.Codes) != 1 || got.Codes[0] != a.code {
				t.Errorf("got %d %s %v, want %d %s %d\n%s", status, got.Error, got.Codes, a.status, a.error, a.code, got.Description)
			}
			if got.AccessToken != "" || got.TraceID == "" {
				t.Errorf("a refusal carries no token and has a trace id: %s", body)
			}
		})
	}
}

// client is a refusal of the client's own proof: 401 invalid_client.
func client(name string, code int, form url.Values) attempt {
	return attempt{name: name, code: code, status: 401, error: "invalid_client", form: form}
}

// request is a refusal of the request's form: 400 invalid_request.
func request(name string, code int, form url.Values) attempt {
	return attempt{name: name, code: code, status: 400, error: "invalid_request", form: form}
}

func tamperedTokens(f forge, good string) []attempt {
	h, p, s := parts(good)
	bits, err := b64.DecodeString(s)
	if err != nil {
		panic(err)
	}
	bits[10] ^= 1
	flipped := b64.EncodeToString(bits)
	return []attempt{
		{name: "the untouched token is accepted", form: f.form(good)},
		{name: "a forged token with the real key is accepted", form: f.form(f.token())},
		request("no JWT at all", 50027, f.form("undefined")),
		request("two parts", 50027, f.form(h+"."+p)),
		request("four parts", 50027, f.form(good+".x")),
		request("empty signature part", 50027, f.form(h+"."+p+".")),
		request("header that is no base64url", 50027, f.form("!!!."+p+"."+s)),
		request("payload that is no base64url", 50027, f.form(h+".!!!."+s)),
		request("signature that is no base64url", 50027, f.form(h+"."+p+".!!!")),
		request("padded base64", 50027, f.form(h+"=."+p+"."+s)),
		request("header that is no JSON", 50027, f.form(f.sign("alg", raw(f.claims())))),
		request("payload that is no JSON", 50027, f.form(f.sign(raw(f.header()), "iss"))),
		request("payload that is an array", 50027, f.form(f.sign(raw(f.header()), "[1]"))),
		request("payload with a second value behind it", 50027, f.form(f.sign(raw(f.header()), raw(f.claims())+"{}"))),
		request("payload that ends early", 50027, f.form(f.sign(raw(f.header()), `{"iss":"x"`))),
		request("duplicate iss in the payload", 50027, f.form(f.sign(raw(f.header()), `{"iss":"https://evil.example",`+raw(f.claims())[1:]))),
		request("duplicate alg in the header", 50027, f.form(f.sign(`{"alg":"none",`+raw(f.header())[1:], raw(f.claims())))),
		request("payload nested too deep", 50027, f.form(f.token(m{"x": json.RawMessage(strings.Repeat("[", 200) + strings.Repeat("]", 200))}))),
		request("oversized token", 9002313, f.form(f.token(m{"x": strings.Repeat("a", 100_000)}))),
		request("header without alg", 50027, f.form(f.headed(m{"alg": nil}))),
		request("alg that is a number", 50027, f.form(f.headed(m{"alg": 512}))),
		request("critical extension", 50027, f.form(f.headed(m{"crit": []string{"exp"}}))),
		request("unencoded payload", 50027, f.form(f.headed(m{"b64": false, "crit": []string{"b64"}}))),
		client("alg none", 5002738, f.form(f.headed(m{"alg": "none"}))),
		client("alg None with a capital", 5002738, f.form(f.headed(m{"alg": "None"}))),
		client("HS256 keyed with the public key", 5002738, f.form(f.hmac("HS256"))),
		client("HS512 keyed with the public key", 5002738, f.form(f.hmac("HS512"))),
		client("ES256 with the attacker's key", 5002738, f.form(f.ecdsa())),
		client("PS256, which federation does not take", 5002738, f.form(f.headed(m{"alg": "PS256"}))),
		client("alg in lower case", 5002738, f.form(f.headed(m{"alg": "rs512"}))),
		client("RS256 named over an RS512 signature", 700027, f.form(f.headed(m{"alg": "RS256"}))),
		client("RS384 named over an RS512 signature", 700027, f.form(f.headed(m{"alg": "RS384"}))),
		client("unknown kid", 700027, f.form(f.headed(m{"kid": "us-east-199"}))),
		client("kid of another ring", 700027, f.form(f.headed(m{"kid": "entra"}))),
		client("signature with one bit turned", 700027, f.form(h+"."+p+"."+flipped)),
		client("signature of another token", 700027, f.form(h+"."+p+"."+last(f.token(m{"x": 1})))),
		client("payload changed after signing", 700027, f.form(h+"."+b64.EncodeToString([]byte(raw(f.claims(m{"admin": true}))))+"."+s)),
		client("signed by another key under the right kid", 700027, f.form(f.otherKey())),
		client("attacker's key in a jwk header", 700027, f.form(jwk(f))),
		{name: "jku header is not followed", form: f.form(f.headed(m{"jku": "https://evil.example/keys"}))},
		{name: "x5u header is not followed", form: f.form(f.headed(m{"x5u": "https://evil.example/cert"}))},
	}
}

func last(tok string) string { _, _, s := parts(tok); return s }

// jwk signs with a key of its own and sends it along.
func jwk(f forge) string {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	f.key = k
	return f.headed(m{"kid": "mine", "jwk": m{"kty": "RSA", "n": b64.EncodeToString(k.N.Bytes()), "e": "AQAB"}})
}

func tamperedClaims(f forge) []attempt {
	at := func(d time.Duration) int64 { return f.now.Add(d).Unix() }
	c := func(name string, code int, claims map[string]any) attempt {
		return client(name, code, f.form(f.token(claims)))
	}
	return []attempt{
		c("expired six minutes ago", 700024, m{"iat": at(-time.Hour), "exp": at(-6 * time.Minute)}),
		{name: "expired four minutes ago is within tolerance", form: f.form(f.token(m{"iat": at(-time.Hour), "exp": at(-4 * time.Minute)}))},
		c("valid in six minutes", 700024, m{"nbf": at(6 * time.Minute)}),
		{name: "valid in four minutes is within tolerance", form: f.form(f.token(m{"nbf": at(4 * time.Minute)}))},
		c("issued in an hour", 700024, m{"iat": at(time.Hour), "exp": at(2 * time.Hour)}),
		c("exp of the year 1970", 700024, m{"exp": 1}),
		c("negative exp", 700024, m{"exp": -1}),
		request("no exp", 90014, f.form(f.token(m{"exp": nil}))),
		request("no iss", 90014, f.form(f.token(m{"iss": nil}))),
		request("no sub", 90014, f.form(f.token(m{"sub": nil}))),
		request("no aud", 90014, f.form(f.token(m{"aud": nil}))),
		c("issuer in capitals", 700211, m{"iss": "https://COGNITO-identity.amazonaws.com"}),
		c("issuer with a trailing slash", 700211, m{"iss": "https://cognito-identity.amazonaws.com/"}),
		c("issuer without https", 700211, m{"iss": "cognito-identity.amazonaws.com"}),
		c("issuer by http", 700211, m{"iss": "http://cognito-identity.amazonaws.com"}),
		c("issuer with a port", 700211, m{"iss": "https://cognito-identity.amazonaws.com:443"}),
		c("issuer with a leading space", 700211, m{"iss": " https://cognito-identity.amazonaws.com"}),
		c("issuer percent-encoded", 700211, m{"iss": "https%3A%2F%2Fcognito-identity.amazonaws.com"}),
		c("an issuer that nobody trusts", 700211, m{"iss": "https://evil.example"}),
		c("subject in capitals", 7002138, m{"sub": strings.ToUpper(f.ident)}),
		c("subject with a trailing space", 700213, m{"sub": f.ident + " "}),
		c("subject cut short", 700213, m{"sub": f.ident[:len(f.ident)-1]}),
		c("subject with a wildcard", 700213, m{"sub": "us-east-1:*"}),
		c("subject of another identity", 700213, m{"sub": "us-east-1:00000000-0000-4000-8000-000000000000"}),
		c("audience of another pool", 700212, m{"aud": "us-east-1:00000000-0000-4000-8000-000000000000"}),
		c("audience in capitals", 700212, m{"aud": strings.ToUpper(f.pool)}),
		c("audience array without the pool", 700212, m{"aud": []string{"a", "b"}}),
		{name: "audience array that holds the pool", form: f.form(f.token(m{"aud": []string{"other", f.pool}}))},
		{name: "float dates", form: f.form(f.token(m{"iat": float64(f.now.Unix()) + .5, "exp": float64(f.now.Unix()) + 900.5}))},
	}
}

func tamperedRequests(f forge, good, bare string) []attempt {
	return []attempt{
		request("no grant_type", 900144, f.form(good, m{"grant_type": nil})),
		{name: "unknown grant", code: 70003, status: 400, error: "unsupported_grant_type", form: f.form(good, m{"grant_type": "magic"})},
		request("no scope", 900144, f.form(good, m{"scope": nil})),
		{name: "scope without .default", code: 1002012, status: 400, error: "invalid_scope", form: f.form(good, m{"scope": "User.Read"})},
		{name: "two resources", code: 1002012, status: 400, error: "invalid_scope", form: f.form(good, m{"scope": "https://graph.microsoft.com/.default https://management.azure.com/.default"})},
		{name: "unknown resource", code: 500011, status: 400, error: "invalid_resource", form: f.form(good, m{"scope": "https://nobody.example/.default"})},
		{name: "unknown application", code: 700016, status: 400, error: "unauthorized_client", form: f.form(good, m{"client_id": "11111111-2222-3333-4444-555555555555"})},
		{name: "the zero application", code: 700038, status: 400, error: "unauthorized_client", form: f.form(good, m{"client_id": "00000000-0000-0000-0000-000000000000"})},
		client("no credential", 7000216, f.form(good, m{"client_assertion": nil, "client_assertion_type": nil})),
		client("a secret that is none of its own", 7000215, f.form(good, m{"client_assertion": nil, "client_assertion_type": nil, "client_secret": "guess"})),
		client("an application without trusts", 70025, f.form(good, m{"client_id": bare})),
		{name: "unknown tenant", code: 90002, status: 400, error: "invalid_request", tenant: "99999999-9999-4999-8999-999999999999", form: f.form(good)},
		{name: "tenant that is no name", code: 900023, status: 400, error: "invalid_request", tenant: "not_a_name", form: f.form(good)},
	}
}

// ownTokens are assertions that the tenant itself issued: only managed identities' may be exchanged.
func ownTokens(tt *Treaty, f forge) []attempt {
	own := f
	own.kid, own.key = tt.signingKey("entra")
	v2 := tt.Authority + "/" + f.tenant + "/v2.0"
	token := func(claims map[string]any) string {
		return own.rs256(own.claims(m{"amr": nil, "iss": v2, "tid": f.tenant, "oid": f.ident, "aud": "api://AzureADTokenExchange", "ver": "2.0"}, claims))
	}
	other := "88888888-8888-4888-8888-888888888888"
	return []attempt{
		client("own app-only token", 700226, f.form(token(m{"idtyp": "app", "azp": f.clientID}))),
		client("own user's token", 700229, f.form(token(m{"scp": "User.Read", "upn": "a@b"}))),
		client("own v1 token for Microsoft Graph", 700227, f.form(tt.AdminToken(tt.GraphURL))),
		client("another tenant's managed identity", 700236, f.form(token(m{"iss": tt.Authority + "/" + other + "/v2.0", "tid": other,
			"idtyp": "app", "xms_mirid": "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"}))),
	}
}

func (f forge) rs256(claims map[string]any) string {
	in := b64.EncodeToString([]byte(raw(m{"typ": "JWT", "alg": "RS256", "kid": f.kid}))) + "." + b64.EncodeToString([]byte(raw(claims)))
	sum := sha256.Sum256([]byte(in))
	sig, err := rsa.SignPKCS1v15(rand.Reader, f.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return in + "." + b64.EncodeToString(sig)
}
