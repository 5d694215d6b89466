package trust

import (
	"context"
	"time"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
)

// Reason names why a decision refuses; "" when it accepts. Surfaces map it to their cloud's code.
type Reason string

// Reasons for refusal, in the order in which they are looked for: when several hold, the first is the answer.
const (
	Malformed          Reason = "malformed token"
	MissingClaim       Reason = "missing claim"       // Detail: the claim
	AlgorithmRefused   Reason = "algorithm refused"   // Detail: the algorithm
	OwnUserToken       Reason = "own user token"      // the token is ours, and a person's
	OwnAudience        Reason = "own token, audience" // ours, with an audience that may not be exchanged
	OwnAppToken        Reason = "own app token"       // ours, but no managed identity's
	OwnTenant          Reason = "own token, tenant"   // a managed identity's of another tenant
	NoTrusts           Reason = "no trusts"           // the owner has none at all
	IssuerUnknown      Reason = "issuer unknown"      // Detail: the token's issuer
	ExpressionIssuer   Reason = "expression issuer"   // expressions are not admitted for this issuer
	SubjectCase        Reason = "subject case"        // equal but for case
	ExpressionMismatch Reason = "expression mismatch" // no subject equal, and an expression did not match either
	SubjectMismatch    Reason = "subject mismatch"    // Detail: the token's subject
	AudienceMismatch   Reason = "audience mismatch"   // Detail: the token's audience
	DiscoveryFailed    Reason = "discovery failed"    // the issuer's documents could not be had or contradict it
	KeyUnknown         Reason = "key unknown"         // Detail: kid
	SignatureInvalid   Reason = "signature invalid"
	TimeInvalid        Reason = "time invalid"
)

// Decision is everything that was found out about a token presented for an owner's trusts.
type Decision struct {
	Reason    Reason          `json:"reason,omitempty"`
	Detail    string          `json:"detail,omitempty"` // the offending value
	Header    map[string]any  `json:"header,omitempty"`
	Claims    token.Claims    `json:"claims,omitempty"`
	Own       evidence.Checks `json:"own,omitempty"`   // checks on tokens that we issued ourselves
	Report    token.Report    `json:"report"`          // form, algorithm, keys, signature, times
	Verdicts  []Verdict       `json:"verdicts"`        // one a trust, nearest first
	Trust     string          `json:"trust,omitempty"` // name of the trust that matched
	DecidedAt time.Time       `json:"decidedAt"`
}

// OK reports whether the token is accepted.
func (d Decision) OK() bool { return d.Reason == "" }

// OwnTokens says which issuers are our own, and what must hold of a token of theirs; nil when there are
// none. It returns the checks made, and "" or the reason of a refusal. It must not do I/O.
type OwnTokens func(c token.Claims) (ours bool, checks evidence.Checks, reason Reason)

// Exchange decides whether a token may stand in for the owner of a set of trusts.
type Exchange struct {
	Verifier token.Verifier
	Own      OwnTokens
	// ExpressionIssuer says which issuers may be trusted by expression.
	ExpressionIssuer func(issuer string) bool
}

// Decide evaluates raw against every trust and, only when one of them matches in full, verifies it with
// that trust's issuer's keys: no other issuer is ever contacted. It never stops at a failure that still
// lets it look at something else.
func (e *Exchange) Decide(ctx context.Context, raw string, trusts []Trust) Decision {
	panic("to be written") // owner: core
}
