package main

import (
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/treatyfed/treaty/server"
)

const tenantHelp = `Entra tenants of the running server, each with its own directory, domains and, if wanted, signing keys.`

const tenantCreateHelp = `Make an Entra tenant, with a subscription and an administrator: an application that may do there what the
first tenant's may, and owns the subscription. Its secret is shown this one time.`

func (a *app) tenant() *cobra.Command {
	c := family("tenant", "Entra tenants: make and list them", tenantHelp)
	c.AddCommand(a.tenantCreate(), a.tenantList())
	return c
}

func (a *app) tenantCreate() *cobra.Command {
	var in server.TenantOrder
	var asJSON bool
	c := &cobra.Command{
		Use: "create --domain DOMAIN", Short: "Make a tenant with its administrator", Long: tenantCreateHelp, Args: noArgs,
		Example: "  treaty tenant create --name Partner --domain partner.onmicrosoft.com --keys own",
		RunE: func(c *cobra.Command, _ []string) error {
			if len(in.Domains) == 0 {
				return usage("such as partner.onmicrosoft.com", "--domain is missing")
			}
			if in.Keys != "own" && in.Keys != "shared" {
				return usage("", "--keys %q is neither shared nor own", in.Keys)
			}
			var out server.TenantMade
			if err := a.control(c.Context(), http.MethodPost, "tenants", in, &out); err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(out)
			}
			return a.table(func(w *tabwriter.Writer) {
				fmt.Fprintf(w, "tenant\t%s\n", out.ID)
				fmt.Fprintf(w, "name\t%s\n", out.Name)
				fmt.Fprintf(w, "domains\t%s\n", strings.Join(out.Domains, ", "))
				fmt.Fprintf(w, "keys\t%s\n", out.Keys)
				fmt.Fprintf(w, "subscription\t%s\n", out.Administrator.SubscriptionID)
				fmt.Fprintf(w, "client id\t%s\n", out.Administrator.ClientID)
				fmt.Fprintf(w, "client secret\t%s (shown this one time)\n", out.Administrator.ClientSecret)
			})
		},
	}
	fl := c.Flags()
	fl.StringVar(&in.Name, "name", "", "display `name` (default the domain)")
	fl.StringArrayVar(&in.Domains, "domain", nil, "verified `domain`, the default one first; again for more")
	fl.StringVar(&in.Country, "country", "", "`country` of two capitals (default US)")
	fl.StringVar(&in.Keys, "keys", "shared", "sign with the keys that tenants share, or with its own: shared, own")
	fl.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) tenantList() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List the tenants", Args: noArgs, Example: "  treaty tenant list --json",
		RunE: func(c *cobra.Command, _ []string) error {
			var out struct {
				Tenants []server.TenantView `json:"tenants"`
			}
			if err := a.control(c.Context(), http.MethodGet, "tenants", nil, &out); err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(out)
			}
			return a.table(func(w *tabwriter.Writer) {
				fmt.Fprintln(w, "ID\tKEYS\tNAME\tDOMAINS")
				for _, tn := range out.Tenants {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", tn.ID, tn.Keys, tn.Name, strings.Join(tn.Domains, ", "))
				}
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
