package treatytest

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/treatyfed/treaty/wire/jose"
)

// algorithms are those that issuers sign with.
var algorithms = []string{"RS256", "RS512", "ES256", "PS256"}

// products are an issuer of each preset, with what its client is and what its tokens are asked for.
var products = []struct {
	preset, url string
	client      IssuerClient
	ask         map[string]string
}{
	{"generic", "https://plain.example.org/tenants/7", IssuerClient{ID: "worker"}, map[string]string{"audience": "api://treaty"}},
	{"pingfederate", "https://sso.example.com", IssuerClient{ID: "worker"}, map[string]string{"audience": "api://treaty"}},
	{"okta", "https://acme.okta.com/oauth2/default", IssuerClient{ID: "worker"}, map[string]string{"audience": "api://treaty", "scope": "trade"}},
	{"github", "https://token.actions.githubusercontent.com", IssuerClient{ID: "worker", Attributes: m{"repository": "acme/shop"}}, map[string]string{"audience": "api://treaty"}},
	{"gitlab", "https://gitlab.com", IssuerClient{ID: "worker", Attributes: m{"project_path": "acme/shop"}}, map[string]string{"audience": "api://treaty"}},
	{"kubernetes", "https://oidc.prod.aks.example/8e5f/", IssuerClient{ID: "prod/worker"}, map[string]string{"audience": "api://treaty"}},
	{"google", "https://accounts.example.org", IssuerClient{ID: "worker"}, map[string]string{"audience": "api://treaty"}},
	{"spiffe", "https://spire.example.net", IssuerClient{ID: "worker", Attributes: m{"spiffe_id": "spiffe://example.org/Worker"}}, map[string]string{"audience": "api://treaty"}},
}

// product is one client of an issuer of a preset: what it signs with, what its honest token says, and an
// application and a role that trust that token.
type product struct {
	*foreign
	Issuer
	client string
	alg    string
	honest string
	header m
	claims m
	key    crypto.Signer
}

// newProduct has a client's honest token made and trusted in both clouds.
func newProduct(w *awsWorld, i Issuer, client, alg, provider string, ask map[string]string) *product {
	w.t.Helper()
	p := &product{foreign: &foreign{outside: &outside{awsWorld: w}}, Issuer: i, client: client, alg: alg}
	p.honest = w.IssuerToken(i, client, ask)
	p.header, p.claims = w.readJWT(p.honest)
	ring := "idp-rsa/" + i.Name
	if alg == "ES256" {
		ring = "idp-p256/" + i.Name
	}
	k, err := w.server.Keys().Signing(context.Background(), ring)
	w.must(err)
	p.key = k.Signer
	p.foreign.issuer = i.URL
	p.app = w.AddApplication(i.Name + " " + alg)
	w.Trust(p.app, "trust", i.URL, text(p.claims, "sub"), audienceOf(p.claims))
	name := strings.TrimPrefix(i.URL, "https://")
	p.role = w.AddRole(i.Name+"-"+alg, admits(provider, raw(m{"StringEquals": m{name + ":sub": p.claims["sub"], name + ":aud": authorized(p.claims)}})))
	return p
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

// audienceOf is the first audience of claims.
func audienceOf(claims m) string {
	if list, is := claims["aud"].([]any); is {
		return list[0].(string)
	}
	return text(claims, "aud")
}

// authorized is what STS takes for the audience: the authorized party, where there is one.
func authorized(claims m) string {
	if azp := text(claims, "azp"); azp != "" {
		return azp
	}
	return audienceOf(claims)
}

// token is the honest token with some members of header and claims changed, by the client's real key.
func (p *product) token(header, claims m) string { return p.by(p.key, header, claims) }

func (p *product) by(key crypto.Signer, header, claims m) string {
	return p.text(key, raw(with(maps.Clone(p.header), header)), raw(with(maps.Clone(p.claims), claims)))
}

// text signs header and payload as they are, by the client's algorithm, whatever the header says.
func (p *product) text(key crypto.Signer, header, payload string) string {
	p.t.Helper()
	signed, err := jose.Sign(jose.Header{{Name: "alg", Value: p.alg}}, []byte(`{}`), scripted{key, []byte(b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload)))}, p.alg, rand.Reader)
	p.must(err)
	return b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload)) + "." + last(signed)
}

// scripted signs a text of its own in place of what it is given.
type scripted struct {
	crypto.Signer
	text []byte
}

func (s scripted) Sign(r interface{ Read([]byte) (int, error) }, _ []byte, opts crypto.SignerOpts) ([]byte, error) {
	h := opts.HashFunc().New()
	h.Write(s.text)
	return s.Signer.Sign(r, h.Sum(nil), opts)
}

// forgery is a token and what becomes of it: Entra's code, 0 for success, and STS's words, "" for success.
type forgery struct {
	name  string
	entra int
	sts   string
	token string
}

// expected is what the clouds say to a forgery by a client's algorithm: Entra takes RSASSA-PKCS1-v1_5 alone,
// STS no PSS, and both say so as soon as the token can be read.
func (p *product) expected(f forgery) (entra, sts string) {
	if entra, sts = "", f.sts; f.entra != 0 {
		entra = "AADSTS" + raw(f.entra)
	}
	if (p.alg == "ES256" || p.alg == "PS256") && !slices.Contains([]int{50027, 90014, 9002313}, f.entra) {
		entra = "AADSTS5002738"
	}
	if p.alg == "PS256" && sts != noJWT && !strings.HasPrefix(sts, "ValidationError") {
		sts = unproved
	}
	return entra, sts
}

// suffer tries a forgery at both clouds.
func (p *product) suffer(t *testing.T, f forgery) {
	t.Helper()
	entra, sts := p.expected(f)
	got, _, _ := strings.Cut(p.entra(f.token), " ")
	if got != entra {
		t.Errorf("%s, Entra: got %s, want %s", f.name, cmpOr(got, "success"), cmpOr(entra, "success"))
	}
	if got := p.sts(f.token); got != sts && (sts == "" || strings.Contains(sts, ": ") || !strings.HasPrefix(got, sts+": ")) {
		t.Errorf("%s, STS: got %s, want %s", f.name, cmpOr(got, "success"), cmpOr(sts, "success"))
	}
}

// TestEveryIssuerTrades trades the honest token of each preset, signed by each algorithm, and every forgery of
// it, at both clouds.
func TestEveryIssuerTrades(t *testing.T) {
	t.Parallel()
	w := newAWSWorld(t)
	for _, of := range products {
		var clients []IssuerClient
		for _, alg := range algorithms {
			c := of.client
			c.ID, c.Algorithm, c.Lifetime = of.client.ID+"-"+strings.ToLower(alg), alg, "15m"
			clients = append(clients, c)
		}
		i := w.AddIssuer(of.preset, of.url, of.preset, clients...)
		_, first := w.readJWT(w.IssuerToken(i, clients[0].ID, of.ask))
		out, err := w.iam(w.root).CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: &i.URL, ClientIDList: slices.Compact([]string{audienceOf(first), "second"})})
		w.must(err)
		for n, alg := range algorithms {
			t.Run(of.preset+" "+alg, func(t *testing.T) {
				here := *w
				here.Treaty = &Treaty{}
				*here.Treaty = *w.Treaty
				here.t = t
				p := newProduct(&here, i, clients[n].ID, alg, *out.OpenIDConnectProviderArn, of.ask)
				if azp := text(p.claims, "azp"); azp != "" {
					_, err := w.iam(w.root).AddClientIDToOpenIDConnectProvider(t.Context(), &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: out.OpenIDConnectProviderArn, ClientID: &azp})
					w.must(err)
				}
				for _, f := range slices.Concat(p.bytes(), p.headers(), p.names(), p.times(), p.requests()) {
					p.suffer(t, f)
				}
			})
		}
	}
}

// Who is deleted before anybody asked for his keys cannot vouch for what he signed; nor can he later.
func TestADeletedIssuersTokensAreRefused(t *testing.T) {
	t.Parallel()
	w := newAWSWorld(t)
	for name, asked := range map[string]bool{"never-asked": false, "asked": true} {
		i := w.AddIssuer(name, "https://"+name+".example", "", IssuerClient{ID: "worker"})
		provider := w.AddProvider(i.URL, "api://treaty")
		p := newProduct(w, i, "worker", "RS256", provider, map[string]string{"audience": "api://treaty"})
		if asked {
			p.suffer(t, forgery{name + " while it is there", 0, "", p.honest})
		}
		w.Control("DELETE", "issuers/"+name, nil, nil)
		p.suffer(t, forgery{name + " when it is gone", 90061, noKey, p.honest})
		if status, body := w.Request("GET", i.URL+"/.well-known/openid-configuration", "", nil); status == http.StatusOK {
			t.Errorf("%s: the documents are there still: %s", name, body)
		}
		w.Control("POST", "issuers", m{"name": name, "url": i.URL, "clients": []m{{"id": "worker"}}}, nil)
		p.wallPast(time.Minute)
		p.suffer(t, forgery{name + " when another has its name", 700027, noKey, p.honest})
	}
}
