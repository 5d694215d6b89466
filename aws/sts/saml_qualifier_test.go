package sts

import "testing"

// The digest of what AWS documents, computed elsewhere; a provider of Identity Center's has such a name.
func TestNameQualifiers(t *testing.T) {
	t.Parallel()
	for _, c := range [][4]string{
		{"https://example.com/saml", "123456789012", "MySAMLIdP", "1uAJanUnBc2XeUkHURMht+xam2c="},
		{"https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/", "111122223333", "AWSSSO_0123456789abcdef_DO_NOT_DELETE", "5d+B1DaWcONFGH9z/I+Jb8SghJ4="},
	} {
		if got := nameQualifier(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("%v: %s", c, got)
		}
	}
}
