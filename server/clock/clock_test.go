package clock

import (
	"sync"
	"testing"
	"time"
)

func TestAClockIsFrozenAdvancedAndResumed(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := Frozen(at)
	if !c.Now().Equal(at) {
		t.Errorf("a frozen clock tells %v", c.Now())
	}
	c.Advance(time.Hour)
	if want := at.Add(time.Hour); !c.Now().Equal(want) || !c.State().Frozen {
		t.Errorf("after an hour it tells %v, want %v, still frozen", c.Now(), want)
	}
	c.Resume()
	if d := time.Since(c.Now()); d > time.Minute || d < -time.Minute {
		t.Errorf("a resumed clock is %v off", d)
	}
	c.Advance(48 * time.Hour)
	c.Advance(-24 * time.Hour)
	if d := time.Until(c.Now()); d < 23*time.Hour || d > 25*time.Hour || c.State().Offset != 24*time.Hour {
		t.Errorf("a running clock advanced by a day is %v ahead, state %+v", d, c.State())
	}
}

func TestNoAdvanceIsLost(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := Frozen(at)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { c.Advance(time.Second) })
	}
	wg.Wait()
	if got := c.Now().Sub(at); got != 50*time.Second {
		t.Errorf("fifty seconds became %v", got)
	}
}
