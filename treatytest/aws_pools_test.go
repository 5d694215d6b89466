package treatytest

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

const cognitoName = "cognito-identity.amazonaws.com"

// poolWorld is a pool with guests, a developer provider and a foreign issuer, and the roles of its identities.
type poolWorld struct {
	*webWorld
	pool          Pool
	guest, member string // roles
	anyone        *cognitoidentity.Client
}

func newPoolWorld(t *testing.T) *poolWorld {
	t.Helper()
	w := &poolWorld{webWorld: newWebWorld(t)}
	w.pool = w.AddPool("pool", "my.dev.provider")
	w.guest = w.AddRole("guest", w.poolTrust("unauthenticated"), may("*", "*"))
	w.member = w.AddRole("member", w.poolTrust("authenticated"), may("cognito-identity:ListIdentityPools", "*"))
	c := w.root.Copy()
	c.Credentials = nil
	w.anyone = w.pools(c)
	w.configure(func(*cognitoidentity.UpdateIdentityPoolInput) {})
	w.setRoles(nil)
	return w
}

// poolTrust is the trust policy of the pool's roles.
func (w *poolWorld) poolTrust(amr string) string {
	return admits(cognitoName, `{"StringEquals":{"`+cognitoName+`:aud":"`+w.pool.ID+`"},"ForAnyValue:StringLike":{"`+cognitoName+`:amr":"`+amr+`"}}`)
}

func (w *poolWorld) configure(edit func(*cognitoidentity.UpdateIdentityPoolInput)) {
	w.t.Helper()
	in := &cognitoidentity.UpdateIdentityPoolInput{
		IdentityPoolId: &w.pool.ID, IdentityPoolName: aws.String("pool"), DeveloperProviderName: &w.pool.DeveloperProvider,
		AllowUnauthenticatedIdentities: true, OpenIdConnectProviderARNs: []string{w.good.arn},
	}
	edit(in)
	_, err := w.pools(w.root).UpdateIdentityPool(context.Background(), in)
	w.must(err)
}

// setRoles sets the pool's roles with the mapping of the foreign issuer.
func (w *poolWorld) setRoles(m *types.RoleMapping) {
	w.t.Helper()
	in := &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: &w.pool.ID, Roles: map[string]string{"authenticated": w.member, "unauthenticated": w.guest}}
	if m != nil {
		in.RoleMappings = map[string]types.RoleMapping{w.good.arn: *m}
	}
	_, err := w.pools(w.root).SetIdentityPoolRoles(context.Background(), in)
	w.must(err)
}

// login1 is a Logins map of one login.
func login1(provider, token string) map[string]string { return map[string]string{provider: token} }

func (w *poolWorld) logins(claims m) map[string]string {
	return login1(w.good.name, w.good.token(w.Now(), claims))
}

func (w *poolWorld) id(logins map[string]string) (string, error) {
	out, err := w.anyone.GetId(context.Background(), &cognitoidentity.GetIdInput{IdentityPoolId: &w.pool.ID, Logins: logins})
	if err != nil {
		return "", err
	}
	return *out.IdentityId, nil
}

// credentials asks for an identity's keys and gives the name of the role that they are of.
func (w *poolWorld) credentials(identity string, logins map[string]string, role string) (aws.Config, string, error) {
	in := &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: &identity, Logins: logins}
	if role != "" {
		in.CustomRoleArn = &role
	}
	out, err := w.anyone.GetCredentialsForIdentity(context.Background(), in)
	if err != nil {
		return aws.Config{}, "", err
	}
	c := w.temporary(out.Credentials.AccessKeyId, out.Credentials.SecretKey, out.Credentials.SessionToken)
	arn, err := w.identity(c)
	return c, strings.Split(arn, "/")[1], err
}

// take is credentials for attacks.
func (w *poolWorld) take(identity string, logins map[string]string, role string) func() error {
	return func() error { _, _, err := w.credentials(identity, logins, role); return err }
}

const (
	noMatch   = "NotAuthorizedException: Logins don't match. Please include at least one valid login for this identity or identity pool."
	badSigned = "NotAuthorizedException: Invalid login token. Couldn't verify signed token."
	unmatched = "NotAuthorizedException: Invalid login token. Issuer doesn't match providerName"
	ownLogin  = "NotAuthorizedException: Invalid login token. Can't pass in a Cognito token."
	foreignID = "NotAuthorizedException: Token is not from a supported provider of this identity pool."
	wrongPool = "InvalidIdentityPoolConfigurationException: Invalid identity pool configuration. Check assigned IAM roles for this pool."
)

func forbidden(role string) string {
	return "NotAuthorizedException: Access to Role '" + role + "' is forbidden."
}

func TestIdentitiesAreTheirOwnersOnly(t *testing.T) {
	t.Parallel()
	w := newPoolWorld(t)
	ctx, now := t.Context(), w.Now()
	ann, err := w.id(w.logins(m{"sub": "ann"}))
	w.must(err)
	bob, err := w.id(w.logins(m{"sub": "bob"}))
	w.must(err)
	stranger, err := w.id(nil)
	w.must(err)
	dev, devToken := w.DeveloperToken(w.pool, "dev")
	_, otherDev := w.DeveloperToken(w.pool, "other")
	second := w.AddPool("second", "my.dev.provider")
	_, elsewhere := w.DeveloperToken(second, "dev")
	guestToken, err := w.anyone.GetOpenIdToken(ctx, &cognitoidentity.GetOpenIdTokenInput{IdentityId: &stranger})
	w.must(err)
	admin := w.AddRole("admin", w.poolTrust("authenticated"), may("*", "*"))
	kid, key := w.signingKey("cognito-identity/us-east-1")
	f := forge{key: key, kid: kid, now: now, pool: w.pool.ID, ident: dev}
	evil := forge{key: w.evil.key, kid: kid, now: now, pool: w.pool.ID, ident: dev}
	id := func(logins map[string]string) func() error {
		return func() error { _, err := w.id(logins); return err }
	}
	as := func(name, want, identity, role string, logins map[string]string) attack {
		return attack{name, want, func() error {
			_, got, err := w.credentials(identity, logins, "")
			if err == nil && got != role {
				t.Errorf("%s: the role is %s, want %s", name, got, role)
			}
			return err
		}}
	}
	guest, _, err := w.credentials(stranger, nil, "")
	w.must(err)
	bent := func(name, want string, claims m) attack {
		return attack{name, want, id(w.logins(claims))}
	}
	withstand(t, 50, []attack{
		as("ann with her login", "", ann, "member", w.logins(m{"sub": "ann"})),
		as("a guest", "", stranger, "guest", nil),
		as("a developer's user with the pool's token", "", dev, "member", login1(cognitoName, devToken)),
		as("ann's identity without her login", "NotAuthorizedException: Access to Identity '"+ann+"' is forbidden.", ann, "", nil),
		as("a developer's identity without its token", "NotAuthorizedException: Access to Identity '"+dev+"' is forbidden.", dev, "", nil),
		as("ann's identity with bob's login", noMatch, ann, "", w.logins(m{"sub": "bob"})),
		as("ann's identity with a login of nobody yet", noMatch, ann, "", w.logins(m{"sub": "mallory"})),
		as("an identity that is not there", "ResourceNotFoundException", "us-east-1:00000000-0000-4000-8000-000000000000", "", nil),
		as("no identity", "ValidationException", "us-east-1", "", nil),
		as("a developer's token for ann's identity", noMatch, ann, "", login1(cognitoName, devToken)),
		as("another user's token", noMatch, dev, "", login1(cognitoName, otherDev)),
		as("another pool's token", "NotAuthorizedException: Invalid login token. Incorrect token audience", dev, "", login1(cognitoName, elsewhere)),
		as("a guest's token for the developer's identity", noMatch, dev, "", login1(cognitoName, *guestToken.Token)),
		as("a guest's token for the guest", "", stranger, "guest", login1(cognitoName, *guestToken.Token)),
		as("the pool's token forged by a stranger", badSigned, dev, "", login1(cognitoName, evil.token())),
		as("the pool's token with alg none", badSigned, dev, "", login1(cognitoName, f.headed(m{"alg": "none"}))),
		as("the pool's token keyed with the public key", badSigned, dev, "", login1(cognitoName, f.hmac("HS512"))),
		as("the pool's token of another issuer", unmatched, dev, "", login1(cognitoName, f.token(m{"iss": w.good.issuer}))),
		as("the pool's token for two pools", "NotAuthorizedException: Invalid login token. Incorrect token audience", dev, "", login1(cognitoName, f.token(m{"aud": []string{second.ID, w.pool.ID}}))),
		as("an expired one", "NotAuthorizedException", dev, "", login1(cognitoName, f.token(m{"exp": now.Add(-time.Second).Unix()}))),
		as("the pool's token beside another login", ownLogin, dev, "", map[string]string{cognitoName: devToken, w.good.name: w.good.token(now, m{"sub": "ann"})}),
		as("a developer's user by name", "InvalidParameterException: Please provide a valid public provider", dev, "", login1("my.dev.provider", "dev")),
		{"a developer's user by name, for an id", "InvalidParameterException: Please provide a valid public provider", id(login1("my.dev.provider", "dev"))},
		{"the pool's token for an id", ownLogin, id(login1(cognitoName, devToken))},
		{"an issuer that the pool does not list", foreignID, id(login1(w.evil.name, w.evil.token(now)))},
		{"its token under the listed issuer's name", unmatched, id(login1(w.good.name, w.evil.token(now)))},
		{"the listed issuer's token under another name", foreignID, id(login1(w.evil.name, w.good.token(now)))},
		{"the issuer with its scheme", foreignID, id(login1(w.good.issuer, w.good.token(now)))},
		{"the issuer with a slash more", foreignID, id(login1(w.good.name+"/", w.good.token(now)))},
		{"the issuer in capitals", foreignID, id(login1(strings.ToUpper(w.good.name), w.good.token(now)))},
		{"the provider's ARN", foreignID, id(login1(w.good.arn, w.good.token(now)))},
		{"no token", "NotAuthorizedException: Invalid login token. Not a valid OpenId Connect identity token.", id(login1(w.good.name, "undefined"))},
		{"a stranger's signature", badSigned, id(login1(w.good.name, w.evil.sign(m{"alg": "RS256", "kid": "k1"}, w.good.claims(now))))},
		{"HS256 keyed with the public key", badSigned, id(login1(w.good.name, w.good.confused(now)))},
		{"alg none", "NotAuthorizedException", id(login1(w.good.name, w.good.sign(m{"alg": "none"}, w.good.claims(now))))},
		bent("an audience that is not registered", "NotAuthorizedException: Invalid login token. Incorrect token audience", m{"aud": "other"}),
		bent("a foreign authorized party", "NotAuthorizedException: Invalid login token. Incorrect token audience", m{"azp": "evil"}),
		bent("no audience", "NotAuthorizedException: Invalid login token. Missing a required claim: aud", m{"aud": nil}),
		bent("expired", "NotAuthorizedException", m{"exp": now.Add(-time.Hour).Unix()}),
		bent("issued tomorrow", badSigned, m{"iat": now.Add(24 * time.Hour).Unix()}),
		{"a guest asks for the members' role", forbidden(w.member), w.take(stranger, nil, w.member)},
		{"a guest asks for any role that would trust it", forbidden(admin), w.take(stranger, nil, admin)},
		{"a guest asks for its own", "", w.take(stranger, nil, w.guest)},
		{"a guest asks for its own in other letters", "NotAuthorizedException", w.take(stranger, nil, strings.Replace(w.guest, "guest", "GUEST", 1))},
		{"ann asks for a role that is not hers", forbidden(admin), w.take(ann, w.logins(m{"sub": "ann"}), admin)},
		{"ann asks for the guests'", forbidden(w.guest), w.take(ann, w.logins(m{"sub": "ann"}), w.guest)},
		{"a guest's keys are good for what guests may", "", w.listPools(guest)},
		{"and for nothing else, whatever the role allows", "AccessDenied: User: arn:aws:sts::" + home + ":assumed-role/guest/CognitoIdentityCredentials is not authorized to perform: iam:GetRole on resource: role guest because no session policy allows the iam:GetRole action", w.getRole(guest, "guest")},
		{"an id in another account", "ResourceNotFoundException", func() error {
			_, err := w.anyone.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: &w.pool.ID, AccountId: aws.String(away)})
			return err
		}},
		{"a pool in capitals", "ResourceNotFoundException", func() error {
			_, err := w.anyone.GetId(ctx, &cognitoidentity.GetIdInput{IdentityPoolId: aws.String(strings.ToUpper(w.pool.ID[:9]) + w.pool.ID[9:])})
			return err
		}},
		{"somebody unlinks ann's login with his own", noMatch, func() error {
			_, err := w.anyone.UnlinkIdentity(ctx, &cognitoidentity.UnlinkIdentityInput{IdentityId: &ann, Logins: w.logins(m{"sub": "bob"}), LoginsToRemove: []string{w.good.name}})
			return err
		}},
		{"a backend takes over bob, whom the issuer vouches for", noMatch, func() error {
			_, err := w.pools(w.root).GetOpenIdTokenForDeveloperIdentity(ctx, &cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &w.pool.ID, IdentityId: &bob, Logins: login1("my.dev.provider", "thief")})
			return err
		}},
		{"a guest becomes ann by her login: the identity is hers", "", func() error {
			out, err := w.anyone.GetCredentialsForIdentity(ctx, &cognitoidentity.GetCredentialsForIdentityInput{IdentityId: &stranger, Logins: w.logins(m{"sub": "ann"})})
			if err == nil && *out.IdentityId != ann {
				t.Errorf("the identity is %s, want %s", *out.IdentityId, ann)
			}
			return err
		}},
		{"and the guest that was is none any more", "NotAuthorizedException: Access to Identity '" + stranger + "' is forbidden.", w.take(stranger, nil, "")},
		{"nor by its old token", noMatch, w.take(stranger, login1(cognitoName, *guestToken.Token), "")},
		{"a guest's token after the guest became somebody", "NotAuthorizedException", func() error {
			fresh, err := w.id(nil)
			w.must(err)
			tok, err := w.anyone.GetOpenIdToken(ctx, &cognitoidentity.GetOpenIdTokenInput{IdentityId: &fresh})
			w.must(err)
			w.must(w.take(fresh, w.logins(m{"sub": "carol"}), "")())
			return w.take(fresh, login1(cognitoName, *tok.Token), "")()
		}},
		{"a guest's token when guests are no longer let in", "NotAuthorizedException: Unauthenticated access is not supported for this identity pool.", func() error {
			fresh, err := w.id(nil)
			w.must(err)
			tok, err := w.anyone.GetOpenIdToken(ctx, &cognitoidentity.GetOpenIdTokenInput{IdentityId: &fresh})
			w.must(err)
			w.configure(func(in *cognitoidentity.UpdateIdentityPoolInput) { in.AllowUnauthenticatedIdentities = false })
			return w.take(fresh, login1(cognitoName, *tok.Token), "")()
		}},
		{"a new guest", "NotAuthorizedException: Unauthenticated access is not supported for this identity pool.", id(nil)},
		{"the classic flow when it is off", "InvalidParameterException: Basic (classic) flow is not enabled, please use enhanced flow.", func() error {
			w.configure(func(in *cognitoidentity.UpdateIdentityPoolInput) { in.AllowClassicFlow = aws.Bool(false) })
			_, err := w.anyone.GetOpenIdToken(ctx, &cognitoidentity.GetOpenIdTokenInput{IdentityId: &ann, Logins: w.logins(m{"sub": "ann"})})
			return err
		}},
		{"an issuer that was taken off the pool", foreignID, func() error {
			w.configure(func(in *cognitoidentity.UpdateIdentityPoolInput) { in.OpenIdConnectProviderARNs = nil })
			return w.take(ann, w.logins(m{"sub": "ann"}), "")()
		}},
	})
}

func TestRoleMappingsGiveNoRoleThatTheyDoNotName(t *testing.T) {
	t.Parallel()
	w := newPoolWorld(t)
	admin := w.AddRole("admin", w.poolTrust("authenticated"))
	audit := w.AddRole("audit", w.poolTrust("authenticated"))
	closed := w.AddRole("closed", trusts(home))
	foreign := &awsWorld{Treaty: &Treaty{t: t, AWSConfig: w.away, HTTPClient: w.HTTPClient, server: w.server}}
	theirs := foreign.AddRole("theirs", w.poolTrust("authenticated"), may("*", "*"))
	_, err := w.iam(w.root).TagRole(t.Context(), &iam.TagRoleInput{RoleName: aws.String("audit"), Tags: iamTags("x", "y")})
	w.must(err)
	ann, err := w.id(w.logins(m{"sub": "ann"}))
	w.must(err)
	rule := func(claim string, how types.MappingRuleMatchType, value, role string) types.MappingRule {
		return types.MappingRule{Claim: &claim, MatchType: how, Value: &value, RoleARN: &role}
	}
	rules := func(r ...types.MappingRule) *types.RoleMapping {
		return &types.RoleMapping{Type: types.RoleMappingTypeRules, AmbiguousRoleResolution: types.AmbiguousRoleResolutionTypeDeny, RulesConfiguration: &types.RulesConfigurationType{Rules: r}}
	}
	byToken := func(how types.AmbiguousRoleResolutionType) *types.RoleMapping {
		return &types.RoleMapping{Type: types.RoleMappingTypeToken, AmbiguousRoleResolution: how}
	}
	const eq, ne, starts, has = types.MappingRuleMatchTypeEquals, types.MappingRuleMatchTypeNotEqual, types.MappingRuleMatchTypeStartsWith, types.MappingRuleMatchTypeContains
	ambiguous := "NotAuthorizedException: The ambiguous role mapping rules for: " + w.good.arn + " denied this request."
	deny, fall := byToken(types.AmbiguousRoleResolutionTypeDeny), byToken(types.AmbiguousRoleResolutionTypeAuthenticatedRole)
	null := json.RawMessage("null")
	for _, a := range []struct {
		name, role, want string // want is "" for the role
		mapping          *types.RoleMapping
		claims           m
		custom           string
	}{
		{"Equals", "admin", "", rules(rule("g", eq, "admins", admin)), m{"g": "admins"}, ""},
		{"Equals in other letters", "", ambiguous, rules(rule("g", eq, "admins", admin)), m{"g": "Admins"}, ""},
		{"Equals with a star is no pattern", "", ambiguous, rules(rule("g", eq, "a*", admin)), m{"g": "admins"}, ""},
		{"a star in the token is none either", "", ambiguous, rules(rule("g", eq, "admins", admin)), m{"g": "*"}, ""},
		{"Equals on one of several", "", ambiguous, rules(rule("g", eq, "admins", admin)), m{"g": []string{"users", "admins"}}, ""},
		{"Equals on the only one", "admin", "", rules(rule("g", eq, "admins", admin)), m{"g": []string{"admins"}}, ""},
		{"a claim in other letters", "", ambiguous, rules(rule("g", eq, "admins", admin)), m{"G": "admins"}, ""},
		{"a claim that is an object", "", ambiguous, rules(rule("g", ne, "x", admin)), m{"g": m{"a": "b"}}, ""},
		{"NotEqual on an absent claim", "", ambiguous, rules(rule("g", ne, "users", admin)), nil, ""},
		{"NotEqual on a null", "", ambiguous, rules(rule("g", ne, "users", admin)), m{"g": null}, ""},
		{"NotEqual on an empty list, which holds no claim's value", "", ambiguous, rules(rule("g", ne, "users", admin)), m{"g": []string{}}, ""},
		{"NotEqual on a list that has it", "", ambiguous, rules(rule("g", ne, "users", admin)), m{"g": []string{"users", "x"}}, ""},
		{"NotEqual", "admin", "", rules(rule("g", ne, "users", admin)), m{"g": "x"}, ""},
		{"StartsWith on what ends so", "", ambiguous, rules(rule("g", starts, "adm", admin)), m{"g": "xadm"}, ""},
		{"Contains in a text", "admin", "", rules(rule("g", has, "admins", admin)), m{"g": "[users, admins]"}, ""},
		{"Contains in a list is membership", "", ambiguous, rules(rule("g", has, "admin", admin)), m{"g": []string{"users", "not-admins"}}, ""},
		{"the first rule wins", "audit", "", rules(rule("g", eq, "x", audit), rule("h", eq, "y", admin)), m{"g": "x", "h": "y"}, ""},
		{"a later one on request", "admin", "", rules(rule("g", eq, "x", audit), rule("h", eq, "y", admin)), m{"g": "x", "h": "y"}, admin},
		{"one that does not match, on request", "", forbidden(admin), rules(rule("g", eq, "x", audit), rule("h", eq, "y", admin)), m{"g": "x", "h": "z"}, admin},
		{"one that no rule names, on request", "", forbidden(closed), rules(rule("g", eq, "x", audit)), m{"g": "x"}, closed},
		{"the members' role instead of the mapped one", "", forbidden(w.member), rules(rule("g", eq, "x", audit)), m{"g": "x"}, w.member},
		{"a role that does not trust the pool", "", wrongPool, rules(rule("g", eq, "x", closed)), m{"g": "x"}, ""},
		{"a token's preferred role", "admin", "", deny, m{"cognito:preferred_role": admin, "cognito:roles": []string{admin}}, ""},
		{"a token's roles without preference", "", ambiguous, deny, m{"cognito:roles": []string{admin, audit}}, ""},
		{"without roles", "", ambiguous, deny, nil, ""},
		{"without roles, falling back", "member", "", fall, nil, ""},
		{"one of a token's roles on request", "audit", "", deny, m{"cognito:roles": []string{admin, audit}}, audit},
		{"one that the token does not name", "", forbidden(admin), deny, m{"cognito:roles": []string{audit}}, admin},
		{"one that the token does not name, falling back", "", forbidden(admin), fall, m{"cognito:roles": []string{audit}}, admin},
		{"one in other letters", "", "NotAuthorizedException", deny, m{"cognito:roles": []string{strings.ToUpper(admin)}}, admin},
		{"another account's role that trusts the pool, as preferred", "", forbidden(theirs), deny, m{"cognito:preferred_role": theirs, "cognito:roles": []string{theirs}}, ""},
		{"another account's role that trusts the pool, on request", "", forbidden(theirs), deny, m{"cognito:roles": []string{theirs}}, theirs},
		{"a preferred role that is none", "", "NotAuthorizedException", deny, m{"cognito:preferred_role": "admin"}, ""},
	} {
		t.Run(a.name, func(t *testing.T) {
			w.setRoles(a.mapping)
			_, role, err := w.credentials(ann, w.logins(with(m{"sub": "ann"}, a.claims)), a.custom)
			if got := said(err); role != a.role || got != a.want && !(strings.HasPrefix(got, a.want+": ") && !strings.Contains(a.want, ": ")) {
				t.Errorf("got %s %s\nwant %s %s", role, got, a.role, a.want)
			}
		})
	}
	if _, err := w.anyone.GetOpenIdToken(t.Context(), &cognitoidentity.GetOpenIdTokenInput{IdentityId: &ann, Logins: w.logins(m{"sub": "ann"})}); !strings.HasPrefix(said(err), "InvalidParameterException: Basic (classic) flow is not supported with RoleMappings") {
		t.Errorf("the classic flow goes around the mapping: %s", said(err))
	}
}
