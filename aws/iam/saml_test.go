package iam_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
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

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/core/directory"
)

// certificate is a self-signed one in base64, and its key in PEM; made once.
var certificate = sync.OnceValues(func() (string, string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp"}, NotBefore: start, NotAfter: start.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(der), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
})

// metadata is an identity provider's.
func metadata() string {
	cert, _ := certificate()
	return `<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="https://idp.example/saml" validUntil="2027-01-01T00:00:00Z">
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing">
      <ds:KeyInfo><ds:X509Data><ds:X509Certificate>
` + cert + `
      </ds:X509Certificate></ds:X509Data></ds:KeyInfo>
    </md:KeyDescriptor>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/sso?a=1&amp;b=2"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>
`
}

// saml makes a SAML provider; edit changes the request.
func (w *world) saml(name string, edit ...func(*sdk.CreateSAMLProviderInput)) (arn string, err error) {
	in := &sdk.CreateSAMLProviderInput{Name: &name, SAMLMetadataDocument: new(metadata())}
	for _, e := range edit {
		e(in)
	}
	out, err := w.CreateSAMLProvider(context.Background(), in)
	if err != nil {
		return "", err
	}
	return *out.SAMLProviderArn, nil
}

func TestTheLifeOfASAMLProvider(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	w.pass(42 * time.Millisecond)
	arn, err := w.saml("corp", func(in *sdk.CreateSAMLProviderInput) { in.Tags = []types.Tag{{Key: new("team"), Value: new("x")}} })
	must(t, err)
	w.has("SAMLProviderArn", "Tags")
	get := func() *sdk.GetSAMLProviderOutput {
		t.Helper()
		out, err := w.GetSAMLProvider(ctx, &sdk.GetSAMLProviderInput{SAMLProviderArn: &arn})
		must(t, err)
		return out
	}
	got := get()
	w.has("SAMLProviderUUID", "SAMLMetadataDocument", "CreateDate", "ValidUntil", "Tags", "AssertionEncryptionMode", "PrivateKeyList")
	body := w.last().body
	if !strings.Contains(body, "<CreateDate>2026-11-21T09:30:00.042Z</CreateDate>") || !strings.Contains(body, "<ValidUntil>2126-11-21T09:30:00.042Z</ValidUntil>") || !strings.Contains(body, "<PrivateKeyList/>") {
		t.Error(body)
	}
	if arn != "arn:aws:iam::"+account+":saml-provider/corp" || *got.SAMLMetadataDocument != metadata() || got.AssertionEncryptionMode != types.AssertionEncryptionModeTypeAllowed || !strings.HasPrefix(*got.SAMLProviderUUID, "SAMLSP") || len(*got.SAMLProviderUUID) < 22 {
		t.Errorf("%s %+v", arn, got)
	}
	_, err = w.saml("corp")
	refused(t, err, "EntityAlreadyExists", "")

	changed := strings.Replace(metadata(), "idp.example/saml", "idp.example/other", 1)
	out, err := w.UpdateSAMLProvider(ctx, &sdk.UpdateSAMLProviderInput{SAMLProviderArn: &arn, SAMLMetadataDocument: &changed, AssertionEncryptionMode: types.AssertionEncryptionModeTypeRequired})
	must(t, err)
	if got = get(); *out.SAMLProviderArn != arn || *got.SAMLMetadataDocument != changed || got.AssertionEncryptionMode != types.AssertionEncryptionModeTypeRequired {
		t.Errorf("%+v", got)
	}
	_, err = w.TagSAMLProvider(ctx, &sdk.TagSAMLProviderInput{SAMLProviderArn: &arn, Tags: []types.Tag{{Key: new("Team"), Value: new("y")}}})
	must(t, err)
	_, err = w.UntagSAMLProvider(ctx, &sdk.UntagSAMLProviderInput{SAMLProviderArn: &arn, TagKeys: []string{"team"}})
	must(t, err)
	tags, err := w.ListSAMLProviderTags(ctx, &sdk.ListSAMLProviderTagsInput{SAMLProviderArn: &arn})
	must(t, err)
	if len(tags.Tags) != 1 || *tags.Tags[0].Key != "Team" {
		t.Errorf("%+v", tags.Tags)
	}
	list, err := w.ListSAMLProviders(ctx, &sdk.ListSAMLProvidersInput{})
	must(t, err)
	if l := list.SAMLProviderList; len(l) != 1 || *l[0].Arn != arn || l[0].ValidUntil.Year() != 2126 || l[0].CreateDate.IsZero() {
		t.Errorf("%+v", l)
	}
	_, err = w.DeleteSAMLProvider(ctx, &sdk.DeleteSAMLProviderInput{SAMLProviderArn: &arn})
	must(t, err)
	_, err = w.DeleteSAMLProvider(ctx, &sdk.DeleteSAMLProviderInput{SAMLProviderArn: &arn})
	refused(t, err, "NoSuchEntity", "Manifest not found for arn "+arn)
	_, err = w.GetSAMLProvider(ctx, &sdk.GetSAMLProviderInput{SAMLProviderArn: &arn})
	refused(t, err, "NoSuchEntity", "Manifest not found for arn "+arn)
	_, err = w.GetSAMLProvider(ctx, &sdk.GetSAMLProviderInput{SAMLProviderArn: new("arn:aws:iam::" + account + ":role/corp")})
	refused(t, err, "ValidationError", "Invalid ARN:  Could not be parsed!")
}

func TestThePrivateKeysOfASAMLProvider(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	_, private := certificate()
	arn, err := w.saml("corp", func(in *sdk.CreateSAMLProviderInput) { in.AddPrivateKey = &private })
	must(t, err)
	update := func(add, remove *string) error {
		_, err := w.UpdateSAMLProvider(ctx, &sdk.UpdateSAMLProviderInput{SAMLProviderArn: &arn, AddPrivateKey: add, RemovePrivateKey: remove})
		return err
	}
	keys := func() []types.SAMLPrivateKey {
		t.Helper()
		out, err := w.GetSAMLProvider(ctx, &sdk.GetSAMLProviderInput{SAMLProviderArn: &arn})
		must(t, err)
		if strings.Contains(w.last().body, "PRIVATE KEY") {
			t.Error("a private key is shown")
		}
		return out.PrivateKeyList
	}
	first := keys()
	if len(first) != 1 || !strings.HasPrefix(*first[0].KeyId, "SAMLPK") || !first[0].Timestamp.Equal(start) {
		t.Fatalf("%+v", first)
	}
	p, err := w.store.SAMLProviders.WithARN(ctx, arn)
	must(t, err)
	if strings.Contains(string(p.Keys[0].Sealed), "PRIVATE") {
		t.Error("the key is kept as it is")
	}
	if plain, err := w.sealer.Open(directory.SAMLKeyLabel(*first[0].KeyId), p.Keys[0].Sealed); err != nil || string(plain) != private {
		t.Errorf("the sealed key: %v", err)
	}
	done, failed := eight(func(int) error { return update(&private, nil) })
	if done != 1 || len(keys()) != 2 {
		t.Errorf("%d keys were added", done)
	}
	for _, err := range failed {
		refused(t, err, "LimitExceeded", "")
	}
	must(t, update(&private, first[0].KeyId)) // one takes the other's place
	if k := keys(); len(k) != 2 || *k[0].KeyId == *first[0].KeyId {
		t.Errorf("%+v", k)
	}
	refused(t, update(nil, first[0].KeyId), "NoSuchEntity", "")
	refused(t, update(new("no key"), nil), "InvalidInput", "")
	refused(t, update(new(private+private), nil), "InvalidInput", "")
	refused(t, update(new("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), nil), "InvalidInput", "")

	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(ec)
	must(t, err)
	refused(t, update(new(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))), nil), "InvalidInput", "")
}

func TestMetadataThatIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := metadata()
	replaced := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("the metadata has no %s", from)
		}
		return strings.ReplaceAll(good, from, to)
	}
	for name, document := range map[string]string{
		"no XML":                     strings.Repeat("metadata ", 200),
		"an element that stays open": strings.Replace(good, "</md:EntityDescriptor>", "", 1),
		"a document type":            strings.Replace(good, "\n<md:Entity", "\n<!DOCTYPE x [<!ENTITY a 'b'>]>\n<md:Entity", 1),
		"an undeclared entity":       replaced("&amp;", "&b;"),
		"two roots":                  good + "<a/>",
		"another namespace":          replaced("SAML:2.0:metadata", "SAML:1.0:metadata"),
		"no entityID":                replaced("entityID=", "entity="),
		"a service provider":         replaced("IDPSSODescriptor", "SPSSODescriptor"),
		"a key for encryption alone": replaced(`use="signing"`, `use="encryption"`),
		"no certificate":             replaced("ds:X509Certificate", "ds:X509CRL"),
		"a broken certificate":       replaced("<ds:X509Certificate>\n", "<ds:X509Certificate>\nAAAA"),
		"a byte order mark":          "\uFEFF" + good,
		"nested too deeply":          strings.Replace(good, "<md:IDP", strings.Repeat("<a>", 70)+strings.Repeat("</a>", 70)+"<md:IDP", 1),
	} {
		_, err := w.saml("p", func(in *sdk.CreateSAMLProviderInput) { in.SAMLMetadataDocument = &document })
		var want = "Could not parse metadata"
		t.Log(name)
		refused(t, err, "InvalidInput", want)
	}
	_, err := w.saml("short", func(in *sdk.CreateSAMLProviderInput) { in.SAMLMetadataDocument = new("<a/>") })
	refused(t, err, "ValidationError", "")
	both, err := w.saml("both", func(in *sdk.CreateSAMLProviderInput) { in.SAMLMetadataDocument = new(replaced(` use="signing"`, "")) })
	must(t, err)
	_, err = w.UpdateSAMLProvider(context.Background(), &sdk.UpdateSAMLProviderInput{SAMLProviderArn: &both, SAMLMetadataDocument: new(replaced("entityID=", "entity="))})
	refused(t, err, "InvalidInput", "Could not parse metadata")
}
