package clients

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/oauth2/jwt"
)

const (
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	bearerGrant   = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// tokenIssuers are the products that have a token endpoint of OAuth, with where theirs is and with the claims that
// they give to an application that asks for itself, for the scopes "read" and "write".
var tokenIssuers = []struct {
	preset, url, endpoint string
	claims                object
}{
	{"generic", "https://sso.grants.example", "/token", object{"client_id": "payroll", "scope": "read write", "cid": nil}},
	{"pingfederate", "https://ping.grants.example", "/as/token.oauth2", object{"client_id": "payroll", "scope": "read write", "cid": nil}},
	{"okta", "https://grants.okta.com/oauth2/aus1x2y3z", "/v1/token", object{"cid": "payroll", "scp": []string{"read", "write"}, "ver": 1, "client_id": nil, "scope": nil}},
}

// golang.org/x/oauth2 gets tokens by a client's secret, in the header, in the form, and by finding out which works.
func TestClientCredentialsOfGo(t *testing.T) {
	t.Parallel()
	tw := shared.another(t, "{}\n")
	var list []object
	for _, i := range tokenIssuers {
		list = append(list, object{"name": i.preset, "url": i.url, "preset": i.preset, "clients": []object{{"id": "payroll", "secret": "a secret: 100% +/= é"}}})
	}
	declare(t, tw, list...)
	client := through(t, tw)
	for _, i := range tokenIssuers {
		ctx, p := discovered(t, client, i.url)
		if at := p.Endpoint().TokenURL; at != i.url+i.endpoint {
			t.Errorf("%s: the token endpoint is %s", i.preset, at)
		}
		c := clientcredentials.Config{ClientID: "payroll", ClientSecret: "a secret: 100% +/= é", TokenURL: p.Endpoint().TokenURL, Scopes: []string{"read", "write"},
			EndpointParams: url.Values{"audience": {"api://orders"}}}
		for name, style := range map[string]oauth2.AuthStyle{"in the header": oauth2.AuthStyleInHeader, "in the form": oauth2.AuthStyleInParams, "whichever works": oauth2.AuthStyleAutoDetect} {
			c.AuthStyle = style
			token, err := c.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
			if err != nil {
				t.Errorf("%s, %s: %v", i.preset, name, err)
				continue
			}
			verified, err := p.VerifierContext(ctx, &oidc.Config{ClientID: "api://orders"}).Verify(ctx, token.AccessToken)
			if err != nil {
				t.Errorf("%s, %s: %v", i.preset, name, err)
				continue
			}
			var claims object
			if err := verified.Claims(&claims); err != nil {
				t.Fatal(err)
			}
			wants(t, i.preset, claims, i.claims)
			wants(t, i.preset, claims, map[string]any{"iss": i.url, "sub": "payroll", "aud": "api://orders"})
			if token.Type() != "Bearer" || token.Extra("scope") != "read write" || token.Extra("expires_in") != claims["exp"].(float64)-claims["iat"].(float64) {
				t.Errorf("%s: type %s, scope %v, expires in %v", i.preset, token.Type(), token.Extra("scope"), token.Extra("expires_in"))
			}
		}
		for name, broken := range map[string]struct {
			edit   func(*clientcredentials.Config)
			code   string
			status int
		}{
			"a wrong secret":    {func(c *clientcredentials.Config) { c.ClientSecret = "a secret" }, "invalid_client", 401},
			"an unknown client": {func(c *clientcredentials.Config) { c.ClientID = "mallory" }, "invalid_client", 401},
			"another grant":     {func(c *clientcredentials.Config) { c.EndpointParams = url.Values{"grant_type": {exchangeGrant}} }, "unauthorized_client", 400},
		} {
			wrong := c
			wrong.AuthStyle = oauth2.AuthStyleInHeader
			broken.edit(&wrong)
			_, err := wrong.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
			if refused := (*oauth2.RetrieveError)(nil); !errors.As(err, &refused) || refused.ErrorCode != broken.code || refused.Response.StatusCode != broken.status {
				t.Errorf("%s, %s: %v, want %s with %d", i.preset, name, err, broken.code, broken.status)
			}
		}
	}
}

// withBasic adds a client's secret to requests whose library knows of none.
type withBasic struct {
	http.RoundTripper
	client, secret string
}

func (b withBasic) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.SetBasicAuth(b.client, b.secret)
	return b.RoundTripper.RoundTrip(r)
}

// golang.org/x/oauth2/jwt signs an assertion itself (RFC 7523 section 2.1), which an issuer takes whose operator accepts
// the signer; but the library proves no client, and without one there is no token.
func TestAssertionsOfGo(t *testing.T) {
	t.Parallel()
	signer := newB2C(t)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signer.Certificate().Raw})
	tw := shared.another(t, "outbound: {allow: [loopback], ca: "+file(t, "signer.pem", string(authority))+"}\n")
	const issuer = "https://sso.example.com"
	secret := declare(t, tw, object{"name": "sso", "url": issuer, "preset": "pingfederate", "accepts": []object{{"issuer": signer.issuer, "audiences": []string{issuer}}},
		"clients": []object{{"id": "payroll", "grants": []string{bearerGrant}}}})["sso/payroll"]
	client := through(t, tw)
	ctx, p := discovered(t, client, issuer)
	c := jwt.Config{Email: signer.issuer, Subject: "Person-1", Audience: issuer, PrivateKeyID: "k1", Scopes: []string{"read"}, TokenURL: p.Endpoint().TokenURL,
		PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(signer.key)})}
	get := func(c jwt.Config, via http.RoundTripper) (*oauth2.Token, error) {
		return c.TokenSource(context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: via})).Token()
	}
	basic := withBasic{client.Transport, "payroll", secret}
	token, err := get(c, basic)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := p.VerifierContext(ctx, &oidc.Config{ClientID: issuer}).Verify(ctx, token.AccessToken)
	if err != nil || verified.Subject != "Person-1" {
		t.Errorf("%+v, %v", verified, err)
	}
	another := c
	another.Audience = "https://another.example.com"
	for name, try := range map[string]struct {
		jwt.Config
		via       http.RoundTripper
		code, why string
		status    int
	}{
		"without a client":         {c, client.Transport, "invalid_client", "the request has no client credential", 401},
		"for another audience":     {another, basic, "invalid_grant", "assertion is not accepted", 400},
		"with an unknown client's": {c, withBasic{client.Transport, "mallory", secret}, "invalid_client", "there is no such client", 401},
	} {
		_, err := get(try.Config, try.via)
		refused := (*oauth2.RetrieveError)(nil)
		if !errors.As(err, &refused) || refused.Response.StatusCode != try.status || !strings.Contains(string(refused.Body), `"`+try.code+`"`) || !strings.Contains(string(refused.Body), try.why) {
			t.Errorf("%s: %v, want %d %s: %s", name, err, try.status, try.code, try.why)
		}
	}
}

// Authlib proves who a client is by each method, alone and for the exchange of real tokens of both clouds: an identity
// pool's and Entra's.
func TestAuthlibTradesTokensOfBothCloudsAtAnOutsideIssuer(t *testing.T) {
	t.Parallel()
	need(t, "/usr/lib/python3/dist-packages/authlib")
	need(t, "/usr/lib/python3/dist-packages/httpx")
	need(t, boto3)
	e := registerEntraApp(t)
	entra := e.entraToken(t)
	var root caller
	pool := text(root.do(t, "cognito-identity", "create-identity-pool", "--identity-pool-name", "authlib", "--no-allow-unauthenticated-identities",
		"--developer-provider-name", "my.dev.provider"), "IdentityPoolId")
	dir := t.TempDir()
	keyFile, certFile, _ := certificate(t, dir)
	cert, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range tokenIssuers {
		t.Run(i.preset, func(t *testing.T) {
			t.Parallel()
			name := unique(i.preset)
			at := strings.Replace(i.url, "grants", name, 1)
			grants := []string{"client_credentials", exchangeGrant, bearerGrant}
			secrets := declare(t, shared, object{"name": name, "url": at, "preset": i.preset,
				"claims": object{"upstream": "has(subject.iss) ? subject.iss : null", "act_for": "has(subject.sub) ? 'user/' + subject.sub : dyn(null)"},
				"accepts": []object{
					{"issuer": cognitoIssuer, "audiences": []string{pool}},
					{"issuer": v1Issuer, "audiences": []string{e.audience}, "subject": e.principal},
				},
				"clients": []object{{"id": "payroll", "grants": grants}, {"id": "keyed", "grants": grants, "certificate": string(cert)}, {"id": "plain"}}})
			out := must[object](t, shared, []string{"URL=" + at, "SECRET=" + secrets[name+"/payroll"], "PLAIN=" + secrets[name+"/plain"], "KEY_FILE=" + keyFile, "POOL=" + pool, "ENTRA=" + entra},
				python, "testdata/issuers_authlib.py")
			authlibGot(t, out, at, e.principal)
		})
	}
}

// authlibGot compares what testdata/issuers_authlib.py got.
func authlibGot(t *testing.T, out object, issuer, principal string) {
	t.Helper()
	identity := text(out, "identity")
	for name, want := range map[string]object{
		"client_secret_basic":   {"sub": "payroll", "upstream": nil},
		"client_secret_post":    {"sub": "payroll", "upstream": nil},
		"private_key_jwt":       {"sub": "keyed", "upstream": nil},
		"asynchronously":        {"sub": "payroll", "upstream": nil},
		"exchange of cognito":   {"sub": identity, "upstream": cognitoIssuer, "act_for": "user/" + identity},
		"exchange of entra":     {"sub": principal, "upstream": v1Issuer, "act_for": "user/" + principal},
		"jwt-bearer of cognito": {"sub": identity, "upstream": cognitoIssuer},
		"jwt-bearer of entra":   {"sub": principal, "upstream": v1Issuer},
		"exchange by key":       {"sub": identity, "upstream": cognitoIssuer},
	} {
		token, _ := at(out, "tokens").(object)[name].(object)
		if token == nil {
			t.Errorf("%s: no token\n%v", name, at(out, "refused"))
			continue
		}
		_, claims := decode(t, text(token, "access_token"))
		wants(t, name, claims, want)
		wants(t, name, claims, map[string]any{"iss": issuer, "aud": "api://orders"})
		issued := any(nil)
		if strings.HasPrefix(name, "exchange") {
			issued = "urn:ietf:params:oauth:token-type:access_token"
		}
		wants(t, name, token, map[string]any{"token_type": "Bearer", "issued_token_type": issued, "refresh_token": nil})
	}
	for name, want := range map[string][]any{
		"a wrong secret":                 {"invalid_client", "there is no such client, or its secret is another"},
		"a replayed assertion":           {"invalid_client", "used"},
		"a forged subject token":         {"invalid_request", "subject_token is not accepted"},
		"a forged assertion":             {"invalid_grant", "assertion is not accepted"},
		"a grant that it may not use":    {"unauthorized_client", ""},
		"a subject token of its own":     {"invalid_request", "subject_token is not accepted"},
		"another audience than accepted": {"invalid_request", "subject_token is not accepted"},
	} {
		got, _ := at(out, "refused").(object)[name].([]any)
		if len(got) != 2 || got[0] != want[0] || !strings.Contains(got[1].(string), want[1].(string)) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
