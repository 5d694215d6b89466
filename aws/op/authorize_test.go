package op

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// sessionOf makes temporary credentials of ann's.
func sessionOf(t testing.TB, d *Dispatcher, change func(*credential.Session)) (credential.Session, string) {
	t.Helper()
	s := credential.Session{
		Account: account, Type: string(policy.User), ARN: "arn:aws:iam::" + account + ":user/ann", ID: "AIDAEXAMPLE", UserID: "AIDAEXAMPLE",
		IssuedAt: now, Expires: now.Add(time.Hour),
	}
	if change != nil {
		change(&s)
	}
	s, token, err := d.Access.Issue(s, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s, token
}

func withToken(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", token) }
}

func TestTemporaryKeysGoWithTheirTokenUntilTheyExpire(t *testing.T) {
	t.Parallel()
	const invalid, expired = "The security token included in the request is invalid.", "The security token included in the request is expired"
	unknown := [2]string{"InvalidClientTokenId", "UnrecognizedClientException"}
	over := [2]string{"ExpiredToken", "ExpiredTokenException"}
	wrong := [2]string{"SignatureDoesNotMatch", "InvalidSignatureException"}
	for _, p := range []Protocol{Query, JSON11} {
		for _, tt := range []struct {
			name    string
			session func(*credential.Session)
			token   func(string) string
			secret  string
			want    [2]string // "" accepted
			message string
		}{
			{name: "good"},
			{name: "without its token", token: func(string) string { return "" }, want: unknown, message: invalid},
			{name: "altered", token: func(s string) string { return s[:40] + "A" + s[41:] }, want: unknown, message: invalid},
			{name: "cut", token: func(s string) string { return s[:len(s)-4] }, want: unknown, message: invalid},
			{name: "no base64", token: func(string) string { return "???" }, want: unknown, message: invalid},
			{name: "too long", token: func(s string) string { return strings.Repeat("A", 8192) }, want: unknown, message: invalid},
			{name: "expired this instant", session: func(s *credential.Session) { s.Expires = now }, want: over, message: expired},
			{name: "of a user that is gone", session: func(s *credential.Session) { s.ID = "AIDAGONE" }, want: unknown, message: invalid},
			{name: "with another secret", secret: "guess", want: wrong, message: "The request signature we calculated"},
		} {
			d, _ := world(t, toy(p))
			s, token := sessionOf(t, d, tt.session)
			if tt.token != nil {
				token = tt.token(token)
			}
			r := call(p, "Who", "")
			if token != "" {
				withToken(token)(r)
			}
			secret := s.Secret.Reveal()
			if tt.secret != "" {
				secret = tt.secret
			}
			sign(t, r, s.KeyID, secret, "toy", now)
			w, _ := serve(d, r)
			i := map[Protocol]int{Query: 0, JSON11: 1}[p]
			if tt.want[i] == "" {
				if w.Code != 200 || !strings.Contains(w.Body.String(), "user/ann") {
					t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
				}
				continue
			}
			if got := readRefusal(t, p, w); got.Code != tt.want[i] || !strings.HasPrefix(got.Message, tt.message) {
				t.Errorf("%s: %+v", tt.name, got)
			}
		}
		d, _ := world(t, toy(p))
		one, _ := sessionOf(t, d, nil)
		_, other := sessionOf(t, d, nil)
		r := call(p, "Who", "")
		withToken(other)(r)
		sign(t, r, one.KeyID, one.Secret.Reveal(), "toy", now)
		if w, _ := serve(d, r); w.Code == 200 {
			t.Error("a key was taken with the token of another")
		}
	}
}

func TestPoliciesDecideWithTheRequestsOwnKeys(t *testing.T) {
	t.Parallel()
	allow := func(condition string) directory.Grants {
		return directory.Grants{Inline: []directory.InlinePolicy{{Name: "p", Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"toy:Ping","Resource":"arn:aws:toy:*:123456789012:thing/${aws:username}*","Condition":` + condition + `}}`}}}
	}
	for condition, allowed := range map[string]bool{
		`{}`: true,
		`{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`:                       true,
		`{"IpAddress":{"aws:SourceIp":"198.51.100.0/24"}}`:                    false,
		`{"StringEquals":{"aws:PrincipalTag/Team":"red"}}`:                    true,
		`{"StringEquals":{"aws:PrincipalTag/Team":"blue"}}`:                   false,
		`{"StringEquals":{"aws:RequestedRegion":"` + region + `"}}`:           true,
		`{"Bool":{"aws:SecureTransport":"true"}}`:                             false,
		`{"DateLessThan":{"aws:CurrentTime":"2026-11-20T10:30:01Z"}}`:         true,
		`{"DateLessThan":{"aws:EpochTime":"1"}}`:                              false,
		`{"Null":{"aws:MultiFactorAuthPresent":"true"}}`:                      true,
		`{"StringEquals":{"aws:PrincipalAccount":"123456789012"}}`:            true,
		`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::*:user/ann"}}`:        true,
		`{"StringEquals":{"aws:userid":"AIDAEXAMPLE","aws:username":"ann"}}`:  true,
		`{"StringEquals":{"aws:ResourceAccount":"123456789012"}}`:             true,
		`{"StringLike":{"aws:UserAgent":"toy/*"}}`:                            true,
		`{"StringEquals":{"aws:PrincipalType":"User","aws:Unknown":"x"}}`:     false,
		`{"StringEqualsIfExists":{"aws:PrincipalType":"User","aws:Non":"x"}}`: true,
	} {
		d, j := world(t, toy(Query))
		d.Access.Users = users{grants: allow(condition)}
		r := call(Query, "Ping", "Name=ann")
		r.Header.Set("User-Agent", "toy/1")
		sign(t, r, userKey, "user-secret", "toy", now)
		w, _ := serve(d, r)
		if (w.Code == 200) != allowed {
			t.Errorf("%s: %d %s", condition, w.Code, w.Body)
		}
		var proof Evidence
		if err := json.Unmarshal(j.last(t).Evidence, &proof); err != nil || len(proof.Authorisation) != 1 || proof.Authorisation[0].Allows() != allowed {
			t.Errorf("%s: evidence %s", condition, j.last(t).Evidence)
		}
	}
}

func TestTheRootMayInItsOwnAccountOnly(t *testing.T) {
	t.Parallel()
	d, j := world(t, toy(Query))
	d.Services = nil
	a := Access{Caller: Caller{}, Action: "toy:Ping"}
	a.Caller.Subject.Principal = policy.Principal{Type: policy.Account, Account: account, ARN: "arn:aws:iam::" + account + ":root", ID: account}
	for resource, want := range map[string]bool{
		"*": true,
		"arn:aws:toy:us-east-1:" + account + ":thing/x":       true,
		"arn:aws:toy:us-east-1:999999999999:thing/x":          false,
		"arn:aws:s3:::bucket":                                 true,
		"arn:aws:toy:us-east-1:999999999999:a:b:c/" + account: false,
	} {
		a.Resource = resource
		decision, err := By(d.Access)(t.Context(), a)
		if err != nil || decision.Allows() != want || !a.Caller.Root() {
			t.Errorf("%s: %v %+v", resource, err, decision)
		}
	}
	if len(j.events) != 0 {
		t.Error("asking is no event")
	}
}
