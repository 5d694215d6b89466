package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/treatyfed/treaty/server"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/folder"
	"github.com/treatyfed/treaty/server/seed"
)

const serveHelp = `Run the server. It needs nothing: the first start makes the data folder, a database, keys, a local
certificate authority, an AWS account with a root access key, and an Entra tenant with an administrator.

Twin mode (the default) answers under the clouds' own names, to clients that use its proxy: see treaty
env and treaty exec. Hub mode (--public-url) answers under its own name, for real clouds to trust.

SIGINT and SIGTERM stop it gracefully. Configuration is a YAML file (--config); flags come before it.`

const serveExamples = `  treaty serve
  treaty serve --seed treaty.yaml --listen-http 127.0.0.1:4566
  treaty serve --public-url https://id.example.org --listen :443 --tls-cert cert.pem --tls-key key.pem \
      --database postgres://treaty@db/treaty`

// serveFlags are the flags as given; only those that were set are laid over the file.
type serveFlags struct {
	file  string
	reset bool
	set   config.Config
}

func (a *app) serve() *cobra.Command {
	f := &serveFlags{}
	c := &cobra.Command{
		Use: "serve", Short: "Run the server", Long: serveHelp, Example: serveExamples, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.runServe(c.Context(), f, c.Flags()) },
	}
	fl := c.Flags()
	fl.StringVar(&f.file, "config", "", "configuration `file`, YAML")
	fl.BoolVar(&f.reset, "reset", false, "start over: remove Treaty's files from the data folder and empty the database first")
	fl.StringVar(&f.set.Listen, "listen", "", "`address` of the TLS listener (default "+config.DefaultListen+")")
	fl.StringVar(&f.set.Proxy, "proxy", "", "`address` of the proxy for the clouds' names, or off (default "+config.DefaultProxy+")")
	fl.StringVar(&f.set.Tunnel, "tunnel", "", "for whom the proxy connects to other hosts: loopback, all, none")
	fl.StringVar(&f.set.ListenHTTP, "listen-http", "", "plain HTTP `address` on loopback, AWS APIs only")
	fl.StringVar(&f.set.PublicURL, "public-url", "", "answer under this `URL` instead of the clouds' names")
	fl.StringVar(&f.set.TLS.Cert, "tls-cert", "", "certificate `file`, PEM")
	fl.StringVar(&f.set.TLS.Key, "tls-key", "", "private key `file`, PEM")
	fl.StringSliceVar(&f.set.TLS.Names, "tls-name", nil, "further `name` or address by which clients reach this server")
	fl.StringVar(&f.set.Database, "database", "", "sqlite:PATH or postgres://… (default SQLite in the data folder)")
	fl.StringVar(&f.set.Seed, "seed", "", "`file` of accounts, tenants and applications that must exist, YAML")
	fl.StringVar(&f.set.Region, "region", "", "AWS region of requests that name none (default "+config.DefaultRegion+")")
	fl.StringSliceVar(&f.set.Outbound.Allow, "allow", nil, "`address` range or host name that issuers may have besides public ones; loopback, private")
	fl.StringVar(&f.set.Metrics.Listen, "metrics", "", "plain HTTP `address` for metrics")
	fl.StringVar(&f.set.Log.Level, "log-level", "", "debug, info, warn, error")
	fl.StringVar(&f.set.Log.Format, "log-format", "", "text, json")
	return c
}

// over lays the flags that were set over the file's configuration.
func (f *serveFlags) over(c config.Config, flags *pflag.FlagSet) config.Config {
	texts := map[string]struct{ to, from *string }{
		"listen": {&c.Listen, &f.set.Listen}, "proxy": {&c.Proxy, &f.set.Proxy}, "tunnel": {&c.Tunnel, &f.set.Tunnel},
		"listen-http": {&c.ListenHTTP, &f.set.ListenHTTP}, "public-url": {&c.PublicURL, &f.set.PublicURL},
		"tls-cert": {&c.TLS.Cert, &f.set.TLS.Cert}, "tls-key": {&c.TLS.Key, &f.set.TLS.Key}, "database": {&c.Database, &f.set.Database},
		"seed": {&c.Seed, &f.set.Seed}, "region": {&c.Region, &f.set.Region}, "metrics": {&c.Metrics.Listen, &f.set.Metrics.Listen},
		"log-level": {&c.Log.Level, &f.set.Log.Level}, "log-format": {&c.Log.Format, &f.set.Log.Format},
	}
	for name, t := range texts {
		if flags.Changed(name) {
			*t.to = *t.from
		}
	}
	if flags.Changed("tls-name") {
		c.TLS.Names = f.set.TLS.Names
	}
	if flags.Changed("allow") {
		c.Outbound.Allow = f.set.Outbound.Allow
	}
	return c
}

// configuration reads the file, lays flags over it and checks the whole, the seed included.
func (a *app) configuration(f *serveFlags, flags *pflag.FlagSet) (cfg config.Config, doc seed.Document, err error) {
	if f.file != "" {
		if cfg, err = config.Load(f.file); err != nil {
			return cfg, doc, shaped(err, "treaty serve --help lists the settings")
		}
	}
	cfg = f.over(cfg, flags)
	if a.data != "" || cfg.Data == "" {
		if cfg.Data, err = a.folder(); err != nil {
			return cfg, doc, err
		}
	}
	cfg = cfg.Defaults(a.getenv)
	if err := cfg.Check(); err != nil {
		return cfg, doc, &hinted{err, "treaty serve --help lists the settings", exitUsage}
	}
	if cfg.Seed != "" {
		if doc, err = seed.Load(cfg.Seed); err != nil {
			return cfg, doc, shaped(err, "docs/twin.md shows a seed with all of its keys")
		}
	}
	return cfg, doc, nil
}

// shaped is an error of usage about a file; the hint is for what is in it.
func shaped(err error, hint string) error {
	var ps config.Problems
	if !errors.As(err, &ps) {
		hint = ""
	}
	return &hinted{err, hint, exitUsage}
}

// gcPercent is how much the heap may grow between collections, when GOGC says nothing. The live heap is a
// few megabytes, so that the default of 100 would collect every hundred token requests.
const gcPercent = 300

func (a *app) runServe(ctx context.Context, f *serveFlags, flags *pflag.FlagSet) error {
	begin := time.Now()
	if a.getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	cfg, doc, err := a.configuration(f, flags)
	if err != nil {
		return err
	}
	home, err := folder.Open(cfg.Data, f.reset, a.getenv, rand.Reader)
	if err != nil {
		return err
	}
	s, err := server.New(ctx, server.Config{
		Config: cfg, Folder: home, Document: doc, Reset: f.reset, Log: a.logger(cfg.Log), Getenv: a.getenv, Version: version(),
	})
	if err != nil {
		var ps config.Problems
		if errors.As(err, &ps) {
			return &hinted{err, "", exitUsage}
		}
		return err
	}
	err = s.Run(ctx, func() { a.greet(cfg, s, time.Since(begin)) })
	var le *server.ListenError
	if errors.As(err, &le) {
		return &hinted{err, "choose another address with " + le.Flag + ", port 0 for any free one", exitFailure}
	}
	return err
}

func (a *app) logger(c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // the configuration was checked
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(a.stderr, options))
	}
	return slog.New(slog.NewTextHandler(a.stderr, options))
}

// greet says where the server is, to whoever started it.
func (a *app) greet(cfg config.Config, s *server.Server, took time.Duration) {
	mode := "twin"
	if cfg.Hub() {
		mode = "hub"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Treaty %s is ready after %v\n", mode, took.Round(time.Millisecond))
	for _, l := range [][2]string{
		{"listen", s.URL()}, {"proxy", s.ProxyURL()}, {"aws", s.HTTPURL()}, {"public", cfg.PublicURL}, {"data", cfg.Data},
	} {
		if l[1] != "" {
			fmt.Fprintf(&b, "  %-8s %s\n", l[0], l[1])
		}
	}
	if !cfg.Hub() && cfg.Proxy != config.Off {
		fmt.Fprintf(&b, "  %-8s %s\n", "try", "treaty exec --twin -- aws sts get-caller-identity")
	}
	_, _ = fmt.Fprint(a.stdout, b.String()) // nobody may be reading
}
