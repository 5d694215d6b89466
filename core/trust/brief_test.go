package trust_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
)

// A stranger who knows a client id must not fill the disk: whatever he sends, the record stays small, and
// still has every check.
func TestAnOversizedDecisionIsKeptInBrief(t *testing.T) {
	t.Parallel()
	evil := strings.Repeat("\x01", 1000)
	audience := make([]any, 40)
	for i := range audience {
		audience[i] = evil
	}
	claims := token.Claims{"iss": "https://a.example", "sub": evil, "aud": audience, "exp": json.Number("1"), "junk": strings.Repeat("<", 40_000), "nbf": json.Number(strings.Repeat("1", 9000))}
	d := trust.Decision{Reason: trust.SubjectMismatch, Header: map[string]any{"alg": "RS256", "kid": evil, "x5c": evil}, Claims: claims}
	d.Report.Checks = evidence.Checks{{Name: token.CheckForm, OK: true, Got: []string{evil}}}
	for range 20 {
		d.Verdicts = append(d.Verdicts, trust.Match(trust.Federated("id", "name", "https://a.example", "s", "", []string{"x"}), claims))
	}
	b, err := d.JSON(64 << 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 128<<10 {
		t.Errorf("%d bytes are kept", len(b))
	}
	var kept trust.Decision
	if err := json.Unmarshal(b, &kept); err != nil {
		t.Fatal(err)
	}
	if kept.Reason != d.Reason || len(kept.Verdicts) != 20 || kept.Claims["iss"] != "https://a.example" || kept.Claims.Has("junk") {
		t.Errorf("%+v", kept)
	}
	for i, v := range kept.Verdicts {
		for j, c := range v.Checks {
			if want := d.Verdicts[i].Checks[j]; c.Name != want.Name || c.OK != want.OK || c.Note != want.Note || len(c.Got) == 0 {
				t.Errorf("verdict %d: %+v, want %+v", i, c, want)
			}
		}
	}
	if got := len(d.Verdicts[0].Checks[1].Got[0]); got < 1000 {
		t.Errorf("the decision itself was cut: %d", got)
	}

	small := trust.Decision{Claims: token.Claims{"iss": "a", "junk": "b"}}
	b, err = small.JSON(64 << 10)
	if err != nil || !strings.Contains(string(b), `"junk":"b"`) {
		t.Errorf("%s, %v", b, err)
	}
}
