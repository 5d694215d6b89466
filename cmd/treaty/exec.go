package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

const execHelp = `Run a command against the running server: under the clouds' own names, with the administrators'
credentials, and away from your own logins (the aws and az tools keep theirs in the data folder).
Nothing that the command means for a cloud leaves this machine.

The command's exit code is passed through; 126 says that it cannot be executed, 127 that it is not found.`

const execExamples = `  treaty exec --twin -- aws sts get-caller-identity
  treaty exec --twin -- sh -c 'az login --service-principal -u $AZURE_CLIENT_ID -p $AZURE_CLIENT_SECRET -t $AZURE_TENANT_ID'`

// Exit codes of a shell for a command that cannot be run (POSIX.1-2017, Shell Command Language 2.8.2).
const (
	exitCannotExecute = 126
	exitNotFound      = 127
	exitSignal        = 128 // plus the signal's number
)

func (a *app) exec() *cobra.Command {
	var twin bool
	c := &cobra.Command{
		Use: "exec --twin [--] COMMAND [ARGUMENT]...", Short: "Run a command against the running server", Long: execHelp, Example: execExamples,
		DisableFlagsInUseLine: true, // they stand before the command, whose own are behind it
		RunE: func(c *cobra.Command, args []string) error {
			if !twin {
				return usage("treaty exec --twin -- COMMAND runs it against the server of the data folder", "--twin is missing")
			}
			if len(args) == 0 {
				return usage("write it behind two dashes: treaty exec --twin -- COMMAND", "there is no command to run")
			}
			list, err := a.variables(c, false)
			if err != nil {
				return err
			}
			s, err := a.server(c.Context())
			if err != nil {
				return err
			}
			return a.child(c.Context(), args, apply(a.environ(), isolated(list, s)))
		},
	}
	a.waitFlag(c)
	c.Flags().SetInterspersed(false) // what follows the command is the command's
	c.Flags().BoolVar(&twin, "twin", false, "run it against the server of the data folder, under the clouds' names")
	return c
}

// child runs a command with the terminal's streams. Signals are its business: those that the terminal
// sends it has got already, and SIGTERM is passed on.
func (a *app) child(ctx context.Context, args, environ []string) error {
	path, err := exec.LookPath(args[0])
	if err != nil {
		code := exitNotFound
		if errors.Is(err, fs.ErrPermission) {
			code = exitCannotExecute
		}
		return &hinted{fmt.Errorf("run %s: %w", args[0], err), "", code}
	}
	c := exec.Command(path, args[1:]...)
	c.Env, c.Stdin, c.Stdout, c.Stderr = environ, a.stdin, a.stdout, a.stderr
	if err := c.Start(); err != nil {
		return &hinted{fmt.Errorf("run %s: %w", args[0], err), "", exitCannotExecute}
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	for {
		select {
		case sig := <-signals:
			if sig != os.Interrupt {
				_ = c.Process.Signal(sig) // it may have ended by itself
			}
		case err := <-done:
			return outcome(context.WithoutCancel(ctx), args[0], err)
		}
	}
}

// outcome makes our end of the command's.
func outcome(_ context.Context, name string, err error) error {
	var ended *exec.ExitError
	if err == nil {
		return nil
	}
	if !errors.As(err, &ended) {
		return fmt.Errorf("run %s: %w", name, err)
	}
	if ws, ok := ended.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return exitStatus(exitSignal + int(ws.Signal()))
	}
	return exitStatus(ended.ExitCode())
}
