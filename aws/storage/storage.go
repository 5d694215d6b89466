// Package storage puts federated keys in front of S3 and DynamoDB: a request is examined, decided by the
// caller's policies, recorded, and sent on to what keeps the data, signed anew.
//
// It owns both gates: what an S3 or DynamoDB request asks for (actions, resources, condition keys), the
// two services' own errors, and the way on. Behind S3 is the gateway of this process (aws/storage/gateway,
// where buckets belong to the account that made them and their policies are evaluated here) or an endpoint
// elsewhere; behind DynamoDB an endpoint. An endpoint is reached with keys of its own and holds the data of
// one account. The gates trust nothing that they did not parse: paths, queries and the bodies that name
// objects are written anew for what stands behind.
//
// It leaves who a caller is and may do to core/access, signatures to wire/sigv4, and storing to others.
package storage

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/wire/sigv4"
)

// Authority knows keys and decides. It is asked at every request: nothing of its answers is kept, so what
// is revoked is refused at once.
type Authority interface {
	Key(ctx context.Context, id, token string) (access.Key, access.Found, error)
	Decide(ctx context.Context, a access.Ask) (policy.Decision, error)
	NoteUse(ctx context.Context, k access.Key, service, region string) error
}

var _ Authority = (*access.Decider)(nil)

// caller is who sent a request, as far as it was found.
type caller struct {
	key      access.Key
	found    access.Found
	signed   *sigv4.Examination
	proof    evidence.Checks
	problem  *sigv4.Problem // nil: authentic
	nameless bool           // there was no attempt at a signature
}

// subject is the caller as policies see it.
func (c caller) subject() access.Subject {
	if c.nameless {
		return access.Subject{Principal: policy.Principal{Type: policy.Anonymous}}
	}
	return c.key.Subject
}

// examine finds who signed a request. An error means that we could not look.
func examine(ctx context.Context, a Authority, r *http.Request, body []byte, rules sigv4.Rules, now time.Time, keys *sigv4.KeyCache) (caller, error) {
	e := sigv4.Examine(r, body, rules, now)
	c := caller{signed: e}
	var err error
	if c.key, c.found, err = op.Authenticate(ctx, a, e, keys); err != nil {
		return c, err
	}
	c.proof = op.Checks(e.Checks)
	c.problem = e.Err()
	if c.problem == nil {
		_ = a.NoteUse(ctx, c.key, rules.Service, e.Credential.Region) // coarse by design: no reason to refuse
	}
	return c, nil
}

// record keeps the event of a decision; without it a request goes no further.
func record(ctx context.Context, to audit.Recorder, now time.Time, c caller, resource, code string, decisions []policy.Decision, objects ...objectResult) error {
	info := audit.RequestOf(ctx)
	proof, err := json.Marshal(struct {
		op.Evidence
		Objects []objectResult `json:"objects,omitempty"`
	}{op.Evidence{Authentication: c.proof, Authorisation: decisions}, objects})
	if err != nil {
		return fault.Wrap(fault.Internal, "record "+info.Operation, err)
	}
	outcome := audit.Allowed
	if code != "" {
		outcome = audit.Refused
	}
	return to.Record(ctx, audit.Event{
		RequestID: info.ID, CorrelationID: info.CorrelationID, Time: now, Surface: info.Surface, Operation: info.Operation,
		Caller: info.Caller, Resource: resource, Outcome: outcome, Code: code, Evidence: proof,
	})
}

// hostID is the second id of S3's answers. The real one names a machine; ours follows from the first.
func hostID(requestID string) string {
	sum := sha256.Sum256([]byte(requestID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func discard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

// idle is how long a body may stand still. The server's own limits are for whole requests, which objects
// of gigabytes outlast.
const idle = time.Minute

// patience moves a connection's deadlines on while bytes flow.
type patience struct {
	control *http.ResponseController
	wall    func() time.Time

	mu    sync.Mutex // a body is read by who sends it on, while its answer may come already
	moved time.Time
}

// move gives the connection another while, at most once a second.
func (p *patience) move() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.wall()
	if now.Sub(p.moved) < time.Second {
		return
	}
	p.moved = now
	// A writer without deadlines (in tests) needs none.
	_ = p.control.SetReadDeadline(now.Add(idle))
	_ = p.control.SetWriteDeadline(now.Add(idle))
}

// patientReader is a request's body.
type patientReader struct {
	io.Reader
	patience *patience
}

func (r patientReader) Read(b []byte) (int, error) {
	r.patience.move()
	return r.Reader.Read(b)
}

// patientWriter is an answer's body.
type patientWriter struct {
	io.Writer
	patience *patience
}

func (w patientWriter) Write(b []byte) (int, error) {
	w.patience.move()
	return w.Writer.Write(b)
}

// readAll reads a body of at most limit bytes.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errTooLarge
	}
	return b, err
}

var errTooLarge = errors.New("the body is too large")
