// Package explain tells why a token was accepted or refused, check by check, from the very value by which
// the server decided: wanted and got side by side, the first character that differs, the code the cloud
// answers with and the one change that would make it pass.
//
// It owns the report, its text and its JSON form. It decides nothing itself: decisions are core/trust's,
// the cloud's codes come from the surface that refused, handed in as an Answer.
package explain

import (
	"time"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/trust"
)

// Exit codes of `treaty explain`.
const (
	ExitPass  = 0  // the token would pass, or did
	ExitFail  = 10 // it would not, or did not
	ExitUsage = 2
)

// Answer is what the cloud says to the caller: its code, the OAuth error or service code, the text.
type Answer struct {
	Status int    `json:"status,omitempty"`
	Code   string `json:"code,omitempty"`  // "AADSTS700213"
	Error  string `json:"error,omitempty"` // "invalid_client"
	Text   string `json:"text,omitempty"`
}

// Report is the whole explanation of one decision.
type Report struct {
	RequestID     string         `json:"requestId,omitempty"`
	CorrelationID string         `json:"correlationId,omitempty"`
	Operation     string         `json:"operation,omitempty"`
	Caller        string         `json:"caller,omitempty"`
	Resource      string         `json:"resource,omitempty"`
	Time          time.Time      `json:"time"`
	Pass          bool           `json:"pass"`
	Answer        Answer         `json:"answer,omitzero"`
	Claims        map[string]any `json:"claims,omitempty"`
	Sections      []Section      `json:"sections"`
	Change        string         `json:"change,omitempty"` // the one change that would make it pass
}

// Section is a group of checks under one heading: the token itself, one trust, one assignment.
type Section struct {
	Title  string          `json:"title"`
	Note   string          `json:"note,omitempty"`
	Pass   bool            `json:"pass"`
	Checks evidence.Checks `json:"checks"`
}

// FromDecision explains a decision over federated trusts. answer is the cloud's, zero when accepted.
func FromDecision(d trust.Decision, answer Answer) Report {
	r := Report{Time: d.DecidedAt, Pass: d.OK(), Answer: answer, Claims: d.Claims}
	if len(d.Own) > 0 {
		r.Sections = append(r.Sections, Section{Title: "Token of our own issuer", Pass: d.Own.OK(), Checks: d.Own})
	}
	r.Sections = append(r.Sections, Section{Title: "Token", Pass: d.Report.Checks.OK(), Checks: d.Report.Checks})
	for i, v := range d.Verdicts {
		s := Section{Title: "Trust " + quote(v.Trust), Pass: v.OK(), Checks: v.Checks}
		if i == 0 && len(d.Verdicts) > 1 && !d.OK() {
			s.Note = "the nearest of " + count(len(d.Verdicts), "trust", "trusts")
		}
		r.Sections = append(r.Sections, s)
	}
	if !d.OK() {
		r.Change = change(d)
	}
	return r
}

// change picks the one change to propose: the fix of the check that the reason stands for. Decisions look
// for reasons in a fixed order, so the first check without a pass in the matching group is the one.
func change(d trust.Decision) string {
	groups := []evidence.Checks{}
	switch d.Reason {
	case trust.OwnUserToken, trust.OwnAudience, trust.OwnAppToken, trust.OwnTenant:
		groups = append(groups, d.Own)
	case trust.NoTrusts:
		if c, is := d.Report.Checks.Named(trust.CheckClient); is && !c.OK {
			return c.Fix
		}
		return "add a federated credential to the application: issuer " + quote(d.Claims.Text("iss")) + ", subject " + quote(d.Claims.Text("sub")) + ", audience as in the token's aud"
	case trust.IssuerUnknown, trust.SubjectCase, trust.SubjectMismatch, trust.AudienceMismatch, trust.ExpressionMismatch, trust.ExpressionIssuer:
		if len(d.Verdicts) > 0 {
			groups = append(groups, d.Verdicts[0].Checks)
		}
	default:
		groups = append(groups, d.Report.Checks)
	}
	for _, g := range groups {
		for _, c := range g {
			if !c.OK && !c.Skipped && c.Fix != "" {
				return c.Fix
			}
		}
	}
	return ""
}
