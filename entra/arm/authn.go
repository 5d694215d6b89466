package arm

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
)

// ApplicationID is the well-known appId of Azure Resource Manager ("Windows Azure Service Management API").
const ApplicationID = "797f4846-ba00-4fd7-ba43-dac1f8f63013"

// maxToken is far above any access token that Entra issues.
const maxToken = 32 << 10

// caller is who a verified token speaks for.
type caller struct {
	TenantID string
	ObjectID string // the token's oid: the service principal's or user's object id
	Client   string // how ARM names it in refusals: the user principal name, else the application id
}

// authenticate verifies the bearer token. tenant is that of the path's subscription, "" if it has none.
func (s *Service) authenticate(ctx context.Context, r *http.Request, tenant string) (caller, error) {
	header := r.Header.Values("Authorization")
	if len(header) == 0 || header[0] == "" {
		return caller{}, s.challenge(tenant, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.",
			"The authentication failed because of missing 'Authorization' header.")
	}
	scheme, raw, _ := strings.Cut(header[0], " ")
	raw = strings.TrimSpace(raw)
	if len(header) > 1 || !strings.EqualFold(scheme, "Bearer") || raw == "" {
		const text = "Authentication failed. The 'Authorization' header is provided in an invalid format."
		return caller{}, s.challenge(tenant, "AuthenticationFailed", text, text)
	}
	c, checks, e := s.verify(ctx, raw, tenant)
	if e == nil {
		return c, nil
	}
	var refused *Error
	if !errors.As(e, &refused) {
		return c, e
	}
	audit.RequestOf(ctx).Caller = c.ObjectID
	if err := s.record(ctx, audit.Refused, r.URL.Path, refused.Code, token.Report{Checks: checks}); err != nil {
		return c, err
	}
	return c, e
}

// verify checks the token itself, its issuer, its audience and its tenant, all of them for the evidence,
// and answers with the first that failed.
func (s *Service) verify(ctx context.Context, raw, tenant string) (caller, evidence.Checks, error) {
	const invalid = "The access token is invalid."
	if len(raw) > maxToken {
		return caller{}, nil, s.challenge(tenant, "InvalidAuthenticationToken", invalid, invalid)
	}
	claims := token.Read(raw).Claims // not yet verified: it says whose it claims to be
	tid, iss := claims.Text("tid"), claims.Text("iss")
	known, err := s.Tenants.Tenant(ctx, tid)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return caller{}, nil, err
	}
	var issuers []string
	if err == nil && known.ID == tid {
		issuers = []string{s.V1Issuer(tid), s.V2Issuer(tid)}
	}
	checks := evidence.Checks{{Name: "known issuer", Claim: "iss", Operator: "one of", Want: issuers, Got: []string{evidence.Clip(iss)}, OK: slices.Contains(issuers, iss)}}
	if !checks[0].OK {
		return caller{}, checks, s.challenge(tenant, "InvalidAuthenticationToken", invalid, invalid)
	}
	claims, report, err := s.Tokens.Verify(ctx, raw, iss)
	if k := fault.KindOf(err); err != nil && (k == fault.Internal || k == fault.Unavailable) {
		return caller{}, checks, err
	}
	checks = append(checks, report.Checks...)
	c := callerOf(claims)
	aud := claims.Texts("aud")
	checks = append(checks,
		evidence.Check{Name: "audience", Claim: "aud", Operator: "one of", Want: s.audiences(), Got: evidence.Values(aud), OK: len(aud) == 1 && slices.Contains(s.audiences(), aud[0])},
		evidence.Check{Name: "object id", Claim: "oid", Operator: "present", Got: []string{c.ObjectID}, OK: c.ObjectID != ""},
		evidence.Check{Name: "tenant of the subscription", Claim: "tid", Operator: "equals", Want: []string{tenant}, Got: []string{tid}, OK: tenant == "" || tenant == tid})
	if err != nil {
		if exp, ok := claims.Time("exp"); ok && errors.Is(err, fault.Expired) {
			text := "The access token expiry UTC time '" + clock(exp) + "' is earlier than current UTC time '" + clock(s.Now()) + "'."
			return c, checks, s.challenge(tenant, "ExpiredAuthenticationToken", text, text)
		}
		return caller{}, checks, s.challenge(tenant, "InvalidAuthenticationToken", invalid, invalid)
	}
	bad, failed := checks.First()
	switch {
	case !failed:
		return c, checks, nil
	case bad.Name == "audience":
		text := "The access token has been obtained for wrong audience or resource '" + strings.Join(aud, ",") +
			"'. It should exactly match with one of the allowed audiences '" + strings.Join(s.audiences()[:len(s.audiences())-1], "','") + "'."
		return c, checks, s.challenge(tenant, "InvalidAuthenticationTokenAudience", text, text)
	case bad.Name == "tenant of the subscription":
		return c, checks, s.wrongTenant(iss, tenant)
	}
	return c, checks, s.challenge(tenant, "InvalidAuthenticationToken", invalid, invalid)
}

func callerOf(claims token.Claims) caller {
	c := caller{TenantID: claims.Text("tid"), ObjectID: claims.Text("oid")}
	for _, name := range []string{"upn", "unique_name", "preferred_username", "appid", "azp"} {
		if c.Client == "" {
			c.Client = claims.Text(name)
		}
	}
	return c
}

func (s *Service) wrongTenant(iss, tenant string) error {
	return s.challenge(tenant, "InvalidAuthenticationTokenTenant",
		"The access token is from the wrong issuer '"+iss+"'. It must match the tenant '"+s.V1Issuer(tenant)+
			"' associated with this subscription. Please use the authority (URL) '"+s.login()+"/"+tenant+
			"' to get the token. Note, if the subscription is transferred to another tenant there is no impact to the services, "+
			"but information about new tenant could take time to propagate (up to an hour). "+
			"If you just transferred your subscription and see this error message, please try back later.",
		"The access token is from the wrong issuer. It must match the tenant associated with this subscription. "+
			"Please use correct authority to get the token.")
}

// challenge is a 401 with its WWW-Authenticate header, which reveals the subscription's tenant.
func (s *Service) challenge(tenant, code, message, description string) *Error {
	e := errorf(http.StatusUnauthorized, code, "%s", message)
	e.Challenge = `Bearer authorization_uri="` + s.login() + "/" + tenant + `", error="invalid_token", error_description="` + quoted(description) + `"`
	return e
}

// quoted makes text fit for a quoted header parameter: it may repeat what a token claims.
func quoted(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, text)
}

func (s *Service) login() string {
	if s.LoginURL != "" {
		return s.LoginURL
	}
	return s.Authority
}

// audiences are the names by which a token may be asked for ARM: with and without the slash (a token's
// aud is the name as it was asked), and the application id last.
func (s *Service) audiences() []string {
	out := []string{"https://management.core.windows.net/", "https://management.core.windows.net", "https://management.azure.com/", "https://management.azure.com"}
	if own := strings.TrimSuffix(s.ARMURL, "/"); !slices.Contains(out, own) {
		out = append(out, own+"/", own)
	}
	return append(out, ApplicationID)
}

// clock prints a time as ARM's messages do.
func clock(t time.Time) string { return t.UTC().Format("1/2/2006 3:04:05 PM") }
