package sts

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/webidentity"
)

func TestEvidenceIsWrittenAsEncodingJSONDoes(t *testing.T) {
	t.Parallel()
	checks := evidence.Checks{{Name: "n", Got: []string{"<x>"}, OK: true}}
	for _, e := range []WebIdentityEvidence{{}, {
		Asked: Asked{Role: "r", Policies: 1}, ProviderID: "p", Parameters: checks, Roles: checks, Session: checks,
		Report:    webidentity.Report{Reason: "x", Details: []string{"d"}, Fix: "f", Header: map[string]any{"alg": "RS256"}, Claims: token.Claims{"sub": "s"}, Token: checks, Provider: checks},
		Decisions: []policy.Decision{{Result: policy.Allowed}},
	}} {
		ours, err := e.appendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		std, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if json.Unmarshal(ours, &got) != nil || json.Unmarshal(std, &want) != nil || cmp.Diff(want, got) != "" {
			t.Errorf("got  %s\nwant %s", ours, std)
		}
	}
}
