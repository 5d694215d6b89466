package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/explain"
	"github.com/treatyfed/treaty/server"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/folder"
	"github.com/treatyfed/treaty/server/outbound"
)

const explainHelp = `Tell why a request was answered as it was: every check, what it wanted and what it got, the first
character that differs, and the one change that would make it pass. The decision is the server's own; it
is kept with each answer.

ID is the request id that the answer named: trace_id or correlation_id of Entra, x-amzn-RequestId of AWS,
request-id of Microsoft Graph, x-ms-request-id of Azure Resource Manager.

Exit codes: 0 it passed, 10 it did not, 2 wrong usage, 3 no server and no database, 1 any other
failure.`

const azureHelp = `Tell whether a token would pass as a federated credential, by the very decision of the token endpoint.
Nothing is issued or recorded.

With --app the trusts are those of an application of the data folder's server, running or not. With
--trust they come from a file: what "az ad app federated-credential list" prints. The keys are then asked
of the issuer, by the running server if there is one, else over the network; --keys FILE, a JWK Set,
makes it work with files alone. --at without --keys asks over the network, also when a server runs.

Exit codes: 0 it would pass, 10 it would not, 2 wrong usage, 3 no server and no database, 1 any other
failure.`

const azureExamples = `  treaty explain azure --token token.jwt --app 11111111-2222-3333-4444-555555555555
  az ad app federated-credential list --id APP > trust.json
  treaty explain azure --token token.jwt --trust trust.json --keys jwks.json
  treaty explain azure --token - --trust trust.json --at 2026-11-21T12:00:00Z --json`

// maxInput bounds the files of explain: a token, credentials, a key set.
const maxInput = 1 << 20

func (a *app) explain() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "explain ID", Short: "Tell why a request was answered as it was", Long: explainHelp,
		Example: "  treaty explain 3f1c9a50-7d3c-4b58-9a3c-0a6a4a6b9f10\n" + azureExamples,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("treaty explain --help says where to find it", "explain takes one request id")
			}
			r, err := a.explainRequest(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.printReport(r, asJSON)
		},
	}
	c.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON")
	c.AddCommand(a.explainAzure(&asJSON), a.explainAWS(&asJSON), a.explainPolicy(&asJSON))
	return c
}

func (a *app) explainRequest(ctx context.Context, id string) (r explain.Report, err error) {
	err = a.control(ctx, http.MethodGet, "explain/"+url.PathEscape(id), nil, &r)
	if !errors.Is(err, folder.ErrNoServer) {
		return r, err
	}
	err = a.atRest(ctx, func(s *server.Server) error {
		r, err = s.Explain(ctx, id)
		if errors.Is(err, fault.NotFound) {
			return errors.New("no decision is kept under this id")
		}
		return err
	})
	return r, err
}

// atRest wires the data folder's server without listening, for as long as f runs. What it looks at must be
// there: it makes neither a folder nor a database.
func (a *app) atRest(ctx context.Context, f func(*server.Server) error) (err error) {
	cfg := config.Config{Data: a.data}.Defaults(a.getenv)
	if _, err := os.Stat(cfg.Data); err != nil {
		return &hinted{fmt.Errorf("there is no data folder %s", cfg.Data), "name one with --data, or give the trusts by --trust FILE", exitNoServer}
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, folder.DatabaseFile)); err != nil {
		return &hinted{fmt.Errorf("there is no database in %s", cfg.Data), "start its server with treaty serve: its database may be elsewhere", exitNoServer}
	}
	home, err := folder.Open(cfg.Data, false, a.getenv, rand.Reader)
	if err != nil {
		return err
	}
	s, err := server.New(ctx, server.Config{Config: cfg, Folder: home, Inspect: true, Getenv: a.getenv, Version: version()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return f(s)
}

// azureFlags are the flags of explain azure.
type azureFlags struct {
	token, app, trust, keys, at, tenant string
}

func (a *app) explainAzure(asJSON *bool) *cobra.Command {
	var f azureFlags
	c := &cobra.Command{
		Use: "azure --token FILE (--app ID | --trust FILE)", Short: "Tell whether a token would pass at Entra", Long: azureHelp, Example: azureExamples, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := a.explainToken(c.Context(), f)
			if err != nil {
				return err
			}
			return a.printReport(r, *asJSON)
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.token, "token", "", "`file` with the token, - for standard input")
	fl.StringVar(&f.app, "app", "", "client `id` or object id of an application or managed identity of the server")
	fl.StringVar(&f.trust, "trust", "", "`file` with federated credentials, as az prints them")
	fl.StringVar(&f.keys, "keys", "", "`file` with the issuer's keys, a JWK Set: asks nobody")
	fl.StringVar(&f.at, "at", "", "judge the token at this `time`, RFC 3339, with --keys or without a server (default now)")
	fl.StringVar(&f.tenant, "tenant", "", "`GUID` of the application's tenant, which matters for managed identities' tokens; with --trust")
	return c
}

func (f azureFlags) check() error {
	const hint = "treaty explain azure --help has examples"
	switch {
	case f.token == "":
		return usage(hint, "--token is missing")
	case (f.app == "") == (f.trust == ""):
		return usage(hint, "give either --app or --trust")
	case f.app != "" && (f.keys != "" || f.at != "" || f.tenant != ""):
		return usage(hint, "--keys, --at and --tenant go with --trust")
	case f.tenant != "" && (len(f.tenant) != 36 || uuid.Validate(f.tenant) != nil):
		return usage("such as 11111111-2222-3333-4444-555555555555", "--tenant: %q is no GUID", f.tenant)
	}
	return nil
}

func (a *app) explainToken(ctx context.Context, f azureFlags) (r explain.Report, err error) {
	if err := f.check(); err != nil {
		return r, err
	}
	raw, err := a.read(f.token)
	if err != nil {
		return r, err
	}
	q := server.Question{Token: strings.TrimSpace(string(raw)), App: f.app, Tenant: f.tenant}
	if f.trust != "" {
		if q.Credentials, err = a.credentials(f.trust); err != nil {
			return r, err
		}
	}
	if f.keys == "" && f.at == "" {
		err = a.control(ctx, http.MethodPost, "explain", q, &r)
		if !errors.Is(err, folder.ErrNoServer) {
			return r, err
		}
	}
	if f.app != "" {
		err = a.atRest(ctx, func(s *server.Server) error {
			r, err = s.ExplainToken(ctx, q)
			return missing(err)
		})
		return r, err
	}
	v, err := a.verifier(f)
	if err != nil {
		return r, err
	}
	return server.ExplainOffline(ctx, v, q), nil
}

// verifier takes keys from a file, or asks the issuer over the network.
func (a *app) verifier(f azureFlags) (v token.Verifier, err error) {
	v.Now = time.Now
	if f.at != "" {
		at, err := time.Parse(time.RFC3339, f.at)
		if err != nil {
			return v, usage("such as 2026-11-21T12:00:00Z", "--at: %q is no RFC 3339 time", f.at)
		}
		v.Now = func() time.Time { return at }
	}
	if f.keys == "" {
		policy, err := outbound.NewPolicy(nil)
		if err != nil {
			return v, err
		}
		roots, err := outbound.Roots("")
		if err != nil {
			return v, err
		}
		v.Source = &token.Discovery{Fetcher: outbound.New(policy, nil, roots, outbound.DefaultTimeout), Now: time.Now}
		return v, nil
	}
	doc, err := a.read(f.keys)
	if err != nil {
		return v, err
	}
	if v.Source, err = token.ParseFixed(doc); err != nil {
		return v, usage("a JWK Set has a member keys", "--keys %s: %w", f.keys, err)
	}
	return v, nil
}

// credentials reads what az ad app federated-credential list or show prints, or what Graph answers.
func (a *app) credentials(file string) ([]directory.FederatedCredential, error) {
	doc, err := a.read(file)
	if err != nil {
		return nil, err
	}
	type credential struct {
		directory.FederatedCredential
		Expression *directory.Expression `json:"claimsMatchingExpression"`
	}
	var page struct {
		credential
		Value []credential `json:"value"`
	}
	list := &page.Value
	if strings.HasPrefix(strings.TrimSpace(string(doc)), "[") {
		err = json.Unmarshal(doc, list)
	} else if err = json.Unmarshal(doc, &page); err == nil && page.Value == nil {
		page.Value = []credential{page.credential}
		if page.Issuer == "" {
			err = errors.New("it has neither value nor issuer")
		}
	}
	if err != nil {
		return nil, usage("it is what az ad app federated-credential list prints", "--trust %s: %w", file, err)
	}
	out := make([]directory.FederatedCredential, len(*list))
	for i, c := range *list {
		out[i] = c.FederatedCredential
		out[i].Expression = c.Expression
	}
	return out, nil
}

// read reads a small file, or standard input for "-".
func (a *app) read(file string) ([]byte, error) {
	in := a.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, &hinted{err, "", exitUsage}
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(b) > maxInput {
		return nil, usage("", "%s is larger than %d bytes", file, maxInput)
	}
	return b, nil
}

func (a *app) printReport(r explain.Report, asJSON bool) error {
	write := func() error { return explain.Text{Colour: a.colour()}.Write(a.stdout, r) }
	if asJSON {
		write = func() error { return a.printJSON(r) }
	}
	if err := write(); err != nil {
		return err
	}
	if !r.Pass {
		return exitStatus(explain.ExitFail)
	}
	return nil
}

// colour reports whether standard output is a terminal that takes colours (https://no-color.org).
func (a *app) colour() bool {
	f, isFile := a.stdout.(*os.File)
	if !isFile || a.getenv("NO_COLOR") != "" || a.getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
