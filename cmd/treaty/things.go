package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/treatyfed/treaty/idp"
	"github.com/treatyfed/treaty/server"
	"github.com/treatyfed/treaty/server/seed"
)

// What the commands for issuers, tenants and machines share: arguments, completion, tables.

// oneName takes exactly one argument.
func oneName(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage(c.CommandPath()+" --help has an example", "%s takes one name", c.CommandPath())
	}
	return nil
}

// completed completes an argument by the names that the running server knows.
func completed(list func(context.Context) ([]string, error)) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(c *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
		all, err := list(c.Context())
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return slices.DeleteFunc(all, func(n string) bool { return slices.Contains(given, n) }), cobra.ShellCompDirectiveNoFileComp
	}
}

// remover is the command that deletes one of a kind.
func (a *app) remover(kind, short string, path func(string) string, list func(context.Context) ([]string, error)) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "delete NAME", Short: short, Args: oneName, ValidArgsFunction: completed(list), Example: "  treaty " + kind + " delete acme",
		RunE: func(c *cobra.Command, args []string) error {
			var out struct {
				Deleted string `json:"deleted"`
			}
			if err := a.control(c.Context(), http.MethodDelete, path(args[0]), nil, &out); err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(out)
			}
			_, err := fmt.Fprintln(a.stdout, "deleted "+kind+" "+out.Deleted)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// table prints columns.
func (a *app) table(write func(w *tabwriter.Writer)) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	write(w)
	return w.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// sorted are the pairs of a map by key.
func sorted(m map[string]string) (out [][2]string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, [2]string{k, m[k]})
	}
	return out
}

// presets are the names of what issuers imitate.
func presets() []string { return idp.Presets }

// printIssuer prints an issuer for people.
func (a *app) printIssuer(v server.IssuerView) error {
	return a.table(func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "issuer\t%s\n", v.Name)
		fmt.Fprintf(w, "url\t%s\n", v.URL)
		if v.Endpoint != "" {
			fmt.Fprintf(w, "here\t%s\n", v.Endpoint)
		}
		if v.JobURL != "" {
			fmt.Fprintf(w, "jobs\t%s\n", v.JobURL)
		}
		fmt.Fprintf(w, "preset\t%s\n", orDash(v.Preset))
		fmt.Fprintf(w, "tokens\t%s for %s\n", v.Algorithm, v.Lifetime)
		for _, c := range sorted(v.Claims) {
			fmt.Fprintf(w, "  claim %s\t%s\n", c[0], c[1])
		}
		for _, x := range v.Accepts {
			fmt.Fprintf(w, "accepts\t%s subject %s for %s\n", x.Issuer, orDash(x.Subject), strings.Join(x.Audiences, ", "))
		}
		for _, c := range v.Clients {
			fmt.Fprintf(w, "client\t%s, %s\n", c.ID, proofs(c))
			if c.Secret != "" {
				fmt.Fprintf(w, "  secret\t%s (shown this one time)\n", c.Secret.Reveal())
			}
			for _, r := range sorted(c.Claims) {
				fmt.Fprintf(w, "  claim %s\t%s\n", r[0], r[1])
			}
		}
	})
}

// proofs says by what a client can prove who it is.
func proofs(c seed.Client) string {
	var out []string
	switch n := len(c.Secrets); n {
	case 0:
	case 1:
		out = append(out, "1 secret")
	default:
		out = append(out, fmt.Sprint(n, " secrets"))
	}
	if len(c.Keys) > 0 {
		out = append(out, "keys")
	}
	return strings.Join(out, " and ")
}
