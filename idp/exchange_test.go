package idp_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/idp"
)

func traded(subject string, pairs ...string) url.Values {
	return form(append([]string{"grant_type", exchange, "subject_token", subject, "subject_token_type", typePrefix + "jwt"}, pairs...)...)
}

func withActor(subject, actor string) url.Values {
	return traded(subject, "actor_token", actor, "actor_token_type", typePrefix+"access_token")
}

func TestTokensAreExchanged(t *testing.T) {
	t.Parallel()
	i := plain()
	i.Claims = map[string]string{"groups": `subject.?groups`}
	w := newWorld(t, i, corp())
	rec := w.post(plainToken, url.Values{"grant_type": {exchange}, "subject_token": {w.foreign("alice", "plain")}, "subject_token_type": {typePrefix + "id_token"}, "audience": {"a", "b"}, "scope": {"s"}}, basic("app", secret))
	_, claims := w.granted(rec, i.URL)
	got := read(t, rec)
	if got.IssuedType != typePrefix+"access_token" || got.TokenType != "Bearer" || claims.Text("sub") != "alice" || !cmp.Equal(claims.Texts("aud"), []string{"a", "b"}) || len(claims.Texts("groups")) != 2 || claims.Has("act") {
		t.Errorf("%+v %v", got, claims)
	}
	e, about := w.journal.last(t)
	if e.Operation != "token token-exchange" || !strings.Contains(string(about.Subject), "alice") || about.Actor != nil || strings.Contains(string(e.Evidence), "eyJ") {
		t.Errorf("on record is %s", e.Evidence)
	}

	rec = w.post(plainToken, withActor(w.foreign("alice", "plain", "act", map[string]any{"sub": "before"}), w.foreign("robot", "plain")), basic("app", secret))
	_, claims = w.granted(rec, i.URL)
	want := map[string]any{"sub": "robot", "iss": corpURL, "act": map[string]any{"sub": "before"}}
	if d := cmp.Diff(want, claims["act"]); d != "" || claims.Text("sub") != "alice" {
		t.Error(d)
	}
	for asked, kind := range map[string]string{"jwt": "Bearer", "id_token": "N_A"} {
		got := read(t, w.post(plainToken, traded(w.foreign("alice", "plain"), "requested_token_type", typePrefix+asked), basic("app", secret)))
		if got.IssuedType != typePrefix+asked || got.TokenType != kind || got.AccessToken == "" {
			t.Errorf("%s: %+v", asked, got)
		}
	}

	rec = w.post(plainToken, form("grant_type", bearer, "assertion", w.foreign("alice", "plain"), "scope", "x"), basic("app", secret))
	if _, claims = w.granted(rec, i.URL); claims.Text("sub") != "alice" || claims.Text("scope") != "x" || read(t, rec).IssuedType != "" {
		t.Errorf("%v %s", claims, rec.Body)
	}
}

func TestForeignTokensThatAreNotAccepted(t *testing.T) {
	t.Parallel()
	stranger := corp()
	stranger.Name, stranger.URL = "stranger", "https://stranger.example"
	w := newWorld(t, plain(), corp(), stranger)
	foreign, err := w.Mint(t.Context(), "stranger", idp.Mint{Audience: []string{"plain"}, Parameters: map[string]any{"sub": "alice"}})
	must(t, err)
	self, err := w.Mint(t.Context(), "plain", idp.Mint{Client: "app", Audience: []string{"plain"}})
	must(t, err)
	ok := func(more ...any) string { return w.foreign("alice", "plain", more...) }
	short, err := w.Mint(t.Context(), "corp", idp.Mint{Audience: []string{"plain"}, Parameters: map[string]any{"sub": "alice"}, Lifetime: time.Second})
	must(t, err)
	w.advance(10 * time.Minute)
	good := ok()
	for name, c := range map[string]struct {
		token string
		want  []string
	}{
		"no token":                            {"x", []string{"malformed token"}},
		"a token of an issuer that is not":    {foreign.Token, []string{"issuer unknown", "claim iss", "stranger.example"}},
		"a token of its own":                  {self.Token, []string{"issuer unknown"}},
		"a token of another subject":          {w.foreign("bob", "plain"), []string{"subject mismatch", "claim sub, wanted equals 'alice', got 'bob'"}},
		"a token for another":                 {w.foreign("alice", "elsewhere"), []string{"audience mismatch", "claim aud, wanted contains 'plain', got 'elsewhere'"}},
		"a token that ended":                  {short.Token, []string{"time invalid", "expired"}},
		"a token with another's signature":    {good[:strings.LastIndexByte(good, '.')] + self.Token[strings.LastIndexByte(self.Token, '.'):], []string{"signature invalid"}},
		"a token that nobody signed":          {"eyJhbGciOiJub25lIn0.e30.", []string{"malformed token"}},
		"a token of a key that nobody has":    {sign(clientKey(), "k9", map[string]any{"iss": corpURL, "sub": "alice", "aud": "plain", "exp": w.now().Add(time.Hour).Unix()}), []string{"key unknown"}},
		"a token that says less than it must": {sign(clientKey(), "k9", map[string]any{"iss": corpURL, "aud": "plain"}), []string{"missing claim", "sub", "exp"}},
	} {
		for _, grant := range []struct {
			form url.Values
			code string
		}{
			{traded(c.token), "invalid_request"}, {withActor(good, c.token), "invalid_request"}, {form("grant_type", bearer, "assertion", c.token), "invalid_grant"},
		} {
			w.asked = nil
			rec := w.post(plainToken, grant.form, basic("app", secret))
			got := read(t, rec)
			if rec.Code != 400 || got.Error != grant.code {
				t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
			}
			for _, want := range c.want {
				if !strings.Contains(got.Description, want) {
					t.Errorf("%s: %s\nlacks %s", name, got.Description, want)
				}
			}
			for _, address := range w.asked {
				if !strings.HasPrefix(address, corpURL) {
					t.Errorf("%s: %s was asked", name, address)
				}
			}
		}
	}
	if rec := w.post(corpURL+"/token", traded(good), basic("app", secret)); read(t, rec).Error != "invalid_client" {
		t.Error(rec.Body)
	}
}

func TestWhomTheSubjectLetsAct(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plain(), corp())
	robot := w.foreign("robot", "plain")
	for name, c := range map[string]struct {
		mayAct  any
		refused string // how the refusal ends, "" for a token
	}{
		"the actor":                  {map[string]any{"sub": "robot", "iss": corpURL}, ""},
		"the actor by all it has":    {map[string]any{"sub": "robot", "groups": []any{"a", "b"}}, ""},
		"another actor":              {map[string]any{"sub": "other"}, "may_act names another 'sub'"},
		"an actor of another":        {map[string]any{"sub": "robot", "iss": "x"}, "may_act names another 'iss'"},
		"an actor of any kind":       {map[string]any{"role": "x"}, "may_act names another 'role'"},
		"an actor of another mail":   {map[string]any{"sub": "robot", "email": "o@example.org", "groups": "a"}, "may_act names another 'email', 'groups'"},
		"several actors":             {map[string]any{"sub": []any{"robot"}}, "may_act names another 'sub'"},
		"a member that is null":      {map[string]any{"sub": "robot", "email": nil}, "may_act names another 'email'"},
		"nobody":                     {map[string]any{}, "may_act identifies nobody"},
		"an actor without an object": {"robot", "may_act identifies nobody"},
		"a list of objects":          {[]any{map[string]any{"sub": "robot"}}, "may_act identifies nobody"},
		"a truth value":              {false, "may_act identifies nobody"},
	} {
		rec := w.post(plainToken, withActor(w.foreign("alice", "plain", "may_act", c.mayAct), robot), basic("app", secret))
		got := read(t, rec)
		if c.refused == "" && rec.Code != 200 || c.refused != "" && (got.Error != "invalid_request" || !strings.HasSuffix(got.Description, c.refused)) {
			t.Errorf("%s: %s", name, rec.Body)
		}
		if _, about := w.journal.last(t); !strings.HasSuffix(about.Note, c.refused) {
			t.Errorf("%s: on record is %q", name, about.Note)
		}
	}
	chain := map[string]any{"sub": strings.Repeat("x", 5000)}
	if rec := w.post(plainToken, withActor(w.foreign("alice", "plain", "act", chain), robot), basic("app", secret)); !strings.Contains(rec.Body.String(), "chain of actors") {
		t.Errorf("an endless chain: %s", rec.Body)
	}
}

func TestAnIssuerMayAcceptItselfAndAnySubject(t *testing.T) {
	t.Parallel()
	i := plain()
	i.Accepts = []directory.AcceptedIssuer{{Issuer: i.URL}}
	w := newWorld(t, i)
	self, err := w.Mint(t.Context(), "plain", idp.Mint{Client: "app"})
	must(t, err)
	rec := w.post(plainToken, traded(self.Token), basic("app", secret))
	if _, claims := w.granted(rec, i.URL); claims.Text("sub") != "app" {
		t.Error(claims)
	}
	i.Accepts = nil
	i.Name, i.URL = "closed", "https://closed.example"
	w.add(i)
	if got := read(t, w.post("https://closed.example/token", traded(self.Token), basic("app", secret))); got.Error != "invalid_request" || !strings.Contains(got.Description, "accepts no tokens of others") {
		t.Errorf("%+v", got)
	}
}

func TestAnIssuerWhoseKeysCannotBeHad(t *testing.T) {
	t.Parallel()
	i := plain()
	i.Accepts = []directory.AcceptedIssuer{{Issuer: "https://silent.example", Audiences: []string{"plain"}}}
	w := newWorld(t, i)
	raw := sign(clientKey(), "k", map[string]any{"iss": "https://silent.example", "sub": "s", "aud": "plain", "exp": now.Add(time.Hour).Unix()})
	got := read(t, w.post(plainToken, traded(raw), basic("app", secret)))
	if got.Error != "invalid_request" || !strings.Contains(got.Description, "keys of https://silent.example could not be had") || strings.Contains(got.Description, "404") {
		t.Errorf("%+v", got)
	}
	if _, about := w.journal.last(t); !strings.Contains(string(about.Subject), "404") {
		t.Errorf("the story is not on record: %s", about.Subject)
	}
}
