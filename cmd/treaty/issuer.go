package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/treatyfed/treaty/server"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/seed"
)

const issuerHelp = `Issuers outside both clouds: plain OpenID Connect issuers whose tokens are computed by rules, as those of
PingFederate, Okta or a CI system are. A twin answers under each issuer's own URL to clients that use its
proxy; every server answers for them below /idp/NAME as well.`

const issuerCreateHelp = `Make an issuer of the running server, from a file or from flags. The file is YAML or JSON, of one issuer or
with a list of them under issuers:, in the shape that a seed has:

  name: acme
  url: https://acme.okta.com/oauth2/default
  preset: okta
  clients:
    - id: payroll
      attributes: {team: hr}
      claims:                       # claim: CEL expression
        sub: "'team/' + client.attributes.team"
        aud: request.audience

A client without secret, keys and certificate gets a secret, which is shown this one time.`

const issuerExamples = `  treaty issuer create -f acme.yaml
  treaty issuer create --name ci --preset github
  treaty issuer create --name sso --url https://sso.example.com --preset pingfederate --client payroll --claim "sub='payroll'"`

func (a *app) issuer() *cobra.Command {
	c := family("issuer", "Plain issuers with programmable tokens: make, list, rotate, publish them", issuerHelp)
	c.AddCommand(a.issuerCreate(), a.issuerList(), a.issuerShow(), a.issuerDelete(), a.issuerRotate(), a.issuerToken(), a.issuerPublish())
	return c
}

// family is a command that only has others below it.
func family(name, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short, Long: long,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("treaty "+name+" --help lists the commands", "there is no command %q", name+" "+args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
}

// issuerFlags are the flags of issuer create.
type issuerFlags struct {
	file          string
	issuer        seed.Issuer
	claims, ids   []string
	replace, json bool
}

func (a *app) issuerCreate() *cobra.Command {
	var f issuerFlags
	c := &cobra.Command{
		Use: "create (-f FILE | --name NAME)", Short: "Make an issuer", Long: issuerCreateHelp, Example: issuerExamples, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.createIssuers(c.Context(), f) },
	}
	fl := c.Flags()
	fl.StringVarP(&f.file, "file", "f", "", "`file` with the issuer, - for standard input")
	fl.StringVar(&f.issuer.Name, "name", "", "`name`: a lower-case DNS label")
	fl.StringVar(&f.issuer.URL, "url", "", "`URL`, iss of its tokens (default by preset, in a hub below its public URL)")
	fl.StringVar(&f.issuer.Preset, "preset", "", "what it imitates: "+strings.Join(presets(), ", "))
	fl.StringVar(&f.issuer.Algorithm, "algorithm", "", "of its tokens: RS256 (default), RS512, ES256, PS256")
	fl.StringVar(&f.issuer.Lifetime, "lifetime", "", "of its tokens, as `10m`")
	fl.StringArrayVar(&f.claims, "claim", nil, "rule of a claim, `NAME=CEL`; again for more")
	fl.StringArrayVar(&f.ids, "client", nil, "`id` of a client, whose secret is made; again for more")
	fl.BoolVar(&f.replace, "replace", false, "replace an issuer of the same name")
	fl.BoolVar(&f.json, "json", false, "print JSON: the issuer, or of a list {\"issuers\":[…]}")
	return c
}

// list reads the issuers that flags or their file describe, and checks them.
func (f issuerFlags) list(a *app) (list []seed.Issuer, one bool, err error) {
	const hint = "treaty issuer create --help has examples"
	where := ""
	switch {
	case f.file == "" && f.issuer.Name == "":
		return nil, false, usage(hint, "give -f FILE or --name")
	case f.file != "" && (f.issuer.Name+f.issuer.URL+f.issuer.Preset+f.issuer.Algorithm+f.issuer.Lifetime != "" || len(f.claims)+len(f.ids) > 0):
		return nil, false, usage(hint, "what -f describes is not given by flags too")
	case f.file != "":
		where = f.file + ": "
		if list, one, err = a.issuerFile(f.file); err != nil {
			return nil, false, err
		}
	default:
		i := f.issuer
		if i.Claims, err = pairs("claim", hint, f.claims); err != nil {
			return nil, false, err
		}
		for _, id := range f.ids {
			i.Clients = append(i.Clients, seed.Client{ID: id})
		}
		list, one = []seed.Issuer{i}, true
	}
	d := seed.Document{Issuers: list}
	d.Complete()
	if err := d.Check(); err != nil {
		text := err.Error()
		if one { // who described one issuer knows of no list
			text = strings.ReplaceAll(text, "issuers[0].", "")
		}
		return nil, false, usage(hint, "%s%s", where, text)
	}
	return d.Issuers, one, nil
}

// issuerFile reads one issuer, or a list of them.
func (a *app) issuerFile(file string) (list []seed.Issuer, one bool, err error) {
	b, err := a.read(file)
	if err != nil {
		return nil, false, err
	}
	var d struct {
		Issuers     []seed.Issuer `yaml:"issuers"`
		seed.Issuer `yaml:",inline"`
	}
	if err := config.Strict(b, &d); err != nil {
		return nil, false, usage("treaty issuer create --help shows the shape", "%s: %w", file, err)
	}
	switch {
	case d.Issuers != nil && d.Issuer.Name != "":
		return nil, false, usage("", "%s: it is either one issuer or a list under issuers", file)
	case d.Issuers != nil:
		return d.Issuers, false, nil
	}
	return []seed.Issuer{d.Issuer}, true, nil
}

// pairs reads NAME=VALUE flags.
func pairs(flag, hint string, list []string) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range list {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, usage(hint, "--%s %q is not NAME=VALUE", flag, p)
		}
		out[name] = value
	}
	return out, nil
}

func (a *app) createIssuers(ctx context.Context, f issuerFlags) error {
	list, one, err := f.list(a)
	if err != nil {
		return err
	}
	var there []string
	if f.replace {
		if there, err = a.issuerNames(ctx); err != nil {
			return err
		}
	}
	made := []server.IssuerView{}
	for _, i := range list {
		var v server.IssuerView
		method, path := http.MethodPost, "issuers"
		if slices.Contains(there, i.Name) {
			method, path = http.MethodPut, issuerPath(i.Name)
		}
		if err := a.control(ctx, method, path, i, &v); err != nil {
			return err
		}
		made = append(made, v)
	}
	switch {
	case f.json && one:
		return a.printJSON(made[0])
	case f.json:
		return a.printJSON(map[string]any{"issuers": made})
	}
	for n, v := range made {
		if n > 0 {
			fmt.Fprintln(a.stdout)
		}
		if err := a.printIssuer(v); err != nil {
			return err
		}
	}
	return nil
}

func issuerPath(name string) string { return "issuers/" + url.PathEscape(name) }

func (a *app) issuers(ctx context.Context) ([]server.IssuerView, error) {
	var out struct {
		Issuers []server.IssuerView `json:"issuers"`
	}
	err := a.control(ctx, http.MethodGet, "issuers", nil, &out)
	return out.Issuers, err
}

func (a *app) issuerNames(ctx context.Context) (names []string, err error) {
	list, err := a.issuers(ctx)
	for _, i := range list {
		names = append(names, i.Name)
	}
	return names, err
}

func (a *app) issuerList() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List the issuers", Args: noArgs, Example: "  treaty issuer list --json",
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := a.issuers(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(map[string]any{"issuers": list})
			}
			return a.table(func(w *tabwriter.Writer) {
				fmt.Fprintln(w, "NAME\tPRESET\tCLIENTS\tURL")
				for _, i := range list {
					fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", i.Name, orDash(i.Preset), len(i.Clients), i.URL)
				}
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) issuerShow() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "show NAME", Short: "Show an issuer, without its secrets", Args: oneName, ValidArgsFunction: completed(a.issuerNames), Example: "  treaty issuer show acme",
		RunE: func(c *cobra.Command, args []string) error {
			var v server.IssuerView
			if err := a.control(c.Context(), http.MethodGet, issuerPath(args[0]), nil, &v); err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(v)
			}
			return a.printIssuer(v)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, of which treaty issuer create --replace -f takes all but the last members")
	return c
}

func (a *app) issuerDelete() *cobra.Command {
	return a.remover("issuer", "Delete an issuer: its tokens verify no more", issuerPath, a.issuerNames)
}

func (a *app) issuerRotate() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "rotate NAME", Short: "Make new signing keys, which sign at once; the old ones stay published for a day", Args: oneName,
		ValidArgsFunction: completed(a.issuerNames), Example: "  treaty issuer rotate acme",
		RunE: func(c *cobra.Command, args []string) error {
			var out struct {
				KeyIDs map[string]string `json:"kid"`
			}
			if err := a.control(c.Context(), http.MethodPost, issuerPath(args[0])+"/rotate", nil, &out); err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(out)
			}
			for _, kid := range sorted(out.KeyIDs) {
				fmt.Fprintln(a.stdout, "signs with "+kid[1])
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
