package graph_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/entra/graph"
	"github.com/treatyfed/treaty/store"
	"github.com/treatyfed/treaty/wire/jose"
)

const (
	tenantID = "7ea70000-0000-4000-8000-000000000001"
	otherID  = "7ea70000-0000-4000-8000-0000000000ff"
	graphURL = "https://graph.microsoft.com"
	callerID = "c0000000-0000-4000-8000-000000000001" // the calling service principal
	callerAp = "c0000000-0000-4000-8000-0000000000aa" // its appId
	userID   = "d0000000-0000-4000-8000-000000000001"
	nobodyID = "deadbeef-0000-4000-8000-000000000001"
)

var now = time.Date(2026, 11, 21, 12, 30, 0, 0, time.UTC)

func v1Issuer(t string) string { return "https://sts.windows.net/" + t + "/" }
func v2Issuer(t string) string { return "https://login.microsoftonline.com/" + t + "/v2.0" }

// pair is a key with its certificate.
type pair struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
}

// The keys that tests share, since making one is slow: Entra's, a stranger's, and an application's.
var (
	entraKey    = sync.OnceValue(func() pair { return makePair("accounts.accesscontrol.windows.net") })
	strangerKey = sync.OnceValue(func() pair { return makePair("stranger") })
	clientKey   = sync.OnceValue(func() pair { return makePair("client") })
)

func makePair(name string) pair {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return pair{key, cert}
}

func (p pair) thumbprint() string {
	sum := sha1.Sum(p.cert.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Signing and Published make a pair a ring of one key.
func (p pair) Signing(context.Context, string) (token.Key, error) {
	return token.Key{ID: p.thumbprint(), Ring: "entra", Signer: p.key, Certificate: p.cert}, nil
}

func (p pair) Published(ctx context.Context, ring string) ([]token.Key, error) {
	k, err := p.Signing(ctx, ring)
	return []token.Key{k}, err
}

// world is a Graph over a real store in memory, with one calling application.
type world struct {
	testing.TB
	*store.Store
	service *graph.Service
	handler http.Handler
	sealer  *credential.Sealer
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ctx := context.Background()
	sealer, err := credential.NewSealer(bytes.Repeat([]byte{7}, credential.MasterKeySize), rand.Reader)
	must(t, err)
	db, err := store.Open(ctx, store.Config{Sealer: sealer})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	w := &world{TB: t, Store: db, sealer: sealer, service: &graph.Service{
		Tenants: db.Tenants, Applications: db.Applications, Principals: db.Principals, FederatedCredentials: db.FederatedCredentials,
		AppRoleAssignments: db.AppRoleAssignments, Users: db.Users,
		Tokens:  &token.Verifier{Source: token.Local{Keys: entraKey(), Ring: "entra"}, Algorithms: []string{jose.RS256}, Now: func() time.Time { return now }},
		Secrets: sealer, Audit: db.Audit, V1Issuer: v1Issuer, V2Issuer: v2Issuer,
		Authority: "https://login.microsoftonline.com", GraphURL: graphURL, Now: func() time.Time { return now }, Rand: rand.Reader,
	}}
	w.handler = w.service.Handler()
	tenant := directory.Tenant{ID: tenantID, DisplayName: "Treaty", CountryCode: "DE", Domains: []string{"treaty.onmicrosoft.com", "treaty.example"}, CreatedAt: now}
	must(t, db.Tenants.PutTenant(ctx, tenant))
	must(t, db.Tenants.PutTenant(ctx, directory.Tenant{ID: otherID, DisplayName: "Other", Domains: []string{"other.onmicrosoft.com"}, CreatedAt: now}))
	n := 0
	for _, sp := range graph.FirstParty(tenant, graphURL, "https://management.azure.com", now, func() string {
		n++
		return fmt.Sprintf("f0000000-0000-4000-8000-%012d", n)
	}) {
		must(t, db.Principals.CreatePrincipal(ctx, sp))
	}
	must(t, db.Principals.CreatePrincipal(ctx, directory.ServicePrincipal{ID: callerID, TenantID: tenantID, AppID: callerAp, DisplayName: "caller",
		Type: "Application", OwnerTenant: tenantID, Names: []string{callerAp}, Enabled: true, CreatedAt: now}))
	must(t, db.Users.PutUser(ctx, directory.User{ID: userID, TenantID: tenantID, UserPrincipalName: "ann@treaty.example", DisplayName: "Ann", Enabled: true, CreatedAt: now,
		Carried: json.RawMessage(`{"jobTitle":"Engineer","givenName":"Ann"}`)}))
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// claims of an app-only token of version 1 for Graph.
func claims(roles ...string) token.Claims {
	c := token.Claims{
		"iss": v1Issuer(tenantID), "aud": graphURL, "tid": tenantID, "oid": callerID, "sub": callerID, "appid": callerAp, "idtyp": "app", "ver": "1.0",
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	if len(roles) > 0 {
		c["roles"] = roles
	}
	return c
}

func (w *world) sign(key pair, c token.Claims) string {
	w.Helper()
	issuer := token.Issuer{Keys: key, Ring: "entra", Algorithm: jose.RS256, Type: "JWT", X5T: true}
	raw, err := issuer.Issue(context.Background(), c)
	must(w, err)
	return raw
}

// all are the roles of an administrator.
var all = []string{"Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "Directory.Read.All"}

// response is a decoded answer.
type response struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// as is a client with some roles.
type as struct {
	*world
	token  string
	header http.Header
}

func (w *world) as(roles ...string) as {
	w.Helper()
	return as{w, w.sign(entraKey(), claims(roles...)), http.Header{}}
}

func (w *world) admin() as { return w.as(all...) }

func (a as) with(name, value string) as {
	a.header = a.header.Clone()
	a.header.Set(name, value)
	return a
}

// do sends a request; body is JSON text, "" for none. Paths without a version are those of /v1.0, and
// spaces are written as az writes them.
func (a as) do(method, path, body string) response {
	a.Helper()
	path = strings.TrimPrefix(path, graphURL)
	if !strings.HasPrefix(strings.ToLower(path), "/v1.0") && !strings.HasPrefix(path, "/beta") && !strings.HasPrefix(path, "/v9") {
		path = "/v1.0" + path
	}
	var rd io.Reader
	if body != "" {
		rd = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, strings.ReplaceAll(path, " ", "+"), rd)
	for k, v := range a.header {
		r.Header[k] = v
	}
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	rec := httptest.NewRecorder()
	a.handler.ServeHTTP(rec, r)
	out := response{status: rec.Code, header: rec.Header(), raw: rec.Body.String()}
	if strings.HasPrefix(out.raw, "{") {
		if err := json.Unmarshal(rec.Body.Bytes(), &out.body); err != nil {
			a.Fatalf("%s %s: %v: %s", method, path, err, out.raw)
		}
	}
	return out
}

// want sends a request that must have this status.
func (a as) want(status int, method, path, body string) response {
	a.Helper()
	got := a.do(method, path, body)
	if got.status != status {
		a.Fatalf("%s %s: status %d, want %d: %s", method, path, got.status, status, got.raw)
	}
	return got
}

// refused sends a request that must fail with this status, code and a message that contains text.
func (a as) refused(status int, code, text, method, path, body string) response {
	a.Helper()
	got := a.do(method, path, body)
	e, _ := got.body["error"].(map[string]any)
	message, _ := e["message"].(string)
	if got.status != status || e["code"] != code || !strings.Contains(message, text) {
		a.Errorf("%s %s %s:\n got %d %s\nwant %d %s %q", method, path, body, got.status, got.raw, status, code, text)
	}
	return got
}

// text reads a member by its path: "api.requestedAccessTokenVersion", "value.0.id".
func (r response) at(path string) any {
	var v any = r.body
	for name := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i := slices.Index([]string{"0", "1", "2", "3"}, name)
			if i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (r response) text(path string) string {
	s, _ := r.at(path).(string)
	return s
}

// ids are the values of a property over a list.
func (r response) column(property string) []string {
	out := []string{}
	list, _ := r.body["value"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		s, _ := m[property].(string)
		out = append(out, s)
	}
	return out
}

// app makes an application and returns its object id and appId.
func (a as) app(name string) (id, appID string) {
	a.Helper()
	r := a.want(201, "POST", "/applications", `{"displayName":"`+name+`"}`)
	return r.text("id"), r.text("appId")
}

// principal makes the service principal of an application.
func (a as) principal(appID string) string {
	a.Helper()
	return a.want(201, "POST", "/servicePrincipals", `{"appId":"`+appID+`","accountEnabled":true}`).text("id")
}

// event is what the audit kept of a request.
func (w *world) event(r response) audit.Event {
	w.Helper()
	e, err := w.Audit.Find(context.Background(), r.header.Get("request-id"))
	must(w, err)
	return e
}
