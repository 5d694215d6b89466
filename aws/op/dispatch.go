package op

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/aws"
	"github.com/treatyfed/treaty/wire/sigv4"
)

// defaultMaxBody bounds a request's body in bytes: the largest legal call of the services here is a role
// mapping of some 300 KB.
const defaultMaxBody = 1 << 20

// Dispatcher serves the operations of its services. Fill it in, call Prepare once to learn whether its
// tables are sound, and mount it.
type Dispatcher struct {
	Services []Service
	Access   *access.Decider // who calls, and what they may
	Audit    audit.Recorder
	Region   string // when neither the signature nor the host names one
	MaxBody  int64  // bytes; 0 means 1 MB
	Now      func() time.Time
	Rand     io.Reader
	Log      *slog.Logger // nil discards

	once  sync.Once
	table *table
	err   error
	codec aws.Codec
	keys  sigv4.KeyCache
}

// table finds services and operations by what requests name.
type table struct {
	all       []*service
	byTarget  map[string]*service
	byVersion map[string]*service
}

// service is a Service made ready.
type service struct {
	Service
	rows    map[string]Operation
	checker *aws.Checker
}

// Prepare makes the tables. An error says which service is described wrongly; every request is then
// answered with an internal error.
func (d *Dispatcher) Prepare() error {
	d.once.Do(func() { d.table, d.err = d.build() })
	return d.err
}

func (d *Dispatcher) build() (*table, error) {
	if d.Access == nil || d.Audit == nil || d.Now == nil || d.Rand == nil {
		return nil, fault.New(fault.Invalid, "dispatcher", "needs Access, Audit, Now and Rand")
	}
	t := &table{byTarget: map[string]*service{}, byVersion: map[string]*service{}}
	for _, s := range d.Services {
		ready := &service{Service: s, rows: map[string]Operation{}}
		var err error
		if ready.checker, err = aws.NewChecker(s.Constraints); err != nil {
			return nil, fault.Wrap(fault.Invalid, "service "+s.Name, err)
		}
		for _, o := range s.Operations {
			if _, twice := ready.rows[o.name]; twice || o.call == nil {
				return nil, fault.New(fault.Invalid, "service "+s.Name, fmt.Sprintf("operation %q is there twice or empty", o.name))
			}
			ready.rows[o.name] = o
		}
		index, key := t.byTarget, s.Target
		if s.Protocol == Query {
			index, key = t.byVersion, s.Version
		}
		if index[key] != nil || key == "" {
			return nil, fault.New(fault.Invalid, "service "+s.Name, fmt.Sprintf("target or version %q is empty or taken", key))
		}
		index[key] = ready
		t.all = append(t.all, ready)
	}
	return t, nil
}

// named finds a service by its signing name.
func (t *table) named(name string) *service {
	for _, s := range t.all {
		if s.Name == name {
			return s
		}
	}
	return nil
}

func (d *Dispatcher) log() *slog.Logger {
	if d.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Log
}

// ServeHTTP answers one request.
func (d *Dispatcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	info := audit.RequestOf(r.Context())
	if info.ID == "" {
		info.ID = d.newID()
		r = r.WithContext(audit.WithRequest(r.Context(), info))
	}
	x := &exchange{d: d, w: w, r: r, info: info}
	if d.Now != nil {
		w.Header().Set("Date", d.Now().UTC().Format(http.TimeFormat)) // clients correct their clocks by it
	}
	w.Header().Set("X-Amzn-Requestid", info.ID)
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		d.log().ErrorContext(r.Context(), "aws operation panicked", "request", info.ID, "operation", info.Operation, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		x.refuse(x.internal())
	}()
	if err := d.Prepare(); err != nil {
		x.fail(err)
		return
	}
	x.serve()
}

// newID makes a request id, a random GUID.
func (d *Dispatcher) newID() string {
	var b [16]byte
	if d.Rand == nil {
		return ""
	}
	if _, err := io.ReadFull(d.Rand, b[:]); err != nil {
		return ""
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // RFC 9562 version 4
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// serve takes one request through its steps.
func (x *exchange) serve() {
	if x.r.Method == http.MethodOptions {
		x.preflight()
		return
	}
	if err := x.read(); err != nil {
		x.refuse(err)
		return
	}
	if err := x.route(); err != nil {
		x.refuse(err)
		return
	}
	ctx, err := x.admit(x.r.Context())
	if err != nil {
		x.fail(err)
		return
	}
	out, err := x.call(ctx)
	if err != nil {
		x.fail(err)
		return
	}
	x.answer(out)
}

// call decodes the input, checks and authorises it and runs the operation.
func (x *exchange) call(ctx context.Context) (any, error) {
	in := x.row.fresh()
	presence, err := x.decode(in)
	if err != nil {
		return nil, err
	}
	if lines := x.service.checker.Check(in, presence); lines != nil {
		return nil, &Error{Code: x.service.invalid(), Message: aws.Violations(lines)}
	}
	if x.row.mode != public {
		if err := x.authorize(ctx, in); err != nil {
			return nil, err
		}
	}
	return x.row.call(ctx, in)
}
