package sts_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/aws/sts"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/webidentity"
	"github.com/treatyfed/treaty/wire/jose"
)

const (
	issuer   = "https://login.example/tenant/v2.0"
	provider = "arn:aws:iam::123456789012:oidc-provider/login.example/tenant/v2.0"
	prefix   = "login.example/tenant/v2.0"
	client   = "api://AzureADTokenExchange"
)

var issuerKey = sync.OnceValue(func() crypto.Signer {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// published is the documents of issuers.
type published struct {
	mu   sync.Mutex
	docs map[string]string
	pins bool // nobody vouches for the hosts, and no thumbprint either
}

func (p *published) Fetch(_ context.Context, url string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if doc, ok := p.docs[url]; ok {
		return []byte(doc), nil
	}
	return nil, errors.New("status 404")
}

func (p *published) FetchPinned(ctx context.Context, url string, _ []string) ([]byte, token.Peer, error) {
	peer := token.Peer{Host: "login.example", Trusted: !p.pins}
	if p.pins {
		return nil, peer, &token.UnknownPeer{Peer: peer, Err: errors.New("unknown authority")}
	}
	b, err := p.Fetch(ctx, url)
	return b, peer, err
}

// federated is a world with an issuer that account has registered.
type federated struct {
	*world
	web  *published
	keys *token.Keyring
}

func newFederated(t *testing.T) *federated {
	t.Helper()
	w := &federated{world: newWorld(t)}
	jwk, err := jose.Publish("k1", issuerKey().Public(), nil)
	must(t, err)
	set, err := json.Marshal(jose.JWKS{Keys: []jose.JWK{jwk}})
	must(t, err)
	w.web = &published{docs: map[string]string{
		issuer + "/.well-known/openid-configuration": `{"issuer":"` + issuer + `","jwks_uri":"https://login.example/keys"}`,
		"https://login.example/keys":                 string(set),
	}}
	w.keys = &token.Keyring{Store: w.store.Keys, Kinds: sts.Kinds(), Now: w.now, Rand: rand.Reader}
	w.service.Tokens, w.service.TokenIssuerURL = w.keys, sts.DefaultTokenIssuer
	w.service.WebIdentity = &webidentity.Verifier{
		Providers: w.store.OIDCProviders,
		Keys:      &token.Discovery{Fetcher: w.web, Parse: webidentity.ParseKeys, Now: w.now},
		Own:       func(iss string) bool { return strings.HasSuffix(iss, sts.TokenHost) },
		Now:       w.now,
	}
	w.register(provider, client)
	return w
}

// register makes an OIDC provider of account.
func (w *federated) register(arn string, clients ...string) {
	w.t.Helper()
	_, name, _ := strings.Cut(arn, ":oidc-provider/")
	must(w.t, w.store.OIDCProviders.Create(w.t.Context(), directory.OIDCProvider{
		IAMEntity: directory.IAMEntity{ID: w.id("AIDA", account), AccountID: account, ARN: arn, Name: name, Path: "/", CreatedAt: start},
		ClientIDs: clients, Thumbprints: []string{strings.Repeat("a", 40)},
	}, 100))
}

// federatedTrust admits a provider's bearers; conditions is the inside of the Condition element.
func federatedTrust(conditions string, actions ...string) string {
	if len(actions) == 0 {
		actions = []string{"sts:AssumeRoleWithWebIdentity"}
	}
	list, err := json.Marshal(actions)
	if err != nil {
		panic(err)
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + provider + `"},"Action":` + string(list) + `,"Condition":{` + conditions + `}}]}`
}

// audience is the condition that every such trust has.
const audience = `"StringEquals":{"` + prefix + `:aud":"` + client + `"}`

type claims = map[string]any

// token is what the issuer signs: good claims with changes, of which nil takes one away.
func (w *federated) token(changes claims) string {
	w.t.Helper()
	c := claims{"iss": issuer, "sub": "spn-1", "aud": client, "iat": w.now().Unix(), "exp": w.now().Add(time.Hour).Unix()}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(c)
	must(w.t, err)
	raw, err := jose.Sign(jose.Header{{Name: "alg", Value: "RS256"}, {Name: "kid", Value: "k1"}}, payload, issuerKey(), "RS256", nil)
	must(w.t, err)
	return raw
}

// with is AssumeRoleWithWebIdentity, unsigned, with the session name "s1"; edit changes the request.
func (w *federated) with(role, raw string, edit ...func(*sdk.AssumeRoleWithWebIdentityInput)) (*sdk.AssumeRoleWithWebIdentityOutput, error) {
	in := &sdk.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: new("s1"), WebIdentityToken: &raw}
	for _, e := range edit {
		e(in)
	}
	return w.client(aws.Credentials{}).AssumeRoleWithWebIdentity(context.Background(), in)
}
