package treatytest

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

// asked is a request to a token endpoint; edit may be nil.
type asked struct {
	form url.Values
	edit func(r *http.Request)
}

// granted posts to a token endpoint and gives "" and the token, or the error code and "".
func (tt *Treaty) granted(endpoint string, a asked) (code, token string) {
	tt.t.Helper()
	req, err := http.NewRequest("POST", endpoint, strings.NewReader(a.form.Encode()))
	if err != nil {
		tt.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a.edit != nil {
		a.edit(req)
	}
	status, body := tt.do(req)
	var out struct {
		Error       string `json:"error"`
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &out); err != nil {
		tt.t.Fatalf("%s: %d %s", endpoint, status, body)
	}
	if want := map[string]int{"": 200, "invalid_client": 401}[out.Error]; want != 0 && status != want || out.Error != "" && out.AccessToken != "" || status == 200 && out.AccessToken == "" {
		tt.t.Errorf("%s: %d %s", endpoint, status, body)
	}
	return out.Error, out.AccessToken
}

func values(pairs ...string) url.Values {
	v := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

func basic(id, secret string) func(r *http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(id, secret) }
}

// Two issuers of one host, each with a client of the same name.
func TestAClientIsKnownToItsOwnIssuerAlone(t *testing.T) {
	t.Parallel()
	tt := New(t)
	a := tt.AddIssuer("a", "https://id.example/a", "", IssuerClient{ID: "app"}, IssuerClient{ID: "other"})
	b := tt.AddIssuer("b", "https://id.example/a/b", "", IssuerClient{ID: "app"})
	secret, theirs := a.Secrets["app"], b.Secrets["app"]
	header := func(text string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", text) }
	}
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	post := func(id, secret string, more ...string) url.Values {
		return values(append([]string{"client_id", id, "client_secret", secret}, more...)...)
	}
	for name, c := range map[string]struct {
		at   Issuer
		ask  asked
		want string
	}{
		"a's secret at a, in the header":            {a, asked{values(), basic("app", secret)}, ""},
		"a's secret at a, in the body":              {a, asked{post("app", secret), nil}, ""},
		"a's secret at b, in the header":            {b, asked{values(), basic("app", secret)}, "invalid_client"},
		"a's secret at b, in the body":              {b, asked{post("app", secret), nil}, "invalid_client"},
		"b's secret at a":                           {a, asked{post("app", theirs), nil}, "invalid_client"},
		"another client's secret":                   {a, asked{post("app", a.Secrets["other"]), nil}, "invalid_client"},
		"in header and body at once":                {a, asked{post("app", secret), basic("app", secret)}, "invalid_request"},
		"a wrong one in the body beside the header": {a, asked{post("app", "wrong"), basic("app", secret)}, "invalid_request"},
		"another client in the body than in header": {a, asked{values("client_id", "other"), basic("app", secret)}, "invalid_request"},
		"the same client in the body":               {a, asked{values("client_id", "app"), basic("app", secret)}, ""},
		"two secrets":                               {a, asked{post("app", secret, "client_secret", "x"), nil}, "invalid_request"},
		"two clients":                               {a, asked{post("app", secret, "client_id", "other"), nil}, "invalid_request"},
		"the secret in the query": {a, asked{values(), func(r *http.Request) {
			r.URL.RawQuery = post("app", secret).Encode()
		}}, "invalid_client"},
		"all of the form in the query": {a, asked{nil, func(r *http.Request) { r.URL.RawQuery = post("app", secret).Encode() }}, "invalid_request"},
		"JSON":                         {a, asked{post("app", secret), func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }}, "invalid_request"},
		"an empty secret":              {a, asked{post("app", ""), nil}, "invalid_client"},
		"an empty secret in a header":  {a, asked{values(), basic("app", "")}, "invalid_client"},
		"a secret with a space behind": {a, asked{post("app", secret+" "), nil}, "invalid_client"},
		"a secret in other letters":    {a, asked{post("app", strings.ToUpper(secret)), nil}, "invalid_client"},
		"a secret cut short":           {a, asked{post("app", secret[:len(secret)-1]), nil}, "invalid_client"},
		"a client in other letters":    {a, asked{post("APP", secret), nil}, "invalid_client"},
		"a client with a space behind": {a, asked{post("app ", secret), nil}, "invalid_client"},
		"a client that is not":         {a, asked{post("nobody", secret), nil}, "invalid_client"},
		"no client":                    {a, asked{values(), nil}, "invalid_client"},
		"a secret without its client":  {a, asked{values("client_secret", secret), nil}, "invalid_client"},
		"the secret as bearer":         {a, asked{values(), header("Bearer " + secret)}, "invalid_client"},
		"a header without a colon":     {a, asked{values(), header("Basic " + encoded("app"))}, "invalid_client"},
		"a header that is no base64":   {a, asked{values(), header("Basic ***")}, "invalid_client"},
		"a header with a bad escape":   {a, asked{values(), header("Basic " + encoded("app:%zz"))}, "invalid_client"},
		"a grant that is not its own":  {a, asked{post("app", secret, "grant_type", "x"), nil}, "invalid_request"},
		"an exchange that it may not": {a, asked{url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "client_id": {"app"}, "client_secret": {secret}, "subject_token": {"x"},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"}}, nil}, "unauthorized_client"},
		"a password": {a, asked{url.Values{"grant_type": {"password"}, "client_id": {"app"}, "client_secret": {secret}}, nil}, "unsupported_grant_type"},
	} {
		if got, _ := tt.granted(c.at.URL+"/token", c.ask); got != c.want {
			t.Errorf("%s: got %s, want %s", name, cmpOr(got, "success"), cmpOr(c.want, "success"))
		}
	}
}

// signerWorld is an issuer with a client that proves itself by a key, and others beside them.
type signerWorld struct {
	*Treaty
	a, b Issuer
}

func newSignerWorld(t *testing.T) *signerWorld {
	t.Helper()
	w := &signerWorld{Treaty: New(t)}
	good, bad := raw(m{"keys": []m{key("k1", nil)}}), raw(m{"keys": []m{evil("k1")}})
	w.a = w.AddIssuer("a", "https://a.example/as", "", IssuerClient{ID: "signer", Keys: []byte(good)}, IssuerClient{ID: "evil", Keys: []byte(bad)}, IssuerClient{ID: "plain"})
	w.b = w.AddIssuer("b", "https://b.example", "", IssuerClient{ID: "signer", Keys: []byte(good)})
	return w
}

// assertion is a good one of the client "signer" for issuer a, with some members changed.
func (w *signerWorld) assertion(by crypto.Signer, header, claims m) string {
	w.t.Helper()
	now, h := w.Now(), jose.Header{}
	members := with(m{"alg": "RS256", "kid": "k1"}, header)
	for _, name := range []string{"alg", "kid", "jwk", "jku", "x5u"} {
		if v, is := members[name]; is {
			h = append(h, jose.Member{Name: name, Value: v})
		}
	}
	all := with(m{"iss": "signer", "sub": "signer", "aud": w.a.URL + "/token", "jti": w.newID(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}, claims)
	out, err := jose.Sign(h, []byte(raw(all)), by, members["alg"].(string), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func presents(assertion string, more ...string) asked {
	return asked{values(append([]string{"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", assertion}, more...)...), nil}
}

func TestAClientsAssertionIsGoodOnceAndForItsIssuer(t *testing.T) {
	t.Parallel()
	w := newSignerWorld(t)
	at := func(d time.Duration) int64 { return w.Now().Add(d).Unix() }
	good := func(claims m) asked { return presents(w.assertion(goodKey(), nil, claims)) }
	_, own := w.granted(w.a.URL+"/token", good(m{"aud": w.a.URL}))
	if own == "" {
		t.Fatal("the issuer is no audience")
	}
	h, c, s := parts(w.assertion(goodKey(), nil, nil))
	public, err := x509.MarshalPKIXPublicKey(goodKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	hs := b64.EncodeToString([]byte(`{"alg":"HS256","kid":"k1"}`)) + "." + c
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(hs))
	no := "invalid_client"
	for name, c := range map[string]struct {
		ask  asked
		want string
	}{
		"the honest one":                       {good(nil), ""},
		"with its client's id":                 {presents(w.assertion(goodKey(), nil, nil), "client_id", "signer"), ""},
		"for several, this one among them":     {good(m{"aud": []string{"x", w.a.URL}}), ""},
		"with another client's id":             {presents(w.assertion(goodKey(), nil, nil), "client_id", "evil"), no},
		"for another client":                   {good(m{"iss": "evil", "sub": "evil"}), no},
		"about another client":                 {good(m{"sub": "evil"}), no},
		"of another client about this one":     {good(m{"iss": "evil"}), no},
		"by another client's key":              {presents(w.assertion(evilKey(), nil, nil)), no},
		"by another client's key, sent along":  {presents(w.assertion(evilKey(), m{"jwk": evil("k1")}, nil)), no},
		"by a key at a jku":                    {presents(w.assertion(evilKey(), m{"jku": "https://evil.example/keys"}, nil)), no},
		"by a key at an x5u":                   {presents(w.assertion(evilKey(), m{"x5u": "https://evil.example/cert"}, nil)), no},
		"under a kid that is not registered":   {presents(w.assertion(goodKey(), m{"kid": "k2"}, nil)), no},
		"of a client without keys":             {good(m{"iss": "plain", "sub": "plain"}), no},
		"of a client that is not":              {good(m{"iss": "nobody", "sub": "nobody"}), no},
		"for another issuer":                   {good(m{"aud": w.b.URL}), no},
		"for another issuer's token endpoint":  {good(m{"aud": w.b.URL + "/token"}), no},
		"for the issuer with a slash more":     {good(m{"aud": w.a.URL + "/"}), no},
		"for the issuer in capitals":           {good(m{"aud": strings.ToUpper(w.a.URL)}), no},
		"for Entra":                            {good(m{"aud": w.TokenURL()}), no},
		"for nobody":                           {good(m{"aud": nil}), no},
		"for an empty list":                    {good(m{"aud": []string{}}), no},
		"without an end":                       {good(m{"exp": nil}), no},
		"with an end past all numbers":         {good(m{"exp": json.RawMessage("1e400")}), no},
		"with an end in two hours":             {good(m{"exp": at(2 * time.Hour)}), no},
		"that has ended":                       {good(m{"exp": at(-6 * time.Minute)}), no},
		"of the future":                        {good(m{"iat": at(time.Hour)}), no},
		"that has not begun":                   {good(m{"nbf": at(time.Hour)}), no},
		"without a jti":                        {good(m{"jti": nil}), no},
		"with an empty jti":                    {good(m{"jti": ""}), no},
		"with a jti that is a number":          {good(m{"jti": 7}), no},
		"that nobody signed":                   {presents(b64.EncodeToString([]byte(`{"alg":"none"}`)) + "." + c + "."), no},
		"that nobody signed, with a signature": {presents(b64.EncodeToString([]byte(`{"alg":"none"}`)) + "." + c + "." + s), no},
		"HS256 keyed with the public key":      {presents(hs + "." + b64.EncodeToString(mac.Sum(nil))), no},
		"HS256 without a key":                  {presents(hs + "." + s), no},
		"with another's signature":             {presents(h + "." + c + "." + last(own)), no},
		"that is the issuer's own token":       {presents(own), no},
		"that is no token":                     {presents("undefined", "client_id", "signer"), no},
		"of another type":                      {asked{values("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "client_assertion", h+"."+c+"."+s), nil}, "invalid_request"},
		"without its type":                     {asked{values("client_assertion", h+"."+c+"."+s), nil}, "invalid_request"},
		"beside a secret":                      {presents(w.assertion(goodKey(), nil, nil), "client_secret", "x"), "invalid_request"},
		"a type without an assertion":          {asked{values("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), nil}, "invalid_request"},
	} {
		if got, _ := w.granted(w.a.URL+"/token", c.ask); got != c.want {
			t.Errorf("%s: got %s, want %s", name, cmpOr(got, "success"), cmpOr(c.want, "success"))
		}
	}
}

func TestAnAssertionThatIsReplayedIsRefused(t *testing.T) {
	t.Parallel()
	w := newSignerWorld(t)
	try := func(name string, at Issuer, ask asked, want string) {
		t.Helper()
		if got, _ := w.granted(at.URL+"/token", ask); got != want {
			t.Errorf("%s: got %s, want %s", name, cmpOr(got, "success"), cmpOr(want, "success"))
		}
	}
	same := w.newID()
	ask := presents(w.assertion(goodKey(), nil, m{"jti": same}))
	try("at another issuer", w.b, ask, "invalid_client")
	try("which has used up nothing", w.a, ask, "")
	try("the second time", w.a, ask, "invalid_client")
	try("another with the same jti", w.a, presents(w.assertion(goodKey(), nil, m{"jti": same, "x": 1})), "invalid_client")
	try("the same jti of another client", w.a, presents(w.assertion(evilKey(), nil, m{"jti": same, "iss": "evil", "sub": "evil"})), "")
	try("the same jti at another issuer", w.b, presents(w.assertion(goodKey(), nil, m{"jti": same, "aud": w.b.URL})), "")
	w.Advance(5*time.Minute + 299*time.Second)
	try("until the very end", w.a, ask, "invalid_client")
	w.Advance(time.Second)
	try("and after it, as it has ended", w.a, ask, "invalid_client")
	for round := range 4 {
		ask, won := presents(w.assertion(goodKey(), nil, nil)), atomic.Int32{}
		eight(func(int) {
			if code, _ := w.granted(w.a.URL+"/token", ask); code == "" {
				won.Add(1)
			}
		})
		if won.Load() != 1 {
			t.Errorf("round %d: of eight at once %d got a token", round, won.Load())
		}
	}
}

// What a token of an issuer says of itself is its issuer's: claims of the client and its parameters reach
// into it by rules alone.
func TestNoParameterReachesATokenButByARule(t *testing.T) {
	t.Parallel()
	tt := New(t)
	forged := map[string]string{"iss": "https://evil.example", "exp": "4102444800", "sub": "admin", "iat": "1", "act": "x", "jti": "mine", "nbf": "1", "client_id": "other", "attributes": "x"}
	for _, of := range products {
		c := of.client
		c.ID = "plain"
		if of.preset == "kubernetes" {
			c.ID = "prod/plain"
		}
		i := tt.AddIssuer(of.preset, of.url, of.preset, c)
		ask := maps.Clone(forged)
		for _, name := range []string{"sub", "client_id"} { // what an administrator may well say
			delete(ask, name)
		}
		ask["audience"] = audience
		claims := claimsOf(t, tt.IssuerToken(i, c.ID, ask))
		end, _ := token.Claims(claims).Time("exp")
		if claims["iss"] != i.URL || end.After(tt.Now().Add(25*time.Hour)) || claims["act"] != nil || claims["jti"] == "mine" || claims["nbf"] == "1" {
			t.Errorf("%s: %v", of.preset, claims)
		}
		if of.preset != "generic" && of.preset != "okta" && of.preset != "pingfederate" && of.preset != "spiffe" {
			continue
		}
		endpoint := i.URL + map[string]string{"okta": "/v1/token", "pingfederate": "/as/token.oauth2"}[of.preset]
		if of.preset == "generic" || of.preset == "spiffe" {
			endpoint += "/token"
		}
		form := values("client_secret", i.Secrets["plain"], "audience", audience, "scope", "s")
		for name, v := range forged {
			form.Set(name, v)
		}
		form.Set("client_id", "plain")
		_, got := tt.granted(endpoint, asked{form, nil})
		claims = claimsOf(t, got)
		if claims["iss"] != i.URL || claims["sub"] == "admin" || claims["act"] != nil || claims["jti"] == "mine" || claims["nbf"] == "1" {
			t.Errorf("%s: %v", of.preset, claims)
		}
	}
}
