package clients

import (
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const (
	xmlsec     = "/usr/bin/xmlsec1"
	samlIssuer = "https://idp.example/saml"
	samlSignIn = "https://signin.aws.amazon.com/saml"
	samlPrefix = "https://aws.amazon.com/SAML/Attributes/"
)

// identityProvider is a SAML identity provider made of xmlsec1 and a key, which an account knows.
type identityProvider struct {
	arn, keyFile, certFile string
}

func samlProvider(t *testing.T, k caller, name string) identityProvider {
	t.Helper()
	need(t, xmlsec)
	p := identityProvider{}
	p.keyFile, p.certFile, _ = certificate(t, t.TempDir())
	text509, err := os.ReadFile(p.certFile)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text509)
	metadata := `<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + samlIssuer + `">
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>` + base64.StdEncoding.EncodeToString(block.Bytes) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example/sso"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>`
	out := k.do(t, "iam", "create-saml-provider", "--name", name, "--saml-metadata-document", "file://"+file(t, "metadata.xml", metadata))
	p.arn = text(out, "SAMLProviderArn")
	if p.arn != arnIAM+"saml-provider/"+name {
		t.Fatalf("create-saml-provider: %v", out)
	}
	t.Cleanup(func() { k.do(t, "iam", "delete-saml-provider", "--saml-provider-arn", p.arn) })
	return p
}

// response is what the provider posts for somebody, unsigned: the signature is xmlsec1's to fill in.
func (p identityProvider) response(role, who string) string {
	now := time.Now().UTC()
	at := func(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05.000Z") }
	attribute := func(name, value string) string {
		return `<saml2:Attribute Name="` + samlPrefix + name + `" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri"><saml2:AttributeValue xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">` + value + `</saml2:AttributeValue></saml2:Attribute>`
	}
	return `<?xml version="1.0" encoding="UTF-8"?>
<saml2p:Response xmlns:saml2p="urn:oasis:names:tc:SAML:2.0:protocol" Destination="` + samlSignIn + `" ID="_response" IssueInstant="` + at(0) + `" Version="2.0">
  <saml2:Issuer xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion">` + samlIssuer + `</saml2:Issuer>
  <saml2p:Status><saml2p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></saml2p:Status>
  <saml2:Assertion xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion" ID="_assertion" IssueInstant="` + at(0) + `" Version="2.0">
    <saml2:Issuer>` + samlIssuer + `</saml2:Issuer>
    <ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
      <ds:SignedInfo>
        <ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>
        <ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>
        <ds:Reference URI="#_assertion">
          <ds:Transforms>
            <ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>
            <ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="xs"/></ds:Transform>
          </ds:Transforms>
          <ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/>
        </ds:Reference>
      </ds:SignedInfo>
      <ds:SignatureValue/><ds:KeyInfo><ds:X509Data/></ds:KeyInfo>
    </ds:Signature>
    <saml2:Subject>
      <saml2:NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">` + who + `@corp.example</saml2:NameID>
      <saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml2:SubjectConfirmationData NotOnOrAfter="` + at(5*time.Minute) + `" Recipient="` + samlSignIn + `"/></saml2:SubjectConfirmation>
    </saml2:Subject>
    <saml2:Conditions NotBefore="` + at(-5*time.Minute) + `" NotOnOrAfter="` + at(5*time.Minute) + `"><saml2:AudienceRestriction><saml2:Audience>urn:amazon:webservices</saml2:Audience></saml2:AudienceRestriction></saml2:Conditions>
    <saml2:AuthnStatement AuthnInstant="` + at(0) + `" SessionIndex="_assertion"><saml2:AuthnContext><saml2:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml2:AuthnContextClassRef></saml2:AuthnContext></saml2:AuthnStatement>
    <saml2:AttributeStatement>` + attribute("Role", p.arn+","+role) + attribute("RoleSessionName", who) + attribute("PrincipalTag:Team", "red") + `</saml2:AttributeStatement>
  </saml2:Assertion>
</saml2p:Response>`
}

// sign has xmlsec1 fill in the signature of a response.
func (p identityProvider) sign(t *testing.T, response string) string {
	t.Helper()
	out, err := exec.Command(xmlsec, "--sign", "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion", "--privkey-pem", p.keyFile+","+p.certFile, file(t, "response.xml", response)).Output()
	if err != nil {
		t.Fatalf("xmlsec1: %v\n%s", err, out)
	}
	return string(out)
}

// A provider that shares no code with us signs, and the aws command line trades what it signed for a role.
func TestAssumeRoleWithSAML(t *testing.T) {
	var root caller
	need(t, aws)
	p, name := samlProvider(t, root, unique("corp")), unique("saml")
	arn := role(t, root, name, document(object{
		"Effect": "Allow", "Principal": object{"Federated": p.arn}, "Action": []string{"sts:AssumeRoleWithSAML", "sts:TagSession"},
		"Condition": object{"StringEquals": object{"SAML:aud": samlSignIn, "saml:iss": samlIssuer, "aws:RequestTag/Team": "red"}},
	}), document(object{"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*", "Condition": object{"StringEquals": object{"saml:sub": "ann@corp.example", "aws:PrincipalTag/Team": "red"}}}))
	assume := func(response string) []string {
		encoded := base64.StdEncoding.EncodeToString([]byte(response))
		return []string{"sts", "assume-role-with-saml", "--role-arn", arn, "--principal-arn", p.arn, "--saml-assertion", "file://" + file(t, "assertion", encoded)}
	}
	nobody := keyless(t)
	signed := p.sign(t, p.response(arn, "ann"))
	out := nobody.do(t, append(assume(signed), "--duration-seconds", "900")...)
	wants(t, "assume-role-with-saml", out, map[string]any{
		"AssumedRoleUser.Arn": arnSTS + "assumed-role/" + name + "/ann", "Subject": "ann@corp.example", "Issuer": samlIssuer, "Audience": samlSignIn,
		"SubjectType": "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
	})
	ann := temporary(out)
	ann.is(t, arnSTS+"assumed-role/"+name+"/ann")
	wants(t, "get-role", ann.do(t, "iam", "get-role", "--role-name", name), map[string]any{"Role.Arn": arn})
	bob := temporary(nobody.do(t, assume(p.sign(t, p.response(arn, "bob")))...))
	bob.fails(t, "AccessDenied", denied(arnSTS+"assumed-role/"+name+"/bob", "iam:GetRole", "role "+name), "iam", "get-role", "--role-name", name)

	for what, c := range map[string]struct{ response, said string }{
		"altered":              {strings.Replace(signed, "ann@corp", "bob@corp", 1), "(InvalidIdentityToken) when calling the AssumeRoleWithSAML operation: Response signature invalid (Service: AWSOpenIdDiscoveryService; "},
		"nobody signed":        {strings.Replace(strings.Replace(signed, "<ds:Signature ", "<ds:S ", 1), "</ds:Signature>", "</ds:S>", 1), "(InvalidIdentityToken) when calling the AssumeRoleWithSAML operation: Response (with optional signature) must contain an assertion"},
		"another role's":       {p.sign(t, p.response(arn+"x", "ann")), "(InvalidIdentityToken) when calling the AssumeRoleWithSAML operation: SAML Assertion doesn't contain the requested Role and Metadata in the attributes"},
		"the trust refuses it": {p.sign(t, strings.Replace(p.response(arn, "ann"), ">red<", ">blue<", 1)), "(AccessDenied) when calling the AssumeRoleWithSAML operation: Not authorized to perform sts:AssumeRoleWithSAML"},
	} {
		if r := nobody.run(t, assume(c.response)...); r.code != 254 || !strings.Contains(r.stderr, c.said) {
			t.Errorf("%s: exit %d\n%s%s\nwant %s", what, r.code, r.stdout, r.stderr, c.said)
		}
	}
}
