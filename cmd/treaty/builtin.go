package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// builtin makes cobra's own commands, help and completion, as strict as ours: by themselves they answer a name
// that there is not with a page, and exit with 0.
func builtin(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = func(_ *cobra.Command, args []string) error {
				if _, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return usage("treaty --help lists the commands", "there is no command %q", strings.Join(args, " "))
				}
				return nil
			}
		case "completion":
			c.Args = family("completion", "", "").Args
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
			for _, shell := range c.Commands() {
				shell.Args = noArgs
			}
		}
	}
}
