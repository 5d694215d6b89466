// Package graph serves Microsoft Graph's directory part at /v1.0 and /beta: applications, service
// principals, federated identity credentials, app role assignments, owners, users, organization, domains.
// Service principals of managed identities are read and granted roles here; Azure makes and removes them.
//
// It owns the bearer check of a call, Graph's permissions by the token's roles, the shape of resources,
// OData answers and paging, Graph's error texts, and the rules of what may be written. Tokens are verified
// by core/token with the keys we issue them with; query options are wire/odata's; resources are kept by
// the repositories of core/directory. Every write and every refusal by permission is audited.
//
// URLs: /{v1.0|beta}/{applications|servicePrincipals}[/{id}|(appId='…')|(uniqueName='…')][/…], …/users,
// /organization, /domains, /oauth2PermissionGrants, /directoryObjects, /me, each with or without the caller's
// tenant behind the version. What Graph has beyond that is answered as Graph answers unknown segments.
package graph

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/odata"
	"github.com/treatyfed/treaty/wire/rest"
)

// Hasher makes the keyed hash of a client secret, which is all that is kept of it. *credential.Sealer is one.
type Hasher interface {
	Hash(credential.Secret) []byte
}

// Service is Microsoft Graph for all tenants. A caller acts in the tenant of its token.
type Service struct {
	Tenants              directory.Tenants
	Applications         directory.Applications
	Principals           directory.Principals
	FederatedCredentials directory.FederatedCredentials
	AppRoleAssignments   directory.AppRoleAssignments
	Users                directory.Users

	Tokens  *token.Verifier // over token.Local: the tokens are our own
	Secrets Hasher
	Audit   audit.Recorder

	V1Issuer, V2Issuer func(tenant string) string
	Authority          string // https://login.microsoftonline.com, for WWW-Authenticate
	GraphURL           string // https://graph.microsoft.com, for links and as an audience

	Now  func() time.Time
	Rand io.Reader
	Log  *slog.Logger // failures that the client is told nothing of; may be nil
}

// segments are the path segments that Graph has here.
var segments = odata.Names{
	Collections: []string{
		"applications", "servicePrincipals", "users", "organization", "domains", "directoryObjects",
		"oauth2PermissionGrants", "federatedIdentityCredentials", "owners", "ownedObjects",
		"appRoleAssignments", "appRoleAssignedTo",
	},
	Others:        []string{"v1.0", "beta", "me", "addPassword", "removePassword", "addKey", "removeKey"},
	OnCollections: []string{"getByIds", "$count", "$ref"},
}

// Handler serves paths that start with /v1.0 or /beta.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	rest.Mount(mux, s.fail, nil, s.routes()...)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, unmatched(mux, r)) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = s.begin(w, r)
		c, path, err := s.admit(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		r = r.WithContext(withCall(r.Context(), c))
		u := *r.URL
		u.Path, u.RawPath = path, path
		if plain, err := url.PathUnescape(path); err == nil {
			u.Path = plain
		}
		r.URL = &u
		mux.ServeHTTP(w, r)
	})
}

// begin gives the request its ids and the answer the headers that every answer of Graph has.
func (s *Service) begin(w http.ResponseWriter, r *http.Request) *http.Request {
	req := audit.RequestOf(r.Context())
	if req.ID == "" {
		req = &audit.Request{ID: s.newGUID()}
		r = r.WithContext(audit.WithRequest(r.Context(), req))
	}
	req.Surface = "graph"
	if req.CorrelationID = r.Header.Get("client-request-id"); !printable(req.CorrelationID) {
		req.CorrelationID = req.ID
	}
	h := w.Header()
	h.Set("request-id", req.ID)
	h.Set("client-request-id", req.CorrelationID)
	h.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"Treaty","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"TREATY"}}`)
	h.Set("Cache-Control", "no-cache")
	h.Set("Strict-Transport-Security", "max-age=31536000")
	return r
}

// printable says whether a client's own id is fit to be echoed: short and without control characters.
func printable(id string) bool {
	return id != "" && len(id) <= 128 && !strings.ContainsFunc(id, func(r rune) bool { return r < 0x21 || r > 0x7e })
}

// admit authenticates the call and normalises its path.
func (s *Service) admit(r *http.Request) (*call, string, error) {
	c, err := s.authenticate(r)
	if err != nil {
		return nil, "", err
	}
	path, ok := segments.Normalise(r.URL.EscapedPath())
	if !ok {
		return nil, "", badRequest("The request URI is not valid.")
	}
	version, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if version != "v1.0" && version != "beta" {
		return nil, "", &failure{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Invalid version: " + clip(version)}
	}
	c.version, c.path, c.header = version, strings.TrimSuffix(r.URL.EscapedPath(), "/"), r.Header
	c.metadata = wantedMetadata(r.Header)
	c.params, err = rest.ParseQuery(r.URL.RawQuery)
	return c, c.withoutTenant(path), err
}

// unmatched makes the error of a path that no route serves: 405 when another method is served there,
// else Graph's text with the first segment that it does not know.
func unmatched(mux *http.ServeMux, r *http.Request) error {
	if served(mux, r, r.URL.EscapedPath()) {
		return &failure{Status: http.StatusMethodNotAllowed, Code: "Request_BadRequest", Message: "Specified HTTP method is not allowed for the request target."}
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	unknown := ""
	for i := 1; i < len(parts); i++ {
		unknown = parts[i]
		if !served(mux, r, "/"+strings.Join(parts[:i+1], "/")) {
			break
		}
	}
	if plain, err := url.PathUnescape(unknown); err == nil {
		unknown = plain
	}
	return &failure{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Resource not found for the segment '" + clip(unknown) + "'."}
}

// served reports whether any method is served at path.
func served(mux *http.ServeMux, r *http.Request, path string) bool {
	u := &url.URL{Path: path, RawPath: path}
	if plain, err := url.PathUnescape(path); err == nil {
		u.Path = plain
	}
	return slices.ContainsFunc([]string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete}, func(method string) bool {
		_, pattern := mux.Handler(&http.Request{Method: method, URL: u, Host: r.Host})
		return pattern != "/" && pattern != ""
	})
}
