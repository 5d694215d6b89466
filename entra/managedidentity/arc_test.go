package managedidentity_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/treatyfed/treaty/core/directory"
)

const arcQuery = "api-version=2020-06-01&resource=https%3A%2F%2Fmanagement.azure.com%2F"

// challenged asks without a secret and returns the file that the answer names.
func (w *world) challenged(query string) string {
	w.t.Helper()
	resp := w.do(w.arc(query))
	path, ok := strings.CutPrefix(resp.Header.Get("WWW-Authenticate"), "Basic realm=")
	if resp.StatusCode != http.StatusUnauthorized || !ok {
		w.t.Fatalf("status %d with %q", resp.StatusCode, resp.Header)
	}
	return path
}

func (w *world) secret(query string) (path, secret string) {
	w.t.Helper()
	path = w.challenged(query)
	b, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return path, string(b)
}

func TestArcGivesATokenToWhoReadsTheFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path, secret := w.secret(arcQuery)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o640 || info.Size() > 4096 || filepath.Dir(path) != w.ArcFolder || filepath.Ext(path) != ".key" || strings.ContainsRune(path, '=') || len(secret) != 43 {
		t.Errorf("%s has mode %v, %q", path, info.Mode(), secret)
	}
	if status, body := w.body(w.arc(arcQuery, "Authorization", "Basic "+secret)); status != http.StatusOK || body != granted {
		t.Errorf("status %d: %s", status, body)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("the file is still there after its use")
	}
	if status, _ := w.body(w.arc(arcQuery, "Authorization", "Basic "+secret)); status != http.StatusUnauthorized {
		t.Error("a secret opens twice")
	}
}

func TestArcRefuses(t *testing.T) {
	t.Parallel()
	missing := `{"error":"identity_not_found","error_description":"the requested identity has not been assigned to this resource"}`
	for _, tt := range []struct {
		name   string
		ask    func(w *world) ask
		status int
		body   string
	}{
		{"an unknown secret", func(w *world) ask { return w.arc(arcQuery, "Authorization", "Basic c2VjcmV0") }, 401, ""},
		{"a secret under another scheme", func(w *world) ask {
			_, secret := w.secret(arcQuery)
			return w.arc(arcQuery, "Authorization", "Bearer "+secret)
		}, 401, ""},
		{"a secret that is too old", func(w *world) ask {
			_, secret := w.secret(arcQuery)
			w.now = w.now.Add(time.Minute)
			return w.arc(arcQuery, "Authorization", "Basic "+secret)
		}, 401, ""},
		{"another machine's secret", func(w *world) ask {
			_, secret := w.secret(arcQuery)
			other := w.machines["arc"]
			other.ID, other.Name = "another", "arc2"
			w.machines["arc2"] = other
			a := w.arc(arcQuery, "Authorization", "Basic "+secret)
			a.path = strings.Replace(a.path, "/arc/", "/arc2/", 1)
			return a
		}, 401, ""},
		{"no header", func(w *world) ask { a := w.arc(arcQuery); a.headers = nil; return a }, 400, ""},
		{"an unknown version", func(w *world) ask { return w.arc("api-version=2018-02-01&resource=x") }, 400, ""},
		{"no resource, before any challenge", func(w *world) ask { return w.arc("api-version=2020-06-01") }, 400, ""},
		{"an identity that is not the machine's, before any challenge", func(w *world) ask { return w.arc(arcQuery + "&client_id=" + twoApp) }, 404, missing},
		{"the system-assigned identity by its client id", func(w *world) ask { return w.arc(arcQuery + "&client_id=" + sysApp) }, 404, missing},
		{"the selector that real agents overlook", func(w *world) ask { return w.arc(arcQuery + "&mi_res_id=" + oneID) }, 404, missing},
		{"a server without an identity", func(w *world) ask {
			w.machine("arc", directory.MachineArc, "")
			return w.arc(arcQuery)
		}, 404, missing},
		{"an unknown resource, after the challenge", func(w *world) ask {
			const query = "api-version=2019-11-01&resource=https://unknown"
			_, secret := w.secret(query)
			return w.arc(query, "Authorization", "Basic "+secret)
		}, 400, unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			status, body := w.body(tt.ask(w))
			if status != tt.status || tt.body != "" && body != tt.body {
				t.Errorf("status %d, want %d: %s", status, tt.status, body)
			}
		})
	}
}

func TestArcConfirmsAUserAssignedIdentity(t *testing.T) {
	t.Parallel()
	for selector, value := range map[string]string{"client_id": oneApp, "object_id": oneSP, "msi_res_id": oneID} {
		w := newWorld(t)
		query := arcQuery + "&" + selector + "=" + strings.ToUpper(value)
		_, secret := w.secret(query)
		if got := w.member(w.arc(query, "Authorization", "Basic "+secret), selector); got != value {
			t.Errorf("%s is answered by %q", selector, got)
		}
	}
}

func TestOfEightWithOneSecretOneWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, secret := w.secret(arcQuery)
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if w.do(w.arc(arcQuery, "Authorization", "Basic "+secret)).StatusCode == http.StatusOK {
				won.Add(1)
			}
		})
	}
	if wg.Wait(); won.Load() != 1 {
		t.Errorf("%d of eight got a token", won.Load())
	}
}

func TestOpenChallengesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, secret := w.secret(arcQuery)
	for range 256 {
		w.now = w.now.Add(time.Millisecond)
		w.challenged(arcQuery)
	}
	files, err := os.ReadDir(w.ArcFolder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(first); len(files) != 256 || !os.IsNotExist(err) {
		t.Errorf("%d files are open, the first among them: %v", len(files), err)
	}
	if status, _ := w.body(w.arc(arcQuery, "Authorization", "Basic "+secret)); status != http.StatusUnauthorized {
		t.Error("a forgotten secret opens")
	}
	w.Close()
	if files, _ = os.ReadDir(w.ArcFolder); len(files) != 0 {
		t.Errorf("%d files are left behind", len(files))
	}
}

func TestFilesGoWhenNobodyComesForThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		path := w.challenged(arcQuery)
		time.Sleep(time.Minute) // of the bubble
		synctest.Wait()
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Error("the file is still there")
		}
	})
}

func TestArcSaysWhenItCannotWriteItsFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	blocked := filepath.Join(w.ArcFolder, "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.ArcFolder = blocked
	status, body := w.body(w.arc(arcQuery))
	if status != http.StatusInternalServerError || !strings.Contains(body, "cannot be written") || !strings.Contains(body, blocked) || w.events[0].Code != "challenge_file" {
		t.Errorf("status %d: %s", status, body)
	}
}
