package explain

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/trust"
)

func plainAnswer(_ trust.Decision, code string) Answer { return Answer{Code: code} }

func TestARecordedTrustDecisionIsExplainedAsItWasTaken(t *testing.T) {
	t.Parallel()
	d := refusal()
	proof, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	e := audit.Event{RequestID: "r", Surface: "entra", Operation: "token", Outcome: audit.Refused, Code: "AADSTS7002138", Evidence: proof}
	kept, err := FromEvent(e, plainAnswer)
	if err != nil {
		t.Fatal(err)
	}
	fresh := FromDecision(d, Answer{Code: "AADSTS7002138"})
	if kept.Change != fresh.Change || len(kept.Sections) != len(fresh.Sections) || kept.Pass || kept.Operation != "entra token" {
		t.Errorf("kept %+v\nfresh %+v", kept, fresh)
	}
}

func TestEvidenceOfAnyShapeIsReadForItsChecks(t *testing.T) {
	t.Parallel()
	e := audit.Event{Outcome: audit.Refused, Code: "AuthorizationFailed", Evidence: json.RawMessage(`{
		"allowed": false,
		"assignments": [{"role": "Reader", "scope": "/subscriptions/s", "checks": [
			{"name": "scope", "ok": true}, {"name": "action", "ok": false, "fix": "assign a role that allows it"}]}],
		"authentication": [{"name": "signature", "ok": true}],
		"ids": ["a"], "nothing": []}`)}
	r, err := FromEvent(e, plainAnswer)
	if err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, s := range r.Sections {
		titles = append(titles, s.Title)
	}
	if got := strings.Join(titles, ", "); got != "Assignment Reader at /subscriptions/s, Authentication" {
		t.Errorf("sections: %s", got)
	}
	if r.Change != "assign a role that allows it" || r.Answer.Code != "AuthorizationFailed" || r.Pass {
		t.Errorf("%+v", r)
	}
}

func TestADecisionAmongOtherEvidenceSaysWhichTokenItIsAbout(t *testing.T) {
	t.Parallel()
	d := refusal()
	proof, err := json.Marshal(map[string]any{"client": []any{map[string]any{"name": "client secret", "ok": true}}, "subject": d})
	if err != nil {
		t.Fatal(err)
	}
	r, err := FromEvent(audit.Event{Surface: "idp", Outcome: audit.Refused, Code: "invalid_request", Evidence: proof}, plainAnswer)
	if err != nil {
		t.Fatal(err)
	}
	fresh := FromDecision(d, Answer{})
	if len(r.Sections) != len(fresh.Sections)+1 || r.Sections[0].Title != "Client" || r.Sections[1].Title != "Subject token" || r.Change != fresh.Change {
		t.Errorf("%+v", r)
	}
	d.Reason = trust.NoTrusts
	if proof, err = json.Marshal(map[string]any{"subject": d}); err != nil {
		t.Fatal(err)
	}
	r, err = FromEvent(audit.Event{Surface: "idp", Outcome: audit.Refused, Evidence: proof}, plainAnswer)
	if err != nil || !strings.HasPrefix(r.Change, "accept tokens of the issuer ") {
		t.Errorf("%q %v", r.Change, err)
	}
}

func TestAnAcceptedCredentialOfARefusedRequestSaysSo(t *testing.T) {
	t.Parallel()
	d := trust.Decision{Verdicts: []trust.Verdict{{Trust: "x"}}}
	proof, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	r, err := FromEvent(audit.Event{Outcome: audit.Refused, Code: "AADSTS500011", Evidence: proof}, plainAnswer)
	if err != nil || r.Pass || !strings.Contains(r.Change, "AADSTS500011") {
		t.Errorf("%+v %v", r, err)
	}
}

func TestSpoiltEvidenceIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := FromEvent(audit.Event{Evidence: json.RawMessage(`{`)}, plainAnswer); err == nil {
		t.Error("no error")
	}
	deep := strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)
	if r, err := FromEvent(audit.Event{Evidence: json.RawMessage(deep)}, plainAnswer); err != nil || len(r.Sections) != 0 {
		t.Errorf("%v %v", r, err)
	}
}
