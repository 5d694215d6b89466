package treatytest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"
)

// A policy holds each backend to the users that are its own by treaty:DeveloperUserIdentifier.
func TestABackendVouchesForItsOwnUsersOnly(t *testing.T) {
	t.Parallel()
	w := newPoolWorld(t)
	ctx := t.Context()
	pool := "arn:aws:cognito-identity:us-east-1:" + home + ":identitypool/" + w.pool.ID
	red := w.AddUser("red", doc(`"Effect":"Allow","Action":"cognito-identity:*","Resource":"`+pool+`","Condition":{"StringLike":{"treaty:DeveloperUserIdentifier":"red/*"}}`))
	blue := w.AddUser("blue", doc(`"Effect":"Allow","Action":"cognito-identity:*","Resource":"*"`,
		`"Effect":"Deny","Action":"cognito-identity:GetOpenIdTokenForDeveloperIdentity","Resource":"*","Condition":{"StringNotLike":{"treaty:DeveloperUserIdentifier":"blue/*"}}`))
	free := w.AddUser("free", may("cognito-identity:*", "*"))
	in := func(c aws.Config, identity string, logins map[string]string, edit ...func(*cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput)) (string, error) {
		q := &cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &w.pool.ID, Logins: logins}
		if identity != "" {
			q.IdentityId = &identity
		}
		for _, e := range edit {
			e(q)
		}
		out, err := w.pools(c).GetOpenIdTokenForDeveloperIdentity(ctx, q)
		if err != nil {
			return "", err
		}
		return *out.IdentityId, nil
	}
	try := func(c aws.Config, identity string, logins map[string]string, edit ...func(*cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput)) func() error {
		return func() error { _, err := in(c, identity, logins, edit...); return err }
	}
	dev := func(user string) map[string]string { return login1("my.dev.provider", user) }
	ours, err := in(red, "", dev("red/ann"))
	w.must(err)
	theirs, err := in(blue, "", dev("blue/bob"))
	w.must(err)
	guest, err := w.id(nil)
	w.must(err)
	refusedUser := func(user string) string {
		return "AccessDeniedException: User: arn:aws:iam::" + home + ":user/" + user + " is not authorized to perform: cognito-identity:GetOpenIdTokenForDeveloperIdentity on resource: " + pool + " "
	}
	redNo := refusedUser("red") + "because no identity-based policy allows the cognito-identity:GetOpenIdTokenForDeveloperIdentity action"
	blueNo := refusedUser("blue") + "with an explicit deny in an identity-based policy"
	tagged := func(tags map[string]string) func(*cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput) {
		return func(q *cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput) { q.PrincipalTags = tags }
	}
	withstand(t, 33, []attack{
		{"its own user", "", try(red, "", dev("red/ann"))},
		{"another's", redNo, try(red, "", dev("blue/bob"))},
		{"another's, held by a deny", blueNo, try(blue, "", dev("red/ann"))},
		{"in other letters", redNo, try(red, "", dev("RED/ann"))},
		{"with a slash that looks the same", redNo, try(red, "", dev("red\u2215ann"))},
		{"with a letter that looks the same", redNo, try(red, "", dev("r\u0435d/ann"))},
		{"behind an invisible character", redNo, try(red, "", dev("\u200bred/ann"))},
		{"behind a line break", redNo, try(red, "", dev("\nred/ann"))},
		{"as a variable", redNo, try(red, "", dev("${aws:username}/ann"))},
		{"a composed and a decomposed name are two users", "", func() error {
			a, err := in(red, "", dev("red/\u00e9"))
			w.must(err)
			b, err := in(red, "", dev("red/e\u0301"))
			if err == nil && a == b {
				t.Error("both names are one user")
			}
			return err
		}},
		{"a climbing name is a name like any, and nobody's else", "", func() error {
			id, err := in(red, "", dev("red/../blue/bob"))
			if id == theirs {
				t.Error("it is blue's user")
			}
			return err
		}},
		{"a name with a null character is nobody's else", "InvalidParameterException", func() error {
			id, err := in(red, "", dev("red/ann\x00x"))
			if id == ours {
				t.Error("the name was cut short")
			}
			return err
		}},
		{"no user", redNo, try(red, "", map[string]string{})},
		{"the provider in other letters", redNo, try(red, "", login1("MY.dev.provider", "red/ann"))},
		{"the provider in other letters beside another's user", redNo, try(red, "", map[string]string{"MY.dev.provider": "red/ann", "my.dev.provider": "blue/bob"})},
		{"its own user beside another's under a name that is no provider", "NotAuthorizedException: Token is not from a supported provider of this identity pool.", try(red, "", map[string]string{"my.dev.provider": "red/ann", "other.dev": "blue/bob"})},
		{"a new user of its own on the other's identity", redNo, try(red, theirs, dev("red/thief"))},
		{"the same, held by a deny", blueNo, try(blue, ours, dev("blue/thief"))},
		{"its known user on the other's identity", "DeveloperUserAlreadyRegisteredException", try(free, theirs, dev("red/ann"))},
		{"its known user on the other's identity, as itself", "AccessDeniedException", try(red, theirs, dev("red/ann"))},
		{"a new user of its own on its own identity", "", try(red, ours, dev("red/ann.second"))},
		{"a new user of its own on a guest's identity", "", try(red, guest, dev("red/was-guest"))},
		{"and the other's identity is what it was", "", func() error {
			out, err := w.pools(w.root).LookupDeveloperIdentity(ctx, &cognitoidentity.LookupDeveloperIdentityInput{IdentityPoolId: &w.pool.ID, IdentityId: &theirs})
			if err == nil && fmt.Sprint(out.DeveloperUserIdentifierList) != "[blue/bob]" {
				t.Errorf("its users are %v", out.DeveloperUserIdentifierList)
			}
			return err
		}},
		{"who may all may link them, as with AWS", "", try(free, theirs, dev("free/helper"))},
		{"operations without the key are not for it: looking up", "AccessDeniedException", func() error {
			_, err := w.pools(red).LookupDeveloperIdentity(ctx, &cognitoidentity.LookupDeveloperIdentityInput{IdentityPoolId: &w.pool.ID, DeveloperUserIdentifier: aws.String("red/ann")})
			return err
		}},
		{"merging", "AccessDeniedException", func() error {
			_, err := w.pools(red).MergeDeveloperIdentities(ctx, &cognitoidentity.MergeDeveloperIdentitiesInput{IdentityPoolId: &w.pool.ID, DeveloperProviderName: aws.String("my.dev.provider"), SourceUserIdentifier: aws.String("blue/bob"), DestinationUserIdentifier: aws.String("red/ann")})
			return err
		}},
		{"unlinking", "AccessDeniedException", func() error {
			_, err := w.pools(red).UnlinkDeveloperIdentity(ctx, &cognitoidentity.UnlinkDeveloperIdentityInput{IdentityPoolId: &w.pool.ID, DeveloperProviderName: aws.String("my.dev.provider"), IdentityId: &theirs, DeveloperUserIdentifier: aws.String("blue/bob")})
			return err
		}},
		{"another pool", "AccessDeniedException", func() error {
			other := w.AddPool("other", "my.dev.provider")
			_, err := w.pools(red).GetOpenIdTokenForDeveloperIdentity(ctx, &cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &other.ID, Logins: dev("red/ann")})
			return err
		}},
		{"the pool from another account", "ResourceNotFoundException", try(w.away, "", dev("red/ann"))},
		{"the pool in another region", "ResourceNotFoundException", func() error {
			c := w.root.Copy()
			c.Region = "eu-west-1"
			return try(c, "", dev("red/ann"))()
		}},
		{"a token of a second longer than a day", "ValidationException", try(red, "", dev("red/ann"), func(q *cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput) { q.TokenDuration = aws.Int64(86401) })},
		{"a token of no time", "ValidationException", try(red, "", dev("red/ann"), func(q *cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput) { q.TokenDuration = aws.Int64(0) })},
		{"51 tags", "ValidationException", try(red, "", dev("red/ann"), func(q *cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput) {
			q.PrincipalTags = map[string]string{}
			for i := range 51 {
				q.PrincipalTags["k"+raw(i)] = "v"
			}
		})},
		{"a tag of AWS's own gives a token that gets no role", wrongPool, w.tokenWith(red, tagged(map[string]string{"aws:team": "red"}))},
		{"tags that differ in case alone as well", wrongPool, w.tokenWith(red, tagged(map[string]string{"team": "red", "Team": "blue"}))},
		{"a value that tags have not as well", wrongPool, w.tokenWith(red, tagged(map[string]string{"team": "a*"}))},
		{"a good tag", "", w.tokenWith(red, tagged(map[string]string{"team": "red"}))},
	})
}

// tokenWith gets a token for a user with something added, and a role by it.
func (w *poolWorld) tokenWith(c aws.Config, edit func(*cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput)) func() error {
	return func() error {
		in := &cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &w.pool.ID, Logins: login1("my.dev.provider", "red/ann")}
		edit(in)
		out, err := w.pools(c).GetOpenIdTokenForDeveloperIdentity(context.Background(), in)
		w.must(err)
		return w.take(*out.IdentityId, login1(cognitoName, *out.Token), "")()
	}
}

func TestPoolsAreTheirAccountsOnly(t *testing.T) {
	t.Parallel()
	w := newPoolWorld(t)
	ctx := t.Context()
	arn := "arn:aws:cognito-identity:us-east-1:" + home + ":identitypool/" + w.pool.ID
	identity, _ := w.DeveloperToken(w.pool, "user")
	theirs := w.pools(w.away)
	w.AddPool("a second", "my.dev.provider")
	page, err := w.pools(w.root).ListIdentityPools(ctx, &cognitoidentity.ListIdentityPoolsInput{MaxResults: aws.Int32(1)})
	w.must(err)
	red := w.AddUser("red", doc(`"Effect":"Allow","Action":"cognito-identity:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"red"}}`))
	const missing = "ResourceNotFoundException"
	withstand(t, 20, []attack{
		{"describe", missing, w.describe(w.away, w.pool.ID)},
		{"update", missing, func() error {
			_, err := theirs.UpdateIdentityPool(ctx, &cognitoidentity.UpdateIdentityPoolInput{IdentityPoolId: &w.pool.ID, IdentityPoolName: aws.String("x")})
			return err
		}},
		{"delete", missing, func() error {
			_, err := theirs.DeleteIdentityPool(ctx, &cognitoidentity.DeleteIdentityPoolInput{IdentityPoolId: &w.pool.ID})
			return err
		}},
		{"set roles", missing, func() error {
			_, err := theirs.SetIdentityPoolRoles(ctx, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: &w.pool.ID, Roles: map[string]string{}})
			return err
		}},
		{"see roles", missing, func() error {
			_, err := theirs.GetIdentityPoolRoles(ctx, &cognitoidentity.GetIdentityPoolRolesInput{IdentityPoolId: &w.pool.ID})
			return err
		}},
		{"map tags", missing, func() error {
			_, err := theirs.SetPrincipalTagAttributeMap(ctx, &cognitoidentity.SetPrincipalTagAttributeMapInput{IdentityPoolId: &w.pool.ID, IdentityProviderName: aws.String("x")})
			return err
		}},
		{"list identities", missing, func() error {
			_, err := theirs.ListIdentities(ctx, &cognitoidentity.ListIdentitiesInput{IdentityPoolId: &w.pool.ID, MaxResults: aws.Int32(1)})
			return err
		}},
		{"describe an identity", missing, func() error {
			_, err := theirs.DescribeIdentity(ctx, &cognitoidentity.DescribeIdentityInput{IdentityId: &identity})
			return err
		}},
		{"delete an identity", "", func() error {
			out, err := theirs.DeleteIdentities(ctx, &cognitoidentity.DeleteIdentitiesInput{IdentityIdsToDelete: []string{identity}})
			if err == nil && (len(out.UnprocessedIdentityIds) != 1 || out.UnprocessedIdentityIds[0].ErrorCode != types.ErrorCodeAccessDenied) {
				t.Errorf("it was deleted: %+v", out.UnprocessedIdentityIds)
			}
			return err
		}},
		{"tag", "AccessDeniedException", func() error {
			_, err := theirs.TagResource(ctx, &cognitoidentity.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"a": "b"}})
			return err
		}},
		{"tag by an ARN that says the pool is theirs", missing, func() error {
			_, err := theirs.TagResource(ctx, &cognitoidentity.TagResourceInput{ResourceArn: aws.String(strings.Replace(arn, home, away, 1)), Tags: map[string]string{"a": "b"}})
			return err
		}},
		{"a page of this account's list", "InvalidParameterException", func() error {
			_, err := theirs.ListIdentityPools(ctx, &cognitoidentity.ListIdentityPoolsInput{MaxResults: aws.Int32(1), NextToken: page.NextToken})
			return err
		}},
		{"this account's page of pools for its identities", "InvalidParameterException", func() error {
			_, err := w.pools(w.root).ListIdentities(ctx, &cognitoidentity.ListIdentitiesInput{IdentityPoolId: &w.pool.ID, MaxResults: aws.Int32(1), NextToken: page.NextToken})
			return err
		}},
		{"a page that nobody gave", "InvalidParameterException", func() error {
			_, err := w.pools(w.root).ListIdentityPools(ctx, &cognitoidentity.ListIdentityPoolsInput{MaxResults: aws.Int32(1), NextToken: aws.String("AAAA")})
			return err
		}},
		{"a pool with another account's issuer", "InvalidParameterException", func() error {
			_, err := w.pools(w.root).CreateIdentityPool(ctx, &cognitoidentity.CreateIdentityPoolInput{IdentityPoolName: aws.String("x"), OpenIdConnectProviderARNs: []string{strings.Replace(w.good.arn, home, away, 1)}})
			return err
		}},
		{"a developer provider called like a public one", "InvalidParameterException", func() error {
			_, err := w.pools(w.root).CreateIdentityPool(ctx, &cognitoidentity.CreateIdentityPoolInput{IdentityPoolName: aws.String("x"), DeveloperProviderName: aws.String("accounts.google.com")})
			return err
		}},
		{"a developer provider called like the service", "InvalidParameterException", func() error {
			_, err := w.pools(w.root).CreateIdentityPool(ctx, &cognitoidentity.CreateIdentityPoolInput{IdentityPoolName: aws.String("x"), DeveloperProviderName: aws.String(cognitoName)})
			return err
		}},
		{"another developer provider than it has", "InvalidParameterException", func() error {
			_, err := w.pools(w.root).UpdateIdentityPool(ctx, &cognitoidentity.UpdateIdentityPoolInput{IdentityPoolId: &w.pool.ID, IdentityPoolName: aws.String("pool"), DeveloperProviderName: aws.String("other")})
			return err
		}},
		{"a role for a kind of identity that is none", "ValidationException", func() error {
			_, err := w.pools(w.root).SetIdentityPoolRoles(ctx, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: &w.pool.ID, Roles: map[string]string{"admin": w.member}})
			return err
		}},
		{"a mapping without resolution", "InvalidParameterException", func() error {
			_, err := w.pools(w.root).SetIdentityPoolRoles(ctx, &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: &w.pool.ID, Roles: map[string]string{}, RoleMappings: map[string]types.RoleMapping{"x": {Type: types.RoleMappingTypeToken}}})
			return err
		}},
		{"by a tag that the pool has not", "AccessDeniedException", w.describe(red, w.pool.ID)},
		{"which its holder may not give it", "AccessDeniedException", func() error {
			_, err := w.pools(red).TagResource(ctx, &cognitoidentity.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"team": "red"}})
			return err
		}},
		{"nor by a tag of AWS's own", "InvalidParameterException", func() error {
			_, err := w.pools(w.root).TagResource(ctx, &cognitoidentity.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"AWS:team": "red"}})
			return err
		}},
		{"by a tag that it has", "", func() error {
			_, err := w.pools(w.root).TagResource(ctx, &cognitoidentity.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"team": "red"}})
			w.must(err)
			return w.describe(red, w.pool.ID)()
		}},
	})
}
