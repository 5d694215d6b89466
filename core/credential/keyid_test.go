package credential

import (
	"bytes"
	"strings"
	"testing"
)

func TestTheAccountOfAnAccessKey(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"ASIAQNZGKIQY56JQ7WML":  "029608264753", // a published pair of id and account
		"ASIAQAAAAAAAGMKEM7X5":  "000000000000",
		"AKIARZPUZDIKGB2VALC4":  "123456789012",
		"AKIAIOSFODNN7EXAMPLE":  "581039954779",
		"AKIARZPUZDIKGB2VALC":   "", // too short
		"AKIARZPUZDIKGB2VALC44": "",
		"AKIARZPUZDIKGB2VAL0!":  "", // not base32
		"AKIA7777777777777777":  "", // thirteen digits
		"":                      "",
	} {
		got, ok := AccountOf(id)
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", id, got, ok, want)
		}
	}
}

func TestAccessKeysCarryTheirAccount(t *testing.T) {
	t.Parallel()
	for _, account := range []string{"000000000000", "123456789012", "999999999999"} {
		for _, chance := range []byte{0x00, 0x5a, 0xff} {
			id, err := NewAccessKeyID(account, bytes.NewReader(bytes.Repeat([]byte{chance}, 10)))
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := AccountOf(id); got != account || !ok || len(id) != 20 || !strings.HasPrefix(id, "AKIA") {
				t.Errorf("%s, chance %x: %s carries %q", account, chance, id, got)
			}
		}
	}
	for _, account := range []string{"", "12345678901", "1234567890123", "12345678901a", "-12345678901"} {
		if id, err := NewAccessKeyID(account, &counting{}); err == nil {
			t.Errorf("account %q gives %s", account, id)
		}
	}
	if _, err := NewAccessKeyID("123456789012", strings.NewReader("short")); err == nil {
		t.Error("no chance, yet an id")
	}
}

func TestSecretAccessKeys(t *testing.T) {
	t.Parallel()
	source := &counting{}
	a, err := NewSecretAccessKey(source)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := NewSecretAccessKey(source)
	if len(a) != 40 || len(b) != 40 || a.Equal(b) {
		t.Errorf("secrets %d and %d characters long, equal: %v", len(a), len(b), a.Equal(b))
	}
	if _, err := NewSecretAccessKey(strings.NewReader("short")); err == nil {
		t.Error("no chance, yet a secret")
	}
}

// counting is a source of bytes that are never the same.
type counting struct{ n byte }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		c.n++
		p[i] = c.n
	}
	return len(p), nil
}
