package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/fault"
)

// Audit keeps one event for each decision. It implements audit.Recorder and audit.Reader. Events are
// ordered by position: their time in microseconds, or the next free number when a clock stands or goes back.
//
// Beside a SQLite file the events are in a log of their own (auditlog.go); in memory and in PostgreSQL, where
// replicas look for each other's, they are rows.
type Audit struct {
	log  *auditLog // nil where events are rows
	db   database
	lite bool // one writer: callers that meet are written in one transaction
	keep int
	age  time.Duration

	mu         sync.Mutex
	last       int64 // newest position given out
	since      int   // events since the last pruning
	rows       int64 // events in the database, once counted
	counted    bool
	leading    bool
	waiting    []*event
	pruning    sync.Mutex
	background sync.WaitGroup
}

// event is a row to be written. Its writer hears the error, or that it is his turn to write for others.
type event struct {
	position             int64
	request, correlation string
	doc, evidence        string
	done                 chan verdict
}

type verdict struct {
	lead bool
	err  error
}

const (
	defaultKeep = 100_000
	defaultAge  = 30 * 24 * time.Hour
	pruneEvery  = 1024 // events between two prunings
	pruneStep   = 512  // rows that one statement deletes, so that writers wait for little
	longestKey  = 200  // bytes of an id that are compared; a GUID has 36
)

func openAudit(ctx context.Context, db database, cfg Config) (*Audit, error) {
	a := &Audit{db: db.aside(), keep: cfg.AuditKeep, age: cfg.AuditAge}
	_, a.lite = db.(*sqlite)
	if a.keep == 0 {
		a.keep = defaultKeep
	}
	if a.age == 0 {
		a.age = defaultAge
	}
	var err error
	if lite, ok := db.(*sqlite); ok && lite.file != "" {
		a.log, err = openAuditLog(lite.file+"-audit", a.keep, a.age)
		return a, err
	}
	a.last, err = one(ctx, db, "newest audit event", scanInt, `select coalesce(max(position), 0) from audit_event`)
	return a, err
}

// Record writes e and returns when it is committed. Callers that meet at SQLite's one writer share a
// transaction: the first writes alone and at once, those who come meanwhile go together after it.
func (a *Audit) Record(ctx context.Context, e audit.Event) error {
	evidence := e.Evidence
	e.Evidence = nil // in a column of its own: it is long, and JSON already
	doc, err := document("record audit event "+e.RequestID, e)
	if err != nil {
		return err
	}
	v := &event{request: auditKey(e.RequestID), correlation: auditKey(e.CorrelationID), doc: doc, evidence: string(evidence)}
	if a.log != nil {
		full, err := a.log.append(v)
		if full {
			a.background.Go(func() { _ = a.Prune(context.WithoutCancel(ctx)) }) // it is tried again when the next is full
		}
		return err
	}
	a.mu.Lock()
	a.last = max(a.last+1, micros(e.Time))
	v.position = a.last
	a.rows++
	if a.since++; a.since >= pruneEvery {
		a.since = 0
		a.background.Go(func() { _ = a.Prune(context.WithoutCancel(ctx)) }) // it is tried again after as many
	}
	if !a.lite {
		a.mu.Unlock()
		return a.alone(ctx, v)
	}
	v.done = make(chan verdict, 1)
	a.waiting = append(a.waiting, v)
	if a.leading {
		a.mu.Unlock()
		if got := <-v.done; !got.lead {
			return got.err
		}
		a.mu.Lock()
	}
	a.leading = true
	a.mu.Unlock()
	runtime.Gosched() // who could run now may come along; when there is nobody, this returns at once
	a.mu.Lock()
	batch := a.waiting
	a.waiting = nil
	a.mu.Unlock()
	err = a.commit(context.WithoutCancel(ctx), batch) // others' events are in it
	for _, w := range batch {
		if w != v {
			w.done <- verdict{err: err}
		}
	}
	a.mu.Lock()
	if len(a.waiting) > 0 {
		a.waiting[0].done <- verdict{lead: true}
	} else {
		a.leading = false
	}
	a.mu.Unlock()
	return err
}

func (a *Audit) commit(ctx context.Context, batch []*event) error {
	if len(batch) == 1 {
		return batch[0].write(ctx, a.db)
	}
	return failed("record audit events", nil, a.db.tx(ctx, func(q querier) error {
		for _, v := range batch {
			if err := v.write(ctx, q); err != nil {
				return err
			}
		}
		return nil
	}))
}

// alone writes one event where other replicas give out positions too.
func (a *Audit) alone(ctx context.Context, v *event) error {
	for {
		err := v.write(ctx, a.db)
		if !errors.Is(err, fault.Conflict) {
			return err
		}
		a.mu.Lock()
		a.last = max(a.last, v.position) + 1
		v.position = a.last
		a.mu.Unlock()
	}
}

func (v *event) write(ctx context.Context, q querier) error {
	return write(ctx, q, "record audit event "+v.request,
		`insert into audit_event (position, request_id, correlation_id, doc, evidence) values ($1, $2, $3, $4, $5)`,
		v.position, v.request, v.correlation, v.doc, v.evidence)
}

// Find returns the newest event with that request id or, when there is none, with that correlation id, in
// any case. Clients choose correlation ids: they must not stand before what we named.
func (a *Audit) Find(ctx context.Context, id string) (audit.Event, error) {
	key := auditKey(id)
	if key == "" {
		return audit.Event{}, fault.New(fault.NotFound, "audit event", "no id")
	}
	if a.log != nil {
		return a.log.find(key)
	}
	return one(ctx, a.db, "audit event", scanEvent, `select doc, evidence from
		(select 1 as named, position, doc, evidence from audit_event where request_id = $1
		union all select 0 as named, position, doc, evidence from audit_event where correlation_id = $1 and correlation_id <> '') e
		order by named desc, position desc limit 1`, key)
}

func scanEvent(r *sql.Rows) (e audit.Event, err error) {
	var doc, evidence string
	if err = r.Scan(&doc, &evidence); err == nil {
		err = json.Unmarshal([]byte(doc), &e)
	}
	if evidence != "" {
		e.Evidence = json.RawMessage(evidence)
	}
	return e, err
}

// Prune deletes what is beyond the retention: events that are too many or too old, oldest first, in small
// steps. Record calls it now and then.
func (a *Audit) Prune(ctx context.Context) error {
	a.pruning.Lock()
	defer a.pruning.Unlock()
	if a.log != nil {
		return a.log.prune()
	}
	if a.age > 0 {
		newest, err := one(ctx, a.db, "newest audit event", scanInt, `select coalesce(max(position), 0) from audit_event`)
		if err != nil {
			return err
		}
		for n := int64(pruneStep); n == pruneStep; {
			n, err = a.remove(ctx, newest-a.age.Microseconds(), pruneStep)
			if err != nil {
				return err
			}
		}
	}
	if a.keep < 0 {
		return nil
	}
	excess, err := a.excess(ctx)
	for err == nil && excess > 0 {
		var n int64
		n, err = a.remove(ctx, math.MaxInt64, min(excess, pruneStep))
		if n == 0 {
			break
		}
		excess -= n
	}
	return err
}

// remove deletes the oldest events below a position, at most limit.
func (a *Audit) remove(ctx context.Context, below, limit int64) (int64, error) {
	n, err := a.db.exec(ctx, `delete from audit_event where position in (select position from audit_event where position < $1 order by position limit $2)`, below, limit)
	a.mu.Lock()
	a.rows -= n
	a.mu.Unlock()
	return n, failed("prune audit", nil, err)
}

// excess is how many events are beyond the number to keep. They are counted in the database when that is
// not known: the first time, and always where replicas write and prune too.
func (a *Audit) excess(ctx context.Context) (int64, error) {
	a.mu.Lock()
	known := a.lite && a.counted
	before := a.rows
	a.mu.Unlock()
	if known {
		return before - int64(a.keep), nil
	}
	n, err := one(ctx, a.db, "count audit events", scanInt, `select count(*) from audit_event`)
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows += n - before // what was recorded meanwhile may count twice, and is then kept a little less long
	a.counted = true
	return a.rows - int64(a.keep), nil
}

// forget is told that the rows were deleted, and deletes what is not in rows.
func (a *Audit) forget() error {
	if a.log != nil {
		return a.log.clear()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows, a.counted = 0, false
	return nil
}

// close ends the log; background work has ended.
func (a *Audit) close() error {
	a.background.Wait()
	if a.log == nil {
		return nil
	}
	return a.log.close()
}

// auditKey is an id as it is compared: in lower case, and harmless whatever a client sent as its own.
func auditKey(id string) string {
	id = strings.ReplaceAll(strings.ToValidUTF8(folded(id[:min(len(id), longestKey)]), "?"), "\x00", "?")
	return id
}

// Wait returns when no pruning runs in the background.
func (a *Audit) Wait() { a.background.Wait() }
