package server

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/idp"
	"github.com/treatyfed/treaty/server/folder"
)

func TestAnIssuerWhoseHostCannotBeVouchedForIsNotThere(t *testing.T) {
	t.Parallel()
	f, err := folder.Open(t.TempDir(), false, noEnv, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := memory(t, func(c *Config) { c.Folder = f })
	roots := f.Path(folder.CAFile)
	if err := errors.Join(os.Remove(roots), os.Mkdir(roots, 0o700)); err != nil { // nothing can be written there
		t.Fatal(err)
	}
	if status, body := control(t, s, "POST", "issuers", acme, "Bearer "+s.control); status != http.StatusInternalServerError {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := control(t, s, "GET", "issuers/acme", "", "Bearer "+s.control); status != http.StatusNotFound {
		t.Errorf("%d %s", status, body)
	}
	if err := os.Remove(roots); err != nil {
		t.Fatal(err)
	}
	ordered[IssuerView](t, s, "POST", "issuers", acme)
	if b, err := os.ReadFile(roots); err != nil || !strings.Contains(string(b), "# acme.okta.com\n") {
		t.Errorf("clients do not find the root that was made before: %v", err)
	}
}

func TestADeletionThatEndedHalfwayIsMadeWhole(t *testing.T) {
	t.Parallel()
	s := memory(t)
	ordered[IssuerView](t, s, "POST", "issuers", acme)
	ordered[MintedView](t, s, "POST", "issuers/acme/token", `{"client":"payroll","audience":["api://x"]}`)
	if err := s.store.Issuers.DeleteIssuer(t.Context(), "acme"); err != nil { // and its keys are still there
		t.Fatal(err)
	}
	if status, body := control(t, s, "DELETE", "issuers/acme", "", "Bearer "+s.control); status != http.StatusNotFound {
		t.Errorf("%d %s", status, body)
	}
	for _, ring := range idp.RingsOf("acme") {
		if left, err := s.store.Keys.Keys(t.Context(), ring); err != nil || len(left) != 0 {
			t.Errorf("%s: %d keys, %v", ring, len(left), err)
		}
	}
}

// leaving has the client go away as soon as its machine is written.
type leaving struct {
	machines
	leave func()
}

type machines interface{ directory.Machines }

func (l *leaving) CreateMachine(ctx context.Context, m directory.Machine, system *directory.ServicePrincipal) error {
	defer l.leave()
	return l.machines.CreateMachine(ctx, m, system)
}

func TestAMachineIsWholeOrNotThereWhenItsClientGoesAway(t *testing.T) {
	t.Parallel()
	for role, is := range map[string]bool{"Reader": true, "King": false} {
		s := memory(t)
		ctx, leave := context.WithCancel(t.Context())
		s.store.Machines = &leaving{s.store.Machines, leave}
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "https://localhost:8443/_treaty/machines",
			strings.NewReader(`{"name":"web","system_assigned":true,"roles":[{"role":"`+role+`","scope":"/subscriptions/`+SubscriptionID+`"}]}`))
		r.Header.Set("Authorization", "Bearer "+s.control)
		s.ServeHTTP(httptest.NewRecorder(), r)
		m, err := s.store.Machines.Machine(t.Context(), "web")
		if is != (err == nil) || !is && !errors.Is(err, fault.NotFound) {
			t.Errorf("%s: %+v, %v", role, m, err)
		}
		if !is {
			continue
		}
		held, err := s.store.Roles.RoleAssignmentsOf(t.Context(), TenantID, m.System)
		if err != nil || len(held) != 1 {
			t.Errorf("%+v, %v", held, err)
		}
	}
}

func TestAnIssuerIsKnownAsSoonAsItIsThereAndNoLonger(t *testing.T) {
	t.Parallel()
	s := memory(t, func(c *Config) { c.Wall = func() time.Time { return time.Unix(1_800_000_000, 0) } }) // nothing is forgotten by its age
	const address = "https://acme.okta.com/oauth2/default"
	known := func() bool {
		_, one := s.remote.PublicKeys(t.Context(), address, "")
		_, other := s.webKeys.PinnedKeys(t.Context(), address, "", []string{"x"})
		return one == nil && other == nil
	}
	if known() {
		t.Fatal("before it is there")
	}
	ordered[IssuerView](t, s, "POST", "issuers", acme)
	if !known() {
		t.Error("a failure of before stands in its way")
	}
	ordered[map[string]string](t, s, "DELETE", "issuers/acme", "")
	if known() {
		t.Error("after it is gone")
	}
}
