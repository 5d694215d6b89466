package clients

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// b2c is an issuer whose path has capitals, as those of Azure AD B2C and of customers' own domains may have. No
// authority vouches for its certificate.
type b2c struct {
	*httptest.Server
	key    *rsa.PrivateKey
	issuer string
}

func newB2C(t *testing.T) *b2c {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &b2c{key: key}
	const path = "/Contoso.onmicrosoft.com/0F1E2D3C-4B5A-4697-8879-6A5B4C3D2E1F/v2.0"
	mux := http.NewServeMux()
	answer := func(at string, body func() object) {
		mux.HandleFunc("GET "+at, func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(body()) })
	}
	answer(path+"/.well-known/openid-configuration", func() object { return object{"issuer": i.issuer, "jwks_uri": i.URL + "/keys"} })
	answer("/keys", func() object {
		return object{"keys": []object{{"kty": "RSA", "use": "sig", "kid": "k1", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes())}}}
	})
	i.Server = httptest.NewUnstartedServer(mux)
	i.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that end at the certificate
	i.StartTLS()
	t.Cleanup(i.Close)
	i.issuer = i.URL + path
	return i
}

// token signs claims; one that is nil is left out.
func (i *b2c) token(t *testing.T, claims object) string {
	t.Helper()
	now := time.Now().Unix()
	all := object{"iss": i.issuer, "sub": "Person-1", "aud": "web", "iat": now, "exp": now + 300}
	for name, v := range claims {
		if all[name] = v; v == nil {
			delete(all, name)
		}
	}
	part := func(v object) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := part(object{"alg": "RS256", "kid": "k1", "typ": "JWT"}) + "." + part(all)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// An issuer's path keeps its case, in the provider's ARN, in condition keys and as the key of Logins; and the
// provider's thumbprint vouches for a certificate that no authority knows.
func TestIssuerWithCapitalsInItsPath(t *testing.T) {
	t.Parallel()
	need(t, aws)
	i := newB2C(t)
	tw := shared.another(t, "outbound: {allow: [loopback]}\n")
	root := caller{at: tw}
	name := strings.TrimPrefix(i.issuer, "https://")
	root.do(t, "iam", "create-open-id-connect-provider", "--url", i.issuer, "--client-id-list", "web", "--thumbprint-list", someThumbprint)
	arn := arnIAM + "oidc-provider/" + name
	roleARN := role(t, root, "person", federates(arn, "web", "Person-1"))
	assume := func(role, token string) []string {
		return []string{"sts", "assume-role-with-web-identity", "--role-arn", role, "--role-session-name", "web", "--web-identity-token", token}
	}
	root.fails(t, "InvalidIdentityToken", "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint", assume(roleARN, i.token(t, nil))...)
	sum := sha1.Sum(i.Certificate().Raw)
	root.do(t, "iam", "update-open-id-connect-provider-thumbprint", "--open-id-connect-provider-arn", arn, "--thumbprint-list", hex.EncodeToString(sum[:]))
	wants(t, "assume-role-with-web-identity", root.do(t, assume(roleARN, i.token(t, nil))...), map[string]any{"Provider": arn, "SubjectFromWebIdentityToken": "Person-1", "Audience": "web"})
	root.fails(t, "AccessDenied", notAuthorized, assume(roleARN, i.token(t, object{"sub": "person-1"}))...)
	root.fails(t, "InvalidIdentityToken", notValidated, assume(roleARN, i.token(t, object{"iss": strings.ToLower(i.issuer)}))...)
	root.fails(t, "InvalidIdentityToken", "Missing a required claim: aud", assume(roleARN, i.token(t, object{"aud": nil}))...)
	expired := root.run(t, assume(roleARN, i.token(t, object{"iat": time.Now().Unix() - 7200, "exp": time.Now().Unix() - 3600}))...)
	if !strings.Contains(expired.stderr, "An error occurred (ExpiredTokenException) when calling the AssumeRoleWithWebIdentity operation: Token expired: current date/time ") {
		t.Errorf("an expired token: exit %d\n%s", expired.code, expired.stderr)
	}

	pool := text(root.do(t, "cognito-identity", "create-identity-pool", "--identity-pool-name", "web", "--no-allow-unauthenticated-identities", "--open-id-connect-provider-arns", arn), "IdentityPoolId")
	login := func(name string) []string {
		b, _ := json.Marshal(object{name: i.token(t, nil)}) // a map of texts does not fail
		return []string{"cognito-identity", "get-id", "--identity-pool-id", pool, "--logins", string(b)}
	}
	identity := text(root.do(t, login(name)...), "IdentityId")
	wants(t, "describe-identity", root.do(t, "cognito-identity", "describe-identity", "--identity-id", identity), map[string]any{"Logins": []string{name}})
	root.fails(t, "NotAuthorizedException", "Token is not from a supported provider of this identity pool.", login(strings.ToLower(name))...)
}
