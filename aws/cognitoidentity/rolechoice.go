package cognitoidentity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
)

// Claims of user pools' tokens that name roles (developer guide, "Using role-based access control").
const (
	claimRoles         = "cognito:roles"
	claimPreferredRole = "cognito:preferred_role"
	claimSAMLRoles     = "https://aws.amazon.com/SAML/Attributes/Role"
)

// chooseRole is the role of an identity: the guests', the one that the mapping of a login gives, or that of
// all who are authenticated. custom is the caller's own wish among those that it may have.
func (s settings) chooseRole(known bool, logins []login, custom string, tried *attempt) (string, error) {
	kind := "unauthenticated"
	if known {
		kind = authenticated
	}
	role, may := s.Roles[kind], []string{s.Roles[kind]}
	for _, l := range logins {
		key, m, ok := s.mapping(l)
		if !ok {
			continue
		}
		var denied bool
		if role, may, denied = s.mapped(l, key, m, custom, tried); denied {
			return "", tried.refused
		}
		break
	}
	if custom != "" {
		tried.require(evidence.Check{Name: "custom role", Operator: "one of", Want: may, Got: []string{custom}, OK: slices.Contains(may, custom)}, forbiddenRole(custom))
		role = custom
	}
	tried.Role = role
	tried.require(evidence.Check{Name: "role", Operator: "is set", Want: []string{kind}, Got: []string{role}, OK: role != ""},
		errBadConfiguration)
	return role, tried.refused
}

// mapping is the role mapping of a login's provider. User pools go by pool and client there, OIDC providers
// by ARN.
func (s settings) mapping(l login) (key string, m types.RoleMapping, ok bool) {
	key = s.tagSource(l.provider)
	if strings.HasPrefix(l.provider, "cognito-idp.") {
		key += ":" + l.Claims.Text("aud")
	}
	m, ok = s.RoleMappings[key]
	return key, m, ok
}

// mapped is the role that a mapping gives for a login's claims and the ones that may be asked for instead;
// denied when it gives none and says that this is the end.
func (s settings) mapped(l login, key string, m types.RoleMapping, custom string, tried *attempt) (role string, may []string, denied bool) {
	if m.Type == types.RoleMappingTypeRules {
		may = matchRules(m, l.Claims, tried)
		if len(may) > 0 {
			return may[0], may, false
		}
	} else {
		may = rolesIn(l.Claims)
		role = l.Claims.Text(claimPreferredRole)
		if role == "" && strings.Contains(l.provider, ":saml-provider/") && len(may) == 1 {
			role = may[0]
		}
		tried.Checks = append(tried.Checks, evidence.Check{Name: "role mapping", Claim: claimPreferredRole, Operator: "names a role", Got: given1(role), OK: role != "" || custom != "",
			Note: fmt.Sprintf("the token allows %d roles", len(may))})
		if role != "" || custom != "" {
			return role, may, false
		}
	}
	if m.AmbiguousRoleResolution == types.AmbiguousRoleResolutionTypeAuthenticatedRole {
		return s.Roles["authenticated"], append(may, s.Roles["authenticated"]), false
	}
	tried.require(evidence.Check{Name: "role mapping", Claim: key, Operator: "gives a role", Note: "AmbiguousRoleResolution is Deny"},
		refusal(notAuthorized, "The ambiguous role mapping rules for: "+key+" denied this request."))
	return "", nil, true
}

// matchRules gives the roles of the rules that match, in their order.
func matchRules(m types.RoleMapping, c token.Claims, tried *attempt) (roles []string) {
	for n, rule := range m.RulesConfiguration.Rules {
		values, present := claimValues(c, value(rule.Claim))
		check := evidence.Check{
			Name: fmt.Sprintf("rule %d", n+1), Claim: value(rule.Claim), Operator: string(rule.MatchType),
			Want: []string{value(rule.Value)}, Got: values, OK: present && ruleHolds(rule.MatchType, values, value(rule.Value)),
			Note: value(rule.RoleARN),
		}
		if check.OK {
			roles = append(roles, value(rule.RoleARN))
		}
		tried.Checks = append(tried.Checks, check)
	}
	return roles
}

// ruleHolds compares in the case written and without wildcards. A claim that is a list holds the value as
// one of its members (Contains), or is compared by its only member.
func ruleHolds(how types.MappingRuleMatchType, values []string, want string) bool {
	one := ""
	if len(values) == 1 {
		one = values[0]
	}
	switch how {
	case types.MappingRuleMatchTypeEquals:
		return len(values) == 1 && one == want
	case types.MappingRuleMatchTypeNotEqual:
		return !slices.Contains(values, want)
	case types.MappingRuleMatchTypeStartsWith:
		return len(values) == 1 && strings.HasPrefix(one, want)
	case types.MappingRuleMatchTypeContains:
		return slices.Contains(values, want) || len(values) == 1 && strings.Contains(one, want)
	}
	return false
}

// claimValues are the texts of a claim; present is false for one that is absent, null, an object or an empty
// list.
func claimValues(c token.Claims, name string) (values []string, present bool) {
	list, isList := c[name].([]any)
	if !isList {
		list = []any{c[name]}
	}
	for _, v := range list {
		switch v := v.(type) {
		case string:
			values = append(values, v)
		case json.Number:
			values = append(values, v.String())
		case bool, int64, float64:
			values = append(values, fmt.Sprint(v))
		default:
			return nil, false
		}
	}
	return values, len(values) > 0
}

// rolesIn are the roles that a token allows: a JSON array, or a text with commas as the developer guide has
// it. A SAML attribute's values are pairs of role and provider.
func rolesIn(c token.Claims) (roles []string) {
	values, _ := claimValues(c, claimRoles)
	if len(values) == 1 {
		values = strings.Split(strings.Trim(values[0], "[]"), ",")
	}
	pairs, _ := claimValues(c, claimSAMLRoles)
	for _, v := range slices.Concat(values, pairs) {
		for part := range strings.SplitSeq(v, ",") {
			if _, _, ok := iamResource(strings.TrimSpace(part), "role"); ok {
				roles = append(roles, strings.TrimSpace(part))
			}
		}
	}
	return roles
}

func given1(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
