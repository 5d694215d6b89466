package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/fault"
)

// auditLog keeps audit events in files beside a SQLite database, one JSON object a line. An event is one
// append, where a row with its indexes is ten writes: the audit stands in the way of every answer. An
// append is as durable as a commit there (WAL, synchronous NORMAL): it outlives the process, whatever ends
// it. Looking for an event reads the segments, newest first; people do that, not requests.
//
// Retention goes by whole segments: the oldest is removed when those after it hold all that must be kept.
type auditLog struct {
	dir  string
	keep int
	age  time.Duration

	mu     sync.Mutex
	file   *os.File // the newest segment; nil before the first event
	number int      // of it
	size   int64
	known  map[int]segment // what is known of older segments
	buffer []byte
}

// segment is what retention asks of a file.
type segment struct {
	events int
	newest time.Time
}

const (
	segmentSize   = 4 << 20
	segmentSuffix = ".jsonl"
	longestLine   = 1 << 20
)

// line is one event: the ids as they are compared, the event without its evidence, the evidence as it came.
type line struct {
	Request     string          `json:"r"`
	Correlation string          `json:"c,omitempty"`
	Event       json.RawMessage `json:"e"`
	Evidence    json.RawMessage `json:"v,omitempty"`
}

func openAuditLog(dir string, keep int, age time.Duration) (*auditLog, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.Internal, "open audit log", err)
	}
	l := &auditLog{dir: dir, keep: keep, age: age, known: map[int]segment{}}
	numbers, err := l.segments()
	if err != nil || len(numbers) == 0 {
		return l, err
	}
	return l, l.open(numbers[len(numbers)-1])
}

// segments lists the segments' numbers, oldest first.
func (l *auditLog) segments() ([]int, error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "list audit log", err)
	}
	var out []int
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimSuffix(e.Name(), segmentSuffix)); err == nil && strings.HasSuffix(e.Name(), segmentSuffix) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (l *auditLog) path(number int) string {
	return filepath.Join(l.dir, fmt.Sprintf("%08d%s", number, segmentSuffix))
}

// open makes a segment the newest. A line that a crash of the machine cut short is closed off, so that it
// spoils no other.
func (l *auditLog) open(number int) error {
	f, err := os.OpenFile(l.path(number), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fault.Wrap(fault.Internal, "open audit log", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fault.Wrap(fault.Internal, "open audit log", err), f.Close())
	}
	l.size = info.Size()
	if l.size > 0 {
		var last [1]byte
		if _, err = f.ReadAt(last[:], l.size-1); err == nil && last[0] != '\n' {
			_, err = f.Write([]byte{'\n'})
			l.size++
		}
		if err != nil {
			return errors.Join(fault.Wrap(fault.Internal, "open audit log", err), f.Close())
		}
	}
	l.file, l.number = f, number
	return nil
}

// append writes one event; full reports that a segment was filled, so that retention has something to do.
func (l *auditLog) append(v *event) (full bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil || l.size >= segmentSize {
		if err := l.next(); err != nil {
			return false, err
		}
		full = l.number > 1
	}
	if l.buffer, err = appendLine(l.buffer[:0], v); err != nil {
		return full, err
	}
	n, err := l.file.Write(l.buffer)
	l.size += int64(n)
	if err != nil {
		// What was written of it is no line. A fresh segment keeps it apart from what follows.
		l.size = segmentSize
		return full, fault.Wrap(fault.Internal, "append to audit log", err)
	}
	return full, nil
}

func (l *auditLog) next() error {
	if l.file != nil {
		if err := l.file.Close(); err != nil {
			return fault.Wrap(fault.Internal, "close audit segment", err)
		}
		l.file = nil
	}
	return l.open(l.number + 1)
}

func appendLine(b []byte, v *event) ([]byte, error) {
	request, err := json.Marshal(v.request)
	if err != nil {
		return b, fault.Wrap(fault.Invalid, "record audit event", err)
	}
	correlation, err := json.Marshal(v.correlation)
	if err != nil {
		return b, fault.Wrap(fault.Invalid, "record audit event", err)
	}
	b = append(append(b, `{"r":`...), request...)
	b = append(append(b, `,"c":`...), correlation...)
	b = append(append(b, `,"e":`...), v.doc...)
	if v.evidence != "" {
		b = append(b, `,"v":`...)
		if strings.IndexByte(v.evidence, '\n') >= 0 || strings.IndexByte(v.evidence, '\r') >= 0 {
			var flat bytes.Buffer
			if err := json.Compact(&flat, []byte(v.evidence)); err != nil {
				return b, fault.Wrap(fault.Invalid, "record audit event", err)
			}
			b = append(b, flat.Bytes()...)
		} else {
			b = append(b, v.evidence...)
		}
	}
	if len(b) > longestLine {
		return b, fault.New(fault.Invalid, "record audit event", "the event is larger than 1 MiB")
	}
	return append(b, '}', '\n'), nil
}

// find returns the newest event with that request id or, when there is none, with that correlation id.
func (l *auditLog) find(key string) (audit.Event, error) {
	numbers, err := l.segments()
	if err != nil {
		return audit.Event{}, err
	}
	quoted, err := json.Marshal(key)
	if err != nil {
		return audit.Event{}, fault.Wrap(fault.Invalid, "find audit event", err)
	}
	var second *line // by correlation id
	for _, n := range slices.Backward(numbers) {
		data, err := os.ReadFile(l.path(n))
		if errors.Is(err, fs.ErrNotExist) {
			continue // retention was here meanwhile
		}
		if err != nil {
			return audit.Event{}, fault.Wrap(fault.Internal, "read audit log", err)
		}
		first, other := newestIn(data, key, quoted)
		if first != nil {
			return first.decode()
		}
		if second == nil {
			second = other
		}
	}
	if second == nil {
		return audit.Event{}, fault.New(fault.NotFound, "audit event", "no event has the id")
	}
	return second.decode()
}

// newestIn looks through a segment from its end for lines that hold the quoted key at all, and among them
// for the newest whose request, and whose correlation, it is.
func newestIn(data []byte, key string, quoted []byte) (byRequest, byCorrelation *line) {
	for end := bytes.LastIndex(data, quoted); end >= 0; end = bytes.LastIndex(data, quoted) {
		start := bytes.LastIndexByte(data[:end], '\n') + 1
		stop := bytes.IndexByte(data[end:], '\n')
		if stop < 0 {
			stop = len(data) - end
		}
		var l line
		if json.Unmarshal(data[start:end+stop], &l) == nil { // a line cut short by a crash is no event
			if l.Request == key {
				return &l, byCorrelation
			}
			if l.Correlation == key && byCorrelation == nil {
				byCorrelation = &l
			}
		}
		data = data[:start]
	}
	return nil, byCorrelation
}

func (l *line) decode() (e audit.Event, err error) {
	if err := json.Unmarshal(l.Event, &e); err != nil {
		return e, fault.Wrap(fault.Internal, "read audit event", err)
	}
	e.Evidence = l.Evidence
	return e, nil
}

// prune removes the oldest segments as long as those after them hold all that must be kept.
func (l *auditLog) prune() error {
	numbers, err := l.segments()
	if err != nil || len(numbers) < 2 {
		return err
	}
	infos := make([]segment, len(numbers))
	for i, n := range numbers {
		if infos[i], err = l.info(n, i == len(numbers)-1); err != nil {
			return err
		}
	}
	newest, after := infos[len(infos)-1].newest, 0
	for _, s := range infos[1:] {
		after += s.events
	}
	for i, n := range numbers[:len(numbers)-1] {
		enough := l.keep >= 0 && after >= l.keep
		old := l.age >= 0 && !newest.IsZero() && infos[i].newest.Before(newest.Add(-l.age))
		if !enough && !old {
			return nil
		}
		if err := os.Remove(l.path(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Wrap(fault.Internal, "prune audit log", err)
		}
		l.mu.Lock()
		delete(l.known, n)
		l.mu.Unlock()
		after -= infos[i+1].events
	}
	return nil
}

// info counts a segment's events and finds its last one's time; that of a full segment is remembered.
func (l *auditLog) info(number int, growing bool) (segment, error) {
	l.mu.Lock()
	s, ok := l.known[number]
	l.mu.Unlock()
	if ok {
		return s, nil
	}
	data, err := os.ReadFile(l.path(number))
	if err != nil {
		return s, fault.Wrap(fault.Internal, "read audit log", err)
	}
	s.events = bytes.Count(data, []byte{'\n'})
	data = bytes.TrimRight(data, "\n")
	var last line
	if json.Unmarshal(data[bytes.LastIndexByte(data, '\n')+1:], &last) == nil {
		if e, err := last.decode(); err == nil {
			s.newest = e.Time
		}
	}
	if !growing {
		l.mu.Lock()
		l.known[number] = s
		l.mu.Unlock()
	}
	return s, nil
}

// clear removes every event.
func (l *auditLog) clear() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	if l.file != nil {
		errs = append(errs, l.file.Close())
		l.file, l.number, l.size = nil, 0, 0
	}
	numbers, err := l.segments()
	errs = append(errs, err)
	for _, n := range numbers {
		errs = append(errs, os.Remove(l.path(n)))
	}
	clear(l.known)
	return fault.Wrap(fault.Internal, "clear audit log", errors.Join(errs...))
}

func (l *auditLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return fault.Wrap(fault.Internal, "close audit log", err)
}
