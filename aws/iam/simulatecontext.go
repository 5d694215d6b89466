package iam

import (
	"encoding/base64"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/core/policy"
)

// entriesInto puts the request's context entries into the condition keys of a simulation, after checking
// that the values are of the type that they are said to have.
func entriesInto(k policy.Context, entries []types.ContextEntry) error {
	for _, e := range entries {
		base, many := strings.CutSuffix(string(e.ContextKeyType), "List")
		for _, v := range e.ContextKeyValues {
			if fits := contextTypes[base]; fits != nil && !fits(v) {
				return refusal(invalidInput, "Invalid value for context key "+text(e.ContextKeyName)+" of type "+string(e.ContextKeyType)+": "+v)
			}
		}
		switch {
		case text(e.ContextKeyName) == "":
			return refusal(invalidInput, "A context entry has no ContextKeyName.")
		case many || len(e.ContextKeyValues) != 1:
			k.SetMany(*e.ContextKeyName, e.ContextKeyValues...)
		default:
			k.Set(*e.ContextKeyName, e.ContextKeyValues[0])
		}
	}
	return nil
}

// contextTypes check values of the types of context keys (API reference, ContextEntry). A string is
// anything.
var contextTypes = map[string]func(string) bool{
	"numeric": func(v string) bool { _, err := strconv.ParseFloat(v, 64); return err == nil },
	"boolean": func(v string) bool { return strings.EqualFold(v, "true") || strings.EqualFold(v, "false") },
	"binary":  func(v string) bool { _, err := base64.StdEncoding.DecodeString(v); return err == nil },
	"ip": func(v string) bool {
		_, address := netip.ParseAddr(v)
		_, network := netip.ParsePrefix(v)
		return address == nil || network == nil
	},
	"date": func(v string) bool {
		if _, err := strconv.ParseInt(v, 10, 64); err == nil {
			return true
		}
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly} {
			if _, err := time.Parse(layout, v); err == nil {
				return true
			}
		}
		return false
	},
}

// variable finds policy variables; what follows a comma is a default (IAM user guide, "Variables and tags").
var variable = regexp.MustCompile(`\$\{([^}*?$,]+)(?:,[^}]*)?\}`)

// contextKeys lists the condition keys that the policies ask for, in conditions and as variables, each once
// in any case of letters, sorted.
func (m *simulation) contextKeys() []string {
	names := []string{}
	note := func(name string) {
		if !slices.ContainsFunc(names, func(have string) bool { return strings.EqualFold(have, name) }) {
			names = append(names, name)
		}
	}
	for _, p := range m.policies {
		if p.Document == nil {
			continue
		}
		for _, st := range p.Document.Statements {
			values := slices.Concat(st.Resources, st.NotResources)
			for _, c := range st.Conditions {
				note(c.Key)
				values = append(values, c.Values...)
			}
			if p.Document.Version != "2012-10-17" {
				continue // the older language has no variables
			}
			for _, v := range values {
				for _, found := range variable.FindAllStringSubmatch(v, -1) {
					note(strings.TrimSpace(found[1]))
				}
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(lower(a), lower(b)) })
	return names
}

// scenarios are the resources that each way of simulating EC2 needs (API reference, SimulateCustomPolicy,
// ResourceHandlingOption).
var scenarios = map[string][]string{
	"EC2-Classic-InstanceStore":    {"instance", "image", "security-group"},
	"EC2-Classic-EBS":              {"instance", "image", "security-group", "volume"},
	"EC2-VPC-InstanceStore":        {"instance", "image", "security-group", "network-interface"},
	"EC2-VPC-InstanceStore-Subnet": {"instance", "image", "security-group", "network-interface", "subnet"},
	"EC2-VPC-EBS":                  {"instance", "image", "security-group", "network-interface", "volume"},
	"EC2-VPC-EBS-Subnet":           {"instance", "image", "security-group", "network-interface", "subnet", "volume"},
}

// handled checks that the resources of a scenario are all there.
func handled(option string, resources []string) error {
	if option == "" {
		return nil
	}
	needed, ok := scenarios[option]
	if !ok {
		return refusal(invalidInput, "Invalid ResourceHandlingOption: "+option)
	}
	for _, kind := range needed {
		if !slices.ContainsFunc(resources, func(arn string) bool { return strings.Contains(arn, ":"+kind+"/") }) {
			return refusal(invalidInput, "ResourceHandlingOption "+option+" requires a resource of type "+kind+".")
		}
	}
	return nil
}

// templates are the formats of ARNs (Service Authorization Reference, "Resource types") of the services that
// are served here, by what an ARN of each looks like.
var templates = []struct {
	like *regexp.Regexp
	arn  string
}{
	{regexp.MustCompile(`^arn:[^:]*:s3:::[^/]+/`), "arn:${Partition}:s3:::${BucketName}/${KeyName}"},
	{regexp.MustCompile(`^arn:[^:]*:s3:::[^/]+$`), "arn:${Partition}:s3:::${BucketName}"},
	{regexp.MustCompile(`^arn:[^:]*:dynamodb:[^:]*:[^:]*:table/[^/]+/index/`), "arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}/index/${IndexName}"},
	{regexp.MustCompile(`^arn:[^:]*:dynamodb:[^:]*:[^:]*:table/[^/]+/stream/`), "arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}/stream/${StreamLabel}"},
	{regexp.MustCompile(`^arn:[^:]*:dynamodb:[^:]*:[^:]*:table/[^/]+$`), "arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}"},
	{regexp.MustCompile(`^arn:[^:]*:iam::[^:]*:role/`), "arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}"},
	{regexp.MustCompile(`^arn:[^:]*:iam::[^:]*:user/`), "arn:${Partition}:iam::${Account}:user/${UserNameWithPath}"},
	{regexp.MustCompile(`^arn:[^:]*:iam::[^:]*:group/`), "arn:${Partition}:iam::${Account}:group/${GroupNameWithPath}"},
	{regexp.MustCompile(`^arn:[^:]*:iam::[^:]*:policy/`), "arn:${Partition}:iam::${Account}:policy/${PolicyNameWithPath}"},
	{regexp.MustCompile(`^arn:[^:]*:iam::[^:]*:oidc-provider/`), "arn:${Partition}:iam::${Account}:oidc-provider/${OidcProviderName}"},
	{regexp.MustCompile(`^arn:[^:]*:iam::[^:]*:saml-provider/`), "arn:${Partition}:iam::${Account}:saml-provider/${SamlProviderName}"},
	{regexp.MustCompile(`^arn:[^:]*:cognito-identity:[^:]*:[^:]*:identitypool/`), "arn:${Partition}:cognito-identity:${Region}:${Account}:identitypool/${IdentityPoolId}"},
	{regexp.MustCompile(`^arn:[^:]*:cognito-idp:[^:]*:[^:]*:userpool/`), "arn:${Partition}:cognito-idp:${Region}:${Account}:userpool/${UserPoolId}"},
}

// template is the format of the ARN of what is simulated, "*" when it is not known or there are several
// (API reference, EvaluationResult, EvalResourceName).
func template(resources []string) string {
	found := ""
	for _, r := range resources {
		format := "*"
		for _, t := range templates {
			if t.like.MatchString(r) {
				format = t.arn
				break
			}
		}
		if found != "" && found != format {
			return "*"
		}
		found = format
	}
	return found
}
