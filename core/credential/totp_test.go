package credential_test

import (
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/credential"
)

// The vectors of RFC 6238, appendix B, for SHA-1, cut to their last six digits, and of RFC 4226, appendix D.
func TestCodesAreThoseOfTheRFCs(t *testing.T) {
	t.Parallel()
	seed := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got := credential.TOTP(seed, credential.TOTPStep(time.Unix(at, 0))); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
	for counter, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := credential.TOTP(seed, int64(counter)); got != want {
			t.Errorf("counter %d: %s, want %s", counter, got, want)
		}
	}
}

func TestCodesAreFoundInTheirStepOnly(t *testing.T) {
	t.Parallel()
	seed := []byte("another seed of a device")
	code := func(step int64) string { return credential.TOTP(seed, step) }
	for name, tt := range map[string]struct {
		from, to int64
		codes    []string
		step     int64
		ok       bool
	}{
		"one code":                        {95, 105, []string{code(100)}, 100, true},
		"at the beginning":                {100, 105, []string{code(100)}, 100, true},
		"at the end":                      {95, 100, []string{code(100)}, 100, true},
		"two in a row":                    {95, 105, []string{code(100), code(101)}, 100, true},
		"the second beyond the end":       {95, 100, []string{code(100), code(101)}, 100, true},
		"before":                          {101, 105, []string{code(100)}, 0, false},
		"after":                           {95, 99, []string{code(100)}, 0, false},
		"the same twice":                  {95, 105, []string{code(100), code(100)}, 0, false},
		"in the wrong order":              {95, 105, []string{code(101), code(100)}, 0, false},
		"with a step between":             {95, 105, []string{code(100), code(102)}, 0, false},
		"no code":                         {95, 105, nil, 0, false},
		"too short":                       {95, 105, []string{code(100)[:5]}, 0, false},
		"an end that is before its begin": {105, 95, []string{code(100)}, 0, false},
	} {
		if step, ok := credential.FindTOTP(seed, tt.from, tt.to, tt.codes...); step != tt.step || ok != tt.ok {
			t.Errorf("%s: %d, %t, want %d, %t", name, step, ok, tt.step, tt.ok)
		}
	}
}
