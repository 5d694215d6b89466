package treatytest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/wire/jose"
)

// The grants that take foreign tokens, and the types of those.
const (
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	bearerGrant   = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenType     = "urn:ietf:params:oauth:token-type:"
)

// hub is an issuer that takes the tokens of one foreign issuer, and of no other.
type hub struct {
	*outside
	Issuer
	trusted *foreign
	secret  string
}

func newHub(t *testing.T, claims map[string]string) *hub {
	t.Helper()
	h := &hub{outside: newOutside(t, Config{})}
	h.trusted = h.stranger()
	h.Issuer = Issuer{Name: "hub", URL: "https://hub.example/as"}
	var made struct{ Clients []struct{ Secret string } }
	h.Control("POST", "issuers", m{"name": "hub", "url": h.URL, "claims": claims, "accepts": []m{{"issuer": h.trusted.issuer, "audiences": []string{"app"}}},
		"clients": []m{{"id": "broker", "grants": []string{"client_credentials", exchangeGrant, bearerGrant}}}}, &made)
	h.secret = made.Clients[0].Secret
	return h
}

// trade posts a form of the broker's.
func (h *hub) trade(form url.Values, more ...string) (code, token string) {
	h.t.Helper()
	form.Set("client_id", "broker")
	form.Set("client_secret", h.secret)
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return h.granted(h.URL+"/token", asked{form, nil})
}

// exchanged is the form of a subject token.
func exchanged(subject string) url.Values {
	return url.Values{"grant_type": {exchangeGrant}, "subject_token": {subject}, "subject_token_type": {tokenType + "jwt"}}
}

func TestForeignTokensAreTakenFromTheAcceptedIssuerAlone(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	evil := h.stranger()
	neighbour := h.AddIssuer("neighbour", "https://hub.example/as/neighbour", "", IssuerClient{ID: "worker"})
	_, own := h.trade(values())
	at := func(d time.Duration) int64 { return h.Now().Add(d).Unix() }
	good := func(claims m) string { return h.trusted.token(nil, claims) }
	honest := good(nil)
	head, claims, sig := parts(honest)
	kid, real := h.signingKey("entra")
	for name, c := range map[string]struct {
		token string
		taken bool
		asks  bool // may the accepted issuer be asked
	}{
		"the honest one":                           {honest, true, true},
		"of another subject":                       {good(m{"sub": "other"}), true, true},
		"for another audience":                     {good(m{"aud": "other"}), false, false},
		"for no audience":                          {good(m{"aud": nil}), false, false},
		"that has ended":                           {good(m{"exp": at(-6 * time.Minute)}), false, true},
		"of the future":                            {good(m{"iat": at(time.Hour)}), false, true},
		"without an end":                           {good(m{"exp": nil}), false, false},
		"of an issuer that is not accepted":        {evil.token(nil, nil), false, false},
		"of one that calls itself the accepted":    {evil.tokenBy(evilKey(), nil, m{"iss": h.trusted.issuer}), false, true},
		"of the accepted, in capitals":             {good(m{"iss": strings.ToUpper(h.trusted.issuer)}), false, false},
		"of the accepted, with a slash":            {good(m{"iss": h.trusted.issuer + "/"}), false, false},
		"of the issuer itself":                     {own, false, false},
		"of a neighbour":                           {h.IssuerToken(neighbour, "worker", map[string]string{"audience": "app"}), false, false},
		"of Entra":                                 {h.AdminToken(h.GraphURL), false, false},
		"by Entra's key":                           {h.trusted.tokenBy(real, m{"kid": kid}, nil), false, true},
		"with the attacker's key in its header":    {h.trusted.tokenBy(evilKey(), m{"jwk": key("k1", nil)}, nil), false, true},
		"that nobody signed":                       {b64.EncodeToString([]byte(`{"alg":"none"}`)) + "." + claims + ".", false, false},
		"that nobody signed, with a signature":     {b64.EncodeToString([]byte(`{"alg":"none"}`)) + "." + claims + "." + sig, false, false},
		"HS256":                                    {b64.EncodeToString([]byte(`{"alg":"HS256","kid":"k1"}`)) + "." + claims + "." + sig, false, false},
		"with a critical extension":                {h.trusted.token(m{"crit": []string{"x"}, "x": 1}, nil), false, false},
		"with its claims changed":                  {head + "." + b64.EncodeToString([]byte(`{"iss":"`+h.trusted.issuer+`","sub":"admin","aud":"app","exp":4102444800}`)) + "." + sig, false, true},
		"that is none":                             {"undefined", false, false},
		"that is an opaque secret":                 {h.secret, false, false},
		"with an iss that is a list with the good": {good(m{"iss": []string{h.trusted.issuer}}), false, false},
	} {
		for grant, form := range map[string]url.Values{"exchange": exchanged(c.token), "bearer": {"grant_type": {bearerGrant}, "assertion": {c.token}}} {
			before, elsewhere := h.trusted.requests(), evil.requests()
			code, got := h.trade(form)
			want := map[string]string{"exchange": "invalid_request", "bearer": "invalid_grant"}[grant]
			if c.taken && got == "" || !c.taken && code != want {
				t.Errorf("a token %s, %s: %s", name, grant, cmpOr(code, "success"))
			}
			if n := h.trusted.requests() - before; n > 0 && !c.asks || evil.requests() != elsewhere {
				t.Errorf("a token %s, %s: the accepted issuer was asked %d times, another %d", name, grant, n, evil.requests()-elsewhere)
			}
		}
	}
}

func TestTypesAndActorsOfAnExchange(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	evil := h.stranger()
	good := func(claims m) string { return h.trusted.token(nil, claims) }
	jwt, robot := tokenType+"jwt", good(m{"sub": "robot"})
	names := good(m{"may_act": m{"sub": "robot", "iss": h.trusted.issuer}})
	for name, c := range map[string]struct {
		want string
		more []string
	}{
		"as an access token":                    {"", []string{"subject_token_type", tokenType + "access_token"}},
		"as a refresh token":                    {"invalid_request", []string{"subject_token_type", tokenType + "refresh_token"}},
		"as a SAML assertion":                   {"invalid_request", []string{"subject_token_type", tokenType + "saml2"}},
		"as an unknown thing":                   {"invalid_request", []string{"subject_token_type", "jwt"}},
		"as a type in capitals":                 {"invalid_request", []string{"subject_token_type", strings.ToUpper(jwt)}},
		"as nothing":                            {"invalid_request", []string{"subject_token_type", ""}},
		"for a refresh token":                   {"invalid_request", []string{"requested_token_type", tokenType + "refresh_token"}},
		"for an id token":                       {"", []string{"requested_token_type", tokenType + "id_token"}},
		"with a good actor":                     {"", []string{"actor_token", robot, "actor_token_type", jwt}},
		"with an actor of no type":              {"invalid_request", []string{"actor_token", robot}},
		"with the type of no actor":             {"invalid_request", []string{"actor_token_type", jwt}},
		"with an actor as a SAML assertion":     {"invalid_request", []string{"actor_token", robot, "actor_token_type", tokenType + "saml1"}},
		"with an actor of another issuer":       {"invalid_request", []string{"actor_token", evil.token(nil, nil), "actor_token_type", jwt}},
		"with an actor that has ended":          {"invalid_request", []string{"actor_token", good(m{"exp": 1}), "actor_token_type", jwt}},
		"with an actor for somebody else":       {"invalid_request", []string{"actor_token", good(m{"aud": "other"}), "actor_token_type", jwt}},
		"with the actor that it names":          {"", []string{"subject_token", names, "actor_token", robot, "actor_token_type", jwt}},
		"with another actor than it names":      {"invalid_request", []string{"subject_token", names, "actor_token", good(m{"sub": "other"}), "actor_token_type", jwt}},
		"with an actor that it names in a list": {"invalid_request", []string{"subject_token", good(m{"may_act": m{"sub": []string{"robot"}}}), "actor_token", robot, "actor_token_type", jwt}},
		"with two audiences too many":           {"invalid_target", []string{"audience", strings.Repeat("x", 2000)}},
	} {
		if code, _ := h.trade(exchanged(good(nil)), c.more...); code != c.want {
			t.Errorf("a token %s: got %s, want %s", name, cmpOr(code, "success"), cmpOr(c.want, "success"))
		}
	}
	_, got := h.trade(exchanged(good(m{"act": m{"sub": "before"}, "sub": "alice"})), "actor_token", robot, "actor_token_type", jwt)
	act, _ := claimsOf(t, got)["act"].(m)
	if claimsOf(t, got)["sub"] != "alice" || text(act, "sub") != "robot" || text(act, "iss") != h.trusted.issuer || raw(act["act"]) != `{"sub":"before"}` {
		t.Errorf("%v", claimsOf(t, got))
	}
	_, got = h.trade(exchanged(good(m{"act": m{"sub": "before"}})))
	if act := claimsOf(t, got)["act"]; act != nil {
		t.Errorf("without an actor the token has act %v", act)
	}
}

// order sends an order that may be refused.
func (tt *Treaty) order(method, path string, in any) error {
	return tt.server.Control(context.Background(), method, path, in, nil)
}

func TestRulesThatReachTooFarAreRefused(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	long := strings.Repeat("a", 5000)
	list := "[" + strings.Repeat("1,", 199) + "1]"
	many := map[string]string{}
	for i := range 101 {
		many["c"+raw(i)] = "1"
	}
	for name, claims := range map[string]map[string]string{
		"iss":                     {"iss": `"https://evil.example"`},
		"exp":                     {"exp": `4102444800`},
		"iat":                     {"iat": `1`},
		"a rule that is too long": {"c": `"` + long + `"`},
		"too many rules":          many,
		"deep parentheses":        {"c": strings.Repeat("(", 500) + "1" + strings.Repeat(")", 500)},
		"deep lists":              {"c": strings.Repeat("[", 500) + strings.Repeat("]", 500)},
		"a rule that is none":     {"c": `subject.`},
		"a name that is none":     {"": `1`},
		"a name of control":       {"a\nb": `1`},
		"an unknown variable":     {"c": `secrets.master`},
		"an unknown function":     {"c": `env("HOME")`},
	} {
		if err := h.order("POST", "issuers", m{"name": "bad", "url": "https://bad.example", "claims": claims}); err == nil || !strings.Contains(err.Error(), " 400 ") {
			t.Errorf("%s: %v", name, err)
		}
		if err := h.order("POST", "issuers", m{"name": "bad", "url": "https://bad.example", "clients": []m{{"id": "c", "claims": claims}}}); err == nil || !strings.Contains(err.Error(), " 400 ") {
			t.Errorf("%s, of a client: %v", name, err)
		}
	}
	// What is a rule may still cost too much, and gives no token then.
	for name, source := range map[string]string{
		"lists within lists":       list + ".map(a, " + list + ".map(b, " + list + ".map(c, a + b + c)))",
		"lists that double":        "[[1]]" + strings.Repeat(".map(a, a + a)", 28) + ".exists(a, 5 in a)",
		"texts that double":        `["x"]` + strings.Repeat(".map(a, a + a)", 28),
		"a pattern that backs off": `("x" + request.parameters.?x.orValue("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")).matches("^(([a-z])+.)+[A-Z]([a-z])+$") ? 1 : [1].map(x, ` + list + `.map(y, ` + list + `))`,
		"an empty subject":         `""`,
	} {
		claim := "c"
		if name == "an empty subject" {
			claim = "sub"
		}
		if err := h.order("PUT", "issuers/hub", m{"url": h.URL, "claims": m{claim: source}, "clients": []m{{"id": "broker"}}}); err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		if code, _ := h.trade(values()); code != "invalid_request" {
			t.Errorf("%s: %s", name, cmpOr(code, "success"))
		}
	}
}

// What a client or a foreign issuer says costs no more than a rule may.
func TestParametersAndSubjectsCannotMakeARuleCostTooMuch(t *testing.T) {
	t.Parallel()
	h := newHub(t, map[string]string{
		"names":  `request.parameters.map(n, n).join(",")`,
		"upper":  `request.parameters.?x.orValue("").upperAscii().split("").size()`,
		"found":  `request.parameters.map(n, request.parameters.map(k, request.parameters[k].contains(n)).size()).size()`,
		"copied": `subject`,
		"match":  `request.parameters.?x.orValue("").matches(request.parameters.?pattern.orValue("^$"))`,
	})
	deep := func(open, close string, n int) json.RawMessage {
		return json.RawMessage(strings.Repeat(open, n) + "1" + strings.Repeat(close, n))
	}
	many, wide := values(), m{}
	for i := range 60 {
		many.Set("p"+raw(i), strings.Repeat("x", 1000))
		wide[strings.Repeat("k", i+1)] = make([]int, 100)
	}
	for name, c := range map[string]struct {
		form  url.Values
		taken bool
	}{
		"none":                      {values(), true},
		"a long one":                {values("x", strings.Repeat("x", 60_000)), false},
		"a longer one":              {values("x", strings.Repeat("x", 70_000)), false},
		"many":                      {many, false},
		"a pattern that backs off":  {values("x", strings.Repeat("a", 2000), "pattern", "^(a+)+$"), true},
		"a pattern that is huge":    {values("x", "a", "pattern", "((a{100}){100}){100}"), false},
		"a pattern that is no such": {values("x", "a", "pattern", "("), false},
		"no UTF-8":                  {values("x\xff", "\xff"), false},
		"a deep subject":            {exchanged(h.trusted.token(nil, m{"x": deep("[", "]", 60)})), false},
		"a wide subject":            {exchanged(h.trusted.token(nil, wide)), false},
		"a subject of maps":         {exchanged(h.trusted.token(nil, m{"x": deep(`{"k":`, "}", 60)})), false},
		"a subject with a text":     {exchanged(h.trusted.token(nil, m{"x": strings.Repeat("\x01", 20_000)})), false},
	} {
		code, got := h.trade(c.form)
		if c.taken != (got != "") || !c.taken && code != "invalid_request" {
			t.Errorf("%s: %s", name, cmpOr(code, "success"))
		}
	}
}

// Eight requests at once, of which one has a rule that costs all it may, disturb nobody.
func TestReplacingAnIssuerWhileItIsUsed(t *testing.T) {
	t.Parallel()
	h := newHub(t, nil)
	p, err := jose.Publish("k1", &goodKey().PublicKey, nil)
	h.must(err)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 6 {
				switch {
				case i == 0: // one replaces it, with other keys, rules and an algorithm
					err := h.order("PUT", "issuers/hub", m{"url": h.URL, "algorithm": algorithms[n%4], "claims": m{"n": raw(n)}, "clients": []m{{"id": "broker"}, {"id": "k", "keys": m{"keys": []any{p}}}}})
					if err != nil {
						t.Error(err)
					}
				case i == 1:
					if err := h.order("POST", "issuers/hub/rotate", nil); err != nil {
						t.Error(err)
					}
				default:
					if code, _ := h.trade(values("audience", rand.Text())); code != "" {
						t.Errorf("%s", code)
					}
				}
			}
		})
	}
	group.Wait()
}
