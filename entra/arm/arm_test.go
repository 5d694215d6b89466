package arm

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/store"
)

const (
	tenantA = "7ea70000-0000-4000-8000-000000000001"
	subA    = "7ea70000-0000-4000-8000-000000000002"
	subA2   = "7ea70000-0000-4000-8000-000000000003"
	tenantB = "7ea70000-0000-4000-8000-0000000000b1"
	subB    = "7ea70000-0000-4000-8000-0000000000b2"
	ownerID = "11111111-1111-4111-8111-111111111111"
	guestID = "22222222-2222-4222-8222-222222222222" // holds nothing at first
	userID  = "33333333-3333-4333-8333-333333333333"
	thereID = "44444444-4444-4444-8444-444444444444" // in tenantB
	appID   = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
	newID1  = "00000000-0000-4000-8000-000000000101"
	newID2  = "00000000-0000-4000-8000-000000000102"
	owner   = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	reader  = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
)

var now = time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)

// oneKey is a ring of one key.
type oneKey struct{ key token.Key }

func (k oneKey) Signing(context.Context, string) (token.Key, error) { return k.key, nil }
func (k oneKey) Published(context.Context, string) ([]token.Key, error) {
	return []token.Key{k.key}, nil
}

var makeKey = sync.OnceValue(func() oneKey {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return oneKey{token.Key{ID: "k1", Ring: "entra", Signer: private, NotBefore: now.Add(-time.Hour), RetireAfter: now.Add(time.Hour), Sequence: 1}}
})

// recorder keeps events in memory.
type recorder struct {
	mu     sync.Mutex
	events []audit.Event
}

func (r *recorder) Record(_ context.Context, e audit.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return nil
}

func (r *recorder) last(t *testing.T) audit.Event {
	t.Helper()
	if len(r.events) == 0 {
		t.Fatal("nothing was recorded")
	}
	return r.events[len(r.events)-1]
}

// twin is a service over a store in memory: two tenants, three subscriptions, an owner of the first.
type twin struct {
	*Service
	t       *testing.T
	handler http.Handler
	audit   *recorder
}

func newTwin(t *testing.T) *twin {
	t.Helper()
	ctx := t.Context()
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(ctx, store.Config{Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	rec := &recorder{}
	clock := func() time.Time { return now }
	s := &Service{
		Tenants: st.Tenants, Subscriptions: st.Subscriptions, Resources: st.Resources, Roles: st.Roles, Principals: st.Principals, Users: st.Users,
		Identities: st.ManagedIdentities, Federated: st.FederatedCredentials, Machines: st.Machines,
		Tokens:   &token.Verifier{Source: token.Local{Keys: makeKey(), Ring: "entra"}, Algorithms: []string{"RS256"}, Leeway: 5 * time.Minute, Now: clock},
		Audit:    rec,
		V1Issuer: func(t string) string { return "https://sts.windows.net/" + t + "/" },
		V2Issuer: func(t string) string { return "https://login.microsoftonline.com/" + t + "/v2.0" }, Authority: "https://login.microsoftonline.com",
		LoginURL: "https://login.windows.net", GraphURL: "https://graph.microsoft.com", ARMURL: "https://management.azure.com", Now: clock, Rand: rand.Reader,
	}
	tw := &twin{s, t, s.Handler(), rec}
	for _, err := range []error{
		st.Tenants.PutTenant(ctx, directory.Tenant{ID: tenantA, DisplayName: "Treaty", CountryCode: "DE", Domains: []string{"treaty.onmicrosoft.com"}}),
		st.Tenants.PutTenant(ctx, directory.Tenant{ID: tenantB, DisplayName: "Other"}),
		st.Subscriptions.PutSubscription(ctx, directory.Subscription{ID: subA, TenantID: tenantA, DisplayName: "Treaty twin", State: "Enabled"}),
		st.Subscriptions.PutSubscription(ctx, directory.Subscription{ID: subA2, TenantID: tenantA, DisplayName: "Second", State: "Enabled"}),
		st.Subscriptions.PutSubscription(ctx, directory.Subscription{ID: subB, TenantID: tenantB, DisplayName: "Theirs", State: "Enabled"}),
		st.Principals.CreatePrincipal(ctx, directory.ServicePrincipal{ID: ownerID, TenantID: tenantA, AppID: appID, Names: []string{appID}, Enabled: true}),
		st.Principals.CreatePrincipal(ctx, directory.ServicePrincipal{ID: guestID, TenantID: tenantA, AppID: guestID, Names: []string{guestID}, Enabled: true}),
		st.Users.PutUser(ctx, directory.User{ID: userID, TenantID: tenantA, UserPrincipalName: "ada@treaty.onmicrosoft.com", Enabled: true}),
		st.Roles.AssignRole(ctx, directory.RoleAssignment{ID: "00000000-0000-4000-8000-000000000001", TenantID: tenantA, Scope: "/subscriptions/" + subA, RoleDefinitionID: owner, PrincipalID: ownerID, PrincipalType: "ServicePrincipal", CreatedAt: now}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return tw
}

// claims are those of a v1 app-only token for ARM.
func claims(tenant, oid string) token.Claims {
	return token.Claims{"iss": "https://sts.windows.net/" + tenant + "/", "aud": "https://management.azure.com", "tid": tenant, "oid": oid, "sub": oid,
		"appid": appID, "idtyp": "app", "ver": "1.0", "iat": now.Unix() - 300, "nbf": now.Unix() - 300, "exp": now.Unix() + 3600}
}

func (tw *twin) sign(c token.Claims) string {
	tw.t.Helper()
	raw, err := (&token.Issuer{Keys: makeKey(), Ring: "entra", Algorithm: "RS256", Type: "JWT"}).Issue(tw.t.Context(), c)
	if err != nil {
		tw.t.Fatal(err)
	}
	return raw
}

type answer struct {
	*httptest.ResponseRecorder
	t *testing.T
}

// as calls as a principal of tenantA.
func (tw *twin) as(oid, method, path, body string, header ...string) answer {
	tw.t.Helper()
	return tw.call(method, path, body, append(header, "Authorization", "Bearer "+tw.sign(claims(tenantA, oid)))...)
}

func (tw *twin) call(method, path, body string, header ...string) answer {
	tw.t.Helper()
	r := httptest.NewRequest(method, "https://management.azure.com"+path, strings.NewReader(body))
	r.Host = "management.azure.com"
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	tw.handler.ServeHTTP(w, r)
	return answer{w, tw.t}
}

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.Code != status {
		a.t.Fatalf("status %d, want %d: %s", a.Code, status, a.Body)
	}
	return a
}

// fails asserts a refusal's status, code and message.
func (a answer) fails(status int, code, message string) {
	a.t.Helper()
	var e struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(a.Body.Bytes(), &e); err != nil {
		a.t.Fatalf("%d %s: %v", a.Code, a.Body, err)
	}
	if a.Code != status || e.Error.Code != code || !strings.Contains(e.Error.Message, message) {
		a.t.Fatalf("%d %s\nwant %d %s: %s", a.Code, a.Body, status, code, message)
	}
}

// at reads a value of the answer by its path, "value.0.name", as compact JSON; strings without quotes.
func (a answer) at(path string) string {
	a.t.Helper()
	var v any
	if err := json.Unmarshal(a.Body.Bytes(), &v); err != nil {
		a.t.Fatalf("%s: %v", a.Body, err)
	}
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			i := int(part[0] - '0')
			if i >= len(x) {
				return "none"
			}
			v = x[i]
		default:
			return "none"
		}
	}
	if s, ok := v.(string); ok {
		return s
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return strings.TrimSpace(b.String())
}

// is asserts several values at once: path, value, path, value …
func (a answer) is(pairs ...string) answer {
	a.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if got := a.at(pairs[i]); got != pairs[i+1] {
			a.t.Errorf("%s = %s, want %s", pairs[i], got, pairs[i+1])
		}
	}
	return a
}

const (
	v2020 = "?api-version=2020-06-01"
	v2021 = "?api-version=2021-04-01"
	vNet  = "?api-version=2022-07-01"
	vAuth = "?api-version=2022-04-01"
)

func sub(path string) string { return "/subscriptions/" + subA + path }

// role is a request body for an assignment.
func role(definition, principal, kind string) string {
	b, _ := json.Marshal(map[string]any{"properties": map[string]any{
		"roleDefinitionId": sub("/providers/Microsoft.Authorization/roleDefinitions/" + definition), "principalId": principal, "principalType": kind}})
	return string(b)
}

// grant assigns a role to the guest.
func (tw *twin) grant(guid, definition, scope string) {
	tw.t.Helper()
	tw.as(ownerID, "PUT", scope+"/providers/Microsoft.Authorization/roleAssignments/"+guid+vAuth, role(definition, guestID, "ServicePrincipal")).want(201)
}

func (tw *twin) group(name string) {
	tw.t.Helper()
	tw.as(ownerID, "PUT", sub("/resourcegroups/"+name)+v2021, `{"location":"westeurope"}`).want(201)
}

func (tw *twin) vnet(group, name string) answer {
	tw.t.Helper()
	return tw.as(ownerID, "PUT", sub("/resourceGroups/"+group+"/providers/Microsoft.Network/virtualNetworks/"+name)+vNet,
		`{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"subnets":[{"name":"default","properties":{"addressPrefix":"10.0.0.0/24"}}]}}`)
}

func newRequest(t *testing.T, method, path string, header ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "https://management.azure.com"+path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func (tw *twin) serveRequest(r *http.Request) answer {
	w := httptest.NewRecorder()
	tw.handler.ServeHTTP(w, r)
	return answer{w, tw.t}
}
