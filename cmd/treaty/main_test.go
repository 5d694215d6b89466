package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/treatyfed/treaty/server/folder"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"treaty": main})
}

// TestScripts runs testdata/*.txt: each pins what one command says and does.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TREATY_DATA", filepath.Join(e.WorkDir, "data"))
			e.Setenv("HOME", e.WorkDir)
			for _, name := range []string{"NO_PROXY", "no_proxy", "HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE", "XDG_STATE_HOME"} {
				e.Setenv(name, "")
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"ready": waitReady,
			"gone":  waitGone,
			"mode":  checkMode,
			"exits": exits,
		},
	})
}

// Help is read in a terminal, which breaks long lines in the middle of words.
func TestHelpIsWrapped(t *testing.T) {
	t.Parallel()
	root := (&app{}).root()
	builtin(root)
	for all := []*cobra.Command{root}; len(all) > 0; all = all[1:] {
		all = append(all, all[0].Commands()...)
		for line := range strings.SplitSeq(all[0].Long, "\n") {
			if n := utf8.RuneCountInString(line); n > 110 {
				t.Errorf("%s --help has a line of %d characters: %s", all[0].CommandPath(), n, line)
			}
		}
	}
}

// waitReady waits until the server of a data folder is ready: ready [FOLDER].
func waitReady(ts *testscript.TestScript, _ bool, args []string) {
	await(ts, args, func(err error) bool { return err == nil }, "ready")
}

// waitGone waits until it has stopped: gone [FOLDER].
func waitGone(ts *testscript.TestScript, _ bool, args []string) {
	await(ts, args, func(err error) bool { return errors.Is(err, folder.ErrNoServer) }, "gone")
}

func await(ts *testscript.TestScript, args []string, done func(error) bool, what string) {
	dir := ts.Getenv("TREATY_DATA")
	if len(args) > 0 {
		dir = ts.MkAbs(args[0])
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		_, err := folder.ReadServer(dir)
		if done(err) {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("the server of %s is not %s", dir, what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// checkMode compares a file's rights: mode 0600 FILE.
func checkMode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := "0" + strings.TrimPrefix(filepath.Base(octal(info.Mode().Perm())), "0"); got != args[0] {
		ts.Fatalf("%s is %s, want %s", args[1], got, args[0])
	}
}

func octal(m os.FileMode) string {
	digits := []byte{'0' + byte(m>>6&7), '0' + byte(m>>3&7), '0' + byte(m&7)}
	return string(digits)
}

// exits runs treaty and compares its exit code: exits CODE ARG….
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE ARG…")
	}
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec("treaty", args[1:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want := args[0]; strconv.Itoa(got) != want {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
}
