package explain

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
)

func refusal() trust.Decision {
	return trust.Decision{
		Reason: trust.SubjectCase, Detail: "us-east-1:AB",
		Claims:    token.Claims{"sub": "us-east-1:AB"},
		DecidedAt: time.Unix(1700000000, 0),
		Report:    token.Report{Checks: evidence.Checks{{Name: "form", OK: true, Got: []string{"RS512"}}, {Name: "signature", Skipped: true, Note: "no trust matched"}}},
		Verdicts: []trust.Verdict{
			{Trust: "near", Checks: evidence.Checks{
				{Name: "issuer", Claim: "iss", Operator: "equals", Want: []string{"https://i"}, Got: []string{"https://i"}, OK: true},
				{Name: "subject", Claim: "sub", Operator: "equals", Want: []string{"us-east-1:ab"}, Got: []string{"us-east-1:AB"}, Note: "differs in case", Fix: "set the subject"},
				{Name: "audience", Claim: "aud", Operator: "contains", Want: []string{"x"}, Note: "differs"},
			}},
			{Trust: "far"},
		},
	}
}

func TestARefusalShowsWhereWantedAndGotPart(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	r := FromDecision(refusal(), Answer{Status: 401, Code: "AADSTS7002138", Error: "invalid_client", Text: "No matching …"})
	if err := (Text{}).Write(&b, r); err != nil {
		t.Fatal(err)
	}
	want := `REFUSED  AADSTS7002138  invalid_client (HTTP 401)
  No matching …
  at           2023-11-14 22:13:20Z

Token
  ok  form  RS512
  --  signature  no trust matched

Trust "near"  (the nearest of 2 trusts)
  ok  issuer  https://i
  no  subject
        wanted  us-east-1:ab
        got     us-east-1:AB
                          ^
        differs in case
  no  audience
        wanted  x
        got     (absent)
        differs

Trust "far"

What to change
  set the subject
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

func TestWhiteSpaceAndControlCharactersAreShownNotSent(t *testing.T) {
	t.Parallel()
	d := refusal()
	d.Verdicts[0].Checks[1].Got = []string{"us-east-1:ab \x1b[2J"}
	var b strings.Builder
	if err := (Text{}).Write(&b, FromDecision(d, Answer{})); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Error("a claim reached the terminal unescaped")
	}
	for _, want := range []string{`wanted  "us-east-1:ab"`, `got     "us-east-1:ab \x1b[2J"`, "\n                             ^\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestTimesFarAwayAreShownInDays(t *testing.T) {
	t.Parallel()
	for note, want := range map[string]string{
		"expired 27251h45m0s ago; 5m0s of difference between clocks is tolerated": "expired 1135 days ago; 5m0s of difference between clocks is tolerated",
		"lies 48h0m0s ahead":                    "lies 2 days ahead",
		"expired 47h59m59s ago":                 "expired 47h59m59s ago",
		"expired 5m0s ago":                      "expired 5m0s ago",
		"the key 72h0m0s ago":                   "the key 72h0m0s ago",
		"expired 99999999999999999999h0m0s ago": "expired 99999999999999999999h0m0s ago",
	} {
		d := refusal()
		d.Verdicts[0].Checks[1].Note = note
		var b strings.Builder
		if err := (Text{}).Write(&b, FromDecision(d, Answer{})); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "        "+want+"\n") {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestARoleThatDoesNotExistIsToBeMade(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:iam::123456789012:role/nosuch"
	r := FromPolicy(policy.Evaluate(policy.Request{
		Principal: policy.Principal{Type: policy.WebIdentity, Federated: "idp.example", Account: "123456789012"},
		Action:    "sts:AssumeRoleWithWebIdentity", Resource: arn,
	}, policy.Source{Type: policy.RoleTrust, Name: "trust policy of " + arn}), Answer{})
	if want := "make the role " + arn + ", or correct its name"; r.Pass || r.Change != want {
		t.Errorf("%v, %q, want %q", r.Pass, r.Change, want)
	}
	if note := r.Sections[0].Checks[0].Note; note != "there is no such role" {
		t.Errorf("note %q", note)
	}
}

func TestTheChangeBelongsToTheReason(t *testing.T) {
	t.Parallel()
	d := refusal()
	d.Report.Checks = append(d.Report.Checks, evidence.Check{Name: "expires", Fix: "get a fresh token"})
	for _, tc := range []struct {
		reason trust.Reason
		want   string
	}{
		{trust.SubjectCase, "set the subject"},
		{trust.TimeInvalid, "get a fresh token"},
		{trust.NoTrusts, `add a federated credential to the application: issuer "", subject "us-east-1:AB", audience as in the token's aud`},
		{"", ""},
	} {
		d.Reason = tc.reason
		if got := FromDecision(d, Answer{}).Change; got != tc.want {
			t.Errorf("%q: %q, want %q", tc.reason, got, tc.want)
		}
	}
}
