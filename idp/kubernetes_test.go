package idp_test

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/idp"
)

const clusterURL = "https://kubernetes.default.svc.cluster.local"

// cluster is an issuer with service accounts prod/app and default/app, and two users.
func cluster() directory.Issuer {
	w := &world{}
	hash := func(secret string) []directory.ClientSecret {
		sealer, _ := credential.NewSealer(make([]byte, credential.MasterKeySize), nil)
		return []directory.ClientSecret{{Hash: sealer.Hash(credential.Secret(secret))}}
	}
	return directory.Issuer{Name: "cluster", URL: clusterURL, Preset: "kubernetes", Clients: []directory.IssuerClient{
		w.client("system:serviceaccount:prod:app", func(c *directory.IssuerClient) {
			c.Attributes = map[string]any{"uid": "0a1b2c3d-0000-4000-8000-000000000001"}
		}),
		{ID: "app"},
		{ID: "admin", Secrets: hash("admin"), Attributes: map[string]any{"user": "kubernetes-admin", "token_requests": []any{"*"}}},
		{ID: "kubelet", Secrets: hash("kubelet"), Attributes: map[string]any{"user": "system:node:n1", "token_requests": []any{"prod/*"}}},
	}}
}

func accountPath(namespace, name string) string {
	return clusterURL + "/api/v1/namespaces/" + namespace + "/serviceaccounts/" + name + "/token"
}

func TestAClusterGivesTokensOfServiceAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, cluster())
	rec := w.do(bearing("POST", accountPath("prod", "app"), secret,
		`{"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","metadata":{"creationTimestamp":null},"spec":{"audiences":["api://AzureADTokenExchange"],"expirationSeconds":7200,"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"web-0","uid":"u-1"}},"status":{"token":"","expirationTimestamp":null}}`))
	if rec.Code != http.StatusCreated || rec.Header().Get("Content-Type") != "application/json" {
		t.Fatal(rec.Code, rec.Body)
	}
	out := asObject(t, rec.Body.Bytes())
	raw := out["status"].(map[string]any)["token"].(string)
	same(t, "answer", out, fmt.Sprintf(`{"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","metadata":{"name":"app","namespace":"prod","creationTimestamp":"2026-11-21T12:30:00Z"},
		"spec":{"audiences":["api://AzureADTokenExchange"],"expirationSeconds":7200,"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"web-0","uid":"u-1"}},
		"status":{"token":%q,"expirationTimestamp":"2026-11-21T14:30:00Z"}}`, raw))
	header, claims := w.verified(raw, clusterURL)
	same(t, "header", header, `{"alg":"RS256"}`, "kid")
	same(t, "claims", claims, `{"iss":"https://kubernetes.default.svc.cluster.local","sub":"system:serviceaccount:prod:app","aud":["api://AzureADTokenExchange"],
		"iat":1795264200,"nbf":1795264200,"exp":1795271400,
		"kubernetes.io":{"namespace":"prod","serviceaccount":{"name":"app","uid":"0a1b2c3d-0000-4000-8000-000000000001"},"pod":{"name":"web-0","uid":"u-1"}}}`, "jti")
	if e, about := w.journal.last(t); e.Operation != "token kubernetes" || e.Caller != "system:serviceaccount:prod:app" || !about.Client.OK() {
		t.Errorf("%+v %+v", e, about)
	}
}

// message writes a protocol buffer: pairs of a field's number and a text, a number or a message.
func message(pairs ...any) (out []byte) {
	for n := 0; n+1 < len(pairs); n += 2 {
		field := uint64(pairs[n].(int)) << 3
		switch v := pairs[n+1].(type) {
		case int:
			out = binary.AppendUvarint(binary.AppendUvarint(out, field), uint64(v))
		case string:
			out = append(binary.AppendUvarint(binary.AppendUvarint(out, field|2), uint64(len(v))), v...)
		case []byte:
			out = append(binary.AppendUvarint(binary.AppendUvarint(out, field|2), uint64(len(v))), v...)
		}
	}
	return out
}

// unknown is a TokenRequest as kubectl sends it.
func unknown(spec []byte) string {
	return "k8s\x00" + string(message(1, message(1, "authentication.k8s.io/v1", 2, "TokenRequest"), 2, message(1, message(1, "app", 3, "prod"), 2, spec, 3, message(1, "")), 3, "", 4, ""))
}

func TestKubectlSpeaksProtocolBuffers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, cluster())
	ask := func(body string) (int, map[string]any) {
		r := bearing("POST", accountPath("prod", "app"), secret, body)
		r.Header.Set("Content-Type", "application/vnd.kubernetes.protobuf")
		r.Header.Set("Accept", "application/vnd.kubernetes.protobuf,application/json")
		rec := w.do(r)
		return rec.Code, asObject(t, rec.Body.Bytes())
	}
	code, out := ask(unknown(message(1, "a", 1, "b", 4, 1200, 3, message(1, "Pod", 2, "v1", 3, "web-0", 4, "u"))))
	if code != http.StatusCreated {
		t.Fatal(code, out)
	}
	same(t, "spec", out["spec"].(map[string]any), `{"audiences":["a","b"],"expirationSeconds":1200,"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"web-0","uid":"u"}}`)
	code, out = ask(unknown(nil))
	if code != http.StatusCreated || out["spec"].(map[string]any)["expirationSeconds"] != 3600.0 {
		t.Error(code, out)
	}
	whole := unknown(message(1, "a", 4, 1200))
	for name, body := range map[string]string{
		"nothing": "", "no magic": whole[4:], "cut short": whole[:len(whole)-9], "a group": "k8s\x00\x0b\x0c", "field 0": "k8s\x00\x02\x00", "an endless number": "k8s\x00" + strings.Repeat("\xff", 20),
		"a length beyond the end": "k8s\x00\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "no UTF-8": unknown(message(1, "\xff")), "another kind": "k8s\x00" + string(message(1, message(2, "TokenReview"))),
	} {
		if code, out := ask(body); code != http.StatusBadRequest || out["reason"] != "BadRequest" {
			t.Errorf("%s: %d %v", name, code, out)
		}
	}
	if code, out := ask(unknown(message(4, 60))); code != http.StatusUnprocessableEntity {
		t.Error(code, out)
	}
}

func TestATokenRequestMayBeEmpty(t *testing.T) {
	t.Parallel()
	w := newWorld(t, cluster())
	for _, body := range []string{"", "{}", `{"spec":{}}`, `{"spec":{"audiences":null,"expirationSeconds":null,"boundObjectRef":null}}`} {
		rec := w.do(bearing("POST", accountPath("default", "app"), "admin", body))
		out := asObject(t, rec.Body.Bytes())
		if rec.Code != http.StatusCreated {
			t.Fatal(rec.Code, rec.Body)
		}
		same(t, "spec", out["spec"].(map[string]any), `{"audiences":["`+clusterURL+`"],"expirationSeconds":3600,"boundObjectRef":null}`)
		_, claims := w.verified(out["status"].(map[string]any)["token"].(string), clusterURL)
		if !cmp.Equal(claims.Texts("aud"), []string{clusterURL}) || claims.Text("sub") != "system:serviceaccount:default:app" {
			t.Error(claims)
		}
	}
	if e, _ := w.journal.last(t); e.Caller != "admin" {
		t.Errorf("on record is %s, who asked is admin", e.Caller)
	}
}

func TestATokenThatIsToLiveLongIsShortened(t *testing.T) {
	t.Parallel()
	w := newWorld(t, cluster())
	rec := w.do(bearing("POST", accountPath("prod", "app"), secret, `{"spec":{"expirationSeconds":315360000}}`))
	out := asObject(t, rec.Body.Bytes())
	if rec.Code != http.StatusCreated || rec.Header().Get("Warning") != `299 - "requested expiration of 315360000 seconds shortened to 86400 seconds"` ||
		out["spec"].(map[string]any)["expirationSeconds"] != float64(86400) {
		t.Error(rec.Code, rec.Header(), rec.Body)
	}
}

func TestAClusterRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, cluster())
	w.advance(30 * time.Minute)
	const failure = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",`
	forbidden := func(user, ns, name string) string {
		return failure + fmt.Sprintf(`"message":"serviceaccounts \"%s\" is forbidden: User \"%s\" cannot create resource \"serviceaccounts/token\" in API group \"\" in the namespace \"%s\"","reason":"Forbidden","details":{"name":"%s","kind":"serviceaccounts"},"code":403}`, name, user, ns, name)
	}
	invalid := func(v int, why string) string {
		return failure + fmt.Sprintf(`"message":"TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: %d: %s","reason":"Invalid","details":{"group":"authentication.k8s.io","kind":"TokenRequest","causes":[{"reason":"FieldValueInvalid","message":"Invalid value: %d: %s","field":"spec.expirationSeconds"}]},"code":422}`, v, why, v, why)
	}
	bad := func(message string) string {
		return failure + `"message":"` + message + `","reason":"BadRequest","code":400}`
	}
	unauthorized := failure + `"message":"Unauthorized","reason":"Unauthorized","code":401}`
	missing := failure + `"message":"the server could not find the requested resource","reason":"NotFound","details":{},"code":404}`
	typed := func(media string) *http.Request {
		r := bearing("POST", accountPath("prod", "app"), secret, "{}")
		r.Header.Set("Content-Type", media)
		return r
	}
	basicAuth := bearing("POST", accountPath("prod", "app"), "", "{}")
	basicAuth.SetBasicAuth("app", secret)
	for name, c := range map[string]struct {
		r    *http.Request
		want string
	}{
		"nobody":                   {bearing("POST", accountPath("prod", "app"), "", "{}"), forbidden("system:anonymous", "prod", "app")},
		"another secret":           {bearing("POST", accountPath("prod", "app"), "wrong", "{}"), unauthorized},
		"an old secret":            {bearing("POST", accountPath("prod", "app"), "old", "{}"), unauthorized},
		"Basic":                    {basicAuth, unauthorized},
		"another account":          {bearing("POST", accountPath("default", "app"), secret, "{}"), forbidden("system:serviceaccount:prod:app", "default", "app")},
		"another namespace":        {bearing("POST", accountPath("default", "app"), "kubelet", "{}"), forbidden("system:node:n1", "default", "app")},
		"an account that is not":   {bearing("POST", accountPath("prod", "none"), "admin", "{}"), failure + `"message":"serviceaccounts \"none\" not found","reason":"NotFound","details":{"name":"none","kind":"serviceaccounts"},"code":404}`},
		"a user is no account":     {bearing("POST", accountPath("default", "admin"), "admin", "{}"), failure + `"message":"serviceaccounts \"admin\" not found","reason":"NotFound","details":{"name":"admin","kind":"serviceaccounts"},"code":404}`},
		"too short":                {bearing("POST", accountPath("prod", "app"), secret, `{"spec":{"expirationSeconds":599}}`), invalid(599, "may not specify a duration less than 10 minutes")},
		"too long":                 {bearing("POST", accountPath("prod", "app"), secret, `{"spec":{"expirationSeconds":4294967297}}`), invalid(4294967297, "may not specify a duration larger than 2^32 seconds")},
		"another object":           {bearing("POST", accountPath("prod", "app"), secret, `{"spec":{"boundObjectRef":{"kind":"Deployment","apiVersion":"apps/v1","name":"x"}}}`), bad("cannot bind token to object of type apps/v1, Kind=Deployment")},
		"a config map":             {bearing("POST", accountPath("prod", "app"), secret, `{"spec":{"boundObjectRef":{"kind":"ConfigMap","apiVersion":"v1","name":"x"}}}`), bad("cannot bind token to object of type /v1, Kind=ConfigMap")},
		"another name":             {bearing("POST", accountPath("prod", "app"), secret, `{"metadata":{"name":"x"}}`), ""},
		"another kind":             {bearing("POST", accountPath("prod", "app"), secret, `{"kind":"TokenReview"}`), ""},
		"no JSON":                  {bearing("POST", accountPath("prod", "app"), secret, `{`), ""},
		"a member twice":           {bearing("POST", accountPath("prod", "app"), secret, `{"spec":{},"spec":{}}`), ""},
		"an empty audience":        {bearing("POST", accountPath("prod", "app"), secret, `{"spec":{"audiences":[""]}}`), ""},
		"too many audiences":       {bearing("POST", accountPath("prod", "app"), secret, `{"spec":{"audiences":["a"`+strings.Repeat(`,"a"`, 50)+`]}}`), ""},
		"YAML":                     {typed("application/yaml"), failure + `"message":"the body of the request was in an unknown format - accepted media types include: application/json, application/vnd.kubernetes.protobuf","reason":"UnsupportedMediaType","code":415}`},
		"no protocol buffer":       {typed("application/vnd.kubernetes.protobuf"), bad("TokenRequest in version \\\"v1\\\" cannot be handled as a TokenRequest: the body is not a protocol buffer of Kubernetes")},
		"another method":           {bearing("GET", accountPath("prod", "app"), secret, ""), failure + `"message":"the server does not allow this method on the requested resource","reason":"MethodNotAllowed","details":{},"code":405}`},
		"another resource":         {bearing("GET", clusterURL+"/api/v1/namespaces/prod/pods", secret, ""), missing},
		"another API":              {bearing("GET", clusterURL+"/apis/apps/v1", secret, ""), missing},
		"no token endpoint either": {bearing("POST", clusterURL+"/api", secret, ""), missing},
	} {
		rec := w.do(c.r)
		got := asObject(t, rec.Body.Bytes())
		if code, _ := got["code"].(float64); int(code) != rec.Code || got["kind"] != "Status" || rec.Code < 400 {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if c.want != "" {
			same(t, name, got, c.want)
		} else if rec.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if strings.Contains(name, "too short") {
			if e, _ := w.journal.last(t); e.Outcome != audit.Refused {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
}

func TestAClusterPublishesAsKubernetesDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, cluster())
	rec := w.do(httptest.NewRequest(http.MethodGet, clusterURL+"/.well-known/openid-configuration", nil))
	same(t, "discovery", asObject(t, rec.Body.Bytes()), `{"issuer":"https://kubernetes.default.svc.cluster.local","jwks_uri":"https://kubernetes.default.svc.cluster.local/openid/v1/jwks",
		"response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["RS256"]}`)
	if rec.Header().Get("Content-Type") != "application/json" {
		t.Error(rec.Header())
	}
	rec = w.do(httptest.NewRequest(http.MethodGet, clusterURL+"/openid/v1/jwks", nil))
	key := asObject(t, rec.Body.Bytes())["keys"].([]any)[0].(map[string]any)
	same(t, "key", key, `{"use":"sig","kty":"RSA","alg":"RS256","e":"AQAB"}`, "kid", "n")
	if rec.Header().Get("Content-Type") != "application/jwk-set+json" {
		t.Error(rec.Header())
	}
}

func TestServiceAccountsAreMinted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, cluster())
	for name, c := range map[string]struct {
		m        idp.Mint
		sub, why string
	}{
		"an account by its id":     {idp.Mint{Client: "app"}, "system:serviceaccount:default:app", ""},
		"an account by parameters": {idp.Mint{Parameters: map[string]any{"namespace": "x", "serviceaccount": "y"}}, "system:serviceaccount:x:y", ""},
		"no account":               {idp.Mint{}, "", `there is no "namespace" to read`},
		"a user":                   {idp.Mint{Client: "admin"}, "", `there is no "namespace" to read`},
	} {
		m, err := w.Mint(t.Context(), "cluster", c.m)
		if m.Claims.Text("sub") != c.sub || (err == nil) != (c.why == "") || err != nil && !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, %v", name, m.Claims, err)
		}
		if err == nil && m.Claims["kubernetes.io"].(map[string]any)["serviceaccount"].(map[string]any)["uid"] == "" {
			t.Errorf("%s has no uid", name)
		}
	}
}

func FuzzTokenRequest(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"spec":{"audiences":["a"],"expirationSeconds":600}}`, `{"spec":{"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"p"}}}`,
		`{"spec":{"expirationSeconds":1e3}}`, `{"spec":{"expirationSeconds":-9223372036854775808}}`, `{"metadata":{"name":"app"}}`, `[]`, `{"spec":{"audiences":[null]}}`} {
		f.Add([]byte(s), false)
	}
	f.Add([]byte(unknown(message(1, "a", 4, 1200, 3, message(1, "Pod", 2, "v1", 3, "p")))), true)
	w := newWorld(f, cluster())
	f.Fuzz(func(t *testing.T, body []byte, protobuf bool) {
		r := bearing("POST", accountPath("prod", "app"), secret, string(body))
		if protobuf {
			r.Header.Set("Content-Type", "application/vnd.kubernetes.protobuf")
		}
		rec := w.do(r)
		out := asObject(t, rec.Body.Bytes())
		switch {
		case rec.Code == http.StatusCreated && out["kind"] == "TokenRequest":
		case rec.Code >= 400 && rec.Code < 500 && out["kind"] == "Status" && out["code"] == float64(rec.Code):
		default:
			t.Errorf("%q: %d %s", body, rec.Code, rec.Body)
		}
	})
}
