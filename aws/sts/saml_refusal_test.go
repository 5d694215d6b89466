package sts_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/treatyfed/treaty/aws/sts"
	"github.com/treatyfed/treaty/core/audit"
)

// AWS reads no assertion without these elements, and does not look at many others (recorded).
func TestWhatAnAssertionNeeds(t *testing.T) {
	t.Parallel()
	w := newSAML(t)
	role := w.role("Reader", samlTrust("")).ARN
	const confirmation = `<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">`
	at := func(d time.Duration) string { return w.now().Add(d).Format("2006-01-02T15:04:05Z") }
	audience := "<saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceRestriction>"
	for name, c := range map[string]struct {
		edits []string
		need  bool
	}{
		"without Conditions":               {[]string{"<saml:Conditions", "<saml:Advice", "</saml:Conditions", "</saml:Advice"}, true},
		"without AuthnStatement":           {[]string{"<saml:AuthnStatement", "<saml:X", "</saml:AuthnStatement", "</saml:X"}, true},
		"without a subject":                {[]string{"<saml:Subject>", "<saml:X>", "</saml:Subject>", "</saml:X>"}, true},
		"without a name":                   {[]string{"<saml:NameID ", "<saml:X ", "</saml:NameID", "</saml:X"}, true},
		"with an empty name":               {[]string{"ann@corp.example", " "}, true},
		"without the name's format":        {[]string{"<saml:NameID Format", "<saml:NameID X"}, true},
		"without a confirmation":           {[]string{confirmation, "<saml:X>", "</saml:SubjectConfirmation>", "</saml:X>"}, true},
		"without confirmation data":        {[]string{"<saml:SubjectConfirmationData", "<saml:X"}, true},
		"without a recipient":              {[]string{"Recipient", "X"}, true},
		"without an end of the subject":    {[]string{"<saml:SubjectConfirmationData NotOnOrAfter", "<saml:SubjectConfirmationData X"}, true},
		"with two confirmations":           {[]string{"</saml:SubjectConfirmation>", "</saml:SubjectConfirmation>" + confirmation + "</saml:SubjectConfirmation>"}, true},
		"for the holder of a key":          {[]string{"cm:bearer", "cm:holder-of-key"}, true},
		"without roles":                    {[]string{attributes + "Role\"", attributes + "Roles\""}, true},
		"with roles twice":                 {append([]string(nil), pair(and(says(attributes+"Role", "x")))...), true},
		"without a restricted audience":    {[]string{audience, ""}, false},
		"for another audience":             {[]string{"urn:amazon:webservices", "urn:other"}, false},
		"for another recipient":            {[]string{`Recipient="` + signIn, `Recipient="https://other.example`}, false},
		"for another destination":          {[]string{`Destination="` + signIn, `Destination="https://other.example`}, false},
		"not valid before tomorrow":        {[]string{`NotBefore="` + at(-time.Minute), `NotBefore="` + at(24*time.Hour)}, false},
		"good for one use":                 {[]string{audience, audience + "<saml:OneTimeUse/>"}, false},
		"in a response of another issuer":  {[]string{"<saml:Issuer>" + samlIssuer + "</saml:Issuer><samlp:Status>", "<saml:Issuer>https://other.example</saml:Issuer><samlp:Status>"}, false},
		"in a response of nobody":          {[]string{"<saml:Issuer>" + samlIssuer + "</saml:Issuer><samlp:Status>", "<samlp:Status>"}, false},
		"without an end of its conditions": {[]string{`NotOnOrAfter="` + at(6*time.Minute) + `"`, ""}, false},
		"issued in the future":             {[]string{`_a" Version="2.0" IssueInstant="` + at(0), `_a" Version="2.0" IssueInstant="` + at(time.Hour)}, false},
	} {
		_, err := w.saml(role, w.byCorp(role, c.edits...))
		switch {
		case c.need:
			begins(t, name, err, "InvalidIdentityToken", notSAML+discoverySay)
		case err != nil:
			t.Errorf("%s: %v", name, err)
		}
	}
	again := w.byCorp(role)
	if n, failed := eight(func() error { _, err := w.saml(role, again); return err }); n != 8 {
		t.Errorf("one assertion, eight times: %d, %v", n, failed)
	}
}

func pair(from, to string) []string { return []string{from, to} }

// begins checks an error's code and what its message begins with.
func begins(t *testing.T, name string, err error, code, message string) {
	t.Helper()
	var got smithy.APIError
	if !errors.As(err, &got) {
		t.Errorf("%s: error is %v, want %s", name, err, code)
		return
	}
	if got.ErrorCode() != code || !strings.HasPrefix(got.ErrorMessage(), message) {
		t.Errorf("%s: refused with\n%s: %s\nwant\n%s: %s…", name, got.ErrorCode(), got.ErrorMessage(), code, message)
	}
}

func TestRefusedAssertions(t *testing.T) {
	t.Parallel()
	w := newSAML(t)
	trusted := w.role("Trusted", samlTrust("")).ARN
	closed := w.role("Closed", samlTrust(`"StringEquals":{"saml:sub":"somebody-else"}`)).ARN
	wildcard := w.role("Wildcard", trusts("*", []string{"sts:AssumeRoleWithSAML"})).ARN
	missing := "arn:aws:iam::" + account + ":role/Missing"
	good := w.byCorp(trusted)
	attribute := func(a ...string) string { f, to := and(a...); return w.byCorp(trusted, f, to) }
	named := func(names ...string) string {
		return w.byCorp(trusted, says(attributes+"RoleSessionName", "ann"), says(attributes+"RoleSessionName", names...))
	}
	foreign := w.samlProvider(stranger, "theirs")
	principal := func(arn string) func(*sdk.AssumeRoleWithSAMLInput) {
		return func(in *sdk.AssumeRoleWithSAMLInput) { in.PrincipalArn = &arn }
	}
	const token, sessionName = "InvalidIdentityToken", "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"
	const noManifest = "Specified provider doesn't exist (Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: AuthSamlManifestNotFoundException; Request ID: "
	for name, c := range map[string]struct {
		role, response string
		code, message  string
		edit           func(*sdk.AssumeRoleWithSAMLInput)
	}{
		"no base64":                         {trusted, "<samlp:Response/>", token, notSAML + discoverySay, nil},
		"no XML":                            {trusted, "AAAA", token, notSAML + discoverySay, nil},
		"nobody signed":                     {trusted, posted(t, corp(), w.assertion(trusted)), token, notSigned + discoverySay, nil},
		"the response alone is signed":      {trusted, posted(t, corp(), w.assertion(trusted), "_r"), token, notSigned + discoverySay, nil},
		"somebody else signed":              {trusted, posted(t, other(), w.assertion(trusted), "_a"), token, forged + discoverySay, nil},
		"somebody else signed the response": {trusted, posted(t, other(), string(decoded(t, good)), "_r"), token, forged + discoverySay, nil},
		"altered":                           {trusted, encoded(strings.Replace(string(decoded(t, good)), "ann@corp", "bob@corp", 1)), token, forged + discoverySay, nil},
		"two assertions":                    {trusted, encoded(strings.Replace(string(decoded(t, good)), "<saml:Assertion ", `<saml:Assertion ID="_b"/><saml:Assertion `, 1)), token, notSAML + discoverySay, nil},
		"a document type":                   {trusted, encoded("<!DOCTYPE x>" + string(decoded(t, good))), token, notSAML + discoverySay, nil},
		"encrypted, and there is no key":    {trusted, encoded(enveloped(w.assertion(trusted))), token, forged + discoverySay, nil},
		"the identity provider refused":     {trusted, encoded(strings.Replace(w.assertion(trusted), "status:Success", "status:Responder", 1)), "IDPRejectedClaim", "", nil},
		"another issuer":                    {trusted, w.byCorp(trusted, "<saml:Issuer>"+samlIssuer+"</saml:Issuer><saml:Subject>", "<saml:Issuer>https://other.example</saml:Issuer><saml:Subject>"), token, "Issuer not present in specified provider" + discoverySay, nil},
		"no such provider":                  {trusted, good, token, noManifest, principal("arn:aws:iam::" + account + ":saml-provider/none")},
		"a provider in other letters":       {trusted, good, token, noManifest, principal("arn:aws:iam::" + account + ":saml-provider/CORP")},
		"another account's provider":        {trusted, w.byCorp(trusted, samlProvider, foreign.ARN), "AccessDenied", samlDenied, principal(foreign.ARN)},
		"an ARN that is no provider's":      {trusted, good, "ValidationError", user + " is invalid", principal(user)},
		"an ARN that is no role's":          {user, good, "ValidationError", user + " is invalid", nil},
		"the role is not in the assertion":  {closed, good, token, "SAML Assertion doesn't contain the requested Role and Metadata in the attributes", nil},
		"the pair has another provider":     {trusted, w.byCorp(trusted, trusted+","+samlProvider, trusted+",arn:aws:iam::"+account+":saml-provider/x"), token, "SAML Assertion doesn't contain the requested Role and Metadata in the attributes", nil},
		"the pair is no pair":               {trusted, w.byCorp(trusted, trusted+","+samlProvider, trusted), token, "SAML Assertion doesn't contain the requested Role and Metadata in the attributes", nil},
		"the pair has a third":              {trusted, w.byCorp(trusted, trusted+","+samlProvider, trusted+","+samlProvider+",x"), token, "SAML Assertion doesn't contain the requested Role and Metadata in the attributes", nil},
		"no session name":                   {trusted, w.byCorp(trusted, attributes+"RoleSessionName", "x"), token, "RoleSessionName is required in AuthnResponse", nil},
		"a session name of nothing":         {trusted, named(""), token, "RoleSessionName is required in AuthnResponse", nil},
		"no value of a session name":        {trusted, named(), token, "RoleSessionName is required in AuthnResponse", nil},
		"a short session name":              {trusted, named("a"), token, sessionName, nil},
		"a long session name":               {trusted, named(strings.Repeat("a", 65)), token, sessionName, nil},
		"a session name with a space":       {trusted, named("ann corp"), token, sessionName, nil},
		"two session names":                 {trusted, named("ann", "bob"), token, sessionName, nil},
		"a duration that is none":           {trusted, attribute(says(attributes+"SessionDuration", "1h")), token, "", nil},
		"a duration that is too short":      {trusted, attribute(says(attributes+"SessionDuration", "899")), token, "", nil},
		"a duration that is too long":       {trusted, attribute(says(attributes+"SessionDuration", "43201")), token, "", nil},
		"a tag with two values":             {trusted, attribute(says(attributes+"PrincipalTag:Team", "red", "blue")), token, "", nil},
		"a tag without key":                 {trusted, attribute(says(attributes+"PrincipalTag:", "red")), token, "", nil},
		"a source identity of AWS's":        {trusted, attribute(says(attributes+"SourceIdentity", "aws:ann")), token, "", nil},
		"no trust":                          {closed, w.byCorp(closed), "AccessDenied", samlDenied, nil},
		"trust in AWS principals alone":     {wildcard, w.byCorp(wildcard), "AccessDenied", samlDenied, nil},
		"no role":                           {missing, w.byCorp(missing), "AccessDenied", samlDenied, nil},
		"a tag, and no leave to tag":        {trusted, attribute(says(attributes+"PrincipalTag:Team", "red")), "AccessDenied", "Not authorized to perform sts:TagSession", nil},
		"a source, and no leave to set it":  {trusted, attribute(says(attributes+"SourceIdentity", "ann")), "AccessDenied", "Not authorized to perform sts:SetSourceIdentity", nil},
		"a bad session policy":              {trusted, good, "MalformedPolicyDocument", "", func(in *sdk.AssumeRoleWithSAMLInput) { in.Policy = new("{}x") }},
		"a short duration":                  {trusted, good, "ValidationError", "", func(in *sdk.AssumeRoleWithSAMLInput) { in.DurationSeconds = new(int32(899)) }},
		"far too long":                      {trusted, strings.Repeat("A", 100001), "ValidationError", "", nil},
	} {
		var edit []func(*sdk.AssumeRoleWithSAMLInput)
		if c.edit != nil {
			edit = append(edit, c.edit)
		}
		_, err := w.saml(c.role, c.response, edit...)
		begins(t, name, err, c.code, c.message)
		status := 400
		if c.code == "AccessDenied" || c.code == "IDPRejectedClaim" {
			status = 403
		}
		if w.last().status != status {
			t.Errorf("%s: status %d", name, w.last().status)
		}
	}
	if n, failed := eight(func() error { _, err := w.saml(closed, w.byCorp(closed)); return err }); n != 0 || len(failed) != 8 {
		t.Errorf("%d, %v", n, failed)
	}
}

// Whoever has an account's provider in its metadata may be trusted by its roles, and nobody else: the
// certificate that a signature brings with it says nothing.
func TestTheKeyInASignatureIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := newSAML(t)
	role := w.role("Reader", samlTrust("")).ARN
	_, err := w.saml(role, posted(t, idp{other().key, corp().certificate}, w.assertion(role), "_a"))
	begins(t, "another's key", err, "InvalidIdentityToken", forged)
	if _, err := w.saml(role, posted(t, idp{corp().key, other().certificate}, w.assertion(role), "_a")); err != nil {
		t.Errorf("another's certificate: %v", err)
	}
}

func TestRefusedAssertionsLeaveTheirEvidence(t *testing.T) {
	t.Parallel()
	w := newSAML(t)
	role := w.role("Closed", samlTrust(`"StringEquals":{"saml:sub":"somebody-else"}`)).ARN
	evidence := func() (p sts.SAMLEvidence) {
		t.Helper()
		e := w.event()
		if e.Outcome != audit.Refused || e.Operation != "AssumeRoleWithSAML" || e.Resource != role {
			t.Errorf("%+v", e)
		}
		must(t, json.Unmarshal(e.Evidence, &p))
		return p
	}
	_, err := w.saml(role, w.byCorp(role))
	refused(t, err, "AccessDenied", samlDenied)
	p := evidence()
	if len(p.Decisions) != 1 || p.Decisions[0].Allows() || !p.Response.OK() || !p.Assertion.OK() || !p.Roles.OK() || p.Subject == nil || p.Subject.Name != "ann@corp.example" || p.Asked.SessionName != "ann" {
		t.Errorf("%+v", p)
	}
	_, err = w.saml(role, posted(t, other(), w.assertion(role), "_a"))
	begins(t, "forged", err, "InvalidIdentityToken", forged)
	p = evidence()
	if c, _ := p.Response.Named("assertion signature"); len(p.Response) == 0 || c.Name == "" || p.Subject != nil || len(p.Decisions) > 0 || !p.Provider.OK() {
		t.Errorf("%+v", p)
	}
	// Everything that is wrong is said, not the first alone.
	_, err = w.saml(role, w.byCorp(role, "<saml:NameID ", "<saml:X ", "</saml:NameID", "</saml:X", says(attributes+"RoleSessionName", "ann"), "", "<saml:AuthnStatement", "<saml:Y", "</saml:AuthnStatement", "</saml:Y"))
	begins(t, "three faults", err, "InvalidIdentityToken", notSAML)
	p, n := evidence(), 0
	for _, c := range p.Assertion {
		if !c.OK {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d faults: %+v", n, p.Assertion)
	}
	_, err = w.saml(role, "AAAA", func(in *sdk.AssumeRoleWithSAMLInput) {
		in.PrincipalArn = new("arn:aws:iam::" + account + ":saml-provider/none")
	})
	begins(t, "nothing is right", err, "InvalidIdentityToken", "Specified provider doesn't exist")
	if p = evidence(); p.Provider.OK() || p.Response.OK() {
		t.Errorf("%+v", p)
	}
}
