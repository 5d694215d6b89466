package idp

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
	wire "github.com/treatyfed/treaty/wire/oauth"
)

// Surface is the surface of the package's audit events.
const Surface = "idp"

// Evidence is what the audit keeps of a token request, as JSON: never a token or a secret.
type Evidence struct {
	Issuer  string            `json:"issuer"`            // its URL
	Method  string            `json:"method,omitempty"`  // how the client authenticated
	Client  evidence.Checks   `json:"client,omitempty"`  // of that
	Subject json.RawMessage   `json:"subject,omitempty"` // trust.Decision on the subject token or assertion
	Actor   json.RawMessage   `json:"actor,omitempty"`   // trust.Decision on the actor token
	Rules   map[string]string `json:"rules,omitempty"`   // by which the claims were computed
	Claims  token.Claims      `json:"claims,omitempty"`  // of the token that was issued
	Note    string            `json:"note,omitempty"`    // why there was none, or what is left out here
}

// Bounds of evidence in bytes: of a decision, and of all of it.
const (
	maxDecision = 48 << 10
	maxEvidence = 128 << 10
)

// call is one request and what has been found out about it.
type call struct {
	asked
	record   *audit.Request
	now      time.Time
	form     wire.Form
	repeated map[string][]string
	grant    grant
	client   directory.IssuerClient
	resource string // what the token is for
	evidence Evidence
}

// begin names the request and says its id in the answer.
func (s *Service) begin(w http.ResponseWriter, r *http.Request, a asked) *call {
	c := s.newCall(r.Context(), a)
	w.Header().Set(cmp.Or(a.preset.requestHeader, "X-Request-Id"), c.record.ID)
	return c
}

func (s *Service) newCall(ctx context.Context, a asked) *call {
	c := &call{asked: a, record: audit.RequestOf(ctx), now: s.Now(), evidence: Evidence{Issuer: a.issuer.URL}}
	c.record.Surface = Surface
	if c.record.ID == "" {
		c.record.ID = s.newGUID()
	}
	return c
}

// keep records the request before it is answered.
func (s *Service) keep(ctx context.Context, c *call, refused *Refusal) error {
	e := audit.Event{
		RequestID:     c.record.ID,
		CorrelationID: c.record.CorrelationID,
		Time:          c.now,
		Surface:       Surface,
		Operation:     c.record.Operation,
		Caller:        c.record.Caller,
		Resource:      evidence.Clip(cmp.Or(c.resource, c.issuer.URL)),
		Outcome:       audit.Allowed,
	}
	if refused != nil {
		e.Outcome, e.Code = audit.Refused, refused.Code
		c.evidence.Note = evidence.Clip(refused.Description)
	}
	var err error
	if e.Evidence, err = c.evidence.encode(); err != nil {
		return fmt.Errorf("encode evidence of %s: %w", c.record.ID, err)
	}
	if err := s.Audit.Record(ctx, e); err != nil {
		return fmt.Errorf("record decision %s: %w", c.record.ID, err)
	}
	return nil
}

// encode writes the evidence; rules that are too long to be repeated each time are left out.
func (e Evidence) encode() (json.RawMessage, error) {
	b, err := json.Marshal(e)
	if err != nil || len(b) <= maxEvidence {
		return b, err
	}
	e.Rules, e.Note = nil, "the rules are too long to be repeated here. "+e.Note
	return json.Marshal(e)
}

// decided is a decision as evidence keeps it.
func decided(d trust.Decision) json.RawMessage {
	b, err := d.JSON(maxDecision)
	if err != nil {
		return nil
	}
	return b
}

// newGUID makes a random UUID (RFC 9562 section 5.4).
func (s *Service) newGUID() string {
	b := s.random()
	return guid(b[:])
}

// guid writes the first sixteen of some random bytes as a UUID.
func guid(random []byte) string {
	var b [16]byte
	copy(b[:], random)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

func (s *Service) random() (b [32]byte) {
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		panic("idp: no randomness: " + err.Error()) // crypto/rand never fails
	}
	return b
}
