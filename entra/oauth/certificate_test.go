package oauth_test

import (
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/trust"
	"github.com/treatyfed/treaty/wire/jose"
)

const v2Token = authority + "/" + tenantID + "/oauth2/v2.0/token"

// clientClaims are the claims of a client's own assertion; pairs override, nil removes.
func clientClaims(pairs ...any) map[string]any {
	unix := now.Unix()
	c := map[string]any{"aud": v2Token, "iss": appID, "sub": appID, "jti": "j", "nbf": unix - 10, "exp": unix + 600, "iat": unix - 10}
	return edit(c, pairs...)
}

func edit(c map[string]any, pairs ...any) map[string]any {
	c = maps.Clone(c)
	for i := 0; i < len(pairs); i += 2 {
		if name := pairs[i].(string); pairs[i+1] == nil {
			delete(c, name)
		} else {
			c[name] = pairs[i+1]
		}
	}
	return c
}

func header(alg string, members ...jose.Member) jose.Header {
	return append(jose.Header{{Name: "typ", Value: "JWT"}, {Name: "alg", Value: alg}}, members...)
}

func member(name string, value any) jose.Member { return jose.Member{Name: name, Value: value} }

func thumbprints() (sha1Sum, sha256Sum []byte) {
	a, b := sha1.Sum(keys().clientCert.Raw), sha256.Sum256(keys().clientCert.Raw)
	return a[:], b[:]
}

func TestCertificateAssertionsOfRealClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s1, s256 := thumbprints()
	unix := float64(now.Unix())
	x5c := base64.StdEncoding.EncodeToString(keys().clientCert.Raw)
	for _, tt := range []struct {
		name, alg string
		header    []jose.Member
		claims    map[string]any
	}{
		{"MSAL Go: PS256, padded standard base64 x5t#S256, x5c", "PS256", []jose.Member{member("x5t#S256", base64.StdEncoding.EncodeToString(s256)), member("x5c", []string{x5c})}, clientClaims()},
		{"MSAL JS: PS256, base64url x5t#S256", "PS256", []jose.Member{member("x5t#S256", base64.RawURLEncoding.EncodeToString(s256))}, clientClaims()},
		{"MSAL Python: padded base64url x5t, times with fractions", "RS256", []jose.Member{member("x5t", base64.URLEncoding.EncodeToString(s1))}, clientClaims("iat", unix-0.75, "exp", unix+599.25, "nbf", nil)},
		{"MSAL .NET: times as strings, x5c as one string", "PS256", []jose.Member{member("x5t#S256", base64.RawURLEncoding.EncodeToString(s256)), member("x5c", x5c)}, clientClaims("nbf", "1795264190", "exp", "1795264800")},
		{"Terraform: kid only, padded", "RS256", []jose.Member{member("kid", base64.URLEncoding.EncodeToString(s1))}, clientClaims()},
		{"kid as hexadecimal", "RS256", []jose.Member{member("kid", strings.ToUpper(hex.EncodeToString(s1)))}, clientClaims()},
		{"kid beside x5t", "RS256", []jose.Member{member("kid", "anything"), member("x5t", base64.RawURLEncoding.EncodeToString(s1))}, clientClaims()},
		{"RS512", "RS512", []jose.Member{member("x5t", base64.RawURLEncoding.EncodeToString(s1))}, clientClaims()},
		{"PS384", "PS384", []jose.Member{member("x5t", base64.RawURLEncoding.EncodeToString(s1))}, clientClaims()},
		{"ids in upper case", "RS256", []jose.Member{member("x5t", base64.RawURLEncoding.EncodeToString(s1))}, clientClaims("iss", strings.ToUpper(appID), "sub", strings.ToUpper(appID))},
		{"audience: the v1 endpoint", "RS256", []jose.Member{member("x5t", base64.RawURLEncoding.EncodeToString(s1))}, clientClaims("aud", authority+"/"+tenantID+"/oauth2/token")},
		{"audience: the v2 issuer", "RS256", []jose.Member{member("x5t", base64.RawURLEncoding.EncodeToString(s1))}, clientClaims("aud", v2Issuer(tenantID))},
		{"audience: the v1 issuer", "RS256", []jose.Member{member("x5t", base64.RawURLEncoding.EncodeToString(s1))}, clientClaims("aud", v1Issuer(tenantID))},
		{"audience: by domain", "RS256", []jose.Member{member("x5t", base64.RawURLEncoding.EncodeToString(s1))}, clientClaims("aud", authority+"/example.org/oauth2/v2.0/token")},
		{"audience: an own host without its port", "RS256", []jose.Member{member("x5t", base64.RawURLEncoding.EncodeToString(s1))}, clientClaims("aud", "https://localhost/"+tenantID+"/oauth2/v2.0/token")},
		{"audience: a regional host, in an array", "RS256", []jose.Member{member("x5t", base64.RawURLEncoding.EncodeToString(s1))}, clientClaims("aud", []string{"https://westus2.login.microsoft.com/" + tenantID + "/oauth2/v2.0/token"})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assertion := sign(t, keys().client, header(tt.alg, tt.header...), tt.alg, tt.claims)
			if _, claims := decode(t, w.post(tokenPath, withAssertion(assertion))); claims.Text("appidacr") != "2" {
				t.Errorf("appidacr %q", claims.Text("appidacr"))
			}
		})
	}
	assertion := sign(t, keys().client, header("RS256", member("x5t", jose.Thumbprint(keys().clientCert.Raw))), "RS256", clientClaims())
	if _, claims := decode(t, w.post(tokenPath, withAssertion(assertion, "client_id", "", "scope", "https://example.org/api/.default"))); claims.Text("azpacr") != "2" || claims.Text("azp") != appID {
		t.Errorf("without client_id: %v", claims)
	}
}

func TestCertificateAssertionsRefused(t *testing.T) {
	t.Parallel()
	s1, _ := thumbprints()
	x5t := member("x5t", base64.RawURLEncoding.EncodeToString(s1))
	unregistered := sha1.Sum([]byte("another"))
	hint := ", Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '" + appID + "'. Review the documentation at https://docs.microsoft.com/en-us/graph/deployments to determine the corresponding service endpoint and https://docs.microsoft.com/en-us/graph/api/application-get?view=graph-rest-1.0&tabs=http to build a query request URL, such as 'https://graph.microsoft.com/beta/applications/" + appID + "']. Trace"
	docs := "Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials . Trace"
	k := keys()
	for _, tt := range []struct {
		name   string
		key    *rsa.PrivateKey
		alg    string
		header []jose.Member
		claims map[string]any
		status int
		oauth  string
		code   int
		text   string
	}{
		{"no certificate named", k.client, "RS256", nil, clientClaims(), 401, "invalid_client", 5002723, "Invalid JWT token. No certificate SHA-1 thumbprint, certificate SHA-256 thumbprint, nor keyId specified in token header. Trace"},
		{"a certificate that is not registered", k.client, "RS256", []jose.Member{member("x5t", base64.RawURLEncoding.EncodeToString(unregistered[:]))}, clientClaims(), 401, "invalid_client", 700027,
			"The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found., Thumbprint of key used by client: '" + strings.ToUpper(hex.EncodeToString(unregistered[:])) + "'" + hint},
		{"a kid that is no thumbprint", k.client, "RS256", []jose.Member{member("kid", "main")}, clientClaims(), 401, "invalid_client", 700027,
			"The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found." + hint},
		{"another key's signature", k.stranger, "RS256", []jose.Member{x5t}, clientClaims(), 401, "invalid_client", 700027,
			"Client assertion contains an invalid signature. [Reason - Key was found, but use of the key to verify the signature failed., Thumbprint of key used by client: '" + strings.ToUpper(hex.EncodeToString(s1)) + "', Found key 'Start=11/21/2025 12:30:00, End=11/21/2027 12:30:00'" + hint},
		{"the issuer is another application", k.client, "RS256", []jose.Member{x5t}, clientClaims("iss", multiApp), 401, "invalid_client", 700021, "Client assertion application identifier doesn't match 'client_id' parameter. " + docs},
		{"the subject is another application", k.client, "RS256", []jose.Member{x5t}, clientClaims("sub", multiApp), 401, "invalid_client", 700021, "Client assertion application identifier doesn't match 'client_id' parameter. " + docs},
		{"no audience", k.client, "RS256", []jose.Member{x5t}, clientClaims("aud", nil), 400, "invalid_request", 90014, "The required field 'aud' is missing from the credential. Ensure that you have all the necessary parameters for the login request. Trace"},
		{"another authority as audience", k.client, "RS256", []jose.Member{x5t}, clientClaims("aud", "https://login.example.com/"+tenantID+"/oauth2/v2.0/token"), 401, "invalid_client", 700023, "Client assertion audience claim does not match Realm issuer. " + docs},
		{"another tenant as audience", k.client, "RS256", []jose.Member{x5t}, clientClaims("aud", authority+"/"+otherTenant+"/oauth2/v2.0/token"), 401, "invalid_client", 700023, ""},
		{"expired", k.client, "RS256", []jose.Member{x5t}, clientClaims("nbf", now.Unix()-4000, "exp", now.Unix()-400), 401, "invalid_client", 700024,
			"Client assertion is not within its valid time range. Current time: 2026-11-21T12:30:00.6223401Z, assertion valid from 2026-11-21T11:23:20.0000000Z, expiry time of assertion 2026-11-21T12:23:20.0000000Z. " + docs},
		{"without an expiry", k.client, "RS256", []jose.Member{x5t}, clientClaims("exp", nil), 401, "invalid_client", 700024,
			"Client assertion is not within its valid time range. Current time: 2026-11-21T12:30:00.6223401Z, assertion valid from 2026-11-21T12:29:50.0000000Z, expiry time of assertion 1970-01-01T00:00:00.0000000Z. "},
		{"not yet valid", k.client, "RS256", []jose.Member{x5t}, clientClaims("nbf", now.Unix()+400), 401, "invalid_client", 700024, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			assertion := sign(t, tt.key, header(tt.alg, tt.header...), tt.alg, tt.claims)
			wantError(t, w.post(tokenPath, withAssertion(assertion)), tt.status, tt.oauth, tt.code, tt.text)
			var d trust.Decision
			if err := json.Unmarshal(w.journal.events[0].Evidence, &d); err != nil || len(d.Report.Checks) < 12 || d.Report.Checks.OK() {
				t.Errorf("evidence: %v, %d checks", err, len(d.Report.Checks))
			}
		})
	}
}

func TestCertificateOutOfItsLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.d.applications[appID]
	app.Certificates[0].NotAfter = now.AddDate(0, 0, -1)
	assertion := sign(t, keys().client, header("PS256", member("x5t", jose.Thumbprint(keys().clientCert.Raw))), "PS256", clientClaims())
	wantError(t, w.post(tokenPath, withAssertion(assertion)), 401, "invalid_client", 700027, "Client assertion contains an invalid signature. [Reason - The key used is expired., Thumbprint of key used by client: '")
}

func TestAlgorithmsThatNoClientMayUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, alg := range []string{"none", "HS256", "ES256"} {
		head, _ := json.Marshal(map[string]string{"alg": alg, "typ": "JWT", "x5t": jose.Thumbprint(keys().clientCert.Raw)})
		payload, _ := json.Marshal(clientClaims())
		enc := base64.RawURLEncoding.EncodeToString
		raw := enc(head) + "." + enc(payload) + "." + enc([]byte("signature"))
		wantError(t, w.post(tokenPath, withAssertion(raw)), 401, "invalid_client", 5002738, "Invalid JWT token. '"+alg+"' is not a supported signature algorithm. Supported signing algorithms are: 'RS256,RS384,RS512' Trace")
	}
}

func TestAnAssertionForAnotherAuthorityIsOfNoUseUnderItsName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	assertion := sign(t, keys().client, header("RS256", member("x5t", jose.Thumbprint(keys().clientCert.Raw))), "RS256", clientClaims("aud", "https://evil.example.com/"+tenantID+"/oauth2/v2.0/token"))
	rec := w.post(tokenPath, withAssertion(assertion), func(r *http.Request) { r.Host = "evil.example.com" })
	if rec.Code != http.StatusUnauthorized || !strings.Contains(rec.Body.String(), "AADSTS700023") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	w.Authority = "https://id.example.org"
	assertion = sign(t, keys().client, header("RS256", member("x5t", jose.Thumbprint(keys().clientCert.Raw))), "RS256", clientClaims())
	if rec := w.post(tokenPath, withAssertion(assertion)); !strings.Contains(rec.Body.String(), "AADSTS700023") {
		t.Errorf("under our own name, one for Microsoft's: %d %s", rec.Code, rec.Body)
	}
}
