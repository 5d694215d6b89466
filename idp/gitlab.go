package idp

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
)

// gitlabPreset follows GitLab's page "OpenID Connect (OIDC) Authentication Using ID Tokens". There is no
// endpoint for tokens: GitLab puts them into a job's variables, one for each audience, so they come from an
// administrator's mint. A client is a job; its attributes and the mint's parameters are its claims. Only
// project_path has no default.
func gitlabPreset() preset {
	rules := map[string]string{
		"sub": `"project_path:" + client.attributes.project_path + ":ref_type:" + client.attributes.ref_type + ":ref:" + client.attributes.ref`,
		"aud": audienceRule,

		"runner_id":       `client.attributes.runner_id`, // the one number
		"user_identities": `client.attributes.?user_identities`,
		"groups_direct":   `client.attributes.?groups_direct`,
	}
	copied(rules, "project_path")
	written(rules, "namespace_id", "namespace_path", "project_id", "project_visibility",
		"user_id", "user_login", "user_email", "user_access_level", "pipeline_id", "pipeline_source", "job_id",
		"ref", "ref_type", "ref_path", "ref_protected", "runner_environment", "sha", "ci_config_ref_uri", "ci_config_sha",
		"environment", "environment_protected", "environment_action", "deployment_tier")
	return preset{
		discovery: []string{openIDPath},
		keys:      "/oauth/discovery/keys",
		claims:    rules,
		kidFirst:  true,
		nbf:       true,
		backdated: 5 * time.Second,
		tokenID:   guid,
		derive:    gitlabJob,
		amend: func(d *discovery, _ directory.Issuer, _ string) {
			d.ResponseTypes = []string{"code"}
		},
		serve: (*Service).serveGitLab,
	}
}

// gitlabJob fills in what a job did not say about itself.
func gitlabJob(i directory.Issuer, c directory.IssuerClient, parameters map[string]any) map[string]any {
	a := attributesOf(c, parameters)
	project := textOf(a, "project_path")
	namespace := path.Dir(project)
	setDefault(a, "namespace_path", namespace)
	setDefault(a, "namespace_id", derivedNumber(7, "namespace", textOf(a, "namespace_path")))
	setDefault(a, "project_id", derivedNumber(8, "project", project))
	setDefault(a, "project_visibility", "private")
	setDefault(a, "user_login", strings.Split(namespace, "/")[0])
	setDefault(a, "user_id", derivedNumber(7, "user", textOf(a, "user_login")))
	setDefault(a, "user_access_level", "developer")
	setDefault(a, "pipeline_id", derivedNumber(10, "pipeline", project, c.ID))
	setDefault(a, "pipeline_source", "push")
	setDefault(a, "job_id", derivedNumber(10, "job", project, c.ID))
	setDefault(a, "ref", "main")
	setDefault(a, "ref_type", "branch")
	setDefault(a, "ref_path", map[bool]string{true: "refs/tags/", false: "refs/heads/"}[textOf(a, "ref_type") == "tag"]+textOf(a, "ref"))
	setDefault(a, "ref_protected", "false")
	setDefault(a, "runner_id", json.Number("1"))
	setDefault(a, "runner_environment", "gitlab-hosted")
	setDefault(a, "sha", derivedHash("commit", project, textOf(a, "ref")))
	if u, err := url.Parse(i.URL); err == nil {
		setDefault(a, "user_email", textOf(a, "user_login")+"@users.noreply."+u.Hostname())
		setDefault(a, "ci_config_ref_uri", u.Host+"/"+project+"//.gitlab-ci.yml@"+textOf(a, "ref_path"))
	}
	setDefault(a, "ci_config_sha", a["sha"])
	if textOf(a, "environment") != "" {
		setDefault(a, "environment_protected", "false")
		setDefault(a, "environment_action", "start")
		setDefault(a, "deployment_tier", "other")
	}
	return a
}

// serveGitLab answers at the key set's second address, which configurations of Vault name.
func (s *Service) serveGitLab(w http.ResponseWriter, r *http.Request, i directory.Issuer, path string) bool {
	if path != "/-/jwks" {
		return false
	}
	s.serveDocument(w, r, asked{issuer: i, preset: presetOf(i), base: ownBase(i), path: path}, "keys", s.keysDocument)
	return true
}
