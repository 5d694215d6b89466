package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/folder"
)

// Exit codes. exec passes its command's own through; explain has more (see treaty explain --help).
const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2 // wrong flags, arguments or configuration
	exitNoServer = 3 // no server runs on the data folder
)

const rootHelp = `Treaty trades a token that one cloud issued for a credential of the other, under a trust that
the other holds. The server answers, byte for byte, as AWS and as Microsoft Entra ID do.

Exit codes: 0 success, 1 failure, 2 wrong usage or configuration, 3 no running server.
treaty exec exits as its command does (126 and 127 as a shell: not executable, not found).`

// app is what commands share: the process's streams and environment, and the data folder.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	environ        func() []string
	data           string        // --data
	wait           time.Duration // --wait of the commands that have it
}

// hinted is an error with the remedy, when we know one, and its exit code.
type hinted struct {
	err  error
	hint string
	code int
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// exitStatus ends the program with a code and no message.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// usage marks an error as one of usage.
func usage(hint, format string, args ...any) error {
	return &hinted{fmt.Errorf(format, args...), hint, exitUsage}
}

// run carries out a command line and gives the exit code.
func run(ctx context.Context, a *app, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	builtin(root)
	err := root.ExecuteContext(ctx)
	var status exitStatus
	if err == nil {
		return exitOK
	}
	if errors.As(err, &status) {
		return int(status)
	}
	return a.report(err)
}

// report prints an error as "treaty: …", one problem a line, with its hint.
func (a *app) report(err error) int {
	code, hint := exitFailure, ""
	var h *hinted
	if errors.As(err, &h) {
		code, hint = h.code, h.hint
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(a.stderr, "treaty: "+line)
	}
	for line := range strings.SplitSeq(hint, "\n") {
		if line != "" {
			fmt.Fprintln(a.stderr, "treaty: hint: "+line)
		}
	}
	return code
}

// root is the whole command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "treaty", Short: "Cross-cloud identity federation between AWS and Microsoft Entra ID", Long: rootHelp,
		SilenceErrors: true, SilenceUsage: true, Version: version(),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("treaty --help lists the commands", "there is no command %q", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetVersionTemplate("treaty {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage(c.CommandPath()+" --help lists the flags", "%w", err)
	})
	root.PersistentFlags().StringVar(&a.data, "data", "", "data folder (default $TREATY_DATA, else treaty under the XDG state folder)")
	root.AddCommand(a.serve(), a.env(), a.exec(), a.twin(), a.issuer(), a.tenant(), a.machine(), a.explain(), a.demo(), a.versionCommand())
	return root
}

// folder is the data folder of --data or the environment.
func (a *app) folder() (string, error) {
	if a.data != "" {
		return a.data, nil
	}
	if d := config.Folder(a.getenv); d != "" {
		return d, nil
	}
	return "", usage("name one with --data or TREATY_DATA", "there is no home folder, so there is no data folder")
}

// waitFlag gives a command --wait, for scripts that start a server in the background.
func (a *app) waitFlag(c *cobra.Command) {
	c.Flags().DurationVar(&a.wait, "wait", 0, "wait so long for the server to be ready (default not at all)")
}

// server finds the running server of the data folder, and makes sure that it answers; with --wait it asks
// again until it does.
func (a *app) server(ctx context.Context) (folder.Server, error) {
	const again = 20 * time.Millisecond
	for end := time.Now().Add(a.wait); ; {
		s, err := a.findServer(ctx)
		var h *hinted
		if !errors.As(err, &h) || h.code != exitNoServer || time.Now().After(end) {
			return s, err
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-time.After(again):
		}
	}
}

func (a *app) findServer(ctx context.Context) (folder.Server, error) {
	dir, err := a.folder()
	if err != nil {
		return folder.Server{}, err
	}
	s, err := folder.ReadServer(dir)
	if errors.Is(err, folder.ErrNoServer) {
		return s, &hinted{err, "start one with treaty serve, or name its folder with --data", exitNoServer}
	}
	if err != nil {
		return s, err
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return s, fmt.Errorf("read %s: %w", folder.ServerFile, err)
	}
	conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return s, &hinted{fmt.Errorf("the server of %s, process %d, does not answer at %s: %w", dir, s.PID, s.URL, err),
			"if it was killed, start it again with treaty serve", exitNoServer}
	}
	return s, conn.Close()
}

// printJSON writes v as indented JSON.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// version is the module's, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

func (a *app) versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArgs, Example: "  treaty version --json",
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return a.printJSON(map[string]string{"version": version(), "go": goVersion()})
			}
			_, err := fmt.Fprintln(a.stdout, "treaty "+version())
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func goVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.GoVersion
	}
	return ""
}

func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(c.CommandPath()+" --help says what it takes", "%s takes no argument %q", c.CommandPath(), args[0])
	}
	return nil
}
