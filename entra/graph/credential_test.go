package graph_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
)

func TestPasswordsOfApplicationsAndPrincipals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	ctx := context.Background()
	id, appID := a.app("secret")
	sp := a.principal(appID)
	stored := map[string]func() []directory.ClientSecret{
		"/applications/" + id: func() []directory.ClientSecret {
			app, err := w.Applications.Application(ctx, tenantID, id)
			must(t, err)
			return app.Secrets
		},
		"/servicePrincipals/" + sp: func() []directory.ClientSecret {
			p, err := w.Principals.Principal(ctx, tenantID, sp)
			must(t, err)
			return p.Secrets
		},
	}
	for path, kept := range stored {
		plain := a.want(200, "POST", path+"/addPassword", "")
		named := a.want(200, "POST", path+"/addPassword", `{"passwordCredential":{"displayName":"ci","startDateTime":"2026-11-21T00:00:00Z","endDateTime":"2027-05-01T00:00:00.5+02:00"}}`)
		text := plain.text("secretText")
		if len(text) != 40 || text == named.text("secretText") || plain.text("hint") != text[:3] || text[3:6] != "8Q~" {
			t.Errorf("%s: %s", path, plain.raw)
		}
		if plain.text("startDateTime") != "2026-11-21T12:30:00Z" || plain.text("endDateTime") != "2028-11-21T12:30:00Z" || plain.at("displayName") != nil {
			t.Errorf("defaults: %s", plain.raw)
		}
		if named.text("displayName") != "ci" || named.text("endDateTime") != "2027-04-30T22:00:00.5Z" || named.body["@odata.context"] != graphURL+"/v1.0/$metadata#microsoft.graph.passwordCredential" {
			t.Error(named.raw)
		}
		secrets := kept()
		if len(secrets) != 2 || !w.sealer.Matches(credential.Secret(text), secrets[0].Hash) || w.sealer.Matches(credential.Secret(text), secrets[1].Hash) {
			t.Errorf("kept %+v", secrets)
		}
		shown := a.want(200, "GET", path, "")
		if shown.text("passwordCredentials.1.keyId") != named.text("keyId") || shown.at("passwordCredentials.1.secretText") != nil || strings.Contains(shown.raw, text) {
			t.Error(shown.raw)
		}
		a.want(204, "POST", path+"/removePassword", `{"keyId":"`+strings.ToUpper(plain.text("keyId"))+`"}`)
		a.refused(400, "Request_BadRequest", "No password credential found with keyId '"+plain.text("keyId")+"'.", "POST", path+"/removePassword", `{"keyId":"`+plain.text("keyId")+`"}`)
		a.refused(400, "Request_BadRequest", "'keyId'", "POST", path+"/removePassword", `{"keyId":"x"}`)
		a.refused(400, "Request_BadRequest", "'endDateTime'", "POST", path+"/addPassword", `{"passwordCredential":{"endDateTime":"2020-01-01T00:00:00Z"}}`)
		a.refused(400, "Request_BadRequest", "'secretText' is read-only", "POST", path+"/addPassword", `{"passwordCredential":{"secretText":"mine"}}`)
		a.want(204, "PATCH", path, `{"passwordCredentials":[{"keyId":"`+named.text("keyId")+`","secretText":null,"hint":"x"}]}`)
		a.want(204, "PATCH", path, `{"passwordCredentials":[]}`)
		if len(kept()) != 0 {
			t.Errorf("kept %+v", kept())
		}
	}
	made := a.want(201, "POST", "/applications", `{"displayName":"born with one","passwordCredentials":[{"displayName":"first"}]}`)
	if text := made.text("passwordCredentials.0.secretText"); len(text) != 40 || made.text("passwordCredentials.0.displayName") != "first" {
		t.Error(made.raw)
	}
}

func TestConcurrentPasswordsAreAllKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, _ := a.app("busy")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if got := a.do("POST", "/applications/"+id+"/addPassword", ""); got.status != 200 {
				t.Errorf("%d %s", got.status, got.raw)
			}
		})
	}
	wg.Wait()
	if list, _ := a.want(200, "GET", "/applications/"+id, "").at("passwordCredentials").([]any); len(list) != 6 {
		t.Errorf("%d of 6 are kept", len(list))
	}
}

func TestKeyCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, appID := a.app("keys")
	sp := a.principal(appID)
	cert := clientKey().cert
	der := base64.StdEncoding.EncodeToString(cert.Raw)
	sum := sha1.Sum(cert.Raw)
	entry := func(more string) string {
		return `{"@odata.type":"#microsoft.graph.keyCredential","type":"AsymmetricX509Cert","usage":"Verify","key":"` + der + `"` + more + `}`
	}
	const kid = "aaaabbbb-0000-4000-8000-000000000001"
	for _, path := range []string{"/applications/" + id, "/servicePrincipals/" + sp} {
		a.want(204, "PATCH", path, `{"keyCredentials":[`+entry(`,"displayName":"mine","keyId":"`+kid+`","endDateTime":"2027-01-01T00:00:00Z"`)+`]}`)
		got := a.want(200, "GET", path, "")
		for at, want := range map[string]any{
			"keyId": kid, "displayName": "mine", "customKeyIdentifier": strings.ToUpper(hex.EncodeToString(sum[:])), "key": nil, "type": "AsymmetricX509Cert", "usage": "Verify",
			"startDateTime": cert.NotBefore.UTC().Format(time.RFC3339), "endDateTime": "2027-01-01T00:00:00Z",
		} {
			if v := got.at("keyCredentials.0." + at); v != want {
				t.Errorf("%s: %s is %v, want %v", path, at, v, want)
			}
		}
		if got := a.want(200, "GET", path+"?$select=keyCredentials", ""); got.text("keyCredentials.0.key") != der {
			t.Errorf("the key does not come with $select: %s", got.raw)
		}
		// az … --append sends what it got, whose key is null, and the new one as PEM in base64, as Terraform does.
		armoured := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: entraKey().cert.Raw}))
		a.want(204, "PATCH", path, `{"keyCredentials":[{"keyId":"`+kid+`","key":null,"type":"AsymmetricX509Cert","usage":"Verify","customKeyIdentifier":"x"},{"key":"`+armoured+`","type":"AsymmetricX509Cert","usage":"Verify"}]}`)
		if got := a.want(200, "GET", path, ""); got.text("keyCredentials.0.displayName") != "mine" || got.text("keyCredentials.1.displayName") != "CN=accounts.accesscontrol.windows.net" {
			t.Error(got.raw)
		}
		for _, c := range []struct{ entries, code, text string }{
			{entry(`,"endDateTime":"2040-01-01T00:00:00Z"`), "KeyCredentialsInvalidEndDate", "Key credential end date is invalid."},
			{entry(`,"startDateTime":"2000-01-01T00:00:00Z"`), "KeyCredentialsInvalidStartDate", "start date"},
			{strings.Replace(entry(""), "AsymmetricX509Cert", "Symmetric", 1), "KeyCredentialsInvalidKeyType", "type"},
			{strings.Replace(entry(""), "Verify", "Sign", 1), "KeyCredentialsInvalidKeyUsage", "usage"},
			{strings.Replace(entry(""), der, "AAAA", 1), "KeyCredentialsInvalidKeyValue", "key value"},
			{strings.Replace(entry(""), der, "%%%", 1), "KeyCredentialsInvalidKeyValue", "key value"},
			{`{"keyId":"` + nobodyID + `"}`, "KeyCredentialsInvalidKeyValue", "key value"},
			{`{"keyId":"` + kid + `","key":"` + armoured + `"}`, "Request_BadRequest", "Update to existing credential with KeyId '" + kid + "' is not allowed."},
			{entry(`,"keyId":"`+kid+`"`) + "," + entry(`,"keyId":"`+kid+`"`), "DuplicateValue", "duplicate"},
			{`7`, "Request_BadRequest", "'keyCredentials'"},
		} {
			a.refused(400, c.code, c.text, "PATCH", path, `{"keyCredentials":[`+c.entries+`]}`)
		}
		a.want(204, "PATCH", path, `{"keyCredentials":[]}`)
	}
}

func TestKeysAreAddedAndRemovedWithProofOfPossession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.admin()
	id, _ := a.app("roll")
	path := "/applications/" + id
	cert := func(p pair) string { return base64.StdEncoding.EncodeToString(p.cert.Raw) }
	proof := func(key pair, edit func(token.Claims)) string {
		c := token.Claims{"aud": "00000002-0000-0000-c000-000000000000", "iss": id, "nbf": now.Unix(), "exp": now.Add(10 * time.Minute).Unix()}
		edit(c)
		return w.sign(key, c)
	}
	same := func(token.Claims) {}
	add := func(key pair, proof string) string {
		return fmt.Sprintf(`{"keyCredential":{"type":"AsymmetricX509Cert","usage":"Verify","key":"%s"},"passwordCredential":null,"proof":"%s"}`, cert(key), proof)
	}
	const code, text = "Authentication_MissingOrMalformed", "Access Token missing or malformed."
	a.refused(401, code, text, "POST", path+"/addKey", add(clientKey(), proof(clientKey(), same))) // it has no key yet
	a.want(204, "PATCH", path, `{"keyCredentials":[{"type":"AsymmetricX509Cert","usage":"Verify","key":"`+cert(clientKey())+`"}]}`)
	for name, bad := range map[string]string{
		"a stranger's":          proof(strangerKey(), same),
		"for another audience":  proof(clientKey(), func(c token.Claims) { c["aud"] = graphURL }),
		"of another issuer":     proof(clientKey(), func(c token.Claims) { c["iss"] = nobodyID }),
		"expired":               proof(clientKey(), func(c token.Claims) { c["nbf"], c["exp"] = now.Add(-time.Hour).Unix(), now.Add(-55*time.Minute).Unix() }),
		"living too long":       proof(clientKey(), func(c token.Claims) { c["exp"] = now.Add(time.Hour).Unix() }),
		"without a beginning":   proof(clientKey(), func(c token.Claims) { delete(c, "nbf") }),
		"no token":              "x",
		"absent":                "",
		"the caller's own, too": w.sign(entraKey(), claims(all...)),
	} {
		if got := a.refused(401, code, text, "POST", path+"/addKey", add(strangerKey(), bad)); got.status != 401 {
			t.Errorf("proof %s was taken", name)
		}
	}
	made := a.want(200, "POST", path+"/addKey", add(strangerKey(), proof(clientKey(), same)))
	if made.text("displayName") != "CN=stranger" || made.body["@odata.context"] != graphURL+"/v1.0/$metadata#microsoft.graph.keyCredential" {
		t.Error(made.raw)
	}
	first := a.want(200, "GET", path, "").text("keyCredentials.0.keyId")
	remove := func(keyID string, key pair) string {
		return `{"keyId":"` + keyID + `","proof":"` + proof(key, same) + `"}`
	}
	a.refused(401, code, text, "POST", path+"/removeKey", remove(first, entraKey()))
	a.refused(400, "Request_BadRequest", "No key credential found", "POST", path+"/removeKey", remove(nobodyID, strangerKey()))
	a.want(204, "POST", path+"/removeKey", remove(first, strangerKey()))
	if list, _ := a.want(200, "GET", path, "").at("keyCredentials").([]any); len(list) != 1 {
		t.Errorf("%d keys are left", len(list))
	}
	a.refused(401, code, text, "POST", path+"/addKey", add(clientKey(), proof(clientKey(), same))) // its key went
}
