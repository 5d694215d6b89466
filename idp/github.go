package idp

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
)

// githubPath is where a job asks for its token, below the issuer's URL or name. The runner's own address
// is longer; what clients rely on is that it has a query, to which they append "&audience=".
const githubPath = "/idtoken"

// githubClaims are what the issuer says that it can put into tokens (its claims_supported).
var githubClaims = []string{"environment_node_id", "enterprise", "enterprise_id", "check_run_id", "issuer_scope"}

// githubPreset follows GitHub's reference "OpenID Connect reference": a token lives five minutes, begins ten
// before it was issued, and names its key by kid and x5t. A client is a job; its attributes are its claims.
// Only repository has no default.
func githubPreset() preset {
	rules := map[string]string{
		"sub": githubSubject,
		"aud": `size(request.targets) == 0 ? dyn(client.attributes.server_url + "/" + client.attributes.repository_owner) : dyn(request.targets[0])`,
	}
	copied(rules, "repository")
	written(rules, "repository_id", "repository_owner", "repository_owner_id", "repository_visibility",
		"ref", "ref_type", "ref_protected", "sha", "workflow", "workflow_ref", "workflow_sha",
		"job_workflow_ref", "job_workflow_sha", "run_id", "run_number", "run_attempt", "actor", "actor_id",
		"event_name", "head_ref", "base_ref", "runner_environment", "environment")
	written(rules, githubClaims...)
	supported := sortedClaims(rules, "exp", "iat", "iss", "jti", "nbf")
	return preset{
		discovery: []string{openIDPath},
		keys:      "/.well-known/jwks",
		lifetime:  5 * time.Minute,
		claims:    rules,
		nbf:       true,
		backdated: 10 * time.Minute,
		tokenID:   guid,
		certified: true,
		derive:    githubJob,
		amend: func(d *discovery, _ directory.Issuer, _ string) {
			d.SubjectTypes, d.Scopes, d.Claims = []string{"public", "pairwise"}, []string{"openid"}, supported
		},
		serve: (*Service).serveGitHub,
	}
}

// githubSubject is the default form of the subject ("Example subject claims"). A colon in an environment's
// name is escaped. Repositories made since July 2026 have ids in it, and so has a job that says so by the
// attribute immutable_subject.
const githubSubject = `"repo:" + (client.attributes.immutable_subject
  ? client.attributes.repository_owner + "@" + string(client.attributes.repository_owner_id) + "/" + client.attributes.repository.split("/")[1] + "@" + string(client.attributes.repository_id)
  : client.attributes.repository)
+ (has(client.attributes.environment) && client.attributes.environment != "" ? ":environment:" + client.attributes.environment.replace(":", "%3A")
  : client.attributes.event_name == "pull_request" ? ":pull_request"
  : ":ref:" + client.attributes.ref)`

// githubJob fills in what a job did not say about itself.
func githubJob(i directory.Issuer, c directory.IssuerClient, parameters map[string]any) map[string]any {
	a := attributesOf(c, parameters)
	repository := textOf(a, "repository")
	owner, _, _ := strings.Cut(repository, "/")
	setDefault(a, "server_url", githubServer(i.URL))
	setDefault(a, "repository_owner", owner)
	owner = textOf(a, "repository_owner")
	setDefault(a, "repository_id", derivedNumber(9, "repository", repository))
	setDefault(a, "repository_owner_id", derivedNumber(8, "owner", owner))
	setDefault(a, "repository_visibility", "private")
	setDefault(a, "immutable_subject", false)
	setDefault(a, "ref", "refs/heads/main")
	setDefault(a, "ref_type", refType(textOf(a, "ref")))
	setDefault(a, "ref_protected", "false")
	setDefault(a, "sha", derivedHash("commit", repository, textOf(a, "ref")))
	setDefault(a, "workflow", "CI")
	setDefault(a, "workflow_ref", repository+"/.github/workflows/ci.yml@"+textOf(a, "ref"))
	setDefault(a, "workflow_sha", a["sha"])
	setDefault(a, "job_workflow_ref", a["workflow_ref"])
	setDefault(a, "job_workflow_sha", a["sha"])
	setDefault(a, "run_id", derivedNumber(10, "run", repository, c.ID))
	setDefault(a, "run_number", "1")
	setDefault(a, "run_attempt", "1")
	setDefault(a, "actor", owner)
	setDefault(a, "actor_id", derivedNumber(8, "owner", textOf(a, "actor")))
	setDefault(a, "event_name", "push")
	setDefault(a, "head_ref", "")
	setDefault(a, "base_ref", "")
	setDefault(a, "runner_environment", "github-hosted")
	return a
}

func refType(ref string) string {
	if strings.HasPrefix(ref, "refs/tags/") {
		return "tag"
	}
	return "branch"
}

// githubServer is the address of the GitHub that an issuer belongs to: an Enterprise Server's issuer is
// https://HOSTNAME/_services/token, that of a company with data residency token.actions.COMPANY.ghe.com.
func githubServer(issuer string) string {
	if server, own := strings.CutSuffix(strings.TrimSuffix(issuer, "/"), "/_services/token"); own {
		return server
	}
	if u, err := url.Parse(issuer); err == nil && strings.HasSuffix(u.Host, ".ghe.com") {
		return "https://" + strings.TrimPrefix(u.Host, "token.actions.")
	}
	return "https://github.com"
}

// JobURL is what ACTIONS_ID_TOKEN_REQUEST_URL, and ARM_OIDC_REQUEST_URL of Terraform, must be for the jobs
// of an issuer. The matching ACTIONS_ID_TOKEN_REQUEST_TOKEN is a secret of the job's client.
func (s *Service) JobURL(i directory.Issuer) string {
	return s.namedBase(i) + githubPath + "?api-version=2.0"
}

// githubToken is the answer to a job. Count is the length of the value.
type githubToken struct {
	Count int    `json:"count"`
	Value string `json:"value"`
}

// githubError is what @actions/core reads of a refusal: message.
type githubError struct {
	Message string `json:"message"`
	TypeKey string `json:"typeKey"`
}

// serveGitHub answers a job's request for its token.
func (s *Service) serveGitHub(w http.ResponseWriter, r *http.Request, i directory.Issuer, path string) bool {
	if path != githubPath {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost { // POST is what Azure Pipelines' clients send
		w.Header().Set("Allow", "GET, POST")
		s.writeJSON(w, http.StatusMethodNotAllowed, githubError{"the token is asked for by GET", invalidRequest})
		return true
	}
	minted, refused := s.issue(w, r, i, "token github", func(_ context.Context, c *call) (Mint, error) {
		if err := s.authenticateBearer(r, c); err != nil {
			return Mint{}, err
		}
		audience, err := queryAudience(r)
		m := Mint{Client: c.client.ID, grant: "github"}
		if audience != "" {
			m.Audience = []string{audience}
		}
		return m, err
	})
	if refused != nil {
		s.writeJSON(w, refused.Status, githubError{printable(refused.Description), refused.Code})
		return true
	}
	s.writeJSON(w, http.StatusOK, githubToken{len(minted.Token), minted.Token})
	return true
}
