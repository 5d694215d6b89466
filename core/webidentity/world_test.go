package webidentity_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/webidentity"
	"github.com/treatyfed/treaty/wire/jose"
)

const (
	account = "123456789012"
	issuer  = "https://idp.example/realm"
	arn     = "arn:aws:iam::123456789012:oidc-provider/idp.example/realm"
	pools   = "https://cognito-identity.amazonaws.com"
	client  = "client-a"
	pin     = "990f4193972f2becf12ddeda5237f9c952f20d9e"
)

// now is when the tests take place: as in the recordings.
var now = time.Date(2026, 9, 11, 10, 48, 41, 0, time.UTC)

var rsaKey, otherRSA, p256, p384 = key(newRSA), key(newRSA), key(newEC(elliptic.P256())), key(newEC(elliptic.P384()))

func key(make func() crypto.Signer) func() crypto.Signer { return sync.OnceValue(make) }

func newRSA() crypto.Signer {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

func newEC(c elliptic.Curve) func() crypto.Signer {
	return func() crypto.Signer {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	}
}

// providers is the repository of one account.
type providers struct {
	directory.Entities[directory.OIDCProvider]
	list []directory.OIDCProvider
	err  error
}

func (p providers) Named(_ context.Context, account, name string) (directory.OIDCProvider, error) {
	for _, v := range p.list {
		if v.AccountID == account && v.Name == name {
			return v, p.err
		}
	}
	if p.err != nil {
		return directory.OIDCProvider{}, p.err
	}
	return directory.OIDCProvider{}, fault.New(fault.NotFound, "provider", name)
}

// web is the issuers' documents. A host without a trusted certificate is known by its thumbprint alone.
type web struct {
	mu        sync.Mutex
	docs      map[string]string
	untrusted string // thumbprint of the only certificate
	asked     []string
	pins      [][]string
}

func (w *web) Fetch(_ context.Context, url string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, url)
	doc, ok := w.docs[url]
	if !ok {
		return nil, errors.New("status 404")
	}
	return []byte(doc), nil
}

func (w *web) FetchPinned(ctx context.Context, url string, thumbprints []string) ([]byte, token.Peer, error) {
	w.mu.Lock()
	w.pins = append(w.pins, thumbprints)
	w.mu.Unlock()
	peer := token.Peer{Host: "idp.example", Trusted: w.untrusted == "", Thumbprints: []string{w.untrusted}}
	if !peer.Trusted {
		if !slices.Contains(thumbprints, w.untrusted) {
			return nil, peer, fault.Wrap(fault.Unavailable, "fetch", &token.UnknownPeer{Peer: peer, Err: errors.New("signed by unknown authority")})
		}
		peer.Pin = w.untrusted
	}
	doc, err := w.Fetch(ctx, url)
	return doc, peer, err
}

func publish(t testing.TB, kid string, k crypto.PublicKey) jose.JWK {
	t.Helper()
	j, err := jose.Publish(kid, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func jwks(t testing.TB, keys ...jose.JWK) string {
	t.Helper()
	b, err := json.Marshal(jose.JWKS{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (w *web) publish(issuer, keys string) {
	base := strings.TrimSuffix(issuer, "/")
	if w.docs == nil {
		w.docs = map[string]string{}
	}
	w.docs[base+"/.well-known/openid-configuration"] = `{"issuer":"` + issuer + `","jwks_uri":"` + base + `/keys"}`
	w.docs[base+"/keys"] = keys
}

// world is a verifier for one account with one provider.
type world struct {
	*webidentity.Verifier
	web *web
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &web{}
	keys := jwks(t, publish(t, "rsa", rsaKey().Public()), publish(t, "p256", p256().Public()), publish(t, "p384", p384().Public()))
	for _, iss := range []string{issuer, "https://" + webidentity.Google, "https://idp.example:443/realm"} {
		w.publish(iss, keys)
	}
	return &world{web: w, Verifier: &webidentity.Verifier{
		Providers: providers{list: []directory.OIDCProvider{provider(arn, client, "client-b")}},
		Keys:      &token.Discovery{Fetcher: w, Parse: webidentity.ParseKeys, Now: time.Now},
		Pools:     pools,
		PoolKeys:  token.Fixed{{ID: "us-east-11", Key: rsaKey().Public()}},
		Own:       func(iss string) bool { return strings.HasSuffix(iss, ".tokens.sts.global.api.aws") },
		Now:       func() time.Time { return now },
	}}
}

func provider(arn string, clients ...string) directory.OIDCProvider {
	_, name, _ := strings.Cut(arn, ":oidc-provider/")
	return directory.OIDCProvider{IAMEntity: directory.IAMEntity{ARN: arn, AccountID: account, Name: name}, ClientIDs: clients, Thumbprints: []string{pin}}
}

type claims = map[string]any

// with is a good token's claims with changes; a nil value removes a claim, null keeps it as JSON's null.
func with(changes claims) claims {
	c := claims{"iss": issuer, "sub": "subject-probe", "aud": client, "iat": now.Unix() - 10, "exp": now.Unix() + 900}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

var null = json.RawMessage("null")

// sign makes a token with key kid.
func sign(t testing.TB, c claims, kid, alg string, k crypto.Signer) string {
	t.Helper()
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	h := jose.Header{{Name: "alg", Value: alg}, {Name: "typ", Value: "JWT"}}
	if kid != "" {
		h = append(h, jose.Member{Name: "kid", Value: kid})
	}
	raw, err := jose.Sign(h, payload, k, alg, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// good signs claims as the issuer does.
func good(t testing.TB, changes claims) string {
	return sign(t, with(changes), "rsa", "RS256", rsaKey())
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
