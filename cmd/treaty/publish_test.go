package main

import (
	"path/filepath"
	"testing"
)

func TestWhatIsPublishedStaysInItsFolder(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"a.example": filepath.Join("site", "a.example"), "a.example:8443": filepath.Join("site", "a.example_8443"), "[::1]:80": filepath.Join("site", "[__1]_80"),
		"..": "", "": "",
	} {
		if got, err := siteRoot("site", host, true); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", host, got, err)
		}
	}
	if got, err := siteRoot("site", "..", false); got != "site" || err != nil {
		t.Errorf("the only host: %q, %v", got, err)
	}
}
