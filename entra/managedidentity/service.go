// Package managedidentity serves the endpoints at which workloads on a machine of Azure get the tokens of
// its managed identities, without a credential of their own.
//
// It owns each kind of machine's endpoint with its headers, parameters, error shapes and secrets, the choice
// of an identity among those a machine has, and the cache of tokens. The token itself is Issue's; machines,
// identities and their service principals are the directory's and are read again for each request.
//
//	vm           GET  /metadata/identity/oauth2/token, /metadata/identity/info, /metadata/instance[/…]
//	arc          the same; the token after a challenge: 401, a secret in a file, the secret in a header
//	app_service  GET  /msi/token
//	cloud_shell  POST /cloudshell/SECRET/oauth2/token
//
// These paths are of the machine named "default"; those of another are below /machines/NAME. A request is
// checked in full, is on record with all its checks, and then is answered.
package managedidentity

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
)

// Default is the name of the machine that answers requests which name none.
const Default = "default"

const surface = "managed-identity"

// Ask is a request for a token of a managed identity.
type Ask struct {
	TenantID        string
	PrincipalID     string // of the identity's service principal
	Resource        string // as the workload wrote it
	MachineResource string // ARM id of the machine that asks
}

// Token is what Issue grants. ExpiresIn is its life when it was issued.
type Token struct {
	AccessToken string
	ClientID    string
	Resource    string
	NotBefore   time.Time
	ExpiresOn   time.Time
	ExpiresIn   time.Duration
}

// Service answers as the machines' identity endpoints. All fields are needed but those that say otherwise.
type Service struct {
	Machines   directory.Machines
	Principals directory.Principals
	Resources  directory.Resources
	// Issue makes a token; what the cloud refuses is an *aadsts.Error.
	Issue  func(ctx context.Context, ask Ask) (Token, error)
	Sealer *credential.Sealer // derives machines' secrets
	Audit  audit.Recorder

	Authority string   // https://login.microsoftonline.com, of the pages that errors name
	Hosts     []string // names beside localhost and addresses under which requests may come; may be nil
	ArcFolder string   // of challenge files; "" is DefaultArcFolder, the only one that current clients read

	Now  func() time.Time
	Rand io.Reader
	Log  *slog.Logger // may be nil

	tokens     cache
	challenges challenges
}

// Handler serves every path of the package; others are not found.
func (s *Service) Handler() http.Handler { return http.HandlerFunc(s.serve) }

// Close removes the challenge files that are still there.
func (s *Service) Close() { s.challenges.clear() }

// Reset forgets tokens and challenges, after the directory was brought back to an earlier state: a token says
// which roles its identity had.
func (s *Service) Reset() {
	s.tokens.clear()
	s.challenges.clear()
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	c := s.begin(r)
	name, rest := Default, r.URL.Path
	if below, ok := strings.CutPrefix(rest, "/machines/"); ok {
		name, rest, _ = strings.Cut(below, "/")
		name, rest = strings.ToLower(name), "/"+rest
	}
	m, err := s.Machines.Machine(r.Context(), name)
	switch {
	case err != nil && fault.KindOf(err) == fault.NotFound:
		s.notFound(w, c, "no machine is named "+strconv.Quote(evidence.Clip(name)))
		return
	case err != nil:
		s.log(r.Context(), c, err)
		c.shape = metadataShape
		s.write(w, c, internal.answer(c))
		return
	}
	c.machine = m
	e, ok := s.endpoint(c, r, strings.TrimSuffix(rest, "/"))
	if !ok {
		s.notFound(w, c, "not found")
		return
	}
	c.shape, c.record.Operation = e.shape, m.Kind+" "+e.operation
	c.check(s.Host(r.Host), refusal{status: http.StatusForbidden, code: "forbidden_host", text: "The Host header of the request is not one of this endpoint"})
	granted, err := e.serve(r.Context(), r, c)
	if err != nil {
		s.log(r.Context(), c, err)
		c.failed = &internal
	}
	if err := s.Audit.Record(r.Context(), c.event()); err != nil {
		s.log(r.Context(), c, fmt.Errorf("record decision %s: %w", c.record.ID, err))
		c.failed = &internal
	}
	if c.failed != nil {
		granted = c.failed.answer(c)
	}
	s.write(w, c, granted)
}

// endpoint is one way to ask. serve runs its checks on the call; it answers, or leaves the call refused.
type endpoint struct {
	operation string
	shape     shape
	serve     func(ctx context.Context, r *http.Request, c *call) (answer, error)
}

// endpoint finds what a machine of its kind answers at a path. Letters count in no case: msal-node writes
// endpoints in lower case and with a slash at the end.
func (s *Service) endpoint(c *call, r *http.Request, path string) (endpoint, bool) {
	path = strings.ToLower(path)
	switch c.machine.Kind {
	case directory.MachineVM, directory.MachineArc:
		if path == "/metadata/identity/oauth2/token" {
			serve := s.vmToken
			if c.machine.Kind == directory.MachineArc {
				serve = s.arcToken
			}
			return endpoint{"token", metadataShape, serve}, true
		}
		if path == "/metadata/identity/info" {
			return endpoint{"info", metadataShape, s.info}, true
		}
		if rest, ok := strings.CutPrefix(path, "/metadata/instance"); ok && (rest == "" || rest[0] == '/') {
			return endpoint{"instance", metadataShape, s.instance}, true
		}
	case directory.MachineAppService:
		if path == "/msi/token" {
			c.query, c.unread = query(r.URL.RawQuery)
			return endpoint{"token", appServiceShape(c.query), s.appServiceToken}, true
		}
	case directory.MachineCloudShell:
		below, ok := strings.CutPrefix(path, "/cloudshell/")
		if secret, found := strings.CutSuffix(below, "/oauth2/token"); ok && found {
			if s.shellSecret(c.machine).Equal(credential.Secret(secret)) {
				return endpoint{"token", cloudShellShape, s.cloudShellToken}, true
			}
		}
	}
	return endpoint{}, false
}

// Host checks a Host header: a page in a browser that lets its own name resolve to this address (DNS
// rebinding) sends that name.
func (s *Service) Host(hostport string) evidence.Check {
	host := strings.ToLower(hostport)
	if h, port, ok := cutPort(host); ok && port != "" {
		host = h
	}
	_, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	k := evidence.Check{Name: "host", Claim: "Host", Operator: "one of", Want: []string{"an address", "localhost"}, Got: []string{evidence.Clip(hostport)}, OK: err == nil || host == "localhost"}
	for _, name := range s.Hosts {
		k.Want = append(k.Want, name)
		k.OK = k.OK || strings.EqualFold(host, name) || strings.EqualFold(hostport, name)
	}
	return k
}

// cutPort splits host:port and [host]:port; an IPv6 address without brackets has no port.
func cutPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.Count(s, ":") > 1 && !strings.HasSuffix(s[:i], "]") {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// secret is the text that a machine's workloads and nobody else know.
func (s *Service) secret(purpose string, m directory.Machine) []byte {
	return s.Sealer.Hash(credential.Secret("machine " + purpose + " " + m.ID))
}

// shellSecret is the part of a Cloud Shell's path that cannot be guessed. It is hexadecimal because
// clients lower the letters of endpoints.
func (s *Service) shellSecret(m directory.Machine) credential.Secret {
	return credential.Secret(hex.EncodeToString(s.secret("path", m)))
}

// log notes a failure of our own, under the id that the answer names.
func (s *Service) log(ctx context.Context, c *call, err error) {
	if s.Log != nil {
		s.Log.ErrorContext(ctx, "managed identity request failed", "request_id", c.record.ID, "operation", c.record.Operation, "machine", c.machine.Name, "error", err)
	}
}

// event is what the audit keeps: who asked for what, the answer and every check.
func (c *call) event() audit.Event {
	e := audit.Event{
		RequestID: c.record.ID, CorrelationID: c.record.CorrelationID, Time: c.now, Surface: surface, Operation: c.record.Operation,
		Caller: c.identity.principal.ID, Resource: evidence.Clip(c.resource), Outcome: audit.Allowed,
	}
	if c.failed != nil {
		e.Outcome, e.Code = audit.Refused, c.failed.name()
		c.record.Code = e.Code
	}
	c.record.Caller = e.Caller
	if b, err := json.Marshal(c.found()); err == nil {
		e.Evidence = b
	}
	return e
}
