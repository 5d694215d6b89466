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
)

const issuer = "https://issuer.example/realm"

func TestDiscoveryRefuses(t *testing.T) {
	t.Parallel()
	config := func(iss, jwks string) string { return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, iss, jwks) }
	for name, c := range map[string]struct {
		issuer, config, keys, want string
	}{
		"an issuer by http":                {issuer: "http://issuer.example", want: "issuer: it is not https"},
		"a loopback issuer by http":        {issuer: "http://127.0.0.1:8080", want: "http is not admitted for loopback"},
		"an issuer without a host":         {issuer: "https:///x", want: "not a plain URL"},
		"an issuer with credentials":       {issuer: "https://u:p@issuer.example", want: "not a plain URL"},
		"an issuer with a query":           {issuer: "https://issuer.example/?a=b", want: "it has a query"},
		"an issuer that is no URL":         {issuer: "cognito", want: "not a plain URL"},
		"an empty issuer":                  {issuer: "", want: "it is missing"},
		"an endless issuer":                {issuer: "https://" + strings.Repeat("a", 3000), want: "longer than"},
		"no document":                      {issuer: issuer, want: "404"},
		"a document of HTML":               {issuer: issuer, config: "<html>", want: "not a JSON object"},
		"a huge document":                  {issuer: issuer, config: strings.Repeat(" ", 300<<10), want: "too large"},
		"a document of another issuer":     {issuer: issuer, config: config("https://other.example", "https://other.example/keys"), want: "the document's issuer is https://other.example"},
		"a document with a trailing slash": {issuer: issuer, config: config(issuer+"/", issuer+"/keys"), want: "only the slash at the end differs"},
		"a document without issuer":        {issuer: issuer, config: `{"jwks_uri":"https://issuer.example/keys"}`, want: "the document's issuer is"},
		"keys by http":                     {issuer: issuer, config: config(issuer, "http://issuer.example/keys"), want: "jwks_uri: it is not https"},
		"keys at a file":                   {issuer: issuer, config: config(issuer, "file:///etc/passwd"), want: "jwks_uri: "},
		"no address of keys":               {issuer: issuer, config: `{"issuer":"` + issuer + `"}`, want: "jwks_uri: it is missing"},
		"keys that cannot be had":          {issuer: issuer, config: config(issuer, issuer+"/gone"), want: "404"},
		"keys of no use":                   {issuer: issuer, config: config(issuer, issuer+"/keys"), keys: `{"keys":[{"kty":"oct"}]}`, want: "no usable key"},
		"keys that are no set":             {issuer: issuer, config: config(issuer, issuer+"/keys"), keys: `[]`, want: "not a JSON object"},
		"keys with something behind":       {issuer: issuer, config: config(issuer, issuer+"/keys"), keys: `{"keys":[]}x`, want: "text after"},
		"keys nested too deep":             {issuer: issuer, config: config(issuer, issuer+"/keys"), keys: `{"keys":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`, want: "nested too deeply"},
		"keys in UTF-16":                   {issuer: issuer, config: config(issuer, issuer+"/keys"), keys: "\xff\xfe{\x00}\x00", want: "not a JSON object"},
		"a document of the issuer's port":  {issuer: issuer, config: config("https://issuer.example:443/realm", issuer+"/keys"), want: "the document's issuer is"},
		"a document of http":               {issuer: issuer, config: config("http"+issuer[5:], issuer+"/keys"), want: "the document's issuer is"},
		"a document in capitals":           {issuer: issuer, config: config(strings.ToUpper(issuer), issuer+"/keys"), want: "the document's issuer is"},
		"an empty document":                {issuer: issuer, config: " ", want: "not a JSON object"},
	} {
		w := &web{}
		if c.config != "" {
			w.set(issuer+"/.well-known/openid-configuration", c.config)
		}
		if c.keys != "" {
			w.set(issuer+"/keys", c.keys)
		}
		d := &token.Discovery{Fetcher: w, Now: newClock().now}
		_, err := d.PublicKeys(t.Context(), c.issuer, "")
		if !errors.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want …%s…", name, err, c.want)
		}
	}
}

func TestDiscoveryFollowsTheIssuersOwnDocuments(t *testing.T) {
	t.Parallel()
	for _, iss := range []string{issuer, issuer + "/", "http://localhost:9000", "http://[::1]:9000/x"} {
		w := &web{}
		w.publish(t, iss, jwk(t, "k1"))
		d := &token.Discovery{Fetcher: w, Now: newClock().now, LoopbackHTTP: true}
		keys, err := d.PublicKeys(t.Context(), iss, "k1")
		if err != nil || len(keys) != 1 || keys[0].ID != "k1" {
			t.Errorf("%s: %v, %v", iss, keys, err)
		}
		base := strings.TrimSuffix(iss, "/")
		if want := []string{base + "/.well-known/openid-configuration", base + "/keys"}; !cmp.Equal(w.asked, want) {
			t.Errorf("%s: asked %q", iss, w.asked)
		}
	}
}

func TestDiscoveryReadsDocumentsThatAreNotQuiteTidy(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(doc string) string{
		"with a byte order mark": func(doc string) string { return "\xef\xbb\xbf" + doc },
		"with space around":      func(doc string) string { return "\r\n\t " + doc + "\r\n" },
		"with a member twice, of which the last counts": func(doc string) string {
			return `{"issuer":"https://other.example","jwks_uri":7,"keys":0,` + doc[1:]
		},
	} {
		w := &web{}
		w.publish(t, issuer, jwk(t, "k1"))
		for address, doc := range w.docs {
			w.docs[address] = change(doc)
		}
		d := &token.Discovery{Fetcher: w, Now: newClock().now}
		if keys, err := d.PublicKeys(t.Context(), issuer, "k1"); err != nil || len(keys) != 1 {
			t.Errorf("%s: %v, %v", name, keys, err)
		}
	}
}

func TestDiscoveryCaches(t *testing.T) {
	t.Parallel()
	c, w := newClock(), &web{}
	w.publish(t, issuer, jwk(t, "k1"))
	d := &token.Discovery{Fetcher: w, Now: c.now}
	expect := func(step, kid string, fetches int, want ...string) {
		t.Helper()
		before := w.count()
		keys, err := d.PublicKeys(t.Context(), issuer, kid)
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		got := []string{}
		for _, k := range keys {
			got = append(got, k.ID)
		}
		if !cmp.Equal(got, want) || w.count()-before != 2*fetches {
			t.Errorf("%s: %q after %d requests, want %q after %d", step, got, w.count()-before, want, 2*fetches)
		}
	}
	expect("the first time", "k1", 1, "k1")
	expect("a known key", "k1", 0, "k1")
	w.publish(t, issuer, jwk(t, "k2"), jwk(t, "k1"))
	expect("an unknown key", "k2", 1, "k2", "k1")
	expect("another unknown key at once", "k3", 0, "k2", "k1")
	c.advance(token.DefaultRefetch)
	expect("another unknown key later", "k3", 1, "k2", "k1")
	w.publish(t, issuer, jwk(t, "k2"))
	expect("a withdrawn key within the time to live", "k1", 0, "k2", "k1")
	c.advance(token.DefaultTTL)
	expect("after the time to live", "k2", 1, "k2")
	w.docs = map[string]string{} // the issuer goes away
	c.advance(token.DefaultTTL)
	before := w.count()
	keys, err := d.PublicKeys(t.Context(), issuer, "k2")
	if err != nil || len(keys) != 1 || w.count() != before+1 {
		t.Errorf("an issuer that went away: %v, %v after %d requests", keys, err, w.count()-before)
	}
	expect("the failure is remembered and the old keys serve", "k2", 0, "k2")
	c.advance(token.DefaultStale)
	if _, err := d.PublicKeys(t.Context(), issuer, "k2"); !errors.Is(err, fault.Unavailable) {
		t.Errorf("keys that are too old served: %v", err)
	}
	w.publish(t, issuer, jwk(t, "k4"))
	if _, err := d.PublicKeys(t.Context(), issuer, "k4"); err == nil {
		t.Error("a failure was not remembered")
	}
	c.advance(2 * token.DefaultNegativeTTL) // the second failure in a row
	expect("an issuer that comes back", "k4", 1, "k4")
	d.Reset()
	expect("after a reset", "k4", 1, "k4")
}

func TestConcurrentRequestsShareAFetch(t *testing.T) {
	t.Parallel()
	w := &web{block: make(chan struct{}), begun: make(chan struct{})}
	w.publish(t, issuer, jwk(t, "k1"))
	d := &token.Discovery{Fetcher: w, Now: newClock().now, Timeout: time.Minute}
	impatient, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			ctx := t.Context()
			if i == 0 {
				ctx = impatient
			}
			keys, err := d.PublicKeys(ctx, issuer, "k1")
			if i == 0 {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("who went away got %v, %v", keys, err)
				}
			} else if err != nil || len(keys) != 1 {
				t.Errorf("%v, %v", keys, err)
			}
			if i == 0 {
				close(w.block)
			}
		})
		if i == 0 {
			<-w.begun // its fetch is under way
		}
	}
	cancel() // who fetches goes away; the others must not suffer
	wg.Wait()
	if w.count() != 2 {
		t.Errorf("%d requests", w.count())
	}
}

func TestTheNumberOfIssuersIsBounded(t *testing.T) {
	t.Parallel()
	c, w := newClock(), &web{}
	d := &token.Discovery{Fetcher: w, Now: c.now, MaxIssuers: 3}
	for i := range 10 {
		iss := fmt.Sprintf("https://i%d.example", i)
		w.publish(t, iss, jwk(t, "k"))
		c.advance(time.Second)
		if _, err := d.PublicKeys(t.Context(), iss, "k"); err != nil {
			t.Fatal(err)
		}
	}
	before := w.count()
	for _, i := range []int{7, 8, 9} {
		if _, err := d.PublicKeys(t.Context(), fmt.Sprintf("https://i%d.example", i), "k"); err != nil {
			t.Fatal(err)
		}
	}
	if w.count() != before {
		t.Error("a recent issuer was dropped")
	}
	if _, err := d.PublicKeys(t.Context(), "https://i0.example", "k"); err != nil || w.count() != before+2 {
		t.Errorf("the oldest issuer was kept beyond the bound: %v", err)
	}
}
