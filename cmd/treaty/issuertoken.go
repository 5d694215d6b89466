package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/treatyfed/treaty/server"
)

const issuerTokenHelp = `Issue a token of an issuer, by its rules and without its client having to prove anything: for tests, and to
try what a trust in the issuer says (treaty explain azure --token -). The issuance is on record.`

const issuerTokenExamples = `  treaty issuer token acme --client payroll --audience api://AzureADTokenExchange
  treaty issuer token ci --parameter repository=octo/shop --parameter ref=refs/heads/main --json
  treaty issuer token acme --client payroll --subject-claims claims.json | treaty explain azure --token - --app APP`

// tokenFlags are the flags of issuer token.
type tokenFlags struct {
	order      server.MintOrder
	parameters []string
	subject    string
	json       bool
}

func (a *app) issuerToken() *cobra.Command {
	var f tokenFlags
	c := &cobra.Command{
		Use: "token NAME", Short: "Issue a token by an issuer's rules", Long: issuerTokenHelp, Example: issuerTokenExamples, Args: oneName,
		ValidArgsFunction: completed(a.issuerNames),
		RunE:              func(c *cobra.Command, args []string) error { return a.mint(c.Context(), args[0], f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.order.Client, "client", "", "`id` of the client (default the rules of the issuer alone)")
	fl.StringArrayVar(&f.order.Audience, "audience", nil, "`audience` that is asked for; again for more")
	fl.StringArrayVar(&f.order.Resource, "resource", nil, "`address` that is asked for; again for more")
	fl.StringVar(&f.order.Scope, "scope", "", "`scopes`, separated by spaces")
	fl.StringArrayVar(&f.parameters, "parameter", nil, "further `NAME=VALUE` of the request; again for more")
	fl.StringVar(&f.subject, "subject-claims", "", "`file` with the claims of a subject token, JSON, - for standard input")
	fl.StringVar(&f.order.Lifetime, "lifetime", "", "of the token, as `10m` (default the client's)")
	fl.BoolVar(&f.json, "json", false, "print JSON: the token and its claims")
	return c
}

func (a *app) mint(ctx context.Context, issuer string, f tokenFlags) error {
	const hint = "treaty issuer token --help has examples"
	given, err := pairs("parameter", hint, f.parameters)
	if err != nil {
		return err
	}
	f.order.Parameters = map[string]any{}
	for name, value := range given {
		f.order.Parameters[name] = value
	}
	if f.subject != "" {
		b, err := a.read(f.subject)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, &f.order.Subject); err != nil {
			return usage(hint, "--subject-claims %s: it is no JSON object: %w", f.subject, err)
		}
	}
	var out server.MintedView
	if err := a.control(ctx, http.MethodPost, issuerPath(issuer)+"/token", f.order, &out); err != nil {
		return err
	}
	if f.json {
		return a.printJSON(out)
	}
	_, err = fmt.Fprintln(a.stdout, out.Token)
	return err
}
