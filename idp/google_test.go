package idp_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/idp"
)

const googleURL = "https://accounts.google.com"

func google() directory.Issuer {
	return directory.Issuer{Name: "google", URL: googleURL, Preset: "google", Clients: []directory.IssuerClient{
		{ID: "another@p.iam.gserviceaccount.com", Attributes: map[string]any{"project_id": "p"}},
		{ID: "default", Attributes: map[string]any{"email": "vm@acme.iam.gserviceaccount.com", "unique_id": "112233445566778899001", "project_id": "acme", "project_number": 739419398126,
			"zone": "us-west1-b", "instance_id": "152986662232938449", "instance_name": "vm-1", "instance_creation_timestamp": 1504230400, "licenses": []any{"1000204"}}},
	}}
}

// metadata asks the metadata server; headers are pairs.
func (w *world) metadata(path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://metadata.google.internal"+path, nil)
	for n := 0; n+1 < len(headers); n += 2 {
		r.Header.Set(headers[n], headers[n+1])
	}
	rec := httptest.NewRecorder()
	w.Metadata().ServeHTTP(rec, r)
	return rec
}

const identity = "/computeMetadata/v1/instance/service-accounts/default/identity"

func TestAVirtualMachineGetsItsIdentityToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, google())
	const standard = `"iss":"https://accounts.google.com","aud":"https://hub.example","azp":"112233445566778899001","sub":"112233445566778899001",
		"email":"vm@acme.iam.gserviceaccount.com","email_verified":true,"iat":1795264200,"exp":1795267800`
	const machine = `"project_id":"acme","project_number":739419398126,"zone":"us-west1-b","instance_id":"152986662232938449","instance_name":"vm-1","instance_creation_timestamp":1504230400`
	for query, want := range map[string]string{
		"?audience=https://hub.example":                           `{` + standard + `}`,
		"?audience=https://hub.example&format=standard":           `{` + standard + `}`,
		"?audience=https://hub.example&format=full":               `{` + standard + `,"google":{"compute_engine":{` + machine + `}}}`,
		"?audience=https://hub.example&format=full&licenses=TRUE": `{` + standard + `,"google":{"compute_engine":{` + machine + `,"license_id":["1000204"]}}}`,
	} {
		rec := w.metadata(identity+query, "Metadata-Flavor", "Google")
		if rec.Code != 200 || rec.Header().Get("Metadata-Flavor") != "Google" || rec.Header().Get("Server") != "Metadata Server for VM" {
			t.Fatal(query, rec.Code, rec.Header(), rec.Body)
		}
		header, claims := w.verified(rec.Body.String(), googleURL)
		same(t, "header", header, `{"alg":"RS256","typ":"JWT"}`, "kid")
		same(t, query, claims, want)
	}
	if e, _ := w.journal.last(t); e.Operation != "token google" || e.Caller != "default" {
		t.Errorf("%+v", e)
	}
	rec := w.metadata("/computeMetadata/v1/instance/service-accounts/another@p.iam.gserviceaccount.com/identity?audience=a", "Metadata-Flavor", "Google")
	if _, claims := w.verified(rec.Body.String(), googleURL); claims.Text("email") != "another@p.iam.gserviceaccount.com" {
		t.Error(claims)
	}
}

func TestGooglePublishesItsKeysElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, google(), directory.Issuer{Name: "second", URL: "https://accounts.example", Preset: "google"})
	doc := asObject(t, w.get(googleURL+"/.well-known/openid-configuration").Body.Bytes())
	same(t, "discovery", doc, `{"issuer":"https://accounts.google.com","jwks_uri":"https://www.googleapis.com/oauth2/v3/certs","response_types_supported":["id_token"],"subject_types_supported":["public"],
		"id_token_signing_alg_values_supported":["RS256"],"scopes_supported":["openid","email","profile"],"claims_supported":["aud","azp","email","email_verified","exp","iat","iss","sub"]}`)
	same(t, "key", asObject(t, w.get("https://www.googleapis.com/oauth2/v3/certs").Body.Bytes())["keys"].([]any)[0].(map[string]any), `{"kty":"RSA","alg":"RS256","use":"sig","e":"AQAB"}`, "kid", "n")
	if doc := asObject(t, w.get("https://accounts.example/.well-known/openid-configuration").Body.Bytes()); doc["jwks_uri"] != "https://accounts.example/oauth2/v3/certs" {
		t.Error(doc)
	}
	if doc := asObject(t, w.named("/google/.well-known/openid-configuration").Body.Bytes()); doc["jwks_uri"] != prefix+"/google/oauth2/v3/certs" {
		t.Error(doc)
	}
}

func TestGooglesOwnLibrariesVerifyByCertificates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, google())
	rec := w.metadata(identity+"?audience=a", "Metadata-Flavor", "Google")
	header, _ := w.verified(rec.Body.String(), googleURL)
	certs := asObject(t, w.get("https://www.googleapis.com/oauth2/v1/certs").Body.Bytes())
	text, _ := certs[header["kid"].(string)].(string)
	block, rest := pem.Decode([]byte(text))
	if block == nil || len(rest) > 0 {
		t.Fatalf("no certificate for %v in %v", header, certs)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.LastIndex(rec.Body.String(), ".")
	signature, err := base64.RawURLEncoding.DecodeString(rec.Body.String()[at+1:])
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckSignature(x509.SHA256WithRSA, []byte(rec.Body.String()[:at]), signature); err != nil {
		t.Error(err)
	}
}

func TestLibrariesFindTheMetadataServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, google())
	const accounts = "/computeMetadata/v1/instance/service-accounts/"
	const account = `{"aliases":["default"],"email":"vm@acme.iam.gserviceaccount.com","scopes":["https://www.googleapis.com/auth/cloud-platform"]}`
	for path, want := range map[string]string{
		"/":                                      "computeMetadata/\n",
		"/computeMetadata/v1/":                   "instance/\nproject/\nuniverse/\n",
		accounts:                                 "another@p.iam.gserviceaccount.com/\ndefault/\nvm@acme.iam.gserviceaccount.com/\n",
		accounts + "default/":                    "aliases\nemail\nscopes\n",
		accounts + "default/email":               "vm@acme.iam.gserviceaccount.com",
		accounts + "default/scopes":              "https://www.googleapis.com/auth/cloud-platform\n",
		accounts + "default/?recursive=true":     account,
		accounts + "default/?alt=json":           `["aliases","email","scopes"]`,
		"/computeMetadata/v1/project/project-id": "acme",
		"/computeMetadata/v1/project/numeric-project-id":   "739419398126",
		"/computeMetadata/v1/instance/zone":                "projects/739419398126/zones/us-west1-b",
		"/computeMetadata/v1/instance/id":                  "152986662232938449",
		"/computeMetadata/v1/universe/universe-domain":     "googleapis.com",
		"/computeMetadata/v1/instance/name?alt=json":       `"vm-1"`,
		"/computeMetadata/v1/instance/id?alt=json":         `152986662232938449`,
		"/computeMetadata/v1/instance/?recursive=TRUE&x=1": "",
	} {
		rec := w.metadata(path, "Metadata-Flavor", "Google")
		if rec.Code != 200 || want != "" && rec.Body.String() != want || rec.Header().Get("Metadata-Flavor") != "Google" {
			t.Errorf("%s: %d %q, want %q", path, rec.Code, rec.Body, want)
		}
	}
	if rec := w.metadata("/"); rec.Code != 200 || rec.Header().Get("Metadata-Flavor") != "Google" {
		t.Errorf("a probe without the header: %d", rec.Code)
	}
	if rec := w.metadata("/computeMetadata/v1/instance/service-accounts/default", "Metadata-Flavor", "Google"); rec.Code != 301 || rec.Header().Get("Location") != accounts+"default/" {
		t.Errorf("a directory without its slash: %d %v", rec.Code, rec.Header())
	}
}

func TestTheMetadataServerRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, google())
	flavored := []string{"Metadata-Flavor", "Google"}
	for name, c := range map[string]struct {
		path    string
		headers []string
		status  int
		want    string
	}{
		"no header":           {identity + "?audience=a", nil, 403, "Missing Metadata-Flavor:Google header."},
		"another header":      {identity + "?audience=a", []string{"Metadata-Flavor", "Azure"}, 403, "Missing Metadata-Flavor:Google header."},
		"a proxy's header":    {identity + "?audience=a", append([]string{"X-Forwarded-For", "1.2.3.4"}, flavored...), 403, "X-Forwarded-For"},
		"no audience":         {identity, flavored, 400, "non-empty audience parameter required"},
		"an empty audience":   {identity + "?audience=", flavored, 400, "non-empty audience parameter required"},
		"two audiences":       {identity + "?audience=a&audience=b", flavored, 400, "more than once"},
		"another format":      {identity + "?audience=a&format=xml", flavored, 400, "format must be"},
		"another account":     {"/computeMetadata/v1/instance/service-accounts/x@y/identity?audience=a", flavored, 404, "service account"},
		"Google's own tokens": {"/computeMetadata/v1/instance/service-accounts/default/token", flavored, 404, "not found"},
		"an unknown path":     {"/computeMetadata/v1/instance/gpu", flavored, 404, "not found"},
		"a value's slash":     {"/computeMetadata/v1/instance/zone/", flavored, 404, "not found"},
		"an older version":    {"/0.1/meta-data/", flavored, 404, "not found"},
	} {
		rec := w.metadata(c.path, c.headers...)
		if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.want) || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html") || rec.Header().Get("Metadata-Flavor") != "Google" {
			t.Errorf("%s: %d %v %s", name, rec.Code, rec.Header(), rec.Body)
		}
	}
	rec := httptest.NewRecorder()
	w.Metadata().ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "http://metadata.google.internal/", nil))
	if rec.Code != 405 {
		t.Error(rec.Code)
	}
	if rec := newWorld(t, plain()).metadata(identity+"?audience=a", flavored...); rec.Code != 404 {
		t.Errorf("without an issuer: %d", rec.Code)
	}
}

func TestTheMetadataServerSpeaksForAnyGoogleIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, directory.Issuer{Name: "vm", URL: "https://vm.example", Preset: "google", Clients: []directory.IssuerClient{{ID: "worker"}}})
	for n := range 120 {
		w.add(directory.Issuer{Name: fmt.Sprintf("a%d", n), URL: fmt.Sprintf("https://a%d.example", n)})
	}
	rec := w.metadata(identity+"?audience=a&format=full", "Metadata-Flavor", "Google")
	_, claims := w.verified(rec.Body.String(), "https://vm.example")
	if claims.Text("email") != "worker@treaty-project.iam.gserviceaccount.com" || len(claims.Text("sub")) != 21 {
		t.Error(claims)
	}
	if _, err := w.Mint(t.Context(), "vm", idp.Mint{Audience: []string{"a"}, Client: "worker"}); err != nil {
		t.Error(err)
	}
}

func TestGooglesSubjectsAreNumbers(t *testing.T) {
	t.Parallel()
	i := google()
	i.Claims = map[string]string{"sub": `"alice"`}
	w := newWorld(t, i)
	if _, err := w.Mint(t.Context(), "google", idp.Mint{Client: "default", Audience: []string{"a"}}); err == nil || !strings.Contains(err.Error(), "which is a number") {
		t.Error(err)
	}
	if rec := w.metadata(identity+"?audience=a", "Metadata-Flavor", "Google"); rec.Code != 400 {
		t.Error(rec.Code, rec.Body)
	}
}
