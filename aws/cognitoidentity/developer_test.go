package cognitoidentity_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/audit"
)

func TestDeveloperTokenSaysWhatTheCloudsSays(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	pool := w.pool()
	out, err := w.GetOpenIdTokenForDeveloperIdentity(ctx, &ci.GetOpenIdTokenForDeveloperIdentityInput{
		IdentityPoolId: &pool, Logins: map[string]string{developer: "my_user_id"}, TokenDuration: new(int64(120)),
		PrincipalTags: map[string]string{"team": "x", "cost": "<7>"},
	})
	must(t, err)
	header, claims := decode(t, *out.Token)
	if want := `{"kid":"us-east-11","typ":"JWS","alg":"RS512"}`; header != want {
		t.Errorf("header is %s, want %s", header, want)
	}
	want := map[string]any{
		"iss": "https://cognito-identity.amazonaws.com",
		"sub": *out.IdentityId,
		"aud": pool,
		"amr": []any{"authenticated", "my.dev.provider", "my.dev.provider:" + pool + ":my_user_id"},
		"iat": float64(start.Unix()),
		"exp": float64(start.Unix() + 120),
		"https://cognito-identity.amazonaws.com/identity-pool-arn": "arn:aws:cognito-identity:us-east-1:123456789012:identitypool/" + pool,
		"https://aws.amazon.com/tags":                              map[string]any{"principal_tags": map[string]any{"team": []any{"x"}, "cost": []any{"<7>"}}},
	}
	if d := cmp.Diff(want, claims); d != "" {
		t.Errorf("claims (-want +got):\n%s", d)
	}

	e := w.lastEvent()
	var evidence struct {
		Claims map[string]any `json:"claims"`
	}
	must(t, json.Unmarshal(e.Evidence, &evidence))
	if d := cmp.Diff(want, evidence.Claims); d != "" {
		t.Errorf("audited claims (-want +got):\n%s", d)
	}
	if strings.Contains(string(e.Evidence), *out.Token) || strings.Contains(string(e.Evidence), (*out.Token)[len(*out.Token)-40:]) {
		t.Error("the audit holds the token")
	}
	if e.Outcome != audit.Allowed || e.Operation != "GetOpenIdTokenForDeveloperIdentity" || e.Caller != "arn:aws:iam::123456789012:root" ||
		e.Resource != "arn:aws:cognito-identity:us-east-1:123456789012:identitypool/"+pool || e.RequestID == "" {
		t.Errorf("event: %+v", e)
	}
}

func TestDeveloperTokenWithoutTagsLastsFifteenMinutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pool := w.pool()
	out, err := w.GetOpenIdTokenForDeveloperIdentity(context.Background(), &ci.GetOpenIdTokenForDeveloperIdentityInput{
		IdentityPoolId: &pool, Logins: map[string]string{developer: "u"}})
	must(t, err)
	_, claims := decode(t, *out.Token)
	if d := cmp.Diff([]string{"amr", "aud", "exp", "https://cognito-identity.amazonaws.com/identity-pool-arn", "iat", "iss", "sub"}, names(claims)); d != "" {
		t.Errorf("claims (-want +got):\n%s", d)
	}
	if life := claims["exp"].(float64) - claims["iat"].(float64); life != 900 {
		t.Errorf("lifetime is %v s, want 900", life)
	}
}

func TestEightSimultaneousCallsForANewUserGiveOneIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pool := w.pool()
	got := make([]string, 8)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[i] = w.user(pool, "new") })
	}
	all.Wait()
	if distinct := slices.Compact(slices.Sorted(slices.Values(got))); len(distinct) != 1 || distinct[0] == "" {
		t.Errorf("identities: %v", distinct)
	}
	list, err := w.ListIdentities(context.Background(), &ci.ListIdentitiesInput{IdentityPoolId: &pool, MaxResults: new(int32(60))})
	must(t, err)
	if len(list.Identities) != 1 {
		t.Errorf("the pool has %d identities", len(list.Identities))
	}
	if other := w.user(pool, "other"); other == got[0] {
		t.Error("two users share an identity")
	}
	if elsewhere := w.user(w.pool(), "new"); elsewhere == got[0] {
		t.Error("two pools share an identity")
	}
}

func TestDeveloperCallsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, vouched)
	pool, bare := w.pool(withGoogle), w.pool(func(in *ci.CreateIdentityPoolInput) { in.DeveloperProviderName = nil })
	known := w.user(pool, "known")
	foreign := w.user(w.pool(), "u")
	for name, c := range map[string]struct {
		in            ci.GetOpenIdTokenForDeveloperIdentityInput
		code, message string
	}{
		"no logins at all":                  {ci.GetOpenIdTokenForDeveloperIdentityInput{Logins: map[string]string{}}, "InvalidParameterException", ""},
		"another developer's provider":      {ci.GetOpenIdTokenForDeveloperIdentityInput{Logins: map[string]string{"other.provider": "u"}}, "InvalidParameterException", "This identity pool does not support the specified developer provider"},
		"a pool without developer provider": {ci.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &bare, Logins: map[string]string{developer: "u"}}, "InvalidParameterException", ""},
		"a user id of 1025 characters":      {ci.GetOpenIdTokenForDeveloperIdentityInput{Logins: map[string]string{developer: strings.Repeat("ü", 1025)}}, "InvalidParameterException", ""},
		"a lifetime of no seconds": {ci.GetOpenIdTokenForDeveloperIdentityInput{Logins: map[string]string{developer: "u"}, TokenDuration: new(int64(0))}, "ValidationException",
			"1 validation error detected: Value '0' at 'tokenDuration' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		"a lifetime of more than a day": {ci.GetOpenIdTokenForDeveloperIdentityInput{Logins: map[string]string{developer: "u"}, TokenDuration: new(int64(86401))}, "ValidationException",
			"1 validation error detected: Value '86401' at 'tokenDuration' failed to satisfy constraint: Member must have value less than or equal to 86400"},
		"a second provider that the pool does not have": {ci.GetOpenIdTokenForDeveloperIdentityInput{Logins: map[string]string{developer: "u", "graph.facebook.com": "good:f"}}, "NotAuthorizedException",
			"Token is not from a supported provider of this identity pool."},
		"a second login that does not verify": {ci.GetOpenIdTokenForDeveloperIdentityInput{Logins: map[string]string{developer: "u", "accounts.google.com": "forged"}}, "NotAuthorizedException",
			"Invalid login token. Couldn't verify signed token."},
		"an identity that does not exist": {ci.GetOpenIdTokenForDeveloperIdentityInput{Logins: map[string]string{developer: "u"}, IdentityId: new("us-east-1:00000000-0000-4000-8000-000000000000")}, "ResourceNotFoundException",
			"Identity 'us-east-1:00000000-0000-4000-8000-000000000000' not found."},
		"an identity of another pool": {ci.GetOpenIdTokenForDeveloperIdentityInput{Logins: map[string]string{developer: "u"}, IdentityId: &foreign}, "ResourceNotFoundException",
			"Identity '" + foreign + "' not found."},
		"an identity, for a user who has another": {ci.GetOpenIdTokenForDeveloperIdentityInput{Logins: map[string]string{developer: "known"}, IdentityId: new(w.user(pool, "second"))}, "DeveloperUserAlreadyRegisteredException", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if c.in.IdentityPoolId == nil {
				c.in.IdentityPoolId = &pool
			}
			_, err := w.GetOpenIdTokenForDeveloperIdentity(context.Background(), &c.in)
			refused(t, err, c.code, c.message)
		})
	}
	forgeries := 0
	for _, e := range w.events {
		if strings.Contains(string(e.Evidence), "forged") {
			t.Errorf("the audit holds a login's token: %s", e.Evidence)
		}
		if e.Outcome == audit.Refused && e.Code == "NotAuthorizedException" && strings.Contains(string(e.Evidence), "accounts.google.com") {
			forgeries++
		}
	}
	if forgeries != 1 {
		t.Errorf("%d refusals of the forged login are recorded, want 1", forgeries)
	}
	if again := w.user(pool, "known"); again != known {
		t.Errorf("after refusals the user's identity is %s, want %s", again, known)
	}
	_, err := w.LookupDeveloperIdentity(context.Background(), &ci.LookupDeveloperIdentityInput{IdentityPoolId: &pool, DeveloperUserIdentifier: new("u")})
	refused(t, err, "ResourceNotFoundException", "")
}

func TestDeveloperUserIsLinkedToAnIdentityOnRequest(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, vouched), context.Background()
	pool := w.pool(withGuests, withGoogle)
	guest := w.guest(pool)
	link := func(identity, user string, more map[string]string) (*ci.GetOpenIdTokenForDeveloperIdentityOutput, error) {
		logins := map[string]string{developer: user}
		for k, v := range more {
			logins[k] = v
		}
		return w.GetOpenIdTokenForDeveloperIdentity(ctx, &ci.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &pool, IdentityId: &identity, Logins: logins})
	}
	for _, user := range []string{"first", "second", "first"} { // a developer may know a person by several names
		out, err := link(guest, user, nil)
		must(t, err)
		if *out.IdentityId != guest {
			t.Errorf("%s got identity %s, want %s", user, *out.IdentityId, guest)
		}
	}
	if again := w.user(pool, "second"); again != guest {
		t.Errorf("second's identity is %s, want %s", again, guest)
	}
	out, err := link(guest, "first", map[string]string{"accounts.google.com": "good:g1"})
	must(t, err)
	_, claims := decode(t, *out.Token)
	want := []any{"authenticated", developer, developer + ":" + pool + ":first", "accounts.google.com", "accounts.google.com:g1"}
	if d := cmp.Diff(any(want), claims["amr"]); d != "" {
		t.Errorf("amr (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"accounts.google.com", developer}, w.logins(guest)); d != "" {
		t.Errorf("logins (-want +got):\n%s", d)
	}
	_, err = link(guest, "third", map[string]string{"accounts.google.com": "good:g2"})
	refused(t, err, "NotAuthorizedException", noMatch)
	_, err = link(guest, "third", nil)
	refused(t, err, "NotAuthorizedException", noMatch) // people whom Google vouches for must be there
	_, err = link(guest, "first", map[string]string{"accounts.google.com": "good:g2"})
	refused(t, err, "ResourceConflictException", "")
	_, err = w.LookupDeveloperIdentity(ctx, &ci.LookupDeveloperIdentityInput{IdentityPoolId: &pool, DeveloperUserIdentifier: new("third")})
	refused(t, err, "ResourceNotFoundException", "") // nothing of the refused calls remained
	_, err = link(guest, "third", map[string]string{"accounts.google.com": "good:g1"})
	must(t, err)
}

func TestLookupOfDeveloperIdentities(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	pool := w.pool()
	one, two := w.user(pool, "a1"), w.user(pool, "b1")
	for _, user := range []string{"a2", "a3"} {
		_, err := w.GetOpenIdTokenForDeveloperIdentity(ctx, &ci.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &pool, IdentityId: &one, Logins: map[string]string{developer: user}})
		must(t, err)
	}
	for name, c := range map[string]struct {
		in            ci.LookupDeveloperIdentityInput
		want          []string
		identity      string
		code, message string
	}{
		"by identity":                    {in: ci.LookupDeveloperIdentityInput{IdentityId: &one}, identity: one, want: []string{"a1", "a2", "a3"}},
		"by user":                        {in: ci.LookupDeveloperIdentityInput{DeveloperUserIdentifier: new("b1")}, identity: two, want: []string{"b1"}},
		"by both, which match":           {in: ci.LookupDeveloperIdentityInput{IdentityId: &one, DeveloperUserIdentifier: new("a2")}, identity: one, want: []string{"a2"}},
		"by both, which do not match":    {in: ci.LookupDeveloperIdentityInput{IdentityId: &two, DeveloperUserIdentifier: new("a2")}, code: "ResourceConflictException"},
		"by neither":                     {in: ci.LookupDeveloperIdentityInput{}, code: "InvalidParameterException"},
		"by a user whom nobody knows":    {in: ci.LookupDeveloperIdentityInput{DeveloperUserIdentifier: new("z")}, code: "ResourceNotFoundException"},
		"by an identity that is unknown": {in: ci.LookupDeveloperIdentityInput{IdentityId: new("us-east-1:0")}, code: "ResourceNotFoundException", message: "Identity 'us-east-1:0' not found."},
	} {
		t.Run(name, func(t *testing.T) {
			c.in.IdentityPoolId = &pool
			out, err := w.LookupDeveloperIdentity(ctx, &c.in)
			if c.code != "" {
				refused(t, err, c.code, c.message)
				return
			}
			must(t, err)
			if d := cmp.Diff(&ci.LookupDeveloperIdentityOutput{IdentityId: &c.identity, DeveloperUserIdentifierList: c.want}, out, plain); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	var got []string
	in := &ci.LookupDeveloperIdentityInput{IdentityPoolId: &pool, IdentityId: &one, MaxResults: new(int32(1))}
	for range 3 {
		out, err := w.LookupDeveloperIdentity(ctx, in)
		must(t, err)
		got = append(got, out.DeveloperUserIdentifierList...)
		in.NextToken = out.NextToken
	}
	if d := cmp.Diff([]string{"a1", "a2", "a3"}, got); d != "" || in.NextToken != nil {
		t.Errorf("page by page (-want +got), then %v:\n%s", in.NextToken, d)
	}
}

func TestMergedIdentitiesAnswerAsOne(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	pool := w.pool()
	a, b, c := w.user(pool, "a"), w.user(pool, "b"), w.user(pool, "c")
	merge := func(source, destination string) (*ci.MergeDeveloperIdentitiesOutput, error) {
		return w.MergeDeveloperIdentities(ctx, &ci.MergeDeveloperIdentitiesInput{
			IdentityPoolId: &pool, DeveloperProviderName: new(developer), SourceUserIdentifier: &source, DestinationUserIdentifier: &destination})
	}
	w.pass(time.Minute)
	out, err := merge("a", "b")
	must(t, err)
	if *out.IdentityId != b {
		t.Errorf("merged into %s, want the destination %s", *out.IdentityId, b)
	}
	out, err = merge("b", "c")
	must(t, err)
	if *out.IdentityId != c || w.user(pool, "a") != c || w.user(pool, "b") != c {
		t.Errorf("users are not all at %s", c)
	}
	out, err = merge("a", "c")
	must(t, err) // they are one already
	if *out.IdentityId != c {
		t.Errorf("merging what is one gave %s", *out.IdentityId)
	}
	shown, err := w.DescribeIdentity(ctx, &ci.DescribeIdentityInput{IdentityId: &a})
	must(t, err)
	if *shown.IdentityId != c || !shown.CreationDate.Equal(start) || !shown.LastModifiedDate.Equal(start.Add(time.Minute)) {
		t.Errorf("the disabled identity shows as %s, made %v, changed %v", *shown.IdentityId, shown.CreationDate, shown.LastModifiedDate)
	}
	for hide, want := range map[bool]int{true: 1, false: 3} {
		list, err := w.ListIdentities(ctx, &ci.ListIdentitiesInput{IdentityPoolId: &pool, MaxResults: new(int32(60)), HideDisabled: hide})
		must(t, err)
		if len(list.Identities) != want {
			t.Errorf("HideDisabled %v lists %d identities, want %d", hide, len(list.Identities), want)
		}
	}
	_, err = merge("a", "nobody")
	refused(t, err, "ResourceNotFoundException", "")
	_, err = w.MergeDeveloperIdentities(ctx, &ci.MergeDeveloperIdentitiesInput{
		IdentityPoolId: &pool, DeveloperProviderName: new("other"), SourceUserIdentifier: new("a"), DestinationUserIdentifier: new("b")})
	refused(t, err, "InvalidParameterException", "")
}

func TestAnIdentityHasAtMostTwentyLogins(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	pool := w.pool()
	first, second := w.user(pool, "a0"), w.user(pool, "b0")
	link := func(id, user string) error {
		_, err := w.GetOpenIdTokenForDeveloperIdentity(ctx, &ci.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &pool, IdentityId: &id, Logins: map[string]string{developer: user}})
		return err
	}
	for i := 1; i < 10; i++ {
		must(t, link(first, fmt.Sprint("a", i)))
		must(t, link(second, fmt.Sprint("b", i)))
	}
	must(t, link(first, "a10"))
	merge := &ci.MergeDeveloperIdentitiesInput{IdentityPoolId: &pool, DeveloperProviderName: new(developer), SourceUserIdentifier: new("b0"), DestinationUserIdentifier: new("a0")}
	_, err := w.MergeDeveloperIdentities(ctx, merge)
	refused(t, err, "InvalidParameterException", "")
	_, err = w.UnlinkDeveloperIdentity(ctx, &ci.UnlinkDeveloperIdentityInput{IdentityPoolId: &pool, IdentityId: &first, DeveloperProviderName: new(developer), DeveloperUserIdentifier: new("a10")})
	must(t, err)
	_, err = w.MergeDeveloperIdentities(ctx, merge)
	must(t, err)
	refused(t, link(first, "a11"), "InvalidParameterException", "")
}

func TestUnlinkedDeveloperUserGetsANewIdentity(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	pool := w.pool()
	id, other := w.user(pool, "u"), w.user(pool, "v")
	unlink := func(id, provider, user string) error {
		_, err := w.UnlinkDeveloperIdentity(ctx, &ci.UnlinkDeveloperIdentityInput{IdentityPoolId: &pool, IdentityId: &id, DeveloperProviderName: &provider, DeveloperUserIdentifier: &user})
		return err
	}
	refused(t, unlink(id, "other", "u"), "InvalidParameterException", "")
	refused(t, unlink(other, developer, "u"), "ResourceConflictException", "")
	refused(t, unlink(id, developer, "nobody"), "ResourceNotFoundException", "")
	must(t, unlink(id, developer, "u"))
	refused(t, unlink(id, developer, "u"), "ResourceNotFoundException", "")
	if again := w.user(pool, "u"); again == id {
		t.Error("the user still has the identity that he was unlinked from")
	}
}
