package aadsts

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
)

var meta = Meta{TraceID: "0d2b3c4d-0000-4000-8000-000000000001", CorrelationID: "1e2b3c4d-0000-4000-8000-000000000002",
	Time: time.Date(2026, 8, 13, 21, 24, 29, 999, time.FixedZone("", 7200)), Authority: "https://westus2.login.microsoft.com"}

func TestBody(t *testing.T) {
	t.Parallel()
	const ids = ` Trace ID: 0d2b3c4d-0000-4000-8000-000000000001 Correlation ID: 1e2b3c4d-0000-4000-8000-000000000002 Timestamp: 2026-08-13 19:24:29Z"`
	const tail = `,"timestamp":"2026-08-13 19:24:29Z","trace_id":"0d2b3c4d-0000-4000-8000-000000000001","correlation_id":"1e2b3c4d-0000-4000-8000-000000000002"`
	for _, tt := range []struct {
		name string
		err  *Error
		want string
	}{
		{"with the page of its host", New(ResourceNotFound, "user.read", "Contoso"),
			`{"error":"invalid_resource","error_description":"AADSTS500011: The resource principal named user.read was not found in the tenant named Contoso. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.` + ids + `,"error_codes":[500011]` + tail + `,"error_uri":"https://westus2.login.microsoft.com/error?code=500011"}`},
		{"without a page", New(ApplicationInvalid, "x"),
			`{"error":"unauthorized_client","error_description":"AADSTS700038: x is not a valid application identifier.` + ids + `,"error_codes":[700038]` + tail + `}`},
		{"with a claims challenge, and what HTML would escape", &Error{Code: GrantUnsupported, Args: []string{`<&>"`}, Claims: `{"access_token":{}}`},
			`{"error":"unsupported_grant_type","error_description":"AADSTS70003: The app requested an unsupported grant type '<&>\"'.` + ids + `,"error_codes":[70003]` + tail + `,"claims":"{\"access_token\":{}}"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, string(tt.err.Body(meta))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStatusFollowsTheError(t *testing.T) {
	t.Parallel()
	for code, want := range map[Code]int{SecretInvalid: 401, FederatedIssuer: 401, ApplicationNotFound: 400, ResourceNotFound: 400, FederatedDiscovery: 400, TokenIssuanceError: 500, ServiceUnavailable: 503, 1: 500} {
		if got := New(code).Status(); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}

func TestValuesAreFilledInOnce(t *testing.T) {
	t.Parallel()
	got := New(RoleNotAssigned, "{}", "{0}", "a").Text()
	if want := "AADSTS501051: Application '{}'({0}) is not assigned to a role for the application 'a'({})."; got != want {
		t.Errorf("%q", got)
	}
}

func TestEveryRowIsWhole(t *testing.T) {
	t.Parallel()
	for code, r := range catalogue {
		if r.oauth == "" || r.text == "" || strings.Contains(r.text, "  ") || strings.HasSuffix(r.text, " ") {
			t.Errorf("%s: %+v", code, r)
		}
		if !json.Valid(New(code, "a", "b", "c", "d").Body(meta)) {
			t.Errorf("%s: body is no JSON", code)
		}
	}
}

func TestEveryReasonHasItsOwnCode(t *testing.T) {
	t.Parallel()
	claims := token.Claims{"iss": "i", "sub": "s", "nbf": json.Number("1516239022"), "exp": json.Number("1516242622.5")}
	decided := time.Date(2023, 12, 11, 23, 52, 19, 622340100, time.UTC)
	for reason, want := range map[trust.Reason]struct {
		code Code
		text string
	}{
		trust.Malformed:          {50027, "JWT token is invalid or malformed."},
		trust.MissingClaim:       {90014, "The required field 'd' is missing"},
		trust.AlgorithmRefused:   {5002738, "Invalid JWT token. 'd' is not a supported signature algorithm. Supported signing algorithms are: 'RS256,RS384,RS512'"},
		trust.OwnUserToken:       {700229, "Forbidden token type."},
		trust.OwnAudience:        {700227, "Forbidden token audience."},
		trust.OwnAppToken:        {700226, "Only MSI tokens may be used as Federated Identity Credentials for AAD issuer."},
		trust.OwnTenant:          {700236, "Entra ID tokens issued by issuer 'i'"},
		trust.NoTrusts:           {70025, ""},
		trust.IssuerUnknown:      {700211, "No matching federated identity record found for presented assertion issuer 'd'."},
		trust.ExpressionIssuer:   {7002241, "Issuer 'i' may not use credentials matching via expression"},
		trust.SubjectCase:        {7002138, "No matching federated identity record found for presented assertion subject 'd'. The subject matches with case-insensitive"},
		trust.ExpressionMismatch: {7002131, "No matching federated identity record found for presented assertion subject 's' or no"},
		trust.SubjectMismatch:    {700213, "No matching federated identity record found for presented assertion subject 'd'."},
		trust.AudienceMismatch:   {700212, "No matching federated identity record found for presented assertion audience 'd'."},
		trust.DiscoveryFailed:    {90061, "Request to External OIDC endpoint failed."},
		trust.KeyUnknown:         {700027, "Client assertion contains an invalid signature. [Reason - The key was not found.]."},
		trust.SignatureInvalid:   {700027, "Client assertion contains an invalid signature. [Reason - Key was found, but"},
		trust.TimeInvalid:        {700024, "Client assertion is not within its valid time range. Current time: 2023-12-11T23:52:19.6223401Z, assertion valid from 2018-01-18T01:30:22.0000000Z, expiry time of assertion 2018-01-18T02:30:22.5000000Z. Review"},
	} {
		code, args := ForReason(trust.Decision{Reason: reason, Detail: "d", Claims: claims, DecidedAt: decided})
		if text := New(code, args...).Text(); code != want.code || !strings.HasPrefix(text, want.code.String()+": "+want.text) {
			t.Errorf("%s: %s", reason, text)
		}
	}
	if code, _ := ForReason(trust.Decision{}); code != 0 {
		t.Errorf("accepted: %s", code)
	}
}

func TestTimesThatTheAssertionDoesNotState(t *testing.T) {
	t.Parallel()
	const epoch = "1970-01-01T00:00:00.0000000Z"
	if got := Times(trust.Decision{}); got[1] != epoch || got[2] != epoch {
		t.Error(got)
	}
	if got := Times(trust.Decision{Claims: token.Claims{"iat": json.Number("1516239022")}}); got[1] != "2018-01-18T01:30:22.0000000Z" {
		t.Error(got)
	}
}
