package cognitoidentity

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/token"
)

const (
	roleAll   = "arn:aws:iam::123456789012:role/all"
	roleGuest = "arn:aws:iam::123456789012:role/guest"
	roleA     = "arn:aws:iam::123456789012:role/a"
	roleB     = "arn:aws:iam::123456789012:role/b"
)

// byRules maps roles A and B, in this order, to two rules.
func byRules(first, second types.MappingRule, ambiguous types.AmbiguousRoleResolutionType) types.RoleMapping {
	first.RoleARN, second.RoleARN = new(roleA), new(roleB)
	return types.RoleMapping{Type: types.RoleMappingTypeRules, AmbiguousRoleResolution: ambiguous, RulesConfiguration: &types.RulesConfigurationType{Rules: []types.MappingRule{first, second}}}
}

func rule(claim string, how types.MappingRuleMatchType, want string) types.MappingRule {
	return types.MappingRule{Claim: &claim, MatchType: how, Value: &want}
}

func TestTheRoleOfAnIdentity(t *testing.T) {
	t.Parallel()
	const (
		equals, contains, starts, not = types.MappingRuleMatchTypeEquals, types.MappingRuleMatchTypeContains, types.MappingRuleMatchTypeStartsWith, types.MappingRuleMatchTypeNotEqual
		deny, all                     = types.AmbiguousRoleResolutionTypeDeny, types.AmbiguousRoleResolutionTypeAuthenticatedRole
		forbidden                     = "Access to Role '%s' is forbidden."
		ambiguous                     = "The ambiguous role mapping rules for: accounts.google.com denied this request."
	)
	never := rule("none", equals, "none")
	byToken := func(r types.AmbiguousRoleResolutionType) types.RoleMapping {
		return types.RoleMapping{Type: types.RoleMappingTypeToken, AmbiguousRoleResolution: r}
	}
	for _, c := range []struct {
		name    string
		mapping types.RoleMapping
		claims  token.Claims
		custom  string
		want    string // "" refused
		message string
	}{
		{"the first rule that matches", byRules(rule("dept", equals, "x"), rule("dept", starts, "x"), deny), token.Claims{"dept": "x"}, "", roleA, ""},
		{"the second when the first does not", byRules(never, rule("dept", starts, "res"), deny), token.Claims{"dept": "research"}, "", roleB, ""},
		{"case counts", byRules(rule("dept", equals, "X"), never, all), token.Claims{"dept": "x"}, "", roleAll, ""},
		{"no wildcards", byRules(rule("dept", equals, "r*"), never, all), token.Claims{"dept": "research"}, "", roleAll, ""},
		{"a part of a text", byRules(rule("custom:roles", contains, "Admin"), never, deny), token.Claims{"custom:roles": "[Reader, Admin]"}, "", roleA, ""},
		{"a member of a list", byRules(rule("roles", contains, "Admin"), never, deny), token.Claims{"roles": []any{"Reader", "Admin"}}, "", roleA, ""},
		{"no part of a member of a list", byRules(rule("roles", contains, "Adm"), never, deny), token.Claims{"roles": []any{"Reader", "Admin"}}, "", "", ambiguous},
		{"a list of one is its member", byRules(rule("roles", equals, "Admin"), never, deny), token.Claims{"roles": []any{"Admin"}}, "", roleA, ""},
		{"a number", byRules(rule("level", equals, "7"), never, deny), token.Claims{"level": json.Number("7")}, "", roleA, ""},
		{"another value", byRules(rule("dept", not, "x"), never, deny), token.Claims{"dept": "y"}, "", roleA, ""},
		{"an absent claim is not another value", byRules(rule("dept", not, "x"), never, deny), token.Claims{}, "", "", ambiguous},
		{"an object is no value", byRules(rule("dept", not, "x"), never, deny), token.Claims{"dept": map[string]any{}}, "", "", ambiguous},
		{"a rule's other role, asked for", byRules(rule("dept", equals, "x"), rule("dept", starts, "x"), deny), token.Claims{"dept": "x"}, roleB, roleB, ""},
		{"a role of a rule that does not match", byRules(rule("dept", equals, "x"), never, deny), token.Claims{"dept": "x"}, roleB, "", forbidden},
		{"a role of no rule", byRules(rule("dept", equals, "x"), never, deny), token.Claims{"dept": "x"}, roleGuest, "", forbidden},
		{"the token's preferred role", byToken(deny), token.Claims{claimRoles: []any{roleA, roleB}, claimPreferredRole: roleB}, "", roleB, ""},
		{"the token's roles without a preferred one", byToken(deny), token.Claims{claimRoles: []any{roleA, roleB}}, "", "", ambiguous},
		{"the same, open to all", byToken(all), token.Claims{claimRoles: []any{roleA, roleB}}, "", roleAll, ""},
		{"one of the token's roles, asked for", byToken(deny), token.Claims{claimRoles: []any{roleA, roleB}, claimPreferredRole: roleB}, roleA, roleA, ""},
		{"roles in a text with commas", byToken(deny), token.Claims{claimRoles: roleA + "," + roleB}, roleB, roleB, ""},
		{"none of the token's roles", byToken(deny), token.Claims{claimRoles: []any{roleA}, claimPreferredRole: roleA}, roleB, "", forbidden},
		{"none of the token's roles, open to all", byToken(all), token.Claims{claimRoles: []any{roleA}}, roleAll, "", forbidden},
		{"no roles at all", byToken(deny), token.Claims{}, "", "", ambiguous},
	} {
		s := settings{Roles: map[string]string{"authenticated": roleAll, "unauthenticated": roleGuest}, RoleMappings: map[string]types.RoleMapping{"accounts.google.com": c.mapping}}
		var tried attempt
		got, err := s.chooseRole(true, []login{{"accounts.google.com", Verified{Subject: "u", Claims: c.claims}}}, c.custom, &tried)
		var refused *op.Error
		switch {
		case c.want != "":
			if got != c.want || err != nil {
				t.Errorf("%s: %s, %v", c.name, got, err)
			}
		case !errors.As(err, &refused) || refused.Code != notAuthorized || c.message == ambiguous && refused.Message != ambiguous:
			t.Errorf("%s: %s, %v", c.name, got, err)
		}
		if len(tried.Checks) == 0 {
			t.Errorf("%s: no evidence", c.name)
		}
	}
}

func TestTheRoleWithoutAMapping(t *testing.T) {
	t.Parallel()
	s := settings{Roles: map[string]string{"authenticated": roleAll}}
	for _, c := range []struct {
		authenticated bool
		custom, want  string
		code          string
	}{
		{true, "", roleAll, ""},
		{true, roleAll, roleAll, ""},
		{true, roleA, "", notAuthorized},
		{false, "", "", badConfiguration},
	} {
		var tried attempt
		got, err := s.chooseRole(c.authenticated, nil, c.custom, &tried)
		if codeOfOrNone(err) != c.code || err == nil && got != c.want {
			t.Errorf("%+v: %s %v", c, got, err)
		}
	}
}

func codeOfOrNone(err error) string {
	if err == nil {
		return ""
	}
	return codeOf(err)
}

func TestAUserPoolsMappingGoesByItsClient(t *testing.T) {
	t.Parallel()
	const provider = "cognito-idp.us-east-1.amazonaws.com/us-east-1_abc"
	s := settings{Roles: map[string]string{"authenticated": roleAll}, RoleMappings: map[string]types.RoleMapping{
		provider + ":one": {Type: types.RoleMappingTypeToken, AmbiguousRoleResolution: types.AmbiguousRoleResolutionTypeDeny},
	}}
	for client, want := range map[string]string{"one": roleA, "two": roleAll} {
		var tried attempt
		got, err := s.chooseRole(true, []login{{provider, Verified{Claims: token.Claims{"aud": client, claimPreferredRole: roleA}}}}, "", &tried)
		if got != want || err != nil {
			t.Errorf("client %s: %s %v", client, got, err)
		}
	}
}
