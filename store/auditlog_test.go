package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/fault"
)

func logOf(t *testing.T, dir string, keep int, age time.Duration) *auditLog {
	t.Helper()
	l, err := openAuditLog(dir, keep, age)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// put records an event of a minute; pad makes it long, so that segments fill.
func put(t *testing.T, l *auditLog, request, correlation string, minute, pad int) (full bool) {
	t.Helper()
	doc := fmt.Sprintf(`{"requestId":%q,"time":%q}`, request, time.Unix(0, 0).Add(time.Duration(minute)*time.Minute).UTC().Format(time.RFC3339))
	full, err := l.append(&event{request: request, correlation: correlation, doc: doc, evidence: `{"pad":"` + strings.Repeat("x", pad) + `"}`})
	if err != nil {
		t.Fatal(err)
	}
	return full
}

func find(t *testing.T, l *auditLog, key string) (request string) {
	t.Helper()
	e, err := l.find(key)
	if errors.Is(err, fault.NotFound) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return e.RequestID
}

func TestTheLogFindsTheNewestOfAnIDAcrossSegmentsAndStarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := logOf(t, dir, -1, -1)
	put(t, l, "q1", "c", 1, 1)
	put(t, l, "q2", "c", 2, segmentSize/8)
	for n := range 20 {
		put(t, l, fmt.Sprint("fill", n), "", 3, segmentSize/8)
	}
	put(t, l, "q3", "q1", 4, 1) // a client names another's request as its correlation
	again := logOf(t, dir, -1, -1)
	put(t, again, "q4", "", 5, 1)
	if numbers, err := again.segments(); err != nil || len(numbers) < 3 {
		t.Fatalf("segments %v %v, want several", numbers, err)
	}
	for key, want := range map[string]string{"q1": "q1", "q2": "q2", "c": "q2", "q3": "q3", "q4": "q4", "fill19": "fill19", "q": "", "fill": ""} {
		if got := find(t, again, key); got != want {
			t.Errorf("%s finds %q, want %q", key, got, want)
		}
	}
}

func TestALineCutShortSpoilsNoOther(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := logOf(t, dir, -1, -1)
	put(t, l, "before", "", 1, 1)
	if _, err := l.file.WriteString(`{"r":"torn","e":{"requ`); err != nil { // what a power cut leaves
		t.Fatal(err)
	}
	again := logOf(t, dir, -1, -1)
	put(t, again, "after", "", 2, 1)
	for key, want := range map[string]string{"before": "before", "torn": "", "after": "after"} {
		if got := find(t, again, key); got != want {
			t.Errorf("%s finds %q, want %q", key, got, want)
		}
	}
}

func TestTheLogKeepsWhatMustBeKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		keep int
		age  time.Duration
		gone bool // the oldest, of twenty events in segments of eight
	}{
		{"ten events", 10, -1, true},
		{"all by number", 1000, -1, false},
		{"five minutes", -1, 5 * time.Minute, true},
		{"an hour", -1, time.Hour, false},
		{"everything", -1, -1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := logOf(t, t.TempDir(), c.keep, c.age)
			fills := 0
			for n := range 20 {
				if put(t, l, fmt.Sprint("q", n), "", n, segmentSize/8) {
					fills++
				}
			}
			for range 2 {
				if err := l.prune(); err != nil {
					t.Fatal(err)
				}
			}
			if gone := find(t, l, "q0") == ""; gone != c.gone || fills == 0 {
				t.Errorf("the oldest is gone: %v, want %v; %d segments filled", gone, c.gone, fills)
			}
			for n := 15; n < 20; n++ {
				if find(t, l, fmt.Sprint("q", n)) == "" {
					t.Errorf("event %d is gone", n)
				}
			}
		})
	}
}

func TestEvidenceStaysALine(t *testing.T) {
	t.Parallel()
	l := logOf(t, t.TempDir(), -1, -1)
	pretty := "{\n  \"a\": [1,\r\n 2]\n}"
	if _, err := l.append(&event{request: "q", doc: `{"requestId":"q"}`, evidence: pretty}); err != nil {
		t.Fatal(err)
	}
	e, err := l.find("q")
	if err != nil || string(e.Evidence) != `{"a":[1,2]}` {
		t.Errorf("%s %v", e.Evidence, err)
	}
	if _, err := l.append(&event{request: "q2", doc: `{}`, evidence: "{\nspoilt"}); !errors.Is(err, fault.Invalid) {
		t.Errorf("spoilt evidence: %v", err)
	}
	if _, err := l.append(&event{request: "q3", doc: `{}`, evidence: `"` + strings.Repeat("x", longestLine) + `"`}); !errors.Is(err, fault.Invalid) {
		t.Errorf("an event without end: %v", err)
	}
	if find(t, l, "q") != "q" {
		t.Error("a refused event spoilt another")
	}
}

func TestClearLeavesNothingAndTheLogGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := logOf(t, dir, -1, -1)
	put(t, l, "q1", "", 1, 1)
	if err := l.clear(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Fatal(left, err)
	}
	put(t, l, "q2", "", 2, 1)
	if find(t, l, "q1") != "" || find(t, l, "q2") != "q2" {
		t.Error("after clear: old or no events")
	}
}

func FuzzNewestIn(f *testing.F) {
	f.Add([]byte(`{"r":"q","c":"c","e":{}}`+"\n"+`{"r":"x","c":"q","e":{}}`), "q")
	f.Add([]byte(`{"r":"q"`+"\n\n"), "q")
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		quoted, err := json.Marshal(key)
		if err != nil {
			t.Skip()
		}
		for _, l := range []*line{first(newestIn(data, key, quoted)), second(newestIn(data, key, quoted))} {
			if l != nil && l.Request != key && l.Correlation != key {
				t.Errorf("found %+v for %q", l, key)
			}
		}
	})
}

func first(a, _ *line) *line  { return a }
func second(_, b *line) *line { return b }
