package token_test

import (
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/token"
)

func base64url(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }

func TestClaimsAreRead(t *testing.T) {
	t.Parallel()
	c := token.Claims{"s": "x", "list": []any{"a", 1, "b"}, "strings": []string{"c"}, "n": json.Number("5"), "null": nil}
	if c.Text("s") != "x" || c.Text("n") != "" || c.Text("none") != "" {
		t.Error("Text")
	}
	for name, want := range map[string][]string{"s": {"x"}, "list": {"a", "b"}, "strings": {"c"}, "n": nil, "none": nil} {
		if got := c.Texts(name); !cmp.Equal(got, want) {
			t.Errorf("Texts(%s) = %q", name, got)
		}
	}
	if !c.Has("null") || c.Has("none") {
		t.Error("Has")
	}
	for name, v := range map[string]any{"int": 1700000000, "int64": int64(1700000000), "float": 1.7e9, "number": json.Number("1700000000"), "exponent": json.Number("1.7e9"), "string": "1700000000"} {
		if got, ok := (token.Claims{"t": v}).Time("t"); !ok || !got.Equal(time.Unix(1700000000, 0)) {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
	for name, v := range map[string]any{"nothing": nil, "hexadecimal": "0x10", "signed": "-5", "infinite": "inf", "text": "soon", "empty": "", "a bool": true, "beyond": json.Number("1e300"), "no number": json.Number("x")} {
		if got, ok := (token.Claims{"t": v}).Time("t"); ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}
