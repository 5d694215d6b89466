package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/explain"
	"github.com/treatyfed/treaty/wire/rest"
)

// PolicyQuestion asks what the policies of a principal, by its ARN, say to an action on a resource. Context
// holds further condition keys; several values make a key multivalued.
type PolicyQuestion struct {
	Principal string              `json:"principal"`
	Action    string              `json:"action"`
	Resource  string              `json:"resource"`
	Context   map[string][]string `json:"context,omitempty"`
}

// ExplainPolicy tells what the policies that are stored now say. It is the decision of every signed call;
// nothing is done or recorded.
func (s *Server) ExplainPolicy(ctx context.Context, q PolicyQuestion) (explain.Report, error) {
	who, err := s.access.Named(ctx, q.Principal)
	if err != nil {
		return explain.Report{}, err
	}
	if prefix, name, ok := strings.Cut(q.Action, ":"); !ok || prefix == "" || name == "" {
		return explain.Report{}, fault.New(fault.Invalid, "action "+q.Action, "an action has a prefix, as in s3:GetObject")
	}
	k := policy.Context{}
	for name, values := range q.Context {
		if len(values) == 1 {
			k.Set(name, values[0])
		} else {
			k.SetMany(name, values...)
		}
	}
	d, err := s.access.Decide(ctx, access.Ask{Subject: who, Action: q.Action, Resource: q.Resource, Context: k})
	if err != nil {
		return explain.Report{}, err
	}
	answer := explain.Answer{}
	if !d.Allows() {
		refusal := op.Denied(op.Query, d, q.Resource)
		answer = explain.Answer{Status: refusal.Status, Code: refusal.Code, Text: refusal.Message}
	}
	return explain.FromPolicy(d, answer), nil
}

// RoleQuestion asks whether a token would get a role by AssumeRoleWithWebIdentity and, with an action, what
// its session may then do.
type RoleQuestion struct {
	Token    string `json:"token"`
	Role     string `json:"role"`
	Session  string `json:"session,omitempty"` // role session name
	Action   string `json:"action,omitempty"`
	Resource string `json:"resource,omitempty"`
}

// ExplainRole tells whether a token would get a role now. It is the decision of STS itself; nothing is
// handed out or recorded.
func (s *Server) ExplainRole(ctx context.Context, q RoleQuestion) (explain.Report, error) {
	if f := strings.SplitN(q.Role, ":", 6); len(f) != 6 || f[2] != "iam" || !strings.HasPrefix(f[5], "role/") {
		return explain.Report{}, fault.New(fault.Invalid, "role "+q.Role, "it is not the ARN of a role")
	}
	proof, session, refusal, err := s.sts.JudgeWebIdentity(ctx, q.Token, q.Role, cmp.Or(q.Session, "explain"))
	if err != nil {
		return explain.Report{}, err
	}
	e := audit.Event{Time: s.clock.Now(), Surface: "sts", Operation: "AssumeRoleWithWebIdentity", Resource: q.Role, Outcome: audit.Allowed}
	if e.Evidence, err = json.Marshal(proof); err != nil {
		return explain.Report{}, err
	}
	if refusal != nil {
		e.Outcome, e.Code = audit.Refused, refusal.Code
	}
	r, err := explain.FromEvent(e, answerAs)
	if err != nil {
		return r, err
	}
	r.Claims = proof.Claims
	if refusal != nil {
		r.Answer = explain.Answer{Status: cmp.Or(refusal.Status, http.StatusBadRequest), Code: refusal.Code, Text: refusal.Message}
		return r, nil
	}
	return r, s.addPermissions(ctx, &r, access.SubjectOf(*session), q)
}

// addPermissions tells which policies a session is under and, if asked, what they say to an action.
func (s *Server) addPermissions(ctx context.Context, r *explain.Report, who access.Subject, q RoleQuestion) error {
	sources, err := s.access.Sources(ctx, who)
	if err != nil {
		return err
	}
	section := explain.Section{Title: "Permissions of " + who.Principal.Issuer, Pass: true}
	for _, p := range sources {
		c := evidence.Check{Name: p.Type.String(), Operator: "applies", Got: []string{p.Name}, OK: p.Document != nil}
		if p.Document == nil {
			c.Note = "it is gone, and so allows nothing"
		}
		section.Checks = append(section.Checks, c)
	}
	if len(sources) == 0 {
		section.Note = "no policy is attached: the session may do nothing that a policy of a resource does not grant"
	}
	r.Sections = append(r.Sections, section)
	if q.Action == "" {
		return nil
	}
	d, err := s.access.Decide(ctx, access.Ask{Subject: who, Action: q.Action, Resource: cmp.Or(q.Resource, "*"), Context: policy.Context{}})
	if err != nil {
		return err
	}
	after := explain.FromPolicy(d, explain.Answer{})
	r.Sections = append(r.Sections, after.Sections...)
	if !d.Allows() {
		refusal := op.Denied(op.Query, d, d.Resource)
		r.Pass, r.Change = false, after.Change
		r.Answer = explain.Answer{Status: refusal.Status, Code: refusal.Code, Text: refusal.Message}
	}
	return nil
}

// explainRole serves POST /_treaty/explain/role, a RoleQuestion.
func (s *Server) explainRole(w http.ResponseWriter, r *http.Request) {
	var q RoleQuestion
	if err := rest.ReadJSON(r, &q, false); err != nil {
		refuse(w, r, http.StatusBadRequest, "the body is no question: "+err.Error())
		return
	}
	report, err := s.ExplainRole(r.Context(), q)
	s.answerAsked(w, r, report, err)
}

// explainPolicy serves POST /_treaty/explain/policy, a PolicyQuestion.
func (s *Server) explainPolicy(w http.ResponseWriter, r *http.Request) {
	var q PolicyQuestion
	if err := rest.ReadJSON(r, &q, false); err != nil {
		refuse(w, r, http.StatusBadRequest, "the body is no question: "+err.Error())
		return
	}
	report, err := s.ExplainPolicy(r.Context(), q)
	s.answerAsked(w, r, report, err)
}

// answerAsked answers a question about something that may not be there, or not be anything.
func (s *Server) answerAsked(w http.ResponseWriter, r *http.Request, report explain.Report, err error) {
	var f *fault.Fault
	if errors.As(err, &f) && (f.Kind == fault.NotFound || f.Kind == fault.Invalid) {
		refuse(w, r, http.StatusNotFound, Missing(f))
		return
	}
	s.answerReport(w, r, report, err)
}

// Missing words a fault about what a question names.
func Missing(f *fault.Fault) string {
	if f.Reason == "" {
		return f.Op + ": it does not exist"
	}
	return f.Op + ": " + f.Reason
}
