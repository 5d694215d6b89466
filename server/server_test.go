package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/server/clock"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/folder"
	"github.com/treatyfed/treaty/server/names"
	"github.com/treatyfed/treaty/server/seed"
	"github.com/treatyfed/treaty/server/telemetry"
)

func noEnv(string) string { return "" }

// memory makes a server that keeps nothing and does not listen.
func memory(t *testing.T, change ...func(*Config)) *Server {
	t.Helper()
	c := Config{Getenv: noEnv}
	c.Outbound.Timeout = config.Duration(time.Minute) // a key that is made when its issuer is first asked takes its time
	for _, f := range change {
		f(&c)
	}
	s, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// listening makes a server with a folder on free ports.
func listeningIn(t *testing.T, dir string, change ...func(*Config)) *Server {
	t.Helper()
	f, err := folder.Open(dir, false, noEnv, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := memory(t, append([]func(*Config){func(c *Config) {
		c.Folder = f
		c.Listen, c.Proxy = "127.0.0.1:0", "127.0.0.1:0"
	}}, change...)...)
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func proxied(t *testing.T, s *Server) *http.Client {
	t.Helper()
	p, err := url.Parse(s.ProxyURL())
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{Proxy: http.ProxyURL(p), TLSClientConfig: &tls.Config{RootCAs: s.CA().Pool()}, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

func getJSON(t *testing.T, c *http.Client, address string) map[string]any {
	t.Helper()
	resp, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %d, %v", address, resp.StatusCode, err)
	}
	return out
}

func TestUnmodifiedClientsMeetTheCloudsNamesThroughTheProxy(t *testing.T) {
	t.Parallel()
	s := listeningIn(t, t.TempDir())
	c := proxied(t, s)
	doc := getJSON(t, c, "https://login.microsoftonline.com/"+TenantDomain+"/v2.0/.well-known/openid-configuration")
	if doc["issuer"] != "https://login.microsoftonline.com/"+TenantID+"/v2.0" || doc["token_endpoint"] != "https://login.microsoftonline.com/"+TenantID+"/oauth2/v2.0/token" {
		t.Errorf("issuer %v, token endpoint %v", doc["issuer"], doc["token_endpoint"])
	}
	doc = getJSON(t, c, "https://cognito-identity.amazonaws.com/.well-known/openid-configuration")
	if doc["issuer"] != "https://cognito-identity.amazonaws.com" {
		t.Errorf("issuer %v", doc["issuer"])
	}
	keys := getJSON(t, c, doc["jwks_uri"].(string))
	if n := len(keys["keys"].([]any)); n != 1 {
		t.Errorf("%d keys", n)
	}
	resp, err := c.Post("https://cognito-identity.us-east-1.amazonaws.com/", "application/x-amz-json-1.1", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 400 || resp.Header.Get("X-Amzn-Requestid") == "" {
		t.Errorf("an operation without a target: %d %v", resp.StatusCode, resp.Header)
	}
	if _, err := c.Get("https://ec2.us-east-1.amazonaws.com/"); err == nil || !strings.Contains(err.Error(), "does not serve ec2.us-east-1.amazonaws.com") {
		t.Errorf("iam: %v", err)
	}
}

func TestEndpointsFollowTheHostAskedAndIssuersDoNot(t *testing.T) {
	t.Parallel()
	s := listeningIn(t, t.TempDir())
	c := proxied(t, s)
	doc := getJSON(t, c, s.URL()+"/"+TenantID+"/v2.0/.well-known/openid-configuration")
	if doc["issuer"] != "https://login.microsoftonline.com/"+TenantID+"/v2.0" || !strings.HasPrefix(doc["token_endpoint"].(string), s.URL()) {
		t.Errorf("issuer %v, token endpoint %v", doc["issuer"], doc["token_endpoint"])
	}
	doc = getJSON(t, c, s.URL()+"/cognito-identity/.well-known/openid-configuration")
	if doc["issuer"] != "https://cognito-identity.amazonaws.com" || doc["jwks_uri"] != s.URL()+"/cognito-identity/.well-known/jwks_uri" {
		t.Errorf("%v", doc)
	}
	getJSON(t, c, doc["jwks_uri"].(string))
}

func TestServerJSONIsThereWhileTheServerIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := listeningIn(t, dir, func(c *Config) { c.ListenHTTP = "127.0.0.1:0"; c.Metrics.Listen = "127.0.0.1:0" })
	info, err := folder.ReadServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.URL != s.URL() || info.Proxy != s.ProxyURL() || info.HTTP != s.HTTPURL() || info.PID != os.Getpid() || info.Mode != "twin" || info.Control.Credential == "" {
		t.Errorf("%+v", info)
	}
	creds, err := info.ReadCredentials()
	if err != nil || creds != s.Credentials() || len(creds.AWS.SecretAccessKey) != 40 || len(creds.Azure.ClientSecret) != 40 {
		t.Errorf("credentials of %d and %d characters, %v", len(creds.AWS.SecretAccessKey), len(creds.Azure.ClientSecret), err)
	}
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/metrics": "treaty_info"} {
		for _, base := range []string{info.URL, info.Metrics} {
			resp, err := proxied(t, s).Get(base + path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			if err := errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != 200 || !strings.Contains(string(b), want) {
				t.Errorf("%s%s: %d %v", base, path, resp.StatusCode, err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := folder.ReadServer(dir); !errors.Is(err, folder.ErrNoServer) {
		t.Errorf("after the end: %v", err)
	}
}

func TestAWarmStartKeepsEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := listeningIn(t, dir)
	before := s.Credentials()
	key, err := s.Keys().Signing(t.Context(), "entra")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Store().Users.PutUser(t.Context(), directory.User{ID: Derive("u"), TenantID: TenantID, UserPrincipalName: "ada@" + TenantDomain}); err != nil {
		t.Fatal(err)
	}
	quickest(t, "a warm start", 2*time.Second, func() time.Time { // 100 ms on a quiet machine; the benchmark measures it
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		s = listeningIn(t, dir)
		return begin
	})
	again, err := s.Keys().Signing(t.Context(), "entra")
	if err != nil || again.ID != key.ID || s.Credentials() != before {
		t.Errorf("keys or credentials changed: %v", err)
	}
	if _, err := s.Store().Users.User(t.Context(), TenantID, Derive("u")); err != nil {
		t.Errorf("a user is gone: %v", err)
	}
}

// quickest has something done until it takes no longer than a limit: the machine is not ours alone, so that
// a few times that take longer say nothing. do tells when what is measured began.
func quickest(t *testing.T, what string, limit time.Duration, do func() time.Time) {
	t.Helper()
	best := time.Duration(math.MaxInt64)
	for n := 0; n < 20 && best > limit; n++ {
		begin := do()
		best = min(best, time.Since(begin))
	}
	if best > limit {
		t.Errorf("%s took at least %v", what, best)
	}
}

// Derive is a fixed id for a test's thing.
func Derive(name string) string { return seed.Derived("test", name) }

func TestResetReturnsToTheSeededState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	doc, err := seed.Parse([]byte("tenants:\n  - {name: Contoso, domains: [contoso.example], users: [{upn: ada@contoso.example}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	withSeed := func(c *Config) { c.Document = doc }
	s := listeningIn(t, dir, withSeed)
	users := func() int {
		list, err := s.Store().Users.Users(t.Context(), doc.Tenants[0].ID, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	add := func(name string) {
		u := directory.User{ID: Derive(name), TenantID: doc.Tenants[0].ID, UserPrincipalName: name + "@contoso.example"}
		if err := s.Store().Users.PutUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	add("grace")
	if err := s.Reset(t.Context()); err != nil || users() != 1 {
		t.Errorf("%d users after a reset, %v", users(), err)
	}
	add("grace")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	doc.Tenants[0].Users = append(doc.Tenants[0].Users, seed.User{ID: Derive("eve"), UPN: "eve@contoso.example", Name: "Eve"})
	s = listeningIn(t, dir, withSeed)
	if users() != 3 {
		t.Errorf("%d users after a start with a longer seed", users())
	}
	for range 2 {
		add("mallory")
		if err := s.Reset(t.Context()); err != nil || users() != 2 {
			t.Errorf("%d users after a reset to the longer seed, %v", users(), err)
		}
	}
	quickest(t, "a reset", time.Second, func() time.Time {
		begin := time.Now()
		if err := s.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
		return begin
	})
}

func TestTheAdministratorIsMadeOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := listeningIn(t, dir)
	app, err := s.Store().Applications.ApplicationByAppID(t.Context(), AdminClientID)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Store().Applications.DeleteApplication(t.Context(), TenantID, app.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = listeningIn(t, dir)
	if _, err := s.Store().Applications.ApplicationByAppID(t.Context(), AdminClientID); !errors.Is(err, fault.NotFound) {
		t.Errorf("a removed administrator came back: %v", err)
	}
}

func TestServersLiveSideBySide(t *testing.T) {
	t.Parallel()
	a, b := memory(t), memory(t)
	if a.Credentials() == b.Credentials() {
		t.Error("two servers have the same administrators")
	}
	a.Clock().Freeze(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	if b.Clock().State().Frozen {
		t.Error("one server's clock moved the other's")
	}
	for _, s := range []*Server{a, b} {
		getJSON(t, s.HTTPClient(), "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration")
	}
	if _, err := a.HTTPClient().Get("https://ec2.us-east-1.amazonaws.com/"); err == nil || !strings.Contains(err.Error(), "does not serve") {
		t.Errorf("the client went out to a cloud: %v", err)
	}
}

func TestAHubAnswersUnderItsOwnName(t *testing.T) {
	t.Parallel()
	s := memory(t, func(c *Config) { c.PublicURL = "https://localhost:8443" })
	c := s.HTTPClient()
	doc := getJSON(t, c, "https://localhost:8443/"+TenantID+"/v2.0/.well-known/openid-configuration")
	if doc["issuer"] != "https://localhost:8443/"+TenantID+"/v2.0" || doc["jwks_uri"] != "https://localhost:8443/"+TenantID+"/discovery/v2.0/keys" {
		t.Errorf("%v", doc)
	}
	getJSON(t, c, doc["jwks_uri"].(string))
	v1 := getJSON(t, c, "https://localhost:8443/"+TenantID+"/.well-known/openid-configuration")
	if v1["issuer"] != "https://localhost:8443/"+TenantID+"/" {
		t.Errorf("v1 issuer %v", v1["issuer"])
	}
	pools := getJSON(t, c, "https://localhost:8443/cognito-identity/.well-known/openid-configuration")
	if pools["issuer"] != "https://localhost:8443/cognito-identity" || pools["jwks_uri"] != "https://localhost:8443/cognito-identity/.well-known/jwks_uri" {
		t.Errorf("%v", pools)
	}
	r := httptest.NewRequest(http.MethodPost, "https://localhost:8443/_treaty/reset", nil)
	r.Header.Set("Authorization", "Bearer "+s.ControlCredential())
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusNotFound {
		t.Errorf("a hub can be reset: %d", w.Code)
	}
	if leaf, err := s.TLSConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: "login.microsoftonline.com"}); leaf != nil {
		t.Errorf("a hub has a certificate for a cloud's name: %v", err)
	}
	if h := s.issuerHandler(&url.URL{Host: "login.microsoftonline.com"}); h != nil {
		t.Error("a hub answers itself for a cloud's issuer")
	}
	if h := s.issuerHandler(&url.URL{Host: "LOCALHOST:8443"}); h == nil {
		t.Error("a hub asks the network for its own documents")
	}
	ordered[IssuerView](t, s, "POST", "issuers", `{"name":"bucket","url":"https://storage.example/bucket"}`)
	for path, ours := range map[string]bool{"/bucket/.well-known/openid-configuration": true, "/bucket": true, "/neighbour/.well-known/openid-configuration": false, "/buckets": false, "": false} {
		if h := s.issuerHandler(&url.URL{Scheme: "https", Host: "storage.example", Path: path}); (h != nil) != ours {
			t.Errorf("%q beside an issuer: answered here %t", path, h != nil)
		}
	}
}

func TestOwnIssuersAreVerifiedWithoutANetwork(t *testing.T) {
	t.Parallel()
	s := memory(t)
	b, err := s.outbound.Fetch(t.Context(), "https://cognito-identity.amazonaws.com/.well-known/openid-configuration")
	if err != nil || !bytes.Contains(b, []byte(`"issuer":"https://cognito-identity.amazonaws.com"`)) {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := s.outbound.Fetch(t.Context(), "https://ec2.us-east-1.amazonaws.com/x"); err == nil || !strings.Contains(err.Error(), "asks no real cloud") {
		t.Errorf("got %v", err)
	}
}

func control(t *testing.T, s *Server, method, path, body, credential string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, "https://localhost:8443/_treaty/"+path, strings.NewReader(body))
	if credential != "" {
		r.Header.Set("Authorization", credential)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestTheControlInterfaceNeedsItsCredential(t *testing.T) {
	t.Parallel()
	s := memory(t)
	for _, bad := range []string{"", "Bearer ", "Bearer x", "Basic " + s.ControlCredential(), "Bearer " + s.ControlCredential() + "x"} {
		if code, _ := control(t, s, "POST", "reset", "", bad); code != http.StatusUnauthorized {
			t.Errorf("%q: %d", bad, code)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "https://graph.microsoft.com/_treaty/clock", nil)
	r.Header.Set("Authorization", "Bearer "+s.ControlCredential())
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code == http.StatusOK {
		t.Error("the control interface is under a cloud's name")
	}
}

func TestTheClockIsSetByControl(t *testing.T) {
	t.Parallel()
	s := memory(t, func(c *Config) { c.Clock = clock.Frozen(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) })
	good := "Bearer " + s.ControlCredential()
	for _, c := range []struct{ body, want string }{
		{"", `{"now":"2026-03-01T00:00:00Z","frozen":true}`},
		{`{"advance":"1h30m"}`, `{"now":"2026-03-01T01:30:00Z","frozen":true}`},
		{`{"freeze":"2027-01-01T00:00:00+01:00"}`, `{"now":"2026-12-31T23:00:00Z","frozen":true}`},
		{`{"freeze":"now"}`, `{"now":"2026-12-31T23:00:00Z","frozen":true}`},
		{`{"freeze":"tomorrow"}`, "RFC 3339"},
		{`{"advance":"1"}`, "no duration"},
		{`{"advance":"9999999h"}`, "no duration"},
		{`{"advance":"1h","resume":true}`, "exactly one"},
		{`{"turn":"back"}`, "no clock order"},
		{`{}`, "exactly one"},
	} {
		method := "POST"
		if c.body == "" {
			method = "GET"
		}
		if _, got := control(t, s, method, "clock", c.body, good); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.body, got, c.want)
		}
	}
	if code, _ := control(t, s, "POST", "clock", `{"resume":true}`, good); code != 200 || s.Clock().State().Frozen {
		t.Error("the clock was not resumed")
	}
}

func TestAPanicIsAnsweredLoggedAndCounted(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := memory(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	s.surfaces[names.Authority] = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://login.microsoftonline.com/x/y", nil))
	if w.Code != 500 || strings.Contains(w.Body.String(), "boom") || !strings.Contains(w.Body.String(), "request id") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, want := range []string{"a handler panicked", "boom", "status=500", "code=panic", "host=login.microsoftonline.com"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

func TestTheLogHoldsNoQueryAndNoSecret(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := memory(t, func(c *Config) { c.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {AdminClientID}, "client_secret": {s.Credentials().Azure.ClientSecret}, "scope": {"https://nobody.example/.default"}}
	resp, err := s.HTTPClient().PostForm("https://login.microsoftonline.com/"+TenantID+"/oauth2/v2.0/token?hidden=1", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line := log.String()
	if strings.Contains(line, "hidden") || strings.Contains(line, s.Credentials().Azure.ClientSecret) {
		t.Errorf("the log says too much: %s", line)
	}
	var entry map[string]any
	if err := json.Unmarshal([]byte(strings.TrimSpace(line)), &entry); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	if entry["status"] != float64(400) || entry["surface"] != "entra" || entry["code"] == "" || entry["request_id"] == "" || entry["path"] != "/"+TenantID+"/oauth2/v2.0/token" {
		t.Errorf("%v", entry)
	}
}

func TestACloudShellsPathIsInNeitherLogNorTrace(t *testing.T) {
	t.Parallel()
	var log, spans bytes.Buffer
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(&spans, r.Body) }))
	defer collector.Close()
	s := memory(t, func(c *Config) { c.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
	var err error
	if s.traces, err = telemetry.NewTraces(t.Context(), collector.URL, "test", noEnv); err != nil {
		t.Fatal(err)
	}
	made := ordered[MachineView](t, s, "POST", "machines", `{"name":"shell","kind":"cloud_shell"}`)
	at := slices.IndexFunc(made.Environment, func(v Variable) bool { return v.Name == "MSI_ENDPOINT" })
	endpoint := made.Environment[at].Value
	before, after, _ := strings.Cut(endpoint, "/cloudshell/")
	secret, _, _ := strings.Cut(after, "/")
	for _, address := range []string{endpoint, before + "/CloudShell/" + strings.ToUpper(after)} {
		resp, err := s.HTTPClient().PostForm(address, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest { // no Metadata header: the path is right
			t.Errorf("%s: %s", address, resp.Status)
		}
	}
	if err := s.traces.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.traces = nil
	for name, said := range map[string]string{"log": log.String(), "traces": spans.String()} {
		if !strings.Contains(said, "/machines/shell/") || strings.Contains(strings.ToLower(said), secret) {
			t.Errorf("the %s: %s", name, said)
		}
	}
}

func TestAGracefulStopFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := listeningIn(t, t.TempDir())
	entered, leave := make(chan struct{}), make(chan struct{})
	s.surfaces[names.Authority] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		_, _ = io.WriteString(w, "done")
	})
	got := make(chan string, 1)
	go func() {
		resp, err := proxied(t, s).Get("https://login.microsoftonline.com/x/y")
		if err != nil {
			got <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		got <- fmt.Sprint(string(b), err)
	}()
	<-entered
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for !s.stopping.Load() {
		time.Sleep(time.Millisecond)
	}
	close(leave)
	if g := <-got; g != "done<nil>" {
		t.Errorf("the request under way got %q", g)
	}
	wg.Wait()
	if _, err := (&http.Client{Timeout: time.Second}).Get(s.URL()); err == nil {
		t.Error("a stopped server still answers")
	}
}

func TestTheCertificateOfAHubIsItsOwn(t *testing.T) {
	t.Parallel()
	maker := memory(t, func(c *Config) { c.TLS.Names = []string{"id.example.org"} })
	c, err := maker.leaves.Certificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, c, cert, key)
	s := memory(t, func(cfg *Config) {
		cfg.PublicURL, cfg.TLS = "https://id.example.org", config.TLS{Cert: cert, Key: key}
	})
	hello := func(name string) *tls.ClientHelloInfo {
		return &tls.ClientHelloInfo{ServerName: name, SupportedVersions: []uint16{tls.VersionTLS13},
			SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, CipherSuites: []uint16{tls.TLS_AES_128_GCM_SHA256}}
	}
	got, err := s.TLSConfig().GetCertificate(hello("id.example.org"))
	if err != nil || !bytes.Equal(got.Certificate[0], c.Certificate[0]) {
		t.Errorf("the hub does not use its certificate: %v", err)
	}
	if _, err := New(context.Background(), Config{Getenv: noEnv, Config: config.Config{PublicURL: "https://id.example.org"}}); err == nil || !strings.Contains(err.Error(), "tls.cert") {
		t.Errorf("a public hub without a certificate: %v", err)
	}
}
