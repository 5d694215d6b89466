package token_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

// together runs f in n goroutines that begin at the same time.
func together(n int, f func(i int)) {
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() { <-start; f(i) })
	}
	close(start)
	group.Wait()
}

// Those who come while a fetch ends are the hard case: they saw nothing cached, and there is no flight any
// more that they could join.
func TestFiftyAtOnceFetchEachDocumentOnce(t *testing.T) {
	t.Parallel()
	for range 40 {
		w := &web{}
		w.publish(t, issuer, jwk(t, "k1"))
		d := &token.Discovery{Fetcher: w, Now: newClock().now}
		together(50, func(int) {
			if keys, err := d.PublicKeys(t.Context(), issuer, "k1"); err != nil || len(keys) != 1 {
				t.Errorf("%v, %v", keys, err)
			}
		})
		if want := []string{issuer + "/.well-known/openid-configuration", issuer + "/keys"}; !cmp.Equal(w.asked, want) {
			t.Fatalf("asked %q", w.asked)
		}
	}
}

func TestFiftyAtOnceMeetADeadIssuerOnce(t *testing.T) {
	t.Parallel()
	w := &web{}
	d := &token.Discovery{Fetcher: w, Now: newClock().now}
	together(50, func(int) {
		if _, err := d.PublicKeys(t.Context(), issuer, "k1"); !errors.Is(err, fault.Unavailable) {
			t.Error(err)
		}
	})
	if w.count() != 1 {
		t.Errorf("asked %q", w.asked)
	}
}

func TestAFloodOfInventedKeysCostsOneFetchAnInterval(t *testing.T) {
	t.Parallel()
	c, w := newClock(), &web{}
	w.publish(t, issuer, jwk(t, "k1"))
	d := &token.Discovery{Fetcher: w, Now: c.now}
	flood := func() (fetches int) {
		before := w.count()
		together(8, func(i int) {
			for n := range 50 {
				if keys, err := d.PublicKeys(t.Context(), issuer, fmt.Sprintf("invented-%d-%d", i, n)); err != nil || len(keys) != 1 {
					t.Errorf("%v, %v", keys, err)
				}
			}
		})
		return (w.count() - before) / 2
	}
	if n := flood(); n != 2 { // the first keys, and once more for those that they lack
		t.Errorf("the first flood made %d fetches", n)
	}
	for range 3 {
		if c.advance(token.DefaultRefetch - time.Second); flood() != 0 {
			t.Error("a fetch within the interval")
		}
		if c.advance(time.Second); flood() != 1 {
			t.Error("not one fetch in the next interval")
		}
	}
}

// unwilling is a web that fails when it is told to.
type unwilling struct {
	web
	err error
}

func (u *unwilling) Fetch(ctx context.Context, url string) ([]byte, error) {
	doc, err := u.web.Fetch(ctx, url)
	if u.err != nil {
		return nil, u.err
	}
	return doc, err
}

func TestAFailingIssuerIsLeftAloneForLongerEachTime(t *testing.T) {
	t.Parallel()
	later := func(d time.Duration) error {
		return fault.Wrap(fault.Unavailable, "fetch", &token.NotNow{After: d, Err: errors.New("503")})
	}
	gone := errors.New("connection refused")
	for name, c := range map[string]struct {
		d    *token.Discovery
		errs []error
		want []int // seconds
	}{
		"twice as long each time, up to a minute": {&token.Discovery{}, []error{gone, gone, gone, gone, gone, gone}, []int{5, 10, 20, 40, 60, 60}},
		"anew after a success":                    {&token.Discovery{}, []error{gone, gone, nil, gone}, []int{5, 10, 0, 5}},
		"as long as it asks for":                  {&token.Discovery{}, []error{later(30 * time.Second), later(time.Second), gone}, []int{30, 10, 20}},
		"but no longer than a minute":             {&token.Discovery{}, []error{later(24 * time.Hour), gone}, []int{60, 10}},
		"within other bounds":                     {&token.Discovery{NegativeTTL: 3 * time.Second, MaxNegativeTTL: 7 * time.Second}, []error{gone, gone, gone, later(time.Hour)}, []int{3, 6, 7, 7}},
		"with a first rest beyond the last":       {&token.Discovery{NegativeTTL: time.Hour, MaxNegativeTTL: 2 * time.Second}, []error{gone, gone}, []int{2, 2}},
	} {
		clock, w := newClock(), &unwilling{}
		w.publish(t, issuer, jwk(t, "k1"))
		c.d.Fetcher, c.d.Now = w, clock.now
		asks := func() bool {
			before := w.count()
			_, _ = c.d.PublicKeys(t.Context(), issuer, "k1")
			return w.count() > before
		}
		for i, err := range c.errs {
			if w.err = err; !asks() {
				t.Fatalf("%s: attempt %d was not made", name, i+1)
			}
			if c.want[i] == 0 {
				clock.advance(token.DefaultTTL)
				continue
			}
			clock.advance(time.Duration(c.want[i])*time.Second - 1)
			if w.err = nil; asks() { // though it would answer now
				t.Errorf("%s: asked again within the %d seconds after failure %d", name, c.want[i], i+1)
			}
			clock.advance(1)
		}
		if w.err = nil; !asks() {
			t.Errorf("%s: an issuer that is back was not asked", name)
		}
	}
}

func TestAFailureSaysHowLongItIsRemembered(t *testing.T) {
	t.Parallel()
	d := &token.Discovery{Fetcher: &web{}, Now: newClock().now}
	_, err := d.PublicKeys(t.Context(), issuer, "")
	if err == nil || !strings.Contains(err.Error(), "failure 1 in a row; not asked again for 5s") || !errors.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}

func TestKeysThatAreTakenBackAltogetherDoNotGoOnToServe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keys   string
		serves bool
	}{
		"a broken document":                  {`<html>`, true},
		"a document without keys":            {`{}`, true},
		"an empty set":                       {`{"keys":[]}`, false},
		"a set of keys for encryption alone": {`{"keys":[{"kty":"RSA","use":"enc"}]}`, false},
	} {
		clock, w := newClock(), &web{}
		w.publish(t, issuer, jwk(t, "k1"))
		d := &token.Discovery{Fetcher: w, Now: clock.now}
		if _, err := d.PublicKeys(t.Context(), issuer, "k1"); err != nil {
			t.Fatal(err)
		}
		w.set(issuer+"/keys", c.keys)
		clock.advance(token.DefaultTTL)
		for range 2 { // from the fetch, and from what is remembered of it
			if keys, err := d.PublicKeys(t.Context(), issuer, "k1"); (err == nil) != c.serves || (len(keys) == 1) != c.serves {
				t.Errorf("%s: %v, %v", name, keys, err)
			}
		}
	}
}

func TestAnotherKeyOfTheSameIDIsFetchedWhenASignatureFails(t *testing.T) {
	t.Parallel()
	c, w := newClock(), &web{}
	stranger, err := jose.Publish("k1", otherKey().Public(), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.publish(t, issuer, stranger)
	d := &token.Discovery{Fetcher: w, Now: c.now}
	v := token.Verifier{Source: d, Algorithms: jose.RSAPKCS1, Leeway: 5 * time.Minute, Now: func() time.Time { return epoch }}
	raw := signed(t, rs512, payload(nil))
	forged := raw[:len(raw)-8] + "AAAAAAAA"
	if _, _, err := v.Verify(t.Context(), raw, issuer); err == nil {
		t.Fatal("a signature of nobody's key was taken")
	}
	if w.count() != 2 {
		t.Errorf("%d requests: keys that were just read were read again", w.count())
	}
	w.publish(t, issuer, jwk(t, "k1")) // the key rolls, its id stays
	c.advance(token.DefaultRefetch)
	together(8, func(int) {
		_, report, err := v.Verify(t.Context(), raw, issuer)
		if err != nil {
			t.Errorf("%v: %+v", err, report)
		}
	})
	if w.count() != 4 {
		t.Errorf("%d requests for the key that rolled", w.count()-2)
	}
	together(8, func(int) {
		for range 20 {
			if _, _, err := v.Verify(t.Context(), forged, issuer); !errors.Is(err, fault.Unauthenticated) {
				t.Error(err)
			}
		}
	})
	if c.advance(token.DefaultRefetch); w.count() != 4 {
		t.Errorf("forged tokens made %d requests within the bound", w.count()-4)
	}
	w.docs = map[string]string{} // and when the issuer is down, the keys that are known stay
	for range 3 {
		if _, _, err := v.Verify(t.Context(), forged, issuer); !errors.Is(err, fault.Unauthenticated) {
			t.Error(err)
		}
	}
	if _, _, err := v.Verify(t.Context(), raw, issuer); err != nil || w.count() != 5 {
		t.Errorf("%v after %d requests", err, w.count()-4)
	}
}

func TestATokenThatNamesNoKeyFindsTheOneThatTookTheOnlyOnesPlace(t *testing.T) {
	t.Parallel()
	w, c := &web{}, newClock()
	stranger, err := jose.Publish("k0", otherKey().Public(), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.publish(t, issuer, stranger)
	d := &token.Discovery{Fetcher: w, Now: c.now}
	if _, err := d.PublicKeys(t.Context(), issuer, ""); err != nil {
		t.Fatal(err)
	}
	w.publish(t, issuer, jwk(t, "k1"))
	c.advance(token.DefaultRefetch)
	v := token.Verifier{Source: d, Algorithms: jose.RSAPKCS1, Now: func() time.Time { return epoch }}
	_, report, err := v.Verify(t.Context(), signed(t, header(), payload(nil)), issuer)
	if c, _ := report.Checks.Named(token.CheckKeys); err != nil || !strings.Contains(c.Note, "read anew") {
		t.Errorf("%v: %+v", err, report)
	}
}

func TestAFloodOfIssuersDropsThoseNotAskedForLongest(t *testing.T) {
	t.Parallel()
	w := &web{}
	d := &token.Discovery{Fetcher: w, Now: newClock().now}
	w.publish(t, issuer, jwk(t, "k1"))
	ask := func(iss string) bool {
		before := w.count()
		_, _ = d.PublicKeys(t.Context(), iss, "")
		return w.count() > before
	}
	ask(issuer)
	for i := range 3 * token.DefaultMaxIssuers {
		ask(fmt.Sprintf("https://i%d.example", i)) // fails, which is remembered as well
		if i%500 == 0 && ask(issuer) {
			t.Fatal("an issuer in use was dropped")
		}
	}
	if !ask("https://i0.example") || ask(fmt.Sprintf("https://i%d.example", 3*token.DefaultMaxIssuers-1)) {
		t.Error("the wrong issuers were dropped")
	}
	ask(issuer)
	kept := 0
	for i := range 3 * token.DefaultMaxIssuers {
		if !ask(fmt.Sprintf("https://i%d.example", 3*token.DefaultMaxIssuers-1-i)) {
			kept++
		} else {
			break
		}
	}
	if kept != token.DefaultMaxIssuers-2 { // less issuer and i0
		t.Errorf("%d issuers were kept", kept)
	}
}

func TestAFetchThatAResetOvertookIsNotKept(t *testing.T) {
	t.Parallel()
	w := &web{block: make(chan struct{}), begun: make(chan struct{})}
	w.publish(t, issuer, jwk(t, "k1"))
	d := &token.Discovery{Fetcher: w, Now: newClock().now, Timeout: time.Minute}
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := d.PublicKeys(t.Context(), issuer, ""); err != nil {
			t.Error(err)
		}
	})
	<-w.begun
	d.Reset()
	close(w.block)
	group.Wait()
	if _, err := d.PublicKeys(t.Context(), issuer, ""); err != nil || w.count() != 4 {
		t.Errorf("%v after %d requests", err, w.count())
	}
}

func TestBothDocumentsTogetherHaveOneTimeout(t *testing.T) {
	t.Parallel()
	d := &token.Discovery{Fetcher: &web{block: make(chan struct{})}, Now: newClock().now, Timeout: 20 * time.Millisecond}
	if _, err := d.PublicKeys(t.Context(), issuer, ""); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}
