package policy

import (
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// bound is far more than any value of the size that is fuzzed may take.
const bound = 20 * time.Second

func within(t *testing.T, what string, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if d := time.Since(start); d > bound {
		t.Errorf("%.100q took %s", what, d)
	}
}

func FuzzWildcard(f *testing.F) {
	f.Add("a*b", "axxb")
	f.Add("*a*a*a*a*b", strings.Repeat("a", 40))
	f.Add("a?", "a\U00010400")
	f.Add("??", "\U00010400")
	f.Add("", "")
	f.Add("a\xff*", "a\xff")
	f.Fuzz(func(t *testing.T, pattern, value string) {
		if len(pattern) > 4096 || len(value) > 4096 {
			return
		}
		var got bool
		within(t, pattern, func() { got = glob{}.written(pattern).match(value) })
		if len(pattern) <= 12 && len(value) <= 12 && got != wild(spelled(pattern, true, false, nil), value) {
			t.Errorf("%q, %q: %t", pattern, value, got)
		}
		if utf8.ValidString(value) && !(glob{}.literal(value).match(value)) {
			t.Errorf("%q does not match itself", value)
		}
	})
}

func TestWildcardsTakeNoExponentialTime(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{strings.Repeat("*a", 1000) + "b", strings.Repeat("a*", 1000) + "b", strings.Repeat("*?", 1000) + "b", strings.Repeat("*", 2000) + "b", "*" + strings.Repeat("a", 1000) + "b"} {
		within(t, pattern, func() {
			if (glob{}.written(pattern).match(strings.Repeat("a", 10_000))) {
				t.Errorf("%.10s… matched", pattern)
			}
		})
	}
}

func FuzzNumber(f *testing.F) {
	for _, s := range someValues["number"] {
		f.Add(s, "1")
	}
	f.Add("1e2147483647", "1e-2147483648")
	f.Add("-0.0", "+.0e5")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, ok := parseDecimal(a)
		y, also := parseDecimal(b)
		if !ok || !also {
			return
		}
		if x.compare(y) != -y.compare(x) || x.compare(x) != 0 {
			t.Errorf("%q, %q: %d, %d", a, b, x.compare(y), y.compare(x))
		}
		p, q := readNumber(a), readNumber(b)
		if p != nil && q != nil && len(a)+len(b) < 40 && p.Cmp(q) != x.compare(y) {
			t.Errorf("%q, %q: %d, want %d", a, b, x.compare(y), p.Cmp(q))
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, s := range someValues["date"] {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ms, ok := parseDate(s)
		if want := readTime(s); want != nil && (!ok || want.Cmp(big.NewRat(ms, 1)) != 0) {
			t.Errorf("%q: %d, %t; want %s", s, ms, ok, want)
		}
	})
}

func FuzzNetwork(f *testing.F) {
	for _, b := range someValues["block"] {
		for _, a := range someValues["ip"] {
			f.Add(b, a)
		}
	}
	f.Fuzz(func(t *testing.T, block, s string) {
		a, ok := parseAddress(s)
		n, valid := parseNetwork(block)
		if ok && valid && n.contains(a.Unmap()) && a.Unmap().BitLen() != n.address.BitLen() {
			t.Errorf("%q has %q", block, s)
		}
		if !valid && n.contains(a) {
			t.Errorf("%q is invalid and has %q", block, s)
		}
	})
}

func FuzzVariables(f *testing.F) {
	for _, s := range someValues["pattern"] {
		f.Add(s, "alice", true)
	}
	f.Add("${${aws:username}}", "*", false)
	f.Add("${aws:username, '}'}${", "${aws:userid}", true)
	f.Fuzz(func(t *testing.T, text, value string, wildcards bool) {
		if !utf8.ValidString(text) || !utf8.ValidString(value) || len(text) > 2048 {
			return
		}
		x := Context{}
		x.Set("aws:username", value)
		tpl := newTemplate(text, variables, wildcards)
		got, ok := tpl.text(x)
		g, also := tpl.glob(x)
		if tpl.pieces != nil && ok != also {
			t.Fatalf("%q: %t, %t", text, ok, also)
		}
		// What a variable brings is never read again, and never a wildcard.
		if ok && tpl.pieces != nil && !(g.match(got)) {
			t.Errorf("%q does not match itself replaced, %q", text, got)
		}
		old := newTemplate(text, "2008-10-17", wildcards)
		if s, ok := old.text(x); !ok || s != text {
			t.Errorf("the older version reads %q as %q", text, s)
		}
	})
}

func FuzzFold(f *testing.F) {
	f.Add("ΟΣ", "ος")
	f.Add("İK\U00010400", "i\u0307k")
	f.Fuzz(func(t *testing.T, a, b string) {
		if a == b && lower(a) != lower(b) {
			t.Errorf("%q", a)
		}
		if again := lower(lower(a)); utf8.ValidString(a) && again != lower(a) {
			t.Errorf("%q: %q, then %q", a, lower(a), again)
		}
	})
}
