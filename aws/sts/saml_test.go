package sts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

func TestAnAssertionGetsARoleAndTheAnswerIsAWSs(t *testing.T) {
	t.Parallel()
	w := newSAML(t)
	role := w.role("Reader", samlTrust(`"StringEquals":{"SAML:aud":"`+signIn+`"}`, "sts:AssumeRoleWithSAML", "sts:SetSourceIdentity"), func(r *directory.IAMRole) {
		r.ARN, r.Path = "arn:aws:iam::123456789012:role/app/Reader", "/app/"
	})
	from, to := and(says(attributes+"SourceIdentity", "ann"))
	response := w.byCorp(role.ARN, from, to)
	out, err := w.saml(role.ARN, response)
	must(t, err)
	const want = `<AssumeRoleWithSAMLResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithSAMLResult><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/Reader/ann</Arn><AssumedRoleId>AROA…:ann</AssumedRoleId></AssumedRoleUser>` +
		`<Audience>https://signin.aws.amazon.com/saml</Audience>` +
		`<Credentials><AccessKeyId>ASIA…</AccessKeyId><Expiration>2026-11-21T10:30:00Z</Expiration><SecretAccessKey>…</SecretAccessKey><SessionToken>…</SessionToken></Credentials>` +
		`<Issuer>https://idp.example/saml</Issuer><NameQualifier>MgAPItkqBqQq+7sgby8xPzwYyuA=</NameQualifier>` +
		`<PackedPolicySize>N</PackedPolicySize><SessionTokenSize>N</SessionTokenSize><SessionTokenUtilization>N</SessionTokenUtilization><SourceIdentity>ann</SourceIdentity>` +
		`<Subject>ann@corp.example</Subject><SubjectType>persistent</SubjectType></AssumeRoleWithSAMLResult>
  <ResponseMetadata>
    <RequestId>…</RequestId>
  </ResponseMetadata>
</AssumeRoleWithSAMLResponse>
`
	if diff := cmp.Diff(want, shape(w.last().body)); diff != "" {
		t.Error(diff)
	}
	e := w.event()
	if e.Outcome != audit.Allowed || e.Operation != "AssumeRoleWithSAML" || e.Resource != role.ARN || e.Caller != *out.NameQualifier+":ann@corp.example" {
		t.Errorf("%+v", e)
	}
	if strings.Contains(string(e.Evidence), *out.Credentials.SessionToken) || strings.Contains(string(e.Evidence), response[:200]) {
		t.Error("the event has a credential or the assertion in it")
	}
	who, err := w.client(temporary(out.Credentials)).GetCallerIdentity(t.Context(), nil)
	if err != nil || *who.Arn != *out.AssumedRoleUser.Arn {
		t.Errorf("%+v, %v", who, err)
	}
}

// What 2.0's own formats begin with is left out, and nothing else.
func TestTheTypeOfASubject(t *testing.T) {
	t.Parallel()
	w := newSAML(t)
	role := w.role("Reader", samlTrust("")).ARN
	for format, want := range map[string]string{
		"urn:oasis:names:tc:SAML:2.0:nameid-format:transient":    "transient",
		"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress": "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
		"urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified":  "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
		"https://corp.example/format":                            "https://corp.example/format",
	} {
		out, err := w.saml(role, w.byCorp(role, "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", format))
		if err != nil || *out.SubjectType != want {
			t.Errorf("%s: %+v, %v", format, out, err)
		}
	}
}

func TestTheNameQualifierIsADigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.samlProvider(account, "MySAMLIdP", func(p *directory.SAMLProvider) { p.Metadata = samlMetadata("https://example.com/saml", corp()) })
	arn := "arn:aws:iam::" + account + ":saml-provider/MySAMLIdP"
	role := w.role("Reader", strings.ReplaceAll(samlTrust(""), samlProvider, arn)).ARN
	document := strings.ReplaceAll(strings.ReplaceAll(w.assertion(role), samlIssuer, "https://example.com/saml"), samlProvider, arn)
	out, err := w.saml(role, posted(t, corp(), document, "_a"), func(in *sdk.AssumeRoleWithSAMLInput) { in.PrincipalArn = &arn })
	must(t, err)
	if *out.NameQualifier != "1uAJanUnBc2XeUkHURMht+xam2c=" || *out.Issuer != "https://example.com/saml" {
		t.Errorf("%s, %s", *out.NameQualifier, *out.Issuer)
	}
}

func TestTheTimesOfAnAssertion(t *testing.T) {
	t.Parallel()
	const late = "Response has expired" + discoverySay
	for name, c := range map[string]struct {
		edits         []string // %d is the time given
		until         time.Duration
		code, message string
	}{
		"the conditions end":              {[]string{"2026-11-21T09:36:00Z", "%d"}, time.Minute, "ExpiredTokenException", late},
		"the subject's confirmation ends": {[]string{"2026-11-21T09:35:00Z", "%d"}, time.Minute, "ExpiredTokenException", late},
		"the provider's session ends":     {[]string{"<saml:AuthnStatement ", `<saml:AuthnStatement SessionNotOnOrAfter="%d" `}, time.Minute, "ExpiredTokenException", late},
	} {
		w := newSAML(t)
		role := w.role("Reader", samlTrust("")).ARN
		c.edits[1] = strings.ReplaceAll(c.edits[1], "%d", start.Add(c.until).Format(time.RFC3339))
		response := w.byCorp(role, c.edits...)
		w.pass(c.until - time.Nanosecond)
		_, err := w.saml(role, response)
		if err != nil {
			t.Errorf("%s: before its end: %v", name, err)
		}
		w.pass(time.Nanosecond)
		_, err = w.saml(role, response)
		begins(t, name, err, c.code, c.message)
		if w.last().status != 400 {
			t.Errorf("%s: status %d", name, w.last().status)
		}
	}
	w := newSAML(t)
	role := w.role("Reader", samlTrust("")).ARN
	response := w.byCorp(role, "2026-11-21T09:35:00Z", "2026-11-21T19:35:00Z", "2026-11-21T09:36:00Z", "2026-11-21T19:35:00Z")
	w.pass(5 * time.Minute)
	_, err := w.saml(role, response)
	must(t, err)
	w.pass(time.Nanosecond)
	_, err = w.saml(role, response)
	refused(t, err, "ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance")
}

func TestTheEndOfASAMLSession(t *testing.T) {
	t.Parallel()
	const ends = `<saml:AuthnStatement SessionNotOnOrAfter="2026-11-21T09:50:00Z" `
	for name, c := range map[string]struct {
		edits   []string
		asked   int32
		seconds int
	}{
		"one hour by default":                         {nil, 0, 3600},
		"what is asked for":                           {nil, 7200, 7200},
		"a shorter duration of the provider's":        {pair(and(says(attributes+"SessionDuration", "900"))), 0, 900},
		"a longer one does not lengthen":              {pair(and(says(attributes+"SessionDuration", "7200"))), 0, 3600},
		"a longer one does not bound what is asked":   {pair(and(says(attributes+"SessionDuration", "7200"))), 7200, 7200},
		"a shorter one bounds what is asked":          {pair(and(says(attributes+"SessionDuration", "900"))), 7200, 900},
		"the provider's session bounds":               {[]string{"<saml:AuthnStatement ", ends}, 0, 1200},
		"the provider's session bounds what is asked": {[]string{"<saml:AuthnStatement ", ends}, 7200, 1200},
		"it does not lengthen":                        {[]string{"<saml:AuthnStatement ", strings.Replace(ends, "09:50", "23:50", 1)}, 900, 900},
		"the shortest of all bounds":                  {append([]string{"<saml:AuthnStatement ", ends}, pair(and(says(attributes+"SessionDuration", "900")))...), 7200, 900},
	} {
		w := newSAML(t)
		role := w.role("Long", samlTrust(""), func(r *directory.IAMRole) { r.MaxSession = 7200 }).ARN
		out, err := w.saml(role, w.byCorp(role, c.edits...), func(in *sdk.AssumeRoleWithSAMLInput) {
			if c.asked > 0 {
				in.DurationSeconds = &c.asked
			}
		})
		if err != nil || !out.Credentials.Expiration.Equal(start.Add(time.Duration(c.seconds)*time.Second)) {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
	w := newSAML(t)
	role := w.role("Short", samlTrust("")).ARN
	_, err := w.saml(role, w.byCorp(role), func(in *sdk.AssumeRoleWithSAMLInput) { in.DurationSeconds = new(int32(3601)) })
	refused(t, err, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
}

func TestPairsOfRoleAndProvider(t *testing.T) {
	t.Parallel()
	w := newSAML(t)
	role := w.role("Reader", samlTrust("")).ARN
	for name, values := range map[string][]string{
		"the provider first": {samlProvider + "," + role},
		"with white space":   {"\n " + role + " , " + samlProvider + "\n"},
		"one of many":        {"x", "arn:aws:iam::" + account + ":role/Other," + samlProvider, role + "," + samlProvider},
	} {
		if _, err := w.saml(role, w.byCorp(role, says(attributes+"Role", role+","+samlProvider), says(attributes+"Role", values...))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTagsAndSourcesOfAssertions(t *testing.T) {
	t.Parallel()
	w := newSAML(t)
	role := w.role("Tagged", samlTrust(`"StringEquals":{"aws:RequestTag/Team":"red"},"ForAllValues:StringEquals":{"aws:TagKeys":["Team","Unit"],"sts:TransitiveTagKeys":"Team"},"StringLike":{"sts:RoleSessionName":"ann"}`,
		"sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity")).ARN
	from, to := and(says(attributes+"PrincipalTag:Team", "red"), says(attributes+"PrincipalTag:Unit", ""), says(attributes+"TransitiveTagKeys", "Team"), says(attributes+"SourceIdentity", "ann"))
	out, err := w.saml(role, w.byCorp(role, from, to), func(in *sdk.AssumeRoleWithSAMLInput) {
		in.PolicyArns, in.MinimumSessionTokenSize = []types.PolicyDescriptorType{{Arn: new(administrator)}}, new(int32(3000))
	})
	must(t, err)
	session := w.session(temporary(out.Credentials))
	if !cmp.Equal(session.Tags, map[string]string{"Team": "red", "Unit": ""}) || !cmp.Equal(session.Transitive, []string{"Team"}) || session.Federated != samlProvider || session.Source != "ann" || !session.Limited {
		t.Errorf("%+v", session)
	}
	want := map[string][]string{"saml:namequalifier": {*out.NameQualifier}, "saml:sub": {"ann@corp.example"}, "saml:sub_type": {"persistent"}}
	if !cmp.Equal(session.Kept, want) || *out.SessionTokenSize < 3000 {
		t.Errorf("kept %v", session.Kept)
	}
	from, to = and(says(attributes+"PrincipalTag:Team", "red"), says(attributes+"TransitiveTagKeys", "Unit"))
	_, err = w.saml(role, w.byCorp(role, from, to))
	refused(t, err, "AccessDenied", samlDenied) // sts:TransitiveTagKeys is none that the trust admits
	open := w.role("Open", samlTrust("", "sts:AssumeRoleWithSAML", "sts:TagSession")).ARN
	_, err = w.saml(open, w.byCorp(open, from, to))
	refused(t, err, "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags.")
	from, to = and(says(attributes+"PrincipalTag:Team", "red"), says(attributes+"PrincipalTag:TEAM", "red"))
	_, err = w.saml(open, w.byCorp(open, from, to))
	refused(t, err, "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
}

func TestConditionKeysOfAssertions(t *testing.T) {
	t.Parallel()
	w := newSAML(t)
	const person, org, soap = "urn:oid:1.3.6.1.4.1.5923.1.1.1.", "urn:oid:1.3.6.1.4.1.5923.1.2.1.", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	from, to := and(says(person+"1", "staff", "student"), says(person+"6", "ann@corp"), says(org+"4", "Corp"), says("urn:oid:2.5.4.3", "Ann"), says(soap+"emailaddress", "ann@corp.example"),
		says("2.5.4.45", "u1"), says("http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid", "S-1"), says("groups", "admins"))
	one := func(operator, key, value string) string { return `"` + operator + `":{"` + key + `":"` + value + `"}` }
	for condition, allowed := range map[string]bool{
		one("StringEquals", "saml:aud", signIn):                                    true,
		one("StringEquals", "SAML:AUD", "urn:amazon:webservices"):                  false,
		one("StringEquals", "saml:iss", samlIssuer):                                true,
		one("StringEquals", "saml:sub", "ann@corp.example"):                        true,
		one("StringEquals", "saml:sub_type", "persistent"):                         true,
		one("StringEquals", "saml:doc", account+"/corp"):                           true,
		one("StringEquals", "saml:namequalifier", "MgAPItkqBqQq+7sgby8xPzwYyuA="):  true,
		one("ForAnyValue:StringEquals", "saml:edupersonaffiliation", "student"):    true,
		one("ForAllValues:StringEquals", "saml:edupersonaffiliation", "student"):   false,
		one("StringEquals", "saml:edupersonaffiliation", "staff"):                  false,
		one("ForAnyValue:StringEquals", "saml:eduPersonPrincipalName", "ann@corp"): true,
		one("ForAnyValue:StringEquals", "saml:eduorglegalname", "Corp"):            true,
		one("ForAnyValue:StringEquals", "saml:cn", "Ann"):                          true,
		one("ForAnyValue:StringEquals", "saml:mail", "ann@corp.example"):           true,
		one("ForAnyValue:StringEquals", "saml:x500UniqueIdentifier", "u1"):         true,
		one("ForAnyValue:StringEquals", "saml:primaryGroupSID", "S-1"):             true,
		one("ForAnyValue:StringEquals", "saml:groups", "admins"):                   false,
		one("StringEquals", "aws:FederatedProvider", samlProvider):                 true,
		one("StringEquals", "aws:userid", samlProvider):                            true,
		one("IpAddress", "aws:SourceIp", "192.0.2.0/24"):                           true,
	} {
		role := w.role("R"+strings.ToUpper(w.id("AROA", account)), samlTrust(condition)).ARN
		_, err := w.saml(role, w.byCorp(role, from, to))
		if allowed && err != nil {
			t.Errorf("%s: %v", condition, err)
		} else if !allowed {
			begins(t, condition, err, "AccessDenied", samlDenied)
		}
	}
	role := w.role("Kept", samlTrust(""), func(r *directory.IAMRole) {
		r.Inline = []directory.InlinePolicy{{Name: "own", Document: `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${saml:sub}/*"},
			{"Effect":"Allow","Action":"s3:PutObject","Resource":"*","Condition":{"StringEquals":{"saml:sub_type":"persistent"}}},
			{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"StringLike":{"saml:aud":"*"}}}]}`}}
	}).ARN
	out, err := w.saml(role, w.byCorp(role, from, to))
	must(t, err)
	key := temporary(out.Credentials)
	for _, c := range []struct {
		action, resource string
		want             bool
	}{
		{"s3:GetObject", "arn:aws:s3:::b/ann@corp.example/x", true}, {"s3:GetObject", "arn:aws:s3:::b/bob@corp.example/x", false},
		{"s3:PutObject", "arn:aws:s3:::b/x", true}, {"s3:ListBucket", "arn:aws:s3:::b", false}, // saml:aud is gone with the trust
	} {
		if d := w.may(key, c.action, c.resource); d.Allows() != c.want {
			t.Errorf("%s %s: %v", c.action, c.resource, d.Result)
		}
	}
	if d := w.may(key, "s3:PutObject", "arn:aws:s3:::b/x"); d.Result != policy.Allowed {
		t.Error(d.Result)
	}
}

// A federated caller needs no key of its own: a client with none gets one.
func TestAssertionsAreNotSignedFor(t *testing.T) {
	t.Parallel()
	w := newSAML(t)
	role := w.role("Reader", samlTrust("")).ARN
	in := &sdk.AssumeRoleWithSAMLInput{RoleArn: &role, PrincipalArn: new(samlProvider), SAMLAssertion: new(w.byCorp(role))}
	client := sdk.New(sdk.Options{Region: "us-east-1", HTTPClient: w, Credentials: aws.AnonymousCredentials{}})
	if _, err := client.AssumeRoleWithSAML(t.Context(), in); err != nil {
		t.Error(err)
	}
}
