package server

import "testing"

func TestSecretTextIsNoOption(t *testing.T) {
	t.Parallel()
	for first, want := range map[byte]string{0xf8: "_AAA", 0xfb: "_wAA", 0xfc: "_AAA", 0: "AAAA"} { // 0xf8-0xfb: a hyphen
		got := secretText([30]byte{first})
		if len(got) != 40 || got[:4] != want {
			t.Errorf("%#x: %s, want 40 characters that begin with %s", first, got, want)
		}
	}
}
