// Package storetest proves a store: one suite of what every repository promises, run on SQLite in a file,
// SQLite in memory and PostgreSQL alike, and the private PostgreSQL that tests run it on.
//
// It owns the promises: order of pages, conflicts and their reasons, limits, versions, and what holds when
// eight callers do the same thing at once. Other packages' tests take New for a store of their own and
// StartPostgres for a database.
package storetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/store"
)

// New opens a store for a test and closes it at its end. dsn is as in store.Config: "" is memory of this
// store alone.
func New(tb testing.TB, dsn string) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), store.Config{DSN: dsn, Sealer: Sealer(tb)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Sealer makes a sealer under a fixed master key.
func Sealer(tb testing.TB) *credential.Sealer {
	tb.Helper()
	s, err := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// Run proves everything of the stores that open makes, each empty and of its own.
func Run(t *testing.T, open func(t *testing.T) *store.Store) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, s *store.Store)
	}{
		{"accounts", accounts}, {"IAM entities", iam}, {"MFA codes", codes}, {"attached policies", attaching},
		{"callers who attach and delete at once", racing}, {"memberships", joining}, {"access keys", accessKeys},
		{"callers who make keys of a user that is deleted", keying}, {"last use", lastUse}, {"pools", pools}, {"identities", identities}, {"merging identities", merging},
		{"callers who resolve at once", resolving}, {"tenants", tenants}, {"applications", applications},
		{"principals", principals}, {"federated credentials", federated}, {"callers who reach a limit at once", limiting},
		{"app role assignments", appRoles}, {"users", users}, {"subscriptions", subscriptions}, {"resources", resources},
		{"roles", roles}, {"owners of federated credentials", owning}, {"machines", machines}, {"managed identities", managedIdentities},
		{"callers who make and delete managed identities at once", vanishing}, {"issuers", issuers}, {"callers who claim the same of issuers", claiming},
		{"what is used once", once}, {"keys", keys}, {"audit", events}, {"snapshot", snapshot}, {"texts", texts},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.run(t, open(t))
		})
	}
}

// at is a moment that every database keeps exactly.
func at(seconds int) time.Time {
	return time.Date(2026, 3, 1, 12, 0, seconds, 0, time.UTC)
}

// ok stops at an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got stops at an error and compares.
func got[T any](t *testing.T, want T) func(T, error) {
	t.Helper()
	return func(have T, err error) {
		t.Helper()
		ok(t, err)
		if d := cmp.Diff(want, have); d != "" {
			t.Fatal("-want +got\n", d)
		}
	}
}

// refused wants an error of a kind and, if given, with a reason.
func refused(t *testing.T, err error, kind fault.Kind, reason ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("want %q, got %v", kind, err)
	}
	var f *fault.Fault
	if len(reason) > 0 && (!errors.As(err, &f) || f.Reason != reason[0]) {
		t.Fatalf("want the reason %q, got %v", reason[0], err)
	}
}

// missing wants fault.NotFound from a read.
func missing[T any](t *testing.T) func(T, error) {
	t.Helper()
	return func(_ T, err error) {
		t.Helper()
		refused(t, err, fault.NotFound)
	}
}

// several is how many callers do the same thing at once.
const several = 8

// together runs f several times at once and counts the calls by the kind of their error, "" for success.
func together(f func(n int) error) map[fault.Kind]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	kinds := map[fault.Kind]int{}
	start := make(chan struct{})
	for n := range several {
		wg.Go(func() {
			<-start
			err := f(n)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				kinds[""]++
			} else {
				kinds[fault.KindOf(err)]++
			}
		})
	}
	close(start)
	wg.Wait()
	return kinds
}

// unordered are keys whose byte order differs from a dictionary's.
var unordered = []string{"b", "B", "a", "_", "a-b", "ab", "Á"}

// pages reads a list two at a time and wants every key of keys once, in byte order.
func pages[T any](t *testing.T, keys []string, key func(T) string, page func(after string, limit int) ([]T, error)) {
	t.Helper()
	want := slices.Sorted(slices.Values(keys))
	var have []string
	for after := ""; ; {
		some, err := page(after, 2)
		ok(t, err)
		if len(some) > 2 {
			t.Fatalf("a page of %d, want at most 2", len(some))
		}
		if len(some) == 0 {
			break
		}
		for _, v := range some {
			have = append(have, key(v))
		}
		after = have[len(have)-1]
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Fatal("pages: -want +got\n", d)
	}
}

func numbered(prefix string, n int) string { return fmt.Sprintf("%s%02d", prefix, n) }
