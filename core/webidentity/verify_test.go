package webidentity_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/webidentity"
	"github.com/treatyfed/treaty/wire/jose"
)

// hs256 makes the token of the oldest confusion: the public key as the secret of an HMAC.
func hs256(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(rsaKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := json.Marshal(with(nil))
	signed := b64(`{"alg":"HS256","kid":"rsa"}`) + "." + b64(string(payload))
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(signed))
	return signed + "." + b64(string(mac.Sum(nil)))
}

func TestWhatIsNoTokenIsForItsBearerToMend(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{"nothing": "", "something else": "undefined", "a line break at the end": good(t, nil) + "\n"} {
		_, r, err := newWorld(t).Verify(t.Context(), account, raw)
		if err != nil || r.Reason != webidentity.Malformed || !strings.HasPrefix(r.Fix, "present the token alone: ") {
			t.Errorf("%s: %q, %q, %v", name, r.Reason, r.Fix, err)
		}
	}
}

func TestForgedAndBrokenTokensAreRefusedForTheirReason(t *testing.T) {
	t.Parallel()
	payload, _ := json.Marshal(with(nil))
	tampered := strings.Split(good(t, nil), ".")
	tampered[1] = b64(strings.Replace(string(payload), "subject-probe", "administrator", 1))
	bring, _ := json.Marshal(publish(t, "rsa", otherRSA().Public()))
	twice := `{"iss":"` + issuer + `","sub":"s","aud":"client-a","iat":1789123600,"exp":1789124600,"aud":"client-a"}`
	raw := func(header string) string {
		s := strings.SplitN(good(t, nil), ".", 2)
		return b64(header) + "." + s[1]
	}
	for name, c := range map[string]struct {
		token   string
		reason  webidentity.Reason
		details []string
	}{
		"no token at all":                       {"undefined", webidentity.Malformed, nil},
		"an opaque token":                       {"ya29.a0AfH6SMBx", webidentity.Malformed, nil},
		"an encrypted token":                    {"a.b.c.d.e", webidentity.Malformed, nil},
		"a header that asks for extensions":     {raw(`{"alg":"RS256","kid":"rsa","crit":["x"],"x":1}`), webidentity.Malformed, nil},
		"an unsecured token":                    {b64(`{"alg":"none"}`) + "." + b64(string(payload)) + ".", webidentity.Malformed, nil},
		"none with a signature":                 {raw(`{"alg":"none","kid":"rsa"}`), webidentity.Malformed, nil},
		"a member twice":                        {b64(`{"alg":"RS256","kid":"rsa"}`) + "." + b64(twice) + "." + b64("sig"), webidentity.Malformed, nil},
		"the public key as an HMAC's secret":    {hs256(t), webidentity.AlgorithmRefused, []string{"HS256"}},
		"a PSS signature":                       {sign(t, with(nil), "rsa", "PS256", rsaKey()), webidentity.AlgorithmRefused, []string{"PS256"}},
		"an algorithm in small letters":         {raw(`{"alg":"rs256","kid":"rsa"}`), webidentity.AlgorithmRefused, []string{"rs256"}},
		"claims changed after signing":          {strings.Join(tampered, "."), webidentity.SignatureInvalid, []string{"rsa"}},
		"signed by another key of that id":      {sign(t, with(nil), "rsa", "RS256", otherRSA()), webidentity.SignatureInvalid, []string{"rsa"}},
		"signed by a key that the token has":    {raw(`{"alg":"RS256","kid":"rsa","jwk":` + string(bring) + `}`), webidentity.SignatureInvalid, []string{"rsa"}},
		"keys at an address of the token":       {raw(`{"alg":"RS256","kid":"evil","jku":"https://evil.example/keys"}`), webidentity.KeyUnknown, []string{"evil"}},
		"an RSA algorithm with an EC key's id":  {raw(`{"alg":"RS256","kid":"p256"}`), webidentity.SignatureInvalid, []string{"p256"}},
		"a curve that is not the algorithm's":   {sign(t, with(nil), "p384", "ES256", p256()), webidentity.SignatureInvalid, []string{"p384"}},
		"a key that is not published":           {sign(t, with(nil), "gone", "RS256", rsaKey()), webidentity.KeyUnknown, []string{"gone"}},
		"no key id and several keys":            {sign(t, with(nil), "", "RS256", rsaKey()), webidentity.KeyUnknown, []string{""}},
		"a key id that climbs":                  {sign(t, with(nil), "../../rsa", "RS256", rsaKey()), webidentity.KeyUnknown, []string{"../../rsa"}},
		"no issuer":                             {good(t, claims{"iss": nil}), webidentity.MissingClaim, []string{"iss"}},
		"no subject":                            {good(t, claims{"sub": nil}), webidentity.MissingClaim, []string{"sub"}},
		"no audience":                           {good(t, claims{"aud": nil}), webidentity.MissingClaim, []string{"aud"}},
		"no expiry":                             {good(t, claims{"exp": nil}), webidentity.MissingClaim, []string{"exp"}},
		"no time of issue":                      {good(t, claims{"iat": nil}), webidentity.MissingClaim, []string{"iat"}},
		"an issuer that is a number":            {good(t, claims{"iss": 1}), webidentity.MissingClaim, []string{"iss"}},
		"another issuer":                        {good(t, claims{"iss": "https://evil.example"}), webidentity.NoProvider, []string{"https://evil.example"}},
		"a trailing slash":                      {good(t, claims{"iss": issuer + "/"}), webidentity.NoProvider, []string{issuer + "/"}},
		"another case":                          {good(t, claims{"iss": "https://idp.example/Realm"}), webidentity.NoProvider, []string{"https://idp.example/Realm"}},
		"the issuer by http":                    {good(t, claims{"iss": "http://idp.example/realm"}), webidentity.NoProvider, []string{"http://idp.example/realm"}},
		"the issuer without its scheme":         {good(t, claims{"iss": "idp.example/realm"}), webidentity.NoProvider, []string{"idp.example/realm"}},
		"another port":                          {good(t, claims{"iss": "https://idp.example:8443/realm"}), webidentity.NoProvider, []string{"https://idp.example:8443/realm"}},
		"a token of STS itself":                 {good(t, claims{"iss": "https://5f2b.tokens.sts.global.api.aws"}), webidentity.OwnToken, nil},
		"expired by more than five minutes":     {good(t, claims{"exp": 1789123397}), webidentity.Expired, []string{"1789123421", "1789123397"}},
		"expired by five minutes to the second": {good(t, claims{"exp": now.Unix() - 300}), webidentity.Expired, []string{"1789123421", "1789123421"}},
		"not valid for an hour":                 {good(t, claims{"nbf": now.Unix() + 3600}), webidentity.NotYetValid, []string{"1789124021", "1789127321"}},
		"issued in an hour":                     {good(t, claims{"iat": 1789127298}), webidentity.FromTheFuture, []string{"1789127298"}},
		"an expiry with a fraction":             {good(t, claims{"exp": 1789124598.5}), webidentity.TimeUnreadable, []string{"exp"}},
		"a time of issue with a fraction":       {good(t, claims{"iat": 1789123697.5}), webidentity.TimeUnreadable, []string{"iat"}},
		"a time of issue that is null":          {good(t, claims{"iat": null}), webidentity.TimeUnreadable, []string{"iat"}},
		"an expiry with an exponent":            {good(t, claims{"exp": json.RawMessage("1789124598e0")}), webidentity.TimeUnreadable, []string{"exp"}},
		"an expiry beyond all numbers":          {good(t, claims{"exp": json.RawMessage("99999999999999999999")}), webidentity.TimeUnreadable, []string{"exp"}},
		"a beginning in words":                  {good(t, claims{"nbf": "invalid"}), webidentity.TimeUnreadable, []string{"nbf"}},
		"an audience that is not registered":    {good(t, claims{"aud": "other"}), webidentity.AudienceMismatch, []string{"other"}},
		"an empty audience":                     {good(t, claims{"aud": ""}), webidentity.AudienceMismatch, []string{""}},
		"an empty list of audiences":            {good(t, claims{"aud": []string{}}), webidentity.NoAudience, nil},
		"audiences that are numbers":            {good(t, claims{"aud": []int{1}}), webidentity.NoAudience, nil},
		"several audiences":                     {good(t, claims{"aud": []string{client, "client-b"}}), webidentity.ManyAudiences, nil},
		"an authorized party of another's":      {good(t, claims{"azp": "other"}), webidentity.AudienceMismatch, []string{"other"}},
		"an empty authorized party":             {good(t, claims{"azp": ""}), webidentity.AudienceMismatch, []string{""}},
		"an authorized party that is a list":    {good(t, claims{"azp": []string{client}}), webidentity.AudienceMismatch, []string{""}},
		"a subject that is null":                {good(t, claims{"sub": null}), webidentity.SubjectMissing, nil},
		"a subject that is an object":           {good(t, claims{"sub": claims{"a": 1}}), webidentity.SubjectMissing, nil},
	} {
		id, report, err := newWorld(t).Verify(t.Context(), account, c.token)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if report.Reason != c.reason || !cmp.Equal(append([]string{}, report.Details...), append([]string{}, c.details...)) {
			t.Errorf("%s: %q %q, want %q %q", name, report.Reason, report.Details, c.reason, c.details)
		}
		if id.Provider != "" || id.Claims != nil {
			t.Errorf("%s: the refused token gave an identity %+v", name, id)
		}
		if all := append(append(report.Token[:0:0], report.Token...), report.Provider...); all.OK() {
			t.Errorf("%s: no check failed: %+v", name, all)
		}
	}
}

func TestGoodTokensAreWhatTheySay(t *testing.T) {
	t.Parallel()
	base := func(change func(*webidentity.Identity)) webidentity.Identity {
		id := webidentity.Identity{Provider: arn, Account: account, Prefix: "idp.example/realm", Subject: "subject-probe", Audience: client, OriginalAudience: []string{client}}
		change(&id)
		return id
	}
	for name, c := range map[string]struct {
		token string
		want  webidentity.Identity
	}{
		"RS256": {good(t, nil), base(func(*webidentity.Identity) {})},
		"RS512, whatever the key set says of the key": {sign(t, with(nil), "rsa", "RS512", rsaKey()), base(func(*webidentity.Identity) {})},
		"ES256":                          {sign(t, with(nil), "p256", "ES256", p256()), base(func(*webidentity.Identity) {})},
		"ES384":                          {sign(t, with(nil), "p384", "ES384", p384()), base(func(*webidentity.Identity) {})},
		"the port 443 is the default":    {good(t, claims{"iss": "https://idp.example:443/realm"}), base(func(*webidentity.Identity) {})},
		"expired within the leeway":      {good(t, claims{"exp": now.Unix() - 299}), base(func(*webidentity.Identity) {})},
		"issued ahead within the leeway": {good(t, claims{"iat": now.Unix() + 300, "nbf": now.Unix() + 300}), base(func(*webidentity.Identity) {})},
		"times in strings":               {good(t, claims{"exp": "1789124298", "iat": "1789123698", "nbf": "1789123698"}), base(func(*webidentity.Identity) {})},
		"an empty subject":               {good(t, claims{"sub": ""}), base(func(id *webidentity.Identity) { id.Subject = "" })},
		"a subject that is a number":     {good(t, claims{"sub": 123}), base(func(id *webidentity.Identity) { id.Subject = "123" })},
		"a list of one audience":         {good(t, claims{"aud": []string{client}}), base(func(id *webidentity.Identity) { id.AudienceList = true })},
		"the authorized party counts, not the audience": {good(t, claims{"aud": "other", "azp": "client-b"}), base(func(id *webidentity.Identity) {
			id.Audience, id.OriginalAudience = "client-b", []string{"other"}
		})},
		"several audiences and an authorized party": {good(t, claims{"aud": []string{"other", client}, "azp": "client-b"}), base(func(id *webidentity.Identity) {
			id.Audience, id.OriginalAudience, id.AudienceList = "client-b", []string{"other", client}, true
		})},
		"an authorized party that is null is none": {good(t, claims{"azp": null}), base(func(*webidentity.Identity) {})},
		"methods and an address": {good(t, claims{"amr": []string{"pwd", "mfa"}, "email": "ann@example.com"}), base(func(id *webidentity.Identity) {
			id.AMR, id.Email = []string{"pwd", "mfa"}, "ann@example.com"
		})},
		"of our identity pools": {sign(t, with(claims{"iss": pools, "aud": "us-east-1:pool", "amr": []string{"authenticated"}}), "us-east-11", "RS512", rsaKey()), base(func(id *webidentity.Identity) {
			id.Provider, id.Account, id.Prefix, id.AMR = webidentity.Cognito, "", webidentity.Cognito, []string{"authenticated"}
			id.Audience, id.OriginalAudience = "us-east-1:pool", []string{"us-east-1:pool"}
		})},
		"of Google": {good(t, claims{"iss": "https://accounts.google.com", "aud": "server", "azp": "app"}), base(func(id *webidentity.Identity) {
			id.Provider, id.Account, id.Prefix, id.Audience, id.OriginalAudience = webidentity.Google, "", webidentity.Google, "app", []string{"server"}
		})},
		"of Google as it once was": {good(t, claims{"iss": "accounts.google.com", "aud": "app"}), base(func(id *webidentity.Identity) {
			id.Provider, id.Account, id.Prefix, id.Audience, id.OriginalAudience = webidentity.Google, "", webidentity.Google, "app", []string{"app"}
		})},
	} {
		id, report, err := newWorld(t).Verify(t.Context(), account, c.token)
		if err != nil || !report.OK() || !report.Token.OK() || !report.Provider.OK() {
			t.Errorf("%s: %+v, %v", name, report, err)
			continue
		}
		id.Claims = nil
		if diff := cmp.Diff(c.want, id); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestProvidersOfOtherAccountsDoNotCountAndNobodyUnknownIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct{ account, token string }{
		"another account":   {"210987654321", good(t, nil)},
		"an unknown issuer": {account, good(t, claims{"iss": "https://evil.example"})},
		"a missing claim":   {account, good(t, claims{"sub": nil})},
		"a bad algorithm":   {account, hs256(t)},
	} {
		if _, report, err := w.Verify(t.Context(), c.account, c.token); err != nil || report.OK() {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
	if len(w.web.asked) != 0 {
		t.Errorf("asked %q", w.web.asked)
	}
}

func TestACertificateWithoutAnAuthorityNeedsTheProvidersThumbprint(t *testing.T) {
	t.Parallel()
	other := strings.Repeat("a", 40)
	for name, c := range map[string]struct {
		shows  string
		reason webidentity.Reason
	}{
		"an authority":            {"", ""},
		"its thumbprint":          {pin, ""},
		"a thumbprint unheard of": {other, webidentity.PeerUnknown},
	} {
		w := newWorld(t)
		w.web.untrusted = c.shows
		_, report, err := w.Verify(t.Context(), account, good(t, nil))
		check, found := report.Provider.Named("certificate")
		if err != nil || report.Reason != c.reason || !found || check.OK != (c.reason == "") || !cmp.Equal(check.Want, []string{"a trusted authority", pin}) {
			t.Errorf("%s: %q, %+v, %v", name, report.Reason, check, err)
		}
		if !cmp.Equal(w.web.pins[0], []string{pin}) {
			t.Errorf("%s: pinned %q", name, w.web.pins)
		}
	}
}

// What one account pins does not vouch for the issuer in another.
func TestThumbprintsAreEachAccountsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.web.untrusted = pin
	theirs := provider(strings.Replace(arn, account, "210987654321", 1), client)
	theirs.AccountID, theirs.Thumbprints = "210987654321", nil
	w.Providers = providers{list: []directory.OIDCProvider{provider(arn, client), theirs}}
	if _, report, err := w.Verify(t.Context(), account, good(t, nil)); err != nil || !report.OK() {
		t.Fatalf("%+v, %v", report, err)
	}
	if _, report, err := w.Verify(t.Context(), "210987654321", good(t, nil)); err != nil || report.Reason != webidentity.PeerUnknown {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestPoisonedIssuersHaveNoKeys(t *testing.T) {
	t.Parallel()
	configuration := issuer + "/.well-known/openid-configuration"
	for name, poison := range map[string]func(*web){
		"no configuration": func(w *web) { delete(w.docs, configuration) },
		"no key set":       func(w *web) { delete(w.docs, issuer+"/keys") },
		"a configuration of another": func(w *web) {
			w.docs[configuration] = `{"issuer":"https://other.example","jwks_uri":"` + issuer + `/keys"}`
		},
		"keys by http": func(w *web) {
			w.docs[configuration] = `{"issuer":"` + issuer + `","jwks_uri":"http://idp.example/keys"}`
		},
		"keys in a file":                  func(w *web) { w.docs[configuration] = `{"issuer":"` + issuer + `","jwks_uri":"file:///etc/passwd"}` },
		"a huge key set":                  func(w *web) { w.docs[issuer+"/keys"] = strings.Repeat(" ", jose.MaxKeySet+1) },
		"a key set that is HTML":          func(w *web) { w.docs[issuer+"/keys"] = "<html>" },
		"a key set without usable keys":   func(w *web) { w.docs[issuer+"/keys"] = `{"keys":[{"kty":"oct","kid":"rsa","k":"AAAA"}]}` },
		"a key set that is nested deeply": func(w *web) { w.docs[issuer+"/keys"] = strings.Repeat(`{"keys":[`, 5000) },
	} {
		w := newWorld(t)
		poison(w.web)
		_, report, err := w.Verify(t.Context(), account, good(t, nil))
		if err != nil || report.Reason != webidentity.KeysUnavailable {
			t.Errorf("%s: %q, %v", name, report.Reason, err)
		}
	}
}

func TestAStoreThatFailsIsNoVerdict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Providers = providers{err: fault.New(fault.Unavailable, "provider", "the database is away")}
	if _, _, err := w.Verify(t.Context(), account, good(t, nil)); !errors.Is(err, fault.Unavailable) {
		t.Errorf("%v", err)
	}
}

func TestManyTokensOfOneIssuerAskItOnce(t *testing.T) {
	t.Parallel()
	w, raw := newWorld(t), good(t, nil)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, report, err := w.Verify(t.Context(), account, raw); err != nil || !report.OK() {
				t.Errorf("%+v, %v", report, err)
			}
		})
	}
	group.Wait()
	if len(w.web.asked) != 2 {
		t.Errorf("asked %q", w.web.asked)
	}
}

func TestARotatedKeyIsFoundAtOnceAndUnknownOnesDoNotHammerTheIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clock := now
	w.Keys = &token.Discovery{Fetcher: w.web, Parse: webidentity.ParseKeys, Now: func() time.Time { return clock }}
	verify := func(raw string) webidentity.Reason {
		_, report, err := w.Verify(t.Context(), account, raw)
		if err != nil {
			t.Fatal(err)
		}
		return report.Reason
	}
	fresh, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if verify(good(t, nil)) != "" {
		t.Fatal("the first key")
	}
	w.web.publish(issuer, jwks(t, publish(t, "new", fresh.Public())))
	if why := verify(sign(t, with(nil), "new", "RS256", fresh)); why != "" {
		t.Errorf("the rotated key: %s", why)
	}
	before := len(w.web.asked)
	for range 20 {
		if verify(sign(t, with(nil), "invented", "RS256", fresh)) != webidentity.KeyUnknown {
			t.Error("an invented key")
		}
	}
	if n := len(w.web.asked) - before; n > 0 {
		t.Errorf("20 invented keys made %d fetches within the bound", n)
	}
}

// Strangers do not fill the audit: what nobody vouched for is kept in brief.
func TestUnprovedTokensLeaveLittleBehind(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 4000)
	c := with(claims{"sub": long, "email": long, "junk": long, "https://aws.amazon.com/tags": claims{"principal_tags": claims{"k": []string{long}}}})
	_, report, err := newWorld(t).Verify(t.Context(), account, sign(t, c, "rsa", "RS256", otherRSA()))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(report)
	if err != nil || len(b) > 5000 || strings.Contains(string(b), "junk") {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if report.Reason != webidentity.SignatureInvalid || report.Claims.Text("iss") != issuer {
		t.Errorf("%+v", report)
	}
}

func TestOpaqueTokensAreNeverAccepted(t *testing.T) {
	t.Parallel()
	for provider, want := range map[string]webidentity.Reason{
		"www.amazon.com": webidentity.NotAmazonToken, "graph.facebook.com": webidentity.NotFacebookToken,
		"https://www.amazon.com": webidentity.UnknownOpaque, "accounts.google.com": webidentity.UnknownOpaque,
	} {
		if r := webidentity.Opaque(provider); r.Reason != want || r.Provider.OK() {
			t.Errorf("%s: %+v", provider, r)
		}
	}
}
