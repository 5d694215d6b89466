package store_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/store"
	"github.com/treatyfed/treaty/store/storetest"
)

func reason(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Reason
	}
	return ""
}

func TestAddressesThatAreNotDatabasesAreRefused(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"mysql://user:hunter2@host/db", "treaty.db", "postgres://user:hunter2@:bad:/db", "sqlite:" + t.TempDir()} {
		s, err := store.Open(t.Context(), store.Config{DSN: dsn, Sealer: storetest.Sealer(t)})
		if err == nil {
			_ = s.Close()
			t.Fatal("opened ", dsn)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Fatal("a password in an error: ", err)
		}
	}
	if _, err := store.Open(t.Context(), store.Config{}); !errors.Is(err, fault.Invalid) {
		t.Fatal("opened without a master key: ", err)
	}
}

func TestStoresInMemoryAreTheirOwn(t *testing.T) {
	t.Parallel()
	one, two := storetest.New(t, "sqlite::memory:"), storetest.New(t, "sqlite::memory:")
	must(t, one.Accounts.PutAccount(t.Context(), directory.Account{ID: "1"}))
	if _, err := two.Accounts.Account(t.Context(), "1"); !errors.Is(err, fault.NotFound) {
		t.Fatal("two stores share a row: ", err)
	}
}

func TestATemporaryFileGoesWithItsStore(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s, err := store.Open(t.Context(), store.Config{DSN: "sqlite:", Sealer: storetest.Sealer(t)})
	must(t, err)
	must(t, s.Accounts.PutAccount(t.Context(), directory.Account{ID: "1"}))
	if left, err := filepath.Glob(dir + "/*/treaty.db"); err != nil || len(left) != 1 {
		t.Fatal("no file: ", left, err)
	}
	must(t, s.Close())
	if left, err := filepath.Glob(dir + "/*"); err != nil || len(left) != 0 {
		t.Fatal("left behind: ", left, err)
	}
	if _, err := s.Accounts.Account(t.Context(), "1"); err == nil {
		t.Fatal("a closed store answers")
	}
	if err := s.Accounts.PutAccount(t.Context(), directory.Account{ID: "2"}); err == nil {
		t.Fatal("a closed store writes")
	}
}

func TestAFileIsOneStoresAtATime(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "treaty.db")
	first, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + name, Sealer: storetest.Sealer(t)})
	must(t, err)
	must(t, first.Accounts.PutAccount(t.Context(), directory.Account{ID: "1"}))
	_, err = store.Open(t.Context(), store.Config{DSN: "sqlite:" + name, Sealer: storetest.Sealer(t)})
	if !errors.Is(err, fault.Conflict) || !strings.Contains(reason(err), fmt.Sprint("process ", os.Getpid())) {
		t.Fatal("want a refusal that names this process, got ", err)
	}
	must(t, first.Close())
	again := storetest.New(t, "sqlite:"+name)
	_, err = again.Accounts.Account(t.Context(), "1")
	must(t, err)
	files, err := filepath.Glob(name + "*")
	must(t, err)
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Fatal(f, " is open to others: ", info.Mode(), err)
		}
	}
}

func TestLockRefusesASecondProcessByName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	release, err := store.Lock(dir)
	must(t, err)
	_, err = store.Lock(dir) // flock is of the open file, so one process stands for two
	if !errors.Is(err, fault.Conflict) || !strings.Contains(reason(err), fmt.Sprint("process ", os.Getpid())) {
		t.Fatal("want a refusal that names this process, got ", err)
	}
	must(t, release())
	release, err = store.Lock(dir)
	must(t, err)
	must(t, release())
	if _, err := store.Lock(filepath.Join(dir, "nothing")); !errors.Is(err, fault.Internal) {
		t.Fatal("a folder that is not there: ", err)
	}
}

func TestNoSecretIsReadableInTheFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := storetest.New(t, "sqlite:"+filepath.Join(dir, "treaty.db"))
	ctx := t.Context()
	secrets := []string{"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"}
	must(t, s.Accounts.PutAccessKey(ctx, directory.AccessKey{ID: "AKIAPLAINTEXT", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}))
	must(t, s.Accounts.PutAccount(ctx, directory.Account{ID: "1"}))
	must(t, s.AccessKeys.CreateAccessKey(ctx, directory.AccessKey{ID: "AKIACREATED", AccountID: "1", PrincipalID: "1", Secret: credential.Secret(secrets[2])}, 1))
	must(t, s.AccessKeys.SetAccessKeyActive(ctx, "1", "AKIACREATED", true))
	must(t, s.Keys.AddKey(ctx, token.StoredKey{ID: "kid", Ring: "entra", Sequence: 1, Private: []byte(secrets[1])}))
	must(t, s.Snapshot(ctx)) // copies are sealed as well
	var all []byte
	must(t, filepath.WalkDir(dir, func(f string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(f)
		all = append(all, b...)
		return err
	}))
	if !bytes.Contains(all, []byte("AKIAPLAINTEXT")) {
		t.Fatal("the files do not hold the row that this test is about")
	}
	for _, secret := range secrets {
		if bytes.Contains(all, []byte(secret)) {
			t.Fatal("in plain text: ", secret)
		}
	}
	got, err := s.Keys.Keys(ctx, "entra")
	must(t, err)
	if string(got[0].Private) != secrets[1] {
		t.Fatal("the key does not come back")
	}
}

func TestASealedValueMovedToAnotherRowDoesNotOpen(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "treaty.db")
	s, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + name, Sealer: storetest.Sealer(t)})
	must(t, err)
	must(t, s.Accounts.PutAccessKey(t.Context(), directory.AccessKey{ID: "A", Secret: "a"}))
	must(t, s.Accounts.PutAccessKey(t.Context(), directory.AccessKey{ID: "B", Secret: "b"}))
	must(t, s.Close())
	tamper(t, name, `update access_key set secret = (select secret from access_key where id = 'A') where id = 'B'`)
	s = storetest.New(t, "sqlite:"+name)
	if k, err := s.Accounts.AccessKey(t.Context(), "B"); err == nil {
		t.Fatal("opened: ", k)
	}
	_, err = s.Accounts.AccessKey(t.Context(), "A")
	must(t, err)
}

func TestAnotherMasterKeyIsRefused(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "treaty.db")
	open := func(first byte) error {
		master := make([]byte, credential.MasterKeySize)
		master[0] = first
		sealer, err := credential.NewSealer(master, rand.Reader)
		must(t, err)
		s, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + name, Sealer: sealer})
		if err == nil {
			must(t, s.Close())
		}
		return err
	}
	must(t, open(1))
	if err := open(2); !errors.Is(err, fault.Invalid) || !strings.Contains(reason(err), "another master key") {
		t.Fatal("opened under another master key: ", err)
	}
	must(t, open(1))
}

func TestANewerDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "treaty.db")
	s, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + name, Sealer: storetest.Sealer(t)})
	must(t, err)
	must(t, s.Close())
	tamper(t, name, `insert into schema_version (version) values (4711)`)
	_, err = store.Open(t.Context(), store.Config{DSN: "sqlite:" + name, Sealer: storetest.Sealer(t)})
	if !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "4711") || !strings.Contains(err.Error(), "newer") {
		t.Fatal("want a refusal that names the version, got ", err)
	}
}

// It runs before the parallel tests, because it measures.
func TestASnapshotSurvivesARestartAndRestoresInTime(t *testing.T) {
	name := filepath.Join(t.TempDir(), "treaty.db")
	s, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + name, Sealer: storetest.Sealer(t)})
	must(t, err)
	ctx := t.Context()
	for n := range 100 {
		id := fmt.Sprint("app", n)
		must(t, s.Applications.CreateApplication(ctx, directory.Application{ID: id, TenantID: "t", AppID: id, DisplayName: strings.Repeat("x", 500)}))
		must(t, s.Principals.CreatePrincipal(ctx, directory.ServicePrincipal{ID: id, TenantID: "t", AppID: id, Names: []string{id}}))
	}
	must(t, s.Snapshot(ctx))
	must(t, s.Close())
	s = storetest.New(t, "sqlite:"+name)
	for n := range 100 {
		id := fmt.Sprint("more", n)
		must(t, s.Applications.CreateApplication(ctx, directory.Application{ID: id, TenantID: "t", AppID: id}))
	}
	best := time.Hour
	for range 5 { // the best of some: the machine is not ours alone
		start := time.Now()
		must(t, s.Restore(ctx))
		best = min(best, time.Since(start))
	}
	t.Logf("restored in %v", best)
	if best > 50*time.Millisecond && !slowed {
		t.Errorf("restored in %v, want at most 50 ms", best)
	}
	if all, err := s.Applications.Applications(ctx, "t", "", 1000); err != nil || len(all) != 100 {
		t.Fatal(len(all), err)
	}
}

// TestReadersNeverSeeWhatWasReplaced has readers of a cached row watch a writer count upwards: after the
// writer has been answered, nobody is given an older value, and nobody ever goes back.
func TestReadersNeverSeeWhatWasReplaced(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]string{"file": "sqlite:" + filepath.Join(t.TempDir(), "treaty.db"), "memory": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := storetest.New(t, dsn)
			ctx := t.Context()
			app := directory.Application{ID: "a", TenantID: "t", AppID: "a"}
			must(t, s.Applications.CreateApplication(ctx, app))
			var mu sync.Mutex
			written, stop := int64(1), false
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for last := int64(0); ; {
						mu.Lock()
						atLeast, end := written, stop
						mu.Unlock()
						a, err := s.Applications.ApplicationByAppID(ctx, "a")
						if err != nil || a.Version < atLeast || a.Version < last {
							t.Errorf("read version %d after %d was written and %d read: %v", a.Version, atLeast, last, err)
							return
						}
						if last = a.Version; end {
							return
						}
					}
				})
			}
			for v := range int64(100) {
				app.Version = v + 1
				if err := s.Applications.UpdateApplication(ctx, app); err != nil {
					t.Error(err)
				}
				mu.Lock()
				written = v + 2
				mu.Unlock()
			}
			mu.Lock()
			stop = true
			mu.Unlock()
			wg.Wait()
		})
	}
}

func TestAuditKeepsNoMoreThanItsRetention(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		cfg  store.Config
		want int // of 100 events, one a minute
	}{
		{"the newest by number", store.Config{AuditKeep: 10, AuditAge: -1}, 10},
		{"the newest by age", store.Config{AuditKeep: -1, AuditAge: 20*time.Minute + time.Second}, 21},
		{"everything", store.Config{AuditKeep: -1, AuditAge: -1}, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.cfg.Sealer = storetest.Sealer(t)
			s, err := store.Open(t.Context(), c.cfg)
			must(t, err)
			defer s.Close()
			start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			for n := range 100 {
				must(t, s.Audit.Record(t.Context(), audit.Event{RequestID: fmt.Sprint("q", n), Time: start.Add(time.Duration(n) * time.Minute)}))
				if n == 50 {
					must(t, s.Audit.Prune(t.Context()))
				}
			}
			must(t, s.Audit.Prune(t.Context()))
			for n := range 100 {
				_, err := s.Audit.Find(t.Context(), fmt.Sprint("q", n))
				if kept := n >= 100-c.want; kept != (err == nil) {
					t.Fatalf("event %d, want kept %v: %v", n, kept, err)
				}
			}
		})
	}
}

func TestRecordPrunesByItself(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), store.Config{Sealer: storetest.Sealer(t), AuditKeep: 100})
	must(t, err)
	for n := range 1100 {
		must(t, s.Audit.Record(t.Context(), audit.Event{RequestID: fmt.Sprint("q", n), Time: time.Unix(1, 0)}))
	}
	s.Audit.Wait()
	if _, err := s.Audit.Find(t.Context(), "q0"); !errors.Is(err, fault.NotFound) {
		t.Fatal("the oldest of 1100 is still there with room for 100: ", err)
	}
	must(t, s.Close())
}

// replicas opens one PostgreSQL several times at once, empty, and writes through all.
func replicas(t *testing.T, dsn string) {
	t.Parallel()
	var wg sync.WaitGroup
	replicas := make([]*store.Store, 4)
	for n := range replicas {
		wg.Go(func() {
			var err error
			replicas[n], err = store.Open(t.Context(), store.Config{DSN: dsn, Sealer: storetest.Sealer(t)})
			note(t, err)
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, s := range replicas {
		t.Cleanup(func() { note(t, s.Close()) })
	}
	ctx := t.Context()
	must(t, replicas[0].Pools.CreatePool(ctx, directory.IdentityPool{ID: "p"}))
	ids := make([]string, len(replicas))
	for n, s := range replicas {
		wg.Go(func() {
			for i := range 50 {
				note(t, s.Audit.Record(ctx, audit.Event{RequestID: fmt.Sprintf("q-%d-%d", n, i), Time: time.Unix(1, 0)})) // positions collide
			}
			id, _, err := s.Identities.Resolve(ctx, directory.Identity{ID: fmt.Sprint("i", n), PoolID: "p", Logins: []directory.Login{{Provider: "p", User: "u"}}})
			note(t, err)
			ids[n] = id.ID
		})
	}
	wg.Wait()
	for n := range replicas {
		if ids[n] != ids[0] {
			t.Fatal("replicas made several identities of one login: ", ids)
		}
		for i := range 50 {
			_, err := replicas[0].Audit.Find(ctx, fmt.Sprintf("q-%d-%d", n, i))
			must(t, err)
		}
	}
	usedOnce(t, replicas)
	putTogether(t, replicas)
	// What one replica writes the others read at once.
	app := directory.Application{ID: "a", TenantID: "t", AppID: "a", DisplayName: "old"}
	must(t, replicas[1].Applications.CreateApplication(ctx, app))
	_, err := replicas[2].Applications.ApplicationByAppID(ctx, "a")
	must(t, err)
	app.Version, app.DisplayName = 1, "new"
	must(t, replicas[1].Applications.UpdateApplication(ctx, app))
	if a, err := replicas[2].Applications.ApplicationByAppID(ctx, "a"); err != nil || a.DisplayName != "new" {
		t.Fatal(a, err)
	}
}

// putTogether has every replica put the same new rows, which have more keys than the one that is replaced
// by: all of them are to succeed, as one after another.
func putTogether(t *testing.T, replicas []*store.Store) {
	t.Helper()
	for round := range 50 {
		id := fmt.Sprint("row", round)
		var wg sync.WaitGroup
		for _, s := range replicas {
			wg.Go(func() {
				note(t, s.Users.PutUser(t.Context(), directory.User{ID: id, TenantID: "t", UserPrincipalName: id + "@t"}))
				note(t, s.Accounts.PutAccount(t.Context(), directory.Account{ID: id, Alias: id}))
				note(t, s.Roles.PutRoleDefinition(t.Context(), directory.RoleDefinition{ID: id, TenantID: "t", Name: id}))
				note(t, s.Tenants.PutTenant(t.Context(), directory.Tenant{ID: id, Domains: []string{id + ".example", "www." + id + ".example"}}))
			})
		}
		wg.Wait()
	}
	err := replicas[0].Users.PutUser(t.Context(), directory.User{ID: "another", TenantID: "t", UserPrincipalName: "row1@t"})
	if !errors.Is(err, fault.Conflict) || reason(err) != "upn" {
		t.Fatal("a name that another has: ", err)
	}
}

// usedOnce has callers at one replica take anew what has expired, while the others, who have not looked for
// a while, forget it.
func usedOnce(t *testing.T, replicas []*store.Store) {
	t.Helper()
	for hour := range 50 {
		now := time.Unix(int64(1+3600*hour), 0)
		must(t, replicas[0].Once.Use(t.Context(), "jti", now, now.Add(time.Second)))
		now = now.Add(2 * time.Second)
		used := make([]error, 8)
		var wg sync.WaitGroup
		for n := range used {
			wg.Go(func() { used[n] = replicas[0].Once.Use(t.Context(), "jti", now, now.Add(time.Minute)) })
		}
		for n, s := range replicas[1:] {
			wg.Go(func() { note(t, s.Once.Use(t.Context(), fmt.Sprint("other", n), now, now)) })
		}
		wg.Wait()
		used = append(used, replicas[0].Once.Use(t.Context(), "jti", now, now.Add(time.Minute)))
		if won := slices.DeleteFunc(used, func(err error) bool { return errors.Is(err, fault.Conflict) }); len(won) != 1 || won[0] != nil {
			t.Fatalf("what is used once was used by %d callers: %v", len(won), won)
		}
	}
}

// note is must for goroutines that are not the test's own.
func note(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
