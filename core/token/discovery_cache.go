package token

import (
	"container/list"
	"errors"
	"fmt"
	"time"
)

// published is what we know of an issuer's keys. It is replaced, never written to.
type published struct {
	Published
	fetchedAt time.Time     // of the keys; zero when there are none
	triedAt   time.Time     // of the last attempt
	extraAt   time.Time     // of the last attempt made because the keys did not verify a token
	err       error         // of the last attempt
	failures  int           // in a row
	rest      time.Duration // from triedAt, in which a failed issuer is left alone
	own       bool          // it answered, or was to answer, in this process
}

// fail makes p, which is not kept yet, what is known after a failure.
func (p *published) fail(before *published, err error, b backOff) {
	p.Published, p.fetchedAt, p.failures = Published{}, time.Time{}, 1
	if before != nil {
		p.failures = before.failures + 1
	}
	if before != nil && !before.own && !p.own && !errors.Is(err, errWithdrawn) {
		p.Published, p.fetchedAt = before.Published, before.fetchedAt
	}
	var later *NotNow
	errors.As(err, &later)
	p.rest = b.after(p.failures, later)
	p.err = fmt.Errorf("%w (failure %d in a row; not asked again for %s)", err, p.failures, p.rest)
}

// resting reports that the issuer failed a short while ago.
func (p *published) resting(now time.Time) bool {
	return p.err != nil && within(now, p.triedAt, p.rest)
}

func (p *published) has(kid string) bool {
	for _, k := range p.Keys {
		if k.ID == kid {
			return true
		}
	}
	return false
}

// within reports that at lies in the past of now, less than span ago. A clock that was set back makes
// everything old.
func within(now, at time.Time, span time.Duration) bool {
	age := now.Sub(at)
	return age >= 0 && age < span
}

// backOff says how long a failing issuer is left alone. There is no jitter in it: an issuer is asked when
// somebody brings a token of it and never by a timer, one process asks once for all who wait, and so
// replicas that failed together do not come back together.
type backOff struct{ first, most time.Duration }

func (b backOff) after(failures int, later *NotNow) time.Duration {
	rest := min(b.first, b.most)
	for i := 1; i < failures && rest < b.most; i++ {
		rest = min(2*rest, b.most)
	}
	if later != nil {
		rest = max(rest, min(later.After, b.most))
	}
	return rest
}

// cache is what is known of issuers, up to a number of them; the one that nobody asked for longest makes
// room. Every operation costs the same however many there are: whoever may write trusts can make us ask
// for many names.
type cache struct {
	by     map[string]*list.Element
	latest list.List // of *entry, the one asked for last in front
}

type entry struct {
	key string
	*published
}

func (c *cache) get(key string) *published {
	e := c.by[key]
	if e == nil {
		return nil
	}
	c.latest.MoveToFront(e)
	return e.Value.(*entry).published
}

func (c *cache) put(key string, p *published, most int) {
	if e := c.by[key]; e != nil {
		e.Value = &entry{key, p}
		c.latest.MoveToFront(e)
		return
	}
	if c.by == nil {
		c.by = map[string]*list.Element{}
	}
	c.by[key] = c.latest.PushFront(&entry{key, p})
	for len(c.by) > max(most, 1) {
		oldest := c.latest.Back()
		delete(c.by, c.latest.Remove(oldest).(*entry).key)
	}
}

func (c *cache) drop(which func(key string) bool) {
	for key, e := range c.by {
		if which(key) {
			c.latest.Remove(e)
			delete(c.by, key)
		}
	}
}
