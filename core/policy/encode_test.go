package policy

import (
	"encoding/json"
	"testing"

	"github.com/treatyfed/treaty/core/evidence"
)

func TestDecisionsAreWrittenAsEncodingJSONDoes(t *testing.T) {
	t.Parallel()
	full := Decision{
		Result: ExplicitDeny, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/<o>", Caller: "c", Because: "with an explicit deny in a session policy",
		Layers:     []Layer{{Type: IdentityBased, Result: Allowed, Needed: true, Statements: 3}, {Type: SessionPolicy, Result: ExplicitDeny, Note: "n"}},
		Statements: []Matched{{Source: "s", Type: SessionPolicy, Index: 2, SID: "sid", Effect: Deny, Applies: true, Checks: evidence.Checks{{Name: "action", OK: true}}, Start: Position{1, 2}, End: Position{3, 4}}, {Source: "x", Type: RoleTrust}},
		Missing:    []string{"aws:username"},
	}
	for _, ds := range [][]Decision{{}, {{}}, {full, {Layers: []Layer{}}}} {
		std, err := json.Marshal(ds)
		if err != nil {
			t.Fatal(err)
		}
		if ours := string(AppendDecisions(nil, ds)); ours != string(std) {
			t.Errorf("got  %s\nwant %s", ours, std)
		}
	}
}
