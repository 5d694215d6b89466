package sts_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/aws/sts"
	"github.com/treatyfed/treaty/core/directory"
)

const (
	guid       = "0a1b2c3d-0a1b-4c3d-8a1b-0a1b2c3d4e5f"
	ownIssuer  = "https://0a1b2c3d-0a1b-4c3d-8a1b-0a1b2c3d4e5f.tokens.sts.global.api.aws"
	mayVend    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:GetWebIdentityToken","sts:TagGetWebIdentityToken"],"Resource":"*"}]}`
	exchangeAt = "api://AzureADTokenExchange"
)

// newVendor is a federated world whose account issues tokens and that has a user who may have them.
func newVendor(t *testing.T, enabled bool) (*federated, aws.Credentials) {
	t.Helper()
	w := newFederated(t)
	a, err := w.store.Accounts.Account(t.Context(), account)
	must(t, err)
	a.TokenIssuer, a.TokensEnabled = guid, enabled
	must(t, w.store.Accounts.UpdateAccount(t.Context(), a))
	_, key := w.newUser("vendor", func(u *directory.IAMUser) {
		u.ARN, u.Path, u.Tags = "arn:aws:iam::123456789012:user/org/vendor", "/org/", []directory.Tag{{Key: "Team", Value: "platform"}}
		u.Inline = []directory.InlinePolicy{{Name: "Vend", Document: mayVend}}
	})
	return w, key
}

func (w *federated) vend(c aws.Credentials, edit ...func(*sdk.GetWebIdentityTokenInput)) (*sdk.GetWebIdentityTokenOutput, error) {
	in := &sdk.GetWebIdentityTokenInput{Audience: []string{exchangeAt}, SigningAlgorithm: new("RS256")}
	for _, e := range edit {
		e(in)
	}
	return w.client(c).GetWebIdentityToken(context.Background(), in)
}

// discovery serves the account's documents.
func (w *federated) discovery() sts.Discovery {
	return sts.Discovery{Accounts: w.store.Accounts, Tokens: w.keys, Issuer: sts.DefaultTokenIssuer}
}

func (w *federated) document(url string) (int, []byte) {
	out := httptest.NewRecorder()
	w.discovery().ServeHTTP(out, httptest.NewRequest(http.MethodGet, url, nil))
	return out.Code, out.Body.Bytes()
}

// verified checks a token as any relying party does that knows nothing but its issuer: by the published
// documents and the standard library.
func (w *federated) verified(raw string) (header, payload map[string]any) {
	w.t.Helper()
	parts := strings.Split(raw, ".")
	bytes := make([][]byte, 3)
	for i := range bytes {
		var err error
		bytes[i], err = base64.RawURLEncoding.DecodeString(parts[i])
		must(w.t, err)
	}
	must(w.t, json.Unmarshal(bytes[0], &header))
	must(w.t, json.Unmarshal(bytes[1], &payload))
	_, doc := w.document(payload["iss"].(string) + "/.well-known/openid-configuration")
	var config struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	must(w.t, json.Unmarshal(doc, &config))
	if config.Issuer != payload["iss"] {
		w.t.Fatalf("issuer %q of %q", config.Issuer, payload["iss"])
	}
	_, doc = w.document(config.JWKSURI)
	var set struct {
		Keys []struct{ Kid, Kty, Alg, Use, Crv, N, E, X, Y string }
	}
	must(w.t, json.Unmarshal(doc, &set))
	number := func(s string) *big.Int {
		b, err := base64.RawURLEncoding.DecodeString(s)
		must(w.t, err)
		return new(big.Int).SetBytes(b)
	}
	signed := []byte(parts[0] + "." + parts[1])
	for _, k := range set.Keys {
		if k.Kid != header["kid"] || k.Alg != header["alg"] || k.Use != "sig" {
			continue
		}
		switch k.Kty {
		case "RSA":
			sum := sha256.Sum256(signed)
			must(w.t, rsa.VerifyPKCS1v15(&rsa.PublicKey{N: number(k.N), E: int(number(k.E).Int64())}, crypto.SHA256, sum[:], bytes[2]))
		case "EC":
			sum := sha512.Sum384(signed)
			point := append([]byte{4}, append(number(k.X).FillBytes(make([]byte, 48)), number(k.Y).FillBytes(make([]byte, 48))...)...) // SEC 1 section 2.3.3
			public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P384(), point)
			must(w.t, err)
			if k.Crv != "P-384" || len(bytes[2]) != 96 || !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(bytes[2][:48]), new(big.Int).SetBytes(bytes[2][48:])) {
				w.t.Fatal("the signature is not the published key's")
			}
		}
		return header, payload
	}
	w.t.Fatalf("no key %v in %s", header, doc)
	return nil, nil
}

func TestAUsersTokenSaysWhoItIs(t *testing.T) {
	t.Parallel()
	w, key := newVendor(t, true)
	for algorithm, kid := range map[string]string{"RS256": "RSA_0", "ES384": "EC384_0"} {
		out, err := w.vend(key, func(in *sdk.GetWebIdentityTokenInput) {
			in.SigningAlgorithm, in.DurationSeconds = &algorithm, new(int32(60))
			in.Tags = []types.Tag{{Key: new("Team"), Value: new("request")}, {Key: new("aws:test"), Value: new("reserved")}}
		})
		must(t, err)
		header, payload := w.verified(*out.WebIdentityToken)
		if diff := cmp.Diff(map[string]any{"kid": kid, "typ": "JWT", "alg": algorithm}, header); diff != "" {
			t.Error(diff)
		}
		id, _ := payload["jti"].(string)
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
			t.Errorf("jti %q", id)
		}
		now := float64(start.Unix())
		if diff := cmp.Diff(map[string]any{
			"iss": ownIssuer, "sub": "arn:aws:iam::123456789012:user/org/vendor", "aud": exchangeAt, "iat": now, "exp": now + 60, "jti": id,
			"https://sts.amazonaws.com/": map[string]any{
				"aws_account": account, "source_region": "eu-north-1", "principal_id": "arn:aws:iam::123456789012:user/org/vendor",
				"principal_tags": map[string]any{"Team": "platform"}, "request_tags": map[string]any{"Team": "request", "aws:test": "reserved"},
			},
		}, payload); diff != "" {
			t.Error(diff)
		}
		if !out.Expiration.Equal(start.Add(time.Minute)) || !strings.Contains(w.last().body, "<Expiration>2026-11-21T09:31:00.000Z</Expiration>") {
			t.Errorf("%s in %s", out.Expiration, w.last().body)
		}
		if e := string(w.event().Evidence); strings.Contains(e, *out.WebIdentityToken) || !strings.Contains(e, id) {
			t.Error("the event names the token by something else than its id")
		}
	}
}

func TestARolesTokenNamesTheRoleAndLaysSessionTagsOverIts(t *testing.T) {
	t.Parallel()
	w, key := newVendor(t, true)
	role := w.role("Job", trusts("arn:aws:iam::123456789012:user/org/vendor", []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"}), func(r *directory.IAMRole) {
		r.ARN, r.Path, r.Tags = "arn:aws:iam::123456789012:role/batch/Job", "/batch/", []directory.Tag{{Key: "Team", Value: "role"}, {Key: "untouched", Value: "retained"}}
		r.Inline = []directory.InlinePolicy{{Name: "Vend", Document: mayVend}}
	})
	held, err := w.assume(key, role.ARN, func(in *sdk.AssumeRoleInput) {
		in.Tags, in.SourceIdentity, in.DurationSeconds = []types.Tag{{Key: new("team"), Value: new("session")}}, new("ann"), new(int32(900))
	})
	must(t, err)
	out, err := w.vend(temporary(held.Credentials), func(in *sdk.GetWebIdentityTokenInput) { in.Audience = []string{"one", "one"} })
	must(t, err)
	_, payload := w.verified(*out.WebIdentityToken)
	if payload["sub"] != "arn:aws:iam::123456789012:role/batch/Job" || !cmp.Equal(payload["aud"], []any{"one", "one"}) {
		t.Errorf("%v", payload)
	}
	if diff := cmp.Diff(map[string]any{
		"aws_account": account, "source_region": "eu-north-1", "principal_id": "arn:aws:iam::123456789012:role/batch/Job",
		"principal_tags": map[string]any{"team": "session", "untouched": "retained"}, "source_identity": "ann", "original_session_exp": "2026-11-21T09:45:00Z",
	}, payload["https://sts.amazonaws.com/"]); diff != "" {
		t.Error(diff)
	}
	_, err = w.vend(temporary(held.Credentials), func(in *sdk.GetWebIdentityTokenInput) { in.DurationSeconds = new(int32(901)) })
	refused(t, err, "SessionDurationEscalationException", "Requested token expiry time must be before the original session's expiry time.")
	if w.last().status != http.StatusForbidden {
		t.Error(w.last())
	}
}

func TestTokensAreRefusedInSTSsWords(t *testing.T) {
	t.Parallel()
	w, key := newVendor(t, true)
	const nobody = "User: arn:aws:iam::123456789012:user/eng/ann is not authorized to perform: sts:GetWebIdentityToken on resource: arn:aws:sts::123456789012:self because no identity-based policy allows the sts:GetWebIdentityToken action"
	_, untagged := w.newUser("untagged", func(u *directory.IAMUser) {
		u.Inline = []directory.InlinePolicy{{Name: "p", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:GetWebIdentityToken","Resource":"*"}]}`}}
	})
	_, narrow := w.newUser("narrow", func(u *directory.IAMUser) {
		u.Inline = []directory.InlinePolicy{{Name: "p", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:GetWebIdentityToken","Resource":"*","Condition":{` +
			`"ForAllValues:StringEquals":{"sts:IdentityTokenAudience":["` + exchangeAt + `"]},"NumericLessThanEquals":{"sts:DurationSeconds":"300"},"StringEquals":{"sts:SigningAlgorithm":"ES384"}}}]}`}}
	})
	tag := func(keys ...string) func(*sdk.GetWebIdentityTokenInput) {
		return func(in *sdk.GetWebIdentityTokenInput) {
			for _, k := range keys {
				in.Tags = append(in.Tags, types.Tag{Key: &k, Value: new("v")})
			}
		}
	}
	elliptic := func(in *sdk.GetWebIdentityTokenInput) { in.SigningAlgorithm = new("ES384") }
	for name, c := range map[string]struct {
		key           aws.Credentials
		edit          []func(*sdk.GetWebIdentityTokenInput)
		status        int
		code, message string // "" is allowed
	}{
		"nobody lets the caller":     {w.user, nil, 403, "AccessDenied", nobody},
		"the root":                   {w.root, nil, 200, "", ""},
		"another algorithm":          {key, []func(*sdk.GetWebIdentityTokenInput){func(in *sdk.GetWebIdentityTokenInput) { in.SigningAlgorithm = new("RS384") }}, 400, "ValidationError", "Requested SigningAlgorithm is not supported. See the GetWebIdentityToken documentation for supported algorithms"},
		"an algorithm that is short": {key, []func(*sdk.GetWebIdentityTokenInput){func(in *sdk.GetWebIdentityTokenInput) { in.SigningAlgorithm = new("none") }}, 400, "ValidationError", "1 validation error detected: Value 'none' at 'signingAlgorithm' failed to satisfy constraint: Member must have length greater than or equal to 5"},
		"a minute too short":         {key, []func(*sdk.GetWebIdentityTokenInput){func(in *sdk.GetWebIdentityTokenInput) { in.DurationSeconds = new(int32(59)) }}, 400, "ValidationError", ""},
		"tags twice":                 {key, []func(*sdk.GetWebIdentityTokenInput){tag("team", "Team")}, 400, "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		"tags that are not allowed":  {untagged, []func(*sdk.GetWebIdentityTokenInput){tag("team")}, 403, "AccessDenied", "User: arn:aws:iam::123456789012:user/untagged is not authorized to perform: sts:TagGetWebIdentityToken on resource: arn:aws:sts::123456789012:self because no identity-based policy allows the sts:TagGetWebIdentityToken action"},
		"no tags":                    {untagged, nil, 200, "", ""},
		"every condition holds":      {narrow, []func(*sdk.GetWebIdentityTokenInput){elliptic}, 200, "", ""},
		"another audience beside it": {narrow, []func(*sdk.GetWebIdentityTokenInput){elliptic, func(in *sdk.GetWebIdentityTokenInput) { in.Audience = append(in.Audience, "other") }}, 403, "AccessDenied", ""},
		"a longer life":              {narrow, []func(*sdk.GetWebIdentityTokenInput){elliptic, func(in *sdk.GetWebIdentityTokenInput) { in.DurationSeconds = new(int32(301)) }}, 403, "AccessDenied", ""},
		"an algorithm not allowed":   {narrow, nil, 403, "AccessDenied", ""},
		"too much in it": {key, []func(*sdk.GetWebIdentityTokenInput){func(in *sdk.GetWebIdentityTokenInput) {
			in.Audience = nil
			for range 10 {
				in.Audience = append(in.Audience, strings.Repeat("a", 1000))
			}
			for i := range 50 {
				in.Tags = append(in.Tags, types.Tag{Key: new(fmt.Sprint(i)), Value: new(strings.Repeat("v", 200))})
			}
		}}, 400, "JWTPayloadSizeExceededException", ""},
	} {
		_, err := w.vend(c.key, c.edit...)
		if c.code == "" {
			must(t, err)
		} else {
			refused(t, err, c.code, c.message)
		}
		if got := w.last(); got.status != c.status {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	in := &sdk.GetWebIdentityTokenInput{Audience: []string{"a"}, SigningAlgorithm: new("RS256")}
	_, err := w.client(key).GetWebIdentityToken(t.Context(), in, func(o *sdk.Options) { o.Region, o.BaseEndpoint = "us-east-1", new("https://sts.amazonaws.com") })
	refused(t, err, "InvalidAction", "Operation not supported on STS global endpoint")
}

func TestFederatedUsersHaveNoTokens(t *testing.T) {
	t.Parallel()
	w, _ := newVendor(t, true)
	policy := mayVend
	_, federator := w.newUser("federator", func(u *directory.IAMUser) {
		u.Inline = []directory.InlinePolicy{{Name: "p", Document: everything}}
	})
	guest, err := w.client(federator).GetFederationToken(t.Context(), &sdk.GetFederationTokenInput{Name: new("guest"), Policy: &policy})
	must(t, err)
	_, err = w.vend(temporary(guest.Credentials))
	refused(t, err, "AccessDenied", "")
	if w.last().status != http.StatusForbidden {
		t.Error(w.last())
	}
}

func TestAnAccountThatIssuesNoTokensStillPublishesItsKeys(t *testing.T) {
	t.Parallel()
	w, key := newVendor(t, false)
	_, err := w.vend(key)
	refused(t, err, "OutboundWebIdentityFederationDisabledException", "OutboundWebIdentityFederation is disabled.")
	if w.last().status != http.StatusForbidden {
		t.Error(w.last())
	}
	status, doc := w.document(ownIssuer + "/.well-known/openid-configuration")
	const want = `{"issuer":"` + ownIssuer + `","jwks_uri":"` + ownIssuer + `/.well-known/jwks.json","response_types_supported":["id_token"],"subject_types_supported":["public"],` +
		`"id_token_signing_alg_values_supported":["RS256","ES384"],"claims_supported":["sub","iss","aud","exp","iat","jti","https://sts.amazonaws.com/"]}`
	if status != http.StatusOK || string(doc) != want {
		t.Errorf("%d %s", status, doc)
	}
	status, doc = w.document(ownIssuer + "/.well-known/jwks.json")
	var set struct{ Keys []map[string]string }
	must(t, json.Unmarshal(doc, &set))
	if status != http.StatusOK || len(set.Keys) != 2 || set.Keys[0]["kid"] != "RSA_0" || set.Keys[0]["alg"] != "RS256" || set.Keys[1]["kid"] != "EC384_0" || set.Keys[1]["crv"] != "P-384" {
		t.Errorf("%d %s", status, doc)
	}
}

func TestDocumentsAreFoundByHostOrPathAndForKnownAccountsOnly(t *testing.T) {
	t.Parallel()
	w, _ := newVendor(t, true)
	d := w.discovery()
	d.Endpoint = func(r *http.Request, guid string) string { return "https://" + r.Host + "/account-tokens/" + guid }
	for name, c := range map[string]struct {
		method, url string
		status      int
	}{
		"by host":             {http.MethodGet, ownIssuer + "/.well-known/openid-configuration", 200},
		"by host with a port": {http.MethodGet, "https://" + guid + ".tokens.sts.global.api.aws:443/.well-known/jwks.json", 200},
		"by path":             {http.MethodGet, "https://hub.example/" + guid + "/.well-known/openid-configuration", 200},
		"only the head":       {http.MethodHead, ownIssuer + "/.well-known/jwks.json", 200},
		"posted":              {http.MethodPost, ownIssuer + "/.well-known/jwks.json", 405},
		"another account's":   {http.MethodGet, "https://ffffffff-0a1b-4c3d-8a1b-0a1b2c3d4e5f.tokens.sts.global.api.aws/.well-known/jwks.json", 404},
		"no GUID":             {http.MethodGet, "https://x.tokens.sts.global.api.aws/.well-known/jwks.json", 404},
		"an empty GUID":       {http.MethodGet, "https://.tokens.sts.global.api.aws/.well-known/jwks.json", 404},
		"another path":        {http.MethodGet, ownIssuer + "/keys", 404},
		"a path that climbs":  {http.MethodGet, "https://hub.example/../" + guid + "/.well-known/jwks.json", 404},
		"nothing":             {http.MethodGet, "https://hub.example/", 404},
	} {
		out := httptest.NewRecorder()
		d.ServeHTTP(out, httptest.NewRequest(c.method, c.url, nil))
		if out.Code != c.status || c.method == http.MethodHead && out.Body.Len() > 0 {
			t.Errorf("%s: %d %s", name, out.Code, out.Body)
		}
	}
	out := httptest.NewRecorder()
	d.ServeHTTP(out, httptest.NewRequest(http.MethodGet, "https://hub.example/"+guid+"/.well-known/openid-configuration", nil))
	if want := `"jwks_uri":"https://hub.example/account-tokens/` + guid + `/.well-known/jwks.json"`; !strings.Contains(out.Body.String(), want) {
		t.Error(out.Body)
	}
}

func TestSTSDoesNotTakeItsOwnTokensBack(t *testing.T) {
	t.Parallel()
	w, key := newVendor(t, true)
	own := "arn:aws:iam::123456789012:oidc-provider/" + strings.TrimPrefix(ownIssuer, "https://")
	w.register(own, exchangeAt)
	role := w.role("Circle", strings.ReplaceAll(federatedTrust(`"StringLike":{"aws:userid":"*"}`), provider, own))
	out, err := w.vend(key)
	must(t, err)
	_, err = w.with(role.ARN, *out.WebIdentityToken)
	refused(t, err, "InvalidIdentityToken", "")
}

func TestTokensVerifyAcrossARotation(t *testing.T) {
	t.Parallel()
	w, key := newVendor(t, true)
	before, err := w.vend(key)
	must(t, err)
	w.pass(time.Second)
	_, err = w.keys.RotateNow(t.Context(), sts.RSARings+"/"+account)
	must(t, err)
	w.pass(time.Second)
	after, err := w.vend(key)
	must(t, err)
	if header, _ := w.verified(*before.WebIdentityToken); header["kid"] != "RSA_0" {
		t.Errorf("%v", header)
	}
	if header, _ := w.verified(*after.WebIdentityToken); header["kid"] != "RSA_1" {
		t.Errorf("%v", header)
	}
}
