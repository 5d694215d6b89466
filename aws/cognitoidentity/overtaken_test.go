package cognitoidentity_test

import (
	"context"
	"errors"
	"testing"
	"time"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/aws/cognitoidentity"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// beside is a store in which somebody links a login to the same identity just before we link ours.
type beside struct {
	repositoryOfIdentities
	login *directory.Login
}

func (b beside) Link(ctx context.Context, seen directory.Identity, at time.Time, logins ...directory.Login) error {
	if l := *b.login; l.User != "" {
		*b.login = directory.Login{}
		if err := b.repositoryOfIdentities.Link(ctx, seen, at, l); err != nil {
			return err
		}
	}
	return b.repositoryOfIdentities.Link(ctx, seen, at, logins...)
}

func TestAUserWhomAnotherOvertakesIsNotLinkedToHisIdentity(t *testing.T) {
	t.Parallel()
	const google = "accounts.google.com"
	var first directory.Login
	w, ctx := newWorld(t, vouched, func(s *cognitoidentity.Service) { s.Identities = beside{s.Identities, &first} }), context.Background()
	pool := w.pool(withGuests, withGoogle)
	backend := w.userWith(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"cognito-identity:GetOpenIdTokenForDeveloperIdentity","Resource":"*",
		"Condition":{"StringLike":{"` + cognitoidentity.DeveloperUserKey + `":"${aws:username}/*"}}}}`)
	for _, c := range []struct {
		name  string
		first directory.Login
		code  string
	}{
		{"nobody", directory.Login{}, ""},
		{"another user of the backend's", directory.Login{Provider: developer, User: "backend/2"}, ""},
		{"another backend's user", directory.Login{Provider: developer, User: "other/1"}, "AccessDeniedException"},
		{"a person whom Google vouches for", directory.Login{Provider: google, User: "ann"}, "NotAuthorizedException"},
	} {
		guest, mine := w.guest(pool), directory.Login{Provider: developer, User: "backend/" + c.name}
		first = c.first
		out, err := backend.GetOpenIdTokenForDeveloperIdentity(ctx, &ci.GetOpenIdTokenForDeveloperIdentityInput{
			IdentityPoolId: &pool, IdentityId: &guest, Logins: map[string]string{developer: mine.User}})
		owner, missing := w.store.Identities.ByLogin(ctx, pool, mine)
		if c.code == "" {
			must(t, err)
			if *out.IdentityId != guest || missing != nil || owner.ID != guest {
				t.Errorf("%s: %s, %v", c.name, *out.IdentityId, missing)
			}
			continue
		}
		refused(t, err, c.code, "")
		if !errors.Is(missing, fault.NotFound) {
			t.Errorf("%s: the user is left at %s, %v", c.name, owner.ID, missing)
		}
		left, err := w.store.Identities.Identity(ctx, guest)
		must(t, err)
		if d := cmp.Diff([]directory.Login{c.first}, left.Logins); d != "" {
			t.Errorf("%s: (-want +got):\n%s", c.name, d)
		}
	}
}
