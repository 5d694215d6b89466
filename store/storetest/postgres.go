package storetest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL server of a test's own: on a socket in a temporary folder, without fsync, gone
// with the test.
type Postgres struct {
	socket string
	next   atomic.Int64
}

// StartPostgres starts a server from the installed binaries and stops it when the test ends. Where none
// are installed the test is skipped, but fails under CI=true. Text sorts by a locale that differs from
// byte order if the server knows one, so that a missing collation shows.
func StartPostgres(tb testing.TB) *Postgres {
	tb.Helper()
	bin, err := postgresBinaries()
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal(err)
		}
		tb.Skip(err)
	}
	dir, err := os.MkdirTemp("", "treaty-pg-") // short: a socket's path has at most 107 bytes
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	as, err := postgresUser(dir)
	if err != nil {
		tb.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	initdb := append(slices.Clone(as), filepath.Join(bin, "initdb"), "-D", data, "-U", "treaty", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
	if out, err := command(dir, append(slices.Clone(initdb), "--locale-provider=icu", "--icu-locale=en-US")).CombinedOutput(); err != nil {
		_ = os.RemoveAll(data)
		again, err := command(dir, initdb).CombinedOutput() // before version 15, or built without ICU
		if err != nil {
			tb.Fatalf("initdb: %v\n%s%s", err, out, again)
		}
	}
	serve(tb, dir, append(as, filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-F",
		"-c", "listen_addresses=", "-c", "max_connections=1000", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"))
	return &Postgres{socket: dir}
}

// serve runs the server until the test ends, or until this process does: the shell waits for the end of
// its standard input. It lets go of standard error, so that this ends with the server.
func serve(tb testing.TB, dir string, server []string) {
	tb.Helper()
	sh := command(dir, append([]string{"sh", "-c", `"$@" </dev/null & pid=$!; exec 2>/dev/null; read end; kill -QUIT $pid; wait $pid`, "sh"}, server...))
	stdin, err := sh.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stderr, err := sh.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := sh.Start(); err != nil {
		tb.Fatal(err)
	}
	var said bytes.Buffer
	ready, ended := make(chan bool, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if strings.Contains(lines.Text(), "ready to accept connections") {
				select {
				case ready <- true:
				default: // it said so before
				}
			}
			if said.Len() < 1<<16 {
				said.WriteString(lines.Text() + "\n")
			}
		}
		close(ready)
	}()
	tb.Cleanup(func() {
		_ = stdin.Close()
		<-ended
		_ = sh.Wait()
	})
	if !<-ready {
		tb.Fatal("postgres did not start:\n", said.String())
	}
}

// DSN makes a place of its own in the server, a schema, and gives the address of a store there. Two
// stores on one DSN are two replicas.
func (p *Postgres) DSN(tb testing.TB) string {
	tb.Helper()
	base := url.URL{Scheme: "postgres", User: url.User("treaty"), Path: "/postgres"}
	query := url.Values{"host": {p.socket}}
	base.RawQuery = query.Encode()
	ctx := context.WithoutCancel(tb.Context())
	conn, err := pgx.Connect(ctx, base.String())
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close(ctx)
	schema := fmt.Sprintf("s%d", p.next.Add(1))
	if _, err := conn.Exec(ctx, "create schema "+schema); err != nil {
		tb.Fatal(err)
	}
	query.Set("search_path", schema)
	base.RawQuery = query.Encode()
	return base.String()
}

// postgresBinaries is the newest installed server's folder: Debian's, else the one on the path.
func postgresBinaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", fmt.Errorf("PostgreSQL is not installed (apt-get install postgresql): %w", err)
	}
	return filepath.Dir(path), nil
}

// postgresUser is what a command is prefixed with: PostgreSQL does not run as root, so there it runs as
// the user that Debian makes for it, who is given dir.
func postgresUser(dir string) ([]string, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(dir, uid, -1); err != nil {
		return nil, err
	}
	return []string{"setpriv", "--reuid=" + u.Uid, "--regid=" + u.Gid, "--clear-groups"}, nil
}

func command(dir string, argv []string) *exec.Cmd {
	c := exec.Command(argv[0], argv[1:]...)
	c.Dir = dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}
	return c
}
