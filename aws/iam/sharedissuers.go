package iam

import (
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/policy"
)

// actionWebIdentity is the action by which tokens of issuers are traded for a role.
const actionWebIdentity = "sts:assumerolewithwebidentity"

// cognito is the issuer of identity pools' tokens, and the principal by which trust policies name it.
const cognito = "cognito-identity.amazonaws.com"

// github is the issuer of GitHub Actions. AWS applies its rule to every issuer whose name begins so.
const github = "token.actions.githubusercontent.com"

// sharedIssuers are the issuers that serve many tenants, and the suffix of the condition key by which a
// trust policy must choose one (IAM user guide, "Identity-provider controls for shared OIDC providers",
// September 2026). A value with a colon before its end is a key of its own.
var sharedIssuers = map[string]string{
	cognito: "aud",
	"sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d": "sts:RoleSessionName", // Azure Sentinel
	"agent.buildkite.com":                                "sub",
	"oidc.codefresh.io":                                  "sub",
	"studio.datachain.ai/api":                            "sub",
	"oidc-configuration.audit-log.githubusercontent.com": "sub",
	"vstoken.actions.githubusercontent.com":              "sub",
	"gitlab.com":                                         "sub",
	"rh-oidc.s3.us-east-1.amazonaws.com/22ejnvnnturfmt6km08idd0nt4hekbn7": "sub",
	"rh-oidc.s3.us-east-1.amazonaws.com/23e3sd27sju1hoou6ohfs68vbno607tr": "sub",
	"rh-oidc.s3.us-east-1.amazonaws.com/23ne21h005qjl3n33d8dui5dlrmv2tmg": "sub",
	"rh-oidc.s3.us-east-1.amazonaws.com/24jrf12m5dj7ljlfb4ta2frhrcoadm26": "sub",
	"oidc.op1.openshiftapps.com/2f785sojlpb85i7402pk3qogugim5nfb":         "sub",
	"oidc.op1.openshiftapps.com/2c51blsaqa9gkjt0o9rt11mle8mmropu":         "sub",
	"api.pulumi.com/oidc":     "aud",
	"sandboxes.cloud":         "aud",
	"scalr.io":                "sub",
	"tokens.cloud.shisho.dev": "sub",
	"app.terraform.io":        "sub",
	"proidc.upbound.io":       "sub",
	"oidc.vercel.com":         "aud",
}

// applicationKeys are the condition keys by which a trust policy must choose one application of a public
// login provider. This check is older: it takes the keys in this case only, and any value (recorded,
// September 2026).
var applicationKeys = map[string][]string{
	"accounts.google.com": {"accounts.google.com:aud", "accounts.google.com:oaud", "accounts.google.com:sub"},
	"www.amazon.com":      {"www.amazon.com:app_id", "www.amazon.com:sub"},
	"graph.facebook.com":  {"graph.facebook.com:app_id", "graph.facebook.com:sub"},
}

// scoped refuses a trust policy that lets every tenant of a shared issuer in. Only statements that allow
// sts:AssumeRoleWithWebIdentity must choose; each must do so itself.
func scoped(d *policy.Document) error {
	for _, st := range d.Statements {
		if st.Effect != policy.Allow || st.Principals == nil || !admitsTokens(st) {
			continue
		}
		for _, principal := range st.Principals.Federated {
			if err := choosesTenant(st, principal); err != nil {
				return err
			}
		}
	}
	return nil
}

// admitsTokens reports whether a statement is about sts:AssumeRoleWithWebIdentity.
func admitsTokens(st policy.Statement) bool {
	if st.Actions == nil {
		return !anyMatches(st.NotActions, actionWebIdentity)
	}
	return anyMatches(st.Actions, actionWebIdentity)
}

func anyMatches(patterns []string, action string) bool {
	for _, p := range patterns {
		if wild(strings.ToLower(p), action) {
			return true
		}
	}
	return false
}

// wild matches * and ?.
func wild(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// choosesTenant checks one statement for one principal.
func choosesTenant(st policy.Statement, principal string) error {
	issuer := principal
	if _, name, ok := strings.Cut(principal, ":oidc-provider/"); ok {
		issuer = name
	}
	if keys := applicationKeys[principal]; keys != nil {
		return choosesApplication(st, principal, keys)
	}
	keys := requiredKeys(issuer)
	if keys == nil {
		return nil
	}
	if issuer == cognito && len(st.Conditions) == 0 {
		return refusal(malformedPolicy, "A condition block must be present for the Cognito provider")
	}
	if choice(st.Conditions, keys, strings.HasPrefix(issuer, github)) {
		return nil
	}
	return refusal(malformedPolicy, "Trust policy with trusted principal "+principal+
		" must evaluate, using StringEquals, StringLike or StringEqualsIgnoreCase, "+strings.Join(keys, " or ")+" which is not scoped to all.")
}

// choosesApplication checks one statement for a public login provider.
func choosesApplication(st policy.Statement, provider string, keys []string) error {
	for _, c := range st.Conditions {
		if positive(c.Operator, "StringEquals", "StringEqualsIgnoreCase") && slices.Contains(keys, c.Key) {
			return nil
		}
	}
	return refusal(malformedPolicy, "Policy trusting "+provider+" requires a StringEquals condition on an application id")
}

// requiredKeys are the condition keys of which a statement must evaluate one; nil for issuers that serve
// one tenant.
func requiredKeys(issuer string) []string {
	if strings.HasPrefix(issuer, github) {
		return []string{issuer + ":sub", issuer + ":job_workflow_ref"}
	}
	key, ok := sharedIssuers[issuer]
	switch {
	case !ok:
		return nil
	case strings.Contains(key, ":"):
		return []string{key}
	}
	return []string{issuer + ":" + key}
}

// choice reports whether conditions choose by one of the keys. Within one operator every such key must
// choose; a second operator may do what the first does not. AWS looks at the values as they are written:
// "*" alone chooses nothing, "?" and "**" pass, and so does an empty list; GitHub's must not begin with a
// star nor be blank (recorded, September 2026).
func choice(conditions []policy.Condition, keys []string, github bool) bool {
	chosen := map[string]bool{}
	for _, c := range conditions {
		if !positive(c.Operator, "StringEquals", "StringLike", "StringEqualsIgnoreCase") || !containsFold(keys, c.Key) {
			continue
		}
		ok, seen := chosen[c.Operator]
		chosen[c.Operator] = (ok || !seen) && narrow(c.Values, github)
	}
	for _, ok := range chosen {
		if ok {
			return true
		}
	}
	return false
}

func narrow(values []string, github bool) bool {
	for _, v := range values {
		if v == "*" || github && (strings.HasPrefix(v, "*") || strings.TrimSpace(v) == "") {
			return false
		}
	}
	return true
}

// positive reports the operators that count: those named, with or without a set prefix, never IfExists.
func positive(operator string, names ...string) bool {
	if prefix, rest, ok := strings.Cut(operator, ":"); ok && (strings.EqualFold(prefix, "ForAnyValue") || strings.EqualFold(prefix, "ForAllValues")) {
		operator = rest
	}
	return containsFold(names, operator)
}

func containsFold(list []string, s string) bool {
	for _, v := range list {
		if strings.EqualFold(v, s) {
			return true
		}
	}
	return false
}
