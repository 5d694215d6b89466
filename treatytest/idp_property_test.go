package treatytest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/server"
)

// sameDraw is a source of chance that is always the same.
func sameDraw(stream uint64) draw { return draw{rand.New(rand.NewPCG(4, stream))} }

// answered posts a token request and gives status, code and the id by which it is on record.
func (tt *Treaty) answered(tenant *Treaty, clientID, assertion string) (status int, code, id string) {
	tt.t.Helper()
	form := asserts(assertion)
	form.Set("grant_type", "client_credentials")
	form.Set("client_id", clientID)
	form.Set("scope", tt.GraphURL+"/.default")
	req, err := http.NewRequest("POST", tenant.TokenURL(), strings.NewReader(form.Encode()))
	if err != nil {
		tt.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := tt.HTTPClient.Do(req)
	if err != nil {
		tt.t.Fatal(err)
	}
	defer res.Body.Close()
	var out struct {
		Codes []int `json:"error_codes"`
	}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		tt.t.Fatal(err)
	}
	if len(out.Codes) > 0 {
		code = fmt.Sprintf("AADSTS%d", out.Codes[0])
	}
	return res.StatusCode, code, res.Header.Get("x-ms-request-id")
}

// drawnClient is a client that may present tokens, in a tenant.
type drawnClient struct {
	Application
	tenant  *Treaty
	trusted []int // sources that it has a trust for, right or wrong
}

// population is what the property draws from: clients with trusts, and tokens.
type population struct {
	d       draw
	w       *tenantsWorld
	tokens  []func() string // of each source two: the token, and one of those that it may be bent to
	sources []m             // issuer, subject and audience that a trust may name
	clients []drawnClient
}

func newPopulation(t *testing.T, d draw) *population {
	t.Helper()
	p := &population{d: d, w: newTenantsWorld(t)}
	a := p.w.a
	for _, of := range products {
		c, alg := of.client, pick(d, "RS256", "RS256", "RS512", "ES256")
		c.Algorithm, c.Lifetime = alg, "15m"
		i := a.AddIssuer(of.preset, of.url, of.preset, c)
		p.add(a.IssuerToken(i, c.ID, map[string]string{"audience": audience}))
	}
	for n, tt := range []*Treaty{a, p.w.b, p.w.c} {
		identity := tt.AddManagedIdentity("drawn")
		p.add(tt.machineToken("drawn"+raw(n), exchangeAudience, false, identity))
		p.add(tt.machineToken("graph"+raw(n), tt.GraphURL, false, identity))
		p.add(tt.machineToken("system"+raw(n), exchangeAudience, true))
		p.add(tt.AppToken(tt.AddApplication("robot"), exchangeAudience))
	}
	pool := a.AddPool("drawn", "my.dev.provider")
	_, token := a.DeveloperToken(pool, "user")
	p.add(token)
	for n := range 14 {
		tt := pick(d, a, a, p.w.b, p.w.c)
		if n%5 == 4 {
			p.identity(tt, n)
			continue
		}
		c := drawnClient{Application: tt.AddApplication(fmt.Sprint("drawn ", n)), tenant: tt}
		if n%5 == 3 {
			tt.graph("PATCH", "/v1.0/applications/"+c.ObjectID, m{"isFallbackPublicClient": true}, nil)
		}
		for i := range d.IntN(6) {
			body := p.trust(&c, fmt.Sprint("trust-", i))
			tt.Request("POST", tt.GraphURL+"/v1.0/applications/"+c.ObjectID+"/federatedIdentityCredentials", tt.AdminToken(tt.GraphURL), body) // it may be refused
		}
		p.clients = append(p.clients, c)
	}
	return p
}

// identity draws a managed identity as the client.
func (p *population) identity(tt *Treaty, n int) {
	made := tt.AddManagedIdentity("client" + raw(n))
	c := drawnClient{Application: Application{ClientID: made.ClientID, PrincipalID: made.PrincipalID}, tenant: tt}
	for i := range p.d.IntN(4) {
		body := p.trust(&c, fmt.Sprint("trust-", i))
		tt.Request("PUT", tt.ARMURL+made.ID+"/federatedIdentityCredentials/"+body["name"].(string)+"?api-version=2023-01-31", tt.AdminToken(tt.ARMURL), m{"properties": body}) // it may be refused
	}
	p.clients = append(p.clients, c)
}

// add has a token drawn, whole and with one thing changed, and trusted.
func (p *population) add(token string) {
	_, claims := (&awsWorld{Treaty: p.w.a}).readJWT(token)
	source := m{"issuer": claims["iss"], "subject": claims["sub"], "audience": audienceOf(claims)}
	if claims["tid"] != nil {
		source["own"] = true
	}
	p.sources = append(p.sources, source)
	p.tokens = append(p.tokens, func() string { return token })
	other := func() string { return p.tokens[p.d.IntN(len(p.tokens))]() }
	p.tokens = append(p.tokens, func() string {
		h, c, s := parts(token)
		switch p.d.IntN(5) {
		case 0:
			return h + "." + c
		case 1:
			return h + "." + c + "." + last(token[:len(token)-4]+"AAAA")
		case 2:
			changed := m{pick(p.d, "iss", "sub", "aud", "exp", "oid", "idtyp", "xms_mirid"): pick[any](p.d, nil, "x", 1, []string{"x"})}
			return h + "." + b64.EncodeToString([]byte(raw(with(claimsIn(c), changed)))) + "." + s
		case 3:
			return b64.EncodeToString([]byte(raw(m{"alg": pick(p.d, "none", "HS256", "ES256", "RS256"), "kid": "x"}))) + "." + c + "." + s
		default:
			_, theirs, _ := strings.Cut(other(), ".")
			return h + "." + theirs
		}
	})
}

func claimsIn(part string) (claims m) {
	b, _ := b64.DecodeString(part) // a part that was readable a moment ago
	_ = json.Unmarshal(b, &claims)
	return claims
}

// audienceOf is the first audience of claims.
func audienceOf(claims m) string {
	if list, is := claims["aud"].([]any); is {
		return list[0].(string)
	}
	return text(claims, "aud")
}

// trust draws a federated credential of a client for one of the tokens, sometimes with something wrong.
func (p *population) trust(c *drawnClient, name string) m {
	n := p.d.IntN(len(p.sources))
	c.trusted = append(c.trusted, n)
	from := p.sources[n]
	bend := func(s any) string {
		if p.d.IntN(4) > 0 {
			return s.(string)
		}
		return strings.TrimSpace(pick(p.d, variants(s.(string))...))
	}
	aud := bend(from["audience"])
	if _, own := from["own"]; own {
		aud = exchangeAudience
	}
	return m{"name": name, "issuer": bend(from["issuer"]), "subject": bend(from["subject"]), "audiences": []string{aud}}
}

// TestExplainAgreesForEveryKindOfToken draws clients, roles, trusts and tokens of all kinds and compares what
// explain foretells with what the clouds do, and with what is on record of it.
func TestExplainAgreesForEveryKindOfToken(t *testing.T) {
	t.Parallel()
	p := newPopulation(t, sameDraw(1))
	t.Run("at Entra", p.trade)
	t.Run("at STS", p.assume)
}

// trade presents tokens as clients at Entra.
func (p *population) trade(t *testing.T) {
	a, granted, codes := p.w.a, 0, map[string]int{}
	for range 400 {
		c, at := p.clients[p.d.IntN(len(p.clients))], p.d.IntN(len(p.tokens))
		if n := len(c.trusted); n > 0 && p.d.IntN(3) > 0 {
			at = 2 * c.trusted[p.d.IntN(n)]
			if p.d.IntN(3) == 0 {
				at++
			}
		}
		token := p.tokens[at]()
		told, err := a.server.ExplainToken(t.Context(), server.Question{Token: token, App: c.ClientID})
		if err != nil {
			t.Fatal(err)
		}
		status, code, id := a.answered(c.tenant, c.ClientID, token)
		if told.Pass != (status == 200) || told.Answer.Code != code {
			t.Fatalf("explain says %v %s, the endpoint %d %s\n%s\n%s", told.Pass, told.Answer.Code, status, code, token, raw(told))
		}
		kept := a.Explain(id)
		if kept.Pass != told.Pass || kept.Answer != told.Answer || kept.Change != told.Change || raw(kept.Sections) != raw(told.Sections) {
			t.Fatalf("foretold %s\nkept     %s", raw(told), raw(kept))
		}
		if status == 200 {
			granted++
		} else {
			codes[code]++
		}
		if p.d.IntN(100) == 0 {
			p.w.a.Advance(time.Duration(p.d.IntN(120)) * time.Second)
		}
	}
	t.Logf("%d granted, refused by code: %v", granted, codes)
	if granted < 20 || len(codes) < 9 {
		t.Errorf("the draw is too narrow to prove anything: %d granted, codes %v", granted, codes)
	}
}

// assume presents tokens for roles at STS.
func (p *population) assume(t *testing.T) {
	a := p.w.a
	w := &awsWorld{Treaty: a, root: a.AWSConfig}
	registered := map[string]string{}
	var roles []string
	var trusted []int
	for n, from := range p.sources {
		iss := from["issuer"].(string)
		if iss == "https://cognito-identity.amazonaws.com" {
			registered[iss] = strings.TrimPrefix(iss, "https://")
		} else if registered[iss] == "" && p.d.IntN(6) > 0 {
			registered[iss] = a.AddProvider(iss, audience, exchangeAudience, "fb60f99c-7a34-4190-8149-302f77469936", a.GraphURL)
		}
		if registered[iss] == "" {
			continue
		}
		name := strings.TrimPrefix(iss, "https://")
		conditions := m{"StringEquals": m{name + ":aud": from["audience"]}}
		if p.d.IntN(3) > 0 {
			conditions[pick(p.d, "StringEquals", "StringLike", "StringNotEquals", "StringEqualsIfExists")] = m{name + ":aud": from["audience"], name + ":sub": pick(p.d, from["subject"], from["subject"], "*", "other")}
		}
		if name == "token.actions.githubusercontent.com" || name == "gitlab.com" { // IAM wants a subject there
			conditions = m{"StringEquals": m{name + ":aud": from["audience"], name + ":sub": from["subject"]}}
		}
		roles, trusted = append(roles, a.AddRole("drawn"+raw(n), admits(registered[iss], raw(conditions)))), append(trusted, n)
	}
	granted, codes := 0, map[string]int{}
	for range 200 {
		n := p.d.IntN(len(roles))
		at := p.d.IntN(len(p.tokens))
		if p.d.IntN(3) > 0 {
			at = 2*trusted[n] + p.d.IntN(2)
		}
		token := p.tokens[at]()
		told, err := a.server.ExplainRole(t.Context(), server.RoleQuestion{Token: token, Role: roles[n], Session: "probe"})
		if err != nil {
			t.Fatal(err)
		}
		err = w.web(roles[n], token)
		got, foretold := said(err), ""
		if !told.Pass {
			foretold = told.Answer.Code + ": " + told.Answer.Text
		}
		if got != foretold {
			t.Fatalf("explain says %s, STS %s\n%s", cmpOr(foretold, "success"), cmpOr(got, "success"), token)
		}
		if err == nil {
			granted++
			continue
		}
		codes[got]++
		kept := a.Explain(requestID(t, err))
		if kept.Pass || kept.Answer.Code != told.Answer.Code || raw(kept.Sections) != raw(told.Sections) {
			t.Fatalf("foretold %s\nkept     %s", raw(told), raw(kept))
		}
	}
	t.Logf("%d granted, refused: %v", granted, codes)
	if granted < 10 || len(codes) < 4 {
		t.Errorf("the draw is too narrow to prove anything: %d granted, %v", granted, codes)
	}
}
