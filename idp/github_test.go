package idp_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/idp"
)

const githubURL = "https://token.actions.githubusercontent.com"

// github is the issuer with one job.
func github(attributes map[string]any) directory.Issuer {
	w := &world{}
	return directory.Issuer{Name: "github", URL: githubURL, Preset: "github", Clients: []directory.IssuerClient{
		w.client("deploy", func(c *directory.IssuerClient) { c.Attributes, c.Keys = attributes, nil }),
	}}
}

// bearing asks with a bearer token.
func bearing(method, address, secret string, body string) *http.Request {
	r := httptest.NewRequest(method, address, strings.NewReader(body))
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	return r
}

// same compares JSON values; names in vary are only wanted to be there.
func same(t testing.TB, what string, got map[string]any, want string, vary ...string) {
	t.Helper()
	b, err := json.Marshal(got)
	must(t, err)
	have, expected := asObject(t, b), asObject(t, []byte(want))
	for _, name := range vary {
		if _, is := have[name]; !is {
			t.Errorf("%s: %s is missing", what, name)
		}
		delete(have, name)
	}
	if diff := cmp.Diff(expected, have); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestAGitHubJobGetsItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, github(map[string]any{"repository": "octo-org/octo-repo", "sha": "cb8f1f0e2f5a5f7b0d2d9d5c9f0e6a1d3b4c5d6e",
		"repository_id": 74, "repository_owner_id": "65", "run_id": 30433642, "actor": "octocat", "actor_id": "12", "environment": "prod"}))
	i, err := w.Issuers.Issuer(t.Context(), "github")
	must(t, err)
	if got := w.JobURL(i); got != prefix+"/github/idtoken?api-version=2.0" {
		t.Error(got)
	}
	rec := w.do(bearing(http.MethodGet, githubURL+"/idtoken?api-version=2.0&audience=api%3A%2F%2FAzureADTokenExchange", secret, ""))
	if rec.Code != http.StatusOK {
		t.Fatal(rec.Code, rec.Body)
	}
	var answer struct {
		Count int
		Value string
	}
	must(t, json.Unmarshal(rec.Body.Bytes(), &answer))
	same(t, "answer", asObject(t, rec.Body.Bytes()), `{}`, "count", "value")
	if answer.Count != len(answer.Value) {
		t.Errorf("count %d of %d", answer.Count, len(answer.Value))
	}
	header, claims := w.verified(answer.Value, githubURL)
	same(t, "header", header, `{"typ":"JWT","alg":"RS256"}`, "x5t", "kid")
	same(t, "claims", claims, `{
		"aud":"api://AzureADTokenExchange", "iss":"https://token.actions.githubusercontent.com",
		"sub":"repo:octo-org/octo-repo:environment:prod", "environment":"prod",
		"repository":"octo-org/octo-repo","repository_id":"74","repository_owner":"octo-org","repository_owner_id":"65","repository_visibility":"private",
		"ref":"refs/heads/main","ref_type":"branch","ref_protected":"false","sha":"cb8f1f0e2f5a5f7b0d2d9d5c9f0e6a1d3b4c5d6e",
		"workflow":"CI","workflow_ref":"octo-org/octo-repo/.github/workflows/ci.yml@refs/heads/main","workflow_sha":"cb8f1f0e2f5a5f7b0d2d9d5c9f0e6a1d3b4c5d6e",
		"job_workflow_ref":"octo-org/octo-repo/.github/workflows/ci.yml@refs/heads/main","job_workflow_sha":"cb8f1f0e2f5a5f7b0d2d9d5c9f0e6a1d3b4c5d6e",
		"run_id":"30433642","run_number":"1","run_attempt":"1","actor":"octocat","actor_id":"12","event_name":"push",
		"head_ref":"","base_ref":"","runner_environment":"github-hosted",
		"iat":1795264200,"nbf":1795263600,"exp":1795264500}`, "jti")
	e, about := w.journal.last(t)
	if e.Operation != "token github" || e.Caller != "deploy" || e.Outcome != audit.Allowed || about.Method != "bearer" || !about.Client.OK() {
		t.Errorf("%+v %+v", e, about)
	}
	if strings.Contains(string(e.Evidence), answer.Value) || strings.Contains(string(e.Evidence), secret) {
		t.Error("the audit holds a secret")
	}
}

func TestGitHubPublishesAsGitHubDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, github(map[string]any{"repository": "o/r"}))
	doc := asObject(t, w.do(httptest.NewRequest(http.MethodGet, githubURL+"/.well-known/openid-configuration", nil)).Body.Bytes())
	same(t, "discovery", doc, `{"issuer":"https://token.actions.githubusercontent.com","jwks_uri":"https://token.actions.githubusercontent.com/.well-known/jwks",
		"subject_types_supported":["public","pairwise"],"response_types_supported":["id_token"],"id_token_signing_alg_values_supported":["RS256"],"scopes_supported":["openid"],
		"claims_supported":["actor","actor_id","aud","base_ref","check_run_id","enterprise","enterprise_id","environment","environment_node_id","event_name","exp","head_ref","iat","iss","issuer_scope",
		"job_workflow_ref","job_workflow_sha","jti","nbf","ref","ref_protected","ref_type","repository","repository_id","repository_owner","repository_owner_id","repository_visibility",
		"run_attempt","run_id","run_number","runner_environment","sha","sub","workflow","workflow_ref","workflow_sha"]}`)
	keys := asObject(t, w.do(httptest.NewRequest(http.MethodGet, githubURL+"/.well-known/jwks", nil)).Body.Bytes())["keys"].([]any)
	same(t, "key", keys[0].(map[string]any), `{"kty":"RSA","alg":"RS256","use":"sig","e":"AQAB"}`, "kid", "x5t", "x5c", "n")
}

func TestGitHubSubjectsHaveTheirForms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attributes map[string]any
		sub, aud   string
	}{
		"a branch":                        {map[string]any{}, "repo:o/r:ref:refs/heads/main", ""},
		"a tag":                           {map[string]any{"ref": "refs/tags/v1"}, "repo:o/r:ref:refs/tags/v1", ""},
		"a pull request":                  {map[string]any{"event_name": "pull_request", "ref": "refs/pull/1/merge"}, "repo:o/r:pull_request", ""},
		"an environment before all":       {map[string]any{"event_name": "pull_request", "environment": "prod"}, "repo:o/r:environment:prod", ""},
		"a colon in an environment":       {map[string]any{"environment": "a:b"}, "repo:o/r:environment:a%3Ab", ""},
		"an empty environment":            {map[string]any{"environment": ""}, "repo:o/r:ref:refs/heads/main", ""},
		"ids that do not change":          {map[string]any{"immutable_subject": true, "repository_id": 7, "repository_owner_id": 8}, "repo:o@8/r@7:ref:refs/heads/main", ""},
		"an owner and default audience":   {map[string]any{"repository_owner": "p"}, "repo:o/r:ref:refs/heads/main", "https://github.com/p"},
		"an Enterprise Server's audience": {map[string]any{"server_url": "https://ghe.example"}, "repo:o/r:ref:refs/heads/main", "https://ghe.example/o"},
	} {
		c.attributes["repository"] = "o/r"
		w := newWorld(t, github(c.attributes))
		m, err := w.Mint(t.Context(), "github", idp.Mint{Client: "deploy"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if aud := m.Claims.Text("aud"); m.Claims.Text("sub") != c.sub || aud != c.aud && (c.aud != "" || aud != "https://github.com/o") {
			t.Errorf("%s: %s for %s", name, m.Claims.Text("sub"), aud)
		}
	}
}

func TestOtherGitHubsHaveTheirAudience(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		githubURL + "/octocat-inc":               "https://github.com/o", // a company's own issuer
		"https://ghe.example/_services/token":    "https://ghe.example/o",
		"https://token.actions.octocorp.ghe.com": "https://octocorp.ghe.com/o",
	} {
		i := github(map[string]any{"repository": "o/r"})
		i.URL = url
		w := newWorld(t, i)
		rec := w.do(bearing(http.MethodGet, url+"/idtoken?x=1", secret, ""))
		_, claims := w.verified(asObject(t, rec.Body.Bytes())["value"].(string), url)
		if claims.Text("aud") != want {
			t.Errorf("%s: %s", url, claims.Text("aud"))
		}
	}
}

func TestAMintSaysWhichJobItIsFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, directory.Issuer{Name: "github", URL: githubURL, Preset: "github"})
	m, err := w.Mint(t.Context(), "github", idp.Mint{Parameters: map[string]any{"repository": "a/b", "ref": "refs/tags/v2", "run_id": float64(12345678901)}})
	must(t, err)
	if m.Claims.Text("sub") != "repo:a/b:ref:refs/tags/v2" || m.Claims.Text("ref_type") != "tag" || m.Claims.Text("run_id") != "12345678901" || m.Lifetime() != 5*time.Minute {
		t.Errorf("%v", m.Claims)
	}
	if _, err := w.Mint(t.Context(), "github", idp.Mint{}); err == nil || !strings.Contains(err.Error(), `there is no "repository" to read`) {
		t.Error(err)
	}
}

func TestGitHubRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, github(map[string]any{"repository": "o/r"}), directory.Issuer{Name: "broken", URL: "https://ghe.example/_services/token", Preset: "github",
		Clients: []directory.IssuerClient{(&world{}).client("x", func(c *directory.IssuerClient) { c.Attributes = nil })}})
	for name, c := range map[string]struct {
		r      *http.Request
		status int
		want   string
	}{
		"no secret":            {bearing("GET", githubURL+"/idtoken?x=1", "", ""), 401, "no bearer token"},
		"another secret":       {bearing("GET", githubURL+"/idtoken?x=1", "wrong", ""), 401, "belongs to no client"},
		"an old secret":        {bearing("GET", githubURL+"/idtoken?x=1", "old", ""), 401, "not valid now"},
		"two audiences":        {bearing("GET", githubURL+"/idtoken?audience=a&audience=b", secret, ""), 400, "more than once"},
		"a long audience":      {bearing("GET", githubURL+"/idtoken?audience="+strings.Repeat("a", 2000), secret, ""), 400, "too long"},
		"another method":       {bearing("DELETE", githubURL+"/idtoken", secret, ""), 405, "GET"},
		"no repository":        {bearing("GET", "https://ghe.example/_services/token/idtoken", secret, ""), 400, "repository"},
		"no token endpoint":    {bearing("POST", githubURL+"/token", secret, "grant_type=client_credentials"), 404, ""},
		"another job's issuer": {bearing("GET", "https://ghe.example/idtoken", secret, ""), 404, ""},
	} {
		rec := w.do(c.r)
		body := asObject(t, rec.Body.Bytes())
		message, _ := body["message"].(string)
		if rec.Code != c.status || c.want != "" && !strings.Contains(message, c.want) || body["value"] != nil {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
	w.journal.err = http.ErrBodyNotAllowed
	if rec := w.do(bearing("GET", githubURL+"/idtoken?x=1", secret, "")); rec.Code != 500 || strings.Contains(rec.Body.String(), "value") {
		t.Errorf("a token that is not on record: %d %s", rec.Code, rec.Body)
	}
}

func TestGitLabsIDTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, directory.Issuer{Name: "gitlab", URL: "https://gitlab.com", Preset: "gitlab", Clients: []directory.IssuerClient{
		{ID: "deploy", Attributes: map[string]any{"project_path": "my-group/sub/my-project", "namespace_id": "72", "project_id": "20", "user_id": "1", "user_login": "sample-user",
			"pipeline_id": 574, "job_id": "302", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc", "environment": "test", "groups_direct": []any{"g"}}}}})
	m, err := w.Mint(t.Context(), "gitlab", idp.Mint{Client: "deploy", Audience: []string{"https://vault.example.com"}, Parameters: map[string]any{"ref": "feature-1", "runner_id": float64(12)}})
	must(t, err)
	header, claims := w.verified(m.Token, "https://gitlab.com")
	same(t, "header", header, `{"typ":"JWT","alg":"RS256"}`, "kid")
	same(t, "claims", claims, `{"namespace_id":"72","namespace_path":"my-group/sub","project_id":"20","project_path":"my-group/sub/my-project","project_visibility":"private",
		"user_id":"1","user_login":"sample-user","user_email":"sample-user@users.noreply.gitlab.com","user_access_level":"developer","pipeline_id":"574","pipeline_source":"push","job_id":"302",
		"ref":"feature-1","ref_type":"branch","ref_path":"refs/heads/feature-1","ref_protected":"false","runner_id":12,"runner_environment":"gitlab-hosted",
		"sha":"714a629c0b401fdce83e847fc9589983fc6f46bc","ci_config_ref_uri":"gitlab.com/my-group/sub/my-project//.gitlab-ci.yml@refs/heads/feature-1","ci_config_sha":"714a629c0b401fdce83e847fc9589983fc6f46bc",
		"environment":"test","environment_protected":"false","environment_action":"start","deployment_tier":"other","groups_direct":["g"],
		"sub":"project_path:my-group/sub/my-project:ref_type:branch:ref:feature-1","aud":"https://vault.example.com","iss":"https://gitlab.com",
		"iat":1795264200,"nbf":1795264195,"exp":1795267800}`, "jti")
	for _, address := range []string{"https://gitlab.com/oauth/discovery/keys", "https://gitlab.com/-/jwks"} {
		if keys := asObject(t, w.do(httptest.NewRequest(http.MethodGet, address, nil)).Body.Bytes())["keys"].([]any); len(keys) != 1 {
			t.Error(address, keys)
		}
	}
	doc := asObject(t, w.do(httptest.NewRequest(http.MethodGet, "https://gitlab.com/.well-known/openid-configuration", nil)).Body.Bytes())
	if doc["jwks_uri"] != "https://gitlab.com/oauth/discovery/keys" || doc["token_endpoint"] != nil {
		t.Error(doc)
	}
	if _, err := w.Mint(t.Context(), "gitlab", idp.Mint{}); err == nil || !strings.Contains(err.Error(), `"project_path"`) {
		t.Error(err)
	}
}
