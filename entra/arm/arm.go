// Package arm serves a subset of Azure Resource Manager: cloud metadata, tenants, subscriptions and
// locations, resource providers, resource groups, virtual networks, managed identities with their federated
// credentials, role definitions and assignments.
//
// It owns ARM's paths, API versions, error bodies and headers, bearer authentication with its
// challenges, and role-based access control: every call but the metadata is decided by a pure function
// that keeps all its evidence (Decide). It leaves the issuing of tokens to entra/oauth, applications
// and service principals to entra/graph, and what is stored to core/directory.
//
// A request passes, in this order: path, api-version, token, subscription and tenant, resource type and
// its versions, role assignments, handler. Types that are not served answer as ARM does for a namespace
// or type that it does not know.
package arm

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/rest"
)

// Service is Azure Resource Manager. All fields are needed but those that say otherwise.
type Service struct {
	Tenants       directory.Tenants
	Subscriptions directory.Subscriptions
	Resources     directory.Resources
	Roles         directory.Roles
	Principals    directory.Principals
	Users         directory.Users
	Identities    directory.ManagedIdentities    // user-assigned ones; reading and deleting them is Resources'
	Federated     directory.FederatedCredentials // those of user-assigned identities
	Machines      directory.Machines             // which resource has which system-assigned identity
	Tokens        Verifier                       // over our own rings, whatever the issuer
	Audit         audit.Recorder

	V1Issuer  func(tenant string) string // https://sts.windows.net/TENANT/
	V2Issuer  func(tenant string) string // https://login.microsoftonline.com/TENANT/v2.0
	Authority string                     // https://login.microsoftonline.com
	LoginURL  string                     // of challenges, https://login.windows.net; "" is Authority
	GraphURL  string                     // https://graph.microsoft.com
	ARMURL    string                     // https://management.azure.com
	CloudName string                     // "" is AzureCloud

	Log  *slog.Logger // internal errors; may be nil
	Now  func() time.Time
	Rand io.Reader
}

// Verifier verifies tokens of an issuer that the caller names. Implementation: *token.Verifier.
type Verifier interface {
	Verify(ctx context.Context, raw, issuer string) (token.Claims, token.Report, error)
}

var _ Verifier = (*token.Verifier)(nil)

// call is one authenticated request on its way to a handler.
type call struct {
	caller   caller
	target   target
	base     string // scheme and host of links back to us
	access   access
	decision Decision
}

type callKey struct{}

func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// Handler serves ARM at its root.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	rest.Mount(mux, s.fail, nil, s.routes()...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := s.begin(w, r)
		r = r.WithContext(ctx)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.serve(mux, w, r)
	})
}

// routes lists what is served. The paths are those of target.Kind, not ARM's own.
func (s *Service) routes() []rest.Route {
	return []rest.Route{
		rest.Do("GET /tenants", 200, s.listTenants),
		rest.Do("GET /subscriptions", 200, s.listSubscriptions),
		rest.Do("GET /subscription", 200, s.getSubscription),
		rest.Do("GET /locations", 200, s.listLocations),
		rest.Do("GET /providers", 200, s.listProviders),
		rest.Do("GET /provider", 200, s.getProvider),
		rest.Do("POST /register", 200, s.registerProvider),
		rest.Do("GET /operationresult", 200, s.operationResult),

		rest.Do("GET /groups", 200, s.listGroups),
		rest.Do("GET /group", 200, s.getGroup),
		rest.Do("HEAD /group", 204, s.headGroup),
		rest.Do("PUT /group", 200, s.putGroup),
		rest.Do("PATCH /group", 200, s.patchGroup),
		rest.Do("DELETE /group", 202, s.deleteGroup),
		rest.Do("GET /resources", 200, s.listResources),

		rest.Do("GET /list/microsoft.network/virtualnetworks", 200, s.listNetworks),
		rest.Do("GET /item/microsoft.network/virtualnetworks", 200, s.getNetwork),
		rest.Do("PUT /item/microsoft.network/virtualnetworks", 200, s.putNetwork),
		rest.Do("PATCH /item/microsoft.network/virtualnetworks", 200, s.patchNetwork),
		rest.Do("DELETE /item/microsoft.network/virtualnetworks", 200, s.deleteNetwork),
		rest.Do("GET /list/microsoft.network/virtualnetworks/subnets", 200, s.listSubnets),
		rest.Do("GET /item/microsoft.network/virtualnetworks/subnets", 200, s.getSubnet),
		rest.Do("PUT /item/microsoft.network/virtualnetworks/subnets", 200, s.putSubnet),
		rest.Do("DELETE /item/microsoft.network/virtualnetworks/subnets", 200, s.deleteSubnet),

		rest.Do("GET /list/microsoft.managedidentity/userassignedidentities", 200, s.listIdentities),
		rest.Do("GET /item/microsoft.managedidentity/userassignedidentities", 200, s.getIdentity),
		rest.Do("PUT /item/microsoft.managedidentity/userassignedidentities", 200, s.putIdentity),
		rest.Do("PATCH /item/microsoft.managedidentity/userassignedidentities", 200, s.patchIdentity),
		rest.Do("DELETE /item/microsoft.managedidentity/userassignedidentities", 200, s.deleteIdentity),
		rest.Do("GET /list/microsoft.managedidentity/userassignedidentities/federatedidentitycredentials", 200, s.listCredentials),
		rest.Do("GET /item/microsoft.managedidentity/userassignedidentities/federatedidentitycredentials", 200, s.getCredential),
		rest.Do("PUT /item/microsoft.managedidentity/userassignedidentities/federatedidentitycredentials", 200, s.putCredential),
		rest.Do("DELETE /item/microsoft.managedidentity/userassignedidentities/federatedidentitycredentials", 200, s.deleteCredential),
		rest.Do("GET /item/microsoft.managedidentity/identities", 200, s.getSystemIdentity),

		rest.Do("GET /list/microsoft.authorization/roledefinitions", 200, s.listRoleDefinitions),
		rest.Do("GET /item/microsoft.authorization/roledefinitions", 200, s.getRoleDefinition),
		rest.Do("PUT /item/microsoft.authorization/roledefinitions", 201, s.putRoleDefinition),
		rest.Do("DELETE /item/microsoft.authorization/roledefinitions", 200, s.deleteRoleDefinition),
		rest.Do("GET /list/microsoft.authorization/roleassignments", 200, s.listRoleAssignments),
		rest.Do("GET /item/microsoft.authorization/roleassignments", 200, s.getRoleAssignment),
		rest.Do("PUT /item/microsoft.authorization/roleassignments", 201, s.putRoleAssignment),
		rest.Do("DELETE /item/microsoft.authorization/roleassignments", 200, s.deleteRoleAssignment),
		rest.Do("GET /list/microsoft.authorization/permissions", 200, s.listPermissions),
	}
}

// serve takes a request through everything that precedes its handler.
func (s *Service) serve(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	if isMetadata(r.URL.Path) {
		s.serveMetadata(w, r)
		return
	}
	ctx, inner, err := s.admit(mux, r)
	if err != nil {
		s.fail(w, r.WithContext(ctx), err)
		return
	}
	s.limitHeaders(w, r, callOf(ctx).target)
	mux.ServeHTTP(w, inner.WithContext(ctx))
}

// admit checks path, version, token, tenant, type and roles; it returns the request as the mux knows it.
func (s *Service) admit(mux *http.ServeMux, r *http.Request) (context.Context, *http.Request, error) {
	ctx := r.Context()
	ar := audit.RequestOf(ctx)
	t, err := parsePath(r.URL.EscapedPath())
	if err != nil {
		return ctx, nil, err
	}
	if t.known() {
		ar.Operation = t.action(r.Method)
	}
	version, err := versionOf(r)
	if err != nil {
		return ctx, nil, err
	}
	var sub directory.Subscription
	if t.Subscription != "" {
		if sub, err = s.subscription(ctx, t.Subscription); err != nil {
			return ctx, nil, err
		}
	}
	who, err := s.authenticate(ctx, r, sub.TenantID)
	if err != nil {
		return ctx, nil, err
	}
	ar.Caller = who.ObjectID
	c := &call{caller: who, target: t, base: s.base(r)}
	ctx = context.WithValue(ctx, callKey{}, c)
	if err := t.supports(version, r.Method); err != nil {
		return ctx, nil, err
	}
	inner := r.Clone(ctx)
	inner.URL.Path, inner.URL.RawPath = t.Kind, ""
	if _, pattern := mux.Handler(inner); pattern == "" {
		return ctx, nil, methodNotAllowed(r.Method)
	}
	if err := s.authorize(ctx, c, r.Method); err != nil {
		return ctx, nil, err
	}
	return ctx, inner, nil
}

// subscription finds the subscription of a path, with ARM's errors for one that is malformed or missing.
func (s *Service) subscription(ctx context.Context, id string) (directory.Subscription, error) {
	if !isGUID(id) {
		return directory.Subscription{}, errorf(400, "InvalidSubscriptionId", "The provided subscription identifier '%s' is malformed or invalid.", id)
	}
	sub, err := s.Subscriptions.Subscription(ctx, lower(id))
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return sub, errorf(404, "SubscriptionNotFound", "The subscription '%s' could not be found.", id)
	}
	return sub, err
}

// record keeps a decision: refusals, and writes before they are carried out.
func (s *Service) record(ctx context.Context, outcome audit.Outcome, resource, code string, evidence any) error {
	ar := audit.RequestOf(ctx)
	encode := func() ([]byte, error) { return json.Marshal(evidence) }
	if d, ok := evidence.(Decision); ok {
		encode = d.encode
	}
	b, err := encode()
	if err != nil {
		return fault.Wrap(fault.Internal, "arm.evidence", err)
	}
	return s.Audit.Record(ctx, audit.Event{
		RequestID: ar.ID, CorrelationID: ar.CorrelationID, Time: s.Now(), Surface: "arm", Operation: ar.Operation,
		Caller: ar.Caller, Resource: resource, Outcome: outcome, Code: code, Evidence: b,
	})
}

func (s *Service) newID() (string, error) {
	id, err := uuid.NewRandomFromReader(s.Rand)
	if err != nil {
		return "", fault.Wrap(fault.Internal, "arm.id", err)
	}
	return id.String(), nil
}
