package clients

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
)

// flip changes one bit of a token's signature.
func flip(t *testing.T, token string) string {
	t.Helper()
	at := strings.LastIndex(token, ".") + 1
	signature, err := base64.RawURLEncoding.DecodeString(token[at:])
	if err != nil {
		t.Fatal(err)
	}
	signature[len(signature)/2] ^= 1
	return token[:at] + base64.RawURLEncoding.EncodeToString(signature)
}

// coreos/go-oidc knows nothing of an issuer but its URL, and verifies what it signs, whatever product it imitates;
// also while its keys change.
func TestEveryOutsideIssuerIsVerifiedFromItsDiscovery(t *testing.T) {
	t.Parallel()
	tw := withOutsides(t)
	client := through(t, tw)
	for _, o := range outsides {
		t.Run(o.preset, func(t *testing.T) {
			t.Parallel()
			ctx, p := discovered(t, client, o.url)
			v := p.VerifierContext(ctx, &oidc.Config{ClientID: "api://verifier"})
			before := mint(t, tw, o.name, o.client, "api://verifier")
			token, err := v.Verify(ctx, before)
			if err != nil {
				t.Fatal(err)
			}
			if token.Subject != o.subject || token.Issuer != o.url || len(token.Audience) != 1 {
				t.Errorf("subject %q, issuer %q, audience %q; want %q of %q", token.Subject, token.Issuer, token.Audience, o.subject, o.url)
			}
			for what, raw := range map[string]string{
				"failed to verify signature":                               flip(t, before),
				`expected audience "api://verifier" got ["api://another"]`: mint(t, tw, o.name, o.client, "api://another"),
			} {
				if _, err := v.Verify(ctx, raw); err == nil || !strings.Contains(err.Error(), what) {
					t.Errorf("%v, want %q", err, what)
				}
			}

			made := order[object](t, tw, "issuer", "rotate", o.name)
			after := mint(t, tw, o.name, o.client, "api://verifier")
			old, _ := decode(t, before)
			fresh, _ := decode(t, after)
			kids, _ := made["kid"].(object)
			if fresh["kid"] == old["kid"] || !holds(kids, fresh["kid"]) {
				t.Errorf("after a rotation that made %v the kid is %v, before it was %v", made, fresh["kid"], old["kid"])
			}
			_, again := discovered(t, client, o.url)
			late := again.VerifierContext(ctx, &oidc.Config{ClientID: "api://verifier"})
			for who, v := range map[string]*oidc.IDTokenVerifier{"who has the keys of before": v, "who comes after the rotation": late} {
				for when, raw := range map[string]string{"old": before, "new": after} {
					if _, err := v.Verify(ctx, raw); err != nil {
						t.Errorf("%s does not verify the %s token: %v", who, when, err)
					}
				}
			}
			if _, err := v.Verify(ctx, flip(t, after)); err == nil || !strings.Contains(err.Error(), "failed to verify signature") {
				t.Errorf("a flipped bit in the new token: %v", err)
			}
		})
	}
}

func holds(m object, want any) bool {
	for _, v := range m {
		if v == want {
			return true
		}
	}
	return false
}
