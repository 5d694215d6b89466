package evidence_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/evidence"
)

func TestDifferencesAreNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want, got string
		diff      evidence.Diff
		text      string
	}{
		"equal":                   {"abc", "abc", evidence.Diff{Kind: evidence.Same, Offset: 3}, "no difference"},
		"case":                    {"repo:Contoso/x", "repo:contoso/x", evidence.Diff{Kind: evidence.Case, Offset: 5, Want: "C", Got: "c"}, "only upper and lower case"},
		"a slash too many":        {"https://a", "https://a/", evidence.Diff{Kind: evidence.TrailingSlash, Offset: 9, Got: "/"}, "wanted the end, got \"/\""},
		"a slash too few":         {"https://a/", "https://a", evidence.Diff{Kind: evidence.TrailingSlash, Offset: 9, Want: "/"}, "only the slash"},
		"a space in front":        {" a", "a", evidence.Diff{Kind: evidence.WhiteSpace, Offset: 0, Want: " ", Got: "a"}, "white space"},
		"a line break at the end": {"a", "a\n", evidence.Diff{Kind: evidence.WhiteSpace, Offset: 1, Got: "\n"}, `"\n"`},
		"an invisible character":  {"ab", "a\u200bb", evidence.Diff{Kind: evidence.WhiteSpace, Offset: 1, Want: "b", Got: "\u200b"}, "U+200B"},
		"percent-encoding":        {"us-east-1:x", "us-east-1%3Ax", evidence.Diff{Kind: evidence.URLEncoding, Offset: 9, Want: ":", Got: "%"}, "percent-decoding"},
		"no scheme":               {"https://a.example", "a.example", evidence.Diff{Kind: evidence.Scheme, Offset: 0, Want: "h", Got: "a"}, "scheme"},
		"another scheme":          {"https://a.example", "http://a.example", evidence.Diff{Kind: evidence.Scheme, Offset: 4, Want: "s", Got: ":"}, "scheme"},
		"a Cyrillic letter":       {"contoso", "c\u043entoso", evidence.Diff{Kind: evidence.LookAlike, Offset: 1, Want: "o", Got: "\u043e"}, "U+043E"},
		"a long dash":             {"us-east-1", "us\u2013east-1", evidence.Diff{Kind: evidence.LookAlike, Offset: 2, Want: "-", Got: "\u2013"}, "look alike"},
		"full width":              {"abc", "\uff41bc", evidence.Diff{Kind: evidence.LookAlike, Offset: 0, Want: "a", Got: "\uff41"}, "look alike"},
		"zero and O":              {"pool-0", "pool-O", evidence.Diff{Kind: evidence.LookAlike, Offset: 5, Want: "0", Got: "O"}, "look alike"},
		"one and l":               {"a1", "al", evidence.Diff{Kind: evidence.LookAlike, Offset: 1, Want: "1", Got: "l"}, "look alike"},
		"another value":           {"alpha", "alps", evidence.Diff{Kind: evidence.Other, Offset: 3, Want: "h", Got: "s"}, "byte 4"},
		"half a character":        {"\u00e9", "\u00e8", evidence.Diff{Kind: evidence.Other, Offset: 0, Want: "\u00e9", Got: "\u00e8"}, "U+00E9"},
		"endless":                 {strings.Repeat("a", 5000), strings.Repeat("A", 5000), evidence.Diff{Kind: evidence.Other, Want: "a", Got: "A"}, "byte 1"},
	} {
		d := evidence.Difference(c.want, c.got)
		if d != c.diff || d.Equal() != (c.want == c.got) {
			t.Errorf("%s: %+v, want %+v", name, d, c.diff)
		}
		if !strings.Contains(d.String(), c.text) {
			t.Errorf("%s: %q, want …%s…", name, d, c.text)
		}
	}
}

func TestValuesAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 1000)
	if got := evidence.Clip(long); len(got) > evidence.MaxValue+20 || !utf8.ValidString(got) || !strings.HasSuffix(got, "… (2000 bytes)") {
		t.Errorf("%q", got)
	}
	for name, c := range map[string]struct {
		v    any
		want []string
	}{
		"null":      {nil, []string{"null"}},
		"a string":  {"x", []string{"x"}},
		"a number":  {json.Number("5"), []string{"5"}},
		"an array":  {[]any{"a", json.Number("1"), nil, []any{"b"}}, []string{"a", "1", "null", `["b"]`}},
		"strings":   {[]string{"a", "b"}, []string{"a", "b"}},
		"an object": {map[string]any{"b": true, "a": "x"}, []string{`{"a":"x","b":true}`}},
	} {
		if got := evidence.Values(c.v); !cmp.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := evidence.Values(make([]any, 1000)); len(got) != evidence.MaxValues {
		t.Errorf("%d values", len(got))
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	ok, bad := evidence.Check{Name: "a", OK: true}, evidence.Check{Name: "b", Skipped: true}
	cs := evidence.Checks{ok, bad}
	if cs.OK() || !cs[:1].OK() || !(evidence.Checks{}).OK() {
		t.Error("OK")
	}
	if c, found := cs.First(); !found || c.Name != "b" {
		t.Error("First")
	}
	if _, found := cs[:1].First(); found {
		t.Error("First of what passed")
	}
	if c, found := cs.Named("a"); !found || !c.OK {
		t.Error("Named")
	}
	if _, found := cs.Named("c"); found {
		t.Error("Named of nothing")
	}
	c := evidence.Compare("issuer", "iss", "https://a", "https://a/")
	if c.OK || c.Note == "" || !cmp.Equal(c.Got, []string{"https://a/"}) {
		t.Errorf("%+v", c)
	}
	if c = evidence.Compare("issuer", "iss", "x", "x"); !c.OK || c.Note != "" {
		t.Errorf("%+v", c)
	}
	if c = evidence.Compare("issuer", "iss", "x", nil); c.OK || c.Got != nil || c.Note == "" {
		t.Errorf("%+v", c)
	}
}

func FuzzDifference(f *testing.F) {
	f.Add("https://a/", "https://A")
	f.Add("é", "\xc3")
	f.Fuzz(func(t *testing.T, want, got string) {
		d := evidence.Difference(want, got)
		if d.Equal() != (want == got) {
			t.Fatalf("%q, %q: %+v", want, got, d)
		}
		if d.Offset > min(len(want), len(got)) || want[:d.Offset] != got[:d.Offset] {
			t.Fatalf("%q, %q: offset %d", want, got, d.Offset)
		}
		if want != got && d.Want == d.Got {
			t.Fatalf("%q, %q: no difference at %d", want, got, d.Offset)
		}
	})
}
