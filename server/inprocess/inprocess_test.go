package inprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	w.Header().Set("X-Tls", fmt.Sprint(r.TLS != nil))
	w.WriteHeader(http.StatusTeapot)
	w.Header().Set("X-Late", "ignored")
	fmt.Fprintf(w, "%s %s host=%s uri=%s path=%s length=%s body=%s", r.Method, r.URL.Host, r.Host, r.RequestURI, r.URL.Path, r.Header.Get("Content-Length"), b)
}

func client() *http.Client {
	return &http.Client{Transport: &Transport{Handler: func(u *url.URL) http.Handler {
		if u.Host == "login.example" {
			return http.HandlerFunc(echo)
		}
		return nil
	}}}
}

func TestTheHandlerSeesWhatAServerWouldHaveRead(t *testing.T) {
	t.Parallel()
	resp, err := client().Post("https://login.example/a%20b?x=1#frag", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if want := "POST  host=login.example uri=/a%20b?x=1 path=/a b length=5 body=hello"; string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	if resp.StatusCode != http.StatusTeapot || resp.Header.Get("X-Tls") != "true" || resp.Header.Get("X-Late") != "" {
		t.Errorf("status %d, header %v", resp.StatusCode, resp.Header)
	}
}

func TestOtherHostsAreRefusedWithoutANextTransport(t *testing.T) {
	t.Parallel()
	_, err := client().Get("https://elsewhere.example/")
	if err == nil || !strings.Contains(err.Error(), "elsewhere.example is not answered") {
		t.Errorf("got %v", err)
	}
}

func TestWithoutAHandlerAllIsForTheNextTransport(t *testing.T) {
	t.Parallel()
	none := &http.Client{Transport: &Transport{}}
	if _, err := none.Get("https://login.example/"); err == nil || !strings.Contains(err.Error(), "login.example is not answered") {
		t.Errorf("got %v", err)
	}
	next := &http.Client{Transport: &Transport{Next: client().Transport}}
	resp, err := next.Get("https://login.example/")
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusTeapot {
		t.Errorf("status %d, %v", resp.StatusCode, err)
	}
}

func TestACancelledRequestFails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://login.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client().Do(r); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
