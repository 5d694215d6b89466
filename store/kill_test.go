package store_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/store/storetest"
)

// writerEnv names the database file to a child process of TestKilledWhileWriting.
const writerEnv = "TREATY_STORETEST_WRITE"

// TestKilledWhileWriting kills a process in the middle of its writes, again and again on one file, and
// finds everything that the process had acknowledged.
func TestKilledWhileWriting(t *testing.T) {
	if name := os.Getenv(writerEnv); name != "" {
		writeUntilKilled(t, name)
	}
	t.Parallel()
	name := filepath.Join(t.TempDir(), "treaty.db")
	acknowledged := 0
	for round := range 6 {
		lines := runAndKill(t, name, round, 40+round*37)
		s := storetest.New(t, "sqlite:"+name)
		for _, line := range lines {
			var what, id string
			if _, err := fmt.Sscan(line, &what, &id); err != nil {
				continue // the last line may be cut
			}
			acknowledged++
			var err error
			switch what {
			case "app":
				_, err = s.Applications.Application(t.Context(), "t", id)
			case "audit":
				_, err = s.Audit.Find(t.Context(), id)
			case "login":
				_, err = s.Identities.ByLogin(t.Context(), "p", directory.Login{Provider: "p", User: id})
			}
			if err != nil {
				t.Fatalf("round %d: acknowledged and lost: %v", round, err)
			}
		}
		must(t, s.Close())
		db, err := sql.Open("sqlite", name)
		must(t, err)
		var said string
		must(t, db.QueryRowContext(t.Context(), `pragma integrity_check`).Scan(&said))
		if must(t, db.Close()); said != "ok" {
			t.Fatal("integrity check: ", said)
		}
	}
	if acknowledged < 100 {
		t.Fatalf("only %d writes were acknowledged: the test proves nothing", acknowledged)
	}
}

// runAndKill runs the writing child until it has acknowledged so many writes, kills it, and gives all
// that it acknowledged.
func runAndKill(t *testing.T, name string, round, after int) (lines []string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKilledWhileWriting$")
	child.Env = append(os.Environ(), writerEnv+"="+name, fmt.Sprint("TREATY_STORETEST_ROUND=", round))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	limit := time.AfterFunc(5*time.Minute, func() { _ = child.Process.Kill() })
	defer limit.Stop()
	for s := bufio.NewScanner(out); s.Scan(); {
		if lines = append(lines, s.Text()); len(lines) == after {
			must(t, child.Process.Kill())
		}
	}
	_ = child.Wait() // it was killed
	if len(lines) < after {
		t.Fatalf("the child ended by itself after %d writes: %q", len(lines), lines)
	}
	return lines
}

// writeUntilKilled writes from several goroutines, and says each write on standard output once it holds.
func writeUntilKilled(t *testing.T, name string) {
	s := storetest.New(t, "sqlite:"+name)
	ctx := t.Context()
	_ = s.Pools.CreatePool(ctx, directory.IdentityPool{ID: "p"}) // of an earlier round, perhaps
	failures := make(chan error)
	for w := range 4 {
		go func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%s-%d-%d", os.Getenv("TREATY_STORETEST_ROUND"), w, n)
				if err := s.Applications.CreateApplication(ctx, directory.Application{ID: id, TenantID: "t", AppID: id}); err != nil {
					failures <- err
				}
				fmt.Println("app", id)
				if err := s.Audit.Record(ctx, audit.Event{RequestID: id, Time: time.Unix(1, 0)}); err != nil {
					failures <- err
				}
				fmt.Println("audit", id)
				_, _, err := s.Identities.Resolve(ctx, directory.Identity{ID: id, PoolID: "p", Logins: []directory.Login{{Provider: "p", User: id}}})
				if err != nil {
					failures <- err
				}
				fmt.Println("login", id)
			}
		}()
	}
	t.Fatal(<-failures)
}
