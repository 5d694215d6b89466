package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
	"github.com/treatyfed/treaty/entra/aadsts"
	"github.com/treatyfed/treaty/entra/oauth"
	"github.com/treatyfed/treaty/explain"
	"github.com/treatyfed/treaty/wire/rest"
)

// Question asks whether a token would pass as a federated credential: of an application that is here, or
// under credentials that are given.
type Question struct {
	Token       string                          `json:"token"`
	App         string                          `json:"app,omitempty"` // client id or object id of an application or a managed identity
	Credentials []directory.FederatedCredential `json:"credentials,omitempty"`
	Tenant      string                          `json:"tenant,omitempty"` // of the application, with Credentials
}

// Explain tells why a request was answered as it was, by the id that its answer named.
func (s *Server) Explain(ctx context.Context, id string) (explain.Report, error) {
	e, err := s.store.Audit.Find(ctx, id)
	if err != nil {
		return explain.Report{}, err
	}
	return explain.FromEvent(e, answerAs)
}

// ExplainToken tells whether a token would pass now. It is the decision of the token endpoint itself; it
// issues and records nothing.
func (s *Server) ExplainToken(ctx context.Context, q Question) (explain.Report, error) {
	if q.App == "" {
		d, err := s.authority.DecideUnder(ctx, q.Tenant, q.Credentials, q.Token)
		if err != nil {
			return explain.Report{}, err
		}
		return answered(d), nil
	}
	d, clientID, err := s.decideFor(ctx, strings.ToLower(q.App), q.Token)
	if err != nil {
		return explain.Report{}, err
	}
	r := answered(d)
	r.Caller = clientID
	return r, nil
}

// decideFor decides about a token as the assertion of a client: an application by client id, or one or a
// managed identity by any id in any tenant.
func (s *Server) decideFor(ctx context.Context, id, raw string) (d trust.Decision, clientID string, err error) {
	app, err := s.store.Applications.ApplicationByAppID(ctx, id)
	if err == nil {
		d, _, err = s.authority.Decide(ctx, app, raw)
		return d, app.AppID, err
	}
	tenants, lerr := s.store.Tenants.Tenants(ctx)
	if lerr != nil {
		return d, "", lerr
	}
	for _, t := range tenants {
		if !errors.Is(err, fault.NotFound) {
			break
		}
		if app, err = s.store.Applications.Application(ctx, t.ID, id); err == nil {
			d, _, err = s.authority.Decide(ctx, app, raw)
			return d, app.AppID, err
		}
		if !errors.Is(err, fault.NotFound) {
			break
		}
		var p directory.ServicePrincipal
		if p, err = s.principal(ctx, t.ID, id); err == nil && p.Type == directory.TypeManagedIdentity {
			d, _, err = s.authority.DecideManaged(ctx, p, raw)
			return d, p.AppID, err
		}
	}
	if err == nil || errors.Is(err, fault.NotFound) {
		err = fault.New(fault.NotFound, "application "+id, "neither a client id nor an object id")
	}
	return d, "", err
}

// principal finds a service principal of a tenant by client id or object id.
func (s *Server) principal(ctx context.Context, tenant, id string) (directory.ServicePrincipal, error) {
	p, err := s.store.Principals.PrincipalByAppID(ctx, tenant, id)
	if errors.Is(err, fault.NotFound) {
		p, err = s.store.Principals.Principal(ctx, tenant, id)
	}
	return p, err
}

// ExplainOffline is ExplainToken without a server: keys come from keys, the names are the clouds' own.
func ExplainOffline(ctx context.Context, verifier token.Verifier, q Question) explain.Report {
	var n publicNames
	n.Authority = "https://login.microsoftonline.com"
	x := trust.Exchange{Verifier: verifier, Own: oauth.OwnTokens(n.v1Issuer, n.v2Issuer, q.Tenant), ExpressionIssuer: oauth.ExpressionIssuer}
	x.Verifier.Algorithms, x.Verifier.Leeway = oauth.FederatedAlgorithms, leeway
	return answered(x.Decide(ctx, q.Token, oauth.Trusts(q.Credentials, n.v2Issuer)))
}

func answered(d trust.Decision) explain.Report { return explain.FromDecision(d, answerOf(d)) }

// answerOf is what Entra says to the client; nothing for an accepted token.
func answerOf(d trust.Decision) explain.Answer {
	if d.OK() {
		return explain.Answer{}
	}
	code, args := aadsts.ForReason(d)
	e := aadsts.New(code, args...)
	return explain.Answer{Status: e.Status(), Code: code.String(), Error: e.OAuth(), Text: e.Text()}
}

// answerAs is what Entra said to the client under code: the decision's own words or, where the refusal came
// from another part of the request, the kind of error alone.
func answerAs(d trust.Decision, code string) explain.Answer {
	if a := answerOf(d); a.Code == code {
		return a
	}
	n, err := strconv.Atoi(strings.TrimPrefix(code, "AADSTS"))
	if err != nil {
		return explain.Answer{Code: code}
	}
	e := aadsts.New(aadsts.Code(n))
	return explain.Answer{Status: e.Status(), Code: code, Error: e.OAuth()}
}

// explainRequest and explainToken serve the control interface:
//
//	GET  /_treaty/explain/{id}   a report on a request id, trace id or correlation id
//	POST /_treaty/explain        a Question: a report on a token
func (s *Server) explainRequest(w http.ResponseWriter, r *http.Request) {
	report, err := s.Explain(r.Context(), r.PathValue("id"))
	s.answerReport(w, r, report, err)
}

func (s *Server) explainToken(w http.ResponseWriter, r *http.Request) {
	var q Question
	if err := rest.ReadJSON(r, &q, false); err != nil {
		refuse(w, r, http.StatusBadRequest, "the body is no question: "+err.Error())
		return
	}
	report, err := s.ExplainToken(r.Context(), q)
	s.answerReport(w, r, report, err)
}

func (s *Server) answerReport(w http.ResponseWriter, r *http.Request, report explain.Report, err error) {
	switch {
	case errors.Is(err, fault.NotFound):
		refuse(w, r, http.StatusNotFound, notFound(err))
	case err != nil:
		s.log.Error("explain", "err", err)
		refuse(w, r, http.StatusInternalServerError, "the explanation failed, see the server's log")
	default:
		answerJSON(w, http.StatusOK, report)
	}
}

// notFound says what was not found without the inner workings.
func notFound(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) && strings.HasPrefix(f.Op, "application ") {
		return fmt.Sprintf("%s: %s", f.Op, f.Reason)
	}
	return "no decision is kept under this id"
}
