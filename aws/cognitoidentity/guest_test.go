package cognitoidentity_test

import (
	"context"
	"testing"
	"time"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"
	"github.com/google/go-cmp/cmp"
)

func TestGuestTokenSaysWhatTheCloudsSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pool := w.pool(withGuests)
	id := w.guest(pool)
	if again := w.guest(pool); again == id {
		t.Error("two guests got one identity")
	}
	out, err := w.GetOpenIdToken(context.Background(), &ci.GetOpenIdTokenInput{IdentityId: &id})
	must(t, err)
	_, claims := decode(t, *out.Token)
	want := map[string]any{
		"iss": "https://cognito-identity.amazonaws.com", "sub": id, "aud": pool, "amr": []any{"unauthenticated"},
		"iat": float64(start.Unix()), "exp": float64(start.Unix() + 600),
		"https://cognito-identity.amazonaws.com/identity-pool-arn": "arn:aws:cognito-identity:us-east-1:123456789012:identitypool/" + pool,
	}
	if d := cmp.Diff(want, claims); d != "" || *out.IdentityId != id {
		t.Errorf("claims of %s (-want +got):\n%s", *out.IdentityId, d)
	}
}

// Words of the service (field reports of amplify-js, aws-cli, boto3).
const (
	noGuests    = "Unauthenticated access is not supported for this identity pool."
	noMatch     = "Logins don't match. Please include at least one valid login for this identity or identity pool."
	unsupported = "Token is not from a supported provider of this identity pool."
	unverified  = "Invalid login token. Couldn't verify signed token."
	ownToken    = "Invalid login token. Can't pass in a Cognito token."
	notPublic   = "Please provide a valid public provider"
	noRoles     = "Invalid identity pool configuration. Check assigned IAM roles for this pool."
)

func TestIdentitiesThatGetIdRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	closed := w.pool(withGoogle)
	providers := w.pool(func(in *ci.CreateIdentityPoolInput) {
		in.OpenIdConnectProviderARNs = []string{"arn:aws:iam::123456789012:oidc-provider/login.example.org/T/v2.0"}
		in.SamlProviderARNs = []string{"arn:aws:iam::123456789012:saml-provider/adfs"}
		in.CognitoIdentityProviders = []types.CognitoIdentityProvider{{ProviderName: new("cognito-idp.us-east-1.amazonaws.com/us-east-1_abc"), ClientId: new("c")}}
	})
	for name, c := range map[string]struct {
		in            ci.GetIdInput
		code, message string
	}{
		"guests are not let in":                       {ci.GetIdInput{}, "NotAuthorizedException", noGuests},
		"a developer's name is no public provider":    {ci.GetIdInput{Logins: map[string]string{developer: "u"}}, "InvalidParameterException", notPublic},
		"the service's own token":                     {ci.GetIdInput{Logins: map[string]string{"cognito-identity.amazonaws.com": "t"}}, "NotAuthorizedException", ownToken},
		"a provider that the pool does not have":      {ci.GetIdInput{Logins: map[string]string{"graph.facebook.com": "t"}}, "NotAuthorizedException", unsupported},
		"a social login":                              {ci.GetIdInput{Logins: map[string]string{"accounts.google.com": "t"}}, "NotAuthorizedException", unverified},
		"an OIDC login":                               {ci.GetIdInput{IdentityPoolId: &providers, Logins: map[string]string{"login.example.org/T/v2.0": "t"}}, "NotAuthorizedException", unverified},
		"an OIDC login with the issuer in lower case": {ci.GetIdInput{IdentityPoolId: &providers, Logins: map[string]string{"login.example.org/t/v2.0": "t"}}, "NotAuthorizedException", unsupported},
		"a SAML login":                                {ci.GetIdInput{IdentityPoolId: &providers, Logins: map[string]string{"arn:aws:iam::123456789012:saml-provider/adfs": "t"}}, "NotAuthorizedException", unverified},
		"a user pool's login":                         {ci.GetIdInput{IdentityPoolId: &providers, Logins: map[string]string{"cognito-idp.us-east-1.amazonaws.com/us-east-1_abc": "t"}}, "NotAuthorizedException", unverified},
		"another account's number":                    {ci.GetIdInput{AccountId: new(stranger)}, "ResourceNotFoundException", "IdentityPool '" + closed + "' not found."},
		"a pool that does not exist":                  {ci.GetIdInput{IdentityPoolId: new("us-east-1:0")}, "ResourceNotFoundException", "IdentityPool 'us-east-1:0' not found."},
		"a pool id that is none": {ci.GetIdInput{IdentityPoolId: new("x")}, "ValidationException",
			`1 validation error detected: Value 'x' at 'identityPoolId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w-]+:[0-9a-f-]+`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.in.IdentityPoolId == nil {
				c.in.IdentityPoolId = &closed
			}
			_, err := w.GetId(context.Background(), &c.in)
			refused(t, err, c.code, c.message)
		})
	}
}

func TestTokensAndCredentialsThatAreRefused(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, vouched), context.Background()
	classic := func(on bool) func(*ci.CreateIdentityPoolInput) {
		return func(in *ci.CreateIdentityPoolInput) { in.AllowClassicFlow = &on }
	}
	open, enhanced := w.pool(withGuests, withGoogle, classic(true)), w.pool(withGuests, withGoogle, classic(false))
	closing, mapped := w.pool(withGuests), w.pool(withGuests)
	_, err := w.SetIdentityPoolRoles(ctx, &ci.SetIdentityPoolRolesInput{IdentityPoolId: &mapped, Roles: map[string]string{}, RoleMappings: map[string]types.RoleMapping{
		"accounts.google.com": {Type: types.RoleMappingTypeToken, AmbiguousRoleResolution: types.AmbiguousRoleResolutionTypeDeny}}})
	must(t, err)
	guest, user := w.guest(open), w.user(open, "u")
	formerGuest := w.guest(closing)
	_, err = w.UpdateIdentityPool(ctx, &ci.UpdateIdentityPoolInput{IdentityPoolId: &closing, IdentityPoolName: new("closed"), DeveloperProviderName: new(developer)})
	must(t, err)
	const none = "us-east-1:00000000-0000-4000-8000-000000000000"

	for name, c := range map[string]struct {
		identity      string
		logins        map[string]string
		code, message string
		credentials   string // what GetCredentialsForIdentity says, if not the same
	}{
		"a guest's identity":                        {guest, nil, "", "", noRoles},
		"an identity that does not exist":           {none, nil, "ResourceNotFoundException", "Identity '" + none + "' not found.", ""},
		"a user's identity, without logins":         {user, nil, "NotAuthorizedException", "Access to Identity '" + user + "' is forbidden.", ""},
		"a user's identity, by a stranger":          {user, map[string]string{"accounts.google.com": "good:stranger"}, "NotAuthorizedException", noMatch, ""},
		"a user's identity, by name only":           {user, map[string]string{developer: "u"}, "InvalidParameterException", notPublic, ""},
		"a token that does not verify":              {guest, map[string]string{"accounts.google.com": "forged"}, "NotAuthorizedException", unverified, ""},
		"a provider that the pool does not have":    {guest, map[string]string{"api.twitter.com": "good:x"}, "NotAuthorizedException", unsupported, ""},
		"a guest of a pool that let guests in once": {formerGuest, nil, "NotAuthorizedException", noGuests, ""},
		"the classic flow where it is switched off": {w.guest(enhanced), nil, "InvalidParameterException", "Basic (classic) flow is not enabled, please use enhanced flow.", noRoles},
		"the classic flow with role mappings":       {w.guest(mapped), nil, "InvalidParameterException", "Basic (classic) flow is not supported with RoleMappings, please use enhanced flow.", noRoles},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.GetOpenIdToken(ctx, &ci.GetOpenIdTokenInput{IdentityId: &c.identity, Logins: c.logins})
			if c.code == "" {
				must(t, err)
			} else {
				refused(t, err, c.code, c.message)
			}
			_, err = w.GetCredentialsForIdentity(ctx, &ci.GetCredentialsForIdentityInput{IdentityId: &c.identity, Logins: c.logins})
			if c.credentials != "" {
				refused(t, err, "InvalidIdentityPoolConfigurationException", c.credentials)
			} else {
				refused(t, err, c.code, c.message)
			}
		})
	}
}

func TestAnIdentityThatHadLoginsIsNeverAGuestAgain(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, vouched), context.Background()
	pool := w.pool(withGuests, withGoogle)
	for name, id := range map[string]string{"made with a login": w.user(pool, "u1"), "made as a guest": w.guest(pool)} {
		t.Run(name, func(t *testing.T) { // the clock stands still meanwhile
			_, err := w.GetOpenIdTokenForDeveloperIdentity(ctx, &ci.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &pool, IdentityId: &id, Logins: map[string]string{developer: name}})
			must(t, err)
			users, err := w.LookupDeveloperIdentity(ctx, &ci.LookupDeveloperIdentityInput{IdentityPoolId: &pool, IdentityId: &id})
			must(t, err)
			for _, user := range users.DeveloperUserIdentifierList {
				_, err := w.UnlinkDeveloperIdentity(ctx, &ci.UnlinkDeveloperIdentityInput{IdentityPoolId: &pool, IdentityId: &id, DeveloperProviderName: new(developer), DeveloperUserIdentifier: &user})
				must(t, err)
			}
			if left := w.logins(id); len(left) != 0 {
				t.Fatalf("logins left: %v", left)
			}
			_, err = w.GetOpenIdToken(ctx, &ci.GetOpenIdTokenInput{IdentityId: &id})
			refused(t, err, "NotAuthorizedException", "Access to Identity '"+id+"' is forbidden.")
			_, err = w.GetOpenIdToken(ctx, &ci.GetOpenIdTokenInput{IdentityId: &id, Logins: map[string]string{"accounts.google.com": "good:thief"}})
			refused(t, err, "NotAuthorizedException", noMatch)
		})
	}
}

func TestPublicLogins(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, vouched), context.Background()
	pool := w.pool(withGuests, withGoogle)
	google := func(user string) map[string]string { return map[string]string{"accounts.google.com": "good:" + user} }
	both := func(g, a string) map[string]string {
		return map[string]string{"accounts.google.com": "good:" + g, "appleid.apple.com": "good:" + a}
	}
	getID := func(logins map[string]string) string {
		out, err := w.GetId(ctx, &ci.GetIdInput{IdentityPoolId: &pool, Logins: logins})
		must(t, err)
		return *out.IdentityId
	}
	get := func(id string, logins map[string]string) (string, error) {
		out, err := w.GetOpenIdToken(ctx, &ci.GetOpenIdTokenInput{IdentityId: &id, Logins: logins})
		if err != nil {
			return "", err
		}
		return *out.IdentityId, nil
	}

	ann := getID(google("ann"))
	if getID(google("ann")) != ann || getID(google("bob")) == ann {
		t.Error("an identity should be one person's, and always the same")
	}
	getID(both("ann", "ann"))
	if d := cmp.Diff([]string{"accounts.google.com"}, w.logins(ann)); d != "" {
		t.Errorf("GetId should link nothing to an identity that exists (-want +got):\n%s", d)
	}
	w.pass(time.Second)
	got, err := get(ann, both("ann", "ann"))
	must(t, err)
	if d := cmp.Diff([]string{"accounts.google.com", "appleid.apple.com"}, w.logins(ann)); d != "" || got != ann {
		t.Errorf("a token call links a login that nobody has (-want +got):\n%s", d)
	}

	guest := w.guest(pool)
	got, err = get(guest, google("cat"))
	must(t, err)
	if got != guest || getID(google("cat")) != guest {
		t.Errorf("a guest who logs in should keep the identity %s, got %s", guest, got)
	}
	second := w.guest(pool)
	got, err = get(second, google("ann"))
	must(t, err)
	if got != ann {
		t.Errorf("a guest who turns out to be known should become %s, got %s", ann, got)
	}
	if got, err = get(second, google("ann")); err != nil || got != ann {
		t.Errorf("the guest's identity should resolve to %s, got %s, %v", ann, got, err)
	}

	dan, dora := getID(google("dan")), getID(map[string]string{"appleid.apple.com": "good:dan"})
	got, err = get(dan, both("dan", "dan"))
	must(t, err)
	if got != dan || getID(map[string]string{"appleid.apple.com": "good:dan"}) != dan {
		t.Errorf("identities %s and %s should be one, got %s", dan, dora, got)
	}
	_, err = get(getID(google("eve")), both("eve", "dan"))
	refused(t, err, "ResourceConflictException", "") // she would have two users of Google
}

func TestUnlinkIdentity(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, vouched), context.Background()
	pool := w.pool(withGuests, withGoogle)
	logins := map[string]string{"accounts.google.com": "good:ann", "appleid.apple.com": "good:ann"}
	made, err := w.GetId(ctx, &ci.GetIdInput{IdentityPoolId: &pool, Logins: logins})
	must(t, err)
	id := *made.IdentityId
	for name, c := range map[string]struct {
		logins        map[string]string
		remove        string
		code, message string
	}{
		"without a login":    {map[string]string{}, "accounts.google.com", "NotAuthorizedException", noMatch},
		"with a stranger's":  {map[string]string{"accounts.google.com": "good:eve"}, "accounts.google.com", "NotAuthorizedException", noMatch},
		"with a forged one":  {map[string]string{"accounts.google.com": "x"}, "accounts.google.com", "NotAuthorizedException", unverified},
		"what is not linked": {map[string]string{"accounts.google.com": "good:ann"}, "graph.facebook.com", "ResourceNotFoundException", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.UnlinkIdentity(ctx, &ci.UnlinkIdentityInput{IdentityId: &id, Logins: c.logins, LoginsToRemove: []string{c.remove}})
			refused(t, err, c.code, c.message)
		})
	}
	_, err = w.UnlinkIdentity(ctx, &ci.UnlinkIdentityInput{IdentityId: &id, Logins: map[string]string{"accounts.google.com": "good:ann"}, LoginsToRemove: []string{"appleid.apple.com"}})
	must(t, err)
	if d := cmp.Diff([]string{"accounts.google.com"}, w.logins(id)); d != "" {
		t.Errorf("logins (-want +got):\n%s", d)
	}
	again, err := w.GetId(ctx, &ci.GetIdInput{IdentityPoolId: &pool, Logins: map[string]string{"appleid.apple.com": "good:ann"}})
	must(t, err)
	if *again.IdentityId == id {
		t.Error("the unlinked login still leads to the identity")
	}
}

func TestOwnTokenStandsForItsIdentity(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	pool, other := w.pool(), w.pool()
	token := func(pool, user string) (string, string) {
		out, err := w.GetOpenIdTokenForDeveloperIdentity(ctx, &ci.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &pool, Logins: map[string]string{developer: user}})
		must(t, err)
		return *out.IdentityId, *out.Token
	}
	id, mine := token(pool, "u")
	_, others := token(pool, "v")
	_, elsewhere := token(other, "u")
	try := func(raw, code, message string) {
		t.Helper()
		_, err := w.GetCredentialsForIdentity(ctx, &ci.GetCredentialsForIdentityInput{IdentityId: &id, Logins: map[string]string{"cognito-identity.amazonaws.com": raw}})
		refused(t, err, code, message)
	}
	try(mine, "InvalidIdentityPoolConfigurationException", noRoles)
	try(others, "NotAuthorizedException", noMatch)
	try(elsewhere, "NotAuthorizedException", "Invalid login token. Incorrect token audience")
	try(mine[:len(mine)-8]+"AAAAAAAA", "NotAuthorizedException", unverified)
	try("undefined", "NotAuthorizedException", "Invalid login token. Not a valid OpenId Connect identity token.")
	w.pass(901 * time.Second)
	try(mine, "NotAuthorizedException", "Invalid login token. Token expired: 1795254300 >= 1795254301")
}
