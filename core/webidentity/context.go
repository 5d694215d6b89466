package webidentity

import (
	"encoding/json"
	"regexp"

	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/core/token"
)

// Keys sets the condition keys that a trust policy may ask of the token: PREFIX:aud, :oaud, :sub, :amr and
// :email for every provider, and those that AWS knows of some issuers (IAM user guide, "Available keys for
// AWS OIDC federation"). No other claim is a key.
func (id Identity) Keys(k policy.Context) {
	set := func(name, value string) { k.Set(id.Prefix+":"+name, value) }
	set("aud", id.Audience)
	set("sub", id.Subject)
	if id.AudienceList {
		k.SetMany(id.Prefix+":oaud", id.OriginalAudience...)
	} else if len(id.OriginalAudience) == 1 {
		set("oaud", id.OriginalAudience[0])
	}
	if len(id.AMR) > 0 {
		k.SetMany(id.Prefix+":amr", id.AMR...)
	}
	if id.Email != "" {
		set("email", id.Email)
	}
	for _, v := range vendors {
		if !v.issuer.MatchString(id.Prefix) {
			continue
		}
		for _, claim := range v.claims {
			if value, ok := text(id.Claims[claim]); ok {
				set(claim, value)
			}
		}
	}
	if id.Prefix == Google {
		if number, ok := organization(id.Claims); ok {
			set("google/organization_number", number)
		}
	}
}

// Kept are the keys that stay with the session after the role was assumed, as credential.Session keeps
// them: a name that ends in [] is multivalued.
func (id Identity) Kept() map[string][]string {
	kept := map[string][]string{id.Prefix + ":aud": {id.Audience}, id.Prefix + ":sub": {id.Subject}}
	if len(id.AMR) > 0 {
		kept[id.Prefix+":amr[]"] = id.AMR
	}
	return kept
}

// vendors are the issuers of whose claims AWS makes keys, at trust time only (Service authorization
// reference, "Condition keys for AWS Security Token Service"; announced in January 2026).
var vendors = []struct {
	issuer *regexp.Regexp
	claims []string
}{
	{regexp.MustCompile(`^(?:token\.actions\.githubusercontent\.com(?:/[^/]+)*|token\.actions\.[a-z0-9-]+\.ghe\.com|github\.com/enterprises/[^/]+)$`), []string{
		"actor", "actor_id", "enterprise_id", "environment", "job_workflow_ref", "ref", "repository", "repository_id",
		"repository_owner_id", "workflow",
	}},
	{regexp.MustCompile(`^(?:gitlab\.com)$`), []string{
		"namespace_id", "pipeline_source", "project_id", "ref_protected", "runner_environment", "user_access_level",
		"user_email", "user_id", "user_login",
	}},
	{regexp.MustCompile(`^(?:agent\.buildkite\.com|agent\.[a-z0-9-]+\.buildkite\.(?:dev|site))$`), []string{
		"build_branch", "cluster_id", "cluster_name", "organization_id", "organization_slug", "pipeline_id", "pipeline_slug",
	}},
	{regexp.MustCompile(`^(?:oidc\.circleci\.com/org/[^/]+)$`), []string{"oidc.circleci.com/project-id"}},
	{regexp.MustCompile(`^(?:idcs-[a-z0-9]+\.identity\.oraclecloud\.com)$`), []string{"rpst_id"}},
}

// organization is the number of the Google Cloud organisation, which Google's tokens have inside of an
// object and AWS's table of keys writes with a colon.
func organization(c token.Claims) (string, bool) {
	if inner, ok := c["google"].(map[string]any); ok {
		if n, ok := inner["organization_number"].(json.Number); ok {
			return n.String(), true
		}
	}
	return text(c["google:organization_number"])
}
