package token

import (
	"testing"
)

func TestFixedKeysComeFromAJWKSet(t *testing.T) {
	t.Parallel()
	keys, err := ParseFixed([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},{"kty":"oct","k":"AA"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := keys.PublicKeys(t.Context(), "https://anybody.example", "")
	if err != nil || len(got) != 1 || got[0].ID != "a" {
		t.Errorf("%v %v, want the one asymmetric key", got, err)
	}
	if _, err := ParseFixed([]byte(`[]`)); err == nil {
		t.Error("an array is no JWK Set")
	}
}
