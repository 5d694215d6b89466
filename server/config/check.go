package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/treatyfed/treaty/server/names"
)

// Problem is one thing wrong with a configuration, or with a seed.
type Problem struct {
	Path string // "tls.cert", "tenants[0].applications[2].secrets[0].value", "line 3"
	Text string
}

// Problems is every thing wrong, in the order of the struct.
type Problems []Problem

// Error lists them, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Path + ": " + p.Text
	}
	return strings.Join(lines, "\n")
}

// Err is nil when there is no problem.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Add notes a problem.
func (ps *Problems) Add(path, format string, args ...any) {
	*ps = append(*ps, Problem{path, fmt.Sprintf(format, args...)})
}

var (
	regions   = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]$`)
	hostNames = regexp.MustCompile(`^(?i:[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)(\.(?i:[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?))*$`)
)

// Check reports everything wrong with a configuration whose defaults are filled in, as Problems.
func (c Config) Check() error {
	var ps Problems
	address(&ps, "listen", c.Listen)
	if c.Proxy != Off {
		address(&ps, "proxy", c.Proxy)
	}
	if !slices.Contains([]string{"loopback", "all", "none"}, c.Tunnel) {
		ps.Add("tunnel", "%q is none of loopback, all, none", c.Tunnel)
	}
	if c.ListenHTTP != "" && address(&ps, "listen_http", c.ListenHTTP) && !names.Loopback(c.ListenHTTP) {
		ps.Add("listen_http", "%q is not on loopback: AWS keys must not cross a network in the clear", c.ListenHTTP)
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		ps.Add("tls", "cert and key go together")
	}
	for i, n := range c.TLS.Names {
		if _, err := netip.ParseAddr(n); err != nil && !hostNames.MatchString(n) {
			ps.Add(fmt.Sprintf("tls.names[%d]", i), "%q is neither a host name nor an address", n)
		}
	}
	if c.Database != "" && !slices.ContainsFunc([]string{"sqlite:", "postgres://", "postgresql://"}, func(p string) bool { return strings.HasPrefix(c.Database, p) }) {
		ps.Add("database", "must begin with sqlite: or postgres://")
	}
	if !regions.MatchString(c.Region) {
		ps.Add("region", "%q is no AWS region", c.Region)
	}
	c.checkResources(&ps)
	c.checkRest(&ps)
	if c.Hub() {
		c.checkHub(&ps)
	}
	return ps.Err()
}

func (c Config) checkRest(ps *Problems) {
	for i, a := range c.Outbound.Allow {
		if !allowable(a) {
			ps.Add(fmt.Sprintf("outbound.allow[%d]", i), "%q is no CIDR range, address, host name, loopback or private", a)
		}
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		ps.Add("log.level", "%q is none of debug, info, warn, error", c.Log.Level)
	}
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		ps.Add("log.format", "%q is none of text, json", c.Log.Format)
	}
	if c.Metrics.Listen != "" {
		address(ps, "metrics.listen", c.Metrics.Listen)
	}
	if e := c.Traces.Endpoint; e != "" {
		if u, err := url.Parse(e); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			ps.Add("traces.endpoint", "%q is no http or https URL", e)
		}
	}
}

// checkHub refuses what is safe on a developer's machine only.
func (c Config) checkHub(ps *Problems) {
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		ps.Add("public_url", "%q must be https://host or https://host:port and nothing more", c.PublicURL)
		return
	}
	if names.Cloud(u.Hostname()) {
		ps.Add("public_url", "%s is a cloud's name: without public_url Treaty answers under those names for this machine", u.Hostname())
	}
	if c.Proxy != Off {
		ps.Add("proxy", "a hub does not answer under the clouds' names: leave it off")
	}
	if names.Loopback(u.Hostname()) {
		return
	}
	if c.TLS.Cert == "" {
		ps.Add("tls.cert", "%s needs a certificate that others trust: set tls.cert and tls.key", u.Hostname())
	}
	if c.ListenHTTP != "" {
		ps.Add("listen_http", "is for development on one machine")
	}
	if slices.Contains(c.Outbound.Allow, "loopback") || slices.Contains(c.Outbound.Allow, "private") {
		ps.Add("outbound.allow", "name the addresses: a public server must not be led to all of its own network")
	}
}

func address(ps *Problems, path, a string) bool {
	host, port, err := net.SplitHostPort(a)
	if err != nil {
		ps.Add(path, "%q is not host:port", a)
		return false
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		ps.Add(path, "%q is no port", port)
		return false
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && !hostNames.MatchString(host) {
		ps.Add(path, "%q is neither a host name nor an address", host)
		return false
	}
	return true
}

func allowable(a string) bool {
	if _, err := netip.ParsePrefix(a); err == nil {
		return true
	}
	if _, err := netip.ParseAddr(a); err == nil {
		return true
	}
	return hostNames.MatchString(a)
}
