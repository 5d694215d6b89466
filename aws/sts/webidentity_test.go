package sts_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/aws/sts"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
)

// shape hides what differs each time, so that the rest of an answer can be compared to the byte.
func shape(body string) string {
	for _, r := range []struct{ pattern, with string }{
		{`<AccessKeyId>ASIA[A-Z2-7]{16}<`, "<AccessKeyId>ASIA…<"},
		{`<SecretAccessKey>[A-Za-z0-9+/]{40}<`, "<SecretAccessKey>…<"},
		{`<SessionToken>[A-Za-z0-9+/=]+<`, "<SessionToken>…<"},
		{`<SessionTokenSize>[0-9]+<`, "<SessionTokenSize>N<"},
		{`<SessionTokenUtilization>[0-9]+<`, "<SessionTokenUtilization>N<"},
		{`<PackedPolicySize>[0-9]+<`, "<PackedPolicySize>N<"},
		{`<RequestId>[0-9a-f-]{36}<`, "<RequestId>…<"},
		{`AROA[A-Z2-7]{17}:`, "AROA…:"},
	} {
		body = regexp.MustCompile(r.pattern).ReplaceAllString(body, r.with)
	}
	return body
}

func TestABearerGetsARoleAndTheAnswerIsAWSs(t *testing.T) {
	t.Parallel()
	w := newFederated(t)
	role := w.role("Reader", federatedTrust(audience, "sts:AssumeRoleWithWebIdentity", "sts:SetSourceIdentity"), func(r *directory.IAMRole) {
		r.ARN, r.Path = "arn:aws:iam::123456789012:role/app/Reader", "/app/"
	})
	out, err := w.with(role.ARN, w.token(claims{"azp": client, "aud": "api", "https://aws.amazon.com/source_identity": "ann"}))
	must(t, err)
	const want = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/Reader/s1</Arn><AssumedRoleId>AROA…:s1</AssumedRoleId></AssumedRoleUser>` +
		`<Audience>api://AzureADTokenExchange</Audience>` +
		`<Credentials><AccessKeyId>ASIA…</AccessKeyId><Expiration>2026-11-21T10:30:00Z</Expiration><SecretAccessKey>…</SecretAccessKey><SessionToken>…</SessionToken></Credentials>` +
		`<PackedPolicySize>N</PackedPolicySize><Provider>arn:aws:iam::123456789012:oidc-provider/login.example/tenant/v2.0</Provider>` +
		`<SessionTokenSize>N</SessionTokenSize><SessionTokenUtilization>N</SessionTokenUtilization><SourceIdentity>ann</SourceIdentity><SubjectFromWebIdentityToken>spn-1</SubjectFromWebIdentityToken></AssumeRoleWithWebIdentityResult>
  <ResponseMetadata>
    <RequestId>…</RequestId>
  </ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>
`
	if diff := cmp.Diff(want, shape(w.last().body)); diff != "" {
		t.Error(diff)
	}
	if *out.AssumedRoleUser.AssumedRoleId != role.ID+":s1" || *out.SessionTokenSize != int32(len(*out.Credentials.SessionToken)) {
		t.Errorf("%s, %d", *out.AssumedRoleUser.AssumedRoleId, *out.SessionTokenSize)
	}
	e := w.event()
	if e.Outcome != audit.Allowed || e.Operation != "AssumeRoleWithWebIdentity" || e.Resource != role.ARN || e.Caller != provider+":"+client+":spn-1" {
		t.Errorf("%+v", e)
	}
	if strings.Contains(string(e.Evidence), *out.Credentials.SessionToken) || strings.Contains(string(e.Evidence), w.token(nil)) {
		t.Error("the event has a credential or a token in it")
	}
	who, err := w.client(temporary(out.Credentials)).GetCallerIdentity(t.Context(), nil)
	if err != nil || *who.Arn != *out.AssumedRoleUser.Arn {
		t.Errorf("%+v, %v", who, err)
	}
}

func TestRefusalsAreInSTSsWords(t *testing.T) {
	t.Parallel()
	w := newFederated(t)
	trusted := w.role("Trusted", federatedTrust(audience)).ARN
	closed := w.role("Closed", federatedTrust(`"StringEquals":{"`+prefix+`:sub":"somebody-else"}`)).ARN
	wildcard := w.role("Wildcard", trusts("*", []string{"sts:AssumeRoleWithWebIdentity"})).ARN
	now := w.now().Unix()
	const vague = "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements."
	const noKey = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
	const denied = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
	providerID := func(id string) func(*sdk.AssumeRoleWithWebIdentityInput) {
		return func(in *sdk.AssumeRoleWithWebIdentityInput) { in.ProviderId = &id }
	}
	for name, c := range map[string]struct {
		role, token   string
		edit          []func(*sdk.AssumeRoleWithWebIdentityInput)
		status        int
		code, message string
	}{
		"no token":                   {trusted, "undefined", nil, 400, "InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"},
		"a claim is missing":         {trusted, w.token(claims{"sub": nil}), nil, 400, "InvalidIdentityToken", "Missing a required claim: sub"},
		"a subject of null":          {trusted, w.token(claims{"sub": json.RawMessage("null")}), nil, 500, "InternalFailure", "Unknown error validating third-party token"},
		"expired":                    {trusted, w.token(claims{"exp": now - 324}), nil, 400, "ExpiredTokenException", "Token expired: current date/time 1795253100 must be before the expiration date/time 1795253076"},
		"not yet valid":              {trusted, w.token(claims{"nbf": now + 3600}), nil, 400, "InvalidIdentityToken", "Token not yet valid: current date/time 1795253700 must be after or equal to the not-before date/time 1795257000"},
		"from the future":            {trusted, w.token(claims{"iat": now + 3600}), nil, 400, "InvalidIdentityToken", "Token issued in the future: 1795257000"},
		"a time with a fraction":     {trusted, w.token(claims{"iat": float64(now) + .5}), nil, 400, "InvalidIdentityToken", "Invalid timestamp in token claims."},
		"several audiences":          {trusted, w.token(claims{"aud": []string{"a", "b"}}), nil, 400, "InvalidIdentityToken", "Token audience contains more than one audience while authorized party is not present"},
		"no audiences":               {trusted, w.token(claims{"aud": []string{}}), nil, 400, "InvalidIdentityToken", "Claim is not allowed to be empty: aud"},
		"another audience":           {trusted, w.token(claims{"aud": "other"}), nil, 400, "InvalidIdentityToken", vague},
		"another authorized party":   {trusted, w.token(claims{"azp": "other"}), nil, 400, "InvalidIdentityToken", vague},
		"an issuer nobody knows":     {trusted, w.token(claims{"iss": "https://other.example"}), nil, 400, "InvalidIdentityToken", vague},
		"a provider of another's":    {"arn:aws:iam::210987654321:role/Trusted", w.token(nil), nil, 400, "InvalidIdentityToken", vague},
		"tags as text":               {trusted, w.token(claims{"https://aws.amazon.com/tags": claims{"principal_tags": claims{"Team": "a"}}}), nil, 400, "InvalidIdentityToken", "principal_tags passed in claim is not in correct format."},
		"roles that are others":      {trusted, w.token(claims{"https://aws.amazon.com/roles": closed}), nil, 400, "InvalidIdentityToken", "The target role ARN is not present in the roles claim of the identity token"},
		"roles before trust":         {closed, w.token(claims{"https://aws.amazon.com/roles": []string{}}), nil, 400, "InvalidIdentityToken", "The target role ARN is not present in the roles claim of the identity token"},
		"Login with Amazon":          {trusted, w.token(nil), []func(*sdk.AssumeRoleWithWebIdentityInput){providerID("www.amazon.com")}, 400, "InvalidIdentityToken", "Provided Token is not a Login With Amazon token"},
		"Facebook":                   {trusted, w.token(nil), []func(*sdk.AssumeRoleWithWebIdentityInput){providerID("graph.facebook.com")}, 403, "IDPRejectedClaim", `graph.facebook.com rejected OAuth token with response "Bad signature" and code 190`},
		"a provider id beside a JWT": {trusted, w.token(nil), []func(*sdk.AssumeRoleWithWebIdentityInput){providerID("accounts.google.com")}, 403, "AccessDenied", "Unrecognized OAuth provider. Do not include a provider parameter when submitting OpenIDConnect ID tokens"},
		"no such role":               {"arn:aws:iam::123456789012:role/Missing", w.token(nil), nil, 403, "AccessDenied", denied},
		"not trusted":                {closed, w.token(nil), nil, 403, "AccessDenied", denied},
		"everybody but bearers":      {wildcard, w.token(nil), nil, 403, "AccessDenied", denied},
		"tags that are not trusted":  {trusted, w.token(claims{"https://aws.amazon.com/tags/principal_tags/Team": "a"}), nil, 403, "AccessDenied", "Not authorized to perform sts:TagSession"},
		"a source that is not":       {trusted, w.token(claims{"https://aws.amazon.com/source_identity": "ann"}), nil, 403, "AccessDenied", "Not authorized to perform sts:SetSourceIdentity"},
		"longer than the role's":     {trusted, w.token(nil), []func(*sdk.AssumeRoleWithWebIdentityInput){func(in *sdk.AssumeRoleWithWebIdentityInput) { in.DurationSeconds = new(int32(7200)) }}, 400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."},
		"not a role":                 {"arn:aws:iam::123456789012:user/ann", w.token(nil), nil, 400, "ValidationError", "arn:aws:iam::123456789012:user/ann is invalid"},
		"a name with a colon": {trusted, w.token(nil), []func(*sdk.AssumeRoleWithWebIdentityInput){func(in *sdk.AssumeRoleWithWebIdentityInput) { in.RoleSessionName = new("Session1:2") }}, 400, "ValidationError",
			`1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`},
		"a policy that is none": {trusted, w.token(nil), []func(*sdk.AssumeRoleWithWebIdentityInput){func(in *sdk.AssumeRoleWithWebIdentityInput) { in.Policy = new("{") }}, 400, "MalformedPolicyDocument", ""},
	} {
		_, err := w.with(c.role, c.token, c.edit...)
		refused(t, err, c.code, c.message)
		if got := w.last(); got.status != c.status {
			t.Errorf("%s: status %d, %s", name, got.status, got.body)
		}
		if c.code == "ValidationError" && strings.HasPrefix(c.message, "1 validation") {
			continue // refused before anything was decided
		}
		if e := w.event(); e.Outcome != audit.Refused || e.Code != c.code || e.Resource != c.role {
			t.Errorf("%s: event %+v", name, e)
		}
	}
	w.web.docs = nil
	w.pass(time.Hour + 25*time.Hour) // beyond what is cached
	_, err := w.with(trusted, w.token(nil))
	refused(t, err, "InvalidIdentityToken", noKey)
	w.pass(time.Minute)
	w.web.pins = true
	_, err = w.with(trusted, w.token(nil))
	refused(t, err, "InvalidIdentityToken", "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint")
}

// The audience and the id of the token's own words are keys of the trust policy, and so is whether its
// issuer named the role.
func TestTrustPoliciesSeeTheToken(t *testing.T) {
	t.Parallel()
	w := newFederated(t)
	const roles = "https://aws.amazon.com/roles"
	arn := func(name string) string { return "arn:aws:iam::123456789012:role/" + name }
	for name, c := range map[string]struct {
		conditions string
		claims     claims
		ok         bool
	}{
		"Sub":                  {`"StringLike":{"` + prefix + `:sub":"spn-*"}`, nil, true},
		"AuthorizedParty":      {`"StringEquals":{"` + prefix + `:aud":"` + client + `","` + prefix + `:oaud":"api"}`, claims{"aud": "api", "azp": client}, true},
		"ManyAudiences":        {`"ForAnyValue:StringEquals":{"` + prefix + `:oaud":"api"}`, claims{"aud": []string{"x", "api"}, "azp": client}, true},
		"Methods":              {`"ForAnyValue:StringEquals":{"` + prefix + `:amr":"mfa"}`, claims{"amr": []string{"pwd", "mfa"}}, true},
		"MethodsAsOne":         {`"StringEquals":{"` + prefix + `:amr":"mfa"}`, claims{"amr": []string{"mfa"}}, false},
		"OtherClaims":          {`"StringEquals":{"` + prefix + `:tid":"t"}`, claims{"tid": "t"}, false},
		"SessionName":          {`"StringEquals":{"sts:RoleSessionName":"s1"}`, nil, true},
		"ProviderAccount":      {`"StringEquals":{"aws:PrincipalAccount":"123456789012","aws:PrincipalType":"User","aws:userid":"` + provider + `"}`, nil, true},
		"NoPrincipalArn":       {`"StringLike":{"aws:PrincipalArn":"*"}`, nil, false},
		"FederatedProvider":    {`"ArnLike":{"aws:FederatedProvider":"` + provider + `"}`, nil, true},
		"NamedByIssuer":        {`"Bool":{"sts:RoleAuthorizedByIdp":"true"}`, claims{roles: arn("NamedByIssuer")}, true},
		"NamedByIssuerInAList": {`"Bool":{"sts:RoleAuthorizedByIdp":"true"}`, claims{roles: []string{"x", arn("NamedByIssuerInAList")}}, true},
		"NotNamed":             {`"Bool":{"sts:RoleAuthorizedByIdp":"true"}`, nil, false},
		"NotNamedButAllowed":   {`"Bool":{"sts:RoleAuthorizedByIdp":"false"}`, nil, true},
		"SourceIP":             {`"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}`, nil, true},
	} {
		role := w.role(name, federatedTrust(c.conditions))
		_, err := w.with(role.ARN, w.token(c.claims))
		if c.ok && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !c.ok {
			refused(t, err, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
		}
	}
}

func TestSessionTagsOfATokenGoIntoTheSession(t *testing.T) {
	t.Parallel()
	w := newFederated(t)
	role := w.role("Tagged", federatedTrust(`"StringEquals":{"aws:RequestTag/Team":"red"},"ForAllValues:StringEquals":{"aws:TagKeys":["Team","Unit"]}`, "sts:AssumeRoleWithWebIdentity", "sts:TagSession"))
	const tag = "https://aws.amazon.com/tags/principal_tags/"
	out, err := w.with(role.ARN, w.token(claims{tag + "Team": "red", tag + "Unit": "7", "https://aws.amazon.com/tags/transitive_tag_keys": []string{"Team"}}))
	must(t, err)
	session, err := w.sealer.OpenSession(*out.Credentials.SessionToken)
	must(t, err)
	if !cmp.Equal(session.Tags, map[string]string{"Team": "red", "Unit": "7"}) || !cmp.Equal(session.Transitive, []string{"Team"}) || session.Federated != provider {
		t.Errorf("%+v", session)
	}
	if !cmp.Equal(session.Kept, map[string][]string{prefix + ":aud": {client}, prefix + ":sub": {"spn-1"}}) {
		t.Errorf("kept %v", session.Kept)
	}
	for name, c := range map[string]struct {
		claims        claims
		code, message string
	}{
		"another key":              {claims{tag + "Team": "red", tag + "admin": "yes"}, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		"another value":            {claims{tag + "Team": "blue"}, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		"twice in two cases":       {claims{tag + "Team": "red", tag + "TEAM": "red"}, "", ""},
		"a transitive key of none": {claims{tag + "Team": "red", "https://aws.amazon.com/tags/transitive_tag_keys": []string{"Unit"}}, "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags."},
	} {
		_, err := w.with(role.ARN, w.token(c.claims))
		if err == nil {
			t.Errorf("%s: allowed", name)
		} else if c.code != "" {
			refused(t, err, c.code, c.message)
		}
	}
}

func TestASessionOutlivesItsToken(t *testing.T) {
	t.Parallel()
	w := newFederated(t)
	role := w.role("Long", federatedTrust(audience), func(r *directory.IAMRole) { r.MaxSession = 7200 })
	out, err := w.with(role.ARN, w.token(claims{"exp": w.now().Unix() + 60}), func(in *sdk.AssumeRoleWithWebIdentityInput) {
		in.DurationSeconds, in.MinimumSessionTokenSize = new(int32(7200)), new(int32(2000))
	})
	must(t, err)
	if !out.Credentials.Expiration.Equal(start.Add(2*time.Hour)) || *out.SessionTokenSize < 2000 {
		t.Errorf("%s, %d", out.Credentials.Expiration, *out.SessionTokenSize)
	}
}

func TestRefusedTokensLeaveTheirEvidence(t *testing.T) {
	t.Parallel()
	w := newFederated(t)
	role := w.role("Closed", federatedTrust(`"StringEquals":{"`+prefix+`:sub":"somebody-else"}`))
	_, err := w.with(role.ARN, w.token(nil))
	refused(t, err, "AccessDenied", "")
	var proof sts.WebIdentityEvidence
	must(t, json.Unmarshal(w.event().Evidence, &proof))
	if len(proof.Decisions) != 1 || proof.Decisions[0].Allows() || !proof.Token.OK() || !proof.Provider.OK() || proof.Claims.Text("sub") != "spn-1" {
		t.Errorf("%+v", proof)
	}
	_, err = w.with(role.ARN, w.token(claims{"aud": "other"}))
	refused(t, err, "InvalidIdentityToken", "")
	proof = sts.WebIdentityEvidence{}
	must(t, json.Unmarshal(w.event().Evidence, &proof))
	if check, _ := proof.Token.Named("audience"); check.OK || !cmp.Equal(check.Want, []string{client}) || proof.Reason == "" {
		t.Errorf("%+v", proof)
	}
}

// The SDK's own provider of credentials reads a token from a file, and its client gets what the bytes say.
func TestTheSDKsProviderWorksUnmodified(t *testing.T) {
	t.Parallel()
	w := newFederated(t)
	role := w.role("Pod", federatedTrust(audience))
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte(w.token(nil)), 0o600))
	p := stscreds.NewWebIdentityRoleProvider(w.client(aws.Credentials{}), role.ARN, stscreds.IdentityTokenFile(file), func(o *stscreds.WebIdentityRoleOptions) {
		o.RoleSessionName, o.PolicyARNs = "pod", []types.PolicyDescriptorType{{Arn: new(administrator)}}
	})
	got, err := p.Retrieve(t.Context())
	must(t, err)
	if got.AccountID != account || got.SessionToken == "" || !got.Expires.Equal(start.Add(time.Hour)) {
		t.Errorf("%+v", got)
	}
	who, err := w.client(got).GetCallerIdentity(t.Context(), nil)
	if err != nil || *who.Arn != "arn:aws:sts::123456789012:assumed-role/Pod/pod" {
		t.Errorf("%+v, %v", who, err)
	}
	must(t, os.WriteFile(file, []byte(w.token(claims{"exp": w.now().Unix() - 3600})), 0o600))
	_, err = p.Retrieve(t.Context())
	refused(t, err, "ExpiredTokenException", "")
	if w.last().status != http.StatusBadRequest {
		t.Error(w.last())
	}
}

func TestEightBearersAtOnceGetEightSessions(t *testing.T) {
	t.Parallel()
	w := newFederated(t)
	role, raw := w.role("Shared", federatedTrust(audience)), w.token(nil)
	if n, failed := eight(func() error { _, err := w.with(role.ARN, raw); return err }); n != 8 {
		t.Errorf("%d, %v", n, failed)
	}
}
