package oauth_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
	"github.com/treatyfed/treaty/entra/oauth"
	"github.com/treatyfed/treaty/wire/jose"
)

// poolClaims are those of a token of a Cognito identity pool.
func poolClaims(pairs ...any) map[string]any {
	return edit(map[string]any{"iss": cognito, "sub": subject, "aud": pool, "amr": []string{"authenticated", "my.dev.provider"}, "iat": now.Unix() - 10, "exp": now.Unix() + 890}, pairs...)
}

func poolToken(t testing.TB, pairs ...any) string {
	return sign(t, keys().cognito, jose.Header{member("kid", "us-east-11"), member("typ", "JWS"), member("alg", "RS512")}, "RS512", poolClaims(pairs...))
}

func githubToken(t testing.TB, pairs ...any) string {
	claims := edit(map[string]any{"iss": github, "sub": "repo:contoso/app:ref:refs/heads/main", "aud": "api://AzureADTokenExchange", "iat": now.Unix(), "exp": now.Unix() + 300}, pairs...)
	return sign(t, keys().github, header("RS256", member("kid", "gh")), "RS256", claims)
}

// ownToken is a token that the authority itself issued.
func ownToken(t testing.TB, pairs ...any) string {
	claims := edit(map[string]any{"iss": v2Issuer(tenantID), "sub": "mi-object", "oid": "mi-object", "tid": tenantID, "aud": "api://AzureADTokenExchange", "idtyp": "app",
		"xms_mirid": "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mi", "azp": "mi-app", "iat": now.Unix(), "exp": now.Unix() + 3600}, pairs...)
	return sign(t, keys().entra, header("RS256", member("kid", "own")), "RS256", claims)
}

func TestFederatedAssertionsAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, assertion := range map[string]string{
		"an identity pool's token, RS512 and typ JWS":       poolToken(t),
		"an audience array that holds the wanted one":       poolToken(t, "aud", []string{"other", pool}),
		"a flexible credential":                             githubToken(t),
		"a managed identity's token of the same tenant":     ownToken(t),
		"within the leeway after expiry":                    poolToken(t, "exp", now.Unix()-299),
		"a fractional expiry":                               poolToken(t, "exp", float64(now.Unix())+10.5),
		"an issued-at within the leeway ahead of our clock": poolToken(t, "iat", now.Unix()+299),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, claims := decode(t, w.post(tokenPath, withAssertion(assertion)))
			if claims.Text("appidacr") != "2" || claims.Text("oid") != appSP || claims.Text("appid") != appID {
				t.Error(claims)
			}
		})
	}
}

const check = "Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation Trace"

func TestFederatedAssertionsRefused(t *testing.T) {
	t.Parallel()
	none := func(issuer, alg string) string {
		enc := base64.RawURLEncoding.EncodeToString
		payload, _ := json.Marshal(poolClaims("iss", issuer))
		return enc([]byte(`{"alg":"`+alg+`","typ":"JWT"}`)) + "." + enc(payload) + "." + enc([]byte("x"))
	}
	badSignature := poolToken(t)
	badSignature = badSignature[:len(badSignature)-8] + "AAAAAAAA"
	for _, tt := range []struct {
		name, assertion string
		status          int
		oauth           string
		code            int
		text            string
		asked           []string // issuers that were contacted
	}{
		{"malformed", "a.b.c", 400, "invalid_request", 50027, "JWT token is invalid or malformed. Trace", nil},
		{"two members of one name", twice(t), 400, "invalid_request", 50027, "", nil},
		{"without an issuer", poolToken(t, "iss", nil), 400, "invalid_request", 90014, "The required field 'iss' is missing from the credential. Ensure that you have all the necessary parameters for the login request. Trace", nil},
		{"without a subject", poolToken(t, "sub", nil), 400, "invalid_request", 90014, "The required field 'sub' is missing", nil},
		{"without an audience", poolToken(t, "aud", nil), 400, "invalid_request", 90014, "The required field 'aud' is missing", nil},
		{"without an expiry", poolToken(t, "exp", nil), 400, "invalid_request", 90014, "The required field 'exp' is missing", nil},
		{"algorithm none", none(cognito, "none"), 401, "invalid_client", 5002738, "Invalid JWT token. 'none' is not a supported signature algorithm. Supported signing algorithms are: 'RS256,RS384,RS512' Trace", nil},
		{"algorithm HS256", none(cognito, "HS256"), 401, "invalid_client", 5002738, "Invalid JWT token. 'HS256'", nil},
		{"algorithm PS256", sign(t, keys().cognito, header("PS256", member("kid", "us-east-11")), "PS256", poolClaims()), 401, "invalid_client", 5002738, "Invalid JWT token. 'PS256'", nil},
		{"a person's token of ours", ownToken(t, "scp", "User.Read", "idtyp", nil), 401, "invalid_client", 700229, "Forbidden token type. Only app-only tokens may be used as Federated Identity Credentials for AAD issuer. Trace", nil},
		{"a v1 token of ours", ownToken(t, "iss", v1Issuer(tenantID)), 401, "invalid_client", 700227, "Forbidden token audience. Trace", nil},
		{"an application's token of ours", ownToken(t, "xms_mirid", nil), 401, "invalid_client", 700226, "Only MSI tokens may be used as Federated Identity Credentials for AAD issuer. Trace", nil},
		{"an application's token of another tenant", ownToken(t, "iss", v2Issuer(otherTenant), "tid", otherTenant, "xms_mirid", nil, "idtyp", nil), 401, "invalid_client", 700226, "Only MSI tokens", nil},
		{"a managed identity's token of another tenant", ownToken(t, "iss", v2Issuer(otherTenant), "tid", otherTenant), 401, "invalid_client", 700236, "Entra ID tokens issued by issuer '" + v2Issuer(otherTenant) + "' may not be used for federated identity credential flows for applications or managed identities registered in this tenant. Trace", nil},
		{"an unknown issuer", poolToken(t, "iss", "https://evil.example.com"), 401, "invalid_client", 700211, "No matching federated identity record found for presented assertion issuer 'https://evil.example.com'. " + check, nil},
		{"an issuer with a slash too many", poolToken(t, "iss", cognito+"/"), 401, "invalid_client", 700211, "No matching federated identity record found for presented assertion issuer '" + cognito + "/'. " + check, nil},
		{"an issuer in another case", poolToken(t, "iss", "https://Cognito-Identity.amazonaws.com"), 401, "invalid_client", 700211, "", nil},
		{"an issuer without its scheme", poolToken(t, "iss", "cognito-identity.amazonaws.com"), 401, "invalid_client", 700211, "", nil},
		{"another subject", poolToken(t, "sub", "us-east-1:x"), 401, "invalid_client", 700213, "No matching federated identity record found for presented assertion subject 'us-east-1:x'. " + check, nil},
		{"a subject in another case", poolToken(t, "sub", strings.ToUpper(subject)), 401, "invalid_client", 7002138, "No matching federated identity record found for presented assertion subject '" + strings.ToUpper(subject) + "'. The subject matches with case-insensitive comparison, but not with case-sensitive comparison. " + check, nil},
		{"a subject that no expression matches", githubToken(t, "sub", "repo:evil/app"), 401, "invalid_client", 7002131, "No matching federated identity record found for presented assertion subject 'repo:evil/app' or no federated identity credential expression matched. Please check your federated identity credential Subject, Expression, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation Trace", nil},
		{"an expression for an issuer that may have none", githubToken(t, "iss", "https://odd.example.org", "sub", "x", "aud", "a"), 401, "invalid_client", 7002241, "Issuer 'https://odd.example.org' may not use credentials matching via expression", nil},
		{"another audience", poolToken(t, "aud", "us-east-1:another"), 401, "invalid_client", 700212, "No matching federated identity record found for presented assertion audience 'us-east-1:another'. " + check, nil},
		{"an issuer that does not answer", poolToken(t, "iss", "https://silent.example.org", "sub", "s", "aud", "a"), 400, "invalid_request", 90061, "Request to External OIDC endpoint failed. Trace", []string{"https://silent.example.org"}},
		{"an unknown key", sign(t, keys().cognito, header("RS256", member("kid", "gone")), "RS256", poolClaims()), 401, "invalid_client", 700027, "Client assertion contains an invalid signature. [Reason - The key was not found.]. Trace", []string{cognito}},
		{"a broken signature", badSignature, 401, "invalid_client", 700027, "Client assertion contains an invalid signature. [Reason - Key was found, but use of the key to verify the signature failed.]. Trace", []string{cognito}},
		{"another's signature", sign(t, keys().stranger, header("RS256", member("kid", "us-east-11")), "RS256", poolClaims()), 401, "invalid_client", 700027, "Client assertion contains an invalid signature. [Reason - Key was found,", []string{cognito}},
		{"expired", poolToken(t, "iat", now.Unix()-1300, "exp", now.Unix()-400), 401, "invalid_client", 700024,
			"Client assertion is not within its valid time range. Current time: 2026-11-21T12:30:00.6223401Z, assertion valid from 2026-11-21T12:08:20.0000000Z, expiry time of assertion 2026-11-21T12:23:20.0000000Z. Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials . Trace", []string{cognito}},
		{"not yet valid", poolToken(t, "nbf", now.Unix()+400), 401, "invalid_client", 700024, "", []string{cognito}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			wantError(t, w.post(tokenPath, withAssertion(tt.assertion)), tt.status, tt.oauth, tt.code, tt.text)
			if diff := cmp.Diff(tt.asked, w.issuers.asked); diff != "" {
				t.Errorf("issuers contacted: %s", diff)
			}
			var d trust.Decision
			e := w.journal.events[0]
			if err := json.Unmarshal(e.Evidence, &d); err != nil || d.OK() || e.Outcome != audit.Refused || e.Code != "AADSTS"+itoa(tt.code) {
				t.Errorf("event %+v, %v", e, err)
			}
			if strings.Contains(string(e.Evidence), tt.assertion) {
				t.Error("the assertion itself is on record")
			}
		})
	}
}

// twice is a token whose payload says sub two times.
func twice(t testing.TB) string {
	t.Helper()
	raw, err := jose.Sign(header("RS512", member("kid", "us-east-11")), []byte(`{"iss":"`+cognito+`","sub":"x","sub":"`+subject+`","aud":"`+pool+`","exp":1795265000}`), keys().cognito, "RS512", nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestApplicationWithoutFederatedCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wantError(t, w.post(tokenPath, withAssertion(poolToken(t), "client_id", multiApp)), 401, "invalid_client", 70025, "")
	wantError(t, w.post(tokenPath, withAssertion(poolToken(t), "client_id", publicApp)), 401, "invalid_client", 700025, "Client is public so neither")
}

func TestManyCredentialsAllAppearInTheEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, n, err := w.Decide(t.Context(), w.d.applications[appID], poolToken(t, "sub", "us-east-1:x"))
	if err != nil || n != 5 || len(d.Verdicts) != 5 || d.Reason != trust.SubjectMismatch || d.Verdicts[0].Trust != "cognito" {
		t.Errorf("%v %d %d %q", err, n, len(d.Verdicts), d.Reason)
	}
}

func TestTrusts(t *testing.T) {
	t.Parallel()
	got := oauth.Trusts([]directory.FederatedCredential{
		{ID: "1", Name: "exact", Issuer: "i", Subject: "s", Audiences: []string{"a"}},
		{ID: "2", Name: "flexible", Issuer: "i", Audiences: []string{"a"}, Expression: &directory.Expression{Value: "claims['sub'] eq 'x'"}},
	}, v2Issuer)
	condition := func(name, claim string, op trust.Operator, want string) trust.Condition {
		return trust.Condition{Name: name, Claim: claim, Operator: op, Want: []string{want}}
	}
	want := []trust.Trust{
		{ID: "1", Name: "exact", Conditions: []trust.Condition{condition("issuer", "iss", trust.Equals, "i"), condition("subject", "sub", trust.Equals, "s"), condition("audience", "aud", trust.Contains, "a")}},
		{ID: "2", Name: "flexible", Conditions: []trust.Condition{condition("issuer", "iss", trust.Equals, "i"), condition("subject", "", trust.Matches, "claims['sub'] eq 'x'"), condition("audience", "aud", trust.Contains, "a")}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOwnTokensAreKnownByTheShapeOfTheirIssuer(t *testing.T) {
	t.Parallel()
	own := oauth.OwnTokens(v1Issuer, v2Issuer, tenantID)
	for issuer, want := range map[string]bool{
		v1Issuer(tenantID): true, v2Issuer(otherTenant): true, v2Issuer("{tenantid}"): false, strings.TrimSuffix(v1Issuer(tenantID), "/"): false,
		v2Issuer(tenantID) + "/": false, cognito: false, "": false, "https://login.microsoftonline.com/x/v2.0": false,
	} {
		ours, checks, reason := own(token.Claims{"iss": issuer})
		if ours != want || ours != (reason != "") || ours != (len(checks) == 6) {
			t.Errorf("%q: %v %v %v", issuer, ours, checks, reason)
		}
	}
}

func TestExpressionIssuer(t *testing.T) {
	t.Parallel()
	var admitted []string
	for _, issuer := range []string{github, github + "/", "https://gitlab.com", "https://gitlab.example.org", "https://app.terraform.io", "https://gitlab.com/evil", "http://gitlab.com", "https://evil.com", cognito} {
		if oauth.ExpressionIssuer(issuer) {
			admitted = append(admitted, issuer)
		}
	}
	if want := []string{github, "https://gitlab.com", "https://gitlab.example.org", "https://app.terraform.io"}; !slices.Equal(admitted, want) {
		t.Error(admitted)
	}
}
