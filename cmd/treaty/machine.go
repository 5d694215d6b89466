package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/server"
	"github.com/treatyfed/treaty/server/folder"
)

const machineHelp = `Machines of Azure that have managed identities: virtual machines, App Service sites, servers connected by Arc,
Cloud Shells. They answer at a twin's proxy; the machine named default is the one that answers there for
169.254.169.254. Their user-assigned identities are resources of Azure: az identity create.`

const machineCreateHelp = `Make a machine with its managed identities: a system-assigned one, user-assigned ones by the ids of their
Azure resources, or both. treaty machine env prints the variables by which unmodified clients find them.`

const machineEnvHelp = `Print the variables by which unmodified clients find the machine's managed identities, and take away those
that would lead elsewhere. To be used over treaty env or in treaty exec. The output holds the machine's
secret.`

func (a *app) machine() *cobra.Command {
	c := family("machine", "Machines with managed identities: make, list, use them", machineHelp)
	c.AddCommand(a.machineCreate(), a.machineList(), a.machineShow(), a.machineEnv(),
		a.remover("machine", "Delete a machine with its system-assigned identity", machinePath, a.machineNames))
	return c
}

func machinePath(name string) string { return "machines/" + url.PathEscape(name) }

func (a *app) machineCreate() *cobra.Command {
	var in server.MachineOrder
	var asJSON bool
	c := &cobra.Command{
		Use: "create NAME", Short: "Make a machine", Long: machineCreateHelp, Args: oneName,
		Example: "  treaty machine create default --system-assigned\n" +
			"  treaty machine create web --kind app_service --identity /subscriptions/SUB/resourceGroups/RG/providers/Microsoft.ManagedIdentity/userAssignedIdentities/web",
		RunE: func(c *cobra.Command, args []string) error {
			in.Name = args[0]
			var out server.MachineView
			if err := a.control(c.Context(), http.MethodPost, "machines", in, &out); err != nil {
				return err
			}
			return a.printMachine(out, asJSON)
		},
	}
	fl := c.Flags()
	fl.StringVar(&in.Kind, "kind", "vm", "vm, app_service, arc or cloud_shell")
	fl.BoolVar(&in.SystemAssigned, "system-assigned", false, "give it an identity of its own")
	fl.StringArrayVar(&in.Identities, "identity", nil, "`ARM id` of a user-assigned identity; again for more")
	fl.StringVar(&in.Tenant, "tenant", "", "its tenant, by `id` or domain (default the first)")
	fl.StringVar(&in.Subscription, "subscription", "", "its subscription `id` (default the tenant's first)")
	fl.StringVar(&in.ResourceGroup, "resource-group", "", "its resource `group`, made when it is not there (default treaty)")
	fl.StringVar(&in.ResourceID, "resource-id", "", "its `ARM id` (default by kind, group and name)")
	fl.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) machines(ctx context.Context) ([]server.MachineView, error) {
	var out struct {
		Machines []server.MachineView `json:"machines"`
	}
	err := a.control(ctx, http.MethodGet, "machines", nil, &out)
	return out.Machines, err
}

func (a *app) machineNames(ctx context.Context) (names []string, err error) {
	list, err := a.machines(ctx)
	for _, m := range list {
		names = append(names, m.Name)
	}
	return names, err
}

func (a *app) machineList() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List the machines", Args: noArgs, Example: "  treaty machine list --json",
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := a.machines(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(map[string]any{"machines": list})
			}
			return a.table(func(w *tabwriter.Writer) {
				fmt.Fprintln(w, "NAME\tKIND\tTENANT\tSYSTEM\tIDENTITIES")
				for _, m := range list {
					system := "-"
					if m.System != nil {
						system = m.System.ObjectID
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", m.Name, m.Kind, m.Tenant, system, len(m.Identities))
				}
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) machineShow() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "show NAME", Short: "Show a machine and its identities", Args: oneName, ValidArgsFunction: completed(a.machineNames), Example: "  treaty machine show default",
		RunE: func(c *cobra.Command, args []string) error {
			var out server.MachineView
			if err := a.control(c.Context(), http.MethodGet, machinePath(args[0]), nil, &out); err != nil {
				return err
			}
			return a.printMachine(out, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// printMachine prints a machine without its environment, which is secret.
func (a *app) printMachine(m server.MachineView, asJSON bool) error {
	if asJSON {
		m.Environment = nil
		return a.printJSON(m)
	}
	return a.table(func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "machine\t%s\n", m.Name)
		fmt.Fprintf(w, "kind\t%s\n", m.Kind)
		fmt.Fprintf(w, "tenant\t%s\n", m.Tenant)
		fmt.Fprintf(w, "resource\t%s\n", m.ResourceID)
		if m.System != nil {
			fmt.Fprintf(w, "system\tobject id %s, client id %s\n", m.System.ObjectID, m.System.ClientID)
		}
		for _, id := range m.Identities {
			fmt.Fprintf(w, "identity\t%s\n", id)
		}
		for _, v := range m.Environment {
			if !v.Unset {
				fmt.Fprintf(w, "variable\t%s\t%s\n", v.Name, v.Note)
			}
		}
	})
}

func (a *app) machineEnv() *cobra.Command {
	var asJSON bool
	var shell string
	c := &cobra.Command{
		Use: "env NAME", Short: "Print the variables by which clients find its identities", Long: machineEnvHelp, Args: oneName, ValidArgsFunction: completed(a.machineNames),
		Example: "  eval \"$(treaty env)\" && eval \"$(treaty machine env web)\" && az login --identity\n  treaty machine env web --shell dotenv > web.env",
		RunE: func(c *cobra.Command, args []string) error {
			if err := knownShell(shell); err != nil {
				return err
			}
			s, err := a.server(c.Context())
			if err != nil {
				return err
			}
			if s.Proxy == "" {
				return &hinted{errors.New("the server has no proxy, and it is at the proxy that machines answer"), "start a twin without --proxy off", exitFailure}
			}
			var out server.MachineView
			if err := a.control(c.Context(), http.MethodGet, machinePath(args[0]), nil, &out); err != nil {
				return err
			}
			return a.printVariables(machineVariables(out, s), shell, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON object; variables to be unset are null")
	c.Flags().StringVar(&shell, "shell", "sh", "how to print: sh, fish, powershell, dotenv")
	return c
}

// machineVariables are those that lead to the machine, and those that would lead elsewhere, to be unset. The
// machine default is at the address of instance metadata too, through the twin's proxy.
func machineVariables(m server.MachineView, s folder.Server) (list []variable) {
	for _, v := range m.Environment {
		list = append(list, variable{Name: v.Name, Value: v.Value, Unset: v.Unset})
	}
	if m.Kind == directory.MachineVM && m.Name == "default" && s.Proxy != "" {
		list = append(list, variable{Name: "HTTP_PROXY", Value: s.Proxy}, variable{Name: "http_proxy", Value: s.Proxy})
	}
	return list
}
