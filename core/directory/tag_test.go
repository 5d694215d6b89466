package directory_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/treatyfed/treaty/core/directory"
)

func FuzzTagsHaveTheFormOfTheServiceModel(f *testing.F) {
	class := regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	for _, s := range []string{"", "team", "a b", "ü\u2003٣", "a\nb", "a,b", "x=y+z-@", "\xff", strings.Repeat("é", 128), strings.Repeat("é", 129), strings.Repeat("é", 256), strings.Repeat("é", 257)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := utf8.RuneCountInString(s)
		ok := utf8.ValidString(s) && class.MatchString(s)
		if got, want := directory.ValidTagKey(s), ok && n >= 1 && n <= 128; got != want {
			t.Errorf("key %q: %v", s, got)
		}
		if got, want := directory.ValidTagValue(s), ok && n <= 256; got != want {
			t.Errorf("value %q: %v", s, got)
		}
	})
}
