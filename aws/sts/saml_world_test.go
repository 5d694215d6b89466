package sts_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/wire/saml"
)

const (
	samlIssuer   = "https://idp.example/saml"
	samlProvider = "arn:aws:iam::123456789012:saml-provider/corp"
	signIn       = "https://signin.aws.amazon.com/saml"
	attributes   = "https://aws.amazon.com/SAML/Attributes/"

	notSAML      = "Invalid base64 SAMLResponse"
	notSigned    = "Response (with optional signature) must contain an assertion with a mandatory signature"
	forged       = "Response signature invalid"
	samlDenied   = "Not authorized to perform sts:AssumeRoleWithSAML"
	discoverySay = " (Service: AWSOpenIdDiscoveryService; Status Code: 400; Error Code: AuthSamlInvalidSamlResponseException; Request ID: "
)

// idp is an identity provider's key with its certificate, which expired long ago: AWS does not mind.
type idp struct {
	key         *rsa.PrivateKey
	certificate *x509.Certificate
}

func newIDP() idp {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp"}, NotBefore: start.AddDate(-9, 0, 0), NotAfter: start.AddDate(-8, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return idp{key, c}
}

var (
	corp  = sync.OnceValue(newIDP)
	other = sync.OnceValue(newIDP)
)

func samlMetadata(entity string, by idp) string {
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + entity + `"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing">` +
		`<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` + base64.StdEncoding.EncodeToString(by.certificate.Raw) + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor></IDPSSODescriptor></EntityDescriptor>`
}

// newSAML is a world whose account has the provider corp.
func newSAML(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.samlProvider(account, "corp")
	return w
}

// samlProvider makes a provider of an account; edit changes it first.
func (w *world) samlProvider(account, name string, edit ...func(*directory.SAMLProvider)) directory.SAMLProvider {
	w.t.Helper()
	p := directory.SAMLProvider{Metadata: samlMetadata(samlIssuer, corp()), Encryption: "Allowed", IAMEntity: directory.IAMEntity{
		ID: "SAMLSP" + w.id("AIDA", account)[4:], AccountID: account, ARN: "arn:aws:iam::" + account + ":saml-provider/" + name, Path: "/", Name: name, CreatedAt: start,
	}}
	for _, e := range edit {
		e(&p)
	}
	must(w.t, w.store.SAMLProviders.Create(w.t.Context(), p, 100))
	return p
}

// withKey gives a provider a private key, sealed as IAM seals it.
func (w *world) withKey(id string, key *rsa.PrivateKey) func(*directory.SAMLProvider) {
	return func(p *directory.SAMLProvider) {
		text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
		sealed, err := w.sealer.Seal("saml key "+id, text)
		must(w.t, err)
		p.Keys = append(p.Keys, directory.SAMLKey{ID: id, Sealed: sealed, CreatedAt: start})
	}
}

// samlTrust is a trust policy that admits the provider to the actions, sts:AssumeRoleWithSAML by default.
func samlTrust(condition string, actions ...string) string {
	if condition != "" {
		condition = `,"Condition":{` + condition + `}`
	}
	if len(actions) == 0 {
		actions = []string{"sts:AssumeRoleWithSAML"}
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + samlProvider + `"},"Action":["` + strings.Join(actions, `","`) + `"]` + condition + `}]}`
}

// says is an attribute of an assertion.
func says(name string, values ...string) string {
	var b strings.Builder
	b.WriteString(`<saml:Attribute Name="` + name + `">`)
	for _, v := range values {
		b.WriteString("<saml:AttributeValue>" + v + "</saml:AttributeValue>")
	}
	return b.String() + "</saml:Attribute>"
}

// assertion is a provider's for a role, five minutes good; edits are pairs of what to replace by what.
func (w *world) assertion(role string, edits ...string) string {
	at := func(d time.Duration) string { return w.now().Add(d).Format("2006-01-02T15:04:05Z") }
	document := `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r" Version="2.0" IssueInstant="` + at(0) + `" Destination="` + signIn + `">` +
		`<saml:Issuer>` + samlIssuer + `</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` +
		`<saml:Assertion ID="_a" Version="2.0" IssueInstant="` + at(0) + `"><saml:Issuer>` + samlIssuer + `</saml:Issuer>` +
		`<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ann@corp.example</saml:NameID>` +
		`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="` + at(5*time.Minute) + `" Recipient="` + signIn + `"/></saml:SubjectConfirmation></saml:Subject>` +
		`<saml:Conditions NotBefore="` + at(-time.Minute) + `" NotOnOrAfter="` + at(6*time.Minute) + `"><saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceRestriction></saml:Conditions>` +
		`<saml:AuthnStatement AuthnInstant="` + at(0) + `"><saml:AuthnContext/></saml:AuthnStatement>` +
		`<saml:AttributeStatement>` + says(attributes+"Role", role+","+samlProvider) + says(attributes+"RoleSessionName", "ann") + `</saml:AttributeStatement></saml:Assertion></samlp:Response>`
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(document, edits[i]) {
			w.t.Fatalf("the response has no %s", edits[i])
		}
		document = strings.Replace(document, edits[i], edits[i+1], 1)
	}
	return document
}

// and adds attributes to an assertion: an edit.
func and(attribute ...string) (from, to string) {
	return "</saml:AttributeStatement>", strings.Join(attribute, "") + "</saml:AttributeStatement>"
}

// posted signs elements of a response and writes it as browsers post it.
func posted(t testing.TB, by idp, document string, ids ...string) string {
	t.Helper()
	for _, id := range ids {
		out, err := saml.Sign([]byte(document), id, by.key, by.certificate)
		if err != nil {
			t.Fatal(err)
		}
		document = string(out)
	}
	return base64.StdEncoding.EncodeToString([]byte(document))
}

// byCorp is an assertion of corp's.
func (w *world) byCorp(role string, edits ...string) string {
	return posted(w.t, corp(), w.assertion(role, edits...), "_a")
}

// saml is AssumeRoleWithSAML with the provider corp; edit changes the request.
func (w *world) saml(role, response string, edit ...func(*sdk.AssumeRoleWithSAMLInput)) (*sdk.AssumeRoleWithSAMLOutput, error) {
	in := &sdk.AssumeRoleWithSAMLInput{RoleArn: &role, PrincipalArn: new(samlProvider), SAMLAssertion: &response}
	for _, e := range edit {
		e(in)
	}
	return w.client(aws.Credentials{}).AssumeRoleWithSAML(context.Background(), in)
}
