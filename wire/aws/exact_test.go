package aws

import (
	"strings"
	"testing"
	"time"
)

// GetWebIdentityTokenOutput has the name by which the SDK's own structure is known.
type GetWebIdentityTokenOutput struct{ Expiration *time.Time }

// RoleOutput has a timestamp as most are.
type RoleOutput struct{ CreateDate *time.Time }

func TestFewTimestampsHaveMilliseconds(t *testing.T) {
	t.Parallel()
	var c Codec
	when := time.Date(2026, 9, 11, 18, 36, 46, 507_999_999, time.UTC)
	for want, out := range map[string]any{
		"<Expiration>2026-09-11T18:36:46.507Z</Expiration>": &GetWebIdentityTokenOutput{&when},
		"<CreateDate>2026-09-11T18:36:46Z</CreateDate>":     &RoleOutput{&when},
	} {
		if got := string(c.AppendResult(nil, "ns", "Op", "id", out)); !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
}
