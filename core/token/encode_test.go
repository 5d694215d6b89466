package token

import (
	"bytes"
	"encoding/json"
	"testing"
)

// stdlib is what encoding/json writes.
func stdlib(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func TestClaimsAreWrittenAsEncodingJSONWouldWriteThem(t *testing.T) {
	t.Parallel()
	for _, c := range []Claims{
		{}, nil,
		{"b": "2", "a": int64(-1), "c": []string{"x", `"`, "<&>"}, "d": []string{}, "e": []string(nil), "f": nil, "g": true, "h": 1.5, "i": 7},
		{"https://aws.amazon.com/tags": map[string]any{"principal_tags": map[string][]string{"k": {"v"}}}},
		{"é\x00\u2028": "ünï\tcode\x7f \xff 日本", `\`: `"\/`},
	} {
		got, err := appendClaims([]byte("before"), c)
		if err != nil {
			t.Fatal(err)
		}
		want := "before" + stdlib(t, map[string]any(c))
		if c == nil {
			want = "before{}"
		}
		if string(got) != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	if _, err := appendClaims(nil, Claims{"f": func() {}}); err == nil {
		t.Error("a function is no claim")
	}
}

func FuzzAppendString(f *testing.F) {
	f.Add("a\"\\\n\x7fé\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := appendString(nil, s)
		if want := stdlib(t, s); err != nil || string(got) != want {
			t.Errorf("%q %v, want %q", got, err, want)
		}
	})
}
