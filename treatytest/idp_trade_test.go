package treatytest

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

// algorithms are those that issuers sign with.
var algorithms = []string{"RS256", "RS512", "ES256", "PS256"}

// audience is what the tokens of products are asked for.
const audience = "api://treaty"

// products are an issuer of each preset with its client.
var products = []struct {
	preset, url string
	client      IssuerClient
}{
	{"generic", "https://plain.example.org/tenants/7", IssuerClient{ID: "worker"}},
	{"pingfederate", "https://sso.example.com", IssuerClient{ID: "worker"}},
	{"okta", "https://acme.okta.com/oauth2/default", IssuerClient{ID: "worker"}},
	{"github", "https://token.actions.githubusercontent.com", IssuerClient{ID: "worker", Attributes: m{"repository": "acme/shop"}}},
	{"gitlab", "https://gitlab.com", IssuerClient{ID: "worker", Attributes: m{"project_path": "acme/shop"}}},
	{"kubernetes", "https://oidc.prod.aks.example/8e5f/", IssuerClient{ID: "prod/worker"}},
	{"google", "https://accounts.example.org", IssuerClient{ID: "worker"}},
	{"spiffe", "https://spire.example.net", IssuerClient{ID: "worker", Attributes: m{"spiffe_id": "spiffe://example.org/Worker"}}},
}

// product is a client of an issuer: what it signs with, what its honest token says, and an application and a
// role that trust that token.
type product struct {
	*foreign
	Issuer
	alg    string
	honest string
	header m
	claims m
	key    crypto.Signer
}

// product makes one of a client that signs by alg. provider is the issuer's in IAM.
func (o *outside) product(i Issuer, client, alg, provider string) *product {
	o.t.Helper()
	p := &product{foreign: &foreign{outside: o, issuer: i.URL}, Issuer: i, alg: alg}
	p.honest = o.IssuerToken(i, client, map[string]string{"audience": audience})
	p.header, p.claims = o.readJWT(p.honest)
	ring := "idp-rsa/" + i.Name
	if alg == "ES256" {
		ring = "idp-p256/" + i.Name
	}
	k, err := o.server.Keys().Signing(context.Background(), ring)
	o.must(err)
	p.key = k.Signer
	p.app = o.AddApplication(i.Name + " " + alg)
	o.Trust(p.app, "trust", i.URL, text(p.claims, "sub"), audience)
	name, aud := strings.TrimPrefix(i.URL, "https://"), audience
	if azp := text(p.claims, "azp"); azp != "" { // STS takes the authorized party for the audience
		aud = azp
		_, err := o.iam(o.root).AddClientIDToOpenIDConnectProvider(context.Background(), &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: &provider, ClientID: &azp})
		o.must(err)
	}
	p.role = o.AddRole(i.Name+"-"+alg, admits(provider, raw(m{"StringEquals": m{name + ":sub": p.claims["sub"], name + ":aud": aud}})))
	return p
}

// in gives the world to a subtest.
func (o *outside) in(t *testing.T) *outside {
	here, world, twin := *o, *o.awsWorld, *o.Treaty
	twin.t = t
	here.awsWorld, world.Treaty = &world, &twin
	return &here
}

// readJWT reads header and claims of a token.
func (w *awsWorld) readJWT(token string) (header, claims m) {
	w.t.Helper()
	h, c, _ := parts(token)
	for part, into := range map[string]*m{h: &header, c: &claims} {
		b, err := b64.DecodeString(part)
		w.must(err)
		w.must(json.Unmarshal(b, into))
	}
	return header, claims
}

// token is the honest token with some members of header and claims changed, by the client's real key.
func (p *product) token(header, claims m) string { return p.tokenBy(p.key, header, claims) }

func (p *product) tokenBy(key crypto.Signer, header, claims m) string {
	return p.sign(key, raw(with(maps.Clone(p.header), header)), raw(with(maps.Clone(p.claims), claims)))
}

// sign signs header and payload as they are, by the client's algorithm, whatever the header says.
func (p *product) sign(key crypto.Signer, header, payload string) string {
	p.t.Helper()
	in := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	signed, err := jose.Sign(jose.Header{{Name: "alg", Value: p.alg}}, []byte(`{}`), ghost{key, in}, p.alg, rand.Reader)
	p.must(err)
	return in + "." + last(signed)
}

// ghost signs a text of its own in place of what it is given.
type ghost struct {
	crypto.Signer
	text string
}

func (g ghost) Sign(r io.Reader, _ []byte, opts crypto.SignerOpts) ([]byte, error) {
	h := opts.HashFunc().New()
	_, _ = io.WriteString(h, g.text) // a hash takes everything
	return g.Signer.Sign(r, h.Sum(nil), opts)
}

// forgery is a token and what becomes of it: Entra's code, 0 for success, and STS's words, "" for success.
type forgery struct {
	name  string
	entra int
	sts   string
	token string
}

// suffer tries a forgery at both clouds. Entra takes RSASSA-PKCS1-v1_5 alone, STS no PSS, and both say so as
// soon as the token can be read.
func (p *product) suffer(f forgery) {
	p.t.Helper()
	alg, code := p.alg, ""
	if head := token.Read(f.token).Header; head != nil {
		alg, _ = head["alg"].(string)
	}
	if f.entra != 0 {
		code = "AADSTS" + raw(f.entra)
	}
	if (alg == "ES256" || alg == "PS256") && !slices.Contains([]int{50027, 90014, 9002313}, f.entra) {
		code = "AADSTS5002738"
	}
	if alg == "PS256" && f.sts != noJWT && !strings.HasPrefix(f.sts, "ValidationError") {
		f.sts = unproved
	}
	if got, _, _ := strings.Cut(p.entra(f.token), " "); got != code {
		p.t.Errorf("%s, Entra: got %s, want %s", f.name, cmpOr(got, "success"), cmpOr(code, "success"))
	}
	if got := p.sts(f.token); got != f.sts && (f.sts == "" || strings.Contains(f.sts, ": ") || !strings.HasPrefix(got, f.sts+": ")) {
		p.t.Errorf("%s, STS: got %s, want %s", f.name, cmpOr(got, "success"), cmpOr(f.sts, "success"))
	}
}

// TestEveryIssuerTrades trades the honest token of each preset, signed by each algorithm, at both clouds, and
// forgeries of it: all of them by each algorithm, and those that depend on what a preset says for each preset.
func TestEveryIssuerTrades(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	var before *product
	for at, of := range products {
		var clients []IssuerClient
		for _, alg := range algorithms {
			c := of.client
			c.ID, c.Algorithm, c.Lifetime = of.client.ID+"-"+strings.ToLower(alg), alg, "15m"
			clients = append(clients, c)
		}
		i := o.AddIssuer(of.preset, of.url, of.preset, clients...)
		provider := o.AddProvider(i.URL, audience, "second")
		for n, alg := range algorithms {
			t.Run(of.preset+" "+alg, func(t *testing.T) {
				p := o.in(t).product(i, clients[n].ID, alg, provider)
				forgeries := []forgery{{"the honest token", 0, "", p.honest}, {"a signature cut off", 50027, noJWT, p.honest[:len(p.honest)-9]}}
				switch {
				case at == 0:
					forgeries = slices.Concat(p.bentBytes(), p.bentHeaders(), p.bentNames(), p.bentTimes())
				case at%len(algorithms) == n:
					forgeries = append(forgeries, p.bentNames()...)
				}
				for _, f := range forgeries {
					p.suffer(f)
				}
				if before != nil && before.Issuer.URL != i.URL {
					p.suffer(forgery{"the honest token of another issuer that is registered", 700211, untrusted, before.honest})
				}
				before = p
			})
		}
	}
}

// A key that is published for one algorithm alone signs by no other.
func TestAKeyOfOneAlgorithmSignsByNoOther(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	for _, alg := range []string{"RS256", "RS512"} {
		i := Issuer{Name: strings.ToLower(alg), URL: "https://" + strings.ToLower(alg) + ".example"}
		o.Control("POST", "issuers", m{"name": i.Name, "url": i.URL, "algorithm": alg, "lifetime": "15m", "clients": []m{{"id": "worker"}}}, nil)
		p := o.product(i, "worker", alg, o.AddProvider(i.URL, audience))
		other := *p
		other.alg = map[string]string{"RS256": "RS512", "RS512": "RS256"}[alg]
		p.suffer(forgery{"honest " + alg, 0, "", p.honest})
		p.suffer(forgery{other.alg + " by the key of " + alg, 700027, "", other.token(m{"alg": other.alg}, nil)}) // STS does not look at a key's alg
	}
}

// What an issuer that is gone has signed is refused, whoever has its name and its URL afterwards.
func TestADeletedIssuersTokensAreRefused(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	for _, name := range []string{"asked", "never-asked"} {
		i := o.AddIssuer(name, "https://"+name+".example", "", IssuerClient{ID: "worker"})
		p := o.product(i, "worker", "RS256", o.AddProvider(i.URL, audience))
		if name == "asked" {
			p.suffer(forgery{name + ", while it is there", 0, "", p.honest})
		}
		o.Control("DELETE", "issuers/"+name, nil, nil)
		p.suffer(forgery{name + ", when it is gone", 90061, noKey, p.honest})
		for _, path := range []string{"/.well-known/openid-configuration", "/jwks", "/token"} {
			rec := httptest.NewRecorder()
			o.server.ServeHTTP(rec, httptest.NewRequest("GET", i.URL+path, nil))
			if rec.Code != 404 {
				t.Errorf("%s%s: %d %s", name, path, rec.Code, rec.Body)
			}
		}
		i = o.AddIssuer(name, i.URL, "", IssuerClient{ID: "worker"})
		o.wall.advance(token.DefaultMaxNegativeTTL)
		p.suffer(forgery{name + ", when another has its name", 700027, noKey, p.honest})
		p.suffer(forgery{name + ", of the new one", 0, "", o.IssuerToken(i, "worker", map[string]string{"audience": audience})})
	}
}
