package cognitoidentity_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/aws/cognitoidentity"
)

// published is the key set as anyone gets it, by kid.
func published(t *testing.T, w *world) map[string]map[string]string {
	t.Helper()
	res, err := http.Get(w.url + "/.well-known/jwks_uri")
	must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	must(t, json.Unmarshal(body, &set))
	out := map[string]map[string]string{}
	for _, k := range set.Keys {
		out[k["kid"]] = k
	}
	return out
}

// signed verifies a token as RFC 7518 section 3.3 says, with nothing of ours.
func signed(t *testing.T, raw string, keys map[string]map[string]string) error {
	t.Helper()
	first, _, _ := strings.Cut(raw, ".")
	header, err := base64.RawURLEncoding.DecodeString(first)
	must(t, err)
	var h struct{ Kid, Alg string }
	must(t, json.Unmarshal(header, &h))
	k, ok := keys[h.Kid]
	if !ok || k["kty"] != "RSA" || k["alg"] != "RS512" || h.Alg != "RS512" || k["use"] != "sig" {
		t.Fatalf("no key for %s in %v", header, keys)
	}
	n, err := base64.RawURLEncoding.DecodeString(k["n"])
	must(t, err)
	e, err := base64.RawURLEncoding.DecodeString(k["e"])
	must(t, err)
	dot := strings.LastIndexByte(raw, '.')
	signature, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	must(t, err)
	sum := sha512.Sum512([]byte(raw[:dot]))
	return rsa.VerifyPKCS1v15(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, crypto.SHA512, sum[:], signature)
}

func TestTokensVerifyWithThePublishedKeys(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	w.haveKey("eu-west-1")
	w.haveKey("cn-north-1")
	for region, partition := range map[string]string{"us-east-1": "aws", "eu-west-1": "aws", "cn-north-1": "aws-cn"} {
		c := w.as(account, region)
		pool, err := c.CreateIdentityPool(ctx, &ci.CreateIdentityPoolInput{IdentityPoolName: new("p"), DeveloperProviderName: new(developer)})
		must(t, err)
		out, err := c.GetOpenIdTokenForDeveloperIdentity(ctx, &ci.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: pool.IdentityPoolId, Logins: map[string]string{developer: "u"}})
		must(t, err)
		header, claims := decode(t, *out.Token)
		if want := `{"kid":"` + region + `1","typ":"JWS","alg":"RS512"}`; header != want || !strings.HasPrefix(claims["sub"].(string), region+":") {
			t.Errorf("header %s, sub %s, want %s", header, claims["sub"], want)
		}
		arn := "arn:" + partition + ":cognito-identity:" + region + ":123456789012:identitypool/" + *pool.IdentityPoolId
		if got := claims["https://cognito-identity.amazonaws.com/identity-pool-arn"]; got != arn {
			t.Errorf("pool ARN is %v, want %s", got, arn)
		}
		keys := published(t, w)
		if err := signed(t, *out.Token, keys); err != nil {
			t.Errorf("%s: %v", region, err)
		}
		parts := strings.Split(*out.Token, ".")
		if signed(t, parts[0]+"."+parts[1]+"x."+parts[2], keys) == nil {
			t.Error("an altered token verifies: the check checks nothing")
		}
	}
	keys := published(t, w)
	if d := cmp.Diff([]string{"cn-north-11", "eu-west-11", "us-east-11"}, names(keys)); d != "" {
		t.Errorf("keys of regions that sign (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"alg", "e", "kid", "kty", "n", "use"}, names(keys["us-east-11"])); d != "" {
		t.Errorf("members of a key (-want +got):\n%s", d)
	}
}

func TestRotatedKeysStayPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.keys.RotateNow(context.Background(), cognitoidentity.Ring(region))
	must(t, err)
	if d := cmp.Diff([]string{"us-east-11", "us-east-12"}, names(published(t, w))); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
}

func TestDiscoveryDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here := func(r *http.Request) string { return "https://" + r.Host + "/aws" }
	for name, c := range map[string]struct {
		d              cognitoidentity.Discovery
		method, path   string
		status         int
		issuer, keysAt string
	}{
		"under the cloud's name":        {cognitoidentity.Discovery{Issuer: cognitoidentity.DefaultIssuer}, "GET", "/.well-known/openid-configuration", 200, "https://cognito-identity.amazonaws.com", "https://cognito-identity.amazonaws.com/.well-known/jwks_uri"},
		"under the name that was asked": {cognitoidentity.Discovery{Issuer: "https://id.example.org/aws", Endpoint: here}, "GET", "/aws/.well-known/openid-configuration", 200, "https://id.example.org/aws", "https://example.com/aws/.well-known/jwks_uri"},
		"something else":                {cognitoidentity.Discovery{Issuer: "https://id.example.org/aws"}, "GET", "/.well-known/openid-configuration/x", 404, "", ""},
		"another document":              {cognitoidentity.Discovery{Issuer: cognitoidentity.DefaultIssuer}, "GET", "/.well-known/jwks.json", 404, "", ""},
		"posted":                        {cognitoidentity.Discovery{Issuer: cognitoidentity.DefaultIssuer}, "POST", "/.well-known/openid-configuration", 405, "", ""},
		"its head only":                 {cognitoidentity.Discovery{Issuer: cognitoidentity.DefaultIssuer}, "HEAD", "/.well-known/openid-configuration", 200, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.d.Keys, c.d.Store = w.keys, w.store.Keys
			rec := httptest.NewRecorder()
			c.d.ServeHTTP(rec, httptest.NewRequest(c.method, c.path, nil))
			if rec.Code != c.status {
				t.Fatalf("status %d, want %d", rec.Code, c.status)
			}
			if c.issuer == "" {
				if c.method == "HEAD" && rec.Body.Len() != 0 {
					t.Errorf("HEAD has a body of %d bytes", rec.Body.Len())
				}
				return
			}
			var got map[string]any
			must(t, json.Unmarshal(rec.Body.Bytes(), &got))
			want := map[string]any{
				"issuer": c.issuer, "jwks_uri": c.keysAt, "response_types_supported": []any{"token"},
				"subject_types_supported": []any{"public"}, "id_token_signing_alg_values_supported": []any{"RS512"},
			}
			if d := cmp.Diff(want, got); d != "" || rec.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s (-want +got):\n%s", rec.Header().Get("Content-Type"), d)
			}
		})
	}
}

func TestAConfiguredRegionHasAKeyBeforeItSigns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := httptest.NewRecorder()
	d := cognitoidentity.Discovery{Issuer: cognitoidentity.DefaultIssuer, Keys: w.keys, Store: w.store.Keys, Regions: []string{"sa-east-1"}}
	d.ServeHTTP(rec, httptest.NewRequest("GET", "/.well-known/jwks_uri", nil))
	if body := rec.Body.String(); !strings.Contains(body, `"sa-east-11"`) || !strings.Contains(body, `"us-east-11"`) {
		t.Errorf("keys: %s", body)
	}
}
