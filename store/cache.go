package store

import (
	"context"
	"errors"
	"sync"

	"github.com/treatyfed/treaty/core/fault"
)

// cache keeps what the statements of the token endpoints read, decoded, for as long as nobody writes. It
// exists over SQLite only, whose one process sees every write; replicas over PostgreSQL read each time.
// A writer shuts it before it begins and opens it, empty, when it has ended, so that no reader is given
// what another reader has already seen replaced.
type cache struct {
	mu      sync.RWMutex
	writers int
	age     uint64 // grows when a writer begins and when one ends
	kept    map[question]any
}

// question is a statement and its arguments.
type question struct{ text, a, b string }

// Bounds of the cache: at mostKept answers it starts anew; longer keys, which only a stranger sends, are
// not kept.
const (
	mostKept   = 4096
	longestAsk = 512 // bytes
)

// shut drops everything and keeps the cache empty until the returned function is called.
func (c *cache) shut() (open func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writers++
	c.age++
	clear(c.kept)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.writers--
		c.age++ // who began to read while it was shut may have read what was before
	}
}

func (c *cache) get(q question) (v any, age uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.kept[q], c.age
}

// put keeps v if no writer began or ended since age was got.
func (c *cache) put(q question, age uint64, v any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writers > 0 || c.age != age || len(q.a)+len(q.b) > longestAsk {
		return
	}
	if c.kept == nil || len(c.kept) >= mostKept {
		c.kept = make(map[question]any)
	}
	c.kept[q] = v
}

// cacher is a database that has a cache.
type cacher interface{ cached() *cache }

// remembered is read, or what it gave the last time, be it that there is nothing. What is kept is nobody's
// but the cache's: callers get copies, made by clone, because they may change what they are given.
func remembered[T any](ctx context.Context, db database, clone func(T) T, q question, read func() (T, error)) (T, error) {
	c, ok := db.(cacher)
	if !ok || ctx.Err() != nil {
		return read()
	}
	kept, age := c.cached().get(q)
	switch kept := kept.(type) {
	case T:
		return clone(kept), nil
	case *fault.Fault:
		var none T
		return none, kept
	}
	v, err := read()
	var f *fault.Fault
	switch {
	case err == nil:
		c.cached().put(q, age, clone(v))
	case errors.As(err, &f) && f.Kind == fault.NotFound:
		c.cached().put(q, age, f)
	}
	return v, err
}
