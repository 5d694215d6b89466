// Package clock is the time that a server tells: the machine's, or one that a test has frozen or moved.
//
// It owns the one type whose Now every surface is given. Certificates and timeouts follow the machine's
// own time: the clients at the other end do.
package clock

import (
	"sync/atomic"
	"time"
)

// Clock tells the time. The zero value tells the machine's.
type Clock struct {
	state atomic.Pointer[State]
}

// State is how a clock differs from the machine's.
type State struct {
	Frozen bool          `json:"frozen"`
	At     time.Time     `json:"at,omitzero"`      // the time told while frozen
	Offset time.Duration `json:"offset,omitempty"` // added to the machine's time while not
}

// Frozen gives a clock that stands at t.
func Frozen(t time.Time) *Clock {
	c := &Clock{}
	c.Freeze(t)
	return c
}

// Now is the time told, in UTC.
func (c *Clock) Now() time.Time {
	s := c.state.Load()
	switch {
	case s == nil:
		return time.Now().UTC()
	case s.Frozen:
		return s.At
	}
	return time.Now().Add(s.Offset).UTC()
}

// Freeze makes the clock stand at t.
func (c *Clock) Freeze(t time.Time) { c.state.Store(&State{Frozen: true, At: t.UTC()}) }

// Advance moves the clock by d, standing or running.
func (c *Clock) Advance(d time.Duration) {
	for {
		old := c.state.Load()
		next := State{Offset: d}
		if old != nil {
			next = *old
			if next.Frozen {
				next.At = next.At.Add(d)
			} else {
				next.Offset += d
			}
		}
		if c.state.CompareAndSwap(old, &next) {
			return
		}
	}
}

// Resume lets the clock tell the machine's time again.
func (c *Clock) Resume() { c.state.Store(nil) }

// State says how the clock differs from the machine's.
func (c *Clock) State() State {
	if s := c.state.Load(); s != nil {
		return *s
	}
	return State{}
}
