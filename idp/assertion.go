package idp

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

// clientAlgorithms are those that a client may sign its assertion with.
var clientAlgorithms = []string{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.ES256}

// maxAssertion is how far ahead an assertion may end: an hour is what Okta allows ("Build a JWT for client
// authentication").
const maxAssertion = time.Hour

const (
	checkAudience  = "audience"
	checkFarExpiry = "expiry within an hour"
	checkTokenID   = "token id"
	checkOnce      = "first use"
)

// byPrivateKey judges an assertion that the client signed itself (RFC 7523 section 3). Everything is looked
// at; the first failure is the answer. Only what passes in full uses up its jti.
func (s *Service) byPrivateKey(ctx context.Context, c *call, p presented, client directory.IssuerClient) error {
	claims := p.assertion.Claims
	verifier := token.Verifier{Source: registered(client.Keys), Algorithms: clientAlgorithms, Leeway: s.Verifier.Leeway, Now: s.Now}
	checks := append(c.evidence.Client, verifier.Algorithm(p.assertion),
		evidence.Compare("issuer", "iss", p.id, claims["iss"]), evidence.Compare("subject", "sub", p.id, claims["sub"]),
		s.audienceCheck(c, claims))
	why := ""
	if first, failed := checks.First(); failed {
		why = "not looked at: the check of " + first.Name + " failed"
	}
	checks = append(checks, verifier.Proof(ctx, p.assertion, p.id, why)...)
	checks = append(checks, verifier.Times(claims)...)
	end, _ := claims.Time("exp")
	checks = append(checks, s.farExpiry(c, claims, end), tokenIDCheck(claims))
	first, failed := checks.First()
	once := evidence.Check{Name: checkOnce, Claim: "jti", Operator: "not used before", Skipped: failed}
	var broken error
	if !failed {
		until := end.Add(s.Verifier.Leeway)
		err := s.Once.Use(ctx, onceKey(c.issuer.Name, client.ID, claims.Text("jti")), c.now, until)
		if once.OK = err == nil; errors.Is(err, fault.Conflict) {
			once.Note = "an assertion with this jti was used already"
		} else if err != nil {
			broken = err
		}
		first, failed = once, !once.OK
	}
	c.evidence.Client = append(checks, once)
	switch {
	case broken != nil:
		return broken
	case failed:
		return refuse(invalidClient, "client_assertion: "+failure(first))
	}
	return nil
}

// form checks what can be seen of an assertion before its client is known.
func (p presented) form() evidence.Checks { return (&token.Verifier{}).Form(p.assertion) }

// audienceCheck wants the assertion to be for this issuer: its URL, or its token endpoint by any of the
// names that it has.
func (s *Service) audienceCheck(c *call, claims token.Claims) evidence.Check {
	endpoint := c.preset.token
	want := []string{c.base + endpoint, c.issuer.URL, ownBase(c.issuer) + endpoint, s.namedBase(c.issuer) + endpoint}
	slices.Sort(want[1:])
	check := evidence.Check{Name: checkAudience, Claim: "aud", Operator: "one of", Want: slices.Compact(want), Got: evidence.Values(claims["aud"])}
	check.OK = slices.ContainsFunc(claims.Texts("aud"), func(aud string) bool { return slices.Contains(want, aud) })
	if !claims.Has("aud") {
		check.Got, check.Note = nil, "the token has no claim aud"
	}
	return check
}

func (s *Service) farExpiry(c *call, claims token.Claims, end time.Time) evidence.Check {
	limit := c.now.Add(maxAssertion + s.Verifier.Leeway)
	check := evidence.Check{Name: checkFarExpiry, Claim: "exp", Operator: "not after", Want: []string{limit.UTC().Format(time.RFC3339)}}
	if end.IsZero() {
		check.Skipped, check.Note = true, "exp could not be read"
		return check
	}
	check.Got, check.OK = []string{end.Format(time.RFC3339)}, !end.After(limit)
	return check
}

func tokenIDCheck(claims token.Claims) evidence.Check {
	id := claims.Text("jti")
	check := evidence.Check{Name: checkTokenID, Claim: "jti", Operator: "present", OK: id != ""}
	if id != "" {
		check.Got = []string{evidence.Clip(id)}
	} else {
		check.Note = "an assertion needs a jti, as it is good for one use"
	}
	return check
}

// onceKey names an assertion of a client. No client's id has the separator.
func onceKey(issuer, client, jti string) string { return "idp/" + issuer + "/" + client + "\x00" + jti }

// registered is the source of the keys that a client registered: no other is ever used.
type registered []byte

// PublicKeys gives the keys of the set.
func (set registered) PublicKeys(context.Context, string, string) ([]token.PublicKey, error) {
	if len(set) == 0 {
		return nil, nil
	}
	parsed, err := jose.ParseKeySet(set)
	if err != nil {
		return nil, err
	}
	out := make([]token.PublicKey, 0, len(parsed.Keys))
	for _, k := range parsed.Keys {
		out = append(out, token.PublicKey{ID: k.ID, Algorithm: k.Algorithm, Key: k.Key, Certificate: k.Certificate})
	}
	return out, nil
}
