package treatytest

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/token"
)

func TestKeysThatRotateBetweenTwoRequests(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	x := o.issuer()
	first, second, third := x.token(nil, nil), x.token(m{"kid": "k2"}, nil), x.token(m{"kid": "k3"}, nil)
	x.expectAsking("the first time", first, "", "", 2)
	x.expectAsking("from the cache", first, "", "", 0)
	x.publish(key("k2", nil), key("k1", nil))
	x.expectAsking("a key that is new", second, "", "", 2)
	x.expectAsking("and then known", second, "", "", 0)
	x.publish(key("k3", nil), key("k2", nil))
	x.expectAsking("a newer one at once is not looked for", third, keyMissing, noKey, 0)
	x.expectAsking("one that was taken back serves on until the next fetch", first, "", "", 0)
	o.wall.advance(token.DefaultRefetch)
	x.expectAsking("the newer one, ten seconds later", third, "", "", 2)
	x.expectAsking("from then on the old one is refused", first, keyMissing, noKey, 0)

	y := o.issuer()
	old := y.token(nil, nil)
	y.expectAsking("another issuer", old, "", "", 2)
	y.publish(key("k2", nil))
	o.wall.advance(token.DefaultTTL - time.Second)
	y.expectAsking("a key that was taken back, within the hour", old, "", "", 0)
	o.wall.advance(time.Second)
	y.expectAsking("after it", old, keyMissing, noKey, 2)
}

func TestAKeyThatIsReplacedUnderItsID(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	x := o.issuer()
	x.publish(evil("k1"))
	before, after := x.tokenBy(evilKey(), nil, nil), x.token(nil, nil)
	x.expectAsking("the key of before", before, "", "", 2)
	x.publish(key("k1", nil))
	x.expectAsking("the key of after, at once", after, keyFails, unproved, 0)
	o.wall.advance(token.DefaultRefetch)
	x.expectAsking("is looked for ten seconds later", after, "", "", 2)
	x.expectAsking("and the one of before is refused", before, keyFails, unproved, 0)
	o.wall.advance(token.DefaultRefetch)
	h, p, _ := parts(after)
	forged := h + "." + p + "." + last(before)
	x.expectAsking("a forged signature makes one fetch", forged, keyFails, unproved, 2)
	for range 5 {
		x.expectAsking("and no other within ten seconds", forged, keyFails, unproved, 0)
	}
	x.expectAsking("which harms nobody", after, "", "", 0)
	o.wall.advance(token.DefaultRefetch)
	x.answers(down, nil)
	x.expectAsking("nor does one while the issuer is down", forged, keyFails, unproved, 1)
	x.expectAsking("as the keys are known", after, "", "", 0)
}

func TestAnIssuerThatIsDownAtFirstUse(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	x := o.issuer()
	tok := x.token(nil, nil)
	x.answers(down, nil)
	x.expectAsking("down", tok, unreachable, noKey, 1)
	x.expectAsking("which is remembered", tok, unreachable, noKey, 0)
	x.up()
	x.expectAsking("for a moment also when it is back", tok, unreachable, noKey, 0)
	o.wall.advance(token.DefaultNegativeTTL)
	x.expectAsking("back", tok, "", "", 2)

	y := o.issuer()
	tok = y.token(nil, nil)
	y.answers(nil, down)
	for i, rest := range []time.Duration{5, 10, 20, 40, 60, 60, 60} {
		y.expectAsking("attempt "+raw(i+1), tok, unreachable, noKey, 2)
		o.wall.advance(rest*time.Second - time.Second)
		y.expectAsking("just before attempt "+raw(i+2), tok, unreachable, noKey, 0)
		o.wall.advance(time.Second)
	}
	y.publish(key("k1", nil))
	y.expectAsking("mended, and never more than a minute later", tok, "", "", 2)

	z := o.issuer()
	tok = z.token(nil, nil)
	z.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
	}, nil)
	z.expectAsking("one that asks for half a minute", tok, unreachable, noKey, 1)
	z.up()
	o.wall.advance(29 * time.Second)
	z.expectAsking("gets it", tok, unreachable, noKey, 0)
	o.wall.advance(time.Second)
	z.expectAsking("and is asked then", tok, "", "", 2)
}

func TestAnIssuerThatGoesDownServesByTheKeysItHad(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	x := o.issuer()
	tok := x.token(nil, nil)
	x.expectAsking("up", tok, "", "", 2)
	x.answers(down, nil)
	o.wall.advance(token.DefaultTTL)
	x.expectAsking("down", tok, "", "", 1)
	for name, r := range map[string]any{"azure": x.ExplainToken(x.app, tok), "aws": x.ExplainRole(x.role, tok)} {
		if got := raw(r); !strings.Contains(got, "keys known before, as the issuer fails: ") {
			t.Errorf("explain %s does not say that the keys are old: %s", name, got)
		}
	}
	x.expectAsking("a key that is new meanwhile cannot be known", x.token(m{"kid": "k2"}, nil), keyMissing, noKey, 0)
	o.wall.advance(token.DefaultStale - token.DefaultTTL - time.Second)
	x.expectAsking("down for nearly a day", tok, "", "", 1)
	o.wall.advance(time.Second)
	x.expectAsking("down for a day, and just asked", tok, unreachable, noKey, 0)
	x.up()
	o.wall.advance(token.DefaultMaxNegativeTTL)
	x.expectAsking("back", tok, "", "", 2)

	x.publish()
	o.wall.advance(token.DefaultTTL)
	x.expectAsking("all keys taken back, which is no outage", tok, unreachable, noKey, 2)
	x.publish(key("k1", nil))
	o.wall.advance(token.DefaultNegativeTTL)
	x.expectAsking("and given again", tok, "", "", 2)
}

// Here real time passes: one document may take half a second.
func TestSlowIssuersCostTheirCallersNoMoreThanTheTimeout(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{patience: 500 * time.Millisecond})
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	drip := func(w http.ResponseWriter, r *http.Request) {
		pace := time.NewTicker(20 * time.Millisecond)
		defer pace.Stop()
		for {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-pace.C:
			}
		}
	}
	var group sync.WaitGroup
	for name, prepare := range map[string]func(x *foreign){
		"the configuration never comes":    func(x *foreign) { x.answers(silent, nil) },
		"the keys never come":              func(x *foreign) { x.answers(nil, silent) },
		"the configuration comes in drips": func(x *foreign) { x.answers(drip, nil) },
		"the keys come in drips":           func(x *foreign) { x.answers(nil, drip) },
		"the keys' headers come, no body": func(x *foreign) {
			x.answers(nil, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(200)
				_ = http.NewResponseController(w).Flush()
				silent(w, r)
			})
		},
		"a redirect to a document of drips": func(x *foreign) {
			x.answers(nil, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RawQuery == "" {
					http.Redirect(w, r, x.issuer+"/keys?slow", http.StatusFound)
					return
				}
				drip(w, r)
			})
		},
	} {
		x := o.issuer()
		prepare(x)
		tok := x.token(nil, nil)
		group.Go(func() {
			began := time.Now()
			x.expect(name, tok, unreachable, noKey)
			if took := time.Since(began); took > 20*time.Second { // two seconds, on a machine with time to spare
				t.Errorf("%s: took %s", name, took)
			}
			x.expectAsking(name+", asked again", tok, unreachable, noKey, 0)
		})
	}
	group.Wait()
}

func TestFiftyRequestsAtOnceFetchEachDocumentOnce(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	x := o.issuer()
	tok := x.token(nil, nil)
	for name, try := range map[string]func(string) string{"Entra": x.entra, "STS": x.sts} {
		before := x.requests()
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				if got := try(tok); got != "" {
					t.Errorf("%s: %s", name, got)
				}
			})
		}
		group.Wait()
		if n := x.requests() - before; n != 2 {
			t.Errorf("%s: fifty requests made %d", name, n)
		}
	}
}

func TestAFloodOfInventedKeysIsHeldToOneFetchAnInterval(t *testing.T) {
	t.Parallel()
	o := newOutside(t, Config{})
	x := o.issuer()
	x.expect("the honest token", x.token(nil, nil), "", "")
	for name, cloud := range map[string]struct {
		try  func(string) string
		want string
	}{"Entra": {x.entra, keyMissing}, "STS": {x.sts, noKey}} {
		flood := func() int {
			before := x.requests()
			var group sync.WaitGroup
			for i := range 8 {
				group.Go(func() {
					for n := range 5 {
						if got := cloud.try(x.token(m{"kid": "invented-" + raw(i) + "-" + raw(n)}, nil)); got != cloud.want {
							t.Errorf("%s: %s", name, got)
						}
					}
				})
			}
			group.Wait()
			return x.requests() - before
		}
		if n := flood(); n != 2 {
			t.Errorf("%s: a flood made %d requests", name, n)
		}
		o.wall.advance(token.DefaultRefetch - time.Second)
		if n := flood(); n != 0 {
			t.Errorf("%s: a flood within the interval made %d requests", name, n)
		}
		o.wall.advance(time.Second)
		if n := flood(); n != 2 {
			t.Errorf("%s: a flood in the next interval made %d requests", name, n)
		}
	}
}
