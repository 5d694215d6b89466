package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

const envHelp = `Print the variables that send unmodified tools to the running server, through its proxy and with the
administrators' credentials. With --endpoints they name the server's address instead, for tools that
know no proxy. The output holds secrets.`

const envExamples = `  eval "$(treaty env)"
  treaty env --shell fish | source
  treaty env --endpoints --json`

func (a *app) env() *cobra.Command {
	var endpoints, asJSON bool
	var shell string
	c := &cobra.Command{
		Use: "env", Short: "Print variables that send unmodified tools to the running server", Long: envHelp, Example: envExamples, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := knownShell(shell); err != nil {
				return err
			}
			list, err := a.variables(c, endpoints)
			if err != nil {
				return err
			}
			return a.printVariables(list, shell, asJSON)
		},
	}
	a.waitFlag(c)
	c.Flags().BoolVar(&endpoints, "endpoints", false, "name the server's address instead of its proxy")
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON object; variables to be unset are null")
	c.Flags().StringVar(&shell, "shell", "sh", "how to print: sh, fish, powershell, dotenv")
	return c
}

func knownShell(shell string) error {
	if _, ok := shells[shell]; !ok {
		return usage("take sh, fish, powershell or dotenv", "there is no shell %q", shell)
	}
	return nil
}

// printVariables prints variables for a known shell, or as a JSON object in which those to be unset are null.
func (a *app) printVariables(list []variable, shell string, asJSON bool) error {
	if asJSON {
		object := map[string]*string{}
		for _, v := range list {
			object[v.Name] = nil
			if !v.Unset {
				object[v.Name] = &v.Value
			}
		}
		return a.printJSON(object)
	}
	var b strings.Builder
	for _, v := range list {
		shells[shell](&b, v)
	}
	_, err := fmt.Fprint(a.stdout, b.String())
	return err
}

// variables finds the running server and lists its variables.
func (a *app) variables(c *cobra.Command, endpoints bool) ([]variable, error) {
	s, err := a.server(c.Context())
	if err != nil {
		return nil, err
	}
	if s.Proxy == "" && !endpoints {
		if s.Mode == "hub" {
			return nil, &hinted{fmt.Errorf("the server at %s runs in hub mode, which does not answer under the clouds' names", s.URL), "use treaty env --endpoints", exitFailure}
		}
		return nil, &hinted{fmt.Errorf("the server at %s has no proxy", s.URL), "use treaty env --endpoints, or start the server with --proxy", exitFailure}
	}
	creds, err := s.ReadCredentials()
	if err != nil {
		return nil, err
	}
	return variables(s, creds, endpoints, a.getenv, a.environ()), nil
}

// shells write one variable each in their way.
var shells = map[string]func(b *strings.Builder, v variable){
	"sh": func(b *strings.Builder, v variable) {
		if v.Unset {
			fmt.Fprintf(b, "unset %s\n", v.Name)
			return
		}
		fmt.Fprintf(b, "export %s='%s'\n", v.Name, strings.ReplaceAll(v.Value, "'", `'\''`))
	},
	"fish": func(b *strings.Builder, v variable) {
		if v.Unset {
			fmt.Fprintf(b, "set -e %s\n", v.Name)
			return
		}
		fmt.Fprintf(b, "set -gx %s '%s'\n", v.Name, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v.Value))
	},
	"powershell": func(b *strings.Builder, v variable) {
		if v.Unset {
			fmt.Fprintf(b, "Remove-Item Env:%s -ErrorAction SilentlyContinue\n", v.Name)
			return
		}
		fmt.Fprintf(b, "$env:%s = '%s'\n", v.Name, strings.ReplaceAll(v.Value, "'", "''"))
	},
	"dotenv": func(b *strings.Builder, v variable) {
		if !v.Unset {
			fmt.Fprintf(b, "%s=%s\n", v.Name, v.Value)
		}
	},
}
