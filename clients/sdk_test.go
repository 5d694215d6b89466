package clients

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// boto3 goes through an identity pool's life: pages, tags, developer and guest identities, and refusals.
func TestBoto3(t *testing.T) {
	need(t, "/usr/lib/python3/dist-packages/boto3")
	out := must[object](t, shared, nil, python, "testdata/boto.py")
	pool := text(out, "pool.IdentityPoolId")
	wants(t, "boto3", out, map[string]any{
		"caller": "arn:aws:iam::123456789012:root", "stable": true, "users": []any{"u1", "u2"}, "logins": []any{"boto.dev"},
		"pool.IdentityPoolTags":               map[string]any{"team": "a"},
		"errors.unknown pool.0":               "ResourceNotFoundException",
		"errors.unknown pool.2":               400,
		"errors.public provider":              []any{"InvalidParameterException", "Please provide a valid public provider", 400},
		"errors.duration.0":                   "ValidationException",
		"errors.duration.1":                   "1 validation error detected: Value '86401' at 'tokenDuration' failed to satisfy constraint: Member must have value less than or equal to 86400",
		"errors.forbidden.0":                  "NotAuthorizedException",
		"pool.AllowUnauthenticatedIdentities": true,
	})
	_, claims := decode(t, text(out, "token"))
	wants(t, "developer token", claims, map[string]any{"iss": cognitoIssuer, "aud": pool,
		"https://cognito-identity.amazonaws.com/identity-pool-arn": nil})
	if arn := claims[cognitoIssuer+"/identity-pool-arn"]; arn != "arn:aws:cognito-identity:us-east-1:123456789012:identitypool/"+pool {
		t.Errorf("identity-pool-arn is %v", arn)
	}
	if life := claims["exp"].(float64) - claims["iat"].(float64); life != 900 {
		t.Errorf("a developer token lives %v s by default, want 900", life)
	}
	_, guest := decode(t, text(out, "guest"))
	wants(t, "guest token", guest, map[string]any{"amr": []any{"unauthenticated"}, "aud": pool})
	if life := guest["exp"].(float64) - guest["iat"].(float64); life != 600 {
		t.Errorf("a guest token lives %v s, want 600", life)
	}
	if pages, _ := out["pages"].([]any); len(pages) < 2 {
		t.Errorf("pages of two: %v", out["pages"])
	}
}

// MSAL for Python gets app-only tokens by secret, certificate and federated token.
func TestMSALPython(t *testing.T) {
	need(t, "/usr/lib/python3/dist-packages/msal")
	w := build(t, "msal-python")
	dir := t.TempDir()
	keyFile, certFile, thumbprint := certificate(t, dir)
	secret := must[object](t, shared, nil, az, "ad", "app", "credential", "reset", "--id", w.app, "--append")
	must[object](t, shared, nil, az, "ad", "app", "credential", "reset", "--id", w.app, "--append", "--cert", "@"+certFile)
	out := must[object](t, shared, []string{"TENANT=" + w.tenant, "APP=" + w.app, "SECRET=" + text(secret, "password"),
		"KEY_FILE=" + keyFile, "THUMBPRINT=" + thumbprint, "ASSERTION=" + w.token}, python, "testdata/msal_client.py")
	for name, acr := range map[string]string{"secret": "1", "certificate": "2", "federated": "2"} {
		if text(out, name+".access_token") == "" {
			t.Errorf("%s: %v", name, out[name])
			continue
		}
		_, claims := decode(t, text(out, name+".access_token"))
		wants(t, name, claims, map[string]any{"appid": w.app, "appidacr": acr, "oid": w.principalID, "roles": nil, "aud": "https://graph.microsoft.com"})
	}
	wants(t, "wrong secret", out, map[string]any{"wrong secret.error": "invalid_client", "wrong secret.error_codes": []any{7000215}})
}

// The JavaScript SDKs of both clouds carry out the exchange.
func TestNode(t *testing.T) {
	need(t, filepath.Join(shared.node, "node_modules", "@azure", "identity"))
	w := build(t, "node")
	out := must[object](t, shared, []string{"POOL=" + w.pool, "TENANT=" + w.tenant, "APP=" + w.app}, "node", filepath.Join(shared.node, "exchange.mjs"))
	wants(t, "node", out, map[string]any{"identity": w.identity, "noPool.name": "ResourceNotFoundException"})
	if said := text(out, "wrongSecret.message"); !strings.Contains(said, "AADSTS7000215") {
		t.Errorf("a wrong secret: %q", said)
	}
	header, claims := decode(t, text(out, "cognito"))
	wants(t, "Cognito header", header, map[string]any{"alg": "RS512", "typ": "JWS"})
	wants(t, "Cognito claims", claims, map[string]any{"sub": w.identity, "aud": w.pool})
	_, claims = decode(t, text(out, "entra"))
	wants(t, "Entra claims", claims, map[string]any{"appid": w.app, "appidacr": "2", "oid": w.principalID, "ver": "1.0"})
}

// certificate writes a self-signed certificate and its key and returns the SHA-1 thumbprint in hex.
func certificate(t *testing.T, dir string) (keyFile, certFile, thumbprint string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "workload"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keyFile, certFile = filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")
	for name, block := range map[string]*pem.Block{keyFile: {Type: "PRIVATE KEY", Bytes: pkcs8}, certFile: {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha1.Sum(der)
	return keyFile, certFile, strings.ToUpper(hex.EncodeToString(sum[:]))
}
