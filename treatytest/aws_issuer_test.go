package treatytest

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// realm is one issuer of a foreign host: what it publishes can be anything.
type realm struct {
	issuer  string // https://HOST/NAME
	name    string // as IAM names its provider, and its condition keys
	arn     string // of the home account's provider
	kid     string
	key     *rsa.PrivateKey
	config  func(w http.ResponseWriter, r *http.Request) // nil: the honest document
	keys    func(w http.ResponseWriter, r *http.Request) // nil: the one key
	fetched atomic.Int32
}

// realms is a foreign host over TLS with many issuers. No authority vouches for it, only its thumbprint.
type realms struct {
	*httptest.Server
	w          *awsWorld
	mux        *http.ServeMux
	thumbprint string
}

func newRealms(t *testing.T, w *awsWorld) *realms {
	t.Helper()
	r := &realms{w: w, mux: http.NewServeMux()}
	r.Server = httptest.NewTLSServer(r.mux)
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(r.Close)
	sum := sha1.Sum(r.Certificate().Raw)
	r.thumbprint = hex.EncodeToString(sum[:])
	return r
}

// goodKey and evilKey are made once: making RSA keys is the slowest part of the tests.
var goodKey, evilKey = sync.OnceValue(newKey), sync.OnceValue(newKey)

func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

// issuer adds an issuer and, when it has audiences, registers it with the home account.
func (r *realms) issuer(name string, key *rsa.PrivateKey, clients ...string) *realm {
	r.w.t.Helper()
	x := &realm{issuer: r.URL + "/" + name, name: strings.TrimPrefix(r.URL, "https://") + "/" + name, kid: "k1", key: key}
	r.mux.HandleFunc("/"+name+"/.well-known/openid-configuration", func(w http.ResponseWriter, q *http.Request) {
		x.fetched.Add(1)
		if x.config != nil {
			x.config(w, q)
			return
		}
		_ = json.NewEncoder(w).Encode(m{"issuer": x.issuer, "jwks_uri": x.issuer + "/keys"})
	})
	r.mux.HandleFunc("/"+name+"/keys", func(w http.ResponseWriter, q *http.Request) {
		x.fetched.Add(1)
		if x.keys != nil {
			x.keys(w, q)
			return
		}
		_ = json.NewEncoder(w).Encode(m{"keys": []m{jwkOf(x.kid, &x.key.PublicKey)}})
	})
	x.arn = "arn:aws:iam::" + home + ":oidc-provider/" + x.name
	if len(clients) > 0 {
		r.register(r.w.root, x.issuer, []string{r.thumbprint}, clients...)
	}
	return x
}

// register makes a provider in an account.
func (r *realms) register(c aws.Config, issuer string, thumbprints []string, clients ...string) string {
	r.w.t.Helper()
	out, err := r.w.iam(c).CreateOpenIDConnectProvider(context.Background(), &iam.CreateOpenIDConnectProviderInput{Url: &issuer, ClientIDList: clients, ThumbprintList: thumbprints})
	r.w.must(err)
	return *out.OpenIDConnectProviderArn
}

func jwkOf(kid string, k *rsa.PublicKey) m {
	return m{"kty": "RSA", "use": "sig", "kid": kid, "n": b64.EncodeToString(k.N.Bytes()), "e": "AQAB"}
}

// claims are those of a token that nothing is wrong with.
func (x *realm) claims(now time.Time, more ...m) m {
	return with(m{"iss": x.issuer, "sub": "user", "aud": "app", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}, more...)
}

// token is a good one with some claims changed.
func (x *realm) token(now time.Time, more ...m) string {
	return x.sign(m{"alg": "RS256", "typ": "JWT", "kid": x.kid}, x.claims(now, more...))
}

// sign signs whatever header and claims there are with the issuer's key: RSASSA-PKCS1-v1_5, or PSS for PS256.
func (x *realm) sign(header, claims m) string { return x.signRaw(raw(with(header)), raw(claims)) }

func (x *realm) signRaw(header, payload string) string {
	in := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	sum := sha256.Sum256([]byte(in))
	sig, err := rsa.SignPKCS1v15(rand.Reader, x.key, crypto.SHA256, sum[:])
	if strings.Contains(header, `"PS256"`) {
		sig, err = rsa.SignPSS(rand.Reader, x.key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
	if err != nil {
		panic(err)
	}
	return in + "." + b64.EncodeToString(sig)
}

// confused is the oldest confusion: the public key as the secret of an HMAC.
func (x *realm) confused(now time.Time) string {
	der, err := x509.MarshalPKIXPublicKey(&x.key.PublicKey)
	if err != nil {
		panic(err)
	}
	in := b64.EncodeToString([]byte(raw(m{"alg": "HS256", "kid": x.kid}))) + "." + b64.EncodeToString([]byte(raw(x.claims(now))))
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(in))
	return in + "." + b64.EncodeToString(mac.Sum(nil))
}
