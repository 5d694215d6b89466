package oauth

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
	"github.com/treatyfed/treaty/entra/aadsts"
	"github.com/treatyfed/treaty/wire/jose"
)

// FederatedAlgorithms are those that a federated assertion may be signed with. RS256 is documented; that
// RS512 passes is known from identity pools' tokens, and the text of 5002738 lists these three.
var FederatedAlgorithms = jose.RSAPKCS1

// judgeFederated judges an assertion of another issuer than the client by the client's federated
// credentials.
func (s *Service) judgeFederated(ctx context.Context, c *call) error {
	d, trusts, err := s.decide(ctx, c.client, c.presented)
	if err != nil {
		return err
	}
	if c.client.public && trusts == 0 {
		return c.refusePublic()
	}
	c.decision = d
	if !d.OK() {
		code, args := aadsts.ForReason(d)
		return aadsts.New(code, args...)
	}
	c.strength = byAssertion
	return nil
}

// Decide is the decision of the token endpoint about a federated assertion for an application, with the
// number of the application's federated credentials. It issues and records nothing.
func (s *Service) Decide(ctx context.Context, app directory.Application, assertion string) (trust.Decision, int, error) {
	return s.decide(ctx, applicationClient(app), token.Read(assertion))
}

// DecideManaged is Decide for a managed identity as the client.
func (s *Service) DecideManaged(ctx context.Context, identity directory.ServicePrincipal, assertion string) (trust.Decision, int, error) {
	return s.decide(ctx, managedClient(identity), token.Read(assertion))
}

// DecideUnder is Decide under credentials that are given, of an application of tenant; "" leaves open
// which.
func (s *Service) DecideUnder(ctx context.Context, tenant string, credentials []directory.FederatedCredential, assertion string) (trust.Decision, error) {
	return s.decideUnder(ctx, tenant, credentials, token.Read(assertion))
}

func (s *Service) decide(ctx context.Context, c client, assertion token.Presented) (trust.Decision, int, error) {
	var credentials []directory.FederatedCredential
	if c.federated != "" {
		var err error
		if credentials, err = s.Federated.FederatedCredentials(ctx, c.federated); err != nil {
			return trust.Decision{}, 0, err
		}
	}
	d, err := s.decideUnder(ctx, c.home, credentials, assertion)
	if c.federated == "" {
		d.Report.Checks = append(d.Report.Checks, evidence.Check{Name: trust.CheckClient, Operator: "one of", Want: []string{"application", "user-assigned managed identity"},
			Got: []string{"system-assigned managed identity"}, Fix: "use a user-assigned managed identity: a system-assigned one has no federated credentials"})
	}
	return d, len(credentials), err
}

func (s *Service) decideUnder(ctx context.Context, tenant string, credentials []directory.FederatedCredential, assertion token.Presented) (trust.Decision, error) {
	exchange := trust.Exchange{Verifier: s.Verifier, Own: OwnTokens(s.V1Issuer, s.V2Issuer, tenant), ExpressionIssuer: ExpressionIssuer}
	d := exchange.DecideRead(ctx, assertion, Trusts(credentials, s.V2Issuer))
	if d.Own == nil {
		return d, nil
	}
	of, _ := issuerTenant(s.V1Issuer, s.V2Issuer, d.Claims.Text("iss"))
	_, err := s.Tenants.Tenant(ctx, of)
	if !errors.Is(err, fault.NotFound) {
		return d, err
	}
	for i := range d.Own {
		if d.Own[i].Name == checkTenant {
			d.Own[i].Note = "there is no such tenant here"
		}
	}
	return d, nil
}

// Trusts turns federated credentials into trusts: issuer and subject equal byte for byte, or the
// expression, and the audience among the token's. v2 is the form of our own issuers, nil for none: their
// tokens name the audience api://AzureADTokenExchange by its application id, as every v2 token does, so
// that under a trust in one of them either is wanted.
func Trusts(credentials []directory.FederatedCredential, v2 func(tenant string) string) []trust.Trust {
	out := make([]trust.Trust, 0, len(credentials))
	for _, f := range credentials {
		expression := ""
		if f.Expression != nil {
			expression = f.Expression.Value
		}
		audiences := f.Audiences
		if v2 != nil && slices.Contains(audiences, exchangeAudience) {
			if _, own := tenantIn(v2, f.Issuer); own {
				audiences = append(slices.Clone(audiences), exchangeAppID)
			}
		}
		out = append(out, trust.Federated(f.ID, f.Name, f.Issuer, f.Subject, expression, audiences))
	}
	return out
}

// ExpressionIssuer reports whether an issuer may be trusted by expression: GitHub Actions, GitLab
// (hosted or not) and Terraform Cloud (Microsoft, "Flexible federated identity credentials").
func ExpressionIssuer(issuer string) bool {
	switch issuer {
	case "https://token.actions.githubusercontent.com", "https://gitlab.com", "https://app.terraform.io":
		return true
	}
	host, isHTTPS := strings.CutPrefix(issuer, "https://")
	return isHTTPS && strings.HasPrefix(host, "gitlab.") && !strings.Contains(host, "/")
}
