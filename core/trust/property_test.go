package trust_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/trust"
)

// TestDecisionsFollowFromTheirEvidence draws tokens and trusts from few values, so that every kind of
// match and near miss comes up, and holds each decision to a naive reading of the rules.
func TestDecisionsFollowFromTheirEvidence(t *testing.T) {
	t.Parallel()
	const seed = 20261121
	r := rand.New(rand.NewPCG(seed, seed))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	issuer := func() string { return pick(pool, pool, pool, pool, github, github, pool+"/", broken) }
	subject := func() string { return pick("repo:contoso/x", "repo:contoso/x", "Repo:contoso/x", "other") }
	reached := map[trust.Reason]int{}
	for range 60 {
		c := claims("iss", issuer(), "sub", subject(), "aud", pick(poolID, poolID, "y"), "exp", json.Number(pick("1893456000", "1893456000", "1700000000")))
		kid := pick("k1", "k1", "k9")
		raw := sign(t, "RS256", kid, c)
		if pick("good", "good", "forged") == "forged" {
			raw = raw[:len(raw)-8] + "AAAAAAAA"
		}
		for range 12 {
			trusts := make([]trust.Trust, r.IntN(4))
			for i := range trusts {
				s, e := subject(), ""
				if r.IntN(3) == 0 {
					s, e = "", pick(pattern, "claims['sub'] eq 'other'")
				}
				trusts[i] = fed(fmt.Sprint(i), issuer(), s, e)
			}
			x, asked := exchange()
			d := x.Decide(t.Context(), raw, trusts)
			full := slices.ContainsFunc(trusts, func(tr trust.Trust) bool {
				is := tr.Conditions[0].Want[0] == c.Text("iss") && c.Text("aud") == poolID
				switch want := tr.Conditions[1].Want[0]; want {
				case pattern:
					return is && c.Text("iss") == github && strings.HasPrefix(c.Text("sub"), "repo:contoso/")
				case "claims['sub'] eq 'other'":
					return is && c.Text("iss") == github && c.Text("sub") == "other"
				default:
					return is && c.Text("sub") == want
				}
			})
			known := (c.Text("iss") == pool || c.Text("iss") == github) && kid == "k1"
			want := full && known && !strings.HasSuffix(raw, "AAAAAAAA") && c["exp"] != json.Number("1700000000")
			if d.OK() != want {
				t.Fatalf("seed %d: %v with %+v: %q, want accepted %v", seed, c, trusts, d.Reason, want)
			}
			if (len(asked.asked) == 1) != full || full && asked.asked[0] != c.Text("iss") {
				t.Fatalf("seed %d: asked %q, a full match: %v", seed, asked.asked, full)
			}
			checkWhole(t, "random", d)
			reached[d.Reason]++
		}
	}
	for _, reason := range []trust.Reason{"", trust.NoTrusts, trust.IssuerUnknown, trust.ExpressionIssuer, trust.SubjectCase, trust.SubjectMismatch, trust.AudienceMismatch, trust.KeyUnknown, trust.SignatureInvalid} {
		if reached[reason] == 0 {
			t.Errorf("the draw never came to %q: %v", reason, reached)
		}
	}
}
