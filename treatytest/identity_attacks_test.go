package treatytest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/server/seed"
)

// workload asks machines for tokens.
type workload struct {
	*Treaty
	one, two ManagedIdentity // the first is the machine default's
}

func newWorkload(t *testing.T) *workload {
	t.Helper()
	w := &workload{Treaty: New(t)}
	w.one, w.two = w.AddManagedIdentity("one"), w.AddManagedIdentity("two")
	w.AddMachine("default", "vm", false, w.one)
	return w
}

const exchangeAudience = "api://AzureADTokenExchange"

// ask asks the machine default as at 169.254.169.254; edit may be nil.
func (w *workload) ask(edit func(r *http.Request, q url.Values)) (status int, said string, token string) {
	w.t.Helper()
	return w.askAt("http://169.254.169.254/metadata/identity/oauth2/token", edit)
}

func (w *workload) askAt(address string, edit func(r *http.Request, q url.Values)) (status int, said string, token string) {
	w.t.Helper()
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Metadata", "true")
	q := url.Values{"api-version": {"2018-02-01"}, "resource": {exchangeAudience}}
	if edit != nil {
		edit(req, q)
	}
	req.URL.RawQuery = q.Encode()
	status, body := w.do(req)
	var out struct {
		Error       any    `json:"error"`
		Token       string `json:"access_token"`
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(body, &out) // of what is no JSON only the status counts
	if (status == 200) != (out.Token != "") {
		w.t.Errorf("%s: %d %s", address, status, body)
	}
	return status, fmt.Sprint(out.Error) + " " + out.Description + " " + string(body), out.Token
}

func TestAMachineTellsItsWorkloadsFromOthers(t *testing.T) {
	t.Parallel()
	w := newWorkload(t)
	other := w.In(w.AddTenant("other", "other.example", false))
	theirs := other.AddManagedIdentity("theirs")
	header := func(name string, values ...string) func(*http.Request, url.Values) {
		return func(r *http.Request, _ url.Values) {
			r.Header.Del(name)
			for _, v := range values {
				r.Header.Add(name, v)
			}
		}
	}
	host := func(name string) func(*http.Request, url.Values) {
		return func(r *http.Request, _ url.Values) { r.Host = name }
	}
	method := func(name string) func(*http.Request, url.Values) {
		return func(r *http.Request, _ url.Values) { r.Method = name }
	}
	with := func(pairs ...string) func(*http.Request, url.Values) {
		return func(_ *http.Request, q url.Values) {
			for i := 0; i < len(pairs); i += 2 {
				q.Del(pairs[i])
			}
			for i := 0; i < len(pairs); i += 2 {
				q.Add(pairs[i], pairs[i+1])
			}
		}
	}
	for name, c := range map[string]struct {
		edit   func(*http.Request, url.Values)
		status int
	}{
		"an honest workload":                   {nil, 200},
		"without the header":                   {header("Metadata"), 400},
		"the header in capitals":               {header("Metadata", "True"), 400},
		"the header twice":                     {header("Metadata", "true", "true"), 400},
		"the header with more":                 {header("Metadata", "true,true"), 400},
		"the header with a number":             {header("Metadata", "1"), 400},
		"a request that was forwarded":         {header("X-Forwarded-For", "203.0.113.1"), 400},
		"by nobody":                            {header("X-Forwarded-For", ""), 400},
		"a page whose name leads here":         {host("evil.example"), 403},
		"a page whose name leads here, a port": {host("evil.example:80"), 403},
		"a name that begins like the address":  {host("169.254.169.254.evil.example"), 403},
		"a name that begins like this machine": {host("localhost.evil.example"), 403},
		"a name of this machine":               {host("localhost:8480"), 200},
		"an address of this machine":           {host("[::1]:8480"), 200},
		"the name of Google's service":         {host("metadata.google.internal"), 403},
		"a name with a user":                   {host("169.254.169.254@evil.example"), 403},
		"POST":                                 {method("POST"), 405},
		"PUT":                                  {method("PUT"), 405},
		"HEAD":                                 {method("TRACE"), 405},
		"no version":                           {with("api-version", ""), 400},
		"a version of the past":                {with("api-version", "2017-08-01"), 400},
		"two versions":                         {with("api-version", "2018-02-01", "api-version", "2019-08-01"), 400},
		"no resource":                          {with("resource", ""), 400},
		"two resources":                        {with("resource", exchangeAudience, "resource", w.GraphURL), 400},
		"a resource in another parameter":      {with("resource", exchangeAudience, "Resource", w.GraphURL), 400},
		"a resource with a line's end":         {with("resource", "x\r\nHost: evil"), 400},
		"a resource that is too long":          {with("resource", strings.Repeat("x", 3000)), 400},
		"a resource that is an address here":   {with("resource", "http://127.0.0.1:1/"), 400},
		"a resource that is a file":            {with("resource", "file:///etc/passwd"), 400},
		"a resource that is the metadata's":    {with("resource", "http://169.254.169.254/metadata/identity/oauth2/token"), 400},
		"a resource that is no UTF-8":          {with("resource", "\xff"), 400},
		"a resource with a scope":              {with("resource", w.GraphURL+"/.default"), 400},
		"its identity by client":               {with("client_id", w.one.ClientID), 200},
		"its identity by object":               {with("object_id", w.one.PrincipalID), 200},
		"its identity by ARM id":               {with("msi_res_id", w.one.ID), 200},
		"its identity in capitals":             {with("client_id", strings.ToUpper(w.one.ClientID)), 200},
		"an identity that it has not":          {with("client_id", w.two.ClientID), 400},
		"an object that it has not":            {with("object_id", w.two.PrincipalID), 400},
		"an ARM id that it has not":            {with("msi_res_id", w.two.ID), 400},
		"an identity of another tenant":        {with("client_id", theirs.ClientID), 400},
		"an ARM id of another tenant":          {with("mi_res_id", theirs.ID), 400},
		"an ARM id behind a path":              {with("msi_res_id", w.two.ID+"/../one"), 400},
		"a part of an ARM id":                  {with("msi_res_id", strings.TrimPrefix(w.one.ID, "/")), 400},
		"the client where the object should":   {with("object_id", w.one.ClientID), 400},
		"a pattern":                            {with("client_id", "%"), 400},
		"two selectors of one identity":        {with("client_id", w.one.ClientID, "object_id", w.one.PrincipalID), 400},
		"two selectors of two":                 {with("client_id", w.one.ClientID, "object_id", w.two.PrincipalID), 400},
		"the same selector with two values":    {with("client_id", w.one.ClientID, "client_id", w.two.ClientID), 400},
		"the administrator's application":      {with("client_id", w.AdminClientID), 400},
		"a hash of no token":                   {with("token_sha256_to_refresh", strings.Repeat("0", 64)), 200},
	} {
		if status, said, token := w.ask(c.edit); status != c.status {
			t.Errorf("%s: got %d, want %d: %s", name, status, c.status, said)
		} else if token != "" && claimsOf(t, token)["sub"] != w.one.PrincipalID {
			t.Errorf("%s: it is a token of %v", name, claimsOf(t, token)["sub"])
		}
	}
	for _, path := range []string{"/metadata/identity/oauth2/token", "/machines/default/metadata/identity/oauth2/token", "/msi/token", "/computeMetadata/v1/instance/service-accounts/default/identity"} {
		for _, base := range []string{"https://localhost", "https://login.microsoftonline.com", "https://graph.microsoft.com", "https://management.azure.com", "https://sts.amazonaws.com"} {
			req, err := http.NewRequest("GET", base+path+"?api-version=2018-02-01&resource="+url.QueryEscape(exchangeAudience), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Metadata", "true")
			req.Header.Set("Metadata-Flavor", "Google")
			if strings.Contains(base, "localhost") {
				req.URL.Host = "login.microsoftonline.com" // by which the client leads here
				req.Host = "localhost"
			}
			if status, body := w.do(req); status == 200 || strings.Contains(string(body), "access_token") {
				t.Errorf("%s%s: %d %s", base, path, status, body)
			}
		}
	}
	if status, body := w.Request("GET", w.ARMURL+"/metadata/endpoints?api-version=2022-09-01", "", nil); status != 200 || !strings.Contains(string(body), "authentication") {
		t.Errorf("ARM's own metadata: %d %s", status, body)
	}
}

func TestAnAppsSecretIsItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorkload(t)
	app, other := w.AddMachine("app", "app_service", true, w.two), w.AddMachine("other", "app_service", true)
	shell := w.AddMachine("shell", "cloud_shell", true)
	w.Control("DELETE", "machines/other", nil, nil)
	again := w.AddMachine("other", "app_service", true)
	if again["IDENTITY_HEADER"] == other["IDENTITY_HEADER"] {
		t.Error("a machine that was made again has the secret of the one before")
	}
	with := func(name string, values ...string) func(*http.Request, url.Values) {
		return func(r *http.Request, q url.Values) {
			q.Set("api-version", "2019-08-01")
			if name == "secret" {
				q.Set("api-version", "2017-09-01")
			}
			r.Header.Del("Metadata")
			for _, v := range values {
				r.Header.Add(name, v)
			}
		}
	}
	good := app["IDENTITY_HEADER"]
	for name, c := range map[string]struct {
		at     string
		edit   func(*http.Request, url.Values)
		status int
	}{
		"its own":                             {app["IDENTITY_ENDPOINT"], with("X-IDENTITY-HEADER", good), 200},
		"its own, by the older name":          {app["MSI_ENDPOINT"], with("secret", app["MSI_SECRET"]), 200},
		"none":                                {app["IDENTITY_ENDPOINT"], with(""), 401},
		"an empty one":                        {app["IDENTITY_ENDPOINT"], with("X-IDENTITY-HEADER", ""), 401},
		"in other letters":                    {app["IDENTITY_ENDPOINT"], with("X-IDENTITY-HEADER", strings.ToLower(good)), 401},
		"cut short":                           {app["IDENTITY_ENDPOINT"], with("X-IDENTITY-HEADER", good[:len(good)-1]), 401},
		"the wrong one before the right":      {app["IDENTITY_ENDPOINT"], with("X-IDENTITY-HEADER", "x", good), 401},
		"under the older name, newer version": {app["IDENTITY_ENDPOINT"], func(r *http.Request, q url.Values) { with("secret", good)(r, q); q.Set("api-version", "2019-08-01") }, 401},
		"another app's":                       {app["IDENTITY_ENDPOINT"], with("X-IDENTITY-HEADER", again["IDENTITY_HEADER"]), 401},
		"its own at another app":              {again["IDENTITY_ENDPOINT"], with("X-IDENTITY-HEADER", good), 401},
		"that of the deleted app of its name": {again["IDENTITY_ENDPOINT"], with("X-IDENTITY-HEADER", other["IDENTITY_HEADER"]), 401},
		"at no app":                           {strings.Replace(app["IDENTITY_ENDPOINT"], "/app/", "/nobody/", 1), with("X-IDENTITY-HEADER", good), 404},
		"at an app behind a path":             {strings.Replace(app["IDENTITY_ENDPOINT"], "/app/", "/other/../app/", 1), with("X-IDENTITY-HEADER", good), 404},
		"a metadata request to an app":        {strings.Replace(app["IDENTITY_ENDPOINT"], "/msi/token", "/metadata/identity/oauth2/token", 1), nil, 404},
		"an app's request to a machine":       {strings.Replace(app["IDENTITY_ENDPOINT"], "/app/", "/default/", 1), with("X-IDENTITY-HEADER", good), 404},
		"an identity that it has not": {app["IDENTITY_ENDPOINT"], func(r *http.Request, q url.Values) {
			with("X-IDENTITY-HEADER", good)(r, q)
			q.Set("client_id", w.one.ClientID)
		}, 400},
		"a page whose name leads here":    {app["IDENTITY_ENDPOINT"], func(r *http.Request, q url.Values) { with("X-IDENTITY-HEADER", good)(r, q); r.Host = "evil.example" }, 403},
		"a shell by GET":                  {shell["MSI_ENDPOINT"], nil, 405},
		"a shell whose secret is another": {strings.Replace(shell["MSI_ENDPOINT"], "/cloudshell/", "/cloudshell/0", 1), func(r *http.Request, _ url.Values) { r.Method = "POST" }, 404},
		"a shell without its secret":      {strings.Split(shell["MSI_ENDPOINT"], "/cloudshell/")[0] + "/cloudshell/oauth2/token", func(r *http.Request, _ url.Values) { r.Method = "POST" }, 404},
	} {
		if status, said, _ := w.askAt(c.at, c.edit); status != c.status {
			t.Errorf("%s: got %d, want %d: %s", name, status, c.status, said)
		}
	}
}

// The cache of tokens is not a way around what has changed.
func TestATokenIsNotCachedForAnIdentityThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorkload(t)
	_, _, first := w.ask(nil)
	if _, _, again := w.ask(nil); again != first {
		t.Error("a token is not cached")
	}
	enable := func(on bool) {
		w.graph("PATCH", "/v1.0/servicePrincipals/"+w.one.PrincipalID, m{"accountEnabled": on}, nil)
	}
	enable(false)
	if status, said, _ := w.ask(nil); status != 400 || !strings.Contains(said, "AADSTS7000112") {
		t.Errorf("a disabled identity: %d %s", status, said)
	}
	enable(true)
	w.ARM("DELETE", w.one.ID+"?api-version=2023-01-31", nil, nil)
	if status, said, _ := w.ask(nil); status != 400 {
		t.Errorf("a deleted identity: %d %s", status, said)
	}
	made := w.AddManagedIdentity("one")
	if made.PrincipalID == w.one.PrincipalID || made.ClientID == w.one.ClientID {
		t.Error("an identity that was made again is the one before")
	}
	if status, said, token := w.ask(nil); status != 400 || token != "" {
		t.Errorf("an identity that was made again under its name: %d %s", status, said)
	}
	w.Control("DELETE", "machines/default", nil, nil)
	w.AddMachine("default", "vm", false, made)
	if _, _, token := w.ask(nil); token == "" || claimsOf(t, token)["sub"] != made.PrincipalID {
		t.Errorf("a machine to which it was assigned: %s", token)
	}
	w.Control("DELETE", "machines/default", nil, nil)
	if status, said, _ := w.ask(nil); status != 403 || !strings.Contains(said, "unreachable") {
		t.Errorf("a deleted machine: %d %s", status, said)
	}
	w.AddMachine("default", "vm", false)
	if status, said, _ := w.ask(nil); status != 400 {
		t.Errorf("a machine without identities: %d %s", status, said)
	}
}

// What a reset took back is in no token afterwards.
func TestATokenOfBeforeAResetIsNotHandedOut(t *testing.T) {
	t.Parallel()
	doc, err := seed.Parse([]byte(`
tenants:
  - id: 0b0b0b0b-0000-4000-8000-000000000001
    name: Fabrikam
    domains: [fabrikam.onmicrosoft.com]
    subscriptions: [{id: 0b0b0b0b-0000-4000-8000-000000000003, name: fabrikam}]
    machines: [{name: default, system_assigned: true}]
    applications:
      - name: administrator
        app_id: 0b0b0b0b-0000-4000-8000-000000000002
        secrets: [{value: fabrikam-secret-for-tests-only-0123456789}]
        permissions: [{role: AppRoleAssignment.ReadWrite.All}, {role: Application.Read.All}]
`))
	if err != nil {
		t.Fatal(err)
	}
	w := &workload{Treaty: Config{Seed: doc}.New(t).In(Tenant{ID: doc.Tenants[0].ID, AdminClientID: "0b0b0b0b-0000-4000-8000-000000000002", AdminSecret: "fabrikam-secret-for-tests-only-0123456789"})}
	ask := func() m {
		_, said, token := w.ask(func(_ *http.Request, q url.Values) { q.Set("resource", w.GraphURL) })
		if token == "" {
			t.Fatal(said)
		}
		return claimsOf(t, token)
	}
	var machine struct {
		System struct {
			ObjectID string `json:"object_id"`
		} `json:"system_identity"`
	}
	w.Control("GET", "machines/default", nil, &machine)
	w.Grant(Application{PrincipalID: machine.System.ObjectID}, "Application.ReadWrite.All")
	if got := raw(ask()["roles"]); got != `["Application.ReadWrite.All"]` {
		t.Fatalf("the roles are %s", got)
	}
	w.Control("POST", "reset", nil, nil)
	if roles := ask()["roles"]; roles != nil {
		t.Errorf("after the reset the roles are %v", roles)
	}
}

// Google's metadata is guarded as Azure's is.
func TestGooglesMetadataIsNoPagesToRead(t *testing.T) {
	t.Parallel()
	w := newWorkload(t)
	w.AddIssuer("google", "https://accounts.google.com", "google", IssuerClient{ID: "worker"})
	for name, c := range map[string]struct {
		edit   func(r *http.Request)
		status int
	}{
		"an honest workload":             {nil, 200},
		"by the address":                 {func(r *http.Request) { r.Host = "169.254.169.254" }, 200},
		"by an address of this machine":  {func(r *http.Request) { r.Host = "127.0.0.1:8480" }, 200},
		"by this machine's name":         {func(r *http.Request) { r.Host = "localhost:8480" }, 200},
		"with a final dot":               {func(r *http.Request) { r.Host = "metadata.google.internal." }, 200},
		"without the header":             {func(r *http.Request) { r.Header.Del("Metadata-Flavor") }, 403},
		"the header in small letters":    {func(r *http.Request) { r.Header.Set("Metadata-Flavor", "google") }, 403},
		"a request that was forwarded":   {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "203.0.113.1") }, 403},
		"a page whose name leads here":   {func(r *http.Request) { r.Host = "evil.example:8480" }, 403},
		"a name that begins like Google": {func(r *http.Request) { r.Host = "metadata.google.internal.evil.example" }, 403},
		"POST":                           {func(r *http.Request) { r.Method = "POST" }, 405},
		"no audience":                    {func(r *http.Request) { r.URL.RawQuery = "" }, 400},
		"two audiences":                  {func(r *http.Request) { r.URL.RawQuery += "&audience=b" }, 400},
		"another account":                {func(r *http.Request) { r.URL.Path = strings.Replace(r.URL.Path, "default", "nobody@x", 1) }, 404},
	} {
		req, err := http.NewRequest("GET", "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity?audience=a", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Metadata-Flavor", "Google")
		if c.edit != nil {
			c.edit(req)
		}
		if status, body := w.do(req); status != c.status {
			t.Errorf("%s: got %d, want %d: %s", name, status, c.status, body)
		}
	}
	w.Advance(time.Hour)
}
