package saml_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/wire/saml"
)

// said is what the golden assertion says.
func said() *saml.Assertion {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			panic(err)
		}
		return v
	}
	return &saml.Assertion{
		ID: "_a1", Issuer: "https://idp.example/saml", IssueInstant: start,
		NameID: &saml.NameID{Value: "ann@corp.example", Format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"},
		Confirmations: []saml.Confirmation{{
			Method: saml.Bearer, Data: true, Recipient: "https://signin.aws.amazon.com/saml", NotOnOrAfter: at("2026-11-21T09:35:00.25Z"),
		}},
		Conditions: &saml.Conditions{NotBefore: at("2026-11-21T09:25:00Z"), NotOnOrAfter: at("2026-11-21T09:35:00Z"), Audiences: [][]string{{"urn:amazon:webservices"}}},
		Statements: []saml.Statement{{
			AuthnInstant: at("2026-11-21T09:29:00Z"), SessionNotOnOrAfter: at("2026-11-21T17:30:00Z"), SessionIndex: "_s1", Context: "urn:oasis:names:tc:SAML:2.0:ac:classes:Password",
		}},
		Attributes: []saml.Attribute{
			{Name: "https://aws.amazon.com/SAML/Attributes/RoleSessionName", Values: []string{"ann"}},
			{Name: "groups", FriendlyName: "Groups", Values: []string{"a & b", "<c>"}},
		},
	}
}

func TestSignedAssertionsAreRead(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"the assertion is signed":               signed(t, corp(), response(assertion), "_a1"),
		"the response is signed too":            signed(t, corp(), response(assertion), "_a1", "_r1"),
		"a declaration in front":                "<?xml version='1.0' encoding='utf-8' standalone='no'?>" + signed(t, corp(), response(assertion), "_a1"),
		"a comment in front":                    "<!-- x -->" + signed(t, corp(), response(assertion), "_a1"),
		"another certificate in KeyInfo":        signed(t, idp{corp().key, attacker().certificate}, response(assertion), "_a1"),
		"white space in the signature's value":  replaced(t, signed(t, corp(), response(assertion), "_a1"), "<ds:SignatureValue>", "<ds:SignatureValue>\n \t"),
		"extensions that nobody signed":         replaced(t, signed(t, corp(), response(assertion), "_a1"), "<samlp:Status>", "<samlp:Extensions><x>evil</x></samlp:Extensions><samlp:Status>"),
		"the assertion declares its namespaces": signed(t, corp(), response(replaced(t, assertion, "<saml:Assertion", `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`)), "_a1"),
	} {
		a, p, checks := verify(document)
		if p != nil {
			t.Errorf("%s: %v\n%+v", name, p, checks)
			continue
		}
		if diff := cmp.Diff(said(), a); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	r := saml.ParseResponse(encoded(signed(t, corp(), response(assertion), "_a1", "_r1")))
	if r.ID != "_r1" || r.Issuer != "https://idp.example/saml" || !r.Signed || !r.AssertionSigned || r.Encrypted || r.Destination != "https://signin.aws.amazon.com/saml" || !r.IssueInstant.Equal(start) || r.Status != saml.StatusSuccess {
		t.Errorf("%+v", r)
	}
	v := r.Verify(trust())
	if v.Certificate == nil || !v.Certificate.Equal(corp().certificate) {
		t.Error("which certificate verified it is not said")
	}
}

// What was signed is all of a text, whatever comments are put into it.
func TestCommentsDoNotCutTexts(t *testing.T) {
	t.Parallel()
	document := signed(t, corp(), response(replaced(t, assertion, "ann@corp.example", "ann@corp.example.evil")), "_a1")
	a, p, _ := verify(replaced(t, document, "ann@corp.example.evil", "ann@corp.example<!---->.evil"))
	if p != nil || a.NameID.Value != "ann@corp.example.evil" {
		t.Errorf("%+v, %v", a, p)
	}
}

func TestResponsesThatAreMalformed(t *testing.T) {
	t.Parallel()
	good := signed(t, corp(), response(assertion), "_a1")
	change := func(from, to string) string { return replaced(t, good, from, to) }
	second := replaced(t, assertion, `ID="_a1"`, `ID="_a2"`)
	for name, c := range map[string]struct {
		document string
		kind     saml.Kind
		why      string
	}{
		"a document type":                       {change("<samlp:Response", "<!DOCTYPE x>\n<samlp:Response"), saml.Malformed, "document"},
		"entities":                              {change("<samlp:Response", `<!DOCTYPE x [<!ENTITY e "ann">]>`+"\n<samlp:Response"), saml.Malformed, "document"},
		"an entity that nobody declared":        {change("ann@corp.example", "&e;"), saml.Malformed, "document"},
		"a processing instruction":              {change("<samlp:Status>", "<?php x ?><samlp:Status>"), saml.Malformed, "processing instruction"},
		"an instruction in front":               {change("<samlp:Response", "<?x y?><samlp:Response"), saml.Malformed, "processing instruction"},
		"another encoding":                      {`<?xml version="1.0" encoding="UTF-16"?>` + good, saml.Malformed, "declared"},
		"a byte order mark":                     {"\uFEFF" + good, saml.Malformed, "byte order mark"},
		"bytes that are no UTF-8":               {change("ann@corp", "ann\xff@corp"), saml.Malformed, "UTF-8"},
		"text behind the root":                  {good + "x", saml.Malformed, "document"},
		"two roots":                             {good + "<x/>", saml.Malformed, "document"},
		"an element that stays open":            {strings.TrimSuffix(good, "</samlp:Response>"), saml.Malformed, "document"},
		"a prefix of two colons":                {change("<samlp:Status>", "<a::b/><samlp:Status>"), saml.Malformed, "document"},
		"an undeclared prefix":                  {change("<samlp:Status>", "<b:a/><samlp:Status>"), saml.Malformed, "not declared"},
		"an undeclared attribute prefix":        {change("<samlp:Status>", `<samlp:Status b:a="1">`), saml.Malformed, "not declared"},
		"the prefix xml redeclared":             {change("<samlp:Status>", `<samlp:Status xmlns:xml="urn:x">`), saml.Malformed, "declares"},
		"a prefix undeclared again":             {change("<samlp:Status>", `<samlp:Status xmlns:saml="">`), saml.Malformed, "declares"},
		"an attribute twice":                    {change(`Version="2.0"`, `Version="2.0" Version="2.0"`), saml.Malformed, "twice"},
		"an attribute twice by prefixes":        {change("<samlp:Status>", `<samlp:Status xmlns:a="urn:x" xmlns:b="urn:x" a:c="1" b:c="2">`), saml.Malformed, "twice"},
		"two identifiers alike":                 {change("<samlp:Status>", `<samlp:Status ID="_a1">`), saml.Malformed, "there twice"},
		"two of other kinds alike":              {change("<samlp:Status>", `<samlp:Status id="_a1">`), saml.Malformed, "there twice"},
		"an identifier in a namespace":          {change(`<samlp:Response`, `<samlp:Response xmlns:e="urn:e" e:ID="_a1"`), saml.Malformed, "in a namespace"},
		"an identifier that is no name":         {change(`ID="_r1"`, `ID="_r1 _a1"`), saml.Malformed, "no plain name"},
		"no ID":                                 {change(`ID="_r1"`, ``), saml.Malformed, "response"},
		"another version":                       {change(`Version="2.0"`, `Version="1.1"`), saml.Malformed, "version"},
		"an assertion alone":                    {replaced(t, assertion, "<saml:Assertion", `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`), saml.Malformed, "response"},
		"a response of another protocol":        {change(`xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"`, `xmlns:samlp="urn:oasis:names:tc:SAML:1.0:protocol"`), saml.Malformed, "response"},
		"a response in the response":            {change("<samlp:Status>", `<samlp:Extensions><samlp:Response/></samlp:Extensions><samlp:Status>`), saml.Malformed, "2 responses"},
		"no assertion":                          {response(), saml.Malformed, "assertion"},
		"two assertions":                        {signed(t, corp(), response(assertion, second), "_a1", "_a2"), saml.Malformed, "there are 2"},
		"an assertion and an encrypted one":     {change("<saml:Assertion", "<saml:EncryptedAssertion/><saml:Assertion"), saml.Malformed, "there are 2"},
		"an assertion further in":               {response("<x>" + assertion + "</x>"), saml.Malformed, "response's own"},
		"no status":                             {change(`<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>`, ""), saml.Malformed, "status"},
		"the provider failed":                   {change("status:Success", "status:Responder"), saml.Rejected, "status code"},
		"the provider failed, and says no more": {replaced(t, response(), "status:Success", "status:Responder"), saml.Rejected, "status code"},
		"a time that is none":                   {change(`IssueInstant="2026-11-21T09:30:00Z"`, `IssueInstant="yesterday"`), saml.Malformed, "no time"},
		"too deep":                              {change("<samlp:Status>", strings.Repeat("<x>", 40)+strings.Repeat("</x>", 40)+"<samlp:Status>"), saml.Malformed, "document"},
		"too many elements":                     {change("<samlp:Status>", strings.Repeat("<x/>", 4001)+"<samlp:Status>"), saml.Malformed, "elements"},
		"too many prefixes":                     {change("<samlp:Status>", "<x "+strings.ReplaceAll(many(41), " a", " xmlns:a")+"/><samlp:Status>"), saml.Malformed, "prefixes"},
		"too many attributes":                   {change("<samlp:Status>", "<x "+many(65)+"/><samlp:Status>"), saml.Malformed, "attributes"},
		"too long":                              {change("ann@corp.example", strings.Repeat("a", 300<<10)), saml.Malformed, "size"},
		"nothing":                               {"", saml.Malformed, "document"},
		"JSON":                                  {`{"a":1}`, saml.Malformed, "document"},
	} {
		refusedAs(t, name, c.document, c.kind, c.why)
	}
	if p := saml.ParseResponse("<samlp:Response/>").Problem; p == nil || !strings.Contains(p.Message, "encoding") {
		t.Errorf("no base64: %v", p)
	}
	if p := saml.ParseResponse(strings.ReplaceAll(encoded(good), "A", "A\r\n ")).Problem; p != nil {
		t.Errorf("white space in base64: %v", p)
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + strings.Repeat("a", i) + `="x"`)
	}
	return b.String()
}

// What a provider signed may still be nothing that can be read in one way.
func TestSignedAssertionsThatAreAmbiguous(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to string }{
		"two issuers":          {"<saml:Subject>", "<saml:Issuer>https://other.example</saml:Issuer><saml:Subject>"},
		"two subjects":         {"<saml:Conditions", "<saml:Subject><saml:NameID>bob</saml:NameID></saml:Subject><saml:Conditions"},
		"two names":            {"<saml:SubjectConfirmation ", "<saml:NameID>bob</saml:NameID><saml:SubjectConfirmation "},
		"an element in a name": {"ann@corp.example", "ann@<b/>corp.example"},
		"two conditions":       {"<saml:AuthnStatement", "<saml:Conditions/><saml:AuthnStatement"},
		"two data":             {"</saml:SubjectConfirmation>", "<saml:SubjectConfirmationData/></saml:SubjectConfirmation>"},
		"an attribute twice":   {"</saml:AttributeStatement>", `<saml:Attribute Name="groups"/></saml:AttributeStatement>`},
		"twice, in two lists":  {"</saml:AttributeStatement>", `</saml:AttributeStatement><saml:AttributeStatement><saml:Attribute Name="groups"/></saml:AttributeStatement>`},
		"an attribute no name": {"</saml:AttributeStatement>", `<saml:Attribute/></saml:AttributeStatement>`},
		"a time that is none":  {`AuthnInstant="2026-11-21T09:29:00Z"`, `AuthnInstant="2026-13-21T09:29:00Z"`},
		"another version":      {`Version="2.0"`, `Version="1.1"`},
	} {
		document := signed(t, corp(), response(replaced(t, assertion, c.from, c.to)), "_a1")
		refusedAs(t, name, document, saml.Malformed, "assertion content")
	}
}

func TestValuesOfAttributes(t *testing.T) {
	t.Parallel()
	const values = `<saml:Attribute Name="x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><saml:AttributeValue/><saml:AttributeValue xsi:nil="true">n</saml:AttributeValue>` +
		`<saml:AttributeValue><saml:NameID>id</saml:NameID></saml:AttributeValue><saml:AttributeValue><a>b</a>c</saml:AttributeValue><saml:AttributeValue>a<!-- -->b</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`
	a, p, _ := verify(signed(t, corp(), response(replaced(t, assertion, "</saml:AttributeStatement>", values)), "_a1"))
	if p != nil {
		t.Fatal(p)
	}
	x, _ := a.Attribute("x")
	if !cmp.Equal(x.Values, []string{"", "id", "ab"}) {
		t.Errorf("%q", x.Values)
	}
	if _, ok := a.Attribute("y"); ok {
		t.Error("an attribute that is not there")
	}
}

// What is missing is the caller's to miss.
func TestAnAssertionWithNothingInIt(t *testing.T) {
	t.Parallel()
	a, p, _ := verify(signed(t, corp(), response(`<saml:Assertion ID="_a1" Version="2.0"/>`), "_a1"))
	if p != nil || !cmp.Equal(a, &saml.Assertion{ID: "_a1"}) {
		t.Errorf("%+v, %v", a, p)
	}
}

func FuzzParseResponse(f *testing.F) {
	for _, d := range []string{
		signed(f, corp(), response(assertion), "_a1"), signed(f, corp(), response(assertion), "_a1", "_r1"), response(assertion), response(),
		signed(f, attacker(), response(assertion), "_a1"), encrypted(f, signed(f, corp(), response(assertion), "_a1"), gcm256), "", "<a", "<?xml?><a/>",
	} {
		f.Add(d)
	}
	keys := trust(attacker().key)
	f.Fuzz(func(t *testing.T, document string) {
		r := saml.ParseResponse(encoded(document))
		v := r.Verify(keys)
		if (v.Assertion == nil) != (v.Problem != nil) {
			t.Fatalf("%+v, %v", v.Assertion, v.Problem)
		}
		// Nobody but corp signs: whatever is accepted says what corp said.
		if v.Assertion != nil && !cmp.Equal(v.Assertion, said()) {
			t.Fatalf("%+v", v.Assertion)
		}
		saml.ParseResponse(document)
	})
}
