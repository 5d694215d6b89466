package token

import (
	"context"
	"time"

	"github.com/treatyfed/treaty/core/evidence"
)

// Report is every check made of a token itself, passed or not.
type Report struct {
	Checks evidence.Checks `json:"checks"`
}

// Verifier verifies tokens of an issuer that the caller names.
type Verifier struct {
	Source     KeySource
	Algorithms []string      // allow-list; never "none" or HS*
	Leeway     time.Duration // tolerance of exp, nbf and iat
	Now        func() time.Time
}

// Verify checks form, algorithm, key, signature and times of raw with the keys of issuer, and that the
// token's iss is issuer. The claims are returned even when a check failed, with an error then.
func (v *Verifier) Verify(ctx context.Context, raw, issuer string) (Claims, Report, error) {
	panic("to be written") // owner: core
}
