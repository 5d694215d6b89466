package oauth

import (
	"context"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
	"github.com/treatyfed/treaty/entra/aadsts"
	"github.com/treatyfed/treaty/wire/jose"
)

// FederatedAlgorithms are those that a federated assertion may be signed with. RS256 is documented; that
// RS512 passes is known from identity pools' tokens, and the text of 5002738 lists these three.
var FederatedAlgorithms = jose.RSAPKCS1

// byFederation judges an assertion of a foreign issuer by the application's federated credentials.
func (s *Service) byFederation(ctx context.Context, c *call) error {
	d, trusts, err := s.decide(ctx, c.application, c.presented)
	if err != nil {
		return err
	}
	c.decision = d
	if c.application.PublicClient && trusts == 0 {
		return aadsts.New(aadsts.ClientPublic)
	}
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
	return s.decide(ctx, app, token.Read(assertion))
}

func (s *Service) decide(ctx context.Context, app directory.Application, assertion token.Presented) (trust.Decision, int, error) {
	credentials, err := s.Federated.FederatedCredentials(ctx, app.ID)
	if err != nil {
		return trust.Decision{}, 0, err
	}
	exchange := trust.Exchange{
		Verifier:         s.Verifier,
		Own:              OwnTokens(s.V1Issuer, s.V2Issuer, app.TenantID),
		ExpressionIssuer: ExpressionIssuer,
	}
	return exchange.DecideRead(ctx, assertion, Trusts(credentials)), len(credentials), nil
}

// Trusts turns federated credentials into trusts: issuer and subject equal byte for byte, or the
// expression, and the audience among the token's.
func Trusts(credentials []directory.FederatedCredential) []trust.Trust {
	out := make([]trust.Trust, 0, len(credentials))
	for _, f := range credentials {
		expression := ""
		if f.Expression != nil {
			expression = f.Expression.Value
		}
		out = append(out, trust.Federated(f.ID, f.Name, f.Issuer, f.Subject, expression, f.Audiences))
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

// OwnTokens is the rule for assertions that we issued ourselves: Entra lets no token of its own stand in
// for another application, but those of managed identities of the tenant that holds the application
// (Microsoft, "Configure an application to trust a managed identity"). tenant is the application's; ""
// leaves that check out. An issuer is ours by its shape: v1 and v2 of any tenant.
func OwnTokens(v1, v2 func(tenant string) string, tenant string) trust.OwnTokens {
	return func(claims token.Claims) (bool, evidence.Checks, trust.Reason) {
		issuer := claims.Text("iss")
		of, isV2 := issuerTenant(v2, issuer)
		if !isV2 {
			var isV1 bool
			if of, isV1 = issuerTenant(v1, issuer); !isV1 {
				return false, nil, ""
			}
		}
		user := claims.Has("scp") || claims.Text("idtyp") == "user" || claims.Text("sub") != claims.Text("oid")
		managed := claims.Text("xms_mirid") != "" && claims.Text("idtyp") == "app"
		home := tenant == "" || strings.EqualFold(of, tenant)
		checks := evidence.Checks{
			{Name: "token type", Claim: "idtyp", Operator: "equals", Want: []string{"app"}, Got: kind(user), OK: !user,
				Fix: unless(!user, "present a managed identity's token, not a person's")},
			{Name: "issuer version", Claim: "iss", Operator: "equals", Want: []string{v2(of)}, Got: []string{issuer}, OK: isV2,
				Fix: unless(isV2, "ask for a token whose audience is api://AzureADTokenExchange")},
			{Name: "managed identity", Claim: "xms_mirid", Operator: "present", Got: claims.Texts("xms_mirid"), OK: managed,
				Fix: unless(managed, "only managed identities' tokens are accepted; use one, or another identity provider")},
			{Name: "tenant", Claim: "tid", Operator: "equals", Want: []string{tenant}, Got: []string{of}, OK: home,
				Fix: unless(home, "register the application in the managed identity's tenant")},
		}
		return true, checks, ownReason(user, isV2, managed, home)
	}
}

func ownReason(user, v2, managed, home bool) trust.Reason {
	switch {
	case user:
		return trust.OwnUserToken
	case !v2:
		return trust.OwnAudience
	case !managed:
		return trust.OwnAppToken
	case !home:
		return trust.OwnTenant
	}
	return ""
}

func kind(user bool) []string {
	if user {
		return []string{"user"}
	}
	return []string{"app"}
}

// issuerTenant cuts the tenant's GUID out of an issuer that has the form of one of ours.
func issuerTenant(form func(string) string, issuer string) (string, bool) {
	const mark = "\x00"
	before, after, found := strings.Cut(form(mark), mark)
	if !found || len(issuer) != len(before)+36+len(after) || !strings.HasPrefix(issuer, before) || !strings.HasSuffix(issuer, after) {
		return "", false
	}
	tenant := issuer[len(before) : len(before)+36]
	return tenant, isGUID(tenant)
}
