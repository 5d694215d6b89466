// Package config is the server's configuration: one struct, read strictly from YAML, usable when empty.
//
// It owns the fields, their defaults and their checks, which report every problem at once with its path.
// Command line flags are laid over it by cmd/treaty. What to do with the values is the server's.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"
)

// Defaults of a server that was told nothing.
const (
	DefaultListen = "127.0.0.1:8443"
	DefaultProxy  = "127.0.0.1:8480"
	DefaultRegion = "us-east-1"
	Off           = "off" // as an address: do not listen

	maxFile = 1 << 20
)

// Config is everything that can be set. The zero value runs a twin in the user's own data folder.
type Config struct {
	// Data is the data folder; empty means $TREATY_DATA, else treaty under the XDG state folder.
	Data string `yaml:"data"`
	// Listen is the address of the TLS listener, host:port; default 127.0.0.1:8443. Port 0 takes a free one.
	Listen string `yaml:"listen"`
	// Proxy is the address of the CONNECT proxy, host:port or "off"; default 127.0.0.1:8480, off in hub mode.
	Proxy string `yaml:"proxy"`
	// Tunnel says for whose sake the proxy connects to hosts that are no cloud's: "loopback" clients
	// (default), "all" or "none".
	Tunnel string `yaml:"tunnel"`
	// ListenHTTP is a plain HTTP address for the AWS APIs only, host:port on loopback; empty is none.
	ListenHTTP string `yaml:"listen_http"`
	// PublicURL, https://host[:port], turns on hub mode: Treaty answers under this name, not the clouds'.
	PublicURL string `yaml:"public_url"`
	TLS       TLS    `yaml:"tls"`
	// Database is "" for SQLite in the data folder, or sqlite:PATH, or postgres://….
	Database string `yaml:"database"`
	// Seed is a file of accounts, tenants, applications and so on that must exist at start.
	Seed string `yaml:"seed"`
	// Region is the AWS region of requests that name none; default us-east-1.
	Region    string    `yaml:"region"`
	Resources Resources `yaml:"resources"`
	Outbound  Outbound  `yaml:"outbound"`
	Log       Log       `yaml:"log"`
	Metrics   Metrics   `yaml:"metrics"`
	Traces    Traces    `yaml:"traces"`
	// Shutdown is how long a stop waits for requests under way; default 10s.
	Shutdown Duration `yaml:"shutdown"`
}

// TLS is the server's own certificate, and further names for the local authority to certify.
type TLS struct {
	Cert  string   `yaml:"cert"`  // PEM file, leaf first
	Key   string   `yaml:"key"`   // PEM file
	Names []string `yaml:"names"` // host names and addresses by which clients reach this server, e.g. "treaty" in a compose network
}

// Outbound is what the server may reach by itself: the documents of issuers that somebody trusts.
type Outbound struct {
	// Allow admits addresses that are refused otherwise (loopback, private, link-local): CIDR ranges, IP
	// addresses, host names, or the words "loopback" and "private".
	Allow []string `yaml:"allow"`
	// CA is a PEM file of authorities trusted besides the system's.
	CA string `yaml:"ca"`
	// Timeout of one document; default 5s.
	Timeout Duration `yaml:"timeout"`
}

// Log says what is logged and how.
type Log struct {
	Level  string `yaml:"level"`  // debug, info (default), warn, error
	Format string `yaml:"format"` // text (default) or json
}

// Metrics says where metrics are, besides /metrics of the TLS listener in twin mode.
type Metrics struct {
	Listen string `yaml:"listen"` // plain HTTP, host:port; the only place in hub mode; empty is none
}

// Traces says where OpenTelemetry traces go; OTEL_EXPORTER_OTLP_ENDPOINT does the same.
type Traces struct {
	Endpoint string `yaml:"endpoint"` // https://collector:4318, empty is none
}

// Duration is a time.Duration written as Go writes it: "5s", "1m30s".
type Duration time.Duration

// UnmarshalYAML reads a duration.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil || v <= 0 {
		return fmt.Errorf("line %d: %q is no duration above zero, such as 5s", n.Line, n.Value)
	}
	*d = Duration(v)
	return nil
}

// Or gives the duration, or def when it is not set.
func (d Duration) Or(def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return time.Duration(d)
}

// Hub reports whether the server answers under its own names.
func (c Config) Hub() bool { return c.PublicURL != "" }

// Defaults fills in what is not set, data folder included.
func (c Config) Defaults(getenv func(string) string) Config {
	or := func(p *string, def string) {
		if *p == "" {
			*p = def
		}
	}
	or(&c.Listen, DefaultListen)
	if c.Hub() {
		or(&c.Proxy, Off)
	}
	or(&c.Proxy, DefaultProxy)
	or(&c.Tunnel, "loopback")
	or(&c.Region, DefaultRegion)
	if c.Resources.S3.Endpoint != "" {
		or(&c.Resources.S3.Region, c.Region)
	}
	if c.Resources.DynamoDB.Endpoint != "" {
		or(&c.Resources.DynamoDB.Region, c.Region)
	}
	or(&c.Log.Level, "info")
	or(&c.Log.Format, "text")
	or(&c.Data, Folder(getenv))
	if c.Data != "" && c.Resources.S3.Endpoint == "" && c.S3On() {
		or(&c.Resources.S3.Folder, filepath.Join(c.Data, "s3"))
	}
	return c
}

// Folder is the data folder by environment: $TREATY_DATA, else $XDG_STATE_HOME/treaty, else
// ~/.local/state/treaty (XDG Base Directory Specification 0.8), else "" when there is no home.
func Folder(getenv func(string) string) string {
	if d := getenv("TREATY_DATA"); d != "" {
		return d
	}
	if d := getenv("XDG_STATE_HOME"); filepath.IsAbs(d) { // relative ones must be ignored, says the specification
		return filepath.Join(d, "treaty")
	}
	if h := getenv("HOME"); h != "" {
		return filepath.Join(h, ".local", "state", "treaty")
	}
	return ""
}

// Load reads a file over the zero value. Unknown keys, duplicates and second documents are problems.
func Load(file string) (Config, error) {
	f, err := os.Open(file)
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	if len(b) > maxFile {
		return Config{}, fmt.Errorf("read the configuration: %s is larger than %d bytes", file, maxFile)
	}
	c, err := Parse(b)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// Parse reads YAML over the zero value.
func Parse(b []byte) (Config, error) {
	var c Config
	if err := Strict(b, &c); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Strict decodes one YAML document; every unknown key and ill-typed value is reported, as Problems by line.
// Empty is the zero value.
func Strict(b []byte, into any) error {
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return worded(err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one YAML document")
	}
	return nil
}
